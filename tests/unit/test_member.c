/* It is one node as the cluster sees it: copied whole, compared whole, and silent when it cannot be reached. */

#include <errno.h>
#include <stdio.h>

#include "tests/unit/small_cluster.h"

static const struct diag_component parts[] = {
        {.name = "a",              .health = DIAG_HEALTHY, .code = DIAG_CODE_OK},
        {.name = "b",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_FAILED,
         .text = "bad",
         .output = "of the report"},
        {.name = "c",              .health = DIAG_UNKNOWN, .code = DIAG_CODE_INCOMPLETE, .text = "why?"},
        {.name = NULL},
};

/* Each word of ours has a place of its own: what is only borrowed would be found out. */
static struct diag_member *make(void (*change)(struct diag_member *m), struct diag_report *r)
{
        static const char *const outputs[] = {NULL, "b's", "c's"};
        struct diag_maintenance maintenance = {
                .reason = "disks", .by = "ann", .since_wall_usec = 1, .until_wall_usec = 2};
        struct diag_member m = {
                .address = "10.0.0.1",
                .addresses = {"10.0.0.1", "fd00::1"},
                .n_addresses = 2,
                .node_id = "id",
                .hostname = "h",
                .boot_id = "boot",
                .version = "1",
                .mesos_id = "S-1",
                .port = 1050,
                .role = DIAG_ROLE_AGENT,
                .sources = 1,
                .reach = DIAG_REACH_OK,
                .protocol = DIAG_PROTOCOL_V2,
                .health = DIAG_UNHEALTHY,
                .code = DIAG_CODE_FAILED,
                .text = "b bad",
                .since_wall_usec = 7,
                .maintenance = &maintenance,
                .notes = {"clock-skew"         },
                .n_notes = 1,
                .report = r,
                .outputs = outputs,
        };
        struct diag_member *ret = NULL;

        if (change)
                change(&m);
        ck_assert_int_eq(diag_member_new(&ret, &m), 0);
        return ret;
}

static struct diag_report *make_report(void)
{
        const struct small_node n = {.address = "10.0.0.1", .hostname = "h", .components = parts};

        return small_report(&n);
}

START_TEST(copies_all)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report();
        _cleanup_(diag_member_unrefp) struct diag_member *m = make(NULL, r);

        ck_assert_str_eq(m->address, "10.0.0.1");
        ck_assert_str_eq(m->addresses[1], "fd00::1");
        ck_assert_str_eq(m->maintenance->reason, "disks");
        ck_assert_str_eq(m->maintenance->by, "ann");
        ck_assert_str_eq(m->notes[0], "clock-skew");
        ck_assert_str_eq(m->outputs[1], "b's");
        ck_assert_ptr_eq(m->report, r);
        ck_assert_ptr_nonnull(m->pulse);
}
END_TEST

/* --- comparing ---------------------------------------------------------------------------------- */

/* Strings that are equal, and not the same. */
static void change_nothing(struct diag_member *m)
{
        static char address[] = "10.0.0.1", text[] = "b bad";

        m->address = address;
        m->text = text;
}

static struct diag_report *other_report;
static const char *const other_outputs[] = {NULL, "b's", "x"};

#define CHANGE(name, statement)                          \
        static void change_##name(struct diag_member *m) \
        {                                                \
                statement;                               \
        }

CHANGE(address, m->address = "10.0.0.2")
CHANGE(addresses, m->addresses[1] = "fd00::2")
CHANGE(n_addresses, m->n_addresses = 1)
CHANGE(node_id, m->node_id = "x")
CHANGE(hostname, m->hostname = "x")
CHANGE(boot_id, m->boot_id = "x")
CHANGE(version, m->version = "x")
CHANGE(mesos_id, m->mesos_id = "x")
CHANGE(port, m->port = 1)
CHANGE(role, m->role = DIAG_ROLE_AGENT_PUBLIC)
CHANGE(sources, m->sources = 3)
CHANGE(unlisted, m->unlisted = true)
CHANGE(leader, m->leader = true)
CHANGE(seen_down, m->seen_down = true)
CHANGE(reach, m->reach = DIAG_REACH_LATE)
CHANGE(protocol, m->protocol = DIAG_PROTOCOL_V1)
CHANGE(health, m->health = DIAG_UNKNOWN)
CHANGE(code, m->code = DIAG_CODE_OOM_KILL)
CHANGE(text, m->text = "x")
CHANGE(stale, m->stale = true)
CHANGE(since, m->since_wall_usec = 8)
CHANGE(no_maintenance, m->maintenance = NULL)
CHANGE(reason, m->maintenance->reason = "x")
CHANGE(by, m->maintenance->by = "x")
CHANGE(from, m->maintenance->since_wall_usec = 0)
CHANGE(until, m->maintenance->until_wall_usec = 3)
CHANGE(notes, m->notes[0] = "truncated")
CHANGE(n_notes, m->n_notes = 0)
CHANGE(no_outputs, m->outputs = NULL)
CHANGE(outputs, m->outputs = other_outputs)
CHANGE(report, m->report = other_report)

static const struct {
        const char *name;
        void (*change)(struct diag_member *m);
        bool same;
} changes[] = {
#define ROW(name)                           \
        {                                   \
#name, change_##name, false \
        }
        {"nothing", change_nothing, true},
        ROW(address),
        ROW(addresses),
        ROW(n_addresses),
        ROW(node_id),
        ROW(hostname),
        ROW(boot_id),
        ROW(version),
        ROW(mesos_id),
        ROW(port),
        ROW(role),
        ROW(sources),
        ROW(unlisted),
        ROW(leader),
        ROW(seen_down),
        ROW(reach),
        ROW(protocol),
        ROW(health),
        ROW(code),
        ROW(text),
        ROW(stale),
        ROW(since),
        ROW(no_maintenance),
        ROW(reason),
        ROW(by),
        ROW(from),
        ROW(until),
        ROW(notes),
        ROW(n_notes),
        ROW(no_outputs),
        ROW(outputs),
        ROW(report),
};

