/*
 * The replication stream: one slot, read row by row.  Connects, creates the
 * slot if it is missing, starts, answers keepalives, confirms, and starts
 * anew with back-off when it was lost.
 */

#ifndef _KR_STREAM_H_INCLUDED_
#define _KR_STREAM_H_INCLUDED_


#include <stdint.h>

#include <event2/event.h>

#include "kr_config.h"
#include "kr_decode.h"


typedef struct kr_stream_s  kr_stream_t;
typedef struct kr_core_s    kr_core_t;      /* of the layer above */


/* one const table, registered by the main file */
typedef struct {
    /*
     * Streaming begins (again) behind position lsn, which is the slot's
     * confirmed_flush_lsn.  epoch: of the positions; the same as before,
     * also across a restart of this program, unless the cluster, its
     * timeline or the slot is another or was read by somebody else
     * (kr_mark.h): what happened meanwhile may be missing then.
     */
    void  (*begin)(kr_core_t *core, uint64_t epoch, uint64_t lsn);

    /*
     * One change, in order.  Valid during the call.  KR_UNREADABLE is among
     * them: a line that may be a change, which the stream has logged.
     */
    void  (*change)(kr_core_t *core, const kr_change_t *c);

    /*
     * The server has sent all up to lsn (a keepalive's walEnd): what was
     * committed before has been given to change().
     */
    void  (*passed)(kr_core_t *core, uint64_t lsn);

    /* The stream was lost, which it has logged, and will be started anew. */
    void  (*lost)(kr_core_t *core);
} kr_stream_handlers_t;


kr_stream_t *kr_stream_create(struct event_base *base, const kr_config_t *cf,
    const kr_stream_handlers_t *handlers, kr_core_t *core);

/*
 * Connects and starts, from the loop; from then on it keeps itself running.
 * What no waiting heals (wrong password, wal2json missing, ...) before the
 * first begin() is logged and ends the loop: kr_stream_failed() tells.
 */
void kr_stream_start(kr_stream_t *st);
int kr_stream_failed(const kr_stream_t *st);

/*
 * Back-pressure: stops reading rows, and goes on.  Keepalives are still
 * sent while paused, so that wal_sender_timeout does not strike.
 */
void kr_stream_pause(kr_stream_t *st);
void kr_stream_resume(kr_stream_t *st);

/* For the end of the process: a pause that no resume ends. */
void kr_stream_stop(kr_stream_t *st);

/*
 * Ends the connection and makes a new one: while the pool has none, nothing
 * that is read can be handed on, and a server that shuts down would wait for
 * us to confirm it.  lost() follows within the call if it was streaming.
 */
void kr_stream_renew(kr_stream_t *st, const char *reason);

/*
 * All up to lsn was handed on, and PostgreSQL may forget it: the next status
 * update says so.  A lower lsn than before changes nothing.
 */
void kr_stream_confirm(kr_stream_t *st, uint64_t lsn);

/* Asks the server for a keepalive, so that passed() is called soon. */
void kr_stream_poke(kr_stream_t *st);

/* Sends the last status update, ends the stream, frees. */
void kr_stream_free(kr_stream_t *st);


#endif /* _KR_STREAM_H_INCLUDED_ */
