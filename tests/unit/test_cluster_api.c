/* Both APIs of the cluster, from the request line to the answer; what the loop has to do is done by a fake. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "api/cluster_answer.h"
#include "api/cluster_metrics.h"
#include "api/cluster_task.h"
#include "api/node_forward.h"
#include "api/v1_cluster.h"
#include "api/v2_cluster.h"
#include "api/v2_node.h"
#include "model/report_json.h"
#include "tests/unit/small_cluster.h"

#define S    USEC_PER_SEC
#define ETAG "W/\"9f3c2a11d0b4e677.1\""

/* --- a daemon ---------------------------------------------------------------------------------- */

static uint64_t now;

static struct daemon {
        struct loop *loop;
        struct parked *parked;
        struct cluster_host host;
        unsigned n_begun, n_abandoned;
        struct cluster_task seen; /* its strings are copies, or "-" */
        char node[64], method[16], target[256], body[5000], prefer[64];

        /* What it does with a task. */
        bool later; /* nothing, until the test says so */
        struct errand *errand;
        struct cluster_task *task;
        unsigned status;
        const char *answer;
} d;

static char *keep(char *to, size_t n, const char *s)
{
        (void)snprintf(to, n, "%s", s ? s : "-");
        return to;
}

static void finish(void)
{
        d.task->status = d.status;
        if (d.answer) {
                _cleanup_(buf_done) struct buf b = {0};

                buf_puts(&b, d.answer);
                d.task->answer = blob_new_take(&b);
                (void)snprintf(d.task->etag, sizeof(d.task->etag), "\"of-the-node\"");
        }
        errand_finish(d.errand);
}

static void begin(void *userdata, struct errand *e, struct cluster_task *t)
{
        ck_assert_ptr_eq(userdata, &d);
        d.n_begun++;
        d.seen = *t;
        keep(d.node, sizeof(d.node), t->node);
        keep(d.method, sizeof(d.method), t->method);
        keep(d.target, sizeof(d.target), t->target);
        keep(d.body, sizeof(d.body), t->body);
        keep(d.prefer, sizeof(d.prefer), t->prefer);
        d.errand = e;
        d.task = t;
        if (!d.later)
                finish();
}

static void abandoned(void *userdata, struct errand *e, struct cluster_task *t)
{
        ck_assert_ptr_eq(userdata, &d);
        ck_assert_ptr_eq(e, d.errand);
        ck_assert_ptr_eq(t, d.task);
        d.n_abandoned++;
}

static void publish(const struct small_node *nodes, size_t n)
{
        view_free(d.host.view);
        ck_assert_int_eq(view_new(&d.host.view, d.parked, small_cluster(nodes, n, NULL)), 0);
}

static void set_up(void)
{
        static const struct cluster_ops ops = {begin, abandoned};

        ck_assert_int_eq(setenv("TZ", "UTC-1", 1), 0);
        tzset();
        now = SMALL_BOOT;
        clock_fake(&now);
        d = (struct daemon){
                .host = {.ops = &ops, .userdata = &d},
                  .status = 200
        };
        ck_assert_int_eq(loop_new(&d.loop), 0);
        ck_assert_int_eq(parked_new(&d.parked), 0);
        ck_assert_int_eq(errands_new(&d.host.errands, d.loop, d.parked), 0);
        publish(small_nodes, ELEMENTSOF(small_nodes));
}

/* The clock belongs to one thread from here on. Nothing is published any more, nor done by the loop. */
static void end_threads(void)
{
        d.host.errands = errands_free(d.host.errands);
        d.parked = parked_free(d.parked);
}

static void tear_down(void)
{
        end_threads();
        view_free(d.host.view);
        loop_free(d.loop);
}

static void turn(void)
{
        while (sd_event_run(loop_event(d.loop), 0) > 0)
                ;
}

/* --- requests ---------------------------------------------------------------------------------- */

struct asked {
        const char *method, *target; /* NULL: GET */
        const char *body, *if_none_match, *prefer;
        enum authority_class class; /* zero: health */
        bool no_output, may_not_park;
};

static const struct route *const tables[] = {v1_cluster_routes,   v2_cluster_routes,
                                             v2_nodes_routes,     v2_units_routes,
                                             node_forward_routes, NULL};
static const struct router router = {.tables = tables, .aliases = v2_aliases};

struct exchange {
        struct route_match match;
        struct request q;
        struct errand *errand;
        struct reply r;
};

