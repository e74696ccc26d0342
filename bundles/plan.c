/*
 * The plan: files merged, one after the other, each entry in its place. What an entry replaces may be of another
 * kind: DC/OS calls "ip addr" a command, we call it a fact of the host, and the archive has the name but once.
 */

#include <errno.h>
#include <stdio.h>

#include "bundles/plan.h"
#include "bundles/plan_file.h"
#include "bundles/plan_json.h"
#include "model/unit_name.h"

#define WARNINGS_MAX    65536u
#define TOO_MANY        "there is too much that is not known to tell all of it\n"
#define HEALTH_TIMEOUT  (UINT64_C(30) * 1000000)
#define SYSTEMD_TIMEOUT (UINT64_C(15) * 1000000)
#define SYSTEMD_BYTES   (UINT64_C(1) << 20)

static const char *const system_directories[] = {"/usr/lib/diag/bundle.d", "/etc/diag/bundle.d",
                                                 NULL};
static const char *const system_files[] = {
        "/opt/mesosphere/etc/endpoints_config.json",
        "/opt/mesosphere/etc/endpoints_config_ee.json",
        "/opt/mesosphere/etc/dcos-diagnostics-endpoint-config.json",
        "/opt/mesosphere/etc/dcos-diagnostics-endpoint-config-addition.json",
        NULL,
};
const struct plan_paths plan_system_paths = {system_directories, system_files, true};

/* --- merging ----------------------------------------------------------------------------------- */

struct drafted {
        struct source source;
        bool foreign; /* from a file of DC/OS's own */
};

struct draft {
        struct drafted *all;
        size_t n, n_alloc;
        struct buf warnings;
};

static void draft_done(struct draft *d)
{
        for (size_t i = 0; i < d->n; i++)
                source_done(&d->all[i].source);
        free(d->all);
        buf_done(&d->warnings);
}

/* At its end; to be filled in. NULL: out of memory */
static struct drafted *draft_add(struct draft *d)
{
        size_t n = d->n_alloc ? 2 * d->n_alloc : 128;
        struct drafted *more;

        if (d->n == d->n_alloc) {
                more = reallocarray(d->all, n, sizeof(*more));
                if (!more)
                        return NULL;
                d->all = more;
                d->n_alloc = n;
        }
        return &d->all[d->n++];
}

static bool is_same(const struct source *a, const struct source *b)
{
        return (a->kind == b->kind && streq(a->id, b->id)) ||
               (a->name && b->name && streq(a->name, b->name));
}

static struct drafted *find_same(const struct draft *d, const struct source *s, size_t from)
{
        for (size_t i = from; i < d->n; i++)
                if (is_same(&d->all[i].source, s))
                        return &d->all[i];
        return NULL;
}

static void draft_remove(struct draft *d, struct drafted *one)
{
        size_t n_behind = d->n - (size_t)(one - d->all) - 1;

        source_done(&one->source);
        memmove(one, one + 1, n_behind * sizeof(*one));
        d->n--;
}

/* DC/OS's own files know no users, and we should not forget who may read dmesg. */
static void keep_ours(struct plan_entry *entry, struct source *old)
{
        struct source *s = &entry->source;

        if (s->way != old->way)
                return;
        if (!entry->has_kind)
                s->kind = old->kind;
        if (!entry->has_user)
                s->user = TAKE_PTR(old->user);
        if (!entry->has_timeout)
                s->timeout_usec = old->timeout_usec;
        if (!entry->has_max_bytes)
                s->max_bytes = old->max_bytes;
}

/* Lists of roles that name one thing twice mean both: the service that we replace collects both. */
static unsigned both_roles(unsigned a, unsigned b)
{
        return a && b ? a | b : 0;
}

static void replace(struct drafted *old, struct plan_entry *entry, bool foreign)
{
        struct source *s = &entry->source;

        if (foreign && old->foreign)
                s->roles = both_roles(s->roles, old->source.roles);
        if (foreign)
                keep_ours(entry, &old->source);
        source_done(&old->source);
}

