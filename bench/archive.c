/*
 * How fast do files become an archive, and back?
 *
 *     archive [MIB [FILES]]
 *
 * Log-like text in so many files in memory goes through each format, one thread, into a file in memory; then, of
 * fragments, through the walk that a master makes of them. Beside it, in the same run: libzstd alone, level 1,
 * one stream, the same reads and writes. MB are 10^6 bytes of text. RssAnon is looked at every 16 MiB.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <zstd.h>

#include "base/buf.h"
#include "base/mono.h"
#include "bundles/fragment.h"

#define MIB_DEFAULT   500ul
#define FILES_DEFAULT 10ul
#define READ_BYTES    (64u * 1024u)
#define LOOK_BYTES    (UINT64_C(16) << 20)
#define LINE_BYTES    256u
#define PREFIX        "10.0.0.9_agent"

struct text {
        int *fds;
        size_t n_files;
        uint64_t n_bytes;
};

struct run {
        uint64_t wall_usec, cpu_usec, n_out, rss_before, rss_peak, n_looked;
};

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
        (void)fprintf(stderr, "archive: %s: %s\n", what, why);
        exit(1);
}

static int memory_file(void)
{
        int fd = memfd_create("bench", MFD_CLOEXEC);

        if (fd < 0)
                die("memfd_create", strerror(errno));
        return fd;
}

static void put(int fd, const void *data, size_t n)
{
        const char *at = data;

        while (n > 0) {
                ssize_t n_now = write(fd, at, n);

                if (n_now < 0)
                        die("write", strerror(errno));
                at += n_now;
                n -= (size_t)n_now;
        }
}

/* --- text -------------------------------------------------------------------------------------------- */

/* What varies in logs: times and ids rise or are random, words are few. */
static size_t make_line(char line[static LINE_BYTES], uint64_t i, uint64_t *x)
{
        static const char *const units[] = {"mesos-agent", "dcos-net", "dockerd",
                                            "kernel",      "sshd",     "systemd"};
        static const char *const words[] = {"Received status update TASK_RUNNING for task",
                                            "Forwarding acknowledgement of executor",
                                            "Garbage collecting container",
                                            "connection established with peer",
                                            "GET /metrics/snapshot 200",
                                            "Failed to probe endpoint, will retry",
                                            "Accepted publickey for core from"};
        int n;

        *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        n = snprintf(
                line, LINE_BYTES,
                "2026-11-21T%02u:%02u:%02u.%06u node-17 %s[%u]: %s %08x-%04x in %ums (attempt %u)\n",
                (unsigned)(i / 3600000 % 24), (unsigned)(i / 60000 % 60), (unsigned)(i / 1000 % 60),
                (unsigned)(*x >> 44), units[*x >> 61 & 3], (unsigned)(1200 + (*x >> 33 & 15)),
                words[(*x >> 36) % ELEMENTSOF(words)], (unsigned)(*x >> 20 & 0xffffff),
                (unsigned)(*x >> 50 & 0xff), (unsigned)(*x >> 57), (unsigned)(*x >> 62));
        return (size_t)n;
}

static void make_file(int fd, uint64_t n_bytes, uint64_t seed)
{
        _cleanup_(buf_done) struct buf b = {0};
        char line[LINE_BYTES];

        for (uint64_t i = 0, n = 0; n < n_bytes; i++) {
                size_t n_line = make_line(line, i, &seed);

                n += n_line;
                buf_append(&b, line, n_line);
                if (b.n > READ_BYTES || n >= n_bytes) {
                        put(fd, b.data, b.n);
                        buf_clear(&b);
                }
        }
}

static struct text make_text(uint64_t n_bytes, size_t n_files)
{
        struct text t = {.fds = calloc(n_files, sizeof(int)), .n_files = n_files};

        if (!t.fds)
                die("calloc", "out of memory");
        for (size_t i = 0; i < n_files; i++) {
                t.fds[i] = memory_file();
                make_file(t.fds[i], n_bytes / n_files, i + 1);
                t.n_bytes += (uint64_t)lseek(t.fds[i], 0, SEEK_CUR);
        }
        return t;
}

/* --- stopwatch --------------------------------------------------------------------------------------- */

static uint64_t rss_anon(void)
{
        char line[LINE_BYTES];
        uint64_t n = 0;
        FILE *f = fopen("/proc/self/status", "re");

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %" SCNu64, &n) == 1)
                        break;
        if (f)
                (void)fclose(f);
        return n;
}

