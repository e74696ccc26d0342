/* diag-agentd(8): options, configuration, then agent_run(). */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "agentd/agent.h"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_WRONG_CALL = 2 };

struct options {
        const char *config; /* NULL: the default one, which may be missing */
        bool check_config, once;
};

static const char help[] =
        "diag-agentd [OPTION…]\n"
        "\n"
        "Watches this node's systemd units and serves their health over HTTP.\n"
        "\n"
        "  --config FILE       read FILE and FILE.d/*.conf (default: " AGENT_CONF_FILE ")\n"
        "  --check-config      read the configuration, say what is wrong with it, and stop\n"
        "  --listen ADDRESS    ADDR:PORT or unix:/PATH; repeatable, replaces the configured ones\n"
        "  --role ROLE         master, agent or agent_public (default: agent)\n"
        "  --target NAME       watch what this target wants (default: dcos.target, and where there\n"
        "                      is none, the machine's default target)\n"
        "  --unit GLOB         watch this unit or these; repeatable, replaces the configured ones\n"
        "  --insecure          listen on other addresses than loopback, in plain text\n"
        "  --allow CIDR        who may ask there; repeatable, replaces the configured ones\n"
        "  --once              look once, print the report as JSON, and stop\n"
        "  --version, --help\n"
        "\n"
        "See diag-agentd(8) and diag-agentd.conf(5).\n";

enum option_code {
        OPT_CONFIG = 256,
        OPT_CHECK_CONFIG,
        OPT_ONCE,
        OPT_VERSION,
        OPT_HELP,
        OPT_FIRST_KEY, /* from here on: index into option_keys */
};

/* Options that are nothing but keys of the configuration. */
static const struct {
        const char *section, *key;
        bool is_list;      /* the first one on the command line replaces what files said */
        const char *value; /* of an option without argument */
} option_keys[] = {
        {"Listen", "Listen",    true,  NULL },
        {"Agent",  "Role",      false, NULL },
        {"Agent",  "Target",    false, NULL },
        {"Agent",  "Unit",      true,  NULL },
        {"Listen", "Insecure",  false, "yes"},
        {"Listen", "AllowFrom", true,  NULL },
};

static const struct option long_options[] = {
        {"config",          required_argument, NULL, OPT_CONFIG},
        {"check-config",             no_argument, NULL, OPT_CHECK_CONFIG},
        {"once",                 no_argument, NULL, OPT_ONCE},
        {"version",no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {"listen",            required_argument, NULL, OPT_FIRST_KEY},
        {"role",             required_argument, NULL, OPT_FIRST_KEY + 1},
        {"target",                 required_argument, NULL, OPT_FIRST_KEY + 2},
        {"unit",             required_argument, NULL, OPT_FIRST_KEY + 3},
        {"insecure",      no_argument, NULL, OPT_FIRST_KEY + 4},
        {"allow",            required_argument, NULL, OPT_FIRST_KEY + 5},
        {0            },
};

/* First pass: what has to be known before the files are read. Return: 0, or 1 to stop with *status. */
static int parse_early(int argc, char **argv, struct options *o, int *status)
{
        int c;

        while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
                switch (c) {
                case OPT_CONFIG:
                        o->config = optarg;
                        break;
                case OPT_CHECK_CONFIG:
                        o->check_config = true;
                        break;
                case OPT_ONCE:
                        o->once = true;
                        break;
                case OPT_VERSION:
                        *status = printf("diag-agentd %s\n", DIAG_VERSION) < 0;
                        return 1;
                case OPT_HELP:
                        *status = printf("%s", help) < 0;
                        return 1;
                case '?':
                        *status = EXIT_WRONG_CALL;
                        return 1;
                default:
                        break;
                }
        }
        if (optind < argc) {
                log_error("'%s' is no option of diag-agentd", argv[optind]);
                *status = EXIT_WRONG_CALL;
                return 1;
        }
        return 0;
}

