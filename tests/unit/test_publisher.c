/* It puts together what is known of nodes: not too often, only what differs, and never half of it. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/merge.h"
#include "aggregator/publisher.h"
#include "tests/fakes/fail_alloc.h"
#include "tests/fakes/fake_timers.h"

#define S  USEC_PER_SEC
#define MS USEC_PER_MSEC

static struct roster *roster;
static struct publisher *publisher;
static struct publisher_facts facts;
static unsigned n_published, n_woken, n_odd;
static uint64_t published_at, apart_least;

/* Nobody waits here, and no thread of its own may look at our clock. */
void __wrap_parked_wake(struct parked *p);

void __wrap_parked_wake(_unused_ struct parked *p)
{
        n_woken++;
}

static void on_added(_unused_ void *userdata, _unused_ struct node *n)
{
}

static void on_leaving(_unused_ void *userdata, struct node *n)
{
        if (publisher)
                publisher_untouch(publisher, n);
}

static void on_changed(_unused_ void *userdata, struct node *n)
{
        publisher_touch(publisher, n);
}

static const struct roster_ops ops = {on_added, on_leaving, on_changed, on_added};

static void get_facts(_unused_ void *userdata, struct publisher_facts *ret)
{
        *ret = facts;
}

static void on_published(_unused_ void *userdata, const struct diag_snapshot *before,
                         const struct diag_snapshot *now)
{
        /* No assertion of check's here: it allocates. */
        n_odd += !before || !now || before == now || now->seq < before->seq;
        if (n_published++ && fake_usec - published_at < apart_least)
                apart_least = fake_usec - published_at;
        published_at = fake_usec;
}

static const struct diag_snapshot *current(void)
{
        return view_current(publisher_view(publisher));
}

static void pass(uint64_t usec)
{
        uint64_t until = fake_usec + usec;

        while (fake_timers_fire(until))
                ;
        fake_usec = until;
}

static void setup(void)
{
        struct publisher_options options = {
                .instance = 7, .facts = get_facts, .published = on_published};

        fake_time_begin();
        facts = (struct publisher_facts){.n_expected = 1, .expected_from = "test"};
        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
        options.roster = roster;
        ck_assert_int_eq(publisher_new(&publisher, &options), 0);
        pass(S);
        n_published = n_woken = 0;
        apart_least = USEC_INFINITY;
}

static void teardown(void)
{
        struct publisher *p = publisher;

        ck_assert_uint_eq(n_odd, 0);
        publisher = NULL;
        roster = roster_free(roster);
        publisher_free(p);
        fake_time_end();
}

static struct node *add(enum diag_source source, const char *address, enum diag_role role)
{
        const struct found f = {.address = address, .role = role};
        struct node *n = roster_add(roster, source, &f, NULL);

        ck_assert_ptr_nonnull(n);
        return n;
}

/* It has answered: well, or not at all, for long. */
static void say(struct node *n, bool well)
{
        const struct merge_moment now = {fake_usec, fake_usec, 0};
        const struct diag_node node = {.node_id = n->address, .boot_id = "b"};
        const struct diag_system system = {0};
        const struct diag_component c = {.name = "a", .health = DIAG_HEALTHY, .code = DIAG_CODE_OK};
        struct answer a = {.kind = ANSWER_NONE, .lasting = true, .text = "gone"};

        if (well) {
                a.kind = ANSWER_REPORT;
                ck_assert_int_eq(diag_report_new(&a.report, &node, &system, ""), 0);
                ck_assert_int_eq(diag_report_add(a.report, &c), 0);
                ck_assert_int_eq(diag_report_seal(a.report, NULL, fake_usec, NULL, NULL), 0);
                a.report->instance = 7;
        }
        n->protocol = DIAG_PROTOCOL_V2;
        (void)merge_answer(roster, n, &a, &now);
        answer_done(&a);
        publisher_touch(publisher, n);
}

/* --- when ---------------------------------------------------------------------------------------- */

START_TEST(begins_with_nobody)
{
        const struct diag_snapshot *s = current();

        ck_assert_uint_eq(s->n_members, 0);
        ck_assert_uint_eq(s->seq, 1);
        ck_assert_uint_eq(s->instance, 7);
        ck_assert_uint_eq(s->round_wall_usec, 0);
        ck_assert_int_eq(s->verdict.health, DIAG_UNHEALTHY);
        pass(10 * S);
        ck_assert_uint_eq(n_published, 0);
        ck_assert_ptr_eq(current(), s);
}
END_TEST

