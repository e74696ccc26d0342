/*
 * One target for each master, with a time of its own: after an answer as the master says, ten minutes by
 * default; after a failure ever later, from one tick on. Times are spread by a fifth, so that a cluster that
 * was switched on at once does not stay in step.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agentd/announce.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mono.h"

#define TIMEOUT_USEC      (2 * USEC_PER_SEC)
#define ANSWER_BYTES      (64u * 1024u)
#define TICK_SECONDS      5u
#define INTERVAL_SECONDS  600u
#define FAILING_TICKS_MAX (INTERVAL_SECONDS / TICK_SECONDS)
#define SPREAD_FROM_TICKS 5u /* a fifth of less is nothing */
#define NAMED_INTERVALS   3u /* so long a master is told that none names any more */
#define WHY_MAX           248u

struct target {
        struct announce *announce;
        struct master_address master;
        bool configured;
        unsigned named_ticks; /* left since another one named it */
        struct fetch *fetch;  /* NULL: none is under way */
        unsigned ticks_left, ticks_after_failure;
        bool taken;        /* it said so, the last time */
        char why[WHY_MAX]; /* … it did not, as it was logged; "" */
};

struct announce {
        struct loop *loop;
        struct fetcher *fetcher; /* NULL: there never was a master */
        bool tls;
        struct target *targets[ANNOUNCE_MASTERS_MAX];
        size_t n_targets;
        char *body; /* NULL: nothing is told */
        size_t n_body;
        uint64_t random;
};

/* --- times ----------------------------------------------------------------------------------------- */

