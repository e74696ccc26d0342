/* One reader an object, in the order of docs/openapi.yaml. */

#include <errno.h>

#include "base/mono.h"
#include "cli/cluster_json.h"

#define READER(a, error)                   \
        {                                  \
                .arena = (a), .e = (error) \
        }

/* --- pieces --------------------------------------------------------------------------------------- */

static struct cluster_health read_health(struct json_reader *r, const json_t *o)
{
        const char *word = json_reader_string(r, o, "health");

        return (struct cluster_health){
                .word = str_or(word, diag_health_to_string(DIAG_UNKNOWN)),
                .health = diag_health_from_string(word),
        };
}

static struct cluster_view read_view(struct json_reader *r, const json_t *document)
{
        const json_t *o = json_reader_object(r, document, "view");

        return (struct cluster_view){
                .observer = json_reader_string(r, o, "observer"),
                .instance = json_reader_string(r, o, "instance"),
                .seq = json_reader_uint(r, o, "seq"),
                .as_of_wall_usec = json_reader_time(r, o, "as_of"),
                .age_usec = json_reader_seconds(r, o, "age_seconds"),
                .oldest_master_usec = json_reader_seconds(r, o, "oldest_master_seconds"),
                .complete = json_reader_bool(r, o, "complete"),
        };
}

static struct cluster_counts read_counts(struct json_reader *r, const json_t *o)
{
        struct cluster_counts counts;

        for (size_t i = 0; i < DIAG_N_HEALTH; i++)
                counts.n[i] = json_reader_uint(r, o, diag_health_to_string((enum diag_health)i));
        return counts;
}

/* --- the cluster ---------------------------------------------------------------------------------- */

static void read_reason(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_reason *)ret = (struct cluster_reason){
                .code = json_reader_string(r, o, "code"),
                .text = json_reader_string(r, o, "text"),
                .address = json_reader_string(r, o, "address"),
                .component = json_reader_string(r, o, "component"),
                .since_wall_usec = json_reader_time(r, o, "since"),
                .acknowledged = json_reader_bool(r, o, "acknowledged"),
        };
}

static void read_peer(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_peer *)ret = (struct cluster_peer){
                .observer = json_reader_string(r, o, "observer"),
                .health = read_health(r, o),
                .age_usec = json_reader_seconds(r, o, "age_seconds"),
                .agrees = json_reader_bool(r, o, "agrees"),
        };
}

static void read_source(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_source *)ret = (struct cluster_source){
                .name = json_reader_string(r, o, "name"),
                .state = json_reader_string(r, o, "state"),
                .error = json_reader_string(r, o, "error"),
                .age_usec = json_reader_seconds(r, o, "age_seconds"),
                .n_nodes = json_reader_uint(r, o, "nodes"),
        };
}

static void read_masters(struct cluster *c, struct json_reader *r, const json_t *document)
{
        const json_t *o = json_reader_object(r, document, "masters");

        c->masters = (struct cluster_masters){
                .told = o != NULL,
                .n_expected = json_reader_uint(r, o, "expected"),
                .n_known = json_reader_uint(r, o, "known"),
                .n_answering = json_reader_uint(r, o, "answering"),
                .n_healthy = json_reader_uint(r, o, "healthy"),
                .expected_from = json_reader_string(r, o, "expected_from"),
                .quorum = json_reader_string(r, o, "quorum"),
        };
}

/* Their names are words, too: a newer master may know of more roles. */
static void read_roles(struct cluster *c, struct json_reader *r, const json_t *document)
{
        const json_t *o = json_reader_object(r, document, "nodes");
        size_t n = json_object_size(o) < CLUSTER_LIST_MAX ? json_object_size(o) : CLUSTER_LIST_MAX;
        struct cluster_role *roles = n > 0 ? json_reader_alloc(r, n, sizeof(*roles)) : NULL;
        const char *key;
        json_t *v;

        c->roles = roles;
        if (!roles)
                return;
        json_object_foreach ((json_t *)o, key, v) {
                const json_t *role = json_reader_object(r, o, key);

                if (c->n_roles == n)
                        break;
                roles[c->n_roles++] = (struct cluster_role){
                        .role = arena_strdup(r->arena, key),
                        .counts = read_counts(r, role),
                        .n_maintenance = json_reader_uint(r, role, "maintenance"),
                };
        }
}

