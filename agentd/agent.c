/*
 * How the parts are joined:
 *
 *     unit_watch ─changed─▶ reporter ─report─▶ feed ◀─look─ HTTP threads
 *     identity, journal_tail ─changed─▶ reporter        answered, tick ─▶ signs of life in the feed
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agentd/agent.h"
#include "agentd/reporter.h"
#include "api/node_answer.h"
#include "api/server.h"
#include "api/v1_node.h"
#include "api/v2_node.h"
#include "base/mono.h"
#include "model/report_json.h"

#define TICK_SLACK_USEC     (250 * USEC_PER_MSEC)
#define LOOK_ONCE_USEC      (10 * USEC_PER_SEC)
#define LOOK_ONCE_STEP_USEC (10 * USEC_PER_MSEC)
#define ASK_STOPPING_USEC   (1 * USEC_PER_SEC)

struct agent {
        const struct agent_conf *conf;
        struct loop *loop;
        struct loop_timer *tick;
        struct last_runs *last_runs;
        struct journal_tail *tails;
        struct identity *identity;
        struct unit_watch *watch;
        struct parked *parked;
        struct feed *feed;
        struct reporter *reporter;
        struct node_host host;
        struct server *server;
        bool last_runs_failing;     /* said once */
        uint64_t give_up_mono_usec; /* of a look that prints and ends; 0 in a daemon */
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

        if (a->feed)
                feed_confirm(a->feed);
}

/* The one timer of an idle node. */
static void on_tick(void *userdata)
{
        struct agent *a = userdata;

        feed_beat(a->feed);
        unit_watch_tick(a->watch);
        identity_tick(a->identity);
        loop_timer_set(a->tick, now_mono_usec() + UNIT_WATCH_TICK_USEC, TICK_SLACK_USEC);
}

static void on_term(int signo, void *userdata)
{
        struct agent *a = userdata;

        log_info("stopping: %s", strsignal(signo));
        loop_notify("STOPPING=1");
        if (unit_watch_ask_stopping(a->watch, ASK_STOPPING_USEC))
                reporter_say_stopping(a->reporter);
        loop_quit(a->loop, 0);
}

/* --- life -------------------------------------------------------------------------------------------------- */

static uint16_t own_port(const struct agent_conf *c)
{
        for (size_t i = 0; i < c->n_listen; i++) {
                const struct sock_address *s = &c->listen[i];

                if (s->sa.sa_family != AF_UNIX)
                        return ntohs(s->sa.sa_family == AF_INET ? s->in.sin_port
                                                                : s->in6.sin6_port);
        }
        if (c->n_listen)
                return 0;
        return c->role == DIAG_ROLE_MASTER ? AGENT_PORT_MASTER : AGENT_PORT;
}

static int new_last_runs(struct agent *a, const char *boot_id)
{
        const char *dir = getenv("RUNTIME_DIRECTORY");
        char path[4096];
        struct err e;
        int k;

        if (dir)
                (void)snprintf(path, sizeof(path), "%s/last-runs", dir);
        k = last_runs_new(&a->last_runs, dir ? path : NULL, boot_id, &e);
        if (k >= 0 && e.code < 0)
                log_warning("%s; starting without last runs", e.text);
        return k;
}

static int new_watch(struct agent *a)
{
        static const struct unit_watch_ops ops = {.changed = on_units_changed,
                                                  .answered = on_answered};
        const struct agent_conf *c = a->conf;
        const struct unit_watch_options options = {
                .target = c->target ? c->target : AGENT_TARGET,
                .target_is_default = !c->target,
                .units = (const char *const *)c->units,
                .n_units = c->n_units,
                .expect = agent_conf_expect,
                .userdata = (void *)c,
                .stuck_after_usec = c->stuck_after_usec,
                .stuck_after_oneshot_usec =
                        c->stuck_after_given ? c->stuck_after_usec : USEC_INFINITY,
                .starting_is_healthy = c->starting_is_healthy,
        };

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
                .feed = a->feed,
        };

        return reporter_new(&a->reporter, &parts);
}

