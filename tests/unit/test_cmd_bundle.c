/* diag bundle: whom it asks for what, what it says of it, what it leaves on the disk, how it ends. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/fs.h"
#include "cli/verb.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define MAX_ARGUMENTS 10
#define MAX_REPLIES   4
#define OUTPUT_MAX    (1024u * 1024u)
#define FILE_NAME     "b1.tar.gz"

/* Nobody waits here: the pauses between two questions end at once. */
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *t,
                           struct timespec *rest);
int __wrap_clock_nanosleep(_unused_ clockid_t clock, _unused_ int flags,
                           _unused_ const struct timespec *t, _unused_ struct timespec *rest)
{
        return 0;
}

/* --- a run ----------------------------------------------------------------------------------------- */

/* A server on a socket of its own, and the verb in a child, in a directory of its own. */
struct run {
        char directory[40], socket[56];
        struct scripted_server server;
        pid_t pid;
        int exit_status;
        char *output, *complaints;
};

static char *path_in(const struct run *r, char ret[static 128], const char *name)
{
        (void)snprintf(ret, 128, "%s/%s", r->directory, name);
        return ret;
}

static void redirect(const char *name, int fd)
{
        int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        ck_assert_int_ge(file, 0);
        ck_assert_int_eq(dup2(file, fd), fd);
        close(file);
}

/* @terminal: what stderr is; -1: a file */
static void run_child(const struct run *r, const char *const *arguments, int terminal)
{
        char *argv[MAX_ARGUMENTS + 4] = {(char[]){"diag bundle"}};
        int n = 1;

        ck_assert_int_eq(chdir(r->directory), 0);
        if (r->server.n_replies > 0) {
                argv[n++] = strdup("--url");
                argv[n++] = strdup(r->server.url);
        }
        for (size_t i = 0; arguments[i]; i++)
                argv[n++] = strdup(arguments[i]);
        argv[n] = NULL;
        redirect("out", STDOUT_FILENO);
        if (terminal >= 0)
                (void)dup2(terminal, STDERR_FILENO);
        else
                redirect("err", STDERR_FILENO);
        (void)unsetenv("DIAG_URL");
        n = cmd_bundle(n, argv);
        (void)fflush(stdout);
        _exit(n);
}

static void run_init(struct run *r, const struct scripted_reply *replies, size_t n)
{
        *r = (struct run){.directory = "/tmp/diag-test-bundle.XXXXXX"};
        ck_assert_ptr_nonnull(mkdtemp(r->directory));
        (void)snprintf(r->socket, sizeof(r->socket), "%s/s", r->directory);
        r->server.replies = replies;
        r->server.n_replies = n;
        if (n > 0)
                scripted_server_on_socket(&r->server, r->socket);
}

static void run_fork(struct run *r, const char *const *arguments, int terminal)
{
        r->pid = fork();
        ck_assert_int_ge(r->pid, 0);
        if (r->pid == 0)
                run_child(r, arguments, terminal);
}

static char *slurp(const struct run *r, const char *name)
{
        char path[128], *text = NULL;

        return fs_read(path_in(r, path, name), OUTPUT_MAX, &text, NULL, NULL) < 0 ? NULL : text;
}

static void run_reap(struct run *r)
{
        int status;

        ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
        ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
        r->exit_status = WEXITSTATUS(status);
        r->output = slurp(r, "out");
        r->complaints = slurp(r, "err");
}

static void run_done(struct run *r)
{
        static const char *const names[] = {"out",
                                            "err",
                                            "s",
                                            FILE_NAME,
                                            FILE_NAME ".part",
                                            "target",
                                            "d/" FILE_NAME,
                                            "d/" FILE_NAME ".part",
                                            "my.zip"};
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void)unlink(path_in(r, path, names[i]));
        (void)rmdir(path_in(r, path, "d"));
        ck_assert_msg(rmdir(r->directory) == 0, "something was left in %s", r->directory);
        free(r->output);
        free(r->complaints);
}

/* The child is forked before the server's thread starts: its connections wait in the queue. */
static void run(struct run *r, const char *const *arguments)
{
        run_fork(r, arguments, -1);
        if (r->server.n_replies > 0)
                scripted_server_start(&r->server);
        run_reap(r);
        if (r->server.n_replies > 0) {
                (void)shutdown(r->server.listen_fd, SHUT_RDWR);
                scripted_server_join(&r->server);
        }
}

static size_t make_replies(struct scripted_reply *ret, const char *const *answers)
{
        size_t n = 0;

        for (; n < MAX_REPLIES && answers[n]; n++)
                ret[n] = (struct scripted_reply){.bytes = answers[n]};
        return n;
}

/* --- what a master says ---------------------------------------------------------------------------- */

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\n\r\n" body
#define ERROR(code, text, reason) \
        "{\"code\":" #code ",\"error\":\"" text "\",\"reason\":\"" reason "\"}\n"
#define V2     "/system/health/v2/bundles"
#define SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */

#define BUNDLE(id, state, created, redact, more)                                            \
        "{\"id\":\"" id "\",\"type\":\"cluster\",\"state\":\"" state                        \
        "\",\"created\":\"2026-11-21T" created ":00.000Z\",\"finished\":null,"              \
        "\"by\":\"uid:0\",\"observer\":\"10.0.0.1\",\"request\":{\"nodes\":[\"masters\","   \
        "\"10.0.0.5\"],\"since\":\"2026-11-20T12:00:00.000Z\",\"until\":null,\"kinds\":[]," \
        "\"format\":\"tar.gz\",\"redact\":" redact "},\"progress\":{\"nodes_total\":2,"     \
        "\"nodes_done\":1,\"nodes_failed\":0,\"received_bytes\":1536,\"fraction\":0.5,"     \
        "\"current\":\"journal of \\u001b[31mx.service\"}," more "}"
