/* It answers on real sockets: raw bytes in, raw bytes out, clients that misbehave, and a clean end. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "api/server.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a fault takes as long */
#define BIG_BYTES        262144u
#define HOST             "Host: a\r\n"
#define PROBE            "GET /ok HTTP/1.1\r\n" HOST "\r\n"

/* The world of one test. */

static sem_t handler_ran;
static _Atomic uint64_t generation;
static struct blob *big;
static struct parked *parked;
static struct server *server;
static struct authority authority;
static char directory[64];
static struct sock_address address;

static int handle_ok(const struct request *q, struct reply *r)
{
        (void)q;
        return reply_text(r, 200, "ok");
}

static int handle_echo(const struct request *q, struct reply *r)
{
        reply_header(r, "ETag", "\"%s\"", "1.2");
        return reply_text(r, 200, "%s %s ?%s arg=%s %s", q->method, q->path, q->query,
                          request_arg(q, "arg"), (const char *)q->host);
}

static int handle_conditions(const struct request *q, struct reply *r)
{
        return reply_text(r, 200, "%s and %s", str_or(q->if_none_match, "-"),
                          str_or(q->prefer, "-"));
}

static int handle_big(const struct request *q, struct reply *r)
{
        (void)q;
        return reply_blob(r, 200, "application/json", blob_ref(big));
}

static int handle_unchanged(const struct request *q, struct reply *r)
{
        (void)q;
        return reply_empty(r, 304);
}

static int handle_no_memory(const struct request *q, struct reply *r)
{
        (void)q;
        (void)r;
        return -ENOMEM;
}

static int handle_stubborn(const struct request *q, struct reply *r)
{
        (void)q;
        sem_post(&handler_ran);
        return reply_park(r, USEC_INFINITY);
}

static int handle_until_woken(const struct request *q, struct reply *r)
{
        sem_post(&handler_ran);
        if (q->may_park && atomic_load(&generation) == 0)
                return reply_park(r, USEC_INFINITY);
        return reply_text(r, 200, "%s", q->may_park ? "woken" : "told to answer");
}

static int handle_until_later(const struct request *q, struct reply *r)
{
        uint64_t until = q->received_mono_usec + 20 * USEC_PER_MSEC;

        if (now_mono_usec() < until)
                return reply_park(r, until);
        return reply_text(r, 200, "late");
}

/* "/newer/7": answer when there is a generation above 7. */
static int handle_newer(const struct request *q, struct reply *r)
{
        uint64_t now = atomic_load(&generation);

        if (q->may_park && now <= strtoull(request_arg(q, "than"), NULL, 10))
                return reply_park(r, now_mono_usec() + 3600 * USEC_PER_SEC);
        return reply_text(r, 200, "%llu", (unsigned long long)now);
}

static const struct route routes[] = {
        {"GET", "/ok",           handle_ok         },
        {"PUT", "/ok",           handle_ok         },
        {"GET", "/echo/{arg}",   handle_echo       },
        {"GET", "/conditions",   handle_conditions },
        {"GET", "/big",          handle_big        },
        {"GET", "/unchanged",    handle_unchanged  },
        {"GET", "/no-memory",    handle_no_memory  },
        {"GET", "/stubborn",     handle_stubborn   },
        {"GET", "/until-woken",  handle_until_woken},
        {"GET", "/until-later",  handle_until_later},
        {"GET", "/newer/{than}", handle_newer      },
        {NULL,  NULL,            NULL              },
};
static const struct route *const tables[] = {routes, NULL};
static const struct router router = {tables, NULL};

static void make_address(const char *fmt, const char *a)
{
        char text[SOCK_ADDRESS_MAX];

        (void)snprintf(text, sizeof(text), fmt, a);
        ck_assert_int_eq(parse_listen(text, &address), 0);
}

static void start_server(void)
{
        const struct server_options options = {
                .router = &router,
                .authority = &authority,
                .parked = parked,
                .host = (char *)"none",
                .product = "diag/test",
        };
        struct err e;

        ck_assert_msg(server_new(&server, &options, &e) == 0, "%s", e.text);
}

static int listen_again(struct err *e)
{
        return server_listen(server, &address, e);
}

static void set_up(void)
{
        struct buf b = {};
        sigset_t all;
        struct err e;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        log_set_level(0); /* refusals are warned about */
        sem_init(&handler_ran, 0, 0);
        for (size_t i = 0; i < BIG_BYTES; i++)
                buf_putc(&b, "0123456789abcdef"[i % 16]);
        big = blob_new_take(&b);
        ck_assert_int_eq(parked_new(&parked), 0);
        start_server();
        strcpy(directory, "/tmp/diag-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        make_address("unix:%s/sock", directory);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
}

static void tear_down(void)
{
        server = server_free(server);
        parked = parked_free(parked);
        big = blob_unref(big);
        ck_assert_int_eq(rmdir(directory), 0);
}

static void wait_for_handler(void)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&handler_ran, &until) < 0)
                ck_assert_int_eq(errno, EINTR);
}

