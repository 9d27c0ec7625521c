/*
 * The walk through a client's query: collects its tables, functions and
 * features.
 *
 * A table's name may be one that WITH gave to a SELECT.  The name is visible
 * in the SELECT that has the WITH and in the SELECTs within; in the WITH
 * itself only after the name's own SELECT, unless the WITH is RECURSIVE.  So
 * the walk keeps a scope for each SELECT that it is in.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_sql_private.h"


typedef struct {
    const PgQuery__WithClause   *with;
    size_t                       seen;     /* number of the WITH's names that
                                              are visible */
} kr_sql_scope_t;


typedef struct {
    kr_sql_t                    *sql;
    size_t                       nscopes;
    size_t                       scopes_size;
    kr_sql_scope_t              *scopes;
    size_t                       ntops;
    size_t                       tops_size;
    const PgQuery__RangeVar    **tops;     /* in the order of the walk */
    size_t                       next;     /* index in tops */
} kr_sql_walk_t;


static int kr_sql_enter(void *data, ProtobufCMessage *msg);
static void kr_sql_leave(void *data, ProtobufCMessage *msg);

static int kr_sql_tops(kr_sql_walk_t *w, const PgQuery__Node *from);
static int kr_sql_item(kr_sql_t *sql, const PgQuery__Alias *alias,
    const char *name);
static int kr_sql_select(kr_sql_walk_t *w, const PgQuery__SelectStmt *stmt);
static void kr_sql_cte(kr_sql_walk_t *w,
    const PgQuery__CommonTableExpr *cte);
static int kr_sql_is_cte(const kr_sql_walk_t *w,
    const PgQuery__RangeVar *rv);
static int kr_sql_table(kr_sql_walk_t *w, PgQuery__RangeVar *rv);
static int kr_sql_function(kr_sql_walk_t *w, const PgQuery__FuncCall *call);
static unsigned kr_sql_feature(const ProtobufCMessageDescriptor *d);
static void *kr_sql_room(void *elts, size_t n, size_t *size, size_t elt);
static void kr_sql_str(kr_str_t *s, const char *text);


static const kr_sql_visitor_t  kr_sql_collector = {
    kr_sql_enter, kr_sql_leave
};


int
kr_sql_collect(kr_sql_t *sql)
{
    int                   rc;
    size_t                i;
    kr_sql_walk_t         w;
    PgQuery__SelectStmt  *stmt;

    memset(&w, 0, sizeof(kr_sql_walk_t));
    w.sql = sql;

    stmt = kr_sql_tree_select(sql->tree);
    sql->compound = (stmt->larg != NULL);
    sql->closed = (stmt->n_from_clause == 0);

    rc = KR_OK;

    for (i = 0; rc == KR_OK && i < stmt->n_from_clause; i++) {
        rc = kr_sql_tops(&w, stmt->from_clause[i]);
    }

    if (rc == KR_OK) {
        rc = kr_sql_tree_walk(&sql->tree->base, &kr_sql_collector, &w);
    }

    free(w.tops);
    free(w.scopes);

    if (sql->ntables == 0) {
        sql->features |= KR_SQL_NO_TABLE;
    }

    return rc;
}


static int
kr_sql_enter(void *data, ProtobufCMessage *msg)
{
    kr_sql_walk_t                     *w;
    const ProtobufCMessageDescriptor  *d;

    w = data;
    d = msg->descriptor;

    if (d == &pg_query__select_stmt__descriptor) {
        return kr_sql_select(w, (PgQuery__SelectStmt *) msg);
    }

    if (d == &pg_query__common_table_expr__descriptor) {
        kr_sql_cte(w, (PgQuery__CommonTableExpr *) msg);
        return KR_OK;
    }

    if (d == &pg_query__range_var__descriptor) {
        return kr_sql_table(w, (PgQuery__RangeVar *) msg);
    }

    if (d == &pg_query__func_call__descriptor) {
        return kr_sql_function(w, (PgQuery__FuncCall *) msg);
    }

    w->sql->features |= kr_sql_feature(d);

    return KR_OK;
}


static void
kr_sql_leave(void *data, ProtobufCMessage *msg)
{
    kr_sql_walk_t   *w;
    kr_sql_scope_t  *scope;

    w = data;

    if (msg->descriptor == &pg_query__select_stmt__descriptor) {
        w->nscopes--;

    } else if (msg->descriptor == &pg_query__common_table_expr__descriptor) {
        scope = &w->scopes[w->nscopes - 1];
        scope->seen = scope->with->n_ctes;
    }
}


/*
 * Collects the range variables of the query's own FROM.  An alias for a whole
 * join hides the tables in the join.  Names of WITH are still among them.
 */
