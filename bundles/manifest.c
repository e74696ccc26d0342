/*
 * What stands at the root of a bundle. The manifest is for programs, and tells all; README.txt is for the person who
 * opens the archive first, fits on a screen or two, and says what is not there before it says what is.
 */

#include <inttypes.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/manifest.h"
#include "bundles/plan.h"

#define NOT_FINISHED "bundle creation context finished before bundle creation finished"
#define NOT_REDACTED \
        "NOT REDACTED: this bundle was made with --no-redact and may hold passwords, tokens and keys"
#define README_NODES_MAX 40u

struct prefix {
        char text[ARCHIVE_PATH_MAX];
};

/* Of a node that sent nothing, what it would have been. */
static const char *prefix_of(struct prefix *p, const struct manifest_node *n)
{
        if (n->status && n->status->prefix)
                return n->status->prefix;
        (void)snprintf(p->text, sizeof(p->text), "%s_%s", str_or(n->node->address, "unknown"),
                       str_or(diag_role_to_string(n->node->role), "agent"));
        return p->text;
}

static bool is_done(const struct bundle_node *n)
{
        return n->state == BUNDLE_NODE_DONE || n->state == BUNDLE_NODE_PARTIAL;
}

/* Also what the node itself says to be incomplete, though all of it arrived. */
static bool is_partial(const struct manifest_node *n)
{
        return n->node->state == BUNDLE_NODE_PARTIAL || (n->status && n->status->partial);
}

static const char *reason_of(const struct manifest_node *n)
{
        const char *own = n->status ? n->status->partial_reason : NULL;

        if (!is_done(n->node))
                return str_or(n->node->error, NOT_FINISHED);
        return is_partial(n) ? str_or(n->node->error, str_or(own, "no reason was given"))
                             : str_or(n->node->error, "");
}

static bool all_redacted(const struct bundle *b, const struct manifest_node *nodes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (nodes[i].status && !nodes[i].status->redacted)
                        return false;
        return !b->request.no_redact;
}

static uint64_t count_redactions(const struct manifest_node *nodes, size_t n)
{
        uint64_t count = 0;

        for (size_t i = 0; i < n; i++)
                count += nodes[i].status ? node_status_n_redactions(nodes[i].status)
                                         : nodes[i].node->n_redactions;
        return count;
}

/* --- manifest.json ----------------------------------------------------------------------------- */

static void write_path(struct json_writer *w, const char *prefix, const char *path)
{
        _cleanup_(buf_done) struct buf whole = {0};

        buf_printf(&whole, "%s%s%s", prefix, *prefix ? "/" : "", path);
        jw_member_string(w, "path", buf_cstr(&whole));
        if (whole.error && !w->out->error)
                w->out->error = whole.error;
}

static void write_entry(struct json_writer *w, const char *prefix,
                        const struct node_status_entry *entry)
{
        jw_begin_object(w);
        write_path(w, prefix, entry->path);
        jw_member_string(w, "kind", source_kind_to_string(entry->kind));
        jw_member_string(w, "source", entry->source);
        jw_member_uint(w, "size", entry->size);
        jw_member_string_or_null(w, "sha256", entry->sha256);
        jw_key(w, "duration_seconds");
        jw_seconds(w, entry->took_usec);
        jw_member_bool(w, "truncated", entry->truncated);
        jw_member_bool(w, "optional", entry->optional);
        jw_member_string_or_null(w, "error", entry->error);
        jw_member_uint(w, "redactions", entry->n_redactions);
        jw_end_object(w);
}

static void write_status(struct json_writer *w, const struct node_status *s)
{
        jw_member_string_or_null(w, "hostname", s->hostname);
        jw_member_string_or_null(w, "diag_version", s->version);
        jw_member_time(w, "started", s->started_wall_usec);
        jw_member_time(w, "finished", s->finished_wall_usec);
        jw_member_time(w, "since", s->since_wall_usec);
        jw_member_time(w, "until", s->until_wall_usec);
        jw_member_bool(w, "redacted", s->redacted);
        jw_member_uint(w, "redactions", node_status_n_redactions(s));
        jw_member_uint(w, "failed_entries", node_status_n_failed(s, true));
}

