/*
 * Bundles on disk. Each step leaves what the next start can read, whenever we are killed:
 *
 *   add     the directory, then its state.json      an empty directory is removed at the start
 *   end     the file, then the state                what was being made is FAILED at the start, its files go
 *   delete  the state, then the file                files of what is deleted go at the start
 *   forget  files, state.json, the directory
 */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/mono.h"
#include "bundles/store.h"

#define STATE_JSON     "state.json"
#define STORE_READ_MAX 10000u /* directories, at the start */

struct store {
        char directory[PATH_MAX]; /* opened each time: a file system may be mounted there, or go */
        struct store_limits limits;
        struct bundle **bundles; /* newest first */
        size_t n_bundles, n_alloc;
};

/* --- in memory --------------------------------------------------------------------------------- */

static struct bundle **find(const struct store *s, const char *id)
{
        for (size_t i = 0; i < s->n_bundles; i++)
                if (streq(s->bundles[i]->id, id))
                        return &s->bundles[i];
        return NULL;
}

static bool is_newer(const struct bundle *a, const struct bundle *b)
{
        if (a->created_wall_usec != b->created_wall_usec)
                return a->created_wall_usec > b->created_wall_usec;
        return strcmp(a->id, b->id) > 0;
}

static int insert(struct store *s, struct bundle *taken)
{
        size_t i;

        if (s->n_bundles == s->n_alloc) {
                size_t n = s->n_alloc ? 2 * s->n_alloc : 16;
                struct bundle **more = reallocarray(s->bundles, n, sizeof(struct bundle *));

                if (!more) {
                        bundle_free(taken);
                        return -ENOMEM;
                }
                s->bundles = more;
                s->n_alloc = n;
        }
        for (i = s->n_bundles++; i > 0 && is_newer(taken, s->bundles[i - 1]); i--)
                s->bundles[i] = s->bundles[i - 1];
        s->bundles[i] = taken;
        return 0;
}

static void drop(struct store *s, struct bundle **at)
{
        size_t i = (size_t)(at - s->bundles);

        bundle_free(*at);
        memmove(at, at + 1, (s->n_bundles - i - 1) * sizeof(struct bundle *));
        s->n_bundles--;
}

static int say_again(char **text, const char *s)
{
        char *made = strdup(s);

        if (!made)
                return -ENOMEM;
        free(*text);
        *text = made;
        return 0;
}

/* --- a bundle's directory ---------------------------------------------------------------------- */

