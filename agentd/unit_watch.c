/*
 * When to look, at what.
 *
 * A look goes through steps; each asks its questions at once and ends when all are answered (idle):
 *
 *     FIND   the target's dependencies and links, target by target   ┐ only when looking at all
 *     MATCH  what Unit= globs match                                  ┘
 *     LIST   one row for each dirty unit
 *     READ   properties of those that need more; what they need in turn is listed next
 *     REST   judged; then, unhurried and one unit at a time, what only views show (LATER)
 *
 * One look at a time. Signals go on marking units dirty meanwhile, for the next one. What is to be read
 * of a unit, and what of that can wait, is unit_needs.
 */

#include <errno.h>
#include <stdio.h>

#include "agentd/unit_find.h"
#include "agentd/unit_later.h"
#include "agentd/unit_needs.h"
#include "agentd/unit_watch.h"
#include "base/log.h"
#include "base/mono.h"
#include "model/unit_name.h"

#define SETTLE_USEC       (50 * USEC_PER_MSEC)
#define SETTLE_SLACK_USEC USEC_PER_MSEC
#define DOWN_GRACE_USEC \
        (3 * USEC_PER_SEC) /* PID 1 leaves the bus for a moment to execute itself anew */
#define SILENCE_MAX_USEC \
        (40 * USEC_PER_SEC) /* a tick earlier than the 45 s after which readers refuse */
#define UNTOLD_MAX_USEC    (250 * USEC_PER_MSEC)
#define PING_USEC          (TICKS_PER_PING * UNIT_WATCH_TICK_USEC)
#define SILENCE_ASKED_USEC (SILENCE_MAX_USEC - PING_USEC)
#define RECONNECT_USEC     (30 * USEC_PER_SEC)
#define GLOB_LOOK_USEC     (5 * USEC_PER_SEC)
#define TICKS_PER_PING     3u
#define TICKS_PER_LOOK     12u
#define ROUNDS_MAX         8u

enum step { REST, FIND, MATCH, LIST, READ, LATER };

/* A list call that is out, or still to go. */
struct range {
        size_t from, n;
};

struct unit_watch {
        struct unit_bus *bus;
        struct unit_set set;
        struct last_runs *last_runs;
        struct unit_watch_options options;
        const struct unit_watch_ops *ops;
        void *userdata;

        enum step step;
        bool look_at_all; /* at the next opportunity */
        bool failed;      /* a question of the look under way was not answered */
        bool complete;    /* a look has succeeded since start */
        bool doubtful;    /* a look failed, or the bus was away: what we know may be half old */
        unsigned rounds, n_ticks;
        struct loop_timer *settle;
        uint64_t next_glob_look_mono_usec;
        bool glob_look_due; /* one was put off */

        struct unit_later *later;
        bool doubt_due; /* at the end of the look that is due, or under way */

        struct unit_find find;

        const char **asked; /* ids of the list call; borrowed from the set */
        size_t n_asked;
        struct range ranges[64];
        size_t n_ranges;

        const char *down_why; /* NULL while systemd can be asked; else static, or the text below */
        char why[160];
        struct loop_timer *down_grace;
        uint64_t asked_boot_usec; /* the oldest ping without an answer; 0: none */
        uint64_t answered_boot_usec, reconnect_boot_usec;
        uint64_t told_mono_usec;   /* changed() was called */
        struct diag_system system; /* borrowed from unit_bus, but for the state */
        char system_state[32];
        bool system_changed;
};

static void next_step(struct unit_watch *w);
static void on_answered(void *userdata);

static bool same(const char *a, const char *b)
{
        return streq(str_or(a, ""), str_or(b, ""));
}

static void look_soon(struct unit_watch *w)
{
        if (w->step != REST && w->step != LATER)
                return; /* next_step() comes back to it */
        if (!loop_timer_is_set(w->settle))
                loop_timer_set(w->settle, now_mono_usec() + SETTLE_USEC, SETTLE_SLACK_USEC);
}

static void look_at_all_soon(struct unit_watch *w)
{
        w->look_at_all = true;
        look_soon(w);
}

/* --- finding components ------------------------------------------------------------------------------ */

