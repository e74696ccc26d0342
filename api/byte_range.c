/*
 * Ranges and dates. Who asks for several ranges gets all: that is allowed, and an answer in parts is what
 * clients of many small ranges make a server suffer with.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "api/byte_range.h"
#include "base/mono.h"

static const char *skip_blanks(const char *s)
{
        return s + strspn(s, " \t");
}

/* Digits; what is larger than any file is as large as can be. NULL when there are none. */
static const char *number_read(const char *s, uint64_t *ret)
{
        const char *begin = s;
        uint64_t n = 0;

        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
                    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
                        n = UINT64_MAX / 16;
        *ret = n;
        return s > begin ? s : NULL;
}

/* The last so many bytes. */
static enum byte_range suffix_read(const char *s, uint64_t size, uint64_t *ret_from,
                                   uint64_t *ret_n)
{
        uint64_t n;

        s = number_read(s, &n);
        if (!s || *skip_blanks(s))
                return BYTE_RANGE_NONE;
        if (n == 0 || size == 0)
                return BYTE_RANGE_BEYOND;
        *ret_n = n < size ? n : size;
        *ret_from = size - *ret_n;
        return BYTE_RANGE_PART;
}

enum byte_range byte_range_read(const char *header, uint64_t size, uint64_t *ret_from,
                                uint64_t *ret_n)
{
        uint64_t first, last = UINT64_MAX - 1;
        const char *s;

        if (!header || strncasecmp(header, "bytes=", strlen("bytes=")) != 0)
                return BYTE_RANGE_NONE;
        s = skip_blanks(header + strlen("bytes="));
        if (*s == '-')
                return suffix_read(s + 1, size, ret_from, ret_n);
        s = number_read(s, &first);
        if (!s || *s++ != '-')
                return BYTE_RANGE_NONE;
        if (*s >= '0' && *s <= '9')
                s = number_read(s, &last);
        if (*skip_blanks(s) || last < first)
                return BYTE_RANGE_NONE;
        if (first >= size)
                return BYTE_RANGE_BEYOND;
        *ret_from = first;
        *ret_n = (last < size ? last + 1 : size) - first;
        return BYTE_RANGE_PART;
}

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

char *http_date_format(char buf[static HTTP_DATE_MAX], uint64_t wall_usec)
{
        time_t seconds = (time_t)(wall_usec / USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900) {
                buf[0] = '\0';
                return buf;
        }
        (void)snprintf(buf, HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                       tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                       tm.tm_sec);
        return buf;
}

/* What a form says of the date; the day of the week is not looked at. */
struct date {
        char month[4], zone[4];
        int day, year, hour, minute, second, n_read;
};

static bool read_fixed(const char *s, struct date *d)
{
        return sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]%n", &d->day, d->month,
                      &d->year, &d->hour, &d->minute, &d->second, d->zone, &d->n_read) == 7 &&
               streq(d->zone, "GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(const char *s, struct date *d)
{
        if (sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d %3[A-Z]%n", &d->day, d->month,
                   &d->year, &d->hour, &d->minute, &d->second, d->zone, &d->n_read) != 7 ||
            !streq(d->zone, "GMT"))
                return false;
        d->year += d->year < 70 ? 2000 : 1900;
        return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(const char *s, struct date *d)
{
        return sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", d->month, &d->day,
                      &d->hour, &d->minute, &d->second, &d->year, &d->n_read) == 6;
}

static int month_of(const char *name)
{
        for (int i = 0; i < (int)ELEMENTSOF(months); i++)
                if (streq(name, months[i]))
                        return i;
        return -1;
}

static bool is_within(int v, int least, int most)
{
        return v >= least && v <= most;
}

int http_date_parse(uint64_t *ret_wall_usec, const char *s)
{
        struct date d = {0};
        struct tm tm;
        time_t t;

        if (!read_fixed(s, &d) && !read_rfc850(s, &d) && !read_asctime(s, &d))
                return -EINVAL;
        tm = (struct tm){.tm_mday = d.day,
                         .tm_mon = month_of(d.month),
                         .tm_year = d.year - 1900,
                         .tm_hour = d.hour,
                         .tm_min = d.minute,
                         .tm_sec = d.second < 60 ? d.second : 59};
        if (s[d.n_read] || tm.tm_mon < 0 || !is_within(d.day, 1, 31) ||
            !is_within(d.year, 1970, 9999) || !is_within(d.hour, 0, 23) ||
            !is_within(d.minute, 0, 59) || !is_within(d.second, 0, 60))
                return -EINVAL;
        t = timegm(&tm);
        if (t < 0)
                return -EINVAL;
        *ret_wall_usec = (uint64_t)t * USEC_PER_SEC;
        return 0;
}
