/* It builds a report, sees what changed since the one before, and seals it. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/report.h"
#include "tests/unit/test_main.h"

#define EARLIER UINT64_C(1000000)
#define NOW     UINT64_C(2000000)
#define PARTS   6

static const struct diag_node node = {.node_id = "n", .boot_id = "b", .hostname = "h"};
static const struct diag_system nothing = {0};

/* A report in short: components until a name is missing. */
struct plan {
        struct diag_component parts[PARTS];
        enum diag_phase phase;
        bool truncated;
        enum diag_code reason; /* with its word as text, unhealthy */
        const struct diag_node *node;
        const struct diag_maintenance *maintenance;
};

static const struct diag_maintenance work = {.reason = "disks", .by = "uid 0"},
                                     work_prolonged = {.reason = "disks",
                                                       .by = "uid 0",
                                                       .until_wall_usec = 9};
static const struct diag_probe timed = {.name = "p", .took_usec = 7, .window = 1, .n_window = 1};

static struct diag_report *build(const struct plan *p)
{
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, p->node ? p->node : &node, &nothing, "dcos.target"),
                         0);
        r->phase = p->phase;
        r->truncated = p->truncated;
        if (p->reason)
                diag_report_set_reason(r, DIAG_UNHEALTHY, p->reason,
                                       diag_code_to_string(p->reason));
        diag_report_set_maintenance(r, p->maintenance);
        for (size_t i = 0; i < PARTS && p->parts[i].name; i++)
                ck_assert_int_eq(diag_report_add(r, &p->parts[i]), 0);
        return r;
}

/* Each change and its number: "+a1" came, "-a2" went, "~a3" is another, "*4" the node. */
static void on_change(const struct diag_change *c, void *userdata)
{
        struct buf *said = userdata;

        if (!c->before && !c->now)
                buf_puts(said, "*");
        else if (!c->before)
                buf_printf(said, "+%s", c->now->name);
        else if (!c->now)
                buf_printf(said, "-%s", c->before->name);
        else
                buf_printf(said, "~%s", c->now->name);
        buf_printf(said, "%u ", (unsigned)c->seq);
}

#define GOOD(unit)                                                           \
        {                                                                    \
                .name = (unit), .health = DIAG_HEALTHY, .code = DIAG_CODE_OK \
        }
#define BAD(unit)                                                                                \
        {                                                                                        \
                .name = (unit), .health = DIAG_UNHEALTHY, .code = DIAG_CODE_STOPPED, .text = "x" \
        }
#define DARK(unit)                                                                              \
        {                                                                                       \
                .name = (unit), .health = DIAG_UNKNOWN, .code = DIAG_CODE_NO_FACTS, .text = "x" \
        }

static const struct diag_node other_node = {.node_id = "n", .boot_id = "b", .hostname = "other"};
static const struct diag_unit counted = {.active_state = "active", .n_restarts = 7};

