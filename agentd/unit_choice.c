/* The set of chosen names: sorted, without doubles. */

#include <errno.h>

#include "agentd/unit_choice.h"
#include "model/unit_name.h"

void unit_choices_done(struct unit_choices *c)
{
        for (size_t i = 0; i < c->n; i++)
                free(c->items[i].name);
        free(c->items);
        *c = (struct unit_choices){0};
}

/* dcos-diagnostics excludes these from health (they run once, at installation). */
bool unit_is_never_component(const char *name)
{
        static const char *const names[] = {"dcos-setup.service", "dcos-link-env.service",
                                            "dcos-download.service"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(name, names[i]))
                        return true;
        return false;
}

/* Where @name is, or where it belongs. */
static size_t place_of(const struct unit_choices *c, const char *name)
{
        size_t from = 0, to = c->n;

        while (from < to) {
                size_t middle = (from + to) / 2;

                if (strcmp(c->items[middle].name, name) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

int unit_choices_add(struct unit_choices *c, const char *name, enum unit_chosen_by by)
{
        struct unit_choice *p;
        size_t at;
        char *copy;

        if (!unit_name_is_unit(name))
                return 0;
        at = place_of(c, name);
        if (at < c->n && streq(c->items[at].name, name)) {
                c->items[at].by |= by;
                return 0;
        }
        if (c->n == DIAG_COMPONENTS_MAX) {
                c->truncated = true;
                return 0;
        }
        p = reallocarray(c->items, c->n + 1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        c->items = p;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        memmove(p + at + 1, p + at, (c->n++ - at) * sizeof(*p));
        p[at] = (struct unit_choice){.name = copy, .by = by};
        return 0;
}

static enum diag_expect expectation(const struct unit_choice *c, const struct unit_choice_rules *r)
{
        bool must = (c->by & (CHOSEN_BY_LINK | CHOSEN_BY_NAME)) ||
                    ((c->by & CHOSEN_BY_TARGET) && r->target_wants_all);

        return r->expect(c->name, must ? DIAG_EXPECT_AUTO : DIAG_EXPECT_OPTIONAL, r->userdata);
}

static void free_components(struct unit_component *components, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(components[i].name);
        free(components);
}

int unit_choices_adopt(const struct unit_choices *c, struct unit_set *s,
                       const struct unit_choice_rules *rules)
{
        struct unit_component *components = calloc(c->n ? c->n : 1, sizeof(*components));
        size_t n = 0;

        if (!components)
                return -ENOMEM;
        for (size_t i = 0; i < c->n; i++) {
                struct unit_component *to = &components[n];

                *to = (struct unit_component){
                        .name = strdup(c->items[i].name),
                        .expect = expectation(&c->items[i], rules),
                        .linked = c->items[i].by & (CHOSEN_BY_LINK | CHOSEN_BY_NAME),
                        .record = unit_set_need(s, c->items[i].name),
                };
                n++;
                if (!to->name || !to->record) {
                        free_components(components, n);
                        return -ENOMEM;
                }
        }
        free_components(s->components, s->n_components);
        s->components = components;
        s->n_components = n;
        unit_set_expect(s);
        return 0;
}
