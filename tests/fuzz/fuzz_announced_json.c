/* Any bytes as a master's answer: whoever it names may be asked, and its reason may be printed. */

#include <errno.h>

#include "agentd/announced_json.h"
#include "tests/fuzz/fuzz.h"

static void must_be_fine(const struct master_address *m)
{
        struct master_address again;
        char text[MASTER_ADDRESS_MAX];

        MUST(m->port > 0 && *m->host && !strpbrk(m->host, "/?#@%[] \"'\\"));
        MUST(master_address_parse(&again, master_address_format(text, m), 1) == 0);
        MUST(master_address_equal(&again, m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct announced a;
        int k = announced_from_json(&a, (const char *)data, size, MASTER_PORT);

        MUST(k == 0 || (k == -EBADMSG && !a.accepted && !a.n_masters && !*a.reason));
        MUST(a.n_masters <= ANNOUNCED_MASTERS_MAX);
        MUST(!a.interval_seconds || (a.interval_seconds >= ANNOUNCED_INTERVAL_MIN &&
                                     a.interval_seconds <= ANNOUNCED_INTERVAL_MAX));
        for (size_t i = 0; i < a.n_masters; i++)
                must_be_fine(&a.masters[i]);
        for (const char *p = a.reason; *p; p++)
                MUST((unsigned char)*p >= 0x20 && *p != 0x7f);
        return 0;
}
