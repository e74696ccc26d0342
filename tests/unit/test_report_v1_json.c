/* It reads what the older service says of its node, and what we say in its stead. */

#include <errno.h>

#include "model/report_v1.h"
#include "tests/unit/test_main.h"

#define NOW UINT64_C(1800000000000000)

static struct diag_report *decode(const char *text, const struct diag_report *previous,
                                  uint64_t now)
{
        struct diag_report *r = NULL;
        struct err e = {0};
        int k = diag_report_from_v1(&r, text, strlen(text), "10.0.0.1", previous, now, &e);

        ck_assert_msg(k == 0, "%s: %s", text, e.text);
        ck_assert_int_eq(e.code, 0);
        return r;
}

/* As the Go service writes it, "help" and all. */
static const char real[] =
        "{\"units\":[{\"id\":\"dcos-mesos-slave.service\",\"health\":1,\"output\":\"Unit is flapping."
        "\\nits last line\\n\",\"description\":\"distributed systems kernel agent\",\"help\":\"\","
        "\"name\":\"Mesos Agent\"},{\"id\":\"dcos-checks-poststart.timer\",\"health\":0,\"output\":"
        "\"never shown\",\"description\":\"d\",\"help\":\"\",\"name\":\"n\"}],"
        "\"hostname\":\"ip-10-0-0-1\",\"ip\":\"10.0.0.1\",\"dcos_version\":\"1.13\","
        "\"node_role\":\"agent_public\",\"mesos_id\":\"S-1\",\"dcos_diagnostics_version\":\"0.4.0\"}";

START_TEST(reads_all_of_it)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = decode(real, NULL, NOW);
        const struct diag_component *timer = &r->components[0], *slave = &r->components[1];

        ck_assert(r->sealed && !r->truncated);
        ck_assert_str_eq(r->node.node_id, "addr:10.0.0.1");
        ck_assert_str_eq(r->node.boot_id, "");
        ck_assert_str_eq(r->node.hostname, "ip-10-0-0-1");
        ck_assert_str_eq(r->node.kernel_hostname, "ip-10-0-0-1");
        ck_assert_str_eq(r->node.address, "10.0.0.1");
        ck_assert_str_eq(r->node.dcos_version, "1.13");
        ck_assert_str_eq(r->node.mesos_id, "S-1");
        ck_assert_str_eq(r->node.version, "0.4.0");
        ck_assert_int_eq(r->node.role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_int_eq(r->phase, DIAG_PHASE_RUNNING);
        ck_assert_int_eq(r->health, DIAG_UNHEALTHY);
        ck_assert_uint_eq(r->instance, 0);
        ck_assert_uint_gt(r->seq, 0);
        ck_assert_uint_eq(r->n_components, 2);
        ck_assert_str_eq(timer->name, "dcos-checks-poststart.timer");
        ck_assert_int_eq(timer->health, DIAG_HEALTHY);
        ck_assert_int_eq(timer->code, DIAG_CODE_OK);
        ck_assert_str_eq(timer->text, "");
        ck_assert_str_eq(timer->output, "");
        ck_assert_str_eq(slave->title, "Mesos Agent");
        ck_assert_str_eq(slave->description, "distributed systems kernel agent");
        ck_assert_int_eq(slave->code, DIAG_CODE_FAILED);
        ck_assert_str_eq(slave->text, "Unit is flapping.");
        ck_assert_str_eq(slave->output, "Unit is flapping.\nits last line\n");
        ck_assert_uint_eq(slave->since_wall_usec, NOW);
}
END_TEST

START_TEST(goes_on_from_before)
{
        static const struct {
                const char *now;
                bool new_seq, new_date;
        } kinds[] = {
                {"{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"x\\n1\"}]}", false, false},
                {"{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"x\\n2\"}]}", false, false},
                {"{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"y\\n1\"}]}", true,  false},
                {"{\"units\":[{\"id\":\"a\",\"health\":0,\"output\":\"x\\n1\"}]}", true,  true },
                {"{\"units\":[{\"id\":\"a\",\"health\":3,\"output\":\"x\\n1\"}]}", true,  true },
                {"{\"units\":[{\"id\":\"b\",\"health\":1,\"output\":\"x\\n1\"}]}", true,  true },
                {"{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"x\\n1\"}],"
                 "\"hostname\":\"other\"}",                       true,  false},
        };
        _cleanup_(diag_report_unrefp) struct diag_report *before = decode(kinds[0].now, NULL, NOW);
        _cleanup_(diag_report_unrefp) struct diag_report *now =
                decode(kinds[_i].now, before, NOW + 1000000);

        ck_assert_int_eq(now->seq != before->seq, kinds[_i].new_seq);
        ck_assert_int_eq(now->components[0].since_wall_usec != NOW, kinds[_i].new_date);
}
END_TEST

