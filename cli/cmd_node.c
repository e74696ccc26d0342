/* diag node: one node as a master knows it, or, with --full, as it says itself at this moment. */

#include <getopt.h>
#include <stdio.h>

#include "cli/inquiry.h"
#include "cli/node_view.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/verb.h"

#define NODES_PATH "/system/health/v2/nodes/"

struct node_verb {
        struct inquiry q;
        const char *name; /* address, hostname or id */
        bool full;
        struct cluster_one_node node;
};

static void verb_done(struct node_verb *v)
{
        cluster_one_node_done(&v->node);
        inquiry_done(&v->q);
}

static const struct node_verb *verb_of(const struct inquiry *q)
{
        return (const struct node_verb *)q;
}

static int look(struct inquiry *q, struct err *e)
{
        struct node_verb *v = (struct node_verb *)q;
        _cleanup_(buf_done) struct buf path = {0}, json = {.max = CLUSTER_JSON_MAX};
        struct cluster_one_node fresh;
        int r;

        buf_puts(&path, NODES_PATH);
        path_append_word(&path, v->name);
        path_append_query(&path, "fields", v->full ? "full" : NULL);
        r = inquiry_get(q, buf_cstr(&path), true, &json, e);
        if (r != 0)
                return r;
        r = cluster_one_node_from_json(&fresh, buf_cstr(&json), json.n, e);
        if (r < 0)
                return inquiry_misunderstood(q, r, e);
        cluster_one_node_done(&v->node);
        v->node = fresh;
        inquiry_keep(q, &json, true);
        return 0;
}

static void draw(struct buf *out, const struct inquiry *q, const struct term *t,
                 uint64_t now_wall_usec)
{
        node_view_one(out, &verb_of(q)->node, t, now_wall_usec);
}

/* What the node has just said is newer than what the master knows. */
static enum diag_health health(const struct inquiry *q)
{
        const struct cluster_one_node *n = &verb_of(q)->node;

        return n->report ? n->report->health : n->row.health.health;
}

static const struct cluster_view *view(const struct inquiry *q)
{
        return &verb_of(q)->node.view;
}

static void refused(const struct inquiry *q)
{
        refusal_complain(&(struct refusal){
                .who = q->who,
                .client = &q->client,
                .status = q->refused_status,
                .body = &q->refused,
                .of = REFUSAL_OF_NODE,
                .name = verb_of(q)->name,
        });
}

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag node NODE [OPTION...] - one node of the cluster, and what is wrong there\n"
               "\n"
               "      --full         let the master ask the node now\n" INQUIRY_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "NODE is an address, a hostname or an id.\n"
               "Exit status: 0 healthy, 1 unhealthy, 2 could not ask, 3 unknown. See diag(1).\n");
}

enum { OPTION_FULL = 256 };

static const struct option options[] = {
        {"full", no_argument, NULL, OPTION_FULL},
        INQUIRY_LONG_OPTIONS,
        {"help", no_argument, NULL, 'h'        },
        {NULL,   0,           NULL, 0          },
};

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct node_verb *v, int argc, char *argv[])
{
        int c;

        while ((c = getopt_long(argc, argv, "hw", options, NULL)) >= 0)
                if (c == 'h') {
                        print_help();
                        return 0;
                } else if (c == OPTION_FULL) {
                        v->full = true;
                } else if (!inquiry_take(&v->q, c, optarg)) {
                        return EXIT_COULD_NOT;
                }
        return -1;
}

int cmd_node(int argc, char *argv[])
{
        static const struct inquiry_ops ops = {look, draw, NULL, health, view, refused};
        _cleanup_(verb_done) struct node_verb v = {.q.who = argv[0]};
        int status = parse_options(&v, argc, argv);

        if (status >= 0)
                return status;
        if (argc - optind != 1 || !path_is_name(argv[optind])) {
                term_complain(v.q.who, "say which node: an address, a hostname or an id");
                return EXIT_COULD_NOT;
        }
        v.name = argv[optind];
        return inquiry_run(&v.q, &ops);
}
