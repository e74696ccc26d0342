/* It knows whom to ask, and what an answer is worth. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mono.h"
#include "cli/client.h"
#include "cli/local.h"
#include "tests/fakes/scripted_server.h"
#include "tests/unit/test_main.h"

#define SIXTEEN   "0123456789abcdef"
#define HUNDRED   SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0123"
#define TIMEOUT   (10 * USEC_PER_SEC)
#define IMPATIENT (100 * USEC_PER_MSEC)

/* --- whom to ask ---------------------------------------------------------------------------------- */

static const struct {
        const char *url, *base, *socket_path, *who; /* base NULL: refused */
} urls[] = {
        {"http://127.0.0.1:1050",           "http://127.0.0.1:1050", "",            "http://127.0.0.1:1050"},
        {"http://m1",                       "http://m1",             "",            "http://m1"            },
        {"HTTP://m1.example.:80/",          "HTTP://m1.example.:80", "",            "HTTP://m1.example.:80"},
        {"https://m1:1050/",                "https://m1:1050",       "",            "https://m1:1050"      },
        {"HTTPS://10.0.0.1",                "HTTPS://10.0.0.1",      "",            "HTTPS://10.0.0.1"     },
        {"http://[::1]:1050",               "http://[::1]:1050",     "",            "http://[::1]:1050"    },
        {"http://[fe80::1]",                "http://[fe80::1]",      "",            "http://[fe80::1]"     },
        {"http://m1/agent/7f/",             "http://m1/agent/7f",    "",            "http://m1/agent/7f"   },
        {"unix:/run/x.sock",                "http://localhost",      "/run/x.sock", "unix:/run/x.sock"     },
        {"unix:/" SIXTEEN HUNDRED "",       NULL,                    NULL,          NULL                   },
        {"unix:run/x.sock",                 NULL,                    NULL,          NULL                   },
        {"unix:",                           NULL,                    NULL,          NULL                   },
        {"m1:1050",                         NULL,                    NULL,          NULL                   },
        {"https:/m1",                       NULL,                    NULL,          NULL                   },
        {"https://",                        NULL,                    NULL,          NULL                   },
        {"https://m1:0",                    NULL,                    NULL,          NULL                   },
        {"file:///etc/passwd",              NULL,                    NULL,          NULL                   },
        {"http:",                           NULL,                    NULL,          NULL                   },
        {"http://",                         NULL,                    NULL,          NULL                   },
        {"http://:80",                      NULL,                    NULL,          NULL                   },
        {"http:///x",                       NULL,                    NULL,          NULL                   },
        {"http://m1:",                      NULL,                    NULL,          NULL                   },
        {"http://m1:0",                     NULL,                    NULL,          NULL                   },
        {"http://m1:65536",                 NULL,                    NULL,          NULL                   },
        {"http://m1:80x",                   NULL,                    NULL,          NULL                   },
        {"http://m 1",                      NULL,                    NULL,          NULL                   },
        {"http://m1\r\nX: y",               NULL,                    NULL,          NULL                   },
        {"http://[::1",                     NULL,                    NULL,          NULL                   },
        {"http://[::1]x",                   NULL,                    NULL,          NULL                   },
        {"http://[127.0.0.1]",              NULL,                    NULL,          NULL                   },
        {"http://[]",                       NULL,                    NULL,          NULL                   },
        {"http://::1",                      NULL,                    NULL,          NULL                   },
        {"http://me:secret@m1",             NULL,                    NULL,          NULL                   },
        {"http://m1/x?y",                   NULL,                    NULL,          NULL                   },
        {"http://m1/x#y",                   NULL,                    NULL,          NULL                   },
        {"http://m1/x y",                   NULL,                    NULL,          NULL                   },
        {"http://m1/" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
                 HUNDRED HUNDRED,
         NULL,                                                       NULL,          NULL                   },
        {"http://" HUNDRED HUNDRED HUNDRED, NULL,                    NULL,          NULL                   },
};

static int init_from(struct client *c, const char *url, struct err *e)
{
        return client_init(c, &(struct client_options){.url = url}, e);
}

