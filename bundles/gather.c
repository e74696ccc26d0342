/*
 * A visit for each node: asked, spooled, joined, over. The loop asks, at most at_once of them at a time, those that
 * wait for the worker included, so that what is in flight on disk is bounded; the worker joins, and at the end closes.
 * While a joint is with the worker nothing else touches the archive.
 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mono.h"
#include "bundles/collect_request.h"
#include "bundles/gather_ask.h"
#include "bundles/gather_close.h"
#include "bundles/gather_files.h"
#include "bundles/gather_tls.h"
#include "bundles/gather_worker.h"

#define TICK_USEC           (500 * USEC_PER_MSEC)
#define BUSY_TRIES_MAX      6u
#define DAY_USEC            (24 * 60 * USEC_PER_MIN)
#define FETCH_BUFFER_BYTES  (128u << 10)
#define MANIFEST_ENTRIES    300000u /* that are kept for it; a node's own status.json has the others */
#define SPOOL_BYTES_BESIDES (UINT64_C(1) << 20) /* what cannot be compressed grows a little */

enum visit_state { VISIT_WAITING = 0, VISIT_LATER, VISIT_ASKING, VISIT_JOINING, VISIT_OVER };

struct visit {
        struct gather *gather;
        const struct gather_node *node;
        struct bundle_node *told; /* of the bundle */
        struct ask *ask;
        enum visit_state state;
        unsigned n_tries;
        uint64_t again_mono_usec;   /* of LATER */
        struct buf body;            /* of its collect request */
        struct joining *joining;    /* while the worker has it */
        struct node_status *status; /* NULL: none came */
};

struct gather {
        const char *directory;
        struct loop *loop;
        struct loop_timer *tick;
        struct fetcher *fetcher;
        struct worker *worker;
        struct joiner *joiner;
        struct gather_order order;
        struct bundle *bundle;
        struct visit *visits;
        struct closing_work *closing;
        size_t n_visits, n_over, n_busy,
                next; /* busy: asked or joined; next: the first that may wait */
        size_t n_manifest_entries;
        uint64_t deadline_mono_usec, n_received_before; /* of asks that are over */
        uint8_t salt[REDACT_SALT_BYTES];
        struct err error;    /* why the bundle is lost; code 0: it is not */
        const char *stopped; /* why no other node is asked; NULL: they are */
        bool canceled, orphaned;
        pid_t parent;
        uint64_t save_mono_usec;
};

struct joining {
        struct work work;
        struct visit *visit;
        struct joint joint;
        int error; /* of the archive itself */
        struct err why;
};

struct closing_work {
        struct work work;
        struct gather *gather;
        struct bundle *bundle; /* a copy, as it will be */
        struct manifest_node *nodes;
        int error;
        struct err why;
};

static void go_on(struct gather *g);

/* --- what is told ------------------------------------------------------------------------------------------ */

static void replace_text(char **to, const char *text)
{
        free(*to);
        *to = str_empty(text) ? NULL : strdup(text);
}

static uint64_t count_received(const struct gather *g)
{
        uint64_t n = g->n_received_before;

        for (size_t i = 0; i < g->n_visits; i++)
                if (g->visits[i].ask)
                        n += ask_received(g->visits[i].ask);
        return n;
}

static void describe(struct gather *g)
{
        struct bundle *b = g->bundle;
        size_t n_asked = 0, n_joined = 0, first = 0;

        b->n_received_bytes = count_received(g);
        for (size_t i = g->n_visits; i-- > 0;) {
                n_asked += g->visits[i].state == VISIT_ASKING;
                n_joined += g->visits[i].state == VISIT_JOINING;
                if (g->visits[i].state == VISIT_ASKING)
                        first = i;
        }
        if (g->closing)
                (void)snprintf(b->current, sizeof(b->current), "writing the end of the archive");
        else if (n_asked > 1)
                (void)snprintf(b->current, sizeof(b->current), "receiving from %.64s and %zu more",
                               g->visits[first].node->address, n_asked - 1);
        else if (n_asked)
                (void)snprintf(b->current, sizeof(b->current), "receiving from %.64s",
                               g->visits[first].node->address);
        else if (n_joined)
                (void)snprintf(b->current, sizeof(b->current), "joining what came");
        else if (g->n_over < g->n_visits)
                (void)snprintf(b->current, sizeof(b->current), "waiting for nodes that are busy");
        else
                b->current[0] = '\0';
}