#define PART(address, state, failed, error)                                                    \
        "{\"node_id\":null,\"address\":\"" address "\",\"role\":\"master\",\"state\":\"" state \
        "\",\"bytes\":2048,\"entries\":61,\"failed_entries\":" #failed ",\"error\":" error     \
        ",\"took_seconds\":4.5}"
#define WHOLE                                                                          \
        "\"size_bytes\":5,\"sha256\":\"" SHA256 "\",\"partial\":false,\"error\":null," \
        "\"redactions\":412,\"nodes\":[" PART("10.0.0.1", "done", 0,                   \
                                              "null") "," PART("10.0.0.5", "done", 0, "null") "]"
#define PARTIAL                                                                              \
        "\"size_bytes\":5,\"sha256\":\"" SHA256 "\",\"partial\":true,\"error\":null,"        \
        "\"redactions\":1,\"nodes\":[" PART("10.0.0.1", "done", 3, "null") "," PART(         \
                "10.0.0.5", "partial", 0, "\"cut short\"") "," PART("10.0.0.6", "failed", 0, \
                                                                    "\"no answer\"") "]"
#define UNFINISHED                                                              \
        "\"size_bytes\":null,\"sha256\":null,\"partial\":false,\"error\":null," \
        "\"redactions\":0,\"nodes\":[" PART("10.0.0.1", "done", 0,              \
                                            "null") "," PART("10.0.0.5", "running", 0, "null") "]"
#define ENDED(error)                                                             \
        "\"size_bytes\":null,\"sha256\":null,\"partial\":false,\"error\":" error \
        ",\"redactions\":0,\"nodes\":[]"

#define DONE      BUNDLE("b1", "done", "12:00", "true", WHOLE)
#define DONE_PART BUNDLE("b1", "done", "12:00", "true", PARTIAL)
#define BARE      BUNDLE("b1", "done", "12:00", "false", WHOLE)
#define RUNNING   BUNDLE("b1", "running", "12:00", "true", UNFINISHED)
#define FAILED    BUNDLE("b1", "failed", "12:00", "true", ENDED("\"the disk is full\""))
#define CANCELED  BUNDLE("b1", "canceled", "12:00", "true", ENDED("null"))
#define LIST(items, silent) \
        ANSWER("200 OK", "{\"items\":[" items "],\"total\":2,\"silent\":[" silent "]}\n")
#define OLDER     BUNDLE("a0", "done", "11:00", "true", WHOLE)
#define NEWER     BUNDLE("c2", "canceled", "13:00", "true", ENDED("null"))
#define SILENT    "{\"address\":\"10.0.0.2\",\"error\":\"did not answer\"}"
#define NO_BUNDLE ANSWER("404 Not Found", ERROR(404, "no bundle b1", "no-such-bundle"))
#define ESTIMATE(fits)                                                                         \
        ANSWER("200 OK",                                                                       \
               "{\"likely_bytes\":1048576,\"max_bytes\":2147483648,\"free_bytes\":3221225472," \
               "\"floor_bytes\":1073741824,\"fits\":" fits ",\"nodes\":["                      \
               "{\"address\":\"10.0.0.1\",\"likely_bytes\":1048576,\"max_bytes\":2147483648,"  \
               "\"error\":null},{\"address\":\"10.0.0.5\",\"likely_bytes\":0,\"max_bytes\":0," \
               "\"error\":\"no answer\"}]}\n")
#define TAIL       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"e\"\r\n\r\n"
#define FILE_WHOLE TAIL "hello"

