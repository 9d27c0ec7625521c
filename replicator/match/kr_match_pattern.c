/*
 * Values that are found within a text.  The hash is a polynomial over the
 * bytes, with a secret base, modulo a prime: the hash of a longer beginning,
 * or of the next window, follows from the hash before it (Karp, Rabin).  So a
 * text is read once for all values of starts_with or ends_with, and once for
 * each length of the values of contains, however many values there are.
 * Strings of the same hash are compared.
 */

#define _GNU_SOURCE    /* memmem() */

#include <stdlib.h>
#include <string.h>

#include "kr_match_private.h"


#define KR_PRIME  (((uint64_t) 1 << 61) - 1)

/* up to so many values of a length, one memmem() for each is quicker */
#define KR_MATCH_FEW  16


static uint64_t kr_pattern_step(const kr_match_t *m, uint64_t hash,
    char ch);
static uint64_t kr_pattern_times(uint64_t a, uint64_t b);
static unsigned kr_pattern_fold(uint64_t hash);
static size_t kr_pattern_index(const kr_match_column_t *cl, size_t len);
static int kr_pattern_room(kr_match_column_t *cl);
static int kr_pattern_ends(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);
static int kr_pattern_each(kr_match_t *m, const kr_match_length_t *ml,
    unsigned flag);
static int kr_pattern_windows(kr_match_t *m, kr_match_column_t *cl,
    const kr_match_length_t *ml, unsigned flag);
static int kr_pattern_window(kr_match_t *m, kr_match_column_t *cl,
    const char *p, size_t len, uint64_t hash, unsigned flag);


unsigned
kr_match_pattern_hash(const kr_match_t *m, const kr_match_column_t *cl,
    const char *key, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 0;

    for (i = 0; i < len; i++) {
        hash = kr_pattern_step(m, hash, cl->kind == KR_KIND_SUFFIX
                                        ? key[len - 1 - i] : key[i]);
    }

    return kr_pattern_fold(hash);
}


int
kr_match_link_length(kr_match_t *m, kr_match_column_t *cl,
    kr_match_value_t *v)
{
    size_t              i, n;
    kr_match_length_t  *ml;

    i = kr_pattern_index(cl, v->len);

    if (i == cl->nlengths || cl->lengths[i].len != v->len) {

        if (kr_pattern_room(cl) != KR_OK) {
            return KR_ERROR;
        }

        ml = &cl->lengths[i];
        memmove(ml + 1, ml, (cl->nlengths - i) * sizeof(kr_match_length_t));
        cl->nlengths++;

        memset(ml, 0, sizeof(kr_match_length_t));
        ml->len = v->len;
        ml->power = 1;

        for (n = 0; n < v->len; n++) {
            ml->power = kr_pattern_times(ml->power, m->base);
        }
    }

    ml = &cl->lengths[i];
    ml->nvalues++;
    DL_PREPEND(ml->values, v);

    return KR_OK;
}


void
kr_match_unlink_length(kr_match_column_t *cl, kr_match_value_t *v)
{
    size_t              i;
    kr_match_length_t  *ml;

    i = kr_pattern_index(cl, v->len);
    ml = &cl->lengths[i];

    DL_DELETE(ml->values, v);

    if (--ml->nvalues == 0) {
        cl->nlengths--;
        memmove(ml, ml + 1, (cl->nlengths - i) * sizeof(kr_match_length_t));
    }
}


int
kr_match_search_pattern(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    int                       rc;
    size_t                    i;
    const kr_match_length_t  *ml;

    if (cl->kind != KR_KIND_INFIX) {
        return kr_pattern_ends(m, cl, flag);
    }

    rc = KR_OK;

    for (i = 0; rc == KR_OK && i < cl->nlengths; i++) {
        ml = &cl->lengths[i];

        if (ml->len > m->key.len) {
            break;
        }

        rc = ml->nvalues <= KR_MATCH_FEW || ml->len == 0
             ? kr_pattern_each(m, ml, flag)
             : kr_pattern_windows(m, cl, ml, flag);
    }

    return rc;
}


static uint64_t
kr_pattern_step(const kr_match_t *m, uint64_t hash, char ch)
{
    hash = kr_pattern_times(hash, m->base) + (unsigned char) ch + 1;

    return hash >= KR_PRIME ? hash - KR_PRIME : hash;
}


