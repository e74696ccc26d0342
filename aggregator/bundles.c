/*
 * One struct deed per errand. What is ours is answered at once; for the rest a deed waits for a question to the other
 * masters, or for estimates of nodes.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "aggregator/bundle_estimate.h"
#include "aggregator/bundle_figures.h"
#include "aggregator/bundles.h"
#include "aggregator/relay.h"
#include "api/bundle_task.h"
#include "api/byte_range.h"
#include "base/log.h"
#include "base/mono.h"
#include "net/url.h"

#define BUSY_SECONDS  30u
#define RELAY_SECONDS 10u
#define LISTED_MAX    (BUNDLE_LIST_MAX * 8u)
#define OPEN_USEC     (2 * USEC_PER_SEC)
#define RESTARTED     "diag-aggregatord was restarted while it was being made"
#define STOPPED       "diag-aggregatord was stopped"

struct deed {
        LIST_ENTRY(deed) link;
        struct bundles *bundles;
        struct errand *errand;
        struct bundle_task *task;
        struct bundle_question *question;
        struct bundle_estimate *estimate;
};

struct bundles {
        struct bundles_options options;
        struct jobs *jobs;       /* NULL: its directory cannot be had, yet */
        uint64_t open_mono_usec; /* when to try again */
        struct err why;          /* why not */
        struct bundle_runner *runner;
        struct bundle_peers *peers;
        struct bundle_figures *figures;
        char program[BUNDLE_PROGRAM_MAX];
        LIST_HEAD(, deed) deeds;
};

/* --- ends ------------------------------------------------------------------------------------------------ */

static void deed_end(struct deed *d)
{
        LIST_REMOVE(d, link);
        bundle_question_free(d->question);
        bundle_estimate_free(d->estimate);
        errand_finish(d->errand);
        free(d);
}

#define refuse(d, ...)                                    \
        do {                                              \
                bundle_task_fail((d)->task, __VA_ARGS__); \
                deed_end(d);                              \
        } while (0)

static void refuse_memory(struct deed *d)
{
        refuse(d, 503, "no-memory", "out of memory");
}

static void refuse_missing(struct deed *d)
{
        refuse(d, 404, "no-such-bundle", "there is no bundle %s", d->task->id);
}

/* @taken: the task's now. False: out of memory. */
static bool add_bundle(struct bundle_task *t, struct bundle *taken)
{
        struct bundle **grown =
                taken ? reallocarray(t->bundles, t->n_bundles + 1, sizeof(struct bundle *)) : NULL;

        if (!grown) {
                if (taken)
                        bundle_free(taken);
                return false;
        }
        t->bundles = grown;
        t->bundles[t->n_bundles++] = taken;
        return true;
}

static void answer_with(struct deed *d, const struct bundle *b)
{
        if (!add_bundle(d->task, bundle_copy(b))) {
                refuse_memory(d);
                return;
        }
        d->task->status = 200;
        deed_end(d);
}

static const struct bundle *own(const struct deed *d)
{
        return !d->bundles->jobs ? NULL : store_find(jobs_store(d->bundles->jobs), d->task->id);
}

static void ask_peers(struct deed *d, enum bundle_question_kind kind,
                      void (*done)(struct bundle_answer *answers, size_t n, void *userdata))
{
        const char *id = kind == BUNDLE_QUESTION_LIST ? NULL : d->task->id;
        int k = bundle_question_new(&d->question, d->bundles->peers, kind, id, done, d);

        if (k == -ENOMEM)
                refuse_memory(d);
        else if (k < 0)
                done(NULL, 0, d); /* nobody else is there to know more */
}

static void refuse_directory(struct deed *d)
{
        refuse(d, 503, "no-directory", "this master has no place for bundles: %s",
               d->bundles->why.text);
}

