/* Unit names: characters, length, type. */

#include "model/unit_name.h"

static const char *const types[] = {
        "service", "socket", "timer", "target", "mount",  "automount",
        "path",    "swap",   "slice", "scope",  "device",
};

bool unit_name_has_type(const char *name, const char *type)
{
        const char *dot = strrchr(name, '.');

        return dot && streq(dot + 1, type);
}

static bool has_known_type(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (unit_name_has_type(name, types[i]))
                        return true;
        return false;
}

enum unit_name_kind unit_name_kind(const char *name)
{
        static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";
        const char *at, *dot;

        if (strlen(name) > UNIT_NAME_MAX || name[strspn(name, valid)] || !has_known_type(name))
                return UNIT_NAME_INVALID;
        dot = strrchr(name, '.');
        if (dot == name)
                return UNIT_NAME_INVALID;
        at = strchr(name, '@');
        if (!at || at > dot)
                return UNIT_NAME_PLAIN;
        if (at == name)
                return UNIT_NAME_INVALID;
        return at + 1 == dot ? UNIT_NAME_TEMPLATE : UNIT_NAME_INSTANCE;
}

bool unit_name_is_unit(const char *name)
{
        enum unit_name_kind kind = unit_name_kind(name);

        return kind == UNIT_NAME_PLAIN || kind == UNIT_NAME_INSTANCE;
}

bool unit_name_is_glob(const char *name)
{
        return strpbrk(name, "*?[") != NULL;
}