static void write_node(struct json_writer *w, const struct manifest_node *n)
{
        struct prefix p;
        const char *prefix = prefix_of(&p, n);

        jw_begin_object(w);
        jw_member_string(w, "directory", prefix);
        jw_member_string_or_null(w, "node_id", n->node->node_id);
        jw_member_string_or_null(w, "address", n->node->address);
        jw_member_string_or_null(w, "role", diag_role_to_string(n->node->role));
        jw_member_string(w, "state", bundle_node_state_to_string(n->node->state));
        jw_member_bool(w, "partial", is_partial(n));
        jw_member_string_or_null(w, "error", reason_of(n));
        jw_key(w, "took_seconds");
        jw_seconds(w, n->node->took_usec);
        if (n->status)
                write_status(w, n->status);
        jw_key(w, "entries");
        jw_begin_array(w);
        for (size_t i = 0; n->status && i < n->status->n_entries; i++)
                write_entry(w, prefix, &n->status->entries[i]);
        jw_end_array(w);
        jw_end_object(w);
}

static void write_kinds(struct json_writer *w, unsigned kinds)
{
        jw_key(w, "kinds");
        if (!kinds) {
                jw_null(w);
                return;
        }
        jw_begin_array(w);
        for (unsigned i = 0; i < SOURCE_N_KINDS; i++)
                if (kinds & SOURCE_KIND_BIT(i))
                        jw_string(w, source_kind_to_string((enum source_kind)i));
        jw_end_array(w);
}

static void write_bundle(struct json_writer *w, const struct bundle *b,
                         const struct manifest_node *nodes, size_t n)
{
        bool redacted = all_redacted(b, nodes, n);

        jw_member_string(w, "id", b->id);
        jw_member_string(w, "type", b->type == BUNDLE_CLUSTER ? "cluster" : "node");
        jw_member_time(w, "created", b->created_wall_usec);
        jw_member_string_or_null(w, "by", b->by);
        jw_member_string_or_null(w, "observer", b->observer);
        jw_member_string(w, "diag_version", DIAG_VERSION);
        jw_member_string(w, "format", archive_format_to_string(b->request.format));
        jw_member_time(w, "since", b->request.since_wall_usec);
        jw_member_time(w, "until", b->request.until_wall_usec);
        write_kinds(w, b->request.kinds);
        jw_member_bool(w, "redacted", redacted);
        if (!redacted)
                jw_member_string(w, "warning", NOT_REDACTED);
        jw_member_uint(w, "redactions", count_redactions(nodes, n));
        jw_member_bool(w, "partial", b->partial);
        jw_member_string_or_null(w, "error", b->error);
}

void manifest_write(struct buf *out, const struct bundle *b, const struct manifest_node *nodes,
                    size_t n)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        write_bundle(&w, b, nodes, n);
        jw_key(&w, "nodes");
        jw_begin_array(&w);
        for (size_t i = 0; i < n; i++)
                write_node(&w, &nodes[i]);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- summaryErrorsReport.txt, report.json ------------------------------------------------------ */

static void begin_line(struct buf *out)
{
        if (out->n > 0)
                buf_putc(out, '\n');
}

static void summarize(struct buf *out, const struct manifest_node *n)
{
        const struct node_status *s = n->status;
        struct prefix p;
        const char *prefix = prefix_of(&p, n);

        if (!is_done(n->node)) {
                begin_line(out);
                buf_printf(out, "could not collect %s: %s", prefix, reason_of(n));
        } else if (is_partial(n)) {
                begin_line(out);
                buf_printf(out, "%s is not complete: %s", *prefix ? prefix : "this bundle",
                           reason_of(n));
        }
        for (size_t i = 0; s && i < s->n_entries; i++) {
                if (!s->entries[i].error || s->entries[i].optional)
                        continue;
                begin_line(out);
                buf_printf(out, "could not collect %s%s%s: %s", prefix, *prefix ? "/" : "",
                           s->entries[i].path, s->entries[i].error);
        }
}

