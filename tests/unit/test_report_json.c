/* It spells API v2's report in both forms, and reads what strangers write. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <jansson.h>

#include "base/mono.h"
#include "model/report_json.h"
#include "tests/unit/test_main.h"

#define S        USEC_PER_SEC
#define NOW      (UINT64_C(1795221847) * S + 123 * USEC_PER_MSEC) /* 2026-11-21T00:44:07.123Z */
#define INSTANCE UINT64_C(0x9f3c2a11d0b4e677)

static const struct diag_node node = {
        .node_id = "6f1c",
        .boot_id = "0c8a",
        .hostname = "m1",
        .kernel_hostname = "m1.kernel",
        .address = "10.0.0.1",
        .version = "0.1.0",
        .dcos_version = "2.1",
        .config_hash = "c0ffee0000000001",
        .port = 1051,
        .role = DIAG_ROLE_MASTER,
};
static const struct diag_system system_facts = {
        .state = "degraded", .version = "252.39", .n_failed_units = 2, .n_jobs = 1};
static const struct diag_moment moment = {
        .now_wall_usec = NOW, .uptime_usec = 86400 * S, .confirmed_age_usec = 800 * USEC_PER_MSEC};

static const struct diag_unit failed = {
        .id = "b.service",
        .load_state = "loaded",
        .active_state = "failed",
        .sub_state = "failed",
        .type = "simple",
        .result = "exit-code",
        .exec_main_code = CLD_EXITED,
        .exec_main_status = 3,
        .n_restarts = 4,
        .unit_file_state = "enabled",
        .triggered_by = {"b.timer", "b.socket"},
        .n_triggered_by = 2,
        .state_change_wall_usec = NOW - 9 * S,
        .job = "start",
        .status_text = "so so",
};
static const struct diag_unit killed = {
        .id = "c.service",
        .load_state = "loaded",
        .active_state = "active",
        .sub_state = "running",
        .exec_main_code = CLD_DUMPED,
        .exec_main_status = SIGSEGV,
        .main_pid = 4711,
        .active_enter_wall_usec = NOW - 5 * S,
        .state_change_wall_usec = NOW - 5 * S,
};
/* clang-format off */
static const struct diag_component parts[] = {
        {.name = "a.service",
         .title = "A",
         .description = "the a",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_SKIPPED,
         .text = "condition not met: ConditionPathExists=/a",
         .since_wall_usec = NOW - 60 * S,
         .output = ""},
        {.name = "b.service",
         .title = "B",
         .description = "the b",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_EXIT_CODE,
         .text = "exited with status 3",
         .since_wall_usec = NOW - 9 * S,
         .output = "line 1\nline 2\n",
         .output_truncated = true,
         .expect = DIAG_EXPECT_RUNNING,
         .n_restarts_recent = 2,
         .notes = {"need-daemon-reload", "presumed"},
         .n_notes = 2,
         .unit = &failed},
        {.name = "c.service",
         .title = "c.service",
         .health = DIAG_HEALTHY,
         .code = DIAG_CODE_OK,
         .unit = &killed,
         .expect = DIAG_EXPECT_OPTIONAL},
        {.name = "d.service", .title = "D", .code = DIAG_CODE_INCOMPLETE, .text = "no state"},
};
/* clang-format on */

static struct diag_report *build(const struct diag_component *c, size_t n)
{
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &system_facts, "dcos.target"), 0);
        r->instance = INSTANCE;
        r->phase = DIAG_PHASE_RUNNING;
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(diag_report_add(r, &c[i]), 0);
        return r;
}

static struct diag_report *build_sealed(const struct diag_component *c, size_t n)
{
        struct diag_report *r = build(c, n);

        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        return r;
}

static struct diag_report *decode(const char *text, size_t n, struct diag_moment *m)
{
        struct diag_report *r = NULL;
        struct err e = {0};

        ck_assert_msg(diag_report_from_json(&r, m, text, n, &e) == 0, "%s", e.text);
        return r;
}

/* --- exact bytes --------------------------------------------------------------------------- */

#define HEAD(health, since, counts, reasons)                                                      \
        "{\"node_id\":\"6f1c\",\"boot_id\":\"0c8a\",\"instance\":\"9f3c2a11d0b4e677\",\"seq\":2," \
        "\"hostname\":\"m1\",\"address\":\"10.0.0.1\",\"port\":1051,\"role\":\"master\","         \
        "\"mesos_id\":null,\"version\":\"0.1.0\",\"dcos_version\":\"2.1\","                       \
        "\"config_hash\":\"c0ffee0000000001\",\"phase\":\"running\","                             \
        "\"health\":\"" health "\",\"since\":\"" since "\",\"counts\":{" counts "},"              \
        "\"reasons\":[" reasons "],\"maintenance\":null,\"components\":["
#define COMPONENT_B \
        "{\"name\":\"b.service\",\"title\":\"B\",\"description\":\"the b\",\"kind\":\"unit\","
#define REASON_B                                                                                 \
        "{\"code\":\"exit-code\",\"text\":\"exited with status 3\",\"component\":\"b.service\"," \
        "\"since\":\"2026-11-21T00:43:58.123Z\",\"acknowledged\":false}"
/* A node that is new has the dates of its components. */
#define SINCE_A  "2026-11-21T00:43:07.123Z"
#define SINCE_B  "2026-11-21T00:43:58.123Z"
#define NOW_TEXT "2026-11-21T00:44:07.123Z"

