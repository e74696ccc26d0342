/* It takes diag-aggregatord.conf and what is said on the command line, and says what is wrong with them. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "aggregator/aggregator_conf.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

static char dir[64];

static void setup(void)
{
        (void)snprintf(dir, sizeof(dir), "/tmp/test_aggregator_conf.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Files of these names, and no others, are made. */
static void teardown(void)
{
        static const char *const names[] = {"f.d/10.conf", "f.d/20.conf", "f.d",   "f",
                                            "nodes",       "n",           "secret"};
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                (void)remove(path);
        }
        (void)rmdir(dir);
}

static void put(char path[static 128], const char *name, const char *text, size_t n)
{
        struct err e = {0};

        (void)snprintf(path, 128, "%s/%s", dir, name);
        ck_assert_msg(fs_replace(path, text, n, 0600, &e) == 0, "%s", e.text);
}

static void on_error(const struct err *e, void *userdata)
{
        buf_printf(userdata, "%s\n", e->text);
}

/* "DIR" in a text stands for the folder of this test, in what is said it does again. */
static void with_dir(struct buf *b, const char *text, const char *from, const char *to)
{
        for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
                buf_append(b, text, (size_t)(at - text));
                buf_puts(b, to);
        }
        buf_puts(b, text);
}

static int parse(struct aggregator_conf *c, const char *text, struct buf *said)
{
        _cleanup_(buf_done) struct buf b = {0};

        with_dir(&b, text, "DIR", dir);
        return conf_parse(buf_cstr(&b), b.n, "f", aggregator_conf_keys, c, on_error, said);
}

static int parse_and_check(struct aggregator_conf *c, const char *text, struct buf *said)
{
        _cleanup_(buf_done) struct buf b = {0};
        int k = parse(c, text, &b);

        if (k >= 0)
                k = aggregator_conf_check(c, on_error, &b);
        with_dir(said, buf_cstr(&b), dir, "DIR");
        return k;
}

/* --- values -------------------------------------------------------------------------------------- */

static void write_text(struct buf *b, const char *name, const char *value)
{
        if (value)
                buf_printf(b, "%s=%s ", name, value);
}

static void write_number(struct buf *b, const char *name, uint64_t value, uint64_t otherwise)
{
        if (value != otherwise)
                buf_printf(b, "%s=%llu ", name, (unsigned long long)value);
}

/* What is not as it is without any configuration. */
static void write_conf(struct buf *b, const struct aggregator_conf *c)
{
        write_text(b, "name", c->name);
        write_number(b, "expected", c->n_expected, 0);
        write_text(b, "expected", c->expected_file);
        write_number(b, "forget", c->forget_agents_usec / USEC_PER_SEC, 86400);
        write_number(b, "age", c->view_max_age_usec / USEC_PER_SEC, 15);
        write_text(b, "socket", c->agent_socket);
        write_number(b, "masterport", c->port_master, 0);
        write_number(b, "agentport", c->port_agent, 0);
        write_number(b, "peerport", c->port_peer, 0);
        for (size_t i = 0; i < c->n_nodes; i++)
                buf_printf(b, "%s=%s:%u ", diag_role_to_string(c->nodes[i].role),
                           c->nodes[i].address, c->nodes[i].port);
        write_text(b, "file", c->nodes_file);
        write_text(b, "zk", c->zk_hosts);
        write_text(b, "chroot", c->zk_chroot);
        write_text(b, "secret", c->zk_secret);
        write_text(b, "secretfile", c->zk_secret_file);
        write_text(b, "mesospath", c->zk_mesos_path);
        write_number(b, "open", c->zk_open, 0);
        for (size_t i = 0; i < c->n_mesos_urls; i++)
                write_text(b, "mesos", c->mesos_urls[i]);
        write_number(b, "every", c->mesos_interval_usec / USEC_PER_SEC, 30);
        write_text(b, "exhibitor", c->exhibitor_url);
        write_number(b, "every", c->exhibitor_interval_usec / USEC_PER_SEC, 30);
        write_text(b, "dns", c->dns_name);
        write_number(b, "every", c->dns_interval_usec / USEC_PER_SEC, 30);
        write_number(b, "level", c->log_level, LEVEL_INFO);
        write_number(b, "listen", c->server.n_listen, 0);
}

