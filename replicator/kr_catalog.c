/*
 * Questions to the catalog.  Those about the same table and functions that
 * come while one is under way share its answer.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_catalog.h"
#include "kr_hash.h"


#define KR_CATALOG_KEEP    2        /* seconds */
#define KR_CATALOG_VIEWS   1024     /* kept; beyond, an answer is not kept */


typedef struct kr_view_s  kr_view_t;


/* a question under way, or its answer */
struct kr_view_s {
    kr_job_t         job;
    kr_catalog_t    *catalog;
    kr_buf_t         key;         /* the parameters, a NUL between */
    kr_buf_t         schemas;
    kr_buf_t         names;
    kr_buf_t         table_name;
    kr_lookup_t     *lookups;
    kr_table_t      *table;       /* NULL: under way */
    struct event    *timer;       /* ends it */
    UT_hash_handle   hh;
};


struct kr_catalog_s {
    struct event_base  *base;
    kr_pool_t          *pool;
    kr_view_t          *views;
};


static void kr_view_done(kr_job_t *job);
static void kr_view_over(evutil_socket_t fd, short what, void *data);

static kr_view_t *kr_view_create(kr_catalog_t *ct, const kr_sql_t *sql);
static void kr_view_join(kr_view_t *v, kr_lookup_t *lk);
static void kr_view_replace(kr_view_t *old, kr_view_t *v);
static int kr_view_params(kr_view_t *v, const kr_sql_t *sql);
static void kr_view_run(kr_view_t *v);
static void kr_view_answer(kr_lookup_t *lookups, kr_table_t *t,
    const kr_job_t *job);
static void kr_view_free(kr_view_t *v);
static kr_table_t *kr_table_read(PGresult **results);
static kr_table_t *kr_table_alloc(PGresult **results, char **strings);
static void kr_table_columns(kr_table_t *t, const PGresult *res, char **p);
static void kr_table_functions(kr_table_t *t, const PGresult *res, char **p);
static void kr_table_string(kr_str_t *s, const PGresult *res, int row,
    int column, char **p);
static int kr_table_true(const PGresult *res, int row, int column);


static const char  kr_catalog_relation[] =
    "SELECT n.nspname, c.relname, c.relkind, c.relpersistence,"
    " pg_catalog.has_any_column_privilege(c.oid, 'SELECT'),"
    " EXISTS (SELECT FROM pg_catalog.pg_inherits i"
    "         WHERE i.inhparent = c.oid)"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = pg_catalog.to_regclass($1)";


static const char  kr_catalog_columns[] =
    "SELECT a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, -1),"
    " a.attnotnull AND EXISTS (SELECT FROM pg_catalog.pg_index i"
    "   WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid"
    "   AND i.indpred IS NULL AND i.indnkeyatts = 1"
    "   AND i.indkey[0] = a.attnum),"
    " c.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index i"
    "   WHERE i.indrelid = c.oid"
    "   AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])"
    "   AND CASE c.relreplident WHEN 'd' THEN i.indisprimary"
    "       WHEN 'i' THEN i.indisreplident ELSE false END),"
    " COALESCE((SELECT NOT l.collisdeterministic"
    "   FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), false)"
    " FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " WHERE c.oid = pg_catalog.to_regclass($1)"
    " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";


/* every function of the name counts: which one is meant is not resolved */
static const char  kr_catalog_functions[] =
    "SELECT f.name, bool_or(p.provolatile = 'v'), bool_or(p.prokind <> 'f'),"
    " bool_or(p.proretset)"
    " FROM unnest($1::text[], $2::text[]) AS f(schema, name)"
    " JOIN pg_catalog.pg_proc p ON p.proname = f.name"
    " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " WHERE f.schema = n.nspname"
    " OR (f.schema = '' AND pg_catalog.pg_function_is_visible(p.oid))"
    " GROUP BY f.name ORDER BY f.name";


kr_catalog_t *
kr_catalog_create(struct event_base *base, kr_pool_t *pool)
{
    kr_catalog_t  *ct;

    ct = calloc(1, sizeof(kr_catalog_t));

    if (ct != NULL) {
        ct->base = base;
        ct->pool = pool;
    }

    return ct;
}


void
kr_catalog_free(kr_catalog_t *ct)
{
    kr_view_t  *v, *next;

    HASH_ITER(hh, ct->views, v, next) {

        if (v->table == NULL) {
            kr_pool_cancel(ct->pool, &v->job);
        }

        HASH_DELETE(hh, ct->views, v);
        kr_view_free(v);
    }

    free(ct);
}


int
kr_catalog_look(kr_catalog_t *ct, kr_lookup_t *lk, const kr_sql_t *sql,
    int recent)
{
    kr_view_t  *v, *there;

    v = kr_view_create(ct, sql);
    if (v == NULL) {
        return KR_ERROR;
    }

    lk->table = NULL;
    lk->lost = 0;
    lk->message = NULL;

    HASH_FIND(hh, ct->views, v->key.data, v->key.len, there);

    if (there != NULL && (there->table == NULL || recent)) {
        kr_view_free(v);
        kr_view_join(there, lk);

        if (there->table != NULL) {
            event_active(there->timer, EV_TIMEOUT, 0);
        }

        return KR_OK;
    }

    if (there != NULL) {
        kr_view_replace(there, v);
    }

    HASH_ADD_KEYPTR(hh, ct->views, v->key.data, v->key.len, v);

    if (v->hh.tbl == NULL) {
        kr_view_answer(v->lookups, NULL, NULL);
        v->lookups = NULL;
        kr_view_free(v);
        return KR_ERROR;
    }

    kr_view_join(v, lk);
    kr_view_run(v);

    return KR_OK;
}


