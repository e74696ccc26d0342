/* It ends connections that take too long, and all of them when asked to. */

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>

#include "api/connections.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define SHORT_USEC  (30 * USEC_PER_MSEC)
#define LONG_USEC   (3600 * USEC_PER_SEC)
#define PATIENCE_MS 20000

struct pair {
        struct connection connection;
        int ours, theirs;
        sem_t hung_up;
};

static void on_hung_up(struct connection *c)
{
        sem_post(&CONTAINER_OF(c, struct pair, connection)->hung_up);
}

static const struct peer somebody = {AF_UNIX, "1"}, another = {AF_UNIX, "2"};

static struct connections *make_connections(uint64_t head_usec, uint64_t idle_usec,
                                            uint64_t request_usec)
{
        const struct connections_limits limits = {4, head_usec, idle_usec, request_usec};
        struct connections *cs;

        ck_assert_int_eq(connections_new(&cs, &limits, on_hung_up), 0);
        return cs;
}

static void pair_connect(struct pair *p, struct connections *cs)
{
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        *p = (struct pair){.ours = fds[0], .theirs = fds[1]};
        sem_init(&p->hung_up, 0, 0);
        ck_assert(connections_admit(cs, &p->connection, &somebody, false));
        connections_begin(cs, &p->connection, p->ours);
}

static void pair_close(struct pair *p, struct connections *cs)
{
        connections_remove(cs, &p->connection);
        close(p->ours);
        close(p->theirs);
}

/* What the other side sees: the end, within @patience_ms. */
static bool pair_has_ended(const struct pair *p, int patience_ms)
{
        struct pollfd poll_fd = {.fd = p->theirs, .events = POLLIN};
        char c;

        return poll(&poll_fd, 1, patience_ms) == 1 && read(p->theirs, &c, 1) == 0;
}

static void wait_for_hang_up(struct pair *p)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_MS / 1000;
        while (sem_timedwait(&p->hung_up, &until) < 0)
                ck_assert_int_eq(errno, EINTR);
}

static int count_hang_ups(struct pair *p)
{
        int n;

        sem_getvalue(&p->hung_up, &n);
        return n;
}

static const struct {
        enum connection_phase phase;
        uint64_t head_usec, idle_usec, request_usec;
} phases[] = {
        {CONNECTION_HEAD,    SHORT_USEC, LONG_USEC,  LONG_USEC },
        {CONNECTION_IDLE,    LONG_USEC,  SHORT_USEC, LONG_USEC },
        {CONNECTION_REQUEST, LONG_USEC,  LONG_USEC,  SHORT_USEC},
};

START_TEST(ends_a_phase_that_takes_too_long)
{
        _cleanup_(connections_freep) struct connections *cs = make_connections(
                phases[_i].head_usec, phases[_i].idle_usec, phases[_i].request_usec);
        uint64_t begun = now_mono_usec();
        struct pair slow, paused;

        pair_connect(&paused, cs);
        connection_enter(cs, &paused.connection, CONNECTION_PAUSED);
        pair_connect(&slow, cs);
        connection_enter(cs, &slow.connection, phases[_i].phase);
        ck_assert(pair_has_ended(&slow, PATIENCE_MS));
        ck_assert_uint_ge(now_mono_usec() - begun, SHORT_USEC);
        ck_assert(!pair_has_ended(&paused, 0));
        ck_assert_uint_eq(connections_n_late(cs), 1);
        pair_close(&slow, cs);
        pair_close(&paused, cs);
}
END_TEST

START_TEST(finds_one_again_without_being_told)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, SHORT_USEC, LONG_USEC);
        struct pair p;

        pair_connect(&p, cs);
        connection_enter(cs, &p.connection, CONNECTION_PAUSED);
        ck_assert(!pair_has_ended(&p, 0));
        connection_enter(cs, &p.connection, CONNECTION_IDLE);
        ck_assert(pair_has_ended(&p, PATIENCE_MS));
        pair_close(&p, cs);
}
END_TEST

