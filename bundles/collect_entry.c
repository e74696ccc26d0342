/* In: pieces of any size. Out: masked pieces, the first of them late. */

#include <errno.h>
#include <stdio.h>

#include "bundles/collect_entry.h"

#define CLEAN_MAX (64u << 20) /* of one piece, masked */

void entry_begin(struct outgoing *x, struct entry_target *target, const char *path,
                 uint64_t mtime_usec)
{
        x->target = target;
        (void)snprintf(x->path, sizeof(x->path), "%s", path);
        x->mtime_usec = mtime_usec;
        x->begun = false;
        x->n_in = x->n_redactions = x->n_out = 0;
        x->clean.max = CLEAN_MAX;
        buf_clear(&x->held);
        buf_clear(&x->clean);
}

void entry_done(struct outgoing *x)
{
        buf_done(&x->held);
        buf_done(&x->clean);
}

static int write_all(int fd, const char *data, size_t n)
{
        while (n > 0) {
                ssize_t k = write(fd, data, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                data += k;
                n -= (size_t)k;
        }
        return 0;
}

static int out(struct outgoing *x, const char *data, size_t n)
{
        struct entry_target *t = x->target;
        int k = 0;

        if (!x->begun) {
                x->begun = true;
                if (t->on_first_byte)
                        t->on_first_byte(t->userdata);
                if (t->archive)
                        k = archive_begin(t->archive, x->path, x->mtime_usec);
        }
        if (k < 0 || n == 0)
                return k;
        x->n_out += n;
        return t->archive ? archive_append(t->archive, data, n) : write_all(t->fd, data, n);
}

static int let_go(struct outgoing *x)
{
        int k = x->held.n || !x->begun ? out(x, x->held.data, x->held.n) : 0;

        buf_clear(&x->held);
        return k;
}

/* Masked bytes. */
static int take(struct outgoing *x, const char *data, size_t n)
{
        int k = 0;

        if (!x->begun && x->held.n + n <= ENTRY_HOLD_BYTES) {
                buf_append(&x->held, data, n);
                return x->held.error;
        }
        if (!x->begun)
                k = let_go(x);
        return k < 0 ? k : out(x, data, n);
}

static int take_clean(struct outgoing *x)
{
        int k = x->clean.error;

        if (k >= 0 && x->clean.n > 0)
                k = take(x, x->clean.data, x->clean.n);
        buf_clear(&x->clean);
        return k;
}

int entry_feed(const void *data, size_t n, void *entry)
{
        struct outgoing *x = entry;

        x->n_in += n;
        if (!x->target->redactor)
                return take(x, data, n);
        redactor_feed(x->target->redactor, data, n, &x->clean);
        return take_clean(x);
}

int entry_settle(struct outgoing *x)
{
        if (!x->target->redactor)
                return 0;
        x->n_redactions = redactor_end(x->target->redactor, &x->clean);
        return take_clean(x);
}

bool entry_is_empty(const struct outgoing *x)
{
        return !x->begun && x->held.n == 0;
}

/* A note in front of what may still be preceded by one; else a line of its own behind it. */
static int add_note(struct outgoing *x, const char *note)
{
        struct buf text = {0};
        int k;

        if (!x->begun) {
                buf_puts(&text, note);
                if (x->held.n > 0)
                        buf_putc(&text, '\n');
                buf_append(&text, x->held.data, x->held.n);
        } else {
                buf_putc(&text, '\n');
                buf_puts(&text, note);
                buf_putc(&text, '\n');
        }
        k = text.error ? text.error : out(x, text.data, text.n);
        buf_clear(&x->held);
        buf_done(&text);
        return k;
}

int entry_end(struct outgoing *x, const char *note, struct archive_entry *ret)
{
        int k = note ? add_note(x, note) : let_go(x);

        *ret = (struct archive_entry){.size = x->n_out};
        if (k >= 0 && x->target->archive)
                k = archive_end(x->target->archive, ret);
        return k;
}
