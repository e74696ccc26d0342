/* Thirty units as a DC/OS node has them, and an identity made of the node's index. */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/mono.h"
#include "bench/fleet_node.h"
#include "model/report_json.h"
#include "model/report_v1.h"

#define HOSTS_PER_NET     250u
#define CONFIRM_EACH_USEC (15 * USEC_PER_SEC)

static const char *const modes[] = {
        [FLEET_OK] = "ok",
        [FLEET_V1] = "v1",
        [FLEET_FROZEN] = "frozen",
        [FLEET_FLOOD] = "flood",
        [FLEET_REDIRECT] = "redirect",
        [FLEET_GARBAGE] = "garbage",
        [FLEET_EMPTY] = "empty",
        [FLEET_STALE] = "stale",
        [FLEET_HOT] = "hot",
        [FLEET_HALF] = "half",
        [FLEET_IMPOSTOR] = "impostor",
};

/* clang-format off */
static const struct {
        const char *name, *title, *description;
} units[] = {
        {"dcos-adminrouter.service", "Admin Router",
         "exposes a unified control plane proxy for components and services using NGINX"},
        {"dcos-adminrouter-reload.service", "Admin Router Reloader",
         "Reload admin router to get new DNS"},
        {"dcos-adminrouter-reload.timer", "Admin Router Reloader Timer",
         "Periodically reload admin router nginx config to get new DNS"},
        {"dcos-checks-api.service", "DC/OS Checks API",
         "exposes a REST API for running DC/OS checks"},
        {"dcos-checks-api.socket", "DC/OS Checks API Socket",
         "socket for the checks API"},
        {"dcos-checks-poststart.service", "DC/OS Poststart Checks",
         "runs the checks of this node after its start"},
        {"dcos-checks-poststart.timer", "DC/OS Poststart Checks Timer",
         "runs the poststart checks periodically"},
        {"dcos-cosmos.service", "DC/OS Package Manager (Cosmos)",
         "installs and manages DC/OS packages"},
        {"dcos-diagnostics.service", "DC/OS Diagnostics Agent",
         "exposes component health"},
        {"dcos-diagnostics.socket", "DC/OS Diagnostics Agent Socket",
         "socket for DC/OS Diagnostics Agent"},
        {"dcos-docker-gc.service", "Docker GC",
         "periodically garbage collects Docker containers and images"},
        {"dcos-docker-gc.timer", "Docker GC Timer",
         "periodically triggers Docker garbage collection"},
        {"dcos-etcd.service", "etcd",
         "a distributed key-value store for the most critical data of the cluster"},
        {"dcos-exhibitor.service", "Exhibitor",
         "manages ZooKeeper"},
        {"dcos-fluent-bit.service", "Fluent Bit",
         "collects and forwards logs"},
        {"dcos-gen-resolvconf.service", "DC/OS DNS Resolver Configuration",
         "updates local DNS resolver configuration"},
        {"dcos-gen-resolvconf.timer", "DC/OS DNS Resolver Configuration Timer",
         "periodically updates local DNS resolver configuration"},
        {"dcos-history.service", "DC/OS History",
         "caches and exposes historical system state"},
        {"dcos-log-agent.service", "DC/OS Log Agent",
         "exposes agent node, component, and container logs"},
        {"dcos-logrotate-agent.service", "Logrotate",
         "rotates agent mesos logs"},
        {"dcos-logrotate-agent.timer", "Logrotate Timer",
         "periodically triggers rotation of agent mesos logs"},
        {"dcos-mesos-dns.service", "Mesos DNS",
         "provides service discovery within the cluster"},
        {"dcos-mesos-slave.service", "Mesos Agent",
         "enables per-node resource management and isolation"},
        {"dcos-metronome.service", "DC/OS Jobs (Metronome)",
         "runs scheduled jobs and one-off tasks"},
        {"dcos-net.service", "DC/OS Net",
         "provides networking and distributed DNS, load balancing, overlays"},
        {"dcos-net-watchdog.service", "DC/OS Net Watchdog",
         "ensures that DC/OS Net answers"},
        {"dcos-pkgpanda-api.service", "Pkgpanda API",
         "installs and manages DC/OS components"},
        {"dcos-rexray.service", "REX-Ray",
         "a vendor-agnostic storage orchestration engine"},
        {"dcos-signal.timer", "Signal Timer",
         "periodically triggers telemetry reporting"},
        {"dcos-telegraf.service", "Telegraf",
         "collects metrics of the node, of containers and of applications"},
};
/* clang-format on */
_Static_assert(ELEMENTSOF(units) == FLEET_UNITS, "a bit for each");

