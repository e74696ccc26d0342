#pragma once

/*
 * A private CA with a certificate for each node: its own address, and its role, stand in it, so that a
 * client that checks both has the work that it would have with real ones. The nodes share one key, which
 * no client can see; making 10,000 keys would only take time.
 */

#include "bench/fleet_node.h"

struct ssl_ctx_st;
struct fleet_certs;

/**
 * fleet_certs_new() - make the CA and all certificates
 * @dir: gets ca.pem, and for the client that asks, a master at 127.0.0.1 and 192.0.2.1: node.pem,
 *       node.key
 *
 * Ends the program when it cannot.
 */
struct fleet_certs *fleet_certs_new(const struct fleet_node *nodes, size_t n, const char *dir);

/**
 * fleet_certs_server() - borrowed: for wire_accept()
 *
 * Clients must show a certificate of the CA. No session tickets: the server of the real daemon makes
 * none. Before the handshake, SSL_set_app_data() says which node it is with.
 */
struct ssl_ctx_st *fleet_certs_server(struct fleet_certs *c);
