/* It finds the one id that counts, asks as seldom as it says, and forgets nothing it was told. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agentd/mesos_id.h"
#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define ID          "f2a8c9d0-3b1e-4c5f-8a7d-6e9b0c1d2e3f"
#define OTHER_ID    "f2a8c9d0-3b1e-4c5f-8a7d-6e9b0c1d2e3f-S17"
#define SIXTEEN     "0123456789abcdef"
#define SIXTY_FOUR  SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define UNTOUCHED   "untouched"
#define REQUEST_MAX 2048u

/* --- the scanner ---------------------------------------------------------------------------------- */

#define FOUND(n, t, i)                              \
        {                                           \
                .name = (n), .text = (t), .id = (i) \
        }
#define NOT_FOUND(n, t, w)                            \
        {                                             \
                .name = (n), .text = (t), .want = (w) \
        }

static const struct {
        const char *name, *text, *id;
        int want;
} states[] = {
        FOUND("whole", "{\"id\":\"" ID "\"}", ID),
        FOUND("of an agent",
              "{\"version\":\"1.11.0\",\"id\":\"" OTHER_ID "\",\"pid\":\"slave(1)@\"}", OTHER_ID),
        FOUND("cut behind it", "{\"id\":\"" ID "\"", ID),
        FOUND("nonsense behind it", "{\"id\":\"" ID "\"]]}nonsense", ID),
        FOUND("blanks", " \r\n\t{ \"a\" : 1 ,\n \"id\" :\t\"" ID "\"", ID),
        FOUND("longest", "{\"id\":\"" SIXTY_FOUR SIXTY_FOUR "\"}", SIXTY_FOUR SIXTY_FOUR),
        FOUND("all kinds of letters", "{\"id\":\"aZ09._:/-\"}", "aZ09._:/-"),
        FOUND("first one counts", "{\"id\":\"a\",\"id\":\"b\"}", "a"),
        FOUND("behind one deeper",
              "{\"a\":{\"id\":\"x\",\"b\":[{\"id\":\"y\"}]},\"id\":\"" ID "\"}", ID),
        FOUND("behind brackets in a string", "{\"a\":\"}]{\",\"id\":\"" ID "\"}", ID),
        FOUND("behind a quote in a string", "{\"a\":\"\\\"}\\\\\",\"id\":\"" ID "\"}", ID),
        FOUND("behind one as a value", "{\"a\":\"id\",\"b\":[\"id\",\"x\"],\"id\":\"" ID "\"}", ID),
        FOUND("behind numbers and words", "{\"a\":-1.5e9,\"b\":null,\"c\":true,\"id\":\"" ID "\"}",
              ID),
        FOUND("behind longer and shorter keys",
              "{\"idx\":\"x\",\"i\":\"x\",\"ID\":\"x\",\"\":\"x\",\"id\":\"" ID "\"}", ID),
        NOT_FOUND("nothing", "", -EBADMSG),
        NOT_FOUND("a list", "[{\"id\":\"x\"}]", -EBADMSG),
        NOT_FOUND("a string", "\"id\"", -EBADMSG),
        NOT_FOUND("a page", "<html>\"id\":\"x\"</html>", -EBADMSG),
        NOT_FOUND("no key", "{id:\"x\"}", -EBADMSG),
        NOT_FOUND("no colon", "{\"id\" \"x\"}", -EBADMSG),
        NOT_FOUND("no comma", "{\"a\":[] ]\"id\":\"x\"}", -EBADMSG),
        NOT_FOUND("a number", "{\"id\":7}", -EBADMSG),
        NOT_FOUND("no value", "{\"id\":}", -EBADMSG),
        NOT_FOUND("an object", "{\"id\":{\"value\":\"x\"}}", -EBADMSG),
        NOT_FOUND("too long", "{\"id\":\"" SIXTY_FOUR SIXTY_FOUR "0\"}", -EBADMSG),
        NOT_FOUND("with a blank", "{\"id\":\"a b\"}", -EBADMSG),
        NOT_FOUND("with a line", "{\"id\":\"a\nb\"}", -EBADMSG),
        NOT_FOUND("with an escape", "{\"id\":\"a\\u0000\"}", -EBADMSG),
        NOT_FOUND("with a tag", "{\"id\":\"<b>\"}", -EBADMSG),
        NOT_FOUND("not ASCII", "{\"id\":\"\xc3\xa4\"}", -EBADMSG),
        NOT_FOUND("not registered", "{\"id\":\"\",\"pid\":\"slave(1)@\"}", -ENOENT),
        NOT_FOUND("empty", "{}", -ENOENT),
        NOT_FOUND("without", "{\"a\":1}", -ENOENT),
        NOT_FOUND("only deeper", "{\"a\":{\"id\":\"x\"}}", -ENOENT),
        NOT_FOUND("only in a list", "{\"a\":[\"id\",{\"id\":\"x\"}]}", -ENOENT),
        NOT_FOUND("only behind the end", "{}{\"id\":\"x\"}", -ENOENT),
};

