/* It says whether the loop turns, whatever the node's health is. */

#include "api/livez.h"
#include "api/node_answer.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define T (UINT64_C(1000) * USEC_PER_SEC)

static uint64_t now = T;

static const struct {
        uint64_t age_usec;
        unsigned want_status;
        const char *want_text;
} cases[] = {
        {0,                          200, "ok\n"                                          },
        {FEED_BEAT_MAX_AGE_USEC,     200, "ok\n"                                          },
        {FEED_BEAT_MAX_AGE_USEC + 1, 503, "diag-agentd's loop has been stuck for 20 s\n"  },
        {3600 * USEC_PER_SEC,        503, "diag-agentd's loop has been stuck for 3600 s\n"},
};

/* Nothing has ever been confirmed: that is no matter of the loop. */
START_TEST(answers)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system nothing = {0};
        _cleanup_(feed_freep) struct feed *f = NULL;
        _cleanup_(reply_done) struct reply r = {0};
        struct node_host host = {0};
        const struct request q = {.host = &host};
        struct diag_report *first;

        clock_fake(&now);
        ck_assert_int_eq(diag_report_new(&first, &node, &nothing, "dcos.target"), 0);
        ck_assert_int_eq(diag_report_seal(first, NULL, 1, NULL, NULL), 0);
        ck_assert_int_eq(feed_new(&f, NULL, first), 0);
        host.feed = f;
        feed_beat(f);
        now += cases[_i].age_usec;
        ck_assert_int_eq(livez_routes[0].handle(&q, &r), 0);
        ck_assert_uint_eq(r.status, cases[_i].want_status);
        ck_assert_str_eq(blob_data(r.body), cases[_i].want_text);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("livez");
        TCase *tc = tcase_create("livez");

        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(cases));
        suite_add_tcase(s, tc);
        return test_main(s);
}
