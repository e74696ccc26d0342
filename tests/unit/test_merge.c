/*
 * It turns answers into what is known of a node. Each case is a node's life, one step a word:
 *
 *     good bad starting  a report with that health      same   304
 *     bye                a report that says goodbye     stale  a report that confirms nothing
 *     refused hung garbage missing                      so it goes wrong
 *     +N                 N seconds pass
 */

#include <errno.h>
#include <stdio.h>

#include "aggregator/merge.h"
#include "tests/unit/test_main.h"

#define ID   "0123456789abcdef0123456789abcdef"
#define BOOT "fedcba9876543210fedcba9876543210"

static struct roster *roster;
static uint64_t boot_usec = 1000 * UINT64_C(1000000), wall_usec = UINT64_C(1800000000000000);
static unsigned n_added, n_left, n_asked_again;
static uint64_t seq;

static void on_added(_unused_ void *userdata, _unused_ struct node *n)
{
        n_added++;
}

static void on_leaving(_unused_ void *userdata, _unused_ struct node *n)
{
        n_left++;
}

static void on_changed(_unused_ void *userdata, _unused_ struct node *n)
{
}

static void on_ask_again(_unused_ void *userdata, _unused_ struct node *n)
{
        n_asked_again++;
}

static const struct roster_ops ops = {on_added, on_leaving, on_changed, on_ask_again};

static void setup(void)
{
        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
}

static void teardown(void)
{
        roster = roster_free(roster);
}

static struct node *add(enum diag_source source, const char *address, enum diag_role role)
{
        const struct found f = {.address = address, .role = role};
        struct err e = {0};
        struct node *n = roster_add(roster, source, &f, &e);

        ck_assert_msg(n != NULL, "%s", e.text);
        return n;
}

static struct diag_report *make_report(const char *id, const char *boot_id, enum diag_health health,
                                       enum diag_phase phase, enum diag_code node_code)
{
        const struct diag_node node = {
                .node_id = id, .boot_id = boot_id, .role = DIAG_ROLE_AGENT, .hostname = "h"};
        const struct diag_system system = {0};
        const struct diag_component c = {
                .name = "a.service",
                .title = "a",
                .description = "",
                .health = health,
                .code = health == DIAG_HEALTHY ? DIAG_CODE_OK : DIAG_CODE_EXIT_CODE,
                .text = health == DIAG_HEALTHY ? "" : "exited with status 3",
                .output = "",
        };
        struct diag_report *r = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        if (node_code)
                diag_report_set_reason(r, DIAG_UNKNOWN, node_code, "nobody can vouch for it");
        ck_assert_int_eq(diag_report_seal(r, NULL, wall_usec, NULL, NULL), 0);
        r->instance = 7;
        r->seq = ++seq;
        r->phase = phase;
        return r;
}

static struct answer answer_of(const char *word)
{
        static const struct {
                const char *word;
                enum answer_kind kind;
                bool lasting;
                enum diag_health health;
                enum diag_phase phase;
                enum diag_code code;
        } words[] = {
                {"good",     ANSWER_REPORT,    false, DIAG_HEALTHY,   DIAG_PHASE_RUNNING,  0},
                {"bad",      ANSWER_REPORT,    false, DIAG_UNHEALTHY, DIAG_PHASE_RUNNING,  0},
                {"starting", ANSWER_REPORT,    false, DIAG_UNKNOWN,   DIAG_PHASE_STARTING, 0},
                {"bye",      ANSWER_REPORT,    false, DIAG_HEALTHY,   DIAG_PHASE_STOPPING, 0},
                {"stale",    ANSWER_REPORT,    false, DIAG_UNKNOWN,   DIAG_PHASE_RUNNING,
                 DIAG_CODE_FACTS_STALE                                                      },
                {"same",     ANSWER_UNCHANGED, false, 0,              0,                   0},
                {"refused",  ANSWER_NONE,      false, 0,              0,                   0},
                {"hung",     ANSWER_NONE,      true,  0,              0,                   0},
                {"garbage",  ANSWER_BAD,       false, 0,              0,                   0},
                {"missing",  ANSWER_NOT_HERE,  false, 0,              0,                   0},
                {"busy",     ANSWER_BUSY,      false, 0,              0,                   0},
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                struct answer a = {.kind = words[i].kind, .lasting = words[i].lasting};

                if (!streq(words[i].word, word))
                        continue;
                (void)snprintf(a.text, sizeof(a.text), "%s", word);
                if (a.kind == ANSWER_REPORT)
                        a.report = make_report(ID, BOOT, words[i].health, words[i].phase,
                                               words[i].code);
                return a;
        }
        ck_abort_msg("no such word: %s", word);
        return (struct answer){0};
}