/* As often as is told, and not so often that a slow disk does nothing else. */
static void save(struct gather *g)
{
        uint64_t now = now_mono_usec(), took;
        struct err e;

        if (now < g->save_mono_usec)
                return;
        describe(g);
        if (gather_save(g->bundle, g->directory, false, &e) < 0)
                log_debug("%s", e.text);
        took = usec_since(now_mono_usec(), now);
        g->save_mono_usec = now + (20 * took > TICK_USEC ? 20 * took : TICK_USEC) - 1;
}

/* --- the end of a visit ------------------------------------------------------------------------------------ */

static void visit_over(struct visit *v, enum bundle_node_state state, const char *why)
{
        struct gather *g = v->gather;

        buf_done(&v->body);
        v->state = VISIT_OVER;
        v->told->state = state;
        replace_text(&v->told->error, why);
        g->n_over++;
        if (state == BUNDLE_NODE_FAILED)
                g->bundle->n_nodes_failed++;
        else
                g->bundle->n_nodes_done++;
        if (state != BUNDLE_NODE_DONE)
                g->bundle->partial = true;
        if (*str_or(why, ""))
                log_info("%s: %s: %s", g->bundle->id, v->node->address, why);
}

/* No other node is asked from now on; what is under way ends as it does. */
static void stop_asking(struct gather *g, const char *why)
{
        if (g->stopped)
                return;
        g->stopped = why;
        g->bundle->partial = true;
        replace_text(&g->bundle->error, why);
        for (size_t i = 0; i < g->n_visits; i++)
                if (g->visits[i].state == VISIT_WAITING || g->visits[i].state == VISIT_LATER)
                        visit_over(&g->visits[i], BUNDLE_NODE_FAILED, why);
}

/* The manifest has room for so many entries; then a node's status stands in its own directory alone. */
static void keep_status(struct visit *v, struct joint *joint)
{
        struct gather *g = v->gather;
        struct bundle_node *told = v->told;

        if (!joint->has_status)
                return;
        /* What a required source did not give is missing. */
        told->n_failed_entries = node_status_n_failed(&joint->status, true);
        told->n_redactions = node_status_n_redactions(&joint->status);
        if (told->n_failed_entries)
                g->bundle->partial = true;
        g->bundle->n_redactions += told->n_redactions;
        if (g->n_manifest_entries + joint->status.n_entries > MANIFEST_ENTRIES)
                return;
        v->status = malloc(sizeof(*v->status));
        if (!v->status)
                return;
        *v->status = joint->status;
        joint->has_status = false;
        g->n_manifest_entries += v->status->n_entries;
}

static void on_joined(struct work *work)
{
        struct joining *j = CONTAINER_OF(work, struct joining, work);
        struct visit *v = j->visit;
        struct gather *g = v->gather;
        struct joint *joint = &j->joint;

        v->joining = NULL;
        g->n_busy--;
        v->told->n_entries = joint->error ? 0 : joint->n_entries;
        if (j->error < 0) {
                g->error = j->why;
                visit_over(v, BUNDLE_NODE_FAILED, j->why.text);
        } else if (joint->error) {
                visit_over(v, BUNDLE_NODE_FAILED, joint->fault);
                if (joint->error == -ENOSPC)
                        stop_asking(g, "the disk of this master is as full as it may be");
                else if (joint->error == -EFBIG)
                        stop_asking(g, "the bundle is as large as it may be");
        } else {
                keep_status(v, joint);
                visit_over(v, *joint->fault ? BUNDLE_NODE_PARTIAL : BUNDLE_NODE_DONE, joint->fault);
        }
        joint_done(joint);
        free(j);
        go_on(g);
}

static void join(struct work *work)
{
        struct joining *j = CONTAINER_OF(work, struct joining, work);

        j->error = joiner_add(j->visit->gather->joiner, &j->joint, &j->why);
}

