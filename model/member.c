/* One node as the cluster sees it. */

#include <errno.h>

#include "model/member.h"

static const char *const reaches[DIAG_N_REACH] = {
        [DIAG_REACH_NEVER] = "never",
        [DIAG_REACH_OK] = "ok",
        [DIAG_REACH_LATE] = "late",
        [DIAG_REACH_UNREACHABLE] = "unreachable",
        [DIAG_REACH_REBOOTING] = "rebooting",
        [DIAG_REACH_CONFLICT] = "conflict",
        [DIAG_REACH_SUPERSEDED] = "superseded",
};

static const char *const sources[DIAG_N_SOURCES] = {
        [DIAG_SOURCE_STATIC] = "static",       [DIAG_SOURCE_ZOOKEEPER] = "zookeeper",
        [DIAG_SOURCE_MEMORY] = "memory",       [DIAG_SOURCE_MESOS] = "mesos",
        [DIAG_SOURCE_EXHIBITOR] = "exhibitor", [DIAG_SOURCE_DNS] = "dns",
        [DIAG_SOURCE_ANNOUNCE] = "announce",
};

const char *diag_reach_to_string(enum diag_reach r)
{
        return reaches[r];
}

enum diag_reach diag_reach_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(reaches); i++)
                if (streq(s, reaches[i]))
                        return (enum diag_reach)i;
        return DIAG_REACH_NEVER;
}

const char *diag_source_to_string(enum diag_source s)
{
        return sources[s];
}

const char *diag_protocol_to_string(enum diag_protocol p)
{
        return p == DIAG_PROTOCOL_V2 ? "v2" : p == DIAG_PROTOCOL_V1 ? "v1" : "";
}

/* --- signs of life ----------------------------------------------------------------------------- */

struct diag_pulse *diag_pulse_new(void)
{
        struct diag_pulse *p = calloc(1, sizeof(*p));

        if (p)
                ref_init(&p->ref);
        return p;
}

struct diag_pulse *diag_pulse_ref(struct diag_pulse *p)
{
        ref_inc(&p->ref);
        return p;
}

struct diag_pulse *diag_pulse_unref(struct diag_pulse *p)
{
        if (p && ref_dec(&p->ref))
                free(p);
        return NULL;
}

/* --- a member ---------------------------------------------------------------------------------- */

static struct diag_member *member_free(struct diag_member *m)
{
        for (size_t i = 0; i < DIAG_N_MEMBER_MEMO; i++)
                blob_memo_done(&m->memo[i]);
        diag_report_unref(m->report);
        diag_pulse_unref(m->pulse);
        arena_done(&m->arena);
        free(m);
        return NULL;
}

struct diag_member *diag_member_ref(struct diag_member *m)
{
        ref_inc(&m->ref);
        return m;
}

struct diag_member *diag_member_unref(struct diag_member *m)
{
        if (m && ref_dec(&m->ref))
                member_free(m);
        return NULL;
}

static struct diag_maintenance *copy_maintenance(struct arena *a, const struct diag_maintenance *m)
{
        struct diag_maintenance *to = m ? arena_alloc(a, sizeof(*to)) : NULL;

        if (!to)
                return NULL;
        *to = *m;
        to->reason = arena_strdup(a, m->reason);
        to->by = arena_strdup(a, m->by);
        return to;
}

static const char *const *copy_outputs(struct arena *a, const struct diag_member *m)
{
        const char **to;

        if (!m->outputs || !m->report || !m->report->n_components)
                return NULL;
        to = arena_alloc(a, m->report->n_components * sizeof(*to));
        for (size_t i = 0; to && i < m->report->n_components; i++)
                to[i] = arena_strdup(a, m->outputs[i]);
        return to;
}

static void copy_strings(struct diag_member *to, const struct diag_member *m)
{
        struct arena *a = &to->arena;

        to->address = arena_strdup(a, m->address);
        for (size_t i = 0; i < m->n_addresses; i++)
                to->addresses[i] = arena_strdup(a, m->addresses[i]);
        to->node_id = arena_strdup(a, m->node_id);
        to->hostname = arena_strdup(a, m->hostname);
        to->boot_id = arena_strdup(a, m->boot_id);
        to->version = arena_strdup(a, m->version);
        to->mesos_id = arena_strdup(a, m->mesos_id);
        to->text = arena_strndup(a, m->text, DIAG_STRING_MAX);
        for (size_t i = 0; i < m->n_notes; i++)
                to->notes[i] = arena_strdup(a, m->notes[i]);
}