static int start(struct agent *a)
{
        int k;

        k = loop_new(&a->loop);
        if (k >= 0)
                k = identity_new(&a->identity, a->loop, a->conf, own_port(a->conf), on_changed, a);
        if (k >= 0)
                k = new_last_runs(a, identity_node(a->identity)->boot_id);
        if (k >= 0)
                k = journal_tail_new(&a->tails, a->loop, on_changed, a);
        if (k >= 0)
                k = new_watch(a);
        if (k >= 0)
                k = new_feed(a);
        if (k >= 0)
                k = new_reporter(a);
        if (k >= 0)
                k = loop_timer_new(&a->tick, a->loop, on_tick, a);
        if (k >= 0)
                k = loop_on_signal(a->loop, SIGTERM, on_term, a);
        if (k >= 0)
                k = loop_on_signal(a->loop, SIGINT, on_term, a);
        return k;
}

int agent_new(struct agent **ret, const struct agent_conf *conf, struct err *e)
{
        _cleanup_(agent_freep) struct agent *a = calloc(1, sizeof(*a));
        int k;

        if (!a)
                return err_set(e, -ENOMEM, "out of memory");
        a->conf = conf;
        k = start(a);
        if (k < 0)
                return err_set(e, k, "cannot start: %s", strerror(-k));
        loop_timer_set(a->tick, now_mono_usec() + UNIT_WATCH_TICK_USEC, TICK_SLACK_USEC);
        *ret = TAKE_PTR(a);
        return 0;
}

struct agent *agent_free(struct agent *a)
{
        if (!a)
                return NULL;
        server_free(a->server); /* first: its threads use the feed */
        reporter_free(a->reporter);
        unit_watch_free(a->watch);
        journal_tail_free(a->tails);
        identity_free(a->identity);
        last_runs_free(a->last_runs);
        feed_free(a->feed);
        parked_free(a->parked);
        loop_timer_free(a->tick);
        loop_free(a->loop);
        free(a);
        return NULL;
}

/* --- listening ------------------------------------------------------------------------------------------------ */

static const struct route *const tables[] = {v1_node_routes, v2_node_routes, NULL};
static const struct router router = {
        .tables = tables,
        .aliases = v2_aliases,
        .json_errors_below = "/system/health/v2",
};

static int new_server(struct agent *a, struct err *e)
{
        const struct server_options options = {
                .router = &router,
                .authority = &a->conf->authority,
                .parked = a->parked,
                .host = &a->host,
                .product = "diag/" DIAG_VERSION,
        };

        a->host.feed = a->feed;
        return server_new(&a->server, &options, e);
}

static int listen_on(struct agent *a, const struct sock_address *s, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];
        int k = server_listen(a->server, s, e);

        if (k >= 0)
                log_info("listening on %s", sock_address_format(text, s));
        return k;
}

/* Nobody asked for these one by one: what cannot be opened is said, and the others serve. */
static int listen_on_defaults(struct agent *a, struct err *e)
{
        static const char *const forms[] = {"127.0.0.1:%u", "[::1]:%u", AGENT_SOCKET};
        unsigned port = own_port(a->conf), n = 0;

        (void)mkdir("/run/diag", 0755);
        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                struct sock_address s;
                char text[SOCK_ADDRESS_MAX];

                (void)snprintf(text, sizeof(text), forms[i], port);
                if (parse_listen(text, &s) < 0)
                        continue;
                if (listen_on(a, &s, e) >= 0)
                        n++;
                else if (e->code != -EADDRNOTAVAIL && e->code != -EAFNOSUPPORT)
                        log_warning("%s", e->text); /* but a machine without IPv6 is no surprise */
        }
        return n ? 0 : err_set(e, -EADDRINUSE, "none of the default listeners could be opened");
}

int agent_listen(struct agent *a, struct err *e)
{
        int k = new_server(a, e);

        if (k >= 0 && !a->conf->n_listen)
                return listen_on_defaults(a, e);
        for (size_t i = 0; k >= 0 && i < a->conf->n_listen; i++)
                k = listen_on(a, &a->conf->listen[i], e);
        return k;
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
               journal_tail_is_idle(a->tails);
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
        diag_report_write_full(out, feed_current(a->feed), &moment);
        return out->error ? err_set(e, out->error, "out of memory") : 0;
}
