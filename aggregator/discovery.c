/* What any source may say. */

#include <errno.h>

#include "aggregator/discovery.h"
#include "base/parse.h"

#define NODE_ID_LENGTH 32u

static bool is_hex(const char *s, size_t n)
{
        return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

/* Letters, digits, '-', '.', '_': a name of DNS, and nothing that means anything in a URL. */
static bool is_name(const char *s)
{
        size_t n = strlen(s);

        return n > 0 && n < FOUND_ADDRESS_MAX && s[0] != '-' && s[0] != '.' &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
}

int found_check(const struct found *f, struct err *e)
{
        int family;

        if (str_empty(f->address) || (parse_ip(f->address, &family) < 0 && !is_name(f->address)))
                return err_set(e, -EINVAL, "'%.64s' is neither an IP address nor a name",
                               f->address ? f->address : "");
        if (f->role == DIAG_ROLE_UNKNOWN)
                return err_set(e, -EINVAL, "%s has no role", f->address);
        if (!str_empty(f->node_id) && !is_hex(f->node_id, NODE_ID_LENGTH))
                return err_set(e, -EINVAL, "%s: '%.64s' is no node id", f->address, f->node_id);
        return 0;
}