void manifest_write_summary(struct buf *out, const struct manifest_node *nodes, size_t n)
{
        _cleanup_(buf_done) struct buf text = {0};

        for (size_t i = 0; i < n; i++)
                summarize(&text, &nodes[i]);
        buf_append(out, buf_cstr(&text), text.n);
        if (text.error && !out->error)
                out->error = text.error;
}

void manifest_write_report(struct buf *out, const struct bundle *b,
                           const struct manifest_node *nodes, size_t n)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "id", b->id);
        jw_key(&w, "nodes");
        jw_begin_object(&w);
        for (size_t i = 0; i < n; i++) {
                jw_key(&w, str_or(nodes[i].node->address, "unknown"));
                jw_begin_object(&w);
                jw_member_string(&w, "status", is_done(nodes[i].node) ? "Done" : "Failed");
                if (*reason_of(&nodes[i]))
                        jw_member_string(&w, "error", reason_of(&nodes[i]));
                jw_end_object(&w);
        }
        jw_end_object(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- README.txt -------------------------------------------------------------------------------- */

/* Where nobody said since when, each node chose for itself: all of them the same, but for their clocks. */
static uint64_t oldest_since(const struct bundle *b, const struct manifest_node *nodes, size_t n)
{
        uint64_t oldest = b->request.since_wall_usec;

        for (size_t i = 0; b->request.since_wall_usec == 0 && i < n; i++) {
                uint64_t since = nodes[i].status ? nodes[i].status->since_wall_usec : 0;

                if (since && (oldest == 0 || since < oldest))
                        oldest = since;
        }
        return oldest;
}

static void write_kinds_of(struct buf *out, unsigned kinds)
{
        const char *between = "Only:    ";

        for (unsigned i = 0; i < SOURCE_N_KINDS; i++) {
                if (!(kinds & SOURCE_KIND_BIT(i)))
                        continue;
                buf_printf(out, "%s%s", between, source_kind_to_string((enum source_kind)i));
                between = ", ";
        }
        buf_puts(out, kinds ? "\n" : "");
}

static void write_head(struct buf *out, const struct bundle *b, const struct manifest_node *nodes,
                       size_t n, bool redacted)
{
        char created[RFC3339_MAX], since[RFC3339_MAX], until[RFC3339_MAX];
        uint64_t since_wall_usec = oldest_since(b, nodes, n);

        buf_printf(out, "Bundle %s\n\n", b->id);
        if (!redacted)
                buf_puts(out, "*** " NOT_REDACTED ".\n*** Do not pass it on.\n\n");
        buf_printf(out, "What:    the state of %s, for people who look for a fault\n",
                   b->type == BUNDLE_CLUSTER ? "a cluster" : "one machine");
        if (b->created_wall_usec)
                buf_printf(out, "When:    %s\n", rfc3339_format(created, b->created_wall_usec));
        if (since_wall_usec)
                buf_printf(out, "Logs:    from %s to %s\n", rfc3339_format(since, since_wall_usec),
                           b->request.until_wall_usec
                                   ? rfc3339_format(until, b->request.until_wall_usec)
                                   : "when each was read");
        write_kinds_of(out, b->request.kinds);
        if (!str_empty(b->observer))
                buf_printf(out, "Made on: %s\n", b->observer);
        if (!str_empty(b->by))
                buf_printf(out, "For:     %s\n", b->by);
        buf_puts(out, "Times:   UTC, everywhere but within logs that files have of their own\n");
}

static void write_in(struct buf *out, const struct manifest_node *n)
{
        struct prefix p;
        const char *prefix = prefix_of(&p, n);
        size_t n_failed = n->status ? node_status_n_failed(n->status, true) : 0, n_cut = 0;

        for (size_t i = 0; n->status && i < n->status->n_entries; i++)
                n_cut += n->status->entries[i].truncated;
        buf_printf(out, "  %-28s", *prefix ? prefix : "(at the root)");
        if (n->status)
                buf_printf(out, " %zu %s%s%s", n->status->n_entries,
                           n->status->n_entries == 1 ? "entry" : "entries",
                           n->status->hostname ? ", " : "", str_or(n->status->hostname, ""));
        if (n_failed > 0)
                buf_printf(out, ", %zu failed", n_failed);
        if (n_cut > 0)
                buf_printf(out, ", %zu too long and cut", n_cut);
        if (is_partial(n))
                buf_printf(out, "; NOT COMPLETE: %s", reason_of(n));
        buf_putc(out, '\n');
}

static size_t write_nodes(struct buf *out, const struct manifest_node *nodes, size_t n, bool done)
{
        struct prefix p;
        size_t n_found = 0;

        for (size_t i = 0; i < n; i++) {
                if (is_done(nodes[i].node) != done)
                        continue;
                if (n_found++ >= README_NODES_MAX)
                        continue;
                if (done)
                        write_in(out, &nodes[i]);
                else
                        buf_printf(out, "  %-28s %s\n", prefix_of(&p, &nodes[i]),
                                   reason_of(&nodes[i]));
        }
        if (n_found > README_NODES_MAX)
                buf_printf(out, "  … and %zu more: see manifest.json\n",
                           n_found - README_NODES_MAX);
        return n_found;
}

static void write_place(struct buf *out, const char *below, const char *name, const char *what)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "%s%s", below, name);
        buf_printf(out, "  %-24s %s\n", path, what);
}

