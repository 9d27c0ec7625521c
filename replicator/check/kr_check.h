/*
 * kairos-replicator --check: checks the database, the slot and the socket, and
 * prints the statement that corrects each fault.
 */

#ifndef _KR_CHECK_H_INCLUDED_
#define _KR_CHECK_H_INCLUDED_


#include "kr_config.h"


/*
 * Connects as the program would, writes its findings to stdout, and changes
 * nothing: the slot for the test of wal2json is temporary.  Waits for
 * PostgreSQL, within bounds.  KR_OK: no fault; KR_ERROR: faults were found.
 */
int kr_check(const kr_config_t *cf);


#endif /* _KR_CHECK_H_INCLUDED_ */
