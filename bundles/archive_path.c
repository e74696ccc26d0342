/* Paths byte by byte. UTF-8 as RFC 3629 has it: neither the longer spellings of a character, nor surrogates. */

#include "bundles/archive_path.h"

/* Bytes of the character at @s, or 0: it is none, or a control character. */
static size_t character(const unsigned char *s, size_t n)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t n_bytes = s[0] < 0x80             ? 1
                         : (s[0] & 0xe0) == 0xc0 ? 2
                         : (s[0] & 0xf0) == 0xe0 ? 3
                         : (s[0] & 0xf8) == 0xf0 ? 4
                                                 : 0;
        uint32_t c;

        if (n_bytes == 1)
                return s[0] >= 0x20 && s[0] != 0x7f;
        if (n_bytes == 0 || n_bytes > n)
                return 0;
        c = s[0] & (0x7fu >> n_bytes);
        for (size_t i = 1; i < n_bytes; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < least[n_bytes] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || c < 0xa0)
                return 0; /* 0x80 to 0x9f: the other set of control characters */
        return n_bytes;
}

static bool segment_is_clean(const char *s, size_t n)
{
        return n > 0 && !(n == 1 && s[0] == '.');
}

/* Between slashes and backslashes. */
static bool climbs(const char *s, size_t n)
{
        return n == 2 && s[0] == '.' && s[1] == '.';
}

bool archive_path_is_clean(const char *path, size_t n)
{
        size_t segment = 0, part = 0, n_character;

        if (n == 0 || n >= ARCHIVE_PATH_MAX)
                return false;
        for (size_t i = 0; i <= n; i += n_character) {
                n_character = 1;
                if (i == n || path[i] == '/' || path[i] == '\\') {
                        if (climbs(path + part, i - part))
                                return false;
                        part = i + 1;
                        if (i < n && path[i] == '\\')
                                continue;
                        if (!segment_is_clean(path + segment, i - segment))
                                return false;
                        segment = i + 1;
                        continue;
                }
                n_character = character((const unsigned char *)path + i, n - i);
                if (n_character == 0)
                        return false;
        }
        return true;
}
