/*
 * The report: an arena, a sorted array, and a comparison with the report before. Everything that
 * readers need is decided here, once, so that serving is copying.
 */

#include <errno.h>
#include <stdio.h>

#include "base/json_write.h"
#include "model/report.h"

static const char *const phases[] = {
        [DIAG_PHASE_STARTING] = "starting",
        [DIAG_PHASE_RUNNING] = "running",
        [DIAG_PHASE_STOPPING] = "stopping",
};

const char *diag_phase_to_string(enum diag_phase p)
{
        return phases[p];
}

/* --- life ----------------------------------------------------------------------------------- */

/* Cut at the end of a character: half of one would be shown as a replacement character. */
static const char *copy_text(struct arena *a, const char *s, size_t n_max)
{
        size_t n = s ? strnlen(s, n_max + 1) : 0;

        if (n > n_max) {
                n = n_max;
                while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
                        n--;
        }
        return arena_strndup(a, s, n);
}

static void copy_node(struct arena *a, struct diag_node *to, const struct diag_node *from)
{
        *to = *from;
        to->node_id = copy_text(a, from->node_id, DIAG_STRING_MAX);
        to->boot_id = copy_text(a, from->boot_id, DIAG_STRING_MAX);
        to->hostname = copy_text(a, from->hostname, DIAG_STRING_MAX);
        to->kernel_hostname = copy_text(a, from->kernel_hostname, DIAG_STRING_MAX);
        to->address = copy_text(a, from->address, DIAG_STRING_MAX);
        to->mesos_id = copy_text(a, from->mesos_id, DIAG_STRING_MAX);
        to->version = copy_text(a, from->version, DIAG_STRING_MAX);
        to->dcos_version = copy_text(a, from->dcos_version, DIAG_STRING_MAX);
        to->config_hash = copy_text(a, from->config_hash, DIAG_STRING_MAX);
}

int diag_report_new(struct diag_report **ret, const struct diag_node *node,
                    const struct diag_system *system, const char *target)
{
        struct diag_report *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        ref_init(&r->ref);
        copy_node(&r->arena, &r->node, node);
        r->system = *system;
        r->system.state = copy_text(&r->arena, system->state, DIAG_STRING_MAX);
        r->system.version = copy_text(&r->arena, system->version, DIAG_STRING_MAX);
        r->target = arena_strdup(&r->arena, target);
        r->node_text = "";
        r->health = DIAG_HEALTHY;
        if (r->arena.failed) {
                diag_report_unref(r);
                return -ENOMEM;
        }
        *ret = r;
        return 0;
}

struct diag_report *diag_report_ref(struct diag_report *r)
{
        if (r)
                ref_inc(&r->ref);
        return r;
}

struct diag_report *diag_report_unref(struct diag_report *r)
{
        if (!r || !ref_dec(&r->ref))
                return NULL;
        for (size_t i = 0; i < DIAG_N_MEMO; i++)
                blob_memo_done(&r->memo[i]);
        free(r->components);
        arena_done(&r->arena);
        free(r);
        return NULL;
}

/* --- components -------------------------------------------------------------------------------- */

