/*
 * The connection, the questions and the signals. What the answers hold goes into fields in
 * unit_facts.c.
 *
 * The order that loses nothing: add the matches, Subscribe(), and only then list. The match has no
 * arg0: the signals of the Service interface are the ones that carry Result, ExecMainStatus and
 * NRestarts. GetAll is asked of the Service interface only: on the Unit interface it contains
 * UnitFileState, which costs PID 1 milliseconds per unit after each reload.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>

#include <systemd/sd-bus.h>

#include "agentd/unit_bus.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/string_list.h"
#include "model/unit_name.h"

#define SYSTEMD      "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"
#define PROPERTIES   "org.freedesktop.DBus.Properties"
#define UNIT_PREFIX  "/org/freedesktop/systemd1/unit"

#define CALL_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define CALLS_MAX         64u /* out at once; dbus-daemon refuses the 129th */
#define RETRY_MIN_USEC    (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC    (5 * USEC_PER_SEC)
#define NAMES_MAX         4096u  /* strings that we take from one list of systemd's */
#define ROWS_MAX          65536u /* units of one list; systemd itself stops at 131072 */

struct unit_bus {
        sd_bus *bus; /* once it is down, the old one, until we connect again */
        bool up;
        unsigned epoch;     /* of what is "up": calls of an earlier one are forgotten */
        unsigned n_pending; /* calls of this epoch, out or queued */
        unsigned n_out;     /* calls that wait for their answer, also forgotten ones */
        STAILQ_HEAD(, call) queue;
        uint64_t retry_usec;
        struct loop *loop;
        struct loop_timer *retry;
        const char *address; /* borrowed; NULL: the system bus */
        const struct unit_bus_ops *ops;
        void *userdata;
        struct diag_system system; /* strings owned, by unit_facts_set() */
};

/* What is asked for one by one, of the Unit interface. */
static const struct {
        enum unit_detail detail;
        const char *names[14];
} details_of_units[] = {
        {UNIT_DETAIL_ACTIVE,
         {"ActiveEnterTimestamp", "ActiveEnterTimestampMonotonic", "StateChangeTimestamp",
          "FreezerState"}                                                                           },
        {UNIT_DETAIL_STATE,
         {"ActiveEnterTimestamp", "ActiveEnterTimestampMonotonic", "ActiveExitTimestampMonotonic",
          "InactiveEnterTimestampMonotonic", "InactiveExitTimestampMonotonic",
          "StateChangeTimestamp", "StateChangeTimestampMonotonic", "AssertResult",
          "AssertTimestampMonotonic", "ConditionResult", "ConditionTimestampMonotonic",
          "FreezerState"}                                                                           },
        {UNIT_DETAIL_FIXED,      {"TriggeredBy", "StartLimitBurst", "LoadError", "NeedDaemonReload"}},
        {UNIT_DETAIL_RULES,      {"TriggeredBy"}                                                    },
        {UNIT_DETAIL_CONDITIONS, {"Conditions"}                                                     },
        {UNIT_DETAIL_FILE_STATE, {"UnitFileState"}                                                  },
};

/* These need the Service interface, too, which is asked for as a whole. */
#define DETAILS_OF_SERVICES \
        (UNIT_DETAIL_ACTIVE | UNIT_DETAIL_STATE | UNIT_DETAIL_FIXED | UNIT_DETAIL_RULES)

/* --- calls ---------------------------------------------------------------------------------------- */

/* One question: queued, then out. It dies with its slot: answered, timed out, or the connection gone. */
struct call {
        STAILQ_ENTRY(call) link;
        struct unit_bus *bus;
        unsigned epoch;
        sd_bus_message *message; /* while it is queued */
        bool out;
        void (*answer)(struct call *c, sd_bus_message *m, int error);
        const struct unit_property *property; /* of a Get */
        char unit[UNIT_NAME_MAX + 1];
        const char *word; /* static: which property, for calls without a row in the table */
        struct gather *gather;
};

static void gather_put(struct gather *g);

static void call_is_in(struct call *c)
{
        if (c->out)
                c->bus->n_out--;
        c->out = false;
}

