/*
 * An array sorted by address, which is the order of every answer, and two trees (tsearch(3)): by address, and
 * by node_id, whose entries are the first of those who share one. A list of a source gets a number; who has an older one of
 * that source when the list is through was not in it.
 */

#include <errno.h>
#include <search.h>
#include <stdio.h>

#include "aggregator/roster.h"
#include "base/mono.h"

struct roster {
        const struct roster_ops *ops;
        void *userdata;
        struct node **nodes;
        size_t n_nodes, n_alloc;
        bool unsorted; /* while a list is taken */
        void *by_address, *by_id;
        unsigned generation[DIAG_N_SOURCES];
        struct diag_source_state states[DIAG_N_SOURCES];
        char *state_texts[DIAG_N_SOURCES], *error_texts[DIAG_N_SOURCES];
};

/* --- by identity ------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
        return strcmp(node_id(a), node_id(b));
}

static void enter_id(struct roster *r, struct node *n)
{
        struct node **first;

        if (n->in_id_tree || !node_id(n))
                return;
        first = tsearch(n, &r->by_id, by_id);
        if (!first)
                return; /* out of memory: it is asked for itself, and no harm done */
        n->in_id_tree = true;
        n->same_id = NULL;
        if (*first != n) {
                n->same_id = (*first)->same_id;
                (*first)->same_id = n;
        }
}

/* The tree's entry is one of the nodes: another one takes its place. */
static void leave_id(struct roster *r, struct node *n)
{
        struct node **entry, *first;

        if (!n->in_id_tree)
                return;
        n->in_id_tree = false;
        entry = tfind(n, &r->by_id, by_id);
        first = *entry;
        if (first == n && !n->same_id) {
                tdelete(n, &r->by_id, by_id);
        } else if (first == n) {
                *entry = n->same_id;
        } else {
                while (first->same_id != n)
                        first = first->same_id;
                first->same_id = n->same_id;
        }
        n->same_id = NULL;
}

static struct node *first_of_id(const struct roster *r, const char *id)
{
        struct node key = {.claimed_id = (char *)id};
        struct node **entry = tfind(&key, &r->by_id, by_id);

        return entry ? *entry : NULL;
}

/* Whom nobody doubts, if there is one. */
struct node *roster_find_id(const struct roster *r, const char *id)
{
        struct node *found = NULL;

        for (struct node *n = first_of_id(r, id); n; n = n->same_id)
                if (!n->alias_of && (!found || found->conflict))
                        found = n;
        return found;
}

/* --- nodes ------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
        const struct node *x = a, *y = b;

        return strcmp(x->address, y->address);
}

static int in_order(const void *a, const void *b)
{
        const struct node *const *x = a, *const *y = b;

        return by_address(*x, *y);
}

static void sort(struct roster *r)
{
        if (r->unsorted)
                qsort(r->nodes, r->n_nodes, sizeof(struct node *), in_order);
        r->unsorted = false;
}

struct node *roster_find(const struct roster *r, const char *address)
{
        const struct node key = {.address = (char *)address};
        struct node **entry = tfind(&key, &r->by_address, by_address);

        return entry ? *entry : NULL;
}

size_t roster_n(const struct roster *r)
{
        return r->n_nodes;
}

struct node *roster_at(const struct roster *r, size_t i)
{
        return r->nodes[i];
}

static void node_free(struct node *n)
{
        node_clear_outputs(n);
        diag_report_unref(n->report);
        diag_pulse_unref(n->pulse);
        diag_member_unref(n->member);
        (void)node_set_maintenance(n, NULL);
        free(n->claimed_id);
        free(n->claimed_hostname);
        free(n->address);
        free(n->fault);
        free(n);
}

static bool has_room(struct roster *r)
{
        size_t n_alloc = r->n_alloc ? 2 * r->n_alloc : 16;
        struct node **grown;

        if (r->n_nodes < r->n_alloc)
                return true;
        grown = reallocarray(r->nodes, n_alloc, sizeof(struct node *));
        if (!grown)
                return false;
        r->nodes = grown;
        r->n_alloc = n_alloc;
        return true;
}

static struct node *node_new(struct roster *r, const char *address)
{
        struct node *n = calloc(1, sizeof(*n));

        if (!n)
                return NULL;
        n->address = strdup(address);
        n->pulse = diag_pulse_new();
        n->failed_wall_usec = now_wall_usec();
        if (!n->address || !n->pulse || !has_room(r) || !tsearch(n, &r->by_address, by_address)) {
                node_free(n);
                return NULL;
        }
        r->nodes[r->n_nodes++] = n;
        r->unsorted = true;
        return n;
}

static void leave_alias(struct node *n)
{
        struct node **at;

        if (!n->alias_of)
                return;
        for (at = &n->alias_of->aliases; *at != n; at = &(*at)->next_alias)
                ;
        *at = n->next_alias;
        n->alias_of = n->next_alias = NULL;
}

/* Whoever was the same machine as this one is on his own again. */
static void release_aliases(struct roster *r, struct node *n)
{
        struct node *a;

        leave_alias(n);
        while ((a = n->aliases)) {
                leave_alias(a);
                r->ops->ask_again(r->userdata, a);
                r->ops->changed(r->userdata, a);
        }
}

