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

/* --- errands that end later ------------------------------------------------------------------ */

/* What its request, and the test, see of one. */
struct diary {
        struct errand *kept; /* the loop's; NULL: finished */
        unsigned n_runs, n_abandoned, n_done;
        bool finish_when_abandoned;
};

struct question {
        struct diary *diary;
        char *owned;
        bool complete;
};

static enum errand_progress ask(struct errand *e, void *data)
{
        struct question *q = data;

        q->diary->n_runs++;
        q->owned = strdup("the answer");
        q->diary->kept = e;
        return ERRAND_LATER;
}

static void complete(struct diary *d)
{
        struct errand *e = TAKE_PTR(d->kept);
        struct question *q = errand_data(e);

        q->complete = true;
        errand_finish(e);
}

static void on_abandoned(struct errand *e, void *data)
{
        struct question *q = data;
        struct diary *d = q->diary;

        ck_assert(!errand_is_awaited(e));
        d->n_abandoned++;
        if (d->finish_when_abandoned)
                complete(d);
}

static void on_done(void *data)
{
        struct question *q = data;

        q->diary->n_done++;
        free(q->owned);
}

static struct errand *begin_later(struct diary *d, const struct errand_terms *more,
                                  const struct request *q)
{
        struct errand_terms terms = *more;
        struct errand *e;

        terms.n_data = sizeof(struct question);
        terms.run = terms.run ? terms.run : ask;
        terms.abandoned = on_abandoned;
        terms.done = on_done;
        ck_assert_int_eq(errand_new_later(&e, &terms), 0);
        ((struct question *)errand_data(e))->diary = d;
        ck_assert_int_eq(errand_start(e, errands, q), 0);
        return e;
}

START_TEST(ends_when_the_loop_says_so)
{
        static const struct errand_terms terms = {.end_usec = 7 * USEC_PER_SEC};
        struct request q = asked(0, true);
        struct reply r = {0};
        struct diary d = {0};
        struct errand *e = begin_later(&d, &terms, &q);

        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_ANSWERED);
        ck_assert_uint_eq(r.park_until_mono_usec, q.received_mono_usec + ERRAND_BEGIN_USEC);
        ck_assert_ptr_eq(r.park_key, e);
        turn();
        ck_assert_uint_eq(d.n_runs, 1);
        ck_assert(errand_is_awaited(e));
        reply_done(&r);
        ck_assert_int_eq(errand_wait(e, &q, &r), ERRAND_ANSWERED);
        ck_assert_uint_eq(r.park_until_mono_usec, q.received_mono_usec + 7 * USEC_PER_SEC);
        ck_assert_ptr_eq(r.park_key, e);
        complete(&d);
        ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_DONE);
        ck_assert(((struct question *)errand_data(e))->complete);
        ck_assert_uint_eq(d.n_done, 0);
        errand_unref(e);
        turn();
        ck_assert_uint_eq(d.n_done, 1);
        ck_assert_uint_eq(d.n_abandoned, 0);
}
END_TEST

/* Limits of its own, and the words of its own that a handler has. */
static const struct {
        struct errand_terms terms;
        uint64_t ago_usec;
        bool begun;
        enum errand_result want;
        unsigned want_status;
        const char *want_reason;
} limits[] = {
        {{.begin_usec = 1000},                       999,                   false, ERRAND_ANSWERED,   0,   NULL        },
        {{.begin_usec = 1000},                       1000000,               false, ERRAND_BUSY,       503, "busy"      },
        {{.begin_usec = 1000},                       ERRAND_BEGIN_USEC - 1, false, ERRAND_BUSY,       503, "busy"      },
        {{.end_usec = 10000000},                     9000000,               true,  ERRAND_ANSWERED,   0,   NULL        },
        {{.end_usec = 10000000},                     10000000,              true,  ERRAND_UNFINISHED, 503, "unfinished"},
        {{.end_usec = 10000000, .late_status = 504},
         10000000,                                                          true,
         ERRAND_UNFINISHED,                                                                           504,
         "unfinished"                                                                                                  },
        {{.end_usec = 10000000, .only_reads = true},
         10000000,                                                          true,
         ERRAND_UNFINISHED,                                                                           503,
         "unfinished"                                                                                                  },
        {{0},                                        ERRAND_END_USEC,       true,  ERRAND_UNFINISHED, 503, "unfinished"},
};

