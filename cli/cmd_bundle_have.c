/* Bundles that there are: list, show, wait, download, cancel, delete. */

#include <errno.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "cli/bundle_view.h"
#include "cli/cmd_bundle.h"
#include "cli/download.h"
#include "cli/term.h"
#include "cli/verb.h"

#define STAGE(s)   (1u << BUNDLE_STAGE_##s)
#define ALL_STAGES (STAGE(UNKNOWN) | STAGE(UNDERWAY) | STAGE(DONE) | STAGE(FAILED))
#define DRAW_USEC  (200 * USEC_PER_MSEC)
#define PAUSE_USEC (500 * USEC_PER_MSEC)

/* --- list, show ------------------------------------------------------------------------------------ */

int bundle_list(struct bundle_call *c)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        _cleanup_(buf_done) struct buf json = {0}, out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        int status = bundle_ask_list(c, &l, &json);

        if (status != 0)
                return status;
        if (!c->json)
                bundle_view_list(&out, &l, &t, now_wall_usec());
        return bundle_say(c, c->json ? &json : &out, l.n_silent > 0 ? BUNDLE_EXIT_PARTIAL : 0);
}

static int say_told(const struct bundle_call *c, const struct bundle_told *told)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        int status = bundle_exit_status(&told->answer.bundle);

        if (c->json)
                return bundle_say(c, &told->json, status);
        bundle_view_one(&out, &told->answer.bundle, &t, now_wall_usec());
        return bundle_say(c, &out, status);
}

int bundle_show(struct bundle_call *c)
{
        _cleanup_(bundle_told_done) struct bundle_told told = {0};
        int status = bundle_ask_for(c, "GET", c->id, "", NULL, &told);

        return status != 0 ? status : say_told(c, &told);
}

/* --- which one ------------------------------------------------------------------------------------- */

/* The one that was named, or the newest one: of @first if there is such, else of @then. */
static int find(const struct bundle_call *c, unsigned first, unsigned then, const char *what,
                struct bundle_told *ret)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};
        _cleanup_(buf_done) struct buf json = {0};
        const struct bundle_info *b;
        int status;

        if (c->id)
                return bundle_ask_for(c, "GET", c->id, "", NULL, ret);
        status = bundle_ask_list(c, &l, &json);
        if (status != 0)
                return status;
        b = bundle_newest(&l, first);
        b = b ? b : bundle_newest(&l, then);
        if (b)
                return bundle_ask_for(c, "GET", b->id, "", NULL, ret);
        term_complain(c->who, "there is no %s", what);
        return BUNDLE_EXIT_FAILED;
}

int bundle_wait(struct bundle_call *c)
{
        _cleanup_(bundle_told_done) struct bundle_told told = {0};
        _cleanup_(buf_done) struct buf out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        int status = find(c, STAGE(UNDERWAY), ALL_STAGES, "bundle", &told);

        if (status == 0)
                status = bundle_wait_for(c, &told);
        if (status != 0)
                return status;
        bundle_view_outcome(&out, &told.answer.bundle, NULL, &t);
        return bundle_say(c, c->json ? &told.json : &out, bundle_exit_status(&told.answer.bundle));
}

/* --- download -------------------------------------------------------------------------------------- */

static void on_progress(void *userdata, uint64_t n_bytes, uint64_t n_total)
{
        struct bundle_live *live = userdata;
        _cleanup_(buf_done) struct buf text = {0};

        if (live->is_drawn && usec_since(now_mono_usec(), live->drawn_mono_usec) < DRAW_USEC)
                return;
        text_append_size(&text, n_bytes);
        if (n_total > 0) {
                buf_puts(&text, " of ");
                text_append_size(&text, n_total);
        }
        bundle_live_draw(live, buf_cstr(&text));
}

