/*
 * It asks nodes at their pace. The nodes are servers on this loop, each at an address of its own on
 * loopback; what they say is real HTTP, and time passes when the test says so.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "aggregator/poller.h"
#include "tests/fakes/fake_timers.h"

#define S  USEC_PER_SEC
#define MS USEC_PER_MSEC

#define SERVERS_MAX  4u
#define CONNS_MAX    64u
#define REQUESTS_MAX 512u
#define REQUEST_MAX  1024u
#define PORT_OF_TEST 18050u /* of addresses that nobody else uses */
#define PATIENCE_MS  20000  /* for what is certain to come */

/* --- a node ------------------------------------------------------------------------------------- */

struct heard {
        char text[REQUEST_MAX];
        uint64_t at_usec;
};

struct conn {
        struct server *server;
        sd_event_source *source;
        int fd;
        char text[REQUEST_MAX];
        size_t n;
        bool held; /* a request that is not answered yet */
};

struct server {
        char address[INET_ADDRSTRLEN];
        sd_event_source *source;
        int fd;
        unsigned number, n_conns;
        unsigned boot; /* which boot this is */
        struct conn conns[CONNS_MAX];

        /* what it says */
        uint64_t seq;
        const char *id;      /* NULL: its own */
        const char *raw;     /* this instead, then it hangs up */
        const char *outputs; /* entries of its components; NULL: 404 */
        size_t n_body;       /* so many bytes instead */
        bool bad;            /* its two components are */
        bool old;            /* it knows API v1 alone */
        bool waits, holds;   /* Preference-Applied; and no answer before something is new */
        bool hurries;        /* something is new with every request */
        bool mute;           /* no answer at all */

        struct heard heard[REQUESTS_MAX]; /* but for outputs */
        unsigned n_heard, n_outputs;
};

static struct loop *loop;
static struct fetcher *fetcher;
static struct roster *roster;
static struct poller *poller;
static struct server servers[SERVERS_MAX];
static unsigned n_servers, n_changed, n_new;

static void hang_up(struct conn *c)
{
        c->source = sd_event_source_disable_unref(c->source);
        if (c->fd >= 0)
                close(c->fd);
        c->fd = -1;
        c->held = false;
}

static void say(struct conn *c, const char *text, size_t n)
{
        while (n) {
                ssize_t k = send(c->fd, text, n, MSG_NOSIGNAL);

                if (k < 0 && errno == EAGAIN)
                        continue;
                if (k <= 0)
                        break; /* it did not want to hear the rest */
                text += k;
                n -= (size_t)k;
        }
        c->held = false;
}

static void reply(struct conn *c, unsigned status, const char *fields, const char *body)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_printf(&b, "HTTP/1.1 %u X\r\n%s", status, fields);
        if (status != 304)
                buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
        buf_printf(&b, "\r\n%s", status == 304 ? "" : body);
        say(c, b.data, b.n);
}

static void reply_report(struct conn *c)
{
        const struct server *s = c->server;
        const char *health = s->bad ? "unhealthy" : "healthy";
        char body[1024], fields[128], own[40];

        (void)snprintf(own, sizeof(own), "%032x", s->number + 1);
        (void)snprintf(fields, sizeof(fields), "ETag: \"7.%llx\"\r\n%s", (unsigned long long)s->seq,
                       s->waits ? "Preference-Applied: wait=5\r\n" : "");
        (void)snprintf(body, sizeof(body),
                       "{\"node_id\":\"%s\",\"boot_id\":\"%032x\",\"instance\":\"%016x\",\"seq\":"
                       "%llu,\"role\":\"agent\",\"health\":\"%s\",\"phase\":\"running\","
                       "\"components\":[{\"name\":\"a\",\"health\":\"%s\",\"text\":\"a is bad\"},"
                       "{\"name\":\"b\",\"health\":\"%s\",\"text\":\"b is bad\"}]}",
                       s->id ? s->id : own, s->boot + 1, 7u, (unsigned long long)s->seq, health,
                       health, health);
        reply(c, 200, fields, body);
}

static void reply_unchanged(struct conn *c)
{
        reply(c, 304, c->server->waits ? "Preference-Applied: wait=5\r\n" : "", "");
}

static void reply_outputs(struct conn *c)
{
        char body[1024];

        c->server->n_outputs++;
        (void)snprintf(body, sizeof(body), "{\"instance\":\"%016x\",\"components\":[%s]}", 7u,
                       c->server->outputs ? c->server->outputs : "");
        reply(c, c->server->outputs ? 200 : 404, "", body);
}

static void reply_old(struct conn *c)
{
        reply(c, 200, "",
              c->server->bad ? "{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"bad\"}]}"
                             : "{\"units\":[{\"id\":\"a\",\"health\":0}]}");
}

static void flood(struct conn *c)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", c->server->n_body);
        for (size_t i = 0; i < c->server->n_body; i++)
                buf_putc(&b, '[');
        say(c, b.data, b.n);
}

static bool is_current(const struct conn *c)
{
        char match[64];

        (void)snprintf(match, sizeof(match), "If-None-Match: \"7.%llx\"\r\n",
                       (unsigned long long)c->server->seq);
        return strstr(c->text, match) != NULL;
}

