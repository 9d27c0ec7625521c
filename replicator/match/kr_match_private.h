/*
 * Declarations that the kr_match*.c files share.
 *
 *     kr_match_table_t --- kr_match_column_t --- kr_match_value_t
 *             |                  |                     |
 *             |                   \              kr_match_ref_t
 *              \                   \                  /
 *               `------------------ kr_match_entry_t
 *                                        |
 *                                  kr_match_member_t
 *
 * A kr_match_column_t stands for a column of a table with one type and one
 * operator; its index is of the kind that the operator needs.  An entry is a
 * route's predicate, with a ref in the list of each of the predicate's values;
 * or the entry is a route that watches the table.  A member is a route with
 * all its entries.
 */

#ifndef _KR_MATCH_PRIVATE_H_INCLUDED_
#define _KR_MATCH_PRIVATE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_match.h"


/* levels of a skip list; each has a quarter of the values of the one below */
#define KR_MATCH_LEVELS  16


typedef struct kr_match_table_s   kr_match_table_t;
typedef struct kr_match_column_s  kr_match_column_t;
typedef struct kr_match_value_s   kr_match_value_t;
typedef struct kr_match_entry_s   kr_match_entry_t;
typedef struct kr_match_member_s  kr_match_member_t;
typedef struct kr_match_ref_s     kr_match_ref_t;


typedef enum {
    KR_KIND_EQUAL = 0,     /* values by hash */
    KR_KIND_EXCEPT,        /* !eq one value: values by hash */
    KR_KIND_LISTS,         /* !eq a list: values by hash, and each entry is
                              visited */
    KR_KIND_ORDER,         /* values in a skip list */
    KR_KIND_PREFIX,        /* values by hash and length */
    KR_KIND_SUFFIX,
    KR_KIND_INFIX,
    KR_KIND_ANY            /* no values: all but NULL may match */
} kr_match_kind_e;


struct kr_match_ref_s {
    kr_match_entry_t   *entry;
    kr_match_value_t   *value;
    kr_match_ref_t     *prev;      /* in value->refs */
    kr_match_ref_t     *next;
};


struct kr_match_entry_s {
    kr_match_member_t  *member;
    kr_match_table_t   *table;
    kr_match_column_t  *column;    /* NULL: the route watches the table */
    kr_match_entry_t   *prev;      /* in the column's list or the watchers' */
    kr_match_entry_t   *next;
    kr_match_entry_t   *other;     /* next in the member's list */
    uint64_t            search;    /* number of the last search that excluded
                                      the entry (LISTS) */
    size_t              nrefs;
    kr_match_ref_t      refs[];
};


struct kr_match_member_s {
    kr_route_t         *route;
    kr_match_entry_t   *entries;
    uint64_t            change;    /* number of the last change that touched
                                      the route, */
    size_t              hit;       /* and the index of its hit */
    UT_hash_handle      hh;
};


struct kr_match_value_s {
    kr_match_ref_t     *refs;
    uint64_t            search;    /* number of the last search that found the
                                      value (PREFIX, SUFFIX, INFIX) */
    kr_match_value_t   *prev;      /* in the list of its length (likewise) */
    kr_match_value_t   *next;
    unsigned            height;    /* of tower (ORDER) */
    kr_match_value_t  **tower;     /* tower and key are in the same piece of
                                      memory, behind the struct */
    char               *key;
    size_t              len;
    UT_hash_handle      hh;        /* all but ORDER */
};


/* the values of one length */
typedef struct {
    size_t              len;
    uint64_t            power;     /* m->base to the power of len */
    size_t              nvalues;
    kr_match_value_t   *values;
} kr_match_length_t;


struct kr_match_column_s {
    kr_match_table_t   *table;
    kr_match_column_t  *next;
    uint32_t            type;
    kr_op_e             op;
    kr_match_kind_e     kind;
    kr_match_value_t   *values;
    kr_match_value_t   *tower[KR_MATCH_LEVELS];
    size_t              nlengths;
    size_t              lengths_size;
    kr_match_length_t  *lengths;   /* the shortest first */
    kr_match_entry_t   *entries;
    kr_str_t            name;
    char                text[];    /* the name */
};


