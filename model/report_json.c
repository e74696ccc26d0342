/*
 * API v2's report. Encoding appends; decoding goes through a table of members, so that both ends of
 * a field can be read side by side.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include <jansson.h>

#include "base/mono.h"
#include "model/report_json.h"

/* Most that one entry of the short form takes: its strings, each byte of them escaped. */
#define ENTRY_BYTES_MAX (6u * 4u * DIAG_STRING_MAX + 512u)
#define SECONDS_MAX     1e9 /* a double still has microseconds there */

/* --- encode: what both forms share --------------------------------------------------------------- */

static void write_counts(struct json_writer *w, const struct diag_counts *counts)
{
        jw_key(w, "counts");
        jw_begin_object(w);
        jw_member_uint(w, "healthy", counts->n[DIAG_HEALTHY]);
        jw_member_uint(w, "unhealthy", counts->n[DIAG_UNHEALTHY]);
        jw_member_uint(w, "unknown", counts->n[DIAG_UNKNOWN]);
        jw_end_object(w);
}

static void write_reason(struct json_writer *w, const struct diag_report *r, enum diag_code code,
                         const char *text, const char *component, uint64_t since)
{
        jw_begin_object(w);
        jw_member_string(w, "code", diag_code_to_string(code));
        jw_member_string(w, "text", text);
        if (component)
                jw_member_string(w, "component", component);
        jw_member_time(w, "since", since);
        jw_member_bool(w, "acknowledged", r->maintenance != NULL);
        jw_end_object(w);
}

static bool write_reasons_of(struct json_writer *w, const struct diag_report *r,
                             enum diag_health health, size_t max_bytes)
{
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                if (c->health != health)
                        continue;
                if (w->out->n > max_bytes)
                        return false;
                write_reason(w, r, c->code, c->text, c->name, c->since_wall_usec);
        }
        return true;
}

/* Worst first. False when something was left out. */
static bool write_reasons(struct json_writer *w, const struct diag_report *r, size_t max_bytes)
{
        bool whole;

        jw_key(w, "reasons");
        jw_begin_array(w);
        if (r->node_code != DIAG_CODE_NONE)
                write_reason(w, r, r->node_code, r->node_text, NULL, r->since_wall_usec);
        whole = write_reasons_of(w, r, DIAG_UNHEALTHY, max_bytes) &&
                write_reasons_of(w, r, DIAG_UNKNOWN, max_bytes);
        jw_end_array(w);
        return whole;
}

void diag_maintenance_write(struct json_writer *w, const struct diag_maintenance *m)
{
        if (!m) {
                jw_null(w);
                return;
        }
        jw_begin_object(w);
        jw_member_time(w, "since", m->since_wall_usec);
        jw_member_time(w, "until", m->until_wall_usec);
        jw_member_string(w, "by", m->by);
        jw_member_string(w, "reason", m->reason);
        jw_end_object(w);
}

/* @max_bytes: no reason begins beyond. False when one was left out. */
static bool write_head(struct json_writer *w, const struct diag_report *r, size_t max_bytes)
{
        const struct diag_node *n = &r->node;
        char instance[17];
        bool whole;

        (void)snprintf(instance, sizeof(instance), "%016" PRIx64, r->instance);
        jw_member_string(w, "node_id", n->node_id);
        jw_member_string_or_null(w, "boot_id", n->boot_id);
        jw_member_string(w, "instance", instance);
        jw_member_uint(w, "seq", r->seq);
        jw_member_string_or_null(w, "hostname", n->hostname);
        jw_member_string_or_null(w, "address", n->address);
        jw_key(w, "port");
        if (n->port)
                jw_uint(w, n->port);
        else
                jw_null(w);
        jw_member_string_or_null(w, "role", diag_role_to_string(n->role));
        jw_member_string_or_null(w, "mesos_id", n->mesos_id);
        jw_member_string(w, "version", n->version);
        jw_member_string_or_null(w, "dcos_version", n->dcos_version);
        jw_member_string_or_null(w, "config_hash", n->config_hash);
        jw_member_string(w, "phase", diag_phase_to_string(r->phase));
        jw_member_string(w, "health", diag_health_to_string(r->health));
        jw_member_time(w, "since", r->since_wall_usec);
        write_counts(w, &r->counts);
        whole = write_reasons(w, r, max_bytes);
        jw_key(w, "maintenance");
        diag_maintenance_write(w, r->maintenance);
        return whole;
}

