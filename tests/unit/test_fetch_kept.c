/* With kept connections: it finds them again, trusts none too long, and tells what the answer's head says. */

#include <dirent.h>
#include <netinet/tcp.h>
#include <signal.h>

#include "tests/unit/fetch_asked.h"

#define N_HOSTS    100u
#define N_SHARDS   32u
#define N_WAITING  2000u
#define AT_ONCE    256u /* of net/fetch.c */
#define N_FLOODERS 3u
#define HOST_FMT   "http://node%u.example:%u/"

static const struct fetcher_options kept = {
        .n_shards = N_SHARDS,
        .n_running_max = 1000,
        .n_kept_max = 1000,
        .buffer_bytes = FETCH_BUFFER_MIN,
};

static void setup_with(const struct fetcher_options *options)
{
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, options), 0);
        n_ended = 0;
        crowd_open();
}

static void set_up_again(const struct fetcher_options *options)
{
        fetcher = fetcher_free(fetcher);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, options), 0);
}

static void setup(void)
{
        setup_with(&kept);
}

static void teardown(void)
{
        fetcher = fetcher_free(fetcher);
        crowd_close();
        loop = loop_free(loop);
}

static struct fetch_request plain(void)
{
        return (struct fetch_request){
                .url = crowd.url,
                .timeout_usec = TIMEOUT,
                .max_bytes = BODY_MAX,
        };
}

static void ask_one(struct asked *a, const struct fetch_request *q)
{
        *a = (struct asked){.then = free_self};
        ask(a, q);
}

/* Ask; whoever of the crowd hears it says @reply. */
static void exchange(struct asked *a, const struct fetch_request *q, unsigned client,
                     const char *reply)
{
        ask_one(a, q);
        crowd_wait(client + 1);
        (void)crowd_hear(client);
        crowd_say(client, reply);
        wait_for(a);
}

/* --- keeping -------------------------------------------------------------------------------------- */

START_TEST(uses_a_connection_again)
{
        struct fetch_request q = plain();
        struct asked a;

        exchange(&a, &q, 0, OK_HI);
        ck_assert_int_eq(a.result.error, 0);
        ck_assert(!a.result.reused);
        ck_assert_uint_gt(a.result.connected_usec, 0);
        for (unsigned i = 0; i < 3; i++) {
                exchange(&a, &q, 0, OK_HI);
                ck_assert_str_eq(a.body, "hi");
                ck_assert(a.result.reused);
                ck_assert_uint_eq(a.result.connected_usec, 0);
        }
        ck_assert_uint_eq(crowd.n, 1);
}
END_TEST

/* A name that nobody could resolve, and an address instead. */
START_TEST(finds_the_connection_of_each_host)
{
        static struct asked a[N_HOSTS];
        char urls[N_HOSTS][URL_MAX];
        unsigned port = (unsigned)strtoul(strrchr(crowd.url, ':') + 1, NULL, 10);

        for (unsigned round = 0; round < 3; round++)
                for (unsigned i = 0; i < N_HOSTS; i++) {
                        struct fetch_request q = plain();

                        (void)snprintf(urls[i], URL_MAX, HOST_FMT, i, port);
                        q.url = urls[i];
                        q.connect_to = "127.0.0.1";
                        exchange(&a[i], &q, i, OK_HI);
                        ck_assert_msg(a[i].result.error == 0, "%s", a[i].result.text);
                        ck_assert_int_eq(a[i].result.reused, round > 0);
                }
        ck_assert_uint_eq(crowd.n, N_HOSTS);
}
END_TEST

START_TEST(keeps_the_host_of_the_url)
{
        struct fetch_request q = plain();
        struct asked a;
        char url[URL_MAX];

        (void)snprintf(url, sizeof(url), "http://node.example%s", strrchr(crowd.url, ':'));
        q.url = url;
        q.connect_to = "127.0.0.1";
        ask_one(&a, &q);
        crowd_wait(1);
        ck_assert_ptr_nonnull(strstr(crowd_hear(0), "\r\nHost: node.example:"));
        crowd_answer(0);
        wait_for(&a);
        ck_assert_int_eq(a.result.error, 0);
        q.connect_to = "::1"; /* nobody listens there */
        ask_one(&a, &q);
        wait_for(&a);
        ck_assert_int_lt(a.result.error, 0);
        ck_assert_uint_eq(crowd.n, 1);
}
END_TEST

