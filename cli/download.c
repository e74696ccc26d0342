/*
 * One pass: each byte is hashed when it comes, and those of an earlier run once, before the rest is asked for. The
 * entity tag of what was begun is kept with the .part, as an attribute, where the file system has those: a master who
 * has something else by now sends all of it. Where it has not, the SHA-256 finds out, and it is fetched once more.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/digest.h"
#include "base/mono.h"
#include "cli/download.h"
#include "cli/path.h"

#define BUNDLES_PATH   "/system/health/v2/bundles/"
#define PART           ".part"
#define ETAG_ATTRIBUTE "user.diag.etag"
#define READ_BYTES     (256u * 1024u)
#define OPEN_TRIES     8u

struct transfer {
        const struct download *d;
        struct err *e;
        struct digest *digest;
        char part[PATH_MAX];
        int fd;
        uint64_t n;              /* bytes in the .part, all of them in the digest */
        uint64_t n_max;          /* more must not come */
        char etag[GET_ETAG_MAX]; /* of what they are a part of; "": not known */
        bool inherited;          /* some of them are from an earlier run */
        bool begun;              /* this answer's head was looked at */
};

static void transfer_done(struct transfer *t)
{
        digest_free(t->digest);
        closep(&t->fd);
}

static uint64_t expected(const struct transfer *t)
{
        return t->d->bundle->has_size ? t->d->bundle->n_bytes : 0;
}

/* --- where ----------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

void download_path(struct buf *ret, const char *output, const struct bundle_info *b)
{
        bool into =
                !str_empty(output) && (is_directory(output) || output[strlen(output) - 1] == '/');

        buf_puts(ret, str_or(output, ""));
        if (into && output[strlen(output) - 1] != '/')
                buf_putc(ret, '/');
        if (str_empty(output) || into)
                buf_printf(ret, "%s.%s", b->id, str_or(b->format, "bundle"));
}

/* --- the part -------------------------------------------------------------------------------------- */

static int fail(const struct transfer *t, const char *what, int error)
{
        return err_set(t->e, error, "cannot %s %s: %s", what, t->part, strerror(-error));
}

/* In a directory where others write, too, there may stand what they want us to write into. */
static int check_part(const struct transfer *t)
{
        struct stat st;

        if (fstat(t->fd, &st) < 0)
                return fail(t, "look at", -errno);
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink > 1)
                return err_set(t->e, -EPERM, "%s is there, and is no plain file of ours", t->part);
        if (fchmod(t->fd, 0600) < 0)
                return fail(t, "protect", -errno);
        return 0;
}

