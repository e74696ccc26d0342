/* It makes gzip streams of runs and of other streams, which everybody else can read. */

#include <stdio.h>

#include <zlib.h>

#include "base/blob.h"
#include "tests/unit/test_main.h"

#define TEXT_BYTES 300000u

/* Compressible, but not by far as much as one character; never the same twice in a row. */
static void append_text(struct buf *b, size_t n, unsigned seed)
{
        while (b->n < n) {
                seed = seed * 1103515245u + 12345u;
                buf_printf(b, "{\"unit\":\"%x.service\",\"n\":%u},", seed >> 20, seed >> 8 & 0xff);
        }
        b->n = n;
}

/* As zlib reads it, which also compares checksum and length; the whole stream, and nothing behind it. */
static void must_be_gzip_of(const struct buf *gzip, const void *want, size_t n_want)
{
        _cleanup_(freep) unsigned char *got = malloc(n_want + 1);
        z_stream z = {
                .next_in = (Bytef *)gzip->data,
                .avail_in = (uInt)gzip->n,
                .next_out = got,
                .avail_out = (uInt)n_want + 1,
        };

        ck_assert_int_eq(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        ck_assert_msg(inflate(&z, Z_FINISH) == Z_STREAM_END, "%s", z.msg ? z.msg : "no message");
        ck_assert_uint_eq(z.avail_in, 0);
        ck_assert_uint_eq(z.total_out, n_want);
        ck_assert_int_eq(memcmp(got, want, n_want), 0);
        inflateEnd(&z);
}

static const size_t sizes[] = {0,    1,    31,   32,    33,    127,   128,       1000,
                               4095, 4096, 4097, 16384, 65535, 65536, TEXT_BYTES};

START_TEST(compresses_any_size)
{
        for (enum gzip_effort effort = GZIP_WELL; effort <= GZIP_FAST; effort++) {
                _cleanup_(buf_done) struct buf text = {0}, gzip = {0};
                size_t n = sizes[_i];

                append_text(&text, n, 1);
                ck_assert_int_eq(gzip_bytes(&gzip, buf_cstr(&text), n, effort), 0);
                must_be_gzip_of(&gzip, buf_cstr(&text), n);
                if (n >= 1000)
                        ck_assert_uint_lt(gzip.n, n / 2);
                else
                        ck_assert_uint_le(gzip.n, n + GZIP_HEAD_BYTES + GZIP_TAIL_BYTES + 10);
        }
}
END_TEST

/* Noise, which no run can make smaller, and which therefore is stored. */
START_TEST(compresses_noise)
{
        _cleanup_(buf_done) struct buf noise = {0}, gzip = {0};
        uint64_t x = 88172645463325252u;

        while (noise.n < TEXT_BYTES) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                buf_append(&noise, &x, sizeof(x));
        }
        ck_assert_int_eq(gzip_bytes(&gzip, noise.data, noise.n, GZIP_WELL), 0);
        must_be_gzip_of(&gzip, noise.data, noise.n);
        ck_assert_uint_lt(gzip.n, noise.n + noise.n / 100);
}
END_TEST

/* Every size of part and of run next to every other, some parts many times. */
START_TEST(joins_parts_and_runs)
{
        _cleanup_(buf_done) struct buf text = {0}, gzip = {0};
        _cleanup_(gzip_freep) struct gzip *g = NULL;

        ck_assert_int_eq(gzip_new(&g, GZIP_WELL), 0);
        for (int again = 0; again < 2; again++) { /* it can make one after the other */
                buf_clear(&text);
                buf_clear(&gzip);
                gzip_begin(g, &gzip);
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        _cleanup_(buf_done) struct buf run = {0}, part = {0};

                        append_text(&run, sizes[i], (unsigned)i);
                        ck_assert_int_eq(gzip_bytes(&part, buf_cstr(&run), run.n, GZIP_FAST), 0);
                        for (size_t j = 0; j < 3; j++) {
                                gzip_join(g, part.data, part.n);
                                buf_append(&gzip, part.data + GZIP_HEAD_BYTES,
                                           part.n - GZIP_HEAD_BYTES - GZIP_TAIL_BYTES);
                                gzip_run(g, &gzip, buf_cstr(&run), run.n);
                                buf_append(&text, buf_cstr(&run), run.n);
                                buf_append(&text, buf_cstr(&run), run.n);
                        }
                }
                gzip_end(g, &gzip);
                ck_assert_int_eq(gzip.error, 0);
                must_be_gzip_of(&gzip, text.data, text.n);
        }
}
END_TEST

START_TEST(says_what_it_cannot)
{
        struct buf full = {.max = 30}, failed = {.error = -1};
        _cleanup_(buf_done) struct buf text = {0}, out = {0};

        append_text(&text, 10000, 1);
        ck_assert_int_lt(gzip_bytes(&full, text.data, text.n, GZIP_WELL), 0);
        ck_assert_int_eq(gzip_bytes(&failed, text.data, text.n, GZIP_WELL), -1);
        ck_assert_int_lt(gzip_bytes(&out, text.data, GZIP_RUN_BYTES_MAX + UINT64_C(1), GZIP_WELL),
                         0);
        buf_done(&full);
}
END_TEST

/* A blob's own: made once, by the first who asks. */
START_TEST(is_kept_with_its_blob)
{
        _cleanup_(buf_done) struct buf text = {0};
        _cleanup_(blob_unrefp) struct blob *b = NULL, *one = NULL, *two = NULL;
        struct buf seen;

        append_text(&text, 5000, 1);
        b = blob_new_take(&text);
        ck_assert(!blob_has_gzip(b));
        one = blob_gzip(b, GZIP_FAST);
        ck_assert(blob_has_gzip(b));
        two = blob_gzip(b, GZIP_WELL);
        ck_assert_ptr_eq(one, two);
        ck_assert(!blob_is_shared(b));
        seen = (struct buf){.data = (char *)blob_data(one), .n = blob_size(one)};
        must_be_gzip_of(&seen, blob_data(b), blob_size(b));
        blob_unref(TAKE_PTR(b));
        seen.data = (char *)blob_data(one); /* and lives on without it */
        ck_assert_int_eq(seen.data[0], 0x1f);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("gzip");
        TCase *tc = tcase_create("gzip");

        tcase_add_loop_test(tc, compresses_any_size, 0, ELEMENTSOF(sizes));
        tcase_add_test(tc, compresses_noise);
        tcase_add_test(tc, joins_parts_and_runs);
        tcase_add_test(tc, says_what_it_cannot);
        tcase_add_test(tc, is_kept_with_its_blob);
        suite_add_tcase(s, tc);
        return test_main(s);
}
