/* The verdict is what somebody came for: it is the first line, and what can be left out is left out. */

#include <ctype.h>
#include <inttypes.h>

#include "base/mono.h"
#include "cli/cluster_view.h"

#define LABEL_COLUMNS 12 /* "agent_public" */
#define AGE_COLUMNS   6

struct view {
        const struct cluster *c;
        const struct term *t;
        uint64_t now_wall_usec;
};

/* --- pieces --------------------------------------------------------------------------------------- */

static void paint_clean(const struct term *t, struct buf *out, enum hue hue, const char *text)
{
        _cleanup_(buf_done) struct buf clean = {0};

        text_append_clean(&clean, text);
        term_paint(t, out, hue, buf_cstr(&clean));
}

void cluster_view_health(struct buf *out, const struct term *t, const struct cluster_health *h)
{
        paint_clean(t, out, hue_of_health(h->health), h->word);
}

void cluster_view_why(struct buf *out, const char *text, const char *code, bool acknowledged)
{
        text_append_clean(out, str_or(text, streq(code, "ok") ? "" : code));
        if (acknowledged)
                buf_puts(out, " (acknowledged)");
}

static void append_age(struct buf *out, uint64_t usec)
{
        if (usec == USEC_INFINITY)
                buf_puts(out, "never");
        else
                text_append_age(out, usec);
}

static void append_ago(struct buf *out, uint64_t usec)
{
        append_age(out, usec);
        buf_puts(out, usec == USEC_INFINITY ? "" : " ago");
}

void cluster_view_age(struct buf *out, const struct term *t, const struct cluster_view *v)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "as ");
        text_append_clean(&text, str_or(v->observer, "this master"));
        buf_puts(&text, " sees it");
        if (v->age_usec == USEC_INFINITY) {
                buf_puts(&text, ", and nobody knows since when");
        } else {
                buf_puts(&text, ", ");
                append_ago(&text, v->age_usec);
        }
        buf_puts(&text, v->complete ? "" : "; not complete");
        term_paint(t, out, v->complete ? HUE_DIM : HUE_UNSURE, buf_cstr(&text));
}

/* --- the verdict ---------------------------------------------------------------------------------- */

/* What is wrong is said loud, also without colours. */
static void put_verdict_word(struct buf *out, const struct view *v)
{
        const struct cluster_health *h = &v->c->health;
        _cleanup_(buf_done) struct buf word = {0};

        text_append_clean(&word, h->word);
        for (size_t i = 0; h->health == DIAG_UNHEALTHY && i < word.n; i++)
                word.data[i] = (char)toupper((unsigned char)word.data[i]);
        term_paint(v->t, out, hue_of_health(h->health), buf_cstr(&word));
}

static void put_headline(struct buf *out, const struct view *v)
{
        const struct cluster *c = v->c;
        _cleanup_(buf_done) struct buf name = {0};

        buf_puts(&name, "cluster");
        buf_puts(&name, str_empty(c->name) && str_empty(c->id) ? "" : " ");
        text_append_clean(&name, str_or(c->name, c->id));
        term_paint(v->t, out, HUE_STRONG, buf_cstr(&name));
        buf_puts(out, ": ");
        put_verdict_word(out, v);
        if (c->since_wall_usec) {
                buf_puts(out, " since ");
                text_append_moment(out, v->now_wall_usec, c->since_wall_usec);
        }
        buf_puts(out, c->acknowledged ? ", acknowledged" : "");
        buf_putc(out, '\n');
        if (str_empty(c->summary))
                return;
        text_append_clean(out, c->summary);
        buf_putc(out, '\n');
}

void cluster_view_line(struct buf *out, const struct cluster *c)
{
        text_append_clean(out, c->health.word);
        buf_puts(out, c->acknowledged ? ", acknowledged" : "");
        buf_puts(out, str_empty(c->summary) ? "" : ": ");
        text_append_clean(out, c->summary);
}

/* --- why ------------------------------------------------------------------------------------------ */

