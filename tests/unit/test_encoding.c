/* It reads Accept-Encoding, and compresses what may be, for who wants it. */

#include <zlib.h>

#include "api/encoding.h"
#include "tests/unit/test_main.h"

static const struct {
        const char *header;
        bool want;
} headers[] = {
        {NULL,                            false},
        {"",                              false},
        {" , ,",                          false},
        {"gzip",                          true },
        {"x-gzip",                        true },
        {"GZip",                          true },
        {"gzip, deflate, br",             true },
        {"deflate, gzip;q=1.0, *;q=0.5",  true },
        {"br;q=1.0, gzip;q=0.8, *;q=0.1", true },
        {" ,\tgzip ,",                    true },
        {"gzip ; q=0.5",                  true },
        {"gzip;Q=0.001",                  true },
        {"gzip;q=1.000",                  true },
        {"gzip;q=1.",                     true },
        {"*",                             true },
        {"*;q=0.1",                       true },
        {"identity;q=0, *",               true },
        {"identity;q=0.5, gzip;q=0.5",    true },
        {"identity, gzip",                true },
 /* not wanted, or not as much */
        {"gzip;q=0",                      false},
        {"gzip;q=0.000",                  false},
        {"*;q=0",                         false},
        {"*, gzip;q=0",                   false},
        {"gzip;q=0, *",                   false},
        {"identity",                      false},
        {"identity;q=0",                  false},
        {"identity, gzip;q=0.9",          false},
        {"identity;q=0.5, *;q=0.4",       false},
        {"br, deflate, compress",         false},
        {"gzipped",                       false},
        {"ungzip",                        false},
 /* cannot be read: then it asks for nothing */
        {"gzip gzip",                     false},
        {"gzip, gzip;q=0",                false},
        {"gzip, x-gzip",                  false},
        {"identity, identity, gzip",      false},
        {"*, *",                          false},
        {"gzip;q=",                       false},
        {"gzip;q=2",                      false},
        {"gzip;q=-1",                     false},
        {"gzip;q=1.001",                  false},
        {"gzip;q=0.1234",                 false},
        {"gzip;q=.5",                     false},
        {"gzip;q =1",                     false},
        {"gzip;q= 1",                     false},
        {"gzip;q=1;q=1",                  false},
        {"gzip;level=9",                  false},
        {"gzip;",                         false},
        {";q=1, gzip",                    false},
        {"gzip/1",                        false},
        {"\"gzip\"",                      false},
        {"gzip\x80",                      false},
        {"br;q=x, gzip",                  false},
        {"gzip;q=1 x",                    false},
};

START_TEST(reads_the_field)
{
        ck_assert_msg(encoding_accepts_gzip(headers[_i].header) == headers[_i].want, "%s",
                      headers[_i].header ? headers[_i].header : "none");
}
END_TEST

static const char *header(const struct reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_headers; i++)
                if (streq(r->headers[i].name, name))
                        return r->headers[i].value;
        return "";
}

static struct blob *make_blob(size_t n)
{
        _cleanup_(buf_done) struct buf b = {0};

        for (unsigned i = 0; b.n < n; i++)
                buf_printf(&b, "{\"%u\":%u},", i % 100, i);
        b.n = n;
        return blob_new_take(&b);
}

/* All of the body, whatever it is made of. */
static void append_body(struct buf *b, const struct reply *r)
{
        struct rope_cursor c = {0};
        char bytes[1000];
        size_t n;

        if (r->body)
                buf_append(b, blob_data(r->body), blob_size(r->body));
        if (r->tail)
                buf_append(b, blob_data(r->tail), blob_size(r->tail));
        while (r->rope && (n = rope_read(r->rope, &c, bytes, sizeof(bytes))) > 0)
                buf_append(b, bytes, n);
}

