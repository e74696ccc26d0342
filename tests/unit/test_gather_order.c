/* gather.json, as it is written and read again; and what nodes say beside their fragments. */

#include <errno.h>

#include "bundles/gather.h"
#include "bundles/gather_answers.h"
#include "tests/unit/test_main.h"

#define NODE "{\"url\":\"http://10.0.0.9:1050\",\"address\":\"10.0.0.9\",\"role\":\"agent\""

static int read_order(struct gather_order *ret, const char *json, struct err *e)
{
        return gather_order_read(ret, json, strlen(json), e);
}

START_TEST(reads_what_it_writes)
{
        struct gather_node nodes[] = {
                {.url = (char *)"https://10.0.0.1:1051",
                 .address = (char *)"10.0.0.1",
                 .node_id = (char *)"11111111111111111111111111111111",
                 .socket = (char *)"/run/diag/agentd.sock",
                 .role = DIAG_ROLE_MASTER},
                {.url = (char *)"http://[2001:db8::2]:1050",
                 .address = (char *)"2001:db8::2",
                 .role = DIAG_ROLE_AGENT_PUBLIC,
                 .v1 = true,
                 .unreachable = true     },
        };
        const struct gather_order order = {
                .nodes = nodes,
                .n_nodes = 2,
                .ca_file = (char *)"/etc/diag/tls/ca.pem",
                .cert_file = (char *)"/etc/diag/tls/node.pem",
                .key_file = (char *)"/etc/diag/tls/node.key",
                .at_once = 7,
                .bundle_max_bytes = UINT64_C(1) << 40,
                .node_max_bytes = 1,
                .free_floor = 123456789,
                .timeout_usec = 5000000,
        };
        _cleanup_(buf_done) struct buf first = {0}, second = {0};
        struct gather_order again = {0};
        struct err e = {0};

        gather_order_write(&first, &order);
        ck_assert_int_eq(first.error, 0);
        ck_assert_msg(gather_order_read(&again, first.data, first.n, &e) == 0, "%s", e.text);
        ck_assert_uint_eq(again.n_nodes, 2);
        ck_assert_str_eq(again.nodes[0].socket, "/run/diag/agentd.sock");
        ck_assert_ptr_null(again.nodes[1].socket);
        ck_assert_ptr_null(again.nodes[1].node_id);
        ck_assert(again.nodes[1].v1 && again.nodes[1].unreachable && !again.nodes[0].v1);
        ck_assert_uint_eq(again.free_floor, 123456789);
        gather_order_write(&second, &again);
        ck_assert_str_eq(first.data, second.data);
        gather_order_done(&again);
}
END_TEST

START_TEST(completes_what_nobody_said)
{
        struct gather_order o = {0};

        ck_assert_int_eq(read_order(&o, "{\"nodes\":[]}", NULL), 0);
        gather_order_complete(&o);
        ck_assert_uint_eq(o.at_once, GATHER_AT_ONCE);
        ck_assert_uint_eq(o.bundle_max_bytes, GATHER_BUNDLE_BYTES);
        ck_assert_uint_eq(o.node_max_bytes, GATHER_NODE_BYTES);
        ck_assert_uint_eq(o.timeout_usec, GATHER_USEC);
        ck_assert_uint_eq(o.free_floor, 0);
        gather_order_done(&o);
}
END_TEST

static const struct {
        const char *json, *says;
        int code;
} wrong[] = {
        {"",                                                                               "line",                      -EINVAL},
        {"[]",                                                                             "not an object",             -EINVAL},
        {"{}",                                                                             "nodes",                     -EINVAL},
        {"{\"nodes\":[],\"nodes\":[]}",                                                    "duplicate",                 -EINVAL},
        {"{\"nodes\":[],\"shell\":\"rm\"}",                                                "'shell'",                   -EINVAL},
        {"{\"nodes\":[],\"at_once\":65}",                                                  "at_once",                   -EINVAL},
        {"{\"nodes\":[],\"at_once\":-1}",                                                  "at_once",                   -EINVAL},
        {"{\"nodes\":[],\"free_floor\":1.5}",                                              "free_floor",                -EINVAL},
        {"{\"nodes\":[],\"ca_file\":\"\"}",                                                "ca_file",                   -EINVAL},
        {"{\"nodes\":[],\"key_file\":\"/a\\u0000b\"}",                                     "line",                      -EINVAL},
        {"{\"nodes\":[1]}",                                                                "nodes[0]",                  -EINVAL},
        {"{\"nodes\":[" NODE "},{\"x\":1}]}",                                              "nodes[1]: unknown key 'x'", -EINVAL},
        {"{\"nodes\":[" NODE "}," NODE "}]}",                                              "10.0.0.9 is there twice",   -EINVAL},
        {"{\"nodes\":[" NODE ",\"v1\":1}]}",                                               "v1",                        -EINVAL},
        {"{\"nodes\":[" NODE ",\"socket\":\"run/x\"}]}",                                   "socket",                    -EINVAL},
        {"{\"nodes\":[{\"url\":\"http://a:1\",\"address\":\"a\",\"role\":\"king\"}]}",     "role",
         -EINVAL                                                                                                               },
        {"{\"nodes\":[{\"url\":\"http://a:1/\",\"address\":\"a\",\"role\":\"agent\"}]}",   "url",
         -EINVAL                                                                                                               },
        {"{\"nodes\":[{\"url\":\"file:///etc\",\"address\":\"a\",\"role\":\"agent\"}]}",   "url",
         -EINVAL                                                                                                               },
        {"{\"nodes\":[{\"url\":\"http://a:1\",\"address\":\"../a\",\"role\":\"agent\"}]}",
         "address",                                                                                                     -EINVAL},
        {"{\"nodes\":[{\"url\":\"http://a:1\",\"role\":\"agent\"}]}",                      "address is missing",
         -EINVAL                                                                                                               },
};