/* A client that sends what it is told to. */

struct wire {
        int fd;
        char data[BIG_BYTES + 8192];
        size_t n;
};

/* One answer; the text borrowed from the wire, until the next one. */
struct answer {
        int status; /* 0: none came */
        char head[2048];
        const char *body;
        size_t n_body;
};

static int wire_connect(void)
{
        int fd = socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, &address.sa, address.n), 0);
        return fd;
}

static void wire_open(struct wire *w)
{
        w->fd = wire_connect();
        w->n = 0;
}

/* The other side may hang up before it has read all. */
static void wire_send(struct wire *w, const char *data, size_t n)
{
        while (n > 0) {
                ssize_t sent = send(w->fd, data, n, MSG_NOSIGNAL);

                if (sent < 0)
                        return;
                data += sent;
                n -= (size_t)sent;
        }
}

static void wire_puts(struct wire *w, const char *s)
{
        wire_send(w, s, strlen(s));
}

/* False at the end. */
static bool wire_receive(struct wire *w)
{
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        ssize_t n;

        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        n = recv(w->fd, w->data + w->n, sizeof(w->data) - 1 - w->n, 0);
        if (n <= 0)
                return false;
        w->n += (size_t)n;
        return true;
}

static void wire_forget(struct wire *w, size_t n)
{
        memmove(w->data, w->data + n, w->n - n);
        w->n -= n;
}

static size_t head_size(const struct wire *w)
{
        const char *end = memmem(w->data, w->n, "\r\n\r\n", 4);

        return end ? (size_t)(end + 4 - w->data) : 0;
}

static size_t content_length(const char *head)
{
        const char *at = strstr(head, "\r\nContent-Length: ");

        return at ? strtoull(at + 18, NULL, 10) : 0;
}

/* What the previous answer's body was is gone after this. */
static struct answer wire_answer(struct wire *w, bool is_head)
{
        struct answer a = {};
        size_t n_head;

        while ((n_head = head_size(w)) == 0)
                if (!wire_receive(w))
                        return a;
        ck_assert_uint_lt(n_head, sizeof(a.head));
        memcpy(a.head, w->data, n_head);
        wire_forget(w, n_head);
        if (sscanf(a.head, "HTTP/1.1 %d ", &a.status) != 1)
                ck_abort_msg("not an answer: %s", a.head);
        a.n_body = is_head || a.status == 304 ? 0 : content_length(a.head);
        while (w->n < a.n_body)
                ck_assert(wire_receive(w));
        a.body = w->data;
        return a;
}

static bool answer_body_is(const struct answer *a, const char *want)
{
        return a->n_body == strlen(want) && memcmp(a->body, want, a->n_body) == 0;
}

static struct answer wire_ask(struct wire *w, const char *target)
{
        char request[4096];

