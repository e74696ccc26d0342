/* It parks, wakes, times out, and never loses a wake-up. */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "api/parked.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a lost wake-up takes as long */
#define N_WAITERS        8
#define N_CYCLES         200

struct waiter {
        struct parked_entry entry;
        sem_t resumed;
        struct parked *parked;
        uint64_t seen; /* generations, in storm() */
};

static void on_resume(struct parked_entry *e)
{
        sem_post(&CONTAINER_OF(e, struct waiter, entry)->resumed);
}

static void waiter_init(struct waiter *w, struct parked *p)
{
        static unsigned char n; /* somebody else each time */

        *w = (struct waiter){
                .entry = {.resume = on_resume, .peer = {1, {++n}}},
                  .parked = p
        };
        sem_init(&w->resumed, 0, 0);
}

static bool waiter_was_resumed(struct waiter *w)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&w->resumed, &until) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

static bool waiter_is_waiting(struct waiter *w)
{
        int n;

        sem_getvalue(&w->resumed, &n);
        return n == 0;
}

START_TEST(wakes_everybody)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w[N_WAITERS];

        ck_assert_int_eq(parked_new(&p), 0);
        for (size_t i = 0; i < N_WAITERS; i++) {
                waiter_init(&w[i], p);
                ck_assert(parked_add(p, &w[i].entry, parked_ticket(p), USEC_INFINITY));
        }
        for (size_t i = 0; i < N_WAITERS; i++)
                ck_assert(waiter_is_waiting(&w[i]));
        parked_wake(p);
        for (size_t i = 0; i < N_WAITERS; i++)
                ck_assert(waiter_was_resumed(&w[i]));
}
END_TEST

/* A change is for all who wait for any; what concerns one of them is for him alone. */
START_TEST(wakes_one_alone)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter any, mine, his, his_other;
        struct parked_stats stats;
        const char me = 0, him = 0;
        uint64_t ticket;

        ck_assert_int_eq(parked_new(&p), 0);
        waiter_init(&any, p);
        waiter_init(&mine, p);
        waiter_init(&his, p);
        waiter_init(&his_other, p);
        mine.entry.key = &me;
        his.entry.key = his_other.entry.key = &him;
        ck_assert(parked_add(p, &any.entry, parked_ticket(p), USEC_INFINITY));
        ck_assert(parked_add(p, &mine.entry, parked_ticket(p), USEC_INFINITY));
        ck_assert(parked_add(p, &his.entry, parked_ticket(p), USEC_INFINITY));
        ck_assert(parked_add(p, &his_other.entry, parked_ticket(p), USEC_INFINITY));
        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 4);

        parked_wake_key(p, &him);
        ck_assert(waiter_was_resumed(&his));
        ck_assert(waiter_was_resumed(&his_other));
        parked_wake(p);
        ck_assert(waiter_was_resumed(&any));
        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 1);
        ck_assert(waiter_is_waiting(&mine));

        /* What has happened between looking and parking counts for it, too. */
        ticket = parked_ticket(p);
        parked_wake_key(p, &him);
        ck_assert(!parked_add(p, &his.entry, ticket, USEC_INFINITY));
        ck_assert(parked_add(p, &his.entry, parked_ticket(p), 1));
        ck_assert(waiter_was_resumed(&his));

        parked_close(p);
        ck_assert(waiter_was_resumed(&mine));
        ck_assert(waiter_is_waiting(&any));
}
END_TEST

/* Places are places, whatever somebody waits for. */
START_TEST(counts_those_with_a_key)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w[3];
        const char key = 0;

        ck_assert_int_eq(parked_new(&p), 0);
        parked_set_limits(p, 8, 2);
        for (size_t i = 0; i < ELEMENTSOF(w); i++) {
                waiter_init(&w[i], p);
                w[i].entry.peer = (struct peer){1, {1}};
                w[i].entry.key = i % 2 ? NULL : &key;
                ck_assert(parked_add(p, &w[i].entry, parked_ticket(p), USEC_INFINITY) == (i < 2));
        }
        parked_hang_up(p, &w[0].entry);
        ck_assert(waiter_was_resumed(&w[0]));
        ck_assert(parked_add(p, &w[2].entry, parked_ticket(p), USEC_INFINITY));
        parked_close(p);
        ck_assert(waiter_was_resumed(&w[1]));
        ck_assert(waiter_was_resumed(&w[2]));
}
END_TEST

