/* Any If-None-Match or Prefer: what is known was said, and a wait is within its limits. */

#include "api/conditional.h"
#include "tests/fuzz/fuzz.h"

#define INSTANCE UINT64_C(0x9f3c2a11d0b4e677)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size);
        char tag[ETAG_MAX];
        uint64_t seq = 0;
        unsigned wait;

        MUST(s);
        if (etag_known(s, INSTANCE, &seq) == ETAG_KNOWN)
                MUST(strstr(s, etag_format(tag, INSTANCE, seq, false)));
        wait = prefer_wait(s);
        MUST(wait == 0 || (wait >= WAIT_MIN_SECONDS && wait <= WAIT_MAX_SECONDS));
        MUST(wait == 0 || strcasestr(s, "wait"));
        return 0;
}