static void on_target(const struct unit_target *t, void *userdata)
{
        struct unit_watch *w = userdata;

        if (w->step == FIND)
                unit_find_take_target(&w->find, t);
}

static void on_unit_path(const char *const *dirs, size_t n, void *userdata)
{
        unit_find_take_unit_path(&((struct unit_watch *)userdata)->find, dirs, n);
}

static void begin_find(struct unit_watch *w)
{
        w->look_at_all = w->glob_look_due = false;
        w->failed = false;
        w->rounds = 0;
        w->step = FIND;
        unit_find_begin(&w->find);
        unit_bus_read_manager(w->bus);
}

static bool begin_match(struct unit_watch *w)
{
        w->step = MATCH;
        return unit_find_match(&w->find);
}

/* Nothing was known of new ones; of the others a row will show whether a signal was missed. */
static void end_match(struct unit_watch *w)
{
        w->failed |= w->find.failed;
        if (!w->failed && unit_find_adopt(&w->find, &w->set) < 0)
                w->failed = true;
        for (size_t i = 0; i < w->set.n_records; i++) {
                struct unit_record *r = w->set.records[i];

                r->dirty = true;
                r->read_state |= r->known && r->unreadable;
        }
}

/* --- rows --------------------------------------------------------------------------------------------- */

static int take_row(struct unit_record *r, const struct unit_row *row)
{
        struct diag_unit *u = &r->facts;

        /* The signals should have told us of every other state. Where they did not, we missed one. */
        if (!same(u->active_state, row->active_state) || !same(u->sub_state, row->sub_state) ||
            !same(u->load_state, row->load_state))
                r->read_state = true;
        if (!same(u->load_state, row->load_state))
                r->fixed_known = false; /* there is another file now, or one at all */
        r->got_row = r->has_row = true;
        r->resolving = r->refused = false;
        if (unit_facts_set(&u->description, row->description) < 0 ||
            unit_facts_set(&u->load_state, row->load_state) < 0 ||
            unit_facts_set(&u->active_state, row->active_state) < 0 ||
            unit_facts_set(&u->sub_state, row->sub_state) < 0 ||
            unit_facts_set(&u->job, row->job) < 0)
                return -ENOMEM;
        return 0;
}

static void on_row(const struct unit_row *row, void *userdata)
{
        struct unit_watch *w = userdata;
        struct unit_record *r;

        if (w->step == MATCH) {
                unit_find_take_match(&w->find, row);
                return;
        }
        r = unit_set_find(&w->set, row->id);
        if (r && take_row(r, row) < 0)
                w->failed = true;
}

static void list_next_range(struct unit_watch *w)
{
        const struct range *r = &w->ranges[w->n_ranges - 1];

        unit_bus_list(w->bus, w->asked + r->from, r->n);
}

/* One name that systemd does not take costs the whole reply: ask for each half, down to the culprit. */
static void split_range(struct unit_watch *w)
{
        struct range r = w->ranges[--w->n_ranges];
        struct unit_record *culprit;

        if (r.n > 1 && w->n_ranges + 2 <= ELEMENTSOF(w->ranges)) {
                w->ranges[w->n_ranges++] = (struct range){r.from + r.n / 2, r.n - r.n / 2};
                w->ranges[w->n_ranges++] = (struct range){r.from, r.n / 2};
                return;
        }
        culprit = unit_set_find(&w->set, w->asked[r.from]);
        if (culprit) {
                culprit->refused = true;
        }
}

static void forget_missing_rows(struct unit_watch *w)
{
        for (size_t i = 0; i < w->set.n_records; i++) {
                struct unit_record *r = w->set.records[i];

                if (r->asked && !r->got_row)
                        r->has_row = false;
        }
}

static void on_listed(int error, void *userdata)
{
        struct unit_watch *w = userdata;

        if (w->step == MATCH || !w->n_ranges) {
                w->failed |= error < 0;
                return;
        }
        if (error == -EINVAL)
                split_range(w);
        else {
                w->n_ranges--;
                w->failed |= error < 0;
        }
        if (w->n_ranges)
                list_next_range(w);
        else if (!w->failed)
                forget_missing_rows(w);
}

