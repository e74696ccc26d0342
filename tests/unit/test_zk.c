/* The door to ZooKeeper, against a real server: it tells what happened, and never waits for ever. */

#include <errno.h>
#include <pthread.h>

#include "base/log.h"
#include "tests/fakes/zookeeper.h"
#include "tests/unit/test_main.h"

#define FAR (now_mono_usec() + ZOOKEEPER_PATIENCE_USEC)

static struct zookeeper server;

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

static struct zk_conf conf_of(const char *hosts, uint64_t session_usec)
{
        return (struct zk_conf){.hosts = hosts, .secret = "", .session_usec = session_usec};
}

/* --- sessions ----------------------------------------------------------------------------------------- */

START_TEST(connects)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");

        ck_assert_int_eq(zookeeper_make(z, "/connects", "x"), 0);
        zk_close(z);
        ck_assert_int_eq(zookeeper_make(z, "/connects2", "x"), -ENOTCONN);
}
END_TEST

START_TEST(tries_the_others)
{
        _cleanup_(zk_freep) struct zk *z = NULL;
        char hosts[128] = "";
        struct zk_conf conf = conf_of(hosts, 2 * USEC_PER_SEC);
        struct zk_news news = {0};

        (void)snprintf(hosts, sizeof(hosts), "%s:1,%s:2, %s", server.address, server.address,
                       server.hosts);
        ck_assert_int_eq(zk_new(&z), 0);
        ck_assert_int_eq(zk_open(z, &conf, NULL), 0);
        while (news.session != ZK_SESSION_CONNECTED) {
                news = zk_wait(z, FAR);
                ck_assert(news.session != ZK_SESSION_NONE);
        }
        ck_assert_uint_eq(news.n_connects, 1);
}
END_TEST

START_TEST(says_when_no_name_is_known)
{
        _cleanup_(zk_freep) struct zk *z = NULL;
        struct zk_conf conf = conf_of("no-such-host.invalid:2181", USEC_PER_SEC);
        struct err e = {0};

        ck_assert_int_eq(zk_new(&z), 0);
        ck_assert_int_lt(zk_open(z, &conf, &e), 0);
        ck_assert(strstr(e.text, "no-such-host.invalid"));
        ck_assert_int_eq(zookeeper_make(z, "/x", ""), -ENOTCONN);
}
END_TEST

START_TEST(waits_no_longer_than_told)
{
        _cleanup_(zk_freep) struct zk *z = NULL;
        char hosts[32] = "";
        struct zk_conf conf = conf_of(hosts, USEC_PER_SEC);

        (void)snprintf(hosts, sizeof(hosts), "%s:1", server.address);
        ck_assert_int_eq(zk_new(&z), 0);
        ck_assert_int_eq(zk_wait(z, now_mono_usec()).session, ZK_SESSION_NONE);
        ck_assert_int_eq(zk_open(z, &conf, NULL), 0);
        ck_assert_int_eq(zk_wait(z, now_mono_usec() + 20000).session, ZK_SESSION_CONNECTING);
}
END_TEST

static void *quit_soon(void *arg)
{
        struct zk *z = arg;

        (void)usleep(20000);
        zk_quit(z);
        return NULL;
}

static void *poke_soon(void *arg)
{
        struct zk *z = arg;

        (void)usleep(20000);
        zk_poke(z);
        return NULL;
}

START_TEST(can_be_poked)
{
        _cleanup_(zk_freep) struct zk *z = NULL;
        pthread_t thread;

        ck_assert_int_eq(zk_new(&z), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, poke_soon, z), 0);
        ck_assert(!zk_wait(z, USEC_INFINITY).quit);
        pthread_join(thread, NULL);
}
END_TEST

/* A server that hangs, with requests of all kinds on their way: nothing waits for it to go on. */
START_TEST(gives_up_at_once)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");
        const struct zk_op ops[] = {
                {.kind = ZK_OP_CREATE, .path = "/gives", .data = "",          .n_data = 0},
                {.kind = ZK_OP_DELETE,                    .path = "/gives",                 .version = 0},
        };
        pthread_t thread;
        int k;

        zookeeper_freeze(&server);
        k = pthread_create(&thread, NULL, quit_soon, z);
        if (k == 0) {
                k = zk_commit(z, ops, ELEMENTSOF(ops));
                pthread_join(thread, NULL);
                zk_close(z);
        }
        zookeeper_thaw(&server); /* the next test's server, too */
        ck_assert_int_eq(k, -ECANCELED);
        ck_assert(zk_wait(z, USEC_INFINITY).quit);
        ck_assert_int_eq(zookeeper_make(z, "/gives2", ""), -ECANCELED);
}
END_TEST

