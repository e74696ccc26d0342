/* Two places in the set that go round, and a clock for each batch. */

#include <errno.h>

#include "agentd/unit_later.h"
#include "agentd/unit_needs.h"
#include "base/mono.h"

#define BATCH_UNITS     16u
#define PAUSE_TIMES     4u /* a pause lasts so many times as long as its batch took */
#define PAUSE_MIN_USEC  (10 * USEC_PER_MSEC)
#define PAUSE_MAX_USEC  (2 * USEC_PER_SEC)
#define DOUBTED_AT_ONCE 8u

struct unit_later {
        struct unit_set *set;
        const struct unit_later_ops *ops;
        void *userdata;
        struct loop_timer *pause;
        size_t ask_at, doubt_at; /* whose turn it is */
        unsigned n_batch;
        uint64_t batch_mono_usec; /* when it began */
        bool news;                /* something was asked since all was known */
};

static void on_pause_over(void *userdata)
{
        struct unit_later *later = userdata;

        later->ops->resume(later->userdata);
}

int unit_later_new(struct unit_later **ret, struct loop *l, struct unit_set *set,
                   const struct unit_later_ops *ops, void *userdata)
{
        struct unit_later *later = calloc(1, sizeof(*later));
        int k;

        if (!later)
                return -ENOMEM;
        *later = (struct unit_later){.set = set, .ops = ops, .userdata = userdata};
        k = loop_timer_new(&later->pause, l, on_pause_over, later);
        if (k < 0) {
                free(later);
                return k;
        }
        *ret = later;
        return 0;
}

struct unit_later *unit_later_free(struct unit_later *later)
{
        if (later)
                loop_timer_free(later->pause);
        free(later);
        return NULL;
}

void unit_later_stop(struct unit_later *later)
{
        later->n_batch = 0;
        loop_timer_stop(later->pause);
}

static void begin_pause(struct unit_later *later)
{
        uint64_t now = now_mono_usec();
        uint64_t pause = PAUSE_TIMES * usec_since(now, later->batch_mono_usec);

        if (pause < PAUSE_MIN_USEC)
                pause = PAUSE_MIN_USEC;
        if (pause > PAUSE_MAX_USEC)
                pause = PAUSE_MAX_USEC;
        later->n_batch = 0;
        loop_timer_set(later->pause, usec_add(now, pause), pause / 8);
}

/* The unit whose turn it is; records come and go, so the place is only about right. */
static struct unit_record *next(const struct unit_set *s, size_t *at)
{
        if (*at >= s->n_records)
                *at = 0;
        return s->records[(*at)++];
}

static bool ask_next(struct unit_later *later)
{
        for (size_t i = 0; i < later->set->n_records; i++) {
                struct unit_record *r = next(later->set, &later->ask_at);
                unsigned details = unit_needs_later(r);

                if (!details)
                        continue;
                unit_needs_asked(r, details);
                later->ops->ask(r, details, later->userdata);
                return true;
        }
        return false;
}

enum unit_later_step unit_later_go_on(struct unit_later *later)
{
        bool news = later->news;

        if (loop_timer_is_set(later->pause))
                return UNIT_LATER_PAUSE;
        if (later->n_batch == BATCH_UNITS) {
                begin_pause(later);
                return UNIT_LATER_PAUSE;
        }
        if (!later->n_batch)
                later->batch_mono_usec = now_mono_usec();
        if (ask_next(later)) {
                later->n_batch++;
                later->news = true;
                return UNIT_LATER_ASKED;
        }
        later->n_batch = 0;
        later->news = false;
        return news ? UNIT_LATER_DONE : UNIT_LATER_NOTHING;
}

void unit_later_doubt(struct unit_later *later)
{
        unsigned n = 0;

        for (size_t i = 0; i < later->set->n_records && n < DOUBTED_AT_ONCE; i++) {
                struct unit_record *r = next(later->set, &later->doubt_at);

                if (!r->has_row || unit_record_is_plain(r))
                        continue;
                r->fixed_old = true;
                n++;
        }
}
