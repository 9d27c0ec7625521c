/* sources: kr_server.c kr_server_io.c kr_loop.c kr_log.c kairos_feed.c */
/* libs: -levent_core -Wl,--wrap=malloc */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kr_log.h"
#include "kr_server.h"


#define TURNS  10000    /* of the loop that a test waits at most */


/* the layer above, for a test */
struct kr_core_s {
    kr_conn_t    *cn;
    int           frames;
    int           gone;
    int           sent;
    int           dropped;     /* of these, reported after gone() */
    size_t        spec_len;
    uint64_t      req;
    int           close_at;    /* the frame at which it closes; 0: never */
    int           in_send;     /* sent() must not come within send */
};

struct kr_txn_s {
    int           sent;
};

typedef struct {
    char                dir[64];
    char                path[108];
    kr_config_t         cf;
    kr_core_t           core;
    kr_server_t        *server;
    struct event_base  *base;
} test_t;


void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static int  no_memory;


void *
__wrap_malloc(size_t size)
{
    return no_memory ? NULL : __real_malloc(size);
}


static void
on_frame(kr_core_t *core, kr_conn_t *cn, kairos_feed_frame_t *f)
{
    core->cn = cn;
    core->req = f->req;
    core->spec_len = f->spec.len;
    core->frames++;

    if (core->close_at == core->frames) {
        kr_server_close(cn, "the test closes it");
        assert_int_equal(core->gone, 0);
    }
}


static void
on_gone(kr_core_t *core, kr_conn_t *cn)
{
    assert_ptr_equal(core->cn, cn);
    core->gone++;
}


static void
on_sent(kr_core_t *core, kr_txn_t *txn)
{
    assert_int_equal(core->in_send, 0);

    core->sent++;
    core->dropped += core->gone;
    txn->sent++;
}


static const kr_server_handlers_t  handlers = { on_frame, on_gone, on_sent };


static int
setup(void **state)
{
    test_t  *t;

    t = calloc(1, sizeof(test_t));
    assert_non_null(t);

    kr_log_set_level(KR_LOG_ALERT);

    snprintf(t->dir, sizeof(t->dir), "/tmp/kairos-server.XXXXXX");
    assert_non_null(mkdtemp(t->dir));

    snprintf(t->path, sizeof(t->path), "%s/s", t->dir);
    t->cf.socket = t->path;

    t->base = event_base_new();
    t->server = kr_server_create(t->base, &t->cf, &handlers, &t->core);
    assert_non_null(t->server);

    *state = t;

    return 0;
}


static int
teardown(void **state)
{
    test_t       *t;
    struct stat   sb;

    t = *state;

    if (t->server != NULL) {
        kr_server_free(t->server);
    }

    /* it takes its file away */
    assert_int_equal(lstat(t->path, &sb), -1);
    assert_int_equal(rmdir(t->dir), 0);

    event_base_free(t->base);
    free(t);

    return 0;
}


static int
dial(const test_t *t)
{
    int                 fd;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", t->path);

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0);
    assert_int_not_equal(fd, -1);
    assert_int_equal(connect(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);

    return fd;
}


static kr_block_t *
subscribe(uint64_t req, size_t len)
{
    char                 *spec;
    kr_block_t           *b;
    kairos_feed_frame_t   f;

    spec = calloc(1, len + 1);
    assert_non_null(spec);

    memset(&f, 0, sizeof(f));
    f.type = KAIROS_FEED_SUBSCRIBE;
    f.req = req;
    f.spec.len = len;
    f.spec.data = (unsigned char *) spec;

    b = kr_block_frame(&f);
    free(spec);
    assert_non_null(b);

    return b;
}


/* Writes it all to fd in pieces of `piece` bytes, turning the loop. */
static void
put(test_t *t, int fd, const kr_block_t *b, size_t piece)
{
    size_t   done, n;
    ssize_t  rc;

    for (done = 0; done < b->len; /* void */) {
        n = (b->len - done < piece) ? b->len - done : piece;
        rc = write(fd, b->data + done, n);

        if (rc == -1) {
            assert_int_equal(errno, EAGAIN);
            rc = 0;
        }

        done += (size_t) rc;
        event_base_loop(t->base, EVLOOP_NONBLOCK);
    }
}


