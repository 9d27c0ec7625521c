/*
 * The feed's listener, and the life of its connections.  Only kr_server_end()
 * ends a connection, called from the loop or by kr_server_free().
 */

#define _GNU_SOURCE    /* accept4() */

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kr_log.h"
#include "kr_loop.h"
#include "kr_server_private.h"


#define KR_SERVER_BACKLOG  511
#define KR_SERVER_CONNS    4096    /* one per worker; more are refused */
#define KR_SERVER_ACCEPTS  64      /* in one turn of the loop */
#define KR_SERVER_PAUSE    1000    /* ms without accept(), if there was no
                                      free descriptor */
#define KR_SERVER_MODE     0660


static void kr_server_accept(evutil_socket_t fd, short what, void *data);
static void kr_server_resume(evutil_socket_t fd, short what, void *data);
static void kr_server_flush(evutil_socket_t fd, short what, void *data);
static void kr_server_deadline(evutil_socket_t fd, short what, void *data);
static void kr_server_read(evutil_socket_t fd, short what, void *data);
static void kr_server_write(evutil_socket_t fd, short what, void *data);

static void kr_server_flush_dirty(kr_server_t *srv);
static int kr_server_events(kr_server_t *srv);
static int kr_server_listen(kr_server_t *srv, const kr_config_t *cf);
static int kr_server_stale(const struct sockaddr_un *sun);
static int kr_server_bind(kr_server_t *srv, const struct sockaddr_un *sun,
    const kr_config_t *cf);
static int kr_server_group(const kr_config_t *cf);
static void kr_server_too_many(kr_server_t *srv);
static int kr_server_add(kr_server_t *srv, int fd);
static void kr_server_end(kr_conn_t *cn);
static void kr_server_event_free(struct event *ev);


kr_server_t *
kr_server_create(struct event_base *base, const kr_config_t *cf,
    const kr_server_handlers_t *handlers, kr_core_t *core)
{
    kr_server_t  *srv;

    srv = calloc(1, sizeof(kr_server_t));
    if (srv == NULL) {
        kr_log(KR_LOG_ALERT, "no memory for the feed's server");
        return NULL;
    }

    srv->fd = -1;
    srv->base = base;
    srv->core = core;
    srv->handlers = handlers;

    if (kr_server_listen(srv, cf) != KR_OK) {
        kr_server_free(srv);
        return NULL;
    }

    if (kr_server_events(srv) != KR_OK) {
        kr_log(KR_LOG_ALERT, "no memory for the feed's server");
        kr_server_free(srv);
        return NULL;
    }

    return srv;
}


void
kr_server_close(kr_conn_t *cn, const char *reason)
{
    kr_server_t  *srv;

    if (cn->closing) {
        return;
    }

    srv = cn->server;

    cn->closing = 1;
    snprintf(cn->reason, sizeof(cn->reason), "%s", reason);

    cn->next_closing = srv->closing;
    srv->closing = cn;

    event_active(srv->flush, EV_TIMEOUT, 0);
}


kr_worker_t *
kr_conn_worker(const kr_conn_t *cn)
{
    return cn->worker;
}


void
kr_conn_set(kr_conn_t *cn, kr_worker_t *wk)
{
    cn->worker = wk;
}


size_t
kr_conn_queued(const kr_conn_t *cn)
{
    return cn->queued;
}


void
kr_server_drain(kr_server_t *srv, int ms)
{
    srv->draining = 1;

    event_del(srv->accept);
    event_del(srv->resume);

    kr_loop_timer(srv->deadline, (uint64_t) ms);

    event_active(srv->flush, EV_TIMEOUT, 0);
}


void
kr_server_drained(kr_server_t *srv)
{
    if (srv->draining && srv->queued == 0 && srv->closing == NULL) {
        event_base_loopbreak(srv->base);
    }
}


void
kr_server_free(kr_server_t *srv)
{
    kr_conn_t  *cn, *next;

    /* the connections of these two lists are in `all`, too */
    srv->dirty = NULL;
    srv->closing = NULL;

    for (cn = srv->all; cn != NULL; cn = next) {
        next = cn->next;

        if (!cn->closing) {
            cn->closing = 1;
            kr_conn_flush(cn);
        }

        kr_server_end(cn);
    }

    kr_server_event_free(srv->accept);
    kr_server_event_free(srv->resume);
    kr_server_event_free(srv->flush);
    kr_server_event_free(srv->deadline);

    if (srv->fd != -1) {
        close(srv->fd);
        unlink(srv->path);
    }

    free(srv->path);
    free(srv);
}


