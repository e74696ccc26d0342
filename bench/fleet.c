/*
 * A fleet of nodes in one process, for those who measure who asks them:
 *
 *     fleet NODES PORT [--masters N] [--public N] [--v1] [--tls DIR] [--nodes-file FILE] [--net NET]
 *
 * Node i listens on fleet_address(i): 127.1.0.1 and on, or NET.0.1; the first ones are masters, the last ones public
 * agents. --tls makes a CA and a certificate for each node, and writes what a client needs to DIR. FILE
 * gets a line "ROLE ADDRESS:PORT" for each node. Commands come on stdin, one a line; each is answered by
 * a line: "ok", CLOCK_MONOTONIC in nanoseconds just before it took effect, figures if any; or "no" and why.
 *
 *     fail NODES UNIT      unit number UNIT of these nodes has failed; NODES: "7", "3-99", "3-99/10", "all"
 *     heal NODES           all of their units are well
 *     mode NODES MODE      ok v1 frozen flood redirect garbage empty stale hot half impostor
 *     drop NODES           reset their connections
 *     restart NODES        the same, and it was the daemon: another instance
 *     boot NODES           the same, and it was the machine
 *     goodbye NODES        the machine is going down
 *     churn RATE NODES     so many changes a second of any of these; 0 ends it
 *     mark                 count anew which nodes have answered
 *     stats                what happened since the start, and since the mark
 *
 * It ends when stdin does. Unlike the real daemon, it does not let a burst of changes end (50 ms), and
 * damps nothing.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "bench/ask.h"
#include "bench/fleet_certs.h"
#include "bench/fleet_server.h"

#define LINE_MAX_BYTES 256u
#define FAILING_MAX    64u /* of those that churn, at once */
#define NSEC_PER_SEC   UINT64_C(1000000000)

struct range {
        size_t first, last, step;
};

/* Random changes: of FAILING_MAX nodes, the one that has failed for the longest is healed. */
struct churn {
        uint64_t rate, next_nsec, random, n_done;
        struct range nodes;
        size_t failing[FAILING_MAX], n_failing;
};

struct fleet {
        struct fleet_node *nodes;
        size_t n_nodes;
        struct fleet_server *server;
        struct churn churn;
        char line[LINE_MAX_BYTES];
        size_t n_line;
        bool ended;
};

struct options {
        uint64_t n_nodes, port, n_masters, n_public;
        bool v1;
        const char *tls_dir, *nodes_file;
};

/* --- commands ------------------------------------------------------------------------------------ */

static int parse_range(const struct fleet *f, char *s, struct range *ret)
{
        uint64_t first, last, step = 1;
        char *dash = strchr(s, '-'), *slash = strchr(s, '/');

        *ret = (struct range){0, f->n_nodes - 1, 1};
        if (streq(s, "all"))
                return 0;
        if (slash)
                *slash++ = '\0';
        if (dash)
                *dash++ = '\0';
        if (parse_u64(s, 0, f->n_nodes - 1, &first) < 0 ||
            parse_u64(dash ? dash : s, first, f->n_nodes - 1, &last) < 0 ||
            (slash && parse_u64(slash, 1, f->n_nodes, &step) < 0))
                return -EINVAL;
        *ret = (struct range){first, last, step};
        return 0;
}

static int fail(struct fleet *f, struct fleet_node *n, const char *word)
{
        uint64_t unit;

        if (parse_u64(word, 0, FLEET_UNITS - 1, &unit) < 0)
                return -EINVAL;
        if (fleet_node_set_unit(n, unit, true))
                fleet_server_changed(f->server, n);
        return 0;
}

static int heal(struct fleet *f, struct fleet_node *n, const char *word)
{
        bool changed = false;

        (void)word;
        for (size_t i = 0; i < FLEET_UNITS; i++)
                changed |= fleet_node_set_unit(n, i, false);
        if (changed)
                fleet_server_changed(f->server, n);
        return 0;
}

static int set_mode(struct fleet *f, struct fleet_node *n, const char *word)
{
        enum fleet_mode mode;

        if (fleet_mode_from_string(word, &mode) < 0)
                return -EINVAL;
        fleet_server_set_mode(f->server, n, mode);
        return 0;
}

static int drop(struct fleet *f, struct fleet_node *n, const char *word)
{
        (void)word;
        fleet_server_drop(f->server, n);
        return 0;
}

static int restart(struct fleet *f, struct fleet_node *n, const char *word)
{
        fleet_node_restart(n, false);
        return drop(f, n, word);
}

static int boot(struct fleet *f, struct fleet_node *n, const char *word)
{
        fleet_node_restart(n, true);
        return drop(f, n, word);
}

static int goodbye(struct fleet *f, struct fleet_node *n, const char *word)
{
        (void)word;
        fleet_node_set_phase(n, DIAG_PHASE_STOPPING);
        fleet_server_changed(f->server, n);
        return 0;
}