START_TEST(tells_news_soon)
{
        pass(10 * S);
        add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);
        ck_assert_uint_eq(n_published, 0); /* what comes along is taken along */
        add(DIAG_SOURCE_STATIC, "m2", DIAG_ROLE_MASTER);
        pass(5 * MS);
        ck_assert_uint_eq(n_published, 1);
        ck_assert_uint_eq(n_woken, 1);
        ck_assert_uint_eq(current()->n_members, 2);
        ck_assert_uint_eq(current()->seq, 2);
}
END_TEST

START_TEST(takes_many_together)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);

        for (unsigned i = 0; i < 1000; i++) {
                n->port = (uint16_t)(i + 1);
                publisher_touch(publisher, n);
                pass(MS);
        }
        pass(S);
        ck_assert_uint_ge(apart_least, PUBLISHER_APART_USEC);
        ck_assert_uint_ge(n_published, 15);
        ck_assert_uint_le(n_published, 21);
        ck_assert_uint_eq(current()->members[0]->port, 1000);
}
END_TEST

START_TEST(says_nothing_where_nothing_differs)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);
        const struct diag_snapshot *s;

        pass(S);
        s = current();
        n_published = 0;
        for (unsigned i = 0; i < 10; i++) {
                publisher_touch(publisher, n);
                publisher_touch_facts(publisher);
                pass(S);
        }
        ck_assert_uint_eq(n_published, 0);
        ck_assert_ptr_eq(current(), s);
        ck_assert_ptr_null(fake_timer_due(UINT64_MAX)); /* and nothing is left to do */
}
END_TEST

START_TEST(does_not_wait_for_who_waits)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);

        for (uint16_t i = 1; i < 5; i++) {
                n->port = i;
                publisher_touch(publisher, n);
                publisher_now(publisher);
                ck_assert_uint_eq(n_published, i);
                ck_assert_uint_eq(current()->members[0]->port, i);
        }
        pass(S);
        ck_assert_uint_eq(n_published, 4);
}
END_TEST

/* --- what ---------------------------------------------------------------------------------------- */

START_TEST(numbers_news)
{
        struct node *m = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER),
                    *a = add(DIAG_SOURCE_STATIC, "a1", DIAG_ROLE_AGENT);
        uint64_t seq, verdict_seq;

        say(m, true);
        say(a, true);
        pass(S);
        ck_assert_int_eq(current()->verdict.health, DIAG_HEALTHY);
        seq = current()->seq;
        verdict_seq = current()->verdict_seq;
        a->port = 7;
        publisher_touch(publisher, a);
        pass(S);
        ck_assert_uint_eq(current()->seq, seq + 1);
        ck_assert_uint_eq(current()->verdict_seq, verdict_seq);
        say(m, false);
        pass(S);
        ck_assert_int_eq(current()->verdict.health, DIAG_UNHEALTHY);
        ck_assert_uint_eq(current()->seq, seq + 2);
        ck_assert_uint_eq(current()->verdict_seq, seq + 2);
}
END_TEST

START_TEST(shows_whom_it_may)
{
        struct node *a = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_MASTER),
                    *b = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);

        add(DIAG_SOURCE_STATIC, "10.0.0.3", DIAG_ROLE_AGENT);
        pass(S);
        ck_assert_uint_eq(current()->n_members, 3);
        b->alias_of = a;
        publisher_touch_facts(publisher);
        pass(S);
        ck_assert_uint_eq(current()->n_members, 2);
        ck_assert_uint_eq(current()->n_masters, 1);
        ck_assert_ptr_eq(diag_snapshot_find(current(), "10.0.0.1"), current()->masters[0]);
}
END_TEST

START_TEST(lets_nodes_go)
{
        static const struct found stays = {.address = "m1", .role = DIAG_ROLE_MASTER};
        const struct finding fewer = {
                .source = DIAG_SOURCE_STATIC, .has_list = true, .nodes = &stays, .n_nodes = 1};

        add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);
        publisher_touch(publisher, add(DIAG_SOURCE_STATIC, "m2", DIAG_ROLE_MASTER));
        if (_i)
                pass(S); /* else it goes while it is looked at */
        roster_take(roster, &fewer);
        pass(S);
        ck_assert_uint_eq(current()->n_members, 1);
        ck_assert_str_eq(current()->members[0]->address, "m1");
}
END_TEST

