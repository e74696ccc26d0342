/* The loop does it once and in time, or it is not done at all. */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdatomic.h>
#include <time.h>

#include "api/errand.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a lost wake-up takes as long */
#define N_CLIENTS        8
#define N_REQUESTS       200

static struct loop *loop;
static struct parked *parked;
static struct errands *errands;

static void set_up(void)
{
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(parked_new(&parked), 0);
        ck_assert_int_eq(errands_new(&errands, loop, parked), 0);
}

static void tear_down(void)
{
        errands = errands_free(errands);
        parked = parked_free(parked);
        loop = loop_free(loop);
}

/* What is to be done: note that it was, and how the request would be answered meanwhile. */
struct job {
        unsigned *n_runs;
        struct errand *watched;
        const struct request *as_if;
        struct reply meanwhile;
        bool done;
};

static void run(void *data)
{
        struct job *j = data;

        ++*j->n_runs;
        if (j->watched)
                ck_assert_int_eq(errand_await(j->watched, j->as_if, &j->meanwhile),
                                 ERRAND_ANSWERED);
        j->done = true;
}

static struct errand *begin(unsigned *n_runs, const struct request *q)
{
        struct errand *e;

        ck_assert_int_eq(errand_new(&e, sizeof(struct job), run), 0);
        ((struct job *)errand_data(e))->n_runs = n_runs;
        ck_assert_int_eq(errand_start(e, errands, q), 0);
        return e;
}

static void turn(void)
{
        while (sd_event_run(loop_event(loop), 0) > 0)
                ;
}

static struct request asked(uint64_t ago_usec, bool may_park)
{
        return (struct request){.received_mono_usec = now_mono_usec() - ago_usec,
                                .may_park = may_park};
}

static void must_be(const struct reply *r, const char *reason)
{
        char quoted[64];

        (void)snprintf(quoted, sizeof(quoted), "\"reason\":\"%s\"", reason);
        ck_assert_uint_eq(r->status, 503);
        ck_assert_ptr_nonnull(strstr(blob_data(r->body), quoted));
}

START_TEST(parks_until_the_loop_has_done_it)
{
        _cleanup_(errand_unrefp) struct errand *e = NULL;
        struct request q = asked(0, true);
        struct reply r = {0};
        unsigned n_runs = 0;

        e = begin(&n_runs, &q);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_ANSWERED);
        ck_assert_uint_eq(r.park_until_mono_usec, q.received_mono_usec + ERRAND_BEGIN_USEC);
        ck_assert_uint_eq(n_runs, 0);
        turn();
        ck_assert_uint_eq(n_runs, 1);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_DONE);
        ck_assert(((struct job *)errand_data(e))->done);
        /* And that stays so, however late the handler comes. */
        q = asked(3600 * USEC_PER_SEC, false);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_DONE);
        turn();
        ck_assert_uint_eq(n_runs, 1);
}
END_TEST

static const struct {
        uint64_t ago_usec;
        bool may_park;
        const char *want;
} refusals[] = {
        {ERRAND_BEGIN_USEC,     true,  "did not get to it"     },
        {3600 * USEC_PER_SEC,   true,  "did not get to it"     },
        {ERRAND_BEGIN_USEC + 1, false, "did not get to it"     },
        {0,                     false, "too many requests wait"},
};

START_TEST(takes_back_what_was_not_begun)
{
        _cleanup_(errand_unrefp) struct errand *e = NULL;
        _cleanup_(reply_done) struct reply r = {0}, again = {0};
        struct request first = asked(0, true),
                       q = asked(refusals[_i].ago_usec, refusals[_i].may_park);
        unsigned n_runs = 0, n_others = 0;

        e = begin(&n_runs, &first);
        errand_unref(begin(&n_others, &first));
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_ANSWERED);
        must_be(&r, "busy");
        ck_assert_ptr_nonnull(strstr(blob_data(r.body), refusals[_i].want));
        turn();
        ck_assert_uint_eq(n_runs, 0);
        ck_assert_uint_eq(n_others, 1);
        ck_assert_int_eq(errand_await(e, &q, &again), ERRAND_ANSWERED);
        must_be(&again, "busy");
}
END_TEST

START_TEST(does_not_begin_where_it_may_not_wait)
{
        _cleanup_(errand_unrefp) struct errand *e = NULL;
        _cleanup_(reply_done) struct reply r = {0};
        const struct request q = asked(0, false);
        unsigned n_runs = 0;

        e = begin(&n_runs, &q);
        turn();
        ck_assert_uint_eq(n_runs, 0);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_ANSWERED);
        must_be(&r, "busy");
}
END_TEST

/* --- an errand that has been begun; want NULL: parked until its end --- */
static const struct {
        uint64_t ago_usec;
        bool may_park;
        const char *want;
} begun[] = {
        {0,                   true,  NULL        },
        {ERRAND_BEGIN_USEC,   true,  NULL        },
        {ERRAND_END_USEC,     true,  "unfinished"},
        {0,                   false, "unfinished"},
        {3600 * USEC_PER_SEC, false, "unfinished"},
};