START_TEST(bounds_an_answer_that_does_not_come)
{
        _cleanup_(zk_freep) struct zk *z = NULL;
        struct zk_conf conf = conf_of(server.hosts, 600 * USEC_PER_MSEC);
        char *text = NULL;
        size_t n;
        int k;

        ck_assert_int_eq(zk_new(&z), 0);
        ck_assert_int_eq(zk_open(z, &conf, NULL), 0);
        while (zk_wait(z, FAR).session != ZK_SESSION_CONNECTED)
                ;
        zookeeper_freeze(&server);
        k = zk_get(z, "/", ZK_NO_WATCH, &text, &n, NULL);
        zookeeper_thaw(&server);
        ck_assert_msg(k == -ENOTCONN || k == -ETIMEDOUT, "%d", k);
        zookeeper_await(&server);
}
END_TEST

/* --- asking ------------------------------------------------------------------------------------------- */

START_TEST(reads_data)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");
        static char large[ZK_DATA_MAX + 2];
        struct zk_stat stat = {0};
        char *text = NULL;
        size_t n;

        memset(large, 'x', ZK_DATA_MAX);
        ck_assert_int_eq(zookeeper_make(z, "/reads", "some"), 0);
        ck_assert_int_eq(zk_get(z, "/reads", ZK_NO_WATCH, &text, &n, &stat), 0);
        ck_assert_uint_eq(n, 4);
        ck_assert_str_eq(text, "some");
        ck_assert_int_eq(stat.version, 0);
        ck_assert_int_gt(stat.created_zxid, 0);
        ck_assert_int_gt(stat.created_wall_msec, 0);
        free(text);

        ck_assert_int_eq(zookeeper_make(z, "/reads/empty", ""), 0);
        ck_assert_int_eq(zk_get(z, "/reads/empty", ZK_NO_WATCH, &text, &n, NULL), 0);
        ck_assert_uint_eq(n, 0);
        ck_assert_str_eq(text, "");
        free(text);

        ck_assert_int_eq(zookeeper_make(z, "/reads/most", large), 0);
        ck_assert_int_eq(zk_get(z, "/reads/most", ZK_NO_WATCH, &text, &n, NULL), 0);
        ck_assert_uint_eq(n, ZK_DATA_MAX);
        free(text);
        large[ZK_DATA_MAX] = 'x';
        ck_assert_int_eq(zookeeper_make(z, "/reads/more", large), 0);
        ck_assert_int_eq(zk_get(z, "/reads/more", ZK_NO_WATCH, &text, &n, &stat), -E2BIG);
        ck_assert_int_eq(zk_get(z, "/reads/none", ZK_NO_WATCH, &text, &n, &stat), -ENOENT);
        ck_assert_int_eq(zk_get(z, "no path", ZK_NO_WATCH, &text, &n, &stat), -EIO);
}
END_TEST

struct each {
        struct string_list names;
        unsigned n_absent;
};

static void on_each(const char *name, int error, const char *text, size_t n,
                    _unused_ const struct zk_stat *stat, void *userdata)
{
        struct each *each = userdata;

        if (error == -ENOENT) {
                each->n_absent++;
                return;
        }
        ck_assert_int_eq(error, 0);
        ck_assert_uint_eq(n, strlen(name));
        ck_assert_str_eq(text, name);
        ck_assert_int_eq(string_list_push(&each->names, name), 0);
}

START_TEST(reads_many)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");
        _cleanup_(string_list_done) struct string_list names = {0};
        struct each each = {0};
        struct zk_stat stat = {0};
        size_t n_left_out = 1;

        ck_assert_int_eq(zookeeper_make(z, "/many", ""), 0);
        for (unsigned i = 0; i < 300; i++) {
                char path[32];

                (void)snprintf(path, sizeof(path), "/many/%u", i);
                ck_assert_int_eq(zookeeper_make(z, path, path + 6), 0);
        }
        ck_assert_int_eq(zk_children(z, "/many", ZK_NO_WATCH, &names, &n_left_out, &stat), 0);
        ck_assert_uint_eq(names.n, 300);
        ck_assert_uint_eq(n_left_out, 0);
        ck_assert_uint_eq(stat.n_children, 300);
        ck_assert_int_eq(string_list_push(&names, "none"), 0);
        ck_assert_int_eq(zk_get_each(z, "/many", &names, on_each, &each), 0);
        ck_assert_uint_eq(each.names.n, 300);
        ck_assert_uint_eq(each.n_absent, 1);
        for (size_t i = 0; i < each.names.n; i++)
                ck_assert_str_eq(each.names.items[i], names.items[i]);
        string_list_done(&each.names);
}
END_TEST

