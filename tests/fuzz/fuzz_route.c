/* Any request line, "METHOD\nTARGET": what is found is clean, and a redirect stays with us and ends. */

#include "api/route.h"
#include "tests/fuzz/fuzz.h"

#define HOPS_MAX 2u /* an unclean path, then a slash too many */

static int handle(const struct request *q, struct reply *r)
{
        (void)q;
        (void)r;
        return 0;
}

static const struct route routes[] = {
        {"GET",   "/a", handle},
        {"GET", "/a/{x}", handle},
        {"PUT",   "/a/{x}", handle},
        {"GET", "/a/{x}/b/{y}", handle},
        {"GET",   "/{x}/{y}/{z}/{w}", handle},
        {  },
};
static const struct route *const tables[] = {routes, NULL};
static const struct route_alias aliases[] = {
        {"/b",  "/a/longer"},
        {"/c/d",     "/a"},
        {        },
};
static const struct router router = {tables, aliases};

static void check_found(const struct route_match *m)
{
        MUST(m->route && m->path[0] == '/' && strlen(m->path) < ROUTE_PATH_MAX);
        MUST(!strstr(m->path, "//") && !strstr(m->path, "/./") && !strstr(m->path, "/../"));
        for (size_t i = 0; i < m->n_args; i++) {
                const char *value = m->args[i].value;

                MUST(*value && !strchr(value, '/') && strstr(m->path, value));
                MUST(!streq(value, ".") && !streq(value, ".."));
        }
}

/* Read by a browser, it must be a path of this server, and one line. */
static void check_location(const char *location)
{
        MUST(strlen(location) < ROUTE_PATH_MAX);
        MUST(location[0] == '/' && location[1] != '/' && location[1] != '\\');
        for (const char *s = location; *s; s++)
                MUST(*s > ' ' && *s < 0x7f);
}

static void check(const char *method, const char *target, unsigned n_hops)
{
        struct route_match m;

        switch (route_resolve(&router, method, target, &m)) {
        case ROUTE_FOUND:
                check_found(&m);
                break;
        case ROUTE_MOVED:
                check_location(m.location);
                MUST(n_hops < HOPS_MAX);
                check(method, m.location, n_hops + 1);
                break;
        case ROUTE_NOT_METHOD:
                MUST(*m.allow);
                break;
        case ROUTE_NOT_FOUND:
        case ROUTE_BAD:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size);
        char *target;

        MUST(s);
        target = strchr(s, '\n');
        if (!target)
                return 0;
        *target++ = '\0';
        if (*s && strlen(target) < ROUTE_PATH_MAX)
                check(s, target, 0);
        return 0;
}
