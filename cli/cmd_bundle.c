/*
 * diag bundle: what support needs of every node, in one file, without its secrets. Here the command line is
 * understood; what is done stands in cmd_bundle_create.c and cmd_bundle_have.c.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/cmd_bundle.h"
#include "cli/suggest.h"
#include "cli/term.h"
#include "cli/verb.h"

#define NAME_MAX_BYTES 64u

/* --- what there is to do --------------------------------------------------------------------------- */

/* Options, as bits. --json and whom to ask are for all. */
enum {
        TAKES_CHOICE = 1u << 0, /* --nodes, --since, --until, --only */
        TAKES_MAKING = 1u << 1, /* --format, --no-redact, --id, --wait */
        TAKES_OUTPUT = 1u << 2,
        TAKES_LOCAL = 1u << 3,
};

enum takes_id { ID_NONE = 0, ID_MAY, ID_MUST };

static const struct action {
        const char *name;
        int (*run)(struct bundle_call *c);
        unsigned takes;
        enum takes_id id;
        const char *arguments, *summary;
} actions[] = {
        {"create",   bundle_create,   TAKES_CHOICE | TAKES_MAKING | TAKES_OUTPUT | TAKES_LOCAL, ID_NONE,
         "",                                                                                                     "have one made"                       },
        {"estimate", bundle_estimate, TAKES_CHOICE | TAKES_MAKING | TAKES_LOCAL,                ID_NONE, "",
         "how large it would be, and is there room"                                                                                                    },
        {"list",     bundle_list,     0,                                                        ID_NONE, "",     "those that there are, on all masters"},
        {"show",     bundle_show,     0,                                                        ID_MUST, "ID",   "all that is known of one"            },
        {"wait",     bundle_wait,     0,                                                        ID_MAY,  "[ID]", "until it is done; else the newest"   },
        {"download", bundle_download, TAKES_OUTPUT,                                             ID_MAY,  "[ID]",
         "get its file; else the newest"                                                                                                               },
        {"cancel",   bundle_cancel,   0,                                                        ID_MUST, "ID",   "stop making it"                      },
        {"delete",   bundle_delete,   0,                                                        ID_MUST, "ID",   "remove its file"                     },
};

static const struct action *find_action(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].name, name))
                        return &actions[i];
        return NULL;
}

static void print_help(void)
{
        printf("diag bundle ACTION [OPTION...] - what support needs of every node, in one file\n"
               "\n");
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                printf("  %-9s %-5s %s\n", actions[i].name, actions[i].arguments,
                       actions[i].summary);
        printf("\n"
               "What goes into it (create, estimate):\n"
               "      --nodes WHICH  all, masters, agents, public, unhealthy, or addresses; several\n"
               "                     with commas between them (default: the master chooses)\n"
               "      --since TIME   logs from then on: 24h, 2026-11-21, \"2026-11-21 10:00\" or 10:00,\n"
               "                     in UTC (default: 24h)\n"
               "      --until TIME   up to then (default: now)\n"
               "      --only KIND    nothing but: journal, file, command, http, systemd, host or health;\n"
               "                     several with commas between them\n"
               "      --format FORMAT\n"
               "                     tar.zst, tar.gz or zip (default: tar.zst, or as FILE ends)\n"
               "      --no-redact    with passwords and keys, as they stand there\n"
               "      --id ID        call it so (create)\n"
               "      --local        of this machine alone, without any daemon; for root\n"
               "And then:\n"
               "      --wait         until it is done (create)\n"
               "  -o, --output FILE  put it there, or into the directory FILE (create, which then waits;\n"
               "                     download)\n"
               "      --json         print what the master says, as it says it (API v2)\n" CLIENT_CLUSTER_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "Exit status: 0 whole or done, 1 failed or refused, 2 could not ask, 4 partial.\n"
               "See diag-bundle(1).\n");
}

/* --- options --------------------------------------------------------------------------------------- */

enum {
        OPTION_NODES = 256,
        OPTION_SINCE,
        OPTION_UNTIL,
        OPTION_ONLY,
        OPTION_FORMAT,
        OPTION_NO_REDACT,
        OPTION_ID,
        OPTION_WAIT,
        OPTION_LOCAL,
        OPTION_JSON,
};

