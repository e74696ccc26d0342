/* Any body of PUT …/maintenance: what is accepted is within its limits, and fit for a terminal. */

#include "api/maintenance_json.h"
#include "base/json_write.h"
#include "tests/fuzz/fuzz.h"

/* Written anew it says the same. */
static void must_be_read_again(const struct maintenance_body *body)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};
        struct maintenance_body again;

        jw_begin_object(&w);
        jw_member_string(&w, "reason", body->reason);
        jw_member_uint(&w, "for_seconds", body->for_usec / USEC_PER_SEC + 1);
        jw_end_object(&w);
        MUST(!b.error);
        if (body->for_usec + USEC_PER_SEC > MAINTENANCE_BODY_MAX_USEC)
                return;
        MUST(maintenance_body_from_json(&again, b.data, b.n, NULL) == 0);
        MUST(streq(again.reason, body->reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct maintenance_body body;
        struct err e = {0};

        if (maintenance_body_from_json(&body, (const char *)data, size, &e) < 0) {
                MUST(e.code < 0 && e.text[0]);
                return 0;
        }
        MUST(body.for_usec > 0 && body.for_usec <= MAINTENANCE_BODY_MAX_USEC);
        MUST(body.reason[0] && strlen(body.reason) <= MAINTENANCE_BODY_REASON_MAX);
        for (const char *s = body.reason; *s; s++)
                MUST((unsigned char)*s >= 0x20 && *s != 0x7f);
        must_be_read_again(&body);
        return 0;
}
