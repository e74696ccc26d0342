/*
 * Headers of tar. A header with an extended one before it has a stand-in for the path, which follows from the
 * path: so there is no second name in it that another reader might go by.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "bundles/tar_header.h"

#define MODE_MAX  0777u /* no setuid: root may unpack this */
#define WHO_MAX   07777777u
#define NOBODY    65534u
#define SIZE_CHAR 24u

struct ustar {
        char name[TAR_NAME_MAX];
        char mode[8], uid[8], gid[8];
        char size[12], mtime[12];
        char checksum[8];
        char typeflag;
        char link_name[100];
        char magic[6], version[2];
        char user[32], group[32];
        char major[8], minor[8];
        char prefix[155];
        char rest[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

static unsigned checksum(const struct ustar *u)
{
        const unsigned char *bytes = (const unsigned char *)u;
        unsigned sum = 0;

        for (size_t i = 0; i < sizeof(*u); i++)
                sum += bytes[i];
        for (size_t i = 0; i < sizeof(u->checksum); i++) /* itself counts as blanks */
                sum += ' ' - (unsigned char)u->checksum[i];
        return sum;
}

static bool is_ascii(const char *s)
{
        for (; *s; s++)
                if (*s & 0x80)
                        return false;
        return true;
}

static bool fits_ustar(const char *path)
{
        return strlen(path) <= TAR_NAME_MAX && is_ascii(path);
}

/* The stand-in: as much as there is room for. A slash at its end would make it a directory. */
static void stand_in(char ret[static TAR_NAME_MAX], const char *path)
{
        size_t n = strnlen(path, TAR_NAME_MAX);

        memset(ret, 0, TAR_NAME_MAX);
        for (size_t i = 0; i < n; i++)
                ret[i] = path[i] & 0x80 ? '_' : path[i];
        if (ret[n - 1] == '/')
                ret[n - 1] = '_';
}

/* --- writing ----------------------------------------------------------------------------------------- */

static void put_octal(char *field, size_t n_field, uint64_t value)
{
        field[--n_field] = '\0';
        for (; n_field > 0; value /= 8)
                field[--n_field] = (char)('0' + value % 8);
}

static void put_header(char *block, char typeflag, uint64_t size, uint64_t mtime_sec)
{
        struct ustar *u = (struct ustar *)block;

        put_octal(u->mode, sizeof(u->mode), 0644);
        put_octal(u->uid, sizeof(u->uid), NOBODY);
        put_octal(u->gid, sizeof(u->gid), NOBODY);
        put_octal(u->size, sizeof(u->size), size);
        put_octal(u->mtime, sizeof(u->mtime), mtime_sec);
        u->typeflag = typeflag;
        memcpy(u->magic, "ustar", sizeof(u->magic));
        memcpy(u->version, "00", sizeof(u->version));
        put_octal(u->major, sizeof(u->major), 0);
        put_octal(u->minor, sizeof(u->minor), 0);
        put_octal(u->checksum, sizeof(u->checksum) - 1, checksum(u));
        u->checksum[7] = ' ';
}

/* "LENGTH key=value\n": the length counts its own digits. */
static size_t put_record(char *at, size_t n_room, const char *key, const char *value)
{
        size_t n_rest = strlen(key) + strlen(value) + 3, n = n_rest + 1;

        for (size_t limit = 10; n >= limit; limit *= 10)
                n = n_rest + (limit >= 1000 ? 4 : limit >= 100 ? 3 : 2);
        assert(n < n_room);
        (void)snprintf(at, n_room, "%zu %s=%s\n", n, key, value);
        return n;
}

size_t tar_header_write(char ret[static TAR_HEADERS_MAX], const char *path, uint64_t size,
                        uint64_t mtime_sec)
{
        char decimal[SIZE_CHAR], *records = ret + TAR_BLOCK, *header = ret;
        size_t n = 0;

        memset(ret, 0, TAR_HEADERS_MAX);
        mtime_sec = mtime_sec > TAR_SIZE_MAX ? TAR_SIZE_MAX : mtime_sec;
        if (!fits_ustar(path))
                n = put_record(records, TAR_EXTENDED_MAX, "path", path);
        if (size > TAR_SIZE_MAX) {
                (void)snprintf(decimal, sizeof(decimal), "%llu", (unsigned long long)size);
                n += put_record(records + n, TAR_EXTENDED_MAX - n, "size", decimal);
                size = 0;
        }
        if (n > 0) {
                (void)snprintf(ret, TAR_NAME_MAX, "%s", TAR_EXTENDED_NAME);
                put_header(ret, 'x', n, mtime_sec);
                header = records + n + tar_padding(n);
        }
        stand_in(header, path);
        put_header(header, '0', size, mtime_sec);
        return (size_t)(header - ret) + TAR_BLOCK;
}

/* --- reading ----------------------------------------------------------------------------------------- */

/* All of its digits, and a NUL: readers disagree about blanks, signs and what has no end. */
static bool octal(const char *field, size_t n_field, uint64_t max, uint64_t *ret)
{
        uint64_t value = 0;

        for (size_t i = 0; i + 1 < n_field; i++) {
                if (field[i] < '0' || field[i] > '7')
                        return false;
                value = value * 8 + (uint64_t)(field[i] - '0');
        }
        if (field[n_field - 1] != '\0' || value > max)
                return false;
        *ret = value;
        return true;
}

static bool zeros(const char *field, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (field[i] != '\0')
                        return false;
        return true;
}

/* Printable ASCII, then NULs; @with_end: at least one. */
static bool plain(const char *field, size_t n_field, bool with_end)
{
        size_t n = strnlen(field, n_field);

        for (size_t i = 0; i < n; i++)
                if (field[i] < 0x20 || field[i] > 0x7e)
                        return false;
        return (n < n_field || !with_end) && zeros(field + n, n_field - n);
}

static bool checksum_is_right(const struct ustar *u)
{
        uint64_t value;

        return octal(u->checksum, sizeof(u->checksum) - 1, UINT64_MAX, &value) &&
               u->checksum[7] == ' ' && value == checksum(u);
}

static bool magic_is_right(const struct ustar *u)
{
        return memcmp(u->magic, "ustar", sizeof(u->magic)) == 0 &&
               memcmp(u->version, "00", sizeof(u->version)) == 0;
}

static bool type_is_right(const struct ustar *u)
{
        return u->typeflag == '0' || u->typeflag == 'x';
}

static bool link_is_empty(const struct ustar *u)
{
        return zeros(u->link_name, sizeof(u->link_name));
}

static bool prefix_is_empty(const struct ustar *u)
{
        return zeros(u->prefix, sizeof(u->prefix)) && zeros(u->rest, sizeof(u->rest));
}

static bool mode_is_right(const struct ustar *u)
{
        uint64_t value;

        return octal(u->mode, sizeof(u->mode), MODE_MAX, &value);
}

static bool owner_is_right(const struct ustar *u)
{
        uint64_t value;

        return octal(u->uid, sizeof(u->uid), WHO_MAX, &value) &&
               octal(u->gid, sizeof(u->gid), WHO_MAX, &value) &&
               plain(u->user, sizeof(u->user), true) && plain(u->group, sizeof(u->group), true);
}

static bool device_is_none(const struct ustar *u)
{
        uint64_t value;

        return octal(u->major, sizeof(u->major), 0, &value) &&
               octal(u->minor, sizeof(u->minor), 0, &value);
}

static bool name_is_plain(const struct ustar *u)
{
        return u->name[0] && plain(u->name, sizeof(u->name), false);
}

static bool size_is_octal(const struct ustar *u)
{
        uint64_t value;

        return octal(u->size, sizeof(u->size), TAR_SIZE_MAX, &value);
}

static bool mtime_is_octal(const struct ustar *u)
{
        uint64_t value;

        return octal(u->mtime, sizeof(u->mtime), TAR_SIZE_MAX, &value);
}

/* In this order: a block that is no header at all says so, and not that its mode is odd. */
static const struct {
        bool (*holds)(const struct ustar *u);
        const char *or_else;
} rules[] = {
        {checksum_is_right, "a header with a wrong checksum"      },
        {magic_is_right,    "a header that is not ustar's"        },
        {type_is_right,     "neither a regular file nor about one"},
        {link_is_empty,     "a link"                              },
        {prefix_is_empty,   "a header with a prefix"              },
        {name_is_plain,     "a name that is not plain"            },
        {size_is_octal,     "a size that is not octal"            },
        {mtime_is_octal,    "a time that is not octal"            },
        {mode_is_right,     "a mode that is none of a plain file" },
        {owner_is_right,    "an owner that is not plain"          },
        {device_is_none,    "a device"                            },
};

int tar_header_read(struct tar_header *ret, const char block[static TAR_BLOCK],
                    const char **ret_why)
{
        const struct ustar *u = (const struct ustar *)block;

        *ret = (struct tar_header){0};
        *ret_why = "tar's end, which a fragment does not have";
        if (zeros(block, TAR_BLOCK))
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (!rules[i].holds(u)) {
                        *ret_why = rules[i].or_else;
                        return -EBADMSG;
                }
        (void)octal(u->size, sizeof(u->size), TAR_SIZE_MAX, &ret->size);
        (void)octal(u->mtime, sizeof(u->mtime), TAR_SIZE_MAX, &ret->mtime_sec);
        memcpy(ret->path, u->name, sizeof(u->name));
        ret->extended = u->typeflag == 'x';
        if (!ret->extended)
                return 0;
        *ret_why = "an extended header of another name";
        if (!streq(ret->path, TAR_EXTENDED_NAME))
                return -EBADMSG;
        *ret_why = "an extended header that is empty, or too long";
        return ret->size == 0 || ret->size > TAR_EXTENDED_MAX ? -EBADMSG : 0;
}

/* Digits without a leading zero; stops behind them. */
static bool decimal(const char **at, const char *end, uint64_t max, uint64_t *ret)
{
        const char *s = *at;
        uint64_t value = 0;

        if (s == end || *s < '0' || *s > '9' ||
            (*s == '0' && end - s > 1 && s[1] >= '0' && s[1] <= '9'))
                return false;
        for (; s < end && *s >= '0' && *s <= '9'; s++) {
                value = value * 10 + (uint64_t)(*s - '0');
                if (value > max)
                        return false;
        }
        *at = s;
        *ret = value;
        return true;
}

static const char *read_path(struct tar_header *h, const char *value, size_t n)
{
        if (h->has_path)
                return "two paths";
        if (!archive_path_is_clean(value, n))
                return "a path that is not clean";
        memcpy(h->path, value, n);
        h->path[n] = '\0';
        h->has_path = true;
        return NULL;
}

/* Only what ustar has no room for: there is one size, then. */
static const char *read_size(struct tar_header *h, const char *value, size_t n)
{
        const char *at = value;

        if (h->has_size)
                return "two sizes";
        if (!decimal(&at, value + n, TAR_ANY_SIZE_MAX, &h->size) || at != value + n ||
            h->size <= TAR_SIZE_MAX)
                return "a size that does not belong in an extended header";
        h->has_size = true;
        return NULL;
}

/* A fraction is of no use to anybody here. */
static const char *read_mtime(struct tar_header *h, const char *value, size_t n)
{
        const char *at = value, *end = value + n;

        if (h->has_mtime)
                return "two times";
        if (!decimal(&at, end, TAR_SIZE_MAX, &h->mtime_sec))
                return "a time that is no number";
        if (at < end && *at == '.' && end - at > 1 && end - at <= 10)
                for (at++; at < end && *at >= '0' && *at <= '9';)
                        at++;
        if (at != end)
                return "a time that is no number";
        h->has_mtime = true;
        return NULL;
}

static const struct {
        const char *key;
        const char *(*read)(struct tar_header *h, const char *value, size_t n);
} keys[] = {
        {"path",  read_path },
        {"size",  read_size },
        {"mtime", read_mtime},
};

/* One record, and only that: its length and its newline must agree. NULL, or what is wrong. */
static const char *read_record(struct tar_header *h, const char **at, const char *end)
{
        const char *s = *at, *value, *last;
        uint64_t n;

        if (!decimal(&s, end, TAR_EXTENDED_MAX, &n) || s == end || *s++ != ' ')
                return "a record without a length";
        if (n > (uint64_t)(end - *at) || (uint64_t)(s - *at) >= n)
                return "a record with a wrong length";
        last = *at + n - 1;
        value = memchr(s, '=', (size_t)(last - s));
        if (*last != '\n' || !value)
                return "a record with a wrong length";
        *at += n;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strlen(keys[i].key) == (size_t)(value - s) &&
                    memcmp(keys[i].key, s, (size_t)(value - s)) == 0)
                        return keys[i].read(h, value + 1, (size_t)(last - value - 1));
        return "a record of another kind than path, size or mtime";
}

int tar_records_read(struct tar_header *ret, const char *data, size_t n, const char **ret_why)
{
        const char *at = data;

        *ret = (struct tar_header){0};
        while (at < data + n) {
                const char *why = read_record(ret, &at, data + n);

                if (why) {
                        *ret_why = why;
                        return -EBADMSG;
                }
        }
        return 0;
}

int tar_header_apply(struct tar_header *h, const struct tar_header *records, const char **ret_why)
{
        char name[TAR_NAME_MAX];

        if (records->has_path) {
                stand_in(name, records->path);
                *ret_why = "two names, one in the header and one before it";
                if (memcmp(name, h->path, sizeof(name)) != 0)
                        return -EBADMSG;
                memcpy(h->path, records->path, sizeof(h->path));
        }
        if (records->has_size) {
                *ret_why = "two sizes, one in the header and one before it";
                if (h->size != 0)
                        return -EBADMSG;
                h->size = records->size;
        }
        if (records->has_mtime)
                h->mtime_sec = records->mtime_sec;
        return 0;
}
