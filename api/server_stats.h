#pragma once

/* What a server has done so far, in numbers: counters that cost next to nothing, and a snapshot of them. */

#include <stdatomic.h>

#include "api/parked.h"
#include "base/parse.h"

#define SERVER_LISTENERS_MAX 16u

/** Why somebody was sent away. */
enum server_refusal {
        SERVER_REFUSAL_NONE = 0,
        SERVER_REFUSAL_NOT_ALLOWED,  /* 403: the caller's class does not suffice */
        SERVER_REFUSAL_WRONG_HOST,   /* 421 */
        SERVER_REFUSAL_CROSS_ORIGIN, /* 403: a page of another host asks for a change */
        SERVER_REFUSAL_TOO_LARGE,    /* 413 */
        SERVER_REFUSAL_BAD_HEAD,     /* 400, 501: it can be read in more than one way */
        SERVER_REFUSAL_TOO_MANY,     /* hung up on: this client has enough connections */
        SERVER_REFUSAL_FULL,         /* hung up on: only places that are kept for others are left */
        SERVER_REFUSAL_BUSY,         /* 503: too many bytes of answers wait to be taken */
        SERVER_REFUSAL_TOO_SLOW,     /* hung up on: a deadline was hit */
        SERVER_REFUSALS,
};

/** server_refusal_to_string() - "not-allowed", "wrong-host", ...: a label of metrics */
const char *server_refusal_to_string(enum server_refusal refusal);

/** What libmicrohttpd answers by itself (431, a request line that is none) is in no counter. */
#define SERVER_STATUSES 24u

struct server_limits {
        unsigned n_connections;      /* of each listener; fewer when descriptors are scarce */
        unsigned n_connections_peer; /* of each address, of each uid; root and proxies have none */
        unsigned n_parked, n_parked_peer;
        uint64_t
                answer_bytes; /* of answers that nobody has taken yet, and that are no one else's */
        uint64_t head_usec;   /* from connecting to the end of the first head */
        uint64_t idle_usec;   /* between two requests */
        uint64_t request_usec; /* for a request to arrive, and again for its answer to be taken */
};

struct server_stats {
        struct {
                unsigned status; /* 0, the last one: any other */
                uint64_t n;
        } answers[SERVER_STATUSES];
        uint64_t refusals[SERVER_REFUSALS];
        uint64_t answer_bytes;    /* bodies of answers that were taken to their end */
        uint64_t accept_failures; /* out of descriptors or memory */
        struct {
                char name[SOCK_ADDRESS_MAX];
                uint64_t n_open, n_total; /* connections now, and since the start */
                unsigned n_max;
        } listeners[SERVER_LISTENERS_MAX];
        size_t n_listeners;
        struct parked_stats parked;
        struct server_limits limits;
};

/** What is counted while it happens, by any thread. */
struct server_counters {
        _Atomic uint64_t answers[SERVER_STATUSES], refusals[SERVER_REFUSALS], answer_bytes;
};

void server_count_answer(struct server_counters *c, unsigned status);
void server_count_refusal(struct server_counters *c, enum server_refusal refusal);
void server_count_bytes(struct server_counters *c, uint64_t n);

/** server_counters_read() - the three first members of @ret */
void server_counters_read(const struct server_counters *c, struct server_stats *ret);
