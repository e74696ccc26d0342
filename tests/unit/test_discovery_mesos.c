/* It finds the agents with whoever leads, follows one hop and no further, and keeps what it was told. */

#include "aggregator/discovery_mesos.h"
#include "base/mono.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/findings.h"

#define OK(body)     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" body
#define AGENTS(list) OK("{\"slaves\":[" list "]}")
#define AGENT(h)     "{\"hostname\":\"" h "\",\"attributes\":{},\"active\":true}"
#define PUBLIC(h) \
        "{\"attributes\":{\"public_ip\":\"true\"},\"hostname\":\"" h "\",\"active\":false}"
#define NO_LEADER     "HTTP/1.1 503 Service Unavailable\r\n\r\nNo leader elected"
#define INTERVAL_USEC (10 * USEC_PER_MSEC)
#define ONE_DAY_USEC  (UINT64_C(86400) * USEC_PER_SEC)

static struct findings findings;
static struct fetcher *fetcher;
static struct discovery_mesos *mesos;

static void setup(void)
{
        memset(&findings, 0, sizeof(findings));
        ck_assert_int_eq(loop_new(&findings.loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, findings.loop, NULL), 0);
}

static void teardown(void)
{
        mesos = discovery_mesos_free(mesos);
        fetcher = fetcher_free(fetcher);
        findings_done(&findings);
}

static void ask(const char *const *urls, size_t n, uint64_t interval_usec)
{
        const struct discovery_mesos_conf conf = {
                .urls = urls, .n_urls = n, .interval_usec = interval_usec};

        ck_assert_int_eq(discovery_mesos_new(&mesos, findings.loop, fetcher, &conf, findings_take,
                                             &findings),
                         0);
        ck_assert_uint_eq(findings.n, 0);
}

static void ask_one(struct scripted_server *s, uint64_t interval_usec)
{
        scripted_server_start(s);
        ask((const char *const[]){s->url}, 1, interval_usec);
}

static void expect(const char *said, const char *error)
{
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), said);
        ck_assert_str_eq(findings.error, error);
}

static uint16_t port_of(const struct scripted_server *s)
{
        return (uint16_t)strtoul(strrchr(s->url, ':') + 1, NULL, 10);
}

/* --- one master -------------------------------------------------------------------------------- */

static const struct {
        const char *answer, *said, *error;
} story[] = {
        {AGENTS(AGENT("10.0.0.5") "," PUBLIC("10.0.0.6")),
         "ok: agent=10.0.0.5 agent_public=10.0.0.6",                                            ""                                                    },
        {NO_LEADER,                                                       "no-leader",          "127.0.0.1: it answered with status 503: nobody leads"},
        {"HTTP/1.1 500 No\r\n\r\n",                                       "failed",             "127.0.0.1: it answered with status 500"              },
        {AGENTS(""),                                                      "ok:",                ""                                                    },
        {OK("{}"),                                                        "failed",             "127.0.0.1: its answer has no list of agents"         },
        {OK("{\"slaves\":[" AGENT("10.0.0.5") ",,"),                      "failed",
         "127.0.0.1: its answer is no JSON with a list of agents, or is cut off"                                                                      },
        {OK("{\"slaves\":[" AGENT("10.0.0.5") "]"),                       "failed",
         "127.0.0.1: its answer is no JSON with a list of agents, or is cut off"                                                                      },
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"slaves\":[]}", "failed",             NULL                                                  },
        {AGENTS(AGENT("a b") "," AGENT("10.0.0.7") ",7"),                 "ok: agent=10.0.0.7",
         "2 left out: 'a b' is neither an IP address nor a name"                                                                                      },
        {"no",                                                            "failed",             NULL                                                  },
};

