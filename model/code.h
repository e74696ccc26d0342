#pragma once

/*
 * Why a component, or a node, is what it is, in one word: a closed list, because the words become
 * JSON values, metric labels and message ids. Text for people stands beside the code, never in it.
 */

#include "base/cleanup.h"

/* clang-format off */
#define DIAG_CODES(X)                                                                              \
        /* what systemd says of a unit; the rows of model/unit.c give each its meaning */          \
        X(NO_FACTS, "no-facts")               X(INCOMPLETE, "incomplete")                          \
        X(OFF, "off")                         X(ABSENT, "absent")                                  \
        X(MASKED, "masked")                   X(NOT_FOUND, "not-found")                            \
        X(BAD_UNIT_FILE, "bad-unit-file")                                                          \
        X(EXIT_CODE, "exit-code")             X(SIGNAL, "signal")                                  \
        X(CORE_DUMP, "core-dump")             X(OOM_KILL, "oom-kill")                              \
        X(WATCHDOG, "watchdog")               X(TIMEOUT, "timeout")                                \
        X(START_LIMIT_HIT, "start-limit-hit") X(RESOURCES, "resources")                            \
        X(PROTOCOL, "protocol")               X(FAILED, "failed")                                  \
        X(STOPPING, "stopping")               X(STUCK_STOPPING, "stuck-stopping")                  \
        X(RELOADING, "reloading")             X(STUCK_RELOADING, "stuck-reloading")                \
        X(CLEANING, "cleaning")               X(ODD_STATE, "odd-state")                            \
        X(CRASH_LOOP, "crash-loop")                                                                \
        X(RESTARTING_AFTER_FAILURE, "restarting-after-failure")                                    \
        X(NEVER_ACTIVE, "never-active")       X(RESTARTING, "restarting")                          \
        X(RESTARTING_DIRECT, "restarting-direct")                                                  \
        X(LAST_RUN_FAILED, "last-run-failed") X(RUNNING_JOB, "running-job")                        \
        X(STUCK_STARTING, "stuck-starting")   X(STARTING, "starting")                              \
        X(FROZEN, "frozen")                   X(EXIT_STATUS, "exit-status")                        \
        X(OK, "ok")                           X(WAITING, "waiting")                                \
        X(ASSERT_FAILED, "assert-failed")     X(CONDITION_NOT_MET, "condition-not-met")            \
        X(SKIPPED, "skipped")                 X(ARMED, "armed")                                    \
        X(IDLE, "idle")                       X(DONE, "done")                                      \
        X(NEVER_RAN, "never-ran")             X(DEPENDENCY_FAILED, "dependency-failed")            \
        X(TRIGGER_INACTIVE, "trigger-inactive") X(STOPPED, "stopped")                              \
        /* of a probe */                                                                           \
        X(PROBE_FAILED, "probe-failed")       X(PROBE_TIMEOUT, "probe-timeout")                    \
        X(PROBE_UNKNOWN, "probe-unknown")     X(PROBE_LATE, "probe-late")                          \
        X(PROBE_NOT_RUN, "probe-not-run")                                                          \
        /* of a node */                                                                            \
        X(FACTS_STALE, "facts-stale")         X(NO_COMPONENTS, "no-components")                    \
        X(SYSTEM_MAINTENANCE, "system-maintenance")                                                \
        /* of a node, as those see it who ask it */                                                \
        X(NEVER_ANSWERED, "never-answered")   X(UNREACHABLE, "unreachable")                        \
        X(BAD_ANSWER, "bad-answer")           X(REBOOTING, "rebooting")                            \
        X(IDENTITY_CONFLICT, "identity-conflict") X(SUPERSEDED, "superseded")                      \
        /* of a cluster; "starting" and "identity-conflict", too */                                \
        X(VIEW_STALE, "view-stale")           X(MEMBERS_UNKNOWN, "members-unknown")                \
        X(COUNT_SHORT, "count-short")         X(MASTER_MISSING, "master-missing")                  \
        X(MASTER_UNREACHABLE, "master-unreachable") X(MASTER_REBOOTING, "master-rebooting")        \
        X(MASTER_STALE, "master-stale")       X(MASTER_UNKNOWN, "master-unknown")                  \
        X(MASTER_UNHEALTHY, "master-unhealthy") X(VIEWS_DIFFER, "views-differ")
/* clang-format on */

enum diag_code {
        DIAG_CODE_NONE = 0, /* also what a word of a newer node becomes */
#define X(name, word) DIAG_CODE_##name,
        DIAG_CODES(X)
#undef X
                DIAG_N_CODES
};

const char *diag_code_to_string(enum diag_code c) _const_; /* "" for none */
enum diag_code diag_code_from_string(const char *s) _pure_;