/* Nobody has it; but who did not answer may. */
static void refuse_unknown(struct deed *d, const struct bundle_answer *answers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (answers[i].status == 0) {
                        refuse(d, 502, "master-silent",
                               "bundle %s is on no master that answers; %s: %s", d->task->id,
                               answers[i].address, answers[i].refusal.text);
                        return;
                }
        refuse_missing(d);
}

/* What a master says for a reason of his own is passed on. */
static void refuse_told(struct deed *d, const struct bundle_answer *answers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (answers[i].status != 0 && answers[i].status != 404) {
                        refuse(d, answers[i].status < 500 ? answers[i].status : 502,
                               str_or(answers[i].refusal.reason, "refused"), "%s: %s",
                               answers[i].address, answers[i].refusal.text);
                        return;
                }
        refuse_unknown(d, answers, n);
}

/* --- lists ------------------------------------------------------------------------------------------------- */

static bool add_silent(struct bundle_task *t, const char *address, const char *why)
{
        __typeof__(t->silent) grown = reallocarray(t->silent, t->n_silent + 1, sizeof(*grown));

        if (!grown)
                return false;
        t->silent = grown;
        t->silent[t->n_silent].address = strdup(address);
        t->silent[t->n_silent].error = strdup(why);
        t->n_silent++;
        return t->silent[t->n_silent - 1].address && t->silent[t->n_silent - 1].error;
}

/* Who has answered has a place in lists by master, even without any bundle. */
static bool add_master(struct bundle_task *t, const char *address)
{
        char **grown = reallocarray(t->masters, t->n_masters + 1, sizeof(*grown));

        if (!grown)
                return false;
        t->masters = grown;
        t->masters[t->n_masters] = strdup(address);
        return t->masters[t->n_masters] && ++t->n_masters;
}

static bool add_answer(struct bundle_task *t, struct bundle_answer *a)
{
        if (a->status != 200)
                return add_silent(t, a->address, a->refusal.text);
        if (!add_master(t, a->address))
                return false;
        for (size_t i = 0; i < a->n_bundles && t->n_bundles < LISTED_MAX; i++)
                if (!add_bundle(t, TAKE_PTR(a->bundles[i])))
                        return false;
        return true;
}

static void on_listed(struct bundle_answer *answers, size_t n, void *userdata)
{
        struct deed *d = userdata;
        bool good = true;

        for (size_t i = 0; good && i < n; i++)
                good = add_answer(d->task, &answers[i]);
        if (!good) {
                refuse_memory(d);
                return;
        }
        d->task->status = 200;
        deed_end(d);
}

