/*
 * The columns of a query's result, as far as the tree shows them.  In a set
 * operation the first SELECT gives the names; a column of another SELECT has
 * the name at the same index of the first.
 */

#include <string.h>

#include "kr_sql_private.h"


/* a search for a column, and its result */
typedef struct {
    const kr_sql_part_t         *table;
    const kr_sql_part_t         *column;
    const PgQuery__SelectStmt   *first;
    kr_str_t                    *name;
} kr_sql_search_t;


static const PgQuery__SelectStmt *kr_sql_first(const kr_sql_t *sql);
static int kr_sql_search(kr_sql_search_t *s,
    const PgQuery__SelectStmt *stmt);
static int kr_sql_search_list(kr_sql_search_t *s,
    const PgQuery__SelectStmt *stmt, int alone);
static int kr_sql_is_called(const PgQuery__SelectStmt *stmt,
    const kr_sql_part_t *table, int *alone);
static int kr_sql_from_has(const PgQuery__Node *from,
    const kr_sql_part_t *table, int *joined);
static int kr_sql_alias_is(const PgQuery__Alias *alias, const char *name,
    const kr_sql_part_t *table);
static int kr_sql_part_is(const kr_sql_part_t *part, const char *text);
static int kr_sql_at(const kr_sql_search_t *s, size_t i, int known);
static int kr_sql_by_name(const kr_sql_search_t *s);
static int kr_sql_itself(const kr_sql_search_t *s);
static const PgQuery__ColumnRef *kr_sql_ref_of(const PgQuery__Node *target);
static const char *kr_sql_field(const PgQuery__ColumnRef *ref, size_t from);
static int kr_sql_is_star(const PgQuery__ColumnRef *ref);
static const char *kr_sql_named(const PgQuery__Node *val);
static const char *kr_sql_named_field(const PgQuery__AIndirection *in);
static const char *kr_sql_named_select(const PgQuery__SubLink *link);


int
kr_sql_output(const kr_sql_t *sql, const kr_sql_part_t *table,
    const kr_sql_part_t *column, kr_str_t *name)
{
    int              rc;
    kr_sql_search_t  s;

    s.table = table;
    s.column = column;
    s.first = kr_sql_first(sql);
    s.name = name;

    rc = kr_sql_search(&s, kr_sql_tree_select(sql->tree));

    return rc == KR_OK ? KR_OK : kr_sql_by_name(&s);
}


static const PgQuery__SelectStmt *
kr_sql_first(const kr_sql_t *sql)
{
    const PgQuery__SelectStmt  *stmt;

    stmt = kr_sql_tree_select(sql->tree);

    while (stmt->larg != NULL) {
        stmt = stmt->larg;
    }

    return stmt;
}


/* Recursive: kr_sql_collect() has refused a tree that is too deep. */
static int
kr_sql_search(kr_sql_search_t *s, const PgQuery__SelectStmt *stmt)
{
    int  alone;

    if (stmt->larg != NULL && stmt->rarg != NULL) {
        return kr_sql_search(s, stmt->larg) == KR_OK
               ? KR_OK : kr_sql_search(s, stmt->rarg);
    }

    return kr_sql_is_called(stmt, s->table, &alone)
           ? kr_sql_search_list(s, stmt, alone) : KR_DECLINED;
}


/*
 * Searches one SELECT list.  alone: the SELECT reads one table, so a column
 * without a table's name is of that table.  Behind a "*", which stands for any
 * number of columns, the index is known in the first SELECT alone.
 */
static int
kr_sql_search_list(kr_sql_search_t *s, const PgQuery__SelectStmt *stmt,
    int alone)
{
    int                        star, starred;
    size_t                     i, n;
    const PgQuery__ColumnRef  *ref;

    starred = 0;

    for (i = 0; i < stmt->n_target_list; i++) {
        ref = kr_sql_ref_of(stmt->target_list[i]);

        if (ref == NULL) {
            continue;
        }

        n = ref->n_fields;
        star = kr_sql_is_star(ref);
        starred |= star;

        if ((n == 1 && !alone)
            || (n > 1 && !kr_sql_part_is(s->table, kr_sql_field(ref, 2))))
        {
            continue;
        }

        if (star && stmt == s->first) {
            return kr_sql_itself(s);
        }

        if (!star && kr_sql_part_is(s->column, kr_sql_field(ref, 1))
            && (stmt == s->first || !starred)
            && kr_sql_at(s, i, stmt == s->first) == KR_OK)
        {
            return KR_OK;
        }
    }

    return KR_DECLINED;
}


/* Whether the SELECT's FROM has a table or item of this alias or name. */
static int
kr_sql_is_called(const PgQuery__SelectStmt *stmt, const kr_sql_part_t *table,
    int *alone)
{
    int     found, joined;
    size_t  i;

    found = 0;
    joined = (stmt->n_from_clause != 1);

    for (i = 0; i < stmt->n_from_clause; i++) {
        found |= kr_sql_from_has(stmt->from_clause[i], table, &joined);
    }

    *alone = !joined;

    return found;
}


