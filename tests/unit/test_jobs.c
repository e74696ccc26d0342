/* Bundles are accepted, run one by one, cancelled and deleted, whatever their runner does. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mono.h"
#include "bundles/jobs.h"
#include "tests/unit/test_main.h"

/* --- a runner --------------------------------------------------------------------------------- */

static struct {
        int error; /* of the next start */
        unsigned n_starts, n_cancels;
        char id[BUNDLE_ID_MAX], directory[PATH_MAX], cancelled[BUNDLE_ID_MAX];
} runner;

static int start(void *userdata, const struct bundle *b, const char *directory, struct err *e)
{
        struct stat st;

        ck_assert_ptr_eq(userdata, &runner);
        ck_assert_int_eq(b->state, BUNDLE_RUNNING);
        ck_assert(stat(directory, &st) >= 0 && S_ISDIR(st.st_mode));
        runner.n_starts++;
        (void)snprintf(runner.id, sizeof(runner.id), "%s", b->id);
        (void)snprintf(runner.directory, sizeof(runner.directory), "%s", directory);
        if (runner.error)
                return err_set(e, runner.error, "no process for %s", b->id);
        return 0;
}

static void cancel(void *userdata, const char *id)
{
        ck_assert_ptr_eq(userdata, &runner);
        runner.n_cancels++;
        (void)snprintf(runner.cancelled, sizeof(runner.cancelled), "%s", id);
}

static const struct jobs_runner ops = {start, cancel};

/* --- a daemon --------------------------------------------------------------------------------- */

static char dir[64];
static struct loop *loop;
static struct jobs *jobs;

static void begin(void)
{
        const struct store_limits limits = {.floor_bytes = 1};
        struct jobs_options options = {
                .loop = loop, .runner = &ops, .userdata = &runner, .name = "prod"};
        char path[PATH_MAX];
        struct err e = {0};

        (void)snprintf(path, sizeof(path), "%s/bundles", dir);
        ck_assert_msg(store_open(&options.store, path, &limits, "restarted", &e) == 0, "%s",
                      e.text);
        ck_assert_msg(jobs_new(&jobs, &options, &e) == 0, "%s", e.text);
}

