/*
 * One timer for everything: what is due, what has become late, what must be written. Each probe has
 * its own beat, by a hash of name and settings, so that many probes are an even load and stay one over restarts.
 *
 * A probe is idle, waits for one of the places, or runs. Runs begin in on_timer() only, and the end of
 * one never begins another: the kind that ended is still on the stack.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/fs.h"
#include "base/redact.h"
#include "probes/damping.h"
#include "probes/prober.h"
#include "probes/state_file.h"

#define SLACK_USEC      (100 * USEC_PER_MSEC) /* so that wake-ups are shared */
#define FIRST_RUNS_USEC USEC_PER_SEC
#define SAVE_USEC       USEC_PER_SEC
#define LATE_TEXT_MAX   64u

enum phase {
        IDLE = 0,
        WAITING,
        RUNNING,
};

struct probe {
        TAILQ_ENTRY(probe) link; /* while it waits */
        struct prober *prober;
        const struct probe_plan *plan;
        const char *name;
        struct probe_run run;
        enum phase phase;
        bool skipped, held;
        struct damped damped;
        char *output; /* NULL: none */
        char late_text[LATE_TEXT_MAX];
        uint64_t late_after_usec;
        uint64_t since_mono_usec; /* from when on silence counts */
        uint64_t next_mono_usec, started_mono_usec;
        uint64_t ended_mono_usec; /* the run that damped still knows; 0: none */
        uint64_t ended_wall_usec, took_usec;
};

struct prober {
        struct loop *loop;
        struct fetcher *fetcher;
        struct probe *probes;
        size_t n;
        TAILQ_HEAD(, probe) waiting;
        unsigned n_running;
        uint64_t n_results;
        struct loop_timer *timer;
        uint64_t wake_mono_usec; /* what the timer is set to */
        char *state_path, *boot_id;
        uint64_t save_mono_usec; /* USEC_INFINITY: nothing to write */
        bool save_failed;
        struct err trouble;
        void (*changed)(void *userdata);
        void *userdata;
};

/* --- when -------------------------------------------------------------------------------------------- */

static void wake(struct prober *pr, uint64_t mono_usec, uint64_t slack_usec)
{
        if (mono_usec >= pr->wake_mono_usec)
                return;
        pr->wake_mono_usec = mono_usec;
        loop_timer_set(pr->timer, mono_usec, slack_usec);
}

/* Names that differ in one character must not follow one another closely. */
static uint64_t spread(const struct probe *p, uint64_t range_usec)
{
        uint64_t h = p->plan->hash;

        h ^= h >> 33;
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 33;
        return h % range_usec;
}

/* On the probe's beat, and not so soon after a start that was late that it would be two in a row. */
static uint64_t next_after(const struct probe *p, uint64_t start)
{
        uint64_t interval = p->plan->interval_usec, beat = spread(p, interval);
        uint64_t at = start / interval * interval + beat;

        while (at < start + interval / 2)
                at += interval;
        return at;
}

static uint64_t late_at(const struct probe *p)
{
        if (p->skipped || p->damped.code == DIAG_CODE_PROBE_LATE)
                return USEC_INFINITY;
        return usec_add(p->since_mono_usec, p->late_after_usec);
}

static uint64_t due_at(const struct probe *p)
{
        return p->skipped || p->phase != IDLE ? USEC_INFINITY : p->next_mono_usec;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static void plan_wake(struct prober *pr)
{
        uint64_t at = pr->save_mono_usec;

        for (size_t i = 0; i < pr->n; i++)
                at = earlier(at, earlier(due_at(&pr->probes[i]), late_at(&pr->probes[i])));
        pr->wake_mono_usec = USEC_INFINITY;
        if (!TAILQ_EMPTY(&pr->waiting) && pr->n_running < PROBER_RUNNING_MAX)
                wake(pr, now_mono_usec(), 0);
        wake(pr, at, SLACK_USEC);
}

/* --- what is written ----------------------------------------------------------------------------------- */

static struct saved_probe to_be_saved(const struct probe *p)
{
        return (struct saved_probe){
                .hash = p->plan->hash,
                .name = p->name,
                .damped = p->damped,
                .ended_mono_usec = p->ended_mono_usec,
                .ended_wall_usec = p->ended_wall_usec,
                .took_usec = p->took_usec,
        };
}

static void save(struct prober *pr)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct err e;
        int r;

        pr->save_mono_usec = USEC_INFINITY;
        state_file_begin(&text, pr->boot_id);
        for (size_t i = 0; i < pr->n; i++) {
                const struct saved_probe s = to_be_saved(&pr->probes[i]);

                if (s.ended_mono_usec)
                        state_file_add(&text, &s);
        }
        r = text.error ? err_set(&e, text.error, "%s: out of memory", pr->state_path)
                       : fs_replace(pr->state_path, text.data, text.n, 0600, &e);
        if (r < 0 && !pr->save_failed)
                pr->trouble = e;
        pr->save_failed = r < 0;
}

