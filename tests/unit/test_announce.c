/* It tells every master it should, as often as they want it, and nobody else. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <jansson.h>

#include "agentd/announce.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define MASTERS     3u
#define REQUEST_MAX 4096u
#define TLS_HELLO   0x16
#define INSTANCE    UINT64_C(0x1122334455667788)
#define ACCEPTED    "200 OK\r\n\r\n{\"accepted\":true,\"masters\":[],\"interval_seconds\":600}"
#define REFUSED \
        "422 No\r\n\r\n{\"code\":422,\"error\":\"it is another node\",\"reason\":\"not-confirmed\"}"
#define FIFTH_LESS(ticks) ((ticks) - (ticks) / 5)
#define FIFTH_MORE(ticks) ((ticks) + (ticks) / 5)

/* Masters on the same loop. */
static struct master {
        int fd;
        sd_event_source *source;
        struct master_address address;
        const char *answer;        /* NULL: it hangs up */
        unsigned n_told, n_hellos; /* of TLS */
        char request[REQUEST_MAX]; /* by which it was told last */
} masters[MASTERS];

struct visit {
        struct master *master;
        char request[REQUEST_MAX];
        size_t n;
};

static struct loop *loop;
static struct fetcher *fetcher;
static struct announce *announce;
static struct outside outside;

static const struct diag_node node = {
        .node_id = "0123456789abcdef0123456789abcdef",
        .boot_id = "fedcba9876543210fedcba9876543210",
        .hostname = "a1",
        .kernel_hostname = "k1",
        .address = "10.0.0.5",
        .mesos_id = "",
        .version = "1.2.3",
        .dcos_version = "",
        .config_hash = "",
        .port = 1050,
        .role = DIAG_ROLE_AGENT_PUBLIC,
};

/* --- the masters ------------------------------------------------------------------------------- */

static bool is_whole(const char *request)
{
        const char *end = strstr(request, "\r\n\r\n"), *n = strstr(request, "Content-Length: ");

        return end && (!n || strlen(end + 4) >= strtoul(n + 16, NULL, 10));
}

static void answer(const struct visit *v, int fd)
{
        struct master *m = v->master;

        if (strncmp(v->request, "PUT ", 4) == 0) {
                memcpy(m->request, v->request, sizeof(m->request));
                m->n_told++;
        }
        if (m->answer) {
                (void)send(fd, "HTTP/1.1 ", 9, MSG_NOSIGNAL);
                (void)send(fd, m->answer, strlen(m->answer), MSG_NOSIGNAL);
        }
}

static int on_request(sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        struct visit *v = userdata;
        ssize_t k = recv(fd, v->request + v->n, sizeof(v->request) - 1 - v->n, 0);

        v->n += k > 0 ? (size_t)k : 0;
        if (k > 0 && v->request[0] == TLS_HELLO)
                v->master->n_hellos++;
        else if (k > 0 && !is_whole(v->request))
                return 0;
        else if (k > 0)
                answer(v, fd);
        sd_event_source_disable_unref(s);
        close(fd);
        free(v);
        return 0;
}

static int on_knock(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        struct visit *v = calloc(1, sizeof(*v));
        sd_event_source *client;
        int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        ck_assert_ptr_nonnull(v);
        ck_assert_int_ge(client_fd, 0);
        v->master = userdata;
        ck_assert_int_ge(
                sd_event_add_io(loop_event(loop), &client, client_fd, EPOLLIN, on_request, v), 0);
        return 0;
}

static void open_master(struct master *m)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof(sa);

        m->answer = ACCEPTED;
        m->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(m->fd, 0);
        ck_assert_int_eq(bind(m->fd, (struct sockaddr *)&sa, n), 0);
        ck_assert_int_eq(listen(m->fd, 16), 0);
        ck_assert_int_eq(getsockname(m->fd, (struct sockaddr *)&sa, &n), 0);
        ck_assert_int_ge(sd_event_add_io(loop_event(loop), &m->source, m->fd, EPOLLIN, on_knock, m),
                         0);
        m->address = (struct master_address){.host = "127.0.0.1", .port = ntohs(sa.sin_port)};
}