static void serve(struct conn *c)
{
        struct server *s = c->server;
        bool is_old = strncmp(c->text, "GET /system/health/v1 ", 22) == 0;

        c->held = true;
        if (strstr(c->text, "fields=outputs")) {
                reply_outputs(c);
                return;
        }
        ck_assert_uint_lt(s->n_heard, REQUESTS_MAX);
        s->heard[s->n_heard].at_usec = fake_usec;
        memcpy(s->heard[s->n_heard++].text, c->text, sizeof(c->text));
        s->seq += s->hurries;
        if (s->mute)
                return;
        if (s->raw) {
                say(c, s->raw, strlen(s->raw));
                hang_up(c);
        } else if (s->n_body)
                flood(c);
        else if (is_old)
                reply_old(c);
        else if (s->old)
                reply(c, 404, "", "");
        else if (!is_current(c))
                reply_report(c);
        else if (!s->holds)
                reply_unchanged(c);
}

static int on_request(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
                      void *userdata)
{
        struct conn *c = userdata;
        ssize_t n = recv(fd, c->text + c->n, sizeof(c->text) - 1 - c->n, 0);

        if (n <= 0) {
                if (n == 0 || errno != EAGAIN)
                        hang_up(c);
                return 0;
        }
        c->n += (size_t)n;
        c->text[c->n] = '\0';
        if (strstr(c->text, "\r\n\r\n")) {
                c->n = 0;
                serve(c);
        }
        return 0;
}

static int on_knock(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
                    void *userdata)
{
        struct server *s = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct conn *c = &s->conns[s->n_conns];

        if (client < 0)
                return 0;
        ck_assert_uint_lt(s->n_conns, CONNS_MAX);
        s->n_conns++;
        *c = (struct conn){.server = s, .fd = client};
        ck_assert_int_ge(
                sd_event_add_io(loop_event(loop), &c->source, client, EPOLLIN, on_request, c), 0);
        return 0;
}

/* Each process has addresses of its own, and each of its servers one. */
static void name_server(struct server *s, unsigned number)
{
        unsigned pid = (unsigned)getpid();

        *s = (struct server){.number = number, .fd = -1, .seq = 1, .waits = true, .holds = true};
        (void)snprintf(s->address, sizeof(s->address), "127.%u.%u.%u", 64 + (pid >> 14) % 64,
                       (pid >> 6) % 256, (pid % 64) * 4 + number);
}

static void open_port(struct server *s, uint16_t port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
        int yes = 1;

        ck_assert_int_eq(inet_pton(AF_INET, s->address, &sa.sin_addr), 1);
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        ck_assert_msg(bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0, "%s:%u: %s", s->address,
                      port, strerror(errno));
        ck_assert_int_eq(listen(s->fd, 16), 0);
        ck_assert_int_ge(sd_event_add_io(loop_event(loop), &s->source, s->fd, EPOLLIN, on_knock, s),
                         0);
}

static void close_server(struct server *s)
{
        s->source = sd_event_source_disable_unref(s->source);
        if (s->fd >= 0)
                close(s->fd);
        s->fd = -1;
        for (unsigned i = 0; i < s->n_conns; i++)
                hang_up(&s->conns[i]);
        s->n_conns = 0;
}

static struct server *new_server(void)
{
        struct server *s = &servers[n_servers];

        ck_assert_uint_lt(n_servers, SERVERS_MAX);
        name_server(s, n_servers++);
        open_port(s, PORT_OF_TEST);
        return s;
}

static struct conn *held_by(struct server *s)
{
        for (unsigned i = 0; i < s->n_conns; i++)
                if (s->conns[i].held)
                        return &s->conns[i];
        return NULL;
}

static const char *last(const struct server *s)
{
        ck_assert_uint_gt(s->n_heard, 0);
        return s->heard[s->n_heard - 1].text;
}

static uint64_t last_at(const struct server *s)
{
        ck_assert_uint_gt(s->n_heard, 0);
        return s->heard[s->n_heard - 1].at_usec;
}

static bool is_plain(const char *request)
{
        return !strstr(request, "If-None-Match:");
}

/* --- the loop ------------------------------------------------------------------------------------ */

static unsigned count_held(void)
{
        unsigned n = 0;

        for (unsigned i = 0; i < n_servers; i++)
                for (unsigned k = 0; k < servers[i].n_conns; k++)
                        n += servers[i].conns[k].held;
        return n;
}

static unsigned count_asking(void)
{
        struct poller_stats stats;

        poller_stats(poller, &stats);
        return stats.n_active + stats.n_held;
}

/* Until every request is with a node that holds it, and nothing is left to do at this moment. */
static void settle(void)
{
        bool quiet = false;

        for (unsigned n_ms = 0; !quiet; n_ms++) {
                int k = 0;

                ck_assert_uint_lt(n_ms, PATIENCE_MS);
                while (fake_timers_fire(fake_usec) || (k = sd_event_run(loop_event(loop), 0)) > 0)
                        ;
                ck_assert_int_eq(k, 0);
                quiet = count_asking() == count_held();
                if (!quiet)
                        (void)sd_event_run(loop_event(loop), MS);
        }
}

