/* Reading link folders. These are local, small and already in the kernel's cache: systemd read them. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "agentd/unit_links.h"
#include "model/unit_name.h"

const char *const unit_links_default_path[] = {
        "/etc/systemd/system.control",  "/run/systemd/system.control",   "/run/systemd/transient",
        "/run/systemd/generator.early", "/etc/systemd/system",           "/run/systemd/system",
        "/run/systemd/generator",       "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
        "/run/systemd/generator.late",
};
const size_t unit_links_default_path_n = ELEMENTSOF(unit_links_default_path);

/* Names that a more important folder switched off. */
struct masked {
        char names[64][UNIT_NAME_MAX + 1];
        size_t n;
};

static bool is_masked(const struct masked *m, const char *name)
{
        for (size_t i = 0; i < m->n; i++)
                if (streq(m->names[i], name))
                        return true;
        return false;
}

static bool links_to_null(int dir_fd, const char *name)
{
        char to[sizeof("/dev/null")];
        ssize_t n = readlinkat(dir_fd, name, to, sizeof(to));

        return n == sizeof(to) - 1 && memcmp(to, "/dev/null", sizeof(to) - 1) == 0;
}

static void take_entry(int dir_fd, const char *name, struct masked *masked,
                       void (*found)(const char *name, void *userdata), void *userdata)
{
        /* systemd, too, leaves hidden files alone. */
        if (name[0] == '.' || !unit_name_is_unit(name) || is_masked(masked, name))
                return;
        if (!links_to_null(dir_fd, name))
                found(name, userdata);
        else if (masked->n < ELEMENTSOF(masked->names))
                (void)stpcpy(masked->names[masked->n++], name);
}

/* A folder that is not there holds no links; one that cannot be read now may. */
static int scan_folder(const char *path, struct masked *masked,
                       void (*found)(const char *name, void *userdata), void *userdata)
{
        DIR *dir = opendir(path);
        const struct dirent *entry;
        unsigned n = 0;
        int k;

        if (!dir)
                return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
        errno = 0;
        while (n++ < UNIT_LINKS_MAX && (entry = readdir(dir))) {
                take_entry(dirfd(dir), entry->d_name, masked, found, userdata);
                errno = 0;
        }
        k = -errno;
        (void)closedir(dir);
        return k;
}

int unit_links_scan(const char *const *dirs, size_t n_dirs, const char *target,
                    void (*found)(const char *name, void *userdata), void *userdata)
{
        static const char *const kinds[] = {"wants", "requires"};
        char path[4096];
        int ret = 0;

        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                struct masked masked = {.n = 0};

                for (size_t i = 0; i < n_dirs; i++) {
                        int n = snprintf(path, sizeof(path), "%s/%s.%s", dirs[i], target, kinds[k]);

                        if (n > 0 && (size_t)n < sizeof(path))
                                n = scan_folder(path, &masked, found, userdata);
                        ret = n < 0 ? n : ret;
                }
        }
        return ret;
}
