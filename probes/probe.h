#pragma once

/*
 * A kind of probe: how a component is asked, and what its answer means. Adding a kind is one file and
 * one line in kinds.c. Judging is a pure function of each kind, apart from asking.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mono.h"
#include "model/code.h"
#include "model/health.h"
#include "net/fetch.h"

#define PROBES_MAX              1024u
#define PROBE_NAME_MAX          100u
#define PROBE_INTERVAL_USEC     (10 * USEC_PER_SEC)
#define PROBE_INTERVAL_MIN_USEC USEC_PER_SEC
#define PROBE_INTERVAL_MAX_USEC (24 * 60 * USEC_PER_MIN)
#define PROBE_TIMEOUT_USEC      (5 * USEC_PER_SEC) /* or Interval=, where that is shorter */
#define PROBE_TIMEOUT_MIN_USEC  (10 * USEC_PER_MSEC)
#define PROBE_FAIL_AFTER        3u
#define PROBE_PASS_AFTER        1u
#define PROBE_OUTPUT_MAX        2048u
#define PROBE_TEXT_MAX          247u
#define PROBE_SECONDS_MAX       24u

/* --- settings ---------------------------------------------------------------------------------- */

/** One [Probe NAME] section, as it was read; what a kind makes of it is the kind's own. */
struct probe_settings;

/** probe_settings_new() - 0, -ENOMEM, or -EINVAL: not 1 to PROBE_NAME_MAX of A-Z a-z 0-9 . _ : @ - */
int probe_settings_new(struct probe_settings **ret, const char *name);
struct probe_settings *probe_settings_free(struct probe_settings *s);

/**
 * probe_settings_set() - one key of the section, in any order; the last one counts
 * @value: "" takes it back
 * @e:     names the fault of the value, or says that no kind knows such a key
 */
int probe_settings_set(struct probe_settings *s, const char *key, const char *value, struct err *e);

/** probe_settings_check() - what only all keys together can tell; @e names the probe. Call before use. */
int probe_settings_check(struct probe_settings *s, struct err *e);

const char *probe_settings_name(const struct probe_settings *s);
const char *probe_settings_component(const struct probe_settings *s); /* never NULL once checked */

DEFINE_CLEANUP(struct probe_settings *, probe_settings_free);

/* --- for kinds and the prober only ------------------------------------------------------------- */

struct probe_ops;

/** What a section means, once it has been checked. */
struct probe_plan {
        const struct probe_ops *ops;
        void *cfg; /* what the kind made of its keys */
        uint64_t interval_usec, timeout_usec;
        unsigned fail_after, pass_after;
        uint64_t hash; /* of the name and everything that was set */
};

/** probe_settings_plan() - borrowed; NULL before probe_settings_check() has passed. */
const struct probe_plan *probe_settings_plan(const struct probe_settings *s);

/** probe_settings_get() - what was set for @key, NULL when nothing is. */
const char *probe_settings_get(const struct probe_settings *s, const char *key);

/** One asking under way. */
struct probe_run {
        const void *cfg;
        struct loop *loop;
        struct fetcher *fetcher;
        uint64_t timeout_usec;
        void *state; /* the kind's own; NULL at the start */
};

/** What one answer means, before any damping. */
struct probe_verdict {
        enum diag_health health;
        enum diag_code code;
        char text[PROBE_TEXT_MAX + 1]; /* stable: no times, no figures that are others each time */
        const char *output; /* as it came; borrowed for the call; probe_done() masks and cuts it */
        size_t n_output;
        bool output_begin; /* when cut, its beginning is worth more than its end */
};

/**
 * probe_error_is_theirs() - does this errno of a connection tell of whom we asked?
 *
 * One on our side (no descriptors, no memory), or that we do not know, tells nothing of the component.
 */
bool probe_error_is_theirs(int error);

/** probe_verdict_set() - all but the output. Control characters in the text become '?'. */
void probe_verdict_set(struct probe_verdict *v, enum diag_health health, enum diag_code code,
                       const char *fmt, ...) _printf_(4, 5);

/** A key of a kind; @check looks at one value, so that its fault has a file and a line. May be NULL. */
struct probe_key {
        const char *name;
        int (*check)(const char *value, struct err *e);
};

struct probe_ops {
        const char *kind;             /* the word after Kind= */
        const struct probe_key *keys; /* ends with a row whose name is NULL */

        /* Once, from probe_settings_check(): values have been checked, but not whether all are there. */
        int (*parse)(const struct probe_settings *s, void **ret_cfg, struct err *e);

        /*
         * Ask. Must not block. Ends in exactly one probe_done() within @run->timeout_usec, from here or
         * later from the loop; or it fails, has left nothing behind, and @e says why in a sentence that
         * is the same each time.
         */
        int (*start)(struct probe_run *run, struct err *e);

        /* Give back run->state; what is under way is broken off. After probe_done(), or instead of it. */
        void (*stop)(struct probe_run *run);

        void (*free_cfg)(void *cfg);
};

/** Every kind there is; ends with NULL. */
extern const struct probe_ops *const probe_kinds[];

/**
 * probe_done() - the one door out: result, duration, window and damping are made here
 *
 * Calls the kind's stop(), so neither the run nor its state may be touched afterwards. It starts
 * nothing: the kind is still on the stack.
 */
void probe_done(struct probe_run *run, const struct probe_verdict *v);

/** probe_seconds() - "5 s", "0.25 s", for texts that name a limit. @buf is returned. */
char *probe_seconds(char buf[static PROBE_SECONDS_MAX], uint64_t usec);
