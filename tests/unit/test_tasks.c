/*
 * It does what requests ask of the loop: rounds together and not too often, forgetting those who may be
 * forgotten, and strangers who announce themselves. Each task ends once.
 */

#include <errno.h>
#include <stdio.h>

#include "aggregator/tasks.h"
#include "tests/fakes/fake_timers.h"

#define S  USEC_PER_SEC
#define MS USEC_PER_MSEC

#define TASKS_MAX 256u
#define NOBODY    "127.0.0.1" /* where nobody listens, at port 1 */
#define ID        "0123456789abcdef0123456789abcdef"

/* The errand of a task is the task here: what it is for is a matter of api/errand.c. */
struct asked {
        struct cluster_task task;
        uint64_t ended_usec;
        unsigned n_ended;
        bool only_reads;
};

static struct asked asked[TASKS_MAX];
static struct loop *loop;
static struct fetcher *fetcher;
static struct roster *roster;
static struct poller *poller;
static struct publisher *publisher;
static struct memory *memory;
static struct self *self;
static struct tasks *tasks;

void __wrap_errand_finish(struct errand *e);
bool __wrap_errand_only_reads(const struct errand *e);
void __wrap_parked_wake(struct parked *p);

void __wrap_errand_finish(struct errand *e)
{
        struct asked *a = (struct asked *)e;

        a->n_ended++;
        a->ended_usec = fake_usec;
}

bool __wrap_errand_only_reads(const struct errand *e)
{
        return ((const struct asked *)e)->only_reads;
}

void __wrap_parked_wake(_unused_ struct parked *p)
{
}

/* --- the loop ------------------------------------------------------------------------------------ */

static void on_added(_unused_ void *userdata, struct node *n)
{
        ck_assert_int_eq(poller_add(poller, n), 0);
}

static void on_leaving(_unused_ void *userdata, struct node *n)
{
        if (publisher)
                publisher_untouch(publisher, n);
        poller_remove(poller, n);
}

static void on_changed(_unused_ void *userdata, struct node *n)
{
        publisher_touch(publisher, n);
}

static void on_ask_again(_unused_ void *userdata, struct node *n)
{
        poller_ask_again(poller, n);
}

static const struct roster_ops ops = {on_added, on_leaving, on_changed, on_ask_again};

static void on_answered(_unused_ void *userdata, struct node *n, _unused_ bool is_new)
{
        publisher_touch(publisher, n);
}

static void get_facts(_unused_ void *userdata, _unused_ struct publisher_facts *ret)
{
}

static void on_published(_unused_ void *userdata, _unused_ const struct diag_snapshot *before,
                         _unused_ const struct diag_snapshot *now)
{
}

static void on_self(_unused_ void *userdata)
{
}

static void new_nodes(void)
{
        struct poller_options p = {.changed = on_answered};
        struct publisher_options q = {.facts = get_facts, .published = on_published};

        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
        p.loop = q.loop = loop;
        p.roster = q.roster = roster;
        p.fetcher = fetcher;
        ck_assert_int_eq(poller_new(&poller, &p), 0);
        ck_assert_int_eq(publisher_new(&publisher, &q), 0);
}

static void setup(void)
{
        struct tasks_options o = {.agent_socket = "/nonexistent/socket", .port_peer = 1};

        fake_time_begin();
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        memset(asked, 0, sizeof(asked));
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, NULL), 0);
        new_nodes();
        ck_assert_int_eq(memory_new(&memory, loop, NULL, roster), 0);
        ck_assert_int_eq(self_new(&self, loop, fetcher, o.agent_socket, on_self, NULL), 0);
        o.loop = loop;
        o.fetcher = fetcher;
        o.roster = roster;
        o.poller = poller;
        o.publisher = publisher;
        o.memory = memory;
        o.self = self;
        ck_assert_int_eq(tasks_new(&tasks, &o), 0);
}

static void task_done(struct cluster_task *t)
{
        free(t->node);
        free(t->method);
        free(t->target);
        free(t->body);
        blob_unref(t->answer);
}

static void teardown(void)
{
        struct publisher *p = publisher;

        tasks = tasks_free(tasks);
        for (size_t i = 0; i < TASKS_MAX; i++)
                task_done(&asked[i].task);
        memory = memory_free(memory);
        self = self_free(self);
        publisher = NULL;
        roster = roster_free(roster);
        publisher_free(p);
        poller = poller_free(poller);
        fetcher = fetcher_free(fetcher);
        loop = loop_free(loop);
        fake_time_end();
}

