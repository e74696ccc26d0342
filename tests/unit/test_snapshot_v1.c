/* It spells the cluster as the old service did, to the byte: clients count keys. */

#include <jansson.h>

#include "model/snapshot_v1.h"
#include "tests/unit/small_cluster.h"

static struct diag_snapshot *snapshot;

static void set_up(void)
{
        snapshot = small_cluster(small_nodes, ELEMENTSOF(small_nodes), NULL);
}

static void tear_down(void)
{
        snapshot = diag_snapshot_unref(snapshot);
}

static struct diag_look look(const char *stale, bool outputs)
{
        return (struct diag_look){.snapshot = snapshot,
                                  .stale = stale,
                                  .now_boot_usec = SMALL_BOOT,
                                  .outputs = outputs};
}

/* --- which of its writers, of what ------------------------------------------------------------- */

enum of { NODES, NODE, NODE_UNITS, NODE_UNIT, UNITS, UNIT, UNIT_NODES, UNIT_NODE };

static void spell(struct buf *out, const struct diag_look *l, enum of of, const char *address,
                  const char *name)
{
        const struct diag_member *m = diag_v1_find_node(l, address);
        const struct diag_unit_row *row;
        int error;

        row = diag_v1_find_unit(l, name, &error);
        ck_assert_int_eq(error, 0);
        switch (of) {
        case NODES:
                diag_v1_write_nodes(out, l);
                break;
        case NODE:
                diag_v1_write_node(out, l, m);
                break;
        case NODE_UNITS:
                diag_v1_write_node_units(out, l, m);
                break;
        case NODE_UNIT:
                diag_v1_write_node_unit(out, l, m, (size_t)diag_v1_find_component(m, name));
                break;
        case UNITS:
                diag_v1_write_units(out, l);
                break;
        case UNIT:
                diag_v1_write_unit(out, l, row);
                break;
        case UNIT_NODES:
                diag_v1_write_unit_nodes(out, l, row);
                break;
        case UNIT_NODE:
                diag_v1_write_unit_node(out, l, m, (size_t)diag_v1_find_component(m, name));
                break;
        }
}

#define A "dcos-a.service"
#define B "dcos-b.service"
#define C "dcos-c.service"
#define HELP(id)                                                    \
        "\"help\":\"Node available at `dcos node ssh -mesos-id " id \
        "`. Try, `journalctl -xv` to diagnose further.\""
#define NODE_1(h) "{\"host_ip\":\"10.0.0.1\",\"health\":" #h ",\"role\":\"master\"}"
#define NODE_3(h) "{\"host_ip\":\"10.0.0.3\",\"health\":" #h ",\"role\":\"agent\"}"
#define NODE_4    "{\"host_ip\":\"10.0.0.4\",\"health\":3,\"role\":\"agent_public\"}"
#define NODE_5    "{\"host_ip\":\"10.0.0.5\",\"health\":3,\"role\":\"agent\"}"
#define UNIT_A(h)                                         \
        "{\"id\":\"" A "\",\"name\":\"A\",\"health\":" #h \
        ",\"description\":\"the \\u003ca\\u003e\"}"
#define UNIT_B(h) "{\"id\":\"" B "\",\"name\":\"B\",\"health\":" #h ",\"description\":\"the b\"}"
#define UNIT_C(h) \
        "{\"id\":\"" C "\",\"name\":\"C\",\"health\":" #h ",\"description\":\"another c\"}"
#define SAID   "ExecMainStatus return failed\\nsecret\\n"
#define REASON "ExecMainStatus return failed\\n"
#define OLD    "nobody looks"

