#pragma once

/*
 * An error that a person will read: configuration, connect, decode, collect. Inner functions just
 * return -errno; the one that can say *what* was being done fills this in.
 */

#include "base/cleanup.h"

struct err {
        int code;       /* -errno, 0 while nothing has failed */
        char text[248]; /* one sentence, no newline */
};

/**
 * err_set() - say what failed
 * @e:    may be NULL: then only the code counts
 * @code: -errno, which is also returned, so that failing is one statement
 *
 * The text is cut to fit. Control characters in it become '?': part of it may come from a wire.
 */
int err_set(struct err *e, int code, const char *fmt, ...) _printf_(3, 4);

/** err_is_shortage() - memory, descriptors, processes: what @code lacks now there may be later. */
bool err_is_shortage(int code);

/** err_prefix() - put what we were doing in front of what failed: "FILE:12: …". Returns e->code, 0 without @e. */
int err_prefix(struct err *e, const char *fmt, ...) _printf_(2, 3);