#define C "[Cluster]\n"
#define Z "[ZooKeeper]\n"

/* clang-format off */
static const struct {
        const char *text, *want;
} values[] = {
        {"", ""},
        {C "Name=prod\nMastersExpected=3\nForgetAgentsAfter=1h\nViewMaxAge=20s\n",
         "name=prod expected=3 forget=3600 age=20 "},
        {C "Name=prod\nName=\nMastersExpected=3\nMastersExpected=\nForgetAgentsAfter=1h\n"
         "ForgetAgentsAfter=\nViewMaxAge=20s\nViewMaxAge=\n", ""},
        {C "MastersExpected=1\n", "expected=1 "},
        {C "MastersExpected=64\n", "expected=64 "},
        {C "MastersExpected=/etc/n\n", "expected=/etc/n "},
        {C "MastersExpected=/etc/n\nMastersExpected=5\n", "expected=5 "},
        {C "MastersExpected=5\nMastersExpected=/etc/n\n", "expected=/etc/n "},
        {C "MastersExpected=/etc/n\nMastersExpected=\n", ""},
        {C "ViewMaxAge=5\nForgetAgentsAfter=1\n", "forget=1 age=5 "},
        {C "AgentSocket=/run/x\nMasterPort=1\nAgentPort=2\nAggregatorPort=65535\n",
         "socket=/run/x masterport=1 agentport=2 peerport=65535 "},
        {C "AgentSocket=/run/x\nAgentSocket=\nMasterPort=1\nMasterPort=\nAgentPort=2\nAgentPort=\n"
         "AggregatorPort=3\nAggregatorPort=\n", ""},
        {C "NodesFile=/x\n", "file=/x "},
        {C "NodesFile=x/y\n", "file=x/y "},
        {C "NodesFile=/x\nNodesFile=\n", ""},

        {C "Node=master=10.0.0.1\nNode=agent=10.0.0.2:1051\nNode=agent_public=n.example:7\n",
         "master=10.0.0.1:0 agent=10.0.0.2:1051 agent_public=n.example:7 "},
        {C "Node=master=::1\nNode=agent=[fd00::2]:1050\nNode=agent=[fd00::3]\n",
         "master=::1:0 agent=fd00::2:1050 agent=fd00::3:0 "},
        {C "Node=master=fd00::1:1050\n", "master=fd00::1:1050:0 "}, /* which is an address */
        {C "Node=master=10.0.0.1\nNode=\n", ""},
        {C "Node=master=10.0.0.1\nNode=\nNode=agent=10.0.0.2\n", "agent=10.0.0.2:0 "},
        {C "Node=master=10.0.0.1:7\nNode=agent=10.0.0.1\n", "agent=10.0.0.1:0 "},
        {"[Node 10.0.0.1]\nRole=master\nPort=7\n[Node n]\nRole=agent\n",
         "master=10.0.0.1:7 agent=n:0 "},
        {"[Node 10.0.0.1]\nRole=master\nPort=7\nPort=\n", "master=10.0.0.1:0 "},
        {"[Node 10.0.0.1]\nRole=master\n[Node 10.0.0.1]\nPort=7\n", "master=10.0.0.1:7 "},
        {"[Node fd00::1]\nRole=agent_public\n", "agent_public=fd00::1:0 "},
        {"[Node 10.0.0.1]\nRole=master\n" C "Node=\n", ""},

        {Z "Hosts=a:2181,b:2181\nChroot=/c\nMesosPath=/mesos\nSecret=s\nSecretFile=/f\nZkOpen=yes\n",
         "zk=a:2181,b:2181 chroot=/c secret=s secretfile=/f mesospath=/mesos open=1 "},
        {Z "Hosts=a\nHosts=\nChroot=/c\nChroot=\nMesosPath=/m\nMesosPath=\nSecret=s\nSecret=\n"
         "SecretFile=/f\nSecretFile=\nZkOpen=yes\nZkOpen=\n", ""},
        {Z "ZkOpen=yes\nZkOpen=no\n", ""},
        {"[Mesos]\nUrl=http://a:5050\nUrl=https://b\nInterval=1\n",
         "mesos=http://a:5050 mesos=https://b every=1 "},
        {"[Mesos]\nUrl=http://a:5050\nUrl=\nInterval=1\nInterval=\n", ""},
        {"[Mesos]\nUrl=http://a:5050\nUrl=\nUrl=http://b\n", "mesos=http://b "},
        {"[Exhibitor]\nUrl=http://a:8181\nInterval=2min\n", "exhibitor=http://a:8181 every=120 "},
        {"[Exhibitor]\nUrl=http://a:8181\nUrl=\nInterval=2min\nInterval=\n", ""},
        {"[DNS]\nName=master.mesos\nInterval=10\n", "dns=master.mesos every=10 "},
        {"[DNS]\nName=master.mesos\nName=\nInterval=10\nInterval=\n", ""},
        {"[Log]\nLevel=debug\n", "level=7 "},
        {"[Log]\nLevel=debug\nLevel=\n", ""},
        {"[Listen]\nListen=127.0.0.1:1\nListen=unix:/x\n", "listen=2 "},
};
/* clang-format on */