/* clang-format off */
static const struct {
        const char *name;
        const char *arguments[MAX_ARGUMENTS];
        const char *answers[MAX_REPLIES + 1];
        int want;
        const char *asks;      /* begins the last request; "" any */
        const char *body;      /* ends it; "" any */
        const char *says;      /* begins the output; "" nothing is said */
        const char *says_too;  /* ends it */
        const char *complains; /* stands in what is on stderr; "" there is nothing */
} runs[] = {
        {"create", {"create"}, {ANSWER("201 Created", RUNNING)}, 0, "POST " V2 " HTTP/1.1\r\n", "\r\n\r\n{}", "b1\n", "",
         "diag bundle create: it is being made, of masters, 10.0.0.5; diag bundle wait b1, then diag bundle download b1\n"},
        {"create what", {"create", "--nodes", "masters,10.0.0.5", "--nodes=10.0.0.6,masters", "--since", "2026-11-20 10:00",
                         "--until=2026-11-20T11:00:30+01:00", "--only=journal,file", "--id=x"},
         {ANSWER("201 Created", RUNNING)}, 0, "POST " V2 " HTTP/1.1\r\n",
         "{\"id\":\"x\",\"nodes\":[\"masters\",\"10.0.0.5\",\"10.0.0.6\"],\"since\":\"2026-11-20T10:00:00.000Z\","
         "\"until\":\"2026-11-20T10:00:30.000Z\",\"kinds\":[\"journal\",\"file\"]}", "b1\n", "", "it is being made"},
        {"create how", {"create", "--format=zip", "--no-redact"}, {ANSWER("201 Created", RUNNING)}, 0, "POST ", "{\"format\":\"zip\",\"redact\":false}",
         "b1\n", "", "it is being made"},
        {"create, JSON", {"create", "--json"}, {ANSWER("201 Created", RUNNING)}, 0, "POST ", "", RUNNING, "]}", ""},
        {"may not", {"create"}, {ANSWER("403 Forbidden", ERROR(403, "no", "not-allowed"))}, 1, "POST ", "", "", "",
         "refused (status 403): no; those who may: on a master root and members of group diag, over TLS who shows a master's certificate\n"},
        {"may not at all", {"list"}, {ANSWER("403 Forbidden", "")}, 1, "GET " V2 " HTTP/1.1\r\n", "", "", "", "it does not let us ask; those who may"},
        {"may not unredacted", {"create", "--no-redact"}, {ANSWER("403 Forbidden", ERROR(403, "AllowUnredacted=yes is not set", "unredacted"))}, 1, "POST ", "", "", "",
         "refused (status 403): AllowUnredacted=yes is not set\n"},
        {"no room", {"create"}, {ANSWER("507 No", ERROR(507, "1.0 GiB has to stay free", "no-space"))}, 1, "POST ", "", "", "",
         "diag bundle create: 1.0 GiB has to stay free\n"},
        {"wrong word", {"create", "--only=jurnal"}, {ANSWER("400 No", ERROR(400, "kinds: no such kind", "bad-request"))}, 2, "POST ", "", "", "",
         "diag bundle create: kinds: no such kind\n"},
        {"exists", {"create", "--id=x"}, {ANSWER("409 No", ERROR(409, "there is a bundle x", "exists"))}, 1, "POST ", "", "", "", "there is a bundle x\n"},
        {"busy", {"create"}, {ANSWER("429 No", ERROR(429, "too many wait", "busy"))}, 1, "POST ", "", "", "", "refused (status 429): too many wait\n"},
        {"hangs up", {"create"}, {""}, 2, "POST ", "", "", "", "hung up without an answer; see systemctl status diag-aggregatord.service\n"},
        {"says nonsense", {"create"}, {ANSWER("201 Created", "{\"id\":\"../../etc\"}")}, 2, "POST ", "", "", "",
         "says what we do not understand: id is not that of a bundle\n"},
        {"another service", {"list"}, {ANSWER("404 No", "nothing")}, 1, "GET ", "", "", "", "refused (status 404): there is no API v2\n"},

        {"and wait: whole", {"create", "--wait"}, {ANSWER("201 Created", DONE)}, 0, "POST ", "", "bundle b1: done\n2 nodes; 122 entries; 412 secrets masked\n",
         "5 B on 10.0.0.1; to get it: diag bundle download b1\n",
         "diag bundle create: bundle b1, of masters, 10.0.0.5\n10.0.0.1 master: done, 2.0 KiB, 61 entries, 4.5 s\n10.0.0.5 master: done"},
        {"and wait: some", {"create", "--wait"}, {ANSWER("201 Created", DONE_PART)}, 4, "POST ", "", "bundle b1: done, partial\nADDRESS   ROLE    STATE",
         "2 nodes, 1 partial; 183 entries, 3 failed; 1 secret masked\n5 B on 10.0.0.1; to get it: diag bundle download b1\n"
         "what is missing, and why: summaryErrorsReport.txt in it\n",
         "10.0.0.1 master: done, 2.0 KiB, 61 entries, 3 failed, 4.5 s\n10.0.0.5 master: partial, 2.0 KiB, 61 entries, 4.5 s: cut short\n"
         "10.0.0.6 master: failed, 4.5 s: no answer\n"},
        {"and wait: nothing", {"create", "--wait"}, {ANSWER("201 Created", FAILED)}, 1, "POST ", "", "bundle b1: failed: the disk is full\n2 nodes; 0 entries; ", "there is no file\n", "of masters"},
        {"and wait: secrets", {"create", "--wait"}, {ANSWER("201 Created", BARE)}, 0, "POST ", "",
         "bundle b1: done\n2 nodes; 122 entries; NOT REDACTED: passwords and keys of these nodes stand in it as they are\n", "download b1\n", "of masters"},
        {"and wait: JSON", {"create", "--wait", "--json"}, {ANSWER("201 Created", DONE_PART)}, 4, "POST ", "", DONE_PART, "]}", ""},
        {"it takes a while", {"create", "--wait"}, {ANSWER("201 Created", RUNNING), ANSWER("200 OK", DONE)}, 0, "GET " V2 "/b1 HTTP/1.1\r\n", "", "bundle b1: done\n", "",
         "4.5 s\n10.0.0.5 master: done, 2.0 KiB, 61 entries, 4.5 s\n"},
        {"it restarts meanwhile", {"wait", "b1"}, {ANSWER("200 OK", RUNNING), "", ANSWER("200 OK", FAILED)}, 1, "GET " V2 "/b1 HTTP/1.1\r\n", "", "bundle b1: failed", "",
         "hung up without an answer; will go on asking\ndiag bundle wait: unix:"},
        {"it is deleted meanwhile", {"wait", "b1"}, {ANSWER("200 OK", RUNNING), NO_BUNDLE}, 1, "GET ", "", "", "", "diag bundle wait: no bundle b1\n"},
        {"it is nonsense meanwhile", {"wait", "b1"}, {ANSWER("200 OK", RUNNING), ANSWER("200 OK", "{}")}, 2, "GET ", "", "", "", "id is not that of a bundle\n"},

        {"list", {"list"}, {LIST(DONE_PART "," RUNNING, "")}, 0, "GET " V2 " HTTP/1.1\r\n", "", "ID  STATE    CREATED", "", ""},
        {"list of none", {"list"}, {LIST("", "")}, 0, "GET ", "", "no bundle\n", "", ""},
        {"list, a master is silent", {"list"}, {LIST(DONE, SILENT)}, 4, "GET ", "", "ID  STATE", "", "diag bundle list: 10.0.0.2 cannot be asked for its bundles: did not answer\n"},
        {"list, JSON", {"list", "--json"}, {LIST(DONE, "")}, 0, "GET ", "", "{\"items\":[", "}\n", ""},
        {"list, no list", {"list"}, {ANSWER("200 OK", "{}")}, 2, "GET ", "", "", "", "there is no list in it\n"},
        {"show", {"show", "b1"}, {ANSWER("200 OK", DONE_PART)}, 4, "GET " V2 "/b1 HTTP/1.1\r\n", "", "bundle b1: done, partial\ncreated    2026-11-21T12:00:00.000Z (", "no answer\n", ""},
        {"show one that runs", {"show", "b1"}, {ANSWER("200 OK", RUNNING)}, 0, "GET ", "", "bundle b1: running\n", "", ""},
        {"show none", {"show", "b1"}, {NO_BUNDLE}, 1, "GET ", "", "", "", "diag bundle show: no bundle b1\n"},
        {"wait for the newest", {"wait"}, {LIST(OLDER "," NEWER "," RUNNING, ""), ANSWER("200 OK", DONE)}, 0, "GET " V2 "/b1 HTTP/1.1\r\n", "", "bundle b1: done\n", "", "10.0.0.1 master: done"},
        {"wait for what has ended", {"wait"}, {LIST(OLDER "," NEWER, ""), ANSWER("200 OK", CANCELED)}, 1, "GET " V2 "/c2 HTTP/1.1\r\n", "", "bundle b1: canceled\n", "", ""},
        {"wait for nothing", {"wait"}, {LIST("", "")}, 1, "GET ", "", "", "", "there is no bundle\n"},
        {"cancel", {"cancel", "b1"}, {ANSWER("200 OK", CANCELED)}, 0, "POST " V2 "/b1/cancel HTTP/1.1\r\n", "", "bundle b1: canceled\n", "", ""},
        {"cancel, and it takes a while", {"cancel", "b1"}, {ANSWER("200 OK", RUNNING)}, 0, "POST ", "", "bundle b1: will soon be canceled\n", "", ""},
        {"delete, and nothing is said of it", {"delete", "b1"}, {ANSWER("200 OK", "{}")}, 0, "DELETE ", "", "bundle b1: deleted\n", "", ""},
        {"cancel, JSON", {"cancel", "b1", "--json"}, {ANSWER("200 OK", CANCELED)}, 0, "POST ", "", CANCELED, "", ""},
        {"cancel too late", {"cancel", "b1"}, {ANSWER("409 No", ERROR(409, "it has ended", "ended"))}, 1, "POST ", "", "", "", "diag bundle cancel: it has ended\n"},
        {"delete", {"delete", "b1"}, {ANSWER("200 OK", CANCELED)}, 0, "DELETE " V2 "/b1 HTTP/1.1\r\n", "", "bundle b1: deleted\n", "", ""},
        {"delete none", {"delete", "b1"}, {NO_BUNDLE}, 1, "DELETE ", "", "", "", "no bundle b1\n"},

        {"estimate", {"estimate", "--nodes", "all"}, {ESTIMATE("true")}, 0, "POST " V2 "/estimate HTTP/1.1\r\n", "{\"nodes\":[\"all\"]}",
         "ADDRESS    LIKELY  AT MOST  WHY NOT\n10.0.0.1  1.0 MiB  2.0 GiB\n10.0.0.5        -        -  no answer\n", "", ""},
        {"estimate of too much", {"estimate"}, {ESTIMATE("false")}, 1, "POST ", "\r\n\r\n{}", "ADDRESS",
         "\n1.0 MiB likely, at most 2.0 GiB; 3.0 GiB are free, and 1.0 GiB have to stay so: IT DOES NOT FIT\n", ""},
        {"estimate, JSON", {"estimate", "--json"}, {ESTIMATE("false")}, 1, "POST ", "", "{\"likely_bytes\"", "}\n", ""},
        {"no estimate", {"estimate"}, {ANSWER("200 OK", "{}")}, 2, "POST ", "", "", "", "fits is neither true nor false\n"},

        {"download none", {"download"}, {LIST(RUNNING "," NEWER, "")}, 1, "GET ", "", "", "", "there is no bundle that is done\n"},
        {"download too early", {"download", "b1"}, {ANSWER("200 OK", RUNNING)}, 1, "GET ", "", "", "", "bundle b1 is still being made; diag bundle wait b1\n"},
        {"download what failed", {"download", "b1"}, {ANSWER("200 OK", FAILED)}, 1, "GET ", "", "", "", "bundle b1 has no file: it is failed: the disk is full\n"},
        {"download what is gone", {"download", "b1"}, {ANSWER("200 OK", DONE), ANSWER("410 Gone", ERROR(410, "it was deleted", "deleted"))}, 1,
         "GET " V2 "/b1/file HTTP/1.1\r\n", "", "", "", "diag bundle download: it was deleted\n"},
};
/* clang-format on */