static void read_leader(struct cluster *c, struct json_reader *r, const json_t *document)
{
        const json_t *o = json_reader_object(r, document, "leader");

        c->leader = json_reader_string(r, o, "address");
        c->leader_source = json_reader_string(r, o, "source");
        c->leader_age_usec = json_reader_seconds(r, o, "age_seconds");
}

static void read_cluster(struct cluster *c, struct json_reader *r, const json_t *o)
{
        const json_t *who = json_reader_object(r, o, "cluster");

        c->id = json_reader_string(r, who, "id");
        c->name = json_reader_string(r, who, "name");
        c->health = read_health(r, o);
        c->since_wall_usec = json_reader_time(r, o, "since");
        c->acknowledged = json_reader_bool(r, o, "acknowledged");
        c->summary = json_reader_string(r, o, "summary");
        c->reasons = json_reader_list(r, o, "reasons", CLUSTER_REASONS_MAX, sizeof(*c->reasons),
                                      read_reason, &c->n_reasons);
        read_masters(c, r, o);
        read_roles(c, r, o);
        read_leader(c, r, o);
        c->view = read_view(r, o);
        c->peers = json_reader_list(r, o, "views", CLUSTER_LIST_MAX, sizeof(*c->peers), read_peer,
                                    &c->n_peers);
        c->sources = json_reader_list(r, o, "sources", CLUSTER_LIST_MAX, sizeof(*c->sources),
                                      read_source, &c->n_sources);
}

void cluster_done(struct cluster *c)
{
        arena_done(&c->arena);
        *c = (struct cluster){0};
}

/* Everything has a health, and an answer without one is somebody else's. */
static void must_have_health(struct json_reader *r, const json_t *o)
{
        if (o && !json_object_get(o, "health") && !r->error)
                r->error = err_set(r->e, -EBADMSG, "there is no health in it");
}

int cluster_from_json(struct cluster *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(cluster_done) struct cluster c = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&c.arena, e);
        int k;

        o = json_reader_parse(&r, text, n, CLUSTER_JSON_MAX);
        must_have_health(&r, o);
        if (o)
                read_cluster(&c, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = c;
        c = (struct cluster){0};
        return 0;
}

/* --- pages ---------------------------------------------------------------------------------------- */

/* What any list has. */
struct page {
        void *items;
        size_t n;
        uint64_t n_total;
        const char *next;
};

static struct page read_page(struct json_reader *r, const json_t *o, size_t size,
                             void (*read)(struct json_reader *r, const json_t *o, void *ret))
{
        struct page p = {0};

        if (o && !json_object_get(o, "items") && !r->error)
                r->error = err_set(r->e, -EBADMSG, "there are no items in it");
        p.items = json_reader_list(r, o, "items", CLUSTER_ROWS_MAX, size, read, &p.n);
        p.n_total = json_reader_uint(r, o, "total");
        p.next = json_reader_string(r, o, "next");
        return p;
}

/* @rows: an array of @n items that becomes longer. */
static int append(void *rows, size_t *n, const struct page *p, size_t size, struct err *e)
{
        char **array = rows;
        char *more;

        if (p->n == 0)
                return 0;
        if (*n + p->n > CLUSTER_ROWS_MAX)
                return err_set(e, -E2BIG, "there are more than %u of them", CLUSTER_ROWS_MAX);
        more = reallocarray(*array, *n + p->n, size);
        if (!more)
                return err_set(e, -ENOMEM, "out of memory");
        memcpy(more + *n * size, p->items, p->n * size);
        *array = more;
        *n += p->n;
        return 0;
}

/* --- nodes ---------------------------------------------------------------------------------------- */

