/* It spells a bundle, and reads it again; what others write is refused by name, or made harmless. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/bundle.h"
#include "tests/unit/test_main.h"

#define X16  "abcdef0123456789"
#define X64  X16 X16 X16 X16
#define X256 X64 X64 X64 X64

/* --- words ------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        const char *v2, *v1;
        enum bundle_state state;
        bool final;
} words[] = {
        {"unknown", "Unknown", BUNDLE_UNKNOWN, false},
        {"queued", "Started", BUNDLE_QUEUED, false},
        {"running", "InProgress", BUNDLE_RUNNING, false},
        {"merging", "InProgress", BUNDLE_MERGING, false},
        {"done", "Done", BUNDLE_DONE, true},
        {"failed", "Failed", BUNDLE_FAILED, true},
        {"canceled", "Canceled", BUNDLE_CANCELED, true},
        {"deleted", "Deleted", BUNDLE_DELETED, true},
};

static const struct {
        const char *id;
        bool want;
} ids[] = {
        {"a", true}, {"2026-11-21-0004-prod-7f3a", true}, {"A_b.c-9", true}, {"-", true},
        {X64 X64, true}, {"", false}, {X64 X64 "a", false}, {".", false}, {"..", false},
        {".hidden", false}, {"a/b", false}, {"../a", false}, {"a b", false}, {"a%2fb", false},
        {"a\n", false}, {"\xc3\xa4", false}, {"a:b", false}, {"a\\b", false},
};
/* clang-format on */

START_TEST(has_words)
{
        ck_assert_str_eq(bundle_state_to_string(words[_i].state), words[_i].v2);
        ck_assert_str_eq(bundle_state_to_v1(words[_i].state), words[_i].v1);
        ck_assert_int_eq(bundle_state_from_string(words[_i].v2), words[_i].state);
        ck_assert_int_eq(bundle_state_is_final(words[_i].state), words[_i].final);
        ck_assert_int_eq(bundle_state_from_string("Done"), BUNDLE_UNKNOWN);
}
END_TEST

START_TEST(knows_ids)
{
        ck_assert_msg(bundle_id_is_valid(ids[_i].id) == ids[_i].want, "%s", ids[_i].id);
}
END_TEST

START_TEST(makes_ids)
{
        static const struct {
                const char *name, *want;
        } cases[] = {
                {"prod",    "1970-01-02-0005-prod-"   },
                {NULL,      "1970-01-02-0005-"        },
                {"",        "1970-01-02-0005-"        },
                {"a b/../", "1970-01-02-0005-ab..-"   },
                {X256,      "1970-01-02-0005-" X64 "-"},
        };
        char id[BUNDLE_ID_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                bundle_id_make(id, cases[i].name, UINT64_C(86700) * USEC_PER_SEC);
                ck_assert_msg(strncmp(id, cases[i].want, strlen(cases[i].want)) == 0, "%s", id);
                ck_assert_uint_eq(strlen(id), strlen(cases[i].want) + 4);
                ck_assert(bundle_id_is_valid(id));
        }
}
END_TEST

/* --- there and back --------------------------------------------------------------------------- */

#define WHOLE                                                                                   \
        "{\"id\":\"b1\",\"type\":\"cluster\",\"state\":\"done\","                               \
        "\"created\":\"2026-11-21T00:04:00.000Z\",\"finished\":\"2026-11-21T00:05:00.500Z\","   \
        "\"by\":\"uid:0\",\"observer\":\"10.0.0.1\",\"request\":{\"nodes\":[\"masters\","       \
        "\"10.0.0.9\"],\"since\":\"2026-11-20T00:00:00.000Z\",\"until\":null,"                  \
        "\"kinds\":[\"journal\",\"health\"],\"format\":\"tar.gz\",\"redact\":false},"           \
        "\"progress\":{\"nodes_total\":2,\"nodes_done\":1,\"nodes_failed\":1,"                  \
        "\"received_bytes\":7,\"fraction\":1,\"current\":null},\"size_bytes\":123,"             \
        "\"sha256\":\"" X64 "\",\"partial\":true,\"error\":\"one node is missing\","            \
        "\"redactions\":4,\"file\":\"file.tar.gz\",\"nodes\":[{\"node_id\":\"" X16 X16 "\","    \
        "\"address\":\"10.0.0.1\",\"role\":\"master\",\"state\":\"done\",\"bytes\":1048576,"    \
        "\"entries\":61,\"failed_entries\":2,\"redactions\":4,\"error\":null,"                  \
        "\"took_seconds\":4.1},{\"node_id\":null,\"address\":\"10.0.0.9\",\"role\":null,"       \
        "\"state\":\"failed\",\"bytes\":0,\"entries\":0,\"failed_entries\":0,\"redactions\":0," \
        "\"error\":\"connection refused\",\"took_seconds\":0}]}"

