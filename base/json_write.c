/*
 * Appending JSON. The writer knows only whether a comma is due; that keys and values alternate is
 * the caller's business and the tests'.
 */

#include <assert.h>
#include <inttypes.h>

#include "base/json_write.h"
#include "base/mono.h"

static void jw_value(struct json_writer *w)
{
        if (w->need_comma)
                buf_putc(w->out, ',');
        w->need_comma = true;
}

static void jw_open(struct json_writer *w, char c)
{
        jw_value(w);
        buf_putc(w->out, c);
        w->need_comma = false;
        w->depth++;
}

static void jw_close(struct json_writer *w, char c)
{
        assert(w->depth > 0);
        buf_putc(w->out, c);
        w->need_comma = true;
        w->depth--;
}

void jw_begin_object(struct json_writer *w)
{
        jw_open(w, '{');
}

void jw_end_object(struct json_writer *w)
{
        jw_close(w, '}');
}

void jw_begin_array(struct json_writer *w)
{
        jw_open(w, '[');
}

void jw_end_array(struct json_writer *w)
{
        jw_close(w, ']');
}

void jw_key(struct json_writer *w, const char *key)
{
        jw_string(w, key);
        buf_putc(w->out, ':');
        w->need_comma = false;
}

size_t utf8_sequence(const char *s, size_t n)
{
        const unsigned char *u = (const unsigned char *)s;
        size_t len;
        uint32_t c;

        if (!n)
                return 0;
        if (u[0] < 0x80)
                return 1;
        if (u[0] < 0xc2 || u[0] > 0xf4)
                return 0;
        len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
        if (len > n)
                return 0;
        c = u[0] & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (u[i] & 0x3fu);
        }
        /* Overlong forms, surrogates, beyond Unicode. */
        if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000) || c > 0x10ffff ||
            (c >= 0xd800 && c <= 0xdfff))
                return 0;
        return len;
}

size_t utf8_harmless(const char *s, size_t n)
{
        size_t n_sequence = utf8_sequence(s, n);
        unsigned char c = (unsigned char)s[0];

        if (n_sequence == 1 && (c < 0x20 || c == 0x7f))
                return 0;
        if (n_sequence == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0)
                return 0;
        return n_sequence;
}

/* Ends a run of plain bytes where something must be escaped: 0 = plain, else what to write instead. */
static const char *escape_of(const char *s, size_t len, char hex[static 8])
{
        static const char digits[] = "0123456789abcdef";
        unsigned char c = (unsigned char)s[0];

        if (len == 0)
                return "\\ufffd";
        if (len == 3 && memcmp(s, "\xe2\x80\xa8", 3) == 0)
                return "\\u2028";
        if (len == 3 && memcmp(s, "\xe2\x80\xa9", 3) == 0)
                return "\\u2029";
        if (len > 1)
                return NULL;
        switch (c) {
        case '"':
                return "\\\"";
        case '\\':
                return "\\\\";
        case '\n':
                return "\\n";
        case '\r':
                return "\\r";
        case '\t':
                return "\\t";
        case '<':
        case '>':
        case '&':
        case 0x7f:
                break;
        default:
                if (c >= 0x20)
                        return NULL;
        }
        memcpy(hex, "\\u00", 4);
        hex[4] = digits[c >> 4];
        hex[5] = digits[c & 15];
        hex[6] = '\0';
        return hex;
}

void jw_string_n(struct json_writer *w, const char *s, size_t n)
{
        size_t plain = 0, i = 0;
        char hex[8];

        jw_value(w);
        buf_putc(w->out, '"');
        while (i < n) {
                size_t len = utf8_sequence(s + i, n - i);
                const char *escaped = escape_of(s + i, len, hex);

                if (escaped) {
                        buf_append(w->out, s + plain, i - plain);
                        buf_puts(w->out, escaped);
                        plain = i + (len ? len : 1);
                }
                i += len ? len : 1;
        }
        buf_append(w->out, s + plain, n - plain);
        buf_putc(w->out, '"');
}

void jw_string(struct json_writer *w, const char *s)
{
        s = str_or(s, "");
        jw_string_n(w, s, strlen(s));
}

void jw_uint(struct json_writer *w, uint64_t v)
{
        jw_value(w);
        buf_printf(w->out, "%" PRIu64, v);
}

void jw_int(struct json_writer *w, int64_t v)
{
        jw_value(w);
        buf_printf(w->out, "%" PRId64, v);
}

void jw_seconds(struct json_writer *w, uint64_t usec)
{
        unsigned msec = (unsigned)(usec % USEC_PER_SEC / USEC_PER_MSEC);
        int n_digits = 3;

        jw_value(w);
        buf_printf(w->out, "%" PRIu64, usec / USEC_PER_SEC);
        if (!msec)
                return;
        for (; msec % 10 == 0; msec /= 10)
                n_digits--;
        buf_printf(w->out, ".%0*u", n_digits, msec);
}

void jw_bool(struct json_writer *w, bool v)
{
        jw_value(w);
        buf_puts(w->out, v ? "true" : "false");
}

void jw_null(struct json_writer *w)
{
        jw_value(w);
        buf_puts(w->out, "null");
}

void jw_time(struct json_writer *w, uint64_t wall_usec)
{
        char s[RFC3339_MAX];

        if (wall_usec)
                jw_string(w, rfc3339_format(s, wall_usec));
        else
                jw_null(w);
}

void jw_member_string(struct json_writer *w, const char *key, const char *s)
{
        jw_key(w, key);
        jw_string(w, s);
}

void jw_member_string_or_null(struct json_writer *w, const char *key, const char *s)
{
        jw_key(w, key);
        if (str_empty(s))
                jw_null(w);
        else
                jw_string(w, s);
}

void jw_member_uint(struct json_writer *w, const char *key, uint64_t v)
{
        jw_key(w, key);
        jw_uint(w, v);
}

void jw_member_bool(struct json_writer *w, const char *key, bool v)
{
        jw_key(w, key);
        jw_bool(w, v);
}

void jw_member_time(struct json_writer *w, const char *key, uint64_t wall_usec)
{
        jw_key(w, key);
        jw_time(w, wall_usec);
}
