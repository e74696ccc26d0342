#pragma once

/*
 * A fragment from another node, which is hostile. Readers of tar disagree about what is unusual: a global
 * header of one node renames the files of the next one in GNU tar and Python, and does not in libarchive. So a
 * fragment is walked by a grammar without anything unusual, and what does not keep to it is refused:
 *
 *   fragment = entry*;  entry = [extended header] header data padding
 *   header:          ustar, checksum right, typeflag '0', link name and prefix empty, every number as many octal
 *                    digits as there is room for and a NUL, mode without setuid, names of the owner plain
 *   extended header: typeflag 'x', named "././@PaxHeader", of path, size (of more than 8 GiB) and mtime only, each at
 *                    most once. With a path, the name in the header is its stand-in: its first 100 bytes, what is
 *                    not ASCII as '_', and so a '/' at their end
 *   path:            below "PREFIX/", clean as bundles/archive_path.h has it, none twice
 *   padding:         zeros; nothing behind the last entry, tar's end included
 *
 * Around it zstd frames (window of at most 8 MiB, no dictionary, no skippable frames) or gzip members (without
 * optional fields). Nothing at all is a fragment without entries.
 * A fragment that is cut short, or goes wrong, is good up to its last complete entry.
 *
 * Blocking; CPU of about a second a gigabyte. One thread for each. Fuzzed, with tar(1) and Python as oracles.
 */

#include "base/buf.h"
#include "bundles/archive.h"

#define FRAGMENT_WINDOW_LOG 23 /* of zstd: 8 MiB */
#define FRAGMENT_RATIO_MAX \
        2000u /* decoded for compressed, once FRAGMENT_RATIO_BYTES were decoded */
#define FRAGMENT_RATIO_BYTES (UINT64_C(16) << 20)

struct fragment_terms {
        enum archive_format format;  /* not ARCHIVE_ZIP */
        const char *prefix;          /* "10.0.0.9_agent"; borrowed */
        uint64_t max_bytes;          /* decoded, all of it; 0: no limit */
        uint64_t max_entries;        /* 0: no limit */
        uint64_t deadline_mono_usec; /* 0: none */
};

struct fragment_entry {
        const char *path; /* with the prefix; borrowed */
        uint64_t size;
        uint64_t mtime_usec;
        char sha256[DIGEST_HEX];
};

/**
 * What to do with a fragment while it is walked. All may be NULL. A negative result ends the walk with it. An entry
 * that is cut short has no on_end().
 */
struct fragment_visitor {
        int (*on_begin)(const struct fragment_entry *entry, void *userdata); /* without sha256 */
        int (*on_data)(const void *data, size_t n, void *userdata);
        int (*on_end)(const struct fragment_entry *entry, void *userdata);
        void *userdata;
};

struct fragment_result {
        bool whole; /* it kept to the grammar up to its end, which is where its last frame ends */
        char fault[160];       /* "" when whole: "entry 3: a path above its directory" */
        uint64_t n_entries;    /* complete ones */
        uint64_t n_bytes;      /* decoded, up to the end of the last complete entry */
        uint64_t n_compressed; /* read */
};

/**
 * fragment_walk() - read @fd to its end, or to the first fault
 * @fd: from its position; a file, or a pipe
 *
 * @ret: filled in whatever is returned
 *
 * Return: 0, also when it is faulty: see @ret; -ETIMEDOUT, also while a pipe is silent; or -errno of reading, of
 * memory, or what a visitor returned, with @e (which stays as a visitor has set it).
 */
int fragment_walk(int fd, const struct fragment_terms *terms,
                  const struct fragment_visitor *visitor, struct fragment_result *ret,
                  struct err *e);

/**
 * fragment_copy() - walk again, and add the first @n_entries to @into, whatever its format
 *
 * For what is not whole, and where the formats differ. Return: 0; -EBADMSG: there are not as many good ones; or as
 * fragment_walk(), or as @into has it. Other entries can follow in @into whatever came of it; one that was begun is
 * there then, as far as it went.
 */
int fragment_copy(int fd, const struct fragment_terms *terms, uint64_t n_entries,
                  struct archive *into, struct err *e);

/** fragment_prefix_is_valid() - "<address>_<master|agent|agent_public>", an IP address or a host's name */
bool fragment_prefix_is_valid(const char *s) _pure_;
