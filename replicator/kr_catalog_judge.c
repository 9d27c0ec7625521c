/*
 * Whether a query, its tables and what a client says of them go together,
 * and the sentence for the client's developer if they do not.
 */

#include <string.h>

#include "kr_catalog_private.h"
#include "kr_value.h"


static int kr_judge_place(kr_judge_t *jd, int *place);
static int kr_judge_named(kr_judge_t *jd, const kr_str_t *table,
    size_t *place);
static int kr_judge_any(kr_judge_t *jd, const kr_sql_ref_t *ref, int prefer,
    size_t *place, const kr_table_column_t **column);
static const kr_table_column_t *kr_judge_find(const kr_table_t *t,
    const kr_sql_ref_t *ref);
static int kr_judge_topic(kr_judge_t *jd);
static int kr_judge_field(kr_judge_t *jd);
static int kr_judge_identity(kr_judge_t *jd);
static int kr_judge_told(kr_judge_t *jd, size_t place);
static void kr_judge_mend(kr_judge_t *jd, const kr_table_t *t,
    const char *why);
static int kr_same(const kr_str_t *a, const kr_str_t *b);
static int kr_same_folded(const kr_str_t *a, const kr_str_t *b);
static void kr_split(kr_str_t *name, kr_str_t *before);


int
kr_catalog_judge(const kr_facts_t *fa, kr_sql_t *sql, const kr_spec_t *spec,
    kr_aim_t *aim, kr_buf_t *reason)
{
    int         rc, place;
    kr_judge_t  jd;

    rc = kr_guard_judge(fa, sql, reason);
    if (rc != KR_OK) {
        return rc;
    }

    jd.facts = fa;
    jd.sql = sql;
    jd.spec = spec;
    jd.aim = aim;
    jd.reason = reason;

    memset(aim, 0, sizeof(kr_aim_t));
    aim->op = spec->op;

    rc = kr_judge_place(&jd, &place);

    if (rc == KR_OK) {
        rc = kr_judge_column(&jd, "table_field", &spec->field, place,
                             &aim->place, &aim->field);
    }

    if (rc != KR_OK) {
        return rc;
    }

    aim->table = &fa->tables[aim->place];

    if (kr_judge_topic(&jd) != KR_OK || kr_judge_field(&jd) != KR_OK) {
        return KR_DECLINED;
    }

    rc = kr_judge_key(&jd);

    return rc == KR_OK ? kr_judge_identity(&jd) : rc;
}


const kr_str_t *
kr_catalog_called(const kr_sql_t *sql, size_t place)
{
    size_t                 n;
    const kr_sql_table_t  *t;

    t = &kr_sql_tables(sql, &n)[place];

    return t->alias.len != 0 ? &t->alias : &t->name;
}


/*
 * The table that a column without one is looked for in first, as alias or
 * topic say; -1: neither does.  An alias must be one of the query's; a topic
 * may be ambiguous, what it names is judged later by kr_judge_topic().
 */
static int
kr_judge_place(kr_judge_t *jd, int *place)
{
    int              rc;
    size_t           found;
    const kr_str_t  *alias;

    *place = -1;
    alias = &jd->spec->alias;

    if (alias->len == 0 && jd->spec->table.len == 0) {
        return KR_OK;
    }

    rc = kr_judge_named(jd, alias->len != 0 ? alias : &jd->spec->table,
                        &found);

    if (rc == KR_OK) {
        *place = (int) found;
        return KR_OK;
    }

    if (rc == KR_ERROR || alias->len == 0) {
        return rc == KR_ERROR ? KR_ERROR : KR_OK;
    }

    kr_buf_str(jd->reason, "alias ");
    kr_buf_json(jd->reason, alias->data, alias->len);
    kr_buf_str(jd->reason, " is not what one table of the query's FROM is "
               "called");

    return KR_DECLINED;
}


/* The place of the table that is called or named so. */
static int
kr_judge_named(kr_judge_t *jd, const kr_str_t *table, size_t *place)
{
    int           rc;
    kr_buf_t      name, why;
    kr_str_t      s;
    kr_sql_ref_t  ref;

    memset(&name, 0, sizeof(kr_buf_t));
    memset(&why, 0, sizeof(kr_buf_t));
    memset(&ref, 0, sizeof(kr_sql_ref_t));

    kr_buf_append(&name, table->data, table->len);
    kr_buf_str(&name, ".x");
    rc = KR_ERROR;

    if (!name.failed) {
        s.data = name.data;
        s.len = name.len;
        rc = kr_sql_resolve(jd->sql, &s, &ref, &why);
    }

    *place = ref.table;

    kr_buf_free(&name);
    kr_buf_free(&why);
    kr_buf_free(&ref.column);

    return rc;
}


