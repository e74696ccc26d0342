/* Content-Length is all that the daemons here ever use, so that is all it understands. */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/parse.h"
#include "bench/ask.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

static uint64_t read_clock(clockid_t id)
{
        struct timespec t;

        if (clock_gettime(id, &t) < 0)
                return 0;
        return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t now_nsec(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

void sleep_until_nsec(uint64_t mono_nsec)
{
        struct timespec t = {
                .tv_sec = (time_t)(mono_nsec / NSEC_PER_SEC),
                .tv_nsec = (long)(mono_nsec % NSEC_PER_SEC),
        };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

uint64_t process_cpu_nsec(int pid)
{
        clockid_t id;

        return pid > 0 && clock_getcpuclockid(pid, &id) == 0 ? read_clock(id) : 0;
}

int ask_connect(const char *address)
{
        _cleanup_(closep) int fd = -1;
        struct sock_address a;
        int k = parse_listen(address, &a);

        if (k < 0)
                return k;
        fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, &a.sa, a.n) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int ask_send(int fd, const char *target, const char *headers)
{
        char text[1024];
        int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target,
                         headers);

        if (n < 0 || (size_t)n >= sizeof(text))
                return -E2BIG;
        /* A few hundred bytes on a connection whose last answer has been read: they fit. */
        return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -EIO;
}

static const char *field(const char *head, const char *end, const char *name)
{
        const char *p = strcasestr(head, name);

        return p && p < end ? p + strlen(name) : NULL;
}

static int take_head(struct answer *a, const char *end, size_t *ret_n_body)
{
        const char *length = field(a->bytes, end, "\r\nContent-Length: ");
        const char *etag = field(a->bytes, end, "\r\nETag: ");

        if (sscanf(a->bytes, "HTTP/1.1 %3u", &a->status) != 1)
                return -EBADMSG;
        *ret_n_body = length ? strtoul(length, NULL, 10) : 0;
        a->etag[0] = '\0';
        if (etag)
                (void)snprintf(a->etag, sizeof(a->etag), "%.*s", (int)strcspn(etag, "\r"), etag);
        return 0;
}

int ask_take(int fd, struct answer *a)
{
        ssize_t n = recv(fd, a->bytes + a->n, ASK_ANSWER_BYTES_MAX - a->n, 0);
        const char *end;
        size_t n_body;
        int k;

        if (n <= 0)
                return n < 0 ? -errno : a->n == ASK_ANSWER_BYTES_MAX ? -EFBIG : -ECONNRESET;
        a->n += (size_t)n;
        a->bytes[a->n] = '\0';
        end = strstr(a->bytes, "\r\n\r\n");
        if (!end)
                return 0;
        k = take_head(a, end, &n_body);
        if (k < 0)
                return k;
        a->body = end + 4;
        return a->n >= (size_t)(a->body - a->bytes) + n_body;
}

int ask_read(int fd, struct answer *a)
{
        int k;

        a->n = 0;
        while ((k = ask_take(fd, a)) == 0)
                ;
        return k < 0 ? k : 0;
}
