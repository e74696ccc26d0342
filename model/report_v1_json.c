/* What the older service says of a node, read strictly. */

#include <errno.h>

#include <jansson.h>

#include "model/report_v1.h"

static int get_string(const json_t *o, const char *key, const char **ret, struct err *e)
{
        const json_t *v = json_object_get(o, key);

        *ret = json_is_string(v) ? json_string_value(v) : "";
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
        char text[DIAG_STRING_MAX + 2]; /* more than is kept: that is cut at a character's end */
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
