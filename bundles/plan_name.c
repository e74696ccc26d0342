/* Names of entries. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/redact.h"
#include "bundles/archive.h"
#include "bundles/plan.h"
#include "bundles/plan_name.h"

static bool segment_is_clean(const char *s, size_t n)
{
        if (n == 0 || n > PLAN_SEGMENT_MAX || (n == 1 && s[0] == '.') ||
            (n == 2 && s[0] == '.' && s[1] == '.'))
                return false;
        for (size_t i = 0, k; i < n; i += k) {
                k = utf8_harmless(s + i, n - i);
                if (k == 0)
                        return false;
        }
        return true;
}

bool plan_name_is_clean(const char *name)
{
        const char *slash;

        if (strlen(name) >= ARCHIVE_PATH_MAX)
                return false;
        for (; (slash = strchr(name, '/')); name = slash + 1)
                if (!segment_is_clean(name, (size_t)(slash - name)))
                        return false;
        return segment_is_clean(name, strlen(name));
}

int plan_name_of_path(char *ret, size_t n, const char *path)
{
        size_t used = 0, length;

        if (*path != '/' || n == 0)
                return -EINVAL;
        for (const char *p = path; *p; p += length) {
                p += strspn(p, "/");
                length = strcspn(p, "/");
                if (length == 1 && *p == '.' && p[1])
                        continue;
                if (!segment_is_clean(p, length) || used + (used > 0) + length + 1 > n)
                        return -EINVAL;
                if (used)
                        ret[used++] = '/';
                memcpy(ret + used, p, length);
                used += length;
        }
        ret[used] = '\0';
        return plan_name_is_clean(ret) ? 0 : -EINVAL;
}

/* Once for each character, not for each byte of it. */
static int sanitize(char *ret, size_t n, size_t at, const char *uri)
{
        size_t k;

        for (uri += strspn(uri, "/"); *uri; uri += k) {
                k = utf8_sequence(uri, strlen(uri));
                if (at + sizeof(".json") + 1 > n)
                        return -EINVAL;
                if (k == 0)
                        k = 1;
                ret[at++] = (k == 1 && isalnum((unsigned char)*uri)) || *uri == '-' ? *uri : '_';
        }
        if (at + sizeof(".json") > n || at + sizeof(".json") > PLAN_SEGMENT_MAX + 1)
                return -EINVAL;
        memcpy(ret + at, ".json", sizeof(".json"));
        return 0;
}

/*
 * What a name is made of is masked first: a password among the words of a command would else be in the names of
 * files, in the manifest, and in lists of what there is.
 */
int plan_name_of_url(char *ret, size_t n, uint16_t port, const char *uri)
{
        _cleanup_(buf_done) struct buf masked = {0};
        int at = snprintf(ret, n, "%u-", (unsigned)port);

        (void)redact_append(&masked, uri, strlen(uri));
        if (masked.error)
                return masked.error;
        return at < 0 || (size_t)at >= n ? -EINVAL
                                         : sanitize(ret, n, (size_t)at, buf_cstr(&masked));
}

/*
 * Words end with NUL, as in /proc/PID/cmdline. What a terminal would obey, and a grammar refuses, is '_', too:
 * scripts of several lines are words as well.
 */
static int join_words(char *ret, size_t n, const char *words, size_t n_words)
{
        size_t at = 0, k;

        for (const char *p = words; p < words + n_words && at < n; p += k) {
                k = utf8_harmless(p, (size_t)(words + n_words - p));
                if (*p == '/')
                        continue;
                if (k == 0) {
                        k = 1;
                        ret[at++] = '_';
                        continue;
                }
                for (size_t i = 0; i < k && at < n; i++)
                        ret[at++] = p[i];
        }
        if (at + sizeof(".output") > n || at + sizeof(".output") > PLAN_SEGMENT_MAX + 1)
                return -EINVAL;
        memcpy(ret + at, ".output", sizeof(".output"));
        return 0;
}

int plan_name_of_command(char *ret, size_t n, const char *const argv[])
{
        _cleanup_(buf_done) struct buf words = {0}, masked = {0};

        for (size_t i = 0; argv[i]; i++)
                buf_append(&words, argv[i], strlen(argv[i]) + 1);
        if (words.error)
                return words.error;
        (void)redact_append(&masked, words.data, words.n);
        if (masked.error)
                return masked.error;
        if (masked.n > 0 && masked.data[masked.n - 1] == '\0')
                masked.n--;
        return join_words(ret, n, masked.data, masked.n);
}
