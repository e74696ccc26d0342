/* From a request, which has ids only, to the sources of the plan that they mean. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/collect.h"
#include "model/report_json.h"

#define LOOK_USEC (30 * USEC_PER_SEC)

void collect_context(struct source_context *ret, const struct collect_request *q,
                     const struct collect_terms *t)
{
        uint64_t timeout = t->conf->timeout_usec;

        if (q->timeout_usec && q->timeout_usec < timeout)
                timeout = q->timeout_usec;
        *ret = (struct source_context){
                .since_wall_usec = q->since_wall_usec ? q->since_wall_usec
                                                      : now_wall_usec() - COLLECT_SINCE_USEC,
                .until_wall_usec = q->until_wall_usec,
                .deadline_mono_usec = usec_add(now_mono_usec(), timeout),
                .cancel_fd = t->cancel_fd,
                .root = str_or(t->root, ""),
                .plain_user = t->conf->command_user,
                .http_user = str_or(t->http_user, COLLECT_AGENT_USER),
                .agent_socket = str_or(t->agent_socket, COLLECT_AGENT_SOCKET),
                .agent_program = t->agent_program,
        };
}

/* --- the node's components --------------------------------------------------------------------------------- */

static int on_report(const void *data, size_t n, void *userdata)
{
        struct buf *b = userdata;

        buf_append(b, data, n);
        return b->error;
}

int collect_look(struct diag_report **ret, const struct collect_terms *t, struct err *e)
{
        static char id[] = "health";
        const struct source s = {
                .kind = SOURCE_HEALTH,
                .way = SOURCE_WAY_HEALTH,
                .id = id,
                .timeout_usec = LOOK_USEC,
                .max_bytes = DIAG_REPORT_JSON_MAX,
        };
        _cleanup_(buf_done) struct buf text = {.max = DIAG_REPORT_JSON_MAX};
        const struct collect_request q = {0};
        struct source_context c;
        struct source_outcome o;
        int k;

        collect_context(&c, &q, t);
        k = source_read(&s, NULL, &c, on_report, &text, &o);
        if (k < 0)
                return err_set(e, k, "the node's health: %s", strerror(-k));
        if (o.error)
                return err_set(e, o.error, "the node's health: %s", o.text);
        k = diag_report_from_json(ret, NULL, buf_cstr(&text), text.n, e);
        if (k < 0)
                err_prefix(e, "the node's health: ");
        return k;
}

/* What is no unit has no journal. */
static int add_components(struct plan *p, const struct diag_report *report, struct err *e)
{
        _cleanup_(freep) const char **units = calloc(report->n_components + 1, sizeof(*units));
        size_t n = 0;
        int k;

        if (!units)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < report->n_components; i++)
                if (report->components[i].kind == DIAG_COMPONENT_UNIT)
                        units[n++] = report->components[i].name;
        k = plan_add_units(p, units, n);
        return k < 0 ? err_set(e, k, "the node's components: %s", strerror(-k)) : 0;
}

/* A node whose health cannot be found out is the one that a bundle is made of: it goes on without. */
static int add_units(struct plan *p, const struct collect_request *q, const struct collect_terms *t,
                     struct err *e)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        int k;

        if (q->units) {
                k = plan_add_units(p, (const char *const *)q->units, q->n_units);
                return k < 0 ? err_set(e, k, "units: %s", strerror(-k)) : 0;
        }
        if (collect_look(&report, t, NULL) < 0 || !report)
                return 0;
        return add_components(p, report, e);
}

static bool wants_units(const struct collect_request *q)
{
        const unsigned of_units = SOURCE_KIND_BIT(SOURCE_JOURNAL) | SOURCE_KIND_BIT(SOURCE_SYSTEMD);

        for (size_t i = 0; i < q->n_ids; i++)
                if (of_units & SOURCE_KIND_BIT(q->ids[i].kind))
                        return true;
        return !q->ids && (!q->kinds || (q->kinds & of_units));
}

/* --- choosing ------------------------------------------------------------------------------------------------- */

void collect_choice_done(struct collect_choice *c)
{
        free(c->sources);
        plan_free(c->plan);
        *c = (struct collect_choice){0};
}

static int choose_ids(struct collect_choice *c, const struct collect_request *q, struct err *e)
{
        for (size_t i = 0; i < q->n_ids; i++) {
                const char *kind = source_kind_to_string(q->ids[i].kind);
                const struct source *s = plan_find(c->plan, q->ids[i].kind, q->ids[i].id);

                if (!s)
                        return err_set(e, -ENOENT, "%s %s is not configured", kind, q->ids[i].id);
                if (!source_has_role(s, q->role))
                        return err_set(e, -EACCES, "%s %s is not for this role", kind,
                                       q->ids[i].id);
                c->sources[c->n++] = s;
        }
        return 0;
}

static void choose_kinds(struct collect_choice *c, const struct collect_request *q)
{
        for (size_t i = 0; i < c->plan->n_sources; i++) {
                const struct source *s = &c->plan->sources[i];

                if (source_has_role(s, q->role) &&
                    (!q->kinds || (q->kinds & SOURCE_KIND_BIT(s->kind))))
                        c->sources[c->n++] = s;
        }
}

int collect_choose(struct collect_choice *ret, const struct collect_request *q,
                   const struct collect_terms *t, struct err *e)
{
        _cleanup_(collect_choice_done) struct collect_choice c = {0};
        int k = collect_conf_plan(&c.plan, t->conf, t->paths, e);

        if (k >= 0 && wants_units(q))
                k = add_units(c.plan, q, t, e);
        if (k < 0)
                return k;
        c.sources = calloc(c.plan->n_sources + q->n_ids + 1, sizeof(const struct source *));
        if (!c.sources)
                return err_set(e, -ENOMEM, "out of memory");
        if (q->ids)
                k = choose_ids(&c, q, e);
        else
                choose_kinds(&c, q);
        if (k < 0)
                return k;
        *ret = c;
        c = (struct collect_choice){0};
        return 0;
}
