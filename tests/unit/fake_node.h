#pragma once

/* A node daemon's host of bundles, its collector under our control, and requests to it, all on one thread. */

#include <sys/stat.h>

#include "agentd/bundles.h"
#include "api/bundle_task.h"
#include "api/node_answer.h"
#include "api/route.h"
#include "base/log.h"
#include "tests/fakes/fake_timers.h"
#include "tests/unit/fake_collector.h"

static struct fake_collector fake;
static struct loop *loop;
static struct parked *parked;
static struct feed *feed;
static struct errands *errands;
static struct bundles *bundles;
static struct node_host host;
static char store[64];
static const char *fake_accept; /* of the next requests; NULL: not said */

/* Two units, and what is none. */
static struct diag_report *fake_node_report(void)
{
        static const struct diag_node node = {.node_id = "n", .address = "10.0.0.9", .port = 1050};
        static const struct diag_system nothing = {0};
        static const struct diag_component components[] = {
                {.name = "a.service", .kind = DIAG_COMPONENT_UNIT  },
                {.name = "b.service", .kind = DIAG_COMPONENT_UNIT  },
                {.name = "door",      .kind = DIAG_COMPONENT_PROBES},
        };
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        for (size_t i = 0; i < ELEMENTSOF(components); i++)
                ck_assert_int_eq(diag_report_add(r, &components[i]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        return r;
}

static void fake_node_start(void)
{
        struct bundles_options options = {.directory = store, .role = DIAG_ROLE_AGENT_PUBLIC};
        struct err e = {0};

        log_set_level(0);
        fake_time_begin();
        fake_collector_open(&fake);
        (void)snprintf(store, sizeof(store), "%s/bundles", fake.directory);
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(parked_new(&parked), 0);
        ck_assert_int_eq(errands_new(&errands, loop, parked), 0);
        ck_assert_int_eq(feed_new(&feed, parked, fake_node_report()), 0);
        options.loop = loop;
        options.feed = feed;
        options.errands = errands;
        options.socket = fake.path;
        options.limits.floor_bytes = 1;
        ck_assert_int_eq(bundles_new(&bundles, &options, &e), 0);
        ck_assert_str_eq(e.text, "");
        host = (struct node_host){
                .bundles = bundles_host(bundles), .feed = feed, .errands = errands};
}

static void fake_node_stop(void)
{
        char command[128];

        bundles = bundles_free(bundles);
        errands = errands_free(errands);
        feed = feed_free(feed);
        parked = parked_free(parked);
        loop = loop_free(loop);
        (void)snprintf(command, sizeof(command), "rm -r %s", store);
        ck_assert_int_eq(system(command), 0);
        fake_collector_close(&fake);
        fake_time_end();
}

/** One request, as the server keeps it. */
struct asked {
        struct route_match match;
        struct request q;
        struct errand *errand;
        struct reply reply;
};

static void asked_run(struct asked *a)
{
        reply_done(&a->reply);
        ck_assert_int_eq(a->match.route->handle(&a->q, &a->reply), 0);
}

static _unused_ void asked_done(struct asked *a)
{
        reply_done(&a->reply);
        a->errand = errand_unref(a->errand);
        turn(loop);
}

/* Up to where it waits for the collector, or to its answer. */
static _unused_ void asked_begin(struct asked *a, const struct route *routes, const char *method,
                                 const char *target, const char *body)
{
        const struct route *const tables[] = {routes, NULL};
        const struct router router = {.tables = tables};

        *a = (struct asked){0};
        ck_assert_int_eq(route_resolve(&router, method, target, &a->match), ROUTE_FOUND);
        a->q = (struct request){
                .method = method,
                .path = a->match.path,
                .query = a->match.query,
                .n_args = a->match.n_args,
                .accept = fake_accept,
                .body = body,
                .n_body = strlen(body),
                .errand = &a->errand,
                .received_mono_usec = fake_usec,
                .may_park = true,
                .host = &host,
                .caller_name = "uid 0",
        };
        for (size_t i = 0; i < a->match.n_args; i++) {
                a->q.args[i].name = a->match.args[i].name;
                a->q.args[i].value = a->match.args[i].value;
        }
        asked_run(a);
        turn(loop);
}

/** asked_status() - run its handler again; 0: it still waits */
static _unused_ unsigned asked_status(struct asked *a)
{
        turn(loop);
        asked_run(a);
        turn(loop);
        return a->reply.status;
}

static _unused_ const char *asked_body(const struct asked *a)
{
        return a->reply.body ? blob_data(a->reply.body) : "";
}

static _unused_ const char *asked_header(const struct asked *a, const char *name)
{
        for (size_t i = 0; i < a->reply.n_headers; i++)
                if (streq(a->reply.headers[i].name, name))
                        return a->reply.headers[i].value;
        return "";
}
