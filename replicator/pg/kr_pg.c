/*
 * A connection to PostgreSQL on the event loop.
 */

#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "kr_log.h"
#include "kr_loop.h"
#include "kr_pg.h"


#define KR_PG_CONNECT_TIMEOUT  10       /* s */
#define KR_PG_KEYWORDS         12
#define KR_PG_SQLSTATE_LEN     5

#define KR_PG_WAL2JSON  "upgrade wal2json to 2.5 or newer on the database's " \
                        "machine (Debian: postgresql-NN-wal2json)"

/*
 * The text of values depends on these settings of a session (a role or a
 * database may have set others), and the texts of the stream, of a refetch
 * and of a client's filter are compared with each other.
 */
#define KR_PG_PINNED                                                         \
    " -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601"            \
    " -c bytea_output=hex -c extra_float_digits=3"


typedef struct {
    const char  *sqlstate;     /* its first characters, or NULL */
    const char  *text;         /* the message has it, or NULL */
    const char  *advice;
} kr_pg_lasting_t;


static void kr_pg_poll_event(evutil_socket_t fd, short what, void *data);
static void kr_pg_read_event(evutil_socket_t fd, short what, void *data);
static void kr_pg_write_event(evutil_socket_t fd, short what, void *data);
static void kr_pg_notice(void *data, const PGresult *res);


static const kr_pg_lasting_t  kr_pg_lastings[] = {

    { "28", NULL, "check user and password in DATABASE_URL, or DBUSERNAME "
      "and PASSWORD, and pg_hba.conf (the stream needs a line for the "
      "database, not for \"replication\")" },

    { "3D000", NULL, "create it with CREATE DATABASE, or name another in "
      "DATABASE_URL" },

    { "42501", "walsender", "ALTER ROLE ... REPLICATION" },

    { "42501", "WAL sender", "ALTER ROLE ... REPLICATION" },

    { "42501", "replication", "ALTER ROLE ... REPLICATION" },

    { "58P01", "wal2json", "install wal2json for this version of PostgreSQL "
      "on the database's machine (Debian: postgresql-NN-wal2json)" },

    { "KR001", NULL, "ALTER SYSTEM SET wal_level = logical, then restart "
      "PostgreSQL" },

    { "KR002", NULL, "name another slot in SLOT, or drop it with SELECT "
      "pg_drop_replication_slot(...)" },

    { "KR003", NULL, "upgrade PostgreSQL to 13 or newer" },

    { "KR004", NULL, "name a database that was made with ENCODING 'UTF8' in "
      "DATABASE_URL" },

    { "KR005", NULL, "SELECT pg_create_logical_replication_slot(..., "
      "'wal2json'), or allow it with KAIROS_CREATE_SLOT=true" },

    { "KR006", NULL, "SELECT pg_drop_replication_slot(...), then "
      "pg_create_logical_replication_slot(..., 'wal2json'), or allow it with "
      "KAIROS_CREATE_SLOT=true" },

    { "KR007", NULL, "pass the change over with SELECT "
      "pg_replication_slot_advance(...), or let the slot be made anew with "
      "KAIROS_CREATE_SLOT=true" },

    { "KR008", NULL, KR_PG_WAL2JSON },

    { "KR009", NULL, "name the primary in DATABASE_URL, or all hosts of it "
      "with target_session_attrs=read-write" },

    { NULL, "may not be used as an output plugin", "add wal2json to "
      "output_plugin_libraries and reload PostgreSQL's configuration" },

    { "22023", "option", KR_PG_WAL2JSON },

    { NULL, "unsupported startup parameter", "name PostgreSQL itself in "
      "DATABASE_URL, not a pooler such as pgbouncer, which cannot pass a "
      "replication stream on" },

    { NULL, "no password supplied", "give the password in PASSWORD, "
      "DATABASE_URL, PGPASSWORD or a passfile" },

    { NULL, "\ninvalid ", "check DATABASE_URL and libpq's PG* variables" },

    { NULL, "\ncould not match ", "check DATABASE_URL and libpq's PG* "
      "variables" },

    { NULL, NULL, NULL }
};


