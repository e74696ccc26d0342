/* The root of our tree: looked at before anything is believed, and made step by step where it is missing. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/zk_json.h"
#include "aggregator/zk_tree.h"
#include "base/mono.h"

#define CHROOT_MAX 256u

static const char *const dir_names[ZK_DIRS] = {
        [ZK_DIR_MASTERS] = "masters",
        [ZK_DIR_FORGOTTEN] = "forgotten",
        [ZK_DIR_MAINTENANCE] = "maintenance",
};

char *zk_tree_path(char buf[static ZK_PATH_MAX], const struct zk_tree *t, enum zk_dir dir,
                   const char *id)
{
        (void)snprintf(buf, ZK_PATH_MAX, "%s/%s%s%s", t->chroot, dir_names[dir], id ? "/" : "",
                       id ? id : "");
        return buf;
}

static bool part_is_valid(const char *s, size_t n)
{
        if (n == 0 || (s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.'))))
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f)
                        return false;
        return true;
}

bool zk_path_is_valid(const char *path)
{
        if (*path != '/' || strlen(path) > CHROOT_MAX)
                return false;
        while (*path == '/') {
                size_t n = strcspn(path + 1, "/");

                if (!part_is_valid(path + 1, n))
                        return false;
                path += 1 + n;
        }
        return true;
}

bool zk_tree_may_write(const struct zk_tree *t)
{
        return t->has_secret || t->open;
}

const char *zk_error_words(int error)
{
        switch (error) {
        case -ENOTCONN:
                return "it is not connected";
        case -ETIMEDOUT:
                return "it did not answer in time";
        case -EACCES:
                return "it does not let us: an access list, or another secret";
        case -ENOENT:
                return "there is no such znode";
        case -EEXIST:
        case -ESTALE:
                return "somebody else changed it at the same time, again and again";
        case -ECANCELED:
                return "we are stopping";
        default:
                return strerror(-error);
        }
}

/* --- looking ------------------------------------------------------------------------------------------ */

static enum zk_root_state state_of_data(struct zk_tree *t, struct zk_root_look *look,
                                        const char *text, size_t n, struct err *e)
{
        struct err why = {0};

        if (n == 0)
                return ZK_ROOT_GOOD;
        if (zk_root_from_json(&look->root, text, n, &why) < 0) {
                err_set(e, -EBADMSG, "%s is not ours: %s", t->chroot, why.text);
                return ZK_ROOT_STRANGE;
        }
        if (look->root.schema <= ZK_SCHEMA)
                return ZK_ROOT_GOOD;
        err_set(e, -EPROTO,
                "%s has schema %ju, made by a newer diag: nothing is read or written there",
                t->chroot, (uintmax_t)look->root.schema);
        return ZK_ROOT_NEWER;
}

/* Without a secret nobody can prove anything to us; that not everybody may write will have to do. */
static enum zk_root_state state_of_owner(const struct zk_tree *t, enum zk_owner owner,
                                         struct err *e)
{
        if (t->open || owner == ZK_OWNER_WE)
                return ZK_ROOT_GOOD;
        if (owner == ZK_OWNER_ANYBODY) {
                err_set(e, -EPERM, "anybody may write to %s: it is used only with ZkOpen=yes",
                        t->chroot);
                return ZK_ROOT_ANYBODY;
        }
        if (!t->has_secret)
                return ZK_ROOT_GOOD;
        err_set(e, -EACCES, "%s was made with another secret than ours: it is not used", t->chroot);
        return ZK_ROOT_SOMEBODY;
}

static int look_at(struct zk_tree *t, struct zk_root_look *ret, const char *text, size_t n,
                   struct err *e)
{
        enum zk_owner owner = ZK_OWNER_UNKNOWN;
        int k = zk_owner(t->zk, t->chroot, &owner);

        if (k == -EACCES) { /* then nobody let us see it, which somebody must have arranged */
                owner = ZK_OWNER_SOMEBODY;
                k = 0;
        }
        if (k < 0)
                return k;
        ret->state = state_of_owner(t, owner, e);
        if (ret->state == ZK_ROOT_GOOD)
                ret->state = state_of_data(t, ret, text, n, e);
        return 0;
}

