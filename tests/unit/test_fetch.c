/* It ends each fetch once, whatever the other side does and whoever is freed meanwhile. */

#include <dirent.h>
#include <netdb.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <signal.h>

#include "tests/unit/fetch_asked.h"

#define SIXTEEN    "0123456789abcdef"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define REST_USEC \
        (400 * USEC_PER_MSEC) /* longer than libcurl tries one family of addresses alone */
#define SEVERAL      6u
#define NAME_UNKNOWN "unknown.example"
#define NAME_SLOW    "slow.example"

/* The resolver of the C library, for libcurl's threads: some names are unknown, one never answers. */
static sem_t slow_name;
static unsigned n_slow;

static int resolve(const char *name, _unused_ const char *service,
                   _unused_ const struct addrinfo *hints, _unused_ struct addrinfo **ret)
{
        if (streq(name, NAME_SLOW)) {
                __atomic_add_fetch(&n_slow, 1, __ATOMIC_SEQ_CST);
                while (sem_wait(&slow_name) < 0)
                        ;
        }
        return EAI_NONAME;
}
extern __typeof__(resolve) getaddrinfo __attribute__((alias("resolve")));

static void setup_with(const struct fetcher_options *options)
{
        /* A proxy from the environment would be asked instead of anybody here. */
        setenv("http_proxy", "http://127.0.0.1:1", 1);
        setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
        ck_assert_int_eq(sem_init(&slow_name, 0, 0), 0);
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, options), 0);
        n_ended = n_slow = 0;
}

static void setup(void)
{
        setup_with(NULL);
}

static void setup_sharded(void)
{
        const struct fetcher_options options = {
                .n_shards = 32,
                .n_running_max = FETCH_RUNNING_MAX,
                .n_kept_max = 100,
                .buffer_bytes = FETCH_BUFFER_MIN,
        };

        setup_with(&options);
}

static void teardown(void)
{
        fetcher = fetcher_free(fetcher);
        loop = loop_free(loop);
}

/* --- what the other side may do ------------------------------------------------------------------- */

static void ask_server(struct asked *a, const struct scripted_reply *reply, uint64_t timeout_usec,
                       bool cut)
{
        struct scripted_server s = {.replies = reply, .n_replies = 1};
        char url[URL_MAX];
        struct fetch_request q = {
                .url = url,
                .timeout_usec = timeout_usec,
                .max_bytes = BODY_MAX,
                .cut = cut,
        };

        *a = (struct asked){.then = free_self};
        scripted_server_on_loopback(&s);
        scripted_server_start(&s);
        (void)snprintf(url, sizeof(url), "%s/x", s.url);
        ask(a, &q);
        wait_for(a);
        scripted_server_join(&s);
}

#define ANSWER(n, r, s, b)                                            \
        {                                                             \
                .name = (n), .reply = (r), .status = (s), .body = (b) \
        }

