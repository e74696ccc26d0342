/* A kind of probe under our control, and a clock that we move: when is who asked, and what is told? */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "probes/prober.h"
#include "tests/unit/test_main.h"

#define BOOT    "0c8a9e7d6b5f4a3c2e1d0f9b8a7c6d5e"
#define MSEC    USEC_PER_MSEC
#define SEC     USEC_PER_SEC
#define ALL_MAX 200u

/* --- the kind: it ends when we say so, or where Do= says so, at once -------------------------------- */

static struct probe_run *running[ALL_MAX];
static unsigned n_started, n_stopped;

static int fake_parse(const struct probe_settings *s, void **ret_cfg, _unused_ struct err *e)
{
        const char *what = probe_settings_get(s, "Do");

        *ret_cfg = strdup(what ? what : "");
        return *ret_cfg ? 0 : -ENOMEM;
}

static int fake_start(struct probe_run *run, struct err *e)
{
        struct probe_verdict v = {0};

        n_started++;
        ck_assert_ptr_null(run->state);
        if (streq(run->cfg, "refuse"))
                return err_set(e, -EIO, "cannot begin");
        run->state = run;
        for (size_t i = 0; i < ALL_MAX; i++)
                ck_assert_ptr_ne(running[i], run); /* no two runs of one */
        for (size_t i = 0; i < ALL_MAX; i++)
                if (!running[i]) {
                        running[i] = run;
                        break;
                }
        if (streq(run->cfg, "pass")) {
                probe_verdict_set(&v, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
                probe_done(run, &v);
        }
        return 0;
}

static void fake_stop(struct probe_run *run)
{
        n_stopped++;
        for (size_t i = 0; i < ALL_MAX; i++)
                if (running[i] == run)
                        running[i] = NULL;
        run->state = NULL;
}

static const struct probe_key keys[] = {
        {"Do", NULL},
        {NULL, NULL},
};

static const struct probe_ops fake = {
        .kind = "fake",
        .keys = keys,
        .parse = fake_parse,
        .start = fake_start,
        .stop = fake_stop,
        .free_cfg = free,
};

/* Instead of kinds.c: the linker takes the first that it meets. */
const struct probe_ops *const probe_kinds[] = {&fake, NULL};

/* --- one prober ------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/test_prober.XXXXXX";
static uint64_t now;
static struct loop *loop;
static struct probe_settings *settings[ALL_MAX];
static size_t n_settings;
static struct prober *prober;
static unsigned n_changed;
static struct diag_probe got;

/* Little time after a boot: what the timer is set to has passed on the real clock, so it fires at once. */
static void setup(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
        now = SEC;
        clock_fake(&now);
        ck_assert_int_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
        prober = prober_free(prober);
        for (size_t i = 0; i < n_settings; i++)
                probe_settings_free(settings[i]);
        loop = loop_free(loop);
        (void)unlink("f");
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(rmdir(dir), 0);
}

static void on_changed(_unused_ void *userdata)
{
        n_changed++;
}

static void add(const char *name, const char *key, const char *value)
{
        struct probe_settings *s;
        struct err e;

        ck_assert_int_eq(probe_settings_new(&s, name), 0);
        ck_assert_int_eq(probe_settings_set(s, "Component", "c", &e), 0);
        ck_assert_int_eq(probe_settings_set(s, "Kind", "fake", &e), 0);
        ck_assert_int_eq(probe_settings_set(s, "Interval", "2s", &e), 0);
        ck_assert_int_eq(probe_settings_set(s, "Timeout", "1s", &e), 0);
        if (key)
                ck_assert_msg(probe_settings_set(s, key, value, &e) == 0, "%s", e.text);
        ck_assert_msg(probe_settings_check(s, &e) == 0, "%s", e.text);
        settings[n_settings++] = s;
}

static void open_prober(const char *state_path, const char *boot_id)
{
        ck_assert_int_eq(prober_new(&prober, loop, NULL,
                                    (const struct probe_settings *const *)settings, n_settings,
                                    state_path, boot_id, on_changed, NULL),
                         0);
}

static void begin(const char *key, const char *value)
{
        add("p", key, value);
        open_prober(NULL, BOOT);
}

/* Enough turns for whatever is due: a timer that is set anew is due again. */
static void turn(void)
{
        for (unsigned i = 0; i < 4; i++)
                ck_assert_int_ge(sd_event_run(loop_event(loop), 0), 0);
}

static void pass_time(uint64_t usec)
{
        for (; usec >= 100 * MSEC; usec -= 100 * MSEC) {
                now += 100 * MSEC;
                turn();
        }
        now += usec;
        turn();
}

static unsigned n_running(void)
{
        unsigned n = 0;

        for (size_t i = 0; i < ALL_MAX; i++)
                n += running[i] != NULL;
        return n;
}

static void end_run(struct probe_run *run, char answer)
{
        struct probe_verdict v = {.output = "said", .n_output = 4};

        if (answer == 'P')
                probe_verdict_set(&v, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
        else
                probe_verdict_set(&v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "failed");
        probe_done(run, &v);
}

/* The next run of the one probe there is. */
static void answer(char what)
{
        for (unsigned i = 0; i < 40 && !running[0]; i++)
                pass_time(100 * MSEC);
        ck_assert_ptr_nonnull(running[0]);
        end_run(running[0], what);
}

static void answer_all(char what)
{
        for (size_t i = 0; i < ALL_MAX; i++)
                if (running[i])
                        end_run(running[i], what);
}

static void must_be(enum diag_health health, enum diag_code code, const char *text)
{
        prober_get(prober, 0, &got);
        ck_assert_str_eq(got.text, text);
        ck_assert_str_eq(diag_code_to_string(got.code), diag_code_to_string(code));
        ck_assert_int_eq(got.health, health);
}

/* --- results ---------------------------------------------------------------------------------------- */

START_TEST(knows_nothing_before_the_first_result)
{
        begin(NULL, NULL);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        ck_assert_str_eq(got.name, "p");
        ck_assert_str_eq(got.kind, "fake");
        ck_assert_str_eq(got.output, "");
        ck_assert_uint_eq(got.last_run_wall_usec, 0);
        ck_assert_uint_eq(got.n_window, 0);
        ck_assert(got.next_run_wall_usec >= now && got.next_run_wall_usec <= now + SEC);
        ck_assert(!prober_is_settled(prober));
}
END_TEST

START_TEST(tells_a_result)
{
        begin(NULL, NULL);
        while (!running[0])
                pass_time(100 * MSEC);
        now += 12 * MSEC;
        end_run(running[0], 'P');
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(got.output, "said");
        ck_assert_uint_eq(got.last_run_wall_usec, now);
        ck_assert_uint_eq(got.took_usec, 12 * MSEC);
        ck_assert_uint_gt(got.next_run_wall_usec, now);
        ck_assert_uint_eq(got.n_window, 1);
        ck_assert_uint_eq(got.window, 1);
        ck_assert_uint_eq(prober_n_results(prober), 1);
        ck_assert_uint_eq(n_changed, 1);
        ck_assert(prober_is_settled(prober));
}
END_TEST

START_TEST(tells_of_changes_only)
{
        begin("FailAfter", "2");
        answer('P');
        ck_assert_uint_eq(n_changed, 1);
        answer('P');
        answer('F');
        ck_assert_uint_eq(n_changed, 1);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        answer('F');
        ck_assert_uint_eq(n_changed, 2);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "failed");
        answer('F');
        ck_assert_uint_eq(n_changed, 2);
        answer('P');
        ck_assert_uint_eq(n_changed, 3);
        ck_assert_uint_eq(prober_n_results(prober), 6);
        prober_get(prober, 0, &got);
        ck_assert_uint_eq(got.window, 0x31); /* 110001 */
        ck_assert_uint_eq(n_started, n_stopped);
}
END_TEST

START_TEST(takes_a_result_from_within_start)
{
        begin("Do", "pass");
        pass_time(SEC);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        pass_time(10 * SEC);
        ck_assert_uint_ge(n_started, 5);
        ck_assert_uint_le(n_started, 7);
        ck_assert_uint_eq(n_stopped, n_started);
}
END_TEST

START_TEST(does_not_know_when_it_could_not_ask)
{
        add("p", "Do", "refuse");
        ck_assert_int_eq(probe_settings_set(settings[0], "FailAfter", "1", NULL), 0);
        ck_assert_int_eq(probe_settings_check(settings[0], NULL), 0);
        open_prober(NULL, BOOT);
        pass_time(SEC);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot begin");
        ck_assert_uint_eq(n_stopped, 0);
        pass_time(4 * SEC);
        ck_assert_uint_ge(n_started, 2);
}
END_TEST

static void output(char *raw, size_t n, bool begins)
{
        struct probe_verdict v = {.output = raw, .n_output = n, .output_begin = begins};

        probe_verdict_set(&v, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
        for (unsigned i = 0; i < 40 && !running[0]; i++)
                pass_time(100 * MSEC);
        probe_done(running[0], &v);
        prober_get(prober, 0, &got);
}

START_TEST(cuts_output)
{
        char raw[PROBE_OUTPUT_MAX + 10];

        begin(NULL, NULL);
        memset(raw, 'm', sizeof(raw));
        raw[0] = 'b';
        raw[sizeof(raw) - 1] = 'e';
        raw[100] = '\0';
        output(raw, sizeof(raw), false);
        ck_assert_uint_eq(strlen(got.output), PROBE_OUTPUT_MAX);
        ck_assert_int_eq(got.output[PROBE_OUTPUT_MAX - 1], 'e');
        output(raw, sizeof(raw), true);
        ck_assert_uint_eq(strlen(got.output), PROBE_OUTPUT_MAX);
        ck_assert_int_eq(got.output[0], 'b');
        output(raw, 0, true);
        ck_assert_str_eq(got.output, "");
}
END_TEST

/* What is cut off is the key, which alone tells that the rest is a secret. */
START_TEST(masks_output_before_it_is_cut)
{
        char raw[PROBE_OUTPUT_MAX + 10];

        begin(NULL, NULL);
        memset(raw, 's', sizeof(raw));
        (void)snprintf(raw, sizeof(raw), "password=");
        raw[strlen(raw)] = 's';
        output(raw, sizeof(raw), false);
        ck_assert_str_eq(got.output, "password=[redacted]");
}
END_TEST

/* --- when ------------------------------------------------------------------------------------------- */

static void add_many(size_t n, const char *key, const char *value)
{
        char name[32];

        for (size_t i = 0; i < n; i++) {
                (void)snprintf(name, sizeof(name), "p%zu", i);
                add(name, key, value);
        }
}

START_TEST(has_first_results_soon)
{
        add_many(ALL_MAX, "Interval", "1d");
        open_prober(NULL, BOOT);
        ck_assert(!prober_is_settled(prober));
        for (unsigned i = 0; i < 10; i++) {
                pass_time(100 * MSEC);
                while (n_running() > 0) {
                        answer_all('P');
                        turn();
                }
                ck_assert_uint_le(n_started, 2 * (i + 1) * ALL_MAX / 10); /* not all at once */
        }
        ck_assert(prober_is_settled(prober));
        ck_assert_uint_eq(n_started, ALL_MAX);
}
END_TEST

START_TEST(spreads_the_load)
{
        unsigned before, least = ALL_MAX, most = 0;

        add_many(ALL_MAX, "Interval", "10s");
        open_prober(NULL, BOOT);
        for (unsigned i = 0; i < 50; i++) {
                before = n_started;
                for (unsigned k = 0; k < 10; k++) {
                        pass_time(100 * MSEC);
                        while (n_running() > 0) {
                                answer_all('P');
                                turn();
                        }
                }
                if (i < 20)
                        continue;
                least = n_started - before < least ? n_started - before : least;
                most = n_started - before > most ? n_started - before : most;
        }
        ck_assert_uint_ge(least, 10); /* 20 in the mean */
        ck_assert_uint_le(most, 32);
}
END_TEST

START_TEST(runs_only_so_many_at_once)
{
        add_many(2 * PROBER_RUNNING_MAX, NULL, NULL);
        open_prober(NULL, BOOT);
        pass_time(2 * SEC);
        ck_assert_uint_eq(n_running(), PROBER_RUNNING_MAX);
        ck_assert_uint_eq(n_started, PROBER_RUNNING_MAX);
        end_run(running[3], 'P');
        ck_assert_uint_eq(n_started,
                          PROBER_RUNNING_MAX); /* not on the stack of the one that ended */
        turn();
        ck_assert_uint_eq(n_running(), PROBER_RUNNING_MAX);
        ck_assert_uint_eq(n_started, PROBER_RUNNING_MAX + 1);
        for (unsigned i = 0; i < 2 * PROBER_RUNNING_MAX; i++) {
                answer_all('P');
                turn();
                ck_assert_uint_le(n_running(), PROBER_RUNNING_MAX);
        }
        ck_assert_uint_ge(prober_n_results(prober), 2 * PROBER_RUNNING_MAX);
        ck_assert(prober_is_settled(prober)); /* nobody was passed over */
}
END_TEST

START_TEST(never_asks_one_twice_at_once)
{
        begin(NULL, NULL);
        pass_time(9 * SEC);
        ck_assert_uint_eq(n_started, 1);
        end_run(running[0], 'P');
        turn();
        ck_assert_uint_eq(n_started, 2); /* long due */
}
END_TEST

START_TEST(keeps_its_beat)
{
        uint64_t first;

        begin("Do", "pass");
        pass_time(4 * SEC);
        prober_get(prober, 0, &got);
        first = got.next_run_wall_usec;
        pass_time(20 * SEC);
        prober_get(prober, 0, &got);
        ck_assert_uint_eq((got.next_run_wall_usec - first) % (2 * SEC), 0);
}
END_TEST

/* --- silence ---------------------------------------------------------------------------------------- */

START_TEST(is_late_when_no_result_comes)
{
        uint64_t ended;

        begin(NULL, NULL);
        answer('P');
        ended = now;
        ck_assert_uint_eq(prober_late_at(prober), ended + 5 * SEC);
        while (now + 100 * MSEC < ended + 5 * SEC)
                pass_time(100 * MSEC);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_uint_eq(n_changed, 1);
        now = ended + 5 * SEC;
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_LATE, "no result within 5 s");
        ck_assert_uint_eq(prober_late_at(prober), USEC_INFINITY);
        ck_assert_uint_eq(n_changed, 1); /* the loop has not turned, and yet it was not healthy */
        turn();
        ck_assert_uint_eq(n_changed, 2);
        pass_time(5 * SEC);
        ck_assert_uint_eq(n_changed, 2);
        end_run(running[0], 'F');
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "so far: failed");
        answer('P');
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

START_TEST(does_not_fall_back_on_what_is_too_old)
{
        begin(NULL, NULL);
        answer('P');
        pass_time(3 * SEC);
        ck_assert_ptr_nonnull(running[0]);
        now += 10 * SEC; /* the loop was held up */
        end_run(running[0], 'F');
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "so far: failed");
        ck_assert_uint_eq(n_changed, 2);
}
END_TEST

