/* It takes [Listen] and [Limits], says what is wrong there, and guards the open door. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "api/listen_conf.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mono.h"
#include "tests/unit/certificates.h"
#include "tests/unit/test_main.h"

static const struct conf_key keys[] = {
        LISTEN_CONF_KEYS, {NULL, NULL, false, NULL}
};

static void on_error(const struct err *e, void *userdata)
{
        buf_printf(userdata, "%s\n", e->text);
}

/* What was said against it; "" when it was taken. */
static void parse(struct listen_conf *c, const char *text, struct buf *said)
{
        (void)conf_parse(text, strlen(text), "f", keys, c, on_error, said);
}

static void write_listen(struct buf *b, const struct listen_conf *c)
{
        const struct authority *a = &c->authority;
        char text[SOCK_ADDRESS_MAX];

        buf_puts(b, "listen=");
        for (size_t i = 0; i < c->n_listen; i++)
                buf_printf(b, "%s%s", i ? "," : "", sock_address_format(text, &c->listen[i]));
        buf_printf(b, " networks=%zu insecure=%d output=%d hosts=", a->n_networks, a->insecure,
                   a->output);
        for (size_t i = 0; i < a->n_hosts; i++)
                buf_printf(b, "%s%s", i ? "," : "", a->hosts[i]);
        if (a->open_here || a->n_open)
                buf_printf(b, " open=%d,%zu", a->open_here, a->n_open);
        if (a->n_masters)
                buf_puts(b, " masters=");
        for (size_t i = 0; i < a->n_masters; i++)
                buf_printf(b, "%s%s", i ? "," : "", a->masters[i]);
        buf_puts(b, " proxies=");
        for (size_t i = 0; i < a->n_proxies; i++)
                buf_printf(b, "%s%u:%d", i ? "," : "", (unsigned)a->proxies[i].uid,
                           a->proxies[i].grants);
}

static void write_limits(struct buf *b, const struct listen_conf *c)
{
        const struct server_limits *l = &c->limits;

        buf_printf(b, "%u %u %u %u %us %us", l->n_connections, l->n_connections_peer, l->n_parked,
                   l->n_parked_peer, (unsigned)(l->idle_usec / USEC_PER_SEC),
                   (unsigned)(l->request_usec / USEC_PER_SEC));
}

#define NOTHING "listen= networks=0 insecure=0 output=0 hosts= proxies="
#define USUAL   "0 0 0 0 0s 0s" /* the server knows them */

/* clang-format off */
static const struct {
        const char *text, *want;
        void (*write)(struct buf *b, const struct listen_conf *c);
} values[] = {
        {"", NOTHING, write_listen},
        {"[Listen]\nListen=127.0.0.1:1050\nListen=[::1]:1051\nListen=unix:/run/d/s\n"
         "AllowFrom=10.0.0.0/8\nAllowFrom=192.0.2.7\nInsecure=yes\n",
         "listen=127.0.0.1:1050,[::1]:1051,unix:/run/d/s networks=2 insecure=1 output=0 hosts= "
         "proxies=", write_listen},
        {"[Listen]\nListen=127.0.0.1:1050\nListen=\nAllowFrom=10.0.0.0/8\nAllowFrom=\n"
         "Insecure=yes\nInsecure=\nAllowedHosts=a\nAllowedHosts=\n"
         "TrustedProxy=uid:5 grants=read\nTrustedProxy=\nOutputInHealth=yes\nOutputInHealth=\n",
         NOTHING, write_listen},
        {"[Listen]\nInsecure=yes\nInsecure=no\n", NOTHING, write_listen},
        {"[Listen]\nAllowedHosts=M1.Example \t m2\nAllowedHosts=*\n",
         "listen= networks=0 insecure=0 output=0 hosts=m1.example,m2,* proxies=", write_listen},
        {"[Listen]\nTrustedProxy=uid:root grants=health\nTrustedProxy=uid:5 grants=read\n"
         "TrustedProxy=uid:6  grants=operate\n",
         "listen= networks=0 insecure=0 output=0 hosts= proxies=0:1,5:2,6:3", write_listen},
        {"[Listen]\nOutputInHealth=no\n",
         "listen= networks=0 insecure=0 output=2 hosts= proxies=", write_listen},
        {"[Listen]\nOutputInHealth=yes\n",
         "listen= networks=0 insecure=0 output=1 hosts= proxies=", write_listen},
        {"[Listen]\nLegacyOpenBundles=yes\nLegacyOpenBundles=10.0.0.1\nLegacyOpenBundles=10.1.0.0/16\n",
         "listen= networks=0 insecure=0 output=0 hosts= open=1,2 proxies=", write_listen},
        {"[Listen]\nLegacyOpenBundles=10.0.0.1\nLegacyOpenBundles=\n", NOTHING, write_listen},
        {"[TLS]\nMasterNames=M1.example m2\nMasterNames=m3\n",
         "listen= networks=0 insecure=0 output=0 hosts= masters=m1.example,m2,m3 proxies=",
         write_listen},
        {"[TLS]\nMasterNames=m1\nMasterNames=\n", NOTHING, write_listen},
        {"", USUAL, write_limits},
        {"[Limits]\nMaxConnections=10\nMaxConnectionsPerClient=9\nMaxWaiting=8\n"
         "MaxWaitingPerClient=7\nIdleTimeout=6\nRequestTimeout=5s\n", "10 9 8 7 6s 5s",
         write_limits},
        {"[Limits]\nMaxConnections=10\nMaxConnections=\nIdleTimeout=6\nIdleTimeout=\n", USUAL,
         write_limits},
};
/* clang-format on */

