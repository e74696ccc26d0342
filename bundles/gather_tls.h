#pragma once

/* Who we are to other machines, from the daemon's files. */

#include "net/fetch.h"

/** gather_use_tls() - of a fetcher; NULL: none. 0, or -errno with @e naming the file */
int gather_use_tls(struct fetcher *f, const char *ca_file, const char *cert_file,
                   const char *key_file, struct err *e);
