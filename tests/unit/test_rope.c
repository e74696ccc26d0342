/* It is one text of many parts, to be read in any steps, and compressed part by part. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/rope.h"
#include "tests/unit/test_main.h"

#define N_FRAGMENTS 40u
#define N_USES      5u
#define N_THREADS   4u

static struct blob *make_blob(const char *text, unsigned n, size_t size)
{
        _cleanup_(buf_done) struct buf b = {0};

        while (b.n < size)
                buf_printf(&b, "%s %u,%zu;", text, n, b.n % 101);
        b.n = size;
        return blob_new_take(&b);
}

/* What a builder is told, and the plain text that it has to come to. */
struct pair {
        struct rope_builder rb;
        struct buf want;
};

static void put_text(struct pair *p, const char *text)
{
        buf_puts(&p->rb.text, text);
        buf_puts(&p->want, text);
}

static void put_blob(struct pair *p, struct blob *b)
{
        rope_builder_add(&p->rb, b);
        buf_append(&p->want, blob_data(b), blob_size(b));
}

/* Fragments of all sizes, from nothing to some kilobytes, each used several times. */
static struct rope *make(struct buf *ret_want)
{
        struct blob *fragments[N_FRAGMENTS];
        struct pair p = {0};
        struct rope *r;

        for (unsigned i = 0; i < N_FRAGMENTS; i++)
                fragments[i] = make_blob("fragment", i, i * i * 4);
        put_text(&p, "{\"Units\":[");
        for (unsigned u = 0; u < N_USES; u++) {
                for (unsigned i = 0; i < N_FRAGMENTS; i++) {
                        put_blob(&p, fragments[(i * 7 + u) % N_FRAGMENTS]);
                        put_text(&p, u % 2 ? "," : "");
                }
                put_text(&p, "a text that is long enough to be worth compressing: 11111111111111");
        }
        put_text(&p, "]}\n");
        for (unsigned i = 0; i < N_FRAGMENTS; i++)
                blob_unref(fragments[i]);
        r = rope_new_take(&p.rb);
        ck_assert_ptr_nonnull(r);
        *ret_want = p.want;
        return r;
}

static void read_all(const struct rope *r, struct buf *ret, size_t step)
{
        _cleanup_(freep) char *bytes = malloc(step);
        struct rope_cursor c = {0};
        size_t n;

        while ((n = rope_read(r, &c, bytes, step)) > 0) {
                buf_append(ret, bytes, n);
                ck_assert(n == step || ret->n == rope_size(r));
        }
        ck_assert_uint_eq(rope_read(r, &c, bytes, step), 0);
}

static const size_t steps[] = {1, 2, 7, 64, 1000, 4096, 65536, 10000000};

START_TEST(is_read_in_any_steps)
{
        _cleanup_(buf_done) struct buf want = {0}, got = {0};
        _cleanup_(rope_unrefp) struct rope *r = make(&want);

        ck_assert_uint_eq(rope_size(r), want.n);
        read_all(r, &got, steps[_i]);
        ck_assert_uint_eq(got.n, want.n);
        ck_assert_int_eq(memcmp(buf_cstr(&got), want.data, want.n), 0);
}
END_TEST

START_TEST(may_be_empty)
{
        _cleanup_(buf_done) struct buf nothing = {0};
        _cleanup_(blob_unrefp) struct blob *empty = blob_new_take(&nothing);
        _cleanup_(rope_unrefp) struct rope *r = NULL, *gzip = NULL;
        struct rope_builder rb = {0};
        struct rope_cursor c = {0};
        char byte;

        rope_builder_add(&rb, empty);
        r = rope_new_take(&rb);
        ck_assert_ptr_nonnull(r);
        ck_assert_uint_eq(rope_size(r), 0);
        ck_assert_uint_eq(rope_read(r, &c, &byte, 1), 0);
        gzip = rope_gzip(r, 0);
        ck_assert_uint_eq(rope_size(gzip), GZIP_HEAD_BYTES + GZIP_TAIL_BYTES);
}
END_TEST

/* Its blobs belong to others, too; the table and what is written between them is its own. */
START_TEST(owns_little)
{
        _cleanup_(blob_unrefp) struct blob *b = make_blob("large", 0, 100000);
        _cleanup_(rope_unrefp) struct rope *r = NULL;
        struct rope_builder rb = {0};

        for (size_t i = 0; i < 1000; i++) {
                rope_builder_add(&rb, b);
                buf_putc(&rb.text, ',');
        }
        ck_assert(blob_is_shared(b));
        r = rope_new_take(&rb);
        ck_assert_uint_eq(rb.n_pieces + rb.text.n, 0);
        ck_assert_uint_eq(rope_size(r), 1000 * 100001);
        ck_assert_uint_lt(rope_own_bytes(r), 40000);
        ck_assert(!rope_is_shared(r));
        rope_ref(r);
        ck_assert(rope_is_shared(r));
        rope_unref(r);
        rope_unref(TAKE_PTR(r));
        ck_assert(!blob_is_shared(b));
}
END_TEST

