/*
 * The settings.  One table has the variable, option, kind, default and bounds
 * of each; --help and the error lines are printed from the same table.
 */

#include <stddef.h>

#include "kr_config_private.h"


#define kr_field(name)  offsetof(kr_config_t, name)


const kr_setting_t  kr_settings[] = {

    { "DATABASE_URL", "database-url", "URL", kr_set_url,
      kr_field(database_url), NULL, 0, 0,
      "the database, as libpq reads it; what neither it nor the five below "
      "say,\n      libpq's PG* variables do" },

    { "HOSTNAME", "host", "HOST", kr_set_host,
      kr_field(host), NULL, 0, 0,
      "its host; the variable counts only beside DBUSERNAME, DATABASE or "
      "DBPORT,\n      and if it is not this machine's own name" },

    { "DBPORT", "port", "PORT", kr_set_port,
      kr_field(port), NULL, 0, 0,
      "its port" },

    { "DBUSERNAME", "user", "NAME", kr_set_name,
      kr_field(user), NULL, 0, 0,
      "the role" },

    { "PASSWORD", "password", "TEXT", kr_set_secret,
      kr_field(password), NULL, 0, 0,
      "the role's password; others see it in an option, not in the "
      "variable" },

    { "DATABASE", "database", "NAME", kr_set_name,
      kr_field(dbname), NULL, 0, 0,
      "the database's name" },

    { "ENABLE_POSTGRES", "postgres", NULL, kr_set_flag,
      kr_field(enable_postgres), "true", 0, 0,
      "false: ends at once, with status 0" },

    { "SLOT", "slot", "NAME", kr_set_slot,
      kr_field(slot), "kairos", 0, 0,
      "the logical replication slot" },

    { "KAIROS_CREATE_SLOT", "create-slot", NULL, kr_set_flag,
      kr_field(create_slot), "true", 0, 0,
      "makes the slot if it is missing" },

    { "KAIROS_SOCKET", "socket", "PATH", kr_set_path,
      kr_field(socket), "/run/kairos/replicator.sock", 0, 0,
      "the socket that nginx connects to" },

    { "KAIROS_SOCKET_GROUP", "socket-group", "GROUP", kr_set_string,
      kr_field(socket_group), NULL, 0, 0,
      "the socket's group, that of nginx's workers; without it our own" },

    { "KAIROS_LOG_LEVEL", "log-level", "LEVEL", kr_set_level,
      kr_field(log_level), "notice", 0, 0,
      "alert, error, warn, notice, info or debug" },

    { "POOL_SIZE", "pool-size", "N", kr_set_count,
      kr_field(pool_size), "10", 1, 100,
      "connections for queries, at most" },

    { "MAX_CONCURRENCY", "max-concurrency", "N", kr_set_count,
      kr_field(max_concurrency), NULL, 1, 10000,
      "snapshots and refetches that run at once, at most; each needs a\n"
      "      connection, so it is POOL_SIZE if that is less" },

    { "BATCH_SIZE", "batch-size", "N", kr_set_count,
      kr_field(batch_size), "1000", 1, 100000,
      "primary keys that one refetch asks for, at most" },

    { "CHUNK_SIZE", "chunk-size", "N", kr_set_count,
      kr_field(chunk_size), "100", 1, 10000,
      "rows that one event carries, at most" },

    { "FLUSH_INTERVAL", "flush-interval", "TIME", kr_set_ms,
      kr_field(flush_interval), "0", 0, 10 * KR_SECOND,
      "how long changes are gathered before they are fetched; without a "
      "unit: ms" },

    { "KAIROS_EXACT", "exact", NULL, kr_set_flag,
      kr_field(exact), "false", 0, 0,
      "keeps to LIMIT after the snapshot too, for all queries" },

    { "KAIROS_STATEMENT_TIMEOUT", "statement-timeout", "TIME", kr_set_time,
      kr_field(statement_timeout), "10s", 100, KR_HOUR,
      "how long one query may run" },

    { "KAIROS_STUCK_TIME", "stuck-time", "TIME", kr_set_time,
      kr_field(stuck_time), "5m", KR_SECOND, 24 * KR_HOUR,
      "how long the events of a query wait that is locked out or too slow" },

    { "KAIROS_STUCK_WAL", "stuck-wal", "SIZE", kr_set_size,
      kr_field(stuck_wal), "1g", KR_MEGA, 1024 * KR_GIGA,
      "bytes of WAL that the slot keeps for such, at most" },

    { "KAIROS_REGISTER_WAIT", "register-wait", "TIME", kr_set_time,
      kr_field(register_wait), "5s", 0, 10 * KR_MINUTE,
      "how long a start waits for nginx's workers before it reads the slot" },

    { "KAIROS_ROUTE_GRACE", "route-grace", "TIME", kr_set_time,
      kr_field(route_grace), "5m", 0, 24 * KR_HOUR,
      "how long a route without members stays known" },

    { "KAIROS_SNAPSHOT_MAX", "snapshot-max", "SIZE", kr_set_size,
      kr_field(snapshot_max), "16m", 64 * KR_KILO, 48 * KR_MEGA,
      "bytes of one snapshot, at most" },

    { "KAIROS_BACKLOG_MAX", "backlog-max", "SIZE", kr_set_size,
      kr_field(backlog_max), "8m", 64 * KR_KILO, KR_GIGA,
      "bytes of events kept for one route, at most" },

    { "KAIROS_BACKLOG_TOTAL", "backlog-total", "SIZE", kr_set_size,
      kr_field(backlog_total), "256m", KR_MEGA, 64 * KR_GIGA,
      "bytes of events kept for all routes, at most" },

    { NULL, NULL, NULL, NULL, 0, NULL, 0, 0, NULL }
};
