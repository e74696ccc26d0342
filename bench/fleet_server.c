/*
 * Level-triggered epoll; a wheel of 50 ms for requests that wait. An answer is one piece of memory,
 * head and body, so that it is one send().
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/ssl.h>

#include "api/conditional.h"
#include "base/buf.h"
#include "base/mono.h"
#include "bench/ask.h"
#include "bench/fleet_server.h"
#include "bench/wire.h"

#define HEAD_MAX        4096u
#define TURN_MSEC       50u
#define SLOTS           2048u /* of TURN_MSEC each: more than the longest wait */
#define EVENTS          512u
#define ACCEPTS_A_TURN  256u
#define FLOOD_BYTES     (64u * 1024)
#define FLUSH_BYTES_MAX (1024u * 1024) /* to one client in a turn: a flood must not drown us */
#define BACKLOG         8192
#define NSEC_PER_SLOT   (TURN_MSEC * UINT64_C(1000000))

struct fleet_client {
        struct wire wire;
        struct fleet_node *node;
        TAILQ_ENTRY(fleet_client) of_node, of_slot;
        char in[HEAD_MAX + 1];
        size_t n_in;
        struct buf out;
        size_t n_sent;
        bool writes; /* waits for room in the socket */
        bool parked, in_slot, floods, ends;
        enum fleet_form form; /* of the request that is parked */
        unsigned wait;
        uint64_t slot;
};

struct fleet_server {
        int epoll, listener;
        struct ssl_ctx_st *tls;
        struct fleet_node *nodes;
        size_t n_nodes;
        struct fleet_clients slots[SLOTS];
        uint64_t now_slot;
        struct fleet_figures figures;
        void (*watcher)(void *userdata);
        void *watcher_userdata;
        struct fleet_clients closed; /* freed at the end of the turn: events may name them still */
};

/* --- connections --------------------------------------------------------------------------------- */

static void watch(struct fleet_server *s, struct fleet_client *c, int op)
{
        uint32_t wanted = (c->writes ? EPOLLOUT : 0u) | EPOLLIN;
        struct epoll_event e = {.data.ptr = c,
                                .events = c->node->mode == FLEET_FROZEN ? 0 : wanted};

        (void)epoll_ctl(s->epoll, op, c->wire.fd, &e);
}

static void unpark(struct fleet_server *s, struct fleet_client *c)
{
        if (c->in_slot)
                TAILQ_REMOVE(&s->slots[c->slot % SLOTS], c, of_slot);
        if (c->parked)
                s->figures.n_parked--;
        c->in_slot = c->parked = false;
}

static void client_close(struct fleet_server *s, struct fleet_client *c, bool reset)
{
        if (c->wire.fd < 0)
                return;
        unpark(s, c);
        TAILQ_REMOVE(&c->node->clients, c, of_node);
        TAILQ_INSERT_TAIL(&s->closed, c, of_node);
        s->figures.n_connections--;
        wire_close(&c->wire, reset);
}

static struct fleet_node *node_of(struct fleet_server *s, int fd)
{
        struct sockaddr_in in = {0};
        socklen_t n = sizeof(in);
        int64_t i = -1;

        if (getsockname(fd, (struct sockaddr *)&in, &n) == 0)
                i = fleet_index(ntohl(in.sin_addr.s_addr));
        return i >= 0 && (size_t)i < s->n_nodes ? &s->nodes[i] : NULL;
}

static void client_new(struct fleet_server *s, int fd)
{
        struct fleet_node *n = node_of(s, fd);
        struct fleet_client *c = n ? calloc(1, sizeof(*c)) : NULL;

        if (!c || wire_accept(&c->wire, fd, s->tls) < 0) {
                free(c);
                (void)close(fd);
                return;
        }
        c->node = n;
        if (c->wire.tls)
                SSL_set_app_data(c->wire.tls, (char *)n);
        TAILQ_INSERT_TAIL(&n->clients, c, of_node);
        s->figures.n_connections++;
        s->figures.n_accepted++;
        watch(s, c, EPOLL_CTL_ADD);
}

