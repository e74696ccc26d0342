/*
 * Errors for people. The text is made once, where the facts are at hand, and travels by value: no
 * allocation, so that "out of memory" can be reported like anything else.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_write.h"

/* Words of others are quoted in it, and end up on terminals and in files: C1 is obeyed as C0 is. */
static void scrub(char *s)
{
        size_t k;

        for (size_t n = strlen(s); n > 0; s += k, n -= k) {
                k = utf8_harmless(s, n);
                if (k == 0) {
                        *s = '?';
                        k = 1;
                }
        }
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
        va_list ap;

        if (!e)
                return code;
        e->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        scrub(e->text);
        return code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
        char rest[sizeof(e->text)];
        va_list ap;
        int n;

        if (!e)
                return 0;
        memcpy(rest, e->text, sizeof(rest));
        va_start(ap, fmt);
        n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof(e->text))
                (void)snprintf(e->text + n, sizeof(e->text) - (size_t)n, "%s", rest);
        scrub(e->text);
        return e->code;
}

bool err_is_shortage(int code)
{
        return code == -ENOMEM || code == -ENOBUFS || code == -EAGAIN || code == -EMFILE ||
               code == -ENFILE;
}
