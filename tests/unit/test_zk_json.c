/* What our znodes say: read strictly, written so that it can be read, with what others have put there. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/zk_json.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define ID   "0123456789abcdef0123456789abcdef"
#define UUID "01234567-89ab-4def-8123-456789abcdef"
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64

enum kind { ROOT, MASTER, TOMBSTONE, MAINTENANCE };

static const struct {
        const char *text;
        enum kind kind;
        int want;
        const char *says; /* part of the error */
} cases[] = {
        {"{\"schema\":1}",                                                                                 ROOT,        0,        ""                            },
        {"{\"schema\":1,\"cluster_id\":\"" UUID
         "\",\"name\":\"prod\",\"created\":\"2026-11-21T00:04:07Z\","
         "\"more\":[{}]}",                                                                        ROOT,        0,        ""                            },
        {"{\"schema\":1,\"cluster_id\":null,\"name\":null,\"created\":null}",                              ROOT,        0,        ""                            },
        {"{\"schema\":2,\"cluster_id\":7}",                                                                ROOT,        0,        ""                            },
        {"{}",                                                                                             ROOT,        -EBADMSG, "schema is missing"           },
        {"{\"schema\":0}",                                                                                 ROOT,        -EBADMSG, "schema is missing"           },
        {"{\"schema\":-1}",                                                                                ROOT,        -EBADMSG, "schema is not a whole number"},
        {"{\"schema\":1000001}",                                                                           ROOT,        -EBADMSG, "schema is not a whole number"},
        {"{\"schema\":\"1\"}",                                                                             ROOT,        -EBADMSG, "schema is not a whole number"},
        {"{\"schema\":1.5}",                                                                               ROOT,        -EBADMSG, "schema is not a whole number"},
        {"{\"schema\":1,\"schema\":1}",                                                                    ROOT,        -EBADMSG, "not JSON"                    },
        {"{\"schema\":1,\"cluster_id\":\"x\"}",                                                            ROOT,        -EBADMSG, "cluster_id is not a UUID"    },
        {"{\"schema\":1,\"cluster_id\":\"0123456789abcdef0123456789abcdef0123\"}",                         ROOT,        -EBADMSG,
         "cluster_id is not a UUID"                                                                                                                             },
        {"{\"schema\":1,\"name\":7}",                                                                      ROOT,        -EBADMSG, "name is not a string"        },
        {"{\"schema\":1,\"name\":\"" X256 "\"}",                                                           ROOT,        0,        ""                            },
        {"{\"schema\":1,\"name\":\"" X256 "x\"}",                                                          ROOT,        -EBADMSG, "name is too long"            },
        {"{\"schema\":1,\"created\":\"today\"}",                                                           ROOT,        -EBADMSG, "created is not a time"       },
        {"",                                                                                               ROOT,        -EBADMSG, "not JSON"                    },
        {"null",                                                                                           ROOT,        -EBADMSG, "not JSON"                    },
        {"[]",                                                                                             ROOT,        -EBADMSG, "not an object"               },
        {"{\"schema\":1}}",                                                                                ROOT,        -EBADMSG, "not JSON"                    },

        {"{\"address\":\"10.0.0.1\"}",                                                                     MASTER,      0,        ""                            },
        {"{\"address\":\"fe80::1\",\"port\":1051,\"hostname\":\"m1\",\"boot_id\":\"" ID
         "\",\"registered\":\"2026-11-21T00:04:07.123Z\"}",                                       MASTER,      0,        ""                            },
        {"{\"port\":1051}",                                                                                MASTER,      -EBADMSG, "address is missing"          },
        {"{\"address\":\"\"}",                                                                             MASTER,      -EBADMSG, "address is missing"          },
        {"{\"address\":null}",                                                                             MASTER,      -EBADMSG, "address is missing"          },
        {"{\"address\":\"m1.example\"}",                                                                   MASTER,      -EBADMSG, "address is not an IP address"},
        {"{\"address\":\"10.0.0.1\",\"port\":65536}",                                                      MASTER,      -EBADMSG, "port is not"                 },
        {"{\"address\":\"10.0.0.1\",\"port\":\"1051\"}",                                                   MASTER,      -EBADMSG, "port is not"                 },
        {"{\"address\":\"10.0.0.1\",\"boot_id\":\"abc\"}",                                                 MASTER,      -EBADMSG, "boot_id is not"              },
        {"{\"address\":\"10.0.0.1\",\"hostname\":\"a\\nb\"}",                                              MASTER,      -EBADMSG,
         "hostname is too long, or has a control character"                                                                                                     },
        {"{\"address\":\"10.0.0.1\",\"hostname\":\"a\\u009bb\"}",                                          MASTER,      -EBADMSG, "hostname is"                 },
        {"{\"address\":\"10.0.0.1\",\"hostname\":\"a\\u0000b\"}",                                          MASTER,      -EBADMSG, "not JSON"                    },
        {"{\"address\":\"10.0.0.1\",\"hostname\":{}}",                                                     MASTER,      -EBADMSG,
         "hostname is not a string"                                                                                                                             },
        {"{\"address\":\"10.0.0.1\",\"registered\":7}",                                                    MASTER,      -EBADMSG, "registered is not"           },

        {"{}",                                                                                             TOMBSTONE,   0,        ""                            },
        {"{\"address\":\"10.0.0.1\",\"by\":\"root\",\"reason\":\"gone\",\"at\":\"2026-11-21T00:04:07Z\"}",
         TOMBSTONE,                                                                                                     0,        ""                            },
        {"{\"address\":\"x\"}",                                                                            TOMBSTONE,   -EBADMSG, "address is not an IP address"},
        {"{\"by\":[]}",                                                                                    TOMBSTONE,   -EBADMSG, "by is not a string"          },
        {"{\"reason\":\"\\u001b[2J\"}",                                                                    TOMBSTONE,   -EBADMSG, "reason is"                   },
        {"{\"at\":\"\\u0031\"}",                                                                           TOMBSTONE,   -EBADMSG, "at is not a time"            },

        {"{\"until\":\"2026-11-21T00:04:07Z\"}",                                                           MAINTENANCE, 0,        ""                            },
        {"{\"until\":\"2026-11-21T00:04:07Z\",\"since\":null,\"by\":\"\",\"reason\":\"disk\"}",
         MAINTENANCE,                                                                                                   0,        ""                            },
        {"{\"since\":\"2026-11-21T00:04:07Z\"}",                                                           MAINTENANCE, -EBADMSG, "until is missing"            },
        {"{\"until\":1}",                                                                                  MAINTENANCE, -EBADMSG, "until is not a string"       },
};

