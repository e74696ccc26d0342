/* A row each; an empty value is the default again. */

#include <errno.h>

#include "aggregator/bundles_conf.h"
#include "base/mono.h"
#include "base/parse.h"

#define COUNT_MAX          1000u
#define BYTES_LEAST        (UINT64_C(1) << 20)
#define BYTES_MOST         (UINT64_C(1) << 50)
#define NODE_BYTES_MOST    (UINT64_C(16) << 30)
#define AGE_LEAST_USEC     USEC_PER_MIN
#define TIMEOUT_LEAST_USEC (10 * USEC_PER_SEC)
#define TIMEOUT_MOST_USEC  (24 * 60 * USEC_PER_MIN)

enum kind { BYTES = 0, SPAN };

static const struct row {
        const char *key;
        enum kind kind;
        uint64_t least, most;
        size_t offset;
} rows[] = {
        {"MaxBytes",       BYTES, BYTES_LEAST,        BYTES_MOST,
         offsetof(struct bundles_conf, store.bytes_max)   },
        {"MaxAge",         SPAN,  AGE_LEAST_USEC,     USEC_INFINITY,
         offsetof(struct bundles_conf, store.age_max_usec)},
        {"FreeFloor",      BYTES, BYTES_LEAST,        BYTES_MOST,
         offsetof(struct bundles_conf, store.floor_bytes) },
        {"BundleMaxBytes", BYTES, BYTES_LEAST,        BYTES_MOST,
         offsetof(struct bundles_conf, bundle_max_bytes)  },
        {"NodeMaxBytes",   BYTES, BYTES_LEAST,        NODE_BYTES_MOST,
         offsetof(struct bundles_conf, node_max_bytes)    },
        {"Timeout",        SPAN,  TIMEOUT_LEAST_USEC, TIMEOUT_MOST_USEC,
         offsetof(struct bundles_conf, timeout_usec)      },
};

/* "23M": 1024 each. */
static int parse_bytes(const char *s, uint64_t *ret)
{
        static const char units[] = "KMGT";
        size_t n = strlen(s);
        const char *unit = n ? strchr(units, s[n - 1]) : NULL;
        uint64_t shift = unit ? 10 * (uint64_t)(unit - units + 1) : 0;
        char digits[24];
        int k;

        if (n - (unit != NULL) >= sizeof(digits))
                return -EINVAL;
        (void)stpcpy(mempcpy(digits, s, n - (unit != NULL)), "");
        k = parse_u64(digits, 0, UINT64_MAX >> shift, ret);
        if (k >= 0)
                *ret <<= shift;
        return k;
}

static int set_row(struct bundles_conf *c, const struct row *row, const char *value, struct err *e)
{
        uint64_t parsed = 0;
        int k = 0;

        if (*value)
                k = row->kind == SPAN ? parse_duration(value, &parsed)
                                      : parse_bytes(value, &parsed);
        if (k < 0 || (*value && (parsed < row->least || parsed > row->most)))
                return err_set(e, -EINVAL,
                               row->kind == SPAN
                                       ? "'%s' is no time span, too short or too long"
                                       : "'%s' is no size (16M, 4G), too small or too large",
                               value);
        memcpy((char *)c + row->offset, &parsed, sizeof(parsed));
        return 0;
}

static int set_number(size_t *size, unsigned *number, const char *value, uint64_t most,
                      struct err *e)
{
        uint64_t parsed = 0;

        if (*value && parse_u64(value, 1, most, &parsed) < 0)
                return err_set(e, -EINVAL, "'%s' is no number from 1 to %u", value, (unsigned)most);
        if (size)
                *size = parsed;
        if (number)
                *number = (unsigned)parsed;
        return 0;
}

int bundles_conf_set(struct bundles_conf *c, const struct conf_value *v, struct err *e)
{
        if (streq(v->key, "MaxCount"))
                return set_number(&c->store.n_max, NULL, v->value, COUNT_MAX, e);
        if (streq(v->key, "AtOnce"))
                return set_number(NULL, &c->at_once, v->value, GATHER_AT_ONCE_MAX, e);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (streq(v->key, rows[i].key))
                        return set_row(c, &rows[i], v->value, e);
        return err_set(e, -EINVAL, "unknown key");
}