START_TEST(takes_values)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        _cleanup_(buf_done) struct buf said = {0}, have = {0};

        listen_conf_init(&c);
        parse(&c, values[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        values[_i].write(&have, &c);
        ck_assert_str_eq(buf_cstr(&have), values[_i].want);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} faults[] = {
        {"[Listen]\nListen=1050\n",
         "f:2: Listen: '1050' is no address to listen on: ADDR:PORT, [ADDR6]:PORT or "
         "unix:/PATH\n"},
        {"[Listen]\nAllowFrom=10.0.0.1/8\n",
         "f:2: AllowFrom: '10.0.0.1/8' is no network such as 10.0.0.0/8\n"},
        {"[Listen]\nInsecure=maybe\n", "f:2: Insecure: 'maybe' is neither yes nor no\n"},
        {"[Listen]\nOutputInHealth=maybe\n",
         "f:2: OutputInHealth: 'maybe' is neither yes nor no\n"},
        {"[Listen]\nLegacyOpenBundles=m1\n",
         "f:2: LegacyOpenBundles: 'm1' is neither yes or no nor an address, such as 10.0.0.1, of a "
         "master\n"},
        {"[Listen]\nAllowedHosts=m1 m2:80\n",
         "f:2: AllowedHosts: 'm2:80' is no name of a host\n"},
        {"[Listen]\nTrustedProxy=root\n",
         "f:2: TrustedProxy: 'root' is not like 'uid:USER grants=health'\n"},
        {"[Listen]\nTrustedProxy=uid:root\n",
         "f:2: TrustedProxy: 'uid:root' is not like 'uid:USER grants=health'\n"},
        {"[Listen]\nTrustedProxy=uid:root grants=read x\n",
         "f:2: TrustedProxy: 'uid:root grants=read x' is not like 'uid:USER grants=health'\n"},
        {"[Listen]\nTrustedProxy=uid:root grants=all\n",
         "f:2: TrustedProxy: 'all' is none of health, read, operate\n"},
        {"[Listen]\nTrustedProxy=uid:no-such-user grants=read\n",
         "f:2: TrustedProxy: there is no user 'no-such-user'\n"},
        {"[TLS]\nCA=ca.pem\n", "f:2: CA: 'ca.pem' is not an absolute path\n"},
        {"[TLS]\nKey=./k\n", "f:2: Key: './k' is not an absolute path\n"},
        {"[TLS]\nMasterNames=m1 *.example\n",
         "f:2: MasterNames: '*.example' is no name of a certificate\n"},
        {"[Limits]\nMaxConnections=0\n",
         "f:2: MaxConnections: '0' is no number from 1 to 65536\n"},
        {"[Limits]\nMaxWaiting=many\n",
         "f:2: MaxWaiting: 'many' is no number from 1 to 65536\n"},
        {"[Limits]\nIdleTimeout=0\n", "f:2: IdleTimeout: '0' is no duration from 1s to 1h\n"},
        {"[Limits]\nRequestTimeout=infinity\n",
         "f:2: RequestTimeout: 'infinity' is no duration from 1s to 1h\n"},
};
/* clang-format on */

START_TEST(says_what_is_wrong)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        _cleanup_(buf_done) struct buf said = {0};

        listen_conf_init(&c);
        parse(&c, faults[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), faults[_i].want);
}
END_TEST

