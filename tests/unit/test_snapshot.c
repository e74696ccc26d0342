/* It holds the cluster at one moment: whom it finds, what differs from before, and components across nodes. */

#include <errno.h>
#include <stdio.h>

#include "tests/unit/small_cluster.h"

#define NOW SMALL_WALL

static const struct diag_rule rule = {
        .n_expected = 1, .expected_from = "static", .asked_all = true, .now_wall_usec = NOW};

static const struct diag_component healthy[] = {
        {.name = "a",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK,
         .title = "A",
         .description = "d"},
        {.name = NULL},
};
static const struct diag_component bad[] = {
        {.name = "a",               .health = DIAG_UNHEALTHY, .code = DIAG_CODE_FAILED, .text = "bad"},
        {.name = "b", .health = DIAG_HEALTHY, .code = DIAG_CODE_OK},
        {.name = NULL                        },
};

static struct diag_snapshot *make(const struct small_node *nodes, size_t n)
{
        struct diag_snapshot *s = NULL;

        ck_assert_int_eq(diag_snapshot_new(&s, n), 0);
        for (size_t i = 0; i < n; i++) {
                struct diag_member *m = small_member(&nodes[i]);

                diag_snapshot_add(s, m);
                diag_member_unref(m);
        }
        return s;
}

static struct diag_snapshot *make_sealed(const struct small_node *nodes, size_t n)
{
        struct diag_snapshot *s = make(nodes, n);

        ck_assert_int_eq(diag_snapshot_seal(s, NULL, &rule), 0);
        return s;
}

/* --- finding ------------------------------------------------------------------------------------- */

static const struct small_node people[] = {
        {.address = "10.0.0.1",
         .node_id = "m1",
         .hostname = "ann",
         .role = DIAG_ROLE_MASTER,
         .reach = DIAG_REACH_OK,
         .components = healthy},
        {.address = "10.0.0.10",
         .node_id = "a1",
         .hostname = "twin",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = healthy},
        {.address = "10.0.0.2",
         .node_id = "a2",
         .hostname = "twin",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = healthy},
        {.address = "a1",
         .node_id = "x",
         .hostname = "10.0.0.1",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = healthy},
        {.address = "fd00::1",                       .node_id = "a5",       .hostname = "",                                 .role = DIAG_ROLE_AGENT_PUBLIC  },
};

START_TEST(finds_by_address)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                make_sealed(people, ELEMENTSOF(people));
        static const char *const nobody[] = {"", "10.0.0.0", "10.0.0.11", "ann", "m1", "zzz"};

        for (size_t i = 0; i < ELEMENTSOF(people); i++)
                ck_assert_ptr_eq(diag_snapshot_find(s, people[i].address), s->members[i]);
        for (size_t i = 0; i < ELEMENTSOF(nobody); i++)
                ck_assert_ptr_null(diag_snapshot_find(s, nobody[i]));
}
END_TEST

START_TEST(looks_up_by_any_name)
{
        static const struct {
                const char *name;
                size_t n, first; /* of members */
        } names[] = {
                {"10.0.0.1", 1, 0}, /* an address, whoever is called like it */
                {"m1",       1, 0},
                {"ann",      1, 0},
                {"a1",       1, 3}, /* the same: another's id is a1 */
                {"a2",       1, 2},
                {"twin",     2, 1},
                {"fd00::1",  1, 4},
                {"nobody",   0, 0},
                {"10.0.0.",  0, 0},
                {"ANN",      0, 0},
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                make_sealed(people, ELEMENTSOF(people));

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const struct diag_member *found[2] = {0};

                ck_assert_msg(diag_snapshot_look_up(s, names[i].name, found, 2) == names[i].n, "%s",
                              names[i].name);
                if (names[i].n)
                        ck_assert_ptr_eq(found[0], s->members[names[i].first]);
                ck_assert_uint_eq(diag_snapshot_look_up(s, names[i].name, NULL, 0), names[i].n);
        }
}
END_TEST

