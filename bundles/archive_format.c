/* The formats by name, and who may be the prefix of a fragment: what daemons need of archives, without libraries. */

#include <errno.h>

#include "base/parse.h"
#include "bundles/archive.h"
#include "bundles/fragment.h"
#include "model/node.h"

#define HOST_MAX 253u /* of DNS */

static const char *const names[ARCHIVE_N_FORMATS] = {
        [ARCHIVE_TAR_ZSTD] = "tar.zst",
        [ARCHIVE_TAR_GZIP] = "tar.gz",
        [ARCHIVE_ZIP] = "zip",
};

const char *archive_format_to_string(enum archive_format f)
{
        return (unsigned)f < ARCHIVE_N_FORMATS ? names[f] : "";
}

int archive_format_from_string(enum archive_format *ret, const char *s)
{
        for (unsigned i = 0; i < ARCHIVE_N_FORMATS; i++)
                if (streq(names[i], s)) {
                        *ret = (enum archive_format)i;
                        return 0;
                }
        return -EINVAL;
}

/* A label of letters, digits, '-' and '_', between dots; or an address. */
static bool host_is_valid(const char *s)
{
        bool empty = true;
        int family;

        if (parse_ip(s, &family) == 0)
                return true;
        for (; *s; s++) {
                bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                              (*s >= '0' && *s <= '9');

                if (*s == '.' ? empty : !letter && (*s != '-' || empty) && *s != '_')
                        return false;
                empty = *s == '.';
        }
        return !empty;
}

bool fragment_prefix_is_valid(const char *s)
{
        static const enum diag_role roles[] = {DIAG_ROLE_MASTER, DIAG_ROLE_AGENT,
                                               DIAG_ROLE_AGENT_PUBLIC};
        char host[HOST_MAX + 1];
        size_t n = strlen(s);

        for (size_t i = 0; i < ELEMENTSOF(roles); i++) {
                const char *role = diag_role_to_string(roles[i]);
                size_t n_host = n - strlen(role) - 1;

                if (n < strlen(role) + 2 || n_host > HOST_MAX || s[n_host] != '_' ||
                    !streq(s + n_host + 1, role))
                        continue;
                memcpy(host, s, n_host);
                host[n_host] = '\0';
                if (host_is_valid(host))
                        return true;
        }
        return false;
}
