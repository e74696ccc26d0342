#pragma once

/*
 * The making of one zip: the collector writes it beside its name, and it gets its name when it is whole. While
 * another collection of this node is being made it waits for its turn.
 *
 * Belongs to the loop.
 */

#include "agentd/collections.h"
#include "bundles/jobs.h"

struct bundle_zip;

/** bundle_zip_new() - @collections is borrowed; @jobs, which this is the runner of, is given later */
int bundle_zip_new(struct bundle_zip **ret, struct loop *l, struct collections *collections);
void bundle_zip_set_jobs(struct bundle_zip *z, struct jobs *jobs);
struct bundle_zip *bundle_zip_free(struct bundle_zip *z);

/** What jobs ask of it; the userdata is a struct bundle_zip. */
extern const struct jobs_runner bundle_zip_runner;

DEFINE_CLEANUP(struct bundle_zip *, bundle_zip_free);