START_TEST(spells_the_short_form)
{
        _cleanup_(diag_report_unrefp) struct diag_report *good = build_sealed(&parts[0], 1),
                                                         *bad = build_sealed(&parts[1], 1);
        _cleanup_(blob_unrefp) struct blob *g = diag_report_render_health(good),
                                           *b = diag_report_render_health(bad);

        ck_assert_str_eq(
                blob_data(g),
                HEAD("healthy", SINCE_A, "\"healthy\":1,\"unhealthy\":0,\"unknown\":0",
                     "") "{\"name\":\"a.service\",\"title\":\"A\",\"description\":\"the a\","
                         "\"kind\":\"unit\",\"health\":\"healthy\","
                         "\"since\":\"2026-11-21T00:43:07.123Z\"}],\"truncated\":false}\n");
        ck_assert_str_eq(blob_data(b),
                         HEAD("unhealthy", SINCE_B, "\"healthy\":0,\"unhealthy\":1,\"unknown\":0",
                              REASON_B) COMPONENT_B
                         "\"health\":\"unhealthy\",\"code\":\"exit-code\","
                         "\"text\":\"exited with status 3\","
                         "\"since\":\"2026-11-21T00:43:58.123Z\"}],\"truncated\":false}\n");
}
END_TEST

START_TEST(spells_the_full_form)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_sealed(&parts[1], 1);
        _cleanup_(buf_done) struct buf b = {0};

        diag_report_write_full(&b, r, &moment, true);
        ck_assert_int_eq(b.error, 0);
        ck_assert_str_eq(
                buf_cstr(&b),
                HEAD("unhealthy", SINCE_B, "\"healthy\":0,\"unhealthy\":1,\"unknown\":0", REASON_B)
                        COMPONENT_B
                "\"health\":\"unhealthy\",\"code\":\"exit-code\",\"text\":\"exited with status 3\","
                "\"since\":\"2026-11-21T00:43:58.123Z\",\"expect\":\"running\","
                "\"output\":\"line 1\\nline 2\\n\",\"output_truncated\":true,"
                "\"unit\":{\"id\":\"b.service\",\"load\":\"loaded\",\"active\":\"failed\","
                "\"sub\":\"failed\",\"type\":\"simple\",\"result\":\"exit-code\","
                "\"exit_status\":3,\"exit_signal\":null,\"restarts\":4,\"restarts_10min\":2,"
                "\"main_pid\":null,\"unit_file_state\":\"enabled\","
                "\"triggered_by\":[\"b.timer\",\"b.socket\"],\"active_since\":null,"
                "\"state_since\":\"2026-11-21T00:43:58.123Z\",\"job\":\"start\","
                "\"status_text\":\"so so\",\"notes\":[\"need-daemon-reload\",\"presumed\"]},"
                "\"probes\":[],\"needs\":[]}],\"truncated\":false,"
                "\"system\":{\"state\":\"degraded\",\"failed_units\":2,\"jobs\":1,"
                "\"systemd\":\"252.39\",\"uptime_seconds\":86400,\"time\":\"" NOW_TEXT "\","
                "\"confirmed_age_seconds\":0.8}}\n");
}
END_TEST

/* --- what is asked of components themselves, and maintenance ----------------------------------- */

static const struct diag_probe asked[] = {
        {.name = "ping",
         .kind = "http",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_PROBE_FAILED,
         .text = "HTTP status 503",
         .output = "no leader",
         .last_run_wall_usec = NOW - S,
         .next_run_wall_usec = NOW + 9 * S,
         .took_usec = 12 * USEC_PER_MSEC,
         .window = 0x6, /* newest first: 0 1 1 */
         .n_window = 3,
         .fail_after = 3,
         .pass_after = 2},
        {.name = "disk", .kind = "exec", .code = DIAG_CODE_PROBE_NOT_RUN, .skipped = true},
};
static const struct diag_component api = {
        .name = "api",
        .title = "API",
        .kind = DIAG_COMPONENT_PROBES,
        .health = DIAG_UNHEALTHY,
        .code = DIAG_CODE_PROBE_FAILED,
        .text = "probe ping: HTTP status 503",
        .probes = asked,
        .n_probes = 2,
};
static const struct diag_maintenance work = {
        .reason = "new disks", .by = "uid 0", .since_wall_usec = NOW, .until_wall_usec = NOW + S};

static struct diag_report *build_asked(void)
{
        struct diag_report *r = build(&api, 1);

        diag_report_set_maintenance(r, &work);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        return r;
}

START_TEST(spells_probes_in_the_order_of_their_names)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_asked();
        _cleanup_(buf_done) struct buf b = {0};

        diag_report_write_component(&b, &r->components[0]);
        ck_assert_str_eq(
                buf_cstr(&b),
                "{\"name\":\"api\",\"title\":\"API\",\"description\":\"\",\"kind\":\"probe\","
                "\"health\":\"unhealthy\",\"code\":\"probe-failed\","
                "\"text\":\"probe ping: HTTP status 503\",\"since\":\"" NOW_TEXT "\","
                "\"expect\":\"auto\",\"output\":\"\",\"output_truncated\":false,\"unit\":null,"
                "\"probes\":[{\"name\":\"disk\",\"kind\":\"exec\",\"health\":\"unknown\","
                "\"code\":\"probe-not-run\",\"text\":\"\",\"output\":\"\",\"last_run\":null,"
                "\"next_run\":null,\"took_seconds\":0,\"window\":\"\",\"fail_after\":0,"
                "\"pass_after\":0,\"skipped\":true},{\"name\":\"ping\",\"kind\":\"http\","
                "\"health\":\"unhealthy\",\"code\":\"probe-failed\",\"text\":\"HTTP status 503\","
                "\"output\":\"no leader\",\"last_run\":\"2026-11-21T00:44:06.123Z\","
                "\"next_run\":\"2026-11-21T00:44:16.123Z\",\"took_seconds\":0.012,"
                "\"window\":\"011\",\"fail_after\":3,\"pass_after\":2,\"skipped\":false}],"
                "\"needs\":[]}\n");
}
END_TEST

