/* What a node says of its collection is read as it was written, and a node that lies is not believed. */

#include <errno.h>

#include "bundles/node_status.h"
#include "tests/unit/test_main.h"

#define X16  "0123456789abcdef"
#define HASH X16 X16 X16 X16
#define X256 HASH HASH HASH HASH

/* An entry, and a status, as they must be but for what a case puts at the end: the last one of a key would count. */
#define ENTRY                                                                                  \
        "\"path\":\"a\",\"kind\":\"file\",\"size\":1,\"duration_seconds\":0,\"redactions\":0," \
        "\"truncated\":false,\"optional\":false"
#define MASKED                                                                \
        "\"path\":\"a\",\"kind\":\"file\",\"size\":1,\"duration_seconds\":0," \
        "\"redactions\":1099511627776,\"truncated\":false,\"optional\":false"
#define STATUS "\"prefix\":\"p\",\"role\":\"agent\",\"redacted\":true,\"partial\":false"

static struct node_status status;
static struct err err;

static void setup(void)
{
        err = (struct err){0};
        status = (struct node_status){0};
}

static void teardown(void)
{
        node_status_done(&status);
}

static int read_text(const char *text)
{
        node_status_done(&status);
        return node_status_read(&status, text, strlen(text), &err);
}

static const char whole[] =
        "{\"prefix\":\"10.0.0.9_agent\",\"hostname\":\"n9\",\"version\":\"0.1.0\",\"role\":\"agent\","
        "\"started\":\"2026-11-21T00:04:07.123Z\",\"finished\":\"2026-11-21T00:04:09.000Z\","
        "\"since\":\"2026-11-20T00:04:07.123Z\",\"until\":null,\"redacted\":true,\"partial\":true,"
        "\"partial_reason\":\"its time was over\",\"entries\":[{\"path\":\"a.service\","
        "\"kind\":\"journal\",\"source\":\"a.service\",\"size\":123,\"sha256\":\"" HASH "\","
        "\"duration_seconds\":1.25,\"redactions\":3,\"truncated\":true,\"optional\":false,"
        "\"error\":null},{\"path\":\"x/y z\",\"kind\":\"command\",\"source\":\"y\",\"size\":0,"
        "\"sha256\":null,\"duration_seconds\":0,\"redactions\":0,\"truncated\":false,"
        "\"optional\":true,\"error\":\"exit status 3\"}]}\n";

START_TEST(is_read_as_it_was_written)
{
        _cleanup_(buf_done) struct buf out = {0};

        ck_assert_msg(read_text(whole) == 0, "%s", err.text);
        ck_assert_str_eq(status.prefix, "10.0.0.9_agent");
        ck_assert_int_eq(status.role, DIAG_ROLE_AGENT);
        ck_assert_uint_eq(status.until_wall_usec, 0);
        ck_assert_uint_eq(status.n_entries, 2);
        ck_assert_uint_eq(status.entries[0].took_usec, 1250000);
        ck_assert_str_eq(status.entries[0].sha256, HASH);
        ck_assert_ptr_null(status.entries[0].error);
        ck_assert_str_eq(status.entries[1].error, "exit status 3");
        ck_assert_str_eq(status.entries[1].sha256, "");
        node_status_write(&out, &status);
        ck_assert_str_eq(buf_cstr(&out), whole);
}
END_TEST

START_TEST(counts)
{
        ck_assert_int_eq(read_text(whole), 0);
        ck_assert_uint_eq(node_status_n_failed(&status, false), 1);
        ck_assert_uint_eq(node_status_n_failed(&status, true), 0);
        ck_assert_uint_eq(node_status_n_redactions(&status), 3);
}
END_TEST

/* A newer node may say more. */
START_TEST(skips_what_it_does_not_know)
{
        ck_assert_int_eq(read_text("{" STATUS ",\"colour\":1,\"entries\":[{" ENTRY ",\"x\":[]}]}"),
                         0);
        ck_assert_uint_eq(status.n_entries, 1);
        ck_assert_ptr_null(status.entries[0].source);
}
END_TEST

/* Its texts are shown to people. */
START_TEST(makes_texts_harmless)
{
        ck_assert_int_eq(read_text("{" STATUS ",\"hostname\":\"a\\u001b[2Jb\",\"entries\":[{" ENTRY
                                   ",\"error\":\"x\\ny\\u0085\\u00fc\"}]}"),
                         0);
        ck_assert_str_eq(status.hostname, "a?[2Jb");
        ck_assert_str_eq(status.entries[0].error, "x?y??\xc3\xbc");
}
END_TEST

