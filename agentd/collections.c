/*
 * A collection has three ends: the errand that asked for it, the collector that makes it, and the stream that a
 * thread of the server reads. The errand ends first, when the collector has begun (or has given all, of what is
 * short); then either of the others. It is freed when both are over. A stream is closed on another thread: that one
 * only leaves a mark, and a letter to the loop.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/queue.h>

#include "agentd/collections.h"
#include "api/bundle_task.h"
#include "base/log.h"
#include "base/mono.h"
#include "bundles/fragment.h"
#include "bundles/plan_list.h"

#define PIPE_BYTES    (1 << 20)            /* as much as is held back of what is short */
#define GLANCE_USEC   (20 * USEC_PER_MSEC) /* whether there is more */
#define LIST_USEC     (10 * USEC_PER_SEC)  /* so long what there is stays what it was */
#define TEXT_MAX      PLAN_LIST_BYTES_MAX  /* of LIST and ESTIMATE */
#define GRACE_USEC    (60 * USEC_PER_SEC)  /* behind the time of a collection, for its end */
#define RETRY_ARCHIVE 15u                  /* seconds */
#define RETRY_SMALL   1u

struct collection {
        LIST_ENTRY(collection) link;
        struct collections *all;
        struct errand *errand; /* NULL once it is finished; the task goes with it */
        struct bundle_task *task;
        enum collect_op op;
        bool hold, counted, can_be_kept;
        char caller[AUTHORITY_NAME_MAX];
        uint64_t begun_mono_usec, timeout_usec;
        struct collector *collector; /* NULL once it has ended */
        int read_fd, write_fd;       /* -1 where they are others' */
        struct stream_verdict *verdict;
        _Atomic bool streams, stream_closed;
        struct buf text;
        sd_event_source *source;
        struct loop_timer *glance;
};

LIST_HEAD(collection_list, collection);

struct collections {
        struct loop *loop;
        const struct feed *feed;
        enum diag_role role;
        char *socket;
        struct collection_list list;
        unsigned n_small, n_archives;
        char *known; /* LIST as it was last; NULL */
        size_t n_known;
        uint64_t known_until_mono_usec;
};

/* --- all of them ------------------------------------------------------------------------------ */

