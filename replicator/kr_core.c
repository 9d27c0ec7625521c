#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kr_answer.h"
#include "kr_clock.h"
#include "kr_core_private.h"
#include "kr_log.h"


#define KR_SWEEP        1       /* seconds */
#define KR_ABSENT_MAX   256     /* workers that are away; beyond, the oldest
                                   entry is dropped */


#define kr_core_of(member, p)                                                 \
    ((kr_core_t *) ((char *) (p) - offsetof(kr_core_t, member)))


static void kr_core_frame(kr_core_t *core, kr_conn_t *cn,
    kairos_feed_frame_t *f);
static void kr_core_gone(kr_core_t *core, kr_conn_t *cn);
static void kr_core_sent(kr_core_t *core, kr_txn_t *txn);
static void kr_core_confirm(kr_txns_t *ts);
static void kr_core_resumed(kr_routes_t *rs);
static void kr_core_sweep(evutil_socket_t fd, short what, void *data);
static void kr_core_waited(evutil_socket_t fd, short what, void *data);

static void kr_core_look(kr_core_t *core);
static int kr_core_timers(kr_core_t *core);
static int kr_core_wait(kr_core_t *core, int ms);
static void kr_core_hello(kr_core_t *core, kr_conn_t *cn,
    const kairos_feed_frame_t *f);
static void kr_core_request(kr_core_t *core, kr_worker_t *wk,
    const kairos_feed_frame_t *f);
static void kr_core_start(kr_core_t *core);
static int kr_core_registered(const kr_core_t *core);
static void kr_core_absent(kr_core_t *core, const kr_worker_t *wk);
static int kr_core_served(const kr_core_t *core, const kr_absent_t *ab);
static void kr_core_back(kr_core_t *core, kr_absent_t *ab);


const kr_server_handlers_t  kr_core_server_handlers = {
    kr_core_frame,
    kr_core_gone,
    kr_core_sent
};


kr_core_t *
kr_core_create(struct event_base *base, const kr_config_t *cf)
{
    kr_core_t  *core;

    core = calloc(1, sizeof(kr_core_t));
    if (core == NULL) {
        return NULL;
    }

    core->base = base;
    core->cf = cf;
    core->txns.confirm = kr_core_confirm;

    core->registry = kr_registry_create((uint64_t) cf->route_grace);

    if (core->registry == NULL) {
        free(core);
        return NULL;
    }

    if (kr_routes_init(&core->routes, base, cf, core->registry, &core->txns)
        != KR_OK)
    {
        kr_registry_free(core->registry);
        free(core);
        return NULL;
    }

    return core;
}


int
kr_core_attach(kr_core_t *core, kr_pool_t *pool, kr_stream_t *stream)
{
    core->pool = pool;
    core->stream = stream;
    core->routes.stream = stream;

    core->changes = kr_changes_create(core->base, pool, &core->routes);
    if (core->changes == NULL) {
        return KR_ERROR;
    }

    core->reruns = kr_reruns_create(core->base, core->cf, pool,
                                    core->changes);
    core->fetch = kr_fetch_create(core->base, core->cf, pool, core->changes);
    core->routes.reruns = core->reruns;

    core->subscribes = kr_subscribes_create(core->base, core->cf, pool,
                                            &core->routes, kr_core_resumed);

    if (core->reruns == NULL || core->fetch == NULL
        || core->subscribes == NULL)
    {
        return KR_ERROR;
    }

    core->alters = kr_alters_create(core->base, pool, core->registry,
                                    core->changes, &core->txns);
    if (core->alters == NULL) {
        return KR_ERROR;
    }

    return kr_core_timers(core);
}


void
kr_core_free(kr_core_t *core)
{
    core->started = 1;
    core->txns.frozen = 1;

    if (core->alters != NULL) {
        kr_alters_free(core->alters);
    }

    if (core->subscribes != NULL) {
        kr_subscribes_free(core->subscribes);
    }

    kr_routes_free(&core->routes);

    if (core->fetch != NULL) {
        kr_fetch_free(core->fetch);
    }

    if (core->reruns != NULL) {
        kr_reruns_free(core->reruns);
    }

    if (core->changes != NULL) {
        kr_changes_free(core->changes);
    }

    while (core->absent != NULL) {
        kr_core_back(core, core->absent);
    }

    kr_registry_free(core->registry);
    kr_txns_free(&core->txns);

    if (core->sweep != NULL) {
        event_free(core->sweep);
    }

    if (core->wait != NULL) {
        event_free(core->wait);
    }

    free(core);
}


