/*
 * diag cert: a private authority, certificates of nodes, and what they say. All that is asked for is
 * checked before anything is written, so that a mistake in line 900 leaves no 899 directories.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/mono.h"
#include "base/parse.h"
#include "cli/cert_files.h"
#include "cli/cert_view.h"
#include "cli/term.h"
#include "cli/verb.h"

#define EXIT_FAILED        1 /* could not be made; or: not valid today */
#define DEFAULT_DIRECTORY  "diag-ca"
#define DEFAULT_CLUSTER    "diag"
#define AUTHORITY_DAYS     3650u
#define NODE_DAYS          825u
#define LIST_MAX_BYTES     (4u * 1024 * 1024)
#define OUTPUT_DIRECTORIES 0755

struct call {
        const char *who; /* in complaints */
        unsigned given;  /* bits of options */
        const char *directory, *cluster, *role, *output, *list;
        struct string_list addresses, dns;
        unsigned n_days; /* 0: not given */
        uint64_t now_wall_usec;
        bool force, json;
};

static void call_done(struct call *c)
{
        string_list_done(&c->addresses);
        string_list_done(&c->dns);
}

static int complain(const struct call *c, const struct err *e, int status)
{
        term_complain(c->who, "%s", e->text);
        return status;
}

/* A wrong call is told apart from what could not be done. */
static int complain_by_code(const struct call *c, const struct err *e)
{
        return complain(c, e, e->code == -EINVAL ? EXIT_COULD_NOT : EXIT_FAILED);
}

static int flush(const struct call *c, const struct buf *out, int status)
{
        int r = term_flush(STDOUT_FILENO, out);

        if (r >= 0)
                return status;
        term_complain(c->who, "cannot write: %s", strerror(-r));
        return EXIT_COULD_NOT;
}

static void put_until(struct buf *out, const struct call *c, uint64_t until_wall_usec)
{
        buf_puts(out, "; until ");
        text_append_moment(out, c->now_wall_usec, until_wall_usec);
        buf_putc(out, '\n');
}

/* --- diag cert ca --------------------------------------------------------------------------------- */

static int make_authority(const struct call *c, struct cert_made *made, struct err *e)
{
        const char *cluster = str_or(c->cluster, DEFAULT_CLUSTER);
        int r = cert_files_claim_authority(c->directory, e);

        if (r < 0)
                return r;
        r = cert_make_authority(made, cluster, c->n_days ? c->n_days : AUTHORITY_DAYS, e);
        if (r >= 0)
                return cert_files_write_authority(c->directory, made, e);
        cert_files_disclaim_authority(c->directory);
        return r;
}

static int run_ca(const struct call *c, _unused_ char *const *words, _unused_ size_t n_words)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};
        _cleanup_(buf_done) struct buf out = {0};
        struct err e = {0};

        if (make_authority(c, &made, &e) < 0)
                return complain(c, &e, EXIT_FAILED);
        text_append_clean(&out, c->directory);
        buf_printf(&out, "/: the authority of cluster %s", str_or(c->cluster, DEFAULT_CLUSTER));
        put_until(&out, c, made.until_wall_usec);
        buf_puts(&out, "Whoever has its key, ca.key, can be any node: keep it off them.\n");
        return flush(c, &out, 0);
}

/* --- diag cert node ------------------------------------------------------------------------------- */

static int read_list(const struct call *c, struct cert_subjects *ret, struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        size_t n;
        int r = fs_read(c->list, LIST_MAX_BYTES, &text, &n, e);

        if (r < 0)
                return r;
        if (strlen(text) != n)
                return err_set(e, -EINVAL, "%s is no text", c->list);
        return cert_subjects_parse(ret, text, c->list, e);
}

static int fill_subject(const struct call *c, struct cert_subject *s, struct err *e)
{
        int r = 0;

        for (size_t i = 0; i < c->addresses.n && r >= 0; i++)
                r = cert_subject_add_address(s, c->addresses.items[i], e);
        for (size_t i = 0; i < c->dns.n && r >= 0; i++)
                r = cert_subject_add_dns(s, c->dns.items[i], e);
        if (r >= 0 && s->addresses.n == 0)
                r = err_set(e, -EINVAL, "say where %s can be reached: --address ADDRESS", s->name);
        return r;
}

static int read_words(const struct call *c, const char *name, struct cert_subjects *ret,
                      struct err *e)
{
        int r;

        if (!name || !c->role)
                return err_set(e, -EINVAL,
                               "say which node and what it is: node NAME --role ROLE --address "
                               "ADDRESS, or node --list FILE");
        ret->items = calloc(1, sizeof(*ret->items));
        if (!ret->items)
                return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        r = cert_subject_init(ret->items, name, c->role, e);
        if (r >= 0) {
                ret->n = 1;
                r = fill_subject(c, ret->items, e);
        }
        return r;
}

