/* It sends what comes out of a pipe, sleeps while nothing comes, and ends it as it should be ended. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "api/server.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a fault takes as long */
#define STREAMS_AT_ONCE  64u
#define FLOOD_BYTES      (UINT64_C(128) << 20)
#define FOREVER_USEC     (3600 * USEC_PER_SEC)

/* --- without a server ----------------------------------------------------------------------------- */

static void make_pipe(int fds[2])
{
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
}

static void put(int fd, const char *s)
{
        ck_assert_int_eq(write(fd, s, strlen(s)), (ssize_t)strlen(s));
}

static _Atomic unsigned n_closed;

static void on_closed(void *userdata)
{
        (void)userdata;
        n_closed++;
}

enum verdict { NOBODY_SAYS, WHOLE, BROKEN };

/* clang-format off */
static const struct {
        const char *name;
        uint64_t n_bytes;
        const char *written;
        const char *read;
        enum verdict verdict;
        enum stream_state state; /* behind that */
} ends[] = {
        {"unknown length", STREAM_LENGTH_UNKNOWN, "abc", "abc", NOBODY_SAYS, STREAM_ENDED},
        {"nothing at all", STREAM_LENGTH_UNKNOWN, "", "", NOBODY_SAYS, STREAM_ENDED},
        {"as many as said", 3, "abc", "abc", NOBODY_SAYS, STREAM_ENDED},
        {"fewer than said", 4, "abc", "abc", NOBODY_SAYS, STREAM_BROKEN},
        {"more than said", 2, "abc", "ab", NOBODY_SAYS, STREAM_ENDED},
        {"none were said", 0, "abc", "", NOBODY_SAYS, STREAM_ENDED},
        {"whole", STREAM_LENGTH_UNKNOWN, "abc", "abc", WHOLE, STREAM_ENDED},
        {"not whole", STREAM_LENGTH_UNKNOWN, "abc", "abc", BROKEN, STREAM_BROKEN},
        {"fewer, and somebody calls it whole", 4, "abc", "abc", WHOLE, STREAM_BROKEN},
};
/* clang-format on */

START_TEST(ends_as_it_should)
{
        struct stream_verdict *verdict = NULL;
        char block[16], all[16] = "";
        enum stream_state state;
        struct stream *s;
        size_t n;
        int fds[2];

        make_pipe(fds);
        ck_assert_int_eq(stream_new(&s, fds[0], ends[_i].n_bytes, FOREVER_USEC, 0, on_closed, NULL),
                         0);
        ck_assert_uint_eq(stream_size(s), ends[_i].n_bytes);
        put(fds[1], ends[_i].written);
        if (ends[_i].verdict != NOBODY_SAYS) {
                ck_assert_int_eq(stream_expect_verdict(s, dup(fds[1]), &verdict), 0);
                close(fds[1]);
        }
        if (verdict && stream_size(s) == STREAM_LENGTH_UNKNOWN) {
                ck_assert_int_eq(stream_read(s, all, 3, &n), STREAM_BYTES);
                ck_assert_int_eq(stream_read(s, block, 3, &n), STREAM_DRY);
        }
        if (verdict)
                ck_assert_ptr_null(stream_verdict_say(verdict, ends[_i].verdict == WHOLE));
        else
                close(fds[1]);
        while ((state = stream_read(s, block, 2, &n)) == STREAM_BYTES)
                strncat(all, block, n);
        ck_assert_msg(state == ends[_i].state, "%s: %d", ends[_i].name, state);
        ck_assert_str_eq(all, ends[_i].read);
        ck_assert_uint_eq(n_closed, 0);
        stream_free(s);
        ck_assert_uint_eq(n_closed, 1);
}
END_TEST

