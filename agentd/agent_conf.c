/* One setter for each key, and a table. An empty value means "as if it had never been set". */

#include <errno.h>
#include <stdio.h>

#include "agentd/agent_conf.h"
#include "agentd/mesos_id.h"
#include "base/mono.h"
#include "bundles/store_limits.h"
#include "model/unit_name.h"

#define STUCK_AFTER_USEC (5 * USEC_PER_MIN)

struct agent_conf *agent_conf_new(void)
{
        struct agent_conf *c = malloc(sizeof(*c));

        if (!c)
                return NULL;
        *c = (struct agent_conf){
                .role = DIAG_ROLE_AGENT,
                .stuck_after_usec = STUCK_AFTER_USEC,
                .log_level = LEVEL_INFO,
                .hash = UINT64_C(0xcbf29ce484222325),
        };
        listen_conf_init(&c->server);
        return c;
}

static void reset_units(struct agent_conf *c)
{
        for (size_t i = 0; i < c->n_units; i++)
                free(c->units[i]);
        free(c->units);
        c->units = NULL;
        c->n_units = 0;
}

struct agent_conf *agent_conf_free(struct agent_conf *c)
{
        if (!c)
                return NULL;
        reset_units(c);
        for (size_t i = 0; i < c->n_expects; i++)
                free(c->expects[i].unit);
        free(c->expects);
        free(c->target);
        free(c->address);
        free(c->address_command);
        free(c->hostname);
        free(c->mesos_url);
        free(c->watched);
        free(c->by_unit);
        for (size_t i = 0; i < c->n_components; i++) {
                free(c->components[i].name);
                free(c->components[i].unit);
                free(c->components[i].title);
        }
        free(c->components);
        for (size_t i = 0; i < c->n_probes; i++)
                probe_settings_free(c->probes[i]);
        free(c->probes);
        for (size_t i = 0; i < c->n_places; i++) {
                free(c->places[i].header);
                free(c->places[i].where);
        }
        free(c->places);
        listen_conf_done(&c->server);
        free(c);
        return NULL;
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

static int set_mesos_url(void *target, const struct conf_value *v, struct err *e)
{
        if (*v->value && !streq(v->value, "off") && strncmp(v->value, "http://", 7) != 0 &&
            strncmp(v->value, "https://", 8) != 0)
                return err_set(e, -EINVAL, "'%s' is no URL of Mesos (http://…), nor 'off'",
                               v->value);
        if (strlen(v->value) >= MESOS_URL_MAX)
                return err_set(e, -E2BIG, "more than %u bytes", MESOS_URL_MAX - 1);
        return replace(&((struct agent_conf *)target)->mesos_url, v->value);
}

static int add_master(struct agent_conf *c, const char *s, struct err *e)
{
        struct master_address m;

        if (master_address_parse(&m, s, MASTER_PORT) < 0)
                return err_set(e, -EINVAL,
                               "'%s' is neither an IP address nor a name, with or without :PORT",
                               s);
        for (size_t i = 0; i < c->n_masters; i++)
                if (master_address_equal(&c->masters[i], &m))
                        return 0;
        if (c->n_masters == AGENT_MASTERS_MAX)
                return err_set(e, -E2BIG, "more than %u masters", AGENT_MASTERS_MAX);
        c->masters[c->n_masters++] = m;
        return 0;
}

static int add_masters(void *target, const struct conf_value *v, struct err *e)
{
        _cleanup_(freep) char *copy = strdup(v->value);
        struct agent_conf *c = target;
        char *state = NULL;
        int k = 0;

        if (!copy)
                return -ENOMEM;
        if (!*copy)
                c->n_masters = 0;
        for (char *p = strtok_r(copy, " \t", &state); p && k >= 0;
             p = strtok_r(NULL, " \t", &state))
                k = add_master(c, p, e);
        return k;
}

/* --- [Component NAME], [Probe NAME] ----------------------------------------------------------- */

static struct agent_component *find_component(struct agent_conf *c, const char *name)
{
        for (size_t i = 0; i < c->n_components; i++)
                if (streq(c->components[i].name, name))
                        return &c->components[i];
        return NULL;
}

static bool is_component_name(const char *s)
{
        size_t n =
                strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.@\\-");

        return n > 0 && n <= AGENT_NAME_MAX && !s[n];
}

static int need_component(struct agent_conf *c, const char *name, struct agent_component **ret,
                          struct err *e)
{
        struct agent_component *p = find_component(c, name);