static void merge(struct node *n, struct answer *a)
{
        const struct merge_moment now = {boot_usec, wall_usec, 1000};

        n->protocol = DIAG_PROTOCOL_V2;
        (void)merge_answer(roster, n, a, &now);
        answer_done(a);
}

static void live(struct node *n, const char *life)
{
        char copy[256], *save = NULL;

        (void)snprintf(copy, sizeof(copy), "%s", life);
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
                struct answer a;

                if (*w == '+') {
                        boot_usec += strtoull(w + 1, NULL, 10) * 1000000;
                        wall_usec += strtoull(w + 1, NULL, 10) * 1000000;
                        continue;
                }
                a = answer_of(w);
                merge(n, &a);
        }
}

static const struct {
        const char *life;
        enum diag_reach reach;
        enum diag_health health;
        enum diag_code code;
        const char *text;
} lives[] = {
        {"",                            DIAG_REACH_NEVER,       DIAG_UNKNOWN,   DIAG_CODE_NEVER_ANSWERED, "it has never answered"},
        {"refused",                     DIAG_REACH_NEVER,       DIAG_UNKNOWN,   DIAG_CODE_NEVER_ANSWERED,
         "it has never answered: refused"                                                                                        },
        {"garbage",                     DIAG_REACH_NEVER,       DIAG_UNKNOWN,   DIAG_CODE_BAD_ANSWER,
         "it does not answer as a node does: garbage"                                                                            },
        {"good",                        DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good same same",              DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good bad",                    DIAG_REACH_OK,          DIAG_UNHEALTHY, DIAG_CODE_EXIT_CODE,
         "a.service exited with status 3"                                                                                        },
        {"good bad good",               DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good busy",                   DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
 /* One failure is none: a daemon that is restarted refuses for a moment. */
        {"good refused",                DIAG_REACH_LATE,        DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good refused +1 refused",     DIAG_REACH_LATE,        DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good refused +9",             DIAG_REACH_LATE,        DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good refused +3 refused",     DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_UNREACHABLE,
         "it does not answer: refused"                                                                                           },
        {"good hung",                   DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_UNREACHABLE,
         "it does not answer: hung"                                                                                              },
        {"good garbage +3 garbage",     DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_BAD_ANSWER,
         "it does not answer as a node does: garbage"                                                                            },
        {"good missing +3 missing",     DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_BAD_ANSWER,
         "it does not answer as a node does: missing"                                                                            },
        {"good refused good refused",   DIAG_REACH_LATE,        DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good hung +60 good",          DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good hung +60 bad",           DIAG_REACH_OK,          DIAG_UNHEALTHY, DIAG_CODE_EXIT_CODE,
         "a.service exited with status 3"                                                                                        },
 /* Goodbye: ten minutes to come back. */
        {"good bye",                    DIAG_REACH_REBOOTING,   DIAG_UNKNOWN,   DIAG_CODE_REBOOTING,
         "its machine is rebooting"                                                                                              },
        {"good bye good",               DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
        {"good bye refused +3 refused", DIAG_REACH_REBOOTING,   DIAG_UNKNOWN,   DIAG_CODE_REBOOTING,
         "its machine is rebooting"                                                                                              },
        {"good bye hung +599",          DIAG_REACH_REBOOTING,   DIAG_UNKNOWN,   DIAG_CODE_REBOOTING,
         "its machine is rebooting"                                                                                              },
        {"good bye hung +600",          DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_UNREACHABLE,
         "it does not answer: hung"                                                                                              },
        {"good bye hung +60 good hung", DIAG_REACH_UNREACHABLE, DIAG_UNKNOWN,   DIAG_CODE_UNREACHABLE,
         "it does not answer: hung"                                                                                              },
        {"starting",                    DIAG_REACH_OK,          DIAG_UNKNOWN,   DIAG_CODE_EXIT_CODE,
         "a.service exited with status 3"                                                                                        },
        {"good stale",                  DIAG_REACH_OK,          DIAG_UNKNOWN,   DIAG_CODE_FACTS_STALE,
         "it answers, but has not confirmed its facts for too long"                                                              },
        {"good stale good",             DIAG_REACH_OK,          DIAG_HEALTHY,   DIAG_CODE_NONE,           ""                     },
};

START_TEST(lives_its_life)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_AGENT);
        struct diag_member *m = NULL;

        live(n, lives[_i].life);
        ck_assert_int_eq(node_make_member(&m, n, boot_usec, wall_usec), 0);
        ck_assert_msg(m->reach == lives[_i].reach, "%s: %s", lives[_i].life,
                      diag_reach_to_string(m->reach));
        ck_assert_msg(m->health == lives[_i].health, "%s: %s", lives[_i].life,
                      diag_health_to_string(m->health));
        ck_assert_msg(m->code == lives[_i].code, "%s: %s", lives[_i].life,
                      diag_code_to_string(m->code));
        ck_assert_msg(streq(m->text, lives[_i].text), "%s: %s", lives[_i].life, m->text);
        diag_member_unref(m);
}
END_TEST

