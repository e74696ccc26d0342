/* Any bytes as a report of another node: what is read can be written, and read as the same. */

#include "model/report_json.h"
#include "tests/fuzz/fuzz.h"

static void write_full(struct buf *b, const struct diag_report *r, const struct diag_moment *m)
{
        diag_report_write_full(b, r, m, true);
        MUST(!b->error);
}

static void must_hold_together(const struct diag_report *r)
{
        MUST(r->sealed && r->n_components <= DIAG_COMPONENTS_MAX);
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                MUST(*c->name && (i == 0 || strcmp(c[-1].name, c->name) < 0));
                MUST(diag_report_find(r, c->name) == c);
                MUST(c->health < DIAG_N_HEALTH && c->code < DIAG_N_CODES);
                MUST(strlen(c->text) <= DIAG_STRING_MAX && strlen(c->output) <= DIAG_OUTPUT_MAX);
        }
}

static void must_be_read_again(const struct diag_report *r, const struct diag_moment *m)
{
        _cleanup_(diag_report_unrefp) struct diag_report *again = NULL;
        _cleanup_(buf_done) struct buf one = {0}, two = {0};
        struct diag_moment then;

        write_full(&one, r, m);
        if (one.n > DIAG_REPORT_JSON_MAX)
                return;
        MUST(diag_report_from_json(&again, &then, one.data, one.n, NULL) == 0);
        write_full(&two, again, &then);
        MUST(one.n == two.n && memcmp(one.data, two.data, one.n) == 0);
}

static void must_have_a_short_form(const struct diag_report *r)
{
        _cleanup_(diag_report_unrefp) struct diag_report *again = NULL;
        _cleanup_(blob_unrefp) struct blob *one = diag_report_render_health(r), *two = NULL;

        MUST(one && blob_size(one) <= DIAG_HEALTH_FORM_BYTES_MAX);
        MUST(diag_report_from_json(&again, NULL, blob_data(one), blob_size(one), NULL) == 0);
        two = diag_report_render_health(again);
        MUST(two && streq(blob_data(one), blob_data(two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        struct diag_moment m;
        struct err e = {0};

        if (diag_report_from_json(&r, &m, (const char *)data, size, &e) < 0) {
                MUST(!r && e.code < 0 && e.text[0]);
                return 0;
        }
        MUST(r);
        must_hold_together(r);
        must_be_read_again(r, &m);
        must_have_a_short_form(r);
        return 0;
}
