/*
 * wal2json's lines.  A change's strings are slices of the line or of the
 * decoder's text, its columns stand in arrays that the decoder keeps: in the
 * steady state nothing is allocated.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_decode.h"
#include "kr_json.h"
#include "kr_lsn.h"


#define KR_DECODE_KEEP    (1024 * 1024)   /* bytes kept for the next line */
#define KR_DECODE_COLUMNS  64

#define KR_BYTEAOID        17


typedef struct {
    size_t             n;
    size_t             size;
    kr_column_t       *elts;
} kr_columns_t;


struct kr_decoder_s {
    kr_json_t          json;
    kr_columns_t       columns;
    kr_columns_t       identity;
    size_t             size;
    char              *text;
    kr_buf_t           reason;
    unsigned           seen;      /* of the line: KR_SEEN_... */
    unsigned           known:1;   /* its action is one of kr_action_e */
};


typedef int (*kr_decode_pt)(kr_decoder_t *d, kr_change_t *c);

typedef struct {
    kr_str_t           name;
    unsigned           seen;
    kr_decode_pt       decode;
} kr_member_t;


#define KR_SEEN_ACTION    0x01
#define KR_SEEN_LSN       0x02
#define KR_SEEN_NEXTLSN   0x04
#define KR_SEEN_SCHEMA    0x08
#define KR_SEEN_TABLE     0x10
#define KR_SEEN_COLUMNS   0x20
#define KR_SEEN_IDENTITY  0x40
#define KR_SEEN_XID       0x80

#define KR_SEEN_BOUNDS    (KR_SEEN_XID|KR_SEEN_LSN|KR_SEEN_NEXTLSN)
#define KR_SEEN_RELATION  (KR_SEEN_XID|KR_SEEN_SCHEMA|KR_SEEN_TABLE)


static int kr_decode_reserve(kr_decoder_t *d, size_t len);
static int kr_decode_line(kr_decoder_t *d, kr_change_t *c);
static const kr_member_t *kr_decode_member(const kr_str_t *key);
static const char *kr_decode_lacks(const kr_decoder_t *d,
    const kr_change_t *c);
