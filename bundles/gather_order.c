/* What a gatherer is told, written down and thrown away; gather_order_json.c reads it. */

#include "base/json_write.h"
#include "bundles/gather.h"

void gather_order_done(struct gather_order *o)
{
        for (size_t i = 0; i < o->n_nodes; i++) {
                free(o->nodes[i].url);
                free(o->nodes[i].address);
                free(o->nodes[i].node_id);
                free(o->nodes[i].socket);
        }
        free(o->nodes);
        free(o->ca_file);
        free(o->cert_file);
        free(o->key_file);
        *o = (struct gather_order){0};
}

void gather_order_complete(struct gather_order *o)
{
        if (!o->at_once)
                o->at_once = GATHER_AT_ONCE;
        if (!o->bundle_max_bytes)
                o->bundle_max_bytes = GATHER_BUNDLE_BYTES;
        if (!o->node_max_bytes)
                o->node_max_bytes = GATHER_NODE_BYTES;
        if (!o->timeout_usec)
                o->timeout_usec = GATHER_USEC;
}

static void write_node(struct json_writer *w, const struct gather_node *n)
{
        jw_begin_object(w);
        jw_member_string(w, "url", n->url);
        jw_member_string(w, "address", n->address);
        jw_member_string_or_null(w, "node_id", n->node_id);
        jw_member_string_or_null(w, "socket", n->socket);
        jw_member_string(w, "role", diag_role_to_string(n->role));
        jw_member_bool(w, "v1", n->v1);
        jw_member_bool(w, "unreachable", n->unreachable);
        jw_end_object(w);
}

void gather_order_write(struct buf *out, const struct gather_order *o)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_string_or_null(&w, "ca_file", o->ca_file);
        jw_member_string_or_null(&w, "cert_file", o->cert_file);
        jw_member_string_or_null(&w, "key_file", o->key_file);
        jw_member_uint(&w, "at_once", o->at_once);
        jw_member_uint(&w, "bundle_max_bytes", o->bundle_max_bytes);
        jw_member_uint(&w, "node_max_bytes", o->node_max_bytes);
        jw_member_uint(&w, "free_floor", o->free_floor);
        jw_member_uint(&w, "timeout_usec", o->timeout_usec);
        jw_key(&w, "nodes");
        jw_begin_array(&w);
        for (size_t i = 0; i < o->n_nodes; i++)
                write_node(&w, &o->nodes[i]);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}
