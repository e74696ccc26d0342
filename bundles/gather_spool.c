/* Files without a name, and how full the disk is. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "bundles/gather_spool.h"

#define LOOK_EVERY_BYTES (UINT64_C(4) << 20) /* a look costs a system call */
#define SHARE            64u /* … of what is left, where that is little: others write, too */

uint64_t disk_free(int fd)
{
        struct statvfs v;

        return fstatvfs(fd, &v) < 0 ? 0 : (uint64_t)v.f_bavail * v.f_frsize;
}

/* Where O_TMPFILE is not known (NFS, overlayfs of old), the name is gone at once. */
static int open_nameless(const char *directory)
{
        static unsigned number;
        char path[4096];
        int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0)
                return fd;
        if (snprintf(path, sizeof(path), "%s/%u.part", directory, number++) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        (void)unlink(path);
        return fd;
}

int spool_open(struct spool *s, const char *directory, uint64_t max, uint64_t free_floor)
{
        *s = (struct spool){.fd = open_nameless(directory), .max = max, .free_floor = free_floor};
        return s->fd < 0 ? s->fd : 0;
}

void spool_done(struct spool *s)
{
        closep(&s->fd);
        s->fd = -1;
}

static int write_all(int fd, const char *data, size_t n)
{
        while (n) {
                ssize_t k = write(fd, data, n);

                if (k < 0 && errno != EINTR)
                        return -errno;
                if (k > 0) {
                        data += k;
                        n -= (size_t)k;
                }
        }
        return 0;
}

static int look_at_disk(struct spool *s, size_t n)
{
        uint64_t left = disk_free(s->fd), share;

        left = left > s->free_floor ? left - s->free_floor : 0;
        if (left < n)
                return -ENOSPC;
        share = (left - n) / SHARE;
        s->look_at = s->n + n + (share < LOOK_EVERY_BYTES ? share : LOOK_EVERY_BYTES);
        return 0;
}

int spool_write(struct spool *s, const void *data, size_t n)
{
        int k = 0;

        if (n > s->max - s->n)
                return -EFBIG;
        if (s->free_floor && s->n + n > s->look_at)
                k = look_at_disk(s, n);
        if (k >= 0)
                k = write_all(s->fd, data, n);
        if (k >= 0)
                s->n += n;
        return k;
}
