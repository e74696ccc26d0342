/*
 * The filter. What the vectors say is exact as far as bytes that lie in a hint's first four places go; each
 * finding is compared before it is believed, so that all ways of looking agree.
 *
 * The end of a text, where a vector would read beyond, is copied to a page of zeros: no hint has a zero.
 */

#include <errno.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/redact_filter.h"
#include "base/redact_scan.h"

#define PLACES     4u
#define BUCKETS    8u
#define BEGINNINGS 8192u
#define TAIL_BYTES 32u /* as many as the widest vector has */

struct entry {
        uint32_t value, mask, fold; /* of the first four places: (word | fold) & mask == value */
        struct redact_hint hint;
        size_t n;
};

typedef size_t (*next_fn)(const struct redact_filter *f, const char *text, size_t from, size_t to);

struct redact_filter {
        uint8_t low[PLACES][16],
                high[PLACES][16];             /* buckets that have a byte with such a half there */
        uint64_t beginnings[BEGINNINGS / 64]; /* which first three bytes a hint has, hashed */
        next_fn next;
        size_t n_entries, begin[BUCKETS + 1]; /* a bucket's entries stand together */
        struct entry entries[];
};

static inline uint32_t load_word(const char *p, size_t n)
{
        uint32_t word = 0;

        if (n >= sizeof(word))
                memcpy(&word, p, sizeof(word));
        else
                memcpy(&word, p, n);
        return word;
}

/* Of the first three bytes, in any case. */
static inline unsigned beginning_of(uint32_t word)
{
        uint8_t bytes[4];

        memcpy(bytes, &word, sizeof(bytes));
        word = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2] | 0x202020;
        return word * UINT32_C(0x9e3779b1) >> 19;
}

/* The bytes after the fourth, and what stands behind them. */
static bool rest_matches(const struct entry *e, const char *p, size_t n)
{
        if (n < e->n)
                return false;
        for (size_t i = PLACES; i < e->n; i++)
                if ((e->hint.exact ? p[i] : redact_lower(p[i])) != e->hint.text[i])
                        return false;
        return !e->hint.ends || n == e->n || !is_key_char(p[e->n]);
}

/* Does a hint of one of @buckets begin at @p, of which there are @n bytes? */
static bool is_hint(const struct redact_filter *f, unsigned buckets, const char *p, size_t n)
{
        uint32_t word = load_word(p, n);
        unsigned beginning = beginning_of(word);

        if (!(f->beginnings[beginning / 64] >> beginning % 64 & 1))
                return false;
        for (; buckets; buckets &= buckets - 1) {
                unsigned b = (unsigned)__builtin_ctz(buckets);

                for (size_t i = f->begin[b]; i < f->begin[b + 1]; i++) {
                        const struct entry *e = &f->entries[i];

                        if (((word | e->fold) & e->mask) == e->value && rest_matches(e, p, n))
                                return true;
                }
        }
        return false;
}

static unsigned buckets_at(const struct redact_filter *f, unsigned place, char c)
{
        return f->low[place][c & 15] & f->high[place][(uint8_t)c >> 4];
}

static size_t next_portable(const struct redact_filter *f, const char *text, size_t from, size_t to)
{
        for (size_t i = from; i < to; i++) {
                unsigned buckets = buckets_at(f, 0, text[i]);

                for (unsigned k = 1; buckets && k < PLACES; k++)
                        buckets &= buckets_at(f, k, i + k < to ? text[i + k] : '\0');
                if (buckets && is_hint(f, buckets, text + i, to - i))
                        return i;
        }
        return to;
}

#if defined(__x86_64__)

/* The first of the places in @found (a bit each) where a hint begins, which @buckets tells; else @to. */
static size_t first_hint(const struct redact_filter *f, uint32_t found, const uint8_t *buckets,
                         const char *text, size_t at, size_t to)
{
        for (; found; found &= found - 1) {
                unsigned k = (unsigned)__builtin_ctz(found);

                if (at + k < to && is_hint(f, buckets[k], text + at + k, to - at - k))
                        return at + k;
        }
        return to;
}

__attribute__((target("ssse3"))) static inline __m128i look_16(const struct redact_filter *f,
                                                               const char *p, unsigned place)
{
        __m128i half = _mm_set1_epi8(15), bytes = _mm_loadu_si128((const __m128i *)(p + place));
        __m128i low = _mm_loadu_si128((const __m128i *)f->low[place]);
        __m128i high = _mm_loadu_si128((const __m128i *)f->high[place]);

        return _mm_and_si128(_mm_shuffle_epi8(low, _mm_and_si128(bytes, half)),
                             _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), half)));
}

