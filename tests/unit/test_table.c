/* It fits rows into a terminal, and lets nothing through that a terminal would obey. */

#include <locale.h>

#include "base/mono.h"
#include "cli/suggest.h"
#include "cli/table.h"
#include "tests/unit/test_main.h"

/* --- text ----------------------------------------------------------------------------------------- */

static const struct {
        const char *text, *want;
} dirty[] = {
        {"",                                      ""                   },
        {"plain",                                 "plain"              },
        {"café 日本語 …",                   "café 日本語 …"},
        {"cafe\u0301",                            "cafe\u0301"         },
        {"a\tb\nc\rd",                            "a b c d"            },
        {"a\u2028b",                              "a b"                },
        {"\033[31mred\033[0m",                    "red"                },
        {"\033[1;38:5:9mred\033[m",               "red"                },
        {"\033[2J",                               "?[2J"               },
        {"\033[31",                               "?[31"               },
        {"\033",                                  "?"                  },
        {"\033[",                                 "?["                 },
        {"\033]0;title\007",                      "?]0;title?"         },
        {"\033c\033P\033(0",                      "?c?P?(0"            },
        {"\b\177\001",                            "???"                },
        {"\302\2332J\302\205",                    "?2J?"               },
        {"\xff\xfe",                              "??"                 },
        {"\xe2\x82",                              "??"                 },
        {"\xc0\x80",                              "??"                 },
        {"\xed\xa0\x80",                          "???"                },
        {"\u202egnp.exe\u202c\u2066\u200f\u061c", "?gnp.exe????"       },
        {"\ufffd",                                "?"                  },
};

START_TEST(cleans_text)
{
        _cleanup_(buf_done) struct buf out = {0};

        text_append_clean(&out, dirty[_i].text);
        ck_assert_str_eq(buf_cstr(&out), dirty[_i].want);
}
END_TEST

static const struct {
        const char *text;
        unsigned columns, room;
        const char *cut;
} widths[] = {
        {"",             0, 0, ""             },
        {"abc",          3, 3, "abc"          },
        {"abcd",         4, 3, "ab…"        },
        {"abcd",         4, 1, "…"          },
        {"abcd",         4, 0, ""             },
        {"日本語",    6, 6, "日本語"    },
        {"日本語",    6, 5, "日本…"    },
        {"日本語",    6, 4, "日…"       }, /* a wide character does not fit in half */
        {"cafe\u0301s",  5, 5, "cafe\u0301s"  },
        {"cafe\u0301s!", 6, 5, "cafe\u0301…"},
};

START_TEST(cuts_text)
{
        _cleanup_(buf_done) struct buf out = {0};

        ck_assert_uint_eq(text_columns(widths[_i].text), widths[_i].columns);
        text_append_cut(&out, widths[_i].text, widths[_i].room);
        ck_assert_str_eq(buf_cstr(&out), widths[_i].cut);
        ck_assert_uint_le(text_columns(buf_cstr(&out)), widths[_i].room);
}
END_TEST

static const struct {
        uint64_t usec;
        const char *want;
} ages[] = {
        {0,                            "0 s"   },
        {USEC_PER_SEC - 1,             "0 s"   },
        {59 * USEC_PER_SEC,            "59 s"  },
        {USEC_PER_MIN,                 "1 min" },
        {60 * USEC_PER_MIN - 1,        "59 min"},
        {60 * USEC_PER_MIN,            "1 h"   },
        {47 * 60 * USEC_PER_MIN,       "1 d"   },
        {400 * 24 * 60 * USEC_PER_MIN, "400 d" },
};

START_TEST(says_age)
{
        _cleanup_(buf_done) struct buf out = {0};

        text_append_age(&out, ages[_i].usec);
        ck_assert_str_eq(buf_cstr(&out), ages[_i].want);
}
END_TEST

/* --- table ---------------------------------------------------------------------------------------- */

