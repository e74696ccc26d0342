#pragma once

/*
 * A zip from another node, which is hostile: the service that we replace answers with one. It is read front to back,
 * never by the directory at its end, so that memory is bounded, entries cannot overlap, and one that was cut short
 * is good as far as it goes. Of everything in it only regular files are taken, stored or deflated, under paths
 * made relative; what else it has is skipped and counted. (The mode of a file stands in the directory: a link
 * is a file here, whose content is where it points.)
 *
 * Blocking. One thread for each. Behind it is libarchive, whose "struct archive" is not ours: this header names none.
 */

#include "base/err.h"
#include "bundles/archive_path.h"

#define UNZIP_RATIO_MAX   2000u /* decoded for read, once UNZIP_RATIO_BYTES were decoded */
#define UNZIP_RATIO_BYTES (UINT64_C(16) << 20)
#define UNZIP_HEADERS_MAX 100000u /* entries of all kinds, if max_entries does not say less */

struct unzip_terms {
        const char *prefix; /* "10.0.0.9_agent": put before each path, with a slash; or "" */
        uint64_t max_bytes;
        uint64_t max_entries;        /* of all kinds */
        uint64_t deadline_mono_usec; /* 0: none, as above */
};

struct unzip_entry {
        const char *path; /* with the prefix, clean, none twice; borrowed */
        uint64_t mtime_usec;
        uint64_t size; /* on_end only */
        bool whole;    /* on_end only: its length and checksum are right */
};

/**
 * What to do with a zip while it is walked. All may be NULL. A negative result ends the walk with it. What was begun
 * is always ended, but for that.
 */
struct unzip_visitor {
        int (*on_begin)(const struct unzip_entry *entry, void *userdata);
        int (*on_data)(const void *data, size_t n, void *userdata);
        int (*on_end)(const struct unzip_entry *entry, void *userdata);
        void *userdata;
};

struct unzip_result {
        bool whole;         /* its directory was reached, and nothing was damaged */
        char fault[160];    /* the first; "" when whole */
        uint64_t n_entries; /* that were taken, and were whole */
        uint64_t n_damaged; /* taken as far as they went */
        uint64_t n_skipped;
        char skipped[160]; /* the first, and why; "" */
        uint64_t n_bytes;  /* decoded */
        uint64_t n_compressed;
};

/**
 * unzip_walk() - read @fd to the zip's end, or as far as it goes
 * @fd: from its position; a file, or a pipe
 * @ret: filled in whatever is returned
 *
 * Return: 0, also when it is faulty, or over a limit; -ETIMEDOUT; or -errno of reading, of memory, or what a visitor
 * returned, with @e (which stays as a visitor has set it).
 */
int unzip_walk(int fd, const struct unzip_terms *terms, const struct unzip_visitor *visitor,
               struct unzip_result *ret, struct err *e);
