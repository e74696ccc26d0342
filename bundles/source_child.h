#pragma once

/*
 * The inside of the process that reads one source: bundles/source_read.c forks it, one of the functions below
 * fills the pipe, and what it has to say about it goes back beside the bytes. It may hang, crash or be killed
 * at any moment; nothing but itself suffers. For bundles/source_*.c only.
 */

#include "base/err.h"
#include "bundles/source.h"

struct source_child {
        const struct source *s;
        const struct source_context *c;
        const char *path; /* of a FILE; below the context's root */
        int fd;           /* the pipe */
        struct source_outcome outcome;
};

/** source_child_write() - all of it. 0, or -errno: nobody reads any more. */
int source_child_write(const struct source_child *w, const void *data, size_t n);

/** source_child_fail() - why it failed. Return: @code. */
int source_child_fail(struct source_child *w, int code, const char *fmt, ...) _printf_(3, 4);

/** source_why() - strerror(3) as Go says it: "no such file or directory". @text or a constant is returned. */
#define SOURCE_WHY_MAX 128u
const char *source_why(int code, char text[static SOURCE_WHY_MAX]);

/** One for each way. A failure is in w->outcome. */
void source_read_journal(struct source_child *w);
void source_read_file(struct source_child *w);
void source_read_command(struct source_child *w); /* returns on failure only */
void source_read_http(struct source_child *w);
void source_read_health(struct source_child *w);

/** source_open_file() - a regular file, following links as the head of source_file.c says. Or -errno with @e. */
int source_open_file(const char *root, const char *path, struct err *e);

/** source_glob() - write what @w->s->path stands for: struct source_found and its path, one behind the other */
struct source_found {
        uint32_t n_path;
        uint64_t size, mtime_usec;
};
void source_glob(struct source_child *w);

/** source_execute() - become @argv, found by SOURCE_PATH, in an environment of its own. Return: -errno */
#define SOURCE_PATH \
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/mesosphere/bin"
int source_execute(char *const argv[]);

/**
 * source_become() - this user for good, without any other right. Of no effect when we are not root.
 * Return: 0, or -errno with @e: no such user.
 */
int source_become(const char *user, struct err *e);

/**
 * source_become_reader() - this user, who besides may read everything, and write nothing
 * Where we are not root, or not even root may read everything, we stay what we are.
 */
int source_become_reader(const char *user, struct err *e);
