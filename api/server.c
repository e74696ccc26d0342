/*
 * The door to libmicrohttpd (0.9.75). One of its daemons and threads per listening socket. A request
 * comes in by four callbacks: its target, before the library has touched it; its head, which is judged
 * here and only here; its body, which nobody wants yet; and once more when it is whole, which is when it
 * is answered. (What is answered any earlier costs the connection: right for a head that cannot be
 * believed, wrong for everything else.)
 *
 * A handler that wants to wait has its connection suspended, and the last callback comes again when
 * parked.c says so. libmicrohttpd aborts the process when it is stopped with a suspended connection,
 * hence the two counters.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <microhttpd.h>

#include "api/cond.h"
#include "api/connections.h"
#include "api/head.h"
#include "api/listener.h"
#include "api/server.h"
#include "base/log.h"

#define STOP_ANSWER_USEC (USEC_PER_SEC / 2) /* for requests that are being answered */
#define STOP_CLOSE_USEC  (USEC_PER_SEC / 2) /* for connections to notice their end */

/* Up to here a body without a length is taken in, so that its sender reads our 413; then we hang up. */
#define BODY_BYTES_DRAINED_MAX 1048576u

/* One listening socket. */
struct endpoint {
        struct server *server;
        struct listener listener;
        struct MHD_Daemon *daemon;
};

struct server {
        struct server_options options;
        struct connections *connections;
        struct endpoint endpoints[SERVER_LISTENERS_MAX];
        size_t n_endpoints;

        pthread_mutex_t lock; /* all below */
        pthread_cond_t quieter;
        unsigned n_busy;      /* requests from their head to the end of their answer */
        unsigned n_suspended; /* of these, those that libmicrohttpd must not be stopped with */
        struct log_ratelimit refusals, complaints;
};

enum exchange {
        EXCHANGE_NONE,     /* between requests */
        EXCHANGE_TARGET,   /* the request line has been read */
        EXCHANGE_BODY,     /* the head was believed */
        EXCHANGE_HANDLING, /* a handler has been found, and may have run */
};

/* One connection, and the request that it is busy with: there is never more than one. */
struct client {
        struct connection connection;
        struct endpoint *endpoint;
        struct MHD_Connection *mhd;
        bool may_ask;

        enum exchange exchange;
        bool busy, target_too_long;
        char target[ROUTE_PATH_MAX]; /* as it was sent */
        struct head head;
        size_t n_body_bytes;
        struct route_match match;
        struct request request;
        struct reply reply;
        struct parked_entry parked;
};

static void server_count(struct server *s, unsigned *counter, int change)
{
        pthread_mutex_lock(&s->lock);
        *counter += (unsigned)change;
        if (*counter == 0)
                pthread_cond_broadcast(&s->quieter);
        pthread_mutex_unlock(&s->lock);
}

static bool server_ratelimit(struct server *s, struct log_ratelimit *limit,
                             unsigned *ret_n_held_back)
{
        bool pass;

        pthread_mutex_lock(&s->lock);
        pass = log_ratelimit_pass(limit, ret_n_held_back);
        pthread_mutex_unlock(&s->lock);
        return pass;
}

/* Sending. */

static void release_body(void *blob)
{
        blob_unref(blob);
}

/* The body is the blob's bytes, without a copy; the response holds the reference now. */
static struct MHD_Response *response_with_body(struct reply *r)
{
        static char nothing[1];
        struct MHD_Response *response;

        if (!r->body)
                return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
        response = MHD_create_response_from_buffer_with_free_callback_cls(
                blob_size(r->body), (void *)blob_data(r->body), release_body, r->body);
        if (response)
                r->body = NULL;
        return response;
}

