/* What a master says of bundles is read strictly where it becomes the name of a file, and leniently elsewhere. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/bundle_json.h"
#include "tests/unit/test_main.h"

#define HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static const struct {
        const char *text, *want; /* NULL: it is a bundle */
} bundles[] = {
        {"{\"id\":\"a\"}",                                                                                    NULL                                },
        {"{\"id\":\"2026-11-21-0004-prod-7f3a\",\"new\":{},\"nodes\":[{}],\"request\":{},\"progress\":null}",
         NULL                                                                                                                                     },
        {"{\"id\":\"a\",\"request\":{\"format\":\"tar.zst.age\"},\"sha256\":null}",                           NULL                                },
        {"",                                                                                                  "line 1: "                          },
        {"[]",                                                                                                "the document is not an object"     },
        {"{}",                                                                                                "id is not that of a bundle"        },
        {"{\"id\":7}",                                                                                        "id is not a string"                },
        {"{\"id\":\"\"}",                                                                                     "id is not that of a bundle"        },
        {"{\"id\":\"..\"}",                                                                                   "id is not that of a bundle"        },
        {"{\"id\":\"a/b\"}",                                                                                  "id is not that of a bundle"        },
        {"{\"id\":\"a\\nb\"}",                                                                                "id is not that of a bundle"        },
        {"{\"id\":\"\\u00e9\"}",                                                                              "id is not that of a bundle"        },
        {"{\"id\":\"a\",\"id\":\"b\"}",                                                                       "line 1: "                          },
        {"{\"id\":\"a\",\"state\":1}",                                                                        "state is not a string"             },
        {"{\"id\":\"a\",\"created\":\"today\"}",                                                              "created is not a time"             },
        {"{\"id\":\"a\",\"partial\":1}",                                                                      "partial is neither true nor false" },
        {"{\"id\":\"a\",\"size_bytes\":-1}",                                                                  "size_bytes is less than nothing"   },
        {"{\"id\":\"a\",\"size_bytes\":1.5}",                                                                 "size_bytes is not a whole number"  },
        {"{\"id\":\"a\",\"size_bytes\":99999999999999999999}",                                                "line 1: "                          },
        {"{\"id\":\"a\",\"sha256\":\"abc\"}",                                                                 "sha256 is none"                    },
        {"{\"id\":\"a\",\"sha256\":\"2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824\"}",
         "sha256 is none"                                                                                                                         },
        {"{\"id\":\"a\",\"request\":[]}",                                                                     "request is not an object"          },
        {"{\"id\":\"a\",\"request\":{\"format\":\"../x\"}}",
         "format is not the end of a file's name"                                                                                                 },
        {"{\"id\":\"a\",\"request\":{\"format\":\".x\"}}",
         "format is not the end of a file's name"                                                                                                 },
        {"{\"id\":\"a\",\"request\":{\"format\":\"x/y\"}}",
         "format is not the end of a file's name"                                                                                                 },
        {"{\"id\":\"a\",\"request\":{\"format\":\"abcdefghijklmnopq\"}}",
         "format is not the end of a file's name"                                                                                                 },
        {"{\"id\":\"a\",\"request\":{\"redact\":\"no\"}}",                                                    "redact is neither true nor false"  },
        {"{\"id\":\"a\",\"request\":{\"nodes\":[1]}}",                                                        "an item of nodes is not a string"  },
        {"{\"id\":\"a\",\"progress\":{\"nodes_done\":\"1\"}}",                                                "nodes_done is not a whole number"  },
        {"{\"id\":\"a\",\"nodes\":{}}",                                                                       "nodes is not a list"               },
        {"{\"id\":\"a\",\"nodes\":[1]}",                                                                      "an item of a list is not an object"},
        {"{\"id\":\"a\",\"nodes\":[{\"bytes\":-1}]}",                                                         "bytes is less than nothing"        },
        {"{\"id\":\"a\",\"nodes\":[{\"took_seconds\":\"1\"}]}",
         "took_seconds is not a number of seconds"                                                                                                },
};

START_TEST(reads_bundle)
{
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        struct err e = {0};
        int r = bundle_answer_from_json(&a, bundles[_i].text, strlen(bundles[_i].text), &e);

        ck_assert_msg(r == (bundles[_i].want ? -EBADMSG : 0), "%s: %d %s", bundles[_i].text, r,
                      e.text);
        ck_assert_msg(!bundles[_i].want ||
                              strncmp(e.text, bundles[_i].want, strlen(bundles[_i].want)) == 0,
                      "%s: %s", bundles[_i].text, e.text);
        ck_assert(!bundles[_i].want == (a.bundle.id != NULL));
}
END_TEST