int diag_member_new(struct diag_member **ret, const struct diag_member *m)
{
        _cleanup_(diag_member_unrefp) struct diag_member *to = calloc(1, sizeof(*to));

        if (!to)
                return -ENOMEM;
        *to = *m;
        ref_init(&to->ref);
        to->arena = (struct arena){0};
        for (size_t i = 0; i < DIAG_N_MEMBER_MEMO; i++)
                atomic_init(&to->memo[i], NULL);
        to->report = m->report ? diag_report_ref(m->report) : NULL;
        to->pulse = m->pulse ? diag_pulse_ref(m->pulse) : diag_pulse_new();
        copy_strings(to, m);
        to->maintenance = copy_maintenance(&to->arena, m->maintenance);
        to->outputs = copy_outputs(&to->arena, m);
        if (to->arena.failed || !to->pulse)
                return -ENOMEM;
        *ret = TAKE_PTR(to);
        return 0;
}

/* --- comparing --------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
        return streq(str_or(a, ""), str_or(b, ""));
}

static bool same_list(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++)
                if (!same(a[i], b[i]))
                        return false;
        return true;
}

static bool same_maintenance(const struct diag_maintenance *a, const struct diag_maintenance *b)
{
        if (!a || !b)
                return a == b;
        return a->since_wall_usec == b->since_wall_usec &&
               a->until_wall_usec == b->until_wall_usec && same(a->reason, b->reason) &&
               same(a->by, b->by);
}

static bool same_outputs(const struct diag_member *a, const struct diag_member *b)
{
        if (!a->outputs || !b->outputs)
                return a->outputs == b->outputs;
        return same_list(a->outputs, a->report->n_components, b->outputs, b->report->n_components);
}

static bool same_identity(const struct diag_member *a, const struct diag_member *b)
{
        return same(a->address, b->address) && same(a->node_id, b->node_id) &&
               same(a->hostname, b->hostname) && same(a->boot_id, b->boot_id) &&
               same(a->version, b->version) && same(a->mesos_id, b->mesos_id) &&
               a->port == b->port && a->role == b->role &&
               same_list(a->addresses, a->n_addresses, b->addresses, b->n_addresses);
}

bool diag_member_same(const struct diag_member *a, const struct diag_member *b)
{
        return a->report == b->report && same_identity(a, b) && a->sources == b->sources &&
               a->leader == b->leader && a->unlisted == b->unlisted &&
               a->seen_down == b->seen_down && a->reach == b->reach && a->protocol == b->protocol &&
               a->health == b->health && a->code == b->code && a->stale == b->stale &&
               a->since_wall_usec == b->since_wall_usec && same(a->text, b->text) &&
               same_maintenance(a->maintenance, b->maintenance) &&
               same_list(a->notes, a->n_notes, b->notes, b->n_notes) && same_outputs(a, b);
}

/* --- reading ----------------------------------------------------------------------------------- */

bool diag_member_speaks(const struct diag_member *m)
{
        return m->report && (m->reach == DIAG_REACH_OK || m->reach == DIAG_REACH_LATE ||
                             m->reach == DIAG_REACH_CONFLICT);
}

enum diag_health diag_member_component_health(const struct diag_member *m, size_t i)
{
        return diag_member_speaks(m) && !m->stale ? m->report->components[i].health : DIAG_UNKNOWN;
}

const char *diag_member_output(const struct diag_member *m, size_t i)
{
        const struct diag_component *c = &m->report->components[i];

        if (c->health == DIAG_HEALTHY)
                return "";
        return m->outputs && !str_empty(m->outputs[i]) ? m->outputs[i] : c->output;
}

struct blob *diag_member_rendered(const struct diag_member *m, enum diag_member_memo which,
                                  struct blob *(*render)(const struct diag_member *m))
{
        blob_memo *slot = &((struct diag_member *)m)->memo[which];
        struct blob *have = blob_memo_get(slot);

        return have ? have : blob_memo_put(slot, render(m));
}