static void pass(uint64_t usec)
{
        uint64_t until = fake_usec + usec;

        settle();
        while (fake_timers_fire(until))
                settle();
        fake_usec = until;
        settle();
}

/* For what is not counted: outputs. */
static void wait_for(const unsigned *n, unsigned at_least)
{
        for (unsigned n_ms = 0; *n < at_least; n_ms++) {
                ck_assert_uint_lt(n_ms, PATIENCE_MS);
                (void)sd_event_run(loop_event(loop), MS);
                (void)fake_timers_fire(fake_usec);
        }
}

static void on_added(_unused_ void *userdata, struct node *n)
{
        ck_assert_int_eq(poller_add(poller, n), 0);
}

static void on_leaving(_unused_ void *userdata, struct node *n)
{
        poller_remove(poller, n);
}

static void on_roster_changed(_unused_ void *userdata, _unused_ struct node *n)
{
}

static void on_ask_again(_unused_ void *userdata, struct node *n)
{
        poller_ask_again(poller, n);
}

static const struct roster_ops ops = {on_added, on_leaving, on_roster_changed, on_ask_again};

static void on_changed(_unused_ void *userdata, _unused_ struct node *n, bool is_new)
{
        n_changed++;
        n_new += is_new;
}

static void setup(void)
{
        static const struct fetcher_options kept = {.n_kept_max = 64};
        struct poller_options options = {.changed = on_changed};

        fake_time_begin();
        n_servers = n_changed = n_new = 0;
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, &kept), 0);
        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
        options.loop = loop;
        options.fetcher = fetcher;
        options.roster = roster;
        ck_assert_int_eq(poller_new(&poller, &options), 0);
}

static void teardown(void)
{
        roster = roster_free(roster);
        poller = poller_free(poller);
        fetcher = fetcher_free(fetcher);
        for (unsigned i = 0; i < n_servers; i++)
                close_server(&servers[i]);
        loop = loop_free(loop);
        fake_time_end();
}

static struct node *add_at(const struct server *s, enum diag_role role, uint16_t port)
{
        const struct found f = {.address = s->address, .role = role, .port = port};
        struct node *n = roster_add(roster, DIAG_SOURCE_STATIC, &f, NULL);

        ck_assert_ptr_nonnull(n);
        return n;
}

static struct node *add(const struct server *s, enum diag_role role)
{
        return add_at(s, role, PORT_OF_TEST);
}

static void remove_all(void)
{
        const struct finding nobody = {.source = DIAG_SOURCE_STATIC, .has_list = true};

        roster_take(roster, &nobody);
}

static void must_hear(const struct server *s, const char *text)
{
        ck_assert_msg(strstr(last(s), text) != NULL, "%s: not in: %s", text, last(s));
}

static void must_not_hear(const struct server *s, const char *text)
{
        ck_assert_msg(strstr(last(s), text) == NULL, "%s: in: %s", text, last(s));
}

static void must_be_between(uint64_t usec, uint64_t from, uint64_t to)
{
        ck_assert_msg(usec >= from && usec <= to, "%llu us is not from %llu to %llu",
                      (unsigned long long)usec, (unsigned long long)from, (unsigned long long)to);
}

/* --- a node that waits -------------------------------------------------------------------------- */

START_TEST(asks_plainly_and_then_waits)
{
        struct server *s = new_server();
        bool is_master = _i;
        struct node *n = add(s, is_master ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT);
        struct poller_stats stats;

        pass(200 * MS);
        ck_assert_uint_eq(s->n_heard, 2);
        ck_assert(is_plain(s->heard[0].text));
        ck_assert_ptr_nonnull(strstr(s->heard[0].text, "Prefer: wait=5; jitter=0\r\n"));
        ck_assert_ptr_nonnull(
                strstr(s->heard[0].text, "GET /system/health/v2/node?fields=health HTTP/1.1\r\n"));
        must_hear(s, "If-None-Match: \"7.1\"\r\n");
        must_hear(s, is_master ? "Prefer: wait=5; jitter=0\r\n" : "Prefer: wait=2");
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V2);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_OK);
        ck_assert_uint_eq(n_new, 1);
        poller_stats(poller, &stats);
        ck_assert_uint_eq(stats.n_held, 1);
        ck_assert_uint_eq(stats.n_active + stats.n_queued, 0);
        ck_assert_uint_eq(stats.n_polls[ANSWER_REPORT], 1);
        ck_assert_uint_eq(stats.n_changes, 1);
        ck_assert_uint_eq(s->n_conns, 1); /* kept */
}
END_TEST

START_TEST(asks_again_when_told_of_nothing_new)
{
        struct server *s = new_server();
        uint64_t answered;
        unsigned n;

        add(s, DIAG_ROLE_AGENT);
        pass(S);
        for (unsigned i = 0; i < 3; i++) {
                pass(5 * S);
                n = s->n_heard;
                ck_assert_uint_eq(n, i + 2);
                reply_unchanged(held_by(s));
                answered = fake_usec;
                pass(100 * MS);
                ck_assert_uint_eq(s->n_heard, n + 1);
                ck_assert_uint_eq(last_at(s), answered);
                must_hear(s, "If-None-Match: \"7.1\"\r\n");
        }
        ck_assert_uint_eq(n_changed, 1);
}
END_TEST

