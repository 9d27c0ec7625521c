/*
 * A table's shape: all of the catalog that can change what a query of the
 * table returns, or which of its changes the WAL holds, as lines of text.
 * DDL leaves no change in the stream, so shapes of two moments are compared:
 * the first is read with the facts of a plan (kr_catalog_ask.c), the later
 * ones by the sweep (kr_alter.c) and by the plan of a RESUME.
 */

#ifndef _KR_TABLE_SHAPE_H_INCLUDED_
#define _KR_TABLE_SHAPE_H_INCLUDED_


#include "kr_buf.h"


/* hexadecimal digits of kr_table_shape_mark() */
#define KR_TABLE_SHAPE_MARK  48


/* d: the parts of c, near and far; the attribute -6 is tableoid */
#define KR_SHAPE_PARTS                                                        \
    " (oid, attached) AS ("                                                   \
    "   SELECT h.inhrelid, s.xmin <> h.xmin FROM pg_catalog.pg_inherits h"    \
    "    JOIN pg_catalog.pg_attribute s ON s.attrelid = h.inhrelid"           \
    "     AND s.attnum = -6"                                                  \
    "    WHERE h.inhparent = c.oid AND c.relhassubclass"                      \
    "   UNION ALL SELECT h.inhrelid, s.xmin <> h.xmin FROM d"                 \
    "    JOIN pg_catalog.pg_inherits h ON h.inhparent = d.oid"                \
    "    JOIN pg_catalog.pg_attribute s ON s.attrelid = h.inhrelid"           \
    "     AND s.attnum = -6)"

/* y: the types behind the columns; the OIDs of built-in ones are less */
#define KR_SHAPE_TYPES                                                        \
    " (oid) AS ("                                                             \
    "   SELECT a.atttypid FROM pg_catalog.pg_attribute a"                     \
    "    WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid >= 16384"   \
    "   UNION SELECT x.oid FROM y CROSS JOIN LATERAL ("                       \
    "     SELECT pg_catalog.unnest(ARRAY[t.typelem, t.typbasetype])"          \
    "      FROM pg_catalog.pg_type t WHERE t.oid = y.oid"                     \
    "     UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g"           \
    "      WHERE g.rngtypid = y.oid"                                          \
    "     UNION ALL SELECT g.rngtypid FROM pg_catalog.pg_range g"             \
    "      WHERE pg_catalog.to_jsonb(g) ->> 'rngmultitypid' = y.oid::text"    \
    "     UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f"         \
    "      WHERE f.attnum > 0 AND f.attrelid = (SELECT t.typrelid"            \
    "       FROM pg_catalog.pg_type t WHERE t.oid = y.oid)) AS x(oid)"        \
    "    WHERE x.oid >= 16384)"

/* the lines t, n, a, r */
#define KR_SHAPE_TABLE                                                        \
    " 't ', c.oid, ' ', c.relkind, E'\\n',"                                   \
    "  'n ', (SELECT t.xmin FROM pg_catalog.pg_type t"                        \
    "   WHERE t.oid = c.reltype), E'\\n',"                                    \
    "  'a ', pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"                \
    "  pg_catalog.has_table_privilege(c.oid, 'SELECT'), E'\\n',"              \
    "  'r ', pg_catalog.row_security_active(c.oid), E'\\n'"

#define KR_SHAPE_POLICIES                                                     \
    " (SELECT pg_catalog.string_agg(pg_catalog.concat('q ', p.polcmd,"        \
    "   p.polpermissive, ' ', pg_catalog.hashtextextended("                   \
    "    pg_catalog.pg_get_expr(p.polqual, p.polrelid), 0), ' ',"             \
    "   pg_catalog.quote_ident(p.polname), E'\\n'), '' ORDER BY p.polname)"   \
    "  FROM pg_catalog.pg_policy p"                                           \
    "  WHERE p.polrelid = c.oid AND c.relrowsecurity"                         \
    "  AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r(oid)"       \
    "   WHERE r.oid = 0 OR pg_catalog.pg_has_role(r.oid, 'USAGE')))"