static void await_watch(struct zk *z, unsigned number)
{
        uint32_t fired = 0;

        while (!(fired & (1u << number))) {
                struct zk_news news = zk_wait(z, FAR);

                ck_assert_int_eq(news.session, ZK_SESSION_CONNECTED);
                ck_assert_msg(news.fired == 0 || news.fired == 1u << number, "%x", news.fired);
                fired = news.fired;
        }
}

/* What is not there yet, what is there, what is in it, and each only once. */
START_TEST(watches)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");
        _cleanup_(zk_freep) struct zk *other = zookeeper_visit(&server, "");
        struct string_list names = {0};
        struct zk_stat stat;
        char *text = NULL;
        size_t n;

        ck_assert_int_eq(zk_get(z, "/watch", 0, &text, &n, NULL), -ENOENT);
        ck_assert_int_eq(zk_children(z, "/watch/deep/er", 7, &names, &n, &stat), -ENOENT);
        ck_assert_int_eq(zookeeper_make(other, "/watch", ""), 0);
        await_watch(z, 0);
        ck_assert_int_eq(zookeeper_make(other, "/watch/deep", ""), 0);
        ck_assert_int_eq(zookeeper_make(other, "/watch/deep/er", ""), 0);
        await_watch(z, 7);
        ck_assert_int_eq(zk_children(z, "/watch/deep/er", 7, &names, &n, &stat), 0);
        ck_assert_uint_eq(names.n, 0);
        ck_assert_int_eq(zookeeper_make(other, "/watch/deep/er/est", ""), 0);
        await_watch(z, 7);
        ck_assert_int_eq(zookeeper_make(other, "/watch/deep/er/er", ""), 0);
        ck_assert_int_eq(zk_get(z, "/watch", ZK_NO_WATCH, &text, &n, NULL), 0);
        free(text);
        ck_assert_uint_eq(zk_fired(z), 0);
}
END_TEST

START_TEST(keeps_watches_over_a_lost_connection)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");
        struct zk_news news = {.session = ZK_SESSION_CONNECTED};
        char *text = NULL;
        size_t n;

        ck_assert_int_eq(zk_get(z, "/kept", 3, &text, &n, NULL), -ENOENT);
        zookeeper_kill(&server);
        while (news.session == ZK_SESSION_CONNECTED)
                news = zk_wait(z, FAR);
        ck_assert_int_eq(zk_get(z, "/", ZK_NO_WATCH, &text, &n, NULL), -ENOTCONN);
        zookeeper_start(&server);
        while (news.session != ZK_SESSION_CONNECTED)
                news = zk_wait(z, FAR);
        ck_assert_uint_eq(news.n_connects, 2);
        ck_assert_int_eq(zookeeper_make(z, "/kept", ""), 0);
        ck_assert_uint_eq(zk_fired(z), 1u << 3);
        zookeeper_kill(&server); /* this process's: another test would not know of it */
}
END_TEST

/* --- changing ----------------------------------------------------------------------------------------- */

#define CREATE(p)                                                                \
        {                                                                        \
                .kind = ZK_OP_CREATE, .path = "/ops" p, .data = "d", .n_data = 1 \
        }
#define SET(p, v)                                                                             \
        {                                                                                     \
                .kind = ZK_OP_SET, .path = "/ops" p, .data = "e", .n_data = 1, .version = (v) \
        }
#define DELETE(p, v)                                                   \
        {                                                              \
                .kind = ZK_OP_DELETE, .path = "/ops" p, .version = (v) \
        }

