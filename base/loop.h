#pragma once

/*
 * The event loop: sd-event, and the few things that every daemon asks of it. One loop per daemon,
 * on one thread, owns everything that changes; other threads reach it by loop_post() only.
 */

#include <systemd/sd-event.h>

#include "base/cleanup.h"

struct loop;

/** loop_new() - the signals given to loop_on_signal() must be blocked in all threads already. */
int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *l);

/** loop_event() - borrowed; sd_event may be passed around. */
sd_event *loop_event(struct loop *l);

/** loop_run() - until loop_quit(). Return: what loop_quit() said, or -errno. */
int loop_run(struct loop *l);
void loop_quit(struct loop *l, int status);

/** loop_post() - run @fn(@arg) on the loop, soon, in order. Any thread. 0 or -ENOMEM. */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/** loop_block_signals() - those of a daemon are for its loop alone: before there is any thread. */
void loop_block_signals(void);

/** loop_on_signal() - call @fn on the loop when @signo arrives. */
int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *userdata),
                   void *userdata);

/** loop_notify() - tell the service manager, if one started us: "READY=1" (sd_notify(3)). */
void loop_notify(const char *state);

/** loop_listen_fds() - what it opened for us, descriptors from *ret_first on (sd_listen_fds(3)). How many, or -errno. */
int loop_listen_fds(int *ret_first);

/**
 * A timer that is set again and again. CLOCK_MONOTONIC.
 *
 * The callback may set it again, or free it.
 */
struct loop_timer;
int loop_timer_new(struct loop_timer **ret, struct loop *l, void (*fn)(void *userdata),
                   void *userdata);
struct loop_timer *loop_timer_free(struct loop_timer *t);

/** loop_timer_set() - fire at @mono_usec, at most @slack_usec later, so that wake-ups can be shared. */
void loop_timer_set(struct loop_timer *t, uint64_t mono_usec, uint64_t slack_usec);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

DEFINE_CLEANUP(struct loop *, loop_free);
