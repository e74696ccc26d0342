/* Decoding what clients of the old bundle APIs send. */

#include <errno.h>
#include <strings.h>

#include <jansson.h>

#include "api/v1_bundle_json.h"
#include "bundles/bundle.h"

/* As Go's decoder takes it: any case; the last of several counts. */
static const json_t *member(json_t *o, const char *wanted)
{
        const json_t *found = NULL;
        const char *key;
        json_t *v;

        json_object_foreach (o, key, v)
                if (strcasecmp(key, wanted) == 0)
                        found = v;
        return json_is_null(found) ? NULL : found;
}

/* NULL with 0: the body is null. */
static int load(json_t **ret, const char *json, size_t n, struct err *e)
{
        json_error_t je;
        json_t *o = json_loadb(json, n, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &je);

        *ret = o;
        if (!o)
                return err_set(e, -EINVAL, "line %d: %s", je.line, je.text);
        if (!json_is_object(o) && !json_is_null(o))
                return err_set(e, -EINVAL, "the body is not an object");
        return 0;
}

static int read_bool(bool *ret, json_t *o, const char *key, struct err *e)
{
        const json_t *v = member(o, key);

        if (v && !json_is_boolean(v))
                return err_set(e, -EINVAL, "%s is not true or false", key);
        *ret = !v || json_is_true(v);
        return 0;
}

int v1_bundle_body_read(bool *ret_masters, bool *ret_agents, const char *json, size_t n,
                        struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        bool masters = true, agents = true;
        int k;

        k = n > 0 ? load(&o, json, n, e) : 0;
        if (k >= 0)
                k = read_bool(&masters, o, "masters", e);
        if (k >= 0)
                k = read_bool(&agents, o, "agents", e);
        if (k < 0)
                return k;
        *ret_masters = masters;
        *ret_agents = agents;
        return 0;
}

static int take(struct string_list *ret, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);

        if (!s)
                return err_set(e, -EINVAL, "nodes is not a list of strings");
        if (!*s)
                return 0;
        if (json_string_length(v) > BUNDLE_WORD_MAX)
                return err_set(e, -EINVAL, "nodes has a name of more than %u bytes",
                               BUNDLE_WORD_MAX);
        return string_list_push(ret, s);
}

int v1_legacy_body_read(struct string_list *ret, const char *json, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        const json_t *list, *v;
        size_t i;
        int k;

        if (n == 0)
                return err_set(e, -EINVAL, "EOF");
        k = load(&o, json, n, e);
        if (k < 0)
                return k;
        list = member(o, "nodes");
        if (list && !json_is_array(list))
                return err_set(e, -EINVAL, "nodes is not a list of strings");
        if (json_array_size(list) > BUNDLE_WORDS_MAX)
                return err_set(e, -E2BIG, "more than %u nodes", BUNDLE_WORDS_MAX);
        json_array_foreach (list, i, v) {
                k = take(ret, v, e);
                if (k < 0)
                        return k;
        }
        return 0;
}
