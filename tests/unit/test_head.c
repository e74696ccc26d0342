/* It judges heads: what cannot be believed, whose page asks, and what a body is said to be. */

#include "api/head.h"
#include "tests/unit/test_main.h"

#define FIELDS_MAX 4

struct field {
        const char *name, *value;
};

static struct head head_of(const char *version, const struct field *fields)
{
        struct head h;

        head_init(&h, version);
        for (size_t i = 0; i < FIELDS_MAX && fields[i].name; i++)
                head_add(&h, fields[i].name, strlen(fields[i].name), fields[i].value,
                         strlen(fields[i].value));
        return h;
}

#define HOST                \
        {                   \
                "Host", "a" \
        }

static const struct {
        const char *version;
        struct field fields[FIELDS_MAX];
        unsigned status; /* 0: nothing wrong */
} heads[] = {
        {"HTTP/1.1", {HOST},                                                               0  },
        {"HTTP/1.0", {{NULL, NULL}},                                                       0  },
        {"HTTP/1.1", {{NULL, NULL}},                                                       400},
        {"HTTP/1.1", {HOST, HOST},                                                         400},
        {"HTTP/1.1", {HOST, {"hOsT", "a"}},                                                400},
        {"HTTP/1.1", {{"Host", "a b"}},                                                    400},
        {"HTTP/1.1", {{"Host", "a/b"}},                                                    400},
        {"HTTP/1.1", {{"Host", "a\\b"}},                                                   400},
        {"HTTP/1.1", {{"Host", "a?b"}},                                                    400},
        {"HTTP/1.1", {{"Host", "u@a"}},                                                    400},
        {"HTTP/1.1", {HOST, {"Content-Length", "5"}},                                      0  },
        {"HTTP/1.1", {HOST, {"Content-Length", "65536"}},                                  0  },
        {"HTTP/1.1", {HOST, {"Content-Length", "65537"}},                                  413},
        {"HTTP/1.1", {HOST, {"Content-Length", "99999999999999999999999999"}},             413},
        {"HTTP/1.1", {HOST, {"Content-Length", "5"}, {"content-length", "5"}},             400},
        {"HTTP/1.1", {HOST, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},    400},
        {"HTTP/1.1", {HOST, {"Transfer-Encoding", "chunked"}},                             0  },
        {"HTTP/1.1", {HOST, {"Transfer-Encoding", "gzip, chunked"}},                       501},
        {"HTTP/1.1", {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "x"}}, 400},
        {"HTTP/1.0", {HOST, {"Transfer-Encoding", "chunked"}},                             400},
        {"HTTP/1.1", {HOST, {"Content-Length ", "5"}},                                     400},
        {"HTTP/1.1", {HOST, {"", "5"}},                                                    400},
        {"HTTP/1.1", {HOST, {"X", "a\rb"}},                                                400},
        {"HTTP/1.1", {HOST, {"X", "a\x7f"}},                                               400},
        {"HTTP/1.1", {HOST, {"X", "a\tb \x80"}},                                           0  },
};

START_TEST(judges)
{
        struct head h = head_of(heads[_i].version, heads[_i].fields);
        const struct head_fault *fault = head_judge(&h);

        ck_assert_msg((fault ? fault->status : 0) == heads[_i].status, "%s",
                      fault ? fault->text : "-");
}
END_TEST

/*
 * Heads as the library leaves them: what it split at is NUL. The target is "/", the fields are H, whose
 * value is h, and X and Y, perhaps, with x and y; what else is in there, it did not tell of.
 */
#define LINE "GET\0/\0HTTP/1.1\0\0"
#define H    "H\0 h\0\0"
#define LAST "\0\0"

/* Without the NUL that C adds. */
#define BYTES(b)                 \
        {                        \
                sizeof(b) - 1, b \
        }

