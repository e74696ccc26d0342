/* Two small documents: {"maintenance":…}, and the error of API v2. */

#include <errno.h>

#include <jansson.h>

#include "base/mono.h"
#include "cli/answer_json.h"

void answer_done(struct answer *a)
{
        arena_done(&a->arena);
        *a = (struct answer){0};
}

/* A member that is missing or null is "". */
static int read_string(const char **ret, struct arena *a, const json_t *o, const char *key,
                       struct err *e)
{
        const json_t *v = json_object_get(o, key);

        if (v && !json_is_null(v) && !json_is_string(v))
                return err_set(e, -EBADMSG, "%s is not a string", key);
        *ret = arena_strdup(a, json_string_value(v));
        return 0;
}

static int read_time(uint64_t *ret_wall_usec, const json_t *o, const char *key, struct err *e)
{
        const char *s = json_string_value(json_object_get(o, key));

        if (!s || rfc3339_parse(ret_wall_usec, s) < 0)
                return err_set(e, -EBADMSG, "%s is not a time", key);
        return 0;
}

static int read_maintenance(struct answer *a, const json_t *v, struct err *e)
{
        struct diag_maintenance *m;
        int k;

        a->tells_maintenance = v != NULL;
        if (!v || json_is_null(v))
                return 0;
        if (!json_is_object(v))
                return err_set(e, -EBADMSG, "maintenance is not an object");
        m = arena_alloc(&a->arena, sizeof(*m));
        if (!m)
                return err_set(e, -ENOMEM, "out of memory");
        a->maintenance = m;
        k = read_time(&m->since_wall_usec, v, "since", e);
        if (k >= 0)
                k = read_time(&m->until_wall_usec, v, "until", e);
        if (k >= 0)
                k = read_string(&m->by, &a->arena, v, "by", e);
        if (k >= 0)
                k = read_string(&m->reason, &a->arena, v, "reason", e);
        return k;
}

static int read_answer(struct answer *a, const json_t *o, struct err *e)
{
        int k = read_string(&a->error, &a->arena, o, "error", e);

        if (k >= 0)
                k = read_maintenance(a, json_object_get(o, "maintenance"), e);
        if (k >= 0 && a->arena.failed)
                k = err_set(e, -ENOMEM, "out of memory");
        return k;
}

int answer_from_json(struct answer *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(answer_done) struct answer a = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        json_error_t je;
        int k;

        if (n > ANSWER_JSON_MAX)
                return err_set(e, -E2BIG, "%zu bytes are more than %u", n, ANSWER_JSON_MAX);
        o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                return err_set(e, -EBADMSG, "line %d: %s", je.line, je.text);
        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "the document is not an object");
        k = read_answer(&a, o, e);
        if (k < 0)
                return k;
        *ret = a;
        a = (struct answer){0};
        return 0;
}
