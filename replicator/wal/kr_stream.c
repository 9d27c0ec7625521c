/*
 * The life of the stream: it connects, takes the steps of kr_stream_step.c
 * until rows come, and does so again, with back-off, after a loss.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_job.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_retry.h"
#include "kr_stream_private.h"


#define KR_STREAM_MIN_VERSION     130000


static void kr_stream_connected(kr_pg_t *pg);
static void kr_stream_pg_failed(kr_pg_t *pg);
static void kr_stream_readable(kr_pg_t *pg);
static void kr_stream_retry(evutil_socket_t fd, short what, void *data);
static void kr_stream_status(evutil_socket_t fd, short what, void *data);
static void kr_stream_more(evutil_socket_t fd, short what, void *data);
static void kr_stream_report(evutil_socket_t fd, short what, void *data);

static void kr_stream_step(kr_stream_t *st, kr_stream_state_e state);
static void kr_stream_rows(kr_stream_t *st);
static void kr_stream_judge(kr_stream_t *st);
static void kr_stream_timedout(kr_stream_t *st);
static void kr_stream_say(kr_stream_t *st);
static int kr_stream_mark_path(kr_stream_t *st);


kr_stream_t *
kr_stream_create(struct event_base *base, const kr_config_t *cf,
    const kr_stream_handlers_t *handlers, kr_core_t *core)
{
    kr_stream_t  *st;

    st = calloc(1, sizeof(kr_stream_t));
    if (st == NULL) {
        return NULL;
    }

    st->pg.base = base;
    st->pg.kind = KR_PG_STREAM;
    st->pg.connected = kr_stream_connected;
    st->pg.failed = kr_stream_pg_failed;
    st->pg.readable = kr_stream_readable;

    st->cf = cf;
    st->base = base;
    st->core = core;
    st->handlers = handlers;
    st->mark.fd = -1;

    st->decoder = kr_decoder_create();
    st->retry = event_new(base, -1, 0, kr_stream_retry, st);
    st->status = event_new(base, -1, EV_PERSIST, kr_stream_status, st);
    st->more = event_new(base, -1, 0, kr_stream_more, st);
    st->report = event_new(base, -1, 0, kr_stream_report, st);

    if (st->decoder == NULL || st->retry == NULL || st->status == NULL
        || st->more == NULL || st->report == NULL)
    {
        kr_stream_free(st);
        return NULL;
    }

    snprintf(st->origin.slot, sizeof(st->origin.slot), "%s", cf->slot);

    if (kr_stream_mark_path(st) != KR_OK) {
        kr_stream_free(st);
        return NULL;
    }

    return st;
}


void
kr_stream_start(kr_stream_t *st)
{
    kr_loop_timer(st->retry, 0);
}


int
kr_stream_failed(const kr_stream_t *st)
{
    return st->failed;
}


void
kr_stream_pause(kr_stream_t *st)
{
    st->paused = 1;

    if (st->state == KR_STREAM_COPY) {
        kr_pg_read(&st->pg, 0, 0);
    }
}


void
kr_stream_resume(kr_stream_t *st)
{
    if (!st->paused || st->stopped) {
        return;
    }

    st->paused = 0;

    if (st->state != KR_STREAM_COPY) {
        return;
    }

    kr_pg_read(&st->pg, 1, 0);
    kr_loop_timer(st->more, 0);
}


void
kr_stream_renew(kr_stream_t *st, const char *reason)
{
    if (st->state != KR_STREAM_COPY || st->stopped) {
        return;
    }

    kr_pg_set_error(&st->pg, "", reason);
    kr_stream_lose(st);
}


void
kr_stream_stop(kr_stream_t *st)
{
    st->stopped = 1;

    event_del(st->retry);
    kr_stream_pause(st);
}


void
kr_stream_confirm(kr_stream_t *st, uint64_t lsn)
{
    if (lsn > st->confirmed) {
        st->confirmed = lsn;
    }
}


void
kr_stream_poke(kr_stream_t *st)
{
    if (st->state == KR_STREAM_COPY
        && kr_stream_copy_report(st, 1) != KR_OK)
    {
        /* the caller may stand in the middle of its work: lose it later */
        event_active(st->report, EV_TIMEOUT, 0);
    }
}


