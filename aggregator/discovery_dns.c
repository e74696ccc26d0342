/*
 * getaddrinfo(3) has no deadline that anybody can set, so it runs in a thread that nobody waits for. The
 * thread and the loop share a lookup: it is written by the thread alone until it is done, which the thread
 * says through an eventfd, and read by the loop afterwards. Whoever is the last to let go of it frees it, so
 * that neither needs the other to be still there.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "aggregator/discovery_dns.h"
#include "aggregator/pace.h"
#include "base/mono.h"
#include "base/ref.h"

#define ADDRESSES_MAX DIAG_MASTERS_MAX
#define PATIENCE_USEC (15 * USEC_PER_SEC) /* then its silence is said */
#define BUSY_USEC     (1 * USEC_PER_SEC)
#define SLACK_USEC    (100 * USEC_PER_MSEC)
#define STACK_BYTES   (1024u * 1024u) /* modules of nsswitch.conf may want some */

struct lookup {
        struct ref ref;
        int done_fd;
        atomic_bool done; /* what follows is written no more */
        char name[FOUND_ADDRESS_MAX];
        int error; /* of getaddrinfo() */
        char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
        size_t n;
};

struct discovery_dns {
        struct loop *loop;
        struct loop_timer *timer;
        struct pace pace;
        char *name;
        struct lookup *lookup; /* NULL: none is under way */
        sd_event_source *done_source;
        uint64_t seen_boot_usec;
        finding_fn found;
        void *userdata;
};

/* In the whole process: a thread that hangs outlives whoever has started it, and a reload is no excuse. */
static atomic_bool resolving;

/* --- a lookup ---------------------------------------------------------------------------------- */

static struct lookup *lookup_unref(struct lookup *l)
{
        if (l && ref_dec(&l->ref)) {
                closep(&l->done_fd);
                free(l);
        }
        return NULL;
}

DEFINE_CLEANUP(struct lookup *, lookup_unref);

/* NULL: errno says why. */
static struct lookup *lookup_new(const char *name)
{
        struct lookup *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        ref_init(&l->ref);
        memcpy(l->name, name, strlen(name) + 1);
        l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return l->done_fd < 0 ? lookup_unref(l) : l;
}

static int by_text(const void *a, const void *b)
{
        return strcmp(a, b);
}

/* Without a scope: an address that is valid only here is none for others. */
static bool format(const struct addrinfo *ai, char text[static INET6_ADDRSTRLEN])
{
        const struct sockaddr_in *in = (const void *)ai->ai_addr;
        const struct sockaddr_in6 *in6 = (const void *)ai->ai_addr;

        if (ai->ai_family == AF_INET)
                return inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN);
        return ai->ai_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
               inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
}

static void lookup_take(struct lookup *l, const struct addrinfo *list)
{
        for (; list && l->n < ADDRESSES_MAX; list = list->ai_next)
                l->n += format(list, l->addresses[l->n]);
        qsort(l->addresses, l->n, sizeof(l->addresses[0]), by_text);
}

static void *run(void *arg)
{
        const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        struct lookup *l = arg;
        struct addrinfo *list = NULL;

        l->error = getaddrinfo(l->name, NULL, &hints, &list);
        if (l->error == 0) {
                lookup_take(l, list);
                freeaddrinfo(list);
        }
        atomic_store(&resolving, false);
        atomic_store_explicit(&l->done, true, memory_order_release);
        (void)eventfd_write(l->done_fd, 1);
        lookup_unref(l);
        return NULL;
}

/* Signals are for the loop's thread alone. 0 or -errno. */
static int start_thread(struct lookup *l)
{
        pthread_attr_t attr;
        pthread_t thread;
        sigset_t all, before;
        int r;

        sigfillset(&all);
        (void)pthread_attr_init(&attr);
        (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        ref_inc(&l->ref);
        r = pthread_create(&thread, &attr, run, l);
        if (r != 0)
                lookup_unref(l);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void)pthread_attr_destroy(&attr);
        return -r;
}

/* --- what comes of it -------------------------------------------------------------------------- */

