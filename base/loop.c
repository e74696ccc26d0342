/*
 * A thin layer on sd-event. Letters from other threads come through an eventfd and a list; timers
 * are one-shot sources that are moved, because that is what everybody needs.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include <systemd/sd-daemon.h>

#include "base/loop.h"
#include "base/mono.h"

struct letter {
        STAILQ_ENTRY(letter) link;
        void (*fn)(void *arg);
        void *arg;
};

struct signal_handler {
        SLIST_ENTRY(signal_handler) link;
        sd_event_source *source;
        void (*fn)(int signo, void *userdata);
        void *userdata;
};

struct loop {
        sd_event *event;
        sd_event_source *inbox_source;
        int inbox_fd;
        pthread_mutex_t lock; /* guards letters */
        STAILQ_HEAD(, letter) letters;
        SLIST_HEAD(, signal_handler) signal_handlers;
};

static struct letter *next_letter(struct loop *l)
{
        struct letter *letter;

        pthread_mutex_lock(&l->lock);
        letter = STAILQ_FIRST(&l->letters);
        if (letter)
                STAILQ_REMOVE_HEAD(&l->letters, link);
        pthread_mutex_unlock(&l->lock);
        return letter;
}

static int on_inbox(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        struct loop *l = userdata;
        struct letter *letter;
        eventfd_t n;

        (void)eventfd_read(fd, &n);
        while ((letter = next_letter(l))) {
                letter->fn(letter->arg);
                free(letter);
        }
        return 0;
}

int loop_new(struct loop **ret)
{
        _cleanup_(loop_freep) struct loop *l = calloc(1, sizeof(*l));
        int k;

        if (!l)
                return -ENOMEM;
        STAILQ_INIT(&l->letters);
        SLIST_INIT(&l->signal_handlers);
        pthread_mutex_init(&l->lock, NULL);
        l->inbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (l->inbox_fd < 0)
                return -errno;
        k = sd_event_new(&l->event);
        if (k < 0)
                return k;
        (void)sd_event_set_watchdog(l->event, true); /* where $WATCHDOG_USEC asks for it */
        k = sd_event_add_io(l->event, &l->inbox_source, l->inbox_fd, EPOLLIN, on_inbox, l);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(l);
        return 0;
}

struct loop *loop_free(struct loop *l)
{
        struct signal_handler *h;
        struct letter *letter;

        if (!l)
                return NULL;
        while ((h = SLIST_FIRST(&l->signal_handlers))) {
                SLIST_REMOVE_HEAD(&l->signal_handlers, link);
                sd_event_source_disable_unref(h->source);
                free(h);
        }
        while ((letter = next_letter(l)))
                free(letter);
        sd_event_source_disable_unref(l->inbox_source);
        sd_event_unref(l->event);
        closep(&l->inbox_fd);
        pthread_mutex_destroy(&l->lock);
        free(l);
        return NULL;
}

sd_event *loop_event(struct loop *l)
{
        return l->event;
}

int loop_run(struct loop *l)
{
        return sd_event_loop(l->event);
}

void loop_quit(struct loop *l, int status)
{
        (void)sd_event_exit(l->event, status);
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
        struct letter *letter = malloc(sizeof(*letter));

        if (!letter)
                return -ENOMEM;
        *letter = (struct letter){.fn = fn, .arg = arg};
        pthread_mutex_lock(&l->lock);
        STAILQ_INSERT_TAIL(&l->letters, letter, link);
        pthread_mutex_unlock(&l->lock);
        (void)eventfd_write(l->inbox_fd, 1);
        return 0;
}

static int on_signal(_unused_ sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        struct signal_handler *h = userdata;

        h->fn((int)si->ssi_signo, h->userdata);
        return 0;
}

int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *userdata), void *userdata)
{
        struct signal_handler *h = calloc(1, sizeof(*h));
        int k;

        if (!h)
                return -ENOMEM;
        h->fn = fn;
        h->userdata = userdata;
        k = sd_event_add_signal(l->event, &h->source, signo, on_signal, h);
        if (k < 0) {
                free(h);
                return k;
        }
        SLIST_INSERT_HEAD(&l->signal_handlers, h, link);
        return 0;
}

void loop_notify(const char *state)
{
        (void)sd_notify(0, state);
}

int loop_listen_fds(int *ret_first)
{
        *ret_first = SD_LISTEN_FDS_START;
        return sd_listen_fds(true); /* children must not take them for theirs */
}

/* --- timers ---------------------------------------------------------------------------------- */

struct loop_timer {
        sd_event_source *source;
        void (*fn)(void *userdata);
        void *userdata;
};

static int on_timer(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata)
{
        struct loop_timer *t = userdata;

        t->fn(t->userdata); /* may free t */
        return 0;
}

int loop_timer_new(struct loop_timer **ret, struct loop *l, void (*fn)(void *userdata),
                   void *userdata)
{
        struct loop_timer *t = calloc(1, sizeof(*t));
        int k;

        if (!t)
                return -ENOMEM;
        t->fn = fn;
        t->userdata = userdata;
        k = sd_event_add_time(l->event, &t->source, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_timer, t);
        if (k >= 0)
                k = sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
        if (k < 0) {
                loop_timer_free(t);
                return k;
        }
        *ret = t;
        return 0;
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
        if (t) {
                sd_event_source_disable_unref(t->source);
                free(t);
        }
        return NULL;
}

void loop_timer_set(struct loop_timer *t, uint64_t mono_usec, uint64_t slack_usec)
{
        (void)sd_event_source_set_time(t->source, mono_usec);
        (void)sd_event_source_set_time_accuracy(t->source, slack_usec ? slack_usec : 1);
        (void)sd_event_source_set_enabled(t->source, SD_EVENT_ONESHOT);
}

void loop_timer_stop(struct loop_timer *t)
{
        (void)sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
        int enabled = SD_EVENT_OFF;

        (void)sd_event_source_get_enabled(t->source, &enabled);
        return enabled != SD_EVENT_OFF;
}

void loop_block_signals(void)
{
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE};
        sigset_t s;

        sigemptyset(&s);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                sigaddset(&s, signals[i]);
        (void)sigprocmask(SIG_BLOCK, &s, NULL);
}
