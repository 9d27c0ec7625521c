/*
 * One asynchronous connection to PostgreSQL on the event loop: what the pool
 * and the stream share.  It connects, flushes and tells when something can
 * be read; what is sent and what the answers mean is the owner's.
 */

#ifndef _KR_PG_H_INCLUDED_
#define _KR_PG_H_INCLUDED_


#include <event2/event.h>
#include <libpq-fe.h>

#include "kr_buf.h"
#include "kr_config.h"


typedef enum {
    KR_PG_POOL = 0,       /* read-only, with time-outs; not of a standby */
    KR_PG_STREAM          /* replication=database */
} kr_pg_kind_e;


typedef struct kr_pg_s  kr_pg_t;

typedef void (*kr_pg_pt)(kr_pg_t *pg);


/*
 * Embedded by its owner as the first member of a struct; zeroed memory is a
 * closed connection.  The owner sets the first part.  Each handler is the
 * last thing that this file does in a call from the loop: it may close.
 */
struct kr_pg_s {
    struct event_base  *base;
    kr_pg_kind_e        kind;
    int                 statement_timeout;    /* ms, of the POOL's; 0: as it
                                                 is configured */
    int                 lock_timeout;         /* ms, likewise; 0: none */
    kr_pg_pt            connected;    /* the session stands */
    kr_pg_pt            failed;       /* not connected, or not writable any
                                         more; sqlstate and message say why;
                                         the connection is not closed yet */
    kr_pg_pt            readable;     /* input came, or the time-out that
                                         kr_pg_read() set passed */

    /* kr_pg.c's */
    PGconn             *conn;         /* NULL: closed */
    struct event       *read;
    struct event       *write;
    struct event       *timer;        /* of the connect */
    unsigned            timedout:1;   /* why readable() was called */
    unsigned            settling:1;   /* connected, its session is being set */
    char                sqlstate[6];  /* of the last error, or "" */
    kr_buf_t            message;      /* of the last error, one line */
};


/*
 * Begins to connect: connected() or failed() follows from the loop, never
 * within the call.  A host name is looked up within the call (libpq has no
 * other way): an address, or a resolver on this machine, keeps that short.
 * KR_ERROR: no memory, or libpq refused; message says why.
 */
int kr_pg_connect(kr_pg_t *pg, const kr_config_t *cf);

/* Closes at once; sqlstate and message stay for the log. */
void kr_pg_close(kr_pg_t *pg);

/* Closes and frees all. */
void kr_pg_free(kr_pg_t *pg);

/* Whether input is asked for; ms: a time-out without any input, 0: none. */
void kr_pg_read(kr_pg_t *pg, int on, int ms);

/*
 * Writes what libpq has gathered, the rest when the socket takes it.
 * KR_ERROR: the connection is lost (message says so); failed() is not called.
 */
int kr_pg_flush(kr_pg_t *pg);

/* Keeps the error of the result (NULL: of the connection). */
void kr_pg_error(kr_pg_t *pg, const PGresult *res);

/*
 * Keeps the error of a server that is in recovery: neither a slot nor a
 * snapshot with its place in the WAL can be had there.
 */
void kr_pg_set_standby(kr_pg_t *pg);

/* The last error's text. */
#define kr_pg_message(pg)                                                     \
    ((pg)->message.data == NULL ? "no memory" : (pg)->message.data)

/* Keeps an error of our own. */
void kr_pg_set_error(kr_pg_t *pg, const char *sqlstate, const char *text);

/*
 * What the administrator is to do about an error of sqlstate or message that
 * no waiting heals; NULL if it may heal.
 */
const char *kr_pg_lasting(const kr_pg_t *pg);

/* Appends the error's text (message, detail, hint) as one line. */
void kr_pg_describe(kr_buf_t *out, const PGresult *res);


#endif /* _KR_PG_H_INCLUDED_ */