static uint64_t
kr_pattern_times(uint64_t a, uint64_t b)
{
    uint64_t           n;
    unsigned __int128  product;

    product = (unsigned __int128) a * b;
    n = (uint64_t) (product & KR_PRIME) + (uint64_t) (product >> 61);

    return n >= KR_PRIME ? n - KR_PRIME : n;
}


static unsigned
kr_pattern_fold(uint64_t hash)
{
    return (unsigned) (hash ^ hash >> 32);
}


/* The index in cl->lengths of the first length that is not below len. */
static size_t
kr_pattern_index(const kr_match_column_t *cl, size_t len)
{
    size_t  low, high, i;

    low = 0;
    high = cl->nlengths;

    while (low < high) {
        i = low + (high - low) / 2;

        if (cl->lengths[i].len < len) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    return low;
}


static int
kr_pattern_room(kr_match_column_t *cl)
{
    size_t              size;
    kr_match_length_t  *lengths;

    if (cl->nlengths < cl->lengths_size) {
        return KR_OK;
    }

    size = cl->lengths_size == 0 ? 8 : cl->lengths_size * 2;

    lengths = realloc(cl->lengths, size * sizeof(kr_match_length_t));
    if (lengths == NULL) {
        return KR_ERROR;
    }

    cl->lengths = lengths;
    cl->lengths_size = size;

    return KR_OK;
}


/*
 * Notes the routes of the values that m->key begins with (SUFFIX: ends with).
 * KR_OK; KR_ERROR: no memory.
 */
static int
kr_pattern_ends(kr_match_t *m, kr_match_column_t *cl, unsigned flag)
{
    int          suffix;
    size_t       i, len, n;
    uint64_t     hash;
    const char  *text;

    suffix = (cl->kind == KR_KIND_SUFFIX);
    text = m->key.data;
    len = m->key.len;
    hash = 0;

    for (i = 0, n = 0; i < cl->nlengths && cl->lengths[i].len <= len; i++) {

        for ( /* void */ ; n < cl->lengths[i].len; n++) {
            hash = kr_pattern_step(m, hash, suffix ? text[len - 1 - n]
                                                   : text[n]);
        }

        if (kr_pattern_window(m, cl, suffix ? text + len - n : text, n, hash,
                              flag)
            != KR_OK)
        {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_pattern_each(kr_match_t *m, const kr_match_length_t *ml, unsigned flag)
{
    kr_match_value_t  *v;

    for (v = ml->values; v != NULL; v = v->next) {

        if (memmem(m->key.data, m->key.len, v->key, v->len) != NULL
            && kr_match_hit_value(m, v, flag) != KR_OK)
        {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_pattern_windows(kr_match_t *m, kr_match_column_t *cl,
    const kr_match_length_t *ml, unsigned flag)
{
    size_t       i;
    uint64_t     hash, gone;
    const char  *text;

    text = m->key.data;
    hash = 0;

    for (i = 0; i < m->key.len; i++) {
        hash = kr_pattern_step(m, hash, text[i]);

        if (i >= ml->len) {
            /* the byte that leaves the window */
            gone = kr_pattern_times((uint64_t)
                                    ((unsigned char) text[i - ml->len] + 1),
                                    ml->power);
            hash = hash >= gone ? hash - gone : hash + KR_PRIME - gone;
        }

        if (i + 1 >= ml->len
            && kr_pattern_window(m, cl, text + i + 1 - ml->len, ml->len,
                                 hash, flag)
               != KR_OK)
        {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/*
 * Notes the routes of the value that equals the window, once for each search:
 * a value may stand in the text many times.  KR_OK; KR_ERROR: no memory.
 */
static int
kr_pattern_window(kr_match_t *m, kr_match_column_t *cl, const char *p,
    size_t len, uint64_t hash, unsigned flag)
{
    kr_match_value_t  *v;

    HASH_FIND_BYHASHVALUE(hh, cl->values, p, len, kr_pattern_fold(hash), v);

    if (v == NULL || v->search == m->search) {
        return KR_OK;
    }

    v->search = m->search;

    return kr_match_hit_value(m, v, flag);
}