START_TEST(notices_a_change_between_looking_and_parking)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w;
        uint64_t ticket;

        ck_assert_int_eq(parked_new(&p), 0);
        waiter_init(&w, p);
        ticket = parked_ticket(p);
        parked_wake(p);
        ck_assert(!parked_add(p, &w.entry, ticket, USEC_INFINITY));
        ck_assert_uint_ne(parked_ticket(p), ticket);
        ck_assert(waiter_is_waiting(&w));
}
END_TEST

START_TEST(resumes_at_the_deadline_and_nobody_else)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter late, soon, past;

        ck_assert_int_eq(parked_new(&p), 0);
        waiter_init(&late, p);
        waiter_init(&soon, p);
        waiter_init(&past, p);
        ck_assert(parked_add(p, &late.entry, parked_ticket(p),
                             now_mono_usec() + 3600 * USEC_PER_SEC));
        ck_assert(
                parked_add(p, &soon.entry, parked_ticket(p), now_mono_usec() + 20 * USEC_PER_MSEC));
        ck_assert(waiter_was_resumed(&soon));
        ck_assert_uint_ge(now_mono_usec(), soon.entry.until_mono_usec);
        ck_assert(parked_add(p, &past.entry, parked_ticket(p), 1));
        ck_assert(waiter_was_resumed(&past));
        ck_assert(waiter_is_waiting(&late));
        parked_close(p);
        ck_assert(waiter_was_resumed(&late));
}
END_TEST

START_TEST(has_room_for_so_many)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w[PARKED_MAX + 1];

        ck_assert_int_eq(parked_new(&p), 0);
        for (size_t i = 0; i <= PARKED_MAX; i++) {
                waiter_init(&w[i], p);
                ck_assert(parked_add(p, &w[i].entry, parked_ticket(p), USEC_INFINITY) ==
                          (i < PARKED_MAX));
        }
        parked_wake(p);
        for (size_t i = 0; i < PARKED_MAX; i++)
                ck_assert(waiter_was_resumed(&w[i]));
        ck_assert(parked_add(p, &w[PARKED_MAX].entry, parked_ticket(p), 1));
        ck_assert(waiter_was_resumed(&w[PARKED_MAX]));
}
END_TEST

static bool park(struct waiter *w, struct parked *p, unsigned char peer, enum parked_share share)
{
        waiter_init(w, p);
        w->entry.peer = (struct peer){1, {peer}};
        w->entry.share = share;
        return parked_add(p, &w->entry, parked_ticket(p), USEC_INFINITY);
}

START_TEST(has_room_for_so_many_of_one_client)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter his[PARKED_PEER_MAX + 1], hers, proxys[PARKED_PEER_MAX + 1];
        struct parked_stats stats;

        ck_assert_int_eq(parked_new(&p), 0);
        for (size_t i = 0; i <= PARKED_PEER_MAX; i++)
                ck_assert(park(&his[i], p, 1, PARKED_ORDINARY) == (i < PARKED_PEER_MAX));
        ck_assert(park(&hers, p, 2, PARKED_ORDINARY));
        for (size_t i = 0; i <= PARKED_PEER_MAX; i++)
                ck_assert(park(&proxys[i], p, 1, PARKED_MANY));
        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 2 * PARKED_PEER_MAX + 2);
        ck_assert_uint_eq(stats.n_parked, 2 * PARKED_PEER_MAX + 2);
        ck_assert_uint_eq(stats.n_refused, 1);
        parked_wake(p);
        for (size_t i = 0; i < PARKED_PEER_MAX; i++)
                ck_assert(waiter_was_resumed(&his[i]));
        ck_assert(park(&his[PARKED_PEER_MAX], p, 1, PARKED_ORDINARY));
        parked_close(p);
        ck_assert(waiter_was_resumed(&his[PARKED_PEER_MAX]));
        ck_assert(waiter_was_resumed(&hers));
        for (size_t i = 0; i <= PARKED_PEER_MAX; i++)
                ck_assert(waiter_was_resumed(&proxys[i]));
}
END_TEST

