#pragma once

/*
 * What the other masters say of the cluster: their own views, by long poll. A view of another master never
 * contains ours, so that nothing can latch. Loop only.
 */

#include "base/loop.h"
#include "model/verdict.h"
#include "net/fetch.h"

/* A view that was not heard of for so long is none. */
#define PEERS_FRESH_USEC (UINT64_C(30) * 1000000)

struct peers;

struct peers_options {
        struct loop *loop;
        struct fetcher *fetcher;
        bool tls;
        uint16_t port; /* of the aggregators: 0: 1050 */
        void (*changed)(void *userdata);
        void *userdata;
};

int peers_new(struct peers **ret, const struct peers_options *options);
struct peers *peers_free(struct peers *p);

/** peers_set() - these are the other masters now, by address; at most DIAG_MASTERS_MAX */
void peers_set(struct peers *p, const char *const *addresses, size_t n);

/**
 * peers_views() - what they say, compared with @own
 * @ret: room for DIAG_MASTERS_MAX; strings borrowed until peers_set()
 * Return: how many: of those that have ever said anything.
 */
size_t peers_views(struct peers *p, enum diag_health own, struct diag_peer_view *ret);

/** peer_view_from_json() - "health" and "view.as_of" of GET /cluster. 0, -EBADMSG, -ENOMEM. Pure, fuzzed. */
int peer_view_from_json(const char *text, size_t n, enum diag_health *ret_health,
                        uint64_t *ret_as_of_wall_usec);

DEFINE_CLEANUP(struct peers *, peers_free);