/* The clock is ours: nothing here takes any time. */
START_TEST(gives_up)
{
        uint64_t clock = 1000 * USEC_PER_SEC;
        struct stream *s;
        char block[16];
        int fds[2];
        size_t n;

        clock_fake(&clock);
        make_pipe(fds);
        ck_assert_int_eq(stream_new(&s, fds[0], STREAM_LENGTH_UNKNOWN, 10 * USEC_PER_SEC,
                                    clock + 25 * USEC_PER_SEC, NULL, NULL),
                         0);
        clock += 9 * USEC_PER_SEC; /* nobody has asked */
        ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_DRY);
        clock += 9 * USEC_PER_SEC;
        ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_DRY);
        put(fds[1], "a");
        ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_BYTES);
        ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_DRY);
        clock += 2 * USEC_PER_SEC;
        if (_i == 0) { /* its time is over, whatever comes */
                clock += 5 * USEC_PER_SEC;
                put(fds[1], "a");
        } else { /* it stands still */
                put(fds[1], "a");
                ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_BYTES);
                clock -= 10 * USEC_PER_SEC;
                ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_DRY);
                clock += 10 * USEC_PER_SEC;
        }
        ck_assert_int_eq(stream_read(s, block, sizeof(block), &n), STREAM_BROKEN);
        close(fds[1]);
        stream_free(s);
        clock_fake(NULL);
}
END_TEST

START_TEST(a_verdict_outlives_its_stream)
{
        struct stream_verdict *verdict;
        struct stream *s;
        int fds[2];

        make_pipe(fds);
        ck_assert_int_eq(stream_new(&s, fds[0], STREAM_LENGTH_UNKNOWN, FOREVER_USEC, 0, NULL, NULL),
                         0);
        ck_assert_int_eq(stream_expect_verdict(s, fds[1], &verdict), 0);
        stream_free(s);
        stream_verdict_say(verdict, true);
}
END_TEST

/* --- a server ------------------------------------------------------------------------------------- */

static sem_t began;
static struct parked *parked;
static struct server *server;
static struct authority authority = {.operators = (gid_t)-1};
static struct server_limits limits = {.n_connections_peer = 2 * STREAMS_AT_ONCE};
static char directory[64];
static struct sock_address address;
static int write_fds[STREAMS_AT_ONCE];
static uint64_t n_said = STREAM_LENGTH_UNKNOWN, stall_usec = FOREVER_USEC, deadline_usec;
static int file_fd = -1;

static int handle_stream(const struct request *q, struct reply *r)
{
        unsigned long i = strtoul(request_arg(q, "i"), NULL, 10);
        struct stream *s = NULL;
        int fds[2];

        make_pipe(fds);
        write_fds[i] = fds[1];
        ck_assert_int_eq(stream_new(&s, fds[0], n_said, stall_usec,
                                    deadline_usec ? now_mono_usec() + deadline_usec : 0, on_closed,
                                    NULL),
                         0);
        sem_post(&began);
        return reply_stream(r, 200, "application/octet-stream", s);
}

static int handle_file(const struct request *q, struct reply *r)
{
        struct stat st;

        ck_assert_int_eq(fstat(file_fd, &st), 0);
        return reply_file(q, r,
                          &(struct reply_file){.content_type = "application/zip",
                                               .fd = fcntl(file_fd, F_DUPFD_CLOEXEC, 3),
                                               .n_bytes = (uint64_t)st.st_size,
                                               .etag = "e"});
}

static const struct route routes[] = {
        {"GET", "/stream/{i}", handle_stream},
        {"GET", "/file",       handle_file  },
        {NULL,  NULL,          NULL         },
};
static const struct route *const tables[] = {routes, NULL};
static const struct router router = {tables, NULL};

static void start(void)
{
        struct server_options options = {
                .router = &router,
                .authority = &authority,
                .product = "diag/test",
                .limits = limits,
        };
        char text[SOCK_ADDRESS_MAX];
        sigset_t all;
        struct err e;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        log_set_level(0);
        sem_init(&began, 0, 0);
        ck_assert_int_eq(parked_new(&parked), 0);
        options.parked = parked;
        ck_assert_msg(server_new(&server, &options, &e) == 0, "%s", e.text);
        strcpy(directory, "/tmp/diag-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(text, sizeof(text), "unix:%s/sock", directory);
        ck_assert_int_eq(parse_listen(text, &address), 0);
        ck_assert_msg(server_listen(server, &address, &e) == 0, "%s", e.text);
}

static void stop(void)
{
        server = server_free(server);
        parked = parked_free(parked);
        ck_assert_int_eq(rmdir(directory), 0);
}

static int ask(const char *target, const char *version, const char *fields)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char request[512];

        ck_assert_int_eq(connect(fd, &address.sa, address.n), 0);
        (void)snprintf(request, sizeof(request), "GET %s HTTP/%s\r\nHost: localhost\r\n%s\r\n",
                       target, version, fields);
        put(fd, request);
        return fd;
}

