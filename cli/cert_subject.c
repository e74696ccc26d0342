/*
 * Names and addresses become part of a certificate that nobody looks at again, so what is wrong is
 * refused here: a name that can be no directory, an address of no machine, "10.0.0.300" as a name.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "cli/cert_subject.h"

#define SCHEME     "diag://"
#define ALNUM      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS     "0123456789"
#define BLANKS     " \t\r"
#define LABEL_MAX  63u
#define ROLE_WORDS "master, agent or agent_public"

/* --- words ---------------------------------------------------------------------------------------- */

static bool word_is_valid(const char *s, size_t n_max)
{
        return strspn(s, ALNUM) > 0 && !s[strspn(s, ALNUM "-_.")] && strlen(s) <= n_max;
}

bool cert_cluster_is_valid(const char *cluster)
{
        return word_is_valid(cluster, CERT_CLUSTER_MAX);
}

static bool label_is_valid(const char *label, size_t n)
{
        return n > 0 && n <= LABEL_MAX && label[0] != '-' && label[n - 1] != '-' &&
               strspn(label, ALNUM "-") >= n;
}

/* The last label is no number, or it would be half an address. */
static bool dns_is_valid(const char *name)
{
        const char *label = name;

        if (strlen(name) > CERT_DNS_MAX)
                return false;
        for (;;) {
                size_t n = strcspn(label, ".");

                if (!label_is_valid(label, n))
                        return false;
                if (!label[n])
                        return strspn(label, DIGITS) < n;
                label += n + 1;
        }
}

/* One spelling of each address. */
static bool address_is_valid(const char *s, char ret[static INET6_ADDRSTRLEN])
{
        struct in6_addr in6;
        struct in_addr in;

        if (inet_pton(AF_INET, s, &in) == 1)
                return in.s_addr != INADDR_ANY && in.s_addr != INADDR_NONE &&
                       !IN_MULTICAST(ntohl(in.s_addr)) &&
                       inet_ntop(AF_INET, &in, ret, INET6_ADDRSTRLEN);
        return inet_pton(AF_INET6, s, &in6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&in6) &&
               !IN6_IS_ADDR_MULTICAST(&in6) && inet_ntop(AF_INET6, &in6, ret, INET6_ADDRSTRLEN);
}

/* --- a node --------------------------------------------------------------------------------------- */

void cert_subject_done(struct cert_subject *s)
{
        string_list_done(&s->addresses);
        string_list_done(&s->dns);
        *s = (struct cert_subject){0};
}

static int add_once(struct cert_subject *s, struct string_list *l, const char *what, struct err *e)
{
        if (string_list_has(l, what))
                return 0;
        if (l->n == CERT_ALIASES_MAX)
                return err_set(e, -E2BIG, "%s has more than %u addresses or names", s->name,
                               CERT_ALIASES_MAX);
        if (string_list_push(l, what) < 0)
                return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        return 0;
}

int cert_subject_add_address(struct cert_subject *s, const char *address, struct err *e)
{
        char spelled[INET6_ADDRSTRLEN];

        if (!address_is_valid(address, spelled))
                return err_set(e, -EINVAL, "\"%s\" is not the address of a machine", address);
        return add_once(s, &s->addresses, spelled, e);
}

int cert_subject_add_dns(struct cert_subject *s, const char *name, struct err *e)
{
        if (!dns_is_valid(name))
                return err_set(e, -EINVAL, "\"%s\" is not a name in DNS", name);
        return add_once(s, &s->dns, name, e);
}

static int add_any(struct cert_subject *s, const char *alias, struct err *e)
{
        char spelled[INET6_ADDRSTRLEN];

        if (address_is_valid(alias, spelled))
                return add_once(s, &s->addresses, spelled, e);
        if (!dns_is_valid(alias))
                return err_set(e, -EINVAL,
                               "\"%s\" is neither the address of a machine nor a name in DNS",
                               alias);
        return add_once(s, &s->dns, alias, e);
}

int cert_subject_init(struct cert_subject *s, const char *name, const char *role, struct err *e)
{
        char spelled[INET6_ADDRSTRLEN];
        int r = 0;

        *s = (struct cert_subject){0};
        if (!word_is_valid(name, CERT_NAME_MAX))
                return err_set(e, -EINVAL,
                               "\"%s\" cannot be the name of a node: letters, digits, '-', '_' and "
                               "'.', %u at most, not '-', '_' or '.' first",
                               name, CERT_NAME_MAX);
        if (diag_role_from_string(role, &s->role) < 0)
                return err_set(e, -EINVAL, "\"%s\" is no role: " ROLE_WORDS, role);
        memcpy(s->name, name, strlen(name) + 1);
        if (address_is_valid(name, spelled) || dns_is_valid(name))
                r = add_any(s, name, e);
        if (r < 0)
                cert_subject_done(s);
        return r;
}

