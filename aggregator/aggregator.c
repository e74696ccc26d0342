/*
 * How the parts are joined:
 *
 *     sources ─findings─▶ roster ─nodes─▶ poller ─answers─▶ merge ─▶ roster
 *     roster, peers ─▶ publisher ─snapshot─▶ view ◀─look─ HTTP threads ─errands─▶ tasks
 *
 * Nothing waits for anything: what a source has not said yet is not known, and said to be so.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "aggregator/aggregator.h"
#include "aggregator/bundles.h"
#include "aggregator/figures.h"
#include "aggregator/peers.h"
#include "aggregator/sources.h"
#include "aggregator/tasks.h"
#include "api/cluster_metrics.h"
#include "api/listeners.h"
#include "api/node_forward.h"
#include "api/v1_bundles.h"
#include "api/v1_cluster.h"
#include "api/v1_legacy.h"
#include "api/v2_bundles.h"
#include "api/v2_cluster.h"
#include "api/v2_node.h"
#include "base/mono.h"

#define TICK_USEC       USEC_PER_SEC
#define TICK_SLACK_USEC (100 * USEC_PER_MSEC)
#define FACTS_TICKS     5u /* what nobody tells us of: a file with a number, views that grow old */
#define LEAVE_USEC      USEC_PER_SEC
#define LEAVE_STEP_USEC (20 * USEC_PER_MSEC)

#define STATE_DIRECTORY "/var/lib/diag/aggregatord" /* of a daemon that nobody gave another */

#define FETCH_SHARDS       128u
#define FETCH_BUFFER_BYTES 1024u

#define PARKED_DEFAULT 512u /* requests that wait, where nobody says */

struct aggregator {
        struct aggregator_conf *conf;
        aggregator_load_fn load;
        void *load_userdata;
        uint64_t instance;
        struct loop *loop;
        struct loop_timer *tick;
        struct fetcher *fetcher; /* for nodes and masters: our certificate, our authority */
        struct fetcher *others;  /* for Mesos and Exhibitor: whom the system trusts */
        struct parked *parked;
        struct roster *roster;
        struct memory *memory;
        struct poller *poller;
        struct publisher *publisher;
        struct self *self;
        struct peers *peers;
        struct sources *sources;
        struct tasks *tasks;
        struct bundles *bundles; /* NULL: there is no place for them */
        struct bundle_host bundle_host;
        char bundles_directory[4096];
        char tls_paths[TLS_FILES][LISTEN_CONF_PATH_MAX]; /* those in force; "": none */
        struct figures *figures;
        struct errands *errands;
        struct cluster_host host;
        struct listeners listeners;
        struct server *server;
        char expected_from[256];
        struct log_ratelimit agents_limit;
        unsigned n_ticks;
        struct loop_timer *leaving;
        uint64_t leave_by_mono_usec; /* 0 until told to stop */
};

/* --- one part tells another -------------------------------------------------------------------- */

static void on_added(void *userdata, struct node *n)
{
        struct aggregator *a = userdata;

        if (poller_add(a->poller, n) < 0)
                log_warning("out of memory: %s is not asked", n->address);
}

static void on_leaving(void *userdata, struct node *n)
{
        struct aggregator *a = userdata;

        if (a->publisher)
                publisher_untouch(a->publisher, n);
        poller_remove(a->poller, n);
        if (a->memory)
                memory_touch(a->memory);
}

static void on_changed(void *userdata, struct node *n)
{
        struct aggregator *a = userdata;

        if (a->publisher)
                publisher_touch(a->publisher, n);
        if (a->memory)
                memory_touch(a->memory);
}

static void on_ask_again(void *userdata, struct node *n)
{
        struct aggregator *a = userdata;

        poller_ask_again(a->poller, n);
}

static const struct roster_ops roster_ops = {
        .added = on_added,
        .leaving = on_leaving,
        .changed = on_changed,
        .ask_again = on_ask_again,
};

static void on_answered(void *userdata, struct node *n, bool is_new)
{
        struct aggregator *a = userdata;

        publisher_touch(a->publisher, n);
        if (is_new)
                memory_touch(a->memory);
}

static void on_facts(void *userdata)
{
        struct aggregator *a = userdata;

        if (a->publisher)
                publisher_touch_facts(a->publisher);
}

static bool is_self(const struct aggregator *a, const struct node *n)
{
        const struct self_identity *own = self_get(a->self);

        return (*own->node_id && node_id(n) && streq(node_id(n), own->node_id)) ||
               (*own->address && streq(n->address, own->address)) ||
               strncmp(n->address, "127.", 4) == 0;
}

