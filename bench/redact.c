/*
 * How fast bundles are redacted: MB/s of CPU time on one thread, with each way of looking, over texts made here:
 * a journal, nginx's log, one with secrets in a twentieth of its lines, JSON with a line for each record, and JSON
 * without any newline.
 *
 *     redact [MEBIBYTES-OF-EACH]
 */

#include <stdio.h>
#include <time.h>

#include "base/redact_scan.h"

#define FEED_BYTES 131072u
#define ROUNDS     3u

static unsigned next_random(unsigned *seed)
{
        *seed = *seed * 1103515245u + 12345u;
        return *seed >> 8;
}

static void add_journal(struct buf *b, unsigned *seed)
{
        static const char *const says[] = {
                "I1121 21:09:01.%06u  1234 master.cpp:1234] Processing ACCEPT call for offers: [ 2b7a-O%u ]",
                "systemd[1]: dcos-mesos-slave.service: Main process exited, code=exited, status=%u/FAILURE (%u)",
                "sshd[%u]: Accepted publickey for core from 10.0.0.7 port %u ssh2: RSA SHA256:AbCdEf",
                "kernel: [%u.123456] IPv4: martian source 10.0.0.%u from 10.0.3.2, on dev eth0",
                "java[%u]: INFO  Session establishment complete on server, sessionid = 0x%u, timeout = 40000",
                "dockerd[%u]: time=\"2026-11-21T21:09:01\" level=info msg=\"shim reaped\" id=%u module=containerd",
                "I1121 21:09:02.%06u  1240 slave.cpp:5678] Received status update TASK_RUNNING for task web.%u",
                "dcos-net[%u]: [info] connection from keepalive peer, tokens left, author %u",
        };

        buf_puts(b, "Nov 21 21:09:01 ip-10-0-0-12.ec2.internal ");
        buf_printf(b, says[next_random(seed) % ELEMENTSOF(says)], next_random(seed) % 65536,
                   next_random(seed) % 4096);
        buf_putc(b, '\n');
}

static void add_nginx(struct buf *b, unsigned *seed)
{
        buf_printf(
                b,
                "10.0.0.%u - - [21/Nov/2026:21:09:01 +0000] \"GET /service/marathon/v2/apps/%u HTTP/1.1\" "
                "200 %u \"http://dcos.example.org/\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\"\n",
                next_random(seed) % 256, next_random(seed) % 1000, next_random(seed));
}

static void add_suspicious(struct buf *b, unsigned *seed)
{
        static const char *const says[] = {
                "app[12]: connecting with user=bob password=hunter2-%u\n",
                "app[12]: GET http://bob:hunter2-%u@db.example.org/ failed\n",
                "app[12]: Authorization: Bearer abcdefgh%u\n",
                "app[12]: {\"user\":\"bob\",\"api_key\":\"k-%u\"}\n",
        };

        if (next_random(seed) % 20 > 0) {
                add_journal(b, seed);
                return;
        }
        buf_puts(b, "Nov 21 21:09:01 ip-10-0-0-12.ec2.internal ");
        buf_printf(b, says[next_random(seed) % ELEMENTSOF(says)], next_random(seed) % 100000);
}

static void add_record(struct buf *b, unsigned *seed)
{
        buf_printf(
                b,
                "{\"id\":\"web.%u\",\"framework_id\":\"2b7a-%u\",\"state\":\"TASK_RUNNING\",\"resources\":"
                "{\"cpus\":0.5,\"mem\":%u,\"ports\":\"[31000-31001]\"},\"labels\":[{\"key\":\"HAPROXY\","
                "\"value\":\"external\"}],\"statuses\":[{\"state\":\"TASK_RUNNING\",\"timestamp\":%u}]},",
                next_random(seed), next_random(seed) % 100, next_random(seed) % 8192,
                next_random(seed));
}

static void add_json_lines(struct buf *b, unsigned *seed)
{
        add_record(b, seed);
        buf_putc(b, '\n');
}

static const struct {
        const char *title;
        void (*add)(struct buf *b, unsigned *seed);
} texts[] = {
        {"journal",                   add_journal   },
        {"nginx",                     add_nginx     },
        {"journal, 5 % with secrets", add_suspicious},
        {"JSON lines",                add_json_lines},
        {"JSON in one line",          add_record    },
};

static const struct {
        const char *title;
        enum redact_speed speed;
} ways[] = {
        {"no filter", REDACT_NONE    },
        {"portable",  REDACT_PORTABLE},
        {"ssse3",     REDACT_SSSE3   },
        {"avx2",      REDACT_AVX2    },
};

static double cpu_seconds(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double redact_all(struct redactor *r, const struct buf *text, uint64_t *ret_n_masked)
{
        _cleanup_(buf_done) struct buf out = {0};
        double begin = cpu_seconds();

        for (size_t at = 0; at < text->n; at += FEED_BYTES) {
                size_t n = text->n - at < FEED_BYTES ? text->n - at : FEED_BYTES;

                redactor_feed(r, text->data + at, n, &out);
                buf_clear(&out);
        }
        *ret_n_masked = redactor_end(r, &out);
        return cpu_seconds() - begin;
}

/* The best round: what others do on the machine only makes it slower. */
static void measure(const char *title, const struct buf *text, enum redact_speed speed)
{
        static const uint8_t salt[REDACT_SALT_BYTES] = {1};
        const struct redactor_setup setup = {.salt = salt, .speed = speed};
        _cleanup_(redactor_freep) struct redactor *r = NULL;
        double best = 0, took;
        uint64_t n_masked = 0;

        if (redactor_new_with(&r, &setup) < 0) {
                (void)printf("  %-10s not on this machine\n", title);
                return;
        }
        for (unsigned i = 0; i < ROUNDS; i++) {
                took = redact_all(r, text, &n_masked);
                if (best == 0 || took < best)
                        best = took;
        }
        (void)printf("  %-10s %8.0f MB/s, %lu masked\n", title, (double)text->n / best / 1e6,
                     n_masked);
}

int main(int argc, char **argv)
{
        size_t n_bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 32) << 20;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(buf_done) struct buf text = {0};
                unsigned seed = 1;

                while (text.n < n_bytes && !text.error)
                        texts[i].add(&text, &seed);
                (void)printf("%s, %.0f MB\n", texts[i].title, (double)text.n / 1e6);
                for (size_t k = 0; k < ELEMENTSOF(ways); k++)
                        measure(ways[k].title, &text, ways[k].speed);
        }
        return EXIT_SUCCESS;
}
