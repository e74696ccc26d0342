/*
 * API v1. The sentences are the old service's own, because scripts compare them: which one is a
 * matter of the code alone.
 */

#include "base/json_write.h"
#include "model/report_v1.h"

int diag_v1_health(enum diag_health h)
{
        switch (h) {
        case DIAG_HEALTHY:
                return 0;
        case DIAG_UNHEALTHY:
                return 1;
        default:
                return 3;
        }
}

enum sentence {
        PLAIN = 0,
        NOT_LOADED,
        BAD_STATE,
        EXIT_STATUS,
        NEVER_ACTIVE,
        FLAPPING,
        SUB_STATE,
        STATE
};

static const enum sentence sentences[DIAG_N_CODES] = {
        [DIAG_CODE_MASKED] = NOT_LOADED,
        [DIAG_CODE_NOT_FOUND] = NOT_LOADED,
        [DIAG_CODE_BAD_UNIT_FILE] = NOT_LOADED,
        [DIAG_CODE_EXIT_CODE] = BAD_STATE,
        [DIAG_CODE_SIGNAL] = BAD_STATE,
        [DIAG_CODE_CORE_DUMP] = BAD_STATE,
        [DIAG_CODE_OOM_KILL] = BAD_STATE,
        [DIAG_CODE_WATCHDOG] = BAD_STATE,
        [DIAG_CODE_TIMEOUT] = BAD_STATE,
        [DIAG_CODE_START_LIMIT_HIT] = BAD_STATE,
        [DIAG_CODE_RESOURCES] = BAD_STATE,
        [DIAG_CODE_PROTOCOL] = BAD_STATE,
        [DIAG_CODE_FAILED] = BAD_STATE,
        [DIAG_CODE_STOPPING] = BAD_STATE,
        [DIAG_CODE_STUCK_STOPPING] = BAD_STATE,
        [DIAG_CODE_STUCK_RELOADING] = BAD_STATE,
        [DIAG_CODE_CLEANING] = BAD_STATE,
        [DIAG_CODE_ODD_STATE] = BAD_STATE,
        [DIAG_CODE_CRASH_LOOP] = FLAPPING,
        [DIAG_CODE_RESTARTING] = FLAPPING,
        [DIAG_CODE_NEVER_ACTIVE] = NEVER_ACTIVE,
        [DIAG_CODE_RESTARTING_AFTER_FAILURE] = EXIT_STATUS,
        [DIAG_CODE_LAST_RUN_FAILED] = EXIT_STATUS,
        [DIAG_CODE_EXIT_STATUS] = EXIT_STATUS,
        [DIAG_CODE_STUCK_STARTING] = STATE,
        [DIAG_CODE_STARTING] = STATE,
        [DIAG_CODE_FROZEN] = STATE,
        [DIAG_CODE_WAITING] = SUB_STATE,
        [DIAG_CODE_ASSERT_FAILED] = SUB_STATE,
        [DIAG_CODE_CONDITION_NOT_MET] = SUB_STATE,
        [DIAG_CODE_NEVER_RAN] = SUB_STATE,
        [DIAG_CODE_DEPENDENCY_FAILED] = SUB_STATE,
        [DIAG_CODE_TRIGGER_INACTIVE] = SUB_STATE,
        [DIAG_CODE_STOPPED] = SUB_STATE,
};

/* The short form of API v2 has no states: then our own words have to do. */
static bool needs_state(enum sentence s)
{
        return s == BAD_STATE || s == SUB_STATE || s == STATE;
}

void diag_v1_reason(struct buf *out, const struct diag_component *c)
{
        const char *unit = c->name, *state, *sub;

        if (c->health == DIAG_HEALTHY)
                return;
        state = c->unit ? c->unit->active_state : "";
        sub = c->unit ? c->unit->sub_state : "";
        switch (c->unit || !needs_state(sentences[c->code]) ? sentences[c->code] : PLAIN) {
        case NOT_LOADED:
                buf_printf(out,
                           "%s is not loaded. Please check `systemctl show all` to check current "
                           "Unit status.",
                           unit);
                break;
        case BAD_STATE: /* the blank at the end is part of the old sentence */
                buf_printf(out,
                           "%s state is not one of the possible states [active inactive "
                           "activating]. Current state is [ %s ]. Please check `systemctl show "
                           "all %s` to check current Unit state. ",
                           unit, state, unit);
                break;
        case EXIT_STATUS:
                buf_printf(out, "ExecMainStatus return failed status for %s", unit);
                break;
        case NEVER_ACTIVE:
                buf_printf(out, "Unit %s has never entered `active` state", unit);
                break;
        case FLAPPING:
                buf_printf(out,
                           "Unit %s is flapping. Please check `systemctl status %s` to check "
                           "current Unit state.",
                           unit, unit);
                break;
        case SUB_STATE:
                buf_printf(out, "Unit %s is %s", unit, sub);
                break;
        case STATE:
                buf_printf(out, "Unit %s is %s (%s)", unit, state, sub);
                break;
        default:
                buf_puts(out, c->text);
        }
}

