/* It finds the agents that can be asked, and says what it leaves out. */

#include <errno.h>

#include "aggregator/mesos_slaves_json.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
        const char *name, *text;
        const char *agents; /* "ROLE ADDRESS, …"; NULL: it is refused */
        const char *fault;
        size_t n_skipped;
} answers[] = {
        {"none",                              "{\"slaves\":[]}",                                                         "",                                                                       NULL,                0},
        {"one",                               "{\"slaves\":[{\"hostname\":\"10.0.0.5\"}]}",                              "agent 10.0.0.5",                                                         NULL,                0},
        {"as Mesos writes it",
         "{\"slaves\":[{\"capabilities\":[\"MULTI_ROLE\"],\"hostname\":\"10.0.0.5\",\"id\":\"f2a8-S1\","
         "\"pid\":\"slave(1)@10.9.9.9:5051\",\"port\":5051,\"attributes\":{\"public_ip\":\"true\",\"rack\":\"a\"},"
         "\"used_resources\":{\"cpus\":0.5,\"ports\":\"[1-2]\"},\"active\":true,"
         "\"unreserved_resources_full\":[{\"name\":\"cpus\",\"scalar\":{\"value\":4.0}}]},"
         "{\"hostname\":\"10.0.0.6\",\"attributes\":{},\"active\":false}],\"recovered_slaves\":[]}",                     "agent_public 10.0.0.5, agent 10.0.0.6",                                  NULL,                0},
        {"attributes first",
         "{\"slaves\":[{\"attributes\":{\"public_ip\":\"true\"},\"hostname\":\"a.b\"}]}",                                "agent_public a.b",                                                       NULL,                0},
        {"IPv6",                              "{\"slaves\":[{\"hostname\":\"2001:db8::5\"}]}",                           "agent 2001:db8::5",                                                      NULL,                0},
        {"in two lists",
         "{\"slaves\":[{\"hostname\":\"a\"}],\"x\":1,\"slaves\":[{\"hostname\":\"b\"}]}",                                "agent a, agent b",                                                       NULL,                0},
        {"other lists",
         "{\"recovered_slaves\":[{\"hostname\":\"b\"}],\"slaves\":[{\"hostname\":\"a\"}],"
         "\"frameworks\":[{\"hostname\":\"c\"}]}",                                                                       "agent a",                                                                NULL,                0},
        {"a deeper one",                      "{\"a\":{\"slaves\":[{\"hostname\":\"b\"}]},\"slaves\":[]}",               "",                                                                       NULL,                0},
        {"a deeper hostname",
         "{\"slaves\":[{\"hostname\":\"a\",\"x\":{\"hostname\":\"b\",\"public_ip\":\"true\"}}]}",                        "agent a",                                                                NULL,                0},
        {"the last of two",                   "{\"slaves\":[{\"hostname\":\"a\",\"hostname\":\"b\"}]}",                  "agent b",
         NULL,                                                                                                                                                                                                          0},
        {"public is a string",
         "{\"slaves\":[{\"hostname\":\"a\",\"attributes\":{\"public_ip\":true}},"
         "{\"hostname\":\"b\",\"attributes\":{\"public_ip\":\"false\"}},"
         "{\"hostname\":\"c\",\"attributes\":{\"public_ip\":\"True\"}},"
         "{\"hostname\":\"d\",\"attributes\":{\"public_ip\":{\"public_ip\":\"true\"}}},"
         "{\"hostname\":\"e\",\"attributes\":{\"public_ip\":[\"true\"]}},"
         "{\"hostname\":\"f\",\"attributes\":{\"public_ip\":1}},"
         "{\"hostname\":\"g\",\"attributes\":[{\"public_ip\":\"true\"}]},"
         "{\"hostname\":\"h\",\"attributes\":{\"a\":\"true\"},\"public_ip\":\"true\"}]}",                                "agent a, agent b, agent c, agent d, agent e, agent f, agent g, agent h", NULL,                0},
        {"nothing is left of the one before",
         "{\"slaves\":[{\"hostname\":\"a\",\"attributes\":{\"public_ip\":\"true\"}},{},{\"hostname\":\"b\"}]}",
         "agent_public a, agent b",                                                                                                                                                                NULL,                1},
        {"no hostname",
         "{\"slaves\":[{\"id\":\"1\"},{\"hostname\":7},{\"hostname\":null},{\"hostname\":\"\"},"
         "{\"hostname\":[\"a\"]},{\"hostname\":{\"hostname\":\"a\"}}]}",                                                 "",                                                                       NULL,                6},
        {"bad hostnames",
         "{\"slaves\":[{\"hostname\":\"a b\"},{\"hostname\":\"a/b\"},{\"hostname\":\"[::1]\"},"
         "{\"hostname\":\"a:1\"},{\"hostname\":\"a\\u0000b\"},{\"hostname\":\"-a\"},{\"hostname\":\"ä\"},"
         "{\"hostname\":\"" HUNDRED HUNDRED HUNDRED "\"},{\"hostname\":\"ok\"}]}",
         "agent ok",                                                                                                                                                                               NULL,                8},
        {"no objects",                        "{\"slaves\":[1,\"a\",null,[{\"hostname\":\"b\"}],{\"hostname\":\"c\"}]}",
         "agent c",                                                                                                                                                                                NULL,                4},
        {"nothing",                           "",                                                                        NULL,                                                                     "no JSON",           0},
        {"empty",                             "{}",                                                                      NULL,                                                                     "no list of agents", 0},
        {"a list",                            "[{\"hostname\":\"a\"}]",                                                  NULL,                                                                     "no JSON",           0},
        {"no list",                           "{\"slaves\":{\"hostname\":\"a\"}}",                                       NULL,                                                                     "no JSON",           0},
        {"null",                              "{\"slaves\":null}",                                                       NULL,                                                                     "no JSON",           0},
        {"cut",                               "{\"slaves\":[{\"hostname\":\"a\"}",                                       NULL,                                                                     "cut off",           0},
        {"cut behind the list",               "{\"slaves\":[{\"hostname\":\"a\"}]",                                      NULL,                                                                     "cut off",           0},
        {"a page",                            "<html>",                                                                  NULL,                                                                     "no JSON",           0},
        {"deep",                              "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",                         NULL,                                                                     "too deeply",        0},
};