/* Which of 16 places may begin a hint; reads 19 bytes. */
__attribute__((target("ssse3"))) static inline uint32_t find_16(const struct redact_filter *f,
                                                                const char *p, uint8_t buckets[16])
{
        __m128i found = _mm_and_si128(_mm_and_si128(look_16(f, p, 0), look_16(f, p, 1)),
                                      _mm_and_si128(look_16(f, p, 2), look_16(f, p, 3)));
        int none = _mm_movemask_epi8(_mm_cmpeq_epi8(found, _mm_setzero_si128()));

        if (none != 0xffff)
                _mm_storeu_si128((__m128i *)buckets, found);
        return (uint32_t)none ^ 0xffff;
}

__attribute__((target("ssse3"))) static size_t next_ssse3(const struct redact_filter *f,
                                                          const char *text, size_t from, size_t to)
{
        char tail[2 * TAIL_BYTES];
        uint8_t buckets[16];
        size_t i = from, hit;
        uint32_t found;

        for (; to - i >= 16 + PLACES - 1; i += 16) {
                found = find_16(f, text + i, buckets);
                if (found && (hit = first_hint(f, found, buckets, text, i, to)) < to)
                        return hit;
        }
        memset(tail, 0, sizeof(tail));
        memcpy(tail, text + i, to - i);
        for (size_t k = 0; i < to; k += 16, i = i + 16 < to ? i + 16 : to) {
                found = find_16(f, tail + k, buckets);
                if (found && (hit = first_hint(f, found, buckets, text, i, to)) < to)
                        return hit;
        }
        return to;
}

__attribute__((target("avx2"))) static inline __m256i look_32(const struct redact_filter *f,
                                                              const char *p, unsigned place)
{
        __m256i half = _mm256_set1_epi8(15),
                bytes = _mm256_loadu_si256((const __m256i *)(p + place));
        __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)f->low[place]));
        __m256i high =
                _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)f->high[place]));

        return _mm256_and_si256(
                _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
                _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
}

/* Which of 32 places may begin a hint; reads 35 bytes. */
__attribute__((target("avx2"))) static inline uint32_t find_32(const struct redact_filter *f,
                                                               const char *p, uint8_t buckets[32])
{
        __m256i found = _mm256_and_si256(_mm256_and_si256(look_32(f, p, 0), look_32(f, p, 1)),
                                         _mm256_and_si256(look_32(f, p, 2), look_32(f, p, 3)));
        uint32_t none =
                (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(found, _mm256_setzero_si256()));

        if (none != UINT32_MAX)
                _mm256_storeu_si256((__m256i *)buckets, found);
        return ~none;
}

__attribute__((target("avx2"))) static size_t next_avx2(const struct redact_filter *f,
                                                        const char *text, size_t from, size_t to)
{
        char tail[3 * TAIL_BYTES];
        uint8_t buckets[32];
        size_t i = from, hit;
        uint32_t found;

        for (; to - i >= 32 + PLACES - 1; i += 32) {
                found = find_32(f, text + i, buckets);
                if (found && (hit = first_hint(f, found, buckets, text, i, to)) < to)
                        return hit;
        }
        memset(tail, 0, sizeof(tail));
        memcpy(tail, text + i, to - i);
        for (size_t k = 0; i < to; k += 32, i = i + 32 < to ? i + 32 : to) {
                found = find_32(f, tail + k, buckets);
                if (found && (hit = first_hint(f, found, buckets, text, i, to)) < to)
                        return hit;
        }
        return to;
}

static next_fn choose(enum redact_speed speed)
{
        bool ssse3 = __builtin_cpu_supports("ssse3"), avx2 = __builtin_cpu_supports("avx2");

        if (speed == REDACT_AVX2 || speed == REDACT_BEST)
                if (avx2)
                        return next_avx2;
        if (speed == REDACT_SSSE3 || speed == REDACT_BEST)
                if (ssse3)
                        return next_ssse3;
        return speed == REDACT_PORTABLE || speed == REDACT_BEST ? next_portable : NULL;
}

#else

static next_fn choose(enum redact_speed speed)
{
        return speed == REDACT_PORTABLE || speed == REDACT_BEST ? next_portable : NULL;
}

#endif

static bool is_letter(char c)
{
        return redact_lower(c) >= 'a' && redact_lower(c) <= 'z';
}

static struct entry entry_of(const struct redact_hint *hint)
{
        struct entry e = {.hint = *hint, .n = strlen(hint->text)};
        uint8_t value[PLACES] = {0}, mask[PLACES] = {0}, fold[PLACES] = {0};

