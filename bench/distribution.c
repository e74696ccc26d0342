/* Sorted when asked: exact quantiles, no buckets to choose beforehand. */

#include <stdio.h>

#include "bench/distribution.h"

#define ROWS_MAX  20u
#define ROWS_FEW  6u /* for less than a hundred samples */
#define BAR_WIDTH 60u

void distribution_add(struct distribution *d, uint64_t nsec)
{
        if (d->n == d->n_room) {
                size_t n_room = d->n_room ? 2 * d->n_room : 1024;
                uint64_t *p = reallocarray(d->samples, n_room, sizeof(*p));

                if (!p) {
                        perror("distribution");
                        exit(1);
                }
                d->samples = p;
                d->n_room = n_room;
        }
        d->samples[d->n++] = nsec;
}

static int by_size(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static void sort(struct distribution *d)
{
        if (d->n > 1)
                qsort(d->samples, d->n, sizeof(*d->samples), by_size);
}

static uint64_t at(const struct distribution *d, double q)
{
        size_t rank = (size_t)(q * (double)d->n);

        if (rank > 0 && (double)rank >= q * (double)d->n)
                rank--;
        return d->n ? d->samples[rank < d->n ? rank : d->n - 1] : 0;
}

uint64_t distribution_quantile(struct distribution *d, double q)
{
        sort(d);
        return at(d, q);
}

static double msec(uint64_t nsec)
{
        return (double)nsec / 1e6;
}

void distribution_print(struct distribution *d, const char *title)
{
        sort(d);
        printf("%-36s n %-7zu min %.2f  p50 %.2f  p90 %.2f  p99 %.2f  max %.2f ms\n", title, d->n,
               msec(at(d, 0)), msec(at(d, 0.5)), msec(at(d, 0.9)), msec(at(d, 0.99)),
               msec(at(d, 1)));
}

/* 1, 2 or 5 times a power of ten, so that the rows reach from the smallest sample to p99 or beyond. */
static uint64_t row_width(uint64_t span, size_t n_rows)
{
        static const uint64_t factors[] = {1, 2, 5};
        uint64_t power = 1000;

        for (;; power *= 10)
                for (size_t i = 0; i < ELEMENTSOF(factors); i++)
                        if (factors[i] * power * n_rows > span)
                                return factors[i] * power;
}

static void print_row(const char *sign, uint64_t from, size_t n, size_t most)
{
        size_t width = most ? (n * BAR_WIDTH + most - 1) / most : 0;

        printf("  %s %8.2f ms %7zu ", sign, msec(from), n);
        while (width--)
                putchar('#');
        putchar('\n');
}

void distribution_print_histogram(struct distribution *d)
{
        size_t counts[ROWS_MAX + 2] = {0}, most = 0, n_rows = 0;
        size_t n_wanted = d->n < 100 ? ROWS_FEW : ROWS_MAX;
        uint64_t width, from;

        if (!d->n)
                return;
        sort(d);
        width = row_width(at(d, 0.99) - at(d, 0), n_wanted);
        from = at(d, 0) / width * width;
        for (size_t i = 0; i < d->n; i++) {
                uint64_t row = (d->samples[i] - from) / width;

                if (row > n_wanted)
                        row = n_wanted + 1;
                counts[row]++;
        }
        for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                if (counts[i] > most)
                        most = counts[i];
                if (counts[i])
                        n_rows = i + 1;
        }
        for (size_t i = 0; i < n_rows; i++)
                print_row(i <= n_wanted ? "from" : "over", from + i * width, counts[i], most);
}

void distribution_done(struct distribution *d)
{
        free(d->samples);
        *d = (struct distribution){0};
}
