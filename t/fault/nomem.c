/*
 * For LD_PRELOAD: an allocator that fails now and then.
 *
 * KAIROS_NOMEM names a file of two numbers of 32 bits, which a test changes
 * at any time: every how manieth allocation fails on average (0: none), and
 * the process that is spared, nginx's master.  A third is written here: how
 * many failed.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


#define BOOT_SIZE  16384


typedef struct {
    volatile uint32_t   every;
    volatile uint32_t   spared;
    volatile uint32_t   failed;
} control_t;


static void *real(const char *name);
static int fails(void);


static control_t  *control;

/* what dlsym() itself takes before it has found anything */
static char        boot[BOOT_SIZE];
static size_t      boot_used;


__attribute__((constructor))
static void
start(void)
{
    int          fd;
    void        *p;
    const char  *path;

    path = getenv("KAIROS_NOMEM");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDWR|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(control_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        control = p;
    }
}


void *
malloc(size_t size)
{
    static void  *(*next)(size_t);

    if (next == NULL) {
        next = real("malloc");
    }

    return fails() ? NULL : next(size);
}


void *
calloc(size_t n, size_t size)
{
    void  *p;

    static int     finding;
    static void  *(*next)(size_t, size_t);

    if (next == NULL && finding) {
        size = (n * size + 15) & ~(size_t) 15;

        if (size > BOOT_SIZE - boot_used) {
            abort();
        }

        p = boot + boot_used;
        boot_used += size;

        return p;
    }

    if (next == NULL) {
        finding = 1;
        next = real("calloc");
        finding = 0;
    }

    return fails() ? NULL : next(n, size);
}


void *
realloc(void *p, size_t size)
{
    static void  *(*next)(void *, size_t);

    if (next == NULL) {
        next = real("realloc");
    }

    return fails() ? NULL : next(p, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    static int  (*next)(void **, size_t, size_t);

    if (next == NULL) {
        next = real("posix_memalign");
    }

    return fails() ? ENOMEM : next(p, alignment, size);
}


void
free(void *p)
{
    static void  (*next)(void *);

    if ((char *) p >= boot && (char *) p < boot + BOOT_SIZE) {
        return;
    }

    if (next == NULL) {
        next = real("free");
    }

    next(p);
}


static void *
real(const char *name)
{
    void  *p;

    p = dlsym(RTLD_NEXT, name);
    if (p == NULL) {
        abort();
    }

    return p;
}


/*
 * By chance, so that no pattern of calls escapes; of a process's own, so that
 * two do not fail alike.
 */
static int
fails(void)
{
    static uint32_t  state;

    if (control == NULL
        || control->every == 0
        || (pid_t) control->spared == getpid())
    {
        return 0;
    }

    if (state == 0) {
        state = 2654435761u * (uint32_t) getpid() | 1;
    }

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;

    if (state % control->every != 0) {
        return 0;
    }

    __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;

    return 1;
}
