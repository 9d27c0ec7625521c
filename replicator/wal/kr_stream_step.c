/*
 * The steps to a running stream: identify the cluster, look the slot up, make
 * it if need be, start.  Each is one command of the replication protocol,
 * sent by kr_stream.c, and what its answer means.
 */

#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "kr_log.h"
#include "kr_lsn.h"
#include "kr_slot.h"
#include "kr_stream_private.h"


#define KR_STREAM_ANSWER_TIMEOUT  60000    /* ms, of a command */
#define KR_STREAM_CREATE_NOTE     5000     /* ms until a line says it waits */
#define KR_STREAM_STUCK           5        /* errors; then the slot is given
                                              up */
#define KR_STREAM_PREFIX          16       /* bytes that nobody can guess */
#define KR_STREAM_STATUS_SHARE    4        /* updates in wal_sender_timeout */
#define KR_STREAM_STATUS_MIN      10       /* ms between two updates */
#define KR_STREAM_STATUS_MAX      5000


/* the columns of the look-up */
enum {
    KR_LOOKUP_WAL_LEVEL = 0,
    KR_LOOKUP_ENCODING,
    KR_LOOKUP_NAME,
    KR_LOOKUP_PLUGIN,
    KR_LOOKUP_OURS,
    KR_LOOKUP_WAL_STATUS,
    KR_LOOKUP_PID,
    KR_LOOKUP_HOLDER,
    KR_LOOKUP_LSN,
    KR_LOOKUP_RECOVERY,
    KR_LOOKUP_CAUSE,
    KR_LOOKUP_TIMEOUT,
    KR_LOOKUP_COLUMNS
};


static void kr_stream_identify(kr_stream_t *st, kr_buf_t *sql);
static int kr_stream_identified(kr_stream_t *st, PGresult *res);
static void kr_stream_lookup(kr_stream_t *st, kr_buf_t *sql);
static int kr_stream_looked_up(kr_stream_t *st, PGresult *res);
static void kr_stream_drop(kr_stream_t *st, kr_buf_t *sql);
static int kr_stream_dropped(kr_stream_t *st, PGresult *res);
static void kr_stream_create_slot(kr_stream_t *st, kr_buf_t *sql);
static int kr_stream_created(kr_stream_t *st, PGresult *res);
static void kr_stream_begin(kr_stream_t *st, kr_buf_t *sql);
static int kr_stream_begun(kr_stream_t *st, PGresult *res);


const kr_stream_step_t  kr_stream_steps[] = {

    [KR_STREAM_CLOSED] = { "connect", NULL, NULL, 0 },

    [KR_STREAM_CONNECT] = { "connect", NULL, NULL, 0 },

    [KR_STREAM_IDENTIFY] = { "identify the cluster", kr_stream_identify,
                             kr_stream_identified,
                             KR_STREAM_ANSWER_TIMEOUT },

    [KR_STREAM_LOOKUP] = { "look the slot up", kr_stream_lookup,
                           kr_stream_looked_up, KR_STREAM_ANSWER_TIMEOUT },

    [KR_STREAM_DROP] = { "drop the slot", kr_stream_drop, kr_stream_dropped,
                         KR_STREAM_ANSWER_TIMEOUT },

    [KR_STREAM_CREATE] = { "create the slot", kr_stream_create_slot,
                           kr_stream_created, KR_STREAM_CREATE_NOTE },

    [KR_STREAM_START] = { "start the stream", kr_stream_begin,
                          kr_stream_begun, KR_STREAM_ANSWER_TIMEOUT },

    [KR_STREAM_COPY] = { "read the stream", NULL, NULL, 0 }
};


static int kr_stream_expect(kr_stream_t *st, PGresult *res,
    ExecStatusType status, int columns);
static int kr_stream_check(kr_stream_t *st, PGresult *res);
static int kr_stream_must_create(kr_stream_t *st, const char *sqlstate,
    const char *why);
