#pragma once

/*
 * Ask again and again, and show what is new, until a signal comes. A watch has no screen of its own and
 * no state to restore, so a signal may end it anywhere.
 */

#include "base/err.h"
#include "cli/term.h"

struct watch {
        const char *who;  /* in complaints: "diag status" */
        const char *whom; /* what a person calls who is asked */
        bool json;
        /** One question. Return: 0 nothing is new, 1 something is, or -errno with @e. */
        int (*look_again)(void *userdata, struct err *e);
        /** Show what there is. Return: an exit status. */
        int (*show)(void *userdata);
        void *userdata;
};

/** watch_begin() - from here on SIGINT and SIGTERM end the program with what watch_leave_with() said. */
void watch_begin(void);

/** watch_leave_with() - to be called before somebody can see the picture. Until then EXIT_COULD_NOT. */
void watch_leave_with(int status);

/**
 * watch_run() - go on
 * @status: that of the first picture
 *
 * Who cannot be reached is asked again, and a line on stderr says so.
 * Return: an exit status, once nothing can be shown any more.
 */
int watch_run(const struct watch *w, int status);

/** watch_put_start() - what stands before picture number @n_shown: a clean terminal, or a line between. */
void watch_put_start(struct buf *out, const struct term *t, size_t n_shown, uint64_t now_wall_usec);

/** watch_put_json() - @json as one line. Line breaks in JSON are blanks, never part of a string. */
void watch_put_json(struct buf *out, const struct buf *json);