START_TEST(takes_values)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, have = {0};

        (void)parse(c, values[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        write_conf(&have, c);
        ck_assert_str_eq(buf_cstr(&have), values[_i].want);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} faults[] = {
        {C "MastersExpected=0\n",
         "f:2: MastersExpected: '0' is neither a number from 1 to 64 nor a path\n"},
        {C "MastersExpected=65\n",
         "f:2: MastersExpected: '65' is neither a number from 1 to 64 nor a path\n"},
        {C "MastersExpected=n\n",
         "f:2: MastersExpected: 'n' is neither a number from 1 to 64 nor a path\n"},
        {C "ForgetAgentsAfter=0\n",
         "f:2: ForgetAgentsAfter: '0' is not a time span of 1 s or more\n"},
        {C "ViewMaxAge=4999ms\n", "f:2: ViewMaxAge: '4999ms' is not a time span of 5 s or more\n"},
        {C "ViewMaxAge=soon\n", "f:2: ViewMaxAge: 'soon' is not a time span of 5 s or more\n"},
        {C "AgentSocket=x\n", "f:2: AgentSocket: 'x' is not an absolute path\n"},
        {C "MasterPort=0\n", "f:2: MasterPort: '0' is not a port\n"},
        {C "AgentPort=65536\n", "f:2: AgentPort: '65536' is not a port\n"},
        {C "AggregatorPort=http\n", "f:2: AggregatorPort: 'http' is not a port\n"},
        {C "Node=10.0.0.1\n", "f:2: Node: '10.0.0.1' is not ROLE=ADDRESS[:PORT]\n"},
        {C "Node=a-very-long-word-that-is-certainly-no-role=10.0.0.1\n",
         "f:2: Node: 'a-very-long-word-that-is-certainly-no-role=10.0.0.1' is not "
         "ROLE=ADDRESS[:PORT]\n"},
        {C "Node=king=10.0.0.1\n", "f:2: Node: 'king' is none of master, agent, agent_public\n"},
        {C "Node==10.0.0.1\n", "f:2: Node: '' is none of master, agent, agent_public\n"},
        {C "Node=master=\n", "f:2: Node: '' is neither an IP address nor a name\n"},
        {C "Node=master=:1050\n", "f:2: Node: '' is neither an IP address nor a name\n"},
        {C "Node=master=10.0.0.1:\n", "f:2: Node: '' is not a port\n"},
        {C "Node=master=10.0.0.1:0\n", "f:2: Node: '0' is not a port\n"},
        {C "Node=master=10.0.0.1:65536\n", "f:2: Node: '65536' is not a port\n"},
        {C "Node=master=10.0.0.1:80:80\n",
         "f:2: Node: '10.0.0.1:80' is neither an IP address nor a name\n"},
        {C "Node=master=a b\n", "f:2: Node: 'a b' is neither an IP address nor a name\n"},
        {C "Node=master=a/b\n", "f:2: Node: 'a/b' is neither an IP address nor a name\n"},
        {C "Node=master=u@h:80\n", "f:2: Node: 'u@h' is neither an IP address nor a name\n"},
        {C "Node=master=[]:80\n", "f:2: Node: '' is neither an IP address nor a name\n"},
        {C "Node=master=[\n", "f:2: Node: '[' is neither an IP address nor a name\n"},
        {C "Node=master=]\n", "f:2: Node: ']' is neither an IP address nor a name\n"},
        {C "Node=master=[::1]x\n", "f:2: Node: '1]x' is not a port\n"},
        {C "Node=master=[::1\n", "f:2: Node: '[:' is neither an IP address nor a name\n"},
        {C "Node=master=-v\n", "f:2: Node: '-v' is neither an IP address nor a name\n"},
        {"[Node a b]\nRole=agent\n", "f:1: 'a b' is neither an IP address nor a name\n"},
        {"[Node 10.0.0.1]\nRole=\n", "f:2: Role: '' is none of master, agent, agent_public\n"},
        {"[Node 10.0.0.1]\nRole=agent\nPort=0\n", "f:3: Port: '0' is not a port\n"},
        {"[Node]\nRole=agent\n", "f:1: section [Node] needs a name: [Node NAME]\n"},
        {Z "Chroot=c\n", "f:2: Chroot: 'c' is no path of ZooKeeper: it begins with '/'\n"},
        {Z "MesosPath=m\n", "f:2: MesosPath: 'm' is no path of ZooKeeper: it begins with '/'\n"},
        {Z "SecretFile=f\n", "f:2: SecretFile: 'f' is not an absolute path\n"},
        {Z "ZkOpen=perhaps\n", "f:2: ZkOpen: 'perhaps' is neither yes nor no\n"},
        {"[Mesos]\nUrl=leader.mesos\n",
         "f:2: Url: 'leader.mesos' does not begin with http:// or https://\n"},
        {"[Mesos]\nUrl=http://1\nUrl=http://2\nUrl=http://3\nUrl=http://4\nUrl=http://5\n"
         "Url=http://6\nUrl=http://7\nUrl=http://8\nUrl=http://9\n",
         "f:10: Url: more than 8 masters of Mesos\n"},
        {"[Mesos]\nInterval=0\n", "f:2: Interval: '0' is not a time span of 1 s or more\n"},
        {"[Exhibitor]\nUrl=x\n", "f:2: Url: 'x' does not begin with http:// or https://\n"},
        {"[DNS]\nName=a b\n", "f:2: Name: 'a b' is neither an IP address nor a name\n"},
        {"[Log]\nLevel=loud\n", "f:2: Level: 'loud' is none of error warning notice info debug\n"},
        {C "Nodes=x\n", "f:2: unknown key Nodes in section [Cluster]\n"},
};
/* clang-format on */

START_TEST(says_what_is_wrong)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0};

        ck_assert_int_lt(parse(c, faults[_i].text, &said), 0);
        ck_assert_str_eq(buf_cstr(&said), faults[_i].want);
}
END_TEST

