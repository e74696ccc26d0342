/* It has the daemon make, list, send and delete bundles, and says in API v2's words what came of it. */

#include "tests/unit/bundle_exchange.h"

#define BASE "/system/health/v2/bundles"
#define A                                                           \
        "{\"id\":\"a\",\"type\":\"cluster\",\"state\":\"running\"," \
        "\"created\":\"2026-11-21T00:04:00.000Z\",\"nodes\":[{\"address\":\"10.0.0.9\"}]}"
#define B                                                        \
        "{\"id\":\"b\",\"type\":\"cluster\",\"state\":\"done\"," \
        "\"created\":\"2026-11-21T00:05:00.000Z\",\"size_bytes\":7,\"request\":{\"format\":\"zip\"}}"
#define DEFAULT \
        "{\"nodes\":[],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"tar.zst\",\"redact\":true}"
#define MASTERS \
        "{\"nodes\":[\"masters\"],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"zip\",\"redact\":true}"
#define ERROR(code, text, reason) \
        "{\"code\":" #code ",\"error\":\"" text "\",\"reason\":\"" reason "\"}"

/* clang-format off */
static const struct {
        const char *name;
        struct question question;
        struct outcome outcome;
        size_t want_status;
        const char *want[3]; /* in the body, in this order */
        int want_kind;       /* -1: the daemon is not asked */
        const char *want_id, *want_request;
} cases[] = {
        {"list", {"GET", BASE}, {200, .bundles = {A, B}}, 200,
         {"{\"items\":[{\"id\":\"b\",", ",{\"id\":\"a\",", "],\"total\":2,\"silent\":[]}\n"}, BUNDLE_TASK_LIST, "", DEFAULT},
        {"nothing to list", {"GET", BASE}, {200}, 200, {"{\"items\":[],\"total\":0,\"silent\":[]}\n"},
         BUNDLE_TASK_LIST, "", DEFAULT},
        {"one master is silent", {"GET", BASE}, {200, .bundles = {B}, .silent = "10.0.0.2"}, 200,
         {"\"total\":1,", "\"silent\":[{\"address\":\"10.0.0.2\",\"error\":\"timed out\"}]}\n"}, BUNDLE_TASK_LIST, "", DEFAULT},
        {"get", {"GET", BASE "/a"}, {200, .bundles = {A}}, 200,
         {"{\"id\":\"a\",", "\"state\":\"running\"", "\"nodes\":[{\"node_id\":null,\"address\":\"10.0.0.9\""}, BUNDLE_TASK_GET, "a", DEFAULT},
        {"get none", {"GET", BASE "/a"}, {404, "no-such-bundle", "there is no bundle a"}, 404,
         {ERROR(404, "there is no bundle a", "no-such-bundle")}, BUNDLE_TASK_GET, "a", DEFAULT},
        {"get nonsense", {"GET", BASE "/a%20b"}, {0}, 404, {ERROR(404, "there is no bundle a b", "no-such-bundle")}, -1, NULL, NULL},
        {"get upwards", {"GET", BASE "/..b"}, {0}, 404, {ERROR(404, "there is no bundle ..b", "no-such-bundle")}, -1, NULL, NULL},
        {"another master is silent", {"GET", BASE "/a"}, {504, "master-silent", "10.0.0.2: timed out"}, 504,
         {ERROR(504, "10.0.0.2: timed out", "master-silent")}, BUNDLE_TASK_GET, "a", DEFAULT},
        {"nothing comes of it", {"GET", BASE "/a"}, {0}, 500, {"\"reason\":\"no-answer\""}, BUNDLE_TASK_GET, "a", DEFAULT},
        {"too many wait", {"GET", BASE "/a", .may_not_park = true}, {0}, 503, {"\"reason\":\"busy\""}, -1, NULL, NULL},

        {"create", {"POST", BASE, "{\"id\":\"a\",\"nodes\":[\"masters\"],\"format\":\"zip\"}", "application/json; charset=utf-8"},
         {200, .bundles = {A}}, 201, {"{\"id\":\"a\","}, BUNDLE_TASK_CREATE, "a", MASTERS},
        {"create, as it is by default", {"POST", BASE}, {200, .bundles = {A}}, 201, {"{\"id\":\"a\","}, BUNDLE_TASK_CREATE, "", DEFAULT},
        {"create with a typo", {"POST", BASE, "{\"node\":[\"masters\"]}"}, {0}, 400,
         {ERROR(400, "there is no key node", "bad-request")}, -1, NULL, NULL},
        {"create what would hide", {"POST", BASE, "{\"id\":\"estimate\"}"}, {0}, 400, {"id is a word of the API"}, -1, NULL, NULL},
        {"create from a form", {"POST", BASE, "a=b", "application/x-www-form-urlencoded"}, {0}, 415, {"\"reason\":\"not-json\""}, -1, NULL, NULL},
        {"create twice", {"POST", BASE, "{\"id\":\"a\"}"}, {409, "exists", "bundle a already exists"}, 409,
         {ERROR(409, "bundle a already exists", "exists")}, BUNDLE_TASK_CREATE, "a", DEFAULT},
        {"create too many", {"POST", BASE}, {429, "busy", "4 wait", .retry_after = 60}, 429, {"\"reason\":\"busy\""},
         BUNDLE_TASK_CREATE, "", DEFAULT},
        {"create without room", {"POST", BASE}, {507, "no-space", "1 MiB are free"}, 507,
         {ERROR(507, "1 MiB are free", "no-space")}, BUNDLE_TASK_CREATE, "", DEFAULT},

        {"cancel", {"POST", BASE "/a/cancel"}, {200, .bundles = {A}}, 200, {"{\"id\":\"a\","}, BUNDLE_TASK_CANCEL, "a", DEFAULT},
        {"cancel too late", {"POST", BASE "/a/cancel"}, {409, "has-ended", "bundle a is done"}, 409,
         {ERROR(409, "bundle a is done", "has-ended")}, BUNDLE_TASK_CANCEL, "a", DEFAULT},
        {"delete", {"DELETE", BASE "/b"}, {200, .bundles = {B}}, 200, {"{\"id\":\"b\","}, BUNDLE_TASK_DELETE, "b", DEFAULT},

        {"estimate", {"GET", BASE "/estimate"}, {200, .text = "{\"fits\":true}\n"}, 200, {"{\"fits\":true}\n"},
         BUNDLE_TASK_ESTIMATE, "", DEFAULT},
        {"estimate of", {"POST", BASE "/estimate", "{\"nodes\":[\"masters\"],\"format\":\"zip\"}"}, {200, .text = "{}"}, 200, {"{}"},
         BUNDLE_TASK_ESTIMATE, "", MASTERS},
        {"estimate of nonsense", {"POST", BASE "/estimate", "{\"format\":\"rar\"}"}, {0}, 400, {"format is not tar.zst"}, -1, NULL, NULL},

        {"file of one that runs", {"GET", BASE "/a/file"}, {404, "not-done", "bundle a is running"}, 404,
         {ERROR(404, "bundle a is running", "not-done")}, BUNDLE_TASK_FILE, "a", DEFAULT},
        {"file of one that is deleted", {"GET", BASE "/a/file"}, {410, "deleted", "bundle a was deleted"}, 410,
         {ERROR(410, "bundle a was deleted", "deleted")}, BUNDLE_TASK_FILE, "a", DEFAULT},
        {"no file after all", {"GET", BASE "/a/file"}, {200, .name = "a.zip"}, 500, {"\"reason\":\"no-answer\""}, BUNDLE_TASK_FILE, "a", DEFAULT},
};
/* clang-format on */

