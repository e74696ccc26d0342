/*
 * The child tells us nothing but what stands in state.json. A SIGKILL is how it is cancelled: it can leave half a file, and
 * those that are its own are removed here; never half a word.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "aggregator/bundle_runner.h"
#include "base/child.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mono.h"
#include "model/snapshot_json.h"

#define WATCH_USEC       (500 * USEC_PER_MSEC)
#define BEYOND_USEC      (10 * USEC_PER_MIN) /* the child has a deadline of its own */
#define BURY_USEC        (50 * USEC_PER_MSEC) /* what was killed may be about to rename its last state */
#define OUTPUT_BYTES_MAX 2048u

struct bundle_runner {
        struct bundle_runner_options options;
        struct gather_order limits;
        struct jobs *jobs;
        struct child *child;
        struct loop_timer *timer; /* looks at state.json; after a cancellation, buries */
        char id[BUNDLE_ID_MAX];   /* "": none runs */
        char directory[4096 - 64];
        struct timespec seen; /* of state.json, and which file that was */
        ino_t seen_inode;
        bool canceled;
};

/* --- which program ----------------------------------------------------------------------------------- */

/* The one of our own version, if it is there: beside us in a build, or in an installed tree wherever that is. */
char *bundle_runner_program(char buf[static BUNDLE_PROGRAM_MAX])
{
        static const char *const places[] = {"../libexec/diag/diag-gather",
                                             "../bundles/diag-gather"};
        char own[BUNDLE_PROGRAM_MAX - 64];
        ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
        char *slash;

        own[n < 0 ? 0 : n] = '\0';
        slash = strrchr(own, '/');
        for (size_t i = 0; slash && i < ELEMENTSOF(places); i++) {
                *slash = '\0';
                (void)snprintf(buf, BUNDLE_PROGRAM_MAX, "%s/%s", own, places[i]);
                if (access(buf, X_OK) == 0)
                        return buf;
        }
        (void)snprintf(buf, BUNDLE_PROGRAM_MAX, "%s/diag-gather", DIAG_LIBEXECDIR);
        return buf;
}

/* --- what it is told --------------------------------------------------------------------------------- */

static char *copy_or_null(const char *s)
{
        return s ? strdup(s) : NULL;
}

static int make_order(const struct bundle_runner *r, struct gather_order *o, const struct bundle *b)
{
        const struct diag_snapshot *s = view_current(r->options.view);
        uint64_t floor, n_free;

        *o = r->limits;
        o->ca_file = copy_or_null(r->limits.ca_file);
        o->cert_file = copy_or_null(r->limits.cert_file);
        o->key_file = copy_or_null(r->limits.key_file);
        o->n_nodes = 0;
        /* A share of the disk, if nobody said: the store knows. Without an answer it is what was said. */
        if (store_floor(jobs_store(r->jobs), &floor, &n_free, NULL) >= 0)
                o->free_floor = floor;
        o->nodes = calloc(b->n_nodes ? b->n_nodes : 1, sizeof(*o->nodes));
        if (!o->nodes)
                return -ENOMEM;
        for (size_t i = 0; i < b->n_nodes; i++)
                if (bundle_nodes_locate(&o->nodes[o->n_nodes++], &b->nodes[i], s,
                                        &r->options.where) < 0)
                        return -ENOMEM;
        return 0;
}

static int put(const struct bundle_runner *r, const char *name, struct buf *text, struct err *e)
{
        char path[4096];

        if (text->error)
                return err_set(e, text->error, "%s: %s", name, strerror(-text->error));
        (void)snprintf(path, sizeof(path), "%s/%s", r->directory, name);
        return fs_replace(path, text->data, text->n, 0600, e);
}

static int put_order(const struct bundle_runner *r, const struct bundle *b, struct err *e)
{
        _cleanup_(buf_done) struct buf text = {.max = GATHER_ORDER_BYTES_MAX};
        struct gather_order order = {0};
        int k = make_order(r, &order, b);

        if (k >= 0)
                gather_order_write(&text, &order);
        gather_order_done(&order);
        return k < 0 ? err_set(e, k, "%s", strerror(-k)) : put(r, "gather.json", &text, e);
}

static void write_nodes(struct buf *out, const struct diag_look *l)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_key(&w, "items");
        jw_begin_array(&w);
        for (size_t i = 0; i < l->snapshot->n_members; i++) {
                jw_begin_object(&w);
                diag_member_write_row(&w, l, l->snapshot->members[i]);
                jw_end_object(&w);
        }
        jw_end_array(&w);
        jw_key(&w, "view");
        diag_view_write(&w, l);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* The cluster at this moment. That it cannot be written costs these files, and no bundle. */