/* One that has a long time does not make the thread sleep through a new one's short time. */
START_TEST(wakes_for_a_new_connection)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(SHORT_USEC, LONG_USEC, LONG_USEC);
        struct pair old, fresh;

        pair_connect(&old, cs);
        connection_enter(cs, &old.connection, CONNECTION_IDLE);
        for (size_t i = 0; i < 3; i++) {
                pair_connect(&fresh, cs);
                ck_assert(pair_has_ended(&fresh, PATIENCE_MS));
                pair_close(&fresh, cs);
        }
        ck_assert(!pair_has_ended(&old, 0));
        pair_close(&old, cs);
}
END_TEST

START_TEST(wakes_for_the_first_connection)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(SHORT_USEC, LONG_USEC, LONG_USEC);
        struct pair p;

        for (size_t i = 0; i < 3; i++) {
                pair_connect(&p, cs);
                ck_assert(pair_has_ended(&p, PATIENCE_MS));
                pair_close(&p, cs);
        }
}
END_TEST

/* All ways to go, of one that has sent something before, too. */
static const struct {
        const char *sent;
        int half; /* -1: both */
} ends[] = {
        {"",  -1     },
        {"x", -1     },
        {"",  SHUT_WR},
        {"x", SHUT_WR},
};

START_TEST(says_who_hangs_up)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct pair p, other;

        pair_connect(&p, cs);
        pair_connect(&other, cs);
        connection_enter(cs, &p.connection, CONNECTION_PAUSED);
        connections_watch(cs, &p.connection);
        connections_watch(cs, &other.connection);
        ck_assert_int_eq(write(p.theirs, ends[_i].sent, strlen(ends[_i].sent)),
                         (ssize_t)strlen(ends[_i].sent));
        ck_assert_int_eq(shutdown(p.theirs, ends[_i].half < 0 ? SHUT_RDWR : ends[_i].half), 0);
        wait_for_hang_up(&p);
        pair_close(&p, cs);

        /* Once each, and nobody else: what comes later is told later. */
        ck_assert_int_eq(count_hang_ups(&other), 0);
        ck_assert_int_eq(shutdown(other.theirs, SHUT_RDWR), 0);
        wait_for_hang_up(&other);
        ck_assert_int_eq(count_hang_ups(&p), 0);
        pair_close(&other, cs);
}
END_TEST

/* One that had hung up before, and one that is not watched any more, whose descriptor is used again. */
START_TEST(says_it_of_those_that_it_watches)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct pair early, left, last;

        pair_connect(&early, cs);
        ck_assert_int_eq(shutdown(early.theirs, SHUT_WR), 0);
        connections_watch(cs, &early.connection);
        wait_for_hang_up(&early);
        connections_watch(cs, &early.connection); /* and it still has */
        wait_for_hang_up(&early);

        pair_connect(&left, cs);
        connections_watch(cs, &left.connection);
        connections_unwatch(cs, &left.connection);
        connections_unwatch(cs, &left.connection);
        ck_assert_int_eq(shutdown(left.theirs, SHUT_RDWR), 0);
        for (size_t i = 0; i < 3; i++) {
                pair_connect(&last, cs);
                connections_watch(cs, &last.connection);
                ck_assert_int_eq(shutdown(last.theirs, SHUT_RDWR), 0);
                wait_for_hang_up(&last);
                pair_close(&last, cs);
                pair_connect(&last, cs);
                connections_watch(cs, &last.connection);
                pair_close(&last, cs); /* while it is watched */
        }
        ck_assert_int_eq(count_hang_ups(&left), 0);
        pair_close(&left, cs);
        pair_close(&early, cs);
}
END_TEST

START_TEST(ends_all)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct pair before[3], after;

        for (size_t i = 0; i < ELEMENTSOF(before); i++)
                pair_connect(&before[i], cs);
        ck_assert(!pair_has_ended(&before[0], 0));
        connections_shutdown(cs);
        pair_connect(&after, cs);
        for (size_t i = 0; i < ELEMENTSOF(before); i++)
                ck_assert(pair_has_ended(&before[i], 0));
        ck_assert(pair_has_ended(&after, 0));
        ck_assert(!connections_wait_none(cs, now_mono_usec() + SHORT_USEC));
        for (size_t i = 0; i < ELEMENTSOF(before); i++)
                pair_close(&before[i], cs);
        pair_close(&after, cs);
        ck_assert(connections_wait_none(cs, 0));
}
END_TEST

