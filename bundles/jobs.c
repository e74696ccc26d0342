/*
 * The life of bundles. What is to happen to the one that runs is kept beside it, because its runner ends in its own
 * time: it may be cancelled, or deleted, before that.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/jobs.h"

#define TRIM_SLACK_USEC (60 * USEC_PER_SEC)
#define ID_TRIES        8 /* of one that is made: two in a minute may draw the same number */

struct jobs {
        struct store *store;
        const struct jobs_runner *runner;
        void *userdata;
        const char *name, *stopped;
        struct loop_timer *trim_timer, *next_timer;
        char queue[JOBS_QUEUE_MAX][BUNDLE_ID_MAX]; /* the first is the next one */
        size_t n_queue;
        char running[BUNDLE_ID_MAX]; /* "": none */
        bool cancelled, deleted;     /* the one that runs: as soon as it has ended */
};

/* --- endings ----------------------------------------------------------------------------------- */

/* The disk may be full: then what is in memory counts, and the next start says "restarted". */
static void keep(struct jobs *j, struct bundle *taken)
{
        struct bundle *copy = bundle_copy(taken);

        if (store_replace(j->store, taken, NULL) < 0 && copy)
                (void)store_set(j->store, copy);
        else
                bundle_free(copy);
}

static void set_error(struct bundle *b, const char *why)
{
        char *made = why ? strdup(why) : NULL;

        if (!made)
                return; /* that it failed is in its state */
        free(b->error);
        b->error = made;
}

/* Without a file from now on. */
static void strip(struct jobs *j, struct bundle *b)
{
        b->size_bytes = 0;
        b->file[0] = b->sha256[0] = '\0';
        (void)store_remove_files(j->store, b->id, NULL);
}

/* In this order: a file of what is not DONE goes at the next start. */
static void settle(struct jobs *j, struct bundle *taken)
{
        struct bundle *b = taken;
        struct err e;

        if (b->state == BUNDLE_DONE && store_sweep(j->store, b, &b->size_bytes, &e) < 0) {
                b->state = BUNDLE_FAILED;
                set_error(b, e.text);
        }
        if (b->state != BUNDLE_DONE)
                strip(j, b);
        if (!b->finished_wall_usec)
                b->finished_wall_usec = now_wall_usec();
        b->current[0] = '\0';
        keep(j, b);
}

static void end_as(struct jobs *j, const char *id, enum bundle_state state, const char *why)
{
        const struct bundle *b = store_find(j->store, id);
        struct bundle *ended = b ? bundle_copy(b) : NULL;

        if (!ended)
                return;
        ended->state = state;
        set_error(ended, why);
        settle(j, ended);
}

/* --- beginnings -------------------------------------------------------------------------------- */

static void unqueue(struct jobs *j, size_t i)
{
        for (j->n_queue--; i < j->n_queue; i++)
                memcpy(j->queue[i], j->queue[i + 1], sizeof(j->queue[0]));
}

static int run(struct jobs *j, const char *id, struct err *e)
{
        struct bundle *b = bundle_copy(store_find(j->store, id));
        char directory[PATH_MAX];
        int k;

        if (!b)
                return err_set(e, -ENOMEM, "out of memory");
        b->state = BUNDLE_RUNNING;
        keep(j, b);
        k = store_path(j->store, id, "", directory, sizeof(directory));
        if (k < 0)
                return err_set(e, k, "a path that is too long");
        return j->runner->start(j->userdata, store_find(j->store, id), directory, e);
}

/* What cannot begin has failed, and the next one gets its chance. */
static void start_next(struct jobs *j)
{
        struct err e = {0};

        while (!j->running[0] && j->n_queue > 0) {
                memcpy(j->running, j->queue[0], sizeof(j->running));
                unqueue(j, 0);
                j->cancelled = j->deleted = false;
                if (run(j, j->running, &e) >= 0)
                        return;
                end_as(j, j->running, BUNDLE_FAILED, str_or(e.text, "it could not begin"));
                j->running[0] = '\0';
        }
}

static void on_next(void *userdata)
{
        start_next(userdata);
}

static void on_trim(void *userdata)
{
        struct jobs *j = userdata;

        (void)store_trim(j->store, now_wall_usec());
        loop_timer_set(j->trim_timer, usec_add(now_mono_usec(), JOBS_TRIM_USEC), TRIM_SLACK_USEC);
}

/* --- life -------------------------------------------------------------------------------------- */

int jobs_new(struct jobs **ret, const struct jobs_options *options, struct err *e)
{
        _cleanup_(jobs_freep) struct jobs *j = calloc(1, sizeof(*j));
        int k;

        if (!j)
                return err_set(e, -ENOMEM, "out of memory");
        j->runner = options->runner;
        j->userdata = options->userdata;
        j->name = options->name;
        j->stopped = str_or(options->stopped, "the daemon was stopped");
        k = loop_timer_new(&j->trim_timer, options->loop, on_trim, j);
        if (k >= 0)
                k = loop_timer_new(&j->next_timer, options->loop, on_next, j);
        if (k < 0)
                return err_set(e, k, "cannot make a timer: %s", strerror(-k));
        j->store = options->store;
        on_trim(j);
        *ret = TAKE_PTR(j);
        return 0;
}