static int kr_stream_busy(kr_stream_t *st, PGresult *res);
static int kr_stream_position(kr_stream_t *st, const char *text,
    uint64_t *lsn);
static unsigned kr_stream_status_ms(const char *timeout);


static void
kr_stream_identify(kr_stream_t *st, kr_buf_t *sql)
{
    (void) st;

    kr_buf_str(sql, "IDENTIFY_SYSTEM");
}


static int
kr_stream_identified(kr_stream_t *st, PGresult *res)
{
    if (kr_stream_expect(st, res, PGRES_TUPLES_OK, 3) != KR_OK) {
        return KR_ERROR;
    }

    st->origin.system = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
    st->origin.timeline = (uint32_t) strtoul(PQgetvalue(res, 0, 1), NULL, 10);
    st->next = KR_STREAM_LOOKUP;

    return kr_stream_position(st, PQgetvalue(res, 0, 2), &st->end);
}


/* one row, whether or not the slot exists */
static void
kr_stream_lookup(kr_stream_t *st, kr_buf_t *sql)
{
    kr_buf_printf(sql,
        "SELECT pg_catalog.current_setting('wal_level'),"
        " pg_catalog.pg_encoding_to_char(d.encoding),"
        " s.slot_name, s.plugin, s.database = d.datname, s.wal_status,"
        " s.active_pid,"
        " pg_catalog.concat_ws(', ', a.application_name, a.client_addr),"
        " s.confirmed_flush_lsn, pg_catalog.pg_is_in_recovery(),"
        " " KR_SLOT_CAUSE ","
        " (SELECT t.setting FROM pg_catalog.pg_settings t"
        " WHERE t.name = 'wal_sender_timeout')"
        " FROM pg_catalog.pg_database d"
        " LEFT JOIN pg_catalog.pg_replication_slots s"
        " ON s.slot_name = '%s'"
        " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid"
        " WHERE d.datname = pg_catalog.current_database()",
        st->cf->slot);
}


static int
kr_stream_looked_up(kr_stream_t *st, PGresult *res)
{
    char  why[128];

    if (kr_stream_expect(st, res, PGRES_TUPLES_OK, KR_LOOKUP_COLUMNS)
        != KR_OK
        || kr_stream_check(st, res) != KR_OK)
    {
        return KR_ERROR;
    }

    st->status_ms = kr_stream_status_ms(PQgetvalue(res, 0,
                                                   KR_LOOKUP_TIMEOUT));

    if (PQgetisnull(res, 0, KR_LOOKUP_NAME)) {
        st->next = KR_STREAM_CREATE;
        return kr_stream_must_create(st, "KR005", "does not exist");
    }

    if (!PQgetisnull(res, 0, KR_LOOKUP_PID)) {
        return kr_stream_busy(st, res);
    }

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_WAL_STATUS), "lost") == 0) {
        st->next = KR_STREAM_DROP;
        snprintf(why, sizeof(why), "was invalidated by PostgreSQL (%s), "
                 "changes are missing",
                 PQgetvalue(res, 0, KR_LOOKUP_CAUSE));
        return kr_stream_must_create(st, "KR006", why);
    }

    if (st->stuck >= KR_STREAM_STUCK) {
        st->next = KR_STREAM_DROP;
        return kr_stream_must_create(st, "KR007", "holds a change that "
                                     "PostgreSQL cannot send, changes are "
                                     "missing");
    }

    st->next = KR_STREAM_START;

    return kr_stream_position(st, PQgetvalue(res, 0, KR_LOOKUP_LSN),
                              &st->begin);
}


static void
kr_stream_drop(kr_stream_t *st, kr_buf_t *sql)
{
    kr_buf_str(sql, "DROP_REPLICATION_SLOT ");
    kr_buf_ident(sql, st->cf->slot, strlen(st->cf->slot));
}


