/* Pages: every row once, in order, whatever comes and goes in between. */

#include <jansson.h>
#include <stdio.h>

#include "api/listing.h"
#include "tests/unit/test_main.h"

/* clang-format off */
static const struct {
        const char *query, *wrong; /* the key that is */
} queries[] = {
        {"", NULL}, {"role=master&health=unhealthy&reach=late&code=exit-code", NULL},
        {"component=a.service&q=10.0&sort=address&limit=1", NULL}, {"sort=name", NULL}, {"sort=health", NULL},
        {"limit=10000", NULL}, {"unheard-of=1", NULL}, {"after=0.a", NULL}, {"after=2.10.0.0.1", NULL},
        {"sort=address&after=.a", NULL}, {"after=1.a%26b", NULL}, {"reach=never", NULL}, {"health=unknown", NULL},
        {"role=boss", "role"}, {"role=", "role"}, {"health=2", "health"}, {"health", "health"},
        {"reach=far", "reach"}, {"code=none", "code"}, {"code=", "code"}, {"component=", "component"},
        {"q=", "q"}, {"sort=size", "sort"}, {"limit=0", "limit"}, {"limit=10001", "limit"}, {"limit=-1", "limit"},
        {"limit=x", "limit"}, {"limit=", "limit"},
        {"after=", "after"}, {"after=3.a", "after"}, {"after=a", "after"}, {"after=0", "after"}, {"after=0.", "after"},
        {"after=.a", "after"}, {"sort=address&after=0.a", "after"}, {"sort=name&after=.", "after"},
        {"after=%00", "after"},
};
/* clang-format on */

static const char *read_query(struct listing_query *ret, const char *query)
{
        const struct request q = {.query = query};

        return listing_query_read(ret, &q);
}

START_TEST(reads)
{
        struct listing_query got;
        const char *wrong = read_query(&got, queries[_i].query);

        ck_assert_msg(streq(str_or(wrong, ""), str_or(queries[_i].wrong, "")), "%s: %s",
                      queries[_i].query, wrong);
}
END_TEST

