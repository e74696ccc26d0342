/* Decoding the one body that a node takes. Everything in it ends up in front of people. */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "api/maintenance_json.h"
#include "base/json_write.h"

static int read_for(uint64_t *ret_usec, const json_t *v, struct err *e)
{
        double usec = json_number_value(v) * (double)USEC_PER_SEC;

        if (!json_is_number(v))
                return err_set(e, -EBADMSG, "for_seconds is not a number");
        if (usec < (double)USEC_PER_SEC)
                return err_set(e, -EBADMSG, "for_seconds is less than 1");
        if (usec > (double)MAINTENANCE_BODY_MAX_USEC)
                return err_set(e, -EBADMSG, "for_seconds is more than 7 days");
        *ret_usec = (uint64_t)usec;
        return 0;
}

static bool has_control_character(const char *s, size_t n)
{
        size_t k;

        for (size_t i = 0; i < n; i += k) {
                k = utf8_harmless(s + i, n - i);
                if (k == 0)
                        return true;
        }
        return false;
}

static int read_reason(char ret[static MAINTENANCE_BODY_REASON_MAX + 1], const json_t *v,
                       struct err *e)
{
        const char *s = json_string_value(v);

        if (!s)
                return err_set(e, -EBADMSG, "reason is not a string");
        if (!*s)
                return err_set(e, -EBADMSG, "reason is empty");
        if (json_string_length(v) > MAINTENANCE_BODY_REASON_MAX)
                return err_set(e, -EBADMSG, "reason is longer than %u bytes",
                               MAINTENANCE_BODY_REASON_MAX);
        if (has_control_character(s, json_string_length(v)))
                return err_set(e, -EBADMSG, "reason has a control character");
        memcpy(ret, s, json_string_length(v) + 1);
        return 0;
}

int maintenance_body_from_json(struct maintenance_body *ret, const char *text, size_t n,
                               struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct maintenance_body body;
        json_error_t je;
        int k;

        o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                return err_set(e, -EBADMSG, "the body is not JSON: line %d: %s", je.line, je.text);
        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "the body is not an object");
        k = read_for(&body.for_usec, json_object_get(o, "for_seconds"), e);
        if (k >= 0)
                k = read_reason(body.reason, json_object_get(o, "reason"), e);
        if (k >= 0)
                *ret = body;
        return k;
}
