/* It says in figures what is published, with so many series and no more. */

#include <stdio.h>

#include "api/cluster_metrics.h"
#include "tests/unit/scrape.h"
#include "tests/unit/small_cluster.h"

static char *figures(const struct diag_snapshot *s, const char *stale)
{
        const struct diag_look look = {
                .snapshot = s, .stale = stale, .now_boot_usec = SMALL_BOOT, .age_usec = 1500000};
        _cleanup_(scrape_done) struct scrape sc;
        struct buf out = {0};
        size_t n;

        cluster_metrics_write(&out, &look);
        ck_assert_int_eq(out.error, 0);
        scrape(&sc, buf_cstr(&out));
        return buf_take(&out, &n);
}

static bool has_line(const char *text, const char *line)
{
        size_t n = strlen(line);

        for (const char *s = text; (s = strstr(s, line)); s++)
                if ((s == text || s[-1] == '\n') && s[n] == '\n')
                        return true;
        return false;
}

START_TEST(says_what_is_published)
{
        static const char *const lines[] = {
                ("diag_build_info{version=\"" DIAG_VERSION "\"} 1"),
                "# TYPE diag_cluster_healthy gauge",
                "diag_cluster_healthy 1",
                "diag_cluster_acknowledged 0",
                "diag_masters{state=\"expected\"} 1",
                "diag_masters{state=\"known\"} 1",
                "diag_masters{state=\"answering\"} 1",
                "diag_masters{state=\"healthy\"} 1",
                "diag_view_age_seconds 1.500000",
                "diag_source_nodes{source=\"zookeeper\"} 3",
                "diag_zookeeper_state{state=\"ok\"} 1",
                "diag_nodes{role=\"master\",health=\"healthy\"} 1",
                "diag_nodes{role=\"master\",health=\"unknown\"} 0",
                "diag_nodes{role=\"agent\",health=\"unhealthy\"} 1",
                "diag_nodes_reach{role=\"master\",reach=\"superseded\"} 1",
                "diag_nodes_reach{role=\"agent\",reach=\"never\"} 1",
                "diag_clock_offset_max_seconds 2.500000",
                "diag_node_health{address=\"10.0.0.3\",role=\"agent\"} 1",
                "diag_node_health{address=\"10.0.0.4\",role=\"agent_public\"} 3",
                "diag_node_health_left_out 0",
                "diag_unit_nodes{unit=\"dcos-b.service\",health=\"healthy\"} 1",
                "diag_unit_nodes{unit=\"dcos-b.service\",health=\"unhealthy\"} 1",
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                small_cluster(small_nodes, ELEMENTSOF(small_nodes), NULL);
        _cleanup_(freep) char *text = NULL;

        s->sources[DIAG_SOURCE_ZOOKEEPER] =
                (struct diag_source_state){DIAG_SOURCE_ZOOKEEPER, true, "ok", SMALL_BOOT, 3, ""};
        atomic_store(&s->members[0]->pulse->clock_offset_usec, -2500000);
        text = figures(s, NULL);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                ck_assert_msg(has_line(text, lines[i]), "no '%s' in\n%s", lines[i], text);
        ck_assert_ptr_null(strstr(text, "10.0.0.2"));
        ck_assert_ptr_null(strstr(text, "diag_node_health{address=\"10.0.0.1\""));
}
END_TEST

/* The watcher's silence must be an alarm. */
START_TEST(of_a_stale_view_nothing_is_healthy)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                small_cluster(small_nodes, ELEMENTSOF(small_nodes), NULL);
        _cleanup_(freep) char *text = figures(s, "nobody looks");

        ck_assert_ptr_null(strstr(text, "diag_cluster_healthy"));
        ck_assert_ptr_null(strstr(text, "diag_cluster_acknowledged"));
        ck_assert(has_line(text, "diag_cluster_reasons{code=\"view-stale\"} 1"));
        ck_assert(has_line(text, "diag_masters{state=\"healthy\"} 0"));
        ck_assert(has_line(text, "diag_nodes{role=\"master\",health=\"healthy\"} 0"));
        ck_assert(has_line(text, "diag_nodes{role=\"master\",health=\"unknown\"} 1"));
        ck_assert(has_line(text, "diag_node_health{address=\"10.0.0.1\",role=\"master\"} 3"));
        ck_assert(has_line(text, "diag_unit_nodes{unit=\"dcos-b.service\",health=\"unknown\"} 2"));
        ck_assert(has_line(text, "diag_unit_nodes{unit=\"dcos-b.service\",health=\"healthy\"} 0"));
}
END_TEST

START_TEST(counts_reasons)
{
        static const struct small_node nodes[] = {
                {.address = "10.0.0.1",
                 .role = DIAG_ROLE_MASTER,
                 .reach = DIAG_REACH_OK,
                 .components = small_agent_parts},
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = small_cluster(nodes, 1, NULL);
        _cleanup_(freep) char *text = figures(s, NULL);

        ck_assert(has_line(text, "diag_cluster_healthy 0"));
        ck_assert(has_line(text, "diag_cluster_reasons{code=\"master-unhealthy\"} 1"));
}
END_TEST

START_TEST(is_bounded)
{
        enum { N = CLUSTER_METRICS_NODES_MAX + 7 };
        static struct small_node nodes[N];
        static char addresses[N][16];
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = NULL;
        _cleanup_(freep) char *text = NULL;
        unsigned n = 0;

        for (unsigned i = 0; i < N; i++) {
                (void)snprintf(addresses[i], sizeof(addresses[i]), "10.1.%02u.%02u", i / 100,
                               i % 100);
                nodes[i] = (struct small_node){.address = addresses[i], .role = DIAG_ROLE_AGENT};
        }
        s = small_cluster(nodes, N, NULL);
        text = figures(s, NULL);
        for (const char *at = text; (at = strstr(at, "\ndiag_node_health{")); at++)
                n++;
        ck_assert_uint_eq(n, CLUSTER_METRICS_NODES_MAX);
        ck_assert(has_line(text, "diag_node_health_left_out 7"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("cluster_metrics");
        TCase *tc = tcase_create("cluster_metrics");

        tcase_add_test(tc, says_what_is_published);
        tcase_add_test(tc, of_a_stale_view_nothing_is_healthy);
        tcase_add_test(tc, counts_reasons);
        tcase_add_test(tc, is_bounded);
        suite_add_tcase(s, tc);
        return test_main(s);
}
