/*
 * One struct poll per node. Times of day are in a wheel of slots with one timer of the loop, because ten
 * thousand timers of sd-event that are due together cost seconds. Whoever is due and would have to connect
 * goes into a lane, from which a token bucket takes him; whoever has a connection that is kept asks at once.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/poller.h"
#include "base/mono.h"
#include "base/parse.h"
#include "model/outputs_json.h"
#include "net/url.h"

#define SLOT_USEC (50 * USEC_PER_MSEC)
#define N_SLOTS   2048u /* over 100 s: nobody waits longer */

#define LANE_STEP_USEC  (20 * USEC_PER_MSEC)
#define MIN_PERIOD_USEC USEC_PER_SEC
#define RETRY_V2_USEC   (10 * USEC_PER_MIN)
#define BUSY_USEC       USEC_PER_SEC
#define HANDOVER_TRIES  2u

/* Journal lines come a little later than the change that they are about, and the last ones later still. */
#define OUTPUTS_FIRST_USEC (800 * USEC_PER_MSEC)
#define OUTPUTS_AGAIN_USEC (5 * USEC_PER_SEC)
#define OUTPUTS_TRIES      2u
#define OUTPUTS_AT_ONCE    64u /* asked for in one tick */

/* So many answers in a row may be followed at once by the next request, then the pace is a request a second. */
#define QUICK_MAX  20u
#define QUICK_USEC (10 * USEC_PER_SEC)

#define PORTS_MAX 2u

const uint64_t poller_buckets_usec[11] = {5000,   10000,   25000,   50000,   100000,  250000,
                                          500000, 1000000, 2500000, 5000000, 10000000};

enum poll_state {
        POLL_IDLE = 0, /* in the wheel */
        POLL_QUEUED,   /* in a lane */
        POLL_ASKING,
};

struct poll {
        TAILQ_ENTRY(poll) link; /* of its slot, or its lane */
        struct poller *poller;
        struct node *node;
        enum poll_state state;
        struct fetch *fetch, *outputs;
        uint64_t due_mono_usec, started_mono_usec;
        uint64_t
                asked_v2_mono_usec; /* of a node that is asked as v1: when it was last asked as v2 */
        uint64_t wait_usec;         /* what was asked for; 0: nothing */
        uint64_t outputs_due_mono_usec; /* USEC_INFINITY: no need */
        uint64_t quick_mono_usec;
        char etag[ANSWER_ETAG_MAX];
        uint8_t port_at, n_quick, n_outputs_tries, n_handover;
        bool waits;     /* the last answer said so */
        bool asks_v1;   /* this request */
        bool is_active; /* counted: it is not held by its node */
        bool is_dead;   /* counted: it was asked in the lane of the dead */
        bool in_round;
        bool plain; /* the next request is not to be held */
};

TAILQ_HEAD(poll_list, poll);

struct lane {
        struct poll_list polls;
        unsigned n, rate;     /* a second */
        uint64_t tokens_usec; /* time that has not been spent yet */
};

struct poller {
        struct poller_options options;
        struct poll_list slots[N_SLOTS];
        uint64_t slot;       /* number of the first one that is not through */
        uint64_t timer_slot; /* for which the timer is set */
        struct lane alive, dead;
        struct loop_timer *timer, *lane_timer;
        uint64_t lane_mono_usec;
        unsigned n_active, n_dead, n_held, n_in_wheel;
        void (*round_done)(void *userdata);
        void *round_userdata;
        unsigned n_in_round;
        struct poller_stats stats;
};

static void plan(struct poll *o, uint64_t due_mono_usec);
static void ask(struct poll *o);

/* --- when -------------------------------------------------------------------------------------- */

/* @usec, a @part of it more or less. */
static uint64_t spread(uint64_t usec, unsigned part)
{
        uint64_t by = usec / part;

        return by ? usec - by + (uint64_t)random() % (2 * by) : usec;
}

