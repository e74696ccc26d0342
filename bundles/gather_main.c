/* diag-gather: one bundle of the cluster, for diag-aggregatord; or one file of another master. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/parse.h"
#include "bundles/gather.h"
#include "bundles/gather_relay.h"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_WRONG_CALL = 2 };

/*
 * What decodes other machines' bytes shall not be able to take the daemon's memory with it: they have one limit in
 * common. (Sanitizers map more than that before main().)
 */
#define DATA_BYTES_MAX (UINT64_C(1) << 30)

/* As the collector has it. */
#define NICE 10

static const char help[] =
        "diag-gather DIRECTORY\n"
        "diag-gather --relay URL --from BYTE --bytes N [--ca FILE --cert FILE --key FILE]\n"
        "\n"
        "A part of diag-aggregatord, which starts it: makes the bundle that DIRECTORY describes, or writes a part of\n"
        "a bundle that another master has to standard output.\n"
        "\n"
        "  --version, --help\n";

static void limit_us(void)
{
        const struct rlimit no_core = {0, 0};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        const struct rlimit data = {DATA_BYTES_MAX, DATA_BYTES_MAX};

        (void)setrlimit(RLIMIT_DATA, &data);
#endif
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGPIPE, SIG_IGN);
}

/* A daemon that ends, however it ends, takes us along. */
static void die_with_parent(void)
{
        pid_t parent = getppid();

        (void)prctl(PR_SET_PDEATHSIG, SIGHUP);
        if (getppid() != parent) /* it was gone before we had said so */
                (void)raise(SIGHUP);
}

/* Decoding is work that can wait; our daemon, in the same control group, has people to answer meanwhile. */
static void let_others_first(void)
{
        (void)setpriority(PRIO_PROCESS, 0, NICE);
}

static int relay(const struct relay_order *order)
{
        struct err e = {0};

        if (gather_relay(order, &e) < 0) {
                log_error("%s", e.text);
                return EXIT_FAILED;
        }
        return EXIT_OK;
}

static int wrong_call(void)
{
        (void)fputs(help, stderr);
        return EXIT_WRONG_CALL;
}

int main(int argc, char **argv)
{
        enum { RELAY = 1, FROM, BYTES, CA, CERT, KEY, VERSION, HELP };
        static const struct option options[] = {
                {"relay",            required_argument, NULL, RELAY},
                {"from",              required_argument, NULL, FROM},
                {"bytes",                  required_argument, NULL, BYTES},
                {"ca",required_argument, NULL, CA},
                {"cert",              required_argument, NULL, CERT},
                {"key",            required_argument, NULL, KEY},
                {"version",              no_argument, NULL, VERSION},
                {"help",                  no_argument, NULL, HELP},
                {0             },
        };
        struct relay_order order = {0};
        int c, k = 0;

        log_open("diag-gather");
        while (k >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case RELAY:
                        order.url = optarg;
                        break;
                case FROM:
                        k = parse_u64(optarg, 0, INT64_MAX, &order.from);
                        break;
                case BYTES:
                        k = parse_u64(optarg, 0, INT64_MAX / 2, &order.n_bytes);
                        break;
                case CA:
                        order.ca_file = optarg;
                        break;
                case CERT:
                        order.cert_file = optarg;
                        break;
                case KEY:
                        order.key_file = optarg;
                        break;
                case VERSION:
                        (void)puts("diag-gather " DIAG_VERSION);
                        return EXIT_OK;
                case HELP:
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                default:
                        return EXIT_WRONG_CALL;
                }
        if (k < 0 || argc - optind != (order.url ? 0 : 1))
                return wrong_call();
        limit_us();
        die_with_parent();
        if (order.url)
                return relay(&order);
        let_others_first();
        return gather_run(argv[optind]);
}
