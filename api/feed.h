#pragma once

/*
 * What the node daemon has published, and the one place where its age is checked. The loop puts
 * sealed reports in and says when it was last sure of them; HTTP threads take one out, and get it
 * only if it can still be vouched for *at that moment*: a hung loop or a silent systemd must not
 * go on saying "healthy" or "unchanged".
 */

#include "api/parked.h"
#include "model/report.h"

/* Unknown from 45 s after systemd's last answer, and from 20 s after the loop's last heartbeat. */
#define FEED_FACTS_MAX_AGE_USEC (UINT64_C(45) * 1000000)
#define FEED_BEAT_MAX_AGE_USEC  (UINT64_C(20) * 1000000)

struct feed;

/**
 * feed_new() - with a first report, so that there is always an answer
 * @parked: woken by feed_wake(); borrowed
 * @taken:  the report is the feed's now, also on failure
 */
int feed_new(struct feed **ret, struct parked *parked, struct diag_report *taken);
struct feed *feed_free(struct feed *f);

/** feed_publish() - from now on this is the answer. Wakes nobody. Loop only. */
void feed_publish(struct feed *f, struct diag_report *taken);

/** feed_current() - borrowed, for the loop only: what was published last. */
const struct diag_report *feed_current(const struct feed *f);

/** feed_wake() - whoever waits and knows less than @seq looks again. Loop only. */
void feed_wake(struct feed *f, uint64_t seq);

/** feed_confirm() - systemd has answered: what is published was true just now. Loop only. */
void feed_confirm(struct feed *f);

/** feed_beat() - the loop turns. Loop only. */
void feed_beat(struct feed *f);

/** feed_confirmed_age() - since systemd's last answer; USEC_INFINITY before the first. Any thread. */
uint64_t feed_confirmed_age(const struct feed *f);

/** feed_beat_age() - since the loop's last heartbeat. Any thread. */
uint64_t feed_beat_age(const struct feed *f);

/** What a reader gets. */
struct feed_view {
        struct diag_report *report; /* a reference; never NULL after success */
        bool stale;        /* the report says "unknown", because nobody can vouch for more */
        uint64_t wake_seq; /* those who know this much need not be answered yet */
        uint64_t stale_at_mono_usec; /* look again by then */
        uint64_t confirmed_age_usec; /* USEC_INFINITY before the first answer of systemd */
};

/** feed_look() - any thread. Return: 0, or -ENOMEM. */
int feed_look(struct feed *f, struct feed_view *ret);
void feed_view_done(struct feed_view *v);

DEFINE_CLEANUP(struct feed *, feed_free);