static bool is_master(const struct poll *o)
{
        return node_role(o->node) == DIAG_ROLE_MASTER;
}

static uint64_t wait_of(const struct poll *o)
{
        return is_master(o) ? POLLER_WAIT_MASTER_USEC : spread(POLLER_WAIT_AGENT_USEC, 10);
}

static uint64_t interval_of(const struct poll *o)
{
        return is_master(o) ? POLLER_INTERVAL_MASTER_USEC : spread(POLLER_INTERVAL_AGENT_USEC, 5);
}

uint64_t poller_max_age(const struct node *n)
{
        bool master = node_role(n) == DIAG_ROLE_MASTER;

        if (n->poll && n->poll->waits)
                return NODE_FACTS_MAX_AGE_USEC + POLLER_ANSWER_USEC +
                       (master ? POLLER_WAIT_MASTER_USEC : POLLER_WAIT_AGENT_USEC * 11 / 10);
        return NODE_FACTS_MAX_AGE_USEC +
               2 * (master ? POLLER_INTERVAL_MASTER_USEC : POLLER_INTERVAL_AGENT_USEC);
}

static uint64_t retry_after(const struct node *n)
{
        static const uint64_t usec[] = {250000,  1000000,  2000000, 4000000,
                                        8000000, 16000000, 30000000};
        size_t i = n->n_failures ? n->n_failures - 1 : 0;

        if (i == 0)
                return (uint64_t)random() % 500000;
        return spread(usec[i < ELEMENTSOF(usec) ? i : ELEMENTSOF(usec) - 1], 4);
}

/* --- the wheel --------------------------------------------------------------------------------- */

static void set_wheel_timer(struct poller *p)
{
        uint64_t slot = p->slot;

        if (!p->n_in_wheel) {
                loop_timer_stop(p->timer);
                return;
        }
        while (TAILQ_EMPTY(&p->slots[slot % N_SLOTS]))
                slot++;
        p->timer_slot = slot;
        loop_timer_set(p->timer, (slot + 1) * SLOT_USEC, SLOT_USEC / 2);
}

static void leave_list(struct poll *o)
{
        struct poller *p = o->poller;
        struct lane *lane = o->is_dead ? &p->dead : &p->alive;

        if (o->state == POLL_IDLE && o->due_mono_usec) {
                TAILQ_REMOVE(&p->slots[o->due_mono_usec / SLOT_USEC % N_SLOTS], o, link);
                p->n_in_wheel--;
        } else if (o->state == POLL_QUEUED) {
                TAILQ_REMOVE(&lane->polls, o, link);
                lane->n--;
        }
        o->due_mono_usec = 0;
        o->state = POLL_IDLE;
}

/* Nobody turns the wheel while all nodes hold their requests. */
static void catch_up(struct poller *p)
{
        uint64_t now_slot = now_mono_usec() / SLOT_USEC;

        if (!p->n_in_wheel && p->slot < now_slot)
                p->slot = now_slot;
        while (p->slot < now_slot && TAILQ_EMPTY(&p->slots[p->slot % N_SLOTS]))
                p->slot++;
}

static void plan(struct poll *o, uint64_t due)
{
        struct poller *p = o->poller;
        uint64_t first, last;

        leave_list(o);
        catch_up(p);
        first = (p->slot + 1) * SLOT_USEC;
        last = (p->slot + N_SLOTS - 1) * SLOT_USEC;
        o->due_mono_usec = due < first ? first : due > last ? last : due;
        TAILQ_INSERT_TAIL(&p->slots[o->due_mono_usec / SLOT_USEC % N_SLOTS], o, link);
        p->n_in_wheel++;
        if (loop_timer_is_set(p->timer) && p->timer_slot <= o->due_mono_usec / SLOT_USEC)
                return;
        p->timer_slot = o->due_mono_usec / SLOT_USEC;
        loop_timer_set(p->timer, (p->timer_slot + 1) * SLOT_USEC, SLOT_USEC / 2);
}

