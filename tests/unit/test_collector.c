/* It asks a collector with one packet and a descriptor, and tells what it says, to its last word. */

#include <errno.h>

#include "bundles/collector.h"
#include "tests/fakes/fake_timers.h"
#include "tests/unit/fake_collector.h"

static struct fake_collector fake;
static struct fake_collection peer;
static struct loop *loop;
static struct collector *collector;
static bool free_at_first;
static struct buf said; /* "started progress(file /a) done" */

static void set_up(void)
{
        fake_collector_open(&fake);
        ck_assert_int_eq(loop_new(&loop), 0);
        fake_time_begin();
}

static void tear_down(void)
{
        collector = collector_free(collector);
        loop = loop_free(loop);
        fake_time_end();
        fake_collector_close(&fake);
        buf_done(&said);
}

static void on_event(const struct collect_event *event, _unused_ void *userdata)
{
        const char *word = collect_event_kind_to_string(event->kind);

        buf_printf(&said, "%s%s", said.n ? " " : "", word);
        if (event->kind == COLLECT_PROGRESS)
                buf_printf(&said, "(%s)", event->source);
        if (event->kind == COLLECT_ERROR)
                buf_printf(&said, "(%s: %s)", event->code, event->error);
        if (free_at_first)
                collector = collector_free(collector);
}

static int start(const char *where, struct err *e)
{
        static struct collect_id id = {SOURCE_FILE, (char *)"/etc/hostname"};
        const struct collect_request q = {
                .op = COLLECT_ONE, .role = DIAG_ROLE_AGENT, .ids = &id, .n_ids = 1};
        int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC), k;

        k = collector_start(&collector, loop, where, &q, null_fd, on_event, NULL, e);
        close(null_fd);
        return k;
}

static void start_and_take(void)
{
        struct err e;

        ck_assert_int_eq(start(fake.path, &e), 0);
        ck_assert(fake_collector_take(&fake, &peer));
}

START_TEST(sends_one_request_and_a_descriptor)
{
        _cleanup_(collect_request_done) struct collect_request q = {0};
        struct err e;

        start_and_take();
        ck_assert_int_eq(fcntl(peer.output_fd, F_GETFL) & O_ACCMODE, O_WRONLY);
        ck_assert_int_eq(collect_request_read(&q, peer.request, strlen(peer.request), &e), 0);
        ck_assert_int_eq(q.op, COLLECT_ONE);
        ck_assert_uint_eq(q.n_ids, 1);
        ck_assert_str_eq(q.ids[0].id, "/etc/hostname");
        turn(loop);
        ck_assert(!fake_collection_is_cancelled(&peer));
        collector = collector_free(collector);
        ck_assert(fake_collection_is_cancelled(&peer)); /* which is how it is cancelled */
}
END_TEST

/* clang-format off */
static const struct {
        const char *name;
        const char *packets[4];
        bool ends;
        const char *said;
} talks[] = {
        {"to the end", {SAYS_STARTED, SAYS_PROGRESS, SAYS_DONE}, true, "started progress(file /a) done"},
        {"an error", {SAYS_ERROR("not-found", "no such source")}, true, "error(not-found: no such source)"},
        {"an error later", {SAYS_STARTED, SAYS_ERROR("not-found", "no such source")}, false, "started error(not-found: no such source)"},
        {"more behind the end", {SAYS_STARTED, SAYS_DONE, SAYS_PROGRESS}, true, "started done"},
        {"not yet", {SAYS_STARTED, SAYS_PROGRESS}, false, "started progress(file /a)"},
        {"an end without a word", {NULL}, true,
         "error(gone: the collector ended before it was done)"},
        {"an end in the middle", {SAYS_STARTED, SAYS_PROGRESS}, true,
         "started progress(file /a) error(gone: the collector ended before it was done)"},
        {"nonsense", {SAYS_STARTED, "hello", SAYS_DONE}, false,
         "started error(gone: the collector says what is no event)"},
        {"an empty packet is an end", {SAYS_STARTED, "", SAYS_DONE}, false,
         "started error(gone: the collector ended before it was done)"},
};
/* clang-format on */

