/* diag: finds the verb, and lets it run. */

#include <getopt.h>
#include <locale.h>
#include <stdio.h>

#include "cli/suggest.h"
#include "cli/term.h"
#include "cli/verb.h"

#define VERB_NAME_MAX 64u

static verb_fn cmd_help, cmd_version;

static const struct verb {
        const char *name;
        verb_fn *run;
        const char *arguments, *summary;
} verbs[] = {
        {"status",      cmd_status,      "[COMPONENT...]",      "how this machine is, and why"          },
        {"cluster",     cmd_cluster,     "",                    "how the cluster is, and why"           },
        {"nodes",       cmd_nodes,       "",                    "its nodes, the worst first"            },
        {"node",        cmd_node,        "NODE",                "one of them"                           },
        {"units",       cmd_units,       "",                    "the components of all nodes"           },
        {"unit",        cmd_unit,        "NAME",                "one of them, on every node"            },
        {"forget",      cmd_forget,      "NODE",                "a node is gone, and will not come back"},
        {"maintenance", cmd_maintenance, "[start|stop] [NODE]",
         "somebody works on this machine, or on NODE"                                                   },
        {"bundle",      cmd_bundle,      "create|list|...",     "all that support needs, in one file"   },
        {"cert",        cmd_cert,        "ca|node|show",        "who may ask and answer whom, over TLS" },
        {"version",     cmd_version,     "",                    "which diag this is"                    },
        {"help",        cmd_help,        "",                    "this text"                             },
};

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verbs[i].name, name))
                        return &verbs[i];
        return NULL;
}

static int complain_about(const char *name)
{
        _cleanup_(buf_done) struct buf near = {0};
        struct suggestion s = {.wanted = name};

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                suggestion_offer(&s, verbs[i].name);
        suggestion_append(&s, &near);
        term_complain("diag", "it has no verb \"%s\"%s", name,
                      s.n > 0 ? buf_cstr(&near) : " (see diag --help)");
        return EXIT_COULD_NOT;
}

static int run_verb(int argc, char *argv[])
{
        const struct verb *v = find_verb(argv[0]);
        char name[VERB_NAME_MAX];

        if (!v)
                return complain_about(argv[0]);
        (void)snprintf(name, sizeof(name), "diag %s", v->name);
        argv[0] = name;
        optind = 0; /* getopt_long() begins anew */
        return v->run(argc, argv);
}

static bool has_arguments(int argc, char *argv[])
{
        if (argc > 1)
                term_complain(argv[0], "it takes no arguments");
        return argc > 1;
}

static int cmd_help(int argc, char *argv[])
{
        if (has_arguments(argc, argv))
                return EXIT_COULD_NOT;
        printf("diag - how this machine is, as systemd sees it, and the cluster it is in\n"
               "\n"
               "diag [--help] [--version] VERB [OPTION...] [ARGUMENT...]\n"
               "\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-11s %-19s  %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        printf("\n"
               "diag VERB --help lists the options of a verb.\n"
               "Whom to ask: --url URL of a verb, else $DIAG_URL, else this machine; about the\n"
               "cluster that has to be a master.\n"
               "Exit status: 0 healthy or done, 1 unhealthy or refused, 2 could not ask, 3 unknown,\n"
               "4 partly done.\n"
               "See diag(1).\n");
        return 0;
}

static int cmd_version(int argc, char *argv[])
{
        if (has_arguments(argc, argv))
                return EXIT_COULD_NOT;
        printf("diag %s\n", DIAG_VERSION);
        return 0;
}

int main(int argc, char *argv[])
{
        static const struct option options[] = {
                {"help",    no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {NULL,      0,           NULL, 0  },
        };
        int c;

        /* Reports are UTF-8, and how wide their characters are is in any UTF-8 locale's tables. */
        (void)setlocale(LC_CTYPE, "C.UTF-8");
        while ((c = getopt_long(argc, argv, "+hV", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return cmd_help(0, NULL);
                case 'V':
                        return cmd_version(0, NULL);
                default:
                        return EXIT_COULD_NOT;
                }
        if (optind == argc) {
                term_complain("diag", "say what to do: diag status (see diag --help)");
                return EXIT_COULD_NOT;
        }
        return run_verb(argc - optind, argv + optind);
}
