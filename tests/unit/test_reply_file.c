/* It sends all of a file, a part, or nothing, as the client's conditions have it. */

#include <fcntl.h>

#include "api/reply.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define SIZE     1000u
#define MTIME    "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE   "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER    "Sun, 06 Nov 1994 08:49:38 GMT"
#define MTIME_US (784111777 * USEC_PER_SEC + 123456)

/* clang-format off */
static const struct {
        const char *name, *range, *if_range, *if_none_match, *if_modified_since;
        unsigned status;
        uint64_t from, n;
} cases[] = {
        {"no condition", NULL, NULL, NULL, NULL, 200, 0, 1000},
        {"a part", "bytes=10-19", NULL, NULL, NULL, 206, 10, 10},
        {"a part that is not there", "bytes=1000-", NULL, NULL, NULL, 416, 0, 0},
        {"several parts", "bytes=1-2,4-5", NULL, NULL, NULL, 200, 0, 1000},
        {"a part of this", "bytes=10-19", "\"v1\"", NULL, NULL, 206, 10, 10},
        {"a part of another", "bytes=10-19", "\"v2\"", NULL, NULL, 200, 0, 1000},
        {"a part, by a weak tag", "bytes=10-19", "W/\"v1\"", NULL, NULL, 200, 0, 1000},
        {"a part of this, by date", "bytes=10-19", MTIME, NULL, NULL, 206, 10, 10},
        {"a part of what was before", "bytes=10-19", BEFORE, NULL, NULL, 200, 0, 1000},
        {"a part of what is to come", "bytes=10-19", AFTER, NULL, NULL, 200, 0, 1000},
        {"a part of nonsense", "bytes=10-19", "v1", NULL, NULL, 200, 0, 1000},
        {"not there, of another", "bytes=1000-", "\"v2\"", NULL, NULL, 200, 0, 1000},
        {"known", NULL, NULL, "\"v1\"", NULL, 304, 0, 0},
        {"known, weakly", NULL, NULL, "W/\"v1\"", NULL, 304, 0, 0},
        {"known among others", NULL, NULL, "\"v0\", ,\"v1\"", NULL, 304, 0, 0},
        {"whatever it is", NULL, NULL, "*", NULL, 304, 0, 0},
        {"others", NULL, NULL, "\"v0\", \"v10\", \"\"", NULL, 200, 0, 1000},
        {"a list that breaks off", NULL, NULL, "\"v0\", \"v1", NULL, 200, 0, 1000},
        {"a list of no tags", NULL, NULL, "v1", NULL, 200, 0, 1000},
        {"known, and a part", "bytes=10-19", NULL, "\"v1\"", NULL, 304, 0, 0},
        {"unchanged since then", NULL, NULL, NULL, MTIME, 304, 0, 0},
        {"unchanged since later", NULL, NULL, NULL, AFTER, 304, 0, 0},
        {"changed since before", NULL, NULL, NULL, BEFORE, 200, 0, 1000},
        {"another tag counts more than the date", NULL, NULL, "\"v0\"", AFTER, 200, 0, 1000},
};
/* clang-format on */

static const char *header(const struct reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (streq(r->headers[i].name, name))
                        return r->headers[i].value;
        return "";
}

static int open_something(void)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        return fd;
}

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(keeps_to_conditions)
{
        const struct request q = {.range = cases[_i].range,
                                  .if_range = cases[_i].if_range,
                                  .if_none_match = cases[_i].if_none_match,
                                  .if_modified_since = cases[_i].if_modified_since};
        const struct reply_file f = {.content_type = "application/zip",
                                     .name = "a.zip",
                                     .fd = open_something(),
                                     .n_bytes = SIZE,
                                     .mtime_usec = MTIME_US,
                                     .etag = "v1"};
        bool has_body = cases[_i].status < 300;
        struct reply r = {};

        ck_assert_int_eq(reply_file(&q, &r, &f), 0);
        ck_assert_msg(r.status == cases[_i].status, "%s: %u", cases[_i].name, r.status);
        ck_assert_uint_eq(reply_size(&r), cases[_i].n);
        ck_assert_uint_eq(r.file.from, cases[_i].from);
        ck_assert_int_eq(is_open(f.fd), has_body);
        ck_assert_str_eq(header(&r, "ETag"), r.status == 416 ? "" : "\"v1\"");
        ck_assert_str_eq(header(&r, "Last-Modified"), r.status == 416 ? "" : MTIME);
        ck_assert_str_eq(header(&r, "Accept-Ranges"), has_body ? "bytes" : "");
        ck_assert_str_eq(header(&r, "Content-Disposition"),
                         has_body ? "attachment; filename=a.zip" : "");
        ck_assert_str_eq(header(&r, "Content-Range"), r.status == 206   ? "bytes 10-19/1000"
                                                      : r.status == 416 ? "bytes */1000"
                                                                        : "");
        reply_done(&r);
        ck_assert(!is_open(f.fd));
}
END_TEST

/* Without a tag and a date nothing can be said of what the client has. */
START_TEST(knows_nothing_of_what_has_no_name)
{
        const struct request q = {.range = "bytes=0-1",
                                  .if_range = MTIME,
                                  .if_none_match = "\"\"",
                                  .if_modified_since = AFTER};
        const struct reply_file f = {
                .content_type = "text/plain", .fd = open_something(), .n_bytes = SIZE};
        struct reply r = {};

        ck_assert_int_eq(reply_file(&q, &r, &f), 0);
        ck_assert_uint_eq(r.status, 200);
        ck_assert_str_eq(header(&r, "ETag"), "");
        ck_assert_str_eq(header(&r, "Last-Modified"), "");
        reply_done(&r);
}
END_TEST

/* Within the second of its last change it may have changed again: its date names no state of it. */
START_TEST(does_not_trust_a_fresh_date)
{
        const struct request q = {.range = "bytes=0-1", .if_range = MTIME};
        struct reply_file f = {
                .content_type = "text/plain", .n_bytes = SIZE, .mtime_usec = MTIME_US};
        uint64_t clock = MTIME_US + 999999;
        struct reply r = {};

        clock_fake(&clock);
        for (unsigned status = 200; status <= 206; status += 6, clock++) {
                f.fd = open_something();
                ck_assert_int_eq(reply_file(&q, &r, &f), 0);
                ck_assert_uint_eq(r.status, status);
                reply_done(&r);
        }
        clock_fake(NULL);
}
END_TEST

START_TEST(writes_names_that_are_tokens)
{
        const struct request q = {0};
        const struct reply_file f = {.content_type = "text/plain",
                                     .fd = open_something(),
                                     .n_bytes = SIZE,
                                     .name = "a\"; x=\r\nb/c.zip"};
        struct reply r = {};

        ck_assert_int_eq(reply_file(&q, &r, &f), 0);
        ck_assert_str_eq(header(&r, "Content-Disposition"), "attachment; filename=a___x___b_c.zip");
        reply_done(&r);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reply_file");
        TCase *tc = tcase_create("reply_file");

        tcase_add_loop_test(tc, keeps_to_conditions, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, knows_nothing_of_what_has_no_name);
        tcase_add_test(tc, does_not_trust_a_fresh_date);
        tcase_add_test(tc, writes_names_that_are_tokens);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