/* --- asking -------------------------------------------------------------------------------------------------- */

static void hand_over(struct visit *v, struct ask_outcome *o)
{
        struct joining *j = calloc(1, sizeof(*j));

        if (!j) {
                spool_done(&o->spool);
                v->gather->n_busy--;
                visit_over(v, BUNDLE_NODE_FAILED, "out of memory");
                return;
        }
        j->work.run = join;
        j->work.done = on_joined;
        j->visit = v;
        j->joint.spool = o->spool;
        j->joint.format = o->format;
        (void)snprintf(j->joint.fault, sizeof(j->joint.fault), "%s", o->words);
        (void)snprintf(j->joint.prefix, sizeof(j->joint.prefix), "%s_%s", v->node->address,
                       diag_role_to_string(v->node->role));
        v->state = VISIT_JOINING;
        v->joining = j;
        worker_push(v->gather->worker, &j->work);
}

static void on_asked(struct ask_outcome *o, void *userdata)
{
        struct visit *v = userdata;
        struct gather *g = v->gather;

        v->told->took_usec += o->took_usec;
        v->told->n_bytes = ask_received(v->ask);
        g->n_received_before += v->told->n_bytes;
        if (o->end == ASK_GOT) {
                hand_over(v, o);
        } else if (o->end == ASK_BUSY && ++v->n_tries < BUSY_TRIES_MAX && !g->stopped) {
                v->state = VISIT_LATER;
                v->again_mono_usec = now_mono_usec() + o->busy_usec;
                g->n_busy--;
        } else {
                g->n_busy--;
                visit_over(v, BUNDLE_NODE_FAILED, o->words);
                if (o->end == ASK_NO_SPACE)
                        stop_asking(g, "the disk of this master is as full as it may be");
        }
        v->ask = ask_free(v->ask);
        go_on(g);
}

/* The same of all nodes but for its prefix and its role. */
static int write_request(struct visit *v)
{
        const struct gather *g = v->gather;
        const struct bundle *b = g->bundle;
        struct collect_request q = {
                .op = COLLECT_ARCHIVE,
                .role = v->node->role,
                .format =
                        b->request.format == ARCHIVE_TAR_GZIP ? ARCHIVE_TAR_GZIP : ARCHIVE_TAR_ZSTD,
                .fragment = true,
                .kinds = b->request.kinds,
                .since_wall_usec = b->request.since_wall_usec,
                .until_wall_usec = b->request.until_wall_usec,
                .max_bytes = g->order.node_max_bytes,
                .no_redact = b->request.no_redact,
                .has_salt = true,
        };

        if (!q.since_wall_usec)
                q.since_wall_usec = usec_since(b->created_wall_usec, DAY_USEC);
        memcpy(q.salt, g->salt, sizeof(q.salt));
        (void)snprintf(q.prefix, sizeof(q.prefix), "%s_%s", v->node->address,
                       diag_role_to_string(v->node->role));
        (void)snprintf(q.bundle, sizeof(q.bundle), "%s", b->id);
        if (!v->body.n)
                collect_request_write(&v->body, &q);
        return v->body.error;
}

static int ask(struct visit *v, struct err *e)
{
        struct gather *g = v->gather;
        uint64_t node_end = now_mono_usec() + GATHER_NODE_USEC;
        const struct gather_order *o = &g->order;
        struct ask_terms terms = {
                .fetcher = g->fetcher,
                .node = v->node,
                .directory = g->directory,
                .bundle = g->bundle->id,
                .by = g->bundle->by,
                .format = g->bundle->request.format == ARCHIVE_TAR_GZIP ? ARCHIVE_TAR_GZIP
                                                                        : ARCHIVE_TAR_ZSTD,
                .max_bytes = o->node_max_bytes + o->node_max_bytes / 64 + SPOOL_BYTES_BESIDES,
                .free_floor = o->free_floor,
                .deadline_mono_usec =
                        node_end < g->deadline_mono_usec ? node_end : g->deadline_mono_usec,
                .done = on_asked,
                .userdata = v,
        };
        int k = write_request(v);

        if (k < 0)
                return err_set(e, k, "its request cannot be made: %s", strerror(-k));
        terms.body = v->body.data;
        terms.n_body = v->body.n;
        return ask_start(&v->ask, &terms, e);
}