/* One that says 304 at once, always. */
START_TEST(asks_no_oftener_than_once_a_second)
{
        struct server *s = new_server();

        s->holds = false;
        add(s, DIAG_ROLE_MASTER);
        pass(20 * S);
        for (unsigned i = 2; i < s->n_heard; i++)
                must_be_between(s->heard[i].at_usec - s->heard[i - 1].at_usec, S, S + 100 * MS);
        must_be_between(s->n_heard, 18, 22);
}
END_TEST

START_TEST(hears_of_a_change_at_once)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);

        pass(3 * S);
        for (unsigned i = 0; i < 5; i++) {
                s->seq++;
                s->bad = !s->bad;
                reply_report(held_by(s));
                pass(1);
                ck_assert_int_eq(n->report->health, s->bad ? DIAG_UNHEALTHY : DIAG_HEALTHY);
                ck_assert_uint_eq(last_at(s), fake_usec - 1);
        }
        ck_assert_uint_eq(n_new, 6);
}
END_TEST

/* One that has always something new to say gets so many at once, and then one a second. */
START_TEST(slows_down_who_never_stops)
{
        struct server *s = new_server();
        unsigned n;

        s->hurries = true;
        add(s, DIAG_ROLE_AGENT);
        pass(200 * MS);
        must_be_between(s->n_heard, 20, 22);
        n = s->n_heard;
        pass(9 * S);
        must_be_between(s->n_heard - n, 8, 10);
        n = s->n_heard;
        pass(100 * S);
        must_be_between(s->n_heard - n, 0, 10 * (20 + 11));
}
END_TEST

/* --- one that does not -------------------------------------------------------------------------- */

START_TEST(asks_at_intervals_who_does_not_wait)
{
        struct server *s = new_server();
        bool is_master = _i;

        s->waits = s->holds = false;
        add(s, is_master ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT);
        pass(200 * S);
        ck_assert_uint_gt(s->n_heard, 5);
        for (unsigned i = 1; i < s->n_heard; i++) {
                uint64_t apart = s->heard[i].at_usec - s->heard[i - 1].at_usec;

                ck_assert(!is_plain(s->heard[i].text)); /* an "unchanged" is cheaper */
                must_be_between(apart, is_master ? 5 * S : 24 * S,
                                is_master ? 5 * S + 100 * MS : 36 * S + 200 * MS);
        }
        ck_assert_int_eq(node_reach(roster_at(roster, 0), fake_usec), DIAG_REACH_OK);
}
END_TEST

/* Whoever is due first is asked first, however late the others are. */
START_TEST(asks_each_at_its_interval)
{
        struct server *agent = new_server(), *master = new_server();

        agent->waits = agent->holds = master->waits = master->holds = false;
        add(agent, DIAG_ROLE_AGENT);
        add(master, DIAG_ROLE_MASTER);
        pass(200 * S);
        for (unsigned i = 1; i < master->n_heard; i++)
                must_be_between(master->heard[i].at_usec - master->heard[i - 1].at_usec, 5 * S,
                                5 * S + 100 * MS);
        must_be_between(agent->n_heard, 200 / 36, 200 / 24 + 1);
}
END_TEST

START_TEST(speaks_the_older_language)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);
        unsigned n_v2 = 0;

        s->old = true;
        pass(200 * MS);
        ck_assert_uint_eq(s->n_heard, 2); /* at once */
        must_hear(s, "GET /system/health/v1 HTTP/1.1\r\n");
        must_not_hear(s, "Prefer:");
        must_not_hear(s, "If-None-Match:");
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V1);
        ck_assert_int_eq(n->report->health, DIAG_HEALTHY);
        ck_assert_uint_eq(n->n_failures, 0);
        pass(599 * S);
        for (unsigned i = 2; i < s->n_heard; i++)
                ck_assert_ptr_nonnull(strstr(s->heard[i].text, "GET /system/health/v1 "));
        must_be_between(s->n_heard, 599 / 36, 599 / 24 + 3);
        pass(40 * S);
        for (unsigned i = 2; i < s->n_heard; i++)
                n_v2 += strstr(s->heard[i].text, "/system/health/v2/") != NULL;
        ck_assert_uint_eq(n_v2, 1);
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V1);
        ck_assert_uint_eq(n->n_failures, 0);
        s->old = false;
        pass(700 * S);
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V2);
        ck_assert_ptr_nonnull(held_by(s));
}
END_TEST

/* --- silence ------------------------------------------------------------------------------------- */

/* When requests failed, by looking every 10 ms. */
static unsigned note_failures(uint64_t *at, unsigned max, uint64_t usec)
{
        uint64_t until = fake_usec + usec, seen;
        struct poller_stats stats;
        unsigned n = 0;

        poller_stats(poller, &stats);
        seen = stats.n_polls[ANSWER_NONE];
        while (fake_usec < until && n < max) {
                pass(10 * MS);
                poller_stats(poller, &stats);
                for (; seen < stats.n_polls[ANSWER_NONE] && n < max; seen++)
                        at[n++] = fake_usec;
        }
        return n;
}

