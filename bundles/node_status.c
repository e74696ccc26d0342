/* What a collection was, written. */

#include "base/json_write.h"
#include "bundles/node_status.h"

#define FIRST_ALLOC 64u

void node_status_done(struct node_status *s)
{
        for (size_t i = 0; i < s->n_entries; i++) {
                free(s->entries[i].path);
                free(s->entries[i].source);
                free(s->entries[i].error);
        }
        free(s->entries);
        free(s->prefix);
        free(s->hostname);
        free(s->version);
        free(s->partial_reason);
        *s = (struct node_status){0};
}

struct node_status_entry *node_status_add(struct node_status *s)
{
        struct node_status_entry *more;
        size_t n = s->n_alloc ? 2 * s->n_alloc : FIRST_ALLOC;

        if (s->n_entries >= NODE_STATUS_ENTRIES_MAX)
                return NULL;
        if (s->n_entries == s->n_alloc) {
                more = reallocarray(s->entries, n, sizeof(*more));
                if (!more)
                        return NULL;
                s->entries = more;
                s->n_alloc = n;
        }
        more = &s->entries[s->n_entries++];
        *more = (struct node_status_entry){0};
        return more;
}

static void write_entry(struct json_writer *w, const struct node_status_entry *entry)
{
        jw_begin_object(w);
        jw_member_string(w, "path", entry->path);
        jw_member_string(w, "kind", source_kind_to_string(entry->kind));
        jw_member_string(w, "source", entry->source);
        jw_member_uint(w, "size", entry->size);
        jw_member_string_or_null(w, "sha256", entry->sha256);
        jw_key(w, "duration_seconds");
        jw_seconds(w, entry->took_usec);
        jw_member_uint(w, "redactions", entry->n_redactions);
        jw_member_bool(w, "truncated", entry->truncated);
        jw_member_bool(w, "optional", entry->optional);
        jw_member_string_or_null(w, "error", entry->error);
        jw_end_object(w);
}

void node_status_write(struct buf *out, const struct node_status *s)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "prefix", s->prefix);
        jw_member_string_or_null(&w, "hostname", s->hostname);
        jw_member_string_or_null(&w, "version", s->version);
        jw_member_string(&w, "role", diag_role_to_string(s->role));
        jw_member_time(&w, "started", s->started_wall_usec);
        jw_member_time(&w, "finished", s->finished_wall_usec);
        jw_member_time(&w, "since", s->since_wall_usec);
        jw_member_time(&w, "until", s->until_wall_usec);
        jw_member_bool(&w, "redacted", s->redacted);
        jw_member_bool(&w, "partial", s->partial);
        jw_member_string_or_null(&w, "partial_reason", s->partial_reason);
        jw_key(&w, "entries");
        jw_begin_array(&w);
        for (size_t i = 0; i < s->n_entries; i++)
                write_entry(&w, &s->entries[i]);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

size_t node_status_n_failed(const struct node_status *s, bool required_only)
{
        size_t n = 0;

        for (size_t i = 0; i < s->n_entries; i++)
                n += s->entries[i].error && !(required_only && s->entries[i].optional);
        return n;
}

uint64_t node_status_n_redactions(const struct node_status *s)
{
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_entries; i++)
                n += s->entries[i].n_redactions;
        return n;
}
