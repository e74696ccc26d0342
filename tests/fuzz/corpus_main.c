/* The fuzzer's entry over a corpus, for compilers without libFuzzer: each file is one TAP line. */

#include <dirent.h>
#include <string.h>

#include "base/fs.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX_BYTES 16777216u

static int is_visible(const struct dirent *d)
{
        return d->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* A property that does not hold aborts, which a TAP reader sees as a plan that was not kept. */
static bool run_file(const char *dir, const char *name, unsigned number)
{
        _cleanup_(freep) char *path = NULL, *data = NULL;
        struct err e = {0};
        size_t n;

        if (asprintf(&path, "%s/%s", dir, name) < 0) {
                path = NULL;
                return false;
        }
        if (fs_read(path, INPUT_MAX_BYTES, &data, &n, &e) < 0) {
                (void)printf("not ok %u - %s: %s\n", number, path, e.text);
                return false;
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, n);
        (void)printf("ok %u - %s\n", number, path);
        (void)fflush(stdout);
        return true;
}

static bool run_dir(const char *dir, unsigned *n_run)
{
        struct dirent **entries = NULL;
        int n = scandir(dir, &entries, is_visible, by_name);
        bool ok = n > 0;

        if (n <= 0)
                (void)printf("not ok %u - %s: no corpus\n", ++*n_run, dir);
        for (int i = 0; i < n; i++) {
                ok = run_file(dir, entries[i]->d_name, ++*n_run) && ok;
                free(entries[i]);
        }
        free(entries);
        return ok;
}

int main(int argc, char **argv)
{
        unsigned n_run = 0;
        bool ok = argc > 1;

        for (int i = 1; i < argc; i++)
                ok = run_dir(argv[i], &n_run) && ok;
        (void)printf("1..%u\n", n_run);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
