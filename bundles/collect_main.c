/* diag-collect(8): started by PID 1 for the node daemon, or by hand on a node. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mono.h"
#include "base/parse.h"
#include "bundles/collect_local.h"
#include "bundles/collect_serve.h"

static const char help[] =
        "diag-collect --serve\n"
        "diag-collect --local [OPTION…]\n"
        "diag-collect --list | --estimate | --check-config [OPTION…]\n"
        "\n"
        "Gathers what support needs from this node into one archive, without its secrets.\n"
        "\n"
        "  --local             write a bundle of this node; no daemon has to run\n"
        "  -o, --output FILE   where (default: diag-HOST-TIME.FORMAT here)\n"
        "  --format FORMAT     tar.zst (default), tar.gz or zip\n"
        "  --since TIME        of journals: 24h (default), or 2026-11-21T00:04:07Z\n"
        "  --until TIME        likewise; default: now\n"
        "  --only KIND,…       journal, file, command, http, systemd, host, health; repeatable\n"
        "  --role ROLE         master, agent, agent_public (default: what the node daemon says)\n"
        "  --address ADDRESS   how the node is called in the bundle (likewise)\n"
        "  --no-redact         keep secrets; needs AllowUnredacted=yes in " COLLECT_CONF_FILE "\n"
        "  --json              say the result, or what went wrong, as JSON\n"
        "  --quiet, --verbose  say nothing meanwhile; a line for each source\n"
        "  --list              what would be collected, as JSON\n"
        "  --estimate          how large it would be, as JSON\n"
        "  --serve             answer on the socket that is standard input\n"
        "  --config FILE       read FILE and FILE.d/*.conf (default: " COLLECT_CONF_FILE ")\n"
        "  --check-config      read all configuration, say what is wrong with it, and stop\n"
        "  --version, --help\n"
        "\n"
        "Exit status: 0 whole, 1 failed, 2 wrong call, 4 something is missing.\n"
        "See diag-collect(8) and diag-collect.conf(5).\n";

enum action { ACTION_NONE, ACTION_LOCAL, ACTION_SERVE, ACTION_LIST, ACTION_ESTIMATE, ACTION_CHECK };

enum option_code {
        OPT_FORMAT = 256,
        OPT_SINCE,
        OPT_UNTIL,
        OPT_ONLY,
        OPT_ROLE,
        OPT_ADDRESS,
        OPT_NO_REDACT,
        OPT_JSON,
        OPT_QUIET,
        OPT_VERBOSE,
        OPT_CONFIG,
        OPT_VERSION,
        OPT_HELP,
        OPT_ACTION, /* and those behind it: an enum action */
};

static const struct option table[] = {
        {"output",           required_argument, NULL, 'o'},
        {"format",              required_argument, NULL, OPT_FORMAT},
        {"since",                  required_argument, NULL, OPT_SINCE},
        {"until",required_argument, NULL, OPT_UNTIL},
        {"only",        required_argument, NULL, OPT_ONLY},
        {"role",            required_argument, NULL, OPT_ROLE},
        {"address",              required_argument, NULL, OPT_ADDRESS},
        {"no-redact",                  no_argument, NULL, OPT_NO_REDACT},
        {"json",              no_argument, NULL, OPT_JSON},
        {"quiet",         no_argument, NULL, OPT_QUIET},
        {"verbose",             no_argument, NULL, OPT_VERBOSE},
        {"config",              required_argument, NULL, OPT_CONFIG},
        {"version",                  no_argument, NULL, OPT_VERSION},
        {"help",no_argument, NULL, OPT_HELP},
        {"local",          no_argument, NULL, OPT_ACTION + ACTION_LOCAL},
        {"serve",          no_argument, NULL, OPT_ACTION + ACTION_SERVE},
        {"list",              no_argument, NULL, OPT_ACTION + ACTION_LIST},
        {"estimate",                  no_argument, NULL, OPT_ACTION + ACTION_ESTIMATE},
        {"check-config",no_argument, NULL, OPT_ACTION + ACTION_CHECK},
        {0    },
};

struct call {
        enum action action;
        const char *config;
        struct collect_local local;
        struct collect_conf conf;
        struct collect_terms terms;
};

static void call_done(struct call *c)
{
        collect_conf_done(&c->conf);
        collect_request_done(&c->local.request);
}

/* --- the words of the call --------------------------------------------------------------------------------------- */

/* "24h" is that long ago. */
static int take_time(uint64_t *ret, const char *option, const char *s, struct err *e)
{
        uint64_t ago, now = now_wall_usec();

        if (rfc3339_parse(ret, s) >= 0)
                return 0;
        if (parse_duration(s, &ago) < 0)
                return err_set(e, -EINVAL,
                               "--%s %s: neither a duration like 24h nor a time like "
                               "2026-11-21T00:04:07Z",
                               option, s);
        *ret = ago < now ? now - ago : 1;
        return 0;
}

static int take_kinds(unsigned *kinds, const char *s, struct err *e)
{
        char word[32];

        for (; *s; s += strcspn(s, ","), s += *s == ',') {
                enum source_kind kind;
                size_t n = strcspn(s, ",");

                (void)snprintf(word, sizeof(word), "%.*s", (int)n, s);
                if (n >= sizeof(word) || source_kind_from_string(&kind, word) < 0)
                        return err_set(e, -EINVAL, "--only %s: no such kind", word);
                *kinds |= SOURCE_KIND_BIT(kind);
        }
        return 0;
}

static int take_action(struct call *c, enum action action, struct err *e)
{
        if (c->action != ACTION_NONE && c->action != action)
                return err_set(e, -EINVAL, "more than one thing to do");
        c->action = action;
        return 0;
}