START_TEST(is_settled_when_the_first_result_is_late)
{
        begin(NULL, NULL);
        pass_time(4900 * MSEC);
        ck_assert(!prober_is_settled(prober));
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        now += 100 * MSEC;
        ck_assert(prober_is_settled(prober));
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_LATE, "no result within 5 s");
}
END_TEST

/* --- skipping --------------------------------------------------------------------------------------- */

START_TEST(does_not_ask_what_is_skipped)
{
        begin(NULL, NULL);
        prober_skip(prober, 0, true);
        ck_assert(prober_is_settled(prober));
        ck_assert_uint_eq(prober_late_at(prober), USEC_INFINITY);
        pass_time(10 * SEC);
        ck_assert_uint_eq(n_started, 0);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        ck_assert(got.skipped);
        ck_assert_uint_eq(got.next_run_wall_usec, 0);
        prober_skip(prober, 0, false);
        ck_assert(!prober_is_settled(prober));
        turn();
        ck_assert_uint_eq(n_started, 1);
}
END_TEST

START_TEST(keeps_the_result_of_what_is_skipped)
{
        begin(NULL, NULL);
        answer('P');
        pass_time(3 * SEC);
        ck_assert_uint_eq(n_running(), 1);
        prober_skip(prober, 0, true);
        ck_assert_uint_eq(n_running(), 0); /* its unit is not up: what it says is not of interest */
        ck_assert_uint_eq(n_stopped, 2);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        pass_time(SEC);
        prober_skip(prober, 0, false);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        turn();
        ck_assert_uint_eq(n_running(), 1);
        prober_skip(prober, 0, true);
        pass_time(10 * SEC);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(got.output, "said");
        ck_assert_uint_eq(n_changed, 1);
}
END_TEST