START_TEST(keeps_no_more_than_it_may)
{
        static struct asked a[N_HOSTS];
        const struct fetcher_options few = {.n_running_max = N_HOSTS, .n_kept_max = 8};
        unsigned n_open = 0;

        set_up_again(&few);
        for (unsigned i = 0; i < N_HOSTS; i++) {
                struct fetch_request q = plain();
                char url[URL_MAX];

                (void)snprintf(url, sizeof(url), "http://node%u.example%s", i,
                               strrchr(crowd.url, ':'));
                q.url = url;
                q.connect_to = "127.0.0.1";
                exchange(&a[i], &q, i, OK_HI);
        }
        for (unsigned i = 0; i < N_HOSTS; i++)
                n_open += !crowd_has_lost(i);
        ck_assert_uint_ge(n_open, 8);
        ck_assert_uint_le(n_open, 8 + 8 / 4 + 16);
}
END_TEST

#define LAST(n, r, c, m)                                                \
        {                                                               \
                .name = (n), .reply = (r), .cut = (c), .max_bytes = (m) \
        }

static const struct {
        const char *name, *reply;
        bool cut;
        size_t max_bytes;
} last_words[] = {
        LAST("says so", OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nhi", false,
             BODY_MAX),
        LAST("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, BODY_MAX),
        LAST("more than announced", OK_HI "HTTP/1.1 500 Oh\r\n\r\n", false, BODY_MAX),
        LAST("too long", OK_HI, false, 1),
        LAST("cut", OK_HI, true, 1),
        LAST("garbage", "garbage\r\n\r\n", false, BODY_MAX),
};

START_TEST(does_not_keep_what_cannot_be_used_again)
{
        struct fetch_request q = plain();
        struct asked a;

        q.cut = last_words[_i].cut;
        q.max_bytes = last_words[_i].max_bytes;
        exchange(&a, &q, 0, last_words[_i].reply);
        ck_assert_msg(crowd_has_lost(0), "%s", last_words[_i].name);
        exchange(&a, &q, 1, OK_HI);
        ck_assert_uint_eq(crowd.n, 2);
        ck_assert(!a.result.reused);
}
END_TEST

START_TEST(does_not_keep_what_was_broken_off)
{
        struct fetch_request q = plain();
        struct asked a;

        ask_one(&a, &q);
        crowd_wait(1);
        (void)crowd_hear(0);
        a.fetch = fetch_free(a.fetch);
        ck_assert(crowd_has_lost(0));
        exchange(&a, &q, 1, OK_HI);
        ck_assert(!a.result.reused);
}
END_TEST

/* --- connections that die ------------------------------------------------------------------------- */

static void hang_up(unsigned i, bool reset)
{
        const struct linger at_once = {.l_onoff = 1};

        if (reset)
                ck_assert_int_eq(setsockopt(crowd.clients[i], SOL_SOCKET, SO_LINGER, &at_once,
                                            sizeof(at_once)),
                                 0);
        close(crowd.clients[i]);
        crowd.clients[i] = open("/dev/null", O_RDONLY | O_CLOEXEC); /* for crowd_close() */
}

#define BROKE   "its answer broke off"
#define HUNG_UP "it hung up without an answer"
#define DEATH(n, m, b, r, f, c, s)                                                          \
        {                                                                                   \
                .name = (n), .method = (m), .before = (b), .reset = (r), .says_first = (f), \
                .n_clients = (c), .says = (s)                                               \
        }

static const struct {
        const char *name, *method;
        bool before, reset; /* it hangs up before it is asked; with a reset */
        const char *says_first;
        unsigned n_clients; /* that were needed */
        const char *says;   /* "": there is an answer */
} deaths[] = {
        DEATH("closed between", NULL, true, false, "", 2, ""),
        DEATH("reset between", NULL, true, true, "", 2, ""),
        DEATH("closed when asked", NULL, false, false, "", 2, ""),
        DEATH("reset when asked", NULL, false, true, "", 2, ""),
        DEATH("PUT", "PUT", false, true, "", 2, ""),
        DEATH("HEAD", "HEAD", false, false, "", 2, ""),
        DEATH("in the header", NULL, false, false, OK_HEAD, 1, BROKE),
        DEATH("in the body", NULL, false, false, OK_HEAD "Content-Length: 9\r\n\r\nhi", 1, BROKE),
        DEATH("POST", "POST", true, false, "", 2, ""),
        DEATH("POST when asked", "POST", false, false, "", 2, HUNG_UP),
};

START_TEST(replaces_one_that_died)
{
        struct fetch_request q = plain();
        bool post = deaths[_i].method && streq(deaths[_i].method, "POST");
        struct asked a;

        exchange(&a, &q, 0, OK_HI);
        q.method = deaths[_i].method;
        if (deaths[_i].before)
                hang_up(0, deaths[_i].reset);
        ask_one(&a, &q);
        if (!deaths[_i].before) {
                crowd_wait(1 + post);
                (void)crowd_hear(post);
                crowd_say(post, deaths[_i].says_first);
                hang_up(post, deaths[_i].reset);
        }
        if (!*deaths[_i].says) {
                crowd_wait(2);
                (void)crowd_hear(1);
                crowd_say(1, OK_HI);
        }
        wait_for(&a);
        ck_assert_msg(streq(a.result.text, deaths[_i].says), "%s: %s", deaths[_i].name,
                      a.result.text);
        ck_assert_int_eq(a.result.error, *deaths[_i].says ? -ECONNRESET : 0);
        ck_assert_uint_eq(crowd.n, deaths[_i].n_clients);
        ck_assert_int_eq(a.result.reused, deaths[_i].n_clients == 1);
}
END_TEST

START_TEST(replaces_it_once)
{
        struct fetch_request q = plain();
        struct asked a;

        exchange(&a, &q, 0, OK_HI);
        ask_one(&a, &q);
        for (unsigned i = 0; i < 2; i++) {
                crowd_wait(i + 1);
                (void)crowd_hear(i);
                hang_up(i, false);
        }
        wait_for(&a);
        ck_assert_str_eq(a.result.text, HUNG_UP);
        ck_assert_int_eq(a.result.error, -ECONNRESET);
        ck_assert_uint_eq(crowd.n, 2);
        ck_assert(!a.result.reused);
}
END_TEST

START_TEST(does_not_repeat_over_a_new_one)
{
        struct fetch_request q = plain();
        struct asked a;

        ask_one(&a, &q);
        crowd_wait(1);
        (void)crowd_hear(0);
        hang_up(0, false);
        wait_for(&a);
        ck_assert_str_eq(a.result.text, HUNG_UP);
        ck_assert_uint_eq(crowd.n, 1);
}
END_TEST

START_TEST(waits_no_longer_over_a_kept_one)
{
        struct fetch_request q = plain();
        struct asked a;

        exchange(&a, &q, 0, OK_HI);
        q.timeout_usec = NOT_PATIENT;
        ask_one(&a, &q);
        wait_for(&a);
        ck_assert_str_eq(a.result.text, "it did not answer in time");
        ck_assert_int_eq(a.result.error, -ETIMEDOUT);
        ck_assert(a.result.reused);
}
END_TEST

/* --- the sockets ---------------------------------------------------------------------------------- */

/* Our end of a connection of the crowd. */
static int other_end(unsigned i)
{
        struct sockaddr_in theirs, ours;
        socklen_t n = sizeof(theirs);

        ck_assert_int_eq(getpeername(crowd.clients[i], (struct sockaddr *)&theirs, &n), 0);
        for (int fd = 3; fd < 1024; fd++) {
                n = sizeof(ours);
                if (getsockname(fd, (struct sockaddr *)&ours, &n) == 0 &&
                    ours.sin_family == AF_INET && ours.sin_port == theirs.sin_port)
                        return fd;
        }
        ck_abort_msg("no such socket");
}

static int option_of(int fd, int level, int name)
{
        int value = -1;
        socklen_t n = sizeof(value);

        ck_assert_int_eq(getsockopt(fd, level, name, &value, &n), 0);
        return value;
}

static const struct {
        unsigned n_kept_max;
        bool watch, watched;
} watches[] = {
        {0, false, false},
        {0, true,  true },
        {9, false, true },
        {9, true,  true },
};

START_TEST(watches_a_silent_machine)
{
        const struct fetcher_options options = {.n_kept_max = watches[_i].n_kept_max};
        struct fetch_request q = plain();
        struct asked a;
        int fd;

        set_up_again(&options);
        q.watch_peer = watches[_i].watch;
        ask_one(&a, &q);
        crowd_wait(1);
        fd = other_end(0);
        ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), watches[_i].watched);
        if (watches[_i].watched) {
                ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 5);
                ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
                ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12000);
        }
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        crowd_answer(0);
        wait_for(&a);
}
END_TEST

