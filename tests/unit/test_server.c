/* It answers on real sockets: raw bytes in, raw bytes out, clients that misbehave, and a clean end. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <zlib.h>

#include "api/errand.h"
#include "api/server.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a fault takes as long */
#define BIG_BYTES        262144u
#define HOST             "Host: localhost\r\n"
#define JSON             "Content-Type: application/json\r\n"
#define PROBE            "GET /ok HTTP/1.1\r\n" HOST "\r\n"

/* The world of one test. */

static sem_t handler_ran;
static _Atomic uint64_t generation;
static struct blob *big;
static struct rope *rope; /* a quarter of a megabyte, too */
static struct parked *parked;
static struct server *server;
static struct authority authority = {.operators = (gid_t)-1};
static struct server_limits limits; /* set before start_server() */
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

static struct blob *copy_of_big(void)
{
        struct buf b = {};

        buf_append(&b, blob_data(big), blob_size(big));
        return blob_new_take(&b);
}

static int handle_built(const struct request *q, struct reply *r)
{
        (void)q;
        return reply_blob(r, 200, "application/json", copy_of_big());
}

static int handle_parts(const struct request *q, struct reply *r)
{
        struct buf b = {};

        (void)q;
        buf_puts(&b, "and the end");
        return reply_blobs(r, 200, "application/json", blob_ref(big), blob_new_take(&b));
}

/* A part of prime length, and what stands between, so that no block ends where a part does. */
#define ROPE_PART_BYTES 2447u
#define ROPE_PARTS      107u
#define ROPE_BETWEEN    ","

static struct rope *make_rope(void)
{
        struct rope_builder rb = {};
        struct buf b = {};
        struct blob *part;

        for (unsigned i = 0; b.n < ROPE_PART_BYTES; i++)
                buf_printf(&b, "{\"%u\":%u}", i % 37, i);
        b.n = ROPE_PART_BYTES;
        part = blob_new_take(&b);
        for (size_t i = 0; i < ROPE_PARTS; i++) {
                rope_builder_add(&rb, part);
                buf_puts(&rb.text, ROPE_BETWEEN);
        }
        blob_unref(part);
        return rope_new_take(&rb);
}

static int handle_rope(const struct request *q, struct reply *r)
{
        (void)q;
        reply_header(r, "ETag", "\"1.2\"");
        reply_may_encode(r);
        return reply_rope(r, 200, "application/json", rope_ref(rope));
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

static int handle_body(const struct request *q, struct reply *r)
{
        if (q->n_body > 64)
                return reply_text(r, 200, "%zu bytes", q->n_body);
        return reply_text(r, 200, "%zu %s %s", q->n_body, q->body, str_or(q->content_type, "-"));
}

static int handle_who(const struct request *q, struct reply *r)
{
        return reply_text(r, 200, "%s: %s%s", q->caller_name,
                          authority_class_to_string(q->caller.class),
                          q->caller.output ? " with output" : "");
}

static void on_errand(void *data)
{
        (void)data;
}

static enum errand_progress on_question(struct errand *e, void *data)
{
        (void)e;
        (void)data;
        return ERRAND_OVER;
}

/* Nobody answers it, and it wakes nobody else. */
static int handle_question(const struct request *q, struct reply *r)
{
        static const struct errand_terms terms = {.run = on_question, .only_reads = true};

        if (!*q->errand && errand_new_later(q->errand, &terms) < 0)
                return -ENOMEM;
        sem_post(&handler_ran);
        if (q->may_park && atomic_load(&generation) == 0)
                return reply_park_for(r, USEC_INFINITY, &generation);
        return reply_text(r, 200, "%s", q->may_park ? "woken" : "told to answer");
}

/* Nobody does it: it goes with the request. */
static int handle_errand(const struct request *q, struct reply *r)
{
        if (!*q->errand && errand_new(q->errand, 8, on_errand) < 0)
                return -ENOMEM;
        return handle_until_woken(q, r);
}

static const struct route routes[] = {
        {"GET",            "/ok",                 handle_ok                },
        {"PUT",            "/ok",                 handle_ok                },
        {"GET",            "/echo/{arg}",         handle_echo              },
        {"GET",            "/conditions",         handle_conditions        },
        {"GET",            "/big",                handle_big               },
        {"GET",            "/built",              handle_built             },
        {"GET",            "/parts",              handle_parts             },
        {"GET",            "/rope",               handle_rope              },
        {"GET",            "/question",           handle_question,           AUTHORITY_READ},
        {"GET",                "/unchanged",                                 handle_unchanged                              },
        {"GET",                "/no-memory",                                 handle_no_memory},
        {"GET",                "/stubborn",                                 handle_stubborn                               },
        {"GET",                "/until-woken",                                 handle_until_woken},
        {"GET",                "/until-later",                                 handle_until_later                               },
        {"GET",                "/newer/{than}",                                 handle_newer},
        {"GET",                "/who",                                 handle_who                                        },
        {"GET",                "/read",                                 handle_who,AUTHORITY_READ},
        {"GET",  "/operate",                       handle_who,                                                 AUTHORITY_OPERATE},
        {"GET",      "/read-later",handle_until_woken,AUTHORITY_READ},
        {"GET","/body",              handle_body                                                            },
        {"PUT",            "/body",                             handle_body                             },
        {"PUT",            "/untyped",               handle_body, .untyped = true},
        {"POST",            "/untyped",            handle_body,            .untyped = true},
        {"PUT",                "/operate",                                handle_body,                                    AUTHORITY_OPERATE},
        {"POST", "/operate",                      handle_body,                                AUTHORITY_OPERATE},
        {"PUT",     "/errand",handle_errand,AUTHORITY_OPERATE},
        {NULL,      NULL,NULL},
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
                .limits = limits,
        };
        struct err e;

        ck_assert_msg(server_new(&server, &options, &e) == 0, "%s", e.text);
}

