/* It reads configuration and says where it is wrong. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/fs.h"
#include "tests/unit/test_main.h"

#define ERRORS_MAX 8

/* Everything that was set, in order, as "section/argument/key=value\n". */
struct seen {
        struct buf text;
        struct err errors[ERRORS_MAX];
        unsigned n_errors;
};

static int set_any(void *target, const struct conf_value *v, struct err *e)
{
        struct seen *seen = target;

        if (streq(v->value, "bad"))
                return err_set(e, -ERANGE, "bad is not good");
        if (streq(v->value, "mute"))
                return -EDOM;
        buf_printf(&seen->text, "%s/%s/%s=%s\n", v->section, v->argument, v->key, v->value);
        return 0;
}

static const struct conf_key keys[] = {
        {"Server", "Listen", false, set_any},
        {"Server", "Name",   false, set_any},
        {"Unit",   "Title",  true,  set_any},
        {NULL,     NULL,     false, NULL   },
};

static void on_error(const struct err *e, void *userdata)
{
        struct seen *seen = userdata;

        ck_assert_uint_lt(seen->n_errors, ERRORS_MAX);
        seen->errors[seen->n_errors++] = *e;
}

static void seen_done(struct seen *s)
{
        buf_done(&s->text);
}

static const struct {
        const char *text, *want;
} good[] = {
        {"",                                                     ""                                      },
        {"\n\n",                                                 ""                                      },
        {"[Server]\nListen=a\n",                                 "Server//Listen=a\n"                    },
        {"[Server]\nListen=a",                                   "Server//Listen=a\n"                    },
        {" [Server] \n \tListen = a b \n",                       "Server//Listen=a b\n"                  },
        {"[Server]\r\nListen=a\r\n",                             "Server//Listen=a\n"                    },
        {"\xef\xbb\xbf[Server]\nListen=a\n",                     "Server//Listen=a\n"                    },
        {"# c\n; c\n[Server]\n  # c = d\nListen=a#b;c\n",        "Server//Listen=a#b;c\n"                },
        {"[Server]\nListen=a\nListen=b\nListen=\n",
         "Server//Listen=a\nServer//Listen=b\nServer//Listen=\n"                                         },
        {"[Server]\nListen=a=b\n",                               "Server//Listen=a=b\n"                  },
        {"[Server]\nListen=a\\\n  b\\\n  c\nName=d\n",           "Server//Listen=a b c\nServer//Name=d\n"},
        {"[Server]\r\nListen=a\\\r\nb\r\n",                      "Server//Listen=a b\n"                  },
        {"[Server]\nListen=a\\\n# c\n; c\\\nb\n",                "Server//Listen=a b\n"                  },
        {"[Server]\nListen=a\\\\\nName=b\n",                     "Server//Listen=a\\\\\nServer//Name=b\n"},
        {"[Server]\nListen=a\\",                                 "Server//Listen=a\n"                    },
        {"[Server]\n# c\\\nListen=a\n",                          "Server//Listen=a\n"                    },
        {"[Unit foo.service]\nTitle=x\n",                        "Unit/foo.service/Title=x\n"            },
        {"[ Unit \t foo bar ]\nTitle=x\n",                       "Unit/foo bar/Title=x\n"                },
        {"[X-Ours]\nanything goes\n[Server]\nX-Key=1\nName=a\n", "Server//Name=a\n"                      },
        {"[Server]\nName=\xff\xfe\n",                            "Server//Name=\xff\xfe\n"               },
};

START_TEST(reads)
{
        _cleanup_(seen_done) struct seen seen = {0};

        ck_assert_int_eq(
                conf_parse(good[_i].text, strlen(good[_i].text), "f", keys, &seen, on_error, &seen),
                0);
        ck_assert_uint_eq(seen.n_errors, 0);
        ck_assert_str_eq(buf_cstr(&seen.text), good[_i].want);
}
END_TEST

