/* It makes what was asked for, where it belongs, for whom it is, and nothing at all when something is wrong. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "cli/verb.h"
#include "tests/unit/test_main.h"

#define MAX_ARGUMENTS 16
#define OUTPUT_MAX    65536u
#define OUTPUT_FILE   ".output"

static char directory[40];
static char *
        foreign; /* an old certificate with escape sequences in its name, a NUL in it, and two roles */

static void set_up(void)
{
        (void)snprintf(directory, sizeof(directory), "/tmp/diag-test-cmd-cert.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(chdir(directory), 0);
        umask(022);
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *at)
{
        return remove(path);
}

static void tear_down(void)
{
        ck_assert_int_eq(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void run_child(const char *words)
{
        char copy[512], *argv[MAX_ARGUMENTS + 1] = {(char[]){"diag cert"}}, *rest;
        int n = 1, fd = open(OUTPUT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        (void)snprintf(copy, sizeof(copy), "%s", words);
        for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
                w[streq(w, "''") ? 0 : strlen(w)] = '\0';
                argv[n++] = w;
        }
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        n = cmd_cert(n, argv);
        (void)fflush(stdout);
        _exit(n);
}

/* Returns the exit status; @ret_output: free() */
static int run(const char *words, char **ret_output)
{
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                run_child(words);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(fs_read(OUTPUT_FILE, OUTPUT_MAX, ret_output, NULL, NULL), 0);
        ck_assert_ptr_null(strstr(*ret_output, "PRIVATE KEY"));
        return WEXITSTATUS(status);
}

static void must(const char *words, int want, const char *says)
{
        _cleanup_(freep) char *output = NULL;
        int status = run(words, &output);

        ck_assert_msg(status == want, "%s: %d, %s", words, status, output);
        ck_assert_msg(strstr(output, says) != NULL, "%s: %s", words, output);
}

static void must_have_mode(const char *path, mode_t mode)
{
        struct stat st;

        ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
        ck_assert_msg((st.st_mode & 07777) == mode, "%s has mode %04o", path, st.st_mode & 07777);
}

static void must_be_same(const char *a, const char *b)
{
        _cleanup_(freep) char *one = NULL, *two = NULL;

        ck_assert_int_eq(fs_read(a, OUTPUT_MAX, &one, NULL, NULL), 0);
        ck_assert_int_eq(fs_read(b, OUTPUT_MAX, &two, NULL, NULL), 0);
        ck_assert_str_eq(one, two);
}

static void put(const char *path, const char *text)
{
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

static bool key_is_for_group(void)
{
        return geteuid() == 0 && getgrnam("diag-tls");
}

/* --- wrong calls ---------------------------------------------------------------------------------- */

static const struct {
        const char *words, *says;
} wrong[] = {
        {"",                                              "say what to do: ca, node or show"               },
        {"make",                                          "\"make\" is neither ca, node nor show"          },
        {"ca x",                                          "what is \"x\"?"                                 },
        {"ca --role master",                              "--role is not for ca"                           },
        {"ca --json",                                     "--json is not for ca"                           },
        {"ca --force",                                    "--force is not for ca"                          },
        {"ca --days 0",                                   "--days \"0\" is not a number from 1 to 36500"   },
        {"ca --days 36501",                               "--days \"36501\" is not"                        },
        {"ca --days 1y",                                  "--days \"1y\" is not"                           },
        {"ca --cluster a/b",                              "\"a/b\" cannot be the name of a cluster"        },
        {"ca --cluster ''",                               "\"\" cannot be the name of a cluster"           },
        {"ca --directory ''",                             "--directory names nothing"                      },
        {"ca --nonsense",                                 "unrecognized option"                            },
        {"node",                                          "say which node and what it is: node NAME --role"},
        {"node m1",                                       "say which node"                                 },
        {"node --role master --address 10.0.0.1",         "say which node"                                 },
        {"node m1 --role master",                         "say where m1 can be reached: --address ADDRESS" },
        {"node m1 --role boss --address 10.0.0.1",        "\"boss\" is no role"                            },
        {"node m1 --role master --address m1",            "\"m1\" is not the address of a machine"         },
        {"node m1 --role master --address ''",            "\"\" is not the address"                        },
        {"node m1 --role master --address ::1 --dns *.a", "\"*.a\" is not a name in DNS"                   },
        {"node ../m1 --role master --address ::1",        "\"../m1\" cannot be the name of a node"         },
        {"node m1 m2 --role master --address ::1",        "what is \"m2\"?"                                },
        {"node m1 --list l",                              "what is \"m1\"?"                                },
        {"node --list l --role master",                   "--role, --address and --dns are in the file"    },
        {"show",                                          "say which files"                                },
        {"show --days 3 x",                               "--days is not for show"                         },
        {"show missing.pem",                              "cannot open missing.pem: No such file"          },
};

START_TEST(refuses_call)
{
        must(wrong[_i].words, EXIT_COULD_NOT, wrong[_i].says);
        ck_assert_int_eq(unlink(OUTPUT_FILE), 0);
        ck_assert_int_eq(rmdir(directory), 0); /* nothing was made */
        ck_assert_int_eq(mkdir(directory, 0700), 0);
}
END_TEST

START_TEST(helps)
{
        must("--help", 0, "diag cert node NAME --role ROLE");
}
END_TEST

/* --- an authority --------------------------------------------------------------------------------- */

START_TEST(makes_authority_once)
{
        must("ca --cluster prod", 0, "diag-ca/: the authority of cluster prod; until ");
        must_have_mode("diag-ca", 0700);
        must_have_mode("diag-ca/ca.pem", 0644);
        must_have_mode("diag-ca/ca.key", 0600);
        must("ca", 1, "diag-ca/ca.pem exists already, and an authority is never replaced");
        ck_assert_int_eq(unlink("diag-ca/ca.pem"), 0);
        must("ca", 1, "diag-ca/ca.key exists already");
        must("ca --directory other --days 10", 0, "cluster diag; until ");
        must("show other/ca.pem", 0, "(in 10 d)");
}
END_TEST

START_TEST(wants_directory_for_itself)
{
        ck_assert_int_eq(mkdir("open", 0755), 0);
        must("ca --directory open", 1, "open is open to others (mode 0755); chmod 700 it first");
        ck_assert_int_eq(rmdir("open"), 0);
        ck_assert_int_eq(mkdir("closed", 0700), 0);
        must("ca --directory closed", 0, "closed/: the authority");
        must("ca --directory no/such", 1, "cannot make no/such: No such file");
        put("file", "");
        must("ca --directory file", 1, "file is not a directory");
}
END_TEST

START_TEST(leaves_nothing_half_made)
{
        ck_assert_int_eq(mkdir("diag-ca", 0700), 0);
        ck_assert_int_eq(symlink("nowhere", "diag-ca/ca.pem"), 0);
        must("ca", 1, "diag-ca/ca.pem exists already");
        ck_assert_int_eq(access("diag-ca/ca.key", F_OK), -1);
}
END_TEST

/* --- nodes ---------------------------------------------------------------------------------------- */

START_TEST(makes_node)
{
        must("ca --cluster prod", 0, "");
        must("node m1 --role master --address 10.0.0.1 --dns m1.example", 0,
             "m1/: m1, master of cluster prod, 10.0.0.1, m1.example; until ");
        must_have_mode("m1", 0755);
        must_have_mode("m1/ca.pem", 0644);
        must_have_mode("m1/node.pem", 0644);
        must_have_mode("m1/node.key", key_is_for_group() ? 0640 : 0600);
        must_be_same("m1/ca.pem", "diag-ca/ca.pem");
        ck_assert_int_eq(access("m1/ca.key", F_OK), -1);
        must("show m1/node.pem", 0, "    addresses    10.0.0.1\n");
        must("show m1/node.pem", 0, "    role         master\n");
        must("show m1/node.pem", 0, "(in 82"); /* 825 d, or 824 and nearly all of the next */
        must("node m1 --role agent --address 10.0.0.1", 1,
             "m1/node.key exists already; --force replaces it");
        must("node m1 --role agent --address 10.0.0.1 --force --days 25", 0,
             "m1, agent of cluster");
        must("show m1/node.pem", 0, "(in 2");
}
END_TEST

START_TEST(takes_name_for_address)
{
        must("ca", 0, "");
        must("node 10.0.0.2 --role agent --output here", 0,
             "here/: 10.0.0.2, agent of cluster diag");
        must("show here/node.pem --json", 0, "\"names\":[],\"addresses\":[\"10.0.0.2\"]");
}
END_TEST

START_TEST(makes_many)
{
        must("ca", 0, "");
        put("list", "m1 master 10.0.0.1\na1 agent 10.0.1.1 a1.example # rack 7\n");
        must("node --list list --output all", 0, "all/a1/: a1, agent of cluster diag, 10.0.1.1");
        must("show all/m1/node.pem all/a1/node.pem", 0, "all/a1/node.pem is valid");
        must("node --list list", 0, "m1/: m1, master");
}
END_TEST

START_TEST(makes_all_or_nothing)
{
        must("ca", 0, "");
        put("list", "m1 master 10.0.0.1\nm2 master\n");
        must("node --list list", 2, "list:2: what is the address of m2?");
        put("list", "m1 master 10.0.0.1\nm2 master 10.0.0.2\n");
        ck_assert_int_eq(mkdir("m2", 0755), 0);
        put("m2/ca.pem", "theirs");
        must("node --list list", 1, "m2/ca.pem exists already");
        ck_assert_int_eq(access("m1", F_OK), -1);
        must("node --list missing", 1, "cannot open missing: No such file");
}
END_TEST

START_TEST(keeps_authority_apart)
{
        must("ca", 0, "");
        must("node m1 --role master --address ::1 --output diag-ca", 2,
             "diag-ca holds the authority, whose key is for no node");
        must("node m1 --role master --address ::1 --directory none", 1,
             "there is no none/ca.pem; diag cert ca makes an authority");
        must("node m1 --role master --address ::1 --cluster other", 2,
             "the authority in diag-ca is that of cluster diag, not other");
        must("node m1 --role master --address ::1 --cluster diag", 0, "m1/: m1, master");
        must("ca --directory two", 0, "");
        ck_assert_int_eq(rename("two/ca.key", "diag-ca/ca.key"), 0);
        must("node m2 --role master --address ::1", 1,
             "diag-ca/ca.key is not the key of the certificate in diag-ca/ca.pem");
        ck_assert_int_eq(access("m2", F_OK), -1);
}
END_TEST

/* --- show ----------------------------------------------------------------------------------------- */

START_TEST(shows)
{
        must("ca --cluster prod", 0, "");
        must("show diag-ca/ca.pem", 0,
             "diag-ca/ca.pem is valid\n    subject      CN=diag CA,O=prod\n");
        must("show diag-ca/ca.pem", 0, "    role         authority\n");
        must("show --json diag-ca/ca.pem", 0,
             "{\"certificates\":[{\"file\":\"diag-ca/ca.pem\",\"validity\":\"valid\","
             "\"subject\":\"CN=diag CA,O=prod\",\"issuer\":\"CN=diag CA,O=prod\",\"authority\":true,"
             "\"cluster\":\"prod\",\"role\":null,\"names\":[],\"addresses\":[],"
             "\"uris\":[\"diag://prod\"],\"not_before\":\"");
        must("show missing diag-ca/ca.pem", 2, "diag-ca/ca.pem is valid");
        must("show diag-ca/ca.key", 2, "diag-ca/ca.key holds no certificate in PEM");
}
END_TEST

START_TEST(shows_what_is_foreign)
{
        put("foreign.pem", foreign);
        must("show foreign.pem", 1,
             "foreign.pem has expired\n    subject      CN=red name of two lines\n");
        must("show foreign.pem", 1,
             "    names        good.example?.evil.example\n"
             "    addresses    2001:db8::1\n"
             "    URIs         diag://a/master, diag://a/agent\n"
             "    from         2000-01-01T00:00:00.000Z (");
        must("show foreign.pem --json", 1, "\"validity\":\"expired\"");
        must("show foreign.pem --json", 1, "\"cluster\":null,\"role\":null");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("cmd_cert");
        TCase *tc = tcase_create("cmd_cert");
        int status;

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        if (fs_read("tests/fixtures/foreign.pem", OUTPUT_MAX, &foreign, NULL, NULL) < 0)
                return EXIT_FAILURE;
        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_loop_test(tc, refuses_call, 0, ELEMENTSOF(wrong));
        tcase_add_test(tc, helps);
        tcase_add_test(tc, makes_authority_once);
        tcase_add_test(tc, wants_directory_for_itself);
        tcase_add_test(tc, leaves_nothing_half_made);
        tcase_add_test(tc, makes_node);
        tcase_add_test(tc, takes_name_for_address);
        tcase_add_test(tc, makes_many);
        tcase_add_test(tc, makes_all_or_nothing);
        tcase_add_test(tc, keeps_authority_apart);
        tcase_add_test(tc, shows);
        tcase_add_test(tc, shows_what_is_foreign);
        suite_add_tcase(s, tc);
        status = test_main(s);
        free(foreign);
        return status;
}