/* clang-format off */
static const struct {
        const char *name, *want;
        struct plan before, now;
} changes[] = {
        {"nothing", "",
         {.parts = {GOOD("a"), BAD("b"), DARK("c")}}, {.parts = {GOOD("a"), BAD("b"), DARK("c")}}},
        {"the order in which they were added", "",
         {.parts = {GOOD("a"), BAD("b"), DARK("c")}}, {.parts = {DARK("c"), BAD("b"), GOOD("a")}}},
        {"one came first", "+a4 ", {.parts = {GOOD("b"), GOOD("c")}},
         {.parts = {GOOD("a"), GOOD("b"), GOOD("c")}}},
        {"one came last", "+c4 ", {.parts = {GOOD("a"), GOOD("b")}},
         {.parts = {GOOD("a"), GOOD("b"), GOOD("c")}}},
        {"one went", "-b4 ", {.parts = {GOOD("a"), GOOD("b")}}, {.parts = {GOOD("a")}}},
        {"the last one went: that is the node's matter too", "*3 -a4 ", {.parts = {GOOD("a")}},
         {{{0}}}},
        {"one is another's place", "-a3 +b4 ", {.parts = {GOOD("a")}}, {.parts = {GOOD("b")}}},
        {"health", "~a3 ", {.parts = {GOOD("a")}}, {.parts = {BAD("a")}}},
        {"health back", "~a3 ", {.parts = {BAD("a")}}, {.parts = {GOOD("a")}}},
        {"unhealthy to unknown", "~a3 ", {.parts = {BAD("a")}}, {.parts = {DARK("a")}}},
        {"two at once, in the order of names", "~a4 ~b5 ", {.parts = {GOOD("a"), GOOD("b")}},
         {.parts = {BAD("b"), BAD("a")}}},
        {"title", "~a3 ", {.parts = {GOOD("a")}},
         {.parts = {{.name = "a", .health = DIAG_HEALTHY, .title = "A"}}}},
        {"description", "~a3 ", {.parts = {GOOD("a")}},
         {.parts = {{.name = "a", .health = DIAG_HEALTHY, .description = "A"}}}},
        {"code of an unhealthy one", "~a3 ", {.parts = {BAD("a")}},
         {.parts = {{.name = "a", .health = DIAG_UNHEALTHY, .code = DIAG_CODE_MASKED,
                     .text = "x"}}}},
        {"text of an unhealthy one", "~a3 ", {.parts = {BAD("a")}},
         {.parts = {{.name = "a", .health = DIAG_UNHEALTHY, .code = DIAG_CODE_STOPPED,
                     .text = "y"}}}},
        {"code of an unknown one", "~a3 ", {.parts = {DARK("a")}},
         {.parts = {{.name = "a", .code = DIAG_CODE_INCOMPLETE, .text = "x"}}}},
        {"code of a healthy one", "", {.parts = {GOOD("a")}},
         {.parts = {{.name = "a", .health = DIAG_HEALTHY, .code = DIAG_CODE_RUNNING_JOB}}}},
        {"text of a healthy one", "", {.parts = {GOOD("a")}},
         {.parts = {{.name = "a", .health = DIAG_HEALTHY, .code = DIAG_CODE_SKIPPED,
                     .text = "condition not met"}}}},
        {"output", "", {.parts = {BAD("a")}},
         {.parts = {{.name = "a", .health = DIAG_UNHEALTHY, .code = DIAG_CODE_STOPPED, .text = "x",
                     .output = "line\n", .output_truncated = true}}}},
        {"counters, times, notes, facts, expectation", "", {.parts = {BAD("a")}},
         {.parts = {{.name = "a", .health = DIAG_UNHEALTHY, .code = DIAG_CODE_STOPPED, .text = "x",
                     .n_restarts_recent = 3, .last_run_ended_mono_usec = 9, .notes = {"n"},
                     .n_notes = 1, .unit = &counted, .expect = DIAG_EXPECT_RUNNING,
                     .since_wall_usec = 1}}}},
        {"what its probes measured", "", {.parts = {GOOD("a")}},
         {.parts = {{.name = "a", .health = DIAG_HEALTHY, .probes = &timed, .n_probes = 1}}}},
        {"maintenance", "*3 ", {.parts = {BAD("a")}},
         {.parts = {BAD("a")}, .maintenance = &work}},
        {"the same maintenance", "", {.parts = {BAD("a")}, .maintenance = &work},
         {.parts = {BAD("a")}, .maintenance = &work}},
        {"longer maintenance", "*3 ", {.parts = {BAD("a")}, .maintenance = &work},
         {.parts = {BAD("a")}, .maintenance = &work_prolonged}},
        {"maintenance ended", "*3 ", {.parts = {BAD("a")}, .maintenance = &work},
         {.parts = {BAD("a")}}},
        {"who the node is", "*3 ", {.parts = {GOOD("a")}},
         {.parts = {GOOD("a")}, .node = &other_node}},
        {"starting to running", "*3 ", {.parts = {GOOD("a")}},
         {.parts = {GOOD("a")}, .phase = DIAG_PHASE_RUNNING}},
        {"running to stopping", "*3 ", {.parts = {GOOD("a")}, .phase = DIAG_PHASE_RUNNING},
         {.parts = {GOOD("a")}, .phase = DIAG_PHASE_STOPPING}},
        {"truncated", "*3 ", {.parts = {GOOD("a")}}, {.parts = {GOOD("a")}, .truncated = true}},
        {"a reason of the node itself", "*3 ", {.parts = {GOOD("a")}},
         {.parts = {GOOD("a")}, .reason = DIAG_CODE_SYSTEM_MAINTENANCE}},
        {"the reason went", "*3 ",
         {.parts = {GOOD("a")}, .reason = DIAG_CODE_SYSTEM_MAINTENANCE}, {.parts = {GOOD("a")}}},
        {"the node and a component: the node first", "*3 ~a4 ", {.parts = {GOOD("a")}},
         {.parts = {BAD("a")}, .node = &other_node}},
};
/* clang-format on */

