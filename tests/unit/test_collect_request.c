/* What is asked of a collector is read as it was written, and nothing else is read. */

#include <errno.h>
#include <stdio.h>

#include "bundles/collect_request.h"
#include "tests/unit/test_main.h"

#define X16  "0123456789abcdef"
#define SALT X16 X16 X16 X16

static struct err err;
static struct collect_request request;

static void setup(void)
{
        err = (struct err){0};
        request = (struct collect_request){0};
}

static void teardown(void)
{
        collect_request_done(&request);
}

static void must_read(const char *text)
{
        int k = collect_request_read(&request, text, strlen(text), &err);

        ck_assert_msg(k == 0, "%s", err.text);
}

START_TEST(says_nothing)
{
        must_read("{}");
        ck_assert_int_eq(request.op, COLLECT_ARCHIVE);
        ck_assert_int_eq(request.role, DIAG_ROLE_UNKNOWN);
        ck_assert_int_eq(request.format, ARCHIVE_TAR_ZSTD);
        ck_assert_uint_eq(request.kinds, 0);
        ck_assert_ptr_null(request.ids);
        ck_assert_ptr_null(request.units);
        ck_assert(!request.no_redact && !request.has_salt && !request.fragment);
        ck_assert_uint_eq(request.timeout_usec, 0);
}
END_TEST

START_TEST(says_everything)
{
        _cleanup_(buf_done) struct buf out = {0};
        static const char text[] =
                "{\"op\":\"archive\",\"role\":\"agent_public\",\"format\":\"tar.gz\","
                "\"fragment\":true,\"prefix\":\"10.0.0.9_agent_public\",\"bundle\":\"b-1.x\","
                "\"kinds\":[\"journal\",\"health\"],\"ids\":[{\"kind\":\"file\",\"id\":\"/a\"},"
                "{\"kind\":\"command\",\"id\":\"a \\u003c b\"}],\"units\":[\"a.service\",\"-.mount\"],"
                "\"since\":\"2026-11-21T00:04:07.123Z\",\"until\":\"2026-11-21T00:04:08.000Z\","
                "\"timeout_ms\":1500,\"source_max_bytes\":1,\"max_bytes\":9223372036854775807,"
                "\"redact\":false,\"salt\":\"" SALT "\"}";

        must_read(text);
        ck_assert_int_eq(request.role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_int_eq(request.format, ARCHIVE_TAR_GZIP);
        ck_assert_uint_eq(request.kinds,
                          SOURCE_KIND_BIT(SOURCE_JOURNAL) | SOURCE_KIND_BIT(SOURCE_HEALTH));
        ck_assert_uint_eq(request.n_ids, 2);
        ck_assert_int_eq(request.ids[1].kind, SOURCE_COMMAND);
        ck_assert_str_eq(request.ids[1].id, "a < b");
        ck_assert_uint_eq(request.n_units, 2);
        ck_assert_str_eq(request.units[1], "-.mount");
        ck_assert_uint_eq(request.until_wall_usec - request.since_wall_usec, 877000);
        ck_assert_uint_eq(request.timeout_usec, 1500000);
        ck_assert_uint_eq(request.max_bytes, INT64_MAX);
        ck_assert(request.no_redact && request.has_salt && request.fragment);
        ck_assert_uint_eq(request.salt[0], 0x01);
        ck_assert_uint_eq(request.salt[REDACT_SALT_BYTES - 1], 0xef);
        collect_request_write(&out, &request);
        ck_assert_str_eq(buf_cstr(&out), text);
}
END_TEST

/* No units is not the same as units that are still to be looked for. */
START_TEST(knows_no_units_from_any_units)
{
        _cleanup_(buf_done) struct buf out = {0};

        must_read("{\"units\":[]}");
        ck_assert_ptr_nonnull(request.units);
        ck_assert_uint_eq(request.n_units, 0);
        collect_request_write(&out, &request);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"units\":[]"));
}
END_TEST

