/* diag units: what components there are, and on how many nodes they are healthy. */

#include <getopt.h>
#include <stdio.h>

#include "cli/inquiry.h"
#include "cli/listing.h"
#include "cli/refusal.h"
#include "cli/unit_view.h"
#include "cli/verb.h"

#define UNITS_PATH "/system/health/v2/units"

struct units_verb {
        struct inquiry q;
        struct listing listing;
        struct cluster_units units;
};

static void verb_done(struct units_verb *v)
{
        cluster_units_done(&v->units);
        inquiry_done(&v->q);
}

static const struct units_verb *verb_of(const struct inquiry *q)
{
        return (const struct units_verb *)q;
}

static int add_page(void *userdata, const struct buf *json, const char **ret_next, struct err *e)
{
        struct cluster_units *l = userdata;
        int r = cluster_units_add(l, buf_cstr(json), json->n, e);

        if (r >= 0)
                *ret_next = l->next;
        return r;
}

static int look(struct inquiry *q, struct err *e)
{
        struct units_verb *v = (struct units_verb *)q;
        _cleanup_(cluster_units_done) struct cluster_units fresh = {0};
        _cleanup_(buf_done) struct buf path = {.max = CLIENT_PATH_MAX};
        int r;

        buf_puts(&path, UNITS_PATH);
        listing_append_query(&path, &v->listing);
        r = inquiry_pages(q, &path, add_page, &fresh, e);
        if (r != 0)
                return r;
        cluster_units_done(&v->units);
        v->units = fresh;
        fresh = (struct cluster_units){0};
        return 0;
}

/* There are never so many that they would have to be folded. */
static void draw(struct buf *out, const struct inquiry *q, const struct term *t,
                 _unused_ uint64_t now_wall_usec)
{
        const struct units_verb *v = verb_of(q);
        const struct listing_outcome o = {
                .n_shown = v->units.n,
                .n_total = v->units.n_total,
                .one = "component",
                .many = "components",
                .view = &v->units.view,
        };

        unit_view_table(out, &v->units, t);
        listing_summary(out, &v->listing, &o, t);
        if (v->units.truncated)
                buf_puts(out, "there are more than a master keeps apart: the list is cut\n");
}

static enum diag_health health(const struct inquiry *q)
{
        const struct units_verb *v = verb_of(q);
        enum diag_health worst = DIAG_HEALTHY;

        for (size_t i = 0; i < v->units.n; i++)
                worst = diag_health_worse(worst, v->units.rows[i].health.health);
        return listing_health(&v->listing, v->units.n, worst);
}

static const struct cluster_view *view(const struct inquiry *q)
{
        return &verb_of(q)->units.view;
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
        printf("diag units [OPTION...] - the components of all nodes, the worst first\n"
               "\n"
               "      --health WORD  only these: healthy, unhealthy or unknown\n"
               "      --query TEXT   only those with it in their name or title\n" INQUIRY_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "Exit status: that of the worst: 0 healthy, 1 unhealthy, 2 could not ask, 3 unknown.\n"
               "See diag(1).\n");
}

static const struct option options[] = {
        {"health", required_argument, NULL, LISTING_OPTION_HEALTH},
        {"query",  required_argument, NULL, LISTING_OPTION_QUERY },
        INQUIRY_LONG_OPTIONS,
        {"help",   no_argument,       NULL, 'h'                  },
        {NULL,     0,                 NULL, 0                    },
};

int cmd_units(int argc, char *argv[])
{
        static const struct inquiry_ops ops = {look, draw, NULL, health, view, refused};
        _cleanup_(verb_done) struct units_verb v = {.q.who = argv[0], .listing.all = true};
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
        term_complain(v.q.who, "what is \"%s\"? diag unit %s shows one component", argv[optind],
                      argv[optind]);
        return EXIT_COULD_NOT;
}