const char *fleet_mode_to_string(enum fleet_mode m)
{
        return modes[m];
}

int fleet_mode_from_string(const char *s, enum fleet_mode *ret)
{
        for (size_t i = 0; i < FLEET_N_MODES; i++)
                if (streq(s, modes[i])) {
                        *ret = (enum fleet_mode)i;
                        return 0;
                }
        return -EINVAL;
}

static in_addr_t network = (127u << 24) + (1u << 16);

int fleet_set_net(const char *net)
{
        char text[INET_ADDRSTRLEN];
        struct in_addr in;

        if ((size_t)snprintf(text, sizeof(text), "%s.0.0", net) >= sizeof(text) ||
            inet_pton(AF_INET, text, &in) != 1)
                return -EINVAL;
        network = ntohl(in.s_addr);
        return 0;
}

in_addr_t fleet_address(uint32_t index)
{
        return network + (index / HOSTS_PER_NET << 8) + 1 + index % HOSTS_PER_NET;
}

int64_t fleet_index(in_addr_t address)
{
        int64_t net = (int64_t)(address >> 8 & 0xff), host = (int64_t)(address & 0xff) - 1;

        if ((address & 0xffff0000) != network || host < 0 || host >= HOSTS_PER_NET)
                return -1;
        return net * HOSTS_PER_NET + host;
}

const char *fleet_unit_name(size_t unit)
{
        return units[unit].name;
}

/* --- life ------------------------------------------------------------------------------------- */

static void forget_bodies(struct fleet_node *n)
{
        for (size_t i = 0; i < FLEET_N_FORMS; i++)
                n->bodies[i] = blob_unref(n->bodies[i]);
}

static void changed(struct fleet_node *n)
{
        n->seq++;
        forget_bodies(n);
}

static uint64_t random_bits(void)
{
        uint64_t ret;

        if (getrandom(&ret, sizeof(ret), 0) != sizeof(ret)) {
                perror("getrandom");
                exit(1);
        }
        return ret;
}

void fleet_node_init(struct fleet_node *n, uint32_t index, enum diag_role role, uint16_t port)
{
        *n = (struct fleet_node){.index = index, .role = role, .port = port, .seq = 1};
        n->phase = DIAG_PHASE_RUNNING;
        n->instance = random_bits();
        TAILQ_INIT(&n->clients);
        for (size_t i = 0; i < FLEET_UNITS; i++)
                n->since_wall_usec[i] = now_wall_usec() - USEC_PER_MIN;
}

bool fleet_node_set_unit(struct fleet_node *n, size_t unit, bool fails)
{
        uint32_t bit = 1u << unit, before = n->failed;

        n->failed = fails ? before | bit : before & ~bit;
        if (n->failed == before)
                return false;
        n->since_wall_usec[unit] = now_wall_usec();
        changed(n);
        return true;
}

void fleet_node_restart(struct fleet_node *n, bool boot)
{
        n->n_boots += boot;
        n->instance = random_bits();
        n->seq = 0;
        n->phase = DIAG_PHASE_RUNNING;
        changed(n);
}

void fleet_node_set_phase(struct fleet_node *n, enum diag_phase phase)
{
        n->phase = phase;
        changed(n);
}

uint64_t fleet_node_confirmed_age_usec(const struct fleet_node *n)
{
        if (n->mode == FLEET_STALE)
                return 3600 * USEC_PER_SEC;
        return (now_mono_usec() + n->index * 37777u) % CONFIRM_EACH_USEC;
}

/* --- what it says ------------------------------------------------------------------------------ */

static void must(int k)
{
        if (k < 0) {
                (void)fprintf(stderr, "fleet: %s\n", strerror(-k));
                exit(1);
        }
}

static struct diag_unit unit_facts(const struct fleet_node *n, size_t i, bool fails)
{
        bool timer = strstr(units[i].name, ".timer") != NULL;

