/* Any bytes as what the older service says: what is read is whole, and read again as the same. */

#include "model/report_v1.h"
#include "tests/fuzz/fuzz.h"

#define NOW UINT64_C(1800000000000000)

static void must_hold_together(const struct diag_report *r)
{
        MUST(r->sealed && !r->truncated && !r->instance && r->seq);
        MUST(r->n_components <= DIAG_COMPONENTS_MAX);
        MUST(streq(r->node.node_id, "addr:10.0.0.1"));
        MUST(r->n_components || r->health == DIAG_UNKNOWN);
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                MUST(*c->name && (i == 0 || strcmp(c[-1].name, c->name) < 0));
                MUST(strlen(c->name) <= DIAG_V1_UNIT_NAME_MAX);
                MUST(strlen(c->text) <= DIAG_STRING_MAX && strlen(c->output) <= DIAG_OUTPUT_MAX);
                MUST(!strchr(c->text, '\n'));
                MUST(c->health != DIAG_HEALTHY || (!*c->text && !*c->output));
                MUST(diag_health_worse(r->health, c->health) == r->health);
        }
}

/* Our words for it are more, so that only health, names and order must be the same. */
static void must_be_read_again(const struct diag_report *r)
{
        _cleanup_(diag_report_unrefp) struct diag_report *again = NULL;
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_v1(r);

        MUST(b);
        if (!r->n_components)
                return;
        MUST(diag_report_from_v1(&again, blob_data(b), blob_size(b), "10.0.0.1", r, NOW + 1,
                                 NULL) == 0);
        must_hold_together(again);
        MUST(again->n_components == r->n_components && again->health == r->health);
        for (size_t i = 0; i < r->n_components; i++) {
                MUST(streq(again->components[i].name, r->components[i].name));
                MUST(again->components[i].health == r->components[i].health);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* A copy of its own, without a NUL behind: a byte read too many is a fault. */
        _cleanup_(freep) char *copy = malloc(size ? size : 1);
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL, *next = NULL;
        struct err e = {0};

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        if (diag_report_from_v1(&r, copy, size, "10.0.0.1", NULL, NOW, &e) < 0) {
                MUST(!r && e.code < 0 && e.text[0]);
                return 0;
        }
        must_hold_together(r);
        MUST(diag_report_from_v1(&next, copy, size, "10.0.0.1", r, NOW + 1, NULL) == 0);
        MUST(next->seq == r->seq && next->since_wall_usec == r->since_wall_usec);
        must_be_read_again(r);
        return 0;
}
