/*
 * A conditional GET (RFC 9110 §13) that may wait (RFC 7240 §4.3). A stale answer carries no entity
 * tag: its seq is that of the report that nobody vouches for any more, and must not match later.
 */

#include "api/conditional.h"
#include "api/node_answer.h"
#include "base/mono.h"

/* What the client has: a seq of this instance, or -1. */
static int64_t known_seq(const struct request *q, const struct feed_view *v)
{
        uint64_t seq;

        switch (etag_known(q->if_none_match, v->report->instance, &seq)) {
        case ETAG_ANY:
                return (int64_t)v->report->seq;
        case ETAG_KNOWN:
                return seq <= v->report->seq ? (int64_t)seq : -1;
        default:
                return -1;
        }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* The moment until which this request may wait; 0: answer now. */
static uint64_t wait_until(const struct request *q, const struct feed_view *v, int64_t known)
{
        uint64_t now = now_mono_usec(), until = 0;

        if (!q->may_park || v->stale)
                return 0;
        if (v->report->phase == DIAG_PHASE_STARTING)
                until = q->received_mono_usec + NODE_FIRST_ANSWER_USEC;
        else if (known >= 0 && (uint64_t)known >= v->wake_seq &&
                 v->report->phase != DIAG_PHASE_STOPPING)
                until = q->received_mono_usec + prefer_wait(q->prefer) * USEC_PER_SEC;
        return now < until ? earlier(until, v->stale_at_mono_usec) : 0;
}

static void describe(const struct request *q, struct reply *r, const struct feed_view *v,
                     bool strong)
{
        unsigned wait = prefer_wait(q->prefer);
        char etag[ETAG_MAX];

        if (!v->stale)
                reply_header(r, "ETag", "%s",
                             etag_format(etag, v->report->instance, v->report->seq, !strong));
        /* Whoever reads this stops asking each few seconds: so only where we would have waited. */
        if (wait && q->may_park && !v->stale)
                reply_header(r, "Preference-Applied", "wait=%u", wait);
        if (v->confirmed_age_usec != USEC_INFINITY)
                reply_header(r, "Diag-Confirmed-Age", "%u.%01u",
                             (unsigned)(v->confirmed_age_usec / USEC_PER_SEC),
                             (unsigned)(v->confirmed_age_usec % USEC_PER_SEC / 100000));
}

int node_answer(const struct request *q, struct reply *r, const struct node_spelling *spelling)
{
        const struct node_host *host = q->host;
        _cleanup_(feed_view_done) struct feed_view v = {0};
        uint64_t until;
        int64_t known;
        bool found;
        int k;

        k = feed_look(host->feed, &v);
        if (k < 0)
                return k;
        known = known_seq(q, &v);
        until = wait_until(q, &v, known);
        if (until)
                return reply_park(r, until);
        found = !spelling->finds || spelling->finds(q, v.report);
        if (found)
                describe(q, r, &v, spelling->strong);
        if (found && !v.stale && known >= 0 && (uint64_t)known == v.report->seq)
                return reply_empty(r, 304);
        return spelling->spell(q, r, &v);
}