/* A queue that is full: what else knocks is not heard. */
START_TEST(gives_up_connecting)
{
        struct fetch_request q = plain();
        struct sockaddr_in sa;
        socklen_t n = sizeof(sa);
        struct asked a;
        int fds[4];

        ck_assert_int_eq(getsockname(crowd.listen_fd, (struct sockaddr *)&sa, &n), 0);
        crowd.source = sd_event_source_disable_unref(crowd.source);
        ck_assert_int_eq(listen(crowd.listen_fd, 0), 0);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                (void)connect(fds[i], (struct sockaddr *)&sa, n);
        }
        q.connect_timeout_usec = NOT_PATIENT;
        ask_one(&a, &q);
        wait_for(&a);
        ck_assert_str_eq(a.result.text, "it could not be connected to in time");
        ck_assert_int_eq(a.result.error, -ETIMEDOUT);
        ck_assert_uint_lt(a.result.took_usec, TIMEOUT);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
}
END_TEST

/* --- the head ------------------------------------------------------------------------------------- */

static const char *const wanted[] = {"ETag", "X-None", "content-type", NULL};

#define LONG_50  "12345678901234567890123456789012345678901234567890"
#define LONG_250 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50

#define HEAD(n, r, e, t)                                            \
        {                                                           \
                .name = (n), .reply = (r), .etag = (e), .type = (t) \
        }
