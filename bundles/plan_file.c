/*
 * Trusted files. The path is walked as the kernel would, one component at a time, and each directory is looked at
 * through the descriptor that the next component is opened from: as only root can write into it, what was looked at
 * is what is read.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/fs.h"
#include "bundles/plan_file.h"

#define LINKS_MAX 32u
#define SUFFIX    ".json"

struct walk {
        const char *path;                    /* for complaints */
        int fd;                              /* the directory where we are */
        char seen[PATH_MAX], rest[PATH_MAX]; /* seen: for complaints */
        unsigned n_links;
};

static int fault(const struct walk *w, int code, struct err *e)
{
        if (code == -ENOENT)
                return err_set(e, code, "%s: %s", w->path, strerror(ENOENT));
        return err_set(e, code, "cannot open %s: %s", w->path, strerror(-code));
}

static int check_owner(const struct walk *w, const char *name, const struct stat *st, struct err *e)
{
        const char *slash = w->seen[1] ? "/" : "";

        if (st->st_uid != 0)
                return err_set(e, -EPERM, "%s: %s%s%s is not root's", w->path, w->seen, slash,
                               name);
        if (!S_ISLNK(st->st_mode) && (st->st_mode & 0022))
                return err_set(e, -EPERM, "%s: others than root may write %s%s%s", w->path, w->seen,
                               slash, name);
        return 0;
}

static int go_to(struct walk *w, int fd, const char *name, struct err *e)
{
        size_t n = strlen(w->seen);
        struct stat st;
        int k;

        if (fd < 0)
                return fault(w, -errno, e);
        closep(&w->fd);
        w->fd = fd;
        if (fstat(fd, &st) < 0)
                return fault(w, -errno, e);
        k = check_owner(w, name, &st, e);
        if (k < 0)
                return k;
        (void)snprintf(w->seen + n, sizeof(w->seen) - n, "%s%s", n > 1 ? "/" : "", name);
        return 0;
}

static int go_to_root(struct walk *w, struct err *e)
{
        (void)snprintf(w->seen, sizeof(w->seen), "/");
        return go_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "", e);
}

static int follow(struct walk *w, int link_fd, const char *rest, struct err *e)
{
        char target[PATH_MAX], again[PATH_MAX];
        ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);

        if (n <= 0)
                return fault(w, n < 0 ? -errno : -ENOENT, e);
        target[n] = '\0';
        if (++w->n_links > LINKS_MAX)
                return fault(w, -ELOOP, e);
        if (snprintf(again, sizeof(again), "%s%s%s", target, *rest ? "/" : "", rest) >=
            (int)sizeof(again))
                return fault(w, -ENAMETOOLONG, e);
        memcpy(w->rest, again, sizeof(again));
        return *target == '/' ? go_to_root(w, e) : 0;
}

/* The next component; ENTER: it is no directory, and the last one: @ret_fd is the file. */
enum { WENT = 0, ENTER = 1 };
static int step(struct walk *w, int *ret_fd, struct err *e)
{
        _cleanup_(closep) int fd = -1;
        char name[NAME_MAX + 1], rest[PATH_MAX];
        const char *p = w->rest + strspn(w->rest, "/");
        size_t n = strcspn(p, "/");
        struct stat st;
        int k;

        if (n == 0)
                return fault(w, -EISDIR, e);
        if (n > NAME_MAX)
                return fault(w, -ENAMETOOLONG, e);
        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        (void)snprintf(rest, sizeof(rest), "%s", p + n + strspn(p + n, "/"));
        fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fault(w, -errno, e);
        if (S_ISLNK(st.st_mode)) {
                k = check_owner(w, name, &st, e);
                return k < 0 ? k : follow(w, fd, rest, e);
        }
        if (S_ISDIR(st.st_mode)) {
                memcpy(w->rest, rest, sizeof(rest));
                return go_to(w, TAKE_FD(fd), name, e);
        }
        if (*rest)
                return fault(w, -ENOTDIR, e);
        if (S_ISREG(st.st_mode)) {
                k = check_owner(w, name, &st, e);
                if (k < 0)
                        return k;
        } else if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                return err_set(e, -EINVAL, "%s is not a regular file", w->path);
        *ret_fd = openat(w->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return *ret_fd < 0 ? fault(w, -errno, e) : ENTER;
}

static int open_trusted(const char *path, struct err *e)
{
        struct walk w = {.path = path, .fd = -1};
        int fd = -1, k;

        if (*path != '/' || strlen(path) >= sizeof(w.rest))
                return err_set(e, -EINVAL, "%.100s is no absolute path", path);
        (void)snprintf(w.rest, sizeof(w.rest), "%s", path);
        k = go_to_root(&w, e);
        while (k == WENT)
                k = step(&w, &fd, e);
        closep(&w.fd);
        return k < 0 ? k : fd;
}

/* By its descriptor: whoever replaces the file meanwhile has us read the one that we looked at. */
static int read_fd(int fd, const char *path, size_t n_max, char **ret, size_t *ret_n, struct err *e)
{
        _cleanup_(buf_done) struct buf b = {.max = n_max};
        char chunk[8192];
        ssize_t n;

        while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
                buf_append(&b, chunk, (size_t)n);
                if (b.error == -E2BIG)
                        return err_set(e, -E2BIG, "%s is larger than %zu bytes", path, n_max);
        }
        *ret = buf_take(&b, ret_n);
        return *ret ? 0 : err_set(e, -ENOMEM, "cannot read %s: %s", path, strerror(ENOMEM));
}