static void on_listener(struct fleet_server *s)
{
        for (size_t i = 0; i < ACCEPTS_A_TURN; i++) {
                int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd < 0)
                        return;
                client_new(s, fd);
        }
}

/* --- answers ------------------------------------------------------------------------------------- */

static void flush(struct fleet_server *s, struct fleet_client *c)
{
        size_t n_budget = FLUSH_BYTES_MAX;
        bool blocked;

        while (c->n_sent < c->out.n && n_budget) {
                ssize_t k = wire_write(&c->wire, c->out.data + c->n_sent, c->out.n - c->n_sent);

                if (k == -EAGAIN)
                        break;
                if (k <= 0) {
                        client_close(s, c, false);
                        return;
                }
                c->n_sent += (size_t)k;
                n_budget -= (size_t)k < n_budget ? (size_t)k : n_budget;
                s->figures.n_bytes += (size_t)k;
                if (c->floods && c->n_sent == c->out.n)
                        c->n_sent = 0;
        }
        blocked = c->n_sent < c->out.n;
        if (!blocked) {
                buf_done(&c->out);
                c->n_sent = 0;
                if (c->ends) {
                        client_close(s, c, false);
                        return;
                }
        }
        if (blocked != c->writes) {
                c->writes = blocked;
                watch(s, c, EPOLL_CTL_MOD);
        }
}

static void put_date(struct buf *out)
{
        time_t now = time(NULL);
        char text[64];
        struct tm tm;

        (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        buf_printf(out, "Date: %s\r\n", text);
}

static void put_status(struct buf *out, const char *status)
{
        buf_printf(out, "HTTP/1.1 %s\r\n", status);
        put_date(out);
        buf_puts(out, "Server: diag/" DIAG_VERSION "\r\nX-Content-Type-Options: nosniff\r\n"
                      "Cache-Control: no-cache\r\n");
}

/* The head that belongs to the entity tag, in 200 and 304 alike. */
static void put_state(struct buf *out, const struct fleet_client *c)
{
        uint64_t age = fleet_node_confirmed_age_usec(c->node);
        char etag[ETAG_MAX];

        if (c->node->mode == FLEET_V1)
                return;
        buf_printf(
                out, "ETag: %s\r\n",
                etag_format(etag, c->node->instance, c->node->seq, c->form != FLEET_FORM_HEALTH));
        buf_printf(out, "Diag-Confirmed-Age: %u.%03u\r\n", (unsigned)(age / USEC_PER_SEC),
                   (unsigned)(age % USEC_PER_SEC / USEC_PER_MSEC));
        if (c->wait)
                buf_printf(out, "Preference-Applied: wait=%u\r\n", c->wait);
}

static void put_body(struct buf *out, const char *type, const char *body, size_t n)
{
        buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, n);
        buf_append(out, body, n);
}

static void answer_text(struct fleet_server *s, struct fleet_client *c, const char *status,
                        const char *type, const char *text)
{
        s->figures.n_other++;
        put_status(&c->out, status);
        put_body(&c->out, type, text, strlen(text));
        flush(s, c);
}

static void answer_not_modified(struct fleet_server *s, struct fleet_client *c)
{
        s->figures.n_not_modified++;
        put_status(&c->out, "304 Not Modified");
        put_state(&c->out, c);
        buf_puts(&c->out, "\r\n");
        flush(s, c);
}

static void note_served(struct fleet_server *s, struct fleet_node *n)
{
        if (n->served)
                return;
        n->served = true;
        s->figures.n_served++;
        s->figures.served_nsec = now_nsec();
}

static void answer_state(struct fleet_server *s, struct fleet_client *c)
{
        _cleanup_(blob_unrefp) struct blob *body = fleet_node_body(c->node, c->form);

        put_status(&c->out, "200 OK");
        put_state(&c->out, c);
        put_body(&c->out, "application/json", blob_data(body), blob_size(body));
        if (c->node->mode == FLEET_HALF) {
                c->out.n -= blob_size(body) / 2;
                c->ends = true;
        }
        note_served(s, c->node);
        flush(s, c);
}