/* The next server, after server_free(). */
static void renew(void)
{
        parked_free(parked);
        ck_assert_int_eq(parked_new(&parked), 0);
        start_server();
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
        rope = make_rope();
        ck_assert_int_eq(parked_new(&parked), 0);
        start_server();
        strcpy(directory, "/tmp/diag-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(chmod(directory, 0755), 0); /* other users connect, too */
        make_address("unix:%s/sock", directory);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
}

static void tear_down(void)
{
        server = server_free(server);
        parked = parked_free(parked);
        big = blob_unref(big);
        rope = rope_unref(rope);
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

/* This thread alone, and only until it is @uid 0 again: no library call, which would take all threads along. */
static void become(uid_t uid)
{
        ck_assert_int_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
}

static bool may_become(void)
{
        return geteuid() == 0;
}

/* As somebody else, which is what the server sees: who connects, not who asks. */
static void wire_open_as(struct wire *w, uid_t uid)
{
        become(uid);
        wire_open(w);
        become(0);
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

/* Something has come, which is left where it is. */
static void wire_await(struct wire *w)
{
        struct pollfd p = {.fd = w->fd, .events = POLLIN};

        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
}

/* False at the end. */
static bool wire_receive(struct wire *w)
{
        ssize_t n;

        wire_await(w);
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
        {CHUNKED "\r\n" FIVE NOTHING PROBE,                       200, ENDED},
        {CHUNKED "\r\n5;x=y\r\nhello\r\n0\r\nA: b" END PROBE,     200, ENDED},
        {CHUNKED "\r\n5;x\nhello\r\n0\r\nA: b\r\n: c\r\n" PROBE,  200, ENDED},
        {"transfer-encoding: CHUNKED" END NOTHING PROBE,          200, ENDED},
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
        wire_puts(&w, "PUT /ok HTTP/1.1\r\n" HOST JSON);
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
        {"PUT /ok HTTP/1.0\r\n" JSON LENGTH "5" END "hello",  200, ENDED},
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

#define PUT   "PUT /ok HTTP/1.1\r\n" HOST JSON
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
        {PUT CHUNKED "\r\n10000\r\n",  'a', 65536,              "\r\n" NOTHING, 200, ENDED},
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
        static const char request[] =
                "PUT /ok HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\nhi";
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
        static const char request[] = "PUT /ok HTTP/1.1\r\n" HOST JSON
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
        wire_puts(&w, "PUT /ok HTTP/1.1\r\n" HOST JSON
                      "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
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

#define PARK "GET /until-woken HTTP/1.1\r\n" HOST "\r\n"

/* One thread runs the handlers: when the next one runs, all of these are parked. */
static void park(struct wire *w, uid_t uid)
{
        wire_open_as(w, uid);
        wire_puts(w, PARK);
        wait_for_handler();
}

static void wake_all(struct wire *w, size_t n)
{
        atomic_store(&generation, 1);
        parked_wake(parked);
        for (size_t i = 0; i < n; i++) {
                struct answer a = wire_answer(&w[i], false);

                ck_assert_msg(answer_body_is(&a, "woken\n"), "%zu: %s", i, a.body);
                wire_close(&w[i]);
        }
}

START_TEST(answers_when_too_many_are_parked)
{
        static struct wire w[PARKED_MAX], one_more;
        struct server_stats stats;
        struct answer a;

        if (!may_become())
                return;
        for (size_t i = 0; i < PARKED_MAX; i++)
                park(&w[i], 1000 + (uid_t)i);
        wire_open_as(&one_more, 1);
        a = wire_ask(&one_more, "/until-woken");
        ck_assert(answer_body_is(&a, "told to answer\n"));
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.parked.n_waiting, PARKED_MAX);
        ck_assert_uint_eq(stats.parked.n_refused, 1);
        wake_all(w, PARKED_MAX);
        wire_close(&one_more);
}
END_TEST

START_TEST(answers_when_too_many_of_one_user_are_parked)
{
        static struct wire w[PARKED_PEER_MAX + 1], one_more;
        struct answer a;

        if (!may_become())
                return;
        for (size_t i = 0; i < PARKED_PEER_MAX; i++)
                park(&w[i], 1000);
        wire_open_as(&one_more, 1000);
        for (size_t i = 0; i < 2; i++) { /* which does not cost the connection */
                a = wire_ask(&one_more, "/until-woken");
                ck_assert(answer_body_is(&a, "told to answer\n"));
                wire_forget(&one_more, a.n_body);
                wait_for_handler();
                wait_for_handler();
        }
        park(&w[PARKED_PEER_MAX], 1001);
        wake_all(w, ELEMENTSOF(w));
        wire_close(&one_more);
}
END_TEST

static void wait_until_n_are_parked(size_t n)
{
        struct server_stats stats;

        do {
                (void)poll(NULL, 0, 1);
                server_stats(server, &stats);
        } while (stats.parked.n_waiting != n);
}

/* Not when their time is over, which it never is. */
START_TEST(gives_away_the_places_of_those_who_hang_up)
{
        static struct wire w[PARKED_PEER_MAX], stays;
        struct server_stats stats;

        if (!may_become())
                return;
        park(&stays, 1001);
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                park(&w[i], 1000);
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
        wait_until_n_are_parked(1);
        do { /* their connections end, too */
                (void)poll(NULL, 0, 1);
                server_stats(server, &stats);
        } while (stats.listeners[0].n_open != 1);
        while (sem_trywait(&handler_ran) == 0)
                ;
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                park(&w[i], 1000);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.parked.n_refused, 0);
        wake_all(w, ELEMENTSOF(w));
        wake_all(&stays, 1);
}
END_TEST

/* A change that was begun is told to its end. */
START_TEST(does_not_hurry_those_who_want_a_change)
{
        static struct wire w, other;

        if (!may_become())
                return;
        wire_open(&w);
        wire_puts(&w, "PUT /errand HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        ck_assert_int_eq(shutdown(w.fd, SHUT_WR), 0);
        park(&other, 0);
        wire_close(&other);
        wait_until_n_are_parked(1); /* what hung up later has been seen */
        wake_all(&w, 1);
}
END_TEST

START_TEST(parks_those_who_operate_without_limit)
{
        static struct wire w[PARKED_MAX + 3];

        if (!may_become())
                return;
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                park(&w[i], 0);
        wake_all(w, ELEMENTSOF(w));
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

/* A port of the kernel's choice. */
static void make_tcp_address(const char *host)
{
        char text[SOCK_ADDRESS_MAX];

        (void)snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:1" : "%s:1", host);
        ck_assert_int_eq(parse_listen(text, &address), 0);
        if (address.sa.sa_family == AF_INET6)
                address.in6.sin6_port = 0;
        else
                address.in.sin_port = 0;
}

/* From here on, clients of the test connect to this listener. */
static void use_listener(size_t i)
{
        const struct sock_address *a = server_listener_address(server, i);

        ck_assert_ptr_nonnull(a);
        address = *a;
}

static void listen_on_tcp(const char *host)
{
        size_t n = 0;
        struct err e;

        while (server_listener_address(server, n))
                n++;
        make_tcp_address(host);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        use_listener(n);
        ck_assert_uint_ne(address.in.sin_port, 0); /* at the same place in in6 */
}

START_TEST(listens_on_tcp)
{
        static const char *const hosts[] = {"127.0.0.1", "::1"};
        static struct wire w;
        struct err e;

        listen_on_tcp(hosts[_i]);
        ck_assert_int_eq(listen_again(&e), -EADDRINUSE);
        wire_open(&w);
        ck_assert_uint_eq(wire_ask(&w, "/big").n_body, BIG_BYTES);

        /* The port is free again at once, although we ended this connection first. */
        server = server_free(server);
        renew();
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
        wire_close(&w);
}
END_TEST

/* Who only has nothing more to say gets his answer, now, and then the end. */
START_TEST(answers_who_ends_his_half)
{
        static struct wire w;
        struct answer a;

        if (_i == 1)
                listen_on_tcp("127.0.0.1");
        wire_open(&w);
        wire_puts(&w, PARK);
        wait_for_handler();
        ck_assert_int_eq(shutdown(w.fd, SHUT_WR), 0);
        a = wire_answer(&w, false);
        ck_assert_msg(answer_body_is(&a, "told to answer\n"), "%s", a.head);
        ck_assert_ptr_nonnull(strstr(a.head, "\r\nConnection: close\r\n"));
        assert_fate(&w, &a, ENDED);
        wire_close(&w);

        /* And who has done so before. */
        wire_open(&w);
        wire_puts(&w, PARK);
        ck_assert_int_eq(shutdown(w.fd, SHUT_WR), 0);
        a = wire_answer(&w, false);
        ck_assert(a.status == 0 || answer_body_is(&a, "told to answer\n"));
        wire_close(&w);
}
END_TEST

#define PARTS_END "and the end"

/* All of it, in order, on one connection, with other answers between; to one who reads slowly, too. */
START_TEST(sends_two_parts)
{
        static struct wire w;
        struct answer a;

        if (_i == 1)
                listen_on_tcp("127.0.0.1");
        wire_open(&w);
        for (size_t i = 0; i < 3; i++) {
                wire_puts(&w, "HEAD /parts HTTP/1.1\r\n" HOST "\r\n");
                a = wire_answer(&w, true);
                ck_assert_uint_eq(content_length(a.head), BIG_BYTES + strlen(PARTS_END));
                a = wire_ask(&w, "/parts");
                ck_assert_int_eq(a.status, 200);
                ck_assert_uint_eq(a.n_body, BIG_BYTES + strlen(PARTS_END));
                ck_assert_int_eq(memcmp(a.body, blob_data(big), BIG_BYTES), 0);
                ck_assert_int_eq(memcmp(a.body + BIG_BYTES, PARTS_END, strlen(PARTS_END)), 0);
                assert_fate(&w, &a, KEPT);
                wire_forget(&w, strlen("ok\n"));
        }
        wire_close(&w);

        /* And to one who leaves in the middle. */
        wire_open(&w);
        wire_puts(&w, "GET /parts HTTP/1.1\r\n" HOST "\r\n");
        ck_assert(wire_receive(&w));
        wire_close(&w);
}
END_TEST

static void read_rope(struct buf *b)
{
        struct rope_cursor c = {};
        char bytes[999];
        size_t n;

        while ((n = rope_read(rope, &c, bytes, sizeof(bytes))) > 0)
                buf_append(b, bytes, n);
}

static void must_be_gzip_of(const struct answer *a, const struct buf *want)
{
        _cleanup_(freep) Bytef *got = malloc(want->n + 1);
        z_stream z = {
                .next_in = (Bytef *)a->body,
                .avail_in = (uInt)a->n_body,
                .next_out = got,
                .avail_out = (uInt)want->n + 1,
        };

        ck_assert_int_eq(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
        ck_assert_uint_eq(z.total_out, want->n);
        ck_assert_int_eq(memcmp(got, want->data, want->n), 0);
        inflateEnd(&z);
}

/* All of it, whoever asks; compressed for who wants that; of the same length when only that is asked. */
static const struct {
        const char *line, *fields;
        bool is_head, gzip;
        enum fate fate;
} rope_requests[] = {
        {"GET /rope HTTP/1.1",  HOST,                                                    false, false, KEPT },
        {"GET /rope HTTP/1.1",  HOST "Accept-Encoding: gzip;q=0\r\n",                    false, false, KEPT },
        {"GET /rope HTTP/1.1",  HOST "Accept-Encoding: deflate, gzip\r\n",               false, true,  KEPT },
        {"GET /rope HTTP/1.1",  HOST "Accept-Encoding: br\r\nACCEPT-encoding: gzip\r\n", false, true,
         KEPT                                                                                               },
        {"GET /rope HTTP/1.0",  "",                                                      false, false, ENDED},
        {"GET /rope HTTP/1.0",  "Accept-Encoding: gzip\r\n",                             false, true,  ENDED},
        {"HEAD /rope HTTP/1.1", HOST,                                                    true,  false, KEPT },
        {"HEAD /rope HTTP/1.1", HOST "Accept-Encoding: *\r\n",                           true,  true,  KEPT },
};

START_TEST(sends_a_rope)
{
        _cleanup_(rope_unrefp) struct rope *gzip = rope_gzip(rope, UINT64_MAX);
        _cleanup_(buf_done) struct buf want = {};
        bool is_gzip = rope_requests[_i].gzip;
        static struct wire w;
        struct answer a;

        read_rope(&want);
        ck_assert_uint_eq(want.n, (ROPE_PART_BYTES + strlen(ROPE_BETWEEN)) * ROPE_PARTS);
        wire_open(&w);
        wire_puts(&w, rope_requests[_i].line);
        wire_puts(&w, "\r\n");
        wire_puts(&w, rope_requests[_i].fields);
        wire_puts(&w, "\r\n");
        a = wire_answer(&w, rope_requests[_i].is_head);
        ck_assert_int_eq(a.status, 200);
        ck_assert_ptr_nonnull(strstr(a.head, "\r\nVary: Accept-Encoding\r\n"));
        ck_assert_ptr_null(strstr(a.head, "\r\nTransfer-Encoding"));
        ck_assert(!strstr(a.head, "\r\nContent-Encoding: gzip\r\n") == !is_gzip);
        ck_assert(!strstr(a.head, "\r\nETag: W/\"1.2\"\r\n") == !is_gzip);
        ck_assert_uint_eq(content_length(a.head), is_gzip ? rope_size(gzip) : want.n);
        if (is_gzip && a.n_body > 0)
                must_be_gzip_of(&a, &want);
        else if (a.n_body > 0)
                ck_assert_int_eq(memcmp(a.body, want.data, want.n), 0);
        assert_fate(&w, &a, rope_requests[_i].fate);
        wire_close(&w);

        /* And to one who leaves in the middle. */
        wire_open(&w);
        wire_puts(&w, "GET /rope HTTP/1.1\r\n" HOST "\r\n");
        ck_assert(wire_receive(&w));
        wire_close(&w);
}
END_TEST

static bool has_short_queue(int fd)
{
        socklen_t n = sizeof(int);
        int bytes = 0;

        /* The kernel counts twice what it was told, for its own needs. */
        return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &n) == 0 &&
               bytes == 2 * SERVER_SEND_BYTES;
}

START_TEST(bounds_what_the_kernel_holds)
{
        static struct wire w;
        unsigned n = 0;

        if (_i == 1)
                listen_on_tcp("127.0.0.1");
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);
        for (int fd = 3; fd < 1024; fd++)
                n += has_short_queue(fd);
        ck_assert_uint_eq(n, 1);
        wire_close(&w);
}
END_TEST

START_TEST(bounds_connections_of_one_address)
{
        static struct wire w[SERVER_CONNECTIONS_PEER_MAX], one_more;
        struct server_stats stats;

        listen_on_tcp("127.0.0.1");
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                wire_open(&w[i]);
                ck_assert_int_eq(wire_ask(&w[i], "/ok").status, 200);
        }
        wire_open(&one_more);
        ck_assert_int_eq(wire_ask(&one_more, "/ok").status, 0);
        wire_close(&one_more);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_TOO_MANY], 1);
        ck_assert_uint_eq(stats.listeners[1].n_open, ELEMENTSOF(w));

        /* Others are served, of another address or over another socket. */
        make_address("unix:%s/sock", directory);
        wire_open(&one_more);
        ck_assert_int_eq(wire_ask(&one_more, "/ok").status, 200);
        wire_close(&one_more);
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
}
END_TEST

START_TEST(bounds_connections_of_one_user)
{
        static struct wire w[SERVER_CONNECTIONS_PEER_MAX], one_more, roots[3];

        if (!may_become())
                return;
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                wire_open_as(&w[i], 1000);
                ck_assert_int_eq(wire_ask(&w[i], "/ok").status, 200);
        }
        wire_open_as(&one_more, 1000);
        ck_assert_int_eq(wire_ask(&one_more, "/ok").status, 0);
        wire_close(&one_more);
        wire_open_as(&one_more, 1001);
        ck_assert_int_eq(wire_ask(&one_more, "/ok").status, 200);
        wire_close(&one_more);
        for (size_t i = 0; i < ELEMENTSOF(roots); i++) {
                wire_open(&roots[i]);
                ck_assert_int_eq(wire_ask(&roots[i], "/ok").status, 200);
                wire_close(&roots[i]);
        }
        wire_close(&w[0]);
        /* Its end is known when something that came later is. */
        for (int status = 0; status != 200;) {
                wire_open_as(&w[0], 1000);
                status = wire_ask(&w[0], "/ok").status;
                if (status != 200)
                        wire_close(&w[0]);
        }
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
}
END_TEST

