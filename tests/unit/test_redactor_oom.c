/* When memory runs out it says so, and not a byte of a secret stands where others would read it. */

#include "base/digest.h"
#include "base/redact_scan.h"
#include "tests/fakes/oom.h"

static const char rules_text[] =
        "[Redact]\nKey=x-pin\nPattern=customer ([0-9]+)\nPattern=[a-f]{6}\n";

static int feed(struct redactor *r, struct buf *out)
{
        static const char text[] =
                "x-pin: hunter2\npassword=hunter2\nfor customer 0451 deadbeef\nno secret at all\n";

        for (size_t at = 0; at < strlen(text); at += 10)
                redactor_feed(r, text + at, strlen(text) - at < 10 ? strlen(text) - at : 10, out);
        for (unsigned i = 0; i < 2000; i++)
                redactor_feed(r, "a long line ", 12, out);
        redactor_feed(r, "password=hunter2", 16, out);
        (void)redactor_end(r, out);
        return out->error;
}

static int run_redactor(void)
{
        static const uint8_t salt[REDACT_SALT_BYTES] = {1};
        _cleanup_(redact_rules_freep) struct redact_rules *rules = NULL;
        _cleanup_(redactor_freep) struct redactor *r = NULL;
        _cleanup_(buf_done) struct buf out = {0};
        struct redactor_setup setup = {.salt = salt, .line_bytes = 4096};
        int k = redact_rules_from_text(&rules, rules_text, strlen(rules_text), "x", NULL);

        setup.rules = rules;
        if (k == 0)
                k = redactor_new_with(&r, &setup);
        if (k == 0)
                k = feed(r, &out);
        ensure(!out.data || !memmem(out.data, out.n, "hunter2", 7));
        ensure(!out.data || !memmem(out.data, out.n, "0451", 4));
        ensure(k < 0 || strstr(buf_cstr(&out), "no secret at all\na long line "));
        ensure(k == 0 || streq(buf_cstr(&out), ""));
        return k;
}

static int run_digest(void)
{
        _cleanup_(digest_freep) struct digest *d = NULL;
        uint8_t sum[DIGEST_BYTES];
        int k = digest_new(&d);

        if (k == 0) {
                ensure(digest_keyed(d, sum, "k", 1, "v", 1) == 0);
                /* A second one, so that there are allocations enough to speak of. */
                struct digest *other = NULL;
                k = digest_new(&other);
                digest_free(other);
        }
        return k;
}

static const struct oom_scenario scenarios[] = {
        {"redaction", run_redactor},
        {"digests",   run_digest  },
};

START_TEST(says_that_memory_is_out)
{
        oom_run(&scenarios[_i]);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("redactor_oom");
        TCase *tc = tcase_create("redactor_oom");

        tcase_add_loop_test(tc, says_that_memory_is_out, 0, ELEMENTSOF(scenarios));
        suite_add_tcase(s, tc);
        return test_main(s);
}
