/* It has the loop set the flag, and answers with what stands then. */

#include <errno.h>
#include <stdio.h>

#include "api/node_answer.h"
#include "api/v2_maintenance.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PUT    v2_put_maintenance
#define DELETE v2_delete_maintenance

/* --- a daemon --------------------------------------------------------------------------------- */

static struct daemon {
        struct loop *loop;
        struct parked *parked;
        struct node_host host;
        unsigned n_starts, n_stops;
        uint64_t for_usec;
        int error;   /* what its disk says */
        bool silent; /* and does not say it in words */
        bool on;
        char reason[300], by[64];
        struct diag_maintenance now;
} d;

static int say(struct err *e)
{
        return d.silent ? d.error : err_set(e, d.error, "cannot write it: %s", strerror(-d.error));
}

static int start(void *userdata, uint64_t for_usec, const char *reason, const char *by,
                 struct err *e)
{
        ck_assert_ptr_eq(userdata, &d);
        d.n_starts++;
        if (d.error)
                return say(e);
        d.for_usec = for_usec;
        d.on = true;
        /* The daemon's, and gone when the loop turns. */
        (void)snprintf(d.reason, sizeof(d.reason), "%s", reason);
        (void)snprintf(d.by, sizeof(d.by), "%s", by);
        d.now = (struct diag_maintenance){d.reason, d.by, 1000000, 7201500000};
        return 0;
}

static int stop(void *userdata, struct err *e)
{
        int was = d.on;

        ck_assert_ptr_eq(userdata, &d);
        d.n_stops++;
        if (d.error)
                return say(e);
        d.on = false;
        return was;
}

static const struct diag_maintenance *maintenance(void *userdata)
{
        ck_assert_ptr_eq(userdata, &d);
        return d.on ? &d.now : NULL;
}

static void set_up(void)
{
        static const struct node_ops ops = {start, stop, maintenance};

        d = (struct daemon){
                .host = {.ops = &ops, .userdata = &d}
        };
        ck_assert_int_eq(loop_new(&d.loop), 0);
        ck_assert_int_eq(parked_new(&d.parked), 0);
        ck_assert_int_eq(errands_new(&d.host.errands, d.loop, d.parked), 0);
}

static void tear_down(void)
{
        errands_free(d.host.errands);
        parked_free(d.parked);
        loop_free(d.loop);
}

static void turn(void)
{
        while (sd_event_run(loop_event(d.loop), 0) > 0)
                ;
        memset(d.reason, '?', sizeof(d.reason) - 1);
}

/* --- requests --------------------------------------------------------------------------------- */

struct asked {
        int (*handle)(const struct request *q, struct reply *r);
        const char *body, *content_type;
        uint64_t ago_usec;
        bool may_not_park;
};

/* As the server does it: once, and again when the loop has turned. */
static void ask(const struct asked *a, struct reply *r)
{
        _cleanup_(errand_unrefp) struct errand *errand = NULL;
        struct request q = {
                .body = str_or(a->body, ""),
                .n_body = strlen(str_or(a->body, "")),
                .content_type = a->content_type,
                .caller_name = "uid 1000",
                .errand = &errand,
                .received_mono_usec = now_mono_usec() - a->ago_usec,
                .may_park = !a->may_not_park,
                .host = &d.host,
        };

        ck_assert_int_eq(a->handle(&q, r), 0);
        if (r->status)
                return;
        ck_assert_uint_gt(r->park_until_mono_usec, now_mono_usec());
        turn();
        reply_done(r);
        ck_assert_int_eq(a->handle(&q, r), 0);
}

#define BODY "{\"for_seconds\":7200,\"reason\":\"new <disk>\"}"
#define ON                                                                              \
        "{\"maintenance\":{\"since\":\"1970-01-01T00:00:01.000Z\",\"until\":\"1970-01-" \
        "01T02:00:01.500Z\",\"by\":\"uid 1000\",\"reason\":\"new \\u003cdisk\\u003e\"}}\n"
#define OFF                 "{\"maintenance\":null}\n"
#define ERROR(code, reason) "{\"code\":" #code ",\"error\":\"", "\"reason\":\"" reason "\"}"

