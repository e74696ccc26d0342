/* It computes SHA-256 and HMAC-SHA-256 as others do: vectors of FIPS 180-4 and RFC 4231. */

#include "base/digest.h"
#include "tests/unit/test_main.h"

static const struct {
        const char *text, *want;
} sums[] = {
        {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
};

START_TEST(digests)
{
        _cleanup_(digest_freep) struct digest *d = NULL;
        uint8_t sum[DIGEST_BYTES];
        char hex[DIGEST_HEX];

        ck_assert_int_eq(digest_new(&d), 0);
        for (unsigned again = 0; again < 2; again++) {
                for (const char *p = sums[_i].text; *p; p++)
                        ck_assert_int_eq(digest_add(d, p, 1), 0);
                ck_assert_int_eq(digest_end(d, sum), 0);
                digest_to_hex(hex, sum);
                ck_assert_str_eq(hex, sums[_i].want);
        }
}
END_TEST

static const struct {
        const char *key;
        size_t n_key;
        const char *text, *want;
} macs[] = {
        {"Jefe", 4,   "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"\x0b", 20,  "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

START_TEST(keys)
{
        uint8_t key[131], sum[DIGEST_BYTES];
        char hex[DIGEST_HEX];

        memset(key, macs[_i].key[0], sizeof(key));
        if (macs[_i].key[1])
                memcpy(key, macs[_i].key, macs[_i].n_key);
        ck_assert_int_eq(
                digest_hmac(sum, key, macs[_i].n_key, macs[_i].text, strlen(macs[_i].text)), 0);
        digest_to_hex(hex, sum);
        ck_assert_str_eq(hex, macs[_i].want);
}
END_TEST

START_TEST(forgets_what_was_added_before_a_key)
{
        _cleanup_(digest_freep) struct digest *d = NULL;
        uint8_t sum[DIGEST_BYTES], want[DIGEST_BYTES];

        ck_assert_int_eq(digest_new(&d), 0);
        ck_assert_int_eq(digest_hmac(want, "k", 1, "v", 1), 0);
        ck_assert_int_eq(digest_add(d, "x", 1), 0);
        ck_assert_int_eq(digest_keyed(d, sum, "k", 1, "v", 1), 0);
        ck_assert_mem_eq(sum, want, sizeof(sum));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("digest");
        TCase *tc = tcase_create("sha256");

        tcase_add_loop_test(tc, digests, 0, ELEMENTSOF(sums));
        tcase_add_loop_test(tc, keys, 0, ELEMENTSOF(macs));
        tcase_add_test(tc, forgets_what_was_added_before_a_key);
        suite_add_tcase(s, tc);
        return test_main(s);
}