static void write_component_head(struct json_writer *w, const struct diag_component *c)
{
        jw_member_string(w, "name", c->name);
        jw_member_string(w, "title", c->title);
        jw_member_string(w, "description", c->description);
        jw_member_string(w, "kind", c->kind == DIAG_COMPONENT_PROBES ? "probe" : "unit");
        jw_member_string(w, "health", diag_health_to_string(c->health));
}

/* --- encode: the short form ------------------------------------------------------------------------ */

/* What is remarkable about a healthy component may flip every minute: it is not health content. */
static void write_short_component(struct json_writer *w, const struct diag_component *c)
{
        jw_begin_object(w);
        write_component_head(w, c);
        if (c->health != DIAG_HEALTHY) {
                jw_member_string(w, "code", diag_code_to_string(c->code));
                jw_member_string(w, "text", c->text);
        }
        jw_member_time(w, "since", c->since_wall_usec);
        jw_end_object(w);
}

/* Worst first, so that a cut costs the healthy ones. Returns false when something was left out. */
static bool write_short_components(struct json_writer *w, const struct diag_report *r)
{
        static const enum diag_health order[] = {DIAG_UNHEALTHY, DIAG_UNKNOWN, DIAG_HEALTHY};
        size_t n = 0;

        for (size_t k = 0; k < ELEMENTSOF(order); k++)
                for (size_t i = 0; i < r->n_components; i++) {
                        if (r->components[i].health != order[k])
                                continue;
                        if (n == DIAG_HEALTH_FORM_MAX ||
                            w->out->n > DIAG_HEALTH_FORM_BYTES_MAX - ENTRY_BYTES_MAX)
                                return false;
                        write_short_component(w, &r->components[i]);
                        n++;
                }
        return true;
}

struct blob *diag_report_render_health(const struct diag_report *r)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        bool whole;

        jw_begin_object(&w);
        /* Reasons repeat what the components say: they may have half of it. */
        whole = write_head(&w, r, DIAG_HEALTH_FORM_BYTES_MAX / 2);
        jw_key(&w, "components");
        jw_begin_array(&w);
        whole = write_short_components(&w, r) && whole;
        jw_end_array(&w);
        jw_member_bool(&w, "truncated", r->truncated || !whole);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return blob_new_take(&out);
}

/* --- encode: the full form -------------------------------------------------------------------------- */

static void write_exit(struct json_writer *w, const struct diag_unit *u)
{
        bool killed = u->exec_main_code == CLD_KILLED || u->exec_main_code == CLD_DUMPED;

        jw_key(w, "exit_status");
        if (u->exec_main_code == CLD_EXITED)
                jw_int(w, u->exec_main_status);
        else
                jw_null(w);
        jw_key(w, "exit_signal");
        if (killed)
                jw_string(w, str_or(diag_signal_name(u->exec_main_status), "unknown"));
        else
                jw_null(w);
}

static void write_strings(struct json_writer *w, const char *key, const char *const *s, size_t n)
{
        jw_key(w, key);
        jw_begin_array(w);
        for (size_t i = 0; i < n; i++)
                jw_string(w, s[i]);
        jw_end_array(w);
}

static void write_unit(struct json_writer *w, const struct diag_component *c)
{
        const struct diag_unit *u = c->unit;

        jw_key(w, "unit");
        if (!u) {
                jw_null(w);
                return;
        }
        jw_begin_object(w);
        jw_member_string_or_null(w, "id", u->id);
        jw_member_string_or_null(w, "load", u->load_state);
        jw_member_string_or_null(w, "active", u->active_state);
        jw_member_string_or_null(w, "sub", u->sub_state);
        jw_member_string_or_null(w, "type", u->type);
        jw_member_string_or_null(w, "result", u->result);
        write_exit(w, u);
        jw_member_uint(w, "restarts", u->n_restarts);
        jw_member_uint(w, "restarts_10min", c->n_restarts_recent);
        jw_key(w, "main_pid");
        if (u->main_pid)
                jw_uint(w, u->main_pid);
        else
                jw_null(w);
        jw_member_string_or_null(w, "unit_file_state", u->unit_file_state);
        write_strings(w, "triggered_by", u->triggered_by, u->n_triggered_by);
        jw_member_time(w, "active_since", u->active_enter_wall_usec);
        jw_member_time(w, "state_since", u->state_change_wall_usec);
        jw_member_string_or_null(w, "job", u->job);
        jw_member_string_or_null(w, "status_text", u->status_text);
        write_strings(w, "notes", c->notes, c->n_notes);
        jw_end_object(w);
}

