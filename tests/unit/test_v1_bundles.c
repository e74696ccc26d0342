/* It speaks the old bundle API, letter by letter, for a node and for the cluster. */

#include "api/v1_bundle_json.h"
#include "tests/unit/bundle_exchange.h"

#define NODE    "/system/health/v1/node/diagnostics"
#define CLUSTER "/system/health/v1/diagnostics"

#define ZIP "\"request\":{\"format\":\"zip\"}"
#define HEAD(id, state)                                              \
        "{\"id\":\"" id "\",\"type\":\"cluster\",\"state\":\"" state \
        "\",\"created\":\"2026-11-21T00:04:00.500Z\","
#define NEW     HEAD("a", "running") ZIP "}"
#define RUNS    HEAD("a", "running") ZIP ",\"progress\":{\"received_bytes\":1}}"
#define DONE    HEAD("a", "done") ZIP ",\"finished\":\"2026-11-21T00:05:00.000Z\",\"size_bytes\":7}"
#define TARBALL HEAD("t", "done") "\"size_bytes\":7}"
#define UNKNOWN HEAD("u", "unknown") "\"error\":\"its state.json cannot be read\"}"
#define LOCAL                                                                                                \
        "{\"id\":\"l\",\"type\":\"node\",\"state\":\"failed\",\"created\":\"2026-11-20T00:00:00.000Z\"," ZIP \
        "}"

#define STARTED    "\"started_at\":\"2026-11-21T00:04:00.500Z\",\"stopped_at\":"
#define ZERO       "\"0001-01-01T00:00:00Z\"}"
#define V1(status) "{\"id\":\"a\",\"type\":\"Cluster\",\"status\":\"" status "\"," STARTED ZERO
#define V1_DONE(status)                                                                    \
        "{\"id\":\"a\",\"type\":\"Cluster\",\"size\":7,\"status\":\"" status "\"," STARTED \
        "\"2026-11-21T00:05:00.000Z\"}"
#define V1_LOCAL                                                                                 \
        "{\"id\":\"l\",\"type\":\"Local\",\"status\":\"Failed\",\"started_at\":\"2026-11-20T00:" \
        "00:00.000Z\",\"stopped_at\":" ZERO
#define V1_TARBALL "{\"id\":\"t\",\"type\":\"Cluster\",\"size\":7,\"status\":\"Done\"," STARTED ZERO
#define V1_UNKNOWN                                                           \
        "{\"id\":\"u\",\"type\":\"Cluster\",\"status\":\"Unknown\"," STARTED \
        "\"0001-01-01T00:00:00Z\",\"errors\":[\"its state.json cannot be read\"]}"
#define ERROR(code, text) "{\"code\":" #code ",\"error\":\"" text "\"}"
#define PLAIN_404         "404 page not found\n"
#define REQUEST(nodes)       \
        "{\"nodes\":[" nodes \
        "],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"zip\",\"redact\":true}"