int
kr_judge_column(kr_judge_t *jd, const char *what, const kr_str_t *name,
    int prefer, size_t *place, const kr_table_column_t **column)
{
    int           rc;
    kr_buf_t      why;
    kr_sql_ref_t  ref;

    memset(&why, 0, sizeof(kr_buf_t));
    memset(&ref, 0, sizeof(kr_sql_ref_t));

    rc = kr_sql_resolve(jd->sql, name, &ref, &why);

    if (rc == KR_DECLINED) {
        kr_buf_printf(jd->reason, "%s: ", what);
        kr_buf_append(jd->reason, why.data, why.len);

    } else if (rc == KR_OK && ref.any) {
        rc = kr_judge_any(jd, &ref, prefer, place, column);

        if (rc == KR_DECLINED) {
            kr_buf_printf(jd->reason, "%s ", what);
            kr_buf_json(jd->reason, name->data, name->len);
            kr_buf_str(jd->reason, *column == NULL
                       ? " is not a column of any table in the query's FROM"
                       : " is a column of several tables in the query's "
                         "FROM: write the table's alias before it");
        }

    } else if (rc == KR_OK) {
        *place = ref.table;
        *column = kr_judge_find(&jd->facts->tables[ref.table], &ref);

        if (*column == NULL) {
            kr_buf_printf(jd->reason, "%s ", what);
            kr_buf_json(jd->reason, name->data, name->len);
            kr_buf_str(jd->reason, " is not a column of ");
            kr_judge_name(&jd->facts->tables[ref.table], jd->reason);
            rc = KR_DECLINED;
        }
    }

    kr_buf_free(&why);
    kr_buf_free(&ref.column);

    return rc;
}


static int
kr_judge_any(kr_judge_t *jd, const kr_sql_ref_t *ref, int prefer,
    size_t *place, const kr_table_column_t **column)
{
    size_t                    i, n, found;
    const kr_sql_table_t     *st;
    const kr_table_column_t  *c;

    if (prefer >= 0) {
        *place = (size_t) prefer;
        *column = kr_judge_find(&jd->facts->tables[prefer], ref);

        if (*column != NULL) {
            return KR_OK;
        }
    }

    st = kr_sql_tables(jd->sql, &n);
    *column = NULL;

    for (i = 0, found = 0; i < n; i++) {
        c = st[i].top ? kr_judge_find(&jd->facts->tables[i], ref) : NULL;

        if (c != NULL) {
            found++;
            *place = i;
            *column = c;
        }
    }

    return found == 1 ? KR_OK : KR_DECLINED;
}


/* As it is written; if it has no quotes, in lower case else. */
static const kr_table_column_t *
kr_judge_find(const kr_table_t *t, const kr_sql_ref_t *ref)
{
    size_t                    i;
    kr_str_t                  name;
    const kr_table_column_t  *c, *folded;

    name.data = ref->column.data;
    name.len = ref->column.len;
    folded = NULL;

    for (i = 0; i < t->ncolumns; i++) {
        c = &t->columns[i];

        if (kr_same(&name, &c->name)) {
            return c;
        }

        if (!ref->quoted && kr_same_folded(&name, &c->name)) {
            folded = c;
        }
    }

    return folded;
}


/* Whose changes are asked for must be whose field is compared. */
static int
kr_judge_topic(kr_judge_t *jd)
{
    kr_str_t           name, schema, called;
    const kr_table_t  *t;
    const kr_spec_t   *spec;

    t = jd->aim->table;
    spec = jd->spec;

    if (spec->table.len == 0) {
        return KR_OK;
    }

    name = spec->table;
    kr_split(&name, &schema);
    kr_split(&schema, &called);

    if (kr_same_folded(&name, &t->name)
        && (schema.len == 0 || kr_same_folded(&schema, &t->schema)))
    {
        return KR_OK;
    }

    called = *kr_catalog_called(jd->sql, jd->aim->place);

    if (schema.len == 0 && kr_same_folded(&name, &called)) {
        return KR_OK;
    }

    kr_buf_str(jd->reason, "topic ");
    kr_buf_json(jd->reason, spec->topic.data, spec->topic.len);
    kr_buf_str(jd->reason, " names another table than table_field, which is "
               "of ");
    kr_judge_name(t, jd->reason);

    return KR_DECLINED;
}