static void call_free(void *p)
{
        struct call *c = p;

        if (!c)
                return;
        call_is_in(c);
        sd_bus_message_unref(c->message);
        if (c->gather)
                gather_put(c->gather);
        free(c);
}

static void call_ended(struct unit_bus *b)
{
        if (--b->n_pending == 0)
                b->ops->idle(b->userdata);
}

/* What systemd itself sent, even an error, is a sign of life; what the bus made up in its stead is not. */
static bool is_from_systemd(sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);

        return sender && !streq(sender, "org.freedesktop.DBus");
}

static void send_queued(struct unit_bus *b);

static int on_reply(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        struct call *c = userdata;
        struct unit_bus *b = c->bus;

        call_is_in(c);
        send_queued(b);
        if (c->epoch != b->epoch)
                return 0; /* asked before the connection was lost */
        if (is_from_systemd(m))
                b->ops->answered(b->userdata);
        else
                b->ops->unanswered(b->userdata);
        c->answer(c, m, -sd_bus_message_get_errno(m));
        call_ended(b);
        return 0;
}

static struct call *call_new(struct unit_bus *b, const char *unit,
                             void (*answer)(struct call *c, sd_bus_message *m, int error))
{
        struct call *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->bus = b;
        c->epoch = b->epoch;
        c->answer = answer;
        (void)stpncpy(c->unit, unit, sizeof(c->unit) - 1);
        return c;
}

static int call_send(struct call *c)
{
        sd_bus_slot *slot = NULL;
        int k = sd_bus_call_async(c->bus->bus, &slot, c->message, on_reply, c, CALL_TIMEOUT_USEC);

        if (k < 0)
                return k;
        c->message = sd_bus_message_unref(c->message);
        c->out = true;
        c->bus->n_out++;
        (void)sd_bus_slot_set_destroy_callback(slot, call_free);
        (void)sd_bus_slot_set_floating(slot, 1);
        sd_bus_slot_unref(slot);
        return 0;
}

/* What cannot be sent is a question without an answer. */
static void send_queued(struct unit_bus *b)
{
        while (b->n_out < CALLS_MAX && !STAILQ_EMPTY(&b->queue)) {
                struct call *c = STAILQ_FIRST(&b->queue);
                int k;

                STAILQ_REMOVE_HEAD(&b->queue, link);
                k = call_send(c);
                if (k >= 0)
                        continue;
                log_debug("cannot send to systemd: %s", strerror(-k));
                b->n_pending--;
                call_free(c);
                b->ops->unanswered(b->userdata);
        }
}

static void forget_queued(struct unit_bus *b)
{
        while (!STAILQ_EMPTY(&b->queue)) {
                struct call *c = STAILQ_FIRST(&b->queue);

                STAILQ_REMOVE_HEAD(&b->queue, link);
                call_free(c);
        }
}

static sd_bus_message *manager_call(struct unit_bus *b, const char *member)
{
        sd_bus_message *m = NULL;

        (void)sd_bus_message_new_method_call(b->bus, &m, SYSTEMD, SYSTEMD_PATH, MANAGER, member);
        return m;
}

static sd_bus_message *properties_call(struct unit_bus *b, const char *path, const char *member,
                                       const char *interface, const char *name)
{
        sd_bus_message *m = NULL;
        int k = sd_bus_message_new_method_call(b->bus, &m, SYSTEMD, path, PROPERTIES, member);

        if (k >= 0)
                k = sd_bus_message_append_basic(m, 's', interface);
        if (k >= 0 && name)
                k = sd_bus_message_append_basic(m, 's', name);
        return k >= 0 ? m : sd_bus_message_unref(m);
}

/* Takes @m's reference and the call. A question that could not even be made is one without an answer. */
static void send_or_free(struct unit_bus *b, struct call *c, sd_bus_message *m)
{
        if (!c || !m) {
                call_free(c);
                sd_bus_message_unref(m);
                b->ops->unanswered(b->userdata);
                return;
        }
        c->message = m;
        b->n_pending++;
        STAILQ_INSERT_TAIL(&b->queue, c, link);
        send_queued(b);
}

/* --- lists ------------------------------------------------------------------------------------------ */