START_TEST(finds_id)
{
        char id[MESOS_ID_MAX + 1] = UNTOUCHED;

        ck_assert_msg(mesos_id_from_state(id, states[_i].text, strlen(states[_i].text)) ==
                              states[_i].want,
                      "%s", states[_i].name);
        ck_assert_msg(streq(id, states[_i].id ? states[_i].id : UNTOUCHED), "%s: %s",
                      states[_i].name, id);
}
END_TEST

/* In memory of exactly that size, so that the sanitizers see a byte read too many. */
START_TEST(finds_no_id_that_is_cut)
{
        static const char whole[] = "{\"a\" : {\"id\":[\"\\\"\"]} , \"id\" : \"" ID "\"";

        for (size_t n = 1; n < sizeof(whole); n++) {
                char id[MESOS_ID_MAX + 1] = UNTOUCHED, *part = malloc(n);
                bool is_whole = n == sizeof(whole) - 1;

                ck_assert_ptr_nonnull(part);
                memcpy(part, whole, n);
                ck_assert_int_eq(mesos_id_from_state(id, part, n), is_whole ? 0 : -ENOENT);
                ck_assert_str_eq(id, is_whole ? ID : UNTOUCHED);
                free(part);
        }
}
END_TEST

static const struct {
        enum diag_role role;
        const char *address, *url;
} urls[] = {
        {DIAG_ROLE_MASTER,       "",            "http://leader.mesos:5050/state" },
        {DIAG_ROLE_MASTER,       "10.0.0.1",    "http://leader.mesos:5050/state" },
        {DIAG_ROLE_AGENT,        "10.0.0.1",    "http://10.0.0.1:5051/state"     },
        {DIAG_ROLE_AGENT_PUBLIC, "2001:db8::1", "http://[2001:db8::1]:5051/state"},
        {DIAG_ROLE_AGENT,        "",            ""                               },
        {DIAG_ROLE_UNKNOWN,      "10.0.0.1",    ""                               },
};

START_TEST(knows_whom_to_ask)
{
        char url[MESOS_URL_MAX];

        ck_assert_str_eq(mesos_id_url(url, urls[_i].role, urls[_i].address), urls[_i].url);
}
END_TEST

/* --- asking --------------------------------------------------------------------------------------- */

/* A Mesos on the same loop: what it is asked for is counted by path. */
static struct {
        int fd;
        sd_event_source *source;
        char url[64], other_url[64], mark_url[64];
        const char *answer;
        unsigned n_asked, n_other_asked;
} mesos;

static struct loop *loop;
static struct fetcher *fetcher;
static struct mesos_id *id;
static unsigned n_changed;

static int on_request(sd_event_source *s, int fd, _unused_ uint32_t revents,
                      _unused_ void *userdata)
{
        char request[REQUEST_MAX], answer[REQUEST_MAX];
        ssize_t n = recv(fd, request, sizeof(request) - 1, 0);

        if (n > 0) {
                request[n] = '\0';
                mesos.n_asked += strstr(request, "GET /state ") != NULL;
                mesos.n_other_asked += strstr(request, "GET /other ") != NULL;
                n = snprintf(answer, sizeof(answer), "HTTP/1.1 %s", mesos.answer);
                ck_assert_int_eq(send(fd, answer, (size_t)n, MSG_NOSIGNAL), n);
        }
        sd_event_source_disable_unref(s);
        close(fd);
        return 0;
}

static int on_knock(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                    _unused_ void *userdata)
{
        sd_event_source *client;
        int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        ck_assert_int_ge(client_fd, 0);
        ck_assert_int_ge(
                sd_event_add_io(loop_event(loop), &client, client_fd, EPOLLIN, on_request, NULL),
                0);
        return 0;
}

static void on_changed(_unused_ void *userdata)
{
        n_changed++;
}

