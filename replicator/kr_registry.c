#include <stdlib.h>
#include <string.h>

#include "kr_registry.h"


static int kr_registry_topic(const kr_route_def_t *def, char *topic);
static kr_route_t *kr_route_create(const kr_route_def_t *def,
    const char *topic);
static int kr_route_predicate(kr_predicate_t *p, const kr_predicate_t *from);
static void kr_route_free(kr_route_t *rt);
static kr_template_t *kr_template_get(kr_registry_t *reg,
    const kr_route_def_t *def);
static int kr_template_key(const kr_route_def_t *def, kr_buf_t *key);
static void kr_template_leave(kr_registry_t *reg, kr_route_t *rt);
static char *kr_str_dup(const kr_str_t *s);


kr_registry_t *
kr_registry_create(uint64_t grace)
{
    kr_registry_t  *reg;

    reg = calloc(1, sizeof(kr_registry_t));
    if (reg == NULL) {
        return NULL;
    }

    reg->grace = grace;
    reg->match = kr_match_create();

    if (reg->match == NULL) {
        free(reg);
        return NULL;
    }

    return reg;
}


void
kr_registry_free(kr_registry_t *reg)
{
    kr_route_t   *rt, *next;
    kr_worker_t  *wk;

    HASH_ITER(hh, reg->routes, rt, next) {
        kr_registry_remove(reg, rt);
    }

    while (reg->workers != NULL) {
        wk = reg->workers;
        kr_worker_remove(reg, wk, 0);
        kr_worker_unhold(wk);
    }

    kr_match_free(reg->match);
    free(reg);
}


kr_route_t *
kr_registry_find(kr_registry_t *reg, const char *topic, size_t len)
{
    kr_route_t  *rt;

    HASH_FIND(hh, reg->routes, topic, len, rt);

    return rt;
}


int
kr_registry_add(kr_registry_t *reg, const kr_route_def_t *def,
    uint64_t since, uint64_t now, kr_route_t **out)
{
    int          rc;
    char         topic[KR_TOPIC_LEN + 1];
    kr_route_t  *rt;

    if (kr_registry_topic(def, topic) != KR_OK) {
        return KR_ERROR;
    }

    rt = kr_registry_find(reg, topic, KR_TOPIC_LEN);

    if (rt != NULL) {
        *out = rt;
        return KR_OK;
    }

    if (HASH_COUNT(reg->routes) >= KR_ROUTES_MAX) {
        return KR_DECLINED;
    }

    rt = kr_route_create(def, topic);
    if (rt == NULL) {
        return KR_ERROR;
    }

    rt->since = since;
    rt->template = kr_template_get(reg, def);

    if (rt->template == NULL) {
        kr_route_free(rt);
        return KR_ERROR;
    }

    DL_APPEND2(rt->template->routes, rt, tprev, tnext);

    HASH_ADD(hh, reg->routes, topic, KR_TOPIC_LEN, rt);

    rc = KR_ERROR;

    if (rt->hh.tbl != NULL) {
        rc = kr_match_add(reg->match, &rt->predicate, rt);

        if (rc != KR_OK) {
            HASH_DELETE(hh, reg->routes, rt);
        }
    }

    if (rc != KR_OK) {
        kr_template_leave(reg, rt);
        kr_route_free(rt);
        return rc;
    }

    kr_route_judge(reg, rt, now);
    *out = rt;

    return KR_OK;
}


void
kr_registry_remove(kr_registry_t *reg, kr_route_t *rt)
{
    while (rt->members != NULL) {
        kr_member_free(reg, rt->members, 0);
    }

    while (rt->cursors != NULL) {
        kr_cursor_free(reg, rt->cursors, 0);
    }

    if (rt->idle) {
        DL_DELETE2(reg->idle, rt, idle_prev, idle_next);
        rt->idle = 0;
    }

    kr_match_remove(reg->match, &rt->predicate, rt);
    HASH_DELETE(hh, reg->routes, rt);
    rt->removed = 1;

    kr_template_leave(reg, rt);
    kr_route_unhold(rt);
}


kr_route_t *
kr_route_hold(kr_route_t *rt)
{
    rt->refs++;

    return rt;
}


void
kr_route_unhold(kr_route_t *rt)
{
    if (--rt->refs == 0) {
        kr_route_free(rt);
    }
}


void
kr_route_judge(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned  idle;

    if (rt->removed) {
        return;
    }

    idle = rt->members == NULL && rt->cursors == NULL;

    if (idle == rt->idle) {
        return;
    }

    rt->idle = idle;

    if (idle) {
        rt->idle_since = now;
        DL_APPEND2(reg->idle, rt, idle_prev, idle_next);

    } else {
        DL_DELETE2(reg->idle, rt, idle_prev, idle_next);
    }
}


void
kr_ticket_add(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned      n;
    kr_ticket_t  *last;

    /* drops what is over, so that there is room */
    (void) kr_ticket_first(reg, rt, now);

    n = rt->ntickets;
    last = n == 0 ? NULL : &rt->tickets[n - 1];

    if (last != NULL
        && (n == KR_TICKETS
            || now - last->first < reg->grace / (KR_TICKETS - 1)))
    {
        last->last = now;
        return;
    }

    rt->tickets[n].first = now;
    rt->tickets[n].last = now;
    rt->ntickets++;
}


uint64_t
kr_ticket_first(kr_registry_t *reg, kr_route_t *rt, uint64_t now)
{
    unsigned  n;

    for (n = 0; n < rt->ntickets; n++) {
        if (now - rt->tickets[n].last <= reg->grace) {
            break;
        }
    }

    if (n != 0) {
        rt->ntickets -= n;
        memmove(rt->tickets, rt->tickets + n,
                rt->ntickets * sizeof(kr_ticket_t));
    }

    return rt->ntickets == 0 ? 0 : rt->tickets[0].first;
}


