/*
 * Reading our directories and that of Mesos. Names are facts, data only says more: a tombstone whose
 * data is no good is one all the same, and a master whose data is no good is counted, so that nobody
 * takes the others for all.
 */

#include <errno.h>
#include <stdio.h>

#include "aggregator/mesos_info_json.h"
#include "aggregator/zk_json.h"
#include "aggregator/zk_picture.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"

#define ADDRESS_PREFIX "addr:"

/* --- ids ---------------------------------------------------------------------------------------------- */

bool zk_node_id_is_valid(const char *id, bool any)
{
        int family;

        if (strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32)
                return true;
        return any && strlen(id) < ZK_ID_MAX &&
               strncmp(id, ADDRESS_PREFIX, strlen(ADDRESS_PREFIX)) == 0 &&
               parse_ip(id + strlen(ADDRESS_PREFIX), &family) == 0;
}

bool zk_text_is_valid(const char *s, size_t n)
{
        size_t k;

        for (size_t i = 0; i < n; i += k) {
                k = utf8_harmless(s + i, n - i);
                if (k == 0)
                        return false;
        }
        return n <= ZK_TEXT_MAX;
}

/* --- reading ------------------------------------------------------------------------------------------ */

struct reading {
        struct zk_picture *p;
        struct zk_tree *tree;
        const char *dir; /* for notes: "masters" */
};

static void note(struct reading *r, const char *name, const char *why)
{
        struct err e = {0}; /* masks what a terminal obeys */

        if (r->p->n_notes == ZK_NOTES_MAX) {
                r->p->n_notes_left_out++;
                return;
        }
        err_set(&e, -EBADMSG, "%s/%.64s: %s", r->dir, name, why);
        r->p->notes[r->p->n_notes++] = arena_strdup(&r->p->arena, e.text);
}

