/*
 * The feed's frames: encode, incremental decode.
 *
 * kairos_feed_layouts has the fields of each type; the three functions walk
 * that table and name no type.
 */

#include <string.h>

#include "kairos_feed.h"


#define KAIROS_FEED_MAX_FIELDS  5

#define kairos_feed_field(kind, name)                                        \
    { kind, offsetof(kairos_feed_frame_t, name) }


typedef enum {
    KAIROS_FEED_U8 = 1,
    KAIROS_FEED_U32,
    KAIROS_FEED_U64,
    KAIROS_FEED_STRING,
    KAIROS_FEED_POSITION
} kairos_feed_kind_e;


typedef struct {
    uint8_t               kind;     /* 0: behind the last field */
    uint16_t              offset;   /* in kairos_feed_frame_t */
} kairos_feed_field_t;


/* type repeats the row's own index; 0: no type has this number */
typedef struct {
    uint8_t               type;
    kairos_feed_field_t   fields[KAIROS_FEED_MAX_FIELDS];
} kairos_feed_layout_t;


/* the bytes still to decode; pos is NULL after a field that did not fit */
typedef struct {
    const unsigned char  *pos;
    const unsigned char  *last;
} kairos_feed_reader_t;


static const kairos_feed_layout_t *kairos_feed_layout(uint8_t type);
static size_t kairos_feed_field_size(const kairos_feed_frame_t *f,
    const kairos_feed_field_t *field);
static unsigned char *kairos_feed_put_field(unsigned char *p,
    const kairos_feed_frame_t *f, const kairos_feed_field_t *field);
static void kairos_feed_get_field(kairos_feed_reader_t *rd,
    kairos_feed_frame_t *f, const kairos_feed_field_t *field);
static unsigned char *kairos_feed_put(unsigned char *p, uint64_t value,
    size_t width);
static uint64_t kairos_feed_get(kairos_feed_reader_t *rd, size_t width);
static void kairos_feed_get_string(kairos_feed_reader_t *rd,
    kairos_slice_t *s);


static const kairos_feed_layout_t  kairos_feed_layouts[] = {

    [KAIROS_FEED_HELLO] = { KAIROS_FEED_HELLO, {
        kairos_feed_field(KAIROS_FEED_U32, version),
        kairos_feed_field(KAIROS_FEED_U32, pid),
        kairos_feed_field(KAIROS_FEED_U32, workers),
        kairos_feed_field(KAIROS_FEED_U64, instance),
        kairos_feed_field(KAIROS_FEED_STRING, zone) } },

    [KAIROS_FEED_SUBSCRIBE] = { KAIROS_FEED_SUBSCRIBE, {
        kairos_feed_field(KAIROS_FEED_U64, req),
        kairos_feed_field(KAIROS_FEED_U64, socket),
        kairos_feed_field(KAIROS_FEED_STRING, spec),
        kairos_feed_field(KAIROS_FEED_STRING, claims) } },

    [KAIROS_FEED_JOIN] = { KAIROS_FEED_JOIN, {
        kairos_feed_field(KAIROS_FEED_U64, req),
        kairos_feed_field(KAIROS_FEED_U64, socket),
        kairos_feed_field(KAIROS_FEED_U64, client),
        kairos_feed_field(KAIROS_FEED_STRING, topic) } },

    [KAIROS_FEED_LEAVE] = { KAIROS_FEED_LEAVE, {
        kairos_feed_field(KAIROS_FEED_U64, socket),
        kairos_feed_field(KAIROS_FEED_U64, client),
        kairos_feed_field(KAIROS_FEED_U8, lost),
        kairos_feed_field(KAIROS_FEED_STRING, topic) } },

    [KAIROS_FEED_GONE] = { KAIROS_FEED_GONE, {
        kairos_feed_field(KAIROS_FEED_U64, socket) } },

    [KAIROS_FEED_RESUME] = { KAIROS_FEED_RESUME, {
        kairos_feed_field(KAIROS_FEED_U32, members),
        kairos_feed_field(KAIROS_FEED_STRING, topic),
        kairos_feed_field(KAIROS_FEED_STRING, spec),
        kairos_feed_field(KAIROS_FEED_POSITION, position) } },

    [KAIROS_FEED_READY] = { KAIROS_FEED_READY, { { 0, 0 } } },

    [KAIROS_FEED_WELCOME] = { KAIROS_FEED_WELCOME, {
        kairos_feed_field(KAIROS_FEED_U32, version),
        kairos_feed_field(KAIROS_FEED_U64, epoch) } },

    [KAIROS_FEED_REPLY] = { KAIROS_FEED_REPLY, {
        kairos_feed_field(KAIROS_FEED_U64, req),
        kairos_feed_field(KAIROS_FEED_U8, status),
        kairos_feed_field(KAIROS_FEED_STRING, payload) } },

    [KAIROS_FEED_JOINED] = { KAIROS_FEED_JOINED, {
        kairos_feed_field(KAIROS_FEED_U64, req),
        kairos_feed_field(KAIROS_FEED_STRING, topic),
        kairos_feed_field(KAIROS_FEED_STRING, spec),
        kairos_feed_field(KAIROS_FEED_POSITION, position) } },

    [KAIROS_FEED_EVENT] = { KAIROS_FEED_EVENT, {
        kairos_feed_field(KAIROS_FEED_STRING, topic),
        kairos_feed_field(KAIROS_FEED_STRING, event),
        kairos_feed_field(KAIROS_FEED_STRING, payload),
        kairos_feed_field(KAIROS_FEED_POSITION, position) } },

    [KAIROS_FEED_EVENT_TO] = { KAIROS_FEED_EVENT_TO, {
        kairos_feed_field(KAIROS_FEED_U64, socket),
        kairos_feed_field(KAIROS_FEED_STRING, topic),
        kairos_feed_field(KAIROS_FEED_STRING, event),
        kairos_feed_field(KAIROS_FEED_STRING, payload),
        kairos_feed_field(KAIROS_FEED_POSITION, position) } },

    [KAIROS_FEED_RESET] = { KAIROS_FEED_RESET, {
        kairos_feed_field(KAIROS_FEED_STRING, topic),
        kairos_feed_field(KAIROS_FEED_STRING, reason) } }
};


