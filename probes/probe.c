/*
 * Settings are strings until all of them are known: keys come in any order, a later file overrides an
 * earlier one, and which kind a key belongs to is known only at the end.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/parse.h"
#include "model/probe.h"
#include "probes/probe.h"

#define COMPONENT_MAX   255u              /* as systemd limits the names of units */
#define ROW_MAX         DIAG_PROBE_WINDOW /* more in a row could not be shown */
#define FNV_OFFSET      UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME       UINT64_C(0x100000001b3)
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-"

struct setting {
        TAILQ_ENTRY(setting) link;
        char *key, *value;
};

struct probe_settings {
        char *name;
        TAILQ_HEAD(, setting) settings;
        struct probe_plan plan;
        bool checked;
};

/* --- values of the keys that every kind has ------------------------------------------------------ */

static int check_component(const char *value, struct err *e)
{
        if (strlen(value) > COMPONENT_MAX)
                return err_set(e, -EINVAL, "longer than %u bytes", COMPONENT_MAX);
        for (const char *c = value; *c; c++)
                if ((unsigned char)*c <= ' ' || *c == 0x7f)
                        return err_set(e, -EINVAL, "not the name of a component");
        return 0;
}

static const struct probe_ops *find_kind(const char *word)
{
        for (const struct probe_ops *const *k = probe_kinds; *k; k++)
                if (streq((*k)->kind, word))
                        return *k;
        return NULL;
}

static int check_kind(const char *value, struct err *e)
{
        _cleanup_(buf_done) struct buf words = {0};

        if (find_kind(value))
                return 0;
        for (const struct probe_ops *const *k = probe_kinds; *k; k++)
                buf_printf(&words, " %s", (*k)->kind);
        return err_set(e, -EINVAL, "must be one of:%s", buf_cstr(&words));
}

static int check_interval(const char *value, struct err *e)
{
        uint64_t usec;

        if (parse_duration(value, &usec) < 0 || usec < PROBE_INTERVAL_MIN_USEC ||
            usec > PROBE_INTERVAL_MAX_USEC)
                return err_set(e, -EINVAL, "must be from 1s to 1d");
        return 0;
}

static int check_timeout(const char *value, struct err *e)
{
        uint64_t usec;

        if (parse_duration(value, &usec) < 0 || usec < PROBE_TIMEOUT_MIN_USEC ||
            usec > PROBE_INTERVAL_MAX_USEC)
                return err_set(e, -EINVAL, "must be from 10ms to 1d");
        return 0;
}

static int check_row(const char *value, struct err *e)
{
        uint64_t n;

        if (parse_u64(value, 1, ROW_MAX, &n) < 0)
                return err_set(e, -EINVAL, "must be from 1 to %u", ROW_MAX);
        return 0;
}

static const struct probe_key common_keys[] = {
        {"Component", check_component},
        {"Kind",      check_kind     },
        {"Interval",  check_interval },
        {"Timeout",   check_timeout  },
        {"FailAfter", check_row      },
        {"PassAfter", check_row      },
        {NULL,        NULL           },
};

static const struct probe_key *find_key(const struct probe_key *keys, const char *name)
{
        for (; keys->name; keys++)
                if (streq(keys->name, name))
                        return keys;
        return NULL;
}

static bool key_is_known(const char *key)
{
        bool known = find_key(common_keys, key);

        for (const struct probe_ops *const *kind = probe_kinds; *kind && !known; kind++)
                known = find_key((*kind)->keys, key);
        return known;
}

static int check_value(const struct probe_key *k, const char *value, struct err *e)
{
        return k->check ? k->check(value, e) : 0;
}

/* Two kinds may know the same key: that one of them takes the value is enough until all is known. */
static int check_for_any_kind(const char *key, const char *value, struct err *e)
{
        const struct probe_key *k = find_key(common_keys, key);
        int r = -EINVAL;

        if (k)
                return check_value(k, value, e);
        for (const struct probe_ops *const *kind = probe_kinds; *kind && r < 0; kind++) {
                k = find_key((*kind)->keys, key);
                if (k)
                        r = check_value(k, value, e);
        }
        return r;
}

