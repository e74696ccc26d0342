/* It speaks the oldest bundle API: one job, its status, and the files that jobs have left. */

#include "api/go_time.h"
#include "api/v1_bundle_json.h"
#include "tests/unit/bundle_exchange.h"

#define BASE "/system/health/v1/report/diagnostics"

#define ZIP "\"request\":{\"format\":\"zip\"}"
#define JOB(id, observer, state)                                                                   \
        "{\"id\":\"" id "\",\"type\":\"cluster\",\"state\":\"" state "\",\"observer\":\"" observer \
        "\",\"created\":\"2026-11-21T00:04:00.500Z\"," ZIP
#define RUNS                                                                    \
        JOB("bundle-2026-11-21-9", "10.0.0.1", "running")                       \
        ",\"progress\":{\"nodes_total\":8,\"nodes_done\":1,\"nodes_failed\":1," \
        "\"current\":\"GET http://10.0.0.9/x\"}}"
#define RUNS_THERE JOB("x", "10.0.0.2", "merging") "}"
#define DONE                                           \
        JOB("bundle-2026-11-20-7", "10.0.0.1", "done") \
        ",\"finished\":\"2026-11-21T01:19:00.500Z\",\"size_bytes\":7}"
#define DONE_THERE                                    \
        JOB("bundle-2026-11-20-8", "fd00::2", "done") \
        ",\"finished\":\"2026-11-21T00:04:02.000Z\",\"size_bytes\":8}"
#define FAILED                                           \
        JOB("bundle-2026-11-20-7", "10.0.0.1", "failed") \
        ",\"error\":\"no room\",\"finished\":\"2026-11-21T00:04:00.520Z\"}"
#define CANCELED                                           \
        JOB("bundle-2026-11-20-7", "10.0.0.1", "canceled") \
        ",\"finished\":\"2026-11-21T00:04:00.500Z\"}"
#define DELETED JOB("bundle-2026-11-20-7", "10.0.0.1", "deleted") "}"
#define UUID    JOB("6f1c-uuid", "10.0.0.1", "done") ",\"size_bytes\":7}"
#define LOCAL   "{\"id\":\"bundle-l\",\"type\":\"node\",\"state\":\"running\"," ZIP "}"
#define TARBALL "{\"id\":\"bundle-t\",\"type\":\"cluster\",\"state\":\"done\",\"size_bytes\":9}"

#define ENVELOPE(code, status)                                                 \
        "{\"response_http_code\":" #code ",\"version\":1,\"status\":\"" status \
        "\",\"errors\":null}\n"
#define STARTED                                                                                       \
        "{\"response_http_code\":200,\"version\":1,\"status\":\"Job has been successfully started\"," \
        "\"errors\":null,\"extra\":{\"bundle_name\":\"bundle-2026-11-21-9.zip\"}}\n"
#define REQUEST(nodes)       \
        "{\"nodes\":[" nodes \
        "],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"zip\",\"redact\":true}"
#define ENTRY(name, size) "{\"file_name\":\"" BASE "/serve/" name ".zip\",\"file_size\":" #size "}"

/* What every status has; the disk's figure is cut off before they are compared. */
#define TAIL                                                                                     \
        "\"diagnostics_bundle_dir\":\"/var/lib/bundles\",\"diagnostics_job_timeout_min\":120,"   \
        "\"journald_logs_since_hours\":\"24h\",\"diagnostics_job_get_since_url_timeout_min\":1," \
        "\"command_exec_timeout_sec\":60,\"diagnostics_partition_disk_usage_percent\":0}"
#define NEVER                                                                                    \
        "{\"is_running\":false,\"status\":\"\",\"last_bundle_dir\":\"\","                        \
        "\"job_started\":\"0001-01-01 00:00:00 +0000 UTC\",\"job_ended\":\"0001-01-01 00:00:00 " \
        "+0000 UTC\",\"job_duration\":\"0s\",\"job_progress_percentage\":-1," TAIL
#define STATUS_RUNS                                                                             \
        "{\"is_running\":true,\"status\":\"GET http://10.0.0.9/x\",\"last_bundle_dir\":"        \
        "\"/var/lib/bundles/bundle-2026-11-21-9.zip\",\"job_started\":\"2026-11-21 00:04:00.5 " \
        "+0000 UTC\",\"job_progress_percentage\":25," TAIL
