#pragma once

/*
 * Which units are components, and what is expected of each, before anything is known of them: names
 * from a target's dependencies, from links into it, and from Unit=. Selection gives the expectation:
 * what the target wants, or somebody named, must be up; what a glob matched need only not fail.
 */

#include "agentd/unit_set.h"

enum unit_chosen_by {
        CHOSEN_BY_LINK = 1,   /* there is a link in TARGET.wants/ or TARGET.requires/ */
        CHOSEN_BY_TARGET = 2, /* systemd says that the target pulls it in */
        CHOSEN_BY_NAME = 4,   /* Unit=NAME */
        CHOSEN_BY_GLOB = 8,   /* Unit=GLOB */
};

struct unit_choice {
        char *name;
        unsigned by; /* enum unit_chosen_by, ored */
};

struct unit_choices {
        struct unit_choice *items; /* sorted by name */
        size_t n;
        bool truncated; /* there were more than DIAG_COMPONENTS_MAX */
};

void unit_choices_done(struct unit_choices *c);

/** unit_choices_add() - names that are no units' are passed over; -ENOMEM or 0. */
int unit_choices_add(struct unit_choices *c, const char *name, enum unit_chosen_by by);

/** unit_is_never_component() - one-shots of the installer that the old service leaves out of health. */
bool unit_is_never_component(const char *name) _pure_;

struct unit_choice_rules {
        bool target_wants_all; /* what the target pulls in without a link must be up, too */
        enum diag_expect (*expect)(const char *name, enum diag_expect otherwise, void *userdata);
        void *userdata;
};

/** unit_choices_adopt() - @s has exactly these components from now on; records stay. -ENOMEM or 0. */
int unit_choices_adopt(const struct unit_choices *c, struct unit_set *s,
                       const struct unit_choice_rules *rules);