START_TEST(reads_url)
{
        const struct client_options o = {
                .url = urls[_i].url,
                .ca_file = strncasecmp(urls[_i].url, "https:", 6) == 0 ? "/a" : NULL,
        };
        struct client c;
        struct err e = {0};
        int r = client_init(&c, &o, &e);

        if (!urls[_i].base) {
                ck_assert_msg(r == -EINVAL, "%s is accepted", urls[_i].url);
                ck_assert_str_ne(e.text, "");
                ck_assert_ptr_null(strstr(e.text, "secret"));
                return;
        }
        ck_assert_msg(r == 0, "%s", e.text);
        ck_assert_str_eq(c.base, urls[_i].base);
        ck_assert_str_eq(c.socket_path, urls[_i].socket_path);
        ck_assert_str_eq(c.who, urls[_i].who);
        ck_assert(!c.is_default);
}
END_TEST

START_TEST(prefers_option_to_environment_to_default)
{
        struct client c;

        unsetenv("DIAG_URL");
        ck_assert_int_eq(client_init(&c, NULL, NULL), 0);
        ck_assert(c.is_default);
        ck_assert_str_eq(c.who, CLIENT_DEFAULT);
        setenv("DIAG_URL", "", 1);
        ck_assert_int_eq(client_init(&c, NULL, NULL), 0);
        ck_assert(c.is_default);
        setenv("DIAG_URL", "http://m1", 1);
        ck_assert_int_eq(client_init(&c, NULL, NULL), 0);
        ck_assert(!c.is_default);
        ck_assert_str_eq(c.who, "http://m1");
        ck_assert_int_eq(init_from(&c, "http://m2", NULL), 0);
        ck_assert_str_eq(c.who, "http://m2");
        setenv("DIAG_URL", "m1", 1);
        ck_assert_int_eq(client_init(&c, NULL, NULL), -EINVAL);
}
END_TEST

/* --- whom to trust, and who we are ---------------------------------------------------------------- */

#define ETC "/etc/diag/tls/"

enum { CA = 1, CERT = 2, KEY = 4 };

/* What is expected of a file: NULL: none; "~": that in $HOME; else what it is. */
static const struct {
        const char *name;
        struct client_options o;
        unsigned at_home; /* what there is in $HOME/.config/diag */
        int want;
        const char *ca, *cert, *key, *says;
} tls_cases[] = {
        {"all at home",         {.url = "https://m1"}, CA | CERT | KEY, 0,       "~",  "~",  "~",  NULL                                                               },
        {"as nobody",           {.url = "https://m1"}, CA,              0,       "~",  NULL, NULL, NULL                                                               },
        {"a key alone",         {.url = "https://m1"}, CA | KEY,        0,       "~",  NULL, NULL, NULL                                                               },
        {"a certificate alone", {.url = "HTTPS://m1"}, CA | CERT,       0,       "~",  NULL, NULL, NULL                                                               },
        {"nobody to trust",
         {.url = "https://m1"},
         0,                                                             -ENOKEY,
         NULL,                                                                         NULL,
         NULL,                                                                                     "nobody says whom to trust at https://m1: --cacert FILE, or ca.pem"},
        {"named before found",
         {"https://m1", "/a", "/b", "/c"},
         CA | CERT | KEY,
         0,                                                                      "/a",
         "/b",                                                                               "/c",
         NULL                                                                                                                                                         },
        {"one file for both",
         {"https://m1", "/a", "/b", NULL},
         CA | CERT | KEY,
         0,                                                                      "/a",
         "/b",                                                                               "/b",
         NULL                                                                                                                                                         },
        {"the rest is found",
         {"https://m1", "/a", NULL, NULL},
         CA | CERT | KEY,
         0,                                                                      "/a",
         "~",                                                                                "~",
         NULL                                                                                                                                                         },
        {"a key for nothing",
         {"https://m1", "/a", NULL, "/c"},
         0,                                                             -EINVAL,
         NULL,                                                                         NULL,
         NULL,                                                                                     "--key is of no use without --cert"                                },
        {"no name",
         {"https://m1", "", NULL, NULL},
         0,                                                             -EINVAL,
         NULL,                                                                         NULL,
         NULL,                                                                                     "\"\" cannot be the name of a file"                                },
        {"not for http",
         {"http://m1", "/a", NULL, NULL},
         CA,                                                            -EINVAL,
         NULL,                                                                         NULL,
         NULL,                                                                                     "--cacert, --cert and --key are for https, and http://m1 is not"   },
        {"not for a socket",
         {"unix:/x", NULL, "/b", NULL},
         CA,                                                            -EINVAL,
         NULL,                                                                         NULL,
         NULL,                                                                                     "for https, and unix:/x is not"                                    },
        {"not asked for",       {.url = "http://m1"},  CA | CERT | KEY, 0,       NULL, NULL, NULL, NULL                                                               },
};

