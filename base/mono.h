#pragma once

/*
 * The three clocks, in microseconds, and the only place that reads them.
 *   mono  CLOCK_MONOTONIC: what systemd stamps its units with; stands still while suspended
 *   boot  CLOCK_BOOTTIME: ages; suspend counts, a clock that is set does not
 *   wall  CLOCK_REALTIME: for people, never for decisions
 */

#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_INFINITY UINT64_MAX

uint64_t now_mono_usec(void);
uint64_t now_boot_usec(void);
uint64_t now_wall_usec(void);

/** usec_add() - a + b, where infinity stays infinity. */
static inline uint64_t usec_add(uint64_t a, uint64_t b)
{
        return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

/** usec_since() - how long ago @then was; 0 for a time to come. */
static inline uint64_t usec_since(uint64_t now, uint64_t then)
{
        return now > then ? now - then : 0;
}

/** RFC 3339, UTC, milliseconds, 'Z': "2026-11-21T00:04:07.123Z". @buf is returned. */
#define RFC3339_MAX 32
char *rfc3339_format(char buf[static RFC3339_MAX], uint64_t wall_usec);

/** rfc3339_parse() - the same, and any UTC offset and number of decimals. 0 or -EINVAL. */
int rfc3339_parse(uint64_t *ret_wall_usec, const char *s);

/** For tests: while not NULL, all three clocks show *@usec. Set before other threads start. */
void clock_fake(const uint64_t *usec);
