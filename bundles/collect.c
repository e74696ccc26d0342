/*
 * One source after the other, so that a machine that is ill is not asked for much at once. What stops all of it
 * is an output that takes nothing any more; what ends it early is its time, its size, or that nobody wants it:
 * then the sources that were not reached are named, and what is there is closed in good order.
 */

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/mono.h"
#include "bundles/collect.h"
#include "bundles/collect_entry.h"
#include "bundles/collect_root.h"
#include "bundles/estimate.h"
#include "bundles/plan_list.h"
#include "bundles/plan_name.h"

#define FLUSH_BYTES               (UINT64_C(4) << 20)
#define FLUSH_USEC                (2 * USEC_PER_SEC)
#define LESS_THAN_THIS_IS_NOTHING 4096u /* of what is left of the limit */

struct collection {
        const struct collect_request *q;
        const struct collect_terms *t;
        struct collect_choice choice;
        struct source_context context;
        struct redact_rules *rules;
        struct redactor *redactor;
        struct archive *archive;
        struct entry_target target;
        struct outgoing entry;
        struct node_status status;
        void *paths; /* of entries; tsearch(3) */
        uint64_t n_bytes, max_bytes, source_max_bytes;
        char too_large[96]; /* what is said when max_bytes are reached */
        uint64_t n_flushed, flushed_mono_usec;
        struct collect_event event;
        const struct source *source; /* being read */
        bool has_started;
        bool is_last_of_limit; /* what is read may have what is left of max_bytes, and no more */
        int fatal;
};

/* --- what is told ---------------------------------------------------------------------------------------------- */

static void tell(struct collection *c, enum collect_event_kind kind)
{
        c->event.kind = kind;
        if (c->t->on_event)
                c->t->on_event(&c->event, c->t->userdata);
}

static void start(void *userdata)
{
        struct collection *c = userdata;

        if (c->has_started)
                return;
        c->has_started = true;
        tell(c, COLLECT_STARTED);
}

static void count(struct collection *c)
{
        c->event.n_entries = c->status.n_entries;
        c->event.n_failed = node_status_n_failed(&c->status, true);
        c->event.n_redactions = node_status_n_redactions(&c->status);
        c->event.n_bytes = c->n_bytes;
        c->event.partial = c->status.partial;
        c->event.n_truncated = 0;
        for (size_t i = 0; i < c->status.n_entries; i++)
                c->event.n_truncated += c->status.entries[i].truncated;
}

static void tell_progress(struct collection *c, size_t n_done)
{
        count(c);
        c->event.n_entries = n_done;
        c->event.n_entries_total = c->choice.n;
        (void)snprintf(c->event.source, sizeof(c->event.source), "%s %s",
                       source_kind_to_string(c->source->kind), c->source->id);
        tell(c, COLLECT_PROGRESS);
}