#define HI "Content-Length: 2\r\n\r\nhi"

static const struct {
        const char *name, *reply, *etag, *type;
} heads[] = {
        HEAD("none", OK_HI, NULL, NULL),
        HEAD("one", OK_HEAD "ETag: \"a\"\r\n" HI, "\"a\"", NULL),
        HEAD("any case", OK_HEAD "eTAG:x\r\nCONTENT-TYPE:  text/plain  \r\n" HI, "x", "text/plain"),
        HEAD("empty", OK_HEAD "ETag:\r\n" HI, "", NULL),
        HEAD("empty with spaces", OK_HEAD "ETag: \t \r\n" HI, "", NULL),
        HEAD("the last", OK_HEAD "ETag: a\r\nETag: b\r\nX: y\r\nETag: c\r\n" HI, "c", NULL),
        HEAD("not of an interim answer",
             "HTTP/1.1 103 Early Hints\r\nETag: early\r\n\r\n" OK_HEAD "Content-Type: t\r\n" HI,
             NULL, "t"),
        HEAD("not of a trailer",
             OK_HEAD "ETag: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nETag: b\r\n\r\n",
             "a", NULL),
        HEAD("cut", OK_HEAD "ETag: " LONG_250 "123456789\r\n" HI, LONG_250 "12345", NULL),
        HEAD("unchanged", "HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", "a", NULL),
};

static char seen[FETCH_WANTED_MAX][FETCH_WANTED_BYTES_MAX];
static bool is_there[FETCH_WANTED_MAX];

static void remember_headers(const char *const *headers)
{
        for (size_t i = 0; i < FETCH_WANTED_MAX; i++) {
                is_there[i] = headers[i] != NULL;
                (void)snprintf(seen[i], sizeof(seen[i]), "%s", headers[i] ? headers[i] : "");
        }
}

