/*
 * The tables that routes read: those of one route, each watched table once,
 * and which tables are partitions of which.
 */

#ifndef _KR_TABLES_H_INCLUDED_
#define _KR_TABLES_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"
#include "kr_hash.h"


#define KR_NONPARTITIONS_MAX  10000  /* tables known to be no partition; at
                                        the bound all of them are forgotten,
                                        and the catalog is queried again */


typedef struct kr_registry_s       kr_registry_t;
typedef struct kr_watched_table_s  kr_watched_table_t;
typedef struct kr_parent_s         kr_parent_t;
typedef struct kr_leaf_s           kr_leaf_t;


typedef struct {
    kr_str_t          schema;
    kr_str_t          name;
} kr_relation_t;


/*
 * A table that a query reads.  Of the main table, which has the predicate's
 * column, the changes that match the predicate touch the route; of every other
 * table all changes do.  A query that reads the main table a second time has
 * two of these: one with main set, one without.  If the predicate is on the
 * result, or there is none, there is no main table.
 */
typedef struct {
    kr_relation_t     table;
    unsigned          main:1;
    unsigned          parted:1;      /* partitioned: changes name its leaves */
    size_t            nleaves;       /* when the query was planned */
    kr_relation_t    *leaves;
    const char       *shape;         /* likewise, see kr_table_shape.h; of a
                                        definition alone, a route has NULL */
} kr_route_table_t;


/* a table that routes read; each table once */
struct kr_watched_table_s {
    char             *name;          /* the hash's key: schema, NUL, name,
                                        NUL; owned */
    size_t            name_len;
    kr_relation_t     table;         /* points into name */
    unsigned          refs;          /* routes */
    uint64_t          number;        /* each has a higher one than those that
                                        were watched before */
    char             *shape;         /* the last one that was seen and did not
                                        count, see kr_table_shape.h; by
                                        malloc() */
    UT_hash_handle    hh;
};


/* a partitioned table that routes read */
struct kr_parent_s {
    char             *name;          /* as above */
    size_t            name_len;
    kr_relation_t     table;
    unsigned          refs;          /* routes */
    UT_hash_handle    hh;
};


/* a table that a change names, and the partitioned tables above it */
struct kr_leaf_s {
    char             *name;          /* as above */
    size_t            name_len;
    size_t            nparents;      /* 0: no route reads a table above this
                                        one */
    kr_parent_t     **parents;
    uint64_t          checked_ms;    /* when the catalog was read */
    UT_hash_handle    hh;
};


/* The watched table of this name, or NULL. */
kr_watched_table_t *kr_watched_table_find(kr_registry_t *reg,
    const kr_relation_t *table);

/* Keeps a copy of the shape in place of the old one.  KR_ERROR: no memory. */
int kr_watched_table_shape(kr_watched_table_t *wt, const char *shape);

/*
 * Appends a text[] literal of PostgreSQL: the quoted names of n tables and of
 * their partitions.  KR_OK; KR_ERROR: no memory.
 */
int kr_route_tables_names(kr_buf_t *out, const kr_route_table_t *w, size_t n);

/*
 * The table's leaf.  NULL: the catalog was not read for this table, or there
 * is no memory for the look-up.
 */
kr_leaf_t *kr_leaf_find(kr_registry_t *reg, const kr_relation_t *table);

/*
 * Stores the catalog's answer of the time now (kr_now()): the n partitioned
 * tables, on all levels, above this table.  Parents that no route reads are
 * left out.  *grown: 1 if the leaf has got a new parent, else 0.  KR_OK;
 * KR_ERROR: no memory.
 */
int kr_leaf_learn(kr_registry_t *reg, const kr_relation_t *table,
    const kr_relation_t *parents, size_t n, uint64_t now, int *grown);


#endif /* _KR_TABLES_H_INCLUDED_ */