/* Who is asked answers in real time: it gets a millisecond of that for every step. */
static void step(uint64_t usec)
{
        while (fake_timers_fire(fake_usec))
                ;
        ck_assert_int_ge(sd_event_run(loop_event(loop), MS), 0);
        fake_usec += usec;
}

static void pass(uint64_t usec)
{
        for (uint64_t until = fake_usec + usec; fake_usec < until;)
                step(10 * MS);
}

static void wait_for(const struct asked *a)
{
        for (unsigned i = 0; !a->n_ended; i++) {
                ck_assert_uint_lt(i, 20000);
                step(MS);
        }
        ck_assert_uint_eq(a->n_ended, 1);
}

static char *copy(const char *s)
{
        char *c = s ? strdup(s) : NULL;

        ck_assert_int_eq(c != NULL, s != NULL);
        return c;
}

static struct asked *begin(unsigned i, enum cluster_task_kind kind, const char *node,
                           const char *target, const char *body)
{
        struct cluster_task *t = &asked[i].task;

        t->kind = kind;
        t->node = copy(node);
        t->target = copy(target);
        t->body = copy(body);
        t->n_body = body ? strlen(body) : 0;
        (void)snprintf(t->caller, sizeof(t->caller), "uid 0");
        tasks_begin(tasks, (struct errand *)&asked[i], t);
        return &asked[i];
}

static struct node *add(enum diag_source source, const char *address, enum diag_role role,
                        const char *id)
{
        const struct found f = {.address = address, .role = role, .port = 1, .node_id = id};
        struct node *n = roster_add(roster, source, &f, NULL);

        ck_assert_ptr_nonnull(n);
        return n;
}

static void must_say(const struct asked *a, unsigned status, const char *words)
{
        const char *text = a->task.answer ? blob_data(a->task.answer) : "";

        ck_assert_uint_eq(a->n_ended, 1);
        ck_assert_msg(a->task.status == status, "%u: %s", a->task.status, text);
        ck_assert_msg(strstr(text, words) != NULL, "%s: not in: %s", words, text);
}

/* --- rounds -------------------------------------------------------------------------------------- */

static struct asked *want_round(unsigned i)
{
        asked[i].only_reads = true;
        return begin(i, CLUSTER_TASK_ROUND, NULL, NULL, NULL);
}

START_TEST(makes_one_round_for_all_who_wait)
{
        struct poller_stats before, after;

        add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, NULL);
        pass(5 * S);
        poller_stats(poller, &before);
        for (unsigned i = 0; i < 100; i++)
                (void)want_round(i);
        wait_for(&asked[0]);
        for (unsigned i = 0; i < 100; i++) {
                ck_assert_uint_eq(asked[i].n_ended, 1);
                ck_assert_uint_eq(asked[i].task.status, 200);
        }
        poller_stats(poller, &after);
        ck_assert_uint_le(after.n_polls[ANSWER_NONE] - before.n_polls[ANSWER_NONE], 2);
        ck_assert_uint_gt(view_current(publisher_view(publisher))->round_wall_usec,
                          FAKE_START_USEC + 5 * S);
}
END_TEST

/* Who comes while one is under way gets the next one, and that not at once. */
START_TEST(keeps_rounds_apart)
{
        uint64_t began, ended;

        add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, NULL);
        pass(S);
        (void)want_round(0);
        began = fake_usec;
        while (fake_timer_due(fake_usec))
                (void)fake_timers_fire(fake_usec); /* it is under way */
        ck_assert_uint_eq(asked[0].n_ended, 0);
        (void)want_round(1);
        wait_for(&asked[0]);
        ended = fake_usec;
        ck_assert_uint_eq(asked[1].n_ended, 0);
        wait_for(&asked[1]);
        ck_assert_uint_ge(asked[1].ended_usec - began, TASKS_ROUND_APART_USEC);
        ck_assert_uint_ge(asked[1].ended_usec - began,
                          TASKS_ROUND_APART_TIMES * (ended - began - MS));
        ck_assert_uint_eq(asked[0].n_ended, 1);
}
END_TEST