static void exchange_begin(struct exchange *x, const struct asked *a)
{
        const char *method = str_or(a->method, "GET");

        ck_assert_msg(route_resolve(&router, method, a->target, &x->match) == ROUTE_FOUND, "%s %s",
                      method, a->target);
        x->errand = NULL;
        x->r = (struct reply){0};
        x->q = (struct request){
                .method = method,
                .path = x->match.path,
                .query = x->match.query,
                .n_args = x->match.n_args,
                .if_none_match = a->if_none_match,
                .prefer = a->prefer,
                .body = str_or(a->body, ""),
                .n_body = strlen(str_or(a->body, "")),
                .caller = {.class = a->class ? a->class : AUTHORITY_HEALTH,
                           .output = !a->no_output},
                .caller_name = "uid 1000",
                .errand = &x->errand,
                .received_mono_usec = now,
                .may_park = !a->may_not_park,
                .host = &d.host,
        };
        for (size_t i = 0; i < x->match.n_args; i++) {
                x->q.args[i].name = x->match.args[i].name;
                x->q.args[i].value = x->match.args[i].value;
        }
}

static void exchange_run(struct exchange *x)
{
        reply_done(&x->r);
        ck_assert_int_eq(x->match.route->handle(&x->q, &x->r), 0);
}

static void exchange_done(struct exchange *x)
{
        reply_done(&x->r);
        errand_unref(x->errand);
}

/* As the server does it: once, and again when the loop has turned. */
static void ask(struct exchange *x, const struct asked *a)
{
        exchange_begin(x, a);
        exchange_run(x);
        if (x->r.status || !x->errand)
                return;
        ck_assert_uint_gt(x->r.park_until_mono_usec, now);
        turn();
        exchange_run(x);
}

static const char *body(const struct exchange *x)
{
        return x->r.body ? blob_data(x->r.body) : "";
}

static const char *header(const struct exchange *x, const char *name)
{
        for (size_t i = 0; i < x->r.n_headers; i++)
                if (streq(x->r.headers[i].name, name))
                        return x->r.headers[i].value;
        return "-";
}

#define V1      "/system/health/v1"
#define V2      "/system/health/v2"
#define BODY    "{\"for_seconds\":60,\"reason\":\"disk\"}"
#define READ    .class = AUTHORITY_READ
#define OPERATE .class = AUTHORITY_OPERATE

