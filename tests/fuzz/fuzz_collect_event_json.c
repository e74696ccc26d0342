/* Any bytes as a collector's word: what is accepted is written and read again the same, and fit to print. */

#include <errno.h>
#include <string.h>

#include "base/json_write.h"
#include "bundles/collect_request.h"
#include "tests/fuzz/fuzz.h"

static void must_be_harmless(const char *s, size_t n_max)
{
        size_t n = strnlen(s, n_max), k;

        MUST(n < n_max);
        for (size_t i = 0; i < n; i += k)
                MUST((k = utf8_harmless(s + i, n - i)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct collect_event event = {0}, again = {0};
        struct buf first = {0}, second = {0};
        int k = collect_event_read(&event, (const char *)data, size);

        MUST(k == 0 || k == -EINVAL || k == -E2BIG);
        if (k < 0)
                return 0;
        MUST((unsigned)event.kind < COLLECT_N_EVENTS);
        must_be_harmless(event.source, sizeof(event.source));
        must_be_harmless(event.code, sizeof(event.code));
        must_be_harmless(event.error, sizeof(event.error));
        collect_event_write(&first, &event);
        MUST(!first.error && first.n <= COLLECT_EVENT_BYTES_MAX);
        MUST(collect_event_read(&again, first.data, first.n) == 0);
        collect_event_write(&second, &again);
        MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        buf_done(&first);
        buf_done(&second);
        return 0;
}