/* However many of these addresses there are, others have places, too. */
START_TEST(leaves_places_beside_loopback_addresses)
{
        enum { N_LOOPBACK = PARKED_MAX / PARKED_LOOPBACK_SHARE };
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter local[N_LOOPBACK + 1], others[PARKED_MAX - N_LOOPBACK];

        ck_assert_int_eq(parked_new(&p), 0);
        for (size_t i = 0; i < ELEMENTSOF(local); i++) {
                waiter_init(&local[i], p);
                local[i].entry.peer = (struct peer){
                        AF_INET, {127, 0, (unsigned char)i, 1}
                };
                ck_assert(parked_add(p, &local[i].entry, parked_ticket(p), USEC_INFINITY) ==
                          (i < N_LOOPBACK));
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                ck_assert(park(&others[i], p, (unsigned char)i, PARKED_ORDINARY));
        parked_close(p);
        for (size_t i = 0; i < N_LOOPBACK; i++)
                ck_assert(waiter_was_resumed(&local[i]));
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                ck_assert(waiter_was_resumed(&others[i]));
}
END_TEST

/* Its place is for others at once, and it gets no other. */
START_TEST(gives_away_the_place_of_who_hangs_up)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter gone, stays, fresh, before;
        struct parked_stats stats;

        ck_assert_int_eq(parked_new(&p), 0);
        parked_set_limits(p, 2, 2);
        ck_assert(park(&gone, p, 1, PARKED_ORDINARY));
        ck_assert(park(&stays, p, 2, PARKED_ORDINARY));
        ck_assert(!park(&fresh, p, 3, PARKED_ORDINARY));
        ck_assert(!parked_has_hung_up(p, &gone.entry));
        parked_hang_up(p, &gone.entry);
        ck_assert(park(&fresh, p, 3, PARKED_ORDINARY));
        ck_assert(waiter_was_resumed(&gone));
        ck_assert(parked_has_hung_up(p, &gone.entry));
        parked_hang_up(p, &gone.entry);
        ck_assert(!parked_add(p, &gone.entry, parked_ticket(p), USEC_INFINITY));

        /* Before it waits, too. */
        waiter_init(&before, p);
        parked_hang_up(p, &before.entry);
        ck_assert(!parked_add(p, &before.entry, parked_ticket(p), USEC_INFINITY));

        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 2);
        ck_assert_uint_eq(stats.n_refused, 1);
        ck_assert(waiter_is_waiting(&stays));
        ck_assert(waiter_is_waiting(&gone));
        parked_close(p);
        ck_assert(waiter_was_resumed(&stays));
        ck_assert(waiter_was_resumed(&fresh));
}
END_TEST

START_TEST(does_not_count_the_privileged)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter privileged[9], his, hers, proxys;
        struct parked_stats stats;

        ck_assert_int_eq(parked_new(&p), 0);
        parked_set_limits(p, 2, 1);
        for (size_t i = 0; i < 8; i++)
                ck_assert(park(&privileged[i], p, 1, PARKED_PRIVILEGED));
        ck_assert(park(&his, p, 1, PARKED_ORDINARY));
        ck_assert(park(&hers, p, 2, PARKED_ORDINARY));
        ck_assert(!park(&proxys, p, 3, PARKED_MANY));
        ck_assert(park(&privileged[8], p, 4, PARKED_PRIVILEGED));
        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 11);
        ck_assert_uint_eq(stats.n_refused, 1);
        ck_assert_uint_eq(stats.n_max, 2);
        ck_assert_uint_eq(stats.n_peer_max, 1);
        parked_close(p);
        for (size_t i = 0; i < 9; i++)
                ck_assert(waiter_was_resumed(&privileged[i]));
        ck_assert(waiter_was_resumed(&his));
        ck_assert(waiter_was_resumed(&hers));
        parked_stats(p, &stats);
        ck_assert_uint_eq(stats.n_waiting, 0);
}
END_TEST

