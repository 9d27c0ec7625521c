/*
 * Keys of values: for each type one text that stands for all texts of an equal
 * value.  kr_value_number.c makes the keys of numbers.
 */

#include <string.h>
#include <strings.h>

#include "kr_oid.h"
#include "kr_value_private.h"


typedef int (*kr_value_key_pt)(const char *p, const char *end, kr_buf_t *out);

typedef struct {
    uint32_t           type;
    const char        *name;
    kr_value_key_pt    key;
} kr_value_type_t;


static const kr_value_type_t *kr_value_find(uint32_t type);

static int kr_value_bool(const char *p, const char *end, kr_buf_t *out);
static int kr_value_text(const char *p, const char *end, kr_buf_t *out);
static int kr_value_bpchar(const char *p, const char *end, kr_buf_t *out);
static int kr_value_uuid(const char *p, const char *end, kr_buf_t *out);
static int kr_value_date(const char *p, const char *end, kr_buf_t *out);
static int kr_value_time(const char *p, const char *end, kr_buf_t *out);
static int kr_value_timestamp(const char *p, const char *end, kr_buf_t *out);
static int kr_value_timestamptz(const char *p, const char *end,
    kr_buf_t *out);
static int kr_value_moment(const char *p, const char *end, int date,
    const char *zone, kr_buf_t *out);
static const char *kr_value_ymd(const char *p, const char *end);
static const char *kr_value_hms(const char *p, const char *end);
static const char *kr_value_literal(const char *p, const char *end,
    const char *text);


static const kr_value_type_t  kr_value_types[] = {
    { KR_OID_BOOL, "boolean", kr_value_bool },
    { KR_OID_INT8, "bigint", kr_value_int8 },
    { KR_OID_INT2, "smallint", kr_value_int2 },
    { KR_OID_INT4, "integer", kr_value_int4 },
    { KR_OID_TEXT, "text", kr_value_text },
    { KR_OID_FLOAT4, "real", kr_value_float4 },
    { KR_OID_FLOAT8, "double precision", kr_value_float8 },
    { KR_OID_BPCHAR, "bpchar", kr_value_bpchar },
    { KR_OID_VARCHAR, "varchar", kr_value_text },
    { KR_OID_DATE, "date", kr_value_date },
    { KR_OID_TIME, "time", kr_value_time },
    { KR_OID_TIMESTAMP, "timestamp", kr_value_timestamp },
    { KR_OID_TIMESTAMPTZ, "timestamptz", kr_value_timestamptz },
    { KR_OID_NUMERIC, "numeric", kr_value_numeric },
    { KR_OID_UUID, "uuid", kr_value_uuid },
    { 0, NULL, NULL }
};


int
kr_value_supported(uint32_t type)
{
    return kr_value_find(type) != NULL;
}


const char *
kr_value_type_name(uint32_t type)
{
    const kr_value_type_t  *vt;

    vt = kr_value_find(type);

    return vt == NULL ? NULL : vt->name;
}


int
kr_value_key(uint32_t type, const char *text, size_t len, kr_buf_t *out)
{
    int                     rc;
    size_t                  before;
    const kr_value_type_t  *vt;

    vt = kr_value_find(type);
    if (vt == NULL) {
        return KR_DECLINED;
    }

    /* an empty key, too, has data that is not NULL */
    if (kr_buf_reserve(out, len) == NULL) {
        return KR_ERROR;
    }

    before = out->len;
    rc = vt->key(text, text + len, out);

    if (rc == KR_OK && !out->failed) {
        return KR_OK;
    }

    out->len = before;
    out->data[before] = '\0';

    return KR_ERROR;
}


void
kr_value_trim(const char **p, const char **end)
{
    static const char  blanks[] = " \t\n\v\f\r";

    while (*p < *end && memchr(blanks, **p, 6) != NULL) {
        (*p)++;
    }

    while (*p < *end && memchr(blanks, (*end)[-1], 6) != NULL) {
        (*end)--;
    }
}


static const kr_value_type_t *
kr_value_find(uint32_t type)
{
    const kr_value_type_t  *vt;

    for (vt = kr_value_types; vt->key != NULL; vt++) {
        if (vt->type == type) {
            return vt;
        }
    }

    return NULL;
}


/* Reads all forms that PostgreSQL reads: unique beginnings of these words. */
static int
kr_value_bool(const char *p, const char *end, kr_buf_t *out)
{
    size_t  i, len;

    static const struct {
        const char  *word;
        size_t       min;
        const char  *key;
    } words[] = {
        { "true", 1, "t" }, { "false", 1, "f" },
        { "yes", 1, "t" }, { "no", 1, "f" },
        { "on", 2, "t" }, { "off", 2, "f" },
        { "1", 1, "t" }, { "0", 1, "f" }
    };

    kr_value_trim(&p, &end);
    len = (size_t) (end - p);

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (len >= words[i].min && len <= strlen(words[i].word)
            && strncasecmp(p, words[i].word, len) == 0)
        {
            kr_buf_append(out, words[i].key, 1);
            return KR_OK;
        }
    }

    return KR_ERROR;
}


