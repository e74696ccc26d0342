#pragma once

/*
 * [Listen] and [Limits], which every daemon has: where it listens, who may ask, and how much.
 * A daemon's own configuration begins with a struct listen_conf, and its table with the rows here.
 */

#include "api/authority.h"
#include "api/server.h"
#include "base/conf.h"

struct listen_conf {
        struct sock_address listen[SERVER_LISTENERS_MAX];
        size_t n_listen; /* 0: the defaults */
        struct authority authority;
        struct server_limits limits;
};

int listen_conf_add_listen(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_network(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_insecure(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_host(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_proxy(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_output(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_limit(void *target, const struct conf_value *v, struct err *e);

/* clang-format off */
#define LISTEN_CONF_KEYS                                                                  \
        {"Listen", "Listen",                  false, listen_conf_add_listen},             \
        {"Listen", "AllowFrom",               false, listen_conf_add_network},            \
        {"Listen", "Insecure",                false, listen_conf_set_insecure},           \
        {"Listen", "AllowedHosts",            false, listen_conf_add_host},               \
        {"Listen", "TrustedProxy",            false, listen_conf_add_proxy},              \
        {"Listen", "OutputInHealth",          false, listen_conf_set_output},             \
        {"Limits", "MaxConnections",          false, listen_conf_set_limit},              \
        {"Limits", "MaxConnectionsPerClient", false, listen_conf_set_limit},              \
        {"Limits", "MaxWaiting",              false, listen_conf_set_limit},              \
        {"Limits", "MaxWaitingPerClient",     false, listen_conf_set_limit},              \
        {"Limits", "IdleTimeout",             false, listen_conf_set_limit},              \
        {"Limits", "RequestTimeout",          false, listen_conf_set_limit}
/* clang-format on */

void listen_conf_init(struct listen_conf *c);
void listen_conf_done(struct listen_conf *c);

/**
 * listen_conf_check() - what only all values together can tell; and add our own names to those that a
 * request may have in its Host field
 * @name: as configured, beside the kernel's; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int listen_conf_check(struct listen_conf *c, const char *name, struct err *e);