static void on_head_done(const struct fetch_result *r, void *userdata)
{
        remember_headers(r->headers);
        on_done(r, userdata);
}

static void must_have_seen(size_t i, const char *value)
{
        ck_assert_int_eq(is_there[i], value != NULL);
        if (value)
                ck_assert_str_eq(seen[i], value);
}

START_TEST(tells_what_was_wanted_of_the_head)
{
        struct fetch_request q = plain();
        struct asked a = {.then = free_self};

        q.wanted_headers = wanted;
        ck_assert_int_eq(fetch_start(&a.fetch, fetcher, &q, on_head_done, &a, NULL), 0);
        crowd_wait(1);
        (void)crowd_hear(0);
        crowd_say(0, heads[_i].reply);
        wait_for(&a);
        ck_assert_msg(a.result.error == 0, "%s: %s", heads[_i].name, a.result.text);
        must_have_seen(0, heads[_i].etag);
        must_have_seen(1, NULL);
        must_have_seen(2, heads[_i].type);
        for (size_t i = 3; i < FETCH_WANTED_MAX; i++)
                must_have_seen(i, NULL);
}
END_TEST

START_TEST(tells_how_long_the_answer_took)
{
        struct fetch_request q = plain();
        uint64_t heard_usec;
        struct asked a;

        ask_one(&a, &q);
        crowd_wait(1);
        (void)crowd_hear(0);
        heard_usec = now_mono_usec();
        (void)usleep(20000);
        crowd_say(0, "HTTP/1.1 200");
        while (now_mono_usec() - heard_usec < 2 * 20000)
                ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_MSEC), 0);
        crowd_say(0, " OK\r\nContent-Length: 0\r\n\r\n");
        wait_for(&a);
        ck_assert_uint_ge(a.result.answered_usec, 2 * 20000 - USEC_PER_MSEC);
        ck_assert_uint_ge(a.result.took_usec, a.result.answered_usec + a.result.connected_usec);
}
END_TEST

static const char *const names_bad[] = {"", "a:", "a b", "\r\n", "\xc3\xa4"};
static const char *const names_many[] = {"a", "b", "c", "d", "e", "f", "g", NULL};
static const char *const addresses_bad[] = {"",      "node.example", "127.0.0.1:80",
                                            "[::1]", "1.2.3",        "::1%lo"};

START_TEST(refuses_what_it_could_not_keep)
{
        struct fetch_request q = plain();
        struct fetch *t = NULL;
        struct err e = {0};

        for (size_t i = 0; i < ELEMENTSOF(names_bad); i++) {
                const char *const names[] = {"a", names_bad[i], NULL};

                q.wanted_headers = names;
                ck_assert_int_eq(fetch_start(&t, fetcher, &q, on_done, NULL, &e), -EINVAL);
        }
        q.wanted_headers = names_many;
        ck_assert_int_eq(fetch_start(&t, fetcher, &q, on_done, NULL, &e), -EINVAL);
        q.wanted_headers = NULL;
        for (size_t i = 0; i < ELEMENTSOF(addresses_bad); i++) {
                q.connect_to = addresses_bad[i];
                ck_assert_msg(fetch_start(&t, fetcher, &q, on_done, NULL, &e) == -EINVAL, "%s",
                              addresses_bad[i]);
        }
        q.connect_to = "127.0.0.1";
        q.unix_path = "/run/x";
        ck_assert_int_eq(fetch_start(&t, fetcher, &q, on_done, NULL, &e), -EINVAL);
        ck_assert_ptr_null(t);
}
END_TEST

static const struct fetcher_options options_bad[] = {
        {.n_shards = FETCH_SHARDS_MAX + 1},
        {.buffer_bytes = FETCH_BUFFER_MIN - 1},
        {.buffer_bytes = FETCH_BUFFER_MAX + 1},
        {.n_kept_max = UINT32_MAX},
};

START_TEST(refuses_bad_options)
{
        struct fetcher *f = NULL;

        ck_assert_int_eq(fetcher_new(&f, loop, &options_bad[_i]), -EINVAL);
        ck_assert_ptr_null(f);
}
END_TEST