/* clang-format off */
static const struct {
        const char *name;
        struct question question;
        struct outcome outcome;
        unsigned want_status;
        const char *want;         /* the body, whole */
        const char *want_request; /* of CREATE */
} cases[] = {
        /* a node's own */
        {"no list", {"GET", NODE}, {200}, 200, "[]", NULL},
        {"a list", {"GET", NODE}, {200, .bundles = {LOCAL, DONE, TARBALL}}, 200, "[" V1_TARBALL "," V1_DONE("Done") "," V1_LOCAL "]", NULL},
        {"a list that cannot be read", {"GET", NODE}, {500, "failed", "cannot open /x: Permission denied"}, 507,
         ERROR(507, "could not read work dir: cannot open /x: Permission denied"), NULL},
        {"create", {"PUT", NODE "/a", "{\"type\":\"Local\"}"}, {200, .bundles = {NEW}}, 200, V1("Started"), REQUEST("")},
        {"create, whatever the body", {"PUT", NODE "/a", "no JSON"}, {200, .bundles = {NEW}}, 200, V1("Started"), REQUEST("")},
        {"create twice", {"PUT", NODE "/a"}, {409, "exists", "x"}, 409, ERROR(409, "bundle a already exists"), REQUEST("")},
        {"create without room", {"PUT", NODE "/a"}, {507, "no-space", "1 MiB are free"}, 507,
         ERROR(507, "could not create bundle a workdir: 1 MiB are free"), REQUEST("")},
        {"create too many", {"PUT", NODE "/a"}, {429, "busy", "4 wait"}, 429, ERROR(429, "4 wait"), REQUEST("")},
        {"create nonsense", {"PUT", NODE "/a%20b"}, {0}, 400,
         ERROR(400, "an id is 1 to 128 of letters, digits, '.', '_' and '-', the first no '.'"), NULL},
        {"get what begins", {"GET", NODE "/a"}, {200, .bundles = {NEW}}, 200, V1("Started"), NULL},
        {"get what runs", {"GET", NODE "/a"}, {200, .bundles = {RUNS}}, 200, V1("InProgress"), NULL},
        {"get what is done", {"GET", NODE "/a"}, {200, .bundles = {DONE}}, 200, V1_DONE("Done"), NULL},
        {"get none", {"GET", NODE "/a"}, {404, "no-such-bundle", "x"}, 404, PLAIN_404, NULL},
        {"get nonsense", {"GET", NODE "/a%20b"}, {0}, 404, PLAIN_404, NULL},
        {"get what cannot be read", {"GET", NODE "/u"}, {200, .bundles = {UNKNOWN}}, 500, V1_UNKNOWN, NULL},
        {"delete", {"DELETE", NODE "/a"}, {200, .bundles = {DONE}}, 200, V1_DONE("Deleted"), NULL},
        {"delete what runs", {"DELETE", NODE "/a"}, {200, .bundles = {RUNS}}, 200, V1("Deleted"), NULL},
        {"delete none", {"DELETE", NODE "/a"}, {404, "no-such-bundle", "x"}, 404, PLAIN_404, NULL},
        {"delete in vain", {"DELETE", NODE "/a"}, {500, "failed", "Read-only file system"}, 500,
         ERROR(500, "could not delete bundle a: Read-only file system"), NULL},
        {"file too early", {"GET", NODE "/a/file"}, {404, "not-done", "bundle a is not done yet (status Started), try again later"}, 404,
         ERROR(404, "bundle a is not done yet (status Started), try again later"), NULL},
        {"file too late", {"GET", NODE "/a/file"}, {410, "gone", "bundle a was Deleted"}, 410, ERROR(410, "bundle a was Deleted"), NULL},
        {"file of none", {"GET", NODE "/a/file"}, {404, "no-such-bundle", "bundle a not found"}, 404, ERROR(404, "bundle a not found"), NULL},
        {"file of nonsense", {"GET", NODE "/.a/file"}, {0}, 404, ERROR(404, "bundle .a not found"), NULL},
        {"file that is lost", {"GET", NODE "/a/file"}, {500, "failed", "could not read state file for bundle a: x"}, 500,
         ERROR(500, "could not read state file for bundle a: x"), NULL},
        {"file of which nothing is said", {"GET", NODE "/a/file"}, {0}, 500, ERROR(500, "nothing came of it"), NULL},

        /* the cluster's */
        {"no list of all", {"GET", CLUSTER}, {200, .bundles = {TARBALL}}, 200, "[]", NULL},
        {"a list of all", {"GET", CLUSTER}, {200, .bundles = {LOCAL, TARBALL, UNKNOWN, DONE}}, 200,
         "[" V1_UNKNOWN "," V1_DONE("Done") "," V1_LOCAL "]", NULL},
        {"a list of some", {"GET", CLUSTER}, {200, .bundles = {DONE}, .silent = "10.0.0.2"}, 500,
         ERROR(500, "unable to get list of bundles from all masters: 10.0.0.2: timed out"), NULL},
        {"no masters", {"GET", CLUSTER}, {503, "x", "the masters are not known"}, 500,
         ERROR(500, "unable to get list of bundles from all masters: the masters are not known"), NULL},
        {"create for all", {"PUT", CLUSTER "/a?cache=0"}, {200, .bundles = {NEW}}, 200, V1("Started"), REQUEST("\"all\"")},
        {"create for all, said", {"PUT", CLUSTER "/a", "{\"masters\":true,\"agents\":true}"}, {200, .bundles = {NEW}}, 200, V1("Started"),
         REQUEST("\"all\"")},
        {"create for masters", {"PUT", CLUSTER "/a", "{\"Agents\":false,\"more\":1}"}, {200, .bundles = {NEW}}, 200, V1("Started"),
         REQUEST("\"masters\"")},
        {"create for agents", {"PUT", CLUSTER "/a", "{\"masters\":false}"}, {200, .bundles = {NEW}}, 200, V1("Started"),
         REQUEST("\"agents\"")},
        {"create for nobody", {"PUT", CLUSTER "/a", "{\"masters\":false,\"agents\":false}"}, {200, .bundles = {NEW}}, 200, V1("Started"),
         REQUEST("\"none\"")},
        {"create from nonsense", {"PUT", CLUSTER "/a", "{\"masters\":1}"}, {0}, 400,
         ERROR(400, "could not parse request body masters is not true or false"), NULL},
        {"create twice for all", {"PUT", CLUSTER "/a"}, {409, "exists", "x"}, 409, ERROR(409, "bundle a already exists"), REQUEST("\"all\"")},
        {"create without nodes", {"PUT", CLUSTER "/a"}, {500, "x", "error getting master nodes for bundle a: x"}, 500,
         ERROR(500, "error getting master nodes for bundle a: x"), REQUEST("\"all\"")},
        {"get one of all", {"GET", CLUSTER "/a"}, {200, .bundles = {DONE}}, 200, V1_DONE("Done"), NULL},
        {"get one that is no zip", {"GET", CLUSTER "/t"}, {200, .bundles = {TARBALL}}, 404, ERROR(404, "bundle t did not exist on any masters"), NULL},
        {"get one of none", {"GET", CLUSTER "/a"}, {404, "no-such-bundle", "x"}, 404, ERROR(404, "bundle a did not exist on any masters"), NULL},
        {"get nonsense of all", {"GET", CLUSTER "/.a"}, {0}, 404, ERROR(404, "bundle .a did not exist on any masters"), NULL},
        {"get one that cannot be read", {"GET", CLUSTER "/u"}, {200, .bundles = {UNKNOWN}}, 500, ERROR(500, "bundle u not readable"), NULL},
        {"delete one of all", {"DELETE", CLUSTER "/a"}, {200, .bundles = {DONE}}, 200, "", NULL},
        {"delete one of none", {"DELETE", CLUSTER "/a"}, {404, "no-such-bundle", "x"}, 404, ERROR(404, "bundle a not found on any master"), NULL},
        {"delete one in vain", {"DELETE", CLUSTER "/a"}, {500, "failed", "x"}, 500, ERROR(500, "bundle a not readable"), NULL},
        {"file of all too early", {"GET", CLUSTER "/a/file"}, {404, "not-done", "x"}, 404, ERROR(404, "bundle a not found"), NULL},
        {"file of all too late", {"GET", CLUSTER "/a/file"}, {410, "deleted", "x"}, 404, ERROR(404, "bundle a not found"), NULL},
        {"file that is no zip", {"GET", CLUSTER "/a/file"}, {200, .file = "x", .name = "a.tar.zst"}, 404, ERROR(404, "bundle a not found"), NULL},
        {"file of a silent master", {"GET", CLUSTER "/a/file"}, {504, "x", "x"}, 500, ERROR(500, "bundle a not readable"), NULL},
};
/* clang-format on */