static void begin(struct visit *v)
{
        struct err e = {0};

        v->state = VISIT_ASKING;
        v->told->state = BUNDLE_NODE_RUNNING;
        v->gather->n_busy++;
        if (ask(v, &e) < 0) {
                v->gather->n_busy--;
                visit_over(v, BUNDLE_NODE_FAILED, e.text);
        }
}

/* --- the whole ----------------------------------------------------------------------------------------------- */

static void run_close(struct work *work)
{
        struct closing_work *c = CONTAINER_OF(work, struct closing_work, work);

        c->error = gather_close(c->bundle, c->gather->joiner, c->gather->directory, c->nodes,
                                c->gather->n_visits, &c->why);
}

static void on_closed(struct work *work)
{
        struct closing_work *c = CONTAINER_OF(work, struct closing_work, work);
        struct gather *g = c->gather;

        if (c->error < 0) {
                g->error = c->why;
                g->error.code = c->error;
        } else {
                bundle_free(g->bundle);
                g->bundle = TAKE_PTR(c->bundle);
        }
        loop_quit(g->loop, 0);
}

static void free_closing(struct closing_work *c)
{
        if (!c)
                return;
        if (c->bundle)
                bundle_free(c->bundle);
        free(c->nodes);
        free(c);
}

static int close_bundle(struct gather *g)
{
        struct closing_work *c = calloc(1, sizeof(*c));

        g->closing = c;
        if (!c)
                return -ENOMEM;
        c->work.run = run_close;
        c->work.done = on_closed;
        c->gather = g;
        g->bundle->state = BUNDLE_MERGING;
        c->bundle = bundle_copy(g->bundle);
        c->nodes = calloc(g->n_visits ? g->n_visits : 1, sizeof(*c->nodes));
        if (!c->bundle || !c->nodes)
                return -ENOMEM;
        c->bundle->state = BUNDLE_DONE;
        c->bundle->finished_wall_usec = now_wall_usec();
        c->bundle->n_received_bytes = count_received(g);
        c->bundle->current[0] = '\0';
        for (size_t i = 0; i < g->n_visits; i++) {
                c->nodes[i].node = &c->bundle->nodes[i];
                c->nodes[i].status = g->visits[i].status;
        }
        worker_push(g->worker, &c->work);
        return 0;
}

static const char *first_error(const struct gather *g)
{
        for (size_t i = 0; i < g->n_visits; i++)
                if (g->visits[i].told->error)
                        return g->visits[i].told->error;
        return "";
}

static void end(struct gather *g)
{
        if (g->n_visits && g->bundle->n_nodes_done == 0)
                (void)err_set(&g->error, -ENODATA, "no node gave anything; the first one: %s",
                              first_error(g));
        else if (close_bundle(g) < 0)
                (void)err_set(&g->error, -ENOMEM, "out of memory");
        if (g->error.code)
                loop_quit(g->loop, 0);
}

static void go_on(struct gather *g)
{
        if (g->closing || g->canceled)
                return;
        if (g->error.code) {
                loop_quit(g->loop, 0);
                return;
        }
        while (!g->stopped && g->n_busy < g->order.at_once && g->next < g->n_visits) {
                struct visit *v = &g->visits[g->next++];

                if (v->state == VISIT_WAITING)
                        begin(v);
        }
        if (g->n_over == g->n_visits)
                end(g);
}

static void on_tick(void *userdata)
{
        struct gather *g = userdata;
        uint64_t now = now_mono_usec();

        if (now >= g->deadline_mono_usec)
                stop_asking(g, "the time for the bundle was over");
        for (size_t i = 0; i < g->n_visits; i++) {
                struct visit *v = &g->visits[i];

                if (v->state == VISIT_LATER && now >= v->again_mono_usec &&
                    g->n_busy < g->order.at_once)
                        begin(v);
                if (v->ask)
                        ask_tick(v->ask, now);
        }
        save(g);
        go_on(g);
        loop_timer_set(g->tick, now + TICK_USEC, 0);
}

