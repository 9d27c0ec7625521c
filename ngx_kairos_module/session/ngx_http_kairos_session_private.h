/*
 * What the files of this folder share: the session and its transports.
 */

#ifndef _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session.h"


/* bytes of the buffer that all sockets of a worker read into */
#define NGX_HTTP_KAIROS_READ_BUFFER  16384


/* Sets the timer to the earliest of the session's times. */
void ngx_http_kairos_session_arm(ngx_http_kairos_session_t *ks);

/*
 * Milliseconds until the next message may be read, an estimate; 0: now.
 */
ngx_msec_t ngx_http_kairos_session_wait(ngx_http_kairos_session_t *ks);

/*
 * Whether the session is to be read no further for now: it has used up its
 * kairos_message_rate, or the ring is backlogged.  It is paused then, so that
 * its client finds the connection full, until the timer resumes it.
 */
ngx_uint_t ngx_http_kairos_session_pause(ngx_http_kairos_session_t *ks);

/*
 * Ends a session that kairos_message_rate holds up if the client has closed
 * the connection: what was not read of it is dropped.
 */
void ngx_http_kairos_session_abandon(ngx_http_kairos_session_t *ks);

/* Takes a message of the client, of any kind, from kairos_message_rate. */
void ngx_http_kairos_session_spend(ngx_http_kairos_session_t *ks);

/* The timer of a paused socket: it is read again, or the timer is set. */
void ngx_http_kairos_session_resume(ngx_http_kairos_session_t *ks);

/*
 * Notes that len bytes have come from the client.  Nothing else is a sign of
 * life: the kernel accepts bytes for a client that is gone, for many minutes.
 */
void ngx_http_kairos_session_heard(ngx_http_kairos_session_t *ks, size_t len);

/*
 * Ends the session without a close and without waiting: the connection is
 * dead.
 */
void ngx_http_kairos_session_lose(ngx_http_kairos_session_t *ks);

/*
 * Writes the queued blocks as they are: flush() of a transport that has the
 * connection for itself.
 */
ngx_int_t ngx_http_kairos_session_write_queue(ngx_http_kairos_session_t *ks);

/*
 * Queues the message, without a check of the limit.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_kairos_session_queue(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);

/*
 * Drops the queued messages, but not one that was sent in part; all: also
 * that.
 */
void ngx_http_kairos_session_drop(ngx_http_kairos_session_t *ks,
    ngx_uint_t all);

/* Marks the session for the turn's end. */
void ngx_http_kairos_session_mark(ngx_http_kairos_session_t *ks);


#endif /* _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_ */
