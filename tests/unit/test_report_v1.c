/* It spells API v1 to the byte: scripts compare sentences and count keys. */

#include <jansson.h>

#include "model/report_v1.h"
#include "tests/unit/test_main.h"

#define NOW UINT64_C(1000000)

static const struct diag_node node = {
        .node_id = "6f1c",
        .hostname = "configured",
        .kernel_hostname = "m1",
        .address = "10.0.0.1",
        .mesos_id = "M-1",
        .version = "0.1.0",
        .dcos_version = "2.1",
        .port = 1051,
        .role = DIAG_ROLE_MASTER,
};
static const struct diag_system nothing = {0};

#define TAIL                                                                 \
        ",\"hostname\":\"m1\",\"ip\":\"10.0.0.1\",\"dcos_version\":\"2.1\"," \
        "\"node_role\":\"master\",\"mesos_id\":\"M-1\","                     \
        "\"dcos_diagnostics_version\":\"0.1.0\"}\n"

static struct blob *render(const struct diag_component *parts, size_t n, const char *reason)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(diag_report_add(r, &parts[i]), 0);
        if (reason)
                diag_report_set_reason(r, DIAG_UNKNOWN, DIAG_CODE_NO_COMPONENTS, reason);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        return diag_report_render_v1(r);
}

START_TEST(spells_small_reports)
{
        static const struct diag_unit failed = {.active_state = "failed", .sub_state = "failed"};
        static const struct diag_component parts[] = {
                {.name = "b.service",
                 .title = "B",
                 .description = "the b",
                 .health = DIAG_UNHEALTHY,
                 .code = DIAG_CODE_EXIT_CODE,
                 .text = "exited with status 3",
                 .output = "line 1\nline 2\n",
                 .unit = &failed},
                {.name = "a.service",
                 .title = "a.service",
                 .description = "a",
                 .health = DIAG_HEALTHY,
                 .code = DIAG_CODE_OK,
                 .output = "not for the healthy"},
                {.name = "c.service",
                 .title = "C",
                 .code = DIAG_CODE_INCOMPLETE,
                 .text = "no state"    },
        };
        _cleanup_(blob_unrefp) struct blob *b = render(parts, ELEMENTSOF(parts), NULL);

        ck_assert_str_eq(blob_data(b),
                         "{\"units\":["
                         "{\"id\":\"a.service\",\"health\":0,\"output\":\"\",\"description\":\"a\","
                         "\"help\":\"\",\"name\":\"a.service\"},"
                         "{\"id\":\"b.service\",\"health\":1,\"output\":\"b.service state is not "
                         "one of the possible states [active inactive activating]. Current state "
                         "is [ failed ]. Please check `systemctl show all b.service` to check "
                         "current Unit state. \\nline 1\\nline 2\\n\",\"description\":\"the b\","
                         "\"help\":\"\",\"name\":\"B\"},"
                         "{\"id\":\"c.service\",\"health\":3,\"output\":\"no state\\n\","
                         "\"description\":\"\",\"help\":\"\",\"name\":\"C\"}"
                         "]" TAIL);
        ck_assert_uint_eq(blob_size(b), strlen(blob_data(b)));
}
END_TEST

