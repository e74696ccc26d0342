/*
 * Taking connections. Not libmicrohttpd's own way, for three reasons (0.9.75): it cannot be told to stop
 * taking them while it answers what it has (MHD_quiesce_daemon() races with its own thread, and panics),
 * so that a daemon that stops would take requests into its grave that the next one could answer; out of
 * descriptors it spins, when it has no connection yet; and it cannot count Unix sockets by uid.
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "api/acceptor.h"
#include "base/log.h"

#define PAUSE_MSEC 100 /* after a failure that is not the client's */
#define AT_ONCE    16  /* then it is another listener's turn */

struct acceptor {
        const struct acceptor_ops *ops;
        int event_fd;
        _Atomic bool stopping, full; /* full: a listener is left alone until acceptor_poke() */
        _Atomic uint64_t n_failures;
        struct log_ratelimit failures; /* the thread's */

        pthread_mutex_t lock; /* all below */
        struct {
                int fd;
                void *listener;
        } sockets[ACCEPTOR_LISTENERS_MAX];
        size_t n_sockets;
        pthread_t thread;
};

static void wake(struct acceptor *a)
{
        (void)eventfd_write(a->event_fd, 1); /* fails only when it is full of wake-ups */
}

static void complain(struct acceptor *a, int code)
{
        unsigned n_held_back;

        atomic_fetch_add_explicit(&a->n_failures, 1, memory_order_relaxed);
        if (log_ratelimit_pass(&a->failures, &n_held_back))
                log_warning("cannot take connections: %s; trying again (%u more failures since the "
                            "last such message)",
                            strerror(code), n_held_back);
}

/* What accept(2) says about one connection, which is gone now, and not about us. */
static bool is_of_one_connection(int code)
{
        switch (code) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case EPERM: /* a firewall */
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
                return true;
        default:
                return false;
        }
}

/*
 * Return: false when it is no use to try again at once. A Unix socket that somebody has shut down never
 * has anything (EAGAIN), and poll() says at once, and for ever, that it has (POLLHUP).
 */
static bool take_some(struct acceptor *a, const struct pollfd *socket, void *listener)
{
        bool ended = socket->revents & (POLLERR | POLLHUP | POLLNVAL);

        for (int i = 0; i < AT_ONCE && a->ops->has_room(listener); i++) {
                int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0) {
                        a->ops->accepted(listener, fd);
                        continue;
                }
                if (errno == EAGAIN && !ended)
                        return true;
                if (!is_of_one_connection(errno)) {
                        complain(a, errno);
                        return false;
                }
        }
        return true;
}

/*
 * Which sockets to wait for; one without room is left out. "Full" is said before it is known, and taken
 * back: whoever makes room in between must not think that nobody waits for it.
 */
static size_t choose(struct acceptor *a, struct pollfd *fds, void **listeners)
{
        bool full = false;
        size_t n = 0;

        atomic_store(&a->full, true);
        pthread_mutex_lock(&a->lock);
        for (size_t i = 0; i < a->n_sockets; i++) {
                if (!a->ops->has_room(a->sockets[i].listener)) {
                        full = true;
                        continue;
                }
                fds[n] = (struct pollfd){.fd = a->sockets[i].fd, .events = POLLIN};
                listeners[n++] = a->sockets[i].listener;
        }
        pthread_mutex_unlock(&a->lock);
        if (!full)
                atomic_store(&a->full, false);
        return n;
}

static void *acceptor_thread(void *userdata)
{
        struct acceptor *a = userdata;
        struct pollfd fds[ACCEPTOR_LISTENERS_MAX + 1];
        void *listeners[ACCEPTOR_LISTENERS_MAX];
        bool able = true;

        while (!atomic_load(&a->stopping)) {
                size_t n = able ? choose(a, fds + 1, listeners) : 0;
                eventfd_t ignored;

                fds[0] = (struct pollfd){.fd = a->event_fd, .events = POLLIN};
                if (poll(fds, n + 1, able ? -1 : PAUSE_MSEC) < 0)
                        continue;
                if (fds[0].revents)
                        (void)eventfd_read(a->event_fd, &ignored);
                able = true;
                for (size_t i = 0; i < n && !atomic_load(&a->stopping); i++)
                        if (fds[i + 1].revents)
                                able &= take_some(a, &fds[i + 1], listeners[i]);
        }
        return NULL;
}

int acceptor_new(struct acceptor **ret, const struct acceptor_ops *ops)
{
        struct acceptor *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->ops = ops;
        a->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (a->event_fd < 0) {
                r = -errno;
                free(a);
                return r;
        }
        pthread_mutex_init(&a->lock, NULL);
        r = pthread_create(&a->thread, NULL, acceptor_thread, a);
        if (r != 0) {
                pthread_mutex_destroy(&a->lock);
                close(a->event_fd);
                free(a);
                return -r;
        }
        pthread_setname_np(a->thread, "acceptor");
        *ret = a;
        return 0;
}

void acceptor_stop(struct acceptor *a)
{
        if (atomic_exchange(&a->stopping, true))
                return;
        wake(a);
        pthread_join(a->thread, NULL);
}

struct acceptor *acceptor_free(struct acceptor *a)
{
        if (!a)
                return NULL;
        acceptor_stop(a);
        pthread_mutex_destroy(&a->lock);
        close(a->event_fd);
        free(a);
        return NULL;
}

int acceptor_add(struct acceptor *a, int fd, void *listener)
{
        int r = 0;

        pthread_mutex_lock(&a->lock);
        if (a->n_sockets == ACCEPTOR_LISTENERS_MAX) {
                r = -E2BIG;
        } else {
                a->sockets[a->n_sockets].fd = fd;
                a->sockets[a->n_sockets++].listener = listener;
        }
        pthread_mutex_unlock(&a->lock);
        wake(a);
        return r;
}

void acceptor_poke(struct acceptor *a)
{
        if (atomic_exchange(&a->full, false))
                wake(a);
}

uint64_t acceptor_n_failures(struct acceptor *a)
{
        return atomic_load_explicit(&a->n_failures, memory_order_relaxed);
}
