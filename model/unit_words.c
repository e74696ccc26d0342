/* Sentences about units. One function per kind of sentence; the switch below is the list of them. */

#include <signal.h>

#include "base/mono.h"
#include "model/unit_words.h"

/* As `systemd-analyze exit-status` prints them; a test compares the two. */
static const char *const exit_names[256] = {
        [0] = "SUCCESS",
        [1] = "FAILURE",
        [2] = "INVALIDARGUMENT",
        [3] = "NOTIMPLEMENTED",
        [4] = "NOPERMISSION",
        [5] = "NOTINSTALLED",
        [6] = "NOTCONFIGURED",
        [7] = "NOTRUNNING",
        [64] = "USAGE",
        [65] = "DATAERR",
        [66] = "NOINPUT",
        [67] = "NOUSER",
        [68] = "NOHOST",
        [69] = "UNAVAILABLE",
        [70] = "SOFTWARE",
        [71] = "OSERR",
        [72] = "OSFILE",
        [73] = "CANTCREAT",
        [74] = "IOERR",
        [75] = "TEMPFAIL",
        [76] = "PROTOCOL",
        [77] = "NOPERM",
        [78] = "CONFIG",
        [200] = "CHDIR",
        [201] = "NICE",
        [202] = "FDS",
        [203] = "EXEC",
        [204] = "MEMORY",
        [205] = "LIMITS",
        [206] = "OOM_ADJUST",
        [207] = "SIGNAL_MASK",
        [208] = "STDIN",
        [209] = "STDOUT",
        [210] = "CHROOT",
        [211] = "IOPRIO",
        [212] = "TIMERSLACK",
        [213] = "SECUREBITS",
        [214] = "SETSCHEDULER",
        [215] = "CPUAFFINITY",
        [216] = "GROUP",
        [217] = "USER",
        [218] = "CAPABILITIES",
        [219] = "CGROUP",
        [220] = "SETSID",
        [221] = "CONFIRM",
        [222] = "STDERR",
        [224] = "PAM",
        [225] = "NETWORK",
        [226] = "NAMESPACE",
        [227] = "NO_NEW_PRIVILEGES",
        [228] = "SECCOMP",
        [229] = "SELINUX_CONTEXT",
        [230] = "PERSONALITY",
        [231] = "APPARMOR",
        [232] = "ADDRESS_FAMILIES",
        [233] = "RUNTIME_DIRECTORY",
        [235] = "CHOWN",
        [236] = "SMACK_PROCESS_LABEL",
        [237] = "KEYRING",
        [238] = "STATE_DIRECTORY",
        [239] = "CACHE_DIRECTORY",
        [240] = "LOGS_DIRECTORY",
        [241] = "CONFIGURATION_DIRECTORY",
        [242] = "NUMA_POLICY",
        [243] = "CREDENTIALS",
        [244] = "BPF",
        [255] = "EXCEPTION",
};

const char *diag_exit_status_name(int status)
{
        return status >= 0 && (size_t)status < ELEMENTSOF(exit_names) ? exit_names[status] : NULL;
}

const char *diag_signal_name(int signo)
{
        static _Thread_local char name[16];
        const char *abbrev = sigabbrev_np(signo);

        if (!abbrev)
                return NULL;
        (void)stpncpy(stpcpy(name, "SIG"), abbrev, sizeof(name) - sizeof("SIG"));
        return name;
}

static const char *exit_text(struct arena *a, int status)
{
        const char *name = diag_exit_status_name(status);

        return arena_printf(a, name ? "exited with status %d (%s)" : "exited with status %d",
                            status, name);
}

static const char *signal_text(struct arena *a, const struct diag_unit *u)
{
        const char *name = diag_signal_name(u->exec_main_status);
        const char *dumped = u->exec_main_code == CLD_DUMPED ? " (core dumped)" : "";

        if (name)
                return arena_printf(a, "killed by %s%s", name, dumped);
        return arena_printf(a, "killed by signal %d%s", u->exec_main_status, dumped);
}

/* How the main process ended; "" when it did not, or when a helper process is to blame. */
static const char *main_exit_text(struct arena *a, const struct diag_unit *u)
{
        if (u->exec_main_code == CLD_EXITED && u->exec_main_status != 0)
                return exit_text(a, u->exec_main_status);
        if (u->exec_main_code == CLD_KILLED || u->exec_main_code == CLD_DUMPED)
                return signal_text(a, u);
        return "";
}

