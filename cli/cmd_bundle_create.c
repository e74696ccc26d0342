/* Bundles that are to be: create, and estimate how large one would be. */

#include <errno.h>
#include <sys/stat.h>

#include "cli/bundle_view.h"
#include "cli/cmd_bundle.h"
#include "cli/term.h"
#include "cli/verb.h"

/* --- create ---------------------------------------------------------------------------------------- */

/* Where the master chose for us, or chose fewer than all, this says so. */
static void say_begun(const struct bundle_call *c, const struct bundle_info *b)
{
        _cleanup_(buf_done) struct buf nodes = {0};

        bundle_view_nodes(&nodes, b);
        if (c->wait)
                term_complain(c->who, "bundle %s, %s", b->id, buf_cstr(&nodes));
        else
                term_complain(
                        c->who,
                        "it is being made, %s; diag bundle wait %s, then diag bundle download %s",
                        buf_cstr(&nodes), b->id, b->id);
}

static int say_id(const struct bundle_call *c, const struct bundle_told *told)
{
        _cleanup_(buf_done) struct buf out = {0};

        buf_printf(&out, "%s\n", told->answer.bundle.id);
        return bundle_say(c, c->json ? &told->json : &out, 0);
}

static int finish(const struct bundle_call *c, struct bundle_told *told)
{
        _cleanup_(buf_done) struct buf out = {0}, file = {0};
        const struct term t = term_of(STDOUT_FILENO);
        const struct bundle_info *b;
        int status = bundle_wait_for(c, told), fetched = 0;

        if (status != 0)
                return status;
        b = &told->answer.bundle;
        if (c->output && b->stage == BUNDLE_STAGE_DONE)
                fetched = bundle_fetch(c, b, &file);
        bundle_view_outcome(&out, b, c->output && fetched == 0 ? buf_cstr(&file) : NULL, &t);
        status = bundle_say(c, c->json ? &told->json : &out, bundle_exit_status(b));
        return fetched != 0 ? fetched : status;
}

/* Said before minutes were spent on what could then not be put there. */
static int check_output(const struct bundle_call *c)
{
        const char *slash = strrchr(c->output, '/');
        size_t n = !slash ? 0 : slash == c->output ? 1 : (size_t)(slash - c->output);
        _cleanup_(freep) char *above = slash ? strndup(c->output, n) : strdup(".");
        struct stat st;
        const char *directory =
                stat(c->output, &st) == 0 && S_ISDIR(st.st_mode) ? c->output : above;

        if (!directory || access(directory, W_OK | X_OK) == 0)
                return 0; /* short of memory, it will be said later */
        term_complain(c->who, "cannot write %s: %s: %s; no bundle was made", c->output, directory,
                      strerror(errno));
        return EXIT_COULD_NOT;
}

int bundle_create(struct bundle_call *c)
{
        _cleanup_(bundle_told_done) struct bundle_told told = {0};
        _cleanup_(buf_done) struct buf request = {0};
        int status;

        if (c->local)
                return bundle_create_local(c);
        if (c->output && check_output(c) != 0)
                return EXIT_COULD_NOT;
        bundle_choice_write(&request, &c->choice);
        if (request.error) {
                term_complain(c->who, "%s", strerror(-request.error));
                return EXIT_COULD_NOT;
        }
        status = bundle_ask_for(c, "POST", NULL, "", &request, &told);
        if (status != 0)
                return status;
        if (!c->json)
                say_begun(c, &told.answer.bundle);
        return c->wait ? finish(c, &told) : say_id(c, &told);
}

/* --- estimate -------------------------------------------------------------------------------------- */

int bundle_estimate(struct bundle_call *c)
{
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};
        _cleanup_(buf_done) struct buf request = {0}, json = {.max = BUNDLE_JSON_BYTES_MAX},
                                       out = {0};
        const struct term t = term_of(STDOUT_FILENO);
        struct err e = {0};
        int status;

        if (c->local)
                return bundle_estimate_local(c);
        bundle_choice_write(&request, &c->choice);
        status = bundle_ask(c, "POST", NULL, "/estimate", &request, &json);
        if (status != 0)
                return status;
        if (bundle_estimate_from_json(&s, buf_cstr(&json), json.n, &e) < 0) {
                term_complain(c->who, "%s says what we do not understand: %s", c->client.who,
                              e.text);
                return EXIT_COULD_NOT;
        }
        bundle_view_estimate(&out, &s, &t);
        return bundle_say(c, c->json ? &json : &out, s.fits ? 0 : BUNDLE_EXIT_FAILED);
}
