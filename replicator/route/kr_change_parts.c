/*
 * Changes of partitions, which routes of the partitioned table want.  Which
 * tables are parts of it was asked when the route was made; a table that was
 * not heard of is asked about once, and its changes wait for the answer.
 *
 * They are then out of their order.  What the last change of a row was, and
 * so whether the row is there, is not known: it is fetched.
 */

#include <stdlib.h>
#include <string.h>

#include "kr_changes_private.h"
#include "kr_clock.h"
#include "kr_log.h"
#include "kr_loop.h"
#include "kr_owner.h"
#include "kr_retry.h"


#define KR_PROBE_AGAIN      10000    /* ms; a table that is part of none may
                                        have become one by ATTACH PARTITION */
#define KR_PROBE_UNIT       256      /* bytes that count as one of the load */


typedef struct kr_delayed_s  kr_delayed_t;


/* a change that waits, with all that it points to */
struct kr_delayed_s {
    kr_delayed_t       *next;
    kr_txn_t           *txn;         /* held */
    long                load;
    kr_change_t         change;
    kr_column_t         columns[];   /* and those of the identity, and the
                                        strings */
};


/* a question about a table */
struct kr_probe_s {
    kr_job_t            job;
    kr_changes_t       *changes;
    kr_probe_t         *prev;
    kr_probe_t         *next;
    kr_relation_t       table;
    kr_buf_t            names;       /* the table's, the parameters */
    kr_delayed_t       *first;
    kr_delayed_t      **last;
    struct event       *timer;
    unsigned            running:1;   /* the job is the pool's */
    unsigned            known:1;     /* it was part of none */
    unsigned            attached:1;  /* and may have had rows then */
};


static void kr_probe_done(kr_job_t *job);
static void kr_probe_timer(evutil_socket_t fd, short what, void *data);

static int kr_probe_delay(kr_probe_t *pr, const kr_change_t *c,
    kr_txn_t *txn);
static kr_delayed_t *kr_delayed_create(const kr_change_t *c);
static size_t kr_delayed_size(const kr_change_t *c);
static void kr_delayed_columns(kr_column_t *to, const kr_column_t *from,
    size_t n, char **p);
static void kr_delayed_string(kr_str_t *to, const kr_str_t *from, char **p);
static void kr_delayed_free(kr_changes_t *cs, kr_delayed_t *d);
static kr_probe_t *kr_probe_find(kr_changes_t *cs,
    const kr_relation_t *table);
static kr_probe_t *kr_probe_create(kr_changes_t *cs,
    const kr_relation_t *table);
static void kr_probe_run(kr_probe_t *pr);
static int kr_probe_learn(kr_probe_t *pr, int *grown);
static int kr_probe_read(kr_probe_t *pr, kr_relation_t *parents, int *grown);
static int kr_probe_replay(kr_probe_t *pr, int grown);
static int kr_probe_failed(kr_probe_t *pr);
static void kr_probe_retry(kr_probe_t *pr);
static void kr_probe_free(kr_probe_t *pr);
static int kr_probe_leaf(kr_changes_t *cs, const kr_change_t *c,
    kr_txn_t *txn, const kr_leaf_t *leaf, int late);


/* attached: as kr_table_shape.h has it */
static const char  kr_probe_parents[] =
    "WITH RECURSIVE up(oid, attached) AS ("
    " SELECT i.inhparent, s.xmin <> i.xmin FROM pg_catalog.pg_inherits i"
    " JOIN pg_catalog.pg_attribute s ON s.attrelid = i.inhrelid"
    "  AND s.attname = 'tableoid' AND s.attnum < 0"
    " WHERE i.inhrelid = (SELECT c.oid FROM pg_catalog.pg_class c"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = $1 AND c.relname = $2)"
    " UNION SELECT i.inhparent, up.attached OR s.xmin <> i.xmin"
    " FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid"
    " JOIN pg_catalog.pg_attribute s ON s.attrelid = i.inhrelid"
    "  AND s.attname = 'tableoid' AND s.attnum < 0)"
    " SELECT n.nspname, c.relname, up.attached FROM up"
    " JOIN pg_catalog.pg_class c ON c.oid = up.oid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";


int
kr_changes_parents(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn)
{
    kr_leaf_t      *leaf;
    kr_probe_t     *pr;
    kr_relation_t   table;

    table.schema = c->schema;
    table.name = c->table;

    pr = kr_probe_find(cs, &table);

    if (pr != NULL) {
        return kr_probe_delay(pr, c, txn);
    }

    leaf = kr_leaf_find(cs->routes->registry, &table);

    if (leaf != NULL && leaf->nparents != 0) {
        return kr_probe_leaf(cs, c, txn, leaf, 0);
    }

    if (leaf != NULL && kr_now() - leaf->checked_ms < KR_PROBE_AGAIN) {
        return KR_OK;
    }

    pr = kr_probe_create(cs, &table);
    if (pr == NULL) {
        return KR_ERROR;
    }

    pr->known = leaf != NULL;

    if (kr_probe_delay(pr, c, txn) != KR_OK) {
        kr_probe_free(pr);
        return KR_ERROR;
    }

    kr_probe_run(pr);

    return KR_OK;
}