START_TEST(counts_for_each_client)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct connection his[5] = {}, hers = {}, roots[8] = {};

        for (size_t i = 0; i < 4; i++)
                ck_assert(connections_admit(cs, &his[i], &somebody, false));
        ck_assert(!connections_admit(cs, &his[4], &somebody, false));
        ck_assert(connections_admit(cs, &hers, &another, false));
        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                ck_assert(connections_admit(cs, &roots[i], &somebody, true));
        connections_remove(cs, &his[2]);
        his[4] = (struct connection){};
        ck_assert(connections_admit(cs, &his[4], &somebody, false));
        his[2] = (struct connection){};
        ck_assert(!connections_admit(cs, &his[2], &somebody, false));
        for (size_t i = 0; i < ELEMENTSOF(roots); i++)
                connections_remove(cs, &roots[i]);
        for (size_t i = 0; i < ELEMENTSOF(his); i++)
                if (i != 2)
                        connections_remove(cs, &his[i]);
        connections_remove(cs, &hers);
        ck_assert(connections_wait_none(cs, 0));
}
END_TEST

START_TEST(exempts_who_was_counted)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct connection his[7] = {};

        for (size_t i = 0; i < 4; i++)
                ck_assert(connections_admit(cs, &his[i], &somebody, false));
        ck_assert(!connections_admit(cs, &his[4], &somebody, false));
        connections_exempt(cs, &his[1]);
        connections_exempt(cs, &his[1]);
        connections_remove(cs, &his[0]);
        connections_remove(cs, &his[1]); /* and it is not taken from the others a second time */
        ck_assert(connections_admit(cs, &his[4], &somebody, false));
        ck_assert(connections_admit(cs, &his[5], &somebody, false));
        ck_assert(!connections_admit(cs, &his[6], &somebody, false));
        for (size_t i = 2; i < 6; i++)
                connections_remove(cs, &his[i]);
        ck_assert(connections_wait_none(cs, 0));
}
END_TEST

START_TEST(expects_requests)
{
        _cleanup_(connections_freep) struct connections *cs =
                make_connections(LONG_USEC, LONG_USEC, LONG_USEC);
        struct pair p[2];
        char c;

        ck_assert(!connections_expect_request(cs, LONG_USEC));
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                pair_connect(&p[i], cs);

        /* Of who is new, unless he came too long ago; */
        ck_assert(connections_expect_request(cs, LONG_USEC));
        ck_assert(!connections_expect_request(cs, 0));
        connection_enter(cs, &p[0].connection, CONNECTION_REQUEST);
        ck_assert(connections_expect_request(cs, LONG_USEC));
        connection_enter(cs, &p[1].connection, CONNECTION_REQUEST);
        connection_enter(cs, &p[1].connection, CONNECTION_IDLE);
        ck_assert(!connections_expect_request(cs, LONG_USEC));

        /* and of who has sent something. */
        ck_assert_int_eq(write(p[1].theirs, "x", 1), 1);
        ck_assert(connections_expect_request(cs, LONG_USEC));
        ck_assert_int_eq(read(p[1].ours, &c, 1), 1);
        ck_assert(!connections_expect_request(cs, LONG_USEC));
        for (size_t i = 0; i < ELEMENTSOF(p); i++)
                pair_close(&p[i], cs);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("connections");
        TCase *tc = tcase_create("connections");

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, ends_a_phase_that_takes_too_long, 0, ELEMENTSOF(phases));
        tcase_add_test(tc, finds_one_again_without_being_told);
        tcase_add_test(tc, wakes_for_a_new_connection);
        tcase_add_test(tc, wakes_for_the_first_connection);
        tcase_add_loop_test(tc, says_who_hangs_up, 0, ELEMENTSOF(ends));
        tcase_add_test(tc, says_it_of_those_that_it_watches);
        tcase_add_test(tc, ends_all);
        tcase_add_test(tc, counts_for_each_client);
        tcase_add_test(tc, exempts_who_was_counted);
        tcase_add_test(tc, expects_requests);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