static int draft_put(struct draft *d, struct plan_entry *entry, bool foreign, struct err *e)
{
        const struct source *s = &entry->source;
        const char *file = str_or(s->file, "built in");
        struct drafted *one = find_same(d, s, 0), *other;

        if (one && !foreign && streq(str_or(one->source.file, ""), file))
                return err_set(e, -EINVAL, "%.100s: %s %.100s is there twice", file,
                               source_kind_to_string(s->kind), s->id);
        if (!one && d->n >= PLAN_SOURCES_MAX)
                return err_set(e, -E2BIG, "%.100s: there are more than %u sources", file,
                               PLAN_SOURCES_MAX);
        if (one)
                replace(one, entry, foreign);
        else
                one = draft_add(d);
        if (!one)
                return err_set(e, -ENOMEM, "out of memory");
        *one = (struct drafted){.source = *s, .foreign = foreign};
        entry->source = (struct source){0};
        while ((other = find_same(d, &one->source, (size_t)(one - d->all) + 1)))
                draft_remove(d, other);
        return 0;
}

static bool is_wanted(const struct plan_text *t)
{
        return !t->requires || access(t->requires, F_OK) == 0;
}

static int take_file(struct draft *d, const char *path, bool foreign, bool root_owned,
                     struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        struct plan_text t = {0};
        size_t n = 0;
        int k = plan_file_read(path, PLAN_FILE_BYTES_MAX, root_owned, &text, &n, e);

        if (k < 0)
                return k;
        if (!text)
                return 0;
        k = plan_text_read(&t, path, text, n, foreign, &d->warnings, e);
        for (size_t i = 0; k == 0 && is_wanted(&t) && i < t.n; i++)
                k = draft_put(d, &t.entries[i], foreign, e);
        plan_text_done(&t);
        return k;
}

static int take_directories(struct draft *d, const struct plan_paths *paths, struct err *e)
{
        struct plan_files files = {0};
        int k = plan_file_list(&files, paths->directories, PLAN_FILES_MAX, e);

        for (size_t i = 0; k == 0 && i < files.n; i++)
                k = take_file(d, files.paths[i], false, paths->root_owned, e);
        plan_files_done(&files);
        return k;
}

static int take_files(struct draft *d, const struct plan_paths *paths, struct err *e)
{
        int k = 0;

        for (size_t i = 0; k == 0 && paths->files && paths->files[i]; i++) {
                k = take_file(d, paths->files[i], true, paths->root_owned, e);
                if (k == -ENOENT)
                        k = 0;
        }
        if (k == 0 && e)
                *e = (struct err){0};
        return k;
}

static int add_health(struct draft *d, const char *name, struct err *e)
{
        struct plan_entry entry = {
                .source = {.kind = SOURCE_HEALTH,
                           .way = SOURCE_WAY_HEALTH,
                           .id = strdup(name),
                           .name = strdup(name),
                           .timeout_usec = HEALTH_TIMEOUT,
                           .max_bytes = SOURCE_BYTES_MAX}
        };
        const struct source *s = &entry.source;
        int k = s->id && s->name ? draft_put(d, &entry, true, e)
                                 : err_set(e, -ENOMEM, "out of memory");

        source_done(&entry.source);
        return k;
}

/* --- the plan ---------------------------------------------------------------------------------- */

static const enum source_kind order[] = {SOURCE_JOURNAL, SOURCE_HTTP,    SOURCE_HEALTH, SOURCE_FILE,
                                         SOURCE_COMMAND, SOURCE_SYSTEMD, SOURCE_HOST};

/* By kind, and within a kind as they came. */
static int put_in_order(struct plan *p)
{
        struct source *sorted = calloc(p->n_sources ? p->n_sources : 1, sizeof(*sorted));
        size_t n = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t k = 0; k < ELEMENTSOF(order); k++)
                for (size_t i = 0; i < p->n_sources; i++)
                        if (p->sources[i].kind == order[k])
                                sorted[n++] = p->sources[i];
        free(p->sources);
        p->sources = sorted;
        return 0;
}