START_TEST(holds_nobody)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make_sealed(NULL, 0);

        ck_assert_ptr_null(diag_snapshot_find(s, "a"));
        ck_assert_uint_eq(diag_snapshot_look_up(s, "a", NULL, 0), 0);
        ck_assert_uint_eq(diag_snapshot_units(s)->n_rows, 0);
        ck_assert_ptr_null(diag_unit_index_find(diag_snapshot_units(s), "a"));
        ck_assert_int_eq(s->verdict.health, DIAG_UNHEALTHY);
}
END_TEST

/* --- counting ------------------------------------------------------------------------------------ */

START_TEST(tallies)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = NULL;
        struct small_node nodes[DIAG_MASTERS_MAX + 10];
        char addresses[DIAG_MASTERS_MAX + 10][16];

        for (unsigned i = 0; i < ELEMENTSOF(nodes); i++) {
                (void)snprintf(addresses[i], sizeof(addresses[i]), "n%03u", i);
                nodes[i] = (struct small_node){.address = addresses[i],
                                               .role = i < 70 ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT,
                                               .reach = i == 72   ? DIAG_REACH_NEVER
                                                        : i == 69 ? DIAG_REACH_SUPERSEDED
                                                                  : DIAG_REACH_OK,
                                               .components = i == 71 ? bad : healthy};
        }
        s = make_sealed(nodes, ELEMENTSOF(nodes));
        ck_assert_uint_eq(s->n_masters, DIAG_MASTERS_MAX + 1);
        ck_assert_uint_eq(s->tally[DIAG_ROLE_MASTER].counts.n[DIAG_HEALTHY], 69);
        ck_assert_uint_eq(s->tally[DIAG_ROLE_MASTER].n_superseded, 1);
        ck_assert_uint_eq(s->tally[DIAG_ROLE_AGENT].counts.n[DIAG_HEALTHY], 2);
        ck_assert_uint_eq(s->tally[DIAG_ROLE_AGENT].counts.n[DIAG_UNHEALTHY], 1);
        ck_assert_uint_eq(s->tally[DIAG_ROLE_AGENT].counts.n[DIAG_UNKNOWN], 1);
}
END_TEST

/* --- numbering ----------------------------------------------------------------------------------- */

static struct diag_peer_view view, other_view;

#define CHANGE(name, statement)                            \
        static void change_##name(struct diag_snapshot *s) \
        {                                                  \
                statement;                                 \
        }

CHANGE(nothing, s->made_wall_usec += 7)
CHANGE(round, s->round_wall_usec += 7) /* told apart by who publishes */
CHANGE(leader_seen, s->leader_seen_boot_usec += 7)
CHANGE(id, s->cluster_id = "x")
CHANGE(name, s->cluster_name = "x")
CHANGE(observer, s->observer = "x")
CHANGE(age, s->view_max_age_usec = 7)
CHANGE(leader, s->leader_address = "x")
CHANGE(leader_source, s->leader_source = "x")
CHANGE(views, s->views = &view; s->n_views = 1)
CHANGE(source_used, s->sources[DIAG_SOURCE_DNS].used = true)
CHANGE(source_state, s->sources[DIAG_SOURCE_DNS].state = "failed")
CHANGE(source_error, s->sources[DIAG_SOURCE_DNS].error = "x")
CHANGE(source_nodes, s->sources[DIAG_SOURCE_DNS].n_nodes = 7)
CHANGE(source_seen, s->sources[DIAG_SOURCE_DNS].seen_boot_usec = 7)

static const struct {
        const char *name;
        void (*change)(struct diag_snapshot *s);
        bool new_seq, new_verdict_seq;
} changes[] = {
#define ROW(name, seq, verdict_seq)                    \
        {                                              \
#name, change_##name, seq, verdict_seq \
        }
        ROW(nothing, false, false),
        ROW(round, false, false),
        ROW(leader_seen, false, false),
        ROW(source_seen, false, false),
        ROW(id, true, true),
        ROW(name, true, true),
        ROW(observer, true, true),
        ROW(age, true, true),
        ROW(leader, true, true),
        ROW(leader_source, true, true),
        ROW(views, true, true),
        ROW(source_used, true, true),
        ROW(source_state, true, true),
        ROW(source_error, true, true),
        ROW(source_nodes, true, true),
};

/* The same members again, which a publisher takes over from the snapshot before. */
static struct diag_snapshot *again(const struct diag_snapshot *s)
{
        struct diag_snapshot *next = NULL;