START_TEST(has_limits_of_its_own)
{
        const struct request first = asked(0, true);
        struct request q;
        _cleanup_(reply_done) struct reply r = {0}, words = {0};
        struct diary d = {0};
        struct errand *e = begin_later(&d, &limits[_i].terms, &first);
        char reason[64];
        uint64_t now = now_mono_usec();

        clock_fake(&now);
        q = asked(limits[_i].ago_usec, true);
        if (limits[_i].begun)
                turn();
        ck_assert_int_eq(errand_wait(e, &q, &r), limits[_i].want);
        ck_assert_uint_eq(r.status, 0);
        if (limits[_i].want_reason) {
                ck_assert_int_eq(errand_await(e, &q, &words), ERRAND_ANSWERED);
                (void)snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", limits[_i].want_reason);
                ck_assert_uint_eq(words.status, limits[_i].want_status);
                ck_assert_ptr_nonnull(strstr(blob_data(words.body), reason));
        }
        clock_fake(NULL);
        errand_unref(e);
        turn();
        if (d.kept)
                complete(&d);
        turn();
        ck_assert_uint_eq(d.n_done, 1);
}
END_TEST

/* In whichever way its request goes: the loop is told once, and finishes safely afterwards. */
static const struct {
        bool too_late; /* the request is sent away first, and not only gone */
        bool finish_when_abandoned;
} departures[] = {
        {false, false},
        {false, true },
        {true,  false},
        {true,  true },
};

START_TEST(tells_the_loop_that_nobody_waits)
{
        static const struct errand_terms terms = {.only_reads = true};
        const struct request q = asked(0, true), late = asked(0, false);
        struct diary d = {.finish_when_abandoned = departures[_i].finish_when_abandoned};
        struct errand *e = begin_later(&d, &terms, &q);
        struct reply r = {0};

        turn();
        ck_assert_uint_eq(d.n_runs, 1);
        if (departures[_i].too_late) {
                ck_assert_int_eq(errand_wait(e, &late, &r), ERRAND_UNFINISHED);
                ck_assert(!errand_is_awaited(e));
                turn();
                ck_assert_uint_eq(d.n_abandoned, 1);
        }
        errand_unref(e);
        turn();
        ck_assert_uint_eq(d.n_abandoned, 1);
        ck_assert_uint_eq(d.n_done, departures[_i].finish_when_abandoned);
        if (d.kept)
                complete(&d);
        ck_assert_uint_eq(d.n_done, 1);
}
END_TEST

START_TEST(is_not_abandoned_once_it_is_finished)
{
        static const struct errand_terms terms = {.only_reads = true};
        const struct request q = asked(0, true);
        struct diary d = {0};
        struct errand *e = begin_later(&d, &terms, &q);

        turn();
        errand_unref(e); /* the letter is under way */
        complete(&d);
        ck_assert_uint_eq(d.n_done, 0);
        turn();
        ck_assert_uint_eq(d.n_abandoned, 0);
        ck_assert_uint_eq(d.n_done, 1);
}
END_TEST

static enum errand_progress ask_and_finish(struct errand *e, void *data)
{
        struct question *q = data;

        q->diary->n_runs++;
        q->complete = true;
        errand_finish(e);
        return ERRAND_LATER;
}

static enum errand_progress ask_at_once(struct errand *e, void *data)
{
        struct question *q = data;

        (void)e;
        q->diary->n_runs++;
        q->complete = true;
        return ERRAND_OVER;
}