static const struct {
        const char *line, *want;
        unsigned max; /* so many lines are taken; the number counts */
} limits[] = {
        {"MasterNames=m",       "more than 64 names\n",     AUTHORITY_MASTERS_MAX  },
        {"Listen=127.0.0.1:",   "more than 16 listeners\n", SERVER_LISTENERS_MAX   },
        {"AllowFrom=10.0.0.",   "more than 64 networks\n",  AUTHORITY_NETWORKS_MAX },
        {"AllowedHosts=m",      "more than 62 names\n",     AUTHORITY_HOSTS_MAX - 2},
        {"TrustedProxy=uid:70", "more than 16 proxies\n",   AUTHORITY_PROXIES_MAX  },
};

START_TEST(has_limits)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        _cleanup_(buf_done) struct buf said = {0}, text = {0};
        const char *end = strncmp(limits[_i].line, "Trusted", 7) == 0 ? " grants=read" : "";

        buf_puts(&text, *limits[_i].line == 'M' ? "[TLS]\n" : "[Listen]\n");
        for (unsigned i = 1; i <= limits[_i].max; i++)
                buf_printf(&text, "%s%u%s\n", limits[_i].line, i, end);
        listen_conf_init(&c);
        parse(&c, buf_cstr(&text), &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        listen_conf_done(&c);
        listen_conf_init(&c);
        buf_printf(&text, "%s%u%s\n", limits[_i].line, limits[_i].max + 1, end);
        parse(&c, buf_cstr(&text), &said);
        ck_assert_msg(strstr(buf_cstr(&said), limits[_i].want) != NULL, "%s", buf_cstr(&said));
}
END_TEST

#define IN_PLAIN_TEXT(address)                                                    \
        address " can be reached from other machines, in plain text: that needs " \
                "certificates ([TLS]), or Insecure=yes (--insecure)"

/* clang-format off */
static const struct {
        const char *text, *want; /* "" when it may start */
} checks[] = {
        {"", ""},
        {"[Listen]\nListen=127.0.0.1:1050\nListen=[::1]:1050\nListen=unix:/run/d/s\n", ""},
        {"[Listen]\nListen=127.0.0.1:1050\nInsecure=yes\n", ""},
        {"[Listen]\nListen=10.0.0.1:1050\n", IN_PLAIN_TEXT("10.0.0.1:1050")},
        {"[Listen]\nListen=127.0.0.1:1050\nListen=10.0.0.1:1050\n",
         IN_PLAIN_TEXT("10.0.0.1:1050")},
        {"[Listen]\nListen=0.0.0.0:1050\nAllowFrom=10.0.0.0/8\n", IN_PLAIN_TEXT("0.0.0.0:1050")},
        {"[Listen]\nListen=[::]:1050\nAllowFrom=10.0.0.0/8\n", IN_PLAIN_TEXT("[::]:1050")},
        {"[Listen]\nListen=10.0.0.1:1050\nAllowFrom=10.0.0.0/8\nInsecure=no\n",
         IN_PLAIN_TEXT("10.0.0.1:1050")},
        {"[Listen]\nListen=10.0.0.1:1050\nInsecure=yes\n",
         "nobody may ask at 10.0.0.1:1050: name networks with AllowFrom= (--allow)"},
        {"[Listen]\nListen=10.0.0.1:1050\nInsecure=yes\nAllowFrom=10.0.0.0/8\n", ""},
};
/* clang-format on */

START_TEST(guards_the_open_door)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        _cleanup_(buf_done) struct buf said = {0};
        struct err e = {0};

        listen_conf_init(&c);
        c.tls.directory = "/nonexistent";
        parse(&c, checks[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        ck_assert_int_eq(listen_conf_check(&c, NULL, &e), *checks[_i].want ? -EINVAL : 0);
        ck_assert_str_eq(e.text, checks[_i].want);
}
END_TEST

START_TEST(answers_to_its_own_names)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        char kernel_name[HOST_NAME_MAX + 1] = "";

        listen_conf_init(&c);
        c.tls.directory = "/nonexistent";
        ck_assert_int_eq(gethostname(kernel_name, sizeof(kernel_name) - 1), 0);
        ck_assert_int_eq(listen_conf_check(&c, "M1.Example", NULL), 0);
        ck_assert_uint_eq(c.authority.n_hosts, 2);
        ck_assert_int_eq(strcasecmp(c.authority.hosts[0], kernel_name), 0);
        ck_assert_str_eq(c.authority.hosts[1], "m1.example");
}
END_TEST

