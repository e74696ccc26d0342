/* One shape for all: read, decide, commit; once more when that was overtaken. */

#include <errno.h>

#include "aggregator/registrar.h"
#include "aggregator/zk_json.h"
#include "base/mono.h"

#define ROUNDS_MAX 8u

/* What is there now. */
struct entry {
        bool exists;
        char *text; /* NULL: unreadable */
        size_t n;
        struct zk_stat stat;
};

static void entry_done(struct entry *entry)
{
        free(entry->text);
}

static int entry_read(struct zk_tree *t, const char *path, struct entry *ret)
{
        struct entry entry = {0};
        int k = zk_get(t->zk, path, ZK_NO_WATCH, &entry.text, &entry.n, &entry.stat);

        if (k == -ENOENT) {
                *ret = entry;
                return 0;
        }
        if (k < 0 && k != -E2BIG)
                return k;
        entry.exists = true;
        *ret = entry;
        return 0;
}

static bool was_overtaken(int k)
{
        return k == -ENOENT || k == -EEXIST || k == -ESTALE;
}

/* Runs @attempt until nobody else was faster. */
static int retry(struct zk_tree *t, const void *what, const char *id,
                 int (*attempt)(struct zk_tree *t, const void *what), const char *doing,
                 struct err *e)
{
        int k = -ESTALE;

        for (unsigned i = 0; i < ROUNDS_MAX && was_overtaken(k); i++)
                k = attempt(t, what);
        return k < 0 ? err_set(e, k, "ZooKeeper: cannot %s %s: %s", doing, id, zk_error_words(k))
                     : 0;
}

/* --- masters ------------------------------------------------------------------------------------------ */

/* What is there becomes what will be there; true if that is the same. */
static bool is_registered(struct zk_master *m, const struct entry *old)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct zk_master now;

        if (!old->exists || zk_master_from_json(&now, &a, old->text, old->n, NULL) < 0)
                return false;
        if (now.registered_wall_usec)
                m->registered_wall_usec = now.registered_wall_usec;
        return streq(now.address, m->address) && streq(now.hostname, m->hostname) &&
               streq(now.boot_id, m->boot_id) && now.port == m->port && now.registered_wall_usec;
}

static struct zk_op delete_op(const char *path, const struct entry *entry)
{
        return (struct zk_op){.kind = ZK_OP_DELETE, .path = path, .version = entry->stat.version};
}

static struct zk_op create_op(const char *path, const struct buf *data)
{
        return (struct zk_op){
                .kind = ZK_OP_CREATE, .path = path, .data = buf_cstr(data), .n_data = data->n};
}

static int commit_register(struct zk_tree *t, const struct zk_master *m, const struct entry *old,
                           const struct entry *tombstone)
{
        _cleanup_(buf_done) struct buf data = {.max = ZK_DATA_MAX};
        char path[ZK_PATH_MAX], tombstone_path[ZK_PATH_MAX];
        struct zk_op ops[3];
        size_t n = 0;

        zk_tree_path(path, t, ZK_DIR_MASTERS, m->node_id);
        zk_tree_path(tombstone_path, t, ZK_DIR_FORGOTTEN, m->node_id);
        zk_master_to_json(&data, m, old->text, old->n);
        if (data.error)
                return data.error;
        if (tombstone->exists)
                ops[n++] = delete_op(tombstone_path, tombstone);
        if (old->exists)
                ops[n++] = delete_op(path, old);
        ops[n++] = create_op(path, &data);
        return zk_commit(t->zk, ops, n);
}

static int attempt_register(struct zk_tree *t, const void *what)
{
        _cleanup_(entry_done) struct entry old = {0}, tombstone = {0};
        struct zk_master m = *(const struct zk_master *)what;
        char path[ZK_PATH_MAX];
        int k = entry_read(t, zk_tree_path(path, t, ZK_DIR_MASTERS, m.node_id), &old);

        if (k == 0)
                k = entry_read(t, zk_tree_path(path, t, ZK_DIR_FORGOTTEN, m.node_id), &tombstone);
        if (k < 0)
                return k;
        m.registered_wall_usec = now_wall_usec();
        if (is_registered(&m, &old) && !tombstone.exists)
                return 0;
        return commit_register(t, &m, &old, &tombstone);
}

int registrar_register(struct zk_tree *t, const struct zk_master *m, struct err *e)
{
        return retry(t, m, m->node_id, attempt_register, "register", e);
}

/* --- forgotten ---------------------------------------------------------------------------------------- */