static int decode(enum kind kind, struct arena *a, const char *text, size_t n, struct err *e)
{
        struct zk_root root;
        struct zk_master master;
        struct zk_tombstone tombstone;
        struct zk_maintenance maintenance;

        switch (kind) {
        case ROOT:
                return zk_root_from_json(&root, text, n, e);
        case MASTER:
                return zk_master_from_json(&master, a, text, n, e);
        case TOMBSTONE:
                return zk_tombstone_from_json(&tombstone, a, text, n, e);
        default:
                return zk_maintenance_from_json(&maintenance, a, text, n, e);
        }
}

START_TEST(decodes)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct err e = {0};
        int k = decode(cases[_i].kind, &a, cases[_i].text, strlen(cases[_i].text), &e);

        ck_assert_msg(k == cases[_i].want && strstr(e.text, cases[_i].says), "%s: %d: %s",
                      cases[_i].text, k, e.text);
}
END_TEST

START_TEST(takes_no_more_than_its_limit)
{
        _cleanup_(arena_done) struct arena a = {0};
        static const char whole[] =
                "{\"schema\":1,\"address\":\"::\",\"until\":\"2026-11-21T00:04:07Z\"}";
        static char text[ZK_DATA_MAX + 1];

        memset(text, ' ', sizeof(text));
        memcpy(text, whole, sizeof(whole) - 1);
        for (enum kind kind = ROOT; kind <= MAINTENANCE; kind++) {
                ck_assert_int_eq(decode(kind, &a, text, ZK_DATA_MAX, NULL), 0);
                ck_assert_int_eq(decode(kind, &a, text, ZK_DATA_MAX + 1, NULL), -E2BIG);
        }
}
END_TEST

START_TEST(reads_a_newer_root)
{
        struct zk_root root = {0};
        static const char text[] = "{\"schema\":2,\"cluster_id\":{},\"name\":[]}";

        ck_assert_int_eq(zk_root_from_json(&root, text, strlen(text), NULL), 0);
        ck_assert_uint_eq(root.schema, 2);
        ck_assert_str_eq(root.cluster_id, "");
}
END_TEST

START_TEST(writes_what_it_reads)
{
        _cleanup_(arena_done) struct arena a = {0};
        const struct zk_root root = {
                .schema = 1, .cluster_id = UUID, .name = "<prod>", .created_wall_usec = 1000};
        const struct zk_master master = {.address = "::1",
                                         .hostname = "m\"1",
                                         .boot_id = ID,
                                         .registered_wall_usec = 2000,
                                         .port = 7};
        const struct zk_tombstone tombstone = {
                .address = "", .by = "uid:0", .reason = "gone", .at_wall_usec = 3000};
        const struct zk_maintenance maintenance = {.by = "root",
                                                   .reason = "\xc3\xa4",
                                                   .since_wall_usec = 4000,
                                                   .until_wall_usec = 5000};
        struct zk_root root2;
        struct zk_master master2;
        struct zk_tombstone tombstone2;
        struct zk_maintenance maintenance2;
        struct buf b = {0};

        zk_root_to_json(&b, &root);
        ck_assert_int_eq(zk_root_from_json(&root2, b.data, b.n, NULL), 0);
        ck_assert_mem_eq(&root, &root2, sizeof(root));

        buf_clear(&b);
        zk_master_to_json(&b, &master, NULL, 0);
        ck_assert_int_eq(zk_master_from_json(&master2, &a, b.data, b.n, NULL), 0);
        ck_assert_str_eq(master2.address, master.address);
        ck_assert_str_eq(master2.hostname, master.hostname);
        ck_assert_str_eq(master2.boot_id, master.boot_id);
        ck_assert_uint_eq(master2.registered_wall_usec, 2000);
        ck_assert_uint_eq(master2.port, 7);

        buf_clear(&b);
        zk_tombstone_to_json(&b, &tombstone);
        ck_assert_str_eq(buf_cstr(&b),
                         "{\"address\":null,\"by\":\"uid:0\",\"at\":\"1970-01-01T00:00:"
                         "00.003Z\",\"reason\":\"gone\"}");
        ck_assert_int_eq(zk_tombstone_from_json(&tombstone2, &a, b.data, b.n, NULL), 0);
        ck_assert_str_eq(tombstone2.by, "uid:0");
        ck_assert_uint_eq(tombstone2.at_wall_usec, 3000);

        buf_clear(&b);
        zk_maintenance_to_json(&b, &maintenance, NULL, 0);
        ck_assert_int_eq(zk_maintenance_from_json(&maintenance2, &a, b.data, b.n, NULL), 0);
        ck_assert_str_eq(maintenance2.reason, maintenance.reason);
        ck_assert_uint_eq(maintenance2.until_wall_usec, 5000);
        buf_done(&b);
}
END_TEST

