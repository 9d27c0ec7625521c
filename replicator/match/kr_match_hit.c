/*
 * The hits of a look-up.  The index keeps their array from one look-up to the
 * next, so that few look-ups allocate memory.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_match_private.h"


#define KR_MATCH_HITS  64


int
kr_match_hit(kr_match_t *m, const kr_match_entry_t *e, unsigned flags)
{
    size_t              size;
    kr_hit_t           *hit;
    kr_match_member_t  *mb;

    mb = e->member;

    if (mb->change != m->change) {

        if (m->nhits == m->size) {
            size = m->size == 0 ? KR_MATCH_HITS : m->size * 2;

            hit = realloc(m->hits, size * sizeof(kr_hit_t));
            if (hit == NULL) {
                return KR_ERROR;
            }

            m->hits = hit;
            m->size = size;
        }

        mb->change = m->change;
        mb->hit = m->nhits++;

        hit = &m->hits[mb->hit];
        memset(hit, 0, sizeof(kr_hit_t));
        hit->route = mb->route;
    }

    hit = &m->hits[mb->hit];

    hit->old |= (flags & KR_HIT_OLD) != 0;
    hit->new |= (flags & KR_HIT_NEW) != 0;
    hit->blind |= (flags & KR_HIT_BLIND) != 0;
    hit->watch |= (flags & KR_HIT_WATCH) != 0;

    return KR_OK;
}


int
kr_match_hit_entries(kr_match_t *m, const kr_match_entry_t *e,
    unsigned flags)
{
    for ( /* void */ ; e != NULL; e = e->next) {
        if (kr_match_hit(m, e, flags) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


int
kr_match_hit_value(kr_match_t *m, const kr_match_value_t *v, unsigned flag)
{
    kr_match_ref_t  *ref;

    for (ref = v->refs; ref != NULL; ref = ref->next) {
        if (kr_match_hit(m, ref->entry, flag) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}
