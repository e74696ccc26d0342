#pragma once

/*
 * [Listen], [TLS] and [Limits], which every daemon has: where it listens, who may ask, and how much.
 * A daemon's own configuration begins with a struct listen_conf, and its table with the rows here.
 *
 * TLS is in force where its three files are: then every connection speaks it but those over a Unix socket
 * and those to a loopback address, whatever Insecure= says. Files that are named have to be there and be
 * good. The default ones, where nobody named any, may be missing; when they are there and no good, nothing
 * is served to other machines, and the rest as ever: a node must be able to tell that something is wrong.
 */

#include "api/authority.h"
#include "api/server.h"
#include "base/conf.h"

#define TLS_CONF_DIRECTORY "/etc/diag/tls" /* of ca.pem, node.pem and node.key */

enum tls_state {
        TLS_STATE_OFF = 0,
        TLS_STATE_ON,
        TLS_STATE_UNUSABLE, /* the default files are no good: see fault */
};

struct tls_conf {
        const char *directory;  /* of files that are not named */
        char *paths[TLS_FILES]; /* those that are; NULL: the default */
        /* Once checked. */
        enum tls_state state;
        struct err
                fault; /* why it is not on, where that was not to be expected; else its code is 0 */
        struct tls_files files;
};

struct listen_conf {
        struct sock_address listen[SERVER_LISTENERS_MAX];
        size_t n_listen; /* 0: the defaults */
        struct authority authority;
        struct server_limits limits;
        struct tls_conf tls;
};

int listen_conf_add_listen(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_network(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_insecure(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_host(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_proxy(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_open(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_output(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_tls_file(void *target, const struct conf_value *v, struct err *e);
int listen_conf_add_master(void *target, const struct conf_value *v, struct err *e);
int listen_conf_set_limit(void *target, const struct conf_value *v, struct err *e);

/* clang-format off */
#define LISTEN_CONF_KEYS                                                                  \
        {"Listen", "Listen",                  false, listen_conf_add_listen},             \
        {"Listen", "AllowFrom",               false, listen_conf_add_network},            \
        {"Listen", "Insecure",                false, listen_conf_set_insecure},           \
        {"Listen", "AllowedHosts",            false, listen_conf_add_host},               \
        {"Listen", "TrustedProxy",            false, listen_conf_add_proxy},              \
        {"Listen", "OutputInHealth",          false, listen_conf_set_output},             \
        {"Listen", "LegacyOpenBundles",       false, listen_conf_add_open},               \
        {"TLS",    "CA",                      false, listen_conf_set_tls_file},           \
        {"TLS",    "Certificate",             false, listen_conf_set_tls_file},           \
        {"TLS",    "Key",                     false, listen_conf_set_tls_file},           \
        {"TLS",    "MasterNames",             false, listen_conf_add_master},             \
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
 * listen_conf_check() - what only all values together can tell; read the files of [TLS]; and add our own
 * names to those that a request may have in its Host field
 * @name: as configured, beside the kernel's; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM, or what kept a file from being read.
 */
int listen_conf_check(struct listen_conf *c, const char *name, struct err *e);

/** listen_conf_tls() - of one that was checked; NULL: TLS is not in force. The one who asks others needs it, too. */
const struct tls_files *listen_conf_tls(const struct listen_conf *c);

/** listen_conf_tls_path() - of one of its files, named or not: for a program that reads them itself. @buf is returned. */
#define LISTEN_CONF_PATH_MAX 4096
char *listen_conf_tls_path(const struct listen_conf *c, enum tls_file file,
                           char buf[static LISTEN_CONF_PATH_MAX]);

/** listen_conf_same_listeners() - is there nothing in it that counts only from the next start on? */
bool listen_conf_same_listeners(const struct listen_conf *a, const struct listen_conf *b);
