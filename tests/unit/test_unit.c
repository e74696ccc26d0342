/* It judges units: at least one case for each row of the table, and for each two that meet. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/mono.h"
#include "model/unit.h"
#include "tests/unit/test_main.h"

#define S           USEC_PER_SEC
#define NOW         (10000 * S)
#define STUCK_AFTER (300 * S)
#define N_ROWS      38u /* U0 to U37 */

#define GOOD(code) DIAG_HEALTHY, DIAG_CODE_##code
#define BAD(code)  DIAG_UNHEALTHY, DIAG_CODE_##code
#define DARK(code) DIAG_UNKNOWN, DIAG_CODE_##code

/* The facts that nearly every case begins with. */
#define UNIT(name, active, sub) \
        .id = (name), .load_state = "loaded", .active_state = (active), .sub_state = (sub)
#define SERVICE(active, sub) UNIT("a.service", active, sub), .type = "simple", .result = "success"
#define ONESHOT(active, sub) UNIT("a.service", active, sub), .type = "oneshot", .result = "success"
#define LOAD(load, active) \
        .id = "a.service", .load_state = (load), .active_state = (active), .sub_state = "dead"
#define EXITED(status)   .exec_main_code = CLD_EXITED, .exec_main_status = (status)
#define KILLED(signo)    .exec_main_code = CLD_KILLED, .exec_main_status = (signo)
#define BY_TIMER         .triggered_by = {"a.timer"}, .n_triggered_by = 1
#define ENTERED(state)   .state##_mono_usec = NOW - 1 * S
#define CONDITION_FAILED .condition_mono_usec = NOW - 1 * S, .condition_result = false
#define ASSERT_FAILED    .assert_mono_usec = NOW - 1 * S, .assert_result = false

static const struct diag_restarts looping = {
        .at_mono_usec = {NOW - 30 * S, NOW - 20 * S, NOW - 10 * S},
          .n = 3, .seen = true
};
static const struct diag_restarts looped = {
        .at_mono_usec = {NOW - 90 * S, NOW - 80 * S, NOW - 70 * S},
          .n = 3, .seen = true
};
static const struct diag_restarts looped_until_now = {
        .at_mono_usec = {NOW - 80 * S, NOW - 70 * S, NOW - 60 * S},
          .n = 3, .seen = true
};
static const struct diag_restarts twice = {
        .at_mono_usec = {NOW - 20 * S, NOW - 10 * S},
          .n = 2, .seen = true
};
static const struct diag_last_run ran_well = {.ended_mono_usec = NOW - 60 * S, .result = "success"};
static const struct diag_last_run ran_badly = {
        .ended_mono_usec = NOW - 60 * S, .result = "exit-code", .code = CLD_EXITED, .status = 1};
static const struct diag_last_run not_seen = {0};

struct unit_case {
        const char *name, *row;
        enum diag_health health;
        enum diag_code code;
        struct diag_unit u;
        struct diag_unit_context c;
};

