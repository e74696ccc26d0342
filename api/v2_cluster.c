/* The verdict, whether it is good enough for who only wants to know that, and who announces himself. */

#include "api/cluster_answer.h"
#include "api/cluster_task.h"
#include "api/livez.h"
#include "api/v2_cluster.h"
#include "model/snapshot_json.h"

#define BASE "/system/health/v2"

/* An announcement is a name and an address; whatever else stands in it is for newer daemons. */
#define ANNOUNCE_BYTES_MAX 4096u

/* --- the verdict ------------------------------------------------------------------------------- */

static int spell(struct reply *r, const struct diag_look *l, bool own)
{
        _cleanup_(buf_done) struct buf out = {0};

        diag_cluster_write(&out, l, own);
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static int spell_all(const struct request *q, struct reply *r, const struct diag_look *l)
{
        (void)q;
        return spell(r, l, false);
}

static int spell_own(const struct request *q, struct reply *r, const struct diag_look *l)
{
        (void)q;
        return spell(r, l, true);
}

static int get_cluster(const struct request *q, struct reply *r)
{
        static const struct cluster_spelling all = {.verdict = true, .spell = spell_all};
        static const struct cluster_spelling own = {.verdict = true, .spell = spell_own};
        char view[8];

        if (!request_query(q, "view", view, sizeof(view)) || streq(view, "all"))
                return cluster_answer(q, r, &all);
        if (streq(view, "own"))
                return cluster_answer(q, r, &own);
        return reply_error(r, 400, "bad-view", "view is own or all");
}

/* --- ready ------------------------------------------------------------------------------------- */

static bool is_ready(const struct diag_cluster_verdict *v, bool quorum)
{
        if (quorum)
                return v->quorum == DIAG_QUORUM_OK || v->quorum == DIAG_QUORUM_AT_RISK;
        return v->health == DIAG_HEALTHY;
}

static int answer_ready(struct reply *r, const struct diag_look *l, bool quorum)
{
        const struct diag_cluster_verdict *v = &l->snapshot->verdict;

        reply_header(r, "Cache-Control", "no-cache");
        if (l->stale)
                return reply_text(r, 503, "not ready: %s", l->stale);
        if (!is_ready(v, quorum))
                return reply_text(r, 503, "not ready: %s", v->summary);
        return reply_text(r, 200, "ready: %u of %u masters healthy", v->n_healthy, v->n_expected);
}

static int get_ready(const struct request *q, struct reply *r)
{
        struct cluster_look l;
        bool quorum = false;
        char require[8];
        int k;

        if (request_query(q, "require", require, sizeof(require))) {
                quorum = streq(require, "quorum");
                if (!quorum && !streq(require, "all"))
                        return reply_error(r, 400, "bad-require", "require is all or quorum");
        }
        cluster_look(&l, q);
        k = answer_ready(r, &l.look, quorum);
        cluster_look_done(&l);
        return k;
}

/* --- announcements ----------------------------------------------------------------------------- */

static int put_announce(const struct request *q, struct reply *r)
{
        const struct cluster_task *t;
        int k = 0;

        if (q->n_body > ANNOUNCE_BYTES_MAX)
                return reply_error(r, 413, "body-too-large",
                                   "an announcement is longer than %u bytes", ANNOUNCE_BYTES_MAX);
        if (!*q->errand)
                k = cluster_task_start(q, CLUSTER_TASK_ANNOUNCE, NULL, NULL);
        if (k >= 0)
                k = cluster_task_await(q, r, &t);
        return k == ERRAND_DONE ? cluster_task_answer(t, r) : k;
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int get_livez(const struct request *q, struct reply *r)
{
        const struct cluster_host *host = q->host;

        return livez_answer(r, "diag-aggregatord", view_beat_age(host->view),
                            VIEW_BEAT_MAX_AGE_USEC);
}

/* clang-format off */
const struct route v2_cluster_routes[] = {
        {"GET", BASE "/cluster", get_cluster, AUTHORITY_HEALTH},
        {"GET", BASE "/cluster/ready", get_ready, AUTHORITY_HEALTH},
        {"PUT", BASE "/announce", put_announce, AUTHORITY_HEALTH},
        {"GET", "/livez", get_livez, AUTHORITY_HEALTH},
        {0},
};
/* clang-format on */
