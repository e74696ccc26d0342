/* One setter for each key. An empty value means "as if it had never been set". */

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>

#include "api/listen_conf.h"
#include "base/mono.h"

#define OPERATORS "diag"            /* the group of the people who operate */
#define FORWARDER "diag-aggregator" /* the user of the daemon that asks for others */

#define N_OWN_NAMES 2u /* the kernel's and the configured one: they always have room */

#define CONNECTIONS_MAX 65536u
#define TIMEOUT_MAX     (60 * USEC_PER_MIN)

/* sysconf(_SC_GETGR_R_SIZE_MAX) is a guess, too, and a group may have many members. */
#define ENTRY_BYTES 65536u

static gid_t find_operators(void)
{
        _cleanup_(freep) char *buf = malloc(ENTRY_BYTES);
        struct group g, *found = NULL;

        if (!buf || getgrnam_r(OPERATORS, &g, buf, ENTRY_BYTES, &found) != 0 || !found)
                return (gid_t)-1;
        return g.gr_gid;
}

static int find_user(const char *name, uid_t *ret)
{
        _cleanup_(freep) char *buf = malloc(ENTRY_BYTES);
        struct passwd p, *found = NULL;

        if (!buf)
                return -ENOMEM;
        if (getpwnam_r(name, &p, buf, ENTRY_BYTES, &found) != 0 || !found)
                return -ESRCH;
        *ret = p.pw_uid;
        return 0;
}

void listen_conf_init(struct listen_conf *c)
{
        struct authority *a = &c->authority;

        *c = (struct listen_conf){
                .authority.operators = find_operators(),
                .tls.directory = TLS_CONF_DIRECTORY,
        };
        a->has_forwarder = find_user(FORWARDER, &a->forwarder) >= 0;
}

static void forget_names(char **names, size_t *n)
{
        while (*n)
                free(names[--*n]);
}

void listen_conf_done(struct listen_conf *c)
{
        authority_done(&c->authority);
        tls_files_done(&c->tls.files);
        for (size_t i = 0; i < TLS_FILES; i++)
                free(c->tls.paths[i]);
}

/* --- where ----------------------------------------------------------------------------------- */

int listen_conf_add_listen(void *target, const struct conf_value *v, struct err *e)
{
        struct listen_conf *c = target;

        if (!*v->value) {
                c->n_listen = 0;
                return 0;
        }
        if (c->n_listen == SERVER_LISTENERS_MAX)
                return err_set(e, -E2BIG, "more than %u listeners", SERVER_LISTENERS_MAX);
        if (parse_listen(v->value, &c->listen[c->n_listen]) < 0)
                return err_set(e, -EINVAL,
                               "'%s' is no address to listen on: ADDR:PORT, [ADDR6]:PORT or "
                               "unix:/PATH",
                               v->value);
        c->n_listen++;
        return 0;
}

/* --- who ------------------------------------------------------------------------------------- */

int listen_conf_add_network(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;

        if (!*v->value) {
                a->n_networks = 0;
                return 0;
        }
        if (a->n_networks == AUTHORITY_NETWORKS_MAX)
                return err_set(e, -E2BIG, "more than %u networks", AUTHORITY_NETWORKS_MAX);
        if (parse_ip_prefix(v->value, &a->networks[a->n_networks]) < 0)
                return err_set(e, -EINVAL, "'%s' is no network such as 10.0.0.0/8", v->value);
        a->n_networks++;
        return 0;
}

int listen_conf_set_insecure(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;

        a->insecure = false;
        if (*v->value && parse_bool(v->value, &a->insecure) < 0)
                return err_set(e, -EINVAL, "'%s' is neither yes nor no", v->value);
        return 0;
}

