/* It knows which names systemd would take, and what kind of name each is. */

#include "model/unit_name.h"
#include "tests/unit/test_main.h"

static const struct {
        const char *name;
        enum unit_name_kind want;
} kinds[] = {
        {"a.service",                         UNIT_NAME_PLAIN   },
        {"dcos-a.b.service",                  UNIT_NAME_PLAIN   },
        {"a.socket",                          UNIT_NAME_PLAIN   },
        {"a.timer",                           UNIT_NAME_PLAIN   },
        {"a.target",                          UNIT_NAME_PLAIN   },
        {"var-lib-mesos.mount",               UNIT_NAME_PLAIN   },
        {"a.automount",                       UNIT_NAME_PLAIN   },
        {"a.path",                            UNIT_NAME_PLAIN   },
        {"dev-sda2.swap",                     UNIT_NAME_PLAIN   },
        {"-.slice",                           UNIT_NAME_PLAIN   },
        {"session-1.scope",                   UNIT_NAME_PLAIN   },
        {"dev-disk-by\\x2dlabel-root.device", UNIT_NAME_PLAIN   },
        {"A:b_c-9.service",                   UNIT_NAME_PLAIN   },
        {"getty@tty1.service",                UNIT_NAME_INSTANCE},
        {"a@b@c.service",                     UNIT_NAME_INSTANCE},
        {"a@b.c.service",                     UNIT_NAME_INSTANCE},
        {"getty@.service",                    UNIT_NAME_TEMPLATE},
        {"a.service@",                        UNIT_NAME_INVALID },
        {"",                                  UNIT_NAME_INVALID },
        {"a",                                 UNIT_NAME_INVALID },
        {".service",                          UNIT_NAME_INVALID },
        {"@.service",                         UNIT_NAME_INVALID },
        {"@a.service",                        UNIT_NAME_INVALID },
        {"a.",                                UNIT_NAME_INVALID },
        {"a.conf",                            UNIT_NAME_INVALID },
        {"a.Service",                         UNIT_NAME_INVALID },
        {"a.service ",                        UNIT_NAME_INVALID },
        {"a b.service",                       UNIT_NAME_INVALID },
        {"a/b.service",                       UNIT_NAME_INVALID },
        {"../a.service",                      UNIT_NAME_INVALID },
        {"a\n.service",                       UNIT_NAME_INVALID },
        {"\xc3\xa4.service",                  UNIT_NAME_INVALID },
        {"a*.service",                        UNIT_NAME_INVALID },
        {"--help",                            UNIT_NAME_INVALID },
};

START_TEST(tells_the_kind)
{
        ck_assert_msg(unit_name_kind(kinds[_i].name) == kinds[_i].want, "'%s'", kinds[_i].name);
        ck_assert_int_eq(unit_name_is_unit(kinds[_i].name),
                         kinds[_i].want == UNIT_NAME_PLAIN || kinds[_i].want == UNIT_NAME_INSTANCE);
}
END_TEST

START_TEST(limits_the_length)
{
        char name[UNIT_NAME_MAX + 2];
        const char *suffix = ".service";

        memset(name, 'a', sizeof(name));
        (void)stpcpy(name + UNIT_NAME_MAX - strlen(suffix), suffix);
        ck_assert_uint_eq(strlen(name), UNIT_NAME_MAX);
        ck_assert_int_eq(unit_name_kind(name), UNIT_NAME_PLAIN);
        name[UNIT_NAME_MAX - strlen(suffix)] = 'a';
        (void)stpcpy(name + UNIT_NAME_MAX + 1 - strlen(suffix), suffix);
        ck_assert_int_eq(unit_name_kind(name), UNIT_NAME_INVALID);
}
END_TEST

static const struct {
        const char *name, *type;
        bool want;
} types[] = {
        {"a.timer",         "timer",   true },
        {"a.timer",         "service", false},
        {"a.mount",         "unt",     false},
        {"a.timer.service", "timer",   false},
        {"a.automount",     "mount",   false},
        {"timer",           "timer",   false},
        {"",                "timer",   false},
};

START_TEST(tells_the_type)
{
        ck_assert_int_eq(unit_name_has_type(types[_i].name, types[_i].type), types[_i].want);
}
END_TEST

START_TEST(tells_globs_from_names)
{
        ck_assert(unit_name_is_glob("*"));
        ck_assert(unit_name_is_glob("dcos-?.service"));
        ck_assert(unit_name_is_glob("dcos-[ab].service"));
        ck_assert(!unit_name_is_glob("a@b.service"));
        ck_assert(!unit_name_is_glob("a\\x2d.service"));
        ck_assert(!unit_name_is_glob(""));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_name");
        TCase *tc = tcase_create("unit_name");

        tcase_add_loop_test(tc, tells_the_kind, 0, ELEMENTSOF(kinds));
        tcase_add_test(tc, limits_the_length);
        tcase_add_loop_test(tc, tells_the_type, 0, ELEMENTSOF(types));
        tcase_add_test(tc, tells_globs_from_names);
        suite_add_tcase(s, tc);
        return test_main(s);
}
