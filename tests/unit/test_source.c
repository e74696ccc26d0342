/* Real processes and real files, below a directory that stands for / to files. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/mono.h"
#include "bundles/source.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define LIMIT  1000u
#define SECOND USEC_PER_SEC

static char root[] = "/tmp/test-source-XXXXXX";
static struct buf got;
static struct source_outcome outcome;
static struct source_context context;

static void path_of(char ret[static PATH_MAX], const char *path)
{
        (void)snprintf(ret, PATH_MAX, "%s%s", root, path);
}

static void put(const char *path, const char *text, size_t n)
{
        char full[PATH_MAX];
        int fd;

        path_of(full, path);
        fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, n), n);
        close(fd);
}

static void make_links(void)
{
        static const struct {
                const char *to, *path;
        } links[] = {
                {"small",    "/link"     },
                {"/d/a.log", "/absolute" },
                {"loop",     "/loop"     },
                {"d",        "/directory"},
                {"small",    "/foreign"  },
                {"theirs",   "/theirlink"},
                {"fifo",     "/fifolink" },
        };
        char full[PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                path_of(full, links[i].path);
                ck_assert_int_eq(symlink(links[i].to, full), 0);
        }
        if (geteuid() != 0)
                return;
        put("/theirs", "theirs", 6);
        path_of(full, "/theirs");
        ck_assert_int_eq(chown(full, 4711, 4711), 0);
        path_of(full, "/theirlink");
        ck_assert_int_eq(lchown(full, 4711, 4711), 0);
        path_of(full, "/foreign");
        ck_assert_int_eq(lchown(full, 4711, 4711), 0);
}

static void make_files(void)
{
        char full[PATH_MAX], lines[2 * LIMIT + 1];
        int fd;

        path_of(full, "/d");
        ck_assert_int_eq(mkdir(full, 0700), 0);
        put("/small", "hello\n", 6);
        put("/empty", "", 0);
        put("/binary", "\0\1\2\xff", 4);
        put("/d/a.log", "a\n", 2);
        put("/d/b.log", "bb\n", 3);
        put("/d/odd\x1b\xff.log", "c\n", 2);
        for (size_t i = 0; i < 2 * LIMIT; i++)
                lines[i] = i % 10 == 9 ? '\n' : (char)('0' + i / 10 % 10);
        put("/large", lines, 2 * LIMIT);
        memset(lines, 'x', 2 * LIMIT);
        put("/oneline", lines, 2 * LIMIT);
        path_of(full, "/sparse");
        fd = open(full, O_WRONLY | O_CREAT, 0600);
        ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
        close(fd);
        path_of(full, "/fifo");
        ck_assert_int_eq(mkfifo(full, 0600), 0);
        path_of(full, "/d/c.log");
        ck_assert_int_eq(mkfifo(full, 0600), 0);
        make_links();
}

static void setup(void)
{
        ck_assert_ptr_nonnull(mkdtemp(root));
        ck_assert_int_eq(chmod(root, 0755), 0);
        make_files();
        context = (struct source_context){
                .cancel_fd = -1,
                .root = root,
                .plain_user = "nobody",
                .http_user = "nobody",
                .agent_socket = "/nonexistent/socket",
        };
        got = (struct buf){.max = 8u << 20};
}

static void teardown(void)
{
        char command[64];

        (void)snprintf(command, sizeof(command), "rm -rf %s", root);
        ck_assert_int_eq(system(command), 0);
        buf_done(&got);
        (void)snprintf(root, sizeof(root), "/tmp/test-source-XXXXXX");
}

static int take(const void *data, size_t n, _unused_ void *userdata)
{
        buf_append(&got, data, n);
        return got.error;
}

static void read_source(const struct source *s, const char *path)
{
        struct source copy = *s;

        if (!copy.timeout_usec)
                copy.timeout_usec = 20 * SECOND;
        if (!copy.max_bytes)
                copy.max_bytes = LIMIT;
        buf_clear(&got);
        ck_assert_int_eq(source_read(&copy, path, &context, take, NULL, &outcome), 0);
}

/* --- files --------------------------------------------------------------------------------------------- */

