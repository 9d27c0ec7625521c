#include <stdlib.h>
#include <string.h>

#include "kr_alter.h"
#include "kr_log.h"
#include "kr_owner.h"


struct kr_alters_s {
    kr_job_t          job;
    kr_pool_t        *pool;
    kr_registry_t    *registry;
    kr_changes_t     *changes;
    struct event     *timer;
    kr_relation_t    *asked;       /* those of the question */
    size_t            nasked;
    size_t            skip;        /* of the tables, those asked before */
    kr_buf_t          names;       /* what asked points into */
    kr_buf_t          schemas;     /* the parameters */
    kr_buf_t          tables;
    unsigned          running:1;   /* the job is the pool's */
};


static void kr_alter_timer(evutil_socket_t fd, short what, void *data);
static void kr_alter_done(kr_job_t *job);

static int kr_alter_gather(kr_alters_t *al);
static int kr_alter_params(kr_alters_t *al);
static void kr_alter_look(kr_alters_t *al, const kr_relation_t *table,
    const char *now);
static int kr_alter_rewritten(const char *line, const char *now);
static int kr_alter_same(const char *one, const char *two, unsigned n);
static const char *kr_alter_line(const char *p, size_t *len);
static int kr_alter_has(const char *lines, const char *line, size_t len);


/*
 * A table's shape, line by line: its oid, "c" and a column for each, "k" and
 * the columns of each key, as kr_catalog_ask.c finds them, "p" and a partition
 * for each, near and far.  A partition that was made as one and one that was
 * attached differ in whether its columns are of the same transaction as its
 * place.  "w" is for kr_alter_rewritten().
 */
static const char  kr_alter_shapes[] =
    "SELECT (SELECT 't ' || c.oid || E'\\n'"
    "  || COALESCE((SELECT pg_catalog.string_agg('c ' || a.attnum || ' '"
    "       || a.atttypid || ' ' || a.atttypmod || ' ' || a.attcollation"
    "       || ' ' || pg_catalog.quote_ident(a.attname)"
    "       || E'\\n', '' ORDER BY a.attnum)"
    "       || 'w ' || c.relfilenode || ' ' || pg_catalog.count(*)"
    "       || ' ' || pg_catalog.sum(a.xmin::text::bigint) || E'\\n'"
    "     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid"
    "     AND a.attnum > 0 AND NOT a.attisdropped), '')"
    "  || COALESCE((SELECT pg_catalog.string_agg(k.line, '' ORDER BY k.line)"
    "     FROM (SELECT DISTINCT 'k ' || (SELECT pg_catalog.string_agg("
    "        a.attnum::text, ' ' ORDER BY a.attnum)"
    "       FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND"
    "       a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))"
    "       || E'\\n' AS line"
    "      FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
    "      AND i.indisunique AND i.indisvalid AND i.indimmediate"
    "      AND i.indpred IS NULL AND i.indexprs IS NULL"
    "      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute o"
    "       WHERE o.attrelid = c.oid AND NOT o.attnotnull AND"
    "       o.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))) k),"
    "     '')"
    "  || COALESCE((WITH RECURSIVE p(relid) AS ("
    "       SELECT h.inhrelid FROM pg_catalog.pg_inherits h"
    "       WHERE h.inhparent = c.oid AND c.relkind = 'p'"
    "       UNION ALL SELECT h.inhrelid FROM p"
    "       JOIN pg_catalog.pg_inherits h ON h.inhparent = p.relid)"
    "     SELECT pg_catalog.string_agg('p ' || i.inhrelid"
    "       || CASE WHEN s.xmin = i.xmin THEN '' ELSE ' attached' END"
    "       || E'\\n', '' ORDER BY i.inhrelid)"
    "     FROM p JOIN pg_catalog.pg_inherits i ON i.inhrelid = p.relid"
    "     JOIN pg_catalog.pg_attribute s ON s.attrelid = p.relid"
    "       AND s.attname = 'tableoid' AND s.attnum < 0), '')"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = t.s AND c.relname = t.r)"
    " FROM ROWS FROM (pg_catalog.unnest($1::text[]),"
    " pg_catalog.unnest($2::text[])) WITH ORDINALITY AS t(s, r, n)"
    " ORDER BY t.n";


