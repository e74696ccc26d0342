/*
 * Any bytes as the beginning of a state: an id is one only of harmless characters, is where it says,
 * does not change when more of the text arrives, and is the one that a JSON parser finds.
 */

#include <errno.h>

#include <jansson.h>

#include "agentd/mesos_id.h"
#include "tests/fuzz/fuzz.h"

#define UNTOUCHED "?"

static int scan(char id[static MESOS_ID_MAX + 1], const char *text, size_t n)
{
        /* A copy of its own, without a NUL behind: a byte read too many is a fault. */
        _cleanup_(freep) char *copy = malloc(n ? n : 1);
        int k;

        MUST(copy);
        if (n)
                memcpy(copy, text, n);
        memcpy(id, UNTOUCHED, sizeof(UNTOUCHED));
        k = mesos_id_from_state(id, copy, n);
        MUST(k == 0 || k == -ENOENT || k == -EBADMSG);
        MUST(k == 0 || streq(id, UNTOUCHED));
        return k;
}

static void must_be_an_id(const char *id, const char *text, size_t n)
{
        MUST(*id && strlen(id) <= MESOS_ID_MAX);
        MUST(!strpbrk(id, "\"\\<>&{}[] \t\r\n"));
        MUST(memmem(text, n, id, strlen(id)));
}

/* Escapes and repeated keys are read otherwise by a parser, and Mesos writes neither. */
static void must_agree(const char *id, int k, const char *text, size_t n)
{
        json_t *whole =
                memchr(text, '\\', n) ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        const char *value = json_string_value(json_object_get(whole, "id"));

        if (json_is_object(whole) && !json_object_get(whole, "id"))
                MUST(k == -ENOENT);
        if (value && k == 0)
                MUST(streq(value, id));
        if (value && *value && strspn(value, "0123456789abcdef-") == strlen(value) &&
            strlen(value) <= MESOS_ID_MAX)
                MUST(k == 0);
        json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        char id[MESOS_ID_MAX + 1], of_part[MESOS_ID_MAX + 1];
        int k = scan(id, text, size), k_part = scan(of_part, text, size / 2);

        if (k == 0)
                must_be_an_id(id, text, size);
        if (k_part == 0)
                MUST(k == 0 && streq(id, of_part));
        if (k_part == -EBADMSG && size / 2 > 0)
                MUST(k == -EBADMSG || strspn(text, " \t\r\n") >= size / 2);
        if (size)
                must_agree(id, k, text, size);
        return 0;
}
