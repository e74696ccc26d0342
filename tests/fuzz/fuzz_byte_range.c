/* Any Range, any date: a part lies within, is never empty, and a date that was read can be written. */

#include "api/byte_range.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX / 2};
        _cleanup_(freep) char *s = strndup((const char *)data, size);
        char again[HTTP_DATE_MAX];
        uint64_t from, n, usec, usec_again;

        MUST(s);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (byte_range_read(s, sizes[i], &from, &n) == BYTE_RANGE_PART)
                        MUST(n > 0 && from < sizes[i] && n <= sizes[i] - from);
        if (http_date_parse(&usec, s) == 0) {
                MUST(http_date_parse(&usec_again, http_date_format(again, usec)) == 0);
                MUST(usec == usec_again);
        }
        return 0;
}
