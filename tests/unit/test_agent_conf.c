/* It takes diag-agentd.conf, says what is wrong in it, and guards the open door. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agentd/agent_conf.h"
#include "base/buf.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

static void on_error(const struct err *e, void *userdata)
{
        buf_printf(userdata, "%s\n", e->text);
}

/* What was said against it; "" when it was taken. */
static void parse(struct agent_conf *c, const char *text, struct buf *said)
{
        (void)conf_parse(text, strlen(text), "f", agent_conf_keys, c, on_error, said);
}

static const char *or_none(const char *s)
{
        return str_or(s, "-");
}

static const char *level_word(enum log_level l)
{
        static const char *const words[] = {[LEVEL_ERROR] = "error",
                                            [LEVEL_WARNING] = "warning",
                                            [LEVEL_NOTICE] = "notice",
                                            [LEVEL_INFO] = "info",
                                            [LEVEL_DEBUG] = "debug"};

        return words[l];
}

static void write_agent(struct buf *b, const struct agent_conf *c)
{
        buf_printf(b, "role=%s target=%s units=", diag_role_to_string(c->role), or_none(c->target));
        for (size_t i = 0; i < c->n_units; i++)
                buf_printf(b, "%s%s", i ? "," : "", c->units[i]);
        buf_printf(b, " address=%s command=%s hostname=%s", or_none(c->address),
                   or_none(c->address_command), or_none(c->hostname));
}

static void write_masters(struct buf *b, const struct agent_conf *c)
{
        for (size_t i = 0; i < c->n_masters; i++) {
                char text[MASTER_ADDRESS_MAX];

                buf_printf(b, "%s%s", i ? " " : "", master_address_format(text, &c->masters[i]));
        }
}

static void write_rest(struct buf *b, const struct agent_conf *c)
{
        if (c->stuck_after_usec == USEC_INFINITY)
                buf_puts(b, "stuck=infinity");
        else
                buf_printf(b, "stuck=%us", (unsigned)(c->stuck_after_usec / USEC_PER_SEC));
        buf_printf(b, " given=%d starting=%d expect=", c->stuck_after_given,
                   c->starting_is_healthy);
        for (size_t i = 0; i < c->n_expects; i++)
                buf_printf(b, "%s%s:%s", i ? "," : "", c->expects[i].unit,
                           diag_expect_to_string(c->expects[i].expect));
        buf_printf(b, " level=%s", level_word(c->log_level));
}

static void write_bundles(struct buf *b, const struct agent_conf *c)
{
        buf_printf(b, "%zu %" PRIu64 " %" PRIu64 " %" PRIu64, c->bundles.n_max,
                   c->bundles.bytes_max, c->bundles.age_max_usec / USEC_PER_SEC,
                   c->bundles.floor_bytes);
}

#define AGENT "role=agent target=- units= address=- command=- hostname=-"
#define REST  "stuck=300s given=0 starting=0 expect= level=info"

