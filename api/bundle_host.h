#pragma once

/*
 * What handlers of bundles have a daemon do: an errand (api/errand.h) that carries who asks for what, and takes back
 * what came of it. Both daemons have such a host: the cluster's bundles on a master, a node's own on its node daemon.
 */

#include "api/errand.h"
#include "bundles/bundle.h"
#include "bundles/collect_request.h"

enum bundle_task_kind {
        BUNDLE_TASK_LIST = 0, /* -> @bundles */
        BUNDLE_TASK_GET,      /* @id -> @bundles[0] */
        BUNDLE_TASK_CREATE,   /* @request, @id (or "") -> @bundles[0] */
        BUNDLE_TASK_CANCEL,   /* @id -> @bundles[0] */
        BUNDLE_TASK_DELETE,   /* @id -> @bundles[0] */
        BUNDLE_TASK_FILE,     /* @id, @range -> @fd or @stream */
        BUNDLE_TASK_ESTIMATE, /* @request -> @text: JSON */
        BUNDLE_TASK_COLLECT, /* of a node: @collect -> @stream (ARCHIVE, ONE) or @text (LIST, ESTIMATE) */
};

/** The data of an errand. Strings are owned by it. */
struct bundle_task {
        enum bundle_task_kind kind;
        bool own_only; /* what this daemon has; or else of all masters */
        char id[BUNDLE_ID_MAX];
        struct bundle_request request;
        struct collect_request collect;
        char *if_range, *range; /* header values, for who passes them on; NULL */
        char caller[AUTHORITY_NAME_MAX];

        /*
         * What came of it. A status below 400 is success; else @reason ("no-such-bundle", "no-space" …) and @error
         * say why: 404, 409 exists, 410 (FILE of a deleted one), 425-like 404 "not-done", 429 "busy" (@retry_after),
         * 502/504 another master, 507 "no-space".
         */
        unsigned status;
        char reason[48];
        struct err error;
        unsigned retry_after; /* seconds; 0: not said */

        struct bundle **bundles; /* owned */
        size_t n_bundles;
        struct { /* LIST: masters that could not be asked */
                char *address, *error;
        } * silent;
        size_t n_silent;
        char **masters; /* LIST of a cluster: addresses of those that were asked, and answered; owned */
        size_t n_masters;

        char *text; /* owned */
        size_t n_text;

        int fd;                /* FILE: a regular file, owned; -1: none */
        struct stream *stream; /* owned; NULL: none */
        uint64_t size;         /* FILE: of the whole */
        uint64_t from, n;      /* FILE as a stream: which bytes come; status is 200 or 206 */
        uint64_t mtime_usec;
        char file_name[BUNDLE_ID_MAX + 16]; /* "ID.tar.zst" */

        /*
         * COLLECT of ONE: to be told how it ended, and have all of it as @text, if it is short; else @stream. @text
         * is there, too, when it failed: what came before.
         */
        bool hold;
        bool optional; /* its failure is none; for whoever asks, not for the host */
};

struct bundle_ops {
        /* Begin; on the loop. Ends with errand_finish(), at once or later, but always. */
        void (*begin)(void *userdata, struct errand *e, struct bundle_task *t);
        /* Nobody waits for this one any more; it is still to be finished, which may happen in here. */
        void (*abandoned)(void *userdata, struct errand *e, struct bundle_task *t);
};

struct bundle_host {
        struct errands *errands;
        const struct bundle_ops *ops; /* NULL: this daemon makes no bundles */
        void *userdata;
        bool cluster;     /* a master: bundles of the cluster */
        char address[64]; /* of this machine, as the cluster knows it; for the legacy API; "" */
        uint16_t port;
        const char *directory; /* where bundles are, as the old API says it */
};
