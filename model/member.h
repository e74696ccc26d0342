#pragma once

/*
 * One node as the cluster sees it: where it was found, how it answers, and what it last said. A member
 * is sealed when it is made; a change makes another one. What changes with every answer, and means no
 * change, stands apart in its pulse, which all the members that one node has been share.
 */

#include "base/arena.h"
#include "base/blob.h"
#include "base/ref.h"
#include "model/report.h"

#define DIAG_MEMBER_ADDRESSES_MAX 8u
#define DIAG_MEMBER_NOTES_MAX     8u

/** How a node can be reached. */
enum diag_reach {
        DIAG_REACH_NEVER = 0,   /* it has not answered since it was found */
        DIAG_REACH_OK,          /* its last answer is as young as it should be */
        DIAG_REACH_LATE,        /* a request has failed; the next one decides */
        DIAG_REACH_UNREACHABLE, /* it does not answer, or not in a way that can be understood */
        DIAG_REACH_REBOOTING,   /* the same, not long after it said goodbye */
        DIAG_REACH_CONFLICT,    /* another node that answers has the same identity */
        DIAG_REACH_SUPERSEDED,  /* a master that is gone, and was replaced */
        DIAG_N_REACH
};
const char *diag_reach_to_string(enum diag_reach r) _const_;  /* "never", "ok" … */
enum diag_reach diag_reach_from_string(const char *s) _pure_; /* an unknown word: NEVER */

/** Who says that a node exists. The first ones say so with authority: what they drop is gone. */
enum diag_source {
        DIAG_SOURCE_STATIC = 0, /* our configuration and command line */
        DIAG_SOURCE_ZOOKEEPER,
        DIAG_SOURCE_MEMORY, /* what an authoritative source once said, as we wrote it down */
        DIAG_SOURCE_MESOS,  /* from here on: observers, who only add */
        DIAG_SOURCE_EXHIBITOR,
        DIAG_SOURCE_DNS,
        DIAG_SOURCE_ANNOUNCE,
        DIAG_N_SOURCES
};
#define DIAG_SOURCE_BIT(s)        (1u << (s))
#define DIAG_SOURCE_AUTHORITATIVE ((1u << DIAG_SOURCE_MESOS) - 1u)
const char *diag_source_to_string(enum diag_source s) _const_; /* "static", "zookeeper" … */

enum diag_protocol {
        DIAG_PROTOCOL_UNKNOWN = 0,
        DIAG_PROTOCOL_V1, /* it was asked, and answered, as the service that we replace */
        DIAG_PROTOCOL_V2,
};
const char *diag_protocol_to_string(enum diag_protocol p) _const_; /* "", "v1", "v2" */

/** Signs of life: written by the loop, read by any thread. */
struct diag_pulse {
        struct ref ref;
        atomic_uint_fast64_t seen_boot_usec; /* its last answer, CLOCK_BOOTTIME; 0: none */
        atomic_uint_fast64_t seen_wall_usec;
        atomic_uint_fast64_t confirmed_boot_usec; /* when its facts were true, as it says */
        atomic_uint_fast64_t rtt_usec;            /* 0: not known */
        atomic_int_fast64_t clock_offset_usec;    /* its clock less ours; 0 also when not known */
};
struct diag_pulse *diag_pulse_new(void);
struct diag_pulse *diag_pulse_ref(struct diag_pulse *p);
struct diag_pulse *diag_pulse_unref(struct diag_pulse *p);

enum diag_member_memo {
        DIAG_MEMBER_MEMO_V1_NODE,         /* a node of /report, but for its closing brace */
        DIAG_MEMBER_MEMO_V1_NODE_REASONS, /* for those who may not read outputs */
        DIAG_N_MEMBER_MEMO
};

/** Strings belong to the member, or to its report, and are never NULL. */
struct diag_member {
        struct ref ref;
        struct arena arena;

        const char *address; /* as it was discovered: the key of API v1 */
        const char *addresses[DIAG_MEMBER_ADDRESSES_MAX]; /* all of them, the first one, too */
        size_t n_addresses;
        const char *node_id; /* "addr:10.0.0.9" while it has told none */
        const char *hostname, *boot_id, *version, *mesos_id;
        uint16_t port; /* where it answered, or is asked */
        enum diag_role role;
        unsigned sources; /* DIAG_SOURCE_BIT()s */
        bool unlisted;    /* remembered, but no source names it any more, and they all answer */
        bool leader;      /* of the Mesos masters */
        bool seen_down;   /* a source says that it is down: Exhibitor does; shown, and no verdict */

        enum diag_reach reach;
        enum diag_protocol protocol;
        enum diag_health health;  /* what its report says; unknown where nobody can vouch for it */
        enum diag_code code;      /* of the worst there is; DIAG_CODE_NONE when healthy */
        const char *text;         /* one sentence; "" when healthy */
        bool stale;               /* it answers, but has not confirmed its facts for too long */
        uint64_t since_wall_usec; /* of this health */
        struct diag_maintenance *maintenance;     /* its own flag, or ours for it; NULL: none */
        const char *notes[DIAG_MEMBER_NOTES_MAX]; /* "clock-skew", "truncated" … */
        size_t n_notes;

        struct diag_report *report; /* what it said last, however old; NULL: never answered */
        struct diag_pulse *pulse;
        /* Journal lines of its unhealthy components, asked for apart; NULL: none. By component, in the
         * order of report->components; entries may be "". */
        const char *const *outputs;

        blob_memo memo[DIAG_N_MEMBER_MEMO];
};

/**
 * diag_member_new() - copy all of @m but its counted parts, of which the new one takes references
 * Return: 0 or -ENOMEM. The caller has the one reference.
 */
int diag_member_new(struct diag_member **ret, const struct diag_member *m);
struct diag_member *diag_member_ref(struct diag_member *m);
struct diag_member *diag_member_unref(struct diag_member *m);

/** diag_member_same() - would anybody who reads them see a difference, but for the pulse? */
bool diag_member_same(const struct diag_member *a, const struct diag_member *b);

/** diag_member_speaks() - may its report be shown as what is? Not of one that cannot be reached. */
bool diag_member_speaks(const struct diag_member *m);

/** diag_member_component_health() - of report->components[i], as the cluster may say it now */
enum diag_health diag_member_component_health(const struct diag_member *m, size_t i);

/** diag_member_output() - what report->components[i] printed; "" for the healthy. */
const char *diag_member_output(const struct diag_member *m, size_t i);

/** diag_member_rendered() - as diag_report_rendered() */
struct blob *diag_member_rendered(const struct diag_member *m, enum diag_member_memo which,
                                  struct blob *(*render)(const struct diag_member *m));

DEFINE_CLEANUP(struct diag_pulse *, diag_pulse_unref);
DEFINE_CLEANUP(struct diag_member *, diag_member_unref);
