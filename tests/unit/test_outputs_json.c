/* It carries what unhealthy components print from a node to the masters. */

#include <errno.h>
#include <stdio.h>

#include "model/outputs_json.h"
#include "tests/unit/test_main.h"

#define IT "\"instance\":\"0000000000000007\""

/* a is healthy, b unhealthy, c unknown. */
static struct diag_report *make_report(const char *output)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system system = {0};
        const struct diag_component parts[] = {
                {.name = "a",              .health = DIAG_HEALTHY, .code = DIAG_CODE_OK        },
                { .name = "b",
                 .health = DIAG_UNHEALTHY,
                 .code = DIAG_CODE_PROBE_FAILED,
                 .text = "b is bad",
                 .output = output},
                {                                                                 .name = "c",              .health = DIAG_UNKNOWN, .code = DIAG_CODE_INCOMPLETE, .text = "why?"},
        };
        struct diag_report *r = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                ck_assert_int_eq(diag_report_add(r, &parts[i]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        r->instance = 7;
        return r;
}

static void free_outputs(char **outputs, const struct diag_report *r)
{
        for (size_t i = 0; i < r->n_components; i++)
                free(outputs[i]);
        free(outputs);
}

/* --- writing ------------------------------------------------------------------------------------ */

START_TEST(spells_it)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report("line 1\nline 2\n");
        _cleanup_(blob_unrefp) struct blob *all = diag_outputs_render(r, true);
        _cleanup_(blob_unrefp) struct blob *reasons = diag_outputs_render(r, false);

        ck_assert_str_eq(blob_data(all),
                         "{\"node_id\":\"n\"," IT ",\"seq\":4,\"components\":["
                         "{\"name\":\"b\",\"output\":\"b is bad\\nline 1\\nline 2\\n\"},"
                         "{\"name\":\"c\",\"output\":\"why?\\n\"}]}\n");
        ck_assert_str_eq(blob_data(reasons), "{\"node_id\":\"n\"," IT ",\"seq\":4,\"components\":["
                                             "{\"name\":\"b\",\"output\":\"b is bad\\n\"},"
                                             "{\"name\":\"c\",\"output\":\"why?\\n\"}]}\n");
}
END_TEST

START_TEST(comes_back_as_it_was)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r =
                make_report("\xc3\xa9 \"quoted\" \\ \t tab\n");
        _cleanup_(blob_unrefp) struct blob *b = diag_outputs_render(r, true);
        char **outputs = NULL;

        ck_assert_int_eq(diag_outputs_from_json(&outputs, r, blob_data(b), blob_size(b), NULL), 0);
        ck_assert_ptr_null(outputs[0]);
        ck_assert_str_eq(outputs[1], "b is bad\n\xc3\xa9 \"quoted\" \\ \t tab\n");
        ck_assert_str_eq(outputs[2], "why?\n");
        free_outputs(outputs, r);
}
END_TEST

/* However much is printed: the newest lines of each, the unhealthy first, and so many bytes in all. */
START_TEST(keeps_to_its_limits)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system system = {0};
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(blob_unrefp) struct blob *b = NULL;
        _cleanup_(buf_done) struct buf text = {0};
        char **outputs = NULL;
        size_t n_bytes = 0, n_kept = 0;

        for (unsigned i = 0; i < 500; i++)
                buf_printf(&text, "line %u\n", i);
        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        for (unsigned i = 0; i < 3000; i++) {
                char name[16];
                const struct diag_component c = {
                        .name = name,
                        .health = i < 1500 ? DIAG_UNKNOWN : DIAG_UNHEALTHY,
                        .code = DIAG_CODE_PROBE_FAILED,
                        .text = "bad",
                        .output = buf_cstr(&text),
                };

                (void)snprintf(name, sizeof(name), "c%04u", i);
                ck_assert_int_eq(diag_report_add(r, &c), 0);
        }
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        b = diag_outputs_render(r, true);
        ck_assert_int_eq(diag_outputs_from_json(&outputs, r, blob_data(b), blob_size(b), NULL), 0);
        for (size_t i = 0; i < r->n_components; i++) {
                n_kept += outputs[i] != NULL;
                n_bytes += outputs[i] ? strlen(outputs[i]) : 0;
        }
        ck_assert_uint_le(n_bytes, DIAG_OUTPUTS_MAX);
        ck_assert_uint_gt(n_kept, 7);
        ck_assert_uint_lt(n_kept, 1500);
        for (size_t i = 0; i < 1500; i++)
                ck_assert_ptr_null(outputs[i]); /* those that may be well had to wait */
        ck_assert_ptr_nonnull(strstr(outputs[1500], "line 499\n"));
        ck_assert_ptr_null(strstr(outputs[1500], "line 1\n"));
        ck_assert_uint_le(strlen(outputs[1500]), DIAG_OUTPUTS_EACH_MAX + strlen("bad\n"));
        free_outputs(outputs, r);
}
END_TEST

