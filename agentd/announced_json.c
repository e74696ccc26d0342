/* The answer of a master: whatever of it makes no sense is as if it had not been said. */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "agentd/announced_json.h"
#include "base/err.h"

static void take_masters(struct announced *a, const json_t *list, uint16_t port)
{
        const json_t *v;
        size_t i;

        json_array_foreach (list, i, v)
                if (a->n_masters < ANNOUNCED_MASTERS_MAX && json_is_string(v) &&
                    master_address_parse(&a->masters[a->n_masters], json_string_value(v), port) >=
                            0)
                        a->n_masters++;
}

static unsigned take_interval(const json_t *v)
{
        json_int_t seconds = json_integer_value(v);

        if (!json_is_integer(v) || seconds < 1)
                return 0;
        return seconds < ANNOUNCED_INTERVAL_MIN   ? ANNOUNCED_INTERVAL_MIN
               : seconds > ANNOUNCED_INTERVAL_MAX ? ANNOUNCED_INTERVAL_MAX
                                                  : (unsigned)seconds;
}

int announced_from_json(struct announced *ret, const char *text, size_t n, uint16_t port)
{
        json_auto_t *o = json_loadb(text, n, 0, NULL);
        struct err reason = {0};

        *ret = (struct announced){0};
        if (!json_is_object(o))
                return -EBADMSG;
        ret->accepted = json_is_true(json_object_get(o, "accepted"));
        ret->interval_seconds = take_interval(json_object_get(o, "interval_seconds"));
        take_masters(ret, json_object_get(o, "masters"), port);
        if (json_is_string(json_object_get(o, "error"))) /* for a log: without control characters */
                (void)err_set(&reason, -EPROTO, "%s",
                              json_string_value(json_object_get(o, "error")));
        (void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)sizeof(ret->reason) - 1,
                       reason.text);
        return 0;
}