/* a(ssssssouso) */
static int read_rows(struct unit_bus *b, sd_bus_message *m)
{
        const char *following, *path, *job_path;
        struct unit_row row;
        uint32_t job_id;
        unsigned n = 0;
        int k = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

        if (k < 0)
                return k;
        while ((k = sd_bus_message_read(m, "(ssssssouso)", &row.id, &row.description,
                                        &row.load_state, &row.active_state, &row.sub_state,
                                        &following, &path, &job_id, &row.job, &job_path)) > 0)
                if (n++ < ROWS_MAX)
                        b->ops->row(&row, b->userdata);
        return k;
}

static void answer_list(struct call *c, sd_bus_message *m, int error)
{
        struct unit_bus *b = c->bus;

        if (!error)
                error = read_rows(b, m);
        b->ops->listed(error, b->userdata);
}

static int append_strings(sd_bus_message *m, const char *const *s, size_t n)
{
        int k = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; k >= 0 && i < n; i++)
                k = sd_bus_message_append_basic(m, 's', s[i]);
        return k < 0 ? k : sd_bus_message_close_container(m);
}

void unit_bus_list(struct unit_bus *b, const char *const *names, size_t n)
{
        sd_bus_message *m;

        if (!b->up)
                return;
        m = manager_call(b, "ListUnitsByNames");
        if (m && append_strings(m, names, n) < 0)
                m = sd_bus_message_unref(m);
        send_or_free(b, call_new(b, "", answer_list), m);
}

void unit_bus_list_patterns(struct unit_bus *b, const char *const *patterns, size_t n)
{
        sd_bus_message *m;

        if (!b->up)
                return;
        m = manager_call(b, "ListUnitsByPatterns");
        if (m && (append_strings(m, NULL, 0) < 0 || append_strings(m, patterns, n) < 0))
                m = sd_bus_message_unref(m);
        send_or_free(b, call_new(b, "", answer_list), m);
}

/* --- properties of units ------------------------------------------------------------------------------ */

/* A refusal leaves a hole in what we know of the unit; that an older systemd lacks a property does not. */
static struct diag_unit *facts_to_fill(struct call *c, sd_bus_message *m, int error)
{
        struct unit_bus *b = c->bus;

        if (!error)
                return b->ops->facts(c->unit, b->userdata);
        if (is_from_systemd(m) && !sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_PROPERTY))
                b->ops->unreadable(c->unit, b->userdata);
        return NULL;
}

static void answer_get(struct call *c, sd_bus_message *m, int error)
{
        struct diag_unit *u = facts_to_fill(c, m, error);

        if (u && unit_facts_read_variant(m, c->property, u) < 0)
                c->bus->ops->unanswered(c->bus->userdata);
}

static void answer_get_all(struct call *c, sd_bus_message *m, int error)
{
        struct diag_unit *u = facts_to_fill(c, m, error);

        if (u && unit_facts_read_all(m, SERVICE_INTERFACE, u) < 0)
                c->bus->ops->unanswered(c->bus->userdata);
}

/* False while nothing can be asked about it: the bus is down, or memory is out. */
static bool unit_path_of(struct unit_bus *b, const char *unit, char **ret)
{
        if (!b->up)
                return false;
        if (sd_bus_path_encode(UNIT_PREFIX, unit, ret) >= 0)
                return true;
        b->ops->unanswered(b->userdata);
        return false;
}

static void get_unit_property(struct unit_bus *b, const char *id, const char *path,
                              const char *interface, const char *name)
{
        struct call *c = call_new(b, id, answer_get);

        if (c)
                c->property = unit_property_find(interface, name);
        send_or_free(b, c, properties_call(b, path, "Get", interface, name));
}

static void get_service_properties(struct unit_bus *b, const char *id, const char *path)
{
        send_or_free(b, call_new(b, id, answer_get_all),
                     properties_call(b, path, "GetAll", SERVICE_INTERFACE, NULL));
}