static void
turn_until(test_t *t, const int *n, int value)
{
    int  i;

    for (i = 0; i < TURNS && *n < value; i++) {
        event_base_loop(t->base, EVLOOP_NONBLOCK);
    }

    assert_int_equal(*n, value);
}


static void
test_frames(void **state)
{
    int          fd;
    test_t      *t;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);

    b = subscribe(7, 10);
    put(t, fd, b, 1);
    kr_block_release(b);

    turn_until(t, &t->core.frames, 1);
    assert_int_equal(t->core.req, 7);
    assert_int_equal(t->core.spec_len, 10);

    b = subscribe(8, 3 * 1024 * 1024);
    put(t, fd, b, 300000);
    kr_block_release(b);

    turn_until(t, &t->core.frames, 2);
    assert_int_equal(t->core.req, 8);
    assert_int_equal(t->core.spec_len, 3 * 1024 * 1024);

    close(fd);
    turn_until(t, &t->core.gone, 1);
}


static void
test_garbage(void **state)
{
    int          fd;
    char         c;
    test_t      *t;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);

    b = subscribe(1, 10);
    put(t, fd, b, b->len);
    turn_until(t, &t->core.frames, 1);

    /* a length of 4 GB, and no such type */
    assert_int_equal(write(fd, "\xff\xff\xff\xff\xff", 5), 5);
    turn_until(t, &t->core.gone, 1);

    assert_int_equal(read(fd, &c, 1), 0);
    close(fd);
    kr_block_release(b);
}


/* closed by the layer above: gone() once, later, and no frame after it */
static void
test_close(void **state)
{
    int          fd;
    test_t      *t;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);
    t->core.close_at = 2;

    b = subscribe(1, 10);
    put(t, fd, b, b->len);
    turn_until(t, &t->core.frames, 1);

    assert_int_equal(write(fd, b->data, b->len), b->len);
    assert_int_equal(write(fd, b->data, b->len), b->len);

    turn_until(t, &t->core.gone, 1);
    assert_int_equal(t->core.frames, 2);

    close(fd);
    kr_block_release(b);
}


static void
test_send(void **state)
{
    int             i, fd;
    char            buf[65536];
    test_t         *t;
    size_t          total, got;
    ssize_t         n;
    kr_txn_t        txn;
    kr_block_t     *b, *hello;

    t = *state;
    fd = dial(t);

    hello = subscribe(1, 10);
    put(t, fd, hello, hello->len);
    turn_until(t, &t->core.frames, 1);
    kr_block_release(hello);

    /* more than the socket takes at once */
    memset(&txn, 0, sizeof(txn));
    b = subscribe(2, 100000);
    total = 100 * b->len;

    t->core.in_send = 1;
    for (i = 0; i < 100; i++) {
        kr_server_send(t->core.cn, b, &txn);
    }
    t->core.in_send = 0;

    assert_int_equal(b->refs, 101);
    assert_int_equal(kr_conn_queued(t->core.cn), total);

    got = 0;

    for (i = 0; i < TURNS && got < total; i++) {
        event_base_loop(t->base, EVLOOP_NONBLOCK);

        /* reported is no more than what was written */
        assert_true((size_t) txn.sent * b->len <= got + 1024 * 1024);

        n = read(fd, buf, sizeof(buf));
        if (n > 0) {
            assert_memory_equal(buf, b->data, (got % b->len == 0) ? 5 : 0);
            got += (size_t) n;
        }
    }

    assert_int_equal(got, total);
    turn_until(t, &txn.sent, 100);
    assert_int_equal(t->core.dropped, 0);
    assert_int_equal(kr_conn_queued(t->core.cn), 0);
    assert_int_equal(b->refs, 1);

    kr_block_release(b);
    close(fd);
    turn_until(t, &t->core.gone, 1);
}


