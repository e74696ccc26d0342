/* Which nodes the words of a request mean. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/bundle_nodes.h"
#include "tests/unit/small_cluster.h"

static const struct diag_component good[] = {
        {.name = "a.service",
         .title = "A",
         .description = "a",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK},
        {0 }
};
static const struct diag_component bad[] = {
        {.name = "a.service",
         .title = "A",
         .description = "a",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_EXIT_CODE,
         .text = "no"},
        {0 }
};

static const struct small_node nodes[] = {
        {.address = "10.0.0.1",
         .node_id = "11111111111111111111111111111111",
         .hostname = "m1",
         .role = DIAG_ROLE_MASTER,
         .reach = DIAG_REACH_OK,
         .components = good},
        {.address = "10.0.0.2",
         .node_id = "22222222222222222222222222222222",
         .hostname = "old",
         .role = DIAG_ROLE_MASTER,
         .reach = DIAG_REACH_SUPERSEDED                     },
        {.address = "10.0.0.3",
         .node_id = "33333333333333333333333333333333",
         .hostname = "a3",
         .mesos_id = "S3",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = good},
        {.address = "10.0.0.4",
         .node_id = "44444444444444444444444444444444",
         .hostname = "twin",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = bad},
        {.address = "10.0.0.5",
         .node_id = "55555555555555555555555555555555",
         .hostname = "twin",
         .role = DIAG_ROLE_AGENT_PUBLIC,
         .reach = DIAG_REACH_UNREACHABLE    },
};

static const struct {
        const char *words; /* with blanks between them */
        const char *want;  /* last digits of addresses; of a failure: a part of what is said */
        int code;
} cases[] = {
        {"",                                 "1345",                      0      },
        {"all",                              "1345",                      0      },
        {"none",                             "",                          0      },
        {"masters",                          "1",                         0      },
        {"agents",                           "345",                       0      },
        {"public",                           "5",                         0      },
        {"unhealthy",                        "45",                        0      },
        {"masters unhealthy",                "145",                       0      },
        {"agents all none",                  "1345",                      0      },
        {"10.0.0.2",                         "2",                         0      },
        {"10.0.0.4 10.0.0.4",                "4",                         0      },
        {"m1",                               "1",                         0      },
        {"33333333333333333333333333333333", "3",                         0      },
        {"S3",                               "3",                         0      },
        {"twin",                             "2 nodes are called 'twin'", -EINVAL},
        {"masters 10.9.9.9",                 "'10.9.9.9' is no node",     -ENOENT},
};

static void split(struct bundle *b, const char *words)
{
        char *copy = strdup(words), *save = NULL;

        b->request.nodes = calloc(8, sizeof(char *));
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
                b->request.nodes[b->request.n_nodes++] = strdup(w);
        free(copy);
}

START_TEST(chooses_nodes)
{
        struct diag_snapshot *s = small_cluster(nodes, ELEMENTSOF(nodes), NULL);
        struct bundle *b = calloc(1, sizeof(*b));
        struct err e = {0};
        char got[16] = "";

        split(b, cases[_i].words);
        ck_assert_msg(bundle_nodes_choose(b, s, &e) == cases[_i].code, "%s: %s", cases[_i].words,
                      e.text);
        if (cases[_i].code) {
                ck_assert_msg(strstr(e.text, cases[_i].want), "%s", e.text);
        } else {
                for (size_t i = 0; i < b->n_nodes; i++)
                        got[i] = b->nodes[i].address[strlen(b->nodes[i].address) - 1];
                ck_assert_msg(streq(got, cases[_i].want), "%s: %s", cases[_i].words, got);
                ck_assert_uint_eq(b->n_nodes_total, b->n_nodes);
        }
        bundle_free(b);
        diag_snapshot_unref(s);
}
END_TEST

/* 60 agents in good health, two that are not, and a master. */
START_TEST(compares_with_some_that_are_healthy)
{
        static char addresses[63][16];
        static struct small_node many[63];
        struct bundle *b = calloc(1, sizeof(*b));
        struct diag_snapshot *s;
        unsigned n_healthy = 0;

        for (unsigned i = 0; i < 63; i++) {
                (void)snprintf(addresses[i], sizeof(addresses[i]), "10.0.1.%03u", i + 100);
                many[i] = (struct small_node){.address = addresses[i],
                                              .role = i == 5 ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT,
                                              .reach = i == 7 ? DIAG_REACH_NEVER : DIAG_REACH_OK,
                                              .components = i == 6 ? bad : good};
        }
        s = small_cluster(many, 63, NULL);
        ck_assert_int_eq(bundle_nodes_choose(b, s, NULL), 0);
        ck_assert_uint_eq(b->n_nodes, 3 + BUNDLE_NODES_HEALTHY);
        for (size_t i = 0; i < b->n_nodes; i++) {
                const struct diag_member *m = diag_snapshot_find(s, b->nodes[i].address);

                n_healthy += m->role == DIAG_ROLE_AGENT && m->health == DIAG_HEALTHY &&
                             m->reach == DIAG_REACH_OK;
        }
        ck_assert_uint_eq(n_healthy, BUNDLE_NODES_HEALTHY);
        bundle_free(b);
        diag_snapshot_unref(s);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("bundle_nodes");
        TCase *t = tcase_create("bundle_nodes");

        tcase_add_loop_test(t, chooses_nodes, 0, ELEMENTSOF(cases));
        tcase_add_test(t, compares_with_some_that_are_healthy);
        suite_add_tcase(s, t);
        return test_main(s);
}