        ck_assert_int_eq(diag_snapshot_new(&next, s->n_members), 0);
        for (size_t i = 0; i < s->n_members; i++)
                diag_snapshot_add(next, s->members[i]);
        return next;
}

START_TEST(numbers_what_differs)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make_sealed(people, 3), *t = NULL;

        view = (struct diag_peer_view){.observer = "m2", .health = DIAG_HEALTHY, .agrees = true};
        ck_assert_uint_eq(s->seq, 1);
        ck_assert_uint_eq(s->verdict_seq, 1);
        t = again(s);
        changes[_i].change(t);
        ck_assert_int_eq(diag_snapshot_seal(t, s, &rule), 0);
        ck_assert_msg(t->seq == 1u + changes[_i].new_seq, "%s", changes[_i].name);
        ck_assert_msg(t->verdict_seq == 1u + changes[_i].new_verdict_seq, "%s", changes[_i].name);
}
END_TEST

START_TEST(sees_what_differs_of_a_view)
{
        static const struct {
                struct diag_peer_view view;
                bool differs;
        } kinds[] = {
                {{.observer = "m2", .health = DIAG_HEALTHY, .fresh = true, .as_of_wall_usec = 7},
                 false                                                                                },
                {{.observer = "m3", .health = DIAG_HEALTHY, .fresh = true},                       true},
                {{.observer = "m2", .health = DIAG_UNKNOWN, .fresh = true},                       true},
                {{.observer = "m2", .health = DIAG_HEALTHY},                                      true},
        };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make(people, 3),
                                                                     *t = NULL;

                view = (struct diag_peer_view){
                        .observer = "m2", .health = DIAG_HEALTHY, .fresh = true};
                other_view = kinds[i].view;
                change_views(s);
                ck_assert_int_eq(diag_snapshot_seal(s, NULL, &rule), 0);
                t = again(s);
                t->views = &other_view;
                t->n_views = 1;
                ck_assert_int_eq(diag_snapshot_seal(t, s, &rule), 0);
                ck_assert_msg(t->seq == 1u + kinds[i].differs, "%zu", i);
        }
}
END_TEST

/* An agent that says something else is news, and none of the verdict but for the tally. */
START_TEST(numbers_members)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make_sealed(people, 3), *t = NULL,
                                                             *u = NULL;
        struct small_node other = people[2];
        struct diag_member *m;

        other.hostname = "renamed";
        m = small_member(&other);
        ck_assert_int_eq(diag_snapshot_new(&t, 3), 0);
        diag_snapshot_add(t, s->members[0]);
        diag_snapshot_add(t, s->members[1]);
        diag_snapshot_add(t, m);
        diag_member_unref(m);
        ck_assert_int_eq(diag_snapshot_seal(t, s, &rule), 0);
        ck_assert_uint_eq(t->seq, 2);
        ck_assert_uint_eq(t->verdict_seq, 1);
        ck_assert_int_eq(diag_snapshot_new(&u, 3), 0);
        diag_snapshot_add(u, s->members[0]);
        diag_snapshot_add(u, s->members[1]);
        ck_assert_int_eq(diag_snapshot_seal(u, t, &rule), 0);
        ck_assert_uint_eq(u->seq, 3);
        ck_assert_uint_eq(u->verdict_seq, 3); /* it was counted */
}
END_TEST

/* --- components ---------------------------------------------------------------------------------- */

