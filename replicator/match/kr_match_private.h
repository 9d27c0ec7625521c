/*
 * What the kr_match files share.
 *
 *     kr_match_table_t --- kr_match_column_t --- kr_match_value_t
 *             |                  |                     |
 *             |                   \              kr_match_ref_t
 *              \                   \                  /
 *               `------------------ kr_match_entry_t
 *                                        |
 *                                  kr_match_member_t
 *
 * A column is one of a table, of one type and one operator, with an index
 * of the kind that this operator needs.  An entry is a route's predicate,
 * and holds one ref for each of its values, which stands in that value's
 * list; or it is a route that watches the table.  A member is a route with
 * all its entries.
 */

#ifndef _KR_MATCH_PRIVATE_H_INCLUDED_
#define _KR_MATCH_PRIVATE_H_INCLUDED_


#include "kr_hash.h"
#include "kr_match.h"


/* of the skip lists: each level holds a quarter of the one below */
#define KR_MATCH_LEVELS  16


typedef struct kr_match_table_s   kr_match_table_t;
typedef struct kr_match_column_s  kr_match_column_t;
typedef struct kr_match_value_s   kr_match_value_t;
typedef struct kr_match_entry_s   kr_match_entry_t;
typedef struct kr_match_member_s  kr_match_member_t;
typedef struct kr_match_ref_s     kr_match_ref_t;


typedef enum {
    KR_KIND_EQUAL = 0,     /* values by hash */
    KR_KIND_EXCEPT,        /* !eq a value: likewise */
    KR_KIND_LISTS,         /* !eq a list: likewise, entries one by one */
    KR_KIND_ORDER,         /* values in a skip list */
    KR_KIND_PREFIX,        /* values by hash and length */
    KR_KIND_SUFFIX,
    KR_KIND_INFIX,
    KR_KIND_ANY            /* no values: whatever is not NULL may match */
} kr_match_kind_e;


struct kr_match_ref_s {
    kr_match_entry_t   *entry;
    kr_match_value_t   *value;
    kr_match_ref_t     *prev;      /* of the value */
    kr_match_ref_t     *next;
};


struct kr_match_entry_s {
    kr_match_member_t  *member;
    kr_match_table_t   *table;
    kr_match_column_t  *column;    /* NULL: it watches the table */
    kr_match_entry_t   *prev;      /* of the column, or of the watchers */
    kr_match_entry_t   *next;
    kr_match_entry_t   *other;     /* of the member */
    uint64_t            search;    /* the last one that excludes it (LISTS) */
    size_t              nrefs;
    kr_match_ref_t      refs[];
};


struct kr_match_member_s {
    kr_route_t         *route;
    kr_match_entry_t   *entries;
    uint64_t            change;    /* the last one that touched it, */
    size_t              hit;       /* and where it stands among the hits */
    UT_hash_handle      hh;
};


struct kr_match_value_s {
    kr_match_ref_t     *refs;
    uint64_t            search;    /* the last one that found it (INFIX) */
    kr_match_value_t   *prev;      /* of the same length (PREFIX and its */
    kr_match_value_t   *next;      /* like) */
    unsigned            height;    /* of tower (ORDER) */
    kr_match_value_t  **tower;     /* behind the value, as the key is */
    char               *key;
    size_t              len;
    UT_hash_handle      hh;        /* all but ORDER */
};


/* the values of one length */
typedef struct {
    size_t              len;
    uint64_t            power;     /* of the hash's base, to len */
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
    uint64_t            change;    /* number of the current one */
    uint64_t            search;    /* number of the current look-up */
    kr_buf_t            key;
    size_t              nhits;
    size_t              size;
    kr_hit_t           *hits;
};


#define KR_HIT_OLD    1
#define KR_HIT_NEW    2
#define KR_HIT_BLIND  4
#define KR_HIT_WATCH  8


/*
 * kr_match_index.c: the table; key is where its key is put together (after a
 * miss it is there to be used), and has failed set if there was no memory.
 */
kr_match_table_t *kr_match_find_table(const kr_match_t *m,
    const kr_str_t *schema, const kr_str_t *table, kr_buf_t *key);

/* kr_match_hash.c */
unsigned kr_match_hash(const kr_match_t *m, const char *key, size_t len);

/*
 * kr_match_value.c: values of a column.  The keys of a route's values and of
 * a row's are made by two functions, for a pattern's value is plain text.
 * KR_OK, KR_ERROR (no memory, key has failed set), KR_DECLINED (not of the
 * type).
 */
int kr_match_route_key(const kr_match_column_t *cl, const kr_str_t *value,
    kr_buf_t *key);
int kr_match_row_key(const kr_match_column_t *cl, const char *text,
    size_t len, kr_buf_t *key);

/* Puts m->key into the column, once for an entry.  KR_OK, KR_ERROR. */
int kr_match_add_value(kr_match_t *m, kr_match_column_t *cl,
    kr_match_entry_t *e);

/* Takes the entry's refs out, and the values that are left without any. */
void kr_match_remove_values(kr_match_entry_t *e);

kr_match_value_t *kr_match_find_value(const kr_match_t *m,
    kr_match_column_t *cl, const char *key, size_t len);

/*
 * kr_match_pattern.c: values by their lengths.  A value is to be linked
 * before it is searched for.  KR_OK, KR_ERROR.
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
 * is m->key, touches.  KR_OK, KR_ERROR.
 */
int kr_match_search(kr_match_t *m, kr_match_column_t *cl, unsigned flag);

/*
 * kr_match_hit.c: notes the route of an entry, those of a value, those of a
 * list of entries, with flags (KR_HIT_*).  A route is one hit, however often
 * it is noted.  KR_OK, KR_ERROR.
 */
int kr_match_hit(kr_match_t *m, const kr_match_entry_t *e, unsigned flags);
int kr_match_hit_value(kr_match_t *m, const kr_match_value_t *v,
    unsigned flag);
int kr_match_hit_entries(kr_match_t *m, const kr_match_entry_t *e,
    unsigned flags);


#endif /* _KR_MATCH_PRIVATE_H_INCLUDED_ */