static int
kr_sql_from_has(const PgQuery__Node *from, const kr_sql_part_t *table,
    int *joined)
{
    if (from == NULL) {
        return 0;
    }

    switch (from->node_case) {

    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        if (from->join_expr->alias != NULL) {
            return kr_sql_alias_is(from->join_expr->alias, "", table);
        }

        *joined = 1;

        return kr_sql_from_has(from->join_expr->larg, table, joined)
               | kr_sql_from_has(from->join_expr->rarg, table, joined);

    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        return kr_sql_alias_is(from->range_subselect->alias, "", table);

    case PG_QUERY__NODE__NODE_RANGE_VAR:
        return kr_sql_alias_is(from->range_var->alias,
                               from->range_var->relname, table);

    default:
        return 0;
    }
}


static int
kr_sql_alias_is(const PgQuery__Alias *alias, const char *name,
    const kr_sql_part_t *table)
{
    return kr_sql_part_is(table, alias == NULL ? name : alias->aliasname);
}


static int
kr_sql_part_is(const kr_sql_part_t *part, const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return kr_sql_same(&s, part, 0) || kr_sql_same(&s, part, 1);
}


/*
 * Sets s->name to the name at index i of the first SELECT.  KR_DECLINED: there
 * is none, or, unless `known` is set, a "*" before it makes i uncertain.
 */
static int
kr_sql_at(const kr_sql_search_t *s, size_t i, int known)
{
    size_t                     k;
    const PgQuery__ColumnRef  *ref;

    if (i >= s->first->n_target_list) {
        return KR_DECLINED;
    }

    for (k = 0; k <= i && !known; k++) {
        ref = kr_sql_ref_of(s->first->target_list[k]);

        if (ref != NULL && kr_sql_is_star(ref)) {
            return KR_DECLINED;
        }
    }

    s->name->data = kr_sql_output_name(s->first->target_list[i]->res_target);
    s->name->len = strlen(s->name->data);

    return s->name->len != 0 ? KR_OK : KR_DECLINED;
}


/* Searches for a column with this name that is not another table's. */
static int
kr_sql_by_name(const kr_sql_search_t *s)
{
    size_t                       i;
    const PgQuery__ResTarget    *target;
    const PgQuery__ColumnRef    *ref;

    for (i = 0; i < s->first->n_target_list; i++) {
        target = s->first->target_list[i]->res_target;
        ref = kr_sql_ref_of(s->first->target_list[i]);

        if (ref != NULL && ref->n_fields > 1) {
            continue;
        }

        if ((ref != NULL && kr_sql_is_star(ref))
            || kr_sql_part_is(s->column, kr_sql_output_name(target)))
        {
            return kr_sql_itself(s);
        }
    }

    return KR_DECLINED;
}


static int
kr_sql_itself(const kr_sql_search_t *s)
{
    s->name->data = s->column->text.data;
    s->name->len = s->column->text.len;

    return KR_OK;
}


/* The column that a target selects unchanged, or NULL. */
static const PgQuery__ColumnRef *
kr_sql_ref_of(const PgQuery__Node *target)
{
    const PgQuery__Node  *val;

    val = target->res_target->val;

    return val != NULL && val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF
           ? val->column_ref : NULL;
}


/* A part of the column's name, counted from the last part, which is 1. */
static const char *
kr_sql_field(const PgQuery__ColumnRef *ref, size_t from)
{
    return ref == NULL || from > ref->n_fields ? ""
           : kr_sql_name(ref->fields[ref->n_fields - from]);
}


static int
kr_sql_is_star(const PgQuery__ColumnRef *ref)
{
    return ref->fields[ref->n_fields - 1]->node_case
           == PG_QUERY__NODE__NODE_A_STAR;
}


const char *
kr_sql_output_name(const PgQuery__ResTarget *target)
{
    return *target->name != '\0' ? target->name : kr_sql_named(target->val);
}


/* As PostgreSQL's FigureColname(), for names that come from the query. */
static const char *
kr_sql_named(const PgQuery__Node *val)
{
    if (val == NULL) {
        return "";
    }

    switch (val->node_case) {

    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return kr_sql_named(val->type_cast->arg);

    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return kr_sql_named(val->collate_clause->arg);

    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return kr_sql_named(val->case_expr->defresult);

    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return kr_sql_field(val->column_ref, 1);

    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return kr_sql_name(val->func_call
                           ->funcname[val->func_call->n_funcname - 1]);

    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        return kr_sql_named_field(val->a_indirection);

    case PG_QUERY__NODE__NODE_SUB_LINK:
        return kr_sql_named_select(val->sub_link);

    default:
        return "";
    }
}


/* The last field, or without one (array[1]) what it is of. */
static const char *
kr_sql_named_field(const PgQuery__AIndirection *in)
{
    size_t       i;
    const char  *name;

    for (i = in->n_indirection; i != 0; i--) {
        name = kr_sql_name(in->indirection[i - 1]);

        if (*name != '\0') {
            return name;
        }
    }

    return kr_sql_named(in->arg);
}


/* A sub-select that is a value is called like its column. */
static const char *
kr_sql_named_select(const PgQuery__SubLink *link)
{
    const PgQuery__Node        *sub;
    const PgQuery__SelectStmt  *stmt;

    sub = link->subselect;

    if (link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK
        || sub == NULL || sub->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
    {
        return "";
    }

    stmt = sub->select_stmt;

    while (stmt->larg != NULL) {
        stmt = stmt->larg;
    }

    return stmt->n_target_list == 0
           ? "" : kr_sql_output_name(stmt->target_list[0]->res_target);
}
