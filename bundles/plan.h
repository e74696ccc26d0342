#pragma once

/*
 * What to collect on this node: DC/OS's endpoint configuration, as it is (HTTPEndpoints, LocalFiles,
 * LocalCommands; keys in any case), with keys of ours beside them, from several files that merge:
 *
 *   /usr/lib/diag/bundle.d/ (.json)       shipped: a plain systemd machine, the roles of DC/OS
 *   /etc/diag/bundle.d/ (.json)           the owner's; one of the same name replaces the shipped one
 *   /opt/mesosphere/etc/…                 DC/OS's own, and what EndpointConfig= names
 *
 * A later entry of the same kind and id, or the same name, replaces an earlier one. In DC/OS's own files: keeps of it
 * what is ours (Kind, User, Timeout, MaxBytes) and not said; two such entries count for the roles of both; keys that
 * are not known are warnings. In ours they are errors, and so is an entry that a file has twice. Only files that root
 * owns, and nobody else may write, are read, in directories of which the same is true. Ours, for all: "Timeout"
 * ("30s"), "MaxBytes" ("16M"), "FileName"; "User" and "Kind" ("host", "systemd") of commands, "Kind" of files, "Socket"
 * of HTTP; "Journals": [{"Unit", "Role", "Optional"}], where the unit "kernel" is the kernel; "Requires": a path that
 * must exist for the file's entries to count (so that profiles of DC/OS sleep elsewhere). See diag-bundle.d(5).
 */

#include "base/err.h"
#include "bundles/source.h"

#define PLAN_SOURCES_MAX    2000u
#define PLAN_FILE_BYTES_MAX (1u << 20)
#define PLAN_FILES_MAX      64u
/* Always there. */
#define PLAN_HEALTH_V1      "dcos-diagnostics-health.json"
#define PLAN_HEALTH         "health.json"
#define PLAN_TIMEOUT_MAX    (UINT64_C(3600) * 1000000)
#define PLAN_BYTES_MAX      (UINT64_C(1) << 40)

struct plan_paths {
        const char *const *directories; /* of .json files; ends with NULL; NULL: none */
        const char *const *files;       /* DC/OS's own; likewise; one that is missing is fine */
        bool root_owned;                /* refuse what others than root may write (-EPERM) */
};

/** The ones of this machine: what stands above. */
extern const struct plan_paths plan_system_paths;

struct plan {
        struct source *
                sources; /* in the order of the contract: journals, HTTP, health, files, commands … */
        size_t n_sources;
        char *warnings; /* one a line, "FILE: LocalFiles[3].Colour: unknown key"; NULL: none */
};

/**
 * plan_load() - everything, whatever its role
 *
 * With the two that are always there: the node's health as API v1 and as API v2 say it.
 * Return: 0, or -EINVAL, -EPERM, -E2BIG … with @e naming file and entry ("FILE: LocalCommands[3].Command: …").
 */
int plan_load(struct plan **ret, const struct plan_paths *paths, struct err *e);
struct plan *plan_free(struct plan *p);

/**
 * plan_add_units() - journal and properties of each unit
 * Those that are in the plan already stay. Names are checked. 0, -EINVAL, -ENOMEM
 */
int plan_add_units(struct plan *p, const char *const units[], size_t n);

/** plan_find() - NULL: none such */
const struct source *plan_find(const struct plan *p, enum source_kind kind, const char *id);

/** plan_name_of_path() - in the archive: without the leading slash; clean. 0 or -EINVAL */
int plan_name_of_path(char *ret, size_t n, const char *path);

DEFINE_CLEANUP(struct plan *, plan_free);