/*
 * Of the connections for queries.  libpq reads this setting when it looks for
 * the host that target_session_attrs describes, so that it cannot be an
 * option of the start.
 */
static const char  kr_pg_settings[] =
    "SET default_transaction_read_only = on;"
    " SELECT pg_catalog.pg_is_in_recovery()";


static int kr_pg_start(kr_pg_t *pg, const char *options,
    const kr_config_t *cf);
static int kr_pg_options(kr_pg_t *pg, const kr_config_t *cf, kr_buf_t *out);
static void kr_pg_own_options(const kr_pg_t *pg, const kr_config_t *cf,
    kr_buf_t *out);
static int kr_pg_wait(kr_pg_t *pg, short what);
static int kr_pg_established(kr_pg_t *pg);
static int kr_pg_settle(kr_pg_t *pg);
static void kr_pg_settled(kr_pg_t *pg);
static int kr_pg_setting(kr_pg_t *pg, PGresult *res);
static void kr_pg_ready(kr_pg_t *pg);
static void kr_pg_event_free(struct event **ev);
static void kr_pg_oneline(kr_buf_t *out, const char *text);
static void kr_pg_find_sqlstate(kr_pg_t *pg, const char *text);


int
kr_pg_connect(kr_pg_t *pg, const kr_config_t *cf)
{
    int       rc;
    kr_buf_t  options;

    memset(&options, 0, sizeof(kr_buf_t));

    rc = kr_pg_options(pg, cf, &options);
    if (rc == KR_OK) {
        rc = kr_pg_start(pg, options.data, cf);
    }

    kr_buf_free(&options);

    if (rc != KR_OK) {
        kr_pg_close(pg);
        return KR_ERROR;
    }

    pg->timer = event_new(pg->base, -1, 0, kr_pg_poll_event, pg);

    /* the first poll comes from the loop, so that no handler runs here */
    if (pg->timer == NULL || kr_pg_wait(pg, EV_WRITE) != KR_OK) {
        kr_pg_set_error(pg, "", "no memory for a connection");
        kr_pg_close(pg);
        return KR_ERROR;
    }

    kr_loop_timer(pg->timer, KR_PG_CONNECT_TIMEOUT * 1000);

    return KR_OK;
}


void
kr_pg_close(kr_pg_t *pg)
{
    kr_pg_event_free(&pg->read);
    kr_pg_event_free(&pg->write);
    kr_pg_event_free(&pg->timer);
    pg->settling = 0;

    if (pg->conn != NULL) {
        PQfinish(pg->conn);
        pg->conn = NULL;
    }
}


void
kr_pg_free(kr_pg_t *pg)
{
    kr_pg_close(pg);
    kr_buf_free(&pg->message);
}


void
kr_pg_read(kr_pg_t *pg, int on, int ms)
{
    if (pg->read == NULL) {
        return;
    }

    event_del(pg->read);

    if (!on) {
        return;
    }

    if (ms != 0) {
        kr_loop_timer(pg->read, (uint64_t) ms);

    } else {
        kr_loop_add(pg->read);
    }
}


int
kr_pg_flush(kr_pg_t *pg)
{
    int  rc;

    rc = PQflush(pg->conn);

    if (rc < 0) {
        kr_pg_error(pg, NULL);
        return KR_ERROR;
    }

    if (rc > 0) {
        kr_loop_add(pg->write);
    }

    return KR_OK;
}


void
kr_pg_error(kr_pg_t *pg, const PGresult *res)
{
    const char  *text, *state;

    kr_buf_reset(&pg->message);
    pg->sqlstate[0] = '\0';

    if (res != NULL) {
        state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
        if (state != NULL) {
            snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", state);
        }

        kr_pg_describe(&pg->message, res);
        return;
    }

    text = PQerrorMessage(pg->conn);

    kr_pg_find_sqlstate(pg, text);
    kr_pg_oneline(&pg->message, text);

    if (pg->message.len == 0) {
        kr_buf_str(&pg->message, "the connection was closed");
    }
}