START_TEST(reads_probes_and_maintenance_that_it_wrote)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_asked(), *copy = NULL;
        _cleanup_(buf_done) struct buf one = {0}, two = {0};
        const struct diag_probe *p;
        struct diag_moment m;

        diag_report_write_full(&one, r, &moment, true);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&one), "\"acknowledged\":true"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&one), "\"by\":\"uid 0\",\"reason\":\"new disks\"}"));
        copy = decode(one.data, one.n, &m);
        diag_report_write_full(&two, copy, &m, true);
        ck_assert_str_eq(buf_cstr(&two), buf_cstr(&one));
        ck_assert_int_eq(copy->components[0].kind, DIAG_COMPONENT_PROBES);
        p = &copy->components[0].probes[1];
        ck_assert_uint_eq(p->window, 0x6);
        ck_assert_uint_eq(p->n_window, 3);
        ck_assert_uint_eq(copy->maintenance->until_wall_usec, NOW + S);
        /* It has never made anything healthy. */
        ck_assert_int_eq(copy->health, DIAG_UNHEALTHY);
}
END_TEST

START_TEST(leaves_out_what_was_printed)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(buf_done) struct buf with = {0}, without = {0};

        r = build(&api, 1);
        ck_assert_int_eq(diag_report_add(r, &parts[1]), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        diag_report_write_full(&with, r, &moment, true);
        diag_report_write_full(&without, r, &moment, false);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&with), "no leader"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&with), "line 1"));
        ck_assert_ptr_null(strstr(buf_cstr(&without), "no leader"));
        ck_assert_ptr_null(strstr(buf_cstr(&without), "line 1"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&without), "exited with status 3"));
}
END_TEST

START_TEST(says_null_for_what_is_not_known)
{
        static const struct diag_node nobody = {0};
        static const struct diag_moment never = {.confirmed_age_usec = USEC_INFINITY};
        static const struct diag_unit unread = {0};
        static const struct diag_component c = {.name = "a", .unit = &unread};
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(buf_done) struct buf b = {0};

        ck_assert_int_eq(diag_report_new(&r, &nobody, &(struct diag_system){0}, ""), 0);
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, 0, NULL, NULL), 0);
        diag_report_write_full(&b, r, &never, true);
        ck_assert_str_eq(
                buf_cstr(&b),
                "{\"node_id\":\"\",\"boot_id\":null,\"instance\":\"0000000000000000\",\"seq\":2,"
                "\"hostname\":null,\"address\":null,\"port\":null,\"role\":null,"
                "\"mesos_id\":null,\"version\":\"\",\"dcos_version\":null,"
                "\"config_hash\":null,"
                "\"phase\":\"starting\",\"health\":\"unknown\",\"since\":null,"
                "\"counts\":{\"healthy\":0,\"unhealthy\":0,\"unknown\":1},"
                "\"reasons\":[{\"code\":\"\",\"text\":\"\",\"component\":\"a\",\"since\":null,"
                "\"acknowledged\":false}],\"maintenance\":null,"
                "\"components\":[{\"name\":\"a\",\"title\":\"\",\"description\":\"\","
                "\"kind\":\"unit\",\"health\":\"unknown\",\"code\":\"\",\"text\":\"\","
                "\"since\":null,\"expect\":\"auto\",\"output\":\"\",\"output_truncated\":false,"
                "\"unit\":{\"id\":null,\"load\":null,\"active\":null,\"sub\":null,\"type\":null,"
                "\"result\":null,\"exit_status\":null,\"exit_signal\":null,\"restarts\":0,"
                "\"restarts_10min\":0,\"main_pid\":null,\"unit_file_state\":null,"
                "\"triggered_by\":[],\"active_since\":null,\"state_since\":null,\"job\":null,"
                "\"status_text\":null,\"notes\":[]},\"probes\":[],\"needs\":[]}],"
                "\"truncated\":false,\"system\":{\"state\":null,\"failed_units\":0,\"jobs\":0,"
                "\"systemd\":null,\"uptime_seconds\":0,\"time\":null,"
                "\"confirmed_age_seconds\":null}}\n");
}
END_TEST

/* --- there and back ------------------------------------------------------------------------- */

START_TEST(reads_what_it_wrote)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(parts, ELEMENTSOF(parts)),
                                                         *copy = NULL;
        _cleanup_(buf_done) struct buf one = {0}, two = {0};
        const struct diag_component *c;
        struct diag_moment m;

        diag_report_set_reason(r, DIAG_UNHEALTHY, DIAG_CODE_SYSTEM_MAINTENANCE, "for repair");
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        diag_report_write_full(&one, r, &moment, true);
        copy = decode(one.data, one.n, &m);
        diag_report_write_full(&two, copy, &m, true);
        ck_assert_str_eq(buf_cstr(&two), buf_cstr(&one));

        ck_assert_str_eq(copy->node.hostname, "m1");
        ck_assert_int_eq(copy->node.role, DIAG_ROLE_MASTER);
        ck_assert_uint_eq(copy->node.port, 1051);
        ck_assert_uint_eq(copy->instance, INSTANCE);
        ck_assert_uint_eq(copy->seq, r->seq);
        ck_assert_uint_eq(copy->since_wall_usec, NOW - 9 * S);
        ck_assert_int_eq(copy->phase, DIAG_PHASE_RUNNING);
        ck_assert_int_eq(copy->node_code, DIAG_CODE_SYSTEM_MAINTENANCE);
        ck_assert_str_eq(copy->node_text, "for repair");
        ck_assert_uint_eq(m.confirmed_age_usec, moment.confirmed_age_usec);
        ck_assert_uint_eq(m.uptime_usec, moment.uptime_usec);
        ck_assert_uint_eq(m.now_wall_usec, moment.now_wall_usec);
        c = diag_report_find(copy, "b.service");
        ck_assert_int_eq(c->expect, DIAG_EXPECT_RUNNING);
        ck_assert_int_eq(c->unit->exec_main_code, CLD_EXITED);
        ck_assert_int_eq(c->unit->exec_main_status, 3);
        ck_assert_uint_eq(c->n_restarts_recent, 2);
        c = diag_report_find(copy, "c.service");
        ck_assert_int_eq(c->unit->exec_main_code, CLD_KILLED);
        ck_assert_int_eq(c->unit->exec_main_status, SIGSEGV);
        ck_assert_uint_eq(c->unit->main_pid, 4711);
}
END_TEST

