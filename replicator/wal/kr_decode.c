/*
 * wal2json's lines.  A change's strings are slices of the line or of the
 * decoder's text, its columns stand in arrays that the decoder keeps: in the
 * steady state nothing is allocated.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_decode_private.h"
#include "kr_lsn.h"


#define KR_DECODE_KEEP    (1024 * 1024)   /* bytes kept for the next line */


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
#define KR_SEEN_TARGET    (KR_SEEN_SCHEMA|KR_SEEN_TABLE)
#define KR_SEEN_RELATION  (KR_SEEN_XID|KR_SEEN_TARGET)


static int kr_decode_reserve(kr_decoder_t *d, size_t len);
static int kr_decode_line(kr_decoder_t *d, kr_change_t *c);
static const char *kr_decode_reason(kr_decoder_t *d, int rc,
    const kr_change_t *c, const char *line);
static void kr_decode_unreadable(const kr_decoder_t *d, kr_change_t *c);
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
    int  rc;

    memset(c, 0, sizeof(kr_change_t));
    kr_buf_reset(&d->reason);

    d->columns.n = 0;
    d->identity.n = 0;
    d->seen = 0;
    d->known = 0;
    d->failed = 0;
    d->untyped = 0;

    if (kr_decode_reserve(d, len) != KR_OK) {
        return KR_ERROR;
    }

    kr_json_init(&d->json, line, len, d->text);

    rc = kr_decode_line(d, c);

    if (d->failed) {
        return KR_ERROR;
    }

    if (rc == KR_OK && d->known && kr_decode_lacks(d, c) == NULL) {
        c->columns = d->columns.elts;
        c->ncolumns = d->columns.n;
        c->identity = d->identity.elts;
        c->nidentity = d->identity.n;

        return KR_OK;
    }

    *reason = kr_decode_reason(d, rc, c, line);
    kr_decode_unreadable(d, c);

    return KR_DECLINED;
}


int
kr_decode_untyped(const kr_decoder_t *d)
{
    return d->untyped;
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
            rc = mb->decode(d, c);
        }

        if (rc != KR_OK) {
            return rc;
        }

        if (mb != NULL) {
            d->seen |= mb->seen;
        }
    }
}


/* rc is that of the line as a whole. */
static const char *
kr_decode_reason(kr_decoder_t *d, int rc, const kr_change_t *c,
    const char *line)
{
    if (c->action == KR_MESSAGE) {
        return "unreadable message";
    }

    if (rc != KR_OK) {
        kr_buf_printf(&d->reason, "%s at byte %zu", d->json.error,
                      (size_t) (d->json.pos - line));

    } else if ((d->seen & KR_SEEN_ACTION) && !d->known) {
        return "unknown action";

    } else {
        kr_buf_printf(&d->reason, "%s is missing", kr_decode_lacks(d, c));
    }

    return d->reason.failed ? "no memory for the reason" : d->reason.data;
}


/* What stands before the fault tells whom it concerns. */
static void
kr_decode_unreadable(const kr_decoder_t *d, kr_change_t *c)
{
    int  named;

    named = (d->seen & KR_SEEN_TARGET) == KR_SEEN_TARGET;

    if (c->action == KR_MESSAGE
        || ((d->seen & KR_SEEN_ACTION) && !d->known && !named))
    {
        /* anybody may write one, of any bytes */
        c->action = KR_MESSAGE;
        return;
    }

    c->action = KR_UNREADABLE;

    if (!named || !(d->seen & KR_SEEN_XID)) {
        memset(&c->schema, 0, sizeof(kr_str_t));
        memset(&c->table, 0, sizeof(kr_str_t));
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

    default: /* KR_MESSAGE, or none */
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
