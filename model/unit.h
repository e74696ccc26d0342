#pragma once

/*
 * A systemd unit: what systemd says of it (facts), and what that means (the judgement). Pure values.
 *
 * The facts are the properties of org.freedesktop.systemd1(5), copied once at the door
 * (agentd/unit_bus.c). Strings are borrowed from whoever holds the facts; NULL and "" both mean "not
 * read, or not there". Times ending in _mono_usec are CLOCK_MONOTONIC as systemd stamps them, 0 for
 * never.
 */

#include "model/code.h"
#include "model/health.h"

#define DIAG_UNIT_TRIGGERS_MAX 16u

struct diag_unit {
        const char *name; /* under which we watch it; may be an alias */
        const char *id;   /* systemd's primary name for it */
        const char *description;
        const char *load_state, *load_error, *active_state, *sub_state, *freezer_state;
        const char *job; /* type of the queued job: "start", "restart", "stop" …; "" without */
        const char *unit_file_state;

        uint64_t state_change_wall_usec, state_change_mono_usec, active_enter_wall_usec;
        uint64_t inactive_exit_mono_usec, active_enter_mono_usec;
        uint64_t active_exit_mono_usec, inactive_enter_mono_usec;
        uint64_t condition_mono_usec, assert_mono_usec; /* results mean nothing while these are 0 */
        bool condition_result, assert_result, need_daemon_reload;
        const char *failed_conditions; /* "ConditionPathExists=/etc/foo", joined by ", " */
        const char *triggered_by[DIAG_UNIT_TRIGGERS_MAX];
        size_t n_triggered_by;
        uint32_t start_limit_burst;

        /* Services only. "Type" of a mount is its file system and does not come here. */
        const char *type, *result, *reload_result, *status_text;
        int32_t exec_main_code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 before the first exit */
        int32_t exec_main_status;
        uint64_t exec_main_exit_mono_usec;
        uint32_t n_restarts, main_pid;
        bool remain_after_exit;
        uint64_t timeout_start_usec, timeout_stop_usec; /* USEC_INFINITY: none; 0: not read */
};

/* --- what is expected of it -------------------------------------------------------------- */

enum diag_expect {
        DIAG_EXPECT_AUTO =
                0, /* wanted by the target or named exactly: must be up, or have a reason not to */
        DIAG_EXPECT_RUNNING,  /* must be up, without excuse */
        DIAG_EXPECT_OPTIONAL, /* only failures count; what a glob matched */
        DIAG_EXPECT_OFF,      /* listed, never judged */
};
const char *diag_expect_to_string(enum diag_expect e) _const_;
int diag_expect_from_string(const char *s, enum diag_expect *ret); /* 0 or -EINVAL */

/* --- restarts: polling a state misses a crash loop, counting restarts does not ------------------ */

#define DIAG_RESTARTS_KEPT 8u

/** When systemd restarted a unit by itself, lately. Zeroed is a good start. */
struct diag_restarts {
        uint64_t at_mono_usec[DIAG_RESTARTS_KEPT]; /* newest last */
        unsigned n;
        uint32_t n_restarts; /* NRestarts when we last looked */
        bool seen;           /* we have looked */
        bool presumed;       /* was looping already when we came */
};

/** diag_restarts_note() - we looked: NRestarts rose (that many restarts now), or fell (started by hand). */
void diag_restarts_note(struct diag_restarts *r, const struct diag_unit *u, uint64_t now_mono_usec);

/** diag_restarts_loop_end() - when the loop is over if nothing restarts until then; 0: there is none. */
uint64_t diag_restarts_loop_end(const struct diag_restarts *r);
unsigned diag_restarts_recent(const struct diag_restarts *r,
                              uint64_t now_mono_usec); /* in 10 min */

/* --- the judgement --------------------------------------------------------------------------- */

/** The last run of a unit that systemd may have forgotten since: it forgets inactive units. */
struct diag_last_run {
        uint64_t ended_mono_usec; /* 0: none seen in this boot */
        char result[24];
        int32_t code, status;
};
bool diag_last_run_failed(const struct diag_last_run *r) _pure_;
bool diag_last_run_ok(const struct diag_last_run *r) _pure_;

/** What is needed beyond the unit's own facts. Borrowed. */
struct diag_unit_context {
        const char *no_facts; /* why systemd could not be asked about it; "" when it was */
        enum diag_expect expect;
        const struct diag_restarts *restarts; /* may be NULL */
        const struct diag_last_run *last_run; /* may be NULL */
        bool armed;                           /* a unit of triggered_by is active */
        const char *failed_dependency;        /* a required unit that failed; "" without */
        uint64_t now_mono_usec;
        uint64_t stuck_after_usec;         /* [Judge] StuckAfter= */
        uint64_t stuck_after_oneshot_usec; /* the same if somebody set it, else USEC_INFINITY */
        bool starting_is_healthy;          /* [Judge] Starting=healthy */
};

struct diag_verdict {
        enum diag_health health;
        enum diag_code code; /* DIAG_CODE_ABSENT: do not list it at all */
        const char *row;     /* of the table in unit.c: "U8" */
};

/** diag_unit_judge() - first row that holds; there is always one. Pure, any thread. */
struct diag_verdict diag_unit_judge(const struct diag_unit *u, const struct diag_unit_context *c);

/**
 * diag_unit_judge_again_at() - when the same facts may mean something else
 *
 * The earliest moment after now at which "too long in this state" or "looping" changes; USEC_INFINITY
 * when only new facts can change the verdict.
 */
uint64_t diag_unit_judge_again_at(const struct diag_unit *u, const struct diag_unit_context *c);

/** diag_unit_is_service() - by its name: only services have an exit status, a type, restarts. */
bool diag_unit_is_service(const struct diag_unit *u) _pure_;