/* Servers of their own, with other limits than the fixture's. */

static void restart_with(struct server_limits other)
{
        struct err e;

        limits = other;
        server = server_free(server);
        renew();
        make_address("unix:%s/sock", directory);
        ck_assert_msg(listen_again(&e) == 0, "%s", e.text);
}

START_TEST(lets_connections_wait_for_their_turn)
{
        static struct wire w[4], other;
        struct server_stats stats;

        restart_with((struct server_limits){.n_connections = 3});
        for (size_t i = 0; i < 3; i++) {
                wire_open(&w[i]);
                ck_assert_int_eq(wire_ask(&w[i], "/ok").status, 200);
        }
        wire_open(&w[3]);
        wire_puts(&w[3], PROBE);

        /* One thread takes them all: one of the next listener comes later. */
        listen_on_tcp("127.0.0.1");
        wire_open(&other);
        ck_assert_int_eq(wire_ask(&other, "/ok").status, 200);
        wire_close(&other);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.listeners[0].n_open, 3);
        ck_assert_uint_eq(stats.listeners[0].n_max, 3);

        wire_close(&w[1]);
        ck_assert_int_eq(wire_answer(&w[3], false).status, 200);
        wire_close(&w[0]);
        wire_close(&w[2]);
        wire_close(&w[3]);
}
END_TEST

