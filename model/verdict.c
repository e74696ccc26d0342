/*
 * The rule, row by row, in the order in which a person would ask: what is not known of the cluster
 * first, then of each master. Every row that holds is a reason; the first one is the headline.
 */

#include <errno.h>

#include "model/verdict.h"

static const char *const quorums[] = {
        [DIAG_QUORUM_UNKNOWN] = "unknown",
        [DIAG_QUORUM_OK] = "ok",
        [DIAG_QUORUM_AT_RISK] = "at-risk",
        [DIAG_QUORUM_LOST] = "lost",
};

const char *diag_quorum_to_string(enum diag_quorum q)
{
        return quorums[q];
}

struct judge {
        struct diag_cluster_verdict *verdict;
        struct arena *arena;
        const struct diag_rule *rule;
        const struct diag_member *masters[DIAG_MASTERS_MAX]; /* those that count, by address */
        size_t n_masters;
        bool too_many; /* more than that many */
        unsigned n_authoritative;
        size_t n_alloc; /* of reasons */
};

/* --- masters ----------------------------------------------------------------------------------- */

static bool is_master(const struct diag_member *m)
{
        return m->role == DIAG_ROLE_MASTER;
}

static bool answers(const struct diag_member *m)
{
        return m->reach == DIAG_REACH_OK || m->reach == DIAG_REACH_LATE ||
               m->reach == DIAG_REACH_CONFLICT;
}

static bool is_healthy(const struct diag_member *m)
{
        return answers(m) && m->reach != DIAG_REACH_CONFLICT && !m->stale && !m->unlisted &&
               m->health == DIAG_HEALTHY;
}

static bool is_confirmed(const struct diag_member *m)
{
        return m->sources & DIAG_SOURCE_AUTHORITATIVE;
}

bool diag_verdict_supersedes(const struct diag_member *m, struct diag_member *const *members,
                             size_t n, unsigned n_expected)
{
        unsigned n_healthy = 0;

        if (!is_master(m) || answers(m) || !n_expected ||
            m->sources & DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC))
                return false;
        for (size_t i = 0; i < n; i++)
                if (members[i] != m && is_master(members[i]) && is_healthy(members[i]))
                        n_healthy++;
        return n_healthy >= n_expected;
}

static int by_address(const void *a, const void *b)
{
        const struct diag_member *const *x = a, *const *y = b;

        return strcmp((*x)->address, (*y)->address);
}

static void pick_masters(struct judge *j, struct diag_member *const *members, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (!is_master(members[i]) || members[i]->reach == DIAG_REACH_SUPERSEDED)
                        continue;
                if (j->n_masters == DIAG_MASTERS_MAX) {
                        j->too_many = true;
                        break;
                }
                j->masters[j->n_masters++] = members[i];
                j->n_authoritative += is_confirmed(members[i]);
        }
        qsort(j->masters, j->n_masters, sizeof(struct diag_member *), by_address);
}

/* Two addresses of one identity are one master, whoever is right. */
static bool is_first_of_its_id(const struct judge *j, size_t i)
{
        for (size_t k = 0; k < i; k++)
                if (streq(j->masters[k]->node_id, j->masters[i]->node_id))
                        return false;
        return true;
}

static void count_masters(struct judge *j)
{
        struct diag_cluster_verdict *v = j->verdict;

        for (size_t i = 0; i < j->n_masters; i++) {
                const struct diag_member *m = j->masters[i];

                v->n_known += is_first_of_its_id(j, i);
                v->n_answering += answers(m);
                v->n_healthy += is_healthy(m);
        }
        v->n_expected = j->rule->n_expected ? j->rule->n_expected : j->n_authoritative;
        v->expected_from = j->rule->n_expected  ? j->rule->expected_from
                           : j->n_authoritative ? "sources"
                                                : "";
}

static enum diag_quorum weigh_quorum(const struct diag_cluster_verdict *v)
{
        unsigned majority = v->n_expected / 2 + 1;

        if (!v->n_expected)
                return DIAG_QUORUM_UNKNOWN;
        if (v->n_healthy < majority)
                return DIAG_QUORUM_LOST;
        return v->n_healthy >= v->n_expected || v->n_healthy > majority ? DIAG_QUORUM_OK
                                                                        : DIAG_QUORUM_AT_RISK;
}

/* --- reasons ----------------------------------------------------------------------------------- */

