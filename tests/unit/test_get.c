/* It asks once, takes what it was told to take, and says what went wrong and with whom. */

#include <errno.h>

#include "base/mono.h"
#include "net/get.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define BODY_MAX    64u
#define URL_MAX     256u
#define OK_HEAD     "HTTP/1.1 200 OK\r\n"
#define SIXTEEN     "0123456789abcdef"
#define SIXTY_FOUR  SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define TIMEOUT     (5 * USEC_PER_SEC)
#define NOT_PATIENT (100 * USEC_PER_MSEC)

static int ask(struct scripted_server *s, const struct scripted_reply *reply, uint64_t timeout_usec,
               struct get_answer *a, struct err *e)
{
        char url[URL_MAX];
        struct get_request q = {
                .url = url,
                .timeout_usec = timeout_usec,
                .max_bytes = BODY_MAX,
        };
        int r;

        /* A proxy from the environment would be asked instead. */
        setenv("http_proxy", "http://127.0.0.1:1", 1);
        setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
        *s = (struct scripted_server){.replies = reply, .n_replies = 1};
        scripted_server_on_loopback(s);
        scripted_server_start(s);
        (void)snprintf(url, sizeof(url), "%s/x", s->url);
        r = get_perform(a, &q, e);
        scripted_server_join(s);
        return r;
}

#define ANSWER(n, r, s, b, e)                                                      \
        {                                                                          \
                .name = (n), .reply = (r), .status = (s), .body = (b), .etag = (e) \
        }