/* --- lanes ------------------------------------------------------------------------------------- */

static void set_lane_timer(struct poller *p)
{
        if (p->alive.n || p->dead.n)
                loop_timer_set(p->lane_timer, now_mono_usec() + LANE_STEP_USEC, 0);
        else
                loop_timer_stop(p->lane_timer);
}

static void enqueue(struct poll *o)
{
        struct poller *p = o->poller;
        struct lane *lane;

        o->is_dead = o->node->failed_for_good;
        lane = o->is_dead ? &p->dead : &p->alive;
        o->state = POLL_QUEUED;
        TAILQ_INSERT_TAIL(&lane->polls, o, link);
        lane->n++;
        if (!loop_timer_is_set(p->lane_timer)) {
                p->lane_mono_usec = now_mono_usec();
                set_lane_timer(p);
        }
}

static bool has_place(const struct poller *p, const struct lane *lane)
{
        return p->n_active < POLLER_ACTIVE_MAX && (lane != &p->dead || p->n_dead < POLLER_DEAD_MAX);
}

/* A lane may save up what it could do in a tenth of a second, and no more. */
static void run_lane(struct poller *p, struct lane *lane, uint64_t passed_usec)
{
        uint64_t each = USEC_PER_SEC / lane->rate;

        lane->tokens_usec += passed_usec;
        if (lane->tokens_usec > USEC_PER_SEC / 10)
                lane->tokens_usec = USEC_PER_SEC / 10;
        while (lane->n && lane->tokens_usec >= each && has_place(p, lane)) {
                struct poll *o = TAILQ_FIRST(&lane->polls);

                lane->tokens_usec -= each;
                leave_list(o);
                ask(o);
        }
}

static void on_lanes(void *userdata)
{
        struct poller *p = userdata;
        uint64_t now = now_mono_usec(), passed = usec_since(now, p->lane_mono_usec);

        p->lane_mono_usec = now;
        run_lane(p, &p->alive, passed);
        run_lane(p, &p->dead, passed);
        set_lane_timer(p);
}

/* It is time. Who has a connection has no need of a token; masters decide, and wait for nobody. */
static void become_due(struct poll *o)
{
        bool connected = o->etag[0] && o->waits && !o->node->failing_boot_usec && !o->plain;

        if (connected || is_master(o))
                ask(o);
        else
                enqueue(o);
}

static void on_wheel(void *userdata)
{
        struct poller *p = userdata;
        uint64_t now_slot = now_mono_usec() / SLOT_USEC;
        struct poll *o;

        while (p->slot < now_slot) {
                o = TAILQ_FIRST(&p->slots[p->slot % N_SLOTS]);
                if (!o) {
                        p->slot++;
                        continue;
                }
                leave_list(o);
                become_due(o); /* may move p->slot, but not past what is in the wheel */
        }
        set_wheel_timer(p);
}

/* --- asking ------------------------------------------------------------------------------------ */

static uint16_t port_of(const struct poll *o)
{
        const struct poller_options *p = &o->poller->options;
        uint16_t said = node_port(o->node);

        if (said)
                return said;
        if (!is_master(o))
                return p->port_agent ? p->port_agent : POLLER_PORT_AGENT;
        if (o->port_at == 1)
                return POLLER_PORT_AGENT; /* an older service, or an aggregator: it has one door */
        return p->port_master ? p->port_master : POLLER_PORT_MASTER;
}

static uint8_t count_ports(const struct poll *o)
{
        return !node_port(o->node) && is_master(o) && !o->poller->options.port_master ? PORTS_MAX
                                                                                      : 1;
}

static void make_url(char url[static NODE_URL_MAX], const struct poll *o, const char *path)
{
        node_url(url, o->node->address, o->node->port, o->poller->options.tls, path);
}

