/*
 * diag forget: a node that will not come back. It is looked up first, so that what is asked about is
 * what is forgotten, whatever names there are.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/answer_json.h"
#include "cli/cluster_json.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/term.h"
#include "cli/verb.h"

#define NODES_PATH   "/system/health/v2/nodes/"
#define EXIT_REFUSED 1
#define EXIT_PARTIAL 4

struct forget {
        const char *who; /* in complaints */
        struct client client;
        const char *name;
        bool yes, json;
};

/* --- ask the master ------------------------------------------------------------------------------- */

/* Returns 0 with a body, or an exit status. */
static int call(const struct forget *f, const char *method, const char *name, struct buf *body)
{
        _cleanup_(buf_done) struct buf path = {0};
        struct err e = {0};
        unsigned status = 0;
        int r;

        buf_puts(&path, NODES_PATH);
        path_append_word(&path, name);
        r = client_call(&f->client, method, buf_cstr(&path), NULL, &status, body, &e);
        if (r != 0) {
                term_complain(f->who, "%s%s", e.text, client_advice(&f->client, r));
                return EXIT_COULD_NOT;
        }
        if (status == 200)
                return 0;
        refusal_complain(&(struct refusal){
                .who = f->who,
                .client = &f->client,
                .status = status,
                .body = body,
                .of = REFUSAL_OF_NODE,
                .name = f->name,
        });
        return EXIT_REFUSED;
}

static int say_misunderstood(const struct forget *f, const struct err *e)
{
        term_complain(f->who, "%s says what we do not understand: %s", f->client.who, e->text);
        return EXIT_COULD_NOT;
}

/* --- ask the person ------------------------------------------------------------------------------- */

static void put_question(struct buf *out, const struct cluster_node *n)
{
        text_append_clean(out, n->address);
        buf_puts(out, " (");
        text_append_clean(out, str_or(n->hostname, n->node_id));
        buf_puts(out, str_empty(n->role) ? "" : ", ");
        text_append_clean(out, n->role);
        buf_puts(out, "), ");
        text_append_clean(out, str_or(n->reach, "reach not known"));
        if (n->age_usec == USEC_INFINITY) {
                buf_puts(out, ", never heard");
        } else {
                buf_puts(out, ", last heard ");
                text_append_age(out, n->age_usec);
                buf_puts(out, " ago");
        }
        buf_puts(out, ": forget it? [y/N] ");
}

static bool person_says_yes(const struct cluster_node *n)
{
        _cleanup_(buf_done) struct buf question = {0};
        char answer[16];

        put_question(&question, n);
        (void)term_flush(STDERR_FILENO, &question);
        return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* Returns 0 with the id of who was meant, or an exit status. */
static int confirm(const struct forget *f, struct buf *ret_id)
{
        _cleanup_(buf_done) struct buf json = {.max = CLUSTER_JSON_MAX};
        _cleanup_(cluster_one_node_done) struct cluster_one_node node = {0};
        struct err e = {0};
        int status = call(f, "GET", f->name, &json);

        if (status != 0)
                return status;
        if (cluster_one_node_from_json(&node, buf_cstr(&json), json.n, &e) < 0)
                return say_misunderstood(f, &e);
        if (!person_says_yes(&node.row)) {
                term_complain(f->who, "nothing has changed");
                return EXIT_REFUSED;
        }
        buf_puts(ret_id, path_is_name(node.row.node_id) ? node.row.node_id : f->name);
        return 0;
}

/* --- forget --------------------------------------------------------------------------------------- */

static void put_outcome(struct buf *out, const struct forget *f, const struct answer *a)
{
        text_append_clean(out, str_or(a->address, f->name));
        buf_puts(out, " is forgotten");
        for (size_t i = 0; i < a->not_reached.n; i++) {
                buf_puts(out, i == 0 ? "; not told, because they do not answer: " : ", ");
                text_append_clean(out, a->not_reached.s[i]);
        }
        if (a->not_reached.n > 0)
                buf_puts(out, " (they may still know it: say it again when they are back)");
        buf_putc(out, '\n');
}

static int say(const struct forget *f, const struct buf *json)
{
        _cleanup_(answer_done) struct answer a = {0};
        _cleanup_(buf_done) struct buf out = {0};
        struct err e = {0};
        int r;

        if (answer_from_json(&a, buf_cstr(json), json->n, &e) < 0)
                return say_misunderstood(f, &e);
        if (f->json)
                buf_append(&out, json->data, json->n);
        else
                put_outcome(&out, f, &a);
        r = term_flush(STDOUT_FILENO, &out);
        if (r < 0) {
                term_complain(f->who, "cannot write: %s", strerror(-r));
                return EXIT_COULD_NOT;
        }
        return a.not_reached.n > 0 ? EXIT_PARTIAL : 0;
}

static int forget(const struct forget *f)
{
        _cleanup_(buf_done) struct buf id = {0}, json = {.max = ANSWER_JSON_MAX};
        int status;

        if (f->yes)
                buf_puts(&id, f->name);
        status = f->yes ? 0 : confirm(f, &id);
        if (status == 0)
                status = call(f, "DELETE", buf_cstr(&id), &json);
        return status == 0 ? say(f, &json) : status;
}

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag forget NODE [OPTION...] - a node that is gone, and will not come back\n"
               "\n"
               "  -y, --yes          do not ask back\n"
               "      --json         print what the master says, as it says it (API v2)\n" CLIENT_CLUSTER_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "NODE is an address, a hostname or an id. Who is forgotten and comes back is found again.\n"
               "Exit status: 0 done, 1 refused, 2 could not ask, 4 done, but not all masters know.\n"
               "See diag(1).\n");
}

enum { OPTION_JSON = 256 };

static const struct option options[] = {
        {"yes",  no_argument, NULL, 'y'        },
        {"json", no_argument, NULL, OPTION_JSON},
        CLIENT_LONG_OPTIONS,
        {"help", no_argument, NULL, 'h'        },
        {NULL,   0,           NULL, 0          },
};

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct forget *f, struct client_options *whom, int argc, char *argv[])
{
        int c;

        while ((c = getopt_long(argc, argv, "hy", options, NULL)) >= 0)
                switch (c) {
                case 'y':
                        f->yes = true;
                        break;
                case OPTION_JSON:
                        f->json = true;
                        break;
                case 'h':
                        print_help();
                        return 0;
                default:
                        if (!client_options_take(whom, c, optarg))
                                return EXIT_COULD_NOT;
                }
        return -1;
}

static void check_call(struct forget *f, int argc, char *argv[], struct err *e)
{
        if (argc - optind != 1 || !path_is_name(argv[optind]))
                err_set(e, -EINVAL, "say which node: an address, a hostname or an id");
        else if (!f->yes && !isatty(STDIN_FILENO))
                err_set(e, -EINVAL, "there is nobody to ask back: --yes if you are sure");
        else
                f->name = argv[optind];
}

int cmd_forget(int argc, char *argv[])
{
        struct forget f = {.who = argv[0]};
        struct client_options whom = {.cluster = true};
        struct err e = {0};
        int status = parse_options(&f, &whom, argc, argv);

        if (status >= 0)
                return status;
        check_call(&f, argc, argv, &e);
        if (f.name && client_init(&f.client, &whom, &e) >= 0)
                return forget(&f);
        term_complain(f.who, "%s", e.text);
        return EXIT_COULD_NOT;
}
