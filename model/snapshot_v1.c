/* API v1 of a cluster. Appending only: what is asked for in volume is made once for each snapshot. */

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "model/report_v1.h"
#include "model/snapshot_v1.h"

/* --- what is shown ----------------------------------------------------------------------------- */

static bool is_listed(const struct diag_member *m)
{
        return m->reach != DIAG_REACH_SUPERSEDED;
}

static enum diag_health node_health(const struct diag_look *l, const struct diag_member *m)
{
        return l->stale || !diag_member_speaks(m) ? DIAG_UNKNOWN : m->health;
}

static enum diag_health component_health(const struct diag_look *l, const struct diag_member *m,
                                         size_t i)
{
        return l->stale ? DIAG_UNKNOWN : diag_member_component_health(m, i);
}

/* Why it is not healthy, where the node itself has not said so in the words of API v1. */
static const char *component_text(const struct diag_look *l, const struct diag_member *m, size_t i)
{
        if (l->stale)
                return l->stale;
        return m->stale ? m->text : m->report->components[i].text;
}

/* A node says it all in one text, of which the first line is the reason: that much is for everybody. */
static void append_output(struct buf *out, const struct diag_look *l, const struct diag_member *m,
                          size_t i)
{
        const char *said = l->stale || m->stale ? "" : diag_member_output(m, i);

        if (component_health(l, m, i) == DIAG_HEALTHY)
                return;
        if (*said && l->outputs) {
                buf_puts(out, said);
                return;
        }
        if (!*said)
                said = component_text(l, m, i);
        buf_append(out, said, strcspn(said, "\n"));
        buf_putc(out, '\n');
}

/* Of the nodes of a unit, those that can be asked about it; each once. */
static const struct diag_member *speaker(const struct diag_look *l, const struct diag_unit_row *row,
                                         size_t i)
{
        const struct diag_member *m = l->snapshot->members[row->nodes[i].member];

        if (i > 0 && row->nodes[i - 1].member == row->nodes[i].member)
                return NULL;
        return is_listed(m) && diag_member_speaks(m) ? m : NULL;
}

static bool unit_is_listed(const struct diag_look *l, const struct diag_unit_row *row)
{
        for (size_t i = 0; i < row->n_nodes; i++)
                if (speaker(l, row, i))
                        return true;
        return false;
}

/* The greatest number, as in the old service: there, not to know is worse than to be unhealthy. */
static int unit_health(const struct diag_look *l, const struct diag_unit_row *row)
{
        int worst = 0;

        for (size_t i = 0; i < row->n_nodes; i++) {
                const struct diag_member *m = l->snapshot->members[row->nodes[i].member];
                int health = diag_v1_health(component_health(l, m, row->nodes[i].component));

                if (is_listed(m) && diag_member_speaks(m) && health > worst)
                        worst = health;
        }
        return worst;
}

const struct diag_member *diag_v1_find_node(const struct diag_look *l, const char *address)
{
        const struct diag_member *m = diag_snapshot_find(l->snapshot, address);

        return m && is_listed(m) ? m : NULL;
}

const struct diag_unit_row *diag_v1_find_unit(const struct diag_look *l, const char *name,
                                              int *ret_error)
{
        const struct diag_unit_index *x = diag_snapshot_units(l->snapshot);
        const struct diag_unit_row *row = x ? diag_unit_index_find(x, name) : NULL;

        *ret_error = x ? 0 : -ENOMEM;
        return row && unit_is_listed(l, row) ? row : NULL;
}

ssize_t diag_v1_find_component(const struct diag_member *m, const char *name)
{
        const struct diag_component *c =
                diag_member_speaks(m) ? diag_report_find(m->report, name) : NULL;

        return c ? c - m->report->components : -1;
}

/* --- nodes ------------------------------------------------------------------------------------- */

static void write_node_members(struct json_writer *w, const struct diag_look *l,
                               const struct diag_member *m)
{
        jw_member_string(w, "host_ip", m->address);
        jw_key(w, "health");
        jw_int(w, diag_v1_health(node_health(l, m)));
        jw_member_string(w, "role", diag_role_to_string(m->role));
}