static const struct {
        const char *path, *text, *output;
        size_t n; /* of output, where that says nothing */
        bool truncated, needs_root;
} files[] = {
        {"/small",           "",                                                                  "hello\n",      6,          false, false},
        {"/empty",           "",                                                                  "",             0,          false, false},
        {"/binary",          "",                                                                  "\0\1\2\xff",   4,          false, false},
        {"/link",            "",                                                                  "hello\n",      6,          false, false},
        {"/absolute",        "",                                                                  "a\n",          2,          false, false},
        {"/directory/a.log", "",                                                                  "a\n",          2,          false, false},
        {"//d/.//a.log",     "",                                                                  "a\n",          2,          false, false},
        {"/large",           "",                                                                  "111111111\n2", LIMIT - 10, true,  false},
        {"/oneline",         "",                                                                  "xxx",          LIMIT,      true,  false},
        {"/sparse",          "",                                                                  "\0\0\0",       LIMIT,      true,  false},
        {"/nope",            "open /nope: no such file or directory",                             "",             0,          false, false},
        {"/small/x",         "open /small/x: not a directory",                                    "",             0,          false, false},
        {"/d",               "open /d: is a directory",                                           "",             0,          false, false},
        {"/fifo",            "open /fifo: not a regular file",                                    "",             0,          false, false},
        {"/fifolink",        "open /fifolink: not a regular file",                                "",             0,          false, false},
        {"/loop",            "open /loop: too many levels of symbolic links",                     "",             0,          false, false},
        {"/theirlink",       "",                                                                  "theirs",       6,          false, true },
        {"/foreign",         "open /foreign: a link of somebody's leads to somebody else's file", "",             0,
         false,                                                                                                                      true },
};

START_TEST(reads_file)
{
        const struct source s = {.way = SOURCE_WAY_FILE};
        const char *path = files[_i].path;

        if (files[_i].needs_root && geteuid() != 0)
                return;
        read_source(&s, path);
        ck_assert_msg(streq(outcome.text, files[_i].text), "%s: %s", path, outcome.text);
        ck_assert_int_eq(outcome.error != 0, *files[_i].text != 0);
        ck_assert_msg(got.n == files[_i].n, "%s: %zu bytes", path, got.n);
        ck_assert_msg(got.n < 3 || memcmp(got.data, files[_i].output, 3) == 0, "%s", path);
        ck_assert_int_eq(outcome.truncated, files[_i].truncated);
}
END_TEST

START_TEST(reads_what_has_no_size)
{
        const struct source s = {.way = SOURCE_WAY_FILE, .max_bytes = 1u << 20};

        context.root = "";
        read_source(&s, "/proc/self/status");
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&got), "NoNewPrivs:\t1"));
        if (geteuid() != 0)
                return;
        /* Who reads is nobody, and may read everything, and nothing else. */
        ck_assert_ptr_null(strstr(buf_cstr(&got), "Uid:\t0"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&got), "CapEff:\t0000000000000004"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&got), "CapPrm:\t0000000000000004"));
}
END_TEST

START_TEST(cuts_what_has_no_size)
{
        const struct source s = {.way = SOURCE_WAY_FILE, .max_bytes = 10};

        context.root = "";
        read_source(&s, "/proc/self/status");
        ck_assert_uint_eq(got.n, 10);
        ck_assert(outcome.truncated);
        ck_assert_int_eq(outcome.error, 0);
}
END_TEST

/* --- entries ------------------------------------------------------------------------------------------- */

static char entries[4096];

static int note(const char *path, const char *name, uint64_t size, _unused_ uint64_t mtime_usec,
                _unused_ void *userdata)
{
        size_t n = strlen(entries);

        (void)snprintf(entries + n, sizeof(entries) - n, "%s %s %ju\n", path, name,
                       (uintmax_t)size);
        return 0;
}

static const struct {
        const char *pattern, *name, *entries;
} globs[] = {
        {"/d/[ab].log", NULL,    "/d/a.log d/a.log 2\n/d/b.log d/b.log 3\n"          },
        {"/d/*",        NULL,
         "/d/a.log d/a.log 2\n/d/b.log d/b.log 3\n/d/odd\x1b\xff.log d/odd__.log 2\n"},
        {"/nope*",      NULL,    ""                                                  },
        {"/f*o",        NULL,    ""                                                  },
        {"/s[m]all",    NULL,    "/small small 6\n"                                  },
        {"/small",      "small", "/small small 6\n"                                  },
        {"/nope",       "nope",  "/nope nope 0\n"                                    },
};

START_TEST(expands_glob)
{
        const struct source s = {
                .way = SOURCE_WAY_FILE,
                .path = (char *)globs[_i].pattern,
                .name = (char *)globs[_i].name,
                .timeout_usec = 20 * SECOND,
        };

        entries[0] = '\0';
        ck_assert_int_eq(source_expand(&s, &context, note, NULL, &outcome), 0);
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_str_eq(entries, globs[_i].entries);
}
END_TEST

/* --- commands ------------------------------------------------------------------------------------------ */

#define SH(...)                               \
        {                                     \
                "sh", "-c", __VA_ARGS__, NULL \
        }