        (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n", target);
        wire_puts(w, request);
        return wire_answer(w, false);
}

static void wire_close(struct wire *w)
{
        close(w->fd);
}

/* Requests, answers, and what becomes of the connection. */

enum fate {
        KEPT,  /* a further request on it is answered, and nothing else was */
        ENDED, /* and nothing follows the answer */
        DEAD,  /* the library's own refusal, which may end untidily */
};

static void assert_fate(struct wire *w, const struct answer *a, enum fate fate)
{
        struct answer further;

        wire_forget(w, a->n_body);
        if (fate == KEPT) {
                ck_assert_uint_eq(w->n, 0);
                further = wire_ask(w, "/ok");
                ck_assert_msg(answer_body_is(&further, "ok\n"), "%s", further.head);
                return;
        }
        while (wire_receive(w))
                ;
        if (fate == ENDED)
                ck_assert_msg(w->n == 0, "%s", w->data);
}

#define LINK "<a href=\"/ok\">Moved Permanently</a>.\n\n"

/* Requests that are in order, HTTP/1.1 and with a Host. */
static const struct {
        const char *line;
        int status;
        const char *head; /* what must be in the answer's head, or must not after '!' */
        const char *body; /* NULL: whatever */
} requests[] = {
        {"GET /ok",                      200, "Server: diag/test\r\n",                       "ok\n"                                 },
        {"GET /ok",                      200, "Content-Type: text/plain; charset=utf-8\r\n", "ok\n"                                 },
        {"GET /ok",                      200, "X-Content-Type-Options: nosniff\r\n",         "ok\n"                                 },
        {"GET /ok",                      200, "Date: ",                                      "ok\n"                                 },
        {"GET /ok",                      200, "!Connection:",                                "ok\n"                                 },
        {"GET /big",                     200, "Content-Type: application/json\r\n",          NULL                                   },
        {"GET /big",                     200, "Cache-Control: no-cache\r\n",                 NULL                                   },
        {"GET /echo/a",                  200, "ETag: \"1.2\"\r\n",                           NULL                                   },
        {"GET /echo/a%20b?x=%20&y",      200, "",                                            "GET /echo/a b ?x=%20&y arg=a b none\n"},
        {"GET /unchanged",               304, "Cache-Control: no-cache\r\n",                 ""                                     },
        {"GET /unchanged",               304, "!Content-Type",                               ""                                     },
        {"GET /no-memory",               500, "!Content-Type",                               ""                                     },
        {"GET /until-later",             200, "",                                            "late\n"                               },
        {"PUT /ok",                      200, "",                                            "ok\n"                                 },
 /* HEAD is GET without a body */
        {"HEAD /ok",                     200, "Content-Length: 3\r\n",                       ""                                     },
        {"HEAD /echo/a",                 200, "ETag: \"1.2\"\r\n",                           ""                                     },
        {"HEAD /ok/",                    301, "Location: /ok\r\n",                           ""                                     },
        {"HEAD /nothing",                404, "Content-Length: 19\r\n",                      ""                                     },
 /* a slash too many */
        {"GET /ok/",                     301, "Location: /ok\r\n",                           LINK                                   },
        {"GET /ok/",                     301, "Content-Type: text/html; charset=utf-8\r\n",  LINK                                   },
        {"GET /ok/?a&b",                 301, "Location: /ok?a&b\r\n",                       NULL                                   },
        {"PUT /ok/",                     301, "Location: /ok\r\n",                           ""                                     },
        {"PUT /ok/",                     301, "!Content-Type",                               ""                                     },
        {"POST /ok/",                    405, "Allow: GET, HEAD, PUT\r\n",                   ""                                     },
        {"POST /ok/",                    405, "!Location",                                   ""                                     },
        {"GET /nothing/",                404, "!Location",                                   "404 page not found\n"                 },
 /* not clean */
        {"GET //ok",                     301, "Location: /ok\r\n",                           ""                                     },
        {"GET //ok",                     301, "!Content-Type",                               ""                                     },
        {"GET /./ok",                    301, "Location: /ok\r\n",                           ""                                     },
        {"GET /x/../ok?q",               301, "Location: /ok?q\r\n",                         ""                                     },
        {"GET /x/%2e%2e/ok",             301, "Location: /ok\r\n",                           ""                                     },
        {"GET /x/..%2fok",               301, "Location: /ok\r\n",                           ""                                     },
        {"GET //evil.example/%0d%0aX:y", 301, "Location: /evil.example/%0D%0AX:y\r\n",       ""                                     },
 /* methods and paths that are not ours */
        {"POST /ok",                     405, "Allow: GET, HEAD, PUT\r\n",                   ""                                     },
        {"POST /ok",                     405, "Content-Length: 0\r\n",                       ""                                     },
        {"POST /ok",                     405, "!Content-Type",                               ""                                     },
        {"OPTIONS /ok",                  405, "Allow: GET, HEAD, PUT\r\n",                   ""                                     },
        {"BREW /ok",                     405, "Allow: GET, HEAD, PUT\r\n",                   ""                                     },
        {"GET /nothing",                 404, "Content-Type: text/plain; charset=utf-8\r\n",
         "404 page not found\n"                                                                                                     },
        {"GET /nothing",                 404, "X-Content-Type-Options: nosniff\r\n",         "404 page not found\n"                 },
        {"GET /nothing",                 404, "!Cache-Control",                              "404 page not found\n"                 },
        {"OPTIONS *",                    400, "",                                            "malformed request target\n"           },
        {"GET http://a/ok",              400, "",                                            NULL                                   },
        {"GET /echo/%00",                400, "",                                            NULL                                   },
        {"GET /echo/%0",                 400, "",                                            NULL                                   },
        {"GET /ok\x80",                  400, "",                                            NULL                                   },
        {"GET /o k",                     400, "",                                            NULL                                   },
};

START_TEST(answers)
{
        const char *head = requests[_i].head + (*requests[_i].head == '!');
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w, requests[_i].line);
        wire_puts(&w, " HTTP/1.1\r\n" HOST "\r\n");
        a = wire_answer(&w, requests[_i].line[0] == 'H');
        ck_assert_msg(a.status == requests[_i].status, "%s:\n%s", requests[_i].line, a.head);
        ck_assert_msg(!strstr(a.head, head) == (head != requests[_i].head), "%s:\n%s", head,
                      a.head);
        if (requests[_i].body)
                ck_assert_msg(answer_body_is(&a, requests[_i].body), "%.*s", (int)a.n_body, a.body);
        assert_fate(&w, &a, KEPT);
        wire_close(&w);
}
END_TEST

