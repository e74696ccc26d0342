/* Writing to whatever it is: short writes, interruptions, who has gone, and disks that are full. */

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>

#include "bundles/archive_out.h"

#define COPY_BYTES (64u * 1024u)

static int failed(struct archive_out *o, int code, const char *what)
{
        return err_set(&o->e, code, "%s: %s", what,
                       code == -EPIPE ? "whoever it was for has gone" : strerror(-code));
}

static int look_for_room(struct archive_out *o, uint64_t end)
{
        uint64_t ahead = end - o->n_written + ARCHIVE_OUT_CHECK_BYTES, n_free;
        struct statvfs s;

        while (fstatvfs(o->fd, &s) < 0)
                if (errno != EINTR)
                        return failed(o, -errno, "cannot see how much space is free");
        n_free = (uint64_t)s.f_bavail * s.f_frsize;
        if (n_free < ahead || n_free - ahead < o->free_floor)
                return err_set(&o->e, -ENOSPC, "%llu bytes are free, and %llu are to stay so",
                               (unsigned long long)n_free, (unsigned long long)o->free_floor);
        o->n_granted = end + ARCHIVE_OUT_CHECK_BYTES;
        return 0;
}

int archive_out_check(struct archive_out *o, uint64_t n)
{
        uint64_t end;

        if (__builtin_add_overflow(o->n_written, n, &end) || (o->max_bytes && end > o->max_bytes))
                return err_set(&o->e, -EFBIG, "it would be larger than %llu bytes",
                               (unsigned long long)o->max_bytes);
        return o->free_floor && end > o->n_granted ? look_for_room(o, end) : 0;
}

int archive_out_write(struct archive_out *o, const void *data, size_t n)
{
        const char *at = data;
        int k = archive_out_check(o, n);

        while (k >= 0 && n > 0) {
                ssize_t n_now = write(o->fd, at, n);

                if (n_now < 0) {
                        if (errno != EINTR)
                                k = failed(o, -errno, "cannot write");
                        continue;
                }
                at += n_now;
                n -= (size_t)n_now;
                o->n_written += (uint64_t)n_now;
        }
        return k;
}

int archive_out_copy(struct archive_out *o, int fd, uint64_t n)
{
        char data[COPY_BYTES];
        int k = 0;

        while (k >= 0 && n > 0) {
                ssize_t n_now = read(fd, data, n < sizeof(data) ? n : sizeof(data));

                if (n_now < 0 && errno == EINTR)
                        continue;
                if (n_now <= 0)
                        return failed(o, n_now < 0 ? -errno : -ENODATA,
                                      "cannot read what is to be added");
                k = archive_out_write(o, data, (size_t)n_now);
                n -= (uint64_t)n_now;
        }
        return k;
}

/* Between these two the kernel does not do it that way, which is no failure. */
static bool is_no_way(int error)
{
        return error == EINVAL || error == EXDEV || error == ENOSYS || error == EBADF ||
               error == EOPNOTSUPP || error == EPERM || error == ETXTBSY;
}

static ssize_t by_copy_file_range(int in, int out, size_t n)
{
        return copy_file_range(in, NULL, out, NULL, n, 0);
}

static ssize_t by_sendfile(int in, int out, size_t n)
{
        return sendfile(out, in, NULL, n);
}

static ssize_t (*const ways[])(int in, int out, size_t n) = {by_copy_file_range, by_sendfile};

int archive_out_splice(struct archive_out *o, int fd, uint64_t n)
{
        size_t way = 0;

        while (n > 0 && way < ELEMENTSOF(ways)) {
                size_t n_now = n < ARCHIVE_OUT_CHECK_BYTES ? n : ARCHIVE_OUT_CHECK_BYTES;
                int k = archive_out_check(o, n_now);
                ssize_t n_moved;

                if (k < 0)
                        return k;
                n_moved = ways[way](fd, o->fd, n_now);
                if (n_moved > 0) {
                        o->n_written += (uint64_t)n_moved;
                        n -= (uint64_t)n_moved;
                } else if (n_moved == 0 || is_no_way(errno)) {
                        way++; /* some file systems say 0 where they cannot: reading tells */
                } else if (errno != EINTR) {
                        return failed(o, -errno, "cannot copy");
                }
        }
        return archive_out_copy(o, fd, n);
}