static void must_unpack_to(const struct reply *r, const struct buf *want)
{
        _cleanup_(buf_done) struct buf gzip = {0};
        _cleanup_(freep) Bytef *got = malloc(want->n + 1);
        z_stream z = {.next_out = got, .avail_out = (uInt)want->n + 1};

        append_body(&gzip, r);
        ck_assert_uint_eq(gzip.n, reply_size(r));
        z.next_in = (Bytef *)gzip.data;
        z.avail_in = (uInt)gzip.n;
        ck_assert_int_eq(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
        ck_assert_uint_eq(z.total_out, want->n);
        ck_assert_int_eq(memcmp(got, want->data, want->n), 0);
        inflateEnd(&z);
}

enum shape { BLOB, SHARED, BLOBS, ROPE };

/* @others: whoever has these blobs, too */
static void answer(struct reply *r, enum shape shape, size_t n, struct blob **others)
{
        struct rope_builder rb = {0};

        *others = make_blob(n);
        if (shape == BLOB)
                (void)reply_blob(r, 200, "application/json", TAKE_PTR(*others));
        else if (shape == SHARED)
                (void)reply_blob(r, 200, "application/json", blob_ref(*others));
        else if (shape == BLOBS)
                (void)reply_blobs(r, 200, "application/json", blob_ref(*others), make_blob(100));
        else
                rope_builder_add(&rb, *others);
        if (shape == ROPE)
                (void)reply_rope(r, 200, "application/json", rope_new_take(&rb));
}

static const struct {
        size_t n;
        const char *accepts;
        enum shape shape;
        bool may_not, want;
} answers[] = {
        {5000,                         "gzip",     BLOB,   false, true },
        {5000,                         "gzip",     SHARED, false, true },
        {ENCODING_BYTES_MIN,           "gzip",     SHARED, false, true },
        {300000,                       "gzip",     SHARED, false, true },
        {5000,                         "gzip",     BLOBS,  false, true },
        {5000,                         "gzip",     ROPE,   false, true },
        {ENCODING_FRESH_BYTES_MAX,     "gzip",     BLOB,   false, true },
 /* as it is */
        {ENCODING_FRESH_BYTES_MAX + 1, "gzip",     BLOB,   false, false},
        {ENCODING_FRESH_BYTES_MAX + 1, "gzip",     BLOBS,  false, false},
        {ENCODING_FRESH_BYTES_MAX + 1, "gzip",     ROPE,   false, false},
        {ENCODING_BYTES_MIN - 1,       "gzip",     SHARED, false, false},
        {5000,                         "gzip;q=0", SHARED, false, false},
        {5000,                         NULL,       SHARED, false, false},
        {5000,                         "gzip",     SHARED, true,  false},
        {5000,                         "gzip",     ROPE,   true,  false},
        {5000,                         "gzip",     BLOBS,  true,  false},
};

START_TEST(compresses_what_may_be)
{
        _cleanup_(reply_done) struct reply r = {0};
        _cleanup_(blob_unrefp) struct blob *others = NULL;
        _cleanup_(buf_done) struct buf plain = {0}, sent = {0};
        bool may = !answers[_i].may_not;

        reply_header(&r, "ETag", "\"1.2\"");
        answer(&r, answers[_i].shape, answers[_i].n, &others);
        if (may)
                reply_may_encode(&r);
        append_body(&plain, &r);
        reply_encode(&r, answers[_i].accepts);
        ck_assert_str_eq(header(&r, "Vary"), may ? "Accept-Encoding" : "");
        ck_assert_str_eq(header(&r, "Content-Encoding"), answers[_i].want ? "gzip" : "");
        ck_assert_str_eq(header(&r, "ETag"), answers[_i].want ? "W/\"1.2\"" : "\"1.2\"");
        ck_assert_str_eq(r.content_type, "application/json");
        if (answers[_i].want) {
                ck_assert_uint_lt(reply_size(&r), plain.n);
                must_unpack_to(&r, &plain);
                return;
        }
        append_body(&sent, &r);
        ck_assert_uint_eq(sent.n, plain.n);
        ck_assert_int_eq(memcmp(buf_cstr(&sent), buf_cstr(&plain), plain.n), 0);
}
END_TEST

/* The next one costs nothing, and belongs to nobody; of what was made for one, the reply has all. */
START_TEST(compresses_once_for_all)
{
        _cleanup_(blob_unrefp) struct blob *b = make_blob(5000);

        for (int i = 0; i < 2; i++) {
                _cleanup_(reply_done) struct reply all = {0}, one = {0};
                _cleanup_(blob_unrefp) struct blob *gzip = NULL;

                (void)reply_blob(&all, 200, "application/json", blob_ref(b));
                reply_may_encode(&all);
                reply_encode(&all, "gzip");
                gzip = blob_gzip(b, GZIP_WELL);
                ck_assert_ptr_eq(all.body, gzip);
                ck_assert_uint_eq(reply_own_size(&all), 0);

                (void)reply_blob(&one, 200, "application/json", make_blob(5000));
                reply_may_encode(&one);
                reply_encode(&one, "gzip");
                ck_assert_uint_eq(reply_own_size(&one), reply_size(&one));
        }
}
END_TEST

static const struct {
        unsigned status;
        const char *etag, *want;
} others[] = {
        {304, "\"1.2\"", "\"1.2\""},
        {404, "\"1.2\"", "\"1.2\""},
        {500, "\"1.2\"", "\"1.2\""},
};

START_TEST(leaves_other_answers)
{
        _cleanup_(reply_done) struct reply r = {0};

        reply_header(&r, "ETag", "%s", others[_i].etag);
        reply_may_encode(&r);
        if (others[_i].status == 304)
                reply_empty(&r, 304);
        else
                (void)reply_blob(&r, others[_i].status, "application/json", make_blob(5000));
        reply_encode(&r, "gzip");
        ck_assert_str_eq(header(&r, "Vary"), "Accept-Encoding");
        ck_assert_str_eq(header(&r, "Content-Encoding"), "");
        ck_assert_str_eq(header(&r, "ETag"), others[_i].want);
}
END_TEST

/* What is weak already stays so; what cannot be compressed is sent as it is. */
START_TEST(keeps_what_it_cannot_better)
{
        _cleanup_(reply_done) struct reply weak = {0}, noise = {0};
        _cleanup_(buf_done) struct buf b = {0};
        unsigned x = 1;

        reply_header(&weak, "ETag", "W/\"1.2\"");
        (void)reply_blob(&weak, 200, "application/json", make_blob(5000));
        reply_may_encode(&weak);
        reply_encode(&weak, "gzip");
        ck_assert_str_eq(header(&weak, "ETag"), "W/\"1.2\"");
        ck_assert_str_eq(header(&weak, "Content-Encoding"), "gzip");

        while (b.n < 5000) {
                x = x * 1664525u + 1013904223u;
                buf_putc(&b, (char)(x >> 24));
        }
        (void)reply_blob(&noise, 200, "application/json", blob_new_take(&b));
        reply_may_encode(&noise);
        reply_encode(&noise, "gzip");
        ck_assert_str_eq(header(&noise, "Content-Encoding"), "");
        ck_assert_uint_eq(reply_size(&noise), 5000);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("encoding");
        TCase *tc = tcase_create("encoding");

        tcase_add_loop_test(tc, reads_the_field, 0, ELEMENTSOF(headers));
        tcase_add_loop_test(tc, compresses_what_may_be, 0, ELEMENTSOF(answers));
        tcase_add_test(tc, compresses_once_for_all);
        tcase_add_loop_test(tc, leaves_other_answers, 0, ELEMENTSOF(others));
        tcase_add_test(tc, keeps_what_it_cannot_better);
        suite_add_tcase(s, tc);
        return test_main(s);
}