static void write_where(struct buf *out, bool cluster, const char *below)
{
        buf_puts(out, "\nWhere to look first\n");
        write_place(out, "", "summaryErrorsReport.txt",
                    "what could not be collected; not there if nothing failed");
        if (cluster)
                write_place(
                        out, "", "health.json",
                        "the cluster as this master saw it at that moment; its nodes: nodes.json");
        write_place(out, below, PLAN_HEALTH, "what the machine said of its components, and why");
        write_place(out, below, "NAME.service",
                    "the journal of a component, systemd's own words included");
        write_place(out, below, "systemd/",
                    "what systemd knows: units, failed.output, journal-warnings.output");
        write_place(out, "", "manifest.json",
                    "every entry: its source, size, SHA-256, whether it was cut");
}

static const char how_named[] =
        "\nHow names are made\n"
        "  Journals are named by their unit. 5050-state.json is GET :5050/state. Files keep their path.\n"
        "  Commands are their words joined by '_', without '/': ip_addr.output is \"ip addr\".\n"
        "  NAME.error holds why NAME failed; NAME is then what it gave so far. What is optional and\n"
        "  failed holds its error itself. Of what was too long, the newest is kept.\n";

static void write_masks(struct buf *out, uint64_t n)
{
        buf_puts(out, "\nWhat is masked\n");
        buf_printf(
                out,
                "  Passwords, tokens, keys and what the owner's rules say, on the node, before they "
                "left it:\n  %" PRIu64
                " in all. They read [redacted:1f2e3d4c]. The same secret has "
                "the same eight digits\n  throughout this bundle, on every node, so that logs still "
                "correlate; in another bundle it has\n  others. The secret cannot be guessed from "
                "them.\n",
                n);
}

void manifest_write_readme(struct buf *out, const struct bundle *b,
                           const struct manifest_node *nodes, size_t n)
{
        bool redacted = all_redacted(b, nodes, n), cluster = b->type == BUNDLE_CLUSTER;
        const char *below = "";
        size_t n_missing = 0;
        struct prefix p;

        for (size_t i = 0; i < n; i++) {
                n_missing += !is_done(nodes[i].node);
                if (*prefix_of(&p, &nodes[i]))
                        below = "*/";
        }
        write_head(out, b, nodes, n, redacted);
        if (n_missing > 0) {
                buf_printf(out, "\nNot in it: %zu of %zu nodes\n", n_missing, n);
                (void)write_nodes(out, nodes, n, false);
        }
        if (n > n_missing) {
                buf_printf(out, "\nIn it: %zu of %zu nodes\n", n - n_missing, n);
                (void)write_nodes(out, nodes, n, true);
        }
        write_where(out, cluster, below);
        buf_puts(out, how_named);
        if (redacted)
                write_masks(out, count_redactions(nodes, n));
}