void
kr_pg_set_error(kr_pg_t *pg, const char *sqlstate, const char *text)
{
    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", sqlstate);

    kr_buf_reset(&pg->message);
    kr_pg_oneline(&pg->message, text);
}


void
kr_pg_set_standby(kr_pg_t *pg)
{
    kr_pg_set_error(pg, "KR009",
                    "the server is a standby (it is in recovery)");
}


const char *
kr_pg_lasting(const kr_pg_t *pg)
{
    const char             *text;
    const kr_pg_lasting_t  *l;

    text = (pg->message.data != NULL) ? pg->message.data : "";

    for (l = kr_pg_lastings; l->advice != NULL; l++) {

        if (l->sqlstate != NULL
            && strncmp(l->sqlstate, pg->sqlstate, strlen(l->sqlstate)) != 0)
        {
            continue;
        }

        if (l->text == NULL) {
            return l->advice;
        }

        /* a line feed stands for the beginning of the message */
        if (l->text[0] == '\n'
            ? strncmp(text, l->text + 1, strlen(l->text + 1)) == 0
            : strstr(text, l->text) != NULL)
        {
            return l->advice;
        }
    }

    return NULL;
}


void
kr_pg_describe(kr_buf_t *out, const PGresult *res)
{
    size_t       i;
    const char  *text;

    static const struct {
        int          field;
        const char  *before;
    } parts[] = {
        { PG_DIAG_MESSAGE_PRIMARY, "" },
        { PG_DIAG_MESSAGE_DETAIL, "; detail: " },
        { PG_DIAG_MESSAGE_HINT, "; hint: " }
    };

    /* an error of libpq itself has no fields */
    text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (text == NULL) {
        kr_pg_oneline(out, PQresultErrorMessage(res));
        return;
    }

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        text = PQresultErrorField(res, parts[i].field);
        if (text == NULL) {
            continue;
        }

        kr_buf_str(out, parts[i].before);
        kr_pg_oneline(out, text);
    }
}


static void
kr_pg_poll_event(evutil_socket_t fd, short what, void *data)
{
    int       rc;
    kr_pg_t  *pg;

    (void) fd;

    pg = data;

    if (what & EV_TIMEOUT) {
        kr_pg_set_error(pg, "", "the server did not answer the connect");
        pg->failed(pg);
        return;
    }

    switch (PQconnectPoll(pg->conn)) {

    case PGRES_POLLING_READING:
        rc = kr_pg_wait(pg, EV_READ);
        break;

    case PGRES_POLLING_WRITING:
        rc = kr_pg_wait(pg, EV_WRITE);
        break;

    case PGRES_POLLING_OK:
        rc = kr_pg_established(pg);
        if (rc != KR_OK) {
            break;
        }

        if (pg->kind != KR_PG_POOL) {
            kr_pg_ready(pg);

        } else if (kr_pg_settle(pg) != KR_OK) {
            pg->failed(pg);
        }

        return;

    default:
        kr_pg_error(pg, NULL);
        pg->failed(pg);
        return;
    }

    if (rc != KR_OK) {
        kr_pg_set_error(pg, "", "no memory for a connection");
        pg->failed(pg);
    }
}


static void
kr_pg_read_event(evutil_socket_t fd, short what, void *data)
{
    kr_pg_t  *pg;

    (void) fd;

    pg = data;
    pg->timedout = ((what & EV_TIMEOUT) != 0);

    if (pg->settling) {
        kr_pg_settled(pg);
        return;
    }

    pg->readable(pg);
}


static void
kr_pg_write_event(evutil_socket_t fd, short what, void *data)
{
    kr_pg_t  *pg;

    (void) fd;
    (void) what;

    pg = data;

    if (kr_pg_flush(pg) != KR_OK) {
        pg->failed(pg);
    }
}