static bool same_node(const struct cluster_reason *a, const struct cluster_reason *b)
{
        return streq(a->address, b->address);
}

/* "   3 min  dcos-exhibitor.service exited with status 3" */
static void put_reason(struct buf *out, const struct view *v, const struct cluster_reason *r)
{
        _cleanup_(buf_done) struct buf age = {0};

        if (r->since_wall_usec)
                text_append_age(&age, usec_since(v->now_wall_usec, r->since_wall_usec));
        buf_printf(out, "  %*s  ", AGE_COLUMNS, buf_cstr(&age));
        text_append_clean(out, r->component);
        buf_puts(out, str_empty(r->component) ? "" : " ");
        cluster_view_why(out, r->text, r->code, r->acknowledged);
        buf_putc(out, '\n');
}

/* The worst first, as they came; the others of the same node beside it. */
static void put_reasons(struct buf *out, const struct view *v)
{
        const struct cluster *c = v->c;

        for (size_t i = 0; i < c->n_reasons; i++) {
                bool seen = false;

                for (size_t k = 0; k < i && !seen; k++)
                        seen = same_node(&c->reasons[k], &c->reasons[i]);
                if (seen)
                        continue;
                buf_putc(out, '\n');
                paint_clean(v->t, out, HUE_STRONG,
                            str_or(c->reasons[i].address, "the cluster as a whole"));
                buf_putc(out, '\n');
                for (size_t k = i; k < c->n_reasons; k++)
                        if (same_node(&c->reasons[k], &c->reasons[i]))
                                put_reason(out, v, &c->reasons[k]);
        }
}

/* --- what stands beside it ------------------------------------------------------------------------ */

/* The words in front of a line, in a column. Returns @out. */
static struct buf *label(struct buf *out, const char *text)
{
        _cleanup_(buf_done) struct buf clean = {0};
        unsigned n;

        text_append_clean(&clean, text);
        n = text_columns(buf_cstr(&clean));
        buf_printf(out, "%s%*s  ", buf_cstr(&clean),
                   n < LABEL_COLUMNS ? (int)(LABEL_COLUMNS - n) : 0, "");
        return out;
}

static void put_masters(struct buf *out, const struct view *v)
{
        const struct cluster_masters *m = &v->c->masters;

        if (!m->told)
                return;
        label(out, "masters");
        if (m->n_expected)
                buf_printf(out, "%" PRIu64 " of %" PRIu64 " healthy", m->n_healthy, m->n_expected);
        else
                buf_printf(out, "%" PRIu64 " healthy", m->n_healthy);
        buf_printf(out, "; %" PRIu64 " known, %" PRIu64 " answer", m->n_known, m->n_answering);
        if (!m->n_expected) {
                buf_puts(out, "; nobody has said how many there must be");
        } else if (!str_empty(m->expected_from)) {
                buf_printf(out, "; there must be %" PRIu64 ", says ", m->n_expected);
                text_append_clean(out, m->expected_from);
        }
        buf_putc(out, '\n');
}

static const char *quorum_meaning(const char *quorum)
{
        static const struct {
                const char *word, *meaning;
        } meanings[] = {
                {"ok",      ""                                     },
                {"at-risk", ": one more that fails, and it is lost"},
                {"lost",    ": no majority of them is healthy"     },
        };

        for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
                if (streq(meanings[i].word, quorum))
                        return meanings[i].meaning;
        return "";
}

static void put_quorum(struct buf *out, const struct view *v)
{
        const char *quorum = v->c->masters.quorum;

        if (str_empty(quorum))
                return;
        label(out, "quorum");
        paint_clean(v->t, out, streq(quorum, "lost") ? HUE_BAD : HUE_PLAIN, quorum);
        buf_printf(out, "%s\n", quorum_meaning(quorum));
}

