/* It takes connections while there is room, leaves the others in the queue, and never spins. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "api/acceptor.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a fault takes as long */
#define TAKEN_MAX        64

/* What a listener is to the acceptor: room, and what has come. */
struct place {
        struct sockaddr_un address;
        socklen_t n_address;
        int fd;
        _Atomic int room;
        sem_t came;
        pthread_mutex_t lock;
        int taken[TAKEN_MAX];
        size_t n_taken;
};

static bool on_has_room(void *listener)
{
        return atomic_load(&((struct place *)listener)->room) > 0;
}

static void on_accepted(void *listener, int fd)
{
        struct place *p = listener;

        atomic_fetch_sub(&p->room, 1);
        pthread_mutex_lock(&p->lock);
        p->taken[p->n_taken++] = fd;
        pthread_mutex_unlock(&p->lock);
        sem_post(&p->came);
}

static const struct acceptor_ops ops = {on_has_room, on_accepted};

/* An address of the kernel's choice, without a file. */
static void place_open(struct place *p, int room)
{
        *p = (struct place){.address.sun_family = AF_UNIX, .n_address = sizeof(p->address)};
        atomic_store(&p->room, room);
        sem_init(&p->came, 0, 0);
        pthread_mutex_init(&p->lock, NULL);
        p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_eq(bind(p->fd, (struct sockaddr *)&p->address, sizeof(sa_family_t)), 0);
        ck_assert_int_eq(getsockname(p->fd, (struct sockaddr *)&p->address, &p->n_address), 0);
        ck_assert_int_eq(listen(p->fd, TAKEN_MAX), 0);
}

static void place_close(struct place *p)
{
        for (size_t i = 0; i < p->n_taken; i++)
                close(p->taken[i]);
        close(p->fd);
        pthread_mutex_destroy(&p->lock);
}

static int place_connect(const struct place *p)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, (const struct sockaddr *)&p->address, p->n_address), 0);
        return fd;
}

static void wait_for(struct place *p)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&p->came, &until) < 0)
                ck_assert_int_eq(errno, EINTR);
}

static bool is_queued(const struct place *p)
{
        struct pollfd queue = {.fd = p->fd, .events = POLLIN};

        return poll(&queue, 1, 0) == 1;
}

START_TEST(takes_connections_of_all_listeners)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        static struct place places[3];
        int fds[3][20];

        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        for (size_t i = 0; i < 3; i++) {
                place_open(&places[i], TAKEN_MAX);
                ck_assert_int_eq(acceptor_add(a, places[i].fd, &places[i]), 0);
                for (size_t j = 0; j < 20; j++)
                        fds[i][j] = place_connect(&places[i]);
        }
        for (size_t i = 0; i < 3; i++)
                for (size_t j = 0; j < 20; j++) {
                        wait_for(&places[i]);
                        close(fds[i][j]);
                }
        acceptor_stop(a);
        for (size_t i = 0; i < 3; i++)
                place_close(&places[i]);
        ck_assert_uint_eq(acceptor_n_failures(a), 0);
}
END_TEST

START_TEST(leaves_in_the_queue_what_has_no_room)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        static struct place full, other;
        int first, second, third;

        place_open(&full, 1);
        place_open(&other, TAKEN_MAX);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        ck_assert_int_eq(acceptor_add(a, full.fd, &full), 0);
        ck_assert_int_eq(acceptor_add(a, other.fd, &other), 0);
        first = place_connect(&full);
        second = place_connect(&full);
        wait_for(&full);
        third = place_connect(&other); /* the others are served all the same */
        wait_for(&other);
        ck_assert(is_queued(&full));
        atomic_fetch_add(&full.room, 1);
        acceptor_poke(a);
        wait_for(&full);
        ck_assert(!is_queued(&full));
        acceptor_stop(a);
        close(first);
        close(second);
        close(third);
        place_close(&full);
        place_close(&other);
}
END_TEST

