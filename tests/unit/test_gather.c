/* Parts of diag-gather: what is spooled, the worker, and what a fragment becomes. tests/e2e/test_gather.py has the whole. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mono.h"
#include "bundles/fragment.h"
#include "bundles/gather_join.h"
#include "bundles/gather_worker.h"
#include "tests/unit/test_main.h"

static char directory[64];

static void setup(void)
{
        (void)snprintf(directory, sizeof(directory), "/tmp/diag-gather-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/file.part", directory);
        (void)unlink(path);
        ck_assert_int_eq(rmdir(directory), 0); /* and nothing else was in it */
}

/* --- spools ----------------------------------------------------------------------------------------------- */

START_TEST(spools_up_to_its_limit)
{
        struct spool s;
        struct stat st;

        ck_assert_int_eq(spool_open(&s, directory, 10, 0), 0);
        ck_assert_int_eq(spool_write(&s, "12345678", 8), 0);
        ck_assert_int_eq(spool_write(&s, "123", 3), -EFBIG);
        ck_assert_int_eq(spool_write(&s, "12", 2), 0);
        ck_assert_uint_eq(s.n, 10);
        ck_assert_int_eq(fstat(s.fd, &st), 0);
        ck_assert_int_eq(st.st_size, 10);
        ck_assert_int_eq(st.st_nlink, 0);
        spool_done(&s);
        ck_assert_int_eq(s.fd, -1);
        spool_done(&s);
}
END_TEST

START_TEST(spools_nothing_below_the_floor)
{
        struct spool s;

        ck_assert_int_eq(spool_open(&s, directory, 1000, UINT64_MAX / 2), 0);
        ck_assert_int_eq(spool_write(&s, "1", 1), -ENOSPC);
        ck_assert_uint_eq(s.n, 0);
        spool_done(&s);
        ck_assert_int_eq(spool_open(&s, directory, 1000, 1), 0);
        ck_assert_int_eq(spool_write(&s, "1", 1), 0);
        spool_done(&s);
}
END_TEST

/* --- the worker --------------------------------------------------------------------------------------------- */

struct step {
        struct work work;
        struct loop *loop;
        pthread_t thread;
        unsigned number, *n_done;
};

static void run_step(struct work *w)
{
        struct step *s = CONTAINER_OF(w, struct step, work);

        s->thread = pthread_self();
}

static void step_done(struct work *w)
{
        struct step *s = CONTAINER_OF(w, struct step, work);

        ck_assert_uint_eq(s->number, *s->n_done); /* in order */
        ck_assert(!pthread_equal(s->thread, pthread_self()));
        if (++*s->n_done == 20)
                loop_quit(s->loop, 0);
}

START_TEST(works_in_order_and_tells_the_loop)
{
        struct loop *l;
        struct worker *w;
        struct step steps[20];
        unsigned n_done = 0;

        ck_assert_int_eq(loop_new(&l), 0);
        ck_assert_int_eq(worker_new(&w, l), 0);
        for (unsigned i = 0; i < 20; i++) {
                steps[i] = (struct step){
                        {.run = run_step, .done = step_done},
                        l, 0, i, &n_done
                };
                worker_push(w, &steps[i].work);
        }
        ck_assert_int_eq(loop_run(l), 0);
        ck_assert_uint_eq(n_done, 20);
        worker_free(w);
        loop_free(l);
}
END_TEST

/* After the worker is freed nobody is told of anything. */
START_TEST(leaves_what_waits)
{
        struct loop *l;
        struct worker *w;
        struct step steps[20];
        unsigned n_done = 0;

        ck_assert_int_eq(loop_new(&l), 0);
        ck_assert_int_eq(worker_new(&w, l), 0);
        for (unsigned i = 0; i < 20; i++) {
                steps[i] = (struct step){
                        {.run = run_step, .done = step_done},
                        l, 0, i, &n_done
                };
                worker_push(w, &steps[i].work);
        }
        worker_free(w);
        ck_assert_uint_eq(n_done, 0);
        loop_free(l);
}
END_TEST

/* --- joining -------------------------------------------------------------------------------------------------- */