/* What is least. */
#define LEAST "\"id\":\"b\",\"type\":\"node\""

static struct bundle *read_one(const char *json)
{
        struct bundle *b = NULL;
        struct err e = {0};

        ck_assert_msg(bundle_read(&b, json, strlen(json), &e) == 0, "%s", e.text);
        return b;
}

static void must_be(const struct bundle *b, bool with_nodes, const char *want)
{
        _cleanup_(buf_done) struct buf out = {0};

        bundle_write(&out, b, with_nodes);
        ck_assert_str_eq(buf_cstr(&out), want);
}

START_TEST(reads_what_it_writes)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one(WHOLE), *copy = bundle_copy(b);
        const char *nodes = strstr(WHOLE, ",\"nodes\":[{");
        char *head = strndup(WHOLE, (size_t)(nodes - WHOLE));
        char without[2048];

        must_be(b, true, WHOLE);
        must_be(copy, true, WHOLE);
        (void)snprintf(without, sizeof(without), "%s}", head);
        must_be(b, false, without);
        free(head);
}
END_TEST

/* A list of many, each of thousands of nodes, is not to cost what they cost. */
START_TEST(copies_for_a_list_what_a_list_shows)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one(WHOLE), *row = NULL;
        _cleanup_(buf_done) struct buf want = {0}, out = {0}, listed = {0};
        struct bundle_node *more = reallocarray(b->nodes, 5000, sizeof(*more));

        ck_assert_ptr_nonnull(more);
        b->nodes = more;
        memset(&more[b->n_nodes], 0, (5000 - b->n_nodes) * sizeof(*more));
        while (b->n_nodes < 5000) {
                more[b->n_nodes].address = strdup("10.0.0.1");
                more[b->n_nodes].error = b->n_nodes % 2 ? strdup("no answer") : NULL;
                b->n_nodes++;
        }
        row = bundle_copy_row(b);
        ck_assert_ptr_nonnull(row);
        ck_assert_uint_le(row->n_nodes, 100);
        bundle_write_v1(&want, b);
        bundle_write_v1(&out, row);
        ck_assert_str_eq(buf_cstr(&out), buf_cstr(&want));
        bundle_write(&listed, b, false);
        must_be(row, false, buf_cstr(&listed));
}
END_TEST