START_TEST(forgets_a_result_that_became_too_old)
{
        begin(NULL, NULL);
        answer('P');
        prober_skip(prober, 0, true);
        pass_time(5 * SEC);
        prober_skip(prober, 0, false);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        turn();
        end_run(running[0], 'P');
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

/* A unit that goes up and down: no run ever comes to its end, so its old result must not live on. */
START_TEST(forgets_it_also_when_skipped_again_and_again)
{
        begin(NULL, NULL);
        answer('P');
        for (unsigned i = 0; i < 6; i++) {
                prober_skip(prober, 0, true);
                pass_time(500 * MSEC);
                prober_skip(prober, 0, false);
                pass_time(500 * MSEC);
        }
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
}
END_TEST

START_TEST(leaves_the_queue_when_it_is_skipped)
{
        add_many(PROBER_RUNNING_MAX + 2, NULL, NULL);
        open_prober(NULL, BOOT);
        pass_time(1100 * MSEC);
        ck_assert_uint_eq(n_started, PROBER_RUNNING_MAX);
        for (size_t i = 0; i < n_settings; i++)
                prober_skip(prober, i, true);
        pass_time(5 * SEC);
        ck_assert_uint_eq(n_running(), 0);
        ck_assert_uint_eq(n_started, PROBER_RUNNING_MAX);
}
END_TEST

/* --- over a restart --------------------------------------------------------------------------------- */

static void reopen(const char *boot_id)
{
        prober = prober_free(prober);
        n_changed = 0;
        open_prober("f", boot_id);
}

START_TEST(survives_a_restart)
{
        add("p", "FailAfter", "2");
        open_prober("f", BOOT);
        answer('P');
        answer('F');
        reopen(BOOT);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_uint_eq(got.window, 2);
        ck_assert_uint_eq(got.n_window, 2);
        ck_assert_uint_eq(got.last_run_wall_usec, now);
        ck_assert(prober_is_settled(prober));
        ck_assert_uint_eq(prober_late_at(prober), now + 5 * SEC);
        ck_assert_uint_eq(n_changed, 0);
        answer('F'); /* the second in a row */
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "failed");
        reopen(BOOT);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "failed");
        answer('F');
        ck_assert_uint_eq(n_changed, 0);
}
END_TEST

