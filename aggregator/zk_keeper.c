/*
 * A session is given up when it has not been connected for as long as ZooKeeper would keep it. The
 * library would go on for ever, and for ever in vain where the ensemble was wiped: it shows each
 * server the last change that it has seen, and one that has not seen it sends it away. Nothing hangs
 * on a session, so that a new one costs nothing.
 *
 * What was read while no watch fired is one moment: ZooKeeper tells of a change before it shows it.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "aggregator/registrar.h"
#include "aggregator/zk_keeper.h"
#include "base/log.h"
#include "base/mono.h"

#define CONFIRM_USEC  (10 * USEC_PER_SEC) /* is the root as it was? that answers is what counts */
#define LOOK_USEC     (60 * USEC_PER_SEC) /* at everything, should a watch have been lost */
#define SWEEP_USEC    (24 * 60 * USEC_PER_MIN)
#define GAP_USEC      (100 * USEC_PER_MSEC) /* between two looks, at least */
#define OPEN_MIN_USEC (1 * USEC_PER_SEC)
#define OPEN_MAX_USEC (30 * USEC_PER_SEC)
#define LOOK_ROUNDS   5u
#define UUID_MAX      37u
#define TREE_WATCHES  ((1u << ZK_DIRS) - 1u + (1u << ZK_WATCH_ROOT) + (1u << ZK_WATCH_MESOS))

/* By what one notices that ZooKeeper is not the one that it was: time does not go backwards. */
struct seen {
        int64_t root_zxid, root_wall_msec; /* when it was made; 0: there was none */
        int64_t dirs_zxid[ZK_DIRS];        /* when what is in them last changed */
};

struct zk_keeper {
        struct zk *zk;
        const struct discovery_zk_conf *conf; /* NULL: off */
        struct zk_tree tree;
        struct zk_findings found;
        struct seen seen;
        char cluster_id[UUID_MAX]; /* what a new root will say */
        char registered_id[ZK_ID_MAX];
        bool is_open, usable;       /* usable: we are connected, and the root was good */
        bool must_register;         /* registered, but perhaps not as we are now */
        unsigned n_connects;        /* of the session; 0: not connected */
        uint64_t open_mono_usec;    /* when to begin a session */
        uint64_t open_pause_usec;   /* after the next failure to begin one */
        uint64_t lost_mono_usec;    /* since when the session is not connected */
        uint64_t look_mono_usec;    /* when to look at everything */
        uint64_t confirm_mono_usec; /* when to look at the root */
        uint64_t gap_mono_usec;     /* not to look before */
        uint64_t sweep_boot_usec;
};

