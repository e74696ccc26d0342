/* Any bytes as what a master answers: whatever is read can be shown, and nothing of it is obeyed. */

#include <locale.h>

#include "base/mono.h"
#include "cli/cluster_view.h"
#include "cli/node_view.h"
#include "cli/unit_view.h"
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

static void show_cluster(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(cluster_done) struct cluster c = {0};
        struct err e = {0};

        if (cluster_from_json(&c, text, n, &e) < 0) {
                MUST(!c.summary && e.code < 0 && e.text[0]);
                return;
        }
        cluster_view_all(out, &c, t, NOW_WALL_USEC);
        cluster_view_line(out, &c);
}

static void show_nodes(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(cluster_nodes_done) struct cluster_nodes l = {0};

        for (size_t i = 0; i < 2; i++) { /* pages add up */
                if (cluster_nodes_add(&l, text, n, NULL) < 0)
                        return;
                MUST(l.next);
        }
        MUST(l.n % 2 == 0);
        node_view_table(out, l.rows, l.n, t, NOW_WALL_USEC);
}

static void show_node(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(cluster_one_node_done) struct cluster_one_node node = {0};

        if (cluster_one_node_from_json(&node, text, n, NULL) == 0)
                node_view_one(out, &node, t, NOW_WALL_USEC);
}

static void show_units(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(cluster_units_done) struct cluster_units l = {0};

        if (cluster_units_add(&l, text, n, NULL) == 0)
                unit_view_table(out, &l, t);
}

static void show_unit(struct buf *out, const char *text, size_t n, const struct term *t)
{
        _cleanup_(cluster_one_unit_done) struct cluster_one_unit u = {0};

        if (cluster_one_unit_add(&u, text, n, NULL) < 0)
                return;
        unit_view_head(out, &u.unit, t);
        unit_view_nodes(out, &u, u.n, t, NOW_WALL_USEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const show[])(struct buf * out, const char *text, size_t n,
                                    const struct term *t) = {
                show_cluster, show_nodes, show_node, show_units, show_unit,
        };

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        for (size_t i = 0; i < 2 * ELEMENTSOF(show); i++) {
                _cleanup_(buf_done) struct buf out = {0};

                show[i / 2](&out, (const char *)data, size, i % 2 ? &narrow : &wide);
                must_be_harmless(&out);
        }
        return 0;
}
