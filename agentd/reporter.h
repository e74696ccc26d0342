#pragma once

/*
 * Facts in, verdicts out: judges every component, seals a report, publishes it, says each change once
 * in the log, and decides whom it wakes. All on the loop.
 */

#include "agentd/identity.h"
#include "agentd/journal_tail.h"
#include "agentd/maintenance.h"
#include "agentd/unit_watch.h"
#include "api/feed.h"
#include "probes/prober.h"

struct reporter;

struct reporter_parts { /* borrowed, all outlive the reporter */
        struct loop *loop;
        struct unit_watch *watch;
        struct identity *identity;
        struct journal_tail *tails;
        struct maintenance *maintenance;
        struct feed *feed;
        const struct agent_conf *conf;
        struct prober *prober; /* of the probes of @conf, in their order */
};

int reporter_new(struct reporter **ret, const struct reporter_parts *parts);
struct reporter *reporter_free(struct reporter *r);

/** reporter_reconfigure() - from now on by these; the next report is made when unit_watch is steady. */
void reporter_reconfigure(struct reporter *r, const struct agent_conf *conf, struct prober *prober);

/** reporter_first() - the report before anything is known: starting, unknown. For feed_new(). */
struct diag_report *reporter_first(const struct diag_node *node);

/** reporter_update() - judge and publish, if unit_watch is steady; else its changed() comes soon. */
void reporter_update(struct reporter *r);

/** reporter_tick() - each 5 s: shows what probes measured, where it changed nothing else. */
void reporter_tick(struct reporter *r);

/** reporter_is_behind() - the last report could not be made: what is published is older than what is known. */
bool reporter_is_behind(const struct reporter *r);

/** reporter_say_stopping() - the last report: the machine is going down. */
void reporter_say_stopping(struct reporter *r);

DEFINE_CLEANUP(struct reporter *, reporter_free);