/* All nodes that change together would answer together. */
static unsigned jitter_msec(const struct poller *p)
{
        size_t n = roster_n(p->options.roster) / 20;

        return n < 1000 ? (unsigned)n : 1000;
}

static void begin_counting(struct poll *o)
{
        struct poller *p = o->poller;

        o->is_active = !o->wait_usec;
        p->n_active += o->is_active;
        p->n_held += !o->is_active;
        o->is_dead = o->node->failed_for_good;
        p->n_dead += o->is_dead;
        o->state = POLL_ASKING;
}

static void end_counting(struct poll *o)
{
        struct poller *p = o->poller;

        p->n_active -= o->is_active;
        p->n_held -= !o->is_active;
        p->n_dead -= o->is_dead;
        o->is_dead = false;
        o->state = POLL_IDLE;
        o->due_mono_usec = 0;
}

static void on_answer(const struct fetch_result *r, void *userdata);

/* An unconditional request is answered at once; one that says what we have is held until that changes. */
static void ask(struct poll *o)
{
        struct poller *p = o->poller;
        char url[NODE_URL_MAX], match[ANSWER_ETAG_MAX + 20], prefer[64];
        const char *headers[4] = {"Accept: application/json"};
        size_t n = 1;
        uint64_t preferred_usec;
        bool conditional =
                o->etag[0] && o->node->report && !o->node->failing_boot_usec && !o->plain;
        struct fetch_request q = {
                .url = url,
                .headers = headers,
                .wanted_headers = answer_fields,
                .watch_peer = true,
        };

        o->asks_v1 = o->node->protocol == DIAG_PROTOCOL_V1 &&
                     usec_since(now_mono_usec(), o->asked_v2_mono_usec) < RETRY_V2_USEC;
        o->wait_usec = conditional && o->waits && !o->asks_v1 ? wait_of(o) : 0;
        preferred_usec = o->wait_usec ? o->wait_usec : POLLER_WAIT_MASTER_USEC;
        o->node->port = port_of(o);
        make_url(url, o, o->asks_v1 ? "/system/health/v1" : "/system/health/v2/node?fields=health");
        (void)snprintf(match, sizeof(match), "If-None-Match: %s", o->etag);
        (void)snprintf(prefer, sizeof(prefer), "Prefer: wait=%u; jitter=%u",
                       (unsigned)(preferred_usec / USEC_PER_SEC), jitter_msec(p));
        if (!o->asks_v1)
                headers[n++] =
                        prefer; /* an unconditional one learns whether it would be honoured */
        if (conditional && !o->asks_v1)
                headers[n++] = match;
        if (!o->asks_v1)
                o->asked_v2_mono_usec = now_mono_usec();
        /* Who has not held our requests may well begin with this one. */
        q.timeout_usec = POLLER_ANSWER_USEC + (conditional && !o->asks_v1 ? preferred_usec : 0);
        q.connect_timeout_usec = POLLER_CONNECT_USEC;
        q.max_bytes = o->asks_v1 ? ANSWER_V1_BYTES_MAX : ANSWER_V2_BYTES_MAX;
        o->plain = false;
        o->started_mono_usec = now_mono_usec();
        if (fetch_start(&o->fetch, p->options.fetcher, &q, on_answer, o, NULL) < 0) {
                p->stats.n_polls[ANSWER_BUSY]++;
                plan(o, now_mono_usec() + spread(BUSY_USEC, 4));
                return;
        }
        begin_counting(o);
}

/* --- what was printed -------------------------------------------------------------------------- */

/* Of what had no place in the answer, what is known stays. */
static void take_outputs(struct node *n, char **taken)
{
        for (size_t i = 0; n->outputs && i < n->report->n_components; i++)
                if (!taken[i])
                        taken[i] = TAKE_PTR(n->outputs[i]);
        node_clear_outputs(n);
        n->outputs = taken;
}

