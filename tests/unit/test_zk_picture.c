/* One picture of all, from a real server, whoever wrote what there. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/zk_picture.h"
#include "base/log.h"
#include "tests/fakes/zookeeper.h"
#include "tests/unit/test_main.h"

#define M1 "11111111111111111111111111111111"
#define M2 "22222222222222222222222222222222"
#define M3 "33333333333333333333333333333333"

static struct zookeeper server;
static char root_path[64], mesos[64];
static struct zk *zk;
static struct zk_tree tree;

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
        const struct zk_root root = {.name = "prod"};

        (void)snprintf(root_path, sizeof(root_path), "/diag%d", (int)getpid());
        (void)snprintf(mesos, sizeof(mesos), "/mesos%d", (int)getpid());
        zk = zookeeper_visit(&server, "secret");
        tree = (struct zk_tree){
                .zk = zk, .chroot = root_path, .mesos_path = mesos, .has_secret = true};
        ck_assert_int_eq(zk_tree_make(&tree, &root, NULL), 0);
}

static void teardown(void)
{
        zk = zk_free(zk);
}

static void put(const char *dir, const char *name, const char *data)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        ck_assert_int_eq(zookeeper_make(zk, path, data), 0);
}

static void put_in(enum zk_dir dir, const char *name, const char *data)
{
        char path[ZK_PATH_MAX];

        put(zk_tree_path(path, &tree, dir, NULL), name, data);
}

static struct zk_picture *read_picture(void)
{
        struct zk_root_look look = {0};
        struct zk_picture *p = NULL;
        struct err e = {0};

        ck_assert_int_eq(zk_tree_look(&tree, &look, &e), 0);
        ck_assert_msg(zk_picture_read(&p, &tree, &look, &e) == 0, "%s", e.text);
        return p;
}

START_TEST(is_empty_where_nothing_is)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;

        tree.chroot = "/nowhere/at/all";
        p = read_picture();
        ck_assert_uint_eq(p->n_masters + p->n_forgotten + p->n_maintenance + p->n_mesos, 0);
        ck_assert_uint_eq(p->root.schema, 0);
        ck_assert_uint_eq(p->n_notes, 0);
        ck_assert_int_eq(p->root_stat.created_zxid, 0);
}
END_TEST

START_TEST(shows_all_of_it)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;

        put_in(ZK_DIR_MASTERS, M2, "{\"address\":\"10.0.0.2\",\"more\":{}}");
        put_in(ZK_DIR_MASTERS, M1, "{\"address\":\"10.0.0.1\",\"port\":1051}");
        put_in(ZK_DIR_FORGOTTEN, M3,
               "{\"address\":\"10.0.0.3\",\"by\":\"root\",\"reason\":\"gone\","
               "\"at\":\"2026-11-21T00:04:07Z\"}");
        put_in(ZK_DIR_FORGOTTEN, "addr:10.0.0.9", "{}");
        put_in(ZK_DIR_MAINTENANCE, M1, "{\"until\":\"2026-11-21T00:04:07Z\"}");
        p = read_picture();
        ck_assert_str_eq(p->root.name, "prod");
        ck_assert_uint_eq(p->n_masters, 2);
        ck_assert_str_eq(p->masters[0].node_id, M1);
        ck_assert_str_eq(p->masters[1].node_id, M2);
        ck_assert_ptr_eq(zk_picture_master(p, M2), &p->masters[1]);
        ck_assert_ptr_null(zk_picture_master(p, M3));
        ck_assert_uint_eq(p->n_forgotten, 2);
        ck_assert_str_eq(zk_picture_tombstone(p, M3)->reason, "gone");
        ck_assert_uint_gt(zk_picture_tombstone(p, M3)->created_wall_usec, 0);
        ck_assert(zk_picture_tombstone(p, "addr:10.0.0.9"));
        ck_assert_uint_eq(p->n_maintenance, 1);
        ck_assert_uint_gt(p->maintenance[0].until_wall_usec, 0);
        ck_assert_uint_eq(p->n_notes, 0);
        ck_assert_uint_eq(p->n_masters_unread, 0);
}
END_TEST

/* Skipped and named; a tombstone stays one, and a master is counted. */
START_TEST(survives_garbage)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        static char large[ZK_DATA_MAX + 2];
        bool named = false;

        memset(large, 'x', ZK_DATA_MAX + 1);
        put_in(ZK_DIR_MASTERS, M1, "{\"address\":\"10.0.0.1\"}");
        put_in(ZK_DIR_MASTERS, M2, "\x1b[2J");
        put_in(ZK_DIR_MASTERS, M3, large);
        put_in(ZK_DIR_MASTERS, "not an id", "{\"address\":\"10.0.0.4\"}");
        put_in(ZK_DIR_FORGOTTEN, M2, "garbage");
        put_in(ZK_DIR_MAINTENANCE, M2, "{\"until\":7}");
        p = read_picture();
        ck_assert_uint_eq(p->n_masters, 1);
        ck_assert_uint_eq(p->n_masters_unread, 2);
        ck_assert_uint_eq(p->n_forgotten, 1);
        ck_assert_str_eq(p->forgotten[0].node_id, M2);
        ck_assert_str_eq(p->forgotten[0].by, "");
        ck_assert_uint_eq(p->n_maintenance, 0);
        ck_assert_uint_eq(p->n_notes, 5);
        for (size_t i = 0; i < p->n_notes; i++) {
                ck_assert(!strchr(p->notes[i], '\x1b'));
                named = named || strstr(p->notes[i], "masters/" M2 ": it is not JSON");
        }
        ck_assert(named);
}
END_TEST

