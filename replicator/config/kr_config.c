/*
 * The settings: defaults, replaced by the environment, replaced by options.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kairos_version.h"
#include "kr_config_private.h"
#include "kr_log.h"


#define KR_CONFIG_LINE  1024


static kr_config_result_e kr_config_informs(int argc, char **argv);
static int kr_config_defaults(kr_config_t *cf);
static int kr_config_env(kr_config_t *cf);
static int kr_config_variable(kr_config_t *cf, const kr_setting_t *s,
    const char *value);
static kr_config_result_e kr_config_options(kr_config_t *cf, int argc,
    char **argv);
static int kr_config_option(kr_config_t *cf, char *arg, char **next);
static const kr_setting_t *kr_config_find(const char *name, size_t len,
    const char **value);
static int kr_config_set(kr_config_t *cf, const kr_setting_t *s,
    const char *name, const char *value);
static int kr_config_together(kr_config_t *cf);
static void kr_config_help(void);
static void kr_config_bad(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


kr_config_result_e
kr_config_read(kr_config_t *cf, int argc, char **argv)
{
    kr_config_result_e  rc;

    memset(cf, 0, sizeof(kr_config_t));

    /* --help, --version and --print-setup work with wrong settings, too */
    rc = kr_config_informs(argc, argv);
    if (rc != KR_CONFIG_RUN) {
        return rc;
    }

    if (kr_config_defaults(cf) != KR_OK || kr_config_env(cf) != KR_OK) {
        return KR_CONFIG_BAD;
    }

    rc = kr_config_options(cf, argc, argv);
    if (rc == KR_CONFIG_BAD) {
        return rc;
    }

    if (kr_config_together(cf) != KR_OK) {
        return KR_CONFIG_BAD;
    }

    if (rc == KR_CONFIG_EXIT) {
        printf("the settings are good\n");
        return rc;
    }

    kr_log_set_level((kr_log_level_e) cf->log_level);

    if (!cf->enable_postgres) {
        kr_log(KR_LOG_NOTICE, "ENABLE_POSTGRES is false, there is nothing to "
               "do");
        return KR_CONFIG_EXIT;
    }

    return rc;
}


void
kr_config_free(kr_config_t *cf)
{
    free(cf->database_url);
    free(cf->host);
    free(cf->port);
    free(cf->user);
    free(cf->password);
    free(cf->dbname);
    free(cf->ignored_host);
    free(cf->slot);
    free(cf->socket);
    free(cf->socket_group);

    memset(cf, 0, sizeof(kr_config_t));
}


/*
 * EXIT: --help or --version is given, and its text is printed.  SETUP: the
 * caller prints the SQL.  RUN: none of them is given.
 */
static kr_config_result_e
kr_config_informs(int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            kr_config_help();
            return KR_CONFIG_EXIT;
        }

        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            printf("kairos-replicator %s\n", KAIROS_VERSION);
            return KR_CONFIG_EXIT;
        }

        if (strcmp(argv[i], "--print-setup") == 0) {
            return KR_CONFIG_SETUP;
        }
    }

    return KR_CONFIG_RUN;
}


static int
kr_config_defaults(kr_config_t *cf)
{
    const kr_setting_t  *s;

    for (s = kr_settings; s->env != NULL; s++) {
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
    const char          *value;
    const kr_setting_t  *s;

    for (s = kr_settings; s->env != NULL; s++) {
        value = getenv(s->env);

        if (value == NULL || *value == '\0') {
            continue;
        }

        if (kr_config_variable(cf, s, value) != KR_OK) {
            return KR_ERROR;
        }
    }

    if (kr_config_database(cf, 0) != KR_OK) {
        kr_config_bad("no memory");
        return KR_ERROR;
    }

    return KR_OK;
}


static int
kr_config_variable(kr_config_t *cf, const kr_setting_t *s, const char *value)
{
    if (s->set == kr_set_host && !kr_config_is_database(value)) {

        if (kr_config_ignore_host(cf, value) != KR_OK) {
            kr_config_bad("no memory");
            return KR_ERROR;
        }

        return KR_OK;
    }

    return kr_config_set(cf, s, s->env, value);
}


/*
 * Reads the options: "--name value" and "--name=value"; for a flag "--name"
 * and "--no-name".
 */
static kr_config_result_e
kr_config_options(kr_config_t *cf, int argc, char **argv)
{
    int                 i;
    kr_config_result_e  rc;

    rc = KR_CONFIG_RUN;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "--check") == 0) {
            rc = KR_CONFIG_CHECK;
            continue;
        }

        if (strcmp(argv[i], "--test") == 0 || strcmp(argv[i], "-t") == 0) {
            rc = KR_CONFIG_EXIT;
            continue;
        }

        switch (kr_config_option(cf, argv[i], &argv[i + 1])) {

        case KR_OK:
            break;

        case KR_AGAIN:
            i++;
            break;

        default:
            return KR_CONFIG_BAD;
        }
    }

    if (kr_config_database(cf, 1) != KR_OK
        || kr_config_check_ignored(cf) != KR_OK)
    {
        kr_config_bad("no memory");
        return KR_CONFIG_BAD;
    }

    return rc;
}