static const struct option options[] = {
        {"nodes",     required_argument, NULL, OPTION_NODES    },
        {"since",     required_argument, NULL, OPTION_SINCE    },
        {"until",     required_argument, NULL, OPTION_UNTIL    },
        {"only",      required_argument, NULL, OPTION_ONLY     },
        {"format",    required_argument, NULL, OPTION_FORMAT   },
        {"no-redact", no_argument,       NULL, OPTION_NO_REDACT},
        {"id",        required_argument, NULL, OPTION_ID       },
        {"wait",      no_argument,       NULL, OPTION_WAIT     },
        {"output",    required_argument, NULL, 'o'             },
        {"local",     no_argument,       NULL, OPTION_LOCAL    },
        {"json",      no_argument,       NULL, OPTION_JSON     },
        CLIENT_LONG_OPTIONS,
        {"help",      no_argument,       NULL, 'h'             },
        {NULL,        0,                 NULL, 0               },
};

/* What the options were, before they are judged together. */
struct given {
        unsigned takes;   /* bits of all that were given */
        const char *last; /* the last one that not every action takes */
        struct client_options whom;
        bool help;
        uint64_t now_wall_usec; /* one now for all of them */
};

static void note(struct given *g, unsigned takes, const char *option)
{
        g->takes |= takes;
        g->last = option;
}

static int take_choice(struct bundle_choice *choice, struct given *g, int option, struct err *e)
{
        switch (option) {
        case OPTION_NODES:
                note(g, TAKES_CHOICE, "--nodes");
                return bundle_choice_add_words(&choice->nodes, "--nodes", optarg, e);
        case OPTION_ONLY:
                note(g, TAKES_CHOICE, "--only");
                return bundle_choice_add_words(&choice->kinds, "--only", optarg, e);
        case OPTION_SINCE:
                note(g, TAKES_CHOICE, "--since");
                return bundle_choice_read_time(&choice->since_wall_usec, "--since", optarg,
                                               g->now_wall_usec, e);
        default:
                note(g, TAKES_CHOICE, "--until");
                return bundle_choice_read_time(&choice->until_wall_usec, "--until", optarg,
                                               g->now_wall_usec, e);
        }
}

static int take_making(struct bundle_call *c, struct given *g, int option, struct err *e)
{
        switch (option) {
        case OPTION_FORMAT:
                note(g, TAKES_MAKING, "--format");
                c->choice.format = optarg;
                return 0;
        case OPTION_NO_REDACT:
                note(g, TAKES_MAKING, "--no-redact");
                c->choice.no_redact = true;
                return 0;
        case OPTION_WAIT:
                note(g, TAKES_MAKING, "--wait");
                c->wait = true;
                return 0;
        default:
                note(g, TAKES_MAKING, "--id");
                c->choice.id = optarg;
                return bundle_info_id_is_valid(optarg)
                               ? 0
                               : err_set(e, -EINVAL,
                                         "\"%s\" cannot be an id: letters, digits, \".\", \"_\" and "
                                         "\"-\", no dot in front",
                                         optarg);
        }
}

static int take_output(struct bundle_call *c, struct given *g, struct err *e)
{
        note(g, TAKES_OUTPUT, "--output");
        c->output = optarg;
        return *optarg && !streq(optarg, "-")
                       ? 0
                       : err_set(e, -EINVAL, "--output \"%s\" is not the name of a file", optarg);
}

/* 0, or -errno: with @e, unless getopt_long() has said what is wrong */
static int take(struct bundle_call *c, struct given *g, int option, struct err *e)
{
        switch (option) {
        case OPTION_NODES:
        case OPTION_ONLY:
        case OPTION_SINCE:
        case OPTION_UNTIL:
                return take_choice(&c->choice, g, option, e);
        case OPTION_FORMAT:
        case OPTION_NO_REDACT:
        case OPTION_WAIT:
        case OPTION_ID:
                return take_making(c, g, option, e);
        case 'o':
                return take_output(c, g, e);
        case OPTION_LOCAL:
                note(g, TAKES_LOCAL, "--local");
                c->local = true;
                return 0;
        case OPTION_JSON:
                c->json = true;
                return 0;
        case 'h':
                g->help = true;
                return 0;
        default:
                return client_options_take(&g->whom, option, optarg) ? 0 : -EINVAL;
        }
}