/* a worker that does not read is closed, what it did not get is reported */
static void
test_slow(void **state)
{
    int          i, fd;
    test_t      *t;
    kr_txn_t     txn;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);

    b = subscribe(1, 10);
    put(t, fd, b, b->len);
    turn_until(t, &t->core.frames, 1);
    kr_block_release(b);

    memset(&txn, 0, sizeof(txn));
    b = subscribe(2, 1024 * 1024);

    t->core.in_send = 1;
    for (i = 0; i < 70; i++) {
        kr_server_send(t->core.cn, b, &txn);
    }
    t->core.in_send = 0;

    assert_int_equal(t->core.gone, 0);
    turn_until(t, &t->core.gone, 1);
    assert_int_equal(txn.sent, 70);
    assert_int_equal(t->core.dropped, 70);
    assert_int_equal(b->refs, 1);

    kr_block_release(b);
    close(fd);
}


static void
test_socket_file(void **state)
{
    FILE         *f;
    test_t       *t;
    struct stat   sb;
    kr_server_t  *other;

    t = *state;

    assert_int_equal(stat(t->path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0660);

    /* somebody listens: refused, and his file is left alone */
    other = kr_server_create(t->base, &t->cf, &handlers, &t->core);
    assert_null(other);
    assert_int_equal(stat(t->path, &sb), 0);

    kr_server_free(t->server);
    t->server = NULL;

    /* what is not a socket is not removed */
    f = fopen(t->path, "w");
    assert_non_null(f);
    fclose(f);

    assert_null(kr_server_create(t->base, &t->cf, &handlers, &t->core));
    assert_int_equal(stat(t->path, &sb), 0);
    assert_int_equal(unlink(t->path), 0);
}


static void
test_stale_file(void **state)
{
    int                  fd;
    test_t              *t;
    struct sockaddr_un   sun;

    t = *state;

    kr_server_free(t->server);
    t->server = NULL;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", t->path);

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);
    close(fd);

    t->server = kr_server_create(t->base, &t->cf, &handlers, &t->core);
    assert_non_null(t->server);

    close(dial(t));
}


static void
test_drain(void **state)
{
    int          i, fd;
    char         buf[65536];
    test_t      *t;
    kr_txn_t     txn;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);

    b = subscribe(1, 10);
    put(t, fd, b, b->len);
    turn_until(t, &t->core.frames, 1);
    kr_block_release(b);

    memset(&txn, 0, sizeof(txn));
    b = subscribe(2, 2 * 1024 * 1024);
    kr_server_send(t->core.cn, b, &txn);

    /* nobody reads: the bound ends the loop */
    kr_server_drain(t->server, 50);
    assert_int_equal(event_base_dispatch(t->base), 0);
    assert_int_equal(txn.sent, 0);

    /* it is read: the loop ends by itself */
    kr_server_drain(t->server, 60000);

    for (i = 0; i < TURNS; i++) {
        event_base_loop(t->base, EVLOOP_NONBLOCK);

        if (event_base_got_break(t->base)) {
            break;
        }

        if (read(fd, buf, sizeof(buf)) == -1) {
            assert_int_equal(errno, EAGAIN);
        }
    }

    assert_int_not_equal(i, TURNS);
    assert_int_equal(txn.sent, 1);

    kr_block_release(b);
    close(fd);
}


/*
 * An event that cannot be queued would be lost: the process ends, and tells
 * who started it that it failed.
 */
static void
test_no_memory(void **state)
{
    int          fd, status;
    pid_t        pid;
    test_t      *t;
    kr_block_t  *b;

    t = *state;
    fd = dial(t);

    b = subscribe(1, 10);
    put(t, fd, b, b->len);
    turn_until(t, &t->core.frames, 1);

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        close(STDERR_FILENO);
        no_memory = 1;
        kr_server_send(t->core.cn, b, NULL);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);

    kr_block_release(b);
    close(fd);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
