/*
 * Bundles, read: from a state.json that another process writes, from another master, and what a client asks for.
 * The first two are read with tolerance for what newer ones add; a request is read strictly, because a key that is
 * misspelled would silently make another bundle than the one that was meant.
 */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/bundle.h"
#include "bundles/json_bound.h"

/* Twice what the most nodes have; a list of many bundles has fewer of both. */
#define CONTAINERS_MAX (2 * BUNDLE_NODES_MAX)
#define COMMAS_MAX     (1u << 20)

#define SECONDS_MAX 1e9 /* a double still has microseconds there */

/* A place in the document, for errors: "nodes[3].bytes". The first fault counts. */
struct reader {
        struct err *e;
        char where[40]; /* "" at the top, else with its dot */
        int error;
};

static void wrong(struct reader *rd, const char *key, const char *want)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -EINVAL, "%s%s is not %s", rd->where, key, want);
}

static void too_long(struct reader *rd, const char *key, size_t max)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -E2BIG, "%s%s has more than %zu", rd->where, key, max);
}

static void no_memory(struct reader *rd)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -ENOMEM, "out of memory");
}

/* --- members ----------------------------------------------------------------------------------- */

/* null and absent are the same: not known. */
static json_t *member(const json_t *o, const char *key)
{
        json_t *v = json_object_get(o, key);

        return json_is_null(v) ? NULL : v;
}

static const char *get_string(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_string(v))
                wrong(rd, key, "a string");
        return json_is_string(v) ? json_string_value(v) : "";
}

static uint64_t get_uint(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && (!json_is_integer(v) || json_integer_value(v) < 0)) {
                wrong(rd, key, "a whole number");
                return 0;
        }
        return (uint64_t)json_integer_value(v);
}

static bool get_bool(struct reader *rd, const json_t *o, const char *key, bool otherwise)
{
        const json_t *v = member(o, key);

        if (v && !json_is_boolean(v))
                wrong(rd, key, "true or false");
        return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static uint64_t get_time(struct reader *rd, const json_t *o, const char *key)
{
        const char *s = get_string(rd, o, key);
        uint64_t usec = 0;

        if (*s && rfc3339_parse(&usec, s) < 0)
                wrong(rd, key, "a time (RFC 3339)");
        return usec - usec % USEC_PER_MSEC; /* as it is written */
}

static uint64_t get_seconds(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);
        double s = json_number_value(v);

        if (v && (!json_is_number(v) || s < 0 || s > SECONDS_MAX)) {
                wrong(rd, key, "a number of seconds");
                return 0;
        }
        return (uint64_t)(s * (double)USEC_PER_SEC + 0.5);
}

static json_t *get_object(struct reader *rd, const json_t *o, const char *key)
{
        json_t *v = member(o, key);

        if (v && !json_is_object(v)) {
                wrong(rd, key, "an object");
                return NULL;
        }
        return v;
}

static json_t *get_array(struct reader *rd, const json_t *o, const char *key, size_t max)
{
        json_t *v = member(o, key);

        if (v && !json_is_array(v)) {
                wrong(rd, key, "a list");
                return NULL;
        }
        if (v && json_array_size(v) > max) {
                too_long(rd, key, max);
                return NULL;
        }
        return v;
}

/* It ends up in front of people: what a terminal obeys becomes '?'. */
static void make_harmless(char *s)
{
        size_t n = strlen(s), k;

        for (size_t i = 0; i < n; i += k) {
                k = utf8_harmless(s + i, n - i);
                if (k == 0) {
                        s[i] = '?';
                        k = 1;
                }
        }
}

/* The writer cuts at @max bytes; what it replaces in them may take three for one. */
static char *get_text(struct reader *rd, const json_t *o, const char *key, size_t max)
{
        const char *s = get_string(rd, o, key);
        char *made;

        if (!*s)
                return NULL;
        if (strlen(s) > 3 * max) {
                too_long(rd, key, 3 * max);
                return NULL;
        }
        made = strdup(s);
        if (!made)
                no_memory(rd);
        else
                make_harmless(made);
        return made;
}

/* --- what is asked for ------------------------------------------------------------------------- */