static void setup(void)
{
        struct sock_address listens;

        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, NULL), 0);
        ck_assert_int_eq(announce_new(&announce, loop, INSTANCE), 0);
        for (unsigned i = 0; i < MASTERS; i++)
                open_master(&masters[i]);
        outside_begin(&outside, node.address);
        ck_assert_int_eq(parse_listen("0.0.0.0:1050", &listens), 0);
        outside_add(&outside, &listens, false);
}

static void teardown(void)
{
        announce = announce_free(announce);
        fetcher = fetcher_free(fetcher);
        for (unsigned i = 0; i < MASTERS; i++) {
                sd_event_source_disable_unref(masters[i].source);
                close(masters[i].fd);
        }
        loop = loop_free(loop);
}

static void on_mark(_unused_ const struct fetch_result *r, void *userdata)
{
        *(bool *)userdata = true;
}

/* What it was told before this has been answered behind it: it takes one after the other. */
static void settle_with(const struct master *m)
{
        struct fetch *mark;
        bool done = false;
        char url[128], at[MASTER_ADDRESS_MAX];
        const struct fetch_request q = {
                .url = url, .timeout_usec = 20 * USEC_PER_SEC, .max_bytes = 4096, .cut = true};

        (void)snprintf(url, sizeof(url), "http://%s/mark", master_address_format(at, &m->address));
        ck_assert_int_eq(fetch_start(&mark, fetcher, &q, on_mark, &done, NULL), 0);
        while (!done)
                ck_assert_int_ge(sd_event_run(loop_event(loop), UINT64_MAX), 0);
        fetch_free(mark);
        while (sd_event_run(loop_event(loop), 0) > 0)
                ;
}

static void settle(void)
{
        for (unsigned i = 0; i < MASTERS; i++)
                settle_with(&masters[i]);
}

static void tell(unsigned n)
{
        struct master_address list[MASTERS];

        for (unsigned i = 0; i < n; i++)
                list[i] = masters[i].address;
        ck_assert_int_eq(announce_set_masters(announce, list, n, NULL, NULL), 0);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, &outside), 0);
        settle();
}

/* Ticks until the first master is told again. */
static unsigned ticks_until_told(unsigned most)
{
        unsigned n_told = masters[0].n_told, tick = 0;

        while (masters[0].n_told == n_told && tick < most) {
                announce_tick(announce);
                settle_with(&masters[0]);
                tick++;
        }
        return masters[0].n_told == n_told ? most + 1 : tick;
}

/* --- what is told ------------------------------------------------------------------------------ */

START_TEST(tells_who_it_is)
{
        json_auto_t *body = NULL, *want = NULL;

        tell(2);
        ck_assert_uint_eq(masters[0].n_told, 1);
        ck_assert_uint_eq(masters[1].n_told, 1);
        ck_assert_uint_eq(masters[2].n_told, 0);
        ck_assert_ptr_nonnull(
                strstr(masters[0].request, "PUT /system/health/v2/announce HTTP/1.1\r\n"));
        ck_assert_ptr_nonnull(strstr(masters[0].request, "Content-Type: application/json\r\n"));
        body = json_loads(strstr(masters[0].request, "\r\n\r\n") + 4, JSON_REJECT_DUPLICATES, NULL);
        want = json_pack("{s:s,s:s,s:s,s:s,s:[s],s:i,s:s,s:s,s:s}", "node_id", node.node_id,
                         "boot_id", node.boot_id, "instance", "1122334455667788", "address",
                         "10.0.0.5", "addresses", "10.0.0.5", "port", 1050, "role", "agent_public",
                         "hostname", "a1", "version", "1.2.3");
        ck_assert(json_equal(body, want));
}
END_TEST

