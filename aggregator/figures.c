/* A copy under a lock: the loop's own figures are the loop's. */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "aggregator/figures.h"
#include "api/exposition.h"
#include "base/mono.h"

struct figures {
        pthread_mutex_t lock;
        struct poller_stats stats;
};

static const char *const results[] = {
        [ANSWER_NONE] = "silent",
        [ANSWER_REPORT] = "report",
        [ANSWER_UNCHANGED] = "unchanged",
        [ANSWER_NOT_HERE] = "not-here",
        [ANSWER_BAD] = "bad",
        [ANSWER_BUSY] = "busy",
};

int figures_new(struct figures **ret)
{
        struct figures *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        pthread_mutex_init(&f->lock, NULL);
        *ret = f;
        return 0;
}

struct figures *figures_free(struct figures *f)
{
        if (!f)
                return NULL;
        pthread_mutex_destroy(&f->lock);
        free(f);
        return NULL;
}

void figures_note(struct figures *f, const struct poller *p)
{
        struct poller_stats stats;

        poller_stats(p, &stats);
        pthread_mutex_lock(&f->lock);
        f->stats = stats;
        pthread_mutex_unlock(&f->lock);
}

static void write_durations(struct buf *out, const struct poller_stats *s)
{
        static const char name[] = "diag_poll_duration_seconds";
        uint64_t n = 0;

        exposition_family(out, name, "histogram",
                          "Time that nodes took to answer requests that they did not hold.");
        for (size_t i = 0; i < ELEMENTSOF(poller_buckets_usec); i++) {
                n += s->duration_buckets[i];
                buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                           (double)poller_buckets_usec[i] / USEC_PER_SEC, n);
        }
        n += s->duration_buckets[ELEMENTSOF(poller_buckets_usec)];
        buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
                   name, n, name, (double)s->duration_sum_usec / USEC_PER_SEC, name, n);
}

void figures_write(void *figures, struct buf *out)
{
        struct figures *f = figures;
        struct poller_stats s;

        pthread_mutex_lock(&f->lock);
        s = f->stats;
        pthread_mutex_unlock(&f->lock);
        exposition_family(out, "diag_polls_total", "counter",
                          "Requests to nodes, by what came of them.");
        for (size_t i = 0; i < ELEMENTSOF(results); i++) {
                const struct exposition_label labels[] = {
                        {"result", results[i]},
                        {0       }
                };

                exposition_uint(out, "diag_polls_total", labels, s.n_polls[i]);
        }
        exposition_family(out, "diag_connects_total", "counter", "Connections made to nodes.");
        exposition_uint(out, "diag_connects_total", NULL, s.n_connects);
        exposition_family(out, "diag_node_changes_total", "counter", "Reports that differed.");
        exposition_uint(out, "diag_node_changes_total", NULL, s.n_changes);
        exposition_family(out, "diag_polls_held", "gauge",
                          "Requests that nodes hold until they change.");
        exposition_uint(out, "diag_polls_held", NULL, s.n_held);
        exposition_family(out, "diag_polls_active", "gauge",
                          "Requests that are to be answered at once.");
        exposition_uint(out, "diag_polls_active", NULL, s.n_active);
        exposition_family(out, "diag_polls_queued", "gauge", "Nodes that wait for their turn.");
        exposition_uint(out, "diag_polls_queued", NULL, s.n_queued);
        write_durations(out, &s);
}
