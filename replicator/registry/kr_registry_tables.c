/*
 * The watched tables: each table that routes read, once.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry_private.h"


static kr_watched_table_t *kr_watched_table_create(kr_registry_t *reg,
    const kr_relation_t *table, const char *shape);
static void kr_watched_table_free(kr_watched_table_t *wt);


int
kr_watched_table_add(kr_registry_t *reg, const kr_relation_t *table,
    const char *shape)
{
    kr_watched_table_t  *wt;

    wt = kr_watched_table_find(reg, table);

    if (wt == NULL) {
        wt = kr_watched_table_create(reg, table, shape);
    }

    if (wt == NULL) {
        return KR_ERROR;
    }

    wt->refs++;

    return KR_OK;
}


void
kr_watched_table_leave(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_watched_table_t  *wt;

    wt = kr_watched_table_find(reg, table);

    if (wt == NULL || --wt->refs != 0) {
        return;
    }

    HASH_DELETE(hh, reg->watched, wt);
    kr_watched_table_free(wt);
}


int
kr_watched_table_shape(kr_watched_table_t *wt, const char *shape)
{
    char  *copy;

    if (wt->shape != NULL && strcmp(wt->shape, shape) == 0) {
        return KR_OK;
    }

    copy = strdup(shape);
    if (copy == NULL) {
        return KR_ERROR;
    }

    free(wt->shape);
    wt->shape = copy;

    return KR_OK;
}


char *
kr_relation_name(const kr_relation_t *r, size_t *len)
{
    char  *p;

    *len = r->schema.len + r->name.len + 2;

    p = malloc(*len);
    if (p == NULL) {
        return NULL;
    }

    memcpy(p, r->schema.data, r->schema.len);
    p[r->schema.len] = '\0';
    memcpy(p + r->schema.len + 1, r->name.data, r->name.len);
    p[*len - 1] = '\0';

    return p;
}


static kr_watched_table_t *
kr_watched_table_create(kr_registry_t *reg, const kr_relation_t *table,
    const char *shape)
{
    kr_watched_table_t  *wt;

    wt = calloc(1, sizeof(kr_watched_table_t));
    if (wt == NULL) {
        return NULL;
    }

    wt->name = kr_relation_name(table, &wt->name_len);

    if (wt->name != NULL && kr_watched_table_shape(wt, shape) == KR_OK) {
        HASH_ADD_KEYPTR(hh, reg->watched, wt->name, wt->name_len, wt);
    }

    if (wt->hh.tbl == NULL) {
        kr_watched_table_free(wt);
        return NULL;
    }

    wt->number = ++reg->watches;

    wt->table.schema.data = wt->name;
    wt->table.schema.len = table->schema.len;
    wt->table.name.data = wt->name + table->schema.len + 1;
    wt->table.name.len = table->name.len;

    return wt;
}


static void
kr_watched_table_free(kr_watched_table_t *wt)
{
    free(wt->shape);
    free(wt->name);
    free(wt);
}


kr_watched_table_t *
kr_watched_table_find(kr_registry_t *reg, const kr_relation_t *table)
{
    char                *name;
    size_t               len;
    kr_watched_table_t  *wt;

    name = kr_relation_name(table, &len);
    if (name == NULL) {
        return NULL;
    }

    HASH_FIND(hh, reg->watched, name, len, wt);
    free(name);

    return wt;
}
