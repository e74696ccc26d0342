/*
 * journal fill N         write N entries like those of a busy service, as the unit that we run in
 * journal read UNIT      how many entries a second come out of the journal, as a collector reads it: the reading
 *                        alone; masked and compressed; compressed only
 *
 * Inside a node, best: systemd-run --wait --unit=bench-journal -p LogRateLimitIntervalSec=0 journal fill 500000, then
 * journal read bench-journal.service. The first reading warms the page cache and does not count.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-journal.h>

#include "base/buf.h"
#include "base/mono.h"
#include "base/redact.h"
#include "bundles/archive.h"
#include "bundles/source.h"

#define ROUNDS 3u

struct counts {
        uint64_t n_entries, n_bytes;
        struct archive *archive;
        struct redactor *redactor;
        struct buf clean;
};

/* Paced by the socket alone: journald takes what it can. */
static int fill(unsigned long n)
{
        for (unsigned long i = 0; i < n; i++)
                (void)sd_journal_print(
                        6,
                        "I1121 00:04:07.%06lu 4711 master.cpp:%lu] Sending 1 offers to framework "
                        "%lx-0001 (service) at scheduler-%lu@10.0.0.%lu:15101",
                        i % 1000000, i % 9000, i * 2654435761u, i, i % 254);
        return 0;
}

static int take(const void *data, size_t n, void *userdata)
{
        struct counts *c = userdata;

        for (const char *p = data, *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
                c->n_entries++;
        c->n_bytes += n;
        if (!c->archive)
                return 0;
        if (!c->redactor)
                return archive_append(c->archive, data, n);
        redactor_feed(c->redactor, data, n, &c->clean);
        n = c->clean.n;
        if (n > 0 && archive_append(c->archive, c->clean.data, n) < 0)
                return -EIO;
        buf_clear(&c->clean);
        return c->clean.error;
}

static double cpu_seconds(int who)
{
        struct rusage u;

        (void)getrusage(who, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int read_once(const char *unit, struct counts *c, bool is_shown, const char *how)
{
        const struct source s = {
                .kind = SOURCE_JOURNAL,
                .way = SOURCE_WAY_JOURNAL,
                .unit = (char *)unit,
                .timeout_usec = 600 * USEC_PER_SEC,
                .max_bytes = UINT64_C(64) << 30,
        };
        const struct source_context context = {
                .cancel_fd = -1,
                .root = "",
                .plain_user = "nobody",
                .since_wall_usec = 1,
        };
        double of_reader = cpu_seconds(RUSAGE_CHILDREN), of_us = cpu_seconds(RUSAGE_SELF);
        uint64_t started = now_mono_usec(), took;
        struct source_outcome o;
        int k = source_read(&s, NULL, &context, take, c, &o);

        took = usec_since(now_mono_usec(), started) + 1;
        if (k < 0 || o.error) {
                (void)fprintf(stderr, "journal: %s\n", k < 0 ? strerror(-k) : o.text);
                return -EIO;
        }
        of_reader = cpu_seconds(RUSAGE_CHILDREN) - of_reader;
        of_us = cpu_seconds(RUSAGE_SELF) - of_us;
        if (is_shown)
                (void)printf(
                        "%-24s %8ju entries, %6.1f MB, %5.2f s: %8.0f entries/s; CPU of who reads "
                        "%5.2f s: %8.0f entries/s, of who takes them %5.2f s\n",
                        how, (uintmax_t)c->n_entries, (double)c->n_bytes / 1e6, (double)took / 1e6,
                        (double)c->n_entries * 1e6 / (double)took, of_reader,
                        (double)c->n_entries / of_reader, of_us);
        return 0;
}

static int compress(const char *unit, bool redact, const char *how)
{
        const uint8_t salt[REDACT_SALT_BYTES] = {1};
        struct archive_options options = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
        struct counts c = {.clean.max = 64u << 20};
        struct err e = {0};
        int k = archive_new(&c.archive, &options, &e);

        if (k >= 0 && redact)
                k = redactor_new(&c.redactor, NULL, salt);
        if (k >= 0)
                k = archive_begin(c.archive, unit, 1);
        if (k >= 0)
                k = read_once(unit, &c, true, how);
        archive_free(c.archive);
        redactor_free(c.redactor);
        buf_done(&c.clean);
        close(options.fd);
        return k;
}

static int read_all(const char *unit)
{
        int k = 0;

        for (unsigned i = 0; i <= ROUNDS && k >= 0; i++) {
                struct counts c = {0};

                k = read_once(unit, &c, i > 0, "read");
        }
        for (unsigned i = 0; i < ROUNDS && k >= 0; i++)
                k = compress(unit, false, "read, zstd -1");
        for (unsigned i = 0; i < ROUNDS && k >= 0; i++)
                k = compress(unit, true, "read, masked, zstd -1");
        return k < 0;
}

int main(int argc, char **argv)
{
        if (argc == 3 && streq(argv[1], "fill"))
                return fill(strtoul(argv[2], NULL, 10));
        if (argc == 3 && streq(argv[1], "read"))
                return read_all(argv[2]);
        (void)fprintf(stderr, "journal fill N | journal read UNIT\n");
        return 2;
}
