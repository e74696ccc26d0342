#pragma once

/*
 * A server that says, byte for byte, what a test wants it to say, one connection after the other, on
 * a Unix socket or on loopback. It can hang up early, never end, or fall silent.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

enum scripted_then {
        THEN_HANG_UP = 0,
        THEN_STALL,      /* until the client hangs up */
        THEN_FLOOD,      /* the same bytes again, until the client hangs up */
        THEN_DRIP,       /* the same bytes again, but slowly */
        THEN_HALF_CLOSE, /* nothing more from here; then as THEN_STALL */
};

struct scripted_reply {
        const char *bytes;
        size_t n; /* 0: strlen(bytes) */
        enum scripted_then then;
        const char *head; /* sent once, before the bytes; may be NULL */
};

#define SCRIPTED_REQUEST_MAX 4096u
#define SCRIPTED_BACKLOG     128
#define SCRIPTED_DRIP_USEC   10000

struct scripted_server {
        const struct scripted_reply *replies; /* afterwards nobody listens any more */
        size_t n_replies;
        char last_request[SCRIPTED_REQUEST_MAX]; /* after scripted_server_join() */
        char url[160];                           /* "unix:/path" or "http://127.0.0.1:port" */
        int listen_fd;
        pthread_t thread;
};

static inline void scripted_listen(struct scripted_server *s, const struct sockaddr *sa,
                                   socklen_t n)
{
        int r;

        s->listen_fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert(s->listen_fd >= 0);
        r = bind(s->listen_fd, sa, n);
        assert(r == 0);
        r = listen(s->listen_fd, SCRIPTED_BACKLOG);
        assert(r == 0);
        (void)r;
}

/** scripted_server_on_socket() - connections queue up from here on; @path must not exist. */
static inline void scripted_server_on_socket(struct scripted_server *s, const char *path)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};

        (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
        (void)snprintf(s->url, sizeof(s->url), "unix:%s", path);
        scripted_listen(s, (const struct sockaddr *)&sa, sizeof(sa));
}

static inline void scripted_server_on_loopback(struct scripted_server *s)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof(sa);

        scripted_listen(s, (const struct sockaddr *)&sa, sizeof(sa));
        (void)getsockname(s->listen_fd, (struct sockaddr *)&sa, &n);
        (void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", ntohs(sa.sin_port));
}

/* With a body as long as announced. */
static inline bool scripted_request_is_whole(const char *request, size_t n)
{
        const char *end = strstr(request, "\r\n\r\n"),
                   *length = strstr(request, "Content-Length: ");
        size_t n_body = 0;

        if (!end)
                return false;
        if (length && length < end)
                n_body = strtoul(length + strlen("Content-Length: "), NULL, 10);
        return n >= (size_t)(end + 4 - request) + n_body;
}

static inline void scripted_read_request(struct scripted_server *s, int fd)
{
        size_t n = 0;

        while (n + 1 < sizeof(s->last_request)) {
                ssize_t k = recv(fd, s->last_request + n, sizeof(s->last_request) - 1 - n, 0);

                if (k <= 0)
                        break;
                n += (size_t)k;
                s->last_request[n] = '\0';
                if (scripted_request_is_whole(s->last_request, n))
                        break;
        }
        s->last_request[n] = '\0';
}

static inline void scripted_answer(const struct scripted_reply *r, int fd)
{
        size_t n = r->n ? r->n : strlen(r->bytes);
        char rest;

        if (r->head)
                (void)send(fd, r->head, strlen(r->head), MSG_NOSIGNAL);
        while (send(fd, r->bytes, n, MSG_NOSIGNAL) > 0) {
                if (r->then == THEN_DRIP)
                        (void)usleep(SCRIPTED_DRIP_USEC);
                else if (r->then != THEN_FLOOD)
                        break;
        }
        if (r->then == THEN_HALF_CLOSE)
                (void)shutdown(fd, SHUT_WR);
        if (r->then == THEN_STALL || r->then == THEN_HALF_CLOSE)
                (void)recv(fd, &rest, 1, 0);
}

static inline void *scripted_run(void *arg)
{
        struct scripted_server *s = arg;

        for (size_t i = 0; i < s->n_replies; i++) {
                int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        break;
                scripted_read_request(s, fd);
                scripted_answer(&s->replies[i], fd);
                close(fd);
        }
        close(s->listen_fd);
        return NULL;
}

static inline void scripted_server_start(struct scripted_server *s)
{
        int r = pthread_create(&s->thread, NULL, scripted_run, s);

        assert(r == 0);
        (void)r;
}

/** scripted_server_join() - wait until all replies were given. */
static inline void scripted_server_join(struct scripted_server *s)
{
        (void)pthread_join(s->thread, NULL);
}
