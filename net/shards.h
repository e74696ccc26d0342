#pragma once

/*
 * libcurl's multi handles on the event loop: each is a shard, and all of them share one epoll
 * descriptor, which is one source of the loop, and one timer. libcurl slows down with the square of the
 * connections that one handle keeps, sd-event with that of the sources that are ready at once.
 */

#include <curl/curl.h>

#include "base/loop.h"

#define SHARDS_MAX 256u

struct shards;

struct shards_options {
        unsigned n;          /* 1 … SHARDS_MAX */
        unsigned n_kept_max; /* connections, over all of them; 0: libcurl decides */
        /* Called from the loop: a transfer has ended; it must be removed in it. */
        void (*ended)(CURL *easy, CURLcode code, void *userdata);
        /* Called from the loop: after all that have ended in this turn. */
        void (*drained)(void *userdata);
        void *userdata;
};

/** shards_new() - curl_global_init() came before. 0 or -errno. */
int shards_new(struct shards **ret, struct loop *l, const struct shards_options *options);

/** shards_free() - nothing runs any more; what is kept is closed. */
struct shards *shards_free(struct shards *s);

/** shards_add() - start a transfer in the shard of @hash; nothing is called before the loop turns. 0 or -ENOMEM. */
int shards_add(struct shards *s, uint32_t hash, CURL *easy);

/** shards_remove() - with the same @hash; not from within libcurl. */
void shards_remove(struct shards *s, uint32_t hash, CURL *easy);

DEFINE_CLEANUP(struct shards *, shards_free);
