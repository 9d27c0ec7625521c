/*
 * The feed: the frames that an nginx worker and kairos-replicator exchange
 * over a stream socket of the Unix domain.
 *
 * A frame is   u32 length | u8 type | fields   where length counts the type
 * and the fields.  Integers are big-endian.  A string is u32 length | bytes.
 * One table in kairos_feed.c has the fields of each type, in their order;
 * docs/protocol.md prints that table for readers.
 *
 * libc only: this file is compiled into both programs.
 */

#ifndef _KAIROS_FEED_H_INCLUDED_
#define _KAIROS_FEED_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define KAIROS_FEED_VERSION      1
#define KAIROS_FEED_HEADER       5
#define KAIROS_FEED_MAX          (64u * 1024 * 1024)   /* a whole frame */

/* results of decode */
#define KAIROS_FEED_OK           0
#define KAIROS_FEED_AGAIN       -1   /* the frame is not complete yet */
#define KAIROS_FEED_ERROR       -2   /* not a frame of this protocol: close */


typedef enum {
    /* worker -> replicator */

    /*
     * The first frame of a connection.  instance names this nginx (one shared
     * zone: the same number in every worker and across reloads).  workers is
     * the number of its worker processes: a restarted replicator waits for so
     * many before it reads the slot.
     */
    KAIROS_FEED_HELLO = 1,        /* version pid workers instance zone */

    /*
     * A client's "subscribe" push.  spec is the push's payload, JSON,
     * unchanged; claims the verified token's claims, JSON, or empty.  Answered
     * by exactly one REPLY with the same req.
     */
    KAIROS_FEED_SUBSCRIBE = 2,    /* req socket spec claims */

    /*
     * A client's phx_join of a route topic.  Answered by exactly one JOINED
     * or REPLY (status error) with the same req.  A JOINED socket counts as
     * a member from then on, until its LEAVE.
     */
    KAIROS_FEED_JOIN = 3,         /* req socket client topic */

    /*
     * A member left.  lost is 1 if its connection was lost (the client may
     * come back and join again without a subscribe), 0 if it sent phx_leave.
     */
    KAIROS_FEED_LEAVE = 4,        /* socket client lost topic */

    /* The socket is closed: its subscriptions that it did not join end. */
    KAIROS_FEED_GONE = 5,         /* socket */

    /*
     * After a reconnect: the worker has `members` members on this topic; spec
     * is JOINED's, position that of the last event that the worker delivered.
     */
    KAIROS_FEED_RESUME = 6,       /* members topic spec position */

    /* All RESUMEs of this connection were sent. */
    KAIROS_FEED_READY = 7,        /* - */

    /* replicator -> worker */

    KAIROS_FEED_WELCOME = 64,     /* version epoch */

    /*
     * The answer to SUBSCRIBE, or the refusal of a JOIN.  status is 0 for ok,
     * 1 for error; payload the "response" object of the phx_reply, JSON.
     */
    KAIROS_FEED_REPLY = 65,       /* req status payload */

    /*
     * The JOIN is accepted.  The events that the socket missed since its
     * snapshot follow as EVENT_TO frames before any further EVENT of this
     * topic.  spec is opaque to the worker, which sends it back in RESUME.
     * position is the topic's.  If EVENT_TO frames follow, position has no
     * epoch here and in each of these frames but the last: a worker resumes
     * from the position of the last frame that it got, and the replicator
     * answers a position without an epoch by RESET.
     */
    KAIROS_FEED_JOINED = 66,      /* req topic spec position */

    /* An event for every member of the topic. */
    KAIROS_FEED_EVENT = 67,       /* topic event payload position */

    /* An event for one member of the topic. */
    KAIROS_FEED_EVENT_TO = 68,    /* socket topic event payload position */

    /*
     * This route cannot be served without a gap: the worker sends phx_error to
     * each member and frees the topic.  reason is a sentence for a developer.
     */
    KAIROS_FEED_RESET = 69        /* topic reason */
} kairos_feed_type_e;


typedef struct {
    size_t                len;
    const unsigned char  *data;
} kairos_slice_t;


/* an event's position in the stream of its database */
typedef struct {
    uint64_t              epoch;    /* changes when positions lose meaning */
    uint64_t              lsn;      /* end of the commit record */
    uint32_t              n;        /* number within that commit */
} kairos_position_t;


/* all fields of all types; the fields that a type lacks are ignored */
typedef struct {
    uint8_t               type;
    uint8_t               status;
    uint8_t               lost;
    uint32_t              version;
    uint32_t              pid;
    uint32_t              workers;
    uint32_t              members;
    uint64_t              instance;
    uint64_t              epoch;
    uint64_t              req;
    uint64_t              socket;
    uint64_t              client;   /* the client number: the same when the
                                       client reconnects */
    kairos_slice_t        zone;
    kairos_slice_t        topic;
    kairos_slice_t        event;
    kairos_slice_t        spec;
    kairos_slice_t        claims;
    kairos_slice_t        payload;
    kairos_slice_t        reason;
    kairos_position_t     position;
} kairos_feed_frame_t;


/*
 * The number of bytes that kairos_feed_encode() writes for this frame, header
 * included; 0 if the type is unknown or the frame would pass KAIROS_FEED_MAX.
 */
size_t kairos_feed_size(const kairos_feed_frame_t *f);

/*
 * Writes the frame at p, which has room for kairos_feed_size() bytes (not 0);
 * returns the end of the frame.  A slice of length 0 may have a NULL data.
 */
unsigned char *kairos_feed_encode(unsigned char *p,
    const kairos_feed_frame_t *f);

/*
 * Decodes one frame from the len bytes at data.  OK: *f is filled (slices
 * point into data; fields that the type lacks are 0), *used is the frame's
 * size.  AGAIN: more bytes are needed; *used is the frame's size if its length
 * has arrived, else 0.  ERROR: unknown type, a size beyond KAIROS_FEED_MAX,
 * or fields that do not fill the frame exactly; *used is 0.
 * *f is undefined unless OK.
 */
int kairos_feed_decode(const unsigned char *data, size_t len,
    kairos_feed_frame_t *f, size_t *used);


#endif /* _KAIROS_FEED_H_INCLUDED_ */
