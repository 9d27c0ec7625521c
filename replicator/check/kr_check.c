/*
 * The order of --check: connects, and calls the parts one by one.
 */

#include <stdio.h>
#include <string.h>

#include "kr_check_private.h"


static void kr_check_database(kr_check_t *ck);
static int kr_check_connect(kr_check_t *ck, kr_pg_t *pg, kr_pg_kind_e kind);
static void kr_check_hostname(kr_check_t *ck);
static void kr_check_connected(kr_pg_t *pg);
static void kr_check_failed(kr_pg_t *pg);
static void kr_check_replication(kr_check_t *ck);
static void kr_check_where(kr_check_t *ck);
static void kr_check_free(kr_check_t *ck);


int
kr_check(const kr_config_t *cf)
{
    int         faults;
    kr_check_t  ck;

    memset(&ck, 0, sizeof(kr_check_t));
    ck.cf = cf;

    /* each line is written at once, also into a pipe */
    setvbuf(stdout, NULL, _IOLBF, 0);

    kr_check_database(&ck);
    kr_check_socket(&ck);

    faults = ck.faults;
    kr_check_free(&ck);

    if (faults == 0) {
        printf("\nall is well\n");
        return KR_OK;
    }

    printf("\n%d fault%s\n", faults, (faults == 1) ? "" : "s");

    return KR_ERROR;
}


static void
kr_check_database(kr_check_t *ck)
{
    ck->base = event_base_new();

    if (ck->base == NULL) {
        kr_buf_str(&ck->text, "could not make the event loop");
        kr_check_say(ck, KR_CHECK_FAULT);
        return;
    }

    if (kr_check_connect(ck, &ck->pg, KR_PG_POOL) != KR_OK) {
        kr_buf_printf(&ck->text, "could not connect: %s",
                      kr_pg_message(&ck->pg));

        if (kr_pg_lasting(&ck->pg) != NULL) {
            kr_buf_str(&ck->fix, kr_pg_lasting(&ck->pg));

        } else {
            kr_buf_str(&ck->fix, "start PostgreSQL there, or name its host "
                       "and port in DATABASE_URL");
        }

        kr_check_say(ck, KR_CHECK_FAULT);
        kr_check_hostname(ck);
        return;
    }

    kr_check_where(ck);

    if (kr_check_server(ck) != KR_OK) {
        return;
    }

    kr_check_replication(ck);
    kr_check_slot(ck);
    kr_check_plugin(ck);
    kr_check_tables(ck);
    kr_check_ddl(ck);
    kr_check_clock(ck);
}


/* Connects, and runs the event loop until kr_pg.c is done. */
static int
kr_check_connect(kr_check_t *ck, kr_pg_t *pg, kr_pg_kind_e kind)
{
    pg->base = ck->base;
    pg->kind = kind;
    pg->connected = kr_check_connected;
    pg->failed = kr_check_failed;

    if (kr_pg_connect(pg, ck->cf) != KR_OK) {
        return KR_ERROR;
    }

    if (event_base_dispatch(ck->base) == -1) {
        kr_pg_set_error(pg, "", "the event loop failed");
        kr_pg_close(pg);
    }

    return (pg->conn != NULL) ? KR_OK : KR_ERROR;
}


/* Writes a note if HOSTNAME was ignored, a possible cause of the failure. */
static void
kr_check_hostname(kr_check_t *ck)
{
    if (ck->cf->ignored_host == NULL) {
        return;
    }

    kr_buf_printf(&ck->text, "HOSTNAME \"%s\" was not taken for the "
                  "database's host: it counts beside DBUSERNAME, DATABASE or "
                  "DBPORT, and if it is not this machine's own name",
                  ck->cf->ignored_host);
    kr_buf_str(&ck->fix, "name the host in DATABASE_URL or PGHOST, or by "
               "--host");
    kr_check_say(ck, KR_CHECK_NOTE);
}


static void
kr_check_connected(kr_pg_t *pg)
{
    event_base_loopbreak(pg->base);
}


static void
kr_check_failed(kr_pg_t *pg)
{
    kr_pg_close(pg);
    event_base_loopbreak(pg->base);
}


/*
 * Opens the stream's connection, for which another line of pg_hba.conf and the
 * limit of walsenders count.
 */
static void
kr_check_replication(kr_check_t *ck)
{
    const char  *advice;

    if (kr_check_connect(ck, &ck->stream, KR_PG_STREAM) == KR_OK) {
        kr_buf_printf(&ck->text, "the role %s may replicate",
                      ck->role.data);
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_printf(&ck->text, "could not connect for replication: %s",
                  kr_pg_message(&ck->stream));

    advice = kr_pg_lasting(&ck->stream);

    if (strcmp(ck->stream.sqlstate, "42501") == 0) {
        kr_buf_printf(&ck->fix, "ALTER ROLE %s REPLICATION;",
                      ck->role.data);

    } else if (strcmp(ck->stream.sqlstate, "53300") == 0) {
        kr_buf_str(&ck->fix, "ALTER SYSTEM SET max_wal_senders = 10; (or "
                   "more than there are), then restart PostgreSQL");

    } else if (advice != NULL) {
        kr_buf_str(&ck->fix, advice);
    }

    kr_check_say(ck, KR_CHECK_FAULT);
}


static void
kr_check_where(kr_check_t *ck)
{
    PGconn  *conn;

    conn = ck->pg.conn;

    kr_buf_printf(&ck->text, "connected to the database \"%s\" at %s, port "
                  "%s, as \"%s\"", PQdb(conn), PQhost(conn), PQport(conn),
                  PQuser(conn));
    kr_check_say(ck, KR_CHECK_GOOD);
}


static void
kr_check_free(kr_check_t *ck)
{
    kr_pg_free(&ck->pg);
    kr_pg_free(&ck->stream);

    kr_buf_free(&ck->text);
    kr_buf_free(&ck->fix);
    kr_buf_free(&ck->role);

    if (ck->base != NULL) {
        event_base_free(ck->base);
    }
}