START_TEST(closes)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w;

        ck_assert_int_eq(parked_new(&p), 0);
        waiter_init(&w, p);
        ck_assert(parked_add(p, &w.entry, parked_ticket(p), USEC_INFINITY));
        ck_assert(!parked_is_closed(p));
        parked_close(p);
        ck_assert(parked_is_closed(p));
        ck_assert(waiter_was_resumed(&w));
        ck_assert(!parked_add(p, &w.entry, parked_ticket(p), USEC_INFINITY));
        parked_wake(p);
        ck_assert(waiter_is_waiting(&w));
}
END_TEST

static void on_resume_park_again(struct parked_entry *e)
{
        struct waiter *w = CONTAINER_OF(e, struct waiter, entry);

        w->entry.resume = on_resume;
        if (!parked_add(w->parked, e, parked_ticket(w->parked), USEC_INFINITY))
                abort();
        sem_post(&w->resumed);
}

START_TEST(lets_a_resumed_one_park_again)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        struct waiter w;

        ck_assert_int_eq(parked_new(&p), 0);
        waiter_init(&w, p);
        w.entry.resume = on_resume_park_again;
        ck_assert(parked_add(p, &w.entry, parked_ticket(p), USEC_INFINITY));
        parked_wake(p);
        ck_assert(waiter_was_resumed(&w));
        ck_assert(waiter_is_waiting(&w));
        parked_wake(p);
        ck_assert(waiter_was_resumed(&w));
}
END_TEST

/* A generation is what a handler would look at: published first, then everybody is woken. */
static _Atomic uint64_t generation;
static sem_t seen_by_one;

static void *storm_waiter(void *userdata)
{
        struct waiter *w = userdata;

        while (w->seen < N_CYCLES) {
                uint64_t ticket = parked_ticket(w->parked);
                uint64_t now = atomic_load(&generation);

                if (now > w->seen) {
                        w->seen = now;
                        sem_post(&seen_by_one);
                        continue;
                }
                if (parked_add(w->parked, &w->entry, ticket, USEC_INFINITY) &&
                    !waiter_was_resumed(w))
                        return NULL;
        }
        return w;
}

static bool all_have_seen(void)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        for (size_t i = 0; i < N_WAITERS; i++)
                while (sem_timedwait(&seen_by_one, &until) < 0)
                        if (errno != EINTR)
                                return false;
        return true;
}

START_TEST(never_loses_a_wake_up)
{
        _cleanup_(parked_freep) struct parked *p = NULL;
        pthread_t threads[N_WAITERS];
        struct waiter w[N_WAITERS];
        void *done;

        ck_assert_int_eq(parked_new(&p), 0);
        sem_init(&seen_by_one, 0, 0);
        for (size_t i = 0; i < N_WAITERS; i++) {
                waiter_init(&w[i], p);
                ck_assert_int_eq(pthread_create(&threads[i], NULL, storm_waiter, &w[i]), 0);
        }
        for (size_t i = 0; i < N_CYCLES; i++) {
                atomic_fetch_add(&generation, 1);
                parked_wake(p);
                ck_assert_msg(all_have_seen(), "generation %zu", i + 1);
        }
        for (size_t i = 0; i < N_WAITERS; i++) {
                ck_assert_int_eq(pthread_join(threads[i], &done), 0);
                ck_assert_ptr_nonnull(done);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("parked");
        TCase *tc = tcase_create("parked");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, wakes_everybody);
        tcase_add_test(tc, wakes_one_alone);
        tcase_add_test(tc, counts_those_with_a_key);
        tcase_add_test(tc, notices_a_change_between_looking_and_parking);
        tcase_add_test(tc, resumes_at_the_deadline_and_nobody_else);
        tcase_add_test(tc, has_room_for_so_many);
        tcase_add_test(tc, has_room_for_so_many_of_one_client);
        tcase_add_test(tc, leaves_places_beside_loopback_addresses);
        tcase_add_test(tc, gives_away_the_place_of_who_hangs_up);
        tcase_add_test(tc, does_not_count_the_privileged);
        tcase_add_test(tc, closes);
        tcase_add_test(tc, lets_a_resumed_one_park_again);
        tcase_add_test(tc, never_loses_a_wake_up);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
