/*
 * The database given in parts: HOSTNAME, DBPORT, DBUSERNAME, PASSWORD and
 * DATABASE, beside or instead of DATABASE_URL.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "kr_config_private.h"


typedef struct {
    const char  *keyword;     /* libpq's */
    size_t       offset;
} kr_part_t;


static const kr_part_t  kr_parts[] = {
    { "host", offsetof(kr_config_t, host) },
    { "port", offsetof(kr_config_t, port) },
    { "user", offsetof(kr_config_t, user) },
    { "password", offsetof(kr_config_t, password) },
    { "dbname", offsetof(kr_config_t, dbname) },
    { NULL, 0 }
};


static int kr_config_has_parts(const kr_config_t *cf);
static const char *kr_config_value(const kr_config_t *cf,
    const PQconninfoOption *all, const PQconninfoOption *o, int over);
static const char *kr_config_part(const kr_config_t *cf,
    const char *keyword);
static const char *kr_config_given(const PQconninfoOption *all,
    const char *keyword);
static void kr_config_pair(kr_buf_t *out, const char *keyword,
    const char *value);


/* Shells and containers set HOSTNAME to the name of their own machine. */
int
kr_config_is_database(const char *hostname)
{
    char         own[HOST_NAME_MAX + 1];
    size_t       i;
    const char  *value;

    static const char *const  others[] = {
        "DBUSERNAME", "DATABASE", "DBPORT", NULL
    };

    for (i = 0; others[i] != NULL; i++) {
        value = getenv(others[i]);
        if (value != NULL && *value != '\0') {
            break;
        }
    }

    if (others[i] == NULL) {
        return 0;
    }

    if (gethostname(own, sizeof(own)) != 0) {
        return 1;
    }

    own[HOST_NAME_MAX] = '\0';

    return strcasecmp(own, hostname) != 0;
}


int
kr_config_ignore_host(kr_config_t *cf, const char *hostname)
{
    cf->ignored_host = strdup(hostname);

    return cf->ignored_host != NULL ? KR_OK : KR_ERROR;
}


int
kr_config_check_ignored(kr_config_t *cf)
{
    int                named;
    const char        *value;
    PQconninfoOption  *all;

    if (cf->ignored_host == NULL) {
        return KR_OK;
    }

    all = PQconninfoParse(cf->database_url != NULL ? cf->database_url : "",
                          NULL);
    if (all == NULL) {
        return KR_ERROR;
    }

    value = getenv("PGHOST");

    named = (value != NULL && *value != '\0')
            || kr_config_given(all, "host") != NULL
            || kr_config_given(all, "hostaddr") != NULL
            || kr_config_given(all, "service") != NULL;

    PQconninfoFree(all);

    if (named) {
        free(cf->ignored_host);
        cf->ignored_host = NULL;
    }

    return KR_OK;
}


int
kr_config_database(kr_config_t *cf, int over)
{
    char              *field;
    kr_buf_t           out;
    const kr_part_t   *p;
    PQconninfoOption  *all, *o;

    if (!kr_config_has_parts(cf)) {
        return KR_OK;
    }

    all = PQconninfoParse(cf->database_url != NULL ? cf->database_url : "",
                          NULL);
    if (all == NULL) {
        return KR_ERROR;
    }

    memset(&out, 0, sizeof(kr_buf_t));

    for (o = all; o->keyword != NULL; o++) {
        kr_config_pair(&out, o->keyword, kr_config_value(cf, all, o, over));
    }

    PQconninfoFree(all);

    if (out.failed) {
        kr_buf_free(&out);
        return KR_ERROR;
    }

    free(cf->database_url);
    cf->database_url = out.data;

    for (p = kr_parts; p->keyword != NULL; p++) {
        field = (char *) cf + p->offset;
        free(*(char **) field);
        *(char **) field = NULL;
    }

    return KR_OK;
}


static int
kr_config_has_parts(const kr_config_t *cf)
{
    const kr_part_t  *p;

    for (p = kr_parts; p->keyword != NULL; p++) {
        if (kr_config_part(cf, p->keyword) != NULL) {
            return 1;
        }
    }

    return 0;
}


/* The value of libpq's keyword, or NULL; hostaddr counts as a host, too. */
static const char *
kr_config_value(const kr_config_t *cf, const PQconninfoOption *all,
    const PQconninfoOption *o, int over)
{
    const char  *part;

    part = kr_config_part(cf, o->keyword);

    if (over) {
        if (strcmp(o->keyword, "hostaddr") == 0
            && kr_config_part(cf, "host") != NULL)
        {
            return NULL;
        }

        return (part != NULL) ? part : o->val;
    }

    if (o->val != NULL
        || (strcmp(o->keyword, "host") == 0
            && kr_config_given(all, "hostaddr") != NULL))
    {
        return o->val;
    }

    return part;
}


static const char *
kr_config_part(const kr_config_t *cf, const char *keyword)
{
    const kr_part_t  *p;

    for (p = kr_parts; p->keyword != NULL; p++) {
        if (strcmp(p->keyword, keyword) == 0) {
            return *(char *const *) ((const char *) cf + p->offset);
        }
    }

    return NULL;
}


static const char *
kr_config_given(const PQconninfoOption *all, const char *keyword)
{
    const PQconninfoOption  *o;

    for (o = all; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0) {
            return o->val;
        }
    }

    return NULL;
}


static void
kr_config_pair(kr_buf_t *out, const char *keyword, const char *value)
{
    if (value == NULL) {
        return;
    }

    kr_buf_printf(out, "%s%s='", (out->len != 0) ? " " : "", keyword);

    for (/* void */; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\') {
            kr_buf_append(out, "\\", 1);
        }

        kr_buf_append(out, value, 1);
    }

    kr_buf_append(out, "'", 1);
}
