/* It reads zips as others write them, hostile ones too; Python makes them here. */

#include "base/mono.h"
#include "bundles/unzip.h"
#include "tests/unit/archives.h"

#define PREFIX "10.0.0.9_agent"

/* Before all cases, and around each. Some write @p anew when @z is closed; closing it again does nothing. */
#define PRELUDE                                                                             \
        "import io, stat, zipfile\n"                                                        \
        "class Out(io.RawIOBase):\n" /* it cannot be sought in: sizes go behind the data */ \
        "    def __init__(self): self.f = open(p, 'wb')\n"                                  \
        "    def writable(self): return True\n"                                             \
        "    def write(self, b): return self.f.write(b)\n"                                  \
        "def add(name, data, how=None): z.writestr(name, data, how)\n"                      \
        "def change(fn):\n"                                                                 \
        "    z.close()\n"                                                                   \
        "    b = fn(bytearray(open(p, 'rb').read()))\n"                                     \
        "    open(p, 'wb').write(b)\n"                                                      \
        "def flip(at):\n"                                                                   \
        "    def fn(b): b[at] ^= 1; return b\n"                                             \
        "    change(fn)\n"                                                                  \
        "def link(name):\n"                                                                 \
        "    i = zipfile.ZipInfo(name); i.create_system = 3\n"                              \
        "    i.external_attr = (stat.S_IFLNK | 0o777) << 16\n"                              \
        "    return i\n"
#define CASE \
        "p = '/proc/%d/fd/%d'\nz = zipfile.ZipFile(p, 'w', zipfile.ZIP_DEFLATED)\n%s\nz.close()\n"

static const struct {
        const char *name, *make;
        const char *list;    /* what comes, with sizes and "!" if it is damaged */
        const char *fault;   /* "": whole */
        const char *skipped; /* "": none */
        uint64_t n_skipped;
} cases[] = {
        {"empty",                    "",                                                                     "",                    "",         "",             0},
        {"plain",                    "add('a/b', 'hello'); add('c', '')",                                    "5 a/b\n0 c\n",        "",         "",             0},
        {"stored",                   "add('a', 'hello', 0)",                                                 "5 a\n",               "",         "",             0},
        {"streamed",
         "z = zipfile.ZipFile(Out(), 'w', 8); add('a', 'hello' * 100000); add('b', 'x')",                    "500000 a\n1 b\n",     "",         "",             0},
        {"UTF-8",                    "add('gr\\u00fcn', 'x')",                                               "1 gr\xc3\xbcn\n",     "",         "",             0},
        {"directories",              "add('a/', ''); add('a/b', 'x')",                                       "1 a/b\n",             "",         "",             0},
        {"absolute",                 "add('/etc/passwd', 'x'); add('.//./b', 'x')",                          "1 etc/passwd\n1 b\n", "",         "",
         0                                                                                                                                                       },
        {"up",                       "add('../../x', 'x'); add('a/../../x', 'x'); add('b', 'x')",            "1 b\n",               "",
         "../../x: a path that is not clean",                                                                                                                   2},
        {"up with backslashes",      "add('a\\\\..\\\\..\\\\b/x', 'x')",                                     "",                    "",         "not clean",    1},
        {"control characters",       "add('a\\x1b[2J', 'x'); add('b', 'x')",                                 "1 b\n",               "",
         "a?[2J: a path that is not clean",                                                                                                                     1},
        {"too long",                 "add('a/' * 506 + 'b', 'x'); add('b', 'x')",                            "1 b\n",               "",         "not clean",    1},
        {"there before",             "add('a', '1'); add('/a', '2')",                                        "1 a\n",               "",         "there before", 1},
        {"links are their content",  "add(link('a'), '/etc/passwd')",                                        "11 a\n",              "",         "",             0},
        {"bzip2",                    "add('a', 'x', zipfile.ZIP_BZIP2); add('b', 'x')",                      "1 b\n",               "",
         "neither stored nor deflated",                                                                                                                         1},
        {"lzma",                     "add('a', 'x', zipfile.ZIP_LZMA); add('b', 'x')",                       "1 b\n",               "",
         "neither stored nor deflated",                                                                                                                         1},
        {"encrypted",                "add('a', 'x', 0); flip(6)",                                            "",                    "",         "encrypted",    1},
        {"wrong checksum",           "add('a', 'hello', 0); add('b', 'x'); flip(14)",                        "5 a!\n1 b\n",         "CRC",
         "",                                                                                                                                                    0},
        {"cut in its data",          "add('a', 'hello', 0); add('b', 'hello', 0); change(lambda b: b[:70])",
         "5 a\n3 b!\n",                                                                                                             "runcated", "",             0},
        {"cut before its directory", "add('a', 'hello', 0); change(lambda b: b[:36])",                       "5 a\n",
         "cut short",                                                                                                                           "",             0},
        {"no zip",                   "change(lambda b: b'this is no zip, but it is long enough to be one')", "",
         "zip: ",                                                                                                                               "",             0},
        {"nothing",                  "change(lambda b: b'')",                                                "",                    "zip: ",    "",             0},
};

