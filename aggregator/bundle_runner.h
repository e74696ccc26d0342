#pragma once

/*
 * What makes a bundle of the cluster: diag-gather, a child for each. What it is to do is put into the bundle's directory;
 * what it does is read from state.json there, twice a second. It ends with a state that is final; or else we say how it ended,
 * and what it left is removed.
 *
 * Belongs to the loop.
 */

#include "aggregator/bundle_nodes.h"
#include "api/view.h"
#include "base/loop.h"
#include "bundles/gather.h"
#include "bundles/jobs.h"

struct bundle_runner_options { /* what is pointed to is borrowed */
        struct loop *loop;
        struct view *view;
        struct bundle_where where;
};

struct bundle_runner;

int bundle_runner_new(struct bundle_runner **ret, const struct bundle_runner_options *options);
struct bundle_runner *bundle_runner_free(struct bundle_runner *r); /* a child is killed */

/** bundle_runner_set_jobs() - whose bundles it makes; before the first one */
void bundle_runner_set_jobs(struct bundle_runner *r, struct jobs *j);

/** bundle_runner_set_limits() - of bundles that begin from now on */
int bundle_runner_set_limits(struct bundle_runner *r, const struct gather_order *limits);

/** bundle_runner_ops - its userdata is the runner */
extern const struct jobs_runner bundle_runner_ops;

/** bundle_runner_program() - where diag-gather is: beside us, or as it was installed. @buf is returned. */
#define BUNDLE_PROGRAM_MAX 4096u
char *bundle_runner_program(char buf[static BUNDLE_PROGRAM_MAX]);

DEFINE_CLEANUP(struct bundle_runner *, bundle_runner_free);
