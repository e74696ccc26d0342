/* Addresses, what an errno means, and real sockets. */

#include <errno.h>
#include <stdio.h>

#include "probes/probe_tcp.h"
#include "tests/unit/one_probe.h"

/* clang-format off */
static const struct {
        const char *address, *as; /* NULL: refused */
} addresses[] = {
        {"127.0.0.1:80", "127.0.0.1:80"},
        {"[::1]:80", "[::1]:80"},
        {"unix:/run/x", "unix:/run/x"},
        {"localhost:8080", "127.0.0.1:8080"},
        {"localhost:", NULL},
        {"localhost", NULL},
        {"localhost:0", NULL},
        {"localhost:80 ", NULL},
        {"example.com:80", NULL},
        {"::1:80", NULL},
        {"unix:run/x", NULL},
        {":80", NULL},
        {"", NULL},
};

static const struct {
        int error;
        enum diag_health health;
        enum diag_code code;
        const char *text;
} judgements[] = {
        {0, DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {ECONNREFUSED, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "cannot connect to A: Connection refused"},
        {EHOSTUNREACH, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "cannot connect to A: No route to host"},
        {ENOENT, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "cannot connect to A: No such file or directory"},
        {EAGAIN, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "A does not accept connections: its queue is full"},
        {ETIMEDOUT, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "no connection to A within 1.5 s"},
        {EMFILE, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask A: Too many open files"},
        {EACCES, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask A: Permission denied"},
};
/* clang-format on */

START_TEST(reads_an_address)
{
        char text[SOCK_ADDRESS_MAX];
        struct sock_address a;
        int r = tcp_parse_address(addresses[_i].address, &a);

        ck_assert_int_eq(r == 0, addresses[_i].as != NULL);
        if (r == 0)
                ck_assert_str_eq(sock_address_format(text, &a), addresses[_i].as);
}
END_TEST

START_TEST(judges)
{
        struct probe_verdict v;

        tcp_judge(judgements[_i].error, "A", 1500 * USEC_PER_MSEC, &v);
        ck_assert_str_eq(v.text, judgements[_i].text);
        ck_assert_int_eq(v.health, judgements[_i].health);
        ck_assert_int_eq(v.code, judgements[_i].code);
}
END_TEST

/* Sockets that stay open until the test has ended. */
static int held[16];
static size_t n_held;

static int hold(int fd)
{
        ck_assert_int_ge(fd, 0);
        ck_assert_uint_lt(n_held, ELEMENTSOF(held));
        return held[n_held++] = fd;
}

static void teardown(void)
{
        one_probe_teardown();
        while (n_held > 0)
                close(held[--n_held]);
}

/* Bound to a free port of 127.0.0.1; @backlog < 0: nobody listens there. */
static int bind_socket(int backlog, char address[static SOCK_ADDRESS_MAX])
{
        struct sock_address a = {.in = {.sin_family = AF_INET}, .n = sizeof(a.in)};
        int fd = hold(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(bind(fd, &a.sa, a.n), 0);
        ck_assert_int_eq(getsockname(fd, &a.sa, &a.n), 0);
        if (backlog >= 0)
                ck_assert_int_eq(listen(fd, backlog), 0);
        (void)sock_address_format(address, &a);
        return fd;
}

START_TEST(finds_a_port_open)
{
        char address[SOCK_ADDRESS_MAX];

        (void)bind_socket(8, address);
        ask("Kind", "tcp", "Address", address, NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(result.kind, "tcp");
}
END_TEST

START_TEST(finds_a_port_closed)
{
        char address[SOCK_ADDRESS_MAX], text[SOCK_ADDRESS_MAX + 64];

        (void)bind_socket(-1, address);
        (void)snprintf(text, sizeof(text), "cannot connect to %s: Connection refused", address);
        ask("Kind", "tcp", "Address", address, NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, text);
}
END_TEST

static int begin_to_connect(const char *address)
{
        int fd = hold(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        struct sock_address a;

        ck_assert_int_eq(tcp_parse_address(address, &a), 0);
        (void)connect(fd, &a.sa, a.n);
        return fd;
}

/* What more comes is not answered at all. */
static void listen_with_a_full_queue(char address[static SOCK_ADDRESS_MAX])
{
        (void)bind_socket(0, address);
        for (unsigned i = 0; i < 8; i++)
                (void)begin_to_connect(address);
}

START_TEST(does_not_wait_longer_than_its_timeout)
{
        char address[SOCK_ADDRESS_MAX], text[SOCK_ADDRESS_MAX + 64];

        listen_with_a_full_queue(address);
        (void)snprintf(text, sizeof(text), "no connection to %s within 0.2 s", address);
        ask("Kind", "tcp", "Address", address, "Timeout", "200ms", NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, text);
}
END_TEST

static void listen_at(const char *path)
{
        int fd = hold(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        char text[SOCK_ADDRESS_MAX];
        struct sock_address a;

        (void)snprintf(text, sizeof(text), "unix:%s", path);
        ck_assert_int_eq(parse_listen(text, &a), 0);
        ck_assert_int_eq(bind(fd, &a.sa, a.n), 0);
        ck_assert_int_eq(listen(fd, 8), 0);
}

START_TEST(asks_at_a_unix_socket)
{
        char dir[] = "/tmp/test_probe_tcp.XXXXXX", path[64], address[80];

        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/s", dir);
        (void)snprintf(address, sizeof(address), "unix:%s", path);
        listen_at(path);
        ask("Kind", "tcp", "Address", address, NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        (void)unlink(path);
        (void)rmdir(dir);
}
END_TEST

START_TEST(says_that_a_unix_socket_is_not_there)
{
        ask("Kind", "tcp", "Address", "unix:/nowhere/s", NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                "cannot connect to unix:/nowhere/s: No such file or directory");
}
END_TEST

START_TEST(does_not_take_itself_for_the_other_side)
{
        char address[SOCK_ADDRESS_MAX];
        int fd = bind_socket(-1, address);
        struct sock_address a;

        ck_assert_int_eq(tcp_parse_address(address, &a), 0);
        ck_assert_int_eq(connect(fd, &a.sa, a.n), 0);
        ck_assert(tcp_is_connected_to_itself(fd));

        (void)bind_socket(8, address);
        ck_assert(!tcp_is_connected_to_itself(begin_to_connect(address)));
}
END_TEST

START_TEST(can_be_broken_off)
{
        char address[SOCK_ADDRESS_MAX];

        listen_with_a_full_queue(address);
        begin_to_ask("Kind", "tcp", "Address", address, NULL);
        for (unsigned i = 0; i < 3; i++)
                ck_assert_int_ge(sd_event_run(loop_event(loop), 50 * USEC_PER_MSEC), 0);
        prober_skip(prober, 0, true);
        ck_assert_uint_eq(prober_n_results(prober), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("probe_tcp");
        TCase *tc = tcase_create("probe_tcp");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, one_probe_setup, teardown);
        tcase_add_loop_test(tc, reads_an_address, 0, ELEMENTSOF(addresses));
        tcase_add_loop_test(tc, judges, 0, ELEMENTSOF(judgements));
        tcase_add_test(tc, finds_a_port_open);
        tcase_add_test(tc, finds_a_port_closed);
        tcase_add_test(tc, does_not_wait_longer_than_its_timeout);
        tcase_add_test(tc, asks_at_a_unix_socket);
        tcase_add_test(tc, says_that_a_unix_socket_is_not_there);
        tcase_add_test(tc, does_not_take_itself_for_the_other_side);
        tcase_add_test(tc, can_be_broken_off);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
