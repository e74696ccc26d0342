/*
 * Waiting for a bundle. It is made without us: who interrupts this ends the waiting, not the bundle, and is told so. A
 * master that restarts meanwhile is asked again.
 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/mono.h"
#include "cli/bundle_view.h"
#include "cli/cmd_bundle.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/term.h"
#include "cli/verb.h"

#define POLL_USEC    (500 * USEC_PER_MSEC)
#define SILENCE_USEC (5 * USEC_PER_MIN) /* then nobody comes back any more */

/* --- signals --------------------------------------------------------------------------------------- */

static char farewell[512];
static size_t n_farewell;

static void on_signal(int signo)
{
        ssize_t n = write(STDERR_FILENO, farewell, n_farewell);

        (void)n;
        _exit(128 + signo);
}

void bundle_if_interrupted(const char *fmt, ...)
{
        const struct sigaction action = {.sa_handler = on_signal};
        sigset_t both, before;
        va_list ap;
        int n;

        (void)sigemptyset(&both);
        (void)sigaddset(&both, SIGINT);
        (void)sigaddset(&both, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &both, &before);
        va_start(ap, fmt);
        n = vsnprintf(farewell, sizeof(farewell), fmt, ap);
        va_end(ap);
        n_farewell = n < 0 ? 0 : (size_t)n < sizeof(farewell) ? (size_t)n : sizeof(farewell) - 1;
        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- the line at the bottom ------------------------------------------------------------------------ */

void bundle_live_erase(struct bundle_live *l)
{
        const struct buf erase = {.data = (char[]){"\r\033[K"}, .n = 4};

        if (l->is_drawn)
                (void)term_flush(STDERR_FILENO, &erase);
        l->is_drawn = false;
}

void bundle_live_draw(struct bundle_live *l, const char *clean_text)
{
        _cleanup_(buf_done) struct buf line = {0};
        struct term t = term_of(STDERR_FILENO);

        if (!t.is_tty)
                return;
        buf_puts(&line, "\r\033[K");
        /* A line that is as wide as the terminal would be two on some. */
        text_append_cut(&line, clean_text, t.n_columns > 1 ? t.n_columns - 1 : 1);
        (void)term_flush(STDERR_FILENO, &line);
        l->is_drawn = true;
        l->drawn_mono_usec = now_mono_usec();
}

/* --- how far it is --------------------------------------------------------------------------------- */

struct watcher {
        const struct bundle_call *call;
        struct bundle_live live;
        bool *told; /* of each node, by its place in the list: was its end said? */
        size_t n_told;
        uint64_t silent_mono_usec; /* since when nobody answers; 0: somebody does */
};

static void watcher_done(struct watcher *w)
{
        bundle_live_erase(&w->live);
        free(w->told);
}

static bool make_room(struct watcher *w, size_t n)
{
        bool *more;

        if (n <= w->n_told)
                return true;
        more = realloc(w->told, n * sizeof(*more));
        if (!more)
                return false;
        memset(more + w->n_told, 0, (n - w->n_told) * sizeof(*more));
        w->told = more;
        w->n_told = n;
        return true;
}

static void put_ended_parts(struct buf *out, struct watcher *w, const struct bundle_info *b)
{
        const struct term t = term_of(STDERR_FILENO);

        if (!make_room(w, b->n_parts))
                return;
        for (size_t i = 0; i < b->n_parts; i++) {
                if (w->told[i] || !bundle_part_has_ended(&b->parts[i]))
                        continue;
                w->told[i] = true;
                bundle_view_part(out, &b->parts[i], &t);
                buf_putc(out, '\n');
        }
}

static void show_progress(struct watcher *w, const struct bundle_info *b)
{
        _cleanup_(buf_done) struct buf lines = {0}, live = {0};

        if (w->call->json)
                return;
        put_ended_parts(&lines, w, b);
        if (lines.n > 0) {
                bundle_live_erase(&w->live);
                (void)term_flush(STDERR_FILENO, &lines);
        }
        if (bundle_has_ended(b))
                return;
        text_append_clean(&live, b->state);
        buf_puts(&live, ": ");
        bundle_view_progress(&live, b);
        bundle_live_draw(&w->live, buf_cstr(&live));
}

/* --- ask again ------------------------------------------------------------------------------------- */

/* Return: 0: go on asking, or an exit status */
static int bear_silence(struct watcher *w, const struct err *e)
{
        uint64_t now = now_mono_usec();

        if (w->silent_mono_usec == 0) {
                w->silent_mono_usec = now;
                bundle_live_erase(&w->live);
                term_complain(w->call->who, "%s; will go on asking", e->text);
        }
        if (usec_since(now, w->silent_mono_usec) < SILENCE_USEC)
                return 0;
        term_complain(w->call->who, "%s has not answered for 5 min", w->call->client.who);
        return EXIT_COULD_NOT;
}

/* That of a proxy, or of a master behind which another one has the bundle. */
static bool may_pass(unsigned status)
{
        return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Return: 0, or an exit status */
static int ask_again(struct watcher *w, struct bundle_told *told)
{
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_BYTES_MAX}, path = {0}, why = {0};
        struct err e = {0};
        unsigned status = 0;
        int r;

        buf_puts(&path, "/system/health/v2/bundles/");
        path_append_word(&path, told->answer.bundle.id);
        r = client_call(&w->call->client, "GET", buf_cstr(&path), NULL, &status, &json, &e);
        if (r == 0 && may_pass(status)) {
                refusal_describe(&why, status, &json);
                (void)err_set(&e, -EAGAIN, "%s: %s", w->call->client.who, buf_cstr(&why));
                return bear_silence(w, &e);
        }
        if (r == CLIENT_NOBODY || r == CLIENT_NO_ANSWER)
                return bear_silence(w, &e);
        if (r != 0 || status != 200) {
                bundle_live_erase(&w->live);
                return r != 0 ? bundle_complain_unasked(w->call, r, &e)
                              : bundle_complain_refused(w->call, status, &json);
        }
        if (w->silent_mono_usec > 0)
                term_complain(w->call->who, "%s answers again", w->call->client.who);
        w->silent_mono_usec = 0;
        if (bundle_read_told(w->call, &json, told, &e) == 0)
                return 0;
        bundle_live_erase(&w->live);
        term_complain(w->call->who, "%s", e.text);
        return EXIT_COULD_NOT;
}

static void pause_until(uint64_t mono_usec)
{
        const struct timespec until = {
                .tv_sec = (time_t)(mono_usec / USEC_PER_SEC),
                .tv_nsec = (long)(mono_usec % USEC_PER_SEC * 1000),
        };

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int bundle_wait_for(const struct bundle_call *c, struct bundle_told *told)
{
        _cleanup_(watcher_done) struct watcher w = {.call = c};
        const char *id = told->answer.bundle.id;

        bundle_if_interrupted("\n%s: the bundle is being made all the same. diag bundle wait %s "
                              "waits on, diag bundle cancel %s ends it\n",
                              c->who, id, id);
        for (;;) {
                uint64_t asked = now_mono_usec();
                int status;

                if (w.silent_mono_usec == 0)
                        show_progress(&w, &told->answer.bundle);
                if (bundle_has_ended(&told->answer.bundle))
                        return 0;
                pause_until(asked + POLL_USEC);
                status = ask_again(&w, told);
                if (status != 0)
                        return status;
        }
}
