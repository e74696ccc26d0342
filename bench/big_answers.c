/*
 * What does a report of a whole cluster cost, which is a rope: 1,000 nodes, each with a fragment that is
 * part of the report once for each of 30 units? Serves it from a process of its own over loopback TCP, to
 * one reader and to 32 at once, as it is and compressed:
 *
 *     big_answers [SECONDS [ADDRESS]]        of each of the four; where to listen (default: 127.0.0.1:1099)
 *
 * The readers look at nothing and share the machine's cores with the server: they are part of the load.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "api/server.h"
#include "base/json_write.h"
#include "bench/ask.h"

#define N_NODES      1000u
#define N_UNITS      30u
#define READERS_MAX  32u
#define BLOCK_BYTES  262144u
#define LOOK_MSEC    50
#define NSEC_PER_SEC UINT64_C(1000000000)

/* --- the report ------------------------------------------------------------------------------- */

static void write_output(struct json_writer *w, unsigned node)
{
        char name[64], text[512];

        jw_key(w, "Output");
        jw_begin_object(w);
        for (unsigned i = 0; i < N_UNITS; i++) {
                bool bad = (node * 7 + i) % 10 == 0;

                (void)snprintf(name, sizeof(name), "dcos-component-with-a-name-%u.service", i);
                (void)snprintf(text, sizeof(text),
                               "exited with status %u (EXEC)\n"
                               "Nov 21 00:04:%02u node-%u component[%u]: cannot open "
                               "/var/lib/dcos/component-%u/state.%08x: No such file or directory\n"
                               "Nov 21 00:04:%02u node-%u component[%u]: leader 10.0.%u.%u:5050 "
                               "does not answer since %u ms; giving up after %u attempts\n",
                               i, node % 60, node, node * 7919 % 32768, i, node * 2654435761u,
                               node % 59, node, node * 7919 % 32768, node % 250, i,
                               node * 104729 % 100000, i);
                jw_member_string(w, name, bad ? text : "");
        }
        jw_end_object(w);
}

static struct blob *make_fragment(unsigned node)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};
        char ip[32], mesos[96];

        (void)snprintf(ip, sizeof(ip), "10.%u.%u.%u", node >> 8, node & 0xff, 1 + node % 250);
        (void)snprintf(mesos, sizeof(mesos), "%08x-%04x-%04x-S%u", node * 2654435761u,
                       node * 40503u & 0xffff, node * 30011u & 0xffff, node);
        jw_begin_object(&w);
        jw_member_bool(&w, "Leader", node == 0);
        jw_member_string(&w, "Role", node < 3 ? "master" : "agent");
        jw_member_string(&w, "IP", ip);
        jw_member_string(&w, "Host", ip);
        jw_member_uint(&w, "Health", node % 97 == 0);
        write_output(&w, node);
        jw_member_string(&w, "MesosID", mesos);
        jw_end_object(&w);
        return blob_new_take(&b);
}

static void add_unit(struct rope_builder *rb, unsigned unit, struct blob *const fragments[])
{
        buf_printf(&rb->text, "%s\"dcos-component-with-a-name-%u.service\":{\"UnitName\":\"%u\",",
                   unit ? "," : "", unit, unit);
        buf_puts(&rb->text, "\"Nodes\":[");
        for (unsigned i = 0; i < N_NODES; i++) {
                if (i > 0)
                        buf_putc(&rb->text, ',');
                rope_builder_add(rb, fragments[i]);
        }
        buf_puts(&rb->text, "],\"Health\":0,\"Title\":\"\",\"PrettyName\":\"\"}");
}

static struct rope *make_report(struct blob *const fragments[])
{
        struct rope_builder rb = {0};

        buf_puts(&rb.text, "{\"Units\":{");
        for (unsigned i = 0; i < N_UNITS; i++)
                add_unit(&rb, i, fragments);
        buf_puts(&rb.text, "}}\n");
        return rope_new_take(&rb);
}

/* --- the server ------------------------------------------------------------------------------- */

static int handle(const struct request *q, struct reply *r)
{
        reply_may_encode(r);
        return reply_rope(r, 200, "application/json", rope_ref(q->host));
}

static double msec_since(uint64_t nsec)
{
        return (double)(now_nsec() - nsec) / 1e6;
}