static void write_window(struct json_writer *w, const struct diag_probe *p)
{
        unsigned n = p->n_window < DIAG_PROBE_WINDOW ? p->n_window : DIAG_PROBE_WINDOW;
        char bits[DIAG_PROBE_WINDOW + 1];

        for (unsigned i = 0; i < n; i++)
                bits[i] = p->window >> i & 1 ? '1' : '0';
        bits[n] = '\0';
        jw_member_string(w, "window", bits);
}

static void write_probe(struct json_writer *w, const struct diag_probe *p, bool outputs)
{
        jw_begin_object(w);
        jw_member_string(w, "name", p->name);
        jw_member_string(w, "kind", p->kind);
        jw_member_string(w, "health", diag_health_to_string(p->health));
        jw_member_string(w, "code", diag_code_to_string(p->code));
        jw_member_string(w, "text", p->text);
        jw_member_string(w, "output", outputs ? p->output : "");
        jw_member_time(w, "last_run", p->last_run_wall_usec);
        jw_member_time(w, "next_run", p->next_run_wall_usec);
        jw_key(w, "took_seconds");
        jw_seconds(w, p->took_usec);
        write_window(w, p);
        jw_member_uint(w, "fail_after", p->fail_after);
        jw_member_uint(w, "pass_after", p->pass_after);
        jw_member_bool(w, "skipped", p->skipped);
        jw_end_object(w);
}

static void write_probes(struct json_writer *w, const struct diag_component *c, bool outputs)
{
        jw_key(w, "probes");
        jw_begin_array(w);
        for (size_t i = 0; i < c->n_probes; i++)
                write_probe(w, &c->probes[i], outputs);
        jw_end_array(w);
}

static void write_full_component(struct json_writer *w, const struct diag_component *c,
                                 bool outputs)
{
        jw_begin_object(w);
        write_component_head(w, c);
        jw_member_string(w, "code", diag_code_to_string(c->code));
        jw_member_string(w, "text", c->text);
        jw_member_time(w, "since", c->since_wall_usec);
        jw_member_string(w, "expect", diag_expect_to_string(c->expect));
        jw_member_string(w, "output", outputs ? c->output : "");
        jw_member_bool(w, "output_truncated", outputs && c->output_truncated);
        write_unit(w, c);
        write_probes(w, c, outputs);
        write_strings(w, "needs", NULL, 0);
        jw_end_object(w);
}

void diag_report_write_component(struct buf *out, const struct diag_component *c)
{
        struct json_writer w = {.out = out};

        write_full_component(&w, c, true);
        buf_putc(out, '\n');
}

/* Everything but the moment, which follows as the last member: this much is made once. */
static struct blob *render_full_head(const struct diag_report *r, bool outputs)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        (void)write_head(&w, r, SIZE_MAX);
        jw_key(&w, "components");
        jw_begin_array(&w);
        for (size_t i = 0; i < r->n_components; i++)
                write_full_component(&w, &r->components[i], outputs);
        jw_end_array(&w);
        jw_member_bool(&w, "truncated", r->truncated);
        return blob_new_take(&out);
}

static struct blob *render_with_outputs(const struct diag_report *r)
{
        return render_full_head(r, true);
}

static struct blob *render_reasons(const struct diag_report *r)
{
        return render_full_head(r, false);
}

struct blob *diag_report_full_head(const struct diag_report *r, bool outputs)
{
        return diag_report_rendered(r, outputs ? DIAG_MEMO_V2_FULL : DIAG_MEMO_V2_REASONS,
                                    outputs ? render_with_outputs : render_reasons);
}

void diag_report_write_full(struct buf *out, const struct diag_report *r,
                            const struct diag_moment *moment, bool outputs)
{
        _cleanup_(blob_unrefp) struct blob *head = diag_report_full_head(r, outputs);

        if (!head) {
                out->error = -ENOMEM;
                return;
        }
        buf_append(out, blob_data(head), blob_size(head));
        diag_report_write_full_tail(out, r, moment);
}

