/* What is written is read again, and nothing else is. */

#include <errno.h>
#include <stdio.h>

#include "base/fs.h"
#include "probes/state_file.h"
#include "tests/unit/test_main.h"

#define BOOT "0c8a9e7d6b5f4a3c2e1d0f9b8a7c6d5e"
#define HEAD "boot " BOOT "\n"

static char dir[] = "/tmp/test_state_file.XXXXXX";
static struct saved_probe taken[8];
static char names[8][PROBE_NAME_MAX + 1];
static size_t n_taken;

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
        (void)unlink("f");
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(rmdir(dir), 0);
}

static void take(const struct saved_probe *s, void *userdata)
{
        ck_assert_ptr_eq(userdata, taken);
        ck_assert_uint_lt(n_taken, ELEMENTSOF(taken));
        taken[n_taken] = *s;
        (void)snprintf(names[n_taken++], sizeof(names[0]), "%s", s->name);
}

static void put(const char *text, size_t n)
{
        ck_assert_int_eq(fs_replace("f", text, n, 0600, NULL), 0);
}

static int read_back(struct err *e)
{
        *e = (struct err){0};
        n_taken = 0;
        return state_file_read("f", BOOT, take, taken, e);
}

static const struct saved_probe unhealthy = {
        .hash = UINT64_C(0xfedcba9876543210),
        .name = "a.b_c:d@e-9",
        .damped = {.health = DIAG_UNHEALTHY,
                   .code = DIAG_CODE_PROBE_TIMEOUT,
                   .text = "no answer  within 5 s, \"x\" \xc3\xa4",
                   .window = UINT64_MAX,
                   .n_window = 64,
                   .n_passed = 0,
                   .n_failed = 64,
                   .n_unknown = 63},
        .ended_mono_usec = 1,
        .ended_wall_usec = UINT64_MAX,
        .took_usec = 5000123,
};

static const struct saved_probe healthy = {
        .hash = 1,
        .name = "b",
        .damped = {.health = DIAG_HEALTHY,
                   .code = DIAG_CODE_OK,
                   .window = 1,
                   .n_window = 1,
                   .n_passed = 1},
        .ended_mono_usec = UINT64_MAX,
};

static void must_equal(const struct saved_probe *a, const char *name, const struct saved_probe *b)
{
        ck_assert_str_eq(name, b->name);
        ck_assert_uint_eq(a->hash, b->hash);
        ck_assert(damped_equal(&a->damped, &b->damped));
        ck_assert_uint_eq(a->damped.window, b->damped.window);
        ck_assert_uint_eq(a->damped.n_window, b->damped.n_window);
        ck_assert_uint_eq(a->damped.n_passed, b->damped.n_passed);
        ck_assert_uint_eq(a->damped.n_failed, b->damped.n_failed);
        ck_assert_uint_eq(a->damped.n_unknown, b->damped.n_unknown);
        ck_assert_uint_eq(a->ended_mono_usec, b->ended_mono_usec);
        ck_assert_uint_eq(a->ended_wall_usec, b->ended_wall_usec);
        ck_assert_uint_eq(a->took_usec, b->took_usec);
}

START_TEST(reads_what_it_wrote)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct err e;

        state_file_begin(&text, BOOT);
        state_file_add(&text, &unhealthy);
        state_file_add(&text, &healthy);
        put(text.data, text.n);
        ck_assert_msg(read_back(&e) == 0, "%s", e.text);
        ck_assert_uint_eq(n_taken, 2);
        must_equal(&taken[0], names[0], &unhealthy);
        must_equal(&taken[1], names[1], &healthy);
}
END_TEST

START_TEST(has_room_for_as_many_as_there_may_be)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct saved_probe s = unhealthy;
        char name[PROBE_NAME_MAX + 1] = {0};

        memset(name, 'n', PROBE_NAME_MAX);
        s.name = name;
        memset(s.damped.text, 't', PROBE_TEXT_MAX);
        s.ended_mono_usec = s.took_usec = UINT64_MAX;
        state_file_begin(&text, "another boot");
        for (unsigned i = 0; i < PROBES_MAX; i++)
                state_file_add(&text, &s);
        put(text.data, text.n);
        ck_assert_int_eq(state_file_read("f", BOOT, take, taken, NULL), 0);
}
END_TEST

START_TEST(takes_nothing_from_a_file_that_is_not_there)
{
        struct err e;

        ck_assert_int_eq(read_back(&e), 0);
        ck_assert_uint_eq(n_taken, 0);
        ck_assert_str_eq(e.text, "");
}
END_TEST

START_TEST(takes_nothing_of_another_boot)
{
        static const char text[] = "boot x\n1 b healthy ok 1 1 1 0 0 7 0 0 \n";
        struct err e;

        put(text, sizeof(text) - 1);
        ck_assert_int_eq(read_back(&e), 0);
        ck_assert_uint_eq(n_taken, 0);
}
END_TEST

