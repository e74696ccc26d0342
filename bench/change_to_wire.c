/*
 * How long after a change in systemd does somebody who waits for it know? Run inside a node:
 *
 *     change_to_wire ADDRESS UNITS CHANGES SECONDS
 *
 * bench-000.service … are killed, started, stopped, started, one after the other; a thread holds a
 * request with "Prefer: wait" parked all the time. Measured is the time from the moment that systemd
 * itself has noted for the change (StateChangeTimestampMonotonic) to the last byte of the first answer
 * that shows it. A component that changes again within 60 s wakes nobody at once, by design: so unless
 * each unit changes only once, a round through all of them should take SECONDS > 60.
 *
 * The node may have more units than these. Then not all fit into the short form that is asked for, but
 * those that are not healthy come first.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bench/ask.h"
#include "bench/distribution.h"

#define UNITS_MAX         1000u
#define ROUND_SECONDS_MAX 3600.0
#define PATIENCE_NSEC     UINT64_C(10000000000)
#define WORD_MAX          32u
#define SYSTEMD           "org.freedesktop.systemd1"
#define MANAGER           SYSTEMD ".Manager"

/* What each unit goes through; the words are the codes that the report then shows. */
static const struct step {
        const char *title, *method, *code;
} steps[] = {
        {"main process killed", "KillUnit",  "signal" },
        {"started after that",  "StartUnit", ""       },
        {"stopped",             "StopUnit",  "stopped"},
        {"started again",       "StartUnit", ""       },
};

/* What the parked request has learned so far. */
struct watcher {
        const char *address;
        size_t n_units;
        atomic_bool quit;
        atomic_uint n_answers;

        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t changed;
        struct seen {
                char code[WORD_MAX]; /* "?" before the first answer */
                uint64_t at_nsec;
        } seen[UNITS_MAX];
        const char *failed;
};

struct bench {
        struct watcher watcher;
        sd_bus *bus;
        struct distribution latency, per_step[ELEMENTSOF(steps)], request, oversleep;
        uint64_t round_nsec;
        unsigned n_lost;
};

/* --- the parked request ---------------------------------------------------------------------------- */

/* The value of "key" within the object that begins at @p; "" when there is none. */
static void word_of(const char *p, const char *end, const char *key, char word[static WORD_MAX])
{
        const char *v = memmem(p, (size_t)(end - p), key, strlen(key));
        size_t n;

        word[0] = '\0';
        if (!v)
                return;
        v += strlen(key);
        n = strcspn(v, "\"");
        (void)snprintf(word, WORD_MAX, "%.*s", (int)n, v);
}

static void watcher_see(struct watcher *w, size_t i, const char *code, uint64_t at_nsec)
{
        if (i >= w->n_units || streq(w->seen[i].code, code))
                return;
        (void)stpcpy(w->seen[i].code, code);
        w->seen[i].at_nsec = at_nsec;
}

static void watcher_take(struct watcher *w, const struct answer *a, uint64_t at_nsec)
{
        static const char name[] = "{\"name\":\"bench-";
        const char *p = strstr(a->body, "\"components\":"), *next;
        bool truncated = strstr(a->body, "\"truncated\":true"), listed[UNITS_MAX] = {false};

        pthread_mutex_lock(&w->lock);
        for (p = p ? strstr(p, name) : NULL; p; p = next) {
                size_t i = strtoul(p + strlen(name), NULL, 10);
                char code[WORD_MAX];

                next = strstr(p + 1, name);
                word_of(p, next ? next : a->bytes + a->n, "\"code\":\"", code);
                if (i < UNITS_MAX)
                        listed[i] = true;
                watcher_see(w, i, code, at_nsec);
        }
        for (size_t i = 0; truncated && i < w->n_units; i++)
                if (!listed[i])
                        watcher_see(w, i, "", at_nsec);
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        atomic_fetch_add(&w->n_answers, 1);
}

static const char *watcher_loop(struct watcher *w, struct answer *a)
{
        _cleanup_(closep) int fd = ask_connect(w->address);
        char headers[160] = "";

        if (fd < 0)
                return "cannot connect to diag-agentd";
        while (!atomic_load(&w->quit)) {
                uint64_t now;

                if (ask_send(fd, "/system/health/v2/node?fields=health", headers) < 0 ||
                    ask_read(fd, a) < 0)
                        return "diag-agentd hung up";
                now = now_nsec();
                if (a->status == 200)
                        watcher_take(w, a, now);
                else if (a->status != 304)
                        return "neither 200 nor 304 came";
                (void)snprintf(headers, sizeof(headers), "If-None-Match: %s\r\nPrefer: wait=%d\r\n",
                               a->etag, 2);
        }
        return NULL;
}

static void *watcher_run(void *userdata)
{
        struct watcher *w = userdata;
        struct answer *a = malloc(sizeof(*a));
        const char *failed = a ? watcher_loop(w, a) : "out of memory";

        free(a);
        pthread_mutex_lock(&w->lock);
        w->failed = failed;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        return NULL;
}

static void watcher_init(struct watcher *w, const char *address, size_t n_units)
{
        pthread_condattr_t attributes;

        w->address = address;
        w->n_units = n_units;
        for (size_t i = 0; i < n_units; i++)
                (void)stpcpy(w->seen[i].code, "?");
        pthread_mutex_init(&w->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&w->changed, &attributes);
        pthread_condattr_destroy(&attributes);
}