static bool begin_list(struct unit_watch *w)
{
        w->step = LIST;
        w->n_asked = 0;
        free(w->asked);
        w->asked = calloc(w->set.n_records + 1, sizeof(*w->asked));
        if (!w->asked) {
                w->failed = true;
                return false;
        }
        for (size_t i = 0; i < w->set.n_records; i++) {
                struct unit_record *r = w->set.records[i];

                if (!r->dirty)
                        continue;
                r->dirty = false;
                r->asked = true;
                r->got_row = false;
                w->asked[w->n_asked++] = r->facts.id;
        }
        if (!w->n_asked)
                return false;
        w->ranges[0] = (struct range){0, w->n_asked};
        w->n_ranges = 1;
        list_next_range(w);
        return true;
}

static void on_resolved(const char *alias, const char *id, void *userdata)
{
        struct unit_watch *w = userdata;

        if (!streq(alias, id))
                unit_set_unite(&w->set, alias, id);
}

/* --- properties ----------------------------------------------------------------------------------------- */

static void read_details(struct unit_watch *w, struct unit_record *r, unsigned details)
{
        unit_bus_read(w->bus, r->facts.id, details);
        unit_needs_asked(r, details);
}

static bool read_what_is_needed(struct unit_watch *w, struct unit_record *r)
{
        unsigned details;

        if (!r->has_row) {
                if (r->resolving || r->refused)
                        return false;
                r->resolving = true;
                unit_bus_resolve(w->bus, r->facts.id);
                return true;
        }
        details = unit_needs_now(r);
        if (details)
                read_details(w, r, details);
        return details != 0;
}

static void on_requirements(const struct unit_requirements *q, void *userdata)
{
        struct unit_watch *w = userdata;
        struct unit_record *r = unit_set_find(&w->set, q->id);

        if (r && unit_record_set_requirements(r, q->units, q->n_units) < 0)
                w->failed = true;
}

static bool begin_read(struct unit_watch *w)
{
        bool asked = false;

        w->step = READ;
        for (size_t i = 0; i < w->set.n_records; i++)
                if (w->set.records[i]->asked)
                        asked |= read_what_is_needed(w, w->set.records[i]);
        return asked;
}

static bool anything_dirty(const struct unit_watch *w)
{
        for (size_t i = 0; i < w->set.n_records; i++)
                if (w->set.records[i]->dirty)
                        return true;
        return false;
}

/* --- what can wait ---------------------------------------------------------------------------------------- */

static void on_ask_later(struct unit_record *r, unsigned details, void *userdata)
{
        unit_bus_read(((struct unit_watch *)userdata)->bus, r->facts.id, details);
}

static void go_on_later(struct unit_watch *w)
{
        enum unit_later_step step = unit_later_go_on(w->later);

        w->step = step == UNIT_LATER_ASKED ? LATER : REST;
        if (step == UNIT_LATER_DONE)
                w->ops->changed(w->userdata);
}

static void on_resume_later(void *userdata)
{
        struct unit_watch *w = userdata;

        if (w->step == REST && unit_bus_is_up(w->bus) && !loop_timer_is_set(w->settle))
                go_on_later(w);
}

static const struct unit_later_ops later_ops = {.ask = on_ask_later, .resume = on_resume_later};

/* Nothing is known any more: say so, and by which names. @why stays as it is while it holds. */
static void say_unreachable(struct unit_watch *w, const char *why)
{
        w->down_why = why;
        if (!w->complete) {
                unit_find_links_only(&w->find);
                (void)unit_find_adopt(&w->find, &w->set);
        }
        w->ops->changed(w->userdata);
}

/* An answer did not come: ask again after the next look. */
static void forget_later(struct unit_watch *w)
{
        w->failed = false;
        w->step = REST;
        for (size_t i = 0; i < w->set.n_records; i++) {
                struct unit_record *r = w->set.records[i];

                r->reread = r->fixed_old = true;
                r->file_state_known = false;
        }
}

/* --- the steps -------------------------------------------------------------------------------------------- */

