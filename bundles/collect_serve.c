/* Who asks is root or the node daemon, by the kernel's word; the socket's mode says the same a second time. */

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bundles/collect_serve.h"

#define REQUEST_MSEC 10000 /* it stands in the socket when we are started */

struct serving {
        int fd, out_fd;
        struct collect_conf conf;
        struct collect_request request;
};

static void serving_done(struct serving *s)
{
        closep(&s->fd);
        closep(&s->out_fd);
        collect_conf_done(&s->conf);
        collect_request_done(&s->request);
}

/* Progress that nobody takes is not waited for: there is more of it to come. */
static void send_event(const struct collect_event *event, void *userdata)
{
        _cleanup_(buf_done) struct buf text = {.max = COLLECT_EVENT_BYTES_MAX};
        const struct serving *s = userdata;
        int flags = MSG_NOSIGNAL | (event->kind == COLLECT_PROGRESS ? MSG_DONTWAIT : 0);

        collect_event_write(&text, event);
        if (!text.error)
                (void)send(s->fd, text.data, text.n, flags);
}

static int refuse(struct serving *s, const char *code, const struct err *e)
{
        struct collect_event event = {.kind = COLLECT_ERROR};

        (void)snprintf(event.code, sizeof(event.code), "%s", code);
        (void)snprintf(event.error, sizeof(event.error), "%s", e->text);
        send_event(&event, s);
        return 0;
}

static int check_peer(int fd, const char *user, struct err *e)
{
        const struct passwd *pw = getpwnam(user);
        struct ucred peer;
        socklen_t n = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
                return err_set(e, -errno, "who asks cannot be told: %s", strerror(errno));
        if (peer.uid == 0 || (pw && peer.uid == pw->pw_uid))
                return 0;
        return err_set(e, -EACCES, "user %u may not ask here", (unsigned)peer.uid);
}

/* The first descriptor counts; others are closed. */
static int take_descriptor(struct msghdr *m)
{
        int fd = -1;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t n;

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int one;

                        memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
                        if (fd < 0)
                                fd = one;
                        else
                                close(one);
                }
        }
        return fd;
}

static int receive(struct serving *s, char *text, size_t n_max, size_t *ret_n, struct err *e)
{
        union {
                char bytes[CMSG_SPACE(4 * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = text, .iov_len = n_max};
        struct msghdr m = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, REQUEST_MSEC) <= 0)
                return err_set(e, -ETIMEDOUT, "no request came");
        n = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return err_set(e, -errno, "no request came: %s", strerror(errno));
        s->out_fd = take_descriptor(&m);
        if (n == 0)
                return err_set(e, -ENODATA, "no request came");
        if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return err_set(e, -E2BIG, "the request is too large");
        if (s->out_fd < 0)
                return err_set(e, -EINVAL, "the request has no descriptor to write into");
        *ret_n = (size_t)n;
        return 0;
}

static int answer(struct serving *s, const struct collect_terms *terms, const char *conf_file)
{
        _cleanup_(freep) char *text = malloc(COLLECT_REQUEST_BYTES_MAX);
        struct collect_terms t = *terms;
        struct collect_event event;
        struct err e = {0};
        size_t n = 0;

        if (!text || collect_conf_init(&s->conf) < 0) {
                err_set(&e, -ENOMEM, "out of memory");
                return refuse(s, "failed", &e);
        }
        if (receive(s, text, COLLECT_REQUEST_BYTES_MAX, &n, &e) < 0)
                return refuse(s, "bad-request", &e);
        /* Not before: what is left unread costs our peer the answer, which it gets ECONNRESET for. */
        if (check_peer(s->fd, str_or(t.http_user, COLLECT_AGENT_USER), &e) < 0)
                return refuse(s, "not-allowed", &e);
        if (collect_request_read(&s->request, text, n, &e) < 0)
                return refuse(s, "bad-request", &e);
        if (collect_conf_load(&s->conf, conf_file, t.root_owned, NULL, NULL, &e) < 0)
                return refuse(s, "bad-configuration", &e);
        t.conf = &s->conf;
        t.cancel_fd = s->fd;
        t.root_files = true;
        t.on_event = send_event;
        t.userdata = s;
        (void)collect_run(&s->request, s->out_fd, &t, &event, NULL);
        return 0;
}

int collect_serve(int taken_fd, const struct collect_terms *t, const char *conf_file, struct err *e)
{
        _cleanup_(serving_done) struct serving s = {.fd = taken_fd, .out_fd = -1};
        int type = 0;
        socklen_t n = sizeof(type);

        if (getsockopt(s.fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0)
                return err_set(e, -errno, "there is no socket to serve: %s", strerror(errno));
        if (type != SOCK_SEQPACKET)
                return err_set(e, -EPROTOTYPE, "the socket to serve is none of packets");
        return answer(&s, t, conf_file);
}
