#pragma once

/*
 * What an answer changes in what is known of a node. No sockets, no timers: the clocks are arguments, so
 * that every turn of a node's life is a row of a test.
 */

#include "aggregator/answer.h"
#include "aggregator/roster.h"

/* A node is unreachable after two failures in a row and this long, or one failure that took as long. */
#define MERGE_UNREACHABLE_FAILURES 2u
#define MERGE_UNREACHABLE_USEC     (UINT64_C(3) * 1000000)

struct merge_moment {
        uint64_t boot_usec, wall_usec;
        uint64_t rtt_usec; /* of this exchange; 0: it was held, so that it tells nothing */
};

/**
 * merge_answer() - @n has answered, or has not
 * @a: its report, if it has one, is the node's afterwards
 * Return: true if its report is another one than before.
 */
bool merge_answer(struct roster *r, struct node *n, struct answer *a,
                  const struct merge_moment *now);

/**
 * merge_age() - time has passed
 * @max_age_usec: how old the facts of this node may be
 * Return: true if that changes what is shown of it.
 */
bool merge_age(struct node *n, uint64_t max_age_usec, uint64_t now_boot_usec);
