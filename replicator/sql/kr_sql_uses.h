/*
 * What of a query may call a function without naming it as one: operators,
 * casts, and fields of a row.  For the guard, which asks the catalog.
 */

#ifndef _KR_SQL_USES_H_INCLUDED_
#define _KR_SQL_USES_H_INCLUDED_


#include "kr_sql.h"


typedef enum {
    KR_SQL_OPERATOR = 'o',
    KR_SQL_TYPE = 't',        /* of a cast; also "date(x)" may be one */
    KR_SQL_FIELD = 'f'        /* "p.total" is total(p), if there is such a
                                 function and no such column */
} kr_sql_use_e;


typedef struct {
    kr_sql_use_e   kind;
    kr_str_t       schema;    /* empty: not written */
    kr_str_t       name;
} kr_sql_use_t;


/*
 * All of them, in the order in which they are met, each as often as it is.
 * KR_OK: *uses is to be freed, its strings are the query's; KR_ERROR: no
 * memory.
 */
int kr_sql_uses(const kr_sql_t *sql, kr_sql_use_t **uses, size_t *n);


#endif /* _KR_SQL_USES_H_INCLUDED_ */