static int complain_of_download(const struct bundle_call *c, const char *file, int r,
                                const struct err *e)
{
        switch (r) {
        case CLIENT_NOBODY:
        case CLIENT_NO_ANSWER:
                term_complain(c->who, "%s; the same again goes on where this ended", e->text);
                return EXIT_COULD_NOT;
        case -EBADMSG:
                term_complain(c->who, "what came is not the bundle, and was removed: %s", e->text);
                return BUNDLE_EXIT_FAILED;
        default:
                term_complain(c->who, "%s is not there: %s", file, e->text);
                return EXIT_COULD_NOT;
        }
}

int bundle_fetch(const struct bundle_call *c, const struct bundle_info *b, struct buf *ret)
{
        _cleanup_(buf_done) struct buf refusal = {0};
        struct bundle_live live = {0};
        struct download d = {
                .client = &c->client,
                .bundle = b,
                .pause_usec = PAUSE_USEC,
                .on_progress = c->json ? NULL : on_progress,
                .userdata = &live,
        };
        struct err e = {0};
        unsigned status = 0;
        int r;

        download_path(ret, c->output, b);
        d.file = buf_cstr(ret);
        bundle_if_interrupted("\n%s: what came is kept; to go on: diag bundle download %s -o %s\n",
                              c->who, b->id, d.file);
        r = download_run(&d, &status, &refusal, &e);
        bundle_live_erase(&live);
        if (r == DOWNLOAD_REFUSED)
                return bundle_complain_refused(c, status, &refusal);
        return r == 0 ? 0 : complain_of_download(c, d.file, r, &e);
}

static int say_downloaded(const struct bundle_call *c, const struct bundle_info *b,
                          const struct buf *file)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        struct json_writer w = {.out = &out};

        if (!c->json) {
                bundle_view_outcome(&out, b, buf_cstr(file), &t);
                return bundle_say(c, &out, bundle_exit_status(b));
        }
        jw_begin_object(&w);
        jw_member_string(&w, "id", b->id);
        jw_member_string(&w, "file", buf_cstr(file));
        jw_member_uint(&w, "size_bytes", b->n_bytes);
        jw_member_string_or_null(&w, "sha256", b->sha256);
        jw_member_bool(&w, "partial", b->partial);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return bundle_say(c, &out, bundle_exit_status(b));
}

static int complain_of_no_file(const struct bundle_call *c, const struct bundle_info *b)
{
        if (bundle_has_ended(b))
                term_complain(c->who, "bundle %s has no file: it is %s%s%s", b->id, b->state,
                              str_empty(b->error) ? "" : ": ", b->error);
        else
                term_complain(c->who, "bundle %s is still being made; diag bundle wait %s", b->id,
                              b->id);
        return BUNDLE_EXIT_FAILED;
}

int bundle_download(struct bundle_call *c)
{
        _cleanup_(bundle_told_done) struct bundle_told told = {0};
        _cleanup_(buf_done) struct buf file = {0};
        const struct bundle_info *b = &told.answer.bundle;
        int status = find(c, STAGE(DONE), 0, "bundle that is done", &told);

        if (status != 0)
                return status;
        if (b->stage != BUNDLE_STAGE_DONE)
                return complain_of_no_file(c, b);
        status = bundle_fetch(c, b, &file);
        return status != 0 ? status : say_downloaded(c, b, &file);
}

/* --- cancel, delete -------------------------------------------------------------------------------- */

static int tell(const struct bundle_call *c, const char *method, const char *action,
                const char *what)
{
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_BYTES_MAX}, out = {0};
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        bool is_over = true;
        int status = bundle_ask(c, method, c->id, action, NULL, &json);

        if (status != 0)
                return status;
        if (c->json)
                return bundle_say(c, &json, 0);
        /* A master that does not say how it is now, has done it. */
        if (bundle_answer_from_json(&a, buf_cstr(&json), json.n, NULL) == 0)
                is_over = bundle_has_ended(&a.bundle);
        buf_printf(&out, "bundle %s: %s%s\n", c->id, is_over ? "" : "will soon be ", what);
        return bundle_say(c, &out, 0);
}

int bundle_cancel(struct bundle_call *c)
{
        return tell(c, "POST", "/cancel", "canceled");
}

int bundle_delete(struct bundle_call *c)
{
        return tell(c, "DELETE", "", "deleted");
}
