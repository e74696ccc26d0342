/*
 * Deadlines of connections. Moving a deadline is one atomic store, done several times a request; the
 * thread pays instead, by looking at all connections when the earliest deadline that it has seen has
 * come. A deadline is only ever moved to "one phase from now", and the thread never sleeps longer than
 * that while somebody is connected, so that it needs not be told.
 */

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "api/cond.h"
#include "api/connections.h"

LIST_HEAD(connection_list, connection);

struct connections {
        uint64_t phase_usec;
        pthread_mutex_t lock; /* all below */
        pthread_cond_t changed;
        struct connection_list list;
        bool shut_down, stopping;
        pthread_t thread;
};

static void connection_shut_down(struct connection *c)
{
        connection_pause(c);
        (void)shutdown(c->fd, SHUT_RDWR); /* fails when the peer was faster */
}

/* Return: when to look again. */
static uint64_t shut_down_late_ones(struct connections *cs, uint64_t now)
{
        uint64_t next = usec_add(now, cs->phase_usec);
        struct connection *c;

        LIST_FOREACH (c, &cs->list, link) {
                uint64_t deadline =
                        atomic_load_explicit(&c->deadline_mono_usec, memory_order_relaxed);

                if (deadline <= now)
                        connection_shut_down(c);
                else if (deadline < next)
                        next = deadline;
        }
        return next;
}

static void *connections_thread(void *userdata)
{
        struct connections *cs = userdata;

        pthread_mutex_lock(&cs->lock);
        while (!cs->stopping)
                if (LIST_EMPTY(&cs->list))
                        pthread_cond_wait(&cs->changed, &cs->lock);
                else
                        cond_wait_until(&cs->changed, &cs->lock,
                                        shut_down_late_ones(cs, now_mono_usec()));
        pthread_mutex_unlock(&cs->lock);
        return NULL;
}

int connections_new(struct connections **ret, uint64_t phase_usec)
{
        struct connections *cs = calloc(1, sizeof(*cs));
        int r;

        if (!cs)
                return -ENOMEM;
        cs->phase_usec = phase_usec;
        LIST_INIT(&cs->list);
        pthread_mutex_init(&cs->lock, NULL);
        cond_init_mono(&cs->changed);
        r = pthread_create(&cs->thread, NULL, connections_thread, cs);
        if (r != 0) {
                pthread_cond_destroy(&cs->changed);
                pthread_mutex_destroy(&cs->lock);
                free(cs);
                return -r;
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
        pthread_cond_broadcast(&cs->changed);
        pthread_mutex_unlock(&cs->lock);
        pthread_join(cs->thread, NULL);
        assert(LIST_EMPTY(&cs->list));
        pthread_cond_destroy(&cs->changed);
        pthread_mutex_destroy(&cs->lock);
        free(cs);
        return NULL;
}

void connections_add(struct connections *cs, struct connection *c, int fd)
{
        c->fd = fd;
        connection_next_phase(cs, c);
        pthread_mutex_lock(&cs->lock);
        if (LIST_EMPTY(&cs->list))
                pthread_cond_broadcast(&cs->changed);
        LIST_INSERT_HEAD(&cs->list, c, link);
        if (cs->shut_down)
                connection_shut_down(c);
        pthread_mutex_unlock(&cs->lock);
}

void connections_remove(struct connections *cs, struct connection *c)
{
        pthread_mutex_lock(&cs->lock);
        LIST_REMOVE(c, link);
        if (LIST_EMPTY(&cs->list))
                pthread_cond_broadcast(&cs->changed);
        pthread_mutex_unlock(&cs->lock);
}

void connection_next_phase(struct connections *cs, struct connection *c)
{
        atomic_store_explicit(&c->deadline_mono_usec, usec_add(now_mono_usec(), cs->phase_usec),
                              memory_order_relaxed);
}

void connection_pause(struct connection *c)
{
        atomic_store_explicit(&c->deadline_mono_usec, USEC_INFINITY, memory_order_relaxed);
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
        while (!(none = LIST_EMPTY(&cs->list)) && now_mono_usec() < until_mono_usec)
                cond_wait_until(&cs->changed, &cs->lock, until_mono_usec);
        pthread_mutex_unlock(&cs->lock);
        return none;
}
