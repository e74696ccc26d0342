/*
 * How the parts are joined:
 *
 *     unit_watch ─changed─▶ reporter ─report─▶ feed ◀─look─ HTTP threads ─errands─▶ maintenance
 *     identity, journal_tail, prober, maintenance ─changed─▶ reporter
 *     answered, tick ─▶ signs of life in the feed
 *     identity, listeners ─▶ announce ─▶ masters
 *
 * A reload replaces the configuration under the parts; the feed, the server, and whoever waits there
 * notice nothing but the reports that follow.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include "agentd/agent.h"
#include "agentd/announce.h"
#include "agentd/bundles.h"
#include "agentd/maintenance.h"
#include "agentd/mesos_id.h"
#include "agentd/reporter.h"
#include "api/listeners.h"
#include "api/livez.h"
#include "api/metrics.h"
#include "api/node_answer.h"
#include "api/server.h"
#include "api/v1_bundles.h"
#include "api/v1_logs.h"
#include "api/v1_node.h"
#include "api/v2_collect.h"
#include "api/v2_node.h"
#include "base/mono.h"
#include "model/report_json.h"

#define TICK_SLACK_USEC     (250 * USEC_PER_MSEC)
#define LOOK_ONCE_USEC      (10 * USEC_PER_SEC)
#define LOOK_ONCE_STEP_USEC (10 * USEC_PER_MSEC)
#define ASK_STOPPING_USEC   (1 * USEC_PER_SEC)
#define LEAVE_USEC          (1 * USEC_PER_SEC)
#define LEAVE_STEP_USEC     (10 * USEC_PER_MSEC)

#define MESOSPHERE      "/opt/mesosphere"      /* there is one on machines of DC/OS */
#define STATE_DIRECTORY "/var/lib/diag/agentd" /* of a daemon that nobody gave another */

struct agent {
        struct agent_conf *conf;
        agent_load_fn load;
        void *load_userdata;
        struct loop *loop;
        struct loop_timer *tick;
        struct fetcher *fetcher;
        struct prober *prober;
        struct mesos_id *mesos_id;
        struct announce *announce;
        struct maintenance *maintenance;
        struct errands *errands;
        struct last_runs *last_runs;
        struct journal_tail *tails;
        struct identity *identity;
        struct unit_watch *watch;
        struct parked *parked;
        struct feed *feed;
        struct reporter *reporter;
        struct bundles *bundles; /* NULL: until it listens */
        struct node_host host;
        struct listeners listeners;
        struct server *server;
        bool last_runs_failing; /* said once */
        bool unreachable;       /* likewise */

        bool listens;
        struct sock_address listen[SERVER_LISTENERS_MAX]; /* as Listen= was when it began to */
        size_t n_listen;

        struct loop_timer *leaving;
        uint64_t leave_by_mono_usec; /* 0 until told to stop */
        uint64_t give_up_mono_usec;  /* of a look that prints and ends; 0 in a daemon */
};

/* --- one part tells another -------------------------------------------------------------------------- */

static void save_last_runs(struct agent *a)
{
        struct err e;
        bool failing = last_runs_save(a->last_runs, &e) < 0;

        if (failing && !a->last_runs_failing)
                log_warning("%s; last runs are kept in memory only", e.text);
        a->last_runs_failing = failing;
}

static void on_units_changed(void *userdata)
{
        struct agent *a = userdata;

        if (!a->reporter)
                return;
        reporter_update(a->reporter);
        save_last_runs(a);
}

static void on_changed(void *userdata)
{
        struct agent *a = userdata;

        if (a->reporter)
                reporter_update(a->reporter);
}

static void on_answered(void *userdata)
{
        struct agent *a = userdata;

        if (a->feed && !(a->reporter && reporter_is_behind(a->reporter)))
                feed_confirm(a->feed);
}

static void say_trouble_of_probes(struct agent *a)
{
        struct err e;

        if (prober_take_trouble(a->prober, &e))
                log_warning("%s; results of probes are kept in memory only", e.text);
}

