/*
 * ZooKeeper as the aggregator sees it, through the worst of days of real servers. Waiting is for what
 * must come, with a bound that only says that it does not.
 */

#include <errno.h>

#include "aggregator/discovery_zk.h"
#include "base/log.h"
#include "tests/fakes/zookeeper.h"
#include "tests/unit/test_main.h"

#define SECRET  "secret"
#define M1      "11111111111111111111111111111111"
#define M2      "22222222222222222222222222222222"
#define BOOT    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define UUID    "01234567-89ab-4def-8123-456789abcdef"
#define SESSION (1500 * USEC_PER_MSEC)

static struct zookeeper server, members[3];
static struct loop *loop;
static char root_path[64], mesos_path[64];

/* One aggregator. */
struct seat {
        struct discovery_zk *d;
        struct discovery_zk_conf conf;
        unsigned n_changes, n_done;
        int error;
        char text[248];
        bool was[DISCOVERY_ZK_RESET + 1]; /* states that it was in */
};

static void start_server(void)
{
        zookeeper_init(&server, 1, 1);
        zookeeper_start(&server);
        zookeeper_await(&server);
}

static void stop_server(void)
{
        zookeeper_kill(&server);
}

static void setup(void)
{
        ck_assert_int_eq(loop_new(&loop), 0);
        (void)snprintf(root_path, sizeof(root_path), "/test%d/diag", (int)getpid());
        (void)snprintf(mesos_path, sizeof(mesos_path), "/mesos%d", (int)getpid());
}

static void teardown(void)
{
        loop = loop_free(loop);
}

static void setup_alone(void)
{
        start_server();
        setup();
}

static void teardown_alone(void)
{
        teardown();
        stop_server();
}

static void on_changed(void *userdata)
{
        struct seat *s = userdata;

        s->n_changes++;
        s->was[discovery_zk_status(s->d).state] = true;
}

static void on_done(int error, const char *text, void *userdata)
{
        struct seat *s = userdata;

        s->n_done++;
        s->error = error;
        (void)snprintf(s->text, sizeof(s->text), "%s", text);
}

static struct discovery_zk_conf conf_of(const char *node_id, const char *address)
{
        return (struct discovery_zk_conf){
                .hosts = server.hosts,
                .chroot = root_path,
                .mesos_path = mesos_path,
                .secret = SECRET,
                .cluster_name = "prod",
                .session_usec = SESSION,
                .self = {.node_id = node_id, .address = address, .boot_id = BOOT, .port = 1051},
        };
}

static void begin(struct seat *s)
{
        struct err e = {0};

        ck_assert_msg(discovery_zk_new(&s->d, loop, &s->conf, on_changed, s, &e) == 0, "%s",
                      e.text);
}

static void seat_of(struct seat *s, const char *node_id, const char *address)
{
        *s = (struct seat){.conf = conf_of(node_id, address)};
        begin(s);
}

/* Like an aggregator that is started anew: the loop's letters to the old one must not be read. */
static void begin_anew(struct seat *s)
{
        discovery_zk_free(s->d);
        *s = (struct seat){.conf = s->conf};
        loop_free(loop);
        ck_assert_int_eq(loop_new(&loop), 0);
        begin(s);
}

static enum discovery_zk_state state_of(const struct seat *s)
{
        return discovery_zk_status(s->d).state;
}

static bool is_registered(const struct seat *s)
{
        return discovery_zk_status(s->d).registration == DISCOVERY_ZK_REGISTERED;
}

static bool knows(const struct seat *s, const char *node_id)
{
        return zk_picture_master(discovery_zk_picture(s->d), node_id);
}

static bool knows_forgotten(const struct seat *s, const char *node_id)
{
        return zk_picture_tombstone(discovery_zk_picture(s->d), node_id);
}

