#pragma once

/*
 * The command line of a daemon: a few options that have to be known before the configuration is read, and
 * those that are nothing but keys of it, and win over its files. getopt_long(3) does the reading.
 */

#include "base/conf.h"

struct command_option {
        const char *name;          /* "listen" */
        const char *section, *key; /* what it sets; NULL: a flag */
        bool is_list;              /* the first one on the command line replaces what files said */
        const char *value;         /* of an option without argument; NULL: it has one */
        bool *flag;                /* of a flag: set to true */
};

struct command_line {
        const char *program, *version, *help;
        const struct command_option *options; /* ends with a row without name */
        int argc;
        char **argv;

        const char *config; /* --config; NULL: the default one, which may be missing */
        bool check_config;
};

/**
 * command_line_early() - --config, --check-config, --version, --help, and all flags
 * @ret_status: of the process, if it is to end: 0, or 2 for a wrong call, which has been said
 * Return: true: go on.
 */
bool command_line_early(struct command_line *c, int *ret_status);

/** command_line_apply() - the keys, in their order. 0 or -errno. */
int command_line_apply(const struct command_line *c, const struct conf_key *keys, void *target,
                       struct err *e);

/** command_line_configure() - the files, then the command line; every fault is logged. 0 or -errno. */
int command_line_configure(const struct command_line *c, const char *default_file,
                           const struct conf_key *keys, void *target);
