/* What other masters are asked, and what is made of their answers. */

#include <errno.h>

#include "aggregator/bundle_peers.h"
#include "net/url.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define BUNDLE                                                                                         \
        "{\"id\":\"b1\",\"type\":\"cluster\",\"state\":\"done\",\"created\":\"2026-11-21T00:04:07Z\"," \
        "\"request\":{\"nodes\":[],\"kinds\":[],\"format\":\"tar.zst\",\"redact\":true},"              \
        "\"size_bytes\":7,\"partial\":false,\"nodes\":[]}"

static struct loop *loop;
static struct fetcher *fetcher;
static struct bundle_peers *peers;
static struct scripted_server server;
static struct scripted_reply reply;

/* 127.0.0.1 answers as @bytes says; at 127.0.0.2 nobody listens. */
static void start(const char *bytes)
{
        static const char *const addresses[] = {"127.0.0.1", "127.0.0.2"};
        struct bundle_peers_options options = {0};

        reply = (struct scripted_reply){.bytes = bytes};
        server = (struct scripted_server){.replies = &reply, .n_replies = 1};
        loop_block_signals();
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, NULL), 0);
        scripted_server_on_loopback(&server);
        options.fetcher = fetcher;
        options.port = (uint16_t)strtoul(strrchr(server.url, ':') + 1, NULL, 10);
        ck_assert_int_eq(bundle_peers_new(&peers, &options), 0);
        bundle_peers_set(peers, addresses, 2);
        bundle_peers_set(peers, addresses, 2);
        ck_assert_uint_eq(bundle_peers_n(peers), 2);
        scripted_server_start(&server);
}

static void stop(void)
{
        scripted_server_join(&server);
        bundle_peers_free(peers);
        fetcher_free(fetcher);
        loop_free(loop);
}

static const struct peer_case {
        enum bundle_question_kind kind;
        const char *request; /* how it begins */
        const char *reply;
        unsigned long status;
        const char *text, *reason;
        size_t n_bundles;
} cases[] = {
        {BUNDLE_QUESTION_LIST,   "GET /system/health/v2/bundles?own=1 ",
         OK "{\"items\":[" BUNDLE "," BUNDLE "],\"total\":2}",                                                                          200, "",                  "",               2},
        {BUNDLE_QUESTION_LIST,   "GET /system/health/v2/bundles?own=1 ",            OK "{\"items\":[]}",                                200, "",
         "",                                                                                                                                                                        0},
        {BUNDLE_QUESTION_LIST,   "GET /system/health/v2/bundles?own=1 ",            OK "<html>",                                        0,
         "cannot be read",                                                                                                                                        "",               0},
        {BUNDLE_QUESTION_GET,    "GET /system/health/v2/bundles/b1?own=1 ",         OK BUNDLE,                                          200, "",                  "",               1},
        {BUNDLE_QUESTION_GET,    "GET /system/health/v2/bundles/b1?own=1 ",
         "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"code\":404,\"error\":\"there is none\",\"reason\":\"no-such-bundle\"}",
         404,                                                                                                                                "there is none",     "no-such-bundle", 0},
        {BUNDLE_QUESTION_GET,    "GET /system/health/v2/bundles/b1?own=1 ",
         "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n{\"error\":\"no\\nno\",\"reason\":\"NO WAY\"}",
         403,                                                                                                                                "no?no",             "",               0},
        {BUNDLE_QUESTION_GET,    "GET /system/health/v2/bundles/b1?own=1 ",
         "HTTP/1.1 302 Found\r\nConnection: close\r\n\r\n",                                                                             0,   "it answers 302",    "",               0},
        {BUNDLE_QUESTION_GET,    "GET /system/health/v2/bundles/b1?own=1 ",
         OK "{\"id\":\"b2\",\"type\":\"cluster\"}",                                                                                     0,   "of another bundle", "",               0},
        {BUNDLE_QUESTION_CANCEL, "POST /system/health/v2/bundles/b1/cancel?own=1 ", OK BUNDLE,                                          200,
         "",                                                                                                                                                      "",               1},
        {BUNDLE_QUESTION_DELETE, "DELETE /system/health/v2/bundles/b1?own=1 ",      OK BUNDLE,                                          200, "",
         "",                                                                                                                                                                        1},
        {BUNDLE_QUESTION_DELETE, "DELETE /system/health/v2/bundles/b1?own=1 ",      "rubbish\r\n\r\n",                                  0,
         "",                                                                                                                                                      "",               0},
};