/* --- the body as it comes ------------------------------------------------------------------------- */

static struct {
        char text[2 * BODY_MAX];
        size_t n, n_calls;
        int break_off; /* returned by the call after which as many bytes came */
        size_t break_at;
} stream;

static int on_piece(const struct fetch_head *head, const char *data, size_t n,
                    _unused_ void *userdata)
{
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(stream.n + n, sizeof(stream.text) - 1);
        ck_assert_uint_eq(head->status, 200);
        remember_headers(head->headers);
        memcpy(stream.text + stream.n, data, n);
        stream.n += n;
        stream.n_calls++;
        return stream.break_at && stream.n >= stream.break_at ? stream.break_off : 0;
}

static void stream_reset(void)
{
        memset(&stream, 0, sizeof(stream));
        memset(is_there, 0, sizeof(is_there));
}

#define TEN         "0123456789"
#define STREAM_HEAD OK_HEAD "ETag: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNK       "a\r\n" TEN "\r\n"
#define LAST_CHUNK  "0\r\n\r\n"
#define STREAM(n, a, b, c, m, u, k, w, s, g)                                          \
        {                                                                             \
                .name = (n), .pieces = {(a), (b), (c)}, .max_bytes = (m), .cut = (u), \
                .break_at = (k), .want = (w), .says = (s), .got = (g)                 \
        }
#define TOO_LONG  "its answer is too long"
#define NOT_TAKEN "its answer was not taken to the end"

static const struct {
        const char *name, *pieces[4];
        size_t max_bytes;
        bool cut;
        size_t break_at;
        int want;
        const char *says, *got;
} streams[] = {
        STREAM("whole", STREAM_HEAD CHUNK, CHUNK, LAST_CHUNK, 64, false, 0, 0, "", TEN TEN),
        STREAM("empty", STREAM_HEAD, LAST_CHUNK, NULL, 64, false, 0, 0, "", ""),
        STREAM("at the limit", STREAM_HEAD CHUNK, LAST_CHUNK, NULL, 10, false, 0, 0, "", TEN),
        STREAM("too long", STREAM_HEAD CHUNK, CHUNK, NULL, 15, false, 0, -EFBIG, TOO_LONG, TEN),
        STREAM("cut", STREAM_HEAD CHUNK, CHUNK, NULL, 15, true, 0, 0, "", TEN "01234"),
        STREAM("cut at a piece", STREAM_HEAD CHUNK, CHUNK, NULL, 10, true, 0, 0, "", TEN),
        STREAM("at once", STREAM_HEAD CHUNK, CHUNK, NULL, 64, false, 5, -EPIPE, NOT_TAKEN, TEN),
        STREAM("later", STREAM_HEAD CHUNK, CHUNK, CHUNK, 64, false, 15, -EPIPE, NOT_TAKEN, TEN TEN),
};

START_TEST(passes_the_body_on)
{
        struct fetch_request q = plain();
        struct asked a;

        stream_reset();
        stream.break_at = streams[_i].break_at;
        stream.break_off = -EPIPE;
        q.on_body = on_piece;
        q.wanted_headers = wanted;
        q.max_bytes = streams[_i].max_bytes;
        q.cut = streams[_i].cut;
        ask_one(&a, &q);
        crowd_wait(1);
        (void)crowd_hear(0);
        for (const char *const *piece = streams[_i].pieces; *piece && !a.n_done; piece++) {
                crowd_say(0, *piece);
                for (unsigned i = 0; i < 5; i++)
                        ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_MSEC), 0);
        }
        wait_for(&a);
        ck_assert_msg(a.result.error == streams[_i].want, "%s: %s", streams[_i].name,
                      a.result.text);
        ck_assert_str_eq(a.result.text, streams[_i].says);
        ck_assert_str_eq(stream.text, streams[_i].got);
        ck_assert_str_eq(a.body, "");
        ck_assert_int_eq(a.result.truncated, streams[_i].cut);
        ck_assert_int_eq(is_there[0], stream.n > 0);
}
END_TEST

/* --- many ----------------------------------------------------------------------------------------- */