/* A field without a value, or one that is out of memory, is left out: the answer is right without. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
        if (!str_empty(value))
                (void)MHD_add_response_header(response, name, value);
}

static struct MHD_Response *response_new(struct reply *r, const char *product)
{
        struct MHD_Response *response = response_with_body(r);

        if (!response)
                return NULL;
        add_header(response, "Server", product);
        add_header(response, "Content-Type", r->content_type);
        add_header(response, "Location", r->location);
        for (size_t i = 0; i < r->n_headers; i++)
                add_header(response, r->headers[i].name, r->headers[i].value);
        return response;
}

/* MHD_NO, here and below: libmicrohttpd hangs up. */
static enum MHD_Result client_send(struct client *c)
{
        struct server *s = c->endpoint->server;
        struct MHD_Response *response = response_new(&c->reply, s->options.product);
        enum MHD_Result r;

        if (!response)
                return MHD_NO;
        connection_next_phase(s->connections, &c->connection);
        r = MHD_queue_response(c->mhd, c->reply.status, response);
        MHD_destroy_response(response); /* that is, our reference */
        return r;
}

/* Handling. */

static void client_on_resume(struct parked_entry *e)
{
        struct client *c = CONTAINER_OF(e, struct client, parked);
        struct server *s = c->endpoint->server; /* @c may be gone when it has been resumed */

        MHD_resume_connection(c->mhd);
        server_count(s, &s->n_suspended, -1);
}

/*
 * Suspend first: the wake-up may come before parked_add() returns. When parking is refused the handler
 * runs again at once; it may try again if something has changed, else (too many wait, or we are
 * stopping) it is told to answer. Nothing of @c may be touched once it is parked.
 */
static enum MHD_Result client_park(struct client *c, uint64_t ticket)
{
        struct server *s = c->endpoint->server;
        struct parked *p = s->options.parked;

        c->parked.resume = client_on_resume;
        c->request.may_park = true;
        connection_pause(&c->connection);
        server_count(s, &s->n_suspended, 1);
        MHD_suspend_connection(c->mhd);
        if (parked_add(p, &c->parked, ticket, c->reply.park_until_mono_usec))
                return MHD_YES;
        c->request.may_park = parked_ticket(p) != ticket;
        client_on_resume(&c->parked);
        return MHD_YES;
}

static enum MHD_Result client_handle(struct client *c)
{
        struct parked *p = c->endpoint->server->options.parked;
        uint64_t ticket = parked_ticket(p);
        int r;

        if (parked_is_closed(p))
                c->request.may_park = false;
        reply_done(&c->reply);
        r = c->match.route->handle(&c->request, &c->reply);
        if (r >= 0 && c->reply.park_until_mono_usec > 0 && c->request.may_park)
                return client_park(c, ticket);
        if (r < 0 || c->reply.status == 0) {
                /* Out of memory; or a handler that parks when it must not, which is a bug of ours. */
                reply_done(&c->reply);
                reply_empty(&c->reply, 500);
        }
        return client_send(c);
}

static void client_make_request(struct client *c, const char *method)
{
        const struct route_match *m = &c->match;
        struct request *q = &c->request;

        *q = (struct request){
                .method = streq(method, "HEAD") ? "GET" : method,
                .path = m->path,
                .query = m->query,
                .n_args = m->n_args,
                .if_none_match = head_value(&c->head.if_none_match),
                .prefer = head_value(&c->head.prefer),
                .received_mono_usec = now_mono_usec(),
                .may_park = true,
                .host = c->endpoint->server->options.host,
        };
        for (size_t i = 0; i < m->n_args; i++) {
                q->args[i].name = m->args[i].name;
                q->args[i].value = m->args[i].value;
        }
}

static const char *peer_format(char buf[static SOCK_ADDRESS_MAX], const struct client *c)
{
        struct sock_address peer = {.n = sizeof(peer.storage)};

        if (getpeername(c->connection.fd, &peer.sa, &peer.n) < 0)
                return "somebody who has gone";
        return sock_address_format(buf, &peer);
}

/* An error in the words of the API that was asked: a line of text, or API v2's object. */
static int client_error(struct client *c, unsigned status, const char *reason, const char *text)
{
        if (!c->target_too_long &&
            route_has_json_errors(c->endpoint->server->options.router, c->target))
                return reply_error(&c->reply, status, reason, "%s", text);
        return reply_text(&c->reply, status, "%s", text);
}

