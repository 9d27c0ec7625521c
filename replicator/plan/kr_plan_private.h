/*
 * What the kr_plan_*.c files share; no other file includes it.
 */

#ifndef _KR_PLAN_PRIVATE_H_INCLUDED_
#define _KR_PLAN_PRIVATE_H_INCLUDED_


#include "kr_plan_make.h"


/* a kr_plan_make() under way */
typedef struct {
    kr_plan_t    *plan;
    kr_buf_t     *reason;
    kr_buf_t      text;          /* of the string that is being made */
    unsigned      unnamed:1;     /* the result lacks a column of the key: it
                                    is one row, and needs none */
} kr_plan_maker_t;


/* The functions below return KR_OK, KR_DECLINED with a reason, KR_ERROR. */

/*
 * kr_plan_key.c: def.key, of the table's key, or of the columns of the result
 * that the client names.
 */
int kr_plan_key(kr_plan_maker_t *mk);

/*
 * kr_plan_spec.c: def.spec, from which a plan of_route makes the same route.
 * The rest of def is there.
 */
int kr_plan_spec(kr_plan_maker_t *mk);

/* Appends the plan's field as a client may name it, all of it in quotes. */
void kr_plan_field(const kr_plan_t *pl, kr_buf_t *b);


#endif /* _KR_PLAN_PRIVATE_H_INCLUDED_ */
