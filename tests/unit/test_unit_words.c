/* It says in words what is wrong with a unit: one stable sentence, without counters. */

#include <signal.h>
#include <stdio.h>

#include "base/mono.h"
#include "model/unit_words.h"
#include "tests/unit/test_main.h"

#define NOW (10000 * USEC_PER_SEC)

#define BAD(code)                                      \
        {                                              \
                DIAG_UNHEALTHY, DIAG_CODE_##code, "U?" \
        }
#define GOOD(code)                                   \
        {                                            \
                DIAG_HEALTHY, DIAG_CODE_##code, "U?" \
        }
#define DARK(code)                                   \
        {                                            \
                DIAG_UNKNOWN, DIAG_CODE_##code, "U?" \
        }
#define EXITED(status) .exec_main_code = CLD_EXITED, .exec_main_status = (status)
#define KILLED(signo)  .exec_main_code = CLD_KILLED, .exec_main_status = (signo)
#define DUMPED(signo)  .exec_main_code = CLD_DUMPED, .exec_main_status = (signo)

static const struct diag_last_run crashed = {
        .ended_mono_usec = 1, .result = "signal", .code = CLD_KILLED, .status = SIGSEGV};
static const struct diag_last_run ended_well = {
        .ended_mono_usec = 1, .result = "success", .code = CLD_EXITED, .status = 0};

