/*
 * API v1. The sentences are the old service's own, because scripts compare them: which one is a
 * matter of the code alone.
 */

#include <errno.h>

#include <jansson.h>

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

/* --- reading ----------------------------------------------------------------------------------- */

static int get_string(const json_t *o, const char *key, const char **ret, struct err *e)
{
        const json_t *v = json_object_get(o, key);

        *ret = v && json_is_string(v) ? json_string_value(v) : "";
        if (v && !json_is_null(v) && !json_is_string(v))
                return err_set(e, -EBADMSG, "'%s' is not a string", key);
        return 0;
}

static int get_health(const json_t *o, enum diag_health *ret, struct err *e)
{
        const json_t *v = json_object_get(o, "health");

        if (!json_is_integer(v))
                return err_set(e, -EBADMSG, "'health' is not a number");
        switch (json_integer_value(v)) {
        case 0:
                *ret = DIAG_HEALTHY;
                break;
        case 1:
                *ret = DIAG_UNHEALTHY;
                break;
        default:
                *ret = DIAG_UNKNOWN;
        }
        return 0;
}

static enum diag_code code_of(enum diag_health health)
{
        static const enum diag_code codes[DIAG_N_HEALTH] = {
                [DIAG_HEALTHY] = DIAG_CODE_OK,
                [DIAG_UNHEALTHY] = DIAG_CODE_FAILED,
                [DIAG_UNKNOWN] = DIAG_CODE_NO_FACTS,
        };

        return codes[health];
}

static int read_unit(struct diag_report *r, const json_t *o, struct err *e)
{
        struct diag_component c = {.kind = DIAG_COMPONENT_UNIT};
        char text[DIAG_STRING_MAX];
        int k;

        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "an entry of 'units' is not an object");
        k = get_string(o, "id", &c.name, e);
        if (k >= 0)
                k = get_string(o, "name", &c.title, e);
        if (k >= 0)
                k = get_string(o, "description", &c.description, e);
        if (k >= 0)
                k = get_string(o, "output", &c.output, e);
        if (k >= 0)
                k = get_health(o, &c.health, e);
        if (k < 0)
                return k;
        if (!*c.name || strlen(c.name) > DIAG_V1_UNIT_NAME_MAX)
                return err_set(e, -EBADMSG, "the 'id' of a unit is empty, or too long");
        c.code = code_of(c.health);
        if (c.health == DIAG_HEALTHY)
                c.output = "";
        (void)stpncpy(text, c.output, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        text[strcspn(text, "\n")] = '\0';
        c.text = text;
        return diag_report_add(r, &c);
}

static int read_units(struct diag_report *r, const json_t *o, struct err *e)
{
        const json_t *list = json_object_get(o, "units"), *v;
        size_t i;
        int k = 0;

        if (!json_is_array(list))
                return err_set(e, -EBADMSG, "'units' is not a list");
        if (json_array_size(list) > DIAG_COMPONENTS_MAX)
                return err_set(e, -E2BIG, "%zu units are more than %u", json_array_size(list),
                               DIAG_COMPONENTS_MAX);
        json_array_foreach (list, i, v)
                if (k >= 0)
                        k = read_unit(r, v, e);
        return k;
}

static int read_node(struct diag_node *n, const json_t *o, struct err *e)
{
        const struct {
                const char *key, **to;
        } strings[] = {
                {"hostname",                 &n->hostname    },
                {"ip",                       &n->address     },
                {"dcos_version",             &n->dcos_version},
                {"mesos_id",                 &n->mesos_id    },
                {"dcos_diagnostics_version", &n->version     },
        };
        const char *role = "";
        int k = get_string(o, "node_role", &role, e);

        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(strings); i++)
                k = get_string(o, strings[i].key, strings[i].to, e);
        n->kernel_hostname = n->hostname;
        (void)diag_role_from_string(role, &n->role);
        return k;
}

static int read_report(struct diag_report **ret, const json_t *o, const char *address,
                       const struct diag_report *previous, uint64_t now_wall_usec, struct err *e)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        struct diag_system system = {0};
        struct diag_node node = {0};
        char id[512];
        int k = read_node(&node, o, e);

        if (k < 0)
                return k;
        (void)stpncpy(stpcpy(id, "addr:"), address, sizeof(id) - sizeof("addr:"));
        id[sizeof(id) - 1] = '\0';
        node.node_id = id;
        k = diag_report_new(&r, &node, &system, "");
        if (k >= 0)
                k = read_units(r, o, e);
        if (k >= 0) {
                r->phase = DIAG_PHASE_RUNNING;
                k = diag_report_seal(r, previous && !previous->instance ? previous : NULL,
                                     now_wall_usec, NULL, NULL);
        }
        if (k < 0)
                return k == -ENOMEM ? err_set(e, k, "out of memory") : k;
        *ret = TAKE_PTR(r);
        return 0;
}

int diag_report_from_v1(struct diag_report **ret, const char *text, size_t n, const char *address,
                        const struct diag_report *previous, uint64_t now_wall_usec, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_error_t je;

        o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
        if (!o && !*je.text)
                return err_set(e, -ENOMEM, "out of memory");
        if (!o)
                return err_set(e, -EBADMSG, "line %d: %s", je.line, je.text);
        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "the document is not an object");
        return read_report(ret, o, address, previous, now_wall_usec, e);
}
