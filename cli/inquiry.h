#pragma once

/*
 * A question to a master about the cluster: asked once, or again for each change (--watch); shown to a
 * person, or handed on as it came (--json). What is asked and how it looks is up to the verb, of which
 * this is the first member.
 */

#include "cli/client.h"
#include "cli/cluster_json.h"
#include "cli/term.h"

#define INQUIRY_PAGE_ROWS 1000u /* rows of a list that are asked for at once */
#define INQUIRY_PAGES_MAX 256u

struct inquiry {
        const char *who; /* in complaints: "diag nodes" */
        struct client client;
        struct client_options whom;
        bool json, watch;

        char etag[CLIENT_ETAG_MAX]; /* of what we have */
        struct buf raw;             /* what --json prints of it */

        unsigned refused_status; /* of the answer that was no success */
        struct buf refused;
        size_t n_shown;
        struct buf last_line;
};

/** What a verb does. */
struct inquiry_ops {
        /**
         * Ask for all of it, with inquiry_get() and inquiry_keep() or with inquiry_pages(), and replace
         * what was known before, but not on failure. Return: what these returned.
         */
        int (*look)(struct inquiry *q, struct err *e);
        void (*draw)(struct buf *out, const struct inquiry *q, const struct term *t,
                     uint64_t now_wall_usec);
        /** A watch that is not on a terminal: one line. NULL: pictures follow one another. */
        void (*line)(struct buf *out, const struct inquiry *q);
        enum diag_health (*health)(const struct inquiry *q);
        const struct cluster_view *(*view)(const struct inquiry *q);
        /** The first answer was no success: say so. */
        void (*refused)(const struct inquiry *q);
};

enum { INQUIRY_OPTION_JSON = 900 };

/* Rows for a verb's table of getopt_long(), "w" is for its string; and lines for its help. */
#define INQUIRY_LONG_OPTIONS                                                                 \
        {"json", no_argument, NULL, INQUIRY_OPTION_JSON}, {"watch", no_argument, NULL, 'w'}, \
                CLIENT_LONG_OPTIONS
#define INQUIRY_OPTIONS_HELP                                                        \
        "      --json         print what the master says, as it says it (API v2)\n" \
        "  -w, --watch        go on, and show each change\n" CLIENT_CLUSTER_OPTIONS_HELP

/** inquiry_take() - what getopt_long() found. Return: was it one of these? */
bool inquiry_take(struct inquiry *q, int option, const char *value);

/** inquiry_done() - zeroed is a good start. */
void inquiry_done(struct inquiry *q);

enum { INQUIRY_REFUSED = 100 }; /* beside the client's */

/**
 * inquiry_get() - GET
 * @known: wait for a change of what q->etag names, if it names something
 * @json:  the answer; its max is respected
 *
 * Return: 0, CLIENT_UNCHANGED, INQUIRY_REFUSED, CLIENT_NOBODY, CLIENT_NO_ANSWER or -errno, with @e
 */
int inquiry_get(struct inquiry *q, const char *path, bool known, struct buf *json, struct err *e);

/** inquiry_keep() - what --json is to print of an answer; @whole: there is no other part of it */
void inquiry_keep(struct inquiry *q, const struct buf *json, bool whole);

/**
 * inquiry_pages() - a list, page after page
 * @path: with its query, without limit and token
 * @add:  takes a page, sets *ret_next to the token of the next one, and to "" when that is enough
 *
 * Return: as inquiry_get(), and what @add returned.
 */
int inquiry_pages(struct inquiry *q, const struct buf *path,
                  int (*add)(void *userdata, const struct buf *json, const char **ret_next,
                             struct err *e),
                  void *userdata, struct err *e);

/** inquiry_misunderstood() - @r: what a decoder returned, with @e; which now says whose answer it was. */
int inquiry_misunderstood(const struct inquiry *q, int r, struct err *e);

/** inquiry_run() - ask, show, and go on if it is a watch. Return: an exit status. */
int inquiry_run(struct inquiry *q, const struct inquiry_ops *ops);