static int take_format(struct call *c, const char *s, struct err *e)
{
        return archive_format_from_string(&c->local.request.format, s) < 0
                       ? err_set(e, -EINVAL, "--format %s: tar.zst, tar.gz or zip", s)
                       : 0;
}

/* Return: 0; 1: that was all; -EINVAL with @e, whose text may be empty: it has been said. */
static int take_option(struct call *c, int code, const char *value, struct err *e)
{
        struct collect_local *l = &c->local;

        switch (code) {
        case 'o':
                l->output = value;
                return 0;
        case OPT_FORMAT:
                return take_format(c, value, e);
        case OPT_SINCE:
                return take_time(&l->request.since_wall_usec, "since", value, e);
        case OPT_UNTIL:
                return take_time(&l->request.until_wall_usec, "until", value, e);
        case OPT_ONLY:
                return take_kinds(&l->request.kinds, value, e);
        case OPT_ROLE:
                l->role = value;
                return 0;
        case OPT_ADDRESS:
                l->address = value;
                return 0;
        case OPT_NO_REDACT:
                l->request.no_redact = true;
                return 0;
        case OPT_JSON:
                l->json = true;
                return 0;
        case OPT_QUIET:
                l->quiet = true;
                return 0;
        case OPT_VERBOSE:
                l->verbose = true;
                return 0;
        case OPT_CONFIG:
                c->config = value;
                return 0;
        case OPT_VERSION:
                return printf("diag-collect %s\n", DIAG_VERSION) < 0 ? -EINVAL : 1;
        case OPT_HELP:
                return printf("%s", help) < 0 ? -EINVAL : 1;
        case '?':
                return -EINVAL;
        default:
                return take_action(c, (enum action)(code - OPT_ACTION), e);
        }
}

static int check_call(const struct call *c, struct err *e)
{
        const struct collect_request *q = &c->local.request;

        if (c->action == ACTION_NONE)
                return err_set(e, -EINVAL, "nothing to do; see --help");
        if (q->since_wall_usec && q->until_wall_usec && q->until_wall_usec < q->since_wall_usec)
                return err_set(e, -EINVAL, "--until is before --since");
        return 0;
}

static int parse_call(struct call *c, int argc, char **argv, struct err *e)
{
        int code, k = 0;

        while (k == 0 && (code = getopt_long(argc, argv, "o:", table, NULL)) != -1)
                k = take_option(c, code, optarg, e);
        if (k != 0)
                return k;
        if (optind < argc)
                return err_set(e, -EINVAL, "%s: no such option", argv[optind]);
        return check_call(c, e);
}

/* --- doing it ---------------------------------------------------------------------------------------------------- */

static void say(const struct err *e, _unused_ void *userdata)
{
        log_error("%s", e->text);
}

static int check_config(struct call *c)
{
        static const char *const directories[] = {COLLECT_RULE_DIRECTORIES, NULL};
        struct redact_rules *rules = NULL;
        struct plan *plan = NULL;
        struct err e = {0};
        bool fine = true;

        if (collect_conf_plan(&plan, &c->conf, NULL, &e) < 0) {
                log_error("%s", e.text);
                fine = false;
        }
        if (redact_rules_load(&rules, directories, true, &e) < 0) {
                log_error("%s", e.text);
                fine = false;
        }
        if (plan && plan->warnings)
                (void)fputs(plan->warnings, stderr);
        redact_rules_free(rules);
        plan_free(plan);
        return fine ? COLLECT_EXIT_WHOLE : COLLECT_EXIT_WRONG_CALL;
}

/* As standard input, from diag-collect@.service; or among the sockets that we were passed. */
static int serve(struct call *c)
{
        struct err e = {0};
        int first = STDIN_FILENO;

        if (loop_listen_fds(&first) <= 0)
                first = STDIN_FILENO;
        if (collect_serve(first, &c->terms, c->config, &e) < 0) {
                log_error("%s", e.text);
                return COLLECT_EXIT_FAILED;
        }
        return COLLECT_EXIT_WHOLE;
}

static int act(struct call *c)
{
        int k;

        if (c->action == ACTION_SERVE)
                return serve(c);
        k = collect_conf_init(&c->conf);
        if (k >= 0)
                k = collect_conf_load(&c->conf, c->config, true, say, NULL, NULL);
        if (k < 0)
                return k == -ENOMEM ? COLLECT_EXIT_FAILED : COLLECT_EXIT_WRONG_CALL;
        c->terms.conf = &c->conf;
        c->local.request.op = c->action == ACTION_LIST       ? COLLECT_LIST
                              : c->action == ACTION_ESTIMATE ? COLLECT_ESTIMATE
                                                             : COLLECT_ARCHIVE;
        switch (c->action) {
        case ACTION_CHECK:
                return check_config(c);
        case ACTION_LOCAL:
                return collect_local_run(&c->local, &c->terms);
        default:
                return collect_local_say(&c->local, &c->terms);
        }
}

int main(int argc, char **argv)
{
        _cleanup_(call_done) struct call c = {
                .config = COLLECT_CONF_FILE,
                .terms = {.root_owned = true, .agent_program = DIAG_AGENTD, .cancel_fd = -1},
        };
        struct err e = {0};
        int k;

        log_open("diag-collect");
        (void)signal(SIGPIPE, SIG_IGN);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a command leaves behind, comes to us */
        k = parse_call(&c, argc, argv, &e);
        if (k > 0)
                return COLLECT_EXIT_WHOLE;
        if (k < 0) {
                if (*e.text)
                        log_error("%s", e.text);
                return COLLECT_EXIT_WRONG_CALL;
        }
        return act(&c);
}
