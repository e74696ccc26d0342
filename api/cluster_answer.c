/*
 * A conditional GET of the cluster that may wait. Tags are weak: every answer has ages in it. A stale
 * view has none, and nothing in it is "not modified".
 */

#include <stdio.h>

#include "api/cluster_answer.h"
#include "api/conditional.h"
#include "base/mono.h"

void cluster_look(struct cluster_look *ret, const struct request *q)
{
        const struct cluster_host *host = q->host;
        uint64_t beat_age;

        view_look(host->view, &ret->view);
        beat_age = view_beat_age(host->view);
        if (beat_age > VIEW_BEAT_MAX_AGE_USEC)
                (void)snprintf(ret->stale, sizeof(ret->stale),
                               "diag-aggregatord itself has been stuck for %u s",
                               (unsigned)(beat_age / USEC_PER_SEC));
        else
                (void)snprintf(ret->stale, sizeof(ret->stale),
                               "this master has not looked at all masters for %u s",
                               (unsigned)(ret->view.age_usec / USEC_PER_SEC));
        ret->look = (struct diag_look){
                .snapshot = ret->view.snapshot,
                .stale = ret->view.stale ? ret->stale : NULL,
                .now_boot_usec = now_boot_usec(),
                .age_usec = ret->view.age_usec,
                .outputs = q->caller.output,
        };
}

void cluster_look_done(struct cluster_look *l)
{
        view_look_done(&l->view);
}

/* What the client has: a seq of this instance, or -1. */
static int64_t known_seq(const struct request *q, const struct diag_snapshot *s, uint64_t current)
{
        uint64_t seq;

        switch (etag_known(q->if_none_match, s->instance, &seq)) {
        case ETAG_ANY:
                return (int64_t)current;
        case ETAG_KNOWN:
                return seq <= s->seq ? (int64_t)seq : -1;
        default:
                return -1;
        }
}

static unsigned wait_seconds(const struct request *q)
{
        unsigned wait = prefer_wait(q->prefer);

        return wait < CLUSTER_WAIT_MAX_SECONDS ? wait : CLUSTER_WAIT_MAX_SECONDS;
}

/* The moment until which this request may wait; 0: answer now. */
static uint64_t wait_until(const struct request *q, const struct cluster_look *l)
{
        uint64_t until = q->received_mono_usec + wait_seconds(q) * USEC_PER_SEC;

        if (until > l->view.stale_at_mono_usec)
                until = l->view.stale_at_mono_usec;
        return now_mono_usec() < until ? until : 0;
}

static void describe(const struct request *q, struct reply *r, const struct diag_look *l,
                     uint64_t seq)
{
        unsigned wait = wait_seconds(q);
        char etag[ETAG_MAX];

        reply_header(r, "Diag-Observer", "%s", l->snapshot->observer);
        if (l->age_usec != USEC_INFINITY)
                reply_header(r, "Diag-Confirmed-Age", "%u.%01u",
                             (unsigned)(l->age_usec / USEC_PER_SEC),
                             (unsigned)(l->age_usec % USEC_PER_SEC / 100000));
        if (l->stale)
                return;
        reply_header(r, "ETag", "%s", etag_format(etag, l->snapshot->instance, seq, true));
        if (wait && q->may_park)
                reply_header(r, "Preference-Applied", "wait=%u", wait);
}

static int answer(const struct request *q, struct reply *r, const struct cluster_spelling *spelling,
                  const struct cluster_look *l)
{
        const struct diag_snapshot *s = l->look.snapshot;
        uint64_t seq = spelling->verdict ? s->verdict_seq : s->seq, until;
        bool same = !l->look.stale && known_seq(q, s, seq) >= (int64_t)seq;
        bool found;

        until = same && q->may_park ? wait_until(q, l) : 0;
        if (until)
                return reply_park(r, until);
        found = !spelling->finds || spelling->finds(q, &l->look);
        if (found)
                describe(q, r, &l->look, seq);
        if (found && same)
                return reply_empty(r, 304);
        return spelling->spell(q, r, &l->look);
}

int cluster_answer(const struct request *q, struct reply *r,
                   const struct cluster_spelling *spelling)
{
        struct cluster_look l;
        int k;

        cluster_look(&l, q);
        k = answer(q, r, spelling, &l);
        cluster_look_done(&l);
        return k;
}