/* clang-format off */
static const struct unit_case cases[] = {
        /* --- U0 to U7: what can be known, and what is to be judged at all --- */
        {"no facts", "U0", DARK(NO_FACTS),
         {SERVICE("active", "running")}, {.no_facts = "the bus is away"}},
        {"no facts, and nothing was read", "U0", DARK(NO_FACTS), {0}, {.no_facts = "x"}},
        {"no facts, although it is switched off", "U0", DARK(NO_FACTS),
         {SERVICE("active", "running")}, {.no_facts = "x", .expect = DIAG_EXPECT_OFF}},
        {"nothing was read", "U1", DARK(INCOMPLETE), {0}, {0}},
        {"LoadState empty", "U1", DARK(INCOMPLETE), {LOAD("", "active")}, {0}},
        {"LoadState unread", "U1", DARK(INCOMPLETE), {LOAD(NULL, "active")}, {0}},
        {"ActiveState empty", "U1", DARK(INCOMPLETE), {SERVICE("", "running")}, {0}},
        {"SubState empty", "U1", DARK(INCOMPLETE), {SERVICE("active", "")}, {0}},
        {"incomplete, although it is switched off", "U1", DARK(INCOMPLETE),
         {SERVICE("active", "")}, {.expect = DIAG_EXPECT_OFF}},
        {"switched off and failed", "U2", GOOD(OFF),
         {SERVICE("failed", "failed")}, {.expect = DIAG_EXPECT_OFF}},
        {"switched off and masked", "U2", GOOD(OFF),
         {LOAD("masked", "inactive")}, {.expect = DIAG_EXPECT_OFF}},
        {"switched off and not found", "U2", GOOD(OFF),
         {LOAD("not-found", "inactive")}, {.expect = DIAG_EXPECT_OFF}},
        {"optional and masked", "U3", GOOD(ABSENT),
         {LOAD("masked", "inactive")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"optional and not found", "U3", GOOD(ABSENT),
         {LOAD("not-found", "inactive")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"optional, not found, failed", "U3", GOOD(ABSENT),
         {LOAD("not-found", "failed")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"masked", "U4", BAD(MASKED), {LOAD("masked", "inactive")}, {0}},
        {"masked, still running", "U4", BAD(MASKED), {LOAD("masked", "active")}, {0}},
        {"masked, failed", "U4", BAD(MASKED), {LOAD("masked", "failed")}, {0}},
        {"optional, masked, still running", "U4", BAD(MASKED),
         {LOAD("masked", "active")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"masked, expected to run", "U4", BAD(MASKED),
         {LOAD("masked", "inactive")}, {.expect = DIAG_EXPECT_RUNNING}},
        {"not found", "U5", BAD(NOT_FOUND), {LOAD("not-found", "inactive")}, {0}},
        {"unit file gone while it runs", "U5", BAD(NOT_FOUND), {LOAD("not-found", "active")}, {0}},
        {"optional, file gone while it runs", "U5", BAD(NOT_FOUND),
         {LOAD("not-found", "active")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"bad setting", "U6", BAD(BAD_UNIT_FILE), {LOAD("bad-setting", "inactive")}, {0}},
        {"load error", "U6", BAD(BAD_UNIT_FILE), {LOAD("error", "inactive")}, {0}},
        {"merged", "U6", BAD(BAD_UNIT_FILE), {LOAD("merged", "inactive")}, {0}},
        {"a load state of the future", "U6", BAD(BAD_UNIT_FILE), {LOAD("odd", "active")}, {0}},
        {"bad setting, optional", "U6", BAD(BAD_UNIT_FILE),
         {LOAD("bad-setting", "inactive")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"bad setting while active", "U6", BAD(BAD_UNIT_FILE),
         {LOAD("bad-setting", "active")}, {0}},
        {"bad setting, failed, disabled, optional", "U6", BAD(BAD_UNIT_FILE),
         {LOAD("bad-setting", "failed"), .unit_file_state = "disabled"},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"bad setting, failed", "U6", BAD(BAD_UNIT_FILE), {LOAD("error", "failed")}, {0}},
        {"failed, but disabled and optional", "U7", GOOD(OFF),
         {SERVICE("failed", "failed"), .unit_file_state = "disabled"},
         {.expect = DIAG_EXPECT_OPTIONAL}},

        /* --- U8: failed; the code is systemd's Result --- */
        {"failed and optional", "U8", BAD(FAILED),
         {SERVICE("failed", "failed"), .unit_file_state = "enabled"},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"failed and disabled", "U8", BAD(FAILED),
         {SERVICE("failed", "failed"), .unit_file_state = "disabled"}, {0}},
        {"failed, optional, file state not read yet", "U8", BAD(FAILED),
         {SERVICE("failed", "failed")}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"exit-code", "U8", BAD(EXIT_CODE),
         {UNIT("a.service", "failed", "failed"), .result = "exit-code", EXITED(3)}, {0}},
        {"signal", "U8", BAD(SIGNAL),
         {UNIT("a.service", "failed", "failed"), .result = "signal", KILLED(SIGSEGV)}, {0}},
        {"core-dump", "U8", BAD(CORE_DUMP),
         {UNIT("a.service", "failed", "failed"), .result = "core-dump",
          .exec_main_code = CLD_DUMPED, .exec_main_status = SIGABRT}, {0}},
        {"captured: oom-kill", "U8", BAD(OOM_KILL),
         {UNIT("a.service", "failed", "failed"), .type = "simple", .result = "oom-kill",
          KILLED(SIGKILL), .exec_main_exit_mono_usec = NOW - 2 * S,
          .inactive_exit_mono_usec = NOW - 9 * S, .active_enter_mono_usec = NOW - 9 * S,
          .active_exit_mono_usec = NOW - 2 * S, .inactive_enter_mono_usec = NOW - 2 * S}, {0}},
        {"watchdog", "U8", BAD(WATCHDOG),
         {UNIT("a.service", "failed", "failed"), .result = "watchdog", KILLED(SIGABRT)}, {0}},
        {"timeout", "U8", BAD(TIMEOUT),
         {UNIT("a.service", "failed", "failed"), .result = "timeout", KILLED(SIGTERM)}, {0}},
        {"start-limit-hit", "U8", BAD(START_LIMIT_HIT),
         {UNIT("a.service", "failed", "failed"), .result = "start-limit-hit"}, {0}},
        {"resources", "U8", BAD(RESOURCES),
         {UNIT("a.service", "failed", "failed"), .result = "resources"}, {0}},
        {"protocol", "U8", BAD(PROTOCOL),
         {UNIT("a.service", "failed", "failed"), .result = "protocol"}, {0}},
        {"failed without a word of why", "U8", BAD(FAILED),
         {UNIT("a.service", "failed", "failed"), .result = "success"}, {0}},
        {"failed with a word of a newer systemd", "U8", BAD(FAILED),
         {UNIT("a.service", "failed", "failed"), .result = "exploded"}, {0}},
        {"failed with a word that is a code of another kind", "U8", BAD(FAILED),
         {UNIT("a.service", "failed", "failed"), .result = "masked"}, {0}},
        {"a mount failed", "U8", BAD(FAILED), {UNIT("a.mount", "failed", "failed")}, {0}},
        {"failed, armed, although its last run was well", "U8", BAD(EXIT_CODE),
         {UNIT("a.service", "failed", "failed"), .type = "oneshot", .result = "exit-code",
          EXITED(1), BY_TIMER}, {.armed = true, .last_run = &ran_well}},

        /* --- U9 to U13: states between --- */
        {"deactivating", "U9", BAD(STOPPING),
         {SERVICE("deactivating", "stop-sigterm"), ENTERED(active_exit),
          .timeout_stop_usec = 90 * S}, {0}},
        {"deactivating within the grace", "U9", BAD(STOPPING),
         {SERVICE("deactivating", "stop-sigterm"), .active_exit_mono_usec = NOW - 99 * S,
          .timeout_stop_usec = 90 * S}, {0}},
        {"deactivating over TimeoutStopUSec and 10 s", "U9", BAD(STUCK_STOPPING),
         {SERVICE("deactivating", "stop-sigterm"), .active_exit_mono_usec = NOW - 100 * S,
          .timeout_stop_usec = 90 * S}, {0}},
        {"deactivating for long without a timeout", "U9", BAD(STUCK_STOPPING),
         {SERVICE("deactivating", "stop"), .active_exit_mono_usec = NOW - STUCK_AFTER,
          .timeout_stop_usec = USEC_INFINITY}, {0}},
        {"deactivating without a timeout", "U9", BAD(STOPPING),
         {SERVICE("deactivating", "stop"), .active_exit_mono_usec = NOW - STUCK_AFTER + 1,
          .timeout_stop_usec = USEC_INFINITY}, {0}},
        {"deactivating for long, never was active", "U9", BAD(STUCK_STOPPING),
         {SERVICE("deactivating", "final-sigterm"),
          .state_change_mono_usec = NOW - STUCK_AFTER}, {0}},
        {"deactivating for long, no service", "U9", BAD(STUCK_STOPPING),
         {UNIT("a.mount", "deactivating", "unmounting"),
          .active_exit_mono_usec = NOW - STUCK_AFTER}, {0}},
        {"deactivating, optional", "U9", BAD(STOPPING),
         {SERVICE("deactivating", "stop"), ENTERED(active_exit)},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"deactivating in a loop", "U9", BAD(STOPPING),
         {SERVICE("deactivating", "stop"), ENTERED(active_exit)}, {.restarts = &looping}},
        {"reloading", "U10", GOOD(RELOADING),
         {SERVICE("reloading", "reload"), ENTERED(state_change)}, {0}},
        {"captured: refreshing", "U10", GOOD(RELOADING),
         {SERVICE("refreshing", "refresh-extensions"), ENTERED(state_change)}, {0}},
        {"remounting", "U10", GOOD(RELOADING),
         {UNIT("a.mount", "reloading", "remounting"), ENTERED(state_change)}, {0}},
        {"reloading within the grace", "U10", GOOD(RELOADING),
         {SERVICE("reloading", "reload"), .state_change_mono_usec = NOW - 99 * S,
          .timeout_start_usec = 90 * S}, {0}},
        {"reloading over TimeoutStartUSec and 10 s", "U11", BAD(STUCK_RELOADING),
         {SERVICE("reloading", "reload"), .state_change_mono_usec = NOW - 100 * S,
          .timeout_start_usec = 90 * S}, {0}},
        {"reloading for long without a timeout", "U11", BAD(STUCK_RELOADING),
         {SERVICE("reloading", "reload"), .state_change_mono_usec = NOW - STUCK_AFTER,
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"refreshing for long", "U11", BAD(STUCK_RELOADING),
         {SERVICE("refreshing", "refresh-extensions"),
          .state_change_mono_usec = NOW - STUCK_AFTER}, {0}},
        {"reloading for long, optional", "U11", BAD(STUCK_RELOADING),
         {SERVICE("reloading", "reload"), .state_change_mono_usec = NOW - STUCK_AFTER},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"its directories are being cleaned", "U12", BAD(CLEANING),
         {SERVICE("maintenance", "cleaning")}, {0}},
        {"a state of the future", "U13", BAD(ODD_STATE), {SERVICE("levitating", "high")}, {0}},
        {"a state of the future, in a loop", "U13", BAD(ODD_STATE),
         {SERVICE("levitating", "high")}, {.restarts = &looping}},

        /* --- U14 to U18: restarts --- */
        {"in a loop, just now active", "U14", BAD(CRASH_LOOP),
         {SERVICE("active", "running")}, {.restarts = &looping}},
        {"in a loop, just now restarting", "U14", BAD(CRASH_LOOP),
         {UNIT("a.service", "activating", "auto-restart"), .result = "exit-code", EXITED(1)},
         {.restarts = &looping}},
        {"in a loop, just now starting", "U14", BAD(CRASH_LOOP),
         {SERVICE("activating", "start")}, {.restarts = &looping, .starting_is_healthy = true}},
        {"in a loop, and frozen", "U14", BAD(CRASH_LOOP),
         {SERVICE("active", "running"), .freezer_state = "frozen"}, {.restarts = &looping}},
        {"in a loop, optional", "U14", BAD(CRASH_LOOP),
         {SERVICE("active", "running")},
         {.restarts = &looping, .expect = DIAG_EXPECT_OPTIONAL}},
        {"the loop is over", "U25", GOOD(OK),
         {SERVICE("active", "running")}, {.restarts = &looped}},
        {"the loop is over just now", "U25", GOOD(OK),
         {SERVICE("active", "running")}, {.restarts = &looped_until_now}},
        {"two restarts are no loop", "U25", GOOD(OK),
         {SERVICE("active", "running")}, {.restarts = &twice}},
        {"in a loop until it was stopped", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), ENTERED(inactive_exit)}, {.restarts = &looping}},
        {"restarts are a matter of services", "U25", GOOD(OK),
         {UNIT("a.mount", "active", "mounted")}, {.restarts = &looping}},
        {"restarts after status 1", "U15", BAD(RESTARTING_AFTER_FAILURE),
         {UNIT("a.service", "activating", "auto-restart"), .result = "exit-code", EXITED(1),
          .active_enter_mono_usec = NOW - 5 * S, .inactive_enter_mono_usec = NOW - 1 * S}, {0}},
        {"restarts after a signal", "U15", BAD(RESTARTING_AFTER_FAILURE),
         {UNIT("a.service", "activating", "auto-restart"), .result = "signal", KILLED(SIGKILL)},
         {0}},
        {"restarts after status 1, queued", "U15", BAD(RESTARTING_AFTER_FAILURE),
         {UNIT("a.service", "activating", "auto-restart-queued"), .result = "exit-code",
          EXITED(1)}, {0}},
        {"restarts after status 1, was never active", "U15", BAD(RESTARTING_AFTER_FAILURE),
         {UNIT("a.service", "activating", "auto-restart"), .result = "exit-code", EXITED(1),
          .active_enter_mono_usec = 0}, {0}},
        {"restarts, was never active", "U16", BAD(NEVER_ACTIVE),
         {SERVICE("activating", "auto-restart"), ENTERED(inactive_enter)}, {0}},
        {"restarts, was never active, queued", "U16", BAD(NEVER_ACTIVE),
         {SERVICE("activating", "auto-restart-queued")}, {0}},
        {"restarts, was never active, where starting is healthy", "U16", BAD(NEVER_ACTIVE),
         {SERVICE("activating", "auto-restart")}, {.starting_is_healthy = true}},
        {"restarts after a clean exit", "U17", BAD(RESTARTING),
         {SERVICE("activating", "auto-restart"), .active_enter_mono_usec = NOW - 5 * S,
          .inactive_enter_mono_usec = NOW - 1 * S}, {0}},
        {"restarts after a clean exit, queued", "U17", BAD(RESTARTING),
         {SERVICE("activating", "auto-restart-queued"), .active_enter_mono_usec = NOW - 5 * S,
          .inactive_enter_mono_usec = NOW - 1 * S}, {0}},
        {"captured: restarting-direct", "U18", GOOD(RESTARTING_DIRECT),
         {SERVICE("activating", "auto-restart"), .active_enter_mono_usec = NOW - 5 * S,
          .inactive_enter_mono_usec = NOW - 9 * S, .inactive_exit_mono_usec = NOW - 9 * S}, {0}},
        {"restarting-direct for long", "U18", GOOD(RESTARTING_DIRECT),
         {SERVICE("activating", "auto-restart"), .active_enter_mono_usec = NOW - 900 * S,
          .inactive_enter_mono_usec = NOW - 900 * S, .inactive_exit_mono_usec = NOW - 900 * S},
         {0}},
        {"restarting-direct, an armed one-shot whose last run failed", "U18",
         GOOD(RESTARTING_DIRECT),
         {ONESHOT("activating", "auto-restart"), .active_enter_mono_usec = NOW - 5 * S, BY_TIMER},
         {.armed = true, .last_run = &ran_badly}},

        /* --- U19 to U22: starting --- */
        {"a triggered one-shot runs again after a failure", "U19", BAD(LAST_RUN_FAILED),
         {ONESHOT("activating", "start"), BY_TIMER, ENTERED(inactive_exit)},
         {.armed = true, .last_run = &ran_badly}},
        {"the same, for too long", "U19", BAD(LAST_RUN_FAILED),
         {ONESHOT("activating", "start"), BY_TIMER, .inactive_exit_mono_usec = NOW - 900 * S},
         {.armed = true, .last_run = &ran_badly, .stuck_after_oneshot_usec = 60 * S}},
        {"a triggered one-shot runs", "U20", GOOD(RUNNING_JOB),
         {ONESHOT("activating", "start"), BY_TIMER, ENTERED(inactive_exit)}, {.armed = true}},
        {"a triggered one-shot runs, its last run was well", "U20", GOOD(RUNNING_JOB),
         {ONESHOT("activating", "start"), BY_TIMER, ENTERED(inactive_exit)},
         {.armed = true, .last_run = &ran_well}},
        {"a triggered one-shot runs for hours", "U20", GOOD(RUNNING_JOB),
         {ONESHOT("activating", "start"), BY_TIMER, .inactive_exit_mono_usec = NOW - 9000 * S,
          .timeout_start_usec = USEC_INFINITY}, {.armed = true}},
        {"a triggered one-shot runs longer than somebody set", "U21", BAD(STUCK_STARTING),
         {ONESHOT("activating", "start"), BY_TIMER, .inactive_exit_mono_usec = NOW - 60 * S},
         {.armed = true, .stuck_after_oneshot_usec = 60 * S}},
        {"starting for too long", "U21", BAD(STUCK_STARTING),
         {SERVICE("activating", "start"), .inactive_exit_mono_usec = NOW - STUCK_AFTER,
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"starting for too long, where starting is healthy", "U21", BAD(STUCK_STARTING),
         {SERVICE("activating", "start"), .inactive_exit_mono_usec = NOW - STUCK_AFTER,
          .timeout_start_usec = USEC_INFINITY}, {.starting_is_healthy = true}},
        {"mounting for too long", "U21", BAD(STUCK_STARTING),
         {UNIT("a.mount", "activating", "mounting"),
          .inactive_exit_mono_usec = NOW - STUCK_AFTER}, {0}},
        {"starting", "U22", BAD(STARTING),
         {SERVICE("activating", "start"), ENTERED(inactive_exit),
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"starting, just below the limit", "U22", BAD(STARTING),
         {SERVICE("activating", "start"), .inactive_exit_mono_usec = NOW - STUCK_AFTER + 1,
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"starting, and systemd has a limit of its own", "U22", BAD(STARTING),
         {SERVICE("activating", "start"), .inactive_exit_mono_usec = NOW - 9000 * S,
          .timeout_start_usec = 90 * S}, {0}},
        {"a one-shot that nothing triggers runs for hours", "U22", BAD(STARTING),
         {ONESHOT("activating", "start"), .inactive_exit_mono_usec = NOW - 9000 * S,
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"a one-shot runs whose timer is off", "U22", BAD(STARTING),
         {ONESHOT("activating", "start"), BY_TIMER, ENTERED(inactive_exit)}, {.armed = false}},
        {"an armed daemon is starting", "U22", BAD(STARTING),
         {SERVICE("activating", "start"), BY_TIMER, ENTERED(inactive_exit)},
         {.armed = true, .last_run = &ran_badly}},
        {"mounting", "U22", BAD(STARTING),
         {UNIT("a.mount", "activating", "mounting"), ENTERED(inactive_exit)}, {0}},
        {"starting, optional", "U22", BAD(STARTING),
         {SERVICE("activating", "start"), ENTERED(inactive_exit)},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"starting, where that is healthy", "U22", GOOD(STARTING),
         {SERVICE("activating", "start"), ENTERED(inactive_exit)},
         {.starting_is_healthy = true}},
        {"auto-restart of something that is no service", "U22", BAD(STARTING),
         {UNIT("a.mount", "activating", "auto-restart"), ENTERED(inactive_exit)}, {0}},

        /* --- U23 to U25: active --- */
        {"captured: frozen", "U23", BAD(FROZEN),
         {SERVICE("active", "running"), .freezer_state = "frozen"}, {0}},
        {"captured: frozen-by-parent", "U23", BAD(FROZEN),
         {SERVICE("active", "running"), .freezer_state = "frozen-by-parent"}, {0}},
        {"frozen, and exited badly before", "U23", BAD(FROZEN),
         {UNIT("a.service", "active", "running"), .result = "exit-code", EXITED(1),
          .freezer_state = "frozen"}, {0}},
        {"a frozen slice", "U23", BAD(FROZEN),
         {UNIT("a.slice", "active", "active"), .freezer_state = "frozen"}, {0}},
        {"frozen, optional", "U23", BAD(FROZEN),
         {SERVICE("active", "running"), .freezer_state = "frozen"},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"active, its process failed", "U24", BAD(EXIT_STATUS),
         {UNIT("a.service", "active", "exited"), .result = "exit-code", EXITED(1)}, {0}},
        {"active, its process failed, result not read", "U24", BAD(EXIT_STATUS),
         {UNIT("a.service", "active", "exited"), EXITED(1)}, {0}},
        {"active, its process failed, result empty", "U24", BAD(EXIT_STATUS),
         {UNIT("a.service", "active", "exited"), .result = "", EXITED(1)}, {0}},
        {"active, its process failed, optional", "U24", BAD(EXIT_STATUS),
         {UNIT("a.service", "active", "running"), .result = "exit-code", EXITED(1)},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"running", "U25", GOOD(OK), {SERVICE("active", "running"), .freezer_state = "running"},
         {0}},
        {"running, as expected", "U25", GOOD(OK), {SERVICE("active", "running")},
         {.expect = DIAG_EXPECT_RUNNING}},
        {"running, optional", "U25", GOOD(OK), {SERVICE("active", "running")},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"active after a status that systemd calls success", "U25", GOOD(OK),
         {SERVICE("active", "running"), EXITED(143)}, {0}},
        {"a target with failed wants", "U25", GOOD(OK), {UNIT("a.target", "active", "active")},
         {0}},
        {"a socket", "U25", GOOD(OK), {UNIT("a.socket", "active", "listening")}, {0}},
        {"a timer that waits", "U25", GOOD(OK), {UNIT("a.timer", "active", "waiting")}, {0}},
        {"a timer that runs", "U25", GOOD(OK), {UNIT("a.timer", "active", "running")}, {0}},
        {"a timer that has elapsed", "U25", GOOD(OK), {UNIT("a.timer", "active", "elapsed")}, {0}},
        {"a mount", "U25", GOOD(OK), {UNIT("a.mount", "active", "mounted")}, {0}},
        {"a mount, and what looks like an exit status", "U25", GOOD(OK),
         {UNIT("a.mount", "active", "mounted"), EXITED(1)}, {0}},
        {"generated", "U25", GOOD(OK),
         {SERVICE("active", "running"), .unit_file_state = "generated"}, {0}},
        {"active, a start is queued once more", "U25", GOOD(OK),
         {SERVICE("active", "running"), .job = "restart"}, {0}},
        {"active, but its unit file's condition does not hold any more", "U25", GOOD(OK),
         {SERVICE("active", "running"), CONDITION_FAILED}, {0}},

        /* --- U26 to U30: inactive for a reason that systemd names --- */
        {"its start is queued", "U26", BAD(WAITING), {SERVICE("inactive", "dead"), .job = "start"},
         {0}},
        {"its restart is queued", "U26", BAD(WAITING),
         {SERVICE("inactive", "dead"), .job = "restart"}, {0}},
        {"its start is queued, optional", "U26", BAD(WAITING),
         {SERVICE("inactive", "dead"), .job = "start"}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"its start is queued, it failed before", "U26", BAD(WAITING),
         {UNIT("a.service", "inactive", "dead"), .job = "start", .result = "exit-code", EXITED(1)},
         {0}},
        {"a target waits", "U26", BAD(WAITING), {UNIT("a.target", "inactive", "dead"),
                                                 .job = "start"}, {0}},
        {"its start is queued, and it is armed", "U32", GOOD(ARMED),
         {SERVICE("inactive", "dead"), .job = "start", BY_TIMER}, {.armed = true}},
        {"its stop is queued", "U37", BAD(STOPPED), {SERVICE("inactive", "dead"), .job = "stop"},
         {0}},
        {"an assert does not hold", "U27", BAD(ASSERT_FAILED),
         {SERVICE("inactive", "dead"), ASSERT_FAILED, .condition_result = true}, {0}},
        {"an assert does not hold, and it exited badly", "U27", BAD(ASSERT_FAILED),
         {UNIT("a.service", "inactive", "dead"), .result = "exit-code", EXITED(1), ASSERT_FAILED},
         {0}},
        {"neither assert nor condition holds", "U27", BAD(ASSERT_FAILED),
         {SERVICE("inactive", "dead"), ASSERT_FAILED, CONDITION_FAILED}, {0}},
        {"an assert does not hold, optional", "U27", BAD(ASSERT_FAILED),
         {SERVICE("inactive", "dead"), ASSERT_FAILED}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"asserts hold", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), .assert_mono_usec = NOW, .assert_result = true}, {0}},
        {"asserts were never looked at", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), .assert_result = false}, {0}},
        {"its assert's result is of the time before the job", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), ASSERT_FAILED, .job = "stop"}, {0}},
        {"inactive after it failed", "U28", BAD(EXIT_STATUS),
         {UNIT("a.service", "inactive", "dead"), .result = "exit-code", EXITED(1)}, {0}},
        {"inactive after it failed, result not read", "U28", BAD(EXIT_STATUS),
         {UNIT("a.service", "inactive", "dead"), EXITED(1)}, {0}},
        {"inactive after it failed, condition not met since", "U28", BAD(EXIT_STATUS),
         {UNIT("a.service", "inactive", "dead"), .result = "exit-code", EXITED(1),
          CONDITION_FAILED}, {.expect = DIAG_EXPECT_RUNNING}},
        {"inactive after it failed, optional", "U28", BAD(EXIT_STATUS),
         {UNIT("a.service", "inactive", "dead"), .result = "exit-code", EXITED(1)},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"inactive after it failed, armed", "U28", BAD(EXIT_STATUS),
         {UNIT("a.service", "inactive", "dead"), .result = "exit-code", EXITED(1), BY_TIMER},
         {.armed = true}},
        {"inactive after a status that systemd calls success", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), EXITED(143), .exec_main_exit_mono_usec = NOW}, {0}},
        {"condition not met, expected to run", "U29", BAD(CONDITION_NOT_MET),
         {SERVICE("inactive", "dead"), CONDITION_FAILED}, {.expect = DIAG_EXPECT_RUNNING}},
        {"ExecCondition, expected to run", "U29", BAD(CONDITION_NOT_MET),
         {UNIT("a.service", "inactive", "dead"), .result = "exec-condition"},
         {.expect = DIAG_EXPECT_RUNNING}},
        {"condition not met", "U30", GOOD(SKIPPED), {SERVICE("inactive", "dead"),
                                                     CONDITION_FAILED}, {0}},
        {"ExecCondition", "U30", GOOD(SKIPPED),
         {UNIT("a.service", "inactive", "dead"), .result = "exec-condition"}, {0}},
        {"condition not met, optional", "U30", GOOD(SKIPPED),
         {SERVICE("inactive", "dead"), CONDITION_FAILED}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"condition not met, armed", "U30", GOOD(SKIPPED),
         {SERVICE("inactive", "dead"), CONDITION_FAILED, BY_TIMER}, {.armed = true}},
        {"condition of a one-shot not met", "U30", GOOD(SKIPPED),
         {ONESHOT("inactive", "dead"), CONDITION_FAILED}, {0}},
        {"condition of a mount not met", "U30", GOOD(SKIPPED),
         {UNIT("a.mount", "inactive", "dead"), CONDITION_FAILED}, {0}},
        {"ConditionResult=no is the default", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), .condition_result = false}, {0}},
        {"its condition's result is of the time before the job", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), CONDITION_FAILED, .job = "stop"}, {0}},
        {"conditions hold", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), .condition_mono_usec = NOW, .condition_result = true}, {0}},

        /* --- U31 to U34: inactive as it should be --- */
        {"inactive, optional", "U31", GOOD(OFF), {SERVICE("inactive", "dead")},
         {.expect = DIAG_EXPECT_OPTIONAL}},
        {"inactive, optional, armed", "U31", GOOD(OFF), {SERVICE("inactive", "dead"), BY_TIMER},
         {.expect = DIAG_EXPECT_OPTIONAL, .armed = true}},
        {"inactive, optional, its trigger too", "U31", GOOD(OFF),
         {SERVICE("inactive", "dead"), BY_TIMER}, {.expect = DIAG_EXPECT_OPTIONAL}},
        {"armed", "U32", GOOD(ARMED), {SERVICE("inactive", "dead"), BY_TIMER}, {.armed = true}},
        {"armed and done", "U32", GOOD(ARMED),
         {ONESHOT("inactive", "dead"), BY_TIMER, .exec_main_exit_mono_usec = NOW},
         {.armed = true}},
        {"armed and never ran", "U32", GOOD(ARMED), {ONESHOT("inactive", "dead"), BY_TIMER},
         {.armed = true, .failed_dependency = "b.service"}},
        {"a mount with its automount", "U32", GOOD(ARMED),
         {UNIT("a.mount", "inactive", "dead"), .triggered_by = {"a.automount"},
          .n_triggered_by = 1}, {.armed = true}},
        {"an armed scope", "U32", GOOD(ARMED), {UNIT("a.scope", "inactive", "dead"), BY_TIMER},
         {.armed = true}},
        {"a slice", "U33", GOOD(IDLE), {UNIT("a.slice", "inactive", "dead")}, {0}},
        {"a scope", "U33", GOOD(IDLE), {UNIT("a.scope", "inactive", "dead")}, {0}},
        {"a device", "U33", GOOD(IDLE), {UNIT("dev-sda.device", "inactive", "dead")}, {0}},
        {"a slice whose trigger is off", "U33", GOOD(IDLE),
         {UNIT("a.slice", "inactive", "dead"), BY_TIMER}, {0}},
        {"a one-shot that has run", "U34", GOOD(DONE),
         {ONESHOT("inactive", "dead"), .exec_main_exit_mono_usec = NOW - 60 * S,
          .inactive_exit_mono_usec = NOW - 61 * S}, {0}},
        {"a one-shot that has run, forgotten by systemd", "U34", GOOD(DONE),
         {ONESHOT("inactive", "dead")}, {.last_run = &ran_well}},
        {"a one-shot that has run, its timer is off", "U34", GOOD(DONE),
         {ONESHOT("inactive", "dead"), BY_TIMER, .exec_main_exit_mono_usec = NOW - 60 * S}, {0}},
        {"a one-shot that ended with a status that systemd calls success", "U34", GOOD(DONE),
         {ONESHOT("inactive", "dead"), EXITED(2), .exec_main_exit_mono_usec = NOW - 60 * S}, {0}},

        /* --- U35 to U37: inactive as it should not be --- */
        {"a one-shot that never ran", "U35", BAD(NEVER_RAN), {ONESHOT("inactive", "dead")}, {0}},
        {"a one-shot of which no run was seen", "U35", BAD(NEVER_RAN),
         {ONESHOT("inactive", "dead")}, {.last_run = &not_seen, .failed_dependency = ""}},
        {"a one-shot that never ran, expected to run", "U35", BAD(NEVER_RAN),
         {ONESHOT("inactive", "dead")}, {.expect = DIAG_EXPECT_RUNNING}},
        {"a one-shot that never ran: what it requires failed", "U35", BAD(DEPENDENCY_FAILED),
         {ONESHOT("inactive", "dead")}, {.failed_dependency = "b.service"}},
        {"a one-shot whose timer is off", "U36", BAD(TRIGGER_INACTIVE),
         {ONESHOT("inactive", "dead"), BY_TIMER}, {0}},
        {"a daemon whose socket is off", "U36", BAD(TRIGGER_INACTIVE),
         {SERVICE("inactive", "dead"), .triggered_by = {"a.socket"}, .n_triggered_by = 1}, {0}},
        {"its socket is off, what it requires failed", "U36", BAD(TRIGGER_INACTIVE),
         {SERVICE("inactive", "dead"), BY_TIMER}, {.failed_dependency = "b.service"}},
        {"stopped", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), ENTERED(inactive_exit), .exec_main_exit_mono_usec = NOW},
         {0}},
        {"stopped, never started", "U37", BAD(STOPPED), {SERVICE("inactive", "dead")}, {0}},
        {"never started: what it requires failed", "U37", BAD(DEPENDENCY_FAILED),
         {SERVICE("inactive", "dead")}, {.failed_dependency = "b.service"}},
        {"a mount never started: what it requires failed", "U37", BAD(DEPENDENCY_FAILED),
         {UNIT("a.mount", "inactive", "dead")}, {.failed_dependency = "b.device"}},
        {"stopped, and what it requires failed later", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead"), ENTERED(inactive_exit)},
         {.failed_dependency = "b.service"}},
        {"stopped, forgotten by systemd, what it requires failed later", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead")},
         {.failed_dependency = "b.service", .last_run = &ran_well}},
        {"a one-shot that remains, after it was stopped", "U37", BAD(STOPPED),
         {ONESHOT("inactive", "dead"), .remain_after_exit = true,
          .exec_main_exit_mono_usec = NOW - 60 * S}, {.last_run = &ran_well}},
        {"a one-shot that remains, never ran", "U37", BAD(STOPPED),
         {ONESHOT("inactive", "dead"), .remain_after_exit = true}, {0}},
        {"a one-shot that remains, never ran: what it requires failed", "U37",
         BAD(DEPENDENCY_FAILED), {ONESHOT("inactive", "dead"), .remain_after_exit = true},
         {.failed_dependency = "b.service"}},
        {"a one-shot whose failure was reset by hand", "U37", BAD(STOPPED),
         {ONESHOT("inactive", "dead"), .exec_main_exit_mono_usec = NOW - 60 * S},
         {.last_run = &ran_badly}},
        {"a one-shot that failed and then ran well, which was not noted", "U34", GOOD(DONE),
         {ONESHOT("inactive", "dead"), .exec_main_exit_mono_usec = NOW - 59 * S},
         {.last_run = &ran_badly}},
        {"a one-shot whose last run failed, forgotten by systemd", "U37", BAD(STOPPED),
         {ONESHOT("inactive", "dead")}, {.last_run = &ran_badly}},
        {"a daemon that ended well", "U37", BAD(STOPPED),
         {SERVICE("inactive", "dead")}, {.last_run = &ran_well}},
        {"a target", "U37", BAD(STOPPED), {UNIT("a.target", "inactive", "dead")}, {0}},
        {"a socket that is off", "U37", BAD(STOPPED), {UNIT("a.socket", "inactive", "dead")}, {0}},
        {"a timer that is off", "U37", BAD(STOPPED), {UNIT("a.timer", "inactive", "dead")}, {0}},
        {"a path that is off", "U37", BAD(STOPPED), {UNIT("a.path", "inactive", "dead")}, {0}},
        {"a swap that is off", "U37", BAD(STOPPED), {UNIT("a.swap", "inactive", "dead")}, {0}},
        {"a mount whose file system is called oneshot", "U37", BAD(STOPPED),
         {UNIT("a.mount", "inactive", "dead")}, {.last_run = &ran_well}},

        /* --- expect=running takes no excuse --- */
        {"armed, expected to run", "U37", BAD(STOPPED), {SERVICE("inactive", "dead"), BY_TIMER},
         {.armed = true, .expect = DIAG_EXPECT_RUNNING}},
        {"its trigger is off, expected to run", "U36", BAD(TRIGGER_INACTIVE),
         {SERVICE("inactive", "dead"), BY_TIMER}, {.expect = DIAG_EXPECT_RUNNING}},
        {"a slice, expected to run", "U37", BAD(STOPPED), {UNIT("a.slice", "inactive", "dead")},
         {.expect = DIAG_EXPECT_RUNNING}},
        {"a device, expected to be there", "U37", BAD(STOPPED),
         {UNIT("a.device", "inactive", "dead")}, {.expect = DIAG_EXPECT_RUNNING}},
        {"a one-shot that has run, expected to run", "U37", BAD(STOPPED),
         {ONESHOT("inactive", "dead"), .exec_main_exit_mono_usec = NOW - 60 * S,
          .inactive_exit_mono_usec = NOW - 61 * S},
         {.expect = DIAG_EXPECT_RUNNING, .last_run = &ran_well}},
};
/* clang-format on */

