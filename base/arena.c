/* A list of chunks, each at least ARENA_CHUNK_BYTES; a larger request gets a chunk of its own size. */

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"

#define ARENA_CHUNK_BYTES 1024u
#define ARENA_ALIGN       _Alignof(max_align_t)

struct arena_chunk {
        struct arena_chunk *next;
        size_t n_used, n_size;
        _Alignas(max_align_t) char data[];
};

void arena_done(struct arena *a)
{
        struct arena_chunk *c, *next;

        for (c = a->chunks; c; c = next) {
                next = c->next;
                free(c);
        }
        *a = (struct arena){0};
}

static struct arena_chunk *arena_grow(struct arena *a, size_t n)
{
        size_t size = ARENA_CHUNK_BYTES - sizeof(struct arena_chunk);
        struct arena_chunk *c;

        if (n > size)
                size = n;
        c = calloc(1, sizeof(*c) + size);
        if (!c)
                return NULL;
        c->n_size = size;
        c->next = a->chunks;
        a->chunks = c;
        return c;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
        struct arena_chunk *c = a->chunks;
        void *p;

        if (n_bytes > SIZE_MAX / 2) {
                a->failed = true;
                return NULL;
        }
        n_bytes = (n_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
        if (!c || n_bytes > c->n_size - c->n_used)
                c = arena_grow(a, n_bytes);
        if (!c) {
                a->failed = true;
                return NULL;
        }
        p = c->data + c->n_used;
        c->n_used += n_bytes;
        a->n_bytes += n_bytes;
        return p;
}

const char *arena_strndup(struct arena *a, const char *s, size_t n_max)
{
        size_t n = s ? strnlen(s, n_max) : 0;
        char *p;

        if (!n)
                return "";
        p = arena_alloc(a, n + 1);
        if (!p)
                return "";
        memcpy(p, s, n);
        return p;
}

const char *arena_strdup(struct arena *a, const char *s)
{
        return arena_strndup(a, s, PTRDIFF_MAX);
}

const char *arena_printf(struct arena *a, const char *fmt, ...)
{
        va_list ap;
        char *p;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n <= 0)
                return "";
        p = arena_alloc(a, (size_t)n + 1);
        if (!p)
                return "";
        va_start(ap, fmt);
        (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
        return p;
}
