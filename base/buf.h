#pragma once

/*
 * Growing bytes with a ceiling. A buffer remembers its first failure, so that a writer can append
 * freely and ask once, at the end.
 */

#include "base/cleanup.h"

struct buf {
        char *data; /* n bytes and a NUL that is not counted; NULL while empty */
        size_t n;
        size_t n_alloc;
        size_t max; /* most bytes, 0 for SIZE_MAX / 2 */
        int error;  /* 0, -ENOMEM, or -E2BIG: over max. Nothing is appended after an error. */
};

void buf_done(struct buf *b);
void buf_append(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);

/** buf_clear() - empty it, forget the error, keep the memory. */
void buf_clear(struct buf *b);

/** buf_drop_front() - forget the oldest @n bytes. */
void buf_drop_front(struct buf *b, size_t n);

/** buf_cstr() - borrowed, never NULL; "" after a failure. */
const char *buf_cstr(const struct buf *b);

/** buf_take() - the bytes, now the caller's (free()); the buffer is empty again. NULL after an error. */
char *buf_take(struct buf *b, size_t *ret_n);