static int attempt_forget(struct zk_tree *t, const void *what)
{
        _cleanup_(entry_done) struct entry master = {0}, old = {0};
        _cleanup_(buf_done) struct buf data = {.max = ZK_DATA_MAX};
        const struct zk_tombstone *tombstone = what;
        char path[ZK_PATH_MAX], master_path[ZK_PATH_MAX];
        struct zk_op ops[2];
        size_t n = 0;
        int k;

        zk_tree_path(path, t, ZK_DIR_FORGOTTEN, tombstone->node_id);
        zk_tree_path(master_path, t, ZK_DIR_MASTERS, tombstone->node_id);
        k = entry_read(t, master_path, &master);
        if (k == 0)
                k = entry_read(t, path, &old);
        if (k < 0)
                return k;
        if (old.exists && !master.exists)
                return 0;
        zk_tombstone_to_json(&data, tombstone);
        if (data.error)
                return data.error;
        if (master.exists)
                ops[n++] = delete_op(master_path, &master);
        if (!old.exists)
                ops[n++] = create_op(path, &data);
        return zk_commit(t->zk, ops, n);
}

int registrar_forget(struct zk_tree *t, const struct zk_tombstone *tombstone, struct err *e)
{
        return retry(t, tombstone, tombstone->node_id, attempt_forget, "forget", e);
}

static bool is_old(uint64_t wall_usec, uint64_t now_wall_usec)
{
        return usec_add(wall_usec, REGISTRAR_TOMBSTONE_USEC) < now_wall_usec;
}

static int sweep_one(struct zk_tree *t, const struct zk_tombstone *tombstone, struct err *e)
{
        const struct entry entry = {.stat.version = tombstone->version};
        char path[ZK_PATH_MAX];
        const struct zk_op op =
                delete_op(zk_tree_path(path, t, ZK_DIR_FORGOTTEN, tombstone->node_id), &entry);
        int k = zk_commit(t->zk, &op, 1);

        /* It is gone, or another one. */
        if (k == 0 || was_overtaken(k))
                return 0;
        return err_set(e, k, "ZooKeeper: cannot delete %s: %s", path, zk_error_words(k));
}

int registrar_sweep(struct zk_tree *t, const struct zk_picture *p, uint64_t now_wall_usec,
                    struct err *e)
{
        int k = 0;

        for (size_t i = 0; i < p->n_forgotten && k == 0; i++)
                if (is_old(p->forgotten[i].at_wall_usec, now_wall_usec) &&
                    is_old(p->forgotten[i].created_wall_usec, now_wall_usec))
                        k = sweep_one(t, &p->forgotten[i], e);
        return k;
}

/* --- maintenance -------------------------------------------------------------------------------------- */

/* Deleted and created, as masters are. */
static int attempt_put_maintenance(struct zk_tree *t, const void *what)
{
        _cleanup_(entry_done) struct entry old = {0};
        _cleanup_(buf_done) struct buf data = {.max = ZK_DATA_MAX};
        const struct zk_maintenance *m = what;
        char path[ZK_PATH_MAX];
        struct zk_op ops[2];
        size_t n = 0;
        int k = entry_read(t, zk_tree_path(path, t, ZK_DIR_MAINTENANCE, m->node_id), &old);

        if (k < 0)
                return k;
        zk_maintenance_to_json(&data, m, old.text, old.n);
        if (data.error)
                return data.error;
        if (old.exists)
                ops[n++] = delete_op(path, &old);
        ops[n++] = create_op(path, &data);
        return zk_commit(t->zk, ops, n);
}

int registrar_put_maintenance(struct zk_tree *t, const struct zk_maintenance *m, struct err *e)
{
        return retry(t, m, m->node_id, attempt_put_maintenance, "keep the maintenance of", e);
}

static int attempt_delete_maintenance(struct zk_tree *t, const void *what)
{
        _cleanup_(entry_done) struct entry old = {0};
        char path[ZK_PATH_MAX];
        struct zk_op op;
        int k = entry_read(t, zk_tree_path(path, t, ZK_DIR_MAINTENANCE, what), &old);

        if (k < 0 || !old.exists)
                return k;
        op = delete_op(path, &old);
        return zk_commit(t->zk, &op, 1);
}

int registrar_delete_maintenance(struct zk_tree *t, const char *node_id, struct err *e)
{
        return retry(t, node_id, node_id, attempt_delete_maintenance, "end the maintenance of", e);
}
