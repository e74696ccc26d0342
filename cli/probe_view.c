/* A probe is one row of facts; which of them are shown is a table, as with components. */

#include "base/mono.h"
#include "cli/probe_view.h"

#define PASSED "✓"
#define FAILED "✗"

static const char *probe_text(const struct diag_probe *p)
{
        return str_or(p->text, p->code == DIAG_CODE_OK ? "" : diag_code_to_string(p->code));
}

void probe_view_count(struct buf *out, const struct diag_component *c)
{
        size_t n = 0;

        for (size_t i = 0; i < c->n_probes; i++)
                n += c->probes[i].health == DIAG_HEALTHY;
        buf_printf(out, "%zu/%zu probes pass", n, c->n_probes);
}

/* What may be long comes last, because a line is cut at the terminal's edge. */
void probe_view_line(struct buf *out, const struct probe_view *v, const struct diag_probe *p)
{
        const char *text = probe_text(p);

        text_append_clean(out, p->name);
        buf_puts(out, ", ");
        text_append_clean(out, p->kind);
        if (p->last_run_wall_usec) {
                buf_puts(out, ", ");
                text_append_age(out, usec_since(v->now_wall_usec, p->last_run_wall_usec));
                buf_puts(out, " ago");
        } else {
                buf_puts(out, ", not yet");
        }
        buf_puts(out, *text ? ": " : "");
        text_append_clean(out, text);
}

/* --- all of it ------------------------------------------------------------------------------------ */

static void field_why(struct buf *out, _unused_ const struct probe_view *v,
                      const struct diag_probe *p)
{
        const char *code = p->code == DIAG_CODE_OK ? "" : diag_code_to_string(p->code);

        text_append_clean(out, p->text);
        if (*code)
                buf_printf(out, str_empty(p->text) ? "%s" : " (%s)", code);
}

static void field_last_run(struct buf *out, const struct probe_view *v, const struct diag_probe *p)
{
        if (!p->last_run_wall_usec) {
                buf_puts(out, "never");
                return;
        }
        text_append_moment(out, v->now_wall_usec, p->last_run_wall_usec);
        buf_puts(out, ", took ");
        text_append_took(out, p->took_usec);
}

static void field_next_run(struct buf *out, const struct probe_view *v, const struct diag_probe *p)
{
        if (p->skipped)
                buf_puts(out, "not while its unit is down");
        else if (p->next_run_wall_usec && p->next_run_wall_usec <= v->now_wall_usec)
                buf_puts(out, "due");
        else if (p->next_run_wall_usec)
                text_append_moment(out, v->now_wall_usec, p->next_run_wall_usec);
}

/* In the order of time. */
static void field_runs(struct buf *out, _unused_ const struct probe_view *v,
                       const struct diag_probe *p)
{
        unsigned n = p->n_window < DIAG_PROBE_WINDOW ? p->n_window : DIAG_PROBE_WINDOW;

        while (n-- > 0)
                buf_puts(out, p->window >> n & 1 ? PASSED : FAILED);
}

static void field_counts(struct buf *out, _unused_ const struct probe_view *v,
                         const struct diag_probe *p)
{
        if (p->fail_after && p->pass_after)
                buf_printf(out, "%u failed: unhealthy, %u passed: healthy", p->fail_after,
                           p->pass_after);
}

/* A field that has nothing to say is left out. */
static const struct {
        const char *label;
        void (*write)(struct buf *out, const struct probe_view *v, const struct diag_probe *p);
} fields[] = {
        {"why",      field_why     },
        {"last run", field_last_run},
        {"next run", field_next_run},
        {"runs",     field_runs    },
        {"in a row", field_counts  },
};

void probe_view_all(struct buf *out, const struct probe_view *v, const struct diag_probe *p)
{
        _cleanup_(buf_done) struct buf value = {0};

        buf_puts(out, "  probe ");
        text_append_clean(out, p->name);
        buf_puts(out, " (");
        text_append_clean(out, p->kind);
        buf_puts(out, "): ");
        term_paint(v->term, out, hue_of_health(p->health), diag_health_to_string(p->health));
        buf_putc(out, '\n');
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                buf_clear(&value);
                fields[i].write(&value, v, p);
                if (value.n > 0)
                        buf_printf(out, "    %-9s %s\n", fields[i].label, buf_cstr(&value));
        }
        if (str_empty(p->output))
                return;
        term_paint(v->term, out, HUE_DIM, "    output");
        buf_putc(out, '\n');
        text_append_lines(out, p->output, 6);
}