#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LENGTH  "Content-Length: "
#define END     "\r\n\r\n"
#define NOTHING "0" END
#define FIVE    "5\r\nhello\r\n"

/* What follows "PUT /ok HTTP/1.1" and a Host; where we must not believe it, more than it seems. */
static const struct {
        const char *rest;
        int status;
        enum fate fate;
} heads[] = {
        {LENGTH "5" END "hello",                                  200, KEPT },
        {LENGTH "0" END,                                          200, KEPT },
        {CHUNKED "\r\n" FIVE NOTHING,                             200, KEPT },
        {CHUNKED "\r\n5;x=y\r\nhello\r\n0\r\nA: b" END,           200, KEPT },
        {"transfer-encoding: CHUNKED" END NOTHING,                200, KEPT },
        {"Connection: close" END,                                 200, ENDED},
        {"Connection: close, x" END PROBE,                        200, ENDED},
        {LENGTH "65537" END,                                      413, ENDED},
        {LENGTH "18446744073709551615" END,                       413, ENDED},
        {LENGTH "99999999999999999999999" END,                    413, DEAD },
 /* two opinions about where this request ends */
        {LENGTH "5\r\n" LENGTH "0" END PROBE,                     400, ENDED},
        {LENGTH "5\r\n" LENGTH "5" END "hello" PROBE,             400, ENDED},
        {LENGTH "5\r\n" CHUNKED "\r\n" NOTHING PROBE,             400, ENDED},
        {CHUNKED LENGTH "5" END NOTHING PROBE,                    400, ENDED},
        {CHUNKED CHUNKED "\r\n" NOTHING PROBE,                    400, ENDED},
        {CHUNKED "Transfer-Encoding: identity" END NOTHING PROBE, 400, ENDED},
        {"Transfer-Encoding: gzip, chunked" END NOTHING PROBE,    501, ENDED},
        {"Transfer-Encoding: identity" END PROBE,                 501, ENDED},
        {"Transfer-Encoding: xchunked" END NOTHING PROBE,         501, ENDED},
        {LENGTH "+5" END "hello" PROBE,                           400, DEAD },
        {LENGTH "-5" END PROBE,                                   400, DEAD },
        {LENGTH "5, 5" END "hello" PROBE,                         400, DEAD },
        {CHUNKED "\r\nxyz\r\n" PROBE,                             400, DEAD },
        {CHUNKED "\r\n5\r\nhelloX\r\n" NOTHING PROBE,             400, DEAD },
 /* names and values that are none */
        {"Content-Length : 5" END "hello" PROBE,                  400, ENDED},
        {"Transfer-Encoding\t: chunked" END NOTHING PROBE,        400, ENDED},
        {"X: a\r\n Content-Length: 5" END "hello" PROBE,          400, ENDED},
        {"X: a\rContent-Length: 5" END "hello" PROBE,             400, ENDED},
        {"X: a\x01" END PROBE,                                    400, ENDED},
        {"X(y): a" END PROBE,                                     400, ENDED},
        {"X" END PROBE,                                           400, DEAD },
        {HOST "\r\n" PROBE,                                       400, ENDED},
};

START_TEST(believes_a_head_or_ends_the_connection)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w, "PUT /ok HTTP/1.1\r\n" HOST);
        wire_puts(&w, heads[_i].rest);
        a = wire_answer(&w, false);
        ck_assert_msg(a.status == heads[_i].status, "%s:\n%s", heads[_i].rest, a.head);
        ck_assert_msg((heads[_i].fate == KEPT) == !strstr(a.head, "\r\nConnection: close\r\n"),
                      "%s", a.head);
        assert_fate(&w, &a, heads[_i].fate);
        wire_close(&w);
}
END_TEST

/* Versions, and what they ask of Host. */
static const struct {
        const char *request;
        int status;
        enum fate fate;
} versions[] = {
        {"GET /ok HTTP/1.0" END,                              200, ENDED},
        {"GET /big HTTP/1.0" END,                             200, ENDED},
        {"GET /ok HTTP/1.0\r\nConnection: keep-alive" END,    200, KEPT },
        {"PUT /ok HTTP/1.0\r\n" LENGTH "5" END "hello",       200, ENDED},
        {"PUT /ok HTTP/1.0\r\n" CHUNKED "\r\n" NOTHING PROBE, 400, ENDED},
        {"GET /ok HTTP/1.1" END,                              400, ENDED},
        {"GET /ok HTTP/1.1\r\nhOsT: a:80" END,                200, KEPT },
        {"GET /ok HTTP/1.1\r\nHost: " END,                    200, KEPT },
        {"GET /ok HTTP/1.1\r\nHost: [::1]:1050" END,          200, KEPT },
        {"GET /ok HTTP/1.1\r\nHost: a, b" END,                400, ENDED},
        {"GET /ok HTTP/1.1\r\nHost: u@a" END,                 400, ENDED},
        {"GET /ok HTTP/1.1\r\nHost: a/b" END,                 400, ENDED},
        {"GET /ok HTTP/2.0" END,                              505, DEAD },
        {"GET /ok HTTP/0.9" END,                              505, DEAD },
        {"GET /ok" END,                                       400, DEAD },
        {"GET" END,                                           0,   DEAD },
        {"\r\n" PROBE,                                        200, KEPT },
};

