/*
 * Any data of a znode of ours, as each kind: what is accepted is fit to be shown, says the same when
 * written anew, and what is not known of it survives that.
 */

#include <errno.h>

#include <jansson.h>

#include "aggregator/zk_json.h"
#include "base/parse.h"
#include "tests/fuzz/fuzz.h"

static void must_be_known(int k, size_t size, const struct err *e)
{
        MUST(k == 0 || k == -EBADMSG || (k == -E2BIG && size > ZK_DATA_MAX));
        MUST(k == 0 || (e->code == k && e->text[0]));
}

static void must_be_shown(const char *s)
{
        MUST(zk_text_is_valid(s, strlen(s)));
}

static void must_keep(const char *old, size_t n_old, const struct buf *b)
{
        static const char *const known[] = {"address", "port", "hostname", "registered", "boot_id"};
        json_t *before = json_loadb(old, n_old, JSON_REJECT_DUPLICATES, NULL), *after, *v;
        const char *key;

        MUST(b->error == 0 && b->n <= ZK_DATA_MAX);
        after = json_loadb(b->data, b->n, JSON_REJECT_DUPLICATES, NULL);
        MUST(json_is_object(after));
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                (void)json_object_del(before, known[i]);
        /* Spelled anew it may be longer than it was: then nothing of it is kept, or all. */
        if (json_object_size(after) > ELEMENTSOF(known))
                json_object_foreach (before, key, v)
                        MUST(json_equal(json_object_get(after, key), v));
        else
                MUST(json_object_size(before) == 0 || n_old > ZK_DATA_MAX / 16);
        json_decref(before);
        json_decref(after);
}

static void as_root(const char *text, size_t size)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct zk_root root, again;
        struct err e = {0};
        int k = zk_root_from_json(&root, text, size, &e);

        must_be_known(k, size, &e);
        if (k < 0)
                return;
        MUST(root.schema > 0);
        must_be_shown(root.name);
        zk_root_to_json(&b, &root);
        MUST(zk_root_from_json(&again, b.data, b.n, NULL) == 0);
        MUST(streq(again.name, root.name) && streq(again.cluster_id, root.cluster_id));
}

static void as_master(const char *text, size_t size)
{
        _cleanup_(arena_done) struct arena a = {0};
        _cleanup_(buf_done) struct buf b = {.max = ZK_DATA_MAX};
        struct zk_master m, again;
        struct err e = {0};
        int family, k = zk_master_from_json(&m, &a, text, size, &e);

        must_be_known(k, size, &e);
        if (k < 0)
                return;
        MUST(parse_ip(m.address, &family) == 0);
        MUST(!*m.boot_id || zk_node_id_is_valid(m.boot_id, false));
        must_be_shown(m.hostname);
        zk_master_to_json(&b, &m, text, size);
        must_keep(text, size, &b);
        MUST(zk_master_from_json(&again, &a, b.data, b.n, NULL) == 0);
        MUST(streq(again.address, m.address) && streq(again.hostname, m.hostname));
        MUST(streq(again.boot_id, m.boot_id) && again.port == m.port);
}

static void as_tombstone(const char *text, size_t size)
{
        _cleanup_(arena_done) struct arena a = {0};
        _cleanup_(buf_done) struct buf b = {0};
        struct zk_tombstone t, again;
        struct err e = {0};
        int k = zk_tombstone_from_json(&t, &a, text, size, &e);

        must_be_known(k, size, &e);
        if (k < 0)
                return;
        must_be_shown(t.by);
        must_be_shown(t.reason);
        zk_tombstone_to_json(&b, &t);
        MUST(zk_tombstone_from_json(&again, &a, b.data, b.n, NULL) == 0);
        MUST(streq(again.by, t.by) && streq(again.reason, t.reason));
}

/* A time before the first millisecond of 1970 is written as none. */
static void as_maintenance(const char *text, size_t size)
{
        _cleanup_(arena_done) struct arena a = {0};
        _cleanup_(buf_done) struct buf b = {.max = ZK_DATA_MAX};
        struct zk_maintenance m, again;
        struct err e = {0};
        int k = zk_maintenance_from_json(&m, &a, text, size, &e);

        must_be_known(k, size, &e);
        if (k < 0 || m.until_wall_usec < 1000)
                return;
        must_be_shown(m.by);
        must_be_shown(m.reason);
        zk_maintenance_to_json(&b, &m, text, size);
        MUST(!b.error && b.n <= ZK_DATA_MAX);
        MUST(zk_maintenance_from_json(&again, &a, b.data, b.n, NULL) == 0);
        MUST(streq(again.by, m.by) && streq(again.reason, m.reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* A copy of its own, without a NUL behind: a byte read too many is a fault. */
        _cleanup_(freep) char *copy = malloc(size ? size : 1);

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        as_root(copy, size);
        as_master(copy, size);
        as_tombstone(copy, size);
        as_maintenance(copy, size);
        return 0;
}