/* A service that was ours and is the older one now has nothing to go on from. */
START_TEST(does_not_go_on_from_another_kind)
{
        _cleanup_(diag_report_unrefp) struct diag_report *ours = decode(real, NULL, NOW), *r = NULL;

        ours->instance = 7;
        ours->seq = 100;
        r = decode(real, ours, NOW + 1);
        ck_assert_uint_lt(r->seq, 100);
        ck_assert_uint_eq(r->components[0].since_wall_usec, NOW + 1);
}
END_TEST

/* What our renderer writes is read as the same, but for what API v1 has no place for. */
START_TEST(reads_what_we_write)
{
        static const struct diag_node node = {.hostname = "h",
                                              .kernel_hostname = "h",
                                              .address = "10.0.0.1",
                                              .role = DIAG_ROLE_AGENT};
        static const struct diag_system system = {0};
        static const struct diag_component parts[] = {
                {.name = "a.service", .title = "A",               .description = "d", .health = DIAG_HEALTHY},
                {.name = "b.service",
                 .title = "B \"\\ \xc3\xa9 \x01",
                 .description = "",
                 .health = DIAG_UNHEALTHY,
                 .code = DIAG_CODE_PROBE_FAILED,
                 .text = "it is \xe2\x82\xac"
                         "5 short", .output = "line 1\nline 2\n"},
                {.name = "c.service",
                 .title = "C",
                 .code = DIAG_CODE_INCOMPLETE,
                 .text = "no state"                      },
        };
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL, *again = NULL;
        _cleanup_(blob_unrefp) struct blob *b = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                ck_assert_int_eq(diag_report_add(r, &parts[i]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        b = diag_report_render_v1(r);
        again = decode(blob_data(b), NULL, NOW);
        ck_assert_uint_eq(again->n_components, r->n_components);
        ck_assert_int_eq(again->health, r->health);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                ck_assert_str_eq(again->components[i].name, parts[i].name);
                ck_assert_str_eq(again->components[i].title, parts[i].title);
                ck_assert_int_eq(again->components[i].health, parts[i].health);
        }
        ck_assert_str_eq(again->components[1].text, parts[1].text);
        ck_assert_str_eq(again->components[1].output, "it is \xe2\x82\xac"
                                                      "5 short\nline 1\nline 2\n");
}
END_TEST

/* Half a character would be shown as a replacement character. */
START_TEST(cuts_at_the_end_of_a_character)
{
        for (size_t n = DIAG_STRING_MAX - 4; n <= DIAG_STRING_MAX + 1; n++) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
                _cleanup_(buf_done) struct buf b = {0};
                const char *text;

                buf_puts(&b, "{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"");
                for (size_t i = 0; i < n; i++)
                        buf_putc(&b, 'x');
                buf_puts(&b, "\xe2\x82\xac and more\"}]}");
                r = decode(buf_cstr(&b), NULL, NOW);
                text = r->components[0].text;
                ck_assert_uint_le(strlen(text), DIAG_STRING_MAX);
                ck_assert_uint_ge(strlen(text), DIAG_STRING_MAX - 3);
                ck_assert_msg(n + 3 > DIAG_STRING_MAX ? text[strlen(text) - 1] == 'x'
                                                      : strstr(text, "\xe2\x82\xac") != NULL,
                              "%zu", n);
        }
}
END_TEST

START_TEST(unites_units_of_one_name)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = decode(
                "{\"units\":[{\"id\":\"a\",\"health\":0},{\"id\":\"a\",\"health\":0}]}", NULL, NOW);

        ck_assert_uint_eq(r->n_components, 1);
        ck_assert_uint_eq(r->counts.n[DIAG_HEALTHY], 1);
}
END_TEST

/* An address is the roster's, and may be a long name. */
START_TEST(takes_any_address)
{
        static const char body[] = "{\"units\":[]}";
        char address[1024];

        for (size_t n = 0; n < sizeof(address); n += 93) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;

                memset(address, 'n', n);
                address[n] = '\0';
                ck_assert_int_eq(
                        diag_report_from_v1(&r, body, strlen(body), address, NULL, NOW, NULL), 0);
                ck_assert_int_eq(strncmp(r->node.node_id, "addr:", 5), 0);
                ck_assert_int_eq(strncmp(r->node.node_id + 5, address, n < 500 ? n : 500), 0);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("report_v1_json");
        TCase *t = tcase_create("it");

        tcase_add_test(t, reads_all_of_it);
        tcase_add_loop_test(t, goes_on_from_before, 0, 7);
        tcase_add_test(t, does_not_go_on_from_another_kind);
        tcase_add_test(t, reads_what_we_write);
        tcase_add_test(t, cuts_at_the_end_of_a_character);
        tcase_add_test(t, unites_units_of_one_name);
        tcase_add_test(t, takes_any_address);
        suite_add_tcase(s, t);
        return test_main(s);
}