START_TEST(sees_changes)
{
        _cleanup_(diag_report_unrefp) struct diag_report *before = build(&changes[_i].before),
                                                         *now = build(&changes[_i].now);
        _cleanup_(buf_done) struct buf said = {0};

        ck_assert_int_eq(diag_report_seal(before, NULL, EARLIER, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(now, before, NOW, on_change, &said), 0);
        ck_assert_msg(streq(buf_cstr(&said), changes[_i].want), "%s: %s", changes[_i].name,
                      buf_cstr(&said));
        /* No change, no number; and the last change has the report's. */
        if (!said.n)
                ck_assert_uint_eq(now->seq, before->seq);
        else
                ck_assert_uint_gt(now->seq, before->seq);
}
END_TEST

START_TEST(numbers_the_first_report)
{
        static const struct plan p = {
                .parts = {BAD("b"), GOOD("a")}
        };
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&p);
        _cleanup_(buf_done) struct buf said = {0};

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, on_change, &said), 0);
        ck_assert_str_eq(buf_cstr(&said), "*1 +a2 +b3 ");
        ck_assert_uint_eq(r->seq, 3);
        ck_assert_uint_eq(r->components[0].seq, 2);
        ck_assert_uint_eq(r->components[1].seq, 3);
        ck_assert(r->sealed);
        ck_assert_uint_eq(r->made_wall_usec, NOW);
}
END_TEST

START_TEST(keeps_the_number_of_what_did_not_change)
{
        static const struct plan one =
                                         {
                                                 .parts = {GOOD("a"), GOOD("b")}
        },
                                 two = {.parts = {BAD("a"), GOOD("b")}};
        _cleanup_(diag_report_unrefp) struct diag_report *before = build(&one), *now = build(&two);

        ck_assert_int_eq(diag_report_seal(before, NULL, EARLIER, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(now, before, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(now->components[0].seq, 4);
        ck_assert_uint_eq(now->components[1].seq, 3);
}
END_TEST

/* --- since -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct diag_component before, now;
        uint64_t want;
} sinces[] = {
        {"health is the same",                    GOOD("a"), GOOD("a"),     EARLIER},
        {"another reason, same health",
         BAD("a"),
         {.name = "a", .health = DIAG_UNHEALTHY, .code = DIAG_CODE_MASKED},
         EARLIER                                                                   },
        {"health is another",                     GOOD("a"), BAD("a"),      NOW    },
        {"health is another, whatever it brings",
         GOOD("a"),
         {.name = "a", .health = DIAG_UNHEALTHY, .since_wall_usec = 5},
         NOW                                                                       },
        {"it is new",                             GOOD("b"), GOOD("a"),     NOW    },
        {"it is new and brings its date",
         GOOD("b"),
         {.name = "a", .health = DIAG_HEALTHY, .since_wall_usec = 5},
         5                                                                         },
};

START_TEST(dates_health)
{
        const struct plan one = {.parts = {sinces[_i].before}}, two = {.parts = {sinces[_i].now}};
        _cleanup_(diag_report_unrefp) struct diag_report *before = build(&one), *now = build(&two);

        ck_assert_int_eq(diag_report_seal(before, NULL, EARLIER, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(now, before, NOW, NULL, NULL), 0);
        ck_assert_msg(now->components[0].since_wall_usec == sinces[_i].want, "%s", sinces[_i].name);
}
END_TEST

START_TEST(dates_the_nodes_health)
{
        static const struct plan good =
                                         {
                                                 .parts = {GOOD("a"), GOOD("b")}
        },
                                 bad = {.parts = {BAD("a"), GOOD("b")}},
                                 worse = {.parts = {BAD("a"), BAD("b")}};
        _cleanup_(diag_report_unrefp) struct diag_report *one = build(&good), *two = build(&bad),
                                                         *three = build(&worse);

        ck_assert_int_eq(diag_report_seal(one, NULL, EARLIER, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(two, one, NOW, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(three, two, NOW + 1, NULL, NULL), 0);
        ck_assert_uint_eq(one->since_wall_usec, EARLIER);
        ck_assert_uint_eq(two->since_wall_usec, NOW);
        ck_assert_uint_eq(three->since_wall_usec, NOW);
}
END_TEST

/* --- what they add up to ------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        struct plan plan;
        enum diag_health want;
        unsigned want_counts[DIAG_N_HEALTH]; /* unknown, healthy, unhealthy */
} sums[] = {
        {{.parts = {GOOD("a")}}, DIAG_HEALTHY, {0, 1, 0}},
        {{.parts = {GOOD("a"), DARK("b")}}, DIAG_UNKNOWN, {1, 1, 0}},
        {{.parts = {BAD("a"), DARK("b"), GOOD("c")}}, DIAG_UNHEALTHY, {1, 1, 1}},
        {{.parts = {DARK("a"), BAD("b"), BAD("c")}}, DIAG_UNHEALTHY, {1, 0, 2}},
        {{.parts = {GOOD("a")}, .reason = DIAG_CODE_SYSTEM_MAINTENANCE}, DIAG_UNHEALTHY,
         {0, 1, 0}},
        {{{{0}}}, DIAG_UNKNOWN, {0, 0, 0}},
};
/* clang-format on */

START_TEST(adds_up)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&sums[_i].plan);

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        ck_assert_int_eq(r->health, sums[_i].want);
        for (size_t h = 0; h < DIAG_N_HEALTH; h++)
                ck_assert_uint_eq(r->counts.n[h], sums[_i].want_counts[h]);
}
END_TEST