static void on_outputs(const struct fetch_result *r, void *userdata)
{
        struct poll *o = userdata;
        struct node *n = o->node;
        char **outputs = NULL;

        if (!r->error && r->status == 200 && n->report && o->node->protocol == DIAG_PROTOCOL_V2 &&
            diag_outputs_from_json(&outputs, n->report, r->body, r->n_body, NULL) >= 0) {
                take_outputs(n, outputs);
                o->poller->options.changed(o->poller->options.userdata, n, false);
        }
        o->outputs = fetch_free(o->outputs);
}

static void ask_outputs(struct poll *o)
{
        static const char *const headers[] = {"Accept: application/json", NULL};
        char url[NODE_URL_MAX];
        const struct fetch_request q = {
                .url = url,
                .headers = headers,
                .timeout_usec = POLLER_ANSWER_USEC,
                .max_bytes = ANSWER_V2_BYTES_MAX,
        };

        o->outputs_due_mono_usec = ++o->n_outputs_tries < OUTPUTS_TRIES
                                           ? now_mono_usec() + OUTPUTS_AGAIN_USEC
                                           : USEC_INFINITY;
        if (o->outputs || o->node->protocol != DIAG_PROTOCOL_V2)
                return;
        make_url(url, o, "/system/health/v2/node?fields=outputs");
        (void)fetch_start(&o->outputs, o->poller->options.fetcher, &q, on_outputs, o, NULL);
}

/* --- answers ----------------------------------------------------------------------------------- */

static void leave_round(struct poll *o)
{
        struct poller *p = o->poller;

        if (!o->in_round)
                return;
        o->in_round = false;
        if (--p->n_in_round == 0 && p->round_done) {
                void (*done)(void *userdata) = p->round_done;

                p->round_done = NULL;
                done(p->round_userdata);
        }
}

static void count_answer(struct poller *p, const struct poll *o, const struct fetch_result *r,
                         const struct answer *a)
{
        size_t i = 0;

        p->stats.n_polls[a->kind]++;
        p->stats.n_connects += r->connected_usec > 0;
        if (o->wait_usec || a->kind == ANSWER_BUSY)
                return;
        while (i < ELEMENTSOF(poller_buckets_usec) && r->took_usec > poller_buckets_usec[i])
                i++;
        p->stats.duration_buckets[i]++;
        p->stats.duration_sum_usec += r->took_usec;
}

/* The next one may follow at once where the last has brought something, but not for ever. */
static bool may_be_quick(struct poll *o, uint64_t now)
{
        if (usec_since(now, o->quick_mono_usec) > QUICK_USEC) {
                o->quick_mono_usec = now;
                o->n_quick = 0;
        }
        return o->n_quick < QUICK_MAX && ++o->n_quick;
}

/*
 * Who held our requests and does not say any more that it would may be about to stop, and still answer for
 * a moment: what comes after it is seen soon. And while no request is held, nobody would hear a goodbye.
 */
static void go_on(struct poll *o, const struct answer *a, bool is_new)
{
        uint64_t now = now_mono_usec(), soon = o->started_mono_usec + MIN_PERIOD_USEC;
        bool was_held = o->wait_usec > 0, waited = o->waits;

        memcpy(o->etag, a->kind == ANSWER_REPORT || a->etag[0] ? a->etag : o->etag,
               sizeof(o->etag));
        if (a->confirmed_age_usec > NODE_FACTS_MAX_AGE_USEC)
                o->etag[0] = '\0'; /* an "unchanged" of it would mean nothing */
        o->waits = a->waits && o->etag[0];
        if (o->plain) /* what it says is doubted: it is to be asked again, and that is planned */
                return;
        if (waited)
                o->n_handover = HANDOVER_TRIES;
        o->plain = !o->waits && o->n_handover;
        if (o->plain) {
                o->n_handover--;
                plan(o, soon > now ? soon : now);
        } else if (!o->waits) {
                plan(o, now + interval_of(o));
        } else if (soon <= now || ((is_new || !was_held) && may_be_quick(o, now))) {
                ask(o);
        } else {
                plan(o, soon);
        }
}

