/*
 * Requests that wait. The one idea: a ticket counts the wake-ups, is taken before a handler looks and
 * compared when it parks, under the lock that a wake-up takes as well; so that a change between
 * looking and parking cannot be missed. Who is woken moves to a second list, and only from there, with
 * the lock released, is resumed: resume() may call whatever it likes.
 */

#include <assert.h>
#include <errno.h>

#include "api/cond.h"
#include "api/parked.h"

LIST_HEAD(parked_list, parked_entry);

struct parked {
        pthread_mutex_t lock; /* all below */
        pthread_cond_t changed;
        struct parked_list waiting, apart, due; /* apart: they wait with a key */
        size_t n_waiting, n_counted;            /* counted: those that the limit is for */
        unsigned n_max, n_peer_max;
        uint64_t n_parked, n_refused;
        uint64_t ticket;
        bool closed, stopping;
        pthread_t thread;
};

static void make_due(struct parked *p, struct parked_entry *e)
{
        LIST_REMOVE(e, link);
        LIST_INSERT_HEAD(&p->due, e, link);
        e->waiting = false;
        p->n_waiting--;
        p->n_counted -= e->share != PARKED_PRIVILEGED;
}

static void make_all_due(struct parked *p, struct parked_list *list)
{
        while (!LIST_EMPTY(list))
                make_due(p, LIST_FIRST(list));
}

/* Return: when the next one of those that go on waiting is due. */
static uint64_t make_expired_due(struct parked *p, struct parked_list *list, uint64_t now)
{
        uint64_t next = USEC_INFINITY;

        for (struct parked_entry *e = LIST_FIRST(list), *after; e; e = after) {
                after = LIST_NEXT(e, link);
                if (e->until_mono_usec <= now)
                        make_due(p, e);
                else if (e->until_mono_usec < next)
                        next = e->until_mono_usec;
        }
        return next;
}

static void resume_first(struct parked *p)
{
        struct parked_entry *e = LIST_FIRST(&p->due);

        LIST_REMOVE(e, link);
        pthread_mutex_unlock(&p->lock);
        e->resume(e); /* @e may be parked again, or gone, before this returns */
        pthread_mutex_lock(&p->lock);
}

static void *parked_thread(void *userdata)
{
        struct parked *p = userdata;

        pthread_mutex_lock(&p->lock);
        while (!p->stopping) {
                uint64_t now = now_mono_usec();
                uint64_t next = make_expired_due(p, &p->waiting, now);
                uint64_t next_apart = make_expired_due(p, &p->apart, now);

                if (LIST_EMPTY(&p->due))
                        cond_wait_until(&p->changed, &p->lock,
                                        next < next_apart ? next : next_apart);
                else
                        resume_first(p);
        }
        pthread_mutex_unlock(&p->lock);
        return NULL;
}

int parked_new(struct parked **ret)
{
        struct parked *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;
        p->n_max = PARKED_MAX;
        p->n_peer_max = PARKED_PEER_MAX;
        LIST_INIT(&p->waiting);
        LIST_INIT(&p->apart);
        LIST_INIT(&p->due);
        pthread_mutex_init(&p->lock, NULL);
        cond_init_mono(&p->changed);
        r = pthread_create(&p->thread, NULL, parked_thread, p);
        if (r != 0) {
                pthread_cond_destroy(&p->changed);
                pthread_mutex_destroy(&p->lock);
                free(p);
                return -r;
        }
        pthread_setname_np(p->thread, "parked");
        *ret = p;
        return 0;
}

struct parked *parked_free(struct parked *p)
{
        if (!p)
                return NULL;
        pthread_mutex_lock(&p->lock);
        p->closed = p->stopping = true;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        assert(p->n_waiting == 0 && LIST_EMPTY(&p->due));
        pthread_cond_destroy(&p->changed);
        pthread_mutex_destroy(&p->lock);
        free(p);
        return NULL;
}

void parked_set_limits(struct parked *p, unsigned n_max, unsigned n_peer_max)
{
        pthread_mutex_lock(&p->lock);
        p->n_max = n_max;
        p->n_peer_max = n_peer_max;
        pthread_mutex_unlock(&p->lock);
}