START_TEST(may_end_at_once)
{
        static const struct errand_terms terms[] = {{.run = ask_and_finish}, {.run = ask_at_once}};
        const struct request q = asked(0, true);
        struct diary d = {0};
        struct reply r = {0};

        for (size_t i = 0; i < ELEMENTSOF(terms); i++) {
                struct errand *e = begin_later(&d, &terms[i], &q);

                turn();
                ck_assert_int_eq(errand_await(e, &q, &r), ERRAND_DONE);
                ck_assert(((struct question *)errand_data(e))->complete);
                errand_unref(e);
                ck_assert_uint_eq(d.n_done, i + 1);
        }
}
END_TEST

/* Who only reads and is gone is not begun for; a change happens all the same. */
START_TEST(is_begun_for_who_is_there)
{
        static const struct errand_terms reads = {.only_reads = true},
                                         changes = {.only_reads = false};
        const struct request q = asked(0, true);
        struct diary read = {0}, change = {0};

        errand_unref(begin_later(&read, &reads, &q));
        errand_unref(begin_later(&change, &changes, &q));
        turn();
        ck_assert_uint_eq(read.n_runs, 0);
        ck_assert_uint_eq(read.n_done, 1);
        ck_assert_uint_eq(change.n_runs, 1);
        ck_assert(!errand_is_awaited(change.kept));
        complete(&change);
        turn();
        ck_assert_uint_eq(change.n_abandoned, 0);
        ck_assert_uint_eq(change.n_done, 1);
}
END_TEST

