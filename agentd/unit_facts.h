#pragma once

/*
 * The facts of a unit as they come over the bus: struct diag_unit with strings of its own, filled
 * property by property.
 */

#include "model/unit.h"

#define UNIT_INTERFACE    "org.freedesktop.systemd1.Unit"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"

struct sd_bus_message;
struct unit_property;

/**
 * unit_facts_set() - replace one string
 * Return: 0, or -ENOMEM, and then the field is NULL: "not read" is no lie, the old value may be one.
 */
int unit_facts_set(const char **field, const char *value);
void unit_facts_done(struct diag_unit *u);

/** unit_property_find() - NULL for a property that we have no field for. */
const struct unit_property *unit_property_find(const char *interface, const char *name);

/** unit_facts_read_variant() - take a property's value from @m; one of another type is passed over. */
int unit_facts_read_variant(struct sd_bus_message *m, const struct unit_property *p,
                            struct diag_unit *u);

/** unit_facts_read_all() - a{sv}: take what we have fields for. */
int unit_facts_read_all(struct sd_bus_message *m, const char *interface, struct diag_unit *u);

/** unit_facts_differ() - @a is a copy of @b from before a signal was read into @b: did it tell anything? */
bool unit_facts_differ(const struct diag_unit *a, const struct diag_unit *b);

/** unit_facts_check_table() - asserts that the table can be searched. */
void unit_facts_check_table(void);
