/*
 * --print-setup: SQL that an administrator may run once in a database, so that
 * the replicator notices DDL with the changes instead of by its sweep.
 */

#ifndef _KR_SETUP_H_INCLUDED_
#define _KR_SETUP_H_INCLUDED_


/* the event triggers that the SQL makes; --check looks for them */
#define KR_SETUP_ON_DDL    "kairos_ddl"
#define KR_SETUP_ON_DROP   "kairos_drop"


/* Prints the SQL to stdout. */
void kr_setup_print(void);


#endif /* _KR_SETUP_H_INCLUDED_ */
