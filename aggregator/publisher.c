/* Members of nodes, snapshots of members. */

#include <errno.h>

#include "aggregator/publisher.h"
#include "base/log.h"
#include "base/mono.h"

/* With nothing new a snapshot stands for so long: then what stands beside health in it (who was heard when) is
 * old enough to be said anew. Nodes are asked all the time, so that a round has passed by then. */
#define REFRESH_USEC (20 * USEC_PER_SEC)

#define SOON_USEC (2 * USEC_PER_MSEC) /* what else has come with the same packets is taken along */

STAILQ_HEAD(dirty_nodes, node);

struct publisher {
        struct publisher_options options;
        struct view *view;
        struct loop_timer *timer;
        struct dirty_nodes dirty;
        bool differs; /* since the last snapshot: a member, or what stands beside them */
        uint64_t published_mono_usec;
        uint64_t round_wall_usec, round_boot_usec;
};

/* --- members ----------------------------------------------------------------------------------- */

/* Return: false when out of memory: it stays as it was, and is looked at again. */
static bool make_member(struct publisher *p, struct node *n)
{
        struct diag_member *m = NULL;

        if (node_make_member(&m, n, now_boot_usec(), now_wall_usec()) < 0)
                return false;
        p->differs |= m != n->member;
        diag_member_unref(n->member);
        n->member = m;
        return true;
}

static void make_members(struct publisher *p)
{
        struct dirty_nodes dirty = p->dirty;
        struct node *n;

        if (STAILQ_EMPTY(&p->dirty))
                return;
        STAILQ_INIT(&p->dirty);
        while ((n = STAILQ_FIRST(&dirty))) {
                STAILQ_REMOVE_HEAD(&dirty, dirty_link);
                n->dirty = false;
                if (!make_member(p, n))
                        publisher_touch(p, n);
        }
}

static bool is_shown(const struct node *n)
{
        return n->member && !n->alias_of && n->member->role != DIAG_ROLE_UNKNOWN;
}

/* Whether a master is gone for good depends on what the others are. */
static void find_superseded(struct publisher *p, const struct diag_snapshot *s, unsigned n_expected)
{
        for (size_t i = 0; i < s->n_masters; i++) {
                struct node *n = roster_find(p->options.roster, s->masters[i]->address);
                bool superseded = diag_verdict_supersedes(s->masters[i], s->masters, s->n_masters,
                                                          n_expected);

                if (!n || n->superseded == superseded)
                        continue;
                n->superseded = superseded;
                publisher_touch(p, n);
        }
}

/* --- snapshots --------------------------------------------------------------------------------- */

bool publisher_asked_all(const struct publisher *p)
{
        const struct roster *r = p->options.roster;

        for (size_t i = 0; i < roster_n(r); i++)
                if (!roster_at(r, i)->asked && !roster_at(r, i)->alias_of)
                        return false;
        return true;
}

static bool asked_all_masters(const struct publisher *p, const struct diag_snapshot *s)
{
        for (size_t i = 0; i < s->n_masters; i++) {
                const struct node *n = roster_find(p->options.roster, s->masters[i]->address);

                if (n && !n->asked)
                        return false;
        }
        return s->n_masters > 0;
}

static void copy_sources(struct publisher *p, struct diag_snapshot *s)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++) {
                s->sources[i] = *roster_state(p->options.roster, (enum diag_source)i);
                s->sources[i].state = arena_strdup(&s->arena, s->sources[i].state);
                s->sources[i].error = arena_strdup(&s->arena, s->sources[i].error);
        }
}

static void copy_facts(struct diag_snapshot *s, const struct publisher_facts *f)
{
        struct arena *a = &s->arena;

        s->cluster_id = arena_strdup(a, f->cluster_id);
        s->cluster_name = arena_strdup(a, f->cluster_name);
        s->observer = arena_strdup(a, f->observer);
        s->leader_address = arena_strdup(a, f->leader_address);
        s->leader_source = arena_strdup(a, f->leader_source);
        s->leader_seen_boot_usec = f->leader_seen_boot_usec;
        s->view_max_age_usec = f->view_max_age_usec;
        s->views = arena_alloc(a, (f->n_views + 1) * sizeof(s->views[0]));
        for (size_t i = 0; s->views && i < f->n_views; i++) {
                s->views[i] = f->views[i];
                s->views[i].observer = arena_strdup(a, f->views[i].observer);
                s->n_views++;
        }
}

static void add_members(struct publisher *p, struct diag_snapshot *s)
{
        const struct roster *r = p->options.roster;

        for (size_t i = 0; i < roster_n(r); i++)
                if (is_shown(roster_at(r, i)))
                        diag_snapshot_add(s, roster_at(r, i)->member);
}

