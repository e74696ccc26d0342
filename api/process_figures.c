/* From /proc/self, read anew for each scrape. */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/exposition.h"
#include "api/process_figures.h"
#include "base/mono.h"

#define GAUGE   "gauge"
#define COUNTER "counter"

static bool read_file(const char *path, char *buf, size_t n_buf)
{
        FILE *f = fopen(path, "re");
        size_t n;

        if (!f)
                return false;
        n = fread(buf, 1, n_buf - 1, f);
        (void)fclose(f);
        buf[n] = '\0';
        return n > 0;
}

static void write_memory(struct buf *out)
{
        unsigned long long n_virtual, n_resident;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        char text[128];

        if (!read_file("/proc/self/statm", text, sizeof(text)) ||
            sscanf(text, "%llu %llu", &n_virtual, &n_resident) != 2)
                return;
        exposition_family(out, "process_virtual_memory_bytes", GAUGE, "Virtual memory.");
        exposition_uint(out, "process_virtual_memory_bytes", NULL, n_virtual * page);
        exposition_family(out, "process_resident_memory_bytes", GAUGE, "Resident memory.");
        exposition_uint(out, "process_resident_memory_bytes", NULL, n_resident * page);
}

static uint64_t usec_of(const struct timeval *tv)
{
        return (uint64_t)tv->tv_sec * USEC_PER_SEC + (uint64_t)tv->tv_usec;
}

static void write_cpu(struct buf *out)
{
        struct rusage used;

        if (getrusage(RUSAGE_SELF, &used) < 0)
                return;
        exposition_family(out, "process_cpu_seconds_total", COUNTER,
                          "Processor time, the kernel's share, too.");
        exposition_seconds(out, "process_cpu_seconds_total", NULL,
                           usec_of(&used.ru_utime) + usec_of(&used.ru_stime));
}

/* The one that reads the directory is one of them. */
static void write_descriptors(struct buf *out)
{
        DIR *d = opendir("/proc/self/fd");
        struct rlimit l;
        uint64_t n = 0;

        for (const struct dirent *e; d && (e = readdir(d));)
                n += e->d_name[0] != '.';
        if (d) {
                (void)closedir(d);
                exposition_family(out, "process_open_fds", GAUGE, "Open file descriptors.");
                exposition_uint(out, "process_open_fds", NULL, n - 1);
        }
        if (getrlimit(RLIMIT_NOFILE, &l) < 0)
                return;
        exposition_family(out, "process_max_fds", GAUGE, "Most that it may have.");
        exposition_uint(out, "process_max_fds", NULL, l.rlim_cur);
}

/* proc(5): field 22 of stat, in clock ticks since the machine started. The name may hold anything. */
static void write_start(struct buf *out)
{
        uint64_t boot_wall = now_wall_usec() - now_boot_usec();
        unsigned long long ticks;
        char text[1024];
        const char *s;

        if (!read_file("/proc/self/stat", text, sizeof(text)) || !(s = strrchr(text, ')')))
                return;
        if (sscanf(s + 1,
                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                   "%llu",
                   &ticks) != 1)
                return;
        exposition_family(out, "process_start_time_seconds", GAUGE,
                          "When it started, by the clock of the wall.");
        exposition_seconds(out, "process_start_time_seconds", NULL,
                           boot_wall + ticks * USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

void process_figures_write(struct buf *out)
{
        write_memory(out);
        write_cpu(out);
        write_descriptors(out);
        write_start(out);
}
