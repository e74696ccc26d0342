/* It shows a report as a person wants to read it, and says the health with its exit status. */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/mono.h"
#include "cli/status_view.h"
#include "cli/suggest.h"
#include "cli/verb.h"
#include "model/report_json.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define FIXTURE_MAX_BYTES (1024u * 1024u)
#define NOW_WALL_USEC     (UINT64_C(1795262400) * USEC_PER_SEC) /* 2026-11-21T12:00:00Z */

static char *read_fixture(const char *name, const char *suffix, size_t *ret_n)
{
        char path[256];
        struct err e = {0};
        char *text = NULL;

        (void)snprintf(path, sizeof(path), "tests/fixtures/reports/%s%s", name, suffix);
        ck_assert_msg(fs_read(path, FIXTURE_MAX_BYTES, &text, ret_n, &e) == 0, "%s", e.text);
        return text;
}

/* --- what is shown -------------------------------------------------------------------------------- */

static const struct {
        const char *name; /* of the report and, with the suffix, of the text to expect */
        const char *suffix;
        struct term term;
        const char *component; /* NULL: the overview */
} cases[] = {
        {"mixed",     ".txt",           {0},                                NULL                          },
        {"mixed",     "-100.txt",       {.n_columns = 100},                 NULL                          },
        {"mixed",     "-60.txt",        {.n_columns = 60},                  NULL                          },
        {"mixed",     "-colour.txt",    {.n_columns = 160, .colour = true}, NULL                          },
        {"mixed",     "-failed.txt",    {0},                                "dcos-exhibitor.service"      },
        {"mixed",     "-loop.txt",      {0},                                "dcos-gen-resolvconf.service" },
        {"mixed",     "-armed.txt",     {0},                                "dcos-backup.service"         },
        {"mixed",     "-running.txt",   {0},                                "dcos-adminrouter.service"    },
        {"mixed",     "-no-facts.txt",  {0},                                "dcos-net.service"            },
        {"healthy",   ".txt",           {0},                                NULL                          },
        {"starting",  ".txt",           {0},                                NULL                          },
        {"stale",     ".txt",           {0},                                NULL                          },
        {"old",       ".txt",           {0},                                NULL                          },
        {"truncated", ".txt",           {0},                                NULL                          },
        {"short",     ".txt",           {0},                                NULL                          },
        {"wide",      "-80.txt",        {.n_columns = 80},                  NULL                          },
        {"probes",    ".txt",           {0},                                NULL                          },
        {"probes",    "-80.txt",        {.n_columns = 80},                  NULL                          },
        {"probes",    "-alone.txt",     {0},                                "marathon"                    },
        {"probes",    "-unit.txt",      {0},                                "dcos-adminrouter.service"    },
        {"probes",    "-skipped.txt",   {0},                                "dcos-mesos-master.service"   },
        {"probes",    "-passing.txt",   {0},                                "proxy"                       },
        {"probes",    "-colour.txt",    {.n_columns = 160, .colour = true}, "marathon"                    },
        {"named",     "-other.txt",     {0},                                "web"                         },
        {"named",     "-alias.txt",     {0},                                "name.service"                },
        {"hostile",   ".txt",           {0},                                NULL                          },
        {"hostile",   "-component.txt", {0},                                "evil\033]0;owned\007.service"},
};

static void render(struct buf *out, const char *name, const struct term *term,
                   const char *component)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        _cleanup_(freep) char *json = NULL;
        struct status_view view = {.now_wall_usec = NOW_WALL_USEC, .term = term};
        struct diag_moment moment;
        struct err e = {0};
        size_t n;

        json = read_fixture(name, ".json", &n);
        ck_assert_msg(diag_report_from_json(&report, &moment, json, n, &e) == 0, "%s: %s", name,
                      e.text);
        view.report = report;
        view.confirmed_age_usec = moment.confirmed_age_usec;
        if (component)
                status_view_component(out, &view, diag_report_find(report, component));
        else
                status_view_overview(out, &view);
}

