/* A copy under a lock. How long bundles took is counted when their ends are seen; those from before our start are not. */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "aggregator/bundle_figures.h"
#include "api/exposition.h"
#include "base/mono.h"

#define N_BUCKETS 11u

/* Those of the service that we replace end where bundles begin; its name stays, its buckets do not. */
static const unsigned buckets_seconds[N_BUCKETS] = {1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 7200};

struct counts {
        unsigned n[BUNDLE_N_STATES];
        uint64_t n_bytes;
        uint64_t took[N_BUCKETS + 1], n_took, took_sum_usec, took_last_usec;
};

struct bundle_figures {
        pthread_mutex_t lock;
        struct counts counts;
        uint64_t seen_wall_usec; /* ends up to here were counted. Loop only */
};

int bundle_figures_new(struct bundle_figures **ret)
{
        struct bundle_figures *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        pthread_mutex_init(&f->lock, NULL);
        f->seen_wall_usec = now_wall_usec();
        *ret = f;
        return 0;
}

struct bundle_figures *bundle_figures_free(struct bundle_figures *f)
{
        if (!f)
                return NULL;
        pthread_mutex_destroy(&f->lock);
        free(f);
        return NULL;
}

static void count_time(struct counts *c, const struct bundle *b)
{
        uint64_t took = usec_since(b->finished_wall_usec, b->created_wall_usec);
        size_t i = 0;

        while (i < N_BUCKETS && took > buckets_seconds[i] * USEC_PER_SEC)
                i++;
        c->took[i]++;
        c->n_took++;
        c->took_sum_usec += took;
        c->took_last_usec = took;
}

void bundle_figures_note(struct bundle_figures *f, const struct store *s)
{
        size_t n;
        const struct bundle *const *all = store_list(s, &n);
        struct counts c = f->counts; /* nobody else writes it */
        uint64_t newest = f->seen_wall_usec;

        memset(c.n, 0, sizeof(c.n));
        c.n_bytes = 0;
        for (size_t i = 0; i < n; i++) {
                const struct bundle *b = all[i];

                c.n[b->state]++;
                if (b->state == BUNDLE_DONE)
                        c.n_bytes += b->size_bytes;
                if (b->finished_wall_usec > f->seen_wall_usec) {
                        count_time(&c, b);
                        if (b->finished_wall_usec > newest)
                                newest = b->finished_wall_usec;
                }
        }
        f->seen_wall_usec = newest;
        pthread_mutex_lock(&f->lock);
        f->counts = c;
        pthread_mutex_unlock(&f->lock);
}

static void write_times(struct buf *out, const struct counts *c)
{
        static const char name[] = "bundle_creation_time_seconds";
        uint64_t n = 0;

        exposition_family(
                out, name, "histogram",
                "Time from when a bundle was asked for to its end, of those that ended since the "
                "start.");
        for (size_t i = 0; i < N_BUCKETS; i++) {
                n += c->took[i];
                buf_printf(out, "%s_bucket{le=\"%u\"} %" PRIu64 "\n", name, buckets_seconds[i], n);
        }
        buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
                   name, c->n_took, name, (double)c->took_sum_usec / USEC_PER_SEC, name, c->n_took);
        exposition_family(out, "bundle_creation_time_seconds_gauge", "gauge",
                          "The same, of the last one.");
        exposition_seconds(out, "bundle_creation_time_seconds_gauge", NULL, c->took_last_usec);
}

void bundle_figures_write(struct bundle_figures *f, struct buf *out)
{
        struct counts c;

        pthread_mutex_lock(&f->lock);
        c = f->counts;
        pthread_mutex_unlock(&f->lock);
        exposition_family(out, "diag_bundles", "gauge", "Bundles of this master, by state.");
        for (int i = 0; i < BUNDLE_N_STATES; i++) {
                const struct exposition_label labels[] = {
                        {"state", bundle_state_to_string((enum bundle_state)i)},
                        {0      }
                };

                exposition_uint(out, "diag_bundles", labels, c.n[i]);
        }
        exposition_family(out, "diag_bundle_stored_bytes", "gauge",
                          "Bytes of the archives of this master.");
        exposition_uint(out, "diag_bundle_stored_bytes", NULL, c.n_bytes);
        write_times(out, &c);
}
