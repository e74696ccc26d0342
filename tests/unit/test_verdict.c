/*
 * It says that the cluster is unhealthy until every master is healthy. Each case is a cluster written as a
 * line: one word a node, "NAME:what", and what is known of the rest.
 */

#include <stdio.h>

#include "model/verdict.h"
#include "tests/unit/test_main.h"

#define NOW_WALL UINT64_C(1800000000000000)
#define NOW_BOOT UINT64_C(1000000000)

/* How a node of a case is written. */
struct role_word {
        const char *word;
        enum diag_reach reach;
        enum diag_health health;
        bool stale, unlisted;
};

static const struct role_word words[] = {
        {"ok",         DIAG_REACH_OK,          DIAG_HEALTHY,   false, false},
        {"late",       DIAG_REACH_LATE,        DIAG_HEALTHY,   false, false},
        {"bad",        DIAG_REACH_OK,          DIAG_UNHEALTHY, false, false},
        {"unknown",    DIAG_REACH_OK,          DIAG_UNKNOWN,   false, false},
        {"stale",      DIAG_REACH_OK,          DIAG_UNKNOWN,   true,  false},
        {"gone",       DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   false, false},
        {"reboots",    DIAG_REACH_REBOOTING,   DIAG_UNKNOWN,   false, false},
        {"never",      DIAG_REACH_NEVER,       DIAG_UNKNOWN,   false, false},
        {"conflict",   DIAG_REACH_CONFLICT,    DIAG_HEALTHY,   false, false},
        {"superseded", DIAG_REACH_SUPERSEDED,  DIAG_UNKNOWN,   false, false},
        {"unlisted",   DIAG_REACH_OK,          DIAG_HEALTHY,   false, true },
};

#define STATIC    DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC)
#define ZOOKEEPER DIAG_SOURCE_BIT(DIAG_SOURCE_ZOOKEEPER)
#define EXHIBITOR DIAG_SOURCE_BIT(DIAG_SOURCE_EXHIBITOR)

static struct diag_report *make_report(enum diag_health health)
{
        const struct diag_node node = {.role = DIAG_ROLE_MASTER};
        const struct diag_system system = {0};
        const struct diag_component components[] = {
                {.name = "a.service", .health = DIAG_HEALTHY,                         .code = DIAG_CODE_OK},
                { .name = "b.service",
                 .health = health,
                 .code = health == DIAG_HEALTHY ? DIAG_CODE_OK : DIAG_CODE_EXIT_CODE,
                 .text = health == DIAG_HEALTHY ? "" : "exited with status 3"},
        };
        struct diag_report *r = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        for (size_t i = 0; i < ELEMENTSOF(components); i++) {
                struct diag_component c = components[i];

                c.title = c.name;
                c.description = c.output = "";
                c.text = str_or(c.text, "");
                ck_assert_int_eq(diag_report_add(r, &c), 0);
        }
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW_WALL, NULL, NULL), 0);
        return r;
}

static const struct role_word *find_word(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i].word, s))
                        return &words[i];
        ck_abort_msg("no such word: %s", s);
        return NULL;
}

/* "m1:ok" a static master, "z1:ok" of ZooKeeper, "e1:ok" only observed, "a1:ok" an agent; "!": maintenance. */
static struct diag_member *make_member(const char *text)
{
        const char *colon = strchr(text, ':');
        char name[16] = "", what[32] = "", id[40];
        struct diag_maintenance flag = {"a new disk", "uid 0", NOW_WALL - 1, NOW_WALL + 1};
        const struct role_word *w;
        struct diag_member *ret = NULL, m = {0};

        (void)sscanf(text, "%15[^:]:%31[a-z]", name, what);
        w = find_word(what);
        (void)snprintf(id, sizeof(id), "id-%s", w->reach == DIAG_REACH_CONFLICT ? "twin" : name);
        m = (struct diag_member){
                .address = name,
                .addresses = {name},
                .n_addresses = 1,
                .node_id = id,
                .role = *name == 'a' ? DIAG_ROLE_AGENT : DIAG_ROLE_MASTER,
                .sources = *name == 'e'   ? EXHIBITOR
                           : *name == 'z' ? ZOOKEEPER
                                          : STATIC,
                .reach = w->reach,
                .health = w->health,
                .stale = w->stale,
                .unlisted = w->unlisted,
                .text = w->health == DIAG_HEALTHY ? "" : what,
                .maintenance = strchr(colon, '!') ? &flag : NULL,
        };
        if (w->reach == DIAG_REACH_OK || w->reach == DIAG_REACH_LATE)
                m.report = make_report(w->stale ? DIAG_HEALTHY : w->health);
        ck_assert_int_eq(diag_member_new(&ret, &m), 0);
        diag_report_unref(m.report);
        return ret;
}

struct cluster {
        struct diag_member *members[80];
        size_t n;
};

