/*
 * An arena: pieces of memory of many sizes that are freed together.
 */

#ifndef _KR_ARENA_H_INCLUDED_
#define _KR_ARENA_H_INCLUDED_


#include "kr_buf.h"


typedef struct kr_piece_s  kr_piece_t;


/* zeroed memory is an empty arena */
typedef struct {
    kr_piece_t   *pieces;
} kr_arena_t;


/* Zeroed memory of size bytes, aligned for any type; NULL: no memory. */
void *kr_arena_alloc(kr_arena_t *a, size_t size);

/*
 * Copies the bytes of a buffer, which may be empty, into the arena.  *s gets
 * the copy, which has a '\0' behind it.  KR_OK; KR_ERROR: no memory, now or
 * when the buffer was filled.
 */
int kr_arena_copy(kr_arena_t *a, const kr_buf_t *b, kr_str_t *s);

/* Frees all pieces; the arena is empty then, and may be used again. */
void kr_arena_free(kr_arena_t *a);


#endif /* _KR_ARENA_H_INCLUDED_ */
