/*
 * The linker's --wrap=malloc turns every malloc() of ours into __wrap_malloc(), and __real_malloc() into
 * the one of libc, or of a sanitizer. A failed call does all that a real one does: NULL and ENOMEM, and
 * what was there stays.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/fakes/fail_alloc.h"

static atomic_uint_fast64_t n_calls, n_failed, first_call, n_to_fail;

void fail_alloc_begin(uint64_t first, uint64_t count)
{
        atomic_store(&n_failed, 0);
        atomic_store(&first_call, atomic_load(&n_calls) + first);
        atomic_store(&n_to_fail, count);
}

uint64_t fail_alloc_end(void)
{
        atomic_store(&n_to_fail, 0);
        return atomic_load(&n_failed);
}

/* Before main(): start-up is where most is allocated. */
static __attribute__((constructor)) void read_environment(void)
{
        const char *s = getenv("DIAG_FAIL_ALLOC");
        uint64_t first = 0, count = 1;

        if (s && sscanf(s, "%" SCNu64 ",%" SCNu64, &first, &count) > 0)
                fail_alloc_begin(first, count);
}

/* So that a test knows how far it has to go. */
static __attribute__((destructor)) void say_how_many(void)
{
        if (getenv("DIAG_FAIL_ALLOC"))
                (void)fprintf(stderr, "fail_alloc: %" PRIuFAST64 " calls, %" PRIuFAST64 " failed\n",
                              atomic_load(&n_calls), atomic_load(&n_failed));
}

static bool must_fail(void)
{
        uint64_t number = atomic_fetch_add(&n_calls, 1) + 1, first = atomic_load(&first_call);

        if (number < first || number - first >= atomic_load(&n_to_fail))
                return false;
        atomic_fetch_add(&n_failed, 1);
        errno = ENOMEM;
        return true;
}

/* The names are the linker's: clang-format and the compiler must not mind. */
#define WRAP(type, name, parameters, ...)                               \
        type __real_##name parameters;                                  \
        type __wrap_##name parameters;                                  \
        type __wrap_##name parameters                                   \
        {                                                               \
                return must_fail() ? NULL : __real_##name(__VA_ARGS__); \
        }

WRAP(void *, malloc, (size_t n), n)
WRAP(void *, calloc, (size_t n, size_t size), n, size)
WRAP(void *, realloc, (void *p, size_t n), p, n)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), p, n, size)
WRAP(void *, aligned_alloc, (size_t align, size_t n), align, n)
WRAP(char *, strdup, (const char *s), s)
WRAP(char *, strndup, (const char *s, size_t n), s, n)
WRAP(FILE *, open_memstream, (char **data, size_t *n), data, n)

int __real_posix_memalign(void **ret, size_t align, size_t n);
int __wrap_posix_memalign(void **ret, size_t align, size_t n);
int __real_vasprintf(char **ret, const char *fmt, va_list ap) _printf_(2, 0);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) _printf_(2, 0);
int __wrap_asprintf(char **ret, const char *fmt, ...) _printf_(2, 3);

int __wrap_posix_memalign(void **ret, size_t align, size_t n)
{
        return must_fail() ? ENOMEM : __real_posix_memalign(ret, align, n);
}

static char nobodys;

/* The pointer is undefined after a failure, as the manual says: nobody may free it. */
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
        if (!must_fail())
                return __real_vasprintf(ret, fmt, ap);
        *ret = &nobodys;
        return -1;
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = __wrap_vasprintf(ret, fmt, ap);
        va_end(ap);
        return n;
}