/* The array keeps its order. */
static void drop_at(struct roster *r, size_t i)
{
        struct node *n = r->nodes[i];

        leave_id(r, n);
        tdelete(n, &r->by_address, by_address);
        memmove(&r->nodes[i], &r->nodes[i + 1], (r->n_nodes - i - 1) * sizeof(struct node *));
        r->n_nodes--;
        release_aliases(r, n);
        r->ops->leaving(r->userdata, n);
        node_free(n);
}

/* --- what sources say -------------------------------------------------------------------------- */

static void keep_text(char **to, const char *text)
{
        if (text && *to && streq(*to, text))
                return;
        free(*to);
        *to = str_empty(text) ? NULL : strdup(text);
}

static void say(struct node *n, enum diag_source source, const struct found *f)
{
        n->claims[source] = (struct node_claim){
                .port = f->port,
                .role = (uint8_t)f->role,
                .leader = f->leader,
                .down = f->down,
        };
        n->sources |= DIAG_SOURCE_BIT(source);
        if (source == DIAG_SOURCE_ANNOUNCE)
                n->announced_boot_usec = now_boot_usec();
        if (!str_empty(f->hostname))
                keep_text(&n->claimed_hostname, f->hostname);
}

/* The tree is sorted by what this may change. */
static void claim_id(struct roster *r, struct node *n, const char *id)
{
        if (str_empty(id) || (n->claimed_id && streq(n->claimed_id, id)))
                return;
        leave_id(r, n);
        keep_text(&n->claimed_id, id);
        enter_id(r, n);
}

/* Only memory knows it? That matters once those who should know have been asked. */
static void note_listed(struct roster *r, struct node *n)
{
        bool zookeeper_knows = r->states[DIAG_SOURCE_ZOOKEEPER].seen_boot_usec ||
                               !r->states[DIAG_SOURCE_ZOOKEEPER].used;
        bool listed = n->sources & ~DIAG_SOURCE_BIT(DIAG_SOURCE_MEMORY);

        if (listed || !zookeeper_knows)
                n->unlisted_boot_usec = 0;
        else if (!n->unlisted_boot_usec)
                n->unlisted_boot_usec = now_boot_usec();
}

static struct node *add(struct roster *r, enum diag_source source, const struct found *f,
                        struct err *e)
{
        struct node *n;
        bool is_new;

        if (found_check(f, e) < 0)
                return NULL;
        n = roster_find(r, f->address);
        is_new = !n;
        if (is_new && r->n_nodes >= DIAG_MEMBERS_MAX) {
                err_set(e, -E2BIG, "more than %u nodes", DIAG_MEMBERS_MAX);
                return NULL;
        }
        if (is_new)
                n = node_new(r, f->address);
        if (!n) {
                err_set(e, -ENOMEM, "out of memory");
                return NULL;
        }
        say(n, source, f);
        claim_id(r, n, f->node_id);
        note_listed(r, n);
        n->generation[source] = r->generation[source];
        if (is_new)
                r->ops->added(r->userdata, n);
        r->ops->changed(r->userdata, n);
        return n;
}

struct node *roster_add(struct roster *r, enum diag_source source, const struct found *f,
                        struct err *e)
{
        const struct node *known = roster_find(r, str_or(f->address, ""));
        bool had = known && known->sources & DIAG_SOURCE_BIT(source);
        struct diag_source_state *s = &r->states[source];
        struct node *n = add(r, source, f, e);

        sort(r);
        if (n) {
                s->used = true;
                s->state = "ok";
                s->seen_boot_usec = now_boot_usec();
                s->n_nodes += !had;
        }
        return n;
}

/* Does another node, that is in the list, have its identity? Then this one has only moved. */
static bool has_moved(const struct roster *r, const struct node *n, enum diag_source source)
{
        const char *id = node_id(n);

        for (const struct node *o = id ? first_of_id(r, id) : NULL; o; o = o->same_id)
                if (o != n && o->sources & DIAG_SOURCE_BIT(source))
                        return true;
        return false;
}

