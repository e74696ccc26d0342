/* Any string: what is read can be written and read again; what fails leaves its result alone. */

#include <errno.h>
#include <string.h>

#include "base/mono.h"
#include "base/parse.h"
#include "tests/fuzz/fuzz.h"

#define UNTOUCHED UINT64_C(0x5ca1ab1e)

static void check_numbers(const char *s)
{
        uint64_t v = UNTOUCHED;
        char again[24];
        bool b;
        int r;

        r = parse_u64(s, 5, 5000, &v);
        MUST(r == 0 || r == -EINVAL || r == -ERANGE);
        MUST(r == 0 ? v >= 5 && v <= 5000 : v == UNTOUCHED);
        r = parse_u64(s, 0, UINT64_MAX, &v);
        (void)snprintf(again, sizeof(again), "%llu", (unsigned long long)v);
        MUST(r < 0 || streq(again, s + strspn(s, "0")) || v == 0);
        r = parse_bool(s, &b);
        MUST(r == 0 || r == -EINVAL);
}

static void check_duration(const char *s)
{
        uint64_t usec = UNTOUCHED, again_usec;
        char again[32];
        int r;

        r = parse_duration(s, &usec);
        MUST(r == 0 || r == -EINVAL || r == -ERANGE);
        if (r < 0) {
                MUST(usec == UNTOUCHED);
                return;
        }
        MUST((usec == USEC_INFINITY) == streq(s, "infinity"));
        if (usec == USEC_INFINITY)
                return;
        (void)snprintf(again, sizeof(again), "%lluus", (unsigned long long)usec);
        MUST(parse_duration(again, &again_usec) == 0 && again_usec == usec);
}

static void check_addresses(const char *s)
{
        char text[SOCK_ADDRESS_MAX], again_text[SOCK_ADDRESS_MAX];
        struct sock_address a, again;
        struct ip_prefix p;
        int family;

        if (parse_listen(s, &a) == 0) {
                MUST(parse_listen(sock_address_format(text, &a), &again) == 0);
                MUST(a.n == again.n && memcmp(&a.storage, &again.storage, a.n) == 0);
                MUST(streq(text, sock_address_format(again_text, &again)));
                MUST(sock_address_is_local(&a) == sock_address_is_local(&again));
        }
        if (parse_ip_prefix(s, &p) == 0) {
                MUST(p.n_bits <= (p.family == AF_INET ? 32 : 128));
                if (parse_listen("10.1.2.3:1", &a) == 0)
                        (void)ip_prefix_contains(&p, &a.sa);
                if (parse_listen("[2001:db8::1]:1", &a) == 0)
                        (void)ip_prefix_contains(&p, &a.sa);
        }
        if (parse_ip(s, &family) == 0)
                MUST(parse_ip_prefix(s, &p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size);
        uint64_t usec;

        MUST(s);
        check_numbers(s);
        check_duration(s);
        check_addresses(s);
        (void)rfc3339_parse(&usec, s);
        return 0;
}
