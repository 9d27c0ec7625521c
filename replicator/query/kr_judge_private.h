/*
 * What the kr_judge*.c files share; no other file includes it.
 */

#ifndef _KR_JUDGE_PRIVATE_H_INCLUDED_
#define _KR_JUDGE_PRIVATE_H_INCLUDED_


#include "kr_judge.h"


/* a judgement under way */
typedef struct {
    const kr_facts_t   *facts;
    const kr_shape_t   *shape;
    const kr_sql_t     *sql;
    const kr_spec_t    *spec;
    kr_target_t        *target;
    kr_buf_t           *reason;
} kr_judge_t;


/* a column that a client names, and what it is of */
typedef struct {
    kr_target_e               of;
    size_t                    index;    /* as in kr_target_t */
    const kr_table_column_t  *column;
} kr_found_t;


/*
 * kr_judge_column.c: finds the column that a client names.  what is the
 * field of the spec, for the sentence; prefer is the table or item that a
 * column without one is looked for in first, or NULL.  KR_OK: *found is set;
 * KR_DECLINED: reason has a sentence; KR_ERROR: no memory.
 */
int kr_judge_column(kr_judge_t *jd, const char *what, const kr_str_t *name,
    const kr_found_t *prefer, kr_found_t *found);

/*
 * Finds the table or item of the query's own FROM that has this name or
 * alias; found->column is not set.  KR_DECLINED: there is none, or more than
 * one; reason has no sentence.  KR_ERROR: no memory.
 */
int kr_judge_named(kr_judge_t *jd, const kr_str_t *table, kr_found_t *found);

/*
 * kr_judge_key.c: finds the target's key, by the spec's pk or without it.
 * KR_OK, KR_DECLINED with a sentence, KR_ERROR.
 */
int kr_judge_key(kr_judge_t *jd);

/*
 * kr_judge_output.c: whether the rows, and the key that the target has by
 * then, leave room for the member that the replicator adds.  KR_OK, or
 * KR_DECLINED with a sentence.
 */
int kr_judge_output(kr_judge_t *jd);

/*
 * kr_judge_name.c: the table that the topic names, wherever the query reads
 * it; the query's first, if the topic names none, or an item.  NULL: the
 * query does not read it.
 */
const kr_table_t *kr_judge_read(const kr_judge_t *jd);

/*
 * Whether a client's name, and schema if that is not empty, are those of the
 * table, or the name is called, which is how the query calls the table.
 */
int kr_judge_is(const kr_str_t *name, const kr_str_t *schema,
    const kr_table_t *t, const kr_str_t *called);

/*
 * Splits "before.name": *name becomes its last part, without quotes, *before
 * all that stands before the last point, or empty.
 */
void kr_split(kr_str_t *name, kr_str_t *before);

/* Appends the table's name, quoted, with its schema. */
void kr_judge_name(const kr_table_t *t, kr_buf_t *reason);

int kr_same(const kr_str_t *a, const kr_str_t *b);

/*
 * Whether a, a client's, is b, the catalog's, as it is written or in lower
 * case (ASCII letters alone).
 */
int kr_same_folded(const kr_str_t *a, const kr_str_t *b);


#endif /* _KR_JUDGE_PRIVATE_H_INCLUDED_ */