START_TEST(is_bounded)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;
        char id[33];

        for (unsigned i = 0; i < ZK_MASTERS_MAX + 3; i++) {
                (void)snprintf(id, sizeof(id), "%032x", i);
                put_in(ZK_DIR_MASTERS, id, "{\"address\":\"10.0.0.1\"}");
        }
        for (unsigned i = 0; i < ZK_NOTES_MAX + 3; i++) {
                (void)snprintf(id, sizeof(id), "junk%u", i);
                put_in(ZK_DIR_MAINTENANCE, id, "");
        }
        p = read_picture();
        ck_assert_uint_eq(p->n_masters, ZK_MASTERS_MAX);
        ck_assert_uint_eq(p->n_masters_unread, 3);
        ck_assert_str_eq(p->masters[0].node_id, "00000000000000000000000000000000");
        ck_assert_str_eq(p->notes[0], "masters/: 3 more than 64 were left out");
        ck_assert_uint_eq(p->n_notes, ZK_NOTES_MAX);
        ck_assert_uint_eq(p->n_notes_left_out, 4);
}
END_TEST

START_TEST(equals_itself)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *a = NULL, *b = NULL, *c = NULL, *d = NULL;

        put_in(ZK_DIR_MASTERS, M1, "{\"address\":\"10.0.0.1\"}");
        a = read_picture();
        b = read_picture();
        ck_assert(zk_picture_equal(a, b));
        ck_assert(zk_picture_equal(NULL, NULL));
        ck_assert(!zk_picture_equal(a, NULL));
        put_in(ZK_DIR_MAINTENANCE, M1, "{\"until\":\"2026-11-21T00:04:07Z\"}");
        c = read_picture();
        ck_assert(!zk_picture_equal(a, c));
        put_in(ZK_DIR_FORGOTTEN, M2, "{}");
        d = read_picture();
        ck_assert(!zk_picture_equal(c, d));
}
END_TEST

/* --- Mesos -------------------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct {
                const char *name, *data;
        } children[4];
        size_t n, n_unread;
        bool leads;
        const char *first; /* address */
} elections[] = {
        {"nobody",             {{"log_replicas", ""}},                        0, 0, false, ""         },
        {"one",
         {{"json.info_0000000007", "{\"ip\":16777343,\"port\":5050}"}},
         1,                                                                      0,
         true,                                                                             "127.0.0.1"},
        {"the lowest leads",
         {{"json.info_0000000012", "{\"address\":{\"ip\":\"10.0.0.12\"}}"},
          {"json.info_0000000009", "{\"address\":{\"ip\":\"10.0.0.9\"}}"},
          {"json.info_0000000100", "{\"address\":{\"ip\":\"10.0.0.100\"}}"}},
         3,                                                                      0,
         true,                                                                             "10.0.0.9" },
        {"an old one leads",
         {{"info_0000000001", "\n\x15"},
          {"json.info_0000000002", "{\"address\":{\"ip\":\"10.0.0.2\"}}"}},
         1,                                                                      1,
         false,                                                                            "10.0.0.2" },
        {"an old one follows",
         {{"info_0000000003", "\n\x15"},
          {"json.info_0000000002", "{\"address\":{\"ip\":\"10.0.0.2\"}}"}},
         1,                                                                      1,
         true,                                                                             "10.0.0.2" },
        {"garbage leads",
         {{"json.info_0000000001", "garbage"},
          {"json.info_0000000002", "{\"address\":{\"ip\":\"10.0.0.2\"}}"}},
         1,                                                                      1,
         false,                                                                            "10.0.0.2" },
};

START_TEST(knows_the_leader)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = NULL;

        ck_assert_int_eq(zookeeper_make(zk, mesos, ""), 0);
        for (size_t i = 0; i < ELEMENTSOF(elections[_i].children) && elections[_i].children[i].name;
             i++)
                put(mesos, elections[_i].children[i].name, elections[_i].children[i].data);
        p = read_picture();
        ck_assert_msg(p->n_mesos == elections[_i].n &&
                              p->n_mesos_unread == elections[_i].n_unread &&
                              p->mesos_leads == elections[_i].leads,
                      "%s: %zu, %zu", elections[_i].name, p->n_mesos, p->n_mesos_unread);
        if (p->n_mesos)
                ck_assert_str_eq(p->mesos[0].address, elections[_i].first);
}
END_TEST

START_TEST(sees_the_leader_change)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *before = NULL, *after = NULL;
        uint64_t end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC;

        before = read_picture();
        ck_assert_uint_eq(zk_fired(zk), 0);
        ck_assert_int_eq(zookeeper_make(zk, mesos, ""), 0);
        ck_assert_uint_eq(zk_wait(zk, end).fired, 1u << ZK_WATCH_MESOS);
        after = read_picture();
        put(mesos, "json.info_0000000007", "{\"ip\":16777343}");
        ck_assert_uint_eq(zk_fired(zk), 1u << ZK_WATCH_MESOS);
        zk_picture_unref(after);
        after = read_picture();
        ck_assert(!zk_picture_equal(before, after));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("zk_picture");
        TCase *cases = tcase_create("all");
        int status;

        log_set_level(0);
        zookeeper_begin();
        tcase_set_timeout(cases, 100);
        tcase_add_unchecked_fixture(cases, start_server, stop_server);
        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, is_empty_where_nothing_is);
        tcase_add_test(cases, shows_all_of_it);
        tcase_add_test(cases, survives_garbage);
        tcase_add_test(cases, is_bounded);
        tcase_add_test(cases, equals_itself);
        tcase_add_loop_test(cases, knows_the_leader, 0, ELEMENTSOF(elections));
        tcase_add_test(cases, sees_the_leader_change);
        suite_add_tcase(suite, cases);
        status = test_main(suite);
        zookeeper_end();
        return status;
}
