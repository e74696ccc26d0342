/* Real sockets, on loopback and in the abstract namespace; and a program that is really passed some. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/activation.h"
#include "tests/unit/test_main.h"

#define FIRST_FD 3

static struct activation a;

static void setup(void)
{
        a = (struct activation){0};
}

static void teardown(void)
{
        activation_done(&a);
}

static struct sock_address address_of(const char *text)
{
        struct sock_address s;

        ck_assert_int_eq(parse_listen(text, &s), 0);
        return s;
}

/* The port is the kernel's choice; the abstract name of a Unix socket, too. */
static int open_socket(int family, int type, bool listens)
{
        struct sock_address s = {.n = sizeof(sa_family_t)};
        int fd = socket(family, type, 0);

        ck_assert_int_ge(fd, 0);
        s.sa.sa_family = (sa_family_t)family;
        if (family == AF_INET) {
                s.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                s.n = sizeof(s.in);
        }
        ck_assert_int_eq(bind(fd, &s.sa, s.n), 0);
        if (listens)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

static uint16_t port_of(int fd)
{
        struct sock_address s = {.n = sizeof(s.storage)};

        ck_assert_int_eq(getsockname(fd, &s.sa, &s.n), 0);
        return ntohs(s.in.sin_port);
}

START_TEST(takes_what_listens)
{
        int fd = open_socket(AF_UNIX, SOCK_STREAM, true);
        int tcp = open_socket(AF_INET, SOCK_STREAM, true);
        uint16_t port = port_of(tcp);
        struct err e = {0};

        ck_assert_int_eq(activation_add(&a, fd, &e), 0);
        ck_assert_uint_eq(activation_port(&a), 0);
        ck_assert_int_eq(activation_add(&a, tcp, &e), 0);
        ck_assert_int_eq(e.code, 0);
        ck_assert_uint_eq(a.n, 2);
        ck_assert_int_eq(a.sockets[1].fd, tcp);
        ck_assert_uint_eq(activation_port(&a), port);
        for (size_t i = 0; i < a.n; i++) {
                ck_assert(fcntl(a.sockets[i].fd, F_GETFL) & O_NONBLOCK);
                ck_assert(fcntl(a.sockets[i].fd, F_GETFD) & FD_CLOEXEC);
        }
}
END_TEST

START_TEST(knows_its_addresses_even_when_they_are_taken)
{
        int tcp = open_socket(AF_INET, SOCK_STREAM, true);
        struct sock_address s;
        char text[64];

        (void)snprintf(text, sizeof(text), "127.0.0.1:%u", port_of(tcp));
        s = address_of(text);
        ck_assert(!activation_has(&a, &s));
        ck_assert_int_eq(activation_add(&a, tcp, NULL), 0);
        close(TAKE_FD(a.sockets[0].fd));
        ck_assert(activation_has(&a, &s));
        s.in.sin_addr.s_addr = htonl(INADDR_ANY);
        ck_assert(!activation_has(&a, &s));
        s = address_of("unix:/run/diag/agentd.sock");
        ck_assert(!activation_has(&a, &s));
}
END_TEST

static const struct {
        const char *name;
        int family, type;
        bool listens;
        int code;
        const char *text;
} useless[] = {
        {"datagrams",       AF_INET, SOCK_DGRAM,     false, -EPROTOTYPE, "no stream"      },
        {"packets",         AF_UNIX, SOCK_SEQPACKET, true,  -EPROTOTYPE, "no stream"      },
        {"does not listen", AF_INET, SOCK_STREAM,    false, -EINVAL,     "does not listen"},
};

START_TEST(refuses_what_cannot_be_served)
{
        int fd = open_socket(useless[_i].family, useless[_i].type, useless[_i].listens);
        struct err e = {0};
        int k = activation_add(&a, fd, &e);

        ck_assert_msg(k == useless[_i].code, "%s: %d", useless[_i].name, k);
        ck_assert_msg(strstr(e.text, useless[_i].text), "%s: %s", useless[_i].name, e.text);
        ck_assert_uint_eq(a.n, 0);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(refuses_files_and_what_is_not_open)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_eq(activation_add(&a, fd, NULL), -ENOTSOCK);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        ck_assert_int_eq(activation_add(&a, fd, NULL), -EBADF);
}
END_TEST

START_TEST(refuses_more_than_it_has_room_for)
{
        struct err e = {0};

        for (size_t i = 0; i < ACTIVATION_MAX; i++)
                ck_assert_int_eq(activation_add(&a, open_socket(AF_UNIX, SOCK_STREAM, true), &e),
                                 0);
        ck_assert_int_eq(activation_add(&a, open_socket(AF_UNIX, SOCK_STREAM, true), &e), -E2BIG);
        ck_assert_uint_eq(a.n, ACTIVATION_MAX);
}
END_TEST

/* What a program that was passed something finds: how many sockets, and whether something was useless. */
static int be_passed(void)
{
        struct err e;

        activation_take(&a, &e);
        if (getenv("LISTEN_FDS"))
                return 99;
        return (int)a.n + (e.code < 0 ? 10 : 0);
}

#define N_FDS 3

static void become_passed(const int fds[static N_FDS], int n, const char *n_fds, bool to_us)
{
        char pid[16];

        /* Out of the way first: what is where the passed ones must be. */
        for (int i = 0; i < n && i < N_FDS; i++)
                if (dup2(fcntl(fds[i], F_DUPFD, 100), FIRST_FD + i) < 0)
                        _exit(98);
        (void)snprintf(pid, sizeof(pid), "%d", to_us ? getpid() : 1);
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", n_fds, 1);
        (void)execl("/proc/self/exe", "passed", "passed", NULL);
        _exit(97);
}

static const struct {
        const char *name, *n_fds;
        int n; /* the third is of no use */
        bool to_us;
        int status;
} passed[] = {
        {"two",                            "2",    2, true,  2 },
        {"two of three",                   "3",    3, true,  12},
        {"to another process",             "2",    2, false, 0 },
        {"none, which systemd never says", "0",    0, true,  10},
        {"nonsense",                       "many", 1, true,  10},
};

START_TEST(takes_what_is_passed)
{
        int fds[N_FDS] = {open_socket(AF_INET, SOCK_STREAM, true),
                          open_socket(AF_UNIX, SOCK_STREAM, true),
                          open_socket(AF_INET, SOCK_STREAM, false)};
        int status;
        pid_t pid;

        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                become_passed(fds, passed[_i].n, passed[_i].n_fds, passed[_i].to_us);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == passed[_i].status, "%s: %x",
                      passed[_i].name, (unsigned)status);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("activation");
        TCase *tc = tcase_create("activation");

        if (argc == 2 && streq(argv[1], "passed"))
                _exit(be_passed()); /* what check has allocated is no leak */
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, takes_what_listens);
        tcase_add_test(tc, knows_its_addresses_even_when_they_are_taken);
        tcase_add_loop_test(tc, refuses_what_cannot_be_served, 0, ELEMENTSOF(useless));
        tcase_add_test(tc, refuses_files_and_what_is_not_open);
        tcase_add_test(tc, refuses_more_than_it_has_room_for);
        tcase_add_loop_test(tc, takes_what_is_passed, 0, ELEMENTSOF(passed));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
