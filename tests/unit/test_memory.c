/* It remembers nodes over a restart: those worth it, not too often, and a bad file is no misfortune. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "aggregator/memory.h"
#include "base/fs.h"
#include "tests/fakes/fake_timers.h"

#define S USEC_PER_SEC

#define ID_1 "0123456789abcdef0123456789abcdef"
#define ID_2 "fedcba9876543210fedcba9876543210"

static char dir[64], path[128], log_path[128];
static struct loop *loop;
static struct roster *roster;
static struct memory *memory;

static void on_node(_unused_ void *userdata, _unused_ struct node *n)
{
}

static const struct roster_ops ops = {on_node, on_node, on_node, on_node};

static void setup(void)
{
        fake_time_begin();
        (void)snprintf(dir, sizeof(dir), "/tmp/test_memory.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/nodes.json", dir);
        (void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
        ck_assert_ptr_nonnull(freopen(log_path, "w", stderr));
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
}

static void teardown(void)
{
        memory = memory_free(memory);
        roster = roster_free(roster);
        loop = loop_free(loop);
        (void)remove(path);
        (void)remove(log_path);
        (void)rmdir(dir);
        fake_time_end();
}

static void open_memory(void)
{
        ck_assert_int_eq(memory_new(&memory, loop, path, roster), 0);
}

static void pass(uint64_t usec)
{
        uint64_t until = fake_usec + usec;

        while (fake_timers_fire(until))
                ;
        fake_usec = until;
}

static char *content(const char *file)
{
        char *text = NULL;
        size_t n;

        return fs_read(file, 1u << 20, &text, &n, NULL) < 0 ? NULL : text;
}

static void must_have_said(const char *words)
{
        _cleanup_(freep) char *said = NULL;

        (void)fflush(stderr);
        said = content(log_path);
        ck_assert_ptr_nonnull(said);
        if (*words)
                ck_assert_msg(strstr(said, words) != NULL, "%s: not in: %s", words, said);
        else
                ck_assert_str_eq(said, "");
}

static void must_hold(const char *nodes)
{
        _cleanup_(freep) char *text = content(path), *want = NULL;

        ck_assert_int_gt(asprintf(&want, "{\"nodes\":[%s]}\n", nodes), 0);
        ck_assert_ptr_nonnull(text);
        ck_assert_str_eq(text, want);
}

static struct node *add(enum diag_source source, const char *address, enum diag_role role)
{
        const struct found f = {.address = address, .role = role};
        struct node *n = roster_add(roster, source, &f, NULL);

        ck_assert_ptr_nonnull(n);
        return n;
}

static void save(void)
{
        memory_touch(memory);
        pass(20 * S);
}

/* --- reading ------------------------------------------------------------------------------------- */

static void put(const char *text)
{
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

START_TEST(starts_with_what_it_knew)
{
        const struct node *n;

        put("{\"nodes\":[{\"address\":\"10.0.0.1\",\"role\":\"master\",\"port\":1051,\"node_id\":\"" ID_1
            "\",\"hostname\":\"m1\"},{\"address\":\"fd00::1\",\"role\":\"agent_public\",\"port\":0},"
            "{\"address\":\"n.example\",\"role\":\"agent\"}]}");
        open_memory();
        ck_assert_uint_eq(roster_n(roster), 3);
        n = roster_find(roster, "10.0.0.1");
        ck_assert_uint_eq(n->sources, DIAG_SOURCE_BIT(DIAG_SOURCE_MEMORY));
        ck_assert_int_eq(node_role(n), DIAG_ROLE_MASTER);
        ck_assert_uint_eq(node_port(n), 1051);
        ck_assert_str_eq(node_id(n), ID_1);
        ck_assert_str_eq(n->claimed_hostname, "m1");
        ck_assert_int_eq(node_role(roster_find(roster, "fd00::1")), DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_ptr_nonnull(roster_find(roster, "n.example"));
        must_have_said("");
}
END_TEST

static const struct {
        const char *text; /* NULL: no file */
        unsigned n;
        const char *said;
} files[] = {
        {NULL,                                                                     0, ""                                   },
        {"{\"nodes\":[]}",                                                         0, ""                                   },
        {"",                                                                       0, "there is no list of nodes"          },
        {"{}",                                                                     0, "there is no list of nodes"          },
        {"[]",                                                                     0, "there is no list of nodes"          },
        {"{\"nodes\":{}}",                                                         0, "there is no list of nodes"          },
        {"{\"nodes\":[{\"address\":\"a\",\"role\":\"agent\"}",                     0, "there is no list of nodes"          },
        {"{\"nodes\":[{\"address\":\"a\",\"role\":\"king\"},"
         "{\"address\":\"b\",\"role\":\"agent\"}]}",                      1, "a node has no role"                 },
        {"{\"nodes\":[{\"address\":\"a b\",\"role\":\"agent\"},"
         "{\"address\":\"b\",\"role\":\"agent\"}]}",                      1, "is neither an IP address nor a name"},
        {"{\"nodes\":[{\"role\":\"agent\"},"
         "{\"address\":\"b\",\"role\":\"agent\"}]}",                      1, "is neither an IP address nor a name"},
        {"{\"nodes\":[{\"address\":\"a\",\"role\":\"agent\",\"port\":65536}]}",    0,
         "a node has no port"                                                                                              },
        {"{\"nodes\":[{\"address\":\"a\",\"role\":\"agent\",\"node_id\":\"x\"}]}", 0,
         "is no node id"                                                                                                   },
        {"{\"nodes\":[7,null,[]]}",                                                0, "a node has no role"                 },
        {"{\"nodes\":[{\"address\":\"a\",\"role\":\"agent\"},"
         "{\"address\":\"a\",\"role\":\"agent\"}]}",                      1, ""                                   },
};

START_TEST(makes_the_best_of_a_file)
{
        if (files[_i].text)
                put(files[_i].text);
        open_memory();
        ck_assert_uint_eq(roster_n(roster), files[_i].n);
        must_have_said(files[_i].said);
        if (*files[_i].said)
                must_have_said("what it does not tell is found anew");
}
END_TEST

START_TEST(does_not_wait_for_what_is_no_file)
{
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        open_memory();
        ck_assert_uint_eq(roster_n(roster), 0);
        must_have_said("what it does not tell is found anew");
}
END_TEST

START_TEST(takes_so_many_and_no_more)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, "{\"nodes\":[");
        for (unsigned i = 0; i < DIAG_MEMBERS_MAX + 1; i++)
                buf_printf(&b, "%s{\"address\":\"n%u\",\"role\":\"agent\"}", i ? "," : "", i);
        buf_puts(&b, "]}");
        put(buf_cstr(&b));
        open_memory();
        ck_assert_uint_eq(roster_n(roster), 0);
        must_have_said("more than 32768 nodes");
}
END_TEST