START_TEST(grows_old)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_AGENT);

        live(n, "good");
        ck_assert(!merge_age(n, NODE_FACTS_MAX_AGE_USEC, boot_usec + NODE_FACTS_MAX_AGE_USEC));
        ck_assert(merge_age(n, NODE_FACTS_MAX_AGE_USEC, boot_usec + NODE_FACTS_MAX_AGE_USEC + 1));
        ck_assert(!merge_age(n, NODE_FACTS_MAX_AGE_USEC, boot_usec + NODE_FACTS_MAX_AGE_USEC + 1));
        ck_assert(n->stale);
        live(n, "same");
        ck_assert(!n->stale);
}
END_TEST

/* An "unchanged" of a node that confirms nothing must not bring back what it said. */
START_TEST(believes_no_old_confirmation)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_AGENT);
        struct answer a = {.kind = ANSWER_UNCHANGED,
                           .confirmed_age_usec = NODE_FACTS_MAX_AGE_USEC + 1};

        live(n, "good");
        ck_assert(merge_age(n, 1, boot_usec + 2));
        merge(n, &a);
        ck_assert(n->stale);
        ck_assert(n->answered && !n->failing_boot_usec);
}
END_TEST

START_TEST(keeps_outputs_of_what_is_as_bad)
{
        struct node *n = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_AGENT);

        live(n, "bad");
        ck_assert_str_eq(n->outputs[0], "exited with status 3\n"); /* no states: our own words */
        free(n->outputs[0]);
        n->outputs[0] = strdup("exited with status 3\nits last words\n");
        live(n, "bad");
        ck_assert_str_eq(n->outputs[0], "exited with status 3\nits last words\n");
        live(n, "good");
        ck_assert_ptr_null(n->outputs);
        live(n, "bad");
        ck_assert_str_eq(n->outputs[0], "exited with status 3\n");
}
END_TEST

/* --- who is who -------------------------------------------------------------------------------- */

static void says(struct node *n, const char *id, const char *boot_id)
{
        struct answer a = {.kind = ANSWER_REPORT};

        a.report = make_report(id, boot_id, DIAG_HEALTHY, DIAG_PHASE_RUNNING, 0);
        boot_usec++;
        merge(n, &a);
}

START_TEST(unites_two_addresses_of_one_machine)
{
        struct node *a = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);
        struct node *b = add(DIAG_SOURCE_EXHIBITOR, "10.0.0.1", DIAG_ROLE_MASTER);
        struct diag_member *m = NULL;

        says(b, ID, BOOT);
        says(a, ID, BOOT);
        ck_assert_ptr_eq(b->alias_of, a); /* who has authority is the one */
        ck_assert_ptr_null(a->alias_of);
        ck_assert_ptr_eq(roster_find_id(roster, ID), a);
        ck_assert_int_eq(node_make_member(&m, a, boot_usec, wall_usec), 0);
        ck_assert_uint_eq(m->n_addresses, 2);
        ck_assert_str_eq(m->addresses[1], "10.0.0.1");
        diag_member_unref(m);
}
END_TEST

