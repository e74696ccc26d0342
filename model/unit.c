/*
 * What a unit's state means for health: one table, first row that holds wins, and the order is the
 * order in which a person would ask. The rows are numbered so that tests, logs and documentation
 * can name them; docs/ARCHITECTURE.md lists them with their reasons.
 */

#include <errno.h>

#include "base/mono.h"
#include "model/unit.h"
#include "model/unit_name.h"

#define TIMEOUT_GRACE_USEC  (10 * USEC_PER_SEC) /* systemd acts on its own timeouts first */
#define LOOP_WINDOW_USEC    (10 * USEC_PER_MIN)
#define LOOP_RESTARTS       3u
#define LOOP_QUIET_MIN_USEC (60 * USEC_PER_SEC)
#define LOOP_QUIET_GAPS     5u
#define LOOP_PRESUMED_USEC  (60 * USEC_PER_SEC)

/* --- words --------------------------------------------------------------------------------- */

static const char *const expect_words[] = {
        [DIAG_EXPECT_AUTO] = "auto",
        [DIAG_EXPECT_RUNNING] = "running",
        [DIAG_EXPECT_OPTIONAL] = "optional",
        [DIAG_EXPECT_OFF] = "off",
};

const char *diag_expect_to_string(enum diag_expect e)
{
        return expect_words[e];
}

int diag_expect_from_string(const char *s, enum diag_expect *ret)
{
        for (size_t i = 0; i < ELEMENTSOF(expect_words); i++)
                if (streq(s, expect_words[i])) {
                        *ret = (enum diag_expect)i;
                        return 0;
                }
        return -EINVAL;
}

/* --- restarts -------------------------------------------------------------------------------- */

static void restarts_drop_oldest(struct diag_restarts *r)
{
        memmove(r->at_mono_usec, r->at_mono_usec + 1, sizeof(r->at_mono_usec[0]) * --r->n);
}

/* The oldest entry stood for "before we came". */
static void restarts_presume_no_more(struct diag_restarts *r)
{
        restarts_drop_oldest(r);
        r->presumed = false;
}

static void restarts_push(struct diag_restarts *r, uint64_t now)
{
        if (r->n == DIAG_RESTARTS_KEPT)
                restarts_drop_oldest(r);
        r->at_mono_usec[r->n++] = now;
        if (r->presumed && r->n > LOOP_RESTARTS) /* enough was seen */
                restarts_presume_no_more(r);
}

static bool was_looping_before_us(const struct diag_unit *u, uint64_t now)
{
        return u->n_restarts >= LOOP_RESTARTS && u->active_enter_mono_usec &&
               usec_since(now, u->active_enter_mono_usec) < LOOP_PRESUMED_USEC;
}

void diag_restarts_note(struct diag_restarts *r, const struct diag_unit *u, uint64_t now_mono_usec)
{
        uint32_t before = r->n_restarts;

        r->n_restarts = u->n_restarts;
        if (!r->seen) {
                r->seen = true;
                r->presumed = was_looping_before_us(u, now_mono_usec);
                if (r->presumed)
                        restarts_push(r, now_mono_usec);
                return;
        }
        if (r->presumed && now_mono_usec >= diag_restarts_loop_end(r))
                restarts_presume_no_more(r);
        if (u->n_restarts < before) { /* somebody started it by hand: a new life */
                r->n = 0;
                r->presumed = false;
                return;
        }
        for (uint32_t i = before; i < u->n_restarts && i - before < DIAG_RESTARTS_KEPT; i++)
                restarts_push(r, now_mono_usec);
}

unsigned diag_restarts_recent(const struct diag_restarts *r, uint64_t now_mono_usec)
{
        unsigned n = 0;

        for (unsigned i = r->presumed ? 1 : 0; i < r->n; i++)
                n += usec_since(now_mono_usec, r->at_mono_usec[i]) < LOOP_WINDOW_USEC;
        return n;
}

