/* It reads rules of the owner, refuses what is wrong with file and line, and masks what they say. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/redact_scan.h"
#include "tests/unit/test_main.h"

#define M REDACT_MASK

static char folder[64];

static void make_folder(void)
{
        (void)snprintf(folder, sizeof(folder), "/tmp/test-redact-rules-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
        ck_assert_int_eq(system(command), 0);
}

static void path_of(char path[static 128], const char *name)
{
        (void)snprintf(path, 128, "%s/%s", folder, name);
}

static void make_file(const char *name, const char *text, mode_t mode)
{
        struct err e = {0};
        char path[128];

        path_of(path, name);
        ck_assert_msg(fs_replace(path, text, strlen(text), mode, &e) == 0, "%s", e.text);
}

static void make_subfolder(const char *name, mode_t mode)
{
        char path[128];

        path_of(path, name);
        ck_assert_int_eq(mkdir(path, mode), 0);
        ck_assert_int_eq(chmod(path, mode), 0);
}

static int load(struct redact_rules **ret, bool root_owned, struct err *e)
{
        char usr[128], etc[128], missing[128];
        const char *const folders[] = {usr, missing, etc, NULL};

        path_of(usr, "usr");
        path_of(missing, "missing");
        path_of(etc, "etc");
        return redact_rules_load(ret, folders, root_owned, e);
}

static void must_become(const struct redact_rules *rules, const char *text, const char *want)
{
        static const enum redact_speed speeds[] = {REDACT_BEST, REDACT_NONE, REDACT_PORTABLE};

        for (size_t i = 0; i < 2 * ELEMENTSOF(speeds); i++) {
                const struct redactor_setup setup = {.rules = rules, .speed = speeds[i / 2]};
                _cleanup_(redactor_freep) struct redactor *r = NULL;
                _cleanup_(buf_done) struct buf out = {0};
                size_t n = strlen(text), first = i % 2 ? n / 2 : 0;

                ck_assert_int_eq(redactor_new_with(&r, &setup), 0);
                redactor_feed(r, text, first, &out);
                redactor_feed(r, text + first, n - first, &out);
                ck_assert((redactor_end(r, &out) > 0) == !streq(text, want));
                ck_assert_str_eq(buf_cstr(&out), want);
                buf_clear(&out);
                redactor_feed(r, want, strlen(want), &out);
                ck_assert_uint_eq(redactor_end(r, &out), 0);
                ck_assert_str_eq(buf_cstr(&out), want);
        }
}

static const struct {
        const char *rules, *in, *want;
} cases[] = {
        {"Key=x-pin",                          "x-pin: 1234\nX-Pin=5 pin=6\n",                                      "x-pin: " M "\nX-Pin=" M " pin=6\n"   },
        {"Key=*_dsn",                          "{\"app_dsn\": \"a b\", \"dsn\": 1}",                                "{\"app_dsn\": \"" M "\", \"dsn\": 1}"},
        {"Key=my*setting*",                    "mysettings=a my.x.setting=b my=c",
         "mysettings=" M " my.x.setting=" M " my=c"                                                                                                       },
        {"Key=averyverylongname",              "averyverylongname=1 averyverylongnam=1",
         "averyverylongname=" M " averyverylongnam=1"                                                                                                     },
        {"Key=pw",                             "pw=a pwx=b",                                                        "pw=" M " pwx=b"                      },
        {"Key=pin\nKey=\nKey=pix",             "pin=a pix=b",                                                       "pin=a pix=" M                        },
        {"Key=redacted",                       "redacted: x [redacted:12345678]",                                   "redacted: " M " [redacted:12345678]" },
        {"Pattern=customer ([0-9]+)",          "customer 12 customer x\ncustomer 7",
         "customer " M " customer x\ncustomer " M                                                                                                         },
        {"Pattern=[0-9]{4,}",                  "a 12345 b 123\n9999",                                               "a " M " b 123\n" M                   },
        {"Pattern=[0-9]{4,}",                  "[redacted:12345678] 12345",                                         "[redacted:12345678] " M              },
        {"Pattern=^a+",                        "aab aa\naac\n",                                                     M "b aa\n" M "c\n"                    },
        {"Pattern=b+$",                        "bb abb\r\nbb\n",                                                    "bb a" M "\r\n" M "\n"                },
        {"Pattern=(?i)secret (?:of (\\w+)|x)", "SECRET of bob, secret x",                                           "SECRET of " M ", " M                 },
        {"Pattern=x*",                         "abc xx",                                                            "abc " M                              },
        {"Pattern=(?=b)",                      "abc",                                                               "abc"                                 },
        {"Pattern=s[^a]t",                     "s\nt s t",                                                          "s\nt " M                             },
        {"Pattern=one\nPattern=two",           "two one two\n",                                                     M " " M " " M "\n"                    },
        {"Pattern=one\nPattern=\nPattern=two", "one two",                                                           "one " M                              },
        {"Pattern=bob\nKey=x-pin",             "x-pin=bob1 password=bob bob",                                       "x-pin=" M " password=" M " " M       },
        {"Pattern=^(a|aa)+$",                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\nb\n",
         M "\nb\n"                                                                                                                                        },
};

START_TEST(masks)
{
        _cleanup_(redact_rules_freep) struct redact_rules *rules = NULL;
        _cleanup_(buf_done) struct buf text = {0};
        struct err e = {0};

        buf_printf(&text, "[Redact]\n%s\n", cases[_i].rules);
        ck_assert_msg(redact_rules_from_text(&rules, text.data, text.n, "x", &e) == 0, "%s",
                      e.text);
        must_become(rules, cases[_i].in, cases[_i].want);
}
END_TEST

static const struct {
        const char *text, *want;
} faults[] = {
        {"[Redact]\nPattern=(a",                                                            "f.conf:2: Pattern: missing closing parenthesis, at byte 3"},
        {"[Redact]\n\nKey=a b",
         "f.conf:3: Key: a name has letters, digits, '_', '-', '.', and '*' for any of them"                                                           },
        {"[Redact]\nKey=*",                                                                 "f.conf:2: Key: '*' would be nearly every name"            },
        {"[Redact]\nKey=*a*",                                                               "f.conf:2: Key: '*a*' would be nearly every name"          },
        {"[Redact]\nWord=a",                                                                "f.conf:2: unknown key Word in section [Redact]"           },
        {"[Mask]\nKey=a",                                                                   "f.conf:1: unknown section [Mask]"                         },
        {"Key=a",                                                                           "f.conf:1: Key stands before any [SECTION]"                },
        {"[Redact]\nPattern=(*UTF)a",
         "f.conf:2: Pattern: using UTF is disabled by the application, at byte 7"                                                                      },
        {"[Redact]\nKey=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "f.conf:2: Key: a name has at most 64 bytes"                                                                                                  },
};

START_TEST(says_what_is_wrong_and_where)
{
        struct redact_rules *rules = NULL;
        struct err e = {0};

        ck_assert_int_eq(redact_rules_from_text(&rules, faults[_i].text, strlen(faults[_i].text),
                                                "f.conf", &e),
                         -EINVAL);
        ck_assert_str_eq(e.text, faults[_i].want);
        ck_assert_ptr_null(rules);
}
END_TEST

START_TEST(has_a_limit)
{
        static const char *const lines[] = {"Key=name%u\n", "Pattern=p%ux\n"};
        _cleanup_(buf_done) struct buf text = {0};
        struct redact_rules *rules = NULL;
        struct err e = {0};

        buf_puts(&text, "[Redact]\n");
        for (unsigned i = 0; i <= REDACT_RULES_MAX; i++)
                if (_i == 0)
                        buf_printf(&text, "Key=name%u\n", i);
                else
                        buf_printf(&text, "Pattern=p%ux\n", i);
        ck_assert_int_eq(redact_rules_from_text(&rules, text.data, text.n, "f.conf", &e), -EINVAL);
        ck_assert_str_eq(e.text, _i == 0 ? "f.conf:258: Key: more than 256 keys"
                                         : "f.conf:258: Pattern: more than 256 patterns");
        text.n = (size_t)(strrchr(text.data, lines[_i][0]) - text.data);
        ck_assert_int_eq(redact_rules_from_text(&rules, text.data, text.n, "f.conf", &e), 0);
        must_become(rules, "x name255=a p255x",
                    _i == 0 ? "x name255=" M " p255x" : "x name255=a " M);
        rules = redact_rules_free(rules);
}
END_TEST

START_TEST(reads_directories)
{
        _cleanup_(redact_rules_freep) struct redact_rules *rules = NULL;
        struct err e = {0};
        char path[128];

        ck_assert_int_eq(load(&rules, false, &e), 0);
        must_become(rules, "aaa=1 bbb=1 password=1", "aaa=1 bbb=1 password=" M);
        rules = redact_rules_free(rules);

        make_subfolder("usr", 0755);
        make_subfolder("etc", 0755);
        make_file("usr/10-a.conf", "[Redact]\nKey=aaa\n", 0644);
        make_file("usr/20-b.conf", "[Redact]\nKey=bbb\n", 0644);
        make_file("usr/30-c.conf", "[Redact]\nKey=ccc\n", 0644);
        make_file("etc/20-b.conf", "[Redact]\nKey=ddd\n", 0644);
        make_file("etc/readme", "no rule", 0644);
        make_file("etc/.hidden.conf", "no rule", 0644);
        path_of(path, "etc/30-c.conf");
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        ck_assert_msg(load(&rules, false, &e) == 0, "%s", e.text);
        must_become(rules, "aaa=1 bbb=1 ccc=1 ddd=1", "aaa=" M " bbb=1 ccc=1 ddd=" M);
}
END_TEST

START_TEST(names_the_file_and_line)
{
        struct redact_rules *rules = NULL;
        struct err e = {0};
        char want[256];

        make_subfolder("etc", 0755);
        make_file("etc/a.conf", "[Redact]\nKey=aaa\n\nPattern=[\n", 0644);
        ck_assert_int_eq(load(&rules, false, &e), -EINVAL);
        (void)snprintf(want, sizeof(want), "%s/etc/a.conf:4: Pattern: missing terminating ]",
                       folder);
        ck_assert_msg(strncmp(e.text, want, strlen(want)) == 0, "%s", e.text);
}
END_TEST

/* What is checked is the same for whoever runs the test; only root can go on to be accepted. */
static const struct {
        mode_t folder, file;
        uid_t owner;
        const char *why; /* NULL: accepted */
} owners[] = {
        {0755, 0644, 0, NULL                            },
        {0775, 0664, 0, NULL                            }, /* root's group is root */
        {0755, 0646, 0, "may be written by others"      },
        {0757, 0644, 0, "may be written by others"      },
        {0755, 0644, 1, "belongs to user 1, not to root"},
};