START_TEST(tells_nobody_before_there_is_something_to_tell)
{
        struct diag_node other = node;
        struct outside nowhere;

        outside_begin(&nowhere, node.address);
        ck_assert_int_eq(announce_set_masters(announce, &masters[0].address, 1, NULL, NULL), 0);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, &nowhere), 0);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, NULL), 0);
        other.role = DIAG_ROLE_MASTER;
        ck_assert_int_eq(announce_set_node(announce, &other, INSTANCE, &outside), 0);
        other.role = DIAG_ROLE_AGENT;
        other.node_id = "";
        ck_assert_int_eq(announce_set_node(announce, &other, INSTANCE, &outside), 0);
        for (unsigned i = 0; i < 200; i++)
                announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 0);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, &outside), 0);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 1);
}
END_TEST

START_TEST(tells_what_has_changed)
{
        struct diag_node other = node;

        tell(1);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, &outside),
                         0); /* nothing has */
        settle();
        ck_assert_uint_eq(masters[0].n_told, 1);
        other.hostname = "a2";
        ck_assert_int_eq(announce_set_node(announce, &other, INSTANCE, &outside), 0);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 2);
        ck_assert_ptr_nonnull(strstr(masters[0].request, "\"hostname\":\"a2\""));
        other.role = DIAG_ROLE_MASTER; /* it has become one */
        ck_assert_int_eq(announce_set_node(announce, &other, INSTANCE, &outside), 0);
        for (unsigned i = 0; i < 200; i++)
                announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 2);
}
END_TEST

START_TEST(tells_nobody_without_masters)
{
        tell(0);
        for (unsigned i = 0; i < 200; i++)
                announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told + masters[1].n_told + masters[2].n_told, 0);
}
END_TEST

/* --- how often --------------------------------------------------------------------------------- */

static const struct {
        const char *answer;
        unsigned ticks;
} intervals[] = {
        {ACCEPTED,                                                        120},
        {"200 OK\r\n\r\n{\"accepted\":true}",                             120},
        {"200 OK\r\n\r\n{\"accepted\":true,\"interval_seconds\":60}",     12 },
        {"200 OK\r\n\r\n{\"accepted\":true,\"interval_seconds\":1}",      6  },
        {"200 OK\r\n\r\n{\"accepted\":true,\"interval_seconds\":999999}", 720},
};

START_TEST(comes_back_when_it_is_told_to)
{
        bool differs = false;
        unsigned first;

        masters[0].answer = intervals[_i].answer;
        tell(1);
        first = ticks_until_told(1000);
        for (unsigned i = 0; i < 8; i++) {
                unsigned ticks = i ? ticks_until_told(1000) : first;

                ck_assert_uint_ge(ticks, FIFTH_LESS(intervals[_i].ticks));
                ck_assert_uint_le(ticks, FIFTH_MORE(intervals[_i].ticks));
                differs = differs || ticks != first;
        }
        ck_assert(differs);
}
END_TEST

static const char *const failures[] = {
        NULL,
        "no",
        REFUSED,
        "404 Not Found\r\n\r\n404 page not found",
        "429 Too Many\r\n\r\n{}",
        "307 Moved\r\nLocation: /other\r\n\r\n",
        "200 OK\r\n\r\n<html>",
        "200 OK\r\n\r\n{\"accepted\":false}",
        "500 No\r\n\r\n{\"accepted\":true}",
};

START_TEST(comes_back_ever_later_after_failures)
{
        static const unsigned ticks[] = {1, 2, 4, 8, 16, 32, 64, 120, 120};

        masters[0].answer = failures[_i];
        tell(1);
        for (size_t i = 0; i < ELEMENTSOF(ticks); i++) {
                unsigned n = ticks_until_told(1000);

                ck_assert_uint_ge(n, FIFTH_LESS(ticks[i]));
                ck_assert_uint_le(n, FIFTH_MORE(ticks[i]));
        }
        masters[0].answer = ACCEPTED;
        ck_assert_uint_le(ticks_until_told(1000), FIFTH_MORE(120u));
        masters[0].answer = failures[_i];
        ck_assert_uint_le(ticks_until_told(1000), FIFTH_MORE(120u));
        ck_assert_uint_eq(ticks_until_told(1000), 1); /* from the beginning */
}
END_TEST