/* Whose views are asked for: all masters that are known, but ourselves. */
static void set_peers(struct aggregator *a)
{
        const char *addresses[DIAG_MASTERS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < roster_n(a->roster) && n < DIAG_MASTERS_MAX; i++) {
                const struct node *node = roster_at(a->roster, i);

                if (node_role(node) == DIAG_ROLE_MASTER && !node->alias_of && !is_self(a, node) &&
                    node->protocol != DIAG_PROTOCOL_V1)
                        addresses[n++] = node->address;
        }
        peers_set(a->peers, addresses, n);
        if (a->bundles)
                bundles_set_peers(a->bundles, addresses, n);
}

/* Read by other threads: it is there when its first byte is, and never changes then. */
static void tell_address(struct aggregator *a, const char *address)
{
        char *to = a->bundle_host.address;

        if (*to || str_empty(address))
                return;
        (void)snprintf(to + 1, sizeof(a->bundle_host.address) - 1, "%s", address + 1);
        __atomic_store_n(to, *address, __ATOMIC_RELEASE);
}

static void on_self(void *userdata)
{
        struct aggregator *a = userdata;
        const struct self_identity *own = self_get(a->self);

        log_info("this is %s (%s)", str_or(own->address, "?"), own->node_id);
        sources_set_self(a->sources, own);
        tell_address(a, own->address);
        on_facts(a);
}

/* --- what is published ------------------------------------------------------------------------- */

/* Of the masters that are known; asked for once a second. */
static const char *leader(const struct aggregator *a)
{
        const struct diag_snapshot *s =
                a->publisher ? view_current(publisher_view(a->publisher)) : NULL;

        for (size_t i = 0; s && i < s->n_masters; i++)
                if (s->masters[i]->leader)
                        return s->masters[i]->address;
        return "";
}

static void get_facts(void *userdata, struct publisher_facts *ret)
{
        struct aggregator *a = userdata;
        const struct aggregator_conf *c = a->conf;
        const struct diag_source_state *mesos = roster_state(a->roster, DIAG_SOURCE_MESOS);
        enum diag_health own = DIAG_UNHEALTHY;

        if (a->publisher)
                own = view_current(publisher_view(a->publisher))->own.health;
        ret->n_expected = aggregator_conf_expected(c, a->expected_from);
        ret->expected_from = a->expected_from;
        ret->cluster_id = a->sources ? sources_cluster_id(a->sources) : "";
        ret->cluster_name = str_or(c->name, a->sources ? sources_cluster_name(a->sources) : "");
        ret->observer = a->self ? self_get(a->self)->address : "";
        ret->leader_address = leader(a);
        ret->leader_source =
                *ret->leader_address && a->sources ? sources_leader_source(a->sources) : "";
        ret->leader_seen_boot_usec = mesos->seen_boot_usec;
        ret->view_max_age_usec = c->view_max_age_usec;
        if (a->peers)
                ret->n_views = peers_views(a->peers, own, ret->views);
}

static void say_verdict(const struct diag_snapshot *before, const struct diag_snapshot *now)
{
        const struct diag_cluster_verdict *was = &before->verdict, *is = &now->verdict;

        if (was->health != is->health)
                log_notice("the cluster is %s: %s", diag_health_to_string(is->health), is->summary);
        else if (!streq(was->summary, is->summary))
                log_info("the cluster is %s: %s", diag_health_to_string(is->health), is->summary);
}

/* Masters decide, so each of their changes is a line; of ten thousand agents some are enough. */
static void say_member(struct aggregator *a, const struct diag_member *was,
                       const struct diag_member *is)
{
        unsigned n_more = 0;
        char more[48] = "";

        if (was && was->reach == is->reach && was->health == is->health)
                return;
        if (!was && is->reach != DIAG_REACH_OK)
                return; /* it was found, and will be asked */
        if (is->role != DIAG_ROLE_MASTER && !log_ratelimit_pass(&a->agents_limit, &n_more))
                return;
        if (n_more)
                (void)snprintf(more, sizeof(more), " (%u more such changes)", n_more);
        log_notice("%s %s is %s%s%s%s%s%s%s", diag_role_to_string(is->role), is->address,
                   diag_health_to_string(is->health), is->reach == DIAG_REACH_OK ? "" : " (",
                   is->reach == DIAG_REACH_OK ? "" : diag_reach_to_string(is->reach),
                   is->reach == DIAG_REACH_OK ? "" : ")", *is->text ? ": " : "", is->text, more);
}

