/*
 * Partitioned tables: a change names the partition (the leaf), a route names
 * the partitioned table (the parent).
 */

#include <stdlib.h>
#include <string.h>

#include "kr_registry_private.h"


static int kr_leaf_link(kr_registry_t *reg, const kr_relation_t *table,
    kr_parent_t *parent, int *grown);
static kr_leaf_t *kr_leaf_get(kr_registry_t *reg,
    const kr_relation_t *table);
static void kr_leaf_unlink(kr_registry_t *reg, kr_leaf_t *leaf,
    const kr_parent_t *parent);
static void kr_leaf_free(kr_registry_t *reg, kr_leaf_t *leaf);
static void kr_nonpartitions_forget(kr_registry_t *reg);
static kr_parent_t *kr_parent_find(kr_registry_t *reg,
    const kr_relation_t *table);
static kr_parent_t *kr_parent_get(kr_registry_t *reg,
    const kr_relation_t *table);


int
kr_parent_add(kr_registry_t *reg, const kr_route_table_t *w)
{
    int           grown;
    size_t        i;
    kr_parent_t  *p;

    p = kr_parent_get(reg, &w->table);
    if (p == NULL) {
        return KR_ERROR;
    }

    p->refs++;

    for (i = 0; i < w->nleaves; i++) {
        if (kr_leaf_link(reg, &w->leaves[i], p, &grown) != KR_OK) {
            kr_parent_leave(reg, w);
            return KR_ERROR;
        }
    }

    return KR_OK;
}


void
kr_parent_leave(kr_registry_t *reg, const kr_route_table_t *w)
{
    kr_leaf_t    *leaf, *next;
    kr_parent_t  *p;

    p = kr_parent_find(reg, &w->table);

    if (p == NULL || --p->refs != 0) {
        return;
    }

    HASH_ITER(hh, reg->leaves, leaf, next) {
        kr_leaf_unlink(reg, leaf, p);
    }

    HASH_DELETE(hh, reg->parents, p);
    free(p->name);
    free(p);

    if (reg->parents == NULL) {
        /* no change looks for leaves now, so these would become outdated */
        kr_nonpartitions_forget(reg);
    }
}


kr_leaf_t *
kr_leaf_find(kr_registry_t *reg, const kr_relation_t *table)
{
    char       *name;
    size_t      len;
    kr_leaf_t  *leaf;

    name = kr_relation_name(table, &len);
    if (name == NULL) {
        return NULL;
    }

    HASH_FIND(hh, reg->leaves, name, len, leaf);
    free(name);

    return leaf;
}


int
kr_leaf_learn(kr_registry_t *reg, const kr_relation_t *table,
    const kr_relation_t *parents, size_t n, uint64_t now, int *grown)
{
    size_t        i;
    kr_leaf_t    *leaf;
    kr_parent_t  *p;

    *grown = 0;

    if (reg->nonpartitions >= KR_NONPARTITIONS_MAX) {
        kr_nonpartitions_forget(reg);
    }

    leaf = kr_leaf_get(reg, table);
    if (leaf == NULL) {
        return KR_ERROR;
    }

    leaf->checked_ms = now;

    for (i = 0; i < n; i++) {
        p = kr_parent_find(reg, &parents[i]);

        if (p != NULL && kr_leaf_link(reg, table, p, grown) != KR_OK) {
            return KR_ERROR;
        }
    }

    return KR_OK;
}


static int
kr_leaf_link(kr_registry_t *reg, const kr_relation_t *table,
    kr_parent_t *parent, int *grown)
{
    size_t         i;
    kr_leaf_t     *leaf;
    kr_parent_t  **parents;

    leaf = kr_leaf_get(reg, table);
    if (leaf == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < leaf->nparents; i++) {
        if (leaf->parents[i] == parent) {
            return KR_OK;
        }
    }

    parents = realloc(leaf->parents,
                      (leaf->nparents + 1) * sizeof(kr_parent_t *));
    if (parents == NULL) {
        return KR_ERROR;
    }

    if (leaf->nparents == 0) {
        reg->nonpartitions--;
    }

    leaf->parents = parents;
    leaf->parents[leaf->nparents++] = parent;
    *grown = 1;

    return KR_OK;
}


static kr_leaf_t *
kr_leaf_get(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_leaf_t  *leaf;

    leaf = kr_leaf_find(reg, table);
    if (leaf != NULL) {
        return leaf;
    }

    leaf = calloc(1, sizeof(kr_leaf_t));
    if (leaf == NULL) {
        return NULL;
    }

    leaf->name = kr_relation_name(table, &leaf->name_len);

    if (leaf->name != NULL) {
        HASH_ADD_KEYPTR(hh, reg->leaves, leaf->name, leaf->name_len, leaf);
    }

    if (leaf->hh.tbl == NULL) {
        free(leaf->name);
        free(leaf);
        return NULL;
    }

    reg->nonpartitions++;

    return leaf;
}


/*
 * Takes the parent off the leaf.  A leaf without another parent is freed: that
 * no route reads a parent of it is true only of the parents known so far.
 */
static void
kr_leaf_unlink(kr_registry_t *reg, kr_leaf_t *leaf, const kr_parent_t *parent)
{
    size_t  i;

    for (i = 0; i < leaf->nparents; i++) {

        if (leaf->parents[i] != parent) {
            continue;
        }

        leaf->parents[i] = leaf->parents[--leaf->nparents];

        if (leaf->nparents == 0) {
            reg->nonpartitions++;
            kr_leaf_free(reg, leaf);
        }

        return;
    }
}


static void
kr_leaf_free(kr_registry_t *reg, kr_leaf_t *leaf)
{
    if (leaf->nparents == 0) {
        reg->nonpartitions--;
    }

    HASH_DELETE(hh, reg->leaves, leaf);
    free(leaf->parents);
    free(leaf->name);
    free(leaf);
}


static void
kr_nonpartitions_forget(kr_registry_t *reg)
{
    kr_leaf_t  *leaf, *next;

    HASH_ITER(hh, reg->leaves, leaf, next) {
        if (leaf->nparents == 0) {
            kr_leaf_free(reg, leaf);
        }
    }
}


static kr_parent_t *
kr_parent_find(kr_registry_t *reg, const kr_relation_t *table)
{
    char         *name;
    size_t        len;
    kr_parent_t  *p;

    name = kr_relation_name(table, &len);
    if (name == NULL) {
        return NULL;
    }

    HASH_FIND(hh, reg->parents, name, len, p);
    free(name);

    return p;
}


static kr_parent_t *
kr_parent_get(kr_registry_t *reg, const kr_relation_t *table)
{
    kr_parent_t  *p;

    p = kr_parent_find(reg, table);
    if (p != NULL) {
        return p;
    }

    p = calloc(1, sizeof(kr_parent_t));
    if (p == NULL) {
        return NULL;
    }

    p->name = kr_relation_name(table, &p->name_len);

    if (p->name != NULL) {
        HASH_ADD_KEYPTR(hh, reg->parents, p->name, p->name_len, p);
    }

    if (p->hh.tbl == NULL) {
        free(p->name);
        free(p);
        return NULL;
    }

    p->table.schema.data = p->name;
    p->table.schema.len = table->schema.len;
    p->table.name.data = p->name + table->schema.len + 1;
    p->table.name.len = table->name.len;

    return p;
}