START_TEST(sees_what_differs)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report(), *o = make_report();
        _cleanup_(diag_member_unrefp) struct diag_member *a = NULL, *b = NULL;

        other_report = o;
        a = make(NULL, r);
        b = make(changes[_i].change, r);
        ck_assert_msg(diag_member_same(a, b) == changes[_i].same, "%s", changes[_i].name);
        ck_assert_msg(diag_member_same(b, a) == changes[_i].same, "%s", changes[_i].name);
}
END_TEST

START_TEST(overlooks_signs_of_life)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report();
        _cleanup_(diag_member_unrefp) struct diag_member *a = make(NULL, r), *b = make(NULL, r);

        atomic_store(&a->pulse->seen_boot_usec, 7);
        atomic_store(&a->pulse->clock_offset_usec, -7);
        ck_assert(diag_member_same(a, b));
}
END_TEST

/* --- reading ------------------------------------------------------------------------------------ */

START_TEST(says_what_may_be_said)
{
        static const struct {
                enum diag_reach reach;
                bool stale, speaks;
        } kinds[] = {
                {DIAG_REACH_NEVER,       false, false},
                {DIAG_REACH_OK,          false, true },
                {DIAG_REACH_OK,          true,  true }, /* its components are unknown then */
                {DIAG_REACH_LATE,        false, true },
                {DIAG_REACH_UNREACHABLE, false, false},
                {DIAG_REACH_REBOOTING,   false, false},
                {DIAG_REACH_CONFLICT,    false, true },
                {DIAG_REACH_SUPERSEDED,  false, false},
        };

        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = make_report();
                struct diag_member m = {
                        .report = r, .reach = kinds[k].reach, .stale = kinds[k].stale};
                bool told = kinds[k].speaks && !kinds[k].stale;

                ck_assert_int_eq(diag_member_speaks(&m), kinds[k].speaks);
                for (size_t i = 0; i < r->n_components; i++)
                        ck_assert_int_eq(diag_member_component_health(&m, i),
                                         told ? r->components[i].health : DIAG_UNKNOWN);
                m.report = NULL;
                ck_assert(!diag_member_speaks(&m));
        }
}
END_TEST

START_TEST(shows_the_best_output_it_has)
{
        static const char *const some[] = {"never shown", "b's", ""};
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report();
        struct diag_member m = {.report = r, .reach = DIAG_REACH_OK};

        ck_assert_str_eq(diag_member_output(&m, 0), "");
        ck_assert_str_eq(diag_member_output(&m, 1), "of the report");
        m.outputs = some;
        ck_assert_str_eq(diag_member_output(&m, 0), "");
        ck_assert_str_eq(diag_member_output(&m, 1), "b's");
        ck_assert_str_eq(diag_member_output(&m, 2), "");
}
END_TEST

static unsigned n_rendered;

static struct blob *render(const struct diag_member *m)
{
        _cleanup_(buf_done) struct buf b = {0};

        n_rendered++;
        buf_puts(&b, m->address);
        return blob_new_take(&b);
}

START_TEST(is_rendered_once)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report();
        _cleanup_(diag_member_unrefp) struct diag_member *m = make(NULL, r);

        n_rendered = 0;
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_(blob_unrefp) struct blob *b =
                        diag_member_rendered(m, DIAG_MEMBER_MEMO_V1_NODE, render);

                ck_assert_str_eq(blob_data(b), "10.0.0.1");
        }
        ck_assert_uint_eq(n_rendered, 1);
        blob_unref(diag_member_rendered(m, DIAG_MEMBER_MEMO_V1_NODE_REASONS, render));
        ck_assert_uint_eq(n_rendered, 2);
}
END_TEST

START_TEST(knows_its_words)
{
        for (size_t i = 0; i < DIAG_N_REACH; i++)
                ck_assert_int_eq(diag_reach_from_string(diag_reach_to_string((enum diag_reach)i)),
                                 i);
        ck_assert_int_eq(diag_reach_from_string("bliss"), DIAG_REACH_NEVER);
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                ck_assert(!str_empty(diag_source_to_string((enum diag_source)i)));
        ck_assert_str_eq(diag_protocol_to_string(DIAG_PROTOCOL_UNKNOWN), "");
        ck_assert_str_eq(diag_protocol_to_string(DIAG_PROTOCOL_V1), "v1");
        ck_assert_str_eq(diag_protocol_to_string(DIAG_PROTOCOL_V2), "v2");
        ck_assert_uint_eq(DIAG_SOURCE_AUTHORITATIVE,
                          DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC) |
                                  DIAG_SOURCE_BIT(DIAG_SOURCE_ZOOKEEPER) |
                                  DIAG_SOURCE_BIT(DIAG_SOURCE_MEMORY));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("member");
        TCase *t = tcase_create("it");

        tcase_add_test(t, copies_all);
        tcase_add_loop_test(t, sees_what_differs, 0, ELEMENTSOF(changes));
        tcase_add_test(t, overlooks_signs_of_life);
        tcase_add_test(t, says_what_may_be_said);
        tcase_add_test(t, shows_the_best_output_it_has);
        tcase_add_test(t, is_rendered_once);
        tcase_add_test(t, knows_its_words);
        suite_add_tcase(s, t);
        return test_main(s);
}
