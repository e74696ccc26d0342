/* Nothing here trusts a fragment further than the grammar goes, nor the disk further than it has said. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mono.h"
#include "bundles/fragment.h"
#include "bundles/gather_arrivals.h"
#include "bundles/gather_join.h"
#include "bundles/gather_zip.h"

#define RESERVE_BYTES    (UINT64_C(64) << 10) /* for headers and frames, and the end of an archive */
#define RESERVE_ENTRY    1024u
#define SMALL_BYTES      (UINT64_C(256) << 10) /* at the root, that go in whatever the floor is */
#define WALK_USEC        (10 * USEC_PER_MIN)
#define HASH_BLOCK_BYTES (256u << 10)

struct joiner {
        struct joiner_options options;
        struct archive *archive;
        int fd;
        atomic_bool canceled;
};

static const char part_name[] = "file.part";

int joiner_new(struct joiner **ret, const struct joiner_options *options, struct err *e)
{
        _cleanup_(joiner_freep) struct joiner *j = calloc(1, sizeof(*j));
        struct archive_options archive = {.format = options->format};
        char path[4096];
        int k;

        if (!j)
                return err_set(e, -ENOMEM, "out of memory");
        j->options = *options;
        j->fd = -1;
        if (snprintf(path, sizeof(path), "%s/%s", options->directory, part_name) >=
            (int)sizeof(path))
                return err_set(e, -ENAMETOOLONG, "%s: too long", options->directory);
        (void)unlink(path);
        j->fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (j->fd < 0)
                return err_set(e, -errno, "%s: %s", path, strerror(errno));
        archive.fd = j->fd;
        k = archive_new(&j->archive, &archive, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(j);
        return 0;
}

struct joiner *joiner_free(struct joiner *j)
{
        if (!j)
                return NULL;
        archive_free(j->archive);
        closep(&j->fd);
        free(j);
        return NULL;
}

void joiner_cancel(struct joiner *j)
{
        atomic_store(&j->canceled, true);
}

bool joiner_is_canceled(const struct joiner *j)
{
        return atomic_load(&j->canceled);
}

struct archive *joiner_archive(struct joiner *j)
{
        return j->archive;
}

int joiner_reserve(struct joiner *j, uint64_t n, bool last)
{
        uint64_t written = archive_written(j->archive);

        if (!last && (n > j->options.max_bytes || written > j->options.max_bytes - n))
                return -EFBIG;
        if (j->options.free_floor && !(last && n <= SMALL_BYTES) &&
            disk_free(j->fd) < j->options.free_floor + n)
                return -ENOSPC;
        if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, (off_t)written, (off_t)n) < 0 &&
            (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
                return errno == EFBIG ? -EFBIG : -ENOSPC;
        return 0;
}

/* --- a fragment ------------------------------------------------------------------------------------------ */

struct walk {
        struct joiner *joiner;
        char status_path[ARCHIVE_PATH_MAX + sizeof(NODE_STATUS_NAME) + 1];
        bool in_status;
        struct buf status;
        struct arrivals arrivals;
};

static int on_begin(const struct fragment_entry *entry, void *userdata)
{
        struct walk *w = userdata;

        w->in_status = entry->size <= NODE_STATUS_BYTES_MAX && streq(entry->path, w->status_path);
        if (w->in_status)
                buf_clear(&w->status);
        return joiner_is_canceled(w->joiner) ? -ECANCELED : 0;
}

static int on_data(const void *data, size_t n, void *userdata)
{
        struct walk *w = userdata;

        if (w->in_status)
                buf_append(&w->status, data, n);
        return joiner_is_canceled(w->joiner) ? -ECANCELED : w->status.error;
}

static int on_end(const struct fragment_entry *entry, void *userdata)
{
        struct walk *w = userdata;
        bool is_status = w->in_status;

        w->in_status = false;
        return is_status ? 0 : arrivals_add(&w->arrivals, entry);
}

static _printf_(3, 4) int reject(struct joint *joint, int error, const char *fmt, ...)
{
        struct err words;
        va_list ap;
        char text[sizeof(joint->fault)];

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void)err_set(&words, error, "%s", text);
        (void)snprintf(joint->fault, sizeof(joint->fault), "%s", words.text);
        joint->error = error;
        return 0;
}