/* clang-format off */
static const struct {
        struct asked asked;
        unsigned want_status;
        const char *want, *want_not;
} cases[] = {
        {{.target = V1 "/nodes"}, 200, "{\"host_ip\":\"10.0.0.3\",\"health\":1,", "10.0.0.2"},
        {{.target = V1 "/units"}, 200, "\"id\":\"dcos-a.service\"", "gone"},
        {{.target = V1 "/nodes/10.0.0.4"}, 200, "{\"host_ip\":\"10.0.0.4\",\"health\":3,", "units"},
        {{.target = V1 "/nodes/10.0.0.9"}, 404, "10.0.0.9 not found\n", "{"},
        {{.target = V1 "/nodes/units"}, 404, "units not found\n", "{"},
        {{.target = V1 "/nodes/10.0.0.9/units"}, 404, "10.0.0.9 not found\n", "{"},
        {{.target = V1 "/nodes/10.0.0.9/units/dcos-a.service"}, 404, "10.0.0.9 not found\n", "{"},
        {{.target = V1 "/nodes/10.0.0.1/units/none"}, 404, "none not found\n", "{"},
        {{.target = V1 "/nodes/10.0.0.4/units/dcos-gone.service"}, 404, "dcos-gone.service not found\n", "{"},
        {{.target = V1 "/nodes/10.0.0.4/units"}, 200, "{\"units\":[]}\n", "null"},
        {{.target = V1 "/nodes/10.0.0.3/units/dcos-b.service"}, 200, "secret", "\\u0000"},
        {{.target = V1 "/nodes/10.0.0.3/units/dcos-b.service", .no_output = true}, 200,
         "ExecMainStatus return failed\\n\"", "secret"},
        {{.target = V1 "/units/dcos-b.service"}, 200, "\"health\":1,\"description\":\"the b\"}\n", "nodes"},
        {{.target = V1 "/units/none"}, 404, "none not found\n", "{"},
        {{.target = V1 "/units/none/nodes"}, 404, "none not found\n", "{"},
        {{.target = V1 "/units/none/nodes/10.0.0.9"}, 404, "none not found\n", "{"},
        {{.target = V1 "/units/dcos-b.service/nodes"}, 200, "{\"nodes\":[{\"host_ip\":\"10.0.0.1\"", "10.0.0.4"},
        {{.target = V1 "/units/dcos-b.service/nodes/10.0.0.9"}, 404, "10.0.0.9 not found\n", "{"},
        {{.target = V1 "/units/dcos-c.service/nodes/10.0.0.1"}, 404, "10.0.0.1 not found\n", "{"},
        {{.target = V1 "/units/dcos-b.service/nodes/10.0.0.3", .no_output = true}, 200, "mesos-id M-3", "secret"},

        {{.target = V2 "/cluster"}, 200, "\"health\":\"healthy\"", "secret"},
        {{.target = V1 "/v2/cluster?view=own"}, 200, "\"views\":[]", "secret"},
        {{.target = V2 "/cluster?view=mine"}, 400, "\"reason\":\"bad-view\"", "views"},
        {{.target = V2 "/cluster/ready"}, 200, "ready: 1 of 1 masters healthy\n", "{"},
        {{.target = V2 "/cluster/ready?require=quorum"}, 200, "ready: ", "not"},
        {{.target = V2 "/cluster/ready?require=some"}, 400, "\"reason\":\"bad-require\"", "masters"},
        {{.target = V2 "/nodes"}, 200, "{\"items\":[{\"node_id\":\"a3\"", "secret"},
        {{.target = V2 "/nodes?sort=address"}, 200, "{\"items\":[{\"node_id\":\"m1\"", "components"},
        {{.target = V2 "/nodes?role=agent&reach=never"}, 200, "\"total\":1,\"next\":null,\"view\":{", "10.0.0.3"},
        {{.target = V2 "/nodes?code=exit-code"}, 200, "\"total\":1,", "10.0.0.4"},
        {{.target = V2 "/nodes?code=unreachable"}, 200, "\"total\":1,", "10.0.0.3"},
        {{.target = V2 "/nodes?component=dcos-b.service"}, 200, "\"total\":2,", "10.0.0.4"},
        {{.target = V2 "/nodes?q=TWIN&limit=1"}, 200, "\"total\":2,\"next\":\"0.10.0.0.3\"", "10.0.0.4"},
        {{.target = V2 "/nodes?q=m-1"}, 200, "\"total\":1,", "a3"},
        {{.target = V2 "/nodes?fields=inventory&q=m1"}, 200, "{\"items\":[{\"node_id\":\"m1\",\"address\":\"10.0.0.1\","
         "\"addresses\":[\"10.0.0.1\"],\"hostname\":\"h1\",\"port\":1051,\"role\":\"master\"}]", "health"},
        {{.target = V2 "/nodes?role=boss"}, 400, "\"reason\":\"bad-filter\"", "items"},
        {{.target = V2 "/nodes?limit=0"}, 400, "\"reason\":\"bad-limit\"", "items"},
        {{.target = V2 "/nodes?after=x"}, 400, "\"reason\":\"bad-token\"", "items"},
        {{.target = V2 "/nodes/h1"}, 200, "{\"node_id\":\"m1\"", "live"},
        {{.target = V2 "/nodes/a3"}, 200, "\"output\":\"secret\\n\"", "\\u0000"},
        {{.target = V2 "/nodes/a3", .no_output = true}, 200, "\"components\":[{\"name\":\"dcos-b.service\"", "secret"},
        {{.target = V2 "/nodes/none"}, 404, "\"error\":\"no node none\",\"reason\":\"no-such-node\"", "candidates"},
        {{.target = V2 "/nodes/twin"}, 409, "\"reason\":\"ambiguous-name\",\"candidates\":[{\"node_id\":\"a3\","
         "\"address\":\"10.0.0.3\",\"hostname\":\"twin\"},{\"node_id\":\"a4\"", "m1"},
        {{.target = V2 "/nodes?fields=full"}, 400, "\"reason\":\"bad-fields\"", "items"},
        {{.target = V2 "/nodes/h1?fields=some"}, 400, "\"reason\":\"bad-fields\"", "m1"},
        {{.target = V2 "/nodes/h1?fields=full"}, 403, "\"reason\":\"not-allowed\"", "m1"},
        {{.target = V2 "/units"}, 200, "{\"items\":[{\"name\":\"dcos-b.service\"", "secret"},
        {{.target = V2 "/units?q=DCOS-C"}, 200, "\"total\":1,", "dcos-b"},
        {{.target = V2 "/units?health=unknown"}, 200, "{\"items\":[{\"name\":\"dcos-gone.service\"", "dcos-b"},
        {{.target = V2 "/units?code=exit-code"}, 200, "\"total\":1,", "dcos-a"},
        {{.target = V2 "/units?limit=x"}, 400, "\"reason\":\"bad-limit\"", "items"},
        {{.target = V2 "/units/dcos-b.service"}, 200, "\"nodes\":{\"items\":[{\"node_id\":\"a3\"", "secret"},
        {{.target = V2 "/units/dcos-b.service?health=healthy"}, 200, "\"total\":1,", "a3"},
        {{.target = V2 "/units/dcos-b.service?limit=1"}, 200, "\"next\":\"0.10.0.0.3\"", "\"m1\""},
        {{.target = V2 "/units/none"}, 404, "\"reason\":\"no-such-unit\"", "items"},
        {{.target = V2 "/units/dcos-b.service?health=ill"}, 400, "\"reason\":\"bad-filter\"", "items"},
        {{.target = "/livez"}, 200, "ok\n", "{"},

        {{"DELETE", V2 "/nodes/none", OPERATE}, 404, "no-such-node", "{\"done\""},
        {{"PUT", V2 "/nodes/twin/maintenance", BODY, OPERATE}, 409, "ambiguous-name", "{\"done\""},
        {{"PUT", V2 "/nodes/h1/maintenance", "{}", OPERATE}, 400, "\"reason\":\"bad-request\"", "{\"done\""},
};
/* clang-format on */