static void on_published(void *userdata, const struct diag_snapshot *before,
                         const struct diag_snapshot *now)
{
        struct aggregator *a = userdata;
        size_t k = 0;

        say_verdict(before, now);
        for (size_t i = 0; i < now->n_members; i++) {
                const struct diag_member *m = now->members[i], *was = NULL;

                if (k < before->n_members && before->members[k] == m) { /* as nearly all of them */
                        k++;
                        continue;
                }
                while (k < before->n_members && strcmp(before->members[k]->address, m->address) < 0)
                        k++;
                if (k < before->n_members && streq(before->members[k]->address, m->address))
                        was = before->members[k];
                say_member(a, was, m);
        }
}

/* --- time -------------------------------------------------------------------------------------- */

static void on_tick(void *userdata)
{
        struct aggregator *a = userdata;
        struct view *v = publisher_view(a->publisher);

        view_beat(v);
        poller_tick(a->poller);
        roster_tick(a->roster, a->conf->forget_agents_usec);
        set_peers(a);
        figures_note(a->figures, a->poller);
        if (a->bundles)
                bundles_note(a->bundles);
        if (a->n_ticks++ % FACTS_TICKS == 0)
                publisher_touch_facts(a->publisher);
        view_confirm(v);
        loop_timer_set(a->tick, now_mono_usec() + TICK_USEC, TICK_SLACK_USEC);
}

static bool is_idle(const struct aggregator *a)
{
        return tasks_is_idle(a->tasks) && (!a->bundles || bundles_is_idle(a->bundles));
}

/*
 * Who comes now is for the next aggregator, whom systemd starts; what was begun for those who are here gets
 * a moment to end. The first look is a little later: a request that was taken may not have come to us yet.
 */
static void leave_when_idle(void *userdata)
{
        struct aggregator *a = userdata;
        uint64_t now = now_mono_usec();

        if (!is_idle(a) && now < a->leave_by_mono_usec)
                loop_timer_set(a->leaving, now + LEAVE_STEP_USEC, 0);
        else
                loop_quit(a->loop, 0);
}

static void on_term(int signo, void *userdata)
{
        struct aggregator *a = userdata;

        log_info("stopping: %s", strsignal(signo));
        loop_notify("STOPPING=1");
        if (a->leave_by_mono_usec) { /* told twice */
                loop_quit(a->loop, 0);
                return;
        }
        server_stop_accepting(a->server);
        a->leave_by_mono_usec = now_mono_usec() + LEAVE_USEC;
        loop_timer_set(a->leaving, now_mono_usec() + LEAVE_STEP_USEC, 0);
}

/* --- configuration ----------------------------------------------------------------------------- */

static int use_tls(struct aggregator *a, const struct aggregator_conf *c, struct err *e)
{
        const struct tls_files *files = listen_conf_tls(&c->server);
        struct fetch_tls tls;

        if (!files)
                return 0;
        tls = (struct fetch_tls){
                .ca_pem = files->ca_pem,
                .certificate_pem = files->certificate_pem,
                .key_pem = files->key_pem,
        };
        return fetcher_set_tls(a->fetcher, &tls, e);
}

static char *path_or_null(struct aggregator *a, enum tls_file file)
{
        return *a->tls_paths[file] ? a->tls_paths[file] : NULL;
}

static struct gather_order bundle_limits(struct aggregator *a)
{
        const struct bundles_conf *c = &a->conf->bundles;

        return (struct gather_order){
                .ca_file = path_or_null(a, TLS_CA),
                .cert_file = path_or_null(a, TLS_CERTIFICATE),
                .key_file = path_or_null(a, TLS_KEY),
                .at_once = c->at_once,
                .bundle_max_bytes = c->bundle_max_bytes,
                .node_max_bytes = c->node_max_bytes,
                .free_floor = c->store.floor_bytes,
                .timeout_usec = c->timeout_usec,
        };
}

static void set_bundle_limits(struct aggregator *a)
{
        struct gather_order limits = bundle_limits(a);

        if (a->bundles && bundles_set_limits(a->bundles, &a->conf->bundles.store, &limits) < 0)
                log_warning("out of memory: the limits of bundles stay what they were");
}