START_TEST(shows_report)
{
        _cleanup_(freep) char *want = read_fixture(cases[_i].name, cases[_i].suffix, NULL);
        _cleanup_(buf_done) struct buf out = {0};

        render(&out, cases[_i].name, &cases[_i].term, cases[_i].component);
        ck_assert_msg(streq(buf_cstr(&out), want), "%s%s:\n%s", cases[_i].name, cases[_i].suffix,
                      buf_cstr(&out));
}
END_TEST

/* Whatever a daemon says, without our own colours nothing in it but line ends is below a blank. */
START_TEST(shows_nothing_that_a_terminal_obeys)
{
        static const char *const components[] = {NULL, "evil\033]0;owned\007.service"};
        const struct term term = {0};

        for (size_t i = 0; i < ELEMENTSOF(components); i++) {
                _cleanup_(buf_done) struct buf out = {0};

                render(&out, "hostile", &term, components[i]);
                for (size_t k = 0; k < out.n; k++) {
                        unsigned char c = (unsigned char)out.data[k];

                        ck_assert((c >= 0x20 && c != 0x7f) || c == '\n');
                        ck_assert(c != 0xc2 || (unsigned char)out.data[k + 1] >= 0xa0);
                }
        }
}
END_TEST

/* --- the verb ------------------------------------------------------------------------------------- */

#define MAX_ARGUMENTS  8
#define OUTPUT_MAX     (64u * 1024u)
#define HEAD_MAX       128u
#define COMPLAINTS_MAX 1024u

/* A server on a socket of its own, and the verb in a child, whose stdout we read. */
struct run {
        char directory[32], path[48];
        struct scripted_server server;
        pid_t pid;
        int output_fd, complaints_fd; /* what is read while it runs, and what afterwards */
        struct buf output;
        char complaints[COMPLAINTS_MAX];
};

static void run_child(const struct run *r, const char *const *arguments, int write_fd)
{
        char *argv[MAX_ARGUMENTS + 4] = {(char[]){"diag status"}, (char[]){"--url"}};
        int n = 3;

        argv[2] = strdup(r->server.url);
        for (size_t i = 0; arguments[i]; i++)
                argv[n++] = strdup(arguments[i]);
        close(r->server.listen_fd);
        (void)dup2(write_fd, STDOUT_FILENO);
        (void)dup2(r->complaints_fd, STDERR_FILENO);
        n = cmd_status(n, argv);
        for (size_t i = 2; argv[i]; i++)
                free(argv[i]);
        exit(n);
}

/* The child is forked before the server's thread starts: its connections wait in the queue. */
static void run_start(struct run *r, const struct scripted_reply *replies, size_t n,
                      const char *const *arguments)
{
        int fds[2];

        *r = (struct run){.directory = "/tmp/diag-test-status.XXXXXX"};
        ck_assert_ptr_nonnull(mkdtemp(r->directory));
        (void)snprintf(r->path, sizeof(r->path), "%s/s", r->directory);
        r->server.replies = replies;
        r->server.n_replies = n;
        scripted_server_on_socket(&r->server, r->path);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        r->complaints_fd = memfd_create("complaints", MFD_CLOEXEC);
        ck_assert_int_ge(r->complaints_fd, 0);
        r->pid = fork();
        ck_assert_int_ge(r->pid, 0);
        if (r->pid == 0)
                run_child(r, arguments, fds[1]);
        close(fds[1]);
        r->output_fd = fds[0];
        scripted_server_start(&r->server);
}

/* Until @n_lines lines were read, or to the end. */
static void run_read(struct run *r, size_t n_lines)
{
        char c;

        while (n_lines > 0 && read(r->output_fd, &c, 1) == 1) {
                buf_putc(&r->output, c);
                n_lines -= c == '\n';
        }
}