/* At most eight values: insertion sort, middle one. */
static uint64_t median_gap(const struct diag_restarts *r)
{
        uint64_t gaps[DIAG_RESTARTS_KEPT] = {0};
        unsigned n = 0;

        for (unsigned i = 1; i < r->n; i++) {
                uint64_t gap = r->at_mono_usec[i] - r->at_mono_usec[i - 1];
                unsigned k = n++;

                for (; k > 0 && gaps[k - 1] > gap; k--)
                        gaps[k] = gaps[k - 1];
                gaps[k] = gap;
        }
        return gaps[n / 2];
}

uint64_t diag_restarts_loop_end(const struct diag_restarts *r)
{
        uint64_t last, quiet;

        if (!r->n)
                return 0;
        last = r->at_mono_usec[r->n - 1];
        if (!r->presumed && diag_restarts_recent(r, last) < LOOP_RESTARTS)
                return 0;
        quiet = LOOP_QUIET_GAPS * median_gap(r);
        return usec_add(last, quiet > LOOP_QUIET_MIN_USEC ? quiet : LOOP_QUIET_MIN_USEC);
}

/* --- the last run ---------------------------------------------------------------------------- */

bool diag_last_run_ok(const struct diag_last_run *r)
{
        return r->ended_mono_usec && streq(r->result, "success");
}

bool diag_last_run_failed(const struct diag_last_run *r)
{
        return r->ended_mono_usec && !streq(r->result, "success");
}

/* --- questions ------------------------------------------------------------------------------- */

typedef const struct diag_unit U;
typedef const struct diag_unit_context C;

static bool is(const char *have, const char *word)
{
        return have && streq(have, word);
}

static bool has_type(U *u, const char *type)
{
        return unit_name_has_type(str_or(u->id, str_or(u->name, "")), type);
}

bool diag_unit_is_service(U *u)
{
        return has_type(u, "service");
}

static bool oneshot(U *u)
{
        return is(u->type, "oneshot");
}

static bool active(U *u)
{
        return is(u->active_state, "active");
}

static bool inactive(U *u)
{
        return is(u->active_state, "inactive");
}

static bool activating(U *u)
{
        return is(u->active_state, "activating");
}

static bool deactivating(U *u)
{
        return is(u->active_state, "deactivating");
}

static bool reloading_state(U *u)
{
        return is(u->active_state, "reloading") || is(u->active_state, "refreshing");
}

static bool auto_restart(U *u)
{
        return diag_unit_is_service(u) && activating(u) &&
               (is(u->sub_state, "auto-restart") || is(u->sub_state, "auto-restart-queued"));
}

static bool looping_now(C *c)
{
        return c->restarts && c->now_mono_usec < diag_restarts_loop_end(c->restarts);
}

static bool start_queued(U *u)
{
        return is(u->job, "start") || is(u->job, "restart");
}

/* An unread Result counts as failed: better a question too many than a silent green. */
static bool exited_badly(U *u)
{
        return diag_unit_is_service(u) && u->exec_main_status != 0 && !is(u->result, "success");
}

static bool last_failed(C *c)
{
        return c->last_run && diag_last_run_failed(c->last_run);
}

static bool last_ok(C *c)
{
        return c->last_run && diag_last_run_ok(c->last_run);
}

/* `systemctl reset-failed` says "success" of a run that failed; the note of it does not change. */
static bool ran_ok(U *u, C *c)
{
        if (last_failed(c) && c->last_run->ended_mono_usec >= u->exec_main_exit_mono_usec)
                return false;
        return (u->exec_main_exit_mono_usec && is(u->result, "success")) || last_ok(c);
}

static bool never_started(U *u, C *c)
{
        return !u->inactive_exit_mono_usec && !u->exec_main_exit_mono_usec &&
               !(c->last_run && c->last_run->ended_mono_usec);
}

/* "no" is the default of both results: they mean something once there is a time, and no job. */
static bool condition_failed(U *u)
{
        return is(u->result, "exec-condition") ||
               (u->condition_mono_usec && !u->condition_result && str_empty(u->job));
}

static uint64_t state_limit(uint64_t timeout, uint64_t otherwise)
{
        return timeout && timeout != USEC_INFINITY ? usec_add(timeout, TIMEOUT_GRACE_USEC)
                                                   : otherwise;
}