/* Of what is not there, and of what is, as it is not. */
static void lie(struct node_status *status)
{
        struct node_status_entry *entry = node_status_add(status);

        ck_assert_ptr_nonnull(entry);
        entry->path = strdup("nowhere");
        entry->size = 1000;
        memcpy(entry->sha256, status->entries[0].sha256, sizeof(entry->sha256));
        status->entries[0].size = 1000;
        free(status->entries[1].path);
        status->entries[1].path = strdup("entry-9");
}

static void add_entry(struct archive *a, const char *prefix, unsigned i, struct node_status *status)
{
        struct node_status_entry *entry = node_status_add(status);
        struct archive_entry added;
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/entry-%u", prefix, i);
        ck_assert_int_eq(archive_begin(a, path, USEC_PER_SEC), 0);
        ck_assert_int_eq(archive_append(a, "content", 7), 0);
        ck_assert_int_eq(archive_end(a, &added), 0);
        ck_assert_ptr_nonnull(entry);
        entry->path = strdup(strchr(path, '/') + 1);
        entry->kind = SOURCE_FILE;
        entry->size = added.size;
        memcpy(entry->sha256, added.sha256, sizeof(entry->sha256));
}

static void make_fragment(struct spool *s, const char *prefix, enum archive_format format,
                          unsigned n_entries, bool with_status, bool lies)
{
        struct archive_options options = {.format = format, .fragment = true};
        struct node_status status = {
                .prefix = strdup(prefix), .role = DIAG_ROLE_AGENT, .redacted = true};
        _cleanup_(buf_done) struct buf json = {0};
        struct archive *a;
        struct err e = {0};
        char path[256];

        ck_assert_int_eq(spool_open(s, directory, UINT64_MAX / 2, 0), 0);
        options.fd = s->fd;
        ck_assert_msg(archive_new(&a, &options, &e) == 0, "%s", e.text);
        for (unsigned i = 0; i < n_entries; i++)
                add_entry(a, prefix, i, &status);
        if (lies)
                lie(&status);
        if (with_status) {
                node_status_write(&json, &status);
                (void)snprintf(path, sizeof(path), "%s/" NODE_STATUS_NAME, prefix);
                ck_assert_int_eq(archive_add(a, path, USEC_PER_SEC, json.data, json.n), 0);
        }
        ck_assert_int_eq(archive_finish(a), 0);
        s->n = archive_written(a);
        archive_free(a);
        node_status_done(&status);
}

static struct joiner *make_joiner(enum archive_format format, uint64_t max_bytes, uint64_t floor)
{
        const struct joiner_options options = {
                .directory = directory,
                .format = format,
                .max_bytes = max_bytes,
                .node_max_bytes = 1 << 20,
                .node_max_entries = 100,
                .free_floor = floor,
        };
        struct joiner *j;
        struct err e = {0};

        ck_assert_msg(joiner_new(&j, &options, &e) == 0, "%s", e.text);
        return j;
}

/* clang-format off */
static const struct join_case {
        const char *name;
        enum archive_format from, into;
        unsigned n_entries;
        bool with_status, other_node, canceled;
        uint64_t cut, max_bytes, floor;
        int error;
        uint64_t n_joined;
        const char *fault;
} joins[] = {
        {.name = "as it is",          .with_status = true, .n_entries = 3,    .n_joined = 4,             .fault = ""},
        {  .name = "into gzip",
         .into = ARCHIVE_TAR_GZIP,
         .with_status = true,
         .n_entries = 3,
         .n_joined = 4,
         .fault = ""},
        {                                                                                                  .name = "gzip",
         .from = ARCHIVE_TAR_GZIP,
         .into = ARCHIVE_TAR_GZIP,
         .with_status = true,
         .n_entries = 3,
         .n_joined = 4,
         .fault = ""},
        {                                                                                                    .name = "into zip",
         .into = ARCHIVE_ZIP,
         .with_status = true,
         .n_entries = 3,
         .n_joined = 4,
         .fault = ""},
        {                                                                                                    .name = "no status",         .n_entries = 3,      .n_joined = 3,     .fault = "it ended early"},
        {.name = "cut",
         .with_status = true,
         .n_entries = 3,
         .cut = 5,
         .error = -EBADMSG,
         .fault = "faulty"},
        {                                                                   .name = "another node's",
         .with_status = true,
         .other_node = true,
         .n_entries = 1,
         .error = -EBADMSG,
         .fault = "faulty"},
        {                                                                          .name = "nothing", .error = -EBADMSG,                    .fault = "it sent nothing"},
        {                                                                                               .name = "too much",
         .with_status = true,
         .n_entries = 1,
         .max_bytes = 100,
         .error = -EFBIG,
         .fault = "large"},
        {                                                                                        .name = "no room",
         .with_status = true,
         .n_entries = 1,
         .floor = UINT64_MAX / 2,
         .error = -ENOSPC,
         .fault = "no room"},
        {                                                                                               .name = "canceled",
         .with_status = true,
         .n_entries = 1,
         .canceled = true,
         .error = -ECANCELED,
         .fault = ""},
};
/* clang-format on */

