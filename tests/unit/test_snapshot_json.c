/* It spells the cluster, its nodes and units as API v2 promises, and of a stale view nothing but that. */

#include <jansson.h>

#include "model/snapshot_json.h"
#include "tests/unit/small_cluster.h"

#define OLD "nobody looks"

static struct diag_snapshot *snapshot;
static struct diag_look look;
static json_t *document;

static void set_up(void)
{
        snapshot = small_cluster(small_nodes, ELEMENTSOF(small_nodes), NULL);
        look = (struct diag_look){.snapshot = snapshot,
                                  .now_boot_usec = SMALL_BOOT + 1900000,
                                  .age_usec = 400000,
                                  .outputs = true};
}

static void tear_down(void)
{
        json_decref(document);
        document = NULL;
        snapshot = diag_snapshot_unref(snapshot);
}

static void parse(const struct buf *out)
{
        json_error_t e;

        ck_assert_int_eq(out->error, 0);
        json_decref(document);
        document = json_loads(buf_cstr(out), JSON_REJECT_DUPLICATES, &e);
        ck_assert_msg(document != NULL, "%s: %s", e.text, buf_cstr(out));
}

/* "a.b.0.c" of the document, as JSON. */
static void must_be(const char *path, const char *want)
{
        const json_t *v = document;
        char *copy = strdup(path), *rest = copy, *key, *got;

        while (v && (key = strsep(&rest, ".")))
                v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key))
                                     : json_object_get(v, key);
        free(copy);
        ck_assert_msg(v != NULL, "there is no %s", path);
        got = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
        ck_assert_msg(streq(got, want), "%s is %s, not %s", path, got, want);
        free(got);
}

struct want {
        const char *path, *want;
};

static void must_all_be(const struct want *w)
{
        for (; w->path; w++)
                must_be(w->path, w->want);
}

/* --- the cluster ------------------------------------------------------------------------------- */

static void write_cluster(bool own)
{
        _cleanup_(buf_done) struct buf out = {0};

        diag_cluster_write(&out, &look, own);
        parse(&out);
}

static struct diag_peer_view peers[] = {
        {.observer = "10.0.0.9",
         .health = DIAG_HEALTHY,
         .as_of_wall_usec = SMALL_WALL,
         .seen_boot_usec = SMALL_BOOT,
         .fresh = true,
         .agrees = true},
        {.observer = "10.0.0.8", .health = DIAG_HEALTHY         },
};

START_TEST(spells_the_cluster)
{
        static const struct want want[] = {
                {"cluster",                                            "{\"id\":null,\"name\":\"prod\"}"},
                {"health",                                                    "\"healthy\""},
                {"reasons","[]"},
                {"masters",                                            "{\"expected\":1,\"expected_from\":\"MastersExpected\","
                            "\"known\":1,\"answering\":1,\"healthy\":1,"
                            "\"quorum\":\"ok\"}"},
                {"nodes.master",                                                    "{\"healthy\":1,\"unhealthy\":0,\"unknown\":0,"
                                 "\"maintenance\":0}"},
                {"nodes.agent",     "{\"healthy\":0,\"unhealthy\":1,\"unknown\":1,"
                                "\"maintenance\":0}"},
                {"nodes.agent_public",                                       "{\"healthy\":0,\"unhealthy\":0,\"unknown\":1,"
                                       "\"maintenance\":0}"},
                {"leader",                                                    "{\"address\":\"10.0.0.1\",\"source\":\"mesos\","
                           "\"age_seconds\":1.9}"},
                {"view", "{\"observer\":\"10.0.0.1\",\"instance\":"
                         "\"9f3c2a11d0b4e677\",\"seq\":1,"
                         "\"as_of\":\"2026-11-21T00:04:08.500Z\","
                         "\"age_seconds\":0.4,\"complete\":true,"
                         "\"oldest_master_seconds\":1.9}"},
                {"views.0",                                 "{\"observer\":\"10.0.0.9\",\"health\":\"healthy\","
                            "\"as_of\":\"2026-11-21T00:04:07.000Z\","
                            "\"age_seconds\":1.9,\"fresh\":true,\"agrees\":true}"},
                {"views.1.health",                                                    "\"unknown\""},
                {"views.1.age_seconds",    "null"},
                {"sources",                                               "[{\"name\":\"zookeeper\",\"kind\":\"authoritative\","
                            "\"state\":\"ok\",\"age_seconds\":1.9,\"nodes\":3,"
                            "\"error\":null},{\"name\":\"mesos\","
                            "\"kind\":\"observing\",\"state\":\"failed\","
                            "\"age_seconds\":null,\"nodes\":0,"
                            "\"error\":\"refused\"}]"},
                {0                                                   },
        };

        snapshot->cluster_name = "prod";
        snapshot->leader_address = "10.0.0.1";
        snapshot->leader_source = "mesos";
        snapshot->leader_seen_boot_usec = SMALL_BOOT;
        snapshot->views = peers;
        snapshot->n_views = ELEMENTSOF(peers);
        snapshot->sources[DIAG_SOURCE_ZOOKEEPER] =
                (struct diag_source_state){DIAG_SOURCE_ZOOKEEPER, true, "ok", SMALL_BOOT, 3, ""};
        snapshot->sources[DIAG_SOURCE_MESOS] =
                (struct diag_source_state){DIAG_SOURCE_MESOS, true, "failed", 0, 0, "refused"};
        write_cluster(false);
        must_all_be(want);
        write_cluster(true);
        must_be("views", "[]");
}
END_TEST

