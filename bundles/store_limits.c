/* Limits as people write them. Zero is how the store is told of its default: so zero itself is refused. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "base/parse.h"
#include "bundles/store_limits.h"

#define COUNT_MAX 1000u
#define BYTES_MAX (UINT64_C(1) << 50)

static int parse_bytes(const char *s, uint64_t *ret)
{
        static const char units[] = "KMGT";
        char digits[32];
        size_t n = strspn(s, "0123456789");
        const char *unit = s[n] ? strchr(units, s[n]) : NULL;
        uint64_t v;

        if (n >= sizeof(digits) || (s[n] && (!unit || s[n + 1])))
                return -EINVAL;
        memcpy(digits, s, n);
        digits[n] = '\0';
        if (parse_u64(digits, 1, BYTES_MAX, &v) < 0)
                return -EINVAL;
        for (const char *u = units; unit && u <= unit; u++)
                v = v <= BYTES_MAX ? v * 1024 : v;
        if (v > BYTES_MAX)
                return -EINVAL;
        *ret = v;
        return 0;
}

static int set_count(struct store_limits *l, const char *value, struct err *e)
{
        uint64_t n;

        if (parse_u64(value, 1, COUNT_MAX, &n) < 0)
                return err_set(e, -EINVAL, "'%s' is no number from 1 to %u", value, COUNT_MAX);
        l->n_max = (size_t)n;
        return 0;
}

static int set_bytes(uint64_t *field, const char *value, struct err *e)
{
        if (parse_bytes(value, field) < 0)
                return err_set(e, -EINVAL, "'%s' is no size: 500M, 8G", value);
        return 0;
}

static int set_age(struct store_limits *l, const char *value, struct err *e)
{
        uint64_t usec;

        if (parse_duration(value, &usec) < 0 || usec < USEC_PER_SEC)
                return err_set(e, -EINVAL, "'%s' is no time of at least a second: 12h, 14d", value);
        l->age_max_usec = usec;
        return 0;
}

int store_limits_set(struct store_limits *l, const char *key, const char *value, struct err *e)
{
        bool reset = !*value;

        if (streq(key, "MaxCount"))
                return reset ? (l->n_max = 0, 0) : set_count(l, value, e);
        if (streq(key, "MaxBytes"))
                return reset ? (l->bytes_max = 0, 0) : set_bytes(&l->bytes_max, value, e);
        if (streq(key, "MaxAge"))
                return reset ? (l->age_max_usec = 0, 0) : set_age(l, value, e);
        if (streq(key, "FreeFloor"))
                return reset ? (l->floor_bytes = 0, 0) : set_bytes(&l->floor_bytes, value, e);
        return err_set(e, -EINVAL, "there is no %s=", key);
}
