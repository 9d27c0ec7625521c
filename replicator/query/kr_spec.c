#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kr_json.h"
#include "kr_spec.h"


typedef struct {
    const char   *name;
    size_t        offset;
    unsigned      required:1;
    unsigned      nullable:1;
} kr_spec_field_t;


static int kr_spec_read(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason);
static int kr_spec_member(kr_spec_t *s, kr_json_t *j, const kr_str_t *key,
    kr_buf_t *reason);
static int kr_spec_string(kr_spec_t *s, kr_json_t *j,
    const kr_spec_field_t *f, kr_buf_t *reason);
static int kr_spec_exact(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason);
static int kr_spec_values(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason);
static int kr_spec_value(kr_spec_t *s, kr_json_type_e type, kr_str_t *v,
    kr_buf_t *reason);
static int kr_spec_push(kr_spec_t *s, const kr_str_t *v);
static int kr_spec_check(kr_spec_t *s, kr_buf_t *reason);
static int kr_spec_check_predicate(kr_spec_t *s, kr_buf_t *reason);
static void kr_spec_topic(kr_spec_t *s, kr_str_t *column);
static int kr_spec_check_pk(kr_spec_t *s, kr_buf_t *reason);
static int kr_spec_check_event(kr_spec_t *s, kr_buf_t *reason);
static int kr_spec_refuse(kr_buf_t *reason, const char *text);
static int kr_spec_is(const kr_str_t *a, const char *text);
static void kr_spec_trim(kr_str_t *v);


/* "userid" and what else a client sends is let pass, whatever it is */
static const kr_spec_field_t  kr_spec_fields[] = {
    { "topic", offsetof(kr_spec_t, topic), 0, 1 },
    { "table_field", offsetof(kr_spec_t, field), 0, 0 },
    { "equality", offsetof(kr_spec_t, equality), 0, 0 },
    { "query", offsetof(kr_spec_t, query), 1, 0 },
    { "event", offsetof(kr_spec_t, event), 1, 0 },
    { "pk", offsetof(kr_spec_t, pk), 0, 1 },
    { "alias", offsetof(kr_spec_t, alias), 0, 1 },
    { "table_shapes", offsetof(kr_spec_t, shapes), 0, 1 },
    { NULL, 0, 0, 0 }
};


int
kr_spec_parse(kr_spec_t *s, const char *json, size_t len, kr_buf_t *reason)
{
    int        rc;
    kr_json_t  j;

    memset(s, 0, sizeof(kr_spec_t));

    kr_buf_append(&s->data, json, len);
    s->text = malloc(len + 1);

    if (s->data.failed || s->text == NULL) {
        kr_spec_free(s);
        return KR_ERROR;
    }

    kr_json_init(&j, s->data.data, len, s->text);

    rc = kr_spec_read(s, &j, reason);

    if (rc == KR_OK) {
        rc = kr_spec_check(s, reason);
    }

    if (rc != KR_OK) {
        kr_spec_free(s);
    }

    return rc;
}


void
kr_spec_free(kr_spec_t *s)
{
    free(s->values);
    free(s->text);
    kr_buf_free(&s->data);

    memset(s, 0, sizeof(kr_spec_t));
}


static int
kr_spec_read(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason)
{
    int             rc;
    kr_str_t        key, v;
    kr_json_type_e  type;

    if (kr_json_value(j, &type, &v) != KR_OK) {
        kr_buf_printf(reason, "the payload cannot be read: %s", j->error);
        return KR_DECLINED;
    }

    if (type != KR_JSON_OBJECT) {
        return kr_spec_refuse(reason, "the payload must be an object");
    }

    for ( ;; ) {
        rc = kr_json_key(j, &key);

        if (rc == KR_DECLINED) {
            break;
        }

        if (rc == KR_OK) {
            rc = kr_spec_member(s, j, &key, reason);
        }

        if (rc == KR_ERROR && j->error != NULL) {
            kr_buf_reset(reason);
            kr_buf_printf(reason, "the payload cannot be read: %s", j->error);
            return KR_DECLINED;
        }

        if (rc != KR_OK) {
            return rc;
        }
    }

    if (kr_json_end(j) != KR_OK) {
        return kr_spec_refuse(reason, "the payload must be one object");
    }

    return KR_OK;
}


static int
kr_spec_member(kr_spec_t *s, kr_json_t *j, const kr_str_t *key,
    kr_buf_t *reason)
{
    const kr_spec_field_t  *f;

    if (kr_spec_is(key, "field_value")) {
        return kr_spec_values(s, j, reason);
    }

    if (kr_spec_is(key, "exact")) {
        return kr_spec_exact(s, j, reason);
    }

    for (f = kr_spec_fields; f->name != NULL; f++) {
        if (kr_spec_is(key, f->name)) {
            return kr_spec_string(s, j, f, reason);
        }
    }

    return kr_json_skip(j);
}


