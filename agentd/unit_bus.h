#pragma once

/*
 * The only door to sd-bus. It keeps a connection to the system bus, asks systemd
 * (org.freedesktop.systemd1(5)), and copies what comes back into plain structs. It has no opinion on
 * which units matter or when to look: that is unit_watch.
 *
 * Nothing blocks: every call is answered by a callback on the loop, or fails after CALL_TIMEOUT. When
 * the connection is lost it comes back by itself, with growing pauses.
 */

#include "agentd/unit_facts.h"
#include "base/loop.h"
#include "model/report.h"

struct unit_bus;

/** One row of ListUnitsByNames(). Borrowed for the call. */
struct unit_row {
        const char *id, *description, *load_state, *active_state, *sub_state;
        const char *job; /* "start" …; "" without */
};

/** What a target pulls in. Borrowed for the call. */
struct unit_target {
        const char *name;         /* as it was asked for */
        const char *load_state;   /* "" when systemd did not answer */
        const char *const *names; /* its id and aliases */
        const char *const *units; /* Wants, Requires, Upholds, BindsTo; may hold doubles */
        size_t n_names, n_units;
};

/** Dependencies of a unit that could explain why it was not started. */
struct unit_requirements {
        const char *id;
        const char *const *units; /* Requires, Requisite, BindsTo */
        size_t n_units;
};

/** All called on the loop. None may free the unit_bus. */
struct unit_bus_ops {
        /* Connected, matches in place, subscribed: from now on no change is missed, so look at all. */
        void (*up)(void *userdata);
        /* Nothing can be asked any more; every call under way is forgotten. @why: one stable sentence. */
        void (*down)(const char *why, void *userdata);
        /* systemd has answered something: it lives. */
        void (*answered)(void *userdata);
        /* It did not answer a call in time, or could not be asked, or the answer could not be kept. */
        void (*unanswered)(void *userdata);
        /* What a signal told could not be kept: nobody knows how old what we know is now. */
        void (*missed)(void *userdata);
        /* It refused to tell properties of this unit. */
        void (*unreadable)(const char *id, void *userdata);
        /* Whose properties are these? Owned strings (unit_facts_set()); NULL: nobody watches it. */
        struct diag_unit *(*facts)(const char *id, void *userdata);
        /* A unit that nobody watches has sent a signal. */
        void (*stranger)(const char *id, void *userdata);
        /* A signal changed some of @facts. */
        void (*changed)(const char *id, void *userdata);
        /* A daemon-reload has ended: names, links and unit files may be others. */
        void (*reloaded)(void *userdata);
        void (*row)(const struct unit_row *row, void *userdata);
        /* The end of a list. @error: 0 or -errno; with -EINVAL one of the names costs them all. */
        void (*listed)(int error, void *userdata);
        void (*target)(const struct unit_target *target, void *userdata);
        void (*requirements)(const struct unit_requirements *r, void *userdata);
        /* @alias is another name of @id. */
        void (*resolved)(const char *alias, const char *id, void *userdata);
        /* The manager's own properties, each time one of them has come. */
        void (*manager)(const struct diag_system *system, void *userdata);
        /* Where unit files, and links to them, are looked for. */
        void (*unit_path)(const char *const *dirs, size_t n, void *userdata);
        /* No call is under way any more. */
        void (*idle)(void *userdata);
};

/**
 * unit_bus_new() - begin to connect
 * @address: of the bus; NULL: the system bus
 *
 * @ops and @userdata outlive it. up() or down() follow, never from within.
 */
int unit_bus_new(struct unit_bus **ret, struct loop *l, const char *address,
                 const struct unit_bus_ops *ops, void *userdata);
struct unit_bus *unit_bus_free(struct unit_bus *b);

bool unit_bus_is_up(const struct unit_bus *b);
bool unit_bus_is_idle(const struct unit_bus *b); /* no call under way */

/** unit_bus_reconnect() - drop the connection and begin anew: down(), then up(). */
void unit_bus_reconnect(struct unit_bus *b, const char *why);

/* Questions. Each is a no-op while the bus is down, and is over by the next idle(). */

/** unit_bus_list() - ListUnitsByNames; rows, then listed(). Names must be valid and no templates. */
void unit_bus_list(struct unit_bus *b, const char *const *names, size_t n);

/** unit_bus_list_patterns() - ListUnitsByPatterns: loaded units only. */
void unit_bus_list_patterns(struct unit_bus *b, const char *const *patterns, size_t n);

/* What can be asked of a unit; ored. */
enum unit_detail {
        UNIT_DETAIL_ACTIVE = 1, /* the little that a plainly active unit needs */
        UNIT_DETAIL_STATE = 2,  /* all that changes */
        UNIT_DETAIL_FIXED = 4,  /* what only a reload can change: triggers, limits, load error */
        UNIT_DETAIL_RULES = 8,  /* of that, what a unit that is not up is judged by */
        UNIT_DETAIL_CONDITIONS = 16,   /* the names of conditions that do not hold */
        UNIT_DETAIL_FILE_STATE = 32,   /* expensive for PID 1, never on the way to an answer */
        UNIT_DETAIL_REQUIREMENTS = 64, /* answered by requirements() */
};

/** unit_bus_read() - @details: enum unit_detail, ored */
void unit_bus_read(struct unit_bus *b, const char *id, unsigned details);

void unit_bus_read_target(struct unit_bus *b, const char *name);
void unit_bus_resolve(struct unit_bus *b, const char *alias);
void unit_bus_read_manager(struct unit_bus *b); /* state: also the way to ask "do you live?" */
void unit_bus_read_unit_path(struct unit_bus *b);

/** unit_bus_ask_stopping() - is the machine going down? Blocks for at most @timeout_usec. */
bool unit_bus_ask_stopping(struct unit_bus *b, uint64_t timeout_usec);

DEFINE_CLEANUP(struct unit_bus *, unit_bus_free);