static struct diag_unit_context complete(const struct diag_unit_context *from)
{
        struct diag_unit_context c = *from;

        c.now_mono_usec = NOW;
        if (!c.stuck_after_usec)
                c.stuck_after_usec = STUCK_AFTER;
        if (!c.stuck_after_oneshot_usec)
                c.stuck_after_oneshot_usec = USEC_INFINITY;
        return c;
}

START_TEST(judges)
{
        const struct unit_case *k = &cases[_i];
        struct diag_unit_context c = complete(&k->c);
        struct diag_verdict v = diag_unit_judge(&k->u, &c);

        ck_assert_msg(streq(v.row, k->row) && v.health == k->health && v.code == k->code,
                      "%s: %s %s %s, not %s %s %s", k->name, v.row, diag_health_to_string(v.health),
                      diag_code_to_string(v.code), k->row, diag_health_to_string(k->health),
                      diag_code_to_string(k->code));
}
END_TEST

static bool has_case(const char *row, enum diag_health health, enum diag_code code)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (streq(cases[i].row, row) &&
                    (code == DIAG_CODE_NONE ||
                     (cases[i].code == code && cases[i].health == health)))
                        return true;
        return false;
}

START_TEST(has_a_case_for_each_row)
{
        char row[8];

        (void)snprintf(row, sizeof(row), "U%d", _i);
        ck_assert_msg(has_case(row, DIAG_UNKNOWN, DIAG_CODE_NONE), "%s has no case", row);
}
END_TEST

