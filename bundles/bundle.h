#pragma once

/*
 * A bundle as its clients see it: what was asked for, how far it is, what came of it. On disk it is state.json
 * beside the archive; over HTTP it is v2's bundle object, and, less of it, that of the old API.
 *
 * JSON:
 *   {"id","type":"cluster|node","state","created","finished":null|time,"by","observer",
 *    "request":{"nodes":[…],"since","until":null|time,"kinds":[…],"format","redact":true},
 *    "progress":{"nodes_total","nodes_done","nodes_failed","received_bytes","fraction","current"},
 *    "size_bytes":null|n,"sha256":null|hex,"partial","error":null|text,"redactions","file":null|name,
 *    "nodes":[{"node_id","address","role","state","bytes","entries","failed_entries","redactions","error":null|text,
 *              "took_seconds"}]}
 *
 * Written, texts are cut to their limits; read, members that are not known are passed over, and words that are not
 * known count as unknown.
 */

#include "base/buf.h"
#include "base/err.h"
#include "bundles/archive.h"
#include "bundles/source.h"
#include "model/node.h"

#define BUNDLE_ID_MAX        129u /* with a NUL */
#define BUNDLE_NODES_MAX     20000u
#define BUNDLE_LIST_MAX      1000u /* bundles of one master, read */
#define BUNDLE_WORDS_MAX     1000u /* of request.nodes */
#define BUNDLE_WORD_MAX      255u  /* bytes of one, of an address, of a node id */
#define BUNDLE_TEXT_MAX      1000u /* bytes of an error, of who asked */
#define BUNDLE_NODE_TEXT_MAX 255u  /* bytes of a node's error */
#define BUNDLE_JSON_MAX      (16u << 20)

enum bundle_state {
        BUNDLE_UNKNOWN = 0, /* its state.json cannot be read */
        BUNDLE_QUEUED,
        BUNDLE_RUNNING,
        BUNDLE_MERGING,
        BUNDLE_DONE,
        BUNDLE_FAILED,
        BUNDLE_CANCELED,
        BUNDLE_DELETED,
        BUNDLE_N_STATES
};
const char *bundle_state_to_string(enum bundle_state s) _const_;  /* v2: "queued" … */
enum bundle_state bundle_state_from_string(const char *s) _pure_; /* an unknown word: UNKNOWN */
const char *bundle_state_to_v1(enum bundle_state s) _const_;      /* "Started", "InProgress" … */
bool bundle_state_is_final(enum bundle_state s) _const_;

enum bundle_type { BUNDLE_CLUSTER = 0, BUNDLE_NODE };

enum bundle_node_state {
        BUNDLE_NODE_WAITING = 0,
        BUNDLE_NODE_RUNNING,
        BUNDLE_NODE_DONE,
        BUNDLE_NODE_PARTIAL, /* what came is in the bundle; error says what is missing */
        BUNDLE_NODE_FAILED,  /* nothing of it */
        BUNDLE_NODE_N_STATES
};
const char *bundle_node_state_to_string(enum bundle_node_state s) _const_;
enum bundle_node_state bundle_node_state_from_string(
        const char *s) _pure_; /* an unknown word: WAITING */

struct bundle_node {
        char *node_id; /* NULL: not known */
        char *address; /* as it was discovered */
        enum diag_role role;
        enum bundle_node_state state;
        uint64_t n_bytes, n_entries, n_failed_entries, n_redactions, took_usec;
        char *error; /* NULL: none */
};

struct bundle_request {
        /* "all", "masters", "agents", "unhealthy", "none", an address, a node id, a host name, a Mesos id;
         * none of them: the default */
        char **nodes;
        size_t n_nodes;
        uint64_t since_wall_usec, until_wall_usec; /* 0: a day ago; now */
        unsigned kinds;                            /* 0: all */
        enum archive_format format;
        bool no_redact;
};

struct bundle {
        char id[BUNDLE_ID_MAX];
        enum bundle_type type;
        enum bundle_state state;
        uint64_t created_wall_usec, finished_wall_usec; /* finished: 0 while it runs */
        char *by;                                       /* who asked */
        char *observer;                                 /* the node that has it: its address */
        struct bundle_request request;
        size_t n_nodes_total, n_nodes_done, n_nodes_failed;
        uint64_t n_received_bytes;
        char current[160];       /* what is being done, in words; "" */
        uint64_t size_bytes;     /* of the file; 0: none */
        char sha256[DIGEST_HEX]; /* "": not known */
        bool partial;
        char *error; /* NULL: none */
        uint64_t n_redactions;
        char file[32]; /* in its directory: "file.tar.zst"; "" without one */
        struct bundle_node *nodes;
        size_t n_nodes;
};

struct bundle *bundle_free(struct bundle *b);
struct bundle *bundle_copy(const struct bundle *b); /* NULL: out of memory */
struct bundle *bundle_copy_row(
        const struct bundle *b);                /* for a list: of its nodes, but some that failed */
double bundle_fraction(const struct bundle *b); /* 0 to 1; 1 when final */
const char *bundle_v1_status(const struct bundle *b); /* "Started" up to its first progress */

/** bundle_id_is_valid() - [A-Za-z0-9._-]{1,128}, no leading dot */
bool bundle_id_is_valid(const char *id) _pure_;

/** bundle_id_make() - "2026-11-21-0004-prod-7f3a": sorts by time, says which cluster; random at its end */
void bundle_id_make(char ret[static BUNDLE_ID_MAX], const char *name, uint64_t wall_usec);

/** bundle_write() - v2's object, and state.json. @with_nodes: or else without "nodes", for lists */
void bundle_write(struct buf *out, const struct bundle *b, bool with_nodes);

/** bundle_write_v1() - the old API's object: id, type, size, status, started_at, stopped_at, errors */
void bundle_write_v1(struct buf *out, const struct bundle *b);

/** bundle_read() - of state.json, of another master: hostile. 0, -EINVAL, -E2BIG, -ENOMEM */
int bundle_read(struct bundle **ret, const char *json, size_t n, struct err *e);

/**
 * bundle_read_list() - "items" of what another master answers to GET /bundles
 * @ret: free() it, and bundle_free() each
 */
int bundle_read_list(struct bundle ***ret, size_t *ret_n, const char *json, size_t n,
                     struct err *e);

/**
 * bundle_request_read() - the body of POST /bundles, with "id" optional; strict
 * @id: "" when none is said
 * Return: 0; -EINVAL with @e naming the key; -ENOMEM. Then nothing is to be freed.
 */
int bundle_request_read(struct bundle_request *ret, char id[static BUNDLE_ID_MAX], const char *json,
                        size_t n, struct err *e);
void bundle_request_write(struct buf *out, const struct bundle_request *q);
int bundle_request_copy(struct bundle_request *ret,
                        const struct bundle_request *q); /* or -ENOMEM */
void bundle_request_done(struct bundle_request *q);

DEFINE_CLEANUP(struct bundle *, bundle_free);