static const struct {
        const char *verb;
        bool has_word;
        int (*to_node)(struct fleet *f, struct fleet_node *n, const char *word);
} verbs[] = {
        {"fail",    true,  fail    },
        {"heal",    false, heal    },
        {"mode",    true,  set_mode},
        {"drop",    false, drop    },
        {"restart", false, restart },
        {"boot",    false, boot    },
        {"goodbye", false, goodbye },
};

static void say_stats(const struct fleet *f)
{
        const struct fleet_figures *g = fleet_server_figures(f->server);

        printf("ok %" PRIu64 " accepted=%" PRIu64 " requests=%" PRIu64 " health=%" PRIu64
               " full=%" PRIu64 " v1=%" PRIu64 " component=%" PRIu64 " other=%" PRIu64
               " not_modified=%" PRIu64 " waited_in_vain=%" PRIu64 " bytes=%" PRIu64
               " connections=%zu parked=%zu served=%zu served_nsec=%" PRIu64 " churned=%" PRIu64
               "\n",
               now_nsec(), g->n_accepted, g->n_requests, g->n_health, g->n_full, g->n_v1,
               g->n_component, g->n_other, g->n_not_modified, g->n_waited_in_vain, g->n_bytes,
               g->n_connections, g->n_parked, g->n_served, g->served_nsec, f->churn.n_done);
}

static int to_nodes(struct fleet *f, const char *verb, struct range r, const char *word)
{
        for (size_t v = 0; v < ELEMENTSOF(verbs); v++) {
                if (!streq(verb, verbs[v].verb))
                        continue;
                if (verbs[v].has_word != !str_empty(word))
                        return -EINVAL;
                for (size_t i = r.first; i <= r.last; i += r.step)
                        if (verbs[v].to_node(f, &f->nodes[i], word) < 0)
                                return -EINVAL;
                return 0;
        }
        return -EINVAL;
}

static int begin_churn(struct fleet *f, char *rate, char *nodes)
{
        struct churn *c = &f->churn;

        if (parse_u64(rate, 0, 100000, &c->rate) < 0 || parse_range(f, nodes, &c->nodes) < 0)
                return -EINVAL;
        c->next_nsec = now_nsec();
        return 0;
}

static int obey(struct fleet *f, char *line)
{
        char none[1] = "", *words[3] = {none, none, none}, *rest = line, *word;
        struct range r;

        for (size_t n = 0; n < ELEMENTSOF(words) && (word = strsep(&rest, " ")); n++)
                words[n] = word;
        if (streq(words[0], "mark")) {
                fleet_server_mark(f->server);
                return 0;
        }
        if (streq(words[0], "churn"))
                return begin_churn(f, words[1], words[2]);
        if (parse_range(f, words[1], &r) < 0)
                return -EINVAL;
        return to_nodes(f, words[0], r, words[2]);
}

static void on_line(struct fleet *f, char *line)
{
        uint64_t began = now_nsec();

        if (streq(line, "stats"))
                say_stats(f);
        else if (obey(f, line) < 0)
                printf("no such command\n");
        else
                printf("ok %" PRIu64 "\n", began);
        (void)fflush(stdout);
}

static void on_stdin(void *userdata)
{
        struct fleet *f = userdata;
        ssize_t k = read(STDIN_FILENO, f->line + f->n_line, sizeof(f->line) - 1 - f->n_line);
        char *end;

        if (k <= 0) {
                f->ended = true;
                return;
        }
        f->n_line += (size_t)k;
        f->line[f->n_line] = '\0';
        while ((end = strchr(f->line, '\n'))) {
                *end = '\0';
                on_line(f, f->line);
                f->n_line -= (size_t)(end + 1 - f->line);
                memmove(f->line, end + 1, f->n_line + 1);
        }
}

/* --- churn --------------------------------------------------------------------------------------- */

static uint64_t next_random(struct churn *c)
{
        c->random ^= c->random << 13;
        c->random ^= c->random >> 7;
        c->random ^= c->random << 17;
        return c->random;
}

static void heal_oldest(struct fleet *f)
{
        struct churn *c = &f->churn;

        (void)heal(f, &f->nodes[c->failing[0]], "");
        c->n_failing--;
        memmove(c->failing, c->failing + 1, c->n_failing * sizeof(c->failing[0]));
}

static void change_one(struct fleet *f)
{
        struct churn *c = &f->churn;
        size_t n = (c->nodes.last - c->nodes.first) / c->nodes.step + 1;
        struct fleet_node *node = &f->nodes[c->nodes.first + next_random(c) % n * c->nodes.step];

        c->n_done++;
        if (c->n_failing == FAILING_MAX || node->failed) {
                if (c->n_failing)
                        heal_oldest(f);
                return;
        }
        c->failing[c->n_failing++] = node->index;
        if (fleet_node_set_unit(node, next_random(c) % FLEET_UNITS, true))
                fleet_server_changed(f->server, node);
}

