/* The verbs about the cluster: whom they ask for what, what they show of it, how they end. */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "cli/verb.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define MAX_ARGUMENTS 8
#define MAX_REPLIES   4
#define OUTPUT_MAX    (1024u * 1024u)

/* --- a verb --------------------------------------------------------------------------------------- */

/* A server on a socket of its own, and the verb in a child, whose stdout and stderr we read. */
struct run {
        char directory[40], socket[56], out[56], err[56];
        struct scripted_server server;
        pid_t pid;
        int exit_status;
        char *output, *complaints;
};

static void redirect(const char *path, int fd)
{
        int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        ck_assert_int_ge(file, 0);
        ck_assert_int_eq(dup2(file, fd), fd);
        close(file);
}

/* @terminal: what stdin is; -1: nothing */
static void run_child(const struct run *r, verb_fn *verb, const char *const *arguments,
                      int terminal)
{
        char *argv[MAX_ARGUMENTS + 4] = {(char[]){"diag verb"}, (char[]){"--url"}};
        int n = 2;

        if (r->server.n_replies > 0)
                argv[n++] = strdup(r->server.url);
        else
                n = 1;
        for (size_t i = 0; arguments[i]; i++)
                argv[n++] = strdup(arguments[i]);
        argv[n] = NULL;
        redirect(r->out, STDOUT_FILENO);
        redirect(r->err, STDERR_FILENO);
        close(STDIN_FILENO);
        if (terminal >= 0)
                (void)dup2(terminal, STDIN_FILENO);
        (void)unsetenv("DIAG_URL");
        n = verb(n, argv);
        (void)fflush(stdout);
        _exit(n);
}

/* The child is forked before the server's thread starts: its connections wait in the queue. */
static void run_start(struct run *r, verb_fn *verb, const struct scripted_reply *replies, size_t n,
                      const char *const *arguments, int terminal)
{
        *r = (struct run){.directory = "/tmp/diag-test-cluster.XXXXXX"};
        ck_assert_ptr_nonnull(mkdtemp(r->directory));
        (void)snprintf(r->socket, sizeof(r->socket), "%s/s", r->directory);
        (void)snprintf(r->out, sizeof(r->out), "%s/out", r->directory);
        (void)snprintf(r->err, sizeof(r->err), "%s/err", r->directory);
        r->server.replies = replies;
        r->server.n_replies = n;
        if (n > 0)
                scripted_server_on_socket(&r->server, r->socket);
        r->pid = fork();
        ck_assert_int_ge(r->pid, 0);
        if (r->pid == 0)
                run_child(r, verb, arguments, terminal);
        if (n > 0)
                scripted_server_start(&r->server);
}

static void run_end(struct run *r)
{
        int status;

        ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
        if (r->server.n_replies > 0) {
                (void)shutdown(r->server.listen_fd, SHUT_RDWR);
                scripted_server_join(&r->server);
        }
        ck_assert(WIFEXITED(status));
        r->exit_status = WEXITSTATUS(status);
        ck_assert_int_eq(fs_read(r->out, OUTPUT_MAX, &r->output, NULL, NULL), 0);
        ck_assert_int_eq(fs_read(r->err, OUTPUT_MAX, &r->complaints, NULL, NULL), 0);
        unlink(r->out);
        unlink(r->err);
        unlink(r->socket);
        rmdir(r->directory);
}

static void run_done(struct run *r)
{
        free(r->output);
        free(r->complaints);
}

/* "@name": the fixture of that name with status 200 and a tag; anything else goes as it is. */
static struct scripted_reply make_reply(struct buf *bytes, const char *reply)
{
        _cleanup_(freep) char *json = NULL;
        char path[128];
        size_t n;

        if (*reply != '@')
                return (struct scripted_reply){.bytes = reply};
        (void)snprintf(path, sizeof(path), "tests/fixtures/cluster/%s.json", reply + 1);
        ck_assert_int_eq(fs_read(path, OUTPUT_MAX, &json, &n, NULL), 0);
        buf_printf(bytes, "HTTP/1.1 200 OK\r\nETag: W/\"a.%zu\"\r\nContent-Length: %zu\r\n\r\n", n,
                   n);
        buf_append(bytes, json, n);
        return (struct scripted_reply){.bytes = buf_cstr(bytes), .n = bytes->n};
}

