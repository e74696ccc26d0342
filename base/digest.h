#pragma once

/*
 * SHA-256 and HMAC-SHA-256 (RFC 2104), and the only door to libcrypto's digests. To name what is equal, not to
 * keep a secret: no key of ours outlives a bundle. One thread for each.
 */

#include "base/cleanup.h"

#define DIGEST_BYTES 32u
#define DIGEST_HEX   65u /* lower case, and a NUL */

struct digest;

/** digest_new() - 0, or -ENOMEM */
int digest_new(struct digest **ret);
struct digest *digest_free(struct digest *d);

/** digest_add() - 0, or -EIO: libcrypto refuses; digest_end() will, too */
int digest_add(struct digest *d, const void *data, size_t n);

/** digest_end() - what was added so far, and begin anew. 0 or -EIO. */
int digest_end(struct digest *d, uint8_t ret[static DIGEST_BYTES]);

/** digest_keyed() - HMAC of one short message by a digest that is there; what was added to @d is forgotten. 0 or -EIO. */
int digest_keyed(struct digest *d, uint8_t ret[static DIGEST_BYTES], const void *key, size_t n_key,
                 const void *data, size_t n);

/** digest_hmac() - the same without one; 0 or -EIO */
int digest_hmac(uint8_t ret[static DIGEST_BYTES], const void *key, size_t n_key, const void *data,
                size_t n);

void digest_to_hex(char ret[static DIGEST_HEX], const uint8_t digest[static DIGEST_BYTES]);

DEFINE_CLEANUP(struct digest *, digest_free);
