/* What the keys of the configuration mean. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/aggregator_conf.h"
#include "base/fs.h"
#include "base/mono.h"

#define NODES_FILE_BYTES_MAX    (4u * 1024u * 1024u)
#define NUMBER_FILE_BYTES_MAX   64u
#define SECRET_BYTES_MAX        1024u
#define EXPECTED_MAX            DIAG_MASTERS_MAX
#define FORGET_AGENTS_USEC      (24 * 60 * USEC_PER_MIN)
#define VIEW_MAX_AGE_USEC       (15 * USEC_PER_SEC)
#define VIEW_MAX_AGE_LEAST_USEC (5 * USEC_PER_SEC)
#define INTERVAL_USEC           (30 * USEC_PER_SEC)
#define INTERVAL_LEAST_USEC     USEC_PER_SEC

/* --- single values ----------------------------------------------------------------------------- */

static int replace(char **field, const char *value)
{
        char *copy = NULL;

        if (*value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*field);
        *field = copy;
        return 0;
}

static int set_name(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;

        if (strlen(v->value) > 128)
                return err_set(e, -EINVAL, "a name of a cluster has at most 128 bytes");
        return replace(&c->name, v->value);
}

static int set_expected(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;
        uint64_t n = 0;

        if (*v->value == '/') {
                c->n_expected = 0;
                return replace(&c->expected_file, v->value);
        }
        if (*v->value && parse_u64(v->value, 1, EXPECTED_MAX, &n) < 0)
                return err_set(e, -EINVAL, "'%s' is neither a number from 1 to %u nor a path",
                               v->value, EXPECTED_MAX);
        c->n_expected = (unsigned)n;
        return replace(&c->expected_file, "");
}

static int get_duration(const struct conf_value *v, uint64_t least_usec, uint64_t otherwise,
                        uint64_t *ret, struct err *e)
{
        uint64_t usec = otherwise;

        if (*v->value && (parse_duration(v->value, &usec) < 0 || usec < least_usec))
                return err_set(e, -EINVAL, "'%s' is not a time span of %u s or more", v->value,
                               (unsigned)(least_usec / USEC_PER_SEC));
        *ret = usec;
        return 0;
}

static int set_forget(void *target, const struct conf_value *v, struct err *e)
{
        return get_duration(v, USEC_PER_SEC, FORGET_AGENTS_USEC,
                            &((struct aggregator_conf *)target)->forget_agents_usec, e);
}

static int set_view_max_age(void *target, const struct conf_value *v, struct err *e)
{
        return get_duration(v, VIEW_MAX_AGE_LEAST_USEC, VIEW_MAX_AGE_USEC,
                            &((struct aggregator_conf *)target)->view_max_age_usec, e);
}

static int set_interval(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;
        uint64_t *to = streq(v->section, "Mesos")       ? &c->mesos_interval_usec
                       : streq(v->section, "Exhibitor") ? &c->exhibitor_interval_usec
                                                        : &c->dns_interval_usec;

        return get_duration(v, INTERVAL_LEAST_USEC, INTERVAL_USEC, to, e);
}

static int set_path(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;
        char **to = streq(v->key, "AgentSocket")  ? &c->agent_socket
                    : streq(v->key, "SecretFile") ? &c->zk_secret_file
                                                  : &c->nodes_file;

        if (*v->value && *v->value != '/' &&
            to != &c->nodes_file) /* which people name in a shell */
                return err_set(e, -EINVAL, "'%s' is not an absolute path", v->value);
        return replace(to, v->value);
}

static int set_port(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;
        uint16_t *to = streq(v->key, "MasterPort")  ? &c->port_master
                       : streq(v->key, "AgentPort") ? &c->port_agent
                                                    : &c->port_peer;
        uint64_t port = 0;

        if (*v->value && parse_u64(v->value, 1, UINT16_MAX, &port) < 0)
                return err_set(e, -EINVAL, "'%s' is not a port", v->value);
        *to = (uint16_t)port;
        return 0;
}