/* clang-format off */
static const struct {
        const char *text, *want;
        void (*write)(struct buf *b, const struct agent_conf *c);
} values[] = {
        {"", AGENT, write_agent},
        {"", REST, write_rest},
        {"[Agent]\nRole=master\n",
         "role=master target=- units= address=- command=- hostname=-", write_agent},
        {"[Agent]\nRole=agent_public\nTarget=a.target\nUnit=b.service\nUnit=c-*.timer\n"
         "Unit=d@e.service\nAddress=10.0.0.1\nHostname=m1\n",
         "role=agent_public target=a.target units=b.service,c-*.timer,d@e.service "
         "address=10.0.0.1 command=- hostname=m1", write_agent},
        {"[Agent]\nAddress=2001:db8::1\n",
         "role=agent target=- units= address=2001:db8::1 command=- hostname=-", write_agent},
        {"[Agent]\nAddressCommand=/opt/mesosphere/bin/detect_ip\n",
         "role=agent target=- units= address=- command=/opt/mesosphere/bin/detect_ip hostname=-",
         write_agent},
        {"[Agent]\nRole=master\nRole=\nTarget=a.target\nTarget=\nUnit=a.service\nUnit=\n"
         "Address=::1\nAddress=\nAddressCommand=/x\nAddressCommand=\nHostname=h\nHostname=\n",
         AGENT, write_agent},
        {"[Agent]\nUnit=a.service\nUnit=\nUnit=b.service\n",
         "role=agent target=- units=b.service address=- command=- hostname=-", write_agent},
        {"", "0 0 0 0", write_bundles}, /* the store's defaults */
        {"[Bundles]\nMaxCount=7\nMaxBytes=2G\nMaxAge=2d\nFreeFloor=1500\n", "7 2147483648 172800 1500",
         write_bundles},
        {"[Bundles]\nMaxBytes=3K\nFreeFloor=1T\n", "0 3072 0 1099511627776", write_bundles},
        {"[Bundles]\nMaxCount=7\nMaxBytes=2G\nMaxAge=2d\nFreeFloor=1M\nMaxCount=\nMaxBytes=\nMaxAge=\n"
         "FreeFloor=\n", "0 0 0 0", write_bundles},
        {"", "", write_masters},
        {"[Agent]\nMasters=10.0.0.1 10.0.0.2:80\t m3.example.com\nMasters=2001:db8::1 [::1]:80\n",
         "10.0.0.1:1050 10.0.0.2:80 m3.example.com:1050 [2001:db8::1]:1050 [::1]:80", write_masters},
        {"[Agent]\nMasters=a b\nMasters=B a:1050 a:1\n", "a:1050 b:1050 a:1", write_masters},
        {"[Agent]\nMasters=a b\nMasters=\nMasters=c\n", "c:1050", write_masters},
        {"[Agent]\nMasters=a\nMasters=\n", "", write_masters},
        {"[Judge]\nStuckAfter=90\nStarting=healthy\n[Log]\nLevel=debug\n",
         "stuck=90s given=1 starting=1 expect= level=debug", write_rest},
        {"[Judge]\nStuckAfter=1s\n", "stuck=1s given=1 starting=0 expect= level=info", write_rest},
        {"[Judge]\nStuckAfter=infinity\n[Log]\nLevel=error\n",
         "stuck=infinity given=1 starting=0 expect= level=error", write_rest},
        {"[Judge]\nStuckAfter=90\nStuckAfter=\nStarting=healthy\nStarting=unhealthy\n"
         "[Log]\nLevel=debug\nLevel=\n", REST, write_rest},
        {"[Judge]\nStarting=healthy\nStarting=\n", REST, write_rest},
        {"[Unit b.service]\nExpect=off\n[Unit a.timer]\nExpect=running\n"
         "[Unit c@d.service]\nExpect=optional\n[Unit b.service]\nExpect=optional\n"
         "[Unit a.timer]\nExpect=\n",
         "stuck=300s given=0 starting=0 "
         "expect=b.service:optional,a.timer:auto,c@d.service:optional level=info", write_rest},
};
/* clang-format on */

