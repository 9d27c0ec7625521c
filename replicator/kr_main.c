/*
 * kairos-replicator: reads the settings, makes the parts, ties them together
 * and runs the loop.
 *
 * Status: 0 after SIGTERM or SIGINT, and if --check found all well; 1 if the
 * start failed or --check found a fault; 2 for a wrong setting.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "kairos_version.h"
#include "kr_check.h"
#include "kr_config.h"
#include "kr_core.h"
#include "kr_log.h"
#include "kr_pool.h"
#include "kr_server.h"
#include "kr_setup.h"
#include "kr_stream.h"


#define KR_EXIT_OK       0
#define KR_EXIT_FAILED   1
#define KR_EXIT_SETTING  2

#define KR_DRAIN         2000    /* ms; longest wait for queued blocks */


/* the parts of the program; NULL: not made yet */
typedef struct {
    kr_config_t         cf;
    struct event_base  *base;
    struct event       *term;
    struct event       *intr;
    kr_core_t          *core;
    kr_pool_t          *pool;
    kr_server_t        *server;
    kr_stream_t        *stream;
    unsigned            stopping:1;
} kr_main_t;


static int kr_main_run(kr_main_t *m);
static int kr_main_create(kr_main_t *m);
static int kr_main_signals(kr_main_t *m);
static void kr_main_stop(evutil_socket_t sig, short what, void *data);
static void kr_main_free(kr_main_t *m);


int
main(int argc, char **argv)
{
    int        rc;
    kr_main_t  m;

    memset(&m, 0, sizeof(kr_main_t));

    switch (kr_config_read(&m.cf, argc, argv)) {

    case KR_CONFIG_EXIT:
        rc = KR_EXIT_OK;
        break;

    case KR_CONFIG_SETUP:
        kr_setup_print();
        rc = KR_EXIT_OK;
        break;

    case KR_CONFIG_CHECK:
        rc = (kr_check(&m.cf) == KR_OK) ? KR_EXIT_OK : KR_EXIT_FAILED;
        break;

    case KR_CONFIG_BAD:
        rc = KR_EXIT_SETTING;
        break;

    default:
        rc = kr_main_run(&m);
        break;
    }

    kr_main_free(&m);

    return rc;
}


static int
kr_main_run(kr_main_t *m)
{
    kr_log(KR_LOG_NOTICE, "kairos-replicator %s starts", KAIROS_VERSION);

    if (kr_main_create(m) != KR_OK) {
        return KR_EXIT_FAILED;
    }

    if (event_base_dispatch(m->base) == -1) {
        kr_log(KR_LOG_ALERT, "the event loop failed");
        return KR_EXIT_FAILED;
    }

    /* the stream has logged the reason */
    if (kr_stream_failed(m->stream)) {
        return KR_EXIT_FAILED;
    }

    return KR_EXIT_OK;
}


/*
 * Makes the parts.  The server comes before the connections to PostgreSQL: a
 * second process on the same path fails there, before it uses the slot.
 */
static int
kr_main_create(kr_main_t *m)
{
    m->base = event_base_new();

    if (m->base == NULL || kr_main_signals(m) != KR_OK) {
        kr_log(KR_LOG_ALERT, "could not make the event loop");
        return KR_ERROR;
    }

    m->core = kr_core_create(m->base, &m->cf);
    if (m->core == NULL) {
        kr_log(KR_LOG_ALERT, "no memory to start");
        return KR_ERROR;
    }

    m->server = kr_server_create(m->base, &m->cf, &kr_core_server_handlers,
                                 m->core);
    if (m->server == NULL) {
        return KR_ERROR;
    }

    m->pool = kr_pool_create(m->base, &m->cf);
    m->stream = kr_stream_create(m->base, &m->cf, &kr_core_stream_handlers,
                                 m->core);

    if (m->pool == NULL || m->stream == NULL
        || kr_core_attach(m->core, m->pool, m->stream) != KR_OK)
    {
        kr_log(KR_LOG_ALERT, "no memory to start");
        return KR_ERROR;
    }

    return KR_OK;
}


static int
kr_main_signals(kr_main_t *m)
{
    signal(SIGPIPE, SIG_IGN);

    m->term = evsignal_new(m->base, SIGTERM, kr_main_stop, m);
    m->intr = evsignal_new(m->base, SIGINT, kr_main_stop, m);

    if (m->term == NULL || m->intr == NULL || event_add(m->term, NULL) != 0
        || event_add(m->intr, NULL) != 0)
    {
        return KR_ERROR;
    }

    return KR_OK;
}


/*
 * Stops the stream, and lets the server write its queued blocks, for KR_DRAIN
 * ms, so that their transactions can be confirmed.  A second signal ends the
 * loop at once.
 */
static void
kr_main_stop(evutil_socket_t sig, short what, void *data)
{
    kr_main_t  *m;

    (void) what;

    m = data;

    kr_log(KR_LOG_NOTICE, "signal %d received, stopping", (int) sig);

    if (m->stopping || m->stream == NULL || m->server == NULL) {
        event_base_loopbreak(m->base);
        return;
    }

    m->stopping = 1;

    kr_stream_stop(m->stream);
    kr_server_drain(m->server, KR_DRAIN);
}


/* Frees the parts in kr_core.h's order: a part may use the ones after it. */
static void
kr_main_free(kr_main_t *m)
{
    if (m->server != NULL) {
        kr_server_free(m->server);
    }

    if (m->core != NULL) {
        kr_core_free(m->core);
    }

    if (m->stream != NULL) {
        kr_stream_free(m->stream);
    }

    if (m->pool != NULL) {
        kr_pool_free(m->pool);
    }

    if (m->term != NULL) {
        event_free(m->term);
    }

    if (m->intr != NULL) {
        event_free(m->intr);
    }

    if (m->base != NULL) {
        event_base_free(m->base);
    }

    kr_config_free(&m->cf);
}