/* "yes": this machine; an address or a network: that one, too; "no" or nothing: nobody from here on. */
int listen_conf_add_open(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;
        bool yes = false;

        if (!*v->value || parse_bool(v->value, &yes) >= 0) {
                a->open_here = yes;
                if (!yes)
                        a->n_open = 0;
                return 0;
        }
        if (a->n_open == AUTHORITY_NETWORKS_MAX)
                return err_set(e, -E2BIG, "more than %u addresses", AUTHORITY_NETWORKS_MAX);
        if (parse_ip_prefix(v->value, &a->open[a->n_open]) < 0)
                return err_set(
                        e, -EINVAL,
                        "'%s' is neither yes or no nor an address, such as 10.0.0.1, of a master",
                        v->value);
        a->n_open++;
        return 0;
}

static int add_name(char **names, size_t *n_names, const char *name, size_t n)
{
        char *copy = strndup(name, n);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        names[(*n_names)++] = copy;
        return 0;
}

/* What a list of names may have. */
struct names_rule {
        size_t n_max;
        const char *not_in_a_name;
        const char *what;
};

/* Blanks separate names, as in systemd's lists. */
static int add_names(char **names, size_t *n_names, const char *s, const struct names_rule *rule,
                     struct err *e)
{
        if (!*s)
                forget_names(names, n_names);
        for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
                size_t n = strcspn(s, " \t");
                int k;

                if (*n_names == rule->n_max)
                        return err_set(e, -E2BIG, "more than %zu names", rule->n_max);
                if (strcspn(s, rule->not_in_a_name) < n)
                        return err_set(e, -EINVAL, "'%.*s' is no name of %s", (int)n, s,
                                       rule->what);
                k = add_name(names, n_names, s, n);
                if (k < 0)
                        return k;
                s += n;
        }
        return 0;
}

int listen_conf_add_host(void *target, const struct conf_value *v, struct err *e)
{
        static const struct names_rule rule = {AUTHORITY_HOSTS_MAX - N_OWN_NAMES, "/:@[]",
                                               "a host"};
        struct authority *a = &((struct listen_conf *)target)->authority;

        return add_names(a->hosts, &a->n_hosts, v->value, &rule, e);
}

static int parse_user(const char *name, uid_t *ret)
{
        uint64_t uid;

        if (parse_u64(name, 0, (uid_t)-2, &uid) < 0)
                return find_user(name, ret);
        *ret = (uid_t)uid;
        return 0;
}

/* "uid:NAME grants=CLASS" */
int listen_conf_add_proxy(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;
        char user[64], class[16], rest;
        int k;

        if (!*v->value) {
                a->n_proxies = 0;
                return 0;
        }
        if (a->n_proxies == AUTHORITY_PROXIES_MAX)
                return err_set(e, -E2BIG, "more than %u proxies", AUTHORITY_PROXIES_MAX);
        if (sscanf(v->value, "uid:%63s grants=%15s %c", user, class, &rest) != 2)
                return err_set(e, -EINVAL, "'%s' is not like 'uid:USER grants=health'", v->value);
        if (authority_class_from_string(class, &a->proxies[a->n_proxies].grants) < 0)
                return err_set(e, -EINVAL, "'%s' is none of health, read, operate", class);
        k = parse_user(user, &a->proxies[a->n_proxies].uid);
        if (k == -ESRCH)
                return err_set(e, -EINVAL, "there is no user '%s'", user);
        if (k < 0)
                return k;
        a->n_proxies++;
        return 0;
}

int listen_conf_set_output(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;
        bool yes;

        a->output = AUTHORITY_OUTPUT_DEFAULT;
        if (!*v->value)
                return 0;
        if (parse_bool(v->value, &yes) < 0)
                return err_set(e, -EINVAL, "'%s' is neither yes nor no", v->value);
        a->output = yes ? AUTHORITY_OUTPUT_YES : AUTHORITY_OUTPUT_NO;
        return 0;
}

/* --- who they are ---------------------------------------------------------------------------- */

static const struct {
        const char *key, *file;
} tls_files[TLS_FILES] = {
        [TLS_CA] = {"CA",          "ca.pem"  },
        [TLS_CERTIFICATE] = {"Certificate", "node.pem"},
        [TLS_KEY] = {"Key",         "node.key"},
};