/* --- writing ------------------------------------------------------------------------------------- */

#define BIT(s) DIAG_SOURCE_BIT(DIAG_SOURCE_##s)

static const struct {
        unsigned sources;
        enum diag_role role;
        bool written;
} kinds[] = {
        {BIT(STATIC),                  DIAG_ROLE_MASTER,       false}, /* the configuration has it */
        {BIT(STATIC),                  DIAG_ROLE_AGENT,        false},
        {BIT(ZOOKEEPER),               DIAG_ROLE_MASTER,       true },
        {BIT(MEMORY),                  DIAG_ROLE_MASTER,       true },
        {BIT(STATIC) | BIT(ZOOKEEPER), DIAG_ROLE_MASTER,       true },
        {BIT(MESOS),                   DIAG_ROLE_MASTER,       false}, /* only observed */
        {BIT(EXHIBITOR),               DIAG_ROLE_MASTER,       false},
        {BIT(DNS) | BIT(MESOS),        DIAG_ROLE_MASTER,       false},
        {BIT(ZOOKEEPER) | BIT(MESOS),  DIAG_ROLE_MASTER,       true },
        {BIT(MESOS),                   DIAG_ROLE_AGENT,        true },
        {BIT(ANNOUNCE),                DIAG_ROLE_AGENT_PUBLIC, true },
        {BIT(MEMORY),                  DIAG_ROLE_AGENT,        true },
        {BIT(STATIC) | BIT(MESOS),     DIAG_ROLE_AGENT,        true },
};

START_TEST(writes_what_is_worth_it)
{
        _cleanup_(freep) char *want = NULL;

        open_memory();
        for (unsigned i = 0; i < DIAG_N_SOURCES; i++)
                if (kinds[_i].sources & DIAG_SOURCE_BIT(i))
                        add((enum diag_source)i, "10.0.0.1", kinds[_i].role);
        save();
        ck_assert_int_gt(asprintf(&want, "{\"address\":\"10.0.0.1\",\"role\":\"%s\",\"port\":0}",
                                  diag_role_to_string(kinds[_i].role)),
                         0);
        must_hold(kinds[_i].written ? want : "");
}
END_TEST

START_TEST(writes_one_of_two_addresses)
{
        struct node *a, *b;

        open_memory();
        a = add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);
        b = add(DIAG_SOURCE_EXHIBITOR, "10.0.0.2", DIAG_ROLE_MASTER);
        b->sources |= BIT(ZOOKEEPER);
        b->alias_of = a;
        save();
        must_hold("{\"address\":\"10.0.0.1\",\"role\":\"master\",\"port\":0}");
}
END_TEST

START_TEST(comes_back_as_it_was)
{
        static const struct found found[] = {
                {.address = "10.0.0.1",
                 .role = DIAG_ROLE_MASTER,
                 .port = 1051,
                 .node_id = ID_1,
                 .hostname = "m1 \"quoted\""},
                {.address = "fd00::1", .role = DIAG_ROLE_AGENT, .node_id = ID_2},
                {.address = "n.example",            .role = DIAG_ROLE_AGENT_PUBLIC,            .port = 80         },
        };
        _cleanup_(freep) char *before = NULL, *after = NULL;

        open_memory();
        for (size_t i = 0; i < ELEMENTSOF(found); i++)
                ck_assert_ptr_nonnull(roster_add(roster, DIAG_SOURCE_ZOOKEEPER, &found[i], NULL));
        save();
        before = content(path);
        memory = memory_free(memory);
        roster = roster_free(roster);
        ck_assert_int_eq(roster_new(&roster, &ops, NULL), 0);
        open_memory();
        ck_assert_uint_eq(roster_n(roster), ELEMENTSOF(found));
        save();
        after = content(path);
        ck_assert_str_eq(before, after);
        must_have_said("");
}
END_TEST