START_TEST(knows_versions)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w, versions[_i].request);
        a = wire_answer(&w, false);
        ck_assert_msg(a.status == versions[_i].status, "%s:\n%s", versions[_i].request, a.head);
        ck_assert(!strstr(a.head, "Transfer-Encoding"));
        assert_fate(&w, &a, versions[_i].fate);
        wire_close(&w);
}
END_TEST

START_TEST(joins_header_fields)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w,
                  "GET /conditions HTTP/1.1\r\n" HOST "If-None-Match: \"x\"\r\nPrefer: wait=1\r\n"
                  "IF-NONE-MATCH: \"y\"" END);
        a = wire_answer(&w, false);
        ck_assert_msg(answer_body_is(&a, "\"x\", \"y\" and wait=1\n"), "%.*s", (int)a.n_body,
                      a.body);
        wire_close(&w);
}
END_TEST

#define PUT   "PUT /ok HTTP/1.1\r\n" HOST
#define GET   "GET /ok HTTP/1.1\r\n" HOST
#define TO_OK " HTTP/1.1\r\n" HOST "\r\n"

static const struct {
        const char *before;
        char fill;
        size_t n_fill;
        const char *after;
        int status;
        enum fate fate;
} long_ones[] = {
        {"GET /",                      'a', ROUTE_PATH_MAX - 2, TO_OK,          404, KEPT },
        {"GET /",                      'a', ROUTE_PATH_MAX - 1, TO_OK,          414, KEPT },
        {"GET /",                      'a', 100000,             TO_OK,          414, DEAD },
        {"GET /ok?",                   '&', 2000,               TO_OK,          200, KEPT },
        {"GET //",                     '"', 1000,               TO_OK,          400, KEPT },
        {GET "X: ",                    'a', 4000,               END,            200, KEPT },
        {GET "X: ",                    'a', 100000,             END,            431, DEAD },
        {GET "Prefer: ",               'a', 2000,               END,            200, KEPT },
        {PUT LENGTH "65536" END,       'a', 65536,              "",             200, KEPT },
        {PUT LENGTH "100000" END,      'a', 100000,             "",             413, DEAD },
        {PUT CHUNKED "\r\n10000\r\n",  'a', 65536,              "\r\n" NOTHING, 200, KEPT },
        {PUT CHUNKED "\r\n10001\r\n",  'a', 65537,              "\r\n" NOTHING, 413, ENDED},
        {PUT CHUNKED "\r\nffffff\r\n", 'a', 0xffffff,           "\r\n" NOTHING, 0,   DEAD },
};

START_TEST(bounds)
{
        size_t n = long_ones[_i].n_fill;
        char *fill = malloc(n);
        static struct wire w;
        struct answer a;

        memset(fill, long_ones[_i].fill, n);
        wire_open(&w);
        wire_puts(&w, long_ones[_i].before);
        wire_send(&w, fill, n);
        wire_puts(&w, long_ones[_i].after);
        a = wire_answer(&w, false);
        ck_assert_msg(a.status == long_ones[_i].status, "%s", a.head);
        assert_fate(&w, &a, long_ones[_i].fate);
        wire_close(&w);
        free(fill);
}
END_TEST

START_TEST(sends_large_bodies)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        for (size_t i = 0; i < 3; i++) {
                a = wire_ask(&w, "/big");
                ck_assert_int_eq(a.status, 200);
                ck_assert_uint_eq(a.n_body, BIG_BYTES);
                ck_assert_mem_eq(a.body, blob_data(big), BIG_BYTES);
                wire_forget(&w, a.n_body);
        }
        wire_close(&w);
}
END_TEST

START_TEST(answers_a_pipeline_in_order)
{
        static struct wire w;
        char want[128], request[128];
        struct answer a;

        wire_open(&w);
        for (int i = 0; i < 20; i++) {
                (void)snprintf(request, sizeof(request), "GET /echo/%d HTTP/1.1\r\n" HOST "\r\n",
                               i);
                wire_puts(&w, request);
        }
        wire_puts(&w, "GET /until-later HTTP/1.1\r\n" HOST "\r\n" PROBE);
        for (int i = 0; i < 20; i++) {
                a = wire_answer(&w, false);
                (void)snprintf(want, sizeof(want), "GET /echo/%d ? arg=%d none\n", i, i);
                ck_assert_msg(answer_body_is(&a, want), "%.*s", (int)a.n_body, a.body);
                wire_forget(&w, a.n_body);
        }
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "late\n"));
        wire_forget(&w, a.n_body);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "ok\n"));
        wire_close(&w);
}
END_TEST

