/*
 * What the files of --check share.  Nobody else includes this.
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
    kr_pg_t             pg;       /* of the queries */
    kr_pg_t             stream;   /* closed: not there */

    kr_buf_t            text;     /* of the line that is being written */
    kr_buf_t            fix;      /* what the reader can do; may be empty */
    kr_buf_t            role;     /* its name, as SQL writes it */

    int                 faults;
    unsigned            logical:1;    /* wal_level */
    unsigned            slot:1;       /* exists, and is ours to use */
    unsigned            busy:1;       /* is read by somebody */
} kr_check_t;


/* kr_check_report.c: writes a finding, text and fix, and empties both. */
void kr_check_say(kr_check_t *ck, kr_verdict_e verdict);

/* Runs a query.  NULL: it failed or has no row, which was said as a fault. */
PGresult *kr_check_query(kr_check_t *ck, const char *what, const char *sql,
    const char *param);

/* Each says what it finds.  KR_ERROR: the rest cannot be looked at. */
int kr_check_server(kr_check_t *ck);
void kr_check_slot(kr_check_t *ck);
void kr_check_plugin(kr_check_t *ck);
void kr_check_tables(kr_check_t *ck);
void kr_check_clock(kr_check_t *ck);
void kr_check_socket(kr_check_t *ck);


#endif /* _KR_CHECK_PRIVATE_H_INCLUDED_ */