static int
kr_spec_string(kr_spec_t *s, kr_json_t *j, const kr_spec_field_t *f,
    kr_buf_t *reason)
{
    kr_str_t        v;
    kr_json_type_e  type;

    if (kr_json_value(j, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type == KR_JSON_NULL && f->nullable) {
        return KR_OK;
    }

    if (type != KR_JSON_STRING) {
        kr_buf_printf(reason, "%s must be a string", f->name);
        return KR_DECLINED;
    }

    *(kr_str_t *) ((char *) s + f->offset) = v;

    return KR_OK;
}


static int
kr_spec_exact(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason)
{
    kr_str_t        v;
    kr_json_type_e  type;

    if (kr_json_value(j, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_TRUE && type != KR_JSON_FALSE
        && type != KR_JSON_NULL)
    {
        return kr_spec_refuse(reason, "exact must be true or false");
    }

    s->exact = (type == KR_JSON_TRUE);

    return KR_OK;
}


static int
kr_spec_values(kr_spec_t *s, kr_json_t *j, kr_buf_t *reason)
{
    int             rc;
    kr_str_t        v;
    kr_json_type_e  type;

    s->nvalues = 0;

    if (kr_json_value(j, &type, &v) != KR_OK) {
        return KR_ERROR;
    }

    if (type != KR_JSON_ARRAY) {
        return kr_spec_value(s, type, &v, reason);
    }

    for ( ;; ) {
        rc = kr_json_item(j);

        if (rc == KR_DECLINED) {
            break;
        }

        if (rc != KR_OK || kr_json_value(j, &type, &v) != KR_OK) {
            return KR_ERROR;
        }

        rc = kr_spec_value(s, type, &v, reason);
        if (rc != KR_OK) {
            return rc;
        }
    }

    if (s->nvalues == 0) {
        return kr_spec_refuse(reason, "field_value must not be an empty list");
    }

    return KR_OK;
}


static int
kr_spec_value(kr_spec_t *s, kr_json_type_e type, kr_str_t *v,
    kr_buf_t *reason)
{
    static const kr_str_t  yes = kr_str("true");
    static const kr_str_t  no = kr_str("false");

    if (s->nvalues == KR_SPEC_VALUES_MAX) {
        kr_buf_printf(reason, "field_value has more than %d values",
                      KR_SPEC_VALUES_MAX);
        return KR_DECLINED;
    }

    switch (type) {

    case KR_JSON_TRUE:
        return kr_spec_push(s, &yes);

    case KR_JSON_FALSE:
        return kr_spec_push(s, &no);

    case KR_JSON_STRING:
    case KR_JSON_NUMBER:
        return kr_spec_push(s, v);

    case KR_JSON_NULL:
        return kr_spec_refuse(reason, "field_value must not be null");

    default:
        return kr_spec_refuse(reason, "field_value must be a string, a number,"
                              " a boolean or a list of these");
    }
}


/* The array grows by doubling, from 1. */
static int
kr_spec_push(kr_spec_t *s, const kr_str_t *v)
{
    kr_str_t  *values;

    if ((s->nvalues & (s->nvalues - 1)) == 0) {
        values = realloc(s->values, sizeof(kr_str_t)
                                    * (s->nvalues == 0 ? 1 : 2 * s->nvalues));
        if (values == NULL) {
            return KR_ERROR;
        }

        s->values = values;
    }

    s->values[s->nvalues++] = *v;

    return KR_OK;
}


static int
kr_spec_check(kr_spec_t *s, kr_buf_t *reason)
{
    kr_str_t               *v;
    const kr_spec_field_t  *f;

    s->all = (s->field.data == NULL && s->equality.data == NULL
              && s->nvalues == 0);

    for (f = kr_spec_fields; f->name != NULL; f++) {
        v = (kr_str_t *) ((char *) s + f->offset);

        if (v->data == NULL) {
            v->data = "";
        }

        if (f->required && v->len == 0) {
            kr_buf_printf(reason, "%s is missing or empty", f->name);
            return KR_DECLINED;
        }
    }

    if (kr_spec_check_predicate(s, reason) != KR_OK
        || kr_spec_check_pk(s, reason) != KR_OK)
    {
        return KR_DECLINED;
    }

    if (s->query.len > KR_SPEC_QUERY_MAX) {
        kr_buf_printf(reason, "query is longer than %d bytes",
                      KR_SPEC_QUERY_MAX);
        return KR_DECLINED;
    }

    return kr_spec_check_event(s, reason);
}


/*
 * Sets op and table.  A predicate is whole or absent: a part of one is most
 * likely a mistake, and all rows may be more than the client's user may see.
 */
static int
kr_spec_check_predicate(kr_spec_t *s, kr_buf_t *reason)
{
    kr_str_t     column;
    const char  *missing;

    kr_spec_topic(s, &column);

    missing = s->field.len == 0 ? "table_field"
              : s->equality.len == 0 ? "equality"
              : s->nvalues == 0 ? "field_value" : NULL;

    if (s->all) {
        if (column.len == 0) {
            return KR_OK;
        }

        kr_buf_str(reason, "table_field is missing, and topic ");
        kr_buf_json(reason, s->topic.data, s->topic.len);
        kr_buf_str(reason, " names a column: for all rows of the query name "
                   "the table alone, or leave topic out");
        return KR_DECLINED;
    }

    if (missing != NULL) {
        kr_buf_printf(reason, "%s is missing or empty: a predicate is all of "
                      "table_field, equality and field_value; leave out all "
                      "three for all rows of the query", missing);
        return KR_DECLINED;
    }

    if (kr_op_parse(&s->equality, &s->op) != KR_OK) {
        kr_buf_str(reason, "equality ");
        kr_buf_json(reason, s->equality.data, s->equality.len);
        kr_buf_str(reason, " is none of eq, !eq, gt, gte, lt, lte, contains, "
                   "starts_with, ends_with");
        return KR_DECLINED;
    }

    return KR_OK;
}


/*
 * The topic's two parts, before and behind its last colon.  A topic without a
 * colon names no table, unless there is no predicate.
 */
static void
kr_spec_topic(kr_spec_t *s, kr_str_t *column)
{
    size_t  i;

    s->table.data = s->topic.data;
    s->table.len = s->all ? s->topic.len : 0;
    column->len = 0;

    for (i = s->topic.len; i > 0; i--) {
        if (s->topic.data[i - 1] == ':') {
            s->table.len = i - 1;
            column->len = s->topic.len - i;
            break;
        }
    }

    column->data = s->topic.data + s->topic.len - column->len;
}


/* "a, b": a comma within quotes is a part of the name. */
static int
kr_spec_check_pk(kr_spec_t *s, kr_buf_t *reason)
{
    int         quoted;
    size_t      i, begin;
    kr_str_t   *part;

    for (i = 0, begin = 0, quoted = 0; i <= s->pk.len && s->pk.len != 0; i++) {

        if (i < s->pk.len && (quoted || s->pk.data[i] != ',')) {
            quoted ^= (s->pk.data[i] == '"');
            continue;
        }

        if (s->npks == KR_SPEC_PKS_MAX) {
            kr_buf_printf(reason, "pk has more than %d columns",
                          KR_SPEC_PKS_MAX);
            return KR_DECLINED;
        }

        part = &s->pks[s->npks++];
        part->data = s->pk.data + begin;
        part->len = i - begin;
        begin = i + 1;

        kr_spec_trim(part);

        if (part->len == 0) {
            kr_buf_str(reason, "pk ");
            kr_buf_json(reason, s->pk.data, s->pk.len);
            kr_buf_str(reason, " is not a list of columns, as \"id\" or "
                       "\"a,b\"");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


static int
kr_spec_check_event(kr_spec_t *s, kr_buf_t *reason)
{
    if (s->event.len > KR_SPEC_NAME_MAX) {
        kr_buf_printf(reason, "event is longer than %d bytes",
                      KR_SPEC_NAME_MAX);
        return KR_DECLINED;
    }

    if (s->event.len >= 4 && memcmp(s->event.data, "phx_", 4) == 0) {
        return kr_spec_refuse(reason, "event must not begin with \"phx_\"");
    }

    return KR_OK;
}


static int
kr_spec_refuse(kr_buf_t *reason, const char *text)
{
    kr_buf_str(reason, text);

    return KR_DECLINED;
}


static int
kr_spec_is(const kr_str_t *a, const char *text)
{
    return a->len == strlen(text) && memcmp(a->data, text, a->len) == 0;
}


static void
kr_spec_trim(kr_str_t *v)
{
    while (v->len != 0 && strchr(" \t\r\n\f\v", v->data[0]) != NULL) {
        v->data++;
        v->len--;
    }

    while (v->len != 0 && strchr(" \t\r\n\f\v", v->data[v->len - 1]) != NULL) {
        v->len--;
    }
}