START_TEST(frees_what_it_owns_when_its_loop_ends)
{
        static const struct errand_terms terms = {.only_reads = true};
        const struct request q = asked(0, true);
        struct diary one = {0}, two = {0};
        struct errand *e[2] = {begin_later(&one, &terms, &q)};

        turn();
        e[1] = begin_later(&two, &terms, &q);
        errand_unref(e[0]); /* the letter never arrives */
        errand_unref(e[1]);
        complete(&one);
        tear_down();
        ck_assert_uint_eq(one.n_done, 1);
        ck_assert_uint_eq(one.n_abandoned, 0);
        ck_assert_uint_eq(two.n_done, 1);
        set_up();
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
        c->entry.key = r.park_key;
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

/*
 * The same with errands that end later: the loop keeps each until the next one comes or a timer fires.
 * Clients leave at any time; every errand is begun at most once, and freed exactly once.
 */
#define KEPT_MAX 16u

static struct {
        struct errand *kept[KEPT_MAX];
        size_t n_kept;
        struct loop_timer *timer;
        _Atomic unsigned n_begun, n_freed, n_given_up;
} desk;

struct errand_note {
        uint64_t asked, answered;
        char *owned;
};

static void desk_clear(void *arg)
{
        (void)arg;
        while (desk.n_kept > 0) {
                struct errand *e = desk.kept[--desk.n_kept];
                struct errand_note *n = errand_data(e);

                n->answered = n->asked + 1;
                errand_finish(e);
        }
}

static enum errand_progress desk_take(struct errand *e, void *data)
{
        struct errand_note *n = data;

        n->owned = strdup("x");
        atomic_fetch_add(&desk.n_begun, 1);
        if (desk.n_kept == KEPT_MAX)
                desk_clear(NULL);
        desk.kept[desk.n_kept++] = e;
        loop_timer_set(desk.timer, now_mono_usec() + 200, 0);
        return ERRAND_LATER;
}

static void desk_give_up(struct errand *e, void *data)
{
        struct errand_note *n = data;

        atomic_fetch_add(&desk.n_given_up, 1);
        for (size_t i = 0; i < desk.n_kept; i++)
                if (desk.kept[i] == e) {
                        desk.kept[i] = desk.kept[--desk.n_kept];
                        n->answered = 0;
                        errand_finish(e);
                        return;
                }
}

static void desk_free(void *data)
{
        free(((struct errand_note *)data)->owned);
        atomic_fetch_add(&desk.n_freed, 1);
}

static bool handle_later(struct client *c, struct errand *e, struct request *q)
{
        uint64_t ticket = parked_ticket(parked);
        _cleanup_(reply_done) struct reply r = {0};
        struct errand_note *n = errand_data(e);

        switch (errand_wait(e, q, &r)) {
        case ERRAND_DONE:
                c->lost = n->answered != n->asked + 1;
                c->n_done++;
                return true;
        case ERRAND_BUSY:
        case ERRAND_UNFINISHED:
                c->n_refused++;
                return true;
        default:
                break;
        }
        c->entry.key = r.park_key;
        if (parked_add(parked, &c->entry, ticket, r.park_until_mono_usec))
                c->lost = !wait_resumed(c);
        else
                q->may_park = parked_ticket(parked) != ticket;
        return c->lost;
}

static void *patient_thread(void *userdata)
{
        static const struct errand_terms terms = {
                .n_data = sizeof(struct errand_note),
                .run = desk_take,
                .abandoned = desk_give_up,
                .done = desk_free,
                .only_reads = true,
        };
        struct client *c = userdata;

        for (size_t i = 0; i < N_REQUESTS && !c->lost; i++) {
                struct errand_terms mine = terms;
                struct request q = asked(0, true);
                struct errand *e;

                if (i % 3 == 0) /* hardly any time */
                        mine.end_usec = mine.begin_usec = 50;
                if (errand_new_later(&e, &mine) < 0 ||
                    (((struct errand_note *)errand_data(e))->asked = i + 1,
                     errand_start(e, errands, &q)) < 0)
                        abort();
                while (i % 7 != 0 && !handle_later(c, e, &q))
                        ;
                errand_unref(e); /* every seventh does not even look */
        }
        return NULL;
}

START_TEST(does_later_what_it_says)
{
        struct client clients[N_CLIENTS] = {0};
        pthread_t threads[N_CLIENTS], runner;

        ck_assert_int_eq(loop_timer_new(&desk.timer, loop, desk_clear, NULL), 0);
        ck_assert_int_eq(pthread_create(&runner, NULL, loop_thread, NULL), 0);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                clients[i].entry.resume = on_resume;
                sem_init(&clients[i].resumed, 0, 0);
                ck_assert_int_eq(pthread_create(&threads[i], NULL, patient_thread, &clients[i]), 0);
        }
        for (size_t i = 0; i < N_CLIENTS; i++)
                pthread_join(threads[i], NULL);
        loop_post(loop, quit, loop);
        pthread_join(runner, NULL);
        turn();
        desk_clear(NULL);
        loop_timer_free(desk.timer);
        for (size_t i = 0; i < N_CLIENTS; i++) {
                ck_assert(!clients[i].lost);
                ck_assert_uint_eq(clients[i].n_done + clients[i].n_refused,
                                  N_REQUESTS - (N_REQUESTS + 6) / 7);
                ck_assert_uint_gt(clients[i].n_done, 0);
        }
        ck_assert_uint_eq(desk.n_freed, N_CLIENTS * N_REQUESTS);
        ck_assert_uint_le(desk.n_begun, N_CLIENTS * N_REQUESTS);
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
        tcase_add_test(tc, ends_when_the_loop_says_so);
        tcase_add_loop_test(tc, has_limits_of_its_own, 0, ELEMENTSOF(limits));
        tcase_add_loop_test(tc, tells_the_loop_that_nobody_waits, 0, ELEMENTSOF(departures));
        tcase_add_test(tc, is_not_abandoned_once_it_is_finished);
        tcase_add_test(tc, may_end_at_once);
        tcase_add_test(tc, is_begun_for_who_is_there);
        tcase_add_test(tc, frees_what_it_owns_when_its_loop_ends);
        tcase_add_test(tc, does_later_what_it_says);
        suite_add_tcase(s, tc);
        return test_main(s);
}