/* Rows that are split in two, and the words of Result. */
static const struct {
        const char *row;
        enum diag_health health;
        enum diag_code code;
} splits[] = {
        {"U8",  BAD(EXIT_CODE)        },
        {"U8",  BAD(SIGNAL)           },
        {"U8",  BAD(CORE_DUMP)        },
        {"U8",  BAD(OOM_KILL)         },
        {"U8",  BAD(WATCHDOG)         },
        {"U8",  BAD(TIMEOUT)          },
        {"U8",  BAD(START_LIMIT_HIT)  },
        {"U8",  BAD(RESOURCES)        },
        {"U8",  BAD(PROTOCOL)         },
        {"U8",  BAD(FAILED)           },
        {"U9",  BAD(STOPPING)         },
        {"U9",  BAD(STUCK_STOPPING)   },
        {"U22", BAD(STARTING)         },
        {"U22", GOOD(STARTING)        },
        {"U35", BAD(NEVER_RAN)        },
        {"U35", BAD(DEPENDENCY_FAILED)},
        {"U37", BAD(STOPPED)          },
        {"U37", BAD(DEPENDENCY_FAILED)},
};

START_TEST(has_a_case_for_each_part_of_a_row)
{
        ck_assert_msg(has_case(splits[_i].row, splits[_i].health, splits[_i].code), "%s %s",
                      splits[_i].row, diag_code_to_string(splits[_i].code));
}
END_TEST

