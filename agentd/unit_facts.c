/*
 * systemd's properties and our fields: one table says which goes into which, whether it comes in a
 * signal, a Get or a GetAll. With unit_bus.c the only file that knows sd-bus.
 */

#include <assert.h>
#include <errno.h>

#include <systemd/sd-bus.h>

#include "agentd/unit_facts.h"
#include "base/buf.h"

#define CONDITIONS_BYTES 512u

enum property_kind { STRING, UINT64, UINT32, INT32, BOOL, STRINGS, LOAD_ERROR, CONDITIONS, JOB };

/* "Type" of a mount is its file system, so where a property comes from matters. */
enum property_of { OF_UNIT = 1, OF_SERVICE = 2, OF_OTHERS = 4 };

#define FIELD(f) offsetof(struct diag_unit, f)

static const struct unit_property {
        const char *name;
        enum property_of of;
        enum property_kind kind;
        size_t offset;
} properties[] = {
        {"ActiveEnterTimestamp",            OF_UNIT,                                    UINT64,     FIELD(active_enter_wall_usec)  },
        {"ActiveEnterTimestampMonotonic",   OF_UNIT,                                    UINT64,     FIELD(active_enter_mono_usec)  },
        {"ActiveExitTimestampMonotonic",    OF_UNIT,                                    UINT64,     FIELD(active_exit_mono_usec)   },
        {"ActiveState",                     OF_UNIT,                                    STRING,     FIELD(active_state)            },
        {"AssertResult",                    OF_UNIT,                                    BOOL,       FIELD(assert_result)           },
        {"AssertTimestampMonotonic",        OF_UNIT,                                    UINT64,     FIELD(assert_mono_usec)        },
        {"ConditionResult",                 OF_UNIT,                                    BOOL,       FIELD(condition_result)        },
        {"ConditionTimestampMonotonic",     OF_UNIT,                                    UINT64,     FIELD(condition_mono_usec)     },
        {"Conditions",                      OF_UNIT,                                    CONDITIONS, FIELD(failed_conditions)       },
        {"ExecMainCode",                    OF_SERVICE,                                 INT32,      FIELD(exec_main_code)          },
        {"ExecMainExitTimestampMonotonic",  OF_SERVICE,                                 UINT64,     FIELD(exec_main_exit_mono_usec)},
        {"ExecMainStatus",                  OF_SERVICE,                                 INT32,      FIELD(exec_main_status)        },
        {"FreezerState",                    OF_UNIT,                                    STRING,     FIELD(freezer_state)           },
        {"InactiveEnterTimestampMonotonic", OF_UNIT,                                    UINT64,     FIELD(inactive_enter_mono_usec)},
        {"InactiveExitTimestampMonotonic",  OF_UNIT,                                    UINT64,     FIELD(inactive_exit_mono_usec) },
        {"Job",                             OF_UNIT,                                    JOB,        FIELD(job)                     },
        {"LoadError",                       OF_UNIT,                                    LOAD_ERROR, FIELD(load_error)              },
        {"MainPID",                         OF_SERVICE,                                 UINT32,     FIELD(main_pid)                },
        {"NRestarts",                       OF_SERVICE,                                 UINT32,     FIELD(n_restarts)              },
        {"NeedDaemonReload",                OF_UNIT,                                    BOOL,       FIELD(need_daemon_reload)      },
        {"ReloadResult",                    OF_SERVICE,                                 STRING,     FIELD(reload_result)           },
        {"RemainAfterExit",                 OF_SERVICE,                                 BOOL,       FIELD(remain_after_exit)       },
        {"Result",                          (enum property_of)(OF_SERVICE | OF_OTHERS), STRING,     FIELD(result)                  },
        {"StartLimitBurst",                 OF_UNIT,                                    UINT32,     FIELD(start_limit_burst)       },
        {"StateChangeTimestamp",            OF_UNIT,                                    UINT64,     FIELD(state_change_wall_usec)  },
        {"StateChangeTimestampMonotonic",   OF_UNIT,                                    UINT64,     FIELD(state_change_mono_usec)  },
        {"StatusText",                      OF_SERVICE,                                 STRING,     FIELD(status_text)             },
        {"SubState",                        OF_UNIT,                                    STRING,     FIELD(sub_state)               },
        {"TimeoutStartUSec",                OF_SERVICE,                                 UINT64,     FIELD(timeout_start_usec)      },
        {"TimeoutStopUSec",                 OF_SERVICE,                                 UINT64,     FIELD(timeout_stop_usec)       },
        {"TriggeredBy",                     OF_UNIT,                                    STRINGS,    FIELD(triggered_by)            },
        {"Type",                            OF_SERVICE,                                 STRING,     FIELD(type)                    },
        {"UnitFileState",                   OF_UNIT,                                    STRING,     FIELD(unit_file_state)         },
};

