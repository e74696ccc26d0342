/*
 * The bundle object: its words, its copies, and how it is spelled. What reads it again is in bundle_json.c; both
 * go through the same words. Texts are cut where they are written, so that whoever writes a state.json can be
 * sure that it will be read.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/bundle.h"

/* Behind so many bytes of a bundle, what its nodes say is cut short: BUNDLE_JSON_MAX holds, whatever they said. */
#define NODES_AT_LENGTH   (BUNDLE_JSON_MAX / 4)
#define NODE_ERROR_CUT    32u
#define V1_ERRORS_MAX     100u
#define ID_NAME_MAX       64u
#define V1_TIME_ZERO      "0001-01-01T00:00:00Z"
#define FRACTION_OF_A_RUN 0.99 /* of one that has not ended */

/* --- words ------------------------------------------------------------------------------------- */

static const struct {
        const char *v2, *v1;
        bool final;
} states[BUNDLE_N_STATES] = {
        [BUNDLE_UNKNOWN] = {"unknown",  "Unknown",    false},
        [BUNDLE_QUEUED] = {"queued",   "Started",    false},
        [BUNDLE_RUNNING] = {"running",  "InProgress", false},
        [BUNDLE_MERGING] = {"merging",  "InProgress", false},
        [BUNDLE_DONE] = {"done",     "Done",       true },
        [BUNDLE_FAILED] = {"failed",   "Failed",     true },
        [BUNDLE_CANCELED] = {"canceled", "Canceled",   true },
        [BUNDLE_DELETED] = {"deleted",  "Deleted",    true },
};

const char *bundle_state_to_string(enum bundle_state s)
{
        return states[s].v2;
}

enum bundle_state bundle_state_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq(s, states[i].v2))
                        return (enum bundle_state)i;
        return BUNDLE_UNKNOWN;
}

const char *bundle_state_to_v1(enum bundle_state s)
{
        return states[s].v1;
}

bool bundle_state_is_final(enum bundle_state s)
{
        return states[s].final;
}

static const char *const node_states[BUNDLE_NODE_N_STATES] = {
        [BUNDLE_NODE_WAITING] = "waiting", [BUNDLE_NODE_RUNNING] = "running",
        [BUNDLE_NODE_DONE] = "done",       [BUNDLE_NODE_PARTIAL] = "partial",
        [BUNDLE_NODE_FAILED] = "failed",
};

const char *bundle_node_state_to_string(enum bundle_node_state s)
{
        return node_states[s];
}

enum bundle_node_state bundle_node_state_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(node_states); i++)
                if (streq(s, node_states[i]))
                        return (enum bundle_node_state)i;
        return BUNDLE_NODE_WAITING;
}

/* --- life -------------------------------------------------------------------------------------- */

void bundle_request_done(struct bundle_request *q)
{
        for (size_t i = 0; i < q->n_nodes; i++)
                free(q->nodes[i]);
        free(q->nodes);
        *q = (struct bundle_request){0};
}

static void node_done(struct bundle_node *n)
{
        free(n->node_id);
        free(n->address);
        free(n->error);
}

struct bundle *bundle_free(struct bundle *b)
{
        if (!b)
                return NULL;
        for (size_t i = 0; i < b->n_nodes; i++)
                node_done(&b->nodes[i]);
        free(b->nodes);
        bundle_request_done(&b->request);
        free(b->by);
        free(b->observer);
        free(b->error);
        free(b);
        return NULL;
}

/* NULL stays NULL, and is no failure. */
static bool copy(char **ret, const char *s)
{
        *ret = s ? strdup(s) : NULL;
        return !s || *ret;
}

int bundle_request_copy(struct bundle_request *ret, const struct bundle_request *q)
{
        struct bundle_request made = *q;

        made.n_nodes = 0;
        made.nodes = q->n_nodes ? calloc(q->n_nodes, sizeof(*made.nodes)) : NULL;
        if (q->n_nodes && !made.nodes)
                return -ENOMEM;
        for (; made.n_nodes < q->n_nodes; made.n_nodes++)
                if (!copy(&made.nodes[made.n_nodes], q->nodes[made.n_nodes])) {
                        bundle_request_done(&made);
                        return -ENOMEM;
                }
        *ret = made;
        return 0;
}

