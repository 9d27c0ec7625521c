#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kr_arena.h"


struct kr_piece_s {
    kr_piece_t   *next;
    max_align_t   data[];
};


void *
kr_arena_alloc(kr_arena_t *a, size_t size)
{
    kr_piece_t  *piece;

    piece = calloc(1, sizeof(kr_piece_t) + size);
    if (piece == NULL) {
        return NULL;
    }

    piece->next = a->pieces;
    a->pieces = piece;

    return piece->data;
}


int
kr_arena_copy(kr_arena_t *a, const kr_buf_t *b, kr_str_t *s)
{
    char  *p;

    p = b->failed ? NULL : kr_arena_alloc(a, b->len + 1);

    if (p == NULL) {
        return KR_ERROR;
    }

    if (b->len != 0) {
        memcpy(p, b->data, b->len);
    }

    s->data = p;
    s->len = b->len;

    return KR_OK;
}


void
kr_arena_free(kr_arena_t *a)
{
    kr_piece_t  *piece;

    while (a->pieces != NULL) {
        piece = a->pieces;
        a->pieces = piece->next;
        free(piece);
    }
}