/* Who had the lock before may have renamed it meanwhile. */
static bool part_is_where_it_was(const struct transfer *t)
{
        struct stat here, there;

        return fstat(t->fd, &here) == 0 && lstat(t->part, &there) == 0 &&
               here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int open_part(struct transfer *t)
{
        for (unsigned i = 0; i < OPEN_TRIES; i++) {
                int r;

                t->fd = open(t->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
                if (t->fd < 0)
                        return fail(t, "write", -errno);
                r = check_part(t);
                if (r < 0)
                        return r;
                if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
                        return errno == EWOULDBLOCK
                                       ? err_set(t->e, -EBUSY,
                                                 "%s is being written by another diag", t->part)
                                       : fail(t, "lock", -errno);
                if (part_is_where_it_was(t))
                        return 0;
                closep(&t->fd);
                t->fd = -1;
        }
        return fail(t, "keep", -EBUSY);
}

static void keep_etag(struct transfer *t, const char *etag)
{
        /* A weak one says "much the same", which is not enough to go on with other bytes. */
        (void)snprintf(t->etag, sizeof(t->etag), "%s", *etag == '"' ? etag : "");
        if (*t->etag)
                (void)fsetxattr(t->fd, ETAG_ATTRIBUTE, t->etag, strlen(t->etag), 0);
        else
                (void)fremovexattr(t->fd, ETAG_ATTRIBUTE);
}

static void find_etag(struct transfer *t)
{
        ssize_t n = fgetxattr(t->fd, ETAG_ATTRIBUTE, t->etag, sizeof(t->etag) - 1);

        t->etag[n > 0 ? n : 0] = '\0';
        if (*t->etag != '"' || strpbrk(t->etag, "\r\n"))
                *t->etag = '\0';
}

static int begin_anew(struct transfer *t)
{
        uint8_t forgotten[DIGEST_BYTES];

        if (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)
                return fail(t, "empty", -errno);
        keep_etag(t, "");
        t->n = 0;
        t->inherited = false;
        (void)digest_end(t->digest, forgotten);
        return 0;
}

static int hash_part(struct transfer *t)
{
        _cleanup_(freep) char *data = malloc(READ_BYTES);

        if (!data)
                return err_set(t->e, -ENOMEM, "out of memory");
        for (;;) {
                ssize_t n = read(t->fd, data, READ_BYTES);

                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return fail(t, "read", -errno);
                if (n > 0 && digest_add(t->digest, data, (size_t)n) < 0)
                        return fail(t, "hash", -EIO);
                t->n += n > 0 ? (uint64_t)n : 0;
        }
}

/* What an earlier run left is worth something if there is a way to see that it belongs to this bundle. */
static int take_over(struct transfer *t)
{
        struct stat st;

        if (fstat(t->fd, &st) < 0)
                return fail(t, "look at", -errno);
        find_etag(t);
        if ((uint64_t)st.st_size > t->n_max || (!*t->etag && str_empty(t->d->bundle->sha256)))
                return begin_anew(t);
        t->inherited = st.st_size > 0;
        return hash_part(t);
}

/* --- the answer ------------------------------------------------------------------------------------ */

static int write_all(struct transfer *t, const char *data, size_t n)
{
        while (n > 0) {
                ssize_t k = write(t->fd, data, n);

                if (k < 0 && errno != EINTR)
                        return fail(t, "write", -errno);
                if (k > 0) {
                        data += k;
                        n -= (size_t)k;
                }
        }
        return 0;
}

static int begin_answer(struct transfer *t, const struct get_answer *head)
{
        t->begun = true;
        if (head->status == 200) {
                int r = t->n > 0 ? begin_anew(t) : 0;

                if (r == 0)
                        keep_etag(t, head->etag);
                return r;
        }
        if (head->from_byte != t->n ||
            (t->d->bundle->has_size && head->total_bytes != t->d->bundle->n_bytes))
                return err_set(t->e, -EPROTO, "%s sends another part of it than was asked for",
                               t->d->client->who);
        return 0;
}

static int take_piece(struct transfer *t, const struct get_answer *head, const void *data, size_t n)
{
        int r = t->begun ? 0 : begin_answer(t, head);

        if (r < 0)
                return r;
        if (n > t->n_max - t->n)
                return err_set(t->e, -EFBIG, "%s sends more than the %" PRIu64 " bytes that it has",
                               t->d->client->who, t->n_max);
        r = write_all(t, data, n);
        if (r < 0)
                return r;
        if (digest_add(t->digest, data, n) < 0)
                return fail(t, "hash", -EIO);
        t->n += n;
        if (t->d->on_progress)
                t->d->on_progress(t->d->userdata, t->n, expected(t));
        return 0;
}

/* The client gives some numbers a meaning of its own, so it gets one that has none; @e has the right one. */
static int on_body(void *userdata, const struct get_answer *head, const void *data, size_t n)
{
        return take_piece(userdata, head, data, n) < 0 ? -ECANCELED : 0;
}

/* --- the question ---------------------------------------------------------------------------------- */

static int ask(struct transfer *t, struct get_answer *ret)
{
        _cleanup_(buf_done) struct buf path = {0};
        char range[64], if_range[GET_ETAG_MAX + 16];
        const char *headers[4] = {"Accept: */*"};
        int r;

        (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", t->n);
        (void)snprintf(if_range, sizeof(if_range), "If-Range: %s", t->etag);
        if (t->n > 0)
                headers[1] = range;
        if (t->n > 0 && *t->etag)
                headers[2] = if_range;
        buf_puts(&path, BUNDLES_PATH);
        path_append_word(&path, t->d->bundle->id);
        buf_puts(&path, "/file");
        t->begun = false;
        r = client_perform(t->d->client, buf_cstr(&path),
                           (struct get_request){
                                   .headers = headers,
                                   .stall_usec = DOWNLOAD_STALL_USEC,
                                   .max_bytes = DOWNLOAD_REFUSAL_BYTES_MAX,
                                   .on_body = on_body,
                                   .userdata = t,
                           },
                           ret, t->e);
        return r == -ECANCELED ? t->e->code : r;
}

/* Return: 0: that was all of it */
static int ask_once(struct transfer *t, unsigned *ret_status, struct buf *refusal)
{
        _cleanup_(get_answer_done) struct get_answer a = {0};
        int r = ask(t, &a);

        if (r != 0)
                return r;
        if (a.status == 200 && !t->begun) /* not a byte */
                return begin_answer(t, &a);
        if (a.status == 200 || a.status == 206)
                return 0;
        *ret_status = a.status;
        buf_append(refusal, buf_cstr(&a.body), a.body.n);
        return DOWNLOAD_REFUSED;
}

static void pause_for(uint64_t usec)
{
        const struct timespec ts = {
                .tv_sec = (time_t)(usec / USEC_PER_SEC),
                .tv_nsec = (long)(usec % USEC_PER_SEC * 1000),
        };

        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* A master that is restarted meanwhile is nobody for a moment. */
static int ask_on(struct transfer *t, unsigned *ret_status, struct buf *refusal)
{
        unsigned n_vain = 0;

        for (;;) {
                uint64_t n = t->n;
                int r = ask_once(t, ret_status, refusal);

                n_vain = t->n > n ? 1 : n_vain + 1;
                if (r == 0 || (r != CLIENT_NO_ANSWER && r != CLIENT_NOBODY) || t->n == 0 ||
                    n_vain >= DOWNLOAD_TRIES)
                        return r;
                pause_for(t->d->pause_usec);
        }
}

/* --- the end --------------------------------------------------------------------------------------- */

/* Return: 0, -EBADMSG: it is not what it should be, with @e */
static int check(struct transfer *t)
{
        const struct bundle_info *b = t->d->bundle;
        uint8_t digest[DIGEST_BYTES];
        char hex[DIGEST_HEX];

        if (b->has_size && t->n != b->n_bytes)
                return err_set(t->e, -EBADMSG, "of %" PRIu64 " bytes came %" PRIu64, b->n_bytes,
                               t->n);
        if (digest_end(t->digest, digest) < 0)
                return fail(t, "hash", -EIO);
        digest_to_hex(hex, digest);
        if (!str_empty(b->sha256) && !streq(hex, b->sha256))
                return err_set(t->e, -EBADMSG, "its SHA-256 should be %s, and is %s", b->sha256,
                               hex);
        return 0;
}

static int publish(struct transfer *t)
{
        (void)fremovexattr(t->fd, ETAG_ATTRIBUTE);
        if (fsync(t->fd) < 0)
                return fail(t, "write", -errno);
        if (rename(t->part, t->d->file) < 0)
                return err_set(t->e, -errno, "cannot rename %s to %s: %s", t->part, t->d->file,
                               strerror(errno));
        return 0;
}

/* Return: as download_run(), or -EAGAIN: bytes of an earlier run were in it, and it has to begin anew. */
static int fetch_and_check(struct transfer *t, unsigned *ret_status, struct buf *refusal)
{
        bool inherited;
        int r = 0;

        if (!t->d->bundle->has_size || t->n < t->n_max)
                r = ask_on(t, ret_status, refusal);
        inherited = t->inherited &&
                    (r == DOWNLOAD_REFUSED ? *ret_status == 416 : r == 0 || r == -EPROTO);
        if (r == 0)
                r = check(t);
        if (r == 0)
                return publish(t);
        if (inherited)
                return begin_anew(t) < 0 ? t->e->code : -EAGAIN;
        /* Nothing came: leave nothing. What cannot be right is of no use either. */
        if (t->n == 0 || r == -EBADMSG)
                (void)unlink(t->part);
        return r;
}

int download_run(const struct download *d, unsigned *ret_status, struct buf *refusal, struct err *e)
{
        struct err own = {0};
        _cleanup_(transfer_done) struct transfer t = {
                .d = d,
                .e = e ? e : &own,
                .fd = -1,
                .n_max = d->bundle->has_size ? d->bundle->n_bytes : DOWNLOAD_BYTES_MAX,
        };
        int n = snprintf(t.part, sizeof(t.part), "%s" PART, d->file), r;

        if (n < 0 || (size_t)n >= sizeof(t.part))
                return err_set(t.e, -ENAMETOOLONG, "that is too long a name for a file");
        if (is_directory(d->file))
                return err_set(t.e, -EISDIR, "%s is a directory", d->file);
        if (digest_new(&t.digest) < 0)
                return err_set(t.e, -ENOMEM, "out of memory");
        r = open_part(&t);
        if (r == 0)
                r = take_over(&t);
        if (r == 0)
                r = fetch_and_check(&t, ret_status, refusal);
        if (r == -EAGAIN) {
                buf_clear(refusal);
                r = fetch_and_check(&t, ret_status, refusal);
        }
        return r;
}
