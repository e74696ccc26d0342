#pragma once

/*
 * What the aggregator has published, and the one place where its age is checked: the cluster's
 * counterpart of api/feed.h. A view that is older than it may be says nothing but that.
 */

#include "api/parked.h"
#include "model/snapshot.h"

/* The loop's own signs of life: as in api/feed.h. */
#define VIEW_BEAT_MAX_AGE_USEC (UINT64_C(20) * 1000000)

struct view;

/** view_new() - with a first snapshot, so that there is always an answer. @taken: also on failure. */
int view_new(struct view **ret, struct parked *parked, struct diag_snapshot *taken);
struct view *view_free(struct view *v);

/** view_publish() - from now on this is the answer; who waits for it looks again. Loop only. */
void view_publish(struct view *v, struct diag_snapshot *taken);

/** view_current() - borrowed, for the loop only. */
const struct diag_snapshot *view_current(const struct view *v);

/** view_confirm() - every master has been looked at again: what is published holds now. Loop only. */
void view_confirm(struct view *v);

/** view_beat() - the loop turns. Loop only. */
void view_beat(struct view *v);
uint64_t view_beat_age(const struct view *v); /* any thread */

/** What a reader gets. */
struct view_look {
        struct diag_snapshot *snapshot; /* a reference; never NULL */
        bool stale;        /* nothing in it may be called healthy any more, nor unchanged */
        uint64_t age_usec; /* since it was last confirmed */
        uint64_t stale_at_mono_usec; /* look again by then */
};

/** view_look() - any thread. */
void view_look(struct view *v, struct view_look *ret);
void view_look_done(struct view_look *l);

DEFINE_CLEANUP(struct view *, view_free);
