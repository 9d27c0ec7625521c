/*
 * The settings.  One table says of each its variable, option, kind, default
 * and bounds; --help and the error lines are printed from the same table.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <libpq-fe.h>

#include "kairos_version.h"
#include "kr_config.h"
#include "kr_log.h"


#define KR_CONFIG_MAX_SLOT  63
#define KR_CONFIG_REASON    256

#define KR_SECOND           1000LL
#define KR_MINUTE           (60 * KR_SECOND)
#define KR_HOUR             (60 * KR_MINUTE)
#define KR_KILO             1024LL
#define KR_MEGA             (1024 * KR_KILO)
#define KR_GIGA             (1024 * KR_MEGA)


typedef struct kr_setting_s  kr_setting_t;
typedef struct kr_unit_s     kr_unit_t;

/* Stores the value, or writes what is allowed to reason: KR_ERROR. */
typedef int (*kr_setting_pt)(const kr_setting_t *s, void *field,
    const char *value, char *reason);

struct kr_setting_s {
    const char     *env;
    const char     *option;
    const char     *arg;          /* what --help calls the value */
    kr_setting_pt   set;
    size_t          offset;
    const char     *dflt;         /* NULL: stays NULL */
    long long       min;
    long long       max;
    const char     *help;
};

struct kr_unit_s {
    const char     *name;
    long long       factor;
};


static int kr_set_string(const kr_setting_t *s, void *field,
    const char *value, char *reason);
static int kr_set_url(const kr_setting_t *s, void *field, const char *value,
    char *reason);
static int kr_set_slot(const kr_setting_t *s, void *field, const char *value,
    char *reason);
static int kr_set_path(const kr_setting_t *s, void *field, const char *value,
    char *reason);
static int kr_set_level(const kr_setting_t *s, void *field,
    const char *value, char *reason);
static int kr_set_count(const kr_setting_t *s, void *field,
    const char *value, char *reason);
static int kr_set_time(const kr_setting_t *s, void *field, const char *value,
    char *reason);
static int kr_set_size(const kr_setting_t *s, void *field, const char *value,
    char *reason);


static const kr_setting_t  kr_settings[] = {

    { "DATABASE_URL", "database-url", "URL", kr_set_url,
      offsetof(kr_config_t, database_url), NULL, 0, 0,
      "the database, as libpq reads it; without it libpq's PG* variables" },

    { "SLOT", "slot", "NAME", kr_set_slot,
      offsetof(kr_config_t, slot), "kairos", 0, 0,
      "the logical replication slot; made if it is missing" },

    { "KAIROS_SOCKET", "socket", "PATH", kr_set_path,
      offsetof(kr_config_t, socket), "/run/kairos/replicator.sock", 0, 0,
      "the socket that nginx connects to" },

    { "KAIROS_SOCKET_GROUP", "socket-group", "GROUP", kr_set_string,
      offsetof(kr_config_t, socket_group), NULL, 0, 0,
      "the socket's group, that of nginx's workers; without it our own" },

    { "KAIROS_LOG_LEVEL", "log-level", "LEVEL", kr_set_level,
      offsetof(kr_config_t, log_level), "notice", 0, 0,
      "alert, error, warn, notice, info or debug" },

    { "POOL_SIZE", "pool-size", "N", kr_set_count,
      offsetof(kr_config_t, pool_size), "10", 1, 100,
      "connections for queries, at most" },

    { "BATCH_SIZE", "batch-size", "N", kr_set_count,
      offsetof(kr_config_t, batch_size), "1000", 1, 100000,
      "primary keys that one refetch asks for, at most" },

    { "CHUNK_SIZE", "chunk-size", "N", kr_set_count,
      offsetof(kr_config_t, chunk_size), "100", 1, 10000,
      "rows that one event carries, at most" },

    { "KAIROS_STATEMENT_TIMEOUT", "statement-timeout", "TIME", kr_set_time,
      offsetof(kr_config_t, statement_timeout), "10s", 100, KR_HOUR,
      "how long one query may run" },

    { "KAIROS_REGISTER_WAIT", "register-wait", "TIME", kr_set_time,
      offsetof(kr_config_t, register_wait), "5s", 0, 10 * KR_MINUTE,
      "how long a start waits for nginx's workers before it reads the slot" },

    { "KAIROS_ROUTE_GRACE", "route-grace", "TIME", kr_set_time,
      offsetof(kr_config_t, route_grace), "1m", 0, 24 * KR_HOUR,
      "how long a route without members stays known" },

    { "KAIROS_SNAPSHOT_MAX", "snapshot-max", "SIZE", kr_set_size,
      offsetof(kr_config_t, snapshot_max), "16m", 64 * KR_KILO, 48 * KR_MEGA,
      "bytes of one snapshot, at most" },

    { "KAIROS_BACKLOG_MAX", "backlog-max", "SIZE", kr_set_size,
      offsetof(kr_config_t, backlog_max), "8m", 64 * KR_KILO, KR_GIGA,
      "bytes of events kept for one route, at most" },

    { "KAIROS_BACKLOG_TOTAL", "backlog-total", "SIZE", kr_set_size,
      offsetof(kr_config_t, backlog_total), "256m", KR_MEGA, 64 * KR_GIGA,
      "bytes of events kept for all routes, at most" }
};

