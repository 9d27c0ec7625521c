/*
 * The statements that query the catalog, and their parameters.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog_private.h"
#include "kr_sql_uses.h"
#include "kr_table_shape.h"


static int kr_ask_tables(kr_ask_t *ask, const kr_sql_t *sql, kr_str_t *s);
static void kr_ask_functions(kr_ask_t *ask, const kr_sql_t *sql,
    kr_str_t *s);
static void kr_ask_uses(kr_ask_t *ask, const kr_sql_use_t *uses, size_t n,
    kr_str_t *s);


/* u.n is the table's number, from 1, c its row of pg_class */
#define KR_ASK_FROM                                                           \
    " FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(name, n)"

#define KR_ASK_CLASS                                                          \
    " JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(u.name)"

/*
 * l is the table, or each of its partitions that holds rows; of these
 * pg_partition_tree() gives them too, when it has a lock of each
 */
#define KR_ASK_LEAF                                                           \
    " CROSS JOIN LATERAL (SELECT c.oid AS oid WHERE c.relkind <> 'p'"         \
    "  UNION ALL (WITH RECURSIVE d(oid) AS ("                                 \
    "    SELECT h.inhrelid FROM pg_catalog.pg_inherits h"                     \
    "    WHERE h.inhparent = c.oid AND c.relkind = 'p'"                       \
    "    UNION ALL SELECT h.inhrelid FROM d"                                  \
    "    JOIN pg_catalog.pg_inherits h ON h.inhparent = d.oid)"               \
    "   SELECT k.oid FROM d JOIN pg_catalog.pg_class k ON k.oid = d.oid"      \
    "   WHERE k.relkind <> 'p')) AS lo"                                       \
    " JOIN pg_catalog.pg_class l ON l.oid = lo.oid"

/* the index that is l's replica identity */
#define KR_ASK_IDENTITY                                                       \
    "pg_catalog.pg_index i WHERE i.indrelid = l.oid"                          \
    " AND CASE l.relreplident WHEN 'd' THEN i.indisprimary"                   \
    "     WHEN 'i' THEN i.indisreplident ELSE false END"

/*
 * The collation C, by that name or as the database's: of libc alone is it
 * known to be the order of bytes.  A database has a provider since
 * PostgreSQL 15.
 */
#define KR_ASK_C                                                              \
    "COALESCE((SELECT l.collprovider = 'c' AND l.collcollate IN"              \
    "  ('C', 'POSIX') OR l.collprovider = 'd' AND"                            \
    "  (SELECT d.datcollate IN ('C', 'POSIX') AND COALESCE("                  \
    "    pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') = 'c'"             \
    "   FROM pg_catalog.pg_database d"                                        \
    "   WHERE d.datname = pg_catalog.current_database())"                     \
    "  FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), false)"


static const char  kr_ask_tables_sql[] =
    "SELECT n.nspname, c.relname, c.relkind, c.relpersistence,"
    " pg_catalog.has_any_column_privilege(c.oid, 'SELECT'),"
    " EXISTS (SELECT FROM pg_catalog.pg_inherits i"
    "  WHERE i.inhparent = c.oid),"
    " CASE WHEN c.oid IS NOT NULL THEN" KR_TABLE_SHAPE " END"
    KR_ASK_FROM
    " LEFT" KR_ASK_CLASS
    " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " ORDER BY u.n";


/* 25 is text, 114 and 3802 are json and jsonb */
static const char  kr_ask_columns_sql[] =
    "SELECT u.n, a.attname, a.atttypid,"
    " pg_catalog.format_type(a.atttypid, -1), t.oid,"
    " pg_catalog.format_type(t.oid, -1),"
    " t.typtype IN ('b', 'e', 'r', 'm') AND t.typcategory <> 'A'"
    "  AND t.oid NOT IN (114, 3802)"
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast x"
    "   WHERE x.castsource = t.oid AND x.castmethod = 'f'"
    "   AND (x.casttarget IN (25, 114))),"
    " COALESCE((SELECT pg_catalog.bool_and(l.relreplident = 'f'"
    "   OR EXISTS (SELECT FROM " KR_ASK_IDENTITY
    "    AND la.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])))"
    "  FROM (SELECT) one" KR_ASK_LEAF
    "  JOIN pg_catalog.pg_attribute la ON la.attrelid = l.oid"
    "  AND la.attname = a.attname AND NOT la.attisdropped), true),"
    " COALESCE((SELECT NOT l.collisdeterministic"
    "  FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), false),"
    " " KR_ASK_C ", t.typtype = 'e', a.attgenerated = 'v'"
    KR_ASK_FROM
    KR_ASK_CLASS
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    " JOIN LATERAL (WITH RECURSIVE b AS ("
    "   SELECT o.* FROM pg_catalog.pg_type o WHERE o.oid = a.atttypid"
    "   UNION ALL SELECT o.* FROM pg_catalog.pg_type o"
    "   JOIN b ON b.typtype = 'd' AND o.oid = b.typbasetype)"
    "  SELECT * FROM b WHERE b.typtype <> 'd') AS t ON true"
    " WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY u.n, a.attnum";


