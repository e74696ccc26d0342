/*
 * From facts to a published report. Everything is judged anew each time: a hundred components are a
 * few microseconds, and nothing can be forgotten that way.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "agentd/reporter.h"
#include "agentd/wake_damper.h"
#include "base/log.h"
#include "base/mono.h"
#include "model/component.h"

/* Probes have this long for their first results before a node says that it is running without them. */
#define FIRST_RESULTS_USEC (1500 * USEC_PER_MSEC)

/* "A component's health has changed": see systemd/diag.catalog. */
#define MESSAGE_ID_HEALTH "8b9a4d1c5f0e4e0c9a7f2f6d3c1be5a4"

#define BEHIND_USEC (1 * USEC_PER_SEC) /* between two attempts to make a report */

struct reporter {
        struct reporter_parts parts;
        struct wake_damper *damper;
        struct loop_timer *judge_again, *wake_later;
        uint64_t wake_mono_usec; /* when wake_later fires */
        uint64_t started_mono_usec;
        uint64_t n_results; /* of the prober, as in the last report */
        bool stopping;
        bool behind; /* the last report could not be made */
};

static void on_judge_again(void *userdata)
{
        reporter_update(userdata);
}

static void on_wake_later(void *userdata)
{
        struct reporter *r = userdata;

        feed_wake(r->parts.feed, feed_current(r->parts.feed)->seq);
}

int reporter_new(struct reporter **ret, const struct reporter_parts *parts)
{
        _cleanup_(reporter_freep) struct reporter *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return -ENOMEM;
        r->parts = *parts;
        r->started_mono_usec = now_mono_usec();
        k = wake_damper_new(&r->damper);
        if (k >= 0)
                k = loop_timer_new(&r->judge_again, parts->loop, on_judge_again, r);
        if (k >= 0)
                k = loop_timer_new(&r->wake_later, parts->loop, on_wake_later, r);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

struct reporter *reporter_free(struct reporter *r)
{
        if (!r)
                return NULL;
        wake_damper_free(r->damper);
        loop_timer_free(r->judge_again);
        loop_timer_free(r->wake_later);
        free(r);
        return NULL;
}

void reporter_reconfigure(struct reporter *r, const struct agent_conf *conf, struct prober *prober)
{
        r->parts.conf = conf;
        r->parts.prober = prober;
}

struct diag_report *reporter_first(const struct diag_node *node)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;

        if (diag_report_new(&r, node, &(struct diag_system){0}, AGENT_TARGET) < 0)
                return NULL;
        /* 0 means "none"; the chance is 2^-64. */
        while (!r->instance)
                if (getrandom(&r->instance, sizeof(r->instance), 0) != sizeof(r->instance))
                        return NULL;
        diag_report_set_reason(r, DIAG_UNKNOWN, DIAG_CODE_NO_FACTS,
                               "systemd has not been asked yet");
        if (diag_report_seal(r, NULL, now_wall_usec(), NULL, NULL) < 0)
                return NULL;
        return TAKE_PTR(r);
}

/* --- one component -------------------------------------------------------------------------------------- */

/* Changes when the journal may have something new to say about the unit. */
static uint64_t tail_stamp(const struct diag_unit *u)
{
        return u->state_change_mono_usec + u->exec_main_exit_mono_usec + u->n_restarts + 1;
}

static void add_tail(struct reporter *r, struct diag_component *c, const struct diag_unit *u)
{
        if (c->health != DIAG_UNHEALTHY)
                return;
        /* The journal knows a unit by its id only. */
        journal_tail_want(r->parts.tails, u->id, tail_stamp(u));
        c->output = journal_tail_get(r->parts.tails, u->id, &c->output_truncated);
}

/* Asks only those that can tell something, and takes what they have told so far. */
static void read_probes(struct reporter *r, const struct agent_component *k, enum diag_code code,
                        struct diag_probe probes[static DIAG_PROBES_MAX])
{
        /* Of a unit that we know nothing of we do not know either whether asking would start it. */
        bool known = code != DIAG_CODE_NO_FACTS && code != DIAG_CODE_INCOMPLETE;

