/* The plan as others may know it, read. */

#include <errno.h>

#include <jansson.h>

#include "bundles/plan_list.h"

static int take_text(char **ret, const json_t *o, const char *key, bool needed, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);

        if (!needed && (!v || json_is_null(v)))
                return 0;
        if (!s || !*s || strlen(s) >= SOURCE_ID_MAX)
                return err_set(e, -EINVAL, "%s is no text of 1 to %u bytes", key,
                               SOURCE_ID_MAX - 1);
        *ret = strdup(s);
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int read_source(struct plan_list_source *s, const json_t *o, struct err *e)
{
        const char *kind = json_string_value(json_object_get(o, "kind"));
        const json_t *optional = json_object_get(o, "optional"), *port = json_object_get(o, "port");
        json_int_t number = json_integer_value(port);
        int k;

        if (!kind || source_kind_from_string(&s->kind, kind) < 0)
                return err_set(e, -EINVAL, "kind is none that there is");
        if (!json_is_boolean(optional))
                return err_set(e, -EINVAL, "optional is neither true nor false");
        if (port && (!json_is_integer(port) || number < 1 || number > UINT16_MAX))
                return err_set(e, -EINVAL, "port is no port");
        s->optional = json_is_true(optional);
        s->port = (uint16_t)number;
        k = take_text(&s->id, o, "id", true, e);
        if (k == 0)
                k = take_text(&s->name, o, "name", false, e);
        return k < 0 ? k : take_text(&s->path, o, "path", s->kind == SOURCE_HTTP, e);
}

static int read_sources(struct plan_list *l, const json_t *list, struct err *e)
{
        size_t n = json_array_size(list);

        if (!json_is_array(list))
                return err_set(e, -EINVAL, "there is no list of sources");
        if (n > PLAN_LIST_SOURCES_MAX)
                return err_set(e, -E2BIG, "there are more than %u sources", PLAN_LIST_SOURCES_MAX);
        l->sources = calloc(n ? n : 1, sizeof(*l->sources));
        if (!l->sources)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < n; i++) {
                int k = read_source(&l->sources[l->n++], json_array_get(list, i), e);

                if (k < 0) {
                        (void)err_prefix(e, "sources[%zu].", i);
                        return k;
                }
        }
        return 0;
}

int plan_list_read(struct plan_list *ret, const char *json, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct plan_list l = {0};
        int k;

        if (n > PLAN_LIST_BYTES_MAX)
                return err_set(e, -E2BIG, "the list of sources is too long");
        o = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
        k = read_sources(&l, json_object_get(o, "sources"), e);
        if (k < 0) {
                plan_list_done(&l);
                return k;
        }
        *ret = l;
        return 0;
}
