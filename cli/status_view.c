/*
 * What is shown is decided by three tables: remarks about the node, columns of the overview, fields
 * of a component. All text of the report is cleaned on its way in.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "base/mono.h"
#include "cli/probe_view.h"
#include "cli/status_view.h"
#include "cli/table.h"
#include "model/unit_name.h"
#include "model/unit_words.h"

#define OLD_AFTER_USEC (20 * USEC_PER_SEC) /* systemd is asked every 15 s: one answer is missing */
#define NAME_LEAST     20u
#define NOTHING        "-"

static const enum diag_health worst_first[DIAG_N_HEALTH] = {
        DIAG_UNHEALTHY,
        DIAG_UNKNOWN,
        DIAG_HEALTHY,
};

static void paint_health(const struct term *t, struct buf *out, enum diag_health h)
{
        term_paint(t, out, hue_of_health(h), diag_health_to_string(h));
}

static void append_age_of(struct buf *out, const struct status_view *v, uint64_t wall_usec)
{
        text_append_age(out, usec_since(v->now_wall_usec, wall_usec));
}

/* --- the node ------------------------------------------------------------------------------------- */

static void put_who(struct buf *out, const struct diag_node *n)
{
        const char *name = str_or(n->hostname, str_or(n->address, "this node"));
        const char *role = diag_role_to_string(n->role);
        bool has_address = !str_empty(n->address) && name != n->address;

        text_append_clean(out, name);
        if (!*role && !has_address)
                return;
        buf_printf(out, " (%s%s", role, *role && has_address ? ", " : "");
        if (has_address)
                text_append_clean(out, n->address);
        buf_putc(out, ')');
}

/* "m1 (master, 10.0.0.1) has been unhealthy for 3 min" */
static void put_headline(struct buf *out, const struct status_view *v)
{
        const struct diag_report *r = v->report;

        put_who(out, &r->node);
        buf_puts(out, r->since_wall_usec ? " has been " : " is ");
        paint_health(v->term, out, r->health);
        if (r->since_wall_usec) {
                buf_puts(out, " for ");
                append_age_of(out, v, r->since_wall_usec);
        }
        buf_putc(out, '\n');
}

/* "29 components: 1 unhealthy, 28 healthy" */
static void put_counts(struct buf *out, const struct status_view *v)
{
        const struct diag_report *r = v->report;
        const char *before = ": ";

        if (r->n_components == 0)
                return;
        buf_printf(out, "%zu component%s", r->n_components, r->n_components == 1 ? "" : "s");
        for (size_t i = 0; i < DIAG_N_HEALTH; i++) {
                enum diag_health h = worst_first[i];

                if (r->counts.n[h] == 0)
                        continue;
                buf_printf(out, "%s%u %s%s", before, r->counts.n[h], diag_health_to_string(h),
                           r->maintenance && h != DIAG_HEALTHY ? " (acknowledged)" : "");
                before = ", ";
        }
        buf_putc(out, '\n');
}

/* Somebody knows of it; but nothing is healthier for that, and the exit status neither. */
static void say_maintenance(struct buf *out, const struct status_view *v)
{
        const struct diag_maintenance *m = v->report->maintenance;

        if (!m)
                return;
        buf_puts(out, "maintenance until ");
        text_append_moment(out, v->now_wall_usec, m->until_wall_usec);
        buf_puts(out, ": ");
        text_append_clean(out, m->reason);
        buf_puts(out, "\n  begun ");
        append_age_of(out, v, m->since_wall_usec);
        buf_puts(out, " ago by ");
        text_append_clean(out, m->by);
        buf_puts(out, "; acknowledges what is not healthy, changes no health");
}

static void say_phase(struct buf *out, const struct status_view *v)
{
        if (v->report->phase == DIAG_PHASE_STARTING)
                buf_puts(out, "the daemon has just started: systemd has not been asked yet");
        else if (v->report->phase == DIAG_PHASE_STOPPING)
                buf_puts(out, "this machine is going down");
}

static void say_own_reason(struct buf *out, const struct status_view *v)
{
        text_append_clean(out,
                          str_or(v->report->node_text, diag_code_to_string(v->report->node_code)));
}

static void say_age(struct buf *out, const struct status_view *v)
{
        /* A node that claims nothing says itself why. */
        if (v->confirmed_age_usec < OLD_AFTER_USEC || v->report->node_code == DIAG_CODE_NO_FACTS ||
            v->report->node_code == DIAG_CODE_FACTS_STALE)
                return;
        buf_puts(out, "systemd has not answered for ");
        text_append_age(out, v->confirmed_age_usec);
        buf_puts(out, ": this is how it was then");
}