/* --- [TLS] --------------------------------------------------------------------------------------- */

static char directory[] = "/tmp/diag-test-XXXXXX";
static const char *const files[TLS_FILES] = {"ca.pem", "node.pem", "node.key"};

static void write_file(const char *name, const char *text)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0600, NULL), 0);
}

static void make_files(void)
{
        struct certificate ca = certificate_make_ca("the CA"),
                           other_ca = certificate_make_ca("another CA"),
                           node = certificate_make(
                                   &(struct certificate_wish){.cn = "m1",
                                                              .uri = "diag://prod/master"},
                                   &ca);

        ck_assert_ptr_nonnull(mkdtemp(directory));
        write_file("ca.pem", ca.pem);
        write_file("other.pem", other_ca.pem);
        write_file("node.pem", node.pem);
        write_file("node.key", node.key_pem);
}

static void remove_file(const char *name)
{
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        ck_assert_int_eq(fs_remove(path, NULL), 0);
}

static void remove_files(void)
{
        for (size_t i = 0; i < TLS_FILES; i++)
                remove_file(files[i]);
        remove_file("other.pem");
        ck_assert_int_eq(rmdir(directory), 0);
        certificates_done();
}

#define OPEN "[Listen]\nListen=10.0.0.1:1050\n"
#define OFF  TLS_STATE_OFF
#define ON   TLS_STATE_ON
#define BAD  TLS_STATE_UNUSABLE

/* clang-format off */
static const struct {
        const char *text;           /* %s: the directory */
        const char *removed, *from; /* one of the files, and by which it is replaced */
        bool elsewhere;             /* the default directory is an empty one */
        enum tls_state state;
        const char *wrong;          /* "" when it may start */
        const char *fault;          /* NULL: none */
} tls_checks[] = {
        {"",                               NULL,       NULL,        false, ON,  "", NULL},
        {OPEN,                             NULL,       NULL,        false, ON,  "", NULL},
        {OPEN "Insecure=yes\n",            NULL,       NULL,        false, ON,  "", NULL},
        {"",                               NULL,       NULL,        true,  OFF, "", NULL},
        {OPEN,                             NULL,       NULL,        true,  OFF, "Insecure=yes", NULL},
        /* some of the default files */
        {"",                               "node.key", NULL,        false, OFF, "", "node.key is missing"},
        {OPEN,                             "ca.pem",   NULL,        false, OFF, "Insecure=yes",
         "ca.pem is missing"},
        /* default files that are no good */
        {"",                               "node.key", "ca.pem",    false, BAD, "", "node.key: "},
        {OPEN,                             "node.key", "ca.pem",    false, BAD,
         "10.0.0.1:1050 cannot be served: ", "node.key: "},
        {OPEN "Insecure=yes\nAllowFrom=10.0.0.0/8\n", "ca.pem", "other.pem", false, BAD,
         "10.0.0.1:1050 cannot be served: ", "is not signed by"},
        {"[Listen]\nListen=127.0.0.1:1050\n", "ca.pem", "other.pem", false, BAD, "", "node.pem: "},
        /* files that are named */
        {"[TLS]\nCA=%s/ca.pem\n",          NULL,       NULL,        false, ON,  "", NULL},
        {"[TLS]\nCA=%s/ca.pem\n",          "node.key", NULL,        false, BAD, "node.key: No such file",
         "node.key"},
        {"[TLS]\nCA=%s/other.pem\n",       NULL,       NULL,        false, BAD,
         "is not signed by a CA of", "node.pem: "},
        {"[TLS]\nKey=%s/ca.pem\n",         NULL,       NULL,        false, BAD, "there is no private key",
         "ca.pem: "},
        {"[TLS]\nCertificate=/nonexistent\n", NULL,    NULL,        false, BAD, "/nonexistent",
         "/nonexistent"},
        {"[TLS]\nCertificate=/nonexistent\nCertificate=\n", NULL, NULL, false, ON, "", NULL},
        {"[TLS]\nCA=%s/ca.pem\n",          NULL,       NULL,        true,  BAD, "node.pem", "node.pem"},
};
/* clang-format on */