static int set_log_level(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;

        if (log_level_from_string(*v->value ? v->value : "info", &c->log_level) < 0)
                return err_set(e, -EINVAL, "'%s' is none of error warning notice info debug",
                               v->value);
        return 0;
}

/* --- nodes ------------------------------------------------------------------------------------- */

static void reset_nodes(struct aggregator_conf *c)
{
        while (c->n_nodes)
                free(c->nodes[--c->n_nodes].address);
        free(c->nodes);
        c->nodes = NULL;
}

static struct aggregator_node *find_node(const struct aggregator_conf *c, const char *address)
{
        for (size_t i = 0; i < c->n_nodes; i++)
                if (streq(c->nodes[i].address, address))
                        return &c->nodes[i];
        return NULL;
}

static int need_node(struct aggregator_conf *c, const char *address, struct aggregator_node **ret,
                     struct err *e)
{
        const struct found found = {.address = address, .role = DIAG_ROLE_AGENT};
        struct aggregator_node *grown;
        int k = found_check(&found, e);

        if (k < 0)
                return k;
        *ret = find_node(c, address);
        if (*ret)
                return 0;
        if (c->n_nodes >= DIAG_MEMBERS_MAX)
                return err_set(e, -E2BIG, "more than %u nodes", DIAG_MEMBERS_MAX);
        if ((c->n_nodes & (c->n_nodes - 1)) == 0) { /* room for a power of two */
                grown = reallocarray(c->nodes, c->n_nodes ? 2 * c->n_nodes : 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                c->nodes = grown;
        }
        c->nodes[c->n_nodes] = (struct aggregator_node){.address = strdup(address)};
        *ret = &c->nodes[c->n_nodes];
        return c->nodes[c->n_nodes].address ? (int)(c->n_nodes++, 0) : -ENOMEM;
}

static int open_node(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_node *n;

        return need_node(target, v->argument, &n, e);
}

static int set_node(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_node *n = NULL;
        uint64_t port = 0;
        int k = need_node(target, v->argument, &n, e);

        if (k < 0)
                return k;
        if (streq(v->key, "Role")) {
                if (diag_role_from_string(v->value, &n->role) < 0)
                        return err_set(e, -EINVAL, "'%s' is none of master, agent, agent_public",
                                       v->value);
                return 0;
        }
        if (*v->value && parse_u64(v->value, 1, UINT16_MAX, &port) < 0)
                return err_set(e, -EINVAL, "'%s' is not a port", v->value);
        n->port = (uint16_t)port;
        return 0;
}

/* "10.0.0.1", "10.0.0.1:1050", "[::1]:1050", "[::1]", "::1", "name:1050". */
static int split_address(const char *text, char *address, size_t n_address, uint16_t *port,
                         struct err *e)
{
        const char *colon = strrchr(text, ':'), *from = text, *end = text + strlen(text);
        uint64_t value = 0;
        int family;

