/* API v1 of a node: 7 keys, 6 per unit, spelled by model/report_v1.c. */

#include "api/node_answer.h"
#include "api/v1_node.h"
#include "model/report_v1.h"

static int spell_v1(const struct request *q, struct reply *r, const struct feed_view *v)
{
        return reply_blob(r, 200, "application/json",
                          q->caller.output ? diag_report_rendered(v->report, DIAG_MEMO_V1,
                                                                  diag_report_render_v1)
                                           : diag_report_rendered(v->report, DIAG_MEMO_V1_REASONS,
                                                                  diag_report_render_v1_reasons));
}

static int get_node(const struct request *q, struct reply *r)
{
        static const struct node_spelling v1 = {.strong = false, .spell = spell_v1};

        return node_answer(q, r, &v1);
}

const struct route v1_node_routes[] = {
        {"GET",     "/system/health/v1", get_node, AUTHORITY_HEALTH},
        {0},
};