        if (p) {
                *ret = p;
                return 0;
        }
        if (!is_component_name(name))
                return err_set(e, -EINVAL,
                               "'%s' is no name of a component: letters, digits and :_.@\\-", name);
        if (c->n_components == AGENT_COMPONENTS_MAX)
                return err_set(e, -E2BIG, "more than %u components", AGENT_COMPONENTS_MAX);
        p = reallocarray(c->components, c->n_components + 1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        c->components = p;
        p += c->n_components;
        *p = (struct agent_component){.name = strdup(name)};
        if (!p->name)
                return -ENOMEM;
        c->n_components++;
        *ret = p;
        return 0;
}

static const char *place_of(const struct agent_conf *c, const char *header)
{
        for (size_t i = 0; i < c->n_places; i++)
                if (streq(c->places[i].header, header))
                        return c->places[i].where;
        return NULL;
}

static int note_place(struct agent_conf *c, const struct conf_value *v)
{
        _cleanup_(freep) char *header = NULL, *where = NULL;
        struct agent_place *p;

        if (asprintf(&header, "%s %s", v->section, v->argument) < 0) {
                header = NULL;
                return -ENOMEM;
        }
        if (place_of(c, header))
                return 0;
        p = reallocarray(c->places, c->n_places + 1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        c->places = p;
        where = strdup(v->where);
        if (!where)
                return -ENOMEM;
        p[c->n_places++] =
                (struct agent_place){.header = TAKE_PTR(header), .where = TAKE_PTR(where)};
        return 0;
}

/* Named is described: a unit needs no more than that. */
static int open_component(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_component *p;
        int k = need_component(target, v->argument, &p, e);

        return k < 0 ? k : note_place(target, v);
}

static int set_component_unit(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_component *p = NULL;
        int k = need_component(target, v->argument, &p, e);

        if (!p)
                return k;
        if (*v->value && !unit_name_is_unit(v->value))
                return err_set(e, -EINVAL, "'%s' is no name of a unit", v->value);
        return replace(&p->unit, v->value);
}

static int set_component_title(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_component *p = NULL;
        int k = need_component(target, v->argument, &p, e);

        return p ? replace(&p->title, v->value) : k;
}

static int need_probe(struct agent_conf *c, const char *name, struct probe_settings **ret,
                      struct err *e)
{
        struct probe_settings **p;
        int k;

        for (size_t i = 0; i < c->n_probes; i++)
                if (streq(probe_settings_name(c->probes[i]), name)) {
                        *ret = c->probes[i];
                        return 0;
                }
        if (c->n_probes == PROBES_MAX)
                return err_set(e, -E2BIG, "more than %u probes", PROBES_MAX);
        p = reallocarray(c->probes, c->n_probes + 1, sizeof(struct probe_settings *));
        if (!p)
                return -ENOMEM;
        c->probes = p;
        k = probe_settings_new(ret, name);
        if (k == -EINVAL)
                return err_set(e, k,
                               "'%s' is no name of a probe: at most %u letters, digits and :_.@-",
                               name, PROBE_NAME_MAX);
        if (k >= 0)
                p[c->n_probes++] = *ret;
        return k;
}

static int open_probe(void *target, const struct conf_value *v, struct err *e)
{
        struct probe_settings *p;
        int k = need_probe(target, v->argument, &p, e);

        return k < 0 ? k : note_place(target, v);
}

static int set_probe(void *target, const struct conf_value *v, struct err *e)
{
        struct probe_settings *p = NULL;
        int k = need_probe(target, v->argument, &p, e);

        return p ? probe_settings_set(p, v->key, v->value, e) : k;
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

static int open_unit(_unused_ void *target, const struct conf_value *v, struct err *e)
{
        if (!unit_name_is_unit(v->argument))
                return err_set(e, -EINVAL, "'%s' is no name of a unit", v->argument);
        return 0;
}

static int set_expect(void *target, const struct conf_value *v, struct err *e)
{
        struct agent_conf *c = target;
        enum diag_expect expect = DIAG_EXPECT_AUTO;
        struct agent_expect *p;
        char *copy;

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

static int set_bundles(void *target, const struct conf_value *v, struct err *e)
{
        return store_limits_set(&((struct agent_conf *)target)->bundles, v->key, v->value, e);
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

/* FNV-1a: whether two nodes were told the same, not whether somebody meddled. */
static void hash_string(uint64_t *hash, const char *s)
{
        do {
                *hash ^= (unsigned char)*s;
                *hash *= UINT64_C(0x100000001b3);
        } while (*s++);
}

static int note_value(void *target, const struct conf_value *v, _unused_ struct err *e)
{
        struct agent_conf *c = target;

        hash_string(&c->hash, v->section);
        hash_string(&c->hash, v->argument);
        hash_string(&c->hash, v->key);
        hash_string(&c->hash, v->value);
        return 0;
}

/* clang-format off */
const struct conf_key agent_conf_keys[] = {
        {"Agent",     "Role",           false, set_role},
        {"Agent",     "Target",         false, set_target},
        {"Agent",     "Unit",           false, add_unit},
        {"Agent",     "Address",        false, set_address},
        {"Agent",     "AddressCommand", false, set_address_command},
        {"Agent",     "Hostname",       false, set_hostname},
        {"Agent",     "MesosUrl",       false, set_mesos_url},
        {"Agent",     "Masters",        false, add_masters},
        LISTEN_CONF_KEYS,
        {"Judge",     "StuckAfter",     false, set_stuck_after},
        {"Judge",     "Starting",       false, set_starting},
        {"Unit",      "",               true,  open_unit},
        {"Unit",      "Expect",         true,  set_expect},
        {"Component", "",               true,  open_component},
        {"Component", "Unit",           true,  set_component_unit},
        {"Component", "Title",          true,  set_component_title},
        {"Probe",     "",               true,  open_probe},
        {"Probe",     "*",              true,  set_probe},
        {"Log",       "Level",          false, set_log_level},
        {"Bundles",   "MaxCount",       false, set_bundles},
        {"Bundles",   "MaxBytes",       false, set_bundles},
        {"Bundles",   "MaxAge",         false, set_bundles},
        {"Bundles",   "FreeFloor",      false, set_bundles},
        {NULL,        NULL,             false, note_value},
};
/* clang-format on */

/* --- all of it ---------------------------------------------------------------------------------------------- */

static int by_unit(const void *a, const void *b)
{
        return strcmp(((const struct agent_expect *)a)->unit,
                      ((const struct agent_expect *)b)->unit);
}

static int by_component(const void *a, const void *b)
{
        return strcmp(((const struct agent_component *)a)->name,
                      ((const struct agent_component *)b)->name);
}

static int by_component_and_name(const void *a, const void *b)
{
        const struct probe_settings *pa = *(struct probe_settings *const *)a;
        const struct probe_settings *pb = *(struct probe_settings *const *)b;
        int order = strcmp(probe_settings_component(pa), probe_settings_component(pb));

        return order ? order : strcmp(probe_settings_name(pa), probe_settings_name(pb));
}

/* Where faults go; the first one decides what the check returns. */
struct faults {
        const struct agent_conf *conf;
        conf_error_fn on_error;
        void *userdata;
        int first;
};

/* In @header, or in nothing in particular. */
static void report(struct faults *f, const char *section, const char *name, struct err *e)
{
        char header[AGENT_NAME_MAX + 16];
        const char *where;

        (void)snprintf(header, sizeof(header), "%s %s", section, name);
        where = place_of(f->conf, header);
        if (e->code == -ENOMEM)
                (void)err_set(e, -ENOMEM, "out of memory");
        else if (where)
                (void)err_prefix(e, "%s: ", where);
        if (f->first == 0)
                f->first = e->code;
        if (f->on_error)
                f->on_error(e, f->userdata);
}

/* A probe may speak of a component that nobody described: of that name, or the unit of that name. */
static void check_probes(struct agent_conf *c, struct faults *f)
{
        for (size_t i = 0; i < c->n_probes; i++) {
                struct agent_component *p;
                struct err e = {0};

                e.code = probe_settings_check(c->probes[i], &e);
                if (e.code >= 0)
                        e.code = need_component(c, probe_settings_component(c->probes[i]), &p, &e);
                if (e.code < 0)
                        report(f, "Probe", probe_settings_name(c->probes[i]), &e);
        }
        if (c->n_probes && f->first == 0)
                qsort(c->probes, c->n_probes, sizeof(struct probe_settings *),
                      by_component_and_name);
}

static size_t count_probes(const struct agent_conf *c, const char *component)
{
        size_t n = 0;

        for (size_t i = 0; i < c->n_probes; i++)
                n += streq(probe_settings_component(c->probes[i]), component);
        return n;
}

static int check_component(struct agent_conf *c, struct agent_component *p, struct err *e)
{
        bool named_like_a_unit = unit_name_is_unit(p->name);

        if (named_like_a_unit && !p->unit) {
                p->unit = strdup(p->name);
                if (!p->unit)
                        return -ENOMEM;
        }
        p->n_probes = count_probes(c, p->name);
        if (named_like_a_unit && !streq(p->unit, p->name))
                return err_set(e, -EINVAL,
                               "[Component %s] is named like a unit, and is another: %s", p->name,
                               p->unit);
        if (!p->unit && !p->n_probes)
                return err_set(e, -EINVAL, "[Component %s] has neither Unit= nor a probe", p->name);
        if (p->n_probes > DIAG_PROBES_MAX)
                return err_set(e, -E2BIG, "[Component %s] has more than %u probes", p->name,
                               DIAG_PROBES_MAX);
        return 0;
}

static int by_component_unit(const void *a, const void *b)
{
        return strcmp((*(struct agent_component *const *)a)->unit,
                      (*(struct agent_component *const *)b)->unit);
}

static int index_components(struct agent_conf *c)
{
        const struct agent_component **p;

        p = reallocarray(c->by_unit, c->n_components + 1, sizeof(struct agent_component *));
        if (!p)
                return -ENOMEM;
        c->by_unit = p;
        c->n_by_unit = 0;
        for (size_t i = 0; i < c->n_components; i++)
                if (c->components[i].unit)
                        p[c->n_by_unit++] = &c->components[i];
        qsort(p, c->n_by_unit, sizeof(struct agent_component *), by_component_unit);
        return 0;
}

static void refuse_doubles(const struct agent_conf *c, struct faults *f)
{
        const struct agent_component **p = c->by_unit;
        struct err e;

        for (size_t i = 1; i < c->n_by_unit; i++) {
                if (!streq(p[i - 1]->unit, p[i]->unit))
                        continue;
                (void)err_set(&e, -EINVAL, "[Component %s] and [Component %s] are both %s",
                              p[i - 1]->name, p[i]->name, p[i]->unit);
                report(f, "Component", p[i]->name, &e);
        }
}

static void check_components(struct agent_conf *c, struct faults *f)
{
        size_t first_probe = 0;

        if (c->n_components)
                qsort(c->components, c->n_components, sizeof(*c->components), by_component);
        for (size_t i = 0; i < c->n_components; i++) {
                struct agent_component *p = &c->components[i];
                struct err e = {0};

                e.code = check_component(c, p, &e);
                if (e.code < 0)
                        report(f, "Component", p->name, &e);
                p->first_probe = first_probe;
                first_probe += p->n_probes;
        }
}

/* What is watched: what Unit= says, then the units of components. */
static int list_units(struct agent_conf *c)
{
        const char **p = reallocarray(c->watched, c->n_units + c->n_components + 1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        c->watched = p;
        c->n_watched = 0;
        for (size_t i = 0; i < c->n_units; i++)
                p[c->n_watched++] = c->units[i];
        for (size_t i = 0; i < c->n_by_unit; i++)
                p[c->n_watched++] = c->by_unit[i]->unit;
        return 0;
}

static void check_the_rest(struct agent_conf *c, struct faults *f)
{
        struct err e = {0};

        if (c->address && c->address_command) {
                (void)err_set(&e, -EINVAL, "Address= and AddressCommand= exclude each other");
                report(f, "Agent", "", &e);
        }
        e.code = listen_conf_check(&c->server, c->hostname, &e);
        if (e.code < 0)
                report(f, "Listen", "", &e);
}

int agent_conf_check(struct agent_conf *c, conf_error_fn on_error, void *userdata)
{
        struct faults f = {.conf = c, .on_error = on_error, .userdata = userdata};
        struct err e = {0};

        check_the_rest(c, &f);
        check_probes(c, &f);
        if (f.first == 0)
                check_components(c, &f);
        if (f.first == 0)
                e.code = index_components(c);
        if (f.first == 0 && e.code >= 0) {
                refuse_doubles(c, &f);
                e.code = list_units(c);
        }
        if (e.code < 0)
                report(&f, "Agent", "", &e);
        if (c->n_expects)
                qsort(c->expects, c->n_expects, sizeof(*c->expects), by_unit);
        return f.first;
}

const struct agent_component *agent_conf_component_of(const struct agent_conf *c, const char *unit)
{
        const struct agent_component key = {.unit = (char *)unit}, *const wanted = &key, **found;

        if (!c->n_by_unit)
                return NULL;
        found = bsearch(&wanted, c->by_unit, c->n_by_unit, sizeof(struct agent_component *),
                        by_component_unit);
        return found ? *found : NULL;
}

enum diag_expect agent_conf_expect(const char *name, enum diag_expect otherwise, void *agent_conf)
{
        const struct agent_conf *c = agent_conf;
        const struct agent_expect key = {.unit = (char *)name}, *found = NULL;

        if (c->n_expects)
                found = bsearch(&key, c->expects, c->n_expects, sizeof(key), by_unit);
        return found && found->given ? found->expect : otherwise;
}