static void
kr_server_accept(evutil_socket_t fd, short what, void *data)
{
    int           i, s;
    kr_server_t  *srv;

    (void) what;

    srv = data;

    for (i = 0; i < KR_SERVER_ACCEPTS; i++) {

        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (s == -1) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM
                || errno == ENOBUFS)
            {
                kr_server_too_many(srv);

            } else if (errno != EAGAIN && errno != EINTR
                       && errno != ECONNABORTED)
            {
                kr_log(KR_LOG_ALERT, "accept() failed: %s", strerror(errno));
            }

            return;
        }

        if (srv->nconns == KR_SERVER_CONNS) {
            kr_log(KR_LOG_ERR, "refused a worker, there are %d already",
                   srv->nconns);
            close(s);
            continue;
        }

        if (kr_server_add(srv, s) != KR_OK) {
            kr_log(KR_LOG_ERR, "no memory for a worker's connection");
            close(s);
        }
    }
}


/* Pauses the listener: its event would come again at once, and for ever. */
static void
kr_server_too_many(kr_server_t *srv)
{
    kr_log(KR_LOG_ERR, "could not accept a worker: %s", strerror(errno));

    event_del(srv->accept);
    kr_loop_timer(srv->resume, KR_SERVER_PAUSE);
}


static void
kr_server_resume(evutil_socket_t fd, short what, void *data)
{
    kr_server_t  *srv;

    (void) fd;
    (void) what;

    srv = data;

    kr_loop_add(srv->accept);
}


/*
 * At the end of the loop's turn: writes the blocks that were queued in it,
 * then ends the connections that are marked as closing.  Handlers may queue
 * and mark more meanwhile.
 */
static void
kr_server_flush(evutil_socket_t fd, short what, void *data)
{
    kr_conn_t    *cn;
    kr_server_t  *srv;

    (void) fd;
    (void) what;

    srv = data;

    for ( ;; ) {
        kr_server_flush_dirty(srv);

        /* the closing one is not dirty: kr_server_send() marks none */
        cn = srv->closing;
        if (cn == NULL) {
            break;
        }

        srv->closing = cn->next_closing;
        kr_server_end(cn);
    }

    kr_server_drained(srv);
}


static void
kr_server_flush_dirty(kr_server_t *srv)
{
    kr_conn_t  *cn;

    while (srv->dirty != NULL) {
        cn = srv->dirty;
        srv->dirty = cn->next_dirty;
        cn->dirty = 0;

        if (!cn->closing && !cn->blocked) {
            kr_conn_flush(cn);
        }
    }
}


static void
kr_server_deadline(evutil_socket_t fd, short what, void *data)
{
    kr_server_t  *srv;

    (void) fd;
    (void) what;

    srv = data;

    kr_log(KR_LOG_WARN, "%zu bytes for the workers could not be written in "
           "time, they will be sent again after the next start", srv->queued);

    event_base_loopbreak(srv->base);
}


static void
kr_server_read(evutil_socket_t fd, short what, void *data)
{
    kr_conn_t  *cn;

    (void) fd;
    (void) what;

    cn = data;

    if (!cn->closing) {
        kr_conn_read(cn);
    }
}


static void
kr_server_write(evutil_socket_t fd, short what, void *data)
{
    kr_conn_t  *cn;

    (void) fd;
    (void) what;

    cn = data;
    cn->blocked = 0;

    if (!cn->closing) {
        kr_conn_flush(cn);
        kr_server_drained(cn->server);
    }
}


static int
kr_server_events(kr_server_t *srv)
{
    srv->accept = event_new(srv->base, srv->fd, EV_READ|EV_PERSIST,
                            kr_server_accept, srv);
    srv->resume = event_new(srv->base, -1, 0, kr_server_resume, srv);
    srv->flush = event_new(srv->base, -1, 0, kr_server_flush, srv);
    srv->deadline = event_new(srv->base, -1, 0, kr_server_deadline, srv);

    if (srv->accept == NULL || srv->resume == NULL || srv->flush == NULL
        || srv->deadline == NULL || event_add(srv->accept, NULL) != 0)
    {
        return KR_ERROR;
    }

    return KR_OK;
}


static int
kr_server_listen(kr_server_t *srv, const kr_config_t *cf)
{
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", cf->socket);

    srv->path = strdup(cf->socket);
    if (srv->path == NULL) {
        kr_log(KR_LOG_ALERT, "no memory for the feed's server");
        return KR_ERROR;
    }

    if (kr_server_stale(&sun) != KR_OK) {
        return KR_ERROR;
    }

    return kr_server_bind(srv, &sun, cf);
}


/*
 * Removes the socket's file that a killed process has left.  KR_OK: the path
 * is free; KR_ERROR: it is no socket, or another process listens on it, or it
 * could not be removed; that is logged.
 */
