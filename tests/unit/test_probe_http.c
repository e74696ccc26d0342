/* What an answer means, and real ones over TCP and a Unix socket. */

#include <errno.h>
#include <stdio.h>

#include "base/parse.h"
#include "probes/probe_http.h"
#include "tests/unit/one_probe.h"

/* clang-format off */
static const struct {
        const char *list;
        int error;
        struct http_range first, last;
        size_t n;
} statuses[] = {
        {"200", 0, {200, 200}, {200, 200}, 1},
        {"200-299,401", 0, {200, 299}, {401, 401}, 2},
        {" 200 - 299", -EINVAL, {0}, {0}, 0},
        {"200, 204", 0, {200, 200}, {204, 204}, 2},
        {"100-599", 0, {100, 599}, {100, 599}, 1},
        {"99", -EINVAL, {0}, {0}, 0},
        {"200-600", -EINVAL, {0}, {0}, 0},
        {"299-200", -EINVAL, {0}, {0}, 0},
        {"200,", -EINVAL, {0}, {0}, 0},
        {"2xx", -EINVAL, {0}, {0}, 0},
        {"200-", -EINVAL, {0}, {0}, 0},
        {"200-201-202", -EINVAL, {0}, {0}, 0},
        {"", -EINVAL, {0}, {0}, 0},
};

#define SETTINGS(...) {.n_ranges = 2, .ranges = {{200, 299}, {401, 401}}, .status = (char *)"200-299,401", __VA_ARGS__}
#define ANSWER(number, bytes) {.status = (number), .body = (bytes), .n_body = sizeof(bytes) - 1, .text = ""}
#define CUT(number, bytes) {.status = (number), .body = (bytes), .n_body = sizeof(bytes) - 1, .truncated = true}