static bool begins(const char *s, const char *beginning)
{
        return strncmp(s, beginning, strlen(beginning)) == 0;
}

static bool ends(const char *s, const char *end)
{
        return strlen(s) >= strlen(end) && streq(s + strlen(s) - strlen(end), end);
}

START_TEST(asks_and_says)
{
        struct scripted_reply replies[MAX_REPLIES];
        struct run r;

        run_init(&r, replies, make_replies(replies, runs[_i].answers));
        run(&r, runs[_i].arguments);
        ck_assert_msg(r.exit_status == runs[_i].want, "%s: %d %s%s", runs[_i].name, r.exit_status,
                      r.output, r.complaints);
        ck_assert_msg(begins(r.server.last_request, runs[_i].asks) &&
                              ends(r.server.last_request, runs[_i].body),
                      "%s: %s", runs[_i].name, r.server.last_request);
        ck_assert_msg(begins(r.output, runs[_i].says) && ends(r.output, runs[_i].says_too),
                      "%s: %s", runs[_i].name, r.output);
        ck_assert_msg(*runs[_i].says || !*r.output, "%s: %s", runs[_i].name, r.output);
        ck_assert_msg(*runs[_i].complains ? strstr(r.complaints, runs[_i].complains) != NULL
                                          : !*r.complaints,
                      "%s: %s", runs[_i].name, r.complaints);
        ck_assert_ptr_null(strchr(r.output, '\033'));
        ck_assert_ptr_null(strchr(r.complaints, '\033'));
        run_done(&r);
}
END_TEST