/* After a time of not knowing, its components tell since when the node is what it is. */
START_TEST(dates_the_node_by_its_components)
{
        const struct plan dark = {
                .parts = {DARK("a"), DARK("b")},
                  .phase = DIAG_PHASE_RUNNING
        };
        struct plan p = {
                .parts = {GOOD("a"), GOOD("b"), BAD("c"), BAD("d")},
                  .phase = DIAG_PHASE_RUNNING
        };
        _cleanup_(diag_report_unrefp) struct diag_report *before = build(&dark), *bad, *good;

        for (size_t i = 0; i < 4; i++)
                p.parts[i].since_wall_usec = 100 * (i + 1);
        ck_assert_int_eq(diag_report_seal(before, NULL, EARLIER, NULL, NULL), 0);
        bad = build(&p);
        ck_assert_int_eq(diag_report_seal(bad, before, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(bad->since_wall_usec, 300); /* since the first of the bad */
        ck_assert_uint_eq(bad->components[1].since_wall_usec, 200);
        p.parts[2].name = NULL;
        good = build(&p);
        ck_assert_int_eq(diag_report_seal(good, NULL, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(good->since_wall_usec, 200); /* since the last of all */
}
END_TEST

START_TEST(says_why_there_is_no_component)
{
        static const struct plan empty = {0}, reasoned = {.reason = DIAG_CODE_SYSTEM_MAINTENANCE};
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&empty), *m = build(&reasoned);

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        ck_assert_int_eq(r->node_code, DIAG_CODE_NO_COMPONENTS);
        ck_assert_str_eq(r->node_text, "there is no component to watch");
        ck_assert_int_eq(diag_report_seal(m, NULL, NOW, NULL, NULL), 0);
        ck_assert_int_eq(m->node_code, DIAG_CODE_SYSTEM_MAINTENANCE);
}
END_TEST

START_TEST(finds_by_name)
{
        static const struct plan p =
                                         {
                                                 .parts = {GOOD("c"), GOOD("a"), GOOD("b")}
        },
                                 empty = {0};
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&p), *none = build(&empty);

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(none, NULL, NOW, NULL, NULL), 0);
        ck_assert_str_eq(diag_report_find(r, "a")->name, "a");
        ck_assert_str_eq(diag_report_find(r, "c")->name, "c");
        ck_assert_ptr_null(diag_report_find(r, "d"));
        ck_assert_ptr_null(diag_report_find(r, ""));
        ck_assert_ptr_null(diag_report_find(none, "a"));
}
END_TEST

START_TEST(leaves_out_the_second_of_a_name)
{
        static const struct plan p = {
                .parts = {GOOD("b"), GOOD("a"), BAD("a"), BAD("b"), GOOD("c")}
        };
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&p);

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(r->n_components, 3);
        ck_assert_int_eq(r->health, DIAG_HEALTHY);
        ck_assert(!r->truncated);
}
END_TEST

