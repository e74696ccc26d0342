/*
 * How soon after its start does a daemon tell the truth? Run inside a node:
 *
 *     first_answer ADDRESS UNITS RUNS PROGRAM [ARGUMENT…]
 *
 * Starts the program, connects as soon as somebody listens, and asks once. Measured is the time from
 * just before fork() to the last byte of a 200 that knows all units; any other first answer is said.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "bench/ask.h"
#include "bench/distribution.h"

#define TRY_NSEC      100000u
#define PATIENCE_NSEC UINT64_C(10000000000)
#define BETWEEN_NSEC  200000000u

struct bench {
        const char *address;
        unsigned n_units, n_untrue;
        char **argv;
        struct answer answer;
        struct distribution listening, answered, cpu;
};

static pid_t start(char **argv)
{
        pid_t pid = fork();

        if (pid == 0) {
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

                (void)dup2(null, STDERR_FILENO); /* its log: what it has to say, it answers */
                (void)execvp(argv[0], argv);
                _exit(127);
        }
        return pid;
}

/* Nobody listens yet, or has made the socket: try again, ten thousand times a second. */
static int connect_soon(const char *address, pid_t pid, uint64_t until_nsec)
{
        int fd;

        while ((fd = ask_connect(address)) < 0) {
                uint64_t now = now_nsec();

                if (now > until_nsec || waitpid(pid, NULL, WNOHANG) == pid)
                        return fd;
                sleep_until_nsec(now + TRY_NSEC);
        }
        return fd;
}

static bool is_true(const struct bench *b, const struct answer *a)
{
        char counts[64];

        (void)snprintf(counts, sizeof(counts), "\"counts\":{\"healthy\":%u,", b->n_units);
        return a->status == 200 && strstr(a->body, "\"phase\":\"running\"") &&
               strstr(a->body, counts);
}

static int one_start(struct bench *b)
{
        uint64_t began = now_nsec(), listening, answered;
        pid_t pid = start(b->argv);
        _cleanup_(closep) int fd = connect_soon(b->address, pid, began + PATIENCE_NSEC);
        int k = -1;

        listening = now_nsec();
        if (fd >= 0)
                k = ask_send(fd, "/system/health/v2/node?fields=health", "");
        if (k >= 0)
                k = ask_read(fd, &b->answer);
        answered = now_nsec();
        if (k >= 0) {
                distribution_add(&b->listening, listening - began);
                distribution_add(&b->answered, answered - began);
                distribution_add(&b->cpu, process_cpu_nsec(pid));
        }
        if (k >= 0 && !is_true(b, &b->answer)) {
                const char *phase = strstr(b->answer.body, "\"phase\"");

                b->n_untrue++;
                printf("first answer not the truth: %u %.500s\n", b->answer.status,
                       phase ? phase : b->answer.body);
        }
        (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
        return k;
}

int main(int argc, char **argv)
{
        static struct bench b;
        unsigned long n_runs;

        if (argc < 5) {
                (void)fprintf(stderr,
                              "usage: first_answer ADDRESS UNITS RUNS PROGRAM [ARGUMENT…]\n");
                return 2;
        }
        b = (struct bench){
                .address = argv[1],
                .n_units = (unsigned)strtoul(argv[2], NULL, 10),
                .argv = argv + 4,
        };
        n_runs = strtoul(argv[3], NULL, 10);
        for (unsigned long i = 0; i < n_runs; i++) {
                if (one_start(&b) < 0) {
                        (void)fprintf(stderr, "it did not answer\n");
                        return 1;
                }
                sleep_until_nsec(now_nsec() + BETWEEN_NSEC);
        }
        distribution_print(&b.listening, "fork to somebody listening");
        distribution_print(&b.answered, "fork to the first truthful answer");
        distribution_print(&b.cpu, "CPU of the daemon until then");
        distribution_print_histogram(&b.answered);
        printf("first answers that were not the truth: %u\n", b.n_untrue);
        return 0;
}
