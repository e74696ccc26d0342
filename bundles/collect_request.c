/* What is asked of a collector, and what it answers: written. */

#include <errno.h>
#include <stdio.h>

#include "base/json_write.h"
#include "bundles/collect_request.h"

static const char *const ops[COLLECT_N_OPS] = {
        [COLLECT_ARCHIVE] = "archive",
        [COLLECT_ONE] = "one",
        [COLLECT_LIST] = "list",
        [COLLECT_ESTIMATE] = "estimate",
};

const char *collect_op_to_string(enum collect_op op)
{
        return (unsigned)op < COLLECT_N_OPS ? ops[op] : "";
}

int collect_op_from_string(enum collect_op *ret, const char *s)
{
        for (size_t i = 0; i < COLLECT_N_OPS; i++)
                if (streq(s, ops[i])) {
                        *ret = (enum collect_op)i;
                        return 0;
                }
        return -EINVAL;
}

void collect_request_done(struct collect_request *q)
{
        for (size_t i = 0; i < q->n_ids; i++)
                free(q->ids[i].id);
        free(q->ids);
        for (size_t i = 0; i < q->n_units; i++)
                free(q->units[i]);
        free(q->units);
        *q = (struct collect_request){0};
}

static void write_kinds(struct json_writer *w, unsigned kinds)
{
        jw_key(w, "kinds");
        jw_begin_array(w);
        for (unsigned i = 0; i < SOURCE_N_KINDS; i++)
                if (kinds & SOURCE_KIND_BIT(i))
                        jw_string(w, source_kind_to_string((enum source_kind)i));
        jw_end_array(w);
}

static void write_ids(struct json_writer *w, const struct collect_request *q)
{
        jw_key(w, "ids");
        jw_begin_array(w);
        for (size_t i = 0; i < q->n_ids; i++) {
                jw_begin_object(w);
                jw_member_string(w, "kind", source_kind_to_string(q->ids[i].kind));
                jw_member_string(w, "id", q->ids[i].id);
                jw_end_object(w);
        }
        jw_end_array(w);
}

static void write_units(struct json_writer *w, const struct collect_request *q)
{
        jw_key(w, "units");
        jw_begin_array(w);
        for (size_t i = 0; i < q->n_units; i++)
                jw_string(w, q->units[i]);
        jw_end_array(w);
}

static void write_salt(struct json_writer *w, const uint8_t *salt)
{
        char hex[2 * REDACT_SALT_BYTES + 1];

        for (size_t i = 0; i < REDACT_SALT_BYTES; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", salt[i]);
        jw_member_string(w, "salt", hex);
}

static void write_limits(struct json_writer *w, const struct collect_request *q)
{
        if (q->since_wall_usec)
                jw_member_time(w, "since", q->since_wall_usec);
        if (q->until_wall_usec)
                jw_member_time(w, "until", q->until_wall_usec);
        if (q->timeout_usec) /* never 0 by rounding: that would be the longest */
                jw_member_uint(w, "timeout_ms",
                               q->timeout_usec / 1000 + (q->timeout_usec % 1000 > 0));
        if (q->source_max_bytes)
                jw_member_uint(w, "source_max_bytes", q->source_max_bytes);
        if (q->max_bytes)
                jw_member_uint(w, "max_bytes", q->max_bytes);
}

void collect_request_write(struct buf *out, const struct collect_request *q)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "op", collect_op_to_string(q->op));
        if (q->role != DIAG_ROLE_UNKNOWN)
                jw_member_string(&w, "role", diag_role_to_string(q->role));
        jw_member_string(&w, "format", archive_format_to_string(q->format));
        jw_member_bool(&w, "fragment", q->fragment);
        if (*q->prefix)
                jw_member_string(&w, "prefix", q->prefix);
        if (*q->bundle)
                jw_member_string(&w, "bundle", q->bundle);
        if (q->kinds)
                write_kinds(&w, q->kinds);
        if (q->ids)
                write_ids(&w, q);
        if (q->units)
                write_units(&w, q);
        write_limits(&w, q);
        jw_member_bool(&w, "redact", !q->no_redact);
        if (q->has_salt)
                write_salt(&w, q->salt);
        jw_end_object(&w);
}

/* --- events ------------------------------------------------------------------------------------ */

static const char *const events[COLLECT_N_EVENTS] = {
        [COLLECT_STARTED] = "started",
        [COLLECT_PROGRESS] = "progress",
        [COLLECT_DONE] = "done",
        [COLLECT_ERROR] = "error",
};

const char *collect_event_kind_to_string(enum collect_event_kind k)
{
        return (unsigned)k < COLLECT_N_EVENTS ? events[k] : "";
}

int collect_event_kind_from_string(enum collect_event_kind *ret, const char *s)
{
        for (size_t i = 0; i < COLLECT_N_EVENTS; i++)
                if (streq(s, events[i])) {
                        *ret = (enum collect_event_kind)i;
                        return 0;
                }
        return -EINVAL;
}

static void write_progress(struct json_writer *w, const struct collect_event *event)
{
        jw_member_uint(w, "entries", event->n_entries);
        jw_member_uint(w, "entries_total", event->n_entries_total);
        jw_member_uint(w, "bytes", event->n_bytes);
        jw_member_string(w, "source", event->source);
}

static void write_done(struct json_writer *w, const struct collect_event *event)
{
        jw_member_uint(w, "entries", event->n_entries);
        jw_member_uint(w, "failed", event->n_failed);
        jw_member_uint(w, "truncated", event->n_truncated);
        jw_member_uint(w, "redactions", event->n_redactions);
        jw_member_uint(w, "bytes", event->n_bytes);
        jw_member_bool(w, "partial", event->partial);
}

void collect_event_write(struct buf *out, const struct collect_event *event)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "event", collect_event_kind_to_string(event->kind));
        if (event->kind == COLLECT_PROGRESS)
                write_progress(&w, event);
        if (event->kind == COLLECT_DONE)
                write_done(&w, event);
        if (event->kind == COLLECT_ERROR) {
                jw_member_string(&w, "code", event->code);
                jw_member_string(&w, "error", event->error);
        }
        jw_end_object(&w);
}