static void wait_for_stream(void)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&began, &until) < 0)
                ck_assert_int_eq(errno, EINTR);
}

static int ask_stream(const char *version)
{
        int fd = ask("/stream/0", version, "");

        wait_for_stream();
        return fd;
}

/* Return: bytes; 0 at the end, however that comes. */
static size_t receive(int fd, char *data, size_t n)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t k;

        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        k = recv(fd, data, n, 0);
        return k > 0 ? (size_t)k : 0;
}

static struct buf received;

/* False when it ends before. */
static bool receive_until(int fd, const char *word)
{
        char data[4096];
        size_t n;

        while (!received.data || !memmem(received.data, received.n, word, strlen(word))) {
                n = receive(fd, data, sizeof(data));
                if (n == 0)
                        return false;
                buf_append(&received, data, n);
        }
        return true;
}

static void receive_all(int fd)
{
        char data[65536];
        size_t n;

        while ((n = receive(fd, data, sizeof(data))) > 0)
                buf_append(&received, data, n);
}

static const char *received_body(void)
{
        const char *body = received.data ? strstr(received.data, "\r\n\r\n") : NULL;

        ck_assert_ptr_nonnull(body);
        return body + 4;
}

static void wait_until_closed(unsigned n)
{
        uint64_t until = now_mono_usec() + PATIENCE_SECONDS * USEC_PER_SEC;

        while (n_closed < n && now_mono_usec() < until)
                usleep(1000);
        ck_assert_uint_eq(n_closed, n);
}

/* Its reader is gone: who writes is told. */
static void expect_no_reader(int fd)
{
        struct pollfd p = {.fd = fd};

        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        ck_assert_int_ne(p.revents & POLLERR, 0);
}

/* --- what clients get ----------------------------------------------------------------------------- */

START_TEST(sends_what_comes_when_it_comes)
{
        int fd;

        start();
        fd = ask_stream("1.1");
        ck_assert(receive_until(fd, "\r\n\r\n"));
        ck_assert_ptr_nonnull(strstr(received.data, "Transfer-Encoding: chunked"));
        put(write_fds[0], "first");
        ck_assert(receive_until(fd, "5\r\nfirst\r\n"));
        put(write_fds[0], "second");
        ck_assert(receive_until(fd, "6\r\nsecond\r\n"));
        ck_assert_uint_eq(n_closed, 0);
        close(write_fds[0]);
        ck_assert(receive_until(fd, "\r\n0\r\n\r\n"));
        wait_until_closed(1);
        buf_clear(&received); /* the connection is as good as before */
        put(fd, "GET /stream/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        wait_for_stream();
        put(write_fds[0], "x");
        close(write_fds[0]);
        receive_all(fd);
        ck_assert_str_eq(received_body(), "1\r\nx\r\n0\r\n\r\n");
        close(fd);
        stop();
}
END_TEST

/* clang-format off */
static const struct {
        const char *name, *version;
        uint64_t n_said;
        const char *written, *body;
} wholes[] = {
        {"chunks", "1.1", STREAM_LENGTH_UNKNOWN, "abc", "3\r\nabc\r\n0\r\n\r\n"},
        {"an old client", "1.0", STREAM_LENGTH_UNKNOWN, "abc", "abc"},
        {"a known length", "1.1", 3, "abc", "abc"},
        {"a known length, to an old client", "1.0", 3, "abc", "abc"},
        {"less than was said", "1.1", 4, "abc", "abc"},
        {"nothing", "1.1", STREAM_LENGTH_UNKNOWN, "", "0\r\n\r\n"},
};
/* clang-format on */

START_TEST(spells_it_as_the_client_can_read_it)
{
        char length[64] = "Content-Length: ";
        int fd;

        n_said = wholes[_i].n_said;
        start();
        fd = ask("/stream/0", wholes[_i].version, "Connection: close\r\n");
        wait_for_stream();
        put(write_fds[0], wholes[_i].written);
        close(write_fds[0]);
        receive_all(fd);
        ck_assert_msg(streq(received_body(), wholes[_i].body), "%s: %s", wholes[_i].name,
                      received.data);
        (void)snprintf(length, sizeof(length), "Content-Length: %u\r\n", (unsigned)n_said);
        ck_assert((strstr(received.data, length) != NULL) == (n_said != STREAM_LENGTH_UNKNOWN));
        close(fd);
        stop();
}
END_TEST

/* HEAD, and one whose answer has a body, on one connection. */
START_TEST(sends_no_body_to_who_wants_none)
{
        int fd;

        start();
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, &address.sa, address.n), 0);
        put(fd, "HEAD /stream/0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_stream();
        ck_assert(receive_until(fd, "\r\n\r\n"));
        wait_until_closed(1);
        close(write_fds[0]);
        ck_assert_str_eq(received_body(), "");
        close(fd);
        stop();
}
END_TEST