START_TEST(takes_clones_for_a_conflict)
{
        struct node *a = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_MASTER);
        struct node *b = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);

        n_asked_again = 0;
        says(a, ID, BOOT);
        says(b, ID, ID);
        ck_assert(!a->conflict && !b->conflict); /* one of them may just have rebooted */
        ck_assert_uint_eq(n_asked_again, 2);
        says(a, ID, BOOT);
        says(b, ID, ID);
        ck_assert(a->conflict && b->conflict);
        ck_assert_int_eq(node_reach(a, boot_usec), DIAG_REACH_CONFLICT);
}
END_TEST

START_TEST(takes_a_reboot_for_no_conflict)
{
        struct node *a = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_MASTER);
        struct node *b = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);

        says(a, ID, BOOT);
        says(b, ID, ID);
        says(a, ID, ID); /* the same machine, and up again */
        ck_assert(!a->conflict && !b->conflict);
        ck_assert(a->alias_of == b || b->alias_of == a);
}
END_TEST

/* Whatever it says: its boot id may be the master's, its address may sort before the master's. */
START_TEST(lets_no_agent_pass_for_a_master)
{
        struct node *master = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);
        struct node *agent = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_AGENT);

        for (unsigned i = 0; i < 3; i++) {
                says(master, ID, BOOT);
                says(agent, ID, BOOT);
                ck_assert(!master->alias_of && !master->conflict && !agent->alias_of);
                ck_assert(agent->conflict);
        }
        says(agent, BOOT, BOOT);
        ck_assert(!agent->conflict);
}
END_TEST

START_TEST(settles_a_conflict)
{
        static const char other[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        struct node *a = add(DIAG_SOURCE_STATIC, "10.0.0.1", DIAG_ROLE_MASTER);
        struct node *b = add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);

        says(a, ID, BOOT);
        says(b, ID, ID);
        says(a, ID, BOOT);
        says(b, ID, ID);
        ck_assert(a->conflict && b->conflict);
        says(b, other, ID); /* somebody has given it an id of its own */
        says(a, ID, BOOT);
        ck_assert(!a->conflict && !b->conflict);
}
END_TEST

/* --- who is there ------------------------------------------------------------------------------ */

static void list(enum diag_source source, enum diag_role role, const char *addresses)
{
        struct found nodes[8];
        char copy[128], *save = NULL;
        struct finding f = {.source = source,
                            .state = "ok",
                            .seen_boot_usec = 1,
                            .has_list = true,
                            .nodes = nodes};

        (void)snprintf(copy, sizeof(copy), "%s", addresses);
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
                nodes[f.n_nodes++] = (struct found){.address = w, .role = role};
        roster_take(roster, &f);
}

/* Their addresses, with a '?' behind those that only memory knows. */
static const char *all(void)
{
        static char text[256];
        size_t n = 0;

        *text = '\0';
        for (size_t i = 0; i < roster_n(roster) && n < sizeof(text); i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? " " : "",
                                      roster_at(roster, i)->address,
                                      roster_at(roster, i)->unlisted_boot_usec ? "?" : "");
        return text;
}

START_TEST(drops_what_the_configuration_drops)
{
        list(DIAG_SOURCE_STATIC, DIAG_ROLE_MASTER, "10.0.0.3 10.0.0.1 10.0.0.2");
        ck_assert_str_eq(all(), "10.0.0.1 10.0.0.2 10.0.0.3");
        list(DIAG_SOURCE_STATIC, DIAG_ROLE_MASTER, "10.0.0.2");
        ck_assert_str_eq(all(), "10.0.0.2");
        ck_assert_uint_eq(n_left, 2);
}
END_TEST

START_TEST(remembers_masters_of_zookeeper)
{
        list(DIAG_SOURCE_ZOOKEEPER, DIAG_ROLE_MASTER, "10.0.0.1 10.0.0.2");
        list(DIAG_SOURCE_ZOOKEEPER, DIAG_ROLE_MASTER, "10.0.0.1");
        ck_assert_str_eq(all(), "10.0.0.1 10.0.0.2?");
        list(DIAG_SOURCE_ZOOKEEPER, DIAG_ROLE_MASTER, "10.0.0.1 10.0.0.2");
        ck_assert_str_eq(all(), "10.0.0.1 10.0.0.2");
        roster_tick(roster, 1);
        ck_assert_str_eq(all(), "10.0.0.1 10.0.0.2");
}
END_TEST

