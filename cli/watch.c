/* Whoever is asked waits for a change before he answers; who does not is not asked without a pause. */

#include <signal.h>
#include <time.h>

#include "base/mono.h"
#include "cli/verb.h"
#include "cli/watch.h"

#define PAUSE_USEC           (250 * USEC_PER_MSEC) /* between two questions: nobody reads faster */
#define NO_CHANGE_PAUSE_USEC (2 * USEC_PER_SEC) /* the same when the daemon does not wait for us */

static volatile sig_atomic_t exit_status = EXIT_COULD_NOT;

static void on_signal(_unused_ int signo)
{
        _exit(exit_status);
}

void watch_begin(void)
{
        const struct sigaction action = {.sa_handler = on_signal};

        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
}

void watch_leave_with(int status)
{
        exit_status = status;
}

static void pause_until(uint64_t mono_usec)
{
        const struct timespec until = {
                .tv_sec = (time_t)(mono_usec / USEC_PER_SEC),
                .tv_nsec = (long)(mono_usec % USEC_PER_SEC * 1000),
        };

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void say_contact(const struct watch *w, bool *lost, bool is_lost, const struct err *e)
{
        if (is_lost && !*lost)
                term_complain(w->who, "%s; will go on asking", e->text);
        else if (!is_lost && *lost)
                term_complain(w->who, "%s answers again", w->whom);
        *lost = is_lost;
}

int watch_run(const struct watch *w, int status)
{
        bool lost = false;

        while (status != EXIT_COULD_NOT) {
                uint64_t asked = now_mono_usec();
                struct err e = {0};
                int r = w->look_again(w->userdata, &e);

                say_contact(w, &lost, r < 0, &e);
                /* On a terminal an unchanged picture is drawn anew, because its ages have grown. */
                if (r > 0 || (r == 0 && isatty(STDOUT_FILENO) && !w->json))
                        status = w->show(w->userdata);
                pause_until(usec_add(asked, r == 0 ? NO_CHANGE_PAUSE_USEC : PAUSE_USEC));
        }
        return status;
}

void watch_put_start(struct buf *out, const struct term *t, size_t n_shown, uint64_t now_wall_usec)
{
        char time[RFC3339_MAX];

        if (t->is_tty)
                buf_puts(out, "\033[H\033[2J");
        else if (n_shown > 0)
                buf_printf(out, "\n--- %s ---\n", rfc3339_format(time, now_wall_usec));
}

void watch_put_json(struct buf *out, const struct buf *json)
{
        for (size_t i = 0; i < json->n; i++)
                if (json->data[i] != '\n' && json->data[i] != '\r')
                        buf_putc(out, json->data[i]);
        buf_putc(out, '\n');
}
