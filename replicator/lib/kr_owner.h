/*
 * The way from a part to the struct that embeds it.
 */

#ifndef _KR_OWNER_H_INCLUDED_
#define _KR_OWNER_H_INCLUDED_


#include <stddef.h>


/* The struct of this type whose member p points to. */
#define kr_owner(p, type, member)                                             \
    ((type *) ((char *) (p) - offsetof(type, member)))


#endif /* _KR_OWNER_H_INCLUDED_ */
