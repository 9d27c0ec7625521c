/*
 * The columns of the result: a row that a client gets has one more member.
 */

#include "kr_judge_private.h"


static int kr_judge_prints(const kr_judge_t *jd, const kr_str_t *name);
static int kr_judge_out(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *name);
static int kr_judge_holds(const kr_table_t *t, const kr_str_t *name);


/* kr_row.c appends it to each row, and a delete has the key beside it. */
static const kr_str_t  kr_judge_member = kr_str("database_op");


int
kr_judge_output(kr_judge_t *jd)
{
    size_t                 i;
    const kr_table_key_t  *key;

    if (kr_judge_prints(jd, &kr_judge_member)) {
        kr_buf_str(jd->reason, "the query has a column \"database_op\", and "
                   "each row has a member of that name, which says what was "
                   "done: give the column another name with AS, and name the "
                   "columns instead of \"*\"");
        return KR_DECLINED;
    }

    key = jd->target->key;

    for (i = 0; key != NULL && i < key->ncolumns; i++) {
        if (kr_same(&key->columns[i]->name, &kr_judge_member)) {
            kr_buf_str(jd->reason, "the key has a column \"database_op\", and "
                       "each row has a member of that name, which says what "
                       "was done: name the columns of another key in pk");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


/* Whether the result has a column of the name. */
static int
kr_judge_prints(const kr_judge_t *jd, const kr_str_t *name)
{
    size_t        i;
    kr_sql_out_t  out;

    if (jd->shape != NULL) {
        return kr_judge_holds(&jd->shape->result, name);
    }

    for (i = 0; i < kr_sql_outs(jd->sql); i++) {
        kr_sql_out(jd->sql, i, &out);

        if (kr_judge_out(jd, &out, name)) {
            return 1;
        }
    }

    return 0;
}


/* Without a shape all that a "*" may stand for are tables of the FROM. */
static int
kr_judge_out(const kr_judge_t *jd, const kr_sql_out_t *out,
    const kr_str_t *name)
{
    size_t                 i, n;
    const kr_sql_table_t  *tables;

    if (!out->star) {
        return kr_same(&out->name, name);
    }

    tables = kr_sql_tables(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (tables[i].top
            && (out->table.len == 0
                || kr_same(&out->table, kr_sql_called(jd->sql, i)))
            && kr_judge_holds(&jd->facts->tables[i], name))
        {
            return 1;
        }
    }

    return 0;
}


static int
kr_judge_holds(const kr_table_t *t, const kr_str_t *name)
{
    size_t  i;

    for (i = 0; i < t->ncolumns; i++) {
        if (kr_same(&t->columns[i].name, name)) {
            return 1;
        }
    }

    return 0;
}