static bool is_dev_null(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int plan_file_read(const char *path, size_t n_max, bool root_owned, char **ret, size_t *ret_n,
                   struct err *e)
{
        _cleanup_(closep) int fd = -1;
        struct stat st;

        fd = root_owned ? open_trusted(path, e)
                        : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && !root_owned)
                return err_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
        if (fd < 0)
                return fd;
        if (is_dev_null(fd)) {
                *ret = NULL;
                *ret_n = 0;
                return 0;
        }
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return err_set(e, -EINVAL, "%s is not a regular file", path);
        return read_fd(fd, path, n_max, ret, ret_n, e);
}

/* --- directories ------------------------------------------------------------------------------- */

static int is_ours(const struct dirent *d)
{
        size_t n = strlen(d->d_name);

        return d->d_name[0] != '.' && n > strlen(SUFFIX) &&
               streq(d->d_name + n - strlen(SUFFIX), SUFFIX);
}

static const char *base_name(const char *path)
{
        return strrchr(path, '/') + 1;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(base_name(*(char *const *)a), base_name(*(char *const *)b));
}

static int put(struct plan_files *f, char *taken, size_t n_max)
{
        for (size_t i = 0; i < f->n; i++)
                if (streq(base_name(f->paths[i]), base_name(taken))) {
                        free(f->paths[i]);
                        f->paths[i] = taken;
                        return 0;
                }
        if (f->n >= n_max) {
                free(taken);
                return -E2BIG;
        }
        f->paths[f->n++] = taken;
        return 0;
}

static int list_one(struct plan_files *f, const char *directory, size_t n_max)
{
        struct dirent **found = NULL;
        int n = scandir(directory, &found, is_ours, alphasort), k = 0;
        char *path;

        if (n < 0)
                return errno == ENOENT ? 0 : -errno;
        for (int i = 0; i < n; i++) {
                if (k == 0)
                        k = asprintf(&path, "%s/%s", directory, found[i]->d_name) < 0
                                    ? -ENOMEM
                                    : put(f, path, n_max);
                free(found[i]);
        }
        free(found);
        return k;
}

int plan_file_list(struct plan_files *ret, const char *const directories[], size_t n_max,
                   struct err *e)
{
        struct plan_files f = {.paths = calloc(n_max ? n_max : 1, sizeof(*f.paths))};
        int k = 0;

        if (!f.paths)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; k == 0 && directories && directories[i]; i++) {
                k = list_one(&f, directories[i], n_max);
                if (k == -E2BIG)
                        (void)err_set(e, k, "%s: there are more than %zu files", directories[i],
                                      n_max);
                else if (k < 0)
                        (void)err_set(e, k, "cannot list %s: %s", directories[i], strerror(-k));
        }
        if (k < 0) {
                plan_files_done(&f);
                return k;
        }
        if (f.n > 1)
                qsort(f.paths, f.n, sizeof(*f.paths), by_name);
        *ret = f;
        return 0;
}

void plan_files_done(struct plan_files *f)
{
        for (size_t i = 0; i < f->n; i++)
                free(f->paths[i]);
        free(f->paths);
        *f = (struct plan_files){0};
}