/* --- whom -------------------------------------------------------------------------------------- */

/* As the first one says, the others are there. */
static char *name_masters(char text[static 512], unsigned interval)
{
        char second[MASTER_ADDRESS_MAX], third[MASTER_ADDRESS_MAX];

        (void)snprintf(text, 512,
                       "200 OK\r\n\r\n{\"accepted\":true,\"masters\":[\"%s\",\"%s\"],"
                       "\"interval_seconds\":%u}",
                       master_address_format(second, &masters[1].address),
                       master_address_format(third, &masters[2].address), interval);
        return text;
}

START_TEST(tells_masters_that_are_named)
{
        char text[512];

        masters[0].answer = name_masters(text, 60);
        tell(1);
        ck_assert_uint_eq(masters[1].n_told, 0);
        announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 1);
        ck_assert_uint_eq(masters[1].n_told, 1);
        ck_assert_uint_eq(masters[2].n_told, 1);
        masters[0].answer = NULL; /* nobody names them any more: three intervals are 36 ticks */
        for (unsigned i = 0; i < 36 + 1; i++) {
                announce_tick(announce);
                settle();
        }
        masters[1].n_told = masters[2].n_told = 0;
        for (unsigned i = 0; i < 200; i++) {
                announce_tick(announce);
                settle();
        }
        ck_assert_uint_eq(masters[1].n_told + masters[2].n_told, 0);
}
END_TEST

START_TEST(forgets_them_with_the_configured_ones)
{
        char text[512];

        masters[0].answer = name_masters(text, 600);
        tell(1);
        tell(0);
        for (unsigned i = 0; i < 300; i++)
                announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 1);
        ck_assert_uint_eq(masters[1].n_told + masters[2].n_told, 0);
}
END_TEST

START_TEST(has_room_for_a_number_of_them)
{
        _cleanup_(buf_done) struct buf answer = {0};
        struct master_address all[ANNOUNCE_MASTERS_MAX];

        buf_puts(&answer, "200 OK\r\n\r\n{\"accepted\":true,\"masters\":[\"localhost\"");
        for (unsigned i = 1; i < 3 * ANNOUNCE_MASTERS_MAX; i++)
                buf_printf(&answer, ",\"127.0.0.1:%u\"", masters[1].address.port);
        for (unsigned i = 1; i < 3 * ANNOUNCE_MASTERS_MAX; i++)
                buf_printf(&answer, ",\"127.9.0.%u:1\"", i);
        buf_puts(&answer, "]}");
        masters[0].answer = buf_cstr(&answer);
        tell(1);
        for (unsigned i = 0; i < ANNOUNCE_MASTERS_MAX;
             i++) { /* those that are configured come first */
                all[i] = masters[2].address;
                all[i].host[strlen("127.0.0.")] = i == 0 ? '1' : '2';
                all[i].port = i == 0 ? all[i].port : (uint16_t)(i + 1);
        }
        ck_assert_int_eq(announce_set_masters(announce, all, ANNOUNCE_MASTERS_MAX, NULL, NULL), 0);
        settle();
        ck_assert_uint_eq(masters[2].n_told, 1);
        ck_assert_uint_eq(masters[0].n_told, 1);
}
END_TEST

START_TEST(goes_on_with_those_that_stay)
{
        tell(2);
        tell(1);
        ck_assert_uint_eq(masters[0].n_told, 1); /* it knows already */
        (void)ticks_until_told(200);
        ck_assert_uint_eq(masters[0].n_told, 2);
        ck_assert_uint_eq(masters[1].n_told, 1);
        tell(2);
        ck_assert_uint_eq(masters[1].n_told, 2);
}
END_TEST