/* How a mount, socket, swap … failed: the same word on another interface. */
static void get_result(struct unit_bus *b, const char *id, const char *path)
{
        static const struct {
                const char *type, *interface;
        } interfaces[] = {
                {"socket",    "org.freedesktop.systemd1.Socket"   },
                {"mount",     "org.freedesktop.systemd1.Mount"    },
                {"automount", "org.freedesktop.systemd1.Automount"},
                {"swap",      "org.freedesktop.systemd1.Swap"     },
                {"timer",     "org.freedesktop.systemd1.Timer"    },
                {"path",      "org.freedesktop.systemd1.Path"     },
        };

        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                if (unit_name_has_type(id, interfaces[i].type))
                        get_unit_property(b, id, path, interfaces[i].interface, "Result");
}

/* --- lists of strings: dependencies, names, paths ----------------------------------------------------- */

/* Several properties that are lists of names, gathered until the last of them has come. */
struct gather {
        unsigned n_refs; /* one for each call under way */
        struct unit_bus *bus;
        char name[UNIT_NAME_MAX + 1];
        char *load_state;
        struct string_list names, units;
        void (*done)(struct gather *g);
};

static void gather_put(struct gather *g)
{
        if (--g->n_refs > 0)
                return;
        string_list_done(&g->names);
        string_list_done(&g->units);
        free(g->load_state);
        free(g);
}

static int read_string_list(sd_bus_message *m, struct string_list *list)
{
        const char *s;
        int k = sd_bus_message_enter_container(m, 'v', "as");

        if (k >= 0)
                k = sd_bus_message_enter_container(m, 'a', "s");
        if (k < 0)
                return k;
        while ((k = sd_bus_message_read_basic(m, 's', &s)) > 0)
                if (list->n < NAMES_MAX && string_list_push(list, s) < 0)
                        return -ENOMEM;
        return k;
}

static int read_gathered(struct gather *g, const char *property, sd_bus_message *m)
{
        const char *s;
        int k;

        if (streq(property, "Names"))
                return read_string_list(m, &g->names);
        if (!streq(property, "LoadState"))
                return read_string_list(m, &g->units);
        k = sd_bus_message_read(m, "v", "s", &s);
        if (k < 0)
                return k;
        free(g->load_state);
        g->load_state = strdup(s);
        return g->load_state ? 0 : -ENOMEM;
}

/* An older systemd does not know "Upholds"; any other hole makes the look worth nothing. */
static void answer_gather(struct call *c, sd_bus_message *m, int error)
{
        struct gather *g = c->gather;

        if (error ? !sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_PROPERTY)
                  : read_gathered(g, c->word, m) < 0)
                g->bus->ops->unanswered(g->bus->userdata);
        if (g->n_refs == 1)
                g->done(g);
}

static void gather_get(struct gather *g, const char *path, const char *property)
{
        struct call *c = call_new(g->bus, "", answer_gather);

        if (c) {
                c->word = property;
                c->gather = g;
                g->n_refs++;
        }
        send_or_free(g->bus, c, properties_call(g->bus, path, "Get", UNIT_INTERFACE, property));
}

static void gather_start(struct unit_bus *b, const char *unit, const char *const *wanted,
                         void (*done)(struct gather *g))
{
        _cleanup_(freep) char *path = NULL;
        struct gather *g;

        if (!unit_path_of(b, unit, &path))
                return;
        g = calloc(1, sizeof(*g));
        if (!g) {
                b->ops->unanswered(b->userdata);
                return;
        }
        *g = (struct gather){.n_refs = 1, .bus = b, .done = done};
        (void)stpncpy(g->name, unit, sizeof(g->name) - 1);
        for (; *wanted; wanted++)
                gather_get(g, path, *wanted);
        gather_put(g);
}

static void target_done(struct gather *g)
{
        const struct unit_target target = {
                .name = g->name,
                .load_state = str_or(g->load_state, ""),
                .names = (const char *const *)g->names.items,
                .units = (const char *const *)g->units.items,
                .n_names = g->names.n,
                .n_units = g->units.n,
        };

        g->bus->ops->target(&target, g->bus->userdata);
}

void unit_bus_read_target(struct unit_bus *b, const char *name)
{
        static const char *const wanted[] = {"LoadState", "Names",   "Wants", "Requires",
                                             "Upholds",   "BindsTo", NULL};

        gather_start(b, name, wanted, target_done);
}

