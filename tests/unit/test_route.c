/* It finds the handler of a request, and sends badly written paths to their clean form. */

#include "api/route.h"
#include "tests/unit/test_main.h"

#define V1 "/system/health/v1"
#define V2 "/system/health/v2"

static int handle(const struct request *q, struct reply *r)
{
        (void)q;
        return reply_empty(r, 204);
}

static const struct route first[] = {
        {"GET",    V1,                            handle},
        {"GET",    V1 "/units",                   handle},
        {"GET",    V1 "/units/{unit}",            handle},
        {"GET",    V1 "/units/{unit}/nodes/{ip}", handle},
        {"GET",    V1 "/diagnostics",             handle},
        {"PUT",    V1 "/diagnostics/{id}",        handle},
        {"DELETE", V1 "/diagnostics/{id}",        handle},
        {"GET",    V1 "/diagnostics/{id}",        handle},
        {NULL,     NULL,                          NULL  },
};

static const struct route second[] = {
        {"GET",  V2 "/node",   handle},
        {"POST", V2 "/rescan", handle},
        {"GET",  "/metrics",   handle},
        {NULL,   NULL,         NULL  },
};

static const struct route *const tables[] = {first, second, NULL};
static const struct route_alias aliases[] = {
        {V1 "/v2", V2  },
        {NULL,     NULL},
};
static const struct router router = {tables, aliases};

