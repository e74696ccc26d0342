/*
 * Deadlines of connections. Moving a deadline is one atomic store, done several times a request; the
 * thread pays instead, by looking at all connections when the earliest deadline that it has seen has
 * come. It needs not be told of a deadline that is a whole phase away, because it never sleeps longer
 * than the shortest phase of an old connection; a new one's, which may be shorter, wakes it.
 *
 * It sleeps in epoll_wait(), for what hangs up. Between that call and the lock a connection may be gone: an
 * event has the number of a watch, not an address, and each watch has a number of its own.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "api/cond.h"
#include "api/connections.h"

#define N_HASHES      256u
#define N_EVENTS      16
#define EVENT_IS_WAKE UINT64_C(0) /* no watch has this number */

LIST_HEAD(connection_list, connection);

struct connections {
        struct connections_limits limits;
        void (*hung_up)(struct connection *c);
        int epoll_fd, wake_fd;
        _Atomic uint64_t n_late;
        pthread_mutex_t lock; /* all below */
        pthread_cond_t changed;
        struct connection_list list; /* that have begun */
        struct connection_list hashes[N_HASHES];
        size_t n_admitted;
        uint64_t last_watch_id;
        uint64_t wake_mono_usec; /* when the thread will look again */
        bool shut_down, stopping;
        pthread_t thread;
};

static void connection_shut_down(struct connection *c)
{
        atomic_store_explicit(&c->deadline_mono_usec, USEC_INFINITY, memory_order_relaxed);
        (void)shutdown(c->fd, SHUT_RDWR); /* fails when the peer was faster */
}

static uint64_t longest_sleep(const struct connections *cs)
{
        const struct connections_limits *l = &cs->limits;

        return l->idle_usec < l->request_usec ? l->idle_usec : l->request_usec;
}

/* Return: when to look again. */
static uint64_t shut_down_late_ones(struct connections *cs, uint64_t now)
{
        uint64_t next = usec_add(now, longest_sleep(cs));
        struct connection *c;

        LIST_FOREACH (c, &cs->list, link) {
                uint64_t deadline =
                        atomic_load_explicit(&c->deadline_mono_usec, memory_order_relaxed);

                if (deadline <= now) {
                        atomic_fetch_add_explicit(&cs->n_late, 1, memory_order_relaxed);
                        connection_shut_down(c);
                } else if (deadline < next) {
                        next = deadline;
                }
        }
        return next;
}

static void wake(struct connections *cs)
{
        (void)eventfd_write(cs->wake_fd, 1); /* fails only when it is full of wake-ups */
}

