/* It knows who asks, what they may, and which names are ours. */

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/wait.h>

#include "api/authority.h"
#include "tests/unit/test_main.h"

#define OPERATORS 4711
#define PROXY     990
#define READER    991

static const char *const networks[] = {"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"};

/* A caller in words: an address, or "uid:gid,gid,...". */
static struct authority_caller caller_parse(const char *s)
{
        struct authority_caller c = {.peer.n = sizeof(c.peer.storage)};
        char *end;

        if (inet_pton(AF_INET, s, &c.peer.in.sin_addr) == 1) {
                c.peer.sa.sa_family = AF_INET;
        } else if (inet_pton(AF_INET6, s, &c.peer.in6.sin6_addr) == 1) {
                c.peer.sa.sa_family = AF_INET6;
        } else if (*s) {
                c.peer.sa.sa_family = AF_UNIX;
                c.uid = (uid_t)strtoul(s, &end, 10);
                while (*end) {
                        ck_assert_uint_lt(c.n_groups, AUTHORITY_GROUPS_MAX);
                        c.groups[c.n_groups++] = (gid_t)strtoul(end + 1, &end, 10);
                }
        }
        return c;
}

#define NONE    AUTHORITY_NONE
#define HEALTH  AUTHORITY_HEALTH
#define READ    AUTHORITY_READ
#define OPERATE AUTHORITY_OPERATE

/* What each may, and whether there are outputs in his answers, by what OutputInHealth= says. */
static const struct {
        const char *caller;
        const char *outputs; /* in order: default, yes, no; '+' or '-' */
        enum authority_class class;
        bool many;
} callers[] = {
        {"0:0",              "+++", OPERATE, true },
        {"0:4711",           "+++", OPERATE, true },
        {"1000:1000,4711",   "+++", OPERATE, false},
        {"1000:4711",        "+++", OPERATE, false},
        {"990:990",          "++-", OPERATE, true },
        {"990:990,4711",     "+++", OPERATE, false},
        {"991:991",          "++-", READ,    true },
        {"1000:1000",        "++-", HEALTH,  false},
        {"1000:1000,0",      "++-", HEALTH,  false},
        {"65534:65534",      "++-", HEALTH,  false},
        {"127.0.0.1",        "++-", HEALTH,  false},
        {"127.255.255.254",  "++-", HEALTH,  false},
        {"::1",              "++-", HEALTH,  false},
        {"::ffff:127.0.0.1", "++-", HEALTH,  false},
        {"10.0.0.0",         "-+-", HEALTH,  false},
        {"10.255.255.255",   "-+-", HEALTH,  false},
        {"::ffff:10.1.2.3",  "-+-", HEALTH,  false},
        {"192.0.2.7",        "-+-", HEALTH,  false},
        {"2001:db8:1::1",    "-+-", HEALTH,  false},
        {"11.0.0.1",         "---", NONE,    false},
        {"9.255.255.255",    "---", NONE,    false},
        {"192.0.2.8",        "---", NONE,    false},
        {"::ffff:192.0.2.8", "---", NONE,    false},
        {"2001:db9::1",      "---", NONE,    false},
        {"128.0.0.1",        "---", NONE,    false},
        {"0.0.0.0",          "---", NONE,    false},
        {"::",               "---", NONE,    false},
        {"::127.0.0.1",      "---", NONE,    false},
        {"",                 "---", NONE,    false}, /* nobody */
};

static struct authority make_authority(void)
{
        struct authority a = {.operators = OPERATORS, .insecure = true};

        for (size_t i = 0; i < ELEMENTSOF(networks); i++)
                ck_assert_int_eq(parse_ip_prefix(networks[i], &a.networks[a.n_networks++]), 0);
        a.proxies[a.n_proxies].uid = PROXY;
        a.proxies[a.n_proxies++].grants = OPERATE;
        a.proxies[a.n_proxies].uid = READER;
        a.proxies[a.n_proxies++].grants = READ;
        return a;
}