/* When "too long in this state" begins; infinity for states without a limit of ours. */
static uint64_t over_at(U *u, C *c)
{
        if (reloading_state(u))
                return usec_add(u->state_change_mono_usec,
                                state_limit(u->timeout_start_usec, c->stuck_after_usec));
        if (deactivating(u))
                return usec_add(u->active_exit_mono_usec ? u->active_exit_mono_usec
                                                         : u->state_change_mono_usec,
                                state_limit(u->timeout_stop_usec, c->stuck_after_usec));
        if (activating(u)) {
                if (u->timeout_start_usec && u->timeout_start_usec != USEC_INFINITY)
                        return USEC_INFINITY; /* systemd fails the unit itself */
                return usec_add(u->inactive_exit_mono_usec,
                                oneshot(u) ? c->stuck_after_oneshot_usec : c->stuck_after_usec);
        }
        return USEC_INFINITY;
}

static bool over(U *u, C *c)
{
        return c->now_mono_usec >= over_at(u, c);
}

/* --- the rows -------------------------------------------------------------------------------- */

static bool u0(_unused_ U *u, C *c)
{
        return !str_empty(c->no_facts);
}

static bool u1(U *u, _unused_ C *c)
{
        return str_empty(u->load_state) || str_empty(u->active_state) || str_empty(u->sub_state);
}

static bool u2(_unused_ U *u, C *c)
{
        return c->expect == DIAG_EXPECT_OFF;
}

static bool u3(U *u, C *c)
{
        return (is(u->load_state, "not-found") || is(u->load_state, "masked")) &&
               (inactive(u) || is(u->active_state, "failed")) && c->expect == DIAG_EXPECT_OPTIONAL;
}

static bool u4(U *u, _unused_ C *c)
{
        return is(u->load_state, "masked");
}

static bool u5(U *u, _unused_ C *c)
{
        return is(u->load_state, "not-found");
}

static bool u6(U *u, _unused_ C *c)
{
        return !is(u->load_state, "loaded");
}

static bool u7(U *u, C *c)
{
        return is(u->active_state, "failed") && c->expect == DIAG_EXPECT_OPTIONAL &&
               is(u->unit_file_state, "disabled");
}

static bool u8(U *u, _unused_ C *c)
{
        return is(u->active_state, "failed");
}

static bool u9_over(U *u, C *c)
{
        return deactivating(u) && over(u, c);
}

static bool u9(U *u, _unused_ C *c)
{
        return deactivating(u);
}

static bool u10(U *u, C *c)
{
        return reloading_state(u) && !over(u, c);
}

static bool u11(U *u, _unused_ C *c)
{
        return reloading_state(u);
}

static bool u12(U *u, _unused_ C *c)
{
        return is(u->active_state, "maintenance");
}

static bool u13(U *u, _unused_ C *c)
{
        return !active(u) && !inactive(u) && !activating(u);
}

static bool u14(U *u, C *c)
{
        return diag_unit_is_service(u) && !inactive(u) && looping_now(c);
}

static bool u15(U *u, _unused_ C *c)
{
        return auto_restart(u) && u->exec_main_status != 0;
}

static bool u16(U *u, _unused_ C *c)
{
        return auto_restart(u) && !u->active_enter_mono_usec;
}

static bool u17(U *u, _unused_ C *c)
{
        return auto_restart(u) && u->inactive_enter_mono_usec > u->active_enter_mono_usec;
}

static bool u18(U *u, _unused_ C *c)
{
        return auto_restart(u);
}

static bool u19(U *u, C *c)
{
        return activating(u) && oneshot(u) && c->armed && last_failed(c);
}

static bool u20(U *u, C *c)
{
        return activating(u) && oneshot(u) && c->armed && !over(u, c);
}

static bool u21(U *u, C *c)
{
        return activating(u) && over(u, c);
}

static bool u22_as_before(U *u, C *c)
{
        return activating(u) && c->starting_is_healthy;
}

static bool u22(U *u, _unused_ C *c)
{
        return activating(u);
}

