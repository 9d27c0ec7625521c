/*
 * The clients: members of one topic, to which one of them publishes.
 *
 *     load PORT PID MEMBERS MESSAGES RATE SIZE
 *
 * Connects MEMBERS sockets, joins them, and publishes MESSAGES of SIZE bytes,
 * RATE of them in a second, or all at once if RATE is 0.  When every member
 * has got every message it prints one line:
 *
 *     deliveries  seconds  server CPU in microseconds  p50 in microseconds
 *
 * The CPU is that of the process PID from the first message to the last
 * delivery, user and system; p50 is the median, over the messages, of the
 * time from a publish until the last member has it.  Nothing here waits
 * longer than LOAD_LIMIT.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define LOAD_LIMIT    60          /* seconds without a delivery */
#define LOAD_WAVE     256         /* connections under way at once */
#define LOAD_BUFFER   (1024 * 1024)
#define LOAD_EVENTS   512
#define LOAD_SIZE     60000       /* of a message, at most */

#define LOAD_REQUEST                                                         \
    "GET /realtime/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"      \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                          \
    "Sec-WebSocket-Version: 13\r\n"                                          \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

#define LOAD_JOIN     "[\"1\",\"1\",\"bench\",\"phx_join\",{}]"
#define LOAD_BEGIN    "[\"1\",null,\"bench\",\"e\",{\"body\":\""
#define LOAD_END      "\"}]"


typedef enum {
    st_response = 0,
    st_reply,
    st_member
} load_state_e;


/* a member; of a frame only its length matters */
typedef struct {
    int             fd;
    load_state_e    state;
    uint32_t        got;          /* messages */
    uint32_t        matched;      /* bytes of the response's end */
    uint64_t        skip;         /* payload bytes to come */
    unsigned char   head[4];
    unsigned        nhead;
} load_conn_t;


typedef struct {
    int             epoll;
    int             port;
    int             pid;
    uint32_t        nconns;
    uint32_t        nopen;
    uint32_t        njoined;
    uint32_t        nmessages;
    uint32_t        nsent;
    uint32_t        rate;
    uint64_t        ndelivered;
    uint64_t        first;        /* when the first message was sent */
    uint64_t        cpu;          /* of the server until then */
    uint64_t       *sent;         /* when, of each message */
    uint64_t       *took;         /* until the last member had it */
    uint32_t       *have;         /* how many members have it */
    load_conn_t    *conns;
    size_t          frame_size;
    unsigned char   frame[LOAD_SIZE + 128];
    unsigned char   buffer[LOAD_BUFFER];
} load_t;


static void load_init(load_t *l, char **argv);
static void load_open(load_t *l);
static void load_wait(load_t *l, int ms);
static void load_read(load_t *l, load_conn_t *c);
static size_t load_response(load_t *l, load_conn_t *c,
    const unsigned char *p, size_t len);
static size_t load_frame(load_t *l, load_conn_t *c, const unsigned char *p,
    size_t len);
static void load_got(load_t *l, load_conn_t *c);
static void load_publish(load_t *l);
static void load_print(load_t *l);
static size_t load_make(unsigned char *frame, const char *text, size_t len);
static void load_send(int fd, const void *data, size_t len);
static uint64_t load_cpu(int pid);
static int load_compare(const void *a, const void *b);
static uint64_t load_now(void);
static void die(const char *what) __attribute__((noreturn));


int
main(int argc, char **argv)
{
    load_t     *l;
    uint64_t    total, before, quiet;

    l = calloc(1, sizeof(load_t));

    if (l == NULL || argc != 7) {
        die("usage: load PORT PID MEMBERS MESSAGES RATE SIZE");
    }

    load_init(l, argv);
    load_open(l);

    total = (uint64_t) l->nconns * l->nmessages;
    l->cpu = load_cpu(l->pid);
    l->first = load_now();
    quiet = l->first;

    while (l->ndelivered < total) {
        load_publish(l);

        before = l->ndelivered;
        load_wait(l, l->nsent < l->nmessages ? 1 : 1000);

        if (l->ndelivered != before) {
            quiet = load_now();

        } else if (load_now() - quiet > (uint64_t) LOAD_LIMIT * 1000000) {
            die("deliveries are missing");
        }
    }

    load_print(l);

    return 0;
}