/* In memory, where that can be: it is synced all the time. */
static void make_directory(void)
{
        (void)snprintf(dir, sizeof(dir), "/dev/shm/test_jobs.XXXXXX");
        if (mkdtemp(dir))
                return;
        (void)snprintf(dir, sizeof(dir), "/tmp/test_jobs.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void set_up(void)
{
        memset(&runner, 0, sizeof(runner));
        make_directory();
        ck_assert_int_eq(loop_new(&loop), 0);
        begin();
}

static void tear_down(void)
{
        char command[PATH_MAX];

        jobs = jobs_free(jobs);
        loop = loop_free(loop);
        (void)snprintf(command, sizeof(command), "rm -r %s", dir);
        ck_assert_int_eq(system(command), 0);
}

static void turn(void)
{
        while (sd_event_run(loop_event(loop), 0) > 0)
                ;
}

static int create(const char *id)
{
        struct bundle *b = calloc(1, sizeof(*b));
        const struct bundle *made = NULL;
        struct err e = {0};
        int k;

        ck_assert_ptr_nonnull(b);
        (void)snprintf(b->id, sizeof(b->id), "%s", id);
        k = jobs_create(jobs, b, &made, &e);
        ck_assert(k < 0 ? e.text[0] != '\0' : made != NULL);
        return k;
}

static const struct bundle *bundle_of(const char *id)
{
        const struct bundle *b = store_find(jobs_store(jobs), id);

        ck_assert_msg(b != NULL, "no bundle %s", id);
        return b;
}

static void must_be(const char *id, enum bundle_state state)
{
        ck_assert_msg(bundle_of(id)->state == state, "%s is %s", id,
                      bundle_state_to_string(bundle_of(id)->state));
}

static void put(const char *name)
{
        char path[PATH_MAX + 16];

        (void)snprintf(path, sizeof(path), "%s/%s", runner.directory, name);
        ck_assert_int_eq(fs_replace(path, "12345", 5, 0600, NULL), 0);
}

static bool has(const char *id, const char *name)
{
        char path[PATH_MAX];
        struct stat st;

        ck_assert_int_eq(store_path(jobs_store(jobs), id, name, path, sizeof(path)), 0);
        return lstat(path, &st) >= 0;
}

/* The runner's last word. */
static void end(const char *id, enum bundle_state state, const char *file)
{
        struct bundle *b = bundle_copy(bundle_of(id));

        b->state = state;
        (void)snprintf(b->file, sizeof(b->file), "%s", file);
        jobs_end(jobs, b);
}

/* --- cases ------------------------------------------------------------------------------------ */

START_TEST(runs_one_by_one)
{
        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(create("b"), 0);
        must_be("a", BUNDLE_RUNNING);
        must_be("b", BUNDLE_QUEUED);
        ck_assert_str_eq(jobs_running(jobs)->id, "a");
        put("file.zip");
        put("0.part");
        end("a", BUNDLE_DONE, "file.zip");
        must_be("a", BUNDLE_DONE);
        ck_assert_uint_eq(bundle_of("a")->size_bytes, 5);
        ck_assert_uint_gt(bundle_of("a")->finished_wall_usec, 0);
        ck_assert(has("a", "file.zip") && has("a", "state.json") && !has("a", "0.part"));
        ck_assert_ptr_null(jobs_running(jobs)); /* not before its runner has returned */
        turn();
        ck_assert_str_eq(jobs_running(jobs)->id, "b");
        ck_assert_uint_eq(runner.n_starts, 2);
        end("b", BUNDLE_FAILED, "");
        turn();
        ck_assert_ptr_null(jobs_running(jobs));
}
END_TEST

START_TEST(makes_ids)
{
        const struct bundle *b;
        size_t n;

        ck_assert_int_eq(create(""), 0);
        b = store_list(jobs_store(jobs), &n)[0];
        ck_assert_uint_eq(n, 1);
        ck_assert_ptr_nonnull(strstr(b->id, "-prod-"));
        ck_assert(b->created_wall_usec > 0);
}
END_TEST

START_TEST(lets_so_many_wait)
{
        char id[8];

        for (unsigned i = 0; i <= JOBS_QUEUE_MAX; i++) {
                (void)snprintf(id, sizeof(id), "b%u", i);
                ck_assert_int_eq(create(id), 0);
        }
        ck_assert_int_eq(create("more"), -EAGAIN);
        ck_assert_int_eq(jobs_cancel(jobs, "b2"), 0);
        must_be("b2", BUNDLE_CANCELED);
        ck_assert_int_eq(create("b1"), -EEXIST);
        ck_assert_int_eq(create("../x"), -EINVAL);
        ck_assert_int_eq(create("more"), 0);
        for (unsigned i = 0; i < JOBS_QUEUE_MAX; i++) {
                end(jobs_running(jobs)->id, BUNDLE_FAILED, "");
                turn();
        }
        ck_assert_str_eq(jobs_running(jobs)->id, "more"); /* in the order in which they came */
        ck_assert_uint_eq(runner.n_starts, JOBS_QUEUE_MAX + 1);
        ck_assert_uint_eq(runner.n_cancels, 0);
}
END_TEST

START_TEST(goes_on_when_one_cannot_begin)
{
        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(create("b"), 0);
        ck_assert_int_eq(create("c"), 0);
        runner.error = -EAGAIN;
        end("a", BUNDLE_FAILED, "");
        turn();
        must_be("b", BUNDLE_FAILED);
        must_be("c", BUNDLE_FAILED);
        ck_assert_str_eq(bundle_of("b")->error, "no process for b");
        ck_assert_ptr_null(jobs_running(jobs));
        ck_assert_int_eq(create("d"), 0); /* which is told at once */
        must_be("d", BUNDLE_FAILED);
        runner.error = 0;
        ck_assert_int_eq(create("e"), 0);
        must_be("e", BUNDLE_RUNNING);
}
END_TEST

/* clang-format off */
static const struct {
        const char *name;
        bool cancelled, deleted;
        enum bundle_state said;
        const char *file;
        bool has_file;
        enum bundle_state want;
        const char *want_error; /* NULL: none */
} endings[] = {
        {"done", false, false, BUNDLE_DONE, "file.zip", true, BUNDLE_DONE, NULL},
        {"done, without its file", false, false, BUNDLE_DONE, "file.zip", false, BUNDLE_FAILED, "its file is missing"},
        {"done, and names none", false, false, BUNDLE_DONE, "", true, BUNDLE_FAILED, "its file is missing"},
        {"failed, with a file", false, false, BUNDLE_FAILED, "file.zip", true, BUNDLE_FAILED, NULL},
        {"killed", false, false, BUNDLE_RUNNING, "", false, BUNDLE_FAILED, "what makes it ended, and did not say how far it came"},
        {"unreadable", false, false, BUNDLE_UNKNOWN, "", false, BUNDLE_FAILED, "what makes it ended, and did not say how far it came"},
        {"cancelled", true, false, BUNDLE_CANCELED, "", false, BUNDLE_CANCELED, NULL},
        {"cancelled, killed", true, false, BUNDLE_MERGING, "file.zip", true, BUNDLE_CANCELED, NULL},
        {"cancelled too late", true, false, BUNDLE_DONE, "file.zip", true, BUNDLE_DONE, NULL},
        {"deleted", false, true, BUNDLE_CANCELED, "", false, BUNDLE_DELETED, NULL},
        {"deleted, done", false, true, BUNDLE_DONE, "file.zip", true, BUNDLE_DELETED, NULL},
        {"cancelled, deleted", true, true, BUNDLE_FAILED, "", false, BUNDLE_DELETED, NULL},
};
/* clang-format on */

START_TEST(ends)
{
        struct err e;

        ck_assert_int_eq(create("a"), 0);
        put("file.part");
        if (endings[_i].has_file)
                put("file.zip");
        if (endings[_i].cancelled)
                ck_assert_int_eq(jobs_cancel(jobs, "a"), 0);
        if (endings[_i].cancelled)
                ck_assert_int_eq(jobs_cancel(jobs, "a"), 0); /* again: no harm */
        if (endings[_i].deleted)
                ck_assert_int_eq(jobs_delete(jobs, "a", &e), 0);
        ck_assert_uint_eq(runner.n_cancels, endings[_i].cancelled || endings[_i].deleted);
        must_be("a", BUNDLE_RUNNING);
        end("a", endings[_i].said, endings[_i].file);
        must_be("a", endings[_i].want);
        ck_assert_str_eq(str_or(bundle_of("a")->error, ""), str_or(endings[_i].want_error, ""));
        ck_assert_msg(has("a", "file.zip") == (endings[_i].want == BUNDLE_DONE), "%s",
                      endings[_i].name);
        ck_assert(!has("a", "file.part") && has("a", "state.json"));
        ck_assert_int_eq(jobs_cancel(jobs, "a"), -EALREADY);
}
END_TEST

START_TEST(tells_how_far_it_is)
{
        struct bundle *b;

        ck_assert_int_eq(create("a"), 0);
        for (int i = 0; i < 2; i++) {
                b = bundle_copy(bundle_of("a"));
                b->state = BUNDLE_MERGING;
                b->n_received_bytes = 7;
                ck_assert_int_eq(jobs_update(jobs, b, i), 0);
                must_be("a", BUNDLE_MERGING);
                ck_assert_uint_eq(bundle_of("a")->n_received_bytes, 7);
        }
        b = bundle_copy(bundle_of("a"));
        b->state = BUNDLE_DONE;
        ck_assert_int_eq(jobs_update(jobs, b, true), -EINVAL);
        must_be("a", BUNDLE_MERGING);
}
END_TEST

START_TEST(believes_its_runner_of_one_only)
{
        struct bundle *b;

        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(create("b"), 0);
        b = bundle_copy(bundle_of("b"));
        ck_assert_int_eq(jobs_update(jobs, b, false), -ENOENT);
        end("b", BUNDLE_DONE, "file.zip");
        must_be("a", BUNDLE_RUNNING);
        must_be("b", BUNDLE_QUEUED);
}
END_TEST

START_TEST(deletes)
{
        struct err e;

        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(create("b"), 0);
        ck_assert_int_eq(jobs_delete(jobs, bundle_of("b")->id, &e), 0);
        must_be("b", BUNDLE_DELETED);
        put("file.zip");
        end("a", BUNDLE_DONE, "file.zip");
        turn();
        ck_assert_uint_eq(runner.n_starts, 1);
        ck_assert_int_eq(jobs_delete(jobs, "a", &e), 0);
        must_be("a", BUNDLE_DELETED);
        ck_assert(!has("a", "file.zip"));
        ck_assert_int_eq(jobs_delete(jobs, "c", &e), -ENOENT);
        ck_assert_int_eq(jobs_cancel(jobs, "c"), -ENOENT);
}
END_TEST

START_TEST(stops_with_the_daemon)
{
        ck_assert_int_eq(create("a"), 0);
        ck_assert_int_eq(create("b"), 0);
        put("file.part");
        jobs = jobs_free(jobs);
        ck_assert_uint_eq(runner.n_cancels, 1);
        ck_assert_str_eq(runner.cancelled, "a");
        begin();
        must_be("a", BUNDLE_CANCELED);
        must_be("b", BUNDLE_CANCELED);
        ck_assert_str_eq(bundle_of("a")->error, "the daemon was stopped");
        ck_assert(!has("a", "file.part"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("jobs");
        TCase *tc = tcase_create("jobs");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, runs_one_by_one);
        tcase_add_test(tc, makes_ids);
        tcase_add_test(tc, lets_so_many_wait);
        tcase_add_test(tc, goes_on_when_one_cannot_begin);
        tcase_add_loop_test(tc, ends, 0, ELEMENTSOF(endings));
        tcase_add_test(tc, tells_how_far_it_is);
        tcase_add_test(tc, believes_its_runner_of_one_only);
        tcase_add_test(tc, deletes);
        tcase_add_test(tc, stops_with_the_daemon);
        suite_add_tcase(s, tc);
        return test_main(s);
}
