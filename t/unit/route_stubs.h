/*
 * The stubs of test_route.c: an index, a log and a stream without any effect,
 * and a feed that records the frames that were sent.
 */

#ifndef _ROUTE_STUBS_H_INCLUDED_
#define _ROUTE_STUBS_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_log.h"
#include "kr_route.h"


/*
 * The frames that a worker was sent, one line a frame:
 *
 *     JOINED req epoch/lsn/n        EVENT rows epoch/lsn/n
 *     OK req | REFUSED req          EVENT_TO socket rows epoch/lsn/n
 *     RESET
 */
struct kr_conn_s {
    kr_buf_t       told;
    size_t         queued;
    kr_worker_t   *worker;
};


kr_match_t *
kr_match_create(void)
{
    return malloc(1);
}


void
kr_match_free(kr_match_t *m)
{
    free(m);
}


int
kr_match_add(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    (void) m;
    (void) p;
    (void) rt;

    return KR_OK;
}


void
kr_match_remove(kr_match_t *m, const kr_predicate_t *p, kr_route_t *rt)
{
    (void) m;
    (void) p;
    (void) rt;
}


int
kr_match_watch(kr_match_t *m, const kr_str_t *schema, const kr_str_t *table,
    kr_route_t *rt)
{
    (void) m;
    (void) schema;
    (void) table;
    (void) rt;

    return KR_OK;
}


void
kr_match_unwatch(kr_match_t *m, const kr_str_t *schema,
    const kr_str_t *table, kr_route_t *rt)
{
    (void) m;
    (void) schema;
    (void) table;
    (void) rt;
}


void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    (void) level;
    (void) fmt;
}


void
kr_no_memory(const char *what)
{
    fail_msg("no memory for %s", what);
    abort();
}


void
kr_stream_poke(kr_stream_t *st)
{
    (void) st;
}


kr_block_t *
kr_block_frame(const kairos_feed_frame_t *f)
{
    size_t       size;
    kr_block_t  *b;

    size = kairos_feed_size(f);
    b = malloc(sizeof(kr_block_t) + size);
    assert_non_null(b);

    b->refs = 1;
    b->len = size;
    kairos_feed_encode(b->data, f);

    return b;
}


kr_block_t *
kr_block_hold(kr_block_t *b)
{
    b->refs++;

    return b;
}


void
kr_block_release(kr_block_t *b)
{
    if (--b->refs == 0) {
        free(b);
    }
}


size_t
kr_conn_queued(const kr_conn_t *cn)
{
    return cn->queued;
}


void
kr_server_close(kr_conn_t *cn, const char *reason)
{
    kr_buf_printf(&cn->told, "CLOSE %s\n", reason);
}


/* {"rows":[a,b],...} as "a,b" */
static void
tell_event(kr_buf_t *told, const kairos_feed_frame_t *f)
{
    const char  *rows, *end;

    rows = (const char *) f->payload.data + 9;
    end = memchr(rows, ']', f->payload.len - 9);
    assert_non_null(end);

    kr_buf_append(told, rows, (size_t) (end - rows));
}


void
kr_server_send(kr_conn_t *cn, kr_block_t *b, kr_txn_t *txn)
{
    size_t                used;
    kr_buf_t             *told;
    kairos_feed_frame_t   f;

    told = &cn->told;

    assert_int_equal(kairos_feed_decode(b->data, b->len, &f, &used),
                     KAIROS_FEED_OK);

    switch (f.type) {

    case KAIROS_FEED_JOINED:
        kr_buf_printf(told, "JOINED %u", (unsigned) f.req);
        break;

    case KAIROS_FEED_EVENT:
        kr_buf_str(told, "EVENT ");
        tell_event(told, &f);
        break;

    case KAIROS_FEED_EVENT_TO:
        kr_buf_printf(told, "EVENT_TO %u ", (unsigned) f.socket);
        tell_event(told, &f);
        break;

    case KAIROS_FEED_RESET:
        kr_buf_str(told, "RESET\n");
        return;

    default: /* KAIROS_FEED_REPLY */
        kr_buf_printf(told, "%s %u\n", f.status ? "REFUSED" : "OK",
                      (unsigned) f.req);
        return;
    }

    kr_buf_printf(told, " %u/%u/%u\n", (unsigned) f.position.epoch,
                  (unsigned) f.position.lsn, f.position.n);

    if (txn != NULL) {
        kr_txn_release(txn);
    }
}


#endif /* _ROUTE_STUBS_H_INCLUDED_ */