/* clang-format off */
static const struct {
        const char *name;
        struct asked asked;
        int error;
        unsigned want_status;
        const char *want, *want_also;
        unsigned want_calls;
} cases[] = {
        {"start", {PUT, BODY, "application/json"}, 0, 200, ON, "", 1},
        {"start, with parameters", {PUT, BODY, "Application/JSON;charset=utf-8"}, 0, 200, ON, "", 1},
        {"start, without a type", {PUT, BODY, NULL}, 0, 200, ON, "", 1},
        {"stop", {DELETE}, 0, 200, OFF, "", 1},
        {"stop, with a body", {DELETE, "x", "text/plain"}, 0, 200, OFF, "", 1},

        {"no JSON", {PUT, BODY, "text/plain"}, 0, 415, ERROR(415, "not-json"), 0},
        {"hardly JSON", {PUT, BODY, "application/json-patch+json"}, 0, 415, ERROR(415, "not-json"), 0},
        {"a form", {PUT, BODY, "application/x-www-form-urlencoded"}, 0, 415, ERROR(415, "not-json"), 0},
        {"no body", {PUT, NULL, NULL}, 0, 400, ERROR(400, "bad-request"), 0},
        {"no time", {PUT, "{\"reason\":\"x\"}", NULL}, 0, 400,
         "for_seconds is not a number", "\"reason\":\"bad-request\"}", 0},
        {"no reason", {PUT, "{\"for_seconds\":1}", NULL}, 0, 400,
         "reason is not a string", "\"reason\":\"bad-request\"}", 0},
        {"8 days", {PUT, "{\"for_seconds\":691200,\"reason\":\"x\"}", NULL}, 0, 400,
         "for_seconds is more than 7 days", "\"reason\":\"bad-request\"}", 0},

        {"disk full", {PUT, BODY}, -ENOSPC, 507, "cannot write it", "\"reason\":\"no-space\"}", 1},
        {"quota used up", {PUT, BODY}, -EDQUOT, 507, "cannot write it", "\"reason\":\"no-space\"}", 1},
        {"disk broken", {PUT, BODY}, -EIO, 500, "cannot write it", "\"reason\":\"not-saved\"}", 1},
        {"read-only", {DELETE}, -EROFS, 500, "cannot write it", "\"reason\":\"not-saved\"}", 1},
        {"disk full, stop", {DELETE}, -ENOSPC, 507, "cannot write it", "\"reason\":\"no-space\"}", 1},

        {"loop hangs", {PUT, BODY, .ago_usec = ERRAND_BEGIN_USEC}, 0, 503, ERROR(503, "busy"), 0},
        {"too many wait", {PUT, BODY, .may_not_park = true}, 0, 503, ERROR(503, "busy"), 0},
        {"too many wait, stop", {DELETE, .may_not_park = true}, 0, 503, ERROR(503, "busy"), 0},
};
/* clang-format on */

START_TEST(answers)
{
        _cleanup_(reply_done) struct reply r = {0};

        d.error = cases[_i].error;
        ask(&cases[_i].asked, &r);
        ck_assert_msg(r.status == cases[_i].want_status, "%s: status %u", cases[_i].name, r.status);
        ck_assert_msg(strstr(blob_data(r.body), cases[_i].want) &&
                              strstr(blob_data(r.body), cases[_i].want_also),
                      "%s: %s", cases[_i].name, blob_data(r.body));
        turn();
        ck_assert_msg(d.n_starts + d.n_stops == cases[_i].want_calls, "%s: %u calls",
                      cases[_i].name, d.n_starts + d.n_stops);
}
END_TEST

START_TEST(starts_and_stops)
{
        static const struct asked put = {PUT, BODY}, delete = {DELETE};
        const struct {
                const struct asked *asked;
                const char *want;
        } steps[] = {
                {&put,    ON },
                {&put,    ON },
                {&delete, OFF},
                {&delete, OFF}
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                _cleanup_(reply_done) struct reply r = {0};

                ask(steps[i].asked, &r);
                ck_assert_uint_eq(r.status, 200);
                ck_assert_str_eq(r.content_type, "application/json");
                ck_assert_str_eq(blob_data(r.body), steps[i].want);
                ck_assert_int_eq(d.on, i < 2);
        }
        ck_assert_uint_eq(d.for_usec, 7200 * USEC_PER_SEC);
}
END_TEST

START_TEST(says_why_when_the_daemon_does_not)
{
        static const struct asked put = {PUT, BODY};
        _cleanup_(reply_done) struct reply r = {0};

        d.error = -EACCES;
        d.silent = true;
        ask(&put, &r);
        ck_assert_uint_eq(r.status, 500);
        ck_assert_ptr_nonnull(strstr(blob_data(r.body), strerror(EACCES)));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("v2_maintenance");
        TCase *tc = tcase_create("v2_maintenance");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, starts_and_stops);
        tcase_add_test(tc, says_why_when_the_daemon_does_not);
        suite_add_tcase(s, tc);
        return test_main(s);
}
