/* Identity of a node. */

#include <errno.h>

#include "model/node.h"

static const char *const roles[] = {
        [DIAG_ROLE_UNKNOWN] = "",
        [DIAG_ROLE_MASTER] = "master",
        [DIAG_ROLE_AGENT] = "agent",
        [DIAG_ROLE_AGENT_PUBLIC] = "agent_public",
};

const char *diag_role_to_string(enum diag_role r)
{
        return roles[r];
}

int diag_role_from_string(const char *s, enum diag_role *ret)
{
        for (size_t i = DIAG_ROLE_MASTER; i < ELEMENTSOF(roles); i++)
                if (streq(s, roles[i])) {
                        *ret = (enum diag_role)i;
                        return 0;
                }
        return -EINVAL;
}

static bool same(const char *a, const char *b)
{
        return streq(str_or(a, ""), str_or(b, ""));
}

bool diag_node_equal(const struct diag_node *a, const struct diag_node *b)
{
        return a->role == b->role && a->port == b->port && same(a->node_id, b->node_id) &&
               same(a->boot_id, b->boot_id) && same(a->hostname, b->hostname) &&
               same(a->kernel_hostname, b->kernel_hostname) && same(a->address, b->address) &&
               same(a->mesos_id, b->mesos_id) && same(a->version, b->version) &&
               same(a->dcos_version, b->dcos_version) && same(a->config_hash, b->config_hash);
}