START_TEST(spells_reasons)
{
        static const struct small_node nodes[] = {
                {.address = "10.0.0.1",
                 .node_id = "m1",
                 .role = DIAG_ROLE_MASTER,
                 .reach = DIAG_REACH_OK,
                 .components = small_agent_parts},
        };

        diag_snapshot_unref(snapshot);
        look.snapshot = snapshot = small_cluster(nodes, 1, NULL);
        write_cluster(false);
        must_be("health", "\"unhealthy\"");
        must_be("reasons", "[{\"code\":\"master-unhealthy\",\"text\":\"exited with status 3\","
                           "\"node_id\":\"m1\",\"address\":\"10.0.0.1\","
                           "\"component\":\"dcos-b.service\","
                           "\"since\":\"2026-11-21T00:04:07.000Z\",\"acknowledged\":false}]");
}
END_TEST

START_TEST(a_stale_cluster_is_unhealthy)
{
        static const struct want want[] = {
                {"health",                                                              "\"unhealthy\""},
                {"since",                                                                     "null"},
                {"summary","\"" OLD "\""},
                {"reasons",                                                             "[{\"code\":\"view-stale\",\"text\":\"" OLD "\","
                            "\"since\":null,\"acknowledged\":false}]"},
                {"masters.answering",                                                                     "0"},
                {"masters.healthy", "0"},
                {"masters.quorum",                                                   "\"unknown\""},
                {"nodes.master",                                                                     "{\"healthy\":0,\"unhealthy\":0,\"unknown\":1,"
                                 "\"maintenance\":0}"},
                {"view.complete",                                                                  "false"},
                {0                                                     },
        };

        look.stale = OLD;
        write_cluster(false);
        must_all_be(want);
}
END_TEST

/* --- nodes ------------------------------------------------------------------------------------- */

static void write_node(size_t i)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        diag_member_write_row(&w, &look, snapshot->members[i]);
        jw_key(&w, "components");
        diag_member_write_components(&w, &look, snapshot->members[i]);
        jw_end_object(&w);
        parse(&out);
}

START_TEST(spells_a_node)
{
        static const struct want want[] = {
                {"node_id",                       "\"a3\""},
                {"addresses",                               "[\"10.0.0.3\"]"},
                {"port","1051"},
                {"role",                          "\"agent\""},
                {"leader",                               "false"},
                {"health","\"unhealthy\""},
                {"code",                        "\"failed\""},
                {"text",                               "\"not well\""},
                {"reach",                      "\"ok\""},
                {"last_seen",                          "\"2026-11-21T00:04:07.000Z\""},
                {"age_seconds",                               "1.9"},
                {"rtt_seconds","0.0011"},
                {"clock_offset_ms",                         "-3"},
                {"protocol",                               "\"v2\""},
                {"counts","{\"healthy\":1,\"unhealthy\":1,\"unknown\":0}"},
                {"bad",                   "[\"dcos-b.service\"]"},
                {"maintenance",                               "null"},
                {"sources",                                     "[\"static\"]"},
                {"notes",               "[]"},
                {"components.0",                               "{\"name\":\"dcos-b.service\",\"title\":\"B\","
                                 "\"description\":\"the b\",\"kind\":\"unit\","
                                 "\"health\":\"unhealthy\",\"code\":\"exit-code\","
                                 "\"text\":\"exited with status 3\","
                                 "\"since\":\"2026-11-21T00:04:07.000Z\","
                                 "\"output\":\"secret\\n\"}"},
                {"components.1.health","\"healthy\""},
                {"components.1.output",                        "\"\""},
                {0                              },
        };

        atomic_store(&snapshot->members[2]->pulse->clock_offset_usec, -3400);
        write_node(2);
        must_all_be(want);
        look.outputs = false;
        write_node(2);
        must_be("components.0.output", "\"\"");
}
END_TEST