static bool try_next_port(struct poll *o)
{
        o->port_at = (uint8_t)((o->port_at + 1) % count_ports(o));
        return o->port_at != 0;
}

/* A service that does not know API v2 is asked for v1; where nobody listens there may be another door. */
static bool try_otherwise(struct poll *o, const struct fetch_result *r, const struct answer *a)
{
        struct node *n = o->node;

        if (a->kind == ANSWER_NOT_HERE && !o->asks_v1) {
                n->protocol = DIAG_PROTOCOL_V1;
                o->etag[0] = '\0';
                return true;
        }
        if (a->kind == ANSWER_NOT_HERE)
                n->protocol = DIAG_PROTOCOL_UNKNOWN;
        return (r->error == -ECONNREFUSED || a->kind == ANSWER_NOT_HERE) && try_next_port(o);
}

/* The next attempt begins at the first door again: what stands at the second may only pass questions on. */
static void give_up_for_now(struct poll *o)
{
        o->port_at = 0;
        o->waits = false;
        o->etag[0] = '\0';
        plan(o, now_mono_usec() + retry_after(o->node));
}

static void want_outputs(struct poll *o)
{
        o->n_outputs_tries = 0;
        o->outputs_due_mono_usec = o->node->outputs && o->node->protocol == DIAG_PROTOCOL_V2
                                           ? now_mono_usec() + OUTPUTS_FIRST_USEC
                                           : USEC_INFINITY;
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct poll *o = userdata;
        struct poller *p = o->poller;
        struct node *n = o->node;
        struct answer a;
        struct merge_moment now = {
                .boot_usec = now_boot_usec(),
                .wall_usec = now_wall_usec(),
                .rtt_usec = o->wait_usec || r->error ? 0 : r->answered_usec,
        };
        bool was_well = n->answered && !n->failing_boot_usec && !n->stale, is_new;
        bool was_skewed = node_is_skewed(n);

        answer_read(&a, r, o->asks_v1 ? DIAG_PROTOCOL_V1 : DIAG_PROTOCOL_V2, n->report, n->address,
                    now.wall_usec);
        count_answer(p, o, r, &a);
        end_counting(o);
        o->fetch = fetch_free(o->fetch);
        if (try_otherwise(o, r, &a)) {
                answer_done(&a);
                ask(o);
                return;
        }
        if (a.kind == ANSWER_REPORT)
                n->protocol = o->asks_v1 ? DIAG_PROTOCOL_V1 : DIAG_PROTOCOL_V2;
        is_new = merge_answer(p->options.roster, n, &a, &now);
        p->stats.n_changes += is_new;
        if (is_new)
                want_outputs(o);
        if (a.kind == ANSWER_BUSY)
                plan(o, now_mono_usec() + spread(BUSY_USEC, 4));
        else if (a.kind != ANSWER_REPORT && a.kind != ANSWER_UNCHANGED)
                give_up_for_now(o);
        else if (n->alias_of)
                plan(o, now_mono_usec() + N_SLOTS * SLOT_USEC);
        else
                go_on(o, &a, is_new);
        if (!was_well || a.kind != ANSWER_UNCHANGED ||
            was_skewed != node_is_skewed(n)) /* nothing new of one that is well: nearly all */
                p->options.changed(p->options.userdata, n, is_new);
        answer_done(&a);
        leave_round(o);
}

/* --- nodes ------------------------------------------------------------------------------------- */

int poller_add(struct poller *p, struct node *n)
{
        struct poll *o = calloc(1, sizeof(*o));

        if (!o)
                return -ENOMEM;
        o->poller = p;
        o->node = n;
        o->outputs_due_mono_usec = USEC_INFINITY;
        n->poll = o;
        plan(o, 0);
        return 0;
}

