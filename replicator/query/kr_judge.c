/*
 * Whether a query, its tables and what a client says of them go together,
 * and the sentence for the client's developer if they do not.
 */

#include <string.h>

#include "kr_catalog_private.h"
#include "kr_oid.h"
#include "kr_value.h"


static int kr_judge_place(kr_judge_t *jd, kr_found_t *place,
    const kr_found_t **prefer);
static int kr_judge_topic(kr_judge_t *jd);
static int kr_judge_is(const kr_str_t *name, const kr_str_t *schema,
    const kr_table_t *t, const kr_str_t *called);
static int kr_judge_field(kr_judge_t *jd);
static int kr_judge_identity(kr_judge_t *jd);
static int kr_judge_told(kr_judge_t *jd, size_t place);
static void kr_judge_mend(kr_judge_t *jd, const kr_table_t *t,
    const char *why);
static void kr_split(kr_str_t *name, kr_str_t *before);


int
kr_catalog_judge(const kr_facts_t *fa, const kr_shape_t *shape,
    const kr_sql_t *sql, const kr_spec_t *spec, kr_aim_t *aim,
    kr_buf_t *reason)
{
    int                rc;
    kr_judge_t         jd;
    kr_found_t         place, field;
    const kr_found_t  *prefer;

    jd.facts = fa;
    jd.shape = shape;
    jd.sql = sql;
    jd.spec = spec;
    jd.aim = aim;
    jd.reason = reason;

    memset(aim, 0, sizeof(kr_aim_t));
    aim->op = spec->op;

    rc = kr_judge_place(&jd, &place, &prefer);

    if (rc == KR_OK) {
        rc = kr_judge_column(&jd, "table_field", &spec->field, prefer,
                             &field);
    }

    if (rc != KR_OK) {
        return rc;
    }

    aim->of = field.of;
    aim->place = field.place;
    aim->field = field.column;
    aim->table = field.of == KR_AIM_TABLE ? &fa->tables[field.place] : NULL;

    if (kr_judge_topic(&jd) != KR_OK || kr_judge_field(&jd) != KR_OK) {
        return KR_DECLINED;
    }

    rc = kr_judge_key(&jd);

    return rc == KR_OK ? kr_judge_identity(&jd) : rc;
}


