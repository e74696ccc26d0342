/* It speaks TLS with other machines, and believes certificates and the forwarder, and nobody else. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "api/server.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/certificates.h"
#include "tests/unit/test_main.h"

#define PATIENCE_SECONDS 20 /* only a fault takes as long */
#define BIG_BYTES        262144u
#define HERE             "192.0.2.1" /* of this machine, and not loopback */
#define FORWARDER        990

/* The world of one test. */

static sem_t handler_ran;
static _Atomic bool changed;
static struct blob *big;
static struct parked *parked;
static struct server *server;
static struct authority authority = {.operators = (gid_t)-1};
static struct server_limits limits; /* set before start() */
static struct tls_files files;
static struct certificate ca, node;
static char directory[] = "/tmp/diag-test-XXXXXX";
static struct sock_address address;
static unsigned port = 1050;

static int handle_who(const struct request *q, struct reply *r)
{
        return reply_text(r, 200, "%s: %s%s", q->caller_name,
                          authority_class_to_string(q->caller.class),
                          q->caller.output ? " with output" : "");
}

static int handle_big(_unused_ const struct request *q, struct reply *r)
{
        return reply_blob(r, 200, "application/json", blob_ref(big));
}

static int handle_parts(_unused_ const struct request *q, struct reply *r)
{
        struct buf b = {};

        buf_puts(&b, "and the end");
        return reply_blobs(r, 200, "application/json", blob_ref(big), blob_new_take(&b));
}

static int stream_fd = -1; /* the writing end of the latest one */

static int handle_stream(_unused_ const struct request *q, struct reply *r)
{
        struct stream *s = NULL;
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        stream_fd = fds[1];
        ck_assert_int_eq(stream_new(&s, fds[0], BIG_BYTES, USEC_INFINITY, 0, NULL, NULL), 0);
        sem_post(&handler_ran);
        return reply_stream(r, 200, "application/octet-stream", s);
}

static int handle_wait(const struct request *q, struct reply *r)
{
        sem_post(&handler_ran);
        if (q->may_park && !atomic_load(&changed))
                return reply_park(r, USEC_INFINITY);
        return handle_who(q, r);
}

static const struct route routes[] = {
        {"GET",              "/who",  handle_who},
        {"GET",              "/read", handle_who, AUTHORITY_READ},
        {"GET",                  "/operate",                     handle_who,    AUTHORITY_OPERATE},
        {"GET", "/big",        handle_big          },
        {"GET",        "/parts",        handle_parts   },
        {"GET",      "/wait",      handle_wait        },
        {"GET",       "/stream",         handle_stream      },
        {NULL,     NULL,    NULL    },
};
static const struct route *const tables[] = {routes, NULL};
static const struct router router = {tables, NULL};

