/* It says in figures what the report says, in families that Prometheus can read. */

#include <stdio.h>

#include "api/exposition.h"
#include "api/metrics.h"
#include "api/node_answer.h"
#include "api/server.h"
#include "base/mono.h"
#include "tests/unit/scrape.h"

#define S USEC_PER_SEC

/* --- a node ----------------------------------------------------------------------------------- */

/* clang-format off */
static const struct diag_probe probes[] = {
        {.name = "ping", .kind = "tcp", .health = DIAG_HEALTHY, .took_usec = 12500, .last_run_wall_usec = 1},
        {.name = "say \"hi\"\n", .kind = "http", .health = DIAG_UNHEALTHY, .took_usec = S, .last_run_wall_usec = 1},
        {.name = "new", .kind = "exec", .health = DIAG_UNKNOWN},
};

static const struct diag_unit
        bad = {.name = "bad.service", .n_restarts = 8, .state_change_wall_usec = UINT64_C(1795219447123456)},
        mount = {.name = "mnt-\\x2d.mount", .state_change_wall_usec = 2 * S},
        never = {.name = "never.service"};

static const struct diag_component components[] = {
        {.name = "bad.service", .health = DIAG_UNHEALTHY, .unit = &bad},
        {.name = "a \\ disk", .health = DIAG_HEALTHY, .unit = &mount},
        {.name = "never.service", .health = DIAG_UNKNOWN, .unit = &never},
        {.name = "web", .health = DIAG_HEALTHY, .probes = probes, .n_probes = ELEMENTSOF(probes)},
};
/* clang-format on */

