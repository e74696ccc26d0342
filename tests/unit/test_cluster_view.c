/* It shows what a master says as a person wants to read it, whatever a master says. */

#include <errno.h>
#include <locale.h>

#include "base/fs.h"
#include "base/mono.h"
#include "cli/cluster_view.h"
#include "cli/listing.h"
#include "cli/node_view.h"
#include "cli/path.h"
#include "cli/unit_view.h"
#include "tests/unit/test_main.h"

#define FIXTURE_MAX_BYTES (1024u * 1024u)
#define NOW_WALL_USEC     (UINT64_C(1795262400) * USEC_PER_SEC) /* 2026-11-21T12:00:00Z */

static char *read_fixture(const char *name, const char *suffix, size_t *ret_n)
{
        char path[256];
        struct err e = {0};
        char *text = NULL;

        (void)snprintf(path, sizeof(path), "tests/fixtures/cluster/%s%s", name, suffix);
        ck_assert_msg(fs_read(path, FIXTURE_MAX_BYTES, &text, ret_n, &e) == 0, "%s", e.text);
        return text;
}

/* --- what is shown -------------------------------------------------------------------------------- */

typedef int draw_fn(struct buf *out, const char *json, size_t n, const struct term *t,
                    struct err *e);

static int draw_cluster(struct buf *out, const char *json, size_t n, const struct term *t,
                        struct err *e)
{
        _cleanup_(cluster_done) struct cluster c = {0};
        int r = cluster_from_json(&c, json, n, e);

        if (r == 0)
                cluster_view_all(out, &c, t, NOW_WALL_USEC);
        return r;
}

static int draw_line(struct buf *out, const char *json, size_t n, _unused_ const struct term *t,
                     struct err *e)
{
        _cleanup_(cluster_done) struct cluster c = {0};
        int r = cluster_from_json(&c, json, n, e);

        if (r == 0)
                cluster_view_line(out, &c);
        buf_putc(out, '\n');
        return r;
}

static int draw_nodes(struct buf *out, const char *json, size_t n, const struct term *t,
                      struct err *e)
{
        _cleanup_(cluster_nodes_done) struct cluster_nodes l = {0};
        int r = cluster_nodes_add(&l, json, n, e);

        if (r == 0)
                node_view_table(out, l.rows, l.n, t, NOW_WALL_USEC);
        return r;
}

static int draw_node(struct buf *out, const char *json, size_t n, const struct term *t,
                     struct err *e)
{
        _cleanup_(cluster_one_node_done) struct cluster_one_node node = {0};
        int r = cluster_one_node_from_json(&node, json, n, e);

        if (r == 0)
                node_view_one(out, &node, t, NOW_WALL_USEC);
        return r;
}

static int draw_units(struct buf *out, const char *json, size_t n, const struct term *t,
                      struct err *e)
{
        _cleanup_(cluster_units_done) struct cluster_units l = {0};
        int r = cluster_units_add(&l, json, n, e);

        if (r == 0)
                unit_view_table(out, &l, t);
        return r;
}

static int draw_unit(struct buf *out, const char *json, size_t n, const struct term *t,
                     struct err *e)
{
        _cleanup_(cluster_one_unit_done) struct cluster_one_unit u = {0};
        int r = cluster_one_unit_add(&u, json, n, e);

        if (r < 0)
                return r;
        unit_view_head(out, &u.unit, t);
        unit_view_nodes(out, &u, u.n, t, NOW_WALL_USEC);
        return 0;
}