/* What was copied is freed with it, also on failure. */
static bool copy_node(struct bundle_node *to, const struct bundle_node *from)
{
        *to = *from;
        to->node_id = to->address = to->error = NULL;
        return copy(&to->node_id, from->node_id) && copy(&to->address, from->address) &&
               copy(&to->error, from->error);
}

static bool copy_nodes(struct bundle *to, const struct bundle *from)
{
        to->nodes = from->n_nodes ? calloc(from->n_nodes, sizeof(*to->nodes)) : NULL;
        if (from->n_nodes && !to->nodes)
                return false;
        to->n_nodes = from->n_nodes; /* zeroed ones are freed as well */
        for (size_t i = 0; i < from->n_nodes; i++)
                if (!copy_node(&to->nodes[i], &from->nodes[i]))
                        return false;
        return true;
}

static struct bundle *copy_but_nodes(const struct bundle *b)
{
        _cleanup_(bundle_freep) struct bundle *made = malloc(sizeof(*made));

        if (!made)
                return NULL;
        *made = *b;
        made->by = made->observer = made->error = NULL;
        made->request = (struct bundle_request){0};
        made->nodes = NULL;
        made->n_nodes = 0;
        if (!copy(&made->by, b->by) || !copy(&made->observer, b->observer) ||
            !copy(&made->error, b->error) || bundle_request_copy(&made->request, &b->request) < 0)
                return NULL;
        return TAKE_PTR(made);
}

struct bundle *bundle_copy(const struct bundle *b)
{
        _cleanup_(bundle_freep) struct bundle *made = copy_but_nodes(b);

        return made && copy_nodes(made, b) ? TAKE_PTR(made) : NULL;
}

/* As many as bundle_write_v1() names. */
struct bundle *bundle_copy_row(const struct bundle *b)
{
        _cleanup_(bundle_freep) struct bundle *made = copy_but_nodes(b);
        size_t n = b->n_nodes < V1_ERRORS_MAX ? b->n_nodes : V1_ERRORS_MAX;

        if (made && n)
                made->nodes = calloc(n, sizeof(*made->nodes));
        if (!made || (n && !made->nodes))
                return NULL;
        for (size_t i = 0; i < b->n_nodes && made->n_nodes < n; i++)
                if (!str_empty(b->nodes[i].error) &&
                    !copy_node(&made->nodes[made->n_nodes++], &b->nodes[i]))
                        return NULL;
        return TAKE_PTR(made);
}

double bundle_fraction(const struct bundle *b)
{
        double f;

        if (bundle_state_is_final(b->state))
                return 1;
        if (b->n_nodes_total == 0)
                return 0;
        f = ((double)b->n_nodes_done + (double)b->n_nodes_failed) / (double)b->n_nodes_total;
        return f < FRACTION_OF_A_RUN ? f : FRACTION_OF_A_RUN;
}

/* --- ids --------------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
}

bool bundle_id_is_valid(const char *id)
{
        size_t n = 0;

        if (id[0] == '.')
                return false;
        for (; id[n]; n++)
                if (n >= BUNDLE_ID_MAX - 1 || !is_plain(id[n]))
                        return false;
        return n > 0;
}

static unsigned random_part(uint64_t wall_usec)
{
        uint16_t r;

        if (getrandom(&r, sizeof(r), GRND_NONBLOCK) == (ssize_t)sizeof(r))
                return r;
        return (unsigned)(wall_usec / 7919 &
                          0xffff); /* a taken id is refused, and no more than that */
}