void
kr_stream_free(kr_stream_t *st)
{
    size_t         i;
    struct event  *events[4];

    if (st->state == KR_STREAM_COPY) {
        (void) kr_stream_copy_report(st, 0);
    }

    kr_pg_free(&st->pg);
    kr_mark_close(&st->mark);
    kr_buf_free(&st->said);

    events[0] = st->retry;
    events[1] = st->status;
    events[2] = st->more;
    events[3] = st->report;

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }

    if (st->decoder != NULL) {
        kr_decoder_free(st->decoder);
    }

    free(st);
}


void
kr_stream_lose(kr_stream_t *st)
{
    kr_stream_state_e  state;

    state = st->state;

    if (state == KR_STREAM_COPY) {
        kr_stream_judge(st);
    }

    kr_stream_say(st);

    st->state = KR_STREAM_CLOSED;

    kr_pg_close(&st->pg);
    event_del(st->status);
    event_del(st->more);
    event_del(st->report);

    if (st->failed) {
        event_base_loopbreak(st->base);
        return;
    }

    kr_loop_timer(st->retry, kr_retry_next(&st->wait_ms, &kr_retry_connect));

    if (state == KR_STREAM_COPY) {
        st->handlers->lost(st->core);
    }
}


static void
kr_stream_rows(kr_stream_t *st)
{
    if (kr_stream_copy_read(st) != KR_OK) {
        kr_stream_lose(st);
    }
}


/*
 * Whether the loss is one that passes.  A change that PostgreSQL cannot
 * decode, or print (a row of more than 1 GB as text), ends the stream at the
 * same place again and again.
 */
static void
kr_stream_judge(kr_stream_t *st)
{
    const char  *sqlstate;

    if (st->confirmed > st->from) {
        st->wait_ms = 0;
        st->stuck = 0;
    }

    sqlstate = st->pg.sqlstate;

    /* without one it is the connection that was lost */

    if (sqlstate[0] != '\0' && !kr_error_may_pass(sqlstate)) {
        st->stuck++;
    }
}


static void
kr_stream_retry(evutil_socket_t fd, short what, void *data)
{
    kr_stream_t  *st;

    (void) fd;
    (void) what;

    st = data;
    st->state = KR_STREAM_CONNECT;
    st->created = 0;

    if (kr_pg_connect(&st->pg, st->cf) != KR_OK) {
        kr_stream_lose(st);
    }
}


static void
kr_stream_connected(kr_pg_t *pg)
{
    kr_stream_t  *st;

    st = (kr_stream_t *) pg;

    if (PQserverVersion(pg->conn) < KR_STREAM_MIN_VERSION) {
        kr_pg_set_error(pg, "KR003", "this version of PostgreSQL is too old");
        kr_stream_lose(st);
        return;
    }

    kr_stream_step(st, KR_STREAM_IDENTIFY);
}


static void
kr_stream_pg_failed(kr_pg_t *pg)
{
    kr_stream_lose((kr_stream_t *) pg);
}


/* Reads the answer to the command that is under way. */
static void
kr_stream_readable(kr_pg_t *pg)
{
    int           rc;
    PGresult     *res;
    kr_stream_t  *st;

    st = (kr_stream_t *) pg;

    if (st->state == KR_STREAM_COPY) {
        kr_stream_rows(st);
        return;
    }

    if (pg->timedout) {
        kr_stream_timedout(st);
        return;
    }

    if (!PQconsumeInput(pg->conn)) {
        kr_pg_error(pg, NULL);
        kr_stream_lose(st);
        return;
    }

    while (!PQisBusy(pg->conn)) {

        res = PQgetResult(pg->conn);

        if (res == NULL) {
            kr_stream_step(st, st->next);
            return;
        }

        rc = kr_stream_steps[st->state].answer(st, res);
        PQclear(res);

        if (rc != KR_OK) {
            kr_stream_lose(st);
            return;
        }

        if (st->state == KR_STREAM_COPY) {
            kr_stream_rows(st);
            return;
        }
    }
}


