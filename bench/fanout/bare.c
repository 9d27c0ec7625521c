/*
 * The floor to measure against: a loop around epoll that does nothing but
 * pass each frame on, with one write for each member.
 *
 *     bare PORT
 *
 * Whoever sends an HTTP request is answered with 101 and is a member.  The
 * first frame of a member is its join and gets a reply; each further one is
 * framed once and written to all.  It trusts its peer, knows no topics, and
 * checks nothing.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define BARE_MAX      65536       /* descriptors */
#define BARE_BUFFER   65536
#define BARE_EVENTS   512

#define BARE_SWITCH                                                          \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"             \
    "Connection: upgrade\r\n\r\n"

#define BARE_REPLY    "\x81\x02{}"


typedef enum {
    st_request = 0,
    st_join,
    st_member
} bare_state_e;


typedef struct {
    bare_state_e    state;
    size_t          len;          /* of in */
    unsigned char  *in;           /* what came of an unfinished frame */
} bare_conn_t;


typedef struct {
    int             epoll;
    int             listener;
    int             members[BARE_MAX];
    int             nmembers;
    bare_conn_t     conn[BARE_MAX];
    unsigned char   buffer[2 * BARE_BUFFER];
    unsigned char   frame[BARE_BUFFER + 4];
} bare_t;


static void bare_accept(bare_t *b);
static void bare_read(bare_t *b, int fd);
static size_t bare_take(bare_t *b, int fd, unsigned char *p, size_t len);
static void bare_pass_on(bare_t *b, const unsigned char *p, size_t len,
    const unsigned char *mask);
static void bare_write(int fd, const void *data, size_t len);
static void bare_close(bare_t *b, int fd);
static void die(const char *what) __attribute__((noreturn));


int
main(int argc, char **argv)
{
    int                  i, n;
    bare_t              *b;
    struct sockaddr_in   addr;
    struct epoll_event   ev, events[BARE_EVENTS];

    b = calloc(1, sizeof(bare_t));
    if (argc != 2 || b == NULL) {
        die("usage: bare PORT");
    }

    b->epoll = epoll_create1(0);
    b->listener = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons((uint16_t) atoi(argv[1]));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (b->epoll == -1 || b->listener == -1
        || bind(b->listener, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || listen(b->listener, 4096) == -1)
    {
        die("listen");
    }

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.fd = b->listener;

    if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->listener, &ev) == -1) {
        die("epoll_ctl");
    }

    for ( ;; ) {
        n = epoll_wait(b->epoll, events, BARE_EVENTS, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.fd == b->listener) {
                bare_accept(b);

            } else {
                bare_read(b, events[i].data.fd);
            }
        }
    }
}


static void
bare_accept(bare_t *b)
{
    int                 fd;
    struct epoll_event  ev;

    for ( ;; ) {
        fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK);

        if (fd == -1) {
            return;
        }

        if (fd >= BARE_MAX) {
            die("too many descriptors");
        }

        memset(&b->conn[fd], 0, sizeof(bare_conn_t));
        memset(&ev, 0, sizeof(ev));

        ev.events = EPOLLIN;
        ev.data.fd = fd;

        if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
            die("epoll_ctl");
        }
    }
}


static void
bare_read(bare_t *b, int fd)
{
    size_t          at, used, len;
    ssize_t         n;
    bare_conn_t    *c;

    c = &b->conn[fd];
    len = c->len;

    if (len) {
        memcpy(b->buffer, c->in, len);
        free(c->in);
        c->in = NULL;
        c->len = 0;
    }

    n = read(fd, b->buffer + len, sizeof(b->buffer) - len);

    if (n <= 0) {
        bare_close(b, fd);
        return;
    }

    len += (size_t) n;

    for (at = 0; at < len; at += used) {
        used = bare_take(b, fd, b->buffer + at, len - at);
        if (used == 0) {
            break;
        }
    }

    if (at == len) {
        return;
    }

    c->in = malloc(len - at);
    if (c->in == NULL) {
        die("malloc");
    }

    c->len = len - at;
    memcpy(c->in, b->buffer + at, c->len);
}


/*
 * Takes a request or a frame; returns its bytes, 0: it is not whole yet.
 */
static size_t
bare_take(bare_t *b, int fd, unsigned char *p, size_t len)
{
    size_t          size, head;
    bare_conn_t    *c;
    unsigned char  *end;

    c = &b->conn[fd];

    if (c->state == st_request) {
        end = memmem(p, len, "\r\n\r\n", 4);
        if (end == NULL) {
            return 0;
        }

        bare_write(fd, BARE_SWITCH, sizeof(BARE_SWITCH) - 1);
        c->state = st_join;

        return (size_t) (end - p) + 4;
    }

    if (len < 8) {
        return 0;
    }

    size = p[1] & 0x7f;
    head = 6;

    if (size == 126) {
        size = (size_t) p[2] << 8 | p[3];
        head = 8;
    }

    if (len < head + size) {
        return 0;
    }

    if (c->state == st_join) {
        bare_write(fd, BARE_REPLY, sizeof(BARE_REPLY) - 1);
        b->members[b->nmembers++] = fd;
        c->state = st_member;

    } else {
        bare_pass_on(b, p + head, size, p + head - 4);
    }

    return head + size;
}


static void
bare_pass_on(bare_t *b, const unsigned char *p, size_t len,
    const unsigned char *mask)
{
    int             i;
    size_t          n;
    unsigned char  *frame;

    frame = b->frame;
    *frame++ = 0x81;

    if (len < 126) {
        *frame++ = (unsigned char) len;

    } else {
        *frame++ = 126;
        *frame++ = (unsigned char) (len >> 8);
        *frame++ = (unsigned char) len;
    }

    for (n = 0; n < len; n++) {
        *frame++ = p[n] ^ mask[n & 3];
    }

    for (i = 0; i < b->nmembers; i++) {
        bare_write(b->members[i], b->frame, (size_t) (frame - b->frame));
    }
}


/* waits for who does not read: there is nothing else to do here */
static void
bare_write(int fd, const void *data, size_t len)
{
    ssize_t               n;
    struct pollfd         pfd;
    const unsigned char  *p;

    for (p = data; len; p += n, len -= (size_t) n) {
        n = write(fd, p, len);

        if (n >= 0) {
            continue;
        }

        if (errno != EAGAIN) {
            return;
        }

        n = 0;
        pfd.fd = fd;
        pfd.events = POLLOUT;
        (void) poll(&pfd, 1, 1000);
    }
}


static void
bare_close(bare_t *b, int fd)
{
    int  i;

    for (i = 0; i < b->nmembers; i++) {
        if (b->members[i] == fd) {
            b->members[i] = b->members[--b->nmembers];
            break;
        }
    }

    free(b->conn[fd].in);
    b->conn[fd].in = NULL;

    (void) close(fd);
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}