static void find(struct zk_keeper *k, enum discovery_zk_state state, const char *error)
{
        k->found.state = state;
        (void)snprintf(k->found.error, sizeof(k->found.error), "%s", error);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* --- the root ----------------------------------------------------------------------------------------- */

static void make_up_uuid(char ret[static UUID_MAX])
{
        unsigned char b[16] = {0};

        (void)getrandom(b, sizeof(b), 0);
        b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
        b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
        (void)snprintf(ret, UUID_MAX,
                       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                       b[13], b[14], b[15]);
}

/* A root that is made anew after a wipe is that of the same cluster. */
static int make_tree(struct zk_keeper *k, struct err *e)
{
        struct zk_root root = {0};

        if (!*k->cluster_id)
                make_up_uuid(k->cluster_id);
        (void)snprintf(root.cluster_id, sizeof(root.cluster_id), "%s", k->cluster_id);
        (void)snprintf(root.name, sizeof(root.name), "%s", k->conf->cluster_name);
        return zk_tree_make(&k->tree, &root, e);
}

static void find_reset(struct zk_keeper *k)
{
        k->found.reset_boot_usec = now_boot_usec();
        k->seen = (struct seen){0};
}

static void compare_root(struct zk_keeper *k, const struct zk_stat *root)
{
        if (k->seen.root_zxid && (k->seen.root_zxid != root->created_zxid ||
                                  k->seen.root_wall_msec != root->created_wall_msec))
                find_reset(k);
}

static void compare_dirs(struct zk_keeper *k, const struct zk_picture *p)
{
        for (unsigned i = 0; i < ZK_DIRS; i++)
                if (p->dirs[i].children_zxid < k->seen.dirs_zxid[i]) {
                        find_reset(k);
                        break;
                }
        k->seen.root_zxid = p->root_stat.created_zxid;
        k->seen.root_wall_msec = p->root_stat.created_wall_msec;
        for (unsigned i = 0; i < ZK_DIRS; i++)
                k->seen.dirs_zxid[i] = p->dirs[i].children_zxid;
}

/* --- registering -------------------------------------------------------------------------------------- */

static int check_may_write(const struct zk_keeper *k, struct err *e)
{
        if (!k->conf)
                return err_set(e, -ENOTCONN, "ZooKeeper is not configured");
        if (!k->n_connects)
                return err_set(e, -ENOTCONN, "ZooKeeper is not connected%s%s",
                               *k->found.error ? ": " : "", k->found.error);
        if (!k->usable)
                return err_set(e, -EPERM, "ZooKeeper is not used: %s", k->found.error);
        if (!zk_tree_may_write(&k->tree))
                return err_set(e, -EPERM, "without a secret nothing is written to ZooKeeper");
        return 0;
}

static int register_self(struct zk_keeper *k, struct err *e)
{
        int r = registrar_register(&k->tree, &k->conf->self, e);

        if (r < 0)
                return r;
        k->found.registration = DISCOVERY_ZK_REGISTERED;
        k->must_register = false;
        (void)snprintf(k->registered_id, sizeof(k->registered_id), "%s", k->conf->self.node_id);
        return 0;
}

/* See the header of discovery_zk for why this is as it is. */
static bool must_register(const struct zk_keeper *k)
{
        const char *id = k->conf->self.node_id;

        if (k->found.registration == DISCOVERY_ZK_REGISTRATION_PENDING)
                return true;
        return k->found.registration == DISCOVERY_ZK_REGISTERED &&
               (k->must_register || !zk_picture_master(k->found.picture, id));
}

/* True when something was written, so that what was read is old. */
static bool keep_registered(struct zk_keeper *k, struct err *e)
{
        if (!*k->conf->self.node_id || !zk_tree_may_write(&k->tree))
                return false;
        if (k->found.registration == DISCOVERY_ZK_REGISTERED &&
            zk_picture_tombstone(k->found.picture, k->conf->self.node_id))
                k->found.registration = DISCOVERY_ZK_FORGOTTEN;
        return must_register(k) && register_self(k, e) == 0;
}

static void sweep(struct zk_keeper *k)
{
        struct err e = {0};

        if (!zk_tree_may_write(&k->tree) || now_boot_usec() < k->sweep_boot_usec)
                return;
        if (registrar_sweep(&k->tree, k->found.picture, now_wall_usec(), &e) < 0)
                log_debug("%s", e.text);
        k->sweep_boot_usec = usec_add(now_boot_usec(), SWEEP_USEC);
}

/* --- looking ------------------------------------------------------------------------------------------ */

static void find_unusable(struct zk_keeper *k, enum zk_root_state state, const char *why)
{
        k->usable = false;
        find(k,
             state == ZK_ROOT_SOMEBODY && k->tree.has_secret ? DISCOVERY_ZK_AUTH_FAILED
                                                             : DISCOVERY_ZK_REFUSED,
             why);
}

static void confirmed(struct zk_keeper *k)
{
        k->found.answered_boot_usec = now_boot_usec();
        k->confirm_mono_usec = usec_add(now_mono_usec(), CONFIRM_USEC);
}

enum looked { LOOKED_DONE = 0, LOOKED_AGAIN };

/* What stands in the way of using the root, or of making it, is said, and told by -EPERM. */
static int look_at_root(struct zk_keeper *k, struct zk_root_look *look, struct err *e)
{
        int r = zk_tree_look(&k->tree, look, e);

        if (r < 0)
                return err_set(e, r, "cannot read %s: %s", k->tree.chroot, zk_error_words(r));
        compare_root(k, &look->stat);
        confirmed(k);
        if (look->state != ZK_ROOT_GOOD && look->state != ZK_ROOT_ABSENT) {
                find_unusable(k, look->state, e->text);
                return -EPERM;
        }
        if (*look->root.cluster_id)
                memcpy(k->cluster_id, look->root.cluster_id, sizeof(k->cluster_id));
        return 0;
}

static bool is_whole(const struct zk_picture *p)
{
        if (!p->root_stat.created_zxid || p->root.schema == 0)
                return false;
        for (unsigned i = 0; i < ZK_DIRS; i++)
                if (!p->dirs[i].created_zxid)
                        return false;
        return true;
}

static void take_picture(struct zk_keeper *k, struct zk_picture *taken)
{
        compare_dirs(k, taken);
        if (zk_picture_equal(taken, k->found.picture)) {
                zk_picture_unref(taken);
        } else {
                zk_picture_unref(k->found.picture);
                k->found.picture = taken;
        }
        confirmed(k);
}

/* What is not allowed to us is no reason not to read. */
static enum looked write_what_is_missing(struct zk_keeper *k, bool whole)
{
        struct err e = {0};

        if (!whole && !zk_tree_may_write(&k->tree))
                err_set(&e, -EPERM, "%s is not complete, and nothing is written without a secret",
                        k->tree.chroot);
        else if (!whole && make_tree(k, &e) == 0)
                return LOOKED_AGAIN;
        else if (whole && keep_registered(k, &e))
                return LOOKED_AGAIN;
        find(k, DISCOVERY_ZK_CONNECTED, e.text);
        return LOOKED_DONE;
}

/* @last: two moments in one picture are better than none. */
static int look_once(struct zk_keeper *k, bool last, struct err *e)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        struct zk_root_look look = {0};
        bool whole, moved;
        int r;

        (void)zk_fired(k->zk);
        r = look_at_root(k, &look, e);
        if (r < 0)
                return r;
        r = zk_picture_read(&p, &k->tree, &look, e);
        if (r < 0)
                return r;
        moved = zk_fired(k->zk) & TREE_WATCHES;
        if (moved && !last)
                return LOOKED_AGAIN;
        whole = is_whole(p);
        take_picture(k, TAKE_PTR(p));
        k->usable = whole || zk_tree_may_write(&k->tree);
        r = write_what_is_missing(k, whole);
        return moved ? LOOKED_AGAIN : r;
}

