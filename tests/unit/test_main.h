#pragma once

/* What every unit test ends with: run the suite, say how it went in TAP. */

#include <check.h>
#include <stdlib.h>

/**
 * test_main() - run @s, each test in a process of its own ($CK_FORK=no for a debugger)
 *
 * TAP goes to stdout and nothing else does. Takes @s. Return: an exit status.
 */
static inline int test_main(Suite *s)
{
        SRunner *runner = srunner_create(s);
        int n_failed;

        srunner_set_tap(runner, "-");
        srunner_run_all(runner, CK_SILENT);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
