#pragma once

/*
 * What is linked into a target: the names in TARGET.wants/ and TARGET.requires/. D-Bus does not tell
 * of a wanted unit that is masked, and tells nothing when the bus is dead; the links do.
 */

#include "base/cleanup.h"

#define UNIT_LINKS_MAX 4096u

/** Where systemd looks for system units when it cannot be asked (Manager.UnitPath). */
extern const char *const unit_links_default_path[];
extern const size_t unit_links_default_path_n;

/**
 * unit_links_scan() - call @found for each name linked into @target
 * @dirs: the unit path, most important first
 *
 * A link to /dev/null is a dependency switched off, in this folder and in those after it. Templates
 * and what is no unit's name are left out. A name may be found twice. Missing folders are fine.
 * Return: 0, or -errno if a folder could not be read: there may be more links than were found.
 */
int unit_links_scan(const char *const *dirs, size_t n_dirs, const char *target,
                    void (*found)(const char *name, void *userdata), void *userdata);
