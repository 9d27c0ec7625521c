/*
 * What kr_match.c and kr_match_index.c share.
 *
 *     kr_match_table_t --- kr_match_column_t --- kr_match_value_t
 *                                |                     |
 *                                 \                kr_match_ref_t
 *                                  kr_match_entry_t ---/
 *
 * An entry is a route with its predicate; it holds one ref for each of its
 * values, which stands in that value's list.
 */

#ifndef _KR_MATCH_PRIVATE_H_INCLUDED_
#define _KR_MATCH_PRIVATE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_match.h"


typedef struct kr_match_table_s   kr_match_table_t;
typedef struct kr_match_column_s  kr_match_column_t;
typedef struct kr_match_value_s   kr_match_value_t;
typedef struct kr_match_entry_s   kr_match_entry_t;
typedef struct kr_match_ref_s     kr_match_ref_t;


struct kr_match_ref_s {
    kr_match_entry_t   *entry;
    kr_match_value_t   *value;
    kr_match_ref_t     *prev;      /* of the value */
    kr_match_ref_t     *next;
};


struct kr_match_entry_s {
    kr_route_t         *route;
    kr_match_entry_t   *prev;      /* of the column */
    kr_match_entry_t   *next;
    uint64_t            change;    /* the last one that touched it, */
    size_t              hit;       /* and where it stands among the hits */
    size_t              nrefs;
    kr_match_ref_t      refs[];
};


struct kr_match_value_s {
    kr_match_ref_t     *refs;
    UT_hash_handle      hh;
    char                key[];
};


struct kr_match_column_s {
    kr_match_table_t   *table;
    kr_match_column_t  *next;
    uint32_t            type;
    kr_op_e             op;
    kr_match_value_t   *values;
    kr_match_entry_t   *entries;
    kr_str_t            name;
    char                text[];    /* the name */
};


struct kr_match_table_s {
    kr_match_column_t  *columns;
    UT_hash_handle      hh;
    char                key[];
};


struct kr_match_s {
    kr_match_table_t   *tables;
    uint64_t            seed[2];
    uint64_t            change;    /* number of the current one */
    kr_buf_t            key;
    size_t              nhits;
    size_t              size;
    kr_hit_t           *hits;
};


/*
 * The table; key is where its key is put together (after a miss it is there
 * to be used), and has failed set if there was no memory.
 */
kr_match_table_t *kr_match_find_table(const kr_match_t *m,
    const kr_str_t *schema, const kr_str_t *table, kr_buf_t *key);
kr_match_value_t *kr_match_find_value(const kr_match_t *m,
    const kr_match_column_t *cl, const kr_buf_t *key);


#endif /* _KR_MATCH_PRIVATE_H_INCLUDED_ */