START_TEST(keeps_its_beat_over_a_restart)
{
        unsigned before;

        add("p", "Interval", "1h");
        open_prober("f", BOOT);
        answer('P');
        pass_time(2 * SEC);
        reopen(BOOT);
        before = n_started;
        pass_time(5 * SEC);
        ck_assert_uint_eq(n_started, before);
        prober_get(prober, 0, &got);
        ck_assert_uint_gt(got.next_run_wall_usec, now + 20 * 60 * SEC);
}
END_TEST

START_TEST(takes_over_what_another_found)
{
        struct prober *old;

        add("p", "Interval", "1h");
        open_prober(NULL, BOOT);
        answer('P');
        old = prober;
        open_prober(NULL, BOOT);
        prober_take_over(prober, old);
        prober_free(old);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(got.output, "said");
        pass_time(5 * SEC);
        ck_assert_uint_eq(n_running(), 0);
}
END_TEST

START_TEST(asks_nothing_before_it_is_told)
{
        add("p", NULL, NULL);
        open_prober(NULL, BOOT);
        prober_hold(prober, 0);
        pass_time(10 * SEC);
        ck_assert_uint_eq(n_started, 0);
        prober_skip(prober, 0, false);
        ck_assert(!prober_is_settled(prober));
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        pass_time(100 * MSEC);
        ck_assert_uint_eq(n_started, 1);
}
END_TEST

