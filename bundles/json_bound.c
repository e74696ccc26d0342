/* No parser: strings are not told from the rest, which is why limits want to be generous. */

#include "bundles/json_bound.h"

bool json_is_within(const char *json, size_t n, size_t n_containers, size_t n_commas)
{
        size_t containers = 0, commas = 0;

        for (size_t i = 0; i < n; i++) {
                containers += json[i] == '{' || json[i] == '[';
                commas += json[i] == ',';
        }
        return containers <= n_containers && commas <= n_commas;
}