static void put_view(const struct bundle_runner *r)
{
        _cleanup_(buf_done) struct buf cluster = {0}, nodes = {0};
        struct view_look seen;
        struct diag_look look;
        struct err e = {0};

        view_look(r->options.view, &seen);
        look = (struct diag_look){
                .snapshot = seen.snapshot,
                .stale = seen.stale ? "the view of the cluster was too old" : NULL,
                .now_boot_usec = now_boot_usec(),
                .age_usec = seen.age_usec,
                .outputs = true,
        };
        diag_cluster_write(&cluster, &look, false);
        write_nodes(&nodes, &look);
        view_look_done(&seen);
        if (put(r, "cluster.json", &cluster, &e) < 0 || put(r, "nodes.json", &nodes, &e) < 0)
                log_warning("a bundle lacks the cluster's view: %s", e.text);
}

/* --- how far it is ------------------------------------------------------------------------------------- */

static int read_state(struct bundle_runner *r, struct bundle **ret)
{
        _cleanup_(freep) char *json = NULL;
        char path[4096];
        struct err e = {0};
        size_t n = 0;
        int k;

        (void)snprintf(path, sizeof(path), "%s/state.json", r->directory);
        k = fs_read(path, BUNDLE_JSON_MAX, &json, &n, NULL);
        if (k >= 0)
                k = bundle_read(ret, json, n, &e);
        if (k >= 0 && !streq((*ret)->id, r->id)) {
                *ret = bundle_free(*ret);
                k = -EBADMSG;
        }
        if (k < 0)
                log_debug("%s: %s", path, str_or(e.text, strerror(-k)));
        return k;
}

static bool is_news(struct bundle_runner *r)
{
        char path[4096];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/state.json", r->directory);
        if (stat(path, &st) < 0 ||
            (st.st_ino == r->seen_inode && st.st_mtim.tv_sec == r->seen.tv_sec &&
             st.st_mtim.tv_nsec == r->seen.tv_nsec))
                return false;
        r->seen_inode = st.st_ino;
        r->seen = st.st_mtim;
        return true;
}

/* A final state is for its end: until then its process may still write. */
static void look(struct bundle_runner *r)
{
        struct bundle *b = NULL;
        uint64_t now = now_mono_usec(), took;

        if (is_news(r) && read_state(r, &b) >= 0) {
                if (bundle_state_is_final(b->state))
                        bundle_free(b);
                else
                        (void)jobs_update(r->jobs, b, false);
        }
        took = usec_since(now_mono_usec(), now);
        loop_timer_set(r->timer, now + (20 * took > WATCH_USEC ? 20 * took : WATCH_USEC),
                       50 * USEC_PER_MSEC);
}

/* --- its end ------------------------------------------------------------------------------------------- */

static void set_text(char **to, const char *text)
{
        free(*to);
        *to = strdup(text);
}

static void clear(struct bundle_runner *r)
{
        r->id[0] = '\0';
        r->canceled = false;
        loop_timer_stop(r->timer);
        r->child = child_free(r->child);
}

/* It has not said how it ended, so we do. */
static void end_for_it(struct bundle_runner *r, enum bundle_state state, const char *why)
{
        const struct bundle *last = jobs_running(r->jobs);
        struct bundle *b = last && streq(last->id, r->id) ? bundle_copy(last) : NULL;
        struct err e = {0};

        if (store_remove_files(jobs_store(r->jobs), r->id, &e) < 0)
                log_warning("what is left of bundle %s stays: %s", r->id, e.text);
        clear(r);
        if (!b)
                return;
        b->state = state;
        b->finished_wall_usec = now_wall_usec();
        b->current[0] = b->file[0] = b->sha256[0] = '\0';
        b->size_bytes = 0;
        set_text(&b->error, why);
        for (size_t i = 0; i < b->n_nodes; i++)
                if (b->nodes[i].state == BUNDLE_NODE_WAITING ||
                    b->nodes[i].state == BUNDLE_NODE_RUNNING) {
                        b->nodes[i].state = BUNDLE_NODE_FAILED;
                        set_text(&b->nodes[i].error, state == BUNDLE_CANCELED
                                                             ? "the bundle was canceled"
                                                             : "the bundle failed before");
                        b->n_nodes_failed++;
                }
        jobs_end(r->jobs, b);
}

/* The last line that it wrote says most. */
static const char *last_line(const char *output, size_t *ret_n)
{
        size_t n = strlen(output), from;

        while (n && output[n - 1] == '\n')
                n--;
        for (from = n; from && output[from - 1] != '\n';)
                from--;
        *ret_n = n - from;
        return output + from;
}

