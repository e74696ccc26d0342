/* Where the masters of Mesos are, as they say it in ZooKeeper. */

#include <errno.h>

#include "aggregator/mesos_info_json.h"
#include "tests/unit/test_main.h"

static const struct {
        const char *name;
        enum mesos_info_kind kind;
        uint64_t sequence;
} names[] = {
        {"json.info_0000000012",           MESOS_INFO_JSON,     12        },
        {"json.info_0000000000",           MESOS_INFO_JSON,     0         },
        {"json.info_2147483647",           MESOS_INFO_JSON,     2147483647},
        {"info_0000000003",                MESOS_INFO_PROTOBUF, 3         },
        {"log_replicas",                   MESOS_INFO_NONE,     0         },
        {"json.info_",                     MESOS_INFO_NONE,     0         },
        {"json.info_-0000000012",          MESOS_INFO_NONE,     0         },
        {"json.info_12x",                  MESOS_INFO_NONE,     0         },
        {"json.info_99999999999999999999", MESOS_INFO_NONE,     0         },
        {"json.info",                      MESOS_INFO_NONE,     0         },
        {"other_0000000012",               MESOS_INFO_NONE,     0         },
        {"",                               MESOS_INFO_NONE,     0         },
};

START_TEST(knows_names)
{
        uint64_t sequence = 0;

        ck_assert_int_eq(mesos_info_kind(names[_i].name, &sequence), names[_i].kind);
        if (names[_i].kind != MESOS_INFO_NONE)
                ck_assert_uint_eq(sequence, names[_i].sequence);
}
END_TEST

/* As Mesos 1.11 writes it. */
#define REAL                                                                          \
        "{\"address\":{\"hostname\":\"10.0.4.4\",\"ip\":\"10.0.4.4\",\"port\":5050}," \
        "\"capabilities\":[{\"type\":\"AGENT_UPDATE\"}],\"hostname\":\"10.0.4.4\","   \
        "\"id\":\"33d85ad9-0d2b-4c3f-8a7d-6e9b0c1d2e3f\",\"ip\":67371018,"            \
        "\"pid\":\"master@10.0.4.4:5050\",\"port\":5050,\"version\":\"1.11.0\"}"

static const struct {
        const char *text, *address, *says;
        unsigned port;
        int want;
} infos[] = {
        {REAL,                                                     "10.0.4.4",  "",                                5050, 0       },
        {"{\"ip\":67371018,\"port\":5051}",                        "10.0.4.4",  "",                                5051, 0       },
        {"{\"ip\":16777343}",                                      "127.0.0.1", "",                                0,    0       },
        {"{\"address\":{\"ip\":\"fe80::1\"},\"ip\":1,\"port\":1}", "fe80::1",   "",                                0,    0       },
        {"{\"address\":null,\"ip\":16777343}",                     "127.0.0.1", "",                                0,    0       },
        {"{}",                                                     "",          "ip is not an IP address",         0,    -EBADMSG},
        {"{\"address\":{}}",                                       "",          "address.ip is not an IP address", 0,    -EBADMSG},
        {"{\"address\":[],\"ip\":16777343}",                       "",          "address is not an object",        0,    -EBADMSG},
        {"{\"address\":{\"ip\":\"leader.mesos\"}}",                "",          "address.ip",                      0,    -EBADMSG},
        {"{\"address\":{\"ip\":7}}",                               "",          "ip is not a string",              0,    -EBADMSG},
        {"{\"ip\":4294967296}",                                    "",          "ip is not a whole number",        0,    -EBADMSG},
        {"{\"ip\":-1}",                                            "",          "ip is not a whole number",        0,    -EBADMSG},
        {"{\"ip\":16777343,\"port\":65536}",                       "",          "port is not",                     0,    -EBADMSG},
        {"{\"ip\":16777343,\"id\":\"\\u0007\"}",                   "",          "id is not",                       0,    -EBADMSG},
        {"{\"ip\":16777343,\"ip\":16777343}",                      "",          "not JSON",                        0,    -EBADMSG},
        {"[]",                                                     "",          "not an object",                   0,    -EBADMSG},
        {"\n\x12"
         "33d85ad9",                                      "",          "not JSON",                        0,    -EBADMSG},
        {"",                                                       "",          "not JSON",                        0,    -EBADMSG},
};

START_TEST(decodes)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct zk_mesos_master m = {.sequence = 7};
        struct err e = {0};
        int k = mesos_info_from_json(&m, &a, infos[_i].text, strlen(infos[_i].text), &e);

        ck_assert_msg(k == infos[_i].want && strstr(e.text, infos[_i].says), "%s: %d: %s",
                      infos[_i].text, k, e.text);
        if (k < 0)
                return;
        ck_assert_str_eq(m.address, infos[_i].address);
        ck_assert_uint_eq(m.port, infos[_i].port);
        ck_assert_uint_eq(m.sequence, 0);
}
END_TEST

START_TEST(reads_all_of_it)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct zk_mesos_master m;

        ck_assert_int_eq(mesos_info_from_json(&m, &a, REAL, strlen(REAL), NULL), 0);
        ck_assert_str_eq(m.hostname, "10.0.4.4");
        ck_assert_str_eq(m.id, "33d85ad9-0d2b-4c3f-8a7d-6e9b0c1d2e3f");
        ck_assert_str_eq(m.version, "1.11.0");
}
END_TEST

START_TEST(takes_no_more_than_its_limit)
{
        _cleanup_(arena_done) struct arena a = {0};
        static char text[ZK_DATA_MAX + 1];
        struct zk_mesos_master m;

        memset(text, ' ', sizeof(text));
        memcpy(text, REAL, sizeof(REAL) - 1);
        ck_assert_int_eq(mesos_info_from_json(&m, &a, text, ZK_DATA_MAX, NULL), 0);
        ck_assert_int_eq(mesos_info_from_json(&m, &a, text, ZK_DATA_MAX + 1, NULL), -E2BIG);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("mesos_info_json");
        TCase *cases = tcase_create("all");

        tcase_add_loop_test(cases, knows_names, 0, ELEMENTSOF(names));
        tcase_add_loop_test(cases, decodes, 0, ELEMENTSOF(infos));
        tcase_add_test(cases, reads_all_of_it);
        tcase_add_test(cases, takes_no_more_than_its_limit);
        suite_add_tcase(suite, cases);
        return test_main(suite);
}
