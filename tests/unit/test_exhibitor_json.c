/* It takes the members as Exhibitor lists them, the silent ones too, and no nonsense. */

#include <errno.h>

#include "aggregator/exhibitor_json.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

#define M(code, host, leads) \
        "{\"code\":" code ",\"description\":\"x\",\"hostname\":\"" host "\",\"isLeader\":" leads "}"

static const struct {
        const char *name, *text, *masters;
        int want;
        size_t n_skipped;
} answers[] = {
        {"as it writes it",           "[" M("3",                                                         "10.0.0.1",                                                                                   "true") "," M("3",                                                                                                          "10.0.0.2","false") "]",
         "10.0.0.1 leader, 10.0.0.2", 0, 0},
        {"down",
         "[" M("0",                                                                 "a",                                                                                                                                                            "false") "," M("1",                                                                                                                                                                                                                                                                                      "b","false") "," M("2", "c", "true") "," M(
                 "4", "d", "false") "]",
         "a down, b down, c leader down, d down", 0, 0},
        {"any case",                        "[{\"Code\":3,\"HOSTNAME\":\"a\",\"isleader\":true}]",       "a leader",0,0},
        {"no code",                        "[{\"hostname\":\"a\"},{\"hostname\":\"b\",\"code\":\"3\"}]",                                                                             "a down, b down",
         0,                                                                                                                                                                                                                                                                               0},
        {"IPv6",                  "[" M("3",       "2001:db8::1",                                                                                   "false") "]",                                                                                                                                                                                                                                                                        "2001:db8::1", 0, 0},
        {"some are none",
         "[1,null,{},{\"hostname\":7}," M("3", "a b", "true") "," M("3",                                                                                                                                                                                                                                                                                                                        "b","false") "]", "b", 0,
         5},
        {"none is one",                      "[{}]",                                                             NULL,                                                                                                                                      -EBADMSG,                                                                                                                                                                  0},
        {"empty",                          "[]",                                                                                           NULL,                                                                                                                                                                         -ENODATA,                                                                                                                                                                                                                                                                                     0},
        {"an object",                        "{}",                                                                             NULL,                                                                                                                                                                      -EBADMSG,0},
        {"nothing",               "",                                                     NULL,                                                                                 -EBADMSG,                                                              0},
        {"cut",                     "[" M("3",                                                         "a",                                                       "true"), NULL,-EBADMSG, 0},
        {"more behind it",                 "[" M("3",                                                       "a",                                                                   "true") "] x",                NULL,-EBADMSG, 0},
        {"a page",                   "<html>",                                                                    NULL,                                                                                                        -EBADMSG,                                                                                                                                          0},
};

static void write_masters(struct buf *b, const struct exhibitor_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                ck_assert_int_eq(l->nodes[i].role, DIAG_ROLE_MASTER);
                buf_printf(b, "%s%s%s%s", i ? ", " : "", l->nodes[i].address,
                           l->nodes[i].leader ? " leader" : "", l->nodes[i].down ? " down" : "");
        }
}

START_TEST(takes_the_members)
{
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_(buf_done) struct buf said = {0};
        struct exhibitor_list l = {.n = 99};
        struct err e = {0};

        ck_assert_msg(exhibitor_from_json(&l, &arena, answers[_i].text, strlen(answers[_i].text),
                                          &e) == answers[_i].want,
                      "%s: %s", answers[_i].name, e.text);
        if (answers[_i].want < 0) {
                ck_assert_uint_eq(l.n, 99);
                ck_assert_str_ne(e.text, "");
                return;
        }
        write_masters(&said, &l);
        ck_assert_str_eq(buf_cstr(&said), answers[_i].masters);
        ck_assert_uint_eq(l.n_skipped, answers[_i].n_skipped);
        ck_assert_int_eq(l.skipped.code != 0, l.n_skipped != 0);
}
END_TEST

START_TEST(has_a_greatest_number)
{
        for (unsigned n = DIAG_MASTERS_MAX; n <= DIAG_MASTERS_MAX + 1; n++) {
                _cleanup_(arena_done) struct arena arena = {0};
                _cleanup_(buf_done) struct buf b = {0};
                struct exhibitor_list l;

                for (unsigned i = 0; i < n; i++)
                        buf_printf(&b, "%c{\"code\":3,\"hostname\":\"10.0.0.%u\"}", i ? ',' : '[',
                                   i);
                buf_putc(&b, ']');
                ck_assert_int_eq(exhibitor_from_json(&l, &arena, b.data, b.n, NULL),
                                 n == DIAG_MASTERS_MAX ? 0 : -E2BIG);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("exhibitor_json");
        TCase *t = tcase_create("exhibitor_json");

        tcase_add_loop_test(t, takes_the_members, 0, ELEMENTSOF(answers));
        tcase_add_test(t, has_a_greatest_number);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
