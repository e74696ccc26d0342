/* It would rather have no report than one with a hole: holes look like health. */

#include <signal.h>

#include <jansson.h>

#include "base/mono.h"
#include "model/report_json.h"
#include "model/report_v1.h"
#include "tests/fakes/oom.h"

#define N_COMPONENTS 70u /* the array grows more than once */
#define NOW          UINT64_C(1600000000000000)

static const struct diag_node node = {.node_id = "0123456789abcdef0123456789abcdef",
                                      .boot_id = "fedcba9876543210fedcba9876543210",
                                      .hostname = "n",
                                      .kernel_hostname = "n",
                                      .address = "10.0.0.1",
                                      .mesos_id = "m",
                                      .version = "1",
                                      .dcos_version = "2",
                                      .role = DIAG_ROLE_AGENT,
                                      .port = 1050};
static const struct diag_system nothing = {.state = "running", .version = "252"};
static const struct diag_moment moment = {.now_wall_usec = NOW, .uptime_usec = 1000000};
static const struct diag_maintenance maintenance = {
        .reason = "a new disk", .by = "uid 0", .since_wall_usec = NOW};
static const struct diag_unit good = {.id = "good.service",
                                      .load_state = "loaded",
                                      .active_state = "active",
                                      .sub_state = "running",
                                      .status_text = "ready",
                                      .n_triggered_by = 1,
                                      .triggered_by = {"good.timer"}};
static const struct diag_unit bad = {.id = "bad.service",
                                     .load_state = "loaded",
                                     .active_state = "failed",
                                     .sub_state = "failed",
                                     .result = "exit-code",
                                     .exec_main_code = CLD_EXITED,
                                     .exec_main_status = 3,
                                     .n_restarts = 5,
                                     .start_limit_burst = 5};
static const struct diag_probe probes[] = {
        {.name = "tcp",  .kind = "tcp", .health = DIAG_HEALTHY, .text = "", .output = ""},
        { .name = "http",
         .kind = "http",
         .health = DIAG_UNHEALTHY,
         .code = DIAG_CODE_PROBE_FAILED,
         .text = "HTTP status 503, not 200",
         .output = "we are closed"},
};

/* Made while memory is plenty: what all others are compared with. */
static struct diag_report *sealed;
static struct buf v1, v1_reasons, health_form, full;

/* --- a report ------------------------------------------------------------------------------------ */

/* Every third one is bad, as agentd/reporter.c would make it. */
static int add(struct diag_report *r, unsigned i)
{
        const struct diag_unit *u = i % 3 ? &good : &bad;
        const struct diag_unit_context context = {.no_facts = "", .failed_dependency = ""};
        struct diag_verdict v = diag_unit_judge(u, &context);
        char name[32];
        struct diag_component c = {.name = name,
                                   .health = v.health,
                                   .code = v.code,
                                   .text = diag_unit_text(&r->arena, u, &context, v),
                                   .output = i % 3 ? "" : "line\nline\n",
                                   .unit = u,
                                   .probes = probes,
                                   .n_probes = ELEMENTSOF(probes)};

        (void)snprintf(name, sizeof(name), "%02u.service", i);
        diag_split_description(&r->arena, name, i % 2 ? "Title: text" : "a: b: c", &c.title,
                               &c.description);
        c.n_notes = diag_unit_notes(&r->arena, u, &context, c.notes);
        return diag_report_add(r, &c);
}

/* @careless: goes on after a failure, as nobody should. */
static int build(struct diag_report **ret, bool careless)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        int k = diag_report_new(&r, &node, &nothing, "dcos.target");

        if (k < 0)
                return k;
        r->instance = 7;
        r->phase = DIAG_PHASE_RUNNING;
        diag_report_set_reason(r, DIAG_UNKNOWN, DIAG_CODE_NO_FACTS, "nobody was asked");
        diag_report_set_maintenance(r, &maintenance);
        for (unsigned i = 0; (k >= 0 || careless) && i < N_COMPONENTS; i++)
                k = add(r, N_COMPONENTS - i);
        if (k < 0 && !careless)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

/* Not one component fewer, not one text emptier. */
static void ensure_whole(const struct diag_report *r, const struct diag_report *want)
{
        ensure(r->sealed && r->n_components == want->n_components && r->health == want->health);
        ensure(streq(r->node_text, want->node_text) && streq(r->target, want->target));
        ensure(diag_node_equal(&r->node, &want->node));
        ensure(r->maintenance && streq(r->maintenance->reason, "a new disk"));
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i], *w = &want->components[i];

                ensure(streq(c->name, w->name) && streq(c->title, w->title));
                ensure(streq(c->description, w->description) && streq(c->text, w->text));
                ensure(streq(c->output, w->output));
                ensure(c->health == w->health && c->code == w->code);
                ensure(c->n_probes == w->n_probes && c->n_notes == w->n_notes);
                ensure(c->unit && streq(c->unit->active_state, w->unit->active_state));
                for (size_t k = 0; k < c->n_probes; k++)
                        ensure(streq(c->probes[k].text, w->probes[k].text) &&
                               c->probes[k].health == w->probes[k].health);
        }
}

