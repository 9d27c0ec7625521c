/*
 * The rows: the messages of the replication protocol within CopyBoth
 * (PostgreSQL documentation 55.4).
 */

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "kr_log.h"
#include "kr_loop.h"
#include "kr_lsn.h"
#include "kr_stream_private.h"


#define KR_COPY_BATCH         256               /* messages of one turn */
#define KR_COPY_BATCH_BYTES   (1024 * 1024)

#define KR_COPY_ROW_HEADER    (1 + 8 + 8 + 8)   /* w start end time */
#define KR_COPY_KEEPALIVE     (1 + 8 + 8 + 1)   /* k end time reply */
#define KR_COPY_STATUS        (1 + 8 + 8 + 8 + 8 + 1)

#define KR_COPY_EPOCH         946684800LL       /* of PostgreSQL's times, s */


static int kr_stream_copy_message(kr_stream_t *st, const char *p, size_t len);
static int kr_stream_copy_end(kr_stream_t *st, int rc);
static int kr_stream_copy_row(kr_stream_t *st, const char *p, size_t len);
static int kr_stream_copy_keepalive(kr_stream_t *st, const char *p);
static void kr_stream_copy_no_memory(uint64_t lsn, size_t len)
    __attribute__((noreturn));
static void kr_stream_copy_unreadable(kr_stream_t *st, uint64_t lsn,
    const kr_change_t *c, const char *reason);
static uint64_t kr_stream_copy_get(const char *p);
static char *kr_stream_copy_put(char *p, uint64_t n);


void
kr_stream_copy_begin(kr_stream_t *st)
{
    struct timeval  tv;

    st->state = KR_STREAM_COPY;
    st->started = 1;
    st->from = st->confirmed;

    kr_buf_reset(&st->said);
    kr_pg_read(&st->pg, !st->paused, 0);

    tv.tv_sec = st->status_ms / 1000;
    tv.tv_usec = st->status_ms % 1000 * 1000;

    if (event_add(st->status, &tv) != 0) {
        kr_no_memory("a timer");
    }

    st->handlers->begin(st->core, st->epoch, st->begin);
}


/*
 * Takes a bounded number of messages.  The socket is read only when libpq
 * holds no whole message any more, so what is not taken waits in the kernel
 * and, in the end, in PostgreSQL.
 */
int
kr_stream_copy_read(kr_stream_t *st)
{
    int      n, rc, read;
    char    *p;
    size_t   bytes;

    read = 0;
    bytes = 0;

    for (n = 0; n < KR_COPY_BATCH && bytes < KR_COPY_BATCH_BYTES; /* void */) {

        if (st->paused) {
            return KR_OK;
        }

        rc = PQgetCopyData(st->pg.conn, &p, 1);

        if (rc == 0 && !read) {
            read = 1;

            if (PQconsumeInput(st->pg.conn)) {
                continue;
            }

            kr_pg_error(&st->pg, NULL);
            return KR_ERROR;
        }

        if (rc == 0) {
            return KR_OK;
        }

        if (rc < 0) {
            (void) kr_stream_copy_end(st, rc);
            return KR_ERROR;
        }

        n++;
        bytes += (size_t) rc;

        rc = kr_stream_copy_message(st, p, (size_t) rc);
        PQfreemem(p);

        if (rc != KR_OK) {
            return KR_ERROR;
        }
    }

    /* a timer, not an active event: other sockets have their turn first */
    kr_loop_timer(st->more, 0);

    return KR_OK;
}


int
kr_stream_copy_report(kr_stream_t *st, int reply)
{
    char            *p, message[KR_COPY_STATUS];
    uint64_t         now;
    struct timeval   tv;

    gettimeofday(&tv, NULL);
    now = (uint64_t) (tv.tv_sec - KR_COPY_EPOCH) * 1000000
          + (uint64_t) tv.tv_usec;

    if (st->received < st->confirmed) {
        st->received = st->confirmed;
    }

    kr_mark_confirm(&st->mark, st->confirmed);

    p = message;
    *p++ = 'r';
    p = kr_stream_copy_put(p, st->received);
    p = kr_stream_copy_put(p, st->confirmed);
    p = kr_stream_copy_put(p, st->confirmed);
    p = kr_stream_copy_put(p, now);
    *p++ = (char) (reply != 0);

    /* 0: libpq's buffer is full; the next update says the same and more */
    if (PQputCopyData(st->pg.conn, message, (int) (p - message)) < 0) {
        kr_pg_error(&st->pg, NULL);
        return KR_ERROR;
    }

    return kr_pg_flush(&st->pg);
}