static const char *data_error(int error)
{
        return error == -E2BIG ? "it has too much data" : zk_error_words(error);
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts what may stay, and frees the rest. @n_more: names that were left out before. How many are now. */
static size_t choose(struct reading *r, struct string_list *names, bool any, size_t n_max,
                     size_t n_more)
{
        size_t n = 0, n_valid;
        char text[64];

        for (size_t i = 0; i < names->n; i++) {
                if (zk_node_id_is_valid(names->items[i], any))
                        names->items[n++] = names->items[i];
                else {
                        note(r, names->items[i], "its name is not the id of a node");
                        free(names->items[i]);
                }
        }
        names->n = n_valid = n;
        if (n)
                qsort(names->items, n, sizeof(*names->items), by_name);
        for (; names->n > n_max; names->n--)
                free(names->items[names->n - 1]);
        n_more += n_valid - names->n;
        if (n_more) {
                (void)snprintf(text, sizeof(text), "%zu more than %zu were left out", n_more,
                               n_max);
                note(r, "", text);
        }
        return n_more;
}

/* What is not there has nothing in it. */
static int list_dir(struct reading *r, enum zk_dir dir, size_t n_max, struct string_list *ret,
                    size_t *ret_n_left_out, struct err *e)
{
        char path[ZK_PATH_MAX];
        size_t n_more = 0;
        int k = zk_children(r->tree->zk, zk_tree_path(path, r->tree, dir, NULL), (int)dir, ret,
                            &n_more, &r->p->dirs[dir]);

        if (k == -ENOENT)
                k = 0;
        if (k < 0)
                return err_set(e, k, "cannot list %s: %s", path, zk_error_words(k));
        *ret_n_left_out = choose(r, ret, dir != ZK_DIR_MASTERS, n_max, n_more);
        return 0;
}

static void on_master(const char *name, int error, const char *text, size_t n,
                      _unused_ const struct zk_stat *stat, void *userdata)
{
        struct reading *r = userdata;
        struct zk_master *m = &r->p->masters[r->p->n_masters];
        struct err e = {0};

        if (error == -ENOENT)
                return; /* it went meanwhile, and its watch says so */
        if (error == 0)
                error = zk_master_from_json(m, &r->p->arena, text, n, &e);
        else
                err_set(&e, error, "%s", data_error(error));
        if (error < 0) {
                note(r, name, e.text);
                r->p->n_masters_unread++;
                return;
        }
        m->node_id = arena_strdup(&r->p->arena, name);
        r->p->n_masters++;
}

static void on_tombstone(const char *name, int error, const char *text, size_t n,
                         const struct zk_stat *stat, void *userdata)
{
        struct reading *r = userdata;
        struct zk_tombstone *t = &r->p->forgotten[r->p->n_forgotten];
        struct err e = {0};

        if (error == -ENOENT)
                return;
        if (error == 0)
                error = zk_tombstone_from_json(t, &r->p->arena, text, n, &e);
        else
                err_set(&e, error, "%s", data_error(error));
        if (error < 0) {
                note(r, name, e.text);
                *t = (struct zk_tombstone){.address = "", .by = "", .reason = ""};
        }
        t->node_id = arena_strdup(&r->p->arena, name);
        t->version = stat ? stat->version : 0;
        if (stat && stat->created_wall_msec > 0)
                t->created_wall_usec = (uint64_t)stat->created_wall_msec * USEC_PER_MSEC;
        r->p->n_forgotten++;
}

static void on_maintenance(const char *name, int error, const char *text, size_t n,
                           _unused_ const struct zk_stat *stat, void *userdata)
{
        struct reading *r = userdata;
        struct zk_maintenance *m = &r->p->maintenance[r->p->n_maintenance];
        struct err e = {0};

        if (error == -ENOENT)
                return;
        if (error == 0)
                error = zk_maintenance_from_json(m, &r->p->arena, text, n, &e);
        else
                err_set(&e, error, "%s", data_error(error));
        if (error < 0) {
                note(r, name, e.text);
                return;
        }
        m->node_id = arena_strdup(&r->p->arena, name);
        r->p->n_maintenance++;
}

/* How each directory is read, and where its entries go. */
static const struct {
        const char *name;
        size_t n_max, n_bytes;
        size_t entries; /* offset of the pointer to them */
        zk_each_fn on_entry;
} dirs[ZK_DIRS] = {
        [ZK_DIR_MASTERS] = {"masters",     ZK_MASTERS_MAX,     sizeof(struct zk_master),
                            offsetof(struct zk_picture, masters),     on_master     },
        [ZK_DIR_FORGOTTEN] = {"forgotten",   ZK_FORGOTTEN_MAX,   sizeof(struct zk_tombstone),
                            offsetof(struct zk_picture, forgotten),   on_tombstone  },
        [ZK_DIR_MAINTENANCE] = {"maintenance", ZK_MAINTENANCE_MAX, sizeof(struct zk_maintenance),
                            offsetof(struct zk_picture, maintenance), on_maintenance},
};

static int read_dir(struct reading *r, enum zk_dir dir, struct err *e)
{
        _cleanup_(string_list_done) struct string_list names = {0};
        char path[ZK_PATH_MAX];
        size_t n_left_out = 0;
        void *entries;
        int k;

        r->dir = dirs[dir].name;
        k = list_dir(r, dir, dirs[dir].n_max, &names, &n_left_out, e);
        if (k < 0)
                return k;
        if (dir == ZK_DIR_MASTERS)
                r->p->n_masters_unread += n_left_out;
        entries = arena_alloc(&r->p->arena, (names.n ? names.n : 1) * dirs[dir].n_bytes);
        if (!entries)
                return err_set(e, -ENOMEM, "out of memory");
        memcpy((char *)r->p + dirs[dir].entries, &entries, sizeof(entries));
        k = zk_get_each(r->tree->zk, zk_tree_path(path, r->tree, dir, NULL), &names,
                        dirs[dir].on_entry, r);
        return k < 0 ? err_set(e, k, "cannot read %s: %s", path, zk_error_words(k)) : 0;
}

/* --- Mesos -------------------------------------------------------------------------------------------- */

/* By sequence; of two with the same, by name. */
static int by_sequence(const void *a, const void *b)
{
        const char *x = *(char *const *)a, *y = *(char *const *)b;
        uint64_t m = 0, n = 0;

        (void)mesos_info_kind(x, &m);
        (void)mesos_info_kind(y, &n);
        return m < n ? -1 : m > n ? 1 : strcmp(x, y);
}

/* What is left are masters in either format, the leader first. */
static void choose_mesos(struct string_list *names)
{
        size_t n = 0;
        uint64_t sequence;

        for (size_t i = 0; i < names->n; i++) {
                if (mesos_info_kind(names->items[i], &sequence) != MESOS_INFO_NONE)
                        names->items[n++] = names->items[i];
                else
                        free(names->items[i]);
        }
        names->n = n;
        if (n)
                qsort(names->items, n, sizeof(*names->items), by_sequence);
        for (; names->n > ZK_MESOS_MAX; names->n--)
                free(names->items[names->n - 1]);
}

static void on_mesos_master(const char *name, int error, const char *text, size_t n,
                            _unused_ const struct zk_stat *stat, void *userdata)
{
        struct reading *r = userdata;
        struct zk_mesos_master *m = &r->p->mesos[r->p->n_mesos];
        uint64_t sequence = 0;
        bool is_first = r->p->n_mesos == 0 && r->p->n_mesos_unread == 0;
        struct err e = {0};

        if (error == -ENOENT)
                return; /* its session ended meanwhile */
        if (mesos_info_kind(name, &sequence) == MESOS_INFO_PROTOBUF) {
                r->p->n_mesos_unread++;
                return;
        }
        if (error == 0)
                error = mesos_info_from_json(m, &r->p->arena, text, n, &e);
        else
                err_set(&e, error, "%s", data_error(error));
        if (error < 0) {
                note(r, name, e.text);
                r->p->n_mesos_unread++;
                return;
        }
        m->sequence = sequence;
        r->p->n_mesos++;
        r->p->mesos_leads = r->p->mesos_leads || is_first;
}

static int read_mesos(struct reading *r, struct err *e)
{
        _cleanup_(string_list_done) struct string_list names = {0};
        const char *path = r->tree->mesos_path;
        struct zk_stat stat;
        size_t n_left_out = 0;
        int k;

        r->dir = "mesos";
        r->p->mesos = arena_alloc(&r->p->arena, ZK_MESOS_MAX * sizeof(*r->p->mesos));
        if (!r->p->mesos)
                return err_set(e, -ENOMEM, "out of memory");
        if (!*path)
                return 0;
        k = zk_children(r->tree->zk, path, ZK_WATCH_MESOS, &names, &n_left_out, &stat);
        if (k == -ENOENT)
                return 0;
        if (k == -EACCES) {
                note(r, "", data_error(k));
                return 0;
        }
        if (k == 0) {
                choose_mesos(&names);
                k = zk_get_each(r->tree->zk, path, &names, on_mesos_master, r);
        }
        return k < 0 ? err_set(e, k, "cannot read %s: %s", path, zk_error_words(k)) : 0;
}

int zk_picture_read(struct zk_picture **ret, struct zk_tree *tree, const struct zk_root_look *root,
                    struct err *e)
{
        _cleanup_(zk_picture_unrefp) struct zk_picture *p = calloc(1, sizeof(*p));
        struct reading r = {.p = p, .tree = tree};
        int k = 0;

        if (!p)
                return err_set(e, -ENOMEM, "out of memory");
        ref_init(&p->ref);
        p->root = root->root;
        p->root_stat = root->stat;
        for (unsigned dir = 0; dir < ZK_DIRS && k == 0; dir++)
                k = read_dir(&r, (enum zk_dir)dir, e);
        if (k == 0)
                k = read_mesos(&r, e);
        if (k < 0)
                return k;
        if (p->arena.failed)
                return err_set(e, -ENOMEM, "out of memory");
        *ret = TAKE_PTR(p);
        return 0;
}

/* --- life --------------------------------------------------------------------------------------------- */

struct zk_picture *zk_picture_ref(struct zk_picture *p)
{
        if (p)
                ref_inc(&p->ref);
        return p;
}

struct zk_picture *zk_picture_unref(struct zk_picture *p)
{
        if (p && ref_dec(&p->ref)) {
                arena_done(&p->arena);
                free(p);
        }
        return NULL;
}

/* --- comparing ---------------------------------------------------------------------------------------- */

static bool same_root(const struct zk_root *a, const struct zk_root *b)
{
        return a->schema == b->schema && a->created_wall_usec == b->created_wall_usec &&
               streq(a->cluster_id, b->cluster_id) && streq(a->name, b->name);
}

static bool same_masters(const struct zk_picture *a, const struct zk_picture *b)
{
        for (size_t i = 0; i < a->n_masters; i++) {
                const struct zk_master *x = &a->masters[i], *y = &b->masters[i];

                if (!streq(x->node_id, y->node_id) || !streq(x->address, y->address) ||
                    !streq(x->hostname, y->hostname) || !streq(x->boot_id, y->boot_id) ||
                    x->registered_wall_usec != y->registered_wall_usec || x->port != y->port)
                        return false;
        }
        return true;
}

static bool same_forgotten(const struct zk_picture *a, const struct zk_picture *b)
{
        for (size_t i = 0; i < a->n_forgotten; i++) {
                const struct zk_tombstone *x = &a->forgotten[i], *y = &b->forgotten[i];

                if (!streq(x->node_id, y->node_id) || !streq(x->address, y->address) ||
                    !streq(x->by, y->by) || !streq(x->reason, y->reason) ||
                    x->at_wall_usec != y->at_wall_usec ||
                    x->created_wall_usec != y->created_wall_usec || x->version != y->version)
                        return false;
        }
        return true;
}

static bool same_maintenance(const struct zk_picture *a, const struct zk_picture *b)
{
        for (size_t i = 0; i < a->n_maintenance; i++) {
                const struct zk_maintenance *x = &a->maintenance[i], *y = &b->maintenance[i];

                if (!streq(x->node_id, y->node_id) || !streq(x->by, y->by) ||
                    !streq(x->reason, y->reason) || x->since_wall_usec != y->since_wall_usec ||
                    x->until_wall_usec != y->until_wall_usec)
                        return false;
        }
        return true;
}

static bool same_mesos(const struct zk_picture *a, const struct zk_picture *b)
{
        for (size_t i = 0; i < a->n_mesos; i++) {
                const struct zk_mesos_master *x = &a->mesos[i], *y = &b->mesos[i];

                if (!streq(x->address, y->address) || !streq(x->hostname, y->hostname) ||
                    !streq(x->id, y->id) || !streq(x->version, y->version) ||
                    x->sequence != y->sequence || x->port != y->port)
                        return false;
        }
        return true;
}

bool zk_picture_notes_equal(const struct zk_picture *a, const struct zk_picture *b)
{
        if ((a ? a->n_notes : 0) != (b ? b->n_notes : 0))
                return false;
        for (size_t i = 0; a && i < a->n_notes; i++)
                if (!streq(a->notes[i], b->notes[i]))
                        return false;
        return true;
}

static bool same_numbers(const struct zk_picture *a, const struct zk_picture *b)
{
        return a->n_masters == b->n_masters && a->n_forgotten == b->n_forgotten &&
               a->n_maintenance == b->n_maintenance && a->n_mesos == b->n_mesos &&
               a->n_masters_unread == b->n_masters_unread &&
               a->n_mesos_unread == b->n_mesos_unread && a->mesos_leads == b->mesos_leads &&
               a->n_notes == b->n_notes && a->n_notes_left_out == b->n_notes_left_out;
}

bool zk_picture_equal(const struct zk_picture *a, const struct zk_picture *b)
{
        if (!a || !b)
                return a == b;
        return same_numbers(a, b) && same_root(&a->root, &b->root) && same_masters(a, b) &&
               same_forgotten(a, b) && same_maintenance(a, b) && same_mesos(a, b) &&
               zk_picture_notes_equal(a, b);
}

const struct zk_master *zk_picture_master(const struct zk_picture *p, const char *node_id)
{
        for (size_t i = 0; p && i < p->n_masters; i++)
                if (streq(p->masters[i].node_id, node_id))
                        return &p->masters[i];
        return NULL;
}

const struct zk_tombstone *zk_picture_tombstone(const struct zk_picture *p, const char *node_id)
{
        for (size_t i = 0; p && i < p->n_forgotten; i++)
                if (streq(p->forgotten[i].node_id, node_id))
                        return &p->forgotten[i];
        return NULL;
}
