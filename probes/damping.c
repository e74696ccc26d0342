/* Health after damping: three counters and a window. */

#include <stdio.h>

#include "probes/damping.h"

static void set(struct damped *d, enum diag_health health, enum diag_code code, const char *prefix,
                const char *text)
{
        d->health = health;
        d->code = code;
        (void)snprintf(d->text, sizeof(d->text), "%s%.*s", prefix,
                       (int)(PROBE_TEXT_MAX - strlen(prefix)), text);
}

void damped_reset(struct damped *d)
{
        *d = (struct damped){0};
        set(d, DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "", "has not been asked yet");
}

static unsigned one_more(unsigned n)
{
        return n < DIAG_PROBE_WINDOW ? n + 1 : n;
}

static void count(struct damped *d, enum diag_health health)
{
        bool passed = health == DIAG_HEALTHY;

        d->window = d->window << 1 | passed;
        d->n_window = one_more(d->n_window);
        d->n_passed = passed ? one_more(d->n_passed) : 0;
        d->n_failed = passed ? 0 : one_more(d->n_failed);
        d->n_unknown = health == DIAG_UNKNOWN ? one_more(d->n_unknown) : 0;
}

static void passed(struct damped *d, unsigned pass_after)
{
        if (d->n_passed >= pass_after)
                set(d, DIAG_HEALTHY, DIAG_CODE_OK, "", "");
        else if (d->health == DIAG_UNKNOWN)
                set(d, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "",
                    "passed, but not often enough yet");
}

static void failed(struct damped *d, const struct probe_verdict *v, unsigned fail_after)
{
        if (d->n_failed < fail_after) {
                if (d->health == DIAG_UNKNOWN)
                        set(d, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "so far: ", v->text);
                return;
        }
        /* A known fault is not forgotten over one answer that told nothing. */
        if (d->health == DIAG_UNHEALTHY && v->health == DIAG_UNKNOWN && d->n_unknown < fail_after)
                return;
        set(d, v->health, v->code, "", v->text);
}

void damped_add(struct damped *d, const struct probe_verdict *v, unsigned fail_after,
                unsigned pass_after)
{
        count(d, v->health);
        if (v->health == DIAG_HEALTHY)
                passed(d, pass_after);
        else
                failed(d, v, fail_after);
}

void damped_set_late(struct damped *d, const char *text)
{
        set(d, DIAG_UNKNOWN, DIAG_CODE_PROBE_LATE, "", text);
}

bool damped_equal(const struct damped *a, const struct damped *b)
{
        return a->health == b->health && a->code == b->code && streq(a->text, b->text);
}
