/* What a master writes to ZooKeeper, against a real server; each test in a tree of its own. */

#include <errno.h>
#include <pthread.h>

#include "aggregator/registrar.h"
#include "aggregator/zk_json.h"
#include "base/log.h"
#include "tests/fakes/zookeeper.h"
#include "tests/unit/test_main.h"

#define SECRET "secret"
#define M1     "11111111111111111111111111111111"
#define M2     "22222222222222222222222222222222"
#define BOOT   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define UUID   "01234567-89ab-4def-8123-456789abcdef"
#define DAY    (24 * 60 * USEC_PER_MIN)

static struct zookeeper server;
static char root_path[64];
static struct zk *zk;
static struct zk_tree tree;

static const struct zk_master m1 = {
        .node_id = M1, .address = "10.0.0.1", .port = 1051, .hostname = "m1", .boot_id = BOOT};
static const struct zk_tombstone forget_m1 = {
        .node_id = M1, .address = "10.0.0.1", .by = "uid:0", .reason = "gone", .at_wall_usec = DAY};
static const struct zk_root a_root = {.cluster_id = UUID, .name = "prod"};

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

static struct zk_tree tree_of(struct zk *z, const char *secret)
{
        return (struct zk_tree){
                .zk = z, .chroot = root_path, .mesos_path = "", .has_secret = *secret != '\0'};
}

/* Deeper than one level. */
static void setup(void)
{
        struct err e = {0};

        (void)snprintf(root_path, sizeof(root_path), "/test%d/deep/diag", (int)getpid());
        zk = zookeeper_visit(&server, SECRET);
        tree = tree_of(zk, SECRET);
        ck_assert_msg(zk_tree_make(&tree, &a_root, &e) == 0, "%s", e.text);
}

static void teardown(void)
{
        zk = zk_free(zk);
}

static char *data_of(enum zk_dir dir, const char *id)
{
        char path[ZK_PATH_MAX];

        return zookeeper_read(zk, zk_tree_path(path, &tree, dir, id));
}

static void put(enum zk_dir dir, const char *id, const char *data)
{
        char path[ZK_PATH_MAX];

        zk_tree_path(path, &tree, dir, id);
        (void)zookeeper_delete(zk, path);
        ck_assert_int_eq(zookeeper_make(zk, path, data), 0);
}

static void must_say(enum zk_dir dir, const char *id, const char *part)
{
        _cleanup_(freep) char *text = data_of(dir, id);

        if (part)
                ck_assert_msg(text && strstr(text, part), "%s: %s", id, text ? text : "nothing");
        else
                ck_assert_msg(!text, "%s: %s", id, text);
}

static struct zk_picture *look(void)
{
        struct zk_root_look root = {0};
        struct zk_picture *p = NULL;
        struct err e = {0};

        ck_assert_int_eq(zk_tree_look(&tree, &root, &e), 0);
        ck_assert_msg(root.state == ZK_ROOT_GOOD, "%s", e.text);
        ck_assert_msg(zk_picture_read(&p, &tree, &root, &e) == 0, "%s", e.text);
        return p;
}

/* --- the tree ----------------------------------------------------------------------------------------- */

START_TEST(makes_the_tree)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = look();
        struct zk_root other = {.cluster_id = "", .name = "other"};
        char path[ZK_PATH_MAX];

        ck_assert_uint_eq(p->root.schema, ZK_SCHEMA);
        ck_assert_str_eq(p->root.cluster_id, UUID);
        ck_assert_str_eq(p->root.name, "prod");
        ck_assert_uint_gt(p->root.created_wall_usec, 0);
        /* Who comes second makes nothing, and changes nothing. */
        ck_assert_int_eq(zk_tree_make(&tree, &other, NULL), 0);
        ck_assert(!strstr(zk_tree_path(path, &tree, ZK_DIR_MASTERS, NULL), "//"));
}
END_TEST

