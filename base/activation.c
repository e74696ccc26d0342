/* A foreign unit file decides what is passed to us, so each descriptor is asked what it is. */

#include <errno.h>
#include <fcntl.h>

#include "base/activation.h"
#include "base/loop.h"

static int socket_option(int fd, int option, int *ret)
{
        socklen_t n = sizeof(*ret);

        return getsockopt(fd, SOL_SOCKET, option, ret, &n) < 0 ? -errno : 0;
}

static int look_at(int fd, struct sock_address *ret)
{
        int type, listens, k = socket_option(fd, SO_TYPE, &type);

        if (k >= 0)
                k = socket_option(fd, SO_ACCEPTCONN, &listens);
        if (k < 0)
                return k;
        if (type != SOCK_STREAM)
                return -EPROTOTYPE;
        if (!listens)
                return -EINVAL;
        *ret = (struct sock_address){.n = sizeof(ret->storage)};
        if (getsockname(fd, &ret->sa, &ret->n) < 0)
                return -errno;
        if (ret->sa.sa_family != AF_INET && ret->sa.sa_family != AF_INET6 &&
            ret->sa.sa_family != AF_UNIX)
                return -EAFNOSUPPORT;
        return 0;
}

static const char *reason(int k)
{
        switch (k) {
        case -EPROTOTYPE:
                return "it is no stream socket";
        case -EINVAL:
                return "it does not listen";
        case -E2BIG:
                return "there are too many";
        default:
                return strerror(-k);
        }
}

int activation_add(struct activation *a, int taken_fd, struct err *e)
{
        struct activation_socket s = {.fd = taken_fd};
        int flags, k = a->n < ACTIVATION_MAX ? look_at(s.fd, &s.address) : -E2BIG;

        if (k >= 0) {
                flags = fcntl(s.fd, F_GETFL);
                if (flags < 0 || fcntl(s.fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
                    fcntl(s.fd, F_SETFD, FD_CLOEXEC) < 0)
                        k = -errno;
        }
        if (k < 0) {
                closep(&s.fd);
                return err_set(e, k, "a socket that systemd passed cannot be served: %s",
                               reason(k));
        }
        a->sockets[a->n++] = s;
        return 0;
}

void activation_take(struct activation *ret, struct err *e)
{
        int first, n = loop_listen_fds(&first);

        *ret = (struct activation){0};
        *e = (struct err){0};
        if (n < 0)
                (void)err_set(e, n, "cannot take the sockets that systemd passed: %s",
                              strerror(-n));
        for (int i = 0; i < n; i++)
                (void)activation_add(ret, first + i, e);
}

void activation_done(struct activation *a)
{
        for (size_t i = 0; i < a->n; i++)
                closep(&a->sockets[i].fd);
        a->n = 0;
}

bool activation_has(const struct activation *a, const struct sock_address *address)
{
        char wanted[SOCK_ADDRESS_MAX], text[SOCK_ADDRESS_MAX];

        sock_address_format(wanted, address);
        for (size_t i = 0; i < a->n; i++)
                if (streq(sock_address_format(text, &a->sockets[i].address), wanted))
                        return true;
        return false;
}

static uint16_t port_of(const struct sock_address *s)
{
        switch (s->sa.sa_family) {
        case AF_INET:
                return ntohs(s->in.sin_port);
        case AF_INET6:
                return ntohs(s->in6.sin6_port);
        default:
                return 0;
        }
}

uint16_t activation_port(const struct activation *a)
{
        for (size_t i = 0; i < a->n; i++)
                if (port_of(&a->sockets[i].address))
                        return port_of(&a->sockets[i].address);
        return 0;
}