/* Returns the exit status. A server that still waits for somebody is cut short. */
static int run_end(struct run *r)
{
        int status;

        ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
        (void)shutdown(r->server.listen_fd, SHUT_RDWR);
        scripted_server_join(&r->server);
        close(r->output_fd);
        ck_assert_int_ge(pread(r->complaints_fd, r->complaints, COMPLAINTS_MAX - 1, 0), 0);
        close(r->complaints_fd);
        unlink(r->path);
        rmdir(r->directory);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static struct scripted_reply reply_with(struct buf *bytes, const char *fixture, const char *etag)
{
        _cleanup_(freep) char *json = NULL;
        size_t n;

        json = read_fixture(fixture, ".json", &n);
        buf_printf(bytes, "HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %zu\r\n\r\n", etag, n);
        buf_append(bytes, json, n);
        return (struct scripted_reply){.bytes = buf_cstr(bytes), .n = bytes->n};
}

static const struct {
        const char *fixture;
        const char *arguments[MAX_ARGUMENTS];
        int want;
        const char *begins; /* the output */
} runs[] = {
        {"mixed",   {NULL},                           1, "m1 (master, 10.0.0.1) has been unhealthy for "          },
        {"healthy", {NULL},                           0, "a1 has been healthy for 51 d\n2 components: 2 healthy\n"},
        {"stale",   {NULL},                           3, "m1 (master, 10.0.0.1) has been unknown for "            },
        {"mixed",   {"--json"},                       1, "{\"node_id\":"                                          },
        {"mixed",   {"dcos-backup.timer"},            0, "dcos-backup.timer: healthy\n"                           },
        {"mixed",   {"dcos-adminrouter"},             0, "dcos-adminrouter.service: healthy\n"                    },
        {"mixed",   {"dcos-net", "dcos-adminrouter"}, 3, "dcos-net.service: unknown\n"                            },
        {"mixed",   {"dcos-net", "dcos-exhibitor"},   1, "dcos-net.service: unknown\n"                            },
        {"mixed",   {"--json", "dcos-backup"},        0, "{\"node_id\":"                                          },
        {"named",   {"n"},                            1, "n: unhealthy\n"                                         },
        {"named",   {"dns.service"},                  1, "n: unhealthy\n"                                         },
        {"named",   {"dns"},                          1, "n: unhealthy\n"                                         },
        {"named",   {"web.service"},                  0, "web: healthy\n"                                         },
        {"named",   {"real"},                         0, "name.service: healthy\n"                                },
        {"named",   {"web.timer"},                    2, ""                                                       },
        {"mixed",   {"dcos-backup", "nothing"},       2, ""                                                       },
        {"mixed",   {"--json", "nothing"},            2, ""                                                       },
};

START_TEST(exits_with_health)
{
        _cleanup_(buf_done) struct buf bytes = {0};
        const struct scripted_reply reply = reply_with(&bytes, runs[_i].fixture, "W/\"a.1\"");
        struct run r;

        run_start(&r, &reply, 1, runs[_i].arguments);
        run_read(&r, SIZE_MAX);
        ck_assert_int_eq(run_end(&r), runs[_i].want);
        ck_assert_msg(strncmp(buf_cstr(&r.output), runs[_i].begins, strlen(runs[_i].begins)) == 0 &&
                              (*runs[_i].begins || r.output.n == 0),
                      "%s", buf_cstr(&r.output));
        buf_done(&r.output);
}
END_TEST

START_TEST(prints_json_as_it_came)
{
        _cleanup_(buf_done) struct buf bytes = {0};
        const struct scripted_reply reply = reply_with(&bytes, "mixed", "W/\"a.1\"");
        _cleanup_(freep) char *want = read_fixture("mixed", ".json", NULL);
        struct run r;

        run_start(&r, &reply, 1, (const char *const[]){"--json", NULL});
        run_read(&r, SIZE_MAX);
        ck_assert_int_eq(run_end(&r), 1);
        ck_assert_str_eq(buf_cstr(&r.output), want);
        buf_done(&r.output);
}
END_TEST

static const struct {
        const char *reply, *says;
} refusals[] = {
        {"HTTP/1.1 503 Busy\r\n\r\n", ": it is too busy\n"                                                    },
        {"",                          " hung up without an answer; see systemctl status diag-agentd.service\n"},
};

START_TEST(cannot_ask)
{
        const struct scripted_reply reply = {.bytes = refusals[_i].reply};
        struct run r;

        run_start(&r, &reply, 1, (const char *const[]){NULL});
        run_read(&r, SIZE_MAX);
        ck_assert_int_eq(run_end(&r), 2);
        ck_assert_uint_eq(r.output.n, 0);
        ck_assert_msg(strstr(r.complaints, refusals[_i].says), "%s", r.complaints);
        buf_done(&r.output);
}
END_TEST

/* --- names that are not there --------------------------------------------------------------------- */

static const struct {
        const char *wanted, *name;
        bool is_near;
} names[] = {
        {"exhibitr",    "dcos-exhibitor.service", true },
        {"god.service", "good.service",           true },
        {"god",         "good.service",           true },
        {"good.servce", "good.service",           true },
        {"good.timer",  "good.service",           true },
        {"dns.service", "web.service",            false},
        {"dns.service", "a.service",              false},
        {"srv",         "web.service",            false},
        {"x",           "web.service",            false},
        {"",            "web.service",            false},
};

START_TEST(suggests_what_is_near)
{
        struct suggestion s = {.wanted = names[_i].wanted};

        suggestion_offer(&s, names[_i].name);
        ck_assert_msg((s.n == 1) == names[_i].is_near, "%s: %s", names[_i].wanted, names[_i].name);
}
END_TEST

static const struct {
        const char *name;
        const char *arguments[MAX_ARGUMENTS];
        int want;
} calls[] = {
        {"help",                     {"--help"},           0},
        {"unknown option",           {"--nothing"},        2},
        {"option without its value", {"--url"},            2},
        {"bad URL",                  {"--url", "m1:1050"}, 2},
};

START_TEST(understands_its_call)
{
        const char *const *a = calls[_i].arguments;
        char *argv[] = {(char[]){"diag status"}, strdup(a[0]), a[1] ? strdup(a[1]) : NULL, NULL};

        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        ck_assert_int_eq(cmd_status(a[1] ? 3 : 2, argv), calls[_i].want);
        free(argv[1]);
        free(argv[2]);
}
END_TEST

/* A change, a daemon that hangs up, its successor, another change, nobody at all; then SIGTERM. */
START_TEST(watches)
{
        _cleanup_(buf_done) struct buf first = {0}, second = {0}, third = {0}, fourth = {0};
        const struct scripted_reply replies[] = {
                reply_with(&first, "mixed", "W/\"a.1\""),
                reply_with(&second, "stale", "W/\"a.2\""),
                {.bytes = ""},
                reply_with(&third, "mixed", "W/\"b.1\""),
                reply_with(&fourth, "healthy", "W/\"b.2\""),
        };
        struct run r;

        run_start(&r, replies, ELEMENTSOF(replies),
                  (const char *const[]){"--watch", "--json", NULL});
        run_read(&r, 4);
        ck_assert_int_eq(kill(r.pid, SIGTERM), 0);
        ck_assert_int_eq(run_end(&r), 0);
        ck_assert_ptr_nonnull(strstr(r.server.last_request, "\r\nIf-None-Match: W/\"b.1\"\r\n"));
        buf_done(&r.output);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cmd_status");
        TCase *tc = tcase_create("cmd_status");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, shows_report, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, shows_nothing_that_a_terminal_obeys);
        tcase_add_loop_test(tc, exits_with_health, 0, ELEMENTSOF(runs));
        tcase_add_test(tc, prints_json_as_it_came);
        tcase_add_loop_test(tc, cannot_ask, 0, ELEMENTSOF(refusals));
        tcase_add_loop_test(tc, suggests_what_is_near, 0, ELEMENTSOF(names));
        tcase_add_loop_test(tc, understands_its_call, 0, ELEMENTSOF(calls));
        tcase_add_test(tc, watches);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
