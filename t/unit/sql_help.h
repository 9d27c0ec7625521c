/*
 * Functions that the tests of the kr_sql files share; the test includes
 * cmocka.h before this file.
 */

#ifndef _SQL_HELP_H_INCLUDED_
#define _SQL_HELP_H_INCLUDED_


#include "kr_sql.h"


#define JSON  "pg_catalog.row_to_json(q.*)::pg_catalog.text"
#define ROWS  "SELECT q.\"kairos key\", pg_catalog.rtrim(pg_catalog.\"left\"("\
              JSON ", - pg_catalog.length(('\"kairos key\":' || COALESCE("    \
              "pg_catalog.to_json(q.\"kairos key\")::pg_catalog.text,"        \
              " 'null')) || '}')), ',') || '}' FROM ("
#define KEY   "::pg_catalog.text AS \"kairos key\""
#define GROUPS  "SELECT pg_catalog.to_json(q.id)::pg_catalog.text, " JSON     \
                " FROM ("
#define ONE   "SELECT ''::pg_catalog.text, " JSON " FROM ("


static kr_str_t
str(const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


static kr_sql_t *
parse(const char *query)
{
    kr_buf_t   reason;
    kr_sql_t  *sql;

    memset(&reason, 0, sizeof(reason));

    if (kr_sql_parse(query, strlen(query), KR_SQL_MAX_LEN, &sql, &reason)
        != KR_OK)
    {
        fail_msg("%s: %s", query, reason.data);
    }

    kr_buf_free(&reason);

    return sql;
}


static void
target(kr_sql_target_t *t, const char *table)
{
    static const kr_str_t  id = kr_str("id"), bigint = kr_str("bigint");

    memset(t, 0, sizeof(kr_sql_target_t));

    t->table = str(table);
    t->npk = 1;
    t->pks = &id;
    t->pk_types = &bigint;
    t->field = str("userid");
    t->field_type = str("integer");
}


#endif /* _SQL_HELP_H_INCLUDED_ */