static int draft_finish(struct draft *d, struct plan **ret)
{
        _cleanup_(plan_freep) struct plan *p = calloc(1, sizeof(*p));

        if (!p || d->warnings.error == -ENOMEM)
                return -ENOMEM;
        if (d->warnings.n > 0 || d->warnings.error) {
                p->warnings = strdup(d->warnings.error ? TOO_MANY : buf_cstr(&d->warnings));
                if (!p->warnings)
                        return -ENOMEM;
        }
        p->sources = calloc(d->n ? d->n : 1, sizeof(*p->sources));
        if (!p->sources)
                return -ENOMEM;
        for (; p->n_sources < d->n; p->n_sources++)
                p->sources[p->n_sources] = d->all[p->n_sources].source;
        d->n = 0;
        if (put_in_order(p) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(p);
        return 0;
}

int plan_load(struct plan **ret, const struct plan_paths *paths, struct err *e)
{
        struct draft d = {.warnings = {.max = WARNINGS_MAX}};
        int k = take_directories(&d, paths, e);

        if (k == 0)
                k = take_files(&d, paths, e);
        if (k == 0)
                k = add_health(&d, PLAN_HEALTH_V1, e);
        if (k == 0)
                k = add_health(&d, PLAN_HEALTH, e);
        if (k == 0 && draft_finish(&d, ret) < 0)
                k = err_set(e, -ENOMEM, "out of memory");
        draft_done(&d);
        return k;
}

struct plan *plan_free(struct plan *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_sources; i++)
                source_done(&p->sources[i]);
        free(p->sources);
        free(p->warnings);
        free(p);
        return NULL;
}

const struct source *plan_find(const struct plan *p, enum source_kind kind, const char *id)
{
        for (size_t i = 0; i < p->n_sources; i++)
                if (p->sources[i].kind == kind && streq(p->sources[i].id, id))
                        return &p->sources[i];
        return NULL;
}

/* --- units ------------------------------------------------------------------------------------- */

static bool has_name(const struct plan *p, const char *name)
{
        for (size_t i = 0; i < p->n_sources; i++)
                if (p->sources[i].name && streq(p->sources[i].name, name))
                        return true;
        return false;
}

static int push(struct plan *p, struct source *taken)
{
        struct source *more = reallocarray(p->sources, p->n_sources + 1, sizeof(*more));

        if (!more || !taken->id || !taken->name) {
                source_done(taken);
                p->sources = more ? more : p->sources;
                return -ENOMEM;
        }
        more[p->n_sources++] = *taken;
        p->sources = more;
        return 0;
}

static int add_journal(struct plan *p, const char *unit)
{
        struct source s = {.kind = SOURCE_JOURNAL,
                           .way = SOURCE_WAY_JOURNAL,
                           .timeout_usec = SOURCE_TIMEOUT_USEC,
                           .max_bytes = SOURCE_BYTES_MAX};

        if (plan_find(p, SOURCE_JOURNAL, unit) || has_name(p, unit))
                return 0;
        s.id = strdup(unit);
        s.name = strdup(unit);
        s.unit = strdup(unit);
        if (!s.unit) {
                source_done(&s);
                return -ENOMEM;
        }
        return push(p, &s);
}

static char **words(const char *const from[], size_t n)
{
        char **w = calloc(n + 1, sizeof(*w));

        for (size_t i = 0; w && i < n; i++) {
                w[i] = strdup(from[i]);
                if (!w[i]) {
                        while (i > 0)
                                free(w[--i]);
                        free(w);
                        return NULL;
                }
        }
        return w;
}

static int add_systemctl(struct plan *p, const char *verb, const char *unit, const char *suffix)
{
        const char *const argv[] = {"systemctl", "--no-pager", verb, "--", unit};
        struct source s = {.kind = SOURCE_SYSTEMD,
                           .way = SOURCE_WAY_COMMAND,
                           .timeout_usec = SYSTEMD_TIMEOUT,
                           .max_bytes = SYSTEMD_BYTES};
        char name[sizeof("systemd/") + UNIT_NAME_MAX + 8];

        (void)snprintf(name, sizeof(name), "systemd/%s.%s", unit, suffix);
        if (plan_find(p, SOURCE_SYSTEMD, name) || has_name(p, name))
                return 0;
        s.argv = words(argv, ELEMENTSOF(argv));
        if (!s.argv)
                return -ENOMEM;
        s.id = strdup(name);
        s.name = strdup(name);
        s.optional = streq(verb, "cat"); /* units without a file are none the worse for it */
        return push(p, &s);
}

int plan_add_units(struct plan *p, const char *const units[], size_t n)
{
        int k = 0;

        for (size_t i = 0; i < n; i++)
                if (!unit_name_is_unit(units[i]))
                        return -EINVAL;
        for (size_t i = 0; k == 0 && i < n; i++)
                k = add_journal(p, units[i]);
        for (size_t i = 0; k == 0 && i < n; i++) {
                k = add_systemctl(p, "show", units[i], "show");
                if (k == 0)
                        k = add_systemctl(p, "cat", units[i], "unit");
        }
        return k < 0 ? k : put_in_order(p);
}
