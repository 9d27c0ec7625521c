/*
 * The settings of kairos-replicator: environment, then options over it.
 */

#ifndef _KR_CONFIG_H_INCLUDED_
#define _KR_CONFIG_H_INCLUDED_


#include <stddef.h>

#include "kr_buf.h"


/* the configuration owns the strings; times in ms, sizes in bytes */
typedef struct {
    char         *database_url;        /* the database as a URL or key=value
                                          pairs of libpq, which takes missing
                                          parts from PG*; NULL: all of them */
    char         *host;                /* HOSTNAME; like the next four it */
    char         *port;                /* DBPORT      has become a part of */
    char         *user;                /* DBUSERNAME  database_url, and is */
    char         *password;            /* PASSWORD    NULL then */
    char         *dbname;              /* DATABASE */
    char         *ignored_host;        /* a HOSTNAME that was ignored, if no
                                          other setting names one; or NULL */
    int           enable_postgres;     /* ENABLE_POSTGRES */
    char         *slot;                /* SLOT, "kairos" by default */
    int           create_slot;         /* KAIROS_CREATE_SLOT: create the slot
                                          if there is none */
    char         *socket;              /* KAIROS_SOCKET, --socket */
    char         *socket_group;        /* KAIROS_SOCKET_GROUP; NULL: ours */
    int           log_level;           /* KAIROS_LOG_LEVEL */
    int           pool_size;           /* POOL_SIZE */
    int           max_concurrency;     /* MAX_CONCURRENCY: jobs at once; not
                                          more than pool_size */
    int           batch_size;          /* BATCH_SIZE: pks of one refetch */
    int           chunk_size;          /* CHUNK_SIZE: rows of one event */
    int           flush_interval;      /* FLUSH_INTERVAL: how long changes are
                                          gathered before a refetch */
    int           exact;               /* KAIROS_EXACT: LIMIT holds for events,
                                          too, also if a subscribe sets its
                                          "exact" to false */
    int           statement_timeout;   /* KAIROS_STATEMENT_TIMEOUT */
    int           stuck_time;          /* KAIROS_STUCK_TIME: how long changes
                                          wait for one query that hangs */
    size_t        stuck_wal;           /* KAIROS_STUCK_WAL: bytes of WAL that
                                          the slot may keep for that query */
    int           register_wait;       /* KAIROS_REGISTER_WAIT: how long a
                                          start waits for the workers */
    int           route_grace;         /* KAIROS_ROUTE_GRACE: how long a route
                                          without members stays known */
    size_t        snapshot_max;        /* KAIROS_SNAPSHOT_MAX: bytes of one */
    size_t        backlog_max;         /* KAIROS_BACKLOG_MAX: of one route */
    size_t        backlog_total;       /* KAIROS_BACKLOG_TOTAL: of all */
} kr_config_t;


/* the next step of main() after the settings were read */
typedef enum {
    KR_CONFIG_RUN = 0,
    KR_CONFIG_CHECK,      /* --check */
    KR_CONFIG_SETUP,      /* --print-setup */
    KR_CONFIG_EXIT,       /* --help, --version, --test, or ENABLE_POSTGRES is
                             false: the text is printed, status 0 */
    KR_CONFIG_BAD         /* one line on stderr names the setting */
} kr_config_result_e;


/*
 * Reads the environment (an empty variable counts as not set), then the
 * options, which replace its values, and sets the level of the log.  After
 * any result the caller frees *cf with kr_config_free().
 */
kr_config_result_e kr_config_read(kr_config_t *cf, int argc, char **argv);
void kr_config_free(kr_config_t *cf);


#endif /* _KR_CONFIG_H_INCLUDED_ */