#define AWAIT(condition)                                                                       \
        do {                                                                                   \
                uint64_t _end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC;                     \
                while (!(condition)) {                                                         \
                        ck_assert_msg(now_mono_usec() < _end, "it never came to " #condition); \
                        (void)sd_event_run(loop_event(loop), 100 * USEC_PER_MSEC);             \
                }                                                                              \
        } while (0)

/* The verb's end; the picture that shows it was there before. */
static int end_of(struct seat *s, int k)
{
        unsigned n_done = s->n_done;

        ck_assert_int_eq(k, 0);
        AWAIT(s->n_done == n_done + 1);
        return s->error;
}

static int forget(struct seat *s, const char *node_id)
{
        const struct zk_tombstone t = {.node_id = node_id, .by = "uid:0", .reason = "gone"};

        return end_of(s, discovery_zk_forget(s->d, &t, on_done, s));
}

/* --- alone -------------------------------------------------------------------------------------------- */

START_TEST(is_off_without_hosts)
{
        struct seat s;

        s = (struct seat){.conf = conf_of(M1, "10.0.0.1")};
        s.conf.hosts = "";
        begin(&s);
        ck_assert_int_eq(forget(&s, M2), -ENOTCONN);
        ck_assert_str_eq(s.text, "ZooKeeper is not configured");
        ck_assert_int_eq(state_of(&s), DISCOVERY_ZK_OFF);
        ck_assert_ptr_null(discovery_zk_picture(s.d));
        discovery_zk_free(s.d);
}
END_TEST

static const struct {
        const char *name, *hosts, *says;
} absences[] = {
        {"nobody listens", "127.0.0.1:1",               "no server answers"},
        {"no such name",   "no-such-host.invalid:2181",
         "no name of ZooKeeper's servers can be resolved"                  },
};

START_TEST(goes_on_without_anybody)
{
        struct seat s = {.conf = conf_of(M1, "10.0.0.1")};

        s.conf.hosts = absences[_i].hosts;
        s.conf.session_usec = 300 * USEC_PER_MSEC;
        begin(&s);
        ck_assert_int_eq(forget(&s, M2), -ENOTCONN);
        AWAIT(strstr(discovery_zk_status(s.d).error, absences[_i].says));
        ck_assert_int_eq(state_of(&s), DISCOVERY_ZK_CONNECTING);
        ck_assert_uint_eq(discovery_zk_status(s.d).answered_boot_usec, 0);
        ck_assert_ptr_null(discovery_zk_picture(s.d));
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(finds_who_comes_later)
{
        struct seat s;

        zookeeper_init(&server, 1, 1);
        seat_of(&s, M1, "10.0.0.1");
        AWAIT(strstr(discovery_zk_status(s.d).error, "no server answers"));
        zookeeper_start(&server);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED && is_registered(&s) && knows(&s, M1));
        ck_assert_str_eq(discovery_zk_status(s.d).error, "");
        ck_assert_uint_gt(discovery_zk_status(s.d).answered_boot_usec, 0);
        discovery_zk_free(s.d);
        zookeeper_kill(&server);
}
END_TEST

static const struct {
        const char *name;
        const char *hosts, *chroot, *mesos, *node_id, *address, *boot_id, *says;
        uint64_t session_usec;
} bad_confs[] = {
        {.name = "no port",     .hosts = "a,b:2181",     .says = "HOST:PORT"      },
        {.name = "a chroot",    .hosts = "a:2181/diag",  .says = "HOST:PORT"      },
        {.name = "only commas", .hosts = ",,",           .says = "HOST:PORT"      },
        {.name = "no host",     .hosts = ":2181",        .says = "HOST:PORT"      },
        {.name = "port 0",      .hosts = "a:0",          .says = "HOST:PORT"      },
        {.name = "relative",    .chroot = "diag",        .says = "path of a znode"},
        {.name = "root",        .chroot = "/",           .says = "path of a znode"},
        {.name = "mesos",       .mesos = "/mesos/",      .says = "path of a znode"},
        {.name = "id",          .node_id = "m1",         .says = "32 hex digits"  },
        {.name = "boot",        .boot_id = "b",          .says = "32 hex digits"  },
        {.name = "address",     .address = "m1.example", .says = "m1.example"     },
        {.name = "session",     .session_usec = 1000,    .says = "timeout"        },
};

START_TEST(refuses_a_bad_configuration)
{
        struct discovery_zk_conf c = conf_of(str_or(bad_confs[_i].node_id, M1),
                                             str_or(bad_confs[_i].address, "10.0.0.1"));
        struct discovery_zk *d = NULL;
        struct err e = {0};

        c.hosts = str_or(bad_confs[_i].hosts, "a:2181,[::1]:2181");
        c.chroot = str_or(bad_confs[_i].chroot, c.chroot);
        c.mesos_path = str_or(bad_confs[_i].mesos, c.mesos_path);
        c.self.boot_id = str_or(bad_confs[_i].boot_id, BOOT);
        c.session_usec = bad_confs[_i].session_usec;
        ck_assert_int_eq(discovery_zk_new(&d, loop, &c, on_changed, NULL, &e), -EINVAL);
        ck_assert_ptr_null(d);
        ck_assert_msg(strstr(e.text, bad_confs[_i].says), "%s: %s", bad_confs[_i].name, e.text);
}
END_TEST

START_TEST(has_words)
{
        ck_assert_str_eq(discovery_zk_state_to_string(DISCOVERY_ZK_AUTH_FAILED), "auth-failed");
        ck_assert_str_eq(discovery_zk_registration_to_string(DISCOVERY_ZK_FORGOTTEN), "forgotten");
}
END_TEST

/* --- registering and forgetting --------------------------------------------------------------------- */

START_TEST(registers_itself)
{
        struct seat s;
        const struct zk_master *m;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        m = zk_picture_master(discovery_zk_picture(s.d), M1);
        ck_assert_str_eq(m->address, "10.0.0.1");
        ck_assert_str_eq(m->boot_id, BOOT);
        ck_assert_uint_eq(m->port, 1051);
        ck_assert_str_eq(discovery_zk_picture(s.d)->root.name, "prod");
        ck_assert_uint_eq(strlen(discovery_zk_picture(s.d)->root.cluster_id), 36);
        ck_assert(!s.was[DISCOVERY_ZK_RESET]);
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(sees_the_others)
{
        struct seat a, b;

        seat_of(&a, M1, "10.0.0.1");
        seat_of(&b, M2, "10.0.0.2");
        AWAIT(knows(&a, M1) && knows(&a, M2) && knows(&b, M1) && knows(&b, M2));
        ck_assert_str_eq(discovery_zk_picture(a.d)->root.cluster_id,
                         discovery_zk_picture(b.d)->root.cluster_id);
        b.was[DISCOVERY_ZK_CONNECTING] = false;
        b.conf.self.address = "10.0.0.22";
        ck_assert_int_eq(discovery_zk_set_conf(b.d, &b.conf, NULL), 0);
        AWAIT(streq(zk_picture_master(discovery_zk_picture(a.d), M2)->address, "10.0.0.22"));
        ck_assert(!b.was[DISCOVERY_ZK_CONNECTING]);
        discovery_zk_free(a.d);
        discovery_zk_free(b.d);
}
END_TEST

/* It stays out, for all that may happen, until somebody asks for it. */
START_TEST(stays_forgotten)
{
        struct seat a, b;

        seat_of(&a, M1, "10.0.0.1");
        seat_of(&b, M2, "10.0.0.2");
        AWAIT(knows(&a, M2) && is_registered(&b));
        ck_assert_int_eq(forget(&a, M2), 0);
        ck_assert(!knows(&a, M2) && knows_forgotten(&a, M2));
        AWAIT(discovery_zk_status(b.d).registration == DISCOVERY_ZK_FORGOTTEN);
        ck_assert(!knows(&b, M2));
        b.was[DISCOVERY_ZK_CONNECTING] = false;
        b.conf.session_usec++; /* and a new session */
        ck_assert_int_eq(discovery_zk_set_conf(b.d, &b.conf, NULL), 0);
        AWAIT(state_of(&b) == DISCOVERY_ZK_CONNECTED && b.was[DISCOVERY_ZK_CONNECTING]);
        ck_assert_int_eq(discovery_zk_status(b.d).registration, DISCOVERY_ZK_FORGOTTEN);
        ck_assert(!knows(&b, M2));
        ck_assert_int_eq(end_of(&b, discovery_zk_register(b.d, on_done, &b)), 0);
        ck_assert(is_registered(&b) && knows(&b, M2) && !knows_forgotten(&b, M2));
        AWAIT(knows(&a, M2));
        discovery_zk_free(a.d);
        discovery_zk_free(b.d);
}
END_TEST

START_TEST(can_forget_itself)
{
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s));
        ck_assert_int_eq(forget(&s, M1), 0);
        ck_assert_int_eq(discovery_zk_status(s.d).registration, DISCOVERY_ZK_FORGOTTEN);
        ck_assert(!knows(&s, M1) && knows_forgotten(&s, M1));
        begin_anew(&s);
        AWAIT(is_registered(&s) && knows(&s, M1) && !knows_forgotten(&s, M1));
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(comes_back_when_it_vanishes)
{
        _cleanup_(zk_freep) struct zk *visitor = zookeeper_visit(&server, SECRET);
        struct seat s;
        char path[128];

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        (void)snprintf(path, sizeof(path), "%s/masters/" M1, root_path);
        ck_assert_int_eq(zookeeper_delete(visitor, path), 0);
        for (uint64_t end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC; now_mono_usec() < end;) {
                _cleanup_(freep) char *text = zookeeper_read(visitor, path);

                if (text)
                        break;
                (void)sd_event_run(loop_event(loop), 10 * USEC_PER_MSEC);
        }
        free(zookeeper_read(visitor, path));
        AWAIT(knows(&s, M1));
        ck_assert(!s.was[DISCOVERY_ZK_RESET]);
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(keeps_maintenance_of_others)
{
        struct zk_maintenance m = {.node_id = M2,
                                   .by = "uid:0",
                                   .reason = "disk",
                                   .until_wall_usec = now_wall_usec() + USEC_PER_MIN};
        const struct zk_picture *p;
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s));
        ck_assert_int_eq(end_of(&s, discovery_zk_put_maintenance(s.d, &m, on_done, &s)), 0);
        p = discovery_zk_picture(s.d);
        ck_assert_uint_eq(p->n_maintenance, 1);
        ck_assert_str_eq(p->maintenance[0].reason, "disk");
        ck_assert_uint_gt(p->maintenance[0].since_wall_usec, 0);
        ck_assert_int_eq(end_of(&s, discovery_zk_delete_maintenance(s.d, M2, on_done, &s)), 0);
        ck_assert_uint_eq(discovery_zk_picture(s.d)->n_maintenance, 0);
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(refuses_bad_verbs)
{
        struct zk_maintenance m = {.node_id = M2};
        struct zk_tombstone t = {.node_id = "../masters"};
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        ck_assert_int_eq(discovery_zk_put_maintenance(s.d, &m, on_done, &s), -EINVAL);
        ck_assert_int_eq(discovery_zk_delete_maintenance(s.d, "", on_done, &s), -EINVAL);
        ck_assert_int_eq(discovery_zk_delete_maintenance(s.d, NULL, on_done, &s), -EINVAL);
        ck_assert_int_eq(discovery_zk_forget(s.d, &t, on_done, &s), -EINVAL);
        t = (struct zk_tombstone){.node_id = M2, .address = "x"};
        ck_assert_int_eq(discovery_zk_forget(s.d, &t, on_done, &s), -EINVAL);
        t = (struct zk_tombstone){.node_id = M2, .reason = "a\nb"};
        ck_assert_int_eq(discovery_zk_forget(s.d, &t, on_done, &s), -EINVAL);
        discovery_zk_free(s.d);
        ck_assert_uint_eq(s.n_done, 0);
}
END_TEST

START_TEST(takes_only_so_many_at_once)
{
        struct seat s = {.conf = conf_of(M1, "10.0.0.1")};

        s.conf.hosts = "";
        begin(&s);
        for (unsigned i = 0; i < DISCOVERY_ZK_JOBS_MAX; i++)
                ck_assert_int_eq(discovery_zk_register(s.d, on_done, &s), 0);
        ck_assert_int_eq(discovery_zk_register(s.d, on_done, &s), -EBUSY);
        AWAIT(s.n_done == DISCOVERY_ZK_JOBS_MAX);
        ck_assert_int_eq(discovery_zk_register(s.d, on_done, &s), 0);
        discovery_zk_free(s.d);
        ck_assert_uint_eq(s.n_done, DISCOVERY_ZK_JOBS_MAX);
}
END_TEST

START_TEST(follows_mesos)
{
        _cleanup_(zk_freep) struct zk *visitor = zookeeper_visit(&server, "");
        char path[128];
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s));
        ck_assert(!discovery_zk_picture(s.d)->mesos_leads);
        ck_assert_int_eq(zookeeper_make(visitor, mesos_path, ""), 0);
        (void)snprintf(path, sizeof(path), "%s/json.info_0000000002", mesos_path);
        ck_assert_int_eq(zookeeper_make(visitor, path, "{\"address\":{\"ip\":\"10.0.0.2\"}}"), 0);
        AWAIT(discovery_zk_picture(s.d)->mesos_leads);
        ck_assert_str_eq(discovery_zk_picture(s.d)->mesos[0].address, "10.0.0.2");
        ck_assert_int_eq(zookeeper_delete(visitor, path), 0);
        AWAIT(!discovery_zk_picture(s.d)->mesos_leads);
        discovery_zk_free(s.d);
}
END_TEST