/* the lines c, and w of the table itself */
#define KR_SHAPE_COLUMNS                                                      \
    " (SELECT pg_catalog.concat(pg_catalog.string_agg(pg_catalog.concat("     \
    "   'c ', a.attnum, ' ', a.atttypid, ' ', a.atttypmod, ' ',"              \
    "   a.attcollation, ' ', a.attgenerated, CASE WHEN a.attgenerated <> ''"  \
    "    THEN (SELECT pg_catalog.hashtextextended("                           \
    "      pg_catalog.pg_get_expr(e.adbin, e.adrelid), 0)"                    \
    "     FROM pg_catalog.pg_attrdef e"                                       \
    "     WHERE e.adrelid = c.oid AND e.adnum = a.attnum) END, ' ',"          \
    "   CASE WHEN a.attacl IS NOT NULL THEN"                                  \
    "    pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') END,"     \
    "   ' ', pg_catalog.quote_ident(a.attname), E'\\n'), ''),"                \
    "   'w ', c.oid, ' ', c.relfilenode, pg_catalog.string_agg("              \
    "    pg_catalog.concat(' ', a.attnum, ':', a.xmin), ''), E'\\n')"         \
    "  FROM (SELECT o.*, o.xmin FROM pg_catalog.pg_attribute o"               \
    "   WHERE o.attrelid = c.oid AND o.attnum > 0 AND NOT o.attisdropped"     \
    "   ORDER BY o.attnum) a)"

#define KR_SHAPE_KEYS                                                         \
    " (SELECT pg_catalog.string_agg(k.line, '' ORDER BY k.line)"              \
    "  FROM (SELECT DISTINCT pg_catalog.concat('k ',"                         \
    "    (SELECT pg_catalog.string_agg(u.n::text, ' ' ORDER BY u.n)"          \
    "     FROM pg_catalog.unnest("                                            \
    "      (i.indkey::int2[])[0:i.indnkeyatts - 1]) AS u(n)),"                \
    "     E'\\n') AS line"                                                    \
    "   FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"                  \
    "   AND i.indisunique AND i.indisvalid AND i.indimmediate"                \
    "   AND i.indpred IS NULL AND i.indexprs IS NULL"                         \
    "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute o"                \
    "    WHERE o.attrelid = c.oid AND NOT o.attnotnull AND o.attnum"          \
    "    = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))) k)"

/* the lines y, e, f */
#define KR_SHAPE_TYPE_LINES                                                   \
    " (SELECT pg_catalog.string_agg(z.lines, '' ORDER BY y.oid)"              \
    "  FROM y CROSS JOIN LATERAL (SELECT pg_catalog.concat('y ', t.oid,"      \
    "    ' ', t.typtype, ' ', t.typnamespace, ' ', t.typbasetype, ' ',"       \
    "    t.typtypmod, ' ', t.typcollation, ' ',"                              \
    "    pg_catalog.quote_ident(t.typname), E'\\n',"                          \
    "    (SELECT pg_catalog.string_agg(pg_catalog.concat('e ', t.oid, ' ',"   \
    "      pg_catalog.quote_ident(e.enumlabel), E'\\n'), ''"                  \
    "      ORDER BY e.enumsortorder)"                                         \
    "     FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),"              \
    "    (SELECT pg_catalog.string_agg(pg_catalog.concat('f ', t.oid, ' ',"   \
    "      f.attnum, ' ', f.atttypid, ' ', f.atttypmod, ' ',"                 \
    "      f.attcollation, ' ', pg_catalog.quote_ident(f.attname), E'\\n'),"  \
    "      '' ORDER BY f.attnum)"                                             \
    "     FROM pg_catalog.pg_attribute f WHERE f.attrelid = t.typrelid"       \
    "     AND f.attnum > 0 AND NOT f.attisdropped)) AS lines"                 \
    "   FROM pg_catalog.pg_type t WHERE t.oid = y.oid OFFSET 0) z)"

/* of l, a row of pg_class */
#define KR_SHAPE_WAL(l)                                                       \
    " " #l ".relpersistence, ' ', " #l ".relreplident,"                       \
    "  (SELECT i.indkey::int2[] FROM pg_catalog.pg_index i"                   \
    "   WHERE i.indrelid = " #l ".oid AND CASE " #l ".relreplident"           \
    "    WHEN 'd' THEN i.indisprimary"                                        \
    "    WHEN 'i' THEN i.indisreplident ELSE false END)"

