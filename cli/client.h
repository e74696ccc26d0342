#pragma once

/* Whom we ask, and how: --url, else $DIAG_URL, else the socket of this machine's own daemon. */

#include "model/report_json.h"

#define CLIENT_DEFAULT      "unix:/run/diag/agentd.sock"
#define CLIENT_URL_MAX      1024u
#define CLIENT_ETAG_MAX     128u
#define CLIENT_TIMEOUT_USEC UINT64_C(10000000)
#define CLIENT_WAIT_SECONDS \
        25u /* how long the daemon may hold a request; proxies give up at 60 s */

struct client {
        char base[CLIENT_URL_MAX]; /* "http://host:port/base", no slash at its end */
        char socket_path[108];     /* as in sockaddr_un; "" for TCP */
        char who[CLIENT_URL_MAX];  /* what a person calls it */
        bool is_default;           /* nobody said whom to ask */
};

/**
 * client_init() - whom to ask
 * @url: what --url says; NULL: $DIAG_URL, else CLIENT_DEFAULT
 *
 * Accepted: http://HOST[:PORT][/BASE] and unix:/PATH.
 * Return: 0, or -EINVAL with @e quoting what is wrong.
 */
int client_init(struct client *c, const char *url, struct err *e);

/** One look at a node. Zeroed is a good start, and what it is after client_node_done(). */
struct client_node {
        struct diag_report *report;
        struct diag_moment moment;   /* on the node's clock */
        uint64_t received_mono_usec; /* on ours */
        struct buf json;             /* as it came */
        char etag[CLIENT_ETAG_MAX];  /* "" when the daemon does not vouch for it */
};
void client_node_done(struct client_node *n);

enum {
        CLIENT_UNCHANGED = 1, /* the node says what @known holds already */
        CLIENT_NOBODY,        /* nobody listens there; @e says so */
};

/**
 * client_ask_node() - GET /system/health/v2/node
 * @known: what we have: ask for a change, and let the daemon wait for one; NULL: answer at once
 * @ret:   the caller's; untouched unless the return value is 0; may be @known
 *
 * Return: 0, one of the above, or -errno with @e saying what and whom.
 */
int client_ask_node(const struct client *c, const struct client_node *known,
                    struct client_node *ret, struct err *e);

/** client_read_node() - the same from bytes that came another way; takes what @json holds. */
int client_read_node(struct client_node *ret, struct buf *json, struct err *e);
