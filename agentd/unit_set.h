#pragma once

/*
 * The units that are watched. A component is a name that somebody chose; a record is a unit of
 * systemd's, by its primary id, with its facts. Several names may be one unit (aliases), and some
 * records are no components: the timer that starts one, the unit that one requires.
 */

#include "agentd/unit_bus.h"
#include "base/string_list.h"

/* The components before a look and those after it, and as many units that are related to them. */
#define UNIT_SET_RECORDS_MAX (4u * DIAG_COMPONENTS_MAX)

struct unit_record {
        struct diag_unit facts; /* owned strings; facts.id is the key */
        struct diag_restarts restarts;
        struct string_list requirements; /* read only when they could explain something */

        bool dirty;       /* list it in the next look */
        bool asked;       /* in the look under way */
        bool got_row;     /* … and systemd has listed it there */
        bool has_row;     /* systemd listed it in the last look that came to an end */
        bool resolving;   /* asked whether its name is an alias */
        bool refused;     /* systemd does not take its name */
        bool unreadable;  /* systemd lists it, and refuses to tell more */
        bool known;       /* what its state needs has been asked since the bus came up */
        bool read_state;  /* read it again: its row differs from what the signals told */
        bool fixed_known; /* what stands in its unit file has been asked since the bus came up */
        bool fixed_old;   /* … but may be something else by now */
        bool reread;      /* there was a reload: ask everything again, without hurry */
        bool requirements_known, file_state_known;
        uint64_t
                conditions_mono_usec; /* when those conditions were tested that have been asked about */
        unsigned expects;    /* 1 << enum diag_expect of its components, ored; 0: it is none */
        bool marked, linked; /* unit_set_sweep() */
};

struct unit_component {
        char *name;
        enum diag_expect expect;
        bool linked; /* by a link, not only by what systemd says */
        struct unit_record *record;
};

struct unit_set {
        struct unit_record **records; /* sorted by id */
        size_t n_records;
        struct unit_component *components; /* sorted by name */
        size_t n_components;
        bool failed; /* out of memory since somebody last cleared it: records are missing */
};

void unit_set_done(struct unit_set *s);

struct unit_record *unit_set_find(const struct unit_set *s, const char *id);

/** unit_set_need() - find it, or add it, dirty; NULL when out of memory or over the limit. */
struct unit_record *unit_set_need(struct unit_set *s, const char *id);

/** unit_set_need_related() - add what starts the components, and what they require. */
void unit_set_need_related(struct unit_set *s);

/** unit_set_unite() - @alias is another name of @id: its components move to that record. */
void unit_set_unite(struct unit_set *s, const char *alias, const char *id);

/** unit_set_sweep() - forget records that no component needs, and names that D-Bus doubled. */
void unit_set_sweep(struct unit_set *s);

/** unit_set_expect() - tell each record what is expected of its components. */
void unit_set_expect(struct unit_set *s);

/** unit_record_is_plain() - loaded and active: hardly anything more needs to be known. */
bool unit_record_is_plain(const struct unit_record *r);
/** unit_record_set_requirements() - 0 or -ENOMEM. */
int unit_record_set_requirements(struct unit_record *r, const char *const *units, size_t n);

/** unit_record_forget() - the bus was away: whatever was read may be old. */
void unit_record_forget(struct unit_record *r);

/** unit_record_reloaded() - systemd has read the unit files again; how it stands it still knows. */
void unit_record_reloaded(struct unit_record *r);