void
kr_probes_free(kr_changes_t *cs)
{
    while (cs->probes != NULL) {
        kr_probe_free(cs->probes);
    }
}


static void
kr_probe_done(kr_job_t *job)
{
    int            rc, grown;
    kr_probe_t    *pr;
    kr_changes_t  *cs;

    pr = kr_owner(job, kr_probe_t, job);
    cs = pr->changes;
    pr->running = 0;
    grown = 0;

    rc = kr_job_outcome(job);

    if (rc == KR_AGAIN) {
        kr_probe_retry(pr);
        return;
    }

    if (rc != KR_OK) {
        rc = kr_probe_failed(pr);

    } else {
        rc = kr_probe_learn(pr, &grown);

        if (rc == KR_OK) {
            rc = kr_probe_replay(pr, grown);
        }
    }

    if (rc != KR_OK) {
        kr_no_memory("a change");
    }

    kr_probe_free(pr);

    kr_changes_run_resets(cs);
    kr_changes_commit(cs);
}


static void
kr_probe_timer(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;

    kr_probe_run(data);
}


static int
kr_probe_delay(kr_probe_t *pr, const kr_change_t *c, kr_txn_t *txn)
{
    kr_delayed_t  *d;

    d = kr_delayed_create(c);
    if (d == NULL) {
        return KR_ERROR;
    }

    d->txn = kr_txn_hold(txn);
    kr_changes_load(pr->changes, d->load);

    *pr->last = d;
    pr->last = &d->next;

    return KR_OK;
}


static kr_delayed_t *
kr_delayed_create(const kr_change_t *c)
{
    char          *p;
    size_t         size, columns;
    kr_delayed_t  *d;

    columns = (c->ncolumns + c->nidentity) * sizeof(kr_column_t);
    size = sizeof(kr_delayed_t) + columns + kr_delayed_size(c);

    d = malloc(size);
    if (d == NULL) {
        return NULL;
    }

    d->next = NULL;
    d->load = 1 + (long) (size / KR_PROBE_UNIT);

    d->change = *c;
    d->change.columns = d->columns;
    d->change.identity = d->columns + c->ncolumns;

    p = (char *) d->columns + columns;

    kr_delayed_string(&d->change.schema, &c->schema, &p);
    kr_delayed_string(&d->change.table, &c->table, &p);
    kr_delayed_columns(d->change.columns, c->columns, c->ncolumns, &p);
    kr_delayed_columns(d->change.identity, c->identity, c->nidentity, &p);

    return d;
}


static size_t
kr_delayed_size(const kr_change_t *c)
{
    size_t  i, size;

    size = c->schema.len + c->table.len;

    for (i = 0; i < c->ncolumns; i++) {
        size += c->columns[i].name.len + c->columns[i].value.len;
    }

    for (i = 0; i < c->nidentity; i++) {
        size += c->identity[i].name.len + c->identity[i].value.len;
    }

    return size;
}


static void
kr_delayed_columns(kr_column_t *to, const kr_column_t *from, size_t n,
    char **p)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        to[i] = from[i];
        kr_delayed_string(&to[i].name, &from[i].name, p);
        kr_delayed_string(&to[i].value, &from[i].value, p);
    }
}


static void
kr_delayed_string(kr_str_t *to, const kr_str_t *from, char **p)
{
    if (from->len != 0) {
        memcpy(*p, from->data, from->len);
    }

    to->data = *p;
    to->len = from->len;
    *p += from->len;
}


static void
kr_delayed_free(kr_changes_t *cs, kr_delayed_t *d)
{
    kr_changes_load(cs, -d->load);
    kr_txn_release(d->txn);
    free(d);
}


static kr_probe_t *
kr_probe_find(kr_changes_t *cs, const kr_relation_t *table)
{
    kr_probe_t  *pr;

    DL_FOREACH(cs->probes, pr) {
        if (pr->table.schema.len == table->schema.len
            && pr->table.name.len == table->name.len
            && memcmp(pr->table.schema.data, table->schema.data,
                      table->schema.len) == 0
            && memcmp(pr->table.name.data, table->name.data,
                      table->name.len) == 0)
        {
            return pr;
        }
    }

    return NULL;
}


static kr_probe_t *
kr_probe_create(kr_changes_t *cs, const kr_relation_t *table)
{
    kr_probe_t  *pr;

    pr = calloc(1, sizeof(kr_probe_t));
    if (pr == NULL) {
        return NULL;
    }

    pr->changes = cs;
    pr->last = &pr->first;
    DL_APPEND(cs->probes, pr);

    kr_buf_append(&pr->names, table->schema.data, table->schema.len);
    kr_buf_append(&pr->names, "", 1);
    kr_buf_append(&pr->names, table->name.data, table->name.len);

    pr->timer = event_new(cs->base, -1, 0, kr_probe_timer, pr);

    if (pr->names.failed || pr->timer == NULL) {
        kr_probe_free(pr);
        return NULL;
    }

    pr->table.schema.data = pr->names.data;
    pr->table.schema.len = table->schema.len;
    pr->table.name.data = pr->names.data + table->schema.len + 1;
    pr->table.name.len = table->name.len;

    return pr;
}


