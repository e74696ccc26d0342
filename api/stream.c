/*
 * Streams, and the thread that wakes them. A stream is read on the thread of its connection, and on no other; what
 * others may touch (hung_up, and all that has to do with waiting) is atomic, or under the lock of who wakes it.
 *
 * The thread sleeps in epoll_wait(). Between that call and the lock a stream may be gone: an event has the number
 * of a wait, not an address, and each wait has a number of its own.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "api/stream.h"
#include "base/mono.h"
#include "base/ref.h"

#define N_EVENTS      16
#define EVENT_IS_WAKE UINT64_C(0) /* no wait has this number */

struct stream_verdict {
        struct ref ref; /* the stream's, and that of who will say it */
        _Atomic bool broken;
        int write_fd; /* of who will say it */
};

struct stream {
        int fd;
        uint64_t n_bytes, n_left; /* or unknown, both */
        uint64_t stall_usec, deadline_mono_usec;
        void (*closed)(void *userdata);
        void *userdata;
        struct stream_verdict *verdict; /* NULL: its end is enough */
        _Atomic bool hung_up;
        bool is_dry; /* since dry_mono_usec */
        uint64_t dry_mono_usec;

        /* struct streams's, from streams_wait() to its resume(). */
        LIST_ENTRY(stream) link;
        bool waiting;
        uint64_t wait_id, until_mono_usec;
        void (*resume)(void *userdata);
        void *resume_userdata;
};

LIST_HEAD(stream_list, stream);

struct streams {
        int epoll_fd, wake_fd;
        pthread_mutex_t lock; /* all below */
        struct stream_list waiting;
        uint64_t last_wait_id;
        uint64_t wake_mono_usec; /* when the thread will look again */
        bool closed, stopping;
        pthread_t thread;
};

/* --- one of them -------------------------------------------------------------------------------- */

int stream_new(struct stream **ret, int taken_fd, uint64_t n_bytes, uint64_t stall_usec,
               uint64_t deadline_mono_usec, void (*closed)(void *userdata), void *userdata)
{
        struct stream *s = calloc(1, sizeof(*s));
        int k = s ? 0 : -ENOMEM;

        if (k == 0 && fcntl(taken_fd, F_SETFL, O_NONBLOCK) < 0)
                k = -errno;
        if (k < 0) {
                free(s);
                close(taken_fd);
                return k;
        }
        s->fd = taken_fd;
        s->n_bytes = s->n_left = n_bytes;
        s->stall_usec = stall_usec;
        s->deadline_mono_usec = deadline_mono_usec ? deadline_mono_usec : USEC_INFINITY;
        s->closed = closed;
        s->userdata = userdata;
        *ret = s;
        return 0;
}

static void verdict_unref(struct stream_verdict *v)
{
        if (v && ref_dec(&v->ref))
                free(v);
}

struct stream *stream_free(struct stream *s)
{
        if (!s)
                return NULL;
        assert(!s->waiting);
        close(s->fd);
        if (s->closed)
                s->closed(s->userdata);
        verdict_unref(s->verdict);
        free(s);
        return NULL;
}

int stream_expect_verdict(struct stream *s, int taken_write_fd, struct stream_verdict **ret)
{
        struct stream_verdict *v = calloc(1, sizeof(*v));

        assert(!s->verdict);
        if (!v) {
                close(taken_write_fd);
                return -ENOMEM;
        }
        ref_init(&v->ref);
        ref_inc(&v->ref);
        v->write_fd = taken_write_fd;
        s->verdict = v;
        *ret = v;
        return 0;
}

/* Closing our end is what the reader notices: the word has to stand there before. */
struct stream_verdict *stream_verdict_say(struct stream_verdict *taken, bool whole)
{
        if (!taken)
                return NULL;
        atomic_store(&taken->broken, !whole);
        close(taken->write_fd);
        verdict_unref(taken);
        return NULL;
}

uint64_t stream_size(const struct stream *s)
{
        return s->n_bytes;
}

