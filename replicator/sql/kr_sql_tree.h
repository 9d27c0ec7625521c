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


/* a tree as bytes: places in the text zeroed, AND and OR flattened */
typedef struct {
    size_t      len;
    uint8_t    *data;
} kr_sql_packed_t;


/*
 * enter() is called for each message but PgQuery__Node, which is a wrapper
 * only, from the root down; KR_OK: go on.  leave(), if it is not NULL, is
 * called after all that is within the message.
 */
typedef struct {
    int           (*enter)(void *data, ProtobufCMessage *msg);
    void          (*leave)(void *data, ProtobufCMessage *msg);
} kr_sql_visitor_t;


/*
 * Parses the text.  KR_OK: *tree is to be freed by kr_sql_tree_free().
 * KR_DECLINED: refused (not SQL, nested too deep); KR_ERROR: no memory;
 * reason gets a sentence, if it is not NULL.
 */
int kr_sql_tree_parse(const char *text, PgQuery__ParseResult **tree,
    kr_buf_t *reason);
void kr_sql_tree_free(PgQuery__ParseResult *tree);

/* What enter() returned, if it was not KR_OK; KR_DECLINED: too deep. */
int kr_sql_tree_walk(ProtobufCMessage *msg, const kr_sql_visitor_t *visitor,
    void *data);

/* Normalizes the tree, and packs it.  KR_OK, KR_ERROR. */
int kr_sql_tree_pack(PgQuery__ParseResult *tree, kr_sql_packed_t *packed);

/* The tree anew, for a rewrite; NULL: no memory. */
PgQuery__ParseResult *kr_sql_tree_unpack(const kr_sql_packed_t *packed);

/*
 * Appends the tree as SQL, after it was parsed again and found to be the
 * same tree: a deparser that loses a pair of parentheses must not change
 * what a query means.  KR_OK; KR_DECLINED: it was not the same; KR_ERROR.
 */
int kr_sql_tree_print(PgQuery__ParseResult *tree, kr_buf_t *out);

/* The same for a tree that is packed already. */
int kr_sql_tree_text(const kr_sql_packed_t *packed, kr_buf_t *out);

/* The statement that all of this is about: the only SELECT, or NULL. */
PgQuery__SelectStmt *kr_sql_tree_select(const PgQuery__ParseResult *tree);


#endif /* _KR_SQL_TREE_H_INCLUDED_ */