START_TEST(limits_the_name)
{
        for (size_t n = 128; n <= 129; n++) {
                _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
                _cleanup_(buf_done) struct buf said = {0}, text = {0};

                buf_puts(&text, C "Name=");
                for (size_t i = 0; i < n; i++)
                        buf_putc(&text, 'n');
                (void)parse(c, buf_cstr(&text), &said);
                ck_assert_str_eq(buf_cstr(&said),
                                 n > 128 ? "f:2: Name: a name of a cluster has at most 128 bytes\n"
                                         : "");
        }
}
END_TEST

/* --- all of it ------------------------------------------------------------------------------------ */

#define MISSING                                                                       \
        "[Cluster]: MastersExpected= is missing: where masters are only discovered, " \
        "the first one to boot would be all of them\n"

/* clang-format off */
static const struct {
        const char *text, *nodes, *want, *said; /* nodes: NULL: no file */
} checks[] = {
        {"", NULL, "master=127.0.0.1:0 ", ""},
        {C "MastersExpected=1\n", NULL, "expected=1 master=127.0.0.1:0 ", ""},
        {C "MastersExpected=3\n", NULL, "expected=3 master=127.0.0.1:0 ", ""},
        {C "Node=master=10.0.0.1\n", NULL, "master=10.0.0.1:0 ", ""},
        {C "Node=agent=10.0.0.1\n", NULL, NULL, MISSING},
        {C "Node=agent=10.0.0.1\nMastersExpected=1\n", NULL, "expected=1 agent=10.0.0.1:0 ", ""},
        {C "Node=agent=10.0.0.1\nMastersExpected=/n\n", NULL, "expected=/n agent=10.0.0.1:0 ", ""},
        {Z "Hosts=a\n", NULL, NULL, MISSING},
        {"[Mesos]\nUrl=http://a\n", NULL, NULL, MISSING},
        {"[Exhibitor]\nUrl=http://a\n", NULL, NULL, MISSING},
        {"[DNS]\nName=master.mesos\n", NULL, NULL, MISSING},
        {C "MastersExpected=3\n" Z "Hosts=a\n", NULL, "expected=3 zk=a ", ""},
        {C "Node=master=10.0.0.1\n" Z "Hosts=a\n", NULL, "master=10.0.0.1:0 zk=a ", ""},
        {"[Node 10.0.0.1]\nPort=7\n", NULL, NULL, "[Node 10.0.0.1]: Role= is missing\n"},
        {"[Node 10.0.0.1]\n[Node 10.0.0.2]\n", NULL, NULL,
         "[Node 10.0.0.1]: Role= is missing\n[Node 10.0.0.2]: Role= is missing\n"},
        {C "MastersExpected=1\nNode=master=10.0.0.1\nNode=master=10.0.0.2\n", NULL, NULL,
         "[Cluster]: MastersExpected=1, but 2 masters are listed\n"},
        {C "MastersExpected=2\nNode=master=10.0.0.1\nNode=agent=10.0.0.2\nNode=agent=10.0.0.3\n",
         NULL, "expected=2 master=10.0.0.1:0 agent=10.0.0.2:0 agent=10.0.0.3:0 ", ""},

        {C "NodesFile=DIR/nodes\n", "master 10.0.0.1\nagent\t 10.0.0.2:7  \r\n\n# c\n  # c\n"
         "agent_public [fd00::1]:1050",
         "master=10.0.0.1:0 agent=10.0.0.2:7 agent_public=fd00::1:1050 file=DIR/nodes ", ""},
        {C "NodesFile=DIR/nodes\nNode=master=10.0.0.1\n", "master 10.0.0.1:9\n",
         "master=10.0.0.1:9 file=DIR/nodes ", ""},
        {C "NodesFile=DIR/nodes\n", "", "master=127.0.0.1:0 file=DIR/nodes ", ""},
        {C "NodesFile=DIR/nodes\n", "agent 10.0.0.1\n", NULL, MISSING},
        {C "NodesFile=DIR/nodes\n", "master 10.0.0.1\nking 10.0.0.2\nmaster\nmaster a b\n"
         "agent x:0\nagent a/b\n", NULL,
         "DIR/nodes:2: 'king' is none of master, agent, agent_public\n"
         "DIR/nodes:3: a line is ROLE ADDRESS[:PORT]\n"
         "DIR/nodes:4: a line is ROLE ADDRESS[:PORT]\n"
         "DIR/nodes:5: '0' is not a port\n"
         "DIR/nodes:6: 'a/b' is neither an IP address nor a name\n"},
        {C "NodesFile=DIR/none\n", NULL, NULL, "cannot open DIR/none: No such file or directory\n"},
        {C "MastersExpected=1\nNodesFile=DIR/nodes\n", "master a\nmaster b\n", NULL,
         "[Cluster]: MastersExpected=1, but 2 masters are listed\n"},
        {Z "SecretFile=DIR/none\n", NULL, NULL, "cannot open DIR/none: No such file or directory\n"},
        {"[Listen]\nListen=10.0.0.1:1050\n", NULL, NULL,
         "10.0.0.1:1050 can be reached from other machines, in plain text: that needs "
         "certificates ([TLS]), or Insecure=yes (--insecure)\n"},
};
/* clang-format on */

