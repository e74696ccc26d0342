#pragma once

/*
 * Bundles on disk: DIRECTORY/ID/state.json and, when done, DIRECTORY/ID/file.FORMAT; directories 0700, files 0600.
 * Every directory in there is a bundle; one whose state.json cannot be read is UNKNOWN. What is deleted keeps its
 * state for a while, because clients of the old API wait for it in lists. Read once, at the start; then what is in
 * memory counts, and each change is written through.
 *
 * Belongs to the loop. Blocks as long as its disk does.
 */

#include "bundles/bundle.h"

#define STORE_BUNDLES_MAX  5u
#define STORE_BYTES_MAX    (UINT64_C(8) << 30)
#define STORE_AGE_MAX_USEC (UINT64_C(14) * 86400 * 1000000)
#define STORE_DELETED_USEC (UINT64_C(30) * 86400 * 1000000) /* its state is kept so long */
#define STORE_DELETED_MAX  200u                             /* … and so many of them */
#define STORE_FLOOR_BYTES  (UINT64_C(1) << 30)              /* free: at least this, … */
#define STORE_FLOOR_SHARE  10u /* … and one part in so many of the file system */

struct store_limits { /* 0: the default */
        size_t n_max;
        uint64_t bytes_max, age_max_usec, floor_bytes;
};

struct store;

/**
 * store_open() - make the directory if it is missing, read what is there
 * @restarted: what is to be said of bundles that were being made: they are FAILED now, their files are gone
 *
 * Return: 0, or -errno with @e naming the path. A bundle that cannot be read is no failure.
 */
int store_open(struct store **ret, const char *directory, const struct store_limits *limits,
               const char *restarted, struct err *e);
struct store *store_free(struct store *s);
void store_set_limits(struct store *s, const struct store_limits *limits);

/** store_list() - newest first; borrowed until the store changes */
const struct bundle *const *store_list(const struct store *s, size_t *ret_n);
const struct bundle *store_find(const struct store *s, const char *id); /* NULL: none such */

/**
 * store_add() - a new bundle: its directory and state.json. Retention makes room for it first.
 * @taken: the store's now, also on failure
 * Return: 0, -EEXIST, -ENOSPC (the floor; @e says how much is free), -EINVAL (the id), -errno with @e.
 */
int store_add(struct store *s, struct bundle *taken, struct err *e);

/** store_replace() - what is in memory and in state.json is @taken from now on (same id) */
int store_replace(struct store *s, struct bundle *taken, struct err *e);

/** store_set() - the same, in memory only: somebody else writes state.json, or it was read from there */
int store_set(struct store *s, struct bundle *taken);

/** store_delete() - its file goes, its state is DELETED. 0 (also when it was), -ENOENT, -EBUSY: it runs */
int store_delete(struct store *s, const char *id, struct err *e);

/** store_remove_files() - all of @id but state.json */
int store_remove_files(struct store *s, const char *id, struct err *e);

/** store_sweep() - all but state.json and @b's file; @ret: its size. 0, or -errno: there is no such file */
int store_sweep(struct store *s, const struct bundle *b, uint64_t *ret, struct err *e);

/** store_trim() - retention: what is too old, too many, too large; on a timer, too. Return: how many went. */
size_t store_trim(struct store *s, uint64_t now_wall_usec);

/** store_path() - of @name in the directory of @id; "": the directory itself. 0 or -ENAMETOOLONG */
int store_path(const struct store *s, const char *id, const char *name, char *ret, size_t n);

/** store_open_file() - the archive of a DONE bundle, for reading; or -errno */
int store_open_file(const struct store *s, const char *id);

/** store_floor() - bytes that must stay free where the store is; and how many are */
int store_floor(const struct store *s, uint64_t *ret_floor, uint64_t *ret_free, struct err *e);

DEFINE_CLEANUP(struct store *, store_free);
