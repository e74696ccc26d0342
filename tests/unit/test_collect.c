/* A whole collection over a plan of our own, read back by the grammar that masters use. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/mono.h"
#include "bundles/collect_serve.h"
#include "bundles/estimate.h"
#include "bundles/fragment.h"
#include "bundles/plan_list.h"
#include "tests/unit/test_main.h"

#define PREFIX "10.0.0.9_agent"

static const char plan_text[] =
        "{\"LocalFiles\":["
        "{\"Location\":\"/var/a.log\"},"
        "{\"Location\":\"/var/missing\",\"Optional\":true},"
        "{\"Location\":\"/var/required\"},"
        "{\"Location\":\"/var/logs/*.log\"},"
        "{\"Location\":\"/var/masters\",\"Role\":[\"master\"]}],"
        "\"LocalCommands\":["
        "{\"Command\":[\"echo\",\"fine\"]},"
        "{\"Command\":[\"echo\",\"token=hunter2\"]},"
        "{\"Command\":[\"sh\",\"-c\",\"echo half; exit 3\"]},"
        "{\"Command\":[\"sh\",\"-c\",\"echo some; exit 4\"],\"Optional\":true},"
        "{\"Command\":[\"sh\",\"-c\",\"exit 5\"]},"
        "{\"Command\":[\"yes\"],\"MaxBytes\":\"8K\"},"
        "{\"Command\":[\"echo\",\"password=hunter2\"],\"FileName\":\"secret.output\"}]}";

static char root[] = "/tmp/test-collect-XXXXXX";
static char plan_directory[PATH_MAX];
static const char *directories[2];
static const char *const no_rules[] = {NULL};
static struct plan_paths paths;
static struct collect_conf conf;
static struct collect_terms terms;
static struct collect_event last;
static unsigned n_events[COLLECT_N_EVENTS];

static void put(const char *path, const char *text, mode_t mode)
{
        char full[PATH_MAX];
        int fd;

        (void)snprintf(full, sizeof(full), "%s%s", root, path);
        fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, mode);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fchmod(fd, mode), 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

static void make(const char *path)
{
        char full[PATH_MAX];

        (void)snprintf(full, sizeof(full), "%s%s", root, path);
        ck_assert_int_eq(mkdir(full, 0755), 0);
}

static void on_event(const struct collect_event *event, _unused_ void *userdata)
{
        n_events[event->kind]++;
}

static void setup(void)
{
        ck_assert_ptr_nonnull(mkdtemp(root));
        ck_assert_int_eq(chmod(root, 0755), 0);
        make("/plan");
        make("/var");
        make("/var/logs");
        put("/plan/test.json", plan_text, 0644);
        put("/var/a.log", "one\npassword: hunter2\n", 0644);
        put("/var/masters", "x", 0644);
        put("/var/logs/1.log", "1\n", 0644);
        put("/var/logs/2.log", "22\n", 0644);
        (void)snprintf(plan_directory, sizeof(plan_directory), "%s/plan", root);
        directories[0] = plan_directory;
        paths = (struct plan_paths){.directories = directories};
        ck_assert_int_eq(collect_conf_init(&conf), 0);
        terms = (struct collect_terms){
                .conf = &conf,
                .paths = &paths,
                .rule_directories = no_rules,
                .root = root,
                .agent_socket = "/nonexistent",
                .http_user = "nobody",
                .cancel_fd = -1,
                .on_event = on_event,
        };
}

static void teardown(void)
{
        char command[64];

        (void)snprintf(command, sizeof(command), "rm -rf %s", root);
        ck_assert_int_eq(system(command), 0);
        collect_conf_done(&conf);
        (void)snprintf(root, sizeof(root), "/tmp/test-collect-XXXXXX");
}

/* --- reading it back ------------------------------------------------------------------------------------- */

static struct {
        char path[256], text[16384];
        size_t n;
} found[64];
static size_t n_found;