/* Also what it costs to make; compressed once before anybody asks, so that this is not in the figures. */
static struct rope *prepare(void)
{
        static struct blob *fragments[N_NODES];
        struct rope *report, *gzip;
        uint64_t began = now_nsec();

        for (unsigned i = 0; i < N_NODES; i++)
                fragments[i] = make_fragment(i);
        printf("%u fragments of %zu bytes: %.1f ms\n", N_NODES, blob_size(fragments[0]),
               msec_since(began));
        began = now_nsec();
        report = make_report(fragments);
        printf("the report, %.1f MB: %.1f ms, %.2f MB of its own\n",
               (double)rope_size(report) / 1e6, msec_since(began),
               (double)rope_own_bytes(report) / 1e6);
        began = now_nsec();
        for (unsigned i = 0; i < N_NODES; i++)
                blob_unref(blob_gzip(fragments[i], GZIP_WELL));
        printf("fragments compressed: %.1f ms\n", msec_since(began));
        began = now_nsec();
        gzip = rope_gzip(report, UINT64_MAX);
        printf("compressed report, %.1f MB: %.1f ms, %.2f MB of its own\n",
               (double)rope_size(gzip) / 1e6, msec_since(began),
               (double)rope_own_bytes(gzip) / 1e6);
        rope_unref(gzip);
        return report;
}

/* Until @until is closed. */
static int serve(const char *listen_to, int tell, int until)
{
        static const struct route routes[] = {
                {"GET", "/report", handle},
                {NULL,  NULL,      NULL  }
        };
        static const struct route *const tables[] = {routes, NULL};
        static const struct router router = {tables, NULL};
        static const struct authority authority = {.operators = (gid_t)-1};
        struct server_options options = {.router = &router, .authority = &authority};
        char text[SOCK_ADDRESS_MAX];
        struct sock_address address;
        struct server *s = NULL;
        struct err e = {0};
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        options.host = prepare();
        if (parse_listen(listen_to, &address) < 0 || parked_new(&options.parked) < 0 ||
            server_new(&s, &options, &e) < 0 || server_listen(s, &address, &e) < 0) {
                (void)fprintf(stderr, "%s: %s\n", listen_to, e.text);
                return 1;
        }
        sock_address_format(text, server_listener_address(s, 0));
        if (write(tell, text, sizeof(text)) != sizeof(text) || read(until, text, 1) < 0)
                return 1;
        server_free(s);
        parked_free(options.parked);
        return 0;
}

/* --- readers ---------------------------------------------------------------------------------- */

struct reader {
        int fd;
        uint64_t n_left; /* of the answer; 0: its head comes next */
};

struct load {
        const char *address, *headers;
        int server_pid;
        struct reader readers[READERS_MAX];
        size_t n_readers;
        uint64_t n_answer, n_bytes; /* of one, and all that were read */
        uint64_t anon_kib;          /* the most that was seen */
};

static uint64_t anon_kib(int pid)
{
        char path[64], line[128];
        uint64_t kib = 0;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (strncmp(line, "RssAnon:", strlen("RssAnon:")) == 0)
                        kib = strtoull(line + strlen("RssAnon:"), NULL, 10);
        if (f)
                (void)fclose(f);
        return kib;
}

static int reader_ask(struct load *l, struct reader *r)
{
        r->n_left = 0;
        return ask_send(r->fd, "/report", l->headers);
}

/* All of a head comes at once. Return: bytes of it, or -errno. */
static ssize_t reader_take_head(struct load *l, struct reader *r, const char *bytes, ssize_t n)
{
        const char *end = memmem(bytes, (size_t)n, "\r\n\r\n", 4);
        const char *length = memmem(bytes, (size_t)n, "\r\nContent-Length: ", 18);

        if (!end || !length || memcmp(bytes, "HTTP/1.1 200", 12) != 0)
                return -EBADMSG;
        l->n_answer = r->n_left = strtoull(length + 18, NULL, 10);
        return end + 4 - bytes;
}

static int reader_on_readable(struct load *l, struct reader *r)
{
        static char bytes[BLOCK_BYTES];
        ssize_t n = recv(r->fd, bytes, sizeof(bytes), 0), n_head = 0;

        if (n <= 0)
                return n < 0 ? -errno : -ECONNRESET;
        if (r->n_left == 0)
                n_head = reader_take_head(l, r, bytes, n);
        if (n_head < 0)
                return (int)n_head;
        l->n_bytes += (uint64_t)(n - n_head);
        r->n_left -= (uint64_t)(n - n_head);
        return r->n_left == 0 ? reader_ask(l, r) : 0;
}