static void copy_unit_texts(struct arena *a, struct diag_unit *u)
{
        const char **texts[] = {
                &u->name,
                &u->id,
                &u->description,
                &u->load_state,
                &u->load_error,
                &u->active_state,
                &u->sub_state,
                &u->freezer_state,
                &u->job,
                &u->type,
                &u->result,
                &u->reload_result,
                &u->status_text,
                &u->failed_conditions,
                &u->unit_file_state,
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                *texts[i] = copy_text(a, *texts[i], DIAG_STRING_MAX);
        for (size_t i = 0; i < u->n_triggered_by; i++)
                u->triggered_by[i] = copy_text(a, u->triggered_by[i], DIAG_STRING_MAX);
}

static const struct diag_unit *copy_unit(struct arena *a, const struct diag_unit *from)
{
        struct diag_unit *u = arena_alloc(a, sizeof(*u));

        if (!u)
                return NULL;
        *u = *from;
        copy_unit_texts(a, u);
        return u;
}

static int by_probe_name(const void *a, const void *b)
{
        return strcmp(((const struct diag_probe *)a)->name, ((const struct diag_probe *)b)->name);
}

static const struct diag_probe *copy_probes(struct arena *a, const struct diag_probe *from,
                                            size_t n)
{
        struct diag_probe *probes = n ? arena_alloc(a, n * sizeof(*probes)) : NULL;

        for (size_t i = 0; probes && i < n; i++) {
                struct diag_probe *p = &probes[i];

                *p = from[i];
                p->name = copy_text(a, p->name, DIAG_STRING_MAX);
                p->kind = copy_text(a, p->kind, DIAG_STRING_MAX);
                p->text = copy_text(a, p->text, DIAG_STRING_MAX);
                p->output = copy_text(a, p->output, DIAG_OUTPUT_MAX);
        }
        if (probes)
                qsort(probes, n, sizeof(*probes), by_probe_name);
        return probes;
}

static bool grow(struct diag_report *r)
{
        size_t n = r->n_alloc ? r->n_alloc * 2 : 32;
        struct diag_component *p;

        if (r->n_components < r->n_alloc)
                return true;
        p = reallocarray(r->components, n, sizeof(*p));
        if (!p)
                return false;
        r->components = p;
        r->n_alloc = n;
        return true;
}

int diag_report_add(struct diag_report *r, const struct diag_component *c)
{
        struct arena *a = &r->arena;
        struct diag_component *to;

        if (r->n_components >= DIAG_COMPONENTS_MAX) {
                r->truncated = true;
                return 0;
        }
        if (!grow(r)) {
                a->failed = true;
                return -ENOMEM;
        }
        to = &r->components[r->n_components++];
        *to = *c;
        to->name = copy_text(a, c->name, DIAG_STRING_MAX);
        to->title = copy_text(a, c->title, DIAG_STRING_MAX);
        to->description = copy_text(a, c->description, DIAG_STRING_MAX);
        to->text = copy_text(a, c->text, DIAG_STRING_MAX);
        to->output = copy_text(a, c->output, DIAG_OUTPUT_MAX);
        for (size_t i = 0; i < c->n_notes; i++)
                to->notes[i] = copy_text(a, c->notes[i], DIAG_STRING_MAX);
        to->unit = c->unit ? copy_unit(a, c->unit) : NULL;
        to->n_probes = c->n_probes < DIAG_PROBES_MAX ? c->n_probes : DIAG_PROBES_MAX;
        to->probes = copy_probes(a, c->probes, to->n_probes);
        return a->failed ? -ENOMEM : 0;
}

void diag_report_set_reason(struct diag_report *r, enum diag_health health, enum diag_code code,
                            const char *text)
{
        r->node_code = code;
        r->node_text = copy_text(&r->arena, text, DIAG_STRING_MAX);
        r->health = health;
}

void diag_report_set_maintenance(struct diag_report *r, const struct diag_maintenance *m)
{
        struct diag_maintenance *copy = m ? arena_alloc(&r->arena, sizeof(*copy)) : NULL;

        r->maintenance = copy;
        if (!copy)
                return;
        *copy = *m;
        copy->reason = copy_text(&r->arena, m->reason, DIAG_STRING_MAX);
        copy->by = copy_text(&r->arena, m->by, DIAG_STRING_MAX);
}

/* --- sealing ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct diag_component *)a)->name,
                      ((const struct diag_component *)b)->name);
}

static void sort_and_unite(struct diag_report *r)
{
        size_t n = 0;

        if (!r->n_components)
                return;
        qsort(r->components, r->n_components, sizeof(*r->components), by_name);
        for (size_t i = 0; i < r->n_components; i++)
                if (n == 0 || !streq(r->components[n - 1].name, r->components[i].name))
                        r->components[n++] = r->components[i];
        r->n_components = n;
}

static bool same_content(const struct diag_component *a, const struct diag_component *b)
{
        if (a->health != b->health || !streq(a->title, b->title) ||
            !streq(a->description, b->description))
                return false;
        return a->health == DIAG_HEALTHY || (a->code == b->code && streq(a->text, b->text));
}

static bool same_maintenance(const struct diag_maintenance *a, const struct diag_maintenance *b)
{
        if (!a || !b)
                return a == b;
        return a->since_wall_usec == b->since_wall_usec &&
               a->until_wall_usec == b->until_wall_usec && streq(a->reason, b->reason) &&
               streq(a->by, b->by);
}

static bool same_node(const struct diag_report *a, const struct diag_report *b)
{
        return a->phase == b->phase && a->truncated == b->truncated &&
               a->node_code == b->node_code && streq(a->node_text, b->node_text) &&
               same_maintenance(a->maintenance, b->maintenance) &&
               diag_node_equal(&a->node, &b->node);
}

struct seal {
        struct diag_report *r;
        uint64_t now_wall_usec;
        diag_change_fn on_change;
        void *userdata;
};

static void changed(struct seal *s, const struct diag_component *before, struct diag_component *now)
{
        struct diag_change change = {before, now, ++s->r->seq};

        if (now)
                now->seq = change.seq;
        if (s->on_change)
                s->on_change(&change, s->userdata);
}

/*
 * Since when? Health that did not change keeps its date. A component that is new, or of which nothing was
 * known for a while, may bring its own: what it is now it has been since then.
 */
static void inherit(struct seal *s, const struct diag_component *before, struct diag_component *now)
{
        if (before && before->health == now->health)
                now->since_wall_usec = before->since_wall_usec;
        else if ((before && before->health != DIAG_UNKNOWN) || !now->since_wall_usec)
                now->since_wall_usec = s->now_wall_usec;
        if (before && same_content(before, now))
                now->seq = before->seq;
        else
                changed(s, before, now);
}

/* Both arrays are sorted: one walk over the two. */
static void compare_components(struct seal *s, const struct diag_report *previous)
{
        size_t n_before = previous ? previous->n_components : 0, i = 0, k = 0;

        while (i < s->r->n_components || k < n_before) {
                struct diag_component *now = i < s->r->n_components ? &s->r->components[i] : NULL;
                const struct diag_component *before =
                        k < n_before ? &previous->components[k] : NULL;
                int order = !now ? 1 : !before ? -1 : strcmp(now->name, before->name);

                if (order > 0)
                        changed(s, before, NULL);
                else
                        inherit(s, order == 0 ? before : NULL, now);
                i += order <= 0;
                k += order >= 0;
        }
}

static void count(struct diag_report *r)
{
        if (!r->n_components && r->node_code == DIAG_CODE_NONE)
                diag_report_set_reason(r, DIAG_UNKNOWN, DIAG_CODE_NO_COMPONENTS,
                                       "there is no component to watch");
        for (size_t i = 0; i < r->n_components; i++) {
                enum diag_health h = r->components[i].health;

                r->counts.n[h]++;
                r->health = diag_health_worse(r->health, h);
        }
}

/*
 * The node's own date. After a time of not knowing, its components tell: it is unhealthy since the first
 * of those that are, healthy since the last of all.
 */
static void date_node(struct diag_report *r, const struct diag_report *previous,
                      uint64_t now_wall_usec)
{
        bool knew = previous && previous->health != DIAG_UNKNOWN;
        uint64_t date = 0;

        if (previous && previous->health == r->health) {
                r->since_wall_usec = previous->since_wall_usec;
                return;
        }
        for (size_t i = 0; !knew && r->health != DIAG_UNKNOWN && i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                if (c->health != r->health)
                        continue;
                if (!date || (r->health == DIAG_HEALTHY) == (c->since_wall_usec > date))
                        date = c->since_wall_usec;
        }
        r->since_wall_usec = date ? date : now_wall_usec;
}

int diag_report_seal(struct diag_report *r, const struct diag_report *previous,
                     uint64_t now_wall_usec, diag_change_fn on_change, void *userdata)
{
        struct seal s = {r, now_wall_usec, on_change, userdata};

        assert(!r->sealed);
        sort_and_unite(r);
        count(r);
        if (r->arena.failed)
                return -ENOMEM;
        r->sealed = true;
        r->made_wall_usec = now_wall_usec;
        r->seq = previous ? previous->seq : 0;
        if (!previous || !same_node(previous, r))
                changed(&s, NULL, NULL);
        compare_components(&s, previous);
        date_node(r, previous, now_wall_usec);
        return 0;
}

/* What a probe found is as old as everything else. */
static void make_probes_stale(struct diag_probe *to, const struct diag_component *c,
                              const char *text)
{
        for (size_t i = 0; i < c->n_probes; i++) {
                to[i] = c->probes[i];
                to[i].health = DIAG_UNKNOWN;
                to[i].code = DIAG_CODE_FACTS_STALE;
                to[i].text = text;
                to[i].output = "";
        }
}

struct diag_report *diag_report_stale(const struct diag_report *r, const char *text)
{
        _cleanup_(diag_report_unrefp) struct diag_report *stale = NULL;

        if (diag_report_new(&stale, &r->node, &r->system, r->target) < 0)
                return NULL;
        for (size_t i = 0; i < r->n_components; i++) {
                struct diag_component c = r->components[i];
                struct diag_probe probes[DIAG_PROBES_MAX];

                make_probes_stale(probes, &c, text);
                c.probes = probes;
                c.health = DIAG_UNKNOWN;
                c.code = DIAG_CODE_FACTS_STALE;
                c.text = text;
                c.output = "";
                c.output_truncated = false;
                c.since_wall_usec = 0;
                if (diag_report_add(stale, &c) < 0)
                        return NULL;
        }
        diag_report_set_reason(stale, DIAG_UNKNOWN, DIAG_CODE_FACTS_STALE, text);
        diag_report_set_maintenance(stale, r->maintenance);
        stale->phase = r->phase;
        stale->instance = r->instance;
        stale->truncated = r->truncated;
        if (diag_report_seal(stale, NULL, r->made_wall_usec, NULL, NULL) < 0)
                return NULL;
        stale->seq = r->seq;
        return TAKE_PTR(stale);
}

/* --- reading ----------------------------------------------------------------------------------- */

const struct diag_component *diag_report_find(const struct diag_report *r, const char *name)
{
        struct diag_component key = {.name = name};

        if (!r->n_components)
                return NULL;
        return bsearch(&key, r->components, r->n_components, sizeof(key), by_name);
}

struct blob *diag_report_rendered(const struct diag_report *r, enum diag_report_memo which,
                                  struct blob *(*render)(const struct diag_report *r))
{
        blob_memo *slot = &((struct diag_report *)r)->memo[which];
        struct blob *have = blob_memo_get(slot);

        return have ? have : blob_memo_put(slot, render(r));
}

void diag_split_description(struct arena *a, const char *name, const char *text,
                            const char **ret_title, const char **ret_description)
{
        const char *colon = strstr(text, ": "), *next;
        char *joined, *to;

        if (colon && colon > text && !strstr(colon + 2, ": ")) {
                *ret_title = arena_strndup(a, text, (size_t)(colon - text));
                *ret_description = arena_strdup(a, colon + 2);
                return;
        }
        *ret_title = arena_strdup(a, name);
        joined = to = arena_alloc(a, strlen(text) + 1);
        if (!joined) {
                *ret_description = "";
                return;
        }
        for (; (next = strstr(text, ": ")); text = next + 2) {
                to = mempcpy(to, text, (size_t)(next - text));
                *to++ = ' ';
        }
        (void)stpcpy(to, text);
        *ret_description = joined;
}
