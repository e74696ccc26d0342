/* It takes of a master's answer what makes sense, and nothing else. */

#include <errno.h>

#include "agentd/announced_json.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* clang-format off */
static const struct {
        const char *text, *want; /* NULL: it is refused */
} cases[] = {
        {"{\"accepted\":true,\"masters\":[\"10.0.0.1\",\"m2\"],\"interval_seconds\":600}",
         "yes 600 '' 10.0.0.1:7 m2:7"},
        {"{\"accepted\":true,\"masters\":[\"10.0.0.1:80\",\"[::1]:80\",\"::1\"]}",
         "yes 0 '' 10.0.0.1:80 [::1]:80 [::1]:7"},
        {"{\"code\":422,\"error\":\"it is another node\",\"reason\":\"not-confirmed\"}", "no 0 'it is another node'"},
        {"{\"error\":\"a\\u001b[31m\\nb\"}", "no 0 'a?[31m?b'"},
        {"{\"error\":7,\"accepted\":\"true\",\"masters\":\"10.0.0.1\",\"interval_seconds\":\"600\"}", "no 0 ''"},
        {"{\"masters\":[1,null,\"a b\",\"http://x\",\"\",[\"b\"],\"c\"]}", "no 0 '' c:7"},
        {"{\"interval_seconds\":1}", "no 30 ''"},
        {"{\"interval_seconds\":0}", "no 0 ''"},
        {"{\"interval_seconds\":-5}", "no 0 ''"},
        {"{\"interval_seconds\":60}", "no 60 ''"},
        {"{\"interval_seconds\":99999999999999}", "no 3600 ''"},
        {"{\"interval_seconds\":60.5}", "no 0 ''"},
        {"{}", "no 0 ''"},
        {"", NULL},
        {"[]", NULL},
        {"no", NULL},
        {"{\"accepted\":true", NULL},
};
/* clang-format on */

START_TEST(takes_what_makes_sense)
{
        _cleanup_(buf_done) struct buf said = {0};
        struct announced a = {.n_masters = 99, .accepted = true};
        int k = announced_from_json(&a, cases[_i].text, strlen(cases[_i].text), 7);

        ck_assert_int_eq(k, cases[_i].want ? 0 : -EBADMSG);
        buf_printf(&said, "%s %u '%s'", a.accepted ? "yes" : "no", a.interval_seconds, a.reason);
        for (size_t i = 0; i < a.n_masters; i++) {
                char text[MASTER_ADDRESS_MAX];

                buf_printf(&said, " %s", master_address_format(text, &a.masters[i]));
        }
        ck_assert_str_eq(buf_cstr(&said), cases[_i].want ? cases[_i].want : "no 0 ''");
}
END_TEST

START_TEST(has_limits)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct announced a;

        buf_puts(&b, "{\"error\":\"" HUNDRED HUNDRED HUNDRED "\",\"masters\":[\"a\"");
        for (unsigned i = 0; i < 2 * ANNOUNCED_MASTERS_MAX; i++)
                buf_printf(&b, ",\"10.0.0.%u\"", i);
        buf_puts(&b, "]}");
        ck_assert_int_eq(announced_from_json(&a, b.data, b.n, 7), 0);
        ck_assert_uint_eq(a.n_masters, ANNOUNCED_MASTERS_MAX);
        ck_assert_uint_eq(strlen(a.reason), ANNOUNCED_REASON_MAX - 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("announced_json");
        TCase *t = tcase_create("announced_json");

        tcase_add_loop_test(t, takes_what_makes_sense, 0, ELEMENTSOF(cases));
        tcase_add_test(t, has_limits);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
