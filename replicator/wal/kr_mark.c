/*
 * The mark.  One line of text of a fixed length, overwritten in place with
 * one call: a process that is killed leaves the old line or the new one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/util.h>

#include "kr_buf.h"
#include "kr_log.h"
#include "kr_mark.h"


#define KR_MARK_LINE  256

#define KR_MARK_HEAD  "kairos 1 "

#define KR_MARK_FORMAT                                                       \
    KR_MARK_HEAD "%020" PRIu64 " %010" PRIu32 " %016" PRIx64 " %016" PRIx64  \
    " %-63s\n"


static int kr_mark_parse(kr_mark_t *m, char *line);
static int kr_mark_number(char **line, int base, uint64_t *number);
static int kr_mark_same(const kr_mark_t *m, const kr_origin_t *o);
static void kr_mark_write(kr_mark_t *m);


void
kr_mark_open(kr_mark_t *m, const char *path)
{
    char     line[KR_MARK_LINE];
    ssize_t  n;

    memset(m, 0, sizeof(kr_mark_t));

    m->fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (m->fd == -1) {
        kr_log(KR_LOG_WARN, "could not open \"%s\": %s; after a restart "
               "clients will have to subscribe anew", path, strerror(errno));
        return;
    }

    n = pread(m->fd, line, sizeof(line) - 1, 0);
    if (n <= 0) {
        return;
    }

    line[n] = '\0';

    if (kr_mark_parse(m, line) != KR_OK) {
        kr_log(KR_LOG_WARN, "\"%s\" is not a mark of this program, it is "
               "written anew", path);

        memset(&m->origin, 0, sizeof(kr_origin_t));
        m->epoch = 0;
        m->confirmed = 0;
    }
}


uint64_t
kr_mark_begin(kr_mark_t *m, const kr_origin_t *o, uint64_t lsn, uint64_t end,
    int created)
{
    if (!created && m->epoch != 0 && kr_mark_same(m, o)
        && lsn <= m->confirmed && m->confirmed <= end)
    {
        return m->epoch;
    }

    if (m->epoch != 0) {
        kr_log(KR_LOG_WARN, "the slot is not where this program left it, "
               "changes may be missing: clients have to subscribe anew");
    }

    /* never the same again, nor guessed, nor 0 */
    do {
        evutil_secure_rng_get_bytes(&m->epoch, sizeof(m->epoch));
    } while (m->epoch == 0);

    m->origin = *o;
    m->confirmed = lsn;

    kr_mark_write(m);

    return m->epoch;
}


void
kr_mark_confirm(kr_mark_t *m, uint64_t lsn)
{
    if (lsn <= m->confirmed) {
        return;
    }

    m->confirmed = lsn;
    kr_mark_write(m);
}


void
kr_mark_close(kr_mark_t *m)
{
    if (m->fd != -1) {
        close(m->fd);
        m->fd = -1;
    }
}


static int
kr_mark_parse(kr_mark_t *m, char *line)
{
    size_t    len;
    uint64_t  timeline;

    if (strncmp(line, KR_MARK_HEAD, sizeof(KR_MARK_HEAD) - 1) != 0
        || strchr(line, '\n') == NULL)
    {
        return KR_ERROR;
    }

    line += sizeof(KR_MARK_HEAD) - 1;

    if (kr_mark_number(&line, 10, &m->origin.system) != KR_OK
        || kr_mark_number(&line, 10, &timeline) != KR_OK
        || kr_mark_number(&line, 16, &m->epoch) != KR_OK
        || kr_mark_number(&line, 16, &m->confirmed) != KR_OK)
    {
        return KR_ERROR;
    }

    len = strcspn(line, " \n");

    if (len == 0 || len >= sizeof(m->origin.slot)) {
        return KR_ERROR;
    }

    m->origin.timeline = (uint32_t) timeline;
    memcpy(m->origin.slot, line, len);
    m->origin.slot[len] = '\0';

    return KR_OK;
}


/* a number and the blank after it */
static int
kr_mark_number(char **line, int base, uint64_t *number)
{
    char  *end;

    errno = 0;
    *number = strtoull(*line, &end, base);

    if (end == *line || *end != ' ' || errno != 0) {
        return KR_ERROR;
    }

    *line = end + 1;

    return KR_OK;
}


static int
kr_mark_same(const kr_mark_t *m, const kr_origin_t *o)
{
    return m->origin.system == o->system
           && m->origin.timeline == o->timeline
           && strcmp(m->origin.slot, o->slot) == 0;
}


static void
kr_mark_write(kr_mark_t *m)
{
    int   n;
    char  line[KR_MARK_LINE];

    if (m->fd == -1) {
        return;
    }

    n = snprintf(line, sizeof(line), KR_MARK_FORMAT, m->origin.system,
                 m->origin.timeline, m->epoch, m->confirmed, m->origin.slot);

    if (pwrite(m->fd, line, (size_t) n, 0) == n) {
        return;
    }

    /* the old line stays; it is behind the slot, so it will not be believed */
    kr_log(KR_LOG_ERR, "could not write the mark: %s; after a restart clients "
           "will have to subscribe anew", strerror(errno));

    kr_mark_close(m);
}