START_TEST(reads_the_short_form_that_it_wrote)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_sealed(parts,
                                                                           ELEMENTSOF(parts)),
                                                         *copy = NULL;
        _cleanup_(blob_unrefp) struct blob *one = diag_report_render_health(r), *two = NULL;
        struct diag_moment m;

        copy = decode(blob_data(one), blob_size(one), &m);
        two = diag_report_render_health(copy);
        ck_assert_str_eq(blob_data(two), blob_data(one));
        ck_assert_uint_eq(m.now_wall_usec, 0);
        ck_assert_uint_eq(m.confirmed_age_usec, 0);
        ck_assert_ptr_null(copy->components[1].unit);
}
END_TEST

static const uint64_t ages[] = {
        0,
        1000,
        3 * USEC_PER_MSEC,
        S + USEC_PER_MSEC,
        31 * S + 3 * USEC_PER_MSEC,
        1000 * S - USEC_PER_MSEC,
        UINT64_C(999999999) * S + 999 * USEC_PER_MSEC,
        USEC_INFINITY,
};

START_TEST(reads_ages_to_the_millisecond)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_sealed(parts, 1), *copy = NULL;
        struct diag_moment m = {.confirmed_age_usec = ages[_i]}, got;
        _cleanup_(buf_done) struct buf b = {0};

        diag_report_write_full(&b, r, &m, true);
        copy = decode(b.data, b.n, &got);
        ck_assert_ptr_nonnull(copy);
        ck_assert_uint_eq(got.confirmed_age_usec, ages[_i]);
}
END_TEST

static const enum diag_phase phases[] = {
        DIAG_PHASE_STARTING,
        DIAG_PHASE_RUNNING,
        DIAG_PHASE_STOPPING,
};

START_TEST(reads_phases)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = build(parts, 1), *copy = NULL;
        _cleanup_(blob_unrefp) struct blob *b = NULL;

        r->phase = phases[_i];
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        b = diag_report_render_health(r);
        copy = decode(blob_data(b), blob_size(b), NULL);
        ck_assert_int_eq(copy->phase, phases[_i]);
}
END_TEST

static const struct {
        const char *text;
        uint64_t want;
} largest[] = {
        {"4294967295", UINT32_MAX},
        {"0",          0         },
};

START_TEST(reads_the_largest_numbers)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "{\"instance\":\"9f3c2a11d0b4e677\",\"seq\":%s,\"components\":["
                       "{\"name\":\"a\",\"unit\":{\"restarts\":%s}}]}",
                       largest[_i].text, largest[_i].text);
        r = decode(text, strlen(text), NULL);
        ck_assert_uint_eq(r->seq, largest[_i].want);
        ck_assert_uint_eq(r->components[0].unit->n_restarts, largest[_i].want);
}
END_TEST

/* --- the short form and seq ------------------------------------------------------------------ */

START_TEST(depends_on_seq_alone)
{
        struct diag_component other[ELEMENTSOF(parts)];
        struct diag_unit u = killed;
        _cleanup_(diag_report_unrefp) struct diag_report *before = build_sealed(parts,
                                                                                ELEMENTSOF(parts)),
                                                         *now = NULL;
        _cleanup_(blob_unrefp) struct blob *one = NULL, *two = NULL;

        memcpy(other, parts, sizeof(parts));
        u.n_restarts = 77;
        u.sub_state = "waiting";
        u.status_text = "other";
        for (size_t i = 0; i < ELEMENTSOF(other); i++) {
                other[i].output = "other";
                other[i].output_truncated = !other[i].output_truncated;
                other[i].n_restarts_recent += 5;
                other[i].since_wall_usec = NOW + 7 * S;
                other[i].expect = DIAG_EXPECT_AUTO;
                other[i].n_notes = 0;
                other[i].unit = &u;
                if (other[i].health == DIAG_HEALTHY) {
                        other[i].code = DIAG_CODE_RUNNING_JOB;
                        other[i].text = "other";
                }
        }
        now = build(other, ELEMENTSOF(other));
        now->system.n_jobs = 9;
        ck_assert_int_eq(diag_report_seal(now, before, NOW + 99 * S, NULL, NULL), 0);
        ck_assert_uint_eq(now->seq, before->seq);
        one = diag_report_render_health(before);
        two = diag_report_render_health(now);
        ck_assert_str_eq(blob_data(two), blob_data(one));
}
END_TEST

/* --- the short form's limits ------------------------------------------------------------------ */

static void json_decrefpp(json_t **j)
{
        json_decref(*j);
}

struct flood {
        const char *name;
        unsigned n_bad, n_dark, n_good;
        bool want_whole;
        const char *filling; /* of title, description and text */
};

/* clang-format off */
static const struct flood floods[] = {
        {"512 are the whole", 10, 10, 492, true, ""},
        {"513 are not", 10, 10, 493, false, ""},
        {"all are healthy", 0, 0, 600, false, ""},
        {"4096, short texts", 30, 20, 4046, false, "x"},
        {"4096 unhealthy, short texts", 4096, 0, 0, false, "x"},
        {"512, long texts", 10, 10, 492, false, "x"},
        {"4096 unhealthy, long texts: the reasons, too, are bounded", 4096, 0, 0, false, "x"},
        {"long texts that are escaped", 4000, 96, 0, false, "\x01"},
        {"long texts that are no UTF-8", 2000, 2000, 96, false, "\xff"},
};
/* clang-format on */

static struct diag_report *build_flood(const struct flood *f, bool long_texts)
{
        char name[32], text[DIAG_STRING_MAX + 1] = {0};
        struct diag_report *r = build(NULL, 0);