/* Once as many others as there must be are healthy, a master that is gone was replaced. */
START_TEST(finds_who_is_superseded)
{
        static const char *const addresses[] = {"m1", "m2", "m3", "m4"};
        struct node *m[4];

        facts.n_expected = 3;
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                m[i] = add(DIAG_SOURCE_ZOOKEEPER, addresses[i], DIAG_ROLE_MASTER);
                say(m[i], i < 2);
        }
        pass(S);
        ck_assert_int_eq(current()->verdict.health, DIAG_UNHEALTHY);
        ck_assert(!m[3]->superseded);
        say(m[2], true);
        pass(S);
        ck_assert(m[3]->superseded);
        ck_assert_int_eq(diag_snapshot_find(current(), "m4")->reach, DIAG_REACH_SUPERSEDED);
        ck_assert_int_eq(current()->verdict.health, DIAG_HEALTHY);
        say(m[2], false);
        pass(S);
        ck_assert(!m[3]->superseded);
        ck_assert_int_eq(current()->verdict.health, DIAG_UNHEALTHY);
}
END_TEST

START_TEST(copies_what_stands_beside_nodes)
{
        char name[] = "prod", observer[] = "10.0.0.1";

        facts.cluster_name = name;
        facts.views[0] = (struct diag_peer_view){.observer = observer, .health = DIAG_HEALTHY};
        facts.n_views = 1;
        publisher_touch_facts(publisher);
        pass(S);
        memset(name, 'x', 4);
        memset(observer, 'x', 4);
        ck_assert_uint_eq(n_published, 1);
        ck_assert_str_eq(current()->cluster_name, "prod");
        ck_assert_str_eq(current()->cluster_id, "");
        ck_assert_uint_eq(current()->n_views, 1);
        ck_assert_str_eq(current()->views[0].observer, "10.0.0.1");
}
END_TEST

/* --- rounds -------------------------------------------------------------------------------------- */

START_TEST(knows_when_all_were_asked)
{
        struct node *a, *b;
        uint64_t first;

        ck_assert(publisher_asked_all(publisher)); /* there is nobody */
        a = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);
        b = add(DIAG_SOURCE_STATIC, "m2", DIAG_ROLE_MASTER);
        say(a, true);
        pass(S);
        ck_assert(!publisher_asked_all(publisher));
        ck_assert_uint_eq(current()->round_wall_usec, 0);
        say(b, false);
        pass(S);
        ck_assert(publisher_asked_all(publisher));
        first = current()->round_wall_usec;
        ck_assert_uint_gt(first, 0);
        n_published = 0;
        publisher_note_round(publisher);
        ck_assert_uint_eq(n_published, 1); /* though nothing differs but that */
        ck_assert_uint_gt(current()->round_wall_usec, first);
        add(DIAG_SOURCE_STATIC, "m3", DIAG_ROLE_MASTER)->alias_of = a;
        ck_assert(publisher_asked_all(publisher));
}
END_TEST

/* --- out of memory ------------------------------------------------------------------------------- */

/* Whichever allocation fails: the view stays what it was, and is made good. */
START_TEST(keeps_its_view_without_memory)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "m1", DIAG_ROLE_MASTER);
        uint64_t n_failed = 1;

        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        pass(S);
        for (uint64_t first = 1; n_failed; first++) {
                const struct diag_snapshot *s = current();
                uint64_t seq = s->seq;

                ck_assert_uint_lt(first, 1000);
                n->port++;
                publisher_touch(publisher, n);
                fail_alloc_begin(first, FAIL_ALLOC_REST);
                publisher_now(publisher);
                n_failed = fail_alloc_end();
                if (n_failed) {
                        ck_assert_ptr_eq(current(), s);
                        ck_assert_uint_eq(current()->seq, seq);
                }
                pass(2 * S);
                ck_assert_uint_eq(current()->members[0]->port, n->port);
                ck_assert_uint_eq(current()->seq, seq + 1);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("publisher");
        TCase *t = tcase_create("it");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, begins_with_nobody);
        tcase_add_test(t, tells_news_soon);
        tcase_add_test(t, takes_many_together);
        tcase_add_test(t, says_nothing_where_nothing_differs);
        tcase_add_test(t, does_not_wait_for_who_waits);
        tcase_add_test(t, numbers_news);
        tcase_add_test(t, shows_whom_it_may);
        tcase_add_loop_test(t, lets_nodes_go, 0, 2);
        tcase_add_test(t, finds_who_is_superseded);
        tcase_add_test(t, copies_what_stands_beside_nodes);
        tcase_add_test(t, knows_when_all_were_asked);
        tcase_add_test(t, keeps_its_view_without_memory);
        suite_add_tcase(s, t);
        return test_main(s);
}