static void cluster_make(struct cluster *c, const char *text)
{
        char copy[1024], *save = NULL;

        c->n = 0;
        (void)snprintf(copy, sizeof(copy), "%s", text);
        for (char *t = strtok_r(copy, " ", &save); t; t = strtok_r(NULL, " ", &save))
                c->members[c->n++] = make_member(t);
}

static void cluster_done(struct cluster *c)
{
        while (c->n)
                diag_member_unref(c->members[--c->n]);
}

/* --- the rule ---------------------------------------------------------------------------------- */

static const struct {
        const char *name, *cluster;
        unsigned n_expected;
        bool starting;
        const char *codes; /* all reasons, in their order; "" healthy */
        const char *summary;
        const char *quorum;
        unsigned n_answering, n_healthy;
} cases[] = {
        {"all are healthy",                                       "m1:ok m2:ok m3:ok a1:bad",          3, false, "",                        "all 3 masters are healthy",
         "ok",                                                                                                                                                                                 3, 3},
        {"one is all",                                            "m1:ok",                             1, false, "",                        "the master is healthy",                "ok",      1, 1},
        {"agents never decide",                                   "m1:ok a1:bad a2:gone a3:never",     1, false, "",
         "the master is healthy",                                                                                                                                                   "ok",      1, 1},
        {"late is not gone",                                      "m1:ok m2:late m3:ok",               3, false, "",                        "all 3 masters are healthy",            "ok",
         3,                                                                                                                                                                                       3},

        {"C2 nobody was asked yet",                               "m1:ok m2:never",                    2, true,  "starting master-missing",
         "not every master has been asked yet",                                                                                                                                     "lost",    1, 1},
        {"C3 nobody is known",                                    "",                                  0, false, "members-unknown",
         "no master is known, and nobody has said how many there must be (MastersExpected=)",                                                                                       "unknown", 0, 0},
        {"C3 the bootstrap hole",                                 "e1:ok",                             0, false, "members-unknown",
         "masters have been seen, but nobody has said how many there must be (MastersExpected=)",                                                                                   "unknown", 1, 1},
        {"observed ones are enough where the number is declared", "e1:ok e2:ok e3:ok",                 3, false, "",
         "all 3 masters are healthy",                                                                                                                                               "ok",      3, 3},
        {"C4 one of three has registered",                        "z1:ok",                             3, false, "count-short",
         "1 of 3 masters are known",                                                                                                                                                "lost",    1, 1},
        {"C4 agents do not fill the gap",                         "z1:ok z2:ok a1:ok",                 3, false, "count-short",
         "2 of 3 masters are known",                                                                                                                                                "at-risk", 2, 2},
        {"C5 two with one identity",                              "m1:conflict m2:conflict m3:ok",     2, false,
         "identity-conflict identity-conflict",                                                                                             "2 of 3 masters not healthy: m1 ",      "lost",    3, 1},
        {"C5 twins are one",                                      "m1:conflict m2:conflict m3:ok",     3, false,
         "count-short identity-conflict identity-conflict",                                                                                 "2 of 3 masters are known",             "lost",    3,
         1                                                                                                                                                                                         },
        {"C6 one never answered",                                 "m1:ok m2:never m3:ok",              3, false, "master-missing",
         "1 of 3 masters not healthy: m2 never",                                                                                                                                    "at-risk", 2, 2},
        {"C6 no source names it any more",                        "z1:ok z2:unlisted z3:ok",           3, false, "master-missing",
         "1 of 3 masters not healthy: z2 ",                                                                                                                                         "at-risk", 3, 2},
        {"C7 gone",                                               "m1:ok m2:gone m3:ok",               3, false, "master-unreachable",
         "1 of 3 masters not healthy: m2 gone",                                                                                                                                     "at-risk", 2, 2},
        {"C7 said goodbye",                                       "m1:ok m2:reboots m3:ok",            3, false, "master-rebooting",
         "1 of 3 masters not healthy: m2 reboots",                                                                                                                                  "at-risk", 2, 2},
        {"C8 answers, and confirms nothing",                      "m1:ok m2:stale m3:ok",              3, false, "master-stale",
         "1 of 3 masters not healthy: m2 stale",                                                                                                                                    "at-risk", 3, 2},
        {"C9 does not know",                                      "m1:ok m2:unknown m3:ok",            3, false, "master-unknown",
         "1 of 3 masters not healthy: m2 b.service exited with status 3",                                                                                                           "at-risk", 3, 2},
        {"C10 unhealthy",                                         "m1:ok m2:bad m3:ok",                3, false, "master-unhealthy",
         "1 of 3 masters not healthy: m2 b.service exited with status 3",                                                                                                           "at-risk", 3, 2},
        {"rows before addresses",                                 "m1:bad m2:gone m3:never",           3, false,
         "master-missing master-unreachable master-unhealthy",                                                                              "3 of 3 masters not healthy: m3 never", "lost",    1, 0},
        {"superseded ones do not count",                          "z1:ok z2:ok z3:ok z4:superseded",   3, false, "",
         "all 3 masters are healthy",                                                                                                                                               "ok",      3, 3},
        {"an extra one counts",                                   "m1:ok m2:ok e3:gone",               2, false, "master-unreachable",
         "1 of 3 masters not healthy: e3 gone",                                                                                                                                     "ok",      2, 2},
        {"five, one gone: one more may fail",                     "m1:ok m2:ok m3:ok m4:ok m5:gone",   5, false,
         "master-unreachable",                                                                                                              "1 of 5 masters not healthy: m5 gone",  "ok",      4, 4},
        {"five, two gone",                                        "m1:ok m2:ok m3:ok m4:gone m5:gone", 5, false,
         "master-unreachable master-unreachable",                                                                                           "2 of 5 masters not healthy: m4 gone",  "at-risk",
         3,                                                                                                                                                                                       3},
};

