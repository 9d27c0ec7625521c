/*
 * A session: one socket of a client, after the upgrade.  It has a send queue,
 * limits and an end, and hands the client's messages to the layer above, whose
 * part of it is one pointer.
 */

#ifndef _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_buf.h"
#include "ngx_http_kairos_close.h"
#include "ngx_http_kairos_msg.h"
#include "ngx_http_kairos_slot.h"
#include "ngx_http_kairos_transport.h"


typedef struct ngx_http_kairos_sessions_s  ngx_http_kairos_sessions_t;
typedef struct ngx_http_kairos_client_s    ngx_http_kairos_client_t;


/*
 * What the layer above does with a session's messages; one const table, given
 * at creation.
 */
typedef struct {
    /*
     * A whole message; data may be changed and is valid during the call.
     * The handler may call ngx_http_kairos_session_close(): the session
     * stays allocated until the handler has returned.
     */
    void  (*message)(ngx_http_kairos_session_t *ks, ngx_uint_t binary,
                     u_char *data, size_t len);

    /*
     * The session ends, whatever the reason; called exactly once, before the
     * session's memory is released, and frees the client.
     */
    void  (*gone)(ngx_http_kairos_session_t *ks);

    /*
     * The client's token is void from now on; the handler closes the session.
     */
    void  (*expired)(ngx_http_kairos_session_t *ks);
} ngx_http_kairos_session_handlers_t;


/* what a location's directives allow a socket; lives with the cycle */
typedef struct {
    size_t                        message_size;
    size_t                        queue_size;
    ngx_msec_t                    idle_timeout;
    ngx_msec_t                    drain;
    ngx_uint_t                    message_rate;   /* a second; 0: any */
    ngx_http_kairos_quota_t       quota;
} ngx_http_kairos_limits_t;


/* all sockets of one worker; public for its creator alone */
struct ngx_http_kairos_sessions_s {
    ngx_event_t                   turn;      /* posted: flush, end */
    ngx_queue_t                   dirty;
    uint64_t                      last_id;
    ngx_uint_t                    nsessions;
    u_char                       *buffer;    /* that all read into */
    ngx_log_t                    *log;
};


/*
 * What a delivery touches comes first, in two cache lines.  The first part is
 * private to the files of this folder, except that others read slot, limits
 * and log.
 */
struct ngx_http_kairos_session_s {
    unsigned                      draining:1;   /* drain_at_msec is set */
    unsigned                      ending:1;     /* _close() was called */
    unsigned                      gone:1;       /* handlers->gone() was */
    unsigned                      peer_closed:1;   /* the client ended it, as
                                                      its transport can */
    unsigned                      deaf:1;       /* what the client still sends
                                                   is not read any more */
    unsigned                      shut:1;       /* sending side closed */
    unsigned                      lost:1;       /* the connection is dead */
    unsigned                      admitted:1;   /* counted in the slot */
    unsigned                      paused:1;     /* not read for a while */
    unsigned                      rate_logged:1;   /* "sends more than" was */
    unsigned                      awaits_ring:1;   /* its last message made
                                                      the ring backlogged */
    unsigned                      pinged:1;     /* since its last byte */
    uint32_t                      queue_len;

    ngx_connection_t             *connection;
    ngx_http_kairos_sessions_t   *sessions;
    ngx_queue_t                   dirty;     /* in sessions->dirty, or empty */
    const ngx_http_kairos_limits_t     *limits;
    const ngx_http_kairos_transport_t  *transport;

    ngx_http_kairos_msg_t       **queue;     /* a ring of queue_cap, 2^n */
    uint32_t                      queue_cap;
    uint32_t                      queue_head;
    size_t                        queue_sent;   /* bytes of the head */
    size_t                        queue_bytes;  /* of all */
    ngx_msec_t                    active_msec;  /* of the last byte that came,
                                                   or of the end of a pause */
    ngx_http_kairos_slot_t       *slot;      /* where it is counted */
    ngx_log_t                    *log;       /* the connection's */