START_TEST(takes_values)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, have = {0};

        parse(c, values[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        values[_i].write(&have, c);
        ck_assert_str_eq(buf_cstr(&have), values[_i].want);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} faults[] = {
        {"[Agent]\nRole=king\n", "f:2: Role: 'king' is no role: master, agent or agent_public\n"},
        {"[Agent]\nTarget=a.service\n", "f:2: Target: 'a.service' is no name of a target\n"},
        {"[Agent]\nTarget=a b.target\n", "f:2: Target: 'a b.target' is no name of a target\n"},
        {"[Agent]\nUnit=a\n",
         "f:2: Unit: 'a' is no name of a unit (a glob has '*', '?' or '[')\n"},
        {"[Agent]\nUnit=a@.service\n",
         "f:2: Unit: 'a@.service' is no name of a unit (a glob has '*', '?' or '[')\n"},
        {"[Agent]\nAddress=m1\n", "f:2: Address: 'm1' is no IP address\n"},
        {"[Agent]\nAddress=10.0.0.1:80\n", "f:2: Address: '10.0.0.1:80' is no IP address\n"},
        {"[Agent]\nAddressCommand=detect_ip\n",
         "f:2: AddressCommand: 'detect_ip' is not an absolute path\n"},
        {"[Judge]\nStuckAfter=soon\n",
         "f:2: StuckAfter: 'soon' is no duration of a second or more such as 5min\n"},
        {"[Judge]\nStuckAfter=999ms\n",
         "f:2: StuckAfter: '999ms' is no duration of a second or more such as 5min\n"},
        {"[Judge]\nStuckAfter=0\n",
         "f:2: StuckAfter: '0' is no duration of a second or more such as 5min\n"},
        {"[Judge]\nStarting=Healthy\n",
         "f:2: Starting: 'Healthy' is neither healthy nor unhealthy\n"},
        {"[Unit a]\nExpect=off\n", "f:1: 'a' is no name of a unit\n"},
        {"[Unit a-*.service]\nExpect=off\n",
         "f:1: 'a-*.service' is no name of a unit\n"},
        {"[Unit a.service]\nExpect=bliss\n",
         "f:2: Expect: 'bliss' is none of auto, running, optional, off\n"},
        {"[Log]\nLevel=loud\n",
         "f:2: Level: 'loud' is none of error, warning, notice, info, debug\n"},
        {"[Bundles]\nMaxCount=0\n", "f:2: MaxCount: '0' is no number from 1 to 1000\n"},
        {"[Bundles]\nMaxBytes=0\n", "f:2: MaxBytes: '0' is no size: 500M, 8G\n"},
        {"[Bundles]\nMaxBytes=5MB\n", "f:2: MaxBytes: '5MB' is no size: 500M, 8G\n"},
        {"[Bundles]\nMaxBytes=M\n", "f:2: MaxBytes: 'M' is no size: 500M, 8G\n"},
        {"[Bundles]\nMaxBytes=-1\n", "f:2: MaxBytes: '-1' is no size: 500M, 8G\n"},
        {"[Bundles]\nFreeFloor=99999T\n", "f:2: FreeFloor: '99999T' is no size: 500M, 8G\n"},
        {"[Bundles]\nMaxAge=1ms\n",
         "f:2: MaxAge: '1ms' is no time of at least a second: 12h, 14d\n"},
        {"[Bundles]\nMax=1\n", "f:2: unknown key Max in section [Bundles]\n"},
        {"[Agent]\nMesosUrl=leader.mesos\n",
         "f:2: MesosUrl: 'leader.mesos' is no URL of Mesos (http://…), nor 'off'\n"},
        {"[Agent]\nMasters=10.0.0.1 http://a\n",
         "f:2: Masters: 'http://a' is neither an IP address nor a name, with or without :PORT\n"},
        {"[Agent]\nMasters=10.0.0.1:0\n",
         "f:2: Masters: '10.0.0.1:0' is neither an IP address nor a name, with or without :PORT\n"},
        {"[Component a b]\nUnit=a.service\n",
         "f:1: 'a b' is no name of a component: letters, digits and :_.@\\-\n"},
        {"[Component a]\nUnit=a\n", "f:2: Unit: 'a' is no name of a unit\n"},
        {"[Component a]\nAfter=b\n", "f:2: unknown key After in section [Component]\n"},
        {"[Probe a/b]\nKind=tcp\n",
         "f:1: 'a/b' is no name of a probe: at most 100 letters, digits and :_.@-\n"},
        {"[Agent]\nPort=80\n", "f:2: unknown key Port in section [Agent]\n"},
        {"[Server]\nListen=unix:/x\n", "f:1: unknown section [Server]\n"},
        {"[Agent]\nRole=king\nHostname=h\nAddress=x\n",
         "f:2: Role: 'king' is no role: master, agent or agent_public\n"
         "f:4: Address: 'x' is no IP address\n"},
};
/* clang-format on */

START_TEST(says_what_is_wrong)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0};

        parse(c, faults[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), faults[_i].want);
}
END_TEST

/* clang-format off */
static const struct {
        const char *section, *line, *want;
        unsigned max; /* so many lines are taken; the "%u" in them counts */
} limits[] = {
        {"[Agent]", "Unit=%u.service\n", "more than 1024 units\n", AGENT_UNITS_MAX},
        {"[Agent]", "[Unit %u.service]\nExpect=off\n", "more than 4096 sections [Unit …]\n",
         AGENT_EXPECTS_MAX},
};
/* clang-format on */

static void put_line(struct buf *b, const char *line, unsigned number)
{
        const char *at = strchr(line, '%');

        buf_append(b, line, (size_t)(at - line));
        buf_printf(b, "%u%s", number, at + 2);
}

START_TEST(has_limits)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0}, text = {0};

        buf_printf(&text, "%s\n", limits[_i].section);
        for (unsigned i = 1; i <= limits[_i].max; i++)
                put_line(&text, limits[_i].line, i);
        parse(c, buf_cstr(&text), &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        agent_conf_free(c);
        c = agent_conf_new();
        put_line(&text, limits[_i].line, limits[_i].max + 1);
        parse(c, buf_cstr(&text), &said);
        ck_assert_msg(strstr(buf_cstr(&said), limits[_i].want) != NULL, "%s", buf_cstr(&said));
}
END_TEST

