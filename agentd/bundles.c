/* The host of a node: which task is whose, and jobs' answers in the words of requests. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agentd/bundle_zip.h"
#include "agentd/bundles.h"
#include "agentd/collections.h"
#include "api/bundle_task.h"
#include "base/log.h"
#include "base/mono.h"

struct bundles {
        struct collections *collections;
        struct bundle_zip *zip;
        struct jobs *jobs; /* NULL: there is no room for bundles, as why says */
        struct err why;
        const struct feed *feed;
        char directory[PATH_MAX];
        struct bundle_host host;
};

/* --- tasks ------------------------------------------------------------------------------------- */

static void add_bundle(struct bundle_task *t, const struct bundle *b)
{
        t->bundles = t->bundles ? t->bundles : calloc(1, sizeof(struct bundle *));
        if (t->bundles)
                t->bundles[0] = bundle_copy(b);
        if (!t->bundles || !t->bundles[0]) {
                bundle_task_fail(t, 503, "busy", "out of memory");
                return;
        }
        t->n_bundles = 1;
        t->status = 200;
}

static void fail_with(struct bundle_task *t, int k, const struct err *e)
{
        static const struct {
                int k;
                unsigned status;
                const char *reason;
        } table[] = {
                {-ENOENT,   404, "no-such-bundle"},
                {-EEXIST,   409, "exists"        },
                {-EALREADY, 409, "ended"         },
                {-EBUSY,    409, "running"       },
                {-EINVAL,   400, "bad-request"   },
                {-EAGAIN,   429, "busy"          },
                {-ENOMEM,   503, "busy"          },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (table[i].k == k) {
                        bundle_task_fail(t, table[i].status, table[i].reason, "%s",
                                         str_or(e->text, strerror(-k)));
                        return;
                }
        bundle_task_fail(t, 507, "no-space", "%s", str_or(e->text, strerror(-k)));
}

/* As it is now; or as it was, when nothing can be found of it any more. */
static void answer_one(struct bundles *b, struct bundle_task *t)
{
        const struct bundle *found = store_find(jobs_store(b->jobs), t->id);

        if (found)
                add_bundle(t, found);
        else
                bundle_task_fail(t, 404, "no-such-bundle", "bundle %s not found", t->id);
}

static void list(struct bundles *b, struct bundle_task *t)
{
        size_t n;
        const struct bundle *const *all = store_list(jobs_store(b->jobs), &n);

        t->bundles = calloc(n + 1, sizeof(struct bundle *));
        for (size_t i = 0; t->bundles && i < n; i++) {
                t->bundles[t->n_bundles] = bundle_copy(all[i]);
                if (t->bundles[t->n_bundles])
                        t->n_bundles++;
        }
        if (t->n_bundles < n || !t->bundles)
                bundle_task_fail(t, 503, "busy", "out of memory");
        else
                t->status = 200;
}

static struct bundle *new_bundle(const struct bundles *b, const struct bundle_task *t)
{
        struct bundle *made = calloc(1, sizeof(*made));
        const char *address = feed_current(b->feed)->node.address;

        if (!made)
                return NULL;
        memcpy(made->id, t->id, sizeof(made->id));
        made->type = BUNDLE_NODE;
        made->state = BUNDLE_QUEUED;
        made->created_wall_usec = now_wall_usec();
        made->by = strdup(t->caller);
        made->observer = strdup(str_or(address, ""));
        made->n_nodes_total = 1;
        if (!made->by || !made->observer || bundle_request_copy(&made->request, &t->request) < 0)
                return bundle_free(made);
        made->request.format = ARCHIVE_ZIP; /* nobody asks a node for another */
        return made;
}

static void create(struct bundles *b, struct bundle_task *t)
{
        struct bundle *made = new_bundle(b, t);
        const struct bundle *created;
        struct err e = {0};
        int k = made ? jobs_create(b->jobs, made, &created, &e) : -ENOMEM;

        if (k < 0) {
                fail_with(t, k, &e);
                return;
        }
        log_info("bundle %s is made for %s", created->id, t->caller);
        add_bundle(t, created);
}

static void cancel(struct bundles *b, struct bundle_task *t)
{
        struct err e = {0};
        int k = jobs_cancel(b->jobs, t->id);

        if (k < 0)
                fail_with(t, k, &e);
        else
                answer_one(b, t);
}

static void delete (struct bundles *b, struct bundle_task *t)
{
        struct err e = {0};
        int k = jobs_delete(b->jobs, t->id, &e);

        if (k < 0)
                fail_with(t, k, &e);
        else
                answer_one(b, t);
}

static void open_file(struct bundles *b, struct bundle_task *t, const struct bundle *found)
{
        struct stat st;

        t->fd = store_open_file(jobs_store(b->jobs), t->id);
        if (t->fd < 0 || fstat(t->fd, &st) < 0) {
                bundle_task_fail(t, 500, "failed", "cannot open the file of bundle %s: %s", t->id,
                                 strerror(t->fd < 0 ? -t->fd : errno));
                closep(&t->fd);
                t->fd = -1;
                return;
        }
        t->size = (uint64_t)st.st_size;
        t->mtime_usec =
                (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
        (void)snprintf(t->file_name, sizeof(t->file_name), "%s.%s", t->id,
                       archive_format_to_string(found->request.format));
        t->status = 200;
}

/* In the words of the service that we replace. */
static void file(struct bundles *b, struct bundle_task *t)
{
        const struct bundle *found = store_find(jobs_store(b->jobs), t->id);

        if (!found)
                bundle_task_fail(t, 404, "no-such-bundle", "bundle %s not found", t->id);
        else if (found->state == BUNDLE_DONE)
                open_file(b, t, found);
        else if (found->state == BUNDLE_UNKNOWN)
                bundle_task_fail(t, 500, "failed", "could not read state file for bundle %s",
                                 t->id);
        else if (bundle_state_is_final(found->state))
                bundle_task_fail(t, 410, "gone", "bundle %s was %s", t->id,
                                 bundle_v1_status(found));
        else
                bundle_task_fail(t, 404, "not-done",
                                 "bundle %s is not done yet (status %s), try again later", t->id,
                                 bundle_v1_status(found));
}

static void begin_kept(struct bundles *b, struct bundle_task *t)
{
        static void (*const tasks[])(struct bundles * b, struct bundle_task * t) = {
                [BUNDLE_TASK_LIST] = list,     [BUNDLE_TASK_GET] = answer_one,
                [BUNDLE_TASK_CREATE] = create, [BUNDLE_TASK_CANCEL] = cancel,
                [BUNDLE_TASK_DELETE] = delete, [BUNDLE_TASK_FILE] = file,
        };

        if ((size_t)t->kind >= ELEMENTSOF(tasks) || !tasks[t->kind])
                bundle_task_fail(t, 404, "not-here", "only a master can say that");
        else if (!b->jobs)
                bundle_task_fail(t, 507, "no-space", "%s", b->why.text);
        else
                tasks[t->kind](b, t);
}

static void begin(void *userdata, struct errand *e, struct bundle_task *t)
{
        struct bundles *b = userdata;

        if (t->kind == BUNDLE_TASK_COLLECT) {
                collections_begin(b->collections, e, t);
                return;
        }
        begin_kept(b, t);
        errand_finish(e);
}

static void abandoned(void *userdata, struct errand *e, struct bundle_task *t)
{
        struct bundles *b = userdata;

        if (t->kind == BUNDLE_TASK_COLLECT)
                collections_abandon(b->collections, e);
}

/* --- life -------------------------------------------------------------------------------------- */

static int open_store(struct bundles *b, const struct bundles_options *o)
{
        _cleanup_(store_freep) struct store *s = NULL;
        const struct jobs_options options = {
                .loop = o->loop,
                .runner = &bundle_zip_runner,
                .userdata = b->zip,
                .stopped = "diag-agentd was stopped",
        };
        struct jobs_options with_store = options;
        int k;

        if (!o->directory)
                return err_set(&b->why, -ENOENT, "there is no state directory for bundles");
        (void)snprintf(b->directory, sizeof(b->directory), "%s", o->directory);
        k = store_open(&s, o->directory, &o->limits, "diag-agentd was started again meanwhile",
                       &b->why);
        if (k < 0)
                return k;
        with_store.store = s;
        k = jobs_new(&b->jobs, &with_store, &b->why);
        if (k < 0)
                return k;
        s = NULL;
        bundle_zip_set_jobs(b->zip, b->jobs);
        return 0;
}

int bundles_new(struct bundles **ret, const struct bundles_options *o, struct err *e)
{
        static const struct bundle_ops ops = {.begin = begin, .abandoned = abandoned};
        _cleanup_(bundles_freep) struct bundles *b = calloc(1, sizeof(*b));
        int k;

        if (!b)
                return err_set(e, -ENOMEM, "out of memory");
        b->feed = o->feed;
        k = collections_new(&b->collections, o->loop, o->feed, o->socket);
        if (k >= 0)
                k = bundle_zip_new(&b->zip, o->loop, b->collections);
        if (k < 0)
                return err_set(e, k, "%s", strerror(-k));
        collections_set_role(b->collections, o->role);
        k = open_store(b, o);
        if (k == -ENOMEM)
                return err_set(e, k, "out of memory");
        *e = b->why;
        b->host = (struct bundle_host){
                .errands = o->errands,
                .ops = &ops,
                .userdata = b,
                .port = o->port,
                .directory = b->directory,
        };
        *ret = TAKE_PTR(b);
        return 0;
}

struct bundles *bundles_free(struct bundles *b)
{
        if (!b)
                return NULL;
        jobs_free(b->jobs);
        bundle_zip_free(b->zip);
        collections_free(b->collections);
        free(b);
        return NULL;
}

void bundles_reconfigure(struct bundles *b, enum diag_role role, const struct store_limits *limits)
{
        collections_set_role(b->collections, role);
        if (b->jobs)
                store_set_limits(jobs_store(b->jobs), limits);
}

const struct bundle_host *bundles_host(const struct bundles *b)
{
        return &b->host;
}
