/* Digests. libcrypto's context is allocated once and begun anew after each end. */

#include <errno.h>

#include <openssl/evp.h>

#include "base/digest.h"

#define BLOCK_BYTES 64u /* of SHA-256 */

struct digest {
        EVP_MD_CTX *context;
        bool failed; /* what follows would be the digest of something else */
};

static void begin(struct digest *d)
{
        d->failed = EVP_DigestInit_ex2(d->context, EVP_sha256(), NULL) != 1;
}

int digest_new(struct digest **ret)
{
        struct digest *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->context = EVP_MD_CTX_new();
        if (!d->context) {
                (void)digest_free(d);
                return -ENOMEM;
        }
        begin(d);
        *ret = d;
        return 0;
}

struct digest *digest_free(struct digest *d)
{
        if (d)
                EVP_MD_CTX_free(d->context);
        free(d);
        return NULL;
}

int digest_add(struct digest *d, const void *data, size_t n)
{
        if (!d->failed && n > 0)
                d->failed = EVP_DigestUpdate(d->context, data, n) != 1;
        return d->failed ? -EIO : 0;
}

int digest_end(struct digest *d, uint8_t ret[static DIGEST_BYTES])
{
        uint8_t sum[EVP_MAX_MD_SIZE];
        bool failed = d->failed || EVP_DigestFinal_ex(d->context, sum, NULL) != 1;

        begin(d);
        if (failed)
                return -EIO;
        memcpy(ret, sum, DIGEST_BYTES);
        return 0;
}

/* A key that is longer than a block is replaced by its digest, a shorter one filled up with zeros. */
static int pad_key(struct digest *d, uint8_t ret[static BLOCK_BYTES], const void *key, size_t n_key)
{
        memset(ret, 0, BLOCK_BYTES);
        if (n_key <= BLOCK_BYTES) {
                if (n_key > 0)
                        memcpy(ret, key, n_key);
                return 0;
        }
        (void)digest_add(d, key, n_key);
        return digest_end(d, ret);
}

/* H((key ^ with…) || data) */
static int keyed(struct digest *d, uint8_t ret[static DIGEST_BYTES],
                 const uint8_t key[static BLOCK_BYTES], uint8_t with, const void *data, size_t n)
{
        uint8_t pad[BLOCK_BYTES];

        for (size_t i = 0; i < BLOCK_BYTES; i++)
                pad[i] = key[i] ^ with;
        (void)digest_add(d, pad, sizeof(pad));
        (void)digest_add(d, data, n);
        return digest_end(d, ret);
}

/* By hand, because libcrypto's own looks the algorithm up for each message, which costs more than the hashing. */
int digest_keyed(struct digest *d, uint8_t ret[static DIGEST_BYTES], const void *key, size_t n_key,
                 const void *data, size_t n)
{
        uint8_t padded[BLOCK_BYTES], inner[DIGEST_BYTES];
        int r;

        begin(d);
        r = pad_key(d, padded, key, n_key);
        if (r == 0)
                r = keyed(d, inner, padded, 0x36, data, n);
        if (r == 0)
                r = keyed(d, ret, padded, 0x5c, inner, sizeof(inner));
        return r;
}

int digest_hmac(uint8_t ret[static DIGEST_BYTES], const void *key, size_t n_key, const void *data,
                size_t n)
{
        _cleanup_(digest_freep) struct digest *d = NULL;
        int r = digest_new(&d);

        return r < 0 ? -EIO : digest_keyed(d, ret, key, n_key, data, n);
}

void digest_to_hex(char ret[static DIGEST_HEX], const uint8_t digest[static DIGEST_BYTES])
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < DIGEST_BYTES; i++) {
                ret[2 * i] = digits[digest[i] >> 4];
                ret[2 * i + 1] = digits[digest[i] & 15];
        }
        ret[2 * DIGEST_BYTES] = '\0';
}
