/* Any bytes as what a node's components print: only what it may speak of, and no more than that. */

#include <errno.h>

#include "model/outputs_json.h"
#include "tests/fuzz/fuzz.h"

static const struct diag_component parts[] = {
        {.name = "a",              .health = DIAG_HEALTHY, .code = DIAG_CODE_OK        },
        { .name = "b",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_PROBE_FAILED,
         .text = "bad",
         .output = "x"},
        {                                                                    .name = "c",              .health = DIAG_UNKNOWN, .code = DIAG_CODE_INCOMPLETE, .text = "why?"},
};

static struct diag_report *make_report(char *const *outputs)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system system = {0};
        struct diag_report *r = NULL;

        MUST(diag_report_new(&r, &node, &system, "") == 0);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                struct diag_component c = parts[i];

                c.output = outputs && outputs[i] ? outputs[i] : c.output;
                MUST(diag_report_add(r, &c) == 0);
        }
        MUST(diag_report_seal(r, NULL, 1, NULL, NULL) == 0);
        r->instance = 7;
        return r;
}

static void free_outputs(char **outputs)
{
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                free(outputs[i]);
        free(outputs);
}

/* As the output of a component it can be sent on. */
static void must_travel(char *const *outputs)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report(outputs);
        _cleanup_(blob_unrefp) struct blob *b = diag_outputs_render(r, true);
        char **again = NULL;

        MUST(b);
        MUST(diag_outputs_from_json(&again, r, blob_data(b), blob_size(b), NULL) == 0);
        MUST(!again[0] && again[1] && again[2]);
        free_outputs(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report(NULL);
        _cleanup_(freep) char *copy = malloc(size ? size : 1);
        struct err e = {0};
        char **outputs = NULL;
        int k;

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        k = diag_outputs_from_json(&outputs, r, copy, size, &e);
        if (k < 0) {
                MUST(k == -EBADMSG || k == -E2BIG || k == -ESTALE);
                MUST(!outputs && e.code == k && e.text[0]);
                return 0;
        }
        MUST(!outputs[0]);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                MUST(!outputs[i] || strlen(outputs[i]) <= DIAG_OUTPUT_MAX);
        must_travel(outputs);
        free_outputs(outputs);
        return 0;
}
