/* API v2 of a node: full, or health content only (?fields=health), spelled by model/report_json.c. */

#include "api/node_answer.h"
#include "api/v2_node.h"
#include "base/mono.h"
#include "model/report_json.h"

static int spell_health(struct reply *r, const struct feed_view *v)
{
        return reply_blob(
                r, 200, "application/json",
                diag_report_rendered(v->report, DIAG_MEMO_V2_HEALTH, diag_report_render_health));
}

static int spell_full(struct reply *r, const struct feed_view *v)
{
        const struct diag_moment moment = {
                .now_wall_usec = now_wall_usec(),
                .uptime_usec = now_boot_usec(),
                .confirmed_age_usec = v->confirmed_age_usec,
        };
        _cleanup_(buf_done) struct buf out = {0};

        diag_report_write_full(&out, v->report, &moment);
        return reply_json(r, 200, &out);
}

static int get_node(const struct request *q, struct reply *r)
{
        static const struct node_spelling health = {.strong = true, .spell = spell_health};
        static const struct node_spelling full = {.strong = false, .spell = spell_full};
        char fields[16];

        if (!request_query(q, "fields", fields, sizeof(fields)) || streq(fields, "full"))
                return node_answer(q, r, &full);
        if (streq(fields, "health"))
                return node_answer(q, r, &health);
        return reply_error(r, 400, "bad-fields", "fields is health or full");
}

const struct route v2_node_routes[] = {
        {"GET",     "/system/health/v2/node", get_node},
        {0},
};

const struct route_alias v2_aliases[] = {
        {"/system/health/v1/v2", "/system/health/v2"},
        {0                     },
};