/* Its own account counts where it fits to where it was found. */
static void read_status(struct joint *joint, const struct buf *json, struct arrivals *arrivals)
{
        struct err e = {0};
        size_t n_untrue;

        if (!json->n) {
                if (!*joint->fault && joint->n_entries)
                        (void)snprintf(joint->fault, sizeof(joint->fault),
                                       "it ended early: there is no status of it");
                return;
        }
        if (node_status_read(&joint->status, json->data, json->n, &e) < 0) {
                if (!*joint->fault)
                        (void)reject(joint, 0, "its status cannot be read: %s", e.text);
                return;
        }
        if (!joint->status.prefix || !streq(joint->status.prefix, joint->prefix)) {
                if (!*joint->fault)
                        (void)reject(joint, 0, "its status is that of another node");
                node_status_done(&joint->status);
                return;
        }
        joint->has_status = true;
        n_untrue = arrivals_correct(arrivals, &joint->status);
        if (joint->status.partial && !*joint->fault)
                (void)reject(joint, 0, "%s",
                             str_or(joint->status.partial_reason, "it could not collect all"));
        if (n_untrue && !*joint->fault)
                (void)reject(joint, 0, "its status is not true of %zu of its entries", n_untrue);
}

static const char *why_no_room(int k)
{
        return k == -EFBIG ? "the bundle is as large as it may be"
                           : "there is no room for it on this master's disk";
}

/* What a copy takes: as much again where the format stays; a zip of text is a third larger than zstd makes it. */
static uint64_t size_of_copy(const struct joiner *j, const struct joint *joint,
                             const struct fragment_result *r)
{
        uint64_t n = joint->spool.n + joint->spool.n / 2;

        if (j->options.format != joint->format)
                n += joint->spool.n;
        return (n < r->n_bytes || !r->n_bytes ? n : r->n_bytes) + RESERVE_BYTES +
               r->n_entries * RESERVE_ENTRY;
}

static int rewind_spool(const struct joint *joint, struct err *e)
{
        return lseek(joint->spool.fd, 0, SEEK_SET) < 0
                       ? err_set(e, -errno, "cannot read what was spooled: %s", strerror(errno))
                       : 0;
}

static int append(struct joiner *j, struct joint *joint, const struct fragment_terms *terms,
                  const struct fragment_result *r, struct err *e)
{
        bool as_is = r->whole && joint->format == j->options.format;
        uint64_t n = as_is ? joint->spool.n + RESERVE_BYTES : size_of_copy(j, joint, r);
        int k = joiner_reserve(j, n, false);

        if (k < 0)
                return reject(joint, k, "%s", why_no_room(k));
        k = rewind_spool(joint, e);
        if (k >= 0)
                k = as_is ? archive_splice(j->archive, joint->spool.fd, joint->spool.n)
                          : fragment_copy(joint->spool.fd, terms, r->n_entries, j->archive, e);
        if (archive_error(j->archive)->code)
                return err_set(e, archive_error(j->archive)->code, "%s",
                               archive_error(j->archive)->text);
        if (k < 0) /* what was copied before is there */
                (void)reject(joint, 0, "not all of it could be copied: %s",
                             str_or(e->text, strerror(-k)));
        return 0;
}

static int add_fragment(struct joiner *j, struct joint *joint, struct err *e)
{
        const struct fragment_terms terms = {
                .format = joint->format,
                .prefix = joint->prefix,
                .max_bytes = j->options.node_max_bytes,
                .max_entries = j->options.node_max_entries,
                .deadline_mono_usec = now_mono_usec() + WALK_USEC,
        };
        struct walk w = {.joiner = j, .status.max = NODE_STATUS_BYTES_MAX};
        const struct fragment_visitor visitor = {on_begin, on_data, on_end, &w};
        struct fragment_result r = {0};
        struct err why = {0};
        int k;

        (void)snprintf(w.status_path, sizeof(w.status_path), "%s/" NODE_STATUS_NAME, joint->prefix);
        k = rewind_spool(joint, &why);
        if (k >= 0)
                k = fragment_walk(joint->spool.fd, &terms, &visitor, &r, &why);
        if (k >= 0 && !r.whole && !*joint->fault)
                (void)reject(joint, 0, "its fragment is faulty: %s", r.fault);
        joint->n_entries = r.n_entries;
        if (k >= 0)
                read_status(joint, &w.status, &w.arrivals);
        buf_done(&w.status);
        arrivals_done(&w.arrivals);
        if (k < 0)
                return reject(joint, k, "what it sent cannot be looked at: %s",
                              str_or(why.text, strerror(-k)));
        if (r.n_entries == 0)
                return *joint->fault ? (joint->error = -EBADMSG, 0)
                                     : reject(joint, -EBADMSG, "it sent nothing");
        return append(j, joint, &terms, &r, e);
}