static int on_begin(const struct fragment_entry *entry, _unused_ void *userdata)
{
        ck_assert_uint_lt(n_found, ELEMENTSOF(found));
        (void)snprintf(found[n_found].path, sizeof(found[0].path), "%s",
                       entry->path + sizeof(PREFIX));
        found[n_found].n = 0;
        return 0;
}

static int on_data(const void *data, size_t n, _unused_ void *userdata)
{
        size_t room = sizeof(found[0].text) - 1 - found[n_found].n;

        n = n > room ? room : n;
        memcpy(found[n_found].text + found[n_found].n, data, n);
        found[n_found].n += n;
        found[n_found].text[found[n_found].n] = '\0';
        return 0;
}

static int on_end(_unused_ const struct fragment_entry *entry, _unused_ void *userdata)
{
        n_found++;
        return 0;
}

static const char *text_of(const char *path)
{
        for (size_t i = 0; i < n_found; i++)
                if (streq(found[i].path, path))
                        return found[i].text;
        return NULL;
}

/* Only units without a name would be looked for in the node's health. */
static struct collect_request request_of(enum collect_op op)
{
        static char *no_units[1];

        return (struct collect_request){
                .op = op,
                .role = DIAG_ROLE_AGENT,
                .fragment = op == COLLECT_ARCHIVE,
                .prefix = PREFIX,
                .kinds = SOURCE_KIND_BIT(SOURCE_FILE) | SOURCE_KIND_BIT(SOURCE_COMMAND),
                .units = no_units,
        };
}

static int run_into_file(const struct collect_request *q, struct node_status *status)
{
        int fd = memfd_create("out", MFD_CLOEXEC), k;

        ck_assert_int_ge(fd, 0);
        k = collect_run(q, fd, &terms, &last, status);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        if (k < 0) {
                close(fd);
                return k;
        }
        return fd;
}

static void collect(const struct collect_request *q, struct node_status *status)
{
        const struct fragment_terms grammar = {.format = q->format, .prefix = PREFIX};
        const struct fragment_visitor visitor = {on_begin, on_data, on_end, NULL};
        struct fragment_result result;
        struct err e = {0};
        int fd = run_into_file(q, status);

        ck_assert_msg(fd >= 0, "%s", last.error);
        n_found = 0;
        ck_assert_int_eq(fragment_walk(fd, &grammar, &visitor, &result, &e), 0);
        ck_assert_msg(result.whole, "%s", result.fault);
        close(fd);
}

static const struct {
        const char *path, *text; /* NULL: there is no such entry */
} wanted[] = {
        {"var/missing",                          "open /var/missing: no such file or directory"   },
        {"var/required",                         NULL                                             },
        {"var/required.error",                   "open /var/required: no such file or directory\n"},
        {"var/logs/1.log",                       "1\n"                                            },
        {"var/logs/2.log",                       "22\n"                                           },
        {"var/masters",                          NULL                                             },
        {"echo_fine.output",                     "fine\n"                                         },
        {"sh_-c_echo half; exit 3.output",       "half\n"                                         },
        {"sh_-c_echo half; exit 3.output.error", "exit status 3\n"                                },
        {"sh_-c_echo some; exit 4.output",       "exit status 4\nsome\n"                          },
        {"sh_-c_exit 5.output",                  NULL                                             },
        {"sh_-c_exit 5.output.error",            "exit status 5\n"                                },
};

START_TEST(keeps_what_there_is)
{
        const struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0}, again = {0};
        struct err e = {0};

        collect(&q, &status);
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                const char *text = text_of(wanted[i].path);

                if (!wanted[i].text)
                        ck_assert_msg(!text, "%s", wanted[i].path);
                else
                        ck_assert_msg(text && streq(text, wanted[i].text), "%s: %s", wanted[i].path,
                                      text ? text : "none");
        }
        ck_assert_uint_eq(strlen(text_of("yes.output")), 8192);
        ck_assert_str_eq(found[n_found - 1].path, NODE_STATUS_NAME);
        ck_assert_uint_eq(node_status_n_failed(&status, true), 3);
        ck_assert_uint_eq(node_status_n_failed(&status, false), 5);
        ck_assert(!status.partial);
        ck_assert_uint_eq(last.n_failed, 3);
        ck_assert_uint_eq(last.n_truncated, 1);
        ck_assert_uint_eq(n_events[COLLECT_STARTED], 1);
        ck_assert_uint_eq(n_events[COLLECT_DONE], 1);
        ck_assert_uint_ge(n_events[COLLECT_PROGRESS], 10);
        /* Who joins fragments believes it. */
        ck_assert_msg(node_status_read(&again, found[n_found - 1].text, found[n_found - 1].n, &e) >=
                              0,
                      "%s", e.text);
        ck_assert_uint_eq(again.n_entries, status.n_entries);
        node_status_done(&again);
        node_status_done(&status);
}
END_TEST

