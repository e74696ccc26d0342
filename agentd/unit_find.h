#pragma once

/*
 * Finding the components: what a target pulls in, by systemd's word and by links, and what Unit= names.
 * Asks through unit_bus; unit_watch hands the answers in and says when all of them have come.
 *
 * One level of the target only. The machine's default target is different, where nobody asked for one
 * and dcos.target does not exist: there components are all around, so its targets are followed.
 */

#include "agentd/unit_choice.h"
#include "agentd/unit_watch.h"

struct unit_find {
        const struct unit_watch_options *options; /* borrowed */
        struct unit_bus *bus;                     /* borrowed */
        struct unit_choices choices;
        struct string_list targets; /* followed in this search */
        struct string_list unit_path;
        bool fallback;
        bool failed; /* something may be missing */
};

void unit_find_done(struct unit_find *f);

/** unit_find_begin() - forget the last search and ask systemd about the target. */
void unit_find_begin(struct unit_find *f);

void unit_find_take_target(struct unit_find *f, const struct unit_target *t);
void unit_find_take_unit_path(struct unit_find *f, const char *const *dirs, size_t n);

/** unit_find_match() - ask what globs match, once the targets are through. False: there are none. */
bool unit_find_match(struct unit_find *f);
void unit_find_take_match(struct unit_find *f, const struct unit_row *row);

/** unit_find_matches_glob() - would Unit= want a unit of this name? */
bool unit_find_matches_glob(const struct unit_find *f, const char *id);

/** unit_find_links_only() - what can be found while systemd cannot be asked. */
void unit_find_links_only(struct unit_find *f);

/** unit_find_adopt() - what was found are the components of @s now. 0 or -ENOMEM. */
int unit_find_adopt(const struct unit_find *f, struct unit_set *s);

/** unit_find_target() - what the search began with, for people. */
const char *unit_find_target(const struct unit_find *f);