static int files[ELEMENTSOF(cases)];

/* One Python for all of them: starting it is what takes time. */
static void make_files(void)
{
        _cleanup_(buf_done) struct buf script = {0}, said = {0};
        _cleanup_(closep) int fd = -1;

        buf_puts(&script, PRELUDE);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                files[i] = memory_file();
                buf_printf(&script, CASE, (int)getpid(), files[i], cases[i].make);
        }
        fd = memory_file_of(script.data, script.n);
        ck_assert_int_eq(shell(&said, "python3 @", fd), 0);
}

struct seen {
        struct buf list;
        size_t n_open;
        int fail_begin, fail_data, fail_end;
};

static int on_begin(const struct unzip_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_eq(s->n_open++, 0);
        ck_assert_int_eq(strncmp(entry->path, PREFIX "/", strlen(PREFIX "/")), 0);
        ck_assert(archive_path_is_clean(entry->path, strlen(entry->path)));
        return s->fail_begin;
}

static int on_data(_unused_ const void *data, size_t n, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_gt(n, 0);
        ck_assert_uint_eq(s->n_open, 1);
        return s->fail_data;
}

static int on_end(const struct unzip_entry *entry, void *userdata)
{
        struct seen *s = userdata;

        ck_assert_uint_eq(s->n_open--, 1);
        buf_printf(&s->list, "%llu %s%s\n", (unsigned long long)entry->size,
                   entry->path + strlen(PREFIX "/"), entry->whole ? "" : "!");
        return s->fail_end;
}

static int walk(int fd, struct unzip_terms terms, struct seen *s, struct unzip_result *ret,
                struct err *e)
{
        struct unzip_visitor visitor = {on_begin, on_data, on_end, s};
        int k;

        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        terms.prefix = PREFIX;
        k = unzip_walk(fd, &terms, &visitor, ret, e);
        ck_assert_int_eq(e->code, k);
        return k;
}

static void seen_done(struct seen *s)
{
        buf_done(&s->list);
}

START_TEST(reads_zips)
{
        _cleanup_(seen_done) struct seen s = {0};
        int fd = files[_i];
        struct unzip_result r;
        struct err e = {0};

        ck_assert_msg(walk(fd, (struct unzip_terms){0}, &s, &r, &e) == 0, "%s: %s", cases[_i].name,
                      e.text);
        ck_assert_msg(streq(buf_cstr(&s.list), cases[_i].list), "%s: %s (%s)", cases[_i].name,
                      buf_cstr(&s.list), r.fault);
        ck_assert_msg(*cases[_i].fault ? strstr(r.fault, cases[_i].fault) != NULL : !r.fault[0],
                      "%s: %s", cases[_i].name, r.fault);
        ck_assert_int_eq(r.whole, !*cases[_i].fault);
        ck_assert_msg(*cases[_i].skipped ? strstr(r.skipped, cases[_i].skipped) != NULL
                                         : !r.skipped[0],
                      "%s: %s", cases[_i].name, r.skipped);
        ck_assert_uint_eq(r.n_skipped, cases[_i].n_skipped);
        ck_assert_uint_eq(s.n_open, 0);
}
END_TEST

/* Also when there is no locale but "C", as in a service. */
START_TEST(reads_our_own)
{
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_ZIP, false, fd);
        _cleanup_(seen_done) struct seen s = {0};
        _cleanup_(buf_done) struct buf text = {0};
        struct unzip_result r;
        struct err e = {0};

        append_lines(&text, 1000000, 1);
        ck_assert_int_eq(archive_add(a, "d/gr\xc3\xbcn", 0, text.data, text.n), 0);
        ck_assert_int_eq(archive_add(a, "empty", 0, "", 0), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        ck_assert_int_eq(walk(fd, (struct unzip_terms){0}, &s, &r, &e), 0);
        ck_assert_str_eq(buf_cstr(&s.list), "1000000 d/gr\xc3\xbcn\n0 empty\n");
        ck_assert_msg(r.whole, "%s", r.fault);
        ck_assert_uint_eq(r.n_bytes, 1000000);
        ck_assert_uint_eq(r.n_entries, 2);
}
END_TEST

