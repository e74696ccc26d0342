/* It lists what can be had of a node, gives that and nothing else, in the words of the service before. */

#include "api/v1_logs.h"
#include "tests/unit/fake_node.h"

#define LOGS "/system/health/v1/logs"
#define LIST                                                                                                     \
        "{\"sources\":["                                                                                         \
        "{\"kind\":\"journal\",\"id\":\"a@\\\\x2d.service\",\"name\":\"a@\\\\x2d.service\",\"optional\":false}," \
        "{\"kind\":\"http\",\"id\":\"5050-flags.json\",\"name\":\"5050-flags.json\",\"optional\":true,"          \
        "\"port\":5050,\"path\":\"/flags?a=b\"},"                                                                \
        "{\"kind\":\"http\",\"id\":\"sock.json\",\"name\":\"sock.json\",\"optional\":false,\"path\":\"/x\"},"    \
        "{\"kind\":\"file\",\"id\":\"/etc/a b\",\"name\":\"etc/a b\",\"optional\":true},"                        \
        "{\"kind\":\"file\",\"id\":\"/var/log/*\",\"name\":null,\"optional\":true},"                             \
        "{\"kind\":\"host\",\"id\":\"/proc/cmdline\",\"name\":\"proc/cmdline\",\"optional\":false},"             \
        "{\"kind\":\"command\",\"id\":\"ps_aux*.output\",\"name\":\"ps_aux*.output\",\"optional\":false},"       \
        "{\"kind\":\"host\",\"id\":\"df -h.output\",\"name\":\"df -h.output\",\"optional\":true},"               \
        "{\"kind\":\"systemd\",\"id\":\"systemd/a.service.show\",\"name\":\"systemd/a.service.show\","           \
        "\"optional\":false},"                                                                                   \
        "{\"kind\":\"health\",\"id\":\"health.json\",\"name\":\"health.json\",\"optional\":false}"               \
        "]}\n"

/* clang-format off */
#define LISTED \
        "{\"a@\\\\x2d.service\":{\"PortAndPath\":\":1050" LOGS "/units/a@\\\\x2d.service\",\"Optional\":false}," \
        "\"5050-flags.json\":{\"PortAndPath\":\":5050/flags?a=b\",\"Optional\":true}," \
        "\"/etc/a b\":{\"PortAndPath\":\":1050" LOGS "/files/etc_a b\",\"Optional\":false}," \
        "\"/proc/cmdline\":{\"PortAndPath\":\":1050" LOGS "/files/proc_cmdline\",\"Optional\":false}," \
        "\"ps_aux*.output\":{\"PortAndPath\":\":1050" LOGS "/cmds/ps_aux*.output\",\"Optional\":false}," \
        "\"df -h.output\":{\"PortAndPath\":\":1050" LOGS "/cmds/df -h.output\",\"Optional\":false}," \
        "\"dcos-diagnostics-health.json\":{\"PortAndPath\":\":1050/system/health/v1\",\"Optional\":false}}\n"
/* clang-format on */

#define SAYS_503(text) \
        "{\"response_http_code\":503,\"version\":1,\"status\":\"" text "\",\"errors\":null}\n"

static struct fake_collection peer;

static void begin(struct asked *a, const char *target)
{
        asked_begin(a, v1_logs_routes, "GET", target, "");
}

static void tell_list(const char *text)
{
        ck_assert(fake_collector_take(&fake, &peer));
        ck_assert_ptr_nonnull(strstr(peer.request, "\"op\":\"list\""));
        fake_collection_say(&peer, SAYS_STARTED);
        fake_collection_write(&peer, text);
        fake_collection_say(&peer, SAYS_DONE);
        fake_collection_end(&peer);
}

/* Up to where the collector is asked for the source itself. */
static void begin_one(struct asked *a, const char *target)
{
        begin(a, target);
        tell_list(LIST);
        ck_assert_uint_eq(asked_status(a), 0);
        ck_assert(fake_collector_take(&fake, &peer));
}

START_TEST(lists_what_there_is)
{
        struct asked a;

        begin(&a, LOGS);
        tell_list(LIST);
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(asked_body(&a), LISTED);
        ck_assert_str_eq(a.reply.content_type, "application/json");
        asked_done(&a);
        begin(&a, LOGS); /* for a while it is known */
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(asked_body(&a), LISTED);
        asked_done(&a);
        fake_usec += 11 * USEC_PER_SEC;
        begin(&a, LOGS);
        ck_assert_uint_eq(asked_status(&a), 0);
        tell_list("{\"sources\":[]}");
        ck_assert_uint_eq(asked_status(&a), 200);
        asked_done(&a);
}
END_TEST