static void say_system(struct buf *out, const struct status_view *v)
{
        const struct diag_system *s = &v->report->system;

        if (str_empty(s->state) || streq(s->state, "running") ||
            v->report->node_code == DIAG_CODE_NO_FACTS ||
            v->report->node_code == DIAG_CODE_FACTS_STALE)
                return;
        buf_puts(out, "systemd calls this machine ");
        text_append_clean(out, s->state);
        if (s->n_failed_units > 0)
                buf_printf(out, ": %u failed unit%s", s->n_failed_units,
                           s->n_failed_units == 1 ? "" : "s");
}

static void say_truncated(struct buf *out, const struct status_view *v)
{
        if (v->report->truncated)
                buf_puts(out, "there are more components than a report holds: the list is cut");
}

/* Things to know before believing the table. Each says a sentence, or nothing. */
static void put_remarks(struct buf *out, const struct status_view *v)
{
        static void (*const remarks[])(struct buf * out, const struct status_view *v) = {
                say_maintenance, say_phase, say_own_reason, say_age, say_system, say_truncated,
        };
        _cleanup_(buf_done) struct buf text = {0};

        for (size_t i = 0; i < ELEMENTSOF(remarks); i++) {
                buf_clear(&text);
                remarks[i](&text, v);
                if (text.n == 0)
                        continue;
                term_paint(v->term, out, HUE_UNSURE, buf_cstr(&text));
                buf_putc(out, '\n');
        }
}

/* --- the table ------------------------------------------------------------------------------------ */

static enum hue cell_name(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct diag_component *c = row;

        text_append_clean(out, c->name);
        return c->health == DIAG_HEALTHY ? HUE_PLAIN : HUE_STRONG;
}

static enum hue cell_health(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct diag_component *c = row;

        buf_puts(out, diag_health_to_string(c->health));
        return hue_of_health(c->health);
}

/* What systemd said last is not what it is now. */
static bool is_old_news(const struct diag_component *c)
{
        return c->code == DIAG_CODE_NO_FACTS || c->code == DIAG_CODE_FACTS_STALE;
}

static void append_state(struct buf *out, const struct diag_unit *u)
{
        text_append_clean(out, u->active_state);
        if (!str_empty(u->sub_state)) {
                buf_putc(out, '/');
                text_append_clean(out, u->sub_state);
        }
}

static enum hue cell_state(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct diag_component *c = row;

        if (!is_old_news(c) && c->unit && !str_empty(c->unit->active_state))
                append_state(out, c->unit);
        else if (!is_old_news(c) && c->kind == DIAG_COMPONENT_PROBES)
                probe_view_count(out, c);
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue cell_since(struct buf *out, const void *row, const void *userdata)
{
        const struct diag_component *c = row;

        if (c->since_wall_usec)
                append_age_of(out, userdata, c->since_wall_usec);
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue cell_restarts(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct diag_component *c = row;

        if (c->unit && diag_unit_is_service(c->unit))
                buf_printf(out, "%" PRIu32, c->unit->n_restarts);
        else
                buf_puts(out, NOTHING);
        return c->n_restarts_recent > 0 ? HUE_UNSURE : HUE_PLAIN;
}

/* Of the healthy only what is remarkable: a timer's service that is "armed" does not run now. */
static enum hue cell_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct diag_component *c = row;
        const char *code = c->code == DIAG_CODE_OK ? "" : diag_code_to_string(c->code);

        text_append_clean(out, str_or(c->text, code));
        return c->health == DIAG_HEALTHY ? HUE_DIM : HUE_PLAIN;
}

/* Which of its probes it is. What was skipped is no reason. */
static void lines_of_probes(struct buf *out, const void *row, const void *userdata)
{
        const struct diag_component *c = row;
        const struct status_view *v = userdata;
        const struct probe_view view = {v->term, v->now_wall_usec};

        if (c->health == DIAG_HEALTHY || is_old_news(c))
                return;
        for (size_t i = 0; i < c->n_probes; i++) {
                if (c->probes[i].health == DIAG_HEALTHY || c->probes[i].skipped)
                        continue;
                probe_view_line(out, &view, &c->probes[i]);
                buf_putc(out, '\n');
        }
}

static const struct table_column columns[] = {
        {"COMPONENT", false, NAME_LEAST, cell_name    },
        {"HEALTH",    false, 0,          cell_health  },
        {"STATE",     false, 0,          cell_state   },
        {"SINCE",     true,  0,          cell_since   },
        {"RESTARTS",  true,  0,          cell_restarts},
        {"WHY",       false, 0,          cell_why     },
};

static const struct table_shape shape = {columns, ELEMENTSOF(columns), lines_of_probes};

static void put_components(struct buf *out, const struct status_view *v)
{
        const struct diag_report *r = v->report;
        _cleanup_(freep) const void **rows = calloc(r->n_components, sizeof(*rows));
        size_t n = 0;

        if (!rows) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t k = 0; k < DIAG_N_HEALTH; k++)
                for (size_t i = 0; i < r->n_components; i++)
                        if (r->components[i].health == worst_first[k])
                                rows[n++] = &r->components[i];
        table_write(out, v->term, &shape, rows, n, v);
}

