#pragma once

/*
 * What asking a component itself has found, as it stands in a report. A single bad answer is not yet
 * bad health: Interval=, FailAfter= and PassAfter= stand between the two (diag-agentd.conf(5)).
 */

#include "model/code.h"
#include "model/health.h"

#define DIAG_PROBE_WINDOW 64u /* runs that are remembered */

/** Strings are borrowed from whoever holds the struct, and never NULL. */
struct diag_probe {
        const char *name;        /* of its section: "marathon-ping" */
        const char *kind;        /* "http", "tcp", "exec" */
        enum diag_health health; /* after damping; unknown before the first result and when late */
        enum diag_code code;     /* DIAG_CODE_PROBE_*, _OK */
        const char *text;   /* stable, one sentence: "HTTP status 503, not 200"; "" when healthy */
        const char *output; /* what it printed or got, redacted; changes freely */
        uint64_t last_run_wall_usec; /* end of the last run; 0: never */
        uint64_t next_run_wall_usec; /* 0: not planned */
        uint64_t took_usec;          /* the last run */
        uint64_t window;             /* one bit a run, 1: passed; the newest is bit 0 */
        unsigned n_window;           /* how many bits count */
        unsigned fail_after, pass_after;
        bool skipped; /* not asked while its unit is not up yet; the last result is kept */
};
