/* One reader an object. The id and the format make the name of a file on this machine, so they are read strictly. */

#include <errno.h>

#include "cli/bundle_json.h"

#define SHA256_DIGITS 64u
#define READER(a, error)                   \
        {                                  \
                .arena = (a), .e = (error) \
        }

static const char letters_and_digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* --- words of which much depends ------------------------------------------------------------------- */

static void fail(struct json_reader *r, const char *text)
{
        if (!r->error)
                r->error = err_set(r->e, -EBADMSG, "%s", text);
}

bool bundle_info_id_is_valid(const char *id)
{
        size_t n = strlen(id);

        for (size_t i = 0; i < n; i++)
                if (!strchr(letters_and_digits, id[i]) && !strchr("._-", id[i]))
                        return false;
        return n > 0 && n <= BUNDLE_ID_BYTES_MAX && *id != '.';
}

static const char *read_id(struct json_reader *r, const json_t *o)
{
        const char *id = str_or(json_reader_string(r, o, "id"), "");

        if (!bundle_info_id_is_valid(id))
                fail(r, "id is not that of a bundle");
        return id;
}

/* A newer master may have others than we know: "tar.zst.age". */
static const char *read_format(struct json_reader *r, const json_t *o)
{
        const char *s = str_or(json_reader_string(r, o, "format"), "");

        if (strlen(s) > BUNDLE_FORMAT_MAX || *s == '.' ||
            s[strspn(s, ".0123456789abcdefghijklmnopqrstuvwxyz")])
                fail(r, "format is not the end of a file's name");
        return s;
}

static const char *read_sha256(struct json_reader *r, const json_t *o)
{
        const char *s = str_or(json_reader_string(r, o, "sha256"), "");

        if (*s && (strlen(s) != SHA256_DIGITS || s[strspn(s, "0123456789abcdef")]))
                fail(r, "sha256 is none");
        return s;
}

static enum bundle_stage stage_of(const char *state)
{
        static const struct {
                const char *word;
                enum bundle_stage stage;
        } words[] = {
                {"queued",   BUNDLE_STAGE_UNDERWAY},
                {"running",  BUNDLE_STAGE_UNDERWAY},
                {"merging",  BUNDLE_STAGE_UNDERWAY},
                {"done",     BUNDLE_STAGE_DONE    },
                {"failed",   BUNDLE_STAGE_FAILED  },
                {"unknown",  BUNDLE_STAGE_FAILED  }, /* its own master cannot read what it wrote */
                {"canceled", BUNDLE_STAGE_FAILED  },
                {"deleted",  BUNDLE_STAGE_DELETED },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i].word, state))
                        return words[i].stage;
        return BUNDLE_STAGE_UNKNOWN;
}

/* --- a bundle -------------------------------------------------------------------------------------- */

static void read_part(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct bundle_part *)ret = (struct bundle_part){
                .node_id = json_reader_string(r, o, "node_id"),
                .address = json_reader_string(r, o, "address"),
                .role = json_reader_string(r, o, "role"),
                .state = str_or(json_reader_string(r, o, "state"), "unknown"),
                .error = json_reader_string(r, o, "error"),
                .n_bytes = json_reader_uint(r, o, "bytes"),
                .n_entries = json_reader_uint(r, o, "entries"),
                .n_failed_entries = json_reader_uint(r, o, "failed_entries"),
                .took_usec = json_reader_seconds(r, o, "took_seconds"),
        };
}

static void read_request(struct bundle_info *b, struct json_reader *r, const json_t *bundle)
{
        const json_t *o = json_reader_object(r, bundle, "request");
        const json_t *redact = json_object_get(o, "redact");

        b->nodes = json_reader_words(r, o, "nodes", BUNDLE_NAMES_MAX);
        b->kinds = json_reader_words(r, o, "kinds", BUNDLE_NAMES_MAX);
        b->since_wall_usec = json_reader_time(r, o, "since");
        b->until_wall_usec = json_reader_time(r, o, "until");
        b->format = read_format(r, o);
        b->unredacted = !json_reader_bool(r, o, "redact") && json_is_boolean(redact);
}

static void read_progress(struct bundle_info *b, struct json_reader *r, const json_t *bundle)
{
        const json_t *o = json_reader_object(r, bundle, "progress");

        b->n_nodes_total = json_reader_uint(r, o, "nodes_total");
        b->n_nodes_done = json_reader_uint(r, o, "nodes_done");
        b->n_nodes_failed = json_reader_uint(r, o, "nodes_failed");
        b->n_received_bytes = json_reader_uint(r, o, "received_bytes");
        b->current = json_reader_string(r, o, "current");
}