static const struct {
        const char *argv[5], *output, *text;
        bool truncated;
} commands[] = {
        {SH("echo out; echo err >&2; echo out"), "out\nerr\nout\n", "",                                                            false},
        {SH("echo before; exit 3"),              "before\n",        "exit status 3",                                               false},
        {SH("kill -KILL $$"),                    "",                "signal: killed",                                              false},
        {SH("kill -SEGV $$"),                    "",                "signal: segmentation fault",                                  false},
        {SH("cat; echo $LC_ALL $HOME; pwd"),     "C /\n/\n",        "",                                                            false},
        {SH("echo ${NOTIFY_SOCKET-no}"),         "no\n",            "",                                                            false},
        {SH("sleep 1000 & echo parent"),         "parent\n",        "",                                                            false},
        {SH("exec >&- 2>&-; exit 4"),            "",                "exit status 4",                                               false},
        {{"nosuchcommand", NULL},
         "",                                                        "exec: \"nosuchcommand\": executable file not found in $PATH",
         false                                                                                                                          },
        {{"/no/such", NULL},                     "",                "fork/exec /no/such: no such file or directory",               false},
        {{"/etc", NULL},                         "",                "fork/exec /etc: permission denied",                           false},
};

START_TEST(runs_command)
{
        const struct source s = {.way = SOURCE_WAY_COMMAND, .argv = (char **)commands[_i].argv};

        setenv("NOTIFY_SOCKET", "/secret", 1);
        read_source(&s, NULL);
        ck_assert_str_eq(outcome.text, commands[_i].text);
        ck_assert_str_eq(buf_cstr(&got), commands[_i].output);
        ck_assert_int_eq(outcome.error != 0, *commands[_i].text != 0);
        ck_assert(!outcome.truncated && !outcome.interrupted);
}
END_TEST

START_TEST(runs_as_nobody)
{
        static const char *const argv[] = SH("id -un; id -Gn");
        struct source s = {.way = SOURCE_WAY_COMMAND, .argv = (char **)argv};

        if (geteuid() != 0)
                return;
        read_source(&s, NULL);
        ck_assert_str_eq(buf_cstr(&got), "nobody\nnogroup\n");
        s.user = (char *)"root";
        read_source(&s, NULL);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&got), "root\n"));
        s.user = (char *)"no-such-user";
        read_source(&s, NULL);
        ck_assert_str_eq(outcome.text, "user no-such-user: no such user");
        ck_assert_uint_eq(got.n, 0);
}
END_TEST

START_TEST(ends_a_flood)
{
        static const char *const argv[] = SH("echo first; yes");
        const struct source s = {.way = SOURCE_WAY_COMMAND, .argv = (char **)argv};

        read_source(&s, NULL);
        ck_assert_uint_eq(got.n, LIMIT);
        ck_assert_int_eq(memcmp(got.data, "first\n", 6), 0);
        ck_assert(outcome.truncated);
        ck_assert_int_eq(outcome.error, 0);
}
END_TEST

static bool is_running(pid_t pid)
{
        char path[64], line[256] = "", *state;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f)
                return false;
        state = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
        (void)fclose(f);
        return state && state[2] != 'Z' && state[2] != 'X';
}

static void assert_group_gone(void)
{
        pid_t pid = atoi(buf_cstr(&got));

        ck_assert_int_gt(pid, 1);
        for (int i = 0; i < 500 && is_running(pid); i++)
                (void)usleep(10000); /* somebody else buries it */
        ck_assert(!is_running(pid));
}

START_TEST(kills_the_group_at_the_deadline)
{
        static const char *const argv[] = SH("sleep 1000 & echo $!; wait");
        const struct source s = {
                .way = SOURCE_WAY_COMMAND,
                .argv = (char **)argv,
                .timeout_usec = SECOND / 5,
        };

        read_source(&s, NULL);
        ck_assert_int_eq(outcome.error, -ETIMEDOUT);
        ck_assert_str_eq(outcome.text, "did not end within 0.2 s, it was killed");
        ck_assert(outcome.truncated && !outcome.interrupted);
        assert_group_gone();
}
END_TEST

START_TEST(ends_with_the_whole_collection)
{
        static const char *const argv[] = SH("sleep 1000 & echo $!; wait");
        const struct source s = {.way = SOURCE_WAY_COMMAND, .argv = (char **)argv};

        context.deadline_mono_usec = now_mono_usec() + SECOND / 5;
        read_source(&s, NULL);
        ck_assert_int_eq(outcome.error, -ETIMEDOUT);
        ck_assert(outcome.interrupted);
        assert_group_gone();
}
END_TEST

