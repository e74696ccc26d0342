#pragma once

/*
 * What every fuzzer has: libFuzzer's entry, and a way to state what must hold. Not assert(), which
 * a release build would drop together with the whole point.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                        \
        do {                                                                                   \
                if (!(condition)) {                                                            \
                        (void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, \
                                      #condition);                                             \
                        abort();                                                               \
                }                                                                              \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