static const struct {
        draw_fn *draw;
        const char *name; /* of the answer and, with the suffix, of the text to expect */
        const char *suffix;
        struct term term;
} cases[] = {
        {draw_cluster, "unhealthy",     ".txt",        {0}                               },
        {draw_cluster, "unhealthy",     "-colour.txt", {.n_columns = 100, .colour = true}},
        {draw_cluster, "healthy",       ".txt",        {0}                               },
        {draw_cluster, "acknowledged",  ".txt",        {0}                               },
        {draw_cluster, "bare",          ".txt",        {0}                               },
        {draw_cluster, "hostile",       ".txt",        {0}                               },
        {draw_line,    "unhealthy",     "-line.txt",   {0}                               },
        {draw_line,    "acknowledged",  "-line.txt",   {0}                               },
        {draw_line,    "hostile",       "-line.txt",   {0}                               },
        {draw_nodes,   "nodes",         ".txt",        {0}                               },
        {draw_nodes,   "nodes",         "-80.txt",     {.n_columns = 80}                 },
        {draw_nodes,   "nodes",         "-60.txt",     {.n_columns = 60}                 },
        {draw_nodes,   "nodes",         "-colour.txt", {.n_columns = 160, .colour = true}},
        {draw_nodes,   "nodes-none",    ".txt",        {0}                               },
        {draw_node,    "node",          ".txt",        {0}                               },
        {draw_node,    "node",          "-60.txt",     {.n_columns = 60}                 },
        {draw_node,    "node-silent",   ".txt",        {0}                               },
        {draw_node,    "node-gone",     ".txt",        {0}                               },
        {draw_node,    "node-not-live", ".txt",        {0}                               },
        {draw_node,    "node-live",     ".txt",        {0}                               },
        {draw_node,    "node-hostile",  ".txt",        {0}                               },
        {draw_node,    "bare",          "-node.txt",   {0}                               },
        {draw_units,   "units",         ".txt",        {0}                               },
        {draw_units,   "units",         "-80.txt",     {.n_columns = 80}                 },
        {draw_unit,    "unit",          ".txt",        {0}                               },
        {draw_unit,    "bare",          "-unit.txt",   {0}                               },
};

static void render(size_t i, struct buf *out)
{
        _cleanup_(freep) char *json = NULL;
        struct err e = {0};
        size_t n;

        json = read_fixture(cases[i].name, ".json", &n);
        ck_assert_msg(cases[i].draw(out, json, n, &cases[i].term, &e) == 0, "%s: %s", cases[i].name,
                      e.text);
        ck_assert_int_eq(out->error, 0);
}

START_TEST(shows_answer)
{
        _cleanup_(freep) char *want = read_fixture(cases[_i].name, cases[_i].suffix, NULL);
        _cleanup_(buf_done) struct buf out = {0};

        render((size_t)_i, &out);
        ck_assert_msg(streq(buf_cstr(&out), want), "%s%s:\n%s", cases[_i].name, cases[_i].suffix,
                      buf_cstr(&out));
}
END_TEST

/* Whatever a master says, without our own colours nothing but line ends is below a blank. */
START_TEST(shows_nothing_that_a_terminal_obeys)
{
        _cleanup_(buf_done) struct buf out = {0};

        if (cases[_i].term.colour)
                return;
        render((size_t)_i, &out);
        for (size_t k = 0; k < out.n; k++) {
                unsigned char c = (unsigned char)out.data[k];

                ck_assert((c >= 0x20 && c != 0x7f) || c == '\n');
                ck_assert(c != 0xc2 || (unsigned char)out.data[k + 1] >= 0xa0);
        }
        ck_assert_ptr_null(strstr(buf_cstr(&out), "\xe2\x80\xae"));
}
END_TEST

/* --- how many of how many ------------------------------------------------------------------------- */

static const struct {
        struct listing listing;
        size_t n_shown;
        uint64_t n_total;
        const char *want;
} summaries[] = {
        {{0},                     0,   0,   "no node is known"                                           },
        {{.query = "x"},          0,   0,   "no node fits"                                               },
        {{0},                     1,   1,   "\n1 node"                                                   },
        {{0},                     50,  50,  "\n50 nodes"                                                 },
        {{0},                     0,   51,  "51 nodes, all of them healthy (--all shows them)"           },
        {{0},                     7,   51,  "\n7 of 51 nodes: those that are not healthy (--all for all)"},
        {{.all = true},           51,  51,  "\n51 nodes"                                                 },
        {{.health = "unhealthy"}, 99,  99,  "\n99 nodes"                                                 },
        {{.all = true},           500, 501, "\n500 of 501 nodes"                                         },
};

