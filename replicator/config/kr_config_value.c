/*
 * The kinds of settings: each function checks and stores a value of its kind.
 */

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include <libpq-fe.h>

#include "kr_config_private.h"
#include "kr_log.h"


#define KR_CONFIG_MAX_NAME  63      /* bytes, of PostgreSQL's names */
#define KR_CONFIG_MAX_PORT  65535
#define KR_CONFIG_DIGITS    16      /* of a port, with leading zeros */


typedef struct kr_unit_s  kr_unit_t;

struct kr_unit_s {
    const char     *name;
    long long       factor;
};


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


static void kr_url_error(char *error, const char *url, char *reason);
static int kr_url_parameter(const char *error, const char *url,
    char *reason);
static int kr_url_check(const PQconninfoOption *o, char *reason);
static int kr_url_ports(const char *value);
static int kr_printable(const char *value);
static int kr_number(const char *value, const kr_unit_t *units,
    long long *number);
static const char *kr_print(char *p, size_t size, long long number,
    const kr_unit_t *units);


int
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


/* A string; kr_config_set() does not quote it in the message of a fault. */
int
kr_set_secret(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    return kr_set_string(s, field, value, reason);
}


/* The database's URL or pairs; Phoenix' "ecto://" becomes "postgres://". */
int
kr_set_url(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    int                rc;
    char              *error;
    kr_buf_t           url;
    PQconninfoOption  *options;

    memset(&url, 0, sizeof(kr_buf_t));

    if (strncmp(value, "ecto://", 7) == 0) {
        kr_buf_str(&url, "postgres://");
        value += 7;
    }

    kr_buf_str(&url, value);

    error = NULL;
    options = url.failed ? NULL : PQconninfoParse(url.data, &error);

    if (options == NULL) {
        kr_url_error(error, url.data, reason);
        PQfreemem(error);
        rc = KR_ERROR;

    } else {
        rc = kr_url_check(options, reason);
        PQconninfoFree(options);
    }

    if (rc == KR_OK) {
        rc = kr_set_string(s, field, url.data, reason);
    }

    kr_buf_free(&url);

    return rc;
}


/*
 * Makes a reason of libpq's error.  The error quotes a part of the value,
 * which may be a part of the password, so the text between the first and the
 * last quote is left out.  A value without '=' is mostly a URI of another
 * kind.
 */
static void
kr_url_error(char *error, const char *url, char *reason)
{
    char  *first, *last;

    if (error == NULL) {
        snprintf(reason, KR_CONFIG_REASON, "no memory");
        return;
    }

    if (strncmp(error, "missing \"=\"", 11) == 0) {
        snprintf(reason, KR_CONFIG_REASON, "it is neither a URI that begins "
                 "with postgres:// or postgresql://, nor key=value pairs");
        return;
    }

    error[strcspn(error, "\n")] = '\0';

    if (kr_url_parameter(error, url, reason) == KR_OK) {
        return;
    }

    first = strchr(error, '"');
    last = strrchr(error, '"');

    if (first == NULL || first == last) {
        snprintf(reason, KR_CONFIG_REASON, "%.*s",
                 (int) strcspn(error, "\""), error);

    } else {
        snprintf(reason, KR_CONFIG_REASON, "%.*s\"...%s",
                 (int) (first - error), error, last);
    }
}


/*
 * Names a parameter of other programs' URIs, such as Prisma's schema.
 * KR_DECLINED: the error is another one, or the name may be a piece of the
 * password: an '@' follows, or a parameter before it has the password.
 */
static int
kr_url_parameter(const char *error, const char *url, char *reason)
{
    size_t       len;
    const char  *query, *name, *p;

    static const char  text[] = "invalid URI query parameter: \"";

    if (strncmp(error, text, sizeof(text) - 1) != 0) {
        return KR_DECLINED;
    }

    name = error + sizeof(text) - 1;
    len = strcspn(name, "\"");

    query = strrchr(url, '@');
    query = strchr((query != NULL) ? query : url, '?');

    for (p = query; p != NULL; p = strchr(p + 1, '&')) {

        if (strncmp(p + 1, name, len) == 0 && p[1 + len] == '=') {
            break;
        }

        /* a name in other letters may be any */
        if (strncmp(p + 1, "pass", 4) == 0
            || strcspn(p, "%") < strcspn(p, "="))
        {
            return KR_DECLINED;
        }
    }

    if (p == NULL || len == 0) {
        return KR_DECLINED;
    }

    snprintf(reason, KR_CONFIG_REASON, "it has the parameter \"%.*s\", which "
             "libpq does not know: leave it out%s", (int) len, name,
             (len == 6 && memcmp(name, "schema", 6) == 0)
             ? " (options=-csearch_path%3D... sets the schema)" : "");

    return KR_OK;
}