START_TEST(checks_all_of_it)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, all = {0}, have = {0};
        char path[128];
        int k;

        if (checks[_i].nodes)
                put(path, "nodes", checks[_i].nodes, strlen(checks[_i].nodes));
        k = parse_and_check(c, checks[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), checks[_i].said);
        ck_assert_int_eq(k < 0, *checks[_i].said != '\0');
        if (k < 0)
                return;
        write_conf(&all, c);
        with_dir(&have, buf_cstr(&all), dir, "DIR");
        ck_assert_str_eq(buf_cstr(&have), checks[_i].want);
}
END_TEST

START_TEST(refuses_a_file_with_a_nul)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0};
        char path[128];

        put(path, "nodes", "master a\0master b\n", 18);
        ck_assert_int_eq(parse_and_check(c, C "NodesFile=DIR/nodes\n", &said), -EINVAL);
        ck_assert_str_eq(buf_cstr(&said), "DIR/nodes: there is a NUL byte in it\n");
        ck_assert_uint_eq(c->n_nodes, 0);
}
END_TEST

START_TEST(takes_so_many_nodes_and_no_more)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        struct aggregator_node *n;
        struct err e;

        c->nodes = calloc(DIAG_MEMBERS_MAX, sizeof(*n)); /* as many lines would take long */
        for (; c->n_nodes < DIAG_MEMBERS_MAX; c->n_nodes++) {
                n = &c->nodes[c->n_nodes];
                ck_assert_int_gt(asprintf(&n->address, "n%zu", c->n_nodes), 0);
                n->role = DIAG_ROLE_MASTER;
        }
        ck_assert_int_eq(conf_set(aggregator_conf_keys, c, "Cluster", "Node", "master=n7:1", &e),
                         0);
        ck_assert_uint_eq(c->nodes[7].port, 1);
        ck_assert_int_eq(conf_set(aggregator_conf_keys, c, "Cluster", "Node", "agent=x", &e),
                         -E2BIG);
        ck_assert_ptr_nonnull(strstr(e.text, "more than 32768 nodes"));
}
END_TEST