static const struct {
        const char *name, *reply, *body;
        unsigned status;
} answers[] = {
        ANSWER("plain", OK_HI, 200, "hi"),
        ANSWER("empty", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ANSWER("unchanged", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, ""),
        ANSWER("until the end", OK_HEAD "\r\nhi", 200, "hi"),
        ANSWER("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", 200, "hi"),
        ANSWER("chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200,
               "hi"),
        ANSWER("interim", "HTTP/1.1 103 Early Hints\r\n\r\n" OK_HI, 200, "hi"),
        ANSWER("at the limit", OK_HEAD "Content-Length: 64\r\n\r\n" SIXTY_FOUR, 200, SIXTY_FOUR),
        ANSWER("longer than said", OK_HEAD "Content-Length: 2\r\n\r\nhi there", 200, "hi"),
        ANSWER("not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, "no"),
        ANSWER("broken", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", 500, "no"),
        ANSWER("redirect",
               "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
               301, ""),
};

START_TEST(takes_answer)
{
        for (unsigned cut = 0; cut < 2; cut++) {
                struct scripted_reply reply = {.bytes = answers[_i].reply};
                struct asked a;

                ask_server(&a, &reply, TIMEOUT, cut);
                ck_assert_msg(a.result.error == 0, "%s: %s", answers[_i].name, a.result.text);
                ck_assert_uint_eq(a.result.status, answers[_i].status);
                ck_assert_str_eq(a.body, answers[_i].body);
                ck_assert(!a.result.truncated);
        }
}
END_TEST

#define LIE(n, h, r, t, w, s)                                                                     \
        {                                                                                         \
                .name = (n), .reply = {.head = (h), .bytes = (r), .then = THEN_##t}, .want = (w), \
                .says = (s)                                                                       \
        }
#define TOO_LONG "its answer is too long"
#define NO_HTTP  "its answer is not HTTP"
#define HUNG_UP  "it hung up without an answer"
#define BROKE    "its answer broke off"
#define SILENT   "it did not answer in time"
#define ENDLESS  "its answer did not end in time"

static const struct {
        const char *name;
        struct scripted_reply reply;
        const char *says;
        int want;
} lies[] = {
        LIE("says it is huge", NULL, OK_HEAD "Content-Length: 65\r\n\r\nhi", HANG_UP, -EFBIG,
            TOO_LONG),
        LIE("is huge", NULL, OK_HEAD "\r\n" SIXTY_FOUR "!", HANG_UP, -EFBIG, TOO_LONG),
        LIE("never ends", OK_HEAD "\r\n", SIXTEEN, FLOOD, -EFBIG, TOO_LONG),
        LIE("endless header", OK_HEAD, "X-Flood: " SIXTY_FOUR "\r\n", FLOOD, -EFBIG, TOO_LONG),
        LIE("endless header line", OK_HEAD "X-Flood: ", SIXTY_FOUR, FLOOD, -EFBIG, TOO_LONG),
        LIE("endless interim", NULL, "HTTP/1.1 100 Continue\r\n\r\n", FLOOD, -EFBIG, TOO_LONG),
        LIE("endless trailer", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n",
            "X-Flood: " SIXTY_FOUR "\r\n", FLOOD, -EFBIG, TOO_LONG),
        LIE("shorter than said", NULL, OK_HEAD "Content-Length: 9\r\n\r\nhi", HANG_UP, -ECONNRESET,
            BROKE),
        LIE("half-closed in the middle", NULL, OK_HEAD "Content-Length: 9\r\n\r\nhi", HALF_CLOSE,
            -ECONNRESET, BROKE),
        LIE("cut in the header", NULL, OK_HEAD "X-Cut: ", HANG_UP, -ECONNRESET, BROKE),
        LIE("cut behind a line", NULL, OK_HEAD, HANG_UP, -ECONNRESET, BROKE),
        LIE("only interim", NULL, "HTTP/1.1 100 Continue\r\n\r\n", HANG_UP, -ECONNRESET, BROKE),
        LIE("half-closed at once", NULL, "", HALF_CLOSE, -ECONNRESET, HUNG_UP),
        LIE("chunk cut", NULL, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nhi", HANG_UP,
            -ECONNRESET, BROKE),
        LIE("says nothing", NULL, "", HANG_UP, -ECONNRESET, HUNG_UP),
        LIE("stalls at once", NULL, "", STALL, -ETIMEDOUT, SILENT),
        LIE("stalls in the header", NULL, OK_HEAD "X-Stall: ", STALL, -ETIMEDOUT, ENDLESS),
        LIE("stalls in the middle", NULL, OK_HEAD "Content-Length: 9\r\n\r\nhi", STALL, -ETIMEDOUT,
            ENDLESS),
        LIE("drips", OK_HEAD "Content-Length: 63\r\n\r\n", "x", DRIP, -ETIMEDOUT, ENDLESS),
        LIE("drips in the header", OK_HEAD "X-Drip: ", "x", DRIP, -ETIMEDOUT, ENDLESS),
        LIE("garbage", NULL, "\x16\x03\x01garbage\r\n\r\n", HANG_UP, -EPROTO, NO_HTTP),
        LIE("endless garbage", NULL, "garbage\r\n", FLOOD, -EPROTO, NO_HTTP),
        LIE("other version", NULL, "HTTP/4.2 200\r\n\r\n", HANG_UP, -EPROTO, NO_HTTP),
        LIE("negative length", NULL, OK_HEAD "Content-Length: -1\r\n\r\nhi", HANG_UP, -EPROTO,
            NO_HTTP),
        LIE("bad chunk", NULL, OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi", HANG_UP,
            -ECONNRESET, BROKE),
};

START_TEST(sees_through_lie)
{
        struct asked a;

        ask_server(&a, &lies[_i].reply, lies[_i].want == -ETIMEDOUT ? NOT_PATIENT : TIMEOUT, false);
        ck_assert_msg(a.result.error == lies[_i].want, "%s: %d %s", lies[_i].name, a.result.error,
                      a.result.text);
        ck_assert_msg(streq(a.result.text, lies[_i].says), "%s: %s", lies[_i].name, a.result.text);
        ck_assert_str_eq(a.body, "");
        ck_assert_uint_eq(a.result.status, 0);
}
END_TEST

static const struct {
        const char *name;
        struct scripted_reply reply;
} long_answers[] = {
        {"announced",     {.bytes = OK_HEAD "Content-Length: 65\r\n\r\n" SIXTY_FOUR "!"}},
        {"a byte more",   {.bytes = OK_HEAD "\r\n" SIXTY_FOUR "!"}                      },
        {"never ends",    {.head = OK_HEAD "\r\n", .bytes = SIXTEEN, .then = THEN_FLOOD}},
        {"never arrives",
         {.bytes = OK_HEAD "Content-Length: 999999999999\r\n\r\n" SIXTY_FOUR "!",
          .then = THEN_STALL}                                                           },
};

START_TEST(cuts_what_is_too_long)
{
        struct asked a;

        ask_server(&a, &long_answers[_i].reply, TIMEOUT, true);
        ck_assert_msg(a.result.error == 0, "%s: %s", long_answers[_i].name, a.result.text);
        ck_assert_uint_eq(a.result.status, 200);
        ck_assert_str_eq(a.body, SIXTY_FOUR);
        ck_assert(a.result.truncated);
}
END_TEST

/* --- nobody there --------------------------------------------------------------------------------- */

static void finds_nobody(const char *url, const char *unix_path, int want, const char *says)
{
        struct fetch_request q = {
                .url = url,
                .unix_path = unix_path,
                .timeout_usec = want == -ETIMEDOUT ? NOT_PATIENT : TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct asked a = {.then = free_self};

        ask(&a, &q);
        wait_for(&a);
        ck_assert_str_eq(a.result.text, says);
        ck_assert_int_eq(a.result.error, want);
}

/* What we lack must not look as if nobody were there. */
START_TEST(says_that_we_have_no_descriptors)
{
        struct rlimit limit;
        int next = dup(0);

        finds_nobody("http://127.0.0.1:1/", NULL, -ECONNREFUSED, "connection refused");
        close(next);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = (rlim_t)next;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        finds_nobody("http://127.0.0.1:1/", NULL, -EMFILE, "Too many open files");
        limit.rlim_cur = limit.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        finds_nobody("http://127.0.0.1:1/", NULL, -ECONNREFUSED, "connection refused");
}
END_TEST

START_TEST(says_why_nobody_is_there)
{
        finds_nobody("http://127.0.0.1:1/", NULL, -ECONNREFUSED, "connection refused");
        finds_nobody("https://127.0.0.1:1/", NULL, -ECONNREFUSED, "connection refused");
        finds_nobody("http://x/", "/nonexistent/s", -ENOENT, "there is no such socket");
        finds_nobody("http://" NAME_UNKNOWN "/", NULL, -EHOSTUNREACH,
                     "its name cannot be resolved");
}
END_TEST

/* A queue that is full: what else knocks is not heard. */
START_TEST(gives_up_where_it_cannot_connect)
{
        struct scripted_server s = {0};
        struct sockaddr_in sa;
        socklen_t n = sizeof(sa);
        char url[URL_MAX];
        int fds[4];

        scripted_server_on_loopback(&s);
        ck_assert_int_eq(listen(s.listen_fd, 0), 0);
        ck_assert_int_eq(getsockname(s.listen_fd, (struct sockaddr *)&sa, &n), 0);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                ck_assert_int_ge(fds[i], 0);
                (void)connect(fds[i], (struct sockaddr *)&sa, n);
        }
        (void)snprintf(url, sizeof(url), "%s/", s.url);
        finds_nobody(url, NULL, -ETIMEDOUT, "it could not be connected to in time");
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
        close(s.listen_fd);
}
END_TEST

static size_t n_entries(const char *path)
{
        DIR *d = opendir(path);
        size_t n = 0;

        ck_assert_ptr_nonnull(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* If it waited for the thread, this would never end. */
START_TEST(does_not_wait_for_a_name)
{
        struct fetch_request q = {
                .url = "http://" NAME_SLOW "/",
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct asked broken_off = {0};
        size_t n_threads;

        finds_nobody(q.url, NULL, -ETIMEDOUT, "it could not be connected to in time");
        ask(&broken_off, &q);
        while (__atomic_load_n(&n_slow, __ATOMIC_SEQ_CST) < 2)
                ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_MSEC), 0);
        broken_off.fetch = fetch_free(broken_off.fetch);
        ck_assert_uint_eq(broken_off.n_done, 0);

        /* The threads clean up behind themselves; a leak or a late access is the sanitizers' to find. */
        n_threads = n_entries("/proc/self/task");
        sem_post(&slow_name);
        sem_post(&slow_name);
        while (n_entries("/proc/self/task") > n_threads - 2)
                (void)usleep(USEC_PER_MSEC);
}
END_TEST

/* --- what is sent --------------------------------------------------------------------------------- */

static const char *const some_headers[] = {"Content-Type: application/json", "X-Test: a: b", NULL};

#define SENT(n, m, h, b, e, w, u)                                                                 \
        {                                                                                         \
                .name = (n), .method = (m), .headers = (h), .body = (b), .n_body = sizeof(b) - 1, \
                .ends = (e), .with = (w), .without = (u)                                          \
        }

static const struct {
        const char *name, *method;
        const char *const *headers;
        const char *body;
        size_t n_body;
        const char *ends, *with, *without;
} sent[] = {
        SENT("GET", NULL, NULL, "", "\r\n\r\n", "GET /x?y=%20z HTTP/1.1\r\nHost: localhost\r\n",
             "Content-"),
        SENT("name", NULL, NULL, "", "\r\n\r\n", "\r\nUser-Agent: diag/" DIAG_VERSION "\r\n",
             "Connection"),
        SENT("HEAD", "HEAD", NULL, "", "\r\n\r\n", "HEAD /x?y=%20z HTTP/1.1\r\n", "Content-"),
        SENT("DELETE", "DELETE", NULL, "", "\r\n\r\n", "DELETE /x?y=%20z HTTP/1.1\r\n", "Content-"),
        SENT("PUT", "PUT", some_headers, "{\"a\":1}", "\r\n\r\n{\"a\":1}",
             "\r\nContent-Type: application/json\r\nX-Test: a: b\r\nContent-Length: 7\r\n",
             "urlencoded"),
        SENT("PUT without a type", "PUT", NULL, "abc", "\r\n\r\nabc", "\r\nContent-Length: 3\r\n",
             "Content-Type"),
        SENT("PUT of nothing", "PUT", NULL, "", "\r\n\r\n", "\r\nContent-Length: 0\r\n",
             "Content-Type"),
        SENT("GET with a body", NULL, NULL, "abc", "\r\n\r\nabc", "GET /x?y=%20z HTTP/1.1\r\n",
             "POST"),
};

static bool ends_with(const char *s, const char *end)
{
        return strlen(s) >= strlen(end) && streq(s + strlen(s) - strlen(end), end);
}

/* Over a Unix socket. */
START_TEST(sends_what_it_was_given)
{
        struct scripted_reply reply = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
        struct scripted_server s = {.replies = &reply, .n_replies = 1};
        char directory[] = "/tmp/diag-test-fetch.XXXXXX", path[64];
        struct fetch_request q = {
                .url = "http://localhost/x?y=%20z",
                .unix_path = path,
                .method = sent[_i].method,
                .headers = sent[_i].headers,
                .body = sent[_i].n_body ? sent[_i].body : NULL,
                .n_body = sent[_i].n_body,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
        struct asked a = {.then = free_self};

        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/s", directory);
        scripted_server_on_socket(&s, path);
        scripted_server_start(&s);
        ask(&a, &q);
        wait_for(&a);
        scripted_server_join(&s);
        unlink(path);
        rmdir(directory);
        ck_assert_msg(a.result.error == 0, "%s: %s", sent[_i].name, a.result.text);
        ck_assert_msg(ends_with(s.last_request, sent[_i].ends), "%s: %s", sent[_i].name,
                      s.last_request);
        ck_assert_msg(strstr(s.last_request, sent[_i].with) != NULL, "%s: %s", sent[_i].name,
                      s.last_request);
        ck_assert_msg(strstr(s.last_request, sent[_i].without) == NULL, "%s: %s", sent[_i].name,
                      s.last_request);
}
END_TEST

static const char *const header_lines[] = {
        "", ":", "x", ": x", "a b: c", "a:", "a: ", "a;", "a: b\r\nc: d", "a: b\nc", "\xc3\xa4: b",
};
static const char *const methods[] = {"GET /", "G\r\n", "\xff"};
static const char *const paths[] = {"", "s", "/" SIXTY_FOUR SIXTY_FOUR};
static const char *const urls[] = {
        "",
        "x",
        "/x",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://[/",
        "unix:/x",
        "http://u@127.0.0.1/",
        "http://u:p@127.0.0.1/",
        "127.0.0.1",
        "http:// /",
        "http://127.0.0.1/a b",
        "http://127.0.0.1:65536/",
        "http://x/\r\n",
};

static void refuses(const struct fetch_request *q, const char *what)
{
        struct fetch *t = NULL;
        struct err e = {0};

        ck_assert_msg(fetch_start(&t, fetcher, q, on_done, NULL, &e) == -EINVAL, "\"%s\"", what);
        ck_assert_str_ne(e.text, "");
        ck_assert_ptr_null(t);
}

START_TEST(refuses_what_it_would_not_send)
{
        struct fetch_request q = {.url = "http://127.0.0.1:1/", .timeout_usec = TIMEOUT};
        const char *many[40] = {0}, *headers[2] = {0};

        for (size_t i = 0; i < ELEMENTSOF(header_lines); i++) {
                headers[0] = header_lines[i];
                q.headers = headers;
                refuses(&q, header_lines[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(many) - 1; i++)
                many[i] = "a: b";
        q.headers = many;
        refuses(&q, "too many");
        q.headers = NULL;
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                q.method = methods[i];
                refuses(&q, methods[i]);
        }
        q.method = NULL;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                q.unix_path = paths[i];
                refuses(&q, paths[i]);
        }
        q.unix_path = NULL;
        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                q.url = urls[i];
                refuses(&q, urls[i]);
        }
}
END_TEST

/* --- many at once --------------------------------------------------------------------------------- */

static void crowd_setup(void)
{
        setup();
        crowd_open();
}

static void crowd_setup_sharded(void)
{
        setup_sharded();
        crowd_open();
}

static void crowd_teardown(void)
{
        crowd_close();
        teardown();
}

START_TEST(asks_no_more_than_so_many_at_once)
{
        static struct asked a[CROWD_MAX];

        ask_crowd(a, CROWD_MAX, TIMEOUT);
        crowd_wait(FETCH_RUNNING_MAX);
        ck_assert_uint_eq(crowd.n, FETCH_RUNNING_MAX);
        for (unsigned i = 0; i < CROWD_MAX; i++) {
                crowd_wait(i + 1);
                ck_assert_uint_le(crowd.n, n_ended + FETCH_RUNNING_MAX);
                crowd_answer(i);
                wait_for(&a[i]); /* in order */
                ck_assert_uint_eq(a[i].number, i);
                ck_assert_str_eq(a[i].body, "hi");
        }
        free_all(a, CROWD_MAX);
}
END_TEST

static void come_to_rest(void)
{
        while (sd_event_run(loop_event(loop), REST_USEC) > 0)
                ;
}

START_TEST(gives_a_freed_place_to_the_next)
{
        static struct asked a[FETCH_RUNNING_MAX + 2];

        ask_crowd(a, ELEMENTSOF(a), TIMEOUT);
        crowd_wait(FETCH_RUNNING_MAX);
        come_to_rest(); /* or anything else that is due would make it look */
        a[FETCH_RUNNING_MAX].fetch = fetch_free(a[FETCH_RUNNING_MAX].fetch); /* it waited */
        a[0].fetch = fetch_free(a[0].fetch);                                 /* it ran */
        crowd_wait(FETCH_RUNNING_MAX + 1);
        ck_assert(crowd_has_lost(0));
        crowd_answer(FETCH_RUNNING_MAX);
        wait_for(&a[FETCH_RUNNING_MAX + 1]);
        ck_assert_uint_eq(n_ended, 1);
        free_all(a, ELEMENTSOF(a));
}
END_TEST

START_TEST(does_not_blame_whom_it_had_no_time_for)
{
        static struct asked a[FETCH_RUNNING_MAX], late = {.then = free_self};

        ask_crowd(a, FETCH_RUNNING_MAX, TIMEOUT);
        crowd_wait(FETCH_RUNNING_MAX);
        ask_crowd(&late, 1, NOT_PATIENT);
        wait_for(&late);
        ck_assert_int_eq(late.result.error, -EBUSY);
        ck_assert_str_eq(late.result.text, "too many others were being asked");
        ck_assert_uint_eq(late.result.took_usec, 0);
        ck_assert_uint_eq(n_ended, 1);
        free_all(a, FETCH_RUNNING_MAX);
}
END_TEST

static struct asked place_holders[FETCH_RUNNING_MAX];

static void free_place_holders(_unused_ void *userdata)
{
        free_all(place_holders, FETCH_RUNNING_MAX);
}

/* However slow the machine is, at the end most of its time has been spent waiting for a place. */
START_TEST(does_not_blame_whom_it_asked_too_late)
{
        static struct asked late = {.then = free_self};
        struct loop_timer *timer;

        ask_crowd(place_holders, FETCH_RUNNING_MAX, TIMEOUT);
        crowd_wait(FETCH_RUNNING_MAX);
        ask_crowd(&late, 1, NOT_PATIENT);
        ck_assert_int_eq(loop_timer_new(&timer, loop, free_place_holders, NULL), 0);
        loop_timer_set(timer, now_mono_usec() + NOT_PATIENT * 3 / 4, 0);
        wait_for(&late);
        ck_assert_int_eq(late.result.error, -EBUSY);
        free_all(place_holders, FETCH_RUNNING_MAX);
        loop_timer_free(timer);
}
END_TEST

START_TEST(ends_at_once_what_is_broken_off)
{
        static struct asked a[CROWD_MAX];

        ask_crowd(a, 2, TIMEOUT);
        free_all(a, 2); /* not yet looked at */
        ask_crowd(a, CROWD_MAX, TIMEOUT);
        crowd_wait(1);
        free_all(a, CROWD_MAX);
        fetcher = fetcher_free(fetcher);
        ck_assert_uint_eq(n_ended, 0);
}
END_TEST

/* --- re-entrance ---------------------------------------------------------------------------------- */

static struct asked several[SEVERAL];

static void free_several(_unused_ struct asked *a)
{
        free_all(several, SEVERAL);
}

/* All have their answer before the loop turns, so that they end in one wake-up; the first frees all. */
START_TEST(lets_done_free_those_that_have_ended_too)
{
        memset(several, 0, sizeof(several));
        for (unsigned i = 0; i < SEVERAL; i++)
                several[i].then = free_several;
        ask_crowd(several, SEVERAL, TIMEOUT);
        crowd_wait(SEVERAL);
        for (unsigned i = 0; i < SEVERAL; i++)
                crowd_answer(i);
        while (!n_ended)
                turn();
        for (unsigned i = 0; i < SEVERAL; i++)
                ck_assert_ptr_null(several[i].fetch);
        ck_assert_uint_eq(n_ended, 1);
        for (unsigned i = 0; i < SEVERAL; i++)
                ck_assert(crowd_has_lost(i));
}
END_TEST

/* Those that time out while they wait are told one by one; the first frees the others. */
START_TEST(lets_done_free_those_that_wait)
{
        static struct asked a[FETCH_RUNNING_MAX];

        memset(several, 0, sizeof(several));
        for (unsigned i = 0; i < SEVERAL; i++)
                several[i].then = free_several;
        ask_crowd(a, FETCH_RUNNING_MAX, TIMEOUT);
        ask_crowd(several, SEVERAL, NOT_PATIENT);
        while (!n_ended)
                turn();
        ck_assert_uint_eq(n_ended, 1);
        free_all(a, FETCH_RUNNING_MAX);
}
END_TEST

static void ask_again(struct asked *a)
{
        struct asked *next = a + 1;

        free_self(a);
        if (next < several + SEVERAL) {
                next->then = ask_again;
                ask_crowd(next, 1, TIMEOUT);
        }
}

START_TEST(lets_done_ask_again)
{
        memset(several, 0, sizeof(several));
        several[0].then = ask_again;
        ask_crowd(several, 1, TIMEOUT);
        for (unsigned i = 0; i < SEVERAL; i++) {
                crowd_wait(i + 1);
                crowd_answer(i);
                wait_for(&several[i]);
                ck_assert_int_eq(several[i].result.error, 0);
        }
        ck_assert_uint_eq(n_ended, SEVERAL);
}
END_TEST

START_TEST(keeps_nothing_open)
{
        static struct asked a;
        size_t n_files = n_entries("/proc/self/fd");

        ask_crowd(&a, 1, TIMEOUT);
        crowd_wait(1);
        crowd_answer(0);
        wait_for(&a);
        ck_assert(crowd_has_lost(0));
        ck_assert_uint_eq(n_entries("/proc/self/fd"), n_files + 1); /* the crowd's */
        fetcher = fetcher_free(fetcher);
        free_all(&a, 1); /* one that has ended may outlive it */
}
END_TEST

/* --- however it is set up ------------------------------------------------------------------------- */

static void add_alone(Suite *suite, const char *name, SFun set_up)
{
        TCase *t = tcase_create(name);

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, set_up, teardown);
        tcase_add_loop_test(t, takes_answer, 0, ELEMENTSOF(answers));
        tcase_add_loop_test(t, sees_through_lie, 0, ELEMENTSOF(lies));
        tcase_add_loop_test(t, cuts_what_is_too_long, 0, ELEMENTSOF(long_answers));
        tcase_add_test(t, says_why_nobody_is_there);
        tcase_add_test(t, says_that_we_have_no_descriptors);
        tcase_add_test(t, gives_up_where_it_cannot_connect);
        tcase_add_test(t, does_not_wait_for_a_name);
        tcase_add_loop_test(t, sends_what_it_was_given, 0, ELEMENTSOF(sent));
        tcase_add_test(t, refuses_what_it_would_not_send);
        suite_add_tcase(suite, t);
}

static void add_many(Suite *suite, const char *name, SFun set_up)
{
        TCase *t = tcase_create(name);

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, set_up, crowd_teardown);
        tcase_add_test(t, asks_no_more_than_so_many_at_once);
        tcase_add_test(t, gives_a_freed_place_to_the_next);
        tcase_add_test(t, does_not_blame_whom_it_had_no_time_for);
        tcase_add_test(t, does_not_blame_whom_it_asked_too_late);
        tcase_add_test(t, ends_at_once_what_is_broken_off);
        tcase_add_test(t, lets_done_free_those_that_wait);
        suite_add_tcase(suite, t);
}

int main(void)
{
        Suite *suite = suite_create("fetch");
        TCase *unkept = tcase_create("unkept");

        (void)signal(SIGPIPE, SIG_IGN);
        add_alone(suite, "alone", setup);
        add_alone(suite, "alone_sharded", setup_sharded);
        add_many(suite, "many", crowd_setup);
        add_many(suite, "many_sharded", crowd_setup_sharded);
        tcase_set_timeout(unkept, 60);
        tcase_add_checked_fixture(unkept, crowd_setup, crowd_teardown);
        tcase_add_test(unkept, lets_done_free_those_that_have_ended_too);
        tcase_add_test(unkept, lets_done_ask_again);
        tcase_add_test(unkept, keeps_nothing_open);
        suite_add_tcase(suite, unkept);
        return test_main(suite);
}