struct kr_match_table_s {
    kr_match_column_t  *columns;
    kr_match_entry_t   *watchers;
    UT_hash_handle      hh;
    char                key[];
};


struct kr_match_s {
    kr_match_table_t   *tables;
    kr_match_member_t  *members;
    uint64_t            seed[2];
    uint64_t            base;      /* of the hash of patterns */
    uint64_t            random;
    uint64_t            change;    /* number of the current change */
    uint64_t            search;    /* number of the current search */
    kr_buf_t            key;
    size_t              nhits;
    size_t              size;      /* room in hits */
    kr_hit_t           *hits;
};


#define KR_HIT_OLD    1
#define KR_HIT_NEW    2
#define KR_HIT_BLIND  4
#define KR_HIT_WATCH  8


/*
 * kr_match_index.c: the table, or NULL.  The table's key is left in *key; key
 * has `failed` set if there was no memory.
 */
kr_match_table_t *kr_match_find_table(const kr_match_t *m,
    const kr_str_t *schema, const kr_str_t *table, kr_buf_t *key);

/* kr_match_hash.c: the hash of len bytes, with m->seed */
unsigned kr_match_hash(const kr_match_t *m, const char *key, size_t len);

/*
 * kr_match_value.c: append the key of a route's value, or of a row's, to key;
 * they differ, for a pattern's value is plain text.  KR_OK.  KR_ERROR: no
 * memory, key has `failed` set.  KR_DECLINED: it is no value of the type.
 */
int kr_match_route_key(const kr_match_column_t *cl, const kr_str_t *value,
    kr_buf_t *key);
int kr_match_row_key(const kr_match_column_t *cl, const char *text,
    size_t len, kr_buf_t *key);

/*
 * Adds a ref of the entry to the value whose key is m->key, which is made if
 * the column has none.  An entry gets one ref to a value at most.  KR_OK;
 * KR_ERROR: no memory.
 */
int kr_match_add_value(kr_match_t *m, kr_match_column_t *cl,
    kr_match_entry_t *e);

/* Removes the entry's refs, and frees the values that have no other ref. */
void kr_match_remove_values(kr_match_entry_t *e);

/* The column's value of this key, or NULL. */
kr_match_value_t *kr_match_find_value(const kr_match_t *m,
    kr_match_column_t *cl, const char *key, size_t len);

/*
 * kr_match_pattern.c: the values of PREFIX, SUFFIX and INFIX by their lengths.
 * The search notes the routes of the linked values that m->key begins with,
 * ends with, contains.  KR_OK; KR_ERROR: no memory.
 */
unsigned kr_match_pattern_hash(const kr_match_t *m,
    const kr_match_column_t *cl, const char *key, size_t len);
int kr_match_link_length(kr_match_t *m, kr_match_column_t *cl,
    kr_match_value_t *v);
void kr_match_unlink_length(kr_match_column_t *cl, kr_match_value_t *v);
int kr_match_search_pattern(kr_match_t *m, kr_match_column_t *cl,
    unsigned flag);

/*
 * kr_match_search.c: notes the routes of the column that a value, whose key
 * is m->key, touches.  flag: KR_HIT_OLD or KR_HIT_NEW.  KR_OK; KR_ERROR: no
 * memory.
 */
int kr_match_search(kr_match_t *m, kr_match_column_t *cl, unsigned flag);

/*
 * kr_match_hit.c: note the route of an entry, the routes of a value, the
 * routes of a list of entries, with flags (KR_HIT_*).  A route that is noted
 * again keeps its hit, which gets the flags, too.  KR_OK; KR_ERROR: no memory.
 */
int kr_match_hit(kr_match_t *m, const kr_match_entry_t *e, unsigned flags);
int kr_match_hit_value(kr_match_t *m, const kr_match_value_t *v,
    unsigned flag);
int kr_match_hit_entries(kr_match_t *m, const kr_match_entry_t *e,
    unsigned flags);


#endif /* _KR_MATCH_PRIVATE_H_INCLUDED_ */
