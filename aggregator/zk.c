/*
 * The door to libzookeeper. Only its asynchronous half is used: a call of ours waits on our own
 * condition, so that it has a deadline and can be given up at once, which the library's synchronous
 * half cannot.
 *
 * A callback finds its call in the list of those under way, or leaves it alone. The list is what owns
 * calls that were given up: the library is known not to call back for each request of a session that
 * ends, so that the rest is freed when zookeeper_close() has returned and nobody can call any more.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <zookeeper/zookeeper.h>

#include "aggregator/zk.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mono.h"

#define WINDOW        64u /* requests on the way at once */
#define SECRET_PREFIX "diag:"

struct watch {
        struct zk *zk;
        unsigned number;
};

struct zk {
        zhandle_t *handle;
        uint64_t call_usec;
        char *cert;     /* "diag:SECRET", NULL without */
        bool has_added; /* the library has it; only its event thread looks at this */
        struct watch watches[ZK_WATCHES_MAX];
        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t cond;
        enum zk_session session;
        unsigned n_connects;
        uint32_t fired;
        bool has_news, quit;
        LIST_HEAD(, call) calls;
};

struct call {
        LIST_ENTRY(call) link;
        struct zk *zk;
        bool done, given_up;
        int error;
        char *data;
        size_t n_data;
        struct string_list names;
        size_t n_left_out;
        struct zk_stat stat;
        enum zk_owner owner;
        zoo_op_result_t results[ZK_OPS_MAX]; /* the library writes here until it calls back */
};