START_TEST(answers)
{
        struct exchange x;

        ask(&x, &cases[_i].asked);
        ck_assert_msg(x.r.status == cases[_i].want_status, "%s: %u", cases[_i].asked.target,
                      x.r.status);
        ck_assert_msg(strstr(body(&x), cases[_i].want) && !strstr(body(&x), cases[_i].want_not),
                      "%s: %s", cases[_i].asked.target, body(&x));
        ck_assert_uint_eq(d.n_begun, 0);
        exchange_done(&x);
}
END_TEST

/* --- v1 ---------------------------------------------------------------------------------------- */

static void header_must_be(const char *target, const char *name, const char *want)
{
        struct exchange x;

        ask(&x, &(struct asked){.target = target});
        ck_assert_str_eq(header(&x, name), want);
        exchange_done(&x);
}

START_TEST(tells_when_all_were_heard)
{
        static const char *const targets[] = {V1 "/nodes", V1 "/units/none", V1 "/nodes/none",
                                              V1 "/report"};
        struct diag_snapshot *s = small_cluster(small_nodes, 1, NULL);

        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                header_must_be(targets[i], "Last-Modified-3DT", "Sat Nov 21 01:04:07 2026");
        s->round_wall_usec -= 20 * 24 * 3600 * S;
        view_publish(d.host.view, s);
        header_must_be(V1 "/nodes", "Last-Modified-3DT", "Sun Nov  1 01:04:07 2026");
        s = small_cluster(small_nodes, 1, NULL);
        s->round_wall_usec = 0;
        view_publish(d.host.view, s);
        header_must_be(V1 "/nodes", "Last-Modified-3DT", "-");
}
END_TEST

START_TEST(lists_without_a_copy)
{
        static const char *const targets[] = {V1 "/nodes", V1 "/units"};

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                struct exchange one, two;

                ask(&one, &(struct asked){.target = targets[i]});
                ask(&two, &(struct asked){.target = targets[i]});
                ck_assert_ptr_eq(blob_data(one.r.body), blob_data(two.r.body));
                exchange_done(&one);
                exchange_done(&two);
        }
}
END_TEST

START_TEST(reports)
{
        struct exchange x;
        char text[64];
        struct rope_cursor c = {0};

        ask(&x, &(struct asked){.target = V1 "/report/download"});
        ck_assert_uint_eq(x.r.status, 200);
        ck_assert_str_eq(header(&x, "Content-Disposition"),
                         "attachment; filename=health-report.json");
        ck_assert_ptr_nonnull(x.r.rope);
        ck_assert_uint_gt(rope_read(x.r.rope, &c, text, sizeof(text)), 20);
        ck_assert_int_eq(strncmp(text, "{\"Units\":{\"dcos-a.service\":{", 28), 0);
        exchange_done(&x);
        header_must_be(V1 "/report", "Content-Disposition", "-");
}
END_TEST