/* Room is made by one thread while the acceptor is about to find that there is none. */
START_TEST(never_misses_that_there_is_room)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        static struct place p;

        place_open(&p, 0);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        for (size_t i = 0; i < 2000; i++) {
                int fd = place_connect(&p);

                atomic_fetch_add(&p.room, 1);
                acceptor_poke(a);
                wait_for(&p);
                pthread_mutex_lock(&p.lock);
                close(p.taken[--p.n_taken]);
                pthread_mutex_unlock(&p.lock);
                close(fd);
        }
        acceptor_stop(a);
        place_close(&p);
}
END_TEST

START_TEST(leaves_the_queue_to_who_comes_next)
{
        struct acceptor *a = NULL;
        static struct place p;
        int fds[3];

        place_open(&p, TAKEN_MAX);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        fds[0] = place_connect(&p);
        wait_for(&p);
        acceptor_stop(a);
        acceptor_stop(a); /* twice is fine */
        acceptor_poke(a);
        fds[1] = place_connect(&p);
        fds[2] = place_connect(&p);
        acceptor_free(a);
        ck_assert(is_queued(&p));
        ck_assert_uint_eq(p.n_taken, 1);

        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        wait_for(&p);
        wait_for(&p);
        acceptor_free(a);
        for (size_t i = 0; i < 3; i++)
                close(fds[i]);
        place_close(&p);
}
END_TEST

START_TEST(has_room_for_so_many_listeners)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        static struct place p;

        place_open(&p, TAKEN_MAX);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        for (size_t i = 0; i < ACCEPTOR_LISTENERS_MAX; i++)
                ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), -E2BIG);
        acceptor_stop(a);
        place_close(&p);
}
END_TEST

/* Until there is none left; @fds has room. Return: how many. */
static size_t use_up_descriptors(int *fds, size_t n_max)
{
        size_t n = 0;

        while (n < n_max && (fds[n] = dup(STDERR_FILENO)) >= 0)
                n++;
        ck_assert_uint_lt(n, n_max);
        ck_assert_int_eq(errno, EMFILE);
        return n;
}

/* However long we look on, it tries ten times a second and not more. */
START_TEST(waits_for_descriptors)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        const struct rlimit few = {64, 64};
        uint64_t begun, n_failures, took;
        static struct place p;
        int fds[64], fd;
        size_t n;

        log_set_level(0);
        place_open(&p, TAKEN_MAX);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        n = use_up_descriptors(fds, ELEMENTSOF(fds));
        begun = now_mono_usec();
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&p.address, p.n_address), 0);
        while (acceptor_n_failures(a) < 3)
                (void)poll(NULL, 0, 1);
        n_failures = acceptor_n_failures(a);
        took = now_mono_usec() - begun;
        ck_assert_uint_ge(took, (n_failures - 1) * 90 * USEC_PER_MSEC);
        while (n > 0)
                close(fds[--n]);
        wait_for(&p);
        acceptor_stop(a);
        close(fd);
        place_close(&p);
}
END_TEST

/* Somebody who shares the socket may end it for all; poll() then always says that there is something. */
START_TEST(does_not_spin_on_a_socket_that_was_shut_down)
{
        _cleanup_(acceptor_freep) struct acceptor *a = NULL;
        uint64_t begun = now_mono_usec();
        static struct place p;

        log_set_level(0);
        place_open(&p, TAKEN_MAX);
        ck_assert_int_eq(shutdown(p.fd, SHUT_RDWR), 0);
        ck_assert_int_eq(acceptor_new(&a, &ops), 0);
        ck_assert_int_eq(acceptor_add(a, p.fd, &p), 0);
        while (acceptor_n_failures(a) < 3)
                (void)poll(NULL, 0, 1);
        ck_assert_uint_ge(now_mono_usec() - begun, 2 * 90 * USEC_PER_MSEC);
        acceptor_stop(a);
        place_close(&p);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("acceptor");
        TCase *tc = tcase_create("acceptor");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, takes_connections_of_all_listeners);
        tcase_add_test(tc, leaves_in_the_queue_what_has_no_room);
        tcase_add_test(tc, never_misses_that_there_is_room);
        tcase_add_test(tc, leaves_the_queue_to_who_comes_next);
        tcase_add_test(tc, has_room_for_so_many_listeners);
        tcase_add_test(tc, waits_for_descriptors);
        tcase_add_test(tc, does_not_spin_on_a_socket_that_was_shut_down);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