static void
kr_core_frame(kr_core_t *core, kr_conn_t *cn, kairos_feed_frame_t *f)
{
    kr_worker_t  *wk;

    wk = kr_conn_worker(cn);

    if (wk == NULL) {
        kr_core_hello(core, cn, f);
        return;
    }

    kr_core_request(core, wk, f);
}


/* The server drops the blocks that were not written after this. */
static void
kr_core_gone(kr_core_t *core, kr_conn_t *cn)
{
    kr_worker_t  *wk;

    wk = kr_conn_worker(cn);

    if (wk == NULL) {
        return;
    }

    kr_log(KR_LOG_NOTICE, "worker %u left", wk->pid);

    if (wk->members != NULL || wk->resuming != 0) {
        kr_core_absent(core, wk);
    }

    kr_conn_set(cn, NULL);
    kr_routes_worker_gone(&core->routes, wk);
}


static void
kr_core_sent(kr_core_t *core, kr_txn_t *txn)
{
    (void) core;

    kr_txn_release(txn);
}


static void
kr_core_confirm(kr_txns_t *ts)
{
    kr_core_t  *core;

    core = kr_core_of(txns, ts);

    kr_stream_confirm(core->stream, ts->done);
}


static void
kr_core_resumed(kr_routes_t *rs)
{
    kr_core_start(kr_core_of(routes, rs));
}


static void
kr_core_sweep(evutil_socket_t fd, short what, void *data)
{
    uint64_t      now;
    kr_core_t    *core;
    kr_absent_t  *ab, *next;

    (void) fd;
    (void) what;

    core = data;
    now = kr_now();

    kr_routes_expire(&core->routes);
    kr_changes_sweep(core->changes);
    kr_core_look(core);

    DL_FOREACH_SAFE(core->absent, ab, next) {

        if (kr_core_served(core, ab)) {
            kr_core_back(core, ab);

        } else if (ab->expires_ms <= now) {
            kr_log(KR_LOG_NOTICE, "worker %u did not come back", ab->pid);
            kr_core_back(core, ab);
        }
    }
}


static void
kr_core_waited(evutil_socket_t fd, short what, void *data)
{
    kr_core_t  *core;

    (void) fd;
    (void) what;

    core = data;
    core->waited = 1;

    kr_core_start(core);
}


/*
 * A PostgreSQL that shuts down accepts no connection, and waits until its
 * stream is confirmed.  The changes that were read cannot be fetched then, and
 * are not confirmed: the stream's connection is renewed, once per outage, so
 * that PostgreSQL can end.
 */
static void
kr_core_look(kr_core_t *core)
{
    if (!kr_pool_down(core->pool)) {
        core->renewed = 0;

    } else if (core->txns.n != 0 && !core->renewed) {
        core->renewed = 1;
        kr_stream_renew(core->stream, "changed rows cannot be fetched");
    }
}


static int
kr_core_timers(kr_core_t *core)
{
    struct timeval  tv;

    core->sweep = event_new(core->base, -1, EV_PERSIST, kr_core_sweep, core);
    core->wait = event_new(core->base, -1, 0, kr_core_waited, core);

    if (core->sweep == NULL || core->wait == NULL) {
        return KR_ERROR;
    }

    tv.tv_sec = KR_SWEEP;
    tv.tv_usec = 0;

    if (event_add(core->sweep, &tv) != 0) {
        return KR_ERROR;
    }

    /*
     * Without a worker no client misses an event.  PostgreSQL keeps the WAL
     * meanwhile, so the wait for the first worker has a limit.
     */

    return kr_core_wait(core, core->cf->register_wait == 0
                              ? 0 : core->cf->route_grace);
}


static int
kr_core_wait(kr_core_t *core, int ms)
{
    struct timeval  tv;

    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;

    return event_add(core->wait, &tv) == 0 ? KR_OK : KR_ERROR;
}