static void answer_flood(struct fleet_server *s, struct fleet_client *c)
{
        static const char chunk[FLOOD_BYTES] = {0};

        put_status(&c->out, "200 OK");
        buf_puts(&c->out, "Content-Type: application/json\r\nConnection: close\r\n\r\n");
        buf_append(&c->out, chunk, sizeof(chunk));
        c->floods = true;
        flush(s, c);
}

static void answer_redirect(struct fleet_server *s, struct fleet_client *c)
{
        struct in_addr in = {htonl(fleet_address(0))};
        char ip[INET_ADDRSTRLEN];

        put_status(&c->out, "302 Found");
        buf_printf(&c->out, "Location: http://%s:%u/system/health/v2/node\r\n",
                   inet_ntop(AF_INET, &in, ip, sizeof(ip)), c->node->port);
        put_body(&c->out, "text/plain", "", 0);
        flush(s, c);
}

/* What is left to say when nothing is to be waited for. */
static void answer_now(struct fleet_server *s, struct fleet_client *c, bool changed)
{
        switch (c->node->mode) {
        case FLEET_FROZEN:
                break;
        case FLEET_FLOOD:
                answer_flood(s, c);
                break;
        case FLEET_REDIRECT:
                answer_redirect(s, c);
                break;
        case FLEET_GARBAGE:
                answer_text(s, c, "200 OK", "application/json", "<html>It works!</html>\n");
                break;
        case FLEET_EMPTY:
                answer_text(s, c, "200 OK", "application/json", "{}\n");
                break;
        default:
                if (changed)
                        answer_state(s, c);
                else
                        answer_not_modified(s, c);
        }
}

/* --- requests ------------------------------------------------------------------------------------ */

static void park(struct fleet_server *s, struct fleet_client *c)
{
        c->slot = s->now_slot + 1 + c->wait * 1000 / TURN_MSEC;
        TAILQ_INSERT_TAIL(&s->slots[c->slot % SLOTS], c, of_slot);
        c->parked = c->in_slot = true;
        s->figures.n_parked++;
}

/* The value of a header, in @value; NULL when there is none. */
static const char *header(const char *head, const char *name, char *value, size_t n)
{
        const char *line = strcasestr(head, name);

        if (!line)
                return NULL;
        line += strlen(name);
        line += strspn(line, " ");
        (void)snprintf(value, n, "%.*s", (int)strcspn(line, "\r"), line);
        return value;
}

static void ask_state(struct fleet_server *s, struct fleet_client *c, const char *head)
{
        char known[256], prefer[128];
        bool v1 = c->node->mode == FLEET_V1, changed;
        uint64_t seq;

        changed = v1 ||
                  etag_known(header(head, "\r\nIf-None-Match:", known, sizeof(known)),
                             c->node->instance, &seq) != ETAG_KNOWN ||
                  seq != c->node->seq;
        c->wait = v1 ? 0 : prefer_wait(header(head, "\r\nPrefer:", prefer, sizeof(prefer)));
        if (!changed && c->wait &&
            (c->node->mode == FLEET_OK || c->node->mode == FLEET_STALE ||
             c->node->mode == FLEET_IMPOSTOR || c->node->mode == FLEET_HALF))
                park(s, c);
        else
                answer_now(s, c, changed);
}

static void ask_component(struct fleet_server *s, struct fleet_client *c, const char *name)
{
        _cleanup_(blob_unrefp) struct blob *b =
                fleet_node_component(c->node, name, strcspn(name, "? "));

        s->figures.n_component++;
        if (b)
                answer_text(s, c, "200 OK", "application/json", blob_data(b));
        else
                answer_text(s, c, "404 Not Found", "application/json", "{}\n");
}

static const char *after(const char *s, const char *prefix)
{
        return strncmp(s, prefix, strlen(prefix)) == 0 ? s + strlen(prefix) : NULL;
}

