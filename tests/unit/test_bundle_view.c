/* It shows a bundle as a person wants to read of it: what went wrong first, secrets that are left in loudest. */

#include <locale.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/bundle_view.h"
#include "tests/unit/test_main.h"

#define NOW_WALL_USEC (UINT64_C(1795262400) * USEC_PER_SEC) /* 2026-11-21T12:00:00Z */
#define HEX           "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static const struct {
        uint64_t n_bytes;
        const char *want;
} sizes[] = {
        {0,                 "0 B"       },
        {1023,              "1023 B"    },
        {1024,              "1.0 KiB"   },
        {1536,              "1.5 KiB"   },
        {1048524,           "1023.9 KiB"},
        {1048525,           "1.0 MiB"   },
        {73400320,          "70.0 MiB"  },
        {UINT64_C(4) << 30, "4.0 GiB"   },
        {UINT64_MAX,        "16.0 EiB"  },
};

START_TEST(shows_size)
{
        _cleanup_(buf_done) struct buf out = {0};

        text_append_size(&out, sizes[_i].n_bytes);
        ck_assert_str_eq(buf_cstr(&out), sizes[_i].want);
}
END_TEST

static const struct term wide, coloured = {.n_columns = 100, .is_tty = true, .colour = true};

enum view { LIST, ONE, OUTCOME, FETCHED, PROGRESS, NODES, ESTIMATE };

static int draw(struct buf *out, enum view view, const char *json, const struct term *t,
                struct err *e)
{
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        size_t n = strlen(json);
        int r;

        if (view == LIST) {
                r = bundle_list_from_json(&l, json, n, e);
                bundle_view_list(out, &l, t, NOW_WALL_USEC);
                return r;
        }
        if (view == ESTIMATE) {
                r = bundle_estimate_from_json(&s, json, n, e);
                bundle_view_estimate(out, &s, t);
                return r;
        }
        r = bundle_answer_from_json(&a, json, n, e);
        if (r < 0)
                return r;
        if (view == ONE)
                bundle_view_one(out, &a.bundle, t, NOW_WALL_USEC);
        else if (view == PROGRESS)
                bundle_view_progress(out, &a.bundle);
        else if (view == NODES)
                bundle_view_nodes(out, &a.bundle);
        else
                bundle_view_outcome(out, &a.bundle, view == FETCHED ? "d/b.zip" : NULL, t);
        return 0;
}

#define REQUEST(redact)                                                                                     \
        "\"request\":{\"nodes\":[\"masters\",\"10.0.0.5\"],\"since\":\"2026-11-20T12:00:00.000Z\","         \
        "\"until\":\"2026-11-21T11:00:00.000Z\",\"kinds\":[\"host\"],\"format\":\"zip\",\"redact\":" redact \
        "}"
#define NODE(address, state, failed, error, took)                            \
        "{\"address\":\"" address "\",\"role\":\"agent\",\"state\":\"" state \
        "\",\"bytes\":1024,\"entries\":1,"                                   \
        "\"failed_entries\":" failed ",\"error\":" error ",\"took_seconds\":" took "}"
#define DONE(redact, partial, nodes)                                                                                     \
        "{\"id\":\"b1\",\"state\":\"done\",\"created\":\"2026-11-21T11:57:00.000Z\","                                    \
        "\"finished\":\"2026-11-21T11:58:00.000Z\",\"by\":\"uid:0\",\"observer\":\"10.0.0.1\"," REQUEST(                 \
                redact) ",\"progress\":{\"nodes_total\":2,\"nodes_done\":2,\"nodes_failed\":0,\"received_bytes\":2048}," \
                        "\"size_bytes\":1536,\"sha256\":\"" HEX "\",\"partial\":" partial                                \
                        ",\"redactions\":2,\"nodes\":[" nodes "]}"