static const struct {
        const char *text;
        int r;
        const char *errors[3];
        const char *want;
} bad[] = {
        {"Name=a\n",                                 -EINVAL, {"f:1: Name stands before any [SECTION]"},         ""},
        {"[Server]\nFoo=a\nName=b\n",
         -EINVAL,
         {"f:2: unknown key Foo in section [Server]"},
         "Server//Name=b\n"                                                                                        },
        {"[Server]\nname=a\n",                       -EINVAL, {"f:2: unknown key name in section [Server]"},     ""},
        {"[server]\nName=a\n[Server]\nName=b\n",
         -EINVAL,
         {"f:1: unknown section [server]"},
         "Server//Name=b\n"                                                                                        },
        {"[Server\nName=a\n",                        -EINVAL, {"f:1: a section's line ends with ]"},             ""},
        {"[Server] # c\n",                           -EINVAL, {"f:1: a section's line ends with ]"},             ""},
        {"[",                                        -EINVAL, {"f:1: a section's line ends with ]"},             ""},
        {"[]\n",                                     -EINVAL, {"f:1: unknown section []"},                       ""},
        {"[Server x]\n",                             -EINVAL, {"f:1: section [Server] takes no name"},           ""},
        {"[Unit]\n",                                 -EINVAL, {"f:1: section [Unit] needs a name: [Unit NAME]"}, ""},
        {"[Server]\nName\n",                         -EINVAL, {"f:2: neither [SECTION] nor KEY=VALUE"},          ""},
        {"[Server]\n=a\n",                           -EINVAL, {"f:2: neither [SECTION] nor KEY=VALUE"},          ""},
        {"[Server]\nName=bad\n",                     -ERANGE, {"f:2: Name: bad is not good"},                    ""},
        {"[Server]\nName=mute\n",                    -EDOM,   {"f:2: Name: Numerical argument out of domain"},   ""},
        {"[Server]\n\nName=ba\\\nd\\\n\nFoo=\n",
         -EINVAL,
         {"f:6: unknown key Foo in section [Server]"},
         "Server//Name=ba d\n"                                                                                     },
        {"[Server]\nFoo=\\\n\\\n1\n",                -EINVAL, {"f:2: unknown key Foo in section [Server]"},      ""},
        {"[Server]\nName=bad\nFoo=1\nListen=a\nx\n",
         -ERANGE,
         {"f:2: Name: bad is not good", "f:3: unknown key Foo in section [Server]",
          "f:5: neither [SECTION] nor KEY=VALUE"},
         "Server//Listen=a\n"                                                                                      },
};

START_TEST(names_the_line_and_goes_on)
{
        _cleanup_(seen_done) struct seen seen = {0};
        unsigned n = 0;

        ck_assert_int_eq(
                conf_parse(bad[_i].text, strlen(bad[_i].text), "f", keys, &seen, on_error, &seen),
                bad[_i].r);
        for (; n < ELEMENTSOF(bad[_i].errors) && bad[_i].errors[n]; n++)
                ck_assert_str_eq(seen.errors[n].text, bad[_i].errors[n]);
        ck_assert_uint_eq(seen.n_errors, n);
        ck_assert_str_eq(buf_cstr(&seen.text), bad[_i].want);
}
END_TEST

START_TEST(refuses_nul_before_it_sets_anything)
{
        static const char text[] = "[Server]\nName=a\nName=b\0c\n";
        _cleanup_(seen_done) struct seen seen = {0};

        ck_assert_int_eq(conf_parse(text, sizeof(text) - 1, "f", keys, &seen, on_error, &seen),
                         -EINVAL);
        ck_assert_uint_eq(seen.n_errors, 1);
        ck_assert_str_eq(seen.errors[0].text, "f:3: a NUL byte: this is not a text file");
        ck_assert_str_eq(buf_cstr(&seen.text), "");
}
END_TEST

/* The longest line, and with one byte more. */
START_TEST(limits_a_line)
{
        _cleanup_(seen_done) struct seen seen = {0};
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "[Server]\nName=");
        for (unsigned n = strlen("Name="); n < CONF_LINE_MAX_BYTES + (unsigned)_i; n++)
                buf_putc(&text, 'a');
        buf_puts(&text, "\nListen=x\n");
        ck_assert_int_eq(conf_parse(text.data, text.n, "f", keys, &seen, on_error, &seen),
                         _i ? -E2BIG : 0);
        if (_i)
                ck_assert_str_eq(seen.errors[0].text, "f:2: the line is longer than 16384 bytes");
        ck_assert_ptr_nonnull(strstr(buf_cstr(&seen.text), "Server//Listen=x\n"));
}
END_TEST