START_TEST(shows_what_was_printed_only_to_those_who_may)
{
        static const struct diag_probe probes[] = {
                {.name = "fine", .health = DIAG_HEALTHY,   .output = "all is well"},
                {.name = "ping", .health = DIAG_UNHEALTHY, .output = "no leader"  },
        };
        static const struct diag_component part = {
                .name = "b.service",
                .health = DIAG_UNHEALTHY,
                .code = DIAG_CODE_PROBE_FAILED,
                .text = "probe ping: HTTP status 503",
                .output = "line\n",
                .probes = probes,
                .n_probes = 2,
        };
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(blob_unrefp) struct blob *all = NULL, *reasons = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        ck_assert_int_eq(diag_report_add(r, &part), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        all = diag_report_render_v1(r);
        reasons = diag_report_render_v1_reasons(r);
        ck_assert_ptr_nonnull(strstr(blob_data(all),
                                     "\"output\":\"probe ping: HTTP status 503\\nline\\n\\n"
                                     "[probe ping]\\nno leader\""));
        ck_assert_ptr_nonnull(
                strstr(blob_data(reasons), "\"output\":\"probe ping: HTTP status 503\\n\""));
}
END_TEST

START_TEST(shows_its_target_when_there_is_no_component)
{
        _cleanup_(blob_unrefp) struct blob *b = render(NULL, 0, "dcos.target was not found");

        ck_assert_str_eq(blob_data(b),
                         "{\"units\":[{\"id\":\"dcos.target\",\"health\":3,"
                         "\"output\":\"dcos.target was not found\\n\","
                         "\"description\":\"dcos.target was not found\",\"help\":\"\","
                         "\"name\":\"dcos.target\"}]" TAIL);
}
END_TEST

START_TEST(escapes)
{
        static const struct diag_component part = {
                .name = "a\\x2d\"b\".service",
                .title = "<&>",
                .description = "tab\there \xff \xe2\x80\xa8",
                .health = DIAG_UNKNOWN,
                .code = DIAG_CODE_NO_FACTS,
                .text = "\x1b[31m",
                .output = "",
        };
        _cleanup_(blob_unrefp) struct blob *b = render(&part, 1, NULL);

        ck_assert_str_eq(blob_data(b),
                         "{\"units\":[{\"id\":\"a\\\\x2d\\\"b\\\".service\",\"health\":3,"
                         "\"output\":\"\\u001b[31m\\n\","
                         "\"description\":\"tab\\there \\ufffd \\u2028\",\"help\":\"\","
                         "\"name\":\"\\u003c\\u0026\\u003e\"}]" TAIL);
}
END_TEST

static void json_decrefpp(json_t **j)
{
        json_decref(*j);
}

START_TEST(has_7_keys_and_6_of_each_unit)
{
        static const struct diag_component good = {.name = "a.service", .health = DIAG_HEALTHY},
                                           bad = {.name = "b.service", .health = DIAG_UNHEALTHY},
                                           dark = {.name = "c.service"};
        const struct diag_component parts[] = {good, bad, dark};
        _cleanup_(json_decrefpp) json_t *o = NULL;
        size_t i;
        json_t *u;

        for (size_t n = 0; n <= ELEMENTSOF(parts); n++) {
                _cleanup_(blob_unrefp) struct blob *b = render(parts, n, NULL);

                json_decref(o);
                o = json_loadb(blob_data(b), blob_size(b), 0, NULL);
                ck_assert_uint_eq(json_object_size(o), 7);
                ck_assert_uint_eq(json_array_size(json_object_get(o, "units")), n ? n : 1);
                json_array_foreach (json_object_get(o, "units"), i, u) {
                        ck_assert_uint_eq(json_object_size(u), 6);
                        ck_assert_str_eq(json_string_value(json_object_get(u, "help")), "");
                }
        }
}
END_TEST

START_TEST(has_no_empty_answer_for_a_node_that_knows_nothing)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(blob_unrefp) struct blob *b = NULL;
        static const struct diag_node unknown = {0};

        ck_assert_int_eq(diag_report_new(&r, &unknown, &nothing, "dcos.target"), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        b = diag_report_render_v1(r);
        ck_assert_str_eq(blob_data(b),
                         "{\"units\":[{\"id\":\"dcos.target\",\"health\":3,"
                         "\"output\":\"there is no component to watch\\n\","
                         "\"description\":\"there is no component to watch\",\"help\":\"\","
                         "\"name\":\"dcos.target\"}],\"hostname\":\"\",\"ip\":\"\","
                         "\"dcos_version\":\"\",\"node_role\":\"\",\"mesos_id\":\"\","
                         "\"dcos_diagnostics_version\":\"\"}\n");
}
END_TEST

static const struct {
        enum diag_health health;
        int number;
} numbers[] = {
        {DIAG_HEALTHY,   0},
        {DIAG_UNHEALTHY, 1},
        {DIAG_UNKNOWN,   3},
};

START_TEST(numbers_health)
{
        ck_assert_int_eq(diag_v1_health(numbers[_i].health), numbers[_i].number);
}
END_TEST

/* --- the old sentences ---------------------------------------------------------------------- */

#define NOT_LOADED \
        "a.service is not loaded. Please check `systemctl show all` to check current Unit status."
#define BAD_STATE                                                                            \
        "a.service state is not one of the possible states [active inactive activating]. "   \
        "Current state is [ ACTIVE ]. Please check `systemctl show all a.service` to check " \
        "current Unit state. "
#define EXIT_STATUS  "ExecMainStatus return failed status for a.service"
#define NEVER_ACTIVE "Unit a.service has never entered `active` state"
#define FLAPPING                                                                          \
        "Unit a.service is flapping. Please check `systemctl status a.service` to check " \
        "current Unit state."
#define SUB_STATE "Unit a.service is SUB"
#define STATE     "Unit a.service is ACTIVE (SUB)"
#define PLAIN     "our own words"

static const struct {
        enum diag_code code;
        const char *want;
} sentences[] = {
        {DIAG_CODE_NO_FACTS,                 PLAIN       },
        {DIAG_CODE_INCOMPLETE,               PLAIN       },
        {DIAG_CODE_MASKED,                   NOT_LOADED  },
        {DIAG_CODE_NOT_FOUND,                NOT_LOADED  },
        {DIAG_CODE_BAD_UNIT_FILE,            NOT_LOADED  },
        {DIAG_CODE_EXIT_CODE,                BAD_STATE   },
        {DIAG_CODE_SIGNAL,                   BAD_STATE   },
        {DIAG_CODE_CORE_DUMP,                BAD_STATE   },
        {DIAG_CODE_OOM_KILL,                 BAD_STATE   },
        {DIAG_CODE_WATCHDOG,                 BAD_STATE   },
        {DIAG_CODE_TIMEOUT,                  BAD_STATE   },
        {DIAG_CODE_START_LIMIT_HIT,          BAD_STATE   },
        {DIAG_CODE_RESOURCES,                BAD_STATE   },
        {DIAG_CODE_PROTOCOL,                 BAD_STATE   },
        {DIAG_CODE_FAILED,                   BAD_STATE   },
        {DIAG_CODE_STOPPING,                 BAD_STATE   },
        {DIAG_CODE_STUCK_STOPPING,           BAD_STATE   },
        {DIAG_CODE_STUCK_RELOADING,          BAD_STATE   },
        {DIAG_CODE_CLEANING,                 BAD_STATE   },
        {DIAG_CODE_ODD_STATE,                BAD_STATE   },
        {DIAG_CODE_CRASH_LOOP,               FLAPPING    },
        {DIAG_CODE_RESTARTING,               FLAPPING    },
        {DIAG_CODE_RESTARTING_AFTER_FAILURE, EXIT_STATUS },
        {DIAG_CODE_LAST_RUN_FAILED,          EXIT_STATUS },
        {DIAG_CODE_EXIT_STATUS,              EXIT_STATUS },
        {DIAG_CODE_NEVER_ACTIVE,             NEVER_ACTIVE},
        {DIAG_CODE_STUCK_STARTING,           STATE       },
        {DIAG_CODE_STARTING,                 STATE       },
        {DIAG_CODE_FROZEN,                   STATE       },
        {DIAG_CODE_WAITING,                  SUB_STATE   },
        {DIAG_CODE_ASSERT_FAILED,            SUB_STATE   },
        {DIAG_CODE_CONDITION_NOT_MET,        SUB_STATE   },
        {DIAG_CODE_NEVER_RAN,                SUB_STATE   },
        {DIAG_CODE_DEPENDENCY_FAILED,        SUB_STATE   },
        {DIAG_CODE_TRIGGER_INACTIVE,         SUB_STATE   },
        {DIAG_CODE_STOPPED,                  SUB_STATE   },
        {DIAG_CODE_FACTS_STALE,              PLAIN       },
        {DIAG_CODE_NO_COMPONENTS,            PLAIN       },
        {DIAG_CODE_SYSTEM_MAINTENANCE,       PLAIN       },
        {DIAG_CODE_PROBE_FAILED,             PLAIN       },
        {DIAG_CODE_PROBE_TIMEOUT,            PLAIN       },
        {DIAG_CODE_PROBE_UNKNOWN,            PLAIN       },
        {DIAG_CODE_PROBE_LATE,               PLAIN       },
        {DIAG_CODE_PROBE_NOT_RUN,            PLAIN       },
        {DIAG_CODE_NONE,                     PLAIN       },
};
static const struct diag_unit unit = {.active_state = "ACTIVE", .sub_state = "SUB"};

START_TEST(says_the_old_sentences)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct diag_component c = {.name = "a.service",
                                   .health = DIAG_UNHEALTHY,
                                   .code = sentences[_i].code,
                                   .text = PLAIN,
                                   .unit = &unit};

        diag_v1_reason(&b, &c);
        ck_assert_str_eq(buf_cstr(&b), sentences[_i].want);
        buf_clear(&b);
        c.health = DIAG_HEALTHY;
        diag_v1_reason(&b, &c);
        ck_assert_str_eq(buf_cstr(&b), "");
}
END_TEST