START_TEST(says_when_something_failed)
{
        _cleanup_(blob_unrefp) struct blob *b = make_blob("x", 0, 1000);
        struct rope_builder rb = {.text = {.error = -ENOMEM}}, unused = {0};

        rope_builder_add(&rb, b);
        ck_assert_ptr_null(rope_new_take(&rb));
        ck_assert(!blob_is_shared(b));
        rope_builder_add(&unused, b);
        rope_builder_done(&unused);
        ck_assert(!blob_is_shared(b));
}
END_TEST

static void write_rope(const struct rope *r, FILE *f)
{
        _cleanup_(buf_done) struct buf b = {0};

        read_all(r, &b, 4096);
        ck_assert_uint_eq(fwrite(b.data, 1, b.n, f), b.n);
        ck_assert_int_eq(fclose(f), 0);
}

/* Somebody else's program says what is in it, and whether checksum and length are right. */
static void must_unpack_to(const struct rope *gzip, const struct buf *want)
{
        char path[] = "/tmp/test_rope.XXXXXX", command[64];
        _cleanup_(buf_done) struct buf got = {0};
        char bytes[4096];
        size_t n;
        FILE *f;

        write_rope(gzip, fdopen(mkstemp(path), "w"));
        (void)snprintf(command, sizeof(command), "zcat <%s", path);
        f = popen(command, "r");
        while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
                buf_append(&got, bytes, n);
        ck_assert_int_eq(pclose(f), 0);
        unlink(path);
        ck_assert_uint_eq(got.n, want->n);
        ck_assert_int_eq(memcmp(buf_cstr(&got), want->data, want->n), 0);
}

START_TEST(unpacks_to_the_same)
{
        _cleanup_(buf_done) struct buf want = {0};
        _cleanup_(rope_unrefp) struct rope *r = make(&want);
        _cleanup_(rope_unrefp) struct rope *gzip = rope_gzip(r, UINT64_MAX);
        _cleanup_(rope_unrefp) struct rope *again = rope_gzip(r, 0);

        ck_assert_ptr_nonnull(gzip);
        ck_assert_ptr_eq(gzip, again);
        ck_assert_uint_lt(rope_size(gzip), rope_size(r) / 4);
        must_unpack_to(gzip, &want);
}
END_TEST

/* No more at once than it was told, but farther each time; and of parts that are known, nothing. */
START_TEST(compresses_bit_by_bit)
{
        _cleanup_(rope_unrefp) struct rope *gzip = NULL, *r = NULL;
        _cleanup_(buf_done) struct buf want = {0};
        unsigned n_tries = 0;

        r = make(&want);
        while (!(gzip = rope_gzip(r, 8000))) {
                n_tries++;
                ck_assert_uint_lt(n_tries, 100);
        }
        ck_assert_uint_gt(n_tries, 5);
        must_unpack_to(gzip, &want);
}
END_TEST

static void *compress(void *rope)
{
        return rope_gzip(rope, UINT64_MAX);
}

/* All at once: whoever comes second takes what the first one has made, and nothing is lost. */
START_TEST(is_compressed_by_many)
{
        _cleanup_(buf_done) struct buf want = {0};
        _cleanup_(rope_unrefp) struct rope *r = make(&want);
        struct rope *gzip[N_THREADS];
        pthread_t threads[N_THREADS];

        for (size_t i = 0; i < N_THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, compress, r), 0);
        for (size_t i = 0; i < N_THREADS; i++)
                pthread_join(threads[i], (void **)&gzip[i]);
        for (size_t i = 0; i < N_THREADS; i++) {
                ck_assert_ptr_eq(gzip[i], gzip[0]);
                must_unpack_to(gzip[i], &want);
                rope_unref(gzip[i]);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("rope");
        TCase *tc = tcase_create("rope");

        tcase_add_loop_test(tc, is_read_in_any_steps, 0, ELEMENTSOF(steps));
        tcase_add_test(tc, may_be_empty);
        tcase_add_test(tc, owns_little);
        tcase_add_test(tc, says_when_something_failed);
        tcase_add_test(tc, unpacks_to_the_same);
        tcase_add_test(tc, compresses_bit_by_bit);
        tcase_add_test(tc, is_compressed_by_many);
        suite_add_tcase(s, tc);
        return test_main(s);
}