static int open_root(const struct store *s)
{
        int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int open_bundle(const struct store *s, const char *id)
{
        _cleanup_(closep) int root = open_root(s);
        int fd;

        if (root < 0)
                return root;
        fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int remove_bundle(const struct store *s, const char *id)
{
        _cleanup_(closep) int root = open_root(s);

        if (root < 0)
                return root;
        return unlinkat(root, id, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Of itself, if it is a link. */
static int look_at(const struct store *s, const char *id, struct stat *ret)
{
        _cleanup_(closep) int root = open_root(s);

        if (root < 0)
                return root;
        return fstatat(root, id, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* The first failure; the others are tried all the same. What is no file of ours may stay. */
static int remove_entries(int fd, const char *kept)
{
        DIR *d = fdopendir(fd);
        struct dirent *entry;
        int k = 0;

        if (!d) {
                k = -errno;
                close(fd);
                return k;
        }
        while ((entry = readdir(d))) {
                if (streq(entry->d_name, ".") || streq(entry->d_name, "..") ||
                    (kept && streq(entry->d_name, kept)) || streq(entry->d_name, STATE_JSON))
                        continue;
                if (unlinkat(dirfd(d), entry->d_name, 0) < 0 && errno != ENOENT && k == 0)
                        k = -errno;
        }
        closedir(d);
        return k;
}

/* All but state.json and, if there is one, @kept. */
static int clear(const struct store *s, const char *id, const char *kept, struct err *e)
{
        int fd = open_bundle(s, id), k;

        if (fd < 0)
                return err_set(e, fd, "cannot open %s/%s: %s", s->directory, id, strerror(-fd));
        k = remove_entries(fd, kept);
        return k < 0 ? err_set(e, k, "cannot remove files of %s/%s: %s", s->directory, id,
                               strerror(-k))
                     : 0;
}

int store_remove_files(struct store *s, const char *id, struct err *e)
{
        return clear(s, id, NULL, e);
}

/* The size of its file, or -errno: it is none. */
static int64_t size_of_file(const struct store *s, const struct bundle *b)
{
        _cleanup_(closep) int fd = open_bundle(s, b->id);
        struct stat st;

        if (fd < 0)
                return fd;
        if (!b->file[0])
                return -ENOENT;
        if (fstatat(fd, b->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? (int64_t)st.st_size : -EINVAL;
}

int store_sweep(struct store *s, const struct bundle *b, uint64_t *ret, struct err *e)
{
        int64_t size = size_of_file(s, b);

        if (size < 0)
                return err_set(e, (int)size, "its file is missing");
        *ret = (uint64_t)size;
        (void)clear(s, b->id, b->file, NULL); /* what stays is swept at the next start */
        return 0;
}

int store_path(const struct store *s, const char *id, const char *name, char *ret, size_t n)
{
        int k = snprintf(ret, n, "%s/%s%s%s", s->directory, id, *name ? "/" : "", name);

        return k < 0 || (size_t)k >= n ? -ENAMETOOLONG : 0;
}

static int write_state(const struct store *s, const struct bundle *b, struct err *e)
{
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_MAX};
        _cleanup_(closep) int fd =
                open_bundle(s, b->id); /* it is a directory, and no link to one */
        char path[PATH_MAX];
        int k;

        if (fd < 0)
                return err_set(e, fd, "cannot open %s/%s: %s", s->directory, b->id, strerror(-fd));
        bundle_write(&json, b, true);
        buf_putc(&json, '\n');
        k = json.error ? json.error : store_path(s, b->id, STATE_JSON, path, sizeof(path));
        if (k < 0)
                return err_set(e, k, "cannot write the state of bundle %s: %s", b->id,
                               strerror(-k));
        return fs_replace(path, json.data, json.n, 0600, e);
}

/* --- at the start ------------------------------------------------------------------------------ */

static int read_state(const struct store *s, const char *id, struct bundle **ret, struct err *e)
{
        _cleanup_(freep) char *json = NULL;
        char path[PATH_MAX];
        size_t n;
        int k;

        k = store_path(s, id, STATE_JSON, path, sizeof(path));
        if (k < 0)
                return err_set(e, k, "a path that is too long");
        k = fs_read(path, BUNDLE_JSON_MAX, &json, &n, e);
        if (k >= 0)
                k = bundle_read(ret, json, n, e);
        if (k < 0)
                return k;
        if (!streq((*ret)->id, id)) {
                *ret = bundle_free(*ret);
                return err_set(e, -EINVAL, "its state.json is that of another bundle");
        }
        return 0;
}

static struct bundle *make_unknown(const struct store *s, const char *id, const char *why)
{
        _cleanup_(bundle_freep) struct bundle *b = calloc(1, sizeof(*b));
        struct stat st;

        if (!b || say_again(&b->error, why) < 0)
                return NULL;
        (void)snprintf(b->id, sizeof(b->id), "%s", id);
        if (look_at(s, id, &st) >= 0)
                b->created_wall_usec = (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC;
        return TAKE_PTR(b);
}

static int fail_it(struct store *s, struct bundle *b, const char *why)
{
        b->state = BUNDLE_FAILED;
        b->finished_wall_usec = now_wall_usec();
        b->size_bytes = 0;
        b->sha256[0] = b->file[0] = b->current[0] = '\0';
        (void)clear(s, b->id, NULL, NULL);
        if (say_again(&b->error, why) < 0)
                return -ENOMEM;
        (void)write_state(s, b, NULL); /* else the next start does it */
        return 0;
}

static int mend_done(struct store *s, struct bundle *b)
{
        struct err e;

        if (store_sweep(s, b, &b->size_bytes, &e) >= 0)
                return 0;
        b->state = BUNDLE_UNKNOWN; /* not written down: the file may come back */
        return say_again(&b->error, e.text);
}

static int mend(struct store *s, struct bundle *b, const char *restarted)
{
        switch (b->state) {
        case BUNDLE_DONE:
                return mend_done(s, b);
        case BUNDLE_FAILED:
        case BUNDLE_CANCELED:
        case BUNDLE_DELETED:
                (void)clear(s, b->id, NULL, NULL);
                return 0;
        case BUNDLE_UNKNOWN:
                return say_again(&b->error, "its state.json is of a newer version");
        case BUNDLE_QUEUED:
        case BUNDLE_RUNNING:
        case BUNDLE_MERGING:
        default:
                return fail_it(s, b, restarted);
        }
}

/* Nothing in it but what fs_replace() left: we were killed while it was made. */
static bool was_never_begun(struct store *s, const char *id)
{
        int fd = open_bundle(s, id), k = 0;
        struct dirent *entry;
        DIR *d;

        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
                closep(&fd);
                return false;
        }
        while ((entry = readdir(d)))
                if (strncmp(entry->d_name, STATE_JSON ".", strlen(STATE_JSON ".")) == 0)
                        k = k | unlinkat(dirfd(d), entry->d_name, 0);
        closedir(d);
        return k == 0 && remove_bundle(s, id) == 0;
}

static int take_in(struct store *s, const char *id, const char *restarted)
{
        _cleanup_(bundle_freep) struct bundle *b = NULL;
        struct err e = {0};
        int k = read_state(s, id, &b, &e);

        if (k == -ENOMEM)
                return k;
        if (k == -ENOENT && was_never_begun(s, id))
                return 0;
        if (b) {
                k = mend(s, b, restarted);
                return k < 0 ? k : insert(s, TAKE_PTR(b));
        }
        b = make_unknown(s, id, e.text);
        return b ? insert(s, TAKE_PTR(b)) : -ENOMEM;
}

static bool is_bundle(const struct store *s, const char *name)
{
        struct stat st;

        return bundle_id_is_valid(name) && look_at(s, name, &st) >= 0 && S_ISDIR(st.st_mode);
}

static int read_all(struct store *s, const char *restarted)
{
        DIR *d = opendir(s->directory);
        struct dirent *entry;
        int k = 0;

        if (!d)
                return -errno;
        while (k >= 0 && s->n_bundles < STORE_READ_MAX && (entry = readdir(d)))
                if (is_bundle(s, entry->d_name))
                        k = take_in(s, entry->d_name, restarted);
        closedir(d);
        return k;
}

/* And those above it. */
static int make_directory(const char *path)
{
        _cleanup_(freep) char *part = strdup(path);

        if (!part)
                return -ENOMEM;
        for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int store_open(struct store **ret, const char *directory, const struct store_limits *limits,
               const char *restarted, struct err *e)
{
        _cleanup_(store_freep) struct store *s = calloc(1, sizeof(*s));
        int k;

        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        if (strlen(directory) >= sizeof(s->directory) - BUNDLE_ID_MAX - NAME_MAX)
                return err_set(e, -ENAMETOOLONG, "%.100s… is too long a path", directory);
        (void)snprintf(s->directory, sizeof(s->directory), "%s", directory);
        store_set_limits(s, limits);
        k = make_directory(directory);
        if (k < 0)
                return err_set(e, k, "cannot make %s: %s", directory, strerror(-k));
        k = read_all(s, restarted);
        if (k < 0)
                return err_set(e, k, "cannot read %s: %s", directory, strerror(-k));
        *ret = TAKE_PTR(s);
        return 0;
}

struct store *store_free(struct store *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n_bundles; i++)
                bundle_free(s->bundles[i]);
        free(s->bundles);
        free(s);
        return NULL;
}

void store_set_limits(struct store *s, const struct store_limits *limits)
{
        static const struct store_limits none;

        s->limits = *(limits ? limits : &none);
        if (!s->limits.n_max)
                s->limits.n_max = STORE_BUNDLES_MAX;
        if (!s->limits.bytes_max)
                s->limits.bytes_max = STORE_BYTES_MAX;
        if (!s->limits.age_max_usec)
                s->limits.age_max_usec = STORE_AGE_MAX_USEC;
        if (!s->limits.floor_bytes)
                s->limits.floor_bytes = STORE_FLOOR_BYTES;
}

/* --- what there is ----------------------------------------------------------------------------- */

const struct bundle *const *store_list(const struct store *s, size_t *ret_n)
{
        *ret_n = s->n_bundles;
        return (const struct bundle *const *)s->bundles;
}

const struct bundle *store_find(const struct store *s, const char *id)
{
        struct bundle **at = find(s, id);

        return at ? *at : NULL;
}

int store_open_file(const struct store *s, const char *id)
{
        const struct bundle *b = store_find(s, id);
        _cleanup_(closep) int dir = -1, fd = -1;
        struct stat st;

        if (!b || b->state != BUNDLE_DONE || !b->file[0])
                return -ENOENT;
        dir = open_bundle(s, id);
        if (dir < 0)
                return dir;
        fd = openat(dir, b->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

int store_floor(const struct store *s, uint64_t *ret_floor, uint64_t *ret_free, struct err *e)
{
        uint64_t share;
        struct statvfs v;

        if (statvfs(s->directory, &v) < 0)
                return err_set(e, -errno, "cannot tell how much is free in %s: %s", s->directory,
                               strerror(errno));
        share = (uint64_t)v.f_blocks * v.f_frsize / STORE_FLOOR_SHARE;
        *ret_floor = share > s->limits.floor_bytes ? share : s->limits.floor_bytes;
        *ret_free = (uint64_t)v.f_bavail * v.f_frsize;
        return 0;
}

/* --- changes ----------------------------------------------------------------------------------- */

static int look_for_room(const struct store *s, struct err *e)
{
        uint64_t floor = 0, n_free = 0;
        int k = store_floor(s, &floor, &n_free, e);

        if (k < 0)
                return k;
        if (n_free <= floor)
                return err_set(e, -ENOSPC,
                               "%llu MiB are free in %s, and %llu MiB have to stay free",
                               (unsigned long long)(n_free >> 20), s->directory,
                               (unsigned long long)(floor >> 20));
        return 0;
}

static size_t trim(struct store *s, uint64_t now_wall_usec, size_t n_more);

static int make_bundle(struct store *s, const struct bundle *b, struct err *e)
{
        _cleanup_(closep) int root = open_root(s);
        int k;

        if (root < 0)
                return err_set(e, root, "cannot open %s: %s", s->directory, strerror(-root));
        if (mkdirat(root, b->id, 0700) < 0)
                return errno == EEXIST ? err_set(e, -EEXIST, "bundle %s already exists", b->id)
                                       : err_set(e, -errno, "cannot make %s/%s: %s", s->directory,
                                                 b->id, strerror(errno));
        k = write_state(s, b, e);
        if (k < 0)
                (void)unlinkat(root, b->id, AT_REMOVEDIR);
        else
                (void)fsync(root);
        return k;
}

int store_add(struct store *s, struct bundle *taken, struct err *e)
{
        _cleanup_(bundle_freep) struct bundle *b = taken;
        int k;

        if (!bundle_id_is_valid(b->id))
                return err_set(e, -EINVAL, "not an id for a bundle");
        if (find(s, b->id))
                return err_set(e, -EEXIST, "bundle %s already exists", b->id);
        (void)trim(s, now_wall_usec(), 1);
        k = look_for_room(s, e);
        if (k >= 0)
                k = make_bundle(s, b, e);
        if (k < 0)
                return k;
        k = insert(s, TAKE_PTR(b));
        return k < 0 ? err_set(e, k, "out of memory") : 0; /* the next start finds it */
}

int store_set(struct store *s, struct bundle *taken)
{
        struct bundle **at = find(s, taken->id);

        if (!at) {
                bundle_free(taken);
                return -ENOENT;
        }
        taken->created_wall_usec = (*at)->created_wall_usec; /* its place in the list */
        bundle_free(*at);
        *at = taken;
        return 0;
}

int store_replace(struct store *s, struct bundle *taken, struct err *e)
{
        _cleanup_(bundle_freep) struct bundle *b = taken;
        struct bundle **at = find(s, b->id);
        int k;

        if (!at)
                return err_set(e, -ENOENT, "there is no bundle %s", b->id);
        b->created_wall_usec = (*at)->created_wall_usec;
        k = write_state(s, b, e);
        return k < 0 ? k : store_set(s, TAKE_PTR(b));
}

static bool is_being_made(const struct bundle *b)
{
        return b->state != BUNDLE_UNKNOWN && !bundle_state_is_final(b->state);
}

static struct bundle *deleted_copy(const struct bundle *b)
{
        struct bundle *gone = bundle_copy(b);

        if (!gone)
                return NULL;
        gone->state = BUNDLE_DELETED;
        gone->file[0] = '\0';
        if (!gone->finished_wall_usec)
                gone->finished_wall_usec = now_wall_usec();
        return gone;
}

/* A full disk must not keep us from making room: then the file goes first. */
static int write_deleted(struct store *s, const struct bundle *gone, struct err *e)
{
        int k = write_state(s, gone, e);

        if (k == -ENOSPC || k == -EDQUOT) {
                (void)clear(s, gone->id, NULL, NULL);
                k = write_state(s, gone, e);
        }
        return k;
}

int store_delete(struct store *s, const char *id, struct err *e)
{
        _cleanup_(bundle_freep) struct bundle *gone = NULL;
        struct bundle **at = find(s, id);
        int k;

        if (!at)
                return err_set(e, -ENOENT, "there is no bundle %s", id);
        if (is_being_made(*at))
                return err_set(e, -EBUSY, "bundle %s is being made", id);
        if ((*at)->state == BUNDLE_DELETED)
                return 0;
        gone = deleted_copy(*at);
        if (!gone)
                return err_set(e, -ENOMEM, "out of memory");
        k = write_deleted(s, gone, e);
        if (k < 0)
                return k;
        (void)store_set(s, TAKE_PTR(gone));
        return clear(s, (*at)->id, NULL, e); /* @id may have been that of the one before */
}

/* --- retention --------------------------------------------------------------------------------- */

static void forget(struct store *s, struct bundle **at)
{
        const char *id = (*at)->id;
        int fd = open_bundle(s, id);

        if (fd >= 0) {
                int state = fcntl(fd, F_DUPFD_CLOEXEC, 0);

                (void)remove_entries(fd, NULL);
                (void)unlinkat(state, STATE_JSON, 0);
                closep(&state);
        }
        (void)remove_bundle(s, id);
        drop(s, at);
}

static uint64_t last_touched(const struct bundle *b)
{
        return b->finished_wall_usec > b->created_wall_usec ? b->finished_wall_usec
                                                            : b->created_wall_usec;
}

/* Newest first: the newest that fit stay, and what is too old goes. @n_more: for how many room is to be made. */
static size_t trim_files(struct store *s, uint64_t now_wall_usec, size_t n_more)
{
        size_t n_files = n_more, n_gone = 0;
        uint64_t n_bytes = 0;

        for (size_t i = 0; i < s->n_bundles; i++) {
                const struct bundle *b = s->bundles[i];
                bool old = usec_since(now_wall_usec, last_touched(b)) > s->limits.age_max_usec;

                if (is_being_made(b) || b->state == BUNDLE_DELETED)
                        continue;
                if (b->state == BUNDLE_DONE) {
                        n_files++;
                        n_bytes += b->size_bytes;
                        old = old || n_files > s->limits.n_max || n_bytes > s->limits.bytes_max;
                }
                if (old && store_delete(s, b->id, NULL) >= 0)
                        n_gone++;
        }
        return n_gone;
}

static size_t trim_states(struct store *s, uint64_t now_wall_usec)
{
        size_t n_states = 0, n_gone = 0, i = 0;

        while (i < s->n_bundles) {
                const struct bundle *b = s->bundles[i];
                bool old = b->state == BUNDLE_DELETED &&
                           usec_since(now_wall_usec, last_touched(b)) > STORE_DELETED_USEC;

                if (b->state == BUNDLE_DONE || is_being_made(b) ||
                    (!old && ++n_states <= STORE_DELETED_MAX)) {
                        i++;
                        continue;
                }
                forget(s, &s->bundles[i]);
                n_gone++;
        }
        return n_gone;
}

static size_t trim(struct store *s, uint64_t now_wall_usec, size_t n_more)
{
        size_t n = trim_files(s, now_wall_usec, n_more);

        return n + trim_states(s, now_wall_usec);
}

size_t store_trim(struct store *s, uint64_t now_wall_usec)
{
        return trim(s, now_wall_usec, 0);
}