static void save_soon(struct prober *pr)
{
        if (!pr->state_path || pr->save_mono_usec != USEC_INFINITY)
                return;
        pr->save_mono_usec = usec_add(now_mono_usec(), SAVE_USEC);
        wake(pr, pr->save_mono_usec, SLACK_USEC);
}

static struct probe *find(const struct prober *pr, uint64_t hash, const char *name)
{
        for (size_t i = 0; i < pr->n; i++)
                if (pr->probes[i].plan->hash == hash && streq(pr->probes[i].name, name))
                        return &pr->probes[i];
        return NULL;
}

/* On its beat, too: a new configuration on a thousand nodes must not ask everything at once. */
static void restore(const struct saved_probe *s, void *userdata)
{
        struct probe *p = find(userdata, s->hash, s->name);
        uint64_t now = now_mono_usec(), next;

        if (!p || s->ended_mono_usec > now || now - s->ended_mono_usec >= p->late_after_usec)
                return;
        p->damped = s->damped;
        p->since_mono_usec = p->ended_mono_usec = s->ended_mono_usec;
        p->ended_wall_usec = s->ended_wall_usec;
        p->took_usec = s->took_usec;
        next = next_after(p, usec_since(s->ended_mono_usec, s->took_usec));
        if (next > p->next_mono_usec)
                p->next_mono_usec = next;
}

void prober_take_over(struct prober *pr, struct prober *old)
{
        for (size_t i = 0; i < old->n; i++) {
                struct probe *from = &old->probes[i];
                struct probe *to = find(pr, from->plan->hash, from->name);
                const struct saved_probe s = to_be_saved(from);

                if (!to || !s.ended_mono_usec)
                        continue;
                restore(&s, pr);
                free(to->output);
                to->output = TAKE_PTR(from->output);
        }
        plan_wake(pr);
}

bool prober_take_trouble(struct prober *pr, struct err *ret)
{
        bool new = pr->trouble.code != 0;

        if (new)
                *ret = pr->trouble;
        pr->trouble = (struct err){0};
        return new;
}

/* --- one run --------------------------------------------------------------------------------------------- */

/* Masked before it is cut: a secret must be seen from its beginning. */
static char *keep_output(const struct probe_verdict *v)
{
        _cleanup_(buf_done) struct buf out = {0};
        const char *from;
        size_t n;

        if (v->n_output == 0)
                return NULL;
        (void)redact_append(&out, v->output, v->n_output);
        if (out.error || out.n == 0)
                return NULL;
        n = out.n < PROBE_OUTPUT_MAX ? out.n : PROBE_OUTPUT_MAX;
        from = v->output_begin ? out.data : out.data + out.n - n;
        for (char *nul = out.data; (nul = memchr(nul, '\0', (size_t)(out.data + out.n - nul)));)
                *nul = '?';
        return strndup(from, n);
}

/* Whoever waits for a place here says nothing of what it would have asked. */
static const char *why_late(const struct probe *p)
{
        return p->phase == WAITING ? "it waits for its turn: too many probes take long"
                                   : p->late_text;
}

static void set_late(struct probe *p, uint64_t now)
{
        if (now >= late_at(p))
                damped_set_late(&p->damped, why_late(p));
}

/* Its place is free again; from the loop, somebody else may have it. */
static void leave(struct probe *p)
{
        struct prober *pr = p->prober;

        if (p->phase == WAITING)
                TAILQ_REMOVE(&pr->waiting, p, link);
        if (p->phase == RUNNING)
                pr->n_running--;
        p->phase = IDLE;
        if (!TAILQ_EMPTY(&pr->waiting))
                wake(pr, now_mono_usec(), 0);
        wake(pr, due_at(p), SLACK_USEC);
}

