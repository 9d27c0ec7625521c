#include <stdlib.h>
#include <string.h>

#include "kr_registry_private.h"


static int kr_registry_topic(const kr_route_def_t *def, char *topic);
static int kr_registry_index(kr_registry_t *reg, kr_route_t *rt,
    const kr_route_def_t *def);
static int kr_registry_watch(kr_registry_t *reg, kr_route_t *rt,
    const kr_route_table_t *w, const char *shape);
static void kr_registry_unindex(kr_registry_t *reg, kr_route_t *rt,
    size_t ntables);


kr_registry_t *
kr_registry_create(uint64_t grace_ms)
{
    kr_registry_t  *reg;

    reg = calloc(1, sizeof(kr_registry_t));
    if (reg == NULL) {
        return NULL;
    }

    reg->grace_ms = grace_ms;
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
    uint64_t created_lsn, uint64_t now, kr_route_t **out)
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

    rt->join.created_lsn = created_lsn;
    rt->template = kr_template_get(reg, def);

    if (rt->template == NULL) {
        kr_route_unhold(rt);
        return KR_ERROR;
    }

    DL_APPEND2(rt->template->routes, rt, tprev, tnext);

    HASH_ADD(hh, reg->routes, topic, KR_TOPIC_LEN, rt);

    rc = KR_ERROR;

    if (rt->hh.tbl != NULL) {
        rc = kr_registry_index(reg, rt, def);

        if (rc != KR_OK) {
            HASH_DELETE(hh, reg->routes, rt);
        }
    }

    if (rc != KR_OK) {
        kr_template_leave(reg, rt);
        kr_route_unhold(rt);
        return rc;
    }

    kr_route_update_idle(reg, rt, now);
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

    if (rt->idle.listed) {
        DL_DELETE2(reg->idle, rt, idle.prev, idle.next);
        rt->idle.listed = 0;
    }

    kr_registry_unindex(reg, rt, rt->ntables);
    HASH_DELETE(hh, reg->routes, rt);
    rt->removed = 1;

    if (rt->rerun != NULL) {
        reg->ended(rt->rerun);
        rt->rerun = NULL;
    }

    kr_template_leave(reg, rt);
    kr_route_unhold(rt);
}


/*
 * Makes the topic from all parts of the definition that decide which rows a
 * member gets, and in which form.  KR_OK; KR_ERROR: no memory.
 */
static int
kr_registry_topic(const kr_route_def_t *def, char *topic)
{
    int                    rc;
    size_t                 i, n;
    kr_str_t              *parts;
    const kr_predicate_t  *p;

    static const kr_str_t  exact = kr_str("exact"), none = kr_str("");

    p = &def->predicate;

    parts = malloc((9 + KR_KEY_MAX + p->nvalues) * sizeof(kr_str_t));
    if (parts == NULL) {
        return KR_ERROR;
    }

    parts[0] = def->canonical;
    parts[1] = p->schema;
    parts[2] = p->table;
    parts[3] = p->column;
    parts[4].data = p->all ? "" : kr_op_name(p->op);
    parts[4].len = strlen(parts[4].data);
    parts[5] = def->alias;
    parts[6] = def->event;
    parts[7] = def->claims;
    parts[8] = def->exact ? exact : none;
    n = 9;

    for (i = 0; i < KR_KEY_MAX; i++) {
        parts[n++] = i < def->key.n ? def->key.names[i] : none;
    }

    for (i = 0; i < p->nvalues; i++) {
        parts[n++] = p->values[i];
    }

    rc = kr_topic_hash(topic, parts, n);

    free(parts);

    return rc;
}


/*
 * Adds the route to the index, the watched tables and the parents.  KR_OK;
 * KR_ERROR, KR_DECLINED: as kr_registry_add(), and nothing was added.
 */
static int
kr_registry_index(kr_registry_t *reg, kr_route_t *rt,
    const kr_route_def_t *def)
{
    int     rc;
    size_t  i;

    rc = rt->predicate.result ? KR_OK
         : kr_match_add(reg->match, &rt->predicate, rt);

    for (i = 0; rc == KR_OK && i < rt->ntables; i++) {
        rc = kr_registry_watch(reg, rt, &rt->tables[i], def->tables[i].shape);

        if (rc != KR_OK) {
            kr_registry_unindex(reg, rt, i);
        }
    }

    return rc;
}


static int
kr_registry_watch(kr_registry_t *reg, kr_route_t *rt,
    const kr_route_table_t *w, const char *shape)
{
    if (kr_watched_table_add(reg, &w->table, shape) != KR_OK) {
        return KR_ERROR;
    }

    if (w->parted && kr_parent_add(reg, w) != KR_OK) {
        kr_watched_table_leave(reg, &w->table);
        return KR_ERROR;
    }

    if (!w->main
        && kr_match_watch(reg->match, &w->table.schema, &w->table.name, rt)
           != KR_OK)
    {
        if (w->parted) {
            kr_parent_leave(reg, w);
        }

        kr_watched_table_leave(reg, &w->table);
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_registry_unindex(kr_registry_t *reg, kr_route_t *rt, size_t ntables)
{
    size_t                   i;
    const kr_route_table_t  *w;

    for (i = 0; i < ntables; i++) {
        w = &rt->tables[i];

        if (!w->main) {
            kr_match_unwatch(reg->match, &w->table.schema, &w->table.name,
                             rt);
        }

        if (w->parted) {
            kr_parent_leave(reg, w);
        }

        kr_watched_table_leave(reg, &w->table);
    }

    if (!rt->predicate.result) {
        kr_match_remove(reg->match, &rt->predicate, rt);
    }
}
