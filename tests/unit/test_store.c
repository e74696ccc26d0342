/* It keeps bundles on disk; whenever it is killed, the next start makes sense of what is there. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/mono.h"
#include "bundles/store.h"
#include "tests/unit/test_main.h"

#define DAY       (UINT64_C(86400) * USEC_PER_SEC)
#define RESTARTED "the daemon was restarted"

/* --- a disk ----------------------------------------------------------------------------------- */

static char dir[64];
static struct store *store;
static uint64_t n_blocks, n_free_blocks; /* of 1 MiB */
static uint64_t now;

/* The name that it has where files may be large. */
int __wrap_statvfs64(const char *path, struct statvfs *v);
int __wrap_statvfs64(const char *path, struct statvfs *v)
{
        ck_assert_ptr_nonnull(strstr(path, "spool/bundles"));
        *v = (struct statvfs){.f_frsize = 1 << 20, .f_blocks = n_blocks, .f_bavail = n_free_blocks};
        return 0;
}

static bool exists(const char *path);

/* Nothing can be written as long as this file is there. */
static const char *fills_the_disk;

int __real_fs_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e);
int __wrap_fs_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e);
int __wrap_fs_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
        if (fills_the_disk && exists(fills_the_disk))
                return err_set(e, -ENOSPC, "cannot write %s", path);
        return __real_fs_replace(path, data, n, mode, e);
}

