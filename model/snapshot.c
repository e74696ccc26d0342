/* The cluster at one moment. */

#include <assert.h>
#include <errno.h>

#include "model/snapshot.h"

#define NAME_SLOTS \
        16384u /* of the table of component names: a power of two, well over their limit */

/* --- life -------------------------------------------------------------------------------------- */

int diag_snapshot_new(struct diag_snapshot **ret, size_t n_members)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        ref_init(&s->ref);
        s->cluster_id = s->cluster_name = s->observer = "";
        s->leader_address = s->leader_source = "";
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                s->sources[i].state = s->sources[i].error = "";
        s->members = calloc(n_members ? n_members : 1, sizeof(struct diag_member *));
        if (!s->members)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

static void unit_index_free(struct diag_unit_index *x)
{
        if (!x)
                return;
        arena_done(&x->arena);
        free(x);
}

static void snapshot_free(struct diag_snapshot *s)
{
        for (size_t i = 0; i < s->n_members; i++)
                diag_member_unref(s->members[i]);
        free(s->members);
        unit_index_free(atomic_load_explicit(&s->units, memory_order_relaxed));
        for (size_t i = 0; i < DIAG_N_SNAPSHOT_MEMO; i++)
                blob_memo_done(&s->memo[i]);
        for (size_t i = 0; i < ELEMENTSOF(s->v1_reports); i++)
                rope_unref(atomic_load_explicit(&s->v1_reports[i], memory_order_relaxed));
        arena_done(&s->arena);
        free(s);
}

struct diag_snapshot *diag_snapshot_ref(struct diag_snapshot *s)
{
        ref_inc(&s->ref);
        return s;
}

struct diag_snapshot *diag_snapshot_unref(struct diag_snapshot *s)
{
        if (s && ref_dec(&s->ref))
                snapshot_free(s);
        return NULL;
}

void diag_snapshot_add(struct diag_snapshot *s, struct diag_member *m)
{
        struct diag_tally *t = &s->tally[m->role];

        assert(!s->sealed);
        s->members[s->n_members++] = diag_member_ref(m);
        if (m->role == DIAG_ROLE_MASTER && s->n_masters < ELEMENTSOF(s->masters))
                s->masters[s->n_masters++] = m;
        t->counts.n[m->health]++;
        t->n_maintenance += m->maintenance != NULL;
        t->n_superseded += m->reach == DIAG_REACH_SUPERSEDED;
}

/* --- what differs ------------------------------------------------------------------------------ */

static bool same_reason(const struct diag_reason *a, const struct diag_reason *b)
{
        return a->code == b->code && a->since_wall_usec == b->since_wall_usec &&
               a->acknowledged == b->acknowledged && streq(a->text, b->text) &&
               streq(a->node_id, b->node_id) && streq(a->address, b->address) &&
               streq(a->component, b->component);
}

static bool same_verdict(const struct diag_cluster_verdict *a, const struct diag_cluster_verdict *b)
{
        if (a->health != b->health || a->n_reasons != b->n_reasons ||
            a->n_expected != b->n_expected || a->n_known != b->n_known ||
            a->n_answering != b->n_answering || a->n_healthy != b->n_healthy ||
            a->quorum != b->quorum || !streq(a->expected_from, b->expected_from))
                return false;
        for (size_t i = 0; i < a->n_reasons; i++)
                if (!same_reason(&a->reasons[i], &b->reasons[i]))
                        return false;
        return true;
}

static bool same_views(const struct diag_snapshot *a, const struct diag_snapshot *b)
{
        if (a->n_views != b->n_views)
                return false;
        for (size_t i = 0; i < a->n_views; i++) {
                const struct diag_peer_view *v = &a->views[i], *w = &b->views[i];

                if (!streq(v->observer, w->observer) || v->health != w->health ||
                    v->fresh != w->fresh || v->agrees != w->agrees)
                        return false;
        }
        return true;
}