/* Words, addresses, names, ids: nothing in them needs quoting anywhere. */
static bool is_word(const char *s)
{
        static const char plain[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-%";
        size_t n = strspn(s, plain);

        return n > 0 && n <= BUNDLE_WORD_MAX && !s[n];
}

static bool add_word(struct reader *rd, struct bundle_request *q, const json_t *v, size_t i)
{
        char key[32];

        (void)snprintf(key, sizeof(key), "nodes[%zu]", i);
        if (!json_is_string(v) || !is_word(json_string_value(v))) {
                wrong(rd, key, "the name or the address of a node, or a word for nodes");
                return false;
        }
        q->nodes[q->n_nodes] = strdup(json_string_value(v));
        if (!q->nodes[q->n_nodes]) {
                no_memory(rd);
                return false;
        }
        q->n_nodes++;
        return true;
}

static void read_words(struct reader *rd, struct bundle_request *q, const json_t *o)
{
        const json_t *list = get_array(rd, o, "nodes", BUNDLE_WORDS_MAX), *v;
        size_t i;

        if (!list || json_array_size(list) == 0)
                return;
        q->nodes = calloc(json_array_size(list), sizeof(*q->nodes));
        if (!q->nodes) {
                no_memory(rd);
                return;
        }
        json_array_foreach (list, i, v)
                if (!add_word(rd, q, v, i))
                        return;
}

static unsigned read_kinds(struct reader *rd, const json_t *o)
{
        const json_t *list = get_array(rd, o, "kinds", SOURCE_N_KINDS), *v;
        enum source_kind kind;
        unsigned kinds = 0;
        char key[32];
        size_t i;

        json_array_foreach (list, i, v) {
                (void)snprintf(key, sizeof(key), "kinds[%zu]", i);
                if (json_is_string(v) && source_kind_from_string(&kind, json_string_value(v)) >= 0)
                        kinds |= SOURCE_KIND_BIT(kind);
                else
                        wrong(rd, key, "journal, file, command, http, systemd, host or health");
        }
        return kinds;
}

static enum archive_format read_format(struct reader *rd, const json_t *o)
{
        const char *s = get_string(rd, o, "format");
        enum archive_format format = ARCHIVE_TAR_ZSTD;

        if (*s && archive_format_from_string(&format, s) < 0)
                wrong(rd, "format", "tar.zst, tar.gz or zip");
        return format;
}

static void read_request(struct reader *rd, struct bundle_request *q, const json_t *o)
{
        read_words(rd, q, o);
        q->since_wall_usec = get_time(rd, o, "since");
        q->until_wall_usec = get_time(rd, o, "until");
        q->kinds = read_kinds(rd, o);
        q->format = read_format(rd, o);
        q->no_redact = !get_bool(rd, o, "redact", true);
}

static void refuse_unknown_keys(struct reader *rd, json_t *o)
{
        static const char *const known[] = {"id",    "nodes",  "since", "until",
                                            "kinds", "format", "redact"};
        const char *key;
        json_t *v;

        json_object_foreach (o, key, v) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(known); i++)
                        found = found || streq(key, known[i]);
                if (!found && !rd->error)
                        rd->error = err_set(rd->e, -EINVAL, "there is no key %.80s", key);
        }
}

static void read_id(struct reader *rd, char id[static BUNDLE_ID_MAX], const json_t *o)
{
        const char *s = get_string(rd, o, "id");

        id[0] = '\0';
        if (!member(o, "id"))
                return;
        if (!bundle_id_is_valid(s))
                wrong(rd, "id", "1 to 128 of letters, digits, '.', '_' and '-', the first no '.'");
        else
                (void)snprintf(id, BUNDLE_ID_MAX, "%s", s);
}