static void churn(struct fleet *f)
{
        struct churn *c = &f->churn;

        while (c->rate && c->next_nsec <= now_nsec()) {
                change_one(f);
                c->next_nsec += NSEC_PER_SEC / c->rate;
        }
        while (!c->rate && c->n_failing)
                heal_oldest(f);
}

/* --- start --------------------------------------------------------------------------------------- */

static int parse_options(struct options *o, char **argv)
{
        *o = (struct options){.n_masters = 3};
        if (!argv[1] || !argv[2] || parse_u64(argv[1], 1, FLEET_NODES_MAX, &o->n_nodes) < 0 ||
            parse_u64(argv[2], 1, UINT16_MAX, &o->port) < 0)
                return -EINVAL;
        for (argv += 3; *argv; argv++) {
                if (streq(*argv, "--v1")) {
                        o->v1 = true;
                        continue;
                }
                if (!argv[1])
                        return -EINVAL;
                if (streq(*argv, "--tls"))
                        o->tls_dir = *++argv;
                else if (streq(*argv, "--nodes-file"))
                        o->nodes_file = *++argv;
                else if (streq(*argv, "--net") && fleet_set_net(argv[1]) == 0)
                        argv++;
                else if (streq(*argv, "--masters") &&
                         parse_u64(argv[1], 0, o->n_nodes, &o->n_masters) == 0)
                        argv++;
                else if (streq(*argv, "--public") &&
                         parse_u64(argv[1], 0, o->n_nodes, &o->n_public) == 0)
                        argv++;
                else
                        return -EINVAL;
        }
        return 0;
}

static enum diag_role role_of(const struct options *o, size_t i)
{
        if (i < o->n_masters)
                return DIAG_ROLE_MASTER;
        return i + o->n_public >= o->n_nodes ? DIAG_ROLE_AGENT_PUBLIC : DIAG_ROLE_AGENT;
}

static int make_nodes(struct fleet *f, const struct options *o)
{
        f->nodes = calloc(o->n_nodes, sizeof(*f->nodes));
        if (!f->nodes)
                return -ENOMEM;
        f->n_nodes = o->n_nodes;
        for (size_t i = 0; i < f->n_nodes; i++) {
                struct fleet_node *n = &f->nodes[i];

                fleet_node_init(n, (uint32_t)i, role_of(o, i), (uint16_t)o->port);
                n->mode = o->v1 ? FLEET_V1 : FLEET_OK;
                blob_unref(fleet_node_body(n, o->v1 ? FLEET_FORM_V1 : FLEET_FORM_HEALTH));
        }
        return 0;
}

static int write_nodes_file(const struct fleet *f, const char *path)
{
        FILE *out = fopen(path, "we");

        if (!out)
                return -errno;
        for (size_t i = 0; i < f->n_nodes; i++) {
                struct in_addr in = {htonl(fleet_address((uint32_t)i))};
                char ip[INET_ADDRSTRLEN];

                (void)fprintf(out, "%s %s:%u\n", diag_role_to_string(f->nodes[i].role),
                              inet_ntop(AF_INET, &in, ip, sizeof(ip)), f->nodes[i].port);
        }
        return fclose(out) == 0 ? 0 : -errno;
}

static int start(struct fleet *f, const struct options *o)
{
        struct rlimit files;
        struct fleet_certs *certs = NULL;
        int k;

        (void)getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        k = make_nodes(f, o);
        if (k == 0 && o->nodes_file)
                k = write_nodes_file(f, o->nodes_file);
        if (k < 0)
                return k;
        if (o->tls_dir)
                certs = fleet_certs_new(f->nodes, f->n_nodes, o->tls_dir);
        k = fleet_server_new(&f->server, f->nodes, f->n_nodes, (uint16_t)o->port,
                             certs ? fleet_certs_server(certs) : NULL);
        return k < 0 ? k : fleet_server_watch(f->server, STDIN_FILENO, on_stdin, f);
}

int main(int argc, char **argv)
{
        static struct fleet fleet = {.churn.random = 88172645463325252u};
        struct options o;
        int k;

        (void)argc;
        if (parse_options(&o, argv) < 0) {
                (void)fprintf(stderr, "usage: fleet NODES PORT [--masters N] [--public N] [--v1] "
                                      "[--tls DIR] [--nodes-file FILE] [--net NET]\n");
                return 2;
        }
        k = start(&fleet, &o);
        if (k == 0)
                on_line(&fleet, (char[]){"stats"});
        while (k == 0 && !fleet.ended) {
                k = fleet_server_turn(fleet.server);
                churn(&fleet);
        }
        if (k < 0)
                (void)fprintf(stderr, "fleet: %s\n", strerror(-k));
        return k < 0;
}