START_TEST(reads_the_secret)
{
        static const struct {
                const char *text, *secret, *said;
        } kinds[] = {
                {"s3cret",           "s3cret",        ""                                      },
                {"s3cret\n",         "s3cret",        ""                                      },
                {"s3cret\r\nmore\n", "s3cret",        ""                                      },
                {" with blanks \n",  " with blanks ", ""                                      },
                {"",                 NULL,            "DIR/secret: there is no secret in it\n"},
                {"\nsecret\n",       NULL,            "DIR/secret: there is no secret in it\n"},
        };
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0};
        char path[128];

        put(path, "secret", kinds[_i].text, strlen(kinds[_i].text));
        (void)parse_and_check(c, Z "SecretFile=DIR/secret\n", &said);
        ck_assert_str_eq(buf_cstr(&said), kinds[_i].said);
        ck_assert_pstr_eq(c->zk_secret, kinds[_i].secret);
}
END_TEST

START_TEST(lets_a_drop_in_win)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, have = {0};
        static const char first[] = C "Name=a\nMastersExpected=3\nNode=master=10.0.0.1\n";
        static const char second[] = C "Name=b\nNode=master=10.0.0.2\n";
        static const char third[] = C "Node=\nNode=master=10.0.0.3:7\n" Z "Hosts=z\n";
        char path[128], unused[128];

        (void)snprintf(path, sizeof(path), "%s/f.d", dir);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        put(unused, "f.d/10.conf", second, strlen(second));
        put(unused, "f.d/20.conf", third, strlen(third));
        put(path, "f", first, strlen(first));
        ck_assert_int_eq(conf_load(path, true, aggregator_conf_keys, c, on_error, &said), 0);
        ck_assert_str_eq(buf_cstr(&said), "");
        ck_assert_int_eq(aggregator_conf_check(c, on_error, &said), 0);
        write_conf(&have, c);
        ck_assert_str_eq(buf_cstr(&have), "name=b expected=3 master=10.0.0.3:7 zk=z ");
}
END_TEST