/* Good only if none of it is bad. */
static struct diag_report *build(size_t first, size_t n)
{
        static const struct diag_node node = {.node_id = "n", .version = "0.1.0"};
        static const struct diag_system nothing = {0};
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        r->phase = DIAG_PHASE_RUNNING;
        for (size_t i = first; i < first + n; i++)
                ck_assert_int_eq(diag_report_add(r, &components[i]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        return r;
}

static void look(struct scrape *sc, const struct feed_view *v)
{
        _cleanup_(buf_done) struct buf b = {0};

        metrics_write_node(&b, v);
        ck_assert_int_eq(b.error, 0);
        scrape(sc, buf_cstr(&b));
}

START_TEST(says_what_the_report_says)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(0, ELEMENTSOF(components));
        _cleanup_(scrape_done) struct scrape sc;

        look(&sc, &(struct feed_view){.report = r, .confirmed_age_usec = 800 * USEC_PER_MSEC});
        static const char *const want[] = {
                "diag_build_info{version=\"0.1.0\"} 1",
                "diag_node_healthy 0",
                "diag_node_unknown 0",
                "diag_node_maintenance 0",
                "diag_facts_age_seconds 0.800000",
                "diag_component_healthy{component=\"bad.service\"} 0",
                "diag_component_unknown{component=\"bad.service\"} 0",
                "diag_component_healthy{component=\"a \\\\ disk\"} 1",
                "diag_component_unknown{component=\"a \\\\ disk\"} 0",
                "diag_component_healthy{component=\"never.service\"} 0",
                "diag_component_unknown{component=\"never.service\"} 1",
                "diag_component_healthy{component=\"web\"} 1",
                "diag_component_unknown{component=\"web\"} 0",
                "diag_unit_restarts_total{unit=\"bad.service\"} 8",
                "diag_unit_restarts_total{unit=\"never.service\"} 0",
                "diag_unit_state_change_timestamp_seconds{unit=\"bad.service\"} 1795219447.123456",
                "diag_unit_state_change_timestamp_seconds{unit=\"mnt-\\\\x2d.mount\"} 2.000000",
                "diag_probe_healthy{component=\"web\",probe=\"ping\"} 1",
                "diag_probe_unknown{component=\"web\",probe=\"ping\"} 0",
                "diag_probe_healthy{component=\"web\",probe=\"say \\\"hi\\\"\\n\"} 0",
                "diag_probe_unknown{component=\"web\",probe=\"say \\\"hi\\\"\\n\"} 0",
                "diag_probe_healthy{component=\"web\",probe=\"new\"} 0",
                "diag_probe_unknown{component=\"web\",probe=\"new\"} 1",
                "diag_probe_duration_seconds{component=\"web\",probe=\"ping\"} 0.012500",
                "diag_probe_duration_seconds{component=\"web\",probe=\"say \\\"hi\\\"\\n\"} 1.000000",
        };
        for (size_t i = 0; i < ELEMENTSOF(want); i++)
                ck_assert_msg(has(&sc, want[i]), "%s", want[i]);
        ck_assert_uint_eq(sc.n_samples, ELEMENTSOF(want));
}
END_TEST

/* clang-format off */
static const struct {
        size_t first, n;
        bool stale, maintenance;
        uint64_t age;
        const char *want_healthy, *want_unknown, *want_maintenance, *want_age;
} nodes[] = {
        {1, 1, false, false, 0,             "1", "0", "0", "0.000000"},
        {1, 1, true,  false, 100 * S,       "0", "1", "0", "100.000000"},
        {0, 1, false, true,  S,             "0", "0", "1", "1.000000"},
        {0, 1, true,  true,  S,             "0", "1", "1", "1.000000"},
        {2, 1, false, false, USEC_INFINITY, "0", "1", "0", "+Inf"},
        {0, 0, false, false, USEC_INFINITY, "0", "1", "0", "+Inf"},
};
/* clang-format on */

START_TEST(says_how_the_node_is)
{
        static const struct diag_maintenance m = {.reason = "x", .by = "y"};
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(nodes[_i].first, nodes[_i].n);
        _cleanup_(scrape_done) struct scrape sc;

        r->maintenance = nodes[_i].maintenance ? &m : NULL;
        look(&sc, &(struct feed_view){.report = r,
                                      .stale = nodes[_i].stale,
                                      .confirmed_age_usec = nodes[_i].age});
        ck_assert_str_eq(value(&sc, "diag_node_healthy"), nodes[_i].want_healthy);
        ck_assert_str_eq(value(&sc, "diag_node_unknown"), nodes[_i].want_unknown);
        ck_assert_str_eq(value(&sc, "diag_node_maintenance"), nodes[_i].want_maintenance);
        ck_assert_str_eq(value(&sc, "diag_facts_age_seconds"), nodes[_i].want_age);
}
END_TEST

/* Whoever made the view: of what is stale nothing is healthy. */
START_TEST(says_of_nothing_stale_that_it_is_healthy)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(0, ELEMENTSOF(components));
        _cleanup_(scrape_done) struct scrape sc;
        size_t n = 0;

        look(&sc, &(struct feed_view){.report = r, .stale = true});
        for (size_t i = 0; i < sc.n_samples; i++)
                if (strstr(sc.samples[i], "_healthy")) {
                        ck_assert_str_eq(strrchr(sc.samples[i], ' '), " 0");
                        n++;
                }
        ck_assert_uint_eq(n, 1 + ELEMENTSOF(components) + ELEMENTSOF(probes));
}
END_TEST

/* --- the server ------------------------------------------------------------------------------- */