/* --- a zip of the service that we replace ---------------------------------------------------------------- */

static int add_zip(struct joiner *j, struct joint *joint, struct err *e)
{
        struct gather_zip z = {
                .into = j->archive,
                .prefix = joint->prefix,
                .salt = j->options.salt,
                .max_bytes = j->options.node_max_bytes,
                .max_entries = j->options.node_max_entries,
                .deadline_mono_usec = now_mono_usec() + WALK_USEC,
                .canceled = &j->canceled,
        };
        struct err why = {0};
        int k = joiner_reserve(j, 2 * joint->spool.n + RESERVE_BYTES, false);

        if (k < 0)
                return reject(joint, k, "%s", why_no_room(k));
        k = rewind_spool(joint, &why);
        if (k >= 0)
                k = gather_zip_add(&z, joint->spool.fd, &why);
        joint->n_entries = z.n_entries;
        joint->status = z.status;
        joint->has_status = true;
        if (archive_error(j->archive)->code)
                return err_set(e, archive_error(j->archive)->code, "%s",
                               archive_error(j->archive)->text);
        if (k < 0)
                (void)reject(joint, z.n_entries ? 0 : k, "its zip cannot be read: %s",
                             str_or(why.text, strerror(-k)));
        else if (*z.fault)
                (void)reject(joint, z.n_entries ? 0 : -EBADMSG, "%s", z.fault);
        return 0;
}

int joiner_add(struct joiner *j, struct joint *joint, struct err *e)
{
        int k = 0;

        if (joiner_is_canceled(j))
                joint->error = -ECANCELED;
        else
                k = joint->format == ARCHIVE_ZIP ? add_zip(j, joint, e) : add_fragment(j, joint, e);
        spool_done(&joint->spool);
        return k;
}

void joint_done(struct joint *joint)
{
        spool_done(&joint->spool);
        if (joint->has_status)
                node_status_done(&joint->status);
        joint->has_status = false;
}

/* --- the end --------------------------------------------------------------------------------------------- */

static int hash_file(struct joiner *j, char ret[static DIGEST_HEX], struct err *e)
{
        _cleanup_(digest_freep) struct digest *d = NULL;
        _cleanup_(freep) char *block = malloc(HASH_BLOCK_BYTES);
        uint8_t digest[DIGEST_BYTES];
        off_t at = 0;
        ssize_t n = 0;
        int k = block ? digest_new(&d) : -ENOMEM;

        (void)posix_fadvise(j->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        while (k >= 0 && (n = pread(j->fd, block, HASH_BLOCK_BYTES, at)) > 0) {
                at += n;
                k = joiner_is_canceled(j) ? -ECANCELED : digest_add(d, block, (size_t)n);
        }
        if (k >= 0 && n < 0)
                k = -errno;
        if (k >= 0)
                k = digest_end(d, digest);
        if (k < 0)
                return err_set(e, k, "the archive cannot be read: %s", strerror(-k));
        digest_to_hex(ret, digest);
        return 0;
}

/* What was reserved and is not needed goes back with the truncation, which cuts off nothing. */
int joiner_close(struct joiner *j, uint64_t *ret_bytes, char ret_sha256[static DIGEST_HEX],
                 struct err *e)
{
        int k = archive_finish(j->archive);

        if (k < 0)
                return err_set(e, k, "%s", str_or(archive_error(j->archive)->text, strerror(-k)));
        *ret_bytes = archive_written(j->archive);
        if (ftruncate(j->fd, (off_t)*ret_bytes) < 0 || fsync(j->fd) < 0)
                return err_set(e, -errno, "the archive cannot be written: %s", strerror(errno));
        return hash_file(j, ret_sha256, e);
}
