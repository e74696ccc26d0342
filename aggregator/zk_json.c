/*
 * JSON of our znodes. jansson writes here, too, for once: members that a newer daemon has put there,
 * which only it can spell.
 */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "aggregator/zk_json.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"

#define SCHEMA_MAX 1000000u

/* --- decode ------------------------------------------------------------------------------------------- */

struct reader {
        const json_t *o;
        struct arena *a;
        struct err *e;
        int error;
};

static void wrong(struct reader *rd, const char *key, const char *what)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -EBADMSG, "%s %s", key, what);
}

/* null and absent are the same: not known. */
static const json_t *member(const struct reader *rd, const char *key)
{
        const json_t *v = json_object_get(rd->o, key);

        return json_is_null(v) ? NULL : v;
}

/* Borrowed from the document, "" when it is not there or no good. */
static const char *peek_string(struct reader *rd, const char *key)
{
        const json_t *v = member(rd, key);

        if (!v)
                return "";
        if (!json_is_string(v))
                wrong(rd, key, "is not a string");
        else if (!zk_text_is_valid(json_string_value(v), json_string_length(v)))
                wrong(rd, key, "is too long, or has a control character");
        return rd->error ? "" : json_string_value(v);
}

static const char *get_string(struct reader *rd, const char *key)
{
        return arena_strdup(rd->a, peek_string(rd, key));
}

static const char *get_address(struct reader *rd, const char *key, bool needed)
{
        const char *s = peek_string(rd, key);
        int family;

        if (!*s && needed)
                wrong(rd, key, "is missing");
        if (*s && parse_ip(s, &family) < 0)
                wrong(rd, key, "is not an IP address");
        return arena_strdup(rd->a, s);
}

static const char *get_hex_id(struct reader *rd, const char *key)
{
        const char *s = peek_string(rd, key);

        if (*s && !zk_node_id_is_valid(s, false))
                wrong(rd, key, "is not 32 hex digits");
        return arena_strdup(rd->a, s);
}

static uint64_t get_uint(struct reader *rd, const char *key, uint64_t max)
{
        const json_t *v = member(rd, key);

        if (!v)
                return 0;
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > max) {
                wrong(rd, key, "is not a whole number in its range");
                return 0;
        }
        return (uint64_t)json_integer_value(v);
}

static uint64_t get_time(struct reader *rd, const char *key, bool needed)
{
        const char *s = peek_string(rd, key);
        uint64_t usec = 0;

        if (!*s && needed)
                wrong(rd, key, "is missing");
        if (*s && rfc3339_parse(&usec, s) < 0)
                wrong(rd, key, "is not a time (RFC 3339)");
        return usec;
}

