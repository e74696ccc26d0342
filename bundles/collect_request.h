#pragma once

/*
 * What is asked of a collector: over its socket, and in the body of POST /node/collect. Ids and windows only; no
 * path, no command, no URL. Hostile: schema-checked, limited, fuzzed.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/redact.h"
#include "bundles/archive.h"
#include "bundles/source.h"

#define COLLECT_REQUEST_BYTES_MAX 65536u
#define COLLECT_IDS_MAX           512u
#define COLLECT_BYTES_MAX         (UINT64_C(256) << 20) /* of a node, decoded */
#define COLLECT_USEC_MAX          (UINT64_C(1800) * 1000000)
#define COLLECT_SINCE_USEC        (UINT64_C(86400) * 1000000)

enum collect_op {
        COLLECT_ARCHIVE = 0, /* write an archive into the descriptor */
        COLLECT_ONE,  /* write one source as it is, without archive: /logs/{provider}/{entity} */
        COLLECT_LIST, /* say what there is: JSON, see collect_write_list() */
        COLLECT_ESTIMATE, /* say how big it would be: JSON */
        COLLECT_N_OPS
};

struct collect_id {
        enum source_kind kind;
        char *id;
};

struct collect_request {
        enum collect_op op;
        enum diag_role role;
        enum archive_format format;
        bool fragment;
        char prefix[ARCHIVE_PATH_MAX]; /* a valid one (fragment.h), or "": entries at the root */
        char bundle[129];              /* id of the bundle, for the manifest; "" */
        unsigned kinds;                /* SOURCE_KIND_BIT()s; 0: all */
        struct collect_id *ids;        /* only these; NULL: all of kinds. Of ONE: exactly one */
        size_t n_ids;
        char **units; /* the node's components: each gets a journal and its properties; NULL: look for them */
        size_t n_units;
        uint64_t since_wall_usec, until_wall_usec; /* 0: COLLECT_SINCE_USEC ago; now */
        uint64_t timeout_usec;                     /* for all of it; 0: COLLECT_USEC_MAX */
        uint64_t source_max_bytes, max_bytes;      /* 0: as configured; never more than that */
        bool no_redact;                            /* needs AllowUnredacted=yes */
        bool has_salt;
        uint8_t salt[REDACT_SALT_BYTES]; /* the same throughout a bundle; without: one of its own */
};

void collect_request_done(struct collect_request *q);

/** collect_request_read() - strict: an unknown key is -EINVAL with @e naming it. Zeroed where nothing is said. */
int collect_request_read(struct collect_request *ret, const char *json, size_t n, struct err *e);

/** collect_request_write() - what collect_request_read() reads */
void collect_request_write(struct buf *out, const struct collect_request *q);

/* What the collector says over its socket, a packet of JSON each; the first one comes before any byte of output:
 *   {"event":"started"}
 *   {"event":"progress","entries":12,"entries_total":70,"bytes":1234,"source":"journal dcos-mesos-master.service"}
 *   {"event":"done","entries":70,"failed":1,"truncated":2,"redactions":41,"bytes":123456,"partial":false}
 *   {"event":"error","code":"not-allowed"|"bad-request"|"bad-configuration"|"not-found"|"failed","error":"one line"}
 * Closing the socket is how a collection is cancelled.
 */
enum collect_event_kind {
        COLLECT_STARTED = 0,
        COLLECT_PROGRESS,
        COLLECT_DONE,
        COLLECT_ERROR,
        COLLECT_N_EVENTS
};

struct collect_event {
        enum collect_event_kind kind;
        uint64_t n_entries, n_entries_total, n_failed, n_truncated, n_redactions, n_bytes;
        bool partial;
        char source[128]; /* PROGRESS */
        char code[32];    /* ERROR */
        char error[256];
};

#define COLLECT_EVENT_BYTES_MAX 4096u
void collect_event_write(struct buf *out, const struct collect_event *event);
int collect_event_read(struct collect_event *ret, const char *json, size_t n);
