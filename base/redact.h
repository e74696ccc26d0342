#pragma once

/*
 * Secrets do not leave the node. Masked, by name: the value after a key that means a secret
 * (password, token, api_key …) in KEY=VALUE, JSON, YAML, headers and command lines; by shape: the
 * password in a URL, bearer and basic credentials, JSON web tokens, cloud access keys, PEM private
 * keys. Line structure stays; what is masked reads "[redacted]". Works on bytes, any encoding.
 */

#include "base/buf.h"

#define REDACT_MASK "[redacted]"

/**
 * redact_append() - append @text to @out with its secrets masked
 *
 * Linear in @n; grows the text by at most a factor of sizeof(REDACT_MASK). A private key whose end
 * is missing is masked to the end of @text. Idempotent. Pure, any thread, fuzzed.
 * Return: how many were masked; failures are in out->error.
 */
size_t redact_append(struct buf *out, const char *text, size_t n);
