/*
 * A template: the statements, the key and the plan of all routes that get
 * their rows by the same statements.
 */

#ifndef _KR_TEMPLATE_H_INCLUDED_
#define _KR_TEMPLATE_H_INCLUDED_


#include <stdint.h>

#include "kr_buf.h"
#include "kr_hash.h"
#include "kr_match.h"
#include "kr_plan_ops.h"


#define KR_KEY_MAX     4             /* columns of a key */
#define KR_KEY_MEMBER  "key"         /* of rows whose query lacks the key */


typedef struct kr_template_s  kr_template_t;

/* of kr_fetch_private.h; only its address is used here */
typedef struct kr_pending_s   kr_pending_t;


/* how the rows of a query hold a column of their key */
typedef enum {
    KR_KEY_VALUE = 0,                /* as to_json() prints the column */
    KR_KEY_TEXT,                     /* as to_json() prints column::text */
    KR_KEY_JSON                      /* the key's text is that JSON */
} kr_key_form_e;


/* the columns that name a row */
typedef struct {
    size_t            n;
    kr_str_t          names[KR_KEY_MAX];
    uint32_t          types[KR_KEY_MAX];     /* OIDs; of KR_KEY_JSON the
                                                result's */
    kr_key_form_e     forms[KR_KEY_MAX];
    unsigned          added:1;       /* the query lacks one of them: each row
                                        gets a member "key" */
} kr_key_columns_t;


struct kr_template_s {
    char                 *hash;      /* the key of reg->templates, hash_len
                                        bytes; owned */
    size_t                hash_len;
    kr_route_t           *routes;    /* the last one frees the template */
    const kr_plan_ops_t  *plan;
    unsigned              check:1;   /* see kr_route_def_t */
    unsigned              windowed:1;    /* snapshot and rerun differ */
    char                 *refetch;
    char                 *rerun;
    char                 *snapshot;
    kr_key_columns_t      key;
    kr_pending_t         *pending;   /* rows that wait for a refetch */
    uint64_t              oldest_lsn;    /* commit of the oldest change that
                                            waits for its refetch; UINT64_MAX:
                                            none */
    UT_hash_handle        hh;
};


#endif /* _KR_TEMPLATE_H_INCLUDED_ */
