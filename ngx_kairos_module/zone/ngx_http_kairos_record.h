/*
 * A record of the ring: a message of some kind as it lies in shared memory.
 * The functions do arithmetic on bytes alone; ngx_http_kairos_ring_write.c
 * decides who writes when.
 *
 * Positions count bytes from the birth of the zone and never wrap; a
 * position's offset in memory is its remainder by the ring's size.  Records
 * begin at multiples of NGX_HTTP_KAIROS_RECORD_ALIGN and may wrap around the
 * end of the memory.
 */

#ifndef _NGX_HTTP_KAIROS_RECORD_H_INCLUDED_
#define _NGX_HTTP_KAIROS_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_message.h"


#define NGX_HTTP_KAIROS_RECORD_ALIGN  16

/* a record counts the bytes of its topic, and of its event, in one byte */
#define NGX_HTTP_KAIROS_RECORD_NAME   255


/*
 * The kind of a record.  New kinds are added at the end: a reader skips and
 * counts a record of an unknown kind.
 */
typedef enum {
    NGX_HTTP_KAIROS_RECORD_BROADCAST = 0,  /* for the members of the topic */
    NGX_HTTP_KAIROS_RECORD_SLOT_DIED       /* payload: a ..._record_died_t */
} ngx_http_kairos_record_kind_e;


/* the payload of NGX_HTTP_KAIROS_RECORD_SLOT_DIED; no topic, no event */
typedef struct {
    uint64_t    slot;         /* its number in the zone, from 0 */
    uint64_t    pid;          /* of the worker that died */
} ngx_http_kairos_record_died_t;


/* the head of a record; the bytes of topic, event and payload follow */
typedef struct {
    uint32_t    size;         /* of the whole record, aligned */
    uint32_t    payload;
    u_char      topic;
    u_char      event;
    u_char      binary;
    u_char      kind;
    u_char      reserved[4];
} ngx_http_kairos_record_t;


/*
 * Bytes that the message takes in the ring.  0: no ring can hold the message
 * (a name above NGX_HTTP_KAIROS_RECORD_NAME, a payload of 4 GB).
 */
size_t ngx_http_kairos_record_size(const ngx_http_kairos_message_t *m);

/*
 * Writes the message at the position.  len is what record_size() returned for
 * the message, and not 0.
 */
void ngx_http_kairos_record_write(u_char *ring, size_t size, uint64_t pos,
    ngx_http_kairos_record_kind_e kind, const ngx_http_kairos_message_t *m,
    size_t len);

/*
 * Copies len bytes at the position.  While a writer writes there the copy is
 * garbage: the caller finds that from the positions, afterwards.
 */
void ngx_http_kairos_record_copy(u_char *dst, const u_char *ring, size_t size,
    uint64_t pos, size_t len);

/*
 * Reads a copied record; slices of *m point into it.  *kind may be one that
 * this program does not know.  NGX_ERROR: the parts do not fill len.
 */
ngx_int_t ngx_http_kairos_record_parse(u_char *data, size_t len,
    ngx_uint_t *kind, ngx_http_kairos_message_t *m);


#endif /* _NGX_HTTP_KAIROS_RECORD_H_INCLUDED_ */