START_TEST(says_how_many_of_how_many)
{
        static const struct cluster_view view = {.observer = "10.0.0.1", .complete = true};
        static const struct term term = {0};
        const struct listing_outcome o = {
                .n_shown = summaries[_i].n_shown,
                .n_total = summaries[_i].n_total,
                .one = "node",
                .many = "nodes",
                .view = &view,
        };
        _cleanup_(buf_done) struct buf out = {0}, want = {0};

        listing_summary(&out, &summaries[_i].listing, &o, &term);
        buf_printf(&want, "%s, as 10.0.0.1 sees it, 0 s ago\n", summaries[_i].want);
        ck_assert_str_eq(buf_cstr(&out), buf_cstr(&want));
}
END_TEST

/* --- answers that are none ------------------------------------------------------------------------ */

static const struct {
        draw_fn *draw;
        const char *json;
        const char *want; /* NULL: it is an answer */
} answers[] = {
        {draw_cluster, "",                                                       "line 1: "                     },
        {draw_cluster, "[]",                                                     "the document is not an object"},
        {draw_cluster, "{}",                                                     "there is no health in it"     },
        {draw_cluster, "{\"health\":null}",                                      NULL                           },
        {draw_cluster, "{\"health\":7}",                                         "health is not a string"       },
        {draw_cluster, "{\"health\":\"a\",\"health\":\"b\"}",                    "line 1: "                     },
        {draw_cluster, "{\"health\":\"\\u0000\"}",                               "line 1: "                     },
        {draw_cluster, "{\"health\":\"healthy\",\"masters\":[]}",                "masters is not an object"     },
        {draw_cluster, "{\"health\":\"healthy\",\"masters\":{\"known\":-1}}",
         "known is less than nothing"                                                                           },
        {draw_cluster, "{\"health\":\"healthy\",\"masters\":{\"known\":1.5}}",
         "known is not a whole number"                                                                          },
        {draw_cluster, "{\"health\":\"healthy\",\"reasons\":{}}",                "reasons is not a list"        },
        {draw_cluster, "{\"health\":\"healthy\",\"reasons\":[7]}",               "an item of a list is not"     },
        {draw_cluster, "{\"health\":\"healthy\",\"since\":\"noon\"}",            "since is not a time"          },
        {draw_cluster, "{\"health\":\"healthy\",\"acknowledged\":1}",            "acknowledged is neither"      },
        {draw_cluster, "{\"health\":\"healthy\",\"nodes\":{\"agent\":7}}",
         "agent is not an object"                                                                               },
        {draw_cluster, "{\"health\":\"healthy\",\"view\":{\"age_seconds\":-1}}",
         "age_seconds is not a number"                                                                          },
        {draw_nodes,   "{}",                                                     "there are no items in it"     },
        {draw_nodes,   "{\"items\":null}",                                       NULL                           },
        {draw_nodes,   "{\"items\":[{}]}",                                       NULL                           },
        {draw_nodes,   "{\"items\":[{\"notes\":[1]}]}",                          "an item of notes is not"      },
        {draw_nodes,   "{\"items\":[{\"maintenance\":{}}]}",                     "since is not a time"          },
        {draw_node,    "{\"code\":404}",                                         "there is no health in it"     },
        {draw_node,    "{\"health\":\"healthy\",\"components\":[[]]}",           "an item of a list is not"     },
        {draw_node,    "{\"health\":\"healthy\",\"live\":true,\"node\":{}}",     ""                             },
        {draw_node,    "{\"health\":\"healthy\",\"live\":true,\"node\":null}",   NULL                           },
        {draw_units,   "{\"items\":[{\"codes\":[]}]}",                           "codes is not an object"       },
        {draw_unit,    "{\"health\":\"healthy\",\"nodes\":{}}",                  "there are no items in it"     },
        {draw_unit,    "{\"health\":\"healthy\",\"nodes\":[]}",                  "nodes is not an object"       },
};