/* --- trees that are not ours ------------------------------------------------------------------------- */

static void make_root(const char *secret, const char *data)
{
        struct zk *visitor = zookeeper_visit(&server, secret);
        char above[64];

        (void)snprintf(above, sizeof(above), "/test%d", (int)getpid());
        ck_assert_int_eq(zookeeper_make(visitor, above, ""), 0);
        ck_assert_int_eq(zookeeper_make(visitor, root_path, data), 0);
        zk_free(visitor);
}

/* A stranger was there first, and says who the masters are. */
START_TEST(refuses_an_open_root)
{
        _cleanup_(zk_freep) struct zk *stranger = zookeeper_visit(&server, "");
        struct seat s = {0};
        char path[128];

        make_root("", "{\"schema\":1}");
        (void)snprintf(path, sizeof(path), "%s/masters", root_path);
        ck_assert_int_eq(zookeeper_make(stranger, path, ""), 0);
        seat_of(&s, M1, "10.0.0.1");
        AWAIT(state_of(&s) == DISCOVERY_ZK_REFUSED);
        ck_assert_msg(strstr(discovery_zk_status(s.d).error, "anybody may write"), "%s",
                      discovery_zk_status(s.d).error);
        ck_assert_ptr_null(discovery_zk_picture(s.d));
        ck_assert_int_eq(forget(&s, M2), -EPERM);
        ck_assert(strstr(s.text, "anybody may write"));
        /* Somebody takes it away: then it is made as it should be. */
        ck_assert_int_eq(zookeeper_delete(stranger, path), 0);
        ck_assert_int_eq(zookeeper_delete(stranger, root_path), 0);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED && is_registered(&s) && knows(&s, M1));
        ck_assert_int_eq(zookeeper_delete(stranger, path), -EACCES);
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(uses_an_open_root_when_told)
{
        struct seat s = {.conf = conf_of(M1, "10.0.0.1")};

        make_root("", "");
        s.conf.open = true;
        s.conf.secret = "";
        begin(&s);
        AWAIT(is_registered(&s) && knows(&s, M1));
        ck_assert_int_eq(state_of(&s), DISCOVERY_ZK_CONNECTED);
        discovery_zk_free(s.d);
}
END_TEST