static void run(struct run *r, verb_fn *verb, const char *const *answers,
                const char *const *arguments, int terminal)
{
        struct buf bytes[MAX_REPLIES] = {0};
        struct scripted_reply replies[MAX_REPLIES];
        size_t n = 0;

        for (; n < MAX_REPLIES && answers[n]; n++)
                replies[n] = make_reply(&bytes[n], answers[n]);
        run_start(r, verb, replies, n, arguments, terminal);
        run_end(r);
        r->server.replies = NULL;
        for (size_t i = 0; i < n; i++)
                buf_done(&bytes[i]);
}

/* --- all of them ---------------------------------------------------------------------------------- */

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\n\r\n" body
#define ERROR(code, error, reason) \
        "{\"code\":" #code ",\"error\":\"" error "\",\"reason\":\"" reason "\"}\n"
#define V2          "/system/health/v2"
#define NOTHING_NEW "HTTP/1.1 304 Not Modified\r\n\r\n"
#define NO_NODE     ANSWER("404 Not Found", ERROR(404, "no node 10.0.0.3", "no-such-node"))
#define NO_UNIT     ANSWER("404 Not Found", ERROR(404, "no node has a unit dcos-nat", "no-such-unit"))
#define TWO_TWIN                                                                      \
        ANSWER("409 Conflict",                                                        \
               "{\"code\":409,\"error\":\"2 nodes are called twin\","                 \
               "\"reason\":\"ambiguous-name\",\"candidates\":["                       \
               "{\"node_id\":\"a3\",\"address\":\"10.0.0.3\",\"hostname\":\"twin\"}," \
               "{\"node_id\":\"a4\",\"address\":\"10.0.0.4\",\"hostname\":null}]}\n")
#define FORGOTTEN(not_reached)                                                             \
        ANSWER("200 OK", "{\"node_id\":\"n\",\"address\":\"10.0.0.9\",\"forgotten\":true," \
                         "\"not_reached\":[" not_reached "]}\n")
#define REFUSED(reason) ANSWER("409 Conflict", ERROR(409, "no, because", reason))

