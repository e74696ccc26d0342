#pragma once

/*
 * What the leading Mesos master answers to /slaves, read as it comes: of two kilobytes for each agent only
 * its address and whether it is a public one are kept. One bad entry costs itself, not the list.
 */

#include "aggregator/discovery.h"

#define MESOS_SLAVES_MAX DIAG_MEMBERS_MAX

struct mesos_slaves;

int mesos_slaves_new(struct mesos_slaves **ret); /* 0 or -ENOMEM */
struct mesos_slaves *mesos_slaves_free(struct mesos_slaves *s);

/** mesos_slaves_feed() - the next @n bytes. 0, -EBADMSG, -E2BIG (too deep), -ENOMEM; the same ever after. */
int mesos_slaves_feed(struct mesos_slaves *s, const char *text, size_t n);

/** mesos_slaves_end() - no more will come. 0, -EBADMSG with @e (not whole, or no list of agents), or as before. */
int mesos_slaves_end(struct mesos_slaves *s, struct err *e);

/** mesos_slaves_agents() - in their order; borrowed. A host may be there twice. */
const struct found *mesos_slaves_agents(const struct mesos_slaves *s, size_t *ret_n);

/** mesos_slaves_n_skipped() - entries that cannot be asked, or are too many; @why: of the first; may be NULL */
size_t mesos_slaves_n_skipped(const struct mesos_slaves *s, const char **why);

DEFINE_CLEANUP(struct mesos_slaves *, mesos_slaves_free);