struct row {
        const char *name, *number, *why, *below;
};

static enum hue cell_name(struct buf *out, const void *row, _unused_ const void *userdata)
{
        buf_puts(out, ((const struct row *)row)->name);
        return HUE_PLAIN;
}

static enum hue cell_number(struct buf *out, const void *row, _unused_ const void *userdata)
{
        buf_puts(out, ((const struct row *)row)->number);
        return HUE_GOOD;
}

static enum hue cell_why(struct buf *out, const void *row, const void *userdata)
{
        buf_puts(out, ((const struct row *)row)->why);
        buf_puts(out, *((const struct row *)row)->why ? userdata : "");
        return HUE_DIM;
}

static const struct table_column columns[] = {
        {"NAME", false, 5, cell_name  },
        {"N",    true,  0, cell_number},
        {"WHY",  false, 0, cell_why   },
};

static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};

static const struct row rows[] = {
        {"日本語", "1",   "it broke"},
        {"alphabet",  "100", ""        },
        {"b",         "20",  "ok"      },
};

static const struct {
        struct term term;
        const char *want;
} tables[] = {
        {{0},
         "NAME        N  WHY\n"
         "日本語      1  it broke!\n"
         "alphabet  100\n"
         "b          20  ok!\n"                             },
        {{.n_columns = 24},
         "NAME        N  WHY\n"
         "日本語      1  it broke!\n"
         "alphabet  100\n"
         "b          20  ok!\n"                             },
        {{.n_columns = 23},
         "NAME        N  WHY\n"
         "日本語      1\n"
         "    it broke!\n"
         "alphabet  100\n"
         "b          20  ok!\n"                             },
        {{.n_columns = 17},
         "NAME        N\n"
         "日本語      1\n"
         "    it broke!\n"
         "alphabet  100\n"
         "b          20\n"
         "    ok!\n"                                        },
        {{.n_columns = 10},
         "NAME     N\n"
         "日本…    1\n"
         "    it broke!\n"
         "alph…  100\n"
         "b       20\n"
         "    ok!\n"                                        },
        {{.n_columns = 1},
         "NAME     N\n"
         "日本…    1\n"
         "    it broke!\n"
         "alph…  100\n"
         "b       20\n"
         "    ok!\n"                                        },
        {{.n_columns = 80, .colour = true},
         "\033[1mNAME\033[0m        \033[1mN\033[0m  \033[1mWHY\033[0m\n"
         "日本語      \033[32m1\033[0m  \033[2mit broke!\033[0m\n"
         "alphabet  \033[32m100\033[0m\n"
         "b          \033[32m20\033[0m  \033[2mok!\033[0m\n"},
};

START_TEST(writes_table)
{
        const void *const in[] = {&rows[0], &rows[1], &rows[2]};
        _cleanup_(buf_done) struct buf out = {0};

        table_write(&out, &tables[_i].term, &shape, in, ELEMENTSOF(in), "!");
        ck_assert_str_eq(buf_cstr(&out), tables[_i].want);
}
END_TEST

static void lines_below(struct buf *out, const void *row, const void *userdata)
{
        buf_puts(out, ((const struct row *)row)->below);
        buf_puts(out, userdata);
}

static const struct {
        unsigned n_columns;
        const char *want;
} belows[] = {
        {0,  "NAME  N  WHY\n"
            "a     1  it broke\n"
            "    the first line of its own\n"
            "    the second\n"
            "b     2\n"  },
        {28, "NAME  N  WHY\n"
             "a     1  it broke\n"
             "    the first line of its o…\n"
             "    the second\n"
             "b     2\n"},
        {12, "NAME  N  WHY\n"
             "a     1\n"
             "    it broke\n"
             "    the first line …\n"
             "    the second\n"
             "b     2\n"},
};