/* By another name for the same, which nobody takes for this machine. */
START_TEST(speaks_tls_with_other_machines)
{
        static const struct fetch_tls tls, nonsense = {.ca_pem = "nonsense"};
        struct master_address there = {.host = "::ffff:127.0.0.1", .port = masters[1].address.port};
        struct err e = {0};

        tell(1);
        ck_assert_int_eq(announce_set_masters(announce, &there, 1, &tls, &e), 0);
        while (masters[1].n_hellos == 0)
                ck_assert_int_ge(sd_event_run(loop_event(loop), UINT64_MAX), 0);
        ck_assert_int_eq(announce_set_masters(announce, &masters[0].address, 1, &tls, &e), 0);
        settle();
        ck_assert_uint_eq(masters[0].n_told, 2); /* in plain text */
        ck_assert_uint_eq(masters[0].n_hellos, 0);
        ck_assert_uint_eq(masters[1].n_told, 0);
        ck_assert_int_eq(announce_set_masters(announce, &masters[1].address, 1, &nonsense, &e),
                         -EINVAL);
        ck_assert_str_ne(e.text, "");
        for (unsigned i = 0; i < 200; i++)
                announce_tick(announce);
        settle();
        ck_assert_uint_eq(masters[0].n_told + masters[1].n_told, 2);
}
END_TEST

START_TEST(can_be_freed_while_it_tells)
{
        ck_assert_int_eq(announce_set_masters(announce, &masters[0].address, 1, NULL, NULL), 0);
        ck_assert_int_eq(announce_set_node(announce, &node, INSTANCE, &outside), 0);
        announce = announce_free(announce);
        settle();
        ck_assert_uint_le(masters[0].n_told, 1);
}
END_TEST

/* --- what is logged ---------------------------------------------------------------------------- */

/* Lines of the log behind what was read before. */
static unsigned count_lines(int fd, const char *word)
{
        char text[8192];
        ssize_t n = read(fd, text, sizeof(text) - 1);
        unsigned found = 0;

        ck_assert_int_ge(n, 0);
        text[n] = '\0';
        for (const char *p = text; (p = strstr(p, word)); p++)
                found++;
        return found;
}

START_TEST(logs_an_outage_once)
{
        FILE *log = tmpfile();
        int fd;

        ck_assert_ptr_nonnull(log);
        ck_assert_int_ge(dup2(fileno(log), STDERR_FILENO), 0);
        fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        log_set_level(LEVEL_INFO);
        masters[0].answer = REFUSED;
        tell(1);
        (void)ticks_until_told(10);
        (void)ticks_until_told(10);
        ck_assert_uint_eq(count_lines(fd, "it answers with status 422: it is another node"), 1);
        masters[0].answer = ACCEPTED;
        (void)ticks_until_told(10);
        (void)ticks_until_told(200);
        ck_assert_uint_eq(count_lines(fd, "this node is announced to 127.0.0.1:"), 1);
        masters[0].answer = "403 No\r\n\r\n{\"error\":\"a master is declared\"}";
        (void)ticks_until_told(200);
        ck_assert_uint_eq(count_lines(fd, "it answers with status 403: a master is declared"), 1);
        close(fd);
        (void)fclose(log);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("announce");
        TCase *t = tcase_create("announce");

        log_set_level(LEVEL_ERROR);
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, tells_who_it_is);
        tcase_add_test(t, tells_nobody_before_there_is_something_to_tell);
        tcase_add_test(t, tells_what_has_changed);
        tcase_add_test(t, tells_nobody_without_masters);
        tcase_add_loop_test(t, comes_back_when_it_is_told_to, 0, ELEMENTSOF(intervals));
        tcase_add_loop_test(t, comes_back_ever_later_after_failures, 0, ELEMENTSOF(failures));
        tcase_add_test(t, tells_masters_that_are_named);
        tcase_add_test(t, forgets_them_with_the_configured_ones);
        tcase_add_test(t, has_room_for_a_number_of_them);
        tcase_add_test(t, goes_on_with_those_that_stay);
        tcase_add_test(t, speaks_tls_with_other_machines);
        tcase_add_test(t, can_be_freed_while_it_tells);
        tcase_add_test(t, logs_an_outage_once);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