START_TEST(holds_so_many_components)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        struct diag_component c = {.health = DIAG_HEALTHY};
        char name[32];

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, ""), 0);
        for (unsigned i = 0; i <= DIAG_COMPONENTS_MAX; i++) {
                ck_assert(!r->truncated);
                (void)snprintf(name, sizeof(name), "%05u.service", DIAG_COMPONENTS_MAX - i);
                c.name = name;
                ck_assert_int_eq(diag_report_add(r, &c), 0);
        }
        ck_assert(r->truncated);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(r->n_components, DIAG_COMPONENTS_MAX);
        ck_assert_str_eq(r->components[0].name, "00001.service");
        ck_assert_str_eq(r->components[DIAG_COMPONENTS_MAX - 1].name, "04096.service");
}
END_TEST

/* --- copies -------------------------------------------------------------------------------- */

static const struct {
        size_t n_ascii; /* then the character */
        const char *character;
        size_t want; /* bytes kept of the text */
} cuts[] = {
        {DIAG_STRING_MAX,     "",                 DIAG_STRING_MAX    },
        {DIAG_STRING_MAX,     "x",                DIAG_STRING_MAX    },
        {DIAG_STRING_MAX - 2, "\xc3\xa4",         DIAG_STRING_MAX    },
        {DIAG_STRING_MAX - 1, "\xc3\xa4",         DIAG_STRING_MAX - 1},
        {DIAG_STRING_MAX,     "\xc3\xa4",         DIAG_STRING_MAX    },
        {DIAG_STRING_MAX - 1, "\xe6\x97\xa5",     DIAG_STRING_MAX - 1},
        {DIAG_STRING_MAX - 2, "\xe6\x97\xa5",     DIAG_STRING_MAX - 2},
        {DIAG_STRING_MAX - 3, "\xe6\x97\xa5",     DIAG_STRING_MAX    },
        {DIAG_STRING_MAX - 3, "\xf0\x9f\x90\x8c", DIAG_STRING_MAX - 3},
        {DIAG_STRING_MAX - 4, "\xf0\x9f\x90\x8c", DIAG_STRING_MAX    },
};

START_TEST(cuts_between_characters)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        char text[2 * DIAG_STRING_MAX];
        const struct diag_unit u = {
                .status_text = text, .triggered_by = {text}, .n_triggered_by = 1};
        const struct diag_component c = {.name = "a",
                                         .title = text,
                                         .description = text,
                                         .text = text,
                                         .notes = {text},
                                         .n_notes = 1,
                                         .unit = &u};
        const struct diag_node n = {.hostname = text};

        memset(text, 'a', sizeof(text));
        (void)stpcpy(text + cuts[_i].n_ascii, cuts[_i].character);
        ck_assert_int_eq(diag_report_new(&r, &n, &nothing, ""), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_uint_eq(strlen(r->components[0].title), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->components[0].description), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->components[0].text), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->components[0].notes[0]), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->components[0].unit->status_text), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->components[0].unit->triggered_by[0]), cuts[_i].want);
        ck_assert_uint_eq(strlen(r->node.hostname), cuts[_i].want);
}
END_TEST

START_TEST(cuts_long_output)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        char output[DIAG_OUTPUT_MAX + 2] = {0};
        const struct diag_component c = {.name = "a", .output = output};

        memset(output, 'a', DIAG_OUTPUT_MAX + 1);
        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, ""), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_uint_eq(strlen(r->components[0].output), DIAG_OUTPUT_MAX);
}
END_TEST

START_TEST(survives_hostile_bytes)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        char text[DIAG_STRING_MAX + 9] = {0};
        const struct diag_component c = {.name = "a", .text = text};

        memset(text, 0x80, DIAG_STRING_MAX + 8); /* no character begins anywhere */
        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, ""), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_str_eq(r->components[0].text, "");
}
END_TEST

