/* Reading what a request says: arguments of its path, and its query (WHATWG URL §5.1, as forms send it). */

#include "api/request.h"

const char *request_arg(const struct request *q, const char *name)
{
        for (size_t i = 0; i < q->n_args; i++)
                if (streq(q->args[i].name, name))
                        return q->args[i].value;
        return NULL;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded byte of [*s, end); -1 for a bad escape and for NUL, which no value of ours contains. */
static int query_byte(const char **s, const char *end)
{
        const char *p = *s;
        int high, low;

        *s = p + 1;
        if (*p != '%')
                return *p == '+' ? ' ' : (unsigned char)*p;
        if (end - p < 3 || (high = hex_digit(p[1])) < 0 || (low = hex_digit(p[2])) < 0)
                return -1;
        *s = p + 3;
        return high || low ? high << 4 | low : -1;
}

static bool query_key_is(const char *s, const char *end, const char *key)
{
        while (s < end)
                if (!*key || query_byte(&s, end) != (unsigned char)*key++)
                        return false;
        return !*key;
}

static void query_value(const char *s, const char *end, char *buf, size_t n_buf)
{
        size_t n = 0;

        while (s < end) {
                int c = query_byte(&s, end);

                if (c < 0 || n + 1 >= n_buf) {
                        n = 0;
                        break;
                }
                buf[n++] = (char)c;
        }
        if (n_buf > 0)
                buf[n] = '\0';
}

bool request_query(const struct request *q, const char *key, char *buf, size_t n_buf)
{
        for (const char *s = q->query; *s;) {
                size_t n = strcspn(s, "&");
                const char *end = s + n, *equals = memchr(s, '=', n);

                if (query_key_is(s, equals ? equals : end, key)) {
                        query_value(equals ? equals + 1 : end, end, buf, n_buf);
                        return true;
                }
                s = *end ? end + 1 : end;
        }
        return false;
}
