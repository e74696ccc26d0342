#pragma once

/* diag-agentd.conf(5): defaults, then the file and its drop-ins, then the command line. */

#include "api/authority.h"
#include "api/server.h"
#include "base/conf.h"
#include "base/log.h"
#include "model/node.h"
#include "model/unit.h"

#define AGENT_CONF_FILE   "/etc/diag/agentd.conf"
#define AGENT_SOCKET      "unix:/run/diag/agentd.sock"
#define AGENT_PORT        1050u
#define AGENT_PORT_MASTER 1051u /* on masters 1050 is the aggregator's */
#define AGENT_TARGET      "dcos.target"
#define AGENT_UNITS_MAX   1024u
#define AGENT_EXPECTS_MAX 4096u

struct agent_expect {
        char *unit;
        enum diag_expect expect;
        bool given; /* "Expect=" alone takes it back */
};

struct agent_conf {
        enum diag_role role;
        char *target; /* NULL: AGENT_TARGET, or what the machine has */
        char **units;
        size_t n_units;
        char *address, *address_command, *hostname; /* NULL: found out */

        struct sock_address listen[SERVER_LISTENERS_MAX];
        size_t n_listen; /* 0: the defaults */
        struct authority authority;
        bool insecure;

        uint64_t stuck_after_usec;
        bool stuck_after_given, starting_is_healthy;
        struct agent_expect *expects; /* sorted by unit once agent_conf_check() has passed */
        size_t n_expects;
        enum log_level log_level;
};

extern const struct conf_key agent_conf_keys[];

void agent_conf_init(struct agent_conf *c);
void agent_conf_done(struct agent_conf *c);

/** agent_conf_check() - what only all values together can tell. 0 or -EINVAL. */
int agent_conf_check(struct agent_conf *c, struct err *e);

/** agent_conf_expect() - [Unit NAME] Expect=, else @otherwise. */
enum diag_expect agent_conf_expect(const char *name, enum diag_expect otherwise, void *agent_conf);