static void write_node(struct json_writer *w, const struct diag_look *l,
                       const struct diag_member *m)
{
        jw_begin_object(w);
        write_node_members(w, l, m);
        jw_end_object(w);
}

static void begin_list(struct json_writer *w, const char *key)
{
        jw_begin_object(w);
        jw_key(w, key);
        jw_begin_array(w);
}

static void end_list(struct json_writer *w)
{
        jw_end_array(w);
        jw_end_object(w);
        buf_putc(w->out, '\n');
}

void diag_v1_write_nodes(struct buf *out, const struct diag_look *l)
{
        const struct diag_snapshot *s = l->snapshot;
        struct json_writer w = {.out = out};

        begin_list(&w, "nodes");
        for (size_t i = 0; i < s->n_members; i++)
                if (is_listed(s->members[i]))
                        write_node(&w, l, s->members[i]);
        end_list(&w);
}

void diag_v1_write_node(struct buf *out, const struct diag_look *l, const struct diag_member *m)
{
        struct json_writer w = {.out = out};

        write_node(&w, l, m);
        buf_putc(out, '\n');
}

void diag_v1_write_unit_nodes(struct buf *out, const struct diag_look *l,
                              const struct diag_unit_row *row)
{
        struct json_writer w = {.out = out};

        begin_list(&w, "nodes");
        for (size_t i = 0; i < row->n_nodes; i++) {
                const struct diag_member *m = speaker(l, row, i);

                if (m)
                        write_node(&w, l, m);
        }
        end_list(&w);
}

/* --- units ------------------------------------------------------------------------------------- */

static void write_unit(struct json_writer *w, const char *id, const char *name, int health,
                       const char *description)
{
        jw_begin_object(w);
        jw_member_string(w, "id", id);
        jw_member_string(w, "name", name);
        jw_key(w, "health");
        jw_int(w, health);
        jw_member_string(w, "description", description);
        jw_end_object(w);
}

static void write_row(struct json_writer *w, const struct diag_look *l,
                      const struct diag_unit_row *row)
{
        write_unit(w, row->name, row->title, unit_health(l, row), row->description);
}

void diag_v1_write_units(struct buf *out, const struct diag_look *l)
{
        const struct diag_unit_index *x = diag_snapshot_units(l->snapshot);
        struct json_writer w = {.out = out};

        if (!x) {
                out->error = -ENOMEM;
                return;
        }
        begin_list(&w, "units");
        for (size_t i = 0; i < x->n_rows; i++)
                if (unit_is_listed(l, &x->rows[i]))
                        write_row(&w, l, &x->rows[i]);
        end_list(&w);
}

void diag_v1_write_unit(struct buf *out, const struct diag_look *l, const struct diag_unit_row *row)
{
        struct json_writer w = {.out = out};

        write_row(&w, l, row);
        buf_putc(out, '\n');
}

void diag_v1_write_node_units(struct buf *out, const struct diag_look *l,
                              const struct diag_member *m)
{
        size_t n = diag_member_speaks(m) ? m->report->n_components : 0;
        struct json_writer w = {.out = out};

        begin_list(&w, "units");
        for (size_t i = 0; i < n; i++) {
                const struct diag_component *c = &m->report->components[i];

                write_unit(&w, c->name, c->title, diag_v1_health(component_health(l, m, i)),
                           c->description);
        }
        end_list(&w);
}

/* --- one unit on one node ---------------------------------------------------------------------- */

static void write_output(struct json_writer *w, const char *key, const struct diag_look *l,
                         const struct diag_member *m, size_t component)
{
        _cleanup_(buf_done) struct buf text = {0};

        append_output(&text, l, m, component);
        jw_member_string(w, key, buf_cstr(&text));
        if (text.error && !w->out->error)
                w->out->error = text.error;
}

static void write_help(struct json_writer *w, const struct diag_member *m)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_printf(&text,
                   "Node available at `dcos node ssh -mesos-id %s`. Try, `journalctl -xv` to "
                   "diagnose further.",
                   m->mesos_id);
        jw_member_string(w, "help", buf_cstr(&text));
        if (text.error && !w->out->error)
                w->out->error = text.error;
}