static int kr_decode_action(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_xid(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_lsn(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_nextlsn(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_schema(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_table(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_columns(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_identity(kr_decoder_t *d, kr_change_t *c);
static int kr_decode_position(kr_decoder_t *d, uint64_t *lsn);
static int kr_decode_string(kr_decoder_t *d, kr_str_t *v);
static int kr_decode_integer(const kr_str_t *v, int64_t *n);
static int kr_decode_array(kr_decoder_t *d, kr_columns_t *columns);
static int kr_decode_column(kr_decoder_t *d, kr_column_t *cl);
static int kr_decode_oid(kr_decoder_t *d, uint32_t *oid);
static int kr_decode_value(kr_decoder_t *d, kr_column_t *cl);
static int kr_decode_bytea(kr_decoder_t *d, kr_column_t *cl);
static int kr_decode_error(kr_decoder_t *d, const char *error);


static const kr_member_t  kr_decode_members[] = {
    { kr_str("action"), KR_SEEN_ACTION, kr_decode_action },
    { kr_str("xid"), KR_SEEN_XID, kr_decode_xid },
    { kr_str("lsn"), KR_SEEN_LSN, kr_decode_lsn },
    { kr_str("nextlsn"), KR_SEEN_NEXTLSN, kr_decode_nextlsn },
    { kr_str("schema"), KR_SEEN_SCHEMA, kr_decode_schema },
    { kr_str("table"), KR_SEEN_TABLE, kr_decode_table },
    { kr_str("columns"), KR_SEEN_COLUMNS, kr_decode_columns },
    { kr_str("identity"), KR_SEEN_IDENTITY, kr_decode_identity },
    { kr_str(""), 0, NULL }
};


kr_decoder_t *
kr_decoder_create(void)
{
    return calloc(1, sizeof(kr_decoder_t));
}


void
kr_decoder_free(kr_decoder_t *d)
{
    if (d == NULL) {
        return;
    }

    kr_buf_free(&d->reason);
    free(d->columns.elts);
    free(d->identity.elts);
    free(d->text);
    free(d);
}


int
kr_decode(kr_decoder_t *d, const char *line, size_t len, kr_change_t *c,
    const char **reason)
{
    int          rc;
    const char  *lacks;

    memset(c, 0, sizeof(kr_change_t));
    kr_buf_reset(&d->reason);

    d->columns.n = 0;
    d->identity.n = 0;
    d->seen = 0;
    d->known = 0;

    if (kr_decode_reserve(d, len) != KR_OK) {
        *reason = "no memory for a line";
        return KR_ERROR;
    }

    kr_json_init(&d->json, line, len, d->text);

    rc = kr_decode_line(d, c);

    if (rc == KR_OK && !d->known && (d->seen & KR_SEEN_ACTION)) {
        *reason = "unknown action";
        return KR_DECLINED;
    }

    if (rc == KR_ERROR && c->action == KR_MESSAGE) {
        /* anybody may write one, of any bytes */
        *reason = "unreadable message";
        return KR_DECLINED;
    }

    if (rc == KR_OK) {
        lacks = kr_decode_lacks(d, c);
        if (lacks == NULL) {
            c->columns = d->columns.elts;
            c->ncolumns = d->columns.n;
            c->identity = d->identity.elts;
            c->nidentity = d->identity.n;
            return KR_OK;
        }

        kr_buf_printf(&d->reason, "%s is missing", lacks);

    } else {
        kr_buf_printf(&d->reason, "%s at byte %zu", d->json.error,
                      (size_t) (d->json.pos - line));
    }

    *reason = d->reason.failed ? "no memory for the reason"
                               : d->reason.data;
    return KR_ERROR;
}


const kr_column_t *
kr_column_find(const kr_column_t *columns, size_t n, const kr_str_t *name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (columns[i].name.len == name->len
            && memcmp(columns[i].name.data, name->data, name->len) == 0)
        {
            return &columns[i];
        }
    }

    return NULL;
}


/*
 * Room for all strings of a line, which are never longer than what they are
 * read from.  The memory that one large row took is not kept for ever.
 */
static int
kr_decode_reserve(kr_decoder_t *d, size_t len)
{
    if (len <= d->size && (d->size <= KR_DECODE_KEEP || len > d->size / 4)) {
        return KR_OK;
    }

    free(d->text);

    d->size = 0;
    d->text = malloc(len < 1024 ? 1024 : len);

    if (d->text == NULL) {
        return KR_ERROR;
    }

    d->size = len < 1024 ? 1024 : len;

    return KR_OK;
}


static int
kr_decode_line(kr_decoder_t *d, kr_change_t *c)
{
    int                 rc;
    kr_str_t            v;
    kr_json_type_e      type;
    const kr_member_t  *mb;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_OBJECT) {
        return kr_decode_error(d, "not an object");
    }

    for ( ;; ) {
        rc = kr_json_key(&d->json, &v);

        if (rc == KR_DECLINED) {
            return kr_json_end(&d->json);
        }

        if (rc == KR_ERROR) {
            return KR_ERROR;
        }

        mb = kr_decode_member(&v);

        if (mb == NULL) {
            rc = kr_json_skip(&d->json);

        } else if (d->seen & mb->seen) {
            rc = kr_decode_error(d, "a member came twice");

        } else {
            d->seen |= mb->seen;
            rc = mb->decode(d, c);
        }

        if (rc != KR_OK) {
            return rc;
        }
    }
}


static const kr_member_t *
kr_decode_member(const kr_str_t *key)
{
    const kr_member_t  *mb;

    for (mb = kr_decode_members; mb->decode != NULL; mb++) {
        if (mb->name.len == key->len
            && memcmp(mb->name.data, key->data, key->len) == 0)
        {
            return mb;
        }
    }

    return NULL;
}


/* What an action cannot be without, or NULL. */
static const char *
kr_decode_lacks(const kr_decoder_t *d, const kr_change_t *c)
{
    unsigned            needed;
    const kr_member_t  *mb;

    needed = KR_SEEN_ACTION;

    switch (c->action) {

    case KR_BEGIN:
    case KR_COMMIT:
        needed |= KR_SEEN_BOUNDS;
        break;

    case KR_INSERT:
        needed |= KR_SEEN_RELATION|KR_SEEN_COLUMNS;
        break;

    case KR_UPDATE:
        needed |= KR_SEEN_RELATION|KR_SEEN_COLUMNS|KR_SEEN_IDENTITY;
        break;

    case KR_DELETE:
        needed |= KR_SEEN_RELATION|KR_SEEN_IDENTITY;
        break;

    case KR_TRUNCATE:
        needed |= KR_SEEN_RELATION;
        break;

    case KR_MESSAGE:
        break;
    }

    for (mb = kr_decode_members; mb->decode != NULL; mb++) {
        if (needed & mb->seen & ~d->seen) {
            return mb->name.data;
        }
    }

    return NULL;
}


static int
kr_decode_action(kr_decoder_t *d, kr_change_t *c)
{
    kr_str_t  v;

    static const char  actions[] = {
        KR_BEGIN, KR_COMMIT, KR_INSERT, KR_UPDATE, KR_DELETE, KR_TRUNCATE,
        KR_MESSAGE
    };

    if (kr_decode_string(d, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (v.len == 1 && memchr(actions, v.data[0], sizeof(actions)) != NULL) {
        c->action = (kr_action_e) v.data[0];
        d->known = 1;
    }

    return KR_OK;
}


static int
kr_decode_xid(kr_decoder_t *d, kr_change_t *c)
{
    int64_t         n;
    kr_str_t        v;
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type == KR_JSON_NULL) {
        c->xid = 0;
        return KR_OK;
    }

    if (type != KR_JSON_NUMBER || kr_decode_integer(&v, &n) != KR_OK
        || n < 0 || n > UINT32_MAX)
    {
        return kr_decode_error(d, "not a transaction id");
    }

    c->xid = (uint32_t) n;

    return KR_OK;
}


static int
kr_decode_lsn(kr_decoder_t *d, kr_change_t *c)
{
    return kr_decode_position(d, &c->lsn);
}


static int
kr_decode_nextlsn(kr_decoder_t *d, kr_change_t *c)
{
    return kr_decode_position(d, &c->nextlsn);
}


static int
kr_decode_schema(kr_decoder_t *d, kr_change_t *c)
{
    return kr_decode_string(d, &c->schema);
}


static int
kr_decode_table(kr_decoder_t *d, kr_change_t *c)
{
    return kr_decode_string(d, &c->table);
}


static int
kr_decode_columns(kr_decoder_t *d, kr_change_t *c)
{
    (void) c;

    return kr_decode_array(d, &d->columns);
}


static int
kr_decode_identity(kr_decoder_t *d, kr_change_t *c)
{
    (void) c;

    return kr_decode_array(d, &d->identity);
}


static int
kr_decode_position(kr_decoder_t *d, uint64_t *lsn)
{
    kr_str_t  v;

    if (kr_decode_string(d, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (kr_lsn_parse(v.data, v.len, lsn) != KR_OK) {
        return kr_decode_error(d, "not a position");
    }

    return KR_OK;
}


static int
kr_decode_string(kr_decoder_t *d, kr_str_t *v)
{
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_STRING) {
        return kr_decode_error(d, "not a string");
    }

    return KR_OK;
}


static int
kr_decode_integer(const kr_str_t *v, int64_t *n)
{
    size_t  i;

    i = v->data[0] == '-';

    if (v->len == i || v->len - i > 18) {
        return KR_ERROR;
    }

    for (*n = 0; i < v->len; i++) {
        if (v->data[i] < '0' || v->data[i] > '9') {
            return KR_ERROR;
        }

        *n = *n * 10 + (v->data[i] - '0');
    }

    if (v->data[0] == '-') {
        *n = -*n;
    }

    return KR_OK;
}


static int
kr_decode_array(kr_decoder_t *d, kr_columns_t *columns)
{
    int              rc;
    size_t           size;
    kr_str_t         v;
    kr_column_t     *elts;
    kr_json_type_e   type;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_ARRAY) {
        return kr_decode_error(d, "not an array");
    }

    for ( ;; ) {
        rc = kr_json_item(&d->json);

        if (rc != KR_OK) {
            return rc == KR_DECLINED ? KR_OK : KR_ERROR;
        }

        if (columns->n == columns->size) {
            size = columns->size == 0 ? KR_DECODE_COLUMNS : columns->size * 2;

            elts = realloc(columns->elts, size * sizeof(kr_column_t));
            if (elts == NULL) {
                return kr_decode_error(d, "no memory for a column");
            }

            columns->elts = elts;
            columns->size = size;
        }

        if (kr_decode_column(d, &columns->elts[columns->n]) != KR_OK) {
            return KR_ERROR;
        }

        columns->n++;
    }
}


/*
 * One {"name": ..., "typeoid": ..., "value": ...}.  The type must come before
 * the value, as it does, for the value is read by it.
 */
static int
kr_decode_column(kr_decoder_t *d, kr_column_t *cl)
{
    int             rc, value;
    kr_str_t        v;
    kr_json_type_e  type;

    memset(cl, 0, sizeof(kr_column_t));
    value = 0;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_OBJECT) {
        return kr_decode_error(d, "not an object");
    }

    for ( ;; ) {
        rc = kr_json_key(&d->json, &v);

        if (rc == KR_DECLINED) {
            break;
        }

        if (rc == KR_ERROR) {
            return KR_ERROR;
        }

        if (v.len == 4 && memcmp(v.data, "name", 4) == 0) {
            rc = kr_decode_string(d, &cl->name);

        } else if (v.len == 7 && memcmp(v.data, "typeoid", 7) == 0) {
            rc = value ? kr_decode_error(d, "a type follows its value")
                       : kr_decode_oid(d, &cl->type);

        } else if (v.len == 5 && memcmp(v.data, "value", 5) == 0) {
            rc = kr_decode_value(d, cl);
            value = 1;

        } else {
            rc = kr_json_skip(&d->json);
        }

        if (rc != KR_OK) {
            return rc;
        }
    }

    if (cl->name.data == NULL || !value) {
        return kr_decode_error(d, "a column lacks its name or its value");
    }

    return KR_OK;
}


/* wal2json prints the 32 bits as a signed number. */
static int
kr_decode_oid(kr_decoder_t *d, uint32_t *oid)
{
    int64_t         n;
    kr_str_t        v;
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_NUMBER || kr_decode_integer(&v, &n) != KR_OK
        || n < INT32_MIN || n > UINT32_MAX)
    {
        return kr_decode_error(d, "not an oid");
    }

    *oid = (uint32_t) n;

    return KR_OK;
}


static int
kr_decode_value(kr_decoder_t *d, kr_column_t *cl)
{
    kr_json_type_e  type;

    if (kr_json_value(&d->json, &type, &cl->value) != KR_OK) {
        return KR_ERROR;
    }

    switch (type) {

    case KR_JSON_NULL:
        cl->null = 1;
        return KR_OK;

    case KR_JSON_TRUE:
    case KR_JSON_FALSE:
        cl->value.data = type == KR_JSON_TRUE ? "t" : "f";
        cl->value.len = 1;
        return KR_OK;

    case KR_JSON_STRING:
        return cl->type == KR_BYTEAOID ? kr_decode_bytea(d, cl) : KR_OK;

    case KR_JSON_NUMBER:
        return KR_OK;

    default:
        return kr_decode_error(d, "a value is neither text nor number");
    }
}


/*
 * wal2json cuts the \x off, and asks no one whether it stood there.  The two
 * quotes of the JSON string make the room in d->text for it.
 */
static int
kr_decode_bytea(kr_decoder_t *d, kr_column_t *cl)
{
    char    *p;
    size_t   i;

    p = d->json.text;

    for (i = 0; i < cl->value.len; i++) {
        if (strchr("0123456789abcdef", cl->value.data[i]) == NULL) {
            return kr_decode_error(d, "bytea that is not hexadecimal: set"
                                      " bytea_output to hex");
        }
    }

    if (cl->value.data + cl->value.len == p) {
        /* it was copied for its escapes, which hexadecimal needs not */
        return kr_decode_error(d, "escaped bytea");
    }

    p[0] = '\\';
    p[1] = 'x';
    memcpy(p + 2, cl->value.data, cl->value.len);

    cl->value.data = p;
    cl->value.len += 2;
    d->json.text += cl->value.len;

    return KR_OK;
}


static int
kr_decode_error(kr_decoder_t *d, const char *error)
{
    d->json.error = error;

    return KR_ERROR;
}