/* Where a node's files go: --output itself for one, a directory in it for each of many. */
static char *directory_of(const struct call *c, const struct cert_subject *s)
{
        char *path;
        int r;

        if (!c->list)
                return strdup(str_or(c->output, s->name));
        r = asprintf(&path, "%s%s%s", str_or(c->output, ""), str_empty(c->output) ? "" : "/",
                     s->name);
        return r < 0 ? NULL : path;
}

static int check_places(const struct call *c, const struct cert_subjects *l, struct err *e)
{
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                _cleanup_(freep) char *directory = directory_of(c, &l->items[i]);

                r = directory ? cert_files_check_node(directory, c->directory, c->force, e)
                              : err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        }
        return r;
}

static void put_node(struct buf *out, const char *directory, const struct cert_subject *s,
                     const char *cluster)
{
        text_append_clean(out, directory);
        buf_printf(out, "/: %s, %s of cluster %s", s->name, diag_role_to_string(s->role), cluster);
        for (size_t i = 0; i < s->addresses.n; i++)
                buf_printf(out, ", %s", s->addresses.items[i]);
        for (size_t i = 0; i < s->dns.n; i++)
                if (!streq(s->dns.items[i], s->name))
                        buf_printf(out, ", %s", s->dns.items[i]);
}

static int make_node(const struct call *c, const struct cert_authority *a, const char *cluster,
                     const struct cert_subject *s, struct buf *out, struct err *e)
{
        _cleanup_(cert_made_done) struct cert_made made = {0};
        _cleanup_(freep) char *directory = directory_of(c, s);
        int r;

        if (!directory)
                return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        r = cert_make_node(&made, a, cluster, s, c->n_days ? c->n_days : NODE_DAYS, e);
        if (r >= 0)
                r = cert_files_write_node(directory, &made, cert_authority_pem(a), e);
        if (r < 0)
                return r;
        put_node(out, directory, s, cluster);
        put_until(out, c, made.until_wall_usec);
        return 0;
}

/* An authority that we made names its cluster, and no other is right; one of somebody else's does not. */
static const char *find_cluster(const struct call *c, const struct cert_authority *a, struct err *e)
{
        const char *its = cert_authority_cluster(a);

        if (*its && c->cluster && !streq(its, c->cluster))
                (void)err_set(e, -EINVAL, "the authority in %s is that of cluster %s, not %s",
                              c->directory, its, c->cluster);
        else if (!*its && !c->cluster)
                (void)err_set(e, -EINVAL,
                              "the authority in %s does not name its cluster; say --cluster NAME",
                              c->directory);
        return e->code ? NULL : str_or(c->cluster, its);
}

/* What was made is told even when what comes next fails. */
static int make_nodes(const struct call *c, const struct cert_authority *a, const char *cluster,
                      const struct cert_subjects *l, struct err *e)
{
        _cleanup_(buf_done) struct buf out = {0};
        int r = c->list && !str_empty(c->output)
                        ? cert_files_make_directory(c->output, OUTPUT_DIRECTORIES, e)
                        : 0;

        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = make_node(c, a, cluster, &l->items[i], &out, e);
        if (r >= 0)
                buf_puts(&out,
                         "What is in such a directory belongs into /etc/diag/tls of its node.\n");
        return flush(c, &out, r < 0 ? complain(c, e, EXIT_FAILED) : 0);
}

static int run_node(const struct call *c, char *const *words, size_t n_words)
{
        _cleanup_(cert_authority_freep) struct cert_authority *a = NULL;
        _cleanup_(cert_subjects_done) struct cert_subjects l = {0};
        const char *cluster;
        struct err e = {0};
        int r = c->list ? read_list(c, &l, &e)
                        : read_words(c, n_words > 0 ? words[0] : NULL, &l, &e);

        if (r < 0 || check_places(c, &l, &e) < 0)
                return complain_by_code(c, &e);
        if (cert_files_load_authority(&a, c->directory, &e) < 0)
                return complain(c, &e, EXIT_FAILED);
        cluster = find_cluster(c, a, &e);
        return cluster ? make_nodes(c, a, cluster, &l, &e) : complain(c, &e, EXIT_COULD_NOT);
}

/* --- diag cert show ------------------------------------------------------------------------------- */

static bool all_valid(const struct cert_list *l, uint64_t now)
{
        for (size_t i = 0; i < l->n; i++)
                if (cert_facts_validity(&l->items[i], now) != CERT_VALID)
                        return false;
        return true;
}

