/* diag-agentd(8): options, configuration, then agent_run(). */

#include <errno.h>
#include <stdio.h>

#include "agentd/agent.h"
#include "base/command_line.h"
#include "base/loop.h"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_WRONG_CALL = 2 };

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

static bool once;

static const struct command_option options[] = {
        {"listen",  "Listen", "Listen", true, NULL, NULL},
        {"role", "Agent", "Role", false, NULL, NULL},
        {"target",     "Agent", "Target", false, NULL, NULL},
        {"unit",         "Agent", "Unit", true, NULL, NULL},
        {"insecure",  "Listen", "Insecure", false, "yes", NULL},
        {"allow",    "Listen", "AllowFrom", true, NULL, NULL},
        {"once",     NULL, NULL, false, NULL, &once},
        {0 },
};

static void say_error(const struct err *e, _unused_ void *userdata)
{
        log_error("%s", e->text);
}

/* Also what a reload does. */
static int configure(const struct command_line *c, struct agent_conf *conf)
{
        int k = command_line_configure(c, AGENT_CONF_FILE, agent_conf_keys, conf);

        return k < 0 ? k : agent_conf_check(conf, say_error, NULL);
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

static int run(struct agent_conf *taken, struct command_line *c)
{
        _cleanup_(agent_freep) struct agent *a = NULL;
        struct err e = {0};
        int k;

        loop_block_signals();
        k = agent_new(&a, taken, load, c, &e);
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
        struct command_line c = {
                .program = "diag-agentd",
                .version = DIAG_VERSION,
                .help = help,
                .options = options,
                .argc = argc,
                .argv = argv,
        };
        bool quiet;
        int status, k;

        log_open(c.program);
        if (!command_line_early(&c, &status))
                return status;
        k = load(&conf, &c);
        if (k < 0)
                return k == -ENOMEM ? EXIT_FAILED : EXIT_WRONG_CALL; /* another time it may work */
        quiet = once && conf->log_level == LEVEL_INFO;
        log_set_level(quiet ? LEVEL_WARNING : conf->log_level);
        if (c.check_config)
                return EXIT_OK;
        return run(TAKE_PTR(conf), &c);
}