/* clang-format off */
static const struct {
        enum of of;
        bool outputs;
        const char *address, *unit, *stale, *want;
} cases[] = {
        {NODES, true, "", "", NULL, "{\"nodes\":[" NODE_1(0) "," NODE_3(1) "," NODE_4 "," NODE_5 "]}\n"},
        {NODES, true, "", "", OLD, "{\"nodes\":[" NODE_1(3) "," NODE_3(3) "," NODE_4 "," NODE_5 "]}\n"},
        {NODE, true, "10.0.0.3", "", NULL, NODE_3(1) "\n"},
        {NODE, true, "10.0.0.1", "", OLD, NODE_1(3) "\n"},
        {NODE_UNITS, true, "10.0.0.3", "", NULL, "{\"units\":[" UNIT_B(1) "," UNIT_C(0) "]}\n"},
        {NODE_UNITS, true, "10.0.0.3", "", OLD, "{\"units\":[" UNIT_B(3) "," UNIT_C(3) "]}\n"},
        {NODE_UNITS, true, "10.0.0.4", "", NULL, "{\"units\":[]}\n"},
        {NODE_UNITS, true, "10.0.0.5", "", NULL, "{\"units\":[]}\n"},
        {NODE_UNIT, true, "10.0.0.3", B, NULL,
         "{\"id\":\"" B "\",\"health\":1,\"output\":\"" SAID "\",\"description\":\"the b\"," HELP("M-3")
         ",\"name\":\"B\"}\n"},
        {NODE_UNIT, false, "10.0.0.3", B, NULL,
         "{\"id\":\"" B "\",\"health\":1,\"output\":\"" REASON "\",\"description\":\"the b\"," HELP("M-3")
         ",\"name\":\"B\"}\n"},
        {NODE_UNIT, true, "10.0.0.3", C, NULL,
         "{\"id\":\"" C "\",\"health\":0,\"output\":\"\",\"description\":\"another c\"," HELP("M-3")
         ",\"name\":\"C\"}\n"},
        {NODE_UNIT, true, "10.0.0.3", C, OLD,
         "{\"id\":\"" C "\",\"health\":3,\"output\":\"nobody looks\\n\",\"description\":\"another c\"," HELP("M-3")
         ",\"name\":\"C\"}\n"},
        /* What only silent nodes have is not there. */
        {UNITS, true, "", "", NULL, "{\"units\":[" UNIT_A(0) "," UNIT_B(1) "," UNIT_C(0) "]}\n"},
        {UNITS, true, "", "", OLD, "{\"units\":[" UNIT_A(3) "," UNIT_B(3) "," UNIT_C(3) "]}\n"},
        {UNIT, true, "", B, NULL, UNIT_B(1) "\n"},
        /* The health of the node, not that of the unit on it. */
        {UNIT_NODES, true, "", C, NULL, "{\"nodes\":[" NODE_3(1) "]}\n"},
        {UNIT_NODES, true, "", B, NULL, "{\"nodes\":[" NODE_1(0) "," NODE_3(1) "]}\n"},
        {UNIT_NODE, true, "10.0.0.3", C, NULL,
         "{\"host_ip\":\"10.0.0.3\",\"health\":1,\"role\":\"agent\",\"output\":\"\"," HELP("M-3") "}\n"},
        {UNIT_NODE, false, "10.0.0.3", B, NULL,
         "{\"host_ip\":\"10.0.0.3\",\"health\":1,\"role\":\"agent\",\"output\":\"" REASON "\"," HELP("M-3") "}\n"},
};
/* clang-format on */

START_TEST(spells)
{
        struct diag_look l = look(cases[_i].stale, cases[_i].outputs);
        _cleanup_(buf_done) struct buf out = {0};

        spell(&out, &l, cases[_i].of, cases[_i].address, cases[_i].unit);
        ck_assert_int_eq(out.error, 0);
        ck_assert_str_eq(buf_cstr(&out), cases[_i].want);
}
END_TEST

