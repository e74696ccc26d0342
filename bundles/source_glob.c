/* Globs, looked up by who may read every directory; what is found is written down for who asked. */

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bundles/source_child.h"

/* What is no file, or a link that does not count, or gone by now. */
static bool is_not_meant(int code)
{
        return code == -EISDIR || code == -EINVAL || code == -EXDEV || code == -ENOENT;
}

/* A file that cannot be read has an entry, too: its reading will say why. */
static int say(struct source_child *w, const char *path)
{
        _cleanup_(closep) int fd = source_open_file(w->c->root, path, NULL);
        struct source_found found = {.n_path = (uint32_t)strlen(path)};
        struct stat st;

        if (fd < 0 && is_not_meant(fd))
                return 0;
        if (fd >= 0 && fstat(fd, &st) >= 0) {
                found.size = (uint64_t)st.st_size;
                found.mtime_usec = (uint64_t)st.st_mtim.tv_sec * 1000000u +
                                   (uint64_t)st.st_mtim.tv_nsec / 1000u;
        }
        if (source_child_write(w, &found, sizeof(found)) < 0 ||
            source_child_write(w, path, found.n_path) < 0)
                return -EPIPE;
        return 1;
}

/* One that is configured by its name stands for an entry even if it is not there. */
static void say_one(struct source_child *w)
{
        struct source_found found = {.n_path = (uint32_t)strlen(w->s->path)};

        if (say(w, w->s->path) == 0 && source_child_write(w, &found, sizeof(found)) >= 0)
                (void)source_child_write(w, w->s->path, found.n_path);
}

static void say_all(struct source_child *w, const glob_t *g, size_t n_root)
{
        size_t n_said = 0;

        for (size_t i = 0; i < g->gl_pathc; i++) {
                int k;

                if (n_said == SOURCE_GLOB_MAX) {
                        w->outcome.truncated = true;
                        return;
                }
                k = say(w, g->gl_pathv[i] + n_root);
                if (k < 0)
                        return;
                n_said += (size_t)k;
        }
}

void source_glob(struct source_child *w)
{
        char pattern[PATH_MAX];
        const char *root = str_or(w->c->root, "");
        struct err e = {0};
        glob_t g = {0};
        int k;

        if (source_become_reader(w->c->plain_user, &e) < 0) {
                source_child_fail(w, e.code, "%s", e.text);
                return;
        }
        if (!strpbrk(w->s->path, "*?[")) {
                say_one(w);
                return;
        }
        if ((size_t)snprintf(pattern, sizeof(pattern), "%s%s", root, w->s->path) >=
            sizeof(pattern)) {
                source_child_fail(w, -ENAMETOOLONG, "%s: too long", w->s->path);
                return;
        }
        k = glob(pattern, 0, NULL, &g);
        if (k == GLOB_NOSPACE)
                source_child_fail(w, -ENOMEM, "%s: out of memory", w->s->path);
        else if (k == 0)
                say_all(w, &g, strlen(root));
        globfree(&g);
}