/* clang-format off */
static const struct {
        const char *name;
        uint64_t want;
        struct diag_unit u;
        struct diag_unit_context c;
} again[] = {
        {"running: only new facts can change it", USEC_INFINITY,
         {SERVICE("active", "running")}, {0}},
        {"stopping: TimeoutStopUSec and 10 s", NOW + 99 * S,
         {SERVICE("deactivating", "stop"), ENTERED(active_exit), .timeout_stop_usec = 90 * S}, {0}},
        {"stopping without a timeout: StuckAfter=", NOW + 299 * S,
         {SERVICE("deactivating", "stop"), ENTERED(active_exit),
          .timeout_stop_usec = USEC_INFINITY}, {0}},
        {"stopping, stuck already", USEC_INFINITY,
         {SERVICE("deactivating", "stop"), .active_exit_mono_usec = NOW - 900 * S}, {0}},
        {"stopping, stuck from now on", USEC_INFINITY,
         {SERVICE("deactivating", "stop"), .active_exit_mono_usec = NOW - 300 * S}, {0}},
        {"reloading: TimeoutStartUSec and 10 s", NOW + 99 * S,
         {SERVICE("reloading", "reload"), ENTERED(state_change), .timeout_start_usec = 90 * S},
         {0}},
        {"starting with a timeout: systemd says so itself", USEC_INFINITY,
         {SERVICE("activating", "start"), ENTERED(inactive_exit), .timeout_start_usec = 90 * S},
         {0}},
        {"starting without a timeout: StuckAfter=", NOW + 299 * S,
         {SERVICE("activating", "start"), ENTERED(inactive_exit),
          .timeout_start_usec = USEC_INFINITY}, {0}},
        {"a one-shot runs: as long as it likes", USEC_INFINITY,
         {ONESHOT("activating", "start"), ENTERED(inactive_exit)}, {0}},
        {"a one-shot runs: unless StuckAfter= was set", NOW + 59 * S,
         {ONESHOT("activating", "start"), ENTERED(inactive_exit)},
         {.stuck_after_oneshot_usec = 60 * S}},
        {"looping: the end of the loop", NOW + 50 * S,
         {SERVICE("active", "running")}, {.restarts = &looping}},
        {"looping no more", USEC_INFINITY,
         {SERVICE("active", "running")}, {.restarts = &looped}},
        {"looping no more from now on", USEC_INFINITY,
         {SERVICE("active", "running")}, {.restarts = &looped_until_now}},
        {"looping and stopping: what comes first", NOW + 19 * S,
         {SERVICE("deactivating", "stop"), ENTERED(active_exit), .timeout_stop_usec = 10 * S},
         {.restarts = &looping}},
        {"looping and starting: what comes first", NOW + 50 * S,
         {SERVICE("activating", "start"), ENTERED(inactive_exit)}, {.restarts = &looping}},
};
/* clang-format on */

