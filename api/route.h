#pragma once

/*
 * Which handler answers a request: a table and a pure function. The conventions are those of the
 * service that we replace: a path that is not clean ("//", "/./", "/../", also percent-encoded) is
 * sent to its clean form, a trailing slash to the path without it, both with 301; HEAD works where
 * GET does; 405 says what is allowed.
 */

#include "api/reply.h"
#include "api/request.h"

struct route {
        const char *method; /* "GET" */
        const char
                *pattern; /* "/system/health/v2/node/components/{name}": {x} is one whole segment */
        int (*handle)(const struct request *q, struct reply *r);
        enum authority_class least; /* who may: NONE stands for health */
        bool untyped; /* a body without Content-Type will do: of PUT alone, see server.c */
};

/** A prefix that stands for another one: "/system/health/v1/v2" for "/system/health/v2". */
struct route_alias {
        const char *prefix, *meant;
};

struct router {
        const struct route *const
                *tables; /* each ends with a row without method; the list with NULL */
        const struct route_alias *aliases; /* ends with a row without prefix; may be NULL */
        const char *json_errors_below; /* errors there are API v2's; NULL: plain text everywhere */
};

/** route_has_json_errors() - is @target, as on the request line, below that, or below an alias of it? */
bool route_has_json_errors(const struct router *router, const char *target);

#define ROUTE_PATH_MAX 2048u /* longer request targets are 414 */

enum route_result {
        ROUTE_FOUND,
        ROUTE_MOVED,      /* 301 to match.location */
        ROUTE_NOT_FOUND,  /* 404 */
        ROUTE_NOT_METHOD, /* 405, match.allow says which */
        ROUTE_BAD,        /* 400: not a path, a bad %-escape, an encoded NUL */
};

struct route_match {
        const struct route *route;     /* FOUND; MOVED too, when only a trailing slash was wrong */
        char path[ROUTE_PATH_MAX];     /* clean, decoded, aliases resolved */
        const char *query;             /* into the target that was given */
        char location[ROUTE_PATH_MAX]; /* for ROUTE_MOVED: path and query, encoded */
        char allow[64];                /* for ROUTE_NOT_METHOD: "GET, HEAD" */
        struct {
                const char *name, *value;
        } args[REQUEST_ARGS_MAX];
        size_t n_args;
        char arg_names[256], arg_values[ROUTE_PATH_MAX]; /* what args point into */
};

/**
 * route_resolve() - find the handler of @method and @target
 * @target: as on the request line: "/system/health/v1?cache=0"; shorter than ROUTE_PATH_MAX
 *
 * Among routes that match, the first one of the tables wins. A location is a path of ours: it begins
 * with one '/', whatever the client wrote. Pure, any thread, fuzzed.
 */
enum route_result route_resolve(const struct router *router, const char *method, const char *target,
                                struct route_match *m);