/* A network of our own, without loopback but with this address. */
static bool make_network(void)
{
        struct sockaddr_in in = {.sin_family = AF_INET};
        static const char *const links[][2] = {
                {"lo",   "127.0.0.1"},
                {"lo:1", HERE       }
        };
        bool made = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        for (size_t i = 0; made && i < ELEMENTSOF(links); i++) {
                struct ifreq request = {0};

                (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", links[i][0]);
                inet_pton(AF_INET, links[i][1], &in.sin_addr);
                memcpy(&request.ifr_addr, &in, sizeof(in));
                made = ioctl(fd, SIOCSIFADDR, &request) == 0;
                request.ifr_flags = IFF_UP | IFF_RUNNING;
                made = made && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
        }
        close(fd);
        return made;
}

static struct certificate signed_one(const char *cn, const char *uri)
{
        return certificate_make(&(struct certificate_wish){.cn = cn, .uri = uri}, &ca);
}

static void listen_on(const char *fmt, const char *a)
{
        char text[SOCK_ADDRESS_MAX];
        struct err e;

        (void)snprintf(text, sizeof(text), fmt, a);
        ck_assert_int_eq(parse_listen(text, &address), 0);
        ck_assert_msg(server_listen(server, &address, &e) == 0, "%s", e.text);
}

static void make_world(void)
{
        struct buf b = {};
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        log_set_level(0);
        sem_init(&handler_ran, 0, 0);
        for (size_t i = 0; i < BIG_BYTES; i++)
                buf_putc(&b, "0123456789abcdef"[i % 16]);
        big = blob_new_take(&b);
        ca = certificate_make_ca("the CA");
        node = signed_one("m1", "diag://prod/master");
        files = (struct tls_files){.ca_pem = (char *)ca.pem,
                                   .certificate_pem = (char *)node.pem,
                                   .key_pem = (char *)node.key_pem};
        strcpy(authority.cluster, "prod");
        authority.has_forwarder = true;
        authority.forwarder = FORWARDER;
}

/* Return: false where there is no network to be had. */
static bool start(const char *listen)
{
        const struct server_options options = {
                .router = &router,
                .authority = &authority,
                .limits = limits,
                .product = "diag/test",
        };
        struct server_options o = options;
        struct err e;

        if (!make_network())
                return false;
        make_world();
        ck_assert_int_eq(parked_new(&parked), 0);
        o.parked = parked;
        ck_assert_msg(server_new(&server, &o, &e) == 0, "%s", e.text);
        server_use_tls(server, &files);
        if (*listen == '/') {
                ck_assert_ptr_nonnull(mkdtemp(directory));
                ck_assert_int_eq(chmod(directory, 0755), 0);
                listen_on("unix:%s/sock", directory);
        } else {
                listen_on("%s:1050", listen);
        }
        return true;
}

static void stop(void)
{
        server = server_free(server);
        parked = parked_free(parked);
        big = blob_unref(big);
        (void)rmdir(directory);
        certificates_done();
}

/* --- clients --------------------------------------------------------------------------------------- */

struct wire {
        int fd;
        gnutls_session_t session; /* NULL: in plain text */
        char data[BIG_BYTES + 8192];
        size_t n;
};

static int connect_to(const char *host)
{
        struct sock_address to = address;
        char text[SOCK_ADDRESS_MAX];
        int fd;

        if (host) {
                (void)snprintf(text, sizeof(text), "%s:%u", host, port);
                ck_assert_int_eq(parse_listen(text, &to), 0);
        }
        fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, &to.sa, to.n), 0);
        return fd;
}

static void wire_open(struct wire *w, const char *host)
{
        w->session = NULL;
        w->n = 0;
        w->fd = connect_to(host);
}

/* Return: GnuTLS's. */
static int wire_open_tls(struct wire *w, const struct certificate *own)
{
        int r;

        wire_open(w, HERE);
        w->session = certificate_client(own, w->fd, "NORMAL");
        gnutls_handshake_set_timeout(w->session, PATIENCE_SECONDS * 1000);
        do
                r = gnutls_handshake(w->session);
        while (r < 0 && !gnutls_error_is_fatal(r));
        return r;
}

static void wire_close(struct wire *w)
{
        if (w->session)
                gnutls_deinit(w->session);
        close(w->fd);
}

static void wire_puts(struct wire *w, const char *s)
{
        if (w->session)
                (void)gnutls_record_send(w->session, s, strlen(s));
        else
                (void)send(w->fd, s, strlen(s), MSG_NOSIGNAL);
}

/* False at the end. */
static bool wire_receive(struct wire *w)
{
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        size_t n_room = sizeof(w->data) - 1 - w->n;
        ssize_t n;

        if (!w->session || gnutls_record_check_pending(w->session) == 0)
                ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        do
                n = w->session ? gnutls_record_recv(w->session, w->data + w->n, n_room)
                               : recv(w->fd, w->data + w->n, n_room, 0);
        while (w->session && (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED));
        w->n += n > 0 ? (size_t)n : 0;
        w->data[w->n] = '\0';
        return n > 0;
}

/* Return: the status, 0 without an answer. Its body begins the data. */
static int wire_answer(struct wire *w)
{
        const char *end, *length;
        size_t n_body;
        int status;

        while (!(end = memmem(w->data, w->n, "\r\n\r\n", 4)))
                if (!wire_receive(w))
                        return 0;
        ck_assert_int_eq(sscanf(w->data, "HTTP/1.1 %d ", &status), 1);
        length = strstr(w->data, "\r\nContent-Length: ");
        n_body = length && length < end ? strtoull(length + 18, NULL, 10) : 0;
        w->n -= (size_t)(end + 4 - w->data);
        memmove(w->data, end + 4, w->n + 1);
        while (w->n < n_body)
                ck_assert(wire_receive(w));
        return status;
}

static int wire_ask(struct wire *w, const char *target, const char *fields)
{
        char request[2048];

        w->n = 0;
        w->data[0] = '\0';
        (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                       target, fields);
        wire_puts(w, request);
        return wire_answer(w);
}