static int open_readers(struct load *l, int epoll)
{
        for (size_t i = 0; i < l->n_readers; i++) {
                struct reader *r = &l->readers[i];
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = r};

                r->fd = ask_connect(l->address);
                if (r->fd < 0)
                        return r->fd;
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &event) < 0 || reader_ask(l, r) < 0)
                        return -EIO;
        }
        return 0;
}

static int read_until(struct load *l, int epoll, uint64_t end_nsec)
{
        struct epoll_event events[READERS_MAX];
        uint64_t look_nsec = 0;

        for (uint64_t now; (now = now_nsec()) < end_nsec;) {
                int n = epoll_wait(epoll, events, ELEMENTSOF(events), LOOK_MSEC);

                for (int i = 0; i < n; i++) {
                        int k = reader_on_readable(l, events[i].data.ptr);

                        if (k < 0)
                                return k;
                }
                if (now >= look_nsec) {
                        uint64_t kib = anon_kib(l->server_pid);

                        l->anon_kib = kib > l->anon_kib ? kib : l->anon_kib;
                        look_nsec = now + LOOK_MSEC * NSEC_PER_SEC / 1000;
                }
        }
        return 0;
}

static int run(struct load *l, unsigned long seconds)
{
        _cleanup_(closep) int epoll = epoll_create1(EPOLL_CLOEXEC);
        uint64_t began = now_nsec(), cpu = process_cpu_nsec(l->server_pid);
        int k = open_readers(l, epoll);
        double n_answers;

        if (k >= 0)
                k = read_until(l, epoll, began + seconds * NSEC_PER_SEC);
        cpu = process_cpu_nsec(l->server_pid) - cpu;
        for (size_t i = 0; i < l->n_readers; i++)
                if (l->readers[i].fd > 0)
                        close(l->readers[i].fd);
        if (k < 0 || !l->n_answer)
                return k < 0 ? k : -ENODATA;
        n_answers = (double)l->n_bytes / (double)l->n_answer;
        printf("%-10s %2zu reader%s: %6.1f answers/s of %.1f MB, %4.0f MB/s; CPU an answer %.1f ms; "
               "RssAnon at most %.1f MiB\n",
               l->headers[0] ? "compressed" : "plain", l->n_readers, l->n_readers > 1 ? "s" : " ",
               n_answers / ((double)(now_nsec() - began) / 1e9), (double)l->n_answer / 1e6,
               (double)l->n_bytes / 1e6 / ((double)(now_nsec() - began) / 1e9),
               (double)cpu / 1e6 / n_answers, (double)l->anon_kib / 1024);
        return 0;
}

static int run_all(int server_pid, const char *address, unsigned long seconds)
{
        static const char *const headers[] = {"", "Accept-Encoding: gzip\r\n"};
        static const size_t n_readers[] = {1, READERS_MAX};

        for (size_t i = 0; i < ELEMENTSOF(headers); i++)
                for (size_t j = 0; j < ELEMENTSOF(n_readers); j++) {
                        struct load l = {
                                .address = address,
                                .headers = headers[i],
                                .server_pid = server_pid,
                                .n_readers = n_readers[j],
                        };
                        int k = run(&l, seconds);

                        if (k < 0) {
                                (void)fprintf(stderr, "%s: %s\n", address, strerror(-k));
                                return 1;
                        }
                }
        return 0;
}

int main(int argc, char **argv)
{
        unsigned long seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
        const char *listen_to = argc > 2 ? argv[2] : "127.0.0.1:1099";
        int told[2], until[2], status = 1, k = 1, pid;
        char address[SOCK_ADDRESS_MAX];

        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        if (seconds == 0 || seconds > 600 || pipe(told) < 0 || pipe(until) < 0)
                return 2;
        pid = fork();
        if (pid < 0)
                return 1;
        if (pid == 0) {
                close(until[1]);
                exit(serve(listen_to, told[1], until[0]));
        }
        close(told[1]);
        if (read(told[0], address, sizeof(address)) == sizeof(address))
                k = run_all(pid, address, seconds);
        close(until[1]);
        (void)waitpid(pid, &status, 0);
        return k || status;
}