/* A start that times out never got as far as active; what timed out later we do not know. */
static const char *timeout_text(const struct diag_unit *u)
{
        return u->active_enter_mono_usec < u->inactive_exit_mono_usec
                       ? "did not start in time"
                       : "took longer than its unit file allows";
}

static const char *result_text(struct arena *a, const struct diag_unit *u, enum diag_code code)
{
        switch (code) {
        case DIAG_CODE_EXIT_CODE:
        case DIAG_CODE_SIGNAL:
        case DIAG_CODE_CORE_DUMP:
                return str_or(main_exit_text(a, u),
                              "a helper command failed (ExecStartPre=, ExecStop= or the like)");
        case DIAG_CODE_OOM_KILL:
                return "the kernel killed it for memory";
        case DIAG_CODE_WATCHDOG:
                return "did not report to its watchdog (WatchdogSec=)";
        case DIAG_CODE_TIMEOUT:
                return timeout_text(u);
        case DIAG_CODE_START_LIMIT_HIT:
                return "was started too often (StartLimitBurst=)";
        case DIAG_CODE_RESOURCES:
                return "systemd could not start it: a resource was missing";
        case DIAG_CODE_PROTOCOL:
                return "did not say that it is ready (READY=1)";
        default:
                if (str_empty(u->result) || streq(u->result, "success"))
                        return "failed";
                return arena_printf(a, "failed (%s)", u->result);
        }
}

/*
 * systemd shows the last exit, not that it stopped trying: a unit that used up StartLimitBurst= by
 * exiting has Result=exit-code.
 */
static const char *failed_text(struct arena *a, const struct diag_unit *u, enum diag_code code)
{
        const char *text = result_text(a, u, code);

        if (u->start_limit_burst && u->n_restarts >= u->start_limit_burst)
                return arena_printf(a, "%s; gave up after %u restarts", text, u->n_restarts);
        return text;
}

static const char *load_text(struct arena *a, const struct diag_unit *u)
{
        /* systemd's own text says no more than that. */
        if (u->load_state && streq(u->load_state, "bad-setting"))
                return "its unit file has a bad setting (systemd-analyze verify tells which)";
        if (!str_empty(u->load_error))
                return arena_printf(a, "its unit file cannot be used: %s", u->load_error);
        return arena_printf(a, "its unit file cannot be used (%s)", str_or(u->load_state, "?"));
}

/*
 * In a crash loop the unit is up half of the time, and systemd has cleared its exit then: the last run
 * that we noted says how it ended, all the time.
 */
static const char *last_exit_text(struct arena *a, const struct diag_unit *u,
                                  const struct diag_unit_context *c)
{
        const struct diag_unit noted = {
                .exec_main_code = c->last_run ? c->last_run->code : 0,
                .exec_main_status = c->last_run ? c->last_run->status : 0,
        };

        return str_or(main_exit_text(a, &noted), main_exit_text(a, u));
}

static const char *with_exit(struct arena *a, const struct diag_unit *u,
                             const struct diag_unit_context *c, const char *what)
{
        const char *how = last_exit_text(a, u, c);

        return str_empty(how) ? what : arena_printf(a, "%s: %s", what, how);
}

/* A unit that is being ended after a failure: the failure is the news. */
static const char *while_dying(struct arena *a, const struct diag_unit *u, const char *what)
{
        if (str_empty(u->result) || streq(u->result, "success"))
                return what;
        return arena_printf(a, "%s: %s", what, result_text(a, u, diag_code_from_string(u->result)));
}

static bool still_up(const struct diag_unit *u)
{
        return u->active_state && streq(u->active_state, "active");
}

