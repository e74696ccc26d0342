/* It reads what is to be said of maintenance, and names what is wrong with it. */

#include <errno.h>
#include <stdio.h>

#include "api/maintenance_json.h"
#include "tests/unit/test_main.h"

#define R16  "0123456789abcdef"
#define R64  R16 R16 R16 R16
#define R256 R64 R64 R64 R64

/* clang-format off */
static const struct {
        const char *text;
        uint64_t want_usec;
        const char *want_reason;
} good[] = {
        {"{\"for_seconds\":7200,\"reason\":\"new disk\"}",      7200 * USEC_PER_SEC,  "new disk"},
        {" { \"reason\" : \"x\" , \"for_seconds\" : 1.5 }\n",   3 * USEC_PER_SEC / 2, "x"},
        {"{\"for_seconds\":604800,\"reason\":\"" R256 "\"}",    MAINTENANCE_BODY_MAX_USEC, R256},
        {"{\"for_seconds\":6.048e5,\"reason\":\"x\"}",          MAINTENANCE_BODY_MAX_USEC, "x"},
        {"{\"for_seconds\":1,\"reason\":\"Gr\\u00f6\\u00dfe \\\"<b>\\\\\"}", USEC_PER_SEC,
         "Größe \"<b>\\"},
        {"{\"for_seconds\":1,\"reason\":\"\\u00a0\"}",          USEC_PER_SEC,         "\xc2\xa0"},
        {"{\"for_seconds\":1,\"reason\":\"x\",\"later\":[{}]}", USEC_PER_SEC,         "x"},
};

static const struct {
        const char *text, *want;
} bad[] = {
        {"",                                                    "the body is not JSON"},
        {"for_seconds=1",                                       "the body is not JSON"},
        {"{\"for_seconds\":1,\"reason\":\"x\"",                 "the body is not JSON"},
        {"{\"for_seconds\":1,\"reason\":\"x\"} x",              "the body is not JSON"},
        {"{\"for_seconds\":1,\"reason\":\"\xff\"}",             "the body is not JSON"},
        {"{\"for_seconds\":1,\"reason\":\"a\\u0000b\"}",        "the body is not JSON"},
        {"{\"for_seconds\":NaN,\"reason\":\"x\"}",              "the body is not JSON"},
        {"{\"for_seconds\":1e999,\"reason\":\"x\"}",            "the body is not JSON"},
        {"{\"for_seconds\":1,\"for_seconds\":2,\"reason\":\"x\"}", "the body is not JSON"},
        {"[]",                                                  "the body is not an object"},
        {"{}",                                                  "for_seconds is not a number"},
        {"{\"for_seconds\":null,\"reason\":\"x\"}",             "for_seconds is not a number"},
        {"{\"for_seconds\":\"7200\",\"reason\":\"x\"}",         "for_seconds is not a number"},
        {"{\"for_seconds\":true,\"reason\":\"x\"}",             "for_seconds is not a number"},
        {"{\"for_seconds\":0,\"reason\":\"x\"}",                "for_seconds is less than 1"},
        {"{\"for_seconds\":0.999,\"reason\":\"x\"}",            "for_seconds is less than 1"},
        {"{\"for_seconds\":-1,\"reason\":\"x\"}",               "for_seconds is less than 1"},
        {"{\"for_seconds\":1e-300,\"reason\":\"x\"}",           "for_seconds is less than 1"},
        {"{\"for_seconds\":604801,\"reason\":\"x\"}",           "for_seconds is more than 7 days"},
        {"{\"for_seconds\":604800.001,\"reason\":\"x\"}",       "for_seconds is more than 7 days"},
        {"{\"for_seconds\":9223372036854775807,\"reason\":\"x\"}", "for_seconds is more than 7 days"},
        {"{\"for_seconds\":1e300,\"reason\":\"x\"}",            "for_seconds is more than 7 days"},
        {"{\"for_seconds\":1}",                                 "reason is not a string"},
        {"{\"for_seconds\":1,\"reason\":null}",                 "reason is not a string"},
        {"{\"for_seconds\":1,\"reason\":7}",                    "reason is not a string"},
        {"{\"for_seconds\":1,\"reason\":\"\"}",                 "reason is empty"},
        {"{\"for_seconds\":1,\"reason\":\"" R256 "x\"}",        "reason is longer than 256 bytes"},
        {"{\"for_seconds\":1,\"reason\":\"a\\nb\"}",            "reason has a control character"},
        {"{\"for_seconds\":1,\"reason\":\"\\u001b[2J\"}",       "reason has a control character"},
        {"{\"for_seconds\":1,\"reason\":\"\x7f\"}",             "reason has a control character"},
        {"{\"for_seconds\":1,\"reason\":\"a\\u009b2J\"}",       "reason has a control character"},
};
/* clang-format on */

START_TEST(reads)
{
        struct maintenance_body body;
        struct err e = {0};

        ck_assert_msg(maintenance_body_from_json(&body, good[_i].text, strlen(good[_i].text), &e) ==
                              0,
                      "%s: %s", good[_i].text, e.text);
        ck_assert_uint_eq(body.for_usec, good[_i].want_usec);
        ck_assert_str_eq(body.reason, good[_i].want_reason);
}
END_TEST

START_TEST(refuses)
{
        struct maintenance_body body = {.for_usec = 1, .reason = "as it was"};
        struct err e = {0};

        ck_assert_int_eq(maintenance_body_from_json(&body, bad[_i].text, strlen(bad[_i].text), &e),
                         -EBADMSG);
        ck_assert_msg(strncmp(e.text, bad[_i].want, strlen(bad[_i].want)) == 0, "%s: %s",
                      bad[_i].text, e.text);
        ck_assert_uint_eq(body.for_usec, 1);
        ck_assert_str_eq(body.reason, "as it was");
}
END_TEST

START_TEST(needs_no_nul_at_the_end)
{
        static const char text[] = "{\"for_seconds\":1,\"reason\":\"x\"}garbage";
        struct maintenance_body body;

        ck_assert_int_eq(
                maintenance_body_from_json(&body, text, strlen(text) - strlen("garbage"), NULL), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("maintenance_json");
        TCase *tc = tcase_create("maintenance_json");

        tcase_add_loop_test(tc, reads, 0, ELEMENTSOF(good));
        tcase_add_loop_test(tc, refuses, 0, ELEMENTSOF(bad));
        tcase_add_test(tc, needs_no_nul_at_the_end);
        suite_add_tcase(s, tc);
        return test_main(s);
}
