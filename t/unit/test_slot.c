/* sources: ngx_http_kairos_slot.c ngx_http_kairos_usage.c */
/* sources: ngx_http_kairos_ring_write.c ngx_http_kairos_record.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include "ngx_http_kairos_record.h"
#include "ngx_http_kairos_slot.h"


#define SLOTS  3
#define RING   4096


typedef struct {
    ngx_http_kairos_wakes_t     *wakes;
    ngx_slab_pool_t              shpool;
    ngx_http_kairos_zone_t       zone;
    ngx_http_kairos_shared_t    *sh;
    ngx_http_kairos_cell_t      *cells;
} test_t;


ngx_pid_t             ngx_pid;
volatile ngx_msec_t   ngx_current_msec;
volatile ngx_time_t  *ngx_cached_time;

static ngx_time_t     now;
static ngx_uint_t     warnings;


/* nginx, as far as a slot uses it; the key is the text's first byte */

void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    assert_int_equal(mtx->spin, 0);
    mtx->spin = 1;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    assert_int_equal(mtx->spin, 1);
    mtx->spin = 0;
}


void
ngx_sha1_init(ngx_sha1_t *ctx)
{
    ngx_memzero(ctx, sizeof(ngx_sha1_t));
}


void
ngx_sha1_update(ngx_sha1_t *ctx, const void *data, size_t size)
{
    ctx->a = size ? *(const u_char *) data : 0;
}


void
ngx_sha1_final(u_char result[20], ngx_sha1_t *ctx)
{
    ngx_memzero(result, 20);
    result[0] = (u_char) ctx->a;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    (void) log;
    (void) err;
    (void) fmt;

    assert_int_equal(level, NGX_LOG_WARN);
    warnings++;
}


static int
start(void **state)
{
    test_t      *t;
    ngx_uint_t   i;

    t = calloc(1, sizeof(test_t));
    assert_non_null(t);

    t->sh = calloc(1, sizeof(ngx_http_kairos_shared_t)
                      + SLOTS * sizeof(ngx_http_kairos_shared_slot_t));
    t->cells = calloc(NGX_HTTP_KAIROS_USAGE_MIN,
                      sizeof(ngx_http_kairos_cell_t));
    assert_non_null(t->sh);
    assert_non_null(t->cells);

    t->wakes = calloc(1, sizeof(ngx_http_kairos_wakes_t)
                         + SLOTS * sizeof(int));
    assert_non_null(t->wakes);

    t->wakes->n = SLOTS;

    for (i = 0; i < SLOTS; i++) {
        t->wakes->fd[i] = eventfd(0, EFD_NONBLOCK);
        assert_true(t->wakes->fd[i] != -1);
    }

    t->sh->ring = calloc(1, RING);
    assert_non_null(t->sh->ring);

    t->sh->size = RING;
    t->sh->nslots = SLOTS;
    t->sh->usage.cells = t->cells;
    t->sh->usage.n = NGX_HTTP_KAIROS_USAGE_MIN;
    t->zone.sh = t->sh;
    t->zone.shpool = &t->shpool;
    t->zone.wakes = t->wakes;

    ngx_pid = getpid();
    ngx_cached_time = &now;
    now.sec = 1000;
    warnings = 0;

    *state = t;

    return 0;
}


static int
finish(void **state)
{
    test_t  *t = *state;

    ngx_uint_t  i;

    for (i = 0; i < SLOTS; i++) {
        close(t->wakes->fd[i]);
    }

    free(t->wakes);
    free(t->sh->ring);
    free(t->sh);
    free(t->cells);
    free(t);

    return 0;
}


/* a process that was there, and is not any more */
static ngx_pid_t
dead(void)
{
    ngx_pid_t  pid;

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    assert_int_equal(waitpid(pid, NULL, 0), pid);

    return pid;
}


static ngx_http_kairos_admission_e
admit(ngx_http_kairos_slot_t *slot, const ngx_http_kairos_quota_t *quota,
    uint64_t address, uint64_t user,
    ngx_http_kairos_reservation_t *reservation)
{
    ngx_log_t  log;

    ngx_memzero(&log, sizeof(ngx_log_t));
    log.log_level = NGX_LOG_DEBUG;

    return ngx_http_kairos_slot_admit(slot, quota, address, user, reservation,
                                       &log);
}