START_TEST(refuses_what_is_no_answer)
{
        static const struct term term = {0};
        _cleanup_(buf_done) struct buf out = {0};
        struct err e = {0};
        int r = answers[_i].draw(&out, answers[_i].json, strlen(answers[_i].json), &term, &e);

        ck_assert_msg(r == (answers[_i].want ? -EBADMSG : 0), "%s: %d %s", answers[_i].json, r,
                      e.text);
        if (answers[_i].want)
                ck_assert_msg(strncmp(e.text, answers[_i].want, strlen(answers[_i].want)) == 0 &&
                                      *e.text,
                              "%s: %s", answers[_i].json, e.text);
}
END_TEST

START_TEST(has_limits)
{
        _cleanup_(buf_done) struct buf json = {0};
        _cleanup_(cluster_done) struct cluster c = {0};
        _cleanup_(cluster_nodes_done) struct cluster_nodes l = {0};
        struct err e;

        buf_puts(&json, "{\"health\":\"healthy\",\"reasons\":[{}");
        for (size_t i = 1; i < CLUSTER_REASONS_MAX + 1; i++)
                buf_puts(&json, ",{}");
        buf_puts(&json, "]}");
        ck_assert_int_eq(cluster_from_json(&c, json.data, json.n, &e), -E2BIG);
        ck_assert_int_eq(cluster_from_json(&c, json.data, CLUSTER_JSON_MAX + 1, &e), -E2BIG);
        buf_clear(&json);
        buf_puts(&json, "{\"items\":[{}");
        for (size_t i = 1; i < CLUSTER_ROWS_MAX; i++)
                buf_puts(&json, ",{}");
        buf_puts(&json, "]}");
        ck_assert_int_eq(cluster_nodes_add(&l, json.data, json.n, &e), 0);
        ck_assert_uint_eq(l.n, CLUSTER_ROWS_MAX);
        ck_assert_int_eq(cluster_nodes_add(&l, "{\"items\":[{}]}", 14, &e), -E2BIG);
        ck_assert_uint_eq(l.n, CLUSTER_ROWS_MAX);
}
END_TEST

/* --- paths ---------------------------------------------------------------------------------------- */

START_TEST(escapes_what_was_typed)
{
        _cleanup_(buf_done) struct buf path = {0};

        buf_puts(&path, "/n/");
        path_append_word(&path, "fd00::1/../a b?c#d%\xc3\xa9@x.service");
        path_append_query(&path, "role", NULL);
        path_append_query(&path, "q", "a&b=c+d");
        path_append_query(&path, "limit", "7");
        ck_assert_str_eq(
                buf_cstr(&path),
                "/n/fd00::1%2F..%2Fa%20b%3Fc%23d%25%C3%A9@x.service?q=a%26b%3Dc%2Bd&limit=7");
        ck_assert(path_is_name("a") && path_is_name("...") && path_is_name("/"));
        ck_assert(!path_is_name("") && !path_is_name(".") && !path_is_name(".."));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cluster_view");
        TCase *tc = tcase_create("cluster_view");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, shows_answer, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, shows_nothing_that_a_terminal_obeys, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, says_how_many_of_how_many, 0, ELEMENTSOF(summaries));
        tcase_add_loop_test(tc, refuses_what_is_no_answer, 0, ELEMENTSOF(answers));
        tcase_add_test(tc, has_limits);
        tcase_add_test(tc, escapes_what_was_typed);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
