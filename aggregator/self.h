#pragma once

/*
 * Which node is this? The aggregator sees nothing of its own host: it asks the node daemon beside it, over
 * its Unix socket, and takes its word. Loop only.
 */

#include "base/loop.h"
#include "net/fetch.h"

#define SELF_ID_MAX   40u
#define SELF_NAME_MAX 256u

struct self_identity {
        char node_id[SELF_ID_MAX], boot_id[SELF_ID_MAX]; /* "": not known yet */
        char address[SELF_NAME_MAX], hostname[SELF_NAME_MAX];
        uint16_t port; /* of the node daemon */
};

struct self;

/** self_new() - @socket_path: of the node daemon. @changed: it is known, or another one. */
int self_new(struct self **ret, struct loop *l, struct fetcher *f, const char *socket_path,
             void (*changed)(void *userdata), void *userdata);
struct self *self_free(struct self *s);

/** self_get() - borrowed */
const struct self_identity *self_get(const struct self *s);

DEFINE_CLEANUP(struct self *, self_free);
