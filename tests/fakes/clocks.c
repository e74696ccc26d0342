/*
 * Clocks that jump: CLOCK_REALTIME as when somebody sets it, CLOCK_BOOTTIME as after a suspend, for all of
 * a process, libraries included. A program that is linked with this has its own clock_gettime(), which
 * comes before that of libc and of a sanitizer. $DIAG_CLOCKS names a file with two offsets in
 * microseconds, wall and boot, 64 bits each; whoever writes there moves the clocks.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/mono.h"
#include "base/cleanup.h"

static const volatile int64_t *offsets;

static __attribute__((constructor)) void open_offsets(void)
{
        const char *path = getenv("DIAG_CLOCKS");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p;

        if (fd < 0)
                return;
        p = mmap(NULL, 2 * sizeof(*offsets), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (p != MAP_FAILED)
                offsets = p;
}

static int64_t offset_of(clockid_t clock)
{
        if (!offsets)
                return 0;
        switch (clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE:
                return offsets[0];
        case CLOCK_BOOTTIME:
                return offsets[1];
        default:
                return 0;
        }
}

/* Parameters are called what libc's headers call them: clang-tidy compares. */

int clock_gettime(clockid_t __clock_id, struct timespec *__tp)
{
        int64_t offset = offset_of(__clock_id), nsec;

        if (syscall(SYS_clock_gettime, __clock_id, __tp) < 0)
                return -1;
        nsec = __tp->tv_nsec + offset % (int64_t)USEC_PER_SEC * 1000;
        __tp->tv_sec += offset / (int64_t)USEC_PER_SEC + (nsec < 0 ? -1 : nsec / 1000000000);
        __tp->tv_nsec = nsec < 0 ? nsec + 1000000000 : nsec % 1000000000;
        return 0;
}

int gettimeofday(struct timeval *restrict __tv, _unused_ void *restrict __tz)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        *__tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
        return 0;
}

time_t time(time_t *__timer)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        if (__timer)
                *__timer = ts.tv_sec;
        return ts.tv_sec;
}
