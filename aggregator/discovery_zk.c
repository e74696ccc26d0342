/*
 * The loop's side, and the mailbox between it and the thread. Letters name the discovery and not what
 * they bring, which waits in the mailbox: so a letter that is never read costs nothing, and ten
 * findings in a row are one letter.
 *
 * The mailbox is the only thing that both sides have; the last of them frees it.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/queue.h>

#include "aggregator/discovery_zk.h"
#include "aggregator/zk_keeper.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/parse.h"

#define FREE_USEC        (2 * USEC_PER_SEC)
#define SECRET_MAX       256u
#define HOSTS_MAX        1024u
#define SESSION_MIN_USEC (100 * USEC_PER_MSEC)
#define SESSION_MAX_USEC (10 * USEC_PER_MIN)

enum job_kind {
        JOB_NONE = 0,
        JOB_REGISTER,
        JOB_FORGET,
        JOB_PUT_MAINTENANCE,
        JOB_DELETE_MAINTENANCE,
};

struct job {
        STAILQ_ENTRY(job) link;
        enum job_kind kind;
        struct arena arena;
        struct zk_tombstone tombstone;
        struct zk_maintenance maintenance; /* node_id: also for JOB_DELETE_MAINTENANCE */
        discovery_zk_done_fn done;
        void *userdata;
        struct err e;
};

STAILQ_HEAD(jobs, job);

struct settings {
        struct arena arena;
        struct discovery_zk_conf conf;
};

struct mailbox {
        struct ref ref;
        struct zk *zk;
        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t cond;
        struct discovery_zk *owner; /* NULL: nobody reads letters any more */
        struct settings *settings;  /* that the thread has not taken yet */
        struct jobs jobs, jobs_done;
        size_t n_jobs; /* in both, and on the thread */
        struct zk_findings found;
        bool is_news, is_posted, has_ended;
};

struct discovery_zk {
        struct loop *loop;
        struct mailbox *mailbox;
        pthread_t thread;
        struct loop_timer *reset_timer; /* when a reset is no longer shown */
        struct zk_findings found;
        struct discovery_zk_status status;
        uint64_t reset_usec;
        void (*changed)(void *userdata);
        void *userdata;
};

static const char *const state_names[] = {
        [DISCOVERY_ZK_OFF] = "off",
        [DISCOVERY_ZK_CONNECTING] = "connecting",
        [DISCOVERY_ZK_CONNECTED] = "connected",
        [DISCOVERY_ZK_EXPIRED] = "expired",
        [DISCOVERY_ZK_AUTH_FAILED] = "auth-failed",
        [DISCOVERY_ZK_REFUSED] = "refused",
        [DISCOVERY_ZK_RESET] = "reset",
};

const char *discovery_zk_state_to_string(enum discovery_zk_state s)
{
        return (size_t)s < ELEMENTSOF(state_names) ? state_names[s] : "";
}

static const char *const registration_names[] = {
        [DISCOVERY_ZK_REGISTRATION_NONE] = "none",
        [DISCOVERY_ZK_REGISTRATION_PENDING] = "pending",
        [DISCOVERY_ZK_REGISTERED] = "registered",
        [DISCOVERY_ZK_FORGOTTEN] = "forgotten",
};

const char *discovery_zk_registration_to_string(enum discovery_zk_registration r)
{
        return (size_t)r < ELEMENTSOF(registration_names) ? registration_names[r] : "";
}

/* --- configuration ------------------------------------------------------------------------------------ */

static void settings_free(struct settings *s)
{
        if (!s)
                return;
        if (s->conf.secret)
                explicit_bzero((char *)s->conf.secret, strlen(s->conf.secret));
        arena_done(&s->arena);
        free(s);
}

DEFINE_CLEANUP(struct settings *, settings_free);

static bool host_is_valid(const char *host)
{
        static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]";
        const char *port = strrchr(host, ':');
        uint64_t n;

        return port && port != host && strspn(host, valid) == strlen(host) &&
               parse_u64(port + 1, 1, UINT16_MAX, &n) == 0;
}

