/* It reads what is linked into a target. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agentd/unit_links.h"
#include "base/buf.h"
#include "base/fs.h"
#include "tests/unit/test_main.h"

static char dir[] = "/tmp/test_unit_links.XXXXXX";

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

#define FOUND_MAX 16

struct found {
        char *names[FOUND_MAX];
        size_t n;
};

static void found_done(struct found *f)
{
        for (size_t i = 0; i < f->n; i++)
                free(f->names[i]);
}

static void on_found(const char *name, void *userdata)
{
        struct found *f = userdata;

        ck_assert_uint_lt(f->n, FOUND_MAX);
        f->names[f->n++] = strdup(name);
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

#define LINKS 6

/* "FOLDER/LINK>WHERE TO", and what is found then, sorted. */
/* clang-format off */
static const struct {
        const char *name, *want;
        const char *links[LINKS];
} cases[] = {
        {"nothing", "", {NULL}},
        {"a wanted unit", "a.service ", {"1/x.target.wants/a.service>/usr/lib/a.service"}},
        {"a required unit", "a.service ", {"1/x.target.requires/a.service>/usr/lib/a.service"}},
        {"a dangling link", "a.service ", {"1/x.target.wants/a.service>nowhere"}},
        {"in each folder of the path", "a.service b.timer c.mount ",
         {"1/x.target.wants/a.service>1", "2/x.target.wants/b.timer>1",
          "3/x.target.requires/c.mount>1"}},
        {"twice", "a.service a.service ",
         {"1/x.target.wants/a.service>1", "2/x.target.wants/a.service>1"}},
        {"of another target, and of other kinds", "",
         {"1/y.target.wants/a.service>1", "1/x.target.upholds/b.service>1", "1/c.service>1",
          "1/x.target.d/d.service>1", "1/x.wants/e.service>1"}},
        {"switched off", "", {"1/x.target.wants/a.service>/dev/null"}},
        {"switched off where it matters more", "b.service ",
         {"1/x.target.wants/a.service>/dev/null", "2/x.target.wants/a.service>1",
          "2/x.target.wants/b.service>1", "3/x.target.wants/a.service>1"}},
        {"switched off where it matters less", "a.service ",
         {"1/x.target.wants/a.service>1", "2/x.target.wants/a.service>/dev/null"}},
        {"not wanted any more, but required", "a.service ",
         {"1/x.target.wants/a.service>/dev/null", "2/x.target.requires/a.service>1"}},
        {"not quite /dev/null", "a.service b.service ",
         {"1/x.target.wants/a.service>/dev/nul", "1/x.target.wants/b.service>/dev/null2"}},
        {"templates and instances", "a@dcos.service ",
         {"1/x.target.wants/a@.service>1", "1/x.target.wants/a@dcos.service>1"}},
        {"what is no unit's name", "a.service ",
         {"1/x.target.wants/a.service>1", "1/x.target.wants/README>1",
          "1/x.target.wants/b.service.bak>1", "1/x.target.wants/d e.service>1"}},
        {"what is hidden", "", {"1/x.target.wants/.a.service>1"}},
};
/* clang-format on */

static void make_link(const char *spec)
{
        char path[256], *to, *slash;

        (void)snprintf(path, sizeof(path), "%s", spec);
        to = strchr(path, '>');
        *to++ = '\0';
        for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void)mkdir(path, 0755);
                *slash = '/';
        }
        ck_assert_int_eq(symlink(to, path), 0);
}

START_TEST(finds)
{
        static const char *const dirs[] = {"1", "missing", "2", "3"};
        _cleanup_(found_done) struct found f = {0};
        _cleanup_(buf_done) struct buf b = {0};

        for (size_t i = 0; i < LINKS && cases[_i].links[i]; i++)
                make_link(cases[_i].links[i]);
        ck_assert_int_eq(unit_links_scan(dirs, ELEMENTSOF(dirs), "x.target", on_found, &f), 0);
        qsort(f.names, f.n, sizeof(*f.names), by_name);
        for (size_t i = 0; i < f.n; i++)
                buf_printf(&b, "%s ", f.names[i]);
        ck_assert_msg(streq(buf_cstr(&b), cases[_i].want), "%s: %s", cases[_i].name, buf_cstr(&b));
}
END_TEST

