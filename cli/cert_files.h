#pragma once

/*
 * Where certificates and keys lie: ca.pem and ca.key in the directory of an authority, which is closed to
 * others; ca.pem, node.pem and node.key in one for each node, to be copied to /etc/diag/tls there. Each
 * file is whole or not there.
 */

#include "cli/cert.h"

#define CERT_FILES_GROUP "diag-tls" /* may read the key of a node, where there is such a group */

/**
 * cert_files_claim_authority() - make @directory if there is none, and the place in it ours
 *
 * Nobody else gets the same place, and nothing is ever replaced. cert_files_disclaim_authority() or
 * cert_files_write_authority() comes next.
 * Return: 0, -EEXIST when there is an authority, -EPERM when others may look into @directory, or -errno; @e
 * names the file.
 */
int cert_files_claim_authority(const char *directory, struct err *e);
void cert_files_disclaim_authority(const char *directory);

/** cert_files_write_authority() - if that fails, it is disclaimed. */
int cert_files_write_authority(const char *directory, const struct cert_made *m, struct err *e);

/** cert_files_load_authority() - as cert_authority_load(); @e also says how to make one. */
int cert_files_load_authority(struct cert_authority **ret, const char *directory, struct err *e);

/**
 * cert_files_check_node() - may a node's files be written there?
 * @replaces: what is there may be replaced
 *
 * Return: 0, -EEXIST, or -EINVAL: @directory is @authority's, and who copied it would copy its key.
 */
int cert_files_check_node(const char *directory, const char *authority, bool replaces,
                          struct err *e);

/**
 * cert_files_write_node() - replaces what is there; makes @directory, but none above it
 *
 * The key is for its owner; when that is root and there is CERT_FILES_GROUP, also for that group.
 */
int cert_files_write_node(const char *directory, const struct cert_made *m,
                          const char *authority_pem, struct err *e);

/** cert_files_make_directory() - it may be there already. */
int cert_files_make_directory(const char *directory, mode_t mode, struct err *e);
