#pragma once

/*
 * Requests that wait: for a change, or for a deadline. One thread, asleep while nobody waits. It
 * never answers anything: it lets the request's handler run again, and that one decides. The event
 * loop is not involved: a hung loop must not keep a parked request from being told the truth.
 *
 * A place is for those who are there to hear the answer. Who has hung up is woken at once, and does not
 * park again.
 */

#include <sys/queue.h>

#include "api/peer.h"

/* Until parked_set_limits(). */
#define PARKED_MAX      64u
#define PARKED_PEER_MAX 8u

struct parked;

/** What one that waits takes away from others. */
enum parked_share {
        PARKED_ORDINARY = 0, /* counts in all, and for its client */
        PARKED_MANY,         /* counts in all: its client asks for many others */
        PARKED_PRIVILEGED,   /* does not count */
};

/** Embedded in whatever waits. */
struct parked_entry {
        LIST_ENTRY(parked_entry) link; /* owner: struct parked */
        uint64_t until_mono_usec;
        struct peer peer; /* whose it is; set by the owner, as are share, key and resume */
        enum parked_share share;
        const void *key;       /* what it waits for; set by the owner. NULL: for any change */
        bool waiting, hung_up; /* struct parked's, to be zeroed before the first parked_add() */
        void (*resume)(struct parked_entry *e); /* parking thread, once, after removal */
};

/** parked_new() - its thread inherits the signal mask of the caller, who has blocked signals */
int parked_new(struct parked **ret);

/** parked_free() - stop the thread. Nobody may be parked any more. */
struct parked *parked_free(struct parked *p);

/* Loopback addresses, of which anybody here has as many as he likes, get one place in so many together. */
#define PARKED_LOOPBACK_SHARE 2u

/** parked_set_limits() - how many may wait, and how many of one client; those who wait already may stay */
void parked_set_limits(struct parked *p, unsigned n_max, unsigned n_peer_max);

/** parked_ticket() - take one *before* looking whether there is something to say. */
uint64_t parked_ticket(struct parked *p);

/**
 * parked_add() - wait
 * Return: true: resume() will be called. False, and nothing happened: something changed since the
 * ticket was taken, or too many wait (in all, or of this client), or it has hung up, or we are stopping:
 * look again, and answer.
 */
bool parked_add(struct parked *p, struct parked_entry *e, uint64_t ticket,
                uint64_t until_mono_usec);

/** parked_hang_up() - nobody listens to this one any more, for good: it looks again, if it waits */
void parked_hang_up(struct parked *p, struct parked_entry *e);

/** parked_has_hung_up() - a handler must answer now */
bool parked_has_hung_up(struct parked *p, const struct parked_entry *e);

/** parked_wake() - something changed: everybody looks again, but for those who wait with a key. */
void parked_wake(struct parked *p);

/**
 * parked_wake_key() - who waits with @key looks again, and nobody else
 * @key: not NULL; only compared: what it points to may be gone
 */
void parked_wake_key(struct parked *p, const void *key);

/** parked_close() - everybody looks again, and nobody parks from now on. */
void parked_close(struct parked *p);

/** parked_is_closed() - a handler must answer now. */
bool parked_is_closed(struct parked *p);

struct parked_stats {
        unsigned n_max, n_peer_max;
        size_t n_waiting;             /* all that wait now, privileged ones, too */
        uint64_t n_parked, n_refused; /* since the start; refused: too many waited */
};
void parked_stats(struct parked *p, struct parked_stats *ret);

DEFINE_CLEANUP(struct parked *, parked_free);