int unit_facts_set(const char **field, const char *value)
{
        char *copy;

        if (*field && streq(*field, value))
                return 0;
        copy = strdup(value);
        free((char *)*field);
        *field = copy;
        return copy ? 0 : -ENOMEM;
}

static const char **string_at(struct diag_unit *u, size_t offset)
{
        return (const char **)((char *)u + offset);
}

static void free_triggers(struct diag_unit *u)
{
        for (size_t i = 0; i < u->n_triggered_by; i++)
                free((char *)u->triggered_by[i]);
        u->n_triggered_by = 0;
}

void unit_facts_done(struct diag_unit *u)
{
        for (size_t i = 0; i < ELEMENTSOF(properties); i++)
                if (properties[i].kind == STRING || properties[i].kind == LOAD_ERROR ||
                    properties[i].kind == CONDITIONS || properties[i].kind == JOB)
                        free((char *)*string_at(u, properties[i].offset));
        free((char *)u->name);
        free((char *)u->id);
        free((char *)u->description);
        free((char *)u->load_state);
        free_triggers(u);
        *u = (struct diag_unit){0};
}

static int by_property_name(const void *key, const void *p)
{
        return strcmp(key, ((const struct unit_property *)p)->name);
}

static enum property_of interface_of(const char *interface)
{
        return streq(interface, UNIT_INTERFACE)      ? OF_UNIT
               : streq(interface, SERVICE_INTERFACE) ? OF_SERVICE
                                                     : OF_OTHERS;
}

static const struct unit_property *find_property(const char *name, enum property_of of)
{
        const struct unit_property *p = bsearch(name, properties, ELEMENTSOF(properties),
                                                sizeof(properties[0]), by_property_name);

        return p && (p->of & of) ? p : NULL;
}

const struct unit_property *unit_property_find(const char *interface, const char *name)
{
        return find_property(name, interface_of(interface));
}

static int read_string(sd_bus_message *m, const char **field)
{
        const char *s;
        int k = sd_bus_message_read_basic(m, 's', &s);

        return k > 0 ? unit_facts_set(field, s) : k;
}

static int read_bool(sd_bus_message *m, bool *field)
{
        int v, k = sd_bus_message_read_basic(m, 'b', &v);

        if (k > 0)
                *field = v != 0;
        return k;
}

/* The names of units that start this one; bounded, the first ones are kept. */
static int read_triggers(sd_bus_message *m, struct diag_unit *u)
{
        const char *s;
        int k = sd_bus_message_enter_container(m, 'a', "s");

        if (k < 0)
                return k;
        free_triggers(u);
        while ((k = sd_bus_message_read_basic(m, 's', &s)) > 0) {
                char *copy;

                if (u->n_triggered_by == DIAG_UNIT_TRIGGERS_MAX)
                        continue;
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
                u->triggered_by[u->n_triggered_by++] = copy;
        }
        return k < 0 ? k : sd_bus_message_exit_container(m);
}

static int read_load_error(sd_bus_message *m, const char **field)
{
        const char *name, *text;
        int k = sd_bus_message_read(m, "(ss)", &name, &text);

        return k > 0 ? unit_facts_set(field, text) : k;
}

/*
 * a(sbbsi): type, trigger ("|"), negate ("!"), parameter, state: < 0 does not hold, 0 was not tested.
 * A daemon-reload makes all of them untested, though the unit's result stands: then it was the only
 * one, or what we read before is still right.
 */
static int read_conditions(sd_bus_message *m, const char **field)
{
        _cleanup_(buf_done) struct buf failed = {.max = CONDITIONS_BYTES}, last = failed;
        const char *type, *parameter;
        int trigger, negate, state, k;
        unsigned n = 0;

        k = sd_bus_message_enter_container(m, 'a', "(sbbsi)");
        if (k < 0)
                return k;
        for (; (k = sd_bus_message_read(m, "(sbbsi)", &type, &trigger, &negate, &parameter,
                                        &state)) > 0;
             n++) {
                buf_clear(&last);
                buf_printf(&last, "%s=%s%s%s", type, trigger ? "|" : "", negate ? "!" : "",
                           parameter);
                if (state < 0)
                        buf_printf(&failed, "%s%s", failed.n ? ", " : "", buf_cstr(&last));
        }
        if (failed.error == -ENOMEM || last.error == -ENOMEM)
                k = -ENOMEM;
        if (k >= 0 && (failed.n || n == 1))
                k = unit_facts_set(field, buf_cstr(failed.n ? &failed : &last));
        return k < 0 ? k : sd_bus_message_exit_container(m);
}