static int
kr_stream_dropped(kr_stream_t *st, PGresult *res)
{
    st->next = KR_STREAM_CREATE;

    return kr_stream_expect(st, res, PGRES_COMMAND_OK, 0);
}


static void
kr_stream_create_slot(kr_stream_t *st, kr_buf_t *sql)
{
    kr_buf_str(sql, "CREATE_REPLICATION_SLOT ");
    kr_buf_ident(sql, st->cf->slot, strlen(st->cf->slot));
    kr_buf_str(sql, " LOGICAL \"wal2json\" NOEXPORT_SNAPSHOT");
}


static int
kr_stream_created(kr_stream_t *st, PGresult *res)
{
    if (kr_stream_expect(st, res, PGRES_TUPLES_OK, 2) != KR_OK) {
        return KR_ERROR;
    }

    st->created = 1;
    st->announced = 0;
    st->stuck = 0;
    st->next = KR_STREAM_START;

    return kr_stream_position(st, PQgetvalue(res, 0, 1), &st->begin);
}


/*
 * Every role that may log in can write messages into the WAL, of any size
 * and under any prefix.  wal2json sends messages of one prefix alone, which
 * is made up here: the walsender reads all others and prints none.
 */
static void
kr_stream_begin(kr_stream_t *st, kr_buf_t *sql)
{
    size_t         i;
    unsigned char  prefix[KR_STREAM_PREFIX];

    evutil_secure_rng_get_bytes(prefix, sizeof(prefix));

    kr_buf_str(sql, "START_REPLICATION SLOT ");
    kr_buf_ident(sql, st->cf->slot, strlen(st->cf->slot));
    kr_buf_str(sql, " LOGICAL 0/0 (" KR_DECODE_OPTIONS
               ", \"add-msg-prefixes\" 'kairos_");

    for (i = 0; i < sizeof(prefix); i++) {
        kr_buf_printf(sql, "%02x", prefix[i]);
    }

    kr_buf_str(sql, "')");
}


static int
kr_stream_begun(kr_stream_t *st, PGresult *res)
{
    char      lsn[KR_LSN_LEN + 1];
    uint64_t  epoch;

    if (kr_stream_expect(st, res, PGRES_COPY_BOTH, 0) != KR_OK) {
        return KR_ERROR;
    }

    epoch = kr_mark_begin(&st->mark, &st->origin, st->begin, st->end,
                          st->created);

    /* with the same epoch, what was handed on once stays handed on */
    if (epoch != st->epoch || st->begin > st->confirmed) {
        st->confirmed = st->begin;
    }

    st->epoch = epoch;
    st->received = st->confirmed;

    kr_lsn_format(lsn, st->begin);
    kr_log(KR_LOG_NOTICE, "reading the slot \"%s\" from %s on",
           st->cf->slot, lsn);

    kr_stream_copy_begin(st);

    return KR_OK;
}


/* One row of at least so many columns (0: no row), or kr_pg's error. */
static int
kr_stream_expect(kr_stream_t *st, PGresult *res, ExecStatusType status,
    int columns)
{
    ExecStatusType  got;

    got = PQresultStatus(res);

    if (got == PGRES_FATAL_ERROR) {
        kr_pg_error(&st->pg, res);
        return KR_ERROR;
    }

    if (got != status
        || (columns != 0
            && (PQntuples(res) != 1 || PQnfields(res) < columns)))
    {
        kr_pg_set_error(&st->pg, "", "the server's answer is not understood");
        return KR_ERROR;
    }

    return KR_OK;
}


