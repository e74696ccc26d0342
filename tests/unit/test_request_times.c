/* It counts by route and class of status, and writes histograms that add up. */

#include "api/request_times.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define MS USEC_PER_MSEC

static const struct route routes[] = {
        {"GET", "/a/{x}", NULL, AUTHORITY_HEALTH},
        {"PUT", "/a/{x}", NULL, AUTHORITY_HEALTH},
};

static struct request_times times;

static char *text(void)
{
        static struct buf out;

        buf_done(&out);
        out = (struct buf){0};
        request_times_write(&out, &times);
        ck_assert_int_eq(out.error, 0);
        return out.data;
}

#define NAME  "api_request_serve_time_seconds"
#define GET_A "{method=\"GET\",path=\"/a/{x}\",status=\"2xx\""

START_TEST(counts)
{
        static const struct {
                const char *line;
                bool there;
        } lines[] = {
                {"\n" NAME "_bucket" GET_A ",le=\"0.005\"} 2\n",              true },
                {"\n" NAME "_bucket" GET_A ",le=\"0.01\"} 3\n",               true },
                {"\n" NAME "_bucket" GET_A ",le=\"0.025\"} 3\n",              true },
                {"\n" NAME "_bucket" GET_A ",le=\"0.05\"} 3\n",               true },
                {"\n" NAME "_bucket" GET_A ",le=\"0.1\"} 3\n",                true },
                {"\n" NAME "_bucket" GET_A ",le=\"2.5\"} 3\n",                true },
                {"\n" NAME "_bucket" GET_A ",le=\"10\"} 3\n",                 true },
                {"\n" NAME "_bucket" GET_A ",le=\"+Inf\"} 4\n",               true },
                {"\n" NAME "_sum" GET_A "} 11.010001\n",                      true },
                {"\n" NAME "_count" GET_A "} 4\n",                            true },
                {"_count{method=\"PUT\",path=\"/a/{x}\",status=\"5xx\"} 1\n", true },
                {"method=\"PUT\",path=\"/a/{x}\",status=\"2xx\"",             false},
                {"3xx",                                                       false},
        };

        request_times_count(&times, &routes[0], 200, 0);
        request_times_count(&times, &routes[0], 204, 5 * MS);
        request_times_count(&times, &routes[0], 200, 5 * MS + 1);
        request_times_count(&times, &routes[0], 200, 11000 * MS);
        request_times_count(&times, &routes[1], 503, 1);
        request_times_count(&times, NULL, 404, 1);
        request_times_count(&times, &routes[0], 0, 1);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                ck_assert_msg(!!strstr(text(), lines[i].line) == lines[i].there, "%s in %s",
                              lines[i].line, text());
}
END_TEST

START_TEST(is_bounded)
{
        static struct route many[REQUEST_TIMES_ROUTES_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                many[i] = (struct route){"GET", i < REQUEST_TIMES_ROUTES_MAX ? "/x" : "/over", NULL,
                                         AUTHORITY_HEALTH};
                request_times_count(&times, &many[i], 200, 1);
        }
        ck_assert_ptr_null(strstr(text(), "/over"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("request_times");
        TCase *tc = tcase_create("request_times");

        tcase_add_test(tc, counts);
        tcase_add_test(tc, is_bounded);
        suite_add_tcase(s, tc);
        return test_main(s);
}