static void list(struct deed *d)
{
        size_t n = 0;
        const struct bundle *const *all =
                d->bundles->jobs ? store_list(jobs_store(d->bundles->jobs), &n) : NULL;

        if (!d->bundles->jobs &&
            d->task->own_only) { /* who asks lists us as silent, with the reason */
                refuse_directory(d);
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (!add_bundle(d->task, bundle_copy_row(all[i]))) {
                        refuse_memory(d);
                        return;
                }
        if (d->task->own_only)
                on_listed(NULL, 0, d);
        else
                ask_peers(d, BUNDLE_QUESTION_LIST, on_listed);
}

/* --- one of them ------------------------------------------------------------------------------------------- */

/* Who has it says how it is, or why not: what he says is passed on. */
static void on_told(struct bundle_answer *answers, size_t n, void *userdata)
{
        struct deed *d = userdata;

        for (size_t i = 0; i < n; i++) {
                struct bundle_answer *a = &answers[i];

                if (a->status == 200) {
                        if (!add_bundle(d->task, TAKE_PTR(a->bundles[0]))) {
                                refuse_memory(d);
                                return;
                        }
                        d->task->status = 200;
                        deed_end(d);
                        return;
                }
        }
        refuse_told(d, answers, n);
}

static void get(struct deed *d)
{
        const struct bundle *b = own(d);

        if (b)
                answer_with(d, b);
        else if (d->task->own_only)
                refuse_missing(d);
        else
                ask_peers(d, BUNDLE_QUESTION_GET, on_told);
}

/* Asked once more when it is done: it may have ended meanwhile. */
static void answer_with_own(struct deed *d)
{
        const struct bundle *b = own(d);

        if (b)
                answer_with(d, b);
        else
                refuse_missing(d);
}

static void cancel(struct deed *d)
{
        int k = d->bundles->jobs ? jobs_cancel(d->bundles->jobs, d->task->id) : -ENOENT;

        if (k == -ENOENT && !d->task->own_only)
                ask_peers(d, BUNDLE_QUESTION_CANCEL, on_told);
        else if (k == -EALREADY)
                refuse(d, 409, "ended", "bundle %s has ended already", d->task->id);
        else if (k < 0)
                refuse_missing(d);
        else
                answer_with_own(d);
}

static void delete (struct deed *d)
{
        struct err e = {0};
        int k = d->bundles->jobs ? jobs_delete(d->bundles->jobs, d->task->id, &e) : -ENOENT;

        if (k == -ENOENT && !d->task->own_only)
                ask_peers(d, BUNDLE_QUESTION_DELETE, on_told);
        else if (k == -ENOENT)
                refuse_missing(d);
        else if (k < 0)
                refuse(d, 500, "not-deleted", "bundle %s is not deleted: %s", d->task->id, e.text);
        else
                answer_with_own(d);
}

/* --- a new one --------------------------------------------------------------------------------------------- */

static struct bundle *make(struct deed *d, struct err *e)
{
        const struct diag_snapshot *s = view_current(d->bundles->options.view);
        const struct bundle_task *t = d->task;
        struct bundle *b = calloc(1, sizeof(*b));
        int k;

        if (!b) {
                (void)err_set(e, -ENOMEM, "out of memory");
                return NULL;
        }
        b->type = BUNDLE_CLUSTER;
        b->state = BUNDLE_QUEUED;
        b->created_wall_usec = now_wall_usec();
        if (*t->id)
                (void)snprintf(b->id, sizeof(b->id), "%s", t->id);
        else
                bundle_id_make(b->id, s->cluster_name, b->created_wall_usec);
        if (s->n_members == 0) { /* a bundle of nothing would look as if all were well */
                (void)err_set(e, -EHOSTUNREACH, "no node is known yet: try again in a moment");
                bundle_free(b);
                return NULL;
        }
        b->by = strdup(t->caller);
        b->observer = strdup(s->observer);
        k = b->by && b->observer ? bundle_request_copy(&b->request, &t->request) : -ENOMEM;
        if (k < 0)
                (void)err_set(e, -ENOMEM, "out of memory");
        else
                k = bundle_nodes_choose(b, s, e);
        if (k < 0) {
                bundle_free(b);
                return NULL;
        }
        return b;
}

static void refuse_creation(struct deed *d, const struct err *e)
{
        static const struct {
                int code;
                unsigned status;
                const char *reason;
        } refusals[] = {
                {-EEXIST,       409, "exists"      },
                {-ENOSPC,       507, "no-space"    },
                {-EAGAIN,       429, "busy"        },
                {-EINVAL,       400, "bad-request" },
                {-ENOENT,       400, "no-such-node"},
                {-E2BIG,        400, "too-many"    },
                {-ENOMEM,       503, "no-memory"   },
                {-EHOSTUNREACH, 503, "not-yet"     },
        };

        for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
                if (e->code == refusals[i].code) {
                        if (e->code == -EAGAIN)
                                d->task->retry_after = BUSY_SECONDS;
                        refuse(d, refusals[i].status, refusals[i].reason, "%s",
                               *e->text ? e->text : strerror(-e->code));
                        return;
                }
        refuse(d, 500, "not-created", "%s", *e->text ? e->text : strerror(-e->code));
}

static void create(struct deed *d)
{
        struct err e = {0};
        const struct bundle *created = NULL;
        struct bundle *b;
        int k;

        if (!d->bundles->jobs) {
                refuse_directory(d);
                return;
        }
        b = make(d, &e);
        if (!b) {
                refuse_creation(d, &e);
                return;
        }
        k = jobs_create(d->bundles->jobs, b, &created, &e);
        if (k < 0) {
                e.code = k;
                refuse_creation(d, &e);
                return;
        }
        log_notice("bundle %s, of %zu nodes, is made for %s", created->id, created->n_nodes,
                   str_or(created->by, "?"));
        answer_with(d, created);
}

static void on_estimated(struct buf *json, void *userdata)
{
        struct deed *d = userdata;
        size_t n = 0;

        d->task->text = buf_take(json, &n);
        d->task->n_text = n;
        if (!d->task->text) {
                refuse_memory(d);
                return;
        }
        d->task->status = 200;
        deed_end(d);
}

static void estimate(struct deed *d)
{
        struct bundles *all = d->bundles;
        struct bundle_estimate_terms terms = {
                .fetcher = all->options.fetcher,
                .caller = d->task->caller,
                .done = on_estimated,
                .userdata = d,
        };
        struct err e = {0};
        struct bundle *b;
        int k;

        if (!all->jobs) {
                refuse_directory(d);
                return;
        }
        b = make(d, &e);
        if (!b) {
                refuse_creation(d, &e);
                return;
        }
        k = store_floor(jobs_store(all->jobs), &terms.floor_bytes, &terms.free_bytes, &e);
        if (k < 0)
                refuse(d, 500, "no-directory", "%s", e.text);
        else if (bundle_estimate_new(&d->estimate, b, view_current(all->options.view),
                                     &all->options.where, &terms) < 0)
                refuse_memory(d);
        bundle_free(b);
}

/* --- its file ---------------------------------------------------------------------------------------------- */

static void name_file(struct bundle_task *t, const struct bundle *b)
{
        (void)snprintf(t->file_name, sizeof(t->file_name), "%s.%s", b->id,
                       archive_format_to_string(b->request.format));
        t->size = b->size_bytes;
        t->mtime_usec = b->finished_wall_usec;
}

/* False, and refused: there is no file of it. */
static bool has_file(struct deed *d, const struct bundle *b)
{
        if (b->state == BUNDLE_DONE)
                return true;
        if (bundle_state_is_final(b->state))
                refuse(d, 410, bundle_state_to_string(b->state), "bundle %s was %s", b->id,
                       bundle_state_to_string(b->state));
        else
                refuse(d, 404, "not-done", "bundle %s is not done yet (%s): try again later", b->id,
                       bundle_state_to_string(b->state));
        return false;
}

static void open_own(struct deed *d, const struct bundle *b)
{
        struct bundle_task *t = d->task;
        struct stat st;

        if (!has_file(d, b))
                return;
        t->fd = store_open_file(jobs_store(d->bundles->jobs), b->id);
        if (t->fd < 0 || fstat(t->fd, &st) < 0) {
                refuse(d, 500, "no-file", "the file of bundle %s cannot be read: %s", b->id,
                       strerror(t->fd < 0 ? -t->fd : errno));
                return;
        }
        name_file(t, b);
        t->size = (uint64_t)st.st_size;
        t->status = 200;
        deed_end(d);
}

/* As the tag that api/bundle_answer.c makes of the same two figures, or the date. */
static bool range_counts(const struct bundle_task *t)
{
        char tag[64];
        uint64_t date = 0;

        if (!t->if_range)
                return true;
        (void)snprintf(tag, sizeof(tag), "\"%" PRIx64 "-%" PRIx64 "\"",
                       t->mtime_usec / USEC_PER_SEC, t->size);
        return streq(t->if_range, tag) || (http_date_parse(&date, t->if_range) >= 0 &&
                                           date == t->mtime_usec / USEC_PER_SEC * USEC_PER_SEC);
}

static enum byte_range choose_range(struct bundle_task *t)
{
        enum byte_range part = BYTE_RANGE_NONE;

        t->from = 0;
        t->n = t->size;
        if (range_counts(t))
                part = byte_range_read(t->range, t->size, &t->from, &t->n);
        t->status = part == BYTE_RANGE_PART ? 206 : 200;
        return part;
}

static void relay(struct deed *d, const struct bundle_answer *a, const struct bundle *b)
{
        struct bundles *all = d->bundles;
        struct bundle_task *t = d->task;
        char url[NODE_URL_MAX];
        struct relay_request q = {
                .url = url,
                .ca_file = all->options.gather.ca_file,
                .cert_file = all->options.gather.cert_file,
                .key_file = all->options.gather.key_file,
        };
        struct err e = {0};
        int k;

        if (!has_file(d, b))
                return;
        name_file(t, b);
        if (choose_range(t) == BYTE_RANGE_BEYOND) {
                refuse(d, 416, "beyond", "bundle %s has %" PRIu64 " bytes", b->id, b->size_bytes);
                return;
        }
        q.from = t->from;
        q.n = t->n;
        k = bundle_peers_file_url(all->peers, a->address, b->id, url, sizeof(url));
        if (k >= 0)
                k = relay_start(&t->stream, all->options.loop, all->program, &q, &e);
        if (k == -EBUSY) {
                t->retry_after = RELAY_SECONDS;
                refuse(d, 503, "busy", "%s", e.text);
        } else if (k < 0) {
                refuse(d, 502, "not-relayed", "%s", *e.text ? e.text : strerror(-k));
        } else {
                deed_end(d);
        }
}

static void on_found(struct bundle_answer *answers, size_t n, void *userdata)
{
        struct deed *d = userdata;

        for (size_t i = 0; i < n; i++)
                if (answers[i].status == 200) {
                        relay(d, &answers[i], answers[i].bundles[0]);
                        return;
                }
        refuse_told(d, answers, n);
}

static void file(struct deed *d)
{
        const struct bundle *b = own(d);

        if (b)
                open_own(d, b);
        else if (d->task->own_only)
                refuse_missing(d);
        else
                ask_peers(d, BUNDLE_QUESTION_GET, on_found);
}

/* --- all of them ------------------------------------------------------------------------------------------- */

static int open_jobs(struct bundles *b, struct err *e)
{
        struct jobs_options options = {
                .loop = b->options.loop,
                .runner = &bundle_runner_ops,
                .userdata = b->runner,
                .stopped = STOPPED,
        };
        struct store *s = NULL;
        int k = store_open(&s, b->options.directory, &b->options.store, RESTARTED, e);

        if (k < 0)
                return k;
        options.store = s;
        k = jobs_new(&b->jobs, &options, e);
        if (k < 0)
                store_free(s);
        else
                bundle_runner_set_jobs(b->runner, b->jobs);
        return k;
}

/* The disk may come later than we do. */
static void try_open(struct bundles *b)
{
        uint64_t now = now_mono_usec();
        bool first = b->open_mono_usec == 0;

        if (b->jobs || now < b->open_mono_usec)
                return;
        b->open_mono_usec = now + OPEN_USEC;
        if (open_jobs(b, &b->why) < 0) {
                if (first)
                        log_warning("no bundles for now: %s", b->why.text);
        } else if (!first) {
                log_info("bundles are in %s", b->options.directory);
        }
}

static void not_here(struct deed *d)
{
        refuse(d, 404, "not-a-node", "a collection is asked of a node");
}

static void begin(void *userdata, struct errand *e, struct bundle_task *t)
{
        static void (*const kinds[])(struct deed * d) = {
                [BUNDLE_TASK_LIST] = list,         [BUNDLE_TASK_GET] = get,
                [BUNDLE_TASK_CREATE] = create,     [BUNDLE_TASK_CANCEL] = cancel,
                [BUNDLE_TASK_DELETE] = delete,     [BUNDLE_TASK_FILE] = file,
                [BUNDLE_TASK_ESTIMATE] = estimate, [BUNDLE_TASK_COLLECT] = not_here,
        };
        struct bundles *b = userdata;
        struct deed *d = calloc(1, sizeof(*d));

        if (!d) {
                bundle_task_fail(t, 503, "no-memory", "out of memory");
                errand_finish(e);
                return;
        }
        d->bundles = b;
        d->errand = e;
        d->task = t;
        LIST_INSERT_HEAD(&b->deeds, d, link);
        try_open(b);
        kinds[t->kind](d);
}

/* What changes something goes on to its end; that takes no longer than the other masters' few seconds. */
static void abandoned(void *userdata, struct errand *e, _unused_ struct bundle_task *t)
{
        struct bundles *b = userdata;
        struct deed *d;

        if (!errand_only_reads(e))
                return;
        LIST_FOREACH (d, &b->deeds, link)
                if (d->errand == e) {
                        refuse(d, 504, "abandoned", "nobody waits any more");
                        return;
                }
}

const struct bundle_ops bundles_ops = {.begin = begin, .abandoned = abandoned};

void bundles_set_peers(struct bundles *b, const char *const *addresses, size_t n)
{
        bundle_peers_set(b->peers, addresses, n);
}

bool bundles_is_idle(const struct bundles *b)
{
        return LIST_EMPTY(&b->deeds);
}

void bundles_note(struct bundles *b)
{
        try_open(b);
        if (b->jobs)
                bundle_figures_note(b->figures, jobs_store(b->jobs));
}

void bundles_write(struct bundles *b, struct buf *out)
{
        bundle_figures_write(b->figures, out);
}

int bundles_set_limits(struct bundles *b, const struct store_limits *store,
                       const struct gather_order *gather)
{
        int k = bundle_runner_set_limits(b->runner, gather);

        if (k < 0)
                return k;
        b->options.store = *store;
        if (b->jobs)
                store_set_limits(jobs_store(b->jobs), store);
        return 0;
}

int bundles_new(struct bundles **ret, const struct bundles_options *options, struct err *e)
{
        _cleanup_(bundles_freep) struct bundles *b = calloc(1, sizeof(*b));
        const struct bundle_peers_options peers = {
                .fetcher = options->fetcher,
                .port = options->port_peer,
                .tls = options->where.tls,
        };
        const struct bundle_runner_options runner = {
                .loop = options->loop,
                .view = options->view,
                .where = options->where,
        };
        int k;

        if (!b)
                return err_set(e, -ENOMEM, "out of memory");
        b->options = *options;
        LIST_INIT(&b->deeds);
        (void)bundle_runner_program(b->program);
        k = bundle_figures_new(&b->figures);
        if (k >= 0)
                k = bundle_peers_new(&b->peers, &peers);
        if (k >= 0)
                k = bundle_runner_new(&b->runner, &runner);
        if (k >= 0)
                k = bundle_runner_set_limits(b->runner, &options->gather);
        if (k < 0)
                return err_set(e, k, "%s", strerror(-k));
        try_open(b);
        *ret = TAKE_PTR(b);
        return 0;
}

void bundles_stop(struct bundles *b)
{
        while (!LIST_EMPTY(&b->deeds)) {
                struct deed *d = LIST_FIRST(&b->deeds);

                refuse(d, 503, "stopping", "the daemon is being stopped");
        }
}

struct bundles *bundles_free(struct bundles *b)
{
        if (!b)
                return NULL;
        jobs_free(b->jobs);
        bundle_runner_free(b->runner);
        bundle_peers_free(b->peers);
        bundle_figures_free(b->figures);
        free(b);
        return NULL;
}
