#pragma once

/*
 * INI files as systemd writes and reads them: "[Section]" or "[Section argument]", "Key=value",
 * comments with '#' or ';' at the start of a line, '\' at its end continues it, keys may repeat, an
 * empty value resets what was collected so far. FILE is followed by what ends in .conf in the
 * folder FILE.d, in the order of the names, so that a drop-in wins. Sections and keys that begin
 * with "X-" are left alone.
 *
 * What may stand there is a table of the program's own; everything else is an error that names file
 * and line. Reading goes on after an error, so that a person sees all of them at once.
 */

#include "base/err.h"

#define CONF_FILE_MAX_BYTES 1048576u
#define CONF_LINE_MAX_BYTES 16384u /* with its continuations */
#define CONF_DROPINS_MAX    256u

/** What a setter is given. All strings borrowed, none NULL, blanks at both ends removed. */
struct conf_value {
        const char *section;  /* "Unit" */
        const char *argument; /* "foo.service" of "[Unit foo.service]"; "" without */
        const char *key;
        const char *value; /* "" resets */
        const char *where; /* "FILE:LINE" of a section's header; else "" */
};

/**
 * conf_set_fn - take one value into @target
 * @e: say what is wrong with the value; file and line are put in front by the reader
 * Return: 0, or -errno.
 */
typedef int (*conf_set_fn)(void *target, const struct conf_value *v, struct err *e);

struct conf_key {
        /* Case matters, as in systemd. Key "*": any that has no row; "": the section's header itself. */
        const char *section, *key;
        bool has_argument; /* of the section: required if true, refused if false */
        conf_set_fn set;   /* of the row that ends a table: called after every value taken */
};

/** Called for each error, in file order. The text begins with "FILE:LINE: ", or names the file. */
typedef void (*conf_error_fn)(const struct err *e, void *userdata);

/**
 * conf_parse() - read @text
 * @name: how the file is called in errors
 * @keys: ends with a row whose section is NULL
 * @on_error: may be NULL, then only the return value counts
 *
 * Text with a NUL byte in it is refused before any setter is called. A byte order mark and CRLF are
 * tolerated. Pure but for the setters.
 * Return: 0, or the first error's -errno (-EINVAL, -E2BIG, -ENOMEM, what a setter returned).
 */
int conf_parse(const char *text, size_t n, const char *name, const struct conf_key *keys,
               void *target, conf_error_fn on_error, void *userdata);

/**
 * conf_load() - read @path and its drop-ins
 * @required: a missing @path is an error; drop-ins may always be missing
 *
 * Drop-ins are regular files, or links to them, that do not begin with '.'. A link to /dev/null
 * stands for an empty file, so that it masks what a package put there.
 *
 * Return: as conf_parse(), and -ENOENT, -EACCES …, -E2BIG for a file over CONF_FILE_MAX_BYTES.
 */
int conf_load(const char *path, bool required, const struct conf_key *keys, void *target,
              conf_error_fn on_error, void *userdata);

/**
 * conf_set() - one value as if it stood in a file, for the command line
 * @section: what would stand in the brackets: "Unit foo.service"
 * @e:       names the key; may be NULL
 *
 * Return: as conf_parse().
 */
int conf_set(const struct conf_key *keys, void *target, const char *section, const char *key,
             const char *value, struct err *e);
