/*
 * Keys of numbers.
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kr_value_private.h"


/* a numeric has at most 131072 digits before the point, 16383 after it */
#define KR_VALUE_MAX_EXP  1000000


static int kr_value_int(const char *p, const char *end, uint64_t max,
    kr_buf_t *out);
static int kr_value_float(const char *p, const char *end, int single,
    kr_buf_t *out);
static const char *kr_value_decimal(const char *p, const char *end,
    kr_buf_t *out, long *exp);
static int kr_value_exponent(const char *p, const char *end, long *exp);
static const char *kr_value_special(const char *p, const char *end);


int
kr_value_int2(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_int(p, end, INT16_MAX, out);
}


int
kr_value_int4(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_int(p, end, INT32_MAX, out);
}


int
kr_value_int8(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_int(p, end, INT64_MAX, out);
}


/* The key of an integer from -max - 1 to max. */
static int
kr_value_int(const char *p, const char *end, uint64_t max, kr_buf_t *out)
{
    int          minus;
    uint64_t     n, digit;
    const char  *digits;

    kr_value_trim(&p, &end);
    minus = 0;

    if (p < end && (*p == '-' || *p == '+')) {
        minus = (*p++ == '-');
    }

    while (p + 1 < end && *p == '0') {
        p++;
    }

    if (p == end) {
        return KR_ERROR;
    }

    for (n = 0, digits = p; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return KR_ERROR;
        }

        digit = (uint64_t) (*p - '0');

        if (n > (max + (uint64_t) minus - digit) / 10) {
            return KR_ERROR;
        }

        n = n * 10 + digit;
    }

    if (minus && n != 0) {
        kr_buf_append(out, "-", 1);
    }

    kr_buf_append(out, digits, (size_t) (end - digits));

    return KR_OK;
}


int
kr_value_float4(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_float(p, end, 1, out);
}


int
kr_value_float8(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_float(p, end, 0, out);
}


/*
 * The key of a float: read by strtod(), as in PostgreSQL, and printed with
 * enough digits to differ from every other float.
 */
static int
kr_value_float(const char *p, const char *end, int single, kr_buf_t *out)
{
    char        *copy, *last;
    double       n;
    size_t       len;
    const char  *s;

    kr_value_trim(&p, &end);

    s = kr_value_special(p, end);
    if (s != NULL) {
        kr_buf_str(out, s);
        return KR_OK;
    }

    for (s = p; s < end; s++) {
        if (strchr("0123456789+-.eE", *s) == NULL || *s == '\0') {
            return KR_ERROR;
        }
    }

    /* strtod() needs a '\0': the text is copied to the end of out */
    len = (size_t) (end - p);
    copy = kr_buf_reserve(out, len);

    if (copy == NULL || len == 0) {
        return KR_ERROR;
    }

    memcpy(copy, p, len);
    copy[len] = '\0';

    errno = 0;
    n = single ? (double) strtof(copy, &last) : strtod(copy, &last);

    if (last != copy + len
        || (errno == ERANGE && (fpclassify(n) == FP_ZERO || isinf(n))))
    {
        return KR_ERROR;
    }

    if (fpclassify(n) == FP_ZERO) {
        n = 0;    /* not -0 */
    }

    kr_buf_printf(out, "%.*g", single ? 9 : 17, n);

    return KR_OK;
}


/*
 * The key of a numeric: its digits without zeros at either end, and the
 * exponent that puts the point before the first digit: 150 is 15e3, 0.015 is
 * 15e-1.
 */
int
kr_value_numeric(const char *p, const char *end, kr_buf_t *out)
{
    long         exp, shift;
    size_t       start;
    const char  *special;

    kr_value_trim(&p, &end);

    special = kr_value_special(p, end);
    if (special != NULL) {
        kr_buf_str(out, special);
        return KR_OK;
    }

    start = out->len;

    if (p < end && (*p == '-' || *p == '+')) {
        if (*p++ == '-') {
            kr_buf_append(out, "-", 1);
        }
    }

    p = kr_value_decimal(p, end, out, &exp);
    if (p == NULL) {
        return KR_ERROR;
    }

    shift = 0;

    if (p < end && kr_value_exponent(p, end, &shift) != KR_OK) {
        return KR_ERROR;
    }

    if (out->failed) {
        return KR_ERROR;
    }

    if (out->len == start || out->data[out->len - 1] == '-') {
        out->len = start;
        kr_buf_append(out, "0", 1);
        return KR_OK;
    }

    kr_buf_printf(out, "e%ld", exp + shift);

    return KR_OK;
}


/*
 * Appends the significant digits of "12.50", and sets *exp.  Returns the end
 * of the number; NULL: it has no digit.
 */
static const char *
kr_value_decimal(const char *p, const char *end, kr_buf_t *out, long *exp)
{
    int     point, any;
    size_t  zeros, start;

    *exp = 0;
    point = 0;
    any = 0;
    zeros = 0;
    start = out->len;

    for ( /* void */ ; p < end; p++) {

        if (*p == '.' && !point) {
            point = 1;
            continue;
        }

        if (*p < '0' || *p > '9') {
            break;
        }

        any = 1;

        if (*p == '0' && out->len == start) {
            *exp -= point;     /* a leading zero */
            continue;
        }

        *exp += !point;

        if (*p == '0') {
            zeros++;           /* significant if a digit follows */
            continue;
        }

        for ( /* void */ ; zeros != 0; zeros--) {
            kr_buf_append(out, "0", 1);
        }

        kr_buf_append(out, p, 1);
    }

    return any ? p : NULL;
}


static int
kr_value_exponent(const char *p, const char *end, long *exp)
{
    int   minus;

    if (*p++ != 'e' && p[-1] != 'E') {
        return KR_ERROR;
    }

    minus = 0;

    if (p < end && (*p == '-' || *p == '+')) {
        minus = (*p++ == '-');
    }

    if (p == end) {
        return KR_ERROR;
    }

    for (*exp = 0; p < end; p++) {
        if (*p < '0' || *p > '9' || *exp > KR_VALUE_MAX_EXP) {
            return KR_ERROR;
        }

        *exp = *exp * 10 + (*p - '0');
    }

    if (minus) {
        *exp = -*exp;
    }

    return KR_OK;
}


/* The key of NaN or an infinity, or NULL. */
static const char *
kr_value_special(const char *p, const char *end)
{
    size_t  i, len;

    static const struct {
        const char  *word;
        const char  *key;
    } words[] = {
        { "NaN", "NaN" },
        { "Infinity", "Infinity" }, { "inf", "Infinity" },
        { "+Infinity", "Infinity" }, { "+inf", "Infinity" },
        { "-Infinity", "-Infinity" }, { "-inf", "-Infinity" }
    };

    len = (size_t) (end - p);

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (len == strlen(words[i].word)
            && strncasecmp(p, words[i].word, len) == 0)
        {
            return words[i].key;
        }
    }

    return NULL;
}
