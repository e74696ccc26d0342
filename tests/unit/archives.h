#pragma once

/*
 * Archives in memory files, which other programs open by /proc/PID/fd/N: nothing is left behind when a test fails.
 * What those programs say is brought into one form: "SIZE PATH\n" for each entry.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "bundles/archive.h"
#include "tests/unit/test_main.h"

static inline int memory_file(void)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        return fd;
}

static inline int memory_file_of(const void *data, size_t n)
{
        int fd = memory_file();

        ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

static inline uint64_t size_of(int fd)
{
        struct stat st;

        ck_assert_int_eq(fstat(fd, &st), 0);
        return (uint64_t)st.st_size;
}

static inline void slurp(struct buf *ret, int fd)
{
        char data[65536];
        ssize_t n;

        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        while ((n = read(fd, data, sizeof(data))) > 0)
                buf_append(ret, data, (size_t)n);
        ck_assert_int_eq(ret->error, 0);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
}

/* A command of the shell; every "@" in it stands for the file. What it prints; its exit status is returned. */
static inline int shell(struct buf *ret, const char *command, int fd)
{
        _cleanup_(buf_done) struct buf line = {0};
        char data[4096];
        size_t n;
        FILE *f;

        buf_puts(&line, "export LC_ALL=C.UTF-8 TZ=UTC0; ");
        for (; *command; command++)
                if (*command == '@')
                        buf_printf(&line, "/proc/%d/fd/%d", (int)getpid(), fd);
                else
                        buf_putc(&line, *command);
        f = popen(buf_cstr(&line), "re");
        ck_assert_ptr_nonnull(f);
        while ((n = fread(data, 1, sizeof(data), f)) > 0)
                buf_append(ret, data, n);
        return pclose(f);
}

#define PYTHON_TAR                                                                     \
        "python3 -c 'import io, sys, tarfile\n"                                        \
        "t = tarfile.open(sys.argv[1]) if len(sys.argv) > 1 else \\\n"                 \
        "    tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()), mode=\"r:\")\n" \
        "for m in t:\n"                                                                \
        "    assert m.isreg(), m\n"                                                    \
        "    assert len(t.extractfile(m).read()) == m.size, m\n"                       \
        "    print(m.size, m.name)' "
#define PYTHON_ZIP                           \
        "python3 -c 'import sys, zipfile\n"  \
        "z = zipfile.ZipFile(sys.argv[1])\n" \
        "assert z.testzip() is None\n"       \
        "for i in z.infolist(): print(i.file_size, i.filename)' @"
#define GNU_TAR                                      \
        "tar --quoting-style=literal -tvf @ 2>&1 | " \
        "sed -E 's/^-[rwx-]{9} +[^ ]+ +([0-9]+) [^ ]+ [^ ]+ (.*)$/\\1 \\2/'"
#define BSDTAR                         \
        "bsdtar -tvf @ 2>&1 | sed -E " \
        "'s/^-[rwx-]{9} +[0-9]+ +[^ ]+ +[^ ]+ +([0-9]+) +[A-Z][a-z]+ +[0-9]+ +[0-9:]+ (.*)$/\\1 \\2/;s/\\\\\\\\/\\\\/g'"

/* Who lists what; and who gives all content, one entry behind the other. */
static const struct {
        const char *name;
        unsigned formats;
        const char *list, *content;
} readers[] = {
        {"GNU tar", 1u << ARCHIVE_TAR_ZSTD | 1u << ARCHIVE_TAR_GZIP, GNU_TAR,                       "tar -xOf @"   },
        {"bsdtar",  1u << ARCHIVE_TAR_ZSTD | 1u << ARCHIVE_TAR_GZIP, BSDTAR,                        "bsdtar -xOf @"},
        {"Python",  1u << ARCHIVE_TAR_ZSTD,                          "zstd -qdc < @ | " PYTHON_TAR, NULL           },
        {"Python",  1u << ARCHIVE_TAR_GZIP,                          PYTHON_TAR "@",                NULL           },
        {"Python",  1u << ARCHIVE_ZIP,                               PYTHON_ZIP,                    NULL           },
        {"unzip",   1u << ARCHIVE_ZIP,                               NULL,                          "unzip -p @"   },
        {"bsdtar",  1u << ARCHIVE_ZIP,                               BSDTAR,                        "bsdtar -xOf @"},
};

static inline void must_be_listed(enum archive_format format, int fd, const char *want,
                                  const struct buf *content)
{
        for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                _cleanup_(buf_done) struct buf list = {0}, all = {0};

                if (!(readers[i].formats & 1u << format))
                        continue;
                if (readers[i].list) {
                        ck_assert_int_eq(shell(&list, readers[i].list, fd), 0);
                        ck_assert_msg(streq(buf_cstr(&list), want),
                                      "%s of %s says:\n%.700s\nnot\n%.700s", readers[i].name,
                                      archive_format_to_string(format), buf_cstr(&list), want);
                }
                if (!content || !readers[i].content)
                        continue;
                ck_assert_int_eq(shell(&all, readers[i].content, fd), 0);
                ck_assert_msg(all.n == content->n &&
                                      memcmp(buf_cstr(&all), buf_cstr(content), all.n) == 0,
                              "%s of %s: other content", readers[i].name,
                              archive_format_to_string(format));
        }
}

/* Like a log: compressible, never the same twice. */
static inline void append_lines(struct buf *b, size_t n, unsigned seed)
{
        size_t end = b->n + n;

        while (b->n < end) {
                seed = seed * 1103515245u + 12345u;
                buf_printf(b, "Nov 21 00:04:07 node-%u mesos[%u]: task %08x is TASK_RUNNING\n",
                           seed >> 28, seed >> 16 & 0xfff, seed);
        }
        b->n = end;
}

static inline struct archive *new_archive(enum archive_format format, bool fragment, int fd)
{
        struct archive_options options = {.format = format, .fragment = fragment, .fd = fd};
        struct archive *a = NULL;
        struct err e = {0};

        ck_assert_msg(archive_new(&a, &options, &e) == 0, "%s", e.text);
        return a;
}
