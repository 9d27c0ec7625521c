/*
 * The feed: the frames that an nginx worker and kairos-replicator exchange
 * over a stream socket of the Unix domain.
 *
 * A frame is   u32 length | u8 type | fields   where length counts the type
 * and the fields.  Integers are big-endian.  A string is u32 length | bytes.
 * Which fields a type carries, and in which order, is one table in
 * kairos_feed.c; docs/protocol.md prints it for readers.
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
     * zone: the same number in every worker and across reloads), workers is
     * how many worker processes it runs, so that a replicator which was
     * restarted knows for whom to wait before it reads the slot.
     */
    KAIROS_FEED_HELLO = 1,        /* version pid workers instance zone */

    /*
     * A client's "subscribe" push.  spec is the push's payload, JSON, as it
     * came; claims the verified token's claims, JSON, or empty.  Answered by
     * exactly one REPLY with the same req.
     */
    KAIROS_FEED_SUBSCRIBE = 2,    /* req socket spec claims */

    /*
     * A client's phx_join of a route topic.  Answered by exactly one JOINED
     * or REPLY (status error) with the same req.  A JOINED socket counts as
     * a member from then on, until its LEAVE.
     */
    KAIROS_FEED_JOIN = 3,         /* req socket client topic */

    /*
     * A member left.  lost is 1 if its connection was lost (it may come back
     * and join again without a subscribe), 0 if it said phx_leave.
     */
    KAIROS_FEED_LEAVE = 4,        /* socket client lost topic */

    /* The socket is closed: all that it subscribed and did not join ends. */
    KAIROS_FEED_GONE = 5,         /* socket */

    /*
     * After a reconnect: the worker has `members` members on this topic; spec
     * is what JOINED gave, position the last event that it delivered.
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
     * The JOIN is accepted.  What the socket missed since its snapshot
     * follows as EVENT_TO frames before any further EVENT of this topic.
     * spec is opaque to the worker, which gives it back in RESUME.  position
     * is that of the topic; while such frames are to follow, it has no epoch,
     * nor has that of any of them but the last: a worker resumes from the
     * position of the last frame that it got, and one without an epoch is
     * answered by RESET.
     */
    KAIROS_FEED_JOINED = 66,      /* req topic spec position */

    /* An event for every member of the topic. */
    KAIROS_FEED_EVENT = 67,       /* topic event payload position */

    /* An event for one member of the topic. */
    KAIROS_FEED_EVENT_TO = 68,    /* socket topic event payload position */

    /*
     * This route cannot be served without a gap: tell each member (phx_error)
     * and forget the topic.  reason is a sentence for a developer.
     */
    KAIROS_FEED_RESET = 69        /* topic reason */
} kairos_feed_type_e;


typedef struct {
    size_t                len;
    const unsigned char  *data;
} kairos_slice_t;


/* where an event stands in the stream of its database */
typedef struct {
    uint64_t              epoch;    /* changes when positions lose meaning */
    uint64_t              lsn;      /* end of the commit record */
    uint32_t              n;        /* number within that commit */
} kairos_position_t;


/* every field that a frame may carry; those not of its type are ignored */
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
    uint64_t              client;   /* who is behind the socket, as far as can
                                       be told: the same when it comes back */
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
 * Writes the frame, one that kairos_feed_size() does not give 0 for, at p,
 * which has room for that many bytes; returns the end of what was written.
 * A slice of length 0 may have a NULL data.
 */
unsigned char *kairos_feed_encode(unsigned char *p,
    const kairos_feed_frame_t *f);

/*
 * Decodes one frame from the len bytes at data.  OK: *f is filled (slices
 * point into data; fields not of its type are 0), *used is the frame's whole
 * size.  AGAIN: more bytes are needed; *used is the frame's whole size if its
 * length is there, else 0.  ERROR: unknown type, a size beyond
 * KAIROS_FEED_MAX, or fields that do not fill the frame exactly; *used is 0.
 * *f is undefined unless OK.
 */
int kairos_feed_decode(const unsigned char *data, size_t len,
    kairos_feed_frame_t *f, size_t *used);


#endif /* _KAIROS_FEED_H_INCLUDED_ */