/* A timeout of half a millisecond is short, and 0 would be the longest. */
START_TEST(rounds_time_up)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct collect_request short_one = {.timeout_usec = 500};

        collect_request_write(&out, &short_one);
        must_read(buf_cstr(&out));
        ck_assert_uint_eq(request.timeout_usec, 1000);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} bad[] = {
        {"",                                   "line 1: "},
        {"[]",                                 "is no object"},
        {"{} x",                               "line 1: "},
        {"{\"op\":\"list\",\"op\":\"list\"}",  "line 1: "},
        {"{\"path\":\"/etc/shadow\"}",         "unknown key path"},
        {"{\"Op\":\"list\"}",                  "unknown key Op"},
        {"{\"op\":\"remove\"}",                "op is not archive"},
        {"{\"op\":null}",                      "op is not archive"},
        {"{\"op\":1}",                         "op is not archive"},
        {"{\"op\":\"one\"}",                   "op one needs exactly one id"},
        {"{\"op\":\"one\",\"ids\":[{\"kind\":\"file\",\"id\":\"a\"},{\"kind\":\"file\",\"id\":\"b\"}]}",
                                               "op one needs exactly one id"},
        {"{\"role\":\"slave\"}",               "role is not"},
        {"{\"role\":\"\"}",                    "role is not"},
        {"{\"format\":\"rar\"}",               "format is not"},
        {"{\"fragment\":1}",                   "fragment is neither"},
        {"{\"fragment\":true}",                "a fragment needs a prefix"},
        {"{\"fragment\":true,\"prefix\":\"a_agent\",\"format\":\"zip\"}", "a zip has no fragments"},
        {"{\"prefix\":\"\"}",                  "prefix is no plain name"},
        {"{\"prefix\":\"..\"}",                "prefix is no plain name"},
        {"{\"prefix\":\"a/b\"}",               "prefix is no plain name"},
        {"{\"prefix\":\"a\\nb\"}",             "prefix is no plain name"},
        {"{\"prefix\":\"a\\\\b\"}",            "prefix is no plain name"},
        {"{\"prefix\":\"-rf\"}",               "prefix is no plain name"},
        {"{\"prefix\":\"" SALT SALT SALT SALT "\"}", "prefix is no plain name"},
        {"{\"bundle\":\"../x\"}",              "bundle is no id"},
        {"{\"bundle\":\".x\"}",                "bundle is no id"},
        {"{\"bundle\":\"" SALT SALT "x\"}",    "bundle is no id"},
        {"{\"kinds\":[]}",                     "kinds is no list"},
        {"{\"kinds\":\"journal\"}",            "kinds is no list"},
        {"{\"kinds\":[\"journal\",\"x\"]}",    "kinds [1] is no kind"},
        {"{\"ids\":[]}",                       "ids is no list"},
        {"{\"ids\":[{}]}",                     "ids [0]: kind is none"},
        {"{\"ids\":[{\"kind\":\"file\"}]}",    "ids [0]: id is no text"},
        {"{\"ids\":[{\"kind\":\"file\",\"id\":\"\"}]}", "ids [0]: id is no text"},
        {"{\"ids\":[{\"kind\":\"file\",\"id\":\"a\"},{\"kind\":\"file\",\"id\":\"" SALT SALT SALT SALT SALT SALT SALT SALT "\"}]}",
                                               "ids [1]: id is no text"},
        {"{\"ids\":[{\"kind\":\"file\",\"id\":\"a\",\"path\":\"/\"}]}", "ids [0]: there is more"},
        {"{\"units\":{}}",                     "units is no list"},
        {"{\"units\":[\"a\"]}",                "units [0] is not the name of a unit"},
        {"{\"units\":[\"a.service\",\"a@.service\"]}", "units [1] is not the name of a unit"},
        {"{\"units\":[\"--help.service/\"]}",  "units [0] is not the name of a unit"},
        {"{\"since\":0}",                      "since is no time"},
        {"{\"since\":\"yesterday\"}",          "since is no time"},
        {"{\"since\":\"1970-01-01T00:00:00Z\"}", "since is no time"},
        {"{\"since\":\"2026-11-21T00:00:01Z\",\"until\":\"2026-11-21T00:00:01Z\"}", "until is not after since"},
        {"{\"timeout_ms\":0}",                 "timeout_ms is no number"},
        {"{\"timeout_ms\":-1}",                "timeout_ms is no number"},
        {"{\"timeout_ms\":1.5}",               "timeout_ms is no number"},
        {"{\"timeout_ms\":1800001}",           "timeout_ms is no number"},
        {"{\"max_bytes\":\"1M\"}",             "max_bytes is no number"},
        {"{\"source_max_bytes\":0}",           "source_max_bytes is no number"},
        {"{\"redact\":\"no\"}",                "redact is neither"},
        {"{\"salt\":\"" X16 "\"}",             "salt is not 64 hex digits"},
        {"{\"salt\":\"" X16 X16 X16 "0123456789ABCDEF\"}", "salt is not 64 hex digits"},
};
/* clang-format on */