/* --- all of it --- */

/* clang-format off */
static const struct {
        const char *text, *want; /* "" when it may start */
} checks[] = {
        {"", ""},
        {"[Agent]\nAddress=10.0.0.1\n", ""},
        {"[Agent]\nAddressCommand=/x\n", ""},
        {"[Agent]\nAddress=10.0.0.1\nAddressCommand=/x\n",
         "Address= and AddressCommand= exclude each other\n"},
        {"[Listen]\nListen=10.0.0.1:1050\n",
         "10.0.0.1:1050 can be reached from other machines, in plain text: that needs "
         "certificates ([TLS]), or Insecure=yes (--insecure)\n"},
        {"[Component api]\nTitle=API\n", "f:1: [Component api] has neither Unit= nor a probe\n"},
        {"[Component api]\n[Component a.service]\n[Component b]\n",
         "f:1: [Component api] has neither Unit= nor a probe\n"
         "f:3: [Component b] has neither Unit= nor a probe\n"},
        {"[Probe a]\n[Probe b]\nComponent=c\nKind=tcp\nAddress=127.0.0.1:1\n[Probe d]\n",
         "f:1: [Probe a] needs Component=\nf:6: [Probe d] needs Component=\n"},
        {"[Component api]\nUnit=a.service\n", ""},
        {"[Component a.service]\nTitle=A\n", ""},
        {"[Component a.service]\nUnit=b.service\n",
         "f:1: [Component a.service] is named like a unit, and is another: b.service\n"},
        {"[Component a]\nUnit=c.service\n[Component b]\nUnit=c.service\n",
         "f:3: [Component a] and [Component b] are both c.service\n"},
        {"[Probe p]\nComponent=api\nKind=tcp\nAddress=127.0.0.1:80\n", ""},
};
/* clang-format on */

START_TEST(checks_all_of_it)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0};
        int r;

        parse(c, checks[_i].text, &said);
        ck_assert_str_eq(buf_cstr(&said), "");
        r = agent_conf_check(c, on_error, &said);
        ck_assert_int_eq(r, *checks[_i].want ? -EINVAL : 0);
        ck_assert_str_eq(buf_cstr(&said), checks[_i].want);
}
END_TEST

static const struct {
        const char *name;
        enum diag_expect otherwise, want;
} expects[] = {
        {"a.service", DIAG_EXPECT_AUTO,     DIAG_EXPECT_OFF     },
        {"b.service", DIAG_EXPECT_AUTO,     DIAG_EXPECT_RUNNING },
        {"c.service", DIAG_EXPECT_AUTO,     DIAG_EXPECT_OPTIONAL},
        {"d.service", DIAG_EXPECT_OPTIONAL,
         DIAG_EXPECT_AUTO                                       }, /* said: also where a glob chose it */
        {"e.service", DIAG_EXPECT_OPTIONAL, DIAG_EXPECT_OPTIONAL}, /* taken back */
        {"d.service", DIAG_EXPECT_AUTO,     DIAG_EXPECT_AUTO    },
        {"x.service", DIAG_EXPECT_OPTIONAL, DIAG_EXPECT_OPTIONAL},
        {"",          DIAG_EXPECT_AUTO,     DIAG_EXPECT_AUTO    },
};

START_TEST(tells_what_is_expected)
{
        static const char text[] =
                "[Unit c.service]\nExpect=optional\n[Unit a.service]\nExpect=off\n"
                "[Unit d.service]\nExpect=auto\n"
                "[Unit e.service]\nExpect=off\nExpect=\n"
                "[Unit b.service]\nExpect=running\n";
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0};

        ck_assert_int_eq(agent_conf_expect(expects[_i].name, expects[_i].otherwise, c),
                         expects[_i].otherwise);
        parse(c, text, &said);
        ck_assert_int_eq(agent_conf_check(c, NULL, NULL), 0);
        ck_assert_int_eq(agent_conf_expect(expects[_i].name, expects[_i].otherwise, c),
                         expects[_i].want);
}
END_TEST

/* --- components --- */