/* clang-format off */
static const struct {
        const char *want;
        struct diag_verdict v;
        struct diag_unit u;
        struct diag_unit_context c;
} cases[] = {
        {"systemd does not answer", DARK(NO_FACTS), {0}, {.no_facts = "systemd does not answer"}},
        {"systemd did not report its state", DARK(INCOMPLETE), {0}, {0}},
        {"", GOOD(OFF), {.active_state = "failed", .result = "exit-code", EXITED(1)}, {0}},
        {"", GOOD(ABSENT), {0}, {0}},
        {"masked", BAD(MASKED), {.active_state = "inactive"}, {0}},
        {"masked, but still running", BAD(MASKED), {.active_state = "active"}, {0}},
        {"there is no such unit file", BAD(NOT_FOUND), {.active_state = "inactive"}, {0}},
        {"its unit file is gone, but it still runs", BAD(NOT_FOUND), {.active_state = "active"},
         {0}},
        {"its unit file has a bad setting (systemd-analyze verify tells which)", BAD(BAD_UNIT_FILE),
         {.load_state = "bad-setting", .load_error = "Unit has bad unit file setting."}, {0}},
        {"its unit file cannot be used: Invalid argument", BAD(BAD_UNIT_FILE),
         {.load_state = "error", .load_error = "Invalid argument"}, {0}},
        {"is stopping: did not report to its watchdog (WatchdogSec=)", BAD(STOPPING),
         {.result = "watchdog"}, {0}},
        {"has been stopping for too long: exited with status 3 (NOTIMPLEMENTED)",
         BAD(STUCK_STOPPING),
         {.result = "exit-code", .exec_main_code = CLD_EXITED, .exec_main_status = 3}, {0}},
        {"its unit file cannot be used (error)", BAD(BAD_UNIT_FILE), {.load_state = "error"}, {0}},

        /* --- failed --- */
        {"exited with status 3 (NOTIMPLEMENTED)", BAD(EXIT_CODE),
         {.result = "exit-code", EXITED(3)}, {0}},
        {"exited with status 203 (EXEC)", BAD(EXIT_CODE), {.result = "exit-code", EXITED(203)},
         {0}},
        {"exited with status 42", BAD(EXIT_CODE), {.result = "exit-code", EXITED(42)}, {0}},
        {"exited with status 300", BAD(EXIT_CODE), {.result = "exit-code", EXITED(300)}, {0}},
        {"a helper command failed (ExecStartPre=, ExecStop= or the like)", BAD(EXIT_CODE),
         {.result = "exit-code"}, {0}},
        {"a helper command failed (ExecStartPre=, ExecStop= or the like)", BAD(EXIT_CODE),
         {.result = "exit-code", EXITED(0)}, {0}},
        {"killed by SIGSEGV", BAD(SIGNAL), {.result = "signal", KILLED(SIGSEGV)}, {0}},
        {"killed by signal 40", BAD(SIGNAL), {.result = "signal", KILLED(40)}, {0}},
        {"killed by SIGABRT (core dumped)", BAD(CORE_DUMP),
         {.result = "core-dump", DUMPED(SIGABRT)}, {0}},
        {"killed by signal 40 (core dumped)", BAD(CORE_DUMP),
         {.result = "core-dump", DUMPED(40)}, {0}},
        {"the kernel killed it for memory", BAD(OOM_KILL),
         {.result = "oom-kill", KILLED(SIGKILL)}, {0}},
        {"did not report to its watchdog (WatchdogSec=)", BAD(WATCHDOG),
         {.result = "watchdog", KILLED(SIGABRT)}, {0}},
        {"did not start in time", BAD(TIMEOUT),
         {.result = "timeout", KILLED(SIGTERM), .inactive_exit_mono_usec = 9}, {0}},
        {"did not start in time", BAD(TIMEOUT),
         {.result = "timeout", .inactive_exit_mono_usec = 9, .active_enter_mono_usec = 8}, {0}},
        {"took longer than its unit file allows", BAD(TIMEOUT),
         {.result = "timeout", .inactive_exit_mono_usec = 8, .active_enter_mono_usec = 9}, {0}},
        {"was started too often (StartLimitBurst=)", BAD(START_LIMIT_HIT),
         {.result = "start-limit-hit"}, {0}},
        {"systemd could not start it: a resource was missing", BAD(RESOURCES),
         {.result = "resources"}, {0}},
        {"did not say that it is ready (READY=1)", BAD(PROTOCOL), {.result = "protocol"}, {0}},
        {"failed", BAD(FAILED), {.result = "success"}, {0}},
        {"failed", BAD(FAILED), {0}, {0}},
        {"failed (exploded)", BAD(FAILED), {.result = "exploded"}, {0}},
        {"exited with status 1 (FAILURE); gave up after 5 restarts", BAD(EXIT_CODE),
         {.result = "exit-code", EXITED(1), .n_restarts = 5, .start_limit_burst = 5}, {0}},
        {"exited with status 1 (FAILURE)", BAD(EXIT_CODE),
         {.result = "exit-code", EXITED(1), .n_restarts = 4, .start_limit_burst = 5}, {0}},
        {"exited with status 1 (FAILURE)", BAD(EXIT_CODE),
         {.result = "exit-code", EXITED(1), .n_restarts = 4, .start_limit_burst = 0}, {0}},
        {"the kernel killed it for memory; gave up after 7 restarts", BAD(OOM_KILL),
         {.result = "oom-kill", .n_restarts = 7, .start_limit_burst = 5}, {0}},

        /* --- between --- */
        {"is stopping", BAD(STOPPING), {0}, {0}},
        {"has been stopping for too long", BAD(STUCK_STOPPING), {0}, {0}},
        {"", GOOD(RELOADING), {0}, {0}},
        {"has been reloading for too long", BAD(STUCK_RELOADING), {0}, {0}},
        {"its directories are being cleaned (systemctl clean)", BAD(CLEANING), {0}, {0}},
        {"is in a state that we do not know: levitating", BAD(ODD_STATE),
         {.active_state = "levitating"}, {0}},
        {"keeps restarting", BAD(CRASH_LOOP), {.active_state = "active", .n_restarts = 9}, {0}},
        {"keeps restarting: killed by SIGSEGV", BAD(CRASH_LOOP), {KILLED(SIGSEGV)}, {0}},
        {"keeps restarting: exited with status 1 (FAILURE)", BAD(CRASH_LOOP),
         {EXITED(1), .n_restarts = 9, .start_limit_burst = 5}, {0}},
        {"keeps restarting", BAD(CRASH_LOOP), {EXITED(0)}, {0}},
        {"keeps restarting: killed by SIGSEGV", BAD(CRASH_LOOP), {0}, {.last_run = &crashed}},
        {"keeps restarting: killed by SIGSEGV", BAD(CRASH_LOOP), {EXITED(1)},
         {.last_run = &crashed}},
        {"keeps restarting: exited with status 1 (FAILURE)", BAD(CRASH_LOOP), {EXITED(1)},
         {.last_run = &ended_well}},
        {"is being restarted after a failure: exited with status 2 (INVALIDARGUMENT)",
         BAD(RESTARTING_AFTER_FAILURE), {EXITED(2)}, {0}},
        {"is being restarted and was never up", BAD(NEVER_ACTIVE), {0}, {0}},
        {"is being restarted", BAD(RESTARTING), {0}, {0}},
        {"", GOOD(RESTARTING_DIRECT), {0}, {0}},
        {"runs again after its last run failed", BAD(LAST_RUN_FAILED), {0}, {0}},
        {"", GOOD(RUNNING_JOB), {0}, {0}},
        {"has been starting for too long", BAD(STUCK_STARTING), {0}, {0}},
        {"is starting", BAD(STARTING), {0}, {0}},
        {"", GOOD(STARTING), {0}, {0}},

        /* --- active, inactive --- */
        {"is frozen (systemctl thaw)", BAD(FROZEN), {0}, {0}},
        {"exited with status 1 (FAILURE)", BAD(EXIT_STATUS), {EXITED(1)}, {0}},
        {"killed by SIGTERM", BAD(EXIT_STATUS), {KILLED(SIGTERM)}, {0}},
        {"its main process failed", BAD(EXIT_STATUS), {.exec_main_status = 1}, {0}},
        {"", GOOD(OK), {.active_state = "active", EXITED(143)}, {0}},
        {"its start is queued: it waits for other units", BAD(WAITING), {.job = "start"}, {0}},
        {"an Assert…= of its unit file does not hold", BAD(ASSERT_FAILED), {0}, {0}},
        {"a condition of its unit file is not met", BAD(CONDITION_NOT_MET), {0}, {0}},
        {"condition not met: ConditionPathExists=/etc/a", BAD(CONDITION_NOT_MET),
         {.failed_conditions = "ConditionPathExists=/etc/a"}, {0}},
        {"a condition of its unit file is not met", GOOD(SKIPPED), {0}, {0}},
        {"condition not met: ConditionPathExists=/etc/a, ConditionVirtualization=!container",
         GOOD(SKIPPED),
         {.failed_conditions = "ConditionPathExists=/etc/a, ConditionVirtualization=!container"},
         {0}},
        {"", GOOD(ARMED), {0}, {0}},
        {"", GOOD(IDLE), {0}, {0}},
        {"", GOOD(DONE), {0}, {0}},
        {"did not run since boot", BAD(NEVER_RAN), {0}, {0}},
        {"was not started because b.service failed", BAD(DEPENDENCY_FAILED), {0},
         {.failed_dependency = "b.service"}},
        {"is stopped, and so is a.timer, which would start it", BAD(TRIGGER_INACTIVE),
         {.triggered_by = {"a.timer", "a.path"}, .n_triggered_by = 2}, {0}},
        {"is stopped", BAD(STOPPED), {0}, {0}},
};
/* clang-format on */