/* The answer is from what was published when the round was over. */
START_TEST(asks_anew)
{
        struct exchange x;

        d.later = true;
        exchange_begin(&x, &(struct asked){.target = V1 "/nodes?cache=0"});
        exchange_run(&x);
        ck_assert_uint_eq(x.r.status, 0);
        turn();
        ck_assert_uint_eq(d.n_begun, 1);
        ck_assert_int_eq(d.seen.kind, CLUSTER_TASK_ROUND);
        exchange_run(&x);
        ck_assert_uint_eq(x.r.status, 0);
        view_publish(d.host.view, small_cluster(small_nodes, 1, view_current(d.host.view)));
        finish();
        exchange_run(&x);
        ck_assert_uint_eq(x.r.status, 200);
        ck_assert_str_eq(body(&x), "{\"nodes\":[{\"host_ip\":\"10.0.0.1\",\"health\":0,"
                                   "\"role\":\"master\"}]}\n");
        exchange_done(&x);
}
END_TEST

START_TEST(does_not_hang)
{
        struct exchange x;

        d.later = true;
        exchange_begin(&x, &(struct asked){.target = V1 "/nodes/10.0.0.1/units?cache"});
        exchange_run(&x);
        turn();
        x.q.received_mono_usec -= CLUSTER_ROUND_USEC;
        exchange_run(&x);
        ck_assert_uint_eq(x.r.status, 504);
        ck_assert_str_eq(x.r.content_type, "text/plain; charset=utf-8");
        exchange_done(&x);
        turn();
        ck_assert_uint_eq(d.n_abandoned, 1);
        finish();
}
END_TEST

START_TEST(a_round_that_failed)
{
        struct exchange x;

        d.status = 504;
        ask(&x, &(struct asked){.target = V1 "/units?cache="});
        ck_assert_uint_eq(x.r.status, 504);
        exchange_done(&x);
        ask(&x, &(struct asked){.target = V1 "/units?cache=1", .may_not_park = true});
        ck_assert_uint_eq(x.r.status, 504);
        exchange_done(&x);
}
END_TEST

/* --- v2: waiting ------------------------------------------------------------------------------- */

START_TEST(waits_for_a_change)
{
        static const char *const targets[] = {V2 "/cluster", V2 "/nodes", V2 "/nodes/h1",
                                              V2 "/units", V2 "/units/dcos-a.service"};
        struct exchange x;

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                ask(&x, &(struct asked){.target = targets[i]});
                ck_assert_str_eq(header(&x, "ETag"), ETAG);
                ck_assert_str_eq(header(&x, "Diag-Observer"), "10.0.0.1");
                ck_assert_str_eq(header(&x, "Diag-Confirmed-Age"), "0.0");
                ck_assert_str_eq(header(&x, "Preference-Applied"), "-");
                exchange_done(&x);
                ask(&x, &(struct asked){.target = targets[i], .if_none_match = ETAG});
                ck_assert_msg(x.r.status == 304, "%s: %u", targets[i], x.r.status);
                exchange_done(&x);
                ask(&x, &(struct asked){
                                .target = targets[i], .if_none_match = ETAG, .prefer = "wait=5"});
                ck_assert_msg(x.r.status == 0, "%s: %u", targets[i], x.r.status);
                ck_assert_uint_eq(x.r.park_until_mono_usec, now + 5 * S);
                x.q.received_mono_usec -= 5 * S;
                exchange_run(&x);
                ck_assert_uint_eq(x.r.status, 304);
                ck_assert_str_eq(header(&x, "Preference-Applied"), "wait=5");
                exchange_done(&x);
        }
}
END_TEST

/* No longer than a proxy does, nor than the view holds. */
START_TEST(does_not_wait_for_ever)
{
        struct exchange x;
        struct diag_snapshot *s = small_cluster(small_nodes, 1, NULL);

        ask(&x,
            &(struct asked){.target = V2 "/cluster", .if_none_match = ETAG, .prefer = "wait=60"});
        ck_assert_uint_eq(x.r.park_until_mono_usec, now + 15 * S + USEC_PER_MSEC);
        exchange_done(&x);
        s->view_max_age_usec = 1000 * S;
        view_publish(d.host.view, s);
        ask(&x,
            &(struct asked){.target = V2 "/cluster", .if_none_match = ETAG, .prefer = "wait=60"});
        ck_assert_uint_eq(x.r.park_until_mono_usec, now + VIEW_BEAT_MAX_AGE_USEC + USEC_PER_MSEC);
        exchange_done(&x);
}
END_TEST