void bundle_id_make(char ret[static BUNDLE_ID_MAX], const char *name, uint64_t wall_usec)
{
        time_t when = (time_t)(wall_usec / USEC_PER_SEC);
        char plain[ID_NAME_MAX + 2] = "-", moment[32] = "";
        struct tm tm;
        size_t n = 1;

        for (const char *s = str_or(name, ""); *s && n <= ID_NAME_MAX; s++)
                if (is_plain(*s))
                        plain[n++] = *s;
        plain[n > 1 ? n : 0] = '\0';
        if (gmtime_r(&when, &tm))
                (void)strftime(moment, sizeof(moment), "%Y-%m-%d-%H%M", &tm);
        (void)snprintf(ret, BUNDLE_ID_MAX, "%s%s-%04x", moment[0] ? moment : "bundle", plain,
                       random_part(wall_usec));
}

/* --- API v2, and state.json -------------------------------------------------------------------- */

/* At most @max bytes of @s, and none of a character that does not fit. */
static void member_cut_or_null(struct json_writer *w, const char *key, const char *s, size_t max)
{
        size_t n = strnlen(str_or(s, ""), max + 1);

        jw_key(w, key);
        if (n == 0) {
                jw_null(w);
                return;
        }
        if (n > max)
                for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
                        n--;
        jw_string_n(w, s, n);
}

static void member_uint_or_null(struct json_writer *w, const char *key, uint64_t v)
{
        jw_key(w, key);
        if (v)
                jw_uint(w, v);
        else
                jw_null(w);
}

static void write_kinds(struct json_writer *w, unsigned kinds)
{
        jw_key(w, "kinds");
        jw_begin_array(w);
        for (unsigned k = 0; k < SOURCE_N_KINDS; k++)
                if (kinds & SOURCE_KIND_BIT(k))
                        jw_string(w, source_kind_to_string((enum source_kind)k));
        jw_end_array(w);
}

static void write_request(struct json_writer *w, const struct bundle_request *q)
{
        jw_begin_object(w);
        jw_key(w, "nodes");
        jw_begin_array(w);
        for (size_t i = 0; i < q->n_nodes; i++)
                jw_string(w, q->nodes[i]);
        jw_end_array(w);
        jw_member_time(w, "since", q->since_wall_usec);
        jw_member_time(w, "until", q->until_wall_usec);
        write_kinds(w, q->kinds);
        jw_member_string(w, "format", archive_format_to_string(q->format));
        jw_member_bool(w, "redact", !q->no_redact);
        jw_end_object(w);
}

void bundle_request_write(struct buf *out, const struct bundle_request *q)
{
        struct json_writer w = {.out = out};

        write_request(&w, q);
}

static void write_progress(struct json_writer *w, const struct bundle *b)
{
        jw_key(w, "progress");
        jw_begin_object(w);
        jw_member_uint(w, "nodes_total", b->n_nodes_total);
        jw_member_uint(w, "nodes_done", b->n_nodes_done);
        jw_member_uint(w, "nodes_failed", b->n_nodes_failed);
        jw_member_uint(w, "received_bytes", b->n_received_bytes);
        jw_key(w, "fraction");
        jw_seconds(w, (uint64_t)(bundle_fraction(b) * 1e6)); /* three decimals */
        jw_member_string_or_null(w, "current", b->current);
        jw_end_object(w);
}

static void write_node(struct json_writer *w, const struct bundle_node *n)
{
        size_t max = w->out->n < NODES_AT_LENGTH ? BUNDLE_NODE_TEXT_MAX : NODE_ERROR_CUT;

        jw_begin_object(w);
        member_cut_or_null(w, "node_id", n->node_id, BUNDLE_WORD_MAX);
        member_cut_or_null(w, "address", n->address, BUNDLE_WORD_MAX);
        jw_member_string_or_null(w, "role", diag_role_to_string(n->role));
        jw_member_string(w, "state", bundle_node_state_to_string(n->state));
        jw_member_uint(w, "bytes", n->n_bytes);
        jw_member_uint(w, "entries", n->n_entries);
        jw_member_uint(w, "failed_entries", n->n_failed_entries);
        jw_member_uint(w, "redactions", n->n_redactions);
        member_cut_or_null(w, "error", n->error, max);
        jw_key(w, "took_seconds");
        jw_seconds(w, n->took_usec);
        jw_end_object(w);
}