START_TEST(keeps_the_line_behind_a_long_name)
{
        _cleanup_(seen_done) struct seen seen = {0};
        char name[400];

        memset(name, 'n', sizeof(name));
        memcpy(name + sizeof(name) - 6, "/conf", 6);
        ck_assert_int_eq(conf_parse("x", 1, name, keys, &seen, on_error, &seen), -EINVAL);
        ck_assert_ptr_nonnull(strstr(seen.errors[0].text, "/conf:1: neither"));
        ck_assert_int_eq(conf_parse("x", 1, name, keys, &seen, NULL, NULL), -EINVAL);
}
END_TEST

/* A directory of its own for each test; tests run in processes of their own. */
static char dir[] = "/tmp/test_conf.XXXXXX";

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
        ck_assert_int_eq(mkdir("c.conf.d", 0700), 0);
}

static void remove_dir(void)
{
        char command[sizeof(dir) + 16];

        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *value)
{
        char text[64];

        (void)snprintf(text, sizeof(text), "[Server]\nName=%s\n", value);
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

START_TEST(reads_dropins_by_name)
{
        _cleanup_(seen_done) struct seen seen = {0};

        put("c.conf", "main");
        put("c.conf.d/20.conf", "20");
        put("c.conf.d/10.conf", "10");
        put("c.conf.d/Z.conf", "Z");
        put("c.conf.d/a.conf", "a");
        put("c.conf.d/.hidden.conf", "hidden");
        put("c.conf.d/x.conf~", "backup");
        put("c.conf.d/conf", "conf");
        put("elsewhere", "link");
        ck_assert_int_eq(symlink("../elsewhere", "c.conf.d/30.conf"), 0);
        ck_assert_int_eq(symlink("/dev/null", "c.conf.d/40.conf"), 0);
        ck_assert_int_eq(mkdir("c.conf.d/50.conf", 0700), 0);
        ck_assert_int_eq(mkfifo("c.conf.d/60.conf", 0600), 0);
        ck_assert_int_eq(conf_load("c.conf", true, keys, &seen, on_error, &seen), 0);
        ck_assert_uint_eq(seen.n_errors, 0);
        ck_assert_str_eq(buf_cstr(&seen.text), "Server//Name=main\nServer//Name=10\n"
                                               "Server//Name=20\nServer//Name=link\n"
                                               "Server//Name=Z\nServer//Name=a\n");
}
END_TEST

START_TEST(does_not_need_files)
{
        _cleanup_(seen_done) struct seen seen = {0};

        ck_assert_int_eq(conf_load("none", false, keys, &seen, on_error, &seen), 0);
        ck_assert_int_eq(conf_load("/dev/null", true, keys, &seen, on_error, &seen), 0);
        ck_assert_uint_eq(seen.n_errors, 0);
        put("c.conf.d/a.conf", "a");
        ck_assert_int_eq(conf_load("c.conf", false, keys, &seen, on_error, &seen), 0);
        ck_assert_str_eq(buf_cstr(&seen.text), "Server//Name=a\n");
        ck_assert_int_eq(conf_load("c.conf", true, keys, &seen, on_error, &seen), -ENOENT);
        ck_assert_str_eq(seen.errors[0].text, "cannot open c.conf: No such file or directory");
}
END_TEST

START_TEST(names_the_dropin_in_errors)
{
        _cleanup_(seen_done) struct seen seen = {0};

        put("c.conf.d/a.conf", "bad");
        ck_assert_int_eq(symlink("nowhere", "c.conf.d/b.conf"), 0);
        ck_assert_int_eq(conf_load("c.conf", false, keys, &seen, on_error, &seen), -ERANGE);
        ck_assert_uint_eq(seen.n_errors, 2);
        ck_assert_str_eq(seen.errors[0].text, "c.conf.d/a.conf:2: Name: bad is not good");
        ck_assert_str_eq(seen.errors[1].text,
                         "cannot open c.conf.d/b.conf: No such file or directory");
}
END_TEST

START_TEST(limits_dropins)
{
        _cleanup_(seen_done) struct seen seen = {0};
        char path[32];

        for (unsigned i = 0; i <= CONF_DROPINS_MAX; i++) {
                (void)snprintf(path, sizeof(path), "c.conf.d/%03u.conf", i);
                ck_assert_int_eq(symlink("/dev/null", path), 0);
        }
        ck_assert_int_eq(conf_load("c.conf", false, keys, &seen, on_error, &seen), -E2BIG);
        ck_assert_str_eq(seen.errors[0].text, "c.conf.d holds more than 256 files");
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(conf_load("c.conf", false, keys, &seen, on_error, &seen), 0);
}
END_TEST

START_TEST(limits_a_file)
{
        _cleanup_(seen_done) struct seen seen = {0};
        _cleanup_(buf_done) struct buf text = {0};

        while (text.n <= CONF_FILE_MAX_BYTES)
                buf_putc(&text, '\n');
        ck_assert_int_eq(fs_replace("c.conf", text.data, text.n, 0600, NULL), 0);
        ck_assert_int_eq(conf_load("c.conf", true, keys, &seen, on_error, &seen), -E2BIG);
        ck_assert_str_eq(seen.errors[0].text, "c.conf is larger than 1048576 bytes");
}
END_TEST

static const struct {
        const char *section, *key, *value;
        int r;
        const char *want; /* what was set, or what the error says */
} sets[] = {
        {"Server",           "Name",  " a ", 0,       "Server//Name=a\n"                        },
        {"Server",           "Name",  "",    0,       "Server//Name=\n"                         },
        {"Unit foo.service", "Title", "x",   0,       "Unit/foo.service/Title=x\n"              },
        {"Server",           "Name",  "bad", -ERANGE, "Name: bad is not good"                   },
        {"Server",           "Foo",   "a",   -EINVAL, "unknown key Foo in section [Server]"     },
        {"Foo",              "Name",  "a",   -EINVAL, "unknown section [Foo]"                   },
        {"Unit",             "Title", "a",   -EINVAL, "section [Unit] needs a name: [Unit NAME]"},
};

/* --- rows with a meaning of their own ------------------------------------------------------------ */

static int note(void *target, const struct conf_value *v, _unused_ struct err *e)
{
        struct seen *seen = target;

        buf_printf(&seen->text, "noted %s\n", v->key);
        return 0;
}

static const struct conf_key open_keys[] = {
        {"Probe", "*",        true,  set_any},
        {"Probe", "Interval", true,  note   },
        {"Log",   "Level",    false, set_any},
        {NULL,    NULL,       false, note   },
};

START_TEST(gives_keys_without_a_row_to_the_open_one)
{
        static const char text[] =
                "[Probe p]\nUrl=u\nInterval=5\n[Log]\nLevel=bad\nUrl=u\nLevel=info\n";
        _cleanup_(seen_done) struct seen seen = {0};

        ck_assert_int_eq(conf_parse(text, strlen(text), "f", open_keys, &seen, on_error, &seen),
                         -ERANGE);
        ck_assert_str_eq(buf_cstr(&seen.text), "Probe/p/Url=u\nnoted Url\n"
                                               "noted Interval\nnoted Interval\n"
                                               "Log//Level=info\nnoted Level\n");
        ck_assert_uint_eq(seen.n_errors, 2);
        ck_assert_str_eq(seen.errors[0].text, "f:5: Level: bad is not good");
        ck_assert_str_eq(seen.errors[1].text, "f:6: unknown key Url in section [Log]");
}
END_TEST

START_TEST(sets_one_value)
{
        _cleanup_(seen_done) struct seen seen = {0};
        struct err e = {0};

        ck_assert_int_eq(conf_set(keys, &seen, sets[_i].section, sets[_i].key, sets[_i].value, &e),
                         sets[_i].r);
        ck_assert_int_eq(e.code, sets[_i].r);
        ck_assert_str_eq(sets[_i].r < 0 ? e.text : buf_cstr(&seen.text), sets[_i].want);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("conf");
        TCase *text = tcase_create("text"), *files = tcase_create("files");

        tcase_add_loop_test(text, reads, 0, ELEMENTSOF(good));
        tcase_add_loop_test(text, names_the_line_and_goes_on, 0, ELEMENTSOF(bad));
        tcase_add_test(text, refuses_nul_before_it_sets_anything);
        tcase_add_loop_test(text, limits_a_line, 0, 2);
        tcase_add_test(text, keeps_the_line_behind_a_long_name);
        tcase_add_loop_test(text, sets_one_value, 0, ELEMENTSOF(sets));
        suite_add_tcase(s, text);

        tcase_add_checked_fixture(files, make_dir, remove_dir);
        tcase_add_test(files, reads_dropins_by_name);
        tcase_add_test(files, does_not_need_files);
        tcase_add_test(files, names_the_dropin_in_errors);
        tcase_add_test(files, limits_dropins);
        tcase_add_test(files, limits_a_file);
        tcase_add_test(files, gives_keys_without_a_row_to_the_open_one);
        suite_add_tcase(s, files);
        return test_main(s);
}