static bool u23(U *u, _unused_ C *c)
{
        return active(u) &&
               (is(u->freezer_state, "frozen") || is(u->freezer_state, "frozen-by-parent"));
}

static bool u24(U *u, _unused_ C *c)
{
        return active(u) && exited_badly(u);
}

static bool u25(U *u, _unused_ C *c)
{
        return active(u);
}

/* From here on the unit is inactive: every other state has had its row. */

static bool u26(U *u, C *c)
{
        return start_queued(u) && !c->armed;
}

static bool u27(U *u, _unused_ C *c)
{
        return u->assert_mono_usec && !u->assert_result && str_empty(u->job);
}

static bool u28(U *u, _unused_ C *c)
{
        return exited_badly(u);
}

static bool u29(U *u, C *c)
{
        return condition_failed(u) && c->expect == DIAG_EXPECT_RUNNING;
}

static bool u30(U *u, _unused_ C *c)
{
        return condition_failed(u);
}

static bool u31(_unused_ U *u, C *c)
{
        return c->expect == DIAG_EXPECT_OPTIONAL;
}

static bool u32(_unused_ U *u, C *c)
{
        return c->armed && c->expect != DIAG_EXPECT_RUNNING;
}

static bool u33(U *u, C *c)
{
        return (has_type(u, "slice") || has_type(u, "scope") || has_type(u, "device")) &&
               c->expect != DIAG_EXPECT_RUNNING;
}

static bool u34(U *u, C *c)
{
        return oneshot(u) && !u->remain_after_exit && ran_ok(u, c) &&
               c->expect != DIAG_EXPECT_RUNNING;
}

static bool u35(U *u, C *c)
{
        return oneshot(u) && !u->remain_after_exit && never_started(u, c) && !u->n_triggered_by;
}

static bool u35_dependency(U *u, C *c)
{
        return u35(u, c) && !str_empty(c->failed_dependency);
}

static bool u36(U *u, C *c)
{
        return u->n_triggered_by && !c->armed;
}

static bool u37_dependency(U *u, C *c)
{
        return never_started(u, c) && !str_empty(c->failed_dependency);
}

static bool u37(_unused_ U *u, _unused_ C *c)
{
        return true;
}

#define BY_RESULT DIAG_N_CODES /* the code is systemd's Result */