START_TEST(says_that_a_probe_could_not_have_its_turn)
{
        add_many(PROBER_RUNNING_MAX + 1, NULL, NULL);
        open_prober(NULL, BOOT);
        pass_time(10 * SEC);
        ck_assert_uint_eq(n_started, PROBER_RUNNING_MAX);
        for (size_t i = 0; i < n_settings; i++) {
                prober_get(prober, i, &got);
                ck_assert_int_eq(got.code, DIAG_CODE_PROBE_LATE);
                if (strstr(got.text, "waits for its turn"))
                        return;
        }
        ck_abort_msg("nobody says so");
}
END_TEST

START_TEST(forgets_over_a_boot)
{
        add("p", NULL, NULL);
        open_prober("f", BOOT);
        answer('P');
        reopen("another boot");
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
}
END_TEST

START_TEST(forgets_what_other_settings_found)
{
        add("p", NULL, NULL);
        open_prober("f", BOOT);
        answer('P');
        prober = prober_free(prober);
        ck_assert_int_eq(probe_settings_set(settings[0], "Do", "x", NULL), 0);
        ck_assert_int_eq(probe_settings_check(settings[0], NULL), 0);
        open_prober("f", BOOT);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
}
END_TEST

START_TEST(forgets_what_is_too_old_or_of_the_future)
{
        add("p", NULL, NULL);
        open_prober("f", BOOT);
        answer('P');
        prober = prober_free(prober);
        now += 5 * SEC - 1;
        open_prober("f", BOOT);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        prober = prober_free(prober);
        now += 1;
        open_prober("f", BOOT);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
        prober = prober_free(prober);
        now -= 6 * SEC;
        open_prober("f", BOOT);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "has not been asked yet");
}
END_TEST