static const struct {
        unsigned bit;
        const char *name;
} tls_files[] = {
        {CA,   "ca.pem"  },
        {CERT, "node.pem"},
        {KEY,  "node.key"},
};

static void check_tls_file(const char *what, const char *is, const char *want,
                           const char *directory, const char *name)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (want)
                ck_assert_msg(streq(is, streq(want, "~") ? path : want), "%s: %s", what, is);
        else
                ck_assert_msg(streq(is, "") || strncmp(is, ETC, strlen(ETC)) == 0, "%s: %s", what,
                              is);
}

START_TEST(chooses_tls_files)
{
        char home[] = "/tmp/diag-test-client.XXXXXX", directory[64], path[128];
        struct err e = {0};
        struct client c;
        int r;

        ck_assert_ptr_nonnull(mkdtemp(home));
        (void)snprintf(directory, sizeof(directory), "%s/.config", home);
        ck_assert_int_eq(mkdir(directory, 0700), 0);
        (void)snprintf(directory, sizeof(directory), "%s/.config/diag", home);
        ck_assert_int_eq(mkdir(directory, 0700), 0);
        for (size_t i = 0; i < ELEMENTSOF(tls_files); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", directory, tls_files[i].name);
                if (tls_cases[_i].at_home & tls_files[i].bit)
                        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        }
        setenv("HOME", home, 1);
        r = client_init(&c, &tls_cases[_i].o, &e);
        for (size_t i = 0; i < ELEMENTSOF(tls_files); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", directory, tls_files[i].name);
                (void)unlink(path);
        }
        (void)rmdir(directory);
        (void)snprintf(path, sizeof(path), "%s/.config", home);
        (void)rmdir(path);
        (void)rmdir(home);
        if (tls_cases[_i].want == -ENOKEY && access(ETC "ca.pem", R_OK) == 0)
                return; /* this machine trusts somebody */
        ck_assert_msg(r == tls_cases[_i].want, "%s: %d %s", tls_cases[_i].name, r, e.text);
        if (r < 0) {
                ck_assert_msg(strstr(e.text, tls_cases[_i].says) != NULL, "%s", e.text);
                return;
        }
        check_tls_file(tls_cases[_i].name, c.ca_file, tls_cases[_i].ca, directory, "ca.pem");
        check_tls_file(tls_cases[_i].name, c.cert_file, tls_cases[_i].cert, directory, "node.pem");
        check_tls_file(tls_cases[_i].name, c.key_file, tls_cases[_i].key, directory, "node.key");
        ck_assert(!*c.cert_file == !*c.key_file);
}
END_TEST

START_TEST(takes_its_options)
{
        struct client_options o = {0};

        ck_assert(client_options_take(&o, CLIENT_OPTION_URL, "u"));
        ck_assert(client_options_take(&o, CLIENT_OPTION_CACERT, "a"));
        ck_assert(client_options_take(&o, CLIENT_OPTION_CERT, "c"));
        ck_assert(client_options_take(&o, CLIENT_OPTION_KEY, "k"));
        ck_assert(!client_options_take(&o, '?', "x"));
        ck_assert_str_eq(o.url, "u");
        ck_assert_str_eq(o.ca_file, "a");
        ck_assert_str_eq(o.cert_file, "c");
        ck_assert_str_eq(o.key_file, "k");
}
END_TEST

/* --- a node --------------------------------------------------------------------------------------- */

#define NODE                                                                                     \
        "{\"node_id\":\"n\",\"instance\":\"0123456789abcdef\",\"seq\":7,\"health\":\"healthy\"," \
        "\"phase\":\"running\",\"components\":[]}\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: W/\"a.7\"\r\n\r\n"

static int ask(const struct scripted_reply *reply, const struct client_node *known,
               struct client_node *ret, struct scripted_server *s, struct err *e)
{
        struct client c;
        int r;

        *s = (struct scripted_server){.replies = reply, .n_replies = 1};
        scripted_server_on_loopback(s);
        scripted_server_start(s);
        ck_assert_int_eq(init_from(&c, s->url, NULL), 0);
        r = client_ask_node(&c, known, ret, e);
        scripted_server_join(s);
        return r;
}

