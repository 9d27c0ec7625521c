/*
 * The mark.  One line of text of a fixed length, overwritten in place with
 * one call: a process that is killed leaves the old line or the new one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/util.h>

#include "kr_log.h"
#include "kr_mark.h"


#define KR_MARK_LINE  256

#define KR_MARK_FORMAT                                                       \
    "kairos 1 %020" PRIu64 " %010" PRIu32 " %-63s %016" PRIx64               \
    " %016" PRIx64 "\n"

#define KR_MARK_SCAN                                                         \
    "kairos 1 %20" SCNu64 " %10" SCNu32 " %63s %16" SCNx64 " %16" SCNx64


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

    if (sscanf(line, KR_MARK_SCAN, &m->origin.system, &m->origin.timeline,
               m->origin.slot, &m->epoch, &m->confirmed)
        != 5)
    {
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
                 m->origin.timeline, m->origin.slot, m->epoch, m->confirmed);

    if (pwrite(m->fd, line, (size_t) n, 0) == n) {
        return;
    }

    /* the old line stays; it is behind the slot, so it will not be believed */
    kr_log(KR_LOG_ERR, "could not write the mark: %s; after a restart clients "
           "will have to subscribe anew", strerror(errno));

    kr_mark_close(m);
}
