/* Addresses into URLs. */

#include <stdio.h>

#include "net/url.h"

bool address_is_loopback(const char *address)
{
        return strncmp(address, "127.", 4) == 0 || streq(address, "::1") ||
               streq(address, "localhost");
}

char *node_url(char buf[static NODE_URL_MAX], const char *address, uint16_t port, bool tls,
               const char *path)
{
        bool v6 = strchr(address, ':') != NULL;

        (void)snprintf(buf, NODE_URL_MAX, "http%s://%s%s%s:%u%s",
                       tls && !address_is_loopback(address) ? "s" : "", v6 ? "[" : "", address,
                       v6 ? "]" : "", port, path);
        return buf;
}
