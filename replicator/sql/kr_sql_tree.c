/*
 * Text to tree and back.  libpg_query is recursive and does not check its
 * stack, so the nesting is measured on the tokens before the text is parsed.
 */

#include <stdlib.h>
#include <string.h>

#include <pg_query.h>

#include "kr_sql.h"
#include "kr_sql_tree.h"


#define KR_SQL_MAX_LEVELS  (KR_SQL_MAX_DEPTH * 8)


/*
 * One pair of brackets.  chain: tokens since the last separator, each of which
 * may be a step of nesting; sides: steps that nest across separators (UNION,
 * JOIN).
 */
typedef struct {
    unsigned    chain;
    unsigned    sides;
} kr_sql_level_t;


typedef struct {
    unsigned         depth;       /* open brackets */
    unsigned         outer;       /* chain and sides of all open brackets */
    kr_sql_level_t   levels[KR_SQL_MAX_DEPTH + 1];
} kr_sql_measure_t;


static int kr_sql_tree_measure(const char *text, kr_buf_t *reason);
static int kr_sql_tree_token(kr_sql_measure_t *me, PgQuery__Token token);
static void kr_sql_tree_refuse(kr_buf_t *reason, const PgQueryError *error);
static int kr_sql_tree_descend(ProtobufCMessage *msg,
    const kr_sql_visitor_t *visitor, void *data, unsigned level);
static int kr_sql_tree_field(ProtobufCMessage *msg,
    const ProtobufCFieldDescriptor *field, const kr_sql_visitor_t *visitor,
    void *data, unsigned level);
static size_t kr_sql_tree_children(ProtobufCMessage *msg,
    const ProtobufCFieldDescriptor *field, ProtobufCMessage ***children);
static int kr_sql_tree_normalize(void *data, ProtobufCMessage *msg);
static int kr_sql_tree_flatten(PgQuery__BoolExpr *expr);
static PgQuery__BoolExpr *kr_sql_tree_same(const PgQuery__BoolExpr *expr,
    const PgQuery__Node *arg);
static int kr_sql_tree_quote(const char *text, kr_buf_t *out);
static int kr_sql_tree_check(const char *text, const kr_sql_packed_t *packed);


static const kr_sql_visitor_t  kr_sql_tree_normalizer = {
    kr_sql_tree_normalize, NULL
};


int
kr_sql_tree_parse(const char *text, PgQuery__ParseResult **tree,
    kr_buf_t *reason)
{
    int                         rc;
    PgQueryProtobufParseResult  r;

    rc = kr_sql_tree_measure(text, reason);
    if (rc != KR_OK) {
        return rc;
    }

    r = pg_query_parse_protobuf(text);

    if (r.error != NULL) {
        kr_sql_tree_refuse(reason, r.error);
        pg_query_free_protobuf_parse_result(r);
        return KR_DECLINED;
    }

    *tree = pg_query__parse_result__unpack(NULL, r.parse_tree.len,
                                           (uint8_t *) r.parse_tree.data);

    pg_query_free_protobuf_parse_result(r);

    return *tree == NULL ? KR_ERROR : KR_OK;
}


void
kr_sql_tree_free(PgQuery__ParseResult *tree)
{
    if (tree != NULL) {
        pg_query__parse_result__free_unpacked(tree, NULL);
    }
}


int
kr_sql_tree_walk(ProtobufCMessage *msg, const kr_sql_visitor_t *visitor,
    void *data)
{
    return kr_sql_tree_descend(msg, visitor, data, 0);
}


int
kr_sql_tree_pack(PgQuery__ParseResult *tree, kr_sql_packed_t *packed)
{
    int  rc;

    rc = kr_sql_tree_walk(&tree->base, &kr_sql_tree_normalizer, NULL);
    if (rc != KR_OK) {
        return rc;
    }

    packed->len = pg_query__parse_result__get_packed_size(tree);
    packed->data = malloc(packed->len == 0 ? 1 : packed->len);

    if (packed->data == NULL) {
        return KR_ERROR;
    }

    (void) pg_query__parse_result__pack(tree, packed->data);

    return KR_OK;
}


PgQuery__ParseResult *
kr_sql_tree_unpack(const kr_sql_packed_t *packed)
{
    return pg_query__parse_result__unpack(NULL, packed->len, packed->data);
}


