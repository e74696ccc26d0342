/* Files. What others write is read with a ceiling; what others read is never half written. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"

#define READ_BYTES 16384u

static int read_to_end(int fd, struct buf *b)
{
        char chunk[READ_BYTES];
        ssize_t n;

        for (;;) {
                n = read(fd, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                buf_append(b, chunk, (size_t)n);
                if (b->error)
                        return b->error;
        }
}

int fs_read(const char *path, size_t n_max, char **ret, size_t *ret_n, struct err *e)
{
        _cleanup_(buf_done) struct buf b = {.max = n_max};
        _cleanup_(closep) int fd = -1;
        struct stat st;
        char *data;
        int r;

        assert(n_max > 0);
        /* O_NONBLOCK: a FIFO opens at once, to be refused below. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return err_set(e, -EINVAL, "%s is not a regular file", path);
        r = read_to_end(fd, &b);
        if (r == -E2BIG)
                return err_set(e, r, "%s is larger than %zu bytes", path, n_max);
        if (r < 0)
                return err_set(e, r, "cannot read %s: %s", path, strerror(-r));
        data = buf_take(&b, ret_n);
        if (!data)
                return err_set(e, -ENOMEM, "cannot read %s: %s", path, strerror(ENOMEM));
        *ret = data;
        return 0;
}

static int write_all(int fd, const char *data, size_t n)
{
        ssize_t written;

        while (n > 0) {
                written = write(fd, data, n);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return -errno;
                data += written;
                n -= (size_t)written;
        }
        return 0;
}

/* fchmod() because the caller names the mode that the file shall have, whatever the umask. */
static int write_temporary(int fd, const void *data, size_t n, mode_t mode)
{
        int r;

        r = write_all(fd, data, n);
        if (r < 0)
                return r;
        if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

/* To be synced at the end, and opened before: once the file is replaced, little should go wrong. */
static int open_directory_of(const char *path)
{
        _cleanup_(freep) char *dir = strdup(path);
        char *slash;
        int fd;

        if (!dir)
                return -ENOMEM;
        slash = strrchr(dir, '/');
        if (slash)
                slash[slash == dir] = '\0';
        fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Without the last sync the old name may come back after a crash. */
static int write_and_rename(int fd, const char *tmp, const char *path, int dir_fd, const void *data,
                            size_t n, mode_t mode)
{
        int r = write_temporary(fd, data, n, mode);

        if (r == 0 && rename(tmp, path) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlink(tmp);
                return r;
        }
        (void)fsync(dir_fd); /* whatever it says, the new file is what everybody reads */
        return 0;
}

int fs_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
        _cleanup_(closep) int fd = -1, dir_fd = open_directory_of(path);
        _cleanup_(freep) char *tmp = NULL;
        int r = dir_fd;

        if (r >= 0 && asprintf(&tmp, "%s.XXXXXX", path) < 0) {
                tmp = NULL;
                r = -ENOMEM;
        }
        if (r < 0)
                return err_set(e, r, "cannot write %s: %s", path, strerror(-r));
        fd = mkostemp(tmp, O_CLOEXEC);
        if (fd < 0)
                return err_set(e, -errno, "cannot create %s: %s", tmp, strerror(errno));
        r = write_and_rename(fd, tmp, path, dir_fd, data, n, mode);
        return r < 0 ? err_set(e, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

int fs_remove(const char *path, struct err *e)
{
        _cleanup_(closep) int dir_fd = -1;

        if (unlink(path) < 0 && errno != ENOENT)
                return err_set(e, -errno, "cannot remove %s: %s", path, strerror(errno));
        dir_fd = open_directory_of(path);
        if (dir_fd >= 0)
                (void)fsync(dir_fd); /* else it may come back after a crash */
        return 0;
}
