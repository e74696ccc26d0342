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
        {"http://[::1]:1050",               "http://[::1]:1050",     "",            "http://[::1]:1050"    },
        {"http://[fe80::1]",                "http://[fe80::1]",      "",            "http://[fe80::1]"     },
        {"http://m1/agent/7f/",             "http://m1/agent/7f",    "",            "http://m1/agent/7f"   },
        {"unix:/run/x.sock",                "http://localhost",      "/run/x.sock", "unix:/run/x.sock"     },
        {"unix:/" SIXTEEN HUNDRED "",       NULL,                    NULL,          NULL                   },
        {"unix:run/x.sock",                 NULL,                    NULL,          NULL                   },
        {"unix:",                           NULL,                    NULL,          NULL                   },
        {"m1:1050",                         NULL,                    NULL,          NULL                   },
        {"https://m1",                      NULL,                    NULL,          NULL                   },
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

START_TEST(reads_url)
{
        struct client c;
        struct err e = {0};
        int r = client_init(&c, urls[_i].url, &e);

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
        ck_assert_int_eq(client_init(&c, "http://m2", NULL), 0);
        ck_assert_str_eq(c.who, "http://m2");
        setenv("DIAG_URL", "m1", 1);
        ck_assert_int_eq(client_init(&c, NULL, NULL), -EINVAL);
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
        ck_assert_int_eq(client_init(&c, s->url, NULL), 0);
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
        ck_assert_int_eq(client_init(&c, s.url, NULL), 0);
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

        ck_assert_int_eq(client_init(&c, "unix:/nonexistent/s", NULL), 0);
        ck_assert_str_eq(client_advice(&c, CLIENT_NO_ANSWER),
                         "; see systemctl status diag-agentd.service");
        ck_assert_str_eq(client_advice(&c, CLIENT_NOBODY), "");
        ck_assert_str_eq(client_advice(&c, -EPROTO), "");
        ck_assert_int_eq(client_init(&c, "http://m1", NULL), 0);
        ck_assert_str_eq(client_advice(&c, CLIENT_NO_ANSWER), "");
}
END_TEST

START_TEST(finds_nobody)
{
        struct client_node node = {0};
        struct client c;
        struct err e = {0};

        ck_assert_int_eq(client_init(&c, "unix:/nonexistent/s", NULL), 0);
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