/* An agent changed: that wakes who lists nodes, and not who waits for a verdict. */
START_TEST(waits_for_what_it_asked_for)
{
        static const struct diag_component well[] = {
                {.name = "dcos-b.service",  .health = DIAG_UNHEALTHY, .code = DIAG_CODE_SIGNAL},
                {0},
        };
        struct small_node nodes[ELEMENTSOF(small_nodes)];
        struct exchange x;

        memcpy(nodes, small_nodes, sizeof(nodes));
        nodes[2].components = well;
        nodes[2].outputs = NULL;
        view_publish(d.host.view,
                     small_cluster(nodes, ELEMENTSOF(nodes), view_current(d.host.view)));
        ask(&x, &(struct asked){.target = V2 "/cluster", .if_none_match = ETAG});
        ck_assert_uint_eq(x.r.status, 304);
        exchange_done(&x);
        ask(&x, &(struct asked){.target = V2 "/nodes", .if_none_match = ETAG});
        ck_assert_uint_eq(x.r.status, 200);
        ck_assert_str_eq(header(&x, "ETag"), "W/\"9f3c2a11d0b4e677.2\"");
        exchange_done(&x);
}
END_TEST

START_TEST(what_is_not_there_has_no_tag)
{
        static const char *const targets[] = {V2 "/nodes/none", V2 "/units/none",
                                              V2 "/nodes?limit=0", V2 "/units?limit=0",
                                              V2 "/units/dcos-a.service?limit=0"};
        struct exchange x;

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                ask(&x, &(struct asked){.target = targets[i], .if_none_match = "*"});
                ck_assert_msg(x.r.status == 404 || x.r.status == 400, "%s: %u", targets[i],
                              x.r.status);
                ck_assert_str_eq(header(&x, "ETag"), "-");
                exchange_done(&x);
        }
}
END_TEST

START_TEST(a_stale_view_says_so)
{
        static const struct {
                const char *target;
                unsigned status;
                const char *want, *want_not;
        } stale[] = {
                {V2 "/cluster",                      200, "\"reasons\":[{\"code\":\"view-stale\"", "\"healthy\","          },
                {V2 "/cluster",                      200, "\"complete\":false",                    "\"complete\":true"     },
                {V2 "/cluster/ready",                503,
                 "not ready: this master has not looked at all masters "
                 "for 15 s\n",                                                                     "{"                     },
                {V2 "/cluster/ready?require=quorum", 503, "not ready",                             "{"                     },
                {V2 "/nodes",                        200, "\"code\":\"view-stale\"",               "\"health\":\"healthy\""},
                {V2 "/nodes?health=healthy",         200, "\"total\":0",                           "\"health\":\"healthy\""},
                {V2 "/units",                        200, "\"health\":\"unknown\"",                "\"health\":\"healthy\""},
                {V2 "/units/dcos-a.service",         200, "\"code\":\"view-stale\"",
                 "\"health\":\"healthy\""                                                                                  },
                {V1 "/nodes",                        200, "\"health\":3",                          "\"health\":0"          },
                {V1 "/units",                        200, "\"health\":3",                          "\"health\":0"          },
        };
        struct exchange x;

        end_threads();
        now += 15 * S + 1;
        view_beat(d.host.view);
        for (size_t i = 0; i < ELEMENTSOF(stale); i++) {
                ask(&x, &(struct asked){.target = stale[i].target,
                                        .if_none_match = ETAG,
                                        .prefer = "wait=5"});
                ck_assert_msg(x.r.status == stale[i].status, "%s: %u", stale[i].target, x.r.status);
                ck_assert_msg(strstr(body(&x), stale[i].want) &&
                                      !strstr(body(&x), stale[i].want_not),
                              "%s: %s", stale[i].target, body(&x));
                ck_assert_str_eq(header(&x, "ETag"), "-");
                exchange_done(&x);
        }
        ask(&x, &(struct asked){.target = "/livez"});
        ck_assert_uint_eq(x.r.status, 200);
        exchange_done(&x);
        now += VIEW_BEAT_MAX_AGE_USEC + 1;
        ask(&x, &(struct asked){.target = "/livez"});
        ck_assert_uint_eq(x.r.status, 503);
        ck_assert_ptr_nonnull(strstr(body(&x), "diag-aggregatord"));
        exchange_done(&x);
        ask(&x, &(struct asked){.target = V2 "/cluster/ready"});
        ck_assert_ptr_nonnull(strstr(body(&x), "diag-aggregatord itself has been stuck for 20 s"));
        exchange_done(&x);
}
END_TEST

