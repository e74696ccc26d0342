/* It spells the node in full, in short and in part, and keeps outputs from whom they are kept. */

#include <stdio.h>

#include "api/node_answer.h"
#include "api/v1_node.h"
#include "api/v2_node.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define S        USEC_PER_SEC
#define T        (UINT64_C(1000) * S)
#define INSTANCE UINT64_C(0x9f3c2a11d0b4e677)
#define ETAG     "\"9f3c2a11d0b4e677.4\""

static uint64_t now = T;
static struct feed *feed;
static struct node_host host;

static void publish(enum diag_phase phase)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system nothing = {0};
        static const struct diag_component components[] = {
                {.name = "bad@\\x2d.service",
                 .health = DIAG_UNHEALTHY,
                 .code = DIAG_CODE_FAILED,
                 .text = "failed",
                 .output = "a secret\n",
                 .output_truncated = true},
                {.name = "good.service",      .health = DIAG_HEALTHY, .code = DIAG_CODE_OK},
        };
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        r->instance = INSTANCE;
        r->phase = phase;
        for (size_t i = 0; i < ELEMENTSOF(components); i++)
                ck_assert_int_eq(diag_report_add(r, &components[i]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        r->seq = 4;
        ck_assert_int_eq(feed_new(&feed, NULL, r), 0);
        feed_confirm(feed);
        feed_beat(feed);
        host.feed = feed;
}

static void set_up(void)
{
        now = T;
        clock_fake(&now);
        publish(DIAG_PHASE_RUNNING);
}

static void tear_down(void)
{
        feed = feed_free(feed);
}

static const char *header(const struct reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (streq(r->headers[i].name, name))
                        return r->headers[i].value;
        return "-";
}

static const struct route *const tables[] = {v1_node_routes, v2_node_routes, NULL};
static const struct router router = {.tables = tables, .aliases = v2_aliases};

struct asked {
        const char *target, *if_none_match, *prefer;
        bool output;
};

static void ask(const struct asked *a, struct reply *r)
{
        struct route_match m;
        struct request q = {
                .method = "GET",
                .if_none_match = a->if_none_match,
                .prefer = a->prefer,
                .caller.output = a->output,
                .received_mono_usec = T,
                .may_park = true,
                .host = &host,
        };

        ck_assert_int_eq(route_resolve(&router, "GET", a->target, &m), ROUTE_FOUND);
        q.path = m.path;
        q.query = m.query;
        q.n_args = m.n_args;
        for (size_t i = 0; i < m.n_args; i++) {
                q.args[i].name = m.args[i].name;
                q.args[i].value = m.args[i].value;
        }
        ck_assert_int_eq(m.route->handle(&q, r), 0);
}

#define V1    "/system/health/v1"
#define V2    "/system/health/v2/node"
#define OF    V2 "/components/"
#define BAD   OF "bad@%5Cx2d.service"
#define FIRST "{\"name\":\"bad@\\\\x2d.service\","

/* clang-format off */
static const struct {
        const char *name;
        struct asked asked;
        unsigned want_status;
        const char *want_etag, *want, *want_not;
} cases[] = {
        {"v1", {V1, .output = true}, 200, "W/" ETAG, "a secret\\n", "\\u0000"},
        {"v1 without outputs", {V1}, 200, "W/" ETAG, "bad@", "secret"},
        {"full", {V2, .output = true}, 200, "W/" ETAG, "\"output\":\"a secret\\n\"", "\\u0000"},
        {"full, said so", {V2 "?fields=full", .output = true}, 200, "W/" ETAG, "a secret", "\\u0000"},
        {"full without outputs", {V2}, 200, "W/" ETAG, "\"output\":\"\",\"output_truncated\":false", "secret"},
        {"short", {V2 "?fields=health", .output = true}, 200, ETAG, FIRST, "secret"},
        {"neither", {V2 "?fields=some"}, 400, "-", "\"reason\":\"bad-fields\"", "node_id"},
        {"through a proxy", {V1 "/v2/node?fields=health"}, 200, ETAG, FIRST, "secret"},

        /* Who may read one component may read its output, whatever is kept from others. */
        {"component", {BAD}, 200, "W/" ETAG, FIRST, "good.service"},
        {"its output", {BAD}, 200, "W/" ETAG, "\"output\":\"a secret\\n\"", "node_id"},
        {"another", {OF "good.service"}, 200, "W/" ETAG, "{\"name\":\"good.service\"", "bad@"},
        {"component, who has it", {BAD, "W/" ETAG}, 304, "W/" ETAG, "", "x"},
        {"component, who has another", {BAD, "\"9f3c2a11d0b4e677.3\""}, 200, "W/" ETAG, FIRST, "node_id"},
        {"no such", {OF "none.service"}, 404, "-", "\"reason\":\"no-such-component\"", "secret"},
        {"no such, who has it", {OF "none.service", ETAG}, 404, "-", "no component none.service", "secret"},
        {"no such, who has anything", {OF "none.service", "*"}, 404, "-", "no-such-component", "secret"},
};
/* clang-format on */

START_TEST(answers)
{
        _cleanup_(reply_done) struct reply r = {0};
        const char *body;

        ask(&cases[_i].asked, &r);
        body = r.body ? blob_data(r.body) : "";
        ck_assert_msg(r.status == cases[_i].want_status, "%s: %u", cases[_i].name, r.status);
        ck_assert_str_eq(header(&r, "ETag"), cases[_i].want_etag);
        ck_assert_msg(strstr(body, cases[_i].want) && !strstr(body, cases[_i].want_not), "%s: %s",
                      cases[_i].name, body);
}
END_TEST

/* However many read it: there is one of it, and but a few bytes for each. */
START_TEST(answers_without_a_copy)
{
        static const char *const targets[] = {V1, V2, V2 "?fields=health"};

        for (size_t i = 0; i < 2 * ELEMENTSOF(targets); i++) {
                const struct asked asked = {targets[i / 2], .output = i % 2};
                _cleanup_(reply_done) struct reply one = {0}, two = {0};

                ask(&asked, &one);
                ask(&asked, &two);
                ck_assert_ptr_eq(blob_data(one.body), blob_data(two.body));
                ck_assert_uint_ge(reply_size(&one), 250);
                ck_assert_uint_lt(reply_own_size(&one), 250);
        }
}
END_TEST

START_TEST(ends_the_full_form)
{
        _cleanup_(reply_done) struct reply r = {0};
        const char *end;

        ask(&(struct asked){V2}, &r);
        end = blob_data(r.body) + blob_size(r.body) - strlen("\"truncated\":false");
        ck_assert_str_eq(end, "\"truncated\":false");
        ck_assert_ptr_nonnull(r.tail);
        ck_assert_int_eq(strncmp(blob_data(r.tail), ",\"system\":{", 11), 0);
        end = blob_data(r.tail) + blob_size(r.tail) - 3;
        ck_assert_str_eq(end, "}}\n");
}
END_TEST

START_TEST(a_stale_component_is_unknown)
{
        _cleanup_(reply_done) struct reply r = {0}, none = {0};

        now += 100 * S;
        ask(&(struct asked){OF "good.service", "W/" ETAG}, &r);
        ck_assert_uint_eq(r.status, 200);
        ck_assert_str_eq(header(&r, "ETag"), "-");
        ck_assert_ptr_nonnull(
                strstr(blob_data(r.body), "\"health\":\"unknown\",\"code\":\"facts-stale\""));
        ask(&(struct asked){OF "none.service"}, &none);
        ck_assert_uint_eq(none.status, 404);
}
END_TEST

START_TEST(a_component_waits_for_a_change)
{
        _cleanup_(reply_done) struct reply r = {0}, none = {0};

        ask(&(struct asked){BAD, ETAG, "wait=5"}, &r);
        ck_assert_uint_eq(r.park_until_mono_usec, T + 5 * S);
        /* So does one that may come with it. */
        ask(&(struct asked){OF "none.service", ETAG, "wait=5"}, &none);
        ck_assert_uint_eq(none.park_until_mono_usec, T + 5 * S);
}
END_TEST

START_TEST(a_component_is_not_missing_before_systemd_was_asked)
{
        _cleanup_(reply_done) struct reply r = {0};

        feed_free(feed);
        publish(DIAG_PHASE_STARTING);
        ask(&(struct asked){OF "none.service"}, &r);
        ck_assert_uint_eq(r.park_until_mono_usec, T + NODE_FIRST_ANSWER_USEC);
}
END_TEST

/* Both are remembered with the report: neither may be sent in place of the other. */
START_TEST(keeps_both_spellings_apart)
{
        for (size_t i = 0; i < 6; i++) {
                _cleanup_(reply_done) struct reply v1 = {0}, v2 = {0};
                bool output = i % 2;

                ask(&(struct asked){V1, .output = output}, &v1);
                ask(&(struct asked){V2, .output = output}, &v2);
                ck_assert_int_eq(strstr(blob_data(v1.body), "secret") != NULL, output);
                ck_assert_int_eq(strstr(blob_data(v2.body), "secret") != NULL, output);
        }
}
END_TEST

static const struct {
        const char *method, *pattern;
        enum authority_class least;
} classes[] = {
        {"GET",    V2,                      AUTHORITY_HEALTH },
        {"GET",    V2 "/components/{name}", AUTHORITY_READ   },
        {"PUT",    V2 "/maintenance",       AUTHORITY_OPERATE},
        {"DELETE", V2 "/maintenance",       AUTHORITY_OPERATE},
};

START_TEST(is_for_those_who_may)
{
        const struct route *r = &v2_node_routes[_i];

        ck_assert_str_eq(r->method, classes[_i].method);
        ck_assert_str_eq(r->pattern, classes[_i].pattern);
        ck_assert_int_eq(r->least, classes[_i].least);
        ck_assert_ptr_null(v2_node_routes[ELEMENTSOF(classes)].method);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("v2_node");
        TCase *tc = tcase_create("v2_node");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, answers_without_a_copy);
        tcase_add_test(tc, ends_the_full_form);
        tcase_add_test(tc, a_stale_component_is_unknown);
        tcase_add_test(tc, a_component_waits_for_a_change);
        tcase_add_test(tc, a_component_is_not_missing_before_systemd_was_asked);
        tcase_add_test(tc, keeps_both_spellings_apart);
        tcase_add_loop_test(tc, is_for_those_who_may, 0, ELEMENTSOF(classes));
        suite_add_tcase(s, tc);
        return test_main(s);
}
