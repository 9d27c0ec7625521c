/*
 * What kr_core.c (the parts and the workers) and kr_core_stream.c (what comes
 * from the stream) share; no other file includes it.
 */

#ifndef _KR_CORE_PRIVATE_H_INCLUDED_
#define _KR_CORE_PRIVATE_H_INCLUDED_


#include "kr_alter.h"
#include "kr_changes.h"
#include "kr_core.h"
#include "kr_fetch.h"
#include "kr_rerun.h"
#include "kr_subscribe.h"


typedef struct kr_absent_s  kr_absent_t;


/*
 * A worker that had members when its connection was lost.  The events that it
 * missed are in the backlogs, but the backlogs end with this process.  Until
 * the worker is back or expires, no later transaction is confirmed, so that
 * the next process would read these changes again.
 */
struct kr_absent_s {
    kr_absent_t      *prev;
    kr_absent_t      *next;
    uint64_t          instance;
    uint32_t          pid;
    uint64_t          expires_ms;
    kr_txn_t         *barrier;
};


struct kr_core_s {
    kr_routes_t           routes;
    kr_txns_t             txns;
    kr_registry_t        *registry;
    kr_changes_t         *changes;
    kr_reruns_t          *reruns;
    kr_fetch_t           *fetch;
    kr_alters_t          *alters;
    kr_subscribes_t      *subscribes;
    kr_absent_t          *absent;
    unsigned              nabsent;

    struct event_base    *base;
    const kr_config_t    *cf;
    kr_pool_t            *pool;
    kr_stream_t          *stream;

    struct event         *sweep;
    struct event         *wait;       /* for the workers to register */

    unsigned              met:1;      /* a worker came */
    unsigned              waited:1;
    unsigned              started:1;
    unsigned              renewed:1;  /* the stream, as the pool is down */
    unsigned              dropping:1; /* a transaction that came before */
    unsigned              noted:1;    /* the open transaction has DDL */
};


#endif /* _KR_CORE_PRIVATE_H_INCLUDED_ */