static int
kr_sql_tops(kr_sql_walk_t *w, const PgQuery__Node *from)
{
    void  *tops;

    if (from == NULL) {
        return KR_OK;
    }

    switch (from->node_case) {

    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        if (from->join_expr->alias != NULL) {
            return kr_sql_item(w->sql, from->join_expr->alias, "");
        }

        return kr_sql_tops(w, from->join_expr->larg) == KR_OK
               ? kr_sql_tops(w, from->join_expr->rarg) : KR_ERROR;

    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        return kr_sql_item(w->sql, from->range_subselect->alias, "");

    case PG_QUERY__NODE__NODE_RANGE_VAR:
        break;

    default:
        return KR_OK;
    }

    tops = kr_sql_room(w->tops, w->ntops, &w->tops_size,
                       sizeof(PgQuery__RangeVar *));
    if (tops == NULL) {
        return KR_ERROR;
    }

    w->tops = tops;
    w->tops[w->ntops++] = from->range_var;

    return KR_OK;
}


/* Adds an item by its alias or name; a sub-select without alias is none. */
static int
kr_sql_item(kr_sql_t *sql, const PgQuery__Alias *alias, const char *name)
{
    kr_str_t  *items;

    items = kr_sql_room(sql->items, sql->nitems, &sql->items_size,
                        sizeof(kr_str_t));
    if (items == NULL) {
        return KR_ERROR;
    }

    sql->items = items;
    name = alias == NULL ? name : alias->aliasname;

    if (*name != '\0') {
        kr_sql_str(&items[sql->nitems++], name);
    }

    return KR_OK;
}


static int
kr_sql_select(kr_sql_walk_t *w, const PgQuery__SelectStmt *stmt)
{
    void            *scopes;
    kr_sql_t        *sql;
    kr_sql_scope_t  *scope;

    scopes = kr_sql_room(w->scopes, w->nscopes, &w->scopes_size,
                         sizeof(kr_sql_scope_t));
    if (scopes == NULL) {
        return KR_ERROR;
    }

    w->scopes = scopes;
    scope = &w->scopes[w->nscopes++];
    scope->with = stmt->with_clause;
    scope->seen = stmt->with_clause == NULL ? 0 : stmt->with_clause->n_ctes;

    sql = w->sql;

    sql->features |= (stmt->into_clause != NULL ? KR_SQL_INTO : 0)
                     | (stmt->n_locking_clause != 0 ? KR_SQL_LOCKING : 0)
                     | (stmt->with_clause != NULL ? KR_SQL_WITH : 0)
                     | (stmt->larg != NULL || stmt->rarg != NULL
                        ? KR_SQL_SET : 0)
                     | (stmt->n_values_lists == 0 ? 0
                        : w->nscopes == 1 ? KR_SQL_VALUES : KR_SQL_VALUES_IN)
                     | (stmt->n_distinct_clause != 0 ? KR_SQL_DISTINCT : 0)
                     | (stmt->n_group_clause != 0 ? KR_SQL_GROUP : 0)
                     | (stmt->having_clause != NULL ? KR_SQL_HAVING : 0)
                     | (stmt->n_window_clause != 0 ? KR_SQL_WINDOW : 0);

    if (w->nscopes == 1) {
        sql->by = (stmt->n_group_clause != 0);
        sql->grouped = (sql->by || stmt->n_distinct_clause != 0);
        sql->aggregated |= (stmt->having_clause != NULL);
    }

    return KR_OK;
}


/*
 * Enters the SELECT of a name of WITH: until the walk leaves this SELECT, the
 * scope shows the names of the WITH that this SELECT can refer to.
 */
static void
kr_sql_cte(kr_sql_walk_t *w, const PgQuery__CommonTableExpr *cte)
{
    size_t           i;
    kr_sql_scope_t  *scope;

    scope = &w->scopes[w->nscopes - 1];

    if (scope->with->recursive) {
        return;
    }

    for (i = 0; i < scope->with->n_ctes; i++) {
        if (scope->with->ctes[i]->common_table_expr == cte) {
            scope->seen = i;
            return;
        }
    }
}


