#pragma once

/*
 * The life of bundles in a daemon: accepted, run, cancelled, told, forgotten. What makes them is the daemon's: a
 * runner. One at a time runs for a cluster or a node; the others are queued, JOBS_QUEUE_MAX of them.
 *
 * Belongs to the loop.
 */

#include "base/loop.h"
#include "bundles/store.h"

#define JOBS_QUEUE_MAX 4u
#define JOBS_TRIM_USEC (UINT64_C(600) * 1000000)

struct jobs;

/** What makes a bundle. On the loop. */
struct jobs_runner {
        /*
         * Begin. @b is the store's, RUNNING; @directory exists. What comes of it is told by jobs_update() and
         * jobs_end(), not before this returns. Return: 0, or -errno with @e, for which it is FAILED.
         */
        int (*start)(void *userdata, const struct bundle *b, const char *directory, struct err *e);
        void (*cancel)(void *userdata, const char *id); /* ends with jobs_end(), soon; not within */
};

struct jobs_options {
        struct loop *loop;
        struct store *store; /* taken, on success */
        const struct jobs_runner *runner;
        void *userdata;
        const char
                *name; /* of the cluster or the node, for ids that are made; borrowed; NULL: none */
        const char *
                stopped; /* what is said of bundles that jobs_free() ends; borrowed; NULL: its own words */
};

int jobs_new(struct jobs **ret, const struct jobs_options *options, struct err *e);

/** jobs_free() - what runs, or waits, is CANCELED ("diag-aggregatord was stopped"); the runner is told first */
struct jobs *jobs_free(struct jobs *j);
struct store *jobs_store(struct jobs *j);

/**
 * jobs_create() - @taken: QUEUED; its id may be "": one is made. Ours now, also on failure
 * Return: 0 with @ret borrowed, or as store_add(); -EAGAIN: too many wait.
 */
int jobs_create(struct jobs *j, struct bundle *taken, const struct bundle **ret, struct err *e);

/** jobs_cancel() - CANCELED when its runner says that it has ended. 0, -ENOENT, or -EALREADY: it has ended */
int jobs_cancel(struct jobs *j, const char *id);

/** jobs_delete() - what runs is cancelled, and deleted when it has ended. 0, -ENOENT, -errno with @e */
int jobs_delete(struct jobs *j, const char *id, struct err *e);

/*
 * Of the runner: how far it is (not final; -EINVAL), and that it has ended (final; or it is made FAILED, or CANCELED
 * when that was asked for; also when it is DONE, and its file is not there). Of what does not run: -ENOENT, and
 * nothing happens. The next one begins with a turn of the loop of its own. Taken.
 */
int jobs_update(struct jobs *j, struct bundle *taken, bool write_down);
void jobs_end(struct jobs *j, struct bundle *taken);

/** jobs_running() - NULL: none does */
const struct bundle *jobs_running(const struct jobs *j);

DEFINE_CLEANUP(struct jobs *, jobs_free);