void
kr_catalog_cancel(kr_lookup_t *lk)
{
    kr_view_t  *v;

    v = lk->view;

    if (v != NULL) {
        DL_DELETE(v->lookups, lk);
        lk->view = NULL;
    }
}


void
kr_table_release(kr_table_t *t)
{
    if (t != NULL && --t->refs == 0) {
        free(t);
    }
}


static void
kr_view_done(kr_job_t *job)
{
    kr_view_t       *v;
    kr_table_t      *t;
    kr_lookup_t     *lookups;
    kr_catalog_t    *ct;
    struct timeval   tv;

    v = (kr_view_t *) job;
    ct = v->catalog;

    t = job->status == KR_JOB_DONE ? kr_table_read(job->results) : NULL;

    lookups = v->lookups;
    v->lookups = NULL;

    if (t != NULL && HASH_COUNT(ct->views) <= KR_CATALOG_VIEWS) {
        t->refs++;
        v->table = t;

        tv.tv_sec = KR_CATALOG_KEEP;
        tv.tv_usec = 0;
        event_add(v->timer, &tv);

        kr_view_answer(lookups, t, job);

    } else {
        HASH_DELETE(hh, ct->views, v);
        kr_view_answer(lookups, t, job);
        kr_view_free(v);
    }

    kr_table_release(t);
}


/* Those who came for a kept answer get it; without any its time is over. */
static void
kr_view_over(evutil_socket_t fd, short what, void *data)
{
    kr_view_t    *v;
    kr_table_t   *t;
    kr_lookup_t  *lookups;

    (void) fd;
    (void) what;

    v = data;
    lookups = v->lookups;

    HASH_DELETE(hh, v->catalog->views, v);

    t = v->table;
    t->refs++;

    v->lookups = NULL;
    kr_view_free(v);

    kr_view_answer(lookups, t, NULL);
    kr_table_release(t);
}


static kr_view_t *
kr_view_create(kr_catalog_t *ct, const kr_sql_t *sql)
{
    kr_view_t  *v;

    v = calloc(1, sizeof(kr_view_t));
    if (v == NULL) {
        return NULL;
    }

    v->catalog = ct;
    v->timer = event_new(ct->base, -1, 0, kr_view_over, v);

    if (v->timer == NULL || kr_view_params(v, sql) != KR_OK) {
        kr_view_free(v);
        return NULL;
    }

    return v;
}


static void
kr_view_join(kr_view_t *v, kr_lookup_t *lk)
{
    lk->view = v;
    DL_APPEND(v->lookups, lk);
}


/* An answer that is too old: who waits for it gets the new one. */
static void
kr_view_replace(kr_view_t *old, kr_view_t *v)
{
    kr_lookup_t  *lk;

    while (old->lookups != NULL) {
        lk = old->lookups;
        kr_catalog_cancel(lk);
        kr_view_join(v, lk);
    }

    HASH_DELETE(hh, old->catalog->views, old);
    kr_view_free(old);
}


static int
kr_view_params(kr_view_t *v, const kr_sql_t *sql)
{
    size_t                    i, n;
    kr_str_t                 *s;
    const kr_sql_table_t     *t;
    const kr_sql_function_t  *f;

    t = kr_sql_tables(sql, &n);

    if (t[0].schema.len != 0) {
        kr_buf_ident(&v->table_name, t[0].schema.data, t[0].schema.len);
        kr_buf_str(&v->table_name, ".");
    }

    kr_buf_ident(&v->table_name, t[0].name.data, t[0].name.len);

    f = kr_sql_functions(sql, &n);

    s = malloc((n + 1) * sizeof(kr_str_t));
    if (s == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < n; i++) {
        s[i] = f[i].schema;
    }

    kr_array_literal(&v->schemas, s, n);

    for (i = 0; i < n; i++) {
        s[i] = f[i].name;
    }

    kr_array_literal(&v->names, s, n);

    free(s);

    kr_buf_append(&v->key, v->table_name.data, v->table_name.len + 1);
    kr_buf_append(&v->key, v->schemas.data, v->schemas.len + 1);
    kr_buf_append(&v->key, v->names.data, v->names.len + 1);

    if (v->table_name.failed || v->schemas.failed || v->names.failed
        || v->key.failed)
    {
        return KR_ERROR;
    }

    return KR_OK;
}