static const struct peer_case *asked;

static void on_answers(struct bundle_answer *answers, size_t n, void *userdata)
{
        const struct bundle_answer *a = &answers[0];

        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(a->address, "127.0.0.1");
        ck_assert_msg(a->status == asked->status, "%u: %s", a->status, a->refusal.text);
        ck_assert_msg(strstr(a->refusal.text, asked->text), "%s", a->refusal.text);
        ck_assert_str_eq(a->refusal.reason, asked->reason);
        ck_assert_uint_eq(a->n_bundles, asked->n_bundles);
        for (size_t i = 0; i < a->n_bundles; i++)
                ck_assert_str_eq(a->bundles[i]->id, "b1");
        ck_assert_uint_eq(answers[1].status, 0);
        ck_assert_str_eq(answers[1].refusal.text, "connection refused");
        *(bool *)userdata = true;
}

START_TEST(asks_all_of_them)
{
        struct bundle_question *q;
        bool done = false;

        asked = &cases[_i];
        start(asked->reply);
        ck_assert_int_eq(bundle_question_new(&q, peers, asked->kind,
                                             asked->kind == BUNDLE_QUESTION_LIST ? NULL : "b1",
                                             on_answers, &done),
                         0);
        ck_assert(!done); /* never from within */
        while (!done)
                ck_assert_int_ge(sd_event_run(loop_event(loop), UINT64_MAX), 0);
        bundle_question_free(q);
        stop();
        ck_assert_msg(strncmp(server.last_request, asked->request, strlen(asked->request)) == 0,
                      "%s", server.last_request);
}
END_TEST

START_TEST(asks_nobody_where_nobody_is)
{
        const struct bundle_peers_options options = {0};
        struct bundle_question *q = NULL;
        char url[NODE_URL_MAX];

        ck_assert_int_eq(bundle_peers_new(&peers, &options), 0);
        ck_assert_int_eq(
                bundle_question_new(&q, peers, BUNDLE_QUESTION_LIST, NULL, on_answers, NULL),
                -ENOENT);
        ck_assert_ptr_null(q);
        ck_assert_int_eq(bundle_peers_file_url(peers, "2001:db8::1", "b1", url, sizeof(url)), 0);
        ck_assert_str_eq(url, "http://[2001:db8::1]:1050/system/health/v2/bundles/b1/file?own=1");
        ck_assert_int_eq(bundle_peers_file_url(peers, "10.0.0.1", "b1", url, 20), -ENAMETOOLONG);
        bundle_peers_free(peers);
}
END_TEST

static const struct {
        const char *json;
        int result;
        uint64_t likely, max;
} estimates[] = {
        {"{\"likely_bytes\":1,\"max_bytes\":2,\"fits\":true}",     0,        1, 2},
        {"{\"likely_bytes\":0,\"max_bytes\":0}",                   0,        0, 0},
        {"{\"likely_bytes\":3,\"max_bytes\":2}",                   -EBADMSG, 0, 0},
        {"{\"likely_bytes\":-1,\"max_bytes\":2}",                  -EBADMSG, 0, 0},
        {"{\"likely_bytes\":1,\"max_bytes\":9223372036854775807}", -EBADMSG, 0, 0},
        {"{\"likely_bytes\":1}",                                   -EBADMSG, 0, 0},
        {"[]",                                                     -EBADMSG, 0, 0},
        {"",                                                       -EBADMSG, 0, 0},
};

START_TEST(reads_estimates)
{
        uint64_t likely = 0, max = 0;

        ck_assert_int_eq(
                bundle_estimate_read(&likely, &max, estimates[_i].json, strlen(estimates[_i].json)),
                estimates[_i].result);
        ck_assert_uint_eq(likely, estimates[_i].likely);
        ck_assert_uint_eq(max, estimates[_i].max);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("bundle_peers");
        TCase *t = tcase_create("bundle_peers");

        tcase_add_loop_test(t, asks_all_of_them, 0, ELEMENTSOF(cases));
        tcase_add_test(t, asks_nobody_where_nobody_is);
        tcase_add_loop_test(t, reads_estimates, 0, ELEMENTSOF(estimates));
        suite_add_tcase(s, t);
        return test_main(s);
}