static int load(json_t **ret, const char *text, size_t n, struct err *e)
{
        json_error_t je;
        json_t *o;

        if (n > ZK_DATA_MAX)
                return err_set(e, -E2BIG, "it has more than %u bytes", ZK_DATA_MAX);
        o = json_loadb(text ? text : "", n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                return err_set(
                        e, json_error_code(&je) == json_error_out_of_memory ? -ENOMEM : -EBADMSG,
                        "it is not JSON: line %d: %s", je.line, je.text);
        if (!json_is_object(o)) {
                json_decref(o);
                return err_set(e, -EBADMSG, "it is not an object");
        }
        *ret = o;
        return 0;
}

static int finish(const struct reader *rd)
{
        if (rd->error)
                return rd->error;
        return rd->a && rd->a->failed ? err_set(rd->e, -ENOMEM, "out of memory") : 0;
}

static bool uuid_is_valid(const char *s)
{
        static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

        if (strlen(s) != sizeof(form) - 1)
                return false;
        for (size_t i = 0; form[i]; i++)
                if (form[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
                        return false;
        return true;
}

int zk_root_from_json(struct zk_root *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct zk_root root = {0};
        int k = load(&o, text, n, e);
        struct reader rd = {.o = o, .e = e};
        const char *id, *name;

        if (k < 0)
                return k;
        root.schema = get_uint(&rd, "schema", SCHEMA_MAX);
        if (root.schema == 0)
                wrong(&rd, "schema", "is missing");
        /* What else a newer root says may look otherwise. */
        if (root.schema > ZK_SCHEMA && !rd.error) {
                *ret = root;
                return 0;
        }
        id = peek_string(&rd, "cluster_id");
        name = peek_string(&rd, "name");
        root.created_wall_usec = get_time(&rd, "created", false);
        if (*id && !uuid_is_valid(id))
                wrong(&rd, "cluster_id", "is not a UUID");
        if (rd.error)
                return rd.error;
        (void)snprintf(root.cluster_id, sizeof(root.cluster_id), "%s", id);
        (void)snprintf(root.name, sizeof(root.name), "%s", name);
        *ret = root;
        return 0;
}

int zk_master_from_json(struct zk_master *ret, struct arena *a, const char *text, size_t n,
                        struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        int k = load(&o, text, n, e);
        struct reader rd = {.o = o, .a = a, .e = e};
        struct zk_master m;

        if (k < 0)
                return k;
        m = (struct zk_master){
                .node_id = "",
                .address = get_address(&rd, "address", true),
                .hostname = get_string(&rd, "hostname"),
                .boot_id = get_hex_id(&rd, "boot_id"),
                .registered_wall_usec = get_time(&rd, "registered", false),
                .port = (uint16_t)get_uint(&rd, "port", UINT16_MAX),
        };
        k = finish(&rd);
        if (k == 0)
                *ret = m;
        return k;
}

int zk_tombstone_from_json(struct zk_tombstone *ret, struct arena *a, const char *text, size_t n,
                           struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        int k = load(&o, text, n, e);
        struct reader rd = {.o = o, .a = a, .e = e};
        struct zk_tombstone t;

        if (k < 0)
                return k;
        t = (struct zk_tombstone){
                .node_id = "",
                .address = get_address(&rd, "address", false),
                .by = get_string(&rd, "by"),
                .reason = get_string(&rd, "reason"),
                .at_wall_usec = get_time(&rd, "at", false),
        };
        k = finish(&rd);
        if (k == 0)
                *ret = t;
        return k;
}

int zk_maintenance_from_json(struct zk_maintenance *ret, struct arena *a, const char *text,
                             size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        int k = load(&o, text, n, e);
        struct reader rd = {.o = o, .a = a, .e = e};
        struct zk_maintenance m;

        if (k < 0)
                return k;
        m = (struct zk_maintenance){
                .node_id = "",
                .by = get_string(&rd, "by"),
                .reason = get_string(&rd, "reason"),
                .since_wall_usec = get_time(&rd, "since", false),
                .until_wall_usec = get_time(&rd, "until", true),
        };
        k = finish(&rd);
        if (k == 0)
                *ret = m;
        return k;
}

/* --- encode ------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *key, const char *const *keys)
{
        for (; *keys; keys++)
                if (streq(key, *keys))
                        return true;
        return false;
}

/* ,"key":value for each member of @old that is not in @known; nothing at all if that is too much. */
static void keep_unknown(struct buf *out, const char *old, size_t n_old, const char *const *known)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        _cleanup_(freep) char *text = NULL;
        const char *key;
        json_t *v;
        void *next;

        if (!old || load(&o, old, n_old, NULL) < 0)
                return;
        json_object_foreach_safe(o, next, key, v) if (is_one_of(key, known))(void)
                json_object_del(o, key);
        if (json_object_size(o) == 0)
                return;
        text = json_dumps(o, JSON_COMPACT);
        /* Its opening brace becomes our comma, and its closing one is ours already. */
        if (text && out->n + strlen(text) <= ZK_DATA_MAX) {
                buf_putc(out, ',');
                buf_append(out, text + 1, strlen(text) - 2);
        }
}

static void end_object(struct json_writer *w, const char *old, size_t n_old,
                       const char *const *known)
{
        if (!w->out->error)
                keep_unknown(w->out, old, n_old, known);
        jw_end_object(w);
}

void zk_root_to_json(struct buf *out, const struct zk_root *r)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_uint(&w, "schema", r->schema);
        jw_member_string_or_null(&w, "cluster_id", r->cluster_id);
        jw_member_string_or_null(&w, "name", r->name);
        jw_member_time(&w, "created", r->created_wall_usec);
        jw_end_object(&w);
}

void zk_master_to_json(struct buf *out, const struct zk_master *m, const char *old, size_t n_old)
{
        static const char *const known[] = {"address",    "port",    "hostname",
                                            "registered", "boot_id", NULL};
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string(&w, "address", m->address);
        jw_member_uint(&w, "port", m->port);
        jw_member_string_or_null(&w, "hostname", m->hostname);
        jw_member_time(&w, "registered", m->registered_wall_usec);
        jw_member_string_or_null(&w, "boot_id", m->boot_id);
        end_object(&w, old, n_old, known);
}

void zk_tombstone_to_json(struct buf *out, const struct zk_tombstone *t)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string_or_null(&w, "address", t->address);
        jw_member_string_or_null(&w, "by", t->by);
        jw_member_time(&w, "at", t->at_wall_usec);
        jw_member_string_or_null(&w, "reason", t->reason);
        jw_end_object(&w);
}

void zk_maintenance_to_json(struct buf *out, const struct zk_maintenance *m, const char *old,
                            size_t n_old)
{
        static const char *const known[] = {"by", "reason", "since", "until", NULL};
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string_or_null(&w, "by", m->by);
        jw_member_string_or_null(&w, "reason", m->reason);
        jw_member_time(&w, "since", m->since_wall_usec);
        jw_member_time(&w, "until", m->until_wall_usec);
        end_object(&w, old, n_old, known);
}