static int build_and_seal(bool careless)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        int k = build(&r, careless);

        if (k >= 0)
                k = diag_report_seal(r, NULL, NOW, NULL, NULL);
        if (k >= 0)
                ensure_whole(r, sealed);
        ensure(k >= 0 || !r || !r->sealed);
        return k;
}

static int run_report(void)
{
        return build_and_seal(false);
}

static int run_careless(void)
{
        return build_and_seal(true);
}

static void count_change(const struct diag_change *change, void *userdata)
{
        (void)change;
        ++*(unsigned *)userdata;
}

/* Nobody is told of a change that no report will show. */
static int run_next_report(void)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        unsigned n_changes = 0;
        int k = build(&r, true);

        if (k >= 0) {
                diag_report_set_reason(r, DIAG_UNHEALTHY, DIAG_CODE_SYSTEM_MAINTENANCE, "other");
                k = diag_report_seal(r, sealed, NOW + 1, count_change, &n_changes);
        }
        ensure(n_changes == (k >= 0 ? 1 : 0));
        if (k >= 0)
                ensure(r->seq == sealed->seq + 1 && streq(r->node_text, "other"));
        return k;
}

static int run_empty_report(void)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        int k = diag_report_new(&r, &node, &nothing, "dcos.target");

        if (k >= 0)
                k = diag_report_seal(r, NULL, NOW, NULL, NULL);
        if (k < 0)
                return k;
        ensure(r->health == DIAG_UNKNOWN && r->node_code == DIAG_CODE_NO_COMPONENTS);
        ensure(*r->node_text);
        return 0;
}

static int run_stale(void)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = diag_report_stale(sealed, "is old");

        if (!r)
                return -ENOMEM;
        ensure(r->health == DIAG_UNKNOWN && r->counts.n[DIAG_UNKNOWN] == N_COMPONENTS);
        ensure(r->seq == sealed->seq && r->maintenance);
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                ensure(c->health == DIAG_UNKNOWN && c->code == DIAG_CODE_FACTS_STALE);
                ensure(streq(c->text, "is old") && !*c->output);
                ensure(c->probes[0].health == DIAG_UNKNOWN && !*c->probes[0].output);
        }
        return 0;
}

/* --- spelling --------------------------------------------------------------------------------------- */

static int compare(const struct blob *b, const struct buf *want)
{
        if (!b)
                return -ENOMEM;
        ensure(blob_size(b) == want->n && memcmp(blob_data(b), want->data, want->n) == 0);
        return 0;
}

static int run_v1(void)
{
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_v1(sealed);

        return compare(b, &v1);
}

static int run_v1_reasons(void)
{
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_v1_reasons(sealed);

        return compare(b, &v1_reasons);
}

static int run_health_form(void)
{
        _cleanup_(blob_unrefp) struct blob *b = diag_report_render_health(sealed);

        return compare(b, &health_form);
}

/* A report of its own: a rendering is kept once it has been made, and a failure is not. */
static int run_full(void)
{
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        _cleanup_(buf_done) struct buf out = {0};
        int k = build(&r, false);

        if (k >= 0)
                k = diag_report_seal(r, NULL, NOW, NULL, NULL);
        if (k < 0)
                return k;
        diag_report_write_full(&out, r, &moment, true);
        if (out.error) {
                ensure(streq(buf_cstr(&out), ""));
                return out.error;
        }
        ensure(out.n == full.n && memcmp(out.data, full.data, full.n) == 0);
        return 0;
}

static int run_one_component(void)
{
        _cleanup_(buf_done) struct buf out = {0};

        diag_report_write_component(&out, &sealed->components[0]);
        ensure(out.error || (out.data[0] == '{' && strrchr(out.data, '}')));
        return out.error;
}

/* --- reading ---------------------------------------------------------------------------------------- */

static int decode(const struct buf *text)
{
        struct diag_report *r = sealed;
        struct diag_moment then = {.uptime_usec = 99};
        struct err e = {0};
        int k = diag_report_from_json(&r, &then, text->data, text->n, &e);

        if (k < 0) {
                ensure(r == sealed && then.uptime_usec == 99); /* untouched */
                return k;
        }
        ensure(r->n_components == N_COMPONENTS && r->health == sealed->health);
        ensure(r->counts.n[DIAG_UNHEALTHY] == sealed->counts.n[DIAG_UNHEALTHY]);
        for (size_t i = 0; i < r->n_components; i++)
                ensure(streq(r->components[i].name, sealed->components[i].name) &&
                       r->components[i].health == sealed->components[i].health);
        diag_report_unref(r);
        return 0;
}

static int run_decode(void)
{
        return decode(&full);
}

static int run_decode_health_form(void)
{
        return decode(&health_form);
}