/* A job's type stands only in a list's row; here is no more than whether there is one. */
static int read_job(sd_bus_message *m, const char **field)
{
        const char *path;
        uint32_t id;
        int k = sd_bus_message_read(m, "(uo)", &id, &path);

        if (k > 0 && (!id || str_empty(*field)))
                k = unit_facts_set(field, id ? "queued" : "");
        return k;
}

static int read_value(sd_bus_message *m, const struct unit_property *p, struct diag_unit *u)
{
        void *field = (char *)u + p->offset;

        switch (p->kind) {
        case STRING:
                return read_string(m, field);
        case UINT64:
                return sd_bus_message_read_basic(m, 't', field);
        case UINT32:
                return sd_bus_message_read_basic(m, 'u', field);
        case INT32:
                return sd_bus_message_read_basic(m, 'i', field);
        case BOOL:
                return read_bool(m, field);
        case STRINGS:
                return read_triggers(m, u);
        case LOAD_ERROR:
                return read_load_error(m, field);
        case CONDITIONS:
                return read_conditions(m, field);
        case JOB:
                return read_job(m, field);
        }
        return -EINVAL;
}

static const char *signature_of(const struct unit_property *p)
{
        static const char *const signatures[] = {
                [STRING] = "s", [UINT64] = "t",   [UINT32] = "u",        [INT32] = "i",
                [BOOL] = "b",   [STRINGS] = "as", [LOAD_ERROR] = "(ss)", [CONDITIONS] = "a(sbbsi)",
                [JOB] = "(uo)",
        };

        return signatures[p->kind];
}

/* A variant into its field; one of another type than we expect is passed over. */
int unit_facts_read_variant(sd_bus_message *m, const struct unit_property *p, struct diag_unit *u)
{
        int k = sd_bus_message_enter_container(m, 'v', signature_of(p));

        if (k == -ENXIO)
                return sd_bus_message_skip(m, "v");
        if (k < 0)
                return k;
        k = read_value(m, p, u);
        return k < 0 ? k : sd_bus_message_exit_container(m);
}

/* a{sv}, from a signal or GetAll. */
int unit_facts_read_all(sd_bus_message *m, const char *interface, struct diag_unit *u)
{
        enum property_of of = interface_of(interface);
        const char *name;
        int k = sd_bus_message_enter_container(m, 'a', "{sv}");

        if (k < 0)
                return k;
        while ((k = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const struct unit_property *p;

                k = sd_bus_message_read_basic(m, 's', &name);
                if (k < 0)
                        return k;
                p = find_property(name, of);
                k = p ? unit_facts_read_variant(m, p, u) : sd_bus_message_skip(m, "v");
                if (k < 0)
                        return k;
                k = sd_bus_message_exit_container(m);
                if (k < 0)
                        return k;
        }
        return k < 0 ? k : sd_bus_message_exit_container(m);
}

bool unit_facts_differ(const struct diag_unit *a, const struct diag_unit *b)
{
        /* Lists never come in a signal, and a new string is never at the address of the old one, which
         * goes only after the copy is made. */
        static const size_t sizes[] = {
                [STRING] = sizeof(char *),     [UINT64] = sizeof(uint64_t),
                [UINT32] = sizeof(uint32_t),   [INT32] = sizeof(int32_t),
                [BOOL] = sizeof(bool),         [STRINGS] = 0,
                [LOAD_ERROR] = sizeof(char *), [CONDITIONS] = 0,
                [JOB] = sizeof(char *),
        };

        for (size_t i = 0; i < ELEMENTSOF(properties); i++) {
                const struct unit_property *p = &properties[i];

                if (memcmp((const char *)a + p->offset, (const char *)b + p->offset,
                           sizes[p->kind]) != 0)
                        return true;
        }
        return false;
}

void unit_facts_check_table(void)
{
        for (size_t i = 1; i < ELEMENTSOF(properties); i++)
                assert(strcmp(properties[i - 1].name, properties[i].name) < 0);
}