START_TEST(asks_ever_less_often_who_refuses)
{
        static const unsigned pauses_msec[] = {250, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);
        uint64_t at[9] = {0};

        pass(S);
        close_server(s);
        ck_assert_uint_eq(note_failures(at, ELEMENTSOF(at), 200 * S), ELEMENTSOF(at));
        for (size_t i = 0; i + 1 < ELEMENTSOF(at); i++) {
                uint64_t pause = pauses_msec[i] * MS, part = i ? pause / 4 : pause;

                must_be_between(at[i + 1] - at[i], pause - part, pause + part + 150 * MS);
        }
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_UNREACHABLE);
        ck_assert_str_eq(n->fault, "connection refused");
        open_port(s, PORT_OF_TEST);
        pass(40 * S);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_OK);
        ck_assert_uint_eq(n->n_failures, 0);
}
END_TEST

START_TEST(gives_nobody_up_for_one_failure)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);
        uint64_t since = 0;
        unsigned n_late = 0;

        pass(S);
        close_server(s);
        for (unsigned i = 0; i < 1000 && node_reach(n, fake_usec) != DIAG_REACH_UNREACHABLE; i++) {
                pass(10 * MS);
                n_late += node_reach(n, fake_usec) == DIAG_REACH_LATE;
                since = since || !n->failing_boot_usec ? since : fake_usec;
        }
        ck_assert_uint_gt(n_late, 290);
        ck_assert_uint_ge(n->n_failures, 2);
        must_be_between(fake_usec - since, 3 * S - 20 * MS, 7 * S);
}
END_TEST

/* Of a master whose port nobody says: the node daemon's, then the front door. */
START_TEST(tries_both_ports_of_a_master)
{
        struct server *s = &servers[n_servers];
        struct poller_stats stats;
        struct node *n;

        name_server(s, n_servers++);
        n = add_at(s, DIAG_ROLE_MASTER, 0);
        pass(100 * MS);
        ck_assert_uint_eq(n->port, 1050);
        poller_stats(poller, &stats);
        ck_assert_uint_eq(stats.n_polls[ANSWER_NONE] % 2, 0);
        ck_assert_uint_eq(n->n_failures * 2, stats.n_polls[ANSWER_NONE]); /* both are one attempt */
        open_port(s, 1050);
        s->old = true;
        pass(2 * S);
        ck_assert_uint_eq(n->port, 1050);
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V1);
        close_server(s);
        s->old = false;
        open_port(s, 1051);
        pass(60 * S);
        ck_assert_uint_eq(n->port, 1051);
        pass(600 * S);
        ck_assert_int_eq(n->protocol, DIAG_PROTOCOL_V2);
}
END_TEST

START_TEST(keeps_to_a_port_that_is_said)
{
        struct server *s = &servers[n_servers];
        struct node *n;

        name_server(s, n_servers++);
        n = add_at(s, DIAG_ROLE_MASTER, 7);
        pass(10 * S);
        ck_assert_uint_eq(n->port, 7);
        ck_assert_uint_gt(n->n_failures, 2);
}
END_TEST

static const struct {
        const char *raw; /* NULL: a flood */
        size_t n_body;
        enum answer_kind kind;
        const char *fault;
} nonsense[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n",                                                        0,                       ANSWER_BAD,  NULL                                 },
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 0,
         ANSWER_BAD,                                                                                                             "it redirects, which is not followed"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",                                 0,                       ANSWER_BAD,
         "its answer is no report: instance is not 16 hex digits"                                                                                                     },
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",                                0,                       ANSWER_NONE, NULL                                 },
        {"HTTP/1.1 304 Not Modified\r\n\r\n",                                              0,                       ANSWER_BAD,  "it answers with HTTP status 304"    },
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",                                 0,                       ANSWER_BAD,
         "it answers with HTTP status 503"                                                                                                                            },
        {"",                                                                               0,                       ANSWER_NONE, NULL                                 },
        {NULL,                                                                             ANSWER_V2_BYTES_MAX + 1, ANSWER_BAD,  NULL                                 },
};

START_TEST(survives_nonsense)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);
        struct poller_stats stats;

        s->raw = nonsense[_i].raw;
        s->n_body = nonsense[_i].n_body;
        pass(10 * S);
        poller_stats(poller, &stats);
        ck_assert_uint_gt(stats.n_polls[nonsense[_i].kind], 2);
        ck_assert_uint_lt(s->n_heard, 7);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_NEVER);
        ck_assert_int_eq(n->bad_answer, nonsense[_i].kind == ANSWER_BAD);
        ck_assert_ptr_nonnull(n->fault);
        if (nonsense[_i].fault)
                ck_assert_str_eq(n->fault, nonsense[_i].fault);
        s->raw = NULL;
        s->n_body = 0;
        pass(20 * S);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_OK);
}
END_TEST

