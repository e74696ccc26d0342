/* Counting answers and refusals. Nobody decides anything by these numbers: relaxed atomics are enough. */

#include "api/server_stats.h"

/* Those that we have reason to send. */
static const unsigned statuses[] = {
        200, 201, 202, 204, 206, 301, 304, 400, 401, 403, 404, 405,
        409, 413, 414, 415, 421, 429, 500, 501, 503, 504, 507, 0,
};
_Static_assert(ELEMENTSOF(statuses) == SERVER_STATUSES, "a counter for each status");

const char *server_refusal_to_string(enum server_refusal refusal)
{
        static const char *const words[] = {
                [SERVER_REFUSAL_NONE] = "none",
                [SERVER_REFUSAL_NOT_ALLOWED] = "not-allowed",
                [SERVER_REFUSAL_WRONG_HOST] = "wrong-host",
                [SERVER_REFUSAL_CROSS_ORIGIN] = "cross-origin",
                [SERVER_REFUSAL_TOO_LARGE] = "too-large",
                [SERVER_REFUSAL_BAD_HEAD] = "bad-head",
                [SERVER_REFUSAL_TOO_MANY] = "too-many-connections",
                [SERVER_REFUSAL_FULL] = "listener-full",
                [SERVER_REFUSAL_BUSY] = "too-many-answers",
                [SERVER_REFUSAL_TOO_SLOW] = "too-slow",
        };

        return (size_t)refusal < ELEMENTSOF(words) ? words[refusal] : "none";
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void server_count_answer(struct server_counters *c, unsigned status)
{
        size_t i = 0;

        while (statuses[i] != status && i < SERVER_STATUSES - 1)
                i++;
        add(&c->answers[i], 1);
}

void server_count_refusal(struct server_counters *c, enum server_refusal refusal)
{
        add(&c->refusals[refusal], 1);
}

void server_count_bytes(struct server_counters *c, uint64_t n)
{
        add(&c->answer_bytes, n);
}

void server_counters_read(const struct server_counters *c, struct server_stats *ret)
{
        for (size_t i = 0; i < SERVER_STATUSES; i++) {
                ret->answers[i].status = statuses[i];
                ret->answers[i].n = atomic_load_explicit(&c->answers[i], memory_order_relaxed);
        }
        for (size_t i = 0; i < SERVER_REFUSALS; i++)
                ret->refusals[i] = atomic_load_explicit(&c->refusals[i], memory_order_relaxed);
        ret->answer_bytes = atomic_load_explicit(&c->answer_bytes, memory_order_relaxed);
}
