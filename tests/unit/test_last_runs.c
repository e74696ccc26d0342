/* It remembers how runs ended, over our own restarts and for this boot. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agentd/last_runs.h"
#include "base/buf.h"
#include "base/fs.h"
#include "tests/unit/test_main.h"

#define BOOT "0c8a9e7d6b5f4a3c2e1d0f9b8a7c6d5e"

static char dir[] = "/tmp/test_last_runs.XXXXXX";

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
        char command[sizeof(dir) + 16];

        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(system(command), 0);
}

static struct last_runs *open_runs(const char *boot_id)
{
        struct last_runs *l;
        struct err e;

        ck_assert_int_eq(last_runs_new(&l, "f", boot_id, &e), 0);
        ck_assert_msg(e.code == 0, "%s", e.text);
        return l;
}

static void note(struct last_runs *l, const char *id, uint64_t ended, const char *result,
                 int32_t code, int32_t status)
{
        const struct diag_unit u = {.exec_main_exit_mono_usec = ended,
                                    .result = result,
                                    .exec_main_code = code,
                                    .exec_main_status = status};

        last_runs_note(l, id, &u);
}

static void put(const char *text)
{
        ck_assert_int_eq(fs_replace("f", text, strlen(text), 0600, NULL), 0);
}

START_TEST(finds_what_it_noted)
{
        _cleanup_(last_runs_freep) struct last_runs *l = open_runs(BOOT);
        const struct diag_last_run *r;

        ck_assert_ptr_null(last_runs_find(l, "a.service"));
        note(l, "b.service", 5, "exit-code", CLD_EXITED, 3);
        note(l, "a.service", 7, "signal", CLD_KILLED, SIGTERM);
        note(l, "c.service", 9, "success", CLD_EXITED, 0);
        r = last_runs_find(l, "b.service");
        ck_assert_uint_eq(r->ended_mono_usec, 5);
        ck_assert_str_eq(r->result, "exit-code");
        ck_assert_int_eq(r->code, CLD_EXITED);
        ck_assert_int_eq(r->status, 3);
        ck_assert_int_eq(last_runs_find(l, "a.service")->status, SIGTERM);
        ck_assert(diag_last_run_ok(last_runs_find(l, "c.service")));
        ck_assert_ptr_null(last_runs_find(l, "d.service"));
        note(l, "b.service", 11, "success", CLD_EXITED, 0);
        ck_assert_uint_eq(last_runs_find(l, "b.service")->ended_mono_usec, 11);
}
END_TEST

START_TEST(notes_only_runs_that_ended)
{
        _cleanup_(last_runs_freep) struct last_runs *l = open_runs(BOOT);
        struct err e;

        note(l, "a.service", 0, "success", 0, 0);
        note(l, "b.service", 5, "", CLD_EXITED, 0);
        note(l, "c.service", 5, NULL, CLD_EXITED, 0);
        ck_assert_ptr_null(last_runs_find(l, "a.service"));
        ck_assert_ptr_null(last_runs_find(l, "b.service"));
        ck_assert_ptr_null(last_runs_find(l, "c.service"));
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(access("f", F_OK), -1);
}
END_TEST

START_TEST(cuts_a_word_that_is_too_long)
{
        _cleanup_(last_runs_freep) struct last_runs *l = open_runs(BOOT);

        note(l, "a.service", 5, "a-result-of-the-future-that-is-long", CLD_EXITED, 1);
        ck_assert_str_eq(last_runs_find(l, "a.service")->result, "a-result-of-the-future-");
}
END_TEST

START_TEST(keeps_them_over_a_restart)
{
        struct last_runs *l = open_runs(BOOT);
        const struct diag_last_run *r;
        struct stat st;
        struct err e;

        note(l, "b@x-y\\x2dz.service", 5, "exit-code", CLD_EXITED, 3);
        note(l, "a.service", UINT64_MAX, "success", CLD_EXITED, 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        last_runs_free(l);
        ck_assert_int_eq(stat("f", &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);

        l = open_runs(BOOT);
        r = last_runs_find(l, "b@x-y\\x2dz.service");
        ck_assert_ptr_nonnull(r);
        ck_assert_uint_eq(r->ended_mono_usec, 5);
        ck_assert_str_eq(r->result, "exit-code");
        ck_assert_int_eq(r->code, CLD_EXITED);
        ck_assert_int_eq(r->status, 3);
        ck_assert_uint_eq(last_runs_find(l, "a.service")->ended_mono_usec, UINT64_MAX);
        last_runs_free(l);
}
END_TEST

START_TEST(writes_only_what_is_new)
{
        _cleanup_(last_runs_freep) struct last_runs *l = open_runs(BOOT);
        struct err e;

        note(l, "a.service", 5, "success", CLD_EXITED, 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(unlink("f"), 0);
        note(l, "a.service", 5, "success", CLD_EXITED, 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(access("f", F_OK), -1);
        note(l, "a.service", 5, "success", CLD_EXITED, 1);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(access("f", F_OK), 0);
}
END_TEST

START_TEST(does_not_write_what_it_has_read)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        struct err e;

        put("boot " BOOT "\n5 success 1 0 a.service\n");
        l = open_runs(BOOT);
        ck_assert_ptr_nonnull(last_runs_find(l, "a.service"));
        ck_assert_int_eq(unlink("f"), 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(access("f", F_OK), -1);
}
END_TEST

START_TEST(tries_again_what_could_not_be_written)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        struct err e;

        ck_assert_int_eq(last_runs_new(&l, "d/f", BOOT, &e), 0);
        ck_assert_int_eq(e.code, 0);
        note(l, "a.service", 5, "success", CLD_EXITED, 0);
        ck_assert_int_lt(last_runs_save(l, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.text, "d/f"));
        ck_assert_int_eq(mkdir("d", 0755), 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_int_eq(access("d/f", F_OK), 0);
}
END_TEST

START_TEST(needs_no_file)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        struct err e;

        ck_assert_int_eq(last_runs_new(&l, NULL, BOOT, &e), 0);
        note(l, "a.service", 5, "success", CLD_EXITED, 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        ck_assert_ptr_nonnull(last_runs_find(l, "a.service"));
}
END_TEST

START_TEST(forgets_another_boot)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;

        put("boot " BOOT "\n5 success 1 0 a.service\n");
        l = open_runs("ffffffffffffffffffffffffffffffff");
        ck_assert_ptr_null(last_runs_find(l, "a.service"));
}
END_TEST

#define GOOD_LINE "5 success 1 0 a.service\n"
#define GOOD_FILE "boot " BOOT "\n" GOOD_LINE
#define NO_BOOT   "f: does not begin with a boot id"
#define NO_RUN    "f:3: not a run"

static const struct {
        const char *text, *want;
} damaged[] = {
        {"",                                                       NO_BOOT},
        {"\n\n",                                                   NO_BOOT},
        {GOOD_LINE,                                                NO_BOOT},
        {GOOD_FILE "garbage\n",                                    NO_RUN },
        {GOOD_FILE "5 success 1\n",                                NO_RUN },
        {GOOD_FILE "5 success 1 0 \n",                             NO_RUN },
        {GOOD_FILE "5 success 1 0 b.serv",                         NO_RUN },
        {GOOD_FILE "5 success 1 0 b@.service",                     NO_RUN },
        {GOOD_FILE "x success 1 0 b.service",                      NO_RUN },
        {GOOD_FILE "5 success 1 0 b c.service",                    NO_RUN },
        {GOOD_FILE "5 a-word-of-more-than-23-bytes 1 0 b.service", NO_RUN },
};

START_TEST(takes_a_damaged_file_for_empty)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        struct err e;

        put(damaged[_i].text);
        ck_assert_int_eq(last_runs_new(&l, "f", BOOT, &e), 0);
        ck_assert_int_eq(e.code, -EBADMSG);
        ck_assert_str_eq(e.text, damaged[_i].want);
        ck_assert_ptr_null(last_runs_find(l, "a.service"));
        note(l, "c.service", 6, "success", CLD_EXITED, 0);
        ck_assert_int_eq(last_runs_save(l, &e), 0);
}
END_TEST

START_TEST(takes_a_large_file_for_empty)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        _cleanup_(buf_done) struct buf b = {0};
        struct err e;

        buf_puts(&b, "boot " BOOT "\n" GOOD_LINE);
        while (b.n < 2u * 1024 * 1024)
                buf_puts(&b, GOOD_LINE);
        put(buf_cstr(&b));
        ck_assert_int_eq(last_runs_new(&l, "f", BOOT, &e), 0);
        ck_assert_int_eq(e.code, -E2BIG);
        ck_assert_ptr_null(last_runs_find(l, "a.service"));
}
END_TEST

START_TEST(says_when_it_cannot_read)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        struct err e;

        ck_assert_int_eq(mkdir("f", 0755), 0);
        ck_assert_int_eq(last_runs_new(&l, "f", BOOT, &e), 0);
        ck_assert_int_lt(e.code, 0);
        ck_assert_ptr_nonnull(l);
}
END_TEST

START_TEST(forgets_the_oldest_when_full)
{
        struct last_runs *l = open_runs(BOOT);
        char id[32];
        struct err e;

        for (unsigned i = 0; i < LAST_RUNS_MAX; i++) {
                (void)snprintf(id, sizeof(id), "%u.service", i);
                note(l, id, i == 1000 ? 1 : 10 + i, "success", CLD_EXITED, 0);
        }
        ck_assert_ptr_nonnull(last_runs_find(l, "1000.service"));
        note(l, "new.service", 9999, "success", CLD_EXITED, 0);
        ck_assert_ptr_null(last_runs_find(l, "1000.service"));
        ck_assert_ptr_nonnull(last_runs_find(l, "0.service"));
        ck_assert_ptr_nonnull(last_runs_find(l, "4095.service"));
        ck_assert_ptr_nonnull(last_runs_find(l, "new.service"));
        ck_assert_int_eq(last_runs_save(l, &e), 0);
        last_runs_free(l);

        l = open_runs(BOOT); /* a full file can be read */
        ck_assert_ptr_nonnull(last_runs_find(l, "new.service"));
        last_runs_free(l);
}
END_TEST