START_TEST(reads_the_least)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one("{" LEAST ",\"state\":\"later\"}");

        ck_assert_int_eq(b->state, BUNDLE_UNKNOWN);
        ck_assert_int_eq(b->type, BUNDLE_NODE);
        ck_assert_int_eq(b->request.format, ARCHIVE_TAR_ZSTD);
        ck_assert(!b->request.no_redact && !b->error && !b->by && !b->n_nodes);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
        int code;
} bad[] = {
        {"",                                     "the bundle is not JSON", -EINVAL},
        {"{" LEAST,                              "the bundle is not JSON", -EINVAL},
        {"{" LEAST ",\"id\":\"c\"}",             "the bundle is not JSON", -EINVAL},
        {"{" LEAST ",\"by\":\"\xff\"}",          "the bundle is not JSON", -EINVAL},
        {"{" LEAST ",\"by\":\"a\\u0000\"}",      "the bundle is not JSON", -EINVAL},
        {"[]",                                   "the bundle is not an object", -EINVAL},
        {"{}",                                   "id is not there", -EINVAL},
        {"{\"id\":7}",                           "id is not a string", -EINVAL},
        {"{\"id\":\"\",\"type\":\"node\"}",      "id is not 1 to 128 of", -EINVAL},
        {"{\"id\":\"../x\",\"type\":\"node\"}",  "id is not 1 to 128 of", -EINVAL},
        {"{\"id\":\"b\"}",                       "type is not cluster or node", -EINVAL},
        {"{\"id\":\"b\",\"type\":\"Local\"}",    "type is not cluster or node", -EINVAL},
        {"{" LEAST ",\"state\":1}",              "state is not a string", -EINVAL},
        {"{" LEAST ",\"created\":\"today\"}",    "created is not a time", -EINVAL},
        {"{" LEAST ",\"size_bytes\":-1}",        "size_bytes is not a whole number", -EINVAL},
        {"{" LEAST ",\"size_bytes\":1.5}",       "size_bytes is not a whole number", -EINVAL},
        {"{" LEAST ",\"sha256\":\"abc\"}",       "sha256 is not 64", -EINVAL},
        {"{" LEAST ",\"sha256\":\"" X64 "a\"}",  "sha256 is not 64", -EINVAL},
        {"{" LEAST ",\"file\":\"/etc/shadow\"}", "file is not file.tar.zst", -EINVAL},
        {"{" LEAST ",\"file\":\"file.zip/..\"}", "file is not file.tar.zst", -EINVAL},
        {"{" LEAST ",\"file\":\"state.json\"}",  "file is not file.tar.zst", -EINVAL},
        {"{" LEAST ",\"partial\":0}",            "partial is not true or false", -EINVAL},
        {"{" LEAST ",\"progress\":[]}",          "progress is not an object", -EINVAL},
        {"{" LEAST ",\"progress\":{\"nodes_done\":\"1\"}}", "progress.nodes_done is not a whole", -EINVAL},
        {"{" LEAST ",\"request\":{\"format\":\"rar\"}}", "request.format is not tar.zst", -EINVAL},
        {"{" LEAST ",\"request\":{\"nodes\":[\"a b\"]}}", "request.nodes[0] is not the name", -EINVAL},
        {"{" LEAST ",\"nodes\":{}}",             "nodes is not a list", -EINVAL},
        {"{" LEAST ",\"nodes\":[{},7]}",         "nodes[1]. is not an object", -EINVAL},
        {"{" LEAST ",\"nodes\":[{},{\"bytes\":\"1\"}]}", "nodes[1].bytes is not a whole number", -EINVAL},
        {"{" LEAST ",\"nodes\":[{\"took_seconds\":-1}]}", "nodes[0].took_seconds is not a number", -EINVAL},
        {"{" LEAST ",\"nodes\":[{\"address\":\"" X256 X256 X256 "\"}]}", "nodes[0].address has more than", -E2BIG},
};
/* clang-format on */

START_TEST(refuses)
{
        struct bundle *b = NULL;
        struct err e = {0};

        ck_assert_int_eq(bundle_read(&b, bad[_i].text, strlen(bad[_i].text), &e), bad[_i].code);
        ck_assert_msg(strncmp(e.text, bad[_i].want, strlen(bad[_i].want)) == 0, "%s: %s",
                      bad[_i].text, e.text);
        ck_assert_ptr_null(b);
}
END_TEST

START_TEST(refuses_too_many_nodes)
{
        _cleanup_(buf_done) struct buf json = {0};
        struct bundle *b = NULL;

        buf_puts(&json, "{" LEAST ",\"nodes\":[{}");
        for (unsigned i = 0; i < BUNDLE_NODES_MAX; i++)
                buf_puts(&json, ",{}");
        buf_puts(&json, "]}");
        ck_assert_int_eq(bundle_read(&b, json.data, json.n, NULL), -E2BIG);
        ck_assert_int_eq(bundle_read(&b, json.data, BUNDLE_JSON_MAX + 1, NULL), -E2BIG);
}
END_TEST

START_TEST(makes_texts_harmless)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one(
                "{" LEAST ",\"error\":\"a\\u001b[2J\\nb\\u009b\",\"progress\":{\"current\":"
                "\"x\\u0007\"},\"by\":\"Gr\\u00f6\\u00dfe\"}");

        ck_assert_str_eq(b->error, "a?[2J?b??");
        ck_assert_str_eq(b->current, "x?");
        ck_assert_str_eq(b->by, "Größe");
}
END_TEST

