/*
 * API v2 of a node, spelled by model/report_json.c: full, health content only (?fields=health), or
 * one component. Whoever may not read outputs gets the full form without them.
 *
 * Both forms of one report are the same bytes for all who ask, however long they take to read them; a
 * full one ends with a few bytes of its own.
 */

#include "api/node_answer.h"
#include "api/v2_maintenance.h"
#include "api/v2_node.h"
#include "base/mono.h"
#include "model/outputs_json.h"
#include "model/report_json.h"

static int spell_health(const struct request *q, struct reply *r, const struct feed_view *v)
{
        (void)q;
        return reply_blob(
                r, 200, "application/json",
                diag_report_rendered(v->report, DIAG_MEMO_V2_HEALTH, diag_report_render_health));
}

static int spell_outputs(const struct request *q, struct reply *r, const struct feed_view *v)
{
        return reply_blob(r, 200, "application/json",
                          diag_outputs_render(v->report, q->caller.output));
}

static int spell_full(const struct request *q, struct reply *r, const struct feed_view *v)
{
        const struct diag_moment moment = {
                .now_wall_usec = now_wall_usec(),
                .uptime_usec = now_boot_usec(),
                .confirmed_age_usec = v->confirmed_age_usec,
        };
        _cleanup_(buf_done) struct buf tail = {0};

        diag_report_write_full_tail(&tail, v->report, &moment);
        return reply_blobs(r, 200, "application/json",
                           diag_report_full_head(v->report, q->caller.output),
                           blob_new_take(&tail));
}

static int get_node(const struct request *q, struct reply *r)
{
        static const struct node_spelling health = {.strong = true, .spell = spell_health};
        static const struct node_spelling full = {.strong = false, .spell = spell_full};
        static const struct node_spelling outputs = {.strong = false, .spell = spell_outputs};
        char fields[16];

        if (!request_query(q, "fields", fields, sizeof(fields)) || streq(fields, "full"))
                return node_answer(q, r, &full);
        if (streq(fields, "health"))
                return node_answer(q, r, &health);
        if (streq(fields, "outputs"))
                return node_answer(q, r, &outputs);
        return reply_error(r, 400, "bad-fields", "fields is health, outputs or full");
}

static const struct diag_component *find(const struct request *q, const struct diag_report *report)
{
        return diag_report_find(report, str_or(request_arg(q, "name"), ""));
}

static bool finds_component(const struct request *q, const struct diag_report *report)
{
        return find(q, report) != NULL;
}

static int spell_component(const struct request *q, struct reply *r, const struct feed_view *v)
{
        const struct diag_component *c = find(q, v->report);
        _cleanup_(buf_done) struct buf out = {0};

        if (!c)
                return reply_error(r, 404, "no-such-component", "this node has no component %s",
                                   request_arg(q, "name"));
        diag_report_write_component(&out, c);
        return reply_json(r, 200, &out);
}

static int get_component(const struct request *q, struct reply *r)
{
        static const struct node_spelling component = {
                .strong = false,
                .finds = finds_component,
                .spell = spell_component,
        };

        return node_answer(q, r, &component);
}

/* clang-format off */
const struct route v2_node_routes[] = {
        {"GET", "/system/health/v2/node", get_node, AUTHORITY_HEALTH},
        {"GET", "/system/health/v2/node/components/{name}", get_component, AUTHORITY_READ},
        {"PUT", "/system/health/v2/node/maintenance", v2_put_maintenance, AUTHORITY_OPERATE},
        {"DELETE", "/system/health/v2/node/maintenance", v2_delete_maintenance, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */

const struct route_alias v2_aliases[] = {
        {"/system/health/v1/v2", "/system/health/v2"},
        {0                     },
};