static bool stays(const struct node *n)
{
        return n->sources || (n->answered && !n->failing_boot_usec);
}

/* @source does not name it any more. True: it is gone. */
static bool withdraw(struct roster *r, size_t i, enum diag_source source)
{
        struct node *n = r->nodes[i];
        bool is_master = node_role(n) == DIAG_ROLE_MASTER;

        n->sources &= ~DIAG_SOURCE_BIT(source);
        if (source == DIAG_SOURCE_ANNOUNCE) /* its nodes are counted one by one */
                r->states[source].n_nodes--;
        if (source == DIAG_SOURCE_STATIC && !n->sources) {
                drop_at(r, i);
                return true;
        }
        if (!n->sources && !(is_master && source >= DIAG_SOURCE_MESOS) &&
            !has_moved(r, n, source)) {
                n->sources = DIAG_SOURCE_BIT(DIAG_SOURCE_MEMORY);
                n->claims[DIAG_SOURCE_MEMORY] = n->claims[source];
        }
        if (!stays(n) || has_moved(r, n, source)) {
                drop_at(r, i);
                return true;
        }
        note_listed(r, n);
        r->ops->changed(r->userdata, n);
        return false;
}

static void note_state(struct roster *r, const struct finding *f, const struct err *fault)
{
        struct diag_source_state *s = &r->states[f->source];
        const char *error = fault->code < 0 ? fault->text : f->error;

        keep_text(&r->state_texts[f->source], f->state);
        keep_text(&r->error_texts[f->source], error);
        s->source = f->source;
        s->used = true;
        s->state = str_or(r->state_texts[f->source], "");
        s->error = str_or(r->error_texts[f->source], "");
        s->seen_boot_usec = f->seen_boot_usec;
        if (f->has_list)
                s->n_nodes = (unsigned)f->n_nodes;
}

void roster_take(struct roster *r, const struct finding *f)
{
        struct err fault = {0}, e;

        if (f->has_list)
                r->generation[f->source]++;
        for (size_t i = 0; f->has_list && i < f->n_nodes; i++)
                if (!add(r, f->source, &f->nodes[i], &e) && fault.code == 0)
                        fault = e;
        note_state(r, f, &fault);
        sort(r);
        for (size_t i = r->n_nodes; f->has_list && i-- > 0;) {
                struct node *n = r->nodes[i];

                if (n->sources & DIAG_SOURCE_BIT(f->source) &&
                    n->generation[f->source] != r->generation[f->source])
                        (void)withdraw(r, i, f->source);
        }
        for (size_t i = 0; f->source == DIAG_SOURCE_ZOOKEEPER && i < r->n_nodes; i++)
                note_listed(r, r->nodes[i]);
}

const struct diag_source_state *roster_state(const struct roster *r, enum diag_source source)
{
        return &r->states[source];
}

/* --- who is who -------------------------------------------------------------------------------- */

static bool is_alive(const struct node *n)
{
        return n->answered && !n->failing_boot_usec && n->report;
}

/* Who has more authority, or was there first, is asked for both. */
static bool outranks(const struct node *a, const struct node *b)
{
        unsigned x = a->sources & DIAG_SOURCE_AUTHORITATIVE,
                 y = b->sources & DIAG_SOURCE_AUTHORITATIVE;

        if (!x != !y)
                return x;
        return !a->alias_of && (b->alias_of || strcmp(a->address, b->address) < 0);
}

static void make_alias(struct roster *r, struct node *n, struct node *of)
{
        if (n->alias_of == of)
                return;
        release_aliases(r, n);
        n->alias_of = of;
        n->next_alias = of->aliases;
        of->aliases = n;
        r->ops->changed(r->userdata, n);
        r->ops->changed(r->userdata, of);
}

static void set_conflict(struct roster *r, struct node *n, bool conflict)
{
        if (n->conflict == conflict)
                return;
        n->conflict = conflict;
        r->ops->changed(r->userdata, n);
}

static uint64_t seen(const struct node *n)
{
        return atomic_load_explicit(&n->pulse->seen_boot_usec, memory_order_relaxed);
}