static void add_reason(struct judge *j, const struct diag_reason *reason)
{
        struct diag_cluster_verdict *v = j->verdict;

        if (v->n_reasons == j->n_alloc) {
                size_t n_alloc = j->n_alloc ? 2 * j->n_alloc : 8;
                struct diag_reason *grown = arena_alloc(j->arena, n_alloc * sizeof(*grown));

                if (!grown)
                        return; /* the arena remembers */
                if (v->n_reasons)
                        memcpy(grown, v->reasons, v->n_reasons * sizeof(*grown));
                v->reasons = grown;
                j->n_alloc = n_alloc;
        }
        v->reasons[v->n_reasons++] = *reason;
}

static void add_own_reason(struct judge *j, enum diag_code code, const char *text)
{
        const struct diag_reason reason = {
                .code = code, .text = text, .node_id = "", .address = "", .component = ""};

        add_reason(j, &reason);
}

static bool is_acknowledged(const struct judge *j, const struct diag_member *m)
{
        return m->maintenance && m->maintenance->until_wall_usec > j->rule->now_wall_usec;
}

static void add_component_reason(struct judge *j, const struct diag_member *m, enum diag_code code,
                                 const char *component, const char *text, uint64_t since_wall_usec)
{
        const struct diag_reason reason = {
                .code = code,
                .text = text,
                .node_id = m->node_id,
                .address = m->address,
                .component = component,
                .since_wall_usec = since_wall_usec,
                .acknowledged = is_acknowledged(j, m),
        };

        add_reason(j, &reason);
}

/* What is worst comes first; a component's own text says why. */
static void add_components(struct judge *j, const struct diag_member *m, enum diag_code code,
                           enum diag_health health)
{
        const struct diag_report *r = m->report;
        unsigned n = 0;

        for (size_t i = 0; r && i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                if (c->health != health || n++ >= DIAG_MASTER_REASONS_MAX)
                        continue;
                add_component_reason(j, m, code, c->name,
                                     str_or(c->text, diag_code_to_string(c->code)),
                                     c->since_wall_usec);
        }
        if (n > DIAG_MASTER_REASONS_MAX)
                add_component_reason(
                        j, m, code, "",
                        arena_printf(j->arena, "%u more components", n - DIAG_MASTER_REASONS_MAX),
                        m->since_wall_usec);
        if (r && r->node_code && r->health == health)
                add_component_reason(j, m, code, "", r->node_text, r->since_wall_usec);
        else if (n == 0)
                add_component_reason(j, m, code, "", m->text, m->since_wall_usec);
}

/* --- rows: of the cluster ---------------------------------------------------------------------- */

static void judge_start(struct judge *j)
{
        if (!j->rule->asked_all)
                add_own_reason(j, DIAG_CODE_STARTING, "not every master has been asked yet");
}

static void judge_members(struct judge *j)
{
        if (j->too_many)
                add_own_reason(j, DIAG_CODE_MEMBERS_UNKNOWN,
                               arena_printf(j->arena, "more than %u masters: not all are looked at",
                                            DIAG_MASTERS_MAX));
        if (!j->n_authoritative && !j->rule->n_expected)
                add_own_reason(j, DIAG_CODE_MEMBERS_UNKNOWN,
                               j->n_masters
                                       ? "masters have been seen, but nobody has said how many "
                                         "there must be (MastersExpected=)"
                                       : "no master is known, and nobody has said how many "
                                         "there must be (MastersExpected=)");
}

static void judge_count(struct judge *j)
{
        const struct diag_cluster_verdict *v = j->verdict;

        if (j->rule->n_expected && v->n_known < j->rule->n_expected)
                add_own_reason(j, DIAG_CODE_COUNT_SHORT,
                               arena_printf(j->arena, "%u of %u masters are known", v->n_known,
                                            j->rule->n_expected));
}

static void judge_views(struct judge *j)
{
        const struct diag_rule *r = j->rule;

        for (size_t i = 0; !r->own && i < r->n_views; i++) {
                const struct diag_peer_view *w = &r->views[i];
                struct diag_reason reason = {
                        .code = DIAG_CODE_VIEWS_DIFFER,
                        .node_id = "",
                        .address = w->observer,
                        .component = "",
                };

                if (!w->fresh || !w->differs_since_boot_usec ||
                    r->now_boot_usec < w->differs_since_boot_usec + DIAG_VIEWS_DIFFER_USEC)
                        continue;
                reason.text = arena_printf(j->arena, "%s says that the cluster is %s", w->observer,
                                           diag_health_to_string(w->health));
                add_reason(j, &reason);
        }
}

/* --- rows: of each master ---------------------------------------------------------------------- */

static bool conflicts(const struct diag_member *m)
{
        return m->reach == DIAG_REACH_CONFLICT;
}

