/*
 * The JSON reader.  jansson is not used where numbers matter: it makes
 * doubles of decimals and refuses integers beyond 64 bits.
 */

#include <stdint.h>
#include <string.h>

#include "kr_json.h"


#define KR_JSON_MAX_DEPTH  32


static int kr_json_error(kr_json_t *j, const char *error);
static void kr_json_blanks(kr_json_t *j);
static int kr_json_word(kr_json_t *j, const char *word, size_t len);
static int kr_json_number(kr_json_t *j, kr_str_t *v);
static const char *kr_json_digits(const char *p, const char *end);
static int kr_json_string(kr_json_t *j, kr_str_t *v);
static int kr_json_escape(kr_json_t *j);
static int kr_json_unicode(kr_json_t *j, uint32_t *ch);
static void kr_json_utf8(kr_json_t *j, uint32_t ch);
static size_t kr_json_sequence(const char *data, size_t len);
static int kr_json_next(kr_json_t *j, char bracket);


void
kr_json_init(kr_json_t *j, const char *data, size_t len, char *text)
{
    j->pos = data;
    j->end = data + len;
    j->text = text;
    j->error = NULL;
    j->first = 0;
}


int
kr_json_value(kr_json_t *j, kr_json_type_e *type, kr_str_t *v)
{
    v->len = 0;
    v->data = NULL;

    kr_json_blanks(j);

    if (j->pos == j->end) {
        return kr_json_error(j, "a value is missing");
    }

    switch (*j->pos) {

    case '"':
        *type = KR_JSON_STRING;
        return kr_json_string(j, v);

    case '{':
    case '[':
        *type = *j->pos == '{' ? KR_JSON_OBJECT : KR_JSON_ARRAY;
        j->pos++;
        j->first = 1;
        return KR_OK;

    case 'n':
        *type = KR_JSON_NULL;
        return kr_json_word(j, "null", 4);

    case 't':
        *type = KR_JSON_TRUE;
        return kr_json_word(j, "true", 4);

    case 'f':
        *type = KR_JSON_FALSE;
        return kr_json_word(j, "false", 5);

    default:
        *type = KR_JSON_NUMBER;
        return kr_json_number(j, v);
    }
}


int
kr_json_key(kr_json_t *j, kr_str_t *key)
{
    int  rc;

    rc = kr_json_next(j, '}');
    if (rc != KR_OK) {
        return rc;
    }

    if (j->pos == j->end || *j->pos != '"') {
        return kr_json_error(j, "a member's name is missing");
    }

    if (kr_json_string(j, key) != KR_OK) {
        return KR_ERROR;
    }

    kr_json_blanks(j);

    if (j->pos == j->end || *j->pos != ':') {
        return kr_json_error(j, "a colon is missing");
    }

    j->pos++;

    return KR_OK;
}


int
kr_json_item(kr_json_t *j)
{
    return kr_json_next(j, ']');
}


/*
 * Reads nested values with a stack of bits, one per level: 1 for an object, 0
 * for an array.
 */
int
kr_json_skip(kr_json_t *j)
{
    int             rc;
    kr_str_t        v;
    uint32_t        objects;
    unsigned        depth;
    kr_json_type_e  type;

    objects = 0;
    depth = 0;

    do {
        if (kr_json_value(j, &type, &v) != KR_OK) {
            return KR_ERROR;
        }

        if (type == KR_JSON_OBJECT || type == KR_JSON_ARRAY) {
            if (depth == KR_JSON_MAX_DEPTH) {
                return kr_json_error(j, "values are nested too deep");
            }

            objects = objects << 1 | (type == KR_JSON_OBJECT);
            depth++;
        }

        while (depth != 0) {
            rc = (objects & 1) ? kr_json_key(j, &v) : kr_json_item(j);

            if (rc == KR_ERROR) {
                return KR_ERROR;
            }

            if (rc == KR_OK) {
                break;
            }

            objects >>= 1;
            depth--;
        }

    } while (depth != 0);

    return KR_OK;
}


int
kr_json_end(kr_json_t *j)
{
    kr_json_blanks(j);

    if (j->pos != j->end) {
        return kr_json_error(j, "something follows the value");
    }

    return KR_OK;
}


static int
kr_json_error(kr_json_t *j, const char *error)
{
    j->error = error;

    return KR_ERROR;
}


static void
kr_json_blanks(kr_json_t *j)
{
    while (j->pos < j->end
           && (*j->pos == ' ' || *j->pos == '\t' || *j->pos == '\n'
               || *j->pos == '\r'))
    {
        j->pos++;
    }
}


static int
kr_json_word(kr_json_t *j, const char *word, size_t len)
{
    if ((size_t) (j->end - j->pos) < len || memcmp(j->pos, word, len) != 0) {
        return kr_json_error(j, "not a value");
    }

    j->pos += len;

    return KR_OK;
}


static int
kr_json_number(kr_json_t *j, kr_str_t *v)
{
    const char  *p, *last;

    p = j->pos;

    if (*p == '-') {
        p++;
    }

    last = kr_json_digits(p, j->end);
    if (last == p || (*p == '0' && last - p > 1)) {
        return kr_json_error(j, "not a value");
    }

    p = last;

    if (p < j->end && *p == '.') {
        last = kr_json_digits(p + 1, j->end);
        if (last == p + 1) {
            return kr_json_error(j, "a digit is missing");
        }

        p = last;
    }

    if (p < j->end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < j->end && (*p == '+' || *p == '-')) {
            p++;
        }

        last = kr_json_digits(p, j->end);
        if (last == p) {
            return kr_json_error(j, "a digit is missing");
        }

        p = last;
    }

    v->data = j->pos;
    v->len = (size_t) (p - j->pos);
    j->pos = p;

    return KR_OK;
}


