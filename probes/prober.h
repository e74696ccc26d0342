#pragma once

/*
 * Asks components themselves, again and again: when, how often, with which deadline, and what one
 * result more means for a probe's health. What "asking" is, is probe.h's table of kinds. All on the loop.
 *
 * All of it counts CLOCK_MONOTONIC, which stands still while the machine is suspended: in that time
 * nobody could have asked, and nothing could have changed. So no probe is late on waking up; whoever
 * hands out a report tells how old that is by a clock that goes on.
 */

#include "base/loop.h"
#include "model/probe.h"
#include "net/fetch.h"
#include "probes/probe.h"

/*
 * At once; the others wait in order. With Timeout=5s and Interval=10s that is place for 96 probes that
 * hang; beyond that the others are put off too, until they are late.
 */
#define PROBER_RUNNING_MAX 48u /* below FETCH_RUNNING_MAX: we have other questions, too */

struct prober;

/**
 * prober_new() - plan the first runs: within about a second, so that the first truth comes soon
 * @f:        borrowed; may be NULL when no probe asks over HTTP
 * @settings: borrowed, outlive the prober; each has passed probe_settings_check()
 * @state_path: results are kept there across a restart of the daemon, like last runs; NULL: in memory only.
 *            On tmpfs: it is written up to once a second
 * @boot_id:  results of another boot are dropped, as are those of other settings and those too old
 * @changed:  called on the loop when a probe's health, code or text is another one. It may ask and skip
 *            probes, but not free the prober
 *
 * Return: 0, -E2BIG (more than PROBES_MAX), -ENOMEM, or another -errno of the loop.
 */
int prober_new(struct prober **ret, struct loop *l, struct fetcher *f,
               const struct probe_settings *const *settings, size_t n, const char *state_path,
               const char *boot_id, void (*changed)(void *userdata), void *userdata);

/**
 * prober_take_over() - go on where @old stands, after a change of settings
 *
 * For each probe that both have, with the same settings: its results, its output, its beat. Before @p has
 * run anything; @old is good for nothing but prober_free() then.
 */
void prober_take_over(struct prober *p, struct prober *old);

/** prober_free() - what runs is broken off: children are killed, with all of their group. */
struct prober *prober_free(struct prober *p);

/**
 * prober_get() - as of now: a probe that is overdue is unknown here, whether or not it has been told
 *
 * Strings are borrowed until the next turn of the loop.
 */
void prober_get(const struct prober *p, size_t i, struct diag_probe *ret);

/**
 * prober_skip() - do not start probe @i while @skip; the last result is kept, a run is broken off
 *
 * Afterwards it is asked at once; a result that meanwhile is too old to be true is forgotten. This is
 * not told by changed(): the caller knows that it asked for it.
 */
void prober_skip(struct prober *p, size_t i, bool skip);

/** prober_hold() - skip probe @i of a new prober until prober_skip() tells for the first time. */
void prober_hold(struct prober *p, size_t i);

/** prober_is_settled() - each probe that is not skipped has a result, or has had its time for one. */
bool prober_is_settled(const struct prober *p);

/** prober_n_results() - counts up: there is news beside health (times, outputs, windows). */
uint64_t prober_n_results(const struct prober *p);

/**
 * prober_late_at() - CLOCK_MONOTONIC: when the next probe becomes late if nothing happens
 *
 * USEC_INFINITY when none can. A probe is late when 2 * Interval= + Timeout= have passed without a result:
 * it may wait for others, and be put off, but never be silent.
 */
uint64_t prober_late_at(const struct prober *p);

/**
 * prober_take_trouble() - what went wrong with the state file
 *
 * Never fatal: then results live in memory only. Each trouble is told once, and again only when writing
 * has worked in between.
 * Return: whether there is something new to be told, in @ret.
 */
bool prober_take_trouble(struct prober *p, struct err *ret);

DEFINE_CLEANUP(struct prober *, prober_free);