static int error_of(int rc)
{
        switch (rc) {
        case ZOK:
                return 0;
        case ZNONODE:
                return -ENOENT;
        case ZNODEEXISTS:
                return -EEXIST;
        case ZBADVERSION:
                return -ESTALE;
        case ZNOTEMPTY:
                return -ENOTEMPTY;
        case ZNOAUTH:
        case ZAUTHFAILED:
        case ZINVALIDACL: /* there is nobody whom "who made it" could mean: our secret was refused */
                return -EACCES;
        case ZOPERATIONTIMEOUT:
                return -ETIMEDOUT;
        case ZCONNECTIONLOSS:
        case ZSESSIONEXPIRED:
        case ZSESSIONMOVED:
        case ZINVALIDSTATE:
        case ZCLOSING:
                return -ENOTCONN;
        case ZSYSTEMERROR:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void call_free(struct call *c)
{
        free(c->data);
        string_list_done(&c->names);
        free(c);
}

static struct call *call_new(struct zk *z)
{
        struct call *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->zk = z;
        pthread_mutex_lock(&z->lock);
        LIST_INSERT_HEAD(&z->calls, c, link);
        pthread_mutex_unlock(&z->lock);
        return c;
}

/* The waiter's end of a call: what is not done goes to the callback, or to zk_close(). */
static void call_end(struct call *c)
{
        struct zk *z = c->zk;
        bool mine;

        pthread_mutex_lock(&z->lock);
        mine = c->done;
        c->given_up = true;
        if (mine)
                LIST_REMOVE(c, link);
        pthread_mutex_unlock(&z->lock);
        if (mine)
                call_free(c);
}

static void call_endp(struct call **c)
{
        if (*c)
                call_end(*c);
}

/* The callback's end of a call. What it brought is in @c already: nobody else looks before "done". */
static void call_done(struct call *c, int error)
{
        struct zk *z = c->zk;
        bool mine;

        pthread_mutex_lock(&z->lock);
        mine = c->given_up;
        if (mine)
                LIST_REMOVE(c, link);
        c->done = true;
        c->error = error;
        pthread_cond_broadcast(&z->cond);
        pthread_mutex_unlock(&z->lock);
        if (mine)
                call_free(c);
}

static struct timespec to_timespec(uint64_t mono_usec)
{
        return (struct timespec){.tv_sec = (time_t)(mono_usec / USEC_PER_SEC),
                                 .tv_nsec = (long)(mono_usec % USEC_PER_SEC) * 1000};
}

/* False at the end of the time. With the lock held. */
static bool sleep_until(struct zk *z, uint64_t mono_usec)
{
        struct timespec until = to_timespec(mono_usec);

        if (mono_usec == USEC_INFINITY)
                return pthread_cond_wait(&z->cond, &z->lock) == 0;
        return pthread_cond_timedwait(&z->cond, &z->lock, &until) == 0;
}

/* @rc: what the library said when it was given the request; with an error it never calls back. */
static int call_wait(struct call *c, int rc)
{
        struct zk *z = c->zk;
        uint64_t deadline = usec_add(now_mono_usec(), z->call_usec);
        int k;

        if (rc != ZOK)
                call_done(c, error_of(rc));
        pthread_mutex_lock(&z->lock);
        while (!c->done && !z->quit && sleep_until(z, deadline))
                ;
        k = c->done ? c->error : z->quit ? -ECANCELED : -ETIMEDOUT;
        pthread_mutex_unlock(&z->lock);
        return k;
}

/* Without a session there is nothing to call; a session that ended may never call back. */
static int call_begin(struct zk *z, struct call **ret)
{
        enum zk_session session;
        bool quit;

        pthread_mutex_lock(&z->lock);
        session = z->session;
        quit = z->quit;
        pthread_mutex_unlock(&z->lock);
        if (quit)
                return -ECANCELED;
        if (session != ZK_SESSION_CONNECTED)
                return -ENOTCONN;
        *ret = call_new(z);
        return *ret ? 0 : -ENOMEM;
}

/* --- what the library's threads call ------------------------------------------------------------------ */

static struct zk_stat stat_of(const struct Stat *s)
{
        if (!s)
                return (struct zk_stat){0};
        return (struct zk_stat){
                .created_zxid = s->czxid,
                .modified_zxid = s->mzxid,
                .children_zxid = s->pzxid,
                .created_wall_msec = s->ctime,
                .version = s->version,
                .n_children = s->numChildren > 0 ? (uint32_t)s->numChildren : 0,
        };
}

static void on_done(int rc, const void *data)
{
        call_done((struct call *)data, error_of(rc));
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
        struct call *c = (struct call *)data;

        c->stat = stat_of(rc == ZOK ? stat : NULL);
        call_done(c, error_of(rc));
}

static void on_data(int rc, const char *value, int n, const struct Stat *stat, const void *data)
{
        struct call *c = (struct call *)data;
        size_t n_data = n > 0 && value ? (size_t)n : 0; /* -1: a node without data */

        c->stat = stat_of(rc == ZOK ? stat : NULL);
        if (rc != ZOK || n_data > ZK_DATA_MAX) {
                call_done(c, rc == ZOK ? -E2BIG : error_of(rc));
                return;
        }
        c->data = malloc(n_data + 1);
        if (!c->data) {
                call_done(c, -ENOMEM);
                return;
        }
        if (n_data)
                memcpy(c->data, value, n_data);
        c->data[n_data] = '\0';
        c->n_data = n_data;
        call_done(c, 0);
}

static int copy_names(struct call *c, const struct String_vector *names)
{
        size_t n = names && names->count > 0 ? (size_t)names->count : 0;
        size_t n_kept = n < ZK_CHILDREN_MAX ? n : ZK_CHILDREN_MAX;

        for (size_t i = 0; i < n_kept; i++)
                if (string_list_push(&c->names, names->data[i]) < 0)
                        return -ENOMEM;
        c->n_left_out = n - n_kept;
        return 0;
}

static void on_names(int rc, const struct String_vector *names, const struct Stat *stat,
                     const void *data)
{
        struct call *c = (struct call *)data;

        c->stat = stat_of(rc == ZOK ? stat : NULL);
        call_done(c, rc == ZOK ? copy_names(c, names) : error_of(rc));
}

static bool is_world(const struct Id *id)
{
        return streq(id->scheme, "world");
}

/* Who is not an administrator of the node is shown "x" in place of what a secret became. */
static bool is_us(const struct Id *id)
{
        return streq(id->scheme, "digest") && strncmp(id->id, SECRET_PREFIX, 5) == 0 &&
               !streq(id->id, SECRET_PREFIX "x");
}

static enum zk_owner owner_of(const struct ACL_vector *acl)
{
        unsigned n_we = 0, n_others = 0;

        for (int i = 0; i < acl->count; i++) {
                const struct ACL *a = &acl->data[i];

                if (!(a->perms & ~ZOO_PERM_READ))
                        continue;
                if (is_world(&a->id))
                        return ZK_OWNER_ANYBODY;
                if (is_us(&a->id))
                        n_we++;
                else
                        n_others++;
        }
        /* Of two that look like us one is somebody with another secret. */
        return n_we == 1 && n_others == 0 ? ZK_OWNER_WE : ZK_OWNER_SOMEBODY;
}

static void on_acl(int rc, struct ACL_vector *acl, _unused_ struct Stat *stat, const void *data)
{
        struct call *c = (struct call *)data;

        if (rc == ZOK && acl)
                c->owner = owner_of(acl);
        call_done(c, error_of(rc));
}

static void on_add_auth(_unused_ int rc, _unused_ const void *data)
{
        /* A failure is an event of the session. */
}

/*
 * The library takes it only while there is a connection, keeps it then for those to come, and sends it
 * before all that we ask.
 */
static bool add_secret(struct zk *z, zhandle_t *handle)
{
        if (z->cert && !z->has_added)
                z->has_added = zoo_add_auth(handle, "digest", z->cert, (int)strlen(z->cert),
                                            on_add_auth, NULL) == ZOK;
        return !z->cert || z->has_added;
}

static enum zk_session session_of(int state)
{
        if (state == ZOO_CONNECTED_STATE)
                return ZK_SESSION_CONNECTED;
        if (state == ZOO_EXPIRED_SESSION_STATE)
                return ZK_SESSION_EXPIRED;
        if (state == ZOO_AUTH_FAILED_STATE)
                return ZK_SESSION_AUTH_FAILED;
        return ZK_SESSION_CONNECTING;
}

static void on_session(zhandle_t *handle, int type, int state, _unused_ const char *path,
                       void *context)
{
        struct zk *z = context;
        enum zk_session session = session_of(state);

        if (type != ZOO_SESSION_EVENT)
                return;
        /* In vain: it is lost already, and the next event will say so. */
        if (session == ZK_SESSION_CONNECTED && !add_secret(z, handle))
                session = ZK_SESSION_CONNECTING;
        pthread_mutex_lock(&z->lock);
        z->session = session;
        if (z->session == ZK_SESSION_CONNECTED)
                z->n_connects++;
        z->has_news = true;
        pthread_cond_broadcast(&z->cond);
        pthread_mutex_unlock(&z->lock);
}

/* Each watch is told of the session's events, too, which on_session() hears already. */
static void on_watch(_unused_ zhandle_t *handle, int type, _unused_ int state,
                     _unused_ const char *path, void *context)
{
        struct watch *w = context;
        struct zk *z = w->zk;

        if (type == ZOO_SESSION_EVENT)
                return;
        pthread_mutex_lock(&z->lock);
        z->fired |= 1u << w->number;
        z->has_news = true;
        pthread_cond_broadcast(&z->cond);
        pthread_mutex_unlock(&z->lock);
}

/* "2026-11-21 00:04:07,123:42(0x7f…):ZOO_ERROR@func@123: what": the rest we write ourselves. */
static void on_log(const char *message)
{
        const char *s = strstr(message, "ZOO_");

        log_debug("libzookeeper: %s", s ? s : message);
}

/* --- session ------------------------------------------------------------------------------------------ */

int zk_new(struct zk **ret)
{
        struct zk *z = calloc(1, sizeof(*z));
        pthread_condattr_t attr;

        if (!z)
                return -ENOMEM;
        for (unsigned i = 0; i < ZK_WATCHES_MAX; i++)
                z->watches[i] = (struct watch){.zk = z, .number = i};
        LIST_INIT(&z->calls);
        pthread_mutex_init(&z->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&z->cond, &attr);
        pthread_condattr_destroy(&attr);
        *ret = z;
        return 0;
}

struct zk *zk_free(struct zk *z)
{
        if (!z)
                return NULL;
        zk_close(z);
        pthread_cond_destroy(&z->cond);
        pthread_mutex_destroy(&z->lock);
        free(z);
        return NULL;
}

/* The first stays where it is, which is this machine, as a rule; the others share the load. */
static void shuffle(struct string_list *hosts)
{
        uint32_t random[64] = {0};

        (void)getrandom(random, sizeof(random), 0);
        for (size_t i = hosts->n; i-- > 2;) {
                size_t k = 1 + random[i % ELEMENTSOF(random)] % i;
                char *other = hosts->items[k];

                hosts->items[k] = hosts->items[i];
                hosts->items[i] = other;
        }
}

static int read_hosts(struct string_list *ret, const char *hosts)
{
        _cleanup_(freep) char *copy = strdup(hosts);
        char *rest, *host;
        int k = copy ? 0 : -ENOMEM;

        if (!copy)
                return k;
        for (host = strtok_r(copy, ", ", &rest); host && k == 0; host = strtok_r(NULL, ", ", &rest))
                k = string_list_push(ret, host);
        return k;
}

static int order_hosts(char **ret, const char *hosts)
{
        _cleanup_(string_list_done) struct string_list list = {0};
        struct buf b = {0};
        int k = read_hosts(&list, hosts);

        if (k < 0)
                return k;
        shuffle(&list);
        for (size_t i = 0; i < list.n; i++)
                buf_printf(&b, "%s%s", i ? "," : "", list.items[i]);
        *ret = buf_take(&b, NULL);
        return *ret ? 0 : -ENOMEM;
}

static void reset(struct zk *z, enum zk_session session)
{
        pthread_mutex_lock(&z->lock);
        z->session = session;
        z->n_connects = 0;
        z->fired = 0;
        pthread_mutex_unlock(&z->lock);
}

static int begin(struct zk *z, const struct zk_conf *conf)
{
        z->call_usec = conf->session_usec;
        z->has_added = false;
        if (str_empty(conf->secret))
                return 0;
        if (asprintf(&z->cert, SECRET_PREFIX "%s", conf->secret) >= 0)
                return 0;
        z->cert = NULL;
        return -ENOMEM;
}

int zk_open(struct zk *z, const struct zk_conf *conf, struct err *e)
{
        _cleanup_(freep) char *hosts = NULL;
        int k = order_hosts(&hosts, conf->hosts);

        if (k == 0)
                k = begin(z, conf);
        if (k < 0)
                return err_set(e, k, "cannot begin a session: %s", strerror(-k));
        reset(z, ZK_SESSION_CONNECTING);
        zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
        zoo_deterministic_conn_order(1);
        z->handle = zookeeper_init2(hosts, on_session, (int)(conf->session_usec / USEC_PER_MSEC),
                                    NULL, z, ZOO_NO_LOG_CLIENTENV, on_log);
        if (!z->handle) {
                k = errno ? -errno : -EINVAL;
                zk_close(z);
                return err_set(e, k, "no name of ZooKeeper's servers can be resolved: %s",
                               conf->hosts);
        }
        /* Else it asks DNS each time that one of its threads wakes. A new session asks anew. */
        (void)zoo_set_servers_resolution_delay(z->handle, -1);
        return 0;
}

void zk_close(struct zk *z)
{
        struct call *c;

        if (z->handle)
                (void)zookeeper_close(z->handle);
        z->handle = NULL;
        if (z->cert)
                explicit_bzero(z->cert, strlen(z->cert));
        free(z->cert);
        z->cert = NULL;
        reset(z, ZK_SESSION_NONE);
        while ((c = LIST_FIRST(&z->calls))) {
                LIST_REMOVE(c, link);
                call_free(c);
        }
}

static void tell(struct zk *z, bool quit)
{
        pthread_mutex_lock(&z->lock);
        z->quit = z->quit || quit;
        z->has_news = true;
        pthread_cond_broadcast(&z->cond);
        pthread_mutex_unlock(&z->lock);
}

void zk_poke(struct zk *z)
{
        tell(z, false);
}

void zk_quit(struct zk *z)
{
        tell(z, true);
}

struct zk_news zk_wait(struct zk *z, uint64_t mono_usec)
{
        struct zk_news news;

        pthread_mutex_lock(&z->lock);
        while (!z->has_news && !z->quit && sleep_until(z, mono_usec))
                ;
        z->has_news = false;
        news = (struct zk_news){.session = z->session,
                                .n_connects = z->n_connects,
                                .fired = z->fired,
                                .quit = z->quit};
        z->fired = 0;
        pthread_mutex_unlock(&z->lock);
        return news;
}

uint32_t zk_fired(struct zk *z)
{
        uint32_t fired;

        pthread_mutex_lock(&z->lock);
        fired = z->fired;
        z->fired = 0;
        pthread_mutex_unlock(&z->lock);
        return fired;
}

/* --- asking ------------------------------------------------------------------------------------------- */

static struct watch *watch_of(struct zk *z, int watch)
{
        return watch == ZK_NO_WATCH ? NULL : &z->watches[watch];
}

/* A watch on what is not there. 0: by now it is. */
static int watch_for(struct zk *z, const char *path, int watch)
{
        _cleanup_(call_endp) struct call *c = NULL;
        int k = call_begin(z, &c);

        if (k < 0)
                return k;
        return call_wait(c,
                         zoo_awexists(z->handle, path, on_watch, watch_of(z, watch), on_stat, c));
}

static int begin_get(struct zk *z, const char *path, int watch, struct call **ret, int *ret_rc)
{
        int k = call_begin(z, ret);

        if (k < 0)
                return k;
        *ret_rc = zoo_awget(z->handle, path, watch == ZK_NO_WATCH ? NULL : on_watch,
                            watch_of(z, watch), on_data, *ret);
        return 0;
}

static int get_once(struct zk *z, const char *path, int watch, char **ret, size_t *ret_n,
                    struct zk_stat *stat)
{
        _cleanup_(call_endp) struct call *c = NULL;
        int rc = ZOK, k = begin_get(z, path, watch, &c, &rc);

        if (k < 0)
                return k;
        k = call_wait(c, rc);
        if (stat && (k == 0 || k == -E2BIG))
                *stat = c->stat;
        if (k < 0)
                return k;
        *ret = TAKE_PTR(c->data);
        *ret_n = c->n_data;
        return 0;
}

int zk_get(struct zk *z, const char *path, int watch, char **ret, size_t *ret_n,
           struct zk_stat *stat)
{
        int k = get_once(z, path, watch, ret, ret_n, stat);

        if (k != -ENOENT || watch == ZK_NO_WATCH)
                return k;
        k = watch_for(z, path, watch);
        return k < 0 ? k : get_once(z, path, watch, ret, ret_n, stat);
}

static int children_once(struct zk *z, const char *path, int watch, struct string_list *ret,
                         size_t *ret_n_left_out, struct zk_stat *stat)
{
        _cleanup_(call_endp) struct call *c = NULL;
        int k = call_begin(z, &c);

        if (k < 0)
                return k;
        k = call_wait(c,
                      zoo_awget_children2(z->handle, path, watch == ZK_NO_WATCH ? NULL : on_watch,
                                          watch_of(z, watch), on_names, c));
        if (k < 0)
                return k;
        *ret = c->names;
        c->names = (struct string_list){0};
        *ret_n_left_out = c->n_left_out;
        *stat = c->stat;
        return 0;
}

int zk_children(struct zk *z, const char *path, int watch, struct string_list *ret,
                size_t *ret_n_left_out, struct zk_stat *stat)
{
        int k = children_once(z, path, watch, ret, ret_n_left_out, stat);

        if (k != -ENOENT || watch == ZK_NO_WATCH)
                return k;
        k = watch_for(z, path, watch);
        return k < 0 ? k : children_once(z, path, watch, ret, ret_n_left_out, stat);
}

/* One request of zk_get_each(). */
struct pending {
        struct call *call;
        int error; /* it was not even begun */
        int rc;
};

static void begin_child(struct zk *z, const char *dir, const char *name, struct pending *p)
{
        _cleanup_(freep) char *path = NULL;

        *p = (struct pending){0};
        if (asprintf(&path, "%s/%s", dir, name) < 0) {
                path = NULL;
                p->error = -ENOMEM;
                return;
        }
        p->error = begin_get(z, path, ZK_NO_WATCH, &p->call, &p->rc);
}

static bool is_of_the_session(int error)
{
        return error == -ENOTCONN || error == -ETIMEDOUT || error == -ECANCELED;
}

static int end_child(struct pending *p, const char *name, zk_each_fn fn, void *userdata)
{
        _cleanup_(call_endp) struct call *c = p->call;
        int k = p->error < 0 ? p->error : call_wait(c, p->rc);

        p->call = NULL;
        if (is_of_the_session(k))
                return k;
        fn(name, k, k == 0 ? c->data : NULL, k == 0 ? c->n_data : 0, c ? &c->stat : NULL, userdata);
        return 0;
}

int zk_get_each(struct zk *z, const char *dir, const struct string_list *names, zk_each_fn fn,
                void *userdata)
{
        struct pending window[WINDOW] = {0};
        size_t n_begun = 0;
        int k = 0;

        for (size_t i = 0; i < names->n && k == 0; i++) {
                for (; n_begun < names->n && n_begun < i + WINDOW; n_begun++)
                        begin_child(z, dir, names->items[n_begun], &window[n_begun % WINDOW]);
                k = end_child(&window[i % WINDOW], names->items[i], fn, userdata);
        }
        for (size_t i = 0; i < WINDOW; i++)
                call_endp(&window[i].call);
        return k;
}

int zk_owner(struct zk *z, const char *path, enum zk_owner *ret)
{
        _cleanup_(call_endp) struct call *c = NULL;
        int k = call_begin(z, &c);

        if (k < 0)
                return k;
        k = call_wait(c, zoo_aget_acl(z->handle, path, on_acl, c));
        if (k == 0)
                *ret = c->owner;
        return k;
}

/* --- changing ----------------------------------------------------------------------------------------- */

/* "auth" stands for whoever makes the node. The library only reads these, though it takes them as writable. */
static struct ACL_vector *acl_of(const struct zk *z)
{
        static char auth[] = "auth", nobody[] = "", world[] = "world", anyone[] = "anyone";
        static struct ACL of_us[] = {
                {.perms = 0x1f, .id = {.scheme = auth, .id = nobody} },
                {.perms = 0x01, .id = {.scheme = world, .id = anyone}},
        };
        static struct ACL_vector ours = {.count = ELEMENTSOF(of_us), .data = of_us};

        return z->cert ? &ours : &ZOO_OPEN_ACL_UNSAFE;
}

static void init_op(const struct zk *z, zoo_op_t *op, const struct zk_op *from)
{
        switch (from->kind) {
        case ZK_OP_CREATE:
                zoo_create_op_init(op, from->path, from->data, (int)from->n_data, acl_of(z), 0,
                                   NULL, 0);
                break;
        case ZK_OP_SET:
                zoo_set_op_init(op, from->path, from->data, (int)from->n_data, from->version, NULL);
                break;
        default:
                zoo_delete_op_init(op, from->path, from->version);
        }
}

int zk_commit(struct zk *z, const struct zk_op *ops, size_t n)
{
        _cleanup_(call_endp) struct call *c = NULL;
        zoo_op_t list[ZK_OPS_MAX];
        int k;

        if (n == 0 || n > ZK_OPS_MAX)
                return -EINVAL;
        k = call_begin(z, &c);
        if (k < 0)
                return k;
        for (size_t i = 0; i < n; i++)
                init_op(z, &list[i], &ops[i]);
        return call_wait(c, zoo_amulti(z->handle, (int)n, list, c->results, on_done, c));
}