START_TEST(forgets_masters_that_were_only_seen)
{
        list(DIAG_SOURCE_EXHIBITOR, DIAG_ROLE_MASTER, "10.0.0.1 10.0.0.2");
        list(DIAG_SOURCE_EXHIBITOR, DIAG_ROLE_MASTER, "10.0.0.1");
        ck_assert_str_eq(all(), "10.0.0.1");
}
END_TEST

START_TEST(keeps_agents_for_a_while)
{
        list(DIAG_SOURCE_MESOS, DIAG_ROLE_AGENT, "10.0.0.8 10.0.0.9");
        list(DIAG_SOURCE_MESOS, DIAG_ROLE_AGENT, "10.0.0.8");
        ck_assert_str_eq(all(), "10.0.0.8 10.0.0.9?");
        roster_tick(roster, UINT64_C(86400000000));
        ck_assert_str_eq(all(), "10.0.0.8 10.0.0.9?");
        roster_at(roster, 1)->unlisted_boot_usec = 1; /* long ago */
        roster_tick(roster, 1);
        ck_assert_str_eq(all(), "10.0.0.8");
}
END_TEST

START_TEST(unites_what_sources_say)
{
        list(DIAG_SOURCE_STATIC, DIAG_ROLE_MASTER, "10.0.0.1");
        list(DIAG_SOURCE_EXHIBITOR, DIAG_ROLE_MASTER, "10.0.0.1 10.0.0.2");
        ck_assert_str_eq(all(), "10.0.0.1 10.0.0.2");
        ck_assert_uint_eq(roster_at(roster, 0)->sources,
                          DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC) |
                                  DIAG_SOURCE_BIT(DIAG_SOURCE_EXHIBITOR));
        list(DIAG_SOURCE_EXHIBITOR, DIAG_ROLE_MASTER, "10.0.0.2");
        ck_assert_uint_eq(roster_at(roster, 0)->sources, DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC));
}
END_TEST

START_TEST(leaves_out_what_cannot_be_asked)
{
        list(DIAG_SOURCE_MESOS, DIAG_ROLE_AGENT, "10.0.0.1 a/b a@b -x h:1");
        ck_assert_str_eq(all(), "10.0.0.1");
        ck_assert_str_eq(roster_state(roster, DIAG_SOURCE_MESOS)->error,
                         "'a/b' is neither an IP address nor a name");
}
END_TEST

START_TEST(forgets_on_purpose)
{
        struct node *n = add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);

        says(n, ID, BOOT);
        ck_assert(!roster_forget(roster, BOOT));
        ck_assert(roster_forget(roster, ID));
        ck_assert_str_eq(all(), "");
        add(DIAG_SOURCE_STATIC, "10.0.0.2", DIAG_ROLE_MASTER);
        ck_assert(!roster_forget(roster, "addr:10.0.0.2")); /* the configuration names it */
        add(DIAG_SOURCE_MEMORY, "10.0.0.3", DIAG_ROLE_MASTER);
        ck_assert(roster_forget(roster, "addr:10.0.0.3"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("merge");
        TCase *t = tcase_create("it");
        const TTest *const tests[] = {
                grows_old,
                believes_no_old_confirmation,
                keeps_outputs_of_what_is_as_bad,
                unites_two_addresses_of_one_machine,
                takes_clones_for_a_conflict,
                takes_a_reboot_for_no_conflict,
                lets_no_agent_pass_for_a_master,
                settles_a_conflict,
                drops_what_the_configuration_drops,
                remembers_masters_of_zookeeper,
                forgets_masters_that_were_only_seen,
                keeps_agents_for_a_while,
                unites_what_sources_say,
                leaves_out_what_cannot_be_asked,
                forgets_on_purpose,
        };

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, lives_its_life, 0, ELEMENTSOF(lives));
        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                tcase_add_test(t, tests[i]);
        suite_add_tcase(s, t);
        return test_main(s);
}
