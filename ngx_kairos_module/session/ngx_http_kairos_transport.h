/*
 * A transport: how a session's messages reach its client, and come from it.
 * One const table for each.
 */

#ifndef _NGX_HTTP_KAIROS_TRANSPORT_H_INCLUDED_
#define _NGX_HTTP_KAIROS_TRANSPORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_kairos_session_s  ngx_http_kairos_session_t;


typedef struct {
    /*
     * Bytes of a session of this transport: ngx_http_kairos_session_t, which
     * comes first, and what the transport keeps behind it, zeroed.
     */
    size_t       size;

    /* The session is made: its limits are set, it has no connection yet. */
    void       (*open)(ngx_http_kairos_session_t *ks);

    /*
     * Reads what is there, first in ks->input, then from the connection, and
     * hands whole messages to ks->handlers->message(), within a budget and as
     * long as the session is not paused; the rest waits for the next turn of
     * the event loop.  Sets ks->peer_closed when the client has ended the
     * session, and ks->deaf when nothing more of what the client sends can be
     * read.  NGX_ERROR: the connection is dead.
     */
    ngx_int_t  (*read)(ngx_http_kairos_session_t *ks);

    /*
     * Writes what is queued.  NGX_OK: all is with the kernel; NGX_AGAIN: the
     * write event comes when there is room; NGX_ERROR: the connection is dead.
     */
    ngx_int_t  (*flush)(ngx_http_kairos_session_t *ks);

    /*
     * Queues what each client of this transport answers, by itself.  Without
     * memory the session ends.
     */
    void       (*ping)(ngx_http_kairos_session_t *ks);

    /*
     * Queues what tells the client that the session ends, by ks->code and
     * ks->reason.  NGX_ERROR: no memory.
     */
    ngx_int_t  (*close)(ngx_http_kairos_session_t *ks);

    /* Frees what the transport keeps for the session, which ends. */
    void       (*free)(ngx_http_kairos_session_t *ks);
} ngx_http_kairos_transport_t;


extern const ngx_http_kairos_transport_t  ngx_http_kairos_transport_ws;


#endif /* _NGX_HTTP_KAIROS_TRANSPORT_H_INCLUDED_ */
