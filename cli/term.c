/*
 * Terminals obey what they are sent, so text from elsewhere passes text_append_clean() on its way
 * into any buffer that ends up on one. Everything else here may then trust what it is given.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <wchar.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"
#include "cli/term.h"

#define COLUMNS_DEFAULT 80u
#define COLUMNS_MAX     1000u
#define ELLIPSIS        "…"
#define COMPLAINT_MAX   512u

/* --- the terminal --------------------------------------------------------------------------------- */

static unsigned count_columns(int fd)
{
        struct winsize size;
        uint64_t n;

        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col;
        if (parse_u64(str_or(getenv("COLUMNS"), ""), 1, COLUMNS_MAX, &n) == 0)
                return (unsigned)n;
        return COLUMNS_DEFAULT;
}

static bool may_use_colour(void)
{
        const char *term = getenv("TERM");

        return str_empty(getenv("NO_COLOR")) && !str_empty(term) && !streq(term, "dumb");
}

struct term term_of(int fd)
{
        if (!isatty(fd))
                return (struct term){0};
        return (struct term){
                .n_columns = count_columns(fd),
                .is_tty = true,
                .colour = may_use_colour(),
        };
}

void term_paint(const struct term *t, struct buf *out, enum hue hue, const char *text)
{
        static const char *const sgr[] = {
                [HUE_GOOD] = "\033[32m", [HUE_BAD] = "\033[1;31m", [HUE_UNSURE] = "\033[1;33m",
                [HUE_DIM] = "\033[2m",   [HUE_STRONG] = "\033[1m",
        };

        if (!t->colour || hue == HUE_PLAIN || !*text) {
                buf_puts(out, text);
                return;
        }
        buf_puts(out, sgr[hue]);
        buf_puts(out, text);
        buf_puts(out, "\033[0m");
}

enum hue hue_of_health(enum diag_health h)
{
        static const enum hue hues[DIAG_N_HEALTH] = {
                [DIAG_UNKNOWN] = HUE_UNSURE,
                [DIAG_HEALTHY] = HUE_GOOD,
                [DIAG_UNHEALTHY] = HUE_BAD,
        };

        return hues[h];
}

int term_flush(int fd, const struct buf *b)
{
        size_t done = 0;

        if (b->error)
                return b->error;
        while (done < b->n) {
                ssize_t n = write(fd, b->data + done, b->n - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        done += (size_t)n;
        }
        return 0;
}

void term_complain(const char *who, const char *fmt, ...)
{
        _cleanup_(buf_done) struct buf line = {0};
        char text[COMPLAINT_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        buf_printf(&line, "%s: ", who);
        text_append_clean(&line, text);
        buf_putc(&line, '\n');
        (void)term_flush(STDERR_FILENO, &line);
}

/* --- text ----------------------------------------------------------------------------------------- */

/* One character of @s; *ret_n is how long it is, 1 for a byte that is not UTF-8: then U+FFFD. */
static wchar_t decode(const char *s, size_t *ret_n)
{
        static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        size_t n = utf8_sequence(s, strnlen(s, 4));
        wchar_t c;

        *ret_n = n ? n : 1;
        if (!n)
                return L'\ufffd';
        c = (unsigned char)*s & lead_mask[n];
        for (size_t i = 1; i < n; i++)
                c = (c << 6) | ((unsigned char)s[i] & 0x3f);
        return c;
}

/* "\033[1;31m": how long it is, 0 if there is no such thing at @s. */
static size_t colour_sequence(const char *s)
{
        size_t n;

        if (s[0] != '\033' || s[1] != '[')
                return 0;
        n = 2 + strspn(s + 2, "0123456789;:");
        return s[n] == 'm' ? n + 1 : 0;
}

static bool turns_direction(wchar_t c)
{
        return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069);
}

static void append_clean_character(struct buf *out, const char *s, size_t n, wchar_t c)
{
        if (c == '\t' || c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029)
                buf_putc(out, ' ');
        else if (wcwidth(c) < 0 || turns_direction(c) || c == 0xfffd)
                buf_putc(out, '?');
        else
                buf_append(out, s, n);
}

void text_append_clean(struct buf *out, const char *text)
{
        const char *s = text;

        while (*s) {
                size_t n = colour_sequence(s);

                if (!n) {
                        wchar_t c = decode(s, &n);

                        append_clean_character(out, s, n, c);
                }
                s += n;
        }
}

void text_append_lines(struct buf *out, const char *text, unsigned n_indent)
{
        while (*text) {
                _cleanup_(buf_done) struct buf line = {0};
                size_t n = strcspn(text, "\n");

                buf_append(&line, text, n);
                buf_printf(out, "%*s", n > 0 ? (int)n_indent : 0, "");
                text_append_clean(out, buf_cstr(&line));
                buf_putc(out, '\n');
                text += n + (text[n] == '\n');
        }
}

/* Columns of the character at @s, whose length is *ret_n. */
static unsigned character_columns(const char *s, size_t *ret_n)
{
        int width = wcwidth(decode(s, ret_n));

        return width > 0 ? (unsigned)width : 0;
}

/* How many bytes of @text fit into @max columns, and how many columns they take. */
static size_t fit(const char *text, unsigned max, unsigned *ret_columns)
{
        size_t at = 0, n;

        *ret_columns = 0;
        for (; text[at]; at += n) {
                unsigned width = character_columns(text + at, &n);

                if (width > max - *ret_columns)
                        break;
                *ret_columns += width;
        }
        return at;
}

unsigned text_columns(const char *text)
{
        unsigned n;

        (void)fit(text, UINT32_MAX, &n);
        return n;
}

void text_append_cut(struct buf *out, const char *text, unsigned n_columns)
{
        unsigned n;

        if (!text[fit(text, n_columns, &n)]) {
                buf_puts(out, text);
                return;
        }
        if (n_columns == 0)
                return;
        buf_append(out, text, fit(text, n_columns - 1, &n));
        buf_puts(out, ELLIPSIS);
}

void text_append_age(struct buf *out, uint64_t usec)
{
        static const struct {
                uint64_t usec;
                const char *word;
        } units[] = {
                {24 * 60 * USEC_PER_MIN, "d"  },
                {60 * USEC_PER_MIN,      "h"  },
                {USEC_PER_MIN,           "min"},
                {USEC_PER_SEC,           "s"  },
        };
        size_t i = 0;

        while (i + 1 < ELEMENTSOF(units) && usec < units[i].usec)
                i++;
        buf_printf(out, "%" PRIu64 " %s", usec / units[i].usec, units[i].word);
}

void text_append_moment(struct buf *out, uint64_t now_wall_usec, uint64_t wall_usec)
{
        bool is_past = wall_usec <= now_wall_usec;
        char text[RFC3339_MAX];

        buf_printf(out, is_past ? "%s (" : "%s (in ", rfc3339_format(text, wall_usec));
        text_append_age(out, is_past ? now_wall_usec - wall_usec : wall_usec - now_wall_usec);
        buf_puts(out, is_past ? " ago)" : ")");
}

void text_append_took(struct buf *out, uint64_t usec)
{
        if (usec < USEC_PER_SEC)
                buf_printf(out, "%" PRIu64 " ms", usec / USEC_PER_MSEC);
        else
                buf_printf(out, "%" PRIu64 ".%" PRIu64 " s", usec / USEC_PER_SEC,
                           usec % USEC_PER_SEC / (USEC_PER_SEC / 10));
}