kr_alters_t *
kr_alters_create(struct event_base *base, kr_pool_t *pool,
    kr_registry_t *reg, kr_changes_t *cs)
{
    kr_alters_t     *al;
    struct timeval   tv;

    al = calloc(1, sizeof(kr_alters_t));
    if (al == NULL) {
        return NULL;
    }

    al->pool = pool;
    al->registry = reg;
    al->changes = cs;
    al->timer = event_new(base, -1, EV_PERSIST, kr_alter_timer, al);

    tv.tv_sec = KR_ALTER_EVERY;
    tv.tv_usec = 0;

    if (al->timer == NULL || event_add(al->timer, &tv) != 0) {
        kr_alters_free(al);
        return NULL;
    }

    return al;
}


void
kr_alters_free(kr_alters_t *al)
{
    if (al->running) {
        kr_pool_cancel(al->pool, &al->job);
    }

    if (al->timer != NULL) {
        event_free(al->timer);
    }

    kr_buf_free(&al->names);
    kr_buf_free(&al->schemas);
    kr_buf_free(&al->tables);
    free(al->asked);
    free(al);
}


const char *
kr_alter_judge(const char *before, const char *now)
{
    size_t       len;
    const char  *p, *line;

    if (now == NULL) {
        return "the table was dropped or renamed: subscribe again";
    }

    if (strcmp(before, now) == 0) {
        return NULL;
    }

    for (p = before; *p != '\0'; p = line + len + 1) {
        line = kr_alter_line(p, &len);

        if (kr_alter_has(now, line, len)) {
            continue;
        }

        switch (*line) {

        case 't':
            return "the table was dropped and made anew: subscribe again";

        case 'w':
            if (kr_alter_rewritten(line, now)) {
                return "the table was altered: subscribe again";
            }

            break;

        case 'k':
            return "a key of the table was dropped: subscribe again";

        case 'p':
            return "a partition was detached or dropped: subscribe again";

        default: /* c */
            return "the table was altered: subscribe again";
        }
    }

    /* a column, a key, or an empty partition, that came changes nothing */

    for (p = now; *p != '\0'; p = line + len + 1) {
        line = kr_alter_line(p, &len);

        if (*line == 'p' && len > 9
            && memcmp(line + len - 9, " attached", 9) == 0
            && !kr_alter_has(before, line, len))
        {
            return "a partition was attached: subscribe again";
        }
    }

    return NULL;
}


static void
kr_alter_timer(evutil_socket_t fd, short what, void *data)
{
    kr_job_t     *job;
    kr_alters_t  *al;

    (void) fd;
    (void) what;

    al = data;

    if (al->running || al->registry->watched == NULL) {
        return;
    }

    if (kr_alter_gather(al) != KR_OK || kr_alter_params(al) != KR_OK) {
        kr_log(KR_LOG_ERR, "no memory to look for altered tables");
        return;
    }

    job = &al->job;

    kr_job_begin(job, KR_JOB_ALONE, kr_alter_done);
    kr_job_query(job, kr_alter_shapes);
    kr_job_param(job, al->schemas.data);
    kr_job_param(job, al->tables.data);

    al->running = 1;
    kr_pool_run(al->pool, job);
}


static void
kr_alter_done(kr_job_t *job)
{
    int              row;
    kr_alters_t     *al;
    const PGresult  *res;

    al = kr_owner(job, kr_alters_t, job);
    al->running = 0;

    /* whatever it was, it is asked again soon */

    if (job->status == KR_JOB_FAILED) {
        kr_log(KR_LOG_ERR, "could not look for altered tables: %s",
               kr_job_error(job));
    }

    if (job->status != KR_JOB_DONE) {
        return;
    }

    res = job->results[0];

    for (row = 0; row < PQntuples(res) && (size_t) row < al->nasked; row++) {
        kr_alter_look(al, &al->asked[row],
                      PQgetisnull(res, row, 0) ? NULL
                                               : PQgetvalue(res, row, 0));
    }
}


