/* A table that only grows: a route takes a free row once, and keeps it. Relaxed atomics are enough. */

#include <stdio.h>

#include "api/exposition.h"
#include "api/request_times.h"
#include "base/mono.h"

#define NAME "api_request_serve_time_seconds"

/* Those of the service that we replace, in milliseconds. */
static const unsigned bounds_msec[] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
_Static_assert(ELEMENTSOF(bounds_msec) == REQUEST_TIMES_BUCKETS - 1, "a bound for each but one");

static ssize_t row_of(struct request_times *t, const struct route *route)
{
        for (size_t i = 0; i < REQUEST_TIMES_ROUTES_MAX; i++) {
                const struct route *there =
                        atomic_load_explicit(&t->routes[i].route, memory_order_relaxed);

                if (!there)
                        (void)atomic_compare_exchange_strong(&t->routes[i].route, &there, route);
                if (!there || there == route)
                        return (ssize_t)i;
        }
        return -1;
}

static size_t bucket_of(uint64_t took_usec)
{
        size_t i = 0;

        while (i < ELEMENTSOF(bounds_msec) && took_usec > bounds_msec[i] * USEC_PER_MSEC)
                i++;
        return i;
}

void request_times_count(struct request_times *t, const struct route *route, unsigned status,
                         uint64_t took_usec)
{
        size_t class = status / 100 - 1;
        ssize_t row;

        if (!route || class >= REQUEST_TIMES_CLASSES)
                return;
        row = row_of(t, route);
        if (row < 0)
                return;
        atomic_fetch_add_explicit(&t->routes[row].classes[class].buckets[bucket_of(took_usec)], 1,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&t->routes[row].classes[class].sum_usec, took_usec,
                                  memory_order_relaxed);
}

/* --- writing ----------------------------------------------------------------------------------- */

static const char *bound_name(char buf[static 16], size_t i)
{
        unsigned msec;

        if (i == ELEMENTSOF(bounds_msec))
                return "+Inf";
        msec = bounds_msec[i];
        if (msec % 1000 == 0)
                (void)snprintf(buf, 16, "%u", msec / 1000);
        else if (msec % 100 == 0)
                (void)snprintf(buf, 16, "%u.%u", msec / 1000, msec % 1000 / 100);
        else if (msec % 10 == 0)
                (void)snprintf(buf, 16, "%u.%02u", msec / 1000, msec % 1000 / 10);
        else
                (void)snprintf(buf, 16, "%u.%03u", msec / 1000, msec % 1000);
        return buf;
}

static void write_buckets(struct buf *out, struct exposition_label labels[static 5],
                          const _Atomic uint64_t *buckets, uint64_t *ret_n)
{
        uint64_t n = 0;
        char bound[16];

        for (size_t i = 0; i < REQUEST_TIMES_BUCKETS; i++) {
                n += atomic_load_explicit(&buckets[i], memory_order_relaxed);
                labels[3] = (struct exposition_label){"le", bound_name(bound, i)};
                exposition_uint(out, NAME "_bucket", labels, n);
        }
        labels[3] = (struct exposition_label){0};
        *ret_n = n;
}

static bool is_empty(const _Atomic uint64_t *buckets)
{
        for (size_t i = 0; i < REQUEST_TIMES_BUCKETS; i++)
                if (atomic_load_explicit(&buckets[i], memory_order_relaxed))
                        return false;
        return true;
}

/* Classes that never came are left out: most routes have one. */
static void write_class(struct buf *out, const struct request_times *t, size_t row, size_t class)
{
        const struct route *route = atomic_load(&t->routes[row].route);
        const _Atomic uint64_t *buckets = t->routes[row].classes[class].buckets;
        char status[8];
        struct exposition_label labels[5] = {
                {"method", route->method },
                {"path",   route->pattern},
                {"status", status        },
        };
        uint64_t n;

        if (is_empty(buckets))
                return;
        (void)snprintf(status, sizeof(status), "%zuxx", class + 1);
        write_buckets(out, labels, buckets, &n);
        exposition_seconds(out, NAME "_sum", labels,
                           atomic_load_explicit(&t->routes[row].classes[class].sum_usec,
                                                memory_order_relaxed));
        exposition_uint(out, NAME "_count", labels, n);
}

void request_times_write(struct buf *out, const struct request_times *t)
{
        exposition_family(out, NAME, "histogram",
                          "From the head of a request to its answer, which includes waiting for a "
                          "change; by the route's pattern and the class of the status.");
        for (size_t i = 0; i < REQUEST_TIMES_ROUTES_MAX && atomic_load(&t->routes[i].route); i++)
                for (size_t class = 0; class < REQUEST_TIMES_CLASSES; class ++)
                        write_class(out, t, i, class);
}