START_TEST(copies_everything)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        char s[2] = "x";
        struct diag_unit u = {.id = s, .result = s, .triggered_by = {s}, .n_triggered_by = 1};
        const struct diag_probe p = {.name = s, .kind = s, .text = s, .output = s};
        const struct diag_component c = {
                .name = s, .text = s, .unit = &u, .probes = &p, .n_probes = 1};
        const struct diag_maintenance m = {.reason = s, .by = s};
        const struct diag_node n = {.node_id = s,
                                    .boot_id = s,
                                    .hostname = s,
                                    .kernel_hostname = s,
                                    .address = s,
                                    .version = s,
                                    .dcos_version = s,
                                    .config_hash = s,
                                    .port = 1050,
                                    .role = DIAG_ROLE_AGENT};
        const struct diag_system system = {
                .state = s, .version = s, .n_failed_units = 2, .n_jobs = 3};

        ck_assert_int_eq(diag_report_new(&r, &n, &system, s), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        diag_report_set_reason(r, DIAG_UNKNOWN, DIAG_CODE_NO_FACTS, s);
        diag_report_set_maintenance(r, &m);
        s[0] = 'y';
        u.n_restarts = 9;
        ck_assert_str_eq(r->node.node_id, "x");
        ck_assert_str_eq(r->node.boot_id, "x");
        ck_assert_str_eq(r->node.hostname, "x");
        ck_assert_str_eq(r->node.kernel_hostname, "x");
        ck_assert_str_eq(r->node.address, "x");
        ck_assert_str_eq(r->node.version, "x");
        ck_assert_str_eq(r->node.dcos_version, "x");
        ck_assert_uint_eq(r->node.port, 1050);
        ck_assert_int_eq(r->node.role, DIAG_ROLE_AGENT);
        ck_assert_uint_eq(r->system.n_failed_units, 2);
        ck_assert_uint_eq(r->system.n_jobs, 3);
        ck_assert_str_eq(r->node.mesos_id, ""); /* never NULL */
        ck_assert_str_eq(r->system.state, "x");
        ck_assert_str_eq(r->system.version, "x");
        ck_assert_str_eq(r->target, "x");
        ck_assert_str_eq(r->node_text, "x");
        ck_assert_str_eq(r->components[0].name, "x");
        ck_assert_str_eq(r->components[0].title, "");
        ck_assert_str_eq(r->components[0].output, "");
        ck_assert_str_eq(r->components[0].unit->id, "x");
        ck_assert_str_eq(r->components[0].unit->result, "x");
        ck_assert_str_eq(r->components[0].unit->sub_state, "");
        ck_assert_str_eq(r->components[0].unit->triggered_by[0], "x");
        ck_assert_uint_eq(r->components[0].unit->n_restarts, 0);
        ck_assert_str_eq(r->components[0].probes[0].name, "x");
        ck_assert_str_eq(r->components[0].probes[0].kind, "x");
        ck_assert_str_eq(r->components[0].probes[0].text, "x");
        ck_assert_str_eq(r->components[0].probes[0].output, "x");
        ck_assert_str_eq(r->maintenance->reason, "x");
        ck_assert_str_eq(r->maintenance->by, "x");
}
END_TEST

/* --- stale --------------------------------------------------------------------------------- */

