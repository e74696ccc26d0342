/* Any bytes as what a daemon answers: what is read is whole, and says the same when it is written anew. */

#include "base/json_write.h"
#include "base/mono.h"
#include "cli/answer_json.h"
#include "model/report_json.h"
#include "tests/fuzz/fuzz.h"

static void must_be_read_again(const struct answer *a)
{
        _cleanup_(answer_done) struct answer again = {0};
        _cleanup_(buf_done) struct buf one = {0}, two = {0};
        struct json_writer w = {.out = &one}, v = {.out = &two};

        jw_begin_object(&w);
        jw_member_string(&w, "error", a->error);
        jw_key(&w, "maintenance");
        diag_maintenance_write(&w, a->maintenance);
        jw_end_object(&w);
        MUST(!one.error);
        /* A time of 1970-01-01T00:00:00.000Z is written as null, and longer escapes may not fit. */
        if (one.n > ANSWER_JSON_MAX ||
            (a->maintenance && (a->maintenance->since_wall_usec < USEC_PER_MSEC ||
                                a->maintenance->until_wall_usec < USEC_PER_MSEC)))
                return;
        MUST(answer_from_json(&again, one.data, one.n, NULL) == 0);
        MUST(again.tells_maintenance && streq(again.error, a->error));
        diag_maintenance_write(&v, again.maintenance);
        MUST(!two.error && strstr(buf_cstr(&one), buf_cstr(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(answer_done) struct answer a = {0};
        struct err e = {0};

        if (answer_from_json(&a, (const char *)data, size, &e) < 0) {
                MUST(!a.error && e.code < 0 && e.text[0]);
                return 0;
        }
        MUST(a.error && (a.tells_maintenance || !a.maintenance));
        must_be_read_again(&a);
        return 0;
}