static unsigned n_turns;

/* In small slices: whoever else has something to do has its turn meanwhile. */
START_TEST(gives_up_a_crowd_in_turns)
{
        static struct asked a[N_WAITING], first;
        const struct fetcher_options one = {.n_running_max = 1};
        struct fetch_request q = plain();

        set_up_again(&one);
        ask_one(&first, &q);
        crowd_wait(1);
        q.timeout_usec = NOT_PATIENT;
        for (unsigned i = 0; i < N_WAITING; i++)
                ask_one(&a[i], &q);
        while (!n_ended)
                turn();
        for (n_turns = 0; n_ended < N_WAITING; n_turns++)
                turn();
        ck_assert_uint_ge(n_turns, N_WAITING / AT_ONCE - 1);
        for (unsigned i = 0; i < N_WAITING; i++)
                ck_assert_int_eq(a[i].result.error, -EBUSY);
        crowd_answer(0);
        wait_for(&first);
}
END_TEST

static int swallow(_unused_ const struct fetch_head *head, _unused_ const char *data,
                   _unused_ size_t n, void *userdata)
{
        ((struct asked *)userdata)->number++;
        return 0;
}

/* They go on for ever, so to get an answer at all is to get it beside them. */
START_TEST(serves_others_beside_a_flood)
{
        static const struct scripted_reply flood = {
                .head = OK_HEAD "\r\n", .bytes = LONG_250 LONG_250, .then = THEN_FLOOD};
        struct scripted_server servers[N_FLOODERS];
        struct asked floods[N_FLOODERS], a;
        struct fetch_request q = plain();

        for (unsigned i = 0; i < N_FLOODERS; i++) {
                struct fetch_request endless = plain();

                servers[i] = (struct scripted_server){.replies = &flood, .n_replies = 1};
                scripted_server_on_loopback(&servers[i]);
                scripted_server_start(&servers[i]);
                endless.url = servers[i].url;
                endless.max_bytes = SIZE_MAX / 4;
                endless.on_body = swallow;
                ask_one(&floods[i], &endless);
                while (!floods[i].number)
                        turn();
        }
        for (unsigned i = 0; i < 20; i++) {
                exchange(&a, &q, 0, OK_HI);
                ck_assert_int_eq(a.result.error, 0);
        }
        for (unsigned i = 0; i < N_FLOODERS; i++) {
                ck_assert_uint_eq(floods[i].n_done, 0);
                floods[i].fetch = fetch_free(floods[i].fetch);
                scripted_server_join(&servers[i]);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fetch_kept");
        TCase *t = tcase_create("kept");

        (void)signal(SIGPIPE, SIG_IGN);
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, uses_a_connection_again);
        tcase_add_test(t, finds_the_connection_of_each_host);
        tcase_add_test(t, keeps_the_host_of_the_url);
        tcase_add_test(t, keeps_no_more_than_it_may);
        tcase_add_loop_test(t, does_not_keep_what_cannot_be_used_again, 0, ELEMENTSOF(last_words));
        tcase_add_test(t, does_not_keep_what_was_broken_off);
        tcase_add_loop_test(t, replaces_one_that_died, 0, ELEMENTSOF(deaths));
        tcase_add_test(t, replaces_it_once);
        tcase_add_test(t, does_not_repeat_over_a_new_one);
        tcase_add_test(t, waits_no_longer_over_a_kept_one);
        tcase_add_loop_test(t, watches_a_silent_machine, 0, ELEMENTSOF(watches));
        tcase_add_test(t, gives_up_connecting);
        tcase_add_loop_test(t, tells_what_was_wanted_of_the_head, 0, ELEMENTSOF(heads));
        tcase_add_test(t, tells_how_long_the_answer_took);
        tcase_add_test(t, refuses_what_it_could_not_keep);
        tcase_add_loop_test(t, refuses_bad_options, 0, ELEMENTSOF(options_bad));
        tcase_add_loop_test(t, passes_the_body_on, 0, ELEMENTSOF(streams));
        tcase_add_test(t, gives_up_a_crowd_in_turns);
        tcase_add_test(t, serves_others_beside_a_flood);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
