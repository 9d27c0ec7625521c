/*
 * The log.  A line is built whole and written with one call, so that the
 * lines of several processes on one pipe do not mix.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "kr_log.h"


#define KR_LOG_LINE  2048


static size_t kr_log_head(char *p, size_t size, kr_log_level_e level);


static const char *const  kr_log_names[] = {
    "alert", "error", "warn", "notice", "info", "debug"
};

#define KR_LOG_LEVELS  (int) (sizeof(kr_log_names) / sizeof(kr_log_names[0]))


/* this program's only global variable: every file may log */
static kr_log_level_e  kr_log_max = KR_LOG_NOTICE;


void
kr_log_set_level(kr_log_level_e level)
{
    kr_log_max = level;
}


int
kr_log_level(const char *name)
{
    int  i;

    for (i = 0; i < KR_LOG_LEVELS; i++) {
        if (strcmp(kr_log_names[i], name) == 0) {
            return i;
        }
    }

    return -1;
}


void
kr_log(kr_log_level_e level, const char *fmt, ...)
{
    int      n;
    char     line[KR_LOG_LINE];
    size_t   i, len;
    va_list  args;

    if (level > kr_log_max) {
        return;
    }

    len = kr_log_head(line, sizeof(line), level);

    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof(line) - len, fmt, args);
    va_end(args);

    if (n < 0) {
        return;
    }

    i = len;
    len += (size_t) n;

    if (len > sizeof(line) - 1) {
        len = sizeof(line) - 1;
    }

    /* bytes of a peer must not begin a line or move a terminal's cursor */
    for ( /* void */ ; i < len; i++) {
        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }

    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }

    line[len++] = '\n';

    if (write(STDERR_FILENO, line, len) < 0) {
        /* stderr is the only log, so its failure cannot be reported */
        return;
    }
}


void
kr_no_memory(const char *what)
{
    kr_log(KR_LOG_ALERT, "no memory for %s, the process ends", what);

    _exit(1);
}


/* "2026/01/31 12:00:00.123 [notice] 4711: " */
static size_t
kr_log_head(char *p, size_t size, kr_log_level_e level)
{
    size_t          len;
    struct tm       tm;
    struct timeval  tv;

    gettimeofday(&tv, NULL);
    localtime_r(&tv.tv_sec, &tm);

    len = strftime(p, size, "%Y/%m/%d %H:%M:%S", &tm);

    return len + (size_t) snprintf(p + len, size - len, ".%03d [%s] %d: ",
                                   (int) (tv.tv_usec / 1000),
                                   kr_log_names[level], (int) getpid());
}
