/*
 * diag maintenance: say that somebody works on a machine, take it back, or ask. The daemon keeps it and
 * ends it, so without one there is nobody to tell. Of another machine a master is told, who passes it on,
 * or holds it himself for one that does not answer.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"
#include "cli/answer_json.h"
#include "cli/client.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/term.h"
#include "cli/verb.h"

#define BASE         "/system/health/v2"
#define EXIT_REFUSED 1

struct call {
        const char *who; /* in complaints */
        struct client client;
        const char *node;            /* NULL: this machine */
        const char *length, *reason; /* --for and --reason; NULL: not given */
        uint64_t for_usec;
        bool json;
};

/* --- say ------------------------------------------------------------------------------------------ */

static void put_json(struct buf *out, const struct diag_maintenance *m)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_key(&w, "maintenance");
        diag_maintenance_write(&w, m);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

static void put_text(struct buf *out, const struct diag_maintenance *m, uint64_t now_wall_usec)
{
        if (!m) {
                buf_puts(out, "no maintenance\n");
                return;
        }
        buf_puts(out, "maintenance until ");
        text_append_moment(out, now_wall_usec, m->until_wall_usec);
        buf_puts(out, ", by ");
        text_append_clean(out, m->by);
        buf_puts(out, ": ");
        text_append_clean(out, m->reason);
        buf_putc(out, '\n');
}

/* Returns an exit status. */
static int say(const struct call *c, const struct diag_maintenance *m, uint64_t now_wall_usec)
{
        _cleanup_(buf_done) struct buf out = {0};
        int r;

        if (c->json)
                put_json(&out, m);
        else
                put_text(&out, m, now_wall_usec);
        r = term_flush(STDOUT_FILENO, &out);
        if (r < 0)
                term_complain(c->who, "cannot write: %s", strerror(-r));
        return r < 0 ? EXIT_COULD_NOT : 0;
}

/* @r: what the client returned */
static int say_failure(const struct call *c, int r, const struct err *e)
{
        term_complain(c->who, "%s%s", e->text,
                      r == CLIENT_NOBODY && !c->node ? "; maintenance needs the running daemon"
                                                     : client_advice(&c->client, r));
        return EXIT_COULD_NOT;
}

/* The master's words stand for themselves, and he may not know whom we mean. */
static int say_refusal_of_master(const struct call *c, unsigned status, const struct buf *body)
{
        refusal_complain(&(struct refusal){
                .who = c->who,
                .client = &c->client,
                .status = status,
                .body = body,
                .of = REFUSAL_OF_NODE,
                .name = c->node,
        });
        return EXIT_REFUSED;
}

/* Who may is decided by who asks over the machine's own socket; over TCP it is nobody. A daemon that
 * gives a reason says itself what to do. */
static int say_refusal(const struct call *c, unsigned status, const struct answer *a)
{
        const char *hint = "";

        if (status == 403 && str_empty(a->error))
                hint = *c->client.socket_path
                               ? "; run it as root or as a member of group diag"
                               : "; run it on that machine, as root or as a member of group diag";
        term_complain(c->who, "%s refused (status %u): %s%s", c->client.who, status,
                      str_or(a->error, client_status_meaning(status)), hint);
        return EXIT_REFUSED;
}

/* --- ask ------------------------------------------------------------------------------------------ */

static int handle_answer(const struct call *c, unsigned status, const struct buf *body)
{
        _cleanup_(answer_done) struct answer a = {0};
        struct err e = {0};
        int r = answer_from_json(&a, buf_cstr(body), body->n, &e);

        if (status != 200)
                return c->node ? say_refusal_of_master(c, status, body)
                               : say_refusal(c, status, &a);
        if (r >= 0 && !a.tells_maintenance)
                r = err_set(&e, -EBADMSG, "there is no maintenance in it");
        if (r < 0) {
                term_complain(c->who, "%s says what we do not understand: %s", c->client.who,
                              e.text);
                return EXIT_COULD_NOT;
        }
        if (c->node && streq(a.held_by, "aggregator"))
                term_complain(c->who, "%s cannot be told itself: %s", c->node,
                              a.maintenance ? "the masters hold it instead"
                                            : "one that it holds itself goes on");
        return say(c, a.maintenance, now_wall_usec());
}

static int tell(const struct call *c, const char *method, const struct buf *request)
{
        _cleanup_(buf_done) struct buf body = {.max = ANSWER_JSON_MAX}, path = {0};
        struct err e = {0};
        unsigned status = 0;
        int r;

        buf_puts(&path, c->node ? BASE "/nodes/" : BASE "/node");
        path_append_word(&path, str_or(c->node, ""));
        buf_puts(&path, "/maintenance");
        r = client_call(&c->client, method, buf_cstr(&path), request, &status, &body, &e);
        return r == 0 ? handle_answer(c, status, &body) : say_failure(c, r, &e);
}