/* Those that are only ever healthy have no sentence. */
static bool is_always_healthy(enum diag_code c)
{
        return c == DIAG_CODE_OFF || c == DIAG_CODE_ABSENT || c == DIAG_CODE_RELOADING ||
               c == DIAG_CODE_RESTARTING_DIRECT || c == DIAG_CODE_RUNNING_JOB ||
               c == DIAG_CODE_OK || c == DIAG_CODE_SKIPPED || c == DIAG_CODE_ARMED ||
               c == DIAG_CODE_IDLE || c == DIAG_CODE_DONE;
}

START_TEST(has_a_sentence_for_each_code)
{
        bool found = is_always_healthy((enum diag_code)_i) || _i >= DIAG_CODE_NEVER_ANSWERED;

        for (size_t i = 0; i < ELEMENTSOF(sentences); i++)
                found = found || (int)sentences[i].code == _i;
        ck_assert_msg(found, "%s", diag_code_to_string((enum diag_code)_i));
}
END_TEST

START_TEST(does_without_facts)
{
        _cleanup_(buf_done) struct buf b = {0};
        const struct diag_component c = {.name = "a.service",
                                         .health = DIAG_UNHEALTHY,
                                         .code = DIAG_CODE_STOPPED,
                                         .text = "is stopped"};

        diag_v1_reason(&b, &c);
        ck_assert_str_eq(buf_cstr(&b), "is stopped");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("report_v1");
        TCase *bytes = tcase_create("bytes"), *words = tcase_create("sentences");

        tcase_add_test(bytes, spells_small_reports);
        tcase_add_test(bytes, shows_what_was_printed_only_to_those_who_may);
        tcase_add_test(bytes, shows_its_target_when_there_is_no_component);
        tcase_add_test(bytes, escapes);
        tcase_add_test(bytes, has_7_keys_and_6_of_each_unit);
        tcase_add_test(bytes, has_no_empty_answer_for_a_node_that_knows_nothing);
        tcase_add_loop_test(bytes, numbers_health, 0, ELEMENTSOF(numbers));
        suite_add_tcase(s, bytes);

        tcase_add_loop_test(words, says_the_old_sentences, 0, ELEMENTSOF(sentences));
        tcase_add_loop_test(words, has_a_sentence_for_each_code, 0, DIAG_N_CODES);
        tcase_add_test(words, does_without_facts);
        suite_add_tcase(s, words);
        return test_main(s);
}