START_TEST(writes_at_most_once_a_second)
{
        add("p", "Do", "pass");
        add("q", "Do", "pass");
        ck_assert_int_eq(probe_settings_set(settings[0], "Interval", "1s", NULL), 0);
        ck_assert_int_eq(probe_settings_check(settings[0], NULL), 0);
        open_prober("f", BOOT);
        while (access("f", F_OK) < 0)
                pass_time(100 * MSEC);
        for (unsigned i = 0; i < 5; i++) {
                ck_assert_int_eq(unlink("f"), 0);
                for (unsigned k = 0; k < 9; k++) {
                        pass_time(100 * MSEC);
                        ck_assert_int_eq(access("f", F_OK), -1);
                }
                while (access("f", F_OK) < 0)
                        pass_time(100 * MSEC);
        }
}
END_TEST

START_TEST(says_once_that_it_cannot_write)
{
        struct err e = {0};

        add("p", "Do", "pass");
        open_prober("nowhere/f", BOOT);
        ck_assert(!prober_take_trouble(prober, &e));
        pass_time(3 * SEC);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert(prober_take_trouble(prober, &e));
        ck_assert_ptr_nonnull(strstr(e.text, "nowhere/f"));
        pass_time(5 * SEC);
        ck_assert(!prober_take_trouble(prober, &e));
        ck_assert_int_eq(mkdir("nowhere", 0700), 0);
        pass_time(5 * SEC);
        ck_assert_int_eq(unlink("nowhere/f"), 0);
        ck_assert_int_eq(rmdir("nowhere"), 0);
        ck_assert(!prober_take_trouble(prober, &e));
        pass_time(5 * SEC);
        ck_assert(prober_take_trouble(prober, &e));
}
END_TEST