int
kr_sql_tree_print(PgQuery__ParseResult *tree, kr_buf_t *out)
{
    int              rc;
    kr_sql_packed_t  packed;

    rc = kr_sql_tree_pack(tree, &packed);

    if (rc == KR_OK) {
        rc = kr_sql_tree_text(&packed, out);
        free(packed.data);
    }

    return rc;
}


int
kr_sql_tree_text(const kr_sql_packed_t *packed, kr_buf_t *out)
{
    int                    rc;
    kr_buf_t               text;
    PgQueryProtobuf        pbuf;
    PgQueryDeparseResult   r;

    memset(&text, 0, sizeof(kr_buf_t));

    pbuf.len = packed->len;
    pbuf.data = (char *) packed->data;

    r = pg_query_deparse_protobuf(pbuf);

    if (r.error != NULL) {
        rc = KR_DECLINED;

    } else if (r.query == NULL) {
        rc = KR_ERROR;

    } else {
        rc = kr_sql_tree_quote(r.query, &text);
    }

    pg_query_free_deparse_result(r);

    if (rc == KR_OK) {
        rc = kr_sql_tree_check(text.data, packed);
    }

    if (rc == KR_OK) {
        kr_buf_append(out, text.data, text.len);
        rc = out->failed ? KR_ERROR : KR_OK;
    }

    kr_buf_free(&text);

    return rc;
}


PgQuery__SelectStmt *
kr_sql_tree_select(const PgQuery__ParseResult *tree)
{
    PgQuery__Node  *stmt;

    if (tree->n_stmts != 1) {
        return NULL;
    }

    stmt = tree->stmts[0]->stmt;

    if (stmt == NULL || stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return NULL;
    }

    return stmt->select_stmt;
}


static int
kr_sql_tree_measure(const char *text, kr_buf_t *reason)
{
    int                    rc;
    size_t                 i;
    kr_sql_measure_t      *me;
    PgQueryScanResult      r;
    PgQuery__ScanResult   *scan;

    r = pg_query_scan(text);

    if (r.error != NULL) {
        kr_sql_tree_refuse(reason, r.error);
        pg_query_free_scan_result(r);
        return KR_DECLINED;
    }

    scan = pg_query__scan_result__unpack(NULL, r.pbuf.len,
                                         (uint8_t *) r.pbuf.data);
    pg_query_free_scan_result(r);

    me = calloc(1, sizeof(kr_sql_measure_t));
    rc = (scan == NULL || me == NULL) ? KR_ERROR : KR_OK;

    for (i = 0; rc == KR_OK && i < scan->n_tokens; i++) {
        rc = kr_sql_tree_token(me, scan->tokens[i]->token);
    }

    if (rc == KR_DECLINED && reason != NULL) {
        kr_buf_printf(reason, "the query is nested too deep or an expression"
                      " of it is too long: at most %d steps are supported",
                      KR_SQL_MAX_DEPTH);
    }

    if (scan != NULL) {
        pg_query__scan_result__free_unpacked(scan, NULL);
    }

    free(me);

    return rc;
}


/*
 * Adds a token to the upper bound of the tree's depth: each step down takes a
 * token at least.  A comma, AND and OR make siblings, so they end a chain, but
 * not within CASE ... END, which may itself be a part of a chain.
 */
