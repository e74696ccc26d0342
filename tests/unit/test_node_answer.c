/* It answers, says that nothing changed, or lets a request wait. */

#include <stdio.h>

#include "api/conditional.h"
#include "api/node_answer.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define S        USEC_PER_SEC
#define T        (UINT64_C(1000) * S) /* when the request came */
#define INSTANCE UINT64_C(0x9f3c2a11d0b4e677)

#define ETAG(seq) "\"9f3c2a11d0b4e677." #seq "\""
#define OTHER     "\"0000000000000001.9\""

static uint64_t now = T;

/* A test that moves it has no parked: that one's thread looks at the clock, too. */
static void set_clock(void)
{
        now = T;
        clock_fake(&now);
}

static struct diag_report *build(enum diag_phase phase, enum diag_health health,
                                 const struct diag_report *previous)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system nothing = {0};
        const struct diag_component c = {.name = "a.service", .health = health};
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        r->instance = INSTANCE;
        r->phase = phase;
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_int_eq(diag_report_seal(r, previous, 1, NULL, NULL), 0);
        return r;
}

static int spell(const struct request *q, struct reply *r, const struct feed_view *v)
{
        (void)q;
        return reply_text(r, 200, "%s seq %u", diag_health_to_string(v->report->health),
                          (unsigned)v->report->seq);
}

static const struct node_spelling strong = {.strong = true, .spell = spell},
                                  weak = {.strong = false, .spell = spell};

static const char *header(const struct reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (streq(r->headers[i].name, name))
                        return r->headers[i].value;
        return "-";
}

/*
 * The report has seq 3, the one before it 2. With damped, nobody is to be woken for 3 yet.
 */
struct answer_case {
        const char *name, *if_none_match, *prefer;
        uint64_t asked; /* after T: when the handler runs */
        enum diag_phase phase;
        bool stale, damped, may_not_park;
        unsigned want_status; /* 0: parked */
        uint64_t want_until;  /* after T */
        const char *want_body, *want_etag;
};

#define RUNNING .phase = DIAG_PHASE_RUNNING
#define BODY    .want_status = 200, .want_body = "healthy seq 3\n", .want_etag = ETAG(3)
#define SAME    .want_status = 304, .want_etag = ETAG(3)

/* clang-format off */
static const struct answer_case cases[] = {
        /* --- without waiting --- */
        {"anybody", NULL, NULL, RUNNING, BODY},
        {"who has it", ETAG(3), NULL, RUNNING, SAME},
        {"who has it, weakly", "W/" ETAG(3), NULL, RUNNING, SAME},
        {"who has it among others", OTHER ", " ETAG(2) ", " ETAG(3), NULL, RUNNING, SAME},
        {"who has anything", "*", NULL, RUNNING, SAME},
        {"who has an older one", ETAG(2), NULL, RUNNING, BODY},
        {"who has one of the future", ETAG(4), NULL, RUNNING, BODY},
        {"who has one of another run", OTHER, NULL, RUNNING, BODY},
        {"who has nonsense", "nonsense", NULL, RUNNING, BODY},
        {"who has it, damped or not", ETAG(3), NULL, RUNNING, .damped = true, SAME},
        {"who has the last that woke", ETAG(2), NULL, RUNNING, .damped = true, BODY},

        /* --- waiting --- */
        {"waits and has it: until it would go stale", ETAG(3), "wait=25", RUNNING,
         .want_until = FEED_BEAT_MAX_AGE_USEC + USEC_PER_MSEC},
        {"waits and has it, for less than it may stay unseen", ETAG(3), "wait=5", RUNNING,
         .want_until = 5 * S},
        {"waits and has nothing", NULL, "wait=25", RUNNING, BODY},
        {"waits and has an older one", ETAG(2), "wait=25", RUNNING, BODY},
        {"waits and has one of another run", OTHER, "wait=25", RUNNING, BODY},
        {"waits and has one of the future", ETAG(4), "wait=25", RUNNING, BODY},
        {"waits and has anything", "*", "wait=5", RUNNING, .want_until = 5 * S},
        {"waits, and the change is damped", ETAG(2), "wait=5", RUNNING, .damped = true,
         .want_until = 5 * S},
        {"waited, and the change is damped", ETAG(2), "wait=5", 5 * S, RUNNING, .damped = true,
         BODY},
        {"waits and has the damped change", ETAG(3), "wait=5", RUNNING, .damped = true,
         .want_until = 5 * S},
        {"waits, and has what is older than the last that woke", ETAG(1), "wait=5", RUNNING,
         .damped = true, BODY},
        {"waited in part", ETAG(3), "wait=5", 4 * S, RUNNING, .want_until = 5 * S},
        {"waited", ETAG(3), "wait=5", 5 * S, RUNNING, SAME},
        {"waited longer", ETAG(3), "wait=5", 6 * S, RUNNING, SAME},
        {"may not wait", ETAG(3), "wait=5", RUNNING, .may_not_park = true, SAME},
        {"does not want to wait", ETAG(3), "wait=0", RUNNING, SAME},
        {"wants something else", ETAG(3), "respond-async", RUNNING, SAME},

        /* --- stale: never "not modified", never waiting, no entity tag --- */
        {"stale", NULL, NULL, RUNNING, .stale = true, .want_status = 200,
         .want_body = "unknown seq 3\n", .want_etag = "-"},
        {"stale, who has it", ETAG(3), NULL, RUNNING, .stale = true, .want_status = 200,
         .want_body = "unknown seq 3\n", .want_etag = "-"},
        {"stale, who has anything", "*", "wait=25", RUNNING, .stale = true, .want_status = 200,
         .want_body = "unknown seq 3\n", .want_etag = "-"},
        {"stale, who waits", ETAG(3), "wait=25", RUNNING, .stale = true, .want_status = 200,
         .want_body = "unknown seq 3\n", .want_etag = "-"},

        /* --- starting: held for 2 s --- */
        {"starting", NULL, NULL, .want_until = 2 * S},
        {"starting, who has one of another run", OTHER, "wait=25", .want_until = 2 * S},
        {"starting, who has it", ETAG(3), NULL, .want_until = 2 * S},
        {"starting for 2 s", NULL, NULL, 2 * S, BODY},
        {"starting, may not wait", NULL, NULL, .may_not_park = true, BODY},

        /* --- stopping: whoever waits is told --- */
        {"stopping", NULL, NULL, .phase = DIAG_PHASE_STOPPING, BODY},
        {"stopping, who waits", ETAG(2), "wait=25", .phase = DIAG_PHASE_STOPPING, BODY},
        {"stopping, who waits and is not to be woken yet", ETAG(2), "wait=25",
         .phase = DIAG_PHASE_STOPPING, .damped = true, BODY},
        {"stopping, who waits and knows", ETAG(3), "wait=25", .phase = DIAG_PHASE_STOPPING, SAME},
};
/* clang-format on */