/* However many nodes say however much, what is written can be read. */
START_TEST(is_never_too_large_to_be_read)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one("{" LEAST "}"), *again = NULL;
        _cleanup_(buf_done) struct buf out = {0};
        char long_text[600];

        memset(long_text, '<', sizeof(long_text));
        memcpy(long_text + BUNDLE_NODE_TEXT_MAX - 1, "\xc3\xa4", 2); /* not cut in two */
        long_text[sizeof(long_text) - 1] = '\0';
        b->nodes = calloc(BUNDLE_NODES_MAX, sizeof(*b->nodes));
        b->n_nodes = BUNDLE_NODES_MAX;
        for (size_t i = 0; i < b->n_nodes; i++) {
                b->nodes[i].error = strdup(long_text);
                b->nodes[i].address = strdup("10.0.0.1");
                b->nodes[i].state = BUNDLE_NODE_FAILED;
        }
        b->error = strdup(long_text);
        bundle_write(&out, b, true);
        ck_assert_int_eq(out.error, 0);
        ck_assert_uint_le(out.n, BUNDLE_JSON_MAX);
        ck_assert_int_eq(bundle_read(&again, out.data, out.n, NULL), 0);
        ck_assert_uint_eq(again->n_nodes, BUNDLE_NODES_MAX);
        ck_assert_uint_eq(strlen(again->nodes[0].error), BUNDLE_NODE_TEXT_MAX - 1);
        ck_assert_uint_gt(strlen(again->nodes[BUNDLE_NODES_MAX - 1].error), 0);
}
END_TEST

/* --- lists ------------------------------------------------------------------------------------ */

START_TEST(reads_lists)
{
        static const char good[] = "{\"items\":[" WHOLE ",{" LEAST "}],\"total\":2,\"silent\":[]}";
        static const struct {
                const char *text, *want;
        } cases[] = {
                {"{}",                           "items is not there"             },
                {"{\"items\":{}}",               "items is not a list"            },
                {"{\"items\":[{" LEAST "},{}]}", "id is not there"                },
                {"{\"items\":[[]]}",             "a bundle is not an object"      },
                {"x",                            "the list of bundles is not JSON"},
        };
        struct bundle **list;
        struct err e;
        size_t n;

        ck_assert_int_eq(bundle_read_list(&list, &n, good, strlen(good), NULL), 0);
        ck_assert_uint_eq(n, 2);
        must_be(list[0], true, WHOLE);
        ck_assert_str_eq(list[1]->id, "b");
        bundle_free(list[0]);
        bundle_free(list[1]);
        free(list);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ck_assert_int_eq(
                        bundle_read_list(&list, &n, cases[i].text, strlen(cases[i].text), &e),
                        -EINVAL);
                ck_assert_msg(strncmp(e.text, cases[i].want, strlen(cases[i].want)) == 0, "%s",
                              e.text);
        }
}
END_TEST

/* A hundred of memory for each byte: another master is not believed that far. */
START_TEST(reads_no_more_values_than_bundles_have)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct bundle **list, *b;
        struct err e;
        size_t n;

        buf_puts(&text, "{\"items\":[]," LEAST ",\"x\":[0");
        while (text.n < BUNDLE_JSON_MAX - 10)
                buf_puts(&text, _i ? ",{}" : ",0");
        buf_puts(&text, "]}");
        ck_assert_int_eq(bundle_read_list(&list, &n, text.data, text.n, &e), -EINVAL);
        ck_assert_str_eq(e.text, "the list of bundles holds more values than any has");
        ck_assert_int_eq(bundle_read(&b, text.data, text.n, &e), -EINVAL);
        ck_assert_str_eq(e.text, "the bundle holds more values than any has");
}
END_TEST