/* A small one: the library allocates for each member, and may take what it could not keep for nonsense. */
static int run_decode_with_library(void)
{
        static const char text[] = "{\"node_id\":\"a\",\"instance\":\"0123456789abcdef\",\"seq\":1,"
                                   "\"health\":\"healthy\",\"components\":[{\"name\":\"a.service\","
                                   "\"health\":\"healthy\"}]}";
        _cleanup_(diag_report_unrefp) struct diag_report *r = NULL;
        struct err e = {0};
        int k;

        json_set_alloc_funcs(malloc, free);
        k = diag_report_from_json(&r, NULL, text, strlen(text), &e);
        ensure(k >= 0 || (!r && *e.text));
        ensure(k < 0 || (r->n_components == 1 && r->health == DIAG_HEALTHY));
        return k == -EBADMSG ? -ENOMEM : k;
}

/* --- words ------------------------------------------------------------------------------------------- */

/* Every word that a verdict can be: its sentence is whole, or empty and known to be a failure. */
static int run_words(void)
{
        static const struct diag_unit facts = {.result = "exit-code",
                                               .active_state = "odd",
                                               .load_error = "no such file",
                                               .failed_conditions = "ConditionPathExists=/x",
                                               .status_text = "ready",
                                               .exec_main_code = CLD_KILLED,
                                               .exec_main_status = SIGSEGV,
                                               .n_restarts = 5,
                                               .start_limit_burst = 5,
                                               .n_triggered_by = 1,
                                               .triggered_by = {"a.timer"}};
        static const struct diag_unit_context context = {.no_facts = "nobody knows",
                                                         .failed_dependency = "b.service"};
        static char want[DIAG_N_CODES][256];
        static bool known;
        _cleanup_(arena_done) struct arena a = {0};

        for (unsigned i = 0; i < DIAG_N_CODES * 30; i++) {
                struct diag_verdict v = {DIAG_UNHEALTHY, (enum diag_code)(i % DIAG_N_CODES), ""};
                const char *text = diag_unit_text(&a, &facts, &context, v);

                if (!known)
                        (void)snprintf(want[v.code], sizeof(want[0]), "%s", text);
                ensure(a.failed || streq(text, want[v.code]));
        }
        known = true;
        return a.failed ? -ENOMEM : 0;
}

static int run_split(void)
{
        _cleanup_(arena_done) struct arena a = {0};
        const char *title, *description, *whole, *joined;

        diag_split_description(&a, "x.service", "Title: text", &title, &description);
        ensure(a.failed || (streq(title, "Title") && streq(description, "text")));
        diag_split_description(&a, "x.service", "a: b: c", &whole, &joined);
        ensure(title && description && whole && joined);
        if (a.failed)
                return -ENOMEM;
        ensure(streq(whole, "x.service") && streq(joined, "a b c"));
        return 0;
}

static const struct oom_scenario scenarios[] = {
        {"a report",                           run_report             },
        {"a report, and nobody looks",         run_careless           },
        {"a report after another",             run_next_report        },
        {"a report of nothing",                run_empty_report       },
        {"a report that is old",               run_stale              },
        {"API v1",                             run_v1                 },
        {"API v1 without outputs",             run_v1_reasons         },
        {"API v2, short",                      run_health_form        },
        {"API v2, full",                       run_full               },
        {"API v2, one component",              run_one_component      },
        {"reading API v2, full",               run_decode             },
        {"reading API v2, short",              run_decode_health_form },
        {"reading API v2, with the library's", run_decode_with_library},
        {"sentences",                          run_words              },
        {"a description",                      run_split              },
};

START_TEST(says_that_memory_is_out)
{
        oom_run(&scenarios[_i]);
}
END_TEST

static void take(struct buf *to, struct blob *b)
{
        ck_assert_ptr_nonnull(b);
        buf_append(to, blob_data(b), blob_size(b));
        blob_unref(b);
}

static void make_all(void)
{
        ck_assert_int_eq(build(&sealed, false), 0);
        ck_assert_int_eq(diag_report_seal(sealed, NULL, NOW, NULL, NULL), 0);
        ck_assert_uint_eq(sealed->n_components, N_COMPONENTS);
        ck_assert_uint_eq(sealed->counts.n[DIAG_UNHEALTHY], N_COMPONENTS / 3);
        take(&v1, diag_report_render_v1(sealed));
        take(&v1_reasons, diag_report_render_v1_reasons(sealed));
        take(&health_form, diag_report_render_health(sealed));
        diag_report_write_full(&full, sealed, &moment, true);
        ck_assert_int_eq(full.error, 0);
}

static void free_all(void)
{
        sealed = diag_report_unref(sealed);
        buf_done(&v1);
        buf_done(&v1_reasons);
        buf_done(&health_form);
        buf_done(&full);
}

int main(void)
{
        Suite *s = suite_create("oom_model");
        TCase *tc = tcase_create("oom_model");

        tcase_add_checked_fixture(tc, make_all, free_all);
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, says_that_memory_is_out, 0, ELEMENTSOF(scenarios));
        suite_add_tcase(s, tc);
        return test_main(s);
}