static int
kr_value_text(const char *p, const char *end, kr_buf_t *out)
{
    kr_buf_append(out, p, (size_t) (end - p));

    return KR_OK;
}


static int
kr_value_bpchar(const char *p, const char *end, kr_buf_t *out)
{
    while (end > p && end[-1] == ' ') {
        end--;
    }

    return kr_value_text(p, end, out);
}


/* Reads 32 digits, in any case, with hyphens after fours and with braces. */
static int
kr_value_uuid(const char *p, const char *end, kr_buf_t *out)
{
    char  ch;
    int   n;

    if (end - p >= 2 && *p == '{') {
        if (end[-1] != '}') {
            return KR_ERROR;
        }

        p++;
        end--;
    }

    for (n = 0; p < end; p++) {

        if (*p == '-') {
            if (n == 0 || n % 4 != 0 || n == 32 || p[-1] == '-') {
                return KR_ERROR;
            }

            continue;
        }

        ch = *p >= 'A' && *p <= 'F' ? (char) (*p | 0x20) : *p;

        if (n == 32 || ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f'))) {
            return KR_ERROR;
        }

        kr_buf_append(out, &ch, 1);
        n++;
    }

    return n == 32 ? KR_OK : KR_ERROR;
}


static int
kr_value_date(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_moment(p, end, 1, "", out);
}


static int
kr_value_time(const char *p, const char *end, kr_buf_t *out)
{
    if (kr_value_hms(p, end) != end) {
        return KR_ERROR;
    }

    return kr_value_text(p, end, out);
}


static int
kr_value_timestamp(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_moment(p, end, 0, "", out);
}


static int
kr_value_timestamptz(const char *p, const char *end, kr_buf_t *out)
{
    return kr_value_moment(p, end, 0, "+00", out);
}


/*
 * Reads "2026-01-02 03:04:05.5+00 BC", for a date without the time, or an
 * infinity.  The form is checked, because a text of another form would never
 * equal the key of an equal value.
 */
static int
kr_value_moment(const char *p, const char *end, int date, const char *zone,
    kr_buf_t *out)
{
    const char  *s;

    if (kr_value_literal(p, end, "infinity") == end
        || kr_value_literal(p, end, "-infinity") == end)
    {
        return kr_value_text(p, end, out);
    }

    s = kr_value_ymd(p, end);

    if (s != NULL && !date) {
        s = kr_value_literal(s, end, " ");
        s = s == NULL ? NULL : kr_value_hms(s, end);
        s = s == NULL ? NULL : kr_value_literal(s, end, zone);
    }

    if (s != NULL && s < end) {
        s = kr_value_literal(s, end, " BC");
    }

    if (s != end) {
        return KR_ERROR;
    }

    return kr_value_text(p, end, out);
}


/* Reads a year of four digits or more, month, day; returns its end or NULL. */
static const char *
kr_value_ymd(const char *p, const char *end)
{
    int          n;
    const char  *s;

    for (s = p; s < end && *s >= '0' && *s <= '9'; s++) { /* void */ }

    if (s - p < 4 || end - s < 6) {
        return NULL;
    }

    for (n = 0; n < 6; n++, s++) {
        if (n % 3 == 0 ? *s != '-' : (*s < '0' || *s > '9')) {
            return NULL;
        }
    }

    return s;
}


/* Reads "03:04:05" and up to six digits; returns the end, or NULL. */
static const char *
kr_value_hms(const char *p, const char *end)
{
    int          n;
    const char  *s;

    if (end - p < 8) {
        return NULL;
    }

    for (n = 0; n < 8; n++, p++) {
        if (n % 3 == 2 ? *p != ':' : (*p < '0' || *p > '9')) {
            return NULL;
        }
    }

    if (p == end || *p != '.') {
        return p;
    }

    for (s = p + 1; s < end && *s >= '0' && *s <= '9'; s++) { /* void */ }

    if (s == p + 1 || s - p > 7 || s[-1] == '0') {
        return NULL;
    }

    return s;
}


static const char *
kr_value_literal(const char *p, const char *end, const char *text)
{
    size_t  len;

    len = strlen(text);

    if ((size_t) (end - p) < len || memcmp(p, text, len) != 0) {
        return NULL;
    }

    return p + len;
}