int listen_conf_set_tls_file(void *target, const struct conf_value *v, struct err *e)
{
        struct tls_conf *t = &((struct listen_conf *)target)->tls;
        char *copy = NULL;
        size_t i = 0;

        while (!streq(tls_files[i].key, v->key))
                i++;
        if (*v->value && *v->value != '/')
                return err_set(e, -EINVAL, "'%s' is not an absolute path", v->value);
        if (*v->value) {
                copy = strdup(v->value);
                if (!copy)
                        return -ENOMEM;
        }
        free(t->paths[i]);
        t->paths[i] = copy;
        return 0;
}

/* A pattern would not be one: certificates with a "*" in their name exist. */
int listen_conf_add_master(void *target, const struct conf_value *v, struct err *e)
{
        static const struct names_rule rule = {AUTHORITY_MASTERS_MAX, "*?/", "a certificate"};
        struct authority *a = &((struct listen_conf *)target)->authority;

        return add_names(a->masters, &a->n_masters, v->value, &rule, e);
}

static bool any_is_named(const struct tls_conf *t)
{
        for (size_t i = 0; i < TLS_FILES; i++)
                if (t->paths[i])
                        return true;
        return false;
}

/* Return: how many there are. What cannot even be seen counts: it is not missing. */
static size_t count_existing(const char *const paths[static TLS_FILES], struct tls_conf *t)
{
        size_t n = 0;

        for (size_t i = 0; i < TLS_FILES; i++) {
                if (access(paths[i], F_OK) == 0 || errno != ENOENT)
                        n++;
                else
                        (void)err_set(&t->fault, -ENOENT, "%s is missing", paths[i]);
        }
        return n;
}

/* Return: what keeps a daemon from starting. */
static int load_tls_files(struct tls_conf *t, const char *const paths[static TLS_FILES],
                          struct err *e)
{
        bool named = any_is_named(t);
        size_t n = count_existing(paths, t);
        int k;

        if (n == 0)
                t->fault.code = 0;
        if (n < TLS_FILES && !named)
                return 0;
        k = tls_files_load(&t->files, paths, &t->fault);
        t->state = k >= 0 ? TLS_STATE_ON : TLS_STATE_UNUSABLE;
        if (k >= 0)
                t->fault.code = 0;
        if (k >= 0 || (k != -ENOMEM && !named))
                return 0;
        return err_set(e, k, "[TLS]: %s", t->fault.text);
}

char *listen_conf_tls_path(const struct listen_conf *c, enum tls_file file,
                           char buf[static LISTEN_CONF_PATH_MAX])
{
        if (c->tls.paths[file])
                (void)snprintf(buf, LISTEN_CONF_PATH_MAX, "%s", c->tls.paths[file]);
        else
                (void)snprintf(buf, LISTEN_CONF_PATH_MAX, "%s/%s", c->tls.directory,
                               tls_files[file].file);
        return buf;
}

static int load_tls(struct listen_conf *c, struct err *e)
{
        const char *paths[TLS_FILES];
        char defaults[TLS_FILES][PATH_MAX];
        struct tls_conf *t = &c->tls;
        int k;

        for (size_t i = 0; i < TLS_FILES; i++) {
                (void)snprintf(defaults[i], PATH_MAX, "%s/%s", t->directory, tls_files[i].file);
                paths[i] = t->paths[i] ? t->paths[i] : defaults[i];
        }
        k = load_tls_files(t, paths, e);
        if (k >= 0 && t->state == TLS_STATE_ON && t->files.self.n_roles)
                memcpy(c->authority.cluster, t->files.self.roles[0].cluster, TLS_CLUSTER_MAX);
        return k;
}

const struct tls_files *listen_conf_tls(const struct listen_conf *c)
{
        return c->tls.state == TLS_STATE_ON ? &c->tls.files : NULL;
}

/* --- how much -------------------------------------------------------------------------------- */

#define LIMIT(field) offsetof(struct server_limits, field)

