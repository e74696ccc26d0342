#pragma once

/* What the tests of fetches share: one fetch and how it ended, and a crowd of clients to be answered. */

#include <errno.h>
#include <fcntl.h>

#include "base/mono.h"
#include "net/fetch.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define BODY_MAX    64u
#define URL_MAX     256u
#define OK_HEAD     "HTTP/1.1 200 OK\r\n"
#define OK_HI       OK_HEAD "Content-Length: 2\r\n\r\nhi"
#define TIMEOUT     (20 * USEC_PER_SEC)
#define NOT_PATIENT (150 * USEC_PER_MSEC)
#define CROWD_MAX   (2 * FETCH_RUNNING_MAX)

static struct loop *loop;
static struct fetcher *fetcher;

/* One fetch, and how it ended. */
struct asked {
        struct fetch *fetch;
        void (*then)(struct asked *a); /* in done */
        struct fetch_result result;
        unsigned n_done;
        unsigned number; /* the how manieth that ended */
        char body[2 * BODY_MAX];
};

static unsigned n_ended;

static inline void turn(void)
{
        ck_assert_int_ge(sd_event_run(loop_event(loop), UINT64_MAX), 0);
}

static inline void on_done(const struct fetch_result *r, void *userdata)
{
        struct asked *a = userdata;

        a->n_done++;
        a->number = n_ended++;
        a->result = *r;
        (void)snprintf(a->body, sizeof(a->body), "%s", r->body);
        ck_assert_uint_eq(r->n_body, strlen(a->body));
        a->result.body = a->body;
        if (a->then)
                a->then(a);
}

static inline void ask(struct asked *a, const struct fetch_request *q)
{
        struct err e = {0};

        ck_assert_msg(fetch_start(&a->fetch, fetcher, q, on_done, a, &e) == 0, "%s", e.text);
        ck_assert_uint_eq(a->n_done, 0); /* never from within */
}

static inline void wait_for(const struct asked *a)
{
        while (!a->n_done)
                turn();
        ck_assert_uint_eq(a->n_done, 1);
}

static inline void free_self(struct asked *a)
{
        a->fetch = fetch_free(a->fetch);
}

/* --- the crowd ------------------------------------------------------------------------------------ */

/* A server on the same loop: it takes all who come, and answers when a test says so. */
static struct {
        int listen_fd;
        sd_event_source *source;
        int clients[CROWD_MAX];
        unsigned n;
        char url[URL_MAX];
} crowd;

static inline int on_knock(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                           _unused_ void *userdata)
{
        int client;

        while (crowd.n < CROWD_MAX &&
               (client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
                crowd.clients[crowd.n++] = client;
        return 0;
}

/** crowd_open() - on @loop, which must be there */
static inline void crowd_open(void)
{
        struct scripted_server s = {0};

        memset(&crowd, 0, sizeof(crowd));
        scripted_server_on_loopback(&s);
        (void)snprintf(crowd.url, sizeof(crowd.url), "%s/", s.url);
        crowd.listen_fd = s.listen_fd;
        ck_assert_int_eq(fcntl(crowd.listen_fd, F_SETFL, O_NONBLOCK), 0);
        ck_assert_int_ge(sd_event_add_io(loop_event(loop), &crowd.source, crowd.listen_fd, EPOLLIN,
                                         on_knock, NULL),
                         0);
}

static inline void crowd_say(unsigned i, const char *text)
{
        ck_assert_int_eq(send(crowd.clients[i], text, strlen(text), MSG_NOSIGNAL),
                         (ssize_t)strlen(text));
}

static inline void crowd_answer(unsigned i)
{
        crowd_say(i, OK_HI);
}

/* The next request of one, up to the end of its header; at most a millisecond late. */
static inline const char *crowd_hear(unsigned i)
{
        static char request[SCRIPTED_REQUEST_MAX];
        size_t n = 0;

        request[0] = '\0';
        while (!strstr(request, "\r\n\r\n")) {
                ssize_t k = recv(crowd.clients[i], request + n, sizeof(request) - 1 - n, 0);

                ck_assert(k > 0 || (k < 0 && errno == EAGAIN));
                n += k > 0 ? (size_t)k : 0;
                request[n] = '\0';
                if (k < 0)
                        ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_MSEC), 0);
        }
        return request;
}

/* The other side has hung up. */
static inline bool crowd_has_lost(unsigned i)
{
        char request[SCRIPTED_REQUEST_MAX];
        ssize_t n;

        while ((n = recv(crowd.clients[i], request, sizeof(request), 0)) > 0)
                ;
        return n == 0 || errno == ECONNRESET;
}

static inline void crowd_wait(unsigned n)
{
        while (crowd.n < n)
                turn();
}

static inline void crowd_close(void)
{
        sd_event_source_disable_unref(crowd.source);
        for (unsigned i = 0; i < crowd.n; i++)
                close(crowd.clients[i]);
        close(crowd.listen_fd);
}

static inline void ask_crowd(struct asked *a, unsigned n, uint64_t timeout_usec)
{
        struct fetch_request q = {
                .url = crowd.url,
                .timeout_usec = timeout_usec,
                .max_bytes = BODY_MAX,
        };

        for (unsigned i = 0; i < n; i++)
                ask(&a[i], &q);
}

static inline void free_all(struct asked *a, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                a[i].fetch = fetch_free(a[i].fetch);
}
