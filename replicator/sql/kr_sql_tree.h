/*
 * The parse tree: libpg_query's protobuf messages, walked by their own
 * descriptors.  Private to the kr_sql files.
 */

#ifndef _KR_SQL_TREE_H_INCLUDED_
#define _KR_SQL_TREE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include <pg_query/pg_query.pb-c.h>

#include "kr_buf.h"


/* a tree as bytes: offsets in the text zeroed, AND and OR flattened */
typedef struct {
    size_t      len;
    uint8_t    *data;
} kr_sql_packed_t;


/*
 * The walk calls enter() for each message, from the root down, except for
 * PgQuery__Node, a mere wrapper; another result than KR_OK ends the walk.
 * leave(), if it is not NULL, is called after the messages within.
 */
typedef struct {
    int           (*enter)(void *data, ProtobufCMessage *msg);
    void          (*leave)(void *data, ProtobufCMessage *msg);
} kr_sql_visitor_t;


/*
 * Parses the text.  KR_OK: the caller frees *tree with kr_sql_tree_free().
 * KR_DECLINED: refused (not SQL, nested too deep); KR_ERROR: no memory.
 * reason, if it is not NULL, then gets a sentence.
 */
int kr_sql_tree_parse(const char *text, PgQuery__ParseResult **tree,
    kr_buf_t *reason);
void kr_sql_tree_free(PgQuery__ParseResult *tree);

/*
 * Walks the tree.  KR_OK; KR_DECLINED: nested too deep; or enter()'s result
 * that ended the walk.
 */
int kr_sql_tree_walk(ProtobufCMessage *msg, const kr_sql_visitor_t *visitor,
    void *data);

/* Normalizes the tree, and packs it.  KR_OK; KR_ERROR: no memory. */
int kr_sql_tree_pack(PgQuery__ParseResult *tree, kr_sql_packed_t *packed);

/* A new tree of the bytes, for a rewrite; NULL: no memory. */
PgQuery__ParseResult *kr_sql_tree_unpack(const kr_sql_packed_t *packed);

/*
 * Appends the tree as SQL.  The text is parsed again and must give the same
 * tree, because a deparser that loses a pair of parentheses would change the
 * meaning of a query.  KR_OK; KR_DECLINED: the trees differ; KR_ERROR: no
 * memory.
 */
int kr_sql_tree_print(PgQuery__ParseResult *tree, kr_buf_t *out);

/* The same for a tree that is packed already. */
int kr_sql_tree_text(const kr_sql_packed_t *packed, kr_buf_t *out);

/* The SELECT, if the tree is one SELECT statement, or NULL. */
PgQuery__SelectStmt *kr_sql_tree_select(const PgQuery__ParseResult *tree);


#endif /* _KR_SQL_TREE_H_INCLUDED_ */
