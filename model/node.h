#pragma once

/* Who a node is. Strings are borrowed from whoever holds the struct; "" or NULL: not known. */

#include "base/cleanup.h"

enum diag_role {
        DIAG_ROLE_UNKNOWN = 0,
        DIAG_ROLE_MASTER,
        DIAG_ROLE_AGENT,
        DIAG_ROLE_AGENT_PUBLIC,
};
const char *diag_role_to_string(
        enum diag_role r) _const_; /* "master", "agent", "agent_public"; "" */
int diag_role_from_string(const char *s, enum diag_role *ret); /* 0 or -EINVAL */

struct diag_node {
        const char *
                node_id; /* 32 hex digits, derived from the machine id, never the machine id itself */
        const char *boot_id;         /* 32 hex digits */
        const char *hostname;        /* as configured, else the kernel's */
        const char *kernel_hostname; /* API v1 wants this one */
        const char *address;         /* an IP literal without brackets */
        const char *mesos_id;
        const char *version;      /* of diag */
        const char *dcos_version; /* $DCOS_VERSION */
        const char *config_hash;  /* 16 hex digits: of the configuration that is in force */
        uint16_t port;            /* where the node can be asked over TCP; 0: only locally */
        enum diag_role role;
};

bool diag_node_equal(const struct diag_node *a, const struct diag_node *b) _pure_;
