#pragma once

/*
 * Facts in, verdicts out: judges every component, seals a report, publishes it, says each change once
 * in the log, and decides whom it wakes. All on the loop.
 */

#include "agentd/identity.h"
#include "agentd/journal_tail.h"
#include "agentd/unit_watch.h"
#include "api/feed.h"

struct reporter;

struct reporter_parts { /* borrowed, all outlive the reporter */
        struct loop *loop;
        struct unit_watch *watch;
        struct identity *identity;
        struct journal_tail *tails;
        struct feed *feed;
};

int reporter_new(struct reporter **ret, const struct reporter_parts *parts);
struct reporter *reporter_free(struct reporter *r);

/** reporter_first() - the report before anything is known: starting, unknown. For feed_new(). */
struct diag_report *reporter_first(const struct diag_node *node);

/** reporter_update() - judge and publish, if unit_watch is steady; else its changed() comes soon. */
void reporter_update(struct reporter *r);

/** reporter_say_stopping() - the last report: the machine is going down. */
void reporter_say_stopping(struct reporter *r);

DEFINE_CLEANUP(struct reporter *, reporter_free);
