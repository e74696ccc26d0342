#pragma once

/*
 * How units ended the last time they ran. systemd forgets an inactive unit that nothing refers to,
 * and answers afterwards as if it had never run; so we note each end when the signal tells of it,
 * and keep the notes over our own restarts, for this boot.
 */

#include "base/err.h"
#include "model/unit.h"

#define LAST_RUNS_MAX 4096u

struct last_runs;

/**
 * last_runs_new() - read what an earlier run of ours noted
 * @path:    of the file; NULL: keep nothing
 * @boot_id: notes of another boot are dropped
 *
 * A file that is missing, damaged or too large counts as empty: @e says what was wrong, e->code is 0
 * when nothing was. Return: 0 or -ENOMEM.
 */
int last_runs_new(struct last_runs **ret, const char *path, const char *boot_id, struct err *e);
struct last_runs *last_runs_free(struct last_runs *l);

/** last_runs_note() - a service's facts may tell of a run that ended. Return: 0 or -ENOMEM. */
int last_runs_note(struct last_runs *l, const char *id, const struct diag_unit *u);

/** last_runs_find() - borrowed until the next note; NULL when none was seen. */
const struct diag_last_run *last_runs_find(const struct last_runs *l, const char *id);

/** last_runs_save() - write the file if there is something new. Return: 0 or -errno. */
int last_runs_save(struct last_runs *l, struct err *e);

DEFINE_CLEANUP(struct last_runs *, last_runs_free);