/* The one timer of an idle node. */
static void on_tick(void *userdata)
{
        struct agent *a = userdata;

        feed_beat(a->feed);
        unit_watch_tick(a->watch);
        identity_tick(a->identity);
        mesos_id_tick(a->mesos_id);
        announce_tick(a->announce);
        maintenance_tick(a->maintenance);
        say_trouble_of_probes(a);
        reporter_tick(a->reporter);
        loop_timer_set(a->tick, now_mono_usec() + UNIT_WATCH_TICK_USEC, TICK_SLACK_USEC);
}

/* Where there is no DC/OS, nobody is called leader.mesos, and nobody is asked. */
static void ask_mesos(struct agent *a)
{
        const struct agent_conf *c = a->conf;
        bool is_dcos = getenv("DCOS_VERSION") || access(MESOSPHERE, F_OK) == 0;
        char url[MESOS_URL_MAX] = "";

        if (c->mesos_url && !streq(c->mesos_url, "off"))
                (void)snprintf(url, sizeof(url), "%s", c->mesos_url);
        else if (!c->mesos_url && is_dcos)
                mesos_id_url(url, c->role, identity_node(a->identity)->address);
        (void)mesos_id_set_url(a->mesos_id, url); /* as long as it may be */
}

/* Where other machines reach us, as far as this machine can tell. */
static void look_outside(const struct agent *a, struct outside *o)
{
        const struct activation *passed = &a->listeners.passed;

        outside_begin(o, identity_node(a->identity)->address);
        for (size_t i = 0; i < passed->n; i++)
                outside_add(o, &passed->sockets[i].address, true);
        for (size_t i = 0; i < a->n_listen; i++)
                outside_add(o, &a->listen[i], false);
}

/* Not of a master, which nobody announces, nor while our address is yet to be found out. */
static void say_unreachable(struct agent *a, const struct outside *o)
{
        bool unreachable =
                a->conf->n_masters && a->conf->role != DIAG_ROLE_MASTER && *o->own && !*o->address;

        if (unreachable && !a->unreachable)
                log_warning("this node is not announced to Masters=: it listens where only this "
                            "machine can ask it");
        a->unreachable = unreachable;
}

/* To be found, a node must be there to be asked. */
static void announce_node(struct agent *a)
{
        struct outside o;

        if (!a->listens)
                return;
        look_outside(a, &o);
        say_unreachable(a, &o);
        if (announce_set_node(a->announce, identity_node(a->identity),
                              feed_current(a->feed)->instance, &o) < 0)
                log_warning("out of memory; the masters know this node as it was");
}

/* As one whom they know, where TLS is in force: to masters, other nodes speak nothing else. */
static void announce_to_masters(struct agent *a)
{
        const struct agent_conf *c = a->conf;
        const struct tls_files *files = listen_conf_tls(&c->server);
        struct fetch_tls tls;
        struct err e;

        if (files)
                tls = (struct fetch_tls){
                        .ca_pem = files->ca_pem,
                        .certificate_pem = files->certificate_pem,
                        .key_pem = files->key_pem,
                };
        if (announce_set_masters(a->announce, c->masters, c->n_masters, files ? &tls : NULL, &e) <
            0)
                log_warning("not all of Masters= are told of this node: %s", e.text);
}

static void on_identity(void *userdata)
{
        ask_mesos(userdata);
        announce_node(userdata);
        on_changed(userdata);
}

static void on_mesos_id(void *userdata)
{
        struct agent *a = userdata;

        identity_set_mesos_id(a->identity, mesos_id_get(a->mesos_id));
        on_changed(a);
}

static void on_maintenance(void *userdata)
{
        struct agent *a = userdata;

        if (!maintenance_current(a->maintenance))
                log_notice("maintenance is over: its time has come");
        on_changed(a);
}

static void leave(struct agent *a)
{
        save_last_runs(a); /* also of what ended since the last look */
        /* Who knows nothing yet had no answer from systemd, and would wait for this one, too. */
        if (feed_current(a->feed)->phase != DIAG_PHASE_STARTING &&
            unit_watch_ask_stopping(a->watch, ASK_STOPPING_USEC))
                reporter_say_stopping(a->reporter);
        loop_quit(a->loop, 0);
}

/*
 * Who asked while nothing was known yet is held until something is. A stop in that moment must not
 * answer it with "starting": to whoever watches, a restart is no event.
 */