#define GOOD "1 b healthy ok 1 1 1 0 0 7 0 0 \n"

/* clang-format off */
static const struct {
        const char *text;
        size_t n_taken;
        const char *fault;
} files[] = {
        {HEAD, 0, ""},
        {HEAD GOOD GOOD, 2, ""},
        {HEAD "1 b healthy ok 1 1 1 0 0 7 0 0 ", 1, ""}, /* the last line without its end */
        {"", 0, "f: does not begin with a boot id"},
        {"\n\n", 0, "f: does not begin with a boot id"},
        {"bo", 0, "f: does not begin with a boot id"},
        {HEAD "x\n" GOOD, 1, "f:2: not the result of a probe"},
        {HEAD GOOD "x\ny\n", 1, "f:3: not the result of a probe"},
        {HEAD "1 b healthy ok 1 1 1 0 0 7 0 0\n", 0, "f:2: not the result of a probe"}, /* cut off */
        {HEAD "1 b healthy ok 1 1 1 0 0 0 0 0 \n", 0, "f:2: not the result of a probe"}, /* never ended */
        {HEAD "1 b healthy ok 1 0 0 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"}, /* never ran */
        {HEAD "1 b healthy ok 1 65 1 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b healthy ok 1 1 2 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b healthy ok 1 1 0 2 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b healthy ok 1 2 0 1 2 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b healthy ok 1 1 1 0 0 7 0 0 why\n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b healthy probe-failed 1 1 1 0 0 7 0 0 why\n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b unhealthy ok 1 1 1 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b unhealthy probe-failed 1 1 0 1 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b unhealthy probe-failed 1 1 0 1 0 7 0 0 why\n", 1, ""},
        {HEAD "1 b unknown probe-not-run 1 1 0 1 0 7 0 0 why\n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b unknown probe-late 1 1 0 1 0 7 0 0 why\n", 1, ""},
        {HEAD "1 b unhealthy exit-code 1 1 0 1 0 7 0 0 why\n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b green ok 1 1 1 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 b unhealthy probe-failed 1 1 0 1 0 7 0 0 w\thy\n", 0, "f:2: not the result of a probe"},
        {HEAD "99999999999999999 b healthy ok 1 1 1 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
        {HEAD "1 12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901 healthy ok 1 1 1 0 0 7 0 0 \n", 0, "f:2: not the result of a probe"},
};
/* clang-format on */

START_TEST(leaves_out_what_makes_no_sense)
{
        struct err e;
        int r;

        put(files[_i].text, strlen(files[_i].text));
        r = read_back(&e);
        ck_assert_str_eq(e.text, files[_i].fault);
        ck_assert_int_eq(r, *files[_i].fault ? -EBADMSG : 0);
        ck_assert_uint_eq(n_taken, files[_i].n_taken);
}
END_TEST

START_TEST(refuses_bytes_that_are_no_text)
{
        static const char text[] = HEAD "\0" GOOD;
        struct err e;

        put(text, sizeof(text) - 1);
        ck_assert_int_eq(read_back(&e), -EBADMSG);
        ck_assert_uint_eq(n_taken, 0);
}
END_TEST

START_TEST(refuses_a_long_text)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct err e;

        buf_puts(&text, HEAD "1 b unhealthy probe-failed 1 1 0 1 0 7 0 0 ");
        for (unsigned i = 0; i < PROBE_TEXT_MAX + 1; i++)
                buf_putc(&text, 'x');
        put(text.data, text.n);
        ck_assert_int_eq(read_back(&e), -EBADMSG);
        put(text.data, text.n - 1);
        ck_assert_int_eq(read_back(&e), 0);
        ck_assert_uint_eq(n_taken, 1);
}
END_TEST

START_TEST(refuses_a_file_that_is_too_large)
{
        size_t n = PROBES_MAX * 1024u;
        _cleanup_(freep) char *text = malloc(n);
        struct err e;

        memset(text, 'x', n);
        put(text, n);
        ck_assert_int_eq(read_back(&e), -E2BIG);
        ck_assert_ptr_nonnull(strstr(e.text, "f is larger"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("state_file");
        TCase *tc = tcase_create("state_file");

        tcase_add_checked_fixture(tc, make_dir, remove_dir);
        tcase_add_test(tc, reads_what_it_wrote);
        tcase_add_test(tc, has_room_for_as_many_as_there_may_be);
        tcase_add_test(tc, takes_nothing_from_a_file_that_is_not_there);
        tcase_add_test(tc, takes_nothing_of_another_boot);
        tcase_add_loop_test(tc, leaves_out_what_makes_no_sense, 0, ELEMENTSOF(files));
        tcase_add_test(tc, refuses_bytes_that_are_no_text);
        tcase_add_test(tc, refuses_a_long_text);
        tcase_add_test(tc, refuses_a_file_that_is_too_large);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