        if (*f->filling)
                memset(text, *f->filling, long_texts ? DIAG_STRING_MAX : 3);
        for (unsigned i = 0; i < f->n_bad + f->n_dark + f->n_good; i++) {
                struct diag_component c = {.name = name,
                                           .title = text,
                                           .description = text,
                                           .text = text,
                                           .health = i < f->n_good               ? DIAG_HEALTHY
                                                     : i < f->n_good + f->n_dark ? DIAG_UNKNOWN
                                                                                 : DIAG_UNHEALTHY};

                (void)snprintf(name, sizeof(name), "%04u.service", i);
                ck_assert_int_eq(diag_report_add(r, &c), 0);
        }
        ck_assert_int_eq(diag_report_seal(r, NULL, NOW, NULL, NULL), 0);
        return r;
}

START_TEST(is_cut_worst_first)
{
        const struct flood *f = &floods[_i];
        _cleanup_(diag_report_unrefp) struct diag_report *r =
                build_flood(f, strstr(f->name, "long") != NULL);
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_health(r);
        _cleanup_(json_decrefpp) json_t *o = NULL;
        const json_t *list, *c;
        unsigned n[DIAG_N_HEALTH] = {0};
        size_t i;

        ck_assert_uint_le(blob_size(b), DIAG_HEALTH_FORM_BYTES_MAX);
        o = json_loadb(blob_data(b), blob_size(b), 0, NULL);
        ck_assert_ptr_nonnull(o);
        list = json_object_get(o, "components");
        ck_assert_uint_le(json_array_size(list), DIAG_HEALTH_FORM_MAX);
        ck_assert_uint_gt(json_array_size(list), 0);
        json_array_foreach (list, i, c) {
                enum diag_health h =
                        diag_health_from_string(json_string_value(json_object_get(c, "health")));

                n[h]++;
                /* None of a better kind while a worse one is missing. */
                ck_assert(h == DIAG_UNHEALTHY || n[DIAG_UNHEALTHY] == f->n_bad);
                ck_assert(h != DIAG_HEALTHY || n[DIAG_UNKNOWN] == f->n_dark);
        }
        ck_assert_int_eq(json_is_true(json_object_get(o, "truncated")), !f->want_whole);
        if (f->want_whole)
                ck_assert_uint_eq(json_array_size(list), f->n_bad + f->n_dark + f->n_good);
}
END_TEST

START_TEST(counts_all_components_of_a_cut_report)
{
        static const struct flood f = {"", 30, 20, 4046, false, "x"};
        _cleanup_(diag_report_unrefp) struct diag_report *r = build_flood(&f, false), *copy = NULL;
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_health(r), *again = NULL;

        copy = decode(blob_data(b), blob_size(b), NULL);
        ck_assert_uint_eq(copy->n_components, DIAG_HEALTH_FORM_MAX);
        ck_assert_uint_eq(copy->counts.n[DIAG_UNHEALTHY], 30);
        ck_assert_uint_eq(copy->counts.n[DIAG_UNKNOWN], 20);
        ck_assert_uint_eq(copy->counts.n[DIAG_HEALTHY], 4046);
        ck_assert(copy->truncated);
        again = diag_report_render_health(copy);
        ck_assert_str_eq(blob_data(again), blob_data(b));
}
END_TEST

/* --- strict --------------------------------------------------------------------------------- */

#define ID      "\"instance\":\"9f3c2a11d0b4e677\""
#define WITH(m) "{" ID "," m ",\"components\":[]}"
#define PART(m) "{" ID ",\"components\":[{\"name\":\"a\"," m "}]}"
#define UNIT(m) PART("\"unit\":{" m "}")
#define NUMBER  " is not a whole number in its range"
#define STRING  " is not a string"
#define TIME    " is not a time (RFC 3339)"

