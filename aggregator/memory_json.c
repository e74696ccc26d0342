/* nodes.json, read: nobody but us writes it, but who knows. */

#include <errno.h>

#include <jansson.h>

#include "aggregator/memory.h"

static int take_one(const json_t *o, void (*fn)(const struct found *f, void *userdata),
                    void *userdata, struct err *e)
{
        struct found f = {
                .address = json_string_value(json_object_get(o, "address")),
                .node_id = json_string_value(json_object_get(o, "node_id")),
                .hostname = json_string_value(json_object_get(o, "hostname")),
        };
        json_int_t port = json_integer_value(json_object_get(o, "port"));
        const char *role = json_string_value(json_object_get(o, "role"));

        if (!role || diag_role_from_string(role, &f.role) < 0)
                return err_set(e, -EBADMSG, "a node has no role");
        if (port < 0 || port > UINT16_MAX)
                return err_set(e, -EBADMSG, "a node has no port");
        f.port = (uint16_t)port;
        if (found_check(&f, e) < 0)
                return -EBADMSG;
        fn(&f, userdata);
        return 0;
}

int memory_from_json(const char *text, size_t n, void (*fn)(const struct found *f, void *userdata),
                     void *userdata, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        const json_t *list = json_object_get(o, "nodes"), *v;
        size_t i;
        int k = 0;

        if (!json_is_array(list))
                return err_set(e, -EBADMSG, "there is no list of nodes");
        if (json_array_size(list) > DIAG_MEMBERS_MAX)
                return err_set(e, -E2BIG, "more than %u nodes", DIAG_MEMBERS_MAX);
        json_array_foreach (list, i, v)
                if (take_one(v, fn, userdata, e) < 0)
                        k = -EBADMSG; /* the others are as good as they were */
        return k;
}
