/*
 * Frames that the replicator sends to one worker.
 */

#ifndef _KR_ANSWER_H_INCLUDED_
#define _KR_ANSWER_H_INCLUDED_


#include "kairos_feed.h"
#include "kr_registry.h"
#include "kr_server.h"


/* If wk->gone is set, none of these functions sends anything. */

/* REPLY with status ok, or with status error and {"reason": ...}. */
void kr_reply(kr_worker_t *wk, uint64_t req, const kr_buf_t *payload);
void kr_refuse(kr_worker_t *wk, uint64_t req, const char *reason);

void kr_send_reset(kr_worker_t *wk, const char *topic, size_t len,
    const char *reason);

/* Sends any frame.  Without memory for it, closes the worker's connection. */
void kr_send(kr_worker_t *wk, const kairos_feed_frame_t *f);

void kr_slice(kairos_slice_t *s, const char *data, size_t len);


#endif /* _KR_ANSWER_H_INCLUDED_ */