static void setup(void)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof(sa);

        memset(&mesos, 0, sizeof(mesos));
        n_changed = 0;
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, NULL), 0);
        mesos.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(mesos.fd, 0);
        ck_assert_int_eq(bind(mesos.fd, (struct sockaddr *)&sa, n), 0);
        ck_assert_int_eq(listen(mesos.fd, 16), 0);
        ck_assert_int_eq(getsockname(mesos.fd, (struct sockaddr *)&sa, &n), 0);
        (void)snprintf(mesos.url, sizeof(mesos.url), "http://127.0.0.1:%u/state",
                       ntohs(sa.sin_port));
        (void)snprintf(mesos.other_url, sizeof(mesos.other_url), "http://127.0.0.1:%u/other",
                       ntohs(sa.sin_port));
        (void)snprintf(mesos.mark_url, sizeof(mesos.mark_url), "http://127.0.0.1:%u/mark",
                       ntohs(sa.sin_port));
        ck_assert_int_ge(
                sd_event_add_io(loop_event(loop), &mesos.source, mesos.fd, EPOLLIN, on_knock, NULL),
                0);
}

static void teardown(void)
{
        id = mesos_id_free(id);
        fetcher = fetcher_free(fetcher);
        sd_event_source_disable_unref(mesos.source);
        close(mesos.fd);
        loop = loop_free(loop);
}

static void on_mark(_unused_ const struct fetch_result *r, void *userdata)
{
        *(bool *)userdata = true;
}

/* Whatever was asked before this has been answered behind it: requests are served in their order. */
static void settle(void)
{
        struct fetch_request q = {
                .url = mesos.mark_url, .timeout_usec = 20 * USEC_PER_SEC, .cut = true};
        struct fetch *mark;
        bool done = false;

        ck_assert_int_eq(fetch_start(&mark, fetcher, &q, on_mark, &done, NULL), 0);
        while (!done)
                ck_assert_int_ge(sd_event_run(loop_event(loop), UINT64_MAX), 0);
        fetch_free(mark);
}

static void begin(const char *answer)
{
        mesos.answer = answer;
        ck_assert_int_eq(mesos_id_new(&id, fetcher, mesos.url, on_changed, NULL), 0);
        ck_assert_str_eq(mesos_id_get(id), "");
        settle();
}

#define STATE(id) "200 OK\r\n\r\n{\"version\":\"1\",\"id\":\"" id "\",\"slaves\":["

START_TEST(asks_at_once)
{
        begin(STATE(ID));
        ck_assert_str_eq(mesos_id_get(id), ID);
        ck_assert_uint_eq(n_changed, 1);
        ck_assert_uint_eq(mesos.n_asked, 1);
}
END_TEST

static const char *const no_answers[] = {
        "200 OK\r\n\r\n{}",
        "200 OK\r\n\r\nno",
        "404 Not Found\r\n\r\n{\"id\":\"x\"}",
        "307 Moved\r\nLocation: /other\r\n\r\n{\"id\":\"x\"}",
        "no",
};

/* Ticks at which it asks: 1, 2, 4 … 32 apart, then 60. */
START_TEST(asks_ever_more_seldom)
{
        static const unsigned at[] = {1, 3, 7, 15, 31, 63, 123, 183};
        unsigned n = 0;

        begin(no_answers[_i]);
        for (unsigned tick = 1; tick <= at[ELEMENTSOF(at) - 1]; tick++) {
                mesos_id_tick(id);
                settle();
                n += tick == at[n];
                ck_assert_msg(mesos.n_asked == 1 + n, "tick %u: %u times", tick, mesos.n_asked);
        }
        ck_assert_str_eq(mesos_id_get(id), "");
        ck_assert_uint_eq(n_changed + mesos.n_other_asked, 0);
}
END_TEST

static void tick_until_asked(unsigned want_ticks)
{
        unsigned n_asked = mesos.n_asked, tick = 0;

        while (mesos.n_asked == n_asked) {
                mesos_id_tick(id);
                settle();
                tick++;
        }
        ck_assert_uint_eq(tick, want_ticks);
}

START_TEST(looks_again_each_ten_minutes)
{
        begin(no_answers[0]);
        mesos.answer = STATE(ID);
        tick_until_asked(1);
        ck_assert_uint_eq(n_changed, 1);
        tick_until_asked(120);
        ck_assert_uint_eq(n_changed, 1); /* the same */
        mesos.answer = STATE(OTHER_ID);
        tick_until_asked(120);
        ck_assert_uint_eq(n_changed, 2);
        ck_assert_str_eq(mesos_id_get(id), OTHER_ID);
}
END_TEST