START_TEST(asks_and_waits)
{
        const struct scripted_reply first = {.bytes = OK_HEAD NODE};
        const struct scripted_reply second = {.bytes = "HTTP/1.1 304 Not Modified\r\n\r\n"};
        _cleanup_(client_node_done) struct client_node node = {0};
        struct scripted_server s;
        struct err e = {0};

        ck_assert_msg(ask(&first, NULL, &node, &s, &e) == 0, "%s", e.text);
        ck_assert_ptr_null(strstr(s.last_request, "Prefer"));
        ck_assert_ptr_nonnull(strstr(s.last_request, "GET /system/health/v2/node HTTP/1.1\r\n"));
        ck_assert_uint_eq(node.report->seq, 7);
        ck_assert_str_eq(node.etag, "W/\"a.7\"");
        ck_assert_str_eq(buf_cstr(&node.json), NODE);

        ck_assert_int_eq(ask(&second, &node, &node, &s, &e), CLIENT_UNCHANGED);
        ck_assert_ptr_nonnull(strstr(s.last_request, "\r\nIf-None-Match: W/\"a.7\"\r\n"));
        ck_assert_ptr_nonnull(strstr(s.last_request, "\r\nPrefer: wait=25\r\n"));
        ck_assert_uint_eq(node.report->seq, 7);
}
END_TEST

static const struct {
        const char *reply, *says;
} refusals[] = {
        {"HTTP/1.1 403 Forbidden\r\n\r\n",            "answered with status 403: it does not let us ask"             },
        {"HTTP/1.1 404 Not Found\r\n\r\n",            "answered with status 404: there is no API v2"                 },
        {"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "status 302: it sends us elsewhere"                            },
        {"HTTP/1.1 500 Oops\r\n\r\n",                 "answered with status 500: it cannot say"                      },
        {OK_HEAD "<html>",                            "says what we do not understand: line 1"                       },
        {OK_HEAD "[]",                                "says what we do not understand: the document is not an object"},
        {OK_HEAD "",                                  "says what we do not understand"                               },
};

START_TEST(refuses_answer)
{
        const struct scripted_reply reply = {.bytes = refusals[_i].reply};
        struct client_node node = {0};
        struct scripted_server s;
        struct err e = {0};

        ck_assert_int_lt(ask(&reply, NULL, &node, &s, &e), 0);
        ck_assert_msg(strstr(e.text, refusals[_i].says) != NULL, "%s", e.text);
        ck_assert_msg(strstr(e.text, s.url) != NULL, "%s", e.text);
        ck_assert_ptr_null(node.report);
}
END_TEST

static const struct {
        const char *reply, *says;
} silences[] = {
        {"",                                                  "hung up without an answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "hung up in the middle"    },
        {"SSH-2.0\r\n",                                       "does not speak HTTP"      },
};

START_TEST(gets_no_answer)
{
        const struct scripted_reply reply = {.bytes = silences[_i].reply};
        struct client_node node = {0};
        struct scripted_server s;
        struct err e = {0};

        ck_assert_int_eq(ask(&reply, NULL, &node, &s, &e), CLIENT_NO_ANSWER);
        ck_assert_msg(strstr(e.text, silences[_i].says) != NULL, "%s", e.text);
        ck_assert_int_lt(e.code, 0);
        ck_assert_ptr_null(node.report);
}
END_TEST

#define N_HASTY 300u /* enough to meet both */

static void *hang_up_at_once(void *arg)
{
        for (size_t i = 0; i < N_HASTY; i++)
                close(accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC));
        return NULL;
}

/* Whether that is before the connection was used, or after, makes no difference. */
START_TEST(gets_no_answer_from_the_hasty)
{
        char directory[] = "/tmp/diag-test-client.XXXXXX", path[64];
        struct client_node node = {0};
        struct scripted_server s = {0};
        struct client c;
        pthread_t thread;

        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/s", directory);
        scripted_server_on_socket(&s, path);
        ck_assert_int_eq(init_from(&c, s.url, NULL), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, hang_up_at_once, &s.listen_fd), 0);
        for (size_t i = 0; i < N_HASTY; i++) {
                struct err e = {0};

                ck_assert_int_eq(client_ask_node(&c, NULL, &node, &e), CLIENT_NO_ANSWER);
                ck_assert_msg(strstr(e.text, " hung up ") != NULL, "%s", e.text);
                ck_assert_int_lt(e.code, 0);
        }
        (void)pthread_join(thread, NULL);
        close(s.listen_fd);
        unlink(path);
        rmdir(directory);
}
END_TEST

