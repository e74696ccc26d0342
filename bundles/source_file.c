/*
 * Files. The size that a file has when it is opened is all that is read of it, so that one that grows ends; of
 * one that is larger than its limit the newest lines are.
 *
 * A path is walked by hand, for its links: whoever may write in a directory of logs may leave a link to any
 * file there, and we may read any file. So a link counts that root made, and one to a file of its maker's;
 * another one is refused by name. Nothing but a regular file is ever opened: a FIFO would wait for its writer,
 * and a device act.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bundles/source_child.h"

#define LINKS_MAX  40u            /* as the kernel has it */
#define CHUNK      (256u * 1024u) /* of reading */
#define LINE_BYTES (64u * 1024u)  /* a line is looked for the start of in so many */

struct walk {
        int fd;              /* where we are, O_PATH */
        int root_fd;         /* what "/" means */
        char rest[PATH_MAX]; /* what is still to be walked */
        unsigned n_links;
        uid_t link_uid; /* of the last link that root did not make; 0: none */
};

static void walk_done(struct walk *w)
{
        closep(&w->fd);
        closep(&w->root_fd);
}

static int walk_to_root(struct walk *w)
{
        int fd = fcntl(w->root_fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        closep(&w->fd);
        w->fd = fd;
        return 0;
}

/* What the link in @fd says goes in front of the rest. */
static int follow(struct walk *w, int fd, uid_t uid)
{
        char to[PATH_MAX];
        ssize_t n = readlinkat(fd, "", to, sizeof(to));
        size_t n_rest = strlen(w->rest);

        if (n < 0)
                return -errno;
        if (++w->n_links > LINKS_MAX)
                return -ELOOP;
        if ((size_t)n + 1 + n_rest >= sizeof(w->rest))
                return -ENAMETOOLONG;
        if (uid != 0 && w->link_uid != 0 && uid != w->link_uid)
                return -EXDEV;
        if (uid != 0)
                w->link_uid = uid;
        memmove(w->rest + n + 1, w->rest, n_rest + 1);
        memcpy(w->rest, to, (size_t)n);
        w->rest[n] = '/';
        return to[0] == '/' ? walk_to_root(w) : 0;
}

/* One name on. Return: 0, 1: that was all, -errno. */
static int step(struct walk *w)
{
        size_t n_slashes = strspn(w->rest, "/"), n = strcspn(w->rest + n_slashes, "/");
        char name[NAME_MAX + 1];
        struct stat st;
        int fd;

        if (n == 0)
                return 1;
        if (n >= sizeof(name))
                return -ENAMETOOLONG;
        memcpy(name, w->rest + n_slashes, n);
        name[n] = '\0';
        memmove(w->rest, w->rest + n_slashes + n, strlen(w->rest + n_slashes + n) + 1);
        fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                int error = errno;

                closep(&fd);
                return -error;
        }
        if (S_ISLNK(st.st_mode)) {
                int k = follow(w, fd, st.st_uid);

                close(fd);
                return k;
        }
        closep(&w->fd);
        w->fd = fd;
        return 0;
}

static int walk(struct walk *w, const char *root, const char *path)
{
        int k;

        if ((size_t)snprintf(w->rest, sizeof(w->rest), "%s", path) >= sizeof(w->rest))
                return -ENAMETOOLONG;
        w->root_fd = open(str_or(root, "/"), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (w->root_fd < 0)
                return -errno;
        k = walk_to_root(w);
        while (k == 0)
                k = step(w);
        return k < 0 ? k : 0;
}

static const char *why(int code, char text[static SOURCE_WHY_MAX])
{
        if (code == -EXDEV)
                return "a link of somebody's leads to somebody else's file";
        return code == -EINVAL ? "not a regular file" : source_why(code, text);
}

/* By the name that a descriptor has in /proc: nobody can put another file there in the meantime. */
static int reopen(const struct walk *w)
{
        char self[64];
        struct stat st;
        int fd;

        if (fstat(w->fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (w->link_uid != 0 && st.st_uid != w->link_uid)
                return -EXDEV;
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", w->fd);
        fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int source_open_file(const char *root, const char *path, struct err *e)
{
        _cleanup_(walk_done) struct walk w = {.fd = -1, .root_fd = -1};
        char text[SOURCE_WHY_MAX];
        int k = walk(&w, root, path);

        if (k >= 0)
                k = reopen(&w);
        return k < 0 ? err_set(e, k, "open %s: %s", path, why(k, text)) : k;
}

/* --- reading ------------------------------------------------------------------------------------------- */

/* From the middle of a line to the start of the next one, if that is near. */
static off_t next_line(int fd, off_t at, char *data)
{
        ssize_t n = pread(fd, data, LINE_BYTES, at);
        const char *end = n > 0 ? memchr(data, '\n', (size_t)n) : NULL;

        return end ? at + (end - data) + 1 : at;
}

static int fail(struct source_child *w, const char *what, int code)
{
        char text[SOURCE_WHY_MAX];

        return source_child_fail(w, code, "%s %s: %s", what, w->path, source_why(code, text));
}

static int copy(struct source_child *w, int fd, uint64_t n_left, char *data)
{
        while (n_left > 0) {
                ssize_t n = read(fd, data, n_left < CHUNK ? n_left : CHUNK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno != EAGAIN)
                        return fail(w, "read", -errno);
                if (n <= 0)
                        return 0;
                if (source_child_write(w, data, (size_t)n) < 0)
                        return -EPIPE;
                n_left -= (uint64_t)n;
        }
        return 1;
}

static int copy_file(struct source_child *w, int fd, char *data)
{
        uint64_t max = w->s->max_bytes;
        struct stat st;
        off_t from;
        int k;

        if (fstat(fd, &st) < 0)
                return fail(w, "stat", -errno);
        if (st.st_size == 0) { /* of /proc; its end is where it says so */
                k = copy(w, fd, max, data);
                if (k > 0 && read(fd, data, 1) == 1)
                        w->outcome.truncated = true;
                return k;
        }
        if ((uint64_t)st.st_size <= max)
                return copy(w, fd, (uint64_t)st.st_size, data);
        w->outcome.truncated = true;
        from = next_line(fd, st.st_size - (off_t)max, data);
        if (lseek(fd, from, SEEK_SET) < 0)
                return fail(w, "seek", -errno);
        return copy(w, fd, (uint64_t)(st.st_size - from), data);
}

/* Of the machine, and not of the sandbox that we are in. */
static const char *whose(const struct source_child *w)
{
        static const char *const ours[][2] = {
                {"/proc/self/mountinfo", "/proc/1/mountinfo"},
                {"/proc/self/mounts",    "/proc/1/mounts"   },
                {"/proc/mounts",         "/proc/1/mounts"   },
        };

        for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                if (str_empty(w->c->root) && streq(w->path, ours[i][0]))
                        return ours[i][1];
        return w->path;
}

void source_read_file(struct source_child *w)
{
        _cleanup_(freep) char *data = malloc(CHUNK);
        _cleanup_(closep) int fd = -1;
        struct err e = {0};

        if (!data) {
                source_child_fail(w, -ENOMEM, "out of memory");
                return;
        }
        if (source_become_reader(w->c->plain_user, &e) < 0 ||
            (fd = source_open_file(w->c->root, whose(w), &e)) < 0) {
                source_child_fail(w, e.code, "%s", e.text);
                return;
        }
        (void)copy_file(w, fd, data);
}