static void unwatch(struct connections *cs, struct connection *c)
{
        if (c->watch_id == 0)
                return;
        c->watch_id = 0;
        (void)epoll_ctl(cs->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
}

static void on_event(struct connections *cs, uint64_t watch_id)
{
        struct connection *c;
        eventfd_t ignored;

        if (watch_id == EVENT_IS_WAKE) {
                (void)eventfd_read(cs->wake_fd, &ignored);
                return;
        }
        LIST_FOREACH (c, &cs->list, link)
                if (c->watch_id == watch_id)
                        break;
        if (!c)
                return;
        unwatch(cs, c);
        cs->hung_up(c);
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

static void *connections_thread(void *userdata)
{
        struct connections *cs = userdata;
        struct epoll_event events[N_EVENTS];

        pthread_mutex_lock(&cs->lock);
        while (!cs->stopping) {
                uint64_t until;
                int n;

                until = LIST_EMPTY(&cs->list) ? USEC_INFINITY
                                              : shut_down_late_ones(cs, now_mono_usec());
                cs->wake_mono_usec = until;
                pthread_mutex_unlock(&cs->lock);
                n = epoll_wait(cs->epoll_fd, events, N_EVENTS, msec_until(until));
                pthread_mutex_lock(&cs->lock);
                for (int i = 0; i < n; i++)
                        on_event(cs, events[i].data.u64);
        }
        pthread_mutex_unlock(&cs->lock);
        return NULL;
}

static int open_fds(struct connections *cs)
{
        struct epoll_event wakes = {.events = EPOLLIN, .data.u64 = EVENT_IS_WAKE};

        cs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        cs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (cs->epoll_fd >= 0 && cs->wake_fd >= 0 &&
            epoll_ctl(cs->epoll_fd, EPOLL_CTL_ADD, cs->wake_fd, &wakes) == 0)
                return 0;
        return -errno;
}

static void connections_done(struct connections *cs)
{
        if (cs->epoll_fd >= 0)
                close(cs->epoll_fd);
        if (cs->wake_fd >= 0)
                close(cs->wake_fd);
        pthread_cond_destroy(&cs->changed);
        pthread_mutex_destroy(&cs->lock);
        free(cs);
}

int connections_new(struct connections **ret, const struct connections_limits *limits,
                    void (*hung_up)(struct connection *c))
{
        struct connections *cs = calloc(1, sizeof(*cs));
        int r;

        if (!cs)
                return -ENOMEM;
        cs->limits = *limits;
        cs->hung_up = hung_up;
        cs->wake_mono_usec = USEC_INFINITY;
        pthread_mutex_init(&cs->lock, NULL);
        cond_init_mono(&cs->changed);
        r = open_fds(cs);
        if (r >= 0)
                r = -pthread_create(&cs->thread, NULL, connections_thread, cs);
        if (r < 0) {
                connections_done(cs);
                return r;
        }
        pthread_setname_np(cs->thread, "connections");
        *ret = cs;
        return 0;
}

struct connections *connections_free(struct connections *cs)
{
        if (!cs)
                return NULL;
        pthread_mutex_lock(&cs->lock);
        cs->stopping = true;
        pthread_mutex_unlock(&cs->lock);
        wake(cs);
        pthread_join(cs->thread, NULL);
        assert(cs->n_admitted == 0);
        connections_done(cs);
        return NULL;
}

/* Who chooses his addresses so that they meet here makes us count longer, and no longer than all. */
static struct connection_list *list_of(struct connections *cs, const struct peer *peer)
{
        unsigned hash = peer->family;

        for (size_t i = 0; i < sizeof(peer->bytes); i++)
                hash = hash * 31 + peer->bytes[i];
        return &cs->hashes[hash % N_HASHES];
}

static unsigned count_of(struct connections *cs, const struct peer *peer)
{
        struct connection *c;
        unsigned n = 0;

        LIST_FOREACH (c, list_of(cs, peer), same_hash)
                n += peer_same(&c->peer, peer);
        return n;
}

bool connections_admit(struct connections *cs, struct connection *c, const struct peer *peer,
                       bool many)
{
        bool admitted;

        c->peer = *peer;
        c->counted = !many;
        pthread_mutex_lock(&cs->lock);
        admitted = many || count_of(cs, peer) < cs->limits.n_client;
        if (admitted && c->counted)
                LIST_INSERT_HEAD(list_of(cs, peer), c, same_hash);
        cs->n_admitted += admitted;
        pthread_mutex_unlock(&cs->lock);
        return admitted;
}

void connections_exempt(struct connections *cs, struct connection *c)
{
        pthread_mutex_lock(&cs->lock);
        if (c->counted)
                LIST_REMOVE(c, same_hash);
        c->counted = false;
        pthread_mutex_unlock(&cs->lock);
}

void connections_begin(struct connections *cs, struct connection *c, int fd)
{
        uint64_t deadline;

        c->fd = fd;
        c->begun = true;
        c->begun_mono_usec = now_mono_usec();
        connection_enter(cs, c, CONNECTION_HEAD);
        pthread_mutex_lock(&cs->lock);
        LIST_INSERT_HEAD(&cs->list, c, link);
        deadline = atomic_load_explicit(&c->deadline_mono_usec, memory_order_relaxed);
        if (deadline < cs->wake_mono_usec)
                wake(cs);
        if (cs->shut_down)
                connection_shut_down(c);
        pthread_mutex_unlock(&cs->lock);
}

void connections_remove(struct connections *cs, struct connection *c)
{
        pthread_mutex_lock(&cs->lock);
        unwatch(cs, c);
        if (c->begun)
                LIST_REMOVE(c, link);
        if (c->counted)
                LIST_REMOVE(c, same_hash);
        if (--cs->n_admitted == 0)
                pthread_cond_broadcast(&cs->changed);
        pthread_mutex_unlock(&cs->lock);
}

void connections_watch(struct connections *cs, struct connection *c)
{
        struct epoll_event event = {.events = EPOLLRDHUP}; /* and, always, EPOLLERR, EPOLLHUP */

        pthread_mutex_lock(&cs->lock);
        event.data.u64 = ++cs->last_watch_id;
        if (c->watch_id == 0 && epoll_ctl(cs->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) == 0)
                c->watch_id = event.data.u64;
        pthread_mutex_unlock(&cs->lock);
}

void connections_unwatch(struct connections *cs, struct connection *c)
{
        pthread_mutex_lock(&cs->lock);
        unwatch(cs, c);
        pthread_mutex_unlock(&cs->lock);
}

static uint64_t phase_usec(const struct connections *cs, enum connection_phase phase)
{
        switch (phase) {
        case CONNECTION_HEAD:
                return cs->limits.head_usec;
        case CONNECTION_IDLE:
                return cs->limits.idle_usec;
        case CONNECTION_REQUEST:
                return cs->limits.request_usec;
        case CONNECTION_PAUSED:
        case CONNECTION_FLOWING:
        default:
                return USEC_INFINITY;
        }
}

void connection_enter(struct connections *cs, struct connection *c, enum connection_phase phase)
{
        if (phase != CONNECTION_HEAD)
                atomic_store_explicit(&c->has_asked, true, memory_order_relaxed);
        atomic_store_explicit(&c->deadline_mono_usec,
                              usec_add(now_mono_usec(), phase_usec(cs, phase)),
                              memory_order_relaxed);
}

bool connection_has_asked(const struct connection *c)
{
        return atomic_load_explicit(&c->has_asked, memory_order_relaxed);
}

uint64_t connections_n_late(struct connections *cs)
{
        return atomic_load_explicit(&cs->n_late, memory_order_relaxed);
}

static bool connection_expects_request(struct connection *c, uint64_t now, uint64_t new_usec)
{
        int n_bytes = 0;

        if (!connection_has_asked(c) && usec_since(now, c->begun_mono_usec) < new_usec)
                return true;
        return ioctl(c->fd, FIONREAD, &n_bytes) == 0 && n_bytes > 0;
}

bool connections_expect_request(struct connections *cs, uint64_t new_usec)
{
        uint64_t now = now_mono_usec();
        struct connection *c;
        bool expect = false;

        pthread_mutex_lock(&cs->lock);
        LIST_FOREACH (c, &cs->list, link)
                expect |= connection_expects_request(c, now, new_usec);
        pthread_mutex_unlock(&cs->lock);
        return expect;
}

void connections_shutdown(struct connections *cs)
{
        struct connection *c;

        pthread_mutex_lock(&cs->lock);
        cs->shut_down = true;
        LIST_FOREACH (c, &cs->list, link)
                connection_shut_down(c);
        pthread_mutex_unlock(&cs->lock);
}

bool connections_wait_none(struct connections *cs, uint64_t until_mono_usec)
{
        bool none;

        pthread_mutex_lock(&cs->lock);
        while (!(none = cs->n_admitted == 0) && now_mono_usec() < until_mono_usec)
                cond_wait_until(&cs->changed, &cs->lock, until_mono_usec);
        pthread_mutex_unlock(&cs->lock);
        return none;
}