static const char *
kr_json_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/*
 * Reads a string.  Without an escape *v is a slice of the input; from the
 * first escape on the string is written to j->text, behind a copy of its
 * beginning.
 */
static int
kr_json_string(kr_json_t *j, kr_str_t *v)
{
    char        *copy;
    size_t       n;
    const char  *start;

    start = ++j->pos;
    copy = NULL;

    while (j->pos < j->end) {

        if (*j->pos == '"') {
            v->data = copy == NULL ? start : copy;
            v->len = (size_t) (copy == NULL ? j->pos - start
                                            : j->text - copy);
            j->pos++;
            return KR_OK;
        }

        if (*j->pos == '\\') {
            if (copy == NULL) {
                copy = j->text;
                n = (size_t) (j->pos - start);
                memcpy(copy, start, n);
                j->text += n;
            }

            if (kr_json_escape(j) != KR_OK) {
                return KR_ERROR;
            }

            continue;
        }

        n = kr_json_sequence(j->pos, (size_t) (j->end - j->pos));
        if (n == 0) {
            return kr_json_error(j, "a string is not valid UTF-8");
        }

        if (copy != NULL) {
            memcpy(j->text, j->pos, n);
            j->text += n;
        }

        j->pos += n;
    }

    return kr_json_error(j, "a string does not end");
}


static int
kr_json_escape(kr_json_t *j)
{
    uint32_t     ch;
    const char  *p;

    static const char  escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    if (j->end - j->pos < 2) {
        return kr_json_error(j, "a string does not end");
    }

    j->pos++;

    if (*j->pos == 'u') {
        j->pos++;

        if (kr_json_unicode(j, &ch) != KR_OK) {
            return KR_ERROR;
        }

        kr_json_utf8(j, ch);
        return KR_OK;
    }

    for (p = escapes; *p != '\0'; p += 2) {
        if (*p == *j->pos) {
            *j->text++ = p[1];
            j->pos++;
            return KR_OK;
        }
    }

    return kr_json_error(j, "unknown escape in a string");
}


/* Reads the four digits at pos, and the second half of a surrogate pair. */
static int
kr_json_unicode(kr_json_t *j, uint32_t *ch)
{
    int       i, half;
    char      c;
    uint32_t  n, high;

    high = 0;

    for (half = 0; half < 2; half++) {

        if (j->end - j->pos < 4) {
            return kr_json_error(j, "a string does not end");
        }

        for (i = 0, n = 0; i < 4; i++) {
            c = *j->pos++;
            n <<= 4;

            if (c >= '0' && c <= '9') {
                n |= (uint32_t) (c - '0');

            } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
                n |= (uint32_t) ((c | 0x20) - 'a') + 10;

            } else {
                return kr_json_error(j, "bad \\u escape in a string");
            }
        }

        if (half == 1) {
            if (n < 0xDC00 || n > 0xDFFF) {
                break;
            }

            *ch = 0x10000 + ((high - 0xD800) << 10) + (n - 0xDC00);
            return KR_OK;
        }

        if (n < 0xD800 || n > 0xDFFF) {
            *ch = n;
            return n == 0 ? kr_json_error(j, "a string holds NUL") : KR_OK;
        }

        if (n > 0xDBFF || j->end - j->pos < 2
            || j->pos[0] != '\\' || j->pos[1] != 'u')
        {
            break;
        }

        high = n;
        j->pos += 2;
    }

    return kr_json_error(j, "half a surrogate pair in a string");
}


static void
kr_json_utf8(kr_json_t *j, uint32_t ch)
{
    char  *p;

    p = j->text;

    if (ch < 0x80) {
        *p++ = (char) ch;

    } else if (ch < 0x800) {
        *p++ = (char) (0xC0 | ch >> 6);
        *p++ = (char) (0x80 | (ch & 0x3F));

    } else if (ch < 0x10000) {
        *p++ = (char) (0xE0 | ch >> 12);
        *p++ = (char) (0x80 | (ch >> 6 & 0x3F));
        *p++ = (char) (0x80 | (ch & 0x3F));

    } else {
        *p++ = (char) (0xF0 | ch >> 18);
        *p++ = (char) (0x80 | (ch >> 12 & 0x3F));
        *p++ = (char) (0x80 | (ch >> 6 & 0x3F));
        *p++ = (char) (0x80 | (ch & 0x3F));
    }

    j->text = p;
}


/*
 * The length of the run of plain ASCII at data, or of one well-formed sequence
 * (Unicode 15, table 3-7).  0: the byte is not allowed in a string.
 */
static size_t
kr_json_sequence(const char *data, size_t len)
{
    size_t                i, n;
    unsigned char         low, high;
    const unsigned char  *p;

    p = (const unsigned char *) data;

    for (i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] >= 0x80 || p[i] == '"' || p[i] == '\\') {
            break;
        }
    }

    if (i != 0 || p[0] < 0xC2 || p[0] > 0xF4) {
        return i;
    }

    n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (len < n) {
        return 0;
    }

    low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;

    if (p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }

    return n;
}


/*
 * Moves behind a comma, or stays behind an opening bracket.  KR_OK;
 * KR_DECLINED: the closing bracket was read; KR_ERROR: neither is there.
 */
static int
kr_json_next(kr_json_t *j, char bracket)
{
    int  first;

    first = j->first;
    j->first = 0;

    kr_json_blanks(j);

    if (j->pos == j->end) {
        return kr_json_error(j, "a bracket is missing");
    }

    if (*j->pos == bracket) {
        j->pos++;
        return KR_DECLINED;
    }

    if (first) {
        return KR_OK;
    }

    if (*j->pos != ',') {
        return kr_json_error(j, "a comma is missing");
    }

    j->pos++;
    kr_json_blanks(j);

    return KR_OK;
}