static void show_file(const struct call *c, const char *path, struct json_writer *w, int *status)
{
        _cleanup_(cert_list_done) struct cert_list l = {0};
        const struct term term = term_of(STDOUT_FILENO);
        struct err e = {0};

        if (cert_list_read(&l, path, &e) < 0) {
                *status = complain(c, &e, EXIT_COULD_NOT);
                return;
        }
        if (c->json)
                cert_view_json(w, path, &l, c->now_wall_usec);
        else
                cert_view_text(w->out, &term, path, &l, c->now_wall_usec);
        if (*status == 0 && !all_valid(&l, c->now_wall_usec))
                *status = EXIT_FAILED;
}

static int run_show(const struct call *c, char *const *words, size_t n_words)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        int status = 0;

        if (n_words == 0) {
                term_complain(c->who, "say which files: show node.pem");
                return EXIT_COULD_NOT;
        }
        if (c->json) {
                jw_begin_object(&w);
                jw_key(&w, "certificates");
                jw_begin_array(&w);
        }
        for (size_t i = 0; i < n_words; i++)
                show_file(c, words[i], &w, &status);
        if (c->json) {
                jw_end_array(&w);
                jw_end_object(&w);
                buf_putc(&out, '\n');
        }
        return flush(c, &out, status);
}

/* --- the verb ------------------------------------------------------------------------------------- */

static void print_help(void)
{
        printf("diag cert ca [OPTION...] - make an authority: ca.pem, ca.key\n"
               "diag cert node NAME --role ROLE --address ADDRESS [OPTION...] - make what a node needs:\n"
               "                                   ca.pem, node.pem, node.key for its /etc/diag/tls\n"
               "diag cert node --list FILE [OPTION...] - the same for many\n"
               "diag cert show [--json] FILE... - what certificates say, and whether they are valid\n"
               "\n"
               "      --cluster NAME     whose nodes they are (default: " DEFAULT_CLUSTER
               "; for a node, what\n"
               "                         its authority says)\n"
               "      --directory DIR    where the authority is (default: " DEFAULT_DIRECTORY ")\n"
               "      --days N           how long it is valid (default: %u, a node %u)\n"
               "      --role ROLE        master, agent or agent_public\n"
               "      --address ADDRESS  where others reach the node; may be repeated\n"
               "      --dns NAME         a name that others know it by; may be repeated\n"
               "      --list FILE        one node a line: NAME ROLE ADDRESS...\n"
               "      --output DIR       where its files go (default: NAME; with --list: DIR/NAME)\n"
               "      --force            replace files of the same node\n"
               "      --json             print it as JSON\n"
               "  -h, --help             this text\n"
               "\n"
               "Exit status: 0 done, 1 it could not be made, or is not valid today, 2 wrong call, or\n"
               "could not be read. See diag-cert(1).\n",
               AUTHORITY_DAYS, NODE_DAYS);
}

enum {
        OPTION_FIRST = 256,
        OPTION_DIRECTORY = OPTION_FIRST,
        OPTION_CLUSTER,
        OPTION_DAYS,
        OPTION_ROLE,
        OPTION_ADDRESS,
        OPTION_DNS,
        OPTION_LIST,
        OPTION_OUTPUT,
        OPTION_FORCE,
        OPTION_JSON,
};

#define BIT(option) (1u << ((option)-OPTION_FIRST))

/* In the order of the enum: the names of options are found by their bits, too. */
static const struct option options[] = {
        {"directory", required_argument, NULL, OPTION_DIRECTORY},
        {"cluster",   required_argument, NULL, OPTION_CLUSTER  },
        {"days",      required_argument, NULL, OPTION_DAYS     },
        {"role",      required_argument, NULL, OPTION_ROLE     },
        {"address",   required_argument, NULL, OPTION_ADDRESS  },
        {"dns",       required_argument, NULL, OPTION_DNS      },
        {"list",      required_argument, NULL, OPTION_LIST     },
        {"output",    required_argument, NULL, OPTION_OUTPUT   },
        {"force",     no_argument,       NULL, OPTION_FORCE    },
        {"json",      no_argument,       NULL, OPTION_JSON     },
        {"help",      no_argument,       NULL, 'h'             },
        {NULL,        0,                 NULL, 0               },
};

#define ONE_NODE (BIT(OPTION_ROLE) | BIT(OPTION_ADDRESS) | BIT(OPTION_DNS))

