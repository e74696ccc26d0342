/* Units: what the components of all nodes are, taken together, and one of them on every node. */

#include <errno.h>

#include "api/cluster_answer.h"
#include "api/listing.h"
#include "api/v2_cluster.h"
#include "model/snapshot_json.h"

#define BASE "/system/health/v2"

/* --- the list ---------------------------------------------------------------------------------- */

struct unit_list {
        const struct diag_look *look;
        const struct listing_query *query;
        const struct diag_unit_index *index;
};

static const struct diag_unit_row *row_at(const void *data, size_t i)
{
        return &((const struct unit_list *)data)->index->rows[i];
}

static const char *unit_key(const void *data, size_t i)
{
        return row_at(data, i)->name;
}

static uint8_t unit_rank(const void *data, size_t i)
{
        const struct unit_list *list = data;
        const struct listing_query *query = list->query;
        const struct diag_unit_row *row = row_at(data, i);
        enum diag_health health = diag_look_unit_health(list->look, row);

        if ((query->has_health && health != query->health) ||
            (query->has_code && !row->codes[query->code]) ||
            (*query->component && !streq(row->name, query->component)) ||
            (*query->q && !listing_matches_text(query, row->name) &&
             !listing_matches_text(query, row->title)))
                return LISTING_LEFT_OUT;
        return (uint8_t)listing_rank(health);
}

static void write_row(const void *data, struct json_writer *w, size_t i)
{
        jw_begin_object(w);
        diag_unit_row_write(w, ((const struct unit_list *)data)->look, row_at(data, i));
        jw_end_object(w);
}

static int write_list(struct reply *r, const struct unit_list *list)
{
        const struct listing listing = {
                .n = list->index->n_rows,
                .key = unit_key,
                .rank = unit_rank,
                .write = write_row,
                .data = list,
        };
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        listing_write(&w, &listing, list->query);
        jw_member_bool(&w, "truncated", list->index->truncated);
        jw_key(&w, "view");
        diag_view_write(&w, list->look);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static int spell_list(const struct request *q, struct reply *r, const struct diag_look *l)
{
        struct listing_query query;
        const struct unit_list list = {l, &query, diag_snapshot_units(l->snapshot)};
        const char *wrong = listing_query_read(&query, q);

        if (wrong)
                return listing_refuse(r, wrong);
        return list.index ? write_list(r, &list) : -ENOMEM;
}

static bool query_is_sane(const struct request *q, const struct diag_look *l)
{
        struct listing_query query;

        (void)l;
        return !listing_query_read(&query, q);
}

static int get_units(const struct request *q, struct reply *r)
{
        static const struct cluster_spelling units = {.finds = query_is_sane, .spell = spell_list};

        return cluster_answer(q, r, &units);
}

/* --- one of them ------------------------------------------------------------------------------- */

struct unit_node_list {
        const struct diag_look *look;
        const struct listing_query *query;
        const struct diag_unit_row *row;
};

static const struct diag_unit_node *node_at(const void *data, size_t i)
{
        return &((const struct unit_node_list *)data)->row->nodes[i];
}

static const struct diag_member *member_at(const void *data, size_t i)
{
        const struct unit_node_list *list = data;

        return list->look->snapshot->members[node_at(data, i)->member];
}

static const char *unit_node_key(const void *data, size_t i)
{
        return member_at(data, i)->address;
}

static uint8_t unit_node_rank(const void *data, size_t i)
{
        const struct unit_node_list *list = data;
        const struct listing_query *query = list->query;
        const struct diag_member *m = member_at(data, i);
        size_t component = node_at(data, i)->component;
        enum diag_health health = diag_look_component_health(list->look, m, component);

        if ((query->has_role && m->role != query->role) ||
            (query->has_health && health != query->health) ||
            (query->has_reach && m->reach != query->reach) ||
            (query->has_code &&
             diag_look_component_code(list->look, m, component) != query->code) ||
            (*query->q && !listing_matches_text(query, m->address) &&
             !listing_matches_text(query, m->hostname)))
                return LISTING_LEFT_OUT;
        return (uint8_t)listing_rank(health);
}

static void write_unit_node(const void *data, struct json_writer *w, size_t i)
{
        diag_unit_node_write(w, ((const struct unit_node_list *)data)->look, node_at(data, i));
}

static int write_unit(struct reply *r, const struct unit_node_list *list)
{
        const struct listing listing = {
                .n = list->row->n_nodes,
                .key = unit_node_key,
                .rank = unit_node_rank,
                .write = write_unit_node,
                .data = list,
        };
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        diag_unit_row_write(&w, list->look, list->row);
        jw_key(&w, "nodes");
        jw_begin_object(&w);
        listing_write(&w, &listing, list->query);
        jw_end_object(&w);
        jw_key(&w, "view");
        diag_view_write(&w, list->look);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static const struct diag_unit_row *find(const struct request *q, const struct diag_look *l)
{
        const struct diag_unit_index *x = diag_snapshot_units(l->snapshot);

        return x ? diag_unit_index_find(x, str_or(request_arg(q, "name"), "")) : NULL;
}

static bool finds_unit(const struct request *q, const struct diag_look *l)
{
        return query_is_sane(q, l) && find(q, l);
}

static int spell_unit(const struct request *q, struct reply *r, const struct diag_look *l)
{
        struct listing_query query;
        const struct unit_node_list list = {l, &query, find(q, l)};
        const char *wrong = listing_query_read(&query, q);

        if (wrong)
                return listing_refuse(r, wrong);
        if (!diag_snapshot_units(l->snapshot))
                return -ENOMEM;
        if (!list.row)
                return reply_error(r, 404, "no-such-unit", "no node has a unit %s",
                                   request_arg(q, "name"));
        return write_unit(r, &list);
}

static int get_unit(const struct request *q, struct reply *r)
{
        static const struct cluster_spelling unit = {.finds = finds_unit, .spell = spell_unit};

        return cluster_answer(q, r, &unit);
}

/* clang-format off */
const struct route v2_units_routes[] = {
        {"GET", BASE "/units", get_units, AUTHORITY_HEALTH},
        {"GET", BASE "/units/{name}", get_unit, AUTHORITY_HEALTH},
        {0},
};
/* clang-format on */