static uint64_t cpu_usec(void)
{
        struct rusage u;

        (void)getrusage(RUSAGE_SELF, &u);
        return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * USEC_PER_SEC +
               (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void look(struct run *r, uint64_t n)
{
        if (n < r->n_looked + LOOK_BYTES)
                return;
        r->n_looked = n;
        n = rss_anon();
        r->rss_peak = n > r->rss_peak ? n : r->rss_peak;
}

static void begin(struct run *r)
{
        *r = (struct run){.rss_before = rss_anon()};
        r->cpu_usec = cpu_usec();
        r->wall_usec = now_mono_usec();
}

static void end(struct run *r, const char *name, const struct text *t)
{
        double wall, cpu;

        r->wall_usec = now_mono_usec() - r->wall_usec;
        r->cpu_usec = cpu_usec() - r->cpu_usec;
        wall = (double)r->wall_usec / USEC_PER_SEC;
        cpu = (double)r->cpu_usec / USEC_PER_SEC;
        printf("%-22s %6.2f s %5.0f MB/s   CPU %6.2f s %5.0f MB/s   1/%.2f   RssAnon +%.1f MiB\n",
               name, wall, (double)t->n_bytes / 1e6 / wall, cpu, (double)t->n_bytes / 1e6 / cpu,
               (double)t->n_bytes / (double)r->n_out,
               r->rss_peak > r->rss_before ? (double)(r->rss_peak - r->rss_before) / 1024 : 0.0);
        (void)fflush(stdout);
}

/* --- what is compared -------------------------------------------------------------------------------- */

/* Each file once, in pieces. */
static void read_all(const struct text *t, struct run *r, void (*on_file)(size_t i, void *userdata),
                     void (*on_piece)(const void *data, size_t n, void *userdata), void *userdata)
{
        char data[READ_BYTES];
        uint64_t n_all = 0;
        ssize_t n;

        for (size_t i = 0; i < t->n_files; i++) {
                (void)lseek(t->fds[i], 0, SEEK_SET);
                on_file(i, userdata);
                while ((n = read(t->fds[i], data, sizeof(data))) > 0) {
                        on_piece(data, (size_t)n, userdata);
                        n_all += (uint64_t)n;
                        look(r, n_all);
                }
        }
}

struct alone {
        ZSTD_CCtx *zstd;
        int fd;
        uint64_t n_out;
};

static void alone_run(struct alone *z, const void *data, size_t n, ZSTD_EndDirective mode)
{
        static char out[128 * 1024];
        ZSTD_inBuffer in = {data, n, 0};
        size_t left;

        do {
                ZSTD_outBuffer o = {out, sizeof(out), 0};

                left = ZSTD_compressStream2(z->zstd, &o, &in, mode);
                if (ZSTD_isError(left))
                        die("zstd", ZSTD_getErrorName(left));
                put(z->fd, out, o.pos);
                z->n_out += o.pos;
        } while (mode == ZSTD_e_end ? left > 0 : in.pos < in.size);
}

static void alone_file(_unused_ size_t i, _unused_ void *userdata)
{
}

static void alone_piece(const void *data, size_t n, void *userdata)
{
        alone_run(userdata, data, n, ZSTD_e_continue);
}

static void bench_alone(const struct text *t)
{
        struct alone z = {.zstd = ZSTD_createCCtx(), .fd = memory_file()};
        struct run r;

        (void)ZSTD_CCtx_setParameter(z.zstd, ZSTD_c_compressionLevel, 1);
        begin(&r);
        read_all(t, &r, alone_file, alone_piece, &z);
        alone_run(&z, NULL, 0, ZSTD_e_end);
        r.n_out = z.n_out;
        end(&r, "libzstd -1 alone", t);
        ZSTD_freeCCtx(z.zstd);
        (void)close(z.fd);
}

static void must(const struct archive *a, int k)
{
        if (k < 0)
                die("archive", archive_error(a)->text);
}

static void archive_file(size_t i, void *userdata)
{
        char path[64];

        if (i > 0)
                must(userdata, archive_end(userdata, NULL));
        (void)snprintf(path, sizeof(path), PREFIX "/var/log/file-%zu.log", i);
        must(userdata, archive_begin(userdata, path, now_wall_usec()));
}

static void archive_piece(const void *data, size_t n, void *userdata)
{
        must(userdata, archive_append(userdata, data, n));
}

static void bench_archive(const struct text *t, int fd, enum archive_format format, bool fragment)
{
        struct archive_options options = {.format = format, .fragment = fragment, .fd = fd};
        struct archive *a;
        struct err e = {0};
        struct run r;

        if (archive_new(&a, &options, &e) < 0)
                die("archive", e.text);
        begin(&r);
        read_all(t, &r, archive_file, archive_piece, a);
        must(a, archive_end(a, NULL));
        must(a, archive_finish(a));
        r.n_out = archive_written(a);
        end(&r, archive_format_to_string(format), t);
        archive_free(a);
}

struct walked {
        struct run run;
        uint64_t n_all;
};

static int on_data(_unused_ const void *data, size_t n, void *userdata)
{
        struct walked *w = userdata;

        w->n_all += n;
        look(&w->run, w->n_all);
        return 0;
}

static void bench_walk(const struct text *t, int fd, enum archive_format format)
{
        const struct fragment_terms terms = {.format = format, .prefix = PREFIX};
        struct walked w = {0};
        const struct fragment_visitor visitor = {.on_data = on_data, .userdata = &w};
        struct fragment_result result;
        char name[32];

        (void)lseek(fd, 0, SEEK_SET);
        (void)snprintf(name, sizeof(name), "walk of %s", archive_format_to_string(format));
        begin(&w.run);
        if (fragment_walk(fd, &terms, &visitor, &result, NULL) < 0 || !result.whole)
                die("walk", result.fault);
        w.run.n_out = result.n_compressed;
        end(&w.run, name, t);
}

static unsigned long number(int argc, char **argv, int i, unsigned long otherwise)
{
        return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
        unsigned long mib = number(argc, argv, 1, MIB_DEFAULT),
                      n_files = number(argc, argv, 2, FILES_DEFAULT);
        struct text t;

        if (argc > 3 || !mib || !n_files || n_files > mib * 1024) {
                (void)fprintf(stderr, "usage: archive [MIB [FILES]]\n");
                return 2;
        }
        t = make_text((uint64_t)mib << 20, n_files);
        printf("%.0f MB in %zu files, one thread\n", (double)t.n_bytes / 1e6, t.n_files);
        bench_alone(&t);
        for (enum archive_format f = ARCHIVE_TAR_ZSTD; f < ARCHIVE_N_FORMATS; f++) {
                int fd = memory_file();

                bench_archive(&t, fd, f, f != ARCHIVE_ZIP);
                if (f != ARCHIVE_ZIP)
                        bench_walk(&t, fd, f);
                (void)close(fd);
        }
        return 0;
}