static bool same_sources(const struct diag_snapshot *a, const struct diag_snapshot *b)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++) {
                const struct diag_source_state *v = &a->sources[i], *w = &b->sources[i];

                if (v->used != w->used || v->n_nodes != w->n_nodes || !streq(v->state, w->state) ||
                    !streq(v->error, w->error))
                        return false;
        }
        return true;
}

static bool same_members(const struct diag_snapshot *a, const struct diag_snapshot *b)
{
        return a->n_members == b->n_members &&
               memcmp(a->members, b->members, a->n_members * sizeof(struct diag_member *)) == 0;
}

static bool same_head(const struct diag_snapshot *a, const struct diag_snapshot *b)
{
        return same_verdict(&a->verdict, &b->verdict) && same_verdict(&a->own, &b->own) &&
               same_views(a, b) && same_sources(a, b) &&
               memcmp(a->tally, b->tally, sizeof(a->tally)) == 0 &&
               streq(a->cluster_id, b->cluster_id) && streq(a->cluster_name, b->cluster_name) &&
               streq(a->observer, b->observer) && a->view_max_age_usec == b->view_max_age_usec &&
               streq(a->leader_address, b->leader_address) &&
               streq(a->leader_source, b->leader_source);
}

static void number(struct diag_snapshot *s, const struct diag_snapshot *previous)
{
        bool head = previous && same_head(s, previous);

        s->seq = previous ? previous->seq : 0;
        if (!head || !same_members(s, previous))
                s->seq++;
        s->verdict_seq = head ? previous->verdict_seq : s->seq;
}

/* Views were compared with what we said before: a change that both have seen is no difference. */
static void compare_views(struct diag_snapshot *s)
{
        for (size_t i = 0; i < s->n_views; i++) {
                s->views[i].agrees = s->views[i].health == s->own.health;
                if (s->views[i].agrees)
                        s->views[i].differs_since_boot_usec = 0;
        }
}