void diag_report_write_full_tail(struct buf *out, const struct diag_report *r,
                                 const struct diag_moment *moment)
{
        struct json_writer w = {.out = out, .depth = 1, .need_comma = true};

        jw_key(&w, "system");
        jw_begin_object(&w);
        jw_member_string_or_null(&w, "state", r->system.state);
        jw_member_uint(&w, "failed_units", r->system.n_failed_units);
        jw_member_uint(&w, "jobs", r->system.n_jobs);
        jw_member_string_or_null(&w, "systemd", r->system.version);
        jw_key(&w, "uptime_seconds");
        jw_seconds(&w, moment->uptime_usec);
        jw_member_time(&w, "time", moment->now_wall_usec);
        jw_key(&w, "confirmed_age_seconds");
        if (moment->confirmed_age_usec == USEC_INFINITY)
                jw_null(&w);
        else
                jw_seconds(&w, moment->confirmed_age_usec);
        jw_end_object(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- decode ---------------------------------------------------------------------------------------- */

/* A place in the document, for errors: "components[3].unit.restarts". */
struct reader {
        struct err *e;
        const char *where; /* "" at the top, else with its dot */
        int error;
};

static void wrong(struct reader *rd, const char *key, const char *want)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -EBADMSG, "%s%s is not %s", rd->where, key, want);
}

/* null and absent are the same: not known. */
static json_t *member(const json_t *o, const char *key)
{
        json_t *v = json_object_get(o, key);

        return json_is_null(v) ? NULL : v;
}

static const char *get_string(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_string(v))
                wrong(rd, key, "a string");
        return json_is_string(v) ? json_string_value(v) : "";
}

static uint64_t get_uint(struct reader *rd, const json_t *o, const char *key, uint64_t max)
{
        const json_t *v = member(o, key);

        if (!v)
                return 0;
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > max) {
                wrong(rd, key, "a whole number in its range");
                return 0;
        }
        return (uint64_t)json_integer_value(v);
}

static bool get_bool(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);

        if (v && !json_is_boolean(v))
                wrong(rd, key, "true or false");
        return json_is_true(v);
}

static uint64_t get_time(struct reader *rd, const json_t *o, const char *key)
{
        const char *s = get_string(rd, o, key);
        uint64_t usec = 0;

        if (*s && rfc3339_parse(&usec, s) < 0)
                wrong(rd, key, "a time (RFC 3339)");
        return usec;
}

static uint64_t get_seconds(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = member(o, key);
        double s = json_number_value(v);

        if (v && (!json_is_number(v) || s < 0 || s > SECONDS_MAX)) {
                wrong(rd, key, "a number of seconds");
                return 0;
        }
        return (uint64_t)(s * (double)USEC_PER_SEC + 0.5);
}

static json_t *get_object(struct reader *rd, const json_t *o, const char *key)
{
        json_t *v = member(o, key);

        if (v && !json_is_object(v)) {
                wrong(rd, key, "an object");
                return NULL;
        }
        return v;
}

static json_t *get_array(struct reader *rd, const json_t *o, const char *key)
{
        json_t *v = member(o, key);

        if (v && !json_is_array(v)) {
                wrong(rd, key, "a list");
                return NULL;
        }
        return v;
}

/* At most @max strings, further ones are dropped; how many. */
static size_t get_strings(struct reader *rd, const json_t *o, const char *key, const char **ret,
                          size_t max)
{
        json_t *list = get_array(rd, o, key), *v;
        size_t i, n = 0;

        json_array_foreach (list, i, v) {
                if (!json_is_string(v))
                        wrong(rd, key, "a list of strings");
                else if (n < max)
                        ret[n++] = json_string_value(v);
        }
        return n;
}

static int signal_from_name(const char *name)
{
        for (int i = 1; i < NSIG; i++) {
                const char *known = diag_signal_name(i);

                if (known && streq(known, name))
                        return i;
        }
        return 0;
}