static void say_failed(struct discovery_dns *d, const char *why)
{
        const struct finding f = {
                .source = DIAG_SOURCE_DNS,
                .state = "failed",
                .error = why,
                .seen_boot_usec = d->seen_boot_usec,
        };

        d->found(&f, d->userdata);
}

static void say_found(struct discovery_dns *d, const struct lookup *l)
{
        struct found nodes[ADDRESSES_MAX];
        struct finding f = {
                .source = DIAG_SOURCE_DNS,
                .state = "ok",
                .seen_boot_usec = now_boot_usec(),
                .has_list = true,
                .nodes = nodes,
        };

        for (size_t i = 0; i < l->n; i++)
                if (i == 0 || !streq(l->addresses[i], l->addresses[i - 1]))
                        nodes[f.n_nodes++] = (struct found){
                                .address = l->addresses[i],
                                .role = DIAG_ROLE_MASTER,
                        };
        d->seen_boot_usec = f.seen_boot_usec;
        d->found(&f, d->userdata);
}

static void again_in(struct discovery_dns *d, uint64_t usec)
{
        loop_timer_set(d->timer, now_mono_usec() + usec, SLACK_USEC);
}

static void end_lookup(struct discovery_dns *d)
{
        d->done_source = sd_event_source_disable_unref(d->done_source);
        d->lookup = lookup_unref(d->lookup);
}

static int on_done(_unused_ sd_event_source *s, _unused_ int fd, _unused_ uint32_t revents,
                   void *userdata)
{
        struct discovery_dns *d = userdata;
        _cleanup_(lookup_unrefp) struct lookup *l = NULL;

        if (!atomic_load_explicit(&d->lookup->done, memory_order_acquire))
                return 0;
        l = TAKE_PTR(d->lookup);
        end_lookup(d);
        again_in(d, pace_after(&d->pace, l->error == 0 && l->n > 0));
        if (l->error)
                say_failed(d, gai_strerror(l->error));
        else if (l->n == 0)
                say_failed(d, "the name has no address");
        else
                say_found(d, l);
        return 0;
}

static int start_lookup(struct discovery_dns *d)
{
        int k;

        d->lookup = lookup_new(d->name);
        if (!d->lookup)
                return -errno;
        k = sd_event_add_io(loop_event(d->loop), &d->done_source, d->lookup->done_fd, EPOLLIN,
                            on_done, d);
        return k < 0 ? k : start_thread(d->lookup);
}

/* Also called while one is under way, once, to say that it takes long. */
static void on_timer(void *userdata)
{
        struct discovery_dns *d = userdata;
        int k;

        if (d->lookup) {
                say_failed(d, "no server of names has answered so far");
                return;
        }
        if (atomic_exchange(&resolving, true)) {
                again_in(d, BUSY_USEC);
                return;
        }
        k = start_lookup(d);
        if (k < 0) {
                atomic_store(&resolving, false);
                end_lookup(d);
                again_in(d, pace_after(&d->pace, false));
                say_failed(d, strerror(-k));
        } else
                again_in(d, PATIENCE_USEC);
}

/* --- life -------------------------------------------------------------------------------------- */

int discovery_dns_new(struct discovery_dns **ret, struct loop *l, const char *name,
                      uint64_t interval_usec, finding_fn found, void *userdata)
{
        _cleanup_(discovery_dns_freep) struct discovery_dns *d = NULL;
        int k;

        if (strlen(name) >= FOUND_ADDRESS_MAX)
                return -E2BIG;
        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->loop = l;
        d->pace.interval_usec = interval_usec;
        d->found = found;
        d->userdata = userdata;
        d->name = strdup(name);
        if (!d->name)
                return -ENOMEM;
        k = loop_timer_new(&d->timer, l, on_timer, d);
        if (k < 0)
                return k;
        again_in(d, 0);
        *ret = TAKE_PTR(d);
        return 0;
}

struct discovery_dns *discovery_dns_free(struct discovery_dns *d)
{
        if (!d)
                return NULL;
        end_lookup(d);
        loop_timer_free(d->timer);
        free(d->name);
        free(d);
        return NULL;
}