static int refuse(struct collection *c, const char *code, int k, const char *why)
{
        (void)snprintf(c->event.code, sizeof(c->event.code), "%s", code);
        (void)snprintf(c->event.error, sizeof(c->event.error), "%s", why);
        tell(c, COLLECT_ERROR);
        return k;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static int compare_paths(const void *a, const void *b)
{
        return strcmp(a, b);
}

static void paths_done(struct collection *c)
{
        tdestroy(c->paths, free);
}

/* Remembered. 0; -EEXIST: there is such an entry. */
static int claim_path(struct collection *c, const char *path)
{
        char *copy = strdup(path);
        char **found = copy ? tsearch(copy, &c->paths, compare_paths) : NULL;

        if (!found) {
                free(copy);
                return -ENOMEM;
        }
        if (*found == copy)
                return 0;
        free(copy);
        return -EEXIST;
}

/*
 * Names of files are somebody else's words as well. Each component for itself, so that what is masked ends with it;
 * masks without digits, as the plan has made them of commands and URLs: once, for a second time would take what follows
 * a mask for more of it. 0, -ENAMETOOLONG or -ENOMEM.
 */
static int mask_name(const struct collection *c, const struct source *s,
                     char ret[static ARCHIVE_PATH_MAX], const char *name)
{
        _cleanup_(buf_done) struct buf masked = {0};
        size_t n;

        for (const char *at = name; *at; at += n) {
                n = strcspn(at, "/");
                if (n > 0 && c->redactor && s->kind == SOURCE_FILE)
                        (void)redact_append(&masked, at, n);
                else
                        buf_append(&masked, at, n);
                if (at[n] == '/') {
                        buf_putc(&masked, '/');
                        n++;
                }
        }
        if (masked.error)
                return masked.error;
        return snprintf(ret, ARCHIVE_PATH_MAX, "%s", buf_cstr(&masked)) < (int)ARCHIVE_PATH_MAX
                       ? 0
                       : -ENAMETOOLONG;
}

/* Two sources may have one name: "_" for all that no file name has. Below the prefix. */
static int make_path(struct collection *c, char ret[static ARCHIVE_PATH_MAX], const char *name,
                     const char *suffix)
{
        for (unsigned i = 1; i < 1000; i++) {
                char number[16] = "";
                int n, k;

                if (i > 1)
                        (void)snprintf(number, sizeof(number), "~%u", i);
                n = snprintf(ret, ARCHIVE_PATH_MAX, "%s%s%s", name, number, suffix);
                if ((size_t)n + strlen(c->q->prefix) + 1 >= ARCHIVE_PATH_MAX)
                        return -ENAMETOOLONG;
                k = claim_path(c, ret);
                if (k != -EEXIST)
                        return k;
        }
        return -EEXIST;
}

static void full_path(const struct collection *c, char ret[static ARCHIVE_PATH_MAX],
                      const char *path)
{
        int n = snprintf(ret, ARCHIVE_PATH_MAX, "%s%s%s", c->q->prefix, *c->q->prefix ? "/" : "",
                         path);

        if (n >= (int)ARCHIVE_PATH_MAX)
                *ret = '\0'; /* refused by the archive; make_path() has seen to it that it is not */
}

/* --- what came of an entry -------------------------------------------------------------------------------------- */

/* Reasons quote URLs and paths: they are masked as everything else is. */
static void clean_text(struct collection *c, char text[static 256])
{
        _cleanup_(buf_done) struct buf clean = {.max = 65536};

        if (!c->redactor || !*text)
                return;
        redactor_feed(c->redactor, text, strlen(text), &clean);
        (void)redactor_end(c->redactor, &clean);
        if (!clean.error)
                (void)snprintf(text, 256, "%s", buf_cstr(&clean));
}

/* Who reads the status believes clean paths only; of a glob there is nothing but what it says. */
static const char *clean_path(const struct source *s, const char *path)
{
        path += strspn(path, "/");
        return plan_name_is_clean(path) ? path : source_kind_to_string(s->kind);
}

/* @path: masked where it needs it */
static struct node_status_entry *note_entry(struct collection *c, const struct source *s,
                                            const char *path)
{
        struct node_status_entry *n = node_status_add(&c->status);
        char masked[ARCHIVE_PATH_MAX];

        if (!n)
                return NULL;
        n->path = strdup(clean_path(s, path));
        n->source = strdup(mask_name(c, s, masked, s->id) < 0 ? "" : masked);
        n->kind = s->kind;
        n->optional = s->optional;
        return n->path && n->source ? n : NULL;
}

/* By a name that nothing has been made of yet. */
static struct node_status_entry *note_name(struct collection *c, const struct source *s,
                                           const char *name)
{
        char masked[ARCHIVE_PATH_MAX];

        return note_entry(c, s, mask_name(c, s, masked, name) < 0 ? "" : masked);
}

static int note_error(struct node_status_entry *n, const char *text)
{
        free(n->error);
        n->error = strdup(text);
        return n->error ? 0 : -ENOMEM;
}

/* The first reason counts: it is why the others come. */
static void cut_short(struct collection *c, const char *why)
{
        c->status.partial = true;
        if (!c->status.partial_reason)
                c->status.partial_reason = strdup(why);
}

static int add_small(struct collection *c, const struct source *s, const char *path,
                     const char *text)
{
        char full[ARCHIVE_PATH_MAX];
        struct node_status_entry *n = note_entry(c, s, path);
        struct archive_entry done;
        int k;

        if (!n)
                return -ENOMEM;
        full_path(c, full, path);
        k = archive_begin(c->archive, full, now_wall_usec());
        if (k >= 0)
                k = archive_append(c->archive, text, strlen(text));
        if (k >= 0)
                k = archive_append(c->archive, "\n", 1);
        if (k >= 0)
                k = archive_end(c->archive, &done);
        if (k < 0)
                return k;
        n->size = done.size;
        memcpy(n->sha256, done.sha256, sizeof(n->sha256));
        c->n_bytes += done.size;
        return 0;
}

static int add_reason(struct collection *c, const struct source *s, const char *path,
                      const char *text)
{
        char beside[ARCHIVE_PATH_MAX];

        return make_path(c, beside, path, ".error") < 0 ? 0 : add_small(c, s, beside, text);
}

/* --- one entry ---------------------------------------------------------------------------------------------------- */

static uint64_t limit_of(struct collection *c, const struct source *s)
{
        uint64_t left = c->max_bytes > c->n_bytes ? c->max_bytes - c->n_bytes : 0;
        uint64_t max = s->max_bytes < c->source_max_bytes ? s->max_bytes : c->source_max_bytes;

        c->is_last_of_limit = left < max;
        return c->is_last_of_limit ? left : max;
}

static void note_outcome(struct collection *c, const struct source_outcome *o,
                         struct node_status_entry *n)
{
        n->took_usec = o->took_usec;
        n->truncated = o->truncated;
        n->n_redactions = c->entry.n_redactions;
        if (o->interrupted) {
                cut_short(c, o->error == -ECANCELED ? "it was cancelled" : "its time was over");
        } else if (o->truncated && !o->error && c->is_last_of_limit) {
                cut_short(c, c->too_large);
        }
}

static int end_entry(struct collection *c, const struct source *s, const char *path,
                     const struct source_outcome *o, struct node_status_entry *n)
{
        struct archive_entry done;
        bool failed = o->error != 0;
        int k = entry_settle(&c->entry);

        if (k < 0)
                return k;
        note_outcome(c, o, n);
        if (!failed || s->optional || !entry_is_empty(&c->entry)) {
                k = entry_end(&c->entry, failed && s->optional ? o->text : NULL, &done);
                if (k < 0)
                        return k;
                n->size = done.size;
                memcpy(n->sha256, done.sha256, sizeof(n->sha256));
                c->n_bytes += done.size;
        }
        if (failed && note_error(n, o->text) < 0)
                return -ENOMEM;
        return failed && !s->optional ? add_reason(c, s, path, o->text) : 0;
}

/* What was passed over has no entry: only the status names it. */
static int pass_over(struct collection *c, const struct source *s, const char *name,
                     const char *why)
{
        struct node_status_entry *n = note_name(c, s, name ? name : s->id);
        char text[128];

        (void)snprintf(text, sizeof(text), "not collected: %s", why);
        return n ? note_error(n, text) : -ENOMEM;
}

static int collect_entry(struct collection *c, const struct source *s, const char *file,
                         const char *name, uint64_t mtime_usec)
{
        struct source limited = *s;
        char masked[ARCHIVE_PATH_MAX], path[ARCHIVE_PATH_MAX] = "", full[ARCHIVE_PATH_MAX];
        struct node_status_entry *n;
        struct source_outcome o;
        int k = mask_name(c, s, masked, name);

        if (k >= 0)
                k = make_path(c, path, masked, "");
        full_path(c, full, path);
        if (k >= 0 && !archive_path_is_clean(full, strlen(full)))
                k = -EINVAL;
        if (k < 0)
                return k == -ENOMEM ? k : pass_over(c, s, name, "no archive takes its name");
        n = note_entry(c, s, path);
        if (!n)
                return -ENOMEM;
        limited.max_bytes = limit_of(c, s);
        entry_begin(&c->entry, &c->target, full, mtime_usec ? mtime_usec : now_wall_usec());
        k = source_read(&limited, file, &c->context, entry_feed, &c->entry, &o);
        if (k < 0)
                return k;
        clean_text(c, o.text);
        return end_entry(c, s, path, &o, n);
}

/* --- one source ------------------------------------------------------------------------------------------------ */

/* It is over: why? NULL: it is not. */
static const char *why_over(const struct collection *c)
{
        struct pollfd p = {.fd = c->t->cancel_fd, .events = POLLIN | POLLRDHUP};

        if (poll(&p, 1, 0) > 0)
                return "it was cancelled";
        if (now_mono_usec() >= c->context.deadline_mono_usec)
                return "its time was over";
        if (c->n_bytes + LESS_THAN_THIS_IS_NOTHING > c->max_bytes)
                return c->too_large;
        return NULL;
}

static int on_entry(const char *path, const char *name, _unused_ uint64_t size, uint64_t mtime_usec,
                    void *userdata)
{
        struct collection *c = userdata;
        const char *why = why_over(c);

        if (why)
                cut_short(c, why);
        c->fatal = why ? pass_over(c, c->source, name, why)
                       : collect_entry(c, c->source, path, name, mtime_usec);
        return c->fatal;
}

/* A glob that matches nothing has no entries, which is no failure: there are no such files. */
static int collect_source(struct collection *c, const struct source *s)
{
        const char *why = why_over(c);
        struct source_outcome o;
        struct node_status_entry *n;
        int k;

        if (why) {
                cut_short(c, why);
                return pass_over(c, s, s->name, why);
        }
        k = source_expand(s, &c->context, on_entry, c, &o);
        if (c->fatal < 0)
                return c->fatal;
        if (k >= 0 && !o.error && !o.truncated)
                return 0;
        n = note_name(c, s, str_or(s->name, s->id));
        if (!n)
                return -ENOMEM;
        n->truncated = o.truncated;
        clean_text(c, o.text);
        return note_error(n, k < 0 || !o.error ? "more files than are taken" : o.text);
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

/* What a reader has when the stream is cut: complete entries, as far as they were flushed. */
static int flush_now_and_then(struct collection *c)
{
        uint64_t now = now_mono_usec();

        if (!c->q->fragment ||
            (c->n_bytes - c->n_flushed < FLUSH_BYTES && now < c->flushed_mono_usec + FLUSH_USEC))
                return 0;
        c->n_flushed = c->n_bytes;
        c->flushed_mono_usec = now;
        return archive_flush(c->archive);
}

static int collect_all(struct collection *c)
{
        int k = 0;

        for (size_t i = 0; i < c->choice.n && k >= 0; i++) {
                c->source = c->choice.sources[i];
                tell_progress(c, i);
                k = collect_source(c, c->source);
                if (k >= 0)
                        k = flush_now_and_then(c);
        }
        return k;
}

static int add_status(struct collection *c)
{
        _cleanup_(buf_done) struct buf text = {.max = NODE_STATUS_BYTES_MAX};
        char path[ARCHIVE_PATH_MAX];

        node_status_write(&text, &c->status);
        if (text.error)
                return text.error;
        full_path(c, path, NODE_STATUS_NAME);
        return archive_add(c->archive, path, now_wall_usec(), text.data, text.n);
}

static int open_archive(struct collection *c, int fd, struct err *e)
{
        const struct archive_options options = {
                .format = c->q->format,
                .fragment = c->q->fragment,
                .fd = fd,
        };
        int k = archive_new(&c->archive, &options, e);

        c->target.archive = c->archive;
        return k;
}

static int write_archive(struct collection *c, int fd)
{
        struct err e = {0};
        int k = open_archive(c, fd, &e);

        if (k < 0)
                return refuse(c, "failed", k, e.text);
        if (claim_path(c, NODE_STATUS_NAME) < 0)
                return refuse(c, "failed", -ENOMEM, "out of memory");
        start(c);
        k = collect_all(c);
        c->status.finished_wall_usec = now_wall_usec();
        if (k >= 0 && c->t->root_files && !c->q->fragment)
                k = collect_write_root(c->archive, c->q, &c->status);
        if (k >= 0)
                k = add_status(c);
        if (k >= 0)
                k = archive_finish(c->archive);
        if (k >= 0)
                return 0;
        e = *archive_error(c->archive);
        return refuse(c, "failed", k, e.code ? e.text : strerror(-k));
}

/* --- a single one ------------------------------------------------------------------------------------------------ */

static int write_part(const char *path, const char *name, _unused_ uint64_t size,
                      uint64_t mtime_usec, void *userdata)
{
        struct collection *c = userdata;
        const struct source *s = c->source;
        struct source limited = *s;
        struct node_status_entry *n = note_name(c, s, name);
        struct source_outcome o;
        struct archive_entry done = {0};
        int k;

        if (!n)
                return c->fatal = -ENOMEM;
        limited.max_bytes = limit_of(c, s);
        entry_begin(&c->entry, &c->target, "", mtime_usec);
        k = source_read(&limited, path, &c->context, entry_feed, &c->entry, &o);
        if (k >= 0)
                k = entry_settle(&c->entry);
        if (k < 0)
                return c->fatal = k;
        clean_text(c, o.text);
        note_outcome(c, &o, n);
        if (o.error)
                c->fatal = note_error(n, o.text);
        /* Who asked has seen nothing of it yet: it is told what went wrong in place of it. */
        if (c->fatal >= 0 && o.error && !s->optional && !c->entry.begun && !c->has_started) {
                c->fatal = -EIO;
                return refuse(c, "failed", -EIO, o.text);
        }
        if (c->fatal >= 0)
                c->fatal = entry_end(&c->entry, o.error && s->optional ? o.text : NULL, &done);
        c->n_bytes += done.size;
        return c->fatal;
}

static int write_one(struct collection *c, int fd)
{
        struct source_outcome o;
        int k;

        if (c->choice.n != 1)
                return refuse(c, "bad-request", -EINVAL, "exactly one id is asked for");
        c->target.fd = fd;
        c->target.on_first_byte = start;
        c->target.userdata = c;
        c->source = c->choice.sources[0];
        k = source_expand(c->source, &c->context, write_part, c, &o);
        if (c->event.kind == COLLECT_ERROR)
                return k < 0 ? k : -EIO;
        if (k < 0)
                return refuse(c, "failed", k, strerror(-k));
        if (o.error)
                return refuse(c, "failed", o.error, o.text);
        start(c);
        return 0;
}

/* --- what is said in JSON ---------------------------------------------------------------------------------------- */

static int write_text(struct collection *c, int fd)
{
        _cleanup_(buf_done) struct buf text = {.max = PLAN_LIST_BYTES_MAX};
        struct estimate estimate;
        size_t n_written = 0;
        ssize_t n = 0;

        if (c->q->op == COLLECT_LIST) {
                plan_write_list(&text, c->choice.plan, c->q->role);
        } else {
                estimate_make(&estimate, &c->choice, c->q, c->t);
                estimate_write(&text, &estimate);
        }
        if (text.error)
                return refuse(c, "failed", text.error, strerror(-text.error));
        start(c);
        for (; n_written < text.n; n_written += (size_t)n) {
                n = write(fd, text.data + n_written, text.n - n_written);
                if (n < 0)
                        return refuse(c, "failed", -errno, strerror(errno));
        }
        c->n_bytes = text.n;
        return 0;
}

/* --- before, and after ------------------------------------------------------------------------------------------- */

static int begin_redaction(struct collection *c, struct err *e)
{
        static const char *const directories[] = {COLLECT_RULE_DIRECTORIES, NULL};
        uint8_t salt[REDACT_SALT_BYTES];
        int k;

        if (c->q->no_redact)
                return 0;
        memcpy(salt, c->q->salt, sizeof(salt));
        if (!c->q->has_salt && getrandom(salt, sizeof(salt), 0) != sizeof(salt))
                return err_set(e, -EIO, "no random bytes");
        k = redact_rules_load(&c->rules,
                              c->t->rule_directories ? c->t->rule_directories : directories,
                              c->t->root_owned, e);
        if (k < 0)
                return k;
        k = redactor_new(&c->redactor, c->rules, salt);
        explicit_bzero(salt, sizeof(salt));
        c->target.redactor = c->redactor;
        return k < 0 ? err_set(e, k, "out of memory") : 0;
}

static uint64_t smaller(uint64_t asked, uint64_t configured)
{
        return asked && asked < configured ? asked : configured;
}

static int begin_status(struct collection *c)
{
        char hostname[256] = "";

        (void)gethostname(hostname, sizeof(hostname) - 1);
        c->status.prefix = strdup(c->q->prefix);
        c->status.hostname = strdup(hostname);
        c->status.version = strdup(DIAG_VERSION);
        c->status.role = c->q->role;
        c->status.started_wall_usec = now_wall_usec();
        c->status.since_wall_usec = c->context.since_wall_usec;
        c->status.until_wall_usec = c->context.until_wall_usec ? c->context.until_wall_usec
                                                               : c->status.started_wall_usec;
        c->status.redacted = !c->q->no_redact;
        return c->status.prefix && c->status.hostname && c->status.version ? 0 : -ENOMEM;
}

static int prepare(struct collection *c)
{
        struct err e = {0};
        int k;

        if (c->q->no_redact && !c->t->conf->allow_unredacted)
                return refuse(c, "not-allowed", -EACCES,
                              "bundles with their secrets need AllowUnredacted=yes in [Collect] of "
                              "the node's " COLLECT_CONF_FILE);
        collect_context(&c->context, c->q, c->t);
        c->max_bytes = smaller(c->q->max_bytes, c->t->conf->max_bytes);
        (void)snprintf(c->too_large, sizeof(c->too_large),
                       "its size reached its limit of %ju bytes", (uintmax_t)c->max_bytes);
        c->source_max_bytes = smaller(c->q->source_max_bytes, c->t->conf->source_max_bytes);
        if (begin_status(c) < 0)
                return refuse(c, "failed", -ENOMEM, "out of memory");
        k = begin_redaction(c, &e);
        if (k < 0)
                return refuse(c, "bad-configuration", k, e.text);
        k = collect_choose(&c->choice, c->q, c->t, &e);
        if (k == -ENOENT || k == -EACCES)
                return refuse(c, k == -ENOENT ? "not-found" : "not-allowed", k, e.text);
        return k < 0 ? refuse(c, "bad-configuration", k, e.text) : 0;
}

static void collection_done(struct collection *c)
{
        paths_done(c);
        entry_done(&c->entry);
        archive_free(c->archive);
        redactor_free(c->redactor);
        redact_rules_free(c->rules);
        collect_choice_done(&c->choice);
        node_status_done(&c->status);
}

int collect_run(const struct collect_request *q, int fd, const struct collect_terms *t,
                struct collect_event *ret, struct node_status *status)
{
        _cleanup_(collection_done) struct collection c = {.q = q, .t = t, .target.fd = -1};
        int k = prepare(&c);

        if (k >= 0)
                k = q->op == COLLECT_ARCHIVE ? write_archive(&c, fd)
                    : q->op == COLLECT_ONE   ? write_one(&c, fd)
                                             : write_text(&c, fd);
        if (k >= 0) {
                count(&c);
                c.event.n_entries_total = c.choice.n;
                tell(&c, COLLECT_DONE);
        }
        *ret = c.event;
        if (k >= 0 && status) {
                *status = c.status;
                c.status = (struct node_status){0};
        }
        return k;
}
