/* One at a time: jobs see to that. Everything of it is in here, and zeroed when it has ended. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agentd/bundle_zip.h"
#include "base/log.h"
#include "base/mono.h"

#define TURN_USEC USEC_PER_SEC /* between looks whether the other collection has ended */
#define PART      "file.part"
#define WHOLE     "file.zip"

struct bundle_zip {
        struct loop *loop;
        struct collections *collections;
        struct jobs *jobs;
        struct loop_timer *timer; /* its turn, or its end when it was cancelled */

        char id[BUNDLE_ID_MAX]; /* "": nothing is being made */
        char directory[PATH_MAX];
        struct collector *collector; /* NULL: it waits for its turn, or was cancelled */
        bool cancelled;
        int fd;
};

static struct bundle *copy_of(const struct bundle_zip *z)
{
        const struct bundle *b = store_find(jobs_store(z->jobs), z->id);

        return b ? bundle_copy(b) : NULL;
}

static void clear(struct bundle_zip *z)
{
        loop_timer_stop(z->timer);
        z->collector = collections_end_archive(z->collections, z->collector);
        closep(&z->fd);
        z->fd = -1;
        z->id[0] = '\0';
        z->cancelled = false;
}

static void set_error(struct bundle *b, const char *text)
{
        free(b->error);
        b->error = strdup(text); /* that it failed is in its state */
}

/* Jobs begin the next one: nothing of this one may be left. */
static void end(struct bundle_zip *z, enum bundle_state state, const char *error,
                const struct collect_event *event)
{
        struct bundle *b = copy_of(z);
        struct stat st;

        if (b) {
                b->state = state;
                b->n_nodes_done = 1;
                b->n_nodes_failed = state == BUNDLE_FAILED;
        }
        if (b && error)
                set_error(b, error);
        if (b && state == BUNDLE_DONE) {
                (void)snprintf(b->file, sizeof(b->file), "%s", WHOLE);
                b->size_bytes = fstat(z->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
                b->partial = event->partial || event->n_failed > 0;
                b->n_redactions = event->n_redactions;
        }
        clear(z);
        if (b)
                jobs_end(z->jobs, b);
}

static int give_name(const struct bundle_zip *z, struct err *e)
{
        char part[PATH_MAX + sizeof(PART)], whole[PATH_MAX + sizeof(WHOLE)];

        (void)snprintf(part, sizeof(part), "%s/%s", z->directory, PART);
        (void)snprintf(whole, sizeof(whole), "%s/%s", z->directory, WHOLE);
        if (fsync(z->fd) < 0 || rename(part, whole) < 0)
                return err_set(e, -errno, "%s: %s", part, strerror(errno));
        return 0;
}

static void tell_progress(struct bundle_zip *z, const struct collect_event *event)
{
        struct bundle *b = copy_of(z);

        if (!b)
                return;
        b->n_received_bytes = event->n_bytes;
        (void)snprintf(b->current, sizeof(b->current), "%s", event->source);
        (void)jobs_update(z->jobs, b, false);
}

/* What the collector writes it writes as root, and root may fill a disk. */
static bool disk_is_too_full(const struct bundle_zip *z, struct err *e)
{
        uint64_t floor, n_free;

        if (store_floor(jobs_store(z->jobs), &floor, &n_free, e) < 0 || n_free >= floor)
                return false;
        (void)err_set(e, -ENOSPC,
                      "%s: only %" PRIu64 " MiB are free, and %" PRIu64 " MiB are to stay free",
                      z->directory, n_free >> 20, floor >> 20);
        return true;
}

static void on_event(const struct collect_event *event, void *userdata)
{
        struct bundle_zip *z = userdata;
        struct err e;

        if (event->kind == COLLECT_ERROR)
                end(z, BUNDLE_FAILED, event->error, event);
        else if (event->kind != COLLECT_STARTED && disk_is_too_full(z, &e))
                end(z, BUNDLE_FAILED, e.text, event);
        else if (event->kind == COLLECT_PROGRESS)
                tell_progress(z, event);
        else if (event->kind == COLLECT_DONE && give_name(z, &e) < 0)
                end(z, BUNDLE_FAILED, e.text, event);
        else if (event->kind == COLLECT_DONE)
                end(z, BUNDLE_DONE, NULL, event);
}

static int ask(struct bundle_zip *z, const struct bundle *b, struct err *e)
{
        _cleanup_(collect_request_done) struct collect_request q = {
                .op = COLLECT_ARCHIVE,
                .format = ARCHIVE_ZIP,
                .kinds = b->request.kinds,
                .since_wall_usec = b->request.since_wall_usec,
                .until_wall_usec = b->request.until_wall_usec,
                .no_redact = b->request.no_redact,
        };

        (void)snprintf(q.bundle, sizeof(q.bundle), "%s", b->id);
        return collections_start_archive(z->collections, &z->collector, &q, z->fd, on_event, z, e);
}

static void wait_for_turn(struct bundle_zip *z)
{
        loop_timer_set(z->timer, usec_add(now_mono_usec(), TURN_USEC), USEC_PER_SEC / 4);
}

static void on_timer(void *userdata)
{
        struct bundle_zip *z = userdata;
        const struct bundle *b = store_find(jobs_store(z->jobs), z->id);
        struct err e = {0};
        int k;

        if (z->cancelled || !b) {
                end(z, BUNDLE_CANCELED, NULL, NULL);
                return;
        }
        k = ask(z, b, &e);
        if (k == -EBUSY)
                wait_for_turn(z);
        else if (k < 0)
                end(z, BUNDLE_FAILED, e.text, NULL);
}

static int runner_start(void *userdata, const struct bundle *b, const char *directory,
                        struct err *e)
{
        struct bundle_zip *z = userdata;
        char path[PATH_MAX + sizeof(PART)];
        int k;

        (void)snprintf(z->directory, sizeof(z->directory), "%s", directory);
        (void)snprintf(path, sizeof(path), "%s/%s", z->directory, PART);
        z->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (z->fd < 0)
                return err_set(e, -errno, "%s: %s", path, strerror(errno));
        (void)snprintf(z->id, sizeof(z->id), "%s", b->id);
        k = ask(z, b, e);
        if (k == -EBUSY) {
                wait_for_turn(z);
                return 0;
        }
        if (k < 0)
                clear(z);
        return k;
}

/* Its end is told with the next turn of the loop. */
static void runner_cancel(void *userdata, const char *id)
{
        struct bundle_zip *z = userdata;

        if (!streq(z->id, id))
                return;
        z->collector = collections_end_archive(z->collections, z->collector);
        z->cancelled = true;
        loop_timer_set(z->timer, now_mono_usec(), 0);
}

const struct jobs_runner bundle_zip_runner = {.start = runner_start, .cancel = runner_cancel};

int bundle_zip_new(struct bundle_zip **ret, struct loop *l, struct collections *collections)
{
        _cleanup_(bundle_zip_freep) struct bundle_zip *z = calloc(1, sizeof(*z));
        int k;

        if (!z)
                return -ENOMEM;
        z->loop = l;
        z->collections = collections;
        z->fd = -1;
        k = loop_timer_new(&z->timer, l, on_timer, z);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(z);
        return 0;
}

void bundle_zip_set_jobs(struct bundle_zip *z, struct jobs *jobs)
{
        z->jobs = jobs;
}

struct bundle_zip *bundle_zip_free(struct bundle_zip *z)
{
        if (!z)
                return NULL;
        if (z->timer)
                clear(z);
        loop_timer_free(z->timer);
        free(z);
        return NULL;
}