static bool has_known_length(const struct stream *s)
{
        return s->n_bytes != STREAM_LENGTH_UNKNOWN;
}

static enum stream_state end_of(const struct stream *s)
{
        if ((has_known_length(s) && s->n_left > 0) ||
            (s->verdict && atomic_load(&s->verdict->broken)))
                return STREAM_BROKEN;
        return STREAM_ENDED;
}

/* What stands still is counted from when there was nothing left to send: a slow reader is no such thing. */
static uint64_t give_up_at(const struct stream *s)
{
        uint64_t stall = usec_add(s->dry_mono_usec, s->stall_usec);

        return stall < s->deadline_mono_usec ? stall : s->deadline_mono_usec;
}

static enum stream_state on_dry(struct stream *s)
{
        uint64_t now = now_mono_usec();

        if (!s->is_dry)
                s->dry_mono_usec = now;
        s->is_dry = true;
        return now < give_up_at(s) ? STREAM_DRY : STREAM_BROKEN;
}

enum stream_state stream_read(struct stream *s, void *block, size_t n, size_t *ret_n)
{
        ssize_t k;

        if (atomic_load(&s->hung_up) || now_mono_usec() >= s->deadline_mono_usec)
                return STREAM_BROKEN;
        if (has_known_length(s) && s->n_left == 0)
                return STREAM_ENDED;
        if (has_known_length(s) && n > s->n_left)
                n = (size_t)s->n_left;
        do
                k = read(s->fd, block, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return errno == EAGAIN ? on_dry(s) : STREAM_BROKEN;
        if (k == 0)
                return end_of(s);
        s->is_dry = false;
        s->n_left -= has_known_length(s) ? (uint64_t)k : 0;
        *ret_n = (size_t)k;
        return STREAM_BYTES;
}

/* --- all of them -------------------------------------------------------------------------------- */

static void wake(struct streams *all)
{
        (void)eventfd_write(all->wake_fd, 1); /* fails only when it is full of wake-ups */
}

/* With the lock held. Behind it, it is the thread's own until it has been resumed. */
static void take_out(struct streams *all, struct stream *s)
{
        LIST_REMOVE(s, link);
        (void)epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
        s->waiting = false;
}

static struct stream *find(struct streams *all, uint64_t wait_id)
{
        struct stream *s;