        for (size_t i = 0; i < k->n_probes; i++) {
                if (known)
                        prober_skip(r->parts.prober, k->first_probe + i,
                                    !diag_component_may_be_asked(code));
                prober_get(r->parts.prober, k->first_probe + i, &probes[i]);
        }
}

static void name_component(struct diag_component *c, struct arena *a,
                           const struct agent_component *k, const char *description)
{
        diag_split_description(a, c->name, str_or(description, c->name), &c->title,
                               &c->description);
        if (k && k->title)
                c->title = k->title;
}

static int add_unit(struct reporter *r, struct diag_report *report,
                    const struct unit_watch_component *w)
{
        const struct agent_component *k = agent_conf_component_of(r->parts.conf, w->name);
        const struct diag_unit_context *x = &w->context;
        struct diag_verdict v = diag_unit_judge(w->facts, x);
        struct diag_probe probes[DIAG_PROBES_MAX];
        struct arena *a = &report->arena;
        struct diag_component c = {
                .name = k ? k->name : w->name,
                .health = v.health,
                .code = v.code,
                .text = diag_unit_text(a, w->facts, x, v),
                .output = "",
                .expect = x->expect,
                .since_wall_usec = w->facts->state_change_wall_usec,
                .unit = w->facts,
                .n_restarts_recent = diag_restarts_recent(x->restarts, x->now_mono_usec),
                .last_run_ended_mono_usec = x->last_run ? x->last_run->ended_mono_usec : 0,
                .probes = probes,
                .n_probes = k ? k->n_probes : 0,
        };

        if (k)
                read_probes(r, k, v.code, probes);
        if (v.code == DIAG_CODE_ABSENT)
                return 0;
        name_component(&c, a, k, w->facts->description);
        c.n_notes = diag_unit_notes(a, w->facts, x, c.notes);
        diag_component_weigh(&c, a);
        add_tail(r, &c, w->facts);
        return diag_report_add(report, &c);
}

static int add_probes_alone(struct reporter *r, struct diag_report *report,
                            const struct agent_component *k)
{
        struct diag_probe probes[DIAG_PROBES_MAX];
        struct diag_component c = {
                .name = k->name,
                .kind = DIAG_COMPONENT_PROBES,
                .health = DIAG_HEALTHY,
                .code = DIAG_CODE_OK,
                .text = "",
                .output = "",
                .probes = probes,
                .n_probes = k->n_probes,
        };

        read_probes(r, k, DIAG_CODE_OK, probes);
        name_component(&c, &report->arena, k, NULL);
        diag_component_weigh(&c, &report->arena);
        return diag_report_add(report, &c);
}

static void sooner(uint64_t *when, uint64_t other)
{
        if (other < *when)
                *when = other;
}

static int add_components(struct reporter *r, struct diag_report *report, uint64_t *again_mono_usec)
{
        const struct agent_conf *conf = r->parts.conf;
        uint64_t now = now_mono_usec();
        size_t n = unit_watch_n_components(r->parts.watch);

        for (size_t i = 0; i < n; i++) {
                struct unit_watch_component w;
                int k;

                unit_watch_component(r->parts.watch, i, now, &w);
                k = add_unit(r, report, &w);
                if (k < 0)
                        return k;
                sooner(again_mono_usec, diag_unit_judge_again_at(w.facts, &w.context));
        }
        for (size_t i = 0; i < conf->n_components; i++) {
                int k = conf->components[i].unit
                                ? 0
                                : add_probes_alone(r, report, &conf->components[i]);

                if (k < 0)
                        return k;
        }
        sooner(again_mono_usec, prober_late_at(r->parts.prober));
        journal_tail_trim(r->parts.tails);
        return 0;
}

/* --- the node itself ---------------------------------------------------------------------------------------- */

