#pragma once

/* A collector under our control: its socket, and what it takes and says there, on the thread of the test. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/loop.h"
#include "bundles/collect_request.h"
#include "tests/unit/test_main.h"

#define SAYS_STARTED "{\"event\":\"started\"}"
#define SAYS_PROGRESS                                                                              \
        "{\"event\":\"progress\",\"entries\":1,\"entries_total\":2,\"bytes\":3,\"source\":\"file " \
        "/a\"}"
#define SAYS_DONE "{\"event\":\"done\",\"entries\":2,\"failed\":0,\"bytes\":9,\"partial\":false}"
#define SAYS_DONE_PARTLY \
        "{\"event\":\"done\",\"entries\":2,\"failed\":1,\"redactions\":7,\"bytes\":9,\"partial\":true}"
#define SAYS_ERROR(code, text) "{\"event\":\"error\",\"code\":\"" code "\",\"error\":\"" text "\"}"

struct fake_collector {
        char directory[32], path[64];
        int listen_fd;
};

/** One connection. */
struct fake_collection {
        int fd, output_fd;
        char request[COLLECT_REQUEST_BYTES_MAX + 1];
};

static inline void fake_collector_open(struct fake_collector *f)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};

        strcpy(f->directory, "/tmp/diag-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(f->directory));
        (void)snprintf(f->path, sizeof(f->path), "%s/sock", f->directory);
        strcpy(a.sun_path, f->path);
        f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_eq(bind(f->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
        ck_assert_int_eq(listen(f->listen_fd, 8), 0);
}

static inline void fake_collector_close(struct fake_collector *f)
{
        if (f->listen_fd >= 0)
                close(f->listen_fd);
        (void)unlink(f->path);
        ck_assert_int_eq(rmdir(f->directory), 0);
}

/** fake_collector_take() - the next request; false: there is none */
static inline bool fake_collector_take(struct fake_collector *f, struct fake_collection *ret)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {ret->request, sizeof(ret->request) - 1};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t k;

        ret->fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (ret->fd < 0)
                return false;
        k = recvmsg(ret->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        ck_assert_int_gt(k, 0);
        ret->request[k] = '\0';
        ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&m));
        memcpy(&ret->output_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
        return true;
}

static inline void fake_collection_say(const struct fake_collection *c, const char *packet)
{
        ck_assert_int_eq(send(c->fd, packet, strlen(packet), MSG_NOSIGNAL),
                         (ssize_t)strlen(packet));
}

static inline void fake_collection_write(const struct fake_collection *c, const char *text)
{
        ck_assert_int_eq(write(c->output_fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void fake_collection_end(struct fake_collection *c)
{
        close(c->fd);
        close(c->output_fd);
}

/** fake_collection_is_cancelled() - whoever asked has hung up */
static inline bool fake_collection_is_cancelled(const struct fake_collection *c)
{
        char byte;

        return recv(c->fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/** turn() - until the loop has nothing to do */
static inline void turn(struct loop *l)
{
        while (sd_event_run(loop_event(l), 0) > 0)
                ;
}
