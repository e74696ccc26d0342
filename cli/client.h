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
        CLIENT_NO_ANSWER,     /* somebody listens: too late, hung up, or no HTTP; @e says which */
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

/**
 * client_call() - any request that is answered at once
 * @path:       what follows the base: "/system/health/v2/…"
 * @request:    its body, JSON; NULL: none
 * @ret_status: HTTP's; any is an answer
 * @body:       the answer's is appended; its max is respected, and must not be 0
 *
 * Return: 0, CLIENT_NOBODY, CLIENT_NO_ANSWER, or -errno with @e saying what and whom; then nothing was
 * appended.
 */
int client_call(const struct client *c, const char *method, const char *path,
                const struct buf *request, unsigned *ret_status, struct buf *body, struct err *e);

/**
 * client_advice() - what to append to a complaint
 * @r: what one of the above returned
 *
 * Behind a socket that does not answer is systemd, which holds it for a daemon that does not start.
 * Return: "; see …", or "".
 */
const char *client_advice(const struct client *c, int r) _pure_;

/** client_status_meaning() - of an HTTP status that is no success, when the answer does not say. */
const char *client_status_meaning(unsigned status) _const_;
