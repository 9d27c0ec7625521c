/*
 * What the files ngx_http_kairos_session*.c share.
 */

#ifndef _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_kairos_session.h"


/* bytes of the buffer that all sockets of a worker read into */
#define NGX_HTTP_KAIROS_READ_BUFFER  16384


/*
 * Reads and takes in what is there, within a budget; the rest waits for the
 * next turn of the event loop.  NGX_ERROR: the connection is dead.
 */
ngx_int_t ngx_http_kairos_session_read(ngx_http_kairos_session_t *ks);

/* Sets the timer to what comes first. */
void ngx_http_kairos_session_arm(ngx_http_kairos_session_t *ks);

/*
 * Milliseconds until the next message may be read, as far as can be told; 0:
 * now.
 */
ngx_msec_t ngx_http_kairos_session_wait(ngx_http_kairos_session_t *ks);

/* The timer of a paused socket: it is read again, or the timer is set. */
void ngx_http_kairos_session_resume(ngx_http_kairos_session_t *ks);

/* The connection is of no use any more: no close frame, no waiting. */
void ngx_http_kairos_session_lose(ngx_http_kairos_session_t *ks);

/*
 * Writes what is queued.  NGX_OK: all is with the kernel; NGX_AGAIN: the
 * write event will tell; NGX_ERROR: the connection is dead.
 */
ngx_int_t ngx_http_kairos_session_flush(ngx_http_kairos_session_t *ks);

/*
 * Queues the frame, without a look at the limit.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_kairos_session_queue(ngx_http_kairos_session_t *ks,
    ngx_http_kairos_msg_t *msg);

/*
 * Drops what is queued and was not begun; all: also what was.
 */
void ngx_http_kairos_session_drop(ngx_http_kairos_session_t *ks,
    ngx_uint_t all);

/* Marks the socket for the turn's end. */
void ngx_http_kairos_session_mark(ngx_http_kairos_session_t *ks);


#endif /* _NGX_HTTP_KAIROS_SESSION_PRIVATE_H_INCLUDED_ */