START_TEST(knows_when_to_judge_again)
{
        struct diag_unit_context c = complete(&again[_i].c);
        uint64_t at = diag_unit_judge_again_at(&again[_i].u, &c);

        ck_assert_msg(at == again[_i].want, "%s: in %" PRIu64 " s", again[_i].name, (at - NOW) / S);
}
END_TEST

/* Just before the moment that was named nothing is different, and then it is. */
START_TEST(names_the_very_moment)
{
        struct diag_unit_context c = complete(&again[_i].c);
        uint64_t at = diag_unit_judge_again_at(&again[_i].u, &c);
        enum diag_code now, before, then;

        if (at == USEC_INFINITY)
                return;
        now = diag_unit_judge(&again[_i].u, &c).code;
        c.now_mono_usec = at - 1;
        before = diag_unit_judge(&again[_i].u, &c).code;
        c.now_mono_usec = at;
        then = diag_unit_judge(&again[_i].u, &c).code;
        ck_assert_msg(now == before && then != now, "%s", again[_i].name);
}
END_TEST

static const struct {
        const char *word;
        enum diag_expect expect;
} expects[] = {
        {"auto",     DIAG_EXPECT_AUTO    },
        {"running",  DIAG_EXPECT_RUNNING },
        {"optional", DIAG_EXPECT_OPTIONAL},
        {"off",      DIAG_EXPECT_OFF     },
};