START_TEST(reads_all_of_it)
{
        static const char text[] =
                "{\"id\":\"b1\",\"type\":\"cluster\",\"state\":\"done\","
                "\"created\":\"2026-11-21T12:00:00.000Z\",\"finished\":\"2026-11-21T12:01:00.000Z\","
                "\"by\":\"uid:0\",\"observer\":\"10.0.0.1\",\"request\":{\"nodes\":[\"masters\"],"
                "\"since\":\"2026-11-20T12:00:00.000Z\",\"until\":null,\"kinds\":[\"host\",\"file\"],"
                "\"format\":\"zip\",\"redact\":false},\"progress\":{\"nodes_total\":8,"
                "\"nodes_done\":7,\"nodes_failed\":1,\"received_bytes\":99,\"fraction\":1,"
                "\"current\":\"merging\"},\"size_bytes\":0,\"sha256\":\"" HEX
                "\",\"partial\":true,\"error\":\"e\",\"redactions\":5,\"nodes\":[{\"node_id\":\"n\","
                "\"address\":\"10.0.0.1\",\"role\":\"master\",\"state\":\"partial\",\"bytes\":1,"
                "\"entries\":2,\"failed_entries\":3,\"error\":\"f\",\"took_seconds\":1.5},{}]}";
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        const struct bundle_info *b = &a.bundle;

        ck_assert_int_eq(bundle_answer_from_json(&a, text, strlen(text), NULL), 0);
        ck_assert_str_eq(b->id, "b1");
        ck_assert_str_eq(b->type, "cluster");
        ck_assert_int_eq(b->stage, BUNDLE_STAGE_DONE);
        ck_assert(b->partial && b->unredacted && b->has_size && b->n_bytes == 0);
        ck_assert_uint_eq(b->finished_wall_usec - b->created_wall_usec, 60 * USEC_PER_SEC);
        ck_assert_str_eq(b->by, "uid:0");
        ck_assert_str_eq(b->observer, "10.0.0.1");
        ck_assert(b->nodes.n == 1 && b->kinds.n == 2 && streq(b->kinds.s[1], "file"));
        ck_assert(b->since_wall_usec > 0 && b->until_wall_usec == 0);
        ck_assert_str_eq(b->format, "zip");
        ck_assert(b->n_nodes_total == 8 && b->n_nodes_done == 7 && b->n_nodes_failed == 1);
        ck_assert(b->n_received_bytes == 99 && b->n_redactions == 5);
        ck_assert_str_eq(b->current, "merging");
        ck_assert_str_eq(b->sha256, HEX);
        ck_assert_str_eq(b->error, "e");
        ck_assert_uint_eq(b->n_parts, 2);
        ck_assert_str_eq(b->parts[0].node_id, "n");
        ck_assert_str_eq(b->parts[0].state, "partial");
        ck_assert(b->parts[0].n_bytes == 1 && b->parts[0].n_entries == 2 &&
                  b->parts[0].n_failed_entries == 3 && b->parts[0].took_usec == 1500000);
        ck_assert_str_eq(b->parts[0].error, "f");
        ck_assert_str_eq(b->parts[1].state, "unknown");
        ck_assert(b->parts[1].took_usec == USEC_INFINITY);
}
END_TEST

static const struct {
        const char *word;
        enum bundle_stage want;
} stages[] = {
        {"queued",   BUNDLE_STAGE_UNDERWAY},
        {"running",  BUNDLE_STAGE_UNDERWAY},
        {"merging",  BUNDLE_STAGE_UNDERWAY},
        {"done",     BUNDLE_STAGE_DONE    },
        {"failed",   BUNDLE_STAGE_FAILED  },
        {"canceled", BUNDLE_STAGE_FAILED  },
        {"unknown",  BUNDLE_STAGE_FAILED  },
        {"deleted",  BUNDLE_STAGE_DELETED },
        {"sealed",   BUNDLE_STAGE_UNKNOWN },
};

START_TEST(knows_states)
{
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        char text[64];

        (void)snprintf(text, sizeof(text), "{\"id\":\"a\",\"state\":\"%s\"}", stages[_i].word);
        ck_assert_int_eq(bundle_answer_from_json(&a, text, strlen(text), NULL), 0);
        ck_assert_int_eq(a.bundle.stage, stages[_i].want);
        ck_assert_str_eq(a.bundle.state, stages[_i].word);
}
END_TEST

static const struct {
        const char *text, *want;
        size_t n, n_silent;
} lists[] = {
        {"{\"items\":[]}",                                                                                           NULL,                         0, 0},
        {"{\"items\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"total\":2,\"silent\":[{\"address\":\"m\",\"error\":\"e\"}]}",
         NULL,                                                                                                                                     2, 1},
        {"{}",                                                                                                       "there is no list in it",     0, 0},
        {"{\"items\":{}}",                                                                                           "there is no list in it",     0, 0},
        {"{\"items\":null}",                                                                                         "there is no list in it",     0, 0},
        {"{\"items\":[{\"id\":\"a\"},{}]}",                                                                          "id is not that of a bundle", 0, 0},
        {"{\"items\":[],\"silent\":[{\"address\":1}]}",                                                              "address is not a string",    0, 0},
        {"{\"items\":[],\"total\":-1}",                                                                              "total is less than nothing", 0, 0},
};