START_TEST(finds_what_it_lists)
{
        struct diag_look l = look(NULL, true);
        int error;

        ck_assert_ptr_nonnull(diag_v1_find_node(&l, "10.0.0.5"));
        ck_assert_ptr_null(diag_v1_find_node(&l, "10.0.0.2")); /* was replaced */
        ck_assert_ptr_null(diag_v1_find_node(&l, "m1"));
        ck_assert_ptr_null(diag_v1_find_unit(&l, "dcos-gone.service", &error));
        ck_assert_int_eq(error, 0);
        ck_assert_int_eq(
                diag_v1_find_component(diag_v1_find_node(&l, "10.0.0.4"), "dcos-gone.service"), -1);
        ck_assert_int_eq(diag_v1_find_component(diag_v1_find_node(&l, "10.0.0.3"), A), -1);
}
END_TEST

/* 3 is more than 1: that is how the old service adds up. */
START_TEST(takes_the_greatest_number)
{
        static const struct small_node nodes[] = {
                {.address = "1",         .reach = DIAG_REACH_OK, .components = small_agent_parts},
                { .address = "2",
                 .reach = DIAG_REACH_OK,
                 .components = small_agent_parts,
                 .stale = true},
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                small_cluster(nodes, ELEMENTSOF(nodes), NULL);
        _cleanup_(blob_unrefp) struct blob *b = diag_snapshot_render_v1_units(s);

        ck_assert_str_eq(blob_data(b), "{\"units\":[" UNIT_B(3) "," UNIT_C(3) "]}\n");
}
END_TEST

START_TEST(lists_are_never_null)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = small_cluster(NULL, 0, NULL);
        _cleanup_(blob_unrefp) struct blob *nodes = diag_snapshot_render_v1_nodes(s);
        _cleanup_(blob_unrefp) struct blob *units = diag_snapshot_render_v1_units(s);

        ck_assert_str_eq(blob_data(nodes), "{\"nodes\":[]}\n");
        ck_assert_str_eq(blob_data(units), "{\"units\":[]}\n");
}
END_TEST

/* --- the report -------------------------------------------------------------------------------- */

static char *text_of(const struct rope *r)
{
        size_t n = (size_t)rope_size(r);
        struct rope_cursor c = {0};
        char *s = malloc(n + 1);

        ck_assert_ptr_nonnull(s);
        ck_assert_uint_eq(rope_read(r, &c, s, n), n);
        s[n] = '\0';
        return s;
}

#define TIME "2026-11-21T00:04:07Z"
#define R1                                                                                                       \
        "{\"Leader\":true,\"Role\":\"master\",\"IP\":\"10.0.0.1\",\"Host\":\"h1\",\"Health\":0,\"Output\":{\"" A \
        "\":\"\",\"" B "\":\"\"},\"MesosID\":\"M-1\""
#define R3(o)                                                                                                      \
        "{\"Leader\":false,\"Role\":\"agent\",\"IP\":\"10.0.0.3\",\"Host\":\"twin\",\"Health\":1,\"Output\":{\"" B \
        "\":\"" o "\",\"" C "\":\"\"},\"MesosID\":\"M-3\""
#define R45(ip, role)                                                                           \
        "{\"Leader\":false,\"Role\":\"" role "\",\"IP\":\"" ip "\",\"Host\":\"\",\"Health\":3," \
        "\"Output\":null,\"MesosID\":\"\"}"
#define END(h, title, name)                                               \
        "\"Health\":" #h ",\"Title\":\"" title "\",\"Timestamp\":\"" TIME \
        "\",\"PrettyName\":\"" name "\"}"
#define RU(unit, nodes, end) "{\"UnitName\":\"" unit "\",\"Nodes\":[" nodes "]," end
#define DA                   "the \\u003ca\\u003e"