/* What was there before, and what of it is there afterwards. */
static const struct {
        const char *name, *old, *kept;
} rewrites[] = {
        {"a member",            "{\"zone\":\"b\"}",                                    ",\"zone\":\"b\"}" },
        {"any value",           "{\"port\":9,\"a\":[1,{\"address\":2.5}],\"b\":null}",
         ",\"a\":[1,{\"address\":2.5}],\"b\":null}"                                                       },
        {"nothing but ours",    "{\"address\":\"::2\",\"port\":9}",                    "\"boot_id\":null}"},
        {"nothing of an array", "[\"zone\"]",                                          "\"boot_id\":null}"},
        {"nothing of a fault",  "{\"zone\":",                                          "\"boot_id\":null}"},
        {"nothing of nothing",  "",                                                    "\"boot_id\":null}"},
        {"nothing of a doubt",  "{\"zone\":1,\"zone\":2}",                             "\"boot_id\":null}"},
};

START_TEST(keeps_what_it_does_not_know)
{
        _cleanup_(arena_done) struct arena a = {0};
        _cleanup_(buf_done) struct buf b = {.max = ZK_DATA_MAX};
        const struct zk_master m = {.address = "::1", .hostname = "", .boot_id = "", .port = 1};
        struct zk_master again;
        const char *end;

        zk_master_to_json(&b, &m, rewrites[_i].old, strlen(rewrites[_i].old));
        ck_assert_int_eq(b.error, 0);
        ck_assert_int_eq(zk_master_from_json(&again, &a, b.data, b.n, NULL), 0);
        ck_assert_uint_eq(again.port, 1);
        end = b.data + b.n - strlen(rewrites[_i].kept);
        ck_assert_msg(streq(end, rewrites[_i].kept), "%s: %s", rewrites[_i].name, b.data);
}
END_TEST

START_TEST(keeps_nothing_that_would_be_too_much)
{
        _cleanup_(buf_done) struct buf b = {.max = ZK_DATA_MAX}, old = {0};
        const struct zk_master m = {.address = "::1", .hostname = "", .boot_id = "", .port = 1};

        buf_puts(&old, "{\"x\":\"");
        while (old.n < ZK_DATA_MAX - 2)
                buf_putc(&old, 'x');
        buf_puts(&old, "\"}");
        zk_master_to_json(&b, &m, old.data, old.n);
        ck_assert_int_eq(b.error, 0);
        ck_assert_uint_lt(b.n, 256);
}
END_TEST

static const struct {
        const char *id;
        bool valid, any;
} ids[] = {
        {ID,                                 true,  true },
        {"addr:10.0.0.9",                    false, true },
        {"addr:fe80::1",                     false, true },
        {"addr:",                            false, false},
        {"addr:m1",                          false, false},
        {"",                                 false, false},
        {ID "0",                             false, false},
        {"0123456789ABCDEF0123456789ABCDEF", false, false},
        {"../../../../../../../../../../..", false, false},
};

START_TEST(knows_ids)
{
        ck_assert_int_eq(zk_node_id_is_valid(ids[_i].id, false), ids[_i].valid);
        ck_assert_int_eq(zk_node_id_is_valid(ids[_i].id, true), ids[_i].any);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("zk_json");
        TCase *decode_case = tcase_create("decode"), *encode_case = tcase_create("encode");

        tcase_add_loop_test(decode_case, decodes, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(decode_case, knows_ids, 0, ELEMENTSOF(ids));
        tcase_add_test(decode_case, takes_no_more_than_its_limit);
        tcase_add_test(decode_case, reads_a_newer_root);
        suite_add_tcase(suite, decode_case);
        tcase_add_test(encode_case, writes_what_it_reads);
        tcase_add_loop_test(encode_case, keeps_what_it_does_not_know, 0, ELEMENTSOF(rewrites));
        tcase_add_test(encode_case, keeps_nothing_that_would_be_too_much);
        suite_add_tcase(suite, encode_case);
        return test_main(suite);
}