START_TEST(has_a_twin_that_claims_nothing)
{
        static const struct diag_probe probe = {
                .name = "p", .health = DIAG_HEALTHY, .code = DIAG_CODE_OK, .output = "line\n"};
        static const struct plan p = {
                .maintenance = &work,
                .parts = {GOOD("a"),
                          {.name = "b",
                           .probes = &probe,
                           .n_probes = 1,
                           .title = "B",
                           .health = DIAG_UNHEALTHY,
                           .output = "line\n",
                           .output_truncated = true}},
                .phase = DIAG_PHASE_RUNNING,
                .truncated = true,
        };
        static const struct plan other = {
                .parts = {BAD("a"), BAD("b")}
        };
        _cleanup_(diag_report_unrefp) struct diag_report *before = build(&other), *r = build(&p),
                                                         *stale = NULL;

        r->instance = 7;
        ck_assert_int_eq(diag_report_seal(before, NULL, EARLIER, NULL, NULL), 0);
        ck_assert_int_eq(diag_report_seal(r, before, NOW, NULL, NULL), 0);
        stale = diag_report_stale(r, "systemd is silent");
        ck_assert_ptr_nonnull(stale);
        ck_assert(stale->sealed && stale->truncated);
        ck_assert_int_eq(stale->health, DIAG_UNKNOWN);
        ck_assert_int_eq(stale->node_code, DIAG_CODE_FACTS_STALE);
        ck_assert_str_eq(stale->node_text, "systemd is silent");
        ck_assert_int_eq(stale->phase, DIAG_PHASE_RUNNING);
        ck_assert_uint_eq(stale->instance, 7);
        ck_assert_uint_eq(stale->seq, r->seq);
        ck_assert_str_eq(stale->target, "dcos.target");
        ck_assert_str_eq(stale->node.hostname, "h");
        ck_assert_uint_eq(stale->n_components, 2);
        ck_assert_uint_eq(stale->counts.n[DIAG_UNKNOWN], 2);
        for (size_t i = 0; i < 2; i++) {
                ck_assert_int_eq(stale->components[i].health, DIAG_UNKNOWN);
                ck_assert_int_eq(stale->components[i].code, DIAG_CODE_FACTS_STALE);
                ck_assert_str_eq(stale->components[i].text, "systemd is silent");
                ck_assert_str_eq(stale->components[i].output, "");
                ck_assert(!stale->components[i].output_truncated);
                ck_assert_uint_eq(stale->components[i].since_wall_usec, NOW);
        }
        ck_assert_str_eq(stale->components[1].title, "B");
        ck_assert_int_eq(stale->components[1].probes[0].health, DIAG_UNKNOWN);
        ck_assert_int_eq(stale->components[1].probes[0].code, DIAG_CODE_FACTS_STALE);
        ck_assert_str_eq(stale->components[1].probes[0].output, "");
        ck_assert_str_eq(stale->maintenance->reason, "disks");
        ck_assert_str_eq(r->components[1].output, "line\n"); /* the first one is as it was */
        ck_assert_int_eq(r->components[0].health, DIAG_HEALTHY);
}
END_TEST

/* --- rendering ----------------------------------------------------------------------------- */

static atomic_uint n_rendered;

static struct blob *render(const struct diag_report *r)
{
        _cleanup_(buf_done) struct buf b = {0};

        atomic_fetch_add(&n_rendered, 1);
        buf_puts(&b, r->target);
        return blob_new_take(&b);
}

static struct blob *render_nothing(_unused_ const struct diag_report *r)
{
        return NULL;
}

START_TEST(renders_once)
{
        static const struct plan p = {.parts = {GOOD("a")}};
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(&p);
        _cleanup_(blob_unrefp) struct blob *one = NULL, *two = NULL, *other = NULL;

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        atomic_store(&n_rendered, 0);
        ck_assert_ptr_null(diag_report_rendered(r, DIAG_MEMO_V1, render_nothing));
        one = diag_report_rendered(r, DIAG_MEMO_V1, render);
        two = diag_report_rendered(r, DIAG_MEMO_V1, render);
        ck_assert_ptr_eq(one, two);
        ck_assert_uint_eq(atomic_load(&n_rendered), 1);
        other = diag_report_rendered(r, DIAG_MEMO_V2_FULL, render);
        ck_assert_ptr_ne(one, other);
        ck_assert_str_eq(blob_data(other), "dcos.target");
}
END_TEST

#define N_THREADS 8

static void *render_in_thread(void *report)
{
        return diag_report_rendered(report, DIAG_MEMO_V1, render);
}

START_TEST(gives_the_same_rendering_to_all_threads)
{
        static const struct plan p = {.parts = {GOOD("a")}};

        for (unsigned round = 0; round < 50; round++) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = build(&p);
                pthread_t threads[N_THREADS];
                void *got[N_THREADS];

                ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
                for (size_t i = 0; i < N_THREADS; i++)
                        ck_assert_int_eq(pthread_create(&threads[i], NULL, render_in_thread, r), 0);
                for (size_t i = 0; i < N_THREADS; i++)
                        ck_assert_int_eq(pthread_join(threads[i], &got[i]), 0);
                for (size_t i = 0; i < N_THREADS; i++) {
                        ck_assert_ptr_nonnull(got[i]);
                        ck_assert_ptr_eq(got[i], got[0]);
                        ck_assert_str_eq(blob_data(got[i]), "dcos.target");
                }
                for (size_t i = 0; i < N_THREADS; i++)
                        blob_unref(got[i]);
        }
}
END_TEST