START_TEST(masks_secrets)
{
        struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0};

        collect(&q, &status);
        for (size_t i = 0; i < n_found; i++)
                ck_assert_msg(!strstr(found[i].text, "hunter2"), "%s", found[i].path);
        ck_assert_ptr_nonnull(strstr(text_of("var/a.log"), "one\npassword: [redacted"));
        ck_assert_uint_ge(last.n_redactions, 2);
        ck_assert(status.redacted);
        node_status_done(&status);

        q.no_redact = true;
        ck_assert_int_eq(run_into_file(&q, NULL), -EACCES);
        ck_assert_str_eq(last.code, "not-allowed");
        conf.allow_unredacted = true;
        collect(&q, &status);
        ck_assert_str_eq(text_of("var/a.log"), "one\npassword: hunter2\n");
        ck_assert(!status.redacted);
        node_status_done(&status);
}
END_TEST

/* Somebody else has named them. Two of one name stay two. */
START_TEST(masks_names_of_files)
{
        const struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0};

        make("/var/logs/token=hunter2-d.log");
        put("/var/logs/password=hunter2-a.log", "a", 0644);
        put("/var/logs/password=hunter2-b.log", "b", 0644);
        collect(&q, &status);
        for (size_t i = 0; i < n_found; i++) {
                ck_assert_msg(!strstr(found[i].path, "hunter2"), "%s", found[i].path);
                ck_assert_msg(!strstr(found[i].text, "hunter2"), "%s", found[i].path);
        }
        for (size_t i = 0; i < status.n_entries; i++)
                if (*status.entries[i].sha256)
                        ck_assert_msg(text_of(status.entries[i].path), "%s",
                                      status.entries[i].path);
        ck_assert_ptr_nonnull(text_of("echo_token=[redacted].output"));
        ck_assert_str_eq(text_of("var/logs/password=[redacted]"), "a");
        ck_assert_str_eq(text_of("var/logs/password=[redacted]~2"), "b");
        node_status_done(&status);
}
END_TEST

START_TEST(stops_at_its_size)
{
        struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0};

        q.max_bytes = 6000;
        collect(&q, &status);
        ck_assert(status.partial);
        ck_assert_str_eq(status.partial_reason, "its size reached its limit of 6000 bytes");
        ck_assert_ptr_null(text_of("secret.output"));
        ck_assert_str_eq(status.entries[status.n_entries - 1].error,
                         "not collected: its size reached its limit of 6000 bytes");
        node_status_done(&status);
}
END_TEST

START_TEST(stops_when_its_time_is_over)
{
        struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0};

        q.timeout_usec = 1;
        collect(&q, &status);
        ck_assert(status.partial);
        ck_assert_str_eq(status.partial_reason, "its time was over");
        ck_assert_uint_eq(n_found, 1);
        node_status_done(&status);
}
END_TEST

START_TEST(stops_when_it_is_cancelled)
{
        const struct collect_request q = request_of(COLLECT_ARCHIVE);
        struct node_status status = {0};
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        close(fds[1]);
        terms.cancel_fd = fds[0];
        collect(&q, &status);
        ck_assert_str_eq(status.partial_reason, "it was cancelled");
        node_status_done(&status);
        close(fds[0]);
}
END_TEST

