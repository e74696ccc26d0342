/*
 * A bundle's file is either a file of ours, which is sent as files are, or what another master sends while we pass
 * it on. The client sees no difference: the tag is made of what both masters know, the size and the last second
 * in which the file changed.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "api/bundle_answer.h"
#include "api/byte_range.h"

#define FILE_BEGIN_USEC \
        (30 * USEC_PER_SEC) /* up to its first byte: another master may be asked for it */
#define TAG_MAX 48u

/* Both daemons' hosts have it first. */
const struct bundle_host *bundle_host_of(const struct request *q)
{
        const struct bundle_host *host = *(const struct bundle_host *const *)q->host;

        return host && host->ops ? host : NULL;
}

static int newer_first(const void *a, const void *b)
{
        const struct bundle *x = *(const struct bundle *const *)a,
                            *y = *(const struct bundle *const *)b;

        if (x->created_wall_usec != y->created_wall_usec)
                return x->created_wall_usec > y->created_wall_usec ? -1 : 1;
        return strcmp(y->id, x->id);
}

void bundle_sort(struct bundle_task *t)
{
        if (t->n_bundles > 1)
                qsort(t->bundles, t->n_bundles, sizeof(struct bundle *), newer_first);
}

static bool copy(char **ret, const char *s)
{
        *ret = s ? strdup(s) : NULL;
        return !s || *ret;
}

int bundle_file_begin(const struct request *q, const struct bundle_host *host, const char *id,
                      bool own_only)
{
        struct bundle_task *t = bundle_task_new(q, host, BUNDLE_TASK_FILE, FILE_BEGIN_USEC);

        if (!t)
                return -ENOMEM;
        (void)snprintf(t->id, sizeof(t->id), "%s", id);
        t->own_only = own_only;
        if (!copy(&t->range, q->range) || !copy(&t->if_range, q->if_range))
                return -ENOMEM;
        return bundle_task_start(q, host);
}

static void make_tag(char tag[static TAG_MAX], const struct bundle_task *t)
{
        (void)snprintf(tag, TAG_MAX, "%" PRIx64 "-%" PRIx64, t->mtime_usec / USEC_PER_SEC, t->size);
}

static void describe(struct reply *r, const struct bundle_task *t, const char *name)
{
        char date[HTTP_DATE_MAX], tag[TAG_MAX];

        make_tag(tag, t);
        reply_header(r, "ETag", "\"%s\"", tag);
        if (t->mtime_usec)
                reply_header(r, "Last-Modified", "%s", http_date_format(date, t->mtime_usec));
        reply_header(r, "Accept-Ranges", "bytes");
        reply_header(r, "Content-Disposition", "attachment; filename=%s", name);
        if (t->status == 206)
                reply_header(r, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, t->from,
                             t->from + t->n - 1, t->size);
}

int bundle_answer_file(const struct request *q, struct reply *r, struct bundle_task *t,
                       const char *content_type, const char *name)
{
        char tag[TAG_MAX];

        if (t->stream) {
                describe(r, t, name);
                return reply_stream(r, t->status, content_type, TAKE_PTR(t->stream));
        }
        if (t->fd < 0)
                return reply_error(r, 500, "no-answer", "nothing came of it");
        make_tag(tag, t);
        const struct reply_file file = {
                .content_type = content_type,
                .name = name,
                .fd = TAKE_FD(t->fd),
                .n_bytes = t->size,
                .mtime_usec = t->mtime_usec,
                .etag = tag,
        };
        return reply_file(q, r, &file);
}

int bundle_answer_beyond(const struct bundle_task *t, struct reply *r)
{
        reply_header(r, "Content-Range", "bytes */%" PRIu64, t->size);
        return reply_empty(r, 416);
}