static void requirements_done(struct gather *g)
{
        const struct unit_requirements r = {
                .id = g->name,
                .units = (const char *const *)g->units.items,
                .n_units = g->units.n,
        };

        g->bus->ops->requirements(&r, g->bus->userdata);
}

static void read_requirements(struct unit_bus *b, const char *id)
{
        static const char *const wanted[] = {"Requires", "Requisite", "BindsTo", NULL};

        gather_start(b, id, wanted, requirements_done);
}

/* --- all that can be asked of one unit ------------------------------------------------------------------ */

void unit_bus_read(struct unit_bus *b, const char *id, unsigned details)
{
        _cleanup_(freep) char *path = NULL;

        if (!unit_path_of(b, id, &path))
                return;
        for (size_t i = 0; i < ELEMENTSOF(details_of_units); i++)
                if (details & details_of_units[i].detail)
                        for (const char *const *name = details_of_units[i].names; *name; name++)
                                get_unit_property(b, id, path, UNIT_INTERFACE, *name);
        if ((details & DETAILS_OF_SERVICES) && unit_name_has_type(id, "service"))
                get_service_properties(b, id, path);
        else if (details & UNIT_DETAIL_STATE)
                get_result(b, id, path);
        if (details & UNIT_DETAIL_REQUIREMENTS)
                read_requirements(b, id);
}

static void answer_resolve(struct call *c, sd_bus_message *m, int error)
{
        const char *id;

        if (!error && sd_bus_message_read(m, "v", "s", &id) > 0)
                c->bus->ops->resolved(c->unit, id, c->bus->userdata);
}

void unit_bus_resolve(struct unit_bus *b, const char *alias)
{
        _cleanup_(freep) char *path = NULL;

        if (unit_path_of(b, alias, &path))
                send_or_free(b, call_new(b, alias, answer_resolve),
                             properties_call(b, path, "Get", UNIT_INTERFACE, "Id"));
}

/* --- the manager ---------------------------------------------------------------------------------------- */

static void answer_unit_path(struct call *c, sd_bus_message *m, int error)
{
        struct unit_bus *b = c->bus;
        struct string_list dirs = {0};

        if (!error && read_string_list(m, &dirs) >= 0)
                b->ops->unit_path((const char *const *)dirs.items, dirs.n, b->userdata);
        else if (!error)
                b->ops->unanswered(b->userdata);
        string_list_done(&dirs);
}

static void answer_manager(struct call *c, sd_bus_message *m, int error)
{
        struct unit_bus *b = c->bus;
        const char *s;

        if (error)
                return;
        if (streq(c->word, "NFailedUnits"))
                (void)sd_bus_message_read(m, "v", "u", &b->system.n_failed_units);
        else if (streq(c->word, "NJobs"))
                (void)sd_bus_message_read(m, "v", "u", &b->system.n_jobs);
        else if (sd_bus_message_read(m, "v", "s", &s) > 0 &&
                 unit_facts_set(streq(c->word, "Version") ? &b->system.version : &b->system.state,
                                s) < 0)
                b->ops->unanswered(b->userdata);
        b->ops->manager(&b->system, b->userdata);
}

static void get_manager_property(struct unit_bus *b, const char *name,
                                 void (*answer)(struct call *c, sd_bus_message *m, int error))
{
        struct call *c = call_new(b, "", answer);

        if (c)
                c->word = name;
        send_or_free(b, c, properties_call(b, SYSTEMD_PATH, "Get", MANAGER, name));
}

void unit_bus_read_manager(struct unit_bus *b)
{
        if (!b->up)
                return;
        get_manager_property(b, "SystemState", answer_manager);
        get_manager_property(b, "NFailedUnits", answer_manager);
        get_manager_property(b, "NJobs", answer_manager);
        if (!b->system.version)
                get_manager_property(b, "Version", answer_manager);
}

void unit_bus_read_unit_path(struct unit_bus *b)
{
        if (b->up)
                get_manager_property(b, "UnitPath", answer_unit_path);
}