START_TEST(lets_go_who_has_hung_up)
{
        add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, NULL);
        pass(S);
        (void)want_round(0);
        (void)want_round(1);
        if (_i) /* under way */
                while (fake_timer_due(fake_usec))
                        (void)fake_timers_fire(fake_usec);
        tasks_abandoned(tasks, (struct errand *)&asked[0], &asked[0].task);
        must_say(&asked[0], 504, "");
        wait_for(&asked[1]);
        ck_assert_uint_eq(asked[0].n_ended, 1);
        ck_assert_uint_eq(asked[1].task.status, 200);
        tasks_abandoned(tasks, (struct errand *)&asked[1], &asked[1].task); /* too late */
        ck_assert_uint_eq(asked[1].n_ended, 1);
}
END_TEST

START_TEST(answers_all_at_its_end)
{
        add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, NULL);
        (void)want_round(0);
        while (fake_timer_due(fake_usec))
                (void)fake_timers_fire(fake_usec); /* under way, and so it stays */
        (void)want_round(1);
        (void)begin(2, CLUSTER_TASK_FORWARD, NULL, "/system/health/v2/node", NULL);
        tasks = tasks_free(tasks);
        for (unsigned i = 0; i < 3; i++)
                must_say(&asked[i], 503, "");
}
END_TEST

/* --- forgetting ---------------------------------------------------------------------------------- */

static const struct {
        enum diag_source source;
        bool alive;
        const char *id; /* who is asked for */
        unsigned status;
        const char *words;
} forgets[] = {
        {DIAG_SOURCE_STATIC,    false, ID,              409, "\"reason\":\"static\""      },
        {DIAG_SOURCE_ZOOKEEPER, true,  ID,              409, "\"reason\":\"alive\""       },
        {DIAG_SOURCE_ZOOKEEPER, false, ID,              200, "\"forgotten\":true"         },
        {DIAG_SOURCE_MEMORY,    false, ID,              200, "\"forgotten\":true"         },
        {DIAG_SOURCE_ANNOUNCE,  false, ID,              200, "\"forgotten\":true"         },
        {DIAG_SOURCE_MEMORY,    false, "unheard-of",    404, "\"reason\":\"no-such-node\""},
        {DIAG_SOURCE_MEMORY,    false, "addr:10.9.9.9", 404, "\"reason\":\"no-such-node\""},
        {DIAG_SOURCE_MEMORY,    false, NULL,            404, "\"reason\":\"no-such-node\""},
};

START_TEST(forgets_whom_it_may)
{
        struct node *n = add(forgets[_i].source, NOBODY, DIAG_ROLE_AGENT, ID);
        struct asked *a;

        pass(S);
        if (forgets[_i].alive) {
                n->answered = true;
                n->failing_boot_usec = 0;
        }
        a = begin(0, CLUSTER_TASK_FORGET, forgets[_i].id, "/nodes/x?local=yes", NULL);
        must_say(a, forgets[_i].status, forgets[_i].words);
        ck_assert_uint_eq(roster_n(roster), forgets[_i].status == 200 ? 0 : 1);
        ck_assert_uint_eq(view_current(publisher_view(publisher))->n_members, roster_n(roster));
}
END_TEST

START_TEST(names_masters_that_were_not_told)
{
        struct asked *a;

        add(DIAG_SOURCE_MEMORY, NOBODY, DIAG_ROLE_AGENT, ID);
        add(DIAG_SOURCE_STATIC, "127.0.0.2", DIAG_ROLE_MASTER, NULL);
        pass(S);
        a = begin(0, CLUSTER_TASK_FORGET, ID, "/nodes/x", NULL);
        wait_for(a);
        must_say(a, 200, "\"not_reached\":[\"127.0.0.2\"]");
        ck_assert_uint_eq(roster_n(roster), 1);
}
END_TEST

/* By the address alone, where it has never said who it is. */
START_TEST(forgets_by_address)
{
        add(DIAG_SOURCE_MEMORY, NOBODY, DIAG_ROLE_AGENT, NULL);
        pass(S);
        must_say(begin(0, CLUSTER_TASK_FORGET, "addr:" NOBODY, "?local=yes", NULL), 200,
                 "\"address\":\"" NOBODY "\"");
        ck_assert_uint_eq(roster_n(roster), 0);
}
END_TEST

/* --- announcements ------------------------------------------------------------------------------- */

#define ANNOUNCE(role) \
        "{\"node_id\":\"" ID "\",\"address\":\"" NOBODY "\",\"port\":1,\"role\":\"" role "\"}"