/* --- reading ------------------------------------------------------------------------------------ */

#define LIST(entries) "{" IT ",\"components\":[" entries "]}"

static const struct {
        const char *text;
        int code;
        const char *b, *c, *why; /* NULL: nothing */
} texts[] = {
        {LIST(""),                                                 0,        NULL, NULL, ""                                                  },
        {LIST("{\"name\":\"b\",\"output\":\"x\"}"),                0,        "x",  NULL, ""                                                  },
        {LIST("{\"name\":\"b\",\"output\":\"\"}"),                 0,        "",   NULL, ""                                                  },
        {LIST("{\"name\":\"b\",\"output\":\"x\",\"new\":[1]}"),    0,        "x",  NULL, ""                                                  },
        {LIST("{\"name\":\"b\",\"output\":\"x\"},"
              "{\"name\":\"c\",\"output\":\"y\"},"
              "{\"name\":\"b\",\"output\":\"z\"}"),
         0,                                                                  "z",  "y",  ""                                                  },
        {LIST("{\"name\":\"a\",\"output\":\"x\"}"),                0,        NULL, NULL, ""                                                  }, /* it is well */
        {LIST("{\"name\":\"d\",\"output\":\"x\"}"),                0,        NULL, NULL, ""                                                  },
        {LIST("{\"name\":\"\",\"output\":\"x\"}"),                 0,        NULL, NULL, ""                                                  },
        {LIST("null"),                                             -EBADMSG, NULL, NULL, "an entry of 'components' has no name, or no output"},
        {LIST("{\"name\":\"b\",\"output\":\"x\"},{}"),             -EBADMSG, NULL, NULL,
         "an entry of 'components' has no name, or no output"                                                                                },
        {LIST("{\"name\":\"b\"}"),                                 -EBADMSG, NULL, NULL,
         "an entry of 'components' has no name, or no output"                                                                                },
        {LIST("{\"name\":\"b\",\"output\":7}"),                    -EBADMSG, NULL, NULL,
         "an entry of 'components' has no name, or no output"                                                                                },
        {LIST("{\"name\":{},\"output\":\"x\"}"),                   -EBADMSG, NULL, NULL,
         "an entry of 'components' has no name, or no output"                                                                                },
        {LIST("{\"name\":\"b\",\"name\":\"c\",\"output\":\"x\"}"), -EBADMSG, NULL, NULL,
         "there is no list of components"                                                                                                    },
        {"",                                                       -EBADMSG, NULL, NULL, "there is no list of components"                    },
        {"[]",                                                     -EBADMSG, NULL, NULL, "there is no list of components"                    },
        {"{" IT "}",                                               -EBADMSG, NULL, NULL, "there is no list of components"                    },
        {"{" IT ",\"components\":null}",                           -EBADMSG, NULL, NULL, "there is no list of components"                    },
        {"{" IT ",\"components\":{}}",                             -EBADMSG, NULL, NULL, "there is no list of components"                    },
        {"{\"components\":[]}",                                    -ESTALE,  NULL, NULL, "it is of another run of the daemon"                },
        {"{\"instance\":7,\"components\":[]}",                     -ESTALE,  NULL, NULL,
         "it is of another run of the daemon"                                                                                                },
        {"{\"instance\":\"0000000000000008\",\"components\":[]}",  -ESTALE,  NULL, NULL,
         "it is of another run of the daemon"                                                                                                },
        {"{\"instance\":\"\",\"components\":[]}",                  -ESTALE,  NULL, NULL,
         "it is of another run of the daemon"                                                                                                },
};