bool unit_bus_ask_stopping(struct unit_bus *b, uint64_t timeout_usec)
{
        sd_bus_message *m, *reply = NULL;
        const char *state = "";
        bool stopping;

        if (!b->up)
                return false;
        m = properties_call(b, SYSTEMD_PATH, "Get", MANAGER, "SystemState");
        if (m && sd_bus_call(b->bus, m, timeout_usec, NULL, &reply) >= 0)
                (void)sd_bus_message_read(reply, "v", "s", &state);
        stopping = streq(state, "stopping");
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return stopping;
}

/* --- signals ---------------------------------------------------------------------------------------------- */

static int on_properties_changed(sd_bus_message *m, void *userdata,
                                 _unused_ sd_bus_error *ret_error)
{
        struct unit_bus *b = userdata;
        _cleanup_(freep) char *id = NULL;
        struct diag_unit *u, before;
        const char *interface;
        int k;

        k = sd_bus_path_decode(sd_bus_message_get_path(m), UNIT_PREFIX, &id);
        if (k < 0)
                b->ops->missed(b->userdata);
        if (k <= 0)
                return 0;
        u = b->ops->facts(id, b->userdata);
        if (!u) {
                b->ops->stranger(id, b->userdata);
                return 0;
        }
        if (sd_bus_message_read_basic(m, 's', &interface) <= 0)
                return 0;
        before = *u;
        if (unit_facts_read_all(m, interface, u) < 0) {
                log_debug("%s: a signal of systemd could not be read to its end", id);
                b->ops->missed(b->userdata);
        }
        /* Loading a unit makes systemd send signals for its dependencies with nothing new in them;
         * to look because of those would load the next unit, and so on for ever. */
        if (unit_facts_differ(&before, u))
                b->ops->changed(id, b->userdata);
        return 0;
}

static int on_startup_finished(_unused_ sd_bus_message *m, void *userdata,
                               _unused_ sd_bus_error *ret_error)
{
        unit_bus_read_manager(userdata);
        return 0;
}

static int on_reloading(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        struct unit_bus *b = userdata;
        int begins;

        if (b->up && sd_bus_message_read_basic(m, 'b', &begins) > 0 && !begins)
                b->ops->reloaded(b->userdata);
        return 0;
}

/* --- the connection ----------------------------------------------------------------------------------------- */

static void go_down(struct unit_bus *b, const char *why)
{
        b->up = false;
        b->epoch++;
        b->n_pending = 0;
        forget_queued(b);
        b->ops->down(why, b->userdata);
}

/* Mostly called from within the connection's own callbacks, where closing it would be an error. */
static void disconnect(struct unit_bus *b, const char *why)
{
        if (b->bus)
                (void)sd_bus_detach_event(b->bus);
        loop_timer_set(b->retry, now_mono_usec() + b->retry_usec, 0);
        b->retry_usec = b->retry_usec * 2 > RETRY_MAX_USEC ? RETRY_MAX_USEC : b->retry_usec * 2;
        go_down(b, why);
}

/*
 * Whatever went wrong, we connect anew and ask again: an answer that came too late is lost, and
 * nothing else would tell us that systemd has come back to itself.
 */
static int on_subscribed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        struct unit_bus *b = userdata;

        if (!is_from_systemd(m)) {
                bool absent = sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                              sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER);

                disconnect(b,
                           absent ? "systemd is not on the system bus" : "systemd does not answer");
                return 0;
        }
        if (b->up)
                return 0; /* asked twice: systemd came back while the first call was out */
        b->up = true;
        b->epoch++;
        b->retry_usec = RETRY_MIN_USEC;
        b->ops->answered(b->userdata);
        b->ops->up(b->userdata);
        return 0;
}

/* Without auto-start: systemd is either on the bus, or nobody can bring it there. */
static int subscribe(struct unit_bus *b)
{
        sd_bus_message *m = manager_call(b, "Subscribe");
        int k = m ? sd_bus_message_set_auto_start(m, 0) : -ENOMEM;

        if (k >= 0)
                k = sd_bus_call_async(b->bus, NULL, m, on_subscribed, b, CALL_TIMEOUT_USEC);
        sd_bus_message_unref(m);
        return k;
}