START_TEST(may_stand_at_the_root)
{
        ck_assert_int_eq(read_text("{\"prefix\":\"\",\"role\":\"\",\"redacted\":false,"
                                   "\"partial\":false,\"entries\":[]}"),
                         0);
        ck_assert_str_eq(status.prefix, "");
        ck_assert_int_eq(status.role, DIAG_ROLE_UNKNOWN);
        ck_assert(!status.redacted);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} bad[] = {
        {"",                                               "line 1: "},
        {"[]",                                             "prefix is no plain name"},
        {"{}",                                             "prefix is no plain name"},
        {"{\"prefix\":\"a/b\"}",                           "prefix is no plain name"},
        {"{\"prefix\":\"..\"}",                            "prefix is no plain name"},
        {"{\"prefix\":\"a\"}",                             "role is none"},
        {"{\"prefix\":\"a\",\"role\":\"x\"}",              "role is none"},
        {"{" STATUS "}",                                   "entries is no list"},
        {"{" STATUS ",\"entries\":{}}",                    "entries is no list"},
        {"{" STATUS ",\"hostname\":1,\"entries\":[]}",     "hostname is no text"},
        {"{" STATUS ",\"hostname\":\"" X256 X256 X256 X256 "\",\"entries\":[]}", "hostname is no text"},
        {"{" STATUS ",\"started\":1,\"entries\":[]}",      "started is no time"},
        {"{" STATUS ",\"until\":\"now\",\"entries\":[]}",  "until is no time"},
        {"{\"prefix\":\"a\",\"role\":\"agent\",\"redacted\":1}", "redacted is neither"},
        {"{\"prefix\":\"a\",\"role\":\"agent\",\"redacted\":true}", "partial is neither"},
        {"{" STATUS ",\"entries\":[1]}",                   "entries[0].path is no relative"},
        {"{" STATUS ",\"entries\":[{" ENTRY "},{\"path\":\"/a\"}]}", "entries[1].path is no relative"},
        {"{" STATUS ",\"entries\":[{\"path\":\"../a\"}]}", "entries[0].path is no relative"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\\nb\"}]}", "entries[0].path is no relative"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\"}]}",    "entries[0].kind is none"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\",\"kind\":\"x\"}]}", "entries[0].kind is none"},
        {"{" STATUS ",\"entries\":[{" ENTRY ",\"source\":1}]}", "entries[0].source is no text"},
        {"{" STATUS ",\"entries\":[{" ENTRY ",\"source\":\"" X256 X256 "\"}]}", "entries[0].source is no text"},
        {"{" STATUS ",\"entries\":[{" ENTRY ",\"sha256\":\"" X16 "\"}]}", "entries[0].sha256 is none"},
        {"{" STATUS ",\"entries\":[{" ENTRY ",\"sha256\":\"" X16 X16 X16 "0123456789ABCDEF\"}]}", "entries[0].sha256 is none"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\",\"kind\":\"file\",\"size\":-1}]}", "entries[0].size is no count"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\",\"kind\":\"file\",\"size\":9223372036854775807}]}", "entries[0].size is no count"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\",\"kind\":\"file\",\"size\":1,\"duration_seconds\":-1}]}", "entries[0].duration_seconds is no"},
        {"{" STATUS ",\"entries\":[{\"path\":\"a\",\"kind\":\"file\",\"size\":1,\"duration_seconds\":1e300}]}", "entries[0].duration_seconds is no"},
        {"{" STATUS ",\"entries\":[{" ENTRY ",\"error\":[]}]}", "entries[0].error is no text"},
        {"{" STATUS ",\"entries\":[{" MASKED "},{" MASKED "}]}", "entries[1].redactions makes more"},
        {"{" STATUS "," STATUS ",\"entries\":[]}",         "line 1: duplicate"},
};
/* clang-format on */

START_TEST(refuses)
{
        ck_assert_int_eq(read_text(bad[_i].text), -EINVAL);
        ck_assert_msg(strstr(err.text, bad[_i].want) == err.text, "%s", err.text);
        ck_assert_ptr_null(status.prefix);
        ck_assert_int_eq(node_status_read(&status, bad[_i].text, strlen(bad[_i].text), NULL),
                         -EINVAL);
}
END_TEST

START_TEST(has_limits)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct node_status_entry *entry = NULL;
        char *blanks = calloc(1, NODE_STATUS_BYTES_MAX + 1);

        buf_puts(&text, "{" STATUS ",\"entries\":[");
        for (size_t i = 0; i <= NODE_STATUS_ENTRIES_MAX; i++)
                buf_printf(&text, "%s{" ENTRY "}", i ? "," : "");
        buf_puts(&text, "]}");
        ck_assert_uint_lt(text.n, NODE_STATUS_BYTES_MAX);
        ck_assert_int_eq(read_text(buf_cstr(&text)), -E2BIG);
        ck_assert_ptr_nonnull(blanks);
        ck_assert_int_eq(node_status_read(&status, blanks, NODE_STATUS_BYTES_MAX + 1, &err),
                         -E2BIG);
        free(blanks);
        for (size_t i = 0; i < NODE_STATUS_ENTRIES_MAX; i++)
                entry = node_status_add(&status);
        ck_assert_ptr_nonnull(entry);
        ck_assert_ptr_null(entry->path);
        ck_assert_ptr_null(node_status_add(&status));
}
END_TEST

/* A few bytes of JSON are a hundred of memory. */
START_TEST(takes_no_more_values_than_entries_have)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "{" STATUS ",\"entries\":[],\"x\":[0");
        while (text.n < NODE_STATUS_BYTES_MAX - 10)
                buf_puts(&text, _i ? ",{}" : ",0");
        buf_puts(&text, "]}");
        ck_assert_int_eq(read_text(buf_cstr(&text)), -E2BIG);
        ck_assert_msg(strstr(err.text, "more values"), "%s", err.text);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("node_status");
        TCase *c = tcase_create("node_status");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, is_read_as_it_was_written);
        tcase_add_test(c, counts);
        tcase_add_test(c, skips_what_it_does_not_know);
        tcase_add_test(c, makes_texts_harmless);
        tcase_add_test(c, may_stand_at_the_root);
        tcase_add_loop_test(c, refuses, 0, ELEMENTSOF(bad));
        tcase_add_test(c, has_limits);
        tcase_add_loop_test(c, takes_no_more_values_than_entries_have, 0, 2);
        suite_add_tcase(s, c);
        return test_main(s);
}