static void
test_each_limit(void **state)
{
    test_t  *t = *state;

    ngx_http_kairos_slot_t         one, two;
    ngx_http_kairos_quota_t        quota = { 3, 2, 1 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  a, b, c;

    ngx_http_kairos_slot_open(&one, &t->zone);
    ngx_http_kairos_slot_open(&two, &t->zone);
    assert_ptr_not_equal(one.shared, two.shared);

    assert_int_equal(admit(&one, &quota, 7, 1, &a), NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(admit(&two, &quota, 7, 1, &b),
                     NGX_HTTP_KAIROS_FULL_USER);
    assert_int_equal(admit(&two, &quota, 7, 2, &b), NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(admit(&one, &quota, 7, 3, &c),
                     NGX_HTTP_KAIROS_FULL_ADDRESS);
    assert_int_equal(admit(&one, &quota, 0, 0, &c), NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(c.address, 0);
    assert_int_equal(admit(&two, &quota, 9, 9, &c), NGX_HTTP_KAIROS_FULL);

    ngx_http_kairos_slot_sum(&one, &sum, NULL);
    assert_true(sum.sockets == 3);
    assert_true(sum.opened == 3);
    assert_true(sum.refused_connections == 1);
    assert_true(sum.refused_address == 1);
    assert_true(sum.refused_user == 1);
    assert_true(sum.uncounted == 0);

    ngx_http_kairos_slot_leave(&one, &a);
    assert_int_equal(admit(&two, &quota, 7, 1, &a), NGX_HTTP_KAIROS_ADMITTED);

    ngx_http_kairos_slot_sum(&one, &sum, NULL);
    assert_true(sum.sockets == 3);
    assert_true(sum.opened == 4);
}


static void
test_a_killed_worker(void **state)
{
    test_t  *t = *state;

    ngx_http_kairos_slot_t         killed, other;
    ngx_http_kairos_quota_t        quota = { 2, 1, 0 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  reservation;

    ngx_http_kairos_slot_open(&other, &t->zone);
    ngx_http_kairos_slot_open(&killed, &t->zone);

    assert_int_equal(admit(&killed, &quota, 1, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(admit(&killed, &quota, 2, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(admit(&other, &quota, 3, 0, &reservation),
                     NGX_HTTP_KAIROS_FULL);

    killed.counters->messages_in = 5;
    killed.counters->channels = 4;
    killed.counters->feeds = 1;
    killed.shared->pid = (ngx_atomic_uint_t) dead();

    /* whoever is refused looks who is there */
    assert_int_equal(admit(&other, &quota, 1, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);

    ngx_http_kairos_slot_sum(&other, &sum, NULL);
    assert_true(sum.sockets == 1);
    assert_true(sum.opened == 3);
    assert_true(sum.channels == 0);
    assert_true(sum.feeds == 0);
    assert_true(sum.messages_in == 5);

    ngx_http_kairos_slot_open(&killed, &t->zone);
    assert_true(killed.shared != NULL && killed.shared != other.shared);
    assert_true(killed.counters->sockets == 0);
    assert_true(killed.counters->messages_in == 5);
}


/* the one record from the position on is that of the slot and its worker */
static void
expect_died(test_t *t, ngx_atomic_uint_t from, ngx_uint_t slot, ngx_pid_t pid)
{
    u_char                         copy[64];
    size_t                         size;
    ngx_uint_t                     kind;
    ngx_http_kairos_message_t      m;
    ngx_http_kairos_record_died_t  died;

    size = t->sh->head - from;
    assert_in_range(size, 1, sizeof(copy));

    ngx_http_kairos_record_copy(copy, t->sh->ring, RING, from, size);
    assert_int_equal(ngx_http_kairos_record_parse(copy, size, &kind, &m),
                     NGX_OK);
    assert_int_equal(kind, NGX_HTTP_KAIROS_RECORD_SLOT_DIED);
    assert_int_equal(m.payload.len, sizeof(died));

    ngx_memcpy(&died, m.payload.data, sizeof(died));
    assert_int_equal(died.slot, slot);
    assert_int_equal(died.pid, pid);
}


static uint64_t
wakes(test_t *t, ngx_uint_t slot)
{
    uint64_t  n;

    return read(t->wakes->fd[slot], &n, sizeof(n)) == sizeof(n) ? n : 0;
}


/* once in the ring, before its slot has another worker, and all are woken */
static void
test_a_death_is_published(void **state)
{
    test_t  *t = *state;

    ngx_pid_t                      pid;
    ngx_atomic_uint_t              from;
    ngx_http_kairos_slot_t         a, b, c;
    ngx_http_kairos_quota_t        quota = { 1, 0, 0 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  reservation;

    ngx_http_kairos_slot_open(&a, &t->zone);
    ngx_http_kairos_slot_open(&b, &t->zone);
    ngx_http_kairos_slot_open(&c, &t->zone);

    /* found by a look at the sums */
    b.shared->pid = pid = dead();
    from = t->sh->head;
    ngx_http_kairos_slot_sum(&a, &sum, NULL);
    expect_died(t, from, 1, pid);
    assert_true(wakes(t, 0) == 1 && wakes(t, 1) == 0 && wakes(t, 2) == 1);
    assert_true(t->sh->published == 0);

    from = t->sh->head;
    ngx_http_kairos_slot_sum(&a, &sum, NULL);
    assert_true(t->sh->head == from);

    /* by a client that finds no room */
    a.shared->wake = c.shared->wake = 0;
    assert_int_equal(admit(&c, &quota, 0, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    c.shared->pid = pid = dead();
    from = t->sh->head;
    assert_int_equal(admit(&a, &quota, 0, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    expect_died(t, from, 2, pid);
    assert_true(wakes(t, 0) == 1 && wakes(t, 1) == 0 && wakes(t, 2) == 0);

    /* by a worker that starts, and reads from behind the record */
    a.shared->pid = pid = dead();
    from = t->sh->head;
    ngx_http_kairos_slot_open(&b, &t->zone);
    assert_ptr_equal(b.shared, &t->sh->slots[0]);
    expect_died(t, from, 0, pid);
    assert_true(b.shared->position == t->sh->head);

    /* an orderly end is no death */
    from = t->sh->head;
    ngx_http_kairos_slot_close(&b);
    assert_true(t->sh->head == from);
}


static void
test_an_orderly_end(void **state)
{
    test_t  *t = *state;

    ngx_http_kairos_slot_t         slot, next;
    ngx_http_kairos_quota_t        quota = { 1, 1, 1 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  reservation;

    ngx_http_kairos_slot_open(&slot, &t->zone);
    assert_int_equal(admit(&slot, &quota, 1, 1, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);

    ngx_http_kairos_slot_close(&slot);
    ngx_http_kairos_slot_open(&next, &t->zone);

    assert_int_equal(admit(&next, &quota, 1, 1, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);

    ngx_http_kairos_slot_sum(&next, &sum, NULL);
    assert_true(sum.sockets == 1);
    assert_true(sum.opened == 2);
}


static void
test_no_slot(void **state)
{
    test_t  *t = *state;

    ngx_uint_t                     i;
    ngx_http_kairos_slot_t         slots[SLOTS + 1], *last;
    ngx_http_kairos_quota_t        quota = { 2, 1, 0 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  reservation;

    for (i = 0; i <= SLOTS; i++) {
        ngx_http_kairos_slot_open(&slots[i], &t->zone);
    }

    last = &slots[SLOTS];
    assert_null(last->shared);

    assert_int_equal(admit(&slots[0], &quota, 1, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);

    /* it sees the others, and counts its own for itself */
    assert_int_equal(admit(last, &quota, 1, 0, &reservation),
                     NGX_HTTP_KAIROS_FULL_ADDRESS);
    assert_int_equal(admit(last, &quota, 2, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(reservation.address, 0);
    assert_int_equal(admit(last, &quota, 3, 0, &reservation),
                     NGX_HTTP_KAIROS_FULL);
    assert_int_equal(warnings, 0);

    ngx_http_kairos_slot_sum(last, &sum, NULL);
    assert_true(sum.sockets == 2);

    ngx_http_kairos_slot_sum(&slots[0], &sum, NULL);
    assert_true(sum.sockets == 1);

    ngx_http_kairos_slot_leave(last, &reservation);
    assert_int_equal(admit(last, &quota, 3, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
}


static void
test_a_full_usage_table(void **state)
{
    test_t  *t = *state;

    ngx_uint_t                     i;
    ngx_http_kairos_slot_t         slot;
    ngx_http_kairos_quota_t        quota = { 0, 1, 0 };
    ngx_http_kairos_counters_t     sum;
    ngx_http_kairos_reservation_t  reservation;

    ngx_http_kairos_slot_open(&slot, &t->zone);

    for (i = 0; i < 2 * NGX_HTTP_KAIROS_USAGE_MIN; i++) {
        assert_int_equal(admit(&slot, &quota, 1 + i, 0, &reservation),
                         NGX_HTTP_KAIROS_ADMITTED);
    }

    ngx_http_kairos_slot_sum(&slot, &sum, NULL);
    assert_true(sum.sockets == 2 * NGX_HTTP_KAIROS_USAGE_MIN);
    assert_true(sum.uncounted > NGX_HTTP_KAIROS_USAGE_MIN);
    assert_int_equal(warnings, 1);

    /* the limit still holds for who is counted, and the log is not filled */
    assert_int_equal(admit(&slot, &quota, 1, 0, &reservation),
                     NGX_HTTP_KAIROS_FULL_ADDRESS);

    now.sec += 60;
    assert_int_equal(admit(&slot, &quota, i, 0, &reservation),
                     NGX_HTTP_KAIROS_ADMITTED);
    assert_int_equal(reservation.address, 0);
    assert_int_equal(warnings, 2);
    ngx_http_kairos_slot_leave(&slot, &reservation);
}


/* who publishes waits for the slowest, and for no one that is stuck */
static void
test_a_backlogged_ring(void **state)
{
    test_t  *t = *state;

    ngx_http_kairos_slot_t  writer, slow, stuck;

    t->sh->size = 1000;
    t->sh->head = 5000;
    ngx_current_msec = 70000;

    ngx_http_kairos_slot_open(&writer, &t->zone);
    ngx_http_kairos_slot_open(&slow, &t->zone);
    ngx_http_kairos_slot_open(&stuck, &t->zone);
    writer.shared->position = 1;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 0);

    t->sh->head = 5499;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 0);

    t->sh->head = 5500;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);
    ngx_current_msec += 999;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);

    /* it reads, if little: another second */
    slow.shared->position = 5001;
    stuck.shared->position = 5001;
    t->sh->head = 5501;
    ngx_current_msec++;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);
    ngx_current_msec += 999;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);
    ngx_current_msec++;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 0);

    /* one was overrun, the other is waited for */
    t->sh->head = 6002;
    slow.shared->position = 5502;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);
    slow.shared->position = 6002;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 0);

    /* a reader may be ahead of what was seen of the head; the dead are not */
    slow.shared->position = 6100;
    stuck.shared->position = 5100;
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 1);
    ngx_http_kairos_slot_close(&stuck);
    assert_int_equal(ngx_http_kairos_slot_backlogged(&writer), 0);
}


static void
test_a_key_is_not_0(void **state)
{
    test_t  *t = *state;

    ngx_str_t               text;
    ngx_http_kairos_slot_t  slot;

    ngx_http_kairos_slot_open(&slot, &t->zone);

    ngx_str_set(&text, "a");
    assert_true(ngx_http_kairos_slot_key(&slot, "user", &text) == 'a');

    ngx_str_null(&text);
    assert_true(ngx_http_kairos_slot_key(&slot, "user", &text) == 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_each_limit, start, finish),
        cmocka_unit_test_setup_teardown(test_a_killed_worker, start, finish),
        cmocka_unit_test_setup_teardown(test_a_death_is_published, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_an_orderly_end, start, finish),
        cmocka_unit_test_setup_teardown(test_no_slot, start, finish),
        cmocka_unit_test_setup_teardown(test_a_full_usage_table, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_a_backlogged_ring, start, finish),
        cmocka_unit_test_setup_teardown(test_a_key_is_not_0, start, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