static int
kr_server_stale(const struct sockaddr_un *sun)
{
    int          fd, rc;
    struct stat  sb;

    if (lstat(sun->sun_path, &sb) == -1) {
        /* for another error than ENOENT bind() gives the better message */
        return KR_OK;
    }

    if (!S_ISSOCK(sb.st_mode)) {
        kr_log(KR_LOG_ERR, "cannot listen on \"%s\", it is not a socket; "
               "name another path in KAIROS_SOCKET", sun->sun_path);
        return KR_ERROR;
    }

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
    if (fd == -1) {
        kr_log(KR_LOG_ERR, "could not make a socket: %s", strerror(errno));
        return KR_ERROR;
    }

    rc = connect(fd, (const struct sockaddr *) sun, sizeof(*sun));

    if (rc == 0 || errno == EAGAIN) {
        kr_log(KR_LOG_ERR, "cannot listen on \"%s\", another process does; "
               "end it or name another path in KAIROS_SOCKET",
               sun->sun_path);
        close(fd);
        return KR_ERROR;
    }

    close(fd);

    if (unlink(sun->sun_path) == -1) {
        kr_log(KR_LOG_ERR, "could not remove the stale socket \"%s\": %s",
               sun->sun_path, strerror(errno));
        return KR_ERROR;
    }

    return KR_OK;
}


/*
 * Binds the socket and listens.  The mode is set at once (by umask), and the
 * group before listen(), so that no other user can connect before.
 */
static int
kr_server_bind(kr_server_t *srv, const struct sockaddr_un *sun,
    const kr_config_t *cf)
{
    int     fd, rc;
    mode_t  mask;

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
    if (fd == -1) {
        kr_log(KR_LOG_ERR, "could not make a socket: %s", strerror(errno));
        return KR_ERROR;
    }

    mask = umask(0777 & ~KR_SERVER_MODE);
    rc = bind(fd, (const struct sockaddr *) sun, sizeof(*sun));
    umask(mask);

    if (rc == -1) {
        kr_log(KR_LOG_ERR, "could not listen on \"%s\": %s", sun->sun_path,
               strerror(errno));
        close(fd);
        return KR_ERROR;
    }

    /* from here on kr_server_free() removes the file */
    srv->fd = fd;

    if (kr_server_group(cf) != KR_OK) {
        return KR_ERROR;
    }

    if (listen(fd, KR_SERVER_BACKLOG) == -1) {
        kr_log(KR_LOG_ERR, "could not listen on \"%s\": %s", sun->sun_path,
               strerror(errno));
        return KR_ERROR;
    }

    return KR_OK;
}


static int
kr_server_group(const kr_config_t *cf)
{
    struct group  *gr;

    if (cf->socket_group == NULL) {
        return KR_OK;
    }

    gr = getgrnam(cf->socket_group);
    if (gr == NULL) {
        kr_log(KR_LOG_ERR, "there is no group \"%s\", see "
               "KAIROS_SOCKET_GROUP", cf->socket_group);
        return KR_ERROR;
    }

    if (chown(cf->socket, (uid_t) -1, gr->gr_gid) == -1) {
        kr_log(KR_LOG_ERR, "could not give \"%s\" to the group \"%s\": %s; "
               "this program's user has to be its member", cf->socket,
               cf->socket_group, strerror(errno));
        return KR_ERROR;
    }

    return KR_OK;
}


/* Adds a connection.  KR_ERROR: no memory; the caller closes fd. */
static int
kr_server_add(kr_server_t *srv, int fd)
{
    kr_conn_t  *cn;

    cn = calloc(1, sizeof(kr_conn_t));
    if (cn == NULL) {
        return KR_ERROR;
    }

    cn->fd = fd;
    cn->server = srv;
    cn->out_last = &cn->out;

    cn->read = event_new(srv->base, fd, EV_READ|EV_PERSIST, kr_server_read,
                         cn);
    cn->write = event_new(srv->base, fd, EV_WRITE, kr_server_write, cn);

    if (cn->read == NULL || cn->write == NULL
        || event_add(cn->read, NULL) != 0)
    {
        kr_server_event_free(cn->read);
        kr_server_event_free(cn->write);
        free(cn);
        return KR_ERROR;
    }

    cn->next = srv->all;
    if (cn->next != NULL) {
        cn->next->pprev = &cn->next;
    }

    cn->pprev = &srv->all;
    srv->all = cn;
    srv->nconns++;

    return KR_OK;
}


/* Ends a connection, which is in no list but `all`, and frees it. */
static void
kr_server_end(kr_conn_t *cn)
{
    kr_server_t  *srv;

    srv = cn->server;

    if (cn->reason[0] != '\0') {
        kr_log(KR_LOG_NOTICE, "closed a worker's connection: %s", cn->reason);
    }

    /*
     * gone() comes first: it keeps the transactions of the blocks that are
     * dropped now from being confirmed.  gone() may queue blocks, which are
     * dropped, too.
     */
    srv->handlers->gone(srv->core, cn);
    kr_conn_drop_output(cn);

    *cn->pprev = cn->next;

    if (cn->next != NULL) {
        cn->next->pprev = cn->pprev;
    }

    srv->nconns--;

    kr_server_event_free(cn->read);
    kr_server_event_free(cn->write);
    close(cn->fd);
    free(cn->in);
    free(cn);
}


static void
kr_server_event_free(struct event *ev)
{
    if (ev != NULL) {
        event_free(ev);
    }
}