static const struct {
        const char *row;
        bool (*holds)(U *u, C *c);
        enum diag_health health;
        enum diag_code code;
} rules[] = {
        {"U0",  u0,             DIAG_UNKNOWN,   DIAG_CODE_NO_FACTS                },
        {"U1",  u1,             DIAG_UNKNOWN,   DIAG_CODE_INCOMPLETE              },
        {"U2",  u2,             DIAG_HEALTHY,   DIAG_CODE_OFF                     },
        {"U3",  u3,             DIAG_HEALTHY,   DIAG_CODE_ABSENT                  },
        {"U4",  u4,             DIAG_UNHEALTHY, DIAG_CODE_MASKED                  },
        {"U5",  u5,             DIAG_UNHEALTHY, DIAG_CODE_NOT_FOUND               },
        {"U6",  u6,             DIAG_UNHEALTHY, DIAG_CODE_BAD_UNIT_FILE           },
        {"U7",  u7,             DIAG_HEALTHY,   DIAG_CODE_OFF                     },
        {"U8",  u8,             DIAG_UNHEALTHY, BY_RESULT                         },
        {"U9",  u9_over,        DIAG_UNHEALTHY, DIAG_CODE_STUCK_STOPPING          },
        {"U9",  u9,             DIAG_UNHEALTHY, DIAG_CODE_STOPPING                },
        {"U10", u10,            DIAG_HEALTHY,   DIAG_CODE_RELOADING               },
        {"U11", u11,            DIAG_UNHEALTHY, DIAG_CODE_STUCK_RELOADING         },
        {"U12", u12,            DIAG_UNHEALTHY, DIAG_CODE_CLEANING                },
        {"U13", u13,            DIAG_UNHEALTHY, DIAG_CODE_ODD_STATE               },
        {"U14", u14,            DIAG_UNHEALTHY, DIAG_CODE_CRASH_LOOP              },
        {"U15", u15,            DIAG_UNHEALTHY, DIAG_CODE_RESTARTING_AFTER_FAILURE},
        {"U16", u16,            DIAG_UNHEALTHY, DIAG_CODE_NEVER_ACTIVE            },
        {"U17", u17,            DIAG_UNHEALTHY, DIAG_CODE_RESTARTING              },
        {"U18", u18,            DIAG_HEALTHY,   DIAG_CODE_RESTARTING_DIRECT       },
        {"U19", u19,            DIAG_UNHEALTHY, DIAG_CODE_LAST_RUN_FAILED         },
        {"U20", u20,            DIAG_HEALTHY,   DIAG_CODE_RUNNING_JOB             },
        {"U21", u21,            DIAG_UNHEALTHY, DIAG_CODE_STUCK_STARTING          },
        {"U22", u22_as_before,  DIAG_HEALTHY,   DIAG_CODE_STARTING                },
        {"U22", u22,            DIAG_UNHEALTHY, DIAG_CODE_STARTING                },
        {"U23", u23,            DIAG_UNHEALTHY, DIAG_CODE_FROZEN                  },
        {"U24", u24,            DIAG_UNHEALTHY, DIAG_CODE_EXIT_STATUS             },
        {"U25", u25,            DIAG_HEALTHY,   DIAG_CODE_OK                      },
        {"U26", u26,            DIAG_UNHEALTHY, DIAG_CODE_WAITING                 },
        {"U27", u27,            DIAG_UNHEALTHY, DIAG_CODE_ASSERT_FAILED           },
        {"U28", u28,            DIAG_UNHEALTHY, DIAG_CODE_EXIT_STATUS             },
        {"U29", u29,            DIAG_UNHEALTHY, DIAG_CODE_CONDITION_NOT_MET       },
        {"U30", u30,            DIAG_HEALTHY,   DIAG_CODE_SKIPPED                 },
        {"U31", u31,            DIAG_HEALTHY,   DIAG_CODE_OFF                     },
        {"U32", u32,            DIAG_HEALTHY,   DIAG_CODE_ARMED                   },
        {"U33", u33,            DIAG_HEALTHY,   DIAG_CODE_IDLE                    },
        {"U34", u34,            DIAG_HEALTHY,   DIAG_CODE_DONE                    },
        {"U35", u35_dependency, DIAG_UNHEALTHY, DIAG_CODE_DEPENDENCY_FAILED       },
        {"U35", u35,            DIAG_UNHEALTHY, DIAG_CODE_NEVER_RAN               },
        {"U36", u36,            DIAG_UNHEALTHY, DIAG_CODE_TRIGGER_INACTIVE        },
        {"U37", u37_dependency, DIAG_UNHEALTHY, DIAG_CODE_DEPENDENCY_FAILED       },
        {"U37", u37,            DIAG_UNHEALTHY, DIAG_CODE_STOPPED                 },
};

/* systemd's words for how a unit failed are codes of ours; "failed" for those that are not. */
static enum diag_code code_of_result(U *u)
{
        enum diag_code code = diag_code_from_string(str_or(u->result, ""));

        return code >= DIAG_CODE_EXIT_CODE && code <= DIAG_CODE_FAILED ? code : DIAG_CODE_FAILED;
}

struct diag_verdict diag_unit_judge(U *u, C *c)
{
        size_t i = 0;

        while (!rules[i].holds(u, c)) /* ends: the last row always holds */
                i++;
        return (struct diag_verdict){
                .health = rules[i].health,
                .code = rules[i].code == BY_RESULT ? code_of_result(u) : rules[i].code,
                .row = rules[i].row,
        };
}

uint64_t diag_unit_judge_again_at(U *u, C *c)
{
        uint64_t over_time = over_at(u, c);
        uint64_t loop_end = c->restarts ? diag_restarts_loop_end(c->restarts) : 0;
        uint64_t next = USEC_INFINITY;

        if (over_time > c->now_mono_usec)
                next = over_time;
        if (loop_end > c->now_mono_usec && loop_end < next)
                next = loop_end;
        return next;
}
