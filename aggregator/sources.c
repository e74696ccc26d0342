/* Sources, by the sections of the configuration. */

#include <errno.h>

#include "aggregator/discovery_dns.h"
#include "aggregator/discovery_exhibitor.h"
#include "aggregator/discovery_mesos.h"
#include "aggregator/sources.h"
#include "base/log.h"
#include "base/mono.h"

#define CHROOT     "/diag"
#define MESOS_PATH "/mesos"

struct sources {
        struct sources_options options;
        const struct aggregator_conf *conf;
        struct discovery_zk *zk;
        struct discovery_mesos *mesos;
        struct discovery_exhibitor *exhibitor;
        struct discovery_dns *dns;
        struct self_identity self;
};

/* --- the configuration itself ------------------------------------------------------------------ */

static int take_static(struct sources *s)
{
        const struct aggregator_conf *c = s->conf;
        struct found *nodes = calloc(c->n_nodes ? c->n_nodes : 1, sizeof(*nodes));
        struct finding f = {
                .source = DIAG_SOURCE_STATIC,
                .state = "ok",
                .seen_boot_usec = now_boot_usec(),
                .has_list = true,
                .nodes = nodes,
                .n_nodes = c->n_nodes,
        };

        if (!nodes)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_nodes; i++)
                nodes[i] = (struct found){
                        .address = c->nodes[i].address,
                        .role = c->nodes[i].role,
                        .port = c->nodes[i].port,
                };
        roster_take(s->options.roster, &f);
        free(nodes);
        return 0;
}

static void on_finding(const struct finding *f, void *userdata)
{
        struct sources *s = userdata;

        roster_take(s->options.roster, f);
        s->options.changed(s->options.userdata);
}

static struct discovery_mesos_conf mesos_conf(const struct aggregator_conf *c)
{
        return (struct discovery_mesos_conf){
                .urls = (const char *const *)c->mesos_urls,
                .n_urls = c->n_mesos_urls,
                .interval_usec = c->mesos_interval_usec,
        };
}

static int new_mesos(struct sources *s)
{
        const struct sources_options *o = &s->options;
        struct discovery_mesos_conf conf = mesos_conf(s->conf);

        return discovery_mesos_new(&s->mesos, o->loop, o->fetcher, &conf, on_finding, s);
}

/* --- ZooKeeper --------------------------------------------------------------------------------- */

static void take_masters(struct sources *s, const struct zk_picture *p,
                         const struct discovery_zk_status *status)
{
        struct found nodes[ZK_MASTERS_MAX];
        struct finding f = {
                .source = DIAG_SOURCE_ZOOKEEPER,
                .state = discovery_zk_state_to_string(status->state),
                .error = status->error,
                .seen_boot_usec = status->answered_boot_usec,
                /* A list with gaps drops nobody. */
                .has_list = p && !p->n_masters_unread &&
                            (status->state == DISCOVERY_ZK_CONNECTED ||
                             status->state == DISCOVERY_ZK_RESET),
                .nodes = nodes,
        };

        if (status->state == DISCOVERY_ZK_CONNECTED)
                f.state = "ok";
        for (size_t i = 0; p && i < p->n_masters; i++) {
                const struct zk_master *m = &p->masters[i];

                if (zk_picture_tombstone(p, m->node_id))
                        continue;
                nodes[f.n_nodes++] = (struct found){
                        .address = m->address,
                        .role = DIAG_ROLE_MASTER,
                        .port = m->port,
                        .node_id = m->node_id,
                        .hostname = m->hostname,
                };
        }
        roster_take(s->options.roster, &f);
}

/* A tombstone beats every memory. */
static void bury(struct sources *s, const struct zk_picture *p)
{
        for (size_t i = 0; i < p->n_forgotten; i++)
                if (roster_forget(s->options.roster, p->forgotten[i].node_id))
                        log_notice("%s (%s) is forgotten, as %s says in ZooKeeper",
                                   p->forgotten[i].address, p->forgotten[i].node_id,
                                   p->forgotten[i].by);
}