static struct diag_report *make_report(const char *id)
{
        const struct diag_node node = {.node_id = id, .hostname = "it-says"};
        const struct diag_system system = {0};
        struct diag_report *r = NULL;

        ck_assert_int_eq(diag_report_new(&r, &node, &system, ""), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 1, NULL, NULL), 0);
        return r;
}

START_TEST(writes_what_nodes_say_of_themselves)
{
        open_memory();
        roster_set_report(roster, add(DIAG_SOURCE_MESOS, "10.0.0.1", DIAG_ROLE_AGENT),
                          make_report(ID_1));
        roster_set_report(roster, add(DIAG_SOURCE_MESOS, "10.0.0.2", DIAG_ROLE_AGENT),
                          make_report("addr:10.0.0.2"));
        save();
        must_hold(
                "{\"address\":\"10.0.0.1\",\"role\":\"agent\",\"port\":0,\"node_id\":\"" ID_1
                "\",\"hostname\":\"it-says\"},"
                "{\"address\":\"10.0.0.2\",\"role\":\"agent\",\"port\":0,\"hostname\":\"it-says\"}");
}
END_TEST

/* --- when ---------------------------------------------------------------------------------------- */

/* Is the file there, and another one than when this was asked before? */
static bool was_written(void)
{
        static ino_t before;
        struct stat st = {0};
        bool is_new;

        (void)stat(path, &st);
        is_new = st.st_ino != before;
        before = st.st_ino;
        return is_new;
}

START_TEST(writes_not_too_often)
{
        uint64_t written = 0;
        unsigned n = 0;

        open_memory();
        add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);
        ck_assert(!was_written());
        for (unsigned i = 0; i < 600; i++) {
                memory_touch(memory);
                pass(S / 10);
                if (!was_written())
                        continue;
                if (n++)
                        ck_assert_uint_ge(fake_usec - written, MEMORY_APART_USEC);
                else
                        ck_assert_uint_le(fake_usec, FAKE_START_USEC + 2 * S);
                written = fake_usec;
        }
        ck_assert_uint_ge(n, 5);
        ck_assert_uint_le(n, 6);
        pass(60 * S);
        (void)was_written();
        pass(60 * S);
        ck_assert(!was_written()); /* nobody has touched it */
}
END_TEST

START_TEST(writes_at_the_end_what_is_not_written)
{
        open_memory();
        add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);
        if (_i)
                memory_touch(memory);
        memory = memory_free(memory);
        ck_assert_int_eq(was_written(), _i);
}
END_TEST

START_TEST(says_once_that_it_cannot_write)
{
        _cleanup_(freep) char *said = NULL;
        const char *first;

        open_memory();
        add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);
        ck_assert_int_eq(mkdir(path, 0700), 0); /* a folder in its place */
        for (unsigned i = 0; i < 3; i++)
                save();
        (void)fflush(stderr);
        said = content(log_path);
        first = strstr(said, "what is known of nodes is kept in memory only");
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_null(strstr(first + 1, "what is known of nodes is kept in memory only"));
        ck_assert_int_eq(rmdir(path), 0);
        save();
        must_hold("{\"address\":\"10.0.0.1\",\"role\":\"master\",\"port\":0}");
}
END_TEST

START_TEST(does_without_a_file)
{
        ck_assert_int_eq(memory_new(&memory, loop, NULL, roster), 0);
        add(DIAG_SOURCE_ZOOKEEPER, "10.0.0.1", DIAG_ROLE_MASTER);
        save();
        ck_assert_ptr_null(fake_timer_due(UINT64_MAX));
        memory = memory_free(memory);
        must_have_said("");
}
END_TEST

int main(void)
{
        Suite *s = suite_create("memory");
        TCase *t = tcase_create("it");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, starts_with_what_it_knew);
        tcase_add_loop_test(t, makes_the_best_of_a_file, 0, ELEMENTSOF(files));
        tcase_add_test(t, does_not_wait_for_what_is_no_file);
        tcase_add_test(t, takes_so_many_and_no_more);
        tcase_add_loop_test(t, writes_what_is_worth_it, 0, ELEMENTSOF(kinds));
        tcase_add_test(t, writes_one_of_two_addresses);
        tcase_add_test(t, comes_back_as_it_was);
        tcase_add_test(t, writes_what_nodes_say_of_themselves);
        tcase_add_test(t, writes_not_too_often);
        tcase_add_loop_test(t, writes_at_the_end_what_is_not_written, 0, 2);
        tcase_add_test(t, says_once_that_it_cannot_write);
        tcase_add_test(t, does_without_a_file);
        suite_add_tcase(s, t);
        return test_main(s);
}
