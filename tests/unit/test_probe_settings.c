/* Sections of configuration, good and bad. */

#include <errno.h>
#include <stdio.h>

#include "probes/probe.h"
#include "tests/unit/test_main.h"

#define TCP "Component=c", "Kind=tcp", "Address=127.0.0.1:1"

static struct probe_settings *settings;

static void teardown(void)
{
        settings = probe_settings_free(settings);
}

static int set(const char *key_value, struct err *e)
{
        char key[64];
        size_t n = strcspn(key_value, "=");

        memcpy(key, key_value, n);
        key[n] = '\0';
        return probe_settings_set(settings, key, key_value + n + 1, e);
}

/* clang-format off */
static const struct {
        const char *key_value, *fault; /* NULL: fine */
} values[] = {
        {"Component=dcos-marathon.service", NULL},
        {"Component=a b", "not the name of a component"},
        {"Kind=http", NULL},
        {"Kind=tcp", NULL},
        {"Kind=exec", NULL},
        {"Kind=HTTP", "must be one of: http tcp exec"},
        {"Kind=icmp", "must be one of: http tcp exec"},
        {"Interval=1s", NULL},
        {"Interval=1d", NULL},
        {"Interval=999ms", "must be from 1s to 1d"},
        {"Interval=86401", "must be from 1s to 1d"},
        {"Interval=infinity", "must be from 1s to 1d"},
        {"Interval=often", "must be from 1s to 1d"},
        {"Timeout=10ms", NULL},
        {"Timeout=0", "must be from 10ms to 1d"},
        {"Timeout=infinity", "must be from 10ms to 1d"},
        {"FailAfter=64", NULL},
        {"FailAfter=0", "must be from 1 to 64"},
        {"FailAfter=65", "must be from 1 to 64"},
        {"PassAfter=1", NULL},
        {"PassAfter=-1", "must be from 1 to 64"},
        {"Url=http://127.0.0.1:8080/ping", NULL},
        {"Url=https://localhost", NULL},
        {"Url=ftp://localhost", "must begin with http:// or https://"},
        {"Url=localhost", "must begin with http:// or https://"},
        {"Url=http:///ping", "not a URL"},
        {"Url=http://a b/", "not a URL"},
        {"Url=http://me:secret@localhost/", "must not hold a user name or password"},
        {"Url=http://localhost/@me", NULL},
        {"Socket=/run/x", NULL},
        {"Socket=run/x", "must be an absolute path of at most 107 bytes"},
        {"Status=200-299,401", NULL},
        {"Status=20", "must be statuses and ranges from 100 to 599: 200-299, 401"},
        {"Body=anything", NULL},
        {"JsonField=/a/0", NULL},
        {"JsonField=a.b", "must be a JSON pointer (RFC 6901): /status/0/name"},
        {"JsonValue=anything", NULL},
        {"Address=[::1]:80", NULL},
        {"Address=example.com:80", "must be IPV4:PORT, [IPV6]:PORT, localhost:PORT or unix:/PATH"},
        {"Command=/bin/true 'a b'", NULL},
        {"Command=true", "must begin with an absolute path"},
        {"Command=/bin/true 'a b", "the quote ' is not closed"},
        {"Title=x", "no kind of probe has this key"},
        {"Title=", "no kind of probe has this key"},
        {"url=http://localhost", "no kind of probe has this key"},
};

static const struct {
        const char *keys[8];
        const char *fault;
} sections[] = {
        {{TCP}, NULL},
        {{"Address=127.0.0.1:1", "Kind=tcp", "Component=c"}, NULL}, /* any order */
        {{TCP, "Component="}, "[Probe p] needs Component="},
        {{TCP, "Kind="}, "[Probe p] needs Kind="},
        {{TCP, "Address="}, "[Probe p] Kind=tcp needs Address="},
        {{TCP, "Kind=exec"}, "[Probe p] Kind=exec has no key Address="},
        {{TCP, "Kind=exec", "Address=", "Command=/bin/true"}, NULL}, /* as a drop-in may do it */
        {{TCP, "Url=http://localhost"}, "[Probe p] Kind=tcp has no key Url="},
        {{TCP, "Url=http://localhost", "Url="}, NULL},
        {{"Component=c", "Kind=http"}, "[Probe p] Kind=http needs Url="},
        {{"Component=c", "Kind=http", "Url=http://localhost", "JsonValue=1"}, "[Probe p] JsonValue= needs JsonField="},
        {{"Component=c", "Kind=exec"}, "[Probe p] Kind=exec needs Command="},
        {{TCP, "Timeout=10s"}, NULL},
        {{TCP, "Timeout=11s"}, "[Probe p] Timeout=11s is longer than Interval=10s: a run must have ended before the next one is due"},
        {{TCP, "Interval=2s", "Timeout=3s"}, "[Probe p] Timeout=3s is longer than Interval=2s: a run must have ended before the next one is due"},
        {{TCP, "Interval=2s"}, NULL}, /* the default gives way */
        {{TCP, "Interval=2s", "Interval=", "Timeout=10s"}, NULL},
        {{NULL}, "[Probe p] needs Component="},
};

static const struct {
        const char *name;
        int error;
} names[] = {
        {"marathon-ping", 0},
        {"a.b_c:d@e-9", 0},
        {"", -EINVAL},
        {"a b", -EINVAL},
        {"a/b", -EINVAL},
        {"a\nb", -EINVAL},
        {"1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890", 0},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901", -EINVAL},
};
/* clang-format on */