static void leave_when_known(void *userdata)
{
        struct agent *a = userdata;
        uint64_t now = now_mono_usec();

        if (feed_current(a->feed)->phase == DIAG_PHASE_STARTING && now < a->leave_by_mono_usec)
                loop_timer_set(a->leaving, now + LEAVE_STEP_USEC, 0);
        else
                leave(a);
}

static void on_term(int signo, void *userdata)
{
        struct agent *a = userdata;

        log_info("stopping: %s", strsignal(signo));
        loop_notify("STOPPING=1");
        if (!a->leave_by_mono_usec)
                a->leave_by_mono_usec = now_mono_usec() + LEAVE_USEC;
        else
                a->leave_by_mono_usec = 1; /* told twice */
        leave_when_known(a);
}

/* --- life -------------------------------------------------------------------------------------------------- */

/*
 * NULL, and everything is kept in memory only, where there is no such folder. systemd may name several,
 * with colons between: the first is for us.
 */
static const char *path_below(char path[static PATH_MAX], const char *dir, const char *name)
{
        int n = dir ? (int)strcspn(dir, ":") : 0;

        if (!dir || (size_t)snprintf(path, PATH_MAX, "%.*s/%s", n, dir, name) >= PATH_MAX)
                return NULL;
        return path;
}

static const char *state_directory(void)
{
        const char *dir = getenv("STATE_DIRECTORY");

        if (dir || access(STATE_DIRECTORY, R_OK | X_OK) < 0)
                return dir;
        return STATE_DIRECTORY;
}

static int new_last_runs(struct agent *a, const char *boot_id)
{
        char path[PATH_MAX];
        struct err e;
        int k;

        k = last_runs_new(&a->last_runs, path_below(path, getenv("RUNTIME_DIRECTORY"), "last-runs"),
                          boot_id, &e);
        if (k >= 0 && e.code < 0)
                log_warning("%s; starting without last runs", e.text);
        return k;
}

static int new_maintenance(struct agent *a, const char *boot_id)
{
        char path[PATH_MAX];
        struct err e = {0};
        int k;

        k = maintenance_new(&a->maintenance, a->loop,
                            path_below(path, state_directory(), "maintenance"), boot_id,
                            on_maintenance, a, &e);
        if (k >= 0 && e.code < 0)
                log_warning("%s; starting without maintenance", e.text);
        return k;
}

static int new_prober(struct agent *a, const struct agent_conf *c, struct prober **ret)
{
        char path[PATH_MAX];
        int k;

        k = prober_new(ret, a->loop, a->fetcher, (const struct probe_settings *const *)c->probes,
                       c->n_probes, path_below(path, getenv("RUNTIME_DIRECTORY"), "probes"),
                       identity_node(a->identity)->boot_id, on_changed, a);
        if (k < 0)
                return k;
        /* A probe could start what a socket starts on demand: not before the unit is known. */
        for (size_t i = 0; i < c->n_components; i++)
                for (size_t j = 0; c->components[i].unit && j < c->components[i].n_probes; j++)
                        prober_hold(*ret, c->components[i].first_probe + j);
        return 0;
}

static struct unit_watch_options watch_options(const struct agent_conf *c)
{
        return (struct unit_watch_options){
                .target = c->target ? c->target : AGENT_TARGET,
                .target_is_default = !c->target,
                .units = c->watched,
                .n_units = c->n_watched,
                .expect = agent_conf_expect,
                .userdata = (void *)c,
                .stuck_after_usec = c->stuck_after_usec,
                .stuck_after_oneshot_usec =
                        c->stuck_after_given ? c->stuck_after_usec : USEC_INFINITY,
                .starting_is_healthy = c->starting_is_healthy,
        };
}

static int new_watch(struct agent *a)
{
        static const struct unit_watch_ops ops = {.changed = on_units_changed,
                                                  .answered = on_answered};
        const struct unit_watch_options options = watch_options(a->conf);

        return unit_watch_new(&a->watch, a->loop, &options, a->last_runs, &ops, a);
}

static int new_feed(struct agent *a)
{
        struct diag_report *first = reporter_first(identity_node(a->identity));
        int k;

        if (!first)
                return -ENOMEM;
        k = parked_new(&a->parked);
        if (k < 0) {
                diag_report_unref(first);
                return k;
        }
        return feed_new(&a->feed, a->parked, first);
}