START_TEST(stops_when_nobody_reads)
{
        const struct collect_request q = request_of(COLLECT_ARCHIVE);
        int fds[2];

        ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        close(fds[0]);
        ck_assert_int_eq(collect_run(&q, fds[1], &terms, &last, NULL), -EPIPE);
        ck_assert_str_eq(last.code, "failed");
        close(fds[1]);
}
END_TEST

/* --- a single one ---------------------------------------------------------------------------------------- */

static const struct {
        const char *id, *code, *said;
        enum source_kind kind;
        enum diag_role role;
} singles[] = {
        {"echo_fine.output",               "",            "fine\n",                                       SOURCE_COMMAND, DIAG_ROLE_AGENT },
        {"sh_-c_echo half; exit 3.output", "failed",      "exit status 3",                                SOURCE_COMMAND,
         DIAG_ROLE_AGENT                                                                                                                  },
        {"sh_-c_echo some; exit 4.output", "",            "exit status 4\nsome\n",                        SOURCE_COMMAND,
         DIAG_ROLE_AGENT                                                                                                                  },
        {"/var/missing",                   "",            "open /var/missing: no such file or directory", SOURCE_FILE,
         DIAG_ROLE_AGENT                                                                                                                  },
        {"/var/logs/*.log",                "",            "1\n22\n",                                      SOURCE_FILE,    DIAG_ROLE_AGENT },
        {"/etc/shadow",                    "not-found",   "file /etc/shadow is not configured",           SOURCE_FILE,
         DIAG_ROLE_AGENT                                                                                                                  },
        {"/var/masters",                   "not-allowed", "file /var/masters is not for this role",       SOURCE_FILE,
         DIAG_ROLE_AGENT                                                                                                                  },
        {"/var/masters",                   "",            "x",                                            SOURCE_FILE,    DIAG_ROLE_MASTER},
};

START_TEST(writes_a_single_one)
{
        struct collect_id id = {singles[_i].kind, (char *)singles[_i].id};
        struct collect_request q = request_of(COLLECT_ONE);
        char text[4096] = "";
        int fd;

        q.role = singles[_i].role;
        q.ids = &id;
        q.n_ids = 1;
        fd = run_into_file(&q, NULL);
        if (*singles[_i].code) {
                ck_assert_int_lt(fd, 0);
                ck_assert_str_eq(last.code, singles[_i].code);
                ck_assert_str_eq(last.error, singles[_i].said);
                ck_assert_uint_eq(n_events[COLLECT_STARTED], 0);
                return;
        }
        ck_assert_msg(fd >= 0, "%s", last.error);
        ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
        close(fd);
        ck_assert_str_eq(text, singles[_i].said);
        ck_assert_uint_eq(n_events[COLLECT_STARTED], 1);
        ck_assert_uint_eq(n_events[COLLECT_DONE], 1);
}
END_TEST

START_TEST(says_what_there_is_and_how_much)
{
        struct collect_request q = request_of(COLLECT_LIST);
        struct plan_list list = {0};
        char text[16384] = "";
        struct err e = {0};
        ssize_t n;
        int fd = run_into_file(&q, NULL);

        ck_assert_int_ge(fd, 0);
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        ck_assert_msg(plan_list_read(&list, text, (size_t)n, &e) >= 0, "%s", e.text);
        ck_assert_uint_ge(list.n, 10);
        plan_list_done(&list);

        q.op = COLLECT_ESTIMATE;
        fd = run_into_file(&q, NULL);
        memset(text, 0, sizeof(text));
        ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
        close(fd);
        ck_assert_ptr_nonnull(strstr(text, "{\"likely_bytes\":"));
        ck_assert_ptr_nonnull(strstr(text, "\"sources\":11}"));
}
END_TEST

/* --- configuration ------------------------------------------------------------------------------------------ */