START_TEST(notices_the_wrong_secret)
{
        struct seat a, b = {.conf = conf_of(M2, "10.0.0.2")};

        seat_of(&a, M1, "10.0.0.1");
        AWAIT(is_registered(&a));
        b.conf.secret = "mistyped";
        begin(&b);
        AWAIT(state_of(&b) == DISCOVERY_ZK_AUTH_FAILED);
        ck_assert_ptr_null(discovery_zk_picture(b.d));
        ck_assert_int_eq(discovery_zk_status(b.d).registration, DISCOVERY_ZK_REGISTRATION_PENDING);
        b.conf.secret = SECRET;
        ck_assert_int_eq(discovery_zk_set_conf(b.d, &b.conf, NULL), 0);
        AWAIT(is_registered(&b) && knows(&b, M1) && knows(&b, M2));
        discovery_zk_free(a.d);
        discovery_zk_free(b.d);
}
END_TEST

START_TEST(only_reads_without_a_secret)
{
        struct seat a, b = {.conf = conf_of(M2, "10.0.0.2")};

        b.conf.secret = "";
        begin(&b);
        AWAIT(state_of(&b) == DISCOVERY_ZK_CONNECTED);
        ck_assert_msg(strstr(discovery_zk_status(b.d).error, "without a secret"), "%s",
                      discovery_zk_status(b.d).error);
        ck_assert_uint_eq(discovery_zk_picture(b.d)->n_masters, 0);
        seat_of(&a, M1, "10.0.0.1");
        AWAIT(knows(&b, M1));
        ck_assert_int_eq(discovery_zk_status(b.d).registration, DISCOVERY_ZK_REGISTRATION_NONE);
        ck_assert_int_eq(forget(&b, M1), -EPERM);
        ck_assert(knows(&b, M1) && !knows(&b, M2));
        AWAIT(streq(discovery_zk_status(b.d).error, ""));
        discovery_zk_free(a.d);
        discovery_zk_free(b.d);
}
END_TEST