static void read_bundle(struct json_reader *r, const json_t *o, void *ret)
{
        struct bundle_info *b = ret;

        *b = (struct bundle_info){
                .id = read_id(r, o),
                .type = json_reader_string(r, o, "type"),
                .state = str_or(json_reader_string(r, o, "state"), "unknown"),
                .by = json_reader_string(r, o, "by"),
                .observer = json_reader_string(r, o, "observer"),
                .error = json_reader_string(r, o, "error"),
                .partial = json_reader_bool(r, o, "partial"),
                .created_wall_usec = json_reader_time(r, o, "created"),
                .finished_wall_usec = json_reader_time(r, o, "finished"),
                .n_bytes = json_reader_uint(r, o, "size_bytes"),
                .has_size = json_is_integer(json_object_get(o, "size_bytes")),
                .sha256 = read_sha256(r, o),
                .n_redactions = json_reader_uint(r, o, "redactions"),
        };
        b->stage = stage_of(b->state);
        read_request(b, r, o);
        read_progress(b, r, o);
        b->parts = json_reader_list(r, o, "nodes", BUNDLE_ROWS_MAX, sizeof(*b->parts), read_part,
                                    &b->n_parts);
}

void bundle_answer_done(struct bundle_answer *a)
{
        arena_done(&a->arena);
        *a = (struct bundle_answer){0};
}

static void read_answer(struct bundle_answer *a, struct json_reader *r, const json_t *o)
{
        read_bundle(r, o, &a->bundle);
}

int bundle_answer_from_json(struct bundle_answer *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&a.arena, e);
        int k;

        o = json_reader_parse(&r, text, n, BUNDLE_JSON_BYTES_MAX);
        if (o)
                read_answer(&a, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = a;
        a = (struct bundle_answer){0};
        return 0;
}

/* --- a list of them -------------------------------------------------------------------------------- */

static void read_silent(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct bundle_silent *)ret = (struct bundle_silent){
                .address = json_reader_string(r, o, "address"),
                .error = json_reader_string(r, o, "error"),
        };
}

void bundle_list_done(struct bundle_list *l)
{
        arena_done(&l->arena);
        *l = (struct bundle_list){0};
}

/* Without its items a document is something else, and not "no bundles". */
static void must_have_list(struct json_reader *r, const json_t *o, const char *key)
{
        if (o && !json_is_array(json_object_get(o, key)))
                fail(r, "there is no list in it");
}

static void read_rows(struct bundle_list *l, struct json_reader *r, const json_t *o)
{
        l->rows = json_reader_list(r, o, "items", BUNDLE_ROWS_MAX, sizeof(*l->rows), read_bundle,
                                   &l->n);
        l->n_total = json_reader_uint(r, o, "total");
        l->silent = json_reader_list(r, o, "silent", BUNDLE_NAMES_MAX, sizeof(*l->silent),
                                     read_silent, &l->n_silent);
}

int bundle_list_from_json(struct bundle_list *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&l.arena, e);
        int k;

        o = json_reader_parse(&r, text, n, BUNDLE_JSON_BYTES_MAX);
        must_have_list(&r, o, "items");
        read_rows(&l, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = l;
        l = (struct bundle_list){0};
        return 0;
}

/* --- how big it would be --------------------------------------------------------------------------- */

static void read_estimate_node(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct bundle_estimate_node *)ret = (struct bundle_estimate_node){
                .address = json_reader_string(r, o, "address"),
                .error = json_reader_string(r, o, "error"),
                .n_likely_bytes = json_reader_uint(r, o, "likely_bytes"),
                .n_max_bytes = json_reader_uint(r, o, "max_bytes"),
        };
}

void bundle_estimate_done(struct bundle_estimate *s)
{
        arena_done(&s->arena);
        *s = (struct bundle_estimate){0};
}

/* What does not say whether it fits is no estimate. */
static void must_say_whether(struct json_reader *r, const json_t *o)
{
        if (o && !json_is_boolean(json_object_get(o, "fits")))
                fail(r, "fits is neither true nor false");
}

static void must_say_how_much(struct json_reader *r, const json_t *o)
{
        if (o && !json_is_integer(json_object_get(o, "likely_bytes")))
                fail(r, "likely_bytes is not a whole number");
}

static void read_sums(struct bundle_estimate *s, struct json_reader *r, const json_t *o)
{
        s->fits = json_reader_bool(r, o, "fits");
        s->n_likely_bytes = json_reader_uint(r, o, "likely_bytes");
        s->n_max_bytes = json_reader_uint(r, o, "max_bytes");
        s->n_free_bytes = json_reader_uint(r, o, "free_bytes");
        s->n_floor_bytes = json_reader_uint(r, o, "floor_bytes");
        s->nodes = json_reader_list(r, o, "nodes", BUNDLE_ROWS_MAX, sizeof(*s->nodes),
                                    read_estimate_node, &s->n_nodes);
}

static int read_estimate(struct bundle_estimate *ret, const char *text, size_t n,
                         void (*must)(struct json_reader *r, const json_t *o), struct err *e)
{
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&s.arena, e);
        int k;

        o = json_reader_parse(&r, text, n, BUNDLE_JSON_BYTES_MAX);
        must(&r, o);
        read_sums(&s, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = s;
        s = (struct bundle_estimate){0};
        return 0;
}

int bundle_estimate_from_json(struct bundle_estimate *ret, const char *text, size_t n,
                              struct err *e)
{
        return read_estimate(ret, text, n, must_say_whether, e);
}

int bundle_estimate_from_collector(struct bundle_estimate *ret, const char *text, size_t n,
                                   struct err *e)
{
        return read_estimate(ret, text, n, must_say_how_much, e);
}