/* A path behind the hosts would be a chroot of the library's. */
static bool hosts_are_valid(const char *hosts)
{
        _cleanup_(freep) char *copy = strdup(hosts);
        char *rest, *host;
        size_t n = 0;

        if (!copy || strlen(hosts) > HOSTS_MAX)
                return false;
        for (host = strtok_r(copy, ", ", &rest); host; host = strtok_r(NULL, ", ", &rest), n++)
                if (!host_is_valid(host))
                        return false;
        return n > 0;
}

static bool text_is_valid(const char *s)
{
        return zk_text_is_valid(s, strlen(s));
}

static int check_self(const struct zk_master *self, struct err *e)
{
        int family;

        if (!*self->node_id)
                return 0;
        if (!zk_node_id_is_valid(self->node_id, false) ||
            (*self->boot_id && !zk_node_id_is_valid(self->boot_id, false)))
                return err_set(e, -EINVAL, "the ids of this node are not 32 hex digits");
        if (parse_ip(self->address, &family) < 0)
                return err_set(e, -EINVAL, "the address of this node is not one: %s",
                               self->address);
        if (!text_is_valid(self->hostname))
                return err_set(e, -EINVAL, "the hostname of this node is too long, or not one");
        return 0;
}

static int check_conf(const struct discovery_zk_conf *c, struct err *e)
{
        if (!*c->hosts)
                return 0;
        if (!hosts_are_valid(c->hosts))
                return err_set(e, -EINVAL, "not HOST:PORT,HOST:PORT: %s", c->hosts);
        if (!zk_path_is_valid(c->chroot))
                return err_set(e, -EINVAL, "not the path of a znode: %s", c->chroot);
        if (*c->mesos_path && !zk_path_is_valid(c->mesos_path))
                return err_set(e, -EINVAL, "not the path of a znode: %s", c->mesos_path);
        if (strlen(c->secret) > SECRET_MAX)
                return err_set(e, -EINVAL, "the secret is longer than %u bytes", SECRET_MAX);
        if (!text_is_valid(c->cluster_name))
                return err_set(e, -EINVAL, "the name of the cluster is too long, or not one");
        if (c->session_usec < SESSION_MIN_USEC || c->session_usec > SESSION_MAX_USEC)
                return err_set(e, -EINVAL, "the session's timeout is not within its limits");
        return check_self(&c->self, e);
}

static int settings_new(struct settings **ret, const struct discovery_zk_conf *conf, struct err *e)
{
        _cleanup_(settings_freep) struct settings *s = calloc(1, sizeof(*s));
        struct arena *a = s ? &s->arena : NULL;
        int k;

        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        s->conf = *conf;
        s->conf.secret = NULL;
        s->conf.hosts = arena_strdup(a, conf->hosts);
        s->conf.chroot = arena_strdup(a, conf->chroot);
        s->conf.mesos_path = arena_strdup(a, conf->mesos_path);
        s->conf.cluster_id = arena_strdup(a, conf->cluster_id);
        s->conf.cluster_name = arena_strdup(a, conf->cluster_name);
        s->conf.self.node_id = arena_strdup(a, conf->self.node_id);
        s->conf.self.address = arena_strdup(a, conf->self.address);
        s->conf.self.hostname = arena_strdup(a, conf->self.hostname);
        s->conf.self.boot_id = arena_strdup(a, conf->self.boot_id);
        s->conf.secret = arena_strdup(a, conf->secret);
        if (!s->conf.session_usec)
                s->conf.session_usec = DISCOVERY_ZK_SESSION_USEC;
        k = a->failed ? err_set(e, -ENOMEM, "out of memory") : check_conf(&s->conf, e);
        if (k == 0)
                *ret = TAKE_PTR(s);
        return k;
}

/* --- mailbox ------------------------------------------------------------------------------------------ */

static void job_free(struct job *job)
{
        arena_done(&job->arena);
        free(job);
}

static void jobs_free(struct jobs *jobs)
{
        struct job *job;

        while ((job = STAILQ_FIRST(jobs))) {
                STAILQ_REMOVE_HEAD(jobs, link);
                job_free(job);
        }
}

static void mailbox_unref(struct mailbox *m)
{
        if (!ref_dec(&m->ref))
                return;
        jobs_free(&m->jobs);
        jobs_free(&m->jobs_done);
        settings_free(m->settings);
        zk_picture_unref(m->found.picture);
        zk_free(m->zk);
        pthread_cond_destroy(&m->cond);
        pthread_mutex_destroy(&m->lock);
        free(m);
}