static int
kr_stream_copy_message(kr_stream_t *st, const char *p, size_t len)
{
    if (*p == 'w' && len >= KR_COPY_ROW_HEADER) {
        return kr_stream_copy_row(st, p, len);
    }

    if (*p == 'k' && len >= KR_COPY_KEEPALIVE) {
        return kr_stream_copy_keepalive(st, p);
    }

    if (*p == 'w' || *p == 'k') {
        kr_pg_set_error(&st->pg, "", "the server sent half a message");
        return KR_ERROR;
    }

    /* the protocol says that later versions may have more of them */
    kr_log(KR_LOG_WARN, "a message of an unknown kind 0x%02x was passed over",
           (unsigned char) *p);

    return KR_OK;
}


static int
kr_stream_copy_row(kr_stream_t *st, const char *p, size_t len)
{
    int           rc;
    uint64_t      lsn;
    const char   *reason;
    kr_change_t   c;

    lsn = kr_stream_copy_get(p + 1);

    if (lsn > st->received) {
        st->received = lsn;
    }

    rc = kr_decode(st->decoder, p + KR_COPY_ROW_HEADER,
                   len - KR_COPY_ROW_HEADER, &c, &reason);

    if (rc == KR_ERROR) {
        kr_stream_copy_no_memory(lsn, len);
    }

    if (rc == KR_DECLINED && kr_decode_untyped(st->decoder)) {
        kr_pg_set_error(&st->pg, "KR008", KR_DECODE_UNTYPED);
        return KR_ERROR;
    }

    if (rc == KR_DECLINED) {
        kr_stream_copy_unreadable(st, lsn, &c, reason);
    }

    st->handlers->change(st->core, &c);

    return KR_OK;
}


/*
 * The answer goes out after passed(), so that it has the new position: a
 * server that shuts down waits for just that.
 */
static int
kr_stream_copy_keepalive(kr_stream_t *st, const char *p)
{
    int       reply;
    uint64_t  lsn;

    lsn = kr_stream_copy_get(p + 1);
    reply = (p[KR_COPY_KEEPALIVE - 1] != 0);

    if (lsn > st->received) {
        st->received = lsn;
    }

    st->handlers->passed(st->core, lsn);

    return reply ? kr_stream_copy_report(st, 0) : KR_OK;
}


/* What it says is known to nobody, so nobody could be told. */
static void
kr_stream_copy_no_memory(uint64_t lsn, size_t len)
{
    char  text[KR_LSN_LEN + 1], what[128];

    kr_lsn_format(text, lsn);
    snprintf(what, sizeof(what), "a line of %zu bytes at %s", len, text);

    kr_no_memory(what);
}


/*
 * A line that cannot be decoded must not stop the stream, which would come
 * back to it for ever.  One line of the log a second, and one more for what
 * concerns more people.
 */
static void
kr_stream_copy_unreadable(kr_stream_t *st, uint64_t lsn, const kr_change_t *c,
    const char *reason)
{
    int      to;
    char     text[KR_LSN_LEN + 1];
    int64_t  now;

    st->unsaid++;

    now = (int64_t) time(NULL);
    to = c->action == KR_MESSAGE ? 0 : c->table.len != 0 ? 1 : 2;

    if (now == st->said_at && to <= st->said_to) {
        return;
    }

    kr_lsn_format(text, lsn);

    switch (to) {

    case 0:
        kr_log(KR_LOG_WARN, "passed over a line at %s: %s (%llu since the "
               "last such line)", text, reason,
               (unsigned long long) st->unsaid);
        break;

    case 1:
        kr_log(KR_LOG_ERR, "could not read a change of %.*s.%.*s at %s: %s; "
               "who reads the table has to subscribe again (%llu since the "
               "last such line)", (int) c->schema.len, c->schema.data,
               (int) c->table.len, c->table.data, text, reason,
               (unsigned long long) st->unsaid);
        break;

    default:
        kr_log(KR_LOG_ERR, "could not read a line at %s: %s; all clients "
               "have to subscribe again (%llu since the last such line)",
               text, reason, (unsigned long long) st->unsaid);
        break;
    }

    st->said_at = now;
    st->said_to = to;
    st->unsaid = 0;
}


/* The server ended the stream (-1) or libpq did (-2): keeps why. */
static int
kr_stream_copy_end(kr_stream_t *st, int rc)
{
    PGresult  *res;

    if (rc == -2) {
        kr_pg_error(&st->pg, NULL);
        return KR_ERROR;
    }

    kr_pg_set_error(&st->pg, "", "the server ended the stream");

    res = PQgetResult(st->pg.conn);

    if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
        kr_pg_error(&st->pg, res);
    }

    PQclear(res);

    return KR_ERROR;
}


static uint64_t
kr_stream_copy_get(const char *p)
{
    int       i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n << 8 | (unsigned char) p[i];
    }

    return n;
}


static char *
kr_stream_copy_put(char *p, uint64_t n)
{
    int  i;

    for (i = 7; i >= 0; i--) {
        *p++ = (char) (n >> (i * 8));
    }

    return p;
}