/* clang-format off */
static const struct {
        const char *name;
        verb_fn *verb;
        const char *arguments[MAX_ARGUMENTS];
        const char *answers[MAX_REPLIES + 1];
        int want;
        const char *asks;      /* begins the last request; "" any */
        const char *says;      /* begins the output; "" nothing is said */
        const char *says_too;  /* ends it */
        const char *complains; /* stands in the complaints; "" there are none */
} runs[] = {
        {"unhealthy", cmd_cluster, {NULL}, {"@unhealthy"}, 1, "GET " V2 "/cluster HTTP/1.1\r\n",
         "cluster prod: UNHEALTHY since 2026-11-21T11:57:00.000Z (", "no such name\n", ""},
        {"healthy", cmd_cluster, {NULL}, {"@healthy"}, 0, "GET ", "cluster: healthy since ", "", ""},
        {"acknowledged is no health", cmd_cluster, {NULL}, {"@acknowledged"}, 1, "GET ", "cluster 7d0c: UNHEALTHY", "", ""},
        {"a word that we do not know", cmd_cluster, {NULL}, {"@bare"}, 3, "GET ", "cluster: on-fire\n", "", ""},
        {"JSON", cmd_cluster, {"--json"}, {"@healthy"}, 0, "GET ", "{\n \"cluster\": {", "}\n", ""},
        {"not JSON", cmd_cluster, {NULL}, {ANSWER("200 OK", "<html>")}, 2, "GET ", "", "", "says what we do not understand: line 1"},
        {"another service", cmd_cluster, {NULL}, {ANSWER("404 Not Found", "nothing here")}, 2, "GET ", "", "",
         "refused (status 404): there is no API v2\n"},
        {"busy", cmd_cluster, {NULL}, {ANSWER("503 Busy", ERROR(503, "not yet", "starting"))}, 2, "GET ", "", "",
         "refused (status 503): not yet\n"},
        {"hangs up", cmd_cluster, {NULL}, {""}, 2, "GET ", "", "", "hung up without an answer; see systemctl status diag-aggregatord.service\n"},
        {"cut short", cmd_cluster, {NULL}, {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"}, 2, "GET ", "", "", "diag verb: "},
        {"cluster of what", cmd_cluster, {"prod"}, {"@healthy"}, 2, "", "", "", "what is \"prod\"?"},
        {"help", cmd_cluster, {"--help"}, {"@healthy"}, 0, "", "diag cluster [OPTION...]", "See diag(1).\n", ""},

        {"nodes", cmd_nodes, {NULL}, {"@nodes"}, 1, "GET " V2 "/nodes?limit=1000 HTTP/1.1\r\n",
         "HEALTH     ROLE", "in maintenance\n\n5 nodes, as 10.0.0.1 sees it, 0 s ago\n", ""},
        {"filters", cmd_nodes, {"--role", "agent", "--health=unhealthy", "--component", "a b.service", "--query", "é&"}, {"@nodes"}, 1,
         "GET " V2 "/nodes?role=agent&health=unhealthy&component=a%20b.service&q=%C3%A9%26&limit=1000 HTTP/1.1\r\n", "HEALTH", "", ""},
        {"none", cmd_nodes, {NULL}, {"@nodes-none"}, 3, "GET ", "no node is known, as ", "", ""},
        {"none fits", cmd_nodes, {"--query", "x"}, {"@nodes-none"}, 3, "GET ", "no node fits, as ", "", ""},
        {"none is unhealthy", cmd_nodes, {"--health", "unhealthy"}, {"@nodes-none"}, 0, "GET ", "no node fits, as ", "", ""},
        {"many", cmd_nodes, {NULL}, {"@nodes-many"}, 1, "GET " V2 "/nodes?limit=1000 ", "HEALTH",
         "\n\n2 of 10000 nodes: those that are not healthy (--all for all), as 10.0.0.1 sees it, 0 s ago; not complete\n", ""},
        {"many and well", cmd_nodes, {NULL}, {"@nodes-many-well"}, 0, "GET ", "10000 nodes, all of them healthy (--all shows them), as ", "", ""},
        {"pages", cmd_nodes, {"--all"}, {"@nodes-many", "@nodes-many-well", "@nodes"}, 1, "GET " V2 "/nodes?limit=1000&after=2.10.0.1.2 HTTP/1.1\r\n",
         "HEALTH", "\n\n13 of 5 nodes, as 10.0.0.1 sees it, 0 s ago\n", ""},
        {"pages as JSON", cmd_nodes, {"--json"}, {"@nodes-many-well", "@nodes-none"}, 0, "GET " V2 "/nodes?limit=1000&after=2.10.0.1.2 HTTP/1.1\r\n",
         "{ \"items\": [", "}}\n", ""},
        {"a page is missing", cmd_nodes, {"--all"}, {"@nodes-many", ANSWER("503 Busy", "")}, 2, "GET ", "", "", "it is too busy"},
        {"a role that is none", cmd_nodes, {"--role", "boss"}, {ANSWER("400 Bad", ERROR(400, "there is no such role", "bad-filter"))}, 2, "GET ", "", "",
         "refused (status 400): there is no such role\n"},
        {"nodes of what", cmd_nodes, {"10.0.0.1"}, {"@nodes"}, 2, "", "", "", "diag node 10.0.0.1 shows one node"},

        {"node", cmd_node, {"m2"}, {"@node"}, 1, "GET " V2 "/nodes/m2 HTTP/1.1\r\n", "m2 (master, 10.0.0.2) has been unhealthy for ", "armed\n", ""},
        {"node, in full", cmd_node, {"--full", "fd00::2"}, {"@node-live"}, 1, "GET " V2 "/nodes/fd00::2?fields=full HTTP/1.1\r\n", "m2 (", "", ""},
        {"silent", cmd_node, {"10.0.0.17"}, {"@node-silent"}, 3, "GET ", "10.0.0.17 has been unknown for ", "", ""},
        {"no such node", cmd_node, {"10.0.0.3"}, {NO_NODE, "@nodes"}, 2, "GET " V2 "/nodes?fields=inventory&limit=10000 ", "", "",
         "diag verb: no node 10.0.0.3; did you mean 10.0.0."},
        {"no such node, nor a list", cmd_node, {"10.0.0.3"}, {NO_NODE, ""}, 2, "GET ", "", "", "diag verb: no node 10.0.0.3\n"},
        {"two of that name", cmd_node, {"twin"}, {TWO_TWIN}, 2, "GET ", "", "",
         "diag verb: 2 nodes are called twin; say which one:\n  10.0.0.3  twin  a3\n  10.0.0.4  a4\n"},
        {"may not ask it live", cmd_node, {"--full", "m2"}, {ANSWER("403 No", ERROR(403, "for readers", "not-allowed"))}, 2, "GET ", "", "",
         "refused (status 403): for readers; on a master, as root or as a member of group diag, it can be done\n"},
        {"node of what", cmd_node, {NULL}, {"@node"}, 2, "", "", "", "say which node"},
        {"a name that leads elsewhere", cmd_node, {".."}, {"@node"}, 2, "", "", "", "say which node"},
        {"two nodes", cmd_node, {"a", "b"}, {"@node"}, 2, "", "", "", "say which node"},

        {"units", cmd_units, {NULL}, {"@units"}, 1, "GET " V2 "/units?limit=1000 HTTP/1.1\r\n", "HEALTH", "\n3 components, as 10.0.0.1 sees it, 0 s ago\nthere are more than a master keeps apart: the list is cut\n", ""},
        {"units of what", cmd_units, {"a"}, {"@units"}, 2, "", "", "", "diag unit a shows one component"},
        {"unit", cmd_unit, {"dcos-mesos-slave.service"}, {"@unit"}, 1, "GET " V2 "/units/dcos-mesos-slave.service?limit=1000 HTTP/1.1\r\n",
         "dcos-mesos-slave.service: unhealthy\n", "\n3 nodes, as 10.0.0.1 sees it, 0 s ago\n", ""},
        {"unit, on many nodes", cmd_unit, {"dcos-mesos-slave.service"}, {"@unit-many"}, 1, "GET ", "dcos-mesos-slave.service: unhealthy\n",
         "\n\n2 of 9997 nodes: those that are not healthy (--all for all), as 10.0.0.1 sees it, 0 s ago\n", ""},
        {"unit without its type", cmd_unit, {"dcos-mesos-slave"}, {NO_UNIT, "@unit"}, 1, "GET " V2 "/units/dcos-mesos-slave.service?limit=1000 HTTP/1.1\r\n",
         "dcos-mesos-slave.service: unhealthy\n", "", ""},
        {"no such unit", cmd_unit, {"dcos-nat"}, {NO_UNIT, NO_UNIT, "@units"}, 2, "GET " V2 "/units?limit=10000 ", "", "",
         "no node has a unit dcos-nat; did you mean dcos-net.service?\n"},
        {"unit of what", cmd_unit, {NULL}, {"@unit"}, 2, "", "", "", "say which component"},

        {"forget", cmd_forget, {"-y", "10.0.0.9"}, {FORGOTTEN("")}, 0, "DELETE " V2 "/nodes/10.0.0.9 HTTP/1.1\r\n", "10.0.0.9 is forgotten\n", "", ""},
        {"forget, but not all know", cmd_forget, {"--yes", "10.0.0.9"}, {FORGOTTEN("\"10.0.0.2\",\"10.0.0.3\"")}, 4, "DELETE ",
         "10.0.0.9 is forgotten; not told, because they do not answer: 10.0.0.2, 10.0.0.3 (they may still know it: say it again when they are back)\n", "", ""},
        {"forget as JSON", cmd_forget, {"-y", "--json", "10.0.0.9"}, {FORGOTTEN("")}, 0, "DELETE ", "{\"node_id\":\"n\"", "\"not_reached\":[]}\n", ""},
        {"nobody to ask back", cmd_forget, {"10.0.0.9"}, {FORGOTTEN("")}, 2, "", "", "", "there is nobody to ask back: --yes if you are sure\n"},
        {"forget what is alive", cmd_forget, {"-y", "a"}, {REFUSED("alive")}, 1, "DELETE ", "", "",
         "refused (status 409): no, because; there: systemctl disable --now diag-agentd.socket diag-agentd.service\n"},
        {"forget what is listed", cmd_forget, {"-y", "a"}, {REFUSED("static")}, 1, "DELETE ", "", "", "no, because; on every master: [Node] in aggregatord.conf"},
        {"forget without ZooKeeper", cmd_forget, {"-y", "a"}, {REFUSED("zookeeper")}, 1, "DELETE ", "", "", "no, because; diag cluster says how ZooKeeper is\n"},
        {"forget nobody", cmd_forget, {"-y", "10.0.0.3"}, {NO_NODE, "@nodes"}, 1, "GET ", "", "", "no node 10.0.0.3; did you mean 10.0.0."},
        {"forget what", cmd_forget, {"-y"}, {FORGOTTEN("")}, 2, "", "", "", "say which node"},
        {"an option that is none", cmd_forget, {"--force", "a"}, {FORGOTTEN("")}, 2, "", "", "", "--force"},
};
/* clang-format on */

static bool ends_with(const char *s, const char *end)
{
        return strlen(s) >= strlen(end) && streq(s + strlen(s) - strlen(end), end);
}

START_TEST(asks_and_says)
{
        const char *name = runs[_i].name;
        struct run r;

        run(&r, runs[_i].verb, runs[_i].answers, runs[_i].arguments, -1);
        ck_assert_msg(r.exit_status == runs[_i].want, "%s: %d %s", name, r.exit_status,
                      r.complaints);
        ck_assert_msg(strncmp(r.server.last_request, runs[_i].asks, strlen(runs[_i].asks)) == 0 &&
                              (*runs[_i].asks || !*r.server.last_request),
                      "%s: %s", name, r.server.last_request);
        ck_assert_msg(strncmp(r.output, runs[_i].says, strlen(runs[_i].says)) == 0 &&
                              (*runs[_i].says || !*r.output) &&
                              ends_with(r.output, runs[_i].says_too),
                      "%s: %s", name, r.output);
        ck_assert_msg(strstr(r.complaints, runs[_i].complains) &&
                              (*runs[_i].complains || !*r.complaints),
                      "%s: %s", name, r.complaints);
        run_done(&r);
}
END_TEST

/* --- nobody to ask -------------------------------------------------------------------------------- */

START_TEST(says_that_this_is_no_master)
{
        static verb_fn *const verbs[] = {cmd_cluster, cmd_nodes, cmd_units};
        struct run r;

        if (access("/run/diag/aggregatord.sock", F_OK) == 0)
                return;
        run(&r, verbs[_i], (const char *const[]){NULL}, (const char *const[]){NULL}, -1);
        ck_assert_int_eq(r.exit_status, 2);
        ck_assert_msg(
                strstr(r.complaints, "unix:/run/diag/aggregatord.sock") &&
                        strstr(r.complaints, "; this machine is not a master: ask one with --url "),
                "%s", r.complaints);
        run_done(&r);
}
END_TEST

/* --- a person ------------------------------------------------------------------------------------- */

static const struct {
        const char *types;
        int want;
        const char *asks;
        const char *complains;
} persons[] = {
        {"y\n",  0, "DELETE " V2 "/nodes/addr:10.0.0.17 HTTP/1.1\r\n",
         "10.0.0.17 (addr:10.0.0.17), never, never heard: forget it? [y/N] "                  },
        {"n\n",  1, "GET " V2 "/nodes/a17 HTTP/1.1\r\n",               "nothing has changed\n"},
        {"\n",   1, "GET ",                                            "nothing has changed\n"},
        {"\004", 1, "GET ",                                            "nothing has changed\n"},
};

START_TEST(asks_back)
{
        static const char *const answers[] = {"@node-silent", FORGOTTEN(""), NULL};
        int keyboard = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal;
        size_t n = strlen(persons[_i].types);
        struct run r;

        ck_assert(keyboard >= 0 && grantpt(keyboard) == 0 && unlockpt(keyboard) == 0);
        terminal = open(ptsname(keyboard), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(terminal, 0);
        ck_assert_int_eq(write(keyboard, persons[_i].types, n), (ssize_t)n);
        run(&r, cmd_forget, answers, (const char *const[]){"a17", NULL}, terminal);
        ck_assert_int_eq(r.exit_status, persons[_i].want);
        ck_assert_msg(strncmp(r.server.last_request, persons[_i].asks, strlen(persons[_i].asks)) ==
                              0,
                      "%s", r.server.last_request);
        ck_assert_msg(strstr(r.complaints, persons[_i].complains), "%s", r.complaints);
        run_done(&r);
        close(terminal);
        close(keyboard);
}
END_TEST

/* --- watch ---------------------------------------------------------------------------------------- */

static size_t count_lines(const char *path)
{
        _cleanup_(freep) char *text = NULL;
        size_t n = 0;

        if (fs_read(path, OUTPUT_MAX, &text, NULL, NULL) < 0)
                return 0;
        for (const char *s = text; (s = strchr(s, '\n')); s++)
                n++;
        return n;
}

/* Something else that changes, a master that hangs up, nothing new, a change, nobody at all; SIGTERM. */
START_TEST(watches)
{
        static const char *const answers[] = {"@unhealthy", "@unhealthy", "", NOTHING_NEW,
                                              "@healthy"};
        struct buf bytes[ELEMENTSOF(answers)] = {0};
        struct scripted_reply replies[ELEMENTSOF(answers)];
        struct run r;

        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                replies[i] = make_reply(&bytes[i], answers[i]);
        run_start(&r, cmd_cluster, replies, ELEMENTSOF(answers),
                  (const char *const[]){"--watch", NULL}, -1);
        while (count_lines(r.out) < 2)
                (void)usleep(10000);
        ck_assert_int_eq(kill(r.pid, SIGTERM), 0);
        run_end(&r);
        r.server.replies = NULL;
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                buf_done(&bytes[i]);
        ck_assert_int_eq(r.exit_status, 0);
        ck_assert_ptr_nonnull(strstr(r.server.last_request, "\r\nIf-None-Match: W/\"a."));
        ck_assert_ptr_nonnull(strstr(r.server.last_request, "\r\nPrefer: wait=25\r\n"));
        ck_assert_msg(strstr(r.output, "Z unhealthy: 2 of 3 masters not healthy: ") &&
                              ends_with(r.output, "Z healthy: all 3 masters are healthy\n") &&
                              strchr(strchr(r.output, '\n') + 1, '\n')[1] == '\0',
                      "%s", r.output);
        ck_assert_msg(strstr(r.complaints, "will go on asking\n") &&
                              strstr(r.complaints, "answers again\n"),
                      "%s", r.complaints);
        run_done(&r);
}
END_TEST

/* A list of which the second page is missing is not shown, and asked for anew. */
START_TEST(watches_lists)
{
        static const char *const answers[] = {"@nodes-none", "@nodes-many-well",
                                              ANSWER("503 Busy", ""), "@nodes"};
        struct buf bytes[ELEMENTSOF(answers)] = {0};
        struct scripted_reply replies[ELEMENTSOF(answers)];
        struct run r;

        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                replies[i] = make_reply(&bytes[i], answers[i]);
        run_start(&r, cmd_nodes, replies, ELEMENTSOF(answers),
                  (const char *const[]){"--watch", "--json", NULL}, -1);
        while (count_lines(r.out) < 2)
                (void)usleep(10000);
        ck_assert_int_eq(kill(r.pid, SIGTERM), 0);
        run_end(&r);
        r.server.replies = NULL;
        for (size_t i = 0; i < ELEMENTSOF(answers); i++)
                buf_done(&bytes[i]);
        ck_assert_int_eq(r.exit_status, 1);
        ck_assert_ptr_nonnull(strstr(r.server.last_request, "/nodes?limit=1000 HTTP/1.1\r\n"));
        ck_assert_ptr_nonnull(strstr(r.complaints, "it is too busy; will go on asking\n"));
        ck_assert_uint_eq(strspn(r.output, "{"), 1);
        ck_assert_ptr_null(strstr(r.output, "10.0.1.0"));
        ck_assert_ptr_nonnull(strstr(r.output, "10.0.0.17"));
        run_done(&r);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cmd_cluster");
        TCase *tc = tcase_create("cmd_cluster");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, asks_and_says, 0, ELEMENTSOF(runs));
        tcase_add_loop_test(tc, says_that_this_is_no_master, 0, 3);
        tcase_add_loop_test(tc, asks_back, 0, ELEMENTSOF(persons));
        tcase_add_test(tc, watches);
        tcase_add_test(tc, watches_lists);
        tcase_set_timeout(tc, 30);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