static const struct action {
        const char *name;
        unsigned takes; /* bits of options */
        size_t n_words_max;
        int (*run)(const struct call *c, char *const *words, size_t n_words);
} actions[] = {
        {"ca",   BIT(OPTION_DIRECTORY) | BIT(OPTION_CLUSTER) | BIT(OPTION_DAYS), 0,        run_ca  },
        {"node",
         BIT(OPTION_DIRECTORY) | BIT(OPTION_CLUSTER) | BIT(OPTION_DAYS) | ONE_NODE |
                 BIT(OPTION_LIST) | BIT(OPTION_OUTPUT) | BIT(OPTION_FORCE),
         1,                                                                                run_node},
        {"show", BIT(OPTION_JSON),                                               SIZE_MAX, run_show},
};

static int take_days(struct call *c, const char *value, struct err *e)
{
        uint64_t n;

        if (parse_u64(value, 1, CERT_DAYS_MAX, &n) < 0)
                return err_set(e, -EINVAL, "--days \"%s\" is not a number from 1 to %u", value,
                               CERT_DAYS_MAX);
        c->n_days = (unsigned)n;
        return 0;
}

static int take_cluster(struct call *c, const char *value, struct err *e)
{
        if (!cert_cluster_is_valid(value))
                return err_set(e, -EINVAL,
                               "\"%s\" cannot be the name of a cluster: letters, digits, '-', '_' "
                               "and '.', %u at most, not '-', '_' or '.' first",
                               value, CERT_CLUSTER_MAX);
        c->cluster = value;
        return 0;
}

static int take_string(struct string_list *l, const char *value, struct err *e)
{
        return string_list_push(l, value) < 0 ? err_set(e, -ENOMEM, "%s", strerror(ENOMEM)) : 0;
}

/* "" would be the directory /, or the present one, by mistake of a script. */
static int take_path(const char **ret, const char *name, const char *value, struct err *e)
{
        if (!*value)
                return err_set(e, -EINVAL, "--%s names nothing", name);
        *ret = value;
        return 0;
}

static int take_option(struct call *call, int c, const char *value, struct err *e)
{
        const char *name = options[c - OPTION_FIRST].name;

        call->given |= BIT(c);
        switch (c) {
        case OPTION_DIRECTORY:
                return take_path(&call->directory, name, value, e);
        case OPTION_OUTPUT:
                return take_path(&call->output, name, value, e);
        case OPTION_LIST:
                return take_path(&call->list, name, value, e);
        case OPTION_CLUSTER:
                return take_cluster(call, value, e);
        case OPTION_DAYS:
                return take_days(call, value, e);
        case OPTION_ADDRESS:
                return take_string(&call->addresses, value, e);
        case OPTION_DNS:
                return take_string(&call->dns, value, e);
        case OPTION_ROLE:
                call->role = value;
                return 0;
        case OPTION_FORCE:
                call->force = true;
                return 0;
        default:
                call->json = true;
                return 0;
        }
}

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct call *call, int argc, char *argv[])
{
        struct err e = {0};
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case '?':
                        return EXIT_COULD_NOT;
                default:
                        if (take_option(call, c, optarg, &e) < 0)
                                return complain(call, &e, EXIT_COULD_NOT);
                }
        return -1;
}

static const struct action *find_action(const char *name, struct err *e)
{
        for (size_t i = 0; name && i < ELEMENTSOF(actions); i++)
                if (streq(actions[i].name, name))
                        return &actions[i];
        if (name)
                (void)err_set(e, -EINVAL, "\"%s\" is neither ca, node nor show", name);
        else
                (void)err_set(e, -EINVAL, "say what to do: ca, node or show");
        return NULL;
}

static int check_call(const struct call *c, const struct action *a, char *const *words,
                      size_t n_words, struct err *e)
{
        size_t n_words_max = c->list ? 0 : a->n_words_max;

        for (size_t i = 0; options[i].val != 'h'; i++)
                if (c->given & ~a->takes & BIT(options[i].val))
                        return err_set(e, -EINVAL, "--%s is not for %s", options[i].name, a->name);
        if (c->list && c->given & ONE_NODE)
                return err_set(e, -EINVAL, "--role, --address and --dns are in the file of --list");
        if (n_words > n_words_max)
                return err_set(e, -EINVAL, "what is \"%s\"?", words[n_words_max]);
        return 0;
}

int cmd_cert(int argc, char *argv[])
{
        _cleanup_(call_done) struct call call = {
                .who = argv[0],
                .directory = DEFAULT_DIRECTORY,
                .now_wall_usec = now_wall_usec(),
        };
        int status = parse_options(&call, argc, argv);
        const struct action *action;
        struct err e = {0};
        char **words;
        size_t n;

        if (status >= 0)
                return status;
        action = find_action(argv[optind], &e);
        words = argv + optind + 1;
        n = (size_t)(argc - optind) - (action ? 1 : 0);
        if (!action || check_call(&call, action, words, n, &e) < 0)
                return complain(&call, &e, EXIT_COULD_NOT);
        return action->run(&call, words, n);
}