void status_view_overview(struct buf *out, const struct status_view *v)
{
        put_headline(out, v);
        put_counts(out, v);
        put_remarks(out, v);
        if (v->report->n_components == 0)
                return;
        buf_putc(out, '\n');
        put_components(out, v);
}

/* --- one component -------------------------------------------------------------------------------- */

static void field_what(struct buf *out, _unused_ const struct status_view *v,
                       const struct diag_component *c)
{
        if (!str_empty(c->title) && !streq(c->title, c->name)) {
                text_append_clean(out, c->title);
                buf_puts(out, str_empty(c->description) ? "" : ": ");
        }
        text_append_clean(out, c->description);
}

static void field_why(struct buf *out, _unused_ const struct status_view *v,
                      const struct diag_component *c)
{
        const char *code = c->code == DIAG_CODE_OK ? "" : diag_code_to_string(c->code);

        text_append_clean(out, c->text);
        if (*code)
                buf_printf(out, str_empty(c->text) ? "%s" : " (%s)", code);
}

static void field_maintenance(struct buf *out, const struct status_view *v,
                              const struct diag_component *c)
{
        const struct diag_maintenance *m = v->report->maintenance;

        if (!m || c->health == DIAG_HEALTHY)
                return;
        buf_puts(out, "until ");
        text_append_moment(out, v->now_wall_usec, m->until_wall_usec);
        buf_puts(out, ", by ");
        text_append_clean(out, m->by);
        buf_puts(out, ": ");
        text_append_clean(out, m->reason);
        buf_puts(out, " (acknowledged)");
}

static void field_since(struct buf *out, const struct status_view *v,
                        const struct diag_component *c)
{
        if (c->since_wall_usec)
                text_append_moment(out, v->now_wall_usec, c->since_wall_usec);
}

static void field_state(struct buf *out, const struct status_view *v,
                        const struct diag_component *c)
{
        if (c->kind == DIAG_COMPONENT_PROBES)
                probe_view_count(out, c);
        if (!c->unit || str_empty(c->unit->active_state))
                return;
        buf_puts(out, is_old_news(c) ? "last known: " : "");
        append_state(out, c->unit);
        if (c->unit->state_change_wall_usec) {
                buf_puts(out, " since ");
                text_append_moment(out, v->now_wall_usec, c->unit->state_change_wall_usec);
        }
}

/* A component may be called as its file of configuration likes: only a unit's name is an alias. */
static void field_unit(struct buf *out, _unused_ const struct status_view *v,
                       const struct diag_component *c)
{
        const char *before = "";

        if (!c->unit)
                return;
        bool is_other = !str_empty(c->unit->id) && !streq(c->unit->id, c->name);
        bool is_alias = is_other && unit_name_is_unit(c->name);
        const char *const words[] = {
                is_other && !is_alias ? c->unit->id : "",
                c->unit->load_state,
                c->unit->unit_file_state,
                c->unit->type,
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                if (str_empty(words[i]))
                        continue;
                buf_puts(out, before);
                text_append_clean(out, words[i]);
                before = ", ";
        }
        if (is_alias) {
                buf_printf(out, "%salias of ", before);
                text_append_clean(out, c->unit->id);
        }
}

static void field_result(struct buf *out, _unused_ const struct status_view *v,
                         const struct diag_component *c)
{
        const struct diag_unit *u = c->unit;
        const char *name;

        if (!u || str_empty(u->result))
                return;
        text_append_clean(out, u->result);
        if (u->exec_main_code == CLD_EXITED) {
                name = diag_exit_status_name(u->exec_main_status);
                buf_printf(out, name ? ", exit status %d (%s)" : ", exit status %d",
                           u->exec_main_status, name);
        } else if (u->exec_main_code != 0) {
                buf_printf(out, ", %s", str_or(diag_signal_name(u->exec_main_status), "a signal"));
        }
}