/* The identity: everything that decides which rows come, and how. */
static int
kr_registry_topic(const kr_route_def_t *def, char *topic)
{
    int                    rc;
    size_t                 i, n;
    kr_str_t              *parts;
    const kr_predicate_t  *p;

    static const kr_str_t  eq = kr_str("eq");

    p = &def->predicate;
    n = 9;

    parts = malloc((n + p->nvalues) * sizeof(kr_str_t));
    if (parts == NULL) {
        return KR_ERROR;
    }

    parts[0] = def->canonical;
    parts[1] = p->schema;
    parts[2] = p->table;
    parts[3] = p->column;
    parts[4] = eq;
    parts[5] = def->pk;
    parts[6] = def->alias;
    parts[7] = def->event;
    parts[8] = def->claims;

    for (i = 0; i < p->nvalues; i++) {
        parts[n + i] = p->values[i];
    }

    rc = kr_spec_topic(topic, parts, n + p->nvalues);

    free(parts);

    return rc;
}


static kr_route_t *
kr_route_create(const kr_route_def_t *def, const char *topic)
{
    kr_route_t  *rt;

    rt = calloc(1, sizeof(kr_route_t));
    if (rt == NULL) {
        return NULL;
    }

    rt->refs = 1;
    memcpy(rt->topic, topic, KR_TOPIC_LEN + 1);

    rt->event = kr_str_dup(&def->event);
    rt->spec = kr_str_dup(&def->spec);

    if (rt->event == NULL || rt->spec == NULL
        || kr_route_predicate(&rt->predicate, &def->predicate) != KR_OK)
    {
        kr_route_free(rt);
        return NULL;
    }

    return rt;
}


static int
kr_route_predicate(kr_predicate_t *p, const kr_predicate_t *from)
{
    char    *data;
    size_t   i;

    *p = *from;
    p->values = NULL;

    p->schema.data = kr_str_dup(&from->schema);
    p->table.data = kr_str_dup(&from->table);
    p->column.data = kr_str_dup(&from->column);

    if (p->schema.data == NULL || p->table.data == NULL
        || p->column.data == NULL)
    {
        return KR_ERROR;
    }

    p->values = calloc(from->nvalues, sizeof(kr_str_t));
    if (p->values == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < from->nvalues; i++) {
        data = kr_str_dup(&from->values[i]);
        if (data == NULL) {
            return KR_ERROR;
        }

        p->values[i].data = data;
        p->values[i].len = from->values[i].len;
    }

    return KR_OK;
}


static void
kr_route_free(kr_route_t *rt)
{
    size_t           i;
    kr_predicate_t  *p;

    p = &rt->predicate;

    if (p->values != NULL) {
        for (i = 0; i < p->nvalues; i++) {
            free((char *) p->values[i].data);
        }
    }

    free(p->values);
    free((char *) p->schema.data);
    free((char *) p->table.data);
    free((char *) p->column.data);
    free(rt->event);
    free(rt->spec);
    free(rt);
}


static kr_template_t *
kr_template_get(kr_registry_t *reg, const kr_route_def_t *def)
{
    kr_buf_t        key;
    kr_template_t  *t;

    memset(&key, 0, sizeof(kr_buf_t));

    if (kr_template_key(def, &key) != KR_OK) {
        kr_buf_free(&key);
        return NULL;
    }

    HASH_FIND(hh, reg->templates, key.data, key.len, t);

    if (t != NULL) {
        kr_buf_free(&key);
        return t;
    }

    t = calloc(1, sizeof(kr_template_t));
    if (t == NULL) {
        kr_buf_free(&key);
        return NULL;
    }

    /* the buffer's memory is taken over */

    t->key = key.data;
    t->key_len = key.len;
    t->oldest = UINT64_MAX;
    t->pk_type = def->pk_type;
    t->pk = kr_str_dup(&def->pk);
    t->refetch = kr_str_dup(&def->refetch);

    if (t->pk != NULL && t->refetch != NULL) {
        HASH_ADD_KEYPTR(hh, reg->templates, t->key, t->key_len, t);

        if (t->hh.tbl != NULL) {
            return t;
        }
    }

    free(t->pk);
    free(t->refetch);
    free(t->key);
    free(t);

    return NULL;
}


/* The refetch holds the query and the columns, but not the table itself. */
static int
kr_template_key(const kr_route_def_t *def, kr_buf_t *key)
{
    kr_buf_append(key, def->predicate.schema.data, def->predicate.schema.len);
    kr_buf_append(key, "", 1);
    kr_buf_append(key, def->predicate.table.data, def->predicate.table.len);
    kr_buf_append(key, "", 1);
    kr_buf_append(key, def->pk.data, def->pk.len);
    kr_buf_append(key, "", 1);
    kr_buf_append(key, def->refetch.data, def->refetch.len);

    return key->failed ? KR_ERROR : KR_OK;
}


static void
kr_template_leave(kr_registry_t *reg, kr_route_t *rt)
{
    kr_template_t  *t;

    t = rt->template;
    rt->template = NULL;

    DL_DELETE2(t->routes, rt, tprev, tnext);

    if (t->routes != NULL) {
        return;
    }

    HASH_DELETE(hh, reg->templates, t);

    if (t->pending != NULL) {
        reg->orphaned(t->pending);
    }

    free(t->pk);
    free(t->refetch);
    free(t->key);
    free(t);
}


static char *
kr_str_dup(const kr_str_t *s)
{
    char  *p;

    p = malloc(s->len + 1);

    if (p != NULL) {
        memcpy(p, s->data, s->len);
        p[s->len] = '\0';
    }

    return p;
}