#define REPORT(o)                                                                                                                                                                     \
        "{\"Units\":{"                                                                                                                                                                \
        "\"" A "\":" RU(                                                                                                                                                              \
                A, R1 "}",                                                                                                                                                            \
                END(0, DA,                                                                                                                                                            \
                    "A")) ","                                                                                                                                                         \
                          "\"" B "\":" RU(                                                                                                                                            \
                                  B, R1 "}," R3(o) "}",                                                                                                                               \
                                  END(1, "the b",                                                                                                                                     \
                                      "B")) ","                                                                                                                                       \
                                            "\"" C "\":" RU(                                                                                                                          \
                                                    C, R3(o) "}",                                                                                                                     \
                                                    END(0, "another c",                                                                                                               \
                                                        "C")) "},"                                                                                                                    \
                                                              "\"Nodes\":{"                                                                                                           \
                                                              "\"10.0.0.1\":" R1                                                                                                      \
                                                              ",\"Units\":[" RU(A, R1 "}", END(0, DA, "A")) "," RU(                                                                   \
                                                                      B, R1 "}",                                                                                                      \
                                                                      END(0, "the b",                                                                                                 \
                                                                          "B")) "]},"                                                                                                 \
                                                                                "\"10.0.0.3\":" R3(o) ",\"Units\":[" RU(                                                              \
                                                                                        B,                                                                                            \
                                                                                        R3(o) "}",                                                                                    \
                                                                                        END(1,                                                                                        \
                                                                                            "the b",                                                                                  \
                                                                                            "B")) "," RU(C,                                                                           \
                                                                                                         R3(o) "}",                                                                   \
                                                                                                         END(0,                                                                       \
                                                                                                             "another c",                                                             \
                                                                                                             "C")) "]},"                                                              \
                                                                                                                   "\"10.0.0.4\":" R45(                                               \
                                                                                                                           "10.0.0.4",                                                \
                                                                                                                           "agent_public") ","                                        \
                                                                                                                                           "\"10.0.0.5\":" R45(                       \
                                                                                                                                                   "10.0.0.5",                        \
                                                                                                                                                   "agent") "},"                      \
                                                                                                                                                            "\"UpdatedTime\":\"" TIME \
                                                                                                                                                            "\"}\n"

static void must_report(const char *stale, bool outputs, const char *want)
{
        struct diag_look l = look(stale, outputs);
        _cleanup_(rope_unrefp) struct rope *r = diag_v1_report(&l);
        _cleanup_(freep) char *text = NULL;

        ck_assert_ptr_nonnull(r);
        text = text_of(r);
        ck_assert_str_eq(text, want);
}

START_TEST(reports)
{
        must_report(NULL, true, REPORT(SAID));
        must_report(NULL, false, REPORT(REASON));
}
END_TEST

START_TEST(reports_a_stale_view)
{
        must_report(
                OLD, true,
                "{\"Units\":{"
                "\"" A "\":{\"UnitName\":\"" A "\"," END(
                        3, DA,
                        "A") ","
                             "\"" B "\":{\"UnitName\":\"" B "\"," END(
                                     3, "the b",
                                     "B") ","
                                          "\"" C "\":{\"UnitName\":\"" C "\"," END(
                                                  3, "another c",
                                                  "C") "},"
                                                       "\"Nodes\":{"
                                                       "\"10.0.0.1\":{\"Leader\":true,\"Role\":\"master\",\"IP\":\"10.0.0.1\","
                                                       "\"Host\":\"\",\"Health\":3,\"Output\":null,\"MesosID\":\"\"},"
                                                       "\"10.0.0.3\":" R45(
                                                               "10.0.0.3",
                                                               "agent") ","
                                                                        "\"10.0.0.4\":" R45(
                                                                                "10.0.0.4",
                                                                                "agent_public") ","
                                                                                                "\"10.0.0.5\":" R45(
                                                                                                        "10.0.0.5",
                                                                                                        "agent") "},"
                                                                                                                 "\"UpdatedTime\":\"" TIME
                                                                                                                 "\"}\n");
}
END_TEST