static void on_request(struct fleet_server *s, struct fleet_client *c, const char *head)
{
        const char *path = after(head, "GET /system/health/"), *rest;

        s->figures.n_requests++;
        if (path && *path == 'v' && (rest = after(path, "v1")) && (*rest == ' ' || *rest == '?')) {
                s->figures.n_v1++;
                c->form = FLEET_FORM_V1;
                ask_state(s, c, head);
                return;
        }
        rest = path && c->node->mode != FLEET_V1 ? after(path, "v2/node") : NULL;
        if (rest && strncmp(rest, "/components/", 12) == 0) {
                ask_component(s, c, rest + 12);
        } else if (rest && (*rest == ' ' || *rest == '?')) {
                c->form = strncmp(rest, "?fields=health", 14) ? FLEET_FORM_FULL : FLEET_FORM_HEALTH;
                if (c->form == FLEET_FORM_FULL)
                        s->figures.n_full++;
                else
                        s->figures.n_health++;
                ask_state(s, c, head);
        } else {
                answer_text(s, c, "404 Not Found", "text/plain; charset=utf-8",
                            "404 page not found\n");
        }
}

static void take_requests(struct fleet_server *s, struct fleet_client *c)
{
        while (c->wire.fd >= 0 && !c->parked && !c->out.n) {
                char *end;
                size_t n;

                c->in[c->n_in] = '\0';
                end = strstr(c->in, "\r\n\r\n");
                if (!end)
                        return;
                n = (size_t)(end + 4 - c->in);
                end[2] = '\0';
                on_request(s, c, c->in);
                c->n_in -= n;
                memmove(c->in, c->in + n, c->n_in);
        }
}

static void on_readable(struct fleet_server *s, struct fleet_client *c)
{
        ssize_t k = -EAGAIN;

        while (c->n_in < HEAD_MAX) {
                k = wire_read(&c->wire, c->in + c->n_in, HEAD_MAX - c->n_in);
                if (k <= 0)
                        break;
                c->n_in += (size_t)k;
        }
        if (c->n_in == HEAD_MAX || (k <= 0 && k != -EAGAIN))
                client_close(s, c, false);
        else
                take_requests(s, c);
}

static void on_client(struct fleet_server *s, struct fleet_client *c, uint32_t events)
{
        if (c->wire.fd >= 0 && events & (EPOLLHUP | EPOLLERR))
                client_close(s, c, false);
        if (c->wire.fd >= 0 && events & EPOLLOUT) {
                flush(s, c);
                take_requests(s, c);
        }
        if (c->wire.fd >= 0 && events & EPOLLIN && c->node->mode != FLEET_FROZEN)
                on_readable(s, c);
}

/* --- what happens to a node ---------------------------------------------------------------------- */

static void wake(struct fleet_server *s, struct fleet_node *n, bool changed)
{
        struct fleet_client *c, *next;

        for (c = TAILQ_FIRST(&n->clients); c; c = next) {
                next = TAILQ_NEXT(c, of_node);
                if (!c->parked)
                        continue;
                unpark(s, c);
                answer_now(s, c, changed);
                take_requests(s, c);
        }
}

void fleet_server_changed(struct fleet_server *s, struct fleet_node *n)
{
        if (n->mode != FLEET_FROZEN)
                wake(s, n, true);
}

void fleet_server_set_mode(struct fleet_server *s, struct fleet_node *n, enum fleet_mode mode)
{
        bool thaws = n->mode == FLEET_FROZEN;
        struct fleet_client *c;

        n->mode = mode;
        for (size_t i = 0; i < FLEET_N_FORMS; i++)
                n->bodies[i] = blob_unref(n->bodies[i]);
        if (thaws || mode == FLEET_FROZEN)
                TAILQ_FOREACH (c, &n->clients, of_node)
                        watch(s, c, EPOLL_CTL_MOD);
        if (mode != FLEET_FROZEN)
                wake(s, n, !thaws);
}

