/* One setter for each key, and a table. An empty value means "as if it had never been set". */

#include <errno.h>

#include "agentd/agent_conf.h"
#include "base/mono.h"
#include "model/unit_name.h"

#define STUCK_AFTER_USEC (5 * USEC_PER_MIN)

void agent_conf_init(struct agent_conf *c)
{
        *c = (struct agent_conf){
                .role = DIAG_ROLE_AGENT,
                .stuck_after_usec = STUCK_AFTER_USEC,
                .log_level = LEVEL_INFO,
        };
}

static void reset_units(struct agent_conf *c)
{
        for (size_t i = 0; i < c->n_units; i++)
                free(c->units[i]);
        free(c->units);
        c->units = NULL;
        c->n_units = 0;
}

void agent_conf_done(struct agent_conf *c)
{
        reset_units(c);
        for (size_t i = 0; i < c->n_expects; i++)
                free(c->expects[i].unit);
        free(c->expects);
        free(c->target);
        free(c->address);
        free(c->address_command);
        free(c->hostname);
        *c = (struct agent_conf){0};
}

static int replace(char **field, const char *value)
{
        char *copy = *value ? strdup(value) : NULL;

        if (*value && !copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

/* --- [Agent] -------------------------------------------------------------------------------------- */

static int set_role(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        if (!*v->value) {
                c->role = DIAG_ROLE_AGENT;
                return 0;
        }
        if (diag_role_from_string(v->value, &c->role) < 0)
                return err_set(e, -EINVAL, "'%s' is no role: master, agent or agent_public",
                               v->value);
        return 0;
}

static int set_target(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        if (*v->value && (!unit_name_is_unit(v->value) || !unit_name_has_type(v->value, "target")))
                return err_set(e, -EINVAL, "'%s' is no name of a target", v->value);
        return replace(&c->target, v->value);
}

static int add_unit(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;
        char **p, *copy;

        if (!*v->value) {
                reset_units(c);
                return 0;
        }
        if (!unit_name_is_glob(v->value) && !unit_name_is_unit(v->value))
                return err_set(e, -EINVAL, "'%s' is no name of a unit (a glob has '*', '?' or '[')",
                               v->value);
        if (c->n_units == AGENT_UNITS_MAX)
                return err_set(e, -E2BIG, "more than %u units", AGENT_UNITS_MAX);
        p = reallocarray(c->units, c->n_units + 1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        c->units = p;
        copy = strdup(v->value);
        if (!copy)
                return -ENOMEM;
        c->units[c->n_units++] = copy;
        return 0;
}

static int set_address(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;
        int family;

        if (*v->value && parse_ip(v->value, &family) < 0)
                return err_set(e, -EINVAL, "'%s' is no IP address", v->value);
        return replace(&c->address, v->value);
}

static int set_address_command(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        if (*v->value && *v->value != '/')
                return err_set(e, -EINVAL, "'%s' is not an absolute path", v->value);
        return replace(&c->address_command, v->value);
}

static int set_hostname(void *target, const struct conf_value *v, _unused_ struct err *e)
{
        return replace(&((struct agent_conf *)target)->hostname, v->value);
}

/* --- [Listen] --------------------------------------------------------------------------------------- */

static int add_listen(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        if (!*v->value) {
                c->n_listen = 0;
                return 0;
        }
        if (c->n_listen == SERVER_LISTENERS_MAX)
                return err_set(e, -E2BIG, "more than %u listeners", SERVER_LISTENERS_MAX);
        if (parse_listen(v->value, &c->listen[c->n_listen]) < 0)
                return err_set(e, -EINVAL,
                               "'%s' is no address to listen on: ADDR:PORT, [ADDR6]:PORT or "
                               "unix:/PATH",
                               v->value);
        c->n_listen++;
        return 0;
}

static int add_allow_from(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct agent_conf *)target)->authority;

        if (!*v->value) {
                a->n_networks = 0;
                return 0;
        }
        if (a->n_networks == AUTHORITY_NETWORKS_MAX)
                return err_set(e, -E2BIG, "more than %u networks", AUTHORITY_NETWORKS_MAX);
        if (parse_ip_prefix(v->value, &a->networks[a->n_networks]) < 0)
                return err_set(e, -EINVAL, "'%s' is no network such as 10.0.0.0/8", v->value);
        a->n_networks++;
        return 0;
}

static int set_insecure(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        c->insecure = false;
        if (*v->value && parse_bool(v->value, &c->insecure) < 0)
                return err_set(e, -EINVAL, "'%s' is neither yes nor no", v->value);
        return 0;
}

/* --- [Judge], [Unit NAME], [Log] ------------------------------------------------------------------------ */

static int set_stuck_after(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        c->stuck_after_given = *v->value;
        c->stuck_after_usec = STUCK_AFTER_USEC;
        if (*v->value && (parse_duration(v->value, &c->stuck_after_usec) < 0 ||
                          c->stuck_after_usec < USEC_PER_SEC))
                return err_set(e, -EINVAL, "'%s' is no duration of a second or more such as 5min",
                               v->value);
        return 0;
}

static int set_starting(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        if (*v->value && !streq(v->value, "healthy") && !streq(v->value, "unhealthy"))
                return err_set(e, -EINVAL, "'%s' is neither healthy nor unhealthy", v->value);
        c->starting_is_healthy = streq(v->value, "healthy");
        return 0;
}

static int set_expect(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;
        enum diag_expect expect = DIAG_EXPECT_AUTO;
        struct agent_expect *p;
        char *copy;

        if (!unit_name_is_unit(v->argument))
                return err_set(e, -EINVAL, "'%s' is no name of a unit", v->argument);
        if (*v->value && diag_expect_from_string(v->value, &expect) < 0)
                return err_set(e, -EINVAL, "'%s' is none of auto, running, optional, off",
                               v->value);
        for (size_t i = 0; i < c->n_expects; i++)
                if (streq(c->expects[i].unit, v->argument)) {
                        c->expects[i].expect = expect;
                        c->expects[i].given = *v->value;
                        return 0;
                }
        if (c->n_expects == AGENT_EXPECTS_MAX)
                return err_set(e, -E2BIG, "more than %u sections [Unit …]", AGENT_EXPECTS_MAX);
        p = reallocarray(c->expects, c->n_expects + 1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        c->expects = p;
        copy = strdup(v->argument);
        if (!copy)
                return -ENOMEM;
        p[c->n_expects++] =
                (struct agent_expect){.unit = copy, .expect = expect, .given = *v->value};
        return 0;
}

static int set_log_level(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;

        c->log_level = LEVEL_INFO;
        if (*v->value && log_level_from_string(v->value, &c->log_level) < 0)
                return err_set(e, -EINVAL, "'%s' is none of error, warning, notice, info, debug",
                               v->value);
        return 0;
}

const struct conf_key agent_conf_keys[] = {
        {"Agent",      "Role", false, set_role},
        {"Agent",       "Target", false, set_target},
        {"Agent",            "Unit", false, add_unit},
        {"Agent","Address", false, set_address},
        {"Agent",  "AddressCommand", false, set_address_command},
        {"Agent",      "Hostname", false, set_hostname},
        {"Listen",       "Listen", false, add_listen},
        {"Listen",            "AllowFrom", false, add_allow_from},
        {"Listen",      "Insecure", false, set_insecure},
        {"Judge", "StuckAfter", false, set_stuck_after},
        {"Judge",      "Starting", false, set_starting},
        {"Unit",       "Expect", true, set_expect},
        {"Log",            "Level", false, set_log_level},
        {0},
};

/* --- all of it ---------------------------------------------------------------------------------------------- */

static int by_unit(const void *a, const void *b)
{
        return strcmp(((const struct agent_expect *)a)->unit,
                      ((const struct agent_expect *)b)->unit);
}

int agent_conf_check(struct agent_conf *c, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];

        if (c->address && c->address_command)
                return err_set(e, -EINVAL, "Address= and AddressCommand= exclude each other");
        for (size_t i = 0; i < c->n_listen; i++) {
                if (sock_address_is_local(&c->listen[i]))
                        continue;
                sock_address_format(text, &c->listen[i]);
                if (!c->insecure)
                        return err_set(e, -EINVAL,
                                       "%s can be reached from other machines, in plain text: that "
                                       "needs Insecure=yes (--insecure)",
                                       text);
                if (!c->authority.n_networks)
                        return err_set(
                                e, -EINVAL,
                                "nobody may ask at %s: name networks with AllowFrom= (--allow)",
                                text);
        }
        if (c->n_expects)
                qsort(c->expects, c->n_expects, sizeof(*c->expects), by_unit);
        return 0;
}

enum diag_expect agent_conf_expect(const char *name, enum diag_expect otherwise, void *agent_conf)
{
        const struct agent_conf *c = agent_conf;
        const struct agent_expect key = {.unit = (char *)name}, *found = NULL;

        if (c->n_expects)
                found = bsearch(&key, c->expects, c->n_expects, sizeof(key), by_unit);
        return found && found->given ? found->expect : otherwise;
}