START_TEST(refuses)
{
        ck_assert_int_eq(collect_request_read(&request, bad[_i].text, strlen(bad[_i].text), &err),
                         -EINVAL);
        ck_assert_msg(strstr(err.text, bad[_i].want) == err.text, "%s: %s", bad[_i].text, err.text);
        ck_assert_ptr_null(request.ids);
        ck_assert_int_eq(collect_request_read(&request, bad[_i].text, strlen(bad[_i].text), NULL),
                         -EINVAL);
}
END_TEST

static int read_many(const char *key, const char *item, size_t n)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_printf(&text, "{\"%s\":[", key);
        for (size_t i = 0; i < n; i++)
                buf_printf(&text, "%s%s", i ? "," : "", item);
        buf_puts(&text, "]}");
        collect_request_done(&request);
        return collect_request_read(&request, buf_cstr(&text), text.n, &err);
}

START_TEST(has_limits)
{
        static const char id[] = "{\"kind\":\"file\",\"id\":\"/a\"}";
        char *blanks = malloc(COLLECT_REQUEST_BYTES_MAX + 1);

        ck_assert_int_eq(read_many("ids", id, COLLECT_IDS_MAX), 0);
        ck_assert_int_eq(read_many("ids", id, COLLECT_IDS_MAX + 1), -E2BIG);
        ck_assert_int_eq(read_many("units", "\"a.service\"", COLLECT_UNITS_MAX), 0);
        ck_assert_int_eq(read_many("units", "\"a.service\"", COLLECT_UNITS_MAX + 1), -E2BIG);
        ck_assert_ptr_nonnull(blanks);
        memset(blanks, ' ', COLLECT_REQUEST_BYTES_MAX + 1);
        blanks[0] = '{';
        blanks[1] = '}';
        ck_assert_int_eq(collect_request_read(&request, blanks, COLLECT_REQUEST_BYTES_MAX, &err),
                         0);
        ck_assert_int_eq(
                collect_request_read(&request, blanks, COLLECT_REQUEST_BYTES_MAX + 1, &err),
                -E2BIG);
        free(blanks);
}
END_TEST

START_TEST(has_words)
{
        enum collect_event_kind event;
        enum source_kind kind;
        enum collect_op op;

        for (int i = 0; i < COLLECT_N_OPS; i++) {
                ck_assert_int_eq(collect_op_from_string(&op, collect_op_to_string(i)), 0);
                ck_assert_int_eq(op, i);
        }
        for (int i = 0; i < COLLECT_N_EVENTS; i++) {
                ck_assert_int_eq(
                        collect_event_kind_from_string(&event, collect_event_kind_to_string(i)), 0);
                ck_assert_int_eq(event, i);
        }
        for (int i = 0; i < SOURCE_N_KINDS; i++) {
                ck_assert_int_eq(source_kind_from_string(&kind, source_kind_to_string(i)), 0);
                ck_assert_int_eq(kind, i);
        }
        ck_assert_int_eq(source_kind_from_string(&kind, ""), -EINVAL);
        ck_assert_str_eq(collect_op_to_string(COLLECT_N_OPS), "");
}
END_TEST