static const struct {
        const char *text, *error;
} confs[] = {
        {"[Collect]\nAllowUnredacted=yes\nMaxBytes=1G\nSourceMaxBytes=1M\nTimeout=5min\n",  NULL                  },
        {"[Collect]\nEndpointConfig=/a.json\nEndpointConfig=/b.json\nCommandUser=daemon\n", NULL                  },
        {"[Collect]\nMaxBytes=\nTimeout=\nCommandUser=\nAllowUnredacted=\n",                NULL                  },
        {"[Collect]\nMaxBytes=12\n",                                                        ":2: "                },
        {"[Collect]\nMaxBytes=M\n",                                                         "not a size"          },
        {"[Collect]\nMaxBytes=99999999999G\n",                                              "not a size"          },
        {"[Collect]\nMaxBytes=-1\n",                                                        "not a size"          },
        {"[Collect]\nTimeout=1h\n",                                                         "not from 1s to 30min"},
        {"[Collect]\nTimeout=soon\n",                                                       "not a duration"      },
        {"[Collect]\nEndpointConfig=relative\n",                                            "not an absolute path"},
        {"[Collect]\nCommandUser=a b\n",                                                    "not a user's name"   },
        {"[Collect]\nAllowUnredacted=perhaps\n",                                            "not yes or no"       },
        {"[Collect]\nColour=red\n",                                                         "Colour"              },
};

START_TEST(reads_configuration)
{
        char path[PATH_MAX];
        struct err e = {0};
        int k;

        (void)snprintf(path, sizeof(path), "%s/collect.conf", root);
        put("/collect.conf", confs[_i].text, 0644);
        k = collect_conf_load(&conf, path, false, NULL, NULL, &e);
        if (!confs[_i].error) {
                ck_assert_msg(k == 0, "%s", e.text);
                return;
        }
        ck_assert_int_lt(k, 0);
        ck_assert_msg(strstr(e.text, confs[_i].error) && strstr(e.text, path), "%s", e.text);
}
END_TEST

START_TEST(keeps_what_configuration_says)
{
        char path[PATH_MAX];
        struct err e = {0};

        (void)snprintf(path, sizeof(path), "%s/collect.conf", root);
        put("/collect.conf",
            "[Collect]\nMaxBytes=2M\nSourceMaxBytes=64K\nTimeout=90s\nCommandUser=daemon\n"
            "EndpointConfig=/a.json\nAllowUnredacted=yes\n",
            0644);
        ck_assert_int_eq(collect_conf_load(&conf, path, false, NULL, NULL, &e), 0);
        ck_assert_uint_eq(conf.max_bytes, 2u << 20);
        ck_assert_uint_eq(conf.source_max_bytes, 65536);
        ck_assert_uint_eq(conf.timeout_usec, 90 * USEC_PER_SEC);
        ck_assert_str_eq(conf.command_user, "daemon");
        ck_assert_str_eq(conf.endpoint_config.items[0], "/a.json");
        ck_assert(conf.allow_unredacted);
}
END_TEST

/* What others may write is refused by its name. */
START_TEST(believes_root_alone)
{
        char path[PATH_MAX];
        struct err e = {0};

        if (geteuid() != 0)
                return;
        (void)snprintf(path, sizeof(path), "%s/collect.conf", root);
        put("/collect.conf", "[Collect]\nAllowUnredacted=yes\n", 0644);
        ck_assert_int_eq(collect_conf_load(&conf, path, true, NULL, NULL, &e), 0);
        make("/collect.conf.d");
        put("/collect.conf.d/a.conf", "[Collect]\n", 0664);
        ck_assert_int_eq(collect_conf_load(&conf, path, true, NULL, NULL, &e), -EPERM);
        ck_assert_ptr_nonnull(
                strstr(e.text, "/collect.conf.d/a.conf: others than root may write it"));
        put("/collect.conf.d/a.conf", "[Collect]\n", 0644);
        ck_assert_int_eq(collect_conf_load(&conf, path, true, NULL, NULL, NULL), 0);
        put("/collect.conf", "[Collect]\nAllowUnredacted=yes\n", 0666);
        ck_assert_int_eq(collect_conf_load(&conf, path, true, NULL, NULL, NULL), -EPERM);
        put("/collect.conf", "[Collect]\nAllowUnredacted=yes\n", 0644);
        ck_assert_int_eq(chown(path, 4711, 4711), 0);
        ck_assert_int_eq(collect_conf_load(&conf, path, true, NULL, NULL, NULL), -EPERM);
}
END_TEST

