#pragma once

/*
 * Values as people write them. Every parser takes a whole string (no leading or trailing blanks, no
 * rest) and returns 0, -EINVAL for nonsense, or -ERANGE for a number out of its bounds; *ret is
 * untouched on failure. Pure, any thread, fuzzed.
 */

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/** parse_bool() - systemd's words: 1 yes y true t on, 0 no n false f off; case does not matter. */
int parse_bool(const char *s, bool *ret);

/**
 * parse_duration() - systemd.time(7): "90", "1.5s", "2min 20s", "1h30min", "2d", "infinity"
 *
 * A number alone is seconds. us ms s min h d w and their long forms. Infinity is USEC_INFINITY.
 */
int parse_duration(const char *s, uint64_t *ret_usec);

/** Where to listen, or whom to ask. */
struct sock_address {
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
                struct sockaddr_storage storage;
        };
        socklen_t n;
};

/** parse_listen() - "127.0.0.1:1050", "[::1]:1050", "unix:/absolute/path"; port 1–65535. */
int parse_listen(const char *s, struct sock_address *ret);

/** sock_address_format() - as parse_listen() reads it; @buf is returned. */
#define SOCK_ADDRESS_MAX 128
char *sock_address_format(char buf[static SOCK_ADDRESS_MAX], const struct sock_address *a);

/** sock_address_is_local() - a Unix socket, 127.0.0.0/8, ::1, or ::ffff:127.0.0.0/104. */
bool sock_address_is_local(const struct sock_address *a);

/** A network: "10.0.0.0/8", "2001:db8::/32", or one address. Host bits must be zero. */
struct ip_prefix {
        int family;
        unsigned n_bits;
        unsigned char bytes[16];
};
int parse_ip_prefix(const char *s, struct ip_prefix *ret);

/** ip_prefix_contains() - IPv4-mapped IPv6 peers count as IPv4; Unix peers are in no network. */
bool ip_prefix_contains(const struct ip_prefix *p, const struct sockaddr *sa);

/** parse_ip() - an address literal without port or brackets, for checking. 0 or -EINVAL. */
int parse_ip(const char *s, int *ret_family);
