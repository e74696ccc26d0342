#pragma once

/* A cluster made by hand: nodes in a table, sorted by address, and a snapshot of them. */

#include "base/mono.h"
#include "model/snapshot.h"
#include "tests/unit/test_main.h"

/* The moment of everything in it: 2026-11-21T00:04:07Z, and long after the machine was started. */
#define SMALL_WALL     (UINT64_C(1795219447) * USEC_PER_SEC)
#define SMALL_BOOT     (UINT64_C(100000) * USEC_PER_SEC)
#define SMALL_INSTANCE UINT64_C(0x9f3c2a11d0b4e677)

struct small_node {
        const char *address, *node_id, *hostname, *mesos_id;
        enum diag_role role;
        enum diag_reach reach; /* zero: never, and it has no report */
        bool stale, leader;
        const struct diag_component *components; /* ends with one without a name */
        const char *const *outputs;
        unsigned sources;
};

static inline struct diag_report *small_report(const struct small_node *n)
{
        const struct diag_node node = {.node_id = str_or(n->node_id, n->address),
                                       .hostname = n->hostname,
                                       .role = n->role};
        static const struct diag_system nothing = {0};
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        for (const struct diag_component *c = n->components; c && c->name; c++)
                ck_assert_int_eq(diag_report_add(r, c), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, SMALL_WALL, NULL, NULL), 0);
        return r;
}

static inline enum diag_code small_code(const struct diag_member *m)
{
        if (m->stale)
                return DIAG_CODE_FACTS_STALE;
        if (m->reach == DIAG_REACH_NEVER)
                return DIAG_CODE_NEVER_ANSWERED;
        if (m->reach == DIAG_REACH_SUPERSEDED)
                return DIAG_CODE_SUPERSEDED;
        if (!diag_member_speaks(m))
                return DIAG_CODE_UNREACHABLE;
        return m->health == DIAG_UNHEALTHY ? DIAG_CODE_FAILED : DIAG_CODE_NONE;
}

static inline struct diag_member *small_member(const struct small_node *n)
{
        bool heard = n->reach != DIAG_REACH_NEVER;
        struct diag_member m = {
                .address = n->address,
                .addresses = {n->address},
                .n_addresses = 1,
                .node_id = str_or(n->node_id, n->address),
                .hostname = n->hostname,
                .mesos_id = n->mesos_id,
                .port = 1051,
                .role = n->role,
                .sources = n->sources ? n->sources : DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC),
                .leader = n->leader,
                .reach = n->reach,
                .protocol = heard ? DIAG_PROTOCOL_V2 : DIAG_PROTOCOL_UNKNOWN,
                .stale = n->stale,
                .since_wall_usec = SMALL_WALL,
                .outputs = n->outputs,
        };
        struct diag_member *ret;

        m.report = heard ? small_report(n) : NULL;
        if (m.report && diag_member_speaks(&m) && !m.stale)
                m.health = m.report->health;
        m.code = small_code(&m);
        m.text = m.code == DIAG_CODE_NONE ? "" : "not well";
        ck_assert_int_eq(diag_member_new(&ret, &m), 0);
        atomic_store(&ret->pulse->seen_boot_usec, heard ? SMALL_BOOT : 0);
        atomic_store(&ret->pulse->seen_wall_usec, heard ? SMALL_WALL : 0);
        atomic_store(&ret->pulse->rtt_usec, heard ? 1100 : 0);
        diag_report_unref(m.report);
        return ret;
}

static inline struct diag_snapshot *small_cluster(const struct small_node *nodes, size_t n,
                                                  const struct diag_snapshot *previous)
{
        const struct diag_rule rule = {.n_expected = 1,
                                       .expected_from = "MastersExpected",
                                       .asked_all = true,
                                       .now_wall_usec = SMALL_WALL,
                                       .now_boot_usec = SMALL_BOOT};
        struct diag_snapshot *s;

        ck_assert_int_eq(diag_snapshot_new(&s, n), 0);
        s->instance = SMALL_INSTANCE;
        s->made_wall_usec = s->round_wall_usec = SMALL_WALL;
        s->made_boot_usec = SMALL_BOOT;
        s->observer = "10.0.0.1";
        s->view_max_age_usec = 15 * USEC_PER_SEC;
        for (size_t i = 0; i < n; i++) {
                struct diag_member *m = small_member(&nodes[i]);

                diag_snapshot_add(s, m);
                diag_member_unref(m);
        }
        ck_assert_int_eq(diag_snapshot_seal(s, previous, &rule), 0);
        return s;
}

/* One healthy master, an agent with a failed unit, one that cannot be reached, one that never was, and a
 * master that was replaced. */
static const struct diag_component small_master_parts[] = {
        {.name = "dcos-a.service",
         .title = "A",
         .description = "the <a>",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK},
        {.name = "dcos-b.service",
         .title = "B",
         .description = "the b",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK},
        {0    },
};
static const struct diag_component small_agent_parts[] = {
        {.name = "dcos-b.service",
         .title = "B",
         .description = "the b",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_EXIT_CODE,
         .text = "exited with status 3",
         .since_wall_usec = SMALL_WALL},
        {.name = "dcos-c.service",
         .title = "C",
         .description = "another c",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK},
        {0},
};
static const struct diag_component small_gone_parts[] = {
        {.name = "dcos-gone.service",
         .title = "G",
         .description = "g",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK},
        {0         },
};
static const char *const small_outputs[] = {"ExecMainStatus return failed\nsecret\n", ""};

static const struct small_node small_nodes[] = {
        {.address = "10.0.0.1",
         .node_id = "m1",
         .hostname = "h1",
         .mesos_id = "M-1",
         .role = DIAG_ROLE_MASTER,
         .reach = DIAG_REACH_OK,
         .leader = true,
         .components = small_master_parts},
        {.address = "10.0.0.2",
         .node_id = "m2",
         .role = DIAG_ROLE_MASTER,
         .reach = DIAG_REACH_SUPERSEDED,
         .components = small_gone_parts},
        {.address = "10.0.0.3",
         .node_id = "a3",
         .hostname = "twin",
         .mesos_id = "M-3",
         .role = DIAG_ROLE_AGENT,
         .reach = DIAG_REACH_OK,
         .components = small_agent_parts,
         .outputs = small_outputs},
        {.address = "10.0.0.4",
         .node_id = "a4",
         .hostname = "twin",
         .mesos_id = "M-4",
         .role = DIAG_ROLE_AGENT_PUBLIC,
         .reach = DIAG_REACH_UNREACHABLE,
         .components = small_gone_parts},
        {.address = "10.0.0.5", .role = DIAG_ROLE_AGENT  },
};
