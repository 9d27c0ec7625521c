/*
 * Predicates, changes and the routes that they touch, for the tests of the
 * index.  The file that includes this one defines struct kr_route_s.
 */

#ifndef _MATCH_CASES_H_INCLUDED_
#define _MATCH_CASES_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kr_match_private.h"


#define INT4     23
#define TEXT     25
#define FLOAT8   701
#define BPCHAR   1042
#define NUMERIC  1700


static inline kr_str_t
str(const char *text)
{
    kr_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


/* Whether the index has anything of this table. */
static inline int
indexed(const kr_match_t *m, const kr_str_t *schema, const kr_str_t *table)
{
    int       found;
    kr_buf_t  key;

    memset(&key, 0, sizeof(kr_buf_t));
    found = kr_match_find_table(m, schema, table, &key) != NULL;
    kr_buf_free(&key);

    return found;
}


static inline void
predicate(kr_predicate_t *p, const char *table, const char *column,
    uint32_t type, kr_str_t *values, size_t n)
{
    memset(p, 0, sizeof(kr_predicate_t));

    p->schema = str("public");
    p->table = str(table);
    p->column = str(column);
    p->type = type;
    p->op = KR_EQ;
    p->values = values;
    p->nvalues = n;
    p->c_collation = 1;
}


static inline kr_column_t
column(const char *name, uint32_t type, const char *value)
{
    kr_column_t  cl;

    cl.name = str(name);
    cl.type = type;
    cl.null = value == NULL;
    cl.value = value == NULL ? str("") : str(value);

    return cl;
}


static inline void
change(kr_change_t *c, kr_action_e action, kr_column_t *columns, size_t n,
    kr_column_t *identity, size_t nidentity)
{
    memset(c, 0, sizeof(kr_change_t));

    c->action = action;
    c->schema = str("public");
    c->table = str("posts");
    c->columns = columns;
    c->ncolumns = n;
    c->identity = identity;
    c->nidentity = nidentity;
}


/* What one change does to the one route: flags "onb", "" if it is no hit. */
static inline const char *
touched(kr_match_t *m, const kr_change_t *c, const kr_route_t *rt)
{
    long          n, i;
    kr_hit_t     *hits;

    static char   flags[5];
    char         *p;

    n = kr_match_change(m, c, &hits);
    assert_true(n >= 0);

    p = flags;

    for (i = 0; i < n; i++) {
        if (hits[i].route == rt) {
            assert_ptr_equal(p, flags);

            if (hits[i].old) {
                *p++ = 'o';
            }

            if (hits[i].new) {
                *p++ = 'n';
            }

            if (hits[i].blind) {
                *p++ = 'b';
            }

            if (hits[i].watch) {
                *p++ = 'w';
            }
        }
    }

    *p = '\0';

    return flags;
}


#endif /* _MATCH_CASES_H_INCLUDED_ */
