/*
 * What somebody on this machine says over HTTP, asked by who has no rights here; and what the node daemon says,
 * or, when it says nothing, what its program finds at one look.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/mono.h"
#include "bundles/source_child.h"
#include "model/report_json.h"
#include "model/report_v1.h"
#include "net/get.h"

#define URL_MAX       2048u
#define REFUSAL_MAX   65536u /* of what is said with another status than 200 */
#define REDIRECTS_MAX 3u /* a master of Mesos that does not lead sends us to the one that does */
#define AGENT_USEC    (10 * USEC_PER_SEC) /* after that it is silent */
#define REPORT_MAX    DIAG_REPORT_JSON_MAX
#define V1_PATH       "/system/health/v1"
#define V2_PATH       "/system/health/v2/node"
#define V1_NAME       "dcos-diagnostics-health.json"

struct body {
        struct source_child *w;
        uint64_t n_left;
};

/* What is over the limit is not even fetched; that there was more, our reader sees by one byte of it. */
static int on_body(void *userdata, _unused_ const struct get_answer *head, const void *data,
                   size_t n)
{
        struct body *b = userdata;
        int k = source_child_write(b->w, data, n > b->n_left ? b->n_left : n);

        if (k < 0)
                return k;
        if (n > b->n_left) {
                b->w->outcome.truncated = true;
                return -EFBIG;
        }
        b->n_left -= n;
        return 0;
}

/* Return: 0: there is an answer, whatever it says; GET_NOBODY, or -errno, with @e. */
static int ask(struct source_child *w, const char *socket, const char *who, const char *url,
               uint64_t timeout_usec, struct err *e)
{
        const char *const headers[] = {"Accept: */*", NULL};
        struct body body = {.w = w, .n_left = w->s->max_bytes};
        struct get_answer answer = {0};
        const struct get_request q = {
                .url = url,
                .socket_path = socket,
                .who = who,
                .headers = headers,
                .timeout_usec = timeout_usec,
                .max_bytes = REFUSAL_MAX,
                .on_body = on_body,
                .userdata = &body,
                .redirects_max = socket ? 0 : REDIRECTS_MAX,
        };
        int k = get_perform(&answer, &q, e);

        if (k == -EFBIG)
                return 0;
        if (k != 0)
                return k;
        if (answer.status != 200) { /* what it says of itself then */
                (void)source_child_write(w, answer.body.data, answer.body.n);
                (void)source_child_fail(w, -EREMOTEIO, "GET %s: status %u", url, answer.status);
        }
        get_answer_done(&answer);
        return 0;
}

/* A machine where nobody installed that user has nobody with fewer rights than this one. */
static int become_asker(const struct source_context *c, struct err *e)
{
        int k = source_become(c->http_user, e);

        return k == -ESRCH ? source_become(c->plain_user, e) : k;
}

void source_read_http(struct source_child *w)
{
        const struct source *s = w->s;
        struct err e = {0};
        char url[URL_MAX];
        int k = become_asker(w->c, &e);

        if (s->socket)
                (void)snprintf(url, sizeof(url), "http://localhost%s", s->path);
        else
                (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", s->port, s->path);
        if (k >= 0)
                k = ask(w, s->socket, s->socket, url, s->timeout_usec, &e);
        if (k != 0)
                (void)source_child_fail(w, k < 0 ? k : -ECONNREFUSED, "%s", e.text);
}

/* --- the node's health ------------------------------------------------------------------------------------ */

static bool wants_v1(const struct source *s)
{
        return s->path ? streq(s->path, V1_PATH) : streq(str_or(s->id, ""), V1_NAME);
}

static int read_all(int fd, struct buf *out)
{
        char data[65536];
        ssize_t n;

        while ((n = read(fd, data, sizeof(data))) > 0)
                buf_append(out, data, (size_t)n);
        return n < 0 ? -errno : out->error;
}

static void __attribute__((noreturn)) look(const char *program, int fd)
{
        char *const argv[] = {(char *)program, (char[]){"--once"}, NULL};

        if (dup2(fd, STDOUT_FILENO) >= 0)
                (void)source_execute(argv);
        _exit(127);
}

/* In our group: whoever kills us kills it. Its complaints are the collector's. */
static int look_once(const char *program, struct buf *out, struct err *e)
{
        int fds[2], status = 0, k;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return err_set(e, -errno, "cannot look ourselves: %s", strerror(errno));
        pid = fork();
        if (pid == 0)
                look(program, fds[1]);
        close(fds[1]);
        k = pid < 0 ? -errno : read_all(fds[0], out);
        close(fds[0]);
        if (pid > 0)
                (void)waitpid(pid, &status, 0);
        if (k < 0)
                return err_set(e, k, "cannot look ourselves: %s", strerror(-k));
        if (status != 0)
                return err_set(e, -EIO, "%s --once: exit status %d", program,
                               WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        return 0;
}

static int write_v1(struct source_child *w, const struct buf *text, struct err *e)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        struct blob *blob;
        int k = diag_report_from_json(&report, NULL, text->data, text->n, e);

        if (k < 0)
                return k;
        blob = diag_report_render_v1(report);
        if (!blob)
                return err_set(e, -ENOMEM, "out of memory");
        k = source_child_write(w, blob_data(blob), blob_size(blob));
        blob_unref(blob);
        return k;
}

static void look_instead(struct source_child *w, const struct err *silent)
{
        _cleanup_(buf_done) struct buf text = {.max = REPORT_MAX};
        struct err e = {0};
        int k = -ENOENT;

        if (!str_empty(w->c->agent_program))
                k = look_once(w->c->agent_program, &text, &e);
        if (k >= 0)
                k = wants_v1(w->s) ? write_v1(w, &text, &e)
                                   : source_child_write(w, text.data, text.n);
        if (k < 0)
                (void)source_child_fail(w, k, "%.120s%s%.120s", silent->text, e.text[0] ? "; " : "",
                                        e.text);
}

void source_read_health(struct source_child *w)
{
        uint64_t timeout = w->s->timeout_usec / 2;
        struct err e = {0};
        char url[URL_MAX];
        int k = become_asker(w->c, &e);

        (void)snprintf(url, sizeof(url), "http://localhost%s", wants_v1(w->s) ? V1_PATH : V2_PATH);
        if (k < 0) {
                (void)source_child_fail(w, k, "%s", e.text);
                return;
        }
        k = ask(w, w->c->agent_socket, "the node daemon", url,
                timeout < AGENT_USEC ? timeout : AGENT_USEC, &e);
        if (k != 0)
                look_instead(w, &e);
}