static bool is_missing(const struct diag_member *m)
{
        return m->reach == DIAG_REACH_NEVER || (answers(m) && m->unlisted);
}

static bool is_rebooting(const struct diag_member *m)
{
        return m->reach == DIAG_REACH_REBOOTING;
}

static bool is_unreachable(const struct diag_member *m)
{
        return m->reach == DIAG_REACH_UNREACHABLE;
}

static bool is_stale(const struct diag_member *m)
{
        return answers(m) && m->stale;
}

static bool is_unknown(const struct diag_member *m)
{
        return answers(m) && !m->stale && m->health == DIAG_UNKNOWN;
}

static bool is_unhealthy(const struct diag_member *m)
{
        return answers(m) && !m->stale && m->health == DIAG_UNHEALTHY;
}

static const struct {
        bool (*holds)(const struct diag_member *m);
        enum diag_code code;
        enum diag_health components; /* by_component: a reason for each that is this */
        bool by_component;
} rows[] = {
        {conflicts,      DIAG_CODE_IDENTITY_CONFLICT,  DIAG_UNKNOWN,   false},
        {is_missing,     DIAG_CODE_MASTER_MISSING,     DIAG_UNKNOWN,   false},
        {is_rebooting,   DIAG_CODE_MASTER_REBOOTING,   DIAG_UNKNOWN,   false},
        {is_unreachable, DIAG_CODE_MASTER_UNREACHABLE, DIAG_UNKNOWN,   false},
        {is_stale,       DIAG_CODE_MASTER_STALE,       DIAG_UNKNOWN,   false},
        {is_unknown,     DIAG_CODE_MASTER_UNKNOWN,     DIAG_UNKNOWN,   true },
        {is_unhealthy,   DIAG_CODE_MASTER_UNHEALTHY,   DIAG_UNHEALTHY, true },
};

static void judge_masters(struct judge *j)
{
        for (size_t row = 0; row < ELEMENTSOF(rows); row++)
                for (size_t i = 0; i < j->n_masters; i++) {
                        const struct diag_member *m = j->masters[i];

                        if (!rows[row].holds(m))
                                continue;
                        if (rows[row].by_component)
                                add_components(j, m, rows[row].code, rows[row].components);
                        else
                                add_component_reason(j, m, rows[row].code, "", m->text,
                                                     m->since_wall_usec);
                }
}

/* --- the verdict ------------------------------------------------------------------------------- */

static const char *summarize(struct judge *j)
{
        const struct diag_cluster_verdict *v = j->verdict;
        const struct diag_reason *first = v->reasons;
        unsigned n_bad = (unsigned)j->n_masters - v->n_healthy;

        if (!v->n_reasons)
                return v->n_healthy == 1
                               ? "the master is healthy"
                               : arena_printf(j->arena, "all %u masters are healthy", v->n_healthy);
        if (str_empty(first->address) || first->code == DIAG_CODE_VIEWS_DIFFER)
                return arena_strdup(j->arena, first->text);
        return arena_printf(j->arena, "%u of %zu masters not healthy: %s%s%s %s", n_bad,
                            j->n_masters, first->address, *first->component ? " " : "",
                            first->component, first->text);
}

static bool all_acknowledged(const struct diag_cluster_verdict *v)
{
        for (size_t i = 0; i < v->n_reasons; i++)
                if (!v->reasons[i].acknowledged)
                        return false;
        return v->n_reasons > 0;
}

int diag_verdict_judge(struct diag_cluster_verdict *ret, struct arena *a,
                       struct diag_member *const *members, size_t n, const struct diag_rule *rule,
                       const struct diag_cluster_verdict *previous)
{
        struct diag_cluster_verdict v = {0};
        struct judge j = {.verdict = &v, .arena = a, .rule = rule};

        pick_masters(&j, members, n);
        count_masters(&j);
        judge_start(&j);
        judge_members(&j);
        judge_count(&j);
        judge_masters(&j);
        judge_views(&j);
        v.quorum = weigh_quorum(&v);
        v.health = v.n_reasons ? DIAG_UNHEALTHY : DIAG_HEALTHY;
        v.code = v.n_reasons ? v.reasons[0].code : DIAG_CODE_NONE;
        v.acknowledged = all_acknowledged(&v);
        v.summary = summarize(&j);
        v.expected_from = arena_strdup(a, v.expected_from);
        v.since_wall_usec = previous && previous->health == v.health ? previous->since_wall_usec
                                                                     : rule->now_wall_usec;
        if (a->failed)
                return -ENOMEM;
        *ret = v;
        return 0;
}
