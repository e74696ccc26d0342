/* It says what stands there, wherever the pieces are cut, and takes nothing for JSON that is none. */

#include <errno.h>

#include "aggregator/json_events.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

#define TEN       "0123456789"
#define HUNDRED   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define FIFTY_SIX TEN TEN TEN TEN TEN "012345"

/* One letter for each kind, the depth, and the text: "{0 k1:a s1:b }0". */
static int write_down(const struct json_event *ev, void *userdata)
{
        static const char letters[] = "?{}[]ksntfz";
        struct buf *b = userdata;

        buf_printf(b, "%s%c%u", b->n ? " " : "", letters[ev->type], ev->depth);
        if (ev->type == JSON_EVENT_KEY || ev->type == JSON_EVENT_STRING) {
                buf_putc(b, ':');
                buf_append(b, ev->text, ev->n);
        }
        if (ev->cut)
                buf_puts(b, "…");
        return 0;
}

static const struct {
        const char *text, *events;
} documents[] = {
        {"{}",                                              "{0 }0"                                         },
        {"[]",                                              "[0 ]0"                                         },
        {" \t\r\n[ ] \n",                                   "[0 ]0"                                         },
        {"{\"a\":\"b\"}",                                   "{0 k1:a s1:b }0"                               },
        {"{ \"a\" : 1 , \"b\" : [ true , false , null ] }", "{0 k1:a n1 k1:b [1 t2 f2 z2 ]1 }0"             },
        {"[[],{},[{}]]",                                    "[0 [1 ]1 {1 }1 [1 {2 }2 ]1 ]0"                 },
        {"[0,-0,10,-1.5,0.25,1e9,1E+9,2e-1,0e0,1.0e1]",     "[0 n1 n1 n1 n1 n1 n1 n1 n1 n1 n1 ]0"           },
        {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",                "[0 s1:\"\\/\b\f\n\r\t ]0"                      },
        {"[\"\\u0041\\u00e4\\u20AC\\ud83d\\uDE00\"]",       "[0 s1:Aä€😀 ]0"                           },
        {"[\"ä€😀\x7f\"]",                             "[0 s1:ä€😀\x7f ]0"                        },
        {"[\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"]",
         "[0 s1:\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf ]0"                                                },
        {"{\"\":\"\"}",                                     "{0 k1: s1: }0"                                 },
        {"{\"a\":1,\"a\":2}",                               "{0 k1:a n1 k1:a n1 }0"                         },
        {"[\"" HUNDRED HUNDRED FIFTY_SIX "\"]",             "[0 s1:" HUNDRED HUNDRED FIFTY_SIX " ]0"        },
        {"[\"" HUNDRED HUNDRED FIFTY_SIX "6\"]",            "[0 s1:" HUNDRED HUNDRED FIFTY_SIX "… ]0"     },
        {"[\"" HUNDRED HUNDRED HUNDRED "\",\"a\"]",         "[0 s1:" HUNDRED HUNDRED FIFTY_SIX "… s1:a ]0"},
};

/* In memory of exactly that size, so that the sanitizers see a byte read too many. */
static int feed_part(struct json_events *x, const char *text, size_t n)
{
        char *part = malloc(n ? n : 1);
        int k;

        ck_assert_ptr_nonnull(part);
        memcpy(part, text, n);
        k = json_events_feed(x, part, n);
        free(part);
        return k;
}

START_TEST(says_what_stands_there)
{
        const char *text = documents[_i].text;
        size_t n = strlen(text);

        for (size_t cut = 0; cut <= n; cut++) {
                _cleanup_(buf_done) struct buf said = {0};
                struct json_events x;

                json_events_init(&x, write_down, &said);
                ck_assert_int_eq(feed_part(&x, text, cut), 0);
                ck_assert_int_eq(feed_part(&x, text + cut, n - cut), 0);
                ck_assert_int_eq(json_events_end(&x), 0);
                ck_assert_str_eq(buf_cstr(&said), documents[_i].events);
        }
}
END_TEST

START_TEST(knows_when_it_is_not_whole)
{
        const char *text = documents[_i].text;
        size_t n = strlen(text), n_whole = n;

        while (text[n_whole - 1] != '}' && text[n_whole - 1] != ']')
                n_whole--;
        for (size_t cut = 0; cut < n_whole; cut++) {
                _cleanup_(buf_done) struct buf said = {0};
                struct json_events x;

                json_events_init(&x, write_down, &said);
                ck_assert_int_eq(feed_part(&x, text, cut), 0);
                ck_assert_int_eq(json_events_end(&x), -EBADMSG);
        }
}
END_TEST