static void
kr_view_run(kr_view_t *v)
{
    kr_job_t  *job;

    job = &v->job;

    job->statements[0].sql = kr_catalog_relation;
    job->statements[0].nparams = 1;
    job->statements[0].params[0] = v->table_name.data;

    job->statements[1].sql = kr_catalog_columns;
    job->statements[1].nparams = 1;
    job->statements[1].params[0] = v->table_name.data;

    job->statements[2].sql = kr_catalog_functions;
    job->statements[2].nparams = 2;
    job->statements[2].params[0] = v->schemas.data;
    job->statements[2].params[1] = v->names.data;

    job->nstatements = 3;
    job->transaction = 1;
    job->done = kr_view_done;

    kr_pool_run(v->catalog->pool, job);
}


/*
 * done() of one may cancel another of them (a socket goes with all that it
 * asked): cancelled ones are in a list that has its head here.
 */
static void
kr_view_answer(kr_lookup_t *lookups, kr_table_t *t, const kr_job_t *job)
{
    kr_view_t     held;
    kr_lookup_t  *lk;

    memset(&held, 0, sizeof(kr_view_t));
    held.lookups = lookups;

    DL_FOREACH(lookups, lk) {
        lk->view = &held;
    }

    while (held.lookups != NULL) {
        lk = held.lookups;
        kr_catalog_cancel(lk);

        if (t != NULL) {
            t->refs++;
            lk->table = t;

        } else if (job == NULL || job->status == KR_JOB_DONE) {
            lk->message = "no memory";

        } else {
            lk->lost = job->status == KR_JOB_LOST;
            lk->message = job->message;
        }

        lk->done(lk);
    }
}


static void
kr_view_free(kr_view_t *v)
{
    if (v->timer != NULL) {
        event_free(v->timer);
    }

    kr_table_release(v->table);

    kr_buf_free(&v->key);
    kr_buf_free(&v->schemas);
    kr_buf_free(&v->names);
    kr_buf_free(&v->table_name);
    free(v);
}


static kr_table_t *
kr_table_read(PGresult **results)
{
    char        *p;
    kr_table_t  *t;

    t = kr_table_alloc(results, &p);
    if (t == NULL) {
        return NULL;
    }

    t->refs = 1;

    if (PQntuples(results[0]) == 1) {
        t->exists = 1;
        kr_table_string(&t->schema, results[0], 0, 0, &p);
        kr_table_string(&t->name, results[0], 0, 1, &p);
        t->kind = *PQgetvalue(results[0], 0, 2);
        t->persistence = *PQgetvalue(results[0], 0, 3);
        t->readable = kr_table_true(results[0], 0, 4);
        t->parent = kr_table_true(results[0], 0, 5);
    }

    kr_table_columns(t, results[1], &p);
    kr_table_functions(t, results[2], &p);

    return t;
}


/* One piece of memory for the table, its arrays and its strings. */
static kr_table_t *
kr_table_alloc(PGresult **results, char **strings)
{
    int          i, row, column;
    size_t       size, columns, functions;
    kr_table_t  *t;

    columns = (size_t) PQntuples(results[1]) * sizeof(kr_table_column_t);
    functions = (size_t) PQntuples(results[2]) * sizeof(kr_table_function_t);

    size = 0;

    for (i = 0; i < 3; i++) {
        for (row = 0; row < PQntuples(results[i]); row++) {
            for (column = 0; column < PQnfields(results[i]); column++) {
                size += (size_t) PQgetlength(results[i], row, column) + 1;
            }
        }
    }

    t = calloc(1, sizeof(kr_table_t) + columns + functions + size);
    if (t == NULL) {
        return NULL;
    }

    t->columns = (kr_table_column_t *) (t + 1);
    t->functions = (kr_table_function_t *) ((char *) t->columns + columns);
    *strings = (char *) t->functions + functions;

    return t;
}


static void
kr_table_columns(kr_table_t *t, const PGresult *res, char **p)
{
    int                 row;
    kr_table_column_t  *c;

    for (row = 0; row < PQntuples(res); row++) {
        c = &t->columns[t->ncolumns++];

        kr_table_string(&c->name, res, row, 0, p);
        c->type = (uint32_t) strtoul(PQgetvalue(res, row, 1), NULL, 10);
        kr_table_string(&c->type_name, res, row, 2, p);
        c->key = kr_table_true(res, row, 3);
        c->identity = kr_table_true(res, row, 4);
        c->fuzzy = kr_table_true(res, row, 5);
    }
}


static void
kr_table_functions(kr_table_t *t, const PGresult *res, char **p)
{
    int                   row;
    kr_table_function_t  *f;

    for (row = 0; row < PQntuples(res); row++) {
        f = &t->functions[t->nfunctions++];

        kr_table_string(&f->name, res, row, 0, p);
        f->is_volatile = kr_table_true(res, row, 1);
        f->aggregate = kr_table_true(res, row, 2);
        f->set = kr_table_true(res, row, 3);
    }
}


static void
kr_table_string(kr_str_t *s, const PGresult *res, int row, int column,
    char **p)
{
    s->len = (size_t) PQgetlength(res, row, column);
    s->data = *p;

    memcpy(*p, PQgetvalue(res, row, column), s->len + 1);
    *p += s->len + 1;
}


static int
kr_table_true(const PGresult *res, int row, int column)
{
    return *PQgetvalue(res, row, column) == 't';
}