/*
 * Reads one option.  KR_OK; KR_AGAIN: *next was its value; KR_ERROR: the fault
 * is on stderr.
 */
static int
kr_config_option(kr_config_t *cf, char *arg, char **next)
{
    int                  rc;
    size_t               len;
    const char          *value;
    const kr_setting_t  *s;

    len = strcspn(arg, "=");
    s = kr_config_find(arg, len, &value);

    if (s == NULL) {
        kr_config_bad("cannot take the argument \"%.*s\", --help lists all "
                      "options", (int) len, arg);
        return KR_ERROR;
    }

    rc = KR_OK;

    if (arg[len] == '=') {
        value = arg + len + 1;
        arg[len] = '\0';

    } else if (value == NULL) {
        value = *next;
        rc = KR_AGAIN;
    }

    if (value == NULL) {
        kr_config_bad("the option %s has no value", arg);
        return KR_ERROR;
    }

    if (kr_config_set(cf, s, arg, value) != KR_OK) {
        return KR_ERROR;
    }

    return rc;
}


/*
 * An option's setting by its "--name", or NULL.  *value: for a flag "true" or
 * "false", the value of the option without "="; else NULL.
 */
static const kr_setting_t *
kr_config_find(const char *name, size_t len, const char **value)
{
    const kr_setting_t  *s;

    if (len < 2 || name[0] != '-' || name[1] != '-') {
        return NULL;
    }

    name += 2;
    len -= 2;

    for (s = kr_settings; s->env != NULL; s++) {
        *value = (s->set == kr_set_flag) ? "true" : NULL;

        if (strlen(s->option) == len && strncmp(s->option, name, len) == 0) {
            return s;
        }

        if (s->set == kr_set_flag && len > 3 && strncmp(name, "no-", 3) == 0
            && strlen(s->option) == len - 3
            && strncmp(s->option, name + 3, len - 3) == 0)
        {
            *value = "false";
            return (name[len] == '=') ? NULL : s;
        }
    }

    return NULL;
}


/*
 * Stores a setting's value.  name: the variable or option, for the message.
 * KR_OK; KR_ERROR: the fault is on stderr.
 */
static int
kr_config_set(kr_config_t *cf, const kr_setting_t *s, const char *name,
    const char *value)
{
    char  reason[KR_CONFIG_REASON];

    if (s->set(s, (char *) cf + s->offset, value, reason) == KR_OK) {
        return KR_OK;
    }

    /* these values may contain a password */
    if (s->set == kr_set_url || s->set == kr_set_secret) {
        kr_config_bad("cannot take %s: %s", name, reason);

    } else {
        kr_config_bad("cannot take %s \"%s\": %s", name, value, reason);
    }

    return KR_ERROR;
}


/* Limits settings by others.  KR_ERROR: two of them contradict each other. */
static int
kr_config_together(kr_config_t *cf)
{
    if (cf->max_concurrency == 0 || cf->max_concurrency > cf->pool_size) {
        cf->max_concurrency = cf->pool_size;
    }

    if (cf->backlog_total < cf->backlog_max) {
        kr_config_bad("KAIROS_BACKLOG_TOTAL %zu is less than "
                      "KAIROS_BACKLOG_MAX %zu",
                      cf->backlog_total, cf->backlog_max);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_config_help(void)
{
    const kr_setting_t  *s;

    printf("usage: kairos-replicator [--check | --test | --print-setup]"
           " [option value] ...\n\n"
           "Reads a logical replication slot of PostgreSQL and tells "
           "nginx's kairos module\nwhat changed in the rows that its "
           "clients watch.  Every setting has a variable of\nthe "
           "environment; the option has precedence.\n\n"
           "  --check\n      connects, says what is right and what is not, "
           "and ends\n"
           "  --test, -t\n      reads the settings and ends\n"
           "  --print-setup\n      prints SQL by which DDL is noticed at "
           "once, and ends\n"
           "  --help, -h\n      prints this text\n"
           "  --version, -V\n      prints the version\n\n");

    for (s = kr_settings; s->env != NULL; s++) {
        if (s->set == kr_set_flag) {
            printf("  --%s, --no-%s, %s\n      %s\n", s->option, s->option,
                   s->env, s->help);

        } else {
            printf("  --%s %s, %s\n      %s\n", s->option, s->arg, s->env,
                   s->help);
        }

        if (s->dflt != NULL) {
            printf("      default: %s\n", s->dflt);
        }
    }

    printf("\nTimes: 500ms, 10s, 1m, 2h.  Sizes in bytes: 65536, 64k, 16m, "
           "1g.\nStatus: 0 after SIGTERM or SIGINT, and if --check found "
           "all well; 1 if the start\nfailed or --check found a fault; 2 "
           "for a wrong setting.\n");
}


/* Writes a fault to stderr, as one line: control characters become '?'. */
static void
kr_config_bad(const char *fmt, ...)
{
    char     *p, text[KR_CONFIG_LINE];
    va_list   args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    for (p = text; *p != '\0'; p++) {
        if (iscntrl((unsigned char) *p)) {
            *p = '?';
        }
    }

    fprintf(stderr, "kairos-replicator: %s\n", text);
}
