/* Prometheus' text format, appended. No float is ever printed: a locale may spell its point. */

#include <inttypes.h>

#include "api/exposition.h"
#include "base/json_write.h"
#include "base/mono.h"

void exposition_family(struct buf *out, const char *name, const char *type, const char *help)
{
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_value(struct buf *out, const char *s)
{
        for (size_t n = strlen(s), len; n > 0; s += len, n -= len) {
                len = utf8_sequence(s, n);
                if (len == 0) {
                        buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
                        len = 1;
                } else if (*s == '\n') {
                        buf_puts(out, "\\n");
                } else {
                        if (*s == '\\' || *s == '"')
                                buf_putc(out, '\\');
                        buf_append(out, s, len);
                }
        }
}

static void begin_sample(struct buf *out, const char *name, const struct exposition_label *labels)
{
        const struct exposition_label *l;

        buf_puts(out, name);
        for (l = labels; l && l->name; l++) {
                buf_printf(out, "%c%s=\"", l == labels ? '{' : ',', l->name);
                write_value(out, l->value);
                buf_putc(out, '"');
        }
        if (l != labels)
                buf_putc(out, '}');
        buf_putc(out, ' ');
}

void exposition_uint(struct buf *out, const char *name, const struct exposition_label *labels,
                     uint64_t value)
{
        begin_sample(out, name, labels);
        buf_printf(out, "%" PRIu64 "\n", value);
}

void exposition_seconds(struct buf *out, const char *name, const struct exposition_label *labels,
                        uint64_t usec)
{
        begin_sample(out, name, labels);
        if (usec == USEC_INFINITY)
                buf_puts(out, "+Inf\n");
        else
                buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", usec / USEC_PER_SEC,
                           usec % USEC_PER_SEC);
}