START_TEST(hands_on_what_it_says)
{
        struct scripted_reply replies[ELEMENTSOF(story)];
        struct scripted_server s = {.replies = replies, .n_replies = ELEMENTSOF(story)};
        uint64_t seen = 0;

        for (size_t i = 0; i < ELEMENTSOF(story); i++)
                replies[i] = (struct scripted_reply){.bytes = story[i].answer};
        scripted_server_on_loopback(&s);
        ask_one(&s, INTERVAL_USEC);
        for (size_t i = 0; i < ELEMENTSOF(story); i++) {
                findings_wait(&findings, 1);
                ck_assert_str_eq(buf_cstr(&findings.said), story[i].said);
                if (story[i].error)
                        ck_assert_str_eq(findings.error, story[i].error);
                if (strncmp(story[i].said, "ok", 2) == 0) /* its age is that of the last good one */
                        ck_assert_uint_gt(findings.seen_boot_usec, seen);
                else
                        ck_assert_uint_eq(findings.seen_boot_usec, seen);
                seen = findings.seen_boot_usec;
        }
        scripted_server_join(&s);
        ck_assert_ptr_nonnull(strstr(s.last_request, "GET /slaves HTTP/1.1\r\n"));
}
END_TEST

START_TEST(takes_no_endless_list)
{
        static char blanks[1u << 20];
        struct scripted_reply endless = {.head = OK("{\"slaves\":["),
                                         .bytes = blanks,
                                         .n = sizeof(blanks),
                                         .then = THEN_FLOOD};
        struct scripted_server s = {.replies = &endless, .n_replies = 1};

        memset(blanks, ' ', sizeof(blanks));
        scripted_server_on_loopback(&s);
        ask_one(&s, ONE_DAY_USEC);
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "failed");
        scripted_server_join(&s);
}
END_TEST

START_TEST(can_be_freed_while_it_asks)
{
        static const struct scripted_reply silent = {.bytes = OK("{\"slaves\":[" AGENT("10.0.0.5")),
                                                     .then = THEN_STALL};
        struct scripted_server s = {.replies = &silent, .n_replies = 1};

        scripted_server_on_loopback(&s);
        ask_one(&s, ONE_DAY_USEC);
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 1000), 0);
        mesos = discovery_mesos_free(mesos);
        scripted_server_join(&s);
        ck_assert_uint_eq(findings.n, 0);
}
END_TEST

/* --- several ----------------------------------------------------------------------------------- */

/* "%u" is the port of the one that leads. */
static const struct {
        const char *location;
        bool is_followed;
} locations[] = {
        {"//127.0.0.1:%u/slaves",          true },
        {"http://127.0.0.1:%u/slaves",     true },
        {"HTTP://127.0.0.1:%u/slaves",     true },
        {"//localhost:%u/slaves",          true },
        {"//127.0.0.1:%u/state",           false},
        {"//127.0.0.1:%u/slaves/",         false},
        {"//127.0.0.1:%u/slaves?x",        false},
        {"//127.0.0.1:%u",                 false},
        {"https://127.0.0.1:%u/slaves",    false},
        {"ftp://127.0.0.1:%u/slaves",      false},
        {"//user@127.0.0.1:%u/slaves",     false},
        {"//127.0.0.1 :%u/slaves",         false},
        {"//:%u/slaves",                   false},
        {"//[127.0.0.1:%u/slaves",         false},
        {"//127.0.0.1:0%u/slaves:",        false},
        {"//127.0.0.1:/slaves",            false},
        {"//127.0.0.1:0/slaves",           false},
        {"//127.0.0.1:65536/slaves",       false},
        {"//127.0.0.1:99999999999/slaves", false},
        {"/slaves",                        false},
        {"slaves",                         false},
        {"",                               false},
};

START_TEST(follows_to_the_leader_alone)
{
        static const struct scripted_reply list = {.bytes = AGENTS(AGENT("10.0.0.5"))};
        char location[64], answer[256];
        const struct scripted_reply to_leader = {.bytes = answer};
        struct scripted_server leader = {.replies = &list, .n_replies = 1},
                               other = {.replies = &to_leader, .n_replies = 1};

        scripted_server_on_loopback(&leader);
        scripted_server_start(&leader);
        scripted_server_on_loopback(&other);
        (void)snprintf(location, sizeof(location), locations[_i].location, port_of(&leader));
        (void)snprintf(
                answer, sizeof(answer),
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                location);
        ask_one(&other, ONE_DAY_USEC);
        if (locations[_i].is_followed) {
                expect("ok: agent=10.0.0.5", "");
                scripted_server_join(&leader);
                ck_assert_ptr_nonnull(strstr(leader.last_request, "GET /slaves HTTP/1.1\r\n"));
        } else {
                expect("failed", "127.0.0.1: it answered with status 307, which leads to nobody "
                                 "who may be asked");
                (void)shutdown(leader.listen_fd, SHUT_RDWR);
                scripted_server_join(&leader);
                ck_assert_str_eq(leader.last_request, "");
        }
        scripted_server_join(&other);
}
END_TEST

