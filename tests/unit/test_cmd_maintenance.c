/* It tells the daemon what it was told, and a person what the daemon says. */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/mono.h"
#include "cli/answer_json.h"
#include "cli/verb.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define MAX_ARGUMENTS 12
#define OUTPUT_MAX    8192u

/* --- the verb ------------------------------------------------------------------------------------- */

/* A server on a socket of its own, and the verb in a child, whose stdout and stderr we read. */
struct run {
        char directory[40], path[56], saved[56];
        struct scripted_server server;
        int exit_status;
        char *output;
};

static void run_child(const struct run *r, const char *const *arguments)
{
        char *argv[MAX_ARGUMENTS + 4] = {(char[]){"diag maintenance"}, (char[]){"--url"},
                                         (char *)r->server.url};
        int n = 3, fd = open(r->saved, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        for (size_t i = 0; arguments[i]; i++)
                argv[n++] = (char *)arguments[i];
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        n = cmd_maintenance(n, argv);
        (void)fflush(stdout);
        _exit(n);
}

/* @reply: NULL: nobody listens. The child is forked before the server's thread starts. */
static void run(struct run *r, const char *reply, bool over_tcp, const char *const *arguments)
{
        const struct scripted_reply replies[] = {{.bytes = reply}};
        int status;
        pid_t pid;

        *r = (struct run){.directory = "/tmp/diag-test-maintenance.XXXXXX"};
        ck_assert_ptr_nonnull(mkdtemp(r->directory));
        (void)snprintf(r->path, sizeof(r->path), "%s/s", r->directory);
        (void)snprintf(r->saved, sizeof(r->saved), "%s/out", r->directory);
        (void)snprintf(r->server.url, sizeof(r->server.url), "unix:%s", r->path);
        r->server.replies = replies;
        r->server.n_replies = 1;
        if (reply && over_tcp)
                scripted_server_on_loopback(&r->server);
        else if (reply)
                scripted_server_on_socket(&r->server, r->path);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                run_child(r, arguments);
        if (reply)
                scripted_server_start(&r->server);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (reply) {
                (void)shutdown(r->server.listen_fd, SHUT_RDWR);
                scripted_server_join(&r->server);
        }
        r->server.replies = NULL;
        ck_assert(WIFEXITED(status));
        r->exit_status = WEXITSTATUS(status);
        ck_assert_int_eq(fs_read(r->saved, OUTPUT_MAX, &r->output, NULL, NULL), 0);
        unlink(r->saved);
        unlink(r->path);
        rmdir(r->directory);
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\n\r\n" body
#define NODE(maintenance)                                                                        \
        "{\"node_id\":\"n\",\"instance\":\"0123456789abcdef\",\"seq\":7,\"health\":\"healthy\"," \
        "\"phase\":\"running\",\"components\":[],\"maintenance\":" maintenance                   \
        ",\"system\":{\"time\":\"2026-11-21T12:00:00.000Z\"}}\n"
#define DISK                                                                              \
        "{\"since\":\"2026-11-21T11:00:00.000Z\",\"until\":\"2026-11-21T14:30:00.000Z\"," \
        "\"by\":\"uid 0\",\"reason\":\"a new disk\"}"
#define LONG_AGO                                                                          \
        "{\"since\":\"1999-12-31T22:00:00.000Z\",\"until\":\"2000-01-01T00:00:00.000Z\"," \
        "\"by\":\"uid 0\",\"reason\":\"a new disk\"}"
#define FORBIDDEN                                                                    \
        ANSWER("403 Forbidden", "{\"code\":403,\"error\":\"this is for operators\"," \
                                "\"reason\":\"not-allowed\"}\n")
#define START "start", "--for", "2h", "--reason", "a new disk"
#define PATH  "/system/health/v2/node/maintenance HTTP/1.1\r\n"

static const struct {
        const char *name;
        const char *arguments[MAX_ARGUMENTS];
        const char *reply; /* NULL: nobody listens */
        bool over_tcp;
        int want;
        const char *asks, *asks_too; /* stand in the request */
        const char *says;            /* stands in the output */
} runs[] = {
        {"start",
         {START},
         ANSWER("200 OK",                                                                                                                             "{\"maintenance\":" LONG_AGO "}\n"),
         false,0,
         "PUT " PATH,
         "\r\n\r\n{\"for_seconds\":7200,\"reason\":\"a new disk\"}","maintenance until 2000-01-01T00:00:00.000Z ("},
        {"what is asked for is JSON",
         {START},
         ANSWER("200 OK",                                                                                                                                     "{\"maintenance\":" DISK "}\n"),
         false,0,
         "\r\nContent-Type: application/json\r\n",                                                                                                                                                                                "",
         ", by uid 0: a new disk\n"},
        {"start, options first",
         {"--reason", "q\"\xff", "--for=1500ms", "start"},
         ANSWER("200 OK",                                                                                         "{\"maintenance\":" DISK "}\n"),
         true,0,
         "PUT " PATH,
         "{\"for_seconds\":2,\"reason\":\"q\\\"\\ufffd\"}",           ""},
        {"start --json",
         {START, "--json"},
         ANSWER("200 OK",                                                                                     "{ \"maintenance\" : " DISK ", \"newer\": [] }"),
         false,0,
         "PUT ","",
         "{\"maintenance\":" DISK "}\n"},
        {"stop",
         {"stop"},
         ANSWER("200 OK",                                                                                                              "{\"maintenance\":null}\n"),
         false,0,
         "DELETE " PATH,
         "","no maintenance\n"},
        {"stop --json",
         {"stop", "--json"},
         ANSWER("200 OK",                                                                                                                                          "{\"maintenance\":null}\n"),
         true,0,
         "DELETE ","",
         "{\"maintenance\":null}\n"},
        {"show",
         {NULL},
         ANSWER("200 OK",                                                                                                                                   NODE(DISK)),
         false,0,
         "GET /system/health/v2/node HTTP/1.1\r\n","",
         "maintenance until 2026-11-21T14:30:00.000Z (in 2 h), by uid 0: a new disk\n"},
        {"show none",
         {NULL},
         ANSWER("200 OK",                                                                                                                                    NODE("null")),
         true,0,
         "GET ","",
         "no maintenance\n"},
        {"show --json",
         {"--json"},
         ANSWER("200 OK",                                                                                                                                        NODE(DISK)),
         false,0,
         "GET ","",
         "{\"maintenance\":" DISK "}\n"},
        {"show --json none",
         {"--json"},
         ANSWER("200 OK",NODE("null")),
         false,0,
         "GET ",         "",
         "{\"maintenance\":null}\n"},
        {"start on a node",
         {"start", "m2", "--for", "2h", "--reason", "a new disk"},
         ANSWER("200 OK",                                                                                                                             "{\"maintenance\":" DISK "}\n"),
         false,0,
         "PUT /system/health/v2/nodes/m2/maintenance HTTP/1.1\r\n","\"for_seconds\":7200",
         "maintenance until 2026-11-21T14:30:00.000Z ("},
        {"start on a node that does not answer",
         {"start", "fd00::2", "--for", "2h", "--reason", "a new disk"},
         ANSWER("200 OK",                                                                                    "{\"maintenance\":" DISK ",\"held_by\":\"aggregator\"}\n"),
         false,0,
         "PUT /system/health/v2/nodes/fd00::2/maintenance HTTP/1.1\r\n", "",
         "fd00::2 cannot be told itself: the masters hold it instead\n"},
        {"stop on a node",
         {"stop", "m2"},
         ANSWER("200 OK",                                                     "{\"maintenance\":null}\n"),
         true,0,
         "DELETE /system/health/v2/nodes/m2/maintenance HTTP/1.1\r\n","",
         "no maintenance\n"},
        {"stop on a node that does not answer",
         {"stop", "m2"},
         ANSWER("200 OK",                                                                            "{\"maintenance\":null,\"held_by\":\"aggregator\"}\n"),
         true,0,
         "DELETE /system/health/v2/nodes/m2/maintenance HTTP/1.1\r\n","",
         "m2 cannot be told itself: one that it holds itself goes on\nno maintenance\n"},
        {"not allowed on a node",
         {"stop", "m2"},
         FORBIDDEN,                                                                                                                          true,
         1,"DELETE ",
         ""," refused (status 403): this is for operators; on a master, as root or as a member of group diag"},
        {"nobody to tell of a node",
         {"stop", "m2"},
         NULL,                                                                            false,
         2,"",
         "","; see systemctl status diag-aggregatord.service\n"},
        {"hostile text",
         {"stop"},
         ANSWER("200 OK",
         "{\"maintenance\":{\"since\":\"2026-11-21T11:00:00Z\","
                "\"until\":\"2026-11-21T11:00:00Z\",\"by\":\"\\u001b[2J\",\"reason\":\"a\\nb\"}}"),
         false,0,
         "DELETE ","",
         ", by ?[2J: a b\n"},

        {"not allowed",
         {START},
         FORBIDDEN,                                                                                                                                          false,
         1,"PUT ",
         ""," refused (status 403): this is for operators\n"},
        {"not allowed over TCP",
         {"stop"},
         FORBIDDEN,                                                                                                                                   true,
         1,"DELETE ",
         ""," refused (status 403): this is for operators\n"},
        {"not allowed without a word",
         {START},
         ANSWER("403 Forbidden",                                                                                                                                   ""),
         false,1,
         "PUT ","",
         " refused (status 403): it does not let us ask; run it as root or as a member of group diag\n"},
        {"not allowed over TCP without a word",
         {"stop"},
         ANSWER("403 Forbidden",                                                                                                                                ""),
         true,1,
         "DELETE ","",
         " it does not let us ask; run it on that machine, as root or as a member of group diag\n"},
        {"hangs up over TCP",                                                         {"stop"},                                                                 "",                                                                                                                                    true,2,"DELETE ","","hung up without an answer\n"},
        {"wrong value",
         {START},
         ANSWER("400 Bad Request",                                                                                                                                        "{\"error\":\"for_seconds is more than 7 days\"}"),
         false,1,
         "PUT ","",
         " refused (status 400): for_seconds is more than 7 days\n"},
        {"full disk",
         {START},
         ANSWER("507 Full","{\"code\":507,\"error\":\"nothing has changed\"}"),
         false,1,
         "PUT ",                                              "",
         "refused (status 507): nothing has changed\n"},
        {"refused without a word",
         {"stop"},
         ANSWER("503 Busy",""),
         false,  1,
         "DELETE ",                                                                                "",
         "refused (status 503): it is too busy\n"},
        {"refused with another word",
         {"stop"},
         ANSWER("404 Not Found",                                                                                                                           "<html>"),
         true,1,
         "DELETE ","",
         "refused (status 404): there is no API v2\n"},
        {"redirected",
         {"stop"},
         ANSWER("302 Found",                                                                                                                                    ""),
         false, 1,
         "DELETE ","",
         "it sends us elsewhere\n"},

        {"nobody",
         {START},
         NULL,                                                                      false,
         2,"",
         "","No such file or directory; maintenance needs the running daemon\n"},
        {"nobody to show",
         {NULL},
         NULL,                                                                                              false,
         2,"",
         "","; maintenance needs the running daemon\n"},
        {"hangs up",
         {"stop"},
         "",                                                                                                                   false,
         2,"DELETE ",
         "","hung up without an answer; see systemctl status diag-agentd.service\n"},
        {"not JSON",
         {"stop"},
         ANSWER("200 OK",                                                                     "yes"),
         false,2,
         "DELETE ","",
         "says what we do not understand"},
        {"tells nothing",
         {"stop"},
         ANSWER("200 OK",                                                                                              "{}"),
         false,2,
         "DELETE ","",
         "says what we do not understand: there is no maintenance in it\n"},
        {"wrong type",
         {"stop"},
         ANSWER("200 OK",                                                                 "{\"maintenance\":7}"),
         false,2,
         "DELETE ","",
         "says what we do not understand: maintenance is not an object\n"},
        {"show may not ask",
         {NULL},
         FORBIDDEN,                                                                                                                               false,
         2,"GET ",
         "","status 403: it does not let us ask\n"},
};

START_TEST(tells_and_says)
{
        struct run r;

        run(&r, runs[_i].reply, runs[_i].over_tcp, runs[_i].arguments);
        ck_assert_msg(r.exit_status == runs[_i].want, "%s: %d %s", runs[_i].name, r.exit_status,
                      r.output);
        ck_assert_msg(strstr(r.server.last_request, runs[_i].asks) &&
                              strstr(r.server.last_request, runs[_i].asks_too),
                      "%s: %s", runs[_i].name, r.server.last_request);
        ck_assert_msg(strstr(r.output, runs[_i].says), "%s: %s", runs[_i].name, r.output);
        free(r.output);
}
END_TEST

static const struct {
        const char *arguments[MAX_ARGUMENTS];
        int want;
        const char *says;
} calls[] = {
        {{"--help"},                                          0, "diag maintenance start [NODE] --for TIME"  },
        {{"start"},                                           2, "for how long and why"                      },
        {{"start", "--for", "2h"},                            2, "for how long and why"                      },
        {{"start", "--reason", "r"},                          2, "for how long and why"                      },
        {{"start", "--for", "2h", "--reason", ""},            2, "for how long and why"                      },
        {{"start", "--for", "two hours", "--reason", "r"},    2, "--for \"two hours\" is not a time"         },
        {{"start", "--for", "", "--reason", "r"},             2, "--for \"\" is not a time"                  },
        {{"start", "--for", "-2h", "--reason", "r"},          2, "is not a time"                             },
        {{"start", "a", "b", "--for", "2h", "--reason", "r"}, 2, "what is \"b\"?"                            },
        {{"stop", ".."},                                      2, "\"..\" is not the name of a node"          },
        {{"stop", "--for", "2h"},                             2, "--for and --reason are for start"          },
        {{"--reason", "r"},                                   2, "--for and --reason are for start"          },
        {{"begin"},                                           2, "\"begin\" is neither start nor stop"       },
        {{"stop", "--nothing"},                               2, "--nothing"                                 },
        {{"--for"},                                           2, "--for"                                     },
        {{"--url", "m1:1050"},                                2, "neither http[s]://HOST:PORT nor unix:/PATH"},
};

START_TEST(understands_its_call)
{
        struct run r;

        run(&r, NULL, false, calls[_i].arguments);
        ck_assert_msg(r.exit_status == calls[_i].want && strstr(r.output, calls[_i].says), "%d %s",
                      r.exit_status, r.output);
        ck_assert_msg(calls[_i].want == 0 || strncmp(r.output, "diag maintenance: ",
                                                     strlen("diag maintenance: ")) == 0,
                      "%s", r.output);
        free(r.output);
}
END_TEST

/* --- answers -------------------------------------------------------------------------------------- */

static const struct {
        const char *text, *want; /* NULL: it is an answer */
} answers[] = {
        {"{}",                                                                                                 NULL                           },
        {"{\"error\":null,\"maintenance\":null,\"x\":{}}",                                                     NULL                           },
        {"{\"maintenance\":" DISK "}",                                                                         NULL                           },
        {"",                                                                                                   "line 1: "                     },
        {"[]",                                                                                                 "the document is not an object"},
        {"{\"error\":7}",                                                                                      "error is not a string"        },
        {"{\"error\":\"a\",\"error\":\"b\"}",                                                                  "line 1: "                     },
        {"{\"maintenance\":\"yes\"}",                                                                          "maintenance is not an object" },
        {"{\"maintenance\":{}}",                                                                               "since is not a time"          },
        {"{\"maintenance\":{\"since\":\"2026-11-21T11:00:00Z\",\"until\":7}}",
         "until is not a time"                                                                                                                },
        {"{\"maintenance\":{\"since\":\"2026-11-21T11:00:00Z\",\"until\":\"2026-11-21T11:00:00Z\",\"by\":7}}",
         "by is not a string"                                                                                                                 },
};

START_TEST(reads_answer)
{
        struct answer a = {0};
        struct err e = {0};
        int r = answer_from_json(&a, answers[_i].text, strlen(answers[_i].text), &e);

        ck_assert_int_eq(r, answers[_i].want ? -EBADMSG : 0);
        if (answers[_i].want)
                ck_assert_msg(strncmp(e.text, answers[_i].want, strlen(answers[_i].want)) == 0,
                              "%s", e.text);
        else
                ck_assert_str_eq(a.error, "");
        answer_done(&a);
}
END_TEST

START_TEST(reads_no_more_than_it_takes)
{
        _cleanup_(freep) char *text = malloc(ANSWER_JSON_MAX + 1);
        struct answer a = {0};

        ck_assert_ptr_nonnull(text);
        memset(text, ' ', ANSWER_JSON_MAX + 1);
        text[0] = '{';
        text[1] = '}';
        ck_assert_int_eq(answer_from_json(&a, text, ANSWER_JSON_MAX, NULL), 0);
        ck_assert_int_eq(answer_from_json(&a, text, ANSWER_JSON_MAX + 1, NULL), -E2BIG);
        answer_done(&a);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cmd_maintenance");
        TCase *tc = tcase_create("cmd_maintenance");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, tells_and_says, 0, ELEMENTSOF(runs));
        tcase_add_loop_test(tc, understands_its_call, 0, ELEMENTSOF(calls));
        tcase_add_loop_test(tc, reads_answer, 0, ELEMENTSOF(answers));
        tcase_add_test(tc, reads_no_more_than_it_takes);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