/* --- tasks ------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        struct asked asked;
        enum cluster_task_kind want_kind;
        const char *want_node, *want_target, *want_body, *want_prefer;
} tasks[] = {
        {{"DELETE", V2 "/nodes/h1", OPERATE}, CLUSTER_TASK_FORGET, "m1", "-", "", "-"},
        {{"PUT", V2 "/nodes/10.0.0.3/maintenance", BODY, OPERATE}, CLUSTER_TASK_START_MAINTENANCE, "a3", "-", BODY, "-"},
        {{"DELETE", V2 "/nodes/a3/maintenance", OPERATE}, CLUSTER_TASK_STOP_MAINTENANCE, "a3", "-", "", "-"},
        {{"PUT", V2 "/announce", "{\"a\":1}"}, CLUSTER_TASK_ANNOUNCE, "-", "-", "{\"a\":1}", "-"},
        {{"GET", V1 "?x=%41"}, CLUSTER_TASK_FORWARD, "-", V1 "?x=%41", "", "-"},
        {{"GET", V1 "/v2/node?fields=health", .prefer = "foo, wait=60"}, CLUSTER_TASK_FORWARD, "-",
         V2 "/node?fields=health", "", "wait=45"},
        {{"GET", V2 "/node/components/a%40%5Cx2d%20b", .prefer = "wait=3", READ}, CLUSTER_TASK_FORWARD, "-",
         V2 "/node/components/a@%5Cx2d%20b", "", "wait=3"},
        {{"PUT", V2 "/node/maintenance", BODY, OPERATE}, CLUSTER_TASK_FORWARD, "-", V2 "/node/maintenance", BODY, "-"},
        {{"DELETE", V2 "/node/maintenance", OPERATE}, CLUSTER_TASK_FORWARD, "-", V2 "/node/maintenance", "", "-"},
};
/* clang-format on */

START_TEST(has_the_loop_do_it)
{
        struct exchange x;

        d.status = 202;
        d.answer = "{\"done\":true}\n";
        ask(&x, &tasks[_i].asked);
        ck_assert_uint_eq(d.n_begun, 1);
        ck_assert_int_eq(d.seen.kind, tasks[_i].want_kind);
        ck_assert_str_eq(d.node, tasks[_i].want_node);
        ck_assert_str_eq(d.method, tasks[_i].asked.method);
        ck_assert_str_eq(d.target, tasks[_i].want_target);
        ck_assert_str_eq(d.body, tasks[_i].want_body);
        ck_assert_str_eq(d.prefer, tasks[_i].want_prefer);
        ck_assert_int_eq(d.seen.class, x.q.caller.class);
        ck_assert(d.seen.output);
        ck_assert_str_eq(d.seen.caller, "uid 1000");
        ck_assert_uint_eq(x.r.status, 202);
        ck_assert_str_eq(body(&x), "{\"done\":true}\n");
        ck_assert_str_eq(header(&x, "ETag"), "\"of-the-node\"");
        exchange_done(&x);
}
END_TEST

