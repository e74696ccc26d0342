/*
 * A command is a child with a deadline (base/child.h). It gets little environment, always the same: what
 * the service manager gave to us is not for others, and a probe must not depend on how we were started.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "model/unit_words.h"
#include "probes/probe_exec.h"

#define BLANKS     " \t\r\n\v\f"
/* More than is shown: what is masked must be seen from its beginning. */
#define KEEP_BYTES (8u * PROBE_OUTPUT_MAX)

struct exec_cfg {
        struct string_list words;
        const char **argv; /* borrows the words; ends with NULL */
};

/* --- the command line ------------------------------------------------------------------------------- */

/* The character that the one after a backslash stands for; 0 for an escape that we do not have. */
static char unescape(char c)
{
        static const char from[] = "\\\"'nts", to[] = "\\\"'\n\t ";
        const char *at = c ? strchr(from, c) : NULL;

        return at ? to[at - from] : '\0';
}

/* One word, from where it begins; *s is left behind it. */
static int take_word(const char **s, struct buf *word, struct err *e)
{
        char quote = '\0', c;

        for (; **s && (quote || !strchr(BLANKS, **s)); (*s)++) {
                c = **s;
                if (c == '\\') {
                        c = unescape(*++*s);
                        if (!c)
                                return err_set(e, -EINVAL, "unknown escape after a backslash");
                        buf_putc(word, c);
                } else if (c == quote) {
                        quote = '\0';
                } else if (!quote && (c == '"' || c == '\'')) {
                        quote = c;
                } else {
                        buf_putc(word, c);
                }
        }
        return quote ? err_set(e, -EINVAL, "the quote %c is not closed", quote) : 0;
}

static int split(const char *command, struct string_list *ret, struct err *e)
{
        _cleanup_(buf_done) struct buf word = {0};
        int r;

        for (;;) {
                command += strspn(command, BLANKS);
                if (!*command)
                        return 0;
                if (ret->n == EXEC_WORDS_MAX)
                        return err_set(e, -E2BIG, "more than %u words", EXEC_WORDS_MAX);
                buf_clear(&word);
                r = take_word(&command, &word, e);
                if (r == 0)
                        r = word.error ? word.error : string_list_push(ret, buf_cstr(&word));
                if (r < 0)
                        return r;
        }
}

int exec_split(const char *command, struct string_list *ret, struct err *e)
{
        int r = split(command, ret, e);

        if (r == 0 && (ret->n == 0 || ret->items[0][0] != '/'))
                r = err_set(e, -EINVAL, "must begin with an absolute path");
        if (r < 0)
                string_list_done(ret);
        return r;
}

/* --- judging ---------------------------------------------------------------------------------------- */

static void judge_status(int status, struct probe_verdict *v)
{
        static const char *const words[] = {"", "warning", "critical", "unknown"};

        if (status == 0)
                probe_verdict_set(v, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
        else if (status <= 2)
                probe_verdict_set(v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                                  "the command exited with status %d (%s)", status, words[status]);
        else if (status == 3)
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "the command exited with status 3 (%s)", words[status]);
        else
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "the command exited with status %d, which says nothing of health",
                                  status);
}

void exec_judge(const struct child_result *r, const char *path, uint64_t timeout_usec,
                struct probe_verdict *ret)
{
        char limit[PROBE_SECONDS_MAX];

        *ret = (struct probe_verdict){.output = r->output, .n_output = r->n_output};
        if (r->timed_out)
                probe_verdict_set(ret, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT,
                                  "the command did not end within %s",
                                  probe_seconds(limit, timeout_usec));
        else if (r->exec_error)
                probe_verdict_set(ret, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot run %s: %s",
                                  path, strerror(-r->exec_error));
        else if (r->signal)
                probe_verdict_set(ret, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "the command was killed by %s",
                                  str_or(diag_signal_name(r->signal), "a signal"));
        else
                judge_status(r->exit_status, ret);
}

/* --- asking ----------------------------------------------------------------------------------------- */

static void on_end(const struct child_result *r, void *userdata)
{
        struct probe_run *run = userdata;
        const struct exec_cfg *cfg = run->cfg;
        struct probe_verdict v;

        exec_judge(r, cfg->argv[0], run->timeout_usec, &v);
        probe_done(run, &v);
}

static int exec_start(struct probe_run *run, struct err *e)
{
        const struct exec_cfg *cfg = run->cfg;
        const char *dir = getenv("TMPDIR"); /* the one place where it may write */
        char tmpdir[PATH_MAX];
        const char *const environment[] = {
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
                dir ? tmpdir : NULL,
                NULL,
        };

        (void)snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s", str_or(dir, ""));
        return child_start_env((struct child **)&run->state, run->loop, cfg->argv, environment,
                               run->timeout_usec, KEEP_BYTES, on_end, run, e);
}

static void exec_stop(struct probe_run *run)
{
        run->state = child_free(run->state);
}

/* --- settings --------------------------------------------------------------------------------------- */

static int check_command(const char *value, struct err *e)
{
        _cleanup_(string_list_done) struct string_list words = {0};

        return exec_split(value, &words, e);
}

static void exec_free_cfg(void *cfg)
{
        struct exec_cfg *c = cfg;

        free(c->argv);
        string_list_done(&c->words);
        free(c);
}

static int exec_parse(const struct probe_settings *s, void **ret_cfg, struct err *e)
{
        const char *command = probe_settings_get(s, "Command");
        struct exec_cfg *c;
        int r;

        if (!command)
                return err_set(e, -EINVAL, "Kind=exec needs Command=");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        r = exec_split(command, &c->words, e);
        if (r == 0) {
                c->argv = calloc(c->words.n + 1, sizeof(*c->argv));
                r = c->argv ? 0 : -ENOMEM;
        }
        if (r < 0) {
                exec_free_cfg(c);
                return r;
        }
        for (size_t i = 0; i < c->words.n; i++)
                c->argv[i] = c->words.items[i];
        *ret_cfg = c;
        return 0;
}

static const struct probe_key keys[] = {
        {"Command", check_command},
        {NULL,      NULL         },
};

const struct probe_ops probe_exec = {
        .kind = "exec",
        .keys = keys,
        .parse = exec_parse,
        .start = exec_start,
        .stop = exec_stop,
        .free_cfg = exec_free_cfg,
};