/* what libpq would find out when it connects, or not at all */
static int
kr_url_check(const PQconninfoOption *o, char *reason)
{
    for (/* void */; o->keyword != NULL; o++) {

        if (o->val == NULL) {
            continue;
        }

        if (strcmp(o->keyword, "port") == 0
            && kr_url_ports(o->val) != KR_OK)
        {
            snprintf(reason, KR_CONFIG_REASON, "its port is not a number "
                     "from 1 to %d", KR_CONFIG_MAX_PORT);
            return KR_ERROR;
        }

        if (strcmp(o->keyword, "replication") == 0) {
            snprintf(reason, KR_CONFIG_REASON, "it sets \"replication\", "
                     "which is set by the program");
            return KR_ERROR;
        }
    }

    return KR_OK;
}


/* Checks a list of ports, one for each host; an empty one is the default. */
static int
kr_url_ports(const char *value)
{
    char       port[KR_CONFIG_DIGITS];
    size_t     len;
    long long  n;

    for ( ;; ) {
        len = strcspn(value, ",");

        if (len >= sizeof(port)) {
            return KR_ERROR;
        }

        memcpy(port, value, len);
        port[len] = '\0';

        if (len != 0
            && (kr_number(port, kr_counts, &n) != KR_OK || n < 1
                || n > KR_CONFIG_MAX_PORT))
        {
            return KR_ERROR;
        }

        if (value[len] == '\0') {
            return KR_OK;
        }

        value += len + 1;
    }
}


/* A host's name, address or folder of sockets, or a list of several. */
int
kr_set_host(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    if (!kr_printable(value) || strchr(value, ' ') != NULL
        || strstr(value, "://") != NULL)
    {
        snprintf(reason, KR_CONFIG_REASON, "a host's name, its address or a "
                 "folder of sockets is expected");
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


int
kr_set_port(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    long long  n;

    if (kr_number(value, kr_counts, &n) != KR_OK || n < 1
        || n > KR_CONFIG_MAX_PORT)
    {
        snprintf(reason, KR_CONFIG_REASON, "a number from 1 to %d is "
                 "expected", KR_CONFIG_MAX_PORT);
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


/* The name of a role or a database: PostgreSQL would cut a longer one. */
int
kr_set_name(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    if (!kr_printable(value) || strlen(value) > KR_CONFIG_MAX_NAME) {
        snprintf(reason, KR_CONFIG_REASON, "a name of 1 to %d bytes without "
                 "control characters is expected", KR_CONFIG_MAX_NAME);
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


int
kr_set_slot(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    size_t  len;

    len = strlen(value);

    if (len == 0 || len > KR_CONFIG_MAX_NAME
        || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
    {
        snprintf(reason, KR_CONFIG_REASON, "1 to %d characters of a-z, 0-9 "
                 "and _ are expected", KR_CONFIG_MAX_NAME);
        return KR_ERROR;
    }

    return kr_set_string(s, field, value, reason);
}


int
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


int
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


int
kr_set_flag(const kr_setting_t *s, void *field, const char *value,
    char *reason)
{
    size_t  i;

    static const struct {
        const char  *word;
        int          flag;
    } words[] = {
        { "true", 1 }, { "false", 0 }, { "on", 1 }, { "off", 0 },
        { "yes", 1 }, { "no", 0 }, { "1", 1 }, { "0", 0 }
    };

    (void) s;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i].word) == 0) {
            *(int *) field = words[i].flag;
            return KR_OK;
        }
    }

    snprintf(reason, KR_CONFIG_REASON, "true or false is expected");

    return KR_ERROR;
}


int
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


int
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


/* A time, whose unit may be missing: milliseconds. */
int
kr_set_ms(const kr_setting_t *s, void *field, const char *value, char *reason)
{
    char       max[32];
    long long  n;

    if ((kr_number(value, kr_counts, &n) != KR_OK
         && kr_number(value, kr_times, &n) != KR_OK)
        || n < s->min || n > s->max)
    {
        snprintf(reason, KR_CONFIG_REASON, "milliseconds, or a time with its "
                 "unit (ms, s, m, h), from %lld to %s are expected", s->min,
                 kr_print(max, sizeof(max), s->max, kr_times));
        return KR_ERROR;
    }

    *(int *) field = (int) n;

    return KR_OK;
}


int
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


static int
kr_printable(const char *value)
{
    if (*value == '\0') {
        return 0;
    }

    for (/* void */; *value != '\0'; value++) {
        if (iscntrl((unsigned char) *value)) {
            return 0;
        }
    }

    return 1;
}


/* Reads digits and one of the units, nothing else; 0 needs no unit. */
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


/* Writes the number in the largest unit that divides it; returns p. */
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