static struct asked *announce(unsigned i, const char *body)
{
        return begin(i, CLUSTER_TASK_ANNOUNCE, NULL, NULL, body);
}

START_TEST(believes_no_announcement)
{
        must_say(announce(0, "{}"), 400, "\"reason\":\"bad-request\"");
        must_say(announce(1, ""), 400, "\"reason\":\"bad-request\"");
        must_say(announce(2, ANNOUNCE("king")), 400, "\"reason\":\"bad-request\"");
        must_say(announce(3, ANNOUNCE("master")), 403, "\"reason\":\"master\"");
        wait_for(announce(4, ANNOUNCE("agent")));
        must_say(&asked[4], 422, "\"reason\":\"not-confirmed\"");
        ck_assert_uint_eq(roster_n(roster), 0);
}
END_TEST

/* One who announces many, and all that is announced in a second. */
START_TEST(takes_so_many_announcements_and_no_more)
{
        unsigned n_refused = 0;

        for (unsigned i = 0; i <= TASKS_CANDIDATES_EACH; i++)
                (void)announce(i, ANNOUNCE("agent"));
        must_say(&asked[TASKS_CANDIDATES_EACH], 429, "\"reason\":\"too-many\"");
        for (unsigned i = 0; i < TASKS_CANDIDATES_EACH; i++)
                wait_for(&asked[i]);
        pass(2 * S);
        for (unsigned i = 100; i < TASKS_MAX; i++) {
                (void)announce(i, ANNOUNCE("agent"));
                wait_for(&asked[i]);
                n_refused += asked[i].task.status == 429;
                fake_usec -= MS; /* all in one moment */
        }
        ck_assert_uint_eq(n_refused, 0);
}
END_TEST

/* --- asking -------------------------------------------------------------------------------------- */

START_TEST(says_who_cannot_be_asked)
{
        add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, ID);
        pass(S);
        wait_for(begin(0, CLUSTER_TASK_ASK_NODE, ID, "/system/health/v2/node", NULL));
        must_say(&asked[0], 502, "");
        wait_for(begin(1, CLUSTER_TASK_ASK_NODE, "unheard-of", "/", NULL));
        must_say(&asked[1], 502, "");
        wait_for(begin(2, CLUSTER_TASK_FORWARD, NULL, "/system/health/v2/node", NULL));
        must_say(&asked[2], 502, "");
}
END_TEST

/* Of a node that cannot be asked to hold a flag, we hold it. */
START_TEST(holds_the_flag_of_who_cannot)
{
        struct node *n = add(DIAG_SOURCE_STATIC, NOBODY, DIAG_ROLE_AGENT, ID);

        pass(S);
        must_say(begin(0, CLUSTER_TASK_START_MAINTENANCE, ID, NULL,
                       "{\"for_seconds\":3600,\"reason\":\"disks\"}"),
                 200, "\"held_by\":\"aggregator\"");
        ck_assert_str_eq(n->maintenance->reason, "disks");
        ck_assert_str_eq(n->maintenance->by, "uid 0");
        ck_assert_str_eq(view_current(publisher_view(publisher))->members[0]->maintenance->reason,
                         "disks");
        must_say(begin(1, CLUSTER_TASK_STOP_MAINTENANCE, ID, NULL, NULL), 200,
                 "\"maintenance\":null");
        ck_assert_ptr_null(n->maintenance);
        must_say(begin(2, CLUSTER_TASK_START_MAINTENANCE, "unheard-of", NULL, "{}"), 404,
                 "\"reason\":\"no-such-node\"");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("tasks");
        TCase *t = tcase_create("it");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, makes_one_round_for_all_who_wait);
        tcase_add_test(t, keeps_rounds_apart);
        tcase_add_loop_test(t, lets_go_who_has_hung_up, 0, 2);
        tcase_add_test(t, answers_all_at_its_end);
        tcase_add_loop_test(t, forgets_whom_it_may, 0, ELEMENTSOF(forgets));
        tcase_add_test(t, names_masters_that_were_not_told);
        tcase_add_test(t, forgets_by_address);
        tcase_add_test(t, believes_no_announcement);
        tcase_add_test(t, takes_so_many_announcements_and_no_more);
        tcase_add_test(t, says_who_cannot_be_asked);
        tcase_add_test(t, holds_the_flag_of_who_cannot);
        suite_add_tcase(s, t);
        return test_main(s);
}