static void count(_unused_ const char *name, void *userdata)
{
        ++*(unsigned *)userdata;
}

START_TEST(ends_in_a_huge_folder)
{
        static const char *const dirs[] = {"1"};
        char path[64];
        unsigned n = 0;

        ck_assert_int_eq(mkdir("1", 0755), 0);
        ck_assert_int_eq(mkdir("1/x.target.wants", 0755), 0);
        for (unsigned i = 0; i < UNIT_LINKS_MAX + 100; i++) {
                (void)snprintf(path, sizeof(path), "1/x.target.wants/%u.service", i);
                ck_assert_int_eq(symlink("x", path), 0);
        }
        ck_assert_int_eq(unit_links_scan(dirs, 1, "x.target", count, &n), 0);
        ck_assert_uint_le(n, UNIT_LINKS_MAX);
        ck_assert_uint_ge(n, UNIT_LINKS_MAX - 2);
}
END_TEST

START_TEST(takes_files_for_links)
{
        static const char *const dirs[] = {"1"};
        _cleanup_(found_done) struct found f = {0};

        ck_assert_int_eq(mkdir("1", 0755), 0);
        ck_assert_int_eq(mkdir("1/x.target.wants", 0755), 0);
        ck_assert_int_eq(fs_replace("1/x.target.wants/a.service", "", 0, 0644, NULL), 0);
        ck_assert_int_eq(unit_links_scan(dirs, 1, "x.target", on_found, &f), 0);
        ck_assert_uint_eq(f.n, 1);
        ck_assert_str_eq(f.names[0], "a.service");
}
END_TEST

/* A folder that is there and cannot be read may hold anything; the others are read all the same. */
START_TEST(says_when_it_could_not_read)
{
        static const char *const dirs[] = {"1", "2"};
        _cleanup_(found_done) struct found f = {0};

        make_link("1/x.target.wants>x.target.wants");
        make_link("2/x.target.wants/a.service>1");
        ck_assert_int_eq(unit_links_scan(dirs, 2, "x.target", on_found, &f), -ELOOP);
        ck_assert_uint_eq(f.n, 1);
}
END_TEST

START_TEST(passes_over_files_in_the_place_of_folders)
{
        static const char *const dirs[] = {"1", "2"};
        _cleanup_(found_done) struct found f = {0};

        ck_assert_int_eq(mkdir("1", 0755), 0);
        ck_assert_int_eq(fs_replace("1/x.target.wants", "", 0, 0644, NULL), 0);
        make_link("2/x.target.wants/a.service>1");
        ck_assert_int_eq(unit_links_scan(dirs, 2, "x.target", on_found, &f), 0);
        ck_assert_uint_eq(f.n, 1);
}
END_TEST

START_TEST(survives_long_paths)
{
        static char path[5000];
        const char *const dirs[] = {path};
        _cleanup_(found_done) struct found f = {0};

        memset(path, 'a', sizeof(path) - 1);
        ck_assert_int_eq(unit_links_scan(dirs, 1, "x.target", on_found, &f), 0);
        ck_assert_uint_eq(f.n, 0);
}
END_TEST

START_TEST(knows_where_units_are)
{
        bool etc = false;

        ck_assert_uint_gt(unit_links_default_path_n, 0);
        for (size_t i = 0; i < unit_links_default_path_n; i++) {
                ck_assert_int_eq(unit_links_default_path[i][0], '/');
                etc = etc || streq(unit_links_default_path[i], "/etc/systemd/system");
        }
        ck_assert(etc);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_links");
        TCase *tc = tcase_create("unit_links");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, make_dir, remove_dir);
        tcase_add_loop_test(tc, finds, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, ends_in_a_huge_folder);
        tcase_add_test(tc, takes_files_for_links);
        tcase_add_test(tc, says_when_it_could_not_read);
        tcase_add_test(tc, passes_over_files_in_the_place_of_folders);
        tcase_add_test(tc, survives_long_paths);
        tcase_add_test(tc, knows_where_units_are);
        suite_add_tcase(s, tc);
        return test_main(s);
}