void diag_v1_write_node_unit(struct buf *out, const struct diag_look *l,
                             const struct diag_member *m, size_t component)
{
        const struct diag_component *c = &m->report->components[component];
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "id", c->name);
        jw_key(&w, "health");
        jw_int(&w, diag_v1_health(component_health(l, m, component)));
        write_output(&w, "output", l, m, component);
        jw_member_string(&w, "description", c->description);
        write_help(&w, m);
        jw_member_string(&w, "name", c->title);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

void diag_v1_write_unit_node(struct buf *out, const struct diag_look *l,
                             const struct diag_member *m, size_t component)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        write_node_members(&w, l, m);
        write_output(&w, "output", l, m, component);
        write_help(&w, m);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- made once --------------------------------------------------------------------------------- */

static struct blob *render(const struct diag_snapshot *s,
                           void (*write)(struct buf *out, const struct diag_look *l))
{
        const struct diag_look look = {.snapshot = s};
        _cleanup_(buf_done) struct buf out = {0};

        write(&out, &look);
        return blob_new_take(&out);
}

struct blob *diag_snapshot_render_v1_nodes(const struct diag_snapshot *s)
{
        return render(s, diag_v1_write_nodes);
}

struct blob *diag_snapshot_render_v1_units(const struct diag_snapshot *s)
{
        return render(s, diag_v1_write_units);
}

/* --- the report -------------------------------------------------------------------------------- */

#define N_V1_HEALTH 4 /* 0, 1 and 3 */

/* A unit of /report around its nodes: the same text wherever it stands. */
struct unit_glue {
        struct blob *open, *close[N_V1_HEALTH];
};

/* A report in the making. */
struct report {
        const struct diag_look *look;
        const struct diag_unit_index *index;
        struct blob **nodes;    /* of each member: its text, without the closing brace */
        struct unit_glue *glue; /* of each row of the index */
        struct rope_builder rope;
        struct json_writer w; /* into the rope's own text */
};

/* Go's RFC3339Nano: no more decimals than it takes. */
static void write_time(struct json_writer *w, const char *key, uint64_t wall_usec)
{
        time_t when = (time_t)(wall_usec / USEC_PER_SEC);
        unsigned usec = (unsigned)(wall_usec % USEC_PER_SEC), n_digits = 6;
        char text[128], fraction[16] = "";
        struct tm tm;

        if (!wall_usec || !gmtime_r(&when, &tm)) {
                jw_member_string(w, key, "0001-01-01T00:00:00Z"); /* Go's zero */
                return;
        }
        for (; usec && usec % 10 == 0; usec /= 10)
                n_digits--;
        if (usec)
                (void)snprintf(fraction, sizeof(fraction), ".%0*u", (int)n_digits, usec);
        (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
        jw_member_string(w, key, text);
}

static void write_outputs(struct json_writer *w, const struct diag_look *l,
                          const struct diag_member *m)
{
        jw_key(w, "Output");
        if (l->stale || !diag_member_speaks(m)) {
                jw_null(w);
                return;
        }
        jw_begin_object(w);
        for (size_t i = 0; i < m->report->n_components; i++)
                write_output(w, m->report->components[i].name, l, m, i);
        jw_end_object(w);
}

/* Not its closing brace: in one of its places its units come behind. */
static void write_report_node(struct json_writer *w, const struct diag_look *l,
                              const struct diag_member *m)
{
        bool speaks = !l->stale && diag_member_speaks(m);

        jw_begin_object(w);
        jw_member_bool(w, "Leader", m->leader);
        jw_member_string(w, "Role", diag_role_to_string(m->role));
        jw_member_string(w, "IP", m->address);
        jw_member_string(w, "Host", speaks ? m->hostname : "");
        jw_key(w, "Health");
        jw_int(w, diag_v1_health(node_health(l, m)));
        write_outputs(w, l, m);
        jw_member_string(w, "MesosID", speaks ? m->mesos_id : "");
}

static struct blob *render_node(const struct diag_member *m, bool outputs)
{
        const struct diag_look look = {.outputs = outputs};
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        write_report_node(&w, &look, m);
        return blob_new_take(&out);
}

static struct blob *render_node_with_outputs(const struct diag_member *m)
{
        return render_node(m, true);
}

static struct blob *render_node_reasons(const struct diag_member *m)
{
        return render_node(m, false);
}

static void write_unit_end(struct json_writer *w, const struct report *p, const char *title,
                           const char *description, int health)
{
        jw_key(w, "Health");
        jw_int(w, health);
        jw_member_string(w, "Title", description);
        write_time(w, "Timestamp", p->look->snapshot->round_wall_usec);
        jw_member_string(w, "PrettyName", title);
        jw_end_object(w);
}

static struct blob *unit_open(struct report *p, const struct diag_unit_row *row)
{
        struct blob **open = &p->glue[row - p->index->rows].open;
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        if (*open)
                return *open;
        jw_begin_object(&w);
        jw_member_string(&w, "UnitName", row->name);
        jw_key(&w, "Nodes");
        jw_begin_array(&w);
        return *open = blob_new_take(&out);
}

static struct blob *unit_close(struct report *p, const struct diag_unit_row *row, int health)
{
        struct blob **close = &p->glue[row - p->index->rows].close[health];
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out, .depth = 1, .need_comma = true};

        if (*close)
                return *close;
        buf_puts(&out, "}]");
        write_unit_end(&w, p, row->title, row->description, health);
        return *close = blob_new_take(&out);
}