static int parse_options(struct bundle_call *call, struct given *g, int argc, char *argv[],
                         struct err *e)
{
        int c, r = 0;

        while (r >= 0 && !g->help && (c = getopt_long(argc, argv, "ho:", options, NULL)) >= 0)
                r = take(call, g, c, e);
        return r;
}

/* --- what goes together ---------------------------------------------------------------------------- */

static int check_id(struct bundle_call *c, const struct action *a, char *const *words,
                    struct err *e)
{
        const char *extra = a->id == ID_NONE || !words[0] ? words[0] : words[1];

        if (extra)
                return err_set(e, -EINVAL, "what is \"%s\"?", extra);
        if (a->id == ID_MUST && !words[0])
                return err_set(e, -EINVAL, "say which one: diag bundle %s ID; diag bundle list",
                               a->name);
        if (words[0] && !bundle_info_id_is_valid(words[0]))
                return err_set(e, -EINVAL, "\"%s\" is not the id of a bundle", words[0]);
        c->id = words[0];
        return 0;
}

static int check_local(const struct bundle_call *c, const struct given *g, struct err *e)
{
        if (c->choice.nodes.n > 0)
                return err_set(e, -EINVAL, "--local is of this machine: --nodes is of no use");
        if (c->choice.id)
                return err_set(e, -EINVAL, "--local has no list of bundles: --id is of no use");
        if (g->whom.url)
                return err_set(e, -EINVAL, "--local asks nobody: --url is of no use");
        return 0;
}

static int check_call(struct bundle_call *c, const struct action *a, const struct given *g,
                      char *const *words, struct err *e)
{
        int r = check_id(c, a, words, e);

        if (r < 0)
                return r;
        if (g->takes & ~a->takes)
                return err_set(e, -EINVAL, "%s is not for diag bundle %s", g->last, a->name);
        r = bundle_choice_check(&c->choice, g->now_wall_usec, e);
        if (r == 0 && c->local)
                return check_local(c, g, e);
        if (r == 0)
                r = client_init(&c->client, &g->whom, e);
        return r;
}

static int complain_of_action(const char *who, const char *name)
{
        _cleanup_(buf_done) struct buf near = {0};
        struct suggestion s = {.wanted = name};

        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                suggestion_offer(&s, actions[i].name);
        suggestion_append(&s, &near);
        term_complain(who, "it cannot \"%s\"%s", name,
                      s.n > 0 ? buf_cstr(&near) : " (see diag bundle --help)");
        return EXIT_COULD_NOT;
}

/* @who: room for what it is called in complaints, once it is known */
static int run(struct bundle_call *c, struct given *g, char *const *words,
               char who[static NAME_MAX_BYTES], struct err *e)
{
        const struct action *a;

        if (!words[0]) {
                term_complain(c->who,
                              "say what to do: diag bundle create (see diag bundle --help)");
                return EXIT_COULD_NOT;
        }
        a = find_action(words[0]);
        if (!a)
                return complain_of_action(c->who, words[0]);
        (void)snprintf(who, NAME_MAX_BYTES, "%s %s", c->who, a->name);
        c->who = who;
        if (check_call(c, a, g, words + 1, e) == 0) {
                c->wait = c->wait || c->output;
                if (c->output && !c->choice.format)
                        c->choice.format = bundle_choice_guess_format(c->output);
                return a->run(c);
        }
        term_complain(c->who, "%s", e->text);
        return EXIT_COULD_NOT;
}

int cmd_bundle(int argc, char *argv[])
{
        char who[NAME_MAX_BYTES];
        struct bundle_call call = {.who = argv[0]};
        struct given g = {.whom.cluster = true, .now_wall_usec = now_wall_usec()};
        struct err e = {0};
        int status = EXIT_COULD_NOT;

        if (parse_options(&call, &g, argc, argv, &e) < 0) {
                if (*e.text)
                        term_complain(call.who, "%s", e.text);
        } else if (g.help) {
                print_help();
                status = 0;
        } else {
                status = run(&call, &g, argv + optind, who, &e);
        }
        bundle_choice_done(&call.choice);
        return status;
}