/* What it was healthy by is too old when this comes late: it does not count any more. */
static void take_result(struct probe *p, const struct probe_verdict *v)
{
        struct prober *pr = p->prober;
        struct damped before = p->damped;
        uint64_t now = now_mono_usec();

        set_late(p, now);
        damped_add(&p->damped, v, p->plan->fail_after, p->plan->pass_after);
        p->took_usec = usec_since(now, p->started_mono_usec);
        p->since_mono_usec = p->ended_mono_usec = now;
        p->ended_wall_usec = now_wall_usec();
        pr->n_results++;
        leave(p);
        save_soon(pr);
        if (!damped_equal(&before, &p->damped) && pr->changed)
                pr->changed(pr->userdata);
}

void probe_done(struct probe_run *run, const struct probe_verdict *v)
{
        struct probe *p = CONTAINER_OF(run, struct probe, run);

        free(p->output);
        p->output = keep_output(v);
        p->plan->ops->stop(run);
        take_result(p, v);
}

static void start(struct probe *p)
{
        struct prober *pr = p->prober;
        struct probe_verdict v = {0};
        struct err e = {0};
        int r;

        TAILQ_REMOVE(&pr->waiting, p, link);
        p->phase = RUNNING;
        pr->n_running++;
        p->started_mono_usec = now_mono_usec();
        p->next_mono_usec = next_after(p, p->started_mono_usec);
        p->run = (struct probe_run){
                .cfg = p->plan->cfg,
                .loop = pr->loop,
                .fetcher = pr->fetcher,
                .timeout_usec = p->plan->timeout_usec,
        };
        r = p->plan->ops->start(&p->run, &e);
        if (r >= 0)
                return;
        probe_verdict_set(&v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "%s",
                          str_or(e.text, strerror(-r)));
        free(p->output);
        p->output = NULL;
        take_result(p, &v);
}

static void break_off(struct probe *p)
{
        if (p->phase == RUNNING)
                p->plan->ops->stop(&p->run);
        leave(p);
}

/* --- all probes -------------------------------------------------------------------------------------------- */

static bool look_at_late(struct prober *pr, uint64_t now)
{
        bool news = false;

        for (size_t i = 0; i < pr->n; i++) {
                struct probe *p = &pr->probes[i];

                if (now < late_at(p))
                        continue;
                set_late(p, now);
                news = true;
        }
        return news;
}

static void queue_due(struct prober *pr, uint64_t now)
{
        for (size_t i = 0; i < pr->n; i++) {
                struct probe *p = &pr->probes[i];

                if (now < due_at(p))
                        continue;
                p->phase = WAITING;
                TAILQ_INSERT_TAIL(&pr->waiting, p, link);
        }
}

static void on_timer(void *userdata)
{
        struct prober *pr = userdata;
        uint64_t now = now_mono_usec();
        bool news = look_at_late(pr, now);
        struct probe *p;

        queue_due(pr, now);
        while (pr->n_running < PROBER_RUNNING_MAX && (p = TAILQ_FIRST(&pr->waiting)))
                start(p);
        if (now >= pr->save_mono_usec)
                save(pr);
        plan_wake(pr);
        if (news && pr->changed)
                pr->changed(pr->userdata);
}

static void probe_init(struct probe *p, struct prober *pr, const struct probe_settings *s)
{
        char limit[PROBE_SECONDS_MAX];
        uint64_t now = now_mono_usec();

        *p = (struct probe){
                .prober = pr,
                .plan = probe_settings_plan(s),
                .name = probe_settings_name(s),
                .since_mono_usec = now,
        };
        p->late_after_usec = 2 * p->plan->interval_usec + p->plan->timeout_usec;
        p->next_mono_usec = now + spread(p, FIRST_RUNS_USEC);
        (void)snprintf(p->late_text, sizeof(p->late_text), "no result within %s",
                       probe_seconds(limit, p->late_after_usec));
        damped_reset(&p->damped);
}

static int prober_init(struct prober *pr, const struct probe_settings *const *settings, size_t n)
{
        pr->probes = calloc(n ? n : 1, sizeof(*pr->probes));
        if (!pr->probes)
                return -ENOMEM;
        for (; pr->n < n; pr->n++)
                probe_init(&pr->probes[pr->n], pr, settings[pr->n]);
        return loop_timer_new(&pr->timer, pr->loop, on_timer, pr);
}

