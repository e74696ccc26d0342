/* Two sorted arrays, and the links between them. */

#include <errno.h>

#include "agentd/unit_set.h"
#include "model/unit_name.h"

static void record_free(struct unit_record *r)
{
        unit_facts_done(&r->facts);
        string_list_done(&r->requirements);
        free(r);
}

void unit_set_done(struct unit_set *s)
{
        for (size_t i = 0; i < s->n_components; i++)
                free(s->components[i].name);
        for (size_t i = 0; i < s->n_records; i++)
                record_free(s->records[i]);
        free(s->components);
        free(s->records);
        *s = (struct unit_set){0};
}

/* Where @id is, or where it belongs. */
static size_t place_of(const struct unit_set *s, const char *id, bool *found)
{
        size_t from = 0, to = s->n_records;

        while (from < to) {
                size_t middle = (from + to) / 2;
                int order = strcmp(s->records[middle]->facts.id, id);

                if (order == 0) {
                        *found = true;
                        return middle;
                }
                if (order < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        *found = false;
        return from;
}

struct unit_record *unit_set_find(const struct unit_set *s, const char *id)
{
        bool found;
        size_t at = place_of(s, id, &found);

        return found ? s->records[at] : NULL;
}

static struct unit_record *record_new(const char *id)
{
        struct unit_record *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->facts.id = strdup(id);
        r->facts.name = strdup(id);
        if (!r->facts.id || !r->facts.name) {
                record_free(r);
                return NULL;
        }
        r->dirty = true;
        return r;
}

struct unit_record *unit_set_need(struct unit_set *s, const char *id)
{
        struct unit_record **p, *r;
        bool found;
        size_t at = place_of(s, id, &found);

        if (found)
                return s->records[at];
        if (s->n_records == UNIT_SET_RECORDS_MAX || !unit_name_is_unit(id))
                return NULL;
        p = reallocarray(s->records, s->n_records + 1, sizeof(void *));
        if (p)
                s->records = p;
        r = p ? record_new(id) : NULL;
        if (!r) {
                s->failed = true;
                return NULL;
        }
        for (size_t i = s->n_records++; i > at; i--)
                p[i] = p[i - 1];
        p[at] = r;
        return r;
}

void unit_set_need_related(struct unit_set *s)
{
        for (size_t i = 0; i < s->n_components; i++) {
                const struct unit_record *r = s->components[i].record;

                for (size_t k = 0; k < r->facts.n_triggered_by; k++)
                        (void)unit_set_need(s, r->facts.triggered_by[k]);
                for (size_t k = 0; k < r->requirements.n; k++)
                        (void)unit_set_need(s, r->requirements.items[k]);
        }
}

void unit_set_unite(struct unit_set *s, const char *alias, const char *id)
{
        struct unit_record *from = unit_set_find(s, alias), *to;

        if (!from)
                return;
        to = unit_set_need(s, id);
        if (!to)
                return;
        for (size_t i = 0; i < s->n_components; i++)
                if (s->components[i].record == from)
                        s->components[i].record = to;
        to->expects |= from->expects;
}

/* A link's name is the one that people chose; D-Bus adds the same unit once more under its id. */
static void drop_doubles(struct unit_set *s)
{
        size_t n = 0;

        for (size_t i = 0; i < s->n_records; i++)
                s->records[i]->linked = false;
        for (size_t i = 0; i < s->n_components; i++)
                s->components[i].record->linked |= s->components[i].linked;
        for (size_t i = 0; i < s->n_components; i++) {
                if (!s->components[i].linked && s->components[i].record->linked)
                        free(s->components[i].name);
                else
                        s->components[n++] = s->components[i];
        }
        s->n_components = n;
}

static void mark(const struct unit_set *s, const char *id)
{
        struct unit_record *r = unit_set_find(s, id);

        if (r)
                r->marked = true;
}

void unit_set_sweep(struct unit_set *s)
{
        size_t n = 0;

        drop_doubles(s);
        for (size_t i = 0; i < s->n_components; i++) {
                struct unit_record *r = s->components[i].record;

                r->marked = true;
                for (size_t k = 0; k < r->facts.n_triggered_by; k++)
                        mark(s, r->facts.triggered_by[k]);
                for (size_t k = 0; k < r->requirements.n; k++)
                        mark(s, r->requirements.items[k]);
        }
        for (size_t i = 0; i < s->n_records; i++) {
                struct unit_record *r = s->records[i];

                if (!r->marked) {
                        record_free(r);
                        continue;
                }
                r->marked = false;
                s->records[n++] = r;
        }
        s->n_records = n;
        unit_set_expect(s);
}

void unit_set_expect(struct unit_set *s)
{
        for (size_t i = 0; i < s->n_records; i++)
                s->records[i]->expects = 0;
        for (size_t i = 0; i < s->n_components; i++)
                s->components[i].record->expects |= 1u << s->components[i].expect;
}

bool unit_record_is_plain(const struct unit_record *r)
{
        return streq(str_or(r->facts.load_state, ""), "loaded") &&
               streq(str_or(r->facts.active_state, ""), "active");
}

int unit_record_set_requirements(struct unit_record *r, const char *const *units, size_t n)
{
        string_list_done(&r->requirements);
        for (size_t i = 0; i < n; i++)
                if (string_list_push(&r->requirements, units[i]) < 0)
                        return -ENOMEM;
        r->requirements_known = true;
        return 0;
}

void unit_record_forget(struct unit_record *r)
{
        r->dirty = true;
        r->asked = r->resolving = r->refused = false;
        r->known = r->read_state = r->fixed_known = r->fixed_old = r->reread = false;
        r->requirements_known = r->file_state_known = false;
        r->conditions_mono_usec = 0;
}

void unit_record_reloaded(struct unit_record *r)
{
        r->fixed_old = r->reread = true;
        r->requirements_known = r->file_state_known = false;
}