START_TEST(judges)
{
        struct authority_caller c = caller_parse(callers[_i].caller);
        struct authority a = make_authority();

        for (size_t i = 0; i < 3; i++) {
                struct authority_verdict v;

                a.output = (enum authority_output)i;
                v = authority_judge(&a, &c);
                ck_assert_msg(v.class == callers[_i].class, "%s: %s", callers[_i].caller,
                              authority_class_to_string(v.class));
                if (v.class == NONE)
                        continue;
                ck_assert_msg(v.output == (callers[_i].outputs[i] == '+'), "%s: output %zu",
                              callers[_i].caller, i);
                ck_assert_msg(v.many == callers[_i].many, "%s", callers[_i].caller);
        }
}
END_TEST

START_TEST(trusts_no_network_without_insecure)
{
        struct authority a = make_authority();

        a.insecure = false;
        for (size_t i = 0; i < ELEMENTSOF(callers); i++) {
                struct authority_caller c = caller_parse(callers[i].caller);
                bool local = c.peer.sa.sa_family == AF_UNIX || sock_address_is_local(&c.peer);

                ck_assert_msg(authority_judge(&a, &c).class == (local ? callers[i].class : NONE),
                              "%s", callers[i].caller);
        }
}
END_TEST

/* LegacyOpenBundles=yes, and one master. */
static const struct {
        const char *caller;
        bool tls;
        enum authority_class class;
} let_in[] = {
        {"127.0.0.1",       false, OPERATE},
        {"::1",             false, OPERATE},
        {"10.0.0.1",        false, OPERATE},
        {"::ffff:10.0.0.1", false, OPERATE},
        {"10.0.0.1",        true,  HEALTH },
        {"10.0.0.2",        false, HEALTH },
        {"11.0.0.1",        false, NONE   },
        {"65534:65534",     false, HEALTH },
        {"990:990",         false, OPERATE},
        {"",                false, NONE   },
};

START_TEST(lets_in_who_is_named)
{
        struct authority a = make_authority();
        struct authority_caller c = caller_parse(let_in[_i].caller);

        a.open_here = true;
        ck_assert_int_eq(parse_ip_prefix("10.0.0.1", &a.open[a.n_open++]), 0);
        c.tls = let_in[_i].tls;
        ck_assert_msg(authority_judge(&a, &c).class == let_in[_i].class, "%s: %s",
                      let_in[_i].caller, authority_class_to_string(authority_judge(&a, &c).class));
        ck_assert(!authority_judge(&a, &c).reserve);
        a.open_here = false;
        a.n_open = 0;
        ck_assert(authority_judge(&a, &c).class != OPERATE || c.uid == PROXY);
}
END_TEST

START_TEST(has_no_operators_where_there_is_no_group)
{
        const struct authority a = {.operators = (gid_t)-1};
        struct authority_caller c = caller_parse("1000:0,4294967295");

        ck_assert_int_eq(authority_judge(&a, &c).class, HEALTH);
        c.uid = 0;
        ck_assert_int_eq(authority_judge(&a, &c).class, OPERATE);
}
END_TEST

START_TEST(asks_the_kernel_who_it_is)
{
        struct authority_caller c;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(authority_caller_from_fd(&c, fds[0]), 0);
        ck_assert_int_eq(c.peer.sa.sa_family, AF_UNIX);
        ck_assert_uint_eq(c.uid, geteuid());
        ck_assert_uint_eq(c.groups[0], getegid());
        ck_assert_uint_eq(c.n_groups, 1 + (size_t)getgroups(0, NULL));
        close(fds[0]);
        close(fds[1]);
        ck_assert_int_eq(authority_caller_from_fd(&c, fds[0]), -EBADF);
}
END_TEST