/* --- its file -------------------------------------------------------------------------------------- */

#define PIECE(range, bytes)                                                          \
        "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Range: bytes " range \
        "\r\n\r\n" bytes
#define INFO ANSWER("200 OK", DONE)

enum before { NOTHING = 0, A_PART, A_LINK, A_HARD_LINK, A_DIRECTORY, A_FILE };

/* clang-format off */
static const struct {
        const char *name;
        const char *arguments[MAX_ARGUMENTS];
        enum before before;
        int want;
        const char *part;                     /* what an earlier run left */
        const char *answers[MAX_REPLIES + 1];
        const char *asks, *asks_not;          /* stands, and does not, in the last request */
        const char *file, *left;              /* what is in FILE and FILE.part then; NULL: there is none */
        const char *complains;
} files[] = {
        {"the newest that is done", {"download"}, NOTHING, 0, NULL, {LIST(OLDER "," DONE "," NEWER, ""), INFO, FILE_WHOLE}, "GET " V2 "/b1/file HTTP/1.1\r\n", "Range",
         "hello", NULL, ""},
        {"of unknown length", {"download", "b1"}, NOTHING, 0, NULL, {INFO, "HTTP/1.1 200 OK\r\n\r\nhello"}, "GET ", "Range", "hello", NULL, ""},
        {"with what is missing", {"download", "b1"}, NOTHING, 4, NULL, {ANSWER("200 OK", DONE_PART), FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"over another file", {"download", "b1"}, A_FILE, 0, NULL, {INFO, FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"goes on", {"download", "b1"}, A_PART, 0, "he", {INFO, PIECE("2-4/5", "llo")}, "\r\nRange: bytes=2-\r\n", "\r\n\r\n\r\n", "hello", NULL, ""},
        {"goes on with another one", {"download", "b1"}, A_PART, 0, "xy", {INFO, PIECE("2-4/5", "llo"), FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"goes on from where it is not", {"download", "b1"}, A_PART, 0, "he", {INFO, PIECE("1-4/5", "ello"), FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"goes on with what has another size", {"download", "b1"}, A_PART, 0, "he", {INFO, PIECE("2-5/6", "llo!"), FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"goes on, and is sent all of it", {"download", "b1"}, A_PART, 0, "xy", {INFO, FILE_WHOLE}, "\r\nRange: bytes=2-\r\n", "\r\n\r\n\r\n", "hello", NULL, ""},
        {"goes on, and there is no such part", {"download", "b1"}, A_PART, 0, "he",
         {INFO, ANSWER("416 No", ""), FILE_WHOLE}, "GET ", "Range", "hello", NULL, ""},
        {"has all of it", {"download", "b1"}, A_PART, 0, "hello", {INFO}, "GET " V2 "/b1 HTTP/1.1\r\n", "Range", "hello", NULL, ""},
        {"has all of another one", {"download", "b1"}, A_PART, 0, "xxxxx", {INFO, FILE_WHOLE}, "GET " V2 "/b1/file ", "Range", "hello", NULL, ""},
        {"has more", {"download", "b1"}, A_PART, 0, "hello, you", {INFO, FILE_WHOLE}, "GET " V2 "/b1/file ", "Range", "hello", NULL, ""},
        {"breaks off", {"download", "b1"}, NOTHING, 0, NULL, {INFO, TAIL "he", PIECE("2-4/5", "llo")},
         "\r\nRange: bytes=2-\r\nIf-Range: \"e\"\r\n", "\r\n\r\n\r\n", "hello", NULL, ""},
        {"breaks off at once", {"download", "b1"}, NOTHING, 2, NULL, {INFO, TAIL}, "GET ", "Range", NULL, NULL, "hung up in the middle; the same again goes on where this ended\n"},
        {"something else", {"download", "b1"}, NOTHING, 1, NULL, {INFO, TAIL "jello"}, "GET ", "Range", NULL, NULL,
         "what came is not the bundle, and was removed: its SHA-256 should be " SHA256 ", and is "},
        {"too little", {"download", "b1"}, NOTHING, 1, NULL, {INFO, "HTTP/1.1 200 OK\r\n\r\nhell"}, "GET ", "Range", NULL, NULL, "of 5 bytes came 4\n"},
        {"nothing", {"download", "b1"}, NOTHING, 1, NULL, {INFO, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, "GET ", "Range", NULL, NULL, "of 5 bytes came 0\n"},
        {"too much", {"download", "b1"}, NOTHING, 2, NULL, {INFO, "HTTP/1.1 200 OK\r\n\r\nhello!"}, "GET ", "Range", NULL, NULL, "sends more than the 5 bytes that it has\n"},
        {"not to be had", {"download", "b1"}, A_PART, 1, "he", {INFO, NO_BUNDLE}, "GET ", "", NULL, "he", "no bundle b1\n"},
        {"a trap", {"download", "b1"}, A_LINK, 2, NULL, {INFO}, "", "", NULL, "", "cannot write " FILE_NAME ".part: Too many levels of symbolic links\n"},
        {"a quieter trap", {"download", "b1"}, A_HARD_LINK, 2, NULL, {INFO}, "", "", NULL, "", FILE_NAME ".part is there, and is no plain file of ours\n"},
        {"no file", {"download", "b1"}, A_DIRECTORY, 2, NULL, {INFO}, "", "", NULL, NULL, FILE_NAME " is a directory\n"},
        {"no directory", {"download", "b1", "-o", "nowhere/x"}, NOTHING, 2, NULL, {INFO}, "", "", NULL, NULL, "cannot write nowhere/x.part: No such file"},
        {"made and fetched", {"create", "-o", FILE_NAME}, NOTHING, 0, NULL, {ANSWER("201 Created", DONE), FILE_WHOLE}, "GET " V2 "/b1/file ", "Range", "hello", NULL, "10.0.0.1 master: done"},
        {"made, not fetched", {"create", "-o", FILE_NAME}, NOTHING, 1, NULL, {ANSWER("201 Created", DONE), NO_BUNDLE}, "GET ", "Range", NULL, NULL, "no bundle b1\n"},
        {"not made", {"create", "-o", FILE_NAME}, NOTHING, 1, NULL, {ANSWER("201 Created", FAILED)}, "POST ", "Range", NULL, NULL, "of masters"},
};
/* clang-format on */

static void put_file(const struct run *r, const char *name, const char *text)
{
        char path[128];
        int fd = open(path_in(r, path, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

static void prepare(const struct run *r, enum before before, const char *part)
{
        char from[128], to[128];

        path_in(r, from, "target");
        path_in(r, to, FILE_NAME ".part");
        if (before == A_PART)
                put_file(r, FILE_NAME ".part", part);
        if (before == A_FILE)
                put_file(r, FILE_NAME, "hello, world");
        if (before == A_LINK || before == A_HARD_LINK)
                put_file(r, "target", "");
        if (before == A_LINK)
                ck_assert_int_eq(symlink(from, to), 0);
        if (before == A_HARD_LINK)
                ck_assert_int_eq(link(from, to), 0);
        if (before == A_DIRECTORY)
                ck_assert_int_eq(mkdir(path_in(r, to, FILE_NAME), 0700), 0);
}

static void must_hold(const struct run *r, const char *name, const char *want, const char *test)
{
        _cleanup_(freep) char *text = slurp(r, name);
        char path[128];
        struct stat st;

        if (!want) {
                ck_assert_msg(!text, "%s: there is %s: %s", test, name, text);
                return;
        }
        ck_assert_msg(text && streq(text, want), "%s: %s: %s", test, name, str_or(text, "none"));
        if (*want && stat(path_in(r, path, name), &st) == 0)
                ck_assert_msg((st.st_mode & 07777) == 0600, "%s: %s: %o", test, name, st.st_mode);
}

START_TEST(keeps_file)
{
        struct scripted_reply replies[MAX_REPLIES];
        char path[128];
        struct run r;

        run_init(&r, replies, make_replies(replies, files[_i].answers));
        prepare(&r, files[_i].before, files[_i].part);
        run(&r, files[_i].arguments);
        ck_assert_msg(r.exit_status == files[_i].want, "%s: %d %s%s", files[_i].name, r.exit_status,
                      r.output, r.complaints);
        ck_assert_msg(*files[_i].complains ? strstr(r.complaints, files[_i].complains) != NULL
                                           : !*r.complaints,
                      "%s: %s", files[_i].name, r.complaints);
        ck_assert_msg(strstr(r.server.last_request, files[_i].asks) != NULL, "%s: %s",
                      files[_i].name, r.server.last_request);
        ck_assert_msg(!*files[_i].asks_not || !strstr(r.server.last_request, files[_i].asks_not),
                      "%s: %s", files[_i].name, r.server.last_request);
        if (files[_i].before == A_DIRECTORY)
                ck_assert_int_eq(rmdir(path_in(&r, path, FILE_NAME)), 0);
        else
                must_hold(&r, FILE_NAME, files[_i].file, files[_i].name);
        must_hold(&r, FILE_NAME ".part", files[_i].left, files[_i].name);
        run_done(&r);
}
END_TEST

START_TEST(puts_file_where_it_was_told)
{
        static const struct {
                const char *output, *file;
                bool json;
        } places[] = {
                {"d",      "d/" FILE_NAME, false},
                {"d/",     "d/" FILE_NAME, true },
                {"my.zip", "my.zip",       true },
        };
        const struct scripted_reply replies[] = {{.bytes = INFO}, {.bytes = FILE_WHOLE}};
        const char *const arguments[] = {
                "download", "b1", "-o", places[_i].output, places[_i].json ? "--json" : NULL, NULL};
        char path[128], json[256];
        struct run r;

        run_init(&r, replies, ELEMENTSOF(replies));
        ck_assert_int_eq(mkdir(path_in(&r, path, "d"), 0700), 0);
        run(&r, arguments);
        ck_assert_msg(r.exit_status == 0, "%d %s", r.exit_status, r.complaints);
        must_hold(&r, places[_i].file, "hello", places[_i].output);
        (void)snprintf(json, sizeof(json),
                       "{\"id\":\"b1\",\"file\":\"%s\",\"size_bytes\":5,\"sha256\":\"" SHA256
                       "\",\"partial\":false}\n",
                       places[_i].file);
        if (places[_i].json)
                ck_assert_str_eq(r.output, json);
        else
                ck_assert_msg(ends(r.output, "\n5 B in d/" FILE_NAME "\n"), "%s", r.output);
        run_done(&r);
}
END_TEST

START_TEST(guesses_format_from_name_of_file)
{
        const struct scripted_reply reply = {.bytes = ANSWER("201 Created", FAILED)};
        const char *const arguments[] = {"create", "-o", "my.zip", NULL};
        struct run r;

        run_init(&r, &reply, 1);
        run(&r, arguments);
        ck_assert_int_eq(r.exit_status, 1);
        ck_assert_msg(ends(r.server.last_request, "\r\n\r\n{\"format\":\"zip\"}"), "%s",
                      r.server.last_request);
        run_done(&r);
}
END_TEST

/* --- somebody watches ------------------------------------------------------------------------------ */

/* The next connection, answered by us. */
static void answer(struct run *r, const char *bytes)
{
        const struct scripted_reply reply = {.bytes = bytes};
        int fd = accept4(r->server.listen_fd, NULL, NULL, SOCK_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        scripted_read_request(&r->server, fd);
        scripted_answer(&reply, fd);
        close(fd);
}

static const struct {
        int signo, want;
} interruptions[] = {
        {SIGINT,  130},
        {SIGTERM, 143},
};

START_TEST(says_that_it_goes_on)
{
        const struct scripted_reply some = {.bytes = ""};
        const char *const arguments[] = {"create", "--wait", NULL};
        struct run r;

        run_init(&r, &some, 1);
        run_fork(&r, arguments, -1);
        answer(&r, ANSWER("201 Created", RUNNING));
        answer(&r, ANSWER("200 OK", RUNNING));
        ck_assert_int_eq(kill(r.pid, interruptions[_i].signo), 0);
        run_reap(&r);
        close(r.server.listen_fd);
        ck_assert_int_eq(r.exit_status, interruptions[_i].want);
        ck_assert_str_eq(r.output, "");
        ck_assert_msg(strstr(r.complaints, "\ndiag bundle create: the bundle is being made all the "
                                           "same. diag bundle wait b1 waits on, diag bundle cancel "
                                           "b1 ends it\n") != NULL,
                      "%s", r.complaints);
        run_done(&r);
}
END_TEST

START_TEST(draws_line_on_terminal)
{
        const struct scripted_reply replies[] = {{.bytes = ANSWER("201 Created", RUNNING)},
                                                 {.bytes = ANSWER("200 OK", DONE)}};
        const char *const arguments[] = {"create", "--wait", NULL};
        int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other;
        char seen[4096];
        size_t n = 0;
        ssize_t k;
        struct run r;

        ck_assert_int_ge(terminal, 0);
        ck_assert_int_eq(grantpt(terminal), 0);
        ck_assert_int_eq(unlockpt(terminal), 0);
        other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(other, 0);
        (void)setenv("COLUMNS", "80", 1);
        (void)setenv("TERM", "dumb", 1);
        run_init(&r, replies, ELEMENTSOF(replies));
        run_fork(&r, arguments, other);
        close(other);
        scripted_server_start(&r.server);
        while ((k = read(terminal, seen + n, sizeof(seen) - 1 - n)) > 0)
                n += (size_t)k;
        seen[n] = '\0';
        run_reap(&r);
        scripted_server_join(&r.server);
        close(terminal);
        ck_assert_int_eq(r.exit_status, 0);
        ck_assert_msg(strstr(seen, "4.5 s\r\n\r\033[Krunning: 1 of 2 nodes, 1.5 KiB; journal of "
                                   "x.service\r\033[K10.0.0.5 master: done") != NULL,
                      "%s", seen);
        run_done(&r);
}
END_TEST

/* --- its call -------------------------------------------------------------------------------------- */

static const struct {
        const char *arguments[MAX_ARGUMENTS];
        int want;
        const char *says;
} calls[] = {
        {{"--help"},                                   0, "diag bundle ACTION [OPTION...]"                                                                                                                    },
        {{NULL},                                       2, "say what to do: diag bundle create"                                                                                                                },
        {{"creat"},                                    2, "it cannot \"creat\"; did you mean create?"                                                                                                         },
        {{"create", "x"},                              2, "diag bundle create: what is \"x\"?"                                                                                                                },
        {{"show"},                                     2, "say which one: diag bundle show ID"                                                                                                                },
        {{"show", "a", "b"},                           2, "what is \"b\"?"                                                                                                                                    },
        {{"show", "../a"},                             2, "\"../a\" is not the id of a bundle"                                                                                                                },
        {{"delete", ""},                               2, "\"\" is not the id of a bundle"                                                                                                                    },
        {{"list", "--since", "1h"},                    2, "--since is not for diag bundle list"                                                                                                               },
        {{"list", "-o", "x"},                          2, "--output is not for diag bundle list"                                                                                                              },
        {{"download", "--wait"},                       2, "--wait is not for diag bundle download"                                                                                                            },
        {{"estimate", "-o", "x"},                      2, "--output is not for diag bundle estimate"                                                                                                          },
        {{"create", "-o", "-"},                        2, "--output \"-\" is not the name of a file"                                                                                                          },
        {{"create", "-o", "nowhere/x"},
         2,                                               "cannot write nowhere/x: nowhere: No such file or directory; no bundle was made\n"                                                                  },
        {{"create", "-o", ""},                         2, "--output \"\" is not the name of a file"                                                                                                           },
        {{"create", "--nodes", "a,,b"},                2, "--nodes has an empty word"                                                                                                                         },
        {{"create", "--only", ""},                     2, "--only has an empty word"                                                                                                                          },
        {{"create", "--id", ".a"},                     2, "\".a\" cannot be an id"                                                                                                                            },
        {{"create", "--since", "yesterday"},
         2,                                               "--since \"yesterday\" is neither a time such as 24h"                                                                                               },
        {{"create", "--since", "1h", "--until", "2h"}, 2, "is not before --until"                                                                                                                             },
        {{"create", "--since", "9000-01-01"},
         2,                                               "--since 9000-01-01T00:00:00.000Z has not come yet"                                                                                                 },
        {{"create", "--local", "--nodes", "all"},      2, "--nodes is of no use"                                                                                                                              },
        {{"create", "--local", "--url", "http://a"},   2, "--url is of no use"                                                                                                                                },
        {{"create", "--local", "--id", "x"},           2, "--id is of no use"                                                                                                                                 },
        {{"list", "--local"},                          2, "--local is not for diag bundle list"                                                                                                               },
        {{"create", "--url", "m1:1050"},               2, "neither http[s]://HOST:PORT nor unix:/PATH"                                                                                                        },
        {{"create", "--nothing"},                      2, "--nothing"                                                                                                                                         },
        {{"create"},
         2,                                               "this machine is not a master: ask one with --url http://MASTER:1050, or DIAG_URL; for a bundle of this machine alone: diag bundle create --local\n"},
};

START_TEST(understands_its_call)
{
        struct run r;

        run_init(&r, NULL, 0);
        run(&r, calls[_i].arguments);
        ck_assert_msg(r.exit_status == calls[_i].want &&
                              strstr(calls[_i].want == 0 ? r.output : r.complaints, calls[_i].says),
                      "%d %s%s", r.exit_status, r.output, r.complaints);
        run_done(&r);
}
END_TEST

/* --- this machine alone ---------------------------------------------------------------------------- */

/* A collector beside the program: it says how it was called, or what it was told to say. */
static void put_collector(char ret[static PATH_MAX], const char *says)
{
        char *slash;
        ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
        FILE *f;

        ck_assert_int_gt(n, 0);
        ret[n] = '\0';
        slash = strrchr(ret, '/');
        ck_assert_ptr_nonnull(slash);
        (void)snprintf(slash, (size_t)(ret + PATH_MAX - slash), "/diag-collect");
        f = fopen(ret, "we");
        ck_assert_ptr_nonnull(f);
        (void)fprintf(f, "#!/bin/sh\n%s\n", says);
        ck_assert_int_eq(fchmod(fileno(f), 0755), 0);
        (void)fclose(f);
}

static const struct {
        const char *arguments[MAX_ARGUMENTS];
        const char *collector;
        int want;
        const char *says, *complains;
} locals[] = {
        {{"create", "--local"},                                            "echo \"$*\"; exit 4",                    4, "--local\n",                         ""                                                                    },
        {{"create", "--local", "--since=2026-11-20", "--until=2026-11-21", "--only=file,host",
          "--format=zip", "--no-redact", "--output=x", "--json"},
         "echo \"$*\"; exit 1",                                                                                      1,
         "--local --since 2026-11-20T00:00:00.000Z --until 2026-11-21T00:00:00.000Z --only file,host --format zip "
         "--no-redact --output x --json\n",                                                                                                                  ""                                                                    },
        {{"create", "--local", "-o", "x.tgz"},
         "echo \"$*\"",                                                                                              0,
         "--local --format tar.gz --output x.tgz\n",                                                                                                         ""                                                                    },
        {{"create", "--local", "-o", "."},                                 "echo \"$*\"",                            0, "--local --output ./diag-",          ""                                                                    },
        {{"estimate", "--local", "--only=host"},
         "[ \"$*\" = '--estimate --only host' ] && echo '{\"likely_bytes\":1024,\"max_bytes\":2048,\"sources\":7}'",
         0,                                                                                                             "1.0 KiB likely, at most 2.0 KiB; ",
         ""                                                                                                                                                                                                                        },
        {{"estimate", "--local", "--json"},
         "echo '{\"likely_bytes\":9000000000000000000,\"max_bytes\":2048,\"sources\":7}'",                           1,
         "{\"likely_bytes\":9000000000000000000,\"max_bytes\":2048,\"free_bytes\":",                                                                         ""                                                                    },
        {{"estimate", "--local"},
         "echo '{}'",                                                                                                2,
         "",                                                                                                                                                 "says what we do not understand: likely_bytes is not a whole number\n"},
        {{"estimate", "--local"},
         "exit 1",                                                                                                   2,
         "",                                                                                                                                                 "/diag-collect --estimate failed with status 1\n"                     },
};

START_TEST(lets_collector_do_it)
{
        char collector[PATH_MAX];
        struct run r;

        put_collector(collector, locals[_i].collector);
        run_init(&r, NULL, 0);
        run(&r, locals[_i].arguments);
        ck_assert_int_eq(unlink(collector), 0);
        ck_assert_msg(r.exit_status == locals[_i].want, "%d %s%s", r.exit_status, r.output,
                      r.complaints);
        ck_assert_msg(begins(r.output, locals[_i].says) && ends(r.complaints, locals[_i].complains),
                      "%s%s", r.output, r.complaints);
        run_done(&r);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cmd_bundle");
        TCase *tc = tcase_create("cmd_bundle");

        setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(tc, asks_and_says, 0, ELEMENTSOF(runs));
        tcase_add_loop_test(tc, keeps_file, 0, ELEMENTSOF(files));
        tcase_add_loop_test(tc, puts_file_where_it_was_told, 0, 3);
        tcase_add_test(tc, guesses_format_from_name_of_file);
        tcase_add_loop_test(tc, says_that_it_goes_on, 0, ELEMENTSOF(interruptions));
        tcase_add_test(tc, draws_line_on_terminal);
        tcase_add_loop_test(tc, understands_its_call, 0, ELEMENTSOF(calls));
        tcase_add_loop_test(tc, lets_collector_do_it, 0, ELEMENTSOF(locals));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