static int
kr_sql_tree_token(kr_sql_measure_t *me, PgQuery__Token token)
{
    kr_sql_level_t  *l;

    l = &me->levels[me->depth];

    switch (token) {

    case PG_QUERY__TOKEN__ASCII_40:      /* ( */
    case PG_QUERY__TOKEN__ASCII_91:      /* [ */
    case PG_QUERY__TOKEN__CASE:
        l->chain++;
        me->outer += l->chain + l->sides;
        me->depth++;

        if (me->depth > KR_SQL_MAX_DEPTH) {
            return KR_DECLINED;
        }

        memset(&me->levels[me->depth], 0, sizeof(kr_sql_level_t));
        return me->outer > KR_SQL_MAX_DEPTH ? KR_DECLINED : KR_OK;

    case PG_QUERY__TOKEN__ASCII_41:      /* ) */
    case PG_QUERY__TOKEN__ASCII_93:      /* ] */
    case PG_QUERY__TOKEN__END_P:
        if (me->depth != 0) {
            me->depth--;
            l = &me->levels[me->depth];
            me->outer -= l->chain + l->sides;
        }

        return KR_OK;

    case PG_QUERY__TOKEN__ASCII_44:      /* , */
    case PG_QUERY__TOKEN__AND:
    case PG_QUERY__TOKEN__OR:
        l->chain = 0;
        return KR_OK;

    case PG_QUERY__TOKEN__UNION:
    case PG_QUERY__TOKEN__INTERSECT:
    case PG_QUERY__TOKEN__EXCEPT:
    case PG_QUERY__TOKEN__JOIN:
        l->sides++;
        break;

    default:
        l->chain++;
    }

    return me->outer + l->chain + l->sides > KR_SQL_MAX_DEPTH ? KR_DECLINED
                                                              : KR_OK;
}


static void
kr_sql_tree_refuse(kr_buf_t *reason, const PgQueryError *error)
{
    if (reason == NULL) {
        return;
    }

    kr_buf_printf(reason, "the query is not valid SQL: %s", error->message);

    if (error->cursorpos > 0) {
        kr_buf_printf(reason, ", character %d", error->cursorpos);
    }
}


static int
kr_sql_tree_descend(ProtobufCMessage *msg, const kr_sql_visitor_t *visitor,
    void *data, unsigned level)
{
    int             rc;
    unsigned        i;
    PgQuery__Node  *node;

    if (level > KR_SQL_MAX_LEVELS) {
        return KR_DECLINED;
    }

    if (msg->descriptor == &pg_query__node__descriptor) {
        /* one of some 240 fields is set: node_case is its number */
        node = (PgQuery__Node *) msg;

        return kr_sql_tree_field(msg,
                   protobuf_c_message_descriptor_get_field(msg->descriptor,
                                                           node->node_case),
                   visitor, data, level);
    }

    rc = visitor->enter(data, msg);

    for (i = 0; rc == KR_OK && i < msg->descriptor->n_fields; i++) {
        rc = kr_sql_tree_field(msg, &msg->descriptor->fields[i], visitor, data,
                               level);
    }

    if (rc == KR_OK && visitor->leave != NULL) {
        visitor->leave(data, msg);
    }

    return rc;
}


static int
kr_sql_tree_field(ProtobufCMessage *msg,
    const ProtobufCFieldDescriptor *field, const kr_sql_visitor_t *visitor,
    void *data, unsigned level)
{
    int                 rc;
    size_t              i, n;
    ProtobufCMessage  **children;

    if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return KR_OK;
    }

    n = kr_sql_tree_children(msg, field, &children);

    for (i = 0; i < n; i++) {
        rc = kr_sql_tree_descend(children[i], visitor, data, level + 1);
        if (rc != KR_OK) {
            return rc;
        }
    }

    return KR_OK;
}


/* The number of messages in a field; *children is the array of pointers. */
static size_t
kr_sql_tree_children(ProtobufCMessage *msg,
    const ProtobufCFieldDescriptor *field, ProtobufCMessage ***children)
{
    char  *base;

    base = (char *) msg;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *children = *(ProtobufCMessage ***) (base + field->offset);
        return *(size_t *) (base + field->quantifier_offset);
    }

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        && *(uint32_t *) (base + field->quantifier_offset) != field->id)
    {
        return 0;
    }

    *children = (ProtobufCMessage **) (base + field->offset);

    return **children != NULL;
}


/* Removes the parts of a tree that do not belong to its meaning. */
static int
kr_sql_tree_normalize(void *data, ProtobufCMessage *msg)
{
    unsigned                         i;
    const ProtobufCFieldDescriptor  *field;

    (void) data;

    if (msg->descriptor == &pg_query__raw_stmt__descriptor) {
        ((PgQuery__RawStmt *) msg)->stmt_location = 0;
        ((PgQuery__RawStmt *) msg)->stmt_len = 0;
    }

    for (i = 0; i < msg->descriptor->n_fields; i++) {
        field = &msg->descriptor->fields[i];

        if (field->type == PROTOBUF_C_TYPE_INT32
            && field->label != PROTOBUF_C_LABEL_REPEATED
            && strcmp(field->name, "location") == 0)
        {
            *(int32_t *) ((char *) msg + field->offset) = 0;
        }
    }

    if (msg->descriptor == &pg_query__bool_expr__descriptor) {
        return kr_sql_tree_flatten((PgQuery__BoolExpr *) msg);
    }

    return KR_OK;
}