static void write_agents(struct buf *b, const struct mesos_slaves *s)
{
        size_t n;
        const struct found *agents = mesos_slaves_agents(s, &n);

        for (size_t i = 0; i < n; i++)
                buf_printf(b, "%s%s %s", i ? ", " : "", diag_role_to_string(agents[i].role),
                           agents[i].address);
}

START_TEST(finds_the_agents)
{
        const char *text = answers[_i].text, *why;
        size_t n = strlen(text);

        for (size_t cut = 0; cut <= n; cut += cut < 100 ? 1 : 7) {
                _cleanup_(mesos_slaves_freep) struct mesos_slaves *s = NULL;
                _cleanup_(buf_done) struct buf said = {0};
                struct err e = {0};

                ck_assert_int_eq(mesos_slaves_new(&s), 0);
                if (mesos_slaves_feed(s, text, cut) == 0)
                        (void)mesos_slaves_feed(s, text + cut, n - cut);
                if (!answers[_i].agents) {
                        ck_assert_int_lt(mesos_slaves_end(s, &e), 0);
                        ck_assert_msg(strstr(e.text, answers[_i].fault), "%s: %s", answers[_i].name,
                                      e.text);
                        continue;
                }
                ck_assert_msg(mesos_slaves_end(s, &e) == 0, "%s: %s", answers[_i].name, e.text);
                write_agents(&said, s);
                ck_assert_str_eq(buf_cstr(&said), answers[_i].agents);
                ck_assert_uint_eq(mesos_slaves_n_skipped(s, &why), answers[_i].n_skipped);
                ck_assert_msg((*why != '\0') == (answers[_i].n_skipped > 0), "%s: %s",
                              answers[_i].name, why);
        }
}
END_TEST

START_TEST(has_a_greatest_number)
{
        _cleanup_(mesos_slaves_freep) struct mesos_slaves *s = NULL;
        const char *why;
        size_t n;

        ck_assert_int_eq(mesos_slaves_new(&s), 0);
        ck_assert_int_eq(mesos_slaves_feed(s, "{\"slaves\":[{}", 13), 0);
        for (unsigned i = 0; i < MESOS_SLAVES_MAX + 3; i++) {
                _cleanup_(buf_done) struct buf b = {0};

                buf_printf(&b, ",{\"hostname\":\"10.%u.%u.%u\"}", i >> 16, i >> 8 & 255, i & 255);
                ck_assert_int_eq(mesos_slaves_feed(s, b.data, b.n), 0);
        }
        ck_assert_int_eq(mesos_slaves_feed(s, "]}", 2), 0);
        ck_assert_int_eq(mesos_slaves_end(s, NULL), 0);
        ck_assert_str_eq(mesos_slaves_agents(s, &n)[1].address, "10.0.0.1");
        ck_assert_uint_eq(n, MESOS_SLAVES_MAX);
        ck_assert_uint_eq(mesos_slaves_n_skipped(s, &why), 4);
        ck_assert_str_eq(why, "an agent without 'hostname'");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("mesos_slaves_json");
        TCase *t = tcase_create("mesos_slaves_json");

        tcase_add_loop_test(t, finds_the_agents, 0, ELEMENTSOF(answers));
        tcase_add_test(t, has_a_greatest_number);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
