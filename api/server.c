/*
 * The door to libmicrohttpd (0.9.75). One of its daemons and threads per listening socket, which gets its
 * connections from acceptor.c. A request comes in by four callbacks: its target, before the library has
 * touched it; its head, which is judged, routed and admitted here and only here; its body, which is kept
 * for those who may send one; and once more when it is whole, which is when it is answered. (What is
 * answered any earlier costs the connection: right for a head that cannot be believed, wrong for
 * everything else.)
 *
 * A handler that wants to wait has its connection suspended, and the last callback comes again when
 * parked.c says so; so is one whose answer comes from a pipe that is dry, until stream.c says so. libmicrohttpd
 * aborts the process when it is stopped with a suspended connection, hence the two counters.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include <microhttpd.h>

#include "api/acceptor.h"
#include "api/cond.h"
#include "api/connections.h"
#include "api/encoding.h"
#include "api/errand.h"
#include "api/gate.h"
#include "api/head.h"
#include "api/listener.h"
#include "api/server.h"
#include "base/log.h"

#define STOP_ANSWER_USEC (USEC_PER_SEC / 2)   /* for requests that are being answered */
#define STOP_LOOK_USEC   (10 * USEC_PER_MSEC) /* whether a request has come that nobody has read */
#define STOP_NEW_USEC \
        (USEC_PER_SEC / 2) /* who came no longer ago, and has not asked, is about to */
#define STOP_CLOSE_USEC (USEC_PER_SEC / 2) /* for connections to notice their end */

#define BUSY_RETRY_SECONDS 1u

/* Up to here a body without a length is taken in, so that its sender reads our 413; then we hang up. */
#define BODY_BYTES_DRAINED_MAX 1048576u

/* One listening socket. */
struct endpoint {
        struct server *server;
        struct listener listener;
        struct MHD_Daemon *daemon, *tls_daemon; /* tls_daemon: NULL where TLS is not spoken */
        _Atomic unsigned n_open;
        _Atomic unsigned n_ordinary; /* of these, all who may not have the reserve */
        _Atomic unsigned n_loopback; /* of these, those from a loopback address */
        _Atomic uint64_t n_total;
};

LIST_HEAD(client_list, client);

struct server {
        struct server_options options;
        struct gate *gate;
        struct connections *connections;
        struct streams *streams;
        struct acceptor *acceptor;
        const struct tls_files *tls_files; /* borrowed while listeners are opened */
        bool speaks_tls;
        struct endpoint endpoints[SERVER_LISTENERS_MAX];
        size_t n_endpoints; /* under the lock, but for the thread that adds them */
        unsigned n_places;  /* connections that the process can have */
        bool said_few_places;
        _Atomic unsigned n_places_each; /* of each listener */
        _Atomic bool stopping;
        _Atomic uint64_t
                n_held_bytes; /* of answers that were made for one, and are not taken yet */
        struct server_counters counters;
        struct request_times times;

        pthread_mutex_t lock; /* all below */
        pthread_cond_t quieter;
        unsigned n_busy;      /* requests from their head to the end of their answer */
        unsigned n_suspended; /* of these, those that libmicrohttpd must not be stopped with */
        struct client_list
                on_the_way; /* given to libmicrohttpd, which has not begun with them yet */
        struct log_ratelimit refusals[SERVER_REFUSALS], complaints;
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
        struct authority_caller caller;
        struct tls_peer *tls_peer; /* that of the caller, once it has been looked at */
        LIST_ENTRY(client) link;   /* owner: struct server, on_the_way */
        int fd;                    /* libmicrohttpd's */
        bool ordinary, loopback;   /* how it is counted for its listener */

        enum exchange exchange;
        bool busy, target_too_long;
        bool wants_no_body;          /* HEAD */
        bool admitted;               /* there is a handler, and the caller may use it */
        char target[ROUTE_PATH_MAX]; /* as it was sent */
        struct head_line line;       /* libmicrohttpd's, while it reads the head */
        struct head head;
        size_t n_body_bytes;
        struct buf body; /* of who is admitted and asks for a change */
        struct route_match match;
        struct request request;
        struct errand *errand;
        struct reply reply;
        uint64_t n_answer_bytes;
        uint64_t n_streamed_bytes; /* of an answer whose length nobody knew */
        uint64_t n_held_bytes;     /* of the answer: see struct server */
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

/* A body of two parts. */
struct parts {
        struct blob *head, *tail;
};

static void release_parts(void *parts)
{
        struct parts *p = parts;

        blob_unref(p->head);
        blob_unref(p->tail);
        free(p);
}

static struct MHD_Response *response_with_parts(struct reply *r)
{
        const struct MHD_IoVec iov[] = {
                {blob_data(r->body), blob_size(r->body)},
                {blob_data(r->tail), blob_size(r->tail)},
        };
        struct parts *parts = malloc(sizeof(*parts));
        struct MHD_Response *response;

