/* Listening sockets: options of TCP, and the files that Unix sockets leave behind. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "api/listener.h"

#define UNIX_SOCKET_MODE 0666 /* who may ask is decided by who asks, not by the file */

/*
 * SO_REUSEADDR: our own connections in TIME_WAIT must not keep a restarted daemon from its port.
 * FREEBIND: we start before the network, so that the address may come later. V6ONLY: "[::]:1050" and
 * "0.0.0.0:1050" are two listeners, each asked for by name.
 */
static const struct {
        int family, level, option;
} tcp_options[] = {
        {AF_INET,  SOL_SOCKET,   SO_REUSEADDR },
        {AF_INET6, SOL_SOCKET,   SO_REUSEADDR },
        {AF_INET,  IPPROTO_IP,   IP_FREEBIND  },
        {AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND},
        {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY  },
};

static int set_options(int fd, int family)
{
        for (size_t i = 0; i < ELEMENTSOF(tcp_options); i++)
                if (tcp_options[i].family == family &&
                    setsockopt(fd, tcp_options[i].level, tcp_options[i].option, &(int){1},
                               sizeof(int)) < 0)
                        return -errno;
        return 0;
}

/*
 * Does somebody answer at @address? A full backlog (EAGAIN) is an answer, too. Only a refusal says
 * that the file is left over; what we cannot find out, we leave alone.
 */
static int unix_probe(const struct sock_address *address)
{
        _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (connect(fd, &address->sa, address->n) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        return errno == ECONNREFUSED ? 0 : -errno;
}

static int unix_remove_left_over(const struct sock_address *address)
{
        struct stat st;
        int r;

        if (lstat(address->un.sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        r = unix_probe(address);
        if (r < 0)
                return r;
        return unlink(address->un.sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int unix_bind(struct listener *l)
{
        const char *path = l->address.un.sun_path;
        struct stat st;
        int r = unix_remove_left_over(&l->address);

        if (r < 0)
                return r;
        if (bind(l->fd, &l->address.sa, l->address.n) < 0)
                return -errno;
        if (lstat(path, &st) < 0)
                return -errno;
        l->path_dev = st.st_dev;
        l->path_ino = st.st_ino;
        /* bind() obeys the umask, which belongs to the whole process. */
        return chmod(path, UNIX_SOCKET_MODE) < 0 ? -errno : 0;
}

static int tcp_bind(struct listener *l)
{
        int r = set_options(l->fd, l->address.sa.sa_family);

        if (r < 0)
                return r;
        return bind(l->fd, &l->address.sa, l->address.n) < 0 ? -errno : 0;
}

static int ask_name(struct listener *l)
{
        struct sock_address a = {.n = sizeof(a.storage)};

        if (getsockname(l->fd, &a.sa, &a.n) < 0)
                return -errno;
        l->address = a;
        return 0;
}

static int open_socket(struct listener *l)
{
        int family = l->address.sa.sa_family, r;

        l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0)
                return -errno;
        r = family == AF_UNIX ? unix_bind(l) : tcp_bind(l);
        if (r < 0)
                return r;
        return listen(l->fd, SOMAXCONN) < 0 ? -errno : ask_name(l);
}

static const char *reason(int r)
{
        switch (r) {
        case -EEXIST:
                return "something that is not a socket is in the way";
        case -EADDRINUSE:
                return "somebody else answers there already";
        default:
                return strerror(-r);
        }
}

static void remove_path(const struct listener *l)
{
        struct stat st;

        if (l->address.sa.sa_family != AF_UNIX || l->path_ino == 0)
                return;
        if (lstat(l->address.un.sun_path, &st) == 0 && st.st_dev == l->path_dev &&
            st.st_ino == l->path_ino)
                (void)unlink(l->address.un.sun_path);
}

int listener_open(struct listener *ret, const struct sock_address *address, struct err *e)
{
        struct listener l = {.fd = -1, .address = *address};
        char text[SOCK_ADDRESS_MAX];
        int r = open_socket(&l);

        if (r < 0) {
                listener_close(&l);
                return err_set(e, r, "cannot listen on %s: %s", sock_address_format(text, address),
                               reason(r));
        }
        *ret = l;
        return 0;
}

static int ask_option(int fd, int option)
{
        socklen_t n = sizeof(int);
        int value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &n) < 0 ? -errno : value;
}

/* What cannot be taken over; NULL: nothing. */
static const char *wrong_with(int fd)
{
        int family = ask_option(fd, SO_DOMAIN);

        if (family < 0)
                return "is no socket";
        if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
                return "is a socket of another family than IPv4, IPv6 and Unix";
        if (ask_option(fd, SO_TYPE) != SOCK_STREAM)
                return "is no stream socket";
        if (ask_option(fd, SO_ACCEPTCONN) != 1)
                return "is a socket that does not listen";
        return NULL;
}

static int set_flags(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        return 0;
}

int listener_adopt(struct listener *ret, int fd, struct err *e)
{
        struct listener l = {.fd = fd};
        const char *wrong = wrong_with(fd);
        int r;

        if (wrong)
                return err_set(e, -EINVAL, "cannot listen on descriptor %d: it %s", fd, wrong);
        r = set_flags(fd);
        if (r >= 0)
                r = ask_name(&l);
        if (r < 0)
                return err_set(e, r, "cannot listen on descriptor %d: %s", fd, strerror(-r));
        *ret = l;
        return 0;
}

void listener_close(struct listener *l)
{
        remove_path(l);
        closep(&l->fd);
        l->fd = -1;
}
