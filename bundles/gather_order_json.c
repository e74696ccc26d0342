/*
 * gather.json, read by who is told what to do, and what nodes say. The first is our own daemon's, and is checked as if
 * it were not: a gatherer that does something else than it was told would be noticed late.
 */

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "bundles/fragment.h"
#include "bundles/gather.h"
#include "bundles/gather_answers.h"
#include "net/url.h"

#define STRING_MAX 4096u

/* --- members ------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *key, const char *const known[])
{
        for (size_t i = 0; known[i]; i++)
                if (streq(key, known[i]))
                        return true;
        return false;
}

static int check_keys(json_t *o, const char *const known[], struct err *e)
{
        const char *key;
        json_t *v;

        if (!json_is_object(o))
                return err_set(e, -EINVAL, "not an object");
        json_object_foreach (o, key, v)
                if (!is_one_of(key, known))
                        return err_set(e, -EINVAL, "unknown key '%.64s'", key);
        return 0;
}

/* null, or missing: NULL. */
static int take_string(const json_t *o, const char *key, bool required, char **ret, struct err *e)
{
        const json_t *v = json_object_get(o, key);
        const char *s = json_string_value(v);

        if (!v || json_is_null(v))
                return required ? err_set(e, -EINVAL, "%s is missing", key) : 0;
        if (!s || !*s || json_string_length(v) > STRING_MAX || strlen(s) != json_string_length(v))
                return err_set(e, -EINVAL, "%s is no string of 1 to %u bytes", key, STRING_MAX);
        for (const char *c = s; *c; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        return err_set(e, -EINVAL, "%s holds a control character", key);
        *ret = strdup(s);
        return *ret ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static int take_bool(const json_t *o, const char *key, bool *ret, struct err *e)
{
        const json_t *v = json_object_get(o, key);

        if (v && !json_is_boolean(v))
                return err_set(e, -EINVAL, "%s is neither true nor false", key);
        *ret = json_is_true(v);
        return 0;
}

static int take_uint(const json_t *o, const char *key, uint64_t max, uint64_t *ret, struct err *e)
{
        const json_t *v = json_object_get(o, key);

        if (v && (!json_is_integer(v) || json_integer_value(v) < 0 ||
                  (uint64_t)json_integer_value(v) > max))
                return err_set(e, -EINVAL, "%s is no number from 0 on, or too large", key);
        *ret = (uint64_t)json_integer_value(v);
        return 0;
}

/* --- nodes --------------------------------------------------------------------------------------------- */

static int check_node(const struct gather_node *n, struct err *e)
{
        size_t n_url = strlen(n->url);
        char prefix[ARCHIVE_PATH_MAX];

        if (n_url >= NODE_URL_MAX || n->url[n_url - 1] == '/' ||
            (strncmp(n->url, "http://", 7) != 0 && strncmp(n->url, "https://", 8) != 0))
                return err_set(e, -EINVAL, "url: '%.128s' is not http(s)://HOST:PORT", n->url);
        if (n->socket && *n->socket != '/')
                return err_set(e, -EINVAL, "socket: not an absolute path");
        if (snprintf(prefix, sizeof(prefix), "%s_%s", n->address, diag_role_to_string(n->role)) >=
                    (int)sizeof(prefix) ||
            !fragment_prefix_is_valid(prefix))
                return err_set(e, -EINVAL, "address: '%.128s' can name no directory", n->address);
        return 0;
}

static int read_node(struct gather_node *n, json_t *o, struct err *e)
{
        static const char *const known[] = {"url",  "address", "node_id",     "socket",
                                            "role", "v1",      "unreachable", NULL};
        const char *role = json_string_value(json_object_get(o, "role"));
        int k = check_keys(o, known, e);

        if (k >= 0)
                k = take_string(o, "url", true, &n->url, e);
        if (k >= 0)
                k = take_string(o, "address", true, &n->address, e);
        if (k >= 0)
                k = take_string(o, "node_id", false, &n->node_id, e);
        if (k >= 0)
                k = take_string(o, "socket", false, &n->socket, e);
        if (k >= 0)
                k = take_bool(o, "v1", &n->v1, e);
        if (k >= 0)
                k = take_bool(o, "unreachable", &n->unreachable, e);
        if (k >= 0 && (!role || diag_role_from_string(role, &n->role) < 0))
                k = err_set(e, -EINVAL, "role is none of master, agent, agent_public");
        return k < 0 ? k : check_node(n, e);
}

static int compare_addresses(const void *a, const void *b)
{
        const struct gather_node *const *x = a, *const *y = b;

        return strcmp((*x)->address, (*y)->address);
}

/* Two fragments below one directory would be one that holds names twice. */
static int check_addresses(const struct gather_order *o, struct err *e)
{
        const struct gather_node **sorted;
        int k = 0;

        if (o->n_nodes < 2)
                return 0;
        sorted = calloc(o->n_nodes, sizeof(struct gather_node *));
        if (!sorted)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < o->n_nodes; i++)
                sorted[i] = &o->nodes[i];
        qsort(sorted, o->n_nodes, sizeof(struct gather_node *), compare_addresses);
        for (size_t i = 1; k == 0 && i < o->n_nodes; i++)
                if (streq(sorted[i - 1]->address, sorted[i]->address))
                        k = err_set(e, -EINVAL, "nodes: %.128s is there twice", sorted[i]->address);
        free(sorted);
        return k;
}

static int read_nodes(struct gather_order *o, const json_t *list, struct err *e)
{
        json_t *v;
        size_t i;
        int k;

        if (!json_is_array(list))
                return err_set(e, -EINVAL, "nodes is no list");
        if (json_array_size(list) > BUNDLE_NODES_MAX)
                return err_set(e, -E2BIG, "more than %u nodes", BUNDLE_NODES_MAX);
        if (json_array_size(list) == 0)
                return 0;
        o->nodes = calloc(json_array_size(list), sizeof(*o->nodes));
        if (!o->nodes)
                return err_set(e, -ENOMEM, "out of memory");
        json_array_foreach (list, i, v) {
                o->n_nodes++;
                k = read_node(&o->nodes[i], v, e);
                if (k < 0) {
                        (void)err_prefix(e, "nodes[%zu]: ", i);
                        return k;
                }
        }
        return check_addresses(o, e);
}

static int read_order(struct gather_order *o, json_t *json, struct err *e)
{
        static const char *const known[] = {
                "ca_file",    "cert_file",        "key_file",       "at_once",      "nodes",
                "free_floor", "bundle_max_bytes", "node_max_bytes", "timeout_usec", NULL};
        uint64_t at_once = 0;
        int k = check_keys(json, known, e);

        if (k >= 0)
                k = take_string(json, "ca_file", false, &o->ca_file, e);
        if (k >= 0)
                k = take_string(json, "cert_file", false, &o->cert_file, e);
        if (k >= 0)
                k = take_string(json, "key_file", false, &o->key_file, e);
        if (k >= 0)
                k = take_uint(json, "at_once", GATHER_AT_ONCE_MAX, &at_once, e);
        if (k >= 0)
                k = take_uint(json, "bundle_max_bytes", INT64_MAX, &o->bundle_max_bytes, e);
        if (k >= 0)
                k = take_uint(json, "node_max_bytes", INT64_MAX / 4, &o->node_max_bytes, e);
        if (k >= 0)
                k = take_uint(json, "free_floor", INT64_MAX, &o->free_floor, e);
        if (k >= 0)
                k = take_uint(json, "timeout_usec", INT64_MAX / 4, &o->timeout_usec, e);
        o->at_once = (unsigned)at_once;
        return k < 0 ? k : read_nodes(o, json_object_get(json, "nodes"), e);
}

int gather_order_read(struct gather_order *ret, const char *json, size_t n, struct err *e)
{
        struct gather_order o = {0};
        json_error_t why;
        json_t *tree;
        int k;

        if (n > GATHER_ORDER_BYTES_MAX)
                return err_set(e, -E2BIG, "more than %u bytes", GATHER_ORDER_BYTES_MAX);
        tree = json_loadb(json, n, JSON_REJECT_DUPLICATES, &why);
        if (!tree)
                return err_set(e, -EINVAL, "line %d: %s", why.line, why.text);
        k = read_order(&o, tree, e);
        json_decref(tree);
        if (k < 0)
                gather_order_done(&o);
        else
                *ret = o;
        return k;
}

/* --- what nodes say ------------------------------------------------------------------------------------ */

/* One line, printable: err_set() sees to the second. */
static void take_words(char ret[static GATHER_WORDS_MAX], const char *s, size_t n)
{
        struct err words = {0};
        size_t n_line = 0;

        while (n_line < n && n_line < GATHER_WORDS_MAX - 1 && s[n_line] && s[n_line] != '\n' &&
               s[n_line] != '\r')
                n_line++;
        (void)err_set(&words, -EPROTO, "%.*s", (int)n_line, s);
        (void)snprintf(ret, GATHER_WORDS_MAX, "%.*s", (int)GATHER_WORDS_MAX - 1, words.text);
}

void gather_read_error(char ret[static GATHER_WORDS_MAX], const char *body, size_t n)
{
        json_t *o = json_loadb(body, n, 0, NULL);
        const json_t *error = json_object_get(o, "error");

        if (json_is_string(error))
                take_words(ret, json_string_value(error), json_string_length(error));
        else
                take_words(ret, body, n);
        json_decref(o);
}

/* Of the old service: {"code":500,"error":"…"}, or the text itself. */
static void take_first_error(char why[static GATHER_WORDS_MAX], const json_t *errors)
{
        const json_t *first = json_array_get(errors, 0);
        const json_t *text = json_is_string(first) ? first : json_object_get(first, "error");

        if (json_is_string(text))
                take_words(why, json_string_value(text), json_string_length(text));
}

int gather_read_v1(enum gather_v1_state *ret, char why[static GATHER_WORDS_MAX], const char *body,
                   size_t n)
{
        json_t *o = json_loadb(body, n, 0, NULL);
        const char *status = json_string_value(json_object_get(o, "status"));

        *ret = GATHER_V1_RUNNING;
        *why = '\0';
        if (!status) {
                json_decref(o);
                return -EBADMSG;
        }
        if (streq(status, "Done")) {
                *ret = GATHER_V1_DONE;
        } else if (streq(status, "Failed") || streq(status, "Canceled") ||
                   streq(status, "Deleted")) {
                *ret = GATHER_V1_FAILED;
                take_words(why, status, strlen(status));
                take_first_error(why, json_object_get(o, "errors"));
        }
        json_decref(o);
        return 0;
}
