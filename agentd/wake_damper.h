#pragma once

/*
 * How often one component may wake those who wait for a change. Its first change wakes at once; while
 * it goes on changing, the next wake-ups come 1 s, 2 s, 4 s … 30 s apart; after 60 s of quiet it is as
 * new. Only waking is damped: the published report always shows the newest state.
 */

#include "base/cleanup.h"

struct wake_damper;

int wake_damper_new(struct wake_damper **ret);
struct wake_damper *wake_damper_free(struct wake_damper *d);

/**
 * wake_damper_note() - @name has changed
 * Return: the moment at which that may wake somebody; @now when at once. Also when out of memory.
 */
uint64_t wake_damper_note(struct wake_damper *d, const char *name, uint64_t now_mono_usec);

DEFINE_CLEANUP(struct wake_damper *, wake_damper_free);