START_TEST(advises_where_systemd_listens)
{
        struct client c;

        ck_assert_int_eq(init_from(&c, "unix:/nonexistent/s", NULL), 0);
        ck_assert_str_eq(client_advice(&c, CLIENT_NO_ANSWER),
                         "; see systemctl status diag-agentd.service");
        ck_assert_str_eq(client_advice(&c, CLIENT_NOBODY), "");
        ck_assert_str_eq(client_advice(&c, -EPROTO), "");
        ck_assert_int_eq(init_from(&c, "http://m1", NULL), 0);
        ck_assert_str_eq(client_advice(&c, CLIENT_NO_ANSWER), "");
}
END_TEST

START_TEST(finds_nobody)
{
        struct client_node node = {0};
        struct client c;
        struct err e = {0};

        ck_assert_int_eq(init_from(&c, "unix:/nonexistent/s", NULL), 0);
        ck_assert_int_eq(client_ask_node(&c, NULL, &node, &e), CLIENT_NOBODY);
        ck_assert_str_eq(e.text,
                         "nobody answers at unix:/nonexistent/s: No such file or directory");
}
END_TEST

/* --- without a daemon ----------------------------------------------------------------------------- */

static const struct {
        const char *script;
        uint64_t timeout_usec;
        int want;
        const char *output, *says;
} looks[] = {
        {"printf '%s' \"$*\"",      TIMEOUT,   0,          "--once", ""                      },
        {"exit 3",                  TIMEOUT,   -ECHILD,    NULL,     "failed with status 3"  },
        {"kill -9 $$",              TIMEOUT,   -ECHILD,    NULL,     "was killed by signal 9"},
        {"exec sleep 60",           IMPATIENT, -ETIMEDOUT, NULL,     "did not come to an end"},
        {"exec >&-; exec sleep 60", IMPATIENT, -ETIMEDOUT, NULL,     "did not come to an end"},
        {"exec yes",                TIMEOUT,   -E2BIG,     NULL,     "did not come to an end"},
};

static void write_script(const char *path, const char *script)
{
        FILE *f = fopen(path, "we");

        ck_assert_ptr_nonnull(f);
        (void)fprintf(f, "#!/bin/sh\n%s\n", script);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(chmod(path, 0700), 0);
}

START_TEST(looks_without_a_daemon)
{
        _cleanup_(buf_done) struct buf json = {.max = 4096};
        char directory[] = "/tmp/diag-test-client.XXXXXX", path[64], env[256];
        struct err e = {0};
        int r;

        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/diag-agentd", directory);
        (void)snprintf(env, sizeof(env), "%s:/usr/bin:/bin", directory);
        write_script(path, looks[_i].script);
        setenv("PATH", env, 1);
        r = local_look(&json, looks[_i].timeout_usec, &e);
        unlink(path);
        rmdir(directory);
        ck_assert_msg(r == looks[_i].want, "%d %s", r, e.text);
        ck_assert_msg(strstr(e.text, looks[_i].says) != NULL, "%s", e.text);
        if (looks[_i].output)
                ck_assert_str_eq(buf_cstr(&json), looks[_i].output);
}
END_TEST

START_TEST(says_that_there_is_no_program)
{
        _cleanup_(buf_done) struct buf json = {0};
        struct err e = {0};

        setenv("PATH", "/nonexistent", 1);
        ck_assert_int_eq(local_look(&json, TIMEOUT, &e), -ENOENT);
        ck_assert_str_eq(e.text, "cannot run diag-agentd --once: No such file or directory");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("client");
        TCase *tc = tcase_create("client");

        tcase_add_loop_test(tc, reads_url, 0, ELEMENTSOF(urls));
        tcase_add_test(tc, prefers_option_to_environment_to_default);
        tcase_add_loop_test(tc, chooses_tls_files, 0, ELEMENTSOF(tls_cases));
        tcase_add_test(tc, takes_its_options);
        tcase_add_test(tc, asks_and_waits);
        tcase_add_loop_test(tc, refuses_answer, 0, ELEMENTSOF(refusals));
        tcase_add_loop_test(tc, gets_no_answer, 0, ELEMENTSOF(silences));
        tcase_add_test(tc, gets_no_answer_from_the_hasty);
        tcase_add_test(tc, advises_where_systemd_listens);
        tcase_add_test(tc, finds_nobody);
        tcase_add_loop_test(tc, looks_without_a_daemon, 0, ELEMENTSOF(looks));
        tcase_add_test(tc, says_that_there_is_no_program);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