static void
load_init(load_t *l, char **argv)
{
    char    text[LOAD_SIZE + 64];
    size_t  size, len;

    l->port = atoi(argv[1]);
    l->pid = atoi(argv[2]);
    l->nconns = (uint32_t) atoi(argv[3]);
    l->nmessages = (uint32_t) atoi(argv[4]);
    l->rate = (uint32_t) atoi(argv[5]);
    size = (size_t) atoi(argv[6]);

    l->conns = calloc(l->nconns, sizeof(load_conn_t));
    l->sent = calloc(l->nmessages, sizeof(uint64_t));
    l->took = calloc(l->nmessages, sizeof(uint64_t));
    l->have = calloc(l->nmessages, sizeof(uint32_t));
    l->epoll = epoll_create1(0);

    if (l->conns == NULL || l->sent == NULL || l->took == NULL
        || l->have == NULL || l->epoll == -1 || size > LOAD_SIZE)
    {
        die("cannot begin");
    }

    len = sizeof(LOAD_BEGIN) - 1;
    memcpy(text, LOAD_BEGIN, len);
    memset(text + len, 'x', size);
    len += size;
    memcpy(text + len, LOAD_END, sizeof(LOAD_END) - 1);
    len += sizeof(LOAD_END) - 1;

    l->frame_size = load_make(l->frame, text, len);
}


/*
 * Connects and joins all, a wave at a time.
 */
static void
load_open(load_t *l)
{
    int                  fd;
    uint64_t             start;
    load_conn_t         *c;
    struct sockaddr_in   addr;
    struct epoll_event   ev;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons((uint16_t) l->port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    start = load_now();

    while (l->njoined < l->nconns) {

        while (l->nopen < l->nconns && l->nopen - l->njoined < LOAD_WAVE) {
            fd = socket(AF_INET, SOCK_STREAM, 0);

            if (fd == -1
                || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1)
            {
                die("connect");
            }

            c = &l->conns[l->nopen++];
            c->fd = fd;

            memset(&ev, 0, sizeof(ev));
            ev.events = EPOLLIN;
            ev.data.ptr = c;

            if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
                die("epoll_ctl");
            }

            load_send(fd, LOAD_REQUEST, sizeof(LOAD_REQUEST) - 1);
        }

        load_wait(l, 1000);

        if (load_now() - start > (uint64_t) LOAD_LIMIT * 1000000) {
            die("the members did not all join");
        }
    }
}


static void
load_wait(load_t *l, int ms)
{
    int                 i, n;
    struct epoll_event  events[LOAD_EVENTS];

    n = epoll_wait(l->epoll, events, LOAD_EVENTS, ms);

    for (i = 0; i < n; i++) {
        load_read(l, events[i].data.ptr);
    }
}


static void
load_read(load_t *l, load_conn_t *c)
{
    size_t    at;
    ssize_t   n;

    n = recv(c->fd, l->buffer, LOAD_BUFFER, MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        die("the server closed a connection");
    }

    for (at = 0; at < (size_t) n; /* void */ ) {
        at += (c->state == st_response)
              ? load_response(l, c, l->buffer + at, (size_t) n - at)
              : load_frame(l, c, l->buffer + at, (size_t) n - at);
    }
}


/* Looks for the end of the 101, then joins. */
static size_t
load_response(load_t *l, load_conn_t *c, const unsigned char *p, size_t len)
{
    size_t              i;
    unsigned char       frame[64];
    static const char   end[] = "\r\n\r\n";

    (void) l;

    for (i = 0; i < len; i++) {
        c->matched = (p[i] == (unsigned char) end[c->matched])
                     ? c->matched + 1 : (p[i] == '\r');

        if (c->matched == 4) {
            c->state = st_reply;
            load_send(c->fd, frame, load_make(frame, LOAD_JOIN,
                                              sizeof(LOAD_JOIN) - 1));
            return i + 1;
        }
    }

    return len;
}


