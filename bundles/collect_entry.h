#pragma once

/*
 * One entry on its way out: masked, and held back for a while, because why a short one failed is to stand in
 * front of it, and because nothing at all is written of one that failed without a byte. Of the collector alone.
 */

#include "base/buf.h"
#include "base/redact.h"
#include "bundles/archive.h"

#define ENTRY_HOLD_BYTES 65536u

/** Where entries go: an archive, or, of a single one, a descriptor as it is. */
struct entry_target {
        struct archive *archive; /* NULL: @fd */
        int fd;
        struct redactor *redactor;             /* NULL: as they are */
        void (*on_first_byte)(void *userdata); /* may be NULL */
        void *userdata;
};

struct outgoing {
        struct entry_target *target;
        char path[ARCHIVE_PATH_MAX];
        uint64_t mtime_usec;
        bool begun;
        struct buf held;  /* not written yet */
        struct buf clean; /* between the redactor and the target */
        uint64_t n_in, n_out, n_redactions;
};

void entry_begin(struct outgoing *x, struct entry_target *target, const char *path,
                 uint64_t mtime_usec);
void entry_done(struct outgoing *x);

/** entry_feed() - a source_sink_fn */
int entry_feed(const void *data, size_t n, void *entry);

/** entry_settle() - all of it came; what is settled is held, if it still can be. 0 or -errno. */
int entry_settle(struct outgoing *x);

/**
 * entry_end() - write what was held, @note before it, or, where something was written already, behind it
 * @note: a line, without its end; NULL: none
 * @ret:  size and digest; of a descriptor: size alone
 */
int entry_end(struct outgoing *x, const char *note, struct archive_entry *ret);

/** entry_is_empty() - nothing came */
bool entry_is_empty(const struct outgoing *x);
