/*
 * Shards. The loop gets its turn after at most so many sockets, and after each shard whose timer is due:
 * ten thousand answers at once are taken in slices.
 */

#include <errno.h>
#include <sys/epoll.h>

#include "base/mono.h"
#include "net/shards.h"

#define EVENTS_AT_ONCE 256
#define SLACK_PART     16u /* of libcurl's timers, so that wake-ups can be shared */
#define SLACK_MAX      (100 * USEC_PER_MSEC)
#define KEPT_SPARE     16u /* hosts are not spread evenly over the shards */

struct shard {
        struct shards *all;
        CURLM *multi;
        uint64_t due_mono_usec, latest_mono_usec; /* libcurl's timer; infinity: none */
};

struct shards {
        struct shards_options options;
        sd_event_source *source;
        struct loop_timer *timer; /* of the shard that is due first */
        uint64_t planned_mono_usec, planned_latest_mono_usec;
        int epoll_fd;
        struct shard shards[];
};

static struct shard *shard_of(struct shards *s, uint32_t hash)
{
        return &s->shards[hash % s->options.n];
}

/* --- time ----------------------------------------------------------------------------------------- */

static struct shard *first_due(struct shards *s)
{
        struct shard *first = &s->shards[0];

        for (unsigned i = 1; i < s->options.n; i++)
                if (s->shards[i].due_mono_usec < first->due_mono_usec)
                        first = &s->shards[i];
        return first;
}

static void plan(struct shards *s)
{
        uint64_t due = first_due(s)->due_mono_usec, latest = USEC_INFINITY;

        for (unsigned i = 0; i < s->options.n; i++)
                if (s->shards[i].latest_mono_usec < latest)
                        latest = s->shards[i].latest_mono_usec;
        if (due == s->planned_mono_usec && latest == s->planned_latest_mono_usec)
                return;
        s->planned_mono_usec = due;
        s->planned_latest_mono_usec = latest;
        if (due == USEC_INFINITY)
                loop_timer_stop(s->timer);
        else
                loop_timer_set(s->timer, due, latest - due);
}

static void shard_set_due(struct shard *d, uint64_t due, uint64_t slack)
{
        d->due_mono_usec = due;
        d->latest_mono_usec = usec_add(due, slack);
}

/* From within libcurl, which must not be called from here. */
static int on_timer(_unused_ CURLM *multi, long timeout_msec, void *userdata)
{
        struct shard *d = userdata;
        uint64_t usec, slack;

        if (timeout_msec < 0) {
                shard_set_due(d, USEC_INFINITY, 0);
        } else {
                usec = (uint64_t)timeout_msec * USEC_PER_MSEC;
                slack = usec / SLACK_PART;
                shard_set_due(d, now_mono_usec() + usec, slack < SLACK_MAX ? slack : SLACK_MAX);
        }
        plan(d->all);
        return 0;
}

/* --- what has ended ------------------------------------------------------------------------------- */

/* Whoever is told may remove others that have ended, too. */
static void drain(struct shards *s)
{
        for (unsigned i = 0; i < s->options.n; i++) {
                CURLMsg *m;
                int n_left;

                while ((m = curl_multi_info_read(s->shards[i].multi, &n_left)))
                        s->options.ended(m->easy_handle, m->data.result, s->options.userdata);
        }
        s->options.drained(s->options.userdata);
}

/* One that has waited longest: those with much to do get no second turn before the others. */
static void on_timeout(void *userdata)
{
        struct shards *s = userdata;
        struct shard *d = first_due(s);
        int n_running;

        s->planned_mono_usec = s->planned_latest_mono_usec = USEC_INFINITY;
        if (d->due_mono_usec <= now_mono_usec()) {
                shard_set_due(d, USEC_INFINITY, 0);
                (void)curl_multi_socket_action(d->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
                drain(s);
        }
        plan(s);
}

/* --- sockets -------------------------------------------------------------------------------------- */

/*
 * What was ready when we looked may be closed by now, and its number given to another, here or in
 * another shard: libcurl ignores a number that it does not know, and finds nothing to read in the other.
 */
static int on_ready(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
                    void *userdata)
{
        struct epoll_event events[EVENTS_AT_ONCE];
        struct shards *s = userdata;
        int n_running, n = epoll_wait(fd, events, ELEMENTSOF(events), 0);

        for (int i = 0; i < n; i++) {
                struct shard *d = &s->shards[events[i].data.u64 >> 32];
                uint32_t seen = events[i].events;
                int what = (seen & EPOLLIN ? CURL_CSELECT_IN : 0) |
                           (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                           (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

                (void)curl_multi_socket_action(d->multi, (int)(uint32_t)events[i].data.u64, what,
                                               &n_running);
        }
        drain(s);
        return 0;
}

/* From within libcurl: a failure here would make it give up all transfers, so this one just times out. */
static int on_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata,
                     _unused_ void *of_socket)
{
        struct shard *d = userdata;
        int epoll_fd = d->all->epoll_fd;
        struct epoll_event event = {
                .events =
                        (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                .data.u64 = (uint64_t)(d - d->all->shards) << 32 | (uint32_t)fd,
        };

        if (what == CURL_POLL_REMOVE)
                (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        else if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0)
                (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
        return 0;
}

/* --- life ----------------------------------------------------------------------------------------- */

int shards_add(struct shards *s, uint32_t hash, CURL *easy)
{
        return curl_multi_add_handle(shard_of(s, hash)->multi, easy) ? -ENOMEM : 0;
}

void shards_remove(struct shards *s, uint32_t hash, CURL *easy)
{
        (void)curl_multi_remove_handle(shard_of(s, hash)->multi, easy);
}

/* libcurl counts those that are in use, too, and closes the oldest that is not. */
static long n_kept_of_shard(const struct shards_options *o)
{
        unsigned share = (o->n_kept_max + o->n - 1) / o->n;

        return share + share / 4 + KEPT_SPARE;
}

static int shard_init(struct shard *d, struct shards *s)
{
        *d = (struct shard){.all = s, .multi = curl_multi_init()};
        shard_set_due(d, USEC_INFINITY, 0);
        if (!d->multi || curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
            curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d) ||
            curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
            curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d))
                return -ENOMEM;
        if (s->options.n_kept_max &&
            curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, n_kept_of_shard(&s->options)))
                return -ENOMEM;
        return 0;
}

int shards_new(struct shards **ret, struct loop *l, const struct shards_options *options)
{
        _cleanup_(shards_freep) struct shards *s =
                calloc(1, sizeof(*s) + options->n * sizeof(*s->shards));
        int k;

        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->planned_mono_usec = s->planned_latest_mono_usec = USEC_INFINITY;
        s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (s->epoll_fd < 0)
                return -errno;
        k = loop_timer_new(&s->timer, l, on_timeout, s);
        if (k >= 0)
                k = sd_event_add_io(loop_event(l), &s->source, s->epoll_fd, EPOLLIN, on_ready, s);
        for (unsigned i = 0; i < s->options.n && k >= 0; i++)
                k = shard_init(&s->shards[i], s);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(s);
        return 0;
}

struct shards *shards_free(struct shards *s)
{
        if (!s)
                return NULL;
        for (unsigned i = 0; i < s->options.n; i++)
                (void)curl_multi_cleanup(s->shards[i].multi);
        sd_event_source_disable_unref(s->source);
        loop_timer_free(s->timer);
        closep(&s->epoll_fd);
        free(s);
        return NULL;
}