/* by kind; a string's bytes follow its fixed part */
static const size_t  kairos_feed_widths[] = {
    [KAIROS_FEED_U8] = 1,
    [KAIROS_FEED_U32] = 4,
    [KAIROS_FEED_U64] = 8,
    [KAIROS_FEED_STRING] = 4,
    [KAIROS_FEED_POSITION] = 20
};


size_t
kairos_feed_size(const kairos_feed_frame_t *f)
{
    size_t                       i, size, len;
    const kairos_feed_layout_t  *layout;

    layout = kairos_feed_layout(f->type);
    if (layout == NULL) {
        return 0;
    }

    size = KAIROS_FEED_HEADER;

    for (i = 0; i < KAIROS_FEED_MAX_FIELDS && layout->fields[i].kind; i++) {
        len = kairos_feed_field_size(f, &layout->fields[i]);

        if (len > KAIROS_FEED_MAX - size) {
            return 0;
        }

        size += len;
    }

    return size;
}


unsigned char *
kairos_feed_encode(unsigned char *p, const kairos_feed_frame_t *f)
{
    size_t                       i;
    unsigned char               *start;
    const kairos_feed_layout_t  *layout;

    layout = kairos_feed_layout(f->type);
    if (layout == NULL) {
        return p;
    }

    start = p;
    p += 4;
    *p++ = f->type;

    for (i = 0; i < KAIROS_FEED_MAX_FIELDS && layout->fields[i].kind; i++) {
        p = kairos_feed_put_field(p, f, &layout->fields[i]);
    }

    (void) kairos_feed_put(start, (uint64_t) (p - start - 4), 4);

    return p;
}


/*
 * A frame's size and type are checked as soon as they have arrived: a peer
 * with another protocol gets an ERROR without a wait for bytes that may not
 * come.
 */
int
kairos_feed_decode(const unsigned char *data, size_t len,
    kairos_feed_frame_t *f, size_t *used)
{
    size_t                       i;
    uint64_t                     size;
    kairos_feed_reader_t         rd;
    const kairos_feed_layout_t  *layout;

    *used = 0;

    if (len < 4) {
        return KAIROS_FEED_AGAIN;
    }

    rd.pos = data;
    rd.last = data + len;

    size = kairos_feed_get(&rd, 4) + 4;

    if (size < KAIROS_FEED_HEADER || size > KAIROS_FEED_MAX) {
        return KAIROS_FEED_ERROR;
    }

    layout = (len > 4) ? kairos_feed_layout(data[4]) : NULL;

    if (len > 4 && layout == NULL) {
        return KAIROS_FEED_ERROR;
    }

    if (len < size) {
        *used = (size_t) size;
        return KAIROS_FEED_AGAIN;
    }

    memset(f, 0, sizeof(kairos_feed_frame_t));

    f->type = layout->type;

    rd.pos = data + KAIROS_FEED_HEADER;
    rd.last = data + size;

    for (i = 0; i < KAIROS_FEED_MAX_FIELDS && layout->fields[i].kind; i++) {
        kairos_feed_get_field(&rd, f, &layout->fields[i]);
    }

    if (rd.pos != rd.last) {
        return KAIROS_FEED_ERROR;
    }

    *used = (size_t) size;

    return KAIROS_FEED_OK;
}


