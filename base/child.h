#pragma once

/*
 * A command with a deadline. Whatever may block is a child process, because a child can be killed
 * and a thread cannot. It gets a process group of its own, /dev/null as input, and one pipe for both
 * outputs; no shell, and no other descriptor of ours. SIGCHLD must be blocked (sd-event).
 *
 * Nothing waits for it, not even for its execve(2). The whole group is killed at the deadline, by
 * child_free(), and when the command itself ends: what it leaves in the background is not waited for.
 * Only who has left the group, by setsid(2) or setpgid(2), lives on, until the service's cgroup ends; as
 * long as it holds the output, there is no end before the deadline.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct child;

struct child_result {
        bool timed_out; /* killed by us; what it wrote so far is there */
        int exec_error; /* -errno: it could not be executed (-ENOENT, -EACCES …), wrote nothing */
        int exit_status;    /* 0–255; -1 when killed by a signal, or never executed */
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
 * @argv:      argv[0] is looked up in our $PATH; ends with NULL
 * @timeout:   for all of it, exec and output included
 * @max_bytes: of output kept
 *
 * Whether there is such a command is told by @done: looking for it may take as long as running it.
 * Return: 0, or -errno with @e naming the command, when the machine lacks something for it (-EMFILE,
 * -ENOMEM; -EAGAIN: too many processes); then @done is never called.
 */
int child_start(struct child **ret, struct loop *l, const char *const argv[], uint64_t timeout_usec,
                size_t max_bytes, child_done_fn done, void *userdata, struct err *e);

/**
 * child_start_env() - the same, with an environment of its own
 * @environment: "NAME=value", ends with NULL; nothing of ours is inherited, above all not what the
 *               service manager gave to us alone ($NOTIFY_SOCKET, $LISTEN_FDS, $WATCHDOG_USEC).
 *               NULL: all of ours, as child_start() does it
 */
int child_start_env(struct child **ret, struct loop *l, const char *const argv[],
                    const char *const environment[], uint64_t timeout_usec, size_t max_bytes,
                    child_done_fn done, void *userdata, struct err *e);

/** child_free() - kill the group if it still runs; @done is not called any more. */
struct child *child_free(struct child *c);

DEFINE_CLEANUP(struct child *, child_free);