/* xorshift64*: to spread, not to hide. */
static uint64_t next_random(struct announce *a)
{
        a->random ^= a->random >> 12;
        a->random ^= a->random << 25;
        a->random ^= a->random >> 27;
        return a->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

/* A fifth less to a fifth more. */
static unsigned spread(struct announce *a, unsigned ticks)
{
        unsigned fifth = ticks / 5;

        if (ticks < SPREAD_FROM_TICKS)
                return ticks;
        return ticks - fifth + (unsigned)(next_random(a) % (2 * fifth + 1));
}

static void again_after_failure(struct target *t)
{
        t->ticks_left = spread(t->announce, t->ticks_after_failure);
        t->ticks_after_failure = t->ticks_after_failure * 2 < FAILING_TICKS_MAX
                                         ? t->ticks_after_failure * 2
                                         : FAILING_TICKS_MAX;
}

static void again_after(struct target *t, unsigned seconds)
{
        t->ticks_left = spread(t->announce, seconds / TICK_SECONDS);
        t->ticks_after_failure = 1;
}

/* --- targets --------------------------------------------------------------------------------------- */

static struct target *find(struct announce *a, const struct master_address *m)
{
        for (size_t i = 0; i < a->n_targets; i++)
                if (master_address_equal(&a->targets[i]->master, m))
                        return a->targets[i];
        return NULL;
}

static void target_free(struct target *t)
{
        if (t)
                fetch_free(t->fetch);
        free(t);
}

static void drop(struct announce *a, size_t i)
{
        target_free(a->targets[i]);
        a->targets[i] = a->targets[--a->n_targets];
}

/* NULL: out of memory, or there are too many. */
static struct target *need(struct announce *a, const struct master_address *m)
{
        struct target *t = find(a, m);

        if (t || a->n_targets == ANNOUNCE_MASTERS_MAX)
                return t;
        t = calloc(1, sizeof(*t));
        if (!t)
                return NULL;
        t->announce = a;
        t->master = *m;
        t->ticks_after_failure = 1;
        a->targets[a->n_targets++] = t;
        return t;
}

static void drop_unnamed(struct announce *a)
{
        for (size_t i = a->n_targets; i-- > 0;)
                if (!a->targets[i]->configured && a->targets[i]->named_ticks == 0)
                        drop(a, i);
}

static bool drop_named(struct announce *a)
{
        for (size_t i = a->n_targets; i-- > 0;)
                if (!a->targets[i]->configured) {
                        drop(a, i);
                        return true;
                }
        return false;
}

/* What another machine calls "this machine" is not this one. */
static void take_named(struct target *by, const struct announced *said, unsigned seconds)
{
        for (size_t i = 0; i < said->n_masters; i++) {
                const struct master_address *m = &said->masters[i];
                struct target *t;

                if (master_address_is_local(m) && !master_address_is_local(&by->master))
                        continue;
                t = need(by->announce, m);
                if (t)
                        t->named_ticks = NAMED_INTERVALS * seconds / TICK_SECONDS;
        }
}

/* --- what a master answers ------------------------------------------------------------------------- */

static void say_taken(struct target *t)
{
        char text[MASTER_ADDRESS_MAX];

        if (!t->taken)
                log_info("this node is announced to %s", master_address_format(text, &t->master));
        t->taken = true;
        t->why[0] = '\0';
}

/* An outage is one line, not one for each time that we ask. */
static void say_failed(struct target *t, const char *why)
{
        char text[MASTER_ADDRESS_MAX];

        if (!streq(t->why, why))
                log_warning("this node cannot be announced to %s, which is tried again: %s",
                            master_address_format(text, &t->master), why);
        (void)snprintf(t->why, sizeof(t->why), "%s", why);
        t->taken = false;
}

static void fail(struct target *t, const char *why)
{
        again_after_failure(t);
        say_failed(t, why);
}

static void take_answer(struct target *t, const struct announced *said)
{
        unsigned seconds = said->interval_seconds ? said->interval_seconds : INTERVAL_SECONDS;

        again_after(t, seconds);
        say_taken(t);
        take_named(t, said, seconds);
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct target *t = userdata;
        struct announced said;
        unsigned status = r->status;
        char why[WHY_MAX];

        if (r->error) {
                (void)snprintf(why, sizeof(why), "%s", r->text);
                t->fetch = fetch_free(t->fetch);
                fail(t, why);
                return;
        }
        (void)announced_from_json(&said, r->body, r->n_body, t->master.port);
        t->fetch = fetch_free(t->fetch);
        if (status == 200 && said.accepted) {
                take_answer(t, &said);
                return;
        }
        (void)snprintf(why, sizeof(why), "it answers with status %u%s%s", status,
                       *said.reason ? ": " : "", said.reason);
        fail(t, why);
}

/* --- telling --------------------------------------------------------------------------------------- */

static void tell(struct target *t)
{
        struct announce *a = t->announce;
        bool tls = a->tls && !master_address_is_local(&t->master);
        char url[MASTER_ADDRESS_MAX + 64], at[MASTER_ADDRESS_MAX];
        const struct fetch_request q = {
                .url = url,
                .method = "PUT",
                .headers = (const char *const[]){"Content-Type: application/json",
                                                 "Accept: application/json", NULL},
                .body = a->body,
                .n_body = a->n_body,
                .timeout_usec = TIMEOUT_USEC,
                .max_bytes = ANSWER_BYTES,
        };
        struct err e;

        (void)snprintf(url, sizeof(url), "http%s://%s/system/health/v2/announce", tls ? "s" : "",
                       master_address_format(at, &t->master));
        if (fetch_start(&t->fetch, a->fetcher, &q, on_answer, t, &e) < 0)
                fail(t, e.text);
}

/* Answers come later: nothing is dropped while this runs. */
static void tell_those_due(struct announce *a)
{
        for (size_t i = 0; a->body && i < a->n_targets; i++)
                if (a->targets[i]->ticks_left == 0 && !a->targets[i]->fetch)
                        tell(a->targets[i]);
}

static void tell_all_anew(struct announce *a)
{
        for (size_t i = 0; i < a->n_targets; i++) {
                struct target *t = a->targets[i];

                t->fetch = fetch_free(t->fetch);
                t->ticks_left = 0;
                t->ticks_after_failure = 1;
        }
        tell_those_due(a);
}

void announce_tick(struct announce *a)
{
        for (size_t i = 0; i < a->n_targets; i++) {
                struct target *t = a->targets[i];

                if (t->named_ticks > 0)
                        t->named_ticks--;
                if (t->ticks_left > 0)
                        t->ticks_left--;
        }
        drop_unnamed(a);
        tell_those_due(a);
}

/* --- what is told, and whom ------------------------------------------------------------------------ */

static void write_body(struct buf *b, const struct diag_node *node, uint64_t instance,
                       const struct outside *o)
{
        struct json_writer w = {.out = b};
        char text[17];

        (void)snprintf(text, sizeof(text), "%016" PRIx64, instance);
        jw_begin_object(&w);
        jw_member_string(&w, "node_id", node->node_id);
        jw_member_string(&w, "boot_id", node->boot_id);
        jw_member_string(&w, "instance", text);
        jw_member_string(&w, "address", o->address);
        jw_key(&w, "addresses");
        jw_begin_array(&w);
        for (size_t i = 0; i < o->n_addresses; i++)
                jw_string(&w, o->addresses[i]);
        jw_end_array(&w);
        jw_member_uint(&w, "port", o->port);
        jw_member_string(&w, "role", diag_role_to_string(node->role));
        jw_member_string(&w, "hostname", node->hostname);
        jw_member_string(&w, "version", node->version);
        jw_end_object(&w);
        buf_putc(b, '\n');
}

static bool may_be_told(const struct diag_node *node, const struct outside *o)
{
        return o && *o->address && !str_empty(node->node_id) &&
               (node->role == DIAG_ROLE_AGENT || node->role == DIAG_ROLE_AGENT_PUBLIC);
}

static void be_silent(struct announce *a)
{
        free(a->body);
        a->body = NULL;
        a->n_body = 0;
        for (size_t i = 0; i < a->n_targets; i++)
                a->targets[i]->fetch = fetch_free(a->targets[i]->fetch);
}

int announce_set_node(struct announce *a, const struct diag_node *node, uint64_t instance,
                      const struct outside *outside)
{
        _cleanup_(buf_done) struct buf b = {0};

        if (!may_be_told(node, outside)) {
                be_silent(a);
                return 0;
        }
        write_body(&b, node, instance, outside);
        if (b.error)
                return b.error;
        if (a->body && b.n == a->n_body && memcmp(b.data, a->body, b.n) == 0)
                return 0;
        free(a->body);
        a->body = buf_take(&b, &a->n_body);
        tell_all_anew(a);
        return 0;
}

/* What has been started goes on as it began. */
static int prepare(struct announce *a, const struct fetch_tls *tls, struct err *e)
{
        int k = a->fetcher ? 0 : fetcher_new(&a->fetcher, a->loop, NULL);

        if (k < 0)
                return err_set(e, k, "%s", strerror(-k));
        return fetcher_set_tls(a->fetcher, tls, e);
}

static void drop_all(struct announce *a)
{
        while (a->n_targets)
                drop(a, 0);
}

/* One that is configured no more may still be named by others. */
static void unlist_all(struct announce *a)
{
        for (size_t i = 0; i < a->n_targets; i++)
                a->targets[i]->configured = false;
}

static int list(struct announce *a, const struct master_address *m)
{
        struct target *t = need(a, m);

        if (!t && drop_named(a)) /* those that are only named give way */
                t = need(a, m);
        if (!t)
                return -ENOMEM;
        t->configured = true;
        return 0;
}

int announce_set_masters(struct announce *a, const struct master_address *masters, size_t n,
                         const struct fetch_tls *tls, struct err *e)
{
        int k = n ? prepare(a, tls, e) : 0;

        if (n == 0 || k < 0 || (tls != NULL) != a->tls)
                drop_all(a);
        if (k < 0)
                return k;
        a->tls = tls != NULL;
        unlist_all(a);
        for (size_t i = 0; k >= 0 && i < n && i < ANNOUNCE_MASTERS_MAX; i++)
                k = list(a, &masters[i]);
        drop_unnamed(a);
        tell_those_due(a);
        return k < 0 ? err_set(e, k, "%s", strerror(-k)) : 0;
}

/* --- life ------------------------------------------------------------------------------------------ */

int announce_new(struct announce **ret, struct loop *l, uint64_t seed)
{
        struct announce *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->loop = l;
        a->random = seed ? seed : 1; /* of 0 comes nothing but 0 */
        *ret = a;
        return 0;
}

struct announce *announce_free(struct announce *a)
{
        if (!a)
                return NULL;
        drop_all(a);
        fetcher_free(a->fetcher);
        free(a->body);
        free(a);
        return NULL;
}