/* SIGHUP: the kernel says that the daemon is gone (PR_SET_PDEATHSIG). getppid() may not know yet: its threads end one by one. */
static void on_term(int signo, void *userdata)
{
        struct gather *g = userdata;

        g->canceled = true;
        /* It may have gone before we could ask who it is. */
        g->orphaned = signo == SIGHUP || g->parent == 1 || getppid() != g->parent;
        joiner_cancel(g->joiner);
        loop_quit(g->loop, 0);
}

/* --- the beginning --------------------------------------------------------------------------------------------- */

static int make_visits(struct gather *g, struct err *e)
{
        struct bundle *b = g->bundle;

        if (b->n_nodes != g->order.n_nodes)
                return err_set(e, -EINVAL, "state.json has %zu nodes, gather.json %zu", b->n_nodes,
                               g->order.n_nodes);
        g->visits = calloc(b->n_nodes ? b->n_nodes : 1, sizeof(*g->visits));
        if (!g->visits)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < b->n_nodes; i++) {
                if (!streq(str_or(b->nodes[i].address, ""), g->order.nodes[i].address))
                        return err_set(e, -EINVAL,
                                       "state.json has another node %zu than gather.json", i);
                g->visits[i] = (struct visit){
                        .gather = g, .node = &g->order.nodes[i], .told = &b->nodes[i]};
        }
        g->n_visits = b->n_nodes;
        b->state = BUNDLE_RUNNING;
        b->n_nodes_total = b->n_nodes;
        b->n_nodes_done = b->n_nodes_failed = 0;
        return 0;
}

static int make_joiner(struct gather *g, struct err *e)
{
        const struct joiner_options options = {
                .directory = g->directory,
                .format = g->bundle->request.format,
                .max_bytes = g->order.bundle_max_bytes,
                .node_max_bytes = g->order.node_max_bytes,
                .node_max_entries = GATHER_NODE_ENTRIES,
                .free_floor = g->order.free_floor,
                .salt = g->bundle->request.no_redact ? NULL : g->salt,
        };

        return joiner_new(&g->joiner, &options, e);
}

static int make_loop(struct gather *g, struct err *e)
{
        const struct fetcher_options options = {
                .n_running_max = g->order.at_once,
                .buffer_bytes = FETCH_BUFFER_BYTES,
        };
        int k = loop_new(&g->loop);

        if (k >= 0)
                k = fetcher_new(&g->fetcher, g->loop, &options);
        if (k >= 0)
                k = gather_use_tls(g->fetcher, g->order.ca_file, g->order.cert_file,
                                   g->order.key_file, e);
        if (k < 0)
                return e->code ? k : err_set(e, k, "%s", strerror(-k));
        k = worker_new(&g->worker, g->loop);
        if (k >= 0)
                k = loop_timer_new(&g->tick, g->loop, on_tick, g);
        if (k >= 0)
                k = loop_on_signal(g->loop, SIGTERM, on_term, g);
        if (k >= 0)
                k = loop_on_signal(g->loop, SIGINT, on_term, g);
        if (k >= 0)
                k = loop_on_signal(g->loop, SIGHUP, on_term, g);
        return k < 0 ? err_set(e, k, "%s", strerror(-k)) : 0;
}

static int prepare(struct gather *g, struct err *e)
{
        int k = gather_load_order(&g->order, g->directory, e);

        if (k < 0)
                return k;
        gather_order_complete(&g->order);
        if (getrandom(g->salt, sizeof(g->salt), 0) != sizeof(g->salt))
                return err_set(e, -EIO, "no random numbers");
        k = make_visits(g, e);
        if (k >= 0)
                k = make_joiner(g, e);
        return k < 0 ? k : make_loop(g, e);
}

