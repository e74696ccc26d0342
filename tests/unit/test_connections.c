/* It ends connections that take too long, and all of them when asked to. */

#include <poll.h>
#include <sys/socket.h>

#include "api/connections.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define SHORT_USEC  (30 * USEC_PER_MSEC)
#define LONG_USEC   (3600 * USEC_PER_SEC)
#define PATIENCE_MS 20000

struct pair {
        struct connection connection;
        int ours, theirs;
};

static void pair_connect(struct pair *p, struct connections *cs)
{
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        p->ours = fds[0];
        p->theirs = fds[1];
        connections_add(cs, &p->connection, p->ours);
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

START_TEST(ends_a_phase_that_takes_too_long)
{
        _cleanup_(connections_freep) struct connections *cs = NULL;
        struct pair slow, paused;
        uint64_t begun = now_mono_usec();

        ck_assert_int_eq(connections_new(&cs, SHORT_USEC), 0);
        pair_connect(&slow, cs);
        pair_connect(&paused, cs);
        connection_pause(&paused.connection);
        ck_assert(pair_has_ended(&slow, PATIENCE_MS));
        ck_assert_uint_ge(now_mono_usec() - begun, SHORT_USEC);
        ck_assert(!pair_has_ended(&paused, 0));

        /* It is found again although the thread was not told. */
        connection_next_phase(cs, &paused.connection);
        ck_assert(pair_has_ended(&paused, PATIENCE_MS));
        pair_close(&slow, cs);
        pair_close(&paused, cs);
}
END_TEST

START_TEST(wakes_for_the_first_connection)
{
        _cleanup_(connections_freep) struct connections *cs = NULL;
        struct pair p;

        ck_assert_int_eq(connections_new(&cs, SHORT_USEC), 0);
        for (size_t i = 0; i < 3; i++) {
                pair_connect(&p, cs);
                ck_assert(pair_has_ended(&p, PATIENCE_MS));
                pair_close(&p, cs);
        }
}
END_TEST

START_TEST(ends_all)
{
        _cleanup_(connections_freep) struct connections *cs = NULL;
        struct pair before[3], after;

        ck_assert_int_eq(connections_new(&cs, LONG_USEC), 0);
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

int main(void)
{
        Suite *suite = suite_create("connections");
        TCase *tc = tcase_create("connections");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, ends_a_phase_that_takes_too_long);
        tcase_add_test(tc, wakes_for_the_first_connection);
        tcase_add_test(tc, ends_all);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