static void open_and_ask(struct wire *w, uid_t uid, int status)
{
        wire_open_as(w, uid);
        ck_assert_int_eq(wire_ask(w, "/ok").status, status);
}

/* As many users as it takes, each within his limit: they have all places but the reserve. */
START_TEST(keeps_a_reserve_for_root)
{
        static struct wire w[14], one_more, roots[3];
        struct server_stats stats;

        if (!may_become())
                return;
        restart_with((struct server_limits){.n_connections = 16});
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                open_and_ask(&w[i], 1000 + (uid_t)i, 200);
        open_and_ask(&one_more, 999, 0);
        wire_close(&one_more);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_FULL], 1);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_TOO_MANY], 0);
        for (size_t i = 0; i < 2; i++)
                open_and_ask(&roots[i], 0, 200);

        /* Root waits for his turn: what is full now, he has filled. */
        wire_open(&roots[2]);
        wire_puts(&roots[2], PROBE);
        wire_close(&roots[0]);
        ck_assert_int_eq(wire_answer(&roots[2], false).status, 200);
        wire_close(&roots[1]);
        wire_close(&roots[2]);
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
}
END_TEST

/* The kernel does not take all of it from us while nobody reads: so it is still in memory. */
START_TEST(bounds_answers_that_nobody_takes)
{
        static struct wire lazy, shared, other;
        struct server_stats stats;
        struct answer a;

        restart_with((struct server_limits){.answer_bytes = BIG_BYTES + BIG_BYTES / 2});
        wire_open(&lazy);
        wire_puts(&lazy, "GET /built HTTP/1.1\r\n" HOST "\r\n");
        wire_await(&lazy);
        wire_open(&other);
        a = wire_ask(&other, "/built");
        ck_assert_int_eq(a.status, 503);
        ck_assert_ptr_nonnull(strstr(a.head, "\r\nRetry-After: 1\r\n"));
        assert_fate(&other, &a, KEPT);
        wire_forget(&other, strlen("ok\n"));
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_BUSY], 1);

        /* What is there anyway costs nothing; */
        wire_open(&shared);
        wire_puts(&shared, "GET /parts HTTP/1.1\r\n" HOST "\r\n");
        ck_assert_int_eq(wire_ask(&other, "/big").status, 200);
        wire_forget(&other, BIG_BYTES);

        /* and when the first one has been taken, or given up, there is room again. */
        if (_i == 0)
                ck_assert_int_eq(wire_answer(&lazy, false).status, 200);
        else
                wire_close(&lazy);
        for (int status = 0; status != 200; wire_forget(&other, a.n_body)) {
                a = wire_ask(&other, "/built");
                status = a.status;
        }
        if (_i == 0)
                wire_close(&lazy);
        wire_close(&shared);
        wire_close(&other);
}
END_TEST

/* One block for each, however large it is. */
START_TEST(bounds_readers_of_a_rope)
{
        static struct wire lazy[2], other;
        struct answer a;

        restart_with((struct server_limits){.answer_bytes = 2 * SERVER_ROPE_BLOCK_BYTES + 100});
        for (size_t i = 0; i < ELEMENTSOF(lazy); i++) {
                wire_open(&lazy[i]);
                wire_puts(&lazy[i], "GET /rope HTTP/1.1\r\n" HOST "\r\n");
                wire_await(&lazy[i]);
        }
        wire_open(&other);
        ck_assert_int_eq(wire_ask(&other, "/big").status, 200);
        wire_forget(&other, BIG_BYTES);
        a = wire_ask(&other, "/rope");
        ck_assert_int_eq(a.status, 503);
        wire_forget(&other, a.n_body);
        ck_assert_int_eq(wire_answer(&lazy[0], false).status, 200);
        for (int status = 0; status != 200; wire_forget(&other, a.n_body)) {
                a = wire_ask(&other, "/rope");
                status = a.status;
        }
        for (size_t i = 0; i < ELEMENTSOF(lazy); i++)
                wire_close(&lazy[i]);
        wire_close(&other);
}
END_TEST

static void wire_open_from(struct wire *w, const char *host)
{
        struct sockaddr_in in = {.sin_family = AF_INET};

        ck_assert_int_eq(inet_pton(AF_INET, host, &in.sin_addr), 1);
        w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        w->n = 0;
        ck_assert_int_eq(bind(w->fd, (const struct sockaddr *)&in, sizeof(in)), 0);
        ck_assert_int_eq(connect(w->fd, &address.sa, address.n), 0);
}

