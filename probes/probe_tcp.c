/*
 * A connection is made and closed again. The kernel accepts it as long as there is place in the
 * listener's queue, so this tells that the port is open, not that the program behind it still works.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "probes/probe_tcp.h"

#define LOCALHOST "localhost:"

struct tcp_cfg {
        struct sock_address address;
        char *text;
};

struct tcp_state {
        int fd;
        sd_event_source *source;
        struct loop_timer *deadline;
};

int tcp_parse_address(const char *s, struct sock_address *ret)
{
        _cleanup_(freep) char *literal = NULL;

        if (strncmp(s, LOCALHOST, strlen(LOCALHOST)) != 0)
                return parse_listen(s, ret);
        if (asprintf(&literal, "127.0.0.1:%s", s + strlen(LOCALHOST)) < 0) {
                literal = NULL;
                return -ENOMEM;
        }
        return parse_listen(literal, ret);
}

/* --- judging ---------------------------------------------------------------------------------------- */

void tcp_judge(int error, const char *address, uint64_t timeout_usec, struct probe_verdict *ret)
{
        char limit[PROBE_SECONDS_MAX];

        *ret = (struct probe_verdict){0};
        if (error == 0)
                probe_verdict_set(ret, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
        else if (error == ETIMEDOUT)
                probe_verdict_set(ret, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT,
                                  "no connection to %s within %s", address,
                                  probe_seconds(limit, timeout_usec));
        else if (error == EAGAIN)
                probe_verdict_set(ret, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                                  "%s does not accept connections: its queue is full", address);
        else if (probe_error_is_theirs(error))
                probe_verdict_set(ret, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                                  "cannot connect to %s: %s", address, strerror(error));
        else
                probe_verdict_set(ret, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask %s: %s",
                                  address, strerror(error));
}

/* --- asking ----------------------------------------------------------------------------------------- */

bool tcp_is_connected_to_itself(int fd)
{
        struct sock_address here = {.n = sizeof(here.storage)},
                            there = {.n = sizeof(there.storage)};

        return getsockname(fd, &here.sa, &here.n) == 0 && here.sa.sa_family != AF_UNIX &&
               getpeername(fd, &there.sa, &there.n) == 0 && here.n == there.n &&
               memcmp(&here.storage, &there.storage, here.n) == 0;
}

static void end(struct probe_run *run, int error)
{
        const struct tcp_cfg *cfg = run->cfg;
        struct tcp_state *t = run->state;
        struct probe_verdict v;

        if (error == 0 && tcp_is_connected_to_itself(t->fd))
                error = ECONNREFUSED;
        tcp_judge(error, cfg->text, run->timeout_usec, &v);
        probe_done(run, &v);
}

static int on_connected(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents,
                        void *userdata)
{
        int error = 0;
        socklen_t n = sizeof(error);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        end(userdata, error);
        return 0;
}

static void on_deadline(void *userdata)
{
        end(userdata, ETIMEDOUT);
}

static void tcp_stop(struct probe_run *run)
{
        struct tcp_state *t = run->state;

        if (!t)
                return;
        sd_event_source_disable_unref(t->source);
        loop_timer_free(t->deadline);
        closep(&t->fd);
        free(t);
        run->state = NULL;
}

static int watch(struct probe_run *run, struct tcp_state *t)
{
        int r;

        r = sd_event_add_io(loop_event(run->loop), &t->source, t->fd, EPOLLOUT, on_connected, run);
        if (r >= 0)
                r = loop_timer_new(&t->deadline, run->loop, on_deadline, run);
        if (r >= 0)
                loop_timer_set(t->deadline, usec_add(now_mono_usec(), run->timeout_usec), 0);
        return r;
}

static int tcp_start(struct probe_run *run, struct err *e)
{
        const struct tcp_cfg *cfg = run->cfg;
        struct tcp_state *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return err_set(e, -ENOMEM, "cannot ask: out of memory");
        run->state = t;
        t->fd = socket(cfg->address.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (t->fd < 0 ||
            (connect(t->fd, &cfg->address.sa, cfg->address.n) < 0 && errno != EINPROGRESS)) {
                end(run, errno);
                return 0;
        }
        r = watch(run, t);
        if (r < 0) {
                tcp_stop(run);
                return err_set(e, r, "cannot ask %s: %s", cfg->text, strerror(-r));
        }
        return 0;
}

/* --- settings --------------------------------------------------------------------------------------- */

static int check_address(const char *value, struct err *e)
{
        struct sock_address a;

        if (tcp_parse_address(value, &a) < 0)
                return err_set(e, -EINVAL,
                               "must be IPV4:PORT, [IPV6]:PORT, localhost:PORT or unix:/PATH");
        return 0;
}

static void tcp_free_cfg(void *cfg)
{
        struct tcp_cfg *c = cfg;

        free(c->text);
        free(c);
}

static int tcp_parse(const struct probe_settings *s, void **ret_cfg, struct err *e)
{
        const char *address = probe_settings_get(s, "Address");
        struct tcp_cfg *c;

        if (!address)
                return err_set(e, -EINVAL, "Kind=tcp needs Address=");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->text = strdup(address);
        if (!c->text || tcp_parse_address(address, &c->address) < 0) {
                tcp_free_cfg(c);
                return -ENOMEM;
        }
        *ret_cfg = c;
        return 0;
}

static const struct probe_key keys[] = {
        {"Address", check_address},
        {NULL,      NULL         },
};

const struct probe_ops probe_tcp = {
        .kind = "tcp",
        .keys = keys,
        .parse = tcp_parse,
        .start = tcp_start,
        .stop = tcp_stop,
        .free_cfg = tcp_free_cfg,
};