START_TEST(writes_lines_below_a_row)
{
        static const struct row two[] = {
                {"a", "1", "it broke", "the first line of its own\nthe second\n"},
                {"b", "2", "",         ""                                       },
        };
        const void *const in[] = {&two[0], &two[1]};
        const struct table_shape with_lines = {columns, ELEMENTSOF(columns), lines_below};
        const struct term term = {.n_columns = belows[_i].n_columns};
        _cleanup_(buf_done) struct buf out = {0};

        table_write(&out, &term, &with_lines, in, ELEMENTSOF(in), "");
        ck_assert_str_eq(buf_cstr(&out), belows[_i].want);
}
END_TEST

START_TEST(writes_heading_of_empty_table)
{
        const struct term term = {0};
        _cleanup_(buf_done) struct buf out = {0};

        table_write(&out, &term, &shape, NULL, 0, "");
        ck_assert_str_eq(buf_cstr(&out), "NAME  N  WHY\n");
}
END_TEST

START_TEST(keeps_error_of_buffer)
{
        const struct term term = {0};
        const void *const in[] = {&rows[0]};
        _cleanup_(buf_done) struct buf out = {.max = 8};

        table_write(&out, &term, &shape, in, 1, "");
        ck_assert_int_ne(out.error, 0);
        ck_assert_int_eq(term_flush(STDOUT_FILENO, &out), out.error);
}
END_TEST

START_TEST(knows_a_pipe_from_a_terminal)
{
        struct term term;
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        setenv("COLUMNS", "40", 1);
        setenv("TERM", "xterm", 1);
        term = term_of(fds[1]);
        ck_assert(!term.is_tty && !term.colour && term.n_columns == 0);
        close(fds[0]);
        close(fds[1]);
}
END_TEST

/* --- suggestions ---------------------------------------------------------------------------------- */

static const struct {
        const char *wanted, *want;
} wishes[] = {
        {"exhibitor",              "; did you mean dcos-exhibitor.service?"                                  },
        {"exhibitr",               "; did you mean dcos-exhibitor.service?"                                  },
        {"EXIHBITOR",              "; did you mean dcos-exhibitor.service?"                                  },
        {"dcos-exhibitor.sevrice", "; did you mean dcos-exhibitor.service?"                                  },
        {"dcos-net",               "; did you mean dcos-net.service, dcos-net.timer or dcos-network.service?"},
        {"postgres",               ""                                                                        },
        {"x",                      "; did you mean dcos-exhibitor.service?"                                  },
        {"q",                      ""                                                                        },
        {"",                       ""                                                                        },
        {"vil",                    "; did you mean e?vil?"                                                   },
};

START_TEST(suggests)
{
        static const char *const names[] = {
                "cron.service",   "dcos-exhibitor.service", "dcos-net.service",
                "dcos-net.timer", "dcos-network.service",   "dcos-net-watchdog.service",
                "e\033vil",
        };
        struct suggestion s = {.wanted = wishes[_i].wanted};
        _cleanup_(buf_done) struct buf out = {0};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                suggestion_offer(&s, names[i]);
        suggestion_append(&s, &out);
        ck_assert_str_eq(buf_cstr(&out), wishes[_i].want);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("table");
        TCase *tc = tcase_create("table");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, cleans_text, 0, ELEMENTSOF(dirty));
        tcase_add_loop_test(tc, cuts_text, 0, ELEMENTSOF(widths));
        tcase_add_loop_test(tc, says_age, 0, ELEMENTSOF(ages));
        tcase_add_loop_test(tc, writes_table, 0, ELEMENTSOF(tables));
        tcase_add_loop_test(tc, writes_lines_below_a_row, 0, ELEMENTSOF(belows));
        tcase_add_test(tc, writes_heading_of_empty_table);
        tcase_add_test(tc, keeps_error_of_buffer);
        tcase_add_test(tc, knows_a_pipe_from_a_terminal);
        tcase_add_loop_test(tc, suggests, 0, ELEMENTSOF(wishes));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