/* (a AND (b AND c)) is (a AND b AND c), as the deparser prints it. */
static int
kr_sql_tree_flatten(PgQuery__BoolExpr *expr)
{
    size_t               i, k, n;
    PgQuery__Node      **args;
    PgQuery__BoolExpr   *inner;

    for (i = 0; i < expr->n_args; /* void */ ) {

        inner = kr_sql_tree_same(expr, expr->args[i]);

        if (inner == NULL) {
            i++;
            continue;
        }

        n = expr->n_args - 1 + inner->n_args;

        args = malloc(n * sizeof(PgQuery__Node *));
        if (args == NULL) {
            return KR_ERROR;
        }

        for (k = 0; k < n; k++) {
            args[k] = k < i ? expr->args[k]
                            : k < i + inner->n_args
                                  ? inner->args[k - i]
                                  : expr->args[k - inner->n_args + 1];
        }

        inner->n_args = 0;
        protobuf_c_message_free_unpacked(&expr->args[i]->base, NULL);
        free(expr->args);

        expr->args = args;
        expr->n_args = n;
    }

    return KR_OK;
}


static PgQuery__BoolExpr *
kr_sql_tree_same(const PgQuery__BoolExpr *expr, const PgQuery__Node *arg)
{
    if (arg->node_case != PG_QUERY__NODE__NODE_BOOL_EXPR
        || arg->bool_expr->boolop != expr->boolop
        || expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR
        || arg->bool_expr->n_args == 0)
    {
        return NULL;
    }

    return arg->bool_expr;
}


/*
 * Appends the deparser's text with each bare name quoted.  The deparser
 * quotes the keywords of its own grammar; a server of a later version has
 * more of them.  The deparser leaves a name bare only if the name is in lower
 * case, so the quotes change nothing else.  KR_OK; KR_DECLINED: the text
 * cannot be cut into tokens; KR_ERROR: no memory.
 */
static int
kr_sql_tree_quote(const char *text, kr_buf_t *out)
{
    size_t                     i, from, start, end;
    PgQueryScanResult          r;
    PgQuery__ScanResult       *scan;
    const PgQuery__ScanToken  *token;

    r = pg_query_scan(text);

    if (r.error != NULL) {
        pg_query_free_scan_result(r);
        return KR_DECLINED;
    }

    scan = pg_query__scan_result__unpack(NULL, r.pbuf.len,
                                         (uint8_t *) r.pbuf.data);
    pg_query_free_scan_result(r);

    if (scan == NULL) {
        return KR_ERROR;
    }

    from = 0;

    for (i = 0; i < scan->n_tokens; i++) {
        token = scan->tokens[i];
        start = (size_t) token->start;
        end = (size_t) token->end;

        if (token->token != PG_QUERY__TOKEN__IDENT || text[start] == '"') {
            continue;
        }

        kr_buf_append(out, text + from, start - from);
        kr_buf_ident(out, text + start, end - start);
        from = end;
    }

    kr_buf_str(out, text + from);
    pg_query__scan_result__free_unpacked(scan, NULL);

    return out->failed ? KR_ERROR : KR_OK;
}


static int
kr_sql_tree_check(const char *text, const kr_sql_packed_t *packed)
{
    int                    rc;
    kr_sql_packed_t        again;
    PgQuery__ParseResult  *tree;

    rc = kr_sql_tree_parse(text, &tree, NULL);
    if (rc != KR_OK) {
        return rc;
    }

    rc = kr_sql_tree_pack(tree, &again);
    kr_sql_tree_free(tree);

    if (rc != KR_OK) {
        return rc;
    }

    rc = (again.len == packed->len
          && memcmp(again.data, packed->data, again.len) == 0)
         ? KR_OK : KR_DECLINED;

    free(again.data);

    return rc;
}
