/*
 * Matching a request target against tables. A target is checked, decoded and cleaned before it is
 * looked up, so that no handler ever sees "..", "//" or a '/' inside a name; what did not come in its
 * one clean form is sent there with a redirect. Nothing here allocates.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "api/route.h"

static bool is_alnum(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9112 §3.2.1, origin-form only: we are no proxy. '#' begins what a client never sends. */
static bool target_is_sane(const char *s)
{
        if (*s != '/')
                return false;
        for (; *s; s++)
                if (*s <= ' ' || *s >= 0x7f || *s == '#')
                        return false;
        return true;
}

/* @out has room for @n bytes and a NUL. An encoded NUL would cut the path for everybody after us. */
static int path_decode(char *out, const char *s, size_t n)
{
        for (const char *end = s + n; s < end; s++) {
                int high, low;

                if (*s != '%') {
                        *out++ = *s;
                        continue;
                }
                if (end - s < 3)
                        return -EINVAL;
                high = hex_digit(s[1]);
                low = hex_digit(s[2]);
                if (high < 0 || low < 0 || (high == 0 && low == 0))
                        return -EINVAL;
                *out++ = (char)(high << 4 | low);
                s += 2;
        }
        *out = '\0';
        return 0;
}

static bool segment_is(const char *s, size_t n, const char *what)
{
        return n == strlen(what) && memcmp(s, what, n) == 0;
}

/*
 * Drop empty segments, "." and ".." in place; a trailing slash stays. The rest moves to the front and
 * never overtakes what is still to be read, because every kept segment had its own '/'.
 * Return: true when anything was dropped.
 */
static bool path_clean(char *path)
{
        size_t n_before = strlen(path), n = 0;
        bool slash = path[n_before - 1] == '/';

        for (const char *in = path; *in;) {
                size_t n_segment;

                in += strspn(in, "/");
                n_segment = strcspn(in, "/");
                if (segment_is(in, n_segment, "..")) {
                        while (n > 0 && path[--n] != '/')
                                ;
                } else if (n_segment > 0 && !segment_is(in, n_segment, ".")) {
                        path[n++] = '/';
                        memmove(path + n, in, n_segment);
                        n += n_segment;
                }
                in += n_segment;
        }
        if (slash || n == 0)
                path[n++] = '/';
        path[n] = '\0';
        return n != n_before;
}

/* What RFC 3986 §3.3 allows in a path as it is. A '\' is not: browsers read it as '/'. */
static bool is_path_char(char c)
{
        return is_alnum(c) || (c && strchr("-._~!$&'()*+,;=:@/", c));
}

/* False when it does not fit: an encoded path may be three times as long as the one we were given. */
static bool location_make(struct route_match *m, size_t n_path)
{
        static const char hex[] = "0123456789ABCDEF";
        size_t n = 0;
        int n_query;

        for (size_t i = 0; i < n_path; i++) {
                unsigned char c = (unsigned char)m->path[i];
                bool plain = is_path_char(m->path[i]);

                if (sizeof(m->location) - n <= (plain ? 1 : 3))
                        return false;
                m->location[n++] = plain ? m->path[i] : '%';
                if (!plain) {
                        m->location[n++] = hex[c >> 4];
                        m->location[n++] = hex[c & 15];
                }
        }
        n_query = snprintf(m->location + n, sizeof(m->location) - n, "%s%s", *m->query ? "?" : "",
                           m->query);
        return n_query >= 0 && (size_t)n_query < sizeof(m->location) - n;
}

/* False when the path that is meant would not fit. */
static bool alias_resolve(const struct route_alias *alias, char path[static ROUTE_PATH_MAX])
{
        for (; alias && alias->prefix; alias++) {
                size_t n_prefix = strlen(alias->prefix), n_meant = strlen(alias->meant);
                char *rest = path + n_prefix;

                if (strncmp(path, alias->prefix, n_prefix) != 0 || (*rest && *rest != '/'))
                        continue;
                if (n_meant + strlen(rest) >= ROUTE_PATH_MAX)
                        return false;
                memmove(path + n_meant, rest, strlen(rest) + 1);
                memcpy(path, alias->meant, n_meant);
                return true;
        }
        return true;
}

/* Where the next argument goes. The values cannot overflow: each had a '/' in front of it. */
struct capture {
        struct route_match *match;
        char *name, *value;
};