START_TEST(takes_all_loopback_addresses_for_few_clients)
{
        static struct wire w[7], one_more;
        struct server_stats stats;
        char host[32];

        restart_with((struct server_limits){.n_connections = 16});
        listen_on_tcp("127.0.0.1");
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                (void)snprintf(host, sizeof(host), "127.0.%zu.2", i);
                wire_open_from(&w[i], host);
                ck_assert_int_eq(wire_ask(&w[i], "/ok").status, 200);
        }
        wire_open_from(&one_more, "127.9.9.9");
        ck_assert_int_eq(wire_ask(&one_more, "/ok").status, 0);
        wire_close(&one_more);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_FULL], 1);
        for (size_t i = 0; i < ELEMENTSOF(w); i++)
                wire_close(&w[i]);
}
END_TEST

#define SHORT_USEC (50 * USEC_PER_MSEC)

/* What a client does that is too slow: it sends this, and then byte by byte, or nothing. */
static const struct {
        const char *sent;
        struct server_limits limits;
        bool drips, answered_before;
} slow_ones[] = {
        {"",                                                               {.head_usec = SHORT_USEC},    false, false},
        {"GET /ok HT",                                                     {.head_usec = SHORT_USEC},    true,  false},
        {"GET /ok HTTP/1.1\r\nX: ",                                        {.head_usec = SHORT_USEC},    true,  false},
        {"PUT /ok HTTP/1.1\r\n" HOST JSON "Content-Length: 60000\r\n\r\n",
         {.request_usec = SHORT_USEC},
         true,                                                                                                  false},
        {PROBE,                                                            {.idle_usec = SHORT_USEC},    false, true },
        {PROBE "GET /ok HTTP/1.1\r\nX: ",                                  {.request_usec = SHORT_USEC}, true,  true },
};

/* Until the other side has hung up; it must. */
static void drip(struct wire *w)
{
        struct pollfd p = {.fd = w->fd, .events = POLLIN};

        for (int i = 0; poll(&p, 1, 1) == 0; i++) {
                ck_assert_int_lt(i, PATIENCE_SECONDS * 1000);
                wire_puts(w, "x");
        }
}

START_TEST(ends_a_connection_that_is_too_slow)
{
        static struct wire w, other;
        struct server_stats stats;

        restart_with(slow_ones[_i].limits);
        wire_open(&w);
        wire_puts(&w, slow_ones[_i].sent);
        if (slow_ones[_i].answered_before) {
                struct answer a = wire_answer(&w, false);

                ck_assert(answer_body_is(&a, "ok\n"));
                wire_forget(&w, a.n_body);
        }
        if (slow_ones[_i].drips)
                drip(&w);
        ck_assert_int_eq(wire_answer(&w, false).status, 0);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_TOO_SLOW], 1);
        wire_open(&other);
        ck_assert_int_eq(wire_ask(&other, "/ok").status, 200);
        wire_close(&other);
        wire_close(&w);
}
END_TEST

/* A request that waits is not slow: it is we who let it wait. */
START_TEST(does_not_end_those_who_wait)
{
        static struct wire w;
        struct answer a;

        restart_with((struct server_limits){
                .head_usec = SHORT_USEC, .idle_usec = SHORT_USEC, .request_usec = SHORT_USEC});
        wire_open(&w);
        wire_puts(&w, PARK);
        wait_for_handler();
        for (size_t i = 0; i < 3; i++) { /* meanwhile another one's time passes, three times */
                static struct wire other;

                wire_open(&other);
                while (wire_receive(&other))
                        ;
                wire_close(&other);
        }
        atomic_store(&generation, 1);
        parked_wake(parked);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "woken\n"));
        wire_close(&w);
}
END_TEST

START_TEST(keeps_within_the_descriptors_of_the_process)
{
        struct rlimit l = {150, 150};
        struct server_stats stats;
        struct err e;

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
        restart_with((struct server_limits){});
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.listeners[0].n_max, 75);
        make_address("unix:%s/other", directory);
        ck_assert_int_eq(listen_again(&e), 0);
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.listeners[0].n_max, 37);
        ck_assert_uint_eq(stats.limits.n_connections, SERVER_CONNECTIONS_MAX);
}
END_TEST

/* Out of descriptors, and with them again: who came meanwhile is answered. */
START_TEST(outlives_a_lack_of_descriptors)
{
        struct rlimit l = {64, 64};
        struct server_stats stats;
        static struct wire w;
        int fds[64];
        size_t n = 0;

        w.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
        while (n < ELEMENTSOF(fds) && (fds[n] = dup(STDERR_FILENO)) >= 0)
                n++;
        ck_assert_int_eq(connect(w.fd, &address.sa, address.n), 0);
        wire_puts(&w, PROBE);
        do {
                (void)poll(NULL, 0, 1);
                server_stats(server, &stats);
        } while (stats.accept_failures == 0);
        while (n > 0)
                close(fds[--n]);
        ck_assert_int_eq(wire_answer(&w, false).status, 200);
        wire_close(&w);
}
END_TEST

/* Taking over. */

static int adopt(int fd)
{
        struct err e = {};
        int r = server_adopt(server, fd, &e);

        ck_assert_msg((r < 0) == (*e.text != '\0'), "%d %s", r, e.text);
        return r;
}

/* As systemd would hand it out: without any flag. */
static int make_listening(void)
{
        int fd = socket(address.sa.sa_family, SOCK_STREAM, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, &address.sa, address.n), 0);
        ck_assert_int_eq(listen(fd, 16), 0);
        address.n = sizeof(address.storage);
        ck_assert_int_eq(getsockname(fd, &address.sa, &address.n), 0);
        return fd;
}

static void make_any_address(const char *host)
{
        if (strchr(host, '/'))
                make_address("unix:%s/adopted", directory);
        else
                make_tcp_address(host);
}

static const char *const adopted_hosts[] = {"/", "127.0.0.1", "::1"};

START_TEST(adopts_sockets)
{
        char text[SOCK_ADDRESS_MAX], want[SOCK_ADDRESS_MAX];
        struct server_stats stats;
        static struct wire w;
        int fd, ours;

        make_any_address(adopted_hosts[_i]);
        fd = make_listening();
        ours = dup(fd);
        ck_assert_int_eq(adopt(ours), 0);
        ck_assert(fcntl(ours, F_GETFD) & FD_CLOEXEC);
        ck_assert(fcntl(ours, F_GETFL) & O_NONBLOCK);
        sock_address_format(want, &address);
        ck_assert_str_eq(sock_address_format(text, server_listener_address(server, 1)), want);
        server_stats(server, &stats);
        ck_assert_str_eq(stats.listeners[1].name, want);
        wire_open(&w);
        ck_assert_int_eq(wire_ask(&w, "/ok").status, 200);

        /* The socket is not ours alone: it goes on, with its file. */
        server = server_free(server);
        wire_close(&w);
        wire_open(&w);
        wire_puts(&w, PROBE);
        ck_assert_int_eq(fcntl(ours, F_GETFD), -1);
        renew();
        ck_assert_int_eq(adopt(fd), 0);
        ck_assert_int_eq(wire_answer(&w, false).status, 200);
        wire_close(&w);
        if (_i == 0)
                ck_assert_int_eq(unlink(address.un.sun_path), 0);
}
END_TEST