START_TEST(reads_no_more_than_it_holds)
{
        _cleanup_(last_runs_freep) struct last_runs *l = NULL;
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, "boot " BOOT "\n");
        for (unsigned i = 0; i < LAST_RUNS_MAX + 100; i++)
                buf_printf(&b, "%u success 1 0 %u.service\n", i + 1, i);
        put(buf_cstr(&b));
        l = open_runs(BOOT);
        ck_assert_ptr_null(last_runs_find(l, "99.service"));
        ck_assert_ptr_nonnull(last_runs_find(l, "100.service"));
        ck_assert_ptr_nonnull(last_runs_find(l, "4195.service"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("last_runs");
        TCase *tc = tcase_create("last_runs");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, make_dir, remove_dir);
        tcase_add_test(tc, finds_what_it_noted);
        tcase_add_test(tc, notes_only_runs_that_ended);
        tcase_add_test(tc, cuts_a_word_that_is_too_long);
        tcase_add_test(tc, keeps_them_over_a_restart);
        tcase_add_test(tc, writes_only_what_is_new);
        tcase_add_test(tc, does_not_write_what_it_has_read);
        tcase_add_test(tc, tries_again_what_could_not_be_written);
        tcase_add_test(tc, needs_no_file);
        tcase_add_test(tc, forgets_another_boot);
        tcase_add_loop_test(tc, takes_a_damaged_file_for_empty, 0, ELEMENTSOF(damaged));
        tcase_add_test(tc, takes_a_large_file_for_empty);
        tcase_add_test(tc, says_when_it_cannot_read);
        tcase_add_test(tc, forgets_the_oldest_when_full);
        tcase_add_test(tc, reads_no_more_than_it_holds);
        suite_add_tcase(s, tc);
        return test_main(s);
}