static const struct {
        struct {
                size_t n;
                char text[48];
        } bytes;
        bool whole;
} layouts[] = {
        {BYTES(LINE LAST),                          true },
        {BYTES(LINE H LAST),                        true },
        {BYTES(LINE H "X\0x\0\0" LAST),             true },
        {BYTES(LINE H "X\0 \t x\0\0Y\0y\0\0" LAST), true },
        {BYTES("GET\0/\0HTTP/1.1\0" H LAST),        false}, /* LF */
        {BYTES(LINE "H\0 h\0" LAST),                false},
        {BYTES(LINE "H\0 h\0X\0x\0\0" LAST),        false},
        {BYTES(LINE H "\0"),                        false},
        {BYTES("GET\0 /\0HTTP/1.1\0\0" H LAST),     false}, /* blanks */
        {BYTES("GET\0/\0\0HTTP/1.1\0\0" H LAST),    false}, /* NUL */
        {BYTES("GET\0/\0a\0HTTP/1.1\0\0" H LAST),   false},
        {BYTES("GET\0a\0/\0HTTP/1.1\0\0" H LAST),   false},
        {BYTES(LINE "H\0 h\0.b\0\0" LAST),          false},
        {BYTES(LINE "H\0 h\0.b\0\0X\0x\0\0" LAST),  false},
        {BYTES(LINE "H\0\0h\0\0" LAST),             false},
        {BYTES(LINE "H\0- h\0\0" LAST),             false},
        {BYTES(LINE H " \0\0" LAST),                false}, /* folded */
        {BYTES(LINE H " -z\0\0X\0x\0\0" LAST),      false},
        {BYTES(LINE H " \0\0"),                     false},
        {BYTES(LINE H "\0 z\0\0"),                  false}, /* no name */
        {BYTES(LINE H "\0\0\0"),                    false},
        {BYTES(LINE H "\0\0\0\0"),                  false},
        {BYTES(LINE),                               false}, /* cut */
        {BYTES(""),                                 false},
};

static struct head located(const char *bytes, size_t n)
{
        const char *target = memchr(bytes, '/', n), *version = memmem(bytes, n, "HTTP", 4);
        struct head_line line = {bytes, str_or(target, ""), str_or(version, ""), 1};
        struct head h;

        head_init(&h, "HTTP/1.0");
        head_locate(&h, &line, n);
        return h;
}

START_TEST(accounts_for_every_byte)
{
        static const char *const fields[][2] = {
                {"H", "h"},
                {"X", "x"},
                {"Y", "y"}
        };
        const char *bytes = layouts[_i].bytes.text, *end = bytes + layouts[_i].bytes.n;
        const char *rest = memmem(bytes, layouts[_i].bytes.n, "1.", 2);
        struct head h = located(bytes, layouts[_i].bytes.n);

        for (size_t i = 0; rest && i < ELEMENTSOF(fields); i++) {
                const char *name = memchr(rest, *fields[i][0], (size_t)(end - rest));
                const char *value = memchr(rest, *fields[i][1], (size_t)(end - rest));

                if (name)
                        head_add(&h, name, strlen(name), value, strlen(value));
        }
        ck_assert(!head_judge(&h) == layouts[_i].whole);
}
END_TEST

/* Folding makes a longer name elsewhere; or in place, if it was the last thing in the library's memory. */
START_TEST(misses_a_name_that_was_moved)
{
        static const char bytes[] = LINE "Content\0 5\0\0 -Length\0\0" LAST;
        static const char over[] = LINE "Content-Length\0\0" LAST;
        static const char name[] = "Content-Length";
        const char *lying = over + sizeof(LINE) - 1;
        struct head h = located(bytes, sizeof(bytes) - 1);

        head_add(&h, name, strlen(name), bytes + sizeof(LINE) - 1 + strlen("Content: "), 1);
        ck_assert_uint_eq(head_judge(&h)->status, 400);
        h = located(over, sizeof(over) - 1);
        head_add(&h, lying, strlen(lying), lying + 8, strlen(lying + 8));
        ck_assert_uint_eq(head_judge(&h)->status, 400);
}
END_TEST

START_TEST(refuses_a_host_that_is_too_long)
{
        char host[HEAD_VALUE_MAX + 1];
        struct field fields[FIELDS_MAX] = {
                {"Host", host}
        };
        struct head h;

        memset(host, 'a', HEAD_VALUE_MAX);
        host[HEAD_VALUE_MAX] = '\0';
        h = head_of("HTTP/1.1", fields);
        ck_assert_uint_eq(head_judge(&h)->status, 400);
        host[HEAD_VALUE_MAX - 1] = '\0';
        h = head_of("HTTP/1.1", fields);
        ck_assert_ptr_null(head_judge(&h));
        ck_assert_str_eq(head_value(&h.host), host);
}
END_TEST