START_TEST(takes_a_request_byte_by_byte)
{
        static const char request[] = "PUT /ok HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
        static struct wire w;
        struct answer a;

        wire_open(&w);
        for (size_t i = 0; i < sizeof(request) - 1; i++)
                wire_send(&w, request + i, 1);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "ok\n"));
        wire_close(&w);
}
END_TEST

/* Wherever a request stops, the next client is served. */
START_TEST(survives_half_sent_requests)
{
        static const char request[] = "PUT /ok HTTP/1.1\r\n" HOST
                                      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        static struct wire w;

        for (size_t n = 0; n < sizeof(request); n++) {
                wire_open(&w);
                wire_send(&w, request, n);
                wire_close(&w);
        }
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);
        wire_close(&w);
}
END_TEST

START_TEST(says_continue)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w,
                  "PUT /ok HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        ck_assert_int_eq(wire_answer(&w, false).status, 100);
        wire_puts(&w, "hi");
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "ok\n"));
        wire_close(&w);
}
END_TEST

/* Parking. */

START_TEST(wakes_a_parked_request)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w, "GET /until-woken HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        atomic_store(&generation, 1);
        parked_wake(parked);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "woken\n"));
        assert_fate(&w, &a, KEPT);
        wire_close(&w);
}
END_TEST

START_TEST(answers_when_too_many_are_parked)
{
        static struct wire w[PARKED_MAX + 1];
        struct answer a;

        for (size_t i = 0; i < PARKED_MAX; i++) {
                wire_open(&w[i]);
                wire_puts(&w[i], "GET /until-woken HTTP/1.1\r\n" HOST "\r\n");
                wait_for_handler();
        }
        /* One thread runs the handlers: when the next one runs, all of these are parked. */
        wire_open(&w[PARKED_MAX]);
        a = wire_ask(&w[PARKED_MAX], "/until-woken");
        ck_assert(answer_body_is(&a, "told to answer\n"));
        atomic_store(&generation, 1);
        parked_wake(parked);
        for (size_t i = 0; i < PARKED_MAX; i++) {
                a = wire_answer(&w[i], false);
                ck_assert(answer_body_is(&a, "woken\n"));
                wire_close(&w[i]);
        }
        wire_close(&w[PARKED_MAX]);
}
END_TEST

START_TEST(does_not_let_a_handler_park_for_ever)
{
        static struct wire w;

        wire_open(&w);
        wire_puts(&w, "GET /stubborn HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        parked_close(parked);
        ck_assert_int_eq(wire_answer(&w, false).status, 500);
        wire_close(&w);
}
END_TEST

START_TEST(survives_clients_that_hang_up_while_parked)
{
        static struct wire w;

        for (size_t i = 0; i < 10; i++) {
                wire_open(&w);
                wire_puts(&w, "GET /until-woken HTTP/1.1\r\n" HOST "\r\n");
                wait_for_handler();
                wire_close(&w);
        }
        atomic_store(&generation, 1);
        parked_wake(parked);
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);
        wire_close(&w);
}
END_TEST

START_TEST(answers_parked_requests_when_it_stops)
{
        static struct wire w[8];
        uint64_t begun;
        struct answer a;

        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                wire_open(&w[i]);
                wire_puts(&w[i], "GET /until-woken HTTP/1.1\r\n" HOST "\r\n");
                wait_for_handler();
        }
        begun = now_mono_usec();
        server = server_free(server);
        ck_assert_uint_lt(now_mono_usec() - begun, 10 * USEC_PER_SEC);
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                a = wire_answer(&w[i], false);
                ck_assert(answer_body_is(&a, "told to answer\n"));
                wire_close(&w[i]);
        }
}
END_TEST