        LIST_FOREACH (s, &all->waiting, link)
                if (s->wait_id == wait_id)
                        return s;
        return NULL;
}

static void take_ready(struct streams *all, uint64_t wait_id, struct stream_list *ready)
{
        struct stream *s = wait_id == EVENT_IS_WAKE ? NULL : find(all, wait_id);
        eventfd_t ignored;

        if (wait_id == EVENT_IS_WAKE)
                (void)eventfd_read(all->wake_fd, &ignored);
        if (!s)
                return;
        take_out(all, s);
        LIST_INSERT_HEAD(ready, s, link);
}

/* Those that nothing came for in time, or that nobody wants any more. Return: when to look again. */
static uint64_t take_late(struct streams *all, uint64_t now, struct stream_list *ready)
{
        uint64_t next = USEC_INFINITY;
        struct stream *s, *following;

        for (s = LIST_FIRST(&all->waiting); s; s = following) {
                following = LIST_NEXT(s, link);
                if (all->closed || atomic_load(&s->hung_up) || s->until_mono_usec <= now) {
                        take_out(all, s);
                        LIST_INSERT_HEAD(ready, s, link);
                } else if (s->until_mono_usec < next) {
                        next = s->until_mono_usec;
                }
        }
        return next;
}

/* Without the lock: who is resumed takes others. He may wait again, or be gone, before the call returns. */
static void resume_all(struct stream_list *ready)
{
        struct stream *s;

        while ((s = LIST_FIRST(ready))) {
                LIST_REMOVE(s, link);
                s->resume(s->resume_userdata);
        }
}

/* For epoll_wait(): never too early, -1 for ever. */
static int msec_until(uint64_t mono_usec)
{
        uint64_t msec, now = now_mono_usec();

        if (mono_usec == USEC_INFINITY)
                return -1;
        msec = mono_usec > now ? (mono_usec - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0;
        return msec < INT32_MAX ? (int)msec : INT32_MAX;
}

static void *streams_thread(void *userdata)
{
        struct streams *all = userdata;
        struct epoll_event events[N_EVENTS];
        struct stream_list ready;
        bool stopping;
        uint64_t until;
        int n = 0;

        do {
                LIST_INIT(&ready);
                pthread_mutex_lock(&all->lock);
                for (int i = 0; i < n; i++)
                        take_ready(all, events[i].data.u64, &ready);
                until = take_late(all, now_mono_usec(), &ready);
                all->wake_mono_usec = until;
                stopping = all->stopping;
                pthread_mutex_unlock(&all->lock);
                resume_all(&ready);
                n = stopping ? 0 : epoll_wait(all->epoll_fd, events, N_EVENTS, msec_until(until));
        } while (!stopping);
        return NULL;
}

static int open_fds(struct streams *all)
{
        struct epoll_event wakes = {.events = EPOLLIN, .data.u64 = EVENT_IS_WAKE};

        all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (all->epoll_fd >= 0 && all->wake_fd >= 0 &&
            epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, all->wake_fd, &wakes) == 0)
                return 0;
        return -errno;
}

static void streams_done(struct streams *all)
{
        closep(&all->epoll_fd);
        closep(&all->wake_fd);
        pthread_mutex_destroy(&all->lock);
        free(all);
}

int streams_new(struct streams **ret)
{
        struct streams *all = calloc(1, sizeof(*all));
        int k;

        if (!all)
                return -ENOMEM;
        pthread_mutex_init(&all->lock, NULL);
        LIST_INIT(&all->waiting);
        all->wake_mono_usec = USEC_INFINITY;
        k = open_fds(all);
        if (k >= 0)
                k = -pthread_create(&all->thread, NULL, streams_thread, all);
        if (k < 0) {
                streams_done(all);
                return k;
        }
        pthread_setname_np(all->thread, "streams");
        *ret = all;
        return 0;
}

struct streams *streams_free(struct streams *all)
{
        if (!all)
                return NULL;
        pthread_mutex_lock(&all->lock);
        all->stopping = true;
        assert(LIST_EMPTY(&all->waiting));
        pthread_mutex_unlock(&all->lock);
        wake(all);
        pthread_join(all->thread, NULL);
        streams_done(all);
        return NULL;
}

static bool begin_wait(struct streams *all, struct stream *s)
{
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = ++all->last_wait_id};

        if (all->closed)
                atomic_store(&s->hung_up, true);
        if (atomic_load(&s->hung_up))
                return false;
        if (epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0) {
                atomic_store(&s->hung_up, true); /* nothing would wake it */
                return false;
        }
        s->wait_id = event.data.u64;
        s->waiting = true;
        LIST_INSERT_HEAD(&all->waiting, s, link);
        return true;
}

bool streams_wait(struct streams *all, struct stream *s, void (*resume)(void *userdata),
                  void *userdata)
{
        bool waits;

        s->resume = resume;
        s->resume_userdata = userdata;
        s->until_mono_usec = give_up_at(s);
        pthread_mutex_lock(&all->lock);
        waits = begin_wait(all, s);
        if (waits && s->until_mono_usec < all->wake_mono_usec)
                wake(all);
        pthread_mutex_unlock(&all->lock);
        return waits;
}

void streams_hang_up(struct streams *all, struct stream *s)
{
        pthread_mutex_lock(&all->lock);
        atomic_store(&s->hung_up, true);
        if (s->waiting)
                wake(all);
        pthread_mutex_unlock(&all->lock);
}

void streams_close(struct streams *all)
{
        pthread_mutex_lock(&all->lock);
        all->closed = true;
        wake(all);
        pthread_mutex_unlock(&all->lock);
}
