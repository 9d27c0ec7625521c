/*
 * kairos-replicator --check: whether all that is needed is there, in plain
 * words, with the statement that fixes what is not.
 */

#ifndef _KR_CHECK_H_INCLUDED_
#define _KR_CHECK_H_INCLUDED_


#include "kr_config.h"


/*
 * Connects as the program would, writes what it found to stdout, and changes
 * nothing: the slot that it tries wal2json with is temporary.  Waits for
 * PostgreSQL, within bounds.  KR_OK: no fault; KR_ERROR: there are some.
 */
int kr_check(const kr_config_t *cf);


#endif /* _KR_CHECK_H_INCLUDED_ */