/* --- over the socket ----------------------------------------------------------------------------------------- */

static void send_request(int fd, const char *text, int out_fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec iov = {(char *)text, strlen(text)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (out_fd >= 0) {
                struct cmsghdr *c;

                m.msg_control = &control;
                m.msg_controllen = sizeof(control);
                c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &out_fd, sizeof(out_fd));
        }
        ck_assert_int_gt(sendmsg(fd, &m, 0), 0);
}

static const struct {
        const char *request, *code, *error;
        enum collect_event_kind end;
        bool has_fd;
} served[] = {
        {"{\"op\":\"list\",\"role\":\"agent\",\"units\":[]}",                     "",            "",              COLLECT_DONE,  true },
        {"{\"op\":\"list\",\"role\":\"agent\",\"units\":[]}",                     "bad-request", "no descriptor",
         COLLECT_ERROR,                                                                                                          false},
        {"{\"op\":\"list\",\"path\":\"/etc/shadow\"}",                            "bad-request", "path",          COLLECT_ERROR, true },
        {"nonsense",                                                              "bad-request", "",              COLLECT_ERROR, true },
        {"{\"op\":\"archive\",\"role\":\"agent\",\"redact\":false,\"units\":[]}", "not-allowed",
         "AllowUnredacted=yes",                                                                                   COLLECT_ERROR, true },
};

START_TEST(serves_a_request)
{
        int fds[2], out = memfd_create("out", MFD_CLOEXEC);
        struct collect_event event = {0};
        struct err e = {0};
        char packet[COLLECT_EVENT_BYTES_MAX];
        ssize_t n;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        send_request(fds[0], served[_i].request, served[_i].has_fd ? out : -1);
        terms.conf = NULL;
        if (geteuid() != 0)
                terms.http_user = "root"; /* so that somebody else is refused */
        ck_assert_int_eq(collect_serve(fds[1], &terms, "/nonexistent/collect.conf", &e), 0);
        while ((n = read(fds[0], packet, sizeof(packet))) > 0)
                ck_assert_int_eq(collect_event_read(&event, packet, (size_t)n), 0);
        if (geteuid() == 0) {
                ck_assert_msg(event.kind == served[_i].end, "%s", event.error);
                ck_assert_str_eq(event.code, served[_i].code);
                ck_assert_msg(strstr(event.error, served[_i].error) != NULL, "%s", event.error);
        } else {
                ck_assert_str_eq(event.code, "not-allowed");
        }
        close(fds[0]);
        close(out);
}
END_TEST

START_TEST(refuses_another_socket)
{
        struct err e = {0};
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(collect_serve(fds[1], &terms, "/nonexistent", &e), -EPROTOTYPE);
        close(fds[0]);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("collect");
        TCase *tc = tcase_create("collect");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, keeps_what_there_is);
        tcase_add_test(tc, masks_secrets);
        tcase_add_test(tc, masks_names_of_files);
        tcase_add_test(tc, stops_at_its_size);
        tcase_add_test(tc, stops_when_its_time_is_over);
        tcase_add_test(tc, stops_when_it_is_cancelled);
        tcase_add_test(tc, stops_when_nobody_reads);
        tcase_add_loop_test(tc, writes_a_single_one, 0, ELEMENTSOF(singles));
        tcase_add_test(tc, says_what_there_is_and_how_much);
        tcase_add_loop_test(tc, reads_configuration, 0, ELEMENTSOF(confs));
        tcase_add_test(tc, keeps_what_configuration_says);
        tcase_add_test(tc, believes_root_alone);
        tcase_add_loop_test(tc, serves_a_request, 0, ELEMENTSOF(served));
        tcase_add_test(tc, refuses_another_socket);
        suite_add_tcase(s, tc);
        return test_main(s);
}