START_TEST(knows_a_node_that_changes_its_mind)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);

        pass(2 * S);
        s->raw = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
        say(held_by(s), s->raw, strlen(s->raw));
        pass(10 * MS);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_LATE);
        s->raw = NULL;
        pass(2 * S);
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_OK);
        ck_assert(is_plain(s->heard[2].text) || is_plain(s->heard[3].text));
        ck_assert_ptr_nonnull(held_by(s));
}
END_TEST

/* --- asking again -------------------------------------------------------------------------------- */

START_TEST(breaks_off_what_is_held)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);
        unsigned n_heard;

        pass(2 * S);
        n_heard = s->n_heard;
        ck_assert_ptr_nonnull(held_by(s));
        poller_ask_again(poller, n);
        pass(200 *
             MS); /* and hung up on: but at once the next one is held, or a goodbye would be missed */
        ck_assert_uint_eq(s->n_heard, n_heard + 2);
        ck_assert(is_plain(s->heard[n_heard].text));
        ck_assert(!is_plain(last(s)));
        ck_assert_uint_eq(count_held(), 1);
        ck_assert_uint_eq(n->n_failures, 0);
}
END_TEST

START_TEST(does_not_ask_twice_what_is_being_asked)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);

        s->mute = true;
        pass(500 * MS);
        ck_assert_uint_eq(s->n_heard, 1);
        for (unsigned i = 0; i < 5; i++) {
                poller_ask_again(poller, n);
                pass(100 * MS);
        }
        ck_assert_uint_eq(s->n_heard, 1);
}
END_TEST

/* Two say to be one, of different boots: both are asked again from within their own answer. */
START_TEST(asks_those_again_who_say_to_be_one)
{
        static const char id[] = "0123456789abcdef0123456789abcdef";
        struct server *a = new_server(), *b = new_server();
        struct node *n = add(a, DIAG_ROLE_AGENT), *m = add(b, DIAG_ROLE_AGENT);

        a->id = b->id = id;
        b->boot = 1;
        pass(5 * S);
        ck_assert(n->conflict && m->conflict);
        ck_assert_uint_lt(a->n_heard, 12);
        ck_assert_uint_lt(b->n_heard, 12);
        ck_assert_uint_eq(count_asking(), 2);
        b->id = NULL;
        b->seq++;
        reply_report(held_by(b));
        pass(5 * S);
        ck_assert(!m->conflict);
}
END_TEST

/* --- rounds -------------------------------------------------------------------------------------- */

static unsigned n_done;

static void on_done(_unused_ void *userdata)
{
        n_done++;
}

static void begin_round(void)
{
        n_done = 0;
        ck_assert_int_eq(poller_round(poller, on_done, NULL), 0);
}

START_TEST(asks_whose_answer_does_not_stand)
{
        struct server *master = new_server(), *agent = new_server(), *slow = new_server();
        unsigned n_master, n_agent, n_slow;

        slow->waits = slow->holds = false;
        add(master, DIAG_ROLE_MASTER);
        add(agent, DIAG_ROLE_AGENT);
        add(slow, DIAG_ROLE_AGENT);
        pass(5 * S);
        n_master = master->n_heard;
        n_agent = agent->n_heard;
        n_slow = slow->n_heard;
        begin_round();
        ck_assert_int_eq(poller_round(poller, on_done, NULL), -EBUSY);
        ck_assert_uint_eq(n_done, 0);
        pass(500 * MS);
        ck_assert_uint_eq(n_done, 1);
        ck_assert(master->n_heard > n_master && is_plain(master->heard[n_master].text));
        ck_assert(slow->n_heard == n_slow + 1 && is_plain(slow->heard[n_slow].text));
        ck_assert_uint_eq(agent->n_heard, n_agent);
        pass(20 * S);
        ck_assert_uint_eq(n_done, 1);
        begin_round();
        pass(S);
        ck_assert_uint_eq(n_done, 1);
}
END_TEST

START_TEST(ends_a_round_without_anybody)
{
        begin_round();
        ck_assert_uint_eq(n_done, 1);
}
END_TEST

START_TEST(ends_a_round_whatever_goes_wrong)
{
        struct server *gone = new_server(), *odd = new_server(), *old = new_server(), *mute;

        add(gone, DIAG_ROLE_MASTER);
        add(odd, DIAG_ROLE_AGENT);
        add(old, DIAG_ROLE_AGENT);
        mute = new_server();
        add(mute, DIAG_ROLE_AGENT);
        old->old = true;
        odd->raw = "nonsense\r\n";
        close_server(gone);
        pass(S);
        mute->mute = true;
        begin_round();
        pass(2 * S);
        ck_assert_uint_eq(n_done, 1); /* who holds a request has nothing new to say */
        poller_ask_again(poller, roster_find(roster, mute->address));
        pass(200 * MS);
        begin_round();
        pass(2 * S);
        ck_assert_uint_eq(n_done, 0); /* it is still being asked */
        mute->mute = false;
        reply_report(held_by(mute));
        pass(S);
        ck_assert_uint_eq(n_done, 1);
}
END_TEST