static int new_reporter(struct agent *a)
{
        const struct reporter_parts parts = {
                .loop = a->loop,
                .watch = a->watch,
                .identity = a->identity,
                .tails = a->tails,
                .maintenance = a->maintenance,
                .feed = a->feed,
                .conf = a->conf,
                .prober = a->prober,
        };

        return reporter_new(&a->reporter, &parts);
}

static uint16_t default_port(const struct agent_conf *c)
{
        return c->role == DIAG_ROLE_MASTER ? AGENT_PORT_MASTER : AGENT_PORT;
}

static int new_parts(struct agent *a)
{
        const char *boot_id;
        int k;

        k = identity_new(&a->identity, a->loop, a->conf, on_identity, a);
        if (k < 0)
                return k;
        boot_id = identity_node(a->identity)->boot_id;
        identity_set_port(a->identity,
                          listeners_port(&a->listeners, &a->conf->server, default_port(a->conf)));
        k = new_last_runs(a, boot_id);
        if (k >= 0)
                k = new_maintenance(a, boot_id);
        if (k >= 0)
                k = fetcher_new(&a->fetcher, a->loop, NULL);
        if (k >= 0)
                k = mesos_id_new(&a->mesos_id, a->fetcher, "", on_mesos_id, a);
        if (k >= 0)
                k = new_prober(a, a->conf, &a->prober);
        if (k >= 0)
                k = journal_tail_new(&a->tails, a->loop, on_changed, a);
        if (k >= 0)
                k = new_watch(a);
        if (k >= 0)
                k = new_feed(a);
        if (k >= 0)
                k = announce_new(&a->announce, a->loop, feed_current(a->feed)->instance);
        if (k >= 0)
                k = new_reporter(a);
        return k;
}

/* --- reload ------------------------------------------------------------------------------------------------ */

static int replace_conf(struct agent *a, struct agent_conf *taken)
{
        const struct unit_watch_options options = watch_options(taken);
        struct agent_conf *old = a->conf;
        struct prober *prober = NULL;
        int k;

        k = new_prober(a, taken, &prober);
        if (k >= 0)
                k = server_set_authority(a->server, &taken->server.authority);
        if (k < 0) {
                prober_free(prober);
                agent_conf_free(taken);
                return k;
        }
        if (!listen_conf_same_listeners(&old->server, &taken->server))
                log_warning(
                        "Listen=, the files of [TLS] and [Limits] of the new configuration count "
                        "from the next restart on");
        prober_take_over(prober, a->prober);
        log_set_level(taken->log_level);
        a->conf = taken;
        reporter_reconfigure(a->reporter, taken, prober);
        unit_watch_reconfigure(a->watch,
                               &options); /* from here on nothing is told before its look */
        identity_reconfigure(a->identity, taken);
        if (a->bundles)
                bundles_reconfigure(a->bundles, taken->role, &taken->bundles);
        prober_free(a->prober);
        a->prober = prober;
        agent_conf_free(old);
        ask_mesos(a);
        announce_node(a);
        announce_to_masters(a);
        return 0;
}

/* A broken configuration costs nothing but its own effect. */
static void on_reload(_unused_ int signo, void *userdata)
{
        struct agent *a = userdata;
        struct agent_conf *conf = NULL;
        char text[64];
        int k;

        (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_mono_usec());
        loop_notify(text);
        k = a->load(&conf, a->load_userdata);
        if (k >= 0)
                k = replace_conf(a, conf);
        if (k >= 0)
                log_info("the configuration was read again");
        else
                log_error("the configuration stays what it was (%s)", strerror(-k));
        loop_notify(
                k >= 0 ? "READY=1\nSTATUS="
                       : "READY=1\nSTATUS=The new configuration was refused; the old one holds.");
}

/* --- start and end --------------------------------------------------------------------------------------- */