static struct feed *open_feed(struct parked *p, const struct answer_case *k)
{
        struct diag_report *first = build(k->phase, DIAG_UNHEALTHY, NULL),
                           *second = build(k->phase, DIAG_HEALTHY, first);
        struct feed *f;

        ck_assert_uint_eq(first->seq, 2);
        ck_assert_uint_eq(second->seq, 3);
        ck_assert_int_eq(feed_new(&f, p, diag_report_ref(k->damped ? first : second)), 0);
        feed_publish(f, second);
        diag_report_unref(first);
        if (k->asked || k->stale)
                now = T + k->asked + (k->stale ? 100 * S : 0);
        if (!k->stale) {
                feed_confirm(f);
                feed_beat(f);
        }
        return f;
}

START_TEST(answers)
{
        const struct answer_case *k = &cases[_i];
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, k);
        _cleanup_(reply_done) struct reply r = {0};
        struct node_host host = {.feed = f};
        const struct request q = {
                .method = "GET",
                .path = "/",
                .query = "",
                .if_none_match = k->if_none_match,
                .prefer = k->prefer,
                .received_mono_usec = T,
                .may_park = !k->may_not_park,
                .host = &host,
        };
        uint64_t until = k->want_status ? 0 : T + k->want_until;

        ck_assert_int_eq(node_answer(&q, &r, &strong), 0);
        ck_assert_msg(r.status == k->want_status && r.park_until_mono_usec == until,
                      "%s: status %u, until %u ms", k->name, r.status,
                      r.park_until_mono_usec ? (unsigned)((r.park_until_mono_usec - T) / 1000) : 0);
        if (!k->want_status)
                return;
        ck_assert_str_eq(header(&r, "ETag"), k->want_etag);
        ck_assert_str_eq(r.body ? blob_data(r.body) : "", str_or(k->want_body, ""));
}
END_TEST

/* clang-format off */
static const struct {
        const char *prefer, *want_applied;
        bool may_not_park;
        uint64_t age;
        const char *want_age;
} descriptions[] = {
        {NULL, "-", false, 0, "0.0"},
        {"wait=5", "wait=5", false, 800 * USEC_PER_MSEC, "0.8"},
        {"wait=5000", "wait=60", false, 12 * S + 999 * USEC_PER_MSEC, "12.9"},
        {"wait=0", "-", false, USEC_INFINITY, "-"},
        /* Where it would not have waited it must not say so: others would stop asking. */
        {"wait=5", "-", true, 0, "0.0"},
};
/* clang-format on */