START_TEST(ends_a_round_when_nodes_go)
{
        struct server *a = new_server(), *b = new_server();
        unsigned when = (unsigned)_i; /* 0: before they were asked; 1: while they are */

        a->mute = b->mute = true;
        add(a, DIAG_ROLE_MASTER);
        add(b, DIAG_ROLE_AGENT);
        begin_round();
        if (when)
                pass(S);
        ck_assert_uint_eq(n_done, 0);
        remove_all();
        ck_assert_uint_eq(n_done, 1);
        ck_assert_uint_eq(roster_n(roster), 0);
        ck_assert_uint_eq(count_asking(), 0);
        begin_round();
        ck_assert_uint_eq(n_done, 1);
}
END_TEST

static void on_done_again(_unused_ void *userdata)
{
        if (++n_done < 3)
                ck_assert_int_eq(poller_round(poller, on_done_again, NULL), 0);
}

START_TEST(begins_the_next_round_from_the_end_of_one)
{
        struct server *s = new_server();

        s->waits = s->holds = false;
        add(s, DIAG_ROLE_AGENT);
        pass(S);
        n_done = 0;
        ck_assert_int_eq(poller_round(poller, on_done_again, NULL), 0);
        pass(2 * S);
        ck_assert_uint_eq(n_done, 3);
        ck_assert_uint_eq(s->n_heard, 4);
}
END_TEST

/* --- outputs ------------------------------------------------------------------------------------- */

#define OUTPUT(name, text) "{\"name\":\"" name "\",\"output\":\"" text "\"}"

START_TEST(fetches_what_was_printed)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);

        s->outputs = OUTPUT("a", "last words");
        pass(S);
        poller_tick(poller);
        pass(S);
        poller_tick(poller);
        pass(S);
        ck_assert_uint_eq(s->n_outputs, 0); /* of one that is well: nothing */
        s->bad = true;
        s->seq++;
        reply_report(held_by(s));
        pass(10 * MS);
        ck_assert_str_eq(n->outputs[0], "a is bad\n");
        poller_tick(poller);
        pass(700 * MS);
        poller_tick(poller);
        pass(10 * MS);
        ck_assert_uint_eq(s->n_outputs, 0); /* they come a little later */
        n_changed = 0;
        pass(100 * MS);
        poller_tick(poller);
        wait_for(&n_changed, 1);
        ck_assert_str_eq(n->outputs[0], "last words");
        ck_assert_str_eq(n->outputs[1], "b is bad\n"); /* of which it said nothing */
        s->outputs = OUTPUT("a", "very last words") "," OUTPUT("b", "b's");
        pass(4 * S);
        poller_tick(poller);
        pass(100 * MS);
        ck_assert_uint_eq(s->n_outputs, 1);
        pass(S);
        poller_tick(poller);
        wait_for(&n_changed, 2);
        ck_assert_str_eq(n->outputs[0], "very last words");
        ck_assert_str_eq(n->outputs[1], "b's");
        for (unsigned i = 0; i < 20; i++) {
                pass(S);
                poller_tick(poller);
        }
        ck_assert_uint_eq(s->n_outputs, 2); /* and no more of the same change */
}
END_TEST

START_TEST(does_without_outputs)
{
        struct server *s = new_server();
        struct node *n = add(s, DIAG_ROLE_AGENT);

        s->bad = true;
        s->outputs = _i ? "7" : NULL;
        pass(S);
        poller_tick(poller);
        wait_for(&s->n_outputs, 1);
        pass(S);
        ck_assert_str_eq(n->outputs[0], "a is bad\n");
        ck_assert_int_eq(node_reach(n, fake_usec), DIAG_REACH_OK);
}
END_TEST

/* --- ages ---------------------------------------------------------------------------------------- */

START_TEST(finds_facts_too_old)
{
        struct server *s = new_server();
        struct node *n = add(s, _i ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT);

        pass(S);
        ck_assert_uint_gt(poller_max_age(n), NODE_FACTS_MAX_AGE_USEC);
        fake_usec += poller_max_age(n) - S - MS;
        poller_tick(poller);
        ck_assert(!n->stale);
        fake_usec += S;
        n_changed = 0;
        poller_tick(poller);
        poller_tick(poller);
        ck_assert(n->stale);
        ck_assert_uint_eq(n_changed, 1);
}
END_TEST

/* --- life ---------------------------------------------------------------------------------------- */

START_TEST(lets_go_at_any_moment)
{
        struct server *s = new_server();

        s->bad = true;
        s->outputs = "";
        s->mute = _i == 2;
        add(s, _i % 2 ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT);
        switch (_i) {
        case 0: /* in the wheel */
                break;
        case 1: /* on its way */
                while (!count_asking())
                        ck_assert(fake_timers_fire(fake_usec + S));
                break;
        case 2: /* heard, and not answered */
        case 3: /* held */
                pass(S);
                break;
        case 4: /* in a lane */
                while (!count_asking()) {
                        struct poller_stats stats;

                        poller_stats(poller, &stats);
                        if (stats.n_queued)
                                break;
                        ck_assert(fake_timers_fire(fake_usec + S));
                }
                break;
        default: /* while its outputs are fetched */
                pass(S);
                poller_tick(poller);
        }
        remove_all();
        ck_assert_uint_eq(count_asking(), 0);
        n_changed = 0;
        pass(S);
        ck_assert_uint_eq(n_changed, 0);
}
END_TEST

