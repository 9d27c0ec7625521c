/*
 * What kr_sql.c and kr_sql_template.c share.
 */

#ifndef _KR_SQL_PRIVATE_H_INCLUDED_
#define _KR_SQL_PRIVATE_H_INCLUDED_


#include "kr_sql.h"
#include "kr_sql_tree.h"


struct kr_sql_s {
    PgQuery__ParseResult   *tree;        /* names point into it */
    kr_sql_packed_t         packed;      /* of the same tree */
    kr_buf_t                canonical;

    size_t                  ntables;
    size_t                  tables_size;
    kr_sql_table_t         *tables;

    size_t                  nfunctions;
    size_t                  functions_size;
    kr_sql_function_t      *functions;

    unsigned                features;    /* KR_SQL_... of kr_sql.c */
};


#endif /* _KR_SQL_PRIVATE_H_INCLUDED_ */