static void replace(const char *name, const char *from)
{
        _cleanup_(freep) char *text = NULL;
        char path[128];
        size_t n;

        if (!from) {
                remove_file(name);
                return;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", directory, from);
        ck_assert_int_eq(fs_read(path, 65536, &text, &n, NULL), 0);
        write_file(name, text);
}

START_TEST(reads_the_files_of_tls)
{
        _cleanup_(listen_conf_done) struct listen_conf c;
        _cleanup_(buf_done) struct buf said = {0}, text = {0};
        const char *wrong = tls_checks[_i].wrong, *fault = tls_checks[_i].fault;
        struct err e = {0};

        make_files();
        if (tls_checks[_i].removed)
                replace(tls_checks[_i].removed, tls_checks[_i].from);
        for (const char *s = tls_checks[_i].text; *s; s++) {
                if (*s != '%')
                        buf_putc(&text, *s);
                else
                        buf_puts(&text, directory);
                s += *s == '%';
        }
        listen_conf_init(&c);
        c.tls.directory = tls_checks[_i].elsewhere ? "/nonexistent" : directory;
        parse(&c, buf_cstr(&text), &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        ck_assert_msg((listen_conf_check(&c, NULL, &e) < 0) == !!*wrong, "%s", e.text);
        ck_assert_msg(strstr(e.text, wrong), "%s", e.text);
        ck_assert_int_eq(c.tls.state, tls_checks[_i].state);
        ck_assert_int_eq(c.tls.fault.code < 0, fault != NULL);
        ck_assert_msg(!fault || strstr(c.tls.fault.text, fault), "%s", c.tls.fault.text);
        ck_assert_int_eq(listen_conf_tls(&c) != NULL, c.tls.state == ON);
        ck_assert_str_eq(c.authority.cluster, c.tls.state == ON ? "prod" : "");
        remove_files();
}
END_TEST

START_TEST(knows_what_counts_from_the_next_start_on)
{
        static const struct {
                const char *text;
                bool elsewhere, same;
        } cases[] = {
                {"[Listen]\nListen=127.0.0.1:1\n",                         false, true },
                {"[Listen]\nListen=127.0.0.1:1\nAllowFrom=10.0.0.0/8\n",   false, true },
                {"[Listen]\nListen=127.0.0.1:1\n[TLS]\nMasterNames=m1\n",  false, true },
                {"[Listen]\nListen=127.0.0.1:2\n",                         false, false},
                {"[Listen]\nListen=127.0.0.1:1\nListen=127.0.0.1:2\n",     false, false},
                {"[Listen]\nListen=127.0.0.1:1\n[Limits]\nMaxWaiting=9\n", false, false},
                {"[Listen]\nListen=127.0.0.1:1\n",                         true,  false},
        };
        struct listen_conf c[ELEMENTSOF(cases)];
        _cleanup_(buf_done) struct buf said = {0};

        make_files();
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                listen_conf_init(&c[i]);
                c[i].tls.directory = cases[i].elsewhere ? "/nonexistent" : directory;
                parse(&c[i], cases[i].text, &said);
                ck_assert_int_eq(listen_conf_check(&c[i], NULL, NULL), 0);
                ck_assert_msg(listen_conf_same_listeners(&c[0], &c[i]) == cases[i].same, "%zu", i);
        }
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                listen_conf_done(&c[i]);
        remove_files();
}
END_TEST

int main(void)
{
        Suite *s = suite_create("listen_conf");
        TCase *tc = tcase_create("listen_conf");

        tcase_add_loop_test(tc, takes_values, 0, ELEMENTSOF(values));
        tcase_add_loop_test(tc, says_what_is_wrong, 0, ELEMENTSOF(faults));
        tcase_add_loop_test(tc, has_limits, 0, ELEMENTSOF(limits));
        tcase_add_loop_test(tc, guards_the_open_door, 0, ELEMENTSOF(checks));
        tcase_add_test(tc, answers_to_its_own_names);
        tcase_add_loop_test(tc, reads_the_files_of_tls, 0, ELEMENTSOF(tls_checks));
        tcase_add_test(tc, knows_what_counts_from_the_next_start_on);
        suite_add_tcase(s, tc);
        return test_main(s);
}