/* PostgreSQL's notices and warnings, of our own statements mostly */
static void
kr_pg_notice(void *data, const PGresult *res)
{
    kr_buf_t  text;

    (void) data;

    memset(&text, 0, sizeof(kr_buf_t));
    kr_pg_describe(&text, res);

    if (text.len != 0) {
        kr_log(KR_LOG_DEBUG, "postgresql says: %s", text.data);
    }

    kr_buf_free(&text);
}


/* libpq's part of the connect */
static int
kr_pg_start(kr_pg_t *pg, const char *options, const kr_config_t *cf)
{
    int          n;
    const char  *keys[KR_PG_KEYWORDS], *values[KR_PG_KEYWORDS];

    n = 0;

#define kr_pg_keyword(k, v)  keys[n] = (k); values[n++] = (v)

    /* what the user may change comes before his words, what not, after */
    kr_pg_keyword("keepalives_idle", "30");
    kr_pg_keyword("keepalives_interval", "10");
    kr_pg_keyword("keepalives_count", "3");

    if (cf->database_url != NULL) {
        kr_pg_keyword("dbname", cf->database_url);
    }

    kr_pg_keyword("application_name", "kairos-replicator");
    kr_pg_keyword("client_encoding", "UTF8");
    kr_pg_keyword("options", options);

    if (pg->kind == KR_PG_STREAM) {
        kr_pg_keyword("replication", "database");
    }

    kr_pg_keyword(NULL, NULL);

#undef kr_pg_keyword

    pg->conn = PQconnectStartParams(keys, values, 1);

    if (pg->conn == NULL) {
        kr_pg_set_error(pg, "", "no memory for a connection");
        return KR_ERROR;
    }

    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        kr_pg_error(pg, NULL);
        return KR_ERROR;
    }

    PQsetNoticeReceiver(pg->conn, kr_pg_notice, NULL);

    /* the only way to learn the sqlstate of a refused connection */
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);

    return KR_OK;
}


/*
 * The session's options: the user's own (of the URL, or PGOPTIONS) first,
 * so that ours have the last word.
 */