static void note_records(struct unit_watch *w)
{
        uint64_t now = now_mono_usec();

        for (size_t i = 0; i < w->set.n_records; i++) {
                struct unit_record *r = w->set.records[i];

                if (!r->asked)
                        continue;
                r->asked = false;
                if (!r->known)
                        continue;
                diag_restarts_note(&r->restarts, &r->facts, now);
                if (last_runs_note(w->last_runs, r->facts.id, &r->facts) < 0)
                        w->failed = true;
        }
}

static void forget_records(struct unit_watch *w)
{
        for (size_t i = 0; i < w->set.n_records; i++)
                unit_record_forget(w->set.records[i]);
}

static void look_failed(struct unit_watch *w)
{
        forget_records(w); /* nobody knows which of their facts are missing */
        w->set.failed = false;
        w->doubtful = true;
        w->look_at_all = true; /* at the next tick: whoever does not answer is not pressed */
        if (!w->complete)
                say_unreachable(w, "systemd does not answer");
}

/*
 * In a storm there is always a next look due already. It is put off until this one has been told of at
 * least every now and then, else readers would be shown the time before the storm.
 */
static void look_succeeded(struct unit_watch *w)
{
        bool again = w->look_at_all || anything_dirty(w);
        uint64_t now = now_mono_usec();

        unit_set_sweep(&w->set);
        w->complete = true;
        w->doubtful = false;
        w->down_why = NULL;
        on_answered(w); /* first, or whoever reads in between finds a report unconfirmed */
        if (!again || usec_since(now, w->told_mono_usec) >= UNTOLD_MAX_USEC) {
                w->told_mono_usec = now;
                w->ops->changed(w->userdata);
        }
        if (w->doubt_due)
                unit_later_doubt(w->later);
        w->doubt_due = false;
        if (again)
                look_soon(w);
        else
                go_on_later(w);
}

static void end_look(struct unit_watch *w)
{
        w->step = REST;
        w->failed |= w->set.failed;
        if (w->failed) {
                look_failed(w);
                return;
        }
        note_records(w);
        if (w->failed)
                look_failed(w);
        else
                look_succeeded(w);
}

/* Lists and reads until nothing new turns up; bounded, because aliases could go in circles. */
static bool list_or_read(struct unit_watch *w)
{
        if (w->failed)
                return false;
        if (w->step == READ || w->step == LIST) {
                if (begin_read(w))
                        return true;
                unit_set_need_related(&w->set);
                if (++w->rounds >= ROUNDS_MAX || !anything_dirty(w))
                        return false;
        }
        return begin_list(w);
}

static void next_step(struct unit_watch *w)
{
        switch (w->step) {
        case REST:
                return;
        case LATER:
                if (w->failed)
                        forget_later(w);
                else if (!loop_timer_is_set(w->settle))
                        go_on_later(w);
                return;
        case FIND:
                if (!w->failed && begin_match(w))
                        return;
                end_match(w);
                break;
        case MATCH:
                end_match(w);
                break;
        default:
                break;
        }
        if (!list_or_read(w))
                end_look(w);
}

static void on_idle(void *userdata)
{
        struct unit_watch *w = userdata;

        if (w->step == REST && w->system_changed) {
                w->system_changed = false;
                w->ops->changed(w->userdata);
        }
        next_step(w);
}

static void end_list_of_nothing(struct unit_watch *w)
{
        w->step = REST;
        if (w->failed)
                look_failed(w);
}

static void on_settled(void *userdata)
{
        struct unit_watch *w = userdata;

        if (!unit_bus_is_up(w->bus))
                return;
        if (w->look_at_all) {
                begin_find(w);
                return;
        }
        w->failed = false;
        w->rounds = 0;
        if (!begin_list(w))
                end_list_of_nothing(w);
}

/* --- what the bus tells -------------------------------------------------------------------------------------- */

static void on_up(void *userdata)
{
        struct unit_watch *w = userdata;

        loop_timer_stop(w->down_grace);
        forget_records(w);
        /* Restarts that we did not see would all seem to happen now: begin as at the start. */
        for (size_t i = 0; i < w->set.n_records; i++)
                w->set.records[i]->restarts = (struct diag_restarts){0};
        loop_timer_stop(w->settle);
        w->asked_boot_usec = 0;
        begin_find(w);
}