/* What can be refused comes first; what was in force then still is. */
static int replace_conf(struct aggregator *a, struct aggregator_conf *taken, struct err *e)
{
        struct aggregator_conf *old = a->conf;
        struct err ignored;
        int k = sources_set_conf(a->sources, taken, e);

        if (k >= 0) {
                k = server_set_authority(a->server, &taken->server.authority);
                if (k < 0)
                        err_set(e, k, "%s", strerror(-k));
        }
        if (k < 0) {
                (void)sources_set_conf(a->sources, old, &ignored);
                aggregator_conf_free(taken);
                return k;
        }
        if (!listen_conf_same_listeners(&old->server, &taken->server))
                log_warning(
                        "Listen=, the files of [TLS] and [Limits] of the new configuration count "
                        "from the next restart on");
        a->conf = taken;
        set_bundle_limits(a);
        log_set_level(taken->log_level);
        aggregator_conf_free(old);
        publisher_touch_facts(a->publisher);
        return 0;
}

/* A broken configuration costs nothing but its own effect. */
static void on_reload(_unused_ int signo, void *userdata)
{
        struct aggregator *a = userdata;
        struct aggregator_conf *conf = NULL;
        struct err e = {0};
        char text[64];
        int k;

        (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_mono_usec());
        loop_notify(text);
        k = a->load(&conf, a->load_userdata);
        if (k >= 0)
                k = replace_conf(a, conf, &e);
        if (k >= 0)
                log_info("the configuration was read again");
        else
                log_error("the configuration stays what it was (%s)", str_or(e.text, strerror(-k)));
        loop_notify(
                k >= 0 ? "READY=1\nSTATUS="
                       : "READY=1\nSTATUS=The new configuration was refused; the old one holds.");
}

/* --- start and end ----------------------------------------------------------------------------- */

/* A descriptor for each node that is asked, and one for each who asks. */
static void raise_limit(void)
{
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
                l.rlim_cur = l.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &l);
        }
}

static const char *state_path(char path[static 4096], const char *name)
{
        const char *directory = getenv("STATE_DIRECTORY");
        const char *home = getenv("XDG_STATE_HOME");

        if (directory)
                (void)snprintf(path, 4096, "%.*s/%s", (int)strcspn(directory, ":"), directory,
                               name);
        else if (geteuid() == 0)
                (void)snprintf(path, 4096, STATE_DIRECTORY "/%s", name);
        else if (home)
                (void)snprintf(path, 4096, "%s/diag/%s", home, name);
        else
                return NULL;
        return path;
}

static int new_network(struct aggregator *a, struct err *e)
{
        const struct fetcher_options options = {
                .n_shards = FETCH_SHARDS,
                .n_running_max = 2 * DIAG_MEMBERS_MAX,
                .n_kept_max = DIAG_MEMBERS_MAX,
                .buffer_bytes = FETCH_BUFFER_BYTES,
        };
        int k = fetcher_new(&a->fetcher, a->loop, &options);

        if (k >= 0)
                k = fetcher_new(&a->others, a->loop, NULL);
        return k < 0 ? k : use_tls(a, a->conf, e);
}

static int new_nodes(struct aggregator *a)
{
        const struct poller_options poller = {
                .loop = a->loop,
                .fetcher = a->fetcher,
                .tls = listen_conf_tls(&a->conf->server) != NULL,
                .port_master = a->conf->port_master,
                .port_agent = a->conf->port_agent,
                .changed = on_answered,
                .userdata = a,
        };
        const struct publisher_options publisher = {
                .loop = a->loop,
                .parked = a->parked,
                .instance = a->instance,
                .facts = get_facts,
                .published = on_published,
                .userdata = a,
        };
        struct poller_options p = poller;
        struct publisher_options q = publisher;
        char path[4096];
        int k = roster_new(&a->roster, &roster_ops, a);

        p.roster = q.roster = a->roster;
        if (k >= 0)
                k = poller_new(&a->poller, &p);
        if (k >= 0)
                k = publisher_new(&a->publisher, &q);
        if (k >= 0)
                k = memory_new(&a->memory, a->loop, state_path(path, "nodes.json"), a->roster);
        return k;
}