const kr_str_t *
kr_aim_called(const kr_aim_t *aim, const kr_sql_t *sql)
{
    size_t  n;

    return aim->of == KR_AIM_ITEM ? &kr_sql_items(sql, &n)[aim->place]
                                  : kr_catalog_called(sql, aim->place);
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
 * What a column without a table is looked for in first, as alias or topic
 * say.  An alias must be one of the query's; a topic may be ambiguous, what
 * it names is judged later by kr_judge_topic().
 */
static int
kr_judge_place(kr_judge_t *jd, kr_found_t *place, const kr_found_t **prefer)
{
    int              rc;
    const kr_str_t  *alias;

    *prefer = NULL;
    alias = &jd->spec->alias;

    if (kr_sql_is_closed(jd->sql)
        || (alias->len == 0 && jd->spec->table.len == 0))
    {
        return KR_OK;
    }

    rc = kr_judge_named(jd, alias->len != 0 ? alias : &jd->spec->table,
                        place);

    if (rc == KR_OK) {
        *prefer = place;
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


/*
 * Whose changes are asked for must be whose field is compared.  Where that
 * is no table's it must be read at least, or be called so in the FROM.
 */
static int
kr_judge_topic(kr_judge_t *jd)
{
    kr_str_t           name, schema, rest;
    const kr_aim_t    *aim;
    const kr_spec_t   *spec;

    aim = jd->aim;
    spec = jd->spec;

    if (spec->table.len == 0) {
        return KR_OK;
    }

    if (aim->table == NULL) {
        if (kr_judge_read(jd) != NULL) {
            return KR_OK;
        }

        kr_buf_str(jd->reason, "topic ");
        kr_buf_json(jd->reason, spec->topic.data, spec->topic.len);
        kr_buf_str(jd->reason, " names a table that the query does not "
                   "read");
        return KR_DECLINED;
    }

    name = spec->table;
    kr_split(&name, &schema);
    kr_split(&schema, &rest);

    if (kr_judge_is(&name, &schema, aim->table,
                    kr_catalog_called(jd->sql, aim->place)))
    {
        return KR_OK;
    }

    kr_buf_str(jd->reason, "topic ");
    kr_buf_json(jd->reason, spec->topic.data, spec->topic.len);
    kr_buf_str(jd->reason, " names another table than table_field, which is "
               "of ");
    kr_judge_name(aim->table, jd->reason);

    return KR_DECLINED;
}


const kr_table_t *
kr_judge_read(const kr_judge_t *jd)
{
    size_t           i, n;
    kr_str_t         name, schema, rest;
    const kr_str_t  *items;

    if (jd->spec->table.len == 0) {
        return &jd->facts->tables[0];
    }

    name = jd->spec->table;
    kr_split(&name, &schema);
    kr_split(&schema, &rest);

    for (i = 0; i < jd->facts->ntables; i++) {
        if (kr_judge_is(&name, &schema, &jd->facts->tables[i],
                        kr_catalog_called(jd->sql, i)))
        {
            return &jd->facts->tables[i];
        }
    }

    items = kr_sql_items(jd->sql, &n);

    for (i = 0; i < n; i++) {
        if (schema.len == 0 && kr_same_folded(&name, &items[i])) {
            return &jd->facts->tables[0];
        }
    }

    return NULL;
}


static int
kr_judge_is(const kr_str_t *name, const kr_str_t *schema,
    const kr_table_t *t, const kr_str_t *called)
{
    if (kr_same_folded(name, &t->name)
        && (schema->len == 0 || kr_same_folded(schema, &t->schema)))
    {
        return 1;
    }

    return schema->len == 0 && kr_same_folded(name, called);
}


static int
kr_judge_field(kr_judge_t *jd)
{
    uint32_t                  type;
    kr_buf_t                  why;
    const kr_table_column_t  *c;

    c = jd->aim->field;
    type = kr_column_type(c);

    memset(&why, 0, sizeof(kr_buf_t));

    if (!kr_value_supported(type)
        || (c->fuzzy && !kr_op_supported(KR_CONTAINS, type)))
    {
        kr_buf_str(&why, ", which cannot be compared here");

    } else if (c->fuzzy) {
        kr_buf_str(&why, " with a nondeterministic collation, which cannot be "
                   "compared here");

    } else if (c->enumerated && kr_op_is_pattern(jd->aim->op)) {
        kr_buf_printf(&why, ": equality \"%s\" is for text, and this is an "
                      "enum", kr_op_name(jd->aim->op));

    } else {
        kr_buf_str(&why, ": ");

        if (kr_op_check(jd->aim->op, type, jd->spec->nvalues, &why)
            == KR_OK)
        {
            kr_buf_free(&why);
            return KR_OK;
        }
    }

    kr_buf_printf(jd->reason, "table_field \"%s\" %sof type %s",
                  c->name.data, why.len != 0 && *why.data == ':' ? "" : "is ",
                  c->type_name.data);
    kr_buf_append(jd->reason, why.data, why.len);
    kr_buf_free(&why);

    return KR_DECLINED;
}


uint32_t
kr_column_type(const kr_table_column_t *c)
{
    return c->enumerated ? KR_OID_TEXT : c->base;
}


/*
 * Row by row, the old row must tell the key, and whether it belonged to the
 * route; of a query that is run as a whole the latter alone, and of its
 * other tables only that there was a change; of all of them, if the field is
 * no table's.
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
    whole = (aim->table == NULL || aim->field->identity);

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