/* While all are held for long nothing is planned; what is planned then must still come when it should. */
START_TEST(keeps_time_after_a_long_calm)
{
        struct server *s = new_server();
        uint64_t at[4] = {0};

        add(s, DIAG_ROLE_MASTER);
        pass(2 * S);
        for (unsigned i = 0; i < 200; i++) {
                pass(5 * S);
                reply_unchanged(held_by(s));
        }
        pass(S);
        close_server(s);
        ck_assert_uint_eq(note_failures(at, 4, 20 * S), 4);
        must_be_between(at[2] - at[1], 750 * MS, 1400 * MS);
        must_be_between(at[3] - at[2], 1500 * MS, 2650 * MS);
        open_port(s, PORT_OF_TEST);
        s->waits = s->holds = false;
        pass(20 * S);
        for (unsigned i = s->n_heard - 2; i < s->n_heard; i++)
                must_be_between(s->heard[i].at_usec - s->heard[i - 1].at_usec, 5 * S,
                                5 * S + 100 * MS);
}
END_TEST

START_TEST(waits_its_interval_after_a_long_calm)
{
        struct server *s = new_server();
        unsigned n;

        add(s, DIAG_ROLE_MASTER);
        pass(2 * S);
        for (unsigned i = 0; i < 200; i++) {
                pass(5 * S);
                reply_unchanged(held_by(s));
        }
        pass(S);
        s->waits = s->holds = false;
        reply_unchanged(held_by(s));
        n = s->n_heard;
        pass(4 * S); /* at once, and once more: it may have stopped holding because it ends */
        ck_assert_uint_eq(s->n_heard, n + 2);
        pass(3 * S);
        ck_assert_uint_eq(s->n_heard, n + 3);
}
END_TEST

START_TEST(counts)
{
        struct server *s = new_server();
        struct poller_stats stats;
        uint64_t n = 0;

        s->holds = false;
        add(s, DIAG_ROLE_MASTER);
        pass(3 * S + 500 * MS);
        poller_stats(poller, &stats);
        ck_assert_uint_eq(stats.n_polls[ANSWER_REPORT], 1);
        ck_assert_uint_eq(stats.n_polls[ANSWER_UNCHANGED], s->n_heard - 1);
        ck_assert_uint_eq(stats.n_changes, 1);
        for (size_t i = 0; i < ELEMENTSOF(stats.duration_buckets); i++)
                n += stats.duration_buckets[i];
        ck_assert_uint_eq(n, 1); /* but for those that might have been held */
        close_server(s);
        pass(10 * S);
        poller_stats(poller, &stats);
        ck_assert_uint_gt(stats.n_polls[ANSWER_NONE], 2);
        ck_assert_uint_eq(stats.n_polls[ANSWER_BAD] + stats.n_polls[ANSWER_BUSY], 0);
        ck_assert_uint_eq(stats.n_active + stats.n_held + stats.n_queued, 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("poller");
        TCase *t = tcase_create("it");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, asks_plainly_and_then_waits, 0, 2);
        tcase_add_test(t, asks_again_when_told_of_nothing_new);
        tcase_add_test(t, asks_no_oftener_than_once_a_second);
        tcase_add_test(t, hears_of_a_change_at_once);
        tcase_add_test(t, slows_down_who_never_stops);
        tcase_add_loop_test(t, asks_at_intervals_who_does_not_wait, 0, 2);
        tcase_add_test(t, asks_each_at_its_interval);
        tcase_add_test(t, speaks_the_older_language);
        tcase_add_test(t, asks_ever_less_often_who_refuses);
        tcase_add_test(t, gives_nobody_up_for_one_failure);
        tcase_add_test(t, tries_both_ports_of_a_master);
        tcase_add_test(t, keeps_to_a_port_that_is_said);
        tcase_add_loop_test(t, survives_nonsense, 0, ELEMENTSOF(nonsense));
        tcase_add_test(t, knows_a_node_that_changes_its_mind);
        tcase_add_test(t, breaks_off_what_is_held);
        tcase_add_test(t, does_not_ask_twice_what_is_being_asked);
        tcase_add_test(t, asks_those_again_who_say_to_be_one);
        tcase_add_test(t, asks_whose_answer_does_not_stand);
        tcase_add_test(t, ends_a_round_without_anybody);
        tcase_add_test(t, ends_a_round_whatever_goes_wrong);
        tcase_add_loop_test(t, ends_a_round_when_nodes_go, 0, 2);
        tcase_add_test(t, begins_the_next_round_from_the_end_of_one);
        tcase_add_test(t, fetches_what_was_printed);
        tcase_add_loop_test(t, does_without_outputs, 0, 2);
        tcase_add_loop_test(t, finds_facts_too_old, 0, 2);
        tcase_add_loop_test(t, lets_go_at_any_moment, 0, 6);
        tcase_add_test(t, keeps_time_after_a_long_calm);
        tcase_add_test(t, waits_its_interval_after_a_long_calm);
        tcase_add_test(t, counts);
        suite_add_tcase(s, t);
        return test_main(s);
}