static const struct {
        const char *method, *target;
        enum route_result want;
        const char *text; /* the pattern found, the location, or what is allowed */
} cases[] = {
        {"GET",     V1,                              ROUTE_FOUND,      V1                           },
        {"GET",     V1 "?cache=0",                   ROUTE_FOUND,      V1                           },
        {"GET",     V1 "?",                          ROUTE_FOUND,      V1                           },
        {"HEAD",    V1,                              ROUTE_FOUND,      V1                           },
        {"GET",     "/system/%68ealth/v1",           ROUTE_FOUND,      V1                           },
        {"GET",     V1 "/units/a.service",           ROUTE_FOUND,      V1 "/units/{unit}"           },
        {"GET",     V1 "/units/a/nodes/10.0.0.1",    ROUTE_FOUND,      V1 "/units/{unit}/nodes/{ip}"},
        {"PUT",     V1 "/diagnostics/1",             ROUTE_FOUND,      V1 "/diagnostics/{id}"       },
        {"GET",     "/metrics",                      ROUTE_FOUND,      "/metrics"                   },
 /* aliases */
        {"GET",     V1 "/v2/node",                   ROUTE_FOUND,      V2 "/node"                   },
        {"GET",     V1 "/v2/node/",                  ROUTE_MOVED,      V1 "/v2/node"                },
        {"GET",     V1 "/v2node",                    ROUTE_NOT_FOUND,  ""                           },
        {"GET",     V1 "/v2",                        ROUTE_NOT_FOUND,  ""                           },
        {"DELETE",  V1 "/v2/rescan",                 ROUTE_NOT_METHOD, "POST"                       },
 /* a slash too many */
        {"GET",     V1 "/",                          ROUTE_MOVED,      V1                           },
        {"HEAD",    V1 "/",                          ROUTE_MOVED,      V1                           },
        {"GET",     V1 "/?cache=0&x",                ROUTE_MOVED,      V1 "?cache=0&x"              },
        {"GET",     V1 "/units/a%20b/",              ROUTE_MOVED,      V1 "/units/a%20b"            },
        {"POST",    V1 "/units/",                    ROUTE_NOT_METHOD, "GET, HEAD"                  },
        {"DELETE",  V1 "/diagnostics/",              ROUTE_NOT_METHOD, "GET, HEAD"                  },
        {"PUT",     V1 "/diagnostics/1/",            ROUTE_MOVED,      V1 "/diagnostics/1"          },
 /* methods */
        {"POST",    V1,                              ROUTE_NOT_METHOD, "GET, HEAD"                  },
        {"OPTIONS", V1 "/units",                     ROUTE_NOT_METHOD, "GET, HEAD"                  },
        {"get",     V1,                              ROUTE_NOT_METHOD, "GET, HEAD"                  },
        {"POST",    V1 "/diagnostics/1",             ROUTE_NOT_METHOD, "PUT, DELETE, GET, HEAD"     },
        {"HEAD",    V2 "/rescan",                    ROUTE_NOT_METHOD, "POST"                       },
 /* unknown */
        {"GET",     "/",                             ROUTE_NOT_FOUND,  ""                           },
        {"POST",    "/nothing",                      ROUTE_NOT_FOUND,  ""                           },
        {"GET",     V1 "x",                          ROUTE_NOT_FOUND,  ""                           },
        {"GET",     V1 "/units/a/b",                 ROUTE_NOT_FOUND,  ""                           },
        {"GET",     "/system/health",                ROUTE_NOT_FOUND,  ""                           },
        {"GET",     "/system/health/",               ROUTE_NOT_FOUND,  ""                           },
 /* not clean */
        {"GET",     "//system/health/v1",            ROUTE_MOVED,      V1                           },
        {"GET",     "/system//health/v1/",           ROUTE_MOVED,      V1 "/"                       },
        {"GET",     "/system/./health/v1?a=b",       ROUTE_MOVED,      V1 "?a=b"                    },
        {"GET",     "/system/x/../health/v1",        ROUTE_MOVED,      V1                           },
        {"GET",     "/system/x/%2e%2e/health/v1",    ROUTE_MOVED,      V1                           },
        {"GET",     "/system/x/..%2fhealth/v1",      ROUTE_MOVED,      V1                           },
        {"GET",     "/system/%2E/health/v1",         ROUTE_MOVED,      V1                           },
        {"POST",    "/nothing/.",                    ROUTE_MOVED,      "/nothing"                   },
        {"GET",     "/..",                           ROUTE_MOVED,      "/"                          },
        {"GET",     "/a/../../..//",                 ROUTE_MOVED,      "/"                          },
        {"GET",     "/...",                          ROUTE_NOT_FOUND,  ""                           },
 /* no open redirect */
        {"GET",     "//evil.example/",               ROUTE_MOVED,      "/evil.example/"             },
        {"GET",     "//evil.example/..",             ROUTE_MOVED,      "/"                          },
        {"GET",     "/%2fevil.example",              ROUTE_MOVED,      "/evil.example"              },
        {"GET",     "/.//evil.example",              ROUTE_MOVED,      "/evil.example"              },
        {"GET",     "/x/..//%5cevil.example",        ROUTE_MOVED,      "/%5Cevil.example"           },
        {"GET",     "//a%0d%0aSet-Cookie:x",         ROUTE_MOVED,      "/a%0D%0ASet-Cookie:x"       },
        {"GET",     "//a%3fb?c",                     ROUTE_MOVED,      "/a%3Fb?c"                   },
        {"GET",     "//a%25b%c3%a9%22",              ROUTE_MOVED,      "/a%25b%C3%A9%22"            },
        {"GET",     V1 "/units/%41/?next=http://e/", ROUTE_MOVED,      V1 "/units/A?next=http://e/" },
 /* not a path */
        {"GET",     "",                              ROUTE_BAD,        ""                           },
        {"GET",     "*",                             ROUTE_BAD,        ""                           },
        {"GET",     "http://a" V1,                   ROUTE_BAD,        ""                           },
        {"GET",     V1 "#top",                       ROUTE_BAD,        ""                           },
        {"GET",     V1 "?a b",                       ROUTE_BAD,        ""                           },
        {"GET",     V1 "?a\rb",                      ROUTE_BAD,        ""                           },
        {"GET",     V1 "?\xc3\xa9",                  ROUTE_BAD,        ""                           },
        {"GET",     V1 "/\x7f",                      ROUTE_BAD,        ""                           },
        {"GET",     V1 "/units/%00",                 ROUTE_BAD,        ""                           },
        {"GET",     V1 "/units/%",                   ROUTE_BAD,        ""                           },
        {"GET",     V1 "/units/%4",                  ROUTE_BAD,        ""                           },
        {"GET",     V1 "/units/%4g",                 ROUTE_BAD,        ""                           },
        {"GET",     V1 "/units/%-1",                 ROUTE_BAD,        ""                           },
 /* an escape in the query is the handler's */
        {"GET",     V1 "?a=%zz",                     ROUTE_FOUND,      V1                           },
};

static const char *text_of(const struct route_match *m, enum route_result result)
{
        switch (result) {
        case ROUTE_FOUND:
                return m->route->pattern;
        case ROUTE_MOVED:
                return m->location;
        case ROUTE_NOT_METHOD:
                return m->allow;
        default:
                return "";
        }
}