/* Copies the names of the next tables in turn. */
static int
kr_alter_gather(kr_alters_t *al)
{
    size_t               i, n;
    kr_watched_table_t  *wt;

    n = HASH_COUNT(al->registry->watched);
    al->skip = al->skip < n ? al->skip : 0;

    if (al->asked == NULL) {
        al->asked = calloc(KR_ALTER_MAX, sizeof(kr_relation_t));
        if (al->asked == NULL) {
            return KR_ERROR;
        }
    }

    i = 0;
    al->nasked = 0;
    kr_buf_reset(&al->names);

    for (wt = al->registry->watched; wt != NULL; wt = wt->hh.next) {

        if (i++ < al->skip) {
            continue;
        }

        if (al->nasked == KR_ALTER_MAX) {
            break;
        }

        kr_buf_append(&al->names, wt->name, wt->name_len);
        al->asked[al->nasked++] = wt->table;
    }

    al->skip += al->nasked;

    return al->names.failed ? KR_ERROR : KR_OK;
}


static int
kr_alter_params(kr_alters_t *al)
{
    size_t       i;
    kr_str_t    *s;
    const char  *p;

    p = al->names.data;
    s = malloc((al->nasked + 1) * sizeof(kr_str_t));

    if (s == NULL) {
        return KR_ERROR;
    }

    for (i = 0; i < al->nasked; i++) {
        al->asked[i].schema.data = p;
        p += al->asked[i].schema.len + 1;
        al->asked[i].name.data = p;
        p += al->asked[i].name.len + 1;

        s[i] = al->asked[i].schema;
    }

    kr_buf_reset(&al->schemas);
    kr_buf_array(&al->schemas, s, al->nasked);

    for (i = 0; i < al->nasked; i++) {
        s[i] = al->asked[i].name;
    }

    kr_buf_reset(&al->tables);
    kr_buf_array(&al->tables, s, al->nasked);

    free(s);

    return al->schemas.failed || al->tables.failed ? KR_ERROR : KR_OK;
}


static void
kr_alter_look(kr_alters_t *al, const kr_relation_t *table, const char *now)
{
    char                *copy;
    const char          *reason;
    kr_watched_table_t  *wt;

    wt = kr_watched_table_find(al->registry, table);

    if (wt == NULL) {
        return;
    }

    reason = NULL;

    if (wt->shape != NULL || now == NULL) {
        reason = kr_alter_judge(wt->shape == NULL ? "" : wt->shape, now);
    }

    if (reason != NULL) {
        /* the subject goes with the last of its routes */

        if (kr_changes_reset_table(al->changes, table, reason)
            != KR_OK) {
            kr_log(KR_LOG_ERR, "no memory to reset the routes of a table");
        }

        return;
    }

    if (now != NULL
        && (wt->shape == NULL || strcmp(wt->shape, now) != 0))
    {
        copy = strdup(now);

        if (copy != NULL) {
            free(wt->shape);
            wt->shape = copy;
        }
    }
}


/*
 * Whether there is another file, and the same columns, of which one was
 * touched: ALTER TABLE ... TYPE ... USING, also where the type is the same.
 * Other files alone are those of VACUUM FULL and TRUNCATE, other columns
 * alone of what does not change rows.
 */
static int
kr_alter_rewritten(const char *line, const char *now)
{
    size_t  len;

    while (*now != '\0' && *now != 'w') {
        now = kr_alter_line(now, &len) + len + 1;
    }

    return *now == 'w' && !kr_alter_same(line, now, 1)
           && kr_alter_same(line, now, 2) && !kr_alter_same(line, now, 3);
}


/* Whether the two lines have the same word at this place. */
static int
kr_alter_same(const char *one, const char *two, unsigned n)
{
    size_t  len;

    for (/* void */; n > 0; n--) {
        one += strcspn(one, " \n");
        one += (*one == ' ');
        two += strcspn(two, " \n");
        two += (*two == ' ');
    }

    len = strcspn(one, " \n");

    return len == strcspn(two, " \n") && memcmp(one, two, len) == 0;
}


static const char *
kr_alter_line(const char *p, size_t *len)
{
    *len = strcspn(p, "\n");

    return p;
}


/* Whether one of the lines is this one; every line ends in a newline. */
static int
kr_alter_has(const char *lines, const char *line, size_t len)
{
    size_t       n;
    const char  *p;

    for (p = lines; *p != '\0'; p += n + 1) {
        n = strcspn(p, "\n");

        if (n == len && memcmp(p, line, len) == 0) {
            return 1;
        }
    }

    return 0;
}