static void list_codes(struct buf *to, const struct diag_cluster_verdict *v)
{
        for (size_t i = 0; i < v->n_reasons; i++)
                buf_printf(to, "%s%s", i ? " " : "", diag_code_to_string(v->reasons[i].code));
}

START_TEST(judges_a_cluster)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_cluster_verdict v;
        struct cluster c;
        _cleanup_(buf_done) struct buf list = {0};
        const char *codes;
        const struct diag_rule rule = {
                .n_expected = cases[_i].n_expected,
                .expected_from = "test",
                .asked_all = !cases[_i].starting,
                .now_wall_usec = NOW_WALL,
                .now_boot_usec = NOW_BOOT,
        };

        cluster_make(&c, cases[_i].cluster);
        ck_assert_int_eq(diag_verdict_judge(&v, &a, c.members, c.n, &rule, NULL), 0);
        list_codes(&list, &v);
        codes = buf_cstr(&list);
        ck_assert_msg(streq(codes, cases[_i].codes), "%s: %s", cases[_i].name, codes);
        ck_assert_msg(streq(v.summary, cases[_i].summary), "%s: %s", cases[_i].name, v.summary);
        ck_assert_msg(v.health == (*codes ? DIAG_UNHEALTHY : DIAG_HEALTHY), "%s", cases[_i].name);
        ck_assert_str_eq(diag_quorum_to_string(v.quorum), cases[_i].quorum);
        ck_assert_uint_eq(v.n_answering, cases[_i].n_answering);
        ck_assert_uint_eq(v.n_healthy, cases[_i].n_healthy);
        cluster_done(&c);
}
END_TEST

/* --- acknowledged, and since when -------------------------------------------------------------- */

START_TEST(acknowledges_and_never_heals)
{
        static const struct {
                const char *cluster;
                bool acknowledged;
        } kinds[] = {
                {"m1:ok m2:bad! m3:ok",        true },
                {"m1:ok m2:bad! m3:gone",      false},
                {"m1:ok m2:bad! m3:gone!",     true },
                {"m1:ok! m2:ok m3:ok",         false}, /* there is nothing to acknowledge */
                {"m1:ok m2:ok a1:bad! m3:bad", false},
        };
        const struct diag_rule rule = {
                .n_expected = 3, .asked_all = true, .now_wall_usec = NOW_WALL};
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_cluster_verdict v;
        struct cluster c;

        cluster_make(&c, kinds[_i].cluster);
        ck_assert_int_eq(diag_verdict_judge(&v, &a, c.members, c.n, &rule, NULL), 0);
        ck_assert_int_eq(v.acknowledged, kinds[_i].acknowledged);
        ck_assert_int_eq(v.health == DIAG_HEALTHY, strstr(kinds[_i].cluster, "bad") == NULL);
        cluster_done(&c);
}
END_TEST

START_TEST(keeps_the_date_of_a_health)
{
        struct diag_rule rule = {.n_expected = 1, .asked_all = true, .now_wall_usec = NOW_WALL};
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_cluster_verdict first, second, third;
        struct cluster good, bad;

        cluster_make(&good, "m1:ok");
        cluster_make(&bad, "m1:bad");
        ck_assert_int_eq(diag_verdict_judge(&first, &a, good.members, 1, &rule, NULL), 0);
        rule.now_wall_usec += 5;
        ck_assert_int_eq(diag_verdict_judge(&second, &a, good.members, 1, &rule, &first), 0);
        ck_assert_uint_eq(second.since_wall_usec, NOW_WALL);
        ck_assert_int_eq(diag_verdict_judge(&third, &a, bad.members, 1, &rule, &second), 0);
        ck_assert_uint_eq(third.since_wall_usec, NOW_WALL + 5);
        cluster_done(&good);
        cluster_done(&bad);
}
END_TEST