static int mailbox_new(struct mailbox **ret, struct discovery_zk *owner)
{
        struct mailbox *m = calloc(1, sizeof(*m));
        pthread_condattr_t attr;

        if (!m)
                return -ENOMEM;
        if (zk_new(&m->zk) < 0) {
                free(m);
                return -ENOMEM;
        }
        ref_init(&m->ref);
        m->owner = owner;
        STAILQ_INIT(&m->jobs);
        STAILQ_INIT(&m->jobs_done);
        pthread_mutex_init(&m->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&m->cond, &attr);
        pthread_condattr_destroy(&attr);
        *ret = m;
        return 0;
}

/* --- the thread --------------------------------------------------------------------------------------- */

static void on_letter(void *arg);

/* With the lock held. What no letter could be written for now, the next turn tells. */
static void post(struct mailbox *m)
{
        if (m->is_news && !m->is_posted && m->owner &&
            loop_post(m->owner->loop, on_letter, m->owner) == 0)
                m->is_posted = true;
}

static bool is_same(const struct zk_findings *a, const struct zk_findings *b)
{
        return a->state == b->state && a->registration == b->registration &&
               a->reset_boot_usec == b->reset_boot_usec && a->picture == b->picture &&
               streq(a->error, b->error);
}

static void tell(struct mailbox *m, const struct zk_findings *found, struct jobs *done)
{
        pthread_mutex_lock(&m->lock);
        if (!is_same(&m->found, found) || !STAILQ_EMPTY(done))
                m->is_news = true;
        zk_picture_unref(m->found.picture);
        m->found = *found;
        zk_picture_ref(m->found.picture);
        STAILQ_CONCAT(&m->jobs_done, done);
        post(m);
        pthread_mutex_unlock(&m->lock);
}

static void take(struct mailbox *m, struct settings **ret_settings, struct jobs *ret_jobs)
{
        pthread_mutex_lock(&m->lock);
        *ret_settings = TAKE_PTR(m->settings);
        STAILQ_CONCAT(ret_jobs, &m->jobs);
        pthread_mutex_unlock(&m->lock);
}

static void do_job(struct zk_keeper *keeper, struct job *job)
{
        switch (job->kind) {
        case JOB_REGISTER:
                (void)zk_keeper_register(keeper, &job->e);
                break;
        case JOB_FORGET:
                (void)zk_keeper_forget(keeper, &job->tombstone, &job->e);
                break;
        case JOB_PUT_MAINTENANCE:
                (void)zk_keeper_put_maintenance(keeper, &job->maintenance, &job->e);
                break;
        default:
                (void)zk_keeper_delete_maintenance(keeper, job->maintenance.node_id, &job->e);
        }
}

static void use(struct zk_keeper *keeper, struct settings **current, struct settings *taken)
{
        zk_keeper_use(keeper, &taken->conf);
        settings_free(*current);
        *current = taken;
}

static void work(struct mailbox *m, struct zk_keeper *keeper)
{
        _cleanup_(settings_freep) struct settings *current = NULL;
        struct settings *next = NULL;
        struct jobs jobs;
        struct job *job;

        do {
                STAILQ_INIT(&jobs);
                take(m, &next, &jobs);
                if (next)
                        use(keeper, &current, next);
                STAILQ_FOREACH (job, &jobs, link)
                        do_job(keeper, job);
                if (!STAILQ_EMPTY(&jobs))
                        zk_keeper_look(keeper);
                tell(m, zk_keeper_findings(keeper), &jobs);
        } while (zk_keeper_turn(keeper));
        zk_close(m->zk);
}

static void *run(void *arg)
{
        struct mailbox *m = arg;
        struct zk_keeper *keeper = NULL;

        (void)pthread_setname_np(pthread_self(), "zookeeper");
        while (zk_keeper_new(&keeper, m->zk) < 0)
                if (zk_wait(m->zk, usec_add(now_mono_usec(), USEC_PER_SEC)).quit)
                        break;
        if (keeper)
                work(m, keeper);
        zk_keeper_free(keeper);
        pthread_mutex_lock(&m->lock);
        m->has_ended = true;
        pthread_cond_broadcast(&m->cond);
        pthread_mutex_unlock(&m->lock);
        mailbox_unref(m);
        return NULL;
}

