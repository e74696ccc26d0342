/* diag status: ask, show, and with --watch ask again. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/status_view.h"
#include "cli/suggest.h"
#include "cli/verb.h"
#include "cli/watch.h"
#include "model/report_v1.h"

#define LOCAL_TIMEOUT_USEC (15 * USEC_PER_SEC)

struct status {
        const char *who; /* in complaints */
        struct client client;
        struct client_node node; /* what we know */
        char **names;            /* components asked for; none: all */
        size_t n_names;
        bool json, watch;
        size_t n_shown;
};

static void status_done(struct status *s)
{
        client_node_done(&s->node);
}

/* --- components by name --------------------------------------------------------------------------- */

static const struct diag_component *find_by_unit(const struct diag_report *r, const char *id)
{
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_unit *u = r->components[i].unit;

                if (u && !str_empty(u->id) && streq(u->id, id))
                        return &r->components[i];
        }
        return NULL;
}

/* A component's own name before that of its unit, and what was typed before what may be meant. */
static const struct diag_component *find_component(const struct diag_report *r, const char *name)
{
        char service[DIAG_STRING_MAX];
        const struct diag_component *c = diag_report_find(r, name);

        (void)snprintf(service, sizeof(service), "%s.service", name);
        if (!c)
                c = diag_report_find(r, service);
        if (!c)
                c = find_by_unit(r, name);
        return c ? c : find_by_unit(r, service);
}

static void complain_about(const struct status *s, const char *name)
{
        const struct diag_report *r = s->node.report;
        _cleanup_(buf_done) struct buf near = {0};
        struct suggestion suggestion = {.wanted = name};

        for (size_t i = 0; i < r->n_components; i++)
                suggestion_offer(&suggestion, r->components[i].name);
        suggestion_append(&suggestion, &near);
        term_complain(s->who, "there is no component \"%s\" here%s", name, buf_cstr(&near));
}

static bool names_are_known(const struct status *s)
{
        for (size_t i = 0; i < s->n_names; i++)
                if (!find_component(s->node.report, s->names[i])) {
                        complain_about(s, s->names[i]);
                        return false;
                }
        return true;
}

/* The node's health, or the worst of the components asked for; one that went away is unknown. */
static enum diag_health status_health(const struct status *s)
{
        enum diag_health worst = DIAG_HEALTHY;

        if (s->n_names == 0)
                return s->node.report->health;
        for (size_t i = 0; i < s->n_names; i++) {
                const struct diag_component *c = find_component(s->node.report, s->names[i]);

                worst = diag_health_worse(worst, c ? c->health : DIAG_UNKNOWN);
        }
        return worst;
}

/* --- show ----------------------------------------------------------------------------------------- */

static void put_json(struct buf *out, const struct status *s)
{
        const struct buf *json = &s->node.json;

        if (s->watch)
                watch_put_json(out, json);
        else
                buf_append(out, json->data, json->n);
}

/* The node's clock now: what it said then, and the time since on our own. */
static uint64_t node_now(const struct client_node *n)
{
        uint64_t elapsed = usec_since(now_mono_usec(), n->received_mono_usec);

        return n->moment.now_wall_usec ? n->moment.now_wall_usec + elapsed : now_wall_usec();
}

static void put_components(struct buf *out, const struct status *s, const struct status_view *v)
{
        for (size_t i = 0; i < s->n_names; i++) {
                const struct diag_component *c = find_component(s->node.report, s->names[i]);

                buf_puts(out, i > 0 ? "\n" : "");
                if (c)
                        status_view_component(out, v, c);
                else
                        buf_printf(out, "%s: no longer there\n", s->names[i]);
        }
}

static void put_text(struct buf *out, const struct status *s)
{
        const struct term term = term_of(STDOUT_FILENO);
        const struct status_view view = {
                .report = s->node.report,
                .now_wall_usec = node_now(&s->node),
                .confirmed_age_usec = s->node.moment.confirmed_age_usec,
                .term = &term,
        };

        if (s->watch)
                watch_put_start(out, &term, s->n_shown, view.now_wall_usec);
        if (s->n_names > 0)
                put_components(out, s, &view);
        else
                status_view_overview(out, &view);
}

/* Returns an exit status. */
static int show(struct status *s)
{
        _cleanup_(buf_done) struct buf out = {0};
        int r, status = diag_v1_health(status_health(s));

        if (s->json)
                put_json(&out, s);
        else
                put_text(&out, s);
        watch_leave_with(status);
        r = term_flush(STDOUT_FILENO, &out);
        if (r < 0) {
                term_complain(s->who, "cannot write: %s", strerror(-r));
                return EXIT_COULD_NOT;
        }
        s->n_shown++;
        return status;
}

/* --- ask ------------------------------------------------------------------------------------------ */

