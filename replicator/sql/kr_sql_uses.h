/*
 * The parts of a query that may call a function without the form of a call:
 * operators, casts, and fields of a row.  The guard checks them against the
 * catalog.
 */

#ifndef _KR_SQL_USES_H_INCLUDED_
#define _KR_SQL_USES_H_INCLUDED_


#include "kr_sql.h"


typedef enum {
    KR_SQL_OPERATOR = 'o',
    KR_SQL_TYPE = 't',        /* the type of a cast; "date(x)" may be a cast */
    KR_SQL_FIELD = 'f'        /* "p.total" calls total(p), if there is such a
                                 function and no such column */
} kr_sql_use_e;


typedef struct {
    kr_sql_use_e   kind;
    kr_str_t       schema;    /* empty: not written */
    kr_str_t       name;
} kr_sql_use_t;


/*
 * All uses in the order of the walk, with repetitions.  KR_OK: the caller
 * frees *uses (NULL if *n is 0), whose strings sql owns; KR_ERROR: no memory.
 */
int kr_sql_uses(const kr_sql_t *sql, kr_sql_use_t **uses, size_t *n);


#endif /* _KR_SQL_USES_H_INCLUDED_ */