/* Two masters that each take the other for the leader. */
START_TEST(follows_once)
{
        char to_a[256], to_b[256];
        const struct scripted_reply a_says[] = {{.bytes = to_b}}, b_says[] = {{.bytes = to_a}};
        struct scripted_server a = {.replies = a_says, .n_replies = 1},
                               b = {.replies = b_says, .n_replies = 1};

        scripted_server_on_loopback(&a);
        scripted_server_on_loopback(&b);
        (void)snprintf(to_a, sizeof(to_a), "HTTP/1.1 307 T\r\nLocation: //%s/slaves\r\n\r\n",
                       a.url + strlen("http://"));
        (void)snprintf(to_b, sizeof(to_b), "HTTP/1.1 307 T\r\nLocation: //%s/slaves\r\n\r\n",
                       b.url + strlen("http://"));
        scripted_server_start(&b);
        ask_one(&a, ONE_DAY_USEC);
        expect("failed",
               "127.0.0.1: it answered with status 307, which leads to nobody who may be asked");
        scripted_server_join(&a);
        scripted_server_join(&b);
}
END_TEST

START_TEST(tries_one_after_the_other)
{
        static const struct scripted_reply none = {.bytes = NO_LEADER},
                                           list = {.bytes = AGENTS(AGENT("10.0.0.5"))};
        struct scripted_server a = {.replies = &none, .n_replies = 1},
                               b = {.replies = &list, .n_replies = 1};

        scripted_server_on_loopback(&a);
        scripted_server_start(&a);
        scripted_server_on_loopback(&b);
        scripted_server_start(&b);
        ask((const char *const[]){"http://127.0.0.1:1", a.url, b.url}, 3, ONE_DAY_USEC);
        expect("ok: agent=10.0.0.5", "");
        scripted_server_join(&a);
        scripted_server_join(&b);
}
END_TEST

START_TEST(says_when_nobody_leads)
{
        static const struct scripted_reply none = {.bytes = NO_LEADER};
        struct scripted_server s = {.replies = &none, .n_replies = 1};

        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        ask((const char *const[]){"http://127.0.0.1:1", s.url}, 2, ONE_DAY_USEC);
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "no-leader");
        scripted_server_join(&s);
}
END_TEST

/* --- with ZooKeeper ---------------------------------------------------------------------------- */

static void set_masters(const struct found *masters, size_t n, uint16_t port)
{
        ck_assert_int_eq(discovery_mesos_set_masters(mesos, masters, n, port), 0);
}

START_TEST(asks_whom_zookeeper_names)
{
        static const struct scripted_reply lists[] = {{.bytes = AGENTS(AGENT("10.0.0.5"))},
                                                      {.bytes = AGENTS(AGENT("10.0.0.6"))}};
        struct scripted_server s = {.replies = lists, .n_replies = 2};
        struct found masters[] = {
                {.address = "127.0.0.1",
                 .role = DIAG_ROLE_MASTER,
                 .hostname = "m1",
                 .leader = true},
                {.address = "10.0.0.2",         .role = DIAG_ROLE_MASTER        },
        };

        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        ask(NULL, 0, ONE_DAY_USEC);
        expect("no-leader", ""); /* nobody is known to ask */
        set_masters(masters, 2, port_of(&s));
        ck_assert_str_eq(buf_cstr(&findings.said),
                         "no-leader: master=127.0.0.1(m1)* master=10.0.0.2");
        expect("ok: master=127.0.0.1(m1)* master=10.0.0.2 agent=10.0.0.5", "");

        set_masters(masters, 2, port_of(&s)); /* no news */
        ck_assert_uint_eq(findings.n, 3);
        masters[1].address = "10.0.0.3"; /* another one, but the same leads: no reason to ask */
        set_masters(masters, 2, port_of(&s));
        ck_assert_str_eq(buf_cstr(&findings.said),
                         "ok: master=127.0.0.1(m1)* master=10.0.0.3 agent=10.0.0.5");
        masters[0].leader = false;
        set_masters(masters, 2, port_of(&s));
        ck_assert_str_eq(buf_cstr(&findings.said),
                         "ok: master=127.0.0.1(m1) master=10.0.0.3 agent=10.0.0.5");
        expect("no-leader", "");
        masters[0].leader = true;
        set_masters(masters, 1, port_of(&s));
        expect("ok: master=127.0.0.1(m1)* agent=10.0.0.6", "");
        scripted_server_join(&s);
        set_masters(NULL, 0, 0);
        ck_assert_str_eq(buf_cstr(&findings.said), "ok: agent=10.0.0.6");
}
END_TEST