/* Broken off, and not ended: the last chunk never comes. */
START_TEST(breaks_off_what_stands_still)
{
        int fd;

        if (_i == 0)
                stall_usec = 20 * USEC_PER_MSEC;
        else
                deadline_usec = 20 * USEC_PER_MSEC;
        start();
        fd = ask_stream("1.1");
        put(write_fds[0], "abc");
        receive_all(fd);
        ck_assert_ptr_null(strstr(received.data, "\r\n0\r\n\r\n"));
        expect_no_reader(write_fds[0]);
        close(write_fds[0]);
        close(fd);
        stop();
}
END_TEST

/* --- clients that go ------------------------------------------------------------------------------ */

/* While the pipe is dry; while it is full, and the client does not read; and one who ends his half. */
START_TEST(closes_the_pipe_of_who_hangs_up)
{
        static char block[65536];
        int fd;

        start();
        fd = ask_stream("1.1");
        if (_i == 1) {
                ck_assert_int_eq(fcntl(write_fds[0], F_SETFL, O_NONBLOCK), 0);
                for (unsigned n_full = 0; n_full < 20;) { /* the socket, too */
                        if (write(write_fds[0], block, sizeof(block)) > 0)
                                continue;
                        n_full++;
                        usleep(2000);
                }
        } else {
                put(write_fds[0], "abc");
                ck_assert(receive_until(fd, "abc"));
        }
        if (_i == 2)
                ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        else
                close(fd);
        expect_no_reader(write_fds[0]);
        wait_until_closed(1);
        close(write_fds[0]);
        if (_i == 2)
                close(fd);
        stop();
}
END_TEST

/* --- stopping ------------------------------------------------------------------------------------- */

static void *write_without_end(void *userdata)
{
        static const char block[65536];

        while (write(*(int *)userdata, block, sizeof(block)) > 0)
                ;
        return NULL;
}

static void *read_without_end(void *userdata)
{
        static char block[65536];

        while (receive(*(int *)userdata, block, sizeof(block)) > 0)
                ;
        return NULL;
}

START_TEST(stops_with_streams_that_wait)
{
        int fds[STREAMS_AT_ONCE];

        start();
        for (unsigned i = 0; i < STREAMS_AT_ONCE; i++) {
                char target[32];

                (void)snprintf(target, sizeof(target), "/stream/%u", i);
                fds[i] = ask(target, "1.1", "");
                wait_for_stream();
        }
        stop();
        for (unsigned i = 0; i < STREAMS_AT_ONCE; i++) {
                expect_no_reader(write_fds[i]);
                receive_all(fds[i]);
                close(fds[i]);
                close(write_fds[i]);
        }
        ck_assert_ptr_null(memmem(received.data, received.n, "\r\n0\r\n\r\n", 7));
        ck_assert_uint_eq(n_closed, STREAMS_AT_ONCE);
}
END_TEST

START_TEST(stops_with_a_stream_that_flows)
{
        pthread_t writer, reader;
        int fd;

        (void)signal(SIGPIPE, SIG_IGN);
        start();
        fd = ask_stream("1.1");
        ck_assert_int_eq(pthread_create(&writer, NULL, write_without_end, &write_fds[0]), 0);
        ck_assert_int_eq(pthread_create(&reader, NULL, read_without_end, &fd), 0);
        stop();
        pthread_join(writer, NULL);
        pthread_join(reader, NULL);
        close(fd);
        close(write_fds[0]);
}
END_TEST

/* --- many, and fast ------------------------------------------------------------------------------- */

