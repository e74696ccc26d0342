#pragma once

/* Kind=http: what does it answer, and is that the answer it should give? */

#include "net/fetch.h"
#include "probes/probe.h"

#define HTTP_BODY_MAX   262144u /* bytes that are read of an answer */
#define HTTP_RANGES_MAX 32u
#define HTTP_STATUS \
        "200-399" /* as Kubernetes and Mesos: a redirect is an answer, it is not followed */

extern const struct probe_ops probe_http;

struct http_range {
        unsigned from, to;
};

/** What a right answer looks like. Strings are NULL for: does not matter. */
struct http_expect {
        struct http_range ranges[HTTP_RANGES_MAX];
        size_t n_ranges;
        char *status; /* as it was written, for the text */
        char *body;   /* must be in it, byte by byte */
        char *json_field, *json_value;
};

/** http_parse_status() - "200-299,401": statuses and ranges, 100 to 599. 0, -EINVAL, or -E2BIG. */
int http_parse_status(const char *s, struct http_range ret[static HTTP_RANGES_MAX], size_t *ret_n);

/** http_judge() - what an answer, or none, means. The first thing that is wrong is the text. Pure. */
void http_judge(const struct http_expect *x, const struct fetch_result *r, uint64_t timeout_usec,
                struct probe_verdict *ret);