const char *diag_unit_text(struct arena *a, const struct diag_unit *u,
                           const struct diag_unit_context *c, struct diag_verdict v)
{
        switch (v.code) {
        case DIAG_CODE_NO_FACTS:
                return arena_strdup(a, c->no_facts);
        case DIAG_CODE_INCOMPLETE:
                return "systemd did not report its state";
        case DIAG_CODE_MASKED:
                return still_up(u) ? "masked, but still running" : "masked";
        case DIAG_CODE_NOT_FOUND:
                return still_up(u) ? "its unit file is gone, but it still runs"
                                   : "there is no such unit file";
        case DIAG_CODE_BAD_UNIT_FILE:
                return load_text(a, u);
        case DIAG_CODE_EXIT_CODE:
        case DIAG_CODE_SIGNAL:
        case DIAG_CODE_CORE_DUMP:
        case DIAG_CODE_OOM_KILL:
        case DIAG_CODE_WATCHDOG:
        case DIAG_CODE_TIMEOUT:
        case DIAG_CODE_START_LIMIT_HIT:
        case DIAG_CODE_RESOURCES:
        case DIAG_CODE_PROTOCOL:
        case DIAG_CODE_FAILED:
                return failed_text(a, u, v.code);
        case DIAG_CODE_STOPPING:
                return while_dying(a, u, "is stopping");
        case DIAG_CODE_STUCK_STOPPING:
                return while_dying(a, u, "has been stopping for too long");
        case DIAG_CODE_STUCK_RELOADING:
                return "has been reloading for too long";
        case DIAG_CODE_CLEANING:
                return "its directories are being cleaned (systemctl clean)";
        case DIAG_CODE_ODD_STATE:
                return arena_printf(a, "is in a state that we do not know: %s", u->active_state);
        case DIAG_CODE_CRASH_LOOP:
                return with_exit(a, u, c, "keeps restarting");
        case DIAG_CODE_RESTARTING_AFTER_FAILURE:
                return with_exit(a, u, c, "is being restarted after a failure");
        case DIAG_CODE_NEVER_ACTIVE:
                return "is being restarted and was never up";
        case DIAG_CODE_RESTARTING:
                return "is being restarted";
        case DIAG_CODE_LAST_RUN_FAILED:
                return "runs again after its last run failed";
        case DIAG_CODE_STUCK_STARTING:
                return "has been starting for too long";
        case DIAG_CODE_STARTING:
                return v.health == DIAG_HEALTHY ? "" : "is starting";
        case DIAG_CODE_FROZEN:
                return "is frozen (systemctl thaw)";
        case DIAG_CODE_EXIT_STATUS:
                return str_or(main_exit_text(a, u), "its main process failed");
        case DIAG_CODE_WAITING:
                return "its start is queued: it waits for other units";
        case DIAG_CODE_ASSERT_FAILED:
                return "an Assert…= of its unit file does not hold";
        case DIAG_CODE_CONDITION_NOT_MET:
        case DIAG_CODE_SKIPPED:
                if (str_empty(u->failed_conditions))
                        return "a condition of its unit file is not met";
                return arena_printf(a, "condition not met: %s", u->failed_conditions);
        case DIAG_CODE_NEVER_RAN:
                return "did not run since boot";
        case DIAG_CODE_DEPENDENCY_FAILED:
                return arena_printf(a, "was not started because %s failed", c->failed_dependency);
        case DIAG_CODE_TRIGGER_INACTIVE:
                return arena_printf(a, "is stopped, and so is %s, which would start it",
                                    u->triggered_by[0]);
        case DIAG_CODE_STOPPED:
                return "is stopped";
        default:
                return "";
        }
}

/* Type=forking or SysV without a PID: systemd calls it active and cannot see whether it lives. */
static bool unsupervised(const struct diag_unit *u)
{
        return still_up(u) && u->sub_state && streq(u->sub_state, "exited") && u->type &&
               streq(u->type, "forking");
}

size_t diag_unit_notes(struct arena *a, const struct diag_unit *u,
                       const struct diag_unit_context *c,
                       const char *notes[static DIAG_UNIT_NOTES_MAX])
{
        size_t n = 0;

        if (u->need_daemon_reload)
                notes[n++] = "need-daemon-reload";
        if (unsupervised(u))
                notes[n++] = "unsupervised";
        if (!str_empty(u->reload_result) && !streq(u->reload_result, "success"))
                notes[n++] = "last-reload-failed";
        if (c->restarts && c->restarts->presumed &&
            c->now_mono_usec < diag_restarts_loop_end(c->restarts))
                notes[n++] = "presumed";
        if (!str_empty(u->status_text))
                notes[n++] = arena_printf(a, "status: %s", u->status_text);
        return n;
}