START_TEST(counts_across_nodes)
{
        static const struct small_node nodes[] = {
                {.address = "1",
                 .role = DIAG_ROLE_AGENT,
                 .reach = DIAG_REACH_OK,
                 .components = healthy},
                {.address = "2",
                 .role = DIAG_ROLE_AGENT,
                 .reach = DIAG_REACH_OK,
                 .components = bad},
                {.address = "3",
                 .role = DIAG_ROLE_AGENT,
                 .reach = DIAG_REACH_OK,
                 .components = bad,
                 .stale = true},
                {.address = "4",
                 .role = DIAG_ROLE_AGENT,
                 .reach = DIAG_REACH_UNREACHABLE,
                 .components = bad},
                {.address = "5",         .role = DIAG_ROLE_AGENT, .reach = DIAG_REACH_NEVER   },
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s =
                make_sealed(nodes, ELEMENTSOF(nodes));
        const struct diag_unit_index *x = diag_snapshot_units(s);
        const struct diag_unit_row *a = diag_unit_index_find(x, "a"),
                                   *b = diag_unit_index_find(x, "b");

        ck_assert_ptr_eq(x, diag_snapshot_units(s)); /* made once */
        ck_assert_uint_eq(x->n_rows, 2);
        ck_assert(!x->truncated);
        ck_assert_str_eq(a->title, "A");
        ck_assert_uint_eq(a->n_nodes, 4);
        ck_assert_uint_eq(a->counts.n[DIAG_HEALTHY], 1);
        ck_assert_uint_eq(a->counts.n[DIAG_UNHEALTHY], 1);
        ck_assert_uint_eq(a->counts.n[DIAG_UNKNOWN], 2);
        ck_assert_uint_eq(a->codes[DIAG_CODE_FAILED], 1);
        ck_assert_uint_eq(a->codes[DIAG_CODE_FACTS_STALE], 1);
        ck_assert_int_eq(a->health, DIAG_UNHEALTHY);
        for (uint32_t i = 0; i < 4; i++) {
                ck_assert_uint_eq(a->nodes[i].member, i);
                ck_assert_uint_eq(a->nodes[i].component, 0);
        }
        ck_assert_uint_eq(b->n_nodes, 3);
        ck_assert_uint_eq(b->nodes[0].member, 1);
        ck_assert_uint_eq(b->nodes[0].component, 1);
        ck_assert_int_eq(b->health, DIAG_UNKNOWN); /* of the stale one */
        ck_assert_ptr_null(diag_unit_index_find(x, "c"));
        ck_assert_ptr_null(diag_unit_index_find(x, ""));
}
END_TEST

START_TEST(knows_nothing_of_what_nobody_tells)
{
        static const struct small_node nodes[] = {
                {.address = "1",
                 .role = DIAG_ROLE_AGENT,
                 .reach = DIAG_REACH_UNREACHABLE,
                 .components = healthy},
        };
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make_sealed(nodes, 1);
        const struct diag_unit_row *a = diag_unit_index_find(diag_snapshot_units(s), "a");

        ck_assert_int_eq(a->health, DIAG_UNKNOWN);
        ck_assert_uint_eq(a->counts.n[DIAG_UNKNOWN], 1);
        ck_assert_uint_eq(a->n_absent, 0);
}
END_TEST

/* Nine of ten nodes of a role have it: then the tenth lacks it. */
START_TEST(misses_what_most_have)
{
        static const struct diag_component only_a[] = {
                {.name = "a", .health = DIAG_HEALTHY},
                {0          }
        };
        static const struct diag_component only_z[] = {
                {.name = "z", .health = DIAG_HEALTHY},
                {0          }
        };
        static const struct {
                unsigned n_have, n_have_not, n_silent, n_absent;
        } kinds[] = {
                {9,  1, 0, 1},
                {8,  1, 0, 0},
                {8,  2, 0, 0},
                {18, 2, 0, 2},
                {17, 2, 0, 0},
                {10, 0, 0, 0},
                {9,  1, 5, 1}, /* who does not speak does not count */
                {1,  0, 0, 0},
        };
        struct small_node nodes[32];
        char addresses[32][16];

        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                unsigned n = kinds[k].n_have + kinds[k].n_have_not + kinds[k].n_silent;
                _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = NULL;

                for (unsigned i = 0; i <= n; i++) {
                        (void)snprintf(addresses[i], sizeof(addresses[i]), "%02u", i);
                        nodes[i] = (struct small_node){
                                .address = addresses[i],
                                .role = i == n ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT,
                                .reach = i >= kinds[k].n_have + kinds[k].n_have_not && i < n
                                                 ? DIAG_REACH_UNREACHABLE
                                                 : DIAG_REACH_OK,
                                .components = i < kinds[k].n_have ? only_a : only_z,
                        };
                }
                s = make_sealed(nodes, n + 1); /* a master that has it not is no agent */
                ck_assert_msg(diag_unit_index_find(diag_snapshot_units(s), "a")->n_absent ==
                                      kinds[k].n_absent,
                              "%zu", k);
        }
}
END_TEST