START_TEST(reads_only_what_root_wrote)
{
        struct redact_rules *rules = NULL;
        struct err e = {0};
        char path[128];
        int k;

        make_subfolder("etc", owners[_i].folder);
        make_file("etc/a.conf", "[Redact]\nKey=aaa\n", owners[_i].file);
        path_of(path, "etc/a.conf");
        if (geteuid() == 0)
                ck_assert_int_eq(chown(path, owners[_i].owner, 0), 0);
        k = load(&rules, true, &e);
        if (geteuid() != 0) {
                ck_assert_int_eq(k, -EPERM);
                ck_assert_ptr_nonnull(strstr(e.text, "not to root"));
        } else if (owners[_i].why) {
                ck_assert_int_eq(k, -EPERM);
                ck_assert_msg(strstr(e.text, owners[_i].why) && strstr(e.text, folder), "%s",
                              e.text);
        } else {
                ck_assert_msg(k == 0, "%s", e.text);
        }
        rules = redact_rules_free(rules);
        ck_assert_int_eq(load(&rules, false, &e), 0);
        rules = redact_rules_free(rules);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("redact_rules");
        TCase *tc = tcase_create("text"), *files = tcase_create("files");

        tcase_add_loop_test(tc, masks, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, says_what_is_wrong_and_where, 0, ELEMENTSOF(faults));
        tcase_add_loop_test(tc, has_a_limit, 0, 2);
        suite_add_tcase(s, tc);
        tcase_add_checked_fixture(files, make_folder, remove_folder);
        tcase_add_test(files, reads_directories);
        tcase_add_test(files, names_the_file_and_line);
        tcase_add_loop_test(files, reads_only_what_root_wrote, 0, ELEMENTSOF(owners));
        suite_add_tcase(s, files);
        return test_main(s);
}