/* --- one section ------------------------------------------------------------------------------------ */

int probe_settings_new(struct probe_settings **ret, const char *name)
{
        _cleanup_(probe_settings_freep) struct probe_settings *s = NULL;

        if (!*name || strlen(name) > PROBE_NAME_MAX || name[strspn(name, NAME_CHARACTERS)])
                return -EINVAL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        TAILQ_INIT(&s->settings);
        s->name = strdup(name);
        if (!s->name)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

static void forget_plan(struct probe_settings *s)
{
        if (s->plan.cfg)
                s->plan.ops->free_cfg(s->plan.cfg);
        s->plan = (struct probe_plan){0};
        s->checked = false;
}

static void remove_setting(struct probe_settings *s, struct setting *set)
{
        TAILQ_REMOVE(&s->settings, set, link);
        free(set->key);
        free(set->value);
        free(set);
}

struct probe_settings *probe_settings_free(struct probe_settings *s)
{
        if (!s)
                return NULL;
        forget_plan(s);
        while (!TAILQ_EMPTY(&s->settings))
                remove_setting(s, TAILQ_FIRST(&s->settings));
        free(s->name);
        free(s);
        return NULL;
}

static struct setting *find_setting(const struct probe_settings *s, const char *key)
{
        struct setting *set;

        TAILQ_FOREACH (set, &s->settings, link)
                if (streq(set->key, key))
                        return set;
        return NULL;
}

/* Kept sorted, so that the hash does not depend on the order in which a person wrote them. */
static int insert_setting(struct probe_settings *s, const char *key, const char *value)
{
        struct setting *set = calloc(1, sizeof(*set)), *at;

        if (!set)
                return -ENOMEM;
        set->key = strdup(key);
        set->value = strdup(value);
        if (!set->key || !set->value) {
                free(set->key);
                free(set->value);
                free(set);
                return -ENOMEM;
        }
        TAILQ_FOREACH (at, &s->settings, link)
                if (strcmp(at->key, key) > 0)
                        break;
        if (at)
                TAILQ_INSERT_BEFORE(at, set, link);
        else
                TAILQ_INSERT_TAIL(&s->settings, set, link);
        return 0;
}

int probe_settings_set(struct probe_settings *s, const char *key, const char *value, struct err *e)
{
        struct setting *old = find_setting(s, key);
        int r = 0;

        if (!key_is_known(key))
                return err_set(e, -EINVAL, "no kind of probe has this key");
        if (*value)
                r = check_for_any_kind(key, value, e);
        if (r < 0)
                return r;
        if (*value && insert_setting(s, key, value) < 0)
                return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        if (old)
                remove_setting(s, old);
        forget_plan(s);
        return 0;
}

const char *probe_settings_get(const struct probe_settings *s, const char *key)
{
        const struct setting *set = find_setting(s, key);

        return set ? set->value : NULL;
}

const char *probe_settings_name(const struct probe_settings *s)
{
        return s->name;
}

const char *probe_settings_component(const struct probe_settings *s)
{
        return probe_settings_get(s, "Component");
}

const struct probe_plan *probe_settings_plan(const struct probe_settings *s)
{
        return s->checked ? &s->plan : NULL;
}

/* --- all keys together ------------------------------------------------------------------------------ */

static uint64_t hash_string(uint64_t h, const char *s)
{
        do
                h = (h ^ (unsigned char)*s) * FNV_PRIME;
        while (*s++); /* the NUL counts: "ab" "c" is not "a" "bc" */
        return h;
}

static uint64_t hash_settings(const struct probe_settings *s)
{
        uint64_t h = hash_string(FNV_OFFSET, s->name);
        const struct setting *set;

        TAILQ_FOREACH (set, &s->settings, link)
                h = hash_string(hash_string(h, set->key), set->value);
        return h;
}

/* Every value has passed its check. */
static uint64_t duration_of(const struct probe_settings *s, const char *key, uint64_t otherwise)
{
        const char *value = probe_settings_get(s, key);

        if (value)
                (void)parse_duration(value, &otherwise);
        return otherwise;
}

static unsigned row_of(const struct probe_settings *s, const char *key, unsigned otherwise)
{
        const char *value = probe_settings_get(s, key);
        uint64_t n = otherwise;

        if (value)
                (void)parse_u64(value, 1, ROW_MAX, &n);
        return (unsigned)n;
}

static int check_times(struct probe_settings *s, struct err *e)
{
        struct probe_plan *p = &s->plan;

        p->interval_usec = duration_of(s, "Interval", PROBE_INTERVAL_USEC);
        p->timeout_usec = duration_of(s, "Timeout",
                                      p->interval_usec < PROBE_TIMEOUT_USEC ? p->interval_usec
                                                                            : PROBE_TIMEOUT_USEC);
        if (p->timeout_usec > p->interval_usec)
                return err_set(
                        e, -EINVAL,
                        "Timeout=%s is longer than Interval=%s: a run must have ended before "
                        "the next one is due",
                        probe_settings_get(s, "Timeout"),
                        str_or(probe_settings_get(s, "Interval"), "10s"));
        return 0;
}

static int check_keys(const struct probe_settings *s, struct err *e)
{
        const struct probe_ops *ops = s->plan.ops;
        const struct setting *set;
        const struct probe_key *k;
        int r;

        TAILQ_FOREACH (set, &s->settings, link) {
                if (find_key(common_keys, set->key))
                        continue;
                k = find_key(ops->keys, set->key);
                if (!k)
                        return err_set(e, -EINVAL, "Kind=%s has no key %s=", ops->kind, set->key);
                r = check_value(k, set->value, e);
                if (r < 0)
                        return err_prefix(e, "%s: ", set->key);
        }
        return 0;
}

static int make_plan(struct probe_settings *s, struct err *e)
{
        const char *kind = probe_settings_get(s, "Kind");
        const struct probe_ops *ops = kind ? find_kind(kind) : NULL;
        int r;

        if (!probe_settings_get(s, "Component"))
                return err_set(e, -EINVAL, "needs Component=");
        if (!ops)
                return err_set(e, -EINVAL, "needs Kind=");
        s->plan = (struct probe_plan){
                .ops = ops,
                .fail_after = row_of(s, "FailAfter", PROBE_FAIL_AFTER),
                .pass_after = row_of(s, "PassAfter", PROBE_PASS_AFTER),
                .hash = hash_settings(s),
        };
        r = check_times(s, e);
        if (r == 0)
                r = check_keys(s, e);
        if (r == 0)
                r = ops->parse(s, &s->plan.cfg, e);
        return r;
}

int probe_settings_check(struct probe_settings *s, struct err *e)
{
        struct err why = {0};
        int r;

        forget_plan(s);
        r = make_plan(s, &why);
        if (r < 0) {
                forget_plan(s);
                return err_set(e, r, "[Probe %s] %s", s->name, str_or(why.text, strerror(-r)));
        }
        s->checked = true;
        return 0;
}

/* --- verdicts ---------------------------------------------------------------------------------------- */

bool probe_error_is_theirs(int error)
{
        static const int errors[] = {
                ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, ENETDOWN,
                ENOENT,       ENOTSOCK,   EAGAIN,       EPROTO,    EPROTOTYPE,
        };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                if (errors[i] == error)
                        return true;
        return false;
}

void probe_verdict_set(struct probe_verdict *v, enum diag_health health, enum diag_code code,
                       const char *fmt, ...)
{
        va_list ap;

        v->health = health;
        v->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(v->text, sizeof(v->text), fmt, ap);
        va_end(ap);
        for (char *c = v->text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = '?';
}

char *probe_seconds(char buf[static PROBE_SECONDS_MAX], uint64_t usec)
{
        (void)snprintf(buf, PROBE_SECONDS_MAX, "%.8g s", (double)usec / (double)USEC_PER_SEC);
        return buf;
}
