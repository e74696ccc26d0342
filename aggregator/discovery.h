#pragma once

/*
 * Who is there? Each source of nodes says it in one form: a list that replaces what it said before. A
 * source that cannot be asked says nothing: its last list stays, and gets older. Loop only.
 */

#include "base/err.h"
#include "model/snapshot.h"

#define FOUND_ADDRESS_MAX \
        256u /* an IP literal, or a name that is resolved when it is connected to */

/** One node, as one source describes it. Borrowed. */
struct found {
        const char *address;
        const char *node_id;  /* NULL: the source does not know */
        const char *hostname; /* likewise */
        enum diag_role role;
        uint16_t port; /* 0: the source does not know */
        bool leader;   /* it leads the Mesos masters */
        bool down;     /* the source says that it does not serve */
};

/** How a source is, and what it has found. Borrowed until the call returns. */
struct finding {
        enum diag_source source;
        const char *state;       /* "ok", "connecting", "failed" … */
        const char *error;       /* "" or NULL without */
        uint64_t seen_boot_usec; /* its last answer; 0: none yet */
        bool has_list;           /* false: what it found before stays */
        const struct found *nodes;
        size_t n_nodes;
};

/** Called whenever a source has something new to say of itself or of nodes. */
typedef void (*finding_fn)(const struct finding *f, void *userdata);

/** found_check() - may this be asked at all? An address that is none, a bad node_id: -EINVAL. */
int found_check(const struct found *f, struct err *e);
