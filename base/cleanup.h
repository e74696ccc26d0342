#pragma once

/*
 * C made comfortable: scopes that clean up after themselves, and the few attributes and macros that
 * every file uses. A local that owns something carries _cleanup_; success hands it over with
 * TAKE_PTR().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(fn)     __attribute__((cleanup(fn)))
#define _printf_(fmt, va) __attribute__((format(printf, fmt, va)))
#define _unused_          __attribute__((unused))
#define _const_           __attribute__((const))
#define _pure_            __attribute__((pure))

#define ELEMENTSOF(a)                   (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Give away what a local owns; the local forgets it. */
#define TAKE_PTR(p)                                   \
        ({                                            \
                __typeof__(p) *_pp = &(p), _v = *_pp; \
                *_pp = NULL;                          \
                _v;                                   \
        })
#define TAKE_FD(fd)                            \
        ({                                     \
                int *_pfd = &(fd), _v = *_pfd; \
                *_pfd = -1;                    \
                _v;                            \
        })

/* DEFINE_CLEANUP(struct noun *, noun_unref) makes noun_unrefp for _cleanup_(). */
#define DEFINE_CLEANUP(type, fn)          \
        static inline void fn##p(type *p) \
        {                                 \
                if (*p)                   \
                        fn(*p);           \
        }                                 \
        struct _cleanup_semicolon_

static inline void freep(void *p)
{
        free(*(void **)p);
}

static inline void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* NULL and "" are the same absence. */
static inline bool str_empty(const char *s)
{
        return !s || !*s;
}

static inline const char *str_or(const char *s, const char *otherwise)
{
        return str_empty(s) ? otherwise : s;
}
