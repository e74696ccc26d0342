#pragma once

/*
 * One thread that does, one after the other, what would keep a loop from its connections: walking fragments, joining
 * them, hashing. What is handed over belongs to the thread until its done function is called, on the loop.
 */

#include <sys/queue.h>

#include "base/loop.h"

struct work {
        STAILQ_ENTRY(work) link;
        void (*run)(struct work *w);  /* in the thread */
        void (*done)(struct work *w); /* on the loop; may free it */
};

struct worker;

int worker_new(struct worker **ret, struct loop *l);

/** worker_free() - waits for what is being run; of that, and of what still waits, done is not called */
struct worker *worker_free(struct worker *w);

void worker_push(struct worker *w, struct work *work);

DEFINE_CLEANUP(struct worker *, worker_free);