START_TEST(adopts_no_other_descriptors)
{
        int pair[2], pipes[2];
        int fds[] = {
                socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
                socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0),
                -1,
                -1,
                1000,
        };

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(pipe(pipes), 0);
        fds[4] = pair[0];
        fds[5] = pipes[0];
        make_address("unix:%s/packets", directory);
        ck_assert_int_eq(bind(fds[2], &address.sa, address.n), 0);
        ck_assert_int_eq(listen(fds[2], 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                ck_assert_int_eq(adopt(fds[i]), -EINVAL);
                ck_assert(i == 6 || fcntl(fds[i], F_GETFD) >= 0); /* still the caller's */
        }
        ck_assert_ptr_null(server_listener_address(server, 1));
        ck_assert_int_eq(unlink(address.un.sun_path), 0);
        close(pair[1]);
        close(pipes[1]);
        for (size_t i = 0; i < 6; i++)
                close(fds[i]);
}
END_TEST

/* Whoever asks while one server goes and the next one comes is answered, by one of them. */
START_TEST(hands_over_without_losing_a_request)
{
        static struct wire w[6];
        int fd;

        make_any_address(adopted_hosts[_i % 2]);
        fd = make_listening();
        ck_assert_int_eq(adopt(dup(fd)), 0);
        for (size_t round = 0; round < 10; round++) {
                for (size_t i = 0; i < 3; i++) {
                        wire_open(&w[i]);
                        wire_puts(&w[i], PROBE);
                }
                server = server_free(server);
                for (size_t i = 3; i < 6; i++) {
                        wire_open(&w[i]);
                        wire_puts(&w[i], PROBE);
                }
                renew();
                ck_assert_int_eq(adopt(dup(fd)), 0);
                for (size_t i = 0; i < 6; i++) {
                        ck_assert_msg(wire_answer(&w[i], false).status == 200, "%zu, round %zu", i,
                                      round);
                        wire_close(&w[i]);
                }
        }
        close(fd);
        if (_i % 2 == 0)
                ck_assert_int_eq(unlink(address.un.sun_path), 0);
}
END_TEST

/* Who may what. */

static const struct {
        uid_t uid;
        int status;
        const char *line;
        const char *words; /* in the body */
} callers[] = {
        {0,    200, "GET /who",        "uid 0: operate with output"     },
        {0,    200, "GET /read",       "operate"                        },
        {0,    200, "GET /operate",    "operate"                        },
        {1000, 200, "GET /who",        "uid 1000: health with output"   },
        {1000, 403, "HEAD /read",      ""                               },
        {1000, 403, "GET /read",       "class read"                     },
        {1000, 403, "GET /read",       "join group diag"                },
        {1000, 403, "GET /operate",    "class operate, and uid 1000 has"},
        {1000, 403, "PUT /operate",    "class operate"                  },
        {990,  200, "GET /who",        "uid 990: read with output"      },
        {990,  200, "GET /read",       "uid 990: read"                  },
        {990,  403, "GET /operate",    "uid 990 has class read"         },
        {991,  403, "GET /who",        "TrustedProxy="                  },
        {991,  403, "GET /nothing",    "TrustedProxy="                  },
        {1000, 404, "GET /nothing",    ""                               },
        {1000, 301, "GET /operate/",   ""                               },
        {1000, 405, "DELETE /operate", ""                               },
};

static void trust_proxies(void)
{
        authority.proxies[0].uid = 990;
        authority.proxies[0].grants = AUTHORITY_READ;
        authority.proxies[1].uid = 991;
        authority.proxies[1].grants = AUTHORITY_NONE;
        authority.n_proxies = 2;
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
}

START_TEST(knows_who_may_what)
{
        static struct wire w;
        struct answer a;

        if (!may_become())
                return;
        trust_proxies();
        wire_open_as(&w, callers[_i].uid);
        for (size_t i = 0; i < 2; i++) { /* a refusal does not cost the connection */
                wire_puts(&w, callers[_i].line);
                wire_puts(&w, " HTTP/1.1\r\n" HOST "\r\n");
                a = wire_answer(&w, callers[_i].line[0] == 'H');
                ck_assert_msg(a.status == callers[_i].status, "%u %s: %s", callers[_i].uid,
                              callers[_i].line, a.head);
                ck_assert_msg(
                        memmem(a.body, a.n_body, callers[_i].words, strlen(callers[_i].words)),
                        "%s: %.*s", callers[_i].words, (int)a.n_body, a.body);
                wire_forget(&w, a.n_body);
        }
        wire_close(&w);
}
END_TEST