void zk_keeper_look(struct zk_keeper *k)
{
        uint64_t begin = now_mono_usec(), end;
        struct err e = {0};
        int r = LOOKED_AGAIN;

        if (!k->n_connects)
                return;
        for (unsigned i = 0; i < LOOK_ROUNDS && r == LOOKED_AGAIN; i++)
                r = look_once(k, i + 1 == LOOK_ROUNDS, &e);
        end = now_mono_usec();
        /* Where something changes all the time most of the time is still not ours. */
        k->gap_mono_usec = end + GAP_USEC + 2 * usec_since(end, begin);
        k->look_mono_usec = usec_add(end, LOOK_USEC);
        if (r == 0 && *k->found.error)
                k->look_mono_usec = usec_add(end, CONFIRM_USEC);
        if (r == LOOKED_AGAIN)
                k->look_mono_usec = k->gap_mono_usec;
        if (r < 0 && r != -EPERM) {
                (void)snprintf(k->found.error, sizeof(k->found.error), "%s", e.text);
                k->look_mono_usec = usec_add(end, OPEN_MIN_USEC);
        }
        if (r == 0)
                sweep(k);
}

/* What changes the root, or who may write to it, is a reason to look at all. */
static void confirm(struct zk_keeper *k)
{
        bool was_usable = k->usable;
        struct zk_root_look look = {0};
        struct err e = {0};
        int r = look_at_root(k, &look, &e);

        k->confirm_mono_usec = usec_add(now_mono_usec(), CONFIRM_USEC);
        if (r == 0 && !was_usable)
                zk_keeper_look(k);
}

