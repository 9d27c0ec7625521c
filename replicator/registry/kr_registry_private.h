/*
 * Declarations that the kr_registry*.c files share; only they include this.
 */

#ifndef _KR_REGISTRY_PRIVATE_H_INCLUDED_
#define _KR_REGISTRY_PRIVATE_H_INCLUDED_


#include "kr_registry.h"


/*
 * kr_registry_topic.c: writes the topic of the route that these parts, in
 * this order, identify: "rt:", a hash, and '\0' (KR_TOPIC_LEN + 1 bytes at
 * p).  The hash covers each part's length, too.  KR_OK, or KR_ERROR: libcrypto
 * has no memory.
 */
int kr_topic_hash(char *p, const kr_str_t *parts, size_t n);

/* kr_registry_def.c: a copy of the definition, in no list; NULL: no memory. */
kr_route_t *kr_route_create(const kr_route_def_t *def, const char *topic);
void kr_route_free(kr_route_t *rt);

/* Finds the definition's template, or makes it; NULL: no memory. */
kr_template_t *kr_template_get(kr_registry_t *reg,
    const kr_route_def_t *def);

/*
 * Takes the route out of its template, which is freed with its last route,
 * after reg->orphaned() if it has refetches pending.
 */
void kr_template_leave(kr_registry_t *reg, kr_route_t *rt);

/*
 * A route reads a table, or does not any more.  A table that is watched
 * already keeps its shape, which may be an older one: what happened since is
 * still to be noticed for its other routes.
 */
int kr_watched_table_add(kr_registry_t *reg, const kr_relation_t *table,
    const char *shape);
void kr_watched_table_leave(kr_registry_t *reg, const kr_relation_t *table);

/*
 * The table's key in the hashes: schema, NUL, name, NUL.  The caller frees it.
 * NULL: no memory.
 */
char *kr_relation_name(const kr_relation_t *r, size_t *len);

/*
 * kr_registry_parts.c: counts one more route that reads the partitioned table,
 * and links the leaves (KR_OK, or KR_ERROR: no memory), or one route less.
 */
int kr_parent_add(kr_registry_t *reg, const kr_route_table_t *w);
void kr_parent_leave(kr_registry_t *reg, const kr_route_table_t *w);


#endif /* _KR_REGISTRY_PRIVATE_H_INCLUDED_ */
