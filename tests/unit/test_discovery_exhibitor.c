/* It hands on what Exhibitor says, again and again, and nothing when Exhibitor says nothing. */

#include "aggregator/discovery_exhibitor.h"
#include "base/mono.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/findings.h"

#define OK(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" body
#define MEMBER(c, h) \
        "{\"code\":" #c ",\"description\":\"x\",\"hostname\":\"" h "\",\"isLeader\":false}"
#define LEADER(h) \
        "{\"code\":3,\"description\":\"serving\",\"hostname\":\"" h "\",\"isLeader\":true}"
#define INTERVAL_USEC (10 * USEC_PER_MSEC)

static struct findings findings;
static struct fetcher *fetcher;
static struct discovery_exhibitor *exhibitor;

static void setup(void)
{
        memset(&findings, 0, sizeof(findings));
        ck_assert_int_eq(loop_new(&findings.loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, findings.loop, NULL), 0);
}

static void teardown(void)
{
        exhibitor = discovery_exhibitor_free(exhibitor);
        fetcher = fetcher_free(fetcher);
        findings_done(&findings);
}

static void begin(struct scripted_server *s)
{
        char url[256];

        scripted_server_on_loopback(s);
        scripted_server_start(s);
        (void)snprintf(url, sizeof(url), "%s/exhibitor/v1/cluster/status", s->url);
        ck_assert_int_eq(discovery_exhibitor_new(&exhibitor, findings.loop, fetcher, url,
                                                 INTERVAL_USEC, findings_take, &findings),
                         0);
        ck_assert_uint_eq(findings.n, 0);
}

/* One answer after the other, and what is said of each. */
static const struct {
        const char *answer, *said, *error;
} story[] = {
        {OK("[" LEADER("10.0.0.1") "," MEMBER(3, "10.0.0.2") "," MEMBER(1,     "m3.example.com") "]"),
         "ok: master=10.0.0.1* master=10.0.0.2 master=m3.example.com!",                                                                        ""},
        {"HTTP/1.1 500 No\r\n\r\n[" MEMBER(3,                                      "10.0.0.9") "]",                                "failed",
         "it answered with status 500"},
        {"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\n\r\n",                                      "failed",
         "it answered with status 307"},
        {OK("[]"),                               "failed",                     "its list of members is empty"       },
        {OK("<html>"),                              "failed", "its answer is no JSON list"                                     },
        {OK("[" MEMBER(3,                              "10.0.0.1")),                              "failed",                                      "its answer is no JSON list"                                                                                                       },
        {OK("[{}," MEMBER(3,                      "a b") "," MEMBER(2,                            "10.0.0.1") "]"),                                                                   "ok: master=10.0.0.1!",
         "2 left out: a member without 'hostname'"},
        {"no",                              "failed",                         NULL                                     },
        {OK("[" MEMBER(3,              "2001:db8::1") "]"),                                        "ok: master=2001:db8::1",                                      ""         },
};

START_TEST(hands_on_what_it_says)
{
        struct scripted_reply replies[ELEMENTSOF(story)];
        struct scripted_server s = {.replies = replies, .n_replies = ELEMENTSOF(story)};
        uint64_t seen = 0;

        for (size_t i = 0; i < ELEMENTSOF(story); i++)
                replies[i] = (struct scripted_reply){.bytes = story[i].answer};
        begin(&s);
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
        ck_assert_ptr_nonnull(
                strstr(s.last_request, "GET /exhibitor/v1/cluster/status HTTP/1.1\r\n"));
        findings_wait(&findings, 1); /* nobody listens there any more */
        ck_assert_str_eq(buf_cstr(&findings.said), "failed");
        ck_assert_str_ne(findings.error, "");
}
END_TEST

START_TEST(takes_no_endless_list)
{
        static const struct scripted_reply endless = {
                .head = OK("["), .bytes = "                ", .then = THEN_FLOOD};
        struct scripted_server s = {.replies = &endless, .n_replies = 1};

        begin(&s);
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "failed");
        scripted_server_join(&s);
}
END_TEST

START_TEST(can_be_freed_while_it_asks)
{
        static const struct scripted_reply silent = {.bytes = "H", .then = THEN_STALL};
        struct scripted_server s = {.replies = &silent, .n_replies = 1};

        begin(&s);
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 1000), 0);
        exhibitor = discovery_exhibitor_free(exhibitor);
        scripted_server_join(&s);
        ck_assert_uint_eq(findings.n, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("discovery_exhibitor");
        TCase *t = tcase_create("discovery_exhibitor");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, hands_on_what_it_says);
        tcase_add_test(t, takes_no_endless_list);
        tcase_add_test(t, can_be_freed_while_it_asks);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
