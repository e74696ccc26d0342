#pragma once

/*
 * The archive of a bundle while it grows, and how what came from a node gets into it: a fragment is walked by the
 * grammar first, then appended as it is, or, where it is not whole or of another format, copied entry by entry.
 * Before anything is appended its room is reserved: an archive that breaks off in the middle is lost as a whole.
 *
 * Blocking: the worker's thread, one call at a time.
 */

#include <stdatomic.h>

#include "bundles/archive.h"
#include "bundles/gather_spool.h"
#include "bundles/node_status.h"

struct joiner_options {
        const char *directory; /* file.part is made there */
        enum archive_format format;
        uint64_t max_bytes; /* of the archive */
        uint64_t node_max_bytes, node_max_entries;
        uint64_t free_floor;
        const uint8_t *salt; /* for what comes unmasked; borrowed; NULL: it stays so */
};

struct joiner;

int joiner_new(struct joiner **ret, const struct joiner_options *options, struct err *e);
struct joiner *joiner_free(struct joiner *j);

/** joiner_cancel() - whatever it does ends soon, with -ECANCELED. Any thread. */
void joiner_cancel(struct joiner *j);
bool joiner_is_canceled(const struct joiner *j);

struct joint {
        struct spool spool;         /* taken: closed when joined */
        enum archive_format format; /* of what came; ARCHIVE_ZIP: of the service that we replace */
        char prefix[ARCHIVE_PATH_MAX];
        char fault
                [256]; /* why it may not be all; "": it came to its end. Afterwards: what is missing */

        /* What came of it. */
        int error; /* 0; else nothing of it is in the archive: -ENOSPC, -EFBIG, -EBADMSG … and fault says why */
        uint64_t n_entries;
        bool has_status;
        struct node_status status;
};

/** joiner_add() - 0, or -errno when the archive itself is broken, with @e: then the bundle is lost */
int joiner_add(struct joiner *j, struct joint *joint, struct err *e);
void joint_done(struct joint *joint);

/** joiner_reserve() - room for @n bytes more: 0, -EFBIG, -ENOSPC. @last: for the root; little of it is let pass */
int joiner_reserve(struct joiner *j, uint64_t n, bool last);

/** joiner_archive() - for what stands at the root */
struct archive *joiner_archive(struct joiner *j);

/** joiner_close() - finish it, sync it, read it once more for its hash. 0 or -errno with @e */
int joiner_close(struct joiner *j, uint64_t *ret_bytes, char ret_sha256[static DIGEST_HEX],
                 struct err *e);

DEFINE_CLEANUP(struct joiner *, joiner_free);