static int ask_systemd(struct status *s, struct err *e)
{
        _cleanup_(buf_done) struct buf json = {.max = DIAG_REPORT_JSON_MAX};
        int r = local_look(&json, LOCAL_TIMEOUT_USEC, e);

        if (r < 0)
                return r;
        r = client_read_node(&s->node, &json, e);
        return r < 0 ? err_prefix(e, "diag-agentd --once says what we do not understand: ") : 0;
}

static int ask_instead_of_nobody(struct status *s, const struct err *nobody)
{
        struct err e = {0};
        int r = ask_systemd(s, &e);

        if (r < 0)
                term_complain(s->who, "%s; %s", nobody->text, e.text);
        else
                term_complain(s->who, "no daemon answers; asked systemd directly");
        return r;
}

/* Said first, because what keeps the daemon from its start may keep diag-agentd --once from it too. */
static int ask_instead_of_silent(struct status *s, const struct err *silent)
{
        struct err e = {0};
        int r;

        term_complain(s->who, "%s%s; asking systemd directly", silent->text,
                      client_advice(&s->client, CLIENT_NO_ANSWER));
        r = ask_systemd(s, &e);
        if (r < 0)
                term_complain(s->who, "%s", e.text);
        return r;
}

/* Without a daemon the truth can still be had, once, if nobody said whom to ask. */
static int ask(struct status *s)
{
        bool may_look = s->client.is_default && !s->watch;
        struct err e = {0};
        int r = client_ask_node(&s->client, NULL, &s->node, &e);

        if (r == 0)
                return 0;
        if (may_look && r == CLIENT_NOBODY)
                return ask_instead_of_nobody(s, &e);
        if (may_look && r == CLIENT_NO_ANSWER)
                return ask_instead_of_silent(s, &e);
        term_complain(s->who, "%s%s", e.text, client_advice(&s->client, r));
        return -1;
}

/* --- watch ---------------------------------------------------------------------------------------- */

/* A stale answer has no entity tag, so the daemon does not wait, and may say the same again. */
static bool same_picture(const struct client_node *a, const struct client_node *b)
{
        return a->report->instance == b->report->instance && a->report->seq == b->report->seq &&
               a->report->health == b->report->health && streq(a->etag, b->etag);
}

static int look_again(void *userdata, struct err *e)
{
        struct status *s = userdata;
        _cleanup_(client_node_done) struct client_node fresh = {0};
        int r = client_ask_node(&s->client, &s->node, &fresh, e);
        bool changed;

        if (r == CLIENT_UNCHANGED)
                return 0;
        if (r != 0)
                return r < 0 ? r : e->code;
        changed = !same_picture(&s->node, &fresh);
        client_node_done(&s->node);
        s->node = fresh;
        fresh = (struct client_node){0};
        return changed;
}

static int show_again(void *userdata)
{
        return show(userdata);
}

static int watch(struct status *s, int status)
{
        const struct watch w = {
                .who = s->who,
                .whom = s->client.who,
                .json = s->json,
                .look_again = look_again,
                .show = show_again,
                .userdata = s,
        };

        return watch_run(&w, status);
}

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag status [OPTION...] [COMPONENT...] - how this machine is, and why\n"
               "\n"
               "      --json         print what the daemon says, as it says it (API v2)\n"
               "  -w, --watch        go on, and show each change\n" CLIENT_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "With names of components: all that is known of these, and their health as exit status.\n"
               "Exit status: 0 healthy, 1 unhealthy, 2 could not ask, 3 unknown. See diag(1).\n");
}

enum { OPTION_JSON = 256 };

static const struct option options[] = {
        {"json",  no_argument, NULL, OPTION_JSON},
        {"watch", no_argument, NULL, 'w'        },
        CLIENT_LONG_OPTIONS,
        {"help",  no_argument, NULL, 'h'        },
        {NULL,    0,           NULL, 0          },
};

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct status *s, int argc, char *argv[])
{
        struct client_options whom = {0};
        struct err e;
        int c;

        while ((c = getopt_long(argc, argv, "hw", options, NULL)) >= 0)
                switch (c) {
                case OPTION_JSON:
                        s->json = true;
                        break;
                case 'w':
                        s->watch = true;
                        break;
                case 'h':
                        print_help();
                        return 0;
                default:
                        if (!client_options_take(&whom, c, optarg))
                                return EXIT_COULD_NOT;
                }
        s->names = argv + optind;
        s->n_names = (size_t)(argc - optind);
        if (client_init(&s->client, &whom, &e) >= 0)
                return -1;
        term_complain(s->who, "%s", e.text);
        return EXIT_COULD_NOT;
}

int cmd_status(int argc, char *argv[])
{
        _cleanup_(status_done) struct status s = {.who = argv[0]};
        int status = parse_options(&s, argc, argv);

        if (status >= 0)
                return status;
        if (s.watch)
                watch_begin();
        if (ask(&s) < 0 || !names_are_known(&s))
                return EXIT_COULD_NOT;
        status = show(&s);
        return s.watch ? watch(&s, status) : status;
}