        if (colon && parse_ip(text, &family) < 0 && end[-1] != ']') {
                if (parse_u64(colon + 1, 1, UINT16_MAX, &value) < 0)
                        return err_set(e, -EINVAL, "'%s' is not a port", colon + 1);
                end = colon;
        }
        if (*from == '[' && end > from + 1 && end[-1] == ']') {
                from++;
                end--;
        }
        if ((size_t)(end - from) >= n_address)
                return err_set(e, -EINVAL, "'%.64s…' is no address", text);
        (void)stpcpy(mempcpy(address, from, (size_t)(end - from)), "");
        *port = (uint16_t)value;
        return 0;
}

static int add_node(struct aggregator_conf *c, const char *role, const char *where, struct err *e)
{
        char address[FOUND_ADDRESS_MAX];
        struct aggregator_node *n = NULL;
        enum diag_role r;
        uint16_t port = 0;
        int k;

        if (diag_role_from_string(role, &r) < 0)
                return err_set(e, -EINVAL, "'%s' is none of master, agent, agent_public", role);
        k = split_address(where, address, sizeof(address), &port, e);
        if (k >= 0)
                k = need_node(c, address, &n, e);
        if (k < 0 || !n)
                return k;
        n->role = r;
        n->port = port;
        return 0;
}

/* "ROLE=ADDRESS[:PORT]", the short form. Empty: none at all, those of sections and files, too. */
static int add_short_node(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;
        const char *equals = strchr(v->value, '=');
        char role[32];

        if (!*v->value) {
                reset_nodes(c);
                return 0;
        }
        if (!equals || (size_t)(equals - v->value) >= sizeof(role))
                return err_set(e, -EINVAL, "'%s' is not ROLE=ADDRESS[:PORT]", v->value);
        (void)stpcpy(mempcpy(role, v->value, (size_t)(equals - v->value)), "");
        return add_node(c, role, equals + 1, e);
}

/* --- sources ----------------------------------------------------------------------------------- */

static int set_zk(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;

        if (streq(v->key, "Hosts"))
                return replace(&c->zk_hosts, v->value);
        if (streq(v->key, "Secret"))
                return replace(&c->zk_secret, v->value);
        if (*v->value && *v->value != '/')
                return err_set(e, -EINVAL, "'%s' is no path of ZooKeeper: it begins with '/'",
                               v->value);
        return replace(streq(v->key, "Chroot") ? &c->zk_chroot : &c->zk_mesos_path, v->value);
}

static int set_zk_open(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;

        c->zk_open = false;
        if (*v->value && parse_bool(v->value, &c->zk_open) < 0)
                return err_set(e, -EINVAL, "'%s' is neither yes nor no", v->value);
        return 0;
}

static bool is_url(const char *s)
{
        return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0;
}

static void reset_mesos(struct aggregator_conf *c)
{
        while (c->n_mesos_urls)
                free(c->mesos_urls[--c->n_mesos_urls]);
}

static int add_mesos(void *target, const struct conf_value *v, struct err *e)
{
        struct aggregator_conf *c = target;

        if (!*v->value) {
                reset_mesos(c);
                return 0;
        }
        if (!is_url(v->value))
                return err_set(e, -EINVAL, "'%s' does not begin with http:// or https://",
                               v->value);
        if (c->n_mesos_urls == AGGREGATOR_URLS_MAX)
                return err_set(e, -E2BIG, "more than %u masters of Mesos", AGGREGATOR_URLS_MAX);
        c->mesos_urls[c->n_mesos_urls] = strdup(v->value);
        return c->mesos_urls[c->n_mesos_urls] ? (int)(c->n_mesos_urls++, 0) : -ENOMEM;
}

static int set_exhibitor(void *target, const struct conf_value *v, struct err *e)
{
        if (*v->value && !is_url(v->value))
                return err_set(e, -EINVAL, "'%s' does not begin with http:// or https://",
                               v->value);
        return replace(&((struct aggregator_conf *)target)->exhibitor_url, v->value);
}

static int set_dns(void *target, const struct conf_value *v, struct err *e)
{
        const struct found found = {.address = v->value, .role = DIAG_ROLE_MASTER};

        if (*v->value && found_check(&found, e) < 0)
                return -EINVAL;
        return replace(&((struct aggregator_conf *)target)->dns_name, v->value);
}

static int set_bundles(void *target, const struct conf_value *v, struct err *e)
{
        return bundles_conf_set(&((struct aggregator_conf *)target)->bundles, v, e);
}

/* clang-format off */
const struct conf_key aggregator_conf_keys[] = {
        {"Cluster",   "Name",              false, set_name},
        {"Cluster",   "MastersExpected",   false, set_expected},
        {"Cluster",   "ForgetAgentsAfter", false, set_forget},
        {"Cluster",   "ViewMaxAge",        false, set_view_max_age},
        {"Cluster",   "AgentSocket",       false, set_path},
        {"Cluster",   "Node",              false, add_short_node},
        {"Cluster",   "NodesFile",         false, set_path},
        {"Cluster",   "MasterPort",        false, set_port},
        {"Cluster",   "AgentPort",         false, set_port},
        {"Cluster",   "AggregatorPort",    false, set_port},
        {"Node",      "",                  true,  open_node},
        {"Node",      "Role",              true,  set_node},
        {"Node",      "Port",              true,  set_node},
        {"ZooKeeper", "Hosts",             false, set_zk},
        {"ZooKeeper", "Chroot",            false, set_zk},
        {"ZooKeeper", "MesosPath",         false, set_zk},
        {"ZooKeeper", "Secret",            false, set_zk},
        {"ZooKeeper", "SecretFile",        false, set_path},
        {"ZooKeeper", "ZkOpen",            false, set_zk_open},
        {"Mesos",     "Url",               false, add_mesos},
        {"Mesos",     "Interval",          false, set_interval},
        {"Exhibitor", "Url",               false, set_exhibitor},
        {"Exhibitor", "Interval",          false, set_interval},
        {"DNS",       "Name",              false, set_dns},
        {"DNS",       "Interval",          false, set_interval},
        {"Log",       "Level",             false, set_log_level},
        BUNDLES_CONF_KEYS(set_bundles),
        LISTEN_CONF_KEYS,
        {0},
};
/* clang-format on */

/* --- all together ------------------------------------------------------------------------------ */

struct faults {
        conf_error_fn on_error;
        void *userdata;
        int first;
};

static void report(struct faults *f, int code, const struct err *e)
{
        if (f->first == 0)
                f->first = code;
        if (f->on_error)
                f->on_error(e, f->userdata);
}

/* One "ROLE ADDRESS[:PORT]" a line. */
static void read_line(struct aggregator_conf *c, char *line, size_t number, struct faults *f)
{
        char *save = NULL, *role = strtok_r(line, " \t\r", &save),
             *where = role ? strtok_r(NULL, " \t\r", &save) : NULL,
             *rest = where ? strtok_r(NULL, " \t\r", &save) : NULL;
        struct err e, why;
        int k = 0;

        if (!role || *role == '#')
                return;
        if (!where || rest)
                k = err_set(&why, -EINVAL, "a line is ROLE ADDRESS[:PORT]");
        else
                k = add_node(c, role, where, &why);
        if (k < 0)
                report(f, err_set(&e, k, "%s:%zu: %s", c->nodes_file, number, why.text), &e);
}

static void read_nodes(struct aggregator_conf *c, struct faults *f)
{
        _cleanup_(freep) char *text = NULL;
        size_t n, number = 0;
        struct err e;
        char *next;
        int k;

        if (!c->nodes_file)
                return;
        k = fs_read(c->nodes_file, NODES_FILE_BYTES_MAX, &text, &n, &e);
        if (k < 0) {
                report(f, k, &e);
                return;
        }
        if (strlen(text) != n) {
                report(f, err_set(&e, -EINVAL, "%s: there is a NUL byte in it", c->nodes_file), &e);
                return;
        }
        for (char *line = text; line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                read_line(c, line, ++number, f);
        }
}

static void read_secret(struct aggregator_conf *c, struct faults *f)
{
        _cleanup_(freep) char *text = NULL;
        struct err e;
        size_t n;
        int k;

        if (!c->zk_secret_file)
                return;
        k = fs_read(c->zk_secret_file, SECRET_BYTES_MAX, &text, &n, &e);
        if (k < 0) {
                report(f, k, &e);
                return;
        }
        text[strcspn(text, "\r\n")] = '\0';
        if (!*text)
                report(f, err_set(&e, -EINVAL, "%s: there is no secret in it", c->zk_secret_file),
                       &e);
        else if (replace(&c->zk_secret, text) < 0)
                report(f, err_set(&e, -ENOMEM, "out of memory"), &e);
}

static bool has_other_source(const struct aggregator_conf *c)
{
        return c->zk_hosts || c->n_mesos_urls || c->exhibitor_url || c->dns_name;
}

static bool is_master_static(const struct aggregator_conf *c)
{
        for (size_t i = 0; i < c->n_nodes; i++)
                if (c->nodes[i].role == DIAG_ROLE_MASTER)
                        return true;
        return false;
}

static void check_nodes(struct aggregator_conf *c, struct faults *f)
{
        struct err e;

        for (size_t i = 0; i < c->n_nodes; i++)
                if (c->nodes[i].role == DIAG_ROLE_UNKNOWN)
                        report(f,
                               err_set(&e, -EINVAL, "[Node %s]: Role= is missing",
                                       c->nodes[i].address),
                               &e);
        if (f->first == 0 && !c->n_nodes && !has_other_source(c)) {
                int k = add_node(c, "master", "127.0.0.1", &e);

                if (k < 0)
                        report(f, k, &e);
        }
        if (f->first == 0 && !is_master_static(c) && !c->n_expected && !c->expected_file)
                report(f,
                       err_set(&e, -EINVAL,
                               "[Cluster]: MastersExpected= is missing: where masters are only "
                               "discovered, the first one to boot would be all of them"),
                       &e);
}

/* How many masters a static list names is how many there must be, unless somebody says otherwise. */
static unsigned count_static(const struct aggregator_conf *c)
{
        unsigned n = 0;

        for (size_t i = 0; i < c->n_nodes; i++)
                n += c->nodes[i].role == DIAG_ROLE_MASTER;
        return n;
}

int aggregator_conf_check(struct aggregator_conf *c, conf_error_fn on_error, void *userdata)
{
        struct faults f = {on_error, userdata, 0};
        struct err e;
        int k;

        read_nodes(c, &f);
        read_secret(c, &f);
        if (f.first == 0)
                check_nodes(c, &f);
        if (c->n_expected && count_static(c) > c->n_expected && f.first == 0)
                report(&f,
                       err_set(&e, -EINVAL,
                               "[Cluster]: MastersExpected=%u, but %u masters are listed",
                               c->n_expected, count_static(c)),
                       &e);
        k = listen_conf_check(&c->server, NULL, &e);
        if (k < 0)
                report(&f, k, &e);
        return f.first;
}

unsigned aggregator_conf_expected(const struct aggregator_conf *c, char *from)
{
        _cleanup_(freep) char *text = NULL;
        uint64_t n = 0;
        size_t size;

        *from = '\0';
        if (c->n_expected) {
                (void)stpcpy(from, "MastersExpected");
                return c->n_expected;
        }
        if (c->expected_file) {
                (void)snprintf(from, 256, "file:%s", c->expected_file);
                if (fs_read(c->expected_file, NUMBER_FILE_BYTES_MAX, &text, &size, NULL) < 0)
                        return 0;
                text[strcspn(text, " \t\r\n")] = '\0';
                return parse_u64(text, 1, EXPECTED_MAX, &n) < 0 ? 0 : (unsigned)n;
        }
        if (is_master_static(c))
                (void)stpcpy(from, "static");
        return count_static(c);
}

struct aggregator_conf *aggregator_conf_new(void)
{
        struct aggregator_conf *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        listen_conf_init(&c->server);
        c->forget_agents_usec = FORGET_AGENTS_USEC;
        c->view_max_age_usec = VIEW_MAX_AGE_USEC;
        c->mesos_interval_usec = c->exhibitor_interval_usec = c->dns_interval_usec = INTERVAL_USEC;
        c->log_level = LEVEL_INFO;
        return c;
}

struct aggregator_conf *aggregator_conf_free(struct aggregator_conf *c)
{
        if (!c)
                return NULL;
        listen_conf_done(&c->server);
        reset_mesos(c);
        reset_nodes(c);
        free(c->nodes_file);
        free(c->name);
        free(c->cluster_id);
        free(c->expected_file);
        free(c->agent_socket);
        free(c->zk_hosts);
        free(c->zk_chroot);
        free(c->zk_secret);
        free(c->zk_secret_file);
        free(c->zk_mesos_path);
        free(c->exhibitor_url);
        free(c->dns_name);
        free(c);
        return NULL;
}
