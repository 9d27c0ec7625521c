/*
 * Declarations that the kr_check*.c files share; only they include this.
 */

#ifndef _KR_CHECK_PRIVATE_H_INCLUDED_
#define _KR_CHECK_PRIVATE_H_INCLUDED_


#include <event2/event.h>
#include <libpq-fe.h>

#include "kr_buf.h"
#include "kr_check.h"
#include "kr_pg.h"


typedef enum {
    KR_CHECK_GOOD = 0,
    KR_CHECK_NOTE,        /* worth knowing; no fault */
    KR_CHECK_FAULT
} kr_verdict_e;


typedef struct {
    const kr_config_t  *cf;
    struct event_base  *base;     /* for kr_pg.c, while it connects */
    kr_pg_t             pg;       /* for queries */
    kr_pg_t             stream;   /* for replication; conn NULL: closed */

    kr_buf_t            text;     /* of the next finding */
    kr_buf_t            fix;      /* the remedy; may be empty */
    kr_buf_t            role;     /* the role's name, quoted */

    int                 faults;
    unsigned            logical:1;    /* wal_level is logical */
    unsigned            slot:1;       /* the slot exists and can be used */
    unsigned            busy:1;       /* a process reads the slot */
} kr_check_t;


/* kr_check_report.c: writes a finding, text and fix, and empties both. */
void kr_check_say(kr_check_t *ck, kr_verdict_e verdict);

/*
 * Runs a query; the caller clears the result.  NULL: the query failed or has
 * no row, and the fault was written.
 */
PGresult *kr_check_query(kr_check_t *ck, const char *what, const char *sql,
    const char *param);

/* Each writes its findings.  KR_ERROR: the other checks make no sense. */
int kr_check_server(kr_check_t *ck);
void kr_check_slot(kr_check_t *ck);
void kr_check_plugin(kr_check_t *ck);
void kr_check_tables(kr_check_t *ck);
void kr_check_ddl(kr_check_t *ck);
void kr_check_clock(kr_check_t *ck);
void kr_check_socket(kr_check_t *ck);


#endif /* _KR_CHECK_PRIVATE_H_INCLUDED_ */