static const char *const nonsense[] = {
        "1",
        "\"a\"",
        "null",
        "true",
        "x",
        "<html>",
        "}",
        "]",
        "{]",
        "[}",
        "{}{}",
        "[] x",
        "[],",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1,,2]",
        "{,}",
        "{\"a\"}",
        "{\"a\",1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1;}",
        "['a']",
        "[01]",
        "[-]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[1.e1]",
        "[1e]",
        "[1e+]",
        "[0x1]",
        "[1a]",
        "[--1]",
        "[NaN]",
        "[tru]",
        "[truE]",
        "[nul]",
        "[falsey]",
        "[True]",
        "[\"\n\"]",
        "[\"\t\"]",
        "[\"\x1f\"]",
        "[\"\\x\"]",
        "[\"\\'\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"\\ud800\"]",
        "[\"\\ud800x\"]",
        "[\"\\ud800\\n\"]",
        "[\"\\ud800\\u0041\"]",
        "[\"\\ud800\\ud800\"]",
        "[\"\\udc00\"]",
        "[\"\x80\"]",
        "[\"\xc0\x80\"]",
        "[\"\xc1\xbf\"]",
        "[\"\xc3\"]",
        "[\"\xc3(\"]",
        "[\"\xe0\x80\x80\"]",
        "[\"\xe2\x82\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xf0\x80\x80\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\xf5\"]",
        "[\"\xff\"]",
        "\xef\xbb\xbf[]",
};

START_TEST(refuses_nonsense)
{
        _cleanup_(buf_done) struct buf said = {0};
        struct json_events x;

        json_events_init(&x, write_down, &said);
        ck_assert_msg(feed_part(&x, nonsense[_i], strlen(nonsense[_i])) == -EBADMSG, "%s",
                      nonsense[_i]);
        ck_assert_int_eq(json_events_feed(&x, "[]", 2), -EBADMSG); /* ever after */
        ck_assert_int_eq(json_events_end(&x), -EBADMSG);
}
END_TEST

START_TEST(takes_nul_as_text)
{
        _cleanup_(buf_done) struct buf said = {0};
        static const char text[] = "[\"a\\u0000b\"]", want[] = "[0 s1:a\0b ]0";
        struct json_events x;

        json_events_init(&x, write_down, &said);
        ck_assert_int_eq(json_events_feed(&x, text, strlen(text)), 0);
        ck_assert_uint_eq(said.n, sizeof(want) - 1);
        ck_assert_mem_eq(said.data, want, said.n);
        json_events_init(&x, write_down, &said);
        ck_assert_int_eq(json_events_feed(&x, "[\"\0\"]", 5), -EBADMSG);
}
END_TEST

START_TEST(has_a_greatest_depth)
{
        _cleanup_(buf_done) struct buf said = {0};
        struct json_events x;

        for (unsigned too_many = 0; too_many < 2; too_many++) {
                json_events_init(&x, write_down, &said);
                for (unsigned i = 0; i < JSON_EVENTS_DEPTH_MAX; i++)
                        ck_assert_int_eq(
                                json_events_feed(&x, i % 2 ? "{\"a\":" : "[", i % 2 ? 5 : 1), 0);
                if (too_many) {
                        ck_assert_int_eq(json_events_feed(&x, "[", 1), -E2BIG);
                        ck_assert_int_eq(json_events_end(&x), -E2BIG);
                        break;
                }
                ck_assert_int_eq(json_events_feed(&x, "0", 1), 0);
                for (unsigned i = JSON_EVENTS_DEPTH_MAX; i-- > 0;)
                        ck_assert_int_eq(json_events_feed(&x, i % 2 ? "}" : "]", 1), 0);
                ck_assert_int_eq(json_events_end(&x), 0);
        }
}
END_TEST

static int refuse(const struct json_event *ev, void *userdata)
{
        unsigned *n = userdata;

        ++*n;
        return ev->type == JSON_EVENT_KEY ? -ECANCELED : 0;
}

START_TEST(ends_when_it_is_told_to)
{
        struct json_events x;
        unsigned n = 0;

        json_events_init(&x, refuse, &n);
        ck_assert_int_eq(json_events_feed(&x, "{\"a\":1}", 7), -ECANCELED);
        ck_assert_int_eq(json_events_feed(&x, "}", 1), -ECANCELED);
        ck_assert_int_eq(json_events_end(&x), -ECANCELED);
        ck_assert_uint_eq(n, 2);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("json_events");
        TCase *t = tcase_create("json_events");

        tcase_add_loop_test(t, says_what_stands_there, 0, ELEMENTSOF(documents));
        tcase_add_loop_test(t, knows_when_it_is_not_whole, 0, ELEMENTSOF(documents));
        tcase_add_loop_test(t, refuses_nonsense, 0, ELEMENTSOF(nonsense));
        tcase_add_test(t, takes_nul_as_text);
        tcase_add_test(t, has_a_greatest_depth);
        tcase_add_test(t, ends_when_it_is_told_to);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