    ngx_msec_t                    drain_at_msec;
    time_t                        expires;   /* of the token; 0: never */
    const char                   *reason;    /* of the end, or NULL */
    uint16_t                      code;      /* NGX_HTTP_KAIROS_CLOSE_* */

    uint32_t                      credit;    /* thousandths of messages */
    uint32_t                      credited_msec;   /* low bits of the clock */
    ngx_http_kairos_reservation_t reservation;     /* if it is admitted */

    ngx_http_kairos_buf_t         input;     /* read, not yet looked at */

    /* public */
    uint64_t                      id;        /* never reused in a worker */
    ngx_http_kairos_client_t     *client;    /* of the layer above: set by the
                                                creator, freed in gone() */
    const ngx_http_kairos_session_handlers_t  *handlers;
};


ngx_int_t ngx_http_kairos_sessions_init(ngx_http_kairos_sessions_t *sessions,
    ngx_cycle_t *cycle);

/*
 * For exit_process: ends each session that the worker still has, with
 * NGX_HTTP_KAIROS_CLOSE_GOING_AWAY, and frees it with its connection.  Does
 * not wait for the kernel or the client.
 */
void ngx_http_kairos_sessions_goodbye(ngx_cycle_t *cycle);

/*
 * Makes a session that does nothing yet; its creator sets client, asks for its
 * admission, then starts or discards it.  log is that of the connection which
 * the session is to get, and is the session's.  NULL: no memory (logged).
 */
ngx_http_kairos_session_t *ngx_http_kairos_session_create(
    ngx_http_kairos_sessions_t *sessions, ngx_http_kairos_slot_t *slot,
    const ngx_http_kairos_limits_t *limits,
    const ngx_http_kairos_transport_t *transport,
    const ngx_http_kairos_session_handlers_t *handlers, ngx_log_t *log);

/*
 * Counts the session in its slot, until it ends, if limits->quota leaves
 * room; address and user are keys of the slot, or 0.
 */
ngx_http_kairos_admission_e ngx_http_kairos_session_admit(
    ngx_http_kairos_session_t *ks, uint64_t address, uint64_t user);

/* Frees a session that was not started, and has no client any more. */
void ngx_http_kairos_session_discard(ngx_http_kairos_session_t *ks);

/*
 * Keeps bytes that came before the start.  NGX_ERROR: no memory (logged).
 */
ngx_int_t ngx_http_kairos_session_feed_input(ngx_http_kairos_session_t *ks,
    u_char *data, size_t len);

/*
 * Sets the time at which handlers->expired() is called; before or after the
 * session's start.  0: never.
 */
void ngx_http_kairos_session_expire(ngx_http_kairos_session_t *ks,
    time_t expires);

/*
 * Takes the connection, which the caller does not use any more.  The session
 * ends the connection itself, with ngx_http_close_connection().
 */
void ngx_http_kairos_session_start(ngx_http_kairos_session_t *ks,
    ngx_connection_t *c);

/*
 * Appends the message to the socket's send queue (takes a reference) and
 * marks the socket to be flushed at the end of this turn of the event loop.
 * Past the limit on queued bytes the socket is marked to be closed (1013);
 * the call is always safe and needs no check.
 */
void ngx_http_kairos_session_send(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);

/*
 * Reads no more of what the client sends while the ring is backlogged.
 */
void ngx_http_kairos_session_await_ring(ngx_http_kairos_session_t *ks);

/*
 * The only way to end a session: sends the client the code, one of
 * NGX_HTTP_KAIROS_CLOSE_*, as its transport can, and ends the session from a
 * posted event, never within the caller.  reason is static text, for the
 * client and the log, or NULL.  Calls after the first do nothing.
 */
void ngx_http_kairos_session_close(ngx_http_kairos_session_t *ks,
    ngx_uint_t code, const char *reason);


/*
 * Ends the session with NGX_HTTP_KAIROS_CLOSE_INTERNAL, because there was no
 * memory for a message to the client; the client connects again.
 */
void ngx_http_kairos_session_fail(ngx_http_kairos_session_t *ks);


#endif /* _NGX_HTTP_KAIROS_SESSION_H_INCLUDED_ */