START_TEST(says_it)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_unit_context c = cases[_i].c;

        c.now_mono_usec = NOW;
        ck_assert_str_eq(diag_unit_text(&a, &cases[_i].u, &c, cases[_i].v), cases[_i].want);
}
END_TEST

/* Facts that move while a verdict stands must not move the text: each change would wake masters. */
START_TEST(says_the_same_later)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_unit u = cases[_i].u;
        struct diag_unit_context c = cases[_i].c;
        const char *before = diag_unit_text(&a, &u, &c, cases[_i].v);

        if (!strstr(before, "gave up") && !u.start_limit_burst)
                u.n_restarts += 100;
        u.main_pid = 4711;
        u.status_text = "serving 12 requests";
        u.state_change_mono_usec = u.state_change_wall_usec = NOW;
        u.inactive_enter_mono_usec = u.active_exit_mono_usec = NOW;
        c.now_mono_usec = NOW + USEC_PER_MIN;
        ck_assert_str_eq(diag_unit_text(&a, &u, &c, cases[_i].v), before);
}
END_TEST

START_TEST(has_words_for_each_code_of_a_unit)
{
        bool found = false;

        if (_i == DIAG_CODE_FACTS_STALE || _i == DIAG_CODE_NO_COMPONENTS ||
            _i == DIAG_CODE_SYSTEM_MAINTENANCE || _i >= DIAG_CODE_NEVER_ANSWERED ||
            (_i >= DIAG_CODE_PROBE_FAILED && _i <= DIAG_CODE_PROBE_NOT_RUN))
                return; /* of a node, of a cluster, of a probe */
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                found = found || (int)cases[i].v.code == _i;
        ck_assert_msg(found, "%s", diag_code_to_string((enum diag_code)_i));
}
END_TEST

static void pclosep(FILE **f)
{
        if (*f)
                (void)pclose(*f);
}

/* What systemd itself prints is the list; ours must be neither shorter nor longer. */
START_TEST(names_exit_statuses_as_systemd_does)
{
        _cleanup_(pclosep) FILE *f = NULL;
        char line[256], name[64], theirs[256][64] = {0};
        unsigned n = 0;
        int status;

        if (system("command -v systemd-analyze >/dev/null") != 0) {
                (void)fprintf(stderr, "skipped: there is no systemd-analyze here\n");
                return;
        }
        f = popen("systemd-analyze exit-status --no-pager", "r");
        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "%63s %d", name, &status) == 2 && status >= 0 && status < 256) {
                        (void)stpcpy(theirs[status], name);
                        n++;
                }
        ck_assert_uint_gt(n, 50);
        for (int i = 0; i < 256; i++)
                ck_assert_str_eq(str_or(diag_exit_status_name(i), ""), theirs[i]);
}
END_TEST