uint64_t parked_ticket(struct parked *p)
{
        uint64_t ticket;

        pthread_mutex_lock(&p->lock);
        ticket = p->ticket;
        pthread_mutex_unlock(&p->lock);
        return ticket;
}

struct tally {
        unsigned n, n_loopback; /* of one client, and of all loopback addresses */
};

static void count_list(struct tally *t, const struct parked_list *list, const struct peer *peer)
{
        const struct parked_entry *e;

        LIST_FOREACH (e, list, link) {
                t->n += e->share == PARKED_ORDINARY && peer_same(&e->peer, peer);
                t->n_loopback += e->share == PARKED_ORDINARY && peer_is_loopback(&e->peer);
        }
}

static bool client_has_room(const struct parked *p, const struct peer *peer)
{
        unsigned n_max_loopback = (p->n_max + PARKED_LOOPBACK_SHARE - 1) / PARKED_LOOPBACK_SHARE;
        struct tally t = {0};

        count_list(&t, &p->waiting, peer);
        count_list(&t, &p->apart, peer);
        return t.n < p->n_peer_max && (!peer_is_loopback(peer) || t.n_loopback < n_max_loopback);
}

static bool has_room(const struct parked *p, const struct parked_entry *e)
{
        if (e->share == PARKED_PRIVILEGED)
                return true;
        return p->n_counted < p->n_max && (e->share == PARKED_MANY || client_has_room(p, &e->peer));
}

bool parked_add(struct parked *p, struct parked_entry *e, uint64_t ticket, uint64_t until_mono_usec)
{
        bool added;

        pthread_mutex_lock(&p->lock);
        added = !p->closed && !e->hung_up && ticket == p->ticket;
        if (added && !has_room(p, e)) {
                p->n_refused++;
                added = false;
        }
        if (added) {
                e->until_mono_usec = until_mono_usec;
                LIST_INSERT_HEAD(e->key ? &p->apart : &p->waiting, e, link);
                e->waiting = true;
                p->n_waiting++;
                p->n_counted += e->share != PARKED_PRIVILEGED;
                p->n_parked++;
                pthread_cond_signal(&p->changed); /* it may be due before all others */
        }
        pthread_mutex_unlock(&p->lock);
        return added;
}

void parked_hang_up(struct parked *p, struct parked_entry *e)
{
        pthread_mutex_lock(&p->lock);
        e->hung_up = true;
        if (e->waiting) {
                make_due(p, e);
                pthread_cond_signal(&p->changed);
        }
        pthread_mutex_unlock(&p->lock);
}

bool parked_has_hung_up(struct parked *p, const struct parked_entry *e)
{
        bool hung_up;

        pthread_mutex_lock(&p->lock);
        hung_up = e->hung_up;
        pthread_mutex_unlock(&p->lock);
        return hung_up;
}

void parked_wake(struct parked *p)
{
        pthread_mutex_lock(&p->lock);
        p->ticket++;
        make_all_due(p, &p->waiting);
        if (!LIST_EMPTY(&p->due))
                pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
}

/* The ticket is for who is about to park with it; a few others may look again in vain. */
void parked_wake_key(struct parked *p, const void *key)
{
        pthread_mutex_lock(&p->lock);
        p->ticket++;
        for (struct parked_entry *e = LIST_FIRST(&p->apart), *after; e; e = after) {
                after = LIST_NEXT(e, link);
                if (e->key == key)
                        make_due(p, e);
        }
        if (!LIST_EMPTY(&p->due))
                pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
}

void parked_close(struct parked *p)
{
        pthread_mutex_lock(&p->lock);
        p->closed = true;
        make_all_due(p, &p->waiting);
        make_all_due(p, &p->apart);
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
}

bool parked_is_closed(struct parked *p)
{
        bool closed;

        pthread_mutex_lock(&p->lock);
        closed = p->closed;
        pthread_mutex_unlock(&p->lock);
        return closed;
}

void parked_stats(struct parked *p, struct parked_stats *ret)
{
        pthread_mutex_lock(&p->lock);
        *ret = (struct parked_stats){
                .n_max = p->n_max,
                .n_peer_max = p->n_peer_max,
                .n_waiting = p->n_waiting,
                .n_parked = p->n_parked,
                .n_refused = p->n_refused,
        };
        pthread_mutex_unlock(&p->lock);
}