static void must_have_been_asked(size_t i)
{
        if (cases[i].want_kind < 0) {
                ck_assert_uint_eq(d.n_tasks, 0);
                return;
        }
        ck_assert_uint_eq(d.n_tasks, 1);
        ck_assert_int_eq((int)d.asked[0].kind, cases[i].want_kind);
        ck_assert_str_eq(d.asked[0].id, cases[i].want_id);
        ck_assert_str_eq(d.asked[0].request, cases[i].want_request);
        ck_assert_str_eq(d.asked[0].caller, "uid 1000");
}

START_TEST(answers)
{
        struct bundle_exchange x;
        const char *rest;

        d.script[0] = cases[_i].outcome;
        bundle_ask(&x, &cases[_i].question);
        ck_assert_msg(x.r.status == cases[_i].want_status, "%s: %u %s", cases[_i].name, x.r.status,
                      body_of(&x));
        rest = body_of(&x);
        for (size_t i = 0; i < ELEMENTSOF(cases[_i].want) && cases[_i].want[i]; i++) {
                rest = strstr(rest, cases[_i].want[i]);
                ck_assert_msg(rest != NULL, "%s: %s", cases[_i].name, body_of(&x));
        }
        ck_assert_str_eq(x.r.content_type, "application/json");
        if (cases[_i].outcome.retry_after)
                ck_assert_str_eq(header_of(&x, "Retry-After"), "60");
        ck_assert_str_eq(header_of(&x, "Location"), x.r.status == 201 ? BASE "/a" : "");
        must_have_been_asked((size_t)_i);
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(lists_without_nodes)
{
        static const struct {
                const char *target;
                bool want;
        } own[] = {
                {BASE,          false},
                {BASE "?own=1", true },
                {BASE "?own",   true },
                {BASE "?own=0", false},
        };
        struct bundle_exchange x;

        for (size_t i = 0; i < ELEMENTSOF(own); i++) {
                const struct question question = {"GET", own[i].target};

                d.n_tasks = 0;
                d.script[0] = (struct outcome){200, .bundles = {A}};
                bundle_ask(&x, &question);
                ck_assert_ptr_null(strstr(body_of(&x), "\"nodes\":[{"));
                ck_assert_int_eq(d.asked[0].own_only, own[i].want);
                bundle_exchange_done(&x);
        }
}
END_TEST

/* --- files ------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        const char *range;
        struct outcome outcome;
        unsigned want_status;
        const char *want_type, *want_content_range, *want_disposition;
        uint64_t want_from, want_n;
} files[] = {
        {NULL, {200, .file = "0123456789", .name = "a.tar.zst"}, 200, "application/zstd", "", "attachment; filename=a.tar.zst", 0, 10},
        {NULL, {200, .file = "0123456789", .name = "a.tar.gz"}, 200, "application/gzip", "", "attachment; filename=a.tar.gz", 0, 10},
        {NULL, {200, .file = "0123456789", .name = "a.zip"}, 200, "application/zip", "", "attachment; filename=a.zip", 0, 10},
        {"bytes=2-4", {200, .file = "0123456789", .name = "a.zip"}, 206, "application/zip", "bytes 2-4/10", "attachment; filename=a.zip", 2, 3},
        {"bytes=20-", {200, .file = "0123456789", .name = "a.zip"}, 416, NULL, "bytes */10", "", 0, 0},
        {NULL, {200, .file = "0123456789", .name = "a.zip", .stream = true, .n = 10}, 200, "application/zip", "", "attachment; filename=a.zip", 0, 10},
        {"bytes=2-4", {206, .file = "234", .name = "a.zip", .stream = true, .from = 2, .n = 3, .size = 10}, 206, "application/zip",
         "bytes 2-4/10", "attachment; filename=a.zip", 2, 3},
        {"bytes=20-", {416, "range", "no such range", .size = 10}, 416, NULL, "bytes */10", "", 0, 0},
};
/* clang-format on */

