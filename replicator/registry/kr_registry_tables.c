/*
 * The tables that routes read, each once however many routes there are.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry_private.h"


static kr_subject_t *kr_subject_create(kr_registry_t *reg,
    const kr_relation_t *table);


int
kr_subject_add(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_subject_t  *su;

    su = kr_subject_find(reg, table);

    if (su == NULL) {
        su = kr_subject_create(reg, table);
    }

    if (su == NULL) {
        return KR_ERROR;
    }

    su->refs++;

    return KR_OK;
}


void
kr_subject_leave(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_subject_t  *su;

    su = kr_subject_find(reg, table);

    if (su == NULL || --su->refs != 0) {
        return;
    }

    HASH_DELETE(hh, reg->subjects, su);
    free(su->shape);
    free(su->name);
    free(su);
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


static kr_subject_t *
kr_subject_create(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_subject_t  *su;

    su = calloc(1, sizeof(kr_subject_t));
    if (su == NULL) {
        return NULL;
    }

    su->name = kr_relation_name(table, &su->name_len);

    if (su->name != NULL) {
        HASH_ADD_KEYPTR(hh, reg->subjects, su->name, su->name_len, su);
    }

    if (su->hh.tbl == NULL) {
        free(su->name);
        free(su);
        return NULL;
    }

    su->table.schema.data = su->name;
    su->table.schema.len = table->schema.len;
    su->table.name.data = su->name + table->schema.len + 1;
    su->table.name.len = table->name.len;

    return su;
}


kr_subject_t *
kr_subject_find(kr_registry_t *reg, const kr_relation_t *table)
{
    char          *name;
    size_t         len;
    kr_subject_t  *su;

    name = kr_relation_name(table, &len);
    if (name == NULL) {
        return NULL;
    }

    HASH_FIND(hh, reg->subjects, name, len, su);
    free(name);

    return su;
}
