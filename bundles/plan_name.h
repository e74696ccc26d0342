#pragma once

/*
 * How entries of a bundle are called: as the service that we replace calls them, because people and tests look for
 * them by these names; but secrets in what they are made of are masked. Pure.
 */

#include "base/cleanup.h"

#define PLAN_SEGMENT_MAX 255u /* bytes between two slashes: what a file system can hold */

/** plan_name_is_clean() - relative, UTF-8, no control characters, no empty, "." or ".." segment, none too long */
bool plan_name_is_clean(const char *name) _pure_;

/** plan_name_of_url() - "5050-master_state.json". 0, -EINVAL: it would be too long; -ENOMEM */
int plan_name_of_url(char *ret, size_t n, uint16_t port, const char *uri);

/** plan_name_of_command() - words joined by '_', without any '/', ".output". 0, -EINVAL, -ENOMEM */
int plan_name_of_command(char *ret, size_t n, const char *const argv[]);