static void read_exit(struct reader *rd, const json_t *o, struct diag_unit *u)
{
        const char *signal = get_string(rd, o, "exit_signal");

        if (*signal) {
                u->exec_main_code = CLD_KILLED;
                u->exec_main_status = signal_from_name(signal);
        } else if (member(o, "exit_status")) {
                u->exec_main_code = CLD_EXITED;
                u->exec_main_status = (int32_t)get_uint(rd, o, "exit_status", 255);
        }
}

static void read_unit(struct reader *rd, const json_t *o, struct diag_component *c,
                      struct diag_unit *u)
{
        *u = (struct diag_unit){
                .name = c->name,
                .id = get_string(rd, o, "id"),
                .load_state = get_string(rd, o, "load"),
                .active_state = get_string(rd, o, "active"),
                .sub_state = get_string(rd, o, "sub"),
                .type = get_string(rd, o, "type"),
                .result = get_string(rd, o, "result"),
                .n_restarts = (uint32_t)get_uint(rd, o, "restarts", UINT32_MAX),
                .main_pid = (uint32_t)get_uint(rd, o, "main_pid", UINT32_MAX),
                .unit_file_state = get_string(rd, o, "unit_file_state"),
                .active_enter_wall_usec = get_time(rd, o, "active_since"),
                .state_change_wall_usec = get_time(rd, o, "state_since"),
                .job = get_string(rd, o, "job"),
                .status_text = get_string(rd, o, "status_text"),
        };
        u->n_triggered_by =
                get_strings(rd, o, "triggered_by", u->triggered_by, DIAG_UNIT_TRIGGERS_MAX);
        read_exit(rd, o, u);
        c->n_restarts_recent = (unsigned)get_uint(rd, o, "restarts_10min", UINT32_MAX);
        c->n_notes = get_strings(rd, o, "notes", c->notes, DIAG_UNIT_NOTES_MAX);
        c->unit = u;
}

static void read_window(struct reader *rd, const json_t *o, struct diag_probe *p)
{
        const char *bits = get_string(rd, o, "window");

        if (strspn(bits, "01") != strlen(bits) || strlen(bits) > DIAG_PROBE_WINDOW) {
                wrong(rd, "window", "a short string of 0 and 1");
                return;
        }
        for (; *bits; bits++, p->n_window++)
                p->window |= (uint64_t)(*bits == '1') << p->n_window;
}

static void read_probe(struct reader *rd, const json_t *o, struct diag_probe *p)
{
        *p = (struct diag_probe){
                .name = get_string(rd, o, "name"),
                .kind = get_string(rd, o, "kind"),
                .health = diag_health_from_string(get_string(rd, o, "health")),
                .code = diag_code_from_string(get_string(rd, o, "code")),
                .text = get_string(rd, o, "text"),
                .output = get_string(rd, o, "output"),
                .last_run_wall_usec = get_time(rd, o, "last_run"),
                .next_run_wall_usec = get_time(rd, o, "next_run"),
                .took_usec = get_seconds(rd, o, "took_seconds"),
                .fail_after = (unsigned)get_uint(rd, o, "fail_after", UINT32_MAX),
                .pass_after = (unsigned)get_uint(rd, o, "pass_after", UINT32_MAX),
                .skipped = get_bool(rd, o, "skipped"),
        };
        read_window(rd, o, p);
}

/* At most DIAG_PROBES_MAX, further ones are dropped; how many. */
static size_t read_probes(struct reader *top, const json_t *o, size_t i, struct diag_probe *probes)
{
        json_t *list = get_array(top, o, "probes"), *v;
        size_t n = 0, k;

        json_array_foreach (list, k, v) {
                char where[64];
                struct reader rd = {top->e, where, 0};

                if (n == DIAG_PROBES_MAX)
                        break;
                (void)snprintf(where, sizeof(where), "components[%zu].probes[%zu].", i, k);
                if (json_is_object(v))
                        read_probe(&rd, v, &probes[n++]);
                else
                        wrong(&rd, "(entry)", "an object");
                if (rd.error && !top->error)
                        top->error = rd.error;
        }
        return n;
}