/* clang-format off */
static const struct {
        const char *text, *want;
} faults[] = {
        {"", "line 1: '[' or '{' expected near end of file"},
        {"{", "line 1: "},
        {"\n\n{x", "line 3: "},
        {WITH("\"a\":1") "x", "line 1: end of file expected"},
        {WITH("\"seq\":1,\"seq\":2"), "duplicate object key"},
        {WITH("\"hostname\":\"\\u0000\""), "\\u0000"},
        {WITH("\"hostname\":\"\xff\""), "unable to decode byte 0xff"},
        {WITH("\"seq\":99999999999999999999"), "too big integer"},
        {"[]", "the document is not an object"},
        {"{}", "instance is not 16 hex digits"},
        {"{\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\"9f3c2a11d0b4e67\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\"9f3c2a11d0b4e6777\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\"9F3C2A11D0B4E677\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\"0x3c2a11d0b4e677\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\"-000000000000001\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":\" 00000000000001\",\"components\":[]}", "instance is not 16 hex digits"},
        {"{\"instance\":5,\"components\":[]}", "instance" STRING},
        {"{" ID "}", "components is not a list"},
        {"{" ID ",\"components\":null}", "components is not a list"},
        {"{" ID ",\"components\":{}}", "components is not a list"},
        {WITH("\"node_id\":5"), "node_id" STRING},
        {WITH("\"boot_id\":[]"), "boot_id" STRING},
        {WITH("\"hostname\":true"), "hostname" STRING},
        {WITH("\"address\":1.5"), "address" STRING},
        {WITH("\"mesos_id\":{}"), "mesos_id" STRING},
        {WITH("\"version\":2"), "version" STRING},
        {WITH("\"dcos_version\":2.1"), "dcos_version" STRING},
        {WITH("\"role\":1"), "role" STRING},
        {WITH("\"phase\":1"), "phase" STRING},
        {WITH("\"health\":0"), "health" STRING},
        {WITH("\"port\":65536"), "port" NUMBER},
        {WITH("\"port\":-1"), "port" NUMBER},
        {WITH("\"port\":80.0"), "port" NUMBER},
        {WITH("\"port\":\"80\""), "port" NUMBER},
        {WITH("\"seq\":-1"), "seq" NUMBER},
        {WITH("\"seq\":\"1\""), "seq" NUMBER},
        {WITH("\"since\":\"yesterday\""), "since" TIME},
        {WITH("\"since\":1795000000"), "since" STRING},
        {WITH("\"since\":\"9999-12-31T23:59:59-01:00\""), "since" TIME},
        {WITH("\"truncated\":\"no\""), "truncated is not true or false"},
        {WITH("\"truncated\":0"), "truncated is not true or false"},
        {WITH("\"reasons\":{}"), "reasons is not a list"},
        {WITH("\"reasons\":[1]"), "reasons is not a list of objects"},
        {WITH("\"reasons\":[{},[]]"), "reasons is not a list of objects"},
        {WITH("\"reasons\":[{\"code\":1}]"), "reasons[].code" STRING},
        {WITH("\"reasons\":[{\"code\":\"ok\",\"text\":1}]"), "reasons[].text" STRING},
        {WITH("\"counts\":[]"), "counts is not an object"},
        {WITH("\"counts\":{\"healthy\":-1}"), "counts.healthy" NUMBER},
        {WITH("\"counts\":{\"unknown\":4294967296}"), "counts.unknown" NUMBER},
        {WITH("\"config_hash\":1"), "config_hash" STRING},
        {WITH("\"maintenance\":true"), "maintenance is not an object"},
        {WITH("\"maintenance\":{\"until\":\"2027\"}"), "maintenance.until" TIME},
        {WITH("\"maintenance\":{\"reason\":5}"), "maintenance.reason" STRING},
        {PART("\"probes\":{}"), "components[0].probes is not a list"},
        {PART("\"probes\":[5]"), "components[0].probes[0].(entry) is not an object"},
        {PART("\"probes\":[{},{\"name\":5}]"), "components[0].probes[1].name" STRING},
        {PART("\"probes\":[{\"window\":\"0x\"}]"),
         "components[0].probes[0].window is not a short string of 0 and 1"},
        {PART("\"probes\":[{\"took_seconds\":-1}]"),
         "components[0].probes[0].took_seconds is not a number of seconds"},
        {WITH("\"system\":1"), "system is not an object"},
        {WITH("\"system\":{},\"counts\":{},\"reasons\":[{}],\"seq\":-1"), "seq" NUMBER},
        {WITH("\"reasons\":[{},{\"component\":5},5]"), "reasons is not a list of objects"},
        {WITH("\"system\":{\"state\":1}"), "system.state" STRING},
        {WITH("\"system\":{\"jobs\":-1}"), "system.jobs" NUMBER},
        {WITH("\"system\":{\"failed_units\":1e3}"), "system.failed_units" NUMBER},
        {WITH("\"system\":{\"time\":\"soon\"}"), "system.time" TIME},
        {WITH("\"system\":{\"uptime_seconds\":-1}"),
         "system.uptime_seconds is not a number of seconds"},
        {WITH("\"system\":{\"uptime_seconds\":1e10}"),
         "system.uptime_seconds is not a number of seconds"},
        {WITH("\"system\":{\"confirmed_age_seconds\":\"1\"}"),
         "system.confirmed_age_seconds is not a number of seconds"},
        {"{" ID ",\"components\":[1]}", "components[0].(entry) is not an object"},
        {"{" ID ",\"components\":[{\"name\":\"a\"},null]}",
         "components[1].(entry) is not an object"},
        {"{" ID ",\"components\":[{}]}", "components[0].name is not there"},
        {"{" ID ",\"components\":[{\"name\":\"\"}]}", "components[0].name is not there"},
        {"{" ID ",\"components\":[{\"name\":1}]}", "components[0].name" STRING},
        {PART("\"title\":1"), "components[0].title" STRING},
        {PART("\"description\":1"), "components[0].description" STRING},
        {PART("\"health\":1"), "components[0].health" STRING},
        {PART("\"code\":1"), "components[0].code" STRING},
        {PART("\"text\":1"), "components[0].text" STRING},
        {PART("\"expect\":1"), "components[0].expect" STRING},
        {PART("\"output\":[]"), "components[0].output" STRING},
        {PART("\"output_truncated\":1"), "components[0].output_truncated is not true or false"},
        {PART("\"since\":\"x\""), "components[0].since" TIME},
        {PART("\"unit\":[]"), "components[0].unit is not an object"},
        {UNIT("\"id\":1"), "components[0].unit.id" STRING},
        {UNIT("\"load\":1"), "components[0].unit.load" STRING},
        {UNIT("\"active\":1"), "components[0].unit.active" STRING},
        {UNIT("\"sub\":1"), "components[0].unit.sub" STRING},
        {UNIT("\"type\":1"), "components[0].unit.type" STRING},
        {UNIT("\"result\":1"), "components[0].unit.result" STRING},
        {UNIT("\"exit_status\":256"), "components[0].unit.exit_status" NUMBER},
        {UNIT("\"exit_status\":\"1\""), "components[0].unit.exit_status" NUMBER},
        {UNIT("\"exit_signal\":9"), "components[0].unit.exit_signal" STRING},
        {UNIT("\"restarts\":4294967296"), "components[0].unit.restarts" NUMBER},
        {UNIT("\"restarts_10min\":-1"), "components[0].unit.restarts_10min" NUMBER},
        {UNIT("\"main_pid\":-1"), "components[0].unit.main_pid" NUMBER},
        {UNIT("\"unit_file_state\":1"), "components[0].unit.unit_file_state" STRING},
        {UNIT("\"triggered_by\":{}"), "components[0].unit.triggered_by is not a list"},
        {UNIT("\"triggered_by\":[1]"), "components[0].unit.triggered_by is not a list of strings"},
        {UNIT("\"notes\":[null]"), "components[0].unit.notes is not a list of strings"},
        {UNIT("\"active_since\":\"x\""), "components[0].unit.active_since" TIME},
        {UNIT("\"state_since\":\"x\""), "components[0].unit.state_since" TIME},
        {UNIT("\"job\":1"), "components[0].unit.job" STRING},
        {UNIT("\"status_text\":1"), "components[0].unit.status_text" STRING},
};
/* clang-format on */

