/*
 * The collector's client. All that is asked goes in one packet, which the kernel keeps until somebody accepts the
 * connection: so asking is done at once or not at all, and what is left to wait for is events.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mono.h"
#include "bundles/collector.h"

#define EVENTS_AT_ONCE 64u /* of a turn of the loop */

struct collector {
        int fd;
        sd_event_source *source;
        struct loop_timer *first;
        collector_event_fn fn;
        void *userdata;
        bool *freed; /* while fn is called: was this freed in there? */
};

/* --- events ------------------------------------------------------------------------------------------- */

/* Return: is it still there? */
static bool tell(struct collector *c, const struct collect_event *event)
{
        bool freed = false;

        c->freed = &freed;
        c->fn(event, c->userdata);
        if (!freed)
                c->freed = NULL;
        return !freed;
}

/* No further event comes, whatever it still sends. */
static void fall_silent(struct collector *c)
{
        c->source = sd_event_source_disable_unref(c->source);
        loop_timer_stop(c->first);
}

static void tell_last(struct collector *c, const char *code, const char *text)
{
        struct collect_event event = {.kind = COLLECT_ERROR};

        (void)snprintf(event.code, sizeof(event.code), "%s", code);
        (void)snprintf(event.error, sizeof(event.error), "%s", text);
        fall_silent(c);
        (void)tell(c, &event);
}

static void on_packet(struct collector *c, const char *packet, size_t n, bool *ret_over)
{
        struct collect_event event;

        loop_timer_stop(c->first);
        *ret_over = true;
        if (n > COLLECT_EVENT_BYTES_MAX || collect_event_read(&event, packet, n) < 0) {
                tell_last(c, COLLECTOR_GONE, "the collector says what is no event");
                return;
        }
        *ret_over = event.kind == COLLECT_DONE || event.kind == COLLECT_ERROR;
        if (*ret_over)
                fall_silent(c);
        if (!tell(c, &event))
                *ret_over = true;
}

static int on_readable(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                       void *userdata)
{
        char packet[COLLECT_EVENT_BYTES_MAX + 1];
        struct collector *c = userdata;
        bool over = false;

        for (size_t i = 0; i < EVENTS_AT_ONCE && !over; i++) {
                ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return 0;
                if (n <= 0) {
                        tell_last(c, COLLECTOR_GONE, "the collector ended before it was done");
                        return 0;
                }
                on_packet(c, packet, (size_t)n, &over);
        }
        return 0;
}

static void on_first_is_late(void *userdata)
{
        tell_last(userdata, COLLECTOR_MUTE, "the collector does not answer");
}

/* --- asking ------------------------------------------------------------------------------------------- */

static int explain(int k, const char *path, struct err *e)
{
        switch (k) {
        case -ENOENT:
        case -ECONNREFUSED:
                return err_set(e, k, "diag-collect.socket is not active: %s: %s", path,
                               strerror(-k));
        case -EAGAIN:
                return err_set(e, k, "%s: too many collections wait there", path);
        default:
                return err_set(e, k, "%s: %s", path, strerror(-k));
        }
}

static int connect_to(struct collector *c, const char *path)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(to.sun_path))
                return -ENAMETOOLONG;
        memcpy(to.sun_path, path, strlen(path) + 1);
        c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
                return -errno;
        return 0;
}

static int send_with_fd(int to, const struct buf *packet, int fd)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {packet->data, packet->n};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);

        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &fd, sizeof(fd));
        return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int ask(struct collector *c, const char *path, const struct collect_request *q, int fd)
{
        _cleanup_(buf_done) struct buf packet = {.max = COLLECT_REQUEST_BYTES_MAX};
        int k;

        collect_request_write(&packet, q);
        if (packet.error)
                return packet.error;
        k = connect_to(c, path);
        return k < 0 ? k : send_with_fd(c->fd, &packet, fd);
}

static int listen_to(struct collector *c, struct loop *l)
{
        int k = loop_timer_new(&c->first, l, on_first_is_late, c);

        if (k < 0)
                return k;
        loop_timer_set(c->first, usec_add(now_mono_usec(), COLLECTOR_FIRST_USEC), USEC_PER_SEC);
        return sd_event_add_io(loop_event(l), &c->source, c->fd, EPOLLIN, on_readable, c);
}

int collector_start(struct collector **ret, struct loop *l, const char *path,
                    const struct collect_request *q, int fd, collector_event_fn fn, void *userdata,
                    struct err *e)
{
        _cleanup_(collector_freep) struct collector *c = calloc(1, sizeof(*c));
        int k;

        if (!c)
                return err_set(e, -ENOMEM, "out of memory");
        *c = (struct collector){.fd = -1, .fn = fn, .userdata = userdata};
        k = ask(c, path, q, fd);
        if (k >= 0)
                k = listen_to(c, l);
        if (k < 0)
                return explain(k, path, e);
        *ret = TAKE_PTR(c);
        return 0;
}

struct collector *collector_free(struct collector *c)
{
        if (!c)
                return NULL;
        if (c->freed)
                *c->freed = true;
        sd_event_source_disable_unref(c->source);
        loop_timer_free(c->first);
        closep(&c->fd);
        free(c);
        return NULL;
}
