/* sources: kr_sql.c kr_sql_template.c kr_sql_tree.c kr_buf.c */
/* libs: -lpg_query */

/*
 * Any bytes as a client's query: no crash, a sentence with every refusal, and
 * of what is accepted both templates can be made, as one SELECT each.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kr_sql.h"
#include "kr_sql_tree.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_statement(int rc, const kr_buf_t *out)
{
    PgQuery__ParseResult  *tree;

    if (rc != KR_OK
        || kr_sql_tree_parse(out->data, &tree, NULL) != KR_OK)
    {
        abort();
    }

    if (kr_sql_tree_select(tree) == NULL) {
        abort();
    }

    kr_sql_tree_free(tree);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    rc;
    size_t                 n;
    kr_buf_t               reason, out;
    kr_sql_t              *sql;
    kr_sql_target_t        t;
    const kr_sql_table_t  *tables;

    static const kr_str_t  pk = kr_str("I\"d");
    static const kr_str_t  type = kr_str("character varying");
    static const kr_str_t  field = kr_str("select");

    memset(&reason, 0, sizeof(reason));
    memset(&out, 0, sizeof(out));

    rc = kr_sql_parse((const char *) data, size, &sql, &reason);

    if (rc != KR_OK) {
        if (rc == KR_DECLINED && reason.len == 0) {
            abort();
        }

        kr_buf_free(&reason);
        return 0;
    }

    tables = kr_sql_tables(sql, &n);
    if (n != 1) {
        abort();
    }

    t.table = tables[0].alias.len != 0 ? tables[0].alias : tables[0].name;
    t.pk = pk;
    t.pk_type = type;
    t.field = field;
    t.field_type = type;

    fuzz_statement(kr_sql_snapshot(sql, &t, &out), &out);
    kr_buf_reset(&out);
    fuzz_statement(kr_sql_refetch(sql, &t, &out), &out);

    kr_buf_free(&out);
    kr_buf_free(&reason);
    kr_sql_free(sql);

    return 0;
}
