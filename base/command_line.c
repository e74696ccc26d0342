/* Two passes over the same words: before the files, and after them. */

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/command_line.h"
#include "base/log.h"

#define OPTIONS_MAX 32u
#define WRONG_CALL  2

enum code {
        CODE_CONFIG = 256,
        CODE_CHECK_CONFIG,
        CODE_VERSION,
        CODE_HELP,
        CODE_FIRST, /* from here on: index into the program's options */
};

static bool takes_argument(const struct command_option *o)
{
        return o->key && !o->value;
}

static void make_table(struct option table[static OPTIONS_MAX], const struct command_line *c)
{
        static const struct option own[] = {
                {"config",       required_argument, NULL, CODE_CONFIG      },
                {"check-config", no_argument,       NULL, CODE_CHECK_CONFIG},
                {"version",      no_argument,       NULL, CODE_VERSION     },
                {"help",         no_argument,       NULL, CODE_HELP        },
        };
        size_t n = ELEMENTSOF(own);

        memcpy(table, own, sizeof(own));
        for (size_t i = 0; c->options[i].name; i++) {
                assert(n + 1 < OPTIONS_MAX);
                table[n++] = (struct option){
                        .name = c->options[i].name,
                        .has_arg = takes_argument(&c->options[i]) ? required_argument : no_argument,
                        .val = CODE_FIRST + (int)i,
                };
        }
        table[n] = (struct option){0};
}

/* Return: true: go on. */
static bool take_early(struct command_line *c, int code, int *ret_status)
{
        switch (code) {
        case CODE_CONFIG:
                c->config = optarg;
                return true;
        case CODE_CHECK_CONFIG:
                c->check_config = true;
                return true;
        case CODE_VERSION:
                *ret_status = printf("%s %s\n", c->program, c->version) < 0;
                return false;
        case CODE_HELP:
                *ret_status = printf("%s", c->help) < 0;
                return false;
        case '?':
                *ret_status = WRONG_CALL;
                return false;
        default:
                if (c->options[code - CODE_FIRST].flag)
                        *c->options[code - CODE_FIRST].flag = true;
                return true;
        }
}

bool command_line_early(struct command_line *c, int *ret_status)
{
        struct option table[OPTIONS_MAX];
        int code;

        make_table(table, c);
        optind = 1;
        while ((code = getopt_long(c->argc, c->argv, "", table, NULL)) >= 0)
                if (!take_early(c, code, ret_status))
                        return false;
        if (optind == c->argc)
                return true;
        log_error("'%s' is no option of %s", c->argv[optind], c->program);
        *ret_status = WRONG_CALL;
        return false;
}

int command_line_apply(const struct command_line *c, const struct conf_key *keys, void *target,
                       struct err *e)
{
        struct option table[OPTIONS_MAX];
        bool replaced[OPTIONS_MAX] = {false};
        int code, k = 0;

        make_table(table, c);
        optind = 1;
        while (k >= 0 && (code = getopt_long(c->argc, c->argv, "", table, NULL)) >= 0) {
                size_t i = (size_t)(code - CODE_FIRST);
                const struct command_option *o = code < CODE_FIRST ? NULL : &c->options[i];

                if (!o || !o->key)
                        continue;
                if (o->is_list && !replaced[i])
                        k = conf_set(keys, target, o->section, o->key, "", e);
                replaced[i] = true;
                if (k >= 0)
                        k = conf_set(keys, target, o->section, o->key, o->value ? o->value : optarg,
                                     e);
        }
        return k;
}

static void say_error(const struct err *e, _unused_ void *userdata)
{
        log_error("%s", e->text);
}

int command_line_configure(const struct command_line *c, const char *default_file,
                           const struct conf_key *keys, void *target)
{
        struct err e = {0};
        int k = conf_load(c->config ? c->config : default_file, c->config != NULL, keys, target,
                          say_error, NULL);

        if (k < 0)
                return k; /* has been said */
        k = command_line_apply(c, keys, target, &e);
        if (k < 0)
                say_error(&e, NULL);
        return k;
}