struct jobs *jobs_free(struct jobs *j)
{
        if (!j)
                return NULL;
        if (j->running[0]) {
                j->runner->cancel(j->userdata, j->running);
                end_as(j, j->running, BUNDLE_CANCELED, j->stopped);
        }
        for (size_t i = 0; i < j->n_queue; i++)
                end_as(j, j->queue[i], BUNDLE_CANCELED, j->stopped);
        loop_timer_free(j->trim_timer);
        loop_timer_free(j->next_timer);
        store_free(j->store);
        free(j);
        return NULL;
}

struct store *jobs_store(struct jobs *j)
{
        return j->store;
}

const struct bundle *jobs_running(const struct jobs *j)
{
        return j->running[0] ? store_find(j->store, j->running) : NULL;
}

/* --- what clients want ------------------------------------------------------------------------- */

static void name_it(struct jobs *j, struct bundle *b)
{
        for (int i = 0; i < ID_TRIES; i++) {
                bundle_id_make(b->id, j->name, b->created_wall_usec);
                if (!store_find(j->store, b->id))
                        return;
        }
}

int jobs_create(struct jobs *j, struct bundle *taken, const struct bundle **ret, struct err *e)
{
        char id[BUNDLE_ID_MAX];
        int k;

        if (j->n_queue >= JOBS_QUEUE_MAX) {
                bundle_free(taken);
                return err_set(e, -EAGAIN, "a bundle is being made, and %u wait", JOBS_QUEUE_MAX);
        }
        taken->state = BUNDLE_QUEUED;
        if (!taken->created_wall_usec)
                taken->created_wall_usec = now_wall_usec();
        if (!taken->id[0])
                name_it(j, taken);
        memcpy(id, taken->id, sizeof(id));
        k = store_add(j->store, taken, e);
        if (k < 0)
                return k;
        memcpy(j->queue[j->n_queue++], id, sizeof(id));
        start_next(j);
        *ret = store_find(j->store, id);
        return 0;
}

static bool is_running(const struct jobs *j, const char *id)
{
        return j->running[0] && streq(j->running, id);
}

static void cancel_running(struct jobs *j)
{
        if (!j->cancelled) {
                j->cancelled = true; /* first: whatever the runner does */
                j->runner->cancel(j->userdata, j->running);
        }
}

static bool cancel_queued(struct jobs *j, const char *id)
{
        for (size_t i = 0; i < j->n_queue; i++)
                if (streq(j->queue[i], id)) {
                        end_as(j, id, BUNDLE_CANCELED, NULL);
                        unqueue(j, i);
                        return true;
                }
        return false;
}

int jobs_cancel(struct jobs *j, const char *id)
{
        if (is_running(j, id)) {
                cancel_running(j);
                return 0;
        }
        if (cancel_queued(j, id))
                return 0;
        return store_find(j->store, id) ? -EALREADY : -ENOENT;
}

int jobs_delete(struct jobs *j, const char *id, struct err *e)
{
        char kept[BUNDLE_ID_MAX];

        if (is_running(j, id)) {
                j->deleted = true;
                cancel_running(j);
                return 0;
        }
        (void)snprintf(kept, sizeof(kept), "%s",
                       id); /* it may be that of the bundle, which changes */
        (void)cancel_queued(j, id);
        return store_delete(j->store, kept, e);
}

/* --- what the runner says ---------------------------------------------------------------------- */

int jobs_update(struct jobs *j, struct bundle *taken, bool write_down)
{
        bool ours = is_running(j, taken->id);

        if (!ours || bundle_state_is_final(taken->state)) {
                bundle_free(taken);
                return ours ? -EINVAL : -ENOENT;
        }
        return write_down ? store_replace(j->store, taken, NULL) : store_set(j->store, taken);
}

static void judge(const struct jobs *j, struct bundle *b)
{
        if (b->state == BUNDLE_DONE)
                return; /* it was faster than who cancelled it */
        if (j->cancelled)
                b->state = BUNDLE_CANCELED;
        else if (!bundle_state_is_final(b->state)) {
                b->state = BUNDLE_FAILED;
                if (!b->error)
                        set_error(b, "what makes it ended, and did not say how far it came");
        }
}

void jobs_end(struct jobs *j, struct bundle *taken)
{
        char id[BUNDLE_ID_MAX];

        if (!is_running(j, taken->id)) {
                bundle_free(taken);
                return;
        }
        memcpy(id, j->running, sizeof(id));
        judge(j, taken);
        settle(j, taken);
        j->running[0] = '\0';
        if (j->deleted)
                (void)store_delete(j->store, id, NULL);
        (void)store_trim(j->store, now_wall_usec());
        loop_timer_set(j->next_timer, now_mono_usec(), 0);
}