START_TEST(looks_at_each_value)
{
        struct err e = {0};
        int r;

        ck_assert_int_eq(probe_settings_new(&settings, "p"), 0);
        r = set(values[_i].key_value, &e);
        ck_assert_str_eq(e.text, values[_i].fault ? values[_i].fault : "");
        ck_assert_int_eq(r < 0, values[_i].fault != NULL);
}
END_TEST

START_TEST(looks_at_all_values_together)
{
        struct err e = {0};
        int r;

        ck_assert_int_eq(probe_settings_new(&settings, "p"), 0);
        for (size_t i = 0; sections[_i].keys[i]; i++)
                ck_assert_msg(set(sections[_i].keys[i], &e) == 0, "%s", e.text);
        ck_assert_ptr_null(probe_settings_plan(settings));
        r = probe_settings_check(settings, &e);
        ck_assert_str_eq(e.text, sections[_i].fault ? sections[_i].fault : "");
        ck_assert_int_eq(r < 0, sections[_i].fault != NULL);
        ck_assert_int_eq(probe_settings_plan(settings) != NULL, r == 0);
        ck_assert_int_eq(probe_settings_check(settings, NULL), r); /* can be asked again */
}
END_TEST

START_TEST(takes_names_that_can_stand_in_a_line)
{
        ck_assert_int_eq(probe_settings_new(&settings, names[_i].name), names[_i].error);
        if (names[_i].error == 0)
                ck_assert_str_eq(probe_settings_name(settings), names[_i].name);
}
END_TEST

static const struct probe_plan *plan_of(const char *const *keys, size_t n)
{
        struct err e;

        settings = probe_settings_free(settings);
        ck_assert_int_eq(probe_settings_new(&settings, "p"), 0);
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(set(keys[i], &e), 0);
        ck_assert_msg(probe_settings_check(settings, &e) == 0, "%s", e.text);
        return probe_settings_plan(settings);
}
#define PLAN_OF(...)                                \
        plan_of((const char *const[]){__VA_ARGS__}, \
                ELEMENTSOF(((const char *const[]){__VA_ARGS__})))

START_TEST(has_defaults)
{
        const struct probe_plan *p = PLAN_OF(TCP);

        ck_assert_uint_eq(p->interval_usec, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(p->timeout_usec, 5 * USEC_PER_SEC);
        ck_assert_uint_eq(p->fail_after, 3);
        ck_assert_uint_eq(p->pass_after, 1);
        ck_assert_str_eq(p->ops->kind, "tcp");
        ck_assert_str_eq(probe_settings_component(settings), "c");
        ck_assert_uint_eq(PLAN_OF(TCP, "Interval=2s")->timeout_usec, 2 * USEC_PER_SEC);
}
END_TEST

START_TEST(takes_the_last_of_each_key)
{
        const struct probe_plan *p = PLAN_OF(TCP, "FailAfter=2", "Interval=1min", "FailAfter=5",
                                             "Component=d", "Interval=", "PassAfter=64");

        ck_assert_uint_eq(p->fail_after, 5);
        ck_assert_uint_eq(p->pass_after, 64);
        ck_assert_uint_eq(p->interval_usec, 10 * USEC_PER_SEC);
        ck_assert_str_eq(probe_settings_component(settings), "d");
}
END_TEST

START_TEST(knows_when_settings_are_others)
{
        uint64_t hash = PLAN_OF(TCP)->hash;

        ck_assert_uint_eq(PLAN_OF("Address=127.0.0.1:1", "Kind=tcp", "Component=c")->hash, hash);
        ck_assert_uint_eq(PLAN_OF(TCP, "FailAfter=2", "FailAfter=")->hash, hash);
        ck_assert_uint_ne(PLAN_OF(TCP, "FailAfter=2")->hash, hash);
        ck_assert_uint_ne(PLAN_OF("Address=127.0.0.1:2", "Kind=tcp", "Component=c")->hash, hash);
}
END_TEST

START_TEST(must_be_checked_again_after_a_change)
{
        struct err e;

        (void)PLAN_OF(TCP);
        ck_assert_int_eq(set("FailAfter=2", &e), 0);
        ck_assert_ptr_null(probe_settings_plan(settings));
        ck_assert_int_eq(probe_settings_check(settings, &e), 0);
        ck_assert_uint_eq(probe_settings_plan(settings)->fail_after, 2);
}
END_TEST

START_TEST(names_a_limit)
{
        char text[PROBE_SECONDS_MAX];

        ck_assert_str_eq(probe_seconds(text, 5 * USEC_PER_SEC), "5 s");
        ck_assert_str_eq(probe_seconds(text, 250 * USEC_PER_MSEC), "0.25 s");
        ck_assert_str_eq(probe_seconds(text, 2 * PROBE_INTERVAL_MAX_USEC + 1500 * USEC_PER_MSEC),
                         "172801.5 s");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("probe_settings");
        TCase *tc = tcase_create("probe_settings");

        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_loop_test(tc, looks_at_each_value, 0, ELEMENTSOF(values));
        tcase_add_loop_test(tc, looks_at_all_values_together, 0, ELEMENTSOF(sections));
        tcase_add_loop_test(tc, takes_names_that_can_stand_in_a_line, 0, ELEMENTSOF(names));
        tcase_add_test(tc, has_defaults);
        tcase_add_test(tc, takes_the_last_of_each_key);
        tcase_add_test(tc, knows_when_settings_are_others);
        tcase_add_test(tc, must_be_checked_again_after_a_change);
        tcase_add_test(tc, names_a_limit);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