/* What must hold of the server and of the slot, if there is one. */
static int
kr_stream_check(kr_stream_t *st, PGresult *res)
{
    char  text[256];

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_RECOVERY), "t") == 0) {
        kr_pg_set_standby(&st->pg);
        return KR_ERROR;
    }

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_WAL_LEVEL), "logical") != 0) {
        snprintf(text, sizeof(text), "wal_level is \"%s\", not \"logical\"",
                 PQgetvalue(res, 0, KR_LOOKUP_WAL_LEVEL));
        kr_pg_set_error(&st->pg, "KR001", text);
        return KR_ERROR;
    }

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_ENCODING), "UTF8") != 0) {
        snprintf(text, sizeof(text), "the database's encoding is \"%s\", not "
                 "\"UTF8\"", PQgetvalue(res, 0, KR_LOOKUP_ENCODING));
        kr_pg_set_error(&st->pg, "KR004", text);
        return KR_ERROR;
    }

    if (PQgetisnull(res, 0, KR_LOOKUP_NAME)) {
        return KR_OK;
    }

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_PLUGIN), "wal2json") != 0) {
        snprintf(text, sizeof(text), "the slot \"%s\" has the plugin \"%s\", "
                 "not \"wal2json\"", st->cf->slot,
                 PQgetvalue(res, 0, KR_LOOKUP_PLUGIN));
        kr_pg_set_error(&st->pg, "KR002", text);
        return KR_ERROR;
    }

    if (strcmp(PQgetvalue(res, 0, KR_LOOKUP_OURS), "t") != 0) {
        snprintf(text, sizeof(text), "the slot \"%s\" belongs to another "
                 "database", st->cf->slot);
        kr_pg_set_error(&st->pg, "KR002", text);
        return KR_ERROR;
    }

    return KR_OK;
}


/*
 * sqlstate: of the error if it is forbidden.  One line announces the slot,
 * however often it is tried to be made.
 */
static int
kr_stream_must_create(kr_stream_t *st, const char *sqlstate, const char *why)
{
    char            text[256];
    kr_log_level_e  level;

    snprintf(text, sizeof(text), "the slot \"%s\" %s", st->cf->slot, why);

    if (!st->cf->create_slot) {
        kr_pg_set_error(&st->pg, sqlstate, text);
        return KR_ERROR;
    }

    level = (st->next == KR_STREAM_DROP) ? KR_LOG_WARN : KR_LOG_NOTICE;
    kr_log(st->announced ? KR_LOG_DEBUG : level, "%s; creating it", text);
    st->announced = (st->next == KR_STREAM_CREATE);

    return KR_OK;
}


/* PostgreSQL gives a slot to one reader: whoever waits takes over */
static int
kr_stream_busy(kr_stream_t *st, PGresult *res)
{
    char  text[256];

    snprintf(text, sizeof(text), "the slot \"%s\" is in use by PostgreSQL's "
             "process %s (%s)", st->cf->slot,
             PQgetvalue(res, 0, KR_LOOKUP_PID),
             PQgetvalue(res, 0, KR_LOOKUP_HOLDER));

    kr_pg_set_error(&st->pg, "55006", text);

    return KR_ERROR;
}


static int
kr_stream_position(kr_stream_t *st, const char *text, uint64_t *lsn)
{
    if (kr_lsn_parse(text, strlen(text), lsn) == KR_OK) {
        return KR_OK;
    }

    kr_pg_set_error(&st->pg, "", "the slot or the cluster has no position");

    return KR_ERROR;
}


/*
 * The time between two status updates, in ms, by the server's
 * wal_sender_timeout (text, in ms; 0: the server has none).  The walsender
 * ends if it gets no message of the replicator for that time.  Its request
 * for one stands behind the rows that the socket holds, so an answer alone
 * comes too late when the replicator has much to read.
 */
static unsigned
kr_stream_status_ms(const char *timeout)
{
    unsigned long  ms;

    ms = strtoul(timeout, NULL, 10);

    if (ms == 0 || ms > KR_STREAM_STATUS_SHARE * KR_STREAM_STATUS_MAX) {
        return KR_STREAM_STATUS_MAX;
    }

    ms /= KR_STREAM_STATUS_SHARE;

    return (ms < KR_STREAM_STATUS_MIN) ? KR_STREAM_STATUS_MIN
                                       : (unsigned) ms;
}