static void
kr_core_hello(kr_core_t *core, kr_conn_t *cn, const kairos_feed_frame_t *f)
{
    kr_worker_t          *wk;
    kairos_feed_frame_t   welcome;

    if (f->type != KAIROS_FEED_HELLO) {
        kr_server_close(cn, "its first frame was not HELLO");
        return;
    }

    if (f->version != KAIROS_FEED_VERSION) {
        kr_log(KR_LOG_ERR, "worker %u speaks version %u of the feed, this is "
               "version %u: install both from one release", f->pid,
               f->version, KAIROS_FEED_VERSION);
        kr_server_close(cn, "it speaks another version of the feed");
        return;
    }

    wk = kr_worker_add(core->registry, cn);

    if (wk == NULL) {
        kr_server_close(cn, "no memory");
        return;
    }

    wk->instance = f->instance;
    wk->pid = f->pid;
    wk->workers = f->workers;
    kr_conn_set(cn, wk);

    kr_log(KR_LOG_NOTICE, "worker %u of %u came", wk->pid, wk->workers);

    if (!core->met && !core->started) {
        core->met = 1;

        if (kr_core_wait(core, core->cf->register_wait) != KR_OK) {
            core->waited = 1;
        }
    }

    memset(&welcome, 0, sizeof(kairos_feed_frame_t));

    welcome.type = KAIROS_FEED_WELCOME;
    welcome.version = KAIROS_FEED_VERSION;
    welcome.epoch = core->routes.epoch;

    kr_send(wk, &welcome);
}


static void
kr_core_request(kr_core_t *core, kr_worker_t *wk,
    const kairos_feed_frame_t *f)
{
    switch (f->type) {

    case KAIROS_FEED_SUBSCRIBE:
        kr_subscribe(core->subscribes, wk, f);
        break;

    case KAIROS_FEED_JOIN:
        kr_route_join(&core->routes, wk, f);
        break;

    case KAIROS_FEED_LEAVE:
        if (kr_resume_leave(core->subscribes, wk, f) != KR_OK) {
            kr_route_leave(&core->routes, wk, f);
        }

        break;

    case KAIROS_FEED_GONE:
        kr_route_gone(&core->routes, wk, f->socket);
        break;

    case KAIROS_FEED_RESUME:
        kr_resume(core->subscribes, wk, f);
        break;

    case KAIROS_FEED_READY:
        wk->ready = 1;
        kr_core_start(core);
        break;

    default:
        kr_server_close(wk->conn, "it sent a frame that is not a worker's");
        break;
    }
}


/*
 * Starts the stream once all known workers have registered their routes, or
 * the wait for them is over.
 */
static void
kr_core_start(kr_core_t *core)
{
    if (core->started || !kr_core_registered(core)) {
        return;
    }

    core->started = 1;
    event_del(core->wait);

    kr_stream_start(core->stream);
}


static int
kr_core_registered(const kr_core_t *core)
{
    unsigned            n;
    const kr_worker_t  *wk, *other;

    if (core->registry->workers == NULL) {
        return core->waited;
    }

    DL_FOREACH(core->registry->workers, wk) {

        /* a RESUME that came is waited for; one that may come, until waited */

        if (wk->resuming != 0) {
            return 0;
        }

        n = 0;

        DL_FOREACH(core->registry->workers, other) {
            n += other->instance == wk->instance && other->ready;
        }

        if (n < wk->workers && !core->waited) {
            return 0;
        }
    }

    return 1;
}


static void
kr_core_absent(kr_core_t *core, const kr_worker_t *wk)
{
    kr_absent_t  *ab;

    if (core->nabsent == KR_ABSENT_MAX) {
        kr_core_back(core, core->absent);
    }

    ab = calloc(1, sizeof(kr_absent_t));

    if (ab != NULL) {
        ab->barrier = kr_txn_barrier(&core->txns);
    }

    if (ab == NULL || ab->barrier == NULL) {
        kr_no_memory("a worker that is away");
    }

    ab->instance = wk->instance;
    ab->pid = wk->pid;
    ab->expires_ms = kr_now() + (uint64_t) core->cf->route_grace;

    DL_APPEND(core->absent, ab);
    core->nabsent++;
}


/* Whether the worker is back, and all that it missed was written to it. */
static int
kr_core_served(const kr_core_t *core, const kr_absent_t *ab)
{
    const kr_worker_t  *wk;

    DL_FOREACH(core->registry->workers, wk) {

        if (wk->instance == ab->instance && wk->pid == ab->pid) {
            return wk->ready && wk->resuming == 0
                   && kr_conn_queued(wk->conn) == 0;
        }
    }

    return 0;
}


static void
kr_core_back(kr_core_t *core, kr_absent_t *ab)
{
    DL_DELETE(core->absent, ab);
    core->nabsent--;

    kr_txn_release(ab->barrier);
    free(ab);
}