/* Stopping at any moment of a request: no abort, no hang, no leak. */
START_TEST(stops_while_clients_are_in_the_middle)
{
        static struct wire idle, half, slow, gone, parked_one;

        wire_open(&idle);
        wire_open(&half);
        wire_puts(&half, "PUT /ok HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhe");
        wire_open(&slow);
        for (size_t i = 0; i < 50; i++) /* 12 MiB that nobody reads */
                wire_puts(&slow, "GET /big HTTP/1.1\r\n" HOST "\r\n");
        wire_open(&gone);
        wire_puts(&gone, "GET /until-woken HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        wire_close(&gone);
        wire_open(&parked_one);
        wire_puts(&parked_one, "GET /until-woken HTTP/1.1\r\n" HOST "\r\n" PROBE);
        wait_for_handler();
        server = server_free(server);
        ck_assert_int_eq(wire_answer(&parked_one, false).status, 200);
        wire_close(&idle);
        wire_close(&half);
        wire_close(&slow);
        wire_close(&parked_one);
}
END_TEST

#define N_CLIENTS 8
#define N_CYCLES  200

static sem_t client_got_answer;
static atomic_bool storm_over;

static void *storm_client(void *userdata)
{
        struct wire *w = userdata;
        char target[64];

        for (uint64_t seen = 0; seen < N_CYCLES;) {
                struct answer a;

                (void)snprintf(target, sizeof(target), "/newer/%llu", (unsigned long long)seen);
                a = wire_ask(w, target);
                if (a.status != 200 || strtoull(a.body, NULL, 10) <= seen)
                        return NULL;
                seen = strtoull(a.body, NULL, 10);
                wire_forget(w, a.n_body);
                sem_post(&client_got_answer);
        }
        return w;
}

/* Changes that concern nobody: requests look again and park again, as fast as they can. */
static void *storm_noise(void *userdata)
{
        (void)userdata;
        while (!atomic_load(&storm_over)) {
                parked_wake(parked);
                sched_yield();
        }
        return NULL;
}

static void wait_for_all_clients(void)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        for (size_t i = 0; i < N_CLIENTS; i++)
                while (sem_timedwait(&client_got_answer, &until) < 0)
                        ck_assert_int_eq(errno, EINTR);
}

START_TEST(never_loses_a_wake_up)
{
        static struct wire w[N_CLIENTS];
        pthread_t clients[N_CLIENTS], noise;
        void *done;

        sem_init(&client_got_answer, 0, 0);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                wire_open(&w[i]);
                ck_assert_int_eq(pthread_create(&clients[i], NULL, storm_client, &w[i]), 0);
        }
        if (_i == 1)
                ck_assert_int_eq(pthread_create(&noise, NULL, storm_noise, NULL), 0);
        for (size_t i = 0; i < N_CYCLES; i++) {
                atomic_fetch_add(&generation, 1);
                parked_wake(parked);
                wait_for_all_clients();
        }
        atomic_store(&storm_over, true);
        if (_i == 1)
                ck_assert_int_eq(pthread_join(noise, NULL), 0);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                ck_assert_int_eq(pthread_join(clients[i], &done), 0);
                ck_assert_ptr_nonnull(done);
                wire_close(&w[i]);
        }
}
END_TEST

/* Sockets. */

START_TEST(makes_a_socket_for_everybody)
{
        struct stat st;

        ck_assert_int_eq(lstat(address.un.sun_path, &st), 0);
        ck_assert(S_ISSOCK(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07777, 0666);
}
END_TEST

START_TEST(leaves_a_socket_that_answers)
{
        static struct wire w;
        struct err e;

        ck_assert_int_eq(listen_again(&e), -EADDRINUSE);
        ck_assert_ptr_nonnull(strstr(e.text, address.un.sun_path));
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);
        wire_close(&w);
}
END_TEST

START_TEST(leaves_a_file)
{
        struct err e;
        FILE *f;

        make_address("unix:%s/file", directory);
        f = fopen(address.un.sun_path, "w");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        ck_assert_int_eq(listen_again(&e), -EEXIST);
        ck_assert_int_eq(unlink(address.un.sun_path), 0);
}
END_TEST

START_TEST(replaces_a_socket_that_nobody_answers)
{
        static struct wire w;
        struct err e;
        int fd;

        make_address("unix:%s/old", directory);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(fd, &address.sa, address.n), 0);
        close(fd);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);
        wire_close(&w);
}
END_TEST

START_TEST(leaves_what_took_its_place)
{
        FILE *f;

        ck_assert_int_eq(unlink(address.un.sun_path), 0);
        f = fopen(address.un.sun_path, "w");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        server = server_free(server);
        ck_assert_int_eq(unlink(address.un.sun_path), 0);
}
END_TEST

START_TEST(says_what_is_wrong_with_a_directory)
{
        struct err e;

        make_address("unix:%s/missing/sock", directory);
        ck_assert_int_eq(listen_again(&e), -ENOENT);
        ck_assert_ptr_nonnull(strstr(e.text, "/missing/sock"));
}
END_TEST

/* A port that was free a moment ago. */
static void make_tcp_address(const char *host)
{
        int family = strchr(host, ':') ? AF_INET6 : AF_INET;
        char text[SOCK_ADDRESS_MAX];
        int fd;

        (void)snprintf(text, sizeof(text), family == AF_INET6 ? "[%s]:1" : "%s:1", host);
        ck_assert_int_eq(parse_listen(text, &address), 0);
        if (family == AF_INET6)
                address.in6.sin6_port = 0;
        else
                address.in.sin_port = 0;
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(fd, &address.sa, address.n), 0);
        ck_assert_int_eq(getsockname(fd, &address.sa, &address.n), 0);
        close(fd);
}