static const struct zk_maintenance *maintenance_of(const struct zk_picture *p, const char *id)
{
        for (size_t i = 0; id && i < p->n_maintenance; i++)
                if (streq(p->maintenance[i].node_id, id))
                        return &p->maintenance[i];
        return NULL;
}

static bool is_known(const struct diag_maintenance *have, const struct zk_maintenance *m)
{
        return have && have->until_wall_usec == m->until_wall_usec &&
               have->since_wall_usec == m->since_wall_usec && streq(have->by, m->by) &&
               streq(have->reason, m->reason);
}

static void set_maintenance(struct roster *r, struct node *n, const struct zk_maintenance *m)
{
        const struct diag_maintenance flag = {
                .reason = m ? m->reason : "",
                .by = m ? m->by : "",
                .since_wall_usec = m ? m->since_wall_usec : 0,
                .until_wall_usec = m ? m->until_wall_usec : 0,
        };

        if (node_set_maintenance(n, m ? &flag : NULL) < 0)
                return; /* out of memory: the next picture has it, too */
        n->maintenance_is_shared = m != NULL;
        roster_touch(r, n);
}

/*
 * What was said at another master, or taken back there. A flag that never was in ZooKeeper is one that this
 * master holds alone.
 */
static void take_maintenance(struct sources *s, const struct zk_picture *p)
{
        struct roster *r = s->options.roster;

        for (size_t i = 0; i < roster_n(r); i++) {
                struct node *n = roster_at(r, i);
                const struct zk_maintenance *m = maintenance_of(p, node_id(n));

                if (m && is_known(n->maintenance, m))
                        n->maintenance_is_shared = true;
                else if (m || n->maintenance_is_shared)
                        set_maintenance(r, n, m);
        }
}

static void take_mesos_masters(struct sources *s, const struct zk_picture *p)
{
        struct found nodes[ZK_MESOS_MAX];
        size_t n = 0;

        if (!s->mesos && (p->n_mesos == 0 || new_mesos(s) < 0))
                return;
        for (; n < p->n_mesos; n++)
                nodes[n] = (struct found){
                        .address = p->mesos[n].address,
                        .role = DIAG_ROLE_MASTER,
                        .hostname = p->mesos[n].hostname,
                        .leader = n == 0 && p->mesos_leads,
                };
        (void)discovery_mesos_set_masters(s->mesos, nodes, n, n ? p->mesos[0].port : 0);
}

static void on_zk(void *userdata)
{
        struct sources *s = userdata;
        const struct zk_picture *p = s->zk ? discovery_zk_picture(s->zk) : NULL;
        struct discovery_zk_status status;

        if (!s->zk)
                return;
        status = discovery_zk_status(s->zk);
        take_masters(s, p, &status);
        if (p) {
                bury(s, p);
                take_maintenance(s, p);
                take_mesos_masters(s, p);
        }
        s->options.changed(s->options.userdata);
}

static struct discovery_zk_conf zk_conf(const struct sources *s)
{
        const struct aggregator_conf *c = s->conf;

        return (struct discovery_zk_conf){
                .hosts = str_or(c->zk_hosts, ""),
                .chroot = str_or(c->zk_chroot, CHROOT),
                .mesos_path = str_or(c->zk_mesos_path, MESOS_PATH),
                .secret = str_or(c->zk_secret, ""),
                .cluster_name = str_or(c->name, ""),
                .open = c->zk_open,
                .self =
                        {
                               .node_id = s->self.node_id,
                               .address = s->self.address,
                               .hostname = s->self.hostname,
                               .boot_id = s->self.boot_id,
                               .port = s->self.port,
                               },
        };
}

static int use_zk(struct sources *s, struct err *e)
{
        struct discovery_zk_conf conf = zk_conf(s);

        if (s->zk)
                return discovery_zk_set_conf(s->zk, &conf, e);
        if (!s->conf->zk_hosts)
                return 0;
        return discovery_zk_new(&s->zk, s->options.loop, &conf, on_zk, s, e);
}