static int read_component(struct reader *top, const json_t *o, size_t i, struct diag_report *r)
{
        char where[48];
        struct reader rd = {top->e, where, 0};
        struct diag_probe probes[DIAG_PROBES_MAX];
        struct diag_unit unit;
        struct diag_component c;
        const json_t *u;

        (void)snprintf(where, sizeof(where), "components[%zu].", i);
        if (!json_is_object(o)) {
                wrong(&rd, "(entry)", "an object");
                return rd.error;
        }
        c = (struct diag_component){
                .name = get_string(&rd, o, "name"),
                .title = get_string(&rd, o, "title"),
                .description = get_string(&rd, o, "description"),
                .health = diag_health_from_string(get_string(&rd, o, "health")),
                .code = diag_code_from_string(get_string(&rd, o, "code")),
                .text = get_string(&rd, o, "text"),
                .output = get_string(&rd, o, "output"),
                .output_truncated = get_bool(&rd, o, "output_truncated"),
                .since_wall_usec = get_time(&rd, o, "since"),
                .kind = streq(get_string(&rd, o, "kind"), "probe") ? DIAG_COMPONENT_PROBES
                                                                   : DIAG_COMPONENT_UNIT,
                .probes = probes,
        };
        (void)diag_expect_from_string(get_string(&rd, o, "expect"), &c.expect);
        if (!*c.name)
                wrong(&rd, "name", "there");
        c.n_probes = read_probes(&rd, o, i, probes);
        u = get_object(&rd, o, "unit");
        if (u) {
                (void)snprintf(where, sizeof(where), "components[%zu].unit.", i);
                read_unit(&rd, u, &c, &unit);
        }
        if (rd.error)
                return rd.error;
        return diag_report_add(r, &c);
}

static int read_components(struct reader *rd, const json_t *o, struct diag_report *r)
{
        json_t *list = get_array(rd, o, "components"), *c;
        size_t i;
        int k;

        if (!list) {
                wrong(rd, "components", "a list");
                return rd->error;
        }
        if (json_array_size(list) > DIAG_COMPONENTS_MAX)
                return err_set(rd->e, -E2BIG, "%zu components are more than %u",
                               json_array_size(list), DIAG_COMPONENTS_MAX);
        json_array_foreach (list, i, c) {
                k = read_component(rd, c, i, r);
                if (k < 0)
                        return k;
        }
        return 0;
}

static void read_node(struct reader *rd, const json_t *o, struct diag_node *n)
{
        *n = (struct diag_node){
                .node_id = get_string(rd, o, "node_id"),
                .boot_id = get_string(rd, o, "boot_id"),
                .hostname = get_string(rd, o, "hostname"),
                .address = get_string(rd, o, "address"),
                .mesos_id = get_string(rd, o, "mesos_id"),
                .version = get_string(rd, o, "version"),
                .dcos_version = get_string(rd, o, "dcos_version"),
                .config_hash = get_string(rd, o, "config_hash"),
                .port = (uint16_t)get_uint(rd, o, "port", UINT16_MAX),
        };
        (void)diag_role_from_string(get_string(rd, o, "role"), &n->role);
}

static void read_system(struct reader *rd, const json_t *o, struct diag_system *system,
                        struct diag_moment *moment)
{
        const json_t *s = get_object(rd, o, "system");

        rd->where = "system.";
        *system = (struct diag_system){
                .state = get_string(rd, s, "state"),
                .version = get_string(rd, s, "systemd"),
                .n_failed_units = (uint32_t)get_uint(rd, s, "failed_units", UINT32_MAX),
                .n_jobs = (uint32_t)get_uint(rd, s, "jobs", UINT32_MAX),
        };
        *moment = (struct diag_moment){
                .now_wall_usec = get_time(rd, s, "time"),
                .uptime_usec = get_seconds(rd, s, "uptime_seconds"),
                .confirmed_age_usec = s && !member(s, "confirmed_age_seconds")
                                              ? USEC_INFINITY
                                              : get_seconds(rd, s, "confirmed_age_seconds"),
        };
        rd->where = "";
}

static void read_maintenance(struct reader *rd, const json_t *o, struct diag_report *r)
{
        const json_t *m = get_object(rd, o, "maintenance");
        struct diag_maintenance maintenance;

        if (!m)
                return;
        rd->where = "maintenance.";
        maintenance = (struct diag_maintenance){
                .since_wall_usec = get_time(rd, m, "since"),
                .until_wall_usec = get_time(rd, m, "until"),
                .by = get_string(rd, m, "by"),
                .reason = get_string(rd, m, "reason"),
        };
        rd->where = "";
        diag_report_set_maintenance(r, &maintenance);
}