START_TEST(spells_expectations)
{
        enum diag_expect e = DIAG_EXPECT_OFF;

        ck_assert_str_eq(diag_expect_to_string(expects[_i].expect), expects[_i].word);
        ck_assert_int_eq(diag_expect_from_string(expects[_i].word, &e), 0);
        ck_assert_int_eq(e, expects[_i].expect);
}
END_TEST

START_TEST(refuses_other_expectations)
{
        static const char *const words[] = {"", "Auto", "on", "running "};
        enum diag_expect e = DIAG_EXPECT_OPTIONAL;

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ck_assert_int_eq(diag_expect_from_string(words[i], &e), -EINVAL);
        ck_assert_int_eq(e, DIAG_EXPECT_OPTIONAL);
}
END_TEST

START_TEST(knows_how_a_run_ended)
{
        static const struct diag_last_run killed = {.ended_mono_usec = 1, .result = "signal"};

        ck_assert(diag_last_run_ok(&ran_well) && !diag_last_run_failed(&ran_well));
        ck_assert(!diag_last_run_ok(&killed) && diag_last_run_failed(&killed));
        ck_assert(!diag_last_run_ok(&not_seen) && !diag_last_run_failed(&not_seen));
}
END_TEST

START_TEST(knows_services_by_their_names)
{
        ck_assert(diag_unit_is_service(&(struct diag_unit){.id = "a.service"}));
        ck_assert(diag_unit_is_service(&(struct diag_unit){.name = "a.service"}));
        ck_assert(!diag_unit_is_service(&(struct diag_unit){.name = "a.service", .id = "a.mount"}));
        ck_assert(!diag_unit_is_service(&(struct diag_unit){0}));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit");
        TCase *rows = tcase_create("rows"), *time = tcase_create("time"),
              *words = tcase_create("words");

        tcase_add_loop_test(rows, judges, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(rows, has_a_case_for_each_row, 0, N_ROWS);
        tcase_add_loop_test(rows, has_a_case_for_each_part_of_a_row, 0, ELEMENTSOF(splits));
        suite_add_tcase(s, rows);

        tcase_add_loop_test(time, knows_when_to_judge_again, 0, ELEMENTSOF(again));
        tcase_add_loop_test(time, names_the_very_moment, 0, ELEMENTSOF(again));
        suite_add_tcase(s, time);

        tcase_add_loop_test(words, spells_expectations, 0, ELEMENTSOF(expects));
        tcase_add_test(words, refuses_other_expectations);
        tcase_add_test(words, knows_how_a_run_ended);
        tcase_add_test(words, knows_services_by_their_names);
        suite_add_tcase(s, words);
        return test_main(s);
}
