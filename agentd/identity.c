/* Identity: ids from libsystemd (its one door), the address from configuration, a command, or a route. */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include <systemd/sd-id128.h>

#include "agentd/identity.h"
#include "base/child.h"
#include "base/mono.h"
#include "model/report.h"

#define COMMAND_USEC   (10 * USEC_PER_SEC)
#define COMMAND_BYTES  1024u
#define TICKS_PER_LOOK 12u
#define DETECT_IP      "/opt/mesosphere/bin/detect_ip" /* DC/OS's own way */

/* So that our node id cannot be turned back into the machine id, which is a secret of sorts. */
#define DIAG_APP_ID SD_ID128_MAKE(5d, 2a, 1b, 8e, 6c, 0f, 4c, 57, 9d, 33, 7a, 41, e8, 90, b6, 12)

struct identity {
        const struct agent_conf *conf;
        struct loop *loop;
        struct diag_node node;
        char node_id[SD_ID128_STRING_MAX], boot_id[SD_ID128_STRING_MAX];
        char hostname[HOST_NAME_MAX + 1], address[INET6_ADDRSTRLEN];
        char mesos_id[DIAG_STRING_MAX], config_hash[17];
        struct child *command;
        const char *command_name, *command_path; /* borrowed; the path is that of what runs it */
        bool command_failing;                    /* said once */
        unsigned n_ticks;
        void (*changed)(void *userdata);
        void *userdata;
};

/* The source address that the kernel would choose for a packet to the outside; none is sent. 0 or -errno. */
static int address_of_route(int family, char address[static INET6_ADDRSTRLEN])
{
        /* RFC 5737 and RFC 3849: addresses for documentation, routed like any other. */
        struct sock_address a = {.n = sizeof(a.in)};
        _cleanup_(closep) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (family == AF_INET) {
                a.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9)};
                (void)inet_pton(AF_INET, "192.0.2.1", &a.in.sin_addr);
        } else {
                a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(9)};
                a.n = sizeof(a.in6);
                (void)inet_pton(AF_INET6, "2001:db8::1", &a.in6.sin6_addr);
        }
        if (connect(fd, &a.sa, a.n) < 0 || getsockname(fd, &a.sa, &a.n) < 0)
                return -errno;
        (void)inet_ntop(family, family == AF_INET ? (void *)&a.in.sin_addr : &a.in6.sin6_addr,
                        address, INET6_ADDRSTRLEN);
        return 0;
}

static void set_address(struct identity *id, const char *address)
{
        if (streq(id->address, address))
                return;
        id->address[0] = '\0';
        (void)strncat(id->address, address, sizeof(id->address) - 1);
        if (id->changed)
                id->changed(id->userdata);
}

static void say_failing(struct identity *id, const char *why)
{
        if (!id->command_failing)
                log_warning("%s did not tell this node's address: %s", id->command_name, why);
        id->command_failing = true;
}

/* An address that we have stays: this says nothing of the network. */
static void say_not_run(struct identity *id, int error)
{
        struct err e;

        (void)err_set(&e, error, "cannot run %s: %s", id->command_path, strerror(-error));
        say_failing(id, e.text);
}

static void take_output(struct identity *id, const struct child_result *r)
{
        char address[INET6_ADDRSTRLEN] = "";
        int family;

        if (r->exit_status == 0 && !r->timed_out)
                (void)sscanf(r->output, "%45s", address);
        if (parse_ip(address, &family) >= 0)
                id->command_failing = false;
        else {
                say_failing(id, r->timed_out          ? "it took too long"
                                : r->exit_status == 0 ? "its output is no IP address"
                                                      : "it failed");
                address[0] = '\0';
        }
        set_address(id, address);
}

static void on_command(const struct child_result *r, void *userdata)
{
        struct identity *id = userdata;
        struct child *ended = TAKE_PTR(id->command);

        if (r->exec_error)
                say_not_run(id, r->exec_error);
        else
                take_output(id, r);
        child_free(ended);
}

