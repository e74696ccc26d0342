/* Growing bytes. Doubling, one spare byte for a NUL, the first error sticks. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

void buf_done(struct buf *b)
{
        free(b->data);
        *b = (struct buf){.max = b->max};
}

static bool buf_reserve(struct buf *b, size_t n)
{
        size_t max = b->max ? b->max : SIZE_MAX / 2, want;
        char *p;

        if (b->error)
                return false;
        if (n > max - b->n) {
                b->error = -E2BIG;
                return false;
        }
        if (b->n + n < b->n_alloc)
                return true;
        for (want = b->n_alloc ? b->n_alloc : 64; want <= b->n + n; want *= 2)
                ;
        p = realloc(b->data, want);
        if (!p) {
                b->error = -ENOMEM;
                return false;
        }
        b->data = p;
        b->n_alloc = want;
        return true;
}

void buf_append(struct buf *b, const void *data, size_t n)
{
        if (!buf_reserve(b, n))
                return;
        if (n)
                memcpy(b->data + b->n, data, n);
        b->n += n;
        assert(b->data);
        b->data[b->n] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
        buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
        buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0 || !buf_reserve(b, (size_t)n))
                return;
        va_start(ap, fmt);
        (void)vsnprintf(b->data + b->n, (size_t)n + 1, fmt, ap);
        va_end(ap);
        b->n += (size_t)n;
}

void buf_clear(struct buf *b)
{
        b->n = 0;
        b->error = 0;
        if (b->data)
                b->data[0] = '\0';
}

void buf_drop_front(struct buf *b, size_t n)
{
        assert(n <= b->n);
        if (!n)
                return;
        memmove(b->data, b->data + n, b->n - n + 1);
        b->n -= n;
}

const char *buf_cstr(const struct buf *b)
{
        return b->error || !b->data ? "" : b->data;
}

char *buf_take(struct buf *b, size_t *ret_n)
{
        char *data;

        if (b->error)
                return NULL;
        if (!b->data)
                buf_append(b, "", 0);
        data = TAKE_PTR(b->data);
        if (data && ret_n)
                *ret_n = b->n;
        buf_done(b);
        return data;
}