static const struct {
        const char *key;
        size_t at;
        uint64_t max; /* of a number; 0: a duration */
} limits[] = {
        {"MaxConnections",          LIMIT(n_connections),      CONNECTIONS_MAX},
        {"MaxConnectionsPerClient", LIMIT(n_connections_peer), CONNECTIONS_MAX},
        {"MaxWaiting",              LIMIT(n_parked),           CONNECTIONS_MAX},
        {"MaxWaitingPerClient",     LIMIT(n_parked_peer),      CONNECTIONS_MAX},
        {"IdleTimeout",             LIMIT(idle_usec),          0              },
        {"RequestTimeout",          LIMIT(request_usec),       0              },
};

int listen_conf_set_limit(void *target, const struct conf_value *v, struct err *e)
{
        char *base = (char *)&((struct listen_conf *)target)->limits;
        uint64_t value = 0; /* the server's own default */
        size_t i = 0;

        while (!streq(limits[i].key, v->key))
                i++;
        if (limits[i].max) {
                if (*v->value && parse_u64(v->value, 1, limits[i].max, &value) < 0)
                        return err_set(e, -EINVAL, "'%s' is no number from 1 to %u", v->value,
                                       (unsigned)limits[i].max);
                *(unsigned *)(base + limits[i].at) = (unsigned)value;
                return 0;
        }
        if (*v->value &&
            (parse_duration(v->value, &value) < 0 || value < USEC_PER_SEC || value > TIMEOUT_MAX))
                return err_set(e, -EINVAL, "'%s' is no duration from 1s to 1h", v->value);
        *(uint64_t *)(base + limits[i].at) = value;
        return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int add_own_names(struct authority *a, const char *name)
{
        char kernel_name[HOST_NAME_MAX + 1] = "";
        int k = 0;

        if (gethostname(kernel_name, sizeof(kernel_name) - 1) == 0 && *kernel_name)
                k = add_name(a->hosts, &a->n_hosts, kernel_name, strlen(kernel_name));
        return k < 0 || !name ? k : add_name(a->hosts, &a->n_hosts, name, strlen(name));
}

/* @address is not local. */
static int check_open_door(const struct listen_conf *c, const char *address, struct err *e)
{
        if (c->tls.state == TLS_STATE_UNUSABLE)
                return err_set(e, -EINVAL, "%s cannot be served: %s", address, c->tls.fault.text);
        if (c->tls.state == TLS_STATE_ON)
                return 0;
        if (!c->authority.insecure)
                return err_set(e, -EINVAL,
                               "%s can be reached from other machines, in plain text: that needs "
                               "certificates ([TLS]), or Insecure=yes (--insecure)",
                               address);
        if (!c->authority.n_networks)
                return err_set(e, -EINVAL,
                               "nobody may ask at %s: name networks with AllowFrom= (--allow)",
                               address);
        return 0;
}

int listen_conf_check(struct listen_conf *c, const char *name, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];
        int k = load_tls(c, e);

        for (size_t i = 0; k >= 0 && i < c->n_listen; i++)
                if (!sock_address_is_local(&c->listen[i]))
                        k = check_open_door(c, sock_address_format(text, &c->listen[i]), e);
        return k < 0 ? k : add_own_names(&c->authority, name);
}

static bool same_text(const char *a, const char *b)
{
        return streq(str_or(a, ""), str_or(b, ""));
}

static bool same_tls(const struct tls_conf *a, const struct tls_conf *b)
{
        const struct tls_files *x = &a->files, *y = &b->files;

        return a->state == b->state && same_text(x->ca_pem, y->ca_pem) &&
               same_text(x->certificate_pem, y->certificate_pem) &&
               same_text(x->key_pem, y->key_pem);
}

bool listen_conf_same_listeners(const struct listen_conf *a, const struct listen_conf *b)
{
        char one[SOCK_ADDRESS_MAX], other[SOCK_ADDRESS_MAX];

        if (a->n_listen != b->n_listen)
                return false;
        for (size_t i = 0; i < a->n_listen; i++)
                if (!streq(sock_address_format(one, &a->listen[i]),
                           sock_address_format(other, &b->listen[i])))
                        return false;
        return memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 && same_tls(&a->tls, &b->tls);
}