START_TEST(knows_its_components)
{
        static const char text[] =
                "[Agent]\nUnit=x-*.service\n"
                "[Component web]\nUnit=nginx.service\nTitle=The web\n"
                "[Probe b]\nComponent=web\nKind=tcp\nAddress=127.0.0.1:80\n"
                "[Probe c]\nComponent=db.service\nKind=tcp\nAddress=127.0.0.1:81\n"
                "[Probe a]\nComponent=web\nKind=tcp\nAddress=127.0.0.1:82\n"
                "[Probe d]\nComponent=api\nKind=tcp\nAddress=127.0.0.1:83\n";
        static const struct {
                const char *name, *unit;
                size_t first_probe, n_probes;
        } want[] = {
                {"api",        NULL,            0, 1},
                {"db.service", "db.service",    1, 1},
                {"web",        "nginx.service", 2, 2},
        };
        static const char *const probes[] = {"d", "c", "a", "b"}, *const watched[] = {
                                                                          "x-*.service",
                                                                          "db.service",
                                                                          "nginx.service"};
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0};

        parse(c, text, &said);
        ck_assert_int_eq(agent_conf_check(c, on_error, &said), 0);
        ck_assert_str_eq(buf_cstr(&said), "");
        ck_assert_uint_eq(c->n_components, ELEMENTSOF(want));
        for (size_t i = 0; i < ELEMENTSOF(want); i++) {
                ck_assert_str_eq(c->components[i].name, want[i].name);
                ck_assert_pstr_eq(c->components[i].unit, want[i].unit);
                ck_assert_uint_eq(c->components[i].first_probe, want[i].first_probe);
                ck_assert_uint_eq(c->components[i].n_probes, want[i].n_probes);
        }
        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                ck_assert_str_eq(probe_settings_name(c->probes[i]), probes[i]);
        ck_assert_uint_eq(c->n_watched, ELEMENTSOF(watched));
        for (size_t i = 0; i < ELEMENTSOF(watched); i++)
                ck_assert_str_eq(c->watched[i], watched[i]);
        ck_assert_str_eq(agent_conf_component_of(c, "nginx.service")->name, "web");
        ck_assert_ptr_null(agent_conf_component_of(c, "web"));
        ck_assert_ptr_null(agent_conf_component_of(c, "api"));
}
END_TEST

static uint64_t hash_of(const char *text)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        _cleanup_(buf_done) struct buf said = {0};

        parse(c, text, &said);
        return c->hash;
}

START_TEST(hashes_what_was_set)
{
        ck_assert_uint_ne(hash_of(""), 0);
        ck_assert_uint_eq(hash_of("[Agent]\nRole=master\n"),
                          hash_of("# comment\n[Agent]\n Role = master\n[Log]\n"));
        ck_assert_uint_ne(hash_of("[Agent]\nRole=master\n"), hash_of("[Agent]\nRole=agent\n"));
        ck_assert_uint_ne(hash_of("[Unit a.service]\nExpect=off\n"),
                          hash_of("[Unit b.service]\nExpect=off\n"));
        ck_assert_uint_ne(hash_of("[Agent]\nHostname=ab\nTarget=c.target\n"),
                          hash_of("[Agent]\nHostname=a\nTarget=bc.target\n"));
}
END_TEST

START_TEST(takes_the_command_line)
{
        _cleanup_(agent_conf_freep) struct agent_conf *c = agent_conf_new();
        struct err e = {0};

        ck_assert_int_eq(conf_set(agent_conf_keys, c, "Unit a.service", "Expect", "off", &e), 0);
        ck_assert_int_eq(c->n_expects, 1);
        ck_assert_int_eq(conf_set(agent_conf_keys, c, "Agent", "Role", "king", &e), -EINVAL);
        ck_assert_str_eq(e.text, "Role: 'king' is no role: master, agent or agent_public");
        ck_assert_int_eq(c->role, DIAG_ROLE_AGENT);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("agent_conf");
        TCase *values_case = tcase_create("values"), *check = tcase_create("check");

        tcase_add_loop_test(values_case, takes_values, 0, ELEMENTSOF(values));
        tcase_add_loop_test(values_case, says_what_is_wrong, 0, ELEMENTSOF(faults));
        tcase_add_loop_test(values_case, has_limits, 0, ELEMENTSOF(limits));
        tcase_add_test(values_case, takes_the_command_line);
        suite_add_tcase(s, values_case);

        tcase_set_timeout(check, 60);
        tcase_add_loop_test(check, checks_all_of_it, 0, ELEMENTSOF(checks));
        tcase_add_test(check, knows_its_components);
        tcase_add_test(check, hashes_what_was_set);
        tcase_add_loop_test(check, tells_what_is_expected, 0, ELEMENTSOF(expects));
        suite_add_tcase(s, check);
        return test_main(s);
}
