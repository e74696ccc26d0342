/* Asking for bundles: every request goes through here, so that whatever can be wrong with it is said in one place. */

#include <errno.h>

#include "cli/answer_json.h"
#include "cli/cmd_bundle.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/term.h"
#include "cli/verb.h"

#define BUNDLES_PATH "/system/health/v2/bundles"

void bundle_told_done(struct bundle_told *t)
{
        bundle_answer_done(&t->answer);
        buf_done(&t->json);
}

/* --- what goes wrong ------------------------------------------------------------------------------- */

static bool local_would_do(const struct bundle_call *c)
{
        return c->client.is_default && access(c->client.socket_path, F_OK) < 0;
}

int bundle_complain_unasked(const struct bundle_call *c, int r, const struct err *e)
{
        term_complain(c->who, "%s%s%s", e->text, client_advice(&c->client, r),
                      local_would_do(c)
                              ? "; for a bundle of this machine alone: diag bundle create --local"
                              : "");
        return EXIT_COULD_NOT;
}

/* What the server says of a bundle, or of a request, stands for itself. */
static bool speaks_for_itself(unsigned status, const struct answer *a)
{
        return !str_empty(a->error) &&
               (status == 400 || status == 404 || status == 409 || status == 410 || status == 507);
}

int bundle_complain_refused(const struct bundle_call *c, unsigned status, const struct buf *body)
{
        _cleanup_(answer_done) struct answer a = {0};
        const char *hint = "";

        /* Who refuses need not be able to say why. */
        (void)answer_from_json(&a, buf_cstr(body), body->n, NULL);
        if (status == 403 && streq(str_or(a.reason, "not-allowed"), "not-allowed"))
                hint = "; those who may: on a master root and members of group diag, over TLS who "
                       "shows a master's certificate";
        if (speaks_for_itself(status, &a))
                term_complain(c->who, "%s", a.error);
        else
                term_complain(c->who, "%s refused (status %u): %s%s", c->client.who, status,
                              str_or(a.error, client_status_meaning(status)), hint);
        return status == 400 ? EXIT_COULD_NOT : BUNDLE_EXIT_FAILED;
}

static int complain_misunderstood(const struct bundle_call *c, const struct err *e)
{
        term_complain(c->who, "%s says what we do not understand: %s", c->client.who, e->text);
        return EXIT_COULD_NOT;
}

/* --- ask ------------------------------------------------------------------------------------------- */

int bundle_ask(const struct bundle_call *c, const char *method, const char *id, const char *action,
               const struct buf *request, struct buf *body)
{
        _cleanup_(buf_done) struct buf path = {0};
        struct err e = {0};
        unsigned status = 0;
        int r;

        buf_puts(&path, BUNDLES_PATH);
        if (id) {
                buf_putc(&path, '/');
                path_append_word(&path, id);
        }
        buf_puts(&path, action);
        r = client_call(&c->client, method, buf_cstr(&path), request, &status, body, &e);
        if (r != 0)
                return bundle_complain_unasked(c, r, &e);
        return status >= 200 && status < 300 ? 0 : bundle_complain_refused(c, status, body);
}

int bundle_read_told(const struct bundle_call *c, struct buf *json, struct bundle_told *ret,
                     struct err *e)
{
        struct bundle_told told = {0};
        int r = bundle_answer_from_json(&told.answer, buf_cstr(json), json->n, e);

        if (r < 0) {
                (void)err_prefix(e, "%s says what we do not understand: ", c->client.who);
                return r;
        }
        told.json = *json;
        *json = (struct buf){.max = json->max};
        bundle_told_done(ret);
        *ret = told;
        return 0;
}

int bundle_ask_for(const struct bundle_call *c, const char *method, const char *id,
                   const char *action, const struct buf *request, struct bundle_told *ret)
{
        _cleanup_(buf_done) struct buf json = {.max = BUNDLE_JSON_BYTES_MAX};
        struct err e = {0};
        int status = bundle_ask(c, method, id, action, request, &json);

        if (status != 0)
                return status;
        if (bundle_read_told(c, &json, ret, &e) == 0)
                return 0;
        term_complain(c->who, "%s", e.text);
        return EXIT_COULD_NOT;
}

int bundle_ask_list(const struct bundle_call *c, struct bundle_list *ret, struct buf *json)
{
        struct err e = {0};
        int status;

        json->max = BUNDLE_JSON_BYTES_MAX;
        status = bundle_ask(c, "GET", NULL, "", NULL, json);
        if (status != 0)
                return status;
        if (bundle_list_from_json(ret, buf_cstr(json), json->n, &e) < 0)
                return complain_misunderstood(c, &e);
        for (size_t i = 0; i < ret->n_silent; i++)
                term_complain(c->who, "%s cannot be asked for its bundles: %s",
                              str_or(ret->silent[i].address, "a master"),
                              str_or(ret->silent[i].error, "it does not answer"));
        return 0;
}

const struct bundle_info *bundle_newest(const struct bundle_list *l, unsigned stages)
{
        const struct bundle_info *newest = NULL;

        for (size_t i = 0; i < l->n; i++)
                if ((stages & (1u << l->rows[i].stage)) &&
                    (!newest || l->rows[i].created_wall_usec > newest->created_wall_usec))
                        newest = &l->rows[i];
        return newest;
}

/* --- say ------------------------------------------------------------------------------------------- */

int bundle_say(const struct bundle_call *c, const struct buf *out, int status)
{
        int r = term_flush(STDOUT_FILENO, out);

        if (r < 0)
                term_complain(c->who, "cannot write: %s", strerror(-r));
        return r < 0 ? EXIT_COULD_NOT : status;
}

/* A newer master may have states that we do not know; that it has an end we do. */
bool bundle_has_ended(const struct bundle_info *b)
{
        return b->stage == BUNDLE_STAGE_UNKNOWN ? b->finished_wall_usec > 0
                                                : b->stage != BUNDLE_STAGE_UNDERWAY;
}

int bundle_exit_status(const struct bundle_info *b)
{
        if (!bundle_has_ended(b))
                return 0;
        if (b->stage != BUNDLE_STAGE_DONE)
                return BUNDLE_EXIT_FAILED;
        return b->partial ? BUNDLE_EXIT_PARTIAL : 0;
}