int cert_subject_check(const struct cert_subject *s, struct err *e)
{
        return s->addresses.n > 0 ? 0 : err_set(e, -EINVAL, "what is the address of %s?", s->name);
}

/* --- many ----------------------------------------------------------------------------------------- */

void cert_subjects_done(struct cert_subjects *l)
{
        for (size_t i = 0; i < l->n; i++)
                cert_subject_done(&l->items[i]);
        free(l->items);
        *l = (struct cert_subjects){0};
}

/* @s: done() by the caller, whatever comes of it */
static int parse_line(struct cert_subject *s, char *line, struct err *e)
{
        char *rest, *alias, *name = strtok_r(line, BLANKS, &rest);
        const char *role = strtok_r(NULL, BLANKS, &rest);
        int r;

        if (!role)
                return err_set(e, -EINVAL, "what is the role of %s? " ROLE_WORDS, name);
        r = cert_subject_init(s, name, role, e);
        while (r >= 0 && (alias = strtok_r(NULL, BLANKS, &rest)))
                r = add_any(s, alias, e);
        return r < 0 ? r : cert_subject_check(s, e);
}

static int push(struct cert_subjects *l, struct cert_subject *taken, struct err *e)
{
        struct cert_subject *p;

        for (size_t i = 0; i < l->n; i++)
                if (strcasecmp(l->items[i].name, taken->name) == 0)
                        return err_set(e, -EINVAL, "%s is there twice", taken->name);
        if (l->n == CERT_SUBJECTS_MAX)
                return err_set(e, -E2BIG, "more than %u nodes", CERT_SUBJECTS_MAX);
        p = reallocarray(l->items, l->n + 1, sizeof(*p));
        if (!p)
                return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
        l->items = p;
        p[l->n++] = *taken;
        *taken = (struct cert_subject){0};
        return 0;
}

static int push_line(struct cert_subjects *l, char *line, struct err *e)
{
        struct cert_subject s = {0};
        int r;

        line[strcspn(line, "#")] = '\0';
        if (!line[strspn(line, BLANKS)])
                return 0;
        r = parse_line(&s, line, e);
        if (r >= 0)
                r = push(l, &s, e);
        cert_subject_done(&s);
        return r;
}

int cert_subjects_parse(struct cert_subjects *ret, const char *text, const char *who, struct err *e)
{
        _cleanup_(freep) char *copy = strdup(text);
        char *next = copy, *line;
        unsigned number = 0;
        int r = copy ? 0 : err_set(e, -ENOMEM, "%s: %s", who, strerror(ENOMEM));

        while (r >= 0 && (line = strsep(&next, "\n"))) {
                number++;
                r = push_line(ret, line, e);
                if (r < 0)
                        (void)err_prefix(e, "%s:%u: ", who, number);
        }
        if (r >= 0 && ret->n == 0)
                r = err_set(e, -EINVAL, "%s names no node", who);
        if (r < 0)
                cert_subjects_done(ret);
        return r;
}

/* --- the URI -------------------------------------------------------------------------------------- */

char *cert_uri_format(char buf[static CERT_URI_MAX], const char *cluster, enum diag_role role)
{
        const char *word = diag_role_to_string(role);

        (void)snprintf(buf, CERT_URI_MAX, SCHEME "%s%s%s", cluster, *word ? "/" : "", word);
        return buf;
}

int cert_uri_parse(const char *uri, char cluster[static CERT_CLUSTER_MAX + 1],
                   enum diag_role *ret_role)
{
        char copy[CERT_URI_MAX];
        enum diag_role role = DIAG_ROLE_UNKNOWN;
        char *slash;

        if (strlen(uri) >= sizeof(copy) || strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
                return -EINVAL;
        (void)snprintf(copy, sizeof(copy), "%s", uri + strlen(SCHEME));
        slash = strchr(copy, '/');
        if (slash) {
                *slash = '\0';
                if (diag_role_from_string(slash + 1, &role) < 0)
                        return -EINVAL;
        }
        if (!cert_cluster_is_valid(copy))
                return -EINVAL;
        memcpy(cluster, copy, strlen(copy) + 1);
        *ret_role = role;
        return 0;
}
