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

/* Fills the statements of a job, and takes a key from the parameters. */
void kr_ask_job(const kr_ask_t *ask, kr_job_t *job);
void kr_ask_key(const kr_ask_t *ask, kr_buf_t *key);
void kr_ask_free(kr_ask_t *ask);

/* kr_catalog_read.c: with one reference; NULL: no memory. */
kr_facts_t *kr_facts_read(PGresult **results);

/*
 * kr_catalog_guard.c: whether a query with these tables and functions may
 * run at all.  KR_OK, KR_DECLINED.
 */
int kr_guard_judge(const kr_facts_t *fa, kr_sql_t *sql, kr_buf_t *reason);

/* what is judged, and what is found */
typedef struct {
    const kr_facts_t   *facts;
    const kr_sql_t     *sql;
    const kr_spec_t    *spec;
    kr_aim_t           *aim;
    kr_buf_t           *reason;
} kr_judge_t;


/*
 * kr_catalog_judge.c: the column that a client names, and its table.  what
 * is the name of the name; prefer is the place of the table that is meant if
 * none is written, or -1.  KR_OK, KR_DECLINED, KR_ERROR.
 */
int kr_judge_column(kr_judge_t *jd, const char *what, const kr_str_t *name,
    int prefer, size_t *place, const kr_table_column_t **column);

/* kr_catalog_key.c: finds the aim's key, likewise. */
int kr_judge_key(kr_judge_t *jd);

/* The table's name, quoted, with its schema. */
void kr_judge_name(const kr_table_t *t, kr_buf_t *reason);


#endif /* _KR_CATALOG_PRIVATE_H_INCLUDED_ */