/* Whoever may write to a parent may delete its children, whatever these say. */
START_TEST(leaves_nothing_open)
{
        static const char *const below[] = {"", "/masters", "/forgotten", "/maintenance"};
        _cleanup_(zk_freep) struct zk *stranger = zookeeper_visit(&server, "guessed");
        enum zk_owner owner = ZK_OWNER_UNKNOWN;
        char path[128];

        for (char *s = strchr(root_path + 1, '/'); s; s = strchr(s + 1, '/')) {
                (void)snprintf(path, sizeof(path), "%.*s", (int)(s - root_path), root_path);
                ck_assert_int_eq(zk_owner(zk, path, &owner), 0);
                ck_assert_msg(owner == ZK_OWNER_WE, "%s", path);
        }
        for (size_t i = 0; i < ELEMENTSOF(below); i++) {
                (void)snprintf(path, sizeof(path), "%s%s", root_path, below[i]);
                ck_assert_int_eq(zk_owner(zk, path, &owner), 0);
                ck_assert_msg(owner == ZK_OWNER_WE, "%s", path);
                ck_assert_int_eq(zookeeper_delete(stranger, path), -EACCES);
        }
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        (void)snprintf(path, sizeof(path), "%s/masters/" M1, root_path);
        ck_assert_int_eq(zk_owner(zk, path, &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_WE);
        ck_assert_int_eq(zookeeper_delete(stranger, path), -EACCES);
}
END_TEST

START_TEST(makes_what_is_missing_below)
{
        char path[ZK_PATH_MAX];

        ck_assert_int_eq(zookeeper_delete(zk, zk_tree_path(path, &tree, ZK_DIR_FORGOTTEN, NULL)),
                         0);
        ck_assert_int_eq(registrar_forget(&tree, &forget_m1, NULL), -ENOENT);
        ck_assert_int_eq(zk_tree_make(&tree, &a_root, NULL), 0);
        ck_assert_int_eq(registrar_forget(&tree, &forget_m1, NULL), 0);
}
END_TEST

/* --- roots -------------------------------------------------------------------------------------------- */

/* Made by a stranger, and what we make of it. */
static const struct {
        const char *name, *maker, *data, *secret;
        bool open;
        enum zk_root_state want;
        const char *says;
} roots[] = {
        {"ours",             SECRET,   "{\"schema\":1}", SECRET, false, ZK_ROOT_GOOD,     ""                 },
        {"ours, and empty",  SECRET,   "",               SECRET, false, ZK_ROOT_GOOD,     ""                 },
        {"open",             "",       "{\"schema\":1}", SECRET, false, ZK_ROOT_ANYBODY,  "ZkOpen=yes"       },
        {"open, and may be", "",       "{\"schema\":1}", SECRET, true,  ZK_ROOT_GOOD,     ""                 },
        {"open, no secret",  "",       "{\"schema\":1}", "",     false, ZK_ROOT_ANYBODY,  "anybody may write"},
        {"another secret",   "stolen", "{\"schema\":1}", SECRET, false, ZK_ROOT_SOMEBODY,
         "another secret"                                                                                    },
        {"only reading",     SECRET,   "{\"schema\":1}", "",     false, ZK_ROOT_GOOD,     ""                 },
        {"newer",            SECRET,   "{\"schema\":2}", SECRET, false, ZK_ROOT_NEWER,    "schema 2"         },
        {"something else",   SECRET,   "10.0.0.1",       SECRET, false, ZK_ROOT_STRANGE,
         "not ours: it is not JSON"                                                                          },
        {"without a schema", SECRET,   "{}",             SECRET, true,  ZK_ROOT_STRANGE,  "schema is missing"},
};

START_TEST(judges_roots)
{
        _cleanup_(zk_freep) struct zk *maker = zookeeper_visit(&server, roots[_i].maker);
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, roots[_i].secret);
        struct zk_tree t = tree_of(z, roots[_i].secret);
        struct zk_root_look found = {0};
        struct err e = {0};
        char path[32];

        (void)snprintf(path, sizeof(path), "/root%d", (int)getpid());
        t.chroot = path;
        t.open = roots[_i].open;
        ck_assert_int_eq(zk_tree_look(&t, &found, &e), 0);
        ck_assert_int_eq(found.state, ZK_ROOT_ABSENT);
        ck_assert_int_eq(zookeeper_make(maker, path, roots[_i].data), 0);
        ck_assert_int_eq(zk_tree_look(&t, &found, &e), 0);
        ck_assert_msg(found.state == roots[_i].want && strstr(e.text, roots[_i].says), "%s: %d: %s",
                      roots[_i].name, found.state, e.text);
}
END_TEST