START_TEST(sends_files)
{
        const struct question question = {"GET", BASE "/a/file", .range = files[_i].range};
        struct bundle_exchange x;

        d.script[0] = files[_i].outcome;
        bundle_ask(&x, &question);
        ck_assert_uint_eq(x.r.status, files[_i].want_status);
        ck_assert_str_eq(d.asked[0].range, str_or(files[_i].range, ""));
        ck_assert_str_eq(str_or(x.r.content_type, ""), str_or(files[_i].want_type, ""));
        ck_assert_str_eq(header_of(&x, "Content-Range"), files[_i].want_content_range);
        ck_assert_str_eq(header_of(&x, "Content-Disposition"), files[_i].want_disposition);
        if (files[_i].want_n > 0) {
                ck_assert_uint_eq(reply_size(&x.r), files[_i].want_n);
                ck_assert_uint_eq(x.r.file.from, x.r.file.is_body ? files[_i].want_from : 0);
                ck_assert_int_eq(x.r.stream != NULL, files[_i].outcome.stream);
                ck_assert_str_eq(header_of(&x, "Accept-Ranges"), "bytes");
                /* Whichever master sends it. */
                ck_assert_str_eq(header_of(&x, "ETag"), "\"5f5e1000-a\"");
                ck_assert_str_eq(header_of(&x, "Last-Modified"), "Sun, 13 Sep 2020 12:26:40 GMT");
        }
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(says_that_it_makes_none)
{
        static const struct question questions[] = {
                {"GET",    BASE            },
                {"POST",   BASE            },
                {"GET",    BASE "/a"       },
                {"DELETE", BASE "/a"       },
                {"POST",   BASE "/a/cancel"},
                {"GET",    BASE "/a/file"  },
                {"GET",    BASE "/estimate"},
        };
        struct bundle_exchange x;

        for (size_t i = 0; i < 2 * ELEMENTSOF(questions); i++) {
                d.first = i % 2 ? &d.host : NULL;
                d.host.ops = NULL;
                bundle_ask(&x, &questions[i / 2]);
                ck_assert_uint_eq(x.r.status, 503);
                ck_assert_ptr_nonnull(strstr(body_of(&x), "\"reason\":\"no-bundles\""));
                bundle_exchange_done(&x);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("v2_bundles");
        TCase *tc = tcase_create("v2_bundles");

        tcase_add_checked_fixture(tc, bundle_set_up, bundle_tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, lists_without_nodes);
        tcase_add_loop_test(tc, sends_files, 0, ELEMENTSOF(files));
        tcase_add_test(tc, says_that_it_makes_none);
        suite_add_tcase(s, tc);
        return test_main(s);
}
