#pragma once

/*
 * Files that say what root shall do. They count only if nobody but root could have written them: the file, each
 * directory on the way to it, and each link and what is on the way to where it points.
 */

#include "base/err.h"

/**
 * plan_file_read() - the whole of a file
 * @ret: the bytes and a NUL that is not counted; free(). NULL: it is /dev/null, which stands for no file
 * @root_owned: or else refuse it (-EPERM) with @e naming what others may write
 *
 * Return: 0, -ENOENT, -EPERM, -E2BIG …
 */
int plan_file_read(const char *path, size_t n_max, bool root_owned, char **ret, size_t *ret_n,
                   struct err *e);

/** plan_file_list() - paths of @directories' .json files, of one name only the last, sorted by name; free() all */
struct plan_files {
        char **paths;
        size_t n;
};
int plan_file_list(struct plan_files *ret, const char *const directories[], size_t n_max,
                   struct err *e);
void plan_files_done(struct plan_files *f);