/* Two nodes that call one unit differently: each keeps its own words. */
START_TEST(reports_words_that_differ)
{
        static const struct diag_component other[] = {
                {.name = A,
                 .title = "Z",
                 .description = "z",
                 .health = DIAG_HEALTHY,
                 .code = DIAG_CODE_OK},
                {0},
        };
        const struct small_node nodes[] = {
                {.address = "1", .reach = DIAG_REACH_OK, .components = small_master_parts},
                {.address = "2", .reach = DIAG_REACH_OK, .components = other             },
        };
        _cleanup_(freep) char *text = NULL;
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct rope *r;
        struct diag_look l;
        json_t *unit;

        diag_snapshot_unref(snapshot);
        snapshot = small_cluster(nodes, ELEMENTSOF(nodes), NULL);
        l = look(NULL, true);
        r = diag_v1_report(&l);
        text = text_of(r);
        rope_unref(r);
        o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(o != NULL, "%s", text);
        unit = json_array_get(
                json_object_get(json_object_get(json_object_get(o, "Nodes"), "2"), "Units"), 0);
        ck_assert_str_eq(json_string_value(json_object_get(unit, "PrettyName")), "Z");
        ck_assert_uint_eq(json_array_size(json_object_get(unit, "Nodes")), 1);
        unit = json_object_get(json_object_get(o, "Units"), A);
        ck_assert_str_eq(json_string_value(json_object_get(unit, "PrettyName")), "A");
        ck_assert_uint_eq(json_array_size(json_object_get(unit, "Nodes")), 2);
}
END_TEST

START_TEST(reports_nothing_yet)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = small_cluster(NULL, 0, NULL);
        const struct diag_look l = {.snapshot = s};
        _cleanup_(freep) char *text = NULL;
        struct rope *r;

        s->round_wall_usec = 0;
        r = diag_v1_report(&l);
        text = text_of(r);
        rope_unref(r);
        ck_assert_str_eq(text, "{\"Units\":{},\"Nodes\":{},"
                               "\"UpdatedTime\":\"0001-01-01T00:00:00Z\"}\n");
}
END_TEST

START_TEST(writes_time_as_go_does)
{
        static const struct {
                uint64_t usec;
                const char *want;
        } times[] = {
                {SMALL_WALL + 500000, "\"2026-11-21T00:04:07.5Z\""     },
                {SMALL_WALL + 123000, "\"2026-11-21T00:04:07.123Z\""   },
                {SMALL_WALL + 1,      "\"2026-11-21T00:04:07.000001Z\""},
                {SMALL_WALL,          "\"2026-11-21T00:04:07Z\""       },
        };

        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                        small_cluster(NULL, 0, NULL);
                const struct diag_look l = {.snapshot = s};
                _cleanup_(freep) char *text = NULL;
                struct rope *r;

                s->round_wall_usec = times[i].usec;
                r = diag_v1_report(&l);
                text = text_of(r);
                rope_unref(r);
                ck_assert_msg(strstr(text, times[i].want), "%s", text);
        }
}
END_TEST

/* However many read it: it is there once, and so is the text of each node. */
START_TEST(is_made_once)
{
        struct diag_look l = look(NULL, true), reasons = look(NULL, false);
        _cleanup_(rope_unrefp) struct rope *one = diag_v1_report(&l), *two = diag_v1_report(&l);
        _cleanup_(rope_unrefp) struct rope *three = diag_v1_report(&reasons);

        ck_assert_ptr_eq(one, two);
        ck_assert_ptr_ne(one, three);
        ck_assert_uint_lt(rope_own_bytes(one), rope_size(one));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("snapshot_v1");
        TCase *tc = tcase_create("snapshot_v1");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, spells, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, finds_what_it_lists);
        tcase_add_test(tc, takes_the_greatest_number);
        tcase_add_test(tc, lists_are_never_null);
        tcase_add_test(tc, reports);
        tcase_add_test(tc, reports_a_stale_view);
        tcase_add_test(tc, reports_words_that_differ);
        tcase_add_test(tc, reports_nothing_yet);
        tcase_add_test(tc, writes_time_as_go_does);
        tcase_add_test(tc, is_made_once);
        suite_add_tcase(s, tc);
        return test_main(s);
}