START_TEST(leaves_a_newer_tree_alone)
{
        _cleanup_(zk_freep) struct zk *visitor = zookeeper_visit(&server, SECRET);
        const struct zk_op newer = {.kind = ZK_OP_SET,
                                    .path = root_path,
                                    .data = "{\"schema\":2}",
                                    .n_data = 12,
                                    .version = -1};
        struct seat a, b;

        seat_of(&a, M1, "10.0.0.1");
        AWAIT(is_registered(&a) && knows(&a, M1));
        ck_assert_int_eq(zk_commit(visitor, &newer, 1), 0);
        AWAIT(state_of(&a) == DISCOVERY_ZK_REFUSED);
        ck_assert_msg(strstr(discovery_zk_status(a.d).error, "schema 2"), "%s",
                      discovery_zk_status(a.d).error);
        ck_assert(knows(&a, M1)); /* what was known is still known */
        ck_assert_int_eq(forget(&a, M2), -EPERM);
        seat_of(&b, M2, "10.0.0.2");
        AWAIT(state_of(&b) == DISCOVERY_ZK_REFUSED);
        ck_assert(!is_registered(&b));
        discovery_zk_free(a.d);
        discovery_zk_free(b.d);
}
END_TEST

START_TEST(survives_garbage)
{
        _cleanup_(zk_freep) struct zk *visitor = zookeeper_visit(&server, SECRET);
        struct seat s;
        char path[128];

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        (void)snprintf(path, sizeof(path), "%s/masters/" M2, root_path);
        ck_assert_int_eq(zookeeper_make(visitor, path, "\x1b]0;hello\a"), 0);
        AWAIT(discovery_zk_picture(s.d)->n_notes == 1);
        ck_assert(knows(&s, M1) && !knows(&s, M2));
        ck_assert_uint_eq(discovery_zk_picture(s.d)->n_masters_unread, 1);
        ck_assert_int_eq(state_of(&s), DISCOVERY_ZK_CONNECTED);
        discovery_zk_free(s.d);
}
END_TEST

