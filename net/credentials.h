#pragma once

/*
 * What TLS needs of us: whom we trust, and who we are. Parsed once and shared by all connections:
 * libcurl alone would parse them again for each, which is a third of what a handshake costs.
 */

#include <curl/curl.h>

#include "base/err.h"
#include "net/fetch.h"

struct credentials;

/**
 * credentials_new() - @ret: new reference; @e: names which of them is bad
 * Return: 0, or -EINVAL (no PEM, or key and certificate that do not belong together), -E2BIG,
 * -EOPNOTSUPP (libcurl uses another TLS library than we), -ENOMEM.
 */
int credentials_new(struct credentials **ret, const struct fetch_tls *tls, struct err *e);
struct credentials *credentials_ref(struct credentials *c);
struct credentials *credentials_unref(struct credentials *c);

/** credentials_apply() - @easy uses them for https; it must end before the caller's reference does. */
CURLcode credentials_apply(struct credentials *c, CURL *easy);

/** credentials_were_refused() - @error_text, of CURLOPT_ERRORBUFFER, says that the other side did not like ours. */
bool credentials_were_refused(const char *error_text);

DEFINE_CLEANUP(struct credentials *, credentials_unref);
