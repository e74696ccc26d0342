#pragma once

/*
 * What probes have found, kept over our own restarts and for this boot, so that a restart is no
 * change of health. A text file on tmpfs: "boot ID", and one line for each probe.
 */

#include "base/buf.h"
#include "base/err.h"
#include "probes/damping.h"

struct saved_probe {
        uint64_t hash;    /* struct probe_plan: with other settings it is another probe */
        const char *name; /* borrowed for the call; for people who read the file */
        struct damped damped;
        uint64_t ended_mono_usec, ended_wall_usec, took_usec; /* the last run; mono is never 0 */
};

/** state_file_begin(), state_file_add() - make its text; failures are in out->error. */
void state_file_begin(struct buf *out, const char *boot_id);
void state_file_add(struct buf *out, const struct saved_probe *s);

/** saved_probe_fn - one probe of the file. Its values are in their limits, its times may be any. */
typedef void (*saved_probe_fn)(const struct saved_probe *s, void *userdata);

/**
 * state_file_read() - call @take for each line that can be understood
 *
 * A file that is not there, and one of another boot, are no errors and hold nothing. A line that makes no
 * sense is left out.
 * Return: 0, or -errno with @e naming the file, and the first line that was left out.
 */
int state_file_read(const char *path, const char *boot_id, saved_probe_fn take, void *userdata,
                    struct err *e);