static void
kr_probe_run(kr_probe_t *pr)
{
    kr_job_t  *job;

    job = &pr->job;

    kr_job_begin(job, KR_JOB_ALONE, kr_probe_done);
    kr_job_query(job, kr_probe_parents);
    kr_job_param(job, pr->table.schema.data);
    kr_job_param(job, pr->table.name.data);

    pr->running = 1;
    kr_pool_run(pr->changes->pool, job);
}


/* *grown: it is a part of a table that routes read, which was not known. */
static int
kr_probe_learn(kr_probe_t *pr, int *grown)
{
    int             rc, n;
    kr_relation_t  *parents;

    n = PQntuples(pr->job.results[0]);

    parents = malloc((size_t) (n + 1) * sizeof(kr_relation_t));
    if (parents == NULL) {
        return KR_ERROR;
    }

    rc = kr_probe_read(pr, parents, grown);
    free(parents);

    return rc;
}


static int
kr_probe_read(kr_probe_t *pr, kr_relation_t *parents, int *grown)
{
    int              i, n;
    const PGresult  *res;

    res = pr->job.results[0];
    n = PQntuples(res);

    for (i = 0; i < n; i++) {
        parents[i].schema.data = PQgetvalue(res, i, 0);
        parents[i].schema.len = (size_t) PQgetlength(res, i, 0);
        parents[i].name.data = PQgetvalue(res, i, 1);
        parents[i].name.len = (size_t) PQgetlength(res, i, 1);

        pr->attached |= *PQgetvalue(res, i, 2) == 't';
    }

    return kr_leaf_learn(pr->changes->routes->registry, &pr->table, parents,
                         (size_t) n, kr_now(), grown);
}


/*
 * The changes that waited.  A table that was part of none, and now is, was
 * attached, with rows that no change tells of; so was one that the routes had
 * not heard of, if it was not made as a part.
 */
static int
kr_probe_replay(kr_probe_t *pr, int grown)
{
    int            rc;
    size_t         i;
    kr_leaf_t     *leaf;
    kr_changes_t  *cs;
    kr_delayed_t  *d;

    cs = pr->changes;
    rc = KR_OK;

    leaf = kr_leaf_find(cs->routes->registry, &pr->table);

    if (leaf == NULL) {
        return KR_OK;
    }

    if (grown && (pr->known || pr->attached)) {

        for (i = 0; i < leaf->nparents && rc == KR_OK; i++) {
            rc = kr_changes_reset_table_later(cs, &leaf->parents[i]->table,
                                              "a partition was attached:"
                                              " subscribe again");
        }

        return rc;
    }

    for (d = pr->first; d != NULL && rc == KR_OK; d = d->next) {
        rc = kr_probe_leaf(cs, &d->change, d->txn, leaf, 1);
    }

    return rc;
}


/* It may be a part of any: whoever reads a partitioned table is told. */
static int
kr_probe_failed(kr_probe_t *pr)
{
    int           rc;
    kr_parent_t  *pt;

    kr_log(KR_LOG_ERR, "could not ask what table %s.%s is a part of: %s",
           pr->table.schema.data, pr->table.name.data,
           kr_job_error(&pr->job));

    rc = KR_OK;
    pt = pr->changes->routes->registry->parents;

    for ( /* void */ ; pt != NULL && rc == KR_OK; pt = pt->hh.next) {
        rc = kr_changes_reset_table_later(pr->changes, &pt->table,
                                          "it is not known which tables are"
                                          " parts of it: subscribe again");
    }

    return rc;
}


static void
kr_probe_retry(kr_probe_t *pr)
{
    if (pr->job.status == KR_JOB_LOST) {
        kr_stream_renew(pr->changes->routes->stream,
                        "the catalog cannot be asked");
    }

    kr_loop_timer(pr->timer, kr_retry_next(&pr->job.wait_ms, &kr_retry_lost));
}


static void
kr_probe_free(kr_probe_t *pr)
{
    kr_changes_t  *cs;
    kr_delayed_t  *d;

    cs = pr->changes;

    if (pr->running) {
        kr_pool_cancel(cs->pool, &pr->job);
    }

    while (pr->first != NULL) {
        d = pr->first;
        pr->first = d->next;
        kr_delayed_free(cs, d);
    }

    if (pr->timer != NULL) {
        event_free(pr->timer);
    }

    DL_DELETE(cs->probes, pr);
    kr_buf_free(&pr->names);
    free(pr);
}


/* As a change of each table that the leaf is a part of. */
static int
kr_probe_leaf(kr_changes_t *cs, const kr_change_t *c, kr_txn_t *txn,
    const kr_leaf_t *leaf, int late)
{
    int          rc;
    size_t       i;
    kr_change_t  whole;

    rc = KR_OK;
    whole = *c;

    for (i = 0; i < leaf->nparents && rc == KR_OK; i++) {
        whole.schema = leaf->parents[i]->table.schema;
        whole.table = leaf->parents[i]->table.name;

        rc = kr_changes_table(cs, &whole, txn, late);
    }

    return rc;
}