START_TEST(falls_back_to_what_is_configured)
{
        static const struct scripted_reply list = {.bytes = AGENTS(AGENT("10.0.0.5"))};
        static const struct found gone = {
                .address = "127.0.0.1", .role = DIAG_ROLE_MASTER, .leader = true};
        struct scripted_server s = {.replies = &list, .n_replies = 1};

        scripted_server_on_loopback(&s);
        ask_one(&s, ONE_DAY_USEC);
        set_masters(&gone, 1, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "connecting: master=127.0.0.1*");
        expect("ok: master=127.0.0.1* agent=10.0.0.5", "");
        scripted_server_join(&s);
}
END_TEST

/* --- configuration ----------------------------------------------------------------------------- */

START_TEST(asks_anew_when_it_is_told_whom)
{
        static const struct scripted_reply lists[] = {{.bytes = AGENTS(AGENT("10.0.0.5"))}};
        struct scripted_server s = {.replies = lists, .n_replies = 1};
        struct discovery_mesos_conf conf = {.n_urls = 1, .interval_usec = ONE_DAY_USEC};
        char url[192];

        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        ask((const char *const[]){"http://127.0.0.1:1"}, 1, ONE_DAY_USEC);
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "failed");
        (void)snprintf(url, sizeof(url), "%s//", s.url); /* as people write it */
        conf.urls = (const char *const[]){url};
        ck_assert_int_eq(discovery_mesos_set_conf(mesos, &conf), 0);
        expect("ok: agent=10.0.0.5", "");
        scripted_server_join(&s);
        ck_assert_ptr_nonnull(strstr(s.last_request, "GET /slaves HTTP/1.1\r\n"));
}
END_TEST

START_TEST(refuses_what_is_no_url)
{
        char url[600] = "http://";
        struct discovery_mesos_conf conf = {
                .urls = (const char *const[]){url}, .n_urls = 1, .interval_usec = ONE_DAY_USEC};

        memset(url + strlen("http://"), 'a', sizeof(url) - sizeof("http://"));
        ck_assert_int_lt(discovery_mesos_new(&mesos, findings.loop, fetcher, &conf, findings_take,
                                             &findings),
                         0);
        conf.urls = (const char *const[]){"leader.mesos:5050"};
        ck_assert_int_lt(discovery_mesos_new(&mesos, findings.loop, fetcher, &conf, findings_take,
                                             &findings),
                         0);
        ck_assert_ptr_null(mesos);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("discovery_mesos");
        TCase *t = tcase_create("discovery_mesos");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, hands_on_what_it_says);
        tcase_add_test(t, takes_no_endless_list);
        tcase_add_test(t, can_be_freed_while_it_asks);
        tcase_add_loop_test(t, follows_to_the_leader_alone, 0, ELEMENTSOF(locations));
        tcase_add_test(t, follows_once);
        tcase_add_test(t, tries_one_after_the_other);
        tcase_add_test(t, says_when_nobody_leads);
        tcase_add_test(t, asks_whom_zookeeper_names);
        tcase_add_test(t, falls_back_to_what_is_configured);
        tcase_add_test(t, asks_anew_when_it_is_told_whom);
        tcase_add_test(t, refuses_what_is_no_url);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
