/* The server's own words come first; a hint is what it cannot know: where we are, and what to type. */

#include "cli/answer_json.h"
#include "cli/cluster_json.h"
#include "cli/refusal.h"
#include "cli/suggest.h"
#include "cli/term.h"

static void read_body(struct answer *ret, const struct buf *body)
{
        /* Who refuses need not be able to say why. */
        (void)answer_from_json(ret, buf_cstr(body), body->n, NULL);
}

void refusal_describe(struct buf *out, unsigned status, const struct buf *body)
{
        _cleanup_(answer_done) struct answer a = {0};

        read_body(&a, body);
        text_append_clean(out, str_or(a.error, client_status_meaning(status)));
}

static const char *hint_of(const char *reason)
{
        static const struct {
                const char *reason, *hint;
        } hints[] = {
                {"static",
                 "; on every master: [Node] in aggregatord.conf, --node, or the file of --nodes-file"},
                {"alive",
                 "; there: systemctl disable --now diag-agentd.socket diag-agentd.service"           },
                {"zookeeper",   "; diag cluster says how ZooKeeper is"                               },
                {"not-allowed",
                 "; on a master, as root or as a member of group diag, it can be done"               },
        };

        for (size_t i = 0; i < ELEMENTSOF(hints); i++)
                if (streq(hints[i].reason, str_or(reason, "")))
                        return hints[i].hint;
        return "";
}

/* --- who may have been meant ---------------------------------------------------------------------- */

static void offer_nodes(struct suggestion *s, const struct cluster_nodes *l)
{
        for (size_t i = 0; i < l->n; i++) {
                suggestion_offer(s, l->rows[i].address);
                suggestion_offer(s, l->rows[i].hostname);
        }
}

static void offer_units(struct suggestion *s, const struct cluster_units *l)
{
        for (size_t i = 0; i < l->n; i++)
                suggestion_offer(s, l->rows[i].name);
}

/* All names that there are, if the master lists them: it is only help, so failures are silent. */
static bool list_names(const struct refusal *r, struct buf *json)
{
        static const char *const lists[] = {
                [REFUSAL_OF_NODE] = "/system/health/v2/nodes?fields=inventory&limit=10000",
                [REFUSAL_OF_UNIT] = "/system/health/v2/units?limit=10000",
        };
        unsigned status = 0;

        return client_call(r->client, "GET", lists[r->of], NULL, &status, json, NULL) == 0 &&
               status == 200;
}

static void suggest(struct buf *out, const struct refusal *r)
{
        _cleanup_(buf_done) struct buf json = {.max = CLUSTER_JSON_MAX};
        _cleanup_(cluster_nodes_done) struct cluster_nodes nodes = {0};
        _cleanup_(cluster_units_done) struct cluster_units units = {0};
        struct suggestion s = {.wanted = r->name};

        if (!list_names(r, &json))
                return;
        if (r->of == REFUSAL_OF_NODE &&
            cluster_nodes_add(&nodes, buf_cstr(&json), json.n, NULL) == 0)
                offer_nodes(&s, &nodes);
        if (r->of == REFUSAL_OF_UNIT &&
            cluster_units_add(&units, buf_cstr(&json), json.n, NULL) == 0)
                offer_units(&s, &units);
        suggestion_append(&s, out);
}

static void put_candidates(struct buf *out, const struct answer *a)
{
        for (size_t i = 0; i < a->n_candidates; i++) {
                const struct answer_candidate *c = &a->candidates[i];

                buf_puts(out, "  ");
                text_append_clean(out, c->address);
                buf_puts(out, "  ");
                text_append_clean(out, c->hostname);
                buf_puts(out, str_empty(c->hostname) ? "" : "  ");
                text_append_clean(out, c->node_id);
                buf_putc(out, '\n');
        }
}

/* --- all of it ------------------------------------------------------------------------------------ */

static void complain_of_name(const struct refusal *r, const struct answer *a)
{
        _cleanup_(buf_done) struct buf near = {0}, list = {0};

        if (r->status == 404)
                suggest(&near, r);
        if (a->n_candidates > 0)
                buf_puts(&near, "; say which one:");
        term_complain(r->who, "%s%s", a->error, buf_cstr(&near));
        put_candidates(&list, a);
        (void)term_flush(STDERR_FILENO, &list);
}

void refusal_complain(const struct refusal *r)
{
        _cleanup_(answer_done) struct answer a = {0};
        bool of_name;

        read_body(&a, r->body);
        of_name = r->of != REFUSAL_OF_NOTHING && !str_empty(a.error) &&
                  (r->status == 404 || (r->status == 409 && a.n_candidates > 0));
        if (of_name)
                complain_of_name(r, &a);
        else
                term_complain(r->who, "%s refused (status %u): %s%s", r->client->who, r->status,
                              str_or(a.error, client_status_meaning(r->status)), hint_of(a.reason));
}
