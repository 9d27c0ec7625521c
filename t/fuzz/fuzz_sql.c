/* sources: kr_sql.c kr_sql_collect.c kr_sql_resolve.c kr_sql_template.c */
/* sources: kr_sql_output.c kr_sql_probe.c kr_sql_rerun.c kr_sql_frame.c */
/* sources: kr_sql_tree.c kr_op.c kr_value.c kr_buf.c */
/* sources: kr_value_number.c */
/* sources: kr_sql_name.c */
/* libs: -lpg_query */

/*
 * Any bytes as a client's query, and as the name of a column in it: no crash,
 * a sentence with every refusal, and of what is accepted the statements can
 * be made, as one SELECT each.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kr_sql.h"
#include "kr_sql_tree.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void fuzz_templates(const kr_sql_t *sql, kr_sql_target_t *t);


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


/* A refusal has a sentence, and is not for lack of trust in the rewrite. */
static void
fuzz_refusal(int rc, const kr_buf_t *reason)
{
    static const char  risk[] = "the query cannot be rewritten without risk";

    /* a sentence may begin with a name of the query's, in quotes */

    if (rc == KR_ERROR || reason->len == 0
        || strncmp(reason->data, risk, sizeof(risk) - 1) == 0)
    {
        abort();
    }
}


static void
fuzz_name(const kr_sql_t *sql, const uint8_t *data, size_t size)
{
    int            rc;
    size_t         n, items;
    kr_buf_t       reason;
    kr_str_t       name;
    kr_sql_ref_t   ref;

    memset(&ref, 0, sizeof(ref));
    memset(&reason, 0, sizeof(reason));

    name.data = (const char *) data;
    name.len = size < 20 ? size : 20;

    rc = kr_sql_resolve(sql, &name, &ref, &reason);
    (void) kr_sql_tables(sql, &n);

    if (rc != KR_OK) {
        fuzz_refusal(rc, &reason);

    } else if (ref.column.len == 0) {
        abort();

    } else if (!ref.result) {
        (void) kr_sql_items(sql, &items);

        if (ref.table >= (ref.item ? items : n)) {
            abort();
        }
    }

    kr_buf_free(&ref.column);
    kr_buf_free(&reason);
}


/* A column of the result is one, whatever table its name had. */
static void
fuzz_result(const kr_sql_t *sql, const uint8_t *data, size_t size)
{
    int            rc;
    kr_buf_t       reason;
    kr_str_t       name;
    kr_sql_ref_t   ref;

    memset(&ref, 0, sizeof(ref));
    memset(&reason, 0, sizeof(reason));

    name.data = (const char *) data + size - (size < 20 ? size : 20);
    name.len = size < 20 ? size : 20;

    rc = kr_sql_resolve_result(sql, &name, &ref, &reason);

    if (rc != KR_OK) {
        fuzz_refusal(rc, &reason);

    } else if (!ref.result || ref.column.len == 0) {
        abort();
    }

    kr_buf_free(&ref.column);
    kr_buf_free(&reason);
}


static void
fuzz_probes(const kr_sql_t *sql)
{
    size_t    n;
    kr_buf_t  out;

    memset(&out, 0, sizeof(out));

    fuzz_statement(kr_sql_probe_result(sql, &out), &out);

    (void) kr_sql_items(sql, &n);

    if (n != 0) {
        kr_buf_reset(&out);
        fuzz_statement(kr_sql_probe_items(sql, &out), &out);
    }

    kr_buf_free(&out);
}


/* Of any query it can be of the result, but for a LIMIT. */
static void
fuzz_of_result(const kr_sql_t *sql, kr_sql_target_t *t)
{
    int        rc;
    kr_buf_t   reason, out;

    memset(&out, 0, sizeof(out));
    memset(&reason, 0, sizeof(reason));

    t->of_result = 1;
    t->key_of_result = 1;

    rc = kr_sql_rerun(sql, t, &out, &reason);

    if (rc != KR_OK) {
        fuzz_refusal(rc, &reason);

    } else {
        fuzz_statement(rc, &out);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


/* A predicate is not needed, whatever the key is of. */
static void
fuzz_all(const kr_sql_t *sql, kr_sql_target_t *t)
{
    t->of_result = 0;
    t->all = 1;
    fuzz_templates(sql, t);

    t->key_of_result = 0;
    fuzz_templates(sql, t);
}


static void
fuzz_templates(const kr_sql_t *sql, kr_sql_target_t *t)
{
    int        rc;
    kr_buf_t   reason, out;

    memset(&out, 0, sizeof(out));
    memset(&reason, 0, sizeof(reason));

    rc = kr_sql_rerun(sql, t, &out, &reason);

    if (rc != KR_OK) {
        fuzz_refusal(rc, &reason);

    } else {
        fuzz_statement(rc, &out);
    }

    if (kr_sql_mode(sql) == KR_SQL_ROWWISE) {
        kr_buf_reset(&out);
        fuzz_statement(kr_sql_refetch(sql, t, &out), &out);
    }

    kr_buf_free(&out);
    kr_buf_free(&reason);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    rc;
    size_t                 i, n;
    kr_buf_t               reason;
    kr_sql_t              *sql;
    kr_sql_target_t        t;
    const kr_sql_table_t  *tables;

    static const kr_str_t  pks[] = { kr_str("I\"d"), kr_str("a.b") };
    static const kr_str_t  types[] = {
        kr_str("character varying"), kr_str("bigint")
    };

    memset(&reason, 0, sizeof(reason));

    rc = kr_sql_parse((const char *) data, size, KR_SQL_MAX_LEN, &sql,
                      &reason);

    if (rc != KR_OK) {
        if (rc == KR_DECLINED && reason.len == 0) {
            abort();
        }

        kr_buf_free(&reason);
        return 0;
    }

    fuzz_name(sql, data, size);
    fuzz_result(sql, data, size);
    fuzz_probes(sql);

    tables = kr_sql_tables(sql, &n);

    for (i = 0; i < n && i < 2; i++) {
        memset(&t, 0, sizeof(kr_sql_target_t));

        t.table = tables[i].alias.len != 0 ? tables[i].alias : tables[i].name;
        t.npk = 1 + size % 2;
        t.pks = pks;
        t.pk_types = types;
        t.field = types[0];
        t.field_type = types[0];
        t.op = (kr_op_e) (size % (KR_ENDS_WITH + 1));
        t.check = size % 2;
        t.window = size / 2 % 2;

        fuzz_templates(sql, &t);
        fuzz_of_result(sql, &t);
        fuzz_all(sql, &t);
    }

    kr_buf_free(&reason);
    kr_sql_free(sql);

    return 0;
}