static int
kr_pg_options(kr_pg_t *pg, const kr_config_t *cf, kr_buf_t *out)
{
    const char        *own;
    PQconninfoOption  *all, *o;

    own = getenv("PGOPTIONS");
    all = NULL;

    if (cf->database_url != NULL) {
        all = PQconninfoParse(cf->database_url, NULL);

        for (o = all; o != NULL && o->keyword != NULL; o++) {
            if (strcmp(o->keyword, "options") == 0 && o->val != NULL) {
                own = o->val;
            }
        }
    }

    if (own != NULL) {
        kr_buf_str(out, own);
    }

    if (all != NULL) {
        PQconninfoFree(all);
    }

    kr_buf_str(out, KR_PG_PINNED);

    if (pg->kind == KR_PG_POOL) {
        kr_pg_own_options(pg, cf, out);

    } else {
        /* the creation of a slot may wait for long */
        kr_buf_str(out, " -c statement_timeout=0 -c lock_timeout=0");
    }

    if (out->failed) {
        kr_pg_set_error(pg, "", "no memory for a connection");
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_pg_own_options(const kr_pg_t *pg, const kr_config_t *cf, kr_buf_t *out)
{
    int  ms;

    ms = pg->statement_timeout != 0 ? pg->statement_timeout
                                    : cf->statement_timeout;

    kr_buf_printf(out, " -c statement_timeout=%d -c lock_timeout=%d"
                       " -c idle_in_transaction_session_timeout=%d",
                  ms, pg->lock_timeout, cf->statement_timeout);
}


/* libpq may change its socket between two polls: a new event each time */
static int
kr_pg_wait(kr_pg_t *pg, short what)
{
    kr_pg_event_free(&pg->read);

    pg->read = event_new(pg->base, PQsocket(pg->conn), what,
                         kr_pg_poll_event, pg);

    if (pg->read == NULL || event_add(pg->read, NULL) != 0) {
        return KR_ERROR;
    }

    return KR_OK;
}


static int
kr_pg_established(kr_pg_t *pg)
{
    int  fd;

    kr_pg_event_free(&pg->read);

    fd = PQsocket(pg->conn);

    pg->read = event_new(pg->base, fd, EV_READ|EV_PERSIST, kr_pg_read_event,
                         pg);
    pg->write = event_new(pg->base, fd, EV_WRITE, kr_pg_write_event, pg);

    if (pg->read == NULL || pg->write == NULL
        || PQsetnonblocking(pg->conn, 1) != 0)
    {
        return KR_ERROR;
    }

    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    kr_pg_read(pg, 1, 0);

    return KR_OK;
}


/*
 * Sends what sets the session; the answer comes to kr_pg_settled(), within
 * the time of the connect.  KR_ERROR: the connection is lost.
 */
static int
kr_pg_settle(kr_pg_t *pg)
{
    if (!PQsendQuery(pg->conn, kr_pg_settings)) {
        kr_pg_error(pg, NULL);
        return KR_ERROR;
    }

    pg->settling = 1;

    return kr_pg_flush(pg);
}


static void
kr_pg_settled(kr_pg_t *pg)
{
    int        rc;
    PGresult  *res;

    if (!PQconsumeInput(pg->conn)) {
        kr_pg_error(pg, NULL);
        pg->failed(pg);
        return;
    }

    while (!PQisBusy(pg->conn)) {

        res = PQgetResult(pg->conn);
        if (res == NULL) {
            kr_pg_ready(pg);
            return;
        }

        rc = kr_pg_setting(pg, res);
        PQclear(res);

        if (rc != KR_OK) {
            pg->failed(pg);
            return;
        }
    }
}


/* KR_ERROR: the connection is of no use, its message says why. */
static int
kr_pg_setting(kr_pg_t *pg, PGresult *res)
{
    switch (PQresultStatus(res)) {

    case PGRES_FATAL_ERROR:
        kr_pg_error(pg, res);
        return KR_ERROR;

    case PGRES_TUPLES_OK:
        if (PQntuples(res) == 1 && *PQgetvalue(res, 0, 0) == 't') {
            kr_pg_set_standby(pg);
            return KR_ERROR;
        }

        return KR_OK;

    default:
        return KR_OK;
    }
}


/* The connection is the owner's from now on. */
static void
kr_pg_ready(kr_pg_t *pg)
{
    pg->settling = 0;
    kr_pg_event_free(&pg->timer);
    pg->connected(pg);
}


static void
kr_pg_event_free(struct event **ev)
{
    if (*ev != NULL) {
        event_free(*ev);
        *ev = NULL;
    }
}


/*
 * Appends the text without its line feeds, and without the line that says
 * where in PostgreSQL's source it was written.
 */
static void
kr_pg_oneline(kr_buf_t *out, const char *text)
{
    size_t       len;
    const char  *gap;

    gap = "";

    while (text != NULL && *text != '\0') {
        len = strcspn(text, "\n");

        if (len != 0
            && strncmp(text, "LOCATION:", sizeof("LOCATION:") - 1) != 0)
        {
            kr_buf_str(out, gap);
            kr_buf_append(out, text, len);
            gap = " ";
        }

        text += len;
        text += strspn(text, "\n\t ");
    }
}


/* "... FATAL:  28P01: password ..." of a verbose message */
static void
kr_pg_find_sqlstate(kr_pg_t *pg, const char *text)
{
    size_t  n;

    for (text = strstr(text, ":  ");
         text != NULL;
         text = strstr(text, ":  "))
    {
        text += sizeof(":  ") - 1;

        n = strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

        if (n == KR_PG_SQLSTATE_LEN && text[n] == ':') {
            snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%.5s", text);
            return;
        }
    }
}
