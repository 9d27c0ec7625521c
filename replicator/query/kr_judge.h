/*
 * Whether a query, its tables and a client's spec go together, and the
 * sentence for the client's developer if they do not.  A pure function of
 * facts, shape, sql and spec: no database is queried here.
 */

#ifndef _KR_JUDGE_H_INCLUDED_
#define _KR_JUDGE_H_INCLUDED_


#include "kr_facts.h"
#include "kr_spec.h"
#include "kr_sql.h"


typedef enum {
    KR_TARGET_TABLE = 0,
    KR_TARGET_ITEM,              /* of the query's own FROM */
    KR_TARGET_RESULT
} kr_target_e;


/*
 * What a subscription is about: the field that is compared, and the key.  It
 * owns nothing: its pointers are into the facts and the shape.
 */
typedef struct {
    kr_target_e               of;        /* what the field is a column of */
    size_t                    index;     /* of that table in kr_sql_tables(),
                                            or item in kr_sql_items() */
    const kr_table_t         *table;     /* NULL: it is of none */
    const kr_table_column_t  *field;     /* NULL: there is no predicate, and
                                            the three above are what the key is
                                            looked for in first */
    unsigned                  key_of_result:1;  /* its columns are the spec's,
                                                   or named like the key's */
    size_t                    key_index;
    const kr_table_t         *key_table;
    const kr_table_key_t     *key;
    unsigned                  key_texts;    /* bit i: the result has the i-th
                                               column of the key as a text */
    unsigned                  key_missing:1;    /* the result has not all
                                                   columns of the key */
    kr_op_e                   op;
} kr_target_t;


/*
 * Whether the query may run at all: its tables are the users' own, and its
 * functions do no more than compute.  It marks in sql what the catalog alone
 * knows of the query (kr_sql_set_aggregate()).  KR_OK; KR_DECLINED: reason
 * gets one sentence that says what to do; reason->failed: no memory for it.
 */
int kr_judge_guard(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason);

/*
 * Whether kr_judge() needs the query's shape; not before kr_judge_guard(),
 * which may mark an aggregate.
 */
int kr_judge_needs_shape(const kr_sql_t *sql);

/*
 * Whether the query, which passed kr_judge_guard(), is served with the spec's
 * field and key.  shape is NULL where none is needed.  KR_OK: *target is set,
 * and is valid as long as facts and shape are.  KR_DECLINED: reason gets one
 * sentence, as above.  KR_ERROR: no memory.
 */
int kr_judge(const kr_facts_t *fa, const kr_shape_t *shape,
    const kr_sql_t *sql, const kr_spec_t *spec, kr_target_t *target,
    kr_buf_t *reason);

/*
 * The type by which values of a column are compared: a domain's is what it is
 * of; an enum's text, as PostgreSQL alone knows the order of an enum.
 */
uint32_t kr_column_type(const kr_table_column_t *c);

/* How the query calls the table or item of the field; not of the result. */
const kr_str_t *kr_target_called(const kr_target_t *target,
    const kr_sql_t *sql);

/* The last column of this name, as ref has it; NULL: none.  *n: how many. */
const kr_table_column_t *kr_table_find(const kr_table_t *t,
    const kr_sql_ref_t *ref, size_t *n);


#endif /* _KR_JUDGE_H_INCLUDED_ */