/* clang-format off */
static const struct {
        const char *name;
        enum view view;
        const struct term *term;
        const char *json, *want;
} views[] = {
        {"list", LIST, &wide,
         "{\"items\":[{\"id\":\"b1\",\"state\":\"running\",\"created\":\"2026-11-21T11:57:00.000Z\"," REQUEST("false") ","
         "\"progress\":{\"nodes_total\":8,\"nodes_done\":5,\"nodes_failed\":1}},"
         "{\"id\":\"a0\",\"state\":\"failed\",\"error\":\"the disk\\u001b[31m is full\"},"
         "{\"id\":\"a\",\"state\":\"done\",\"created\":\"2026-11-19T12:00:00.000Z\",\"size_bytes\":1536,\"partial\":true,"
         "\"request\":{\"format\":\"tar.zst\"},\"progress\":{\"nodes_total\":1,\"nodes_done\":1,\"nodes_failed\":2}}],\"total\":3}",
         "ID  STATE    CREATED       SIZE  NODES  FORMAT   ERRORS\n"
         "b1  running  3 min ago        -    5/8  zip      not redacted; 1 node failed\n"
         "a0  failed   -                -      0  -        the disk is full\n"
         "a   done     2 d ago    1.5 KiB      1  tar.zst  partial; 2 nodes failed\n"},
        {"list of some", LIST, &wide, "{\"items\":[{\"id\":\"a\"}],\"total\":9}",
         "ID  STATE    CREATED  SIZE  NODES  FORMAT  ERRORS\na   unknown  -           -      0  -\n\n1 of 9 bundles\n"},
        {"list of none", LIST, &wide, "{\"items\":[]}", "no bundle\n"},
        {"one", ONE, &wide, DONE("true", "false", NODE("10.0.0.1", "done", "0", "null", "1.5") "," NODE("10.0.0.5", "done", "2", "\"e\"", "null")),
         "bundle b1: done\n"
         "created    2026-11-21T11:57:00.000Z (3 min ago)\n"
         "finished   2026-11-21T11:58:00.000Z (2 min ago)\n"
         "by         uid:0, kept on 10.0.0.1\n"
         "asked      of masters, 10.0.0.5; since 2026-11-20T12:00:00.000Z; until 2026-11-21T11:00:00.000Z; only host; zip\n"
         "progress   2 of 2 nodes, 2.0 KiB\n"
         "size       1.5 KiB; sha256 " HEX "\n"
         "redaction  2 secrets masked\n"
         "\n"
         "ADDRESS   ROLE   STATE     SIZE  ENTRIES  FAILED   TOOK  WHY\n"
         "10.0.0.1  agent  done   1.0 KiB        1       0  1.5 s\n"
         "10.0.0.5  agent  done   1.0 KiB        1       2      -  e\n"},
        {"one of which little is known", ONE, &wide, "{\"id\":\"b1\",\"state\":\"sealed\"}",
         "bundle b1: sealed\nby         nobody knows\nasked      of the nodes that the master chooses\nprogress   0 of 0 nodes, 0 B\n"
         "redaction  no secret found to mask\n"},
        {"whole", OUTCOME, &wide, DONE("true", "false", NODE("10.0.0.1", "done", "0", "null", "1")),
         "bundle b1: done\n2 nodes; 1 entry; 2 secrets masked\n1.5 KiB on 10.0.0.1; to get it: diag bundle download b1\n"},
        {"in part", FETCHED, &wide, DONE("true", "true", NODE("10.0.0.1", "done", "0", "null", "1") "," NODE("10.0.0.5", "partial", "3", "\"cut\"", "1")),
         "bundle b1: done, partial\nADDRESS   ROLE   STATE       SIZE  ENTRIES  FAILED   TOOK  WHY\n10.0.0.5  agent  partial  1.0 KiB        1       3  1.0 s  cut\n"
         "2 nodes, 1 partial; 2 entries, 3 failed; 2 secrets masked\n1.5 KiB in d/b.zip\n"
         "what is missing, and why: summaryErrorsReport.txt in it\n"},
        {"with its secrets", FETCHED, &coloured, DONE("false", "false", ""),
         "bundle b1: \033[32mdone\033[0m\n2 nodes; 0 entries; \033[1;31mNOT REDACTED: passwords and keys of these nodes stand in it as they are\033[0m\n"
         "1.5 KiB in d/b.zip\n"},
        {"none", OUTCOME, &wide, "{\"id\":\"b1\",\"state\":\"failed\",\"error\":\"no\\u009b31m room\"}",
         "bundle b1: failed: no?31m room\n0 nodes; 0 entries; there is no file\n"},
        {"none, and it would have had its secrets", OUTCOME, &wide,
         "{\"id\":\"b1\",\"state\":\"failed\"," REQUEST("false") "}", "bundle b1: failed\n0 nodes; 0 entries; there is no file\n"},
        {"one that was canceled, and deleted", ONE, &wide, "{\"id\":\"b1\",\"state\":\"deleted\",\"error\":\"it was canceled\"}",
         "bundle b1: deleted: it was canceled\nby         nobody knows\nasked      of the nodes that the master chooses\nprogress   0 of 0 nodes, 0 B\n"},
        {"counts that turn over", OUTCOME, &wide,
         "{\"id\":\"b1\",\"nodes\":[{\"state\":\"done\",\"entries\":9223372036854775807},{\"state\":\"done\",\"entries\":9223372036854775807},"
         "{\"state\":\"done\",\"entries\":9223372036854775807}]}",
         "bundle b1: unknown\n0 nodes; 18446744073709551615 entries, 18446744073709551615 failed; there is no file\n"},
        {"progress", PROGRESS, &wide, "{\"id\":\"b1\",\"progress\":{\"nodes_total\":1,\"nodes_failed\":1,\"received_bytes\":10,\"current\":\"a\\nb\"}}",
         "0 of 1 node, 1 of them failed, 10 B; a b"},
        {"many nodes", NODES, &wide,
         "{\"id\":\"b1\",\"request\":{\"nodes\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\",\"18\",\"19\",\"20\",\"21\",\"22\"]}}",
         "of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 12 more"},
        {"estimate", ESTIMATE, &wide,
         "{\"likely_bytes\":1024,\"max_bytes\":2048,\"free_bytes\":4096,\"floor_bytes\":1024,\"fits\":true,\"nodes\":["
         "{\"address\":\"10.0.0.1\",\"likely_bytes\":1024,\"max_bytes\":2048},{\"address\":\"10.0.0.5\",\"error\":\"no answer\"}]}",
         "ADDRESS    LIKELY  AT MOST  WHY NOT\n10.0.0.1  1.0 KiB  2.0 KiB\n10.0.0.5        -        -  no answer\n\n"
         "1.0 KiB likely, at most 2.0 KiB; 4.0 KiB are free, and 1.0 KiB have to stay so: it fits\n"},
        {"estimate of nothing", ESTIMATE, &wide, "{\"fits\":false}",
         "0 B likely, at most 0 B; 0 B are free, and 0 B have to stay so: IT DOES NOT FIT\n"},
};
/* clang-format on */

START_TEST(shows)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct err e = {0};

        ck_assert_msg(draw(&out, views[_i].view, views[_i].json, views[_i].term, &e) == 0, "%s: %s",
                      views[_i].name, e.text);
        ck_assert_msg(streq(buf_cstr(&out), views[_i].want), "%s:\n%s", views[_i].name,
                      buf_cstr(&out));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("bundle_view");
        TCase *tc = tcase_create("bundle_view");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, shows_size, 0, ELEMENTSOF(sizes));
        tcase_add_loop_test(tc, shows, 0, ELEMENTSOF(views));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
