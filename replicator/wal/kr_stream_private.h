/*
 * What kr_stream.c (the life of the stream) and kr_stream_copy.c (the rows)
 * share; no other file includes it.
 */

#ifndef _KR_STREAM_PRIVATE_H_INCLUDED_
#define _KR_STREAM_PRIVATE_H_INCLUDED_


#include "kr_mark.h"
#include "kr_pg.h"
#include "kr_stream.h"


typedef enum {
    KR_STREAM_CLOSED = 0,     /* not started, or waiting for the next try */
    KR_STREAM_CONNECT,
    KR_STREAM_IDENTIFY,
    KR_STREAM_LOOKUP,
    KR_STREAM_DROP,
    KR_STREAM_CREATE,
    KR_STREAM_START,
    KR_STREAM_COPY
} kr_stream_state_e;


struct kr_stream_s {
    kr_pg_t                      pg;           /* first, see kr_pg.h */

    const kr_config_t           *cf;
    const kr_stream_handlers_t  *handlers;
    kr_core_t                   *core;
    kr_decoder_t                *decoder;
    struct event_base           *base;

    struct event                *retry;        /* the next try */
    struct event                *status;       /* the regular update */
    struct event                *more;         /* rows are left in libpq */
    struct event                *report;       /* update at the turn's end */

    kr_stream_state_e            state;
    kr_stream_state_e            next;         /* after this answer's end */
    unsigned                     wait_ms;      /* see kr_retry_next() */
    unsigned                     status_ms;    /* between two updates */

    kr_mark_t                    mark;
    kr_origin_t                  origin;
    uint64_t                     epoch;
    uint64_t                     begin;        /* the slot's position */
    uint64_t                     end;          /* the WAL's, at connect */
    uint64_t                     received;     /* the highest seen */
    uint64_t                     confirmed;
    uint64_t                     from;         /* of it, when rows began */
    unsigned                     stuck;        /* errors in a row that come
                                                  again at the same place */

    uint64_t                     unsaid;       /* undecodable lines since
                                                  one of them was logged */
    int64_t                      said_at;      /* when it was logged, s */
    int                          said_to;      /* whom it concerned */
    kr_buf_t                     said;         /* the last trouble logged */

    unsigned                     created:1;    /* the slot, by this try */
    unsigned                     announced:1;  /* that it will be created */
    unsigned                     started:1;    /* once in this process */
    unsigned                     failed:1;
    unsigned                     paused:1;
    unsigned                     stopped:1;    /* paused for good */
};


/*
 * A command: build appends its text; answer looks at its result, sets
 * st->next and returns KR_OK, or KR_ERROR with kr_pg's error set.
 */
typedef struct {
    const char  *action;       /* "could not ..." */
    void       (*build)(kr_stream_t *st, kr_buf_t *sql);
    int        (*answer)(kr_stream_t *st, PGresult *res);
    int          timeout;
} kr_stream_step_t;

extern const kr_stream_step_t  kr_stream_steps[];     /* by state */


/* Gives the connection up, says why (kr_pg's error), tries again later. */
void kr_stream_lose(kr_stream_t *st);

/* Enters CopyBoth: what comes now are rows and keepalives. */
void kr_stream_copy_begin(kr_stream_t *st);

/*
 * Handles input that came, or is left over, a bounded number of messages at a
 * time.  KR_ERROR: the connection is of no use any more, kr_pg's error says
 * why, and the caller gives it up.
 */
int kr_stream_copy_read(kr_stream_t *st);

/* Sends a status update; reply: asks for a keepalive. */
int kr_stream_copy_report(kr_stream_t *st, int reply);


#endif /* _KR_STREAM_PRIVATE_H_INCLUDED_ */