#define KR_SETTINGS  (sizeof(kr_settings) / sizeof(kr_settings[0]))


static const kr_unit_t  kr_counts[] = {
    { "", 1 }, { NULL, 0 }
};

static const kr_unit_t  kr_times[] = {
    { "ms", 1 }, { "s", KR_SECOND }, { "m", KR_MINUTE }, { "h", KR_HOUR },
    { NULL, 0 }
};

static const kr_unit_t  kr_sizes[] = {
    { "", 1 }, { "k", KR_KILO }, { "m", KR_MEGA }, { "g", KR_GIGA },
    { NULL, 0 }
};


static int kr_config_defaults(kr_config_t *cf);
static int kr_config_env(kr_config_t *cf);
static kr_config_result_e kr_config_options(kr_config_t *cf, int argc,
    char **argv);
static int kr_config_set(kr_config_t *cf, const kr_setting_t *s,
    const char *name, const char *value);
static const kr_setting_t *kr_config_find(const char *name, size_t len);
static void kr_config_help(void);
static void kr_config_bad(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static int kr_number(const char *value, const kr_unit_t *units,
    long long *number);
static const char *kr_print(char *p, size_t size, long long number,
    const kr_unit_t *units);


kr_config_result_e
kr_config_read(kr_config_t *cf, int argc, char **argv)
{
    kr_config_result_e  rc;

    memset(cf, 0, sizeof(kr_config_t));

    if (kr_config_defaults(cf) != KR_OK || kr_config_env(cf) != KR_OK) {
        return KR_CONFIG_BAD;
    }

    rc = kr_config_options(cf, argc, argv);
    if (rc != KR_CONFIG_RUN) {
        return rc;
    }

    if (cf->backlog_total < cf->backlog_max) {
        kr_config_bad("KAIROS_BACKLOG_TOTAL %zu is less than "
                      "KAIROS_BACKLOG_MAX %zu",
                      cf->backlog_total, cf->backlog_max);
        return KR_CONFIG_BAD;
    }

    kr_log_set_level((kr_log_level_e) cf->log_level);

    return KR_CONFIG_RUN;
}


void
kr_config_free(kr_config_t *cf)
{
    free(cf->database_url);
    free(cf->slot);
    free(cf->socket);
    free(cf->socket_group);

    memset(cf, 0, sizeof(kr_config_t));
}


static int
kr_config_defaults(kr_config_t *cf)
{
    size_t               i;
    const kr_setting_t  *s;

    for (i = 0; i < KR_SETTINGS; i++) {
        s = &kr_settings[i];

        if (s->dflt != NULL
            && kr_config_set(cf, s, s->env, s->dflt) != KR_OK)
        {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_config_env(kr_config_t *cf)
{
    size_t               i;
    const char          *value;
    const kr_setting_t  *s;

    for (i = 0; i < KR_SETTINGS; i++) {
        s = &kr_settings[i];

        value = getenv(s->env);
        if (value == NULL || *value == '\0') {
            continue;
        }

        if (kr_config_set(cf, s, s->env, value) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* "--name value" and "--name=value" */
static kr_config_result_e
kr_config_options(kr_config_t *cf, int argc, char **argv)
{
    int                  i;
    char                *arg, *value;
    size_t               len;
    const kr_setting_t  *s;

    for (i = 1; i < argc; i++) {
        arg = argv[i];

        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            kr_config_help();
            return KR_CONFIG_EXIT;
        }

        if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
            printf("kairos-replicator %s\n", KAIROS_VERSION);
            return KR_CONFIG_EXIT;
        }

        len = strcspn(arg, "=");
        s = kr_config_find(arg, len);

        if (s == NULL) {
            kr_config_bad("cannot take the argument \"%.*s\", --help lists "
                          "all options", (int) len, arg);
            return KR_CONFIG_BAD;
        }

        value = (arg[len] == '=') ? arg + len + 1 : argv[++i];

        if (value == NULL) {
            kr_config_bad("the option %s has no value", arg);
            return KR_CONFIG_BAD;
        }

        arg[len] = '\0';

        if (kr_config_set(cf, s, arg, value) != KR_OK) {
            return KR_CONFIG_BAD;
        }
    }

    return KR_CONFIG_RUN;
}


/* An option's setting by its "--name", or NULL. */
static const kr_setting_t *
kr_config_find(const char *name, size_t len)
{
    size_t  i;

    if (len < 2 || name[0] != '-' || name[1] != '-') {
        return NULL;
    }

    for (i = 0; i < KR_SETTINGS; i++) {
        if (strlen(kr_settings[i].option) == len - 2
            && strncmp(kr_settings[i].option, name + 2, len - 2) == 0)
        {
            return &kr_settings[i];
        }
    }

    return NULL;
}


/* name: how the user called it, variable or option */
static int
kr_config_set(kr_config_t *cf, const kr_setting_t *s, const char *name,
    const char *value)
{
    char  reason[KR_CONFIG_REASON];

    if (s->set(s, (char *) cf + s->offset, value, reason) == KR_OK) {
        return KR_OK;
    }

    /* the value may hold a password */
    if (s->set == kr_set_url) {
        kr_config_bad("cannot take %s: %s", name, reason);

    } else {
        kr_config_bad("cannot take %s \"%s\": %s", name, value, reason);
    }

    return KR_ERROR;
}


static int
kr_set_string(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    char  *copy, **string;

    if (*value == '\0') {
        snprintf(reason, KR_CONFIG_REASON, "%s expected, it is empty",
                 s->arg);
        return KR_ERROR;
    }

    copy = strdup(value);
    if (copy == NULL) {
        snprintf(reason, KR_CONFIG_REASON, "no memory");
        return KR_ERROR;
    }

    string = field;
    free(*string);
    *string = copy;

    return KR_OK;
}


/*
 * libpq's words quote what it stumbled on, which may be a piece of the
 * password: what stands between the first and the last quote is left out.
 */
static int
kr_set_url(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    char              *error, *first, *last;
    PQconninfoOption  *options;

    error = NULL;
    options = PQconninfoParse(value, &error);

    if (options != NULL) {
        PQconninfoFree(options);
        return kr_set_string(s, field, value, reason);
    }

    if (error == NULL) {
        snprintf(reason, KR_CONFIG_REASON, "no memory");
        return KR_ERROR;
    }

    error[strcspn(error, "\n")] = '\0';

    first = strchr(error, '"');
    last = strrchr(error, '"');

    if (first == NULL || first == last) {
        snprintf(reason, KR_CONFIG_REASON, "%.*s",
                 (int) strcspn(error, "\""), error);

    } else {
        snprintf(reason, KR_CONFIG_REASON, "%.*s\"...%s",
                 (int) (first - error), error, last);
    }

    PQfreemem(error);

    return KR_ERROR;
}


static int
kr_set_slot(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    size_t  len;

    len = strlen(value);

    if (len == 0 || len > KR_CONFIG_MAX_SLOT
        || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
    {
        snprintf(reason, KR_CONFIG_REASON, "1 to %d characters of a-z, 0-9 "
                 "and _ are expected", KR_CONFIG_MAX_SLOT);
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


static int
kr_set_path(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    struct sockaddr_un  sun;

    if (*value == '\0' || strlen(value) >= sizeof(sun.sun_path)) {
        snprintf(reason, KR_CONFIG_REASON, "a path of 1 to %zu bytes is "
                 "expected", sizeof(sun.sun_path) - 1);
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


static int
kr_set_level(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    int  level;

    level = kr_log_level(value);
    if (level < 0) {
        snprintf(reason, KR_CONFIG_REASON, "%s is expected", s->help);
        return KR_ERROR;
    }

    *(int *) field = level;

    return KR_OK;
}


static int
kr_set_count(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    long long  n;

    if (kr_number(value, kr_counts, &n) != KR_OK || n < s->min || n > s->max) {
        snprintf(reason, KR_CONFIG_REASON, "a number from %lld to %lld is "
                 "expected", s->min, s->max);
        return KR_ERROR;
    }

    *(int *) field = (int) n;

    return KR_OK;
}


static int
kr_set_time(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    char       min[32], max[32];
    long long  n;

    if (kr_number(value, kr_times, &n) != KR_OK || n < s->min || n > s->max) {
        snprintf(reason, KR_CONFIG_REASON, "a time with its unit (ms, s, m, "
                 "h) from %s to %s is expected",
                 kr_print(min, sizeof(min), s->min, kr_times),
                 kr_print(max, sizeof(max), s->max, kr_times));
        return KR_ERROR;
    }

    *(int *) field = (int) n;

    return KR_OK;
}


static int
kr_set_size(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    char       min[32], max[32];
    long long  n;

    if (kr_number(value, kr_sizes, &n) != KR_OK || n < s->min || n > s->max) {
        snprintf(reason, KR_CONFIG_REASON, "a size in bytes (or with k, m, "
                 "g) from %s to %s is expected",
                 kr_print(min, sizeof(min), s->min, kr_sizes),
                 kr_print(max, sizeof(max), s->max, kr_sizes));
        return KR_ERROR;
    }

    *(size_t *) field = (size_t) n;

    return KR_OK;
}


/* digits and one of the units, nothing else; the zero needs no unit */
static int
kr_number(const char *value, const kr_unit_t *units, long long *number)
{
    char             *end;
    long long         n;
    const kr_unit_t  *u;

    if (*value < '0' || *value > '9') {
        return KR_ERROR;
    }

    errno = 0;
    n = strtoll(value, &end, 10);

    if (errno != 0) {
        return KR_ERROR;
    }

    if (n == 0 && *end == '\0') {
        *number = 0;
        return KR_OK;
    }

    for (u = units; u->name != NULL; u++) {
        if (strcmp(u->name, end) == 0) {
            if (n > INT64_MAX / u->factor) {
                return KR_ERROR;
            }

            *number = n * u->factor;
            return KR_OK;
        }
    }

    return KR_ERROR;
}


/* The number in the largest unit that divides it; returns p. */
static const char *
kr_print(char *p, size_t size, long long number, const kr_unit_t *units)
{
    const kr_unit_t  *u, *best;

    best = units;

    for (u = units; u->name != NULL; u++) {
        if (number != 0 && number % u->factor == 0) {
            best = u;
        }
    }

    snprintf(p, size, "%lld%s", number / best->factor, best->name);

    return p;
}


static void
kr_config_help(void)
{
    size_t               i;
    const kr_setting_t  *s;

    printf("usage: kairos-replicator [option value] ...\n\n"
           "Reads a logical replication slot of PostgreSQL and tells "
           "nginx's kairos module\nwhat changed in the rows that its "
           "clients watch.  Every option has a variable of\nthe "
           "environment; the option has precedence.\n\n");

    for (i = 0; i < KR_SETTINGS; i++) {
        s = &kr_settings[i];

        printf("  --%s %s, %s\n      %s\n", s->option, s->arg, s->env,
               s->help);

        if (s->dflt != NULL) {
            printf("      default: %s\n", s->dflt);
        }
    }

    printf("  --help, -h\n      prints this text\n"
           "  --version, -V\n      prints the version\n\n"
           "Times: 500ms, 10s, 1m, 2h.  Sizes in bytes: 65536, 64k, 16m, "
           "1g.\nStatus: 0 after SIGTERM or SIGINT, 1 if the start failed, "
           "2 for a wrong setting.\n");
}


static void
kr_config_bad(const char *fmt, ...)
{
    va_list  args;

    fputs("kairos-replicator: ", stderr);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);
}