START_TEST(follows_a_new_authority_at_once)
{
        static struct wire idle, waiting;
        struct answer a;

        if (!may_become())
                return;
        trust_proxies();
        wire_open_as(&idle, 990);
        a = wire_ask(&idle, "/read");
        ck_assert_int_eq(a.status, 200);
        wire_forget(&idle, a.n_body);
        wire_open_as(&waiting, 990);
        wire_puts(&waiting, "GET /read-later HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();

        authority.n_proxies = 0;
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
        ck_assert_int_eq(wire_answer(&waiting, false).status, 403);
        a = wire_ask(&idle, "/read");
        ck_assert_int_eq(a.status, 403);
        wire_forget(&idle, a.n_body);

        trust_proxies();
        ck_assert_int_eq(wire_ask(&idle, "/read").status, 200);
        wire_close(&idle);
        wire_close(&waiting);
}
END_TEST

/* A change of mind on one thread, and requests on another. */
static void *change_authority(void *userdata)
{
        struct authority other = {.operators = (gid_t)-1};

        (void)userdata;
        other.hosts[other.n_hosts++] = (char *)"*";
        while (!atomic_load(&storm_over)) {
                ck_assert_int_eq(server_set_authority(server, &other), 0);
                sched_yield();
        }
        return NULL;
}

START_TEST(changes_its_authority_while_it_serves)
{
        static struct wire w;
        pthread_t thread;

        listen_on_tcp("127.0.0.1");
        ck_assert_int_eq(pthread_create(&thread, NULL, change_authority, NULL), 0);
        for (size_t i = 0; i < 200; i++) {
                struct server_stats stats;
                struct answer a;

                wire_open(&w);
                a = wire_ask(&w, "/who");
                ck_assert_msg(answer_body_is(&a, "127.0.0.1: health with output\n"), "%s", a.body);
                wire_close(&w);
                server_stats(server, &stats);
        }
        atomic_store(&storm_over, true);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* What is said about us, and by whose page; over TCP, and over the Unix socket. */
static const struct {
        const char *request;
        int tcp, local;
} strangers[] = {
        {"GET /ok HTTP/1.1\r\nHost: localhost",                                                  200, 200},
        {"GET /ok HTTP/1.1\r\nHost: 127.0.0.1:1050",                                             200, 200},
        {"GET /ok HTTP/1.1\r\nHost: m1",                                                         200, 200},
        {"GET /ok HTTP/1.1\r\nHost: evil.example",                                               421, 200},
        {"GET /ok HTTP/1.1\r\nHost: evil.example:1050",                                          421, 200},
        {"GET /ok HTTP/1.1\r\nHost: ",                                                           421, 200},
        {"GET /nothing HTTP/1.1\r\nHost: evil.example",                                          421, 404},
        {"GET /ok HTTP/1.0",                                                                     200, 200},
        {"GET /ok HTTP/1.0\r\nHost: evil.example",                                               421, 200},
        {"PUT /ok HTTP/1.1\r\nHost: localhost",                                                  200, 200},
        {"PUT /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost",                      200, 200},
        {"PUT /ok HTTP/1.1\r\nHost: localhost:5\r\nOrigin: http://localhost:5",                  200, 200},
        {"PUT /ok HTTP/1.1\r\nHost: localhost:5\r\nOrigin: http://localhost:6",                  403, 403},
        {"PUT /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",                   403, 403},
        {"PUT /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: null",                                  403, 403},
        {"DELETE /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",                403, 403},
        {"BREW /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",                  403, 403},
        {"GET /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",                   200, 200},
        {"HEAD /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: null",                                 200, 200},
        {"OPTIONS /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",               405, 405},
        {"PUT /ok HTTP/1.1\r\nHost: evil\r\nOrigin: http://evil",                                421, 200},
        {"POST /ok HTTP/1.1\r\nHost: localhost\r\nOrigin: http://x\r\nOrigin: http://localhost",
         403,                                                                                         403},
};

START_TEST(knows_strangers)
{
        bool is_head = strangers[_i].request[0] == 'H';
        static struct wire w;
        struct answer a;

        authority.hosts[0] = (char *)"m1";
        authority.n_hosts = 1;
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
        for (size_t i = 0; i < 2; i++) {
                int want = i == 0 ? strangers[_i].local : strangers[_i].tcp;

                wire_open(&w);
                wire_puts(&w, strangers[_i].request);
                wire_puts(&w, "\r\n\r\n");
                a = wire_answer(&w, is_head);
                ck_assert_msg(a.status == want, "%s:\n%s", strangers[_i].request, a.head);
                if (!strstr(strangers[_i].request, "HTTP/1.0"))
                        assert_fate(&w, &a, KEPT);
                wire_close(&w);
                if (i == 0)
                        listen_on_tcp("127.0.0.1");
        }
}
END_TEST

/* Bodies. */

static const struct {
        const char *request; /* up to and with its last header field */
        const char *body;
        int status;
        const char *answer; /* NULL: whatever */
} bodies[] = {
        {"PUT /body HTTP/1.1\r\n" HOST JSON LENGTH "2",                              "{}",    200, "2 {} application/json\n"               },
        {"PUT /body HTTP/1.1\r\n" HOST JSON LENGTH "0",                              "",      200, "0  application/json\n"                 },
        {"PUT /body HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked",
         "2\r\n{\"\r\n1\r\n}\r\n" NOTHING,                                                    200, "3 {\"} application/json\n"             },
        {"PUT /body HTTP/1.1\r\n" HOST "Content-Type: application/json; charset=utf-8\r\n" LENGTH
         "2",                                                               "{}",    200, "2 {} application/json; charset=utf-8\n"},
        {"PUT /body HTTP/1.1\r\n" HOST "X: y",                                       "",      200, "0  -\n"                                },
        {"PUT /body HTTP/1.1\r\n" HOST LENGTH "2",                                   "{}",    415, NULL                                    },
        {"PUT /body HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n" LENGTH "2",    "{}",    415, NULL                                    },
        {"PUT /untyped HTTP/1.1\r\n" HOST LENGTH "2",                                "{}",    200, "2 {} -\n"                              },
        {"PUT /untyped HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n" LENGTH "2", "{}",    415,
         NULL                                                                                                                              },
        {"POST /untyped HTTP/1.1\r\n" HOST LENGTH "2",                               "{}",    415, NULL                                    },
        {"POST /operate HTTP/1.1\r\n" HOST
         "Content-Type: application/x-www-form-urlencoded\r\n" LENGTH "3",
         "a=b",                                                                               415, NULL                                    },
        {"PUT /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked",                 NOTHING, 415, NULL                                    },
 /* of no interest */
        {"GET /body HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n" LENGTH "2",    "{}",    200,
         "0  text/plain\n"                                                                                                                 },
        {"PUT /nothing HTTP/1.1\r\n" HOST LENGTH "2",                                "{}",    404, NULL                                    },
        {"DELETE /body HTTP/1.1\r\n" HOST LENGTH "2",                                "{}",    405, NULL                                    },
};

START_TEST(takes_bodies)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        for (size_t i = 0; i < 2; i++) { /* nothing is left of the first one */
                wire_puts(&w, bodies[_i].request);
                wire_puts(&w, END);
                wire_puts(&w, bodies[_i].body);
                a = wire_answer(&w, false);
                ck_assert_msg(a.status == bodies[_i].status, "%s:\n%s", bodies[_i].request, a.head);
                if (bodies[_i].answer)
                        ck_assert_msg(answer_body_is(&a, bodies[_i].answer), "%.*s", (int)a.n_body,
                                      a.body);
                wire_forget(&w, a.n_body);
                if (strstr(a.head, "\r\nConnection: close\r\n")) {
                        wire_close(&w);
                        wire_open(&w);
                }
        }
        a = wire_ask(&w, "/body");
        ck_assert(answer_body_is(&a, "0  -\n"));
        wire_close(&w);
}
END_TEST

/* In pieces, with what no string can hold, up to the limit; and of one who may not, to the end, too. */
START_TEST(takes_large_bodies_of_those_who_may)
{
        static char body[SERVER_BODY_BYTES_MAX];
        static struct wire w;
        struct answer a;

        if (!may_become())
                return;
        memset(body, _i == 0 ? '\0' : 'x', sizeof(body));
        for (uid_t uid = 0; uid < 2; uid++) {
                wire_open_as(&w, uid);
                wire_puts(&w, "PUT /operate HTTP/1.1\r\n" HOST JSON LENGTH "65536" END);
                for (size_t n = 0; n < sizeof(body); n += 8192)
                        wire_send(&w, body + n, 8192);
                a = wire_answer(&w, false);
                ck_assert_int_eq(a.status, uid == 0 ? 200 : 403);
                if (uid == 0)
                        ck_assert(answer_body_is(&a, "65536 bytes\n"));
                assert_fate(&w, &a, KEPT);
                wire_close(&w);
        }
}
END_TEST

START_TEST(drops_the_errand_of_a_request)
{
        static struct wire w;
        struct answer a;

        wire_open(&w);
        wire_puts(&w, "PUT /errand HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        atomic_store(&generation, 1);
        parked_wake(parked);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "woken\n"));
        assert_fate(&w, &a, KEPT);
        wire_puts(&w, "PUT /errand HTTP/1.1\r\n" HOST "\r\n");
        wire_close(&w); /* perhaps before it is read */
}
END_TEST

