/* The archive is written beside its place, and put there when it is whole. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"
#include "bundles/bundle.h"
#include "bundles/collect_local.h"
#include "bundles/fragment.h"

#define FAILURES_SHOWN 20u

static int cancel_pipe[2] = {-1, -1};

struct progress {
        const struct collect_local *l;
        bool on_terminal;
};

static void on_signal(_unused_ int signo)
{
        int saved = errno;

        (void)!write(cancel_pipe[1], "", 1);
        errno = saved;
}

/* From here on it ends in good order, with nothing left behind. */
static int catch_signals(struct err *e)
{
        const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

        if (pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
            sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0 ||
            sigaction(SIGHUP, &action, NULL) < 0)
                return err_set(e, -errno, "cannot catch signals: %s", strerror(errno));
        return 0;
}

/* --- whose bundle ------------------------------------------------------------------------------------------------ */

static void own_name(char *ret, size_t n)
{
        char hostname[256] = "";
        size_t at = 0;

        (void)gethostname(hostname, sizeof(hostname) - 1);
        for (const char *p = hostname; *p && at + 1 < n; p++)
                ret[at++] = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                                            (*p >= '0' && *p <= '9') || *p == '.' || *p == '-'
                                    ? *p
                                    : '-';
        ret[at] = '\0';
        if (!at)
                (void)snprintf(ret, n, "localhost");
}

static char **copy_units(const struct diag_report *report, size_t *ret_n)
{
        char **units = calloc(report->n_components + 1, sizeof(*units));

        *ret_n = 0;
        for (size_t i = 0; units && i < report->n_components; i++) {
                if (report->components[i].kind != DIAG_COMPONENT_UNIT)
                        continue;
                units[*ret_n] = strdup(report->components[i].name);
                if (!units[*ret_n])
                        return units; /* fewer of them: of what is short of memory, a smaller bundle */
                ++*ret_n;
        }
        return units;
}

/* Asked once: for role, address and components. Where nothing answers, it is a plain agent. */
static int find_out(struct collect_local *l, const struct collect_terms *t, struct err *e)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        struct collect_request *q = &l->request;
        struct err silent = {0};
        char name[256], *prefix = q->prefix;
        const char *address = l->address;

        q->role = DIAG_ROLE_AGENT;
        if (collect_look(&report, t, &silent) < 0 && !l->quiet)
                (void)fprintf(stderr, "%s; going on without\n", silent.text);
        if (report && report->node.role != DIAG_ROLE_UNKNOWN)
                q->role = report->node.role;
        if (l->role && diag_role_from_string(l->role, &q->role) < 0)
                return err_set(e, -EINVAL, "--role %s: master, agent or agent_public", l->role);
        own_name(name, sizeof(name));
        bundle_id_make(q->bundle, name, now_wall_usec());
        if (!address)
                address = report && !str_empty(report->node.address) ? report->node.address : name;
        (void)snprintf(prefix, sizeof(q->prefix), "%s_%s", address, diag_role_to_string(q->role));
        if (!fragment_prefix_is_valid(prefix))
                return err_set(e, -EINVAL, "%s: neither an address nor a host's name", address);
        if (report)
                q->units = copy_units(report, &q->n_units);
        return 0;
}

/* --- what is said meanwhile --------------------------------------------------------------------------------------- */

static void on_event(const struct collect_event *event, void *userdata)
{
        const struct progress *p = userdata;

        if (event->kind != COLLECT_PROGRESS || p->l->quiet)
                return;
        if (p->on_terminal && !p->l->verbose)
                (void)fprintf(stderr, "\r\033[K%ju/%ju %.60s", (uintmax_t)event->n_entries + 1,
                              (uintmax_t)event->n_entries_total, event->source);
        else if (p->l->verbose)
                (void)fprintf(stderr, "%ju/%ju %s\n", (uintmax_t)event->n_entries + 1,
                              (uintmax_t)event->n_entries_total, event->source);
}

static void clear_line(const struct progress *p)
{
        if (p->on_terminal && !p->l->quiet && !p->l->verbose)
                (void)fprintf(stderr, "\r\033[K");
}

static void say_failures(const struct node_status *status)
{
        size_t n = 0;

        for (size_t i = 0; i < status->n_entries; i++) {
                const struct node_status_entry *x = &status->entries[i];

                if (!x->error || x->optional)
                        continue;
                if (n++ < FAILURES_SHOWN)
                        (void)fprintf(stderr, "could not collect %s: %s\n", x->path, x->error);
        }
        if (n > FAILURES_SHOWN)
                (void)fprintf(stderr, "… and %zu more; see summaryErrorsReport.txt in it\n",
                              n - FAILURES_SHOWN);
        if (status->partial)
                (void)fprintf(stderr, "it is not whole: %s\n",
                              str_or(status->partial_reason, "it was cut short"));
}