static const struct {
        const char *origin, *host;
        bool foreign;
} origins[] = {
        {NULL,                   "a",          false},
        {NULL,                   NULL,         false},
        {"http://a",             "a",          false},
        {"HTTP://A",             "a",          false},
        {"http://a:80",          "a",          false},
        {"http://a",             "a:80",       false},
        {"https://a",            "a:443",      false},
        {"https://a:443",        "a",          false},
        {"http://a:1050",        "a:1050",     false},
        {"http://[::1]:1050",    "[::1]:1050", false},
        {"http://[::1]",         "[::1]:80",   false},
        {"http://a",             NULL,         true },
        {"",                     "a",          true },
        {"null",                 "a",          true },
        {"null",                 "null",       true },
        {"a",                    "a",          true },
        {"http://",              "",           true },
        {"http://b",             "a",          true },
        {"http://a.b",           "a",          true },
        {"http://a",             "a.b",        true },
        {"http://a:81",          "a",          true },
        {"http://a",             "a:81",       true },
        {"http://a:1050",        "a:1051",     true },
        {"https://a",            "a:80",       true },
        {"http://a/",            "a",          true },
        {"http://a:",            "a:x",        true },
        {"file://a",             "a",          true },
        {"chrome-extension://a", "a",          true },
        {"http://[::1]80",       "[::1]:80",   true },
        {"http://[::1",          "[::1]",      true },
};

START_TEST(tells_whose_page_asks)
{
        struct field fields[FIELDS_MAX] = {};
        struct head h;
        size_t n = 0;

        if (origins[_i].origin)
                fields[n++] = (struct field){"Origin", origins[_i].origin};
        if (origins[_i].host)
                fields[n++] = (struct field){"Host", origins[_i].host};
        h = head_of("HTTP/1.1", fields);
        ck_assert_msg(head_origin_is_foreign(&h) == origins[_i].foreign, "%s to %s",
                      str_or(origins[_i].origin, "-"), str_or(origins[_i].host, "-"));
}
END_TEST

START_TEST(believes_no_two_origins)
{
        const struct field fields[FIELDS_MAX] = {
                HOST, {"Origin", "http://a"},
                 {"Origin", "http://a"}
        };
        struct head h = head_of("HTTP/1.1", fields);

        ck_assert(head_origin_is_foreign(&h));
}
END_TEST

static const struct {
        const char *type;
        bool json;
} types[] = {
        {"application/json",                  true },
        {"Application/JSON",                  true },
        {"application/json; charset=utf-8",   true },
        {"application/json;charset=utf-8",    true },
        {"application/json ; x",              true },
        {NULL,                                false},
        {"",                                  false},
        {"text/plain",                        false},
        {"application/jsonp",                 false},
        {"application/json, text/plain",      false},
        {"text/plain; application/json",      false},
        {"application/x-www-form-urlencoded", false},
};

START_TEST(knows_json)
{
        const struct field fields[FIELDS_MAX] = {
                {types[_i].type ? "Content-Type" : NULL, types[_i].type}
        };
        struct head h = head_of("HTTP/1.1", fields);

        ck_assert_msg(head_body_is_json(&h) == types[_i].json, "%s", str_or(types[_i].type, "-"));
}
END_TEST

START_TEST(knows_whether_there_is_a_body)
{
        static const struct {
                struct field field;
                bool body;
        } cases[] = {
                {{NULL, NULL},                     false},
                {{"Content-Length", "0"},          false},
                {{"Content-Length", "1"},          true },
                {{"Transfer-Encoding", "chunked"}, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct field fields[FIELDS_MAX] = {cases[i].field};
                struct head h = head_of("HTTP/1.1", fields);

                ck_assert(head_has_body(&h) == cases[i].body);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("head");
        TCase *tc = tcase_create("head");

        tcase_add_loop_test(tc, judges, 0, ELEMENTSOF(heads));
        tcase_add_loop_test(tc, accounts_for_every_byte, 0, ELEMENTSOF(layouts));
        tcase_add_test(tc, misses_a_name_that_was_moved);
        tcase_add_test(tc, refuses_a_host_that_is_too_long);
        tcase_add_loop_test(tc, tells_whose_page_asks, 0, ELEMENTSOF(origins));
        tcase_add_test(tc, believes_no_two_origins);
        tcase_add_loop_test(tc, knows_json, 0, ELEMENTSOF(types));
        tcase_add_test(tc, knows_whether_there_is_a_body);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