int collections_new(struct collections **ret, struct loop *l, const struct feed *feed,
                    const char *socket)
{
        struct collections *all = calloc(1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        all->socket = strdup(socket ? socket : COLLECTOR_SOCKET);
        if (!all->socket) {
                free(all);
                return -ENOMEM;
        }
        all->loop = l;
        all->feed = feed;
        LIST_INIT(&all->list);
        *ret = all;
        return 0;
}

void collections_set_role(struct collections *all, enum diag_role role)
{
        all->role = role;
}

static bool is_archive(enum collect_op op)
{
        return op == COLLECT_ARCHIVE;
}

static bool count_in(struct collection *c)
{
        struct collections *all = c->all;
        unsigned *n = is_archive(c->op) ? &all->n_archives : &all->n_small;

        if (*n >= (is_archive(c->op) ? 1 : COLLECTIONS_SMALL_MAX))
                return false;
        (*n)++;
        return c->counted = true;
}

static void count_out(struct collection *c)
{
        if (c->counted)
                (*(is_archive(c->op) ? &c->all->n_archives : &c->all->n_small))--;
        c->counted = false;
}

/* --- one of them ------------------------------------------------------------------------------ */

static struct collection *collection_new(struct collections *all, struct errand *e,
                                         struct bundle_task *t)
{
        struct collection *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->all = all;
        c->errand = e;
        c->task = t;
        c->op = t->collect.op;
        c->hold = t->hold && c->op == COLLECT_ONE;
        memcpy(c->caller, t->caller, sizeof(c->caller));
        c->begun_mono_usec = now_mono_usec();
        c->read_fd = c->write_fd = -1;
        c->text.max = TEXT_MAX;
        LIST_INSERT_HEAD(&all->list, c, link);
        return c;
}

static void collection_end_collector(struct collection *c)
{
        c->collector = collector_free(c->collector);
        count_out(c);
}

static void collection_free(struct collection *c)
{
        LIST_REMOVE(c, link);
        collection_end_collector(c);
        stream_verdict_say(c->verdict, false);
        sd_event_source_disable_unref(c->source);
        loop_timer_free(c->glance);
        closep(&c->read_fd);
        closep(&c->write_fd);
        buf_done(&c->text);
        free(c);
}

/* The task is somebody else's from here on. */
static void finish_errand(struct collection *c)
{
        struct errand *e = c->errand;

        c->errand = NULL;
        c->task = NULL;
        errand_finish(e);
}

/* Instead of an answer; @c is gone. */
static void fail(struct collection *c, unsigned status, const char *reason, const char *text)
{
        bundle_task_fail(c->task, status, reason, "%s", text);
        finish_errand(c);
        collection_free(c);
}

struct collections *collections_free(struct collections *all)
{
        struct collection *c;

        if (!all)
                return NULL;
        while ((c = LIST_FIRST(&all->list)))
                if (c->errand)
                        fail(c, 503, "busy", "the daemon is stopping");
                else
                        collection_free(c);
        free(all->known);
        free(all->socket);
        free(all);
        return NULL;
}

/* --- a stream --------------------------------------------------------------------------------- */

static void sweep(void *userdata)
{
        struct collections *all = userdata;
        struct collection *c, *next;

        for (c = LIST_FIRST(&all->list); c; c = next) {
                next = LIST_NEXT(c, link);
                if (!atomic_load(&c->stream_closed))
                        continue;
                if (c->collector)
                        log_info("the collection for %s is given up: its reader has gone",
                                 c->caller);
                collection_free(c);
        }
}

/* Any thread. Without memory for the letter it is swept with the next one; its collector cannot write any more. */
static void on_stream_closed(void *userdata)
{
        struct collection *c = userdata;
        struct collections *all = c->all;

        atomic_store(&c->stream_closed, true);
        (void)loop_post(all->loop, sweep, all);
}

/* A collector says itself what stands still; behind its time, and some, it is not there any more. */
static int make_stream(struct collection *c, struct stream **ret)
{
        uint64_t deadline = usec_add(c->begun_mono_usec, usec_add(c->timeout_usec, GRACE_USEC));
        int k;

        k = stream_new(ret, TAKE_FD(c->read_fd), STREAM_LENGTH_UNKNOWN, USEC_INFINITY, deadline,
                       on_stream_closed, c);
        if (k < 0)
                return k;
        atomic_store(&c->streams, true);
        return stream_expect_verdict(*ret, TAKE_FD(c->write_fd), &c->verdict);
}

/* Return: does it flow? Else @c is gone, or goes with its stream, which is closed by then. */
static bool begin_stream(struct collection *c)
{
        _cleanup_(stream_freep) struct stream *s = NULL;
        int k = make_stream(c, &s);

        c->glance = loop_timer_free(c->glance);
        if (k < 0) {
                bundle_task_fail(c->task, 503, "busy", "%s", strerror(-k));
                finish_errand(c);
                if (!atomic_load(&c->streams))
                        collection_free(c);
                return false;
        }
        c->task->status = 200;
        c->task->stream = TAKE_PTR(s);
        finish_errand(c);
        return true;
}

/* --- a text ----------------------------------------------------------------------------------- */

/* All that is in the pipe now. Return: may there be more? */
static bool drain(struct collection *c)
{
        char block[16384];
        ssize_t n;

        while ((n = read(c->read_fd, block, sizeof(block))) > 0)
                buf_append(&c->text, block, (size_t)n);
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int on_text(_unused_ sd_event_source *s, _unused_ int fd, _unused_ uint32_t revents,
                   void *userdata)
{
        struct collection *c = userdata;

        if (!drain(c))
                c->source = sd_event_source_disable_unref(c->source);
        return 0;
}

static int read_text(struct collection *c)
{
        if (fcntl(c->read_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        closep(&c->write_fd);
        c->write_fd = -1;
        return sd_event_add_io(loop_event(c->all->loop), &c->source, c->read_fd, EPOLLIN, on_text,
                               c);
}

/* Many ask for single logs in a row, and each has to be looked up. */
static void keep_known(struct collections *all, const struct collection *c)
{
        char *copy = c->can_be_kept ? malloc(c->text.n + 1) : NULL;

        if (!copy)
                return;
        memcpy(copy, buf_cstr(&c->text), c->text.n + 1);
        free(all->known);
        all->known = copy;
        all->n_known = c->text.n;
        all->known_until_mono_usec = usec_add(now_mono_usec(), LIST_USEC);
}

static void take_text(struct collection *c)
{
        if (c->op == COLLECT_LIST && !c->text.error)
                keep_known(c->all, c);
        c->task->text = buf_take(&c->text, &c->task->n_text);
}

static bool answer_known(struct collection *c)
{
        struct collections *all = c->all;

        if (!c->can_be_kept || !all->known || now_mono_usec() >= all->known_until_mono_usec)
                return false;
        buf_append(&c->text, all->known, all->n_known);
        c->can_be_kept = false; /* or it would be young for ever */
        take_text(c);
        c->task->status = 200;
        finish_errand(c);
        collection_free(c);
        return true;
}

/* --- what is short enough to be held back ------------------------------------------------------ */

/*
 * A pipe is full, at the latest, when each of its pages has but one byte more than half: nobody writes into one of
 * ours in smaller pieces without the kernel joining them.
 */
static bool is_long(const struct collection *c)
{
        int n_bytes = 0, n_room = fcntl(c->read_fd, F_GETPIPE_SZ);

        return ioctl(c->read_fd, FIONREAD, &n_bytes) == 0 && n_bytes >= n_room / 8 * 3;
}

static void on_glance(void *userdata)
{
        struct collection *c = userdata;

        if (is_long(c))
                begin_stream(c);
        else
                loop_timer_set(c->glance, usec_add(now_mono_usec(), GLANCE_USEC), GLANCE_USEC);
}

static int hold_back(struct collection *c)
{
        int k = loop_timer_new(&c->glance, c->all->loop, on_glance, c);

        if (k < 0)
                return k;
        if (fcntl(c->read_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        loop_timer_set(c->glance, usec_add(now_mono_usec(), GLANCE_USEC), GLANCE_USEC);
        return 0;
}

/* --- what the collector says ------------------------------------------------------------------- */

static unsigned status_of(const char *code)
{
        static const struct {
                const char *code;
                unsigned status;
        } table[] = {
                {"not-allowed",  403},
                {"bad-request",  400},
                {"not-found",    404},
                {COLLECTOR_GONE, 503},
                {COLLECTOR_MUTE, 503},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(code, table[i].code))
                        return table[i].status;
        return 500;
}

static const char *reason_of(const char *code)
{
        return status_of(code) == 503 ? "collector-unavailable" : code;
}

/* Nothing was answered yet. */
static void answer_error(struct collection *c, const struct collect_event *event)
{
        if (c->hold) {
                (void)drain(c);
                take_text(c);
        }
        fail(c, status_of(event->code), reason_of(event->code), event->error);
}

static void answer_text(struct collection *c, const struct collect_event *event)
{
        (void)drain(c);
        if (c->text.error) {
                fail(c, 500, "failed", "the answer of the collector is too long");
                return;
        }
        take_text(c);
        if (event->n_failed > 0 && c->hold) {
                fail(c, 500, "failed", "the source failed");
                return;
        }
        c->task->status = 200;
        finish_errand(c);
        collection_free(c);
}

static bool is_to_be_streamed(const struct collection *c)
{
        return is_archive(c->op) || (c->op == COLLECT_ONE && !c->hold);
}

static void log_end(const struct collection *c, const struct collect_event *event)
{
        if (event->kind == COLLECT_ERROR)
                log_info("the collection for %s failed: %s", c->caller, event->error);
        else if (is_archive(c->op))
                log_info("the collection for %s has ended: %" PRIu64 " entries, %" PRIu64
                         " failed, %" PRIu64 " bytes, %" PRIu64 " secrets masked",
                         c->caller, event->n_entries, event->n_failed, event->n_bytes,
                         event->n_redactions);
}

static void on_end(struct collection *c, const struct collect_event *event)
{
        bool whole = event->kind == COLLECT_DONE;
        struct collections *all = c->all;

        log_end(c, event);
        collection_end_collector(c);
        if (c->errand && !whole) {
                answer_error(c, event);
                return;
        }
        if (c->errand && !is_to_be_streamed(c)) {
                answer_text(c, event);
                return;
        }
        if (c->errand && !begin_stream(c)) /* it never said that it began */
                return;
        c->verdict = stream_verdict_say(c->verdict, whole);
        sweep(all);
}

static void on_event(const struct collect_event *event, void *userdata)
{
        struct collection *c = userdata;

        if (event->kind == COLLECT_DONE || event->kind == COLLECT_ERROR)
                on_end(c, event);
        else if (event->kind == COLLECT_STARTED && c->errand && is_to_be_streamed(c))
                (void)begin_stream(c);
}

/* --- beginning ---------------------------------------------------------------------------------- */

static void forget_units(struct collect_request *q)
{
        for (size_t i = 0; i < q->n_units; i++)
                free(q->units[i]);
        free(q->units);
        q->units = NULL;
        q->n_units = 0;
}

/* Who this node is, nobody else tells. Without units the collector looks for them itself. */
static int fill_in(const struct collections *all, struct collect_request *q)
{
        const struct diag_report *report = feed_current(all->feed);

        q->role = all->role;
        forget_units(q);
        q->units = calloc(report->n_components + 1, sizeof(*q->units));
        if (!q->units)
                return -ENOMEM;
        for (size_t i = 0; i < report->n_components && q->n_units < COLLECT_UNITS_MAX; i++) {
                const struct diag_component *p = &report->components[i];

                if (p->kind != DIAG_COMPONENT_UNIT)
                        continue;
                q->units[q->n_units] = strdup(p->name);
                if (!q->units[q->n_units])
                        return -ENOMEM;
                q->n_units++;
        }
        return 0;
}

static int open_pipe(struct collection *c)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        c->read_fd = fds[0];
        c->write_fd = fds[1];
        if (c->op == COLLECT_ONE)
                (void)fcntl(c->read_fd, F_SETPIPE_SZ, PIPE_BYTES); /* or as much as there is */
        return 0;
}

static int start(struct collection *c, struct err *e)
{
        const struct collect_request *q = &c->task->collect;
        int k = open_pipe(c);

        if (k < 0)
                return err_set(e, k, "no pipe: %s", strerror(-k));
        c->timeout_usec = q->timeout_usec ? q->timeout_usec : COLLECT_USEC_MAX;
        k = collector_start(&c->collector, c->all->loop, c->all->socket, q, c->write_fd, on_event,
                            c, e);
        if (k < 0)
                return k;
        if (c->hold)
                k = hold_back(c);
        else if (!is_to_be_streamed(c))
                k = read_text(c);
        return k < 0 ? err_set(e, k, "%s", strerror(-k)) : 0;
}

static void refuse_busy(struct collection *c)
{
        c->task->retry_after = is_archive(c->op) ? RETRY_ARCHIVE : RETRY_SMALL;
        fail(c, 429, "busy",
             is_archive(c->op) ? "another collection is being made on this node"
                               : "too many are looking at what this node could collect");
}

void collections_begin(struct collections *all, struct errand *e, struct bundle_task *t)
{
        struct collection *c = collection_new(all, e, t);
        struct err why = {0};

        if (!c) {
                bundle_task_fail(t, 503, "busy", "out of memory");
                errand_finish(e);
                return;
        }
        c->can_be_kept = c->op == COLLECT_LIST && !t->collect.kinds && !t->collect.n_ids;
        if (answer_known(c))
                return;
        if (is_archive(c->op) && !fragment_prefix_is_valid(t->collect.prefix)) {
                fail(c, 400, "bad-request", "prefix is not ADDRESS_ROLE");
                return;
        }
        if (!count_in(c)) {
                refuse_busy(c);
                return;
        }
        if (fill_in(all, &t->collect) < 0) {
                fail(c, 503, "busy", "out of memory");
                return;
        }
        if (start(c, &why) < 0) {
                log_warning("cannot collect for %s: %s", c->caller, why.text);
                fail(c, 503, "collector-unavailable", why.text);
                return;
        }
        if (is_archive(c->op))
                log_info("a collection for %s begins", c->caller);
}

void collections_abandon(struct collections *all, struct errand *e)
{
        struct collection *c;

        LIST_FOREACH (c, &all->list, link)
                if (c->errand == e)
                        break;
        if (!c)
                return;
        fail(c, 503, "abandoned", "nobody waits for it");
}

/* --- those of no request ----------------------------------------------------------------------- */

int collections_start_archive(struct collections *all, struct collector **ret,
                              struct collect_request *q, int fd, collector_event_fn fn,
                              void *userdata, struct err *e)
{
        int k;

        if (all->n_archives > 0)
                return err_set(e, -EBUSY, "another collection is being made on this node");
        k = fill_in(all, q);
        if (k < 0)
                return err_set(e, k, "out of memory");
        k = collector_start(ret, all->loop, all->socket, q, fd, fn, userdata, e);
        if (k >= 0)
                all->n_archives++;
        return k;
}

struct collector *collections_end_archive(struct collections *all, struct collector *c)
{
        all->n_archives -= c != NULL;
        return collector_free(c);
}
