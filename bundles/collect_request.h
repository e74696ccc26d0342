#pragma once

/*
 * What is asked of a collector: over its socket, and in the body of POST /node/collect. Ids and windows only; no
 * path, no command, no URL. Hostile: schema-checked, limited, fuzzed.
 *
 *   {"op":"archive|one|list|estimate","role":"master|agent|agent_public","format":"tar.zst|tar.gz|zip",
 *    "fragment":false,"prefix":"10.0.0.9_agent","bundle":ID,"kinds":["journal",…],"ids":[{"kind","id"},…],
 *    "units":["a.service",…],"since":time,"until":time,"timeout_ms":n,"source_max_bytes":n,"max_bytes":n,
 *    "redact":true,"salt":64 hex digits}
 *
 * All of them may be missing; what stands here is then zero, NULL, or what is written for it below. Times are RFC
 * 3339, to the millisecond.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/redact.h"
#include "bundles/archive.h"
#include "bundles/source.h"

#define COLLECT_REQUEST_BYTES_MAX 65536u
#define COLLECT_IDS_MAX           512u
#define COLLECT_UNITS_MAX         2000u
#define COLLECT_BYTES_MAX         (UINT64_C(256) << 20) /* of a node, decoded */
#define COLLECT_USEC_MAX          (UINT64_C(1800) * 1000000)
#define COLLECT_SINCE_USEC        (UINT64_C(86400) * 1000000)

enum collect_op {
        COLLECT_ARCHIVE = 0, /* write an archive into the descriptor */
        COLLECT_ONE,  /* write one source as it is, without archive: /logs/{provider}/{entity} */
        COLLECT_LIST, /* say what there is: JSON, see bundles/plan_list.h */
        COLLECT_ESTIMATE, /* say how big it would be: JSON */
        COLLECT_N_OPS
};
const char *collect_op_to_string(enum collect_op op) _const_;
int collect_op_from_string(enum collect_op *ret, const char *s); /* 0 or -EINVAL */

struct collect_id {
        enum source_kind kind;
        char *id;
};

struct collect_request {
        enum collect_op op;
        enum diag_role role;
        enum archive_format format;
        bool fragment;
        char prefix
                [ARCHIVE_PATH_MAX]; /* one segment; of a fragment see fragment.h; "": at the root */
        char bundle[129];           /* id of the bundle, for the manifest; "" */
        unsigned kinds;             /* SOURCE_KIND_BIT()s; 0: all */
        struct collect_id *ids;     /* only these; NULL: all of kinds. Of ONE: exactly one */
        size_t n_ids;
        char **units; /* the node's components: each gets a journal and its properties; NULL: look for them; none
                         of them is n_units == 0 */
        size_t n_units;
        uint64_t since_wall_usec, until_wall_usec; /* 0: COLLECT_SINCE_USEC ago; now */
        uint64_t timeout_usec;                     /* for all of it; 0: COLLECT_USEC_MAX */
        uint64_t source_max_bytes, max_bytes;      /* 0: as configured; never more than that */
        bool no_redact;                            /* needs AllowUnredacted=yes */
        bool has_salt;
        uint8_t salt[REDACT_SALT_BYTES]; /* the same throughout a bundle; without: one of its own */
};

void collect_request_done(struct collect_request *q);

/**
 * collect_request_read() - strict: an unknown key is -EINVAL with @e naming it. Zeroed where nothing is said.
 *
 * ONE without exactly one id, a fragment that is a zip or has no prefix, and a window that ends before it begins are
 * refused here. Return: 0, or -EINVAL, -E2BIG, -ENOMEM; @ret is untouched on failure.
 */
int collect_request_read(struct collect_request *ret, const char *json, size_t n, struct err *e);

/** collect_request_write() - what collect_request_read() reads */
void collect_request_write(struct buf *out, const struct collect_request *q);

/* What the collector says over its socket, a packet of JSON each; the first one comes before any byte of output:
 *   {"event":"started"}
 *   {"event":"progress","entries":12,"entries_total":70,"bytes":1234,"source":"journal dcos-mesos-master.service"}
 *   {"event":"done","entries":70,"failed":1,"truncated":2,"redactions":41,"bytes":123456,"partial":false}
 *   {"event":"error","code":"not-allowed"|"bad-request"|"bad-configuration"|"not-found"|"failed","error":"one line"}
 * Closing the socket is how a collection is cancelled. A reader skips keys that it does not know.
 */
enum collect_event_kind {
        COLLECT_STARTED = 0,
        COLLECT_PROGRESS,
        COLLECT_DONE,
        COLLECT_ERROR,
        COLLECT_N_EVENTS
};
const char *collect_event_kind_to_string(enum collect_event_kind k) _const_;
int collect_event_kind_from_string(enum collect_event_kind *ret, const char *s); /* 0 or -EINVAL */

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

/** collect_event_read() - texts are cut to fit, and have no control characters. 0, or -EINVAL, -E2BIG */
int collect_event_read(struct collect_event *ret, const char *json, size_t n);
