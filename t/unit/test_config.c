/* sources: kr_config.c kr_config_table.c kr_config_value.c */
/* sources: kr_config_database.c kr_log.c kr_buf.c */
/* libs: -lpq */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kr_config.h"
#include "kr_log.h"


static const char *const  variables[] = {
    "DATABASE_URL", "HOSTNAME", "DBPORT", "DBUSERNAME", "PASSWORD",
    "DATABASE", "ENABLE_POSTGRES", "KAIROS_CREATE_SLOT", "MAX_CONCURRENCY",
    "FLUSH_INTERVAL", "SLOT", "KAIROS_SOCKET", "KAIROS_SOCKET_GROUP",
    "KAIROS_LOG_LEVEL", "POOL_SIZE", "BATCH_SIZE", "CHUNK_SIZE",
    "KAIROS_STATEMENT_TIMEOUT", "KAIROS_REGISTER_WAIT", "KAIROS_ROUTE_GRACE",
    "KAIROS_SNAPSHOT_MAX", "KAIROS_BACKLOG_MAX", "KAIROS_BACKLOG_TOTAL",
    "KAIROS_EXACT", "KAIROS_STUCK_TIME", "KAIROS_STUCK_WAL"
};

#define VARIABLES  (sizeof(variables) / sizeof(variables[0]))


/* Calls it with up to two arguments; what it writes to fd comes to text. */
static kr_config_result_e
read_config(kr_config_t *cf, const char *a, const char *b, int fd,
    char *text, size_t size)
{
    int                  argc, saved;
    FILE                *tmp;
    char                *argv[4], one[256], two[256];
    size_t               n;
    kr_config_result_e   rc;

    argc = 0;
    argv[argc++] = (char *) "kairos-replicator";

    if (a != NULL) {
        snprintf(one, sizeof(one), "%s", a);
        argv[argc++] = one;
    }

    if (b != NULL) {
        snprintf(two, sizeof(two), "%s", b);
        argv[argc++] = two;
    }

    argv[argc] = NULL;

    tmp = tmpfile();
    assert_non_null(tmp);

    fflush(stdout);
    fflush(stderr);
    saved = dup(fd);
    assert_int_not_equal(dup2(fileno(tmp), fd), -1);

    rc = kr_config_read(cf, argc, argv);

    fflush(stdout);
    fflush(stderr);
    assert_int_not_equal(dup2(saved, fd), -1);
    close(saved);

    rewind(tmp);
    n = fread(text, 1, size - 1, tmp);
    text[n] = '\0';
    fclose(tmp);

    return rc;
}


/* The pairs of "a='1' b='2'" by their keys: libpq's order is its own. */
static const char *
sorted(char *text)
{
    static char  out[1024];

    char        *pairs[16], *p, *swap;
    size_t       i, j, n;

    if (strstr(text, "' ") == NULL) {
        return text;
    }

    n = 0;
    pairs[n++] = text;

    for (p = text; (p = strstr(p, "' ")) != NULL; p += 2) {
        /* not one that is escaped */
        if (p[-1] != '\\' || p[-2] == '\\') {
            p[1] = '\0';
            pairs[n++] = p + 2;
        }
    }

    for (i = 1; i < n; i++) {
        for (j = i; j > 0 && strcmp(pairs[j - 1], pairs[j]) > 0; j--) {
            swap = pairs[j];
            pairs[j] = pairs[j - 1];
            pairs[j - 1] = swap;
        }
    }

    out[0] = '\0';

    for (i = 0; i < n; i++) {
        strcat(out, i != 0 ? " " : "");
        strcat(out, pairs[i]);
    }

    return out;
}


static int
clear(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < VARIABLES; i++) {
        unsetenv(variables[i]);
    }

    return 0;
}


