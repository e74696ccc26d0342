/* Any gather.json: what is accepted says the same when it is written and read again. And any answer of a node. */

#include "bundles/gather.h"
#include "bundles/gather_answers.h"
#include "tests/fuzz/fuzz.h"

static void must_be_one_line(const char *words)
{
        MUST(strlen(words) < GATHER_WORDS_MAX);
        for (const char *s = words; *s; s++)
                MUST((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void read_answers(const char *data, size_t n)
{
        char words[GATHER_WORDS_MAX];
        enum gather_v1_state state;

        gather_read_error(words, data, n);
        must_be_one_line(words);
        (void)gather_read_v1(&state, words, data, n);
        must_be_one_line(words);
        MUST(state == GATHER_V1_FAILED || !*words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(buf_done) struct buf first = {0}, second = {0};
        struct gather_order o, again;
        struct err e = {0};

        read_answers((const char *)data, size);
        if (gather_order_read(&o, (const char *)data, size, &e) < 0) {
                MUST(e.code < 0 && e.text[0]);
                return 0;
        }
        MUST(o.n_nodes <= BUNDLE_NODES_MAX && o.at_once <= GATHER_AT_ONCE_MAX);
        gather_order_write(&first, &o);
        MUST(!first.error);
        /* What is no UTF-8 jansson has refused, so nothing is replaced on its way. */
        MUST(gather_order_read(&again, first.data, first.n, &e) == 0);
        gather_order_write(&second, &again);
        MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        gather_order_done(&o);
        gather_order_done(&again);
        return 0;
}