/* --- how many masters ------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        const char *text, *file;
        unsigned n;
        const char *from; /* "DIR" as above */
} numbers[] = {
        {"", NULL, 1, "static"},
        {C "MastersExpected=3\n", NULL, 3, "MastersExpected"},
        {C "MastersExpected=3\nNode=master=a\nNode=master=b\n", NULL, 3, "MastersExpected"},
        {C "Node=master=a\nNode=master=b\nNode=agent=c\n", NULL, 2, "static"},
        {C "MastersExpected=DIR/n\n", "3", 3, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "5\n", 5, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "5 masters\n", 5, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "", 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "0\n", 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "65\n", 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "-1\n", 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", "three\n", 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n", NULL, 0, "file:DIR/n"}, /* nobody has written it yet */
        {C "MastersExpected=DIR/n\nNode=master=a\n", NULL, 0, "file:DIR/n"},
        {C "MastersExpected=DIR/n\n",
         "1                                                                    \n", 0,
         "file:DIR/n"},
};
/* clang-format on */

START_TEST(knows_how_many_there_must_be)
{
        _cleanup_(aggregator_conf_freep) struct aggregator_conf *c = aggregator_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, shown = {0};
        char path[128], from[256];

        if (numbers[_i].file)
                put(path, "n", numbers[_i].file, strlen(numbers[_i].file));
        ck_assert_msg(parse_and_check(c, numbers[_i].text, &said) == 0, "%s", buf_cstr(&said));
        ck_assert_uint_eq(aggregator_conf_expected(c, from), numbers[_i].n);
        with_dir(&shown, from, dir, "DIR");
        ck_assert_str_eq(buf_cstr(&shown), numbers[_i].from);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("aggregator_conf");
        TCase *t = tcase_create("it");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, takes_values, 0, ELEMENTSOF(values));
        tcase_add_loop_test(t, says_what_is_wrong, 0, ELEMENTSOF(faults));
        tcase_add_test(t, limits_the_name);
        tcase_add_loop_test(t, checks_all_of_it, 0, ELEMENTSOF(checks));
        tcase_add_test(t, refuses_a_file_with_a_nul);
        tcase_add_test(t, takes_so_many_nodes_and_no_more);
        tcase_add_loop_test(t, reads_the_secret, 0, 6);
        tcase_add_test(t, lets_a_drop_in_win);
        tcase_add_loop_test(t, knows_how_many_there_must_be, 0, ELEMENTSOF(numbers));
        suite_add_tcase(s, t);
        return test_main(s);
}
