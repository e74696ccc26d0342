/* What a collection was, read: from another node, so that a name of a file there may be anything. */

#include <errno.h>

#include <jansson.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/json_bound.h"
#include "bundles/node_status.h"
#include "bundles/plan_name.h"

#define TEXT_MAX  1024u                   /* of an error, a host's name */
#define TIME_MAX  (UINT64_C(100) * 86400) /* seconds that a source may have taken */
#define COUNT_MAX (INT64_C(1) << 52)

/* Of all its entries: the bundle adds up those of all nodes, and reads the sum back as a signed number. */
#define REDACTIONS_MAX (UINT64_C(1) << 40)

/* Twice what the most entries have. */
#define CONTAINERS_MAX (2 * NODE_STATUS_ENTRIES_MAX)
#define COMMAS_MAX     (24 * NODE_STATUS_ENTRIES_MAX)

static int wrong(struct err *e, const char *key, const char *what)
{
        return err_set(e, -EINVAL, "%s %s", key, what);
}

/* What a terminal obeys becomes '?': people read this. */
static char *harmless(const char *s)
{
        size_t n = strlen(s), at = 0, k;
        char *copy = malloc(n + 1);

        for (; copy && n > 0; s += k, n -= k) {
                k = utf8_harmless(s, n);
                if (k > 0)
                        memcpy(copy + at, s, k);
                else
                        copy[at] = '?';
                k = k ? k : 1;
                at += k;
        }
        if (copy)
                copy[at] = '\0';
        return copy;
}

static int take_text(char **ret, const json_t *o, const char *key, size_t n_max, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);

        if (!v || json_is_null(v) || (s && !*s))
                return 0;
        if (!s || strlen(s) >= n_max)
                return wrong(e, key, "is no text, or too long");
        *ret = harmless(s);
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int take_bool(bool *ret, const json_t *o, const char *key, struct err *e)
{
        const json_t *v = json_object_get(o, key);

        if (!json_is_boolean(v))
                return wrong(e, key, "is neither true nor false");
        *ret = json_is_true(v);
        return 0;
}

static int take_count(uint64_t *ret, const json_t *o, const char *key, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        json_int_t n = json_integer_value(v);

        if (!json_is_integer(v) || n < 0 || n > COUNT_MAX)
                return wrong(e, key, "is no count");
        *ret = (uint64_t)n;
        return 0;
}

static int take_seconds(uint64_t *ret, const json_t *o, const char *key, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        double seconds = json_number_value(v);

        if (!json_is_number(v) || !(seconds >= 0) || seconds > (double)TIME_MAX)
                return wrong(e, key, "is no duration");
        *ret = (uint64_t)(seconds * 1000 + 0.5) * 1000;
        return 0;
}

static int take_time(uint64_t *ret, const json_t *o, const char *key, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);

        if (!v || json_is_null(v))
                return 0;
        return s && rfc3339_parse(ret, s) == 0 ? 0 : wrong(e, key, "is no time");
}