static void add(struct report *p, struct blob *b)
{
        if (b)
                rope_builder_add(&p->rope, b);
        else
                p->rope.text.error = -ENOMEM;
}

static void add_unit(struct report *p, const struct diag_unit_row *row)
{
        bool first = true;

        jw_key(&p->w, row->name);
        add(p, unit_open(p, row));
        for (size_t i = 0; i < row->n_nodes; i++) {
                if (!speaker(p->look, row, i))
                        continue;
                if (!first)
                        buf_puts(&p->rope.text, "},");
                first = false;
                add(p, p->nodes[row->nodes[i].member]);
        }
        add(p, unit_close(p, row, unit_health(p->look, row)));
        p->w.need_comma = true;
}

/* A unit that has other words on this node than on the first one is written out. */
static void write_odd_unit(struct report *p, size_t at, const struct diag_component *c, int health)
{
        struct json_writer *w = &p->w;

        jw_begin_object(w);
        jw_member_string(w, "UnitName", c->name);
        jw_key(w, "Nodes");
        jw_begin_array(w);
        add(p, p->nodes[at]);
        buf_puts(w->out, "}");
        jw_end_array(w);
        write_unit_end(w, p, c->title, c->description, health);
}

static void add_node_unit(struct report *p, size_t at, size_t i)
{
        const struct diag_member *m = p->look->snapshot->members[at];
        const struct diag_component *c = &m->report->components[i];
        const struct diag_unit_row *row = diag_unit_index_find(p->index, c->name);
        int health = diag_v1_health(component_health(p->look, m, i));

        if (!row || !streq(row->title, c->title) || !streq(row->description, c->description)) {
                write_odd_unit(p, at, c, health);
                return;
        }
        if (p->w.need_comma)
                buf_putc(&p->rope.text, ',');
        add(p, unit_open(p, row));
        add(p, p->nodes[at]);
        add(p, unit_close(p, row, health));
        p->w.need_comma = true;
}

static void add_node(struct report *p, size_t at)
{
        const struct diag_member *m = p->look->snapshot->members[at];

        jw_key(&p->w, m->address);
        add(p, p->nodes[at]);
        if (diag_member_speaks(m) && m->report->n_components) {
                buf_puts(&p->rope.text, ",\"Units\":[");
                p->w.need_comma = false;
                for (size_t i = 0; i < m->report->n_components; i++)
                        add_node_unit(p, at, i);
                buf_putc(&p->rope.text, ']');
        }
        buf_putc(&p->rope.text, '}');
        p->w.need_comma = true;
}

static void add_all(struct report *p)
{
        const struct diag_snapshot *s = p->look->snapshot;

        jw_begin_object(&p->w);
        jw_key(&p->w, "Units");
        jw_begin_object(&p->w);
        for (size_t i = 0; i < p->index->n_rows; i++)
                if (unit_is_listed(p->look, &p->index->rows[i]))
                        add_unit(p, &p->index->rows[i]);
        jw_end_object(&p->w);
        jw_key(&p->w, "Nodes");
        jw_begin_object(&p->w);
        for (size_t i = 0; i < s->n_members; i++)
                if (is_listed(s->members[i]))
                        add_node(p, i);
        jw_end_object(&p->w);
        write_time(&p->w, "UpdatedTime", s->round_wall_usec);
        jw_end_object(&p->w);
        buf_putc(&p->rope.text, '\n');
}