int zk_tree_look(struct zk_tree *t, struct zk_root_look *ret, struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        struct zk_root_look look = {0};
        size_t n = 0;
        int k = zk_get(t->zk, t->chroot, ZK_WATCH_ROOT, &text, &n, &look.stat);

        if (k == -ENOENT) {
                look.state = ZK_ROOT_ABSENT;
                k = 0;
        } else if (k == -E2BIG) {
                look.state = ZK_ROOT_STRANGE;
                err_set(e, k, "%s is not ours: it has more than %u bytes", t->chroot, ZK_DATA_MAX);
                k = 0;
        } else if (k == -EACCES) {
                look.state = ZK_ROOT_SOMEBODY;
                err_set(e, k, "%s may not be read: it is not used", t->chroot);
                k = 0;
        } else if (k == 0)
                k = look_at(t, &look, text, n, e);
        if (k < 0)
                return k == -ENOENT ? -ESTALE : k; /* it went between two questions */
        *ret = look;
        return 0;
}

/* --- making ------------------------------------------------------------------------------------------- */

static bool exists(struct zk_tree *t, const char *path)
{
        _cleanup_(freep) char *text = NULL;
        size_t n;
        int k = zk_get(t->zk, path, ZK_NO_WATCH, &text, &n, NULL);

        return k == 0 || k == -E2BIG;
}

static int make(struct zk_tree *t, const char *path, const struct buf *data, struct err *e)
{
        const struct zk_op op = {
                .kind = ZK_OP_CREATE, .path = path, .data = buf_cstr(data), .n_data = data->n};
        int k = zk_commit(t->zk, &op, 1);

        /* Who may not write to what is above is told so before he is told that it exists. */
        if (k == 0 || k == -EEXIST || (k == -EACCES && exists(t, path)))
                return 0;
        return err_set(e, k, "cannot create %s: %s", path, zk_error_words(k));
}

/* What is above the root holds nothing, and belongs to whoever made it. */
static int make_above(struct zk_tree *t, struct err *e)
{
        const struct buf nothing = {0};
        char path[CHROOT_MAX + 1];
        int k = 0;

        (void)snprintf(path, sizeof(path), "%s", t->chroot);
        for (char *s = strchr(path + 1, '/'); s && k == 0; s = strchr(s + 1, '/')) {
                *s = '\0';
                k = make(t, path, &nothing, e);
                *s = '/';
        }
        return k;
}

/* A root that was made by hand, or as what is above another one, says nothing yet. */
static int fill_in(struct zk_tree *t, const struct buf *data, struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        struct zk_stat stat = {0};
        struct zk_op op;
        size_t n = 0;
        int k = zk_get(t->zk, t->chroot, ZK_NO_WATCH, &text, &n, &stat);

        if (k < 0)
                return err_set(e, k, "cannot read %s: %s", t->chroot, zk_error_words(k));
        if (n > 0)
                return 0;
        op = (struct zk_op){.kind = ZK_OP_SET,
                            .path = t->chroot,
                            .data = buf_cstr(data),
                            .n_data = data->n,
                            .version = stat.version};
        k = zk_commit(t->zk, &op, 1);
        if (k == 0 || k == -ESTALE)
                return 0;
        return err_set(e, k, "cannot write %s: %s", t->chroot, zk_error_words(k));
}

static int make_dirs(struct zk_tree *t, struct err *e)
{
        const struct buf nothing = {0};
        char path[ZK_PATH_MAX];
        int k = 0;

        for (unsigned dir = 0; dir < ZK_DIRS && k == 0; dir++)
                k = make(t, zk_tree_path(path, t, (enum zk_dir)dir, NULL), &nothing, e);
        return k;
}

int zk_tree_make(struct zk_tree *t, const struct zk_root *root, struct err *e)
{
        _cleanup_(buf_done) struct buf data = {.max = ZK_DATA_MAX};
        struct zk_root filled = *root;
        int k;

        filled.schema = ZK_SCHEMA;
        filled.created_wall_usec = now_wall_usec();
        zk_root_to_json(&data, &filled);
        if (data.error)
                return err_set(e, data.error, "cannot write %s: %s", t->chroot,
                               strerror(-data.error));
        k = make_above(t, e);
        if (k == 0)
                k = make(t, t->chroot, &data, e);
        if (k == 0)
                k = fill_in(t, &data, e);
        return k < 0 ? k : make_dirs(t, e);
}