static void ask_command(struct identity *id, const char *const argv[], const char *name)
{
        struct err e;

        if (id->command)
                return;
        id->command_name = name;
        id->command_path = argv[0];
        if (child_start(&id->command, id->loop, argv, COMMAND_USEC, COMMAND_BYTES, on_command, id,
                        &e) < 0)
                say_failing(id, e.text);
}

static void ask_route(struct identity *id)
{
        char address[INET6_ADDRSTRLEN] = "";
        int k = address_of_route(AF_INET, address);

        if (k < 0 && !err_is_shortage(k))
                k = address_of_route(AF_INET6, address);
        if (!err_is_shortage(k))
                set_address(id, address);
}

static void find_address(struct identity *id)
{
        const char *const told[] = {id->conf->address_command, NULL};
        const char *const detect_ip[] = {"/bin/bash", DETECT_IP, NULL};

        if (id->conf->address)
                set_address(id, id->conf->address);
        else if (id->conf->address_command)
                ask_command(id, told, id->conf->address_command);
        else if (access(DETECT_IP, R_OK) == 0)
                ask_command(id, detect_ip, DETECT_IP);
        else
                ask_route(id);
}

static void find_hostname(struct identity *id)
{
        char name[sizeof(id->hostname)] = "";

        if (gethostname(name, sizeof(name) - 1) < 0 || streq(name, id->hostname))
                return;
        memcpy(id->hostname, name, sizeof(name));
        if (id->changed)
                id->changed(id->userdata);
}

static void find_ids(struct identity *id)
{
        sd_id128_t v;

        if (!id->node_id[0] && sd_id128_get_machine_app_specific(DIAG_APP_ID, &v) >= 0)
                sd_id128_to_string(v, id->node_id);
        if (!id->boot_id[0] && sd_id128_get_boot(&v) >= 0)
                sd_id128_to_string(v, id->boot_id);
}

static void take_conf(struct identity *id, const struct agent_conf *conf)
{
        id->conf = conf;
        id->node.hostname = conf->hostname ? conf->hostname : id->hostname;
        id->node.role = conf->role;
        (void)snprintf(id->config_hash, sizeof(id->config_hash), "%016" PRIx64, conf->hash);
}

int identity_new(struct identity **ret, struct loop *l, const struct agent_conf *conf,
                 void (*changed)(void *userdata), void *userdata)
{
        struct identity *id = calloc(1, sizeof(*id));

        if (!id)
                return -ENOMEM;
        id->loop = l;
        id->node = (struct diag_node){
                .node_id = id->node_id,
                .boot_id = id->boot_id,
                .kernel_hostname = id->hostname,
                .address = id->address,
                .mesos_id = id->mesos_id,
                .config_hash = id->config_hash,
                .version = DIAG_VERSION,
                .dcos_version = str_or(getenv("DCOS_VERSION"), ""),
        };
        take_conf(id, conf);
        find_ids(id);
        find_hostname(id);
        find_address(id);
        id->changed = changed;
        id->userdata = userdata;
        *ret = id;
        return 0;
}

struct identity *identity_free(struct identity *id)
{
        if (!id)
                return NULL;
        child_free(id->command);
        free(id);
        return NULL;
}

void identity_reconfigure(struct identity *id, const struct agent_conf *conf)
{
        take_conf(id, conf);
        id->command = child_free(id->command);
        id->command_failing = false;
        find_address(id);
}

void identity_set_port(struct identity *id, uint16_t port)
{
        id->node.port = port;
}

void identity_set_mesos_id(struct identity *id, const char *mesos_id)
{
        id->mesos_id[0] = '\0';
        (void)strncat(id->mesos_id, mesos_id, sizeof(id->mesos_id) - 1);
}

const struct diag_node *identity_node(const struct identity *id)
{
        return &id->node;
}

void identity_tick(struct identity *id)
{
        bool all = ++id->n_ticks % TICKS_PER_LOOK == 0;

        if (all || !id->address[0])
                find_address(id);
        if (all) {
                find_ids(id);
                find_hostname(id);
        }
}