START_TEST(reads_list)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        struct err e = {0};
        int r = bundle_list_from_json(&l, lists[_i].text, strlen(lists[_i].text), &e);

        ck_assert_msg(r == (lists[_i].want ? -EBADMSG : 0), "%s: %d %s", lists[_i].text, r, e.text);
        if (lists[_i].want)
                ck_assert_str_eq(e.text, lists[_i].want);
        ck_assert_uint_eq(l.n, lists[_i].n);
        ck_assert_uint_eq(l.n_silent, lists[_i].n_silent);
}
END_TEST

static const struct {
        const char *text, *want;
} estimates[] = {
        {"{\"fits\":true}",                                                                                                        NULL                               },
        {"{\"fits\":false,\"likely_bytes\":1,\"max_bytes\":2,\"free_bytes\":3,\"floor_bytes\":4,\"nodes\":[{\"address\":\"a\"}]}",
         NULL                                                                                                                                                         },
        {"{}",                                                                                                                     "fits is neither true nor false"   },
        {"{\"fits\":null}",                                                                                                        "fits is neither true nor false"   },
        {"{\"fits\":1}",                                                                                                           "fits is neither true nor false"   },
        {"{\"fits\":true,\"max_bytes\":\"1\"}",                                                                                    "max_bytes is not a whole number"  },
        {"{\"fits\":true,\"nodes\":[{\"likely_bytes\":-1}]}",                                                                      "likely_bytes is less than nothing"},
};

START_TEST(reads_estimate)
{
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        struct err e = {0};
        int r = bundle_estimate_from_json(&s, estimates[_i].text, strlen(estimates[_i].text), &e);

        ck_assert_msg(r == (estimates[_i].want ? -EBADMSG : 0), "%s: %d %s", estimates[_i].text, r,
                      e.text);
        if (estimates[_i].want)
                ck_assert_str_eq(e.text, estimates[_i].want);
        else if (!s.fits)
                ck_assert(s.n_likely_bytes == 1 && s.n_max_bytes == 2 && s.n_free_bytes == 3 &&
                          s.n_floor_bytes == 4 && s.n_nodes == 1);
}
END_TEST

START_TEST(reads_estimate_of_collector)
{
        static const char text[] = "{\"likely_bytes\":1,\"max_bytes\":2,\"sources\":3}";
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        struct err e = {0};

        ck_assert_int_eq(bundle_estimate_from_collector(&s, "{\"fits\":true}", 13, &e), -EBADMSG);
        ck_assert_str_eq(e.text, "likely_bytes is not a whole number");
        ck_assert_int_eq(bundle_estimate_from_collector(&s, text, strlen(text), NULL), 0);
        ck_assert(s.n_likely_bytes == 1 && s.n_max_bytes == 2 && !s.fits && s.n_nodes == 0);
}
END_TEST

START_TEST(reads_no_more_than_it_takes)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        _cleanup_(buf_done) struct buf many = {0};

        buf_puts(&many, "{\"items\":[");
        for (unsigned i = 0; i <= BUNDLE_ROWS_MAX; i++)
                buf_puts(&many, i > 0 ? ",{\"id\":\"a\"}" : "{\"id\":\"a\"}");
        buf_puts(&many, "]}");
        ck_assert_int_eq(bundle_list_from_json(&l, buf_cstr(&many), many.n, NULL), -E2BIG);
        while (many.n <= BUNDLE_JSON_BYTES_MAX)
                buf_puts(&many, "                                                                ");
        ck_assert_int_eq(bundle_list_from_json(&l, buf_cstr(&many), many.n, NULL), -E2BIG);
}
END_TEST

static const struct {
        const char *id;
        bool want;
} ids[] = {
        {"a",                           true },
        {"2026-11-21-0004-prod_7f3a.x", true },
        {"-",                           true },
        {"",                            false},
        {".a",                          false},
        {"a b",                         false},
        {"a/",                          false},
        {HEX HEX,                       true },
        {HEX HEX "a",                   false},
};

START_TEST(knows_ids)
{
        ck_assert_msg(bundle_info_id_is_valid(ids[_i].id) == ids[_i].want, "%s", ids[_i].id);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli_bundle_json");
        TCase *tc = tcase_create("cli_bundle_json");

        tcase_add_loop_test(tc, reads_bundle, 0, ELEMENTSOF(bundles));
        tcase_add_test(tc, reads_all_of_it);
        tcase_add_loop_test(tc, knows_states, 0, ELEMENTSOF(stages));
        tcase_add_loop_test(tc, reads_list, 0, ELEMENTSOF(lists));
        tcase_add_loop_test(tc, reads_estimate, 0, ELEMENTSOF(estimates));
        tcase_add_test(tc, reads_estimate_of_collector);
        tcase_add_test(tc, reads_no_more_than_it_takes);
        tcase_add_loop_test(tc, knows_ids, 0, ELEMENTSOF(ids));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