/* --- bad days ----------------------------------------------------------------------------------------- */

START_TEST(keeps_what_it_knew)
{
        struct zk_picture *before;
        uint64_t answered;
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        before = discovery_zk_picture(s.d);
        answered = discovery_zk_status(s.d).answered_boot_usec;
        zookeeper_kill(&server);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTING);
        ck_assert_ptr_eq(discovery_zk_picture(s.d), before);
        ck_assert_uint_ge(discovery_zk_status(s.d).answered_boot_usec, answered);
        ck_assert(*discovery_zk_status(s.d).error);
        ck_assert_int_eq(forget(&s, M1), -ENOTCONN);
        AWAIT(strstr(discovery_zk_status(s.d).error, "no server answers"));
        zookeeper_start(&server);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED);
        ck_assert(knows(&s, M1) && is_registered(&s));
        ck_assert_uint_gt(discovery_zk_status(s.d).answered_boot_usec, answered);
        ck_assert(!s.was[DISCOVERY_ZK_RESET]);
        ck_assert_int_eq(forget(&s, M2), 0);
        discovery_zk_free(s.d);
}
END_TEST

static void wipe_server(void)
{
        zookeeper_kill(&server);
        zookeeper_wipe(&server);
        zookeeper_start(&server);
}

START_TEST(comes_back_after_a_wipe)
{
        char cluster_id[37];
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        (void)snprintf(cluster_id, sizeof(cluster_id), "%s",
                       discovery_zk_picture(s.d)->root.cluster_id);
        ck_assert_int_eq(forget(&s, M2), 0);
        wipe_server();
        AWAIT(state_of(&s) == DISCOVERY_ZK_RESET);
        AWAIT(knows(&s, M1) && !knows_forgotten(&s, M2));
        ck_assert_str_eq(discovery_zk_picture(s.d)->root.cluster_id, cluster_id);
        ck_assert(is_registered(&s));
        discovery_zk_free(s.d);
}
END_TEST

/* Its tombstone is gone, and still it was told to stay out. */
START_TEST(stays_forgotten_after_a_wipe)
{
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s));
        ck_assert_int_eq(forget(&s, M1), 0);
        wipe_server();
        AWAIT(state_of(&s) == DISCOVERY_ZK_RESET);
        ck_assert(!knows(&s, M1) && !knows_forgotten(&s, M1));
        ck_assert_int_eq(discovery_zk_status(s.d).registration, DISCOVERY_ZK_FORGOTTEN);
        ck_assert_int_eq(forget(&s, M2), 0); /* which looks at everything */
        ck_assert(!knows(&s, M1) && knows_forgotten(&s, M2));
        discovery_zk_free(s.d);
}
END_TEST