static int
kr_judge_field(kr_judge_t *jd)
{
    kr_buf_t                  why;
    const kr_table_column_t  *c;

    c = jd->aim->field;

    if (!kr_value_supported(c->type)
        || (c->fuzzy && !kr_op_supported(KR_CONTAINS, c->type)))
    {
        kr_buf_printf(jd->reason, "table_field \"%s\" is of type %s, which "
                      "cannot be compared here", c->name.data,
                      c->type_name.data);
        return KR_DECLINED;
    }

    if (c->fuzzy) {
        kr_buf_printf(jd->reason, "table_field \"%s\" is of type %s with a "
                      "nondeterministic collation, which cannot be compared "
                      "here", c->name.data, c->type_name.data);
        return KR_DECLINED;
    }

    memset(&why, 0, sizeof(kr_buf_t));

    if (kr_op_check(jd->aim->op, c->type, jd->spec->nvalues, &why)
        == KR_OK)
    {
        kr_buf_free(&why);
        return KR_OK;
    }

    kr_buf_printf(jd->reason, "table_field \"%s\" of type %s: ",
                  c->name.data, c->type_name.data);
    kr_buf_append(jd->reason, why.data, why.len);
    kr_buf_free(&why);

    return KR_DECLINED;
}


/*
 * Row by row, the old row must tell the key, and whether it belonged to the
 * route; of a query that is run as a whole the latter alone, and of its
 * other tables only that there was a change.
 */
static int
kr_judge_identity(kr_judge_t *jd)
{
    int                    whole;
    size_t                 i, n;
    const kr_aim_t        *aim;
    const kr_table_key_t  *key;

    aim = jd->aim;
    key = aim->key;
    whole = aim->field->identity;

    if (kr_sql_mode(jd->sql) == KR_SQL_ROWWISE) {
        for (i = 0; i < key->ncolumns; i++) {
            whole = whole && key->columns[i]->identity;
        }
    }

    if (!whole) {
        kr_judge_mend(jd, aim->table, "does not hold the old rows of ");
        return KR_DECLINED;
    }

    (void) kr_sql_tables(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (kr_judge_told(jd, i) != KR_OK) {
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


static int
kr_judge_told(kr_judge_t *jd, size_t place)
{
    size_t             i;
    const kr_table_t  *t;

    t = &jd->facts->tables[place];

    for (i = 0; i < t->nleaves; i++) {
        if (!t->leaves[i].told) {
            kr_judge_mend(jd, t, "does not tell of updates and deletes in ");
            return KR_DECLINED;
        }
    }

    return KR_OK;
}


/* The replica identity of a partitioned table is that of each partition. */
static void
kr_judge_mend(kr_judge_t *jd, const kr_table_t *t, const char *why)
{
    size_t                  i;
    const kr_table_leaf_t  *leaf;

    kr_buf_printf(jd->reason, "the WAL %s", why);
    kr_judge_name(t, jd->reason);
    kr_buf_str(jd->reason, ", which are needed to tell who loses a row: run");

    for (i = 0; i < t->nleaves; i++) {
        leaf = &t->leaves[i];

        kr_buf_str(jd->reason, " ALTER TABLE ");
        kr_buf_ident(jd->reason, leaf->schema.data, leaf->schema.len);
        kr_buf_str(jd->reason, ".");
        kr_buf_ident(jd->reason, leaf->name.data, leaf->name.len);
        kr_buf_str(jd->reason, " REPLICA IDENTITY FULL;");

        if (i == 9 && t->nleaves > 10) {
            kr_buf_str(jd->reason, " and so on for each partition");
            break;
        }
    }
}


static int
kr_same(const kr_str_t *a, const kr_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


/* a is a client's, b the catalog's; ASCII letters alone are folded */
static int
kr_same_folded(const kr_str_t *a, const kr_str_t *b)
{
    char    ch;
    size_t  i;

    if (kr_same(a, b)) {
        return 1;
    }

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        ch = a->data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch = (char) (ch | 0x20);
        }

        if (ch != b->data[i]) {
            return 0;
        }
    }

    return 1;
}


/* "before.name" to its two parts, the latter without its quotes. */
static void
kr_split(kr_str_t *name, kr_str_t *before)
{
    size_t  i;

    before->len = 0;
    before->data = "";

    for (i = name->len; i > 0; i--) {
        if (name->data[i - 1] == '.') {
            before->data = name->data;
            before->len = i - 1;
            name->data += i;
            name->len -= i;
            break;
        }
    }

    if (name->len >= 2 && name->data[0] == '"'
        && name->data[name->len - 1] == '"')
    {
        name->data++;
        name->len -= 2;
    }
}
