/* Spelling time as Go's String() methods do. */

#include <inttypes.h>
#include <time.h>

#include "api/go_time.h"
#include "base/mono.h"

#define NO_TIME "0001-01-01 00:00:00 +0000 UTC"

/* Decimals without the zeros at their end, and no point without them. */
static void put_fraction(struct buf *out, uint64_t n, unsigned digits)
{
        if (n == 0)
                return;
        for (; n % 10 == 0; n /= 10)
                digits--;
        buf_printf(out, ".%0*" PRIu64, (int)digits, n);
}

void go_time_write(struct buf *out, uint64_t wall_usec)
{
        time_t when = (time_t)(wall_usec / USEC_PER_SEC);
        char text[32];
        struct tm tm;

        if (!wall_usec || !gmtime_r(&when, &tm) ||
            strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0) {
                buf_puts(out, NO_TIME);
                return;
        }
        buf_puts(out, text);
        put_fraction(out, wall_usec % USEC_PER_SEC, 6);
        buf_puts(out, " +0000 UTC");
}

void go_duration_write(struct buf *out, uint64_t usec)
{
        uint64_t minutes = usec / USEC_PER_MIN;

        if (usec == 0 || usec >= USEC_PER_SEC) {
                if (minutes >= 60)
                        buf_printf(out, "%" PRIu64 "h", minutes / 60);
                if (minutes > 0)
                        buf_printf(out, "%" PRIu64 "m", minutes % 60);
                buf_printf(out, "%" PRIu64, usec % USEC_PER_MIN / USEC_PER_SEC);
                put_fraction(out, usec % USEC_PER_SEC, 6);
                buf_putc(out, 's');
        } else if (usec >= USEC_PER_MSEC) {
                buf_printf(out, "%" PRIu64, usec / USEC_PER_MSEC);
                put_fraction(out, usec % USEC_PER_MSEC, 3);
                buf_puts(out, "ms");
        } else {
                buf_printf(out, "%" PRIu64 "µs", usec);
        }
}
