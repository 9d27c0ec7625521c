/*
 * Text of pg_lsn and pg_snapshot to numbers, and the rule of visibility.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kr_buf.h"
#include "kr_lsn.h"


#define KR_XID_MAX_DIGITS  20


static const char *kr_lsn_hex(const char *p, const char *end, uint32_t *n);
static const char *kr_snapshot_xid(const char *p, const char *end,
    uint64_t *xid);
static int kr_snapshot_list(const char *p, const char *end, kr_snapshot_t *s);


int
kr_lsn_parse(const char *text, size_t len, uint64_t *lsn)
{
    uint32_t     high, low;
    const char  *p, *end;

    end = text + len;

    p = kr_lsn_hex(text, end, &high);
    if (p == NULL || p == end || *p != '/') {
        return KR_ERROR;
    }

    p = kr_lsn_hex(p + 1, end, &low);
    if (p != end) {
        return KR_ERROR;
    }

    *lsn = (uint64_t) high << 32 | low;

    return KR_OK;
}


void
kr_lsn_format(char *p, uint64_t lsn)
{
    (void) snprintf(p, KR_LSN_LEN + 1, "%" PRIX32 "/%" PRIX32,
                    (uint32_t) (lsn >> 32), (uint32_t) lsn);
}


/*
 * Checks the snapshot as pg_snapshot's own input function does: the list must
 * ascend and lie within [xmin, xmax).
 */
int
kr_snapshot_parse(const char *text, size_t len, kr_snapshot_t *s)
{
    const char  *p, *end;

    memset(s, 0, sizeof(kr_snapshot_t));

    end = text + len;

    p = kr_snapshot_xid(text, end, &s->xmin);
    if (p == NULL || p == end || *p != ':') {
        return KR_ERROR;
    }

    p = kr_snapshot_xid(p + 1, end, &s->xmax);
    if (p == NULL || p == end || *p != ':') {
        return KR_ERROR;
    }

    if (s->xmin == 0 || s->xmin > s->xmax) {
        return KR_ERROR;
    }

    if (kr_snapshot_list(p + 1, end, s) != KR_OK) {
        kr_snapshot_free(s);
        return KR_ERROR;
    }

    return KR_OK;
}


void
kr_snapshot_free(kr_snapshot_t *s)
{
    free(s->xip);
    memset(s, 0, sizeof(kr_snapshot_t));
}


int
kr_snapshot_copy(kr_snapshot_t *to, const kr_snapshot_t *from)
{
    *to = *from;

    if (from->nxip == 0) {
        to->xip = NULL;
        return KR_OK;
    }

    to->xip = malloc(from->nxip * sizeof(uint64_t));

    if (to->xip == NULL) {
        memset(to, 0, sizeof(kr_snapshot_t));
        return KR_ERROR;
    }

    memcpy(to->xip, from->xip, from->nxip * sizeof(uint64_t));

    return KR_OK;
}


int
kr_snapshot_sees(const kr_snapshot_t *s, uint32_t xid)
{
    size_t    low, high, mid;
    uint64_t  full;

    /*
     * The signed distance of the low halves is the shortest way around the
     * circle of 2^32; PostgreSQL keeps live xids within half of the circle.
     * There is no epoch before 0: an xid that would fall before it becomes a
     * number beyond xmax, which is not visible.
     */
    full = s->xmax + (uint64_t) (int64_t) (int32_t)
                                (xid - (uint32_t) s->xmax);

    if (full >= s->xmax) {
        return 0;
    }

    if (full < s->xmin) {
        return 1;
    }

    low = 0;
    high = s->nxip;

    while (low < high) {
        mid = low + (high - low) / 2;

        if (s->xip[mid] == full) {
            return 0;
        }

        if (s->xip[mid] < full) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return 1;
}


/* Reads one to eight hexadecimal digits; returns their end, or NULL. */
static const char *
kr_lsn_hex(const char *p, const char *end, uint32_t *n)
{
    uint32_t     digit;
    const char  *start;

    *n = 0;

    for (start = p; p < end; p++) {

        if (*p >= '0' && *p <= '9') {
            digit = (uint32_t) (*p - '0');

        } else if (*p >= 'A' && *p <= 'F') {
            digit = (uint32_t) (*p - 'A') + 10;

        } else if (*p >= 'a' && *p <= 'f') {
            digit = (uint32_t) (*p - 'a') + 10;

        } else {
            break;
        }

        if (p - start == 8) {
            return NULL;
        }

        *n = *n << 4 | digit;
    }

    return p == start ? NULL : p;
}


/* Reads a decimal xid8; returns the end of its digits, or NULL. */
static const char *
kr_snapshot_xid(const char *p, const char *end, uint64_t *xid)
{
    uint64_t     digit;
    const char  *start;

    *xid = 0;

    for (start = p; p < end && *p >= '0' && *p <= '9'; p++) {
        digit = (uint64_t) (*p - '0');

        if (p - start == KR_XID_MAX_DIGITS
            || *xid > (UINT64_MAX - digit) / 10)
        {
            return NULL;
        }

        *xid = *xid * 10 + digit;
    }

    return p == start ? NULL : p;
}


static int
kr_snapshot_list(const char *p, const char *end, kr_snapshot_t *s)
{
    size_t       n;
    uint64_t     last, xid;
    const char  *comma;

    if (p == end) {
        return KR_OK;
    }

    for (n = 1, comma = p; comma < end; comma++) {
        n += (*comma == ',');
    }

    s->xip = malloc(n * sizeof(uint64_t));
    if (s->xip == NULL) {
        return KR_ERROR;
    }

    for (last = 0; /* void */ ; last = xid) {

        p = kr_snapshot_xid(p, end, &xid);
        if (p == NULL || xid < s->xmin || xid >= s->xmax || xid <= last) {
            return KR_ERROR;
        }

        s->xip[s->nxip++] = xid;

        if (p == end) {
            return KR_OK;
        }

        if (*p != ',') {
            return KR_ERROR;
        }

        p++;
    }
}