START_TEST(goes_on_with_what_it_understands)
{
        static const char nonsense[] = "\x7f"
                                       "ELF";
        struct err e;

        ck_assert_int_eq(fs_replace("f", nonsense, sizeof(nonsense) - 1, 0600, NULL), 0);
        add("p", "Do", "pass");
        open_prober("f", BOOT);
        ck_assert(prober_take_trouble(prober, &e));
        ck_assert_str_eq(e.text, "f: does not begin with a boot id");
        pass_time(3 * SEC);
        reopen(BOOT);
        ck_assert(!prober_take_trouble(prober, &e));
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
}
END_TEST

/* --- ends ------------------------------------------------------------------------------------------- */

START_TEST(breaks_off_what_runs_at_its_end)
{
        add_many(PROBER_RUNNING_MAX + 4, NULL, NULL);
        open_prober(NULL, BOOT);
        pass_time(2 * SEC);
        ck_assert_uint_eq(n_running(), PROBER_RUNNING_MAX);
        prober = prober_free(prober);
        ck_assert_uint_eq(n_running(), 0);
        ck_assert_uint_eq(n_stopped, PROBER_RUNNING_MAX);
}
END_TEST

START_TEST(is_content_with_nothing_to_do)
{
        open_prober(NULL, BOOT);
        ck_assert(prober_is_settled(prober));
        ck_assert_uint_eq(prober_late_at(prober), USEC_INFINITY);
}
END_TEST

START_TEST(takes_only_so_many_probes)
{
        ck_assert_int_eq(prober_new(&prober, loop, NULL,
                                    (const struct probe_settings *const *)settings, PROBES_MAX + 1,
                                    NULL, BOOT, NULL, NULL),
                         -E2BIG);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("prober");
        TCase *tc = tcase_create("prober");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, knows_nothing_before_the_first_result);
        tcase_add_test(tc, tells_a_result);
        tcase_add_test(tc, tells_of_changes_only);
        tcase_add_test(tc, takes_a_result_from_within_start);
        tcase_add_test(tc, does_not_know_when_it_could_not_ask);
        tcase_add_test(tc, cuts_output);
        tcase_add_test(tc, masks_output_before_it_is_cut);
        tcase_add_test(tc, has_first_results_soon);
        tcase_add_test(tc, spreads_the_load);
        tcase_add_test(tc, runs_only_so_many_at_once);
        tcase_add_test(tc, never_asks_one_twice_at_once);
        tcase_add_test(tc, keeps_its_beat);
        tcase_add_test(tc, is_late_when_no_result_comes);
        tcase_add_test(tc, does_not_fall_back_on_what_is_too_old);
        tcase_add_test(tc, is_settled_when_the_first_result_is_late);
        tcase_add_test(tc, does_not_ask_what_is_skipped);
        tcase_add_test(tc, keeps_the_result_of_what_is_skipped);
        tcase_add_test(tc, forgets_a_result_that_became_too_old);
        tcase_add_test(tc, forgets_it_also_when_skipped_again_and_again);
        tcase_add_test(tc, leaves_the_queue_when_it_is_skipped);
        tcase_add_test(tc, survives_a_restart);
        tcase_add_test(tc, keeps_its_beat_over_a_restart);
        tcase_add_test(tc, takes_over_what_another_found);
        tcase_add_test(tc, asks_nothing_before_it_is_told);
        tcase_add_test(tc, says_that_a_probe_could_not_have_its_turn);
        tcase_add_test(tc, forgets_over_a_boot);
        tcase_add_test(tc, forgets_what_other_settings_found);
        tcase_add_test(tc, forgets_what_is_too_old_or_of_the_future);
        tcase_add_test(tc, writes_at_most_once_a_second);
        tcase_add_test(tc, says_once_that_it_cannot_write);
        tcase_add_test(tc, goes_on_with_what_it_understands);
        tcase_add_test(tc, breaks_off_what_runs_at_its_end);
        tcase_add_test(tc, is_content_with_nothing_to_do);
        tcase_add_test(tc, takes_only_so_many_probes);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