static void gather_done(struct gather *g)
{
        if (g->joiner)
                joiner_cancel(g->joiner);
        for (size_t i = 0; i < g->n_visits; i++)
                ask_free(g->visits[i].ask);
        worker_free(g->worker);
        fetcher_free(g->fetcher);
        loop_timer_free(g->tick);
        loop_free(g->loop);
        joiner_free(g->joiner);
        for (size_t i = 0; i < g->n_visits; i++) {
                if (g->visits[i].joining)
                        joint_done(&g->visits[i].joining->joint);
                free(g->visits[i].joining);
                if (g->visits[i].status)
                        node_status_done(g->visits[i].status);
                free(g->visits[i].status);
                buf_done(&g->visits[i].body);
        }
        free(g->visits);
        free_closing(g->closing);
        gather_order_done(&g->order);
        explicit_bzero(g->salt, sizeof(g->salt));
        if (g->bundle)
                bundle_free(g->bundle);
}

/* --- the last word ------------------------------------------------------------------------------------------- */

static void remove_one(const struct gather *g, const char *name)
{
        char path[4096];

        if (gather_path(path, g->directory, name) >= 0)
                (void)unlink(path);
}

static void remove_archive(const struct gather *g)
{
        char name[64];

        (void)snprintf(name, sizeof(name), "file.%s",
                       archive_format_to_string(g->bundle->request.format));
        remove_one(g, name);
        remove_one(g, "file.part");
}

/* What we were told stands in the archive, as far as it matters; and the names of certificates nowhere. */
static void remove_orders(const struct gather *g)
{
        static const char *const names[] = {"gather.json", "cluster.json", "nodes.json",
                                            "state.json.new"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                remove_one(g, names[i]);
}

/* A bundle that is canceled is killed: SIGTERM is for who stops the daemon, and all that it has begun. */
static const char *why_not_done(const struct gather *g)
{
        return g->orphaned   ? "diag-aggregatord ended, or was restarted, while it was made"
               : g->canceled ? "it was stopped"
                             : g->error.text;
}

/* Of nodes that were still being asked, or waited: nothing of them is anywhere. */
static void end_nodes(struct bundle *b, const char *why)
{
        for (size_t i = 0; i < b->n_nodes; i++)
                if (b->nodes[i].state == BUNDLE_NODE_WAITING ||
                    b->nodes[i].state == BUNDLE_NODE_RUNNING) {
                        b->nodes[i].state = BUNDLE_NODE_FAILED;
                        replace_text(&b->nodes[i].error, why);
                        b->n_nodes_failed++;
                }
}

static int say_end(struct gather *g)
{
        struct bundle *b = g->bundle;
        struct err e = {0};

        b->current[0] = '\0';
        b->n_received_bytes = count_received(g);
        remove_orders(g);
        if (b->state != BUNDLE_DONE) {
                remove_archive(g);
                b->state = g->canceled && !g->orphaned ? BUNDLE_CANCELED : BUNDLE_FAILED;
                b->finished_wall_usec = now_wall_usec();
                b->size_bytes = 0;
                b->sha256[0] = b->file[0] = '\0';
                replace_text(&b->error, why_not_done(g));
                end_nodes(b, g->canceled ? "the bundle was canceled" : "the bundle failed before");
        }
        if (gather_save(b, g->directory, true, &e) < 0) {
                log_error("%s", e.text);
                remove_archive(g);
                return 1;
        }
        return 0;
}

int gather_run(const char *directory)
{
        struct gather g = {.directory = directory, .parent = getppid()};
        struct err e = {0};
        int status, k;

        loop_block_signals();
        if (gather_load_bundle(&g.bundle, directory, &e) < 0) {
                log_error("%s", e.text);
                return 1;
        }
        k = prepare(&g, &g.error);
        if (k >= 0) {
                g.deadline_mono_usec = usec_add(now_mono_usec(), g.order.timeout_usec);
                go_on(&g);
                loop_timer_set(g.tick, now_mono_usec(), 0);
                k = loop_run(g.loop);
                if (k < 0)
                        (void)err_set(&g.error, k, "its loop ended: %s", strerror(-k));
        } else if (!g.error.code) {
                (void)err_set(&g.error, k, "%s", strerror(-k));
        }
        /* Nobody touches the archive any more before its last word is said. */
        if (g.joiner)
                joiner_cancel(g.joiner);
        g.worker = worker_free(g.worker);
        status = say_end(&g);
        gather_done(&g);
        return status;
}
