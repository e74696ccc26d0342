#pragma once

/*
 * What has to be asked of a unit. Its signals tell all that changes, and its row in a list shows
 * whether one was missed: so details are asked when it is new, when its row differs, and when a reload
 * may have changed what it is judged by; everything else has time. Pure.
 */

#include "agentd/unit_set.h"

/**
 * unit_needs_now() - before it can be judged
 * Return: enum unit_detail, ored; 0 when nothing is missing. Ask again once that was answered: later
 * questions follow from earlier answers.
 */
unsigned unit_needs_now(const struct unit_record *r) _pure_;

/** unit_needs_later() - what only views show, and what an earlier reload may have changed. */
unsigned unit_needs_later(const struct unit_record *r) _pure_;

/** unit_needs_asked() - these details are being asked of it. */
void unit_needs_asked(struct unit_record *r, unsigned details);