/* clang-format off */
static const struct {
        const char *target, *kind, *id; /* as the collector is asked */
} ones[] = {
        {LOGS "/units/a@%5Cx2d.service", "journal", "a@\\\\x2d.service"},
        {LOGS "/files/etc_a%20b", "file", "/etc/a b"},
        {LOGS "/files/proc_cmdline", "host", "/proc/cmdline"},
        {LOGS "/cmds/ps_aux*.output", "command", "ps_aux*.output"},
        {LOGS "/cmds/df%20-h.output", "host", "df -h.output"},
};

static const struct {
        const char *target, *text;
} nones[] = {
        {LOGS "/units/b.service", "Not found b.service"},
        {LOGS "/units/5050-flags.json", "Not found 5050-flags.json"},
        {LOGS "/files/etc_shadow", "Not found etc_shadow"},
        {LOGS "/files/var_log_*", "Not found var_log_*"},
        {LOGS "/cmds/systemd_a.service.show", "Not found systemd_a.service.show"},
        {LOGS "/cmds/ps_aux", "Not found ps_aux"},
        {LOGS "/cmds/%22", "Not found \\\""},
};
/* clang-format on */

START_TEST(asks_for_what_is_meant)
{
        char wanted[256];
        struct asked a;

        begin_one(&a, ones[_i].target);
        (void)snprintf(wanted, sizeof(wanted), "\"ids\":[{\"kind\":\"%s\",\"id\":\"%s\"}]",
                       ones[_i].kind, ones[_i].id);
        ck_assert_msg(strstr(peer.request, wanted), "%s", peer.request);
        ck_assert_ptr_nonnull(strstr(peer.request, "\"op\":\"one\""));
        fake_collection_say(&peer, SAYS_STARTED);
        fake_collection_write(&peer, "<b>said</b>\n");
        ck_assert_uint_eq(asked_status(&a), 0); /* it may fail still */
        fake_collection_say(&peer, SAYS_DONE);
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(asked_body(&a), "<b>said</b>\n");
        ck_assert_str_eq(a.reply.content_type, "text/html");
        ck_assert_str_eq(asked_header(&a, "Vary"), "Accept-Encoding");
        ck_assert_ptr_nonnull(strstr(asked_header(&a, "Content-Security-Policy"), "sandbox"));
        asked_done(&a);
}
END_TEST

START_TEST(gives_nothing_that_is_not_listed)
{
        struct fake_collection none;
        char text[128];
        struct asked a;

        begin(&a, nones[_i].target);
        tell_list(LIST);
        ck_assert_uint_eq(asked_status(&a), 503);
        ck_assert(!fake_collector_take(&fake, &none));
        (void)snprintf(text, sizeof(text), SAYS_503("%s"), nones[_i].text);
        ck_assert_str_eq(asked_body(&a), text);
        ck_assert_str_eq(a.reply.content_type, "text/html");
        asked_done(&a);
}
END_TEST

START_TEST(knows_its_providers)
{
        struct asked a;

        begin(&a, LOGS "/http/5050-flags.json");
        ck_assert_uint_eq(a.reply.status, 503);
        ck_assert_str_eq(asked_body(&a), SAYS_503("Unknown provider http"));
        ck_assert(!fake_collector_take(&fake, &peer));
        asked_done(&a);
}
END_TEST

