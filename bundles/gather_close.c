/*
 * For the human who opens it README.txt stands first among these. Where there is no room for all of it, what is
 * smallest and says most is written, and the bundle says that the rest is missing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/mono.h"
#include "bundles/gather_close.h"
#include "bundles/gather_files.h"

#define DOCUMENT_BYTES_MAX ((size_t)256 << 20)
#define ROOM_BESIDE        (UINT64_C(16) << 10) /* for headers and the end of the archive */

/* What a file of the directory says, or nothing. */
static void take_file(struct buf *out, const char *directory, const char *name)
{
        _cleanup_(freep) char *data = NULL;
        char path[4096];
        size_t n = 0;

        if (gather_path(path, directory, name) >= 0 &&
            fs_read(path, GATHER_VIEW_BYTES_MAX, &data, &n, NULL) >= 0)
                buf_append(out, data, n);
}

struct closing {
        struct bundle *bundle;
        struct joiner *joiner;
        const char *directory;
        const struct manifest_node *nodes;
        size_t n;
        bool short_of_room;
};

static void write_readme(struct buf *out, const struct closing *c)
{
        manifest_write_readme(out, c->bundle, c->nodes, c->n);
}

static void write_report(struct buf *out, const struct closing *c)
{
        manifest_write_report(out, c->bundle, c->nodes, c->n);
}

static void write_summary(struct buf *out, const struct closing *c)
{
        manifest_write_summary(out, c->nodes, c->n);
}

static void write_health(struct buf *out, const struct closing *c)
{
        take_file(out, c->directory, "cluster.json");
}

static void write_nodes(struct buf *out, const struct closing *c)
{
        take_file(out, c->directory, "nodes.json");
}

static void write_manifest(struct buf *out, const struct closing *c)
{
        manifest_write(out, c->bundle, c->nodes, c->n);
}

static const struct {
        const char *name;
        void (*write)(struct buf *out, const struct closing *c);
} documents[] = {
        {"README.txt",              write_readme  },
        {"report.json",             write_report  },
        {"summaryErrorsReport.txt", write_summary },
        {"health.json",             write_health  },
        {"nodes.json",              write_nodes   },
        {"manifest.json",           write_manifest},
};

static int add_document(struct closing *c, size_t i)
{
        _cleanup_(buf_done) struct buf text = {.max = DOCUMENT_BYTES_MAX};
        int k;

        documents[i].write(&text, c);
        if (text.error || joiner_reserve(c->joiner, text.n + ROOM_BESIDE, true) < 0) {
                c->short_of_room = true;
                return 0;
        }
        if (!text.n) /* no summary of nothing; no view that nobody took */
                return 0;
        k = archive_add(joiner_archive(c->joiner), documents[i].name, now_wall_usec(), text.data,
                        text.n);
        return k;
}

static int sync_directory(const char *directory)
{
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int k = fd < 0 || fsync(fd) < 0 ? -errno : 0;

        closep(&fd);
        return k;
}

static int give_name(struct bundle *b, const char *directory, struct err *e)
{
        char from[4096], to[4096], name[sizeof(b->file)];
        int k;

        (void)snprintf(name, sizeof(name), "file.%s", archive_format_to_string(b->request.format));
        k = gather_path(from, directory, "file.part");
        if (k >= 0)
                k = gather_path(to, directory, name);
        if (k >= 0 && rename(from, to) < 0)
                k = -errno;
        if (k >= 0)
                k = sync_directory(directory);
        if (k < 0)
                return err_set(e, k, "the archive cannot be given its name: %s", strerror(-k));
        (void)snprintf(b->file, sizeof(b->file), "%s", name);
        return 0;
}

int gather_close(struct bundle *b, struct joiner *j, const char *directory,
                 const struct manifest_node *nodes, size_t n, struct err *e)
{
        struct closing c = {b, j, directory, nodes, n, false};
        int k = 0;

        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(documents); i++)
                k = joiner_is_canceled(j) ? -ECANCELED : add_document(&c, i);
        if (k < 0)
                return err_set(e, k, "%s",
                               str_or(archive_error(joiner_archive(j))->text, strerror(-k)));
        if (c.short_of_room) {
                b->partial = true;
                if (!b->error)
                        b->error = strdup("there was no room for all files at its root");
        }
        k = joiner_close(j, &b->size_bytes, b->sha256, e);
        return k < 0 ? k : give_name(b, directory, e);
}
