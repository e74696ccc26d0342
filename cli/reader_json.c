/* A fault is said once, with the name of the member; what is read after it does not count any more. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/reader_json.h"

#define SECONDS_MAX 1e12 /* 30,000 years: whatever is above is as long as can be */

static _printf_(3, 4) void fail(struct json_reader *r, int code, const char *fmt, ...)
{
        char text[128];
        va_list ap;

        if (r->error)
                return;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        r->error = err_set(r->e, code, "%s", text);
}

/* NULL also for null. */
static const json_t *member(const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        return json_is_null(v) ? NULL : v;
}

json_t *json_reader_parse(struct json_reader *r, const char *text, size_t n, size_t n_max)
{
        json_error_t je;
        json_t *o;

        if (n > n_max) {
                fail(r, -E2BIG, "%zu bytes are more than %zu", n, n_max);
                return NULL;
        }
        o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                fail(r, -EBADMSG, "line %d: %s", je.line, je.text);
        else if (!json_is_object(o))
                fail(r, -EBADMSG, "the document is not an object");
        if (!r->error)
                return o;
        json_decref(o);
        return NULL;
}

int json_reader_end(struct json_reader *r)
{
        if (r->arena->failed)
                fail(r, -ENOMEM, "out of memory");
        return r->error;
}

const char *json_reader_string(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_string(v))
                fail(r, -EBADMSG, "%s is not a string", key);
        return arena_strdup(r->arena, json_string_value(v));
}

int64_t json_reader_int(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_integer(v))
                fail(r, -EBADMSG, "%s is not a whole number", key);
        return json_integer_value(v);
}

uint64_t json_reader_uint(struct json_reader *r, const json_t *o, const char *key)
{
        int64_t n = json_reader_int(r, o, key);

        if (n < 0)
                fail(r, -EBADMSG, "%s is less than nothing", key);
        return n < 0 ? 0 : (uint64_t)n;
}

bool json_reader_bool(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_boolean(v))
                fail(r, -EBADMSG, "%s is neither true nor false", key);
        return json_is_true(v);
}

uint64_t json_reader_time(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);
        const char *s = json_string_value(v);
        uint64_t wall_usec = 0;

        if (v && (!s || rfc3339_parse(&wall_usec, s) < 0))
                fail(r, -EBADMSG, "%s is not a time", key);
        return wall_usec;
}

uint64_t json_reader_seconds(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);
        double seconds = json_number_value(v);

        if (!v)
                return USEC_INFINITY;
        if (!json_is_number(v) || seconds < 0) {
                fail(r, -EBADMSG, "%s is not a number of seconds", key);
                return USEC_INFINITY;
        }
        return seconds < SECONDS_MAX ? (uint64_t)(seconds * (double)USEC_PER_SEC) : USEC_INFINITY;
}

const json_t *json_reader_object(struct json_reader *r, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_object(v))
                fail(r, -EBADMSG, "%s is not an object", key);
        return json_is_object(v) ? v : NULL;
}

const json_t *json_reader_array(struct json_reader *r, const json_t *o, const char *key,
                                size_t n_max)
{
        const json_t *v = member(o, key);

        if (v && !json_is_array(v))
                fail(r, -EBADMSG, "%s is not a list", key);
        else if (json_array_size(v) > n_max)
                fail(r, -E2BIG, "%s has more than %zu items", key, n_max);
        return r->error ? NULL : v;
}

const json_t *json_reader_item(struct json_reader *r, const json_t *array, size_t i)
{
        const json_t *v = json_array_get(array, i);

        if (!json_is_object(v))
                fail(r, -EBADMSG, "an item of a list is not an object");
        return json_is_object(v) ? v : NULL;
}

void *json_reader_alloc(struct json_reader *r, size_t n, size_t size)
{
        size_t n_bytes;
        void *p = NULL;

        if (!__builtin_mul_overflow(n, size, &n_bytes))
                p = arena_alloc(r->arena, n_bytes);
        if (!p)
                fail(r, -ENOMEM, "out of memory");
        return p;
}

struct json_words json_reader_words(struct json_reader *r, const json_t *o, const char *key,
                                    size_t n_max)
{
        const json_t *array = json_reader_array(r, o, key, n_max);
        size_t n = json_array_size(array);
        const char **s = n > 0 ? json_reader_alloc(r, n, sizeof(*s)) : NULL;

        for (size_t i = 0; s && i < n; i++) {
                const json_t *v = json_array_get(array, i);

                if (!json_is_string(v))
                        fail(r, -EBADMSG, "an item of %s is not a string", key);
                s[i] = arena_strdup(r->arena, json_string_value(v));
        }
        return (struct json_words){.s = s, .n = s ? n : 0};
}

/* Without it there is no telling whether it is over. */
static uint64_t read_bound(struct json_reader *r, const json_t *o, const char *key)
{
        if (!member(o, key))
                fail(r, -EBADMSG, "%s is not a time", key);
        return json_reader_time(r, o, key);
}

const struct diag_maintenance *json_reader_maintenance(struct json_reader *r, const json_t *o,
                                                       const char *key)
{
        const json_t *v = json_reader_object(r, o, key);
        struct diag_maintenance *m = v ? json_reader_alloc(r, 1, sizeof(*m)) : NULL;

        if (!m)
                return NULL;
        m->since_wall_usec = read_bound(r, v, "since");
        m->until_wall_usec = read_bound(r, v, "until");
        m->by = json_reader_string(r, v, "by");
        m->reason = json_reader_string(r, v, "reason");
        return m;
}

void *json_reader_list(struct json_reader *r, const json_t *o, const char *key, size_t n_max,
                       size_t size, void (*read)(struct json_reader *r, const json_t *o, void *ret),
                       size_t *ret_n)
{
        const json_t *array = json_reader_array(r, o, key, n_max);
        size_t n = json_array_size(array);
        char *items = n > 0 ? json_reader_alloc(r, n, size) : NULL;

        for (size_t i = 0; items && i < n; i++)
                read(r, json_reader_item(r, array, i), items + i * size);
        *ret_n = items ? n : 0;
        return items;
}