static int take_path(char **ret, const json_t *o, struct err *e)
{
        const char *s = json_string_value(json_object_get(o, "path"));

        if (!s || !plan_name_is_clean(s))
                return wrong(e, "path", "is no relative, plain path");
        *ret = strdup(s);
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int take_sha256(char *ret, const json_t *o, struct err *e)
{
        const json_t *v = json_object_get(o, "sha256");
        const char *s = json_string_value(v);

        if (!v || json_is_null(v))
                return 0;
        if (!s || strlen(s) != DIGEST_HEX - 1 || s[strspn(s, "0123456789abcdef")])
                return wrong(e, "sha256", "is none");
        memcpy(ret, s, DIGEST_HEX);
        return 0;
}

static int take_kind(enum source_kind *ret, const json_t *o, struct err *e)
{
        const char *s = json_string_value(json_object_get(o, "kind"));

        return s && source_kind_from_string(ret, s) == 0
                       ? 0
                       : wrong(e, "kind", "is none that there is");
}

static int read_entry(struct node_status_entry *to, const json_t *o, struct err *e)
{
        int k = take_path(&to->path, o, e);

        if (k == 0)
                k = take_kind(&to->kind, o, e);
        if (k == 0)
                k = take_text(&to->source, o, "source", SOURCE_ID_MAX, e);
        if (k == 0)
                k = take_count(&to->size, o, "size", e);
        if (k == 0)
                k = take_sha256(to->sha256, o, e);
        if (k == 0)
                k = take_seconds(&to->took_usec, o, "duration_seconds", e);
        if (k == 0)
                k = take_count(&to->n_redactions, o, "redactions", e);
        if (k == 0)
                k = take_bool(&to->truncated, o, "truncated", e);
        if (k == 0)
                k = take_bool(&to->optional, o, "optional", e);
        return k < 0 ? k : take_text(&to->error, o, "error", TEXT_MAX, e);
}

static int read_entries(struct node_status *s, const json_t *o, struct err *e)
{
        const json_t *list = json_object_get(o, "entries");
        struct node_status_entry *entry;
        uint64_t n_redactions = 0;
        int k;

        if (!json_is_array(list))
                return wrong(e, "entries", "is no list");
        if (json_array_size(list) > NODE_STATUS_ENTRIES_MAX)
                return err_set(e, -E2BIG, "entries has more than %u", NODE_STATUS_ENTRIES_MAX);
        for (size_t i = 0; i < json_array_size(list); i++) {
                entry = node_status_add(s);
                if (!entry)
                        return err_set(e, -ENOMEM, "out of memory");
                k = read_entry(entry, json_array_get(list, i), e);
                n_redactions += entry->n_redactions;
                if (k == 0 && n_redactions > REDACTIONS_MAX)
                        k = wrong(e, "redactions", "makes more of them than there can be");
                if (k < 0) {
                        (void)err_prefix(e, "entries[%zu].", i);
                        return k;
                }
        }
        return 0;
}

/* At the root of an archive: "", for who has no directory of its own. */
static int take_prefix(struct node_status *s, const json_t *o, struct err *e)
{
        const char *prefix = json_string_value(json_object_get(o, "prefix"));

        if (!prefix || strchr(prefix, '/') || (*prefix && !plan_name_is_clean(prefix)))
                return wrong(e, "prefix", "is no plain name of a directory");
        s->prefix = strdup(prefix);
        return s->prefix ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int take_role(struct node_status *s, const json_t *o, struct err *e)
{
        const char *word = json_string_value(json_object_get(o, "role"));

        if (!word || (*word && diag_role_from_string(word, &s->role) < 0))
                return wrong(e, "role", "is none that there is");
        return 0;
}

static int read_status(struct node_status *s, const json_t *o, struct err *e)
{
        int k = take_prefix(s, o, e);

        if (k == 0)
                k = take_role(s, o, e);
        if (k == 0)
                k = take_text(&s->hostname, o, "hostname", TEXT_MAX, e);
        if (k == 0)
                k = take_text(&s->version, o, "version", TEXT_MAX, e);
        if (k == 0)
                k = take_time(&s->started_wall_usec, o, "started", e);
        if (k == 0)
                k = take_time(&s->finished_wall_usec, o, "finished", e);
        if (k == 0)
                k = take_time(&s->since_wall_usec, o, "since", e);
        if (k == 0)
                k = take_time(&s->until_wall_usec, o, "until", e);
        if (k == 0)
                k = take_bool(&s->redacted, o, "redacted", e);
        if (k == 0)
                k = take_bool(&s->partial, o, "partial", e);
        if (k == 0)
                k = take_text(&s->partial_reason, o, "partial_reason", TEXT_MAX, e);
        return k < 0 ? k : read_entries(s, o, e);
}

int node_status_read(struct node_status *ret, const char *json, size_t n, struct err *e)
{
        _cleanup_(node_status_done) struct node_status s = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_error_t where;
        int k;

        if (n > NODE_STATUS_BYTES_MAX)
                return err_set(e, -E2BIG, "is longer than %u bytes", NODE_STATUS_BYTES_MAX);
        if (!json_is_within(json, n, CONTAINERS_MAX, COMMAS_MAX))
                return err_set(e, -E2BIG, "holds more values than that of the most entries");
        o = json_loadb(json, n, JSON_REJECT_DUPLICATES, &where);
        if (!o)
                return err_set(e, -EINVAL, "line %d: %s", where.line, where.text);
        k = read_status(&s, o, e);
        if (k < 0)
                return k;
        *ret = s;
        s = (struct node_status){0};
        return 0;
}
