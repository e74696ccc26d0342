#pragma once

/*
 * Which units this node's components are, and when to look at them. Watches, does not poll: a signal
 * marks a unit dirty, 50 ms later the dirty ones are listed in one call; everything is looked at
 * again after a daemon-reload, after the bus or systemd was away, and each minute, in case a signal
 * was lost.
 */

#include "agentd/last_runs.h"
#include "agentd/unit_bus.h"

struct unit_watch_options {
        const char *bus_address; /* NULL: the system bus */
        const char *target;      /* "" for none */
        bool target_is_default; /* nobody asked for it: another one will do where it does not exist */
        const char *const *units; /* names and globs */
        size_t n_units;
        enum diag_expect (*expect)(const char *name, enum diag_expect otherwise, void *userdata);
        void *userdata; /* for expect() */
        uint64_t stuck_after_usec, stuck_after_oneshot_usec;
        bool starting_is_healthy;
};

struct unit_watch_ops {
        /* Something that matters for health or for people is different: judge anew. */
        void (*changed)(void *userdata);
        /* systemd has just answered. */
        void (*answered)(void *userdata);
};

struct unit_watch;

int unit_watch_new(struct unit_watch **ret, struct loop *l,
                   const struct unit_watch_options *options, struct last_runs *last_runs,
                   const struct unit_watch_ops *ops, void *userdata);
struct unit_watch *unit_watch_free(struct unit_watch *w);

/** unit_watch_reconfigure() - look at all anew by these; what is known of units is kept. */
void unit_watch_reconfigure(struct unit_watch *w, const struct unit_watch_options *options);

/** unit_watch_tick() - every UNIT_WATCH_TICK: asks systemd whether it lives, looks at all each minute. */
#define UNIT_WATCH_TICK_USEC (UINT64_C(5) * 1000000)
void unit_watch_tick(struct unit_watch *w);

/** unit_watch_is_settled() - the first list has come, or we know that none will for now. */
bool unit_watch_is_settled(const struct unit_watch *w);

/**
 * unit_watch_is_steady() - no look is under way and none is due
 *
 * In between, facts may be half of one state and half of the next: judge only when this holds;
 * changed() follows otherwise.
 */
bool unit_watch_is_steady(const struct unit_watch *w);

/** unit_watch_problem() - why systemd cannot be asked about anything; "" while it can. */
const char *unit_watch_problem(const struct unit_watch *w);

/** unit_watch_target() - what the components are taken from, for people. */
const char *unit_watch_target(const struct unit_watch *w);
const struct diag_system *unit_watch_system(const struct unit_watch *w);

/** unit_watch_ask_stopping() - is the machine going down? Blocks for at most @timeout_usec. */
bool unit_watch_ask_stopping(struct unit_watch *w, uint64_t timeout_usec);

/** A component and all that judging it needs. Borrowed until the loop turns. */
struct unit_watch_component {
        const char *name;
        const struct diag_unit *facts;
        struct diag_unit_context context;
};
size_t unit_watch_n_components(const struct unit_watch *w);
bool unit_watch_is_truncated(const struct unit_watch *w); /* there were too many */
void unit_watch_component(const struct unit_watch *w, size_t i, uint64_t now_mono_usec,
                          struct unit_watch_component *ret);

DEFINE_CLEANUP(struct unit_watch *, unit_watch_free);