/* Takes what is there of one frame; returns its bytes. */
static size_t
load_frame(load_t *l, load_conn_t *c, const unsigned char *p, size_t len)
{
    size_t  n;

    if (c->skip == 0) {
        c->head[c->nhead++] = *p;

        if (c->nhead < 2 || (c->head[1] == 126 && c->nhead < 4)) {
            return 1;
        }

        c->skip = (c->head[1] == 126)
                  ? (uint64_t) c->head[2] << 8 | c->head[3] : c->head[1];
        c->nhead = 0;

        return 1;
    }

    n = (len < c->skip) ? len : (size_t) c->skip;
    c->skip -= n;

    if (c->skip == 0) {
        load_got(l, c);
    }

    return n;
}


static void
load_got(load_t *l, load_conn_t *c)
{
    uint32_t  i;

    if (c->state == st_reply) {
        c->state = st_member;
        l->njoined++;
        return;
    }

    i = c->got++;

    if (i >= l->nsent) {
        die("a member got what was not sent");
    }

    l->ndelivered++;

    if (++l->have[i] == l->nconns) {
        l->took[i] = load_now() - l->sent[i];
    }
}


/* Sends what is due. */
static void
load_publish(load_t *l)
{
    uint64_t  now, due;

    now = load_now();
    due = l->rate ? 1 + (now - l->first) * l->rate / 1000000 : l->nmessages;

    while (l->nsent < l->nmessages && l->nsent < due) {
        l->sent[l->nsent++] = load_now();
        load_send(l->conns[0].fd, l->frame, l->frame_size);
    }
}


static void
load_print(load_t *l)
{
    uint64_t  cpu, end;

    end = load_now();
    cpu = load_cpu(l->pid) - l->cpu;

    qsort(l->took, l->nmessages, sizeof(uint64_t), load_compare);

    printf("%llu %.6f %llu %llu\n", (unsigned long long) l->ndelivered,
           (double) (end - l->first) / 1e6, (unsigned long long) cpu,
           (unsigned long long) l->took[l->nmessages / 2]);
}


/* Writes a client's frame, its mask 0; returns its size. */
static size_t
load_make(unsigned char *frame, const char *text, size_t len)
{
    unsigned char  *p;

    p = frame;
    *p++ = 0x81;

    if (len < 126) {
        *p++ = (unsigned char) (0x80 | len);

    } else {
        *p++ = 0x80 | 126;
        *p++ = (unsigned char) (len >> 8);
        *p++ = (unsigned char) len;
    }

    memset(p, 0, 4);
    memcpy(p + 4, text, len);

    return (size_t) (p + 4 - frame) + len;
}


/* The socket blocks: a burst is taken as fast as the server reads it. */
static void
load_send(int fd, const void *data, size_t len)
{
    ssize_t               n;
    const unsigned char  *p;

    for (p = data; len; p += n, len -= (size_t) n) {
        n = send(fd, p, len, MSG_NOSIGNAL);

        if (n == -1) {
            die("send");
        }
    }
}


/* User and system time of a process, in microseconds. */
static uint64_t
load_cpu(int pid)
{
    char                 path[64], line[1024], *p;
    FILE                *f;
    unsigned long long   user, system;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);

    f = fopen(path, "r");
    if (f == NULL || fgets(line, sizeof(line), f) == NULL) {
        die(path);
    }

    (void) fclose(f);

    /* the name, in parentheses, may contain anything */

    p = strrchr(line, ')');

    if (p == NULL
        || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                  "%llu %llu", &user, &system) != 2)
    {
        die("cannot read /proc/PID/stat");
    }

    return (user + system) * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
}


static int
load_compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


static uint64_t
load_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}