START_TEST(tells_what_it_says)
{
        start_and_take();
        for (size_t i = 0; talks[_i].packets[i]; i++)
                fake_collection_say(&peer, talks[_i].packets[i]);
        if (talks[_i].ends) {
                fake_collection_end(&peer);
        }
        turn(loop);
        ck_assert_msg(streq(buf_cstr(&said), talks[_i].said), "%s: %s", talks[_i].name,
                      buf_cstr(&said));
}
END_TEST

START_TEST(may_be_freed_by_whom_it_tells)
{
        free_at_first = true;
        start_and_take();
        if (_i == 0) {
                fake_collection_say(&peer, SAYS_STARTED);
                fake_collection_say(&peer, SAYS_PROGRESS);
        } else if (_i == 1) {
                fake_collection_say(&peer, "nonsense");
        } else {
                fake_collection_end(&peer);
        }
        turn(loop);
        ck_assert_ptr_null(collector);
        ck_assert_str_eq(buf_cstr(&said),
                         _i == 0   ? "started"
                         : _i == 1 ? "error(gone: the collector says what is no event)"
                                   : "error(gone: the collector ended before it was done)");
}
END_TEST

/* Up to its first word; then it may take its time. */
START_TEST(does_not_wait_for_ever_for_a_first_word)
{
        start_and_take();
        ck_assert(!fake_timers_fire(fake_usec + COLLECTOR_FIRST_USEC - 1));
        if (_i == 1) {
                fake_collection_say(&peer, SAYS_STARTED);
                turn(loop);
        }
        ck_assert(fake_timers_fire(fake_usec + COLLECTOR_FIRST_USEC) == (_i == 0));
        fake_collection_say(&peer, SAYS_DONE);
        turn(loop);
        ck_assert_str_eq(buf_cstr(&said),
                         _i == 0 ? "error(mute: the collector does not answer)" : "started done");
}
END_TEST

START_TEST(takes_a_long_line_for_no_event)
{
        static char flood[COLLECT_EVENT_BYTES_MAX + 2];

        start_and_take();
        (void)snprintf(flood, sizeof(flood), "%-*s", (int)sizeof(flood) - 1, SAYS_STARTED);
        fake_collection_say(&peer, flood);
        turn(loop);
        ck_assert_str_eq(buf_cstr(&said), "error(gone: the collector says what is no event)");
}
END_TEST

START_TEST(names_the_socket_that_nobody_listens_at)
{
        char missing[sizeof(fake.path) + 8];
        struct err e = {0};

        (void)snprintf(missing, sizeof(missing), "%s-none", fake.path);
        ck_assert_int_eq(start(missing, &e), -ENOENT);
        ck_assert_ptr_nonnull(strstr(e.text, "diag-collect.socket is not active"));
        ck_assert_ptr_nonnull(strstr(e.text, missing));
        shutdown(fake.listen_fd, SHUT_RDWR);
        close(fake.listen_fd);
        fake.listen_fd = -1;
        ck_assert_int_eq(start(fake.path, &e), -ECONNREFUSED);
        ck_assert_ptr_nonnull(strstr(e.text, "diag-collect.socket is not active"));
}
END_TEST

START_TEST(does_not_wait_where_too_many_wait)
{
        struct collector *others[32] = {0};
        struct err e = {0};
        size_t n = 0;
        int k;

        while ((k = start(fake.path, &e)) == 0 && n < ELEMENTSOF(others))
                others[n++] = TAKE_PTR(collector);
        ck_assert_int_eq(k, -EAGAIN);
        ck_assert_ptr_nonnull(strstr(e.text, "too many"));
        while (n > 0)
                collector_free(others[--n]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("collector");
        TCase *tc = tcase_create("collector");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, sends_one_request_and_a_descriptor);
        tcase_add_loop_test(tc, tells_what_it_says, 0, ELEMENTSOF(talks));
        tcase_add_loop_test(tc, may_be_freed_by_whom_it_tells, 0, 3);
        tcase_add_loop_test(tc, does_not_wait_for_ever_for_a_first_word, 0, 2);
        tcase_add_test(tc, takes_a_long_line_for_no_event);
        tcase_add_test(tc, names_the_socket_that_nobody_listens_at);
        tcase_add_test(tc, does_not_wait_where_too_many_wait);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