static void say_result(const struct collect_local *l, const char *path, uint64_t n_bytes,
                       const struct collect_event *event, const struct node_status *status)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct json_writer w = {.out = &text};
        bool is_large = n_bytes >= 1 << 20;

        if (!l->json) {
                say_failures(status);
                (void)printf("%s (%.1f %s, %ju %s, %ju %s masked)\n", path,
                             (double)n_bytes / (is_large ? 1 << 20 : 1 << 10),
                             is_large ? "MiB" : "KiB", (uintmax_t)event->n_entries,
                             event->n_entries == 1 ? "entry" : "entries",
                             (uintmax_t)event->n_redactions,
                             event->n_redactions == 1 ? "secret" : "secrets");
                return;
        }
        jw_begin_object(&w);
        jw_member_string(&w, "file", path);
        jw_member_uint(&w, "size_bytes", n_bytes);
        jw_member_uint(&w, "entries", event->n_entries);
        jw_member_uint(&w, "failed", event->n_failed);
        jw_member_uint(&w, "truncated", event->n_truncated);
        jw_member_uint(&w, "redactions", event->n_redactions);
        jw_member_bool(&w, "redacted", !l->request.no_redact);
        jw_member_bool(&w, "partial", event->partial);
        jw_member_string_or_null(&w, "partial_reason", status->partial_reason);
        jw_end_object(&w);
        (void)printf("%s\n", buf_cstr(&text));
}

/* --- where it goes ------------------------------------------------------------------------------------------------ */

static void own_path(char ret[static PATH_MAX], enum archive_format format)
{
        char name[256], stamp[32];
        time_t now = (time_t)(now_wall_usec() / USEC_PER_SEC);
        struct tm tm;

        own_name(name, sizeof(name));
        (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
        (void)snprintf(ret, PATH_MAX, "diag-%s-%s.%s", name, stamp,
                       archive_format_to_string(format));
}

static int open_beside(char part[static PATH_MAX], const char *path, struct err *e)
{
        int fd;

        if ((size_t)snprintf(part, PATH_MAX, "%s.part-XXXXXX", path) >= PATH_MAX)
                return err_set(e, -ENAMETOOLONG, "%s: too long", path);
        fd = mkostemp(part, O_CLOEXEC); /* 0600 */
        return fd < 0 ? err_set(e, -errno, "%s: %s", path, strerror(errno)) : fd;
}

static int put_in_place(int fd, const char *part, const char *path, uint64_t *ret_n, struct err *e)
{
        struct stat st;

        if (fsync(fd) < 0 || fstat(fd, &st) < 0 || rename(part, path) < 0)
                return err_set(e, -errno, "%s: %s", path, strerror(errno));
        *ret_n = (uint64_t)st.st_size;
        return 0;
}

static bool was_cancelled(void)
{
        char c;

        return read(cancel_pipe[0], &c, 1) == 1;
}

static int collect_into(struct collect_local *l, struct collect_terms *t, int fd, const char *part,
                        const char *path, struct err *e)
{
        struct progress progress = {.l = l, .on_terminal = isatty(STDERR_FILENO) == 1};
        struct node_status status = {0};
        struct collect_event event;
        uint64_t n_bytes = 0;
        int k;

        t->on_event = on_event;
        t->userdata = &progress;
        t->root_files = true;
        k = collect_run(&l->request, fd, t, &event, &status);
        clear_line(&progress);
        if (k == -ENOSPC)
                (void)err_set(e, k, "no room for %s: %s", path, event.error);
        else if (k < 0)
                (void)err_set(e, k, "%s", event.error);
        else if (was_cancelled())
                k = err_set(e, -ECANCELED, "cancelled; nothing was left behind");
        else
                k = put_in_place(fd, part, path, &n_bytes, e);
        if (k >= 0)
                say_result(l, path, n_bytes, &event, &status);
        node_status_done(&status);
        if (k < 0)
                return k;
        return event.n_failed || event.partial ? COLLECT_EXIT_PARTIAL : COLLECT_EXIT_WHOLE;
}

static int run(struct collect_local *l, struct collect_terms *t, struct err *e)
{
        char path[PATH_MAX], part[PATH_MAX];
        _cleanup_(closep) int fd = -1;
        int k;

        own_path(path, l->request.format);
        if (l->output && (size_t)snprintf(path, sizeof(path), "%s", l->output) >= sizeof(path))
                return err_set(e, -ENAMETOOLONG, "%s: too long", l->output);
        fd = open_beside(part, path, e);
        if (fd < 0)
                return fd;
        k = find_out(l, t, e);
        if (k >= 0)
                k = collect_into(l, t, fd, part, path, e);
        if (k < 0)
                (void)unlink(part);
        return k;
}

static int say_error(const struct collect_local *l, int k, const struct err *e)
{
        _cleanup_(buf_done) struct buf text = {0};
        struct json_writer w = {.out = &text};

        (void)fprintf(stderr, "diag-collect: %s\n", e->text);
        if (l->json) {
                jw_begin_object(&w);
                jw_member_string(&w, "error", e->text);
                jw_end_object(&w);
                (void)printf("%s\n", buf_cstr(&text));
        }
        return k == -EINVAL ? COLLECT_EXIT_WRONG_CALL : COLLECT_EXIT_FAILED;
}

int collect_local_run(struct collect_local *l, struct collect_terms *t)
{
        struct err e = {0};
        int k = catch_signals(&e);

        t->cancel_fd = cancel_pipe[0];
        if (k >= 0 && geteuid() != 0 && !l->quiet)
                (void)fprintf(stderr, "not root: what user %u may not read will be missing\n",
                              (unsigned)geteuid());
        if (k >= 0)
                k = run(l, t, &e);
        return k < 0 ? say_error(l, k, &e) : k;
}

int collect_local_say(struct collect_local *l, struct collect_terms *t)
{
        struct collect_event event;
        struct err e = {0};
        int k = find_out(l, t, &e);

        if (k >= 0 && collect_run(&l->request, STDOUT_FILENO, t, &event, NULL) < 0)
                k = err_set(&e, -EIO, "%s", event.error);
        return k < 0 ? say_error(l, k, &e) : COLLECT_EXIT_WHOLE;
}