        for (size_t k = 0; k < PLACES && k < e.n; k++) {
                value[k] = (uint8_t)hint->text[k];
                mask[k] = 0xff;
                fold[k] = !hint->exact && is_letter(hint->text[k]) ? 0x20 : 0;
        }
        memcpy(&e.value, value, sizeof(e.value));
        memcpy(&e.mask, mask, sizeof(e.mask));
        memcpy(&e.fold, fold, sizeof(e.fold));
        return e;
}

/* A bucket while hints are dealt out: the halves of bytes that it lets pass at each place. */
struct halves {
        uint16_t low[PLACES], high[PLACES];
};

static void halves_add(struct halves *h, const struct redact_hint *hint)
{
        size_t n = strlen(hint->text);

        for (size_t k = 0; k < PLACES; k++) {
                uint8_t c = (uint8_t)hint->text[k < n ? k : 0];

                if (k >= n) {
                        h->low[k] = h->high[k] = 0xffff;
                        continue;
                }
                h->low[k] |= (uint16_t)(1u << (c & 15));
                h->high[k] |= (uint16_t)(1u << (c >> 4));
                if (!hint->exact && is_letter((char)c))
                        h->high[k] |= (uint16_t)(1u << ((c ^ 0x20) >> 4));
        }
}

/* How much passes a bucket in vain. */
static uint64_t halves_cost(const struct halves *h)
{
        uint64_t cost = 1;

        for (size_t k = 0; k < PLACES; k++)
                cost *= (uint64_t)__builtin_popcount(h->low[k]) *
                        (uint64_t)__builtin_popcount(h->high[k]);
        return cost;
}

static unsigned cheapest_bucket(const struct halves buckets[static BUCKETS],
                                const struct redact_hint *hint)
{
        uint64_t least = UINT64_MAX;
        unsigned best = 0;

        for (unsigned b = 0; b < BUCKETS; b++) {
                struct halves more = buckets[b];

                halves_add(&more, hint);
                if (halves_cost(&more) - halves_cost(&buckets[b]) < least) {
                        least = halves_cost(&more) - halves_cost(&buckets[b]);
                        best = b;
                }
        }
        return best;
}

static void set_tables(struct redact_filter *f, const struct halves buckets[static BUCKETS])
{
        for (unsigned b = 0; b < BUCKETS; b++)
                for (unsigned k = 0; k < PLACES; k++)
                        for (unsigned half = 0; half < 16; half++) {
                                f->low[k][half] |= (uint8_t)((buckets[b].low[k] >> half & 1) << b);
                                f->high[k][half] |=
                                        (uint8_t)((buckets[b].high[k] >> half & 1) << b);
                        }
}

static void add_beginning(struct redact_filter *f, const struct redact_hint *hint)
{
        unsigned beginning = beginning_of(load_word(hint->text, PLACES));

        if (strlen(hint->text) < 3)
                memset(f->beginnings, 0xff, sizeof(f->beginnings));
        else
                f->beginnings[beginning / 64] |= UINT64_C(1) << beginning % 64;
}

static void deal(struct redact_filter *f, const struct redact_hint hints[], size_t n,
                 uint8_t bucket_of[])
{
        struct halves buckets[BUCKETS] = {0};

        for (size_t i = 0; i < n; i++) {
                bucket_of[i] = (uint8_t)cheapest_bucket(buckets, &hints[i]);
                halves_add(&buckets[bucket_of[i]], &hints[i]);
                add_beginning(f, &hints[i]);
        }
        for (unsigned b = 0; b < BUCKETS; b++) {
                f->begin[b] = f->n_entries;
                for (size_t i = 0; i < n; i++)
                        if (bucket_of[i] == b)
                                f->entries[f->n_entries++] = entry_of(&hints[i]);
        }
        f->begin[BUCKETS] = f->n_entries;
        set_tables(f, buckets);
}

int redact_filter_new(struct redact_filter **ret, const struct redact_hint hints[], size_t n,
                      enum redact_speed speed)
{
        _cleanup_(freep) uint8_t *bucket_of = calloc(n ? n : 1, sizeof(*bucket_of));
        struct redact_filter *f;

        if (!choose(speed))
                return -EOPNOTSUPP;
        f = calloc(1, sizeof(*f) + n * sizeof(f->entries[0]));
        if (!f || !bucket_of) {
                free(f);
                return -ENOMEM;
        }
        f->next = choose(speed);
        deal(f, hints, n, bucket_of);
        *ret = f;
        return 0;
}

struct redact_filter *redact_filter_free(struct redact_filter *f)
{
        free(f);
        return NULL;
}

size_t redact_filter_next(const struct redact_filter *f, const char *text, size_t from, size_t to)
{
        return f->next(f, text, from, to);
}
