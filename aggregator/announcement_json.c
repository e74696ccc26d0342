/* An announcement, read strictly: what it says is used to make a request. */

#include <errno.h>

#include <jansson.h>

#include "aggregator/announcement_json.h"
#include "base/parse.h"

#define STRING_MAX 256u
#define ID_LENGTH  32u

static int get_string(char **ret, const json_t *o, const char *key, bool required, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);

        if ((v && !json_is_null(v) && !s) || (s && strlen(s) > STRING_MAX) || (required && !s))
                return err_set(e, -EBADMSG, "'%s' is not a string of at most %u bytes", key,
                               STRING_MAX);
        *ret = strdup(s ? s : "");
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static bool is_id(const char *s)
{
        return strlen(s) == ID_LENGTH && strspn(s, "0123456789abcdef") == ID_LENGTH;
}

static int get_all(struct announcement *a, const json_t *o, struct err *e)
{
        const char *role = json_string_value(json_object_get(o, "role"));
        const json_t *port = json_object_get(o, "port");
        int family, k;

        k = get_string(&a->node_id, o, "node_id", true, e);
        if (k >= 0)
                k = get_string(&a->address, o, "address", true, e);
        if (k >= 0)
                k = get_string(&a->boot_id, o, "boot_id", false, e);
        if (k >= 0)
                k = get_string(&a->hostname, o, "hostname", false, e);
        if (k >= 0)
                k = get_string(&a->version, o, "version", false, e);
        if (k < 0)
                return k;
        if (!a->node_id || !is_id(a->node_id))
                return err_set(e, -EBADMSG, "'node_id' is not 32 hex digits");
        if (parse_ip(a->address, &family) < 0)
                return err_set(e, -EBADMSG, "'address' is not an IP address");
        if (!role || diag_role_from_string(role, &a->role) < 0)
                return err_set(e, -EBADMSG, "'role' is none of master, agent, agent_public");
        if (!json_is_integer(port) || json_integer_value(port) < 1 ||
            json_integer_value(port) > UINT16_MAX)
                return err_set(e, -EBADMSG, "'port' is not a port");
        a->port = (uint16_t)json_integer_value(port);
        return 0;
}

int announcement_from_json(struct announcement **ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        _cleanup_(announcement_freep) struct announcement *a = NULL;
        int k;

        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "an announcement is a JSON object");
        a = calloc(1, sizeof(*a));
        if (!a)
                return err_set(e, -ENOMEM, "out of memory");
        k = get_all(a, o, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(a);
        return 0;
}

struct announcement *announcement_free(struct announcement *a)
{
        if (!a)
                return NULL;
        free(a->node_id);
        free(a->boot_id);
        free(a->address);
        free(a->hostname);
        free(a->version);
        free(a);
        return NULL;
}