/* --- sessions ----------------------------------------------------------------------------------------- */

static void end_session(struct zk_keeper *k, enum discovery_zk_state state, const char *why,
                        uint64_t pause_usec)
{
        zk_close(k->zk);
        k->is_open = k->usable = false;
        k->n_connects = 0;
        k->open_mono_usec = usec_add(now_mono_usec(), pause_usec);
        find(k, state, why);
}

static void find_silence(struct zk_keeper *k)
{
        char text[sizeof(k->found.error)];

        (void)snprintf(text, sizeof(text), "no server answers: %s", k->conf->hosts);
        end_session(k, DISCOVERY_ZK_CONNECTING, text, 0);
}

static void begin_session(struct zk_keeper *k)
{
        const struct zk_conf conf = {.hosts = k->conf->hosts,
                                     .secret = k->conf->secret,
                                     .session_usec = k->conf->session_usec};
        struct err e = {0};

        if (zk_open(k->zk, &conf, &e) < 0) {
                end_session(k, DISCOVERY_ZK_CONNECTING, e.text, k->open_pause_usec);
                k->open_pause_usec = sooner(2 * k->open_pause_usec, OPEN_MAX_USEC);
                return;
        }
        k->is_open = true;
        k->open_pause_usec = OPEN_MIN_USEC;
        k->lost_mono_usec = now_mono_usec();
}

static void on_disconnected(struct zk_keeper *k)
{
        uint64_t now = now_mono_usec();

        if (k->n_connects) {
                k->n_connects = 0;
                k->usable = false;
                k->lost_mono_usec = now;
                find(k, DISCOVERY_ZK_CONNECTING, "the connection was lost");
        }
        if (usec_since(now, k->lost_mono_usec) >= k->conf->session_usec)
                find_silence(k);
}

static void on_connected(struct zk_keeper *k, const struct zk_news *news)
{
        uint64_t now = now_mono_usec();

        if (news->n_connects != k->n_connects)
                k->look_mono_usec = 0;
        k->n_connects = news->n_connects;
        if (news->fired)
                k->look_mono_usec = 0;
        if (now >= k->look_mono_usec && now >= k->gap_mono_usec)
                zk_keeper_look(k);
        else if (now >= k->confirm_mono_usec)
                confirm(k);
}

static uint64_t wait_until(const struct zk_keeper *k)
{
        uint64_t look = k->look_mono_usec;

        if (!k->conf || !k->is_open)
                return k->open_mono_usec;
        if (!k->n_connects)
                return usec_add(k->lost_mono_usec, k->conf->session_usec);
        if (look < k->gap_mono_usec)
                look = k->gap_mono_usec;
        return sooner(look, k->confirm_mono_usec);
}

bool zk_keeper_turn(struct zk_keeper *k)
{
        struct zk_news news;

        if (k->conf && !k->is_open && now_mono_usec() >= k->open_mono_usec) {
                begin_session(k);
                return true;
        }
        news = zk_wait(k->zk, wait_until(k));
        if (news.quit)
                return false;
        if (!k->conf || !k->is_open)
                return true;
        if (news.session == ZK_SESSION_EXPIRED)
                end_session(k, DISCOVERY_ZK_EXPIRED, "the session has expired", 0);
        else if (news.session == ZK_SESSION_AUTH_FAILED)
                end_session(k, DISCOVERY_ZK_AUTH_FAILED, "ZooKeeper does not take our secret",
                            OPEN_MAX_USEC);
        else if (news.session == ZK_SESSION_CONNECTED)
                on_connected(k, &news);
        else
                on_disconnected(k);
        return true;
}

/* --- life --------------------------------------------------------------------------------------------- */

int zk_keeper_new(struct zk_keeper **ret, struct zk *zk)
{
        struct zk_keeper *k = calloc(1, sizeof(*k));

        if (!k)
                return -ENOMEM;
        k->zk = zk;
        k->open_mono_usec = USEC_INFINITY;
        *ret = k;
        return 0;
}

