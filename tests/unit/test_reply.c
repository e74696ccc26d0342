/* It makes answers, and reads the query of a request. */

#include <errno.h>

#include "api/reply.h"
#include "api/request.h"
#include "tests/unit/test_main.h"

static const char *header(const struct reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (streq(r->headers[i].name, name))
                        return r->headers[i].value;
        return NULL;
}

START_TEST(answers_with_text)
{
        _cleanup_(reply_done) struct reply r = {};

        ck_assert_int_eq(reply_text(&r, 404, "%s not found", "a.service"), 0);
        ck_assert_uint_eq(r.status, 404);
        ck_assert_str_eq(r.content_type, "text/plain; charset=utf-8");
        ck_assert_str_eq(header(&r, "X-Content-Type-Options"), "nosniff");
        ck_assert_str_eq(blob_data(r.body), "a.service not found\n");
}
END_TEST

START_TEST(cuts_long_text)
{
        _cleanup_(reply_done) struct reply r = {};

        ck_assert_int_eq(reply_text(&r, 400, "%5000d", 1), 0);
        ck_assert_uint_eq(blob_size(r.body), 1024);
        ck_assert_int_eq(blob_data(r.body)[1023], '\n');
}
END_TEST

START_TEST(answers_with_json)
{
        _cleanup_(reply_done) struct reply ok = {}, bad = {};
        _cleanup_(buf_done) struct buf b = {};

        buf_puts(&b, "{}\n");
        ck_assert_int_eq(reply_json(&ok, 200, &b), 0);
        ck_assert_str_eq(ok.content_type, "application/json");
        ck_assert_str_eq(header(&ok, "Cache-Control"), "no-cache");
        ck_assert_ptr_null(header(&ok, "X-Content-Type-Options"));
        ck_assert_str_eq(blob_data(ok.body), "{}\n");

        ck_assert_int_eq(reply_error(&bad, 404, "no-such-node", "no node \"%s\"", "<x>"), 0);
        ck_assert_uint_eq(bad.status, 404);
        ck_assert_ptr_null(header(&bad, "Cache-Control"));
        ck_assert_str_eq(blob_data(bad.body),
                         "{\"code\":404,\"error\":\"no node \\\"\\u003cx\\u003e\\\"\","
                         "\"reason\":\"no-such-node\"}");
}
END_TEST

static struct blob *make_blob(const char *s)
{
        _cleanup_(buf_done) struct buf b = {};

        buf_puts(&b, s);
        return blob_new_take(&b);
}

/* What others have, too, is not counted for the reply, until it is the last that has it. */
START_TEST(answers_with_two_blobs)
{
        _cleanup_(reply_done) struct reply r = {};
        struct blob *head = make_blob("{\"a\":1,");

        ck_assert_int_eq(reply_blobs(&r, 200, "application/json", blob_ref(head), make_blob("}")),
                         0);
        ck_assert_ptr_eq(r.body, head);
        ck_assert_str_eq(header(&r, "Cache-Control"), "no-cache");
        ck_assert_uint_eq(reply_size(&r), 8);
        ck_assert_uint_eq(reply_own_size(&r), 1);
        blob_unref(head);
        ck_assert_uint_eq(reply_own_size(&r), 8);
        reply_done(&r);
        ck_assert_uint_eq(reply_size(&r), 0);
        ck_assert_uint_eq(reply_own_size(&r), 0);
        ck_assert_int_eq(reply_blobs(&r, 200, "a/b", make_blob("x"), NULL), -ENOMEM);
        ck_assert_int_eq(reply_blobs(&r, 200, "a/b", NULL, make_blob("x")), -ENOMEM);
        ck_assert_uint_eq(r.status, 0);
}
END_TEST

/* A rope of its own counts for what it has beside its blobs. */
START_TEST(answers_with_a_rope)
{
        _cleanup_(reply_done) struct reply r = {}, none = {};
        _cleanup_(rope_unrefp) struct rope *rope = NULL;
        struct rope_builder rb = {};
        struct blob *b = make_blob("{\"a long enough text to be a blob of its own\":1}");

        for (int i = 0; i < 1000; i++)
                rope_builder_add(&rb, b);
        blob_unref(b);
        rope = rope_new_take(&rb);
        ck_assert_int_eq(reply_rope(&r, 200, "application/json", rope_ref(rope)), 0);
        ck_assert_ptr_eq(r.rope, rope);
        ck_assert_str_eq(header(&r, "Cache-Control"), "no-cache");
        ck_assert_uint_eq(reply_size(&r), 48000);
        ck_assert_uint_eq(reply_own_size(&r), 0);
        rope_unref(TAKE_PTR(rope));
        ck_assert_uint_eq(reply_own_size(&r), rope_own_bytes(r.rope));
        ck_assert_uint_gt(reply_own_size(&r), 0);
        reply_done(&r);
        ck_assert_uint_eq(reply_size(&r), 0);
        ck_assert_int_eq(reply_rope(&none, 200, "a/b", NULL), -ENOMEM);
        ck_assert_uint_eq(none.status, 0);
}
END_TEST

START_TEST(says_when_memory_is_out)
{
        _cleanup_(reply_done) struct reply r = {};
        struct buf failed = {.error = -1};

        ck_assert_int_lt(reply_json(&r, 200, &failed), 0);
        ck_assert_uint_eq(r.status, 0);
}
END_TEST

