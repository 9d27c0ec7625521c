/*
 * uthash without its exit(): without memory the element is not added, and its
 * hh.tbl is NULL.
 */

#ifndef _KR_HASH_H_INCLUDED_
#define _KR_HASH_H_INCLUDED_


#define HASH_NONFATAL_OOM  1
#define uthash_nonfatal_oom(elt)  (void) (elt)

#include <uthash.h>
#include <utlist.h>


#endif /* _KR_HASH_H_INCLUDED_ */
