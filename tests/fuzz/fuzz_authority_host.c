/* Any Host: ours is an address literal, localhost, or a name from the list, with or without a port. */

#include <strings.h>

#include "api/authority.h"
#include "tests/fuzz/fuzz.h"

/* Another way to say the same: what is left without port, brackets and the last dot. */
static bool is_well_known(char *s)
{
        size_t n = strlen(s), n_port = strspn(s, "[]:.0123456789abcdefABCDEF");
        char *colon = strrchr(s, ':');
        int family;

        if (*s == '[') {
                char *end = strchr(s, ']');

                MUST(end && n_port == n && (!end[1] || end[1] == ':'));
                *end = '\0';
                return parse_ip(s + 1, &family) == 0 && family == AF_INET6;
        }
        if (colon)
                *colon = '\0';
        n = strlen(s);
        MUST(n > 0);
        if (s[n - 1] == '.')
                s[n - 1] = '\0';
        return parse_ip(s, &family) == 0 || strcasecmp(s, "localhost") == 0 ||
               strcasecmp(s, "m1") == 0 || strcasecmp(s, "m1.example.com") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct authority a = {
                .hosts = {(char *)"m1", (char *)"m1.example.com"},
                  .n_hosts = 2
        };
        _cleanup_(freep) char *s = strndup((const char *)data, size);

        MUST(s);
        if (authority_host_is_ours(&a, s))
                MUST(is_well_known(s));
        a.hosts[0] = (char *)"*";
        MUST(authority_host_is_ours(&a, s));
        return 0;
}
