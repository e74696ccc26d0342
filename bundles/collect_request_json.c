/* What is asked of a collector, and what it answers: read. */

#include <errno.h>

#include <jansson.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/bundle.h"
#include "bundles/collect_request.h"
#include "model/unit_name.h"

#define KEY_SHOWN 60

static int no_memory(struct err *e)
{
        return err_set(e, -ENOMEM, "out of memory");
}

/* --- one value --------------------------------------------------------------------------------- */

static int take_op(struct collect_request *q, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        return s && collect_op_from_string(&q->op, s) == 0
                       ? 0
                       : err_set(e, -EINVAL, "is not archive, one, list or estimate");
}

static int take_role(struct collect_request *q, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        return s && diag_role_from_string(s, &q->role) == 0
                       ? 0
                       : err_set(e, -EINVAL, "is not master, agent or agent_public");
}

static int take_format(struct collect_request *q, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        return s && archive_format_from_string(&q->format, s) == 0
                       ? 0
                       : err_set(e, -EINVAL, "is not tar.zst, tar.gz or zip");
}

static int take_bool(bool *ret, const json_t *v, struct err *e)
{
        if (!json_is_boolean(v))
                return err_set(e, -EINVAL, "is neither true nor false");
        *ret = json_is_true(v);
        return 0;
}

static int take_fragment(struct collect_request *q, const json_t *v, struct err *e)
{
        return take_bool(&q->fragment, v, e);
}

static int take_redact(struct collect_request *q, const json_t *v, struct err *e)
{
        bool redact = true;
        int k = take_bool(&redact, v, e);

        q->no_redact = !redact;
        return k;
}