START_TEST(outlives_its_first_owner)
{
        static const struct plan p = {.parts = {GOOD("a")}};
        struct diag_report *r = build(&p), *mine = diag_report_ref(r);

        diag_report_unref(r);
        ck_assert_str_eq(mine->components[0].name, "a");
        ck_assert_ptr_null(diag_report_unref(mine));
        ck_assert_ptr_null(diag_report_unref(NULL));
        ck_assert_ptr_null(diag_report_ref(NULL));
}
END_TEST

/* --- descriptions -------------------------------------------------------------------------- */

static const struct {
        const char *text, *title, *description;
} descriptions[] = {
        {"Exhibitor: the ZooKeeper supervisor", "Exhibitor", "the ZooKeeper supervisor"},
        {"Mesos Master",                        "a.service", "Mesos Master"            },
        {"A: B: C",                             "a.service", "A B C"                   },
        {"A: B: C: D",                          "a.service", "A B C D"                 },
        {"A:B",                                 "a.service", "A:B"                     },
        {"A :B",                                "a.service", "A :B"                    },
        {"A:",                                  "a.service", "A:"                      },
        {"A: B:C",                              "A",         "B:C"                     },
        {"A:: B",                               "A:",        "B"                       },
        {"A:  B",                               "A",         " B"                      },
        {"A: : B",                              "a.service", "A  B"                    },
        {"",                                    "a.service", ""                        },
        {"a.service",                           "a.service", "a.service"               },
};

START_TEST(splits_descriptions)
{
        _cleanup_(arena_done) struct arena a = {0};
        const char *title, *description;

        diag_split_description(&a, "a.service", descriptions[_i].text, &title, &description);
        ck_assert_str_eq(title, descriptions[_i].title);
        ck_assert_str_eq(description, descriptions[_i].description);
}
END_TEST

/* The old service would answer with an empty name here; a title is never empty. */
START_TEST(has_a_title_always)
{
        _cleanup_(arena_done) struct arena a = {0};
        const char *title, *description;

        diag_split_description(&a, "a.service", ": B", &title, &description);
        ck_assert_str_eq(title, "a.service");
        ck_assert_str_eq(description, " B");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("report");
        TCase *seal = tcase_create("seal"), *copy = tcase_create("copy"),
              *read = tcase_create("read");

        tcase_add_loop_test(seal, sees_changes, 0, ELEMENTSOF(changes));
        tcase_add_test(seal, numbers_the_first_report);
        tcase_add_test(seal, keeps_the_number_of_what_did_not_change);
        tcase_add_loop_test(seal, dates_health, 0, ELEMENTSOF(sinces));
        tcase_add_test(seal, dates_the_nodes_health);
        tcase_add_test(seal, dates_the_node_by_its_components);
        tcase_add_loop_test(seal, adds_up, 0, ELEMENTSOF(sums));
        tcase_add_test(seal, says_why_there_is_no_component);
        tcase_add_test(seal, leaves_out_the_second_of_a_name);
        tcase_add_test(seal, holds_so_many_components);
        tcase_add_test(seal, has_a_twin_that_claims_nothing);
        suite_add_tcase(s, seal);

        tcase_add_loop_test(copy, cuts_between_characters, 0, ELEMENTSOF(cuts));
        tcase_add_test(copy, cuts_long_output);
        tcase_add_test(copy, survives_hostile_bytes);
        tcase_add_test(copy, copies_everything);
        tcase_add_loop_test(copy, splits_descriptions, 0, ELEMENTSOF(descriptions));
        tcase_add_test(copy, has_a_title_always);
        suite_add_tcase(s, copy);

        tcase_set_timeout(read, 60);
        tcase_add_test(read, finds_by_name);
        tcase_add_test(read, renders_once);
        tcase_add_test(read, gives_the_same_rendering_to_all_threads);
        tcase_add_test(read, outlives_its_first_owner);
        suite_add_tcase(s, read);
        return test_main(s);
}