/* The row of this type, or NULL: no such type. */
static const kairos_feed_layout_t *
kairos_feed_layout(uint8_t type)
{
    size_t  n;

    n = sizeof(kairos_feed_layouts) / sizeof(kairos_feed_layouts[0]);

    if (type >= n || type == 0 || kairos_feed_layouts[type].type != type) {
        return NULL;
    }

    return &kairos_feed_layouts[type];
}


/*
 * Bytes of one field.  A string that no frame can hold counts as one byte
 * more than the largest frame: the sum cannot wrap.
 */
static size_t
kairos_feed_field_size(const kairos_feed_frame_t *f,
    const kairos_feed_field_t *field)
{
    const void            *src;
    const kairos_slice_t  *s;

    if (field->kind != KAIROS_FEED_STRING) {
        return kairos_feed_widths[field->kind];
    }

    src = (const char *) f + field->offset;
    s = src;

    if (s->len > KAIROS_FEED_MAX - 4) {
        return KAIROS_FEED_MAX + 1;
    }

    return kairos_feed_widths[field->kind] + s->len;
}


static unsigned char *
kairos_feed_put_field(unsigned char *p, const kairos_feed_frame_t *f,
    const kairos_feed_field_t *field)
{
    const void               *src;
    const kairos_slice_t     *s;
    const kairos_position_t  *position;

    src = (const char *) f + field->offset;

    switch (field->kind) {

    case KAIROS_FEED_U8:
        return kairos_feed_put(p, *(const uint8_t *) src, 1);

    case KAIROS_FEED_U32:
        return kairos_feed_put(p, *(const uint32_t *) src, 4);

    case KAIROS_FEED_U64:
        return kairos_feed_put(p, *(const uint64_t *) src, 8);

    case KAIROS_FEED_STRING:
        s = src;
        p = kairos_feed_put(p, s->len, 4);

        if (s->len == 0) {
            return p;
        }

        memcpy(p, s->data, s->len);
        return p + s->len;

    default: /* KAIROS_FEED_POSITION */
        position = src;
        p = kairos_feed_put(p, position->epoch, 8);
        p = kairos_feed_put(p, position->lsn, 8);
        return kairos_feed_put(p, position->n, 4);
    }
}


static void
kairos_feed_get_field(kairos_feed_reader_t *rd, kairos_feed_frame_t *f,
    const kairos_feed_field_t *field)
{
    void               *dst;
    kairos_position_t  *position;

    dst = (char *) f + field->offset;

    switch (field->kind) {

    case KAIROS_FEED_U8:
        *(uint8_t *) dst = (uint8_t) kairos_feed_get(rd, 1);
        break;

    case KAIROS_FEED_U32:
        *(uint32_t *) dst = (uint32_t) kairos_feed_get(rd, 4);
        break;

    case KAIROS_FEED_U64:
        *(uint64_t *) dst = kairos_feed_get(rd, 8);
        break;

    case KAIROS_FEED_STRING:
        kairos_feed_get_string(rd, dst);
        break;

    default: /* KAIROS_FEED_POSITION */
        position = dst;
        position->epoch = kairos_feed_get(rd, 8);
        position->lsn = kairos_feed_get(rd, 8);
        position->n = (uint32_t) kairos_feed_get(rd, 4);
        break;
    }
}


/* Writes the low width bytes of value, big-endian; returns their end. */
static unsigned char *
kairos_feed_put(unsigned char *p, uint64_t value, size_t width)
{
    size_t  i;

    for (i = width; i > 0; i--) {
        p[i - 1] = (unsigned char) value;
        value >>= 8;
    }

    return p + width;
}


/* Reads width bytes, big-endian; 0, and a NULL pos, if they are not there. */
static uint64_t
kairos_feed_get(kairos_feed_reader_t *rd, size_t width)
{
    uint64_t  value;

    if (rd->pos == NULL || (size_t) (rd->last - rd->pos) < width) {
        rd->pos = NULL;
        return 0;
    }

    value = 0;

    while (width--) {
        value = value << 8 | *rd->pos++;
    }

    return value;
}


static void
kairos_feed_get_string(kairos_feed_reader_t *rd, kairos_slice_t *s)
{
    size_t  len;

    len = (size_t) kairos_feed_get(rd, 4);

    if (rd->pos == NULL || (size_t) (rd->last - rd->pos) < len) {
        rd->pos = NULL;
        return;
    }

    s->len = len;
    s->data = rd->pos;

    rd->pos += len;
}