START_TEST(fills_in_a_root_that_says_nothing)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        char path[96];

        (void)snprintf(path, sizeof(path), "%s/inner", root_path);
        ck_assert_int_eq(zookeeper_make(zk, path, ""), 0);
        tree.chroot = path;
        ck_assert_int_eq(zk_tree_make(&tree, &a_root, NULL), 0);
        p = look();
        ck_assert_str_eq(p->root.cluster_id, UUID);
}
END_TEST

static const struct {
        const char *path;
        bool valid;
} paths[] = {
        {"/diag",          true },
        {"/dcos/diag-1_2", true },
        {"",               false},
        {"/",              false},
        {"diag",           false},
        {"/diag/",         false},
        {"//diag",         false},
        {"/a//b",          false},
        {"/a/../b",        false},
        {"/a/.",           false},
        {"/a b",           false},
        {"/a\nb",          false},
        {"/\xc3\xa4",      false},
        {"/a/...",         true },
};

START_TEST(knows_paths)
{
        ck_assert_int_eq(zk_path_is_valid(paths[_i].path), paths[_i].valid);
}
END_TEST

/* --- masters and tombstones ------------------------------------------------------------------------- */

START_TEST(registers)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        const struct zk_master *m;

        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        p = look();
        m = zk_picture_master(p, M1);
        ck_assert(m);
        ck_assert_str_eq(m->address, "10.0.0.1");
        ck_assert_str_eq(m->hostname, "m1");
        ck_assert_str_eq(m->boot_id, BOOT);
        ck_assert_uint_eq(m->port, 1051);
        ck_assert_uint_gt(m->registered_wall_usec, 0);
}
END_TEST

START_TEST(writes_only_what_is_different)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *first = NULL, *second = NULL, *third = NULL;
        struct zk_master moved = m1;

        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        first = look();
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        second = look();
        ck_assert_int_eq(first->dirs[ZK_DIR_MASTERS].children_zxid,
                         second->dirs[ZK_DIR_MASTERS].children_zxid);
        ck_assert(zk_picture_equal(first, second));
        moved.address = "10.0.0.2";
        ck_assert_int_eq(registrar_register(&tree, &moved, NULL), 0);
        third = look();
        ck_assert_int_gt(third->dirs[ZK_DIR_MASTERS].children_zxid,
                         second->dirs[ZK_DIR_MASTERS].children_zxid);
        ck_assert_str_eq(third->masters[0].address, "10.0.0.2");
        ck_assert_uint_eq(third->masters[0].registered_wall_usec,
                          first->masters[0].registered_wall_usec);
        ck_assert(!zk_picture_equal(second, third));
}
END_TEST

START_TEST(keeps_what_others_have_added)
{
        put(ZK_DIR_MASTERS, M1,
            "{\"address\":\"10.9.9.9\",\"zone\":\"b\",\"registered\":\"2020-01-01T00:00:00.000Z\"}");
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, "\"zone\":\"b\"");
        must_say(ZK_DIR_MASTERS, M1, "\"address\":\"10.0.0.1\"");
        must_say(ZK_DIR_MASTERS, M1, "\"registered\":\"2020-01-01T00:00:00.000Z\"");
}
END_TEST

START_TEST(replaces_what_nobody_can_read)
{
        static char large[ZK_DATA_MAX + 2];

        put(ZK_DIR_MASTERS, M1, "garbage");
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, "10.0.0.1");
        memset(large, 'x', ZK_DATA_MAX + 1);
        put(ZK_DIR_MASTERS, M1, large);
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, "10.0.0.1");
}
END_TEST