START_TEST(announcements_are_short)
{
        char text[4098];
        struct exchange x;

        memset(text, ' ', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        ask(&x, &(struct asked){"PUT", V2 "/announce", text});
        ck_assert_uint_eq(x.r.status, 413);
        ck_assert_uint_eq(d.n_begun, 0);
        exchange_done(&x);
        text[4096] = '\0';
        ask(&x, &(struct asked){"PUT", V2 "/announce", text});
        ck_assert_uint_eq(x.r.status, 200);
        ck_assert_uint_eq(d.seen.n_body, 4096);
        exchange_done(&x);
}
END_TEST

START_TEST(the_node_daemon_is_not_there)
{
        struct exchange x;

        d.status = 502;
        ask(&x, &(struct asked){.target = V1});
        ck_assert_uint_eq(x.r.status, 503);
        ck_assert_str_eq(body(&x), "diag-agentd of this machine does not answer\n");
        exchange_done(&x);
        ask(&x, &(struct asked){.target = V2 "/node"});
        ck_assert_uint_eq(x.r.status, 503);
        ck_assert_ptr_nonnull(strstr(body(&x), "\"reason\":\"node-unreachable\""));
        exchange_done(&x);
        ask(&x, &(struct asked){.target = V1, .may_not_park = true});
        ck_assert_uint_eq(x.r.status, 503);
        ck_assert_str_eq(x.r.content_type, "text/plain; charset=utf-8");
        exchange_done(&x);
        d.status = 304;
        ask(&x, &(struct asked){.target = V2 "/node"});
        ck_assert_uint_eq(x.r.status, 304);
        ck_assert_ptr_null(x.r.body);
        exchange_done(&x);
}
END_TEST

/* --- a node that is asked itself --------------------------------------------------------------- */

#define FULL V2 "/nodes/a3?fields=full"

static void must_say(const struct exchange *x, bool live, const char *name, const char *want)
{
        _cleanup_(json_decrefp) json_t *o = json_loads(body(x), JSON_REJECT_DUPLICATES, NULL);
        const json_t *v;

        ck_assert_uint_eq(x->r.status, 200);
        ck_assert_msg(o != NULL, "%s", body(x));
        ck_assert_int_eq(json_is_true(json_object_get(o, "live")), live);
        ck_assert_str_eq(json_string_value(json_object_get(o, "node_id")), "a3");
        v = json_object_get(o, name);
        if (json_is_object(v))
                v = json_object_get(v, "node_id");
        ck_assert_msg(strstr(str_or(json_string_value(v), ""), want), "%s", body(x));
}

START_TEST(asks_the_node)
{
        struct diag_report *report = small_report(&small_nodes[2]);
        const struct diag_moment moment = {.confirmed_age_usec = 1};
        _cleanup_(buf_done) struct buf text = {0};
        struct exchange x;

        diag_report_write_full(&text, report, &moment, true);
        diag_report_unref(report);
        d.answer = buf_cstr(&text);
        ask(&x, &(struct asked){.target = FULL, READ});
        ck_assert_int_eq(d.seen.kind, CLUSTER_TASK_ASK_NODE);
        ck_assert_str_eq(d.node, "a3");
        ck_assert_str_eq(d.target, V2 "/node?fields=full");
        must_say(&x, true, "node", "a3");
        exchange_done(&x);
}
END_TEST

START_TEST(falls_back_to_the_view)
{
        static const struct {
                unsigned status;
                const char *answer, *want;
        } failures[] = {
                {504, NULL,                 "status 504"   },
                {200, "{\"node_id\":\"x\"", "line 1"       },
                {200, "\"live\":true,",     "line 1"       },
                {200, "[]",                 "not an object"},
                {403, "{}",                 "status 403"   },
        };
        struct exchange x;

        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                d.status = failures[i].status;
                d.answer = failures[i].answer;
                ask(&x, &(struct asked){.target = FULL, READ});
                must_say(&x, false, "live_error", failures[i].want);
                exchange_done(&x);
        }
        ask(&x, &(struct asked){.target = FULL, READ, .may_not_park = true});
        must_say(&x, false, "live_error", "in time");
        exchange_done(&x);
        d.later = true;
        exchange_begin(&x, &(struct asked){.target = FULL, READ});
        exchange_run(&x);
        turn();
        x.q.received_mono_usec -= CLUSTER_ASK_USEC;
        exchange_run(&x);
        must_say(&x, false, "live_error", "in time");
        exchange_done(&x);
        finish();
        ask(&x, &(struct asked){.target = V2 "/nodes/none?fields=full", READ});
        ck_assert_uint_eq(x.r.status, 404);
        exchange_done(&x);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("cluster_api");
        TCase *tc = tcase_create("cluster_api");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, tells_when_all_were_heard);
        tcase_add_test(tc, lists_without_a_copy);
        tcase_add_test(tc, reports);
        tcase_add_test(tc, asks_anew);
        tcase_add_test(tc, does_not_hang);
        tcase_add_test(tc, a_round_that_failed);
        tcase_add_test(tc, waits_for_a_change);
        tcase_add_test(tc, does_not_wait_for_ever);
        tcase_add_test(tc, waits_for_what_it_asked_for);
        tcase_add_test(tc, what_is_not_there_has_no_tag);
        tcase_add_test(tc, a_stale_view_says_so);
        tcase_add_loop_test(tc, has_the_loop_do_it, 0, ELEMENTSOF(tasks));
        tcase_add_test(tc, announcements_are_short);
        tcase_add_test(tc, the_node_daemon_is_not_there);
        tcase_add_test(tc, asks_the_node);
        tcase_add_test(tc, falls_back_to_the_view);
        suite_add_tcase(s, tc);
        return test_main(s);
}
