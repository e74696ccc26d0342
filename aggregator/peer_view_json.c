/* The little that matters of another master's view. */

#include <errno.h>

#include <jansson.h>

#include "aggregator/peers.h"
#include "base/mono.h"

int peer_view_from_json(const char *text, size_t n, enum diag_health *ret_health,
                        uint64_t *ret_as_of_wall_usec)
{
        _cleanup_(json_decrefp) json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        const char *health = json_string_value(json_object_get(o, "health"));
        const char *as_of = json_string_value(json_object_get(json_object_get(o, "view"), "as_of"));
        uint64_t at = 0;

        if (!health || (as_of && rfc3339_parse(&at, as_of) < 0))
                return -EBADMSG;
        *ret_health = diag_health_from_string(health);
        *ret_as_of_wall_usec = at;
        return 0;
}
