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

#define OPERATORS "diag" /* the group of the people who operate */

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

void listen_conf_init(struct listen_conf *c)
{
        *c = (struct listen_conf){
                .authority.operators = find_operators(),
        };
}

static void forget_hosts(struct authority *a)
{
        while (a->n_hosts)
                free(a->hosts[--a->n_hosts]);
}

void listen_conf_done(struct listen_conf *c)
{
        forget_hosts(&c->authority);
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

static int add_host(struct authority *a, const char *name, size_t n)
{
        char *copy = strndup(name, n);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        a->hosts[a->n_hosts++] = copy;
        return 0;
}

/* Blanks separate names, as in systemd's lists. */
int listen_conf_add_host(void *target, const struct conf_value *v, struct err *e)
{
        struct authority *a = &((struct listen_conf *)target)->authority;
        const char *s = v->value;

        if (!*s)
                forget_hosts(a);
        for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
                size_t n = strcspn(s, " \t");
                int k;

                if (a->n_hosts == AUTHORITY_HOSTS_MAX - N_OWN_NAMES)
                        return err_set(e, -E2BIG, "more than %u names",
                                       AUTHORITY_HOSTS_MAX - N_OWN_NAMES);
                if (strcspn(s, "/:@[]") < n)
                        return err_set(e, -EINVAL, "'%.*s' is no name of a host", (int)n, s);
                k = add_host(a, s, n);
                if (k < 0)
                        return k;
                s += n;
        }
        return 0;
}

static int find_user(const char *name, uid_t *ret)
{
        _cleanup_(freep) char *buf = malloc(ENTRY_BYTES);
        struct passwd p, *found = NULL;
        uint64_t uid;

        if (parse_u64(name, 0, (uid_t)-2, &uid) >= 0) {
                *ret = (uid_t)uid;
                return 0;
        }
        if (!buf)
                return -ENOMEM;
        if (getpwnam_r(name, &p, buf, ENTRY_BYTES, &found) != 0 || !found)
                return -ESRCH;
        *ret = p.pw_uid;
        return 0;
}

static const struct {
        const char *word;
        enum authority_class class;
} classes[] = {
        {"health",  AUTHORITY_HEALTH },
        {"read",    AUTHORITY_READ   },
        {"operate", AUTHORITY_OPERATE},
};

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
        for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
                if (!streq(class, classes[i].word))
                        continue;
                a->proxies[a->n_proxies].grants = classes[i].class;
                k = find_user(user, &a->proxies[a->n_proxies].uid);
                if (k == -ESRCH)
                        return err_set(e, -EINVAL, "there is no user '%s'", user);
                if (k < 0)
                        return k;
                a->n_proxies++;
                return 0;
        }
        return err_set(e, -EINVAL, "'%s' is none of health, read, operate", class);
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
                k = add_host(a, kernel_name, strlen(kernel_name));
        return k < 0 || !name ? k : add_host(a, name, strlen(name));
}

int listen_conf_check(struct listen_conf *c, const char *name, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];

        for (size_t i = 0; i < c->n_listen; i++) {
                if (sock_address_is_local(&c->listen[i]))
                        continue;
                sock_address_format(text, &c->listen[i]);
                if (!c->authority.insecure)
                        return err_set(e, -EINVAL,
                                       "%s can be reached from other machines, in plain text: that "
                                       "needs Insecure=yes (--insecure)",
                                       text);
                if (!c->authority.n_networks)
                        return err_set(
                                e, -EINVAL,
                                "nobody may ask at %s: name networks with AllowFrom= (--allow)",
                                text);
        }
        return add_own_names(&c->authority, name);
}