struct zk_keeper *zk_keeper_free(struct zk_keeper *k)
{
        if (k) {
                zk_close(k->zk);
                zk_picture_unref(k->found.picture);
                free(k);
        }
        return NULL;
}

static void use_self(struct zk_keeper *k, const char *node_id)
{
        k->must_register = true;
        if (k->found.registration == DISCOVERY_ZK_FORGOTTEN)
                return;
        if (!*node_id || !zk_tree_may_write(&k->tree))
                k->found.registration = DISCOVERY_ZK_REGISTRATION_NONE;
        else if (k->found.registration == DISCOVERY_ZK_REGISTRATION_NONE ||
                 (k->found.registration == DISCOVERY_ZK_REGISTERED &&
                  !streq(k->registered_id, node_id)))
                k->found.registration = DISCOVERY_ZK_REGISTRATION_PENDING;
}

/* What a session is for. Who we are may change within one. */
static bool is_same_session(const struct discovery_zk_conf *a, const struct discovery_zk_conf *b)
{
        return streq(a->hosts, b->hosts) && streq(a->secret, b->secret) &&
               streq(a->chroot, b->chroot) && streq(a->mesos_path, b->mesos_path) &&
               a->open == b->open && a->session_usec == b->session_usec;
}

static void end_all(struct zk_keeper *k, bool off)
{
        /* Another tree is no reset of this one. */
        k->seen = (struct seen){0};
        k->open_pause_usec = OPEN_MIN_USEC;
        k->confirm_mono_usec = k->gap_mono_usec = k->sweep_boot_usec = 0;
        end_session(k, off ? DISCOVERY_ZK_OFF : DISCOVERY_ZK_CONNECTING, "",
                    off ? USEC_INFINITY : 0);
}

void zk_keeper_use(struct zk_keeper *k, const struct discovery_zk_conf *conf)
{
        bool off = str_empty(conf->hosts), is_same = k->conf && is_same_session(k->conf, conf);

        k->conf = off ? NULL : conf;
        k->tree = (struct zk_tree){
                .zk = k->zk,
                .chroot = conf->chroot,
                .mesos_path = conf->mesos_path,
                .has_secret = !str_empty(conf->secret),
                .open = conf->open,
        };
        use_self(k, conf->self.node_id);
        if (*conf->cluster_id)
                (void)snprintf(k->cluster_id, sizeof(k->cluster_id), "%s", conf->cluster_id);
        k->look_mono_usec = 0;
        if (!is_same)
                end_all(k, off);
}

const struct zk_findings *zk_keeper_findings(const struct zk_keeper *k)
{
        return &k->found;
}

/* --- verbs -------------------------------------------------------------------------------------------- */

int zk_keeper_register(struct zk_keeper *k, struct err *e)
{
        int r = check_may_write(k, e);

        if (r == 0 && !*k->conf->self.node_id)
                r = err_set(e, -EINVAL, "there is nobody to register");
        return r < 0 ? r : register_self(k, e);
}

/* Said to the one who is forgotten: it need not wait until it sees its tombstone. */
int zk_keeper_forget(struct zk_keeper *k, const struct zk_tombstone *t, struct err *e)
{
        int r = check_may_write(k, e);

        if (r == 0)
                r = registrar_forget(&k->tree, t, e);
        if (r == 0 && streq(t->node_id, k->conf->self.node_id))
                k->found.registration = DISCOVERY_ZK_FORGOTTEN;
        return r;
}

int zk_keeper_put_maintenance(struct zk_keeper *k, const struct zk_maintenance *m, struct err *e)
{
        int r = check_may_write(k, e);

        return r < 0 ? r : registrar_put_maintenance(&k->tree, m, e);
}

int zk_keeper_delete_maintenance(struct zk_keeper *k, const char *node_id, struct err *e)
{
        int r = check_may_write(k, e);

        return r < 0 ? r : registrar_delete_maintenance(&k->tree, node_id, e);
}
