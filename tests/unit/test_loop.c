/* Timers, signals, letters from other threads. */

#include <pthread.h>
#include <signal.h>

#include "base/loop.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define THREADS 4u
#define LETTERS 500u

static struct loop *loop;
static struct loop_timer *timer;
static unsigned n_fired, n_letters;

static void setup(void)
{
        sigset_t s;

        sigemptyset(&s);
        sigaddset(&s, SIGUSR1);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &s, NULL), 0);
        ck_assert_int_eq(loop_new(&loop), 0);
        n_fired = n_letters = 0;
        timer = NULL;
}

static void teardown(void)
{
        timer = loop_timer_free(timer);
        loop = loop_free(loop);
}

static void on_timer(_unused_ void *userdata)
{
        if (++n_fired < 3)
                loop_timer_set(timer, now_mono_usec() + USEC_PER_MSEC, 0);
        else
                loop_quit(loop, 7);
}

START_TEST(fires_a_timer_as_often_as_it_is_set)
{
        ck_assert_int_eq(loop_timer_new(&timer, loop, on_timer, NULL), 0);
        ck_assert(!loop_timer_is_set(timer));
        loop_timer_set(timer, now_mono_usec(), 0);
        ck_assert(loop_timer_is_set(timer));
        ck_assert_int_eq(loop_run(loop), 7);
        ck_assert_uint_eq(n_fired, 3);
        ck_assert(!loop_timer_is_set(timer));
}
END_TEST

static void on_timer_free(_unused_ void *userdata)
{
        timer = loop_timer_free(timer);
        loop_quit(loop, 0);
}

START_TEST(lets_a_timer_free_itself)
{
        ck_assert_int_eq(loop_timer_new(&timer, loop, on_timer_free, NULL), 0);
        loop_timer_set(timer, now_mono_usec(), 0);
        ck_assert_int_eq(loop_run(loop), 0);
        ck_assert_ptr_null(timer);
}
END_TEST

static void on_letter(void *arg)
{
        ck_assert_ptr_eq(arg, &n_letters);
        if (++n_letters == THREADS * LETTERS)
                loop_quit(loop, 0);
}

static void *post_letters(_unused_ void *arg)
{
        for (unsigned i = 0; i < LETTERS; i++)
                ck_assert_int_eq(loop_post(loop, on_letter, &n_letters), 0);
        return NULL;
}

START_TEST(runs_every_letter_of_every_thread)
{
        pthread_t threads[THREADS];

        for (size_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, post_letters, NULL), 0);
        ck_assert_int_eq(loop_run(loop), 0);
        for (size_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_uint_eq(n_letters, THREADS * LETTERS);
}
END_TEST

START_TEST(frees_letters_that_nobody_read)
{
        ck_assert_int_eq(loop_post(loop, on_letter, &n_letters), 0);
}
END_TEST

static void on_signal(int signo, _unused_ void *userdata)
{
        loop_quit(loop, signo);
}

START_TEST(tells_of_a_signal)
{
        ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, on_signal, NULL), 0);
        ck_assert_int_eq(raise(SIGUSR1), 0);
        ck_assert_int_eq(loop_run(loop), SIGUSR1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("loop");
        TCase *tc = tcase_create("loop");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, fires_a_timer_as_often_as_it_is_set);
        tcase_add_test(tc, lets_a_timer_free_itself);
        tcase_add_test(tc, runs_every_letter_of_every_thread);
        tcase_add_test(tc, frees_letters_that_nobody_read);
        tcase_add_test(tc, tells_of_a_signal);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