static int fds[2];

static int take_and_cancel(const void *data, size_t n, void *userdata)
{
        closep(&fds[1]);
        fds[1] = -1;
        return take(data, n, userdata);
}

START_TEST(ends_when_nobody_wants_it)
{
        static const char *const argv[] = SH("sleep 1000 & echo $!; wait");
        const struct source s = {
                .way = SOURCE_WAY_COMMAND,
                .argv = (char **)argv,
                .timeout_usec = 20 * SECOND,
                .max_bytes = LIMIT,
        };

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        context.cancel_fd = fds[0];
        ck_assert_int_eq(source_read(&s, NULL, &context, take_and_cancel, NULL, &outcome), 0);
        ck_assert_int_eq(outcome.error, -ECANCELED);
        ck_assert(outcome.interrupted);
        assert_group_gone();
        close(fds[0]);
}
END_TEST

START_TEST(kills_who_left_the_group)
{
        static const char *const argv[] = SH(
                "setsid sh -c 'setsid sh -c \"trap : TERM; echo \\$\\$; sleep 1000; :\" & sleep 1000' &"
                " sleep 1000");
        const struct source s = {
                .way = SOURCE_WAY_COMMAND,
                .argv = (char **)argv,
                .timeout_usec = 20 * SECOND,
                .max_bytes = LIMIT,
        };

        ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        context.cancel_fd = fds[0];
        ck_assert_int_eq(source_read(&s, NULL, &context, take_and_cancel, NULL, &outcome), 0);
        ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
        ck_assert(!is_running(atoi(buf_cstr(&got))));
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nobody's corpse */
        close(fds[0]);
}
END_TEST

static int refuse(const void *data, size_t n, void *userdata)
{
        (void)take(data, n, userdata);
        return -ENOSPC;
}

START_TEST(ends_when_the_sink_fails)
{
        static const char *const argv[] = SH("sleep 1000 & echo $!; wait");
        const struct source s = {
                .way = SOURCE_WAY_COMMAND,
                .argv = (char **)argv,
                .timeout_usec = 20 * SECOND,
                .max_bytes = LIMIT,
        };

        ck_assert_int_eq(source_read(&s, NULL, &context, refuse, NULL, &outcome), -ENOSPC);
        assert_group_gone();
}
END_TEST

/*
 * A process, not a thread: sources fork, and what is forked from beside a thread may find a lock that nobody is
 * left to give back. The collector has no threads.
 */
static pid_t serve(struct scripted_server *server)
{
        pid_t pid;

        scripted_server_on_loopback(server);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                scripted_server_start(server);
                scripted_server_join(server);
                _exit(0);
        }
        return pid;
}

static void stop(struct scripted_server *server, pid_t pid)
{
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        close(server->listen_fd);
}

/* --- HTTP ---------------------------------------------------------------------------------------------- */

static const struct {
        const char *reply, *output, *text;
        bool truncated;
} pages[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",                    "hi",         "",                    false},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno",                  "no",         "status 503",          false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789", "0123456789", "",
         true                                                                                                           },
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",                    "hi",         "hung up",             false},
        {"no HTTP\r\n\r\n",                                                   "",           "does not speak HTTP", false},
};

START_TEST(asks_over_http)
{
        const struct scripted_reply reply = {pages[_i].reply};
        struct scripted_server server = {.replies = &reply, .n_replies = 1};
        struct source s = {.way = SOURCE_WAY_HTTP, .path = (char *)"/x?y", .max_bytes = 10};
        pid_t pid;

        pid = serve(&server);
        s.port = (uint16_t)atoi(strrchr(server.url, ':') + 1);
        read_source(&s, NULL);
        stop(&server, pid);
        ck_assert_str_eq(buf_cstr(&got), pages[_i].output);
        ck_assert_msg(strstr(outcome.text, pages[_i].text) != NULL, "%s", outcome.text);
        ck_assert_int_eq(outcome.error != 0, *pages[_i].text != 0);
        ck_assert_int_eq(outcome.truncated, pages[_i].truncated);
}
END_TEST

START_TEST(follows_a_redirect)
{
        const struct scripted_reply replies[] = {
                {"HTTP/1.1 307 Elsewhere\r\nLocation: /y\r\nContent-Length: 4\r\nConnection: close\r\n\r\nback"},
                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
        };
        struct scripted_server server = {.replies = replies, .n_replies = 2};
        struct source s = {.way = SOURCE_WAY_HTTP, .path = (char *)"/x"};
        pid_t pid;

        pid = serve(&server);
        s.port = (uint16_t)atoi(strrchr(server.url, ':') + 1);
        read_source(&s, NULL);
        stop(&server, pid);
        ck_assert_str_eq(outcome.text, "");
        ck_assert_str_eq(buf_cstr(&got), "hi");
}
END_TEST