static void put_role(struct buf *out, const struct cluster_role *r)
{
        static const enum diag_health order[DIAG_N_HEALTH] = {
                DIAG_UNHEALTHY,
                DIAG_UNKNOWN,
                DIAG_HEALTHY,
        };
        const char *before = "";

        for (size_t i = 0; i < DIAG_N_HEALTH; i++) {
                uint64_t n = r->counts.n[order[i]];

                if (n == 0)
                        continue;
                buf_printf(out, "%s%" PRIu64 " %s", before, n, diag_health_to_string(order[i]));
                before = ", ";
        }
        if (r->n_maintenance > 0)
                buf_printf(out, "; %" PRIu64 " in maintenance", r->n_maintenance);
        buf_putc(out, '\n');
}

/* Masters have a line of their own, but for those that somebody works on. */
static void put_roles(struct buf *out, const struct view *v)
{
        for (size_t i = 0; i < v->c->n_roles; i++) {
                const struct cluster_role *r = &v->c->roles[i];
                bool is_master = streq(r->role, diag_role_to_string(DIAG_ROLE_MASTER));
                uint64_t n = 0;

                for (size_t k = 0; k < DIAG_N_HEALTH; k++)
                        n |= r->counts.n[k];
                if (n == 0 || (is_master && v->c->masters.told && r->n_maintenance == 0))
                        continue;
                put_role(label(out, streq(r->role, "unknown") ? "no role" : r->role), r);
        }
}

static void put_leader(struct buf *out, const struct view *v)
{
        const struct cluster *c = v->c;

        if (str_empty(c->leader))
                return;
        text_append_clean(label(out, "leader"), c->leader);
        buf_puts(out, ", says ");
        text_append_clean(out, str_or(c->leader_source, "nobody"));
        buf_putc(out, ' ');
        append_ago(out, c->leader_age_usec);
        buf_putc(out, '\n');
}

static void put_view(struct buf *out, const struct view *v)
{
        const struct cluster_view *view = &v->c->view;

        cluster_view_age(label(out, "view"), v->t, view);
        if (view->oldest_master_usec != USEC_INFINITY) {
                buf_puts(out, "; the master that was heard least: ");
                append_ago(out, view->oldest_master_usec);
        }
        buf_putc(out, '\n');
}

/* Those who agree add nothing. */
static void put_peers(struct buf *out, const struct view *v)
{
        for (size_t i = 0; i < v->c->n_peers; i++) {
                const struct cluster_peer *p = &v->c->peers[i];

                if (p->agrees)
                        continue;
                text_append_clean(label(out, "other view"), p->observer);
                buf_puts(out,
                         p->age_usec == USEC_INFINITY ? " has never said anything\n" : " says: ");
                if (p->age_usec == USEC_INFINITY)
                        continue;
                cluster_view_health(out, v->t, &p->health);
                buf_puts(out, ", ");
                append_ago(out, p->age_usec);
                buf_putc(out, '\n');
        }
}

static void put_sources(struct buf *out, const struct view *v)
{
        for (size_t i = 0; i < v->c->n_sources; i++) {
                const struct cluster_source *s = &v->c->sources[i];

                if (streq(s->state, "ok") && str_empty(s->error))
                        continue;
                text_append_clean(label(out, "source"), s->name);
                buf_puts(out, ": ");
                paint_clean(v->t, out, HUE_UNSURE, str_or(s->state, "nothing yet"));
                buf_puts(out, ", last answer ");
                append_ago(out, s->age_usec);
                buf_puts(out, str_empty(s->error) ? "" : ": ");
                text_append_clean(out, s->error);
                buf_putc(out, '\n');
        }
}

void cluster_view_all(struct buf *out, const struct cluster *c, const struct term *t,
                      uint64_t now_wall_usec)
{
        static void (*const parts[])(struct buf * out, const struct view *v) = {
                put_masters, put_quorum, put_roles, put_leader, put_view, put_peers, put_sources,
        };
        const struct view v = {c, t, now_wall_usec};

        put_headline(out, &v);
        put_reasons(out, &v);
        buf_putc(out, '\n');
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                parts[i](out, &v);
}