START_TEST(names_the_fault)
{
        struct diag_report *r = (struct diag_report *)&node;
        struct diag_moment m = {.uptime_usec = 7};
        struct err e = {0};
        const char *said;

        ck_assert_int_eq(
                diag_report_from_json(&r, &m, faults[_i].text, strlen(faults[_i].text), &e),
                -EBADMSG);
        ck_assert_int_eq(e.code, -EBADMSG);
        said = strstr(e.text, faults[_i].want);
        ck_assert_msg(said == e.text || (said && strncmp(e.text, "line ", 5) == 0), "%d: %s", _i,
                      e.text);
        ck_assert_ptr_eq(r, &node);
        ck_assert_uint_eq(m.uptime_usec, 7);
        ck_assert_int_eq(
                diag_report_from_json(&r, NULL, faults[_i].text, strlen(faults[_i].text), NULL),
                -EBADMSG);
}
END_TEST

START_TEST(limits_components)
{
        _cleanup_(buf_done) struct buf b = {0};
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        struct diag_report *none = NULL;
        struct err e;

        buf_puts(&b, "{" ID ",\"components\":[");
        for (unsigned i = 0; i < DIAG_COMPONENTS_MAX; i++)
                buf_printf(&b, "%s{\"name\":\"%u\"}", i ? "," : "", i);
        buf_puts(&b, "]}");
        r = decode(b.data, b.n, NULL);
        ck_assert_uint_eq(r->n_components, DIAG_COMPONENTS_MAX);
        b.n -= 2;
        buf_puts(&b, ",{\"name\":\"x\"}]}");
        ck_assert_int_eq(diag_report_from_json(&none, NULL, b.data, b.n, &e), -E2BIG);
        ck_assert_str_eq(e.text, "4097 components are more than 4096");
        ck_assert_ptr_null(none);
}
END_TEST

START_TEST(limits_bytes)
{
        struct diag_report *r = NULL;
        struct err e;

        ck_assert_int_eq(diag_report_from_json(&r, NULL, "{}", DIAG_REPORT_JSON_MAX + 1, &e),
                         -E2BIG);
        ck_assert_str_eq(e.text, "16777217 bytes are more than 16777216");
}
END_TEST

START_TEST(limits_nesting)
{
        static char deep[1000000];
        struct diag_report *r = NULL;
        struct err e;

        memset(deep, '[', sizeof(deep));
        ck_assert_int_eq(diag_report_from_json(&r, NULL, deep, sizeof(deep), &e), -EBADMSG);
        ck_assert_msg(strstr(e.text, "depth") != NULL, "%s", e.text);
}
END_TEST

START_TEST(cuts_long_strings)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, "{" ID ",\"hostname\":\"");
        for (size_t i = 0; i < DIAG_OUTPUT_MAX + 9; i++)
                buf_putc(&b, 'h');
        buf_puts(&b, "\",\"components\":[{\"name\":\"a\",\"output\":\"");
        for (size_t i = 0; i < DIAG_OUTPUT_MAX + 9; i++)
                buf_putc(&b, 'o');
        buf_puts(&b, "\",\"text\":\"");
        for (size_t i = 0; i < DIAG_OUTPUT_MAX + 9; i++)
                buf_putc(&b, 't');
        buf_puts(&b, "\"}]}");
        r = decode(b.data, b.n, NULL);
        ck_assert_uint_eq(strlen(r->node.hostname), DIAG_STRING_MAX);
        ck_assert_uint_eq(strlen(r->components[0].output), DIAG_OUTPUT_MAX);
        ck_assert_uint_eq(strlen(r->components[0].text), DIAG_STRING_MAX);
}
END_TEST

START_TEST(drops_probes_that_are_too_many)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, "{" ID ",\"components\":[{\"name\":\"a\",\"probes\":[{}");
        for (size_t i = 0; i < DIAG_PROBES_MAX; i++)
                buf_puts(&b, ",{}");
        buf_puts(&b, "]}]}");
        r = decode(b.data, b.n, NULL);
        ck_assert_uint_eq(r->components[0].n_probes, DIAG_PROBES_MAX);
}
END_TEST

START_TEST(drops_what_is_too_many)
{
        static const char text[] =
                UNIT("\"triggered_by\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\","
                     "\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"],"
                     "\"notes\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]");
        _cleanup_(diag_report_unrefp) struct diag_report *r = decode(text, strlen(text), NULL);

        ck_assert_uint_eq(r->components[0].unit->n_triggered_by, DIAG_UNIT_TRIGGERS_MAX);
        ck_assert_str_eq(r->components[0].unit->triggered_by[15], "16");
        ck_assert_uint_eq(r->components[0].n_notes, DIAG_UNIT_NOTES_MAX);
}
END_TEST

/* --- lenient -------------------------------------------------------------------------------- */

START_TEST(takes_what_a_newer_node_says)
{
        static const char text[] =
                "{" ID ",\"new\":{\"er\":[1]},\"health\":\"superb\",\"phase\":\"dancing\","
                "\"role\":\"king\","
                "\"reasons\":[{\"code\":\"of-the-future\",\"text\":\"x\",\"n\":1}],"
                "\"maintenance\":{\"mood\":\"good\"},"
                "\"components\":[{\"name\":\"a\",\"kind\":\"container\",\"health\":\"dubious\","
                "\"code\":\"of-the-future\",\"text\":\"x\",\"expect\":\"bliss\",\"mood\":3,"
                "\"unit\":{\"exit_signal\":\"SIGNEW\",\"pet\":null},\"probes\":[{}],"
                "\"needs\":[\"b\"]}]}";
        _cleanup_(diag_report_unrefp) struct diag_report *r = decode(text, strlen(text), NULL);

        ck_assert_int_eq(r->health, DIAG_UNKNOWN);
        ck_assert_int_eq(r->node.role, DIAG_ROLE_UNKNOWN);
        ck_assert_int_eq(r->node_code, DIAG_CODE_NONE);
        ck_assert_int_eq(r->components[0].health, DIAG_UNKNOWN);
        ck_assert_int_eq(r->components[0].code, DIAG_CODE_NONE);
        ck_assert_str_eq(r->components[0].text, "x");
        ck_assert_int_eq(r->components[0].expect, DIAG_EXPECT_AUTO);
        ck_assert_int_eq(r->components[0].unit->exec_main_code, CLD_KILLED);
        ck_assert_int_eq(r->components[0].unit->exec_main_status, 0);
}
END_TEST