/* No node can be vouched for: as if none had answered, but the units keep their names. */
static void write_stale(struct report *p)
{
        const struct diag_snapshot *s = p->look->snapshot;
        struct json_writer *w = &p->w;

        jw_begin_object(w);
        jw_key(w, "Units");
        jw_begin_object(w);
        for (size_t i = 0; i < p->index->n_rows; i++) {
                const struct diag_unit_row *row = &p->index->rows[i];

                if (!unit_is_listed(p->look, row))
                        continue;
                jw_key(w, row->name);
                jw_begin_object(w);
                jw_member_string(w, "UnitName", row->name);
                write_unit_end(w, p, row->title, row->description, diag_v1_health(DIAG_UNKNOWN));
        }
        jw_end_object(w);
        jw_key(w, "Nodes");
        jw_begin_object(w);
        for (size_t i = 0; i < s->n_members; i++) {
                if (!is_listed(s->members[i]))
                        continue;
                jw_key(w, s->members[i]->address);
                write_report_node(w, p->look, s->members[i]);
                jw_end_object(w);
        }
        jw_end_object(w);
        write_time(w, "UpdatedTime", s->round_wall_usec);
        jw_end_object(w);
        buf_putc(w->out, '\n');
}

static bool report_begin(struct report *p, const struct diag_look *l)
{
        const struct diag_snapshot *s = l->snapshot;

        *p = (struct report){.look = l, .index = diag_snapshot_units(s)};
        if (!p->index)
                return false;
        p->w.out = &p->rope.text;
        p->nodes = calloc(s->n_members + 1, sizeof(struct blob *));
        p->glue = calloc(p->index->n_rows + 1, sizeof(*p->glue));
        if (!p->nodes || !p->glue)
                return false;
        for (size_t i = 0; !l->stale && i < s->n_members; i++) {
                p->nodes[i] =
                        l->outputs ? diag_member_rendered(s->members[i], DIAG_MEMBER_MEMO_V1_NODE,
                                                          render_node_with_outputs)
                                   : diag_member_rendered(s->members[i],
                                                          DIAG_MEMBER_MEMO_V1_NODE_REASONS,
                                                          render_node_reasons);
                if (!p->nodes[i])
                        return false;
        }
        return true;
}

static void report_done(struct report *p)
{
        for (size_t i = 0; p->nodes && i < p->look->snapshot->n_members; i++)
                blob_unref(p->nodes[i]);
        free(p->nodes);
        for (size_t i = 0; p->glue && i < p->index->n_rows; i++) {
                blob_unref(p->glue[i].open);
                for (size_t k = 0; k < N_V1_HEALTH; k++)
                        blob_unref(p->glue[i].close[k]);
        }
        free(p->glue);
        rope_builder_done(&p->rope);
}

static struct rope *report_new(const struct diag_look *l)
{
        struct rope *made = NULL;
        struct report p;

        if (report_begin(&p, l)) {
                if (l->stale)
                        write_stale(&p);
                else
                        add_all(&p);
                made = rope_new_take(&p.rope);
        }
        report_done(&p);
        return made;
}

struct rope *diag_v1_report(const struct diag_look *l)
{
        /* As with a blob_memo: written once, with what anybody else would have written, too. */
        _Atomic(struct rope *) *slot =
                &((struct diag_snapshot *)l->snapshot)->v1_reports[l->outputs];
        struct rope *have = l->stale ? NULL : atomic_load_explicit(slot, memory_order_acquire);
        struct rope *none = NULL;

        if (have)
                return rope_ref(have);
        have = report_new(l);
        if (!have || l->stale)
                return have;
        if (atomic_compare_exchange_strong_explicit(slot, &none, have, memory_order_acq_rel,
                                                    memory_order_acquire))
                return rope_ref(have);
        rope_unref(have);
        return rope_ref(none);
}
