/*
 * Bytes whose order is PostgreSQL's order of the values, made from the keys of
 * kr_value.c, so that their form needs no check.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_value.h"


/* more than the exponent or the year of any value */
#define KR_ORDER_BIAS  0x40000000


typedef void (*kr_order_pt)(const char *p, const char *end, kr_buf_t *out);

typedef struct {
    uint32_t       type;
    kr_order_pt    order;
} kr_order_type_t;


static void kr_order_int(const char *p, const char *end, kr_buf_t *out);
static void kr_order_float(const char *p, const char *end, kr_buf_t *out);
static void kr_order_numeric(const char *p, const char *end, kr_buf_t *out);
static void kr_order_digits(const char *p, const char *digits,
    const char *end, kr_buf_t *out);
static void kr_order_moment(const char *p, const char *end, kr_buf_t *out);
static void kr_order_number(kr_buf_t *out, uint64_t n, int bytes);


/* for other types the key itself has the right order */
static const kr_order_type_t  kr_order_types[] = {
    {   20, kr_order_int },
    {   21, kr_order_int },
    {   23, kr_order_int },
    {  700, kr_order_float },
    {  701, kr_order_float },
    { 1082, kr_order_moment },
    { 1114, kr_order_moment },
    { 1184, kr_order_moment },
    { 1700, kr_order_numeric },
    {    0, NULL }
};


int
kr_value_order(uint32_t type, const char *text, size_t len, kr_buf_t *out)
{
    int                     rc;
    kr_buf_t                key;
    const kr_order_type_t  *ot;

    for (ot = kr_order_types; ot->order != NULL; ot++) {
        if (ot->type == type) {
            break;
        }
    }

    if (ot->order == NULL) {
        return kr_value_key(type, text, len, out);
    }

    memset(&key, 0, sizeof(key));

    rc = kr_value_key(type, text, len, &key);

    if (rc == KR_OK) {
        ot->order(key.data, key.data + key.len, out);
        rc = out->failed ? KR_ERROR : KR_OK;

    } else if (key.failed) {
        out->failed = 1;
    }

    kr_buf_free(&key);

    return rc;
}


int
kr_value_compare(uint32_t type, const kr_str_t *a, const kr_str_t *b,
    int *result)
{
    int       rc;
    kr_buf_t  first, second;

    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));

    rc = kr_value_order(type, a->data, a->len, &first);

    if (rc == KR_OK) {
        rc = kr_value_order(type, b->data, b->len, &second);
    }

    if (rc == KR_OK) {
        *result = kr_value_bytes(first.data, first.len, second.data,
                                 second.len);
    }

    kr_buf_free(&first);
    kr_buf_free(&second);

    return rc;
}


int
kr_value_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
    int  rc;

    rc = memcmp(a, b, alen < blen ? alen : blen);

    if (rc == 0 && alen != blen) {
        rc = alen < blen ? -1 : 1;
    }

    return rc;
}


static void
kr_order_int(const char *p, const char *end, kr_buf_t *out)
{
    int       minus;
    uint64_t  n;

    minus = (*p == '-');

    for (n = 0, p += minus; p < end; p++) {
        n = n * 10 + (uint64_t) (*p - '0');
    }

    n = minus ? 0 - n : n;
    kr_order_number(out, n ^ (uint64_t) 1 << 63, 8);
}


/* Appends a float's bytes: all bits of a negative number are inverted. */
static void
kr_order_float(const char *p, const char *end, kr_buf_t *out)
{
    double    d;
    uint64_t  n;

    (void) end;     /* a key ends with '\0' */

    if (*p == 'N') {
        /* strtod()'s NaN may have a sign */
        kr_order_number(out, UINT64_MAX, 8);
        return;
    }

    d = strtod(p, NULL);
    memcpy(&n, &d, sizeof(n));

    n = n >> 63 ? ~n : n | (uint64_t) 1 << 63;
    kr_order_number(out, n, 8);
}


/* Appends a numeric, "-15e3", as its sign's class, exponent and digits. */
static void
kr_order_numeric(const char *p, const char *end, kr_buf_t *out)
{
    static const struct {
        const char  *key;
        const char  *bytes;
    } words[] = {
        { "-Infinity", "0" }, { "0", "2" }, { "Infinity", "4" },
        { "NaN", "5" }
    };

    size_t  i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(p, words[i].key) == 0) {
            kr_buf_str(out, words[i].bytes);
            return;
        }
    }

    if (*p == '-') {
        kr_buf_str(out, "1");
        kr_order_digits(p, p + 1, end, out);

    } else {
        kr_buf_str(out, "3");
        kr_order_digits(p, p, end, out);
    }
}


/* Appends exponent and digits; if p is before digits, there is a sign. */
static void
kr_order_digits(const char *p, const char *digits, const char *end,
    kr_buf_t *out)
{
    int            minus;
    char           ch;
    uint64_t       exp;
    const char    *s;
    unsigned char  flip;

    minus = (p != digits);
    flip = minus ? 0xff : 0;
    s = memchr(digits, 'e', (size_t) (end - digits));

    if (s == NULL) {
        s = end;        /* cannot happen: a key has an exponent */
    }

    exp = (uint64_t) (KR_ORDER_BIAS + (s < end ? strtol(s + 1, NULL, 10)
                                               : 0));

    kr_order_number(out, minus ? ~exp : exp, 4);

    for (p = digits; p < s; p++) {
        ch = (char) ((unsigned char) *p ^ flip);
        kr_buf_append(out, &ch, 1);
    }

    if (minus) {
        /* -1 is greater than -1.2 */
        kr_buf_append(out, "\xff", 1);
    }
}


/* Appends the year, negative before Christ, then the text behind the year. */
static void
kr_order_moment(const char *p, const char *end, kr_buf_t *out)
{
    long   year;
    char  *rest;

    if (*p == 'i' || *p == '-') {
        kr_buf_str(out, *p == 'i' ? "2" : "0");
        return;
    }

    /* strtol() stops at LONG_MAX, and no value has such a year */
    year = strtol(p, &rest, 10);
    year = year > KR_ORDER_BIAS ? KR_ORDER_BIAS : year;

    if (end[-1] == 'C') {
        year = 1 - year;
        end -= 3;
    }

    kr_buf_str(out, "1");
    kr_order_number(out, (uint64_t) (KR_ORDER_BIAS + year), 4);
    kr_buf_append(out, rest, (size_t) (end - rest));
}


/* Appends the lowest bytes of a number, the most significant one first. */
static void
kr_order_number(kr_buf_t *out, uint64_t n, int bytes)
{
    char  ch;

    while (bytes-- > 0) {
        ch = (char) (n >> (8 * bytes));
        kr_buf_append(out, &ch, 1);
    }
}