START_TEST(waits_for_what_was_begun)
{
        _cleanup_(errand_unrefp) struct errand *e = NULL;
        const struct request first = asked(0, true),
                             q = asked(begun[_i].ago_usec, begun[_i].may_park);
        unsigned n_runs = 0;
        struct reply r = {0};
        struct job *j;

        ck_assert_int_eq(errand_new(&e, sizeof(*j), run), 0);
        j = errand_data(e);
        *j = (struct job){.n_runs = &n_runs, .watched = e, .as_if = &q};
        ck_assert_int_eq(errand_start(e, errands, &first), 0);
        turn();
        ck_assert_uint_eq(n_runs, 1);
        if (begun[_i].want)
                must_be(&j->meanwhile, begun[_i].want);
        else
                ck_assert_uint_eq(j->meanwhile.park_until_mono_usec,
                                  q.received_mono_usec + ERRAND_END_USEC);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_DONE);
        reply_done(&j->meanwhile);
}
END_TEST

START_TEST(is_done_in_order_and_without_its_request)
{
        const struct request q = asked(0, true);
        unsigned n_runs = 0;

        for (size_t i = 0; i < 3; i++)
                errand_unref(begin(&n_runs, &q));
        turn();
        ck_assert_uint_eq(n_runs, 3);
}
END_TEST

START_TEST(ends_with_its_loop)
{
        const struct request q = asked(0, true);
        unsigned n_runs = 0;

        for (size_t i = 0; i < 3; i++)
                errand_unref(begin(&n_runs, &q));
        tear_down();
        ck_assert_uint_eq(n_runs, 0);
        set_up();
}
END_TEST

START_TEST(has_data_of_its_own)
{
        _cleanup_(errand_unrefp) struct errand *e = NULL;

        ck_assert_int_eq(errand_new(&e, 4096, run), 0);
        ck_assert_uint_eq((uintptr_t)errand_data(e) % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < 4096; i++)
                ck_assert_int_eq(((char *)errand_data(e))[i], 0);
}
END_TEST

/* --- many clients and a loop, each on its thread: whoever was refused was not served ---------- */

struct client {
        struct parked_entry entry;
        sem_t resumed;
        unsigned n_runs, n_done, n_refused;
        bool lost;
};

static void on_resume(struct parked_entry *e)
{
        sem_post(&CONTAINER_OF(e, struct client, entry)->resumed);
}

static bool wait_resumed(struct client *c)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&c->resumed, &until) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

/* As the server does it: a ticket, the handler, then parking, which may be refused. */
static bool handle(struct client *c, struct errand **e, struct request *q)
{
        uint64_t ticket = parked_ticket(parked);
        _cleanup_(reply_done) struct reply r = {0};

        if (!*e)
                *e = begin(&c->n_runs, q);
        if (errand_await(*e, q, &r) == ERRAND_DONE) {
                c->n_done++;
                return true;
        }
        if (r.status) {
                c->n_refused++;
                return true;
        }
        if (parked_add(parked, &c->entry, ticket, r.park_until_mono_usec))
                c->lost = !wait_resumed(c);
        else
                q->may_park = parked_ticket(parked) != ticket;
        return c->lost;
}

static void *client_thread(void *userdata)
{
        struct client *c = userdata;

        for (size_t i = 0; i < N_REQUESTS && !c->lost; i++) {
                /* Every other one has hardly any time. */
                struct request q = asked(i % 2 ? ERRAND_BEGIN_USEC - 30 : 0, true);
                struct errand *e = NULL;

                while (!handle(c, &e, &q))
                        ;
                errand_unref(e);
        }
        return NULL;
}

static void *loop_thread(void *userdata)
{
        (void)userdata;
        (void)loop_run(loop);
        return NULL;
}

static void quit(void *arg)
{
        loop_quit(arg, 0);
}

START_TEST(does_what_it_says)
{
        struct client clients[N_CLIENTS] = {0};
        pthread_t threads[N_CLIENTS], runner;

        ck_assert_int_eq(pthread_create(&runner, NULL, loop_thread, NULL), 0);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                clients[i].entry.resume = on_resume;
                sem_init(&clients[i].resumed, 0, 0);
                ck_assert_int_eq(pthread_create(&threads[i], NULL, client_thread, &clients[i]), 0);
        }
        for (size_t i = 0; i < N_CLIENTS; i++)
                pthread_join(threads[i], NULL);
        loop_post(loop, quit, loop);
        pthread_join(runner, NULL);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                ck_assert(!clients[i].lost);
                ck_assert_uint_eq(clients[i].n_done + clients[i].n_refused, N_REQUESTS);
                ck_assert_uint_eq(clients[i].n_runs, clients[i].n_done);
                ck_assert_uint_gt(clients[i].n_done, 0);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("errand");
        TCase *tc = tcase_create("errand");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, parks_until_the_loop_has_done_it);
        tcase_add_loop_test(tc, takes_back_what_was_not_begun, 0, ELEMENTSOF(refusals));
        tcase_add_test(tc, does_not_begin_where_it_may_not_wait);
        tcase_add_loop_test(tc, waits_for_what_was_begun, 0, ELEMENTSOF(begun));
        tcase_add_test(tc, is_done_in_order_and_without_its_request);
        tcase_add_test(tc, ends_with_its_loop);
        tcase_add_test(tc, has_data_of_its_own);
        tcase_add_test(tc, does_what_it_says);
        suite_add_tcase(s, tc);
        return test_main(s);
}