static void write_nodes(struct json_writer *w, const struct bundle *b)
{
        jw_key(w, "nodes");
        jw_begin_array(w);
        for (size_t i = 0; i < b->n_nodes && i < BUNDLE_NODES_MAX; i++)
                write_node(w, &b->nodes[i]);
        jw_end_array(w);
}

void bundle_write(struct buf *out, const struct bundle *b, bool with_nodes)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "id", b->id);
        jw_member_string(&w, "type", b->type == BUNDLE_NODE ? "node" : "cluster");
        jw_member_string(&w, "state", bundle_state_to_string(b->state));
        jw_member_time(&w, "created", b->created_wall_usec);
        jw_member_time(&w, "finished", b->finished_wall_usec);
        member_cut_or_null(&w, "by", b->by, BUNDLE_TEXT_MAX);
        member_cut_or_null(&w, "observer", b->observer, BUNDLE_WORD_MAX);
        jw_key(&w, "request");
        write_request(&w, &b->request);
        write_progress(&w, b);
        member_uint_or_null(&w, "size_bytes", b->size_bytes);
        jw_member_string_or_null(&w, "sha256", b->sha256);
        jw_member_bool(&w, "partial", b->partial);
        member_cut_or_null(&w, "error", b->error, BUNDLE_TEXT_MAX);
        jw_member_uint(&w, "redactions", b->n_redactions);
        jw_member_string_or_null(&w, "file", b->file);
        if (with_nodes)
                write_nodes(&w, b);
        jw_end_object(&w);
}

/* --- the old API ------------------------------------------------------------------------------- */

static void member_v1_time(struct json_writer *w, const char *key, uint64_t wall_usec)
{
        char text[RFC3339_MAX];

        jw_member_string(w, key, wall_usec ? rfc3339_format(text, wall_usec) : V1_TIME_ZERO);
}

static bool has_errors(const struct bundle *b)
{
        if (!str_empty(b->error))
                return true;
        for (size_t i = 0; i < b->n_nodes; i++)
                if (!str_empty(b->nodes[i].error))
                        return true;
        return false;
}

static void write_v1_errors(struct json_writer *w, const struct bundle *b)
{
        char text[BUNDLE_WORD_MAX + BUNDLE_NODE_TEXT_MAX + 8];
        size_t n = 0;

        jw_key(w, "errors");
        jw_begin_array(w);
        if (!str_empty(b->error))
                jw_string(w, b->error);
        for (size_t i = 0; i < b->n_nodes && n < V1_ERRORS_MAX; i++) {
                const struct bundle_node *node = &b->nodes[i];

                if (str_empty(node->error))
                        continue;
                (void)snprintf(text, sizeof(text), "%s: %s", str_or(node->address, "a node"),
                               node->error);
                jw_string(w, text);
                n++;
        }
        jw_end_array(w);
}

const char *bundle_v1_status(const struct bundle *b)
{
        bool begun = b->n_received_bytes || b->n_nodes_done || b->n_nodes_failed;

        return b->state == BUNDLE_RUNNING && !begun ? bundle_state_to_v1(BUNDLE_QUEUED)
                                                    : bundle_state_to_v1(b->state);
}

void bundle_write_v1(struct buf *out, const struct bundle *b)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "id", b->id);
        jw_member_string(&w, "type", b->type == BUNDLE_NODE ? "Local" : "Cluster");
        if (b->size_bytes)
                jw_member_uint(&w, "size", b->size_bytes);
        jw_member_string(&w, "status", bundle_v1_status(b));
        member_v1_time(&w, "started_at", b->created_wall_usec);
        member_v1_time(&w, "stopped_at", b->finished_wall_usec);
        if (has_errors(b))
                write_v1_errors(&w, b);
        jw_end_object(&w);
}