/* When the code of unit @i was first seen; 0: not within ten seconds. */
static uint64_t watcher_wait(struct watcher *w, size_t i, const char *code)
{
        uint64_t until = now_nsec() + PATIENCE_NSEC, at = 0;
        const struct timespec t = {
                .tv_sec = (time_t)(until / 1000000000),
                .tv_nsec = (long)(until % 1000000000),
        };
        int k = 0;

        pthread_mutex_lock(&w->lock);
        while (!w->failed && k == 0 && !streq(w->seen[i].code, code))
                k = pthread_cond_timedwait(&w->changed, &w->lock, &t);
        if (streq(w->seen[i].code, code))
                at = w->seen[i].at_nsec;
        pthread_mutex_unlock(&w->lock);
        return at;
}

static const char *watcher_failed(struct watcher *w)
{
        const char *failed;

        pthread_mutex_lock(&w->lock);
        failed = w->failed;
        pthread_mutex_unlock(&w->lock);
        return failed;
}

/* --- the changes --------------------------------------------------------------------------------------- */

static int change_unit(sd_bus *bus, const struct step *step, const char *unit)
{
        if (streq(step->method, "KillUnit"))
                return sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", MANAGER,
                                          step->method, NULL, NULL, "ssi", unit, "main", 9);
        return sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", MANAGER, step->method,
                                  NULL, NULL, "ss", unit, "replace");
}

static uint64_t changed_at_nsec(sd_bus *bus, const char *unit)
{
        char *path = NULL;
        uint64_t usec = 0;

        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) < 0 ||
            sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD ".Unit",
                                        "StateChangeTimestampMonotonic", NULL, 't', &usec) < 0)
                usec = 0;
        free(path);
        return usec * 1000;
}

static int one_change(struct bench *b, size_t i, size_t step)
{
        char unit[48];
        uint64_t asked = now_nsec(), changed, seen;

        (void)snprintf(unit, sizeof(unit), "bench-%03zu.service", i);
        if (change_unit(b->bus, &steps[step], unit) < 0) {
                (void)fprintf(stderr, "systemd refuses %s of %s\n", steps[step].method, unit);
                return -1;
        }
        seen = watcher_wait(&b->watcher, i, steps[step].code);
        changed = changed_at_nsec(b->bus, unit);
        if (!seen || !changed || seen < changed || changed < asked - 1000000) {
                b->n_lost++;
                printf("%s, %s: not seen as it should be\n", unit, steps[step].title);
                return 0;
        }
        distribution_add(&b->latency, seen - changed);
        distribution_add(&b->per_step[step], seen - changed);
        distribution_add(&b->request, seen - asked);
        return 0;
}

/* At a random moment of its slot: no timer of anybody's may keep step with us. */
static int run_changes(struct bench *b, size_t n_changes)
{
        size_t n_units = b->watcher.n_units;
        uint64_t slot = b->round_nsec / n_units, start = now_nsec();

        for (size_t n = 0; n < n_changes; n++) {
                uint64_t planned = start + n * slot + (uint64_t)rand() % (slot * 3 / 4);

                if (planned > now_nsec()) {
                        sleep_until_nsec(planned);
                        distribution_add(&b->oversleep, now_nsec() - planned);
                }
                if (one_change(b, n % n_units, n / n_units % ELEMENTSOF(steps)) < 0 ||
                    watcher_failed(&b->watcher))
                        return -1;
        }
        return 0;
}

/* --- report ---------------------------------------------------------------------------------------------- */

static void print(struct bench *b)
{
        distribution_print(&b->latency, "change in systemd to its answer");
        distribution_print_histogram(&b->latency);
        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                if (b->per_step[i].n)
                        distribution_print(&b->per_step[i], steps[i].title);
        distribution_print(&b->request, "the same, from our call to systemd");
        distribution_print(&b->oversleep, "for comparison: sleeper wakes late by");
        printf("answers to the parked request: %u; changes not seen: %u\n",
               atomic_load(&b->watcher.n_answers), b->n_lost);
        printf("goal p99 < 100 ms: %s\n",
               !b->n_lost && distribution_quantile(&b->latency, 0.99) < 100000000 ? "reached"
                                                                                  : "MISSED");
}

int main(int argc, char **argv)
{
        static struct bench b;
        size_t n_units = argc == 5 ? strtoul(argv[2], NULL, 10) : 0;
        double seconds = argc == 5 ? strtod(argv[4], NULL) : 0;
        pthread_t thread;
        int k;

        if (!n_units || n_units > UNITS_MAX || !(seconds > 0 && seconds < ROUND_SECONDS_MAX)) {
                (void)fprintf(stderr, "usage: change_to_wire ADDRESS UNITS CHANGES SECONDS\n");
                return 2;
        }
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        b.round_nsec = (uint64_t)(seconds * 1e9);
        watcher_init(&b.watcher, argv[1], n_units);
        if (sd_bus_open_system(&b.bus) < 0 ||
            pthread_create(&thread, NULL, watcher_run, &b.watcher) != 0) {
                (void)fprintf(stderr, "no system bus, or no thread\n");
                return 1;
        }
        k = watcher_wait(&b.watcher, n_units - 1, "") ? run_changes(&b, strtoul(argv[3], NULL, 10))
                                                      : -1;
        atomic_store(&b.watcher.quit, true);
        (void)pthread_join(thread, NULL);
        if (k < 0) {
                (void)fprintf(stderr, "gave up: %s\n", str_or(b.watcher.failed, "see above"));
                return 1;
        }
        print(&b);
        sd_bus_flush_close_unref(b.bus);
        return 0;
}
