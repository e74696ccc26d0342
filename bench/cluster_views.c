/*
 * What it costs to spell a cluster, without a network: how often a second each view is made, its size, and
 * what is done for each request once it was made. Of as many members as are named, with 30 units each:
 *
 *     cluster_views [MEMBERS …]          else 1000 and 10000
 *
 * "made" is the first request after a change; "asked" is every other one.
 */

#include <inttypes.h>
#include <stdio.h>

#include "api/cluster_metrics.h"
#include "api/listing.h"
#include "base/mono.h"
#include "model/snapshot_json.h"
#include "model/snapshot_v1.h"

#define N_UNITS      30
#define MEASURE_USEC (USEC_PER_SEC / 2)
#define WALL         (UINT64_C(1795219447) * USEC_PER_SEC)

static void must(bool ok)
{
        if (!ok) {
                (void)fprintf(stderr, "out of memory\n");
                exit(1);
        }
}

/* --- a cluster --------------------------------------------------------------------------------- */

/* Each has its own; one of a hundred has a unit that has failed. */
static struct diag_report *report_of(size_t i, const char *address)
{
        const struct diag_node node = {.node_id = address, .role = DIAG_ROLE_AGENT};
        static const struct diag_system nothing = {0};
        struct diag_report *r;

        must(diag_report_new(&r, &node, &nothing, "dcos.target") == 0);
        for (unsigned k = 0; k < N_UNITS; k++) {
                bool bad = i % 100 == 7 && k == 3;
                char name[64], title[64];
                struct diag_component c = {
                        .name = name,
                        .title = title,
                        .description = "a component with a description of the usual length",
                        .health = bad ? DIAG_UNHEALTHY : DIAG_HEALTHY,
                        .code = bad ? DIAG_CODE_EXIT_CODE : DIAG_CODE_OK,
                        .text = bad ? "exited with status 3" : "",
                        .since_wall_usec = WALL,
                };

                (void)snprintf(name, sizeof(name), "dcos-component-%02u.service", k);
                (void)snprintf(title, sizeof(title), "Component %02u", k);
                must(diag_report_add(r, &c) == 0);
        }
        must(diag_report_seal(r, NULL, WALL, NULL, NULL) == 0);
        return r;
}

static struct diag_member *member_of(size_t i)
{
        struct diag_member *ret, m = {.hostname = "host", .boot_id = "", .version = "0.1.0"};
        char address[32], mesos_id[64];

        (void)snprintf(address, sizeof(address), "10.%03zu.%03zu.%03zu", i / 10000, i / 100 % 100,
                       i % 100);
        (void)snprintf(mesos_id, sizeof(mesos_id), "d3a1b1c5-7c4a-4a6e-8b1d-000000000000-S%zu", i);
        m.address = m.addresses[0] = m.node_id = address;
        m.n_addresses = 1;
        m.mesos_id = mesos_id;
        m.port = 1050;
        m.role = i < 3 ? DIAG_ROLE_MASTER : DIAG_ROLE_AGENT;
        m.sources = DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC);
        m.reach = DIAG_REACH_OK;
        m.protocol = DIAG_PROTOCOL_V2;
        m.text = "";
        m.report = report_of(i, address);
        m.health = m.report->health;
        must(diag_member_new(&ret, &m) == 0);
        diag_report_unref(m.report);
        return ret;
}

static struct diag_snapshot *snapshot_of(struct diag_member **members, size_t n)
{
        const struct diag_rule rule = {
                .n_expected = 3, .expected_from = "bench", .asked_all = true};
        struct diag_snapshot *s;

        must(diag_snapshot_new(&s, n) == 0);
        s->round_wall_usec = s->made_wall_usec = WALL;
        s->observer = "10.0.0.1";
        for (size_t i = 0; i < n; i++)
                diag_snapshot_add(s, members[i]);
        must(diag_snapshot_seal(s, NULL, &rule) == 0);
        return s;
}

/* --- views ------------------------------------------------------------------------------------- */

struct bench {
        struct diag_member **members;
        size_t n;
        struct diag_snapshot *snapshot; /* of those that are made once for each */
        uint64_t n_bytes;               /* of the last view */
};

static struct diag_look look_of(const struct bench *b)
{
        return (struct diag_look){
                .snapshot = b->snapshot, .now_boot_usec = now_boot_usec(), .outputs = true};
}

static void make_snapshot(struct bench *b)
{
        struct diag_snapshot *s = snapshot_of(b->members, b->n);

        b->n_bytes = b->n * sizeof(void *);
        diag_snapshot_unref(s);
}

static void make_index(struct bench *b)
{
        struct diag_snapshot *s = snapshot_of(b->members, b->n);

        must(diag_snapshot_units(s));
        b->n_bytes = diag_snapshot_units(s)->arena.n_bytes;
        diag_snapshot_unref(s);
}

static void count_blob(struct bench *b, struct blob *taken)
{
        must(taken);
        b->n_bytes = blob_size(taken);
        blob_unref(taken);
}

static void make_v1_nodes(struct bench *b)
{
        count_blob(b, diag_snapshot_render_v1_nodes(b->snapshot));
}

