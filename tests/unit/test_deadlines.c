/* It knows the earliest, whatever came and went before. */

#include "net/deadlines.h"
#include "tests/unit/test_main.h"

#define N 300u

static struct deadlines heap;
static struct deadline list[N];

static void setup(void)
{
        heap = (struct deadlines){0};
        memset(list, 0, sizeof(list));
}

static void teardown(void)
{
        deadlines_done(&heap);
}

/* A number that looks like any other, and is the same each time. */
static uint32_t next_random(void)
{
        static uint32_t state = 1;

        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        return state >> 16;
}

static const struct deadline *find_earliest(void)
{
        const struct deadline *first = NULL;

        for (unsigned i = 0; i < N; i++)
                if (list[i].place && (!first || list[i].mono_usec < first->mono_usec))
                        first = &list[i];
        return first;
}

static void must_know_the_earliest(void)
{
        const struct deadline *first = find_earliest(), *said = deadlines_first(&heap);

        ck_assert_int_eq(!first, !said);
        if (first)
                ck_assert_uint_eq(said->mono_usec, first->mono_usec);
}

START_TEST(begins_and_ends_empty)
{
        ck_assert_ptr_null(deadlines_first(&heap));
        deadlines_remove(&heap, &list[0]);
        ck_assert_int_eq(deadlines_add(&heap, &list[0]), 0);
        ck_assert_ptr_eq(deadlines_first(&heap), &list[0]);
        deadlines_remove(&heap, &list[0]);
        deadlines_remove(&heap, &list[0]);
        ck_assert_ptr_null(deadlines_first(&heap));
}
END_TEST

/* How far apart they are: equal ones, few values, all different; and in order, forwards and backwards. */
static const struct {
        uint32_t spread;
        int slope;
} orders[] = {
        {1,     0 },
        {4,     0 },
        {65536, 0 },
        {1,     1 },
        {1,     -1}
};

START_TEST(gives_them_in_order)
{
        uint64_t before = 0;

        for (unsigned i = 0; i < N; i++) {
                list[i].mono_usec = next_random() % orders[_i].spread +
                                    (orders[_i].slope < 0 ? N - i : (unsigned)orders[_i].slope * i);
                ck_assert_int_eq(deadlines_add(&heap, &list[i]), 0);
                must_know_the_earliest();
        }
        for (unsigned i = 0; i < N; i++) {
                struct deadline *d = deadlines_first(&heap);

                ck_assert_uint_ge(d->mono_usec, before);
                before = d->mono_usec;
                deadlines_remove(&heap, d);
                must_know_the_earliest();
        }
}
END_TEST

START_TEST(lets_any_of_them_go)
{
        for (unsigned i = 0; i < 40 * N; i++) {
                struct deadline *d = &list[next_random() % N];

                if (d->place) {
                        deadlines_remove(&heap, d);
                } else {
                        d->mono_usec = next_random() % 100;
                        ck_assert_int_eq(deadlines_add(&heap, d), 0);
                }
                must_know_the_earliest();
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("deadlines");
        TCase *t = tcase_create("deadlines");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, begins_and_ends_empty);
        tcase_add_loop_test(t, gives_them_in_order, 0, ELEMENTSOF(orders));
        tcase_add_test(t, lets_any_of_them_go);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
