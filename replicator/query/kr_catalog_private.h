/*
 * What the kr_catalog files share; no other file includes it.
 */

#ifndef _KR_CATALOG_PRIVATE_H_INCLUDED_
#define _KR_CATALOG_PRIVATE_H_INCLUDED_


#include "kr_catalog.h"


/* the statements of a question */
enum {
    KR_ASK_TABLES = 0,
    KR_ASK_COLUMNS,
    KR_ASK_KEYS,
    KR_ASK_LEAVES,
    KR_ASK_FUNCTIONS,
    KR_ASK_HIDDEN,
    KR_ASKS
};


/* the parameters, array literals; they outlive the job */
typedef struct {
    kr_buf_t   tables;           /* quoted names */
    kr_buf_t   schemas;          /* of the functions */
    kr_buf_t   names;
    kr_buf_t   kinds;            /* of the uses, see kr_sql_uses.h */
    kr_buf_t   use_schemas;
    kr_buf_t   use_names;
} kr_ask_t;


/* kr_catalog_ask.c: KR_OK or KR_ERROR; then kr_ask_free() all the same. */
int kr_ask_params(kr_ask_t *ask, const kr_sql_t *sql);

/* Adds the statements to a job, and takes a key from the parameters. */
void kr_ask_job(const kr_ask_t *ask, kr_job_t *job);
void kr_ask_key(const kr_ask_t *ask, kr_buf_t *key);
void kr_ask_free(kr_ask_t *ask);

/* kr_catalog_read.c: with one reference; NULL: no memory. */
kr_facts_t *kr_facts_read(PGresult **results);

/* what is judged, and what is found */
typedef struct {
    const kr_facts_t   *facts;
    const kr_shape_t   *shape;
    const kr_sql_t     *sql;
    const kr_spec_t    *spec;
    kr_aim_t           *aim;
    kr_buf_t           *reason;
} kr_judge_t;


/* a column that a client names, and what it is of */
typedef struct {
    kr_aim_e                  of;
    size_t                    place;    /* in the query; not of the result */
    const kr_table_column_t  *column;
} kr_found_t;


/*
 * kr_judge_column.c: the column that a client names.  what is the name of
 * the name; prefer is what is looked for first if none is written, or NULL.
 * KR_OK, KR_DECLINED, KR_ERROR.
 */
int kr_judge_column(kr_judge_t *jd, const char *what, const kr_str_t *name,
    const kr_found_t *prefer, kr_found_t *found);

/*
 * What is called or named so in the query's own FROM; found has no column.
 * KR_DECLINED: nothing, or more than one thing, and there is no reason.
 */
int kr_judge_named(kr_judge_t *jd, const kr_str_t *table, kr_found_t *found);

/*
 * kr_judge.c: the table that the topic names, wherever the query
 * reads it; the first, if it names none or an item.  NULL: it is not read.
 */
const kr_table_t *kr_judge_read(const kr_judge_t *jd);

/* kr_judge_key.c: finds the aim's key, likewise. */
int kr_judge_key(kr_judge_t *jd);

int kr_same(const kr_str_t *a, const kr_str_t *b);

/* a is a client's, b the catalog's; ASCII letters alone are folded */
int kr_same_folded(const kr_str_t *a, const kr_str_t *b);

/* The table's name, quoted, with its schema. */
void kr_judge_name(const kr_table_t *t, kr_buf_t *reason);


#endif /* _KR_CATALOG_PRIVATE_H_INCLUDED_ */