START_TEST(says_what_the_server_has_counted)
{
        /* clang-format off */
        struct server_stats stats = {
                .answers = {{200, 7}, {503, 1}, [SERVER_STATUSES - 1] = {0, 2}},
                .refusals = {[SERVER_REFUSAL_WRONG_HOST] = 3, [SERVER_REFUSAL_TOO_SLOW] = 4},
                .answer_bytes = UINT64_C(1) << 40,
                .accept_failures = 5,
                .listeners = {{"127.0.0.1:1050", 1, 10, 1024},
                              {"/run/a \"b\".sock", 2, 20, 512},
                              {"127.0.0.1:1050", 3, 30, 1024}},
                .n_listeners = 3,
                .parked = {.n_max = 64, .n_waiting = 6, .n_parked = 8, .n_refused = 9},
        };
        /* clang-format on */
        static const char *const want[] = {
                "diag_http_requests_total{code=\"200\"} 7",
                "diag_http_requests_total{code=\"503\"} 1",
                "diag_http_requests_total{code=\"other\"} 2",
                "diag_http_answer_bytes_total 1099511627776",
                "diag_http_refused_total{reason=\"wrong-host\"} 3",
                "diag_http_refused_total{reason=\"too-slow\"} 4",
                "diag_http_refused_total{reason=\"not-allowed\"} 0",
                "diag_http_accept_failures_total 5",
                "diag_http_connections{listener=\"127.0.0.1:1050\"} 4",
                "diag_http_connections{listener=\"/run/a \\\"b\\\".sock\"} 2",
                "diag_http_connections_limit{listener=\"127.0.0.1:1050\"} 2048",
                "diag_http_connections_total{listener=\"127.0.0.1:1050\"} 40",
                "diag_http_parked 6",
                "diag_http_parked_limit 64",
                "diag_http_parked_total 8",
                "diag_http_parked_refused_total 9",
        };
        _cleanup_(scrape_done) struct scrape sc;
        _cleanup_(buf_done) struct buf b = {0};

        for (size_t i = 2; i < SERVER_STATUSES - 1; i++)
                stats.answers[i].status = 600 + i;
        metrics_write_server(&b, &stats);
        ck_assert_int_eq(b.error, 0);
        scrape(&sc, buf_cstr(&b));
        for (size_t i = 0; i < ELEMENTSOF(want); i++)
                ck_assert_msg(has(&sc, want[i]), "%s", want[i]);
        ck_assert_str_eq(value(&sc, "diag_http_refused_total{reason=\"none\"}"), "-");
}
END_TEST

START_TEST(answers)
{
        static const struct route *const tables[] = {metrics_routes, NULL};
        static const struct router router = {.tables = tables};
        static const struct authority authority;
        _cleanup_(parked_freep) struct parked *p = NULL;
        _cleanup_(feed_freep) struct feed *f = NULL;
        _cleanup_(server_freep) struct server *s = NULL;
        struct node_host host = {0};
        const struct request q = {.host = &host};

        ck_assert_int_eq(parked_new(&p), 0);
        ck_assert_int_eq(feed_new(&f, p, build(1, 1)), 0);
        ck_assert_int_eq(server_new(&s,
                                    &(struct server_options){&router, &authority, p, &host, "diag"},
                                    NULL),
                         0);
        host.feed = f;
        host.server = s;
        /* Nobody can vouch for it yet, and then systemd has answered. */
        for (size_t i = 0; i < 2; i++) {
                _cleanup_(reply_done) struct reply r = {0};
                _cleanup_(scrape_done) struct scrape sc;

                ck_assert_int_eq(metrics_routes[0].handle(&q, &r), 0);
                ck_assert_uint_eq(r.status, 200);
                ck_assert_str_eq(r.content_type, EXPOSITION_CONTENT_TYPE);
                scrape(&sc, blob_data(r.body));
                ck_assert_str_eq(value(&sc, "diag_node_healthy"), i ? "1" : "0");
                ck_assert_str_eq(value(&sc, "diag_node_unknown"), i ? "0" : "1");
                ck_assert_str_eq(value(&sc, "diag_component_healthy{component=\"a \\\\ disk\"}"),
                                 i ? "1" : "0");
                ck_assert_str_ne(value(&sc, "diag_http_parked"), "-");
                feed_confirm(f);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("metrics");
        TCase *tc = tcase_create("metrics");

        tcase_add_test(tc, says_what_the_report_says);
        tcase_add_loop_test(tc, says_how_the_node_is, 0, ELEMENTSOF(nodes));
        tcase_add_test(tc, says_of_nothing_stale_that_it_is_healthy);
        tcase_add_test(tc, says_what_the_server_has_counted);
        tcase_add_test(tc, answers);
        suite_add_tcase(s, tc);
        return test_main(s);
}