static void capture_add(struct capture *c, const char *name, size_t n_name, const char *value,
                        size_t n_value)
{
        struct route_match *m = c->match;

        assert(m->n_args < REQUEST_ARGS_MAX);
        assert(n_name < (size_t)(m->arg_names + sizeof(m->arg_names) - c->name));
        m->args[m->n_args].name = memcpy(c->name, name, n_name);
        m->args[m->n_args++].value = memcpy(c->value, value, n_value);
        c->name[n_name] = c->value[n_value] = '\0';
        c->name += n_name + 1;
        c->value += n_value + 1;
}

static bool pattern_matches(struct route_match *m, const char *pattern)
{
        struct capture capture = {m, m->arg_names, m->arg_values};
        const char *path = m->path;

        for (m->n_args = 0; *pattern; pattern++) {
                size_t n_name, n_value;

                if (*pattern != '{') {
                        if (*pattern != *path++)
                                return false;
                        continue;
                }
                n_name = strcspn(++pattern, "}");
                n_value = strcspn(path, "/");
                if (n_value == 0)
                        return false;
                capture_add(&capture, pattern, n_name, path, n_value);
                pattern += n_name;
                path += n_value;
        }
        return !*path;
}

static void allow_add(struct route_match *m, const char *method)
{
        size_t n = strlen(m->allow);
        int n_more;

        if (strstr(m->allow, method))
                return;
        n_more = snprintf(m->allow + n, sizeof(m->allow) - n, "%s%s%s", n ? ", " : "", method,
                          streq(method, "GET") ? ", HEAD" : "");
        assert(n_more >= 0 && (size_t)n_more < sizeof(m->allow) - n);
        (void)n_more;
}

static bool method_matches(const struct route *r, const char *method)
{
        return streq(r->method, method) || (streq(r->method, "GET") && streq(method, "HEAD"));
}

static enum route_result table_look_up(const struct router *router, const char *method,
                                       struct route_match *m)
{
        for (const struct route *const *table = router->tables; *table; table++)
                for (const struct route *r = *table; r->method; r++) {
                        if (!pattern_matches(m, r->pattern))
                                continue;
                        if (method_matches(r, method)) {
                                m->route = r;
                                return ROUTE_FOUND;
                        }
                        allow_add(m, r->method);
                }
        return *m->allow ? ROUTE_NOT_METHOD : ROUTE_NOT_FOUND;
}

/* "/a/b/" is "/a/b" badly written, but only for somebody who may do there what he wants to do. */
static enum route_result slash_look_up(const struct router *router, const char *method,
                                       struct route_match *m)
{
        size_t n = strlen(m->path);
        enum route_result result;

        if (n < 2 || m->path[n - 1] != '/')
                return ROUTE_NOT_FOUND;
        m->path[n - 1] = '\0';
        result = table_look_up(router, method, m);
        return result == ROUTE_FOUND ? ROUTE_MOVED : result;
}

static bool is_below(const char *target, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(target, prefix, n) == 0 && strchr("/?", target[n]);
}

bool route_has_json_errors(const struct router *router, const char *target)
{
        const struct route_alias *a = router->aliases;

        if (!router->json_errors_below)
                return false;
        for (; a && a->prefix; a++)
                if (streq(a->meant, router->json_errors_below) && is_below(target, a->prefix))
                        return true;
        return is_below(target, router->json_errors_below);
}

enum route_result route_resolve(const struct router *router, const char *method, const char *target,
                                struct route_match *m)
{
        size_t n_path = strcspn(target, "?");
        enum route_result result;

        m->route = NULL;
        m->query = target[n_path] ? target + n_path + 1 : "";
        m->allow[0] = m->location[0] = '\0';
        m->n_args = 0;

        if (n_path >= ROUTE_PATH_MAX || !target_is_sane(target) ||
            path_decode(m->path, target, n_path) < 0)
                return ROUTE_BAD;
        if (path_clean(m->path))
                return location_make(m, strlen(m->path)) ? ROUTE_MOVED : ROUTE_BAD;
        /* The location of a trailing slash is made now: it keeps the words of the client. */
        n_path = strlen(m->path);
        if (!location_make(m, n_path - (n_path > 1 && m->path[n_path - 1] == '/')))
                return ROUTE_BAD;
        if (!alias_resolve(router->aliases, m->path))
                return ROUTE_NOT_FOUND;

        result = table_look_up(router, method, m);
        return result == ROUTE_NOT_FOUND ? slash_look_up(router, method, m) : result;
}