START_TEST(keeps_what_it_was_told)
{
        begin(STATE(ID));
        mesos.answer = no_answers[0];
        tick_until_asked(120);
        tick_until_asked(120);
        ck_assert_str_eq(mesos_id_get(id), ID);
        ck_assert_int_eq(mesos_id_set_url(id, ""), 0);
        for (unsigned tick = 0; tick < 200; tick++)
                mesos_id_tick(id);
        settle();
        ck_assert_uint_eq(mesos.n_asked, 3);
        ck_assert_str_eq(mesos_id_get(id), ID);
        ck_assert_uint_eq(n_changed, 1);
}
END_TEST

START_TEST(asks_another_at_once)
{
        begin(STATE(ID));
        ck_assert_int_eq(mesos_id_set_url(id, mesos.url), 0); /* no other */
        settle();
        ck_assert_uint_eq(mesos.n_asked, 1);
        mesos.answer = STATE(OTHER_ID);
        ck_assert_int_eq(mesos_id_set_url(id, mesos.other_url), 0);
        ck_assert_str_eq(mesos_id_get(id), ID);
        settle();
        ck_assert_uint_eq(mesos.n_other_asked, 1);
        ck_assert_str_eq(mesos_id_get(id), OTHER_ID);
        ck_assert_uint_eq(n_changed, 2);
}
END_TEST

START_TEST(does_not_wait_for_the_first)
{
        mesos.answer = STATE(ID);
        ck_assert_int_eq(mesos_id_new(&id, fetcher, mesos.other_url, on_changed, NULL), 0);
        ck_assert_int_eq(mesos_id_set_url(id, mesos.url), 0);
        settle();
        ck_assert_uint_eq(mesos.n_asked, 1);
        ck_assert_uint_eq(mesos.n_other_asked, 0);
        ck_assert_uint_eq(n_changed, 1);
}
END_TEST

START_TEST(asks_nobody_until_it_knows_whom)
{
        ck_assert_int_eq(mesos_id_new(&id, fetcher, "", on_changed, NULL), 0);
        mesos.answer = STATE(ID);
        mesos_id_tick(id);
        settle();
        ck_assert_uint_eq(mesos.n_asked, 0);
        ck_assert_int_eq(mesos_id_set_url(id, mesos.url), 0);
        settle();
        ck_assert_str_eq(mesos_id_get(id), ID);
}
END_TEST

START_TEST(refuses_a_url_that_is_too_long)
{
        struct mesos_id *none = NULL;

        ck_assert_int_eq(
                mesos_id_new(&none, fetcher, "http://" SIXTY_FOUR SIXTY_FOUR, on_changed, NULL),
                -E2BIG);
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(can_be_freed_while_it_asks)
{
        ck_assert_int_eq(mesos_id_new(&id, fetcher, mesos.url, on_changed, NULL), 0);
        id = mesos_id_free(id);
        mesos.answer = STATE(ID);
        settle();
        ck_assert_uint_eq(n_changed, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("mesos_id");
        TCase *scan = tcase_create("scan"), *asks = tcase_create("asks");

        log_set_level(LEVEL_ERROR);
        tcase_add_loop_test(scan, finds_id, 0, ELEMENTSOF(states));
        tcase_add_test(scan, finds_no_id_that_is_cut);
        tcase_add_loop_test(scan, knows_whom_to_ask, 0, ELEMENTSOF(urls));
        suite_add_tcase(suite, scan);
        tcase_set_timeout(asks, 60);
        tcase_add_checked_fixture(asks, setup, teardown);
        tcase_add_test(asks, asks_at_once);
        tcase_add_loop_test(asks, asks_ever_more_seldom, 0, ELEMENTSOF(no_answers));
        tcase_add_test(asks, looks_again_each_ten_minutes);
        tcase_add_test(asks, keeps_what_it_was_told);
        tcase_add_test(asks, asks_another_at_once);
        tcase_add_test(asks, does_not_wait_for_the_first);
        tcase_add_test(asks, asks_nobody_until_it_knows_whom);
        tcase_add_test(asks, refuses_a_url_that_is_too_long);
        tcase_add_test(asks, can_be_freed_while_it_asks);
        suite_add_tcase(suite, asks);
        return test_main(suite);
}