START_TEST(answers_with_nothing)
{
        _cleanup_(reply_done) struct reply known = {}, no = {};

        ck_assert_int_eq(reply_empty(&known, 304), 0);
        ck_assert_str_eq(header(&known, "Cache-Control"), "no-cache");
        ck_assert_int_eq(reply_empty(&no, 405), 0);
        ck_assert_uint_eq(no.n_headers, 0);
        ck_assert_ptr_null(no.body);
        ck_assert_ptr_null(no.content_type);
}
END_TEST

START_TEST(moves)
{
        _cleanup_(reply_done) struct reply page = {}, bare = {};

        ck_assert_int_eq(reply_moved(&page, "/a?b&\"'", true), 0);
        ck_assert_uint_eq(page.status, 301);
        ck_assert_str_eq(page.location, "/a?b&\"'");
        ck_assert_str_eq(page.content_type, "text/html; charset=utf-8");
        ck_assert_str_eq(blob_data(page.body),
                         "<a href=\"/a?b&#38;&#34;&#39;\">Moved Permanently</a>.\n\n");
        ck_assert_int_eq(reply_moved(&bare, "/a", false), 0);
        ck_assert_ptr_null(bare.body);
}
END_TEST

START_TEST(keeps_a_header_on_its_line)
{
        _cleanup_(reply_done) struct reply r = {};

        reply_header(&r, "Diag-A", "%s", "x\r\nSet-Cookie: y\x7f");
        reply_header(&r, "Diag-B", "%300d", 1);
        ck_assert_str_eq(header(&r, "Diag-A"), "x??Set-Cookie: y?");
        ck_assert_uint_eq(strlen(header(&r, "Diag-B")), 255);
}
END_TEST

START_TEST(parks)
{
        _cleanup_(reply_done) struct reply r = {};

        ck_assert_int_eq(reply_park(&r, 17), 0);
        ck_assert_uint_eq(r.status, 0);
        ck_assert_uint_eq(r.park_until_mono_usec, 17);
        ck_assert_ptr_null(r.park_key);
        reply_done(&r);
        ck_assert_int_eq(reply_park_for(&r, 18, &r), 0);
        ck_assert_uint_eq(r.park_until_mono_usec, 18);
        ck_assert_ptr_eq(r.park_key, &r);
}
END_TEST

#define VALUE_MAX 8

static const struct {
        const char *query, *key, *want; /* NULL: not there */
} queries[] = {
        {"",             "cache", NULL     },
        {"cache",        "cache", ""       },
        {"cache=",       "cache", ""       },
        {"cache=0",      "cache", "0"      },
        {"a=1&cache=0",  "cache", "0"      },
        {"a=1&cache",    "cache", ""       },
        {"cache=0&a",    "a",     ""       },
        {"cache=0&&a=2", "a",     "2"      },
        {"a=1&a=2",      "a",     "1"      },
        {"a=b=c",        "a",     "b=c"    },
        {"%61=%62+c",    "a",     "b c"    },
        {"a%3d=1",       "a=",    "1"      },
        {"=1",           "",      "1"      },
        {"cached=1",     "cache", NULL     },
        {"cach=1",       "cache", NULL     },
        {"b=cache",      "cache", NULL     },
        {"Cache=1",      "cache", NULL     },
        {"a=1234567",    "a",     "1234567"},
        {"a=12345678",   "a",     ""       },
        {"a=%00",        "a",     ""       },
        {"a=%",          "a",     ""       },
        {"a=%4",         "a",     ""       },
        {"a=%4&b=1",     "b",     "1"      },
        {"a=%zz&b=1",    "b",     "1"      },
        {"%zz=1",        "%zz",   NULL     },
        {"%=1&b=1",      "b",     "1"      },
};

START_TEST(reads_the_query)
{
        struct request q = {.query = queries[_i].query};
        char value[VALUE_MAX] = "?";
        bool found = request_query(&q, queries[_i].key, value, sizeof(value));

        ck_assert_msg(found == (queries[_i].want != NULL), "%s", queries[_i].query);
        if (found)
                ck_assert_str_eq(value, queries[_i].want);
}
END_TEST

START_TEST(finds_arguments)
{
        struct request q = {
                .args = {{"unit", "a"}, {"ip", "b"}},
                  .n_args = 2
        };

        ck_assert_str_eq(request_arg(&q, "ip"), "b");
        ck_assert_ptr_null(request_arg(&q, "node"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reply");
        TCase *tc = tcase_create("reply");

        tcase_add_test(tc, answers_with_text);
        tcase_add_test(tc, cuts_long_text);
        tcase_add_test(tc, answers_with_json);
        tcase_add_test(tc, answers_with_two_blobs);
        tcase_add_test(tc, answers_with_a_rope);
        tcase_add_test(tc, says_when_memory_is_out);
        tcase_add_test(tc, answers_with_nothing);
        tcase_add_test(tc, moves);
        tcase_add_test(tc, keeps_a_header_on_its_line);
        tcase_add_test(tc, parks);
        tcase_add_loop_test(tc, reads_the_query, 0, ELEMENTSOF(queries));
        tcase_add_test(tc, finds_arguments);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