/* Second pass: the command line wins over the files. */
static int parse_keys(int argc, char **argv, struct agent_conf *conf, struct err *e)
{
        bool replaced[ELEMENTSOF(option_keys)] = {false};
        int c, k = 0;

        optind = 1;
        while (k >= 0 && (c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
                size_t i = (size_t)(c - OPT_FIRST_KEY);

                if (c < OPT_FIRST_KEY)
                        continue;
                if (option_keys[i].is_list && !replaced[i]) {
                        replaced[i] = true;
                        k = conf_set(agent_conf_keys, conf, option_keys[i].section,
                                     option_keys[i].key, "", e);
                        if (k < 0)
                                return k;
                }
                k = conf_set(agent_conf_keys, conf, option_keys[i].section, option_keys[i].key,
                             option_keys[i].value ? option_keys[i].value : optarg, e);
        }
        return k;
}

static void say_error(const struct err *e, _unused_ void *userdata)
{
        log_error("%s", e->text);
}

/* How we were called: what a reload needs to read the configuration once more. */
struct call {
        int argc;
        char **argv;
        struct options options;
};

static int configure(const struct call *call, struct agent_conf *conf)
{
        const struct options *o = &call->options;
        struct err e = {0};
        int k;

        k = conf_load(o->config ? o->config : AGENT_CONF_FILE, o->config, agent_conf_keys, conf,
                      say_error, NULL);
        if (k < 0)
                return k; /* has been said */
        k = parse_keys(call->argc, call->argv, conf, &e);
        if (k < 0) {
                say_error(&e, NULL);
                return k;
        }
        return agent_conf_check(conf, say_error, NULL);
}

/* Threads inherit this: signals are for the loop alone. */
static void block_signals(void)
{
        sigset_t s;

        sigemptyset(&s);
        sigaddset(&s, SIGTERM);
        sigaddset(&s, SIGINT);
        sigaddset(&s, SIGHUP);
        sigaddset(&s, SIGCHLD);
        sigaddset(&s, SIGPIPE);
        (void)sigprocmask(SIG_BLOCK, &s, NULL);
}

static int look_once(struct agent *a, struct err *e)
{
        _cleanup_(buf_done) struct buf out = {0};
        int k = agent_look_once(a, &out, e);

        if (k >= 0 && (fwrite(out.data, 1, out.n, stdout) != out.n || fflush(stdout) != 0))
                return err_set(e, -EIO, "cannot write the report");
        return k;
}

static int load(struct agent_conf **ret, void *userdata)
{
        _cleanup_(agent_conf_freep) struct agent_conf *conf = agent_conf_new();
        int k;

        if (!conf) {
                log_error("out of memory");
                return -ENOMEM;
        }
        k = configure(userdata, conf);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(conf);
        return 0;
}

static int run(struct agent_conf *taken, struct call *call)
{
        _cleanup_(agent_freep) struct agent *a = NULL;
        bool once = call->options.once;
        struct err e = {0};
        int k;

        block_signals();
        k = agent_new(&a, taken, load, call, &e);
        if (k >= 0)
                k = once ? look_once(a, &e) : agent_listen(a, &e);
        if (k < 0) {
                log_error("%s", e.text);
                return EXIT_FAILED;
        }
        return once || agent_run(a) >= 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
        _cleanup_(agent_conf_freep) struct agent_conf *conf = NULL;
        struct call call = {.argc = argc, .argv = argv};
        bool quiet;
        int status, k;

        log_open("diag-agentd");
        if (parse_early(argc, argv, &call.options, &status) != 0)
                return status;
        k = load(&conf, &call);
        if (k < 0)
                return k == -ENOMEM ? EXIT_FAILED : EXIT_WRONG_CALL; /* another time it may work */
        quiet = call.options.once && conf->log_level == LEVEL_INFO;
        log_set_level(quiet ? LEVEL_WARNING : conf->log_level);
        if (call.options.check_config)
                return EXIT_OK;
        return run(TAKE_PTR(conf), &call);
}
