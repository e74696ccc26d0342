#pragma once

/*
 * Requests that wait: for a change, or for a deadline. One thread, asleep while nobody waits. It
 * never answers anything: it lets the request's handler run again, and that one decides. The event
 * loop is not involved: a hung loop must not keep a parked request from being told the truth.
 */

#include <sys/queue.h>

#include "base/cleanup.h"

#define PARKED_MAX 64u

struct parked;

/** Embedded in whatever waits. */
struct parked_entry {
        LIST_ENTRY(parked_entry) link; /* owner: struct parked */
        uint64_t until_mono_usec;
        void (*resume)(struct parked_entry *e); /* parking thread, once, after removal */
};

/** parked_new() - its thread inherits the signal mask of the caller, who has blocked signals */
int parked_new(struct parked **ret);

/** parked_free() - stop the thread. Nobody may be parked any more. */
struct parked *parked_free(struct parked *p);

/** parked_ticket() - take one *before* looking whether there is something to say. */
uint64_t parked_ticket(struct parked *p);

/**
 * parked_add() - wait
 * Return: true: resume() will be called. False, and nothing happened: something changed since the
 * ticket was taken, or too many wait, or we are stopping: look again, and answer.
 */
bool parked_add(struct parked *p, struct parked_entry *e, uint64_t ticket,
                uint64_t until_mono_usec);

/** parked_wake() - something changed: everybody looks again. */
void parked_wake(struct parked *p);

/** parked_close() - everybody looks again, and nobody parks from now on. */
void parked_close(struct parked *p);

/** parked_is_closed() - a handler must answer now. */
bool parked_is_closed(struct parked *p);

DEFINE_CLEANUP(struct parked *, parked_free);
