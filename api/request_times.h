#pragma once

/*
 * How long requests took, by route: counters that cost next to nothing while they are counted. A route
 * goes by its pattern, so that whatever clients ask for, there are only so many series. Requests that
 * meet no route are counted by their status alone, in server_stats.h.
 */

#include <stdatomic.h>

#include "api/route.h"

#define REQUEST_TIMES_ROUTES_MAX 64u /* of a daemon; those behind are not timed */
#define REQUEST_TIMES_BUCKETS    12u /* the last one has no upper bound */
#define REQUEST_TIMES_CLASSES    5u  /* of statuses: 1xx to 5xx */

struct request_times {
        struct {
                _Atomic(const struct route *) route; /* NULL: free */
                struct {
                        _Atomic uint64_t buckets[REQUEST_TIMES_BUCKETS], sum_usec;
                } classes[REQUEST_TIMES_CLASSES];
        } routes[REQUEST_TIMES_ROUTES_MAX];
};

/** request_times_count() - an answer of @route; NULL is none. Of who waited for a change, all of it. */
void request_times_count(struct request_times *t, const struct route *route, unsigned status,
                         uint64_t took_usec);

/** request_times_write() - api_request_serve_time_seconds{method,path,status}, a histogram */
void request_times_write(struct buf *out, const struct request_times *t);