START_TEST(a_silent_node_has_lost_its_word)
{
        static const struct want want[] = {
                {"health",              "\"unknown\""},
                {"code",                     "\"unreachable\""},
                {"counts","{\"healthy\":0,\"unhealthy\":0,\"unknown\":1}"},
                {"bad",              "[]"},
                {"components.0.health",                     "\"unknown\""},
                {"components.0.code",    "\"unreachable\""},
                {"components.0.text", "\"not well\""},
                {0                    },
        };

        write_node(3);
        must_all_be(want);
}
END_TEST

START_TEST(a_node_that_never_answered)
{
        static const struct want want[] = {
                {"health",              "\"unknown\""},
                {"code",                     "\"never-answered\""},
                {"last_seen","null"},
                {"age_seconds",           "null"},
                {"rtt_seconds",                     "null"},
                {"clock_offset_ms",     "null"},
                {"protocol",         "null"},
                {"hostname",                     "null"},
                {"counts",           "{\"healthy\":0,\"unhealthy\":0,\"unknown\":0}"},
                {"components",            "[]"},
                {0                    },
        };

        write_node(4);
        must_all_be(want);
}
END_TEST

START_TEST(a_node_of_a_stale_view)
{
        static const struct want want[] = {
                {"health",              "\"unknown\""},
                {"since",                     "null"},
                {"code","\"view-stale\""},
                {"text",                "\"" OLD "\""},
                {"counts",                     "{\"healthy\":0,\"unhealthy\":0,\"unknown\":2}"},
                {"bad","[]"},
                {"components.0.health",              "\"unknown\""},
                {"components.0.code",                     "\"view-stale\""},
                {"components.0.output",                         "\"\""},
                {"components.1.health", "\"unknown\""},
                {0                    },
        };

        look.stale = OLD;
        write_node(2);
        must_all_be(want);
}
END_TEST

START_TEST(takes_inventory)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        diag_member_write_inventory(&w, snapshot->members[0]);
        ck_assert_str_eq(buf_cstr(&out),
                         "{\"node_id\":\"m1\",\"address\":\"10.0.0.1\","
                         "\"addresses\":[\"10.0.0.1\"],\"hostname\":\"h1\",\"port\":1051,"
                         "\"role\":\"master\"}");
}
END_TEST

/* --- units ------------------------------------------------------------------------------------- */

static const struct diag_unit_row *row(const char *name)
{
        const struct diag_unit_row *r = diag_unit_index_find(diag_snapshot_units(snapshot), name);

        ck_assert_ptr_nonnull(r);
        return r;
}

static void write_unit(const char *name)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        diag_unit_row_write(&w, &look, row(name));
        jw_end_object(&w);
        parse(&out);
}

START_TEST(spells_a_unit)
{
        write_unit("dcos-b.service");
        must_be("health", "\"unhealthy\"");
        must_be("kind", "\"unit\"");
        must_be("counts", "{\"healthy\":1,\"unhealthy\":1,\"unknown\":0}");
        must_be("codes", "{\"exit-code\":1}");
        look.stale = OLD;
        write_unit("dcos-b.service");
        must_be("health", "\"unknown\"");
        must_be("counts", "{\"healthy\":0,\"unhealthy\":0,\"unknown\":2}");
        must_be("codes", "{}");
}
END_TEST

/* Who could say that it is well cannot be reached. */
START_TEST(a_unit_of_silent_nodes_is_unknown)
{
        write_unit("dcos-gone.service");
        must_be("health", "\"unknown\"");
}
END_TEST

START_TEST(spells_a_unit_on_a_node)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        diag_unit_node_write(&w, &look, &row("dcos-c.service")->nodes[0]);
        ck_assert_str_eq(buf_cstr(&out),
                         "{\"node_id\":\"a3\",\"address\":\"10.0.0.3\",\"role\":\"agent\","
                         "\"health\":\"healthy\",\"code\":\"ok\",\"text\":\"\","
                         "\"since\":\"2026-11-21T00:04:07.000Z\",\"reach\":\"ok\"}");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("snapshot_json");
        TCase *tc = tcase_create("snapshot_json");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, spells_the_cluster);
        tcase_add_test(tc, spells_reasons);
        tcase_add_test(tc, a_stale_cluster_is_unhealthy);
        tcase_add_test(tc, spells_a_node);
        tcase_add_test(tc, a_silent_node_has_lost_its_word);
        tcase_add_test(tc, a_node_that_never_answered);
        tcase_add_test(tc, a_node_of_a_stale_view);
        tcase_add_test(tc, takes_inventory);
        tcase_add_test(tc, spells_a_unit);
        tcase_add_test(tc, a_unit_of_silent_nodes_is_unknown);
        tcase_add_test(tc, spells_a_unit_on_a_node);
        suite_add_tcase(s, tc);
        return test_main(s);
}