/* clang-format off */
static const struct {
        const char *target, *written, *says; /* NULL: it hangs up */
        unsigned status;
        const char *body;
} failures[] = {
        {LOGS "/cmds/ps_aux*.output", "", SAYS_ERROR("failed", "exit status 3"), 503, SAYS_503("exit status 3")},
        {LOGS "/cmds/ps_aux*.output", "some", SAYS_ERROR("failed", "exit status 3"), 503, SAYS_503("exit status 3")},
        {LOGS "/cmds/ps_aux*.output", "some", SAYS_DONE_PARTLY, 503, SAYS_503("the source failed")},
        {LOGS "/cmds/df%20-h.output", "some", SAYS_ERROR("failed", "exit status 1"), 200, "exit status 1\nsome"},
        {LOGS "/cmds/df%20-h.output", "exit status 1\nsome", SAYS_DONE, 200, "exit status 1\nsome"},
        {LOGS "/files/etc_a%20b", "", SAYS_ERROR("failed", "open /etc/a b: no such file or directory"), 200,
         "open /etc/a b: no such file or directory"},
        {LOGS "/files/proc_cmdline", "", SAYS_ERROR("not-allowed", "no"), 503, SAYS_503("Not allowed to read a file")},
        {LOGS "/cmds/ps_aux*.output", "", SAYS_ERROR("not-allowed", "no"), 503,
         SAYS_503("Not allowed to execute a command")},
        {LOGS "/units/a@%5Cx2d.service", "", SAYS_ERROR("not-allowed", "no"), 503,
         SAYS_503("Only DC/OS systemd units are available")},
        {LOGS "/units/a@%5Cx2d.service", "", SAYS_DONE, 200, ""},
        {LOGS "/units/a@%5Cx2d.service", "", NULL, 503, SAYS_503("the collector ended before it was done")},
};
/* clang-format on */

START_TEST(says_what_failed)
{
        struct asked a;

        begin_one(&a, failures[_i].target);
        fake_collection_write(&peer, failures[_i].written);
        if (failures[_i].says)
                fake_collection_say(&peer, failures[_i].says);
        fake_collection_end(&peer);
        ck_assert_msg(asked_status(&a) == failures[_i].status, "%u", a.reply.status);
        ck_assert_str_eq(asked_body(&a), failures[_i].body);
        ck_assert_str_eq(a.reply.content_type, "text/html");
        asked_done(&a);
}
END_TEST

/* More than a pipe holds does not wait for its end. */
START_TEST(streams_what_is_long)
{
        static char block[65536];
        struct asked a;
        size_t n;

        begin_one(&a, LOGS "/files/etc_a%20b");
        ck_assert_int_eq(fcntl(peer.output_fd, F_SETFL, O_NONBLOCK), 0);
        ck_assert(fake_timers_fire(fake_usec + USEC_PER_SEC));
        ck_assert_uint_eq(asked_status(&a), 0);
        while (write(peer.output_fd, block, sizeof(block)) > 0)
                ;
        ck_assert(fake_timers_fire(fake_usec + USEC_PER_SEC));
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_ptr_nonnull(a.reply.stream);
        ck_assert_str_eq(a.reply.content_type, "text/html");
        ck_assert_int_eq(stream_read(a.reply.stream, block, sizeof(block), &n), STREAM_BYTES);
        asked_done(&a);
        ck_assert(fake_collection_is_cancelled(&peer));
}
END_TEST

START_TEST(says_that_there_is_no_list)
{
        struct asked a;

        begin(&a, _i ? LOGS : LOGS "/units/a.service");
        ck_assert(fake_collector_take(&fake, &peer));
        fake_collection_say(&peer, SAYS_ERROR("bad-configuration", "x.json: no"));
        ck_assert_uint_eq(asked_status(&a), 503);
        ck_assert_str_eq(asked_body(&a), SAYS_503("x.json: no"));
        ck_assert_str_eq(a.reply.content_type, _i ? "application/json" : "text/html");
        asked_done(&a);
}
END_TEST

START_TEST(does_not_wait_for_ever)
{
        struct asked a;

        begin_one(&a, LOGS "/units/a@%5Cx2d.service");
        fake_usec += 59 * USEC_PER_SEC;
        ck_assert_uint_eq(asked_status(&a), 503);
        ck_assert_str_eq(asked_body(&a), SAYS_503("the time of this request is over"));
        ck_assert(fake_collection_is_cancelled(&peer));
        asked_done(&a);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("v1_logs");
        TCase *tc = tcase_create("v1_logs");

        tcase_add_checked_fixture(tc, fake_node_start, fake_node_stop);
        tcase_add_test(tc, lists_what_there_is);
        tcase_add_loop_test(tc, asks_for_what_is_meant, 0, ELEMENTSOF(ones));
        tcase_add_loop_test(tc, gives_nothing_that_is_not_listed, 0, ELEMENTSOF(nones));
        tcase_add_test(tc, knows_its_providers);
        tcase_add_loop_test(tc, says_what_failed, 0, ELEMENTSOF(failures));
        tcase_add_test(tc, streams_what_is_long);
        tcase_add_loop_test(tc, says_that_there_is_no_list, 0, 2);
        tcase_add_test(tc, does_not_wait_for_ever);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