START_TEST(resolves)
{
        struct route_match m;
        enum route_result result = route_resolve(&router, cases[_i].method, cases[_i].target, &m);

        ck_assert_msg(result == cases[_i].want, "%s %s: %d", cases[_i].method, cases[_i].target,
                      (int)result);
        ck_assert_str_eq(text_of(&m, result), cases[_i].text);
}
END_TEST

static const struct {
        const char *target, *unit, *ip, *query;
} args[] = {
        {V1 "/units/a.service/nodes/10.0.0.1",   "a.service",  "10.0.0.1", ""   },
        {V1 "/units/a%20%26b/nodes/%3F?x=1",     "a &b",       "?",        "x=1"},
        {V1 "/units/..a/nodes/....",             "..a",        "....",     ""   },
        {V1 "/units/%c3%a9%0a/nodes/%25%32%66?", "\xc3\xa9\n", "%2f",      ""   },
};

START_TEST(captures)
{
        struct request q = {};
        struct route_match m;

        ck_assert_int_eq(route_resolve(&router, "GET", args[_i].target, &m), ROUTE_FOUND);
        q.n_args = m.n_args;
        memcpy(q.args, m.args, sizeof(q.args));
        ck_assert_str_eq(request_arg(&q, "unit"), args[_i].unit);
        ck_assert_str_eq(request_arg(&q, "ip"), args[_i].ip);
        ck_assert_ptr_null(request_arg(&q, "node"));
        ck_assert_str_eq(m.query, args[_i].query);
}
END_TEST

START_TEST(resolves_an_alias_in_the_path)
{
        struct route_match m;

        ck_assert_int_eq(route_resolve(&router, "GET", V1 "/v2/node?a", &m), ROUTE_FOUND);
        ck_assert_str_eq(m.path, V2 "/node");
}
END_TEST

START_TEST(tells_a_slash_from_an_unclean_path)
{
        struct route_match m;

        ck_assert_int_eq(route_resolve(&router, "GET", V1 "/", &m), ROUTE_MOVED);
        ck_assert_ptr_nonnull(m.route);
        ck_assert_int_eq(route_resolve(&router, "GET", "/" V1, &m), ROUTE_MOVED);
        ck_assert_ptr_null(m.route);
}
END_TEST

/* Each byte of a path may need three in a location, and an alias may mean a longer path. */
START_TEST(survives_the_longest_targets)
{
        static const char fill[] = {'/', 'a', '"', '\\', '.'};
        static const char *const heads[] = {"/", "//", V1 "/units/", V1 "/v2/", "/short"};
        static const struct route_alias long_alias[] = {
                {"/short", "/much/much/longer/than/that"},
                {NULL,     NULL                         },
        };
        static const struct router longer = {tables, long_alias};
        char target[ROUTE_PATH_MAX];
        struct route_match m;

        for (size_t f = 0; f < ELEMENTSOF(fill); f++)
                for (size_t h = 0; h < ELEMENTSOF(heads); h++) {
                        memset(target, fill[f], sizeof(target));
                        memcpy(target, heads[h], strlen(heads[h]));
                        target[sizeof(target) - 1] = '\0';
                        if (route_resolve(&longer, "GET", target, &m) == ROUTE_MOVED)
                                ck_assert_int_ne(m.location[1], '/');
                        ck_assert_uint_lt(strnlen(m.path, sizeof(m.path)), sizeof(m.path));
                }
}
END_TEST

START_TEST(captures_the_longest_name)
{
        static const char head[] = V1 "/units/";
        char target[ROUTE_PATH_MAX];
        struct route_match m;

        memset(target, 'a', sizeof(target));
        memcpy(target, head, sizeof(head) - 1);
        target[sizeof(target) - 1] = '\0';
        ck_assert_int_eq(route_resolve(&router, "GET", target, &m), ROUTE_FOUND);
        ck_assert_str_eq(m.args[0].value, target + sizeof(head) - 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("route");
        TCase *tc = tcase_create("route");

        tcase_add_loop_test(tc, resolves, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, captures, 0, ELEMENTSOF(args));
        tcase_add_test(tc, resolves_an_alias_in_the_path);
        tcase_add_test(tc, tells_a_slash_from_an_unclean_path);
        tcase_add_test(tc, survives_the_longest_targets);
        tcase_add_test(tc, captures_the_longest_name);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