static void say_why(char *why, size_t n, const struct child_result *c)
{
        size_t n_said;
        const char *said = last_line(c->output, &n_said);
        struct err e;

        if (c->exec_error)
                (void)err_set(&e, -EIO, "diag-gather could not be started: %s",
                              strerror(-c->exec_error));
        else if (c->timed_out)
                (void)err_set(&e, -EIO, "diag-gather did not end in time, and was killed");
        else if (c->signal)
                (void)err_set(&e, -EIO, "diag-gather was killed by signal %d (%s)", c->signal,
                              strsignal(c->signal));
        else
                (void)err_set(&e, -EIO, "diag-gather ended with status %d%s%.*s", c->exit_status,
                              n_said ? ": " : "", n_said < 100 ? (int)n_said : 100, said);
        (void)snprintf(why, n, "%s", e.text);
}

static void on_exit_of_child(const struct child_result *c, void *userdata)
{
        struct bundle_runner *r = userdata;
        struct bundle *b = NULL;
        char why[sizeof(((struct err *)NULL)->text)];

        if (c->n_output)
                log_debug("diag-gather: %s", c->output);
        if (!c->timed_out && read_state(r, &b) >= 0 && bundle_state_is_final(b->state)) {
                clear(r);
                jobs_end(r->jobs, b);
                return;
        }
        if (b)
                bundle_free(b);
        say_why(why, sizeof(why), c);
        log_warning("bundle %s failed: %s", r->id, why);
        end_for_it(r, BUNDLE_FAILED, why);
}

static void on_timer(void *userdata)
{
        struct bundle_runner *r = userdata;

        if (r->canceled)
                end_for_it(r, BUNDLE_CANCELED, "it was canceled");
        else
                look(r);
}

/* --- a runner -------------------------------------------------------------------------------------------- */

static int start(void *userdata, const struct bundle *b, const char *directory, struct err *e)
{
        static const char *const environment[] = {NULL};
        struct bundle_runner *r = userdata;
        char program[BUNDLE_PROGRAM_MAX];
        const char *const argv[] = {program, r->directory, NULL};
        uint64_t timeout = r->limits.timeout_usec ? r->limits.timeout_usec : GATHER_USEC;
        int k;

        if (*r->id)
                return err_set(e, -EBUSY, "another bundle is being made");
        if (strlen(directory) >= sizeof(r->directory))
                return err_set(e, -ENAMETOOLONG, "%s: too long", directory);
        (void)snprintf(r->directory, sizeof(r->directory), "%s", directory);
        k = put_order(r, b, e);
        if (k < 0)
                return k;
        (void)bundle_runner_program(program);
        put_view(r);
        k = child_start_env(&r->child, r->options.loop, argv, environment,
                            usec_add(timeout, BEYOND_USEC), OUTPUT_BYTES_MAX, on_exit_of_child, r,
                            e);
        if (k < 0)
                return k;
        (void)snprintf(r->id, sizeof(r->id), "%s", b->id);
        r->seen_inode = 0;
        r->canceled = false;
        loop_timer_set(r->timer, now_mono_usec() + WATCH_USEC, 0);
        return 0;
}

static void cancel(void *userdata, const char *id)
{
        struct bundle_runner *r = userdata;

        if (!streq(r->id, id) || r->canceled)
                return;
        r->canceled = true;
        r->child = child_free(r->child);
        loop_timer_set(r->timer, now_mono_usec() + BURY_USEC, 0);
}

const struct jobs_runner bundle_runner_ops = {.start = start, .cancel = cancel};

int bundle_runner_set_limits(struct bundle_runner *r, const struct gather_order *limits)
{
        struct gather_order copy = *limits;

        copy.nodes = NULL;
        copy.n_nodes = 0;
        copy.ca_file = copy_or_null(limits->ca_file);
        copy.cert_file = copy_or_null(limits->cert_file);
        copy.key_file = copy_or_null(limits->key_file);
        if ((limits->ca_file && !copy.ca_file) || (limits->cert_file && !copy.cert_file) ||
            (limits->key_file && !copy.key_file)) {
                gather_order_done(&copy);
                return -ENOMEM;
        }
        gather_order_done(&r->limits);
        r->limits = copy;
        return 0;
}

void bundle_runner_set_jobs(struct bundle_runner *r, struct jobs *j)
{
        r->jobs = j;
}

int bundle_runner_new(struct bundle_runner **ret, const struct bundle_runner_options *options)
{
        _cleanup_(bundle_runner_freep) struct bundle_runner *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return -ENOMEM;
        r->options = *options;
        k = loop_timer_new(&r->timer, options->loop, on_timer, r);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

struct bundle_runner *bundle_runner_free(struct bundle_runner *r)
{
        if (!r)
                return NULL;
        child_free(r->child);
        loop_timer_free(r->timer);
        gather_order_done(&r->limits);
        free(r);
        return NULL;
}