START_TEST(takes_absent_and_null_for_unknown)
{
        static const char *const texts[] = {
                "{" ID ",\"components\":[{\"name\":\"a\"}]}",
                "{" ID ",\"node_id\":null,\"seq\":null,\"port\":null,\"health\":null,"
                "\"since\":null,\"counts\":null,\"reasons\":null,\"truncated\":null,"
                "\"system\":null,\"components\":[{\"name\":\"a\",\"title\":null,\"health\":null,"
                "\"code\":null,\"since\":null,\"unit\":null,\"output_truncated\":null}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
                struct diag_moment m;

                r = decode(texts[i], strlen(texts[i]), &m);
                ck_assert_str_eq(r->node.node_id, "");
                ck_assert_int_eq(r->health, DIAG_UNKNOWN);
                ck_assert_uint_eq(r->since_wall_usec, 0);
                ck_assert_uint_eq(r->seq, 0);
                ck_assert_uint_eq(r->counts.n[DIAG_UNKNOWN], 1);
                ck_assert_uint_eq(r->components[0].since_wall_usec, 0);
                ck_assert_ptr_null(r->components[0].unit);
                ck_assert_uint_eq(m.confirmed_age_usec, 0);
        }
}
END_TEST

/* A node that says it has never been confirmed must not look as if that were just now. */
START_TEST(takes_no_confirmation_for_never)
{
        static const char *const texts[] = {WITH("\"system\":{}"),
                                            WITH("\"system\":{\"confirmed_age_seconds\":null}")};

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
                struct diag_moment m;

                r = decode(texts[i], strlen(texts[i]), &m);
                ck_assert_ptr_nonnull(r);
                ck_assert_uint_eq(m.confirmed_age_usec, USEC_INFINITY);
        }
}
END_TEST

START_TEST(believes_the_node_about_itself)
{
        static const char text[] = "{" ID ",\"seq\":1841,\"health\":\"unhealthy\","
                                   "\"since\":\"2026-11-21T01:44:07.123+01:00\","
                                   "\"components\":[{\"name\":\"b\"},{\"name\":\"a\","
                                   "\"health\":\"healthy\"},{\"name\":\"b\",\"title\":\"2nd\"}]}";
        _cleanup_(diag_report_unrefp) struct diag_report *r = decode(text, strlen(text), NULL);

        ck_assert_int_eq(r->health, DIAG_UNHEALTHY);
        ck_assert_uint_eq(r->seq, 1841);
        ck_assert_uint_eq(r->since_wall_usec, NOW);
        ck_assert_uint_eq(r->n_components, 2); /* sorted, without doubles */
        ck_assert_str_eq(r->components[0].name, "a");
        ck_assert(r->sealed);
}
END_TEST

START_TEST(needs_no_nul)
{
        static const char text[] = WITH("\"seq\":7");
        _cleanup_(freep) char *exact = malloc(strlen(text));
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;

        ck_assert_ptr_nonnull(exact);
        for (size_t i = 0; i < strlen(text); i++) /* a sanitizer sees a byte too far */
                exact[i] = text[i];
        r = decode(exact, strlen(text), NULL);
        ck_assert_uint_eq(r->seq, 7);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("report_json");
        TCase *bytes = tcase_create("bytes"), *back = tcase_create("back"),
              *small = tcase_create("short"), *strict = tcase_create("strict"),
              *lenient = tcase_create("lenient");

        tcase_add_test(bytes, spells_the_short_form);
        tcase_add_test(bytes, spells_the_full_form);
        tcase_add_test(bytes, spells_probes_in_the_order_of_their_names);
        tcase_add_test(bytes, reads_probes_and_maintenance_that_it_wrote);
        tcase_add_test(bytes, leaves_out_what_was_printed);
        tcase_add_test(bytes, drops_probes_that_are_too_many);
        tcase_add_test(bytes, says_null_for_what_is_not_known);
        suite_add_tcase(s, bytes);

        tcase_add_test(back, reads_what_it_wrote);
        tcase_add_test(back, reads_the_short_form_that_it_wrote);
        tcase_add_loop_test(back, reads_ages_to_the_millisecond, 0, ELEMENTSOF(ages));
        tcase_add_loop_test(back, reads_phases, 0, ELEMENTSOF(phases));
        tcase_add_loop_test(back, reads_the_largest_numbers, 0, ELEMENTSOF(largest));
        suite_add_tcase(s, back);

        tcase_set_timeout(small, 60);
        tcase_add_test(small, depends_on_seq_alone);
        tcase_add_loop_test(small, is_cut_worst_first, 0, ELEMENTSOF(floods));
        tcase_add_test(small, counts_all_components_of_a_cut_report);
        suite_add_tcase(s, small);

        tcase_add_loop_test(strict, names_the_fault, 0, ELEMENTSOF(faults));
        tcase_add_test(strict, limits_components);
        tcase_add_test(strict, limits_bytes);
        tcase_add_test(strict, limits_nesting);
        tcase_add_test(strict, cuts_long_strings);
        tcase_add_test(strict, drops_what_is_too_many);
        suite_add_tcase(s, strict);

        tcase_add_test(lenient, takes_what_a_newer_node_says);
        tcase_add_test(lenient, takes_absent_and_null_for_unknown);
        tcase_add_test(lenient, takes_no_confirmation_for_never);
        tcase_add_test(lenient, believes_the_node_about_itself);
        tcase_add_test(lenient, needs_no_nul);
        suite_add_tcase(s, lenient);
        return test_main(s);
}
