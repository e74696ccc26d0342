/* Any Diag-Caller, and any URI of a certificate: what is taken can be written again, and is the same. */

#include <stdio.h>

#include "api/authority.h"
#include "tests/fuzz/fuzz.h"

#define FORWARDER 990u

static void take_field(const char *s)
{
        const struct authority a = {.has_forwarder = true, .forwarder = FORWARDER};
        struct authority_caller c = {.uid = FORWARDER}, other = {.uid = FORWARDER + 1};
        struct authority_verdict v;
        char text[256], name[AUTHORITY_NAME_MAX];

        c.peer.sa.sa_family = other.peer.sa.sa_family = AF_UNIX;
        authority_take_forwarded(&c, s, 1);
        authority_take_forwarded(&other, s, 1);
        MUST(authority_judge(&a, &other).class <= AUTHORITY_HEALTH);
        v = authority_judge(&a, &c);
        MUST(v.class >= AUTHORITY_HEALTH);
        authority_caller_name(name, &c);
        if (c.forwarded.class == AUTHORITY_NONE) {
                MUST(v.class == AUTHORITY_HEALTH && !v.output && streq(name, "uid 990"));
                return;
        }
        (void)snprintf(text, sizeof(text), "%s %d %s", authority_class_to_string(v.class), v.output,
                       c.forwarded.name);
        MUST(streq(text, s));
        MUST(strstr(name, ", forwarded by uid 990"));
}

static void take_uri(const char *s)
{
        struct tls_identity i = {0};
        char text[256];

        tls_identity_add_uri(&i, s);
        if (i.n_roles == 0)
                return;
        (void)snprintf(text, sizeof(text), "diag://%s/%s", i.roles[0].cluster,
                       diag_role_to_string(i.roles[0].role));
        MUST(streq(text, s));
        MUST(tls_identity_has_role(&i, i.roles[0].cluster, i.roles[0].role));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size);

        MUST(s);
        take_field(s);
        take_uri(s);
        return 0;
}