static void wait_for_handler(void)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        while (sem_timedwait(&handler_ran, &until) < 0)
                ck_assert_int_eq(errno, EINTR);
}

/* --- certificates ---------------------------------------------------------------------------------- */

enum shown { NONE, OURS, FOREIGN };

/* clang-format off */
static const struct {
        struct certificate_wish wish;
        const char *words;   /* of /who */
        const char *allowed; /* AllowFrom= */
        enum shown shown;
        int who, read, operate;
} callers[] = {
        {{.cn = "m2", .uri = "diag://prod/master"}, "certificate m2 (192.0.2.1): operate with output",
         NULL, OURS, 200, 200, 200},
        {{.cn = "ops"}, "certificate ops (192.0.2.1): operate with output", NULL, OURS, 200, 200, 200},
        {{.dns = "ops"}, ": operate with output", NULL, OURS, 200, 200, 200},
        {{.cn = "a1", .uri = "diag://prod/agent"}, "certificate a1 (192.0.2.1): health\n",
         NULL, OURS, 200, 403, 403},
        {{.cn = "m2", .uri = "diag://test/master"}, "certificate m2 (192.0.2.1): health\n",
         NULL, OURS, 200, 403, 403},
        {{0}, "certificate without a name (192.0.2.1): health\n", NULL, OURS, 200, 403, 403},
        {{0}, "no certificate was shown", NULL, NONE, 403, 403, 403},
        {{.cn = "ops", .uri = "diag://prod/master"}, "not of the CA of this daemon",
         NULL, FOREIGN, 403, 403, 403},
        {{.cn = "ops", .from_seconds = -7200, .until_seconds = -3600}, "has expired",
         NULL, OURS, 403, 403, 403},
        {{.cn = "ops", .purpose = GNUTLS_KP_TLS_WWW_SERVER}, "not meant for clients",
         NULL, OURS, 403, 403, 403},
        {{0}, "192.0.2.1: health\n", "192.0.2.0/24", NONE, 200, 403, 403},
        {{.cn = "ops", .uri = "diag://prod/master"}, "192.0.2.1: health\n",
         "192.0.2.0/24", FOREIGN, 200, 403, 403},
        {{0}, "no certificate was shown", "198.51.100.0/24", NONE, 403, 403, 403},
};
/* clang-format on */

START_TEST(believes_certificates)
{
        struct certificate own, other_ca;
        static struct wire w;

        authority.masters[authority.n_masters++] = (char *)"ops";
        if (callers[_i].allowed)
                ck_assert_int_eq(parse_ip_prefix(callers[_i].allowed,
                                                 &authority.networks[authority.n_networks++]),
                                 0);
        if (!start("0.0.0.0"))
                return;
        other_ca = certificate_make_ca("another CA");
        own = certificate_make(&callers[_i].wish, callers[_i].shown == FOREIGN ? &other_ca : &ca);
        ck_assert_int_eq(wire_open_tls(&w, callers[_i].shown == NONE ? NULL : &own), 0);
        for (size_t i = 0; i < 2; i++) { /* a refusal does not cost the connection */
                /* Nobody but the forwarder is believed this. */
                ck_assert_int_eq(wire_ask(&w, "/who", "Diag-Caller: operate 1 me\r\n"),
                                 callers[_i].who);
                ck_assert_msg(strstr(w.data, callers[_i].words), "%s", w.data);
                ck_assert_int_eq(wire_ask(&w, "/read", ""), callers[_i].read);
                ck_assert_int_eq(wire_ask(&w, "/operate", ""), callers[_i].operate);
        }
        wire_close(&w);
        stop();
}
END_TEST

START_TEST(follows_a_new_list_of_masters)
{
        struct certificate own;
        static struct wire w;

        if (!start("0.0.0.0"))
                return;
        own = signed_one("ops", NULL);
        ck_assert_int_eq(wire_open_tls(&w, &own), 0);
        ck_assert_int_eq(wire_ask(&w, "/operate", ""), 403);
        ck_assert_msg(strstr(w.data, "MasterNames="), "%s", w.data);
        authority.masters[authority.n_masters++] = (char *)"OPS";
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
        ck_assert_int_eq(wire_ask(&w, "/operate", ""), 200);
        authority.n_masters = 0;
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
        ck_assert_int_eq(wire_ask(&w, "/operate", ""), 403);
        wire_close(&w);
        stop();
}
END_TEST