static void
test_defaults(void **state)
{
    char         text[1024];
    kr_config_t  cf;

    (void) state;

    assert_int_equal(read_config(&cf, NULL, NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);

    assert_string_equal(text, "");
    assert_null(cf.database_url);
    assert_null(cf.socket_group);
    assert_string_equal(cf.slot, "kairos");
    assert_string_equal(cf.socket, "/run/kairos/replicator.sock");
    assert_int_equal(cf.log_level, KR_LOG_NOTICE);
    assert_int_equal(cf.pool_size, 10);
    assert_int_equal(cf.max_concurrency, 10);
    assert_int_equal(cf.flush_interval, 0);
    assert_int_equal(cf.exact, 0);
    assert_int_equal(cf.create_slot, 1);
    assert_int_equal(cf.enable_postgres, 1);
    assert_int_equal(cf.statement_timeout, 10000);
    assert_int_equal(cf.snapshot_max, 16 * 1024 * 1024);

    kr_config_free(&cf);
}


static void
test_option_over_variable(void **state)
{
    char         text[1024];
    kr_config_t  cf;

    (void) state;

    setenv("SLOT", "from_env", 1);
    setenv("POOL_SIZE", "", 1);

    assert_int_equal(read_config(&cf, NULL, NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_string_equal(cf.slot, "from_env");
    assert_int_equal(cf.pool_size, 10);
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--slot=from_option", NULL,
                                 STDERR_FILENO, text, sizeof(text)),
                     KR_CONFIG_RUN);
    assert_string_equal(cf.slot, "from_option");
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--slot", "two", STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_string_equal(cf.slot, "two");
    kr_config_free(&cf);
}


static void
test_values(void **state)
{
    char         text[1024];
    size_t       i;
    kr_config_t  cf;

    static const struct {
        const char  *value;
        int          ms;
    } times[] = {
        { "100ms", 100 }, { "1s", 1000 }, { "2m", 120000 }, { "1h", 3600000 }
    };

    (void) state;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(read_config(&cf, "--statement-timeout",
                                     times[i].value, STDERR_FILENO, text,
                                     sizeof(text)), KR_CONFIG_RUN);
        assert_int_equal(cf.statement_timeout, times[i].ms);
        kr_config_free(&cf);
    }

    assert_int_equal(read_config(&cf, "--snapshot-max", "64k", STDERR_FILENO,
                                 text, sizeof(text)), KR_CONFIG_RUN);
    assert_int_equal(cf.snapshot_max, 65536);
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--register-wait", "0", STDERR_FILENO,
                                 text, sizeof(text)), KR_CONFIG_RUN);
    assert_int_equal(cf.register_wait, 0);
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--flush-interval=50",
                                 "--max-concurrency=3", STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_int_equal(cf.flush_interval, 50);
    assert_int_equal(cf.max_concurrency, 3);
    kr_config_free(&cf);

    /* no more jobs than connections */
    assert_int_equal(read_config(&cf, "--flush-interval=2s",
                                 "--max-concurrency=40", STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_int_equal(cf.flush_interval, 2000);
    assert_int_equal(cf.max_concurrency, 10);
    kr_config_free(&cf);
}


/* what the parts and the URL make together */
static void
test_database(void **state)
{
    char         text[1024];
    size_t       i, n;
    kr_config_t  cf;

    static const struct {
        const char  *env[5][2];
        const char  *a;
        const char  *b;
        const char  *expected;
    } cases[] = {

        /* the parts alone */
        { { { "HOSTNAME", "db.example" }, { "DBPORT", "5433" },
            { "DBUSERNAME", "u" }, { "PASSWORD", "it's a \\" },
            { "DATABASE", "app" } }, NULL, NULL,
          "dbname='app' host='db.example' password='it\\'s a \\\\' "
          "port='5433' user='u'" },

        /* a HOSTNAME that stands alone is the machine's */
        { { { "HOSTNAME", "db.example" } }, NULL, NULL, NULL },
        { { { "HOSTNAME", "db.example" }, { "PASSWORD", "x" } }, NULL, NULL,
          "password='x'" },
        { { { "HOSTNAME", "not a host" } }, NULL, NULL, NULL },

        /* they fill what the URL leaves out, no more */
        { { { "HOSTNAME", "a" }, { "PASSWORD", "x" }, { "DBUSERNAME", "u" },
            { "DATABASE_URL", "postgres://v@b/app" } }, NULL, NULL,
          "dbname='app' host='b' password='x' user='v'" },
        { { { "HOSTNAME", "a" }, { "DBPORT", "1" },
            { "DATABASE_URL", "hostaddr=127.0.0.1" } }, NULL, NULL,
          "hostaddr='127.0.0.1' port='1'" },

        /* an option is over all of the environment's */
        { { { "HOSTNAME", "a" }, { "DATABASE", "app" } },
          "--database-url=dbname=other", NULL, "dbname=other" },
        { { { "HOSTNAME", "a" }, { "DATABASE", "app" } },
          "--database=other", NULL, "dbname='other' host='a'" },
        { { { "DATABASE_URL", "postgres://b:1/app" } },
          "--host=c", "--port=2", "dbname='app' host='c' port='2'" },
        { { { "DATABASE_URL", "hostaddr=127.0.0.1 dbname=app" } },
          "--host=c", NULL, "dbname='app' host='c'" },

        /* of several hosts some may have the default's port */
        { { { "DATABASE_URL", "postgres://a:1,b,c:65535/x" } }, NULL, NULL,
          "postgres://a:1,b,c:65535/x" },
        { { { "DATABASE_URL", "ecto://u@b:1/app" } }, NULL, NULL,
          "postgres://u@b:1/app" },
        { { { "DATABASE_URL", "ecto://u@b:1/app" } }, "--port=2", NULL,
          "dbname='app' host='b' port='2' user='u'" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clear(state);

        for (n = 0; n < 5 && cases[i].env[n][0] != NULL; n++) {
            setenv(cases[i].env[n][0], cases[i].env[n][1], 1);
        }

        assert_int_equal(read_config(&cf, cases[i].a, cases[i].b,
                                     STDERR_FILENO, text, sizeof(text)),
                         KR_CONFIG_RUN);
        assert_string_equal(text, "");

        if (cases[i].expected == NULL) {
            assert_null(cf.database_url);

        } else {
            assert_non_null(cf.database_url);
            assert_string_equal(sorted(cf.database_url), cases[i].expected);
        }

        assert_null(cf.password);
        kr_config_free(&cf);
    }
}


/* it is told of where it may be what is missing */
static void
test_ignored_hostname(void **state)
{
    char         text[1024];
    size_t       i;
    kr_config_t  cf;

    static const struct {
        const char  *name;
        const char  *value;
        const char  *option;
        const char  *ignored;
    } cases[] = {
        { "PASSWORD", "x", NULL, "db.example" },
        { "DATABASE_URL", "postgres:///app", NULL, "db.example" },
        { "DATABASE_URL", "postgres://a/app", NULL, NULL },
        { "DATABASE_URL", "hostaddr=127.0.0.1", NULL, NULL },
        { "PGHOST", "a", NULL, NULL },
        { "PASSWORD", "x", "--host=a", NULL },
        { "DATABASE", "app", NULL, NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clear(state);
        setenv("HOSTNAME", "db.example", 1);
        setenv(cases[i].name, cases[i].value, 1);

        assert_int_equal(read_config(&cf, cases[i].option, NULL,
                                     STDERR_FILENO, text, sizeof(text)),
                         KR_CONFIG_RUN);

        if (cases[i].ignored == NULL) {
            assert_null(cf.ignored_host);

        } else {
            assert_non_null(cf.ignored_host);
            assert_string_equal(cf.ignored_host, cases[i].ignored);
        }

        kr_config_free(&cf);
        unsetenv("PGHOST");
    }
}


/* a container's HOSTNAME is its own name, whatever stands beside it */
static void
test_own_hostname(void **state)
{
    char         own[256], text[1024];
    kr_config_t  cf;

    (void) state;

    assert_int_equal(gethostname(own, sizeof(own)), 0);

    setenv("HOSTNAME", own, 1);
    setenv("DATABASE", "app", 1);

    assert_int_equal(read_config(&cf, NULL, NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_string_equal(cf.database_url, "dbname='app'");
    kr_config_free(&cf);

    /* said in an option it is meant */
    assert_int_equal(read_config(&cf, "--host", own, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_RUN);
    assert_non_null(strstr(cf.database_url, own));
    kr_config_free(&cf);
}


static void
test_flags(void **state)
{
    char         text[1024];
    kr_config_t  cf;

    (void) state;

    setenv("KAIROS_CREATE_SLOT", "True", 1);

    assert_int_equal(read_config(&cf, "--no-create-slot", NULL,
                                 STDERR_FILENO, text, sizeof(text)),
                     KR_CONFIG_RUN);
    assert_int_equal(cf.create_slot, 0);
    kr_config_free(&cf);

    setenv("KAIROS_CREATE_SLOT", "off", 1);

    assert_int_equal(read_config(&cf, "--check", NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_CHECK);
    assert_int_equal(cf.create_slot, 0);
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--create-slot", "--check",
                                 STDERR_FILENO, text, sizeof(text)),
                     KR_CONFIG_CHECK);
    assert_int_equal(cf.create_slot, 1);
    kr_config_free(&cf);

    setenv("ENABLE_POSTGRES", "false", 1);

    assert_int_equal(read_config(&cf, NULL, NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_EXIT);
    assert_non_null(strstr(text, "ENABLE_POSTGRES is false"));
    kr_config_free(&cf);

    assert_int_equal(read_config(&cf, "--postgres", NULL, STDERR_FILENO,
                                 text, sizeof(text)), KR_CONFIG_RUN);
    kr_config_free(&cf);
}


/* each wrong value gets one line that names the setting and what is allowed */
static void
test_wrong(void **state)
{
    char         text[1024];
    size_t       i;
    kr_config_t  cf;

    static const struct {
        const char  *a;
        const char  *b;
        const char  *says;
    } cases[] = {
        { "--slot", "Kairos", "cannot take --slot \"Kairos\": 1 to 63" },
        { "--slot", "", "cannot take --slot \"\"" },
        { "--slot", "a-b", "a-z, 0-9 and _" },
        { "--pool-size", "0", "a number from 1 to 100" },
        { "--pool-size", "101", "a number from 1 to 100" },
        { "--pool-size", "ten", "--pool-size \"ten\"" },
        { "--pool-size", "5 ", "a number from 1 to 100" },
        { "--pool-size", "-5", "a number from 1 to 100" },
        { "--pool-size", "99999999999999999999", "a number from 1 to 100" },
        { "--statement-timeout", "10", "a time with its unit" },
        { "--statement-timeout", "0", "from 100ms to 1h" },
        { "--statement-timeout", "99999999999999999h", "from 100ms to 1h" },
        { "--snapshot-max", "16x", "from 64k to 48m" },
        { "--snapshot-max", "64m", "from 64k to 48m" },
        { "--log-level", "loud", "alert, error, warn, notice, info or debug" },
        { "--socket", "", "a path of 1 to 107 bytes" },
        { "--backlog-max", "1g", "BACKLOG_TOTAL 268435456 is less than" },
        { "--port", "0", "a number from 1 to 65535" },
        { "--port", "65536", "--port \"65536\"" },
        { "--host", "postgres://u@h", "a host's name, its address" },
        { "--host", "a b", "a host's name, its address" },
        { "--user", "a\nb", "\"a?b\": a name of 1 to 63 bytes" },
        { "--database", "", "a name of 1 to 63 bytes" },
        { "--password", "", "cannot take --password: TEXT expected" },
        { "--max-concurrency", "0", "a number from 1 to 10000" },
        { "--flush-interval", "11s", "from 0 to 10s are expected" },
        { "--flush-interval", "x", "milliseconds, or a time" },
        { "--create-slot=maybe", NULL, "true or false is expected" },
        { "--no-create-slot=true", NULL, "cannot take the argument" },
        { "--no-slot", "x", "cannot take the argument \"--no-slot\"" },
        { "--slot", NULL, "the option --slot has no value" },
        { "--slotted", "x", "cannot take the argument \"--slotted\"" },
        { "slot", "x", "cannot take the argument \"slot\"" },
        { "-", NULL, "cannot take the argument \"-\"" },
        { "--database-url", "postgres://u:secret%zz@h/x",
          "cannot take --database-url: " },
        { "--database-url", "host=x secret=5", "invalid connection option" },
        { "--database-url", "mysql://u:secret@h/x", "neither a URI that" },
        { "--database-url", "127.0.0.1:5432", "nor key=value pairs" },
        { "--database-url", "postgres://u:secret@h:port/x",
          "its port is not a number from 1 to 65535" },
        { "--database-url", "postgres://u:secret@h:65536/x", "its port" },
        { "--database-url", "postgres://u:secret@a:1,b:0/x", "its port" },
        { "--database-url", "host=h port=00000000000000001", "its port" },
        { "--database-url", "host=h replication=database",
          "it sets \"replication\"" },
        { "--database-url", "ecto://u:secret@h/x?pool_size=5",
          "it has the parameter \"pool_size\", which libpq does not know: "
          "leave it out\n" },
        { "--database-url", "postgres://u:secret@h/x?schema=public",
          "it has the parameter \"schema\", which libpq does not know: leave "
          "it out (options=-csearch_path%3D... sets the schema)\n" },
        { "--database-url",
          "postgres://u:secret@h/x?sslmode=require&connection_limit=5",
          "\"connection_limit\"" },

        /* what may be a piece of the password */
        { "--database-url", "postgres://u:a@b?secret=1@h/x", "\"...\"" },
        { "--database-url", "postgres://h/x?password=a&secret=1", "\"...\"" },
        { "--database-url", "postgres://h/x?passwor%64=a&secret=1",
          "\"...\"" },
        { "--database-url", "postgres://h/x?secret=a&secret@=1", "\"...\"" },
        { "--database-url", "host=x pass\"secret\"x=5", "\"...\"" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_config(&cf, cases[i].a, cases[i].b,
                                     STDERR_FILENO, text, sizeof(text)),
                         KR_CONFIG_BAD);
        kr_config_free(&cf);

        if (strstr(text, cases[i].says) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, text);
        }

        assert_null(strstr(text, "secret"));

        /* one line */
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
}


static void
test_wrong_variable(void **state)
{
    char         text[1024];
    kr_config_t  cf;

    (void) state;

    setenv("CHUNK_SIZE", "many", 1);

    assert_int_equal(read_config(&cf, NULL, NULL, STDERR_FILENO, text,
                                 sizeof(text)), KR_CONFIG_BAD);
    assert_string_equal(text, "kairos-replicator: cannot take CHUNK_SIZE "
                        "\"many\": a number from 1 to 10000 is expected\n");

    kr_config_free(&cf);
}


static void
test_help(void **state)
{
    char         text[8192];
    size_t       i;
    kr_config_t  cf;

    (void) state;

    /* a wrong setting does not stand in the way */
    setenv("POOL_SIZE", "x", 1);

    assert_int_equal(read_config(&cf, "--help", NULL, STDOUT_FILENO, text,
                                 sizeof(text)), KR_CONFIG_EXIT);
    kr_config_free(&cf);

    for (i = 0; i < VARIABLES; i++) {
        assert_non_null(strstr(text, variables[i]));
    }

    assert_int_equal(read_config(&cf, "--version", NULL, STDOUT_FILENO, text,
                                 sizeof(text)), KR_CONFIG_EXIT);
    kr_config_free(&cf);

    assert_non_null(strstr(text, "kairos-replicator "));

    assert_int_equal(read_config(&cf, "--print-setup", NULL, STDOUT_FILENO,
                                 text, sizeof(text)), KR_CONFIG_SETUP);
    kr_config_free(&cf);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_defaults, clear),
        cmocka_unit_test_setup(test_option_over_variable, clear),
        cmocka_unit_test_setup(test_values, clear),
        cmocka_unit_test_setup(test_database, clear),
        cmocka_unit_test_setup(test_ignored_hostname, clear),
        cmocka_unit_test_setup(test_own_hostname, clear),
        cmocka_unit_test_setup(test_flags, clear),
        cmocka_unit_test_setup(test_wrong, clear),
        cmocka_unit_test_setup(test_wrong_variable, clear),
        cmocka_unit_test_setup_teardown(test_help, clear, clear)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