static void break_off(struct poll *o)
{
        if (o->fetch) {
                o->fetch = fetch_free(o->fetch);
                end_counting(o);
        }
        leave_list(o);
}

void poller_remove(struct poller *p, struct node *n)
{
        struct poll *o = n->poll;

        (void)p;
        if (!o)
                return;
        break_off(o);
        fetch_free(o->outputs);
        n->poll = NULL;
        leave_round(o);
        free(o);
}

void poller_ask_again(struct poller *p, struct node *n)
{
        struct poll *o = n->poll;

        (void)p;
        if (!o || (o->state == POLL_ASKING && o->is_active))
                return; /* it is being asked */
        break_off(o);
        o->plain = true;
        plan(o, 0);
}

static bool stands(const struct poll *o)
{
        return o->state == POLL_ASKING && !o->is_active && !is_master(o);
}

int poller_round(struct poller *p, void (*done)(void *userdata), void *userdata)
{
        size_t n = roster_n(p->options.roster);

        if (p->n_in_round)
                return -EBUSY;
        p->round_done = done;
        p->round_userdata = userdata;
        p->n_in_round = 1; /* until all have been looked at */
        for (size_t i = 0; i < n; i++) {
                struct node *node = roster_at(p->options.roster, i);

                if (!node->poll || stands(node->poll) || node->alias_of)
                        continue;
                node->poll->in_round = true;
                p->n_in_round++;
                poller_ask_again(p, node);
        }
        if (--p->n_in_round == 0) {
                p->round_done = NULL;
                done(userdata);
        }
        return 0;
}

void poller_abandon_round(struct poller *p)
{
        p->round_done = NULL;
}

void poller_tick(struct poller *p)
{
        uint64_t now = now_mono_usec(), boot = now_boot_usec();
        unsigned n_left = OUTPUTS_AT_ONCE;
        size_t n = roster_n(p->options.roster);

        for (size_t i = 0; i < n; i++) {
                struct node *node = roster_at(p->options.roster, i);

                if (!node->poll || node->alias_of)
                        continue;
                if (merge_age(node, poller_max_age(node), boot))
                        p->options.changed(p->options.userdata, node, false);
                if (node->poll->outputs_due_mono_usec <= now && n_left) {
                        n_left--;
                        ask_outputs(node->poll);
                }
        }
}

void poller_stats(const struct poller *p, struct poller_stats *ret)
{
        *ret = p->stats;
        ret->n_active = p->n_active;
        ret->n_held = p->n_held;
        ret->n_queued = p->alive.n + p->dead.n;
}

int poller_new(struct poller **ret, const struct poller_options *options)
{
        _cleanup_(poller_freep) struct poller *p = calloc(1, sizeof(*p));
        int k;

        if (!p)
                return -ENOMEM;
        p->options = *options;
        for (size_t i = 0; i < N_SLOTS; i++)
                TAILQ_INIT(&p->slots[i]);
        TAILQ_INIT(&p->alive.polls);
        TAILQ_INIT(&p->dead.polls);
        p->alive.rate = options->tls ? POLLER_CONNECTS_TLS : POLLER_CONNECTS;
        p->dead.rate = POLLER_RETRIES;
        p->slot = now_mono_usec() / SLOT_USEC;
        k = loop_timer_new(&p->timer, options->loop, on_wheel, p);
        if (k >= 0)
                k = loop_timer_new(&p->lane_timer, options->loop, on_lanes, p);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(p);
        return 0;
}

struct poller *poller_free(struct poller *p)
{
        if (!p)
                return NULL;
        assert(!p->n_in_wheel && !p->alive.n && !p->dead.n);
        loop_timer_free(p->timer);
        loop_timer_free(p->lane_timer);
        free(p);
        return NULL;
}