/* --- other masters' views ---------------------------------------------------------------------- */

START_TEST(believes_another_view_after_a_while)
{
        static const struct {
                uint64_t differs_for_usec; /* 0: it agrees */
                bool fresh, own, reason;
        } kinds[] = {
                {0,                          true,  false, false},
                {1,                          true,  false, false},
                {DIAG_VIEWS_DIFFER_USEC - 1, true,  false, false},
                {DIAG_VIEWS_DIFFER_USEC,     true,  false, true },
                {DIAG_VIEWS_DIFFER_USEC,     false, false, false},
                {DIAG_VIEWS_DIFFER_USEC,     true,  true,  false},
        };
        const struct diag_peer_view view = {
                .observer = "m2",
                .health = DIAG_UNHEALTHY,
                .fresh = kinds[_i].fresh,
                .differs_since_boot_usec =
                        kinds[_i].differs_for_usec ? NOW_BOOT - kinds[_i].differs_for_usec : 0,
        };
        const struct diag_rule rule = {
                .n_expected = 1,
                .asked_all = true,
                .views = &view,
                .n_views = 1,
                .own = kinds[_i].own,
                .now_wall_usec = NOW_WALL,
                .now_boot_usec = NOW_BOOT,
        };
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_cluster_verdict v;
        struct cluster c;

        cluster_make(&c, "m1:ok");
        ck_assert_int_eq(diag_verdict_judge(&v, &a, c.members, c.n, &rule, NULL), 0);
        ck_assert_int_eq(v.health == DIAG_UNHEALTHY, kinds[_i].reason);
        if (kinds[_i].reason) {
                ck_assert_int_eq(v.code, DIAG_CODE_VIEWS_DIFFER);
                ck_assert_str_eq(v.summary, "m2 says that the cluster is unhealthy");
        }
        cluster_done(&c);
}
END_TEST

/* --- superseded -------------------------------------------------------------------------------- */

START_TEST(finds_who_was_replaced)
{
        static const struct {
                const char *cluster; /* the first one is asked about */
                unsigned n_expected;
                bool superseded;
        } kinds[] = {
                {"z4:gone z1:ok z2:ok z3:ok",  3, true },
                {"z4:never z1:ok z2:ok z3:ok", 3, true },
                {"z4:gone z1:ok z2:ok",        3, false}, /* not enough others */
                {"z4:gone z1:ok z2:ok z3:bad", 3, false}, /* not all are healthy */
                {"z4:ok z1:ok z2:ok z3:ok",    3, false}, /* it answers */
                {"z4:bad z1:ok z2:ok z3:ok",   3, false},
                {"m4:gone z1:ok z2:ok z3:ok",  3, false}, /* somebody lists it on purpose */
                {"z4:gone z1:ok z2:ok z3:ok",  0, false}, /* nobody has said how many */
                {"a4:gone z1:ok z2:ok z3:ok",  3, false},
        };
        struct cluster c = {0};

        cluster_make(&c, kinds[_i].cluster);
        ck_assert_int_eq(
                diag_verdict_supersedes(c.members[0], c.members, c.n, kinds[_i].n_expected),
                kinds[_i].superseded);
        cluster_done(&c);
}
END_TEST

START_TEST(never_overlooks_a_master)
{
        const struct diag_rule rule = {
                .n_expected = 64, .asked_all = true, .now_wall_usec = NOW_WALL};
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_cluster_verdict v;
        struct cluster c = {.n = 0};

        for (unsigned i = 0; i < DIAG_MASTERS_MAX + 1; i++) {
                char text[16];

                (void)snprintf(text, sizeof(text), "m%02u:ok", i);
                c.members[c.n++] = make_member(text);
        }
        ck_assert_int_eq(diag_verdict_judge(&v, &a, c.members, c.n - 1, &rule, NULL), 0);
        ck_assert_int_eq(v.health, DIAG_HEALTHY);
        ck_assert_int_eq(diag_verdict_judge(&v, &a, c.members, c.n, &rule, NULL), 0);
        ck_assert_int_eq(v.health, DIAG_UNHEALTHY);
        ck_assert_int_eq(v.code, DIAG_CODE_MEMBERS_UNKNOWN);
        cluster_done(&c);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("verdict");
        TCase *t = tcase_create("it");

        tcase_add_loop_test(t, judges_a_cluster, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(t, acknowledges_and_never_heals, 0, 5);
        tcase_add_test(t, keeps_the_date_of_a_health);
        tcase_add_loop_test(t, believes_another_view_after_a_while, 0, 6);
        tcase_add_loop_test(t, finds_who_was_replaced, 0, 9);
        tcase_add_test(t, never_overlooks_a_master);
        suite_add_tcase(s, t);
        return test_main(s);
}