static void delete_tree(struct zk *visitor)
{
        static const char *const below[] = {"/masters/", "/masters", "/forgotten", "/maintenance",
                                            ""};
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(below); i++) {
                (void)snprintf(path, sizeof(path), "%s%s%s", root_path, below[i], i == 0 ? M1 : "");
                (void)zookeeper_delete(visitor, path);
        }
}

START_TEST(shows_a_reset_for_a_while)
{
        _cleanup_(zk_freep) struct zk *visitor = zookeeper_visit(&server, SECRET);
        struct seat s = {.conf = conf_of(M1, "10.0.0.1")};

        s.conf.reset_usec = USEC_PER_SEC;
        begin(&s);
        AWAIT(is_registered(&s) && knows(&s, M1));
        ck_assert_int_eq(state_of(&s), DISCOVERY_ZK_CONNECTED);
        delete_tree(visitor);
        AWAIT(state_of(&s) == DISCOVERY_ZK_RESET);
        AWAIT(knows(&s, M1));
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED);
        ck_assert(knows(&s, M1));
        discovery_zk_free(s.d);
}
END_TEST

/* Who is suspended for longer than his session lives is told so when he wakes. */
static void be_frozen(int fd)
{
        struct seat s;

        loop = NULL; /* that of who forked us is of no use here */
        ck_assert_int_eq(loop_new(&loop), 0);
        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        (void)dprintf(fd, "ready");
        AWAIT(s.was[DISCOVERY_ZK_EXPIRED]);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED);
        ck_assert(knows(&s, M1) && is_registered(&s));
        discovery_zk_free(s.d);
}

/* "dump" lists sessions first, by when they expire, and connections later. */
static bool has_sessions(void)
{
        char answer[ZOOKEEPER_ANSWER_MAX];
        char *sessions, *end;

        zookeeper_ask(&server, "dump", answer);
        sessions = strstr(answer, "Session Sets");
        end = strstr(answer, "ephemeral nodes");
        ck_assert_msg(sessions && end, "%s", answer);
        *end = '\0';
        return strstr(sessions, "0x");
}

START_TEST(begins_anew_when_expired)
{
        uint64_t end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC;
        int fds[2], status = -1;
        char said[8];
        pid_t pid;

        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                be_frozen(fds[1]);
                loop_free(loop);
                _exit(0);
        }
        close(fds[1]);
        ck_assert_int_gt(read(fds[0], said, sizeof(said)), 0);
        ck_assert(has_sessions());
        (void)kill(pid, SIGSTOP);
        while (has_sessions()) {
                ck_assert(now_mono_usec() < end);
                (void)usleep(ZOOKEEPER_POLL_USEC);
        }
        (void)kill(pid, SIGCONT);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        close(fds[0]);
}
END_TEST

START_TEST(is_not_held_by_who_hangs)
{
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s));
        zookeeper_freeze(&server);
        ck_assert_int_eq(discovery_zk_register(s.d, on_done, &s), 0);
        discovery_zk_free(s.d);
        zookeeper_thaw(&server);
        ck_assert_uint_eq(s.n_done, 0);
}
END_TEST

START_TEST(says_that_who_hangs_is_lost)
{
        struct seat s;

        seat_of(&s, M1, "10.0.0.1");
        AWAIT(is_registered(&s) && knows(&s, M1));
        zookeeper_freeze(&server);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTING);
        ck_assert(knows(&s, M1));
        zookeeper_thaw(&server);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED && is_registered(&s));
        discovery_zk_free(s.d);
}
END_TEST

/* --- an ensemble -------------------------------------------------------------------------------------- */

static void start_ensemble(void)
{
        setup();
        for (unsigned i = 0; i < 3; i++) {
                zookeeper_init(&members[i], i + 1, 3);
                zookeeper_start(&members[i]);
        }
        for (unsigned i = 0; i < 3; i++)
                zookeeper_await(&members[i]);
}

static void stop_ensemble(void)
{
        teardown();
        for (unsigned i = 0; i < 3; i++)
                zookeeper_kill(&members[i]);
}

