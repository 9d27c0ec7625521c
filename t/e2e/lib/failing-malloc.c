/*
 * Preloaded into a program: after FAIL_AFTER allocations one of FAIL_EVERY
 * fails, by chance, and half of the times some that follow it too.  Those of
 * libraries that do not look at their allocations are spared.  A crash says
 * where it was.
 */

#define _GNU_SOURCE    /* dl_iterate_phdr() */

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);


#define FAIL_SPARED  16


typedef struct {
    uintptr_t  from;
    uintptr_t  to;
} fail_range_t;


static fail_range_t   fail_spared[FAIL_SPARED];
static int            fail_nspared;
static uint64_t       fail_seed;
static unsigned       fail_every;
static unsigned       fail_more;
static unsigned long  fail_after;


static void
fail_crashed(int sig)
{
    int    n;
    void  *frames[32];

    fail_every = 0;

    n = backtrace(frames, 32);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);

    signal(sig, SIG_DFL);
    raise(sig);
}


static int
fail_library(struct dl_phdr_info *info, size_t size, void *data)
{
    int        i;
    uintptr_t  from;

    (void) size;
    (void) data;

    if (strstr(info->dlpi_name, "libpg_query") == NULL
        && strstr(info->dlpi_name, "libgssapi") == NULL
        && strstr(info->dlpi_name, "libkrb5") == NULL)
    {
        return 0;
    }

    for (i = 0; i < info->dlpi_phnum && fail_nspared < FAIL_SPARED; i++) {

        if (info->dlpi_phdr[i].p_type != PT_LOAD) {
            continue;
        }

        from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        fail_spared[fail_nspared].from = from;
        fail_spared[fail_nspared++].to = from + info->dlpi_phdr[i].p_memsz;
    }

    return 0;
}


static void __attribute__((constructor))
fail_init(void)
{
    void        *frame;
    const char  *every, *after;

    /* loads what it needs now */
    (void) backtrace(&frame, 1);
    signal(SIGSEGV, fail_crashed);
    signal(SIGABRT, fail_crashed);
    dl_iterate_phdr(fail_library, NULL);

    every = getenv("FAIL_EVERY");
    after = getenv("FAIL_AFTER");

    fail_seed = (uint64_t) time(NULL) << 20 ^ (uint64_t) getpid() << 1 | 1;
    fail_after = after == NULL ? 0 : strtoul(after, NULL, 10);
    fail_every = every == NULL ? 0 : (unsigned) strtoul(every, NULL, 10);
}


static unsigned
fail_random(void)
{
    fail_seed ^= fail_seed << 13;
    fail_seed ^= fail_seed >> 7;
    fail_seed ^= fail_seed << 17;

    return (unsigned) (fail_seed >> 16);
}


static int
fail_now(const void *caller)
{
    int  i;

    if (fail_every == 0) {
        return 0;
    }

    for (i = 0; i < fail_nspared; i++) {
        if ((uintptr_t) caller >= fail_spared[i].from
            && (uintptr_t) caller < fail_spared[i].to)
        {
            return 0;
        }
    }

    if (fail_after != 0) {
        fail_after--;
        return 0;
    }

    if (fail_more != 0) {
        fail_more--;

    } else if (fail_random() % fail_every != 0) {
        return 0;

    } else if (fail_random() % 2 == 0) {
        fail_more = fail_random() % 8;
    }

    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fail_now(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}