START_TEST(forgets_and_registers_again)
{
        struct zk_tombstone again = forget_m1;

        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        ck_assert_int_eq(registrar_forget(&tree, &forget_m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, NULL);
        must_say(ZK_DIR_FORGOTTEN, M1, "\"reason\":\"gone\"");
        again.reason = "again";
        ck_assert_int_eq(registrar_forget(&tree, &again, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, M1, "\"reason\":\"gone\"");
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, "10.0.0.1");
        must_say(ZK_DIR_FORGOTTEN, M1, NULL);
}
END_TEST

START_TEST(forgets_whom_it_never_knew)
{
        const struct zk_tombstone t = {
                .node_id = "addr:10.0.0.9", .address = "", .by = "", .reason = ""};

        ck_assert_int_eq(registrar_forget(&tree, &t, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, "addr:10.0.0.9", "{");
}
END_TEST

/* By hand, or of an older version: a node in both is put where it was asked for. */
START_TEST(ends_in_one_place)
{
        put(ZK_DIR_MASTERS, M1, "{\"address\":\"10.0.0.1\"}");
        put(ZK_DIR_FORGOTTEN, M1, "{}");
        ck_assert_int_eq(registrar_forget(&tree, &forget_m1, NULL), 0);
        must_say(ZK_DIR_MASTERS, M1, NULL);
        must_say(ZK_DIR_FORGOTTEN, M1, "{}");
        put(ZK_DIR_MASTERS, M1, "{\"address\":\"10.0.0.1\"}");
        ck_assert_int_eq(registrar_register(&tree, &m1, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, M1, NULL);
        must_say(ZK_DIR_MASTERS, M1, "m1");
}
END_TEST

#define N_RIVALS 40u

static void *forget_often(_unused_ void *arg)
{
        struct zk *z = zookeeper_visit(&server, SECRET);
        struct zk_tree t = tree_of(z, SECRET);

        for (unsigned i = 0; i < N_RIVALS; i++)
                (void)registrar_forget(&t, &forget_m1, NULL);
        zk_free(z);
        return NULL;
}

/* Two at once: whoever is overtaken begins anew, and it is in exactly one place at each moment. */
START_TEST(is_never_in_both)
{
        pthread_t rival;
        unsigned n_masters = 0;

        ck_assert_int_eq(pthread_create(&rival, NULL, forget_often, NULL), 0);
        for (unsigned i = 0; i < N_RIVALS; i++) {
                struct err e = {0};
                int k = registrar_register(&tree, &m1, &e);

                ck_assert_msg(k == 0 || k == -ESTALE || k == -EEXIST || k == -ENOENT, "%s", e.text);
        }
        pthread_join(rival, NULL);
        for (enum zk_dir dir = ZK_DIR_MASTERS; dir <= ZK_DIR_FORGOTTEN; dir++) {
                _cleanup_(freep) char *text = data_of(dir, M1);

                n_masters += text != NULL;
        }
        ck_assert_uint_eq(n_masters, 1);
}
END_TEST

START_TEST(sweeps_only_what_is_old)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        const uint64_t now = now_wall_usec();
        struct zk_tombstone young = forget_m1;
        char text[128], at[RFC3339_MAX];

        young.node_id = M2;
        young.at_wall_usec = now + 20 * DAY;
        ck_assert_int_eq(registrar_forget(&tree, &forget_m1, NULL), 0); /* it says 1970 */
        ck_assert_int_eq(registrar_forget(&tree, &young, NULL), 0);
        (void)snprintf(text, sizeof(text), "{\"at\":\"%s\"}", rfc3339_format(at, now));
        p = look();
        ck_assert_uint_eq(p->n_forgotten, 2);
        ck_assert_int_eq(registrar_sweep(&tree, p, now + 29 * DAY, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, M1, "{"); /* ZooKeeper says it is not that old */
        ck_assert_int_eq(registrar_sweep(&tree, p, now + 31 * DAY, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, M1, NULL);
        must_say(ZK_DIR_FORGOTTEN, M2, "{");
        ck_assert_int_eq(registrar_sweep(&tree, p, now + 31 * DAY, NULL), 0);
        ck_assert_int_eq(registrar_sweep(&tree, p, now + 60 * DAY, NULL), 0);
        must_say(ZK_DIR_FORGOTTEN, M2, NULL);
}
END_TEST

/* --- maintenance, and who may not ----------------------------------------------------------------- */

START_TEST(keeps_maintenance)
{
        struct zk_maintenance m = {.node_id = M1,
                                   .by = "root",
                                   .reason = "disk",
                                   .since_wall_usec = DAY,
                                   .until_wall_usec = 2 * DAY};

        ck_assert_int_eq(registrar_put_maintenance(&tree, &m, NULL), 0);
        must_say(ZK_DIR_MAINTENANCE, M1, "\"reason\":\"disk\"");
        put(ZK_DIR_MAINTENANCE, M1, "{\"ticket\":12}");
        m.reason = "fan";
        ck_assert_int_eq(registrar_put_maintenance(&tree, &m, NULL), 0);
        must_say(ZK_DIR_MAINTENANCE, M1, "\"reason\":\"fan\"");
        must_say(ZK_DIR_MAINTENANCE, M1, "\"ticket\":12");
        ck_assert_int_eq(registrar_delete_maintenance(&tree, M1, NULL), 0);
        must_say(ZK_DIR_MAINTENANCE, M1, NULL);
        ck_assert_int_eq(registrar_delete_maintenance(&tree, M1, NULL), 0);
}
END_TEST

START_TEST(says_why_it_could_not)
{
        _cleanup_(zk_freep) struct zk *stranger = zookeeper_visit(&server, "guessed");
        struct zk_tree t = tree_of(stranger, "guessed");
        struct err e = {0};

        ck_assert_int_eq(registrar_register(&t, &m1, &e), -EACCES);
        ck_assert_msg(strstr(e.text, "cannot register " M1), "%s", e.text);
        ck_assert_int_eq(registrar_forget(&t, &forget_m1, &e), -EACCES);
        ck_assert_int_eq(zk_tree_make(&t, &a_root, &e), 0); /* it is all there */
        zk_close(stranger);
        ck_assert_int_eq(registrar_register(&t, &m1, &e), -ENOTCONN);
        ck_assert_msg(strstr(e.text, "not connected"), "%s", e.text);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("registrar");
        TCase *trees = tcase_create("trees"), *verbs = tcase_create("verbs");
        int status;

        log_set_level(0);
        zookeeper_begin();
        tcase_set_timeout(trees, 100);
        tcase_add_unchecked_fixture(trees, start_server, stop_server);
        tcase_add_checked_fixture(trees, setup, teardown);
        tcase_add_test(trees, makes_the_tree);
        tcase_add_test(trees, leaves_nothing_open);
        tcase_add_test(trees, makes_what_is_missing_below);
        tcase_add_loop_test(trees, judges_roots, 0, ELEMENTSOF(roots));
        tcase_add_test(trees, fills_in_a_root_that_says_nothing);
        tcase_add_loop_test(trees, knows_paths, 0, ELEMENTSOF(paths));
        suite_add_tcase(suite, trees);
        tcase_set_timeout(verbs, 100);
        tcase_add_unchecked_fixture(verbs, start_server, stop_server);
        tcase_add_checked_fixture(verbs, setup, teardown);
        tcase_add_test(verbs, registers);
        tcase_add_test(verbs, writes_only_what_is_different);
        tcase_add_test(verbs, keeps_what_others_have_added);
        tcase_add_test(verbs, replaces_what_nobody_can_read);
        tcase_add_test(verbs, forgets_and_registers_again);
        tcase_add_test(verbs, forgets_whom_it_never_knew);
        tcase_add_test(verbs, ends_in_one_place);
        tcase_add_test(verbs, is_never_in_both);
        tcase_add_test(verbs, sweeps_only_what_is_old);
        tcase_add_test(verbs, keeps_maintenance);
        tcase_add_test(verbs, says_why_it_could_not);
        suite_add_tcase(suite, verbs);
        status = test_main(suite);
        zookeeper_end();
        return status;
}