START_TEST(answers)
{
        struct bundle_exchange x;

        d.script[0] = cases[_i].outcome;
        d.host.cluster = strncmp(cases[_i].question.target, CLUSTER, strlen(CLUSTER)) == 0;
        bundle_ask(&x, &cases[_i].question);
        ck_assert_msg(x.r.status == cases[_i].want_status, "%s: %u %s", cases[_i].name, x.r.status,
                      body_of(&x));
        ck_assert_msg(streq(body_of(&x), cases[_i].want), "%s: %s", cases[_i].name, body_of(&x));
        if (streq(cases[_i].want, PLAIN_404))
                ck_assert_str_eq(x.r.content_type, "text/plain; charset=utf-8");
        else if (*cases[_i].want)
                ck_assert_str_eq(x.r.content_type, "application/json");
        if (cases[_i].want_request) {
                ck_assert_int_eq(d.asked[0].kind, BUNDLE_TASK_CREATE);
                ck_assert_str_eq(d.asked[0].id, "a");
                ck_assert_str_eq(d.asked[0].request, cases[_i].want_request);
        }
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(sends_files)
{
        static const char *const targets[] = {NODE "/a/file", CLUSTER "/a/file"};
        struct bundle_exchange x;

        for (size_t i = 0; i < 2 * ELEMENTSOF(targets); i++) {
                const struct question question = {"GET", targets[i / 2],
                                                  .range = i % 2 ? "bytes=0-1" : NULL};

                d.n_tasks = 0;
                d.script[0] = (struct outcome){200, .file = "0123456789", .name = "a.zip"};
                bundle_ask(&x, &question);
                ck_assert_uint_eq(x.r.status, i % 2 ? 206 : 200);
                ck_assert_str_eq(x.r.content_type, "application/zip");
                ck_assert_str_eq(header_of(&x, "Content-Disposition"),
                                 "attachment; filename=a.zip");
                ck_assert_str_eq(header_of(&x, "Accept-Ranges"), "bytes");
                ck_assert_str_eq(header_of(&x, "Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
                ck_assert_uint_eq(reply_size(&x.r), i % 2 ? 2 : 10);
                bundle_exchange_done(&x);
        }
}
END_TEST

START_TEST(answers_beyond_the_end)
{
        const struct question question = {"GET", CLUSTER "/a/file", .range = "bytes=20-"};
        struct bundle_exchange x;

        d.script[0] = (struct outcome){416, "range", "x", .size = 10};
        bundle_ask(&x, &question);
        ck_assert_uint_eq(x.r.status, 416);
        ck_assert_str_eq(header_of(&x, "Content-Range"), "bytes */10");
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(says_that_it_makes_none)
{
        static const struct question questions[] = {
                {"GET",    NODE             },
                {"PUT",    NODE "/a"        },
                {"GET",    NODE "/a"        },
                {"DELETE", NODE "/a"        },
                {"GET",    NODE "/a/file"   },
                {"GET",    CLUSTER          },
                {"PUT",    CLUSTER "/a"     },
                {"GET",    CLUSTER "/a"     },
                {"DELETE", CLUSTER "/a"     },
                {"GET",    CLUSTER "/a/file"},
        };
        struct bundle_exchange x;

        d.first = NULL;
        for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
                bundle_ask(&x, &questions[i]);
                ck_assert_uint_eq(x.r.status, 503);
                ck_assert_str_eq(body_of(&x), ERROR(503, "this daemon makes no bundles"));
                bundle_exchange_done(&x);
        }
}
END_TEST

/* The integration suite relies on it: an empty id must not delete anything. */
START_TEST(has_no_route_without_an_id)
{
        static const char *const targets[] = {NODE, NODE "/", CLUSTER, CLUSTER "/"};
        struct route_match m;

        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                ck_assert_int_eq(route_resolve(&bundle_router, "DELETE", targets[i], &m),
                                 ROUTE_NOT_METHOD);
}
END_TEST

/* clang-format off */
static const struct {
        const char *body;
        bool bad, masters, agents;
} bodies[] = {
        {"", false, true, true}, {"{}", false, true, true}, {"null", false, true, true}, {" {} trailing", false, true, true},
        {"{\"masters\":false}", false, false, true}, {"{\"AGENTS\":false}", false, true, false},
        {"{\"masters\":null,\"agents\":false,\"x\":[]}", false, true, false},
        {"{\"masters\":false,\"masters\":true}", false, true, true},
        {"[]", true}, {"x", true}, {"{", true}, {"\"all\"", true}, {"{\"masters\":\"true\"}", true}, {"{\"agents\":1}", true},
};
/* clang-format on */

START_TEST(reads_bodies)
{
        bool masters = false, agents = false;
        struct err e = {0};
        int k = v1_bundle_body_read(&masters, &agents, bodies[_i].body, strlen(bodies[_i].body),
                                    &e);

        ck_assert_msg(k == (bodies[_i].bad ? -EINVAL : 0), "%s: %s", bodies[_i].body, e.text);
        ck_assert_int_eq(masters, bodies[_i].masters);
        ck_assert_int_eq(agents, bodies[_i].agents);
        ck_assert_int_eq(e.text[0] != '\0', bodies[_i].bad);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("v1_bundles");
        TCase *tc = tcase_create("v1_bundles");

        tcase_add_checked_fixture(tc, bundle_set_up, bundle_tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, sends_files);
        tcase_add_test(tc, answers_beyond_the_end);
        tcase_add_test(tc, says_that_it_makes_none);
        tcase_add_test(tc, has_no_route_without_an_id);
        tcase_add_loop_test(tc, reads_bodies, 0, ELEMENTSOF(bodies));
        suite_add_tcase(s, tc);
        return test_main(s);
}
