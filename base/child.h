#pragma once

/*
 * A command with a deadline. Whatever may block is a child process, because a child can be killed
 * and a thread cannot. It gets a process group of its own, /dev/null as input, and one pipe for both
 * outputs; no shell. At the deadline the whole group is killed. SIGCHLD must be blocked (sd-event).
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct child;

struct child_result {
        bool timed_out;     /* killed by us; what it wrote so far is there */
        int exit_status;    /* 0–255; -1 when killed by a signal */
        int signal;         /* 0 when it exited */
        const char *output; /* borrowed, ends with a NUL that is not counted; may hold others */
        size_t n_output;
        bool truncated; /* the limit was reached: the newest bytes are kept */
};

/**
 * child_done_fn - the child has ended, and its output too
 *
 * Called once, from the loop. It may free the child.
 */
typedef void (*child_done_fn)(const struct child_result *r, void *userdata);

/**
 * child_start() - fork and execute
 * @argv:      argv[0] is looked up in $PATH; ends with NULL
 * @timeout:   for all of it, output included
 * @max_bytes: of output kept
 *
 * Return: 0, or -errno with @e naming the command; then @done is never called.
 */
int child_start(struct child **ret, struct loop *l, const char *const argv[], uint64_t timeout_usec,
                size_t max_bytes, child_done_fn done, void *userdata, struct err *e);

/** child_free() - kill the group if it still runs; @done is not called any more. */
struct child *child_free(struct child *c);

DEFINE_CLEANUP(struct child *, child_free);