/* One of the two may have rebooted, and the other be its answer of before: ask both, then believe them. */
static void doubt(struct roster *r, struct node *a, struct node *b)
{
        uint64_t last = seen(a) > seen(b) ? seen(a) : seen(b);

        if (!a->doubted_boot_usec || !b->doubted_boot_usec) {
                a->doubted_boot_usec = b->doubted_boot_usec = last;
                r->ops->ask_again(r->userdata, a);
                r->ops->ask_again(r->userdata, b);
                return;
        }
        if (seen(a) <= a->doubted_boot_usec || seen(b) <= b->doubted_boot_usec)
                return;
        set_conflict(r, a, true);
        set_conflict(r, b, true);
}

static bool is_master(const struct node *n)
{
        return node_role(n) == DIAG_ROLE_MASTER;
}

/* An agent that says to be a master is no second address of it, and nobody's word against the master's. */
static void disbelieve(struct roster *r, struct node *agent)
{
        if (!agent->doubted_boot_usec)
                agent->doubted_boot_usec = seen(agent);
        set_conflict(r, agent, true);
}

static void settle(struct roster *r, struct node *n)
{
        n->doubted_boot_usec = 0;
        set_conflict(r, n, false);
}

/* The trees are sorted by what a report may change. */
void roster_set_report(struct roster *r, struct node *n, struct diag_report *taken)
{
        leave_id(r, n);
        diag_report_unref(n->report);
        n->report = taken;
        enter_id(r, n);
}

void roster_identify(struct roster *r, struct node *n)
{
        struct node *first, *o, *next;
        bool doubted = false;

        first = node_id(n) ? first_of_id(r, node_id(n)) : NULL;
        for (o = first; o; o = next) {
                next = o->same_id;
                if (o == n || !is_alive(o) || !is_alive(n))
                        continue;
                if (is_master(o) != is_master(n)) {
                        disbelieve(r, is_master(o) ? n : o);
                        doubted = doubted || is_master(o);
                } else if (streq(o->report->node.boot_id, n->report->node.boot_id)) {
                        make_alias(r, outranks(o, n) ? n : o, outranks(o, n) ? o : n);
                } else {
                        doubt(r, n, o);
                        doubted = true;
                }
        }
        if (!doubted && n->doubted_boot_usec)
                settle(r, n);
}

void roster_touch(struct roster *r, struct node *n)
{
        r->ops->changed(r->userdata, n);
}

/* --- forgetting -------------------------------------------------------------------------------- */

bool roster_forget(struct roster *r, const char *id)
{
        bool gone = false;

        for (size_t i = r->n_nodes; i-- > 0;) {
                struct node *n = r->nodes[i];
                const char *its = node_id(n);
                bool fits = its ? streq(its, id)
                                : strncmp(id, "addr:", 5) == 0 && streq(id + 5, n->address);

                if (!fits || n->sources & DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC))
                        continue;
                drop_at(r, i);
                gone = true;
        }
        return gone;
}

void roster_tick(struct roster *r, uint64_t forget_agents_usec)
{
        uint64_t now = now_boot_usec();

        for (size_t i = r->n_nodes; i-- > 0;) {
                struct node *n = r->nodes[i];
                bool silent = n->failing_boot_usec || !n->answered;
                bool is_master = node_role(n) == DIAG_ROLE_MASTER && !n->superseded;

                if (n->sources & DIAG_SOURCE_BIT(DIAG_SOURCE_ANNOUNCE) &&
                    usec_since(now, n->announced_boot_usec) > ROSTER_ANNOUNCED_USEC &&
                    withdraw(r, i, DIAG_SOURCE_ANNOUNCE))
                        continue;
                if (silent && !is_master && n->unlisted_boot_usec &&
                    usec_since(now, n->unlisted_boot_usec) > forget_agents_usec)
                        drop_at(r, i);
                else if (silent && !n->sources)
                        drop_at(r, i);
        }
}

/* --- life -------------------------------------------------------------------------------------- */

int roster_new(struct roster **ret, const struct roster_ops *ops, void *userdata)
{
        struct roster *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->ops = ops;
        r->userdata = userdata;
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                r->states[i] = (struct diag_source_state){
                        .source = (enum diag_source)i, .state = "", .error = ""};
        *ret = r;
        return 0;
}

struct roster *roster_free(struct roster *r)
{
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_nodes; i++) {
                leave_id(r, r->nodes[i]);
                tdelete(r->nodes[i], &r->by_address, by_address);
        }
        for (size_t i = 0; i < r->n_nodes; i++) {
                r->ops->leaving(r->userdata, r->nodes[i]);
                node_free(r->nodes[i]);
        }
        for (size_t i = 0; i < DIAG_N_SOURCES; i++) {
                free(r->state_texts[i]);
                free(r->error_texts[i]);
        }
        free(r->nodes);
        free(r);
        return NULL;
}
