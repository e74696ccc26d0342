#pragma once

/*
 * The judgement in words: one sentence for a person, without the unit's name. It holds only what is
 * stable while the verdict stands (exit status, signal, failed condition): counters and ages have
 * fields of their own, else each of them would look like a change of health.
 */

#include "base/arena.h"
#include "model/unit.h"

/** diag_unit_text() - "" for a plain healthy unit; belongs to @a. */
const char *diag_unit_text(struct arena *a, const struct diag_unit *u,
                           const struct diag_unit_context *c, struct diag_verdict v);

/** diag_exit_status_name() - "NOTIMPLEMENTED" for 3, "EXEC" for 203; NULL for a status without name. */
const char *diag_exit_status_name(int status) _const_;

/** diag_signal_name() - "SIGSEGV"; NULL for a number that is no signal. */
const char *diag_signal_name(int signo);

#define DIAG_UNIT_NOTES_MAX 5u

/** diag_unit_notes() - remarks that never change health; how many were written to @notes. */
size_t diag_unit_notes(struct arena *a, const struct diag_unit *u,
                       const struct diag_unit_context *c,
                       const char *notes[static DIAG_UNIT_NOTES_MAX]);