        return (struct diag_unit){
                .name = units[i].name,
                .id = units[i].name,
                .load_state = "loaded",
                .active_state = fails ? "failed" : "active",
                .sub_state = fails   ? "failed"
                             : timer ? "waiting"
                                     : "running",
                .type = timer ? "" : "simple",
                .result = fails ? "exit-code" : "success",
                .exec_main_code = fails ? CLD_EXITED : 0,
                .exec_main_status = fails ? 3 : 0,
                .main_pid = fails || timer ? 0 : (uint32_t)(1000 + i),
                .active_enter_wall_usec = n->since_wall_usec[i],
                .state_change_wall_usec = n->since_wall_usec[i],
        };
}

static void add_unit(struct diag_report *r, const struct fleet_node *n, size_t i)
{
        bool fails = n->failed & 1u << i;
        struct diag_unit facts = unit_facts(n, i, fails);
        struct diag_component c = {
                .name = units[i].name,
                .title = units[i].title,
                .description = units[i].description,
                .health = fails ? DIAG_UNHEALTHY : DIAG_HEALTHY,
                .code = fails ? DIAG_CODE_EXIT_CODE : DIAG_CODE_OK,
                .text = fails ? "exited with status 3 (NOTIMPLEMENTED)" : "",
                .output = fails ? "panic: this is what a journal would say of it\n" : "",
                .since_wall_usec = n->since_wall_usec[i],
                .unit = &facts,
        };

        must(diag_report_add(r, &c));
}

static struct diag_report *make_report(const struct fleet_node *n)
{
        static const struct diag_system system = {.state = "running", .version = "252.39"};
        uint32_t who = n->mode == FLEET_IMPOSTOR ? n->index + 1 : n->index;
        char id[33], boot[33], hostname[32], address[INET_ADDRSTRLEN], mesos_id[48];
        struct in_addr in = {htonl(fleet_address(n->index))};
        struct diag_node node = {
                .node_id = id,
                .boot_id = boot,
                .hostname = hostname,
                .kernel_hostname = hostname,
                .address = inet_ntop(AF_INET, &in, address, sizeof(address)),
                .mesos_id = n->role == DIAG_ROLE_MASTER ? "" : mesos_id,
                .version = DIAG_VERSION,
                .dcos_version = "2.1",
                .config_hash = "c0ffee0000000001",
                .port = n->port,
                .role = n->role,
        };
        struct diag_report *r;

        (void)snprintf(id, sizeof(id), "f1ee7000%024x", who);
        (void)snprintf(boot, sizeof(boot), "b007%04x%024x", n->n_boots & 0xffff, n->index);
        (void)snprintf(hostname, sizeof(hostname), "node-%05u", n->index);
        (void)snprintf(mesos_id, sizeof(mesos_id), "d3b0738e-3b17-4ea2-9a0f-1f5b4f2f8f2f-S%u",
                       n->index);
        must(diag_report_new(&r, &node, &system, "dcos.target"));
        for (size_t i = 0; i < FLEET_UNITS; i++)
                add_unit(r, n, i);
        must(diag_report_seal(r, NULL, now_wall_usec(), NULL, NULL));
        r->instance = n->instance;
        r->seq = n->seq;
        r->phase = n->phase;
        return r;
}

static struct blob *spell(const struct diag_report *r, enum fleet_form form,
                          const struct fleet_node *n)
{
        const struct diag_moment moment = {
                .now_wall_usec = now_wall_usec(),
                .uptime_usec = now_boot_usec(),
                .confirmed_age_usec = fleet_node_confirmed_age_usec(n),
        };
        _cleanup_(buf_done) struct buf full = {0};

        if (form == FLEET_FORM_HEALTH)
                return diag_report_render_health(r);
        if (form == FLEET_FORM_V1)
                return diag_report_render_v1(r);
        diag_report_write_full(&full, r, &moment, true);
        return blob_new_take(&full);
}

struct blob *fleet_node_body(struct fleet_node *n, enum fleet_form form)
{
        if (!n->bodies[form]) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = make_report(n);

                n->bodies[form] = spell(r, form, n);
                must(n->bodies[form] ? 0 : -ENOMEM);
        }
        return blob_ref(n->bodies[form]);
}

struct blob *fleet_node_component(struct fleet_node *n, const char *name, size_t n_name)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = make_report(n);
        _cleanup_(buf_done) struct buf out = {0};

        for (size_t i = 0; i < r->n_components; i++)
                if (strlen(r->components[i].name) == n_name &&
                    memcmp(r->components[i].name, name, n_name) == 0)
                        diag_report_write_component(&out, &r->components[i]);
        return out.n ? blob_new_take(&out) : NULL;
}
