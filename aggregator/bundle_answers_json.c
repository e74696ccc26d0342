/* Decoded field by field; what makes no sense is as if it had not been said. */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "aggregator/bundle_answers.h"
#include "base/err.h"

#define BYTES_MAX (UINT64_C(1) << 50) /* of a node: more is no estimate */

static bool is_reason(const char *s)
{
        return *s && strlen(s) < sizeof(((struct bundle_refusal *)NULL)->reason) &&
               !s[strspn(s, "abcdefghijklmnopqrstuvwxyz-")];
}

void bundle_refusal_read(struct bundle_refusal *ret, const char *json, size_t n)
{
        json_t *o = json_loadb(json, n, 0, NULL);
        const char *reason = json_string_value(json_object_get(o, "reason"));
        const char *text = json_string_value(json_object_get(o, "error"));
        struct err words = {0};

        *ret = (struct bundle_refusal){0};
        if (reason && is_reason(reason))
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
        if (text)
                (void)err_set(&words, -EREMOTEIO, "%s", text);
        (void)snprintf(ret->text, sizeof(ret->text), "%.*s", (int)sizeof(ret->text) - 1,
                       words.text);
        json_decref(o);
}

static bool take(const json_t *v, uint64_t *ret)
{
        json_int_t n = json_integer_value(v);

        if (!json_is_integer(v) || n < 0 || (uint64_t)n > BYTES_MAX)
                return false;
        *ret = (uint64_t)n;
        return true;
}

int bundle_estimate_read(uint64_t *ret_likely, uint64_t *ret_max, const char *json, size_t n)
{
        json_t *o = json_loadb(json, n, 0, NULL);
        uint64_t likely, max;
        bool good = take(json_object_get(o, "likely_bytes"), &likely) &&
                    take(json_object_get(o, "max_bytes"), &max) && likely <= max;

        json_decref(o);
        if (!good)
                return -EBADMSG;
        *ret_likely = likely;
        *ret_max = max;
        return 0;
}
