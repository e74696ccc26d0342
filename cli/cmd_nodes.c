/* diag nodes: all of them, the worst first. */

#include <getopt.h>
#include <stdio.h>

#include "cli/inquiry.h"
#include "cli/listing.h"
#include "cli/node_view.h"
#include "cli/refusal.h"
#include "cli/verb.h"

#define NODES_PATH "/system/health/v2/nodes"

struct nodes_verb {
        struct inquiry q;
        struct listing listing;
        struct cluster_nodes nodes;
};

static void verb_done(struct nodes_verb *v)
{
        cluster_nodes_done(&v->nodes);
        inquiry_done(&v->q);
}

static const struct nodes_verb *verb_of(const struct inquiry *q)
{
        return (const struct nodes_verb *)q;
}

/* A person sees what is not healthy: the rows before the first one that is. */
static size_t count_shown(const struct nodes_verb *v, const struct cluster_nodes *l)
{
        size_t n = 0;

        if (!listing_folds(&v->listing, l->n_total))
                return l->n;
        while (n < l->n && l->rows[n].health.health != DIAG_HEALTHY)
                n++;
        return n;
}

/* --- ask ------------------------------------------------------------------------------------------ */

struct look {
        const struct nodes_verb *verb;
        struct cluster_nodes nodes;
};

static void look_done(struct look *l)
{
        cluster_nodes_done(&l->nodes);
}

static int add_page(void *userdata, const struct buf *json, const char **ret_next, struct err *e)
{
        struct look *l = userdata;
        int r = cluster_nodes_add(&l->nodes, buf_cstr(json), json->n, e);
        bool enough;

        if (r < 0)
                return r;
        enough = !l->verb->q.json && count_shown(l->verb, &l->nodes) < l->nodes.n;
        *ret_next = enough ? "" : l->nodes.next;
        return 0;
}

static int look(struct inquiry *q, struct err *e)
{
        struct nodes_verb *v = (struct nodes_verb *)q;
        _cleanup_(look_done) struct look l = {.verb = v};
        _cleanup_(buf_done) struct buf path = {.max = CLIENT_PATH_MAX};
        int r;

        buf_puts(&path, NODES_PATH);
        listing_append_query(&path, &v->listing);
        r = inquiry_pages(q, &path, add_page, &l, e);
        if (r != 0)
                return r;
        cluster_nodes_done(&v->nodes);
        v->nodes = l.nodes;
        l.nodes = (struct cluster_nodes){0};
        return 0;
}

/* --- show ----------------------------------------------------------------------------------------- */

static void draw(struct buf *out, const struct inquiry *q, const struct term *t,
                 uint64_t now_wall_usec)
{
        const struct nodes_verb *v = verb_of(q);
        const struct listing_outcome o = {
                .n_shown = count_shown(v, &v->nodes),
                .n_total = v->nodes.n_total,
                .one = "node",
                .many = "nodes",
                .view = &v->nodes.view,
        };

        node_view_table(out, v->nodes.rows, o.n_shown, t, now_wall_usec);
        listing_summary(out, &v->listing, &o, t);
}

static enum diag_health health(const struct inquiry *q)
{
        const struct nodes_verb *v = verb_of(q);
        enum diag_health worst = DIAG_HEALTHY;

        for (size_t i = 0; i < v->nodes.n; i++)
                worst = diag_health_worse(worst, v->nodes.rows[i].health.health);
        return listing_health(&v->listing, v->nodes.n, worst);
}

static const struct cluster_view *view(const struct inquiry *q)
{
        return &verb_of(q)->nodes.view;
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

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag nodes [OPTION...] - the nodes of the cluster, the worst first\n"
               "\n"
               "      --role ROLE    only these: master, agent or agent_public\n"
               "      --health WORD  only these: healthy, unhealthy or unknown\n"
               "      --component NAME\n"
               "                     only those that have it\n"
               "      --query TEXT   only those with it in an address, a name or an id\n"
               "      --all          the healthy ones, too, if they are many\n" INQUIRY_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "Exit status: that of the worst: 0 healthy, 1 unhealthy, 2 could not ask, 3 unknown.\n"
               "See diag(1).\n");
}

static const struct option options[] = {
        {"role",      required_argument, NULL, LISTING_OPTION_ROLE     },
        {"health",    required_argument, NULL, LISTING_OPTION_HEALTH   },
        {"component", required_argument, NULL, LISTING_OPTION_COMPONENT},
        {"query",     required_argument, NULL, LISTING_OPTION_QUERY    },
        {"all",       no_argument,       NULL, LISTING_OPTION_ALL      },
        INQUIRY_LONG_OPTIONS,
        {"help",      no_argument,       NULL, 'h'                     },
        {NULL,        0,                 NULL, 0                       },
};

int cmd_nodes(int argc, char *argv[])
{
        static const struct inquiry_ops ops = {look, draw, NULL, health, view, refused};
        _cleanup_(verb_done) struct nodes_verb v = {.q.who = argv[0]};
        int c;

        while ((c = getopt_long(argc, argv, "hw", options, NULL)) >= 0)
                if (c == 'h') {
                        print_help();
                        return 0;
                } else if (!listing_take(&v.listing, c, optarg) && !inquiry_take(&v.q, c, optarg)) {
                        return EXIT_COULD_NOT;
                }
        if (optind == argc)
                return inquiry_run(&v.q, &ops);
        term_complain(v.q.who, "what is \"%s\"? diag node %s shows one node", argv[optind],
                      argv[optind]);
        return EXIT_COULD_NOT;
}