static void read_node(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_node *)ret = (struct cluster_node){
                .node_id = json_reader_string(r, o, "node_id"),
                .address = json_reader_string(r, o, "address"),
                .addresses = json_reader_words(r, o, "addresses", CLUSTER_LIST_MAX),
                .hostname = json_reader_string(r, o, "hostname"),
                .port = json_reader_uint(r, o, "port"),
                .role = json_reader_string(r, o, "role"),
                .leader = json_reader_bool(r, o, "leader"),
                .health = read_health(r, o),
                .since_wall_usec = json_reader_time(r, o, "since"),
                .code = json_reader_string(r, o, "code"),
                .text = json_reader_string(r, o, "text"),
                .reach = json_reader_string(r, o, "reach"),
                .seen_down = json_reader_bool(r, o, "seen_down"),
                .unlisted = json_reader_bool(r, o, "unlisted"),
                .age_usec = json_reader_seconds(r, o, "age_seconds"),
                .rtt_usec = json_reader_seconds(r, o, "rtt_seconds"),
                .clock_offset_msec = json_reader_int(r, o, "clock_offset_ms"),
                .protocol = json_reader_string(r, o, "protocol"),
                .counts = read_counts(r, json_reader_object(r, o, "counts")),
                .maintenance = json_reader_maintenance(r, o, "maintenance"),
                .sources = json_reader_words(r, o, "sources", CLUSTER_LIST_MAX),
                .version = json_reader_string(r, o, "version"),
                .notes = json_reader_words(r, o, "notes", CLUSTER_LIST_MAX),
        };
}

int cluster_nodes_add(struct cluster_nodes *to, const char *text, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&to->arena, e);
        struct page p;
        int k;

        o = json_reader_parse(&r, text, n, CLUSTER_JSON_MAX);
        p = read_page(&r, o, sizeof(*to->rows), read_node);
        to->view = read_view(&r, o);
        k = json_reader_end(&r);
        if (k >= 0)
                k = append(&to->rows, &to->n, &p, sizeof(*to->rows), e);
        to->n_total = p.n_total;
        to->next = p.next;
        return k;
}

void cluster_nodes_done(struct cluster_nodes *l)
{
        free(l->rows);
        arena_done(&l->arena);
        *l = (struct cluster_nodes){0};
}

/* --- one of them ---------------------------------------------------------------------------------- */

static void read_component(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_component *)ret = (struct cluster_component){
                .name = json_reader_string(r, o, "name"),
                .health = read_health(r, o),
                .code = json_reader_string(r, o, "code"),
                .text = json_reader_string(r, o, "text"),
                .since_wall_usec = json_reader_time(r, o, "since"),
                .output = json_reader_string(r, o, "output"),
        };
}

/* What the node itself said is a document of its own, with a decoder of its own. */
static void read_live(struct cluster_one_node *n, struct json_reader *r, const json_t *o)
{
        const json_t *node = json_reader_object(r, o, "node");
        char *text;

        n->tells_live = json_object_get(o, "live") != NULL;
        n->live_error = json_reader_string(r, o, "live_error");
        if (!node || !json_reader_bool(r, o, "live") || r->error)
                return;
        text = json_dumps(node, JSON_COMPACT);
        r->error = text ? diag_report_from_json(&n->report, &n->moment, text, strlen(text), r->e)
                        : err_set(r->e, -ENOMEM, "out of memory");
        free(text);
}

static void read_one_node(struct cluster_one_node *n, struct json_reader *r, const json_t *o)
{
        read_node(r, o, &n->row);
        n->components = json_reader_list(r, o, "components", DIAG_COMPONENTS_MAX,
                                         sizeof(*n->components), read_component, &n->n_components);
        n->truncated = json_reader_bool(r, o, "truncated");
        n->view = read_view(r, o);
        read_live(n, r, o);
}

void cluster_one_node_done(struct cluster_one_node *o)
{
        diag_report_unref(o->report);
        arena_done(&o->arena);
        *o = (struct cluster_one_node){0};
}