static const char  kr_ask_keys_sql[] =
    "SELECT u.n, i.indisprimary, k.n, a.attname"
    KR_ASK_FROM
    KR_ASK_CLASS
    " JOIN pg_catalog.pg_index i ON i.indrelid = c.oid"
    " CROSS JOIN LATERAL pg_catalog.unnest("
    "  (i.indkey::int2[])[0:i.indnkeyatts - 1])"
    "  WITH ORDINALITY AS k(attnum, n)"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    "  AND a.attnum = k.attnum"
    " WHERE i.indisunique AND i.indisvalid AND i.indimmediate"
    " AND i.indpred IS NULL AND i.indexprs IS NULL"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute o"
    "  WHERE o.attrelid = c.oid AND " KR_ASK_NULLS
    "  AND o.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))"
    " ORDER BY u.n, i.indisprimary DESC, i.indexrelid, k.n";


static const char  kr_ask_leaves_sql[] =
    "SELECT u.n, n.nspname, l.relname, l.relkind, l.relpersistence,"
    " l.relreplident = 'f' OR EXISTS (SELECT FROM " KR_ASK_IDENTITY ")"
    KR_ASK_FROM
    KR_ASK_CLASS
    KR_ASK_LEAF
    " JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace"
    " ORDER BY u.n, n.nspname, l.relname";


/*
 * A function that is not there is left to PostgreSQL: "date(x)" is a cast.
 * timezone(text, timetz), which AT TIME ZONE may be, is marked as volatile up
 * to PostgreSQL 14, and is stable.
 */
static const char  kr_ask_functions_sql[] =
    "SELECT pg_catalog.bool_or(p.provolatile = 'v' AND NOT"
    "  (n.nspname = 'pg_catalog' AND p.proname = 'timezone')),"
    " pg_catalog.bool_or(p.prokind = 'a'), pg_catalog.bool_or(p.proretset),"
    " pg_catalog.bool_or(n.nspname = 'pg_catalog')"
    " FROM ROWS FROM (pg_catalog.unnest($1::text[]),"
    "  pg_catalog.unnest($2::text[])) WITH ORDINALITY AS f(schema, name, n)"
    " LEFT JOIN (pg_catalog.pg_proc p"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace)"
    " ON p.proname = f.name::name AND (f.schema = n.nspname"
    "  OR f.schema = '' AND pg_catalog.pg_function_is_visible(p.oid))"
    " GROUP BY f.n ORDER BY f.n";


/*
 * Operators and casts have volatile functions only where somebody made them;
 * a field that is no column of the tables may be any function of a row.
 */
static const char  kr_ask_implicit_sql[] =
    "WITH u AS (SELECT DISTINCT kind, schema, name FROM ROWS FROM ("
    "  pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]),"
    "  pg_catalog.unnest($4::text[])) AS u(kind, schema, name))"

    " SELECT u.kind, u.name, true, false, false FROM u"
    " JOIN pg_catalog.pg_operator o ON o.oprname = u.name::name"
    " JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode"
    " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
    " WHERE u.kind = 'o' AND p.provolatile = 'v' AND (u.schema = n.nspname"
    "  OR u.schema = '' AND pg_catalog.pg_operator_is_visible(o.oid))"

    " UNION ALL SELECT u.kind, u.name, true, false, false FROM u"
    " JOIN pg_catalog.pg_type t ON t.typname = u.name::name"
    " JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
    " WHERE u.kind = 't' AND (u.schema = n.nspname"
    "  OR u.schema = '' AND pg_catalog.pg_type_is_visible(t.oid))"
    " AND EXISTS (SELECT FROM pg_catalog.pg_proc p"
    "  WHERE p.provolatile = 'v' AND (p.oid = t.typinput OR p.oid IN"
    "   (SELECT x.castfunc FROM pg_catalog.pg_cast x"
    "    WHERE x.casttarget = t.oid)))"

    " UNION ALL SELECT u.kind, u.name, p.provolatile = 'v',"
    "  p.prokind = 'a', p.proretset FROM u"
    " JOIN pg_catalog.pg_proc p ON p.proname = u.name::name"
    " WHERE u.kind = 'f' AND pg_catalog.pg_function_is_visible(p.oid)"
    " AND (p.provolatile = 'v' OR p.prokind = 'a' OR p.proretset)"
    " AND EXISTS (SELECT FROM pg_catalog.pg_type t"
    "  WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'p'))"
    " AND NOT EXISTS (SELECT"
    KR_ASK_FROM
    "  JOIN pg_catalog.pg_attribute a"
    "  ON a.attrelid = pg_catalog.to_regclass(u.name)"
    "  WHERE a.attname = p.proname AND NOT a.attisdropped)";


