/*
 * The search: names from four sources go into one set of choices. Whatever could not be read makes it a
 * failure, because a component that is missing from the report looks like one that is well.
 */

#include <errno.h>
#include <fnmatch.h>

#include "agentd/unit_find.h"
#include "agentd/unit_links.h"
#include "model/unit_name.h"

#define FALLBACK_TARGET "default.target"

void unit_find_done(struct unit_find *f)
{
        unit_choices_done(&f->choices);
        string_list_done(&f->targets);
        string_list_done(&f->unit_path);
}

/* Each target once, however many pull it in. */
static void follow(struct unit_find *f, const char *target)
{
        if (string_list_has(&f->targets, target))
                return;
        if (string_list_push(&f->targets, target) < 0)
                f->failed = true;
        else
                unit_bus_read_target(f->bus, target);
}

static void choose(struct unit_find *f, const char *name, enum unit_chosen_by by)
{
        if (f->fallback && unit_name_has_type(name, "target")) {
                follow(f, name);
                return;
        }
        if (unit_is_never_component(name))
                return;
        if (unit_choices_add(&f->choices, name, by) < 0)
                f->failed = true;
}

static void on_link(const char *name, void *userdata)
{
        choose(userdata, name, CHOSEN_BY_LINK);
}

static void choose_links(struct unit_find *f, const char *target)
{
        const char *const *dirs = unit_links_default_path;
        size_t n = unit_links_default_path_n;

        if (f->unit_path.n) {
                dirs = (const char *const *)f->unit_path.items;
                n = f->unit_path.n;
        }
        if (unit_links_scan(dirs, n, target, on_link, f) < 0)
                f->failed = true;
}

static void choose_named_units(struct unit_find *f)
{
        for (size_t i = 0; i < f->options->n_units; i++)
                if (!unit_name_is_glob(f->options->units[i]))
                        choose(f, f->options->units[i], CHOSEN_BY_NAME);
}

void unit_find_begin(struct unit_find *f)
{
        f->fallback = f->failed = false;
        unit_choices_done(&f->choices);
        string_list_done(&f->targets);
        choose_named_units(f);
        unit_bus_read_unit_path(f->bus); /* first: answered before the targets, which need it */
        if (*f->options->target)
                follow(f, f->options->target);
}

static bool is_missing_default(const struct unit_find *f, const struct unit_target *t)
{
        return f->options->target_is_default && !f->fallback && !f->choices.n &&
               streq(t->name, f->options->target) && streq(t->load_state, "not-found");
}

void unit_find_take_target(struct unit_find *f, const struct unit_target *t)
{
        if (!*t->load_state) {
                f->failed = true;
                return;
        }
        for (size_t i = 0; i < t->n_names; i++)
                choose_links(f, t->names[i]);
        for (size_t i = 0; i < t->n_units; i++)
                choose(f, t->units[i], CHOSEN_BY_TARGET);
        if (is_missing_default(f, t)) {
                f->fallback = true;
                follow(f, FALLBACK_TARGET);
        }
}

void unit_find_take_unit_path(struct unit_find *f, const char *const *dirs, size_t n)
{
        string_list_done(&f->unit_path);
        for (size_t i = 0; i < n; i++)
                if (string_list_push(&f->unit_path, dirs[i]) < 0)
                        f->failed = true;
}

bool unit_find_match(struct unit_find *f)
{
        _cleanup_(freep) const char **globs = calloc(f->options->n_units + 1, sizeof(*globs));
        size_t n = 0;

        if (!globs) {
                f->failed = true;
                return false;
        }
        for (size_t i = 0; i < f->options->n_units; i++)
                if (unit_name_is_glob(f->options->units[i]))
                        globs[n++] = f->options->units[i];
        if (n)
                unit_bus_list_patterns(f->bus, globs, n);
        return n > 0;
}

void unit_find_take_match(struct unit_find *f, const struct unit_row *row)
{
        choose(f, row->id, CHOSEN_BY_GLOB);
}

bool unit_find_matches_glob(const struct unit_find *f, const char *id)
{
        for (size_t i = 0; i < f->options->n_units; i++)
                if (unit_name_is_glob(f->options->units[i]) &&
                    fnmatch(f->options->units[i], id, FNM_NOESCAPE) == 0)
                        return true;
        return false;
}

void unit_find_links_only(struct unit_find *f)
{
        choose_named_units(f);
        if (*f->options->target)
                choose_links(f, f->options->target);
}

int unit_find_adopt(const struct unit_find *f, struct unit_set *s)
{
        const struct unit_choice_rules rules = {!f->fallback, f->options->expect,
                                                f->options->userdata};

        return unit_choices_adopt(&f->choices, s, &rules);
}

const char *unit_find_target(const struct unit_find *f)
{
        return f->fallback ? FALLBACK_TARGET : f->options->target;
}
