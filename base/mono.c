/* Clocks. One hook, so that tests move time instead of waiting for it. */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mono.h"

#define TIME_YEAR_10000 INT64_C(253402300800) /* has no RFC 3339 form */

#define RFC3339_LAST_USEC UINT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */
#define DATE_TIME_BYTES   19                           /* 2026-11-21T00:04:07 */

static const char year_0[] = "0000-01-01T00:00:00.000Z";
static _Atomic(const uint64_t *) fake;

static uint64_t now_usec(clockid_t clock)
{
        const uint64_t *f = atomic_load_explicit(&fake, memory_order_relaxed);
        struct timespec ts;

        if (f)
                return *f;
        (void)clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_mono_usec(void)
{
        return now_usec(CLOCK_MONOTONIC);
}

uint64_t now_boot_usec(void)
{
        return now_usec(CLOCK_BOOTTIME);
}

uint64_t now_wall_usec(void)
{
        return now_usec(CLOCK_REALTIME);
}

void clock_fake(const uint64_t *usec)
{
        atomic_store_explicit(&fake, usec, memory_order_relaxed);
}

char *rfc3339_format(char buf[static RFC3339_MAX], uint64_t wall_usec)
{
        time_t s = (time_t)(wall_usec / USEC_PER_SEC);
        struct tm tm = {0};
        size_t n;

        /* A time so far off that four digits have no year for it: year 0, never garbage. */
        if (wall_usec > RFC3339_LAST_USEC)
                return memcpy(buf, year_0, sizeof(year_0));
        (void)gmtime_r(&s, &tm);
        n = strftime(buf, RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(buf + n, RFC3339_MAX - n, ".%03uZ",
                       (unsigned)(wall_usec % USEC_PER_SEC / USEC_PER_MSEC));
        return buf;
}

/* sscanf() alone would take blanks and signs for digits. A '0' in @shape stands for any digit. */
static bool has_shape(const char *s, const char *shape)
{
        for (; *shape; s++, shape++)
                if (*shape == '0' ? *s < '0' || *s > '9' : *s != *shape)
                        return false;
        return true;
}

static int parse_offset(const char *s, int *ret_seconds)
{
        unsigned h, m;

        *ret_seconds = 0;
        if (streq(s, "Z") || streq(s, "z"))
                return 0;
        if ((*s != '+' && *s != '-') || !has_shape(s + 1, "00:00") || s[6])
                return -EINVAL;
        if (sscanf(s + 1, "%2u:%2u", &h, &m) != 2 || h > 23 || m > 59)
                return -EINVAL;
        *ret_seconds = (int)(h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
        return 0;
}

/* The first 19 bytes. The second is added apart: 60 is a leap second, not a bad day. */
static int parse_date_time(const char *s, time_t *ret)
{
        struct tm tm = {0};
        int second, mday;
        time_t t;

        if (!has_shape(s, "0000-00-00") || (s[10] != 'T' && s[10] != 't') ||
            !has_shape(s + 11, "00:00:00"))
                return -EINVAL;
        if (sscanf(s, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &mday, &tm.tm_hour,
                   &tm.tm_min, &second) != 6)
                return -EINVAL;
        if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_hour > 23 ||
            tm.tm_min > 59 || second > 60)
                return -EINVAL;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        tm.tm_mday = mday;
        t = timegm(&tm);
        if (tm.tm_mday != mday) /* the month is shorter */
                return -EINVAL;
        *ret = t + second;
        return 0;
}

int rfc3339_parse(uint64_t *ret_wall_usec, const char *s)
{
        uint64_t fraction = 0, unit = USEC_PER_SEC / 10;
        int offset;
        time_t t;

        if (parse_date_time(s, &t) < 0)
                return -EINVAL;
        s += DATE_TIME_BYTES;
        if (*s == '.') {
                if (s[1] < '0' || s[1] > '9')
                        return -EINVAL;
                for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
                        fraction += (uint64_t)(*s - '0') * unit;
        }
        if (parse_offset(s, &offset) < 0)
                return -EINVAL;
        t -= offset;
        if (t < 0 || t >= TIME_YEAR_10000)
                return -EINVAL;
        *ret_wall_usec = (uint64_t)t * USEC_PER_SEC + fraction;
        return 0;
}