/* In this order: each finds what those before have left. */
static const struct {
        const char *name;
        struct zk_op ops[3];
        size_t n;
        int want;
} commits[] = {
        {"creates",                             {CREATE(""), CREATE("/a")},         2, 0         },
        {"refuses what exists",                 {CREATE("/a")},                     1, -EEXIST   },
        {"refuses to go deeper than there is",  {CREATE("/b/c")},                   1, -ENOENT   },
        {"does all or nothing",                 {CREATE("/b"), DELETE("/none", 0)}, 2, -ENOENT   },
        {"has done nothing",                    {DELETE("/b", 0)},                  1, -ENOENT   },
        {"refuses another version",             {SET("/a", 1)},                     1, -ESTALE   },
        {"sets",                                {SET("/a", 0)},                     1, 0         },
        {"refuses to delete another version",   {DELETE("/a", 0)},                  1, -ESTALE   },
        {"refuses to delete what has children", {DELETE("", 0)},                    1, -ENOTEMPTY},
        {"replaces",                            {DELETE("/a", 1), CREATE("/a")},    2, 0         },
        {"deletes",                             {DELETE("/a", 0), DELETE("", 0)},   2, 0         },
        {"takes nothing for wrong",             {{0}},                              0, -EINVAL   },
};

START_TEST(commits_all_or_nothing)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "");

        for (size_t i = 0; i < ELEMENTSOF(commits); i++) {
                int k = zk_commit(z, commits[i].ops, commits[i].n);

                ck_assert_msg(k == commits[i].want, "%s: %d", commits[i].name, k);
        }
}
END_TEST

START_TEST(knows_whose_it_is)
{
        _cleanup_(zk_freep) struct zk *z = zookeeper_visit(&server, "secret");
        _cleanup_(zk_freep) struct zk *other = zookeeper_visit(&server, "another");
        _cleanup_(zk_freep) struct zk *nobody = zookeeper_visit(&server, "");
        enum zk_owner owner = ZK_OWNER_UNKNOWN;

        ck_assert_int_eq(zookeeper_make(z, "/ours", "x"), 0);
        ck_assert_int_eq(zk_owner(z, "/ours", &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_WE);
        ck_assert_int_eq(zk_owner(other, "/ours", &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_SOMEBODY);
        ck_assert_int_eq(zk_owner(nobody, "/ours", &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_SOMEBODY);
        ck_assert_int_eq(zk_owner(nobody, "/", &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_ANYBODY);
        ck_assert_int_eq(zk_owner(nobody, "/none", &owner), -ENOENT);

        ck_assert_int_eq(zookeeper_make(other, "/ours/a", ""), -EACCES);
        ck_assert_int_eq(zookeeper_make(nobody, "/ours/a", ""), -EACCES);
        ck_assert_int_eq(zookeeper_make(z, "/ours/a", "b"), 0);
        ck_assert_int_eq(zookeeper_delete(nobody, "/ours/a"), -EACCES);
        ck_assert_int_eq(zookeeper_delete(other, "/ours/a"), -EACCES);
        free(zookeeper_read(nobody, "/ours/a"));
        ck_assert_int_eq(zookeeper_make(nobody, "/open", ""), 0);
        ck_assert_int_eq(zk_owner(z, "/open", &owner), 0);
        ck_assert_int_eq(owner, ZK_OWNER_ANYBODY);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("zk");
        TCase *cases = tcase_create("server"), *alone = tcase_create("its own server");
        int status;

        log_set_level(0);
        zookeeper_begin();
        tcase_set_timeout(cases, 100);
        tcase_add_unchecked_fixture(cases, start_server, stop_server);
        tcase_add_test(cases, connects);
        tcase_add_test(cases, tries_the_others);
        tcase_add_test(cases, says_when_no_name_is_known);
        tcase_add_test(cases, waits_no_longer_than_told);
        tcase_add_test(cases, can_be_poked);
        tcase_add_test(cases, gives_up_at_once);
        tcase_add_test(cases, bounds_an_answer_that_does_not_come);
        tcase_add_test(cases, reads_data);
        tcase_add_test(cases, reads_many);
        tcase_add_test(cases, watches);
        tcase_add_test(cases, commits_all_or_nothing);
        tcase_add_test(cases, knows_whose_it_is);
        suite_add_tcase(suite, cases);
        tcase_set_timeout(alone, 100);
        tcase_add_checked_fixture(alone, start_server, NULL);
        tcase_add_test(alone, keeps_watches_over_a_lost_connection);
        suite_add_tcase(suite, alone);
        status = test_main(suite);
        zookeeper_end();
        return status;
}