/* Signals are the loop's. */
static int start(struct discovery_zk *d)
{
        sigset_t all, before;
        int k;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        ref_inc(&d->mailbox->ref);
        k = pthread_create(&d->thread, NULL, run, d->mailbox);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (k != 0)
                mailbox_unref(d->mailbox);
        return -k;
}

/* --- the loop ----------------------------------------------------------------------------------------- */

static enum discovery_zk_state state_now(const struct discovery_zk *d)
{
        uint64_t reset = d->found.reset_boot_usec;

        if (d->found.state == DISCOVERY_ZK_CONNECTED && reset &&
            now_boot_usec() < usec_add(reset, d->reset_usec))
                return DISCOVERY_ZK_RESET;
        return d->found.state;
}

static void log_state(const struct discovery_zk_status *s, enum discovery_zk_state before)
{
        static const enum log_level levels[] = {
                [DISCOVERY_ZK_OFF] = LEVEL_INFO,          [DISCOVERY_ZK_CONNECTING] = LEVEL_WARNING,
                [DISCOVERY_ZK_CONNECTED] = LEVEL_INFO,    [DISCOVERY_ZK_EXPIRED] = LEVEL_INFO,
                [DISCOVERY_ZK_AUTH_FAILED] = LEVEL_ERROR, [DISCOVERY_ZK_REFUSED] = LEVEL_ERROR,
                [DISCOVERY_ZK_RESET] = LEVEL_WARNING,
        };
        const char *why = s->error;

        if (s->state == DISCOVERY_ZK_RESET && !*why)
                why = "it was wiped, or restored from an earlier time";
        log_line(before == DISCOVERY_ZK_OFF ? LEVEL_INFO : levels[s->state],
                 "ZooKeeper: %s → %s%s%s", discovery_zk_state_to_string(before),
                 discovery_zk_state_to_string(s->state), *why ? ": " : "", why);
}

static void log_registration(const struct discovery_zk_status *s)
{
        if (s->registration == DISCOVERY_ZK_REGISTERED)
                log_info("ZooKeeper: this master is registered");
        else if (s->registration == DISCOVERY_ZK_FORGOTTEN)
                log_warning("ZooKeeper: this master was forgotten while it runs; it registers "
                            "again when diag-aggregatord is started anew");
}

/* A new trouble in the same state is worth a line, too: not registered, for one. */
static bool refresh_status(struct discovery_zk *d)
{
        struct discovery_zk_status before = d->status, *s = &d->status;

        s->state = state_now(d);
        s->registration = d->found.registration;
        (void)snprintf(s->error, sizeof(s->error), "%s", d->found.error);
        if (s->state != before.state) {
                s->since_wall_usec = now_wall_usec();
                log_state(s, before.state);
        } else if (*s->error && !streq(s->error, before.error))
                log_warning("ZooKeeper: %s", s->error);
        if (s->registration != before.registration)
                log_registration(s);
        return s->state != before.state || s->registration != before.registration ||
               !streq(s->error, before.error);
}

static void log_notes(const struct zk_picture *p)
{
        for (size_t i = 0; p && i < p->n_notes; i++)
                log_warning("ZooKeeper: skipped %s", p->notes[i]);
        if (p && p->n_notes_left_out)
                log_warning("ZooKeeper: and %zu more", p->n_notes_left_out);
}

static void plan_reset_end(struct discovery_zk *d)
{
        uint64_t end = usec_add(d->found.reset_boot_usec, d->reset_usec);

        if (d->status.state == DISCOVERY_ZK_RESET)
                loop_timer_set(d->reset_timer,
                               usec_add(now_mono_usec(), usec_since(end, now_boot_usec())),
                               USEC_PER_MSEC);
}

static void on_reset_end(void *userdata)
{
        struct discovery_zk *d = userdata;

        if (refresh_status(d))
                d->changed(d->userdata);
        plan_reset_end(d);
}

