#pragma once

/*
 * One thing that goes into a bundle, as the configuration describes it. Who asks for a bundle names it by its
 * kind and id, never by a path, a command or a URL: those stand in files that only root can write.
 */

#include "base/cleanup.h"
#include "model/node.h"

#define SOURCE_ID_MAX       512u /* bytes, with a NUL */
#define SOURCE_ARGS_MAX     64u
#define SOURCE_TIMEOUT_USEC (UINT64_C(60) * 1000000) /* as the service that we replace: a minute */
#define SOURCE_BYTES_MAX    (UINT64_C(64) << 20)

/** The words of --only. */
enum source_kind {
        SOURCE_JOURNAL = 0, /* of a unit, and systemd's own words about it */
        SOURCE_FILE,        /* a path, or a glob: each file is an entry */
        SOURCE_COMMAND,
        SOURCE_HTTP,    /* GET from this machine */
        SOURCE_SYSTEMD, /* what systemd knows of a unit: properties and files */
        SOURCE_HOST,    /* the kernel, the machine: a command or a file, by its entry */
        SOURCE_HEALTH,  /* what the node daemon says, or a look of our own when it says nothing */
        SOURCE_N_KINDS
};
const char *source_kind_to_string(enum source_kind k) _const_;     /* "journal", "file" … */
int source_kind_from_string(enum source_kind *ret, const char *s); /* 0 or -EINVAL */
#define SOURCE_KIND_BIT(k) (1u << (k))
#define SOURCE_KINDS_ALL   ((1u << SOURCE_N_KINDS) - 1u)

/** How it is read. */
enum source_way {
        SOURCE_WAY_JOURNAL = 0,
        SOURCE_WAY_FILE,
        SOURCE_WAY_COMMAND,
        SOURCE_WAY_HTTP,
        SOURCE_WAY_HEALTH,
};

struct source {
        enum source_kind kind;
        enum source_way way;
        char *id; /* unique within its kind: unit, absolute path or glob, command key, file name */
        char *name; /* of the entry, as in the service that we replace; of a glob: NULL, each its path */

        /* By way: */
        char *unit;   /* JOURNAL; NULL: the kernel's ring, as the journal has it */
        char *path;   /* FILE: absolute; may be a glob. HTTP: "/path?query" */
        char **argv;  /* COMMAND: ends with NULL; found by $PATH; no shell */
        char *user;   /* COMMAND: as whom; NULL: nobody. "root": its file says so */
        char *socket; /* HTTP: a Unix socket; NULL: 127.0.0.1:port */
        uint16_t port;

        unsigned roles;        /* bits of enum diag_role; 0: all */
        bool optional;         /* its failure is no failure of the bundle */
        uint64_t timeout_usec; /* for all of it */
        uint64_t max_bytes;    /* of one entry; the newest are kept */
        char *file;            /* that it comes from, for complaints; NULL: built in */
};

/** source_done() - frees what it owns. */
void source_done(struct source *s);

/** source_has_role() - is it for such a node? */
bool source_has_role(const struct source *s, enum diag_role role);

/** What came of one entry. Zeroed is a good start. */
struct source_outcome {
        int error; /* 0, or -errno; -ETIMEDOUT: its time was over, it was killed */
        char text
                [256]; /* of an error, one line: "open /p: no such file or directory", "exit status 3" */
        bool truncated;   /* there was more than max_bytes, or than its time allowed */
        bool interrupted; /* the whole collection ended while it ran */
        uint64_t took_usec;
};

/** Where the bytes go. A negative result ends the reading with it. */
typedef int (*source_sink_fn)(const void *data, size_t n, void *userdata);

/** What a reading depends on besides its source. Borrowed. */
struct source_context {
        uint64_t since_wall_usec, until_wall_usec; /* of journals; until: 0: now */
        uint64_t deadline_mono_usec; /* of the collection; sources end earlier, by timeout_usec */
        int cancel_fd;               /* becomes readable when nobody wants it any more; -1: none */
        const char *root;            /* "" or, in tests, a directory that stands for / to files */
        const char *
                plain_user; /* as whom commands without a user, and HTTP, are run: "nobody", "diag-agent" */
        const char *http_user;
        const char *
                agent_socket; /* of the node daemon, and the program to look with when it is silent */
        const char *agent_program;
};

/**
 * source_expand() - which entries does it have, now?
 * @each: called with the path below the root ("" for what is no file) and its name in the archive
 *
 * Of a glob: its regular files, sorted, at most SOURCE_GLOB_MAX; a path without pattern characters: always one.
 * Runs in a child with the source's deadline: a hung mount hangs nobody.
 */
#define SOURCE_GLOB_MAX 1000u
int source_expand(const struct source *s, const struct source_context *c,
                  int (*each)(const char *path, const char *name, uint64_t size,
                              uint64_t mtime_usec, void *userdata),
                  void *userdata, struct source_outcome *ret);

/**
 * source_read() - run it in a child, and take what it says as it comes
 * @path: of a file: which one; else NULL
 *
 * The child has its own process group, the rights that the source needs and no more, and is killed, group and
 * all, at its deadline; one that cannot be killed (state D) is left to the service manager. What it gave so far
 * counts. Return: 0 also when the source failed: see @ret; or what @sink returned.
 */
int source_read(const struct source *s, const char *path, const struct source_context *c,
                source_sink_fn sink, void *userdata, struct source_outcome *ret);
