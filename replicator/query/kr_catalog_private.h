/*
 * What the kr_catalog*.c files share; no other file includes it.
 */

#ifndef _KR_CATALOG_PRIVATE_H_INCLUDED_
#define _KR_CATALOG_PRIVATE_H_INCLUDED_


#include "kr_catalog.h"


/* the statements of a question */
enum {
    KR_ASK_SETTING = 0,
    KR_ASK_TABLES,
    KR_ASK_COLUMNS,
    KR_ASK_KEYS,
    KR_ASK_LEAVES,
    KR_ASK_FUNCTIONS,
    KR_ASK_IMPLICIT,
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


#endif /* _KR_CATALOG_PRIVATE_H_INCLUDED_ */