static int new_surroundings(struct aggregator *a, struct err *e)
{
        const char *socket = str_or(a->conf->agent_socket, AGGREGATOR_AGENT_SOCKET);
        const struct peers_options peers = {
                .loop = a->loop,
                .fetcher = a->fetcher,
                .tls = listen_conf_tls(&a->conf->server) != NULL,
                .port = a->conf->port_peer,
                .changed = on_facts,
                .userdata = a,
        };
        const struct sources_options sources = {
                .loop = a->loop,
                .fetcher = a->others,
                .roster = a->roster,
                .changed = on_facts,
                .userdata = a,
        };
        int k = self_new(&a->self, a->loop, a->fetcher, socket, on_self, a);

        if (k >= 0)
                k = peers_new(&a->peers, &peers);
        return k < 0 ? k : sources_new(&a->sources, &sources, a->conf, e);
}

static int new_tasks(struct aggregator *a)
{
        const struct tasks_options options = {
                .loop = a->loop,
                .fetcher = a->fetcher,
                .roster = a->roster,
                .poller = a->poller,
                .publisher = a->publisher,
                .memory = a->memory,
                .self = a->self,
                .sources = a->sources,
                .agent_socket = str_or(a->conf->agent_socket, AGGREGATOR_AGENT_SOCKET),
                .tls = listen_conf_tls(&a->conf->server) != NULL,
                .port_peer = a->conf->port_peer ? a->conf->port_peer : AGGREGATOR_PORT,
        };
        int k = tasks_new(&a->tasks, &options);

        if (k >= 0)
                k = figures_new(&a->figures);
        return k < 0 ? k : errands_new(&a->errands, a->loop, a->parked);
}

/* A directory that cannot be had costs bundles, and nothing else. */
static void new_bundles(struct aggregator *a)
{
        struct bundles_options options = {
                .loop = a->loop,
                .fetcher = a->fetcher,
                .view = publisher_view(a->publisher),
                .where =
                        {
                                .self = a->self,
                                .agent_socket =
                                        str_or(a->conf->agent_socket, AGGREGATOR_AGENT_SOCKET),
                                .tls = listen_conf_tls(&a->conf->server) != NULL,
                                .port_master = a->conf->port_master,
                                .port_agent = a->conf->port_agent,
                                },
                .port_peer = a->conf->port_peer,
                .directory = a->bundles_directory,
                .store = a->conf->bundles.store,
        };
        struct err e = {0};

        for (int i = 0; options.where.tls && i < TLS_FILES; i++)
                (void)listen_conf_tls_path(&a->conf->server, (enum tls_file)i, a->tls_paths[i]);
        options.gather = bundle_limits(a);
        if (!state_path(a->bundles_directory, "bundles"))
                log_warning("no bundles: there is neither $STATE_DIRECTORY nor $XDG_STATE_HOME");
        else if (bundles_new(&a->bundles, &options, &e) < 0)
                log_warning("no bundles: %s", e.text);
        a->bundle_host = (struct bundle_host){
                .errands = a->errands,
                .ops = a->bundles ? &bundles_ops : NULL,
                .userdata = a->bundles,
                .cluster = true,
                .port = a->conf->port_peer ? a->conf->port_peer : AGGREGATOR_PORT,
                .directory = a->bundles_directory,
        };
        tell_address(a, self_get(a->self)->address);
        /* What is remembered is known before anybody can ask for a bundle of it. */
        publisher_now(a->publisher);
}

static int start(struct aggregator *a, struct err *e)
{
        static const struct {
                int signo;
                void (*fn)(int signo, void *userdata);
        } signals[] = {
                {SIGTERM, on_term  },
                {SIGINT,  on_term  },
                {SIGHUP,  on_reload},
        };
        int k = loop_new(&a->loop);

        if (k >= 0)
                k = new_network(a, e);
        if (k >= 0)
                k = parked_new(&a->parked);
        if (k >= 0)
                k = new_nodes(a);
        if (k >= 0)
                k = new_surroundings(a, e);
        if (k >= 0)
                k = new_tasks(a);
        if (k >= 0)
                new_bundles(a);
        if (k >= 0)
                k = loop_timer_new(&a->tick, a->loop, on_tick, a);
        if (k >= 0)
                k = loop_timer_new(&a->leaving, a->loop, leave_when_idle, a);
        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(signals); i++)
                k = loop_on_signal(a->loop, signals[i].signo, signals[i].fn, a);
        return k;
}