START_TEST(describes_its_answer)
{
        _cleanup_(feed_freep) struct feed *f = NULL;
        struct node_host host;
        const struct request q = {.prefer = descriptions[_i].prefer,
                                  .received_mono_usec = T,
                                  .may_park = !descriptions[_i].may_not_park,
                                  .host = &host};

        ck_assert_int_eq(feed_new(&f, NULL, build(DIAG_PHASE_RUNNING, DIAG_UNKNOWN, NULL)), 0);
        host.feed = f;
        if (descriptions[_i].age != USEC_INFINITY) {
                feed_confirm(f);
                now += descriptions[_i].age;
        }
        for (size_t i = 0; i < 2; i++) {
                _cleanup_(reply_done) struct reply r = {0};

                ck_assert_int_eq(node_answer(&q, &r, i ? &weak : &strong), 0);
                ck_assert_str_eq(header(&r, "ETag"), i ? "W/" ETAG(2) : ETAG(2));
                ck_assert_str_eq(header(&r, "Preference-Applied"), descriptions[_i].want_applied);
                ck_assert_str_eq(header(&r, "Diag-Confirmed-Age"), descriptions[_i].want_age);
        }
}
END_TEST

START_TEST(describes_not_modified_too)
{
        _cleanup_(feed_freep) struct feed *f = NULL;
        _cleanup_(reply_done) struct reply r = {0};
        struct node_host host;
        const struct request q = {.if_none_match = ETAG(2),
                                  .prefer = "wait=5",
                                  .received_mono_usec = T,
                                  .may_park = true,
                                  .host = &host};

        ck_assert_int_eq(feed_new(&f, NULL, build(DIAG_PHASE_RUNNING, DIAG_UNKNOWN, NULL)), 0);
        feed_confirm(f);
        host.feed = f;
        now += 5 * S;
        ck_assert_int_eq(node_answer(&q, &r, &weak), 0);
        ck_assert_uint_eq(r.status, 304);
        ck_assert_str_eq(header(&r, "ETag"), "W/" ETAG(2));
        ck_assert_str_eq(header(&r, "Preference-Applied"), "wait=5");
        ck_assert_str_eq(header(&r, "Diag-Confirmed-Age"), "5.0");
        ck_assert_str_eq(header(&r, "Cache-Control"), "no-cache");
}
END_TEST

/* What a parked request sees when it runs again: the same rules, its own deadline. */
START_TEST(answers_when_it_runs_again)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        _cleanup_(feed_freep) struct feed *f = NULL;
        struct node_host host;
        const struct request q = {.if_none_match = ETAG(3),
                                  .prefer = "wait=10",
                                  .received_mono_usec = T,
                                  .may_park = true,
                                  .host = &host};
        struct reply r = {0};

        ck_assert_int_eq(parked_new(&p), 0);
        host.feed = f = open_feed(p, &(struct answer_case){RUNNING});
        ck_assert_int_eq(node_answer(&q, &r, &strong), 0);
        ck_assert_uint_eq(r.park_until_mono_usec, T + 10 * S);
        feed_publish(f, build(DIAG_PHASE_RUNNING, DIAG_UNHEALTHY, feed_current(f)));
        r = (struct reply){0};
        ck_assert_int_eq(node_answer(&q, &r, &strong), 0); /* nobody is to be woken yet */
        ck_assert_uint_eq(r.park_until_mono_usec, T + 10 * S);
        feed_wake(f, 4);
        r = (struct reply){0};
        ck_assert_int_eq(node_answer(&q, &r, &strong), 0);
        ck_assert_uint_eq(r.status, 200);
        ck_assert_str_eq(header(&r, "ETag"), ETAG(4));
        reply_done(&r);
}
END_TEST

/* Systemd falls silent while somebody waits: he is told when nobody can vouch for it any more. */
START_TEST(tells_who_waits_that_it_is_stale)
{
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, &(struct answer_case){RUNNING});
        _cleanup_(reply_done) struct reply told = {0};
        struct node_host host = {.feed = f};
        const struct request q = {.if_none_match = ETAG(3),
                                  .prefer = "wait=60",
                                  .received_mono_usec = T,
                                  .may_park = true,
                                  .host = &host};
        struct reply r = {0};

        ck_assert_int_eq(node_answer(&q, &r, &strong), 0);
        ck_assert_uint_gt(r.park_until_mono_usec, T);
        now = r.park_until_mono_usec;
        ck_assert_int_eq(node_answer(&q, &told, &strong), 0);
        ck_assert_uint_eq(told.status, 200);
        ck_assert_str_eq(blob_data(told.body), "unknown seq 3\n");
        ck_assert_str_eq(header(&told, "ETag"), "-");
        ck_assert_str_eq(header(&told, "Preference-Applied"), "-");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("node_answer");
        TCase *tc = tcase_create("node_answer");

        tcase_add_checked_fixture(tc, set_clock, NULL);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, describes_its_answer, 0, ELEMENTSOF(descriptions));
        tcase_add_test(tc, describes_not_modified_too);
        tcase_add_test(tc, answers_when_it_runs_again);
        tcase_add_test(tc, tells_who_waits_that_it_is_stale);
        suite_add_tcase(s, tc);
        return test_main(s);
}