static int start(struct agent *a)
{
        static const struct {
                int signo;
                void (*fn)(int signo, void *userdata);
        } signals[] = {
                {SIGTERM, on_term  },
                {SIGINT,  on_term  },
                {SIGHUP,  on_reload},
        };
        int k;

        k = loop_new(&a->loop);
        if (k >= 0)
                k = new_parts(a);
        if (k >= 0)
                k = errands_new(&a->errands, a->loop, a->parked);
        if (k >= 0)
                k = loop_timer_new(&a->tick, a->loop, on_tick, a);
        if (k >= 0)
                k = loop_timer_new(&a->leaving, a->loop, leave_when_known, a);
        for (size_t i = 0; k >= 0 && i < ELEMENTSOF(signals); i++)
                k = loop_on_signal(a->loop, signals[i].signo, signals[i].fn, a);
        return k;
}

int agent_new(struct agent **ret, struct agent_conf *taken, agent_load_fn load, void *userdata,
              struct err *e)
{
        _cleanup_(agent_freep) struct agent *a = calloc(1, sizeof(*a));
        int k;

        if (!a) {
                agent_conf_free(taken);
                return err_set(e, -ENOMEM, "out of memory");
        }
        a->conf = taken;
        a->load = load;
        a->load_userdata = userdata;
        listeners_take_passed(&a->listeners);
        k = start(a);
        if (k < 0)
                return err_set(e, k, "cannot start: %s", strerror(-k));
        ask_mesos(a);
        loop_timer_set(a->tick, now_mono_usec() + UNIT_WATCH_TICK_USEC, TICK_SLACK_USEC);
        *ret = TAKE_PTR(a);
        return 0;
}

struct agent *agent_free(struct agent *a)
{
        if (!a)
                return NULL;
        server_free(a->server); /* first: its threads use the feed */
        bundles_free(a->bundles);
        errands_free(a->errands);
        listeners_done(&a->listeners);
        reporter_free(a->reporter);
        prober_free(a->prober);
        mesos_id_free(a->mesos_id);
        announce_free(a->announce);
        fetcher_free(a->fetcher);
        maintenance_free(a->maintenance);
        unit_watch_free(a->watch);
        journal_tail_free(a->tails);
        identity_free(a->identity);
        last_runs_free(a->last_runs);
        feed_free(a->feed);
        parked_free(a->parked);
        loop_timer_free(a->tick);
        loop_timer_free(a->leaving);
        loop_free(a->loop);
        agent_conf_free(a->conf);
        free(a);
        return NULL;
}

/* --- listening ------------------------------------------------------------------------------------------------ */

static int start_maintenance(void *userdata, uint64_t for_usec, const char *reason, const char *by,
                             struct err *e)
{
        struct agent *a = userdata;
        const struct diag_maintenance *m;
        char until[RFC3339_MAX];
        int k;

        k = maintenance_start(a->maintenance, for_usec, reason, by, e);
        if (k < 0)
                return k;
        m = maintenance_current(a->maintenance);
        if (m) { /* saving it may have taken longer */
                rfc3339_format(until, m->until_wall_usec);
                log_notice("maintenance until %s, said by %s: %s", until, by, reason);
        }
        reporter_update(a->reporter);
        return 0;
}

static int stop_maintenance(void *userdata, struct err *e)
{
        struct agent *a = userdata;
        int k = maintenance_stop(a->maintenance, e);

        if (k > 0) {
                log_notice("maintenance is over: somebody said so");
                reporter_update(a->reporter);
        }
        return k < 0 ? k : 0;
}

static const struct diag_maintenance *current_maintenance(void *userdata)
{
        return maintenance_current(((struct agent *)userdata)->maintenance);
}

static const struct node_ops node_ops = {
        .start_maintenance = start_maintenance,
        .stop_maintenance = stop_maintenance,
        .maintenance = current_maintenance,
};

static const struct route *const tables[] = {
        v1_node_routes,    v2_node_routes, v1_logs_routes, v1_node_bundle_routes,
        v2_collect_routes, livez_routes,   metrics_routes, NULL};
static const struct router router = {
        .tables = tables,
        .aliases = v2_aliases,
        .json_errors_below = "/system/health/v2",
};

