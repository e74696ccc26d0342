/* It ends up in a URL: nothing gets in that means anything there. */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "agentd/master_address.h"
#include "base/parse.h"

static bool is_name(const char *s)
{
        size_t n = strlen(s);

        return n > 0 && s[0] != '-' && s[0] != '.' &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
}

/* What looks like an address, and is none, is no name either. */
static bool is_host(const char *s)
{
        int family;

        return parse_ip(s, &family) >= 0 || (is_name(s) && s[strspn(s, "0123456789.")]);
}

/* Where the host ends: at the colon of a port, at the bracket, or at the end. NULL: nowhere. */
static const char *end_of_host(const char *s)
{
        const char *colon = strchr(s, ':');

        if (*s == '[')
                return strchr(s, ']');
        return colon && !strchr(colon + 1, ':') ? colon : s + strlen(s);
}

int master_address_parse(struct master_address *ret, const char *s, uint16_t port)
{
        const char *end = end_of_host(s), *begin = s + (*s == '['), *rest;
        struct master_address m = {.port = port};
        uint64_t v = port;

        if (!end || (size_t)(end - begin) >= sizeof(m.host))
                return -EINVAL;
        memcpy(m.host, begin, (size_t)(end - begin));
        rest = end + (*s == '[');
        if (*rest && (*rest != ':' || parse_u64(rest + 1, 1, UINT16_MAX, &v) < 0))
                return -EINVAL;
        if (!is_host(m.host) || (*s == '[' && !strchr(m.host, ':')))
                return -EINVAL;
        m.port = (uint16_t)v;
        *ret = m;
        return 0;
}

char *master_address_format(char buf[static MASTER_ADDRESS_MAX], const struct master_address *m)
{
        bool is_v6 = strchr(m->host, ':') != NULL;

        (void)snprintf(buf, MASTER_ADDRESS_MAX, "%s%s%s:%u", is_v6 ? "[" : "", m->host,
                       is_v6 ? "]" : "", m->port);
        return buf;
}

bool master_address_equal(const struct master_address *a, const struct master_address *b)
{
        return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

bool master_address_is_local(const struct master_address *m)
{
        return strncmp(m->host, "127.", 4) == 0 || streq(m->host, "::1") ||
               strcasecmp(m->host, "localhost") == 0;
}