static const struct {
        const char *name, *reply, *body, *etag;
        unsigned status;
} answers[] = {
        ANSWER("plain", OK_HEAD "Content-Length: 2\r\n\r\nhi", 200, "hi", ""),
        ANSWER("empty", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""),
        ANSWER("until the end", OK_HEAD "\r\nhi", 200, "hi", ""),
        ANSWER("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", 200, "hi", ""),
        ANSWER("chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200,
               "hi", ""),
        ANSWER("at the limit", OK_HEAD "Content-Length: 64\r\n\r\n" SIXTY_FOUR, 200, SIXTY_FOUR,
               ""),
        ANSWER("longer than said", OK_HEAD "Content-Length: 2\r\n\r\nhi there", 200, "hi", ""),
        ANSWER("not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, "no", ""),
        ANSWER("redirect",
               "HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
               301, "", ""),
        ANSWER("tagged", OK_HEAD "ETag: W/\"a.1\"\r\n\r\n", 200, "", "W/\"a.1\""),
        ANSWER("waited", OK_HEAD "Preference-Applied: wait=5\r\n\r\n", 200, "", ""),
        ANSWER("unchanged", "HTTP/1.1 304 Not Modified\r\netag: \"a.1\"\r\n\r\n", 304, "",
               "\"a.1\""),
        ANSWER("tag too long", OK_HEAD "ETag: \"" SIXTY_FOUR SIXTY_FOUR "\"\r\n\r\n", 200, "", ""),
};

START_TEST(takes_answer)
{
        struct scripted_reply reply = {.bytes = answers[_i].reply};
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct scripted_server s;
        struct err e = {0};
        int r = ask(&s, &reply, TIMEOUT, &a, &e);

        ck_assert_msg(r == 0, "%s: %d %s", answers[_i].name, r, e.text);
        ck_assert_uint_eq(a.status, answers[_i].status);
        ck_assert_str_eq(buf_cstr(&a.body), answers[_i].body);
        ck_assert_str_eq(a.etag, answers[_i].etag);
        ck_assert(a.preference_applied == streq(answers[_i].name, "waited"));
}
END_TEST

#define LIE(n, r, t, w, s)                                                                       \
        {                                                                                        \
                .name = (n), .reply = {.bytes = (r), .then = THEN_##t}, .want = (w), .says = (s) \
        }

static const struct {
        const char *name;
        struct scripted_reply reply;
        const char *says;
        int want;
} lies[] = {
        LIE("says it is huge", OK_HEAD "Content-Length: 65\r\n\r\nhi", HANG_UP, -E2BIG,
            "says more than we take"),
        LIE("is huge", OK_HEAD "\r\n" SIXTY_FOUR "!", HANG_UP, -E2BIG, "says more than we take"),
        LIE("never ends", OK_HEAD "\r\n" SIXTEEN, FLOOD, -E2BIG, "says more than we take"),
        LIE("shorter than said", OK_HEAD "Content-Length: 9\r\n\r\nhi", HANG_UP, -EBADMSG,
            "hung up in the middle"),
        LIE("chunk cut", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nhi", HANG_UP, -EBADMSG,
            "hung up in the middle"),
        LIE("says nothing", "", HANG_UP, -EBADMSG, "hung up without an answer"),
        LIE("stalls at once", "", STALL, -ETIMEDOUT, "did not answer in time"),
        LIE("stalls in the middle", OK_HEAD "Content-Length: 9\r\n\r\nhi", STALL, -ETIMEDOUT,
            "did not answer in time"),
        LIE("garbage", "\x16\x03\x01garbage\r\n\r\n", HANG_UP, -EBADMSG, "does not speak HTTP"),
        LIE("negative length", OK_HEAD "Content-Length: -1\r\n\r\nhi", HANG_UP, -EBADMSG,
            "does not speak HTTP"),
};

START_TEST(sees_through_lie)
{
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct scripted_server s;
        struct err e = {0};
        bool stalls = lies[_i].reply.then == THEN_STALL;
        int r = ask(&s, &lies[_i].reply, stalls ? NOT_PATIENT : TIMEOUT, &a, &e);

        ck_assert_msg(r == lies[_i].want, "%s: %d %s", lies[_i].name, r, e.text);
        ck_assert_msg(strstr(e.text, lies[_i].says) != NULL, "%s: %s", lies[_i].name, e.text);
        ck_assert_msg(strstr(e.text, s.url) != NULL, "%s: %s", lies[_i].name, e.text);
        ck_assert_ptr_null(a.body.data);
}
END_TEST

START_TEST(sends_what_it_was_given)
{
        struct scripted_reply reply = {.bytes = "HTTP/1.1 304 Not Modified\r\n\r\n"};
        struct scripted_server s = {.replies = &reply, .n_replies = 1};
        char directory[] = "/tmp/diag-test-get.XXXXXX", path[64];
        struct get_request q = {
                .url = "http://localhost/system",
                .socket_path = path,
                .if_none_match = "W/\"a.1\"",
                .prefer = "wait=25",
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct err e = {0};

        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/s", directory);
        scripted_server_on_socket(&s, path);
        scripted_server_start(&s);
        ck_assert_msg(get_perform(&a, &q, &e) == 0, "%s", e.text);
        scripted_server_join(&s);
        ck_assert_uint_eq(a.status, 304);
        ck_assert_ptr_nonnull(
                strstr(s.last_request, "GET /system HTTP/1.1\r\nHost: localhost\r\n"));
        ck_assert_ptr_nonnull(strstr(s.last_request, "\r\nIf-None-Match: W/\"a.1\"\r\n"));
        ck_assert_ptr_nonnull(strstr(s.last_request, "\r\nPrefer: wait=25\r\n"));
        unlink(path);
        rmdir(directory);
}
END_TEST

static const char *const json_type[] = {"Content-Type: application/json", "Accept: text/plain",
                                        NULL};

static const struct {
        const char *method;
        const char *const *headers;
        const char *body;
        const char *begins, *ends, *with, *without;
} changes[] = {
        {"PUT",    json_type, "{\"a\":\"b\"}", "PUT /x HTTP/1.1\r\n",    "\r\n\r\n{\"a\":\"b\"}",
         "\r\nContent-Type: application/json\r\nAccept: text/plain\r\nContent-Length: 9\r\n",                                         "Accept: application/json"},
        {"PUT",    NULL,      "",              "PUT /x HTTP/1.1\r\n",    "\r\n\r\n",              "\r\nAccept: application/json\r\n",
         "Content-Type"                                                                                                                                         },
        {"PUT",    NULL,      NULL,            "PUT /x HTTP/1.1\r\n",    "\r\n\r\n",              "\r\nContent-Length: 0\r\n",
         "Content-Type"                                                                                                                                         },
        {"DELETE", NULL,      NULL,            "DELETE /x HTTP/1.1\r\n", "\r\n\r\n",
         "\r\nAccept: application/json\r\n",                                                                                          "Content-"                },
};

static bool ends_with(const char *s, const char *end)
{
        return strlen(s) >= strlen(end) && streq(s + strlen(s) - strlen(end), end);
}

START_TEST(asks_for_a_change)
{
        struct scripted_reply reply = {.bytes = OK_HEAD "Content-Length: 2\r\n\r\nhi"};
        struct scripted_server s = {.replies = &reply, .n_replies = 1};
        _cleanup_(get_answer_done) struct get_answer a = {0};
        char url[URL_MAX];
        struct get_request q = {
                .url = url,
                .method = changes[_i].method,
                .headers = changes[_i].headers,
                .body = changes[_i].body,
                .n_body = changes[_i].body ? strlen(changes[_i].body) : 0,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct err e = {0};

        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        (void)snprintf(url, sizeof(url), "%s/x", s.url);
        ck_assert_msg(get_perform(&a, &q, &e) == 0, "%s", e.text);
        scripted_server_join(&s);
        ck_assert_str_eq(buf_cstr(&a.body), "hi");
        ck_assert_msg(strstr(s.last_request, changes[_i].begins) == s.last_request, "%s",
                      s.last_request);
        ck_assert_msg(ends_with(s.last_request, changes[_i].ends), "%s", s.last_request);
        ck_assert_msg(strstr(s.last_request, changes[_i].with) != NULL, "%s", s.last_request);
        ck_assert_msg(strstr(s.last_request, changes[_i].without) == NULL, "%s", s.last_request);
}
END_TEST

/* --- a body of any size --------------------------------------------------------------------------- */

struct taken {
        struct buf body;
        struct get_answer head; /* as it was when the first piece came */
        size_t n_wanted;        /* then it has had enough; 0: never */
};

static int take_piece(void *userdata, const struct get_answer *head, const void *data, size_t n)
{
        struct taken *t = userdata;

        if (t->body.n == 0)
                t->head = *head;
        buf_append(&t->body, data, n);
        return t->n_wanted > 0 && t->body.n >= t->n_wanted ? -ENOSPC : 0;
}

static int take_all(const struct scripted_reply *reply, struct taken *t, struct get_answer *a,
                    struct err *e)
{
        struct scripted_server s = {.replies = reply, .n_replies = 1};
        char url[URL_MAX];
        struct get_request q = {
                .url = url,
                .stall_usec = USEC_PER_SEC,
                .max_bytes = 8, /* of what is no success */
                .on_body = take_piece,
                .userdata = t,
        };
        int r;

        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        (void)snprintf(url, sizeof(url), "%s/x", s.url);
        r = get_perform(a, &q, e);
        scripted_server_join(&s);
        return r;
}

#define PART_HEAD(range) "HTTP/1.1 206 Partial Content\r\nContent-Range: " range "\r\n"

static const struct {
        const char *name, *reply, *taken, *kept;
        uint64_t from, total;
        unsigned status;
} bodies[] = {
        {"whole",                             OK_HEAD "Content-Length: 64\r\nETag: \"a\"\r\n\r\n" SIXTY_FOUR,        SIXTY_FOUR, "",
         GET_NOT_SAID,                                                                                                                               64,           200},
        {"of a length that is not said",      OK_HEAD "ETag: \"a\"\r\n\r\nhi",                                       "hi",       "",   GET_NOT_SAID,
         GET_NOT_SAID,                                                                                                                                             200},
        {"empty",                             OK_HEAD "ETag: \"a\"\r\nContent-Length: 0\r\n\r\n",                    "",         "",   GET_NOT_SAID, 0,            200},
        {"a part",                            PART_HEAD("bytes 5-6/7") "ETag: \"a\"\r\nContent-Length: 2\r\n\r\nhi", "hi",       "",
         5,                                                                                                                                          7,            206},
        {"a part of unknown whole",           PART_HEAD("bytes 5-6/*") "ETag: \"a\"\r\n\r\nhi",                      "hi",       "",
         GET_NOT_SAID,                                                                                                                               GET_NOT_SAID, 206},
        {"a part beyond its end",             PART_HEAD("bytes 5-7/7") "ETag: \"a\"\r\n\r\nhi",                      "hi",       "",
         GET_NOT_SAID,                                                                                                                               GET_NOT_SAID, 206},
        {"a part that ends before it begins", PART_HEAD("bytes 5-4/7") "ETag: \"a\"\r\n\r\nhi",
         "hi",                                                                                                                   "",   GET_NOT_SAID, GET_NOT_SAID, 206},
        {"a part in lines",                   PART_HEAD("lines 5-6/7") "ETag: \"a\"\r\n\r\nhi",                      "hi",       "",
         GET_NOT_SAID,                                                                                                                               GET_NOT_SAID, 206},
        {"a part too far away",
         PART_HEAD("bytes 5-99999999999999999999999/7") "ETag: \"a\"\r\n\r\nhi",                                     "hi",       "",
         GET_NOT_SAID,                                                                                                                               GET_NOT_SAID, 206},
        {"no such part",
         "HTTP/1.1 416 No\r\nETag: \"a\"\r\nContent-Range: bytes */7\r\nContent-Length: "
         "2\r\n\r\nno",                                                                                              "",         "no", GET_NOT_SAID, 7,            416},
        {"an error",                          "HTTP/1.1 404 No\r\nETag: \"a\"\r\nContent-Length: 2\r\n\r\nno",       "",         "no",
         GET_NOT_SAID,                                                                                                                               2,            404},
};

START_TEST(hands_on_body)
{
        const struct scripted_reply reply = {.bytes = bodies[_i].reply};
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct taken t = {0};
        struct err e = {0};
        int r = take_all(&reply, &t, &a, &e);

        ck_assert_msg(r == 0, "%s: %d %s", bodies[_i].name, r, e.text);
        ck_assert_uint_eq(a.status, bodies[_i].status);
        ck_assert_str_eq(a.etag, "\"a\"");
        ck_assert_str_eq(buf_cstr(&t.body), bodies[_i].taken);
        ck_assert_str_eq(buf_cstr(&a.body), bodies[_i].kept);
        ck_assert_msg(a.from_byte == bodies[_i].from && a.total_bytes == bodies[_i].total,
                      "%s: %zu %zu", bodies[_i].name, (size_t)a.from_byte, (size_t)a.total_bytes);
        if (t.body.n > 0) {
                ck_assert_uint_eq(t.head.status, a.status);
                ck_assert_str_eq(t.head.etag, a.etag);
                ck_assert(t.head.from_byte == a.from_byte && t.head.total_bytes == a.total_bytes);
        }
        buf_done(&t.body);
}
END_TEST

#define BREAK(n, b, t, wanted, w, s)                                                          \
        {                                                                                     \
                .name = (n), .reply = {.bytes = (b), .then = THEN_##t}, .n_wanted = (wanted), \
                .want = (w), .says = (s)                                                      \
        }

static const struct {
        const char *name;
        struct scripted_reply reply;
        size_t n_wanted;
        int want;
        const char *says;
} breaks[] = {
        BREAK("who takes it has enough", OK_HEAD "\r\n" SIXTEEN, FLOOD, 32, -ENOSPC, ""),
        BREAK("it is cut short", OK_HEAD "Content-Length: 9\r\n\r\nhi", HANG_UP, 0, -EBADMSG,
              "hung up in the middle"),
        BREAK("it stalls", OK_HEAD "Content-Length: 9\r\n\r\nhi", STALL, 0, -ETIMEDOUT,
              "did not answer in time"),
        BREAK("an error is too long", "HTTP/1.1 404 No\r\n\r\n" SIXTEEN, HANG_UP, 0, -E2BIG,
              "says more than we take"),
};

START_TEST(ends_body_that_breaks)
{
        _cleanup_(get_answer_done) struct get_answer a = {0};
        struct taken t = {.n_wanted = breaks[_i].n_wanted};
        struct err e = {0};
        int r = take_all(&breaks[_i].reply, &t, &a, &e);

        ck_assert_msg(r == breaks[_i].want, "%s: %d %s", breaks[_i].name, r, e.text);
        ck_assert_msg(strstr(e.text, breaks[_i].says) != NULL, "%s: %s", breaks[_i].name, e.text);
        ck_assert(*breaks[_i].says || !*e.text);
        buf_done(&t.body);
}
END_TEST

static const struct {
        const char *url, *socket_path, *who;
        int want;
        const char *says;
} nobodies[] = {
        {"http://localhost/",    "/nonexistent/s", "unix:/nonexistent/s", GET_NOBODY,
         "nobody answers at unix:/nonexistent/s: No such file or directory"                                                   },
        {"http://127.0.0.1:1/x", NULL,             NULL,                  GET_NOBODY,
         "nobody answers at http://127.0.0.1:1/x: Connection refused"                                                         },
        {"file:///etc/passwd",   NULL,             NULL,                  -EBADMSG,   "file:///etc/passwd does not speak HTTP"},
        {"http://[/",            NULL,             NULL,                  -EINVAL,    "http://[/ is not a URL"                },
};

START_TEST(finds_nobody)
{
        struct get_request q = {
                .url = nobodies[_i].url,
                .socket_path = nobodies[_i].socket_path,
                .who = nobodies[_i].who,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct get_answer a;
        struct err e = {0};

        ck_assert_int_eq(get_perform(&a, &q, &e), nobodies[_i].want);
        ck_assert_str_eq(e.text, nobodies[_i].says);
}
END_TEST

#define LONG_VALUE SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR

static const struct {
        const char *if_none_match;
        const char *const headers[2];
        int want;
} bad_headers[] = {
        {LONG_VALUE,  {NULL},             -E2BIG },
        {NULL,        {"X: " LONG_VALUE}, -E2BIG },
        {"a\r\nX: y", {NULL},             -EINVAL},
        {NULL,        {"X: y\nZ: a"},     -EINVAL},
};

START_TEST(refuses_header_that_it_would_not_send)
{
        struct get_request q = {
                .url = "http://127.0.0.1:1/",
                .if_none_match = bad_headers[_i].if_none_match,
                .headers = bad_headers[_i].headers,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct get_answer a;

        ck_assert_int_eq(get_perform(&a, &q, NULL), bad_headers[_i].want);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("get");
        TCase *tc = tcase_create("get");

        tcase_add_loop_test(tc, takes_answer, 0, ELEMENTSOF(answers));
        tcase_add_loop_test(tc, sees_through_lie, 0, ELEMENTSOF(lies));
        tcase_add_test(tc, sends_what_it_was_given);
        tcase_add_loop_test(tc, finds_nobody, 0, ELEMENTSOF(nobodies));
        tcase_add_loop_test(tc, asks_for_a_change, 0, ELEMENTSOF(changes));
        tcase_add_loop_test(tc, refuses_header_that_it_would_not_send, 0, ELEMENTSOF(bad_headers));
        tcase_add_loop_test(tc, hands_on_body, 0, ELEMENTSOF(bodies));
        tcase_add_loop_test(tc, ends_body_that_breaks, 0, ELEMENTSOF(breaks));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