/* A node daemon that listens for itself alone has no address to be found at. */
void sources_set_self(struct sources *s, const struct self_identity *own)
{
        struct err e;

        s->self = *own;
        if (!*own->address)
                s->self.node_id[0] = '\0';
        if (s->zk && use_zk(s, &e) < 0)
                log_warning("ZooKeeper: %s", e.text);
}

/* --- observers --------------------------------------------------------------------------------- */

/* Without a word of it in the configuration it is asked once ZooKeeper names masters of it. */
static int use_mesos(struct sources *s)
{
        struct discovery_mesos_conf conf = mesos_conf(s->conf);

        if (s->mesos)
                return discovery_mesos_set_conf(s->mesos, &conf);
        return s->conf->n_mesos_urls || s->conf->zk_mesos_path ? new_mesos(s) : 0;
}

/* A source that is not used any more names nobody. */
static void say_none(struct sources *s, enum diag_source source)
{
        const struct finding f = {.source = source, .state = "off", .has_list = true};

        if (roster_state(s->options.roster, source)->used)
                roster_take(s->options.roster, &f);
}

static int use_exhibitor(struct sources *s)
{
        const struct sources_options *o = &s->options;

        s->exhibitor = discovery_exhibitor_free(s->exhibitor);
        if (!s->conf->exhibitor_url) {
                say_none(s, DIAG_SOURCE_EXHIBITOR);
                return 0;
        }
        return discovery_exhibitor_new(&s->exhibitor, o->loop, o->fetcher, s->conf->exhibitor_url,
                                       s->conf->exhibitor_interval_usec, on_finding, s);
}

static int use_dns(struct sources *s)
{
        const struct sources_options *o = &s->options;

        s->dns = discovery_dns_free(s->dns);
        if (!s->conf->dns_name) {
                say_none(s, DIAG_SOURCE_DNS);
                return 0;
        }
        return discovery_dns_new(&s->dns, o->loop, s->conf->dns_name, s->conf->dns_interval_usec,
                                 on_finding, s);
}

/* --- all of them ------------------------------------------------------------------------------- */

/* ZooKeeper first: it alone refuses what it is told. The list of nodes last: what it drops is gone. */
int sources_set_conf(struct sources *s, const struct aggregator_conf *conf, struct err *e)
{
        int k;

        s->conf = conf;
        k = use_zk(s, e);
        if (k < 0)
                return k;
        k = use_mesos(s);
        if (k >= 0)
                k = use_exhibitor(s);
        if (k >= 0)
                k = use_dns(s);
        if (k >= 0)
                k = take_static(s);
        return k < 0 ? err_set(e, k, "%s", strerror(-k)) : 0;
}

int sources_new(struct sources **ret, const struct sources_options *options,
                const struct aggregator_conf *conf, struct err *e)
{
        _cleanup_(sources_freep) struct sources *s = calloc(1, sizeof(*s));
        int k;

        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        s->options = *options;
        k = sources_set_conf(s, conf, e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(s);
        return 0;
}

struct sources *sources_free(struct sources *s)
{
        if (!s)
                return NULL;
        discovery_dns_free(s->dns);
        discovery_exhibitor_free(s->exhibitor);
        discovery_mesos_free(s->mesos);
        discovery_zk_free(s->zk);
        free(s);
        return NULL;
}

struct discovery_zk *sources_zk(const struct sources *s)
{
        return s->zk;
}

static const struct zk_root *root_of(const struct sources *s)
{
        const struct zk_picture *p = s->zk ? discovery_zk_picture(s->zk) : NULL;

        return p ? &p->root : NULL;
}

const char *sources_cluster_id(const struct sources *s)
{
        const struct zk_root *root = root_of(s);

        return root ? str_or(root->cluster_id, "") : "";
}

const char *sources_cluster_name(const struct sources *s)
{
        const struct zk_root *root = root_of(s);

        return root ? str_or(root->name, "") : "";
}

const char *sources_leader_source(const struct sources *s)
{
        const struct zk_picture *p = s->zk ? discovery_zk_picture(s->zk) : NULL;

        if (p && p->mesos_leads)
                return "zookeeper";
        return s->mesos ? "mesos" : s->exhibitor ? "exhibitor" : "";
}