START_TEST(listens_on_tcp)
{
        static const char *const hosts[] = {"127.0.0.1", "::1"};
        static struct wire w;
        struct err e;

        make_tcp_address(hosts[_i]);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        ck_assert_int_eq(listen_again(&e), -EADDRINUSE);
        wire_open(&w);
        ck_assert_uint_eq(wire_ask(&w, "/big").n_body, BIG_BYTES);

        /* The port is free again at once, although we ended this connection first. */
        server = server_free(server);
        parked_free(parked);
        ck_assert_int_eq(parked_new(&parked), 0);
        start_server();
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        wire_close(&w);
}
END_TEST

START_TEST(bounds_connections_of_one_address)
{
        static struct wire w[SERVER_CONNECTIONS_PEER_MAX + 1];
        struct err e;

        make_tcp_address("127.0.0.1");
        ck_assert_int_eq(listen_again(&e), 0);
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                wire_open(&w[i]);
                ck_assert_int_eq(wire_ask(&w[i], "/ok").status, i < ELEMENTSOF(w) - 1 ? 200 : 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
}
END_TEST

/* An address of ours that is not loopback, in a network of our own; false where that is not allowed. */
static bool make_foreign_address(const char *host)
{
        struct ifreq request = {.ifr_name = "lo"};
        struct sockaddr_in in = {.sin_family = AF_INET};
        bool made;
        int fd;

        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return false;
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        inet_pton(AF_INET, host, &in.sin_addr);
        memcpy(&request.ifr_addr, &in, sizeof(in));
        made = ioctl(fd, SIOCSIFADDR, &request) == 0;
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        made = made && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
        close(fd);
        return made;
}

START_TEST(refuses_who_may_not_ask)
{
        static const struct {
                const char *listed;
                int status;
        } cases[] = {
                {NULL,              403},
                {"198.51.100.0/24", 403},
                {"192.0.2.0/24",    200},
        };
        static struct wire w;
        struct answer a;
        struct err e;

        if (!make_foreign_address("192.0.2.1"))
                return;
        if (cases[_i].listed)
                ck_assert_int_eq(parse_ip_prefix(cases[_i].listed,
                                                 &authority.networks[authority.n_networks++]),
                                 0);
        set_up();
        make_tcp_address("192.0.2.1");
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        wire_open(&w);
        for (size_t i = 0; i < 2; i++) { /* a refusal does not cost the connection */
                a = wire_ask(&w, "/ok");
                ck_assert_int_eq(a.status, cases[_i].status);
                wire_forget(&w, a.n_body);
        }
        wire_close(&w);
        tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("server");
        TCase *tc = tcase_create("server"), *foreign = tcase_create("foreign");

        tcase_set_timeout(tc, 120);
        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, answers, 0, ELEMENTSOF(requests));
        tcase_add_loop_test(tc, believes_a_head_or_ends_the_connection, 0, ELEMENTSOF(heads));
        tcase_add_loop_test(tc, knows_versions, 0, ELEMENTSOF(versions));
        tcase_add_test(tc, joins_header_fields);
        tcase_add_loop_test(tc, bounds, 0, ELEMENTSOF(long_ones));
        tcase_add_test(tc, sends_large_bodies);
        tcase_add_test(tc, answers_a_pipeline_in_order);
        tcase_add_test(tc, takes_a_request_byte_by_byte);
        tcase_add_test(tc, survives_half_sent_requests);
        tcase_add_test(tc, says_continue);
        tcase_add_test(tc, wakes_a_parked_request);
        tcase_add_test(tc, answers_when_too_many_are_parked);
        tcase_add_test(tc, does_not_let_a_handler_park_for_ever);
        tcase_add_test(tc, survives_clients_that_hang_up_while_parked);
        tcase_add_test(tc, answers_parked_requests_when_it_stops);
        tcase_add_test(tc, stops_while_clients_are_in_the_middle);
        tcase_add_loop_test(tc, never_loses_a_wake_up, 0, 2);
        tcase_add_test(tc, makes_a_socket_for_everybody);
        tcase_add_test(tc, leaves_a_socket_that_answers);
        tcase_add_test(tc, leaves_a_file);
        tcase_add_test(tc, replaces_a_socket_that_nobody_answers);
        tcase_add_test(tc, leaves_what_took_its_place);
        tcase_add_test(tc, says_what_is_wrong_with_a_directory);
        tcase_add_loop_test(tc, listens_on_tcp, 0, 2);
        tcase_add_test(tc, bounds_connections_of_one_address);
        suite_add_tcase(suite, tc);
        /* Without the fixture, whose threads would be in the old network. */
        tcase_set_timeout(foreign, 60);
        tcase_add_loop_test(foreign, refuses_who_may_not_ask, 0, 3);
        suite_add_tcase(suite, foreign);
        return test_main(suite);
}