int diag_snapshot_seal(struct diag_snapshot *s, const struct diag_snapshot *previous,
                       const struct diag_rule *rule)
{
        struct diag_rule alone = *rule;
        int k;

        assert(!s->sealed);
        alone.own = true;
        k = diag_verdict_judge(&s->own, &s->arena, s->masters, s->n_masters, &alone,
                               previous ? &previous->own : NULL);
        compare_views(s);
        if (k >= 0)
                k = diag_verdict_judge(&s->verdict, &s->arena, s->masters, s->n_masters, rule,
                                       previous ? &previous->verdict : NULL);
        if (k < 0 || s->arena.failed)
                return -ENOMEM;
        number(s, previous);
        s->sealed = true;
        return 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

static int against_member(const void *key, const void *item)
{
        const struct diag_member *const *m = item;

        return strcmp(key, (*m)->address);
}

const struct diag_member *diag_snapshot_find(const struct diag_snapshot *s, const char *address)
{
        struct diag_member **found = bsearch(address, s->members, s->n_members,
                                             sizeof(struct diag_member *), against_member);

        return found ? *found : NULL;
}

static bool is_called(const struct diag_member *m, const char *name)
{
        for (size_t i = 0; i < m->n_addresses; i++)
                if (streq(m->addresses[i], name))
                        return true;
        return streq(m->node_id, name) || streq(m->hostname, name);
}

size_t diag_snapshot_look_up(const struct diag_snapshot *s, const char *name,
                             const struct diag_member **ret, size_t n_max)
{
        const struct diag_member *by_address = diag_snapshot_find(s, name);
        size_t n = 0;

        if (by_address) { /* an address that was discovered means that node, whoever claims it, too */
                if (n_max)
                        ret[0] = by_address;
                return 1;
        }
        for (size_t i = 0; i < s->n_members; i++)
                if (is_called(s->members[i], name)) {
                        if (n < n_max)
                                ret[n] = s->members[i];
                        n++;
                }
        return n;
}

struct blob *diag_snapshot_rendered(const struct diag_snapshot *s, enum diag_snapshot_memo which,
                                    struct blob *(*render)(const struct diag_snapshot *s))
{
        blob_memo *slot = &((struct diag_snapshot *)s)->memo[which];
        struct blob *have = blob_memo_get(slot);

        return have ? have : blob_memo_put(slot, render(s));
}

/* --- components across nodes ------------------------------------------------------------------- */

/* While an index is made: rows in the order in which their names were met, and who has each by role. */
struct indexer {
        const struct diag_snapshot *snapshot;
        struct diag_unit_index *index;
        struct diag_unit_row rows[DIAG_UNIT_NAMES_MAX + 1]; /* the last one for what is too many */
        unsigned n_have[DIAG_UNIT_NAMES_MAX + 1][DIAG_ROLE_AGENT_PUBLIC + 1];
        unsigned n_speak[DIAG_ROLE_AGENT_PUBLIC + 1]; /* nodes whose reports are shown */
        size_t n_rows;
        uint16_t slots[NAME_SLOTS]; /* index of a row + 1; 0: free */
        bool other;
};

static uint32_t hash_name(const char *s)
{
        uint32_t h = 2166136261u; /* FNV-1a; names are few, and a bad table is only slow */

        for (; *s; s++)
                h = (h ^ (unsigned char)*s) * 16777619u;
        return h;
}

/* Rows keep their place: what is looked up twice is found twice. */
static size_t row_of(struct indexer *x, const struct diag_component *c)
{
        uint32_t at = hash_name(c->name) & (NAME_SLOTS - 1);

        for (; x->slots[at]; at = (at + 1) & (NAME_SLOTS - 1))
                if (streq(x->rows[x->slots[at] - 1].name, c->name))
                        return x->slots[at] - 1u;
        if (x->n_rows == DIAG_UNIT_NAMES_MAX) {
                x->other = true;
                return DIAG_UNIT_NAMES_MAX;
        }
        x->rows[x->n_rows] = (struct diag_unit_row){
                .name = c->name,
                .title = c->title,
                .description = c->description,
                .kind = c->kind,
                .health = DIAG_HEALTHY,
        };
        x->slots[at] = (uint16_t)(x->n_rows + 1);
        return x->n_rows++;
}

static void count_component(struct indexer *x, const struct diag_member *m, size_t i)
{
        const struct diag_component *c = &m->report->components[i];
        size_t at = row_of(x, c);
        struct diag_unit_row *row = &x->rows[at];
        enum diag_health health = diag_member_component_health(m, i);

        row->n_nodes++;
        row->counts.n[health]++;
        if (health != DIAG_HEALTHY && diag_member_speaks(m))
                row->codes[m->stale ? DIAG_CODE_FACTS_STALE : c->code]++;
        if (diag_member_speaks(m)) {
                row->health = diag_health_worse(row->health, health);
                x->n_have[at][m->role]++;
        }
}

static void for_each_component(struct indexer *x,
                               void (*fn)(struct indexer *x, uint32_t member, uint32_t component))
{
        const struct diag_snapshot *s = x->snapshot;

        for (size_t i = 0; i < s->n_members; i++)
                for (size_t k = 0; s->members[i]->report && k < s->members[i]->report->n_components;
                     k++)
                        fn(x, (uint32_t)i, (uint32_t)k);
}

static void count_one(struct indexer *x, uint32_t member, uint32_t component)
{
        count_component(x, x->snapshot->members[member], component);
}

static void place_one(struct indexer *x, uint32_t member, uint32_t component)
{
        const struct diag_report *r = x->snapshot->members[member]->report;
        struct diag_unit_row *row = &x->rows[row_of(x, &r->components[component])];

        row->nodes[row->n_nodes++] = (struct diag_unit_node){member, component};
}

/* Where nine of ten nodes of a role have it, those that have not lack it. */
static unsigned count_absent(const struct indexer *x, size_t at)
{
        unsigned n = 0;

        for (size_t role = DIAG_ROLE_MASTER; role <= DIAG_ROLE_AGENT_PUBLIC; role++)
                if (x->n_have[at][role] * 10u >= x->n_speak[role] * 9u)
                        n += x->n_speak[role] - x->n_have[at][role];
        return n;
}

static int by_name(const void *a, const void *b)
{
        const struct diag_unit_row *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static void make_room(struct indexer *x)
{
        for (size_t i = 0; i < x->n_rows; i++) {
                struct diag_unit_row *row = &x->rows[i];

                row->n_absent = i < DIAG_UNIT_NAMES_MAX ? count_absent(x, i) : 0;
                if (row->counts.n[DIAG_UNKNOWN] == row->n_nodes)
                        row->health = DIAG_UNKNOWN; /* nobody who has it speaks, or knows */
                row->nodes = arena_alloc(&x->index->arena, row->n_nodes * sizeof(row->nodes[0]));
                row->n_nodes = 0;
        }
}

static struct diag_unit_index *finish(struct indexer *x)
{
        struct diag_unit_index *index = x->index;

        index->truncated = x->other;
        index->n_rows = x->n_rows;
        index->rows = arena_alloc(&index->arena, (x->n_rows + 1) * sizeof(index->rows[0]));
        if (index->arena.failed)
                return NULL;
        memcpy(index->rows, x->rows, x->n_rows * sizeof(index->rows[0]));
        qsort(index->rows, index->n_rows, sizeof(index->rows[0]), by_name);
        return index;
}

static struct diag_unit_index *fill(struct indexer *x)
{
        for (size_t i = 0; i < x->snapshot->n_members; i++)
                if (diag_member_speaks(x->snapshot->members[i]))
                        x->n_speak[x->snapshot->members[i]->role]++;
        x->rows[DIAG_UNIT_NAMES_MAX] = (struct diag_unit_row){
                .name = DIAG_UNIT_OTHER,
                .title = DIAG_UNIT_OTHER,
                .description = "",
                .health = DIAG_HEALTHY,
        };
        for_each_component(x, count_one);
        if (x->other)
                x->n_rows = DIAG_UNIT_NAMES_MAX + 1;
        make_room(x);
        if (x->index->arena.failed)
                return NULL;
        if (x->other)
                x->n_rows = DIAG_UNIT_NAMES_MAX; /* names are still looked up */
        for_each_component(x, place_one);
        if (x->other)
                x->n_rows = DIAG_UNIT_NAMES_MAX + 1;
        return finish(x);
}

static struct diag_unit_index *index_new(const struct diag_snapshot *s)
{
        _cleanup_(freep) struct indexer *x = calloc(1, sizeof(*x));
        struct diag_unit_index *index = calloc(1, sizeof(*index));

        if (x && index) {
                x->snapshot = s;
                x->index = index;
                if (fill(x))
                        return index;
        }
        unit_index_free(index);
        return NULL;
}

const struct diag_unit_index *diag_snapshot_units(const struct diag_snapshot *s)
{
        /* As with a blob_memo: written once, with what anybody else would have written, too. */
        _Atomic(struct diag_unit_index *) *slot = &((struct diag_snapshot *)s)->units;
        struct diag_unit_index *have = atomic_load_explicit(slot, memory_order_acquire),
                               *none = NULL;

        if (have)
                return have;
        have = index_new(s);
        if (!have || atomic_compare_exchange_strong_explicit(
                             slot, &none, have, memory_order_acq_rel, memory_order_acquire))
                return have;
        unit_index_free(have);
        return none;
}

static int against_row(const void *key, const void *item)
{
        return strcmp(key, ((const struct diag_unit_row *)item)->name);
}

const struct diag_unit_row *diag_unit_index_find(const struct diag_unit_index *x, const char *name)
{
        return bsearch(name, x->rows, x->n_rows, sizeof(x->rows[0]), against_row);
}