        if (!parts)
                return NULL;
        response = MHD_create_response_from_iovec(iov, ELEMENTSOF(iov), release_parts, parts);
        if (!response) {
                free(parts);
                return NULL;
        }
        *parts = (struct parts){TAKE_PTR(r->body), TAKE_PTR(r->tail)};
        return response;
}

/* A body that comes while it is sent. */

static void stream_on_resume(void *userdata)
{
        struct client *c = userdata;
        struct server *s = c->endpoint->server; /* @c may be gone when it has been resumed */

        connections_unwatch(s->connections, &c->connection);
        connection_enter(s->connections, &c->connection, CONNECTION_FLOWING);
        MHD_resume_connection(c->mhd);
        server_count(s, &s->n_suspended, -1);
}

/* Suspend first, as client_park() does it. When it must not wait it is resumed, and read again, at once. */
static void client_wait_for_stream(struct client *c)
{
        struct server *s = c->endpoint->server;

        connection_enter(s->connections, &c->connection, CONNECTION_PAUSED);
        server_count(s, &s->n_suspended, 1);
        connections_watch(s->connections, &c->connection);
        MHD_suspend_connection(c->mhd);
        if (!streams_wait(s->streams, c->reply.stream, stream_on_resume, c))
                stream_on_resume(c);
}

static ssize_t read_stream(void *client, _unused_ uint64_t offset, char *block, size_t n)
{
        struct client *c = client;
        size_t n_read;

        if (atomic_load(&c->endpoint->server->stopping))
                return MHD_CONTENT_READER_END_WITH_ERROR;
        switch (stream_read(c->reply.stream, block, n, &n_read)) {
        case STREAM_BYTES:
                c->n_streamed_bytes += n_read;
                return (ssize_t)n_read;
        case STREAM_DRY:
                client_wait_for_stream(c);
                return 0;
        case STREAM_ENDED:
                return MHD_CONTENT_READER_END_OF_STREAM;
        default:
                return MHD_CONTENT_READER_END_WITH_ERROR;
        }
}

/* Somebody who reads a rope. */
struct rope_reader {
        struct rope *rope;
        struct rope_cursor cursor;
};

/* The library asks for one block after the other, and never for one again. */
static ssize_t read_rope(void *reader, uint64_t offset, char *block, size_t n)
{
        struct rope_reader *r = reader;
        size_t n_read = rope_read(r->rope, &r->cursor, block, n);

        (void)offset;
        return n_read > 0 ? (ssize_t)n_read : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void release_rope(void *reader)
{
        struct rope_reader *r = reader;

        rope_unref(r->rope);
        free(r);
}

/*
 * In blocks, and not as one vector: the library (0.9.75) copies a vector into the memory of its connection,
 * hangs up when it does not fit there, and over TLS makes a record of each of its elements.
 */
static struct MHD_Response *response_with_rope(struct reply *r)
{
        struct rope_reader *reader = calloc(1, sizeof(*reader));
        struct MHD_Response *response;

        if (!reader)
                return NULL;
        response = MHD_create_response_from_callback(rope_size(r->rope), SERVER_ROPE_BLOCK_BYTES,
                                                     read_rope, reader, release_rope);
        if (!response) {
                free(reader);
                return NULL;
        }
        reader->rope = TAKE_PTR(r->rope);
        return response;
}

/* By sendfile(2), but over TLS. An empty one has no bytes that could be asked for. */
static struct MHD_Response *response_with_file(struct reply *r)
{
        struct MHD_Response *response;

        response =
                MHD_create_response_from_fd_at_offset64(r->file.n_bytes, r->file.fd, r->file.from);
        r->file.is_body = !response; /* the descriptor is the response's now */
        return response;
}

/* The stream stays the reply's: it is closed when the exchange ends, which is before the response is gone. */
static struct MHD_Response *response_with_stream(struct client *c)
{
        uint64_t n = stream_size(c->reply.stream);

        return MHD_create_response_from_callback(n == STREAM_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : n,
                                                 SERVER_STREAM_BLOCK_BYTES, read_stream, c, NULL);
}

/* The library (0.9.75) ends even the chunks that it did not send, because HEAD wants none. */
static bool client_wants_no_chunk(const struct client *c)
{
        return c->wants_no_body && stream_size(c->reply.stream) == STREAM_LENGTH_UNKNOWN;
}

/* The body is the blobs' bytes, without a copy; the response holds the references now. */
static struct MHD_Response *response_with_body(struct client *c)
{
        static char nothing[1];
        struct reply *r = &c->reply;
        struct MHD_Response *response;

        if (r->stream && !client_wants_no_chunk(c))
                return response_with_stream(c);
        if (r->file.is_body && r->file.n_bytes > 0)
                return response_with_file(r);
        if (r->rope)
                return response_with_rope(r);
        if (r->tail)
                return response_with_parts(r);
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

static struct MHD_Response *response_new(struct client *c, const char *product)
{
        struct MHD_Response *response = response_with_body(c);
        const struct reply *r = &c->reply;

        if (!response)
                return NULL;
        add_header(response, "Server", product);
        add_header(response, "Content-Type", r->content_type);
        add_header(response, "Location", r->location);
        for (size_t i = 0; i < r->n_headers; i++)
                add_header(response, r->headers[i].name, r->headers[i].value);
        return response;
}

/* An error in the words of the API that was asked: a line of text, or API v2's object. */
static int client_error(struct client *c, unsigned status, const char *reason, const char *text)
{
        if (!c->target_too_long &&
            route_has_json_errors(c->endpoint->server->options.router, c->target))
                return reply_error(&c->reply, status, reason, "%s", text);
        return reply_text(&c->reply, status, "%s", text);
}

/* Until client_end_exchange(). */
static bool client_hold_bytes(struct client *c, uint64_t n)
{
        struct server *s = c->endpoint->server;
        uint64_t n_before = atomic_fetch_add(&s->n_held_bytes, n);

        if (n > SERVER_ANSWER_SMALL_BYTES && n_before + n > s->options.limits.answer_bytes) {
                atomic_fetch_sub(&s->n_held_bytes, n);
                return false;
        }
        c->n_held_bytes = n;
        return true;
}

static void client_hold_answer(struct client *c)
{
        uint64_t n_block = 0;

        if (c->reply.rope)
                n_block = SERVER_ROPE_BLOCK_BYTES;
        else if (c->reply.stream)
                n_block = SERVER_STREAM_BLOCK_BYTES;
        if (client_hold_bytes(c, reply_own_size(&c->reply) + n_block))
                return;
        server_count_refusal(&c->endpoint->server->counters, SERVER_REFUSAL_BUSY);
        reply_done(&c->reply);
        reply_header(&c->reply, "Retry-After", "%u", BUSY_RETRY_SECONDS);
        if (client_error(c, 503, "too-many-answers",
                         "too many answers wait for somebody to take them") < 0)
                reply_empty(&c->reply, 500);
}

/* What may be long takes as long as it takes, if only it goes on. */
static enum connection_phase client_answer_phase(const struct client *c)
{
        if (c->reply.stream || c->reply.file.is_body)
                return CONNECTION_FLOWING;
        return CONNECTION_REQUEST;
}

/* MHD_NO, here and below: libmicrohttpd hangs up. */
static enum MHD_Result client_send(struct client *c)
{
        struct server *s = c->endpoint->server;
        enum connection_phase phase;
        struct MHD_Response *response;
        uint64_t n_bytes;
        enum MHD_Result r;

        reply_encode(&c->reply, head_value(&c->head.accept_encoding));
        client_hold_answer(c);
        n_bytes = reply_size(&c->reply);
        phase = client_answer_phase(c);
        server_count_answer(&s->counters, c->reply.status);
        response = response_new(c, s->options.product);
        if (!response)
                return MHD_NO;
        /* The next request is for the next server, or there will be none, or nobody knows where it begins. */
        if (atomic_load(&s->stopping) || parked_has_hung_up(s->options.parked, &c->parked) ||
            c->head.n_transfer_encoding > 0)
                add_header(response, "Connection", "close");
        connection_enter(s->connections, &c->connection, phase);
        c->n_answer_bytes = c->wants_no_body ? 0 : n_bytes;
        r = MHD_queue_response(c->mhd, c->reply.status, response);
        MHD_destroy_response(response); /* that is, our reference */
        return r;
}

/* Handling. */

static void client_on_resume(struct parked_entry *e)
{
        struct client *c = CONTAINER_OF(e, struct client, parked);
        struct server *s = c->endpoint->server; /* @c may be gone when it has been resumed */

        connections_unwatch(s->connections, &c->connection);
        MHD_resume_connection(c->mhd);
        server_count(s, &s->n_suspended, -1);
}

/* On connections.c's thread. */
static void client_on_hung_up(struct connection *connection)
{
        struct client *c = CONTAINER_OF(connection, struct client, connection);

        struct server *s = c->endpoint->server;

        if (c->reply.stream) /* it waits for bytes, and not in parked.c */
                streams_hang_up(s->streams, c->reply.stream);
        else
                parked_hang_up(s->options.parked, &c->parked);
}

static enum parked_share share_of(const struct authority_verdict *v)
{
        if (v->class >= AUTHORITY_OPERATE)
                return PARKED_PRIVILEGED;
        return v->many ? PARKED_MANY : PARKED_ORDINARY;
}

/* Of the change that it asked for, however that ends, and whatever happens to it meanwhile. */
static bool client_must_be_told(const struct client *c)
{
        return c->errand && !errand_only_reads(c->errand);
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
        c->parked.peer = c->connection.peer;
        c->parked.share = share_of(&c->request.caller);
        c->parked.key = c->reply.park_key;
        c->request.may_park = true;
        connection_enter(s->connections, &c->connection, CONNECTION_PAUSED);
        server_count(s, &s->n_suspended, 1);
        if (!client_must_be_told(c)) /* who must be takes nobody's place */
                connections_watch(s->connections, &c->connection);
        MHD_suspend_connection(c->mhd);
        if (parked_add(p, &c->parked, ticket, c->reply.park_until_mono_usec))
                return MHD_YES;
        c->request.may_park = parked_ticket(p) != ticket;
        client_on_resume(&c->parked);
        return MHD_YES;
}

static void client_log_refusal(struct client *c, const char *method, const struct gate_refusal *r,
                               const char *text)
{
        struct server *s = c->endpoint->server;
        const char *target = c->target_too_long ? "something long" : c->target;
        char name[AUTHORITY_NAME_MAX];
        char more[64] = "";
        unsigned n_held_back;

        if (!server_ratelimit(s, &s->refusals[r->why], &n_held_back))
                return;
        if (n_held_back)
                (void)snprintf(more, sizeof(more), " (%u more since the last such message)",
                               n_held_back);
        log_warning("refused %.16s %.200s of %s: %s%s", method, target,
                    authority_caller_name(name, &c->caller), text, more);
}

static int client_refuse(struct client *c, enum server_refusal why, const char *method,
                         enum authority_class needed)
{
        struct server *s = c->endpoint->server;
        const struct gate_refusal r = {
                .why = why,
                .caller = &c->caller,
                .head = &c->head,
                .has = gate_judge(s->gate, &c->caller).class,
                .needed = needed,
        };
        char text[GATE_TEXT_MAX];

        server_count_refusal(&s->counters, why);
        client_log_refusal(c, method, &r, gate_explain(text, &r));
        return client_error(c, why == SERVER_REFUSAL_WRONG_HOST ? 421 : 403,
                            server_refusal_to_string(why), text);
}

/* NULL: it speaks no TLS. */
static void *tls_session_of(struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        return info ? info->tls_session : NULL;
}

/* After the handshake. Out of memory, nobody has been looked at, and is nobody. */
static void client_take_certificate(struct client *c)
{
        void *session = tls_session_of(c->mhd);

        c->tls_peer = session ? malloc(sizeof(*c->tls_peer)) : NULL;
        if (!c->tls_peer)
                return;
        tls_peer_from_session(c->tls_peer, session);
        c->caller.certificate = c->tls_peer;
        if (gate_judge(c->endpoint->server->gate, &c->caller).many)
                connections_exempt(c->endpoint->server->connections, &c->connection);
}

/* Connections live long, and requests wait: it may have become too late for a certificate meanwhile. */
static void client_look_at_certificate(struct client *c)
{
        if (!c->caller.tls)
                return;
        if (!c->tls_peer)
                client_take_certificate(c);
        if (c->tls_peer)
                tls_peer_look_again(c->tls_peer, now_wall_usec());
}

/*
 * Is it still so that this one may do this? An answer is in the reply when not. Who was let in to change
 * something is told how that ended.
 */
static bool client_may(struct client *c, const char *method)
{
        enum authority_class needs = gate_needs(c->match.route->least);

        if (client_must_be_told(c))
                return true;
        client_look_at_certificate(c);
        c->request.caller = gate_judge(c->endpoint->server->gate, &c->caller);
        if (c->request.caller.class >= needs)
                return true;
        reply_done(&c->reply);
        if (client_refuse(c, SERVER_REFUSAL_NOT_ALLOWED, method, needs) < 0)
                reply_empty(&c->reply, 500);
        return false;
}

static enum MHD_Result client_handle(struct client *c, const char *method)
{
        struct parked *p = c->endpoint->server->options.parked;
        uint64_t ticket = parked_ticket(p);
        int r;

        if (!client_may(c, method))
                return client_send(c);
        if (parked_is_closed(p) || parked_has_hung_up(p, &c->parked))
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
        request_times_count(&c->endpoint->server->times, c->match.route, c->reply.status,
                            now_mono_usec() - c->request.received_mono_usec);
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
                .accept = head_value(&c->head.accept),
                .range = head_value(&c->head.range),
                .if_range = head_value(&c->head.if_range),
                .if_modified_since = head_value(&c->head.if_modified_since),
                .content_type = head_value(&c->head.content_type),
                .body = buf_cstr(&c->body),
                .n_body = c->body.n,
                .errand = &c->errand,
                .received_mono_usec = now_mono_usec(),
                .may_park = true,
                .host = c->endpoint->server->options.host,
        };
        authority_caller_name(q->caller_name, &c->caller);
        for (size_t i = 0; i < m->n_args; i++) {
                q->args[i].name = m->args[i].name;
                q->args[i].value = m->args[i].value;
        }
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
        server_count_refusal(&c->endpoint->server->counters, SERVER_REFUSAL_TOO_LARGE);
        return client_error(c, 413, "body-too-large", "request body too large");
}

/*
 * A page can make a browser send a form to us, but no JSON without asking first (fetch.spec.whatwg.org). Nor any PUT;
 * nevertheless a missing type is taken for JSON only where older clients leave it out.
 */
static bool client_body_will_do(const struct client *c, const char *method)
{
        if (c->match.route->untyped && streq(method, "PUT") && !head_value(&c->head.content_type))
                return true;
        return head_body_is_json(&c->head);
}

static int client_admit(struct client *c, const char *method)
{
        if (!client_may(c, method))
                return 0;
        if (gate_changes(method) && head_has_body(&c->head) && !client_body_will_do(c, method))
                return client_error(c, 415, "not-json",
                                    "the body must be of Content-Type application/json");
        c->admitted = true;
        return 0;
}

/*
 * What becomes of it, as far as its head tells. Return: as reply_*(); what is in the reply is sent when
 * the request is whole, and nothing is there of one that was admitted.
 */
static int client_route(struct client *c, const char *method)
{
        struct server *s = c->endpoint->server;
        enum server_refusal why = gate_refuses(s->gate, &c->caller, method, &c->head);

        if (why != SERVER_REFUSAL_NONE)
                return client_refuse(c, why, method, AUTHORITY_HEALTH);
        if (c->target_too_long)
                return client_error(c, 414, "target-too-long", "request target too long");

        switch (route_resolve(s->options.router, method, c->target, &c->match)) {
        case ROUTE_FOUND:
                return client_admit(c, method);
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

/* An answer that was made from the head, unless the body is worse; or out of memory. */
static enum MHD_Result client_send_refusal(struct client *c)
{
        if (c->n_body_bytes > SERVER_BODY_BYTES_MAX) {
                reply_done(&c->reply);
                (void)client_too_large(c);
        }
        if (c->reply.status == 0) {
                reply_done(&c->reply);
                reply_empty(&c->reply, 500);
        }
        return client_send(c);
}

static enum MHD_Result client_on_whole(struct client *c, const char *method)
{
        if (c->exchange == EXCHANGE_HANDLING)
                return client_handle(c, method);
        if (!c->admitted || c->n_body_bytes > SERVER_BODY_BYTES_MAX || c->body.error)
                return client_send_refusal(c);
        client_make_request(c, method);
        c->exchange = EXCHANGE_HANDLING;
        return client_handle(c, method);
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
static enum MHD_Result client_end_with(struct client *c, const struct head_fault *fault)
{
        server_count_refusal(&c->endpoint->server->counters, fault->status == 413
                                                                     ? SERVER_REFUSAL_TOO_LARGE
                                                                     : SERVER_REFUSAL_BAD_HEAD);
        if (reply_text(&c->reply, fault->status, "%s", fault->text) < 0)
                return MHD_NO;
        return client_send(c);
}

static size_t head_bytes(struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        return info ? info->header_size : 0;
}

static enum MHD_Result client_on_head(struct client *c, const char *method, const char *version)
{
        struct server *s = c->endpoint->server;
        const struct head_fault *fault;

        c->busy = true;
        c->wants_no_body = streq(method, "HEAD");
        server_count(s, &s->n_busy, 1);
        connection_enter(s->connections, &c->connection, CONNECTION_REQUEST);
        c->line.method = method;
        c->line.version = version;
        head_init(&c->head, version);
        head_locate(&c->head, &c->line, head_bytes(c->mhd));
        MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, on_field, &c->head);
        fault = head_judge(&c->head);
        c->exchange = EXCHANGE_BODY;
        if (fault)
                return client_end_with(c, fault);
        client_look_at_certificate(c);
        gate_take_forwarded(s->gate, &c->caller, &c->head);
        if (client_route(c, method) < 0)
                reply_done(&c->reply);
        return MHD_YES;
}

/* Who may not send one, or sends what nobody wants, is listened to until he is done. */
static enum MHD_Result client_on_body(struct client *c, const char *method, const char *body,
                                      size_t *n_bytes)
{
        c->n_body_bytes += *n_bytes;
        if (c->admitted && gate_changes(method) && c->n_body_bytes <= SERVER_BODY_BYTES_MAX)
                buf_append(&c->body, body, *n_bytes);
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
        if (!c)
                return MHD_NO;
        if (c->exchange == EXCHANGE_TARGET)
                return client_on_head(c, method, version);
        if (*n_body > 0)
                return client_on_body(c, method, body, n_body);
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
        /* Of the first request all of the head has to be here when the time for that is over. */
        if (connection_has_asked(&c->connection))
                connection_enter(c->endpoint->server->connections, &c->connection,
                                 CONNECTION_REQUEST);
        c->exchange = EXCHANGE_TARGET;
        c->admitted = false;
        c->n_body_bytes = 0;
        c->line = (struct head_line){.target = target, .n_target = n};
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
        atomic_fetch_sub(&s->n_held_bytes, c->n_held_bytes);
        c->n_held_bytes = c->n_streamed_bytes = 0;
        buf_done(&c->body);
        c->body = (struct buf){};
        c->errand = errand_unref(c->errand);
        c->exchange = EXCHANGE_NONE;
        if (connection_has_asked(&c->connection))
                connection_enter(s->connections, &c->connection, CONNECTION_IDLE);
        if (!c->busy)
                return;
        c->busy = false;
        server_count(s, &s->n_busy, -1);
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **exchange,
                         enum MHD_RequestTerminationCode why)
{
        struct client *c = *exchange;

        (void)userdata;
        (void)mhd;
        *exchange = NULL;
        if (!c)
                return;
        if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
                server_count_bytes(&c->endpoint->server->counters,
                                   c->n_answer_bytes > 0 ? c->n_answer_bytes : c->n_streamed_bytes);
        client_end_exchange(c);
}

/* Connections. */

/* Places of a listener that has @n: for all who may not have its reserve. */
static unsigned n_ordinary_of(unsigned n)
{
        return n > 1 ? n - (n + SERVER_RESERVE_SHARE - 1) / SERVER_RESERVE_SHARE : n;
}

/* And of these, places for all loopback addresses together. */
static unsigned n_loopback_of(unsigned n)
{
        return (n_ordinary_of(n) + SERVER_LOOPBACK_SHARE - 1) / SERVER_LOOPBACK_SHARE;
}

/* Only the acceptor's thread, which asks, takes places: they can but become more meanwhile. */
static bool endpoint_has_place(struct endpoint *p, const struct client *c)
{
        unsigned n = atomic_load(&p->server->n_places_each);

        if (c->ordinary && atomic_load(&p->n_ordinary) >= n_ordinary_of(n))
                return false;
        return !c->loopback || atomic_load(&p->n_loopback) < n_loopback_of(n);
}

static void endpoint_count(struct endpoint *p, const struct client *c, int change)
{
        atomic_fetch_add(&p->n_open, (unsigned)change);
        atomic_fetch_add(&p->n_ordinary, c->ordinary ? (unsigned)change : 0);
        atomic_fetch_add(&p->n_loopback, c->loopback ? (unsigned)change : 0);
}

/* Is there a place for it, and may this client have one more? Then it is counted. */
static enum server_refusal client_take_place(struct client *c)
{
        struct server *s = c->endpoint->server;
        struct authority_verdict v = gate_judge(s->gate, &c->caller);
        struct peer peer = authority_caller_peer(&c->caller);

        c->ordinary = !v.reserve;
        c->loopback = peer_is_loopback(&peer);
        if (!endpoint_has_place(c->endpoint, c))
                return SERVER_REFUSAL_FULL;
        if (!connections_admit(s->connections, &c->connection, &peer, v.many))
                return SERVER_REFUSAL_TOO_MANY;
        endpoint_count(c->endpoint, c, 1);
        atomic_fetch_add(&c->endpoint->n_total, 1);
        return SERVER_REFUSAL_NONE;
}

/* Return: does TLS have to be spoken with it? Or -errno: it is gone already. */
static int must_speak_tls(const struct server *s, int fd)
{
        struct sock_address local = {.n = sizeof(local.storage)};

        if (!s->speaks_tls)
                return false;
        if (getsockname(fd, &local.sa, &local.n) < 0)
                return -errno;
        return !sock_address_is_local(&local);
}

static int client_take_caller(struct client *c, int fd)
{
        int tls, r = authority_caller_from_fd(&c->caller, fd);

        if (r < 0)
                return r;
        tls = must_speak_tls(c->endpoint->server, fd);
        if (tls < 0)
                return tls;
        c->caller.tls = tls;
        return 0;
}

/* NULL: out of memory; or gone already, or one too many. */
static struct client *client_new(struct endpoint *p, int fd)
{
        struct client *c = calloc(1, sizeof(*c));
        enum server_refusal why;

        if (!c)
                return NULL;
        c->endpoint = p;
        c->fd = fd;
        if (client_take_caller(c, fd) < 0) {
                free(c);
                return NULL;
        }
        why = client_take_place(c);
        if (why != SERVER_REFUSAL_NONE) {
                server_count_refusal(&p->server->counters, why);
                free(c);
                return NULL;
        }
        return c;
}

/* A connection can be given up without on_completed(): when epoll does not take it (0.9.75). */
static void client_free(struct client *c)
{
        struct server *s = c->endpoint->server;

        client_end_exchange(c);
        connections_remove(s->connections, &c->connection);
        endpoint_count(c->endpoint, c, -1);
        acceptor_poke(s->acceptor);
        free(c->tls_peer);
        free(c);
}

static void server_put_on_the_way(struct server *s, struct client *c)
{
        pthread_mutex_lock(&s->lock);
        LIST_INSERT_HEAD(&s->on_the_way, c, link);
        pthread_mutex_unlock(&s->lock);
}

/* NULL: there is none with this descriptor. */
static struct client *server_take_off_the_way(struct server *s, int fd)
{
        struct client *c;

        pthread_mutex_lock(&s->lock);
        LIST_FOREACH (c, &s->on_the_way, link)
                if (c->fd == fd)
                        break;
        if (c)
                LIST_REMOVE(c, link);
        pthread_mutex_unlock(&s->lock);
        return c;
}

static void server_drop_on_the_way(struct server *s, int fd)
{
        struct client *c = server_take_off_the_way(s, fd);

        if (c)
                client_free(c);
}

/* Who comes has to be taken before it is known who it is; only then is he sent away, if he must be. */
static bool on_has_room(void *listener)
{
        struct endpoint *p = listener;

        return atomic_load(&p->n_open) < atomic_load(&p->server->n_places_each);
}

/* What the kernel would hold for a reader who does not read is several megabytes over TCP. */
static void bound_queue(int fd)
{
        const int n = SERVER_SEND_BYTES;

        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

/*
 * On the acceptor's thread. libmicrohttpd closes the descriptor of a connection that it cannot take, and
 * says so at once, or (out of memory for its buffer) not at all: we then find out when the number comes
 * again.
 */
static void on_accepted(void *listener, int fd)
{
        struct endpoint *p = listener;
        struct server *s = p->server;
        const struct sock_address *peer;
        struct MHD_Daemon *daemon;
        struct client *c;

        server_drop_on_the_way(s, fd);
        bound_queue(fd);
        c = client_new(p, fd);
        if (!c) {
                close(fd);
                return;
        }
        server_put_on_the_way(s, c);
        peer = &c->caller.peer; /* it is copied before @c can go */
        daemon = c->caller.tls ? p->tls_daemon : p->daemon;
        if (MHD_add_connection(daemon, fd, &peer->sa, peer->n) != MHD_YES)
                server_drop_on_the_way(s, fd);
}

/* The end comes before the descriptor is closed, which is what connections.h asks for. */
static void on_connection(void *userdata, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
        struct endpoint *p = userdata;
        struct client *c = *socket_context;
        int fd;

        if (what != MHD_CONNECTION_NOTIFY_STARTED) {
                if (c)
                        client_free(c);
                *socket_context = NULL;
                return;
        }
        fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        c = server_take_off_the_way(p->server, fd);
        *socket_context = c;
        if (!c)
                return;
        c->mhd = mhd;
        if (tls_session_of(mhd))
                tls_session_bound(tls_session_of(mhd));
        connections_begin(p->server->connections, &c->connection, fd);
}

/*
 * It takes a connection that it did not accept itself for TCP, is surprised by each answer over a Unix
 * socket, and sends it all the same.
 */
static bool is_about_options(const char *complaint)
{
        return strncmp(complaint, "Setting %s option", strlen("Setting %s option")) == 0 ||
               strncmp(complaint, "Failed to push", strlen("Failed to push")) == 0;
}

/* One line for each broken client, in bursts of thousands. */
static _printf_(2, 0) void on_complaint(void *userdata, const char *fmt, va_list ap)
{
        struct server *s = userdata;
        unsigned n_held_back;
        char text[256];

        if (is_about_options(fmt) || !server_ratelimit(s, &s->complaints, &n_held_back))
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

static void or_default(unsigned *limit, unsigned otherwise)
{
        if (*limit == 0)
                *limit = otherwise;
}

static void or_default_64(uint64_t *limit, uint64_t otherwise)
{
        if (*limit == 0)
                *limit = otherwise;
}

static void limits_complete(struct server_limits *l)
{
        or_default(&l->n_connections, SERVER_CONNECTIONS_MAX);
        or_default(&l->n_connections_peer, SERVER_CONNECTIONS_PEER_MAX);
        or_default(&l->n_parked, PARKED_MAX);
        or_default(&l->n_parked_peer, PARKED_PEER_MAX);
        or_default_64(&l->answer_bytes, SERVER_ANSWER_BYTES_MAX);
        or_default_64(&l->head_usec, SERVER_HEAD_USEC);
        or_default_64(&l->idle_usec, SERVER_IDLE_USEC);
        or_default_64(&l->request_usec, SERVER_REQUEST_USEC);
}

/* Half of the descriptors are for connections where there are not even twice as many as we reserve. */
static unsigned count_places(void)
{
        struct rlimit l;
        rlim_t n;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur > UINT16_MAX * 16u)
                return UINT16_MAX * 16u;
        n = l.rlim_cur < 2 * SERVER_FDS_RESERVED ? l.rlim_cur / 2
                                                 : l.rlim_cur - SERVER_FDS_RESERVED;
        return n > 0 ? (unsigned)n : 1;
}

static int server_start_threads(struct server *s)
{
        static const struct acceptor_ops ops = {on_has_room, on_accepted};
        const struct server_limits *l = &s->options.limits;
        const struct connections_limits limits = {
                .n_client = l->n_connections_peer,
                .head_usec = l->head_usec,
                .idle_usec = l->idle_usec,
                .request_usec = l->request_usec,
        };
        int r = connections_new(&s->connections, &limits, client_on_hung_up);

        if (r >= 0)
                r = streams_new(&s->streams);
        return r < 0 ? r : acceptor_new(&s->acceptor, &ops);
}

int server_new(struct server **ret, const struct server_options *options, struct err *e)
{
        _cleanup_(server_freep) struct server *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        pthread_mutex_init(&s->lock, NULL);
        cond_init_mono(&s->quieter);
        LIST_INIT(&s->on_the_way);
        s->options = *options;
        s->options.authority = NULL; /* the gate has its copy */
        limits_complete(&s->options.limits);
        s->n_places = count_places();
        r = gate_new(&s->gate, options->authority);
        if (r >= 0)
                r = server_start_threads(s);
        if (r < 0)
                return err_set(e, r, "cannot start the server: %s", strerror(-r));
        parked_set_limits(options->parked, s->options.limits.n_parked,
                          s->options.limits.n_parked_peer);
        MHD_set_panic_func(on_panic, NULL);
        *ret = TAKE_PTR(s);
        return 0;
}

/* In seconds, of inactivity: the last resort behind connections.c, which is never later. */
static unsigned mhd_timeout(const struct server_limits *l)
{
        uint64_t usec = l->idle_usec > l->request_usec ? l->idle_usec : l->request_usec;

        return usec < UINT16_MAX * USEC_PER_SEC ? (unsigned)(usec / USEC_PER_SEC) + 1 : 0;
}

/*
 * Left alone on purpose: post processor, digest authentication, cookies, upgrade. The library's limit is
 * never met, because it counts a connection a moment longer than we do.
 */
static struct MHD_Daemon *start_daemon(struct endpoint *p, const struct tls_files *tls)
{
        const struct server_limits *l = &p->server->options.limits;
        const struct MHD_OptionItem options[] = {
                {MHD_OPTION_EXTERNAL_LOGGER,         (intptr_t)on_complaint,  p->server}, /* must be first */
                {MHD_OPTION_URI_LOG_CALLBACK,        (intptr_t)on_target,     NULL     },
                {MHD_OPTION_NOTIFY_COMPLETED,        (intptr_t)on_completed,  NULL     },
                {MHD_OPTION_NOTIFY_CONNECTION,       (intptr_t)on_connection, p        },
                {MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_CONNECTION_BYTES, NULL     },
                {MHD_OPTION_CONNECTION_LIMIT,        INT32_MAX,               NULL     },
                {MHD_OPTION_CONNECTION_TIMEOUT,      mhd_timeout(l),          NULL     },
                {MHD_OPTION_END,                     0,                       NULL     },
        };
        /* With a CA it asks for a certificate; whether one comes, and which, it does not care. */
        const struct MHD_OptionItem tls_options[] = {
                {MHD_OPTION_HTTPS_MEM_TRUST,  0, tls ? tls->ca_pem : NULL         },
                {MHD_OPTION_HTTPS_MEM_CERT,   0, tls ? tls->certificate_pem : NULL},
                {MHD_OPTION_HTTPS_MEM_KEY,    0, tls ? tls->key_pem : NULL        },
                {MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)TLS_PRIORITIES           },
                {MHD_OPTION_END,              0, NULL                             },
        };
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                         MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET | (tls ? MHD_USE_TLS : 0);

        return MHD_start_daemon(flags, 0, NULL, NULL, on_request, NULL, MHD_OPTION_ARRAY, options,
                                tls ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls_options,
                                MHD_OPTION_END);
}

/* A socket for all addresses needs both. So one for a single address of others has a thread too many. */
static bool endpoint_start_daemons(struct endpoint *p)
{
        const struct tls_files *tls = p->server->tls_files;
        bool needs_tls = tls && !sock_address_is_local(&p->listener.address);

        p->daemon = start_daemon(p, NULL);
        p->tls_daemon = needs_tls ? start_daemon(p, tls) : NULL;
        return p->daemon && (p->tls_daemon || !needs_tls);
}

static void endpoint_stop_daemons(struct endpoint *p)
{
        if (p->daemon)
                MHD_stop_daemon(p->daemon);
        if (p->tls_daemon)
                MHD_stop_daemon(p->tls_daemon);
}

/* All listeners share the descriptors; none can take those of another. */
static void server_share_places(struct server *s, size_t n_endpoints)
{
        unsigned n_wanted = s->options.limits.n_connections;
        unsigned n_each = s->n_places / (unsigned)n_endpoints;

        if (n_each < n_wanted && !s->said_few_places) {
                log_warning(
                        "at most %u connections in all, not %u for each listener: the limit of open "
                        "files is too low (LimitNOFILE=)",
                        s->n_places, n_wanted);
                s->said_few_places = true;
        }
        if (n_each == 0)
                n_each = 1;
        atomic_store(&s->n_places_each, n_each < n_wanted ? n_each : n_wanted);
}

/* @p has its listener, and is behind the last one of those that serve. */
static int server_serve(struct server *s, struct endpoint *p, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];
        int r;

        p->server = s;
        p->n_open = p->n_ordinary = p->n_loopback = 0;
        p->n_total = 0;
        if (!endpoint_start_daemons(p)) {
                endpoint_stop_daemons(p);
                return err_set(e, -EIO, "cannot serve %s: libmicrohttpd does not start",
                               sock_address_format(text, &p->listener.address));
        }
        server_share_places(s, s->n_endpoints + 1);
        r = acceptor_add(s->acceptor, p->listener.fd, p);
        if (r < 0) {
                endpoint_stop_daemons(p);
                return err_set(e, r, "cannot serve %s: %s",
                               sock_address_format(text, &p->listener.address), strerror(-r));
        }
        pthread_mutex_lock(&s->lock);
        s->n_endpoints++;
        pthread_mutex_unlock(&s->lock);
        return 0;
}

static struct endpoint *server_next_endpoint(struct server *s, struct err *e)
{
        if (s->n_endpoints < SERVER_LISTENERS_MAX)
                return &s->endpoints[s->n_endpoints];
        err_set(e, -E2BIG, "more than %u addresses to listen on", SERVER_LISTENERS_MAX);
        return NULL;
}

void server_use_tls(struct server *s, const struct tls_files *files)
{
        s->tls_files = files;
        s->speaks_tls = true;
}

int server_listen(struct server *s, const struct sock_address *address, struct err *e)
{
        struct endpoint *p = server_next_endpoint(s, e);
        int r;

        if (!p)
                return -E2BIG;
        r = listener_open(&p->listener, address, e);
        if (r < 0)
                return r;
        r = server_serve(s, p, e);
        if (r < 0)
                listener_close(&p->listener);
        return r;
}

int server_adopt(struct server *s, int fd, struct err *e)
{
        struct endpoint *p = server_next_endpoint(s, e);
        int r;

        if (!p)
                return -E2BIG;
        r = listener_adopt(&p->listener, fd, e);
        return r < 0 ? r : server_serve(s, p, e);
}

const struct sock_address *server_listener_address(const struct server *s, size_t i)
{
        return i < s->n_endpoints ? &s->endpoints[i].listener.address : NULL;
}

int server_set_authority(struct server *s, const struct authority *authority)
{
        int r = gate_set_authority(s->gate, authority);

        if (r >= 0)
                parked_wake(s->options.parked);
        return r;
}

static size_t server_n_endpoints(struct server *s)
{
        size_t n;

        pthread_mutex_lock(&s->lock);
        n = s->n_endpoints;
        pthread_mutex_unlock(&s->lock);
        return n;
}

void server_stats(struct server *s, struct server_stats *ret)
{
        *ret = (struct server_stats){.limits = s->options.limits};
        server_counters_read(&s->counters, ret);
        ret->refusals[SERVER_REFUSAL_TOO_SLOW] = connections_n_late(s->connections);
        ret->accept_failures = acceptor_n_failures(s->acceptor);
        parked_stats(s->options.parked, &ret->parked);
        ret->n_listeners = server_n_endpoints(s);
        for (size_t i = 0; i < ret->n_listeners; i++) {
                struct endpoint *p = &s->endpoints[i];

                sock_address_format(ret->listeners[i].name, &p->listener.address);
                ret->listeners[i].n_open = atomic_load(&p->n_open);
                ret->listeners[i].n_total = atomic_load(&p->n_total);
                ret->listeners[i].n_max = atomic_load(&s->n_places_each);
        }
}

const struct request_times *server_times(const struct server *s)
{
        return &s->times;
}

/* Stopping. */

/* A request may be somewhere between the kernel and its head, so that one look is not enough. */
static bool server_is_quiet(struct server *s)
{
        bool quiet;

        pthread_mutex_lock(&s->lock);
        quiet = s->n_busy == 0 && LIST_EMPTY(&s->on_the_way);
        pthread_mutex_unlock(&s->lock);
        return quiet && !connections_expect_request(s->connections, STOP_NEW_USEC);
}

static void server_pause(struct server *s, uint64_t usec)
{
        pthread_mutex_lock(&s->lock);
        cond_wait_until(&s->quieter, &s->lock, usec_add(now_mono_usec(), usec));
        pthread_mutex_unlock(&s->lock);
}

/* Everybody who is suspended is resumed for certain; an answer may be stuck with a slow client. */
static void server_wait_answered(struct server *s)
{
        uint64_t until = usec_add(now_mono_usec(), STOP_ANSWER_USEC);
        unsigned n_quiet = 0;

        while (n_quiet < 2 && now_mono_usec() < until &&
               !connections_wait_none(s->connections, 0)) {
                n_quiet = server_is_quiet(s) ? n_quiet + 1 : 0;
                server_pause(s, STOP_LOOK_USEC);
        }
        pthread_mutex_lock(&s->lock);
        while (s->n_suspended > 0)
                pthread_cond_wait(&s->quieter, &s->lock);
        pthread_mutex_unlock(&s->lock);
}

static void server_stop_daemons(struct server *s)
{
        struct client *c;

        for (size_t i = 0; i < s->n_endpoints; i++)
                endpoint_stop_daemons(&s->endpoints[i]);
        while ((c = LIST_FIRST(&s->on_the_way))) { /* it has closed them without a word */
                LIST_REMOVE(c, link);
                client_free(c);
        }
}

void server_stop_accepting(struct server *s)
{
        acceptor_stop(s->acceptor);
}

/*
 * The listening sockets are closed first: whoever connects to one that is ours alone should not wait for
 * somebody who does not come. All connections are ended before MHD_stop_daemon(), because a malformed
 * request that is being refused at that moment makes the library follow a NULL pointer.
 */
struct server *server_free(struct server *s)
{
        if (!s)
                return NULL;
        if (s->acceptor)
                acceptor_stop(s->acceptor);
        atomic_store(&s->stopping, true);
        for (size_t i = 0; i < s->n_endpoints; i++)
                listener_close(&s->endpoints[i].listener);
        if (s->n_endpoints > 0) {
                parked_close(s->options.parked);
                streams_close(s->streams);
                server_wait_answered(s);
                connections_shutdown(s->connections);
                (void)connections_wait_none(s->connections,
                                            usec_add(now_mono_usec(), STOP_CLOSE_USEC));
                server_stop_daemons(s);
        }
        acceptor_free(s->acceptor);
        connections_free(s->connections);
        streams_free(s->streams);
        gate_free(s->gate);
        pthread_cond_destroy(&s->quieter);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
}
