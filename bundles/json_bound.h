#pragma once

/*
 * How much a JSON text can become before it is parsed: 3 bytes of it, ",{}", are 230 of jansson's. A limit of bytes
 * alone lets who sends 16 MiB take 1.3 GB, and seconds of the loop.
 */

#include <stdbool.h>
#include <stddef.h>

/** json_is_within() - at most so many objects and arrays, and so many commas; those within strings count, too */
bool json_is_within(const char *json, size_t n, size_t n_containers, size_t n_commas);