static int new_bundles(struct agent *a, struct err *e)
{
        char path[PATH_MAX];
        const struct bundles_options options = {
                .loop = a->loop,
                .feed = a->feed,
                .errands = a->errands,
                .directory = path_below(path, state_directory(), "bundles"),
                .limits = a->conf->bundles,
                .role = a->conf->role,
                .port = default_port(a->conf),
        };
        struct err why = {0};
        int k = bundles_new(&a->bundles, &options, &why);

        if (k < 0)
                return err_set(e, k, "%s", why.text);
        if (why.code < 0)
                log_warning("%s; no bundles are kept on this node", why.text);
        return 0;
}

static int new_server(struct agent *a, struct err *e)
{
        const struct server_options options = {
                .router = &router,
                .authority = &a->conf->server.authority,
                .limits = a->conf->server.limits,
                .parked = a->parked,
                .host = &a->host,
                .product = "diag/" DIAG_VERSION,
        };
        int k;

        k = server_new(&a->server, &options, e);
        a->host = (struct node_host){
                .bundles = bundles_host(a->bundles),
                .feed = a->feed,
                .errands = a->errands,
                .server = a->server,
                .ops = &node_ops,
                .userdata = a,
        };
        return k;
}

static int open_listeners(struct agent *a, struct err *e)
{
        static const char *const tcp[] = {"127.0.0.1", "[::1]", NULL};
        bool is_master = a->conf->role == DIAG_ROLE_MASTER;
        const struct listeners_defaults defaults = {
                .tcp = tcp,
                .unix_path = AGENT_SOCKET,
                .unit = is_master ? "diag-agentd-master.socket" : "diag-agentd.socket",
                .port = default_port(a->conf),
                .wrong_port = is_master ? AGENT_PORT : AGENT_PORT_MASTER,
                .wrong_port_text = is_master ? "the role of this node is master: "
                                               "diag-agentd-master.socket belongs to it, in the "
                                               "other's place"
                                             : "the role of this node is not master: "
                                               "diag-agentd.socket belongs to it, in the other's "
                                               "place",
        };

        return listeners_open(&a->listeners, a->server, &a->conf->server, &defaults, e);
}

int agent_listen(struct agent *a, struct err *e)
{
        int k = new_bundles(a, e);

        if (k >= 0)
                k = new_server(a, e);
        if (k >= 0)
                k = open_listeners(a, e);
        if (k < 0)
                return k;
        a->listens = true;
        a->n_listen = a->conf->server.n_listen;
        memcpy(a->listen, a->conf->server.listen, sizeof(a->listen));
        announce_node(a);
        announce_to_masters(a);
        return 0;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

int agent_run(struct agent *a)
{
        loop_notify("READY=1");
        return loop_run(a->loop);
}

static bool has_seen_everything(const struct agent *a)
{
        return unit_watch_is_settled(a->watch) && unit_watch_is_steady(a->watch) &&
               journal_tail_is_idle(a->tails) && prober_is_settled(a->prober);
}

/* Looks at the parts now and then, instead of making each of them tell when it has come to rest. */
static void on_look_once(void *userdata)
{
        struct agent *a = userdata;
        uint64_t now = now_mono_usec();

        if (has_seen_everything(a) || now >= a->give_up_mono_usec)
                loop_quit(a->loop, 0);
        else
                loop_timer_set(a->tick, now + LOOK_ONCE_STEP_USEC, 0);
}

int agent_look_once(struct agent *a, struct buf *out, struct err *e)
{
        struct diag_moment moment;
        int k;

        a->give_up_mono_usec = now_mono_usec() + LOOK_ONCE_USEC;
        a->tick = loop_timer_free(a->tick);
        k = loop_timer_new(&a->tick, a->loop, on_look_once, a);
        if (k < 0)
                return err_set(e, k, "cannot look: %s", strerror(-k));
        loop_timer_set(a->tick, now_mono_usec() + LOOK_ONCE_STEP_USEC, 0);
        k = loop_run(a->loop);
        if (k < 0)
                return err_set(e, k, "cannot look: %s", strerror(-k));
        moment = (struct diag_moment){
                .now_wall_usec = now_wall_usec(),
                .uptime_usec = now_boot_usec(),
                .confirmed_age_usec = feed_confirmed_age(a->feed),
        };
        diag_report_write_full(out, feed_current(a->feed), &moment, true);
        return out->error ? err_set(e, out->error, "out of memory") : 0;
}
