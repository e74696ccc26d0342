#pragma once

/*
 * Whom we ask, and how: --url, else $DIAG_URL, else the socket of this machine's own daemon: that of the
 * node, or on a master that of the cluster.
 */

#include "model/report_json.h"
#include "net/get.h"

#define CLIENT_DEFAULT      "unix:/run/diag/agentd.sock"
#define CLIENT_CLUSTER      "unix:/run/diag/aggregatord.sock"
#define CLIENT_URL_MAX      1024u
#define CLIENT_PATH_MAX     4096u /* bytes of a path with its query, and a NUL */
#define CLIENT_FILE_MAX     512u
#define CLIENT_ETAG_MAX     128u
#define CLIENT_TIMEOUT_USEC UINT64_C(10000000)
#define CLIENT_WAIT_SECONDS \
        25u /* how long the daemon may hold a request; proxies give up at 60 s */

/** What a verb was told about that: --url, --cacert, --cert, --key; NULL: nothing. Borrowed. */
struct client_options {
        const char *url, *ca_file, *cert_file, *key_file;
        bool cluster; /* when nobody says whom, it is CLIENT_CLUSTER */
};

enum {
        CLIENT_OPTION_URL = 1000, /* above those of any verb */
        CLIENT_OPTION_CACERT,
        CLIENT_OPTION_CERT,
        CLIENT_OPTION_KEY,
};

/* Rows for a verb's table of getopt_long(), and lines for its help. */
#define CLIENT_LONG_OPTIONS                                                \
        {"url", required_argument, NULL, CLIENT_OPTION_URL},               \
                {"cacert", required_argument, NULL, CLIENT_OPTION_CACERT}, \
                {"cert", required_argument, NULL, CLIENT_OPTION_CERT},     \
        {                                                                  \
                "key", required_argument, NULL, CLIENT_OPTION_KEY          \
        }
#define CLIENT_OPTIONS_HELP         CLIENT_OPTIONS_HELP_OF(CLIENT_DEFAULT)
#define CLIENT_CLUSTER_OPTIONS_HELP CLIENT_OPTIONS_HELP_OF(CLIENT_CLUSTER)
#define CLIENT_OPTIONS_HELP_OF(otherwise)                                                       \
        "      --url URL      whom to ask: http[s]://HOST:PORT or unix:/PATH\n"                 \
        "                     (default: $DIAG_URL, else " otherwise ")\n"                       \
        "      --cacert FILE  for https: whom to trust (default: ca.pem in ~/.config/diag or\n" \
        "                     /etc/diag/tls)\n"                                                 \
        "      --cert FILE, --key FILE\n"                                                       \
        "                     for https: who we are (default: node.pem and node.key there)\n"

/** client_options_take() - what getopt_long() found. Return: was it one of these? */
bool client_options_take(struct client_options *o, int option, const char *value);

struct client {
        char base[CLIENT_URL_MAX];     /* "http://host:port/base", no slash at its end */
        char socket_path[108];         /* as in sockaddr_un; "" for TCP */
        char who[CLIENT_URL_MAX];      /* what a person calls it */
        bool is_default;               /* nobody said whom to ask */
        bool cluster;                  /* it is the cluster that we want to know of */
        char ca_file[CLIENT_FILE_MAX]; /* for https; "": none */
        char cert_file[CLIENT_FILE_MAX], key_file[CLIENT_FILE_MAX];
};

/**
 * client_init() - whom to ask, and for https whom to trust and as whom
 * @o: NULL: nothing was said. Without a URL it is $DIAG_URL, else CLIENT_DEFAULT or CLIENT_CLUSTER
 *
 * Accepted: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] and unix:/PATH. Files that were not
 * named are looked for, and count if we may read them; a certificate only together with its key.
 * Return: 0, or -EINVAL with @e quoting what is wrong, -ENOKEY: there is nobody to trust.
 */
int client_init(struct client *c, const struct client_options *o, struct err *e);

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
 * client_get() - GET of anything that has an entity tag
 * @path:  as for client_call()
 * @known: the tag of what we have: ask for a change, and let the daemon wait for one; "": answer at once
 * @ret_status, @body: as for client_call()
 * @etag:  "" when there is none
 *
 * Return: 0, CLIENT_UNCHANGED, CLIENT_NOBODY, CLIENT_NO_ANSWER, or -errno with @e saying what and whom.
 */
int client_get(const struct client *c, const char *path, const char *known, unsigned *ret_status,
               struct buf *body, char etag[static CLIENT_ETAG_MAX], struct err *e);

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
 * client_perform() - any question at all
 * @path: as for client_call()
 * @q:    what is asked and how; url, socket_path, tls and who are filled in here
 * @ret:  get_answer_done() it; untouched unless the return value is 0
 *
 * Return: 0, CLIENT_NOBODY, CLIENT_NO_ANSWER, or -errno with @e saying what and whom; what on_body returned.
 */
int client_perform(const struct client *c, const char *path, struct get_request q,
                   struct get_answer *ret, struct err *e);

/**
 * client_advice() - what to append to a complaint
 * @r: what one of the above returned
 *
 * Behind a socket that does not answer is systemd, which holds it for a daemon that does not start. A
 * machine without the socket of a master is none.
 * Return: "; …", or "".
 */
const char *client_advice(const struct client *c, int r);

/** client_status_meaning() - of an HTTP status that is no success, when the answer does not say. */
const char *client_status_meaning(unsigned status) _const_;