static int client_refuse(struct client *c)
{
        struct server *s = c->endpoint->server;
        char text[SOCK_ADDRESS_MAX];
        unsigned n_held_back;

        if (server_ratelimit(s, &s->refusals, &n_held_back))
                log_warning("refused a request of %s, whose address is not in AllowFrom= "
                            "(%u more since the last such message)",
                            peer_format(text, c), n_held_back);
        return client_error(c, 403, "not-allowed",
                            "this address may not ask here: see AllowFrom= of the daemon");
}

static int client_method_not_allowed(struct client *c)
{
        reply_header(&c->reply, "Allow", "%s", c->match.allow);
        return reply_empty(&c->reply, 405);
}

/* A bare slash at the end gets a line for people, as from the service that we replace; GET only. */
static int client_moved(struct client *c, const char *method)
{
        bool page = c->match.route && streq(c->match.route->method, "GET") &&
                    (streq(method, "GET") || streq(method, "HEAD"));

        return reply_moved(&c->reply, c->match.location, page);
}

/* The connection ends with this answer. */
static int client_too_large(struct client *c)
{
        reply_header(&c->reply, "Connection", "close");
        return client_error(c, 413, "body-too-large", "request body too large");
}

/* Return: as reply_*(), with nothing in the reply when a handler is to make it. */
static int client_dispatch(struct client *c, const char *method)
{
        if (c->n_body_bytes > SERVER_BODY_BYTES_MAX)
                return client_too_large(c);
        if (!c->may_ask)
                return client_refuse(c);
        if (c->target_too_long)
                return client_error(c, 414, "target-too-long", "request target too long");

        switch (route_resolve(c->endpoint->server->options.router, method, c->target, &c->match)) {
        case ROUTE_FOUND:
                client_make_request(c, method);
                c->exchange = EXCHANGE_HANDLING;
                return 0;
        case ROUTE_MOVED:
                return client_moved(c, method);
        case ROUTE_NOT_METHOD:
                return client_method_not_allowed(c);
        case ROUTE_BAD:
                return client_error(c, 400, "bad-target", "malformed request target");
        case ROUTE_NOT_FOUND:
        default:
                return client_error(c, 404, "no-such-page", "404 page not found");
        }
}

static enum MHD_Result client_on_whole(struct client *c, const char *method)
{
        if (c->exchange == EXCHANGE_HANDLING)
                return client_handle(c);
        if (client_dispatch(c, method) < 0) {
                reply_done(&c->reply);
                reply_empty(&c->reply, 500);
        }
        return c->exchange == EXCHANGE_HANDLING ? client_handle(c) : client_send(c);
}

/* Receiving. */

static enum MHD_Result on_field(void *userdata, enum MHD_ValueKind kind, const char *name,
                                size_t n_name, const char *value, size_t n_value)
{
        (void)kind;
        head_add(userdata, name, n_name, value ? value : "", value ? n_value : 0);
        return MHD_YES;
}

/* An answer at this point makes libmicrohttpd close the connection behind it. */
static enum MHD_Result client_on_head(struct client *c, const char *version)
{
        const struct head_fault *fault;

        c->busy = true;
        server_count(c->endpoint->server, &c->endpoint->server->n_busy, 1);
        head_init(&c->head, version);
        MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, on_field, &c->head);
        fault = head_judge(&c->head);
        c->exchange = EXCHANGE_BODY;
        if (!fault)
                return MHD_YES;
        if (reply_text(&c->reply, fault->status, "%s", fault->text) < 0)
                return MHD_NO;
        return client_send(c);
}

static enum MHD_Result client_on_body(struct client *c, size_t *n_bytes)
{
        c->n_body_bytes += *n_bytes;
        *n_bytes = 0;
        return c->n_body_bytes <= BODY_BYTES_DRAINED_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *n_body, void **exchange)
{
        struct client *c = *exchange;

        (void)userdata;
        (void)mhd;
        (void)url; /* decoded, and cut at %00: we have the target */
        (void)body;
        if (!c)
                return MHD_NO;
        if (c->exchange == EXCHANGE_TARGET)
                return client_on_head(c, version);
        if (*n_body > 0)
                return client_on_body(c, n_body);
        return client_on_whole(c, method);
}