/* One dies, one hangs, most are gone, they come back: what is known is known all the time. */
START_TEST(lives_with_an_ensemble)
{
        struct seat s = {.conf = conf_of(M1, "10.0.0.1")};
        char hosts[128];

        (void)snprintf(hosts, sizeof(hosts), "%s,%s,%s", members[0].hosts, members[1].hosts,
                       members[2].hosts);
        s.conf.hosts = hosts;
        begin(&s);
        AWAIT(is_registered(&s) && knows(&s, M1));

        s.was[DISCOVERY_ZK_CONNECTING] = false;
        zookeeper_kill(&members[0]); /* ours */
        AWAIT(s.was[DISCOVERY_ZK_CONNECTING] && state_of(&s) == DISCOVERY_ZK_CONNECTED);
        ck_assert_int_eq(forget(&s, M2), 0);

        zookeeper_freeze(&members[1]); /* of two one is not most */
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTING);
        AWAIT(strstr(discovery_zk_status(s.d).error, "no server answers"));
        ck_assert(knows(&s, M1) && knows_forgotten(&s, M2));
        ck_assert_int_eq(forget(&s, M1), -ENOTCONN);

        zookeeper_start(&members[0]);
        AWAIT(state_of(&s) == DISCOVERY_ZK_CONNECTED);
        ck_assert(knows(&s, M1) && knows_forgotten(&s, M2) && is_registered(&s));
        zookeeper_thaw(&members[1]);
        ck_assert_int_eq(end_of(&s, discovery_zk_register(s.d, on_done, &s)), 0);
        ck_assert(!s.was[DISCOVERY_ZK_RESET]);
        discovery_zk_free(s.d);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, SFun begin_case, SFun end_case)
{
        TCase *tcase = tcase_create(name);

        tcase_set_timeout(tcase, 110);
        tcase_add_checked_fixture(tcase, begin_case, end_case);
        suite_add_tcase(suite, tcase);
        return tcase;
}

static void add_shared(TCase *shared)
{
        tcase_add_unchecked_fixture(shared, start_server, stop_server);
        tcase_add_test(shared, registers_itself);
        tcase_add_test(shared, sees_the_others);
        tcase_add_test(shared, stays_forgotten);
        tcase_add_test(shared, can_forget_itself);
        tcase_add_test(shared, comes_back_when_it_vanishes);
        tcase_add_test(shared, keeps_maintenance_of_others);
        tcase_add_test(shared, refuses_bad_verbs);
        tcase_add_test(shared, follows_mesos);
        tcase_add_test(shared, refuses_an_open_root);
        tcase_add_test(shared, uses_an_open_root_when_told);
        tcase_add_test(shared, notices_the_wrong_secret);
        tcase_add_test(shared, only_reads_without_a_secret);
        tcase_add_test(shared, leaves_a_newer_tree_alone);
        tcase_add_test(shared, survives_garbage);
        tcase_add_test(shared, shows_a_reset_for_a_while);
        tcase_add_test(shared, is_not_held_by_who_hangs);
}

int main(void)
{
        Suite *suite = suite_create("discovery_zk");
        TCase *nobody = add_case(suite, "nobody", setup, teardown);
        TCase *alone;
        int status;

        log_set_level(0);
        zookeeper_begin();
        tcase_add_test(nobody, is_off_without_hosts);
        tcase_add_loop_test(nobody, goes_on_without_anybody, 0, ELEMENTSOF(absences));
        tcase_add_test(nobody, finds_who_comes_later);
        tcase_add_loop_test(nobody, refuses_a_bad_configuration, 0, ELEMENTSOF(bad_confs));
        tcase_add_test(nobody, has_words);
        tcase_add_test(nobody, takes_only_so_many_at_once);
        add_shared(add_case(suite, "shared server", setup, teardown));
        alone = add_case(suite, "its own server", setup_alone, teardown_alone);
        tcase_add_test(alone, keeps_what_it_knew);
        tcase_add_test(alone, comes_back_after_a_wipe);
        tcase_add_test(alone, stays_forgotten_after_a_wipe);
        tcase_add_test(alone, begins_anew_when_expired);
        tcase_add_test(alone, says_that_who_hangs_is_lost);
        tcase_add_test(add_case(suite, "ensemble", start_ensemble, stop_ensemble),
                       lives_with_an_ensemble);
        status = test_main(suite);
        zookeeper_end();
        return status;
}
