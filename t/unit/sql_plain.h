/*
 * Statements as the tests of the kr_sql files expect them: with quotes around
 * those names alone that the parser would not take bare.
 */

#ifndef _SQL_PLAIN_H_INCLUDED_
#define _SQL_PLAIN_H_INCLUDED_


#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include "kr_buf.h"


static PgQuery__ScanResult *
sql_tokens(const char *text)
{
    PgQueryScanResult     r;
    PgQuery__ScanResult  *scan;

    r = pg_query_scan(text);
    assert_null(r.error);

    scan = pg_query__scan_result__unpack(NULL, r.pbuf.len,
                                         (uint8_t *) r.pbuf.data);
    pg_query_free_scan_result(r);
    assert_non_null(scan);

    return scan;
}


/* Whether the quoted name would be the same one without its quotes. */
static int
sql_is_bare(const char *name, size_t len)
{
    int                   bare;
    char                  text[64];
    PgQuery__ScanResult  *scan;

    if (len >= sizeof(text)
        || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") < len)
    {
        return 0;
    }

    snprintf(text, sizeof(text), "%.*s", (int) len, name);

    scan = sql_tokens(text);
    bare = scan->n_tokens == 1
           && scan->tokens[0]->token == PG_QUERY__TOKEN__IDENT;
    pg_query__scan_result__free_unpacked(scan, NULL);

    return bare;
}


/* A name that is bare in the statement is a fault of its own. */
static void
plain(kr_buf_t *out)
{
    size_t                     i, from, start, end;
    kr_buf_t                   text;
    PgQuery__ScanResult       *scan;
    const PgQuery__ScanToken  *token;

    memset(&text, 0, sizeof(text));
    scan = sql_tokens(out->data);
    from = 0;

    for (i = 0; i < scan->n_tokens; i++) {
        token = scan->tokens[i];
        start = (size_t) token->start;
        end = (size_t) token->end;

        if (token->token != PG_QUERY__TOKEN__IDENT) {
            continue;
        }

        if (out->data[start] != '"') {
            fail_msg("a bare name at byte %zu: %s", start, out->data);
        }

        if (sql_is_bare(out->data + start + 1, end - start - 2)) {
            kr_buf_append(&text, out->data + from, start - from);
            kr_buf_append(&text, out->data + start + 1, end - start - 2);
            from = end;
        }
    }

    kr_buf_str(&text, out->data + from);
    pg_query__scan_result__free_unpacked(scan, NULL);

    kr_buf_free(out);
    *out = text;
}


#endif /* _SQL_PLAIN_H_INCLUDED_ */
