/*
 * The key of an authority cannot be had back, so its place is claimed by O_EXCL before anything is made:
 * of two who do the same at once, one is told.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "cli/cert_files.h"

#define AUTHORITY_FILE  "ca.pem"
#define AUTHORITY_KEY   "ca.key"
#define NODE_FILE       "node.pem"
#define NODE_KEY        "node.key"
#define PUBLIC_MODE     0644
#define KEY_MODE        0600
#define GROUP_KEY_MODE  0640
#define AUTHORITY_MODE  0700
#define NODE_MODE       0755 /* the key says itself who may read it */
#define GROUP_BYTES_MAX 65536u

/* The one place that joins: free(). NULL: no memory; @e says so. */
static char *join(const char *directory, const char *name, struct err *e)
{
        char *path;

        if (asprintf(&path, "%s/%s", directory, name) >= 0)
                return path;
        (void)err_set(e, -ENOMEM, "cannot use %s: %s", directory, strerror(ENOMEM));
        return NULL;
}

static int write_file(const char *directory, const char *name, const char *text, mode_t mode,
                      struct err *e)
{
        _cleanup_(freep) char *path = join(directory, name, e);

        return path ? fs_replace(path, text, strlen(text), mode, e) : -ENOMEM;
}

int cert_files_make_directory(const char *directory, mode_t mode, struct err *e)
{
        if (mkdir(directory, mode) < 0 && errno != EEXIST)
                return err_set(e, -errno, "cannot make %s: %s", directory, strerror(errno));
        return 0;
}

/* --- an authority --------------------------------------------------------------------------------- */

/* One that we have just made is as closed as its file system can say. */
static int make_closed_directory(const char *directory, struct err *e)
{
        struct stat st;

        if (mkdir(directory, AUTHORITY_MODE) == 0)
                return 0;
        if (errno != EEXIST || stat(directory, &st) < 0)
                return err_set(e, -errno, "cannot make %s: %s", directory, strerror(errno));
        if (!S_ISDIR(st.st_mode))
                return err_set(e, -ENOTDIR, "%s is not a directory", directory);
        if (st.st_mode & (S_IRWXG | S_IRWXO))
                return err_set(e, -EPERM, "%s is open to others (mode %04o); chmod 700 it first",
                               directory, st.st_mode & 07777);
        return 0;
}

static int say_exists(const char *path, struct err *e)
{
        return err_set(e, -EEXIST, "%s exists already, and an authority is never replaced", path);
}

static int claim(const char *cert, const char *key, struct err *e)
{
        _cleanup_(closep) int fd = -1;

        if (faccessat(AT_FDCWD, cert, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return say_exists(cert, e);
        fd = open(key, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_MODE);
        if (fd >= 0)
                return 0;
        return errno == EEXIST ? say_exists(key, e)
                               : err_set(e, -errno, "cannot create %s: %s", key, strerror(errno));
}

int cert_files_claim_authority(const char *directory, struct err *e)
{
        _cleanup_(freep) char *cert = join(directory, AUTHORITY_FILE, e);
        _cleanup_(freep) char *key = join(directory, AUTHORITY_KEY, e);
        int r = cert && key ? make_closed_directory(directory, e) : -ENOMEM;

        return r < 0 ? r : claim(cert, key, e);
}

void cert_files_disclaim_authority(const char *directory)
{
        _cleanup_(freep) char *key = join(directory, AUTHORITY_KEY, NULL);

        if (key)
                (void)fs_remove(key, NULL);
}

int cert_files_write_authority(const char *directory, const struct cert_made *m, struct err *e)
{
        int r = write_file(directory, AUTHORITY_KEY, m->key, KEY_MODE, e);

        if (r >= 0)
                r = write_file(directory, AUTHORITY_FILE, m->cert, PUBLIC_MODE, e);
        if (r < 0)
                cert_files_disclaim_authority(directory);
        return r;
}

int cert_files_load_authority(struct cert_authority **ret, const char *directory, struct err *e)
{
        _cleanup_(freep) char *cert = join(directory, AUTHORITY_FILE, e);
        _cleanup_(freep) char *key = join(directory, AUTHORITY_KEY, e);

        if (!cert || !key)
                return -ENOMEM;
        if (access(cert, F_OK) < 0 && errno == ENOENT)
                return err_set(e, -ENOENT, "there is no %s; diag cert ca makes an authority", cert);
        return cert_authority_load(ret, cert, key, e);
}

/* --- a node --------------------------------------------------------------------------------------- */

static int check_absent(const char *directory, const char *name, struct err *e)
{
        _cleanup_(freep) char *path = join(directory, name, e);

        if (!path)
                return -ENOMEM;
        return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0
                       ? err_set(e, -EEXIST, "%s exists already; --force replaces it", path)
                       : 0;
}

int cert_files_check_node(const char *directory, const char *authority, bool replaces,
                          struct err *e)
{
        static const char *const names[] = {NODE_KEY, NODE_FILE, AUTHORITY_FILE};
        struct stat here, there;
        int r = 0;

        if (stat(directory, &here) < 0)
                return 0; /* it will be made */
        if (stat(authority, &there) == 0 && here.st_dev == there.st_dev &&
            here.st_ino == there.st_ino)
                return err_set(e, -EINVAL, "%s holds the authority, whose key is for no node",
                               directory);
        for (size_t i = 0; i < ELEMENTSOF(names) && !replaces && r >= 0; i++)
                r = check_absent(directory, names[i], e);
        return r;
}

/* 0: there is none, or nobody who may give it a file. */
static gid_t key_group(void)
{
        _cleanup_(freep) char *bytes = malloc(GROUP_BYTES_MAX);
        struct group group, *found = NULL;

        if (geteuid() != 0 || !bytes)
                return 0;
        (void)getgrnam_r(CERT_FILES_GROUP, &group, bytes, GROUP_BYTES_MAX, &found);
        return found ? found->gr_gid : 0;
}

/* In this order no mode is ever wider than the group is right. */
static int open_to_group(const char *directory, gid_t group, struct err *e)
{
        _cleanup_(freep) char *path = join(directory, NODE_KEY, e);
        _cleanup_(closep) int fd = -1;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, 0, group) < 0 || fchmod(fd, GROUP_KEY_MODE) < 0)
                return err_set(e, -errno, "cannot give %s to group " CERT_FILES_GROUP ": %s", path,
                               strerror(errno));
        return 0;
}

int cert_files_write_node(const char *directory, const struct cert_made *m,
                          const char *authority_pem, struct err *e)
{
        gid_t group = key_group();
        int r = cert_files_make_directory(directory, NODE_MODE, e);

        if (r >= 0)
                r = write_file(directory, AUTHORITY_FILE, authority_pem, PUBLIC_MODE, e);
        if (r >= 0)
                r = write_file(directory, NODE_KEY, m->key, KEY_MODE, e);
        if (r >= 0 && group != 0)
                r = open_to_group(directory, group, e);
        if (r >= 0)
                r = write_file(directory, NODE_FILE, m->cert, PUBLIC_MODE, e);
        return r;
}
