/* Any Accept-Encoding: who is sent gzip has named it, or "*"; and who repeats himself has asked for nothing. */

#include "api/encoding.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size), *twice = NULL;
        bool accepts;

        MUST(s);
        accepts = encoding_accepts_gzip(s);
        MUST(!accepts || strcasestr(s, "gzip") || strchr(s, '*'));
        MUST(asprintf(&twice, "%s, %s", s, s) >= 0);
        MUST(!encoding_accepts_gzip(twice));
        free(twice);
        MUST(asprintf(&twice, "br;q=0.5,%s ,", s) >= 0);
        MUST(encoding_accepts_gzip(twice) == accepts);
        free(twice);
        twice = NULL;
        MUST(asprintf(&twice, "%s, gzip;q=0, *;q=0", s) >= 0);
        MUST(!encoding_accepts_gzip(twice));
        return 0;
}