static int
kr_sql_is_cte(const kr_sql_walk_t *w, const PgQuery__RangeVar *rv)
{
    size_t                 i, k;
    const kr_sql_scope_t  *scope;

    if (*rv->schemaname != '\0') {
        return 0;
    }

    for (i = w->nscopes; i > 0; i--) {
        scope = &w->scopes[i - 1];

        for (k = 0; k < scope->seen; k++) {
            if (strcmp(scope->with->ctes[k]->common_table_expr->ctename,
                       rv->relname) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


static int
kr_sql_table(kr_sql_walk_t *w, PgQuery__RangeVar *rv)
{
    int                  top;
    kr_sql_t            *sql;
    kr_sql_table_t      *tables, *tb;
    PgQuery__RangeVar  **names;

    top = (w->next < w->ntops && w->tops[w->next] == rv);
    w->next += (size_t) top;

    if (kr_sql_is_cte(w, rv)) {
        return top ? kr_sql_item(w->sql, rv->alias, rv->relname) : KR_OK;
    }

    sql = w->sql;

    tables = kr_sql_room(sql->tables, sql->ntables, &sql->tables_size,
                         sizeof(kr_sql_table_t));
    if (tables == NULL) {
        return KR_ERROR;
    }

    sql->tables = tables;

    names = kr_sql_room(sql->names, sql->ntables, &sql->names_size,
                        sizeof(PgQuery__RangeVar *));
    if (names == NULL) {
        return KR_ERROR;
    }

    sql->names = names;
    names[sql->ntables] = rv;
    tb = &tables[sql->ntables++];

    kr_sql_str(&tb->schema, rv->schemaname);
    kr_sql_str(&tb->name, rv->relname);
    kr_sql_str(&tb->alias, rv->alias == NULL ? "" : rv->alias->aliasname);
    tb->top = (unsigned) top;

    if (rv->alias != NULL && rv->alias->n_colnames != 0) {
        sql->features |= KR_SQL_COLUMN_ALIAS;
    }

    if (sql->ntables > 1) {
        sql->features |= KR_SQL_TABLES;
    }

    return KR_OK;
}


static int
kr_sql_function(kr_sql_walk_t *w, const PgQuery__FuncCall *call)
{
    size_t              n;
    kr_sql_t           *sql;
    kr_sql_function_t  *functions, *f;

    sql = w->sql;

    functions = kr_sql_room(sql->functions, sql->nfunctions,
                            &sql->functions_size, sizeof(kr_sql_function_t));
    if (functions == NULL) {
        return KR_ERROR;
    }

    sql->functions = functions;
    f = &functions[sql->nfunctions++];

    n = call->n_funcname;

    kr_sql_str(&f->name, n == 0 ? "" : kr_sql_name(call->funcname[n - 1]));
    kr_sql_str(&f->schema, n < 2 ? "" : kr_sql_name(call->funcname[n - 2]));
    f->top = (w->nscopes == 1);
    f->over = (call->over != NULL);

    if (f->over) {
        sql->features |= KR_SQL_WINDOW;
    }

    if (call->agg_star || call->agg_distinct || call->agg_within_group
        || call->agg_filter != NULL || call->n_agg_order != 0)
    {
        sql->features |= KR_SQL_AGGREGATE;

        if (f->top && !f->over) {
            sql->aggregated = 1;
        }
    }

    return KR_OK;
}


const char *
kr_sql_name(const PgQuery__Node *node)
{
    return node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval
                                                          : "";
}


static unsigned
kr_sql_feature(const ProtobufCMessageDescriptor *d)
{
    size_t  i;

    static const struct {
        const ProtobufCMessageDescriptor  *descriptor;
        unsigned                           feature;
    } features[] = {
        { &pg_query__param_ref__descriptor, KR_SQL_PARAM },
        { &pg_query__sub_link__descriptor, KR_SQL_SUBLINK },
        { &pg_query__range_subselect__descriptor, KR_SQL_FROM_SELECT },
        { &pg_query__range_function__descriptor, KR_SQL_FROM_FUNCTION },
        { &pg_query__range_table_func__descriptor, KR_SQL_FROM_FUNCTION },
        { &pg_query__range_table_sample__descriptor, KR_SQL_SAMPLE },
        { &pg_query__join_expr__descriptor, KR_SQL_TABLES },
        { &pg_query__grouping_func__descriptor, KR_SQL_GROUP },
        { &pg_query__insert_stmt__descriptor, KR_SQL_MODIFY },
        { &pg_query__update_stmt__descriptor, KR_SQL_MODIFY },
        { &pg_query__delete_stmt__descriptor, KR_SQL_MODIFY },
        { &pg_query__merge_stmt__descriptor, KR_SQL_MODIFY }
    };

    for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (features[i].descriptor == d) {
            return features[i].feature;
        }
    }

    return 0;
}


static void *
kr_sql_room(void *elts, size_t n, size_t *size, size_t elt)
{
    void    *more;
    size_t   want;

    if (n < *size) {
        return elts;
    }

    want = *size == 0 ? 8 : *size * 2;

    more = realloc(elts, want * elt);
    if (more != NULL) {
        *size = want;
    }

    return more;
}


static void
kr_sql_str(kr_str_t *s, const char *text)
{
    s->data = text;
    s->len = strlen(text);
}