START_TEST(joins_fragments)
{
        const struct join_case *c = &joins[_i];
        struct joiner *j = make_joiner(c->into, c->max_bytes ? c->max_bytes : 1 << 30, c->floor);
        struct joint joint = {.format = c->from, .prefix = "10.0.0.9_agent"};
        char sha256[DIGEST_HEX];
        uint64_t n = 0;
        struct err e = {0};

        make_fragment(&joint.spool, c->other_node ? "10.0.0.8_agent" : joint.prefix, c->from,
                      c->n_entries, c->with_status, false);
        if (c->cut) {
                joint.spool.n -= c->cut;
                ck_assert_int_eq(ftruncate(joint.spool.fd, (off_t)joint.spool.n), 0);
        }
        if (c->canceled)
                joiner_cancel(j);
        ck_assert_msg(joiner_add(j, &joint, &e) == 0, "%s: %s", c->name, e.text);
        ck_assert_msg(joint.error == c->error, "%s: %d: %s", c->name, joint.error, joint.fault);
        ck_assert_msg(strstr(joint.fault, c->fault) && (*c->fault || !*joint.fault), "%s: %s",
                      c->name, joint.fault);
        if (c->n_joined)
                ck_assert_uint_eq(joint.n_entries, c->n_joined);
        ck_assert_int_eq(joint.spool.fd, -1);
        if (!c->canceled) { /* whatever happened, the archive can be ended */
                ck_assert_msg(joiner_close(j, &n, sha256, &e) == 0, "%s: %s", c->name, e.text);
                ck_assert_uint_gt(n, 0);
                ck_assert_uint_eq(strlen(sha256), DIGEST_HEX - 1);
        }
        joint_done(&joint);
        joiner_free(j);
}
END_TEST

/* The manifest says what came. */
START_TEST(believes_no_status_that_lies)
{
        struct joiner *j = make_joiner(ARCHIVE_TAR_ZSTD, 1 << 30, 0);
        struct joint joint = {.format = ARCHIVE_TAR_ZSTD, .prefix = "10.0.0.9_agent"};
        const struct node_status *s = &joint.status;
        struct err e = {0};

        make_fragment(&joint.spool, joint.prefix, joint.format, 3, true, true);
        ck_assert_msg(joiner_add(j, &joint, &e) == 0, "%s", e.text);
        ck_assert_int_eq(joint.error, 0);
        ck_assert_str_eq(joint.fault, "its status is not true of 4 of its entries");
        ck_assert(joint.has_status);
        ck_assert_uint_eq(s->n_entries, 5);
        ck_assert_str_eq(s->entries[0].path, "entry-0");
        ck_assert_uint_eq(s->entries[0].size, 7);
        for (size_t i = 1; i < 4; i += 2) { /* entry-9, nowhere */
                ck_assert_str_eq(s->entries[i].sha256, "");
                ck_assert_uint_eq(s->entries[i].size, 0);
                ck_assert_str_eq(s->entries[i].error, "it did not come");
        }
        ck_assert_ptr_null(s->entries[2].error);
        ck_assert_str_eq(s->entries[4].path, "entry-1");
        ck_assert_str_eq(s->entries[4].sha256, s->entries[2].sha256);
        joint_done(&joint);
        joiner_free(j);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("gather");
        TCase *t = tcase_create("gather");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, spools_up_to_its_limit);
        tcase_add_test(t, spools_nothing_below_the_floor);
        tcase_add_test(t, works_in_order_and_tells_the_loop);
        tcase_add_test(t, leaves_what_waits);
        tcase_add_test(t, believes_no_status_that_lies);
        tcase_add_loop_test(t, joins_fragments, 0, ELEMENTSOF(joins));
        suite_add_tcase(s, t);
        return test_main(s);
}
