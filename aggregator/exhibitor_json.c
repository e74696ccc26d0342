/* Exhibitor's list of members. A handful: a tree does. */

#include <errno.h>
#include <strings.h>

#include <jansson.h>

#include "aggregator/exhibitor_json.h"

#define CODE_SERVING 3

/* Of keys that differ only in case, the first. */
static const json_t *get(json_t *o, const char *key)
{
        const char *k;
        json_t *v;

        json_object_foreach (o, k, v)
                if (strcasecmp(k, key) == 0)
                        return v;
        return NULL;
}

static void skip(struct exhibitor_list *l, const struct err *e)
{
        if (l->n_skipped++ == 0)
                l->skipped = *e;
}

static int take(struct exhibitor_list *l, struct arena *arena, json_t *o, struct err *e)
{
        const char *hostname = json_string_value(get(o, "hostname"));
        struct found f = {
                .address = hostname,
                .role = DIAG_ROLE_MASTER,
                .leader = json_is_true(get(o, "isLeader")),
                .down = json_integer_value(get(o, "code")) != CODE_SERVING,
        };
        struct err fault;

        if (!hostname)
                (void)err_set(&fault, -EBADMSG, "a member without 'hostname'");
        else if (found_check(&f, &fault) >= 0) {
                if (l->n == DIAG_MASTERS_MAX)
                        return err_set(e, -E2BIG, "its answer has more than %u members",
                                       DIAG_MASTERS_MAX);
                f.address = arena_strdup(arena, f.address);
                l->nodes[l->n++] = f;
                return arena->failed ? err_set(e, -ENOMEM, "out of memory") : 0;
        }
        skip(l, &fault);
        return 0;
}

int exhibitor_from_json(struct exhibitor_list *ret, struct arena *arena, const char *text, size_t n,
                        struct err *e)
{
        json_auto_t *list = json_loadb(text, n, 0, NULL);
        struct exhibitor_list l = {0};
        size_t i;
        json_t *o;

        if (!json_is_array(list))
                return err_set(e, -EBADMSG, "its answer is no JSON list");
        if (json_array_size(list) == 0)
                return err_set(e, -ENODATA, "its list of members is empty");
        json_array_foreach (list, i, o) {
                int k = take(&l, arena, o, e);

                if (k < 0)
                        return k;
        }
        if (l.n == 0)
                return err_set(e, -EBADMSG, "%s", l.skipped.text);
        *ret = l;
        return 0;
}
