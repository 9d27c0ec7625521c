/* sources: kr_match.c kr_match_index.c kr_match_hash.c kr_match_value.c */
/* sources: kr_match_pattern.c kr_match_search.c kr_match_predicate.c */
/* sources: kr_op.c kr_value.c kr_value_order.c kr_change.c kr_json.c */
/* sources: kr_value_number.c */
/* sources: kr_lsn.c kr_buf.c */
/* sources: kr_match_hit.c */

/*
 * Any predicates and any value: a byte of flags, one of the type, then lines,
 * of which the last is the value and each other that of a route, its first
 * byte the operator.  The index must find the routes whose predicate, asked
 * by itself, matches, and each once.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kr_match.h"
#include "kr_value.h"


#define ROUTES  64


struct kr_route_s {
    int               added;
    int               hits;
    kr_str_t          value;
    kr_predicate_t    p;
};


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint32_t  types[] = {
    16, 20, 21, 23, 25, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1700,
    2950, 114
};


static void
add(kr_match_t *m, kr_route_t *rt, const kr_str_t *name, uint32_t type,
    unsigned collation, kr_str_t *line)
{
    int  rc;

    rt->value.data = line->data + 1;
    rt->value.len = line->len - 1;

    rt->p.schema = *name;
    rt->p.table = *name;
    rt->p.column = *name;
    rt->p.type = type;
    rt->p.op = (kr_op_e) ((unsigned char) line->data[0] % (KR_ENDS_WITH + 1));
    rt->p.values = &rt->value;
    rt->p.nvalues = 1;
    rt->p.c_collation = collation;

    rc = kr_match_add(m, &rt->p, rt);

    if (rc == KR_ERROR
        || (rc == KR_OK && !kr_op_supported(rt->p.op, type)))
    {
        abort();
    }

    rt->added = (rc == KR_OK);
}


static void
check(kr_match_t *m, kr_route_t *routes, size_t n, kr_change_t *c)
{
    int                 known;
    long                i, nhits;
    size_t              k;
    kr_buf_t            key;
    kr_hit_t           *hits;
    const kr_column_t  *cl;

    memset(&key, 0, sizeof(key));
    cl = c->columns;
    known = kr_value_key(cl->type, cl->value.data, cl->value.len, &key)
            == KR_OK;
    kr_buf_free(&key);

    nhits = kr_match_change(m, c, &hits);

    for (i = 0; i < nhits; i++) {
        hits[i].route->hits++;

        if (!hits[i].new || hits[i].old || hits[i].blind != !known) {
            abort();
        }
    }

    for (k = 0; k < n; k++) {
        if (routes[k].hits != (routes[k].added && (!known
                               || kr_predicate_matches(&routes[k].p,
                                                       cl->value.data,
                                                       cl->value.len))))
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        n;
    uint32_t      type;
    kr_str_t      line;
    kr_match_t   *m;
    kr_route_t    routes[ROUTES];
    kr_change_t   c;
    kr_column_t   cl;
    const char   *p, *end, *s;

    static const kr_str_t  name = kr_str("x");

    if (size < 3) {
        return 0;
    }

    m = kr_match_create();
    if (m == NULL) {
        abort();
    }

    memset(routes, 0, sizeof(routes));
    memset(&c, 0, sizeof(c));
    memset(&cl, 0, sizeof(cl));

    type = types[data[1] % (sizeof(types) / sizeof(types[0]))];
    p = (const char *) data + 2;
    end = (const char *) data + size;

    for (n = 0; n < ROUTES; n++) {
        s = memchr(p, '\n', (size_t) (end - p));
        if (s == NULL) {
            break;
        }

        line.data = p;
        line.len = (size_t) (s - p);
        p = s + 1;

        if (line.len != 0) {
            add(m, &routes[n], &name, type, data[0] & 1, &line);
        }
    }

    cl.name = name;
    cl.type = type;
    cl.value.data = p;
    cl.value.len = (size_t) (end - p);

    c.action = KR_INSERT;
    c.schema = name;
    c.table = name;
    c.columns = &cl;
    c.ncolumns = 1;

    check(m, routes, n, &c);

    for (n = 0; n < ROUTES; n++) {
        if (routes[n].added && n % 2) {
            kr_match_remove(m, &routes[n].p, &routes[n]);
            routes[n].added = 0;
        }

        routes[n].hits = 0;
    }

    check(m, routes, ROUTES, &c);
    kr_match_free(m);

    return 0;
}