static void on_down_long(void *userdata)
{
        struct unit_watch *w = userdata;

        say_unreachable(w, w->why);
}

static void on_down(const char *why, void *userdata)
{
        struct unit_watch *w = userdata;

        (void)snprintf(w->why, sizeof(w->why), "%s", why);
        w->step = REST;
        w->look_at_all = false;
        w->doubtful = true;
        w->n_ranges = 0;
        unit_later_stop(w->later);
        loop_timer_stop(w->settle);
        for (size_t i = 0; i < w->set.n_records; i++)
                w->set.records[i]->asked = false;
        if (!w->complete)
                say_unreachable(w, w->why);
        else if (!w->down_why && !loop_timer_is_set(w->down_grace))
                loop_timer_set(w->down_grace, now_mono_usec() + DOWN_GRACE_USEC, 0);
}

static void on_answered(void *userdata)
{
        struct unit_watch *w = userdata;

        if (w->down_why && !w->look_at_all && (w->step == REST || w->step == LATER))
                look_at_all_soon(w);
        if (w->doubtful)
                return; /* it lives, but what is published is from before */
        w->asked_boot_usec = 0;
        w->answered_boot_usec = now_boot_usec();
        w->ops->answered(w->userdata);
}

static void on_unreadable(const char *id, void *userdata)
{
        struct unit_watch *w = userdata;
        struct unit_record *r = unit_set_find(&w->set, id);

        if (r)
                r->unreadable = true;
}

static void on_unanswered(void *userdata)
{
        ((struct unit_watch *)userdata)->failed = true;
}

/* The look under way, if any, may have passed it already. */
static void on_missed(void *userdata)
{
        struct unit_watch *w = userdata;

        w->failed = w->doubtful = true;
        forget_records(w);
        look_at_all_soon(w);
}

/*
 * A timer, socket or path unit starts the service of its name, as a rule. While it does nothing systemd may
 * unload it; the service, asked about alone, then says that nothing triggers it, and nothing but the
 * signals of what does tells that this has changed.
 */
static void doubt_triggered(struct unit_watch *w, const char *id)
{
        char service[UNIT_NAME_MAX + 1];
        struct unit_record *r;
        const char *dot = strrchr(id, '.');

        if (!unit_name_has_type(id, "timer") && !unit_name_has_type(id, "socket") &&
            !unit_name_has_type(id, "path"))
                return;
        if (snprintf(service, sizeof(service), "%.*s.service", (int)(dot - id), id) >=
            (int)sizeof(service))
                return;
        r = unit_set_find(&w->set, service);
        if (!r || unit_record_is_plain(r))
                return;
        r->fixed_old = r->dirty = true;
        look_soon(w);
}

/* A unit that is new shows itself by its own signals: UnitNew comes for anybody who merely asks. */
static void on_stranger(const char *id, void *userdata)
{
        struct unit_watch *w = userdata;
        uint64_t now = now_mono_usec();

        doubt_triggered(w, id);
        if (w->glob_look_due || !unit_find_matches_glob(&w->find, id))
                return;
        if (now < w->next_glob_look_mono_usec) {
                w->glob_look_due = true; /* the next tick does it */
                return;
        }
        w->next_glob_look_mono_usec = now + GLOB_LOOK_USEC;
        look_at_all_soon(w);
}

static struct diag_unit *on_facts(const char *id, void *userdata)
{
        struct unit_watch *w = userdata;
        struct unit_record *r = unit_set_find(&w->set, id);

        return r ? &r->facts : NULL;
}

static void on_changed(const char *id, void *userdata)
{
        struct unit_watch *w = userdata;
        struct unit_record *r = unit_set_find(&w->set, id);

        if (!r)
                return;
        /* Now, not after the pause: systemd may have forgotten the unit by then. */
        if (last_runs_note(w->last_runs, id, &r->facts) < 0)
                on_missed(w);
        if (r->restarts.seen) /* the first look at it needs all facts, not those of one signal */
                diag_restarts_note(&r->restarts, &r->facts, now_mono_usec());
        doubt_triggered(w, id);
        r->dirty = true;
        look_soon(w);
}