START_TEST(puts_what_is_too_many_together)
{
        static struct diag_component parts[2][DIAG_COMPONENTS_MAX];
        static char names[DIAG_UNIT_NAMES_MAX + 5][16];
        struct small_node nodes[2] = {
                {.address = "1", .role = DIAG_ROLE_AGENT, .reach = DIAG_REACH_OK},
                {.address = "2", .role = DIAG_ROLE_AGENT, .reach = DIAG_REACH_OK},
        };
        unsigned n_names = DIAG_UNIT_NAMES_MAX - 1 + (unsigned)_i;
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = NULL;
        const struct diag_unit_index *x;
        const struct diag_unit_row *other;
        size_t n = 0;

        for (unsigned i = 0; i < n_names; i++) {
                unsigned at = i < 3000 ? 0 : 1;

                (void)snprintf(names[i], sizeof(names[i]), "u%04u", i);
                parts[at][i - at * 3000] = (struct diag_component){
                        .name = names[i], .health = DIAG_HEALTHY, .code = DIAG_CODE_OK};
        }
        nodes[0].components = parts[0];
        nodes[1].components = parts[1];
        s = make_sealed(nodes, 2);
        x = diag_snapshot_units(s);
        other = diag_unit_index_find(x, DIAG_UNIT_OTHER);
        ck_assert_uint_eq(x->n_rows,
                          n_names > DIAG_UNIT_NAMES_MAX ? DIAG_UNIT_NAMES_MAX + 1 : n_names);
        ck_assert_int_eq(x->truncated, n_names > DIAG_UNIT_NAMES_MAX);
        ck_assert_int_eq(other != NULL, x->truncated);
        if (other) {
                ck_assert_uint_eq(other->n_nodes, n_names - DIAG_UNIT_NAMES_MAX);
                ck_assert_uint_eq(other->counts.n[DIAG_HEALTHY], other->n_nodes);
                ck_assert_uint_eq(other->n_absent, 0);
                ck_assert_uint_eq(other->nodes[0].member, 1);
        }
        for (size_t i = 0; i < x->n_rows; i++) {
                n += x->rows[i].n_nodes;
                ck_assert(i == 0 || strcmp(x->rows[i - 1].name, x->rows[i].name) < 0);
                ck_assert_ptr_eq(diag_unit_index_find(x, x->rows[i].name), &x->rows[i]);
        }
        ck_assert_uint_eq(n, n_names);
}
END_TEST

/* --- renderings ---------------------------------------------------------------------------------- */

static unsigned n_rendered;

static struct blob *render(const struct diag_snapshot *s)
{
        _cleanup_(buf_done) struct buf b = {0};

        n_rendered++;
        buf_printf(&b, "%zu", s->n_members);
        return blob_new_take(&b);
}

START_TEST(is_rendered_once)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = make_sealed(people, 3);

        n_rendered = 0;
        for (unsigned i = 0; i < 3; i++) {
                _cleanup_(blob_unrefp) struct blob *b =
                        diag_snapshot_rendered(s, DIAG_SNAPSHOT_MEMO_V1_NODES, render);

                ck_assert_str_eq(blob_data(b), "3");
        }
        ck_assert_uint_eq(n_rendered, 1);
        blob_unref(diag_snapshot_rendered(s, DIAG_SNAPSHOT_MEMO_V1_UNITS, render));
        ck_assert_uint_eq(n_rendered, 2);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("snapshot");
        TCase *t = tcase_create("it");

        tcase_add_test(t, finds_by_address);
        tcase_add_test(t, looks_up_by_any_name);
        tcase_add_test(t, holds_nobody);
        tcase_add_test(t, tallies);
        tcase_add_loop_test(t, numbers_what_differs, 0, ELEMENTSOF(changes));
        tcase_add_test(t, sees_what_differs_of_a_view);
        tcase_add_test(t, numbers_members);
        tcase_add_test(t, counts_across_nodes);
        tcase_add_test(t, knows_nothing_of_what_nobody_tells);
        tcase_add_test(t, misses_what_most_have);
        tcase_add_loop_test(t, puts_what_is_too_many_together, 0, 4);
        tcase_add_test(t, is_rendered_once);
        suite_add_tcase(s, t);
        return test_main(s);
}