int aggregator_new(struct aggregator **ret, struct aggregator_conf *taken, aggregator_load_fn load,
                   void *userdata, struct err *e)
{
        _cleanup_(aggregator_freep) struct aggregator *a = calloc(1, sizeof(*a));
        struct err why = {0};
        int k;

        if (!a) {
                aggregator_conf_free(taken);
                return err_set(e, -ENOMEM, "out of memory");
        }
        a->conf = taken;
        a->load = load;
        a->load_userdata = userdata;
        raise_limit();
        if (getrandom(&a->instance, sizeof(a->instance), 0) != sizeof(a->instance))
                a->instance = now_wall_usec();
        listeners_take_passed(&a->listeners);
        k = start(a, &why);
        if (k < 0)
                return err_set(e, k, "cannot start: %s", str_or(why.text, strerror(-k)));
        loop_timer_set(a->tick, now_mono_usec() + TICK_USEC, TICK_SLACK_USEC);
        *ret = TAKE_PTR(a);
        return 0;
}

struct aggregator *aggregator_free(struct aggregator *a)
{
        if (!a)
                return NULL;
        /* Tasks first: requests that wait for them are answered before the server stops. */
        tasks_free(a->tasks);
        if (a->bundles)
                bundles_stop(a->bundles);
        server_free(a->server);
        errands_free(a->errands);
        listeners_done(&a->listeners);
        bundles_free(a->bundles);
        a->bundles = NULL;
        memory_free(a->memory);
        a->memory = NULL;
        sources_free(a->sources);
        peers_free(a->peers);
        self_free(a->self);
        if (a->roster) {
                struct publisher *p = a->publisher;

                a->publisher = NULL; /* whoever leaves now is not news */
                roster_free(a->roster);
                publisher_free(p);
        }
        poller_free(a->poller);
        fetcher_free(a->fetcher);
        fetcher_free(a->others);
        figures_free(a->figures);
        parked_free(a->parked);
        loop_timer_free(a->tick);
        loop_timer_free(a->leaving);
        loop_free(a->loop);
        aggregator_conf_free(a->conf);
        free(a);
        return NULL;
}

/* --- listening --------------------------------------------------------------------------------- */

static void begin_task(void *userdata, struct errand *e, struct cluster_task *t)
{
        tasks_begin(((struct aggregator *)userdata)->tasks, e, t);
}

static void abandon_task(void *userdata, struct errand *e, struct cluster_task *t)
{
        tasks_abandoned(((struct aggregator *)userdata)->tasks, e, t);
}

static const struct cluster_ops cluster_ops = {.begin = begin_task, .abandoned = abandon_task};

static const struct route *const tables[] = {
        v1_cluster_routes,      v2_cluster_routes,
        v2_nodes_routes,        v2_units_routes,
        v2_bundle_routes,       v1_cluster_bundle_routes,
        v1_legacy_routes,       node_forward_routes,
        cluster_metrics_routes, NULL,
};
static const struct router router = {
        .tables = tables,
        .aliases = v2_aliases,
        .json_errors_below = "/system/health/v2",
};

/* Any thread. */
static void write_figures(void *userdata, struct buf *out)
{
        struct aggregator *a = userdata;

        figures_write(a->figures, out);
        if (a->bundles)
                bundles_write(a->bundles, out);
}

/* Every request that is forwarded waits, too; and whoever watches a cluster does so from a front door. */
static struct server_limits limits(const struct aggregator_conf *c)
{
        struct server_limits l = c->server.limits;

        if (!l.n_parked)
                l.n_parked = PARKED_DEFAULT;
        return l;
}

static int new_server(struct aggregator *a, struct err *e)
{
        const struct server_options options = {
                .router = &router,
                .authority = &a->conf->server.authority,
                .limits = limits(a->conf),
                .parked = a->parked,
                .host = &a->host,
                .product = "diag/" DIAG_VERSION,
        };
        int k = server_new(&a->server, &options, e);

        a->host = (struct cluster_host){
                .bundles = &a->bundle_host,
                .view = publisher_view(a->publisher),
                .errands = a->errands,
                .server = a->server,
                .ops = &cluster_ops,
                .userdata = a,
                .write_metrics = write_figures,
                .metrics_userdata = a,
        };
        return k;
}

int aggregator_listen(struct aggregator *a, struct err *e)
{
        static const char *const tcp[] = {"127.0.0.1", "[::1]", NULL};
        static const struct listeners_defaults defaults = {
                .tcp = tcp,
                .unix_path = AGGREGATOR_SOCKET,
                .unit = "diag-aggregatord.socket",
                .port = AGGREGATOR_PORT,
        };
        int k = new_server(a, e);

        return k < 0 ? k : listeners_open(&a->listeners, a->server, &a->conf->server, &defaults, e);
}

int aggregator_run(struct aggregator *a)
{
        loop_notify("READY=1");
        return loop_run(a->loop);
}