static void on_reloaded(void *userdata)
{
        struct unit_watch *w = userdata;

        for (size_t i = 0; i < w->set.n_records; i++)
                unit_record_reloaded(w->set.records[i]);
        look_at_all_soon(w);
}

static void on_manager(const struct diag_system *system, void *userdata)
{
        struct unit_watch *w = userdata;

        if (!same(w->system.state, system->state) ||
            w->system.n_failed_units != system->n_failed_units ||
            w->system.n_jobs != system->n_jobs)
                w->system_changed = true;
        (void)snprintf(w->system_state, sizeof(w->system_state), "%s", str_or(system->state, ""));
        w->system = *system;
        w->system.state = w->system_state;
}

static const struct unit_bus_ops bus_ops = {
        .up = on_up,
        .down = on_down,
        .answered = on_answered,
        .unanswered = on_unanswered,
        .missed = on_missed,
        .unreadable = on_unreadable,
        .stranger = on_stranger,
        .facts = on_facts,
        .changed = on_changed,
        .reloaded = on_reloaded,
        .row = on_row,
        .listed = on_listed,
        .target = on_target,
        .requirements = on_requirements,
        .resolved = on_resolved,
        .manager = on_manager,
        .unit_path = on_unit_path,
        .idle = on_idle,
};

/* --- life ------------------------------------------------------------------------------------------------------ */

int unit_watch_new(struct unit_watch **ret, struct loop *l,
                   const struct unit_watch_options *options, struct last_runs *last_runs,
                   const struct unit_watch_ops *ops, void *userdata)
{
        _cleanup_(unit_watch_freep) struct unit_watch *w = calloc(1, sizeof(*w));
        int k;

        if (!w)
                return -ENOMEM;
        w->options = *options;
        w->find.options = &w->options;
        w->doubtful = true;
        w->last_runs = last_runs;
        w->ops = ops;
        w->userdata = userdata;
        k = loop_timer_new(&w->settle, l, on_settled, w);
        if (k >= 0)
                k = loop_timer_new(&w->down_grace, l, on_down_long, w);
        if (k >= 0)
                k = unit_later_new(&w->later, l, &w->set, &later_ops, w);
        if (k >= 0)
                k = unit_bus_new(&w->bus, l, options->bus_address, &bus_ops, w);
        if (k < 0)
                return k;
        w->find.bus = w->bus;
        *ret = TAKE_PTR(w);
        return 0;
}

/* A look that is under way may end with some of the old names; the one that follows has only new ones. */
void unit_watch_reconfigure(struct unit_watch *w, const struct unit_watch_options *options)
{
        w->options = *options;
        look_at_all_soon(w);
}

struct unit_watch *unit_watch_free(struct unit_watch *w)
{
        if (!w)
                return NULL;
        unit_bus_free(w->bus);
        loop_timer_free(w->settle);
        loop_timer_free(w->down_grace);
        unit_later_free(w->later);
        unit_find_done(&w->find);
        unit_set_done(&w->set);
        free(w->asked);
        free(w);
        return NULL;
}

/* From now on silence counts. */
static void note_asked(struct unit_watch *w)
{
        if (unit_bus_is_up(w->bus) && !w->asked_boot_usec)
                w->asked_boot_usec = now_boot_usec();
}

static void ping(struct unit_watch *w)
{
        note_asked(w);
        unit_bus_read_manager(w->bus);
}

/*
 * The connection stands, and systemd says nothing: say "unknown", and try a new connection now and then.
 * A question must have been open for long, too: after a suspend, or when we ourselves were stopped, the
 * last answer is old and nobody is to blame.
 */
static void check_silence(struct unit_watch *w)
{
        uint64_t now = now_boot_usec();

        if (!w->complete || !unit_bus_is_up(w->bus) || !w->asked_boot_usec ||
            usec_since(now, w->asked_boot_usec) < SILENCE_ASKED_USEC ||
            usec_since(now, w->answered_boot_usec) < SILENCE_MAX_USEC)
                return;
        if (!w->down_why) {
                w->reconnect_boot_usec = now;
                say_unreachable(w, "systemd does not answer");
        } else if (usec_since(now, w->reconnect_boot_usec) > RECONNECT_USEC) {
                w->reconnect_boot_usec = now;
                unit_bus_reconnect(w->bus, "systemd does not answer");
        }
}