static void add_node_reason(struct reporter *r, struct diag_report *report)
{
        const char *problem = unit_watch_problem(r->parts.watch);
        const char *target = unit_watch_target(r->parts.watch);

        if (!unit_watch_is_settled(r->parts.watch))
                diag_report_set_reason(report, DIAG_UNKNOWN, DIAG_CODE_NO_FACTS,
                                       "systemd has not been asked yet");
        else if (*problem)
                diag_report_set_reason(report, DIAG_UNKNOWN, DIAG_CODE_NO_FACTS, problem);
        else if (!report->n_components)
                diag_report_set_reason(report, DIAG_UNKNOWN, DIAG_CODE_NO_COMPONENTS,
                                       *target ? arena_printf(&report->arena,
                                                              "%s pulls in nothing to watch",
                                                              target)
                                               : "no unit is selected");
        else if (streq(report->system.state, "maintenance"))
                diag_report_set_reason(report, DIAG_UNHEALTHY, DIAG_CODE_SYSTEM_MAINTENANCE,
                                       "the machine is in rescue or emergency mode");
}

/* --- changes --------------------------------------------------------------------------------------------------- */

struct changes {
        struct reporter *r;
        const struct diag_report *before, *now;
        uint64_t now_mono_usec, now_wall_usec;
        uint64_t wake_mono_usec; /* the earliest moment at which one of them may wake somebody */
};

static void log_change(const struct diag_component *before, const struct diag_component *now)
{
        const char *from = before ? diag_health_to_string(before->health) : "new";
        const char *to = diag_health_to_string(now->health);
        const char *code = diag_code_to_string(now->code);
        const struct log_field fields[] = {
                {"DIAG_COMPONENT", now->name},
                {"DIAG_FROM",      from     },
                {"DIAG_TO",        to       },
                {"DIAG_CODE",      code     },
                {"DIAG_TEXT",      now->text},
                {NULL,             NULL     },
        };
        char text[512];

        (void)snprintf(text, sizeof(text), "%s: %s → %s%s%s%s", now->name, from, to,
                       *code ? " (" : "", code, *code ? ")" : "");
        if (*now->text) {
                size_t n = strlen(text);

                (void)snprintf(text + n, sizeof(text) - n, ": %s", now->text);
        }
        log_record(LEVEL_NOTICE, MESSAGE_ID_HEALTH, fields, text);
}

/* A start finds everything new: that is one line, not a hundred; what is bad is still said. */
static bool is_worth_a_line(const struct changes *x, const struct diag_component *before,
                            const struct diag_component *now)
{
        if (!now || x->now->phase == DIAG_PHASE_STARTING)
                return false;
        /* What befalls all of them at once is said once, of the node. */
        if (now->code == DIAG_CODE_NO_FACTS && *unit_watch_problem(x->r->parts.watch))
                return false;
        if (x->before->phase == DIAG_PHASE_STARTING)
                return now->health != DIAG_HEALTHY;
        if (before && before->code == DIAG_CODE_NO_FACTS && now->health == DIAG_HEALTHY)
                return false;
        return !before || before->health != now->health || before->code != now->code;
}

static void on_change(const struct diag_change *change, void *userdata)
{
        struct changes *x = userdata;
        const struct diag_component *c = change->now ? change->now : change->before;
        uint64_t wake = x->now_mono_usec;

        if (c)
                wake = wake_damper_note(x->r->damper, c->name, x->now_mono_usec);
        if (wake < x->wake_mono_usec)
                x->wake_mono_usec = wake;
        if (is_worth_a_line(x, change->before, change->now))
                log_change(x->before->phase == DIAG_PHASE_STARTING ? NULL : change->before,
                           change->now);
        else if (change->before && !change->now)
                log_info("%s is no component any more", change->before->name);
}

static void log_node(const struct diag_report *before, const struct diag_report *now)
{
        if (now->phase == DIAG_PHASE_STARTING ||
            (before->phase == now->phase && before->health == now->health))
                return;
        log_notice("this node is %s: %u healthy, %u unhealthy, %u unknown%s%s",
                   diag_health_to_string(now->health), now->counts.n[DIAG_HEALTHY],
                   now->counts.n[DIAG_UNHEALTHY], now->counts.n[DIAG_UNKNOWN],
                   *now->node_text ? "; " : "", now->node_text);
}