/* Others are woken without it, and it without others; and it is told when nobody waits any more. */
START_TEST(wakes_one_who_reads_alone)
{
        static struct wire w, other;
        struct answer a;

        if (!may_become())
                return;
        wire_open(&w);
        wire_puts(&w, "GET /question HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        park(&other, 0);
        wait_until_n_are_parked(2);
        parked_wake(parked); /* in vain: the other one looks, and waits again */
        wait_for_handler();
        wait_until_n_are_parked(2);
        ck_assert_int_eq(sem_trywait(&handler_ran), -1);
        atomic_store(&generation, 1);
        parked_wake_key(parked, &generation);
        a = wire_answer(&w, false);
        ck_assert(answer_body_is(&a, "woken\n"));
        wait_for_handler();
        assert_fate(&w, &a, KEPT);
        wire_close(&w);
        parked_wake(parked);
        ck_assert_int_eq(wire_answer(&other, false).status, 200);
        wire_close(&other);
}
END_TEST

START_TEST(gives_up_the_question_of_who_hangs_up)
{
        static struct wire w;

        if (!may_become())
                return;
        wire_open(&w);
        wire_puts(&w, "GET /question HTTP/1.1\r\n" HOST "\r\n");
        wait_for_handler();
        wire_close(&w);
        wait_for_handler();
        wait_until_n_are_parked(0);
}
END_TEST

/* Numbers. */

static uint64_t count_of(const struct server_stats *stats, unsigned status)
{
        for (size_t i = 0; i < SERVER_STATUSES; i++)
                if (stats->answers[i].status == status)
                        return stats->answers[i].n;
        ck_abort_msg("no counter for %u", status);
}

START_TEST(counts)
{
        static const struct {
                const char *request;
                unsigned status;
        } asked[] = {
                {"GET /ok HTTP/1.1\r\n" HOST,                    200},
                {"HEAD /ok HTTP/1.1\r\n" HOST,                   200},
                {"GET /unchanged HTTP/1.1\r\n" HOST,             304},
                {"GET /nothing HTTP/1.1\r\n" HOST,               404},
                {"PUT /ok HTTP/1.1\r\nOrigin: null\r\n" HOST,    403},
                {"PUT /ok HTTP/1.1\r\n" HOST LENGTH "99999\r\n", 413},
                {"PUT /ok HTTP/1.1\r\n" HOST HOST,               400},
        };
        struct server_stats stats;
        static struct wire w;

        for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
                wire_open(&w);
                wire_puts(&w, asked[i].request);
                wire_puts(&w, "\r\n");
                ck_assert_uint_eq((unsigned)wire_answer(&w, true).status, asked[i].status);
                wire_close(&w);
        }
        server_stats(server, &stats);
        for (size_t i = 0; i < ELEMENTSOF(asked); i++)
                ck_assert_uint_eq(count_of(&stats, asked[i].status), i < 2 ? 2 : 1);
        ck_assert_uint_eq(count_of(&stats, 0), 0);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_CROSS_ORIGIN], 1);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_TOO_LARGE], 1);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_BAD_HEAD], 1);
        ck_assert_uint_eq(stats.refusals[SERVER_REFUSAL_NOT_ALLOWED], 0);
        ck_assert_uint_eq(stats.n_listeners, 1);
        ck_assert_uint_eq(stats.listeners[0].n_total, ELEMENTSOF(asked));
        ck_assert_ptr_nonnull(strstr(stats.listeners[0].name, "/sock"));
        ck_assert_uint_eq(stats.limits.n_connections, SERVER_CONNECTIONS_MAX);
        ck_assert_uint_eq(stats.limits.head_usec, SERVER_HEAD_USEC);
        ck_assert_uint_eq(stats.parked.n_max, PARKED_MAX);
        ck_assert_uint_ge(stats.answer_bytes, strlen("ok\n"));
        for (int i = 0; i < SERVER_REFUSALS; i++)
                ck_assert_ptr_nonnull(server_refusal_to_string((enum server_refusal)i));
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
                {"192.0.2.0/24",    403}, /* without Insecure= */
        };
        static struct wire w;
        struct answer a;

        if (!make_foreign_address("192.0.2.1"))
                return;
        if (cases[_i].listed)
                ck_assert_int_eq(parse_ip_prefix(cases[_i].listed,
                                                 &authority.networks[authority.n_networks++]),
                                 0);
        authority.insecure = _i < 3;
        set_up();
        listen_on_tcp("192.0.2.1");
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
        tcase_add_test(tc, answers_when_too_many_of_one_user_are_parked);
        tcase_add_test(tc, gives_away_the_places_of_those_who_hang_up);
        tcase_add_loop_test(tc, answers_who_ends_his_half, 0, 2);
        tcase_add_test(tc, does_not_hurry_those_who_want_a_change);
        tcase_add_test(tc, parks_those_who_operate_without_limit);
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
        tcase_add_loop_test(tc, sends_two_parts, 0, 2);
        tcase_add_loop_test(tc, sends_a_rope, 0, ELEMENTSOF(rope_requests));
        tcase_add_loop_test(tc, bounds_what_the_kernel_holds, 0, 2);
        tcase_add_test(tc, bounds_connections_of_one_address);
        tcase_add_test(tc, bounds_connections_of_one_user);
        tcase_add_test(tc, lets_connections_wait_for_their_turn);
        tcase_add_test(tc, keeps_a_reserve_for_root);
        tcase_add_loop_test(tc, bounds_answers_that_nobody_takes, 0, 2);
        tcase_add_test(tc, bounds_readers_of_a_rope);
        tcase_add_test(tc, takes_all_loopback_addresses_for_few_clients);
        tcase_add_loop_test(tc, ends_a_connection_that_is_too_slow, 0, ELEMENTSOF(slow_ones));
        tcase_add_test(tc, does_not_end_those_who_wait);
        tcase_add_test(tc, keeps_within_the_descriptors_of_the_process);
        tcase_add_test(tc, outlives_a_lack_of_descriptors);
        tcase_add_loop_test(tc, adopts_sockets, 0, ELEMENTSOF(adopted_hosts));
        tcase_add_test(tc, adopts_no_other_descriptors);
        tcase_add_loop_test(tc, hands_over_without_losing_a_request, 0, 2);
        tcase_add_loop_test(tc, knows_who_may_what, 0, ELEMENTSOF(callers));
        tcase_add_test(tc, follows_a_new_authority_at_once);
        tcase_add_test(tc, changes_its_authority_while_it_serves);
        tcase_add_loop_test(tc, knows_strangers, 0, ELEMENTSOF(strangers));
        tcase_add_loop_test(tc, takes_bodies, 0, ELEMENTSOF(bodies));
        tcase_add_loop_test(tc, takes_large_bodies_of_those_who_may, 0, 2);
        tcase_add_test(tc, drops_the_errand_of_a_request);
        tcase_add_test(tc, wakes_one_who_reads_alone);
        tcase_add_test(tc, gives_up_the_question_of_who_hangs_up);
        tcase_add_test(tc, counts);
        suite_add_tcase(suite, tc);
        /* Without the fixture, whose threads would be in the old network. */
        tcase_set_timeout(foreign, 60);
        tcase_add_loop_test(foreign, refuses_who_may_not_ask, 0, 4);
        suite_add_tcase(suite, foreign);
        return test_main(suite);
}