START_TEST(refuses_what_is_no_order)
{
        struct gather_order o = {.at_once = 99};
        struct err e = {0};

        ck_assert_int_eq(read_order(&o, wrong[_i].json, &e), wrong[_i].code);
        ck_assert_msg(strstr(e.text, wrong[_i].says), "%s: %s", wrong[_i].json, e.text);
        ck_assert_uint_eq(o.at_once, 99); /* untouched */
}
END_TEST

static const struct {
        const char *body, *says;
} refusals[] = {
        {"{\"code\":403,\"error\":\"not you\",\"reason\":\"x\"}", "not you"           },
        {"{\"error\":\"two\\nlines \\u001b[31m\"}",               "two"               },
        {"{\"error\":7}",                                         "{\"error\":7}"     },
        {"404 page not found\nand more",                          "404 page not found"},
        {"{\"error\":\"\\u009b31mred \\u00fc\"}",                 "??31mred \xc3\xbc" },
        {"\x9b"
         "2Jcleared",                                    "?2Jcleared"        },
        {"\x1b[2Jcleared",                                        "?[2Jcleared"       },
        {"",                                                      ""                  },
};

START_TEST(takes_one_line_of_a_refusal)
{
        char words[GATHER_WORDS_MAX];

        gather_read_error(words, refusals[_i].body, strlen(refusals[_i].body));
        ck_assert_str_eq(words, refusals[_i].says);
}
END_TEST

START_TEST(cuts_a_long_refusal)
{
        char words[GATHER_WORDS_MAX], body[1000];

        memset(body, 'x', sizeof(body));
        gather_read_error(words, body, sizeof(body));
        ck_assert_uint_eq(strlen(words), GATHER_WORDS_MAX - 1);
}
END_TEST

static const struct {
        const char *body;
        int result;
        enum gather_v1_state state;
        const char *why;
} states[] = {
        {"{\"status\":\"Started\"}",                                               0,        GATHER_V1_RUNNING, ""        },
        {"{\"status\":\"InProgress\"}",                                            0,        GATHER_V1_RUNNING, ""        },
        {"{\"status\":\"Brewing\"}",                                               0,        GATHER_V1_RUNNING, ""        },
        {"{\"status\":\"Done\"}",                                                  0,        GATHER_V1_DONE,    ""        },
        {"{\"status\":\"Canceled\"}",                                              0,        GATHER_V1_FAILED,  "Canceled"},
        {"{\"status\":\"Deleted\",\"errors\":[]}",                                 0,        GATHER_V1_FAILED,  "Deleted" },
        {"{\"status\":\"Failed\",\"errors\":[\"disk\"]}",                          0,        GATHER_V1_FAILED,  "disk"    },
        {"{\"status\":\"Failed\",\"errors\":[{\"code\":500,\"error\":\"full\"}]}", 0,
         GATHER_V1_FAILED,                                                                                      "full"    },
        {"{\"status\":1}",                                                         -EBADMSG, GATHER_V1_RUNNING, ""        },
        {"no JSON",                                                                -EBADMSG, GATHER_V1_RUNNING, ""        },
};

START_TEST(reads_how_far_an_old_node_is)
{
        enum gather_v1_state state = GATHER_V1_DONE;
        char why[GATHER_WORDS_MAX] = "x";

        ck_assert_int_eq(gather_read_v1(&state, why, states[_i].body, strlen(states[_i].body)),
                         states[_i].result);
        ck_assert_int_eq(state, states[_i].state);
        ck_assert_str_eq(why, states[_i].why);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("gather_order");
        TCase *t = tcase_create("order");

        tcase_add_test(t, reads_what_it_writes);
        tcase_add_test(t, completes_what_nobody_said);
        tcase_add_loop_test(t, refuses_what_is_no_order, 0, ELEMENTSOF(wrong));
        tcase_add_loop_test(t, takes_one_line_of_a_refusal, 0, ELEMENTSOF(refusals));
        tcase_add_test(t, cuts_a_long_refusal);
        tcase_add_loop_test(t, reads_how_far_an_old_node_is, 0, ELEMENTSOF(states));
        suite_add_tcase(s, t);
        return test_main(s);
}