static void answer(struct jobs *done)
{
        struct job *job;

        while ((job = STAILQ_FIRST(done))) {
                STAILQ_REMOVE_HEAD(done, link);
                job->done(job->e.code, job->e.text, job->userdata);
                job_free(job);
        }
}

static void on_letter(void *arg)
{
        struct discovery_zk *d = arg;
        struct mailbox *m = d->mailbox;
        struct zk_picture *before = d->found.picture;
        struct jobs done = STAILQ_HEAD_INITIALIZER(done);
        struct job *job;
        bool is_other;

        pthread_mutex_lock(&m->lock);
        m->is_news = m->is_posted = false;
        d->found = m->found;
        zk_picture_ref(d->found.picture);
        STAILQ_CONCAT(&done, &m->jobs_done);
        STAILQ_FOREACH (job, &done, link)
                m->n_jobs--;
        pthread_mutex_unlock(&m->lock);

        is_other = d->found.picture != before;
        if (!zk_picture_notes_equal(before, d->found.picture))
                log_notes(d->found.picture);
        zk_picture_unref(before);
        is_other = refresh_status(d) || is_other;
        plan_reset_end(d);
        if (is_other)
                d->changed(d->userdata);
        answer(&done);
}

struct zk_picture *discovery_zk_picture(const struct discovery_zk *d)
{
        return d->found.picture;
}

/* When it was last confirmed is asked for at the source: it is told without a letter. */
struct discovery_zk_status discovery_zk_status(const struct discovery_zk *d)
{
        struct discovery_zk_status s = d->status;

        pthread_mutex_lock(&d->mailbox->lock);
        s.answered_boot_usec = d->mailbox->found.answered_boot_usec;
        pthread_mutex_unlock(&d->mailbox->lock);
        return s;
}

/* --- life --------------------------------------------------------------------------------------------- */

int discovery_zk_set_conf(struct discovery_zk *d, const struct discovery_zk_conf *conf,
                          struct err *e)
{
        struct settings *s = NULL;
        int k = settings_new(&s, conf, e);

        if (k < 0)
                return k;
        d->reset_usec = conf->reset_usec ? conf->reset_usec : DISCOVERY_ZK_RESET_USEC;
        pthread_mutex_lock(&d->mailbox->lock);
        settings_free(d->mailbox->settings);
        d->mailbox->settings = s;
        pthread_mutex_unlock(&d->mailbox->lock);
        zk_poke(d->mailbox->zk);
        return 0;
}

int discovery_zk_new(struct discovery_zk **ret, struct loop *loop,
                     const struct discovery_zk_conf *conf, void (*changed)(void *userdata),
                     void *userdata, struct err *e)
{
        struct discovery_zk *d = calloc(1, sizeof(*d));
        int k;

        if (!d)
                return err_set(e, -ENOMEM, "out of memory");
        d->loop = loop;
        d->changed = changed;
        d->userdata = userdata;
        k = mailbox_new(&d->mailbox, d);
        if (k == 0)
                k = loop_timer_new(&d->reset_timer, loop, on_reset_end, d);
        if (k < 0)
                err_set(e, k, "cannot begin with ZooKeeper: %s", strerror(-k));
        if (k == 0)
                k = discovery_zk_set_conf(d, conf, e);
        if (k == 0) {
                k = start(d);
                if (k < 0)
                        err_set(e, k, "cannot start a thread for ZooKeeper: %s", strerror(-k));
        }
        if (k < 0) {
                loop_timer_free(d->reset_timer);
                if (d->mailbox)
                        mailbox_unref(d->mailbox);
                free(d);
                return k;
        }
        *ret = d;
        return 0;
}

static bool await_end(struct mailbox *m)
{
        uint64_t deadline = usec_add(now_mono_usec(), FREE_USEC);
        struct timespec until = {.tv_sec = (time_t)(deadline / USEC_PER_SEC),
                                 .tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000};
        int k = 0;
        bool has_ended;

        pthread_mutex_lock(&m->lock);
        m->owner = NULL;
        while (!m->has_ended && k == 0)
                k = pthread_cond_timedwait(&m->cond, &m->lock, &until);
        has_ended = m->has_ended;
        pthread_mutex_unlock(&m->lock);
        return has_ended;
}