/* Cut at every byte: an entry is whole, or damaged, or not there; nothing is left open. */
START_TEST(is_good_as_far_as_it_goes)
{
        _cleanup_(closep) int whole_fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_ZIP, false, whole_fd);
        _cleanup_(buf_done) struct buf zip = {0};
        uint64_t n_entries = 0;

        ck_assert_int_eq(archive_add(a, "a", 0, "hello", 5), 0);
        ck_assert_int_eq(archive_add(a, "b", 0, "hello again", 11), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        slurp(&zip, whole_fd);
        for (size_t n = 0; n <= zip.n; n++) {
                _cleanup_(closep) int fd = memory_file_of(zip.data, n);
                _cleanup_(seen_done) struct seen s = {0};
                struct unzip_result r;
                struct err e = {0};

                ck_assert_int_eq(walk(fd, (struct unzip_terms){0}, &s, &r, &e), 0);
                ck_assert_uint_eq(s.n_open, 0);
                ck_assert_uint_ge(r.n_entries, n_entries);
                ck_assert(!r.whole || r.n_entries == 2);
                n_entries = r.n_entries;
        }
        ck_assert_uint_eq(n_entries, 2);
}
END_TEST

static const struct {
        struct unzip_terms terms;
        const char *fault;
        const char *list;
} limits[] = {
        {{.max_entries = 1},     "more entries", "4000000 a\n"      },
        {{.max_entries = 2},     "",             "4000000 a\n1 b\n" },
        {{.max_bytes = 4000001}, "",             "4000000 a\n1 b\n" },
        {{.max_bytes = 4000000}, "more bytes",   "4000000 a\n1 b!\n"},
};

START_TEST(has_limits)
{
        static const char zeros[4000000];
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_ZIP, false, fd);
        _cleanup_(seen_done) struct seen s = {0};
        struct unzip_result r;
        struct err e = {0};

        ck_assert_int_eq(archive_add(a, "a", 0, zeros, sizeof(zeros)), 0);
        ck_assert_int_eq(archive_add(a, "b", 0, "x", 1), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        ck_assert_int_eq(walk(fd, limits[_i].terms, &s, &r, &e), 0);
        ck_assert_str_eq(buf_cstr(&s.list), limits[_i].list);
        ck_assert_msg(*limits[_i].fault ? strstr(r.fault, limits[_i].fault) != NULL : !r.fault[0],
                      "%s", r.fault);
        ck_assert_int_eq(r.whole, !*limits[_i].fault);
}
END_TEST

START_TEST(does_not_wait_for_ever)
{
        struct unzip_result r;
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        for (int i = 0; i < 2; i++) {
                struct unzip_terms terms = {
                        .prefix = "", .deadline_mono_usec = now_mono_usec() + (i ? 10000 : 0)};
                struct err e = {0};

                ck_assert_int_eq(unzip_walk(fds[0], &terms, NULL, &r, &e), -ETIMEDOUT);
                ck_assert_str_eq(e.text, "a zip took too long");
                ck_assert(!r.whole);
        }
        ck_assert_int_eq(unzip_walk(-1, &(struct unzip_terms){.prefix = ""}, NULL, &r, NULL),
                         -EBADF);
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

START_TEST(ends_when_the_visitor_says_so)
{
        static const struct seen failing[] = {
                {.fail_begin = -ECANCELED},
                {.fail_data = -EBADMSG}, /* which is not our own then */
                {.fail_end = -EPIPE}};
        _cleanup_(closep) int fd = memory_file();
        _cleanup_(archive_freep) struct archive *a = new_archive(ARCHIVE_ZIP, false, fd);

        ck_assert_int_eq(archive_add(a, "a", 0, "hello", 5), 0);
        ck_assert_int_eq(archive_add(a, "b", 0, "hello", 5), 0);
        ck_assert_int_eq(archive_finish(a), 0);
        for (size_t i = 0; i < ELEMENTSOF(failing); i++) {
                _cleanup_(seen_done) struct seen s = failing[i];
                struct unzip_result r;
                struct err e = {0};

                ck_assert_int_eq(walk(fd, (struct unzip_terms){0}, &s, &r, &e),
                                 s.fail_begin + s.fail_data + s.fail_end);
                ck_assert(!r.whole);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unzip");
        TCase *tc = tcase_create("unzip");

        tcase_add_unchecked_fixture(tc, make_files, NULL);
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, reads_zips, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, reads_our_own);
        tcase_add_test(tc, is_good_as_far_as_it_goes);
        tcase_add_loop_test(tc, has_limits, 0, ELEMENTSOF(limits));
        tcase_add_test(tc, does_not_wait_for_ever);
        tcase_add_test(tc, ends_when_the_visitor_says_so);
        suite_add_tcase(s, tc);
        return test_main(s);
}