static void must_be(const char *have, const char *want)
{
        ck_assert_int_eq(have != NULL, want != NULL);
        if (want)
                ck_assert_str_eq(have, want);
}

START_TEST(reads_strictly)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report("");
        const char *text = texts[_i].text;
        char **outputs = NULL;
        struct err e = {0};

        ck_assert_msg(diag_outputs_from_json(&outputs, r, text, strlen(text), &e) == texts[_i].code,
                      "%s: %s", text, e.text);
        ck_assert_str_eq(e.text, texts[_i].why);
        ck_assert_int_eq(outputs != NULL, texts[_i].code == 0);
        if (!outputs)
                return;
        must_be(outputs[0], NULL);
        must_be(outputs[1], texts[_i].b);
        must_be(outputs[2], texts[_i].c);
        free_outputs(outputs, r);
}
END_TEST

START_TEST(takes_so_much_and_no_more)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report("");

        for (size_t n = DIAG_OUTPUT_MAX; n <= DIAG_OUTPUT_MAX + 1; n++) {
                _cleanup_(buf_done) struct buf b = {0};
                char **outputs = NULL;

                buf_puts(&b, "{" IT ",\"components\":[{\"name\":\"b\",\"output\":\"");
                for (size_t i = 0; i < n; i++)
                        buf_putc(&b, 'x');
                buf_puts(&b, "\"}]}");
                ck_assert_int_eq(diag_outputs_from_json(&outputs, r, buf_cstr(&b), b.n, NULL),
                                 n > DIAG_OUTPUT_MAX ? -E2BIG : 0);
                if (outputs)
                        free_outputs(outputs, r);
        }
        for (size_t n = DIAG_COMPONENTS_MAX; n <= DIAG_COMPONENTS_MAX + 1; n++) {
                _cleanup_(buf_done) struct buf b = {0};
                char **outputs = NULL;

                buf_puts(&b, "{" IT ",\"components\":[");
                for (size_t i = 0; i < n; i++)
                        buf_printf(&b, "%s{\"name\":\"b\",\"output\":\"\"}", i ? "," : "");
                buf_puts(&b, "]}");
                ck_assert_int_eq(diag_outputs_from_json(&outputs, r, buf_cstr(&b), b.n, NULL),
                                 n > DIAG_COMPONENTS_MAX ? -E2BIG : 0);
                if (outputs)
                        free_outputs(outputs, r);
        }
}
END_TEST

START_TEST(has_nothing_to_say_of_nothing)
{
        static const struct diag_node node = {0};
        static const struct diag_system system = {0};
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(blob_unrefp) struct blob *b = NULL;
        char **outputs = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        b = diag_outputs_render(r, true);
        ck_assert_int_eq(diag_outputs_from_json(&outputs, r, blob_data(b), blob_size(b), NULL), 0);
        free(outputs);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("outputs_json");
        TCase *t = tcase_create("it");

        tcase_add_test(t, spells_it);
        tcase_add_test(t, comes_back_as_it_was);
        tcase_add_test(t, keeps_to_its_limits);
        tcase_add_loop_test(t, reads_strictly, 0, ELEMENTSOF(texts));
        tcase_add_test(t, takes_so_much_and_no_more);
        tcase_add_test(t, has_nothing_to_say_of_nothing);
        suite_add_tcase(s, t);
        return test_main(s);
}