static const struct {
        struct http_expect expect;
        struct fetch_result answer;
        enum diag_health health;
        enum diag_code code;
        const char *text;
} judgements[] = {
        {SETTINGS(), ANSWER(200, "x"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(), ANSWER(401, ""), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(), CUT(299, "x"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(), ANSWER(503, "x"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status 503, not 200-299,401"},
        {SETTINGS(), ANSWER(400, "x"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status 400, not 200-299,401"},
        {SETTINGS(), ANSWER(0, ""), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status 0, not 200-299,401"},
        {SETTINGS(.body = (char *)"imok"), ANSWER(200, "so imok\n"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.body = (char *)"imok"), ANSWER(200, "a\0imok"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.body = (char *)"imok"), CUT(200, "imok"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.body = (char *)"imok"), ANSWER(200, ""), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the body does not contain \"imok\""},
        {SETTINGS(.body = (char *)"imok"), CUT(200, "x"), DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "\"imok\" is not in the first 262144 bytes of the body"},
        {SETTINGS(.body = (char *)"imok"), CUT(500, "x"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status 500, not 200-299,401"},
        {SETTINGS(.json_field = (char *)"/ok"), ANSWER(200, "{\"ok\":true}"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.json_field = (char *)"/ok"), ANSWER(200, "{\"ok\":0}"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.json_field = (char *)"/ok"), ANSWER(200, "{\"ok\":false}"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "JSON field /ok is false or null"},
        {SETTINGS(.json_field = (char *)"/ok"), ANSWER(200, "{}"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "JSON field /ok is missing"},
        {SETTINGS(.json_field = (char *)"/ok"), ANSWER(200, "<html>"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the body is not JSON"},
        {SETTINGS(.json_field = (char *)"/ok"), CUT(200, "{\"ok\":true}"), DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "the body is longer than 262144 bytes"},
        {SETTINGS(.json_field = (char *)"/s", .json_value = (char *)"green"), ANSWER(200, "{\"s\":\"green\"}"), DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {SETTINGS(.json_field = (char *)"/s", .json_value = (char *)"green"), ANSWER(200, "{\"s\":\"red\"}"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "JSON field /s is not green"},
        {SETTINGS(.body = (char *)"s", .json_field = (char *)"/s"), ANSWER(200, "{}"), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the body does not contain \"s\""},
        {SETTINGS(.body = (char *)"a\tb"), ANSWER(200, ""), DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the body does not contain \"a?b\""},
        {SETTINGS(), {.error = -ETIMEDOUT, .text = "it did not answer in time"}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "no answer within 5 s"},
        {SETTINGS(), {.error = -ECONNREFUSED, .text = "connection refused"}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "no answer: connection refused"},
        {SETTINGS(), {.error = -ENOENT, .text = "there is no such socket"}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "no answer: there is no such socket"},
        {SETTINGS(), {.error = -EPROTO, .text = "its answer is not HTTP"}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "no answer: its answer is not HTTP"},
        {SETTINGS(), {.error = -EBUSY, .text = "too many others were being asked"}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask: too many others were being asked"},
        {SETTINGS(), {.error = -ENOMEM}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask: Cannot allocate memory"},
};
/* clang-format on */

START_TEST(reads_a_list_of_statuses)
{
        struct http_range ranges[HTTP_RANGES_MAX];
        size_t n = 0;

        ck_assert_int_eq(http_parse_status(statuses[_i].list, ranges, &n), statuses[_i].error);
        ck_assert_uint_eq(n, statuses[_i].n);
        if (n == 0)
                return;
        ck_assert_uint_eq(ranges[0].from, statuses[_i].first.from);
        ck_assert_uint_eq(ranges[0].to, statuses[_i].first.to);
        ck_assert_uint_eq(ranges[n - 1].from, statuses[_i].last.from);
        ck_assert_uint_eq(ranges[n - 1].to, statuses[_i].last.to);
}
END_TEST

START_TEST(reads_only_so_many_statuses)
{
        struct http_range ranges[HTTP_RANGES_MAX];
        _cleanup_(buf_done) struct buf list = {0};
        size_t n;

        buf_puts(&list, "200");
        for (unsigned i = 1; i < HTTP_RANGES_MAX; i++)
                buf_puts(&list, ",200");
        ck_assert_int_eq(http_parse_status(buf_cstr(&list), ranges, &n), 0);
        buf_puts(&list, ",200");
        ck_assert_int_eq(http_parse_status(buf_cstr(&list), ranges, &n), -E2BIG);
}
END_TEST

START_TEST(judges)
{
        struct probe_verdict v;

        http_judge(&judgements[_i].expect, &judgements[_i].answer, 5 * USEC_PER_SEC, &v);
        ck_assert_str_eq(v.text, judgements[_i].text);
        ck_assert_str_eq(diag_code_to_string(v.code), diag_code_to_string(judgements[_i].code));
        ck_assert_int_eq(v.health, judgements[_i].health);
}
END_TEST

/* --- a server of one connection, on the loop that asks --------------------------------------------- */

static int listener = -1, connection = -1;
static sd_event_source *accepting, *reading;
static struct buf request, reply;
static char url[96];

static int on_request(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                      _unused_ void *userdata)
{
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));

        ck_assert_int_ge(n, 0);
        buf_append(&request, chunk, (size_t)n);
        if (n > 0 && !strstr(buf_cstr(&request), "\r\n\r\n"))
                return 0;
        ck_assert_int_eq(write(fd, reply.data, reply.n), (ssize_t)reply.n);
        reading = sd_event_source_disable_unref(reading);
        close(fd);
        connection = -1;
        return 0;
}

static int on_connection(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                         _unused_ void *userdata)
{
        connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(connection, 0);
        if (reply.n == 0) /* one that never answers */
                return 0;
        ck_assert_int_ge(
                sd_event_add_io(loop_event(loop), &reading, connection, EPOLLIN, on_request, NULL),
                0);
        return 0;
}

static void serve(struct sock_address *a)
{
        int yes = 1;

        listener = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        ck_assert_int_eq(bind(listener, &a->sa, a->n), 0);
        ck_assert_int_eq(listen(listener, 8), 0);
        a->n = sizeof(a->storage);
        ck_assert_int_eq(getsockname(listener, &a->sa, &a->n), 0);
        ck_assert_int_ge(sd_event_add_io(loop_event(loop), &accepting, listener, EPOLLIN,
                                         on_connection, NULL),
                         0);
}

static void setup(void)
{
        struct sock_address a = {.in = {.sin_family = AF_INET}, .n = sizeof(a.in)};
        char address[SOCK_ADDRESS_MAX];

        one_probe_setup();
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        serve(&a);
        (void)snprintf(url, sizeof(url), "http://%s/ping?a=b", sock_address_format(address, &a));
}

static void teardown(void)
{
        reading = sd_event_source_disable_unref(reading);
        accepting = sd_event_source_disable_unref(accepting);
        closep(&listener);
        closep(&connection);
        listener = connection = -1;
        buf_done(&request);
        buf_done(&reply);
        one_probe_teardown();
}

static void will_answer(const char *head, const char *body)
{
        buf_printf(&reply, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(body),
                   body);
}

START_TEST(asks_over_tcp)
{
        will_answer("200 OK", "pong");
        ask("Kind", "http", "Url", url, NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(result.output, "pong");
        ck_assert_int_eq(strncmp(buf_cstr(&request), "GET /ping?a=b HTTP/1.1\r\n", 24), 0);
}
END_TEST

START_TEST(takes_a_redirect_for_an_answer)
{
        will_answer("302 Found\r\nLocation: http://127.0.0.1:1/", "");
        ask("Kind", "http", "Url", url, NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

START_TEST(shows_what_a_component_says_of_its_failure)
{
        will_answer("503 Service Unavailable", "no leader\ntoken: s3cr3tvalue\n");
        ask("Kind", "http", "Url", url, NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status 503, not 200-399");
        ck_assert_ptr_nonnull(strstr(result.output, "no leader\n"));
        ck_assert_ptr_null(strstr(result.output, "s3cr3tvalue"));
}
END_TEST

START_TEST(looks_for_a_field_of_json)
{
        will_answer("200 OK", "{\"leader\": {\"state\": \"elected\"}}");
        ask("Kind", "http", "Url", url, "JsonField", "/leader/state", "JsonValue", "elected", NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

/* More than may be read, and more than the server's one write takes: it must end there all the same. */
START_TEST(does_not_read_a_body_that_nobody_looks_at)
{
        char page[32u * PROBE_OUTPUT_MAX];

        memset(page, 'x', sizeof(page) - 1);
        page[sizeof(page) - 1] = '\0';
        will_answer("200 OK", page);
        ask("Kind", "http", "Url", url, NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_uint_eq(strlen(result.output), PROBE_OUTPUT_MAX);
}
END_TEST

START_TEST(reads_a_long_body_that_matters)
{
        char page[32u * PROBE_OUTPUT_MAX];

        memset(page, ' ', sizeof(page) - 1);
        (void)snprintf(page + sizeof(page) - 16, 16, "{\"ok\": true}");
        will_answer("200 OK", page);
        ask("Kind", "http", "Url", url, "JsonField", "/ok", NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

START_TEST(does_not_wait_longer_than_its_timeout)
{
        ask("Kind", "http", "Url", url, "Timeout", "200ms", NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "no answer within 0.2 s");
}
END_TEST

START_TEST(finds_nobody_there)
{
        accepting = sd_event_source_disable_unref(accepting);
        closep(&listener);
        listener = -1;
        ask("Kind", "http", "Url", url, NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "no answer: connection refused");
}
END_TEST

START_TEST(asks_at_a_unix_socket)
{
        char dir[] = "/tmp/test_probe_http.XXXXXX", path[64], address[80];
        struct sock_address a;

        accepting = sd_event_source_disable_unref(accepting);
        closep(&listener);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/s", dir);
        (void)snprintf(address, sizeof(address), "unix:%s", path);
        ck_assert_int_eq(parse_listen(address, &a), 0);
        serve(&a);
        will_answer("204 No Content", "");
        ask("Kind", "http", "Url", "http://localhost/", "Socket", path, "Status", "204", NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        (void)unlink(path);
        (void)rmdir(dir);
}
END_TEST

START_TEST(can_be_broken_off)
{
        begin_to_ask("Kind", "http", "Url", url, NULL);
        while (connection < 0)
                ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_SEC), 0);
        prober_skip(prober, 0, true);
        ck_assert_uint_eq(prober_n_results(prober), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("probe_http");
        TCase *tc = tcase_create("probe_http");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, reads_a_list_of_statuses, 0, ELEMENTSOF(statuses));
        tcase_add_test(tc, reads_only_so_many_statuses);
        tcase_add_loop_test(tc, judges, 0, ELEMENTSOF(judgements));
        tcase_add_test(tc, asks_over_tcp);
        tcase_add_test(tc, takes_a_redirect_for_an_answer);
        tcase_add_test(tc, shows_what_a_component_says_of_its_failure);
        tcase_add_test(tc, looks_for_a_field_of_json);
        tcase_add_test(tc, does_not_read_a_body_that_nobody_looks_at);
        tcase_add_test(tc, reads_a_long_body_that_matters);
        tcase_add_test(tc, does_not_wait_longer_than_its_timeout);
        tcase_add_test(tc, finds_nobody_there);
        tcase_add_test(tc, asks_at_a_unix_socket);
        tcase_add_test(tc, can_be_broken_off);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