static void field_restarts(struct buf *out, _unused_ const struct status_view *v,
                           const struct diag_component *c)
{
        if (!c->unit || !diag_unit_is_service(c->unit))
                return;
        buf_printf(out, "%" PRIu32, c->unit->n_restarts);
        if (c->n_restarts_recent > 0)
                buf_printf(out, ", %u%s in the last 10 min", c->n_restarts_recent,
                           c->n_restarts_recent >= DIAG_RESTARTS_KEPT ? " or more" : "");
}

static void field_pid(struct buf *out, _unused_ const struct status_view *v,
                      const struct diag_component *c)
{
        if (c->unit && c->unit->main_pid)
                buf_printf(out, "%" PRIu32, c->unit->main_pid);
}

static void field_job(struct buf *out, _unused_ const struct status_view *v,
                      const struct diag_component *c)
{
        if (c->unit)
                text_append_clean(out, str_or(c->unit->job, ""));
}

static void append_list(struct buf *out, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                buf_puts(out, i > 0 ? ", " : "");
                text_append_clean(out, words[i]);
        }
}

static void field_triggers(struct buf *out, _unused_ const struct status_view *v,
                           const struct diag_component *c)
{
        if (c->unit)
                append_list(out, c->unit->triggered_by, c->unit->n_triggered_by);
}

static void field_expect(struct buf *out, _unused_ const struct status_view *v,
                         const struct diag_component *c)
{
        if (c->expect != DIAG_EXPECT_AUTO)
                buf_puts(out, diag_expect_to_string(c->expect));
}

static const struct {
        const char *note, *meaning;
} notes[] = {
        {"need-daemon-reload",
         "its files have changed on disk; systemctl daemon-reload reads them"                      },
        {"unsupervised",       "systemd cannot see whether its processes still live (Type=forking)"},
        {"last-reload-failed", "it may still run with what was configured before"                  },
        {"presumed",
         "it was restarting before the daemon came: counted as a loop until it stays up"           },
};

static const char *note_meaning(const char *note)
{
        for (size_t i = 0; i < ELEMENTSOF(notes); i++)
                if (streq(notes[i].note, note))
                        return notes[i].meaning;
        return "";
}

/* One a line. What the unit says of itself, and words of a newer daemon, stand for themselves. */
static void field_notes(struct buf *out, _unused_ const struct status_view *v,
                        const struct diag_component *c)
{
        for (size_t i = 0; i < c->n_notes; i++) {
                const char *meaning = note_meaning(c->notes[i]);

                buf_puts(out, i > 0 ? "\n            " : ""); /* under the one before */
                text_append_clean(out, c->notes[i]);
                buf_puts(out, *meaning ? ": " : "");
                buf_puts(out, meaning);
        }
}

/* A field that has nothing to say is left out. */
static const struct {
        const char *label;
        void (*write)(struct buf *out, const struct status_view *v, const struct diag_component *c);
} fields[] = {
        {"what",      field_what       },
        {"why",       field_why        },
        {"worked on", field_maintenance},
        {"since",     field_since      },
        {"state",     field_state      },
        {"unit",      field_unit       },
        {"result",    field_result     },
        {"restarts",  field_restarts   },
        {"main pid",  field_pid        },
        {"job",       field_job        },
        {"trigger",   field_triggers   },
        {"expected",  field_expect     },
        {"notes",     field_notes      },
};

static void put_output(struct buf *out, const struct status_view *v, const struct diag_component *c)
{
        if (!*c->output)
                return;
        term_paint(v->term, out, HUE_DIM,
                   c->output_truncated ? "  output (newest lines)" : "  output");
        buf_putc(out, '\n');
        text_append_lines(out, c->output, 4);
}

void status_view_component(struct buf *out, const struct status_view *v,
                           const struct diag_component *c)
{
        _cleanup_(buf_done) struct buf value = {0};

        buf_clear(&value);
        text_append_clean(&value, c->name);
        term_paint(v->term, out, HUE_STRONG, buf_cstr(&value));
        buf_puts(out, ": ");
        paint_health(v->term, out, c->health);
        buf_putc(out, '\n');
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                buf_clear(&value);
                fields[i].write(&value, v, c);
                if (value.n > 0)
                        buf_printf(out, "  %-9s %s\n", fields[i].label, buf_cstr(&value));
        }
        for (size_t i = 0; i < c->n_probes; i++)
                probe_view_all(out, &(struct probe_view){v->term, v->now_wall_usec}, &c->probes[i]);
        put_output(out, v, c);
}