/* Credentials are those of the moment of the connection: a child that gave them away before. */
START_TEST(takes_as_many_groups_as_fit)
{
        static const size_t numbers[] = {0, 1, AUTHORITY_GROUPS_MAX - 1, AUTHORITY_GROUPS_MAX,
                                         3000};
        size_t n = numbers[_i],
               n_want = n + 1 < AUTHORITY_GROUPS_MAX ? n + 1 : AUTHORITY_GROUPS_MAX;
        static gid_t groups[3000];
        struct authority_caller c;
        int status;
        pid_t pid;

        if (geteuid() != 0)
                return;
        for (size_t i = 0; i < n; i++)
                groups[i] = (gid_t)(70000 + i);
        pid = fork();
        if (pid == 0) {
                int fds[2];
                bool good = setgroups(n, groups) == 0 && setresgid(60000, 60000, 60000) == 0 &&
                            setresuid(60001, 60001, 60001) == 0 &&
                            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 &&
                            authority_caller_from_fd(&c, fds[0]) == 0;

                good = good && c.uid == 60001 && c.groups[0] == 60000 && c.n_groups == n_want &&
                       (n == 0 || c.groups[1] == 70000);
                _exit(good ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(status == 0, "%zu groups: %d", n, status);
}
END_TEST

/* --- certificates ------------------------------------------------------------------------------ */

#define GOOD TLS_TRUST_GOOD

/* clang-format off */
static const struct {
        const char *address, *uri, *name;
        const char *outputs; /* as above */
        enum tls_trust trust; /* UNKNOWN: nobody has looked */
        enum authority_class class;
        bool many, insecure;
} shown[] = {
        {"11.0.0.1",  "diag://prod/master",       "",             "++-", GOOD, OPERATE, true,  false},
        {"11.0.0.1",  "diag://prod/agent",        "ops.example",  "++-", GOOD, OPERATE, true,  false},
        {"11.0.0.1",  "",                         "OPS.example",  "++-", GOOD, OPERATE, true,  false},
        {"10.0.0.1",  "diag://prod/master",       "",             "++-", GOOD, OPERATE, true,  false},
        {"127.0.0.1", "diag://prod/master",       "",             "++-", GOOD, OPERATE, true,  false},
        {"11.0.0.1",  "diag://prod/agent",        "a1",           "-+-", GOOD, HEALTH,  false, false},
        {"11.0.0.1",  "diag://prod/agent_public", "a1",           "-+-", GOOD, HEALTH,  false, false},
        {"11.0.0.1",  "diag://test/master",       "",             "-+-", GOOD, HEALTH,  false, false},
        {"11.0.0.1",  "",                         "ops",          "-+-", GOOD, HEALTH,  false, false},
        {"11.0.0.1",  "",                         "xops.example", "-+-", GOOD, HEALTH,  false, false},
        {"11.0.0.1",  "",                         "",             "-+-", GOOD, HEALTH,  false, false},
        {"10.0.0.1",  "",                         "",             "-+-", GOOD, HEALTH,  false, false},
        /* without a good one it is the address alone that counts, and not whether plain text would do */
        {"10.0.0.1",  "diag://prod/master", "ops.example", "-+-", TLS_TRUST_OTHER_CA,       HEALTH, false, false},
        {"10.0.0.1",  "",                   "",            "-+-", TLS_TRUST_NO_CERTIFICATE, HEALTH, false, false},
        {"127.0.0.1", "diag://prod/master", "",            "++-", TLS_TRUST_EXPIRED,        HEALTH, false, false},
        {"11.0.0.1",  "diag://prod/master", "",            "---", TLS_TRUST_UNKNOWN,        NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "",            "---", TLS_TRUST_NO_CERTIFICATE, NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "ops.example", "---", TLS_TRUST_OTHER_CA,       NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "ops.example", "---", TLS_TRUST_EXPIRED,        NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "",            "---", TLS_TRUST_TOO_EARLY,      NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "",            "---", TLS_TRUST_NOT_FOR_CLIENTS, NONE, false, true},
        {"11.0.0.1",  "diag://prod/master", "",            "---", TLS_TRUST_BROKEN,         NONE, false, true},
};
/* clang-format on */

static struct tls_peer peer_of(enum tls_trust trust, const char *uri, const char *name)
{
        struct tls_peer p = {.trust = trust};

        tls_identity_add_uri(&p.identity, uri);
        p.identity.n_names_bytes = *name ? strlen(name) + 1 : 0;
        memcpy(p.identity.names, name, strlen(name) + 1);
        memcpy(p.identity.name, name, strlen(name) + 1);
        return p;
}

static struct authority make_authority_with_masters(void)
{
        struct authority a = make_authority();

        strcpy(a.cluster, "prod");
        a.masters[a.n_masters++] = (char *)"m9";
        a.masters[a.n_masters++] = (char *)"ops.example";
        return a;
}

START_TEST(judges_certificates)
{
        struct tls_peer p = peer_of(shown[_i].trust, shown[_i].uri, shown[_i].name);
        struct authority_caller c = caller_parse(shown[_i].address);
        struct authority a = make_authority_with_masters();

        a.insecure = shown[_i].insecure;
        c.tls = true;
        c.certificate = shown[_i].trust == TLS_TRUST_UNKNOWN ? NULL : &p;
        for (size_t i = 0; i < 3; i++) {
                struct authority_verdict v;

                a.output = (enum authority_output)i;
                v = authority_judge(&a, &c);
                ck_assert_int_eq(v.class, shown[_i].class);
                ck_assert_int_eq(v.output, shown[_i].outputs[i] == '+');
                ck_assert_int_eq(v.many, shown[_i].many);
                ck_assert(!v.reserve);
        }
}
END_TEST

/* Whoever got it there. */
START_TEST(believes_no_certificate_without_tls)
{
        struct tls_peer p = peer_of(GOOD, "diag://prod/master", "ops.example");
        struct authority_caller c = caller_parse("11.0.0.1");
        struct authority a = make_authority_with_masters();

        c.certificate = &p;
        ck_assert_int_eq(authority_judge(&a, &c).class, NONE);
}
END_TEST

START_TEST(knows_no_masters_without_a_cluster)
{
        struct tls_peer p = peer_of(GOOD, "diag://prod/master", "m1");
        struct authority_caller c = caller_parse("11.0.0.1");
        struct authority a = make_authority();

        c.tls = true;
        c.certificate = &p;
        ck_assert_int_eq(authority_judge(&a, &c).class, HEALTH);
}
END_TEST

/* --- the forwarder ----------------------------------------------------------------------------- */

#define FORWARDER 990u
#define LONGEST   AUTHORITY_FORWARDED_NAME_MAX - 1

/* clang-format off */
static const struct {
        const char *field, *name;
        enum authority_class class;
        bool output;
} fields[] = {
        {"health 0 10.0.0.7", "10.0.0.7, forwarded by uid 990", HEALTH, false},
        {"health 1 10.0.0.7", "10.0.0.7, forwarded by uid 990", HEALTH, true},
        {"read 0 uid 1000", "uid 1000, forwarded by uid 990", READ, false},
        {"operate 1 certificate m1 (10.0.0.1)",
         "certificate m1 (10.0.0.1), forwarded by uid 990", OPERATE, true},
        {"operate 1 a, b", "a, b, forwarded by uid 990", OPERATE, true},
        {"operate 1 ~", "~, forwarded by uid 990", OPERATE, true},
        /* anything else: health without outputs, of the forwarder itself */
        {NULL, "uid 990", HEALTH, false},
        {"", "uid 990", HEALTH, false},
        {" ", "uid 990", HEALTH, false},
        {"operate", "uid 990", HEALTH, false},
        {"operate ", "uid 990", HEALTH, false},
        {"operate 1", "uid 990", HEALTH, false},
        {"operate 1 ", "uid 990", HEALTH, false},
        {"operate 1  x", "uid 990", HEALTH, false},
        {"operate  1 x", "uid 990", HEALTH, false},
        {" operate 1 x", "uid 990", HEALTH, false},
        {"operate\t1\tx", "uid 990", HEALTH, false},
        {"operate 2 x", "uid 990", HEALTH, false},
        {"operate -1 x", "uid 990", HEALTH, false},
        {"operate 01 x", "uid 990", HEALTH, false},
        {"operate 1x", "uid 990", HEALTH, false},
        {"operate yes x", "uid 990", HEALTH, false},
        {"Operate 1 x", "uid 990", HEALTH, false},
        {"OPERATE 1 x", "uid 990", HEALTH, false},
        {"operat 1 x", "uid 990", HEALTH, false},
        {"operates 1 x", "uid 990", HEALTH, false},
        {"operateoperateoperate 1 x", "uid 990", HEALTH, false},
        {"none 1 x", "uid 990", HEALTH, false},
        {"3 1 x", "uid 990", HEALTH, false},
        {"operate 1 x\n", "uid 990", HEALTH, false},
        {"operate 1 x\033[31m", "uid 990", HEALTH, false},
        {"operate 1 \xc3\xbc", "uid 990", HEALTH, false},
        {"operate 1 \x7f", "uid 990", HEALTH, false},
};
/* clang-format on */

static struct authority make_authority_with_forwarder(void)
{
        struct authority a = make_authority();

        a.has_forwarder = true;
        a.forwarder = FORWARDER;
        return a;
}

START_TEST(believes_the_forwarder)
{
        /* Not what it might itself: member of the group, and (see make_authority()) a proxy that operates. */
        static const char *const callers_of[] = {"990:990", "990:990,4711"};
        struct authority a = make_authority_with_forwarder();
        char name[AUTHORITY_NAME_MAX];

        for (size_t i = 0; i < ELEMENTSOF(callers_of); i++) {
                struct authority_caller c = caller_parse(callers_of[i]);
                struct authority_verdict v;

                authority_take_forwarded(&c, fields[_i].field, fields[_i].field ? 1 : 0);
                v = authority_judge(&a, &c);
                ck_assert_msg(v.class == fields[_i].class, "%s: %s", str_or(fields[_i].field, "-"),
                              authority_class_to_string(v.class));
                ck_assert_int_eq(v.output, fields[_i].output);
                ck_assert(v.many && !v.reserve);
                ck_assert_str_eq(authority_caller_name(name, &c), fields[_i].name);
        }
}
END_TEST

START_TEST(takes_a_forwarded_name_that_is_not_too_long)
{
        struct authority a = make_authority_with_forwarder();
        struct authority_caller c = caller_parse("990:990");
        char field[512], name[AUTHORITY_NAME_MAX];

        (void)snprintf(field, sizeof(field), "operate 1 %0*d", LONGEST, 1);
        authority_take_forwarded(&c, field, 1);
        ck_assert_int_eq(authority_judge(&a, &c).class, OPERATE);
        authority_caller_name(name, &c);
        ck_assert(strstr(name, "1, forwarded by uid 990"));
        (void)snprintf(field, sizeof(field), "operate 1 %0*d", LONGEST + 1, 1);
        authority_take_forwarded(&c, field, 1);
        ck_assert_int_eq(authority_judge(&a, &c).class, HEALTH);
        ck_assert_str_eq(authority_caller_name(name, &c), "uid 990");
}
END_TEST

START_TEST(forgets_for_whom_it_was)
{
        struct authority a = make_authority_with_forwarder();
        struct authority_caller c = caller_parse("990:990");

        for (unsigned n = 0; n < 4; n++) {
                authority_take_forwarded(&c, "operate 1 x", 1);
                ck_assert_int_eq(authority_judge(&a, &c).class, OPERATE);
                authority_take_forwarded(&c, n ? "operate 1 x" : NULL, n == 1 ? 0 : n);
                ck_assert_msg(authority_judge(&a, &c).class == HEALTH, "%u", n);
                ck_assert(!authority_judge(&a, &c).output);
        }
}
END_TEST

/* Not a TCP client, not another uid, not root; and nobody where there is no such user. */
START_TEST(gives_nobody_more_than_he_has)
{
        struct authority with = make_authority_with_forwarder(), without = make_authority();

        without.forwarder = FORWARDER;
        for (size_t i = 0; i < ELEMENTSOF(callers); i++) {
                struct authority_caller c = caller_parse(callers[i].caller);
                bool is_forwarder = strncmp(callers[i].caller, "990:", 4) == 0;
                const struct authority *a = is_forwarder ? &without : &with;
                char name[AUTHORITY_NAME_MAX];

                if (c.peer.sa.sa_family != AF_UNIX)
                        c.uid = FORWARDER; /* whatever stands there */
                authority_take_forwarded(&c, "operate 1 x", 1);
                ck_assert_msg(authority_judge(a, &c).class == callers[i].class, "%s",
                              callers[i].caller);
                authority_caller_name(name, &c);
                ck_assert_int_eq(strstr(name, "forwarded") != NULL, c.peer.sa.sa_family == AF_UNIX);
        }
}
END_TEST

START_TEST(lends_nothing_of_who_forwards)
{
        struct authority a = make_authority_with_forwarder();

        for (size_t i = 0; i < ELEMENTSOF(callers); i++) {
                struct authority_caller c = caller_parse(callers[i].caller);
                struct authority_verdict v;

                authority_take_forwarded(&c, "health 0 x", 1);
                v = authority_judge(&a, &c);
                if (c.peer.sa.sa_family != AF_UNIX)
                        ck_assert_int_eq(v.class, callers[i].class);
                else
                        ck_assert_msg(v.class <= HEALTH && !v.output && !v.reserve, "%s",
                                      callers[i].caller);
        }
}
END_TEST

START_TEST(knows_words_for_classes)
{
        enum authority_class class = NONE;

        for (enum authority_class i = HEALTH; i <= OPERATE; i++) {
                ck_assert_int_eq(authority_class_from_string(authority_class_to_string(i), &class),
                                 0);
                ck_assert_int_eq(class, i);
        }
        ck_assert_int_eq(authority_class_from_string("none", &class), -EINVAL);
        ck_assert_int_eq(authority_class_from_string("", &class), -EINVAL);
        ck_assert_int_eq(class, OPERATE);
}
END_TEST

START_TEST(names_certificates)
{
        struct tls_peer p = peer_of(GOOD, "", "m1.example");
        struct authority_caller c = caller_parse("::ffff:10.0.0.7");
        char buf[AUTHORITY_NAME_MAX], longest[TLS_NAME_MAX];

        c.tls = true;
        c.certificate = &p;
        ck_assert_str_eq(authority_caller_name(buf, &c), "certificate m1.example (10.0.0.7)");
        *p.identity.name = '\0';
        ck_assert_str_eq(authority_caller_name(buf, &c), "certificate without a name (10.0.0.7)");
        p = peer_of(TLS_TRUST_OTHER_CA, "", "m1.example"); /* anybody can call himself that */
        ck_assert_str_eq(authority_caller_name(buf, &c), "10.0.0.7");
        c.certificate = NULL;
        ck_assert_str_eq(authority_caller_name(buf, &c), "10.0.0.7");

        /* What one daemon calls somebody, the other one has to take. */
        memset(longest, 'm', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        c = caller_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        p = peer_of(GOOD, "", longest);
        c.tls = true;
        c.certificate = &p;
        ck_assert_uint_lt(strlen(authority_caller_name(buf, &c)), AUTHORITY_FORWARDED_NAME_MAX);
        ck_assert_str_eq(buf + strlen(buf) - 6, ":ffff)");
}
END_TEST

static const struct {
        const char *caller, *name;
} names[] = {
        {"1000:1000",                               "uid 1000"                               },
        {"0:0",                                     "uid 0"                                  },
        {"10.0.0.7",                                "10.0.0.7"                               },
        {"::ffff:10.0.0.7",                         "10.0.0.7"                               },
        {"2001:db8::1",                             "2001:db8::1"                            },
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"",                                        "somebody"                               },
};

START_TEST(names_callers)
{
        struct authority_caller c = caller_parse(names[_i].caller);
        char buf[AUTHORITY_NAME_MAX];

        ck_assert_str_eq(authority_caller_name(buf, &c), names[_i].name);
}
END_TEST

/* Limits are counted for one and the same: without port, mapped or not. */
START_TEST(tells_clients_apart)
{
        static const char *const all[] = {
                "10.0.0.7", "10.0.0.8", "2001:db8::1", "2001:db8:0:1::1", "1000:1", "1001:1",
                "0:0",      "0.0.0.0",  "127.0.0.1",   "127.0.0.2",       "::2"};
        struct authority_caller mapped = caller_parse("::ffff:10.0.0.7");
        struct authority_caller plain = caller_parse("10.0.0.7");
        struct peer a = authority_caller_peer(&mapped), b;

        plain.peer.in.sin_port = htons(1234);
        b = authority_caller_peer(&plain);
        ck_assert(peer_same(&a, &b));
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                for (size_t j = 0; j < ELEMENTSOF(all); j++) {
                        struct authority_caller x = caller_parse(all[i]), y = caller_parse(all[j]);

                        a = authority_caller_peer(&x);
                        b = authority_caller_peer(&y);
                        ck_assert_msg(peer_same(&a, &b) == (i == j), "%s, %s", all[i], all[j]);
                }
}
END_TEST

static const struct {
        const char *one, *other;
        bool loopback;
} same_clients[] = {
        {"2001:db8::1",      "2001:db8::ffff:ffff:ffff:ffff", false},
        {"127.0.0.1",        "::1",                           true },
        {"::ffff:127.0.0.3", "127.0.0.3",                     true },
        {"128.0.0.1",        "::ffff:128.0.0.1",              false},
        {"127:127",          "127:1",                         false},
        {"7f00::1",          "7f00::2",                       false},
};

START_TEST(takes_for_one_client_who_has_many_addresses)
{
        struct authority_caller x = caller_parse(same_clients[_i].one),
                                y = caller_parse(same_clients[_i].other);
        struct peer a = authority_caller_peer(&x), b = authority_caller_peer(&y);

        ck_assert(peer_same(&a, &b));
        ck_assert_int_eq(peer_is_loopback(&a), same_clients[_i].loopback);
}
END_TEST

/* Who may have the last places of a listener: not a proxy, whatever it was granted. */
START_TEST(keeps_a_reserve_for_operators)
{
        static const struct {
                const char *caller;
                bool reserve;
        } cases[] = {
                {"0:0",       true },
                {"1000:50",   true },
                {"1000:1",    false},
                {"33:33",     false},
                {"127.0.0.1", false},
        };
        struct authority a = {.operators = 50, .n_proxies = 1, .proxies = {{33, OPERATE}}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct authority_caller c = caller_parse(cases[i].caller);

                ck_assert_msg(authority_judge(&a, &c).reserve == cases[i].reserve, "%s",
                              cases[i].caller);
        }
}
END_TEST

static const struct {
        const char *host;
        bool ours; /* with the names below */
} hosts[] = {
        {"127.0.0.1",            true },
        {"127.0.0.1:1050",       true },
        {"10.1.2.3",             true },
        {"[::1]",                true },
        {"[::1]:1050",           true },
        {"[2001:DB8::1]:1",      true },
        {"localhost",            true },
        {"LocalHost:1050",       true },
        {"localhost.",           true },
        {"localhost:",           true }, /* RFC 3986: a port may be empty */
        {"m1",                   true },
        {"M1:1050",              true },
        {"m1.example.com",       true },
        {"m1.example.com.:1050", true },
        {"",                     false},
        {":",                    false},
        {":1050",                false},
        {".",                    false},
        {"evil.example",         false},
        {"evil.example:1050",    false},
        {"m1.evil.example",      false},
        {"m1.example.com.evil",  false},
        {"m12",                  false},
        {"m1..",                 false},
        {"127.0.0.1.evil",       false},
        {"localhost.evil",       false},
        {"xlocalhost",           false},
        {"::1",                  false},
        {"[127.0.0.1]",          false},
        {"[m1]",                 false},
        {"[::1",                 false},
        {"[::1]x",               false},
        {"[::1]1050",            false},
        {"[]",                   false},
        {"[",                    false},
        {"[::1%eth0]",           false},
        {"m1:http",              false},
        {"m1:1050:1050",         false},
        {"m1:123456",            false},
        {"m1: 80",               false},
        {"m1:-1",                false},
        {"127.1",                false},
        {"0x7f000001",           false},
        {"2130706433",           false},
        {"*",                    false},
};

START_TEST(knows_its_names)
{
        struct authority a = {
                .hosts = {(char *)"m1", (char *)"m1.example.com"},
                  .n_hosts = 2
        };

        ck_assert_msg(authority_host_is_ours(&a, hosts[_i].host) == hosts[_i].ours, "'%s'",
                      hosts[_i].host);
        a.hosts[1] = (char *)"*";
        ck_assert(authority_host_is_ours(&a, hosts[_i].host));
}
END_TEST

START_TEST(knows_no_name_that_is_too_long)
{
        struct authority a = {};
        char host[4096];

        memset(host, 'a', sizeof(host) - 1);
        for (size_t n = 200; n < sizeof(host); n += 7) {
                host[n] = '\0';
                ck_assert(!authority_host_is_ours(&a, host));
                host[n] = 'a';
        }
}
END_TEST

START_TEST(copies_the_names)
{
        struct authority a =
                                 {
                                         .hosts = {strdup("m1"), strdup("m2")},
                                         .n_hosts = 2,
                                         .masters = {strdup("m3")           },
                                         .n_masters = 1
        },
                         b;

        ck_assert_int_eq(authority_copy(&b, &a), 0);
        authority_done(&a);
        ck_assert_uint_eq(b.n_hosts, 2);
        ck_assert(authority_host_is_ours(&b, "m2"));
        ck_assert(!authority_host_is_ours(&a, "m2"));
        ck_assert_uint_eq(b.n_masters, 1);
        ck_assert_str_eq(b.masters[0], "m3");
        authority_done(&b);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("authority");
        TCase *tc = tcase_create("authority");

        tcase_add_loop_test(tc, judges, 0, ELEMENTSOF(callers));
        tcase_add_test(tc, trusts_no_network_without_insecure);
        tcase_add_loop_test(tc, lets_in_who_is_named, 0, ELEMENTSOF(let_in));
        tcase_add_test(tc, has_no_operators_where_there_is_no_group);
        tcase_add_test(tc, asks_the_kernel_who_it_is);
        tcase_add_loop_test(tc, takes_as_many_groups_as_fit, 0, 5);
        tcase_add_loop_test(tc, judges_certificates, 0, ELEMENTSOF(shown));
        tcase_add_test(tc, believes_no_certificate_without_tls);
        tcase_add_test(tc, knows_no_masters_without_a_cluster);
        tcase_add_loop_test(tc, believes_the_forwarder, 0, ELEMENTSOF(fields));
        tcase_add_test(tc, takes_a_forwarded_name_that_is_not_too_long);
        tcase_add_test(tc, forgets_for_whom_it_was);
        tcase_add_test(tc, gives_nobody_more_than_he_has);
        tcase_add_test(tc, lends_nothing_of_who_forwards);
        tcase_add_test(tc, knows_words_for_classes);
        tcase_add_test(tc, names_certificates);
        tcase_add_loop_test(tc, names_callers, 0, ELEMENTSOF(names));
        tcase_add_test(tc, tells_clients_apart);
        tcase_add_loop_test(tc, takes_for_one_client_who_has_many_addresses, 0,
                            ELEMENTSOF(same_clients));
        tcase_add_test(tc, keeps_a_reserve_for_operators);
        tcase_add_loop_test(tc, knows_its_names, 0, ELEMENTSOF(hosts));
        tcase_add_test(tc, knows_no_name_that_is_too_long);
        tcase_add_test(tc, copies_the_names);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