/* The reason that names no component is the node's own. */
static void read_own_reason(struct reader *rd, const json_t *o, struct diag_report *r)
{
        json_t *list = get_array(rd, o, "reasons"), *v;
        size_t i;

        json_array_foreach (list, i, v) {
                if (!json_is_object(v)) {
                        wrong(rd, "reasons", "a list of objects");
                        return;
                }
                if (member(v, "component") || r->node_code != DIAG_CODE_NONE)
                        continue;
                rd->where = "reasons[].";
                diag_report_set_reason(r, r->health,
                                       diag_code_from_string(get_string(rd, v, "code")),
                                       get_string(rd, v, "text"));
                rd->where = "";
        }
}

static uint64_t read_instance(struct reader *rd, const json_t *o)
{
        const char *s = get_string(rd, o, "instance");

        if (strspn(s, "0123456789abcdef") != 16 || s[16])
                wrong(rd, "instance", "16 hex digits");
        return strtoull(s, NULL, 16);
}

/* Of all its components, of which the short form may hold only some. */
static struct diag_counts read_counts(struct reader *rd, const json_t *o,
                                      const struct diag_counts *otherwise)
{
        const json_t *counts = get_object(rd, o, "counts");
        struct diag_counts ret = *otherwise;

        rd->where = "counts.";
        for (size_t h = 0; counts && h < DIAG_N_HEALTH; h++)
                ret.n[h] = (unsigned)get_uint(
                        rd, counts, diag_health_to_string((enum diag_health)h), UINT32_MAX);
        rd->where = "";
        return ret;
}

static int read_report(struct reader *rd, const json_t *o, struct diag_report *r)
{
        enum diag_health health = diag_health_from_string(get_string(rd, o, "health"));
        uint64_t since = get_time(rd, o, "since");
        uint64_t seq = get_uint(rd, o, "seq", INT64_MAX);
        int k;

        r->instance = read_instance(rd, o);
        r->truncated = get_bool(rd, o, "truncated");
        for (size_t p = 0; p <= DIAG_PHASE_STOPPING; p++)
                if (streq(get_string(rd, o, "phase"), diag_phase_to_string((enum diag_phase)p)))
                        r->phase = (enum diag_phase)p;
        read_own_reason(rd, o, r);
        read_maintenance(rd, o, r);
        if (rd->error)
                return rd->error;
        k = read_components(rd, o, r);
        if (k < 0)
                return k;
        k = diag_report_seal(r, NULL, 0, NULL,
                             NULL); /* 0: a date that is not there stays unknown */
        if (k < 0)
                return k;
        /* The node's own words: it knows what we cannot see in the short form. */
        r->counts = read_counts(rd, o, &r->counts);
        if (rd->error)
                return rd->error;
        r->health = diag_health_worse(health, r->health); /* but better than what it lists: no */
        r->since_wall_usec = since;
        r->seq = seq;
        return 0;
}

static int decode(struct diag_report **ret, struct diag_moment *moment, const char *text, size_t n,
                  struct err *e)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct reader rd = {e, "", 0};
        struct diag_moment then;
        struct diag_system system;
        struct diag_node node;
        json_error_t je;
        int k;

        if (n > DIAG_REPORT_JSON_MAX)
                return err_set(e, -E2BIG, "%zu bytes are more than %u", n, DIAG_REPORT_JSON_MAX);
        o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
        if (!o && !*je.text) /* jansson has words for everything else */
                return -ENOMEM;
        if (!o)
                return err_set(e, -EBADMSG, "line %d: %s", je.line, je.text);
        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "the document is not an object");
        read_node(&rd, o, &node);
        read_system(&rd, o, &system, &then);
        if (rd.error)
                return rd.error;
        k = diag_report_new(&r, &node, &system, "");
        if (k < 0)
                return k;
        k = read_report(&rd, o, r);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        if (moment)
                *moment = then;
        return 0;
}

int diag_report_from_json(struct diag_report **ret, struct diag_moment *moment, const char *text,
                          size_t n, struct err *e)
{
        int k = decode(ret, moment, text, n, e);

        return k == -ENOMEM ? err_set(e, k, "out of memory") : k;
}