/* Also while a request waits, and when nobody asks for more than health. */
START_TEST(forgets_who_expires)
{
        struct certificate own;
        static struct wire w;
        struct timespec pause = {.tv_nsec = 20000000};

        if (!start("0.0.0.0"))
                return;
        own = certificate_make(&(struct certificate_wish){.cn = "m2", .until_seconds = 2}, &ca);
        ck_assert_int_eq(wire_open_tls(&w, &own), 0);
        wire_puts(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        while (time(NULL) <= gnutls_x509_crt_get_expiration_time(own.crt))
                nanosleep(&pause, NULL);
        atomic_store(&changed, true);
        parked_wake(parked);
        ck_assert_int_eq(wire_answer(&w), 403);
        ck_assert_int_eq(wire_ask(&w, "/who", ""), 403);
        ck_assert_msg(strstr(w.data, "has expired"), "%s", w.data);
        wire_close(&w);
        stop();
}
END_TEST

START_TEST(exempts_masters_from_limits_of_one_client)
{
        static struct wire masters[3], others[3];
        struct certificate agent;

        limits = (struct server_limits){.n_connections_peer = 2, .n_parked = 8, .n_parked_peer = 1};
        if (!start("0.0.0.0"))
                return;
        agent = signed_one("a1", "diag://prod/agent");
        for (size_t i = 0; i < ELEMENTSOF(masters); i++) {
                ck_assert_int_eq(wire_open_tls(&masters[i], &node), 0);
                ck_assert_int_eq(wire_ask(&masters[i], "/who", ""), 200);
                wire_puts(&masters[i], "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
                wait_for_handler();
        }
        for (size_t i = 0; i < 2; i++) {
                ck_assert_int_eq(wire_open_tls(&others[i], &agent), 0);
                ck_assert_int_eq(wire_ask(&others[i], "/who", ""), 200);
        }
        ck_assert_int_lt(wire_open_tls(&others[2], &agent), 0);
        wire_close(&others[2]);
        atomic_store(&changed, true);
        parked_wake(parked);
        for (size_t i = 0; i < ELEMENTSOF(masters); i++) {
                masters[i].n = 0;
                ck_assert_int_eq(wire_answer(&masters[i]), 200);
                wire_close(&masters[i]);
        }
        wire_close(&others[0]);
        wire_close(&others[1]);
        stop();
}
END_TEST

/* --- what is spoken where ------------------------------------------------------------------------ */

START_TEST(speaks_plain_text_on_loopback)
{
        static struct wire w;

        if (!start("0.0.0.0"))
                return;
        wire_open(&w, "127.0.0.1");
        ck_assert_int_eq(wire_ask(&w, "/who", "Diag-Caller: operate 1 me\r\n"), 200);
        ck_assert_str_eq(w.data, "127.0.0.1: health with output\n");
        ck_assert_int_eq(wire_ask(&w, "/operate", ""), 403);
        wire_close(&w);
        wire_open(&w, "127.255.0.9");
        ck_assert_int_eq(wire_ask(&w, "/who", ""), 200);
        wire_close(&w);
        stop();
}
END_TEST

/* Not even with Insecure=. */
START_TEST(speaks_no_plain_text_elsewhere)
{
        static const char *const listeners[] = {"0.0.0.0", HERE};
        static struct wire w;

        authority.insecure = true;
        ck_assert_int_eq(
                parse_ip_prefix("192.0.2.0/24", &authority.networks[authority.n_networks++]), 0);
        if (!start(listeners[_i]))
                return;
        for (size_t i = 0; i < 3; i++) {
                wire_open(&w, HERE);
                wire_puts(&w, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
                while (wire_receive(&w)) /* at most an alert */
                        ;
                ck_assert_msg(!strstr(w.data, "HTTP"), "%s", w.data);
                wire_close(&w);
        }
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        ck_assert_int_eq(wire_ask(&w, "/who", ""), 200);
        wire_close(&w);
        stop();
}
END_TEST

/* A socket of systemd's may be for IPv6 and IPv4 in one. */
START_TEST(tells_mapped_addresses_apart)
{
        struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(1051)};
        static struct wire w;
        int fd, off = 0;
        struct err e;

        if (!start(HERE))
                return;
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
        ck_assert_int_eq(listen(fd, 16), 0);
        ck_assert_msg(server_adopt(server, fd, &e) == 0, "%s", e.text);
        port = 1051;
        wire_open(&w, "127.0.0.1");
        ck_assert_int_eq(wire_ask(&w, "/who", ""), 200);
        ck_assert_str_eq(w.data, "127.0.0.1: health with output\n");
        wire_close(&w);
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        ck_assert_int_eq(wire_ask(&w, "/who", ""), 200);
        ck_assert_str_eq(w.data, "certificate m1 (192.0.2.1): operate with output\n");
        wire_close(&w);
        stop();
}
END_TEST

START_TEST(sends_large_bodies)
{
        static const char *const targets[] = {"/big", "/parts"};
        static struct wire w;

        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        for (size_t i = 0; i < 4; i++) {
                ck_assert_int_eq(wire_ask(&w, targets[i % 2], ""), 200);
                ck_assert_uint_eq(w.n, i % 2 ? BIG_BYTES + strlen("and the end") : BIG_BYTES);
                ck_assert_mem_eq(w.data, blob_data(big), BIG_BYTES);
        }
        wire_close(&w);
        stop();
}
END_TEST

/* A few records at a time, with the pipe dry in between; then one that its reader leaves. */
START_TEST(streams)
{
        static struct wire w;
        struct pollfd p = {0};

        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        wire_puts(&w, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        while (!memmem(w.data, w.n, "\r\n\r\n", 4))
                ck_assert(wire_receive(&w));
        w.n = 0;
        for (size_t n = 0; n < BIG_BYTES; n += BIG_BYTES / 8) {
                ck_assert_int_eq(write(stream_fd, (char *)blob_data(big) + n, BIG_BYTES / 8),
                                 BIG_BYTES / 8);
                while (w.n < n + BIG_BYTES / 8)
                        ck_assert(wire_receive(&w));
        }
        close(stream_fd);
        ck_assert_int_eq(memcmp(w.data, blob_data(big), BIG_BYTES), 0);
        w.n = 0;
        wire_puts(&w, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        wire_close(&w);
        p.fd = stream_fd;
        ck_assert_int_eq(poll(&p, 1, PATIENCE_SECONDS * 1000), 1);
        ck_assert_int_ne(p.revents & POLLERR, 0);
        close(stream_fd);
        stop();
}
END_TEST

START_TEST(stops_while_it_streams)
{
        static struct wire w;

        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        wire_puts(&w, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        stop();
        while (wire_receive(&w))
                ;
        ck_assert_uint_lt(w.n, BIG_BYTES);
        wire_close(&w);
        close(stream_fd);
}
END_TEST

START_TEST(answers_a_pipeline)
{
        static struct wire w;
        struct buf b = {0};

        if (!start("0.0.0.0"))
                return;
        for (size_t i = 0; i < 50; i++)
                buf_puts(&b, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        wire_puts(&w, buf_cstr(&b));
        for (size_t i = 0; i < 50; i++) {
                ck_assert_int_eq(wire_answer(&w), 200);
                w.n -= strlen("certificate m1 (192.0.2.1): operate with output\n");
                memmove(w.data, strchr(w.data, '\n') + 1, w.n + 1);
        }
        ck_assert_uint_eq(w.n, 0);
        buf_done(&b);
        wire_close(&w);
        stop();
}
END_TEST

START_TEST(wakes_those_who_wait)
{
        static struct wire w, gone;

        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&gone, &node), 0);
        wire_puts(&gone, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        wire_puts(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        wire_close(&gone);
        wait_for_handler(); /* who hangs up is looked at again */
        atomic_store(&changed, true);
        parked_wake(parked);
        ck_assert_int_eq(wire_answer(&w), 200);
        wire_close(&w);
        stop();
}
END_TEST

/* --- hostile handshakes -------------------------------------------------------------------------- */

/* A client's first words, and then nothing. */
static const struct {
        const char *name, *bytes;
        size_t n;
} stuck[] = {
        {"nothing",           "",                                             0 },
        {"a record's head",   "\x16\x03\x01\x02\x00",                         5 },
        {"half a hello",      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"a large handshake", "\x16\x03\x01\x40\x00\x01\xff\xff\xff",         9 },
};

START_TEST(ends_handshakes_that_take_too_long)
{
        static struct wire w, good;
        struct server_stats stats;

        limits = (struct server_limits){.head_usec = 100 * USEC_PER_MSEC};
        if (!start("0.0.0.0"))
                return;
        wire_open(&w, HERE);
        (void)send(w.fd, stuck[_i].bytes, stuck[_i].n, MSG_NOSIGNAL);
        while (wire_receive(&w))
                ;
        wire_close(&w);
        server_stats(server, &stats);
        ck_assert_uint_le(stats.refusals[SERVER_REFUSAL_TOO_SLOW],
                          1); /* or it was seen to be no good */
        ck_assert(_i == 3 || stats.refusals[SERVER_REFUSAL_TOO_SLOW] == 1);
        ck_assert_int_eq(wire_open_tls(&good, &node), 0);
        ck_assert_int_eq(wire_ask(&good, "/who", ""), 200);
        wire_close(&good);
        stop();
}
END_TEST

/* And who has shaken hands, and then says nothing, has the same time. */
START_TEST(ends_who_asks_for_nothing)
{
        static struct wire w;

        limits = (struct server_limits){.head_usec = 300 * USEC_PER_MSEC};
        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        while (wire_receive(&w))
                ;
        ck_assert_uint_eq(w.n, 0);
        wire_close(&w);
        stop();
}
END_TEST

#define N_STUCK 40u

START_TEST(serves_others_while_handshakes_are_stuck)
{
        static struct wire bad[N_STUCK], good, plain;
        struct server_stats stats;

        limits = (struct server_limits){.n_connections = 64};
        if (!start("0.0.0.0"))
                return;
        for (size_t i = 0; i < N_STUCK; i++) {
                wire_open(&bad[i], HERE);
                (void)send(bad[i].fd, stuck[i % 3].bytes, stuck[i % 3].n, MSG_NOSIGNAL);
        }
        ck_assert_int_eq(wire_open_tls(&good, &node), 0);
        wire_open(&plain, "127.0.0.1");
        for (size_t i = 0; i < 20; i++) {
                ck_assert_int_eq(wire_ask(&good, "/who", ""), 200);
                ck_assert_int_eq(wire_ask(&plain, "/who", ""), 200);
        }
        server_stats(server, &stats);
        ck_assert_uint_eq(stats.listeners[0].n_open, N_STUCK + 2);
        for (size_t i = 0; i < N_STUCK; i += 2)
                wire_close(&bad[i]);
        wire_close(&good);
        wire_close(&plain);
        stop(); /* in the middle of the other half */
        for (size_t i = 1; i < N_STUCK; i += 2)
                wire_close(&bad[i]);
}
END_TEST

START_TEST(stops_while_clients_wait)
{
        static struct wire w;

        if (!start("0.0.0.0"))
                return;
        ck_assert_int_eq(wire_open_tls(&w, &node), 0);
        wire_puts(&w, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_handler();
        server = server_free(server);
        ck_assert_int_eq(wire_answer(&w), 200);
        wire_close(&w);
        stop();
}
END_TEST

/* --- the forwarder ------------------------------------------------------------------------------- */

/* This thread alone, and only until it is @uid 0 again: no library call, which would take all threads along. */
static void become(uid_t uid)
{
        ck_assert_int_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
}

#define SAYS(what) "Diag-Caller: " what "\r\n"

static const struct {
        uid_t uid;
        const char *fields;
        const char *who;
        int read, operate;
} forwarded[] = {
        {990,  SAYS("operate 1 10.0.0.9"),              "10.0.0.9, forwarded by uid 990: operate with output",
         200,                                                                                                       200},
        {990,  SAYS("read 0 a b"),                      "a b, forwarded by uid 990: read\n",                   200, 403},
        {990,  SAYS("health 1 x"),                      "x, forwarded by uid 990: health with output\n",       403, 403},
        {990,  "diag-caller: operate 0 x\r\n",          "x, forwarded by uid 990: operate\n",                  200, 200},
        {990,  "",                                      "uid 990: health\n",                                   403, 403},
        {990,  SAYS(""),                                "uid 990: health\n",                                   403, 403},
        {990,  SAYS("operate 1"),                       "uid 990: health\n",                                   403, 403},
        {990,  SAYS("operate 1 x") SAYS("operate 1 x"), "uid 990: health\n",                                   403, 403},
        {990,  SAYS("operate 1 x") SAYS("health 0 y"),  "uid 990: health\n",                                   403, 403},
 /* Whoever else says it has no more than before, and may have less. */
        {1000, SAYS("operate 1 x"),                     "x, forwarded by uid 1000: health with output\n",      403, 403},
        {991,  SAYS("operate 1 x"),                     "x, forwarded by uid 991: read with output\n",         200, 403},
        {0,    SAYS("health 0 x"),                      "x, forwarded by uid 0: health\n",                     403, 403},
};

START_TEST(believes_the_forwarder)
{
        static struct wire w;

        authority.proxies[0].uid = 991;
        authority.proxies[0].grants = AUTHORITY_READ;
        authority.proxies[1].uid = FORWARDER; /* what it asks for counts, not what it might */
        authority.proxies[1].grants = AUTHORITY_OPERATE;
        authority.n_proxies = 2;
        if (geteuid() != 0 || !start("/"))
                return;
        become(forwarded[_i].uid);
        wire_open(&w, NULL);
        become(0);
        ck_assert_int_eq(wire_ask(&w, "/who", forwarded[_i].fields), 200);
        ck_assert_msg(strncmp(w.data, forwarded[_i].who, strlen(forwarded[_i].who)) == 0, "%s",
                      w.data);
        ck_assert_int_eq(wire_ask(&w, "/read", forwarded[_i].fields), forwarded[_i].read);
        ck_assert_int_eq(wire_ask(&w, "/operate", forwarded[_i].fields), forwarded[_i].operate);
        wire_close(&w);
        stop();
}
END_TEST

/* What is said counts for one request. */
START_TEST(believes_it_once)
{
        static struct wire w;

        if (geteuid() != 0 || !start("/"))
                return;
        become(FORWARDER);
        wire_open(&w, NULL);
        become(0);
        for (size_t i = 0; i < 3; i++) {
                ck_assert_int_eq(wire_ask(&w, "/operate", SAYS("operate 1 x")), 200);
                ck_assert_int_eq(wire_ask(&w, "/operate", ""), 403);
                ck_assert_int_eq(wire_ask(&w, "/who", ""), 200);
                ck_assert_str_eq(w.data, "uid 990: health\n");
        }
        wire_close(&w);
        stop();
}
END_TEST

START_TEST(has_no_forwarder_where_there_is_no_such_user)
{
        static struct wire w;

        if (geteuid() != 0 || !start("/"))
                return;
        authority.has_forwarder = false;
        ck_assert_int_eq(server_set_authority(server, &authority), 0);
        become(FORWARDER);
        wire_open(&w, NULL);
        become(0);
        ck_assert_int_eq(wire_ask(&w, "/operate", SAYS("operate 1 x")), 403);
        ck_assert_int_eq(wire_ask(&w, "/who", SAYS("operate 1 x")), 200);
        ck_assert_str_eq(w.data, "x, forwarded by uid 990: health with output\n");
        wire_close(&w);
        stop();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("server_tls");
        TCase *tc = tcase_create("server_tls");

        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, believes_certificates, 0, ELEMENTSOF(callers));
        tcase_add_test(tc, follows_a_new_list_of_masters);
        tcase_add_test(tc, forgets_who_expires);
        tcase_add_test(tc, exempts_masters_from_limits_of_one_client);
        tcase_add_test(tc, speaks_plain_text_on_loopback);
        tcase_add_loop_test(tc, speaks_no_plain_text_elsewhere, 0, 2);
        tcase_add_test(tc, tells_mapped_addresses_apart);
        tcase_add_test(tc, sends_large_bodies);
        tcase_add_test(tc, answers_a_pipeline);
        tcase_add_test(tc, streams);
        tcase_add_test(tc, stops_while_it_streams);
        tcase_add_test(tc, wakes_those_who_wait);
        tcase_add_loop_test(tc, ends_handshakes_that_take_too_long, 0, ELEMENTSOF(stuck));
        tcase_add_test(tc, ends_who_asks_for_nothing);
        tcase_add_test(tc, serves_others_while_handshakes_are_stuck);
        tcase_add_test(tc, stops_while_clients_wait);
        tcase_add_loop_test(tc, believes_the_forwarder, 0, ELEMENTSOF(forwarded));
        tcase_add_test(tc, believes_it_once);
        tcase_add_test(tc, has_no_forwarder_where_there_is_no_such_user);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