/* Each gets lines of its own, in turns with the others: "12\n" so many times. */
#define LINES_EACH 200u

static void *write_to_all(void *userdata)
{
        (void)userdata;
        for (unsigned line = 0; line < LINES_EACH; line++)
                for (unsigned i = 0; i < STREAMS_AT_ONCE; i++) {
                        char text[16];

                        (void)snprintf(text, sizeof(text), "%02u\n", i);
                        put(write_fds[i], text);
                }
        for (unsigned i = 0; i < STREAMS_AT_ONCE; i++)
                close(write_fds[i]);
        return NULL;
}

START_TEST(serves_many_at_once)
{
        int fds[STREAMS_AT_ONCE];
        pthread_t writer;
        char text[32];

        start();
        for (unsigned i = 0; i < STREAMS_AT_ONCE; i++) {
                (void)snprintf(text, sizeof(text), "/stream/%u", i);
                fds[i] = ask(text, "1.0", "");
                wait_for_stream();
        }
        ck_assert_int_eq(pthread_create(&writer, NULL, write_to_all, NULL), 0);
        for (unsigned i = 0; i < STREAMS_AT_ONCE; i++) {
                const char *body;

                buf_clear(&received);
                receive_all(fds[i]);
                close(fds[i]);
                body = received_body();
                ck_assert_uint_eq(strlen(body), 3 * LINES_EACH);
                (void)snprintf(text, sizeof(text), "%02u\n", i);
                for (unsigned line = 0; line < LINES_EACH; line++)
                        ck_assert_int_eq(memcmp(body + (size_t)3 * line, text, 3), 0);
        }
        pthread_join(writer, NULL);
        stop();
}
END_TEST

static void *write_a_flood(void *userdata)
{
        static const char block[65536];
        int fd = *(int *)userdata;

        for (uint64_t n = 0; n < FLOOD_BYTES; n += sizeof(block))
                ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
        close(fd);
        return NULL;
}

START_TEST(lets_much_through)
{
        static char data[65536];
        uint64_t begin, n_bytes = 0;
        pthread_t writer;
        size_t n;
        int fd;

        n_said = _i ? FLOOD_BYTES : STREAM_LENGTH_UNKNOWN;
        start();
        fd = ask_stream(_i ? "1.1" : "1.0");
        begin = now_mono_usec();
        ck_assert(receive_until(fd, "\r\n\r\n"));
        n_bytes = received.n - (size_t)(received_body() - received.data);
        ck_assert_int_eq(pthread_create(&writer, NULL, write_a_flood, &write_fds[0]), 0);
        while (n_bytes < FLOOD_BYTES && (n = receive(fd, data, sizeof(data))) > 0)
                n_bytes += n;
        ck_assert_uint_eq(n_bytes, FLOOD_BYTES);
        (void)fprintf(stderr, "# %s: %" PRIu64 " MB/s\n", _i ? "known length" : "unknown length",
                      FLOOD_BYTES / (now_mono_usec() - begin));
        pthread_join(writer, NULL);
        close(fd);
        stop();
}
END_TEST

/* --- files ---------------------------------------------------------------------------------------- */

static void make_file(uint64_t n)
{
        uint64_t *words;

        file_fd = memfd_create("file", MFD_CLOEXEC);
        ck_assert_int_eq(ftruncate(file_fd, (off_t)n), 0);
        words = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
        ck_assert_ptr_ne(words, MAP_FAILED);
        for (uint64_t i = 0; i < n / sizeof(*words); i++)
                words[i] = i;
        ck_assert_int_eq(munmap(words, n), 0);
}

/* clang-format off */
static const struct {
        const char *fields, *status;
        uint64_t n, first_word;
} parts[] = {
        {"", "HTTP/1.1 200 ", 1 << 20, 0},
        {"Range: bytes=8-23\r\n", "HTTP/1.1 206 ", 16, 1},
        {"Range: bytes=-8\r\n", "HTTP/1.1 206 ", 8, (1 << 17) - 1},
        {"Range: bytes=80-\r\nIf-Range: \"e\"\r\n", "HTTP/1.1 206 ", (1 << 20) - 80, 10},
        {"Range: bytes=80-\r\nIf-Range: \"other\"\r\n", "HTTP/1.1 200 ", 1 << 20, 0},
        {"Range: bytes=1048576-\r\n", "HTTP/1.1 416 ", 0, 0},
        {"If-None-Match: \"e\"\r\n", "HTTP/1.1 304 ", 0, 0},
};
/* clang-format on */