static void note_round(struct publisher *p)
{
        p->round_wall_usec = now_wall_usec();
        p->round_boot_usec = now_boot_usec();
}

static int build(struct publisher *p, struct diag_snapshot **ret,
                 const struct diag_snapshot *before)
{
        _cleanup_(diag_snapshot_unrefp) struct diag_snapshot *s = NULL;
        struct publisher_facts facts = {0};
        struct diag_rule rule;
        int k = diag_snapshot_new(&s, roster_n(p->options.roster));

        if (k < 0)
                return k;
        p->options.facts(p->options.userdata, &facts);
        s->instance = p->options.instance;
        s->made_wall_usec = now_wall_usec();
        s->made_boot_usec = now_boot_usec();
        add_members(p, s);
        copy_facts(s, &facts);
        copy_sources(p, s);
        if ((!p->round_wall_usec ||
             usec_since(s->made_boot_usec, p->round_boot_usec) >= REFRESH_USEC) &&
            publisher_asked_all(p) && roster_n(p->options.roster) > 0)
                note_round(p);
        s->round_wall_usec = p->round_wall_usec;
        rule = (struct diag_rule){
                .n_expected = facts.n_expected,
                .expected_from = str_or(facts.expected_from, ""),
                .asked_all = asked_all_masters(p, s),
                .views = s->views,
                .n_views = s->n_views,
                .now_wall_usec = s->made_wall_usec,
                .now_boot_usec = s->made_boot_usec,
        };
        find_superseded(p, s, facts.n_expected);
        k = diag_snapshot_seal(s, before, &rule);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(s);
        return 0;
}

void publisher_now(struct publisher *p)
{
        struct diag_snapshot *before =
                p->view ? diag_snapshot_ref((struct diag_snapshot *)view_current(p->view)) : NULL;
        struct diag_snapshot *s = NULL;

        make_members(p);
        if (!p->differs) {
                diag_snapshot_unref(before);
                return;
        }
        p->differs = false;
        p->published_mono_usec = now_mono_usec();
        if (build(p, &s, before) < 0) {
                log_warning("out of memory: the view stays what it was");
                p->differs = true;
                loop_timer_set(p->timer, now_mono_usec() + USEC_PER_SEC, 0);
        } else if (before && s->seq == before->seq &&
                   s->round_wall_usec == before->round_wall_usec) {
                diag_snapshot_unref(s);
        } else if (before) {
                view_publish(p->view, diag_snapshot_ref(s));
                p->options.published(p->options.userdata, before, s);
                diag_snapshot_unref(s);
        } else if (view_new(&p->view, p->options.parked, s) < 0) {
                p->view = NULL;
        }
        diag_snapshot_unref(before);
}

void publisher_note_round(struct publisher *p)
{
        note_round(p);
        p->differs = true;
        publisher_now(p);
}

static void on_timer(void *userdata)
{
        publisher_now(userdata);
}

static void plan(struct publisher *p)
{
        uint64_t now = now_mono_usec(), due = p->published_mono_usec + PUBLISHER_APART_USEC;

        if (!loop_timer_is_set(p->timer))
                loop_timer_set(p->timer, due > now + SOON_USEC ? due : now + SOON_USEC, 0);
}

void publisher_touch_facts(struct publisher *p)
{
        p->differs = true;
        plan(p);
}

void publisher_touch(struct publisher *p, struct node *n)
{
        if (!n->dirty)
                STAILQ_INSERT_TAIL(&p->dirty, n, dirty_link);
        n->dirty = true;
        plan(p);
}

void publisher_untouch(struct publisher *p, struct node *n)
{
        if (n->dirty)
                STAILQ_REMOVE(&p->dirty, n, node, dirty_link);
        n->dirty = false;
        publisher_touch_facts(p);
}

/* --- life -------------------------------------------------------------------------------------- */

struct view *publisher_view(struct publisher *p)
{
        return p->view;
}

int publisher_new(struct publisher **ret, const struct publisher_options *options)
{
        _cleanup_(publisher_freep) struct publisher *p = calloc(1, sizeof(*p));
        int k;

        if (!p)
                return -ENOMEM;
        p->options = *options;
        STAILQ_INIT(&p->dirty);
        p->differs = true;
        k = loop_timer_new(&p->timer, options->loop, on_timer, p);
        if (k < 0)
                return k;
        publisher_now(p);
        if (!p->view)
                return -ENOMEM;
        *ret = TAKE_PTR(p);
        return 0;
}

struct publisher *publisher_free(struct publisher *p)
{
        if (!p)
                return NULL;
        view_free(p->view);
        loop_timer_free(p->timer);
        free(p);
        return NULL;
}
