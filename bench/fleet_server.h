#pragma once

/*
 * The connections of all nodes of the fleet: HTTP/1.1 as far as GET goes, entity tags, requests that
 * wait. A fake for stopwatches, not a server: it trusts the one who asks. One listening socket, one
 * thread; which node is asked is the address that was connected to.
 */

#include "bench/fleet_node.h"

struct fleet_server;
struct ssl_ctx_st;

struct fleet_figures {
        uint64_t n_accepted, n_requests, n_health, n_full, n_v1, n_component, n_other;
        uint64_t n_not_modified, n_waited_in_vain, n_bytes;
        size_t n_connections, n_parked;
        size_t n_served; /* nodes that have answered 200 since the last mark, and when the newest did */
        uint64_t served_nsec;
};

/**
 * fleet_server_new() - listen on all addresses
 * @nodes: borrowed, as long as the server lives
 * @tls:   NULL: plain
 *
 * Return: 0 or -errno.
 */
int fleet_server_new(struct fleet_server **ret, struct fleet_node *nodes, size_t n_nodes,
                     uint16_t port, struct ssl_ctx_st *tls);
struct fleet_server *fleet_server_free(struct fleet_server *s);

/** fleet_server_turn() - wait for at most 50 ms, and do what there is to do. 0 or -errno. */
int fleet_server_turn(struct fleet_server *s);

/** fleet_server_watch() - @fn is called in a turn when @fd is readable. 0 or -errno. */
int fleet_server_watch(struct fleet_server *s, int fd, void (*fn)(void *userdata), void *userdata);

/** fleet_server_changed() - who waits at this node gets an answer. */
void fleet_server_changed(struct fleet_server *s, struct fleet_node *n);

/** fleet_server_set_mode() - from now on; who waits feels it at once. */
void fleet_server_set_mode(struct fleet_server *s, struct fleet_node *n, enum fleet_mode mode);

/** fleet_server_drop() - reset all connections with this node. */
void fleet_server_drop(struct fleet_server *s, struct fleet_node *n);

/** fleet_server_mark() - count anew which nodes have answered. */
void fleet_server_mark(struct fleet_server *s);

const struct fleet_figures *fleet_server_figures(const struct fleet_server *s);

DEFINE_CLEANUP(struct fleet_server *, fleet_server_free);