/* A document in the making. */
struct spelling {
        struct json_writer w;
        struct buf scratch;
        bool outputs; /* not the reasons alone */
};

static void write_probe_outputs(struct buf *out, const struct diag_component *c)
{
        for (size_t i = 0; i < c->n_probes; i++)
                if (c->probes[i].health != DIAG_HEALTHY && *c->probes[i].output)
                        buf_printf(out, "\n[probe %s]\n%s", c->probes[i].name, c->probes[i].output);
}

/* The newest of it: whole lines, if there is more than one. */
static const char *newest(const char *s, size_t max_bytes)
{
        size_t n = strlen(s);
        const char *from, *line;

        if (n <= max_bytes)
                return s;
        from = s + n - max_bytes;
        line = strchr(from, '\n');
        return line && line[1] ? line + 1 : from;
}

void diag_v1_output(struct buf *out, const struct diag_component *c, bool outputs, size_t max_bytes)
{
        _cleanup_(buf_done) struct buf printed = {0};

        if (c->health == DIAG_HEALTHY)
                return;
        diag_v1_reason(out, c);
        buf_putc(out, '\n');
        if (!outputs)
                return;
        buf_puts(&printed, c->output);
        write_probe_outputs(&printed, c);
        buf_puts(out, newest(buf_cstr(&printed), max_bytes));
        if (printed.error && !out->error)
                out->error = printed.error;
}

static void write_output(struct spelling *s, const struct diag_component *c)
{
        struct json_writer *w = &s->w;
        struct buf *scratch = &s->scratch;

        buf_clear(scratch);
        diag_v1_output(scratch, c, s->outputs, SIZE_MAX);
        jw_member_string(w, "output", buf_cstr(scratch));
        if (scratch->error && !w->out->error)
                w->out->error = scratch->error;
}

static void write_unit(struct spelling *s, const struct diag_component *c)
{
        struct json_writer *w = &s->w;

        jw_begin_object(w);
        jw_member_string(w, "id", c->name);
        jw_key(w, "health");
        jw_int(w, diag_v1_health(c->health));
        write_output(s, c);
        jw_member_string(w, "description", c->description);
        jw_member_string(w, "help", "");
        jw_member_string(w, "name", c->title);
        jw_end_object(w);
}

/* An old master reads an empty list as healthy, so a node without components shows its target. */
static void write_units(struct spelling *s, const struct diag_report *r)
{
        const struct diag_component nothing = {
                .name = r->target,
                .title = r->target,
                .description = r->node_text,
                .health = r->health,
                .code = r->node_code,
                .text = r->node_text,
                .output = "",
        };

        jw_begin_array(&s->w);
        for (size_t i = 0; i < r->n_components; i++)
                write_unit(s, &r->components[i]);
        if (!r->n_components)
                write_unit(s, &nothing);
        jw_end_array(&s->w);
}

static struct blob *render(const struct diag_report *r, bool outputs)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct spelling s = {.w.out = &out, .outputs = outputs};
        struct json_writer *w = &s.w;

        jw_begin_object(w);
        jw_key(w, "units");
        write_units(&s, r);
        buf_done(&s.scratch);
        jw_member_string(w, "hostname", r->node.kernel_hostname);
        jw_member_string(w, "ip", r->node.address);
        jw_member_string(w, "dcos_version", r->node.dcos_version);
        jw_member_string(w, "node_role", diag_role_to_string(r->node.role));
        jw_member_string(w, "mesos_id", r->node.mesos_id);
        jw_member_string(w, "dcos_diagnostics_version", r->node.version);
        jw_end_object(w);
        buf_putc(&out, '\n');
        return blob_new_take(&out);
}

struct blob *diag_report_render_v1(const struct diag_report *r)
{
        return render(r, true);
}

struct blob *diag_report_render_v1_reasons(const struct diag_report *r)
{
        return render(r, false);
}
