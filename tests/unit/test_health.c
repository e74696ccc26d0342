/* It spells health, codes, roles and phases, and knows which health is worse. */

#include <errno.h>

#include "model/code.h"
#include "model/health.h"
#include "model/node.h"
#include "model/report.h"
#include "tests/unit/test_main.h"

static const struct {
        enum diag_health health;
        const char *word;
} healths[] = {
        {DIAG_UNKNOWN,   "unknown"  },
        {DIAG_HEALTHY,   "healthy"  },
        {DIAG_UNHEALTHY, "unhealthy"},
};

START_TEST(spells_health)
{
        ck_assert_str_eq(diag_health_to_string(healths[_i].health), healths[_i].word);
        ck_assert_int_eq(diag_health_from_string(healths[_i].word), healths[_i].health);
}
END_TEST

START_TEST(takes_other_words_of_health_for_unknown)
{
        static const char *const words[] = {"", "Healthy", "healthy ", "fine", "0"};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                ck_assert_int_eq(diag_health_from_string(words[i]), DIAG_UNKNOWN);
}
END_TEST

static const struct {
        enum diag_health a, b, want;
} pairs[] = {
        {DIAG_HEALTHY,   DIAG_HEALTHY,   DIAG_HEALTHY  },
        {DIAG_HEALTHY,   DIAG_UNKNOWN,   DIAG_UNKNOWN  },
        {DIAG_HEALTHY,   DIAG_UNHEALTHY, DIAG_UNHEALTHY},
        {DIAG_UNKNOWN,   DIAG_UNKNOWN,   DIAG_UNKNOWN  },
        {DIAG_UNKNOWN,   DIAG_UNHEALTHY, DIAG_UNHEALTHY},
        {DIAG_UNHEALTHY, DIAG_UNHEALTHY, DIAG_UNHEALTHY},
};

START_TEST(tells_the_worse)
{
        ck_assert_int_eq(diag_health_worse(pairs[_i].a, pairs[_i].b), pairs[_i].want);
        ck_assert_int_eq(diag_health_worse(pairs[_i].b, pairs[_i].a), pairs[_i].want);
}
END_TEST

START_TEST(says_unknown_of_fresh_memory)
{
        struct diag_component c = {0};

        ck_assert_int_eq(c.health, DIAG_UNKNOWN);
        ck_assert_int_eq(c.code, DIAG_CODE_NONE);
}
END_TEST

START_TEST(spells_codes)
{
        const char *word = diag_code_to_string((enum diag_code)_i);

        ck_assert_str_ne(word, "");
        ck_assert_uint_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word));
        ck_assert_int_eq(diag_code_from_string(word), _i);
}
END_TEST

START_TEST(takes_other_codes_for_none)
{
        ck_assert_str_eq(diag_code_to_string(DIAG_CODE_NONE), "");
        ck_assert_int_eq(diag_code_from_string(""), DIAG_CODE_NONE);
        ck_assert_int_eq(diag_code_from_string("of-the-future"), DIAG_CODE_NONE);
        ck_assert_int_eq(diag_code_from_string("OK"), DIAG_CODE_NONE);
}
END_TEST

static const struct {
        enum diag_role role;
        const char *word;
} roles[] = {
        {DIAG_ROLE_MASTER,       "master"      },
        {DIAG_ROLE_AGENT,        "agent"       },
        {DIAG_ROLE_AGENT_PUBLIC, "agent_public"},
};

START_TEST(spells_roles)
{
        enum diag_role r = DIAG_ROLE_UNKNOWN;

        ck_assert_str_eq(diag_role_to_string(roles[_i].role), roles[_i].word);
        ck_assert_int_eq(diag_role_from_string(roles[_i].word, &r), 0);
        ck_assert_int_eq(r, roles[_i].role);
}
END_TEST

START_TEST(refuses_other_roles)
{
        enum diag_role r = DIAG_ROLE_AGENT;

        ck_assert_str_eq(diag_role_to_string(DIAG_ROLE_UNKNOWN), "");
        ck_assert_int_eq(diag_role_from_string("", &r), -EINVAL);
        ck_assert_int_eq(diag_role_from_string("agent-public", &r), -EINVAL);
        ck_assert_int_eq(r, DIAG_ROLE_AGENT);
}
END_TEST

START_TEST(spells_phases)
{
        ck_assert_str_eq(diag_phase_to_string(DIAG_PHASE_STARTING), "starting");
        ck_assert_str_eq(diag_phase_to_string(DIAG_PHASE_RUNNING), "running");
        ck_assert_str_eq(diag_phase_to_string(DIAG_PHASE_STOPPING), "stopping");
}
END_TEST

static const struct diag_node node = {
        .node_id = "n",
        .boot_id = "b",
        .hostname = "h",
        .kernel_hostname = "k",
        .address = "10.0.0.1",
        .mesos_id = "m",
        .version = "1",
        .dcos_version = "2",
        .port = 1050,
        .role = DIAG_ROLE_AGENT,
};
static const size_t texts[] = {
        offsetof(struct diag_node, node_id),  offsetof(struct diag_node, boot_id),
        offsetof(struct diag_node, hostname), offsetof(struct diag_node, kernel_hostname),
        offsetof(struct diag_node, address),  offsetof(struct diag_node, mesos_id),
        offsetof(struct diag_node, version),  offsetof(struct diag_node, dcos_version),
};

START_TEST(sees_each_difference_of_two_nodes)
{
        struct diag_node other = node;

        ck_assert(diag_node_equal(&node, &other));
        *(const char **)((char *)&other + texts[_i]) = "other";
        ck_assert(!diag_node_equal(&node, &other));
        *(const char **)((char *)&other + texts[_i]) = NULL;
        ck_assert(!diag_node_equal(&node, &other));
}
END_TEST

START_TEST(compares_the_numbers_of_two_nodes)
{
        struct diag_node port = node, role = node, nothing = {0}, empty = {.hostname = ""};

        port.port = 1051;
        role.role = DIAG_ROLE_MASTER;
        ck_assert(!diag_node_equal(&node, &port));
        ck_assert(!diag_node_equal(&node, &role));
        ck_assert(diag_node_equal(&nothing, &empty));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("health");
        TCase *words = tcase_create("words"), *order = tcase_create("order"),
              *nodes = tcase_create("nodes");

        tcase_add_loop_test(words, spells_health, 0, ELEMENTSOF(healths));
        tcase_add_test(words, takes_other_words_of_health_for_unknown);
        tcase_add_loop_test(words, spells_codes, 1, DIAG_N_CODES);
        tcase_add_test(words, takes_other_codes_for_none);
        tcase_add_loop_test(words, spells_roles, 0, ELEMENTSOF(roles));
        tcase_add_test(words, refuses_other_roles);
        tcase_add_test(words, spells_phases);
        suite_add_tcase(s, words);

        tcase_add_loop_test(order, tells_the_worse, 0, ELEMENTSOF(pairs));
        tcase_add_test(order, says_unknown_of_fresh_memory);
        suite_add_tcase(s, order);

        tcase_add_loop_test(nodes, sees_each_difference_of_two_nodes, 0, ELEMENTSOF(texts));
        tcase_add_test(nodes, compares_the_numbers_of_two_nodes);
        suite_add_tcase(s, nodes);
        return test_main(s);
}
