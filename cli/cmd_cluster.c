/* diag cluster: is the cluster healthy, and why not? */

#include <getopt.h>
#include <stdio.h>

#include "cli/cluster_view.h"
#include "cli/inquiry.h"
#include "cli/refusal.h"
#include "cli/verb.h"

#define CLUSTER_PATH "/system/health/v2/cluster"

struct cluster_verb {
        struct inquiry q;
        struct cluster cluster;
};

static void verb_done(struct cluster_verb *v)
{
        cluster_done(&v->cluster);
        inquiry_done(&v->q);
}

static const struct cluster *cluster_of(const struct inquiry *q)
{
        return &((const struct cluster_verb *)q)->cluster;
}

static int look(struct inquiry *q, struct err *e)
{
        struct cluster_verb *v = (struct cluster_verb *)q;
        _cleanup_(buf_done) struct buf json = {.max = CLUSTER_JSON_MAX};
        struct cluster fresh;
        int r = inquiry_get(q, CLUSTER_PATH, true, &json, e);

        if (r != 0)
                return r;
        r = cluster_from_json(&fresh, buf_cstr(&json), json.n, e);
        if (r < 0)
                return inquiry_misunderstood(q, r, e);
        cluster_done(&v->cluster);
        v->cluster = fresh;
        inquiry_keep(q, &json, true);
        return 0;
}

static void draw(struct buf *out, const struct inquiry *q, const struct term *t,
                 uint64_t now_wall_usec)
{
        cluster_view_all(out, cluster_of(q), t, now_wall_usec);
}

static void line(struct buf *out, const struct inquiry *q)
{
        cluster_view_line(out, cluster_of(q));
}

static enum diag_health health(const struct inquiry *q)
{
        return cluster_of(q)->health.health;
}

static const struct cluster_view *view(const struct inquiry *q)
{
        return &cluster_of(q)->view;
}

static void refused(const struct inquiry *q)
{
        refusal_complain(&(struct refusal){
                .who = q->who,
                .client = &q->client,
                .status = q->refused_status,
                .body = &q->refused,
        });
}

static void print_help(void)
{
        printf("diag cluster [OPTION...] - is the cluster healthy, and why not?\n"
               "\n" INQUIRY_OPTIONS_HELP "  -h, --help         this text\n"
               "\n"
               "Exit status: 0 healthy, 1 unhealthy, 2 could not ask, 3 unknown. See diag(1).\n");
}

static const struct option options[] = {
        INQUIRY_LONG_OPTIONS,
        {"help", no_argument, NULL, 'h'},
        {NULL,   0,           NULL, 0  },
};

int cmd_cluster(int argc, char *argv[])
{
        static const struct inquiry_ops ops = {look, draw, line, health, view, refused};
        _cleanup_(verb_done) struct cluster_verb v = {.q.who = argv[0]};
        int c;

        while ((c = getopt_long(argc, argv, "hw", options, NULL)) >= 0)
                if (c == 'h') {
                        print_help();
                        return 0;
                } else if (!inquiry_take(&v.q, c, optarg)) {
                        return EXIT_COULD_NOT;
                }
        if (optind == argc)
                return inquiry_run(&v.q, &ops);
        term_complain(v.q.who, "what is \"%s\"?", argv[optind]);
        return EXIT_COULD_NOT;
}