/* --- events ------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        struct collect_event event;
        const char *text;
} events[] = {
        {{.kind = COLLECT_STARTED}, "{\"event\":\"started\"}"},
        {{.kind = COLLECT_PROGRESS, .n_entries = 12, .n_entries_total = 70, .n_bytes = 1234, .source = "journal a.service"},
         "{\"event\":\"progress\",\"entries\":12,\"entries_total\":70,\"bytes\":1234,\"source\":\"journal a.service\"}"},
        {{.kind = COLLECT_DONE, .n_entries = 70, .n_failed = 1, .n_truncated = 2, .n_redactions = 41, .n_bytes = 5, .partial = true},
         "{\"event\":\"done\",\"entries\":70,\"failed\":1,\"truncated\":2,\"redactions\":41,\"bytes\":5,\"partial\":true}"},
        {{.kind = COLLECT_ERROR, .code = "not-allowed", .error = "no"},
         "{\"event\":\"error\",\"code\":\"not-allowed\",\"error\":\"no\"}"},
};

static const char *const bad_events[] = {
        "", "{}", "[]", "{\"event\":\"x\"}", "{\"event\":1}", "{\"event\":\"done\",\"entries\":-1}",
        "{\"event\":\"done\",\"entries\":\"1\"}", "{\"event\":\"done\",\"bytes\":1.5}",
        "{\"event\":\"done\",\"partial\":1}", "{\"event\":\"error\",\"code\":1}",
        "{\"event\":\"error\",\"error\":null}", "{\"event\":\"started\"} x",
        "{\"event\":\"started\",\"event\":\"done\"}",
};
/* clang-format on */

START_TEST(tells)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct collect_event again;

        collect_event_write(&out, &events[_i].event);
        ck_assert_str_eq(buf_cstr(&out), events[_i].text);
        ck_assert_int_eq(collect_event_read(&again, out.data, out.n), 0);
        buf_clear(&out);
        collect_event_write(&out, &again);
        ck_assert_str_eq(buf_cstr(&out), events[_i].text);
}
END_TEST

START_TEST(does_not_believe)
{
        struct collect_event event = {.n_bytes = 7};

        ck_assert_int_eq(collect_event_read(&event, bad_events[_i], strlen(bad_events[_i])),
                         -EINVAL);
        ck_assert_uint_eq(event.n_bytes, 7);
}
END_TEST

/* A text that grew on its way, as what is no UTF-8 does, costs its end, and not the event. */
START_TEST(cuts_texts_where_characters_end)
{
        struct collect_event event = {.kind = COLLECT_ERROR}, again;
        _cleanup_(buf_done) struct buf out = {0};
        char big[COLLECT_EVENT_BYTES_MAX + 2];

        memset(event.error, 0xff, sizeof(event.error) - 1);
        (void)snprintf(event.code, sizeof(event.code), "a\nb\x1b");
        collect_event_write(&out, &event);
        ck_assert_int_eq(collect_event_read(&again, out.data, out.n), 0);
        ck_assert_str_eq(again.code, "a?b?");
        ck_assert_uint_eq(strlen(again.error), 255);
        ck_assert_int_eq(memcmp(again.error, "\xef\xbf\xbd\xef\xbf\xbd", 6), 0);
        (void)snprintf(big, sizeof(big), "%-*s", (int)COLLECT_EVENT_BYTES_MAX + 1,
                       "{\"event\":\"started\"}");
        ck_assert_int_eq(collect_event_read(&again, big, COLLECT_EVENT_BYTES_MAX), 0);
        ck_assert_int_eq(collect_event_read(&again, big, COLLECT_EVENT_BYTES_MAX + 1), -E2BIG);
        ck_assert_int_eq(collect_event_read(&again, "{\"event\":\"started\",\"more\":{}}", 29), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("collect_request");
        TCase *c = tcase_create("collect_request");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, says_nothing);
        tcase_add_test(c, says_everything);
        tcase_add_test(c, knows_no_units_from_any_units);
        tcase_add_test(c, rounds_time_up);
        tcase_add_loop_test(c, refuses, 0, ELEMENTSOF(bad));
        tcase_add_test(c, has_limits);
        tcase_add_test(c, has_words);
        tcase_add_loop_test(c, tells, 0, ELEMENTSOF(events));
        tcase_add_loop_test(c, does_not_believe, 0, ELEMENTSOF(bad_events));
        tcase_add_test(c, cuts_texts_where_characters_end);
        suite_add_tcase(s, c);
        return test_main(s);
}