/* --- the old API ------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        const char *json, *want;
} v1[] = {
        {"{" LEAST ",\"state\":\"queued\",\"created\":\"2026-11-21T00:04:00.000Z\"}",
         "{\"id\":\"b\",\"type\":\"Local\",\"status\":\"Started\",\"started_at\":\"2026-11-21T00:04:00.000Z\","
         "\"stopped_at\":\"0001-01-01T00:00:00Z\"}"},
        {"{" LEAST ",\"state\":\"running\"}",
         "{\"id\":\"b\",\"type\":\"Local\",\"status\":\"Started\",\"started_at\":\"0001-01-01T00:00:00Z\","
         "\"stopped_at\":\"0001-01-01T00:00:00Z\"}"},
        {"{" LEAST ",\"state\":\"running\",\"progress\":{\"received_bytes\":1}}",
         "{\"id\":\"b\",\"type\":\"Local\",\"status\":\"InProgress\",\"started_at\":\"0001-01-01T00:00:00Z\","
         "\"stopped_at\":\"0001-01-01T00:00:00Z\"}"},
        {WHOLE,
         "{\"id\":\"b1\",\"type\":\"Cluster\",\"size\":123,\"status\":\"Done\","
         "\"started_at\":\"2026-11-21T00:04:00.000Z\",\"stopped_at\":\"2026-11-21T00:05:00.500Z\","
         "\"errors\":[\"one node is missing\",\"10.0.0.9: connection refused\"]}"},
};
/* clang-format on */

START_TEST(speaks_the_old_language)
{
        _cleanup_(bundle_freep) struct bundle *b = read_one(v1[_i].json);
        _cleanup_(buf_done) struct buf out = {0};

        bundle_write_v1(&out, b);
        ck_assert_str_eq(buf_cstr(&out), v1[_i].want);
}
END_TEST

START_TEST(says_how_far_it_is)
{
        struct bundle b = {.state = BUNDLE_RUNNING};

        ck_assert_double_eq(bundle_fraction(&b), 0);
        b.n_nodes_total = 4;
        b.n_nodes_done = b.n_nodes_failed = 1;
        ck_assert_double_eq(bundle_fraction(&b), 0.5);
        b.n_nodes_done = 9; /* whoever wrote that */
        ck_assert_double_lt(bundle_fraction(&b), 1);
        b.state = BUNDLE_FAILED;
        ck_assert_double_eq(bundle_fraction(&b), 1);
}
END_TEST

/* --- requests --------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        const char *text, *want_id, *want;
} requests[] = {
        {"{}", "", "{\"nodes\":[],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"tar.zst\",\"redact\":true}"},
        {"{\"id\":\"x-1\",\"nodes\":null,\"redact\":null}", "x-1",
         "{\"nodes\":[],\"since\":null,\"until\":null,\"kinds\":[],\"format\":\"tar.zst\",\"redact\":true}"},
        {"{\"nodes\":[\"all\",\"fe80::1%eth0\",\"addr:10.0.0.1\",\"a1-S0\"],\"kinds\":[\"host\",\"journal\",\"host\"],"
         "\"format\":\"zip\",\"redact\":false,\"since\":\"2026-11-20T01:00:00+01:00\",\"until\":\"2026-11-21T00:00:00Z\"}", "",
         "{\"nodes\":[\"all\",\"fe80::1%eth0\",\"addr:10.0.0.1\",\"a1-S0\"],\"since\":\"2026-11-20T00:00:00.000Z\","
         "\"until\":\"2026-11-21T00:00:00.000Z\",\"kinds\":[\"journal\",\"host\"],\"format\":\"zip\",\"redact\":false}"},
};

static const struct {
        const char *text, *want;
} bad_requests[] = {
        {"",                              "the body is not JSON"},
        {"\"all\"",                       "the body is not JSON"}, /* jansson: an object or a list */
        {"[]",                            "the body is not an object"},
        {"{\"node\":[]}",                 "there is no key node"},
        {"{\"encrypt_to\":[]}",           "there is no key encrypt_to"},
        {"{\"nodes\":[],\"nodes\":[]}",   "the body is not JSON"},
        {"{\"nodes\":\"all\"}",           "nodes is not a list"},
        {"{\"nodes\":[\"all\",1]}",       "nodes[1] is not the name"},
        {"{\"nodes\":[\"\"]}",            "nodes[0] is not the name"},
        {"{\"nodes\":[\"a/b\"]}",         "nodes[0] is not the name"},
        {"{\"nodes\":[\"" X256 "\"]}",    "nodes[0] is not the name"},
        {"{\"kinds\":[\"journal\",\"x\"]}", "kinds[1] is not journal, file, command, http, systemd, host or health"},
        {"{\"kinds\":[7]}",               "kinds[0] is not journal, file, command, http, systemd, host or health"},
        {"{\"format\":\"tar\"}",          "format is not tar.zst"},
        {"{\"redact\":\"no\"}",           "redact is not true or false"},
        {"{\"since\":\"24h\"}",           "since is not a time"},
        {"{\"since\":1}",                 "since is not a string"},
        {"{\"since\":\"2026-11-21T00:00:00Z\",\"until\":\"2026-11-21T00:00:00Z\"}", "since is not before until"},
        {"{\"id\":\"\"}",                 "id is not 1 to 128"},
        {"{\"id\":\"../../etc\"}",        "id is not 1 to 128"},
        {"{\"id\":\"" X64 X64 "a\"}",     "id is not 1 to 128"},
};
/* clang-format on */

