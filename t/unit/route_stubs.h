/*
 * The index, the log and the stream, for test_route.c, which needs nothing of
 * them.
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


#endif /* _ROUTE_STUBS_H_INCLUDED_ */