int cluster_one_node_from_json(struct cluster_one_node *ret, const char *text, size_t n,
                               struct err *e)
{
        _cleanup_(cluster_one_node_done) struct cluster_one_node node = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&node.arena, e);
        int k;

        o = json_reader_parse(&r, text, n, CLUSTER_JSON_MAX);
        must_have_health(&r, o);
        if (o)
                read_one_node(&node, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = node;
        node = (struct cluster_one_node){0};
        return 0;
}

/* --- units ---------------------------------------------------------------------------------------- */

static void read_codes(struct cluster_unit *u, struct json_reader *r, const json_t *unit)
{
        const json_t *o = json_reader_object(r, unit, "codes");
        size_t n = json_object_size(o) < CLUSTER_LIST_MAX ? json_object_size(o) : CLUSTER_LIST_MAX;
        struct cluster_code *codes = n > 0 ? json_reader_alloc(r, n, sizeof(*codes)) : NULL;
        const char *key;
        json_t *v;

        u->codes = codes;
        if (!codes)
                return;
        json_object_foreach ((json_t *)o, key, v) {
                if (u->n_codes == n)
                        break;
                codes[u->n_codes++] = (struct cluster_code){
                        .code = arena_strdup(r->arena, key),
                        .n = json_reader_uint(r, o, key),
                };
        }
}

static void read_unit(struct json_reader *r, const json_t *o, void *ret)
{
        struct cluster_unit *u = ret;

        *u = (struct cluster_unit){
                .name = json_reader_string(r, o, "name"),
                .title = json_reader_string(r, o, "title"),
                .description = json_reader_string(r, o, "description"),
                .health = read_health(r, o),
                .counts = read_counts(r, json_reader_object(r, o, "counts")),
                .n_absent = json_reader_uint(r, o, "absent"),
        };
        read_codes(u, r, o);
}

int cluster_units_add(struct cluster_units *to, const char *text, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&to->arena, e);
        struct page p;
        int k;

        o = json_reader_parse(&r, text, n, CLUSTER_JSON_MAX);
        p = read_page(&r, o, sizeof(*to->rows), read_unit);
        to->view = read_view(&r, o);
        to->truncated = json_reader_bool(&r, o, "truncated");
        k = json_reader_end(&r);
        if (k >= 0)
                k = append(&to->rows, &to->n, &p, sizeof(*to->rows), e);
        to->n_total = p.n_total;
        to->next = p.next;
        return k;
}

void cluster_units_done(struct cluster_units *l)
{
        free(l->rows);
        arena_done(&l->arena);
        *l = (struct cluster_units){0};
}

/* --- one of them, on every node ------------------------------------------------------------------- */

static void read_unit_node(struct json_reader *r, const json_t *o, void *ret)
{
        *(struct cluster_unit_node *)ret = (struct cluster_unit_node){
                .address = json_reader_string(r, o, "address"),
                .role = json_reader_string(r, o, "role"),
                .health = read_health(r, o),
                .code = json_reader_string(r, o, "code"),
                .text = json_reader_string(r, o, "text"),
                .since_wall_usec = json_reader_time(r, o, "since"),
                .reach = json_reader_string(r, o, "reach"),
        };
}

int cluster_one_unit_add(struct cluster_one_unit *to, const char *text, size_t n, struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = READER(&to->arena, e);
        const json_t *nodes;
        struct page p;
        int k;

        o = json_reader_parse(&r, text, n, CLUSTER_JSON_MAX);
        must_have_health(&r, o);
        nodes = json_reader_object(&r, o, "nodes");
        p = read_page(&r, nodes, sizeof(*to->rows), read_unit_node);
        read_unit(&r, o, &to->unit);
        to->view = read_view(&r, o);
        k = json_reader_end(&r);
        if (k >= 0)
                k = append(&to->rows, &to->n, &p, sizeof(*to->rows), e);
        to->n_total = p.n_total;
        to->next = p.next;
        return k;
}

void cluster_one_unit_done(struct cluster_one_unit *u)
{
        free(u->rows);
        arena_done(&u->arena);
        *u = (struct cluster_one_unit){0};
}