/* systemd leaves the bus and comes back when it executes itself anew: it has forgotten us then. */
static int on_owner_changed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        struct unit_bus *b = userdata;
        const char *name, *before, *now;

        if (sd_bus_message_read(m, "sss", &name, &before, &now) <= 0)
                return 0;
        if (b->up)
                go_down(b, "systemd has left the system bus");
        if (*now && subscribe(b) < 0)
                disconnect(b, "the system bus does not take our calls");
        return 0;
}

static int on_disconnected(_unused_ sd_bus_message *m, void *userdata,
                           _unused_ sd_bus_error *ret_error)
{
        disconnect(userdata, "the system bus does not answer");
        return 0;
}

static int add_matches(struct unit_bus *b)
{
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                {"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                 "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SYSTEMD "'",
                 on_owner_changed                                                                                                 },
                {"type='signal',sender='" SYSTEMD "',path_namespace='" UNIT_PREFIX "',"
                 "interface='" PROPERTIES "',member='PropertiesChanged'",
                 on_properties_changed                                                                                            },
                {"type='signal',sender='" SYSTEMD "',path='" SYSTEMD_PATH "',"
                 "interface='" MANAGER "',member='StartupFinished'",
                 on_startup_finished                                                                                              },
                {"type='signal',sender='" SYSTEMD "',path='" SYSTEMD_PATH "',"
                 "interface='" MANAGER "',member='Reloading'",
                 on_reloading                                                                                                     },
                {"type='signal',sender='org.freedesktop.DBus.Local',"
                 "interface='org.freedesktop.DBus.Local',member='Disconnected'",                  on_disconnected},
        };
        int k = 0;

        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(matches); i++)
                k = sd_bus_add_match_async(b->bus, NULL, matches[i].rule, matches[i].handler, NULL,
                                           b);
        return k;
}

static int connect_bus(struct unit_bus *b)
{
        const char *address = b->address;
        int k = sd_bus_new(&b->bus);

        if (!address)
                address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        if (k >= 0)
                k = sd_bus_set_address(b->bus,
                                       address ? address : "unix:path=/run/dbus/system_bus_socket");
        if (k >= 0)
                k = sd_bus_set_bus_client(b->bus, 1);
        if (k >= 0)
                k = sd_bus_start(b->bus);
        if (k >= 0)
                k = sd_bus_attach_event(b->bus, loop_event(b->loop), SD_EVENT_PRIORITY_NORMAL);
        if (k >= 0)
                k = add_matches(b);
        if (k >= 0)
                k = subscribe(b);
        return k;
}

static void on_retry(void *userdata)
{
        struct unit_bus *b = userdata;
        char why[128];
        int k;

        b->bus = sd_bus_close_unref(b->bus);
        k = connect_bus(b);
        if (k >= 0)
                return;
        (void)snprintf(why, sizeof(why), "the system bus cannot be reached: %s", strerror(-k));
        disconnect(b, why);
}

int unit_bus_new(struct unit_bus **ret, struct loop *l, const char *address,
                 const struct unit_bus_ops *ops, void *userdata)
{
        struct unit_bus *b = calloc(1, sizeof(*b));
        int k;

        unit_facts_check_table();
        if (!b)
                return -ENOMEM;
        *b = (struct unit_bus){.loop = l,
                               .address = address,
                               .ops = ops,
                               .userdata = userdata,
                               .retry_usec = RETRY_MIN_USEC};
        STAILQ_INIT(&b->queue);
        k = loop_timer_new(&b->retry, l, on_retry, b);
        if (k < 0) {
                free(b);
                return k;
        }
        loop_timer_set(b->retry, now_mono_usec(), 0);
        *ret = b;
        return 0;
}

struct unit_bus *unit_bus_free(struct unit_bus *b)
{
        if (!b)
                return NULL;
        forget_queued(b);
        sd_bus_close_unref(b->bus);
        loop_timer_free(b->retry);
        free((char *)b->system.state);
        free((char *)b->system.version);
        free(b);
        return NULL;
}

bool unit_bus_is_up(const struct unit_bus *b)
{
        return b->up;
}

bool unit_bus_is_idle(const struct unit_bus *b)
{
        return b->n_pending == 0;
}

void unit_bus_reconnect(struct unit_bus *b, const char *why)
{
        if (b->bus)
                disconnect(b, why);
}