static void make_v1_units(struct bench *b)
{
        count_blob(b, diag_snapshot_render_v1_units(b->snapshot));
}

static void ask_v1_nodes(struct bench *b)
{
        count_blob(b, diag_snapshot_rendered(b->snapshot, DIAG_SNAPSHOT_MEMO_V1_NODES,
                                             diag_snapshot_render_v1_nodes));
}

static void make_report(struct bench *b)
{
        struct diag_snapshot *s = snapshot_of(b->members, b->n);
        struct diag_look look = look_of(b);
        struct rope *r;

        look.snapshot = s;
        r = diag_v1_report(&look);
        must(r);
        b->n_bytes = rope_own_bytes(r);
        rope_unref(r);
        diag_snapshot_unref(s);
}

static void read_report(struct bench *b)
{
        static char block[65536];
        struct diag_look look = look_of(b);
        struct rope *r = diag_v1_report(&look);
        struct rope_cursor c = {0};

        must(r);
        b->n_bytes = rope_size(r);
        while (rope_read(r, &c, block, sizeof(block)) > 0)
                ;
        rope_unref(r);
}

static void write_cluster(struct bench *b)
{
        struct diag_look look = look_of(b);
        _cleanup_(buf_done) struct buf out = {0};

        diag_cluster_write(&out, &look, false);
        b->n_bytes = out.n;
}

static const char *row_key(const void *data, size_t i)
{
        return ((const struct diag_look *)data)->snapshot->members[i]->address;
}

static uint8_t row_rank(const void *data, size_t i)
{
        const struct diag_look *l = data;

        return (uint8_t)listing_rank(diag_look_member_health(l, l->snapshot->members[i]));
}

static void write_row(const void *data, struct json_writer *w, size_t i)
{
        const struct diag_look *l = data;

        jw_begin_object(w);
        diag_member_write_row(w, l, l->snapshot->members[i]);
        jw_end_object(w);
}

static void write_page(struct bench *b, const char *text)
{
        const struct request q = {.query = text};
        struct diag_look look = look_of(b);
        const struct listing l = {b->n, row_key, row_rank, write_row, &look};
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        struct listing_query query;

        must(!listing_query_read(&query, &q));
        jw_begin_object(&w);
        listing_write(&w, &l, &query);
        jw_end_object(&w);
        b->n_bytes = out.n;
}

static void write_v2_nodes(struct bench *b)
{
        write_page(b, "");
}

static void write_all_v2_nodes(struct bench *b)
{
        write_page(b, "limit=10000");
}

static void write_metrics(struct bench *b)
{
        struct diag_look look = look_of(b);
        _cleanup_(buf_done) struct buf out = {0};

        cluster_metrics_write(&out, &look);
        b->n_bytes = out.n;
}

/* clang-format off */
static const struct {
        const char *name;
        void (*run)(struct bench *b);
} views[] = {
        {"snapshot, made", make_snapshot},
        {"and its index of units", make_index},
        {"v1 /nodes, made", make_v1_nodes},
        {"v1 /nodes, asked", ask_v1_nodes},
        {"v1 /units, made", make_v1_units},
        {"v1 /report, made", make_report},
        {"v1 /report, read", read_report},
        {"v2 /cluster", write_cluster},
        {"v2 /nodes, 500 of them", write_v2_nodes},
        {"v2 /nodes, 10000 of them", write_all_v2_nodes},
        {"/metrics", write_metrics},
};
/* clang-format on */

static void measure(struct bench *b, size_t i)
{
        uint64_t begin, n = 0, took;

        views[i].run(b); /* what is made once is made now */
        begin = now_mono_usec();
        do {
                views[i].run(b);
                n++;
                took = now_mono_usec() - begin;
        } while (took < MEASURE_USEC);
        printf("%8zu  %-26s %14.1f /s %12.1f us %12" PRIu64 " bytes\n", b->n, views[i].name,
               (double)n * 1e6 / (double)took, (double)took / (double)n, b->n_bytes);
        (void)fflush(stdout);
}

static void bench(size_t n)
{
        struct bench b = {.members = calloc(n, sizeof(struct diag_member *)), .n = n};

        must(b.members);
        for (size_t i = 0; i < n; i++)
                b.members[i] = member_of(i);
        b.snapshot = snapshot_of(b.members, n);
        for (size_t i = 0; i < ELEMENTSOF(views); i++)
                measure(&b, i);
        diag_snapshot_unref(b.snapshot);
        for (size_t i = 0; i < n; i++)
                diag_member_unref(b.members[i]);
        free(b.members);
}

int main(int argc, char *argv[])
{
        static const size_t otherwise[] = {1000, 10000};

        for (int i = 1; i < argc; i++) {
                size_t n = strtoul(argv[i], NULL, 10);

                if (n < 1 || n > DIAG_MEMBERS_MAX) {
                        (void)fprintf(stderr, "usage: %s [MEMBERS ...], 1 to %u\n", argv[0],
                                      DIAG_MEMBERS_MAX);
                        return 2;
                }
                bench(n);
        }
        for (size_t i = 0; argc == 1 && i < ELEMENTSOF(otherwise); i++)
                bench(otherwise[i]);
        return 0;
}