/* In memory, where that can be: it is synced all the time. */
static void make_directory(void)
{
        (void)snprintf(dir, sizeof(dir), "/dev/shm/test_store.XXXXXX");
        if (mkdtemp(dir))
                return;
        (void)snprintf(dir, sizeof(dir), "/tmp/test_store.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void set_up(void)
{
        make_directory();
        ck_assert_int_eq(chdir(dir), 0);
        n_blocks = 100000;
        n_free_blocks = 50000;
        now = 1000 * DAY;
        clock_fake(&now);
}

static void tear_down(void)
{
        char command[PATH_MAX];

        store = store_free(store);
        clock_fake(NULL);
        ck_assert_int_eq(chdir("/"), 0);
        (void)snprintf(command, sizeof(command), "rm -r %s", dir);
        ck_assert_int_eq(system(command), 0);
}

static int open_store(const struct store_limits *limits)
{
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/spool/bundles", dir);
        return store_open(&store, path, limits, RESTARTED, NULL);
}

static void reopen(void)
{
        store = store_free(store);
        ck_assert_int_eq(open_store(NULL), 0);
}

static bool exists(const char *path)
{
        struct stat st;

        return lstat(path, &st) >= 0;
}

static void put(const char *path, const char *text)
{
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

static mode_t mode_of(const char *path)
{
        struct stat st;

        ck_assert_int_eq(lstat(path, &st), 0);
        return st.st_mode & 0777;
}

/* --- bundles ---------------------------------------------------------------------------------- */

static struct bundle *make(const char *id, enum bundle_state state)
{
        struct bundle *b = calloc(1, sizeof(*b));

        ck_assert_ptr_nonnull(b);
        (void)snprintf(b->id, sizeof(b->id), "%s", id);
        b->state = state;
        b->created_wall_usec = now;
        return b;
}

static int add(const char *id)
{
        return store_add(store, make(id, BUNDLE_QUEUED), NULL);
}

/* As a runner does it: a file, and then the state. */
static void finish(const char *id, enum bundle_state state, uint64_t n_bytes)
{
        struct bundle *b = bundle_copy(store_find(store, id));
        char path[PATH_MAX];

        b->state = state;
        b->finished_wall_usec = now;
        if (state == BUNDLE_DONE) {
                ck_assert_int_eq(store_path(store, id, "file.zip", path, sizeof(path)), 0);
                put(path, "archive");
                (void)snprintf(b->file, sizeof(b->file), "file.zip");
                b->size_bytes = n_bytes;
        }
        ck_assert_int_eq(store_replace(store, b, NULL), 0);
}

static void add_done(const char *id, uint64_t n_bytes)
{
        ck_assert_int_eq(add(id), 0);
        finish(id, BUNDLE_DONE, n_bytes);
}

static enum bundle_state state_of(const char *id)
{
        const struct bundle *b = store_find(store, id);

        ck_assert_msg(b != NULL, "no bundle %s", id);
        return b->state;
}

/* --- what it does ----------------------------------------------------------------------------- */

START_TEST(keeps_bundles)
{
        const struct bundle *const *list;
        char text[16];
        size_t n;
        int fd;

        ck_assert_int_eq(open_store(NULL), 0);
        ck_assert_int_eq(mode_of("spool/bundles"), 0700);
        ck_assert_int_eq(add("old"), 0);
        now += USEC_PER_SEC;
        add_done("new", 7);
        ck_assert_int_eq(mode_of("spool/bundles/new"), 0700);
        ck_assert_int_eq(mode_of("spool/bundles/new/state.json"), 0600);

        list = store_list(store, &n);
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(list[0]->id, "new");
        ck_assert_str_eq(list[1]->id, "old");
        ck_assert_int_eq(store_open_file(store, "old"), -ENOENT);
        ck_assert_int_eq(store_open_file(store, "none"), -ENOENT);
        fd = store_open_file(store, "new");
        ck_assert_int_eq(read(fd, text, sizeof(text)), 7);
        close(fd);

        finish("old", BUNDLE_CANCELED, 0);
        reopen();
        list = store_list(store, &n);
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(list[0]->id, "new");
        ck_assert_int_eq(list[0]->state, BUNDLE_DONE);
        ck_assert_int_eq(list[1]->state, BUNDLE_CANCELED);
}
END_TEST

START_TEST(deletes)
{
        struct err e;

        ck_assert_int_eq(open_store(NULL), 0);
        add_done("a", 7);
        ck_assert_int_eq(add("b"), 0);
        ck_assert_int_eq(store_delete(store, "c", &e), -ENOENT);
        ck_assert_int_eq(store_delete(store, "b", &e), -EBUSY);
        ck_assert_int_eq(store_delete(store, "a", &e), 0);
        ck_assert_int_eq(store_delete(store, "a", &e), 0);
        ck_assert(!exists("spool/bundles/a/file.zip") && exists("spool/bundles/a/state.json"));
        ck_assert_int_eq(store_open_file(store, "a"), -ENOENT);
        ck_assert_int_eq(add("a"), -EEXIST); /* its state is still told */
        reopen();
        ck_assert_int_eq(state_of("a"), BUNDLE_DELETED);
        ck_assert_uint_eq(store_find(store, "a")->size_bytes, 7);
}
END_TEST

START_TEST(makes_room_on_a_full_disk)
{
        const struct bundle *b;

        ck_assert_int_eq(open_store(NULL), 0);
        add_done("a", 7);
        add_done("b", 7);
        fills_the_disk = "spool/bundles/b/file.zip";
        ck_assert_int_eq(store_replace(store, make("a", BUNDLE_FAILED), NULL), -ENOSPC);
        b = store_find(store, "a");
        ck_assert_int_eq(b->state, BUNDLE_DONE); /* as it is on the disk */
        ck_assert_int_eq(add("c"), -ENOSPC);
        ck_assert(!exists("spool/bundles/c"));
        ck_assert_int_eq(store_delete(store, "b", NULL), 0);
        fills_the_disk = NULL;
        reopen();
        ck_assert_int_eq(state_of("b"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("a"), BUNDLE_DONE);
}
END_TEST

START_TEST(refuses_ids)
{
        static const char *const ids[] = {"", ".", "..", "../a", "a/b", ".a", "a b", "a\n"};
        struct bundle *b;

        ck_assert_int_eq(open_store(NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                ck_assert_msg(add(ids[i]) == -EINVAL, "%s", ids[i]);
        b = make("", BUNDLE_QUEUED);
        memset(b->id, 'a', sizeof(b->id) - 1);
        ck_assert_int_eq(store_add(store, b, NULL), 0);
        ck_assert_int_eq(store_replace(store, make("none", BUNDLE_DONE), NULL), -ENOENT);
        ck_assert_int_eq(store_set(store, make("none", BUNDLE_DONE)), -ENOENT);
}
END_TEST

START_TEST(follows_no_links)
{
        ck_assert_int_eq(open_store(NULL), 0);
        ck_assert_int_eq(mkdir("outside", 0700), 0);
        put("outside/state.json", "{\"id\":\"link\",\"type\":\"node\",\"state\":\"done\"}");
        put("outside/secret", "secret");
        ck_assert_int_eq(symlink("../../outside", "spool/bundles/link"), 0);
        reopen();
        ck_assert_ptr_null(store_find(store, "link"));
        ck_assert_int_eq(add("link"), -EEXIST);

        add_done("a", 7);
        ck_assert_int_eq(unlink("spool/bundles/a/file.zip"), 0);
        ck_assert_int_eq(symlink("../../../outside/secret", "spool/bundles/a/file.zip"), 0);
        ck_assert_int_lt(store_open_file(store, "a"), 0);
        reopen();
        ck_assert_int_eq(state_of("a"), BUNDLE_UNKNOWN);

        /* A directory that is a link since: nothing is written or removed behind it. */
        ck_assert_int_eq(add("b"), 0);
        ck_assert_int_eq(rename("spool/bundles/b", "spool/bundles/.b"), 0);
        ck_assert_int_eq(symlink("../../outside", "spool/bundles/b"), 0);
        ck_assert_int_lt(store_replace(store, make("b", BUNDLE_DONE), NULL), 0);
        ck_assert_int_lt(store_remove_files(store, "b", NULL), 0);
        ck_assert(exists("outside/secret"));
}
END_TEST

/* A file system that is mounted there while we run, or unmounted. */
START_TEST(works_where_its_path_leads)
{
        ck_assert_int_eq(open_store(NULL), 0);
        add_done("a", 7);
        ck_assert_int_eq(rename("spool/bundles", "spool/was"), 0);
        ck_assert_int_lt(add("b"), 0);
        ck_assert_int_eq(mkdir("spool/bundles", 0700), 0);
        ck_assert_int_eq(add("b"), 0);
        ck_assert(exists("spool/bundles/b/state.json") && !exists("spool/was/b"));
        ck_assert_int_eq(store_open_file(store, "a"), -ENOENT);
        ck_assert_int_lt(store_delete(store, "a", NULL), 0);
        ck_assert(exists("spool/was/a/file.zip"));
}
END_TEST

START_TEST(keeps_a_floor_free)
{
        static const struct {
                uint64_t blocks, free, floor;
                int want;
        } cases[] = {
                {100000, 10001, 0,         0      }, /* a tenth of it */
                {100000, 10000, 0,         -ENOSPC},
                {1000,   1025,  0,         0      }, /* at least 1 GiB */
                {1000,   1024,  0,         -ENOSPC},
                {1000,   101,   5 << 20,   0      },
                {1000,   100,   5 << 20,   -ENOSPC},
                {1000,   200,   200 << 20, -ENOSPC},
        };
        struct err e;

        ck_assert_int_eq(open_store(NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const struct store_limits limits = {.floor_bytes = cases[i].floor};
                char id[16];

                (void)snprintf(id, sizeof(id), "b%zu", i);
                store_set_limits(store, &limits);
                n_blocks = cases[i].blocks;
                n_free_blocks = cases[i].free;
                ck_assert_msg(store_add(store, make(id, BUNDLE_QUEUED), &e) == cases[i].want,
                              "%zu: %s", i, e.text);
        }
        ck_assert_ptr_nonnull(strstr(e.text, "200 MiB are free in "));
        ck_assert_ptr_nonnull(strstr(e.text, "and 200 MiB have to stay free"));
        ck_assert(!exists("spool/bundles/b1"));
}
END_TEST

/* --- retention -------------------------------------------------------------------------------- */

START_TEST(keeps_so_many)
{
        const struct store_limits limits = {.n_max = 2};
        char id[8];

        ck_assert_int_eq(open_store(&limits), 0);
        for (unsigned i = 0; i < 4; i++) {
                (void)snprintf(id, sizeof(id), "b%u", i);
                add_done(id, 7);
                now += USEC_PER_SEC;
        }
        ck_assert_int_eq(add("failed"), 0);
        finish("failed", BUNDLE_FAILED, 0); /* has no file, and costs nobody else's */
        ck_assert_int_eq(state_of("b0"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("b1"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("b2"), BUNDLE_DELETED); /* room for one more */
        ck_assert_int_eq(state_of("b3"), BUNDLE_DONE);
        ck_assert_int_eq(state_of("failed"), BUNDLE_FAILED);
        ck_assert_uint_eq(store_trim(store, now), 0);
        ck_assert_int_eq(state_of("b3"), BUNDLE_DONE);
}
END_TEST

START_TEST(keeps_so_much)
{
        const struct store_limits limits = {.bytes_max = 100};

        ck_assert_int_eq(open_store(&limits), 0);
        add_done("a", 60);
        now++;
        add_done("b", 60);
        ck_assert_uint_eq(store_trim(store, now), 1);
        ck_assert_int_eq(state_of("a"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("b"), BUNDLE_DONE);
        now++;
        add_done("c", 101); /* nothing else helps */
        ck_assert_uint_eq(store_trim(store, now), 2);
        ck_assert_int_eq(state_of("c"), BUNDLE_DELETED);
}
END_TEST

START_TEST(keeps_so_long)
{
        ck_assert_int_eq(open_store(NULL), 0);
        add_done("done", 7);
        ck_assert_int_eq(add("failed"), 0);
        finish("failed", BUNDLE_FAILED, 0);
        ck_assert_int_eq(add("running"), 0);
        now += 14 * DAY;
        ck_assert_uint_eq(store_trim(store, now), 0);
        now++;
        ck_assert_uint_eq(store_trim(store, now), 2);
        ck_assert_int_eq(state_of("done"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("failed"), BUNDLE_DELETED);
        ck_assert_int_eq(state_of("running"), BUNDLE_QUEUED);
        now += 16 * DAY;
        ck_assert_uint_eq(store_trim(store, now), 2);
        ck_assert_ptr_null(store_find(store, "done"));
        ck_assert(!exists("spool/bundles/done"));
        ck_assert_int_eq(state_of("running"), BUNDLE_QUEUED);
}
END_TEST

/* Without fs_replace(), which waits for the disk each time. */
static void put_state(unsigned i)
{
        char path[64];
        FILE *f;

        (void)snprintf(path, sizeof(path), "spool/bundles/b%03u", i);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof(path), "spool/bundles/b%03u/state.json", i);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        (void)fprintf(f,
                      "{\"id\":\"b%03u\",\"type\":\"node\",\"state\":\"canceled\",\"created\":"
                      "\"1972-09-27T00:00:00.%03uZ\"}",
                      i, i);
        ck_assert_int_eq(fclose(f), 0);
}

START_TEST(remembers_so_many)
{
        size_t n;

        ck_assert_int_eq(open_store(NULL), 0);
        for (unsigned i = 0; i < STORE_DELETED_MAX + 3; i++)
                put_state(i);
        reopen();
        (void)store_list(store, &n);
        ck_assert_uint_eq(n, STORE_DELETED_MAX + 3);
        ck_assert_uint_eq(store_trim(store, now), 3);
        ck_assert_ptr_null(store_find(store, "b002"));
        ck_assert(!exists("spool/bundles/b002"));
        ck_assert_int_eq(state_of("b003"), BUNDLE_CANCELED);
        ck_assert_uint_eq(store_trim(store, now), 0);
}
END_TEST

/* --- starts ----------------------------------------------------------------------------------- */

#define STATE(state, more) "{\"id\":\"b\",\"type\":\"node\",\"state\":\"" state "\"" more "}"

/* Every state that a kill can leave, and some that it cannot. */
/* clang-format off */
static const struct {
        const char *name, *state, *files[3];
        enum bundle_state want; /* N_STATES: gone */
        const char *want_error, *want_file;
} starts[] = {
        {"made, and no more", NULL, {NULL}, BUNDLE_N_STATES, NULL, NULL},
        {"its state half written", NULL, {"state.json.a1b2c3"}, BUNDLE_N_STATES, NULL, NULL},
        {"its state replaced halfway", STATE("queued", ""), {"state.json.a1b2c3"}, BUNDLE_FAILED, RESTARTED, NULL},
        {"waiting", STATE("queued", ""), {NULL}, BUNDLE_FAILED, RESTARTED, NULL},
        {"running", STATE("running", ""), {"gather.json", "0.part", "file.part"}, BUNDLE_FAILED, RESTARTED, NULL},
        {"merging", STATE("merging", ""), {"file.part", "cluster.json"}, BUNDLE_FAILED, RESTARTED, NULL},
        {"renamed, not yet done", STATE("merging", ",\"file\":\"file.zip\""), {"file.zip"}, BUNDLE_FAILED, RESTARTED, NULL},
        {"done", STATE("done", ",\"file\":\"file.zip\""), {"file.zip"}, BUNDLE_DONE, NULL, "file.zip"},
        {"done, not swept", STATE("done", ",\"file\":\"file.zip\""), {"file.zip", "0.part", "gather.json"},
         BUNDLE_DONE, NULL, "file.zip"},
        {"done, its file gone", STATE("done", ",\"file\":\"file.zip\""), {NULL}, BUNDLE_UNKNOWN, "its file is missing", NULL},
        {"done, without a file", STATE("done", ""), {"file.zip"}, BUNDLE_UNKNOWN, "its file is missing", "file.zip"},
        {"deleted, the file not yet", STATE("deleted", ""), {"file.zip"}, BUNDLE_DELETED, NULL, NULL},
        {"failed, not swept", STATE("failed", ",\"error\":\"x\""), {"file.part"}, BUNDLE_FAILED, "x", NULL},
        {"canceled, not swept", STATE("canceled", ""), {"file.part"}, BUNDLE_CANCELED, NULL, NULL},
        {"of a newer version", STATE("paused", ""), {"file.zip"}, BUNDLE_UNKNOWN, "its state.json is of a newer version", "file.zip"},
        {"no state", NULL, {"file.zip"}, BUNDLE_UNKNOWN, "cannot open ", "file.zip"},
        {"no JSON", "{", {"file.zip"}, BUNDLE_UNKNOWN, "the bundle is not JSON", "file.zip"},
        {"of another one", "{\"id\":\"c\",\"type\":\"node\",\"state\":\"done\"}", {NULL},
         BUNDLE_UNKNOWN, "its state.json is that of another bundle", NULL},
};
/* clang-format on */

static size_t n_files(void)
{
        static const char *const names[] = {"state.json.a1b2c3", "gather.json", "0.part",
                                            "file.part",         "file.zip",    "cluster.json"};
        char path[64];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void)snprintf(path, sizeof(path), "spool/bundles/b/%s", names[i]);
                n += exists(path);
        }
        return n;
}

static void prepare(size_t i)
{
        char path[64];

        ck_assert_int_eq(mkdir("spool", 0700), 0);
        ck_assert_int_eq(mkdir("spool/bundles", 0700), 0);
        ck_assert_int_eq(mkdir("spool/bundles/b", 0700), 0);
        put("spool/bundles/plain-file", "is nothing to it");
        if (starts[i].state)
                put("spool/bundles/b/state.json", starts[i].state);
        for (size_t k = 0; k < ELEMENTSOF(starts[i].files) && starts[i].files[k]; k++) {
                (void)snprintf(path, sizeof(path), "spool/bundles/b/%s", starts[i].files[k]);
                put(path, "12345");
        }
}

static void must_be_mended(size_t i)
{
        const struct bundle *b = store_find(store, "b");
        char path[64];

        if (starts[i].want == BUNDLE_N_STATES) {
                ck_assert_msg(!b && !exists("spool/bundles/b"), "%s", starts[i].name);
                return;
        }
        ck_assert_msg(b && b->state == starts[i].want, "%s: %s", starts[i].name,
                      b ? bundle_state_to_string(b->state) : "gone");
        if (starts[i].want_error)
                ck_assert_msg(b->error && strncmp(b->error, starts[i].want_error,
                                                  strlen(starts[i].want_error)) == 0,
                              "%s: %s", starts[i].name, str_or(b->error, "(none)"));
        ck_assert_msg(n_files() == (starts[i].want_file != NULL), "%s: %zu files", starts[i].name,
                      n_files());
        if (starts[i].want_file) {
                (void)snprintf(path, sizeof(path), "spool/bundles/b/%s", starts[i].want_file);
                ck_assert(exists(path));
        }
        if (b->state == BUNDLE_DONE)
                ck_assert_uint_eq(b->size_bytes, 5); /* whatever it said */
}

START_TEST(makes_sense_of_what_is_there)
{
        size_t n;

        prepare((size_t)_i);
        ck_assert_int_eq(open_store(NULL), 0);
        (void)store_list(store, &n);
        ck_assert_uint_eq(n, starts[_i].want == BUNDLE_N_STATES ? 0 : 1);
        must_be_mended((size_t)_i);
        reopen(); /* and stays so */
        must_be_mended((size_t)_i);
        if (n) { /* whatever it is, one can get rid of it */
                ck_assert_int_eq(store_delete(store, "b", NULL), 0);
                ck_assert_uint_eq(n_files(), 0);
                reopen();
                ck_assert_int_eq(state_of("b"), BUNDLE_DELETED);
        }
}
END_TEST

START_TEST(needs_a_directory)
{
        struct err e;

        put("spool", "a file");
        ck_assert_int_lt(open_store(NULL), 0);
        ck_assert_int_eq(unlink("spool"), 0);
        ck_assert_int_eq(mkdir("spool", 0700), 0);
        put("spool/bundles", "a file");
        ck_assert_int_lt(store_open(&store, "spool/bundles", NULL, RESTARTED, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.text, "spool/bundles"));
}
END_TEST

static TCase *new_case(const char *name, Suite *s)
{
        TCase *tc = tcase_create(name);

        tcase_add_checked_fixture(tc, set_up, tear_down);
        suite_add_tcase(s, tc);
        return tc;
}

int main(void)
{
        Suite *s = suite_create("store");
        TCase *tc = new_case("store", s);

        tcase_add_test(tc, keeps_bundles);
        tcase_add_test(tc, deletes);
        tcase_add_test(tc, makes_room_on_a_full_disk);
        tcase_add_test(tc, refuses_ids);
        tcase_add_test(tc, follows_no_links);
        tcase_add_test(tc, works_where_its_path_leads);
        tcase_add_test(tc, keeps_a_floor_free);
        tc = new_case("retention", s);
        tcase_add_test(tc, keeps_so_many);
        tcase_add_test(tc, keeps_so_much);
        tcase_add_test(tc, keeps_so_long);
        tcase_add_test(tc, remembers_so_many);
        tc = new_case("starts", s);
        tcase_add_loop_test(tc, makes_sense_of_what_is_there, 0, ELEMENTSOF(starts));
        tcase_add_test(tc, needs_a_directory);
        return test_main(s);
}