static int start(const struct call *c)
{
        _cleanup_(buf_done) struct buf request = {0};
        struct json_writer w = {.out = &request};

        /* The daemon judges: here it is enough that nothing is lost on the way. */
        jw_begin_object(&w);
        jw_member_uint(&w, "for_seconds",
                       c->for_usec / USEC_PER_SEC + (c->for_usec % USEC_PER_SEC > 0));
        jw_member_string(&w, "reason", c->reason);
        jw_end_object(&w);
        if (request.error) {
                term_complain(c->who, "%s", strerror(-request.error));
                return EXIT_COULD_NOT;
        }
        return tell(c, "PUT", &request);
}

static int stop(const struct call *c)
{
        return tell(c, "DELETE", NULL);
}

static int show(const struct call *c)
{
        _cleanup_(client_node_done) struct client_node node = {0};
        struct err e = {0};
        int r = client_ask_node(&c->client, NULL, &node, &e);

        if (r != 0)
                return say_failure(c, r, &e);
        return say(c, node.report->maintenance,
                   node.moment.now_wall_usec ? node.moment.now_wall_usec : now_wall_usec());
}

static const struct action {
        const char *name;
        bool takes_options;
        int (*run)(const struct call *c);
} actions[] = {
        {"start", true,  start},
        {"stop",  false, stop },
};

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag maintenance [OPTION...] - does somebody work on this machine?\n"
               "diag maintenance start [NODE] --for TIME --reason TEXT [OPTION...] - somebody does\n"
               "diag maintenance stop [NODE] [OPTION...] - nobody does any more\n"
               "\n"
               "      --for TIME     when it ends by itself: 30min, 2h, 1d 12h; 7d at most\n"
               "      --reason TEXT  why, in one line\n"
               "      --json         print it as JSON\n" CLIENT_OPTIONS_HELP
               "  -h, --help         this text\n"
               "\n"
               "With NODE, an address, a hostname or an id, a master is told about that node; by\n"
               "default this one: " CLIENT_CLUSTER ".\n"
               "What is unhealthy meanwhile stays so, and is acknowledged. To start and stop it takes\n"
               "root or a member of group diag.\n"
               "Exit status: 0 done, 1 refused, 2 could not ask. See diag(1).\n");
}

enum { OPTION_FOR = 256, OPTION_REASON, OPTION_JSON };

static const struct option options[] = {
        {"for",    required_argument, NULL, OPTION_FOR   },
        {"reason", required_argument, NULL, OPTION_REASON},
        {"json",   no_argument,       NULL, OPTION_JSON  },
        CLIENT_LONG_OPTIONS,
        {"help",   no_argument,       NULL, 'h'          },
        {NULL,     0,                 NULL, 0            },
};

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct call *call, struct client_options *whom, int argc, char *argv[])
{
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case OPTION_FOR:
                        call->length = optarg;
                        break;
                case OPTION_REASON:
                        call->reason = optarg;
                        break;
                case OPTION_JSON:
                        call->json = true;
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

static const struct action *find_action(const char *name)
{
        static const struct action without = {"", false, show};

        if (!name)
                return &without;
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].name, name))
                        return &actions[i];
        return NULL;
}

static void check_start(struct call *c, struct err *e)
{
        if (!c->length || str_empty(c->reason))
                err_set(e, -EINVAL, "say for how long and why: start --for 2h --reason \"…\"");
        else if (parse_duration(c->length, &c->for_usec) < 0)
                err_set(e, -EINVAL, "--for \"%s\" is not a time such as 30min or 2h", c->length);
}

/* @words: what is left of the command line, up to a NULL. Returns what to do, NULL: see @e. */
static const struct action *check_call(struct call *c, char *const *words, struct err *e)
{
        const struct action *a = find_action(words[0]);

        if (!a)
                err_set(e, -EINVAL, "\"%s\" is neither start nor stop", words[0]);
        else if (words[0] && words[1] && words[2])
                err_set(e, -EINVAL, "what is \"%s\"?", words[2]);
        else if (words[0] && words[1] && !path_is_name(words[1]))
                err_set(e, -EINVAL, "\"%s\" is not the name of a node", words[1]);
        else if (a->takes_options)
                check_start(c, e);
        else if (c->length || c->reason)
                err_set(e, -EINVAL, "--for and --reason are for start");
        if (e->code)
                return NULL;
        c->node = words[0] ? words[1] : NULL;
        return a;
}

int cmd_maintenance(int argc, char *argv[])
{
        struct call call = {.who = argv[0]};
        const struct action *action;
        struct client_options whom = {0};
        struct err e = {0};
        int status = parse_options(&call, &whom, argc, argv);

        if (status >= 0)
                return status;
        action = check_call(&call, argv + optind, &e);
        whom.cluster = call.node != NULL;
        if (action && client_init(&call.client, &whom, &e) >= 0)
                return action->run(&call);
        term_complain(call.who, "%s", e.text);
        return EXIT_COULD_NOT;
}
