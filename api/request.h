#pragma once

/*
 * One HTTP request as a handler sees it: a plain struct, no HTTP library in sight, so that a handler
 * can be tested with a struct literal. server.c fills it; everything is borrowed from the connection
 * and lives until the handler's reply has been sent.
 */

#include "api/authority.h"

struct errand;

#define REQUEST_ARGS_MAX 4u

struct request {
        const char *method; /* "GET" also for HEAD */
        const char *path;   /* as routed: clean, without query, aliases resolved */
        const char *query;  /* after '?', still encoded; "" without */
        struct {
                const char *name, *value; /* value is percent-decoded */
        } args[REQUEST_ARGS_MAX];
        size_t n_args;

        /* The header fields that mean something to us; NULL when absent. Repeated ones are joined by ", ". */
        const char *if_none_match, *prefer, *accept;
        const char *range, *if_range, *if_modified_since; /* reply_file() reads them */

        const char *content_type; /* of the body; NULL when absent */
        const char *body;         /* whole, ends with a NUL that is not counted; "" without one */
        size_t n_body;

        struct authority_verdict
                caller; /* what the one who asks may: at least what the route needs */
        char caller_name[AUTHORITY_NAME_MAX]; /* for logs and records: "uid 1000", "10.0.0.7" */
        struct errand **
                errand; /* what this request has the loop do: api/errand.h; freed with the request */

        uint64_t received_mono_usec; /* when it first reached a handler: parking does not move it */
        bool may_park; /* reply_park() is allowed; false: too many wait, or we are stopping */
        void *host;    /* of the daemon: what its handlers know */
};

/** request_arg() - the part of the path that stands at {name}; NULL when the route has none such. */
const char *request_arg(const struct request *q, const char *name);

/**
 * request_query() - does the query have @key, and with which value?
 * @buf: the decoded value; "" when there is none, or one that does not fit or cannot be decoded
 */
bool request_query(const struct request *q, const char *key, char *buf, size_t n_buf);
