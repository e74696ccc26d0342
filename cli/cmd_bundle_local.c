/*
 * A bundle of this machine, with no daemon, no network and no cluster: the collector does all of it, the same program
 * that the node daemon has collect. To make one we become it, so that signals and its exit status are its own.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "cli/bundle_view.h"
#include "cli/cmd_bundle.h"
#include "cli/local.h"
#include "cli/term.h"
#include "cli/verb.h"

#define COLLECTOR             "diag-collect"
#define OPTIONS_MAX           16u
#define ESTIMATE_TIMEOUT_USEC USEC_PER_MIN

/* --- its call -------------------------------------------------------------------------------------- */

struct collector_call {
        const char *argv[OPTIONS_MAX + 1];
        size_t n;
        char path[PATH_MAX], since[RFC3339_MAX], until[RFC3339_MAX];
        struct buf kinds, output;
};

static void collector_call_done(struct collector_call *k)
{
        buf_done(&k->kinds);
        buf_done(&k->output);
}

/* NULL: it was not said */
static void push(struct collector_call *k, const char *option, const char *value)
{
        if (!value)
                return;
        k->argv[k->n++] = option;
        k->argv[k->n++] = value;
}

static void push_if(struct collector_call *k, bool given, const char *option)
{
        if (given)
                k->argv[k->n++] = option;
}

static const char *format_time(char text[static RFC3339_MAX], uint64_t wall_usec)
{
        return wall_usec ? rfc3339_format(text, wall_usec) : NULL;
}

static void join_words(struct buf *out, const struct string_list *words)
{
        for (size_t i = 0; i < words->n; i++) {
                buf_puts(out, i > 0 ? "," : "");
                buf_puts(out, words->items[i]);
        }
}

/* @action: what it is to do */
static void init_call(struct collector_call *k, const struct bundle_call *c, const char *action)
{
        static const char *const places[] = {"../libexec/diag/" COLLECTOR, COLLECTOR};

        local_find_program(k->path, places, ELEMENTSOF(places), DIAG_LIBEXECDIR "/" COLLECTOR);
        join_words(&k->kinds, &c->choice.kinds);
        push_if(k, true, k->path);
        push_if(k, true, action);
        push(k, "--since", format_time(k->since, c->choice.since_wall_usec));
        push(k, "--until", format_time(k->until, c->choice.until_wall_usec));
        push(k, "--only", k->kinds.n > 0 ? buf_cstr(&k->kinds) : NULL);
        push(k, "--format", c->choice.format);
        push_if(k, c->choice.no_redact, "--no-redact");
}

/* --- create ---------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Into a directory: by the name that it would have here. */
static void put_output(struct buf *out, const struct bundle_call *c)
{
        char host[HOST_NAME_MAX + 1] = "", now[RFC3339_MAX];

        buf_puts(out, c->output);
        if (!is_directory(c->output))
                return;
        (void)gethostname(host, sizeof(host) - 1);
        rfc3339_format(now, now_wall_usec());
        /* 2026-11-21T00:04:07.123Z: without what some file systems do not take in a name */
        buf_printf(out, "%sdiag-%s-%.4s%.2s%.2sT%.2s%.2s%.2sZ.%s",
                   c->output[strlen(c->output) - 1] == '/' ? "" : "/", host, now, now + 5, now + 8,
                   now + 11, now + 14, now + 17, str_or(c->choice.format, "tar.zst"));
}

int bundle_create_local(const struct bundle_call *c)
{
        _cleanup_(collector_call_done) struct collector_call k = {0};
        int error;

        init_call(&k, c, "--local");
        if (c->output)
                put_output(&k.output, c);
        push(&k, "--output", c->output ? buf_cstr(&k.output) : NULL);
        push_if(&k, c->json, "--json");
        error = k.kinds.error ? -k.kinds.error : -k.output.error;
        if (error == 0) {
                (void)execv(k.path, (char *const *)k.argv);
                error = errno;
        }
        term_complain(c->who, "cannot run %s: %s", k.path, strerror(error));
        return EXIT_COULD_NOT;
}

/* --- estimate -------------------------------------------------------------------------------------- */

static void put_json(struct buf *out, const struct bundle_estimate *s)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_uint(&w, "likely_bytes", s->n_likely_bytes);
        jw_member_uint(&w, "max_bytes", s->n_max_bytes);
        jw_member_uint(&w, "free_bytes", s->n_free_bytes);
        jw_member_uint(&w, "floor_bytes", s->n_floor_bytes);
        jw_member_bool(&w, "fits", s->fits);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* It would go into the working directory. */
static int judge_room(struct bundle_estimate *s, struct err *e)
{
        struct statvfs fs;

        if (statvfs(".", &fs) < 0)
                return err_set(e, -errno, "cannot see how much room is here: %s", strerror(errno));
        s->n_free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
        s->fits = s->n_likely_bytes <= s->n_free_bytes;
        return 0;
}

int bundle_estimate_local(const struct bundle_call *c)
{
        _cleanup_(collector_call_done) struct collector_call k = {0};
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_BYTES_MAX}, out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        struct err e = {0};
        int r;

        init_call(&k, c, "--estimate");
        r = local_run(k.argv, &json, ESTIMATE_TIMEOUT_USEC, &e);
        if (r == 0 && bundle_estimate_from_collector(&s, buf_cstr(&json), json.n, &e) < 0)
                r = err_prefix(&e, "%s says what we do not understand: ", k.path);
        if (r == 0)
                r = judge_room(&s, &e);
        if (r < 0) {
                term_complain(c->who, "%s", e.text);
                return EXIT_COULD_NOT;
        }
        if (c->json)
                put_json(&out, &s);
        else
                bundle_view_estimate(&out, &s, &t);
        return bundle_say(c, &out, s.fits ? 0 : BUNDLE_EXIT_FAILED);
}
