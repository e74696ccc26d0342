#pragma once

/* Where a master is asked: an address or a name, and a port. */

#include "base/cleanup.h"

#define MASTER_HOST_MAX    256u /* bytes, the NUL included */
#define MASTER_ADDRESS_MAX (MASTER_HOST_MAX + 16u)
#define MASTER_PORT        1050u

struct master_address {
        char host[MASTER_HOST_MAX]; /* an IP literal without brackets, or a name of DNS */
        uint16_t port;
};

/**
 * master_address_parse() - "10.0.0.1", "m1.example.com:1050", "2001:db8::1", "[2001:db8::1]:1050"
 * @port: where none is said
 *
 * Return: 0 or -EINVAL; then *ret is untouched. Pure.
 */
int master_address_parse(struct master_address *ret, const char *s, uint16_t port);

/** master_address_format() - as master_address_parse() reads it, always with a port; @buf is returned. */
char *master_address_format(char buf[static MASTER_ADDRESS_MAX], const struct master_address *m);

bool master_address_equal(const struct master_address *a, const struct master_address *b) _pure_;

/** master_address_is_local() - of this machine alone: 127.0.0.0/8, ::1, or "localhost". */
bool master_address_is_local(const struct master_address *m) _pure_;
