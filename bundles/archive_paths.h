#pragma once

/*
 * Paths that were there already. It keeps 16 bytes of the digest of each, not the path: bounded, whatever the
 * lengths, and nobody can choose paths that meet in its table. One thread.
 */

#include "base/cleanup.h"

struct archive_paths;

/** archive_paths_new() - 0, or -ENOMEM */
int archive_paths_new(struct archive_paths **ret);
struct archive_paths *archive_paths_free(struct archive_paths *p);

/** archive_paths_add() - 0, -EEXIST, -ENOMEM, or -EIO */
int archive_paths_add(struct archive_paths *p, const char *path);

DEFINE_CLEANUP(struct archive_paths *, archive_paths_free);
