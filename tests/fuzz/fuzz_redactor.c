/*
 * Any bytes in any pieces: what comes out is the same however the text was cut and with whichever instructions
 * it was searched, keeps the lines, has a bound, and holds nothing more to mask.
 *
 * The first byte says how the text is cut, the second whether there is a salt, and whether rules.
 */

#include "base/redact_scan.h"
#include "tests/fuzz/fuzz.h"

#define SHORT_LINE 256u

static const uint8_t salt[REDACT_SALT_BYTES] = {1, 2, 3};

static const char rules_text[] = "[Redact]\nKey=x-*-pin\nKey=*_dsn\nKey=redac*\n"
                                 "Pattern=customer ([0-9]+)\nPattern=[a-f0-9]{6,}$\n"
                                 "Pattern=a+b\n";

static const struct redact_rules *owners_rules(void)
{
        static struct redact_rules *rules;

        if (!rules)
                MUST(redact_rules_from_text(&rules, rules_text, strlen(rules_text), "x", NULL) ==
                     0);
        return rules;
}

static size_t n_newlines(const struct buf *b)
{
        size_t count = 0;

        for (size_t i = 0; i < b->n; i++)
                count += b->data[i] == '\n';
        return count;
}

static bool same(const struct buf *a, const struct buf *b)
{
        return a->n == b->n && (!a->n || memcmp(a->data, b->data, a->n) == 0);
}

/* Made once for each setup, so that what one text leaves behind would show in the next. NULL: not on this machine. */
static struct redactor *redactor_for(const struct redactor_setup *setup)
{
        static struct {
                struct redactor *r;
                bool missing;
        } all[2][2][2][REDACT_AVX2 + 1], *made;
        int k;

        made = &all[setup->rules != NULL][setup->salt != NULL][setup->line_bytes > 0][setup->speed];
        if (!made->r && !made->missing) {
                k = redactor_new_with(&made->r, setup);
                MUST(k == 0 || setup->speed == REDACT_SSSE3 || setup->speed == REDACT_AVX2);
                made->missing = k < 0;
        }
        return made->r;
}

/* Pieces of growing and shrinking size; 0: all at once. */
static uint64_t run(struct buf *out, const struct redactor_setup *setup, const char *text, size_t n,
                    unsigned cut)
{
        struct redactor *r = redactor_for(setup);
        size_t size = cut;
        uint64_t n_masked;

        if (!r)
                return UINT64_MAX;
        for (size_t at = 0; at < n; at += size) {
                if (cut)
                        size = 1 + (size * 7 + 3) % (cut + 1);
                if (!cut || size > n - at)
                        size = n - at;
                redactor_feed(r, text + at, size, out);
        }
        n_masked = redactor_end(r, out);
        MUST(!out->error);
        return n_masked;
}

/* All ways of looking for one way of cutting lines. */
static void compare(const struct buf *want, uint64_t n_want, struct redactor_setup setup,
                    const char *text, size_t n, unsigned cut)
{
        static const enum redact_speed speeds[] = {REDACT_NONE, REDACT_PORTABLE, REDACT_SSSE3,
                                                   REDACT_AVX2};

        for (size_t i = 0; i < ELEMENTSOF(speeds); i++)
                for (unsigned k = 0; k < 2; k++) {
                        _cleanup_(buf_done) struct buf got = {0};
                        uint64_t n_masked;

                        setup.speed = speeds[i];
                        n_masked = run(&got, &setup, text, n, k * cut);
                        if (n_masked == UINT64_MAX)
                                continue;
                        MUST(same(want, &got));
                        MUST(n_masked == n_want);
                }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct redactor_setup setup = {.speed = REDACT_NONE};
        _cleanup_(buf_done) struct buf text = {0}, once = {0}, twice = {0}, pieces = {0};
        unsigned cut;
        uint64_t n_masked;

        if (size < 2)
                return 0;
        cut = 1 + data[0];
        setup.salt = data[1] & 1 ? salt : NULL;
        setup.rules = data[1] & 2 ? owners_rules() : NULL;
        buf_append(&text, data + 2, size - 2);

        n_masked = run(&once, &setup, text.data, text.n, 0);
        MUST(once.n <= text.n * REDACT_MASK_MAX);
        MUST(n_newlines(&once) == n_newlines(&text));
        MUST(n_masked > 0 || same(&once, &text));
        compare(&once, n_masked, setup, text.data, text.n, cut);

        MUST(run(&twice, &setup, once.data, once.n, 0) == 0);
        MUST(same(&once, &twice));

        setup.line_bytes = SHORT_LINE;
        n_masked = run(&pieces, &setup, text.data, text.n, 0);
        MUST(pieces.n <= text.n * REDACT_MASK_MAX);
        MUST(n_newlines(&pieces) == n_newlines(&text));
        compare(&pieces, n_masked, setup, text.data, text.n, cut);
        return 0;
}