struct discovery_zk *discovery_zk_free(struct discovery_zk *d)
{
        if (!d)
                return NULL;
        zk_quit(d->mailbox->zk);
        if (await_end(d->mailbox))
                (void)pthread_join(d->thread, NULL);
        else
                (void)pthread_detach(d->thread);
        mailbox_unref(d->mailbox);
        zk_picture_unref(d->found.picture);
        loop_timer_free(d->reset_timer);
        free(d);
        return NULL;
}

/* --- verbs -------------------------------------------------------------------------------------------- */

static struct job *job_new(enum job_kind kind, discovery_zk_done_fn done, void *userdata)
{
        struct job *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;
        job->kind = kind;
        job->done = done;
        job->userdata = userdata;
        return job;
}

/* Takes @taken, whatever comes of it. */
static int queue(struct discovery_zk *d, struct job *taken)
{
        struct mailbox *m = d->mailbox;
        int k = taken->arena.failed ? -ENOMEM : 0;

        pthread_mutex_lock(&m->lock);
        if (k == 0 && m->n_jobs == DISCOVERY_ZK_JOBS_MAX)
                k = -EBUSY;
        if (k == 0) {
                STAILQ_INSERT_TAIL(&m->jobs, taken, link);
                m->n_jobs++;
        }
        pthread_mutex_unlock(&m->lock);
        if (k < 0)
                job_free(taken);
        else
                zk_poke(m->zk);
        return k;
}

int discovery_zk_register(struct discovery_zk *d, discovery_zk_done_fn done, void *userdata)
{
        struct job *job = job_new(JOB_REGISTER, done, userdata);

        return job ? queue(d, job) : -ENOMEM;
}

int discovery_zk_forget(struct discovery_zk *d, const struct zk_tombstone *t,
                        discovery_zk_done_fn done, void *userdata)
{
        struct job *job;
        int family;

        if (!zk_node_id_is_valid(str_or(t->node_id, ""), true) ||
            (!str_empty(t->address) && parse_ip(t->address, &family) < 0) ||
            !text_is_valid(str_or(t->by, "")) || !text_is_valid(str_or(t->reason, "")))
                return -EINVAL;
        job = job_new(JOB_FORGET, done, userdata);
        if (!job)
                return -ENOMEM;
        job->tombstone = (struct zk_tombstone){
                .node_id = arena_strdup(&job->arena, t->node_id),
                .address = arena_strdup(&job->arena, t->address),
                .by = arena_strdup(&job->arena, t->by),
                .reason = arena_strdup(&job->arena, t->reason),
                .at_wall_usec = t->at_wall_usec ? t->at_wall_usec : now_wall_usec(),
        };
        return queue(d, job);
}

int discovery_zk_put_maintenance(struct discovery_zk *d, const struct zk_maintenance *m,
                                 discovery_zk_done_fn done, void *userdata)
{
        struct job *job;

        if (!zk_node_id_is_valid(str_or(m->node_id, ""), true) || !m->until_wall_usec ||
            !text_is_valid(str_or(m->by, "")) || !text_is_valid(str_or(m->reason, "")))
                return -EINVAL;
        job = job_new(JOB_PUT_MAINTENANCE, done, userdata);
        if (!job)
                return -ENOMEM;
        job->maintenance = (struct zk_maintenance){
                .node_id = arena_strdup(&job->arena, m->node_id),
                .by = arena_strdup(&job->arena, m->by),
                .reason = arena_strdup(&job->arena, m->reason),
                .since_wall_usec = m->since_wall_usec ? m->since_wall_usec : now_wall_usec(),
                .until_wall_usec = m->until_wall_usec,
        };
        return queue(d, job);
}

int discovery_zk_delete_maintenance(struct discovery_zk *d, const char *node_id,
                                    discovery_zk_done_fn done, void *userdata)
{
        struct job *job;

        if (!zk_node_id_is_valid(str_or(node_id, ""), true))
                return -EINVAL;
        job = job_new(JOB_DELETE_MAINTENANCE, done, userdata);
        if (!job)
                return -ENOMEM;
        job->maintenance.node_id = arena_strdup(&job->arena, node_id);
        return queue(d, job);
}