static struct client *client_of(struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return info ? info->socket_context : NULL;
}

/*
 * The library would now split the query into arguments, which nobody here asks it for, and which has
 * no room for more than some two hundred of them: it then forgets its own 431 and lets the connection
 * hang. So it gets an empty query. (@target is its read buffer, which it is about to write to itself.)
 */
static void forget_query(const char *target)
{
        char *query = strchr((char *)target, '?');

        if (query && query[1])
                query[1] = '\0';
}

/* Before the library decodes and cuts it. What is returned is the exchange of on_request(). */
static void *on_target(void *userdata, const char *target, struct MHD_Connection *mhd)
{
        struct client *c = client_of(mhd);
        size_t n = target ? strlen(target) : 0;

        (void)userdata;
        if (!c)
                return NULL;
        c->exchange = EXCHANGE_TARGET;
        c->n_body_bytes = 0;
        c->target_too_long = n >= sizeof(c->target);
        if (!c->target_too_long)
                memcpy(c->target, n > 0 ? target : "", n + 1);
        if (target)
                forget_query(target);
        return c;
}

/* The answer has been sent, or never will be. */
static void client_end_exchange(struct client *c)
{
        struct server *s = c->endpoint->server;

        reply_done(&c->reply);
        c->exchange = EXCHANGE_NONE;
        connection_next_phase(s->connections, &c->connection);
        if (!c->busy)
                return;
        c->busy = false;
        server_count(s, &s->n_busy, -1);
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **exchange,
                         enum MHD_RequestTerminationCode why)
{
        (void)userdata;
        (void)mhd;
        (void)why;
        if (*exchange)
                client_end_exchange(*exchange);
        *exchange = NULL;
}

/* Connections. */

static struct client *client_new(struct endpoint *endpoint, struct MHD_Connection *mhd)
{
        struct server *s = endpoint->server;
        struct client *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->endpoint = endpoint;
        c->mhd = mhd;
        c->may_ask = authority_may_ask(
                s->options.authority,
                MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        connections_add(
                s->connections, &c->connection,
                MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        return c;
}

/* A connection can be given up without on_completed(): when epoll does not take it (0.9.75). */
static void client_free(struct client *c)
{
        client_end_exchange(c);
        connections_remove(c->endpoint->server->connections, &c->connection);
        free(c);
}

/* The end comes before the descriptor is closed, which is what connections.h asks for. */
static void on_connection(void *userdata, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                *socket_context = client_new(userdata, mhd);
        } else if (*socket_context) {
                client_free(*socket_context);
                *socket_context = NULL;
        }
}

/* One line for each broken client, in bursts of thousands. */
static _printf_(2, 0) void on_complaint(void *userdata, const char *fmt, va_list ap)
{
        struct server *s = userdata;
        unsigned n_held_back;
        char text[256];

        if (!server_ratelimit(s, &s->complaints, &n_held_back))
                return;
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        text[strcspn(text, "\n")] = '\0';
        log_debug("libmicrohttpd: %s (%u more since the last such message)", text, n_held_back);
}

static void on_panic(void *userdata, const char *file, unsigned line, const char *reason)
{
        (void)userdata;
        log_error("libmicrohttpd gives up at %s:%u: %s", file, line, reason ? reason : "no reason");
        abort();
}

/* Life. */

int server_new(struct server **ret, const struct server_options *options, struct err *e)
{
        struct server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        s->options = *options;
        r = connections_new(&s->connections, SERVER_IDLE_SECONDS * USEC_PER_SEC);
        if (r < 0) {
                free(s);
                return err_set(e, r, "cannot start a thread: %s", strerror(-r));
        }
        pthread_mutex_init(&s->lock, NULL);
        cond_init_mono(&s->quieter);
        MHD_set_panic_func(on_panic, NULL);
        *ret = s;
        return 0;
}

/* Left alone on purpose: post processor, digest authentication, cookies, upgrade. */
static struct MHD_Daemon *start_daemon(struct endpoint *p)
{
        bool tcp = p->listener.address.sa.sa_family != AF_UNIX;
        const struct MHD_OptionItem options[] = {
                {MHD_OPTION_EXTERNAL_LOGGER,         (intptr_t)on_complaint,                p->server}, /* must be first */
                {MHD_OPTION_LISTEN_SOCKET,           p->listener.fd,                        NULL     },
                {MHD_OPTION_URI_LOG_CALLBACK,        (intptr_t)on_target,                   NULL     },
                {MHD_OPTION_NOTIFY_COMPLETED,        (intptr_t)on_completed,                NULL     },
                {MHD_OPTION_NOTIFY_CONNECTION,       (intptr_t)on_connection,               p        },
                {MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_CONNECTION_BYTES,               NULL     },
                {MHD_OPTION_CONNECTION_LIMIT,        SERVER_CONNECTIONS_MAX,                NULL     },
                {MHD_OPTION_PER_IP_CONNECTION_LIMIT, tcp ? SERVER_CONNECTIONS_PEER_MAX : 0, NULL     },
                {MHD_OPTION_CONNECTION_TIMEOUT,      SERVER_IDLE_SECONDS,                   NULL     },
                {MHD_OPTION_END,                     0,                                     NULL     },
        };