START_TEST(sends_parts_of_files)
{
        char fields[128];
        uint64_t word;
        int fd;

        make_file(1 << 20);
        start();
        (void)snprintf(fields, sizeof(fields), "Connection: close\r\n%s", parts[_i].fields);
        fd = ask("/file", "1.1", fields);
        receive_all(fd);
        ck_assert_msg(strncmp(received.data, parts[_i].status, 13) == 0, "%.13s", received.data);
        ck_assert_uint_eq(received.n - (size_t)(received_body() - received.data), parts[_i].n);
        if (parts[_i].n > 0) {
                memcpy(&word, received_body(), sizeof(word));
                ck_assert_uint_eq(word, parts[_i].first_word);
        }
        close(fd);
        stop();
        close(file_fd);
}
END_TEST

/* It takes three times as long as a request may, and never stands still. */
START_TEST(lets_a_slow_reader_take_his_time)
{
        uint64_t n_bytes = 0, begin = now_mono_usec();
        static char data[65536];
        size_t n;
        int fd;

        limits.request_usec = 100 * USEC_PER_MSEC;
        make_file(2 << 20);
        start();
        fd = ask("/file", "1.1", "Connection: close\r\n");
        while ((n = receive(fd, data, sizeof(data))) > 0) {
                n_bytes += n;
                if (now_mono_usec() - begin < 3 * limits.request_usec)
                        usleep(20 * 1000);
        }
        ck_assert_uint_gt(n_bytes, 2 << 20);
        close(fd);
        stop();
        close(file_fd);
}
END_TEST

/* By the library's clock, which knows whole seconds. */
START_TEST(hangs_up_on_who_stands_still)
{
        struct pollfd p = {0};

        limits.request_usec = limits.idle_usec = limits.head_usec = 100 * USEC_PER_MSEC;
        make_file(8 << 20);
        start();
        p.fd = ask("/file", "1.1", "");
        p.events = POLLRDHUP;
        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        receive_all(p.fd);
        ck_assert_uint_lt(received.n, 8 << 20);
        close(p.fd);
        stop();
        close(file_fd);
}
END_TEST

START_TEST(sends_an_empty_file)
{
        int fd;

        file_fd = memfd_create("file", MFD_CLOEXEC);
        start();
        fd = ask("/file", "1.1", "Connection: close\r\n");
        receive_all(fd);
        ck_assert_ptr_nonnull(strstr(received.data, "Content-Length: 0\r\n"));
        ck_assert_str_eq(received_body(), "");
        close(fd);
        stop();
        close(file_fd);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("stream");
        TCase *alone = tcase_create("stream"), *served = tcase_create("served");

        tcase_add_loop_test(alone, ends_as_it_should, 0, ELEMENTSOF(ends));
        tcase_add_loop_test(alone, gives_up, 0, 2);
        tcase_add_test(alone, a_verdict_outlives_its_stream);
        suite_add_tcase(suite, alone);
        tcase_set_timeout(served, 60);
        tcase_add_test(served, sends_what_comes_when_it_comes);
        tcase_add_loop_test(served, spells_it_as_the_client_can_read_it, 0, ELEMENTSOF(wholes));
        tcase_add_test(served, sends_no_body_to_who_wants_none);
        tcase_add_loop_test(served, breaks_off_what_stands_still, 0, 2);
        tcase_add_loop_test(served, closes_the_pipe_of_who_hangs_up, 0, 3);
        tcase_add_test(served, stops_with_streams_that_wait);
        tcase_add_test(served, stops_with_a_stream_that_flows);
        tcase_add_test(served, serves_many_at_once);
        tcase_add_loop_test(served, lets_much_through, 0, 2);
        tcase_add_loop_test(served, sends_parts_of_files, 0, ELEMENTSOF(parts));
        tcase_add_test(served, lets_a_slow_reader_take_his_time);
        tcase_add_test(served, hangs_up_on_who_stands_still);
        tcase_add_test(served, sends_an_empty_file);
        suite_add_tcase(suite, served);
        return test_main(suite);
}