static void wake(struct reporter *r, const struct changes *x)
{
        if (x->wake_mono_usec == USEC_INFINITY)
                return;
        if (x->wake_mono_usec <= x->now_mono_usec) {
                feed_wake(r->parts.feed, feed_current(r->parts.feed)->seq);
                loop_timer_stop(r->wake_later);
                return;
        }
        if (!loop_timer_is_set(r->wake_later) || x->wake_mono_usec < r->wake_mono_usec) {
                r->wake_mono_usec = x->wake_mono_usec;
                loop_timer_set(r->wake_later, r->wake_mono_usec, 20 * USEC_PER_MSEC);
        }
}

/* --- publishing --------------------------------------------------------------------------------------------------- */

/* Who has once said "running" does not start again. */
static enum diag_phase phase_now(struct reporter *r, const struct diag_report *before,
                                 uint64_t *again_mono_usec)
{
        uint64_t patience = r->started_mono_usec + FIRST_RESULTS_USEC;

        if (r->stopping)
                return DIAG_PHASE_STOPPING;
        if (before->phase != DIAG_PHASE_STARTING)
                return before->phase;
        if (!unit_watch_is_settled(r->parts.watch))
                return DIAG_PHASE_STARTING;
        if (prober_is_settled(r->parts.prober) || now_mono_usec() >= patience)
                return DIAG_PHASE_RUNNING;
        sooner(again_mono_usec, patience);
        return DIAG_PHASE_STARTING;
}

static int make(struct reporter *r, struct diag_report **ret, uint64_t *again_mono_usec)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        const struct diag_report *before = feed_current(r->parts.feed);
        int k;

        k = diag_report_new(&report, identity_node(r->parts.identity),
                            unit_watch_system(r->parts.watch), unit_watch_target(r->parts.watch));
        if (k < 0)
                return k;
        report->instance = before->instance;
        report->truncated = unit_watch_is_truncated(r->parts.watch);
        k = add_components(r, report, again_mono_usec);
        if (k < 0)
                return k;
        /* Now it is known, too, which probes have to be waited for. */
        report->phase = phase_now(r, before, again_mono_usec);
        add_node_reason(r, report);
        diag_report_set_maintenance(report, maintenance_current(r->parts.maintenance));
        r->n_results = prober_n_results(r->parts.prober);
        *ret = TAKE_PTR(report);
        return 0;
}

static int update(struct reporter *r)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL, *before = NULL;
        struct changes x = {
                .r = r,
                .now_mono_usec = now_mono_usec(),
                .now_wall_usec = now_wall_usec(),
                .wake_mono_usec = USEC_INFINITY,
        };
        uint64_t again = USEC_INFINITY;
        int k;

        before = diag_report_ref((struct diag_report *)feed_current(r->parts.feed));
        x.before = before;
        k = make(r, &report, &again);
        x.now = report;
        if (k >= 0)
                k = diag_report_seal(report, before, x.now_wall_usec, on_change, &x);
        if (k < 0)
                return k;
        log_node(before, report);
        feed_publish(r->parts.feed, TAKE_PTR(report));
        wake(r, &x);
        if (again == USEC_INFINITY)
                loop_timer_stop(r->judge_again);
        else
                loop_timer_set(r->judge_again, again, 100 * USEC_PER_MSEC);
        return 0;
}

void reporter_update(struct reporter *r)
{
        int k;

        if (!unit_watch_is_steady(r->parts.watch) && !*unit_watch_problem(r->parts.watch))
                return;
        k = update(r);
        if (k < 0 && !r->behind)
                log_error("cannot make a report: %s", strerror(-k));
        r->behind = k < 0;
        /* The old report stays, and nobody confirms it any more. */
        if (k < 0)
                loop_timer_set(r->judge_again, now_mono_usec() + BEHIND_USEC, 0);
}

bool reporter_is_behind(const struct reporter *r)
{
        return r->behind;
}

void reporter_tick(struct reporter *r)
{
        if (prober_n_results(r->parts.prober) != r->n_results)
                reporter_update(r);
}

void reporter_say_stopping(struct reporter *r)
{
        r->stopping = true;
        if (update(r) < 0)
                log_warning("cannot say that the machine is going down");
}