        return MHD_start_daemon(
                MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                NULL, NULL, on_request, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

int server_listen(struct server *s, const struct sock_address *address, struct err *e)
{
        struct endpoint *p = &s->endpoints[s->n_endpoints];
        char text[SOCK_ADDRESS_MAX];
        int r;

        if (s->n_endpoints == SERVER_LISTENERS_MAX)
                return err_set(e, -E2BIG, "more than %u addresses to listen on",
                               SERVER_LISTENERS_MAX);
        p->server = s;
        r = listener_open(&p->listener, address, e);
        if (r < 0)
                return r;
        /* Having failed, it may or may not have closed the descriptor: we cannot. */
        p->daemon = start_daemon(p);
        if (!p->daemon) {
                listener_remove_path(&p->listener);
                return err_set(e, -EIO, "cannot serve %s: libmicrohttpd does not start",
                               sock_address_format(text, address));
        }
        s->n_endpoints++;
        return 0;
}

/* Everybody who is suspended is resumed for certain; an answer may be stuck with a slow client. */
static void server_wait_answered(struct server *s)
{
        uint64_t until = usec_add(now_mono_usec(), STOP_ANSWER_USEC);

        pthread_mutex_lock(&s->lock);
        while (s->n_suspended > 0 || (s->n_busy > 0 && now_mono_usec() < until))
                cond_wait_until(&s->quieter, &s->lock, s->n_suspended > 0 ? USEC_INFINITY : until);
        pthread_mutex_unlock(&s->lock);
}

/*
 * MHD_quiesce_daemon() is not used: in 0.9.75 it races with the daemon's thread for removing the
 * listening socket from epoll, and the loser panics. Instead, connections that still come in are shut
 * down as soon as they are known. They are all ended before MHD_stop_daemon(), because a malformed
 * request that is being refused at that moment makes the library follow a NULL pointer.
 */
struct server *server_free(struct server *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n_endpoints; i++)
                listener_remove_path(&s->endpoints[i].listener);
        parked_close(s->options.parked);
        server_wait_answered(s);
        connections_shutdown(s->connections);
        (void)connections_wait_none(s->connections, usec_add(now_mono_usec(), STOP_CLOSE_USEC));
        for (size_t i = 0; i < s->n_endpoints; i++)
                MHD_stop_daemon(s->endpoints[i].daemon); /* closes the listening socket */
        connections_free(s->connections);
        pthread_cond_destroy(&s->quieter);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
}
