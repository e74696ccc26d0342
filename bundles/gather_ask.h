#pragma once

/*
 * One node is asked for its fragment, which is spooled as it comes. A node with our daemon streams it in answer to one
 * request; one with the service that we replace is told to make a bundle, asked how far it is every second, and its
 * zip is fetched and deleted there.
 *
 * Belongs to the loop.
 */

#include "bundles/archive.h"
#include "bundles/gather.h"
#include "bundles/gather_spool.h"
#include "net/fetch.h"

#define ASK_BUSY_USEC_MAX (UINT64_C(30) * 1000000)

enum ask_end {
        ASK_NOTHING = 0, /* words say why */
        ASK_GOT,         /* the spool, from its beginning; words: why it may not be all, or "" */
        ASK_BUSY,        /* it collects for somebody else: again after busy_usec */
        ASK_NO_SPACE,    /* our disk is as full as it may be */
};

struct ask_outcome {
        enum ask_end end;
        char words[224];
        uint64_t busy_usec;
        struct spool spool; /* of ASK_GOT; taken by who is told */
        enum archive_format format;
        uint64_t took_usec;
};

struct ask_terms {
        struct fetcher *fetcher;
        const struct gather_node *node; /* borrowed */
        const char *directory;
        const char *bundle; /* id */
        const char *by;     /* who wants it: for the log of our own node daemon */
        const char *body;   /* a collect_request; borrowed until the end */
        size_t n_body;
        enum archive_format format; /* that is wanted: TAR_ZSTD or TAR_GZIP */
        uint64_t max_bytes, free_floor;
        uint64_t deadline_mono_usec;
        /* Once, from the loop; it may free the ask. @o is the callee's. */
        void (*done)(struct ask_outcome *o, void *userdata);
        void *userdata;
};

struct ask;

/** ask_start() - 0, or -errno with @e: then done is never called */
int ask_start(struct ask **ret, const struct ask_terms *terms, struct err *e);
struct ask *ask_free(struct ask *a); /* breaks it off */

/** ask_tick() - a few times a second: who is silent for too long is cut; may end it */
void ask_tick(struct ask *a, uint64_t now_mono_usec);

/** ask_received() - bytes so far */
uint64_t ask_received(const struct ask *a);

DEFINE_CLEANUP(struct ask *, ask_free);