START_TEST(reads_values)
{
        struct listing_query got;

        ck_assert_ptr_null(read_query(&got, ""));
        ck_assert_uint_eq(got.limit, LISTING_LIMIT_DEFAULT);
        ck_assert(!got.has_role && !got.has_health && !got.has_after && !got.by_key);
        ck_assert_ptr_null(read_query(&got,
                                      "role=agent_public&health=unhealthy&reach=rebooting&"
                                      "code=oom-kill&component=a%40b&q=x+y&limit=7&after=1.b%2Ec"));
        ck_assert_int_eq(got.role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_int_eq(got.health, DIAG_UNHEALTHY);
        ck_assert_int_eq(got.reach, DIAG_REACH_REBOOTING);
        ck_assert_int_eq(got.code, DIAG_CODE_OOM_KILL);
        ck_assert_str_eq(got.component, "a@b");
        ck_assert_str_eq(got.q, "x y");
        ck_assert_uint_eq(got.limit, 7);
        ck_assert_uint_eq(got.after_rank, 1);
        ck_assert_str_eq(got.after_key, "b.c");
}
END_TEST

START_TEST(refuses_what_is_too_long)
{
        char text[LISTING_TOKEN_MAX + 32] = "q=";
        struct listing_query got;

        memset(text + 2, 'a', LISTING_WORD_MAX);
        ck_assert_str_eq(read_query(&got, text), "q");
        text[2 + LISTING_WORD_MAX - 1] = '\0';
        ck_assert_ptr_null(read_query(&got, text));
        memset(text, 'a', LISTING_TOKEN_MAX + 16);
        memcpy(text, "after=0.", 8);
        ck_assert_str_eq(read_query(&got, text), "after");
}
END_TEST

START_TEST(says_what_is_wrong)
{
        static const struct {
                const char *key, *want;
        } cases[] = {
                {"limit", "\"reason\":\"bad-limit\"" },
                {"after", "\"reason\":\"bad-token\"" },
                {"role",  "\"reason\":\"bad-filter\""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(reply_done) struct reply r = {0};

                ck_assert_int_eq(listing_refuse(&r, cases[i].key), 0);
                ck_assert_uint_eq(r.status, 400);
                ck_assert_ptr_nonnull(strstr(blob_data(r.body), cases[i].want));
        }
}
END_TEST

/* --- pages ------------------------------------------------------------------------------------- */

struct row {
        const char *key;
        enum diag_health health;
        bool out;
};
static const struct row rows[] = {
        {"a", DIAG_HEALTHY  },
        {"b", DIAG_UNHEALTHY},
        {"c", DIAG_UNKNOWN  },
        {"d", DIAG_UNHEALTHY},
        {"e", DIAG_HEALTHY,   true},
        {"f",   DIAG_UNKNOWN              },
        {"g",   DIAG_HEALTHY},
};

static const char *key(const void *data, size_t i)
{
        return ((const struct row *)data)[i].key;
}

static uint8_t rank(const void *data, size_t i)
{
        const struct row *r = data;

        return r[i].out ? LISTING_LEFT_OUT : (uint8_t)listing_rank(r[i].health);
}

static void write_key(const void *data, struct json_writer *w, size_t i)
{
        jw_string(w, key(data, i));
}

static void page(struct buf *out, const struct row *of, size_t n, const char *query)
{
        const struct listing l = {n, key, rank, write_key, of};
        struct json_writer w = {.out = out};
        struct listing_query q;

        ck_assert_ptr_null(read_query(&q, query));
        buf_clear(out);
        jw_begin_object(&w);
        listing_write(&w, &l, &q);
        jw_end_object(&w);
        ck_assert_int_eq(out->error, 0);
}

START_TEST(writes_pages)
{
        static const struct {
                const char *query, *want;
        } pages[] = {
                {"",                           "{\"items\":[\"b\",\"d\",\"c\",\"f\",\"a\",\"g\"],"
                     "\"total\":6,\"next\":null}"                                  },
                {"sort=name",                  "{\"items\":[\"a\",\"b\",\"c\",\"d\",\"f\",\"g\"],"
                              "\"total\":6,\"next\":null}"                },
                {"limit=3",                    "{\"items\":[\"b\",\"d\",\"c\"],\"total\":6,"
                            "\"next\":\"1.c\"}"                             },
                {"limit=3&after=1.c",          "{\"items\":[\"f\",\"a\",\"g\"],\"total\":6,"
                                      "\"next\":null}"            },
                {"limit=2&after=0.d",          "{\"items\":[\"c\",\"f\"],\"total\":6,\"next\":\"1.f\"}"},
                {"limit=1&sort=name&after=.c", "{\"items\":[\"d\"],\"total\":6,\"next\":\".d\"}"       },
                {"after=2.g",                  "{\"items\":[],\"total\":6,\"next\":null}"              },
 /* The row that the token names is gone. */
                {"after=1.d",                  "{\"items\":[\"f\",\"a\",\"g\"],\"total\":6,"
                              "\"next\":null}"                            },
        };
        _cleanup_(buf_done) struct buf out = {0};

        for (size_t i = 0; i < ELEMENTSOF(pages); i++) {
                page(&out, rows, ELEMENTSOF(rows), pages[i].query);
                ck_assert_str_eq(buf_cstr(&out), pages[i].want);
        }
        page(&out, NULL, 0, "");
        ck_assert_str_eq(buf_cstr(&out), "{\"items\":[],\"total\":0,\"next\":null}");
}
END_TEST

/* Whatever a key is made of, its token comes back as it was. */
START_TEST(tokens_come_back)
{
        static const struct row odd[] = {
                {"a&b=c",    DIAG_UNHEALTHY},
                {"a.b",      DIAG_UNHEALTHY},
                {"b c%",     DIAG_UNHEALTHY},
                {"\xc3\xa4", DIAG_UNHEALTHY},
        };
        _cleanup_(buf_done) struct buf out = {0};
        char query[256] = "limit=1", encoded[128];
        size_t n = 0;

        for (;;) {
                json_t *o;
                const char *next;

                page(&out, odd, ELEMENTSOF(odd), query);
                o = json_loads(buf_cstr(&out), 0, NULL);
                ck_assert_ptr_nonnull(o);
                ck_assert_str_eq(json_string_value(json_array_get(json_object_get(o, "items"), 0)),
                                 odd[n++].key);
                next = json_string_value(json_object_get(o, "next"));
                encoded[0] = '\0';
                for (const char *s = str_or(next, ""); *s; s++)
                        (void)snprintf(encoded + strlen(encoded), sizeof(encoded) - strlen(encoded),
                                       "%%%02x", (unsigned char)*s);
                (void)snprintf(query, sizeof(query), "limit=1&after=%s", encoded);
                json_decref(o);
                if (!*encoded)
                        break;
        }
        ck_assert_uint_eq(n, ELEMENTSOF(odd));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("listing");
        TCase *tc = tcase_create("listing");

        tcase_add_loop_test(tc, reads, 0, ELEMENTSOF(queries));
        tcase_add_test(tc, reads_values);
        tcase_add_test(tc, refuses_what_is_too_long);
        tcase_add_test(tc, says_what_is_wrong);
        tcase_add_test(tc, writes_pages);
        tcase_add_test(tc, tokens_come_back);
        suite_add_tcase(s, tc);
        return test_main(s);
}