static bool is_stuck(const struct unit_watch *w)
{
        return w->step != REST && w->step != LATER && unit_bus_is_idle(w->bus);
}

void unit_watch_tick(struct unit_watch *w)
{
        bool overdue = usec_since(now_boot_usec(), w->answered_boot_usec) > PING_USEC;

        w->n_ticks++;
        if (is_stuck(w)) { /* not even a question could be sent */
                w->step = REST;
                look_failed(w);
        }
        check_silence(w);
        w->doubt_due |= w->n_ticks % TICKS_PER_LOOK == 0;
        if (w->doubt_due || w->look_at_all || w->glob_look_due) {
                note_asked(w); /* a look asks what ping() asks, and more */
                look_at_all_soon(w);
        } else if (w->n_ticks % TICKS_PER_PING == 0 || (overdue && !w->asked_boot_usec))
                ping(w);
}

bool unit_watch_is_settled(const struct unit_watch *w)
{
        return w->complete || w->down_why;
}

bool unit_watch_is_steady(const struct unit_watch *w)
{
        return (w->step == REST || w->step == LATER) && !loop_timer_is_set(w->settle) &&
               !w->doubtful;
}

const char *unit_watch_problem(const struct unit_watch *w)
{
        return str_or(w->down_why, "");
}

const char *unit_watch_target(const struct unit_watch *w)
{
        return unit_find_target(&w->find);
}

const struct diag_system *unit_watch_system(const struct unit_watch *w)
{
        return &w->system;
}

bool unit_watch_ask_stopping(struct unit_watch *w, uint64_t timeout_usec)
{
        return unit_bus_ask_stopping(w->bus, timeout_usec);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool is_up(const struct unit_set *s, const char *id)
{
        const struct unit_record *r = unit_set_find(s, id);

        return r && r->has_row &&
               (same(r->facts.active_state, "active") || same(r->facts.active_state, "reloading") ||
                same(r->facts.active_state, "refreshing"));
}

static bool is_armed(const struct unit_set *s, const struct diag_unit *u)
{
        for (size_t i = 0; i < u->n_triggered_by; i++)
                if (is_up(s, u->triggered_by[i]))
                        return true;
        return false;
}

static const char *failed_requirement(const struct unit_set *s, const struct unit_record *r)
{
        for (size_t i = 0; i < r->requirements.n; i++) {
                const struct unit_record *q = unit_set_find(s, r->requirements.items[i]);

                if (q && q->has_row && same(q->facts.active_state, "failed"))
                        return q->facts.id;
        }
        return "";
}

static const char *why_no_facts(const struct unit_watch *w, const struct unit_record *r)
{
        if (w->down_why)
                return w->down_why;
        if (r->refused)
                return "systemd does not take this name";
        if (r->unreadable)
                return "systemd does not tell its properties";
        return r->has_row ? "" : "systemd does not list a unit of this name";
}

size_t unit_watch_n_components(const struct unit_watch *w)
{
        return w->set.n_components;
}

bool unit_watch_is_truncated(const struct unit_watch *w)
{
        return w->find.choices.truncated;
}

void unit_watch_component(const struct unit_watch *w, size_t i, uint64_t now_mono_usec,
                          struct unit_watch_component *ret)
{
        const struct unit_component *c = &w->set.components[i];
        const struct unit_record *r = c->record;

        *ret = (struct unit_watch_component){
                .name = c->name,
                .facts = &r->facts,
                .context =
                        {
                                  .no_facts = why_no_facts(w, r),
                                  .expect = c->expect,
                                  .restarts = &r->restarts,
                                  .last_run = last_runs_find(w->last_runs, r->facts.id),
                                  .armed = is_armed(&w->set, &r->facts),
                                  .failed_dependency = failed_requirement(&w->set, r),
                                  .now_mono_usec = now_mono_usec,
                                  .stuck_after_usec = w->options.stuck_after_usec,
                                  .stuck_after_oneshot_usec = w->options.stuck_after_oneshot_usec,
                                  .starting_is_healthy = w->options.starting_is_healthy,
                                  },
        };
}