/* An address, a name, a role, and nothing that could leave its directory. */
static int take_prefix(struct collect_request *q, const json_t *v, struct err *e)
{
        static const char fine[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:";
        const char *s = json_string_value(v);
        size_t n = s ? strlen(s) : 0;

        if (n == 0 || n > UINT8_MAX || *s == '.' || *s == '-' || s[strspn(s, fine)])
                return err_set(e, -EINVAL, "is no plain name of a directory");
        memcpy(q->prefix, s, n + 1);
        return 0;
}

static int take_bundle(struct collect_request *q, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        if (!s || strlen(s) >= sizeof(q->bundle) || !bundle_id_is_valid(s))
                return err_set(e, -EINVAL, "is no id of a bundle");
        memcpy(q->bundle, s, strlen(s) + 1);
        return 0;
}

static int take_kinds(struct collect_request *q, const json_t *v, struct err *e)
{
        enum source_kind kind;
        unsigned kinds = 0;

        for (size_t i = 0; i < json_array_size(v); i++) {
                const char *s = json_string_value(json_array_get(v, i));

                if (!s || source_kind_from_string(&kind, s) < 0)
                        return err_set(e, -EINVAL, "[%zu] is no kind of source", i);
                kinds |= SOURCE_KIND_BIT(kind);
        }
        if (!kinds)
                return err_set(e, -EINVAL, "is no list of kinds");
        q->kinds = kinds;
        return 0;
}

static int take_id(struct collect_id *id, const json_t *v, struct err *e)
{
        const char *kind = json_string_value(json_object_get(v, "kind"));
        const char *s = json_string_value(json_object_get(v, "id"));

        if (!kind || source_kind_from_string(&id->kind, kind) < 0)
                return err_set(e, -EINVAL, "kind is none that there is");
        if (!s || !*s || strlen(s) >= SOURCE_ID_MAX)
                return err_set(e, -EINVAL, "id is no text of 1 to %u bytes", SOURCE_ID_MAX - 1);
        if (json_object_size(v) != 2)
                return err_set(e, -EINVAL, "there is more than kind and id");
        id->id = strdup(s);
        return id->id ? 0 : no_memory(e);
}

static int take_ids(struct collect_request *q, const json_t *v, struct err *e)
{
        size_t n = json_array_size(v);

        if (n == 0)
                return err_set(e, -EINVAL, "is no list of ids");
        if (n > COLLECT_IDS_MAX)
                return err_set(e, -E2BIG, "has more than %u", COLLECT_IDS_MAX);
        q->ids = calloc(n, sizeof(*q->ids));
        if (!q->ids)
                return no_memory(e);
        for (size_t i = 0; i < n; i++) {
                int k = take_id(&q->ids[q->n_ids++], json_array_get(v, i), e);

                if (k < 0) {
                        (void)err_prefix(e, "[%zu]: ", i);
                        return k;
                }
        }
        return 0;
}

static int take_units(struct collect_request *q, const json_t *v, struct err *e)
{
        size_t n = json_array_size(v);

        if (!json_is_array(v))
                return err_set(e, -EINVAL, "is no list of units");
        if (n > COLLECT_UNITS_MAX)
                return err_set(e, -E2BIG, "has more than %u", COLLECT_UNITS_MAX);
        q->units = calloc(n + 1, sizeof(*q->units));
        if (!q->units)
                return no_memory(e);
        for (size_t i = 0; i < n; i++) {
                const char *s = json_string_value(json_array_get(v, i));

                if (!s || !unit_name_is_unit(s))
                        return err_set(e, -EINVAL, "[%zu] is not the name of a unit", i);
                q->units[i] = strdup(s);
                if (!q->units[i])
                        return no_memory(e);
                q->n_units++;
        }
        return 0;
}

static int take_time(uint64_t *ret, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        /* 0 would be "not said". */
        return s && rfc3339_parse(ret, s) == 0 && *ret >= USEC_PER_SEC
                       ? 0
                       : err_set(e, -EINVAL, "is no time as 2026-11-21T00:04:07Z");
}

static int take_since(struct collect_request *q, const json_t *v, struct err *e)
{
        return take_time(&q->since_wall_usec, v, e);
}

static int take_until(struct collect_request *q, const json_t *v, struct err *e)
{
        return take_time(&q->until_wall_usec, v, e);
}

static int take_number(uint64_t *ret, const json_t *v, uint64_t max, struct err *e)
{
        json_int_t n = json_integer_value(v);

        if (!json_is_integer(v) || n < 1 || (uint64_t)n > max)
                return err_set(e, -EINVAL, "is no number of 1 to %llu", (unsigned long long)max);
        *ret = (uint64_t)n;
        return 0;
}

static int take_timeout(struct collect_request *q, const json_t *v, struct err *e)
{
        uint64_t ms = 0;
        int k = take_number(&ms, v, COLLECT_USEC_MAX / 1000, e);

        q->timeout_usec = ms * 1000;
        return k;
}

static int take_source_max(struct collect_request *q, const json_t *v, struct err *e)
{
        return take_number(&q->source_max_bytes, v, INT64_MAX, e);
}

static int take_max(struct collect_request *q, const json_t *v, struct err *e)
{
        return take_number(&q->max_bytes, v, INT64_MAX, e);
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_salt(struct collect_request *q, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        if (!s || strlen(s) != 2 * sizeof(q->salt) || s[strspn(s, "0123456789abcdef")])
                return err_set(e, -EINVAL, "is not %zu hex digits", 2 * sizeof(q->salt));
        for (size_t i = 0; i < sizeof(q->salt); i++)
                q->salt[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
        q->has_salt = true;
        return 0;
}

/* --- a request --------------------------------------------------------------------------------- */

static const struct {
        const char *key;
        int (*take)(struct collect_request *q, const json_t *v, struct err *e);
} fields[] = {
        {"op",               take_op        },
        {"role",             take_role      },
        {"format",           take_format    },
        {"fragment",         take_fragment  },
        {"prefix",           take_prefix    },
        {"bundle",           take_bundle    },
        {"kinds",            take_kinds     },
        {"ids",              take_ids       },
        {"units",            take_units     },
        {"since",            take_since     },
        {"until",            take_until     },
        {"timeout_ms",       take_timeout   },
        {"source_max_bytes", take_source_max},
        {"max_bytes",        take_max       },
        {"redact",           take_redact    },
        {"salt",             take_salt      },
};

static int take_member(struct collect_request *q, const char *key, const json_t *v, struct err *e)
{
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (streq(fields[i].key, key)) {
                        int k = fields[i].take(q, v, e);

                        if (k < 0)
                                (void)err_prefix(e, "%s ", key);
                        return k;
                }
        return err_set(e, -EINVAL, "unknown key %.*s", KEY_SHOWN, key);
}

static int check(const struct collect_request *q, struct err *e)
{
        if (q->op == COLLECT_ONE && q->n_ids != 1)
                return err_set(e, -EINVAL, "op one needs exactly one id");
        if (q->fragment && q->format == ARCHIVE_ZIP)
                return err_set(e, -EINVAL, "a zip has no fragments");
        if (q->fragment && !*q->prefix)
                return err_set(e, -EINVAL, "a fragment needs a prefix");
        if (q->until_wall_usec && q->until_wall_usec <= q->since_wall_usec)
                return err_set(e, -EINVAL, "until is not after since");
        return 0;
}

int collect_request_read(struct collect_request *ret, const char *json, size_t n, struct err *e)
{
        _cleanup_(collect_request_done) struct collect_request q = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_error_t where;
        const char *key;
        json_t *v;
        int k;

        if (n > COLLECT_REQUEST_BYTES_MAX)
                return err_set(e, -E2BIG, "is longer than %u bytes", COLLECT_REQUEST_BYTES_MAX);
        o = json_loadb(json, n, JSON_REJECT_DUPLICATES, &where);
        if (!o)
                return err_set(e, -EINVAL, "line %d: %s", where.line, where.text);
        if (!json_is_object(o))
                return err_set(e, -EINVAL, "is no object");
        json_object_foreach (o, key, v) {
                k = take_member(&q, key, v, e);
                if (k < 0)
                        return k;
        }
        k = check(&q, e);
        if (k < 0)
                return k;
        *ret = q;
        q = (struct collect_request){0};
        return 0;
}

/* --- events ------------------------------------------------------------------------------------ */

static int event_number(uint64_t *ret, const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        if (!v)
                return 0;
        if (!json_is_integer(v) || json_integer_value(v) < 0)
                return -EINVAL;
        *ret = (uint64_t)json_integer_value(v);
        return 0;
}

static int event_text(char *ret, size_t n_max, const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);
        size_t at = 0, k, left = s ? strlen(s) : 0;

        if (v && !s)
                return -EINVAL;
        for (; left > 0; s += k, left -= k) {
                k = utf8_harmless(s, left);
                if (at + (k ? k : 1) >= n_max)
                        break;
                if (k == 0)
                        ret[at++] = '?';
                else
                        memcpy(ret + at, s, k);
                at += k;
                k = k ? k : 1;
        }
        ret[at] = '\0';
        return 0;
}

int collect_event_read(struct collect_event *ret, const char *json, size_t n)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct collect_event event = {0};
        const json_t *partial;
        const char *kind;

        if (n > COLLECT_EVENT_BYTES_MAX)
                return -E2BIG;
        o = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
        kind = json_string_value(json_object_get(o, "event"));
        partial = json_object_get(o, "partial");
        if (!kind || collect_event_kind_from_string(&event.kind, kind) < 0 ||
            (partial && !json_is_boolean(partial)) ||
            event_number(&event.n_entries, o, "entries") < 0 ||
            event_number(&event.n_entries_total, o, "entries_total") < 0 ||
            event_number(&event.n_failed, o, "failed") < 0 ||
            event_number(&event.n_truncated, o, "truncated") < 0 ||
            event_number(&event.n_redactions, o, "redactions") < 0 ||
            event_number(&event.n_bytes, o, "bytes") < 0 ||
            event_text(event.source, sizeof(event.source), o, "source") < 0 ||
            event_text(event.code, sizeof(event.code), o, "code") < 0 ||
            event_text(event.error, sizeof(event.error), o, "error") < 0)
                return -EINVAL;
        event.partial = json_is_true(partial);
        *ret = event;
        return 0;
}
