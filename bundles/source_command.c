/* Commands: nobody's, unless their file says otherwise; no shell, no input, and little environment. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

#include "bundles/source_child.h"

/* As execvpe(3), without its shell for what is no program, and never from the working directory. */
int source_execute(char *const argv[])
{
        static const char path[] = "PATH=" SOURCE_PATH;
        static const char *const environment[] = {path,        "LC_ALL=C",       "HOME=/",
                                                  "TERM=dumb", "SYSTEMD_PAGER=", NULL};
        char file[PATH_MAX];
        int k = -ENOENT;

        if (strchr(argv[0], '/')) {
                execve(argv[0], argv, (char *const *)environment);
                return -errno;
        }
        for (const char *p = SOURCE_PATH; *p; p += strcspn(p, ":"), p += *p == ':') {
                int n = (int)strcspn(p, ":");

                if ((size_t)snprintf(file, sizeof(file), "%.*s/%s", n, p, argv[0]) >= sizeof(file))
                        continue;
                execve(file, argv, (char *const *)environment);
                if (errno == EACCES)
                        k = -EACCES;
                else if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
        }
        return k;
}

static int arrange(const struct source_child *w)
{
        const struct rlimit no_core = {0, 0};
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)setrlimit(RLIMIT_CORE, &no_core);
        if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(w->fd, STDOUT_FILENO) < 0 ||
            dup2(w->fd, STDERR_FILENO) < 0)
                return -errno;
        return 0;
}

void source_read_command(struct source_child *w)
{
        const char *name = w->s->argv[0];
        char text[SOURCE_WHY_MAX];
        struct err e = {0};
        int k = source_become(str_or(w->s->user, w->c->plain_user), &e);

        if (k < 0) {
                source_child_fail(w, k, "%s", e.text);
                return;
        }
        k = arrange(w);
        if (k >= 0)
                k = source_execute(w->s->argv);
        if (k == -ENOENT && !strchr(name, '/'))
                source_child_fail(w, k, "exec: \"%s\": executable file not found in $PATH", name);
        else
                source_child_fail(w, k, "fork/exec %s: %s", name, source_why(k, text));
}