static json_t *load_object(struct reader *rd, const char *what, const char *json, size_t n)
{
        json_error_t je;
        json_t *o;

        if (!json_is_within(json, n, CONTAINERS_MAX, COMMAS_MAX)) {
                rd->error = err_set(rd->e, -EINVAL, "%s holds more values than any has", what);
                return NULL;
        }
        o = json_loadb(json, n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                rd->error = err_set(rd->e, -EINVAL, "%s is not JSON: line %d: %s", what, je.line,
                                    je.text);
        else if (!json_is_object(o))
                rd->error = err_set(rd->e, -EINVAL, "%s is not an object", what);
        return o;
}

int bundle_request_read(struct bundle_request *ret, char id[static BUNDLE_ID_MAX], const char *json,
                        size_t n, struct err *e)
{
        struct reader rd = {.e = e};
        _cleanup_(json_decrefp) json_t *o = load_object(&rd, "the body", json, n);
        struct bundle_request q = {0};

        if (rd.error)
                return rd.error;
        refuse_unknown_keys(&rd, o);
        read_id(&rd, id, o);
        read_request(&rd, &q, o);
        if (q.until_wall_usec && q.since_wall_usec >= q.until_wall_usec)
                wrong(&rd, "since", "before until");
        if (rd.error) {
                bundle_request_done(&q);
                return rd.error == -E2BIG ? -EINVAL : rd.error;
        }
        *ret = q;
        return 0;
}

/* --- bundles ----------------------------------------------------------------------------------- */

static void read_node(struct reader *rd, struct bundle_node *n, const json_t *o)
{
        const char *role = get_string(rd, o, "role");

        n->node_id = get_text(rd, o, "node_id", BUNDLE_WORD_MAX);
        n->address = get_text(rd, o, "address", BUNDLE_WORD_MAX);
        (void)diag_role_from_string(role, &n->role);
        n->state = bundle_node_state_from_string(get_string(rd, o, "state"));
        n->n_bytes = get_uint(rd, o, "bytes");
        n->n_entries = get_uint(rd, o, "entries");
        n->n_failed_entries = get_uint(rd, o, "failed_entries");
        n->n_redactions = get_uint(rd, o, "redactions");
        n->error = get_text(rd, o, "error", BUNDLE_NODE_TEXT_MAX);
        n->took_usec = get_seconds(rd, o, "took_seconds");
}

static void read_nodes(struct reader *rd, struct bundle *b, const json_t *o)
{
        const json_t *list = get_array(rd, o, "nodes", BUNDLE_NODES_MAX), *v;
        size_t i;

        if (!list || json_array_size(list) == 0)
                return;
        b->nodes = calloc(json_array_size(list), sizeof(*b->nodes));
        if (!b->nodes) {
                no_memory(rd);
                return;
        }
        b->n_nodes = json_array_size(list);
        json_array_foreach (list, i, v) {
                (void)snprintf(rd->where, sizeof(rd->where), "nodes[%zu].", i);
                if (!json_is_object(v))
                        wrong(rd, "", "an object");
                read_node(rd, &b->nodes[i], v);
        }
        rd->where[0] = '\0';
}

static void read_progress(struct reader *rd, struct bundle *b, const json_t *bundle)
{
        const json_t *o = get_object(rd, bundle, "progress");
        _cleanup_(freep) char *current = NULL;

        (void)snprintf(rd->where, sizeof(rd->where), "progress.");
        b->n_nodes_total = get_uint(rd, o, "nodes_total");
        b->n_nodes_done = get_uint(rd, o, "nodes_done");
        b->n_nodes_failed = get_uint(rd, o, "nodes_failed");
        b->n_received_bytes = get_uint(rd, o, "received_bytes");
        current = get_text(rd, o, "current", sizeof(b->current));
        (void)snprintf(b->current, sizeof(b->current), "%s", str_or(current, ""));
        rd->where[0] = '\0';
}

static void read_sha256(struct reader *rd, struct bundle *b, const json_t *o)
{
        const char *s = get_string(rd, o, "sha256");

        if (*s && (strlen(s) != DIGEST_HEX - 1 || s[strspn(s, "0123456789abcdef")]))
                wrong(rd, "sha256", "64 hexadecimal digits");
        else
                (void)snprintf(b->sha256, sizeof(b->sha256), "%s", s);
}

/* It becomes a part of a path: only what a bundle's file can be called. */
static void read_file(struct reader *rd, struct bundle *b, const json_t *o)
{
        static const char prefix[] = "file.";
        const char *s = get_string(rd, o, "file");
        enum archive_format format;

        if (!*s)
                return;
        if (strncmp(s, prefix, strlen(prefix)) != 0 ||
            archive_format_from_string(&format, s + strlen(prefix)) < 0)
                wrong(rd, "file", "file.tar.zst, file.tar.gz or file.zip");
        else
                (void)snprintf(b->file, sizeof(b->file), "%s", s);
}

static void read_type(struct reader *rd, struct bundle *b, const json_t *o)
{
        const char *s = get_string(rd, o, "type");

        b->type = streq(s, "node") ? BUNDLE_NODE : BUNDLE_CLUSTER;
        if (!streq(s, "node") && !streq(s, "cluster"))
                wrong(rd, "type", "cluster or node");
}

static void read_bundle(struct reader *rd, struct bundle *b, const json_t *o)
{
        const json_t *request = get_object(rd, o, "request");

        read_id(rd, b->id, o);
        if (!b->id[0])
                wrong(rd, "id", "there");
        read_type(rd, b, o);
        b->state = bundle_state_from_string(get_string(rd, o, "state"));
        b->created_wall_usec = get_time(rd, o, "created");
        b->finished_wall_usec = get_time(rd, o, "finished");
        b->by = get_text(rd, o, "by", BUNDLE_TEXT_MAX);
        b->observer = get_text(rd, o, "observer", BUNDLE_WORD_MAX);
        (void)snprintf(rd->where, sizeof(rd->where), "request.");
        read_request(rd, &b->request, request);
        rd->where[0] = '\0';
        read_progress(rd, b, o);
        b->size_bytes = get_uint(rd, o, "size_bytes");
        read_sha256(rd, b, o);
        b->partial = get_bool(rd, o, "partial", false);
        b->error = get_text(rd, o, "error", BUNDLE_TEXT_MAX);
        b->n_redactions = get_uint(rd, o, "redactions");
        read_file(rd, b, o);
        read_nodes(rd, b, o);
}

static int read_one(struct bundle **ret, const json_t *o, struct reader *rd)
{
        _cleanup_(bundle_freep) struct bundle *b = calloc(1, sizeof(*b));

        if (!b)
                return err_set(rd->e, -ENOMEM, "out of memory");
        if (!json_is_object(o))
                return err_set(rd->e, -EINVAL, "a bundle is not an object");
        read_bundle(rd, b, o);
        if (rd->error)
                return rd->error;
        *ret = TAKE_PTR(b);
        return 0;
}

int bundle_read(struct bundle **ret, const char *json, size_t n, struct err *e)
{
        struct reader rd = {.e = e};
        _cleanup_(json_decrefp) json_t *o = NULL;

        if (n > BUNDLE_JSON_MAX)
                return err_set(e, -E2BIG, "a bundle of more than %u bytes", BUNDLE_JSON_MAX);
        o = load_object(&rd, "the bundle", json, n);
        return rd.error ? rd.error : read_one(ret, o, &rd);
}

/* --- lists of them ----------------------------------------------------------------------------- */

static void list_free(struct bundle **list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                bundle_free(list[i]);
        free(list);
}

static int read_items(struct bundle ***ret, size_t *ret_n, const json_t *items, struct reader *rd)
{
        size_t n = json_array_size(items), i;
        struct bundle **list = calloc(n + 1, sizeof(struct bundle *));
        int k = 0;

        if (!list)
                return err_set(rd->e, -ENOMEM, "out of memory");
        for (i = 0; k >= 0 && i < n; i++)
                k = read_one(&list[i], json_array_get(items, i), rd);
        if (k < 0) {
                list_free(list, n);
                return k;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

int bundle_read_list(struct bundle ***ret, size_t *ret_n, const char *json, size_t n, struct err *e)
{
        struct reader rd = {.e = e};
        _cleanup_(json_decrefp) json_t *o = NULL;
        const json_t *items;

        if (n > BUNDLE_JSON_MAX)
                return err_set(e, -E2BIG, "a list of more than %u bytes", BUNDLE_JSON_MAX);
        o = load_object(&rd, "the list of bundles", json, n);
        if (rd.error)
                return rd.error;
        items = get_array(&rd, o, "items", BUNDLE_LIST_MAX);
        if (!items)
                wrong(&rd, "items", "there");
        return rd.error ? rd.error : read_items(ret, ret_n, items, &rd);
}