int prober_new(struct prober **ret, struct loop *l, struct fetcher *f,
               const struct probe_settings *const *settings, size_t n, const char *state_path,
               const char *boot_id, void (*changed)(void *userdata), void *userdata)
{
        _cleanup_(prober_freep) struct prober *pr = NULL;
        int r;

        if (n > PROBES_MAX)
                return -E2BIG;
        pr = calloc(1, sizeof(*pr));
        if (!pr)
                return -ENOMEM;
        TAILQ_INIT(&pr->waiting);
        pr->loop = l;
        pr->fetcher = f;
        pr->save_mono_usec = USEC_INFINITY;
        r = prober_init(pr, settings, n);
        if (r < 0)
                return r;
        pr->boot_id = strdup(boot_id);
        if (!pr->boot_id)
                return -ENOMEM;
        if (state_path) {
                (void)state_file_read(state_path, boot_id, restore, pr, &pr->trouble);
                pr->state_path = strdup(state_path);
                if (!pr->state_path)
                        return -ENOMEM;
        }
        pr->changed = changed;
        pr->userdata = userdata;
        plan_wake(pr);
        *ret = TAKE_PTR(pr);
        return 0;
}

struct prober *prober_free(struct prober *pr)
{
        if (!pr)
                return NULL;
        for (size_t i = 0; i < pr->n; i++) {
                struct probe *p = &pr->probes[i];

                if (p->phase == RUNNING)
                        p->plan->ops->stop(&p->run);
                free(p->output);
                p->output = NULL;
        }
        if (pr->save_mono_usec != USEC_INFINITY)
                save(pr);
        loop_timer_free(pr->timer);
        free(pr->probes);
        free(pr->state_path);
        free(pr->boot_id);
        free(pr);
        return NULL;
}

/* --- what others ask ------------------------------------------------------------------------------------------- */

/* The clocks differ by what one of them is set in between: near enough for people. */
static uint64_t wall_of(uint64_t mono_usec)
{
        uint64_t mono = now_mono_usec(), wall = now_wall_usec();

        return mono_usec > mono ? wall + (mono_usec - mono) : wall;
}

void prober_get(const struct prober *pr, size_t i, struct diag_probe *ret)
{
        const struct probe *p = &pr->probes[i];
        bool late = now_mono_usec() >= late_at(p);

        *ret = (struct diag_probe){
                .name = p->name,
                .kind = p->plan->ops->kind,
                .health = late ? DIAG_UNKNOWN : p->damped.health,
                .code = late ? DIAG_CODE_PROBE_LATE : p->damped.code,
                .text = late ? why_late(p) : p->damped.text,
                .output = p->output ? p->output : "",
                .last_run_wall_usec = p->ended_wall_usec,
                .next_run_wall_usec = p->skipped ? 0 : wall_of(p->next_mono_usec),
                .took_usec = p->took_usec,
                .window = p->damped.window,
                .n_window = p->damped.n_window,
                .fail_after = p->plan->fail_after,
                .pass_after = p->plan->pass_after,
                .skipped = p->skipped,
        };
}

void prober_skip(struct prober *pr, size_t i, bool skip)
{
        struct probe *p = &pr->probes[i];
        uint64_t now = now_mono_usec();
        bool held = p->held;

        p->held = false;
        if (p->skipped == skip)
                return;
        p->skipped = skip;
        if (skip) {
                break_off(p);
                return;
        }
        if (now >= usec_add(p->ended_mono_usec, p->late_after_usec)) {
                damped_reset(&p->damped);
                p->ended_mono_usec = 0;
                p->since_mono_usec = now;
        }
        if (!held)
                p->since_mono_usec = p->next_mono_usec = now;
        wake(pr, due_at(p), SLACK_USEC);
}

void prober_hold(struct prober *pr, size_t i)
{
        pr->probes[i].skipped = pr->probes[i].held = true;
}

bool prober_is_settled(const struct prober *pr)
{
        uint64_t now = now_mono_usec();

        for (size_t i = 0; i < pr->n; i++) {
                const struct probe *p = &pr->probes[i];

                if (!p->skipped && p->damped.code == DIAG_CODE_PROBE_NOT_RUN && now < late_at(p))
                        return false;
        }
        return true;
}

uint64_t prober_n_results(const struct prober *pr)
{
        return pr->n_results;
}

uint64_t prober_late_at(const struct prober *pr)
{
        uint64_t at = USEC_INFINITY, now = now_mono_usec();

        for (size_t i = 0; i < pr->n; i++) {
                uint64_t late = late_at(&pr->probes[i]);

                if (late > now)
                        at = earlier(at, late);
        }
        return at;
}
