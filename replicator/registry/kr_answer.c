#include <string.h>

#include "kr_answer.h"
#include "kr_log.h"


void
kr_reply(kr_worker_t *wk, uint64_t req, const kr_buf_t *payload)
{
    kairos_feed_frame_t  f;

    memset(&f, 0, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_REPLY;
    f.req = req;
    kr_slice(&f.payload, payload->data, payload->len);

    kr_send(wk, &f);
}


void
kr_refuse(kr_worker_t *wk, uint64_t req, const char *reason)
{
    kr_buf_t             b;
    kairos_feed_frame_t  f;

    memset(&b, 0, sizeof(kr_buf_t));
    memset(&f, 0, sizeof(kairos_feed_frame_t));

    kr_buf_str(&b, "{\"reason\":");
    kr_buf_json(&b, reason, strlen(reason));
    kr_buf_str(&b, "}");

    f.type = KAIROS_FEED_REPLY;
    f.status = 1;
    f.req = req;

    if (b.failed) {
        kr_slice(&f.payload, "{}", 2);

    } else {
        kr_slice(&f.payload, b.data, b.len);
    }

    kr_send(wk, &f);
    kr_buf_free(&b);
}


void
kr_send_reset(kr_worker_t *wk, const char *topic, size_t len,
    const char *reason)
{
    kairos_feed_frame_t  f;

    memset(&f, 0, sizeof(kairos_feed_frame_t));

    f.type = KAIROS_FEED_RESET;
    kr_slice(&f.topic, topic, len);
    kr_slice(&f.reason, reason, strlen(reason));

    kr_send(wk, &f);
}


void
kr_send(kr_worker_t *wk, const kairos_feed_frame_t *f)
{
    kr_block_t  *b;

    if (wk->gone) {
        return;
    }

    b = kr_block_frame(f);

    if (b == NULL) {
        kr_log(KR_LOG_ERR, "could not make a frame of type %u", f->type);
        kr_server_close(wk->conn, "an answer could not be made");
        return;
    }

    kr_server_send(wk->conn, b, NULL);
    kr_block_release(b);
}


void
kr_slice(kairos_slice_t *s, const char *data, size_t len)
{
    s->data = (const unsigned char *) data;
    s->len = len;
}