void fleet_server_drop(struct fleet_server *s, struct fleet_node *n)
{
        while (!TAILQ_EMPTY(&n->clients))
                client_close(s, TAILQ_FIRST(&n->clients), true);
}

void fleet_server_mark(struct fleet_server *s)
{
        for (size_t i = 0; i < s->n_nodes; i++)
                s->nodes[i].served = false;
        s->figures.n_served = 0;
        s->figures.served_nsec = 0;
}

const struct fleet_figures *fleet_server_figures(const struct fleet_server *s)
{
        return &s->figures;
}

/* --- the loop ------------------------------------------------------------------------------------ */

static void end_wait(struct fleet_server *s, struct fleet_client *c)
{
        TAILQ_REMOVE(&s->slots[c->slot % SLOTS], c, of_slot);
        c->in_slot = false;
        if (c->node->mode == FLEET_FROZEN) /* stays parked: it will answer when it thaws */
                return;
        unpark(s, c);
        s->figures.n_waited_in_vain++;
        answer_now(s, c, false);
        take_requests(s, c);
}

static void turn_wheel(struct fleet_server *s)
{
        uint64_t now = now_nsec() / NSEC_PER_SLOT;

        for (; s->now_slot < now; s->now_slot++) {
                struct fleet_clients *slot = &s->slots[s->now_slot % SLOTS];

                while (!TAILQ_EMPTY(slot))
                        end_wait(s, TAILQ_FIRST(slot));
        }
}

static void free_closed(struct fleet_server *s)
{
        struct fleet_client *c;

        while ((c = TAILQ_FIRST(&s->closed))) {
                TAILQ_REMOVE(&s->closed, c, of_node);
                buf_done(&c->out);
                free(c);
        }
}

int fleet_server_turn(struct fleet_server *s)
{
        struct epoll_event events[EVENTS];
        int n = epoll_wait(s->epoll, events, EVENTS, TURN_MSEC);

        if (n < 0 && errno != EINTR)
                return -errno;
        for (int i = 0; i < n; i++)
                if (events[i].data.ptr == s)
                        on_listener(s);
                else if (events[i].data.ptr == &s->watcher)
                        s->watcher(s->watcher_userdata);
                else
                        on_client(s, events[i].data.ptr, events[i].events);
        turn_wheel(s);
        free_closed(s);
        return 0;
}

int fleet_server_watch(struct fleet_server *s, int fd, void (*fn)(void *userdata), void *userdata)
{
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &s->watcher};

        s->watcher = fn;
        s->watcher_userdata = userdata;
        return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int open_listener(struct fleet_server *s, uint16_t port)
{
        static const int on = 1;
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

        s->epoll = epoll_create1(EPOLL_CLOEXEC);
        s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->epoll < 0 || s->listener < 0)
                return -errno;
        (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(s->listener, (struct sockaddr *)&in, sizeof(in)) < 0 ||
            listen(s->listener, BACKLOG) < 0 ||
            epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e) < 0)
                return -errno;
        return 0;
}

int fleet_server_new(struct fleet_server **ret, struct fleet_node *nodes, size_t n_nodes,
                     uint16_t port, struct ssl_ctx_st *tls)
{
        _cleanup_(fleet_server_freep) struct fleet_server *s = calloc(1, sizeof(*s));
        int k;

        if (!s)
                return -ENOMEM;
        s->epoll = s->listener = -1;
        s->nodes = nodes;
        s->n_nodes = n_nodes;
        s->tls = tls;
        s->now_slot = now_nsec() / NSEC_PER_SLOT;
        TAILQ_INIT(&s->closed);
        for (size_t i = 0; i < SLOTS; i++)
                TAILQ_INIT(&s->slots[i]);
        k = open_listener(s, port);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(s);
        return 0;
}

struct fleet_server *fleet_server_free(struct fleet_server *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n_nodes; i++)
                fleet_server_drop(s, &s->nodes[i]);
        free_closed(s);
        closep(&s->listener);
        closep(&s->epoll);
        free(s);
        return NULL;
}
