/* Read once, and written again and again: by renaming, so that whoever looks sees a whole one. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "bundles/gather_files.h"

int gather_path(char ret[static 4096], const char *directory, const char *name)
{
        return snprintf(ret, 4096, "%s/%s", directory, name) >= 4096 ? -ENAMETOOLONG : 0;
}

int gather_load_bundle(struct bundle **ret, const char *directory, struct err *e)
{
        _cleanup_(freep) char *json = NULL;
        char path[4096];
        size_t n = 0;
        int k = gather_path(path, directory, "state.json");

        if (k >= 0)
                k = fs_read(path, BUNDLE_JSON_MAX, &json, &n, e);
        if (k < 0)
                return k;
        k = bundle_read(ret, json, n, e);
        if (k < 0)
                (void)err_prefix(e, "%s: ", path);
        return k;
}

int gather_load_order(struct gather_order *ret, const char *directory, struct err *e)
{
        _cleanup_(freep) char *json = NULL;
        char path[4096];
        size_t n = 0;
        int k = gather_path(path, directory, "gather.json");

        if (k >= 0)
                k = fs_read(path, GATHER_ORDER_BYTES_MAX, &json, &n, e);
        if (k < 0)
                return k;
        k = gather_order_read(ret, json, n, e);
        if (k < 0)
                (void)err_prefix(e, "%s: ", path);
        return k;
}

/* What is written twice a second need not survive the machine. */
static int replace_unsynced(const char *path, const struct buf *json)
{
        char temporary[4096];
        int fd, k = 0;
        size_t at = 0;

        if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
                return -ENAMETOOLONG;
        fd = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (k == 0 && at < json->n) {
                ssize_t n = write(fd, json->data + at, json->n - at);

                if (n >= 0)
                        at += (size_t)n;
                else if (errno != EINTR)
                        k = -errno;
        }
        close(fd);
        if (k == 0 && rename(temporary, path) < 0)
                k = -errno;
        if (k < 0)
                (void)unlink(temporary);
        return k;
}

int gather_save(const struct bundle *b, const char *directory, bool sync, struct err *e)
{
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_MAX};
        char path[4096];
        int k = gather_path(path, directory, "state.json");

        bundle_write(&json, b, true);
        if (k >= 0)
                k = json.error;
        if (k >= 0)
                k = sync ? fs_replace(path, json.data, json.n, 0600, e)
                         : replace_unsynced(path, &json);
        return k < 0 ? err_set(e, k, "%s: %s", path, strerror(-k)) : 0;
}