START_TEST(has_no_names_beyond_a_byte)
{
        static const int others[] = {-1, 256, 1000, INT32_MIN, INT32_MAX};

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                ck_assert_ptr_null(diag_exit_status_name(others[i]));
}
END_TEST

static const struct {
        int signo;
        const char *name;
} signals[] = {
        {SIGHUP,    "SIGHUP"   },
        {SIGABRT,   "SIGABRT"  },
        {SIGKILL,   "SIGKILL"  },
        {SIGSEGV,   "SIGSEGV"  },
        {SIGTERM,   "SIGTERM"  },
        {SIGVTALRM, "SIGVTALRM"},
        {SIGSYS,    "SIGSYS"   },
        {0,         NULL       },
        {-1,        NULL       },
        {40,        NULL       },
        {4711,      NULL       },
};

START_TEST(names_signals)
{
        const char *name = diag_signal_name(signals[_i].signo);

        ck_assert_str_eq(str_or(name, "(none)"), str_or(signals[_i].name, "(none)"));
}
END_TEST

/* --- notes ------------------------------------------------------------------------------- */

static const struct diag_restarts presumed = {
        .at_mono_usec = {NOW - USEC_PER_SEC}, .n = 1, .seen = true, .presumed = true};
static const struct diag_restarts presumed_before = {
        .at_mono_usec = {NOW - 60 * USEC_PER_SEC}, .n = 1, .seen = true, .presumed = true};
static const struct diag_restarts looping = {
        .at_mono_usec = {NOW - 3, NOW - 2, NOW - 1},
          .n = 3, .seen = true
};

/* clang-format off */
static const struct {
        const char *want[DIAG_UNIT_NOTES_MAX];
        struct diag_unit u;
        struct diag_unit_context c;
} notes[] = {
        {{0}, {0}, {0}},
        {{0}, {.active_state = "active", .sub_state = "running", .type = "forking"}, {0}},
        {{0}, {.active_state = "active", .sub_state = "exited", .type = "oneshot"}, {0}},
        {{0}, {.active_state = "inactive", .sub_state = "exited", .type = "forking"}, {0}},
        {{0}, {.reload_result = "success", .status_text = ""}, {0}},
        {{0}, {0}, {.restarts = &looping}},
        {{0}, {0}, {.restarts = &presumed_before}},
        {{"need-daemon-reload"}, {.need_daemon_reload = true}, {0}},
        {{"unsupervised"}, {.active_state = "active", .sub_state = "exited", .type = "forking"},
         {0}},
        {{"last-reload-failed"}, {.reload_result = "exit-code"}, {0}},
        {{"presumed"}, {0}, {.restarts = &presumed}},
        {{"status: all is well"}, {.status_text = "all is well"}, {0}},
        {{"need-daemon-reload", "unsupervised", "last-reload-failed", "presumed", "status: x"},
         {.need_daemon_reload = true, .active_state = "active", .sub_state = "exited",
          .type = "forking", .reload_result = "timeout", .status_text = "x"},
         {.restarts = &presumed}},
};
/* clang-format on */

START_TEST(notes_what_is_remarkable)
{
        _cleanup_(arena_done) struct arena a = {0};
        const char *have[DIAG_UNIT_NOTES_MAX] = {0};
        struct diag_unit_context c = notes[_i].c;
        size_t n;

        c.now_mono_usec = NOW;
        n = diag_unit_notes(&a, &notes[_i].u, &c, have);
        for (size_t i = 0; i < DIAG_UNIT_NOTES_MAX; i++) {
                ck_assert_int_eq(i < n, notes[_i].want[i] != NULL);
                ck_assert_str_eq(str_or(have[i], ""), str_or(notes[_i].want[i], ""));
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_words");
        TCase *texts = tcase_create("texts"), *names = tcase_create("names"),
              *remarks = tcase_create("notes");

        tcase_add_loop_test(texts, says_it, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(texts, says_the_same_later, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(texts, has_words_for_each_code_of_a_unit, 1, DIAG_N_CODES);
        suite_add_tcase(s, texts);

        tcase_add_test(names, names_exit_statuses_as_systemd_does);
        tcase_add_test(names, has_no_names_beyond_a_byte);
        tcase_add_loop_test(names, names_signals, 0, ELEMENTSOF(signals));
        suite_add_tcase(s, names);

        tcase_add_loop_test(remarks, notes_what_is_remarkable, 0, ELEMENTSOF(notes));
        suite_add_tcase(s, remarks);
        return test_main(s);
}