START_TEST(reads_requests)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct bundle_request q = {0}, copy = {0};
        char id[BUNDLE_ID_MAX] = "?";
        struct err e = {0};

        ck_assert_msg(
                bundle_request_read(&q, id, requests[_i].text, strlen(requests[_i].text), &e) == 0,
                "%s", e.text);
        ck_assert_str_eq(id, requests[_i].want_id);
        ck_assert_int_eq(bundle_request_copy(&copy, &q), 0);
        bundle_request_done(&q);
        bundle_request_write(&out, &copy);
        bundle_request_done(&copy);
        ck_assert_str_eq(buf_cstr(&out), requests[_i].want);
}
END_TEST

START_TEST(refuses_requests)
{
        struct bundle_request q = {0};
        char id[BUNDLE_ID_MAX];
        struct err e = {0};

        ck_assert_int_eq(bundle_request_read(&q, id, bad_requests[_i].text,
                                             strlen(bad_requests[_i].text), &e),
                         -EINVAL);
        ck_assert_msg(strncmp(e.text, bad_requests[_i].want, strlen(bad_requests[_i].want)) == 0,
                      "%s: %s", bad_requests[_i].text, e.text);
        ck_assert_ptr_null(q.nodes);
}
END_TEST

START_TEST(refuses_too_many_words)
{
        _cleanup_(buf_done) struct buf json = {0};
        struct bundle_request q;
        char id[BUNDLE_ID_MAX];

        buf_puts(&json, "{\"nodes\":[\"a\"");
        for (unsigned i = 0; i < BUNDLE_WORDS_MAX; i++)
                buf_puts(&json, ",\"a\"");
        buf_puts(&json, "]}");
        ck_assert_int_eq(bundle_request_read(&q, id, json.data, json.n, NULL), -EINVAL);
}
END_TEST

static TCase *words_case(void)
{
        TCase *tc = tcase_create("words");

        tcase_add_loop_test(tc, has_words, 0, ELEMENTSOF(words));
        tcase_add_loop_test(tc, knows_ids, 0, ELEMENTSOF(ids));
        tcase_add_test(tc, makes_ids);
        tcase_add_loop_test(tc, speaks_the_old_language, 0, ELEMENTSOF(v1));
        tcase_add_test(tc, says_how_far_it_is);
        return tc;
}

int main(void)
{
        Suite *s = suite_create("bundle");
        TCase *tc = tcase_create("bundle");

        suite_add_tcase(s, words_case());
        tcase_add_test(tc, reads_what_it_writes);
        tcase_add_test(tc, copies_for_a_list_what_a_list_shows);
        tcase_add_test(tc, reads_the_least);
        tcase_add_loop_test(tc, refuses, 0, ELEMENTSOF(bad));
        tcase_add_test(tc, refuses_too_many_nodes);
        tcase_add_test(tc, makes_texts_harmless);
        tcase_add_test(tc, is_never_too_large_to_be_read);
        tcase_add_test(tc, reads_lists);
        tcase_add_loop_test(tc, reads_no_more_values_than_bundles_have, 0, 2);
        tcase_add_loop_test(tc, reads_requests, 0, ELEMENTSOF(requests));
        tcase_add_loop_test(tc, refuses_requests, 0, ELEMENTSOF(bad_requests));
        tcase_add_test(tc, refuses_too_many_words);
        suite_add_tcase(s, tc);
        return test_main(s);
}