int
kr_ask_params(kr_ask_t *ask, const kr_sql_t *sql)
{
    int            rc;
    size_t         n, tables, functions;
    kr_str_t      *s;
    kr_sql_use_t  *uses;

    if (kr_sql_uses(sql, &uses, &n) != KR_OK) {
        return KR_ERROR;
    }

    (void) kr_sql_tables(sql, &tables);
    (void) kr_sql_functions(sql, &functions);

    s = malloc((n + tables + functions + 1) * sizeof(kr_str_t));
    if (s == NULL) {
        free(uses);
        return KR_ERROR;
    }

    rc = kr_ask_tables(ask, sql, s);

    kr_ask_functions(ask, sql, s);
    kr_ask_uses(ask, uses, n, s);

    free(s);
    free(uses);

    if (ask->tables.failed || ask->schemas.failed || ask->names.failed
        || ask->kinds.failed || ask->use_schemas.failed
        || ask->use_names.failed)
    {
        return KR_ERROR;
    }

    return rc;
}


void
kr_ask_job(const kr_ask_t *ask, kr_job_t *job)
{
    int  i;

    static const char *const  texts[] = {
        KR_TABLE_SHAPE_SETTING, kr_ask_tables_sql, kr_ask_columns_sql,
        kr_ask_keys_sql, kr_ask_leaves_sql, kr_ask_functions_sql,
        kr_ask_implicit_sql
    };

    for (i = 0; i < KR_ASKS; i++) {
        kr_job_query(job, texts[i]);

        if (i == KR_ASK_SETTING) {
            continue;
        }

        if (i == KR_ASK_FUNCTIONS) {
            kr_job_param(job, ask->schemas.data);
            kr_job_param(job, ask->names.data);
            continue;
        }

        kr_job_param(job, ask->tables.data);

        if (i == KR_ASK_IMPLICIT) {
            kr_job_param(job, ask->kinds.data);
            kr_job_param(job, ask->use_schemas.data);
            kr_job_param(job, ask->use_names.data);
        }
    }
}


/* A NUL ends each parameter. */
void
kr_ask_key(const kr_ask_t *ask, kr_buf_t *key)
{
    size_t           i;
    const kr_buf_t  *params[] = {
        &ask->tables, &ask->schemas, &ask->names, &ask->kinds,
        &ask->use_schemas, &ask->use_names
    };

    for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        kr_buf_append(key, params[i]->data, params[i]->len + 1);
    }
}


void
kr_ask_free(kr_ask_t *ask)
{
    kr_buf_free(&ask->tables);
    kr_buf_free(&ask->schemas);
    kr_buf_free(&ask->names);
    kr_buf_free(&ask->kinds);
    kr_buf_free(&ask->use_schemas);
    kr_buf_free(&ask->use_names);
}


/* An array of quoted names: each name goes through a buffer of its own. */
static int
kr_ask_tables(kr_ask_t *ask, const kr_sql_t *sql, kr_str_t *s)
{
    int                    failed;
    size_t                 i, n, from;
    kr_buf_t               names;
    const kr_sql_table_t  *t;

    t = kr_sql_tables(sql, &n);
    memset(&names, 0, sizeof(kr_buf_t));

    for (i = 0; i < n; i++) {
        from = names.len;

        if (t[i].schema.len != 0) {
            kr_buf_ident(&names, t[i].schema.data, t[i].schema.len);
            kr_buf_str(&names, ".");
        }

        kr_buf_ident(&names, t[i].name.data, t[i].name.len);
        s[i].len = names.len - from;
    }

    failed = names.failed;

    if (!failed) {
        for (i = 0, from = 0; i < n; i++) {
            s[i].data = names.data + from;
            from += s[i].len;
        }

        kr_buf_array(&ask->tables, s, n);
    }

    kr_buf_free(&names);

    return failed ? KR_ERROR : KR_OK;
}


static void
kr_ask_functions(kr_ask_t *ask, const kr_sql_t *sql, kr_str_t *s)
{
    size_t                    i, n;
    const kr_sql_function_t  *f;

    f = kr_sql_functions(sql, &n);

    for (i = 0; i < n; i++) {
        s[i] = f[i].schema;
    }

    kr_buf_array(&ask->schemas, s, n);

    for (i = 0; i < n; i++) {
        s[i] = f[i].name;
    }

    kr_buf_array(&ask->names, s, n);
}


static void
kr_ask_uses(kr_ask_t *ask, const kr_sql_use_t *uses, size_t n, kr_str_t *s)
{
    size_t  i;

    static const kr_str_t  kinds[] = { kr_str("o"), kr_str("t"), kr_str("f") };

    for (i = 0; i < n; i++) {
        s[i] = kinds[uses[i].kind == KR_SQL_OPERATOR ? 0
                     : uses[i].kind == KR_SQL_TYPE ? 1 : 2];
    }

    kr_buf_array(&ask->kinds, s, n);

    for (i = 0; i < n; i++) {
        s[i] = uses[i].schema;
    }

    kr_buf_array(&ask->use_schemas, s, n);

    for (i = 0; i < n; i++) {
        s[i] = uses[i].name;
    }

    kr_buf_array(&ask->use_names, s, n);
}
