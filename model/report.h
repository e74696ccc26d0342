#pragma once

/*
 * One node at one moment: its identity, its components and what they add up to. Built by one
 * thread, then sealed: from there on nobody writes to it, and any thread may read it for as long as
 * it holds a reference.
 *
 *     diag_report_new() → diag_report_add()… → diag_report_seal(previous) → ref/unref
 *
 * A sealed report says what was found, not how old that is: whoever hands it out asks api/feed.h,
 * which checks its age at that moment.
 */

#include "base/arena.h"
#include "base/blob.h"
#include "base/ref.h"
#include "model/node.h"
#include "model/probe.h"
#include "model/unit.h"
#include "model/unit_words.h"

#define DIAG_COMPONENTS_MAX  4096u /* of a node; further ones are cut, and the report says so */
#define DIAG_HEALTH_FORM_MAX 512u  /* components in the short form that masters pull */
#define DIAG_STRING_MAX      1024u /* any text of a component but its output */
#define DIAG_OUTPUT_MAX      8192u
#define DIAG_PROBES_MAX      64u /* of one component */

enum diag_phase {
        DIAG_PHASE_STARTING = 0, /* systemd has not been asked yet */
        DIAG_PHASE_RUNNING,
        DIAG_PHASE_STOPPING, /* the machine is going down */
};
const char *diag_phase_to_string(enum diag_phase p) _const_;

/** What systemd knows beyond single units; only the full form of API v2 shows it. */
struct diag_system {
        const char *state; /* Manager.SystemState: "running", "degraded" …; "" unknown */
        const char *version;
        uint32_t n_failed_units, n_jobs;
};

/** Somebody works on the node: what is not healthy there is acknowledged, and stays what it is. */
struct diag_maintenance {
        const char *reason, *by; /* who said so: "uid 0" */
        uint64_t since_wall_usec, until_wall_usec;
};

enum diag_component_kind {
        DIAG_COMPONENT_UNIT = 0, /* with or without probes */
        DIAG_COMPONENT_PROBES,   /* probes alone */
};

/** A component as it stands in a report. Strings belong to the report and are never NULL. */
struct diag_component {
        const char *name; /* unique in the report */
        const char *title,
                *description; /* "Exhibitor: the ZooKeeper supervisor" cut at the colon */
        enum diag_component_kind kind;
        enum diag_health health; /* the worst of its parts */
        enum diag_code code;
        enum diag_expect expect;
        const char *text;         /* one sentence; "" when there is nothing to say */
        const char *output;       /* the newest journal lines, redacted; "" for the healthy */
        uint64_t since_wall_usec; /* of this health; 0 unknown */
        uint64_t seq;             /* of the last change of its health content */

        const struct diag_unit *unit; /* NULL: probes alone, or decoded from the short form */
        unsigned n_restarts_recent;
        bool output_truncated;
        uint64_t last_run_ended_mono_usec;
        const char *notes[DIAG_UNIT_NOTES_MAX];
        size_t n_notes;
        const struct diag_probe *probes; /* sorted by name */
        size_t n_probes;
};

struct diag_counts {
        unsigned n[DIAG_N_HEALTH];
};

enum diag_report_memo {
        DIAG_MEMO_V1,         /* outputs and all */
        DIAG_MEMO_V1_REASONS, /* for those who may not read outputs */
        DIAG_MEMO_V2_HEALTH,
        DIAG_MEMO_V2_FULL,
        DIAG_MEMO_V2_REASONS,
        DIAG_N_MEMO
};

struct diag_report {
        struct ref ref;
        struct arena arena;

        struct diag_node node;
        struct diag_system system;
        const char *target; /* what its components were taken from, for a report without any */
        uint64_t instance;  /* which run of the daemon: 64 random bits */
        uint64_t seq;       /* +1 for each change of health content; 0 is never a sealed report's */
        enum diag_phase phase;

        enum diag_health health;
        uint64_t since_wall_usec;
        enum diag_code node_code; /* a reason of the node itself; DIAG_CODE_NONE without */
        const char *node_text;
        uint64_t made_wall_usec;
        const struct diag_maintenance *maintenance; /* NULL: none */

        struct diag_component *components; /* sorted by name */
        size_t n_components, n_alloc;
        struct diag_counts counts;
        bool truncated;
        bool sealed;

        blob_memo memo[DIAG_N_MEMO]; /* see diag_report_rendered() */
};

/**
 * diag_report_new() - an empty report
 * @node, @system, @target: copied
 */
int diag_report_new(struct diag_report **ret, const struct diag_node *node,
                    const struct diag_system *system, const char *target);
struct diag_report *diag_report_ref(struct diag_report *r);
struct diag_report *diag_report_unref(struct diag_report *r);

/**
 * diag_report_add() - copy a component into the report
 *
 * Strings over the limits above are cut at a character's end. A second component of the same name,
 * and whatever is over DIAG_COMPONENTS_MAX, is left out; the latter sets truncated.
 * Return: 0 or -ENOMEM.
 */
int diag_report_add(struct diag_report *r, const struct diag_component *c);

/** diag_report_set_reason() - something about the node itself; @health counts like a component's. */
void diag_report_set_reason(struct diag_report *r, enum diag_health health, enum diag_code code,
                            const char *text);

/** diag_report_set_maintenance() - copied; NULL: none. It is health content, but no health. */
void diag_report_set_maintenance(struct diag_report *r, const struct diag_maintenance *m);

/** A change of health content, as diag_report_seal() finds it. All borrowed. */
struct diag_change {
        const struct diag_component *before,
                *now; /* NULL: came, went; both NULL: the node itself */
        uint64_t seq; /* its number */
};
typedef void (*diag_change_fn)(const struct diag_change *change, void *userdata);

/**
 * diag_report_seal() - compare with the report before, count, close
 * @previous:  may be NULL; of the same instance
 * @on_change: called for each change, in the order of their numbers; may be NULL
 *
 * Health content is identity, phase, maintenance, the set of components, and of each its
 * name, title, description and health, for those that are not healthy also code and text. Counters,
 * times, outputs and what is remarkable about the healthy are not. Takes over since and seq of what
 * did not change. No components at all: unknown, DIAG_CODE_NO_COMPONENTS.
 * Return: 0, or -ENOMEM if any part could not be kept: such a report must not be shown.
 */
int diag_report_seal(struct diag_report *r, const struct diag_report *previous,
                     uint64_t now_wall_usec, diag_change_fn on_change, void *userdata);

/**
 * diag_report_stale() - what may be said when a report can no longer be vouched for
 * Return: a new report with the same components, each unknown (facts-stale) for the reason @text;
 * NULL when out of memory. Its seq is the old one's: it must go out without an entity tag.
 */
struct diag_report *diag_report_stale(const struct diag_report *r, const char *text);

const struct diag_component *diag_report_find(const struct diag_report *r, const char *name);

/**
 * diag_report_rendered() - a rendering is a pure function of a sealed report, so it is made once
 * @render: makes it; called at most once per thread that comes too early
 * Return: a new reference, NULL when out of memory. Any thread.
 */
struct blob *diag_report_rendered(const struct diag_report *r, enum diag_report_memo which,
                                  struct blob *(*render)(const struct diag_report *r));

/**
 * diag_split_description() - title and description of a component from the unit's Description=
 *
 * "Title: text" gives both; anything else is all description and the title is @name, as in the
 * service that we replace (parts are joined by one blank there). Results belong to @a.
 */
void diag_split_description(struct arena *a, const char *name, const char *text,
                            const char **ret_title, const char **ret_description);

DEFINE_CLEANUP(struct diag_report *, diag_report_unref);
