/* Any bytes as what a master says of bundles: what is read can be shown and can name a file, and nothing of it is obeyed. */

#include <locale.h>

#include "base/mono.h"
#include "cli/bundle_view.h"
#include "cli/download.h"
#include "tests/fuzz/fuzz.h"

#define NOW_WALL_USEC (UINT64_C(1795262400) * USEC_PER_SEC)

static const struct term wide, narrow = {.n_columns = 40};

static void must_be_harmless(const struct buf *out)
{
        MUST(!out->error);
        for (size_t i = 0; i < out->n; i++) {
                unsigned char c = (unsigned char)out->data[i];

                MUST((c >= 0x20 && c != 0x7f) || c == '\n');
                MUST(c != 0xc2 || (unsigned char)out->data[i + 1] >= 0xa0);
        }
}

static void must_name_file_here(const struct bundle_info *b)
{
        _cleanup_(buf_done) struct buf path = {0};

        download_path(&path, NULL, b);
        MUST(!path.error && path.n > 2 && path.n < 255 && *path.data != '.');
        MUST(!strchr(path.data, '/') && !strchr(path.data, '\n'));
}

static void show_bundle(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(bundle_answer_done) struct bundle_answer a = {0};
        struct err e = {0};

        if (bundle_answer_from_json(&a, text, n, &e) < 0) {
                MUST(!a.bundle.id && e.code < 0 && e.text[0]);
                return;
        }
        must_name_file_here(&a.bundle);
        bundle_view_one(out, &a.bundle, t, NOW_WALL_USEC);
        bundle_view_outcome(out, &a.bundle, "f", t);
        bundle_view_outcome(out, &a.bundle, NULL, t);
        bundle_view_progress(out, &a.bundle);
        for (size_t i = 0; i < a.bundle.n_parts; i++)
                bundle_view_part(out, &a.bundle.parts[i], t);
}

static void show_list(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(bundle_list_done) struct bundle_list l = {0};

        if (bundle_list_from_json(&l, text, n, NULL) == 0)
                bundle_view_list(out, &l, t, NOW_WALL_USEC);
}

static void show_estimate(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(bundle_estimate_done) struct bundle_estimate s = {0};

        if (bundle_estimate_from_json(&s, text, n, NULL) == 0)
                bundle_view_estimate(out, &s, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const show[])(struct buf * out, const char *text, size_t n,
                                    const struct term *t) = {
                show_bundle,
                show_list,
                show_estimate,
        };

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        for (size_t i = 0; i < 2 * ELEMENTSOF(show); i++) {
                _cleanup_(buf_done) struct buf out = {0};

                show[i / 2](&out, (const char *)data, size, i % 2 ? &narrow : &wide);
                must_be_harmless(&out);
        }
        return 0;
}
