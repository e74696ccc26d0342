/* diag unit: one component, on every node that has it. */

#include <getopt.h>
#include <stdio.h>

#include "cli/inquiry.h"
#include "cli/listing.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/unit_view.h"
#include "cli/verb.h"
#include "model/unit_name.h"

#define UNITS_PATH "/system/health/v2/units/"

struct unit_verb {
        struct inquiry q;
        const char *name;
        struct listing listing;
        struct cluster_one_unit unit;
};

static void verb_done(struct unit_verb *v)
{
        cluster_one_unit_done(&v->unit);
        inquiry_done(&v->q);
}

static const struct unit_verb *verb_of(const struct inquiry *q)
{
        return (const struct unit_verb *)q;
}

/* The rows before the first one that is healthy. */
static size_t count_shown(const struct unit_verb *v, const struct cluster_one_unit *u)
{
        size_t n = 0;

        if (!listing_folds(&v->listing, u->n_total))
                return u->n;
        while (n < u->n && u->rows[n].health.health != DIAG_HEALTHY)
                n++;
        return n;
}

/* --- ask ------------------------------------------------------------------------------------------ */

struct look {
        const struct unit_verb *verb;
        struct cluster_one_unit unit;
};

static void look_done(struct look *l)
{
        cluster_one_unit_done(&l->unit);
}

static int add_page(void *userdata, const struct buf *json, const char **ret_next, struct err *e)
{
        struct look *l = userdata;
        int r = cluster_one_unit_add(&l->unit, buf_cstr(json), json->n, e);
        bool enough;

        if (r < 0)
                return r;
        enough = !l->verb->q.json && count_shown(l->verb, &l->unit) < l->unit.n;
        *ret_next = enough ? "" : l->unit.next;
        return 0;
}

static int look_for(struct unit_verb *v, const char *suffix, struct err *e)
{
        _cleanup_(look_done) struct look l = {.verb = v};
        _cleanup_(buf_done) struct buf path = {.max = CLIENT_PATH_MAX};
        int r;

        buf_puts(&path, UNITS_PATH);
        path_append_word(&path, v->name);
        buf_puts(&path, suffix);
        listing_append_query(&path, &v->listing);
        r = inquiry_pages(&v->q, &path, add_page, &l, e);
        if (r != 0)
                return r;
        cluster_one_unit_done(&v->unit);
        v->unit = l.unit;
        l.unit = (struct cluster_one_unit){0};
        return 0;
}

/* What was typed before what may be meant, as diag status has it. */
static int look(struct inquiry *q, struct err *e)
{
        struct unit_verb *v = (struct unit_verb *)q;
        int r = look_for(v, "", e);

        if (r == INQUIRY_REFUSED && q->refused_status == 404 && !unit_name_is_unit(v->name))
                r = look_for(v, ".service", e);
        return r;
}

/* --- show ----------------------------------------------------------------------------------------- */

static void draw(struct buf *out, const struct inquiry *q, const struct term *t,
                 uint64_t now_wall_usec)
{
        const struct unit_verb *v = verb_of(q);
        const struct listing_outcome o = {
                .n_shown = count_shown(v, &v->unit),
                .n_total = v->unit.n_total,
                .one = "node",
                .many = "nodes",
                .view = &v->unit.view,
        };

        unit_view_head(out, &v->unit.unit, t);
        buf_putc(out, '\n');
        unit_view_nodes(out, &v->unit, o.n_shown, t, now_wall_usec);
        listing_summary(out, &v->listing, &o, t);
}

static enum diag_health health(const struct inquiry *q)
{
        return verb_of(q)->unit.unit.health.health;
}

static const struct cluster_view *view(const struct inquiry *q)
{
        return &verb_of(q)->unit.view;
}

static void refused(const struct inquiry *q)
{
        refusal_complain(&(struct refusal){
                .who = q->who,
                .client = &q->client,
                .status = q->refused_status,
                .body = &q->refused,
                .of = REFUSAL_OF_UNIT,
                .name = verb_of(q)->name,
        });
}

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag unit NAME [OPTION...] - one component, on every node that has it\n"
               "\n"
               "      --role ROLE    only nodes of it: master, agent or agent_public\n"
               "      --health WORD  only where it is healthy, unhealthy or unknown\n"
               "      --query TEXT   only nodes with it in their address or hostname\n"
               "      --all          the healthy ones, too, if they are many\n" INQUIRY_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "A name may be given without its \".service\".\n"
               "Exit status: 0 healthy on all nodes, 1 unhealthy on one, 2 could not ask,\n"
               "3 unknown. See diag(1).\n");
}

static const struct option options[] = {
        {"role",   required_argument, NULL, LISTING_OPTION_ROLE  },
        {"health", required_argument, NULL, LISTING_OPTION_HEALTH},
        {"query",  required_argument, NULL, LISTING_OPTION_QUERY },
        {"all",    no_argument,       NULL, LISTING_OPTION_ALL   },
        INQUIRY_LONG_OPTIONS,
        {"help",   no_argument,       NULL, 'h'                  },
        {NULL,     0,                 NULL, 0                    },
};

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct unit_verb *v, int argc, char *argv[])
{
        int c;

        while ((c = getopt_long(argc, argv, "hw", options, NULL)) >= 0)
                if (c == 'h') {
                        print_help();
                        return 0;
                } else if (!listing_take(&v->listing, c, optarg) &&
                           !inquiry_take(&v->q, c, optarg)) {
                        return EXIT_COULD_NOT;
                }
        return -1;
}

int cmd_unit(int argc, char *argv[])
{
        static const struct inquiry_ops ops = {look, draw, NULL, health, view, refused};
        _cleanup_(verb_done) struct unit_verb v = {.q.who = argv[0]};
        int status = parse_options(&v, argc, argv);

        if (status >= 0)
                return status;
        if (argc - optind != 1 || !path_is_name(argv[optind])) {
                term_complain(v.q.who, "say which component; diag units lists them");
                return EXIT_COULD_NOT;
        }
        v.name = argv[optind];
        return inquiry_run(&v.q, &ops);
}
