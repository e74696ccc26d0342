#pragma once

/*
 * Secrets do not leave the node. Masked, by name: the value after a key that means a secret
 * (password, token, api_key …) in KEY=VALUE, JSON, YAML, INI, headers, command lines and the NUL-separated
 * words of /proc/PID/environ; by shape: the password in a URL, bearer and basic credentials, JSON web tokens,
 * cloud access keys, PEM private keys; and what rules of the machine's owner say. Line structure stays. Works
 * on bytes, any encoding.
 *
 * In bundles also: pairs of "name" and "value", blocks and lists of YAML, arrays of JSON, words after a key without
 * a separator ("requirepass x", netrc), XML's elements, options of well-known commands (mysql -p, curl -u …), words of
 * environ and cmdline with blanks in them, ZooKeeper's addauth and digest ACLs, hashes of crypt(3), the tokens of
 * GitHub, GitLab, Slack, Google, Stripe and their like.
 *
 * In health, which is for many, a mask reads "[redacted]". In a bundle it reads "[redacted:1f2e3d4c]": the
 * same secret has the same mask throughout the bundle, so that logs still correlate. What stands there is
 * keyed (HMAC) with a salt that is made for the bundle and is not in it: short secrets cannot be guessed from it.
 */

#include "base/buf.h"
#include "base/err.h"

#define REDACT_MASK          "[redacted]"
#define REDACT_MASK_MAX      sizeof("[redacted:01234567]") /* the longest one, and a NUL */
#define REDACT_SALT_BYTES    32u
#define REDACT_RULES_MAX     256u
#define REDACT_PATTERN_BYTES 1024u

/* A line that is longer is looked at in pieces of so many bytes; of each, the last sixteenth is only looked ahead at. */
#define REDACT_LINE_BYTES (UINT32_C(1) << 18)

/**
 * redact_append() - append @text to @out with its secrets masked
 *
 * Linear in @n; grows the text by at most a factor of sizeof(REDACT_MASK). A private key whose end
 * is missing is masked to the end of @text. Idempotent. Pure, any thread, fuzzed.
 * Return: how many were masked; failures are in out->error.
 */
size_t redact_append(struct buf *out, const char *text, size_t n);

/** What the machine's owner wants masked besides: files of redact.d. Sealed. */
struct redact_rules;

/**
 * redact_rules_load() - *.conf of @directories, in the order of their names; one that is missing is empty
 * @directories: of two files of the same name the one in the later directory counts; ends with NULL
 * @root_owned:  refuse what others than root may write
 *
 * [Redact] with Key= (a name whose value is a secret, "*" for any run of characters) and Pattern= (a Perl-
 * compatible expression; its first group, else all of it, is masked), both repeatable.
 * Return: 0, or -EINVAL with @e naming file and line, -EPERM, -ENOMEM.
 */
int redact_rules_load(struct redact_rules **ret, const char *const directories[], bool root_owned,
                      struct err *e);
struct redact_rules *redact_rules_free(struct redact_rules *rules);

/**
 * A text that comes in pieces; what comes out does not depend on how it was cut. One thread.
 *
 * What was masked is recognised in either form, and left; but a pattern of the owner's that looks for masks, or that
 * gives up on a line, may find more each time. A private key whose end is missing is masked for 1024 lines.
 */
struct redactor;

/**
 * redactor_new() - to begin with a text
 * @rules: borrowed; NULL: none
 * @salt:  REDACT_SALT_BYTES, copied; NULL: masks are REDACT_MASK
 *
 * Costs tens of microseconds: for many small texts, keep it and call redactor_end() after each.
 * Return: 0, or -ENOMEM.
 */
int redactor_new(struct redactor **ret, const struct redact_rules *rules, const uint8_t *salt);
struct redactor *redactor_free(struct redactor *r);

/**
 * redactor_feed() - the next @n bytes
 *
 * Appends to @out what is settled: all lines that are complete. No more than REDACT_LINE_BYTES are kept
 * back. Failures are in out->error.
 */
void redactor_feed(struct redactor *r, const void *data, size_t n, struct buf *out);

/** redactor_end() - that was all: append the rest, and begin anew. Return: how many were masked. */
uint64_t redactor_end(struct redactor *r, struct buf *out);

DEFINE_CLEANUP(struct redact_rules *, redact_rules_free);
DEFINE_CLEANUP(struct redactor *, redactor_free);