static const char *const elsewhere[] = {"https://127.0.0.1:1/", "file:///etc/passwd",
                                        "http://127.0.0.1:1/"};

START_TEST(follows_no_other)
{
        char text[160];
        const struct scripted_reply reply = {text};
        struct scripted_server server = {.replies = &reply, .n_replies = 1};
        struct source s = {.way = SOURCE_WAY_HTTP, .path = (char *)"/x"};
        pid_t pid;

        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 302 Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                       elsewhere[_i]);
        pid = serve(&server);
        s.port = (uint16_t)atoi(strrchr(server.url, ':') + 1);
        read_source(&s, NULL);
        stop(&server, pid);
        ck_assert_int_ne(outcome.error, 0);
        ck_assert_uint_eq(got.n, 0);
}
END_TEST

/* --- health -------------------------------------------------------------------------------------------- */

START_TEST(looks_itself_when_the_daemon_is_silent)
{
        const struct source s = {.way = SOURCE_WAY_HEALTH, .id = (char *)"health.json"};
        char program[PATH_MAX];
        static const char script[] = "#!/bin/sh\necho \"looked $1\"\n";

        put("/agentd", script, sizeof(script) - 1);
        path_of(program, "/agentd");
        ck_assert_int_eq(chmod(program, 0755), 0);
        context.agent_program = program;
        read_source(&s, NULL);
        ck_assert_str_eq(buf_cstr(&got), "looked --once\n");
        ck_assert_int_eq(outcome.error, 0);
}
END_TEST

START_TEST(says_why_there_is_no_health)
{
        const struct source s = {.way = SOURCE_WAY_HEALTH, .id = (char *)"health.json"};

        context.agent_program = "/nonexistent/agentd";
        read_source(&s, NULL);
        ck_assert_int_ne(outcome.error, 0);
        ck_assert_ptr_nonnull(strstr(outcome.text, "nobody answers at the node daemon"));
        ck_assert_ptr_nonnull(strstr(outcome.text, "/nonexistent/agentd --once: exit status 127"));
}
END_TEST

/* --- words --------------------------------------------------------------------------------------------- */

START_TEST(names_kinds_both_ways)
{
        enum source_kind k;

        for (unsigned i = 0; i < SOURCE_N_KINDS; i++) {
                ck_assert_int_eq(
                        source_kind_from_string(&k, source_kind_to_string((enum source_kind)i)), 0);
                ck_assert_uint_eq(k, i);
        }
        ck_assert_int_eq(source_kind_from_string(&k, "files"), -EINVAL);
}
END_TEST

START_TEST(is_for_some_roles)
{
        const struct source all = {0}, masters = {.roles = 1u << DIAG_ROLE_MASTER};

        ck_assert(source_has_role(&all, DIAG_ROLE_AGENT));
        ck_assert(source_has_role(&masters, DIAG_ROLE_MASTER));
        ck_assert(!source_has_role(&masters, DIAG_ROLE_AGENT));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("source");
        TCase *tc = tcase_create("source");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, reads_file, 0, ELEMENTSOF(files));
        tcase_add_test(tc, reads_what_has_no_size);
        tcase_add_test(tc, cuts_what_has_no_size);
        tcase_add_loop_test(tc, expands_glob, 0, ELEMENTSOF(globs));
        tcase_add_loop_test(tc, runs_command, 0, ELEMENTSOF(commands));
        tcase_add_test(tc, runs_as_nobody);
        tcase_add_test(tc, ends_a_flood);
        tcase_add_test(tc, kills_the_group_at_the_deadline);
        tcase_add_test(tc, ends_with_the_whole_collection);
        tcase_add_test(tc, ends_when_nobody_wants_it);
        tcase_add_test(tc, kills_who_left_the_group);
        tcase_add_test(tc, ends_when_the_sink_fails);
        tcase_add_loop_test(tc, asks_over_http, 0, ELEMENTSOF(pages));
        tcase_add_test(tc, follows_a_redirect);
        tcase_add_loop_test(tc, follows_no_other, 0, ELEMENTSOF(elsewhere));
        tcase_add_test(tc, looks_itself_when_the_daemon_is_silent);
        tcase_add_test(tc, says_why_there_is_no_health);
        tcase_add_test(tc, names_kinds_both_ways);
        tcase_add_test(tc, is_for_some_roles);
        suite_add_tcase(s, tc);
        return test_main(s);
}