static void
kr_stream_timedout(kr_stream_t *st)
{
    if (st->state == KR_STREAM_CREATE) {
        kr_log(KR_LOG_WARN, "creating the slot \"%s\" waits for the "
               "transactions that were open before; pg_stat_activity shows "
               "them by xact_start", st->cf->slot);

        /* once is enough; it may take as long as they do */
        kr_pg_read(&st->pg, 1, 0);
        return;
    }

    kr_pg_set_error(&st->pg, "", "the server did not answer");
    kr_stream_lose(st);
}


/* the regular update: also what keeps wal_sender_timeout from striking */
static void
kr_stream_status(evutil_socket_t fd, short what, void *data)
{
    kr_stream_report(fd, what, data);
}


static void
kr_stream_report(evutil_socket_t fd, short what, void *data)
{
    kr_stream_t  *st;

    (void) fd;
    (void) what;

    st = data;

    if (st->state == KR_STREAM_COPY
        && kr_stream_copy_report(st, 0) != KR_OK)
    {
        kr_stream_lose(st);
    }
}


static void
kr_stream_more(evutil_socket_t fd, short what, void *data)
{
    kr_stream_t  *st;

    (void) fd;
    (void) what;

    st = data;

    if (st->state == KR_STREAM_COPY) {
        kr_stream_rows(st);
    }
}


/* Sends the state's command. */
static void
kr_stream_step(kr_stream_t *st, kr_stream_state_e state)
{
    int                      rc;
    kr_buf_t                 sql;
    const kr_stream_step_t  *step;

    st->state = state;
    step = &kr_stream_steps[state];

    memset(&sql, 0, sizeof(kr_buf_t));
    step->build(st, &sql);

    if (sql.failed) {
        kr_buf_free(&sql);
        kr_pg_set_error(&st->pg, "", "no memory for a command");
        kr_stream_lose(st);
        return;
    }

    rc = PQsendQuery(st->pg.conn, sql.data) ? KR_OK : KR_ERROR;
    kr_buf_free(&sql);

    if (rc != KR_OK) {
        kr_pg_error(&st->pg, NULL);

    } else {
        rc = kr_pg_flush(&st->pg);
    }

    if (rc != KR_OK) {
        kr_stream_lose(st);
        return;
    }

    kr_pg_read(&st->pg, 1, step->timeout);
}


/*
 * One line about a trouble, not one per try: it is said again when it is
 * another one, or after the stream has run.
 */
static void
kr_stream_say(kr_stream_t *st)
{
    kr_pg_t         *pg;
    const char      *advice;
    kr_log_level_e   level;

    pg = &st->pg;
    advice = kr_pg_lasting(pg);
    level = KR_LOG_ERR;

    /* the slot is in use: after a restart mostly by what is just ending */
    if (strcmp(pg->sqlstate, "55006") == 0) {
        level = KR_LOG_WARN;
    }

    /* KR008: an old wal2json sends the same row at each try */
    if (advice != NULL
        && (!st->started || strcmp(pg->sqlstate, "KR008") == 0))
    {
        st->failed = 1;

    } else if (st->said.len != 0 && st->said.len == pg->message.len
               && memcmp(st->said.data, pg->message.data, st->said.len) == 0)
    {
        level = KR_LOG_DEBUG;
    }

    kr_log(level, "could not %s: %s%s%s%s",
           kr_stream_steps[st->state].action, kr_pg_message(pg),
           (advice != NULL) ? "; " : "", (advice != NULL) ? advice : "",
           st->failed ? "" : "; trying again");

    kr_buf_reset(&st->said);
    kr_buf_append(&st->said, kr_pg_message(pg), pg->message.len);
}


static int
kr_stream_mark_path(kr_stream_t *st)
{
    kr_buf_t  path;

    memset(&path, 0, sizeof(kr_buf_t));
    kr_buf_printf(&path, "%s.mark", st->cf->socket);

    if (path.failed) {
        return KR_ERROR;
    }

    kr_mark_open(&st->mark, path.data);
    kr_buf_free(&path);

    return KR_OK;
}