/* the lines p, and w of each part */
#define KR_SHAPE_PART_LINES                                                   \
    " CASE WHEN c.relhassubclass THEN ("                                      \
    "  SELECT pg_catalog.string_agg(z.lines, '' ORDER BY d.oid)"              \
    "  FROM d CROSS JOIN LATERAL (SELECT pg_catalog.concat('p ', l.oid,"      \
    "    ' ', l.relkind, ' ', " KR_SHAPE_WAL(l) ", ' ',"                      \
    "    (SELECT t.xmin FROM pg_catalog.pg_type t WHERE t.oid = l.reltype),"  \
    "    CASE WHEN d.attached THEN ' attached' END, E'\\n',"                  \
    "    'w ', l.oid, ' ', l.relfilenode,"                                    \
    "    (SELECT pg_catalog.string_agg(pg_catalog.concat(' ', a.attnum,"      \
    "      ':', a.xmin), '' ORDER BY a.attnum)"                               \
    "     FROM pg_catalog.pg_attribute a WHERE a.attrelid = l.oid"            \
    "     AND a.attnum > 0 AND NOT a.attisdropped), E'\\n') AS lines"         \
    "   FROM pg_catalog.pg_class l WHERE l.oid = d.oid OFFSET 0) z) END"

/*
 * The expression that prints the shape of c, a row of pg_class, in the schema
 * n, its row of pg_namespace.  Each line begins with a letter:
 *
 *     t  the table: OID, kind
 *     n  when its row type was renamed, moved or got another owner last: that
 *        the table's name came back leaves the name as it was
 *     a  the role's right to use the schema, and to SELECT from the table
 *     r  whether row security applies to the role
 *     q  a policy that does: command, permissive, hash of the expression, name
 *     c  a column: number, type, modifier, collation, generation with the
 *        hash of its expression, the role's own right to it, name
 *     k  the columns of a key, as kr_catalog_ask.c finds keys
 *     y  a type that is not built in, of a column or within such a type
 *     e  a label of such an enum; the order of two labels never changes
 *     f  an attribute of such a composite type
 *     i  persistence, replica identity, the columns of its index
 *     p  a partition, or a table that inherits, near or far: OID, kind, then
 *        as i and n; "attached" if it was not made as a part, so that it may
 *        have had rows (its columns and its place are of two transactions)
 *     w  the file of the table or of a part, and for each of its columns when
 *        the catalog's row of the column was written last
 *
 * OFFSET 0 keeps PostgreSQL from joining the few OIDs with the whole catalog.
 */
#define KR_TABLE_SHAPE                                                        \
    " (WITH RECURSIVE d" KR_SHAPE_PARTS ", y" KR_SHAPE_TYPES ""               \
    " SELECT pg_catalog.concat(" KR_SHAPE_TABLE ", " KR_SHAPE_POLICIES ","    \
    " " KR_SHAPE_COLUMNS ", " KR_SHAPE_KEYS ", " KR_SHAPE_TYPE_LINES ","      \
    " 'i ', " KR_SHAPE_WAL(c) ", E'\\n', " KR_SHAPE_PART_LINES "))"


/*
 * To be run in the same transaction before a statement with KR_TABLE_SHAPE:
 * PostgreSQL estimates its cost so high that it would compile it, for longer
 * than it runs.
 */
#define KR_TABLE_SHAPE_SETTING                                                \
    "SELECT pg_catalog.set_config('jit', 'off', true)"


/*
 * Compares two shapes of a table; now is NULL if the table is not there.
 * NULL: the rows of every query stay right, but for a column that was added,
 * and no change is missing.  Else the reason, a static sentence, why the
 * table's routes cannot go on as they are.
 */
const char *kr_table_shape_judge(const char *before, const char *now);

/*
 * Appends the mark of a shape, KR_TABLE_SHAPE_MARK digits: three hashes, of
 * the files, of the columns' writing, and of all else.
 */
void kr_table_shape_mark(kr_buf_t *b, const char *shape);

/*
 * Whether the shapes of two marks differ in more than other files: those
 * alone are what VACUUM FULL and CLUSTER leave (1 or 0).
 */
int kr_table_shape_differs(const char *one, const char *two);


#endif /* _KR_TABLE_SHAPE_H_INCLUDED_ */
