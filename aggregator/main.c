/* diag-aggregatord(8): options, configuration, then aggregator_run(). */

#include <errno.h>

#include "aggregator/aggregator.h"
#include "base/command_line.h"
#include "base/loop.h"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_WRONG_CALL = 2 };

static const char help[] =
        "diag-aggregatord [OPTION…]\n"
        "\n"
        "Asks every node of a cluster for its health, and serves the health of the cluster over HTTP.\n"
        "\n"
        "  --config FILE         read FILE and FILE.d/*.conf (default: " AGGREGATOR_CONF_FILE ")\n"
        "  --check-config        read the configuration, say what is wrong with it, and stop\n"
        "  --listen ADDRESS      ADDR:PORT or unix:/PATH; repeatable, replaces the configured ones\n"
        "  --node ROLE=ADDRESS[:PORT]\n"
        "                        a node; repeatable, replaces the configured ones\n"
        "  --nodes-file FILE     more of them: one ROLE ADDRESS[:PORT] a line\n"
        "  --masters-expected N  how many masters there must be\n"
        "  --insecure            listen on other addresses than loopback, in plain text\n"
        "  --allow CIDR          who may ask there; repeatable, replaces the configured ones\n"
        "  --version, --help\n"
        "\n"
        "See diag-aggregatord(8) and diag-aggregatord.conf(5).\n";

static const struct command_option options[] = {
        {"listen",   "Listen", "Listen", true, NULL, NULL},
        {"node",  "Cluster", "Node", true, NULL, NULL},
        {"nodes-file",      "Cluster", "NodesFile", false, NULL, NULL},
        {"masters-expected",          "Cluster", "MastersExpected", false, NULL, NULL},
        {"insecure","Listen", "Insecure", false, "yes", NULL},
        {"allow",      "Listen", "AllowFrom", true, NULL, NULL},
        {0     },
};

static void say_error(const struct err *e, _unused_ void *userdata)
{
        log_error("%s", e->text);
}

/* Also what a reload does. */
static int load(struct aggregator_conf **ret, void *userdata)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *conf = aggregator_conf_new();
        int k;

        if (!conf) {
                log_error("out of memory");
                return -ENOMEM;
        }
        k = command_line_configure(userdata, AGGREGATOR_CONF_FILE, aggregator_conf_keys, conf);
        if (k >= 0)
                k = aggregator_conf_check(conf, say_error, NULL);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(conf);
        return 0;
}

static int run(struct aggregator_conf *taken, struct command_line *c)
{
        _cleanup_(aggregator_freep) struct aggregator *a = NULL;
        struct err e = {0};
        int k;

        loop_block_signals();
        k = aggregator_new(&a, taken, load, c, &e);
        if (k >= 0)
                k = aggregator_listen(a, &e);
        if (k < 0) {
                log_error("%s", e.text);
                return EXIT_FAILED;
        }
        return aggregator_run(a) >= 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *conf = NULL;
        struct command_line c = {
                .program = "diag-aggregatord",
                .version = DIAG_VERSION,
                .help = help,
                .options = options,
                .argc = argc,
                .argv = argv,
        };
        int status, k;

        log_open(c.program);
        if (!command_line_early(&c, &status))
                return status;
        k = load(&conf, &c);
        if (k < 0)
                return k == -ENOMEM ? EXIT_FAILED : EXIT_WRONG_CALL;
        log_set_level(conf->log_level);
        if (c.check_config)
                return EXIT_OK;
        return run(TAKE_PTR(conf), &c);
}
