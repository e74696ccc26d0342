/* A binary heap. Each deadline knows its place, so that one in the middle can be taken out. */

#include <errno.h>

#include "net/deadlines.h"

#define ROOM_MIN 64u

static bool earlier(const struct deadline *a, const struct deadline *b)
{
        return a->mono_usec < b->mono_usec;
}

static void put(struct deadlines *s, size_t place, struct deadline *d)
{
        s->heap[place - 1] = d;
        d->place = place;
}

static struct deadline *at(const struct deadlines *s, size_t place)
{
        return s->heap[place - 1];
}

static void rise(struct deadlines *s, size_t place, struct deadline *d)
{
        for (; place > 1 && earlier(d, at(s, place / 2)); place /= 2)
                put(s, place, at(s, place / 2));
        put(s, place, d);
}

static void sink(struct deadlines *s, size_t place, struct deadline *d)
{
        size_t child;

        for (; (child = 2 * place) <= s->n; place = child) {
                if (child < s->n && earlier(at(s, child + 1), at(s, child)))
                        child++;
                if (!earlier(at(s, child), d))
                        break;
                put(s, place, at(s, child));
        }
        put(s, place, d);
}

int deadlines_add(struct deadlines *s, struct deadline *d)
{
        if (s->n == s->n_room) {
                size_t n_room = s->n_room ? 2 * s->n_room : ROOM_MIN;
                void *longer = reallocarray(s->heap, n_room, sizeof(*s->heap));

                if (!longer)
                        return -ENOMEM;
                s->heap = longer;
                s->n_room = n_room;
        }
        rise(s, ++s->n, d);
        return 0;
}

void deadlines_remove(struct deadlines *s, struct deadline *d)
{
        size_t place = d->place;
        struct deadline *last;

        if (!place)
                return;
        d->place = 0;
        last = at(s, s->n--);
        if (last == d)
                return;
        if (place > 1 && earlier(last, at(s, place / 2)))
                rise(s, place, last);
        else
                sink(s, place, last);
}

struct deadline *deadlines_first(const struct deadlines *s)
{
        return s->n ? at(s, 1) : NULL;
}

void deadlines_done(struct deadlines *s)
{
        free(s->heap);
        *s = (struct deadlines){0};
}
