/*
 * What the files ngx_http_kairos_feed*.c share.
 */

#ifndef _NGX_HTTP_KAIROS_FEED_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_FEED_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_feed.h"


/*
 * Reads what is there, but not more than a turn's share: then the rest waits
 * for the next turn, so that a burst of events holds up no client.
 */
void ngx_http_kairos_feed_read_handler(ngx_event_t *rev);

/*
 * Writes what is queued, as far as the socket takes it; goes on with the
 * RESUMEs while there is room.
 */
void ngx_http_kairos_feed_flush(ngx_http_kairos_feed_t *feed);

/*
 * Calls handlers->resume(), and queues READY behind the last RESUME.  RESUMEs
 * do not wait for WELCOME: HELLO has all that the replicator needs to read
 * them.
 */
void ngx_http_kairos_feed_resume(ngx_http_kairos_feed_t *feed);

/* WELCOME was read.  NULL, or why the feed is to be dropped. */
const char *ngx_http_kairos_feed_welcome(ngx_http_kairos_feed_t *feed,
    kairos_feed_frame_t *f);

/*
 * Ends the connection, or the attempt to get one, and arms the next attempt.
 * The line in the log is at ERR for the first drop since the feed was up, and
 * at INFO for the others.
 */
void ngx_http_kairos_feed_drop(ngx_http_kairos_feed_t *feed,
    const char *reason, ngx_err_t err);


#endif /* _NGX_HTTP_KAIROS_FEED_PRIVATE_H_INCLUDED_ */