#define ENDED(status, errors, end, took)                                                        \
        "{\"is_running\":false,\"status\":\"" status "\"," errors "\"last_bundle_dir\":"        \
        "\"/var/lib/bundles/bundle-2026-11-20-7.zip\",\"job_started\":\"2026-11-21 00:04:00.5 " \
        "+0000 UTC\",\"job_ended\":\"2026-11-21 " end " +0000 UTC\",\"job_duration\":\"" took   \
        "\",\"job_progress_percentage\":100," TAIL
#define STATUS_DONE \
        ENDED("Diagnostics job successfully collected all data", "", "01:19:00.5", "1h15m0s")
#define STATUS_FAILED \
        ENDED("Diagnostics job failed", "\"errors\":[\"no room\"],", "00:04:00.52", "20ms")
#define STATUS_CANCELED                                                                         \
        ENDED("Diagnostics job failed", "\"errors\":[\"the job was canceled\"],", "00:04:00.5", \
              "0s")

/* clang-format off */
static const struct {
        const char *name;
        struct question question;
        struct outcome script[2];
        size_t want_status;
        const char *want;         /* the body, whole */
        size_t want_tasks;
        const char *want_request; /* of the last task, a CREATE */
        const char *want_id;      /* of the last task, if it is none */
        bool want_own;            /* of the first one */
} cases[] = {
        {"create", {"POST", BASE "/create", "{\"nodes\":[\"masters\",\"10.0.0.9\",\"\"]}"}, {{200}, {200, .bundles = {RUNS}}}, 200, STARTED,
         2, REQUEST("\"masters\",\"10.0.0.9\"")},
        {"create for all", {"POST", BASE "/create", "{\"Nodes\":[\"10.0.0.9\",\"all\"]}"}, {{200, .bundles = {DONE, LOCAL}}, {200, .bundles = {RUNS}}},
         200, STARTED, 2, REQUEST("\"all\"")},
        {"create though a master is silent", {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"}, {{200, .silent = "10.0.0.2"}, {200, .bundles = {RUNS}}},
         200, STARTED, 2, REQUEST("\"all\"")},
        {"create while one runs", {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"}, {{200, .bundles = {RUNS_THERE}}}, 409,
         ENVELOPE(409, "Job is already running"), 1},
        {"create while one begins", {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"}, {{200}, {429, "busy", "x"}}, 409,
         ENVELOPE(409, "Job is already running"), 2},
        {"create from nothing", {"POST", BASE "/create"}, {{0}}, 400, ENVELOPE(400, "EOF"), 0},
        {"create from a word", {"POST", BASE "/create", "{\"nodes\":\"all\"}"}, {{0}}, 400, ENVELOPE(400, "nodes is not a list of strings"), 0},
        {"create for nobody", {"POST", BASE "/create", "{\"nodes\":[\"\"]}"}, {{0}}, 503, ENVELOPE(503, "no nodes were requested"), 0},
        {"create for nobody, silently", {"POST", BASE "/create", "{}"}, {{0}}, 503, ENVELOPE(503, "no nodes were requested"), 0},
        {"create for a stranger", {"POST", BASE "/create", "{\"nodes\":[\"masters\",\"x\",\"y\"]}"}, {{200}, {404, "no-such-node", "x"}}, 503,
         ENVELOPE(503, "requested nodes: [x y] not found"), 2},
        {"create for no agents", {"POST", BASE "/create", "{\"nodes\":[\"agents\"]}"}, {{200}, {404, "no-such-node", "x"}}, 503,
         ENVELOPE(503, "can't find any nodes"), 2},
        {"create without room", {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"}, {{200}, {507, "no-space", "1 MiB are free"}}, 503,
         ENVELOPE(503, "1 MiB are free"), 2},
        {"create without knowing", {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"}, {{500, "x", "the list cannot be read"}}, 503,
         ENVELOPE(503, "the list cannot be read"), 1},

        {"cancel", {"POST", BASE "/cancel"}, {{200, .bundles = {DONE, RUNS}}, {200, .bundles = {RUNS}}}, 200,
         ENVELOPE(200, "Attempting to cancel a job, please check job status."), 2, NULL, "bundle-2026-11-21-9"},
        {"cancel elsewhere", {"POST", BASE "/cancel"}, {{200, .bundles = {RUNS_THERE}}, {200, .bundles = {RUNS}}}, 200,
         ENVELOPE(200, "Attempting to cancel a job, please check job status."), 2, NULL, "x"},
        {"cancel nothing", {"POST", BASE "/cancel"}, {{200, .bundles = {DONE, LOCAL}}}, 503, ENVELOPE(503, "Job is not running"), 1},
        {"cancel too late", {"POST", BASE "/cancel"}, {{200, .bundles = {RUNS}}, {409, "has-ended", "x"}}, 503,
         ENVELOPE(503, "Job is not running"), 2},
        {"cancel in vain", {"POST", BASE "/cancel"}, {{200, .bundles = {RUNS}}, {504, "x", "10.0.0.2: timed out"}}, 503,
         ENVELOPE(503, "10.0.0.2: timed out"), 2},

        {"list", {"GET", BASE "/list"}, {{200, .bundles = {RUNS, DONE, UUID, TARBALL}}}, 200, "[" ENTRY("bundle-2026-11-20-7", 7) "]\n", 1, .want_own = true},
        {"list nothing", {"GET", BASE "/list"}, {{200, .bundles = {DELETED}}}, 200, "[]\n", 1, .want_own = true},
        {"list all", {"GET", BASE "/list/all"}, {{200, .bundles = {DONE_THERE, DONE}, .silent = "10.0.0.3"}}, 200,
         "{\"10.0.0.1:1050\":[" ENTRY("bundle-2026-11-20-7", 7) "],\"[fd00::2]:1050\":[" ENTRY("bundle-2026-11-20-8", 8) "]}\n", 1},
        {"list all nothing", {"GET", BASE "/list/all"}, {{200}}, 200, "{\"10.0.0.1:1050\":[]}\n", 1},

        {"status of no job", {"GET", BASE "/status"}, {{200, .bundles = {DELETED, LOCAL, TARBALL}}}, 200, NEVER "\n", 1, .want_own = true},
        {"status of one that runs", {"GET", BASE "/status"}, {{200, .bundles = {DONE, RUNS}}}, 200, STATUS_RUNS "\n", 1, .want_own = true},
        {"status of one that is done", {"GET", BASE "/status"}, {{200, .bundles = {DONE}}}, 200, STATUS_DONE "\n", 1, .want_own = true},
        {"status of one that failed", {"GET", BASE "/status"}, {{200, .bundles = {FAILED}}}, 200, STATUS_FAILED "\n", 1, .want_own = true},
        {"status of one that was canceled", {"GET", BASE "/status"}, {{200, .bundles = {CANCELED}}}, 200, STATUS_CANCELED "\n", 1, .want_own = true},
        {"status of all", {"GET", BASE "/status/all"}, {{200, .bundles = {DONE}}}, 200, "{\"10.0.0.1\":" STATUS_DONE "}\n", 1},
        {"status of all, none", {"GET", BASE "/status/all"}, {{200}}, 200, "{\"10.0.0.1\":" NEVER "}\n", 1},
        {"status of all, one of which has made none", {"GET", BASE "/status/all"}, {{200, .bundles = {DONE}, .master = "10.0.0.2"}}, 200,
         "{\"10.0.0.1\":" STATUS_DONE ",\"10.0.0.2\":" NEVER "}\n", 1},
        {"list all, one of which has none", {"GET", BASE "/list/all"}, {{200, .master = "10.0.0.2"}}, 200,
         "{\"10.0.0.1:1050\":[],\"10.0.0.2:1050\":[]}\n", 1},
        {"status of some", {"GET", BASE "/status/all"}, {{200, .bundles = {DONE}, .silent = "10.0.0.2"}}, 503,
         ENVELOPE(503, "could not determine whether the diagnostics job is running or not: [10.0.0.2: timed out]"), 1},

        {"serve none", {"GET", BASE "/serve/bundle-1.zip"}, {{404, "no-such-bundle", "x"}}, 404, "404 page not found\n", 1, NULL, "bundle-1"},
        {"serve too early", {"GET", BASE "/serve/bundle-1.zip"}, {{404, "not-done", "x"}}, 404, "404 page not found\n", 1},
        {"serve too late", {"GET", BASE "/serve/bundle-1.zip"}, {{410, "deleted", "x"}}, 404, "404 page not found\n", 1},
        {"serve what is no bundle", {"GET", BASE "/serve/state.json"}, {{0}}, 404, "404 page not found\n", 0},
        {"delete", {"POST", BASE "/delete/bundle-1.zip"}, {{200, .bundles = {DELETED}}}, 200,
         ENVELOPE(200, "Deleted /var/lib/bundles/bundle-1.zip"), 1, NULL, "bundle-1"},
        {"delete none", {"POST", BASE "/delete/bundle-1.zip"}, {{404, "no-such-bundle", "x"}}, 404, ENVELOPE(404, "Bundle not found bundle-1.zip"), 1},
        {"delete what is no bundle", {"POST", BASE "/delete/file.zip"}, {{0}}, 400, ENVELOPE(400, "format allowed  bundle-*.zip"), 0},
        {"delete without an end", {"POST", BASE "/delete/bundle-1"}, {{0}}, 400, ENVELOPE(400, "format allowed  bundle-*.zip"), 0},
        {"delete in vain", {"POST", BASE "/delete/bundle-1.zip"}, {{500, "x", "Read-only file system"}}, 503, ENVELOPE(503, "Read-only file system"), 1},
        {"too many wait", {"GET", BASE "/list", .may_not_park = true}, {{0}}, 503,
         ENVELOPE(503, "too many requests wait, or the daemon is stopping"), 0},
};
/* clang-format on */

/* Whatever the disk of who tests is like. */
static void cut_figures(char *ret, size_t n, const char *body)
{
        static const char key[] = "_usage_percent\":";
        const char *at;
        size_t n_ret = 0;

        while ((at = strstr(body, key))) {
                at += strlen(key);
                n_ret += (size_t)snprintf(ret + n_ret, n - n_ret, "%.*s0", (int)(at - body), body);
                body = at + strspn(at, "0123456789.");
        }
        (void)snprintf(ret + n_ret, n - n_ret, "%s", body);
}

static void must_have_been_asked(size_t i)
{
        ck_assert_msg(d.n_tasks == cases[i].want_tasks, "%s: %zu tasks", cases[i].name, d.n_tasks);
        if (d.n_tasks > 0)
                ck_assert_int_eq(d.asked[0].own_only, cases[i].want_own);
        if (cases[i].want_request) {
                ck_assert_int_eq(d.asked[1].kind, BUNDLE_TASK_CREATE);
                ck_assert_str_eq(d.asked[1].request, cases[i].want_request);
                ck_assert_str_eq(d.asked[1].id, "bundle-2026-11-21-1795219445");
        }
        if (cases[i].want_id)
                ck_assert_str_eq(d.asked[d.n_tasks - 1].id, cases[i].want_id);
}

START_TEST(answers)
{
        static const uint64_t now = UINT64_C(1795219445) * USEC_PER_SEC; /* 2026-11-21 */
        struct bundle_exchange x;
        char body[4096];

        memcpy(d.script, cases[_i].script, sizeof(cases[_i].script));
        clock_fake(&now);
        bundle_ask(&x, &cases[_i].question);
        clock_fake(NULL);
        ck_assert_msg(x.r.status == cases[_i].want_status, "%s: %u %s", cases[_i].name, x.r.status,
                      body_of(&x));
        cut_figures(body, sizeof(body), body_of(&x));
        ck_assert_msg(streq(body, cases[_i].want), "%s: %s", cases[_i].name, body);
        must_have_been_asked((size_t)_i);
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(knows_how_full_the_disk_is)
{
        const struct question question = {"GET", BASE "/status"};
        struct bundle_exchange x;
        const char *figure;

        d.host.directory = "/proc/self"; /* has no blocks */
        d.script[0] = (struct outcome){200};
        bundle_ask(&x, &question);
        ck_assert_ptr_nonnull(strstr(body_of(&x), "_usage_percent\":0}"));
        bundle_exchange_done(&x);

        d.n_tasks = 0;
        d.host.directory = "/";
        bundle_ask(&x, &question);
        figure = strstr(body_of(&x), "_usage_percent\":");
        ck_assert_ptr_nonnull(figure);
        ck_assert_double_le(strtod(strchr(figure, ':') + 1, NULL), 100);
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(sends_files)
{
        const struct question question = {"GET", BASE "/serve/bundle-1.zip"};
        struct bundle_exchange x;

        d.script[0] = (struct outcome){200, .file = "0123456789", .name = "bundle-1.zip"};
        bundle_ask(&x, &question);
        ck_assert_uint_eq(x.r.status, 200);
        ck_assert_str_eq(x.r.content_type, "application/octet-stream");
        ck_assert_str_eq(header_of(&x, "Content-Disposition"), "attachment; filename=bundle-1.zip");
        ck_assert_uint_eq(reply_size(&x.r), 10);
        bundle_exchange_done(&x);
}
END_TEST

START_TEST(has_no_jobs_on_agents)
{
        static const struct {
                struct question question;
                unsigned want_status;
                const char *want;
        } agents[] = {
                {{"POST", BASE "/create", "{\"nodes\":[\"all\"]}"},
                 400, ENVELOPE(400, "running diagnostics job on agent node is not implemented")  },
                {{"POST", BASE "/cancel"},
                 503, ENVELOPE(503, "canceling diagnostics job on agent node is not implemented")},
        };
        struct bundle_exchange x;

        d.host.cluster = false;
        for (size_t i = 0; i < ELEMENTSOF(agents); i++) {
                bundle_ask(&x, &agents[i].question);
                ck_assert_uint_eq(x.r.status, agents[i].want_status);
                ck_assert_str_eq(body_of(&x), agents[i].want);
                bundle_exchange_done(&x);
        }
        ck_assert_uint_eq(d.n_tasks, 0);
}
END_TEST

START_TEST(says_that_it_makes_none)
{
        static const struct question questions[] = {
                {"POST", BASE "/create", "{\"nodes\":[\"all\"]}"},
                {"POST",      BASE "/cancel"              },
                {"GET",      BASE "/list" },
                {"GET",      BASE "/list/all"              },
                {"GET",      BASE "/status" },
                {"GET",      BASE "/status/all"              },
                {"POST",      BASE "/delete/bundle-1.zip"},
        };
        struct bundle_exchange x;

        d.first = NULL;
        for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
                bundle_ask(&x, &questions[i]);
                ck_assert_str_eq(body_of(&x), ENVELOPE(503, "this daemon makes no bundles"));
                bundle_exchange_done(&x);
        }
}
END_TEST

/* --- Go ---------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        uint64_t usec;
        const char *time, *duration;
} go[] = {
        {0,                                "0001-01-01 00:00:00 +0000 UTC",        "0s"},
        {1,                                "1970-01-01 00:00:00.000001 +0000 UTC", "1µs"},
        {20000,                            "1970-01-01 00:00:00.02 +0000 UTC",     "20ms"},
        {20050,                            "1970-01-01 00:00:00.02005 +0000 UTC",  "20.05ms"},
        {1500000,                          "1970-01-01 00:00:01.5 +0000 UTC",      "1.5s"},
        {60000000,                         "1970-01-01 00:01:00 +0000 UTC",        "1m0s"},
        {UINT64_C(900000000),              "1970-01-01 00:15:00 +0000 UTC",        "15m0s"},
        {UINT64_C(3600000000),             "1970-01-01 01:00:00 +0000 UTC",        "1h0m0s"},
        {UINT64_C(1567313100) * 1000000,   "2019-09-01 04:45:00 +0000 UTC",        "435364h45m0s"},
};
/* clang-format on */

START_TEST(spells_time_as_go_does)
{
        _cleanup_(buf_done) struct buf time = {0}, duration = {0};

        go_time_write(&time, go[_i].usec);
        go_duration_write(&duration, go[_i].usec);
        ck_assert_str_eq(buf_cstr(&time), go[_i].time);
        ck_assert_str_eq(buf_cstr(&duration), go[_i].duration);
}
END_TEST

START_TEST(refuses_too_many_names)
{
        _cleanup_(string_list_done) struct string_list words = {0}, more = {0};
        _cleanup_(buf_done) struct buf body = {0};
        struct err e;

        buf_puts(&body, "{\"nodes\":[\"");
        for (unsigned i = 0; i <= BUNDLE_WORD_MAX; i++)
                buf_putc(&body, 'x');
        buf_puts(&body, "\"]}");
        ck_assert_int_eq(v1_legacy_body_read(&words, body.data, body.n, &e), -EINVAL);
        buf_clear(&body);
        buf_puts(&body, "{\"nodes\":[\"a\"");
        for (unsigned i = 0; i < BUNDLE_WORDS_MAX; i++)
                buf_puts(&body, ",\"a\"");
        buf_puts(&body, "]}");
        ck_assert_int_eq(v1_legacy_body_read(&more, body.data, body.n, &e), -E2BIG);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("v1_legacy");
        TCase *tc = tcase_create("v1_legacy");

        tcase_add_checked_fixture(tc, bundle_set_up, bundle_tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, knows_how_full_the_disk_is);
        tcase_add_test(tc, sends_files);
        tcase_add_test(tc, has_no_jobs_on_agents);
        tcase_add_test(tc, says_that_it_makes_none);
        tcase_add_loop_test(tc, spells_time_as_go_does, 0, ELEMENTSOF(go));
        tcase_add_test(tc, refuses_too_many_names);
        suite_add_tcase(s, tc);
        return test_main(s);
}
